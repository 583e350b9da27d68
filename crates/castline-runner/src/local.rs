//! The local driver: carries out what a run decides, with tokio and the clock.
//!
//! One loop hands inputs to the [`Run`] and its decisions to the world; each prediction has
//! a task of its own that follows the core's procedure.
//!
//! Start reading at [`Job::run`].

pub(crate) mod task;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use castline_core::event::{Entry, Event, LegRef, RunStatus, SCHEMA_VERSION};
use castline_core::forecast::{Fate, Forecast};
use castline_core::ledger::{Account, Ask, Claim, RunId};
use castline_core::legs::LegId;
use castline_core::prediction::{Told, learned};
use castline_core::record::{Recorder, RunRecord};
use castline_core::run::{Effect, Input, Options, Outcome, Run};
use castline_core::save::SavedFile;
use castline_core::summary::RunSummary;
use castline_core::{Key, ProviderName, plain};
use castline_spec::Name;
use castline_store::{Journal, Store};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::failpoint::{self, Place, Side};
use crate::job::{Job, open_store, rely_on_hits};
use crate::output::OutputFolder;
use crate::project::{Project, shown};
use crate::provenance::Teller;
use crate::providers::{self, Providers};
use crate::trouble::Trouble;

/// Listens to what happens; it cannot steer.
pub type Listener = Box<dyn FnMut(Entry) + Send>;

/// How far a run is to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interrupt {
    /// Not at all.
    No,
    /// Another plan takes its place: nothing new, and nothing is written for the user any more.
    Superseded {
        /// What the other one wants: it goes on.
        wanted: Arc<BTreeSet<Key>>,
        /// When it was looked what it wants.
        as_of: Timestamp,
    },
    /// Nothing new; what runs is awaited and kept.
    Gently,
    /// At once; what runs is left to the next run.
    Now,
}

/// What all tasks of a run share.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) providers: Providers,
    pub(crate) claim: Claim,
    pub(crate) since: Timestamp,
    /// The project says `when_lost: retry`.
    pub(crate) retry_lost: bool,
    pub(crate) facts: BTreeMap<usize, Arc<task::LegFacts>>,
    pub(crate) creating: task::Creating,
    /// True once the user asked to stop: what was never sent is not sent any more.
    pub(crate) stopping: watch::Sender<bool>,
}

/// A run that is over.
pub struct Over {
    /// What happened.
    pub record: RunRecord,
    run: Run,
}

impl Over {
    /// True when everything that should has an output.
    pub(crate) fn is_whole(&self) -> bool {
        self.run.status() == RunStatus::Succeeded
    }

    /// What happened, for a process that is about to end: to take apart what a large run is made of
    /// takes as long as to make it.
    pub fn record_at_the_end(self) -> RunRecord {
        std::mem::forget(self.run);
        self.record
    }
}

/// A run with everything that it needs, about to begin.
pub struct Prepared(Driver);

impl Prepared {
    /// Carries it out.
    pub async fn go(self, interrupt: watch::Receiver<Interrupt>) -> Result<Over, Trouble> {
        self.0.go(interrupt).await
    }
}

impl Job {
    /// Runs what the forecast found, and tells the listener all that happens.
    pub async fn run(
        self,
        listener: Listener,
        interrupt: watch::Receiver<Interrupt>,
    ) -> Result<Over, Trouble> {
        Box::pin(async move { self.prepare(listener).await?.go(interrupt).await }).await
    }

    /// Everything that comes before the first event.
    pub async fn prepare(mut self, listener: Listener) -> Result<Prepared, Trouble> {
        self.check_money().await?;
        let Some(forecast) = self.forecast.take() else { return Err(Trouble::Diagnostics(self.diagnostics)) };
        self.check_out(&forecast)?;
        self.check_inputs(&forecast)?;
        let secrets = crate::secrets::of_steps(&forecast, &self.project)?;
        let store = match self.store.take() {
            Some(store) if !store.is_only_looked_at() => store,
            _ => open_store(&self.project)?,
        };
        let runs_something = forecast
            .plan
            .order()
            .iter()
            .any(|leg| matches!(forecast.fate(*leg), Fate::Run(..) | Fate::Same(..) | Fate::Upstream))
            || forecast.plan.legs.deferred().next().is_some();
        if runs_something {
            store.check_space().map_err(crate::ledger::trouble)?;
            if forecast.plan.routing.is_live() {
                store.check_local().map_err(crate::ledger::trouble)?;
            }
        }
        rely_on_hits(&store, &forecast)?;
        Self::keep_files(&forecast, &store)?;
        self.forget_missing(&store).await?;
        let used = used_providers(&forecast, runs_something);
        let providers = Providers::new(&self.project);
        // What runs nothing pays nothing, and writes nothing into the ledger.
        let accounts = if runs_something { self.open_accounts(&store, &forecast).await? } else { Vec::new() };
        let run_id = RunId::from(self.run.as_str());
        let world = Arc::new(World {
            claim: Claim::new(store.owner().clone(), run_id, accounts),
            since: Timestamp::now(),
            retry_lost: self.project.retries_lost(),
            facts: task::facts(&forecast, &used, &providers, &store, &self.wishes, &secrets).await?,
            providers,
            store,
            creating: task::Creating::default(),
            stopping: watch::channel(false).0,
        });
        let base = self.own_out().unwrap_or_else(|| self.project.root.clone());
        let folder = OutputFolder::new(base, self.out_folder(&forecast));
        let teller = Teller::new(&self, &forecast);
        let journal = world.store.runs().begin(&self.run).map_err(crate::ledger::trouble)?;
        let options = Options {
            run: self.run.clone(),
            castline_version: env!("CARGO_PKG_VERSION").to_owned(),
            parallel: providers::parallel(&self.project, &self.wishes),
            fail_fast: self.wishes.fail_fast,
            free_but_for: self.only_free.then(|| self.paid.iter().copied().collect()),
        };
        let whys = whys(&forecast);
        let (tell, told) = mpsc::unbounded_channel();
        Ok(Prepared(Driver {
            run: Run::new(forecast, options),
            world,
            project: self.project,
            folder,
            teller,
            pen: Pen { journal, listener, recorder: Recorder::default(), seq: 0 },
            whys,
            tell,
            told,
            tasks: JoinSet::new(),
            beyond: BTreeMap::new(),
            took: BTreeMap::new(),
            unsaved: 0,
            stops: BTreeMap::new(),
        }))
    }

    /// The folder of this workflow's outputs; absolute.
    pub fn out_folder(&self, forecast: &Forecast) -> PathBuf {
        let out = self.own_out().unwrap_or_else(|| self.project.out());
        out.join(forecast.plan.graph.name.as_str())
    }

    /// `--out`; absolute.
    fn own_out(&self) -> Option<PathBuf> {
        self.wishes.out.as_deref().map(crate::project::absolute)
    }

    /// Refuses outputs that the project would lead out of its folder, while `--out` may lead anywhere;
    /// and a folder of outputs that cannot be one.
    pub fn check_out(&self, forecast: &Forecast) -> Result<(), Trouble> {
        if self.wishes.out.is_none() {
            self.project.check_out(forecast.plan.graph.name.as_str())?;
        }
        match self.out_folder(forecast).ancestors().find(|place| place.exists()) {
            Some(file) if !file.is_dir() => Err(Trouble::usage(
                format!("`{}` is a file, and outputs are written into a folder of that name", shown(file)),
                "move the file away, or name another folder with `--out DIR`",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses an input that holds a token: it would stand in the ledger and the journal, and
    /// be shown in reports.
    fn check_inputs(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let tokens = providers::tokens(&self.project);
        if tokens.is_empty() {
            return Ok(());
        }
        for leg in forecast.plan.order() {
            let Fate::Run(ready, _) = forecast.fate(leg) else { continue };
            let sent: String = ready.request.input.values().map(|v| plain::json(v).to_string()).collect();
            if let Some((variable, _)) = tokens.iter().find(|(_, token)| sent.contains(token.as_str())) {
                return Err(Trouble::usage(
                    format!(
                        "`{}` would send the token in `{variable}` as an input",
                        forecast.plan.leg_name(leg)
                    ),
                    "take it out of the inputs: castline sends a token to its provider by itself",
                ));
            }
        }
        Ok(())
    }

    /// Copies the user's files into the store, so that they are there when they are sent.
    fn keep_files(forecast: &Forecast, store: &Store) -> Result<(), Trouble> {
        use castline_core::files::FileContent;
        for (file, content) in forecast.plan.files.loaded() {
            let FileContent::Artifact(artifact) = content else { continue };
            if !store.blobs().rely_on(&artifact).map_err(crate::ledger::trouble)? {
                let path = crate::files::path_of(&file);
                store.blobs().import(&path).map_err(crate::ledger::trouble)?;
            }
        }
        Ok(())
    }

    /// What the ledger has and the store has lost is made again.
    async fn forget_missing(&self, store: &Store) -> Result<(), Trouble> {
        let asks = self.missing.iter().map(|(key, number)| {
            let mut claim = Claim::new(store.owner().clone(), RunId::from(self.run.as_str()), Vec::new());
            claim.number = *number;
            (*key, claim, Ask::Missing)
        });
        let asks: Vec<_> = asks.collect();
        if !asks.is_empty() {
            failpoint::reach(Place::Missing, Side::Before);
            store.ledger().commit(asks).await.map_err(crate::ledger::trouble)?;
            failpoint::reach(Place::Missing, Side::After);
        }
        Ok(())
    }

    async fn open_accounts(&self, store: &Store, forecast: &Forecast) -> Result<Vec<Account>, Trouble> {
        let live = forecast.plan.routing.is_live();
        let run = self.account();
        let mut accounts = Vec::new();
        if let Some(limit) = providers::budget(&self.project, &self.wishes, live).filter(|_| live) {
            store.ledger().open_account(&run, Some(limit)).await.map_err(crate::ledger::trouble)?;
            accounts.push(run);
        }
        if let Some(session) = self.session.as_ref().filter(|session| live && session.budget.is_some()) {
            let account = session.account();
            store.ledger().open_account(&account, session.budget).await.map_err(crate::ledger::trouble)?;
            accounts.push(account);
        }
        // What is spent without a limit counts when there is one later.
        if live {
            let limit = providers::day_budget(&self.project);
            store.ledger().open_account(&Account::Day, limit).await.map_err(crate::ledger::trouble)?;
            accounts.push(Account::Day);
        }
        Ok(accounts)
    }
}

/// The providers that legs may be sent to; none when nothing runs, so that no token is needed.
fn used_providers(forecast: &Forecast, runs_something: bool) -> BTreeSet<ProviderName> {
    if !runs_something {
        return BTreeSet::new();
    }
    let plan = &forecast.plan;
    let steps = plan.graph.predicting().filter(|(step, _)| plan.may_have_legs(*step));
    steps
        .map(|(_, step)| &step.callee)
        .filter_map(|callee| plan.routing.of(&callee.model))
        .map(|route| route.name.clone())
        .collect()
}

/// Why each leg runs, as the forecast knows it.
fn whys(forecast: &Forecast) -> Vec<(LegId, Cow<'static, str>)> {
    let word = |leg: LegId| match forecast.fate(leg) {
        Fate::Hit(..) => Some("the ledger has the output of the same request".into()),
        Fate::Run(_, why) => Some(why.reason()),
        Fate::Same(_, first) => {
            Some(format!("it sends the same request as `{}`", forecast.plan.leg_name(*first)).into())
        }
        Fate::Upstream => Some("it reads legs that ran".into()),
        Fate::Done(_) | Fate::Skip(_) | Fate::Broken | Fate::Out => None,
    };
    forecast.plan.predictions().filter_map(|leg| Some((leg, word(leg)?))).collect()
}

/// Writes events down, and tells them on.
struct Pen {
    journal: Journal,
    listener: Listener,
    recorder: Recorder,
    seq: u64,
}

impl Pen {
    fn write(&mut self, event: Event) -> Result<(), Trouble> {
        self.write_all(vec![event])
    }

    /// What happened at once is written at once.
    fn write_all(&mut self, events: Vec<Event>) -> Result<(), Trouble> {
        let at = Timestamp::now();
        let entry = |(seq, event)| Entry { schema_version: SCHEMA_VERSION, seq, at, event };
        let entries: Vec<Entry> = (self.seq..).zip(events).map(entry).collect();
        self.seq += entries.len() as u64;
        self.journal.append(&entries).map_err(crate::ledger::trouble)?;
        for entry in entries {
            self.recorder.take(&entry);
            (self.listener)(entry);
        }
        Ok(())
    }
}

/// How often it is looked whether somebody canceled the run.
const LOOK: Duration = Duration::from_millis(200);

/// How long a hard stop waits for the answers of creates.
const LAST_MOMENT: Duration = Duration::from_millis(700);

pub(crate) struct Driver {
    run: Run,
    world: Arc<World>,
    project: Project,
    folder: OutputFolder,
    /// None when files are to tell nothing.
    teller: Option<Teller>,
    pen: Pen,
    whys: Vec<(LegId, Cow<'static, str>)>,
    tell: mpsc::UnboundedSender<task::Said>,
    told: mpsc::UnboundedReceiver<task::Said>,
    tasks: JoinSet<()>,
    /// The claim whose failure a retry overcomes.
    beyond: BTreeMap<LegId, u64>,
    /// Seconds that predictions of this run took, by model.
    took: BTreeMap<String, Vec<f64>>,
    /// How many files could not be written.
    unsaved: usize,
    /// Stops the prediction of a leg.
    stops: BTreeMap<LegId, mpsc::UnboundedSender<Told>>,
}

impl Driver {
    async fn go(mut self, mut interrupt: watch::Receiver<Interrupt>) -> Result<Over, Trouble> {
        let began = Instant::now();
        for (leg, why) in std::mem::take(&mut self.whys) {
            self.pen.recorder.explain(&self.run.leg_ref(leg), why);
        }
        let finished = self.until_the_end(&mut interrupt).await;
        // A create whose answer is lost is in doubt, so those on their way get a moment. What
        // still runs after that is let go: the next run adopts it.
        let world = self.world.clone();
        let answered = async move {
            while !world.creating.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        if !matches!(finished, Ok(true)) {
            self.world.stopping.send_replace(true);
            let _ = tokio::time::timeout(LAST_MOMENT, answered).await;
        }
        finished?;
        self.tasks.abort_all();
        self.end(began).await
    }

    /// Carries the run out; false when it was left before its end.
    async fn until_the_end(&mut self, interrupt: &mut watch::Receiver<Interrupt>) -> Result<bool, Trouble> {
        let mut finished = self.take(Input::Start)?;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut canceled = false;
        while !finished {
            tokio::select! {
                _ = look.tick(), if !canceled => {
                    if self.pen.journal.is_to_cancel() {
                        canceled = true;
                        self.world.stopping.send_replace(true);
                        finished = self.take(Input::Cancel)?;
                    }
                }
                Some(said) = self.told.recv() => finished = self.hear(said)?,
                Ok(()) = interrupt.changed() => {
                    let how = interrupt.borrow_and_update().clone();
                    match how {
                        Interrupt::No => {}
                        Interrupt::Superseded { wanted, as_of } => {
                            self.world.stopping.send_replace(true);
                            finished = self.take(Input::Superseded { wanted, as_of })?;
                        }
                        Interrupt::Gently => {
                            self.world.stopping.send_replace(true);
                            finished = self.take(Input::Interrupt)?;
                        }
                        Interrupt::Now => {
                            self.take(Input::Interrupt)?;
                            return Ok(false);
                        }
                    }
                }
            }
        }
        Ok(true)
    }

    fn hear(&mut self, said: task::Said) -> Result<bool, Trouble> {
        match said {
            task::Said::Input(input) => self.take(input),
            task::Said::Ended { leg, claim, outcome } => {
                self.beyond.insert(leg, claim);
                self.stops.remove(&leg);
                self.learn(leg, &outcome);
                let finished = self.take(Input::Ended(leg, outcome));
                // Nothing stays of a leg that is over: there may be very many.
                self.beyond.remove(&leg);
                while self.tasks.try_join_next().is_some() {}
                finished
            }
            task::Said::Broken(trouble) => Err(trouble),
        }
    }

    /// How long a model takes is learned from this run too: a first run of many legs need not ask
    /// blindly to its end.
    fn learn(&mut self, leg: LegId, outcome: &Outcome) {
        /// More say nothing new.
        const ENOUGH: usize = 20;
        let Outcome::Succeeded { reused: false, predict_seconds: Some(seconds), .. } = outcome else {
            return;
        };
        let plan = self.run.plan();
        let model = plan.graph.steps[plan.legs.step(leg)].callee.model.reference.path();
        let known = self.took.entry(model).or_default();
        if known.len() < ENOUGH {
            known.push(*seconds);
        }
    }

    /// Hands an input to the run and carries out what it decides. True at the end.
    fn take(&mut self, input: Input) -> Result<bool, Trouble> {
        let decision = self.run.handle(input, Timestamp::now());
        if decision.events.iter().any(|event| matches!(event, Event::Stopping { .. })) {
            self.world.stopping.send_replace(true);
        }
        self.pen.write_all(decision.events)?;
        let (mut finished, mut saved) = (false, Vec::new());
        for effect in decision.effects {
            match effect {
                Effect::Ensure { leg, request } => {
                    let beyond = self.beyond.get(&leg).copied().unwrap_or(0);
                    let step = self.run.plan().legs.step(leg);
                    let p25 = self.took.get(&request.model.path()).and_then(|took| learned(took));
                    let (stop, stopped) = mpsc::unbounded_channel();
                    let task = task::ensure(
                        self.world.clone(),
                        leg,
                        self.world.facts[&step].clone(),
                        request,
                        task::Heard { beyond, p25 },
                        self.tell.clone(),
                        stopped,
                    );
                    self.stops.insert(leg, stop);
                    self.tasks.spawn(task);
                }
                Effect::Cancel(leg) => self.tell_to_stop(leg, Told::Stop),
                Effect::Abandon(leg) => self.tell_to_stop(leg, Told::Leave),
                Effect::Save(leg) => saved.push(leg),
                Effect::Finish => finished = true,
            }
        }
        self.save(&saved)?;
        Ok(finished)
    }

    fn tell_to_stop(&self, leg: LegId, how: Told) {
        if let Some(stop) = self.stops.get(&leg) {
            let _ = stop.send(how);
        }
    }

    /// Writes the files of legs. What cannot be written is a warning: its bytes are kept.
    fn save(&mut self, legs: &[LegId]) -> Result<(), Trouble> {
        let (mut events, mut files, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for leg in legs {
            let leg_ref = self.run.leg_ref(*leg);
            let name: Arc<str> = leg_ref.name.as_str().into();
            // What an output of a call is belongs to the call.
            let whose = match self.run.plan().call_of_output(*leg) {
                Some(call) => (None, Some(call)),
                None => (Some(leg_ref), None),
            };
            match self.run.plan().saves(*leg, self.run.results()) {
                Ok(saved) => {
                    of.extend(saved.iter().map(|_| whose.clone()));
                    files.extend(saved.into_iter().map(|file| (file, name.clone())));
                }
                Err(why) => {
                    self.unsaved += 1;
                    events.push(Event::Warned { message: format!("`{name}` was not saved: {why}") });
                }
            }
        }
        events.extend(self.write_files(files, |number| of[number].clone()));
        self.pen.write_all(events)
    }

    /// Writes files, each for somebody, and says what became of them. `whose` tells the leg or the
    /// output that the file of a number belongs to.
    fn write_files(
        &mut self,
        files: Vec<(SavedFile, Arc<str>)>,
        whose: impl Fn(usize) -> (Option<Arc<LegRef>>, Option<Name>),
    ) -> Vec<Event> {
        if let Some(teller) = &mut self.teller {
            teller.learn(&self.run.plan().files);
        }
        let (teller, recorder) = (&self.teller, &self.pen.recorder);
        let tell = |digest| teller.as_ref()?.text(digest, recorder);
        let written = self.folder.write(&files, self.world.store.blobs(), &tell);
        self.unsaved += written.iter().filter(|written| written.is_err()).count();
        let events = written.into_iter().zip(files).enumerate().map(|(number, (written, (file, _)))| {
            let (leg, output) = whose(number);
            match written {
                Ok(path) => {
                    Event::Saved { leg, output, path: self.project.relative(&path), artifact: file.artifact }
                }
                Err(why) => Event::Warned { message: why.to_string() },
            }
        });
        events.collect()
    }

    /// What becomes of files that could not be written.
    fn kept(&self) -> String {
        let (what, are) = match self.unsaved {
            1 => ("1 file".to_owned(), "is"),
            n => (format!("{n} files"), "are"),
        };
        format!(
            "{what} {are} not in `{}`; all bytes are kept in `{}`: see to the folder, or name another one with \
             `--out DIR`, and run it again, which pays for nothing twice",
            shown(self.folder.path()),
            shown(&self.project.store())
        )
    }

    /// Outputs, totals, and everything on disk before the run counts as over.
    async fn end(mut self, began: Instant) -> Result<Over, Trouble> {
        for (name, value) in self.run.outputs() {
            let value = match value {
                Ok(value) => value,
                Err(why) => {
                    self.pen
                        .write(Event::Warned { message: format!("output `{name}` has no value: {why}") })?;
                    castline_core::Value::Null
                }
            };
            let by: Arc<str> = format!("output {name}").into();
            let files = self.run.plan().output_files(&name, &value, self.run.results());
            let files = files.into_iter().map(|file| (file, by.clone())).collect();
            let saved = self.write_files(files, |_| (None, Some(name.clone())));
            self.pen.write_all(saved)?;
            self.pen.write(Event::OutputReady { name, value })?;
        }
        failpoint::reach(Place::End, Side::Before);
        self.world.store.settle().await.map_err(crate::ledger::trouble)?;
        failpoint::reach(Place::End, Side::After);
        let (mut status, totals) = (self.run.status(), self.run.totals().clone());
        if self.unsaved > 0 {
            self.pen.write(Event::Warned { message: self.kept() })?;
            status = if status == RunStatus::Succeeded { RunStatus::Failed } else { status };
        }
        self.pen.write(Event::RunEnded { status, totals, elapsed_seconds: began.elapsed().as_secs_f64() })?;
        let Self { run, pen, folder, .. } = self;
        let record = pen.recorder.record;
        pen.journal.finish(&record, &RunSummary::from(&record)).map_err(crate::ledger::trouble)?;
        tracing::debug!(folder = %folder.path().display(), "run ended");
        Ok(Over { record, run })
    }
}
