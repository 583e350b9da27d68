//! `watch`: workflows are planned and run again whenever something that they are made of changes.
//!
//! Each workflow is a *scene*. A change is loaded, checked and planned; what differs from the plan
//! before is told, and the plan runs, waits for a word, or is refused. A newer plan takes the place
//! of one that still runs: what it wants goes on, and it finds that in the ledger like anything else
//! that somebody makes, so that nothing is created twice. While a workflow is broken, what was
//! planned last goes on.
//!
//! Nothing here draws or reads keys: what happens is told to a listener, and what the user wants
//! comes in as a [`Word`].
//!
//! Start reading at [`watch()`], then [`Watch::handle`].

mod changes;
mod news;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use castline_core::MicroUsd;
use castline_core::bill::Bill;
use castline_core::comparison::Comparison;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::job::{Job, Session};
use crate::local::{Interrupt, Over};
use crate::looked::Looked;
use crate::project::Project;
use crate::trouble::Trouble;
use crate::wishes::Wishes;

use changes::Changes;
pub use news::{Begun, News, Next, Planned};
use scene::{Going, Scene};

/// How a watch goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// The workflows.
    pub files: Vec<PathBuf>,
    /// What flags and the environment ask for.
    pub wishes: Wishes,
    /// USD. A plan that costs no more runs at once.
    pub auto_spend: MicroUsd,
    /// USD. What all plans together may spend; none for as much as the other budgets allow.
    pub budget: Option<MicroUsd>,
    /// A change is over when nothing has happened for so long.
    pub quiet: Duration,
    /// Look at the files instead of being told of changes.
    pub poll: bool,
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Run what waits.
    Run,
    /// Run nothing by itself from now on; or do so again.
    Pause,
    /// Plan all anew, with new draws where a step is not kept.
    Again,
    /// Begin nothing more, and end when nothing runs.
    Quit,
}

/// Hears what a watch does; it cannot steer.
pub type Listener = Box<dyn FnMut(News) + Send>;

/// Watches workflows until the user has enough.
pub async fn watch(
    options: Options,
    listener: Listener,
    words: mpsc::UnboundedReceiver<Word>,
    interrupt: watch::Receiver<Interrupt>,
) -> Result<(), Trouble> {
    let mut watch = Watch::new(options, listener, words, interrupt);
    watch.begin().await?;
    watch.go().await;
    Ok(())
}

/// Why a scene is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cause {
    /// Something has changed, perhaps.
    Change,
    /// The user wants it planned anew.
    Again,
    /// The user has seen what it costs, and wants it.
    Agreed(Bill),
}

/// What a run's task tells.
enum Said {
    Happened(castline_core::event::Entry),
    /// None when its place was taken before it began.
    Ended(Result<Option<Box<Over>>, Trouble>),
}

/// Something that happens.
enum Input {
    /// To the files of scenes.
    Changed(Vec<usize>),
    /// In a run of a scene.
    Said(usize, u64, Said),
    /// The user said something.
    Word(Word),
    /// A signal.
    Interrupt(Interrupt),
}

struct Watch {
    options: Options,
    session: Session,
    scenes: Vec<Scene>,
    changes: Changes,
    listener: Listener,
    words: mpsc::UnboundedReceiver<Word>,
    interrupt: watch::Receiver<Interrupt>,
    tell: mpsc::UnboundedSender<(usize, u64, Said)>,
    told: mpsc::UnboundedReceiver<(usize, u64, Said)>,
    tasks: JoinSet<()>,
    /// Runs so far.
    runs: u64,
    paused: bool,
    leaving: bool,
}

/// Files that change while they are read are read so often.
const MOST_LOOKS: usize = 4;

impl Watch {
    fn new(
        options: Options,
        listener: Listener,
        words: mpsc::UnboundedReceiver<Word>,
        interrupt: watch::Receiver<Interrupt>,
    ) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let id = ulid::Ulid::generate().to_string();
        Self {
            session: Session { draws: id.clone(), id, budget: options.budget },
            scenes: options.files.iter().map(|file| Scene::new(file)).collect(),
            changes: Changes::new(options.files.len(), options.quiet, options.poll),
            options,
            listener,
            words,
            interrupt,
            tell,
            told,
            tasks: JoinSet::new(),
            runs: 0,
            paused: false,
            leaving: false,
        }
    }

    /// Everything is followed before it is read for the first time.
    async fn begin(&mut self) -> Result<(), Trouble> {
        for number in 0..self.scenes.len() {
            let file = &self.scenes[number].file;
            let (project, _) = Project::near(file);
            self.changes.follow(number, Looked::around(file, &project, &self.options.wishes));
            match self.look_at(number, Cause::Change).await {
                // What is refused today may be allowed after an edit.
                Err(trouble @ Trouble::Refused { .. }) => self.refuse(number, trouble),
                looked => looked?,
            }
        }
        self.say_troubles();
        let files = self.scenes.iter().map(|scene| scene.looked.count()).sum();
        self.tell(News::Watching { files });
        Ok(())
    }

    async fn go(&mut self) {
        while !(self.leaving && self.is_idle()) {
            let input = self.next().await;
            self.handle(input).await;
            while self.tasks.try_join_next().is_some() {}
        }
        // What the last runs said is still to be told.
        while let Ok((scene, run, said)) = self.told.try_recv() {
            self.hear(scene, run, said);
        }
    }

    /// True when every run has said how it ended. Its task may be there for a moment more, and nobody
    /// would tell when it is gone.
    fn is_idle(&self) -> bool {
        self.scenes.iter().all(|scene| scene.going.is_empty())
    }

    async fn next(&mut self) -> Input {
        let leaving = self.leaving;
        tokio::select! {
            Ok(()) = self.interrupt.changed() => Input::Interrupt(self.interrupt.borrow_and_update().clone()),
            Some(word) = self.words.recv() => Input::Word(word),
            Some((scene, run, said)) = self.told.recv() => Input::Said(scene, run, said),
            scenes = self.changes.next(), if !leaving => Input::Changed(scenes.into_iter().collect()),
        }
    }

    /// Takes what happens. Every change of a watch starts here.
    async fn handle(&mut self, input: Input) {
        match input {
            Input::Changed(scenes) => {
                for scene in scenes {
                    self.look_again(scene, Cause::Change).await;
                }
            }
            Input::Said(scene, run, said) => self.hear(scene, run, said),
            Input::Word(Word::Run) => self.run_what_waits().await,
            Input::Word(Word::Pause) => self.pause().await,
            Input::Word(Word::Again) => {
                self.session.draws = ulid::Ulid::generate().to_string();
                for scene in 0..self.scenes.len() {
                    self.look_again(scene, Cause::Again).await;
                }
            }
            Input::Word(Word::Quit) => self.leave(&Interrupt::Gently),
            Input::Interrupt(Interrupt::No) => {}
            Input::Interrupt(how) => self.leave(&how),
        }
    }

    async fn run_what_waits(&mut self) {
        for number in 0..self.scenes.len() {
            if let Some(bill) = self.scenes[number].waiting {
                self.look_again(number, Cause::Agreed(bill)).await;
            }
        }
    }

    async fn pause(&mut self) {
        self.paused = !self.paused;
        self.tell(News::Paused(self.paused));
        for number in 0..self.scenes.len() {
            // What waited for money goes on waiting for it.
            if !self.paused && self.scenes[number].waiting.take().is_some() {
                self.look_again(number, Cause::Again).await;
            }
        }
    }

    fn leave(&mut self, how: &Interrupt) {
        self.leaving = true;
        for scene in &mut self.scenes {
            scene.next = None;
            scene.going.iter().for_each(|going| drop(going.interrupt.send_replace(how.clone())));
        }
    }

    async fn look_again(&mut self, number: usize, cause: Cause) {
        if self.leaving {
            return;
        }
        if let Err(trouble) = self.look_at(number, cause).await {
            self.refuse(number, trouble);
        }
        self.say_troubles();
    }

    fn refuse(&mut self, number: usize, trouble: Trouble) {
        let scene = &mut self.scenes[number];
        scene.waiting = None;
        let file = scene.shown.clone();
        self.tell(News::Refused { file, trouble: Box::new(trouble) });
    }

    /// Plans a scene as it is now, and does what follows from it.
    async fn look_at(&mut self, number: usize, cause: Cause) -> Result<(), Trouble> {
        let (mut as_of, mut looks) = (Timestamp::now(), 0);
        let (job, pinned) = loop {
            self.changes.mark(number);
            let (job, pinned) = self.plan(number).await?;
            looks += 1;
            if !self.follow(number, &job) || looks == MOST_LOOKS {
                break (job, pinned);
            }
            as_of = Timestamp::now();
        };
        self.take(number, job, pinned, cause, as_of).await
    }

    /// A provider may have to be asked for a version, which must not keep anybody who wants to leave.
    async fn plan(&mut self, number: usize) -> Result<(Job, BTreeMap<String, String>), Trouble> {
        let file = self.scenes[number].file.clone();
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            planned = Job::plan_in(&self.session, &file, &self.options.wishes) => planned,
            Ok(_) = interrupt.wait_for(|how| *how != Interrupt::No) => {
                Err(Trouble::Refused { message: "stopped while it was planned".to_owned(), hint: None })
            }
        }
    }

    /// Follows what a plan was made from. What castline itself writes for this workflow is no
    /// reason to plan it anew. While it is broken, what was followed before is followed as well.
    fn follow(&mut self, number: usize, job: &Job) -> bool {
        let scene = &mut self.scenes[number];
        let mut looked = job.looked();
        match &job.forecast {
            Some(forecast) => scene.own = Some(job.out_folder(forecast)),
            None => looked.extend(scene.looked.clone()),
        }
        for own in scene.own.iter().cloned().chain([job.project.store()]) {
            looked = looked.outside_of(&crate::project::clean(&own));
        }
        scene.looked = looked.clone();
        self.changes.follow(number, looked)
    }

    async fn take(
        &mut self,
        number: usize,
        mut job: Job,
        pinned: BTreeMap<String, String>,
        cause: Cause,
        as_of: Timestamp,
    ) -> Result<(), Trouble> {
        let scene = &mut self.scenes[number];
        let Some(forecast) = &job.forecast else {
            let is_news = scene.found.as_ref() != Some(&job.diagnostics) || cause == Cause::Again;
            scene.found = Some(job.diagnostics.clone());
            if is_news {
                let (file, goes_on) = (scene.shown.clone(), scene.last.is_some());
                self.tell(News::Broken { file, found: job.diagnostics, goes_on });
            }
            return Ok(());
        };
        let was_broken = scene.found.take().is_some();
        let basis = scene::Basis::of(&job, forecast);
        if cause == Cause::Change && scene.is_at(&basis) {
            if was_broken {
                let file = scene.shown.clone();
                self.tell(News::Repaired { file });
            }
            return Ok(());
        }
        let edit = match &scene.last {
            Some(last) => Some(Comparison::of(&job.forecast_of(&last.plan).await?, forecast)),
            None => None,
        };
        let has_free_news = scene::has_free_news(edit.as_ref(), forecast);
        let (bill, legs) = (job.bill(), scene::legs_that_run(forecast));
        let next = match cause {
            Cause::Agreed(seen) if scene::is_within(&bill, &seen) => Next::Runs,
            Cause::Agreed(_) | Cause::Change | Cause::Again => self.decide(number, &job, &bill, &basis),
        };
        let held = match next {
            Next::WaitsForMoney => scene::legs_that_cost(&job, forecast),
            Next::Nothing | Next::Runs | Next::Paused => BTreeSet::new(),
        };
        let scene = &mut self.scenes[number];
        scene.seen = Some(basis.clone());
        let planned = Planned {
            file: scene.shown.clone(),
            workflow: forecast.plan.graph.name.clone(),
            plan: forecast.plan.clone(),
            found: job.diagnostics.clone(),
            edit,
            agreed: matches!(cause, Cause::Agreed(_)),
            bill,
            legs,
            live: job.is_live(),
            next,
            held,
            pinned,
            hidden: job.secret_variables(),
            project: job.project.clone(),
        };
        let wanted = scene::wanted(forecast);
        scene.waiting = None;
        self.tell(News::Planned(Box::new(planned)));
        // Of what it takes the place of nothing more is begun, whatever becomes of it.
        self.scenes[number].supersede(&wanted, as_of);
        job.check_money().await?;
        job.check_secrets()?;
        match next {
            Next::Nothing => {}
            Next::Runs => self.begin_when_clear(number, job, Some(basis)),
            Next::WaitsForMoney | Next::Paused => {
                let scene = &mut self.scenes[number];
                scene.waiting = Some(bill);
                if next == Next::WaitsForMoney && has_free_news {
                    job.only_free = true;
                    self.begin_when_clear(number, job, None);
                }
            }
        }
        Ok(())
    }

    fn decide(&self, number: usize, job: &Job, bill: &Bill, basis: &scene::Basis) -> Next {
        let scene = &self.scenes[number];
        let certain = bill.unpriced == 0 && !bill.unbounded;
        if scene.is_done(basis) && scene::legs_that_run(job.forecast.as_ref().expect("planned")) == 0 {
            Next::Nothing
        } else if self.paused {
            Next::Paused
        } else if certain && bill.max <= self.options.auto_spend || *bill == Bill::default() {
            Next::Runs
        } else {
            Next::WaitsForMoney
        }
    }

    /// Begins a run once those before it write nothing any more.
    fn begin_when_clear(&mut self, number: usize, job: Job, basis: Option<scene::Basis>) {
        self.scenes[number].next = Some((Box::new(job), basis));
        self.begin_next(number);
    }

    fn begin_next(&mut self, number: usize) {
        let scene = &mut self.scenes[number];
        if self.leaving || scene.going.iter().any(|going| !going.silent) {
            return;
        }
        let Some((job, basis)) = scene.next.take() else { return };
        let Some(forecast) = &job.forecast else { return };
        let begun = Begun {
            file: scene.shown.clone(),
            run: job.run.clone(),
            plan: forecast.plan.clone(),
            project: job.project.clone(),
            folder: job.out_folder(forecast),
            first: scene.last.is_none(),
            only_free: job.only_free,
        };
        let is_whole = basis.is_some();
        if let Some(basis) = basis {
            scene.last = Some(scene::Last { plan: forecast.plan.clone(), basis, done: false });
        }
        self.runs += 1;
        let (run, tell) = (self.runs, self.tell.clone());
        let (interrupt, mut interrupted) = watch::channel(Interrupt::No);
        scene.going.push(Going { run, name: job.run.clone(), interrupt, is_whole, silent: false });
        self.tell(News::Began(Box::new(begun)));
        let hear = tell.clone();
        let listener = Box::new(move |entry| drop(hear.send((number, run, Said::Happened(entry)))));
        self.tasks.spawn(async move {
            let over = async {
                let prepared = job.prepare(listener).await?;
                // What has not begun need not begin.
                let is_wanted = *interrupted.borrow_and_update() == Interrupt::No;
                match is_wanted {
                    true => prepared.go(interrupted).await.map(|over| Some(Box::new(over))),
                    false => Ok(None),
                }
            };
            let said = Said::Ended(Box::pin(over).await);
            drop(tell.send((number, run, said)));
        });
    }

    fn hear(&mut self, number: usize, run: u64, said: Said) {
        use castline_core::event::{Event, StopCause};
        let scene = &mut self.scenes[number];
        let Some(place) = scene.going.iter().position(|going| going.run == run) else { return };
        let (file, name) = (scene.shown.clone(), scene.going[place].name.clone());
        match said {
            Said::Happened(entry) => {
                let superseded = matches!(entry.event, Event::Stopping { why: StopCause::Superseded });
                scene.going[place].silent |= superseded;
                self.tell(News::Happened { file, run: name, entry: Box::new(entry) });
            }
            Said::Ended(over) => {
                let going = scene.going.remove(place);
                let well = over.as_ref().is_ok_and(|over| over.as_ref().is_some_and(|over| over.is_whole()));
                if let Some(last) = scene.last.as_mut().filter(|_| going.is_whole && !going.silent) {
                    last.done = well;
                }
                self.tell(News::Ended { file, run: name, over });
            }
        }
        self.begin_next(number);
    }

    fn say_troubles(&mut self) {
        for message in self.changes.troubles() {
            self.tell(News::Warned { message });
        }
    }

    fn tell(&mut self, news: News) {
        (self.listener)(news);
    }
}
