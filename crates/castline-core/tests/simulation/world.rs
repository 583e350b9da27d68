//! Everything together: processes over one store, providers, people, and disasters.
//!
//! First all of it goes wrong as the scenario says. Then it becomes calm: people rule on what is
//! in doubt, and every run is run again until it gives what an undisturbed one gives.
//!
//! Start reading at [`simulate`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use castline_core::event::RunStatus;
use castline_core::forecast::Forecast;
use castline_core::ledger::{Account, Ask, Claim, OwnerId, RunId, Verdict};
use castline_core::prediction::{Finished, Search, Told};
use castline_core::rate::Bucket;
use castline_core::results::LegStatus;
use castline_core::{Key, MicroUsd, PredictionId, Snapshot};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::chance::Chance;
use crate::invariants::{Broken, Holds, Invariant, Watch, must};
use crate::ledger::Store;
use crate::planted::Bug;
use crate::process::{Process, TaskId, answered, asked, kind_of};
use crate::provider::{Create, Provider};
use crate::scheduler::{Log, Scheduler};
use crate::workflows::Scenario;

/// A run that lasts longer never ends.
const LONGEST: Duration = Duration::from_hours(30 * 24);
/// So many things do not happen in a run that ends.
const MOST: u64 = 300_000;
/// How often a disturbed run is taken up before it becomes calm.
const TAKEN_UP: u32 = 5;
/// How often every run is run again once it is calm.
const ROUNDS: u32 = 8;
/// What nobody reaches, in place of no limit.
const NO_LIMIT: MicroUsd = MicroUsd(1_000_000_000);
/// What a live run has when nobody says so.
const USUAL_BUDGET: MicroUsd = MicroUsd(5_000_000);

/// Something that will happen.
pub enum Happening {
    /// Somebody runs a run, for the first time or again.
    Run(usize),
    /// A process has planned, and begins.
    Begin(usize, Box<Forecast>, Vec<(Key, u64)>),
    /// The writer of a process comes to a commit.
    Judge(TaskId, Claim, Ask),
    /// A task is told what it waits for, or what it has asked for.
    Told(TaskId, Option<u64>, Told),
    /// A task tries to get ready for its create.
    Prepare(TaskId, u64),
    /// A task that would send something later is told to stop.
    NotAnyMore(TaskId, u64),
    /// A request arrives at a provider.
    Arrive(TaskId, usize, Call),
    /// A prediction's end reaches its run.
    Ended(TaskId, Box<Finished>),
    /// A process flushes what it has written.
    Flush(usize),
    /// A process leaves what it has.
    Quit(usize),
    /// Somebody stops what a dead run has left.
    CancelDead(usize),
    /// A person looks at what is in doubt.
    Rule,
}

/// A request to a provider.
pub enum Call {
    Create(Box<Create>),
    Get(PredictionId, Option<u64>),
    List(Arc<Search>, Option<u64>),
    Fetch(Arc<Snapshot>),
    Cancel(PredictionId),
}

/// The places among the predictions in flight at a provider.
#[derive(Default)]
pub struct Slots {
    pub taken: BTreeSet<TaskId>,
    pub line: VecDeque<(TaskId, u64)>,
}

/// A run that somebody wants, and how it stands.
pub struct RunState {
    pub process: Option<usize>,
    /// How it ended each time that it came to an end.
    pub ends: Vec<Final>,
    /// How often it may still be taken up while everything goes wrong.
    pub left: u32,
}

impl RunState {
    pub fn last(&self) -> Option<&Final> {
        self.ends.last()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Final {
    pub status: RunStatus,
    pub statuses: BTreeMap<String, LegStatus>,
    pub outputs: Vec<(String, Json)>,
}

/// All of it.
pub struct World<'s> {
    pub scenario: &'s Scenario,
    pub clock: Scheduler<Happening>,
    pub log: Log,
    pub store: Store,
    pub providers: Vec<Provider>,
    pub buckets: Vec<Bucket>,
    pub slots: Vec<Slots>,
    pub processes: Vec<Process>,
    pub runs: Vec<RunState>,
    /// Who waits for an entry that another process has.
    pub waiters: Vec<(Key, TaskId, u64)>,
    pub watch: Watch,
    pub chance: Chance,
    pub calm: bool,
    pub tickets: u64,
    pub planted: Option<Bug>,
    pub power_cuts: u32,
    /// What the clock of the machine shows beyond the true time: it may be set.
    pub wall: SignedDuration,
}

/// What a simulation came to.
pub struct Played {
    pub happenings: u64,
    pub digest: String,
    /// In virtual time.
    pub lasted: Duration,
    /// How often each kind of thing happened.
    pub kinds: BTreeMap<&'static str, u64>,
    pub outcome: Holds,
}

/// Plays a scenario to its end, and holds its runs against undisturbed ones.
pub fn simulate(scenario: &Scenario, planted: Option<Bug>, show: bool) -> Played {
    let mut world = World::new(scenario, planted, show);
    let outcome = world.play();
    Played {
        happenings: world.log.count,
        digest: world.log.digest(),
        lasted: world.clock.passed(),
        kinds: world.log.kinds,
        outcome,
    }
}

/// What a run gives when nothing goes wrong.
fn undisturbed(scenario: &Scenario, run: usize) -> Result<Final, Broken> {
    let calm = scenario.undisturbed(run);
    let mut world = World::new(&calm, None, false);
    world.calm = true;
    world.clock.after(Duration::ZERO, Happening::Run(0));
    world.until_nothing_happens()?;
    let last = world.runs.pop().and_then(|mut run| run.ends.pop());
    last.ok_or_else(|| Broken { invariant: Invariant::Ends, why: "an undisturbed run has no end".to_owned() })
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, planted: Option<Bug>, show: bool) -> Self {
        let provider = |profile: &_| Provider::new(*profile, scenario.faults, scenario.seed, planted);
        let run = |_| RunState { process: None, ends: vec![], left: TAKEN_UP };
        let count = scenario.providers.len();
        Self {
            scenario,
            clock: Scheduler::new(scenario.seed),
            log: Log::new(show),
            store: Store::new(planted),
            providers: scenario.providers.iter().map(provider).collect(),
            buckets: vec![Bucket::default(); count],
            slots: (0..count).map(|_| Slots::default()).collect(),
            processes: vec![],
            runs: (0..scenario.runs.len()).map(run).collect(),
            waiters: vec![],
            watch: Watch::default(),
            chance: Chance::new(scenario.seed, "world"),
            calm: false,
            tickets: 0,
            planted,
            power_cuts: 0,
            wall: SignedDuration::ZERO,
        }
    }

    pub fn is_planted(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    /// The true time, by which providers go and things happen.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the clock of the machine shows, by which castline goes.
    pub fn shown(&self) -> Timestamp {
        self.now() + self.wall
    }

    fn play(&mut self) -> Holds {
        for number in 0..self.runs.len() {
            self.clock.after(self.scenario.runs[number].begins, Happening::Run(number));
        }
        for _ in 0..self.chance.below(4) {
            let when = self.chance.time(Duration::from_mins(2), Duration::from_hours(5));
            self.clock.after(when, Happening::Rule);
        }
        self.until_nothing_happens()?;
        self.become_calm();
        let wanted = (0..self.runs.len()).map(|run| undisturbed(self.scenario, run));
        let wanted: Vec<Final> = wanted.collect::<Result<_, _>>()?;
        for round in 0..ROUNDS {
            self.rule()?;
            for number in 0..self.runs.len() {
                // What goes on at a provider that cannot be told to stop needs its time.
                let wait = round * Duration::from_mins(20) + self.scenario.runs[number].begins;
                self.clock.after(wait, Happening::Run(number));
            }
            self.until_nothing_happens()?;
            self.watch.accounted(&self.store, &self.providers, self.now())?;
            self.ended_alike(&wanted)?;
            if self.is_settled(&wanted) {
                return Ok(());
            }
        }
        if self.is_overcharged() {
            return Ok(());
        }
        let all = self.runs.iter().zip(&wanted);
        let found = all.clone().find(|(run, wanted)| run.last().is_none_or(|last| !same(last, wanted)));
        let Some((run, wanted)) = found else { return Ok(()) };
        Err(Broken { invariant: Invariant::SameResult, why: difference(run.last(), wanted) })
    }

    fn is_settled(&self, wanted: &[Final]) -> bool {
        let same = |(run, wanted): (&RunState, &Final)| run.last().is_some_and(|last| same(last, wanted));
        self.runs.iter().zip(wanted).all(same)
    }

    /// Whenever a run's legs ended as they should, its outputs are those that they should be. Why
    /// something failed can be read, and there may have been another reason before.
    fn ended_alike(&self, wanted: &[Final]) -> Holds {
        let well = |end: &Final| end.statuses.values().all(|status| *status != LegStatus::Failed);
        for (run, wanted) in self.runs.iter().zip(wanted).filter(|(_, wanted)| well(wanted)) {
            let mut alike = run.ends.iter().filter(|end| end.statuses == wanted.statuses);
            let other = alike.find(|end| end.outputs != wanted.outputs);
            must(other.is_none(), Invariant::SameResult, || difference(other, wanted))?;
        }
        Ok(())
    }

    /// Castline creates nothing more on such an account, and that is right.
    fn is_overcharged(&self) -> bool {
        let held = |account| self.store.rows.held(account, self.shown());
        self.store.rows.limits.keys().any(|account| held(account).overcharge > MicroUsd::ZERO)
    }

    fn become_calm(&mut self) {
        self.calm = true;
        self.providers.iter_mut().for_each(Provider::calm_down);
        self.buckets.iter_mut().for_each(|bucket| *bucket = Bucket::default());
        self.note("calm", format_args!("from now on"));
    }

    pub fn note(&mut self, kind: &'static str, what: std::fmt::Arguments<'_>) {
        let now = self.clock.now();
        self.log.line(kind, now, what);
    }

    /// Until nothing is in flight and nothing will happen: then every run must be over.
    fn until_nothing_happens(&mut self) -> Holds {
        while self.step()? {}
        let open = self.processes.iter().find(|process| process.alive);
        must(open.is_none(), Invariant::Ends, || {
            let owner = open.map(|process| &process.owner);
            format!("nothing will happen any more, and {owner:?} has not ended")
        })
    }

    fn step(&mut self) -> Result<bool, Broken> {
        let Some(happening) = self.clock.next() else { return Ok(false) };
        must(self.log.count < MOST && self.clock.passed() < LONGEST, Invariant::Ends, || {
            format!("{} things happened in {:?}, and there is no end", self.log.count, self.clock.passed())
        })?;
        let Some(process) = process_of(&happening) else {
            self.happen(happening)?;
            return Ok(true);
        };
        if !self.processes[process].alive {
            return Ok(true);
        }
        if let Some(until) = self.processes[process].frozen {
            if until > self.now() {
                self.clock.at(until, happening);
                return Ok(true);
            }
            self.processes[process].frozen = None;
        }
        // Things go wrong before something is done, and after.
        let early = self.chance.happens(500);
        if early && self.disaster(process)? {
            return Ok(true);
        }
        if let Some(until) = self.processes[process].frozen {
            self.clock.at(until, happening);
            return Ok(true);
        }
        self.happen(happening)?;
        if !early && self.processes[process].alive {
            self.disaster(process)?;
        }
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Holds {
        match happening {
            Happening::Run(run) => {
                self.begin_run(run);
                Ok(())
            }
            Happening::Begin(process, forecast, missing) => self.begin(process, *forecast, missing),
            Happening::Judge(task, claim, ask) => self.judge(task, &claim, &ask),
            Happening::Told(task, ticket, told) => self.tell(task, ticket, told),
            Happening::Prepare(task, ticket) => {
                self.prepare(task, ticket);
                Ok(())
            }
            Happening::NotAnyMore(task, ticket) => self.not_any_more(task, ticket),
            Happening::Arrive(task, provider, call) => self.arrive(task, provider, call),
            Happening::Ended(task, finished) => self.ended(task, *finished),
            Happening::Flush(_) => {
                self.store.flush();
                Ok(())
            }
            Happening::Quit(process) => {
                self.store.settle();
                self.die(process, "quits");
                Ok(())
            }
            Happening::CancelDead(run) => self.cancel_dead(run),
            Happening::Rule => self.rule(),
        }
    }

    // Runs.

    fn begin_run(&mut self, number: usize) {
        if self.runs[number].process.is_some() {
            return;
        }
        let process = self.new_process(number);
        self.runs[number].process = Some(process);
        self.plan(process);
    }

    pub fn new_process(&mut self, run: usize) -> usize {
        let number = self.processes.len();
        let wanted = &self.scenario.runs[run];
        let owner = OwnerId::from(format!("{}/{number}", wanted.id).as_str());
        let id = RunId::from(wanted.id.as_str());
        let live = self.providers.iter().any(|provider| provider.terms().bills);
        let accounts = [Account::Run(id.clone()), Account::Day];
        let limits = match self.calm {
            true => [Some(NO_LIMIT), None],
            false => [Some(wanted.budget.unwrap_or(USUAL_BUDGET)), self.scenario.day],
        };
        if live {
            let both = accounts.iter().zip(limits);
            both.for_each(|(account, limit)| self.store.open_account(account, limit));
        }
        let accounts = if live { accounts.to_vec() } else { vec![] };
        let now = self.shown();
        self.store.take_lock(owner.clone());
        self.note("starts", format_args!("{owner}"));
        self.processes.push(Process::new(run, Claim::new(owner, id, accounts), now));
        number
    }

    /// One commit, looked at by the watch.
    pub fn commit(&mut self, key: &Key, claim: &Claim, ask: &Ask) -> Result<Verdict, Broken> {
        let (now, shown) = (self.now(), self.shown());
        let done = self.store.commit(key, claim, ask, shown);
        let words = answered(&done.verdict);
        self.log.count_kind(kind_of(ask));
        self.log.count_kind(words);
        let state = done.written.as_ref().map_or("unchanged", |entry| entry.state.word());
        let short = &key.0.hex()[..8];
        self.note("commit", format_args!("{} {short} {}: {words}, {state}", claim.owner, asked(ask)));
        self.watch.committed(&done, &self.store, &mut self.providers, [now, shown])?;
        if done.written.is_some() {
            self.wake();
        }
        Ok(done.verdict)
    }

    /// Tells those who wait for entries that are free now.
    pub fn wake(&mut self) {
        if self.is_planted(Bug::LostWakeUp) {
            return;
        }
        let (free, still): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiters).into_iter().partition(|(key, _, _)| self.store.is_free(key));
        self.waiters = still;
        for (_, task, ticket) in free {
            let wait = self.chance.time(Duration::from_millis(1), Duration::from_millis(250));
            self.clock.after(wait, Happening::Told(task, Some(ticket), Told::Changed));
        }
    }
}

/// The process that does it, where it dies with the process.
fn process_of(happening: &Happening) -> Option<usize> {
    match happening {
        Happening::Begin(process, ..) | Happening::Flush(process) | Happening::Quit(process) => {
            Some(*process)
        }
        Happening::Judge(task, ..)
        | Happening::Told(task, ..)
        | Happening::Prepare(task, _)
        | Happening::NotAnyMore(task, _)
        | Happening::Ended(task, _) => Some(task.process),
        Happening::Run(_) | Happening::Arrive(..) | Happening::CancelDead(_) | Happening::Rule => None,
    }
}

/// Each leg and each output that is not as it should be.
fn difference(last: Option<&Final>, wanted: &Final) -> String {
    let Some(last) = last else { return "it has no end".to_owned() };
    let status = |leg: &String| last.statuses.get(leg).copied();
    let legs = wanted.statuses.iter().filter(|(leg, wanted)| status(leg) != Some(**wanted));
    let legs = legs.map(|(leg, wanted)| format!("{leg} is {:?} instead of {wanted:?}", status(leg)));
    let output = |name: &String| last.outputs.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let outputs = wanted.outputs.iter().filter(|(name, wanted)| output(name) != Some(wanted));
    let outputs = outputs.map(|(name, _)| format!("output {name} is another"));
    let end = (last.status != wanted.status).then(|| format!("it is {:?}", last.status));
    end.into_iter().chain(legs).chain(outputs).collect::<Vec<_>>().join(", ")
}

fn same(one: &Final, other: &Final) -> bool {
    one == other
}
