//! Decides what a run does next.
//!
//! A [`Run`] is told what happened and answers what to do; carrying it out is the driver's
//! work, in `castline-runner`. Nothing here reads a clock, opens a file, draws a random
//! number or awaits: times, ids and outcomes all arrive inside an [`Input`]. How one
//! prediction is asked for is decided in [`crate::prediction`].
//!
//! Start reading at [`Run::handle`]; what the end of a prediction leads to is in `ended`, what a failure leaves
//! of those that waited in `handled`, and what a run does not wait for in `stop`.

mod ended;
mod handled;
mod message;
mod names;
mod stop;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use castline_spec::Diagnostic;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::event::{Event, LegRef, RequestRecord, RunStatus, StopCause, Totals};
use crate::forecast::{Fate, Forecast};
use crate::legs::LegId;
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::plan::{Plan, Ready, Resolved, Skip};
use crate::request::{Failure, FailureKind, Key};
use crate::results::{LegResult, LegStatus, Results};
use crate::value::Value;

pub use message::{Decision, Effect, Input, Outcome};
pub use names::{leg_ref, summaries};

/// How a run goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run's id.
    pub run: String,
    /// castline's version.
    pub castline_version: String,
    /// Most predictions in flight.
    pub parallel: usize,
    /// Start nothing more after the first failure.
    pub fail_fast: bool,
    /// Start only what costs nothing, and these keys, which are paid for already.
    pub free_but_for: Option<BTreeSet<Key>>,
}

/// Where a leg is.
#[derive(Debug, Clone)]
enum Phase {
    /// Waits for so many legs.
    Waiting(usize),
    /// Could start.
    Ready(Box<Ready>),
    /// Its prediction is being made, for the so-manieth time, since then.
    Running(Box<Ready>, u32, Timestamp),
    /// The same request is being made for another leg.
    Following(Box<Ready>),
    /// Ended, its result is set.
    Done,
}

/// A run under way.
#[derive(Debug)]
pub struct Run {
    plan: Arc<Plan>,
    results: Arc<Results>,
    options: Options,
    phases: Vec<Phase>,
    /// What the forecast found, until the leg opens.
    known: Vec<Option<Fate>>,
    /// How events name legs, for those that were named.
    refs: Vec<OnceLock<Arc<LegRef>>>,
    /// Legs that could start, the longest remaining path first.
    queues: BTreeMap<ProviderName, BTreeSet<(Reverse<u64>, LegId)>>,
    priorities: Vec<u64>,
    keys: BTreeMap<Key, LegId>,
    followers: BTreeMap<LegId, Vec<LegId>>,
    in_flight: BTreeMap<ProviderName, usize>,
    stopping: bool,
    interrupted: bool,
    /// Another plan took its place.
    superseded: bool,
    finished: bool,
    totals: Totals,
    worst: Option<RunStatus>,
}

impl Run {
    /// A run that begins where a forecast ended.
    pub fn new(forecast: Forecast, options: Options) -> Self {
        let (plan, fates) = forecast.into_fates();
        let legs = plan.legs.len();
        let known = fates.into_iter().map(Some).collect();
        let waits = |leg| plan.needs(leg).len() + plan.waits_for_steps(leg);
        Self {
            results: Arc::new(Results::new(legs)),
            phases: (0..legs).map(|leg| Phase::Waiting(waits(LegId(leg)))).collect(),
            known,
            refs: vec![OnceLock::new(); legs],
            queues: BTreeMap::new(),
            priorities: priorities(&plan),
            keys: BTreeMap::new(),
            followers: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            stopping: false,
            interrupted: false,
            superseded: false,
            finished: false,
            totals: Totals::default(),
            worst: None,
            plan,
            options,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The results so far.
    pub fn results(&self) -> &Arc<Results> {
        &self.results
    }

    /// How the run stands; after the end, how it ended.
    pub fn status(&self) -> RunStatus {
        match self.worst {
            _ if self.superseded => RunStatus::Interrupted,
            _ if self.interrupted && !self.all_done_well() => RunStatus::Interrupted,
            Some(status) => status,
            None => RunStatus::Succeeded,
        }
    }

    fn all_done_well(&self) -> bool {
        self.worst.is_none()
            && (0..self.phases.len())
                .all(|i| self.results.get(LegId(i)).is_some_and(|r| r.status != LegStatus::NotRun))
    }

    /// Money so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Takes one input and decides. Every change of a run starts here.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Decision {
        let mut decision = Decision::default();
        let ends = matches!(input, Input::Start | Input::Ended(..));
        match input {
            Input::Start => self.start(&mut decision),
            Input::Created(leg, prediction, adopted) => {
                let leg = self.leg_ref(leg);
                decision.events.push(Event::LegCreated { leg, prediction, adopted });
            }
            Input::Progress(leg, status, fraction) => {
                let leg = self.leg_ref(leg);
                decision.events.push(Event::LegProgress { leg, status, fraction });
            }
            Input::Ended(leg, outcome) => self.ended(leg, outcome, now, &mut decision),
            Input::Interrupt => {
                self.stopping = true;
                self.interrupted = true;
                decision.events.push(Event::Interrupted);
                decision.effects.extend(self.billed_by_time().map(Effect::Cancel));
            }
            Input::Cancel => {
                self.stopping = true;
                self.interrupted = true;
                decision.events.push(Event::Stopping { why: StopCause::Canceled });
                decision.effects.extend(self.in_the_air().map(Effect::Abandon));
            }
            Input::Superseded { wanted, as_of } => {
                self.stopping = true;
                self.interrupted = true;
                if !std::mem::replace(&mut self.superseded, true) {
                    decision.events.push(Event::Stopping { why: StopCause::Superseded });
                }
                decision.effects.extend(self.unwanted(&wanted, as_of).map(Effect::Cancel));
            }
        }
        // Nothing but the end of a leg makes a list known.
        if ends {
            self.extend(&mut decision);
        }
        self.launch(now, &mut decision);
        self.finish_if_done(&mut decision);
        decision
    }

    /// Opens the legs of steps whose lists have come out of others by now.
    fn extend(&mut self, decision: &mut Decision) {
        while let Some(plan) = self.plan.extended(&self.results) {
            let before = std::mem::replace(&mut self.plan, Arc::new(plan));
            self.results = Arc::new(self.results.with_room(self.plan.legs.len()));
            self.priorities = priorities(&self.plan);
            self.refs.resize(self.plan.legs.len(), OnceLock::new());
            for step in before.legs.deferred() {
                let predicts = self.plan.graph.steps[step].predicts();
                let Some(legs) = self.plan.legs.known(step).filter(|_| predicts) else { continue };
                let step = self.plan.graph.steps[step].name.clone();
                decision.events.push(Event::LegsOpened { step, legs: legs.count });
            }
            for leg in (0..self.plan.legs.len()).map(LegId) {
                let left = self.plan.needs(leg).iter().filter(|need| self.results.get(**need).is_none());
                let left = left.count() + self.plan.waits_for_steps(leg);
                match self.phases.get_mut(leg.0) {
                    Some(Phase::Waiting(waits)) => *waits = left,
                    Some(_) => {}
                    None => self.phases.push(Phase::Waiting(left)),
                }
            }
            for leg in (0..self.phases.len()).map(LegId) {
                if matches!(self.phases[leg.0], Phase::Waiting(0)) {
                    self.open(leg, decision);
                }
            }
        }
    }

    fn start(&mut self, decision: &mut Decision) {
        decision.events.push(self.started());
        let waits = |leg: &LegId| matches!(self.phases[leg.0], Phase::Waiting(0));
        let open: Vec<_> = self.plan.order_of_all().into_iter().filter(waits).collect();
        for leg in open {
            self.open(leg, decision);
        }
    }

    fn started(&self) -> Event {
        let graph = &self.plan.graph;
        Event::RunStarted {
            run: self.options.run.clone(),
            workflow: graph.name.clone(),
            file: graph.source.name.to_string(),
            provider: self.plan.routing.chosen.name.clone(),
            live: self.plan.routing.all().any(|route| route.bills),
            castline_version: self.options.castline_version.clone(),
            steps: summaries(&self.plan),
            legs: self.plan.count(),
        }
    }

    /// Everything that a leg waits for has ended: what becomes of it?
    fn open(&mut self, leg: LegId, decision: &mut Decision) {
        if let Some(reason) = self.blocked(leg) {
            // Nobody goes on with what a call gives in part, but it can be looked at.
            if !self.plan.predicts(leg)
                && !self.is_call_handled(leg)
                && let Resolved::Done(mut given) = self.plan.resolve(leg, &self.results)
                && given.output.is_some()
            {
                given.status = LegStatus::NotRun;
                return self.done_at_once(leg, *given, decision);
            }
            if self.is_left_out(leg) {
                self.worst = self.worst.or(Some(RunStatus::Failed));
            }
            return self.not_run(leg, reason, decision);
        }
        match self.known.get_mut(leg.0).and_then(Option::take) {
            Some(Fate::Hit(ready, known)) => {
                self.reused(leg, &ready, &known.output, known.prediction, decision);
            }
            Some(Fate::Done(result)) => self.done_at_once(leg, *result, decision),
            Some(Fate::Skip(reason)) => self.skip(leg, reason, decision),
            Some(Fate::Out) => self.not_run(leg, "it takes no part in this run".to_owned(), decision),
            Some(Fate::Run(ready, _) | Fate::Same(ready, _)) => self.ready(leg, ready, decision),
            Some(Fate::Upstream | Fate::Broken) | None => self.resolve(leg, decision),
        }
    }

    fn resolve(&mut self, leg: LegId, decision: &mut Decision) {
        match self.plan.resolve(leg, &self.results) {
            Resolved::Ready(ready) => self.ready(leg, ready, decision),
            Resolved::Done(result) => self.done_at_once(leg, *result, decision),
            Resolved::Skip(reason) => self.skip(leg, reason, decision),
            Resolved::Broken(findings) => {
                let failure = Failure::new(FailureKind::Input, words(&findings));
                self.failed(leg, LegStatus::Failed, failure, None, Some(MicroUsd::ZERO), decision);
            }
            Resolved::Pending(findings) => {
                let why = match findings.is_empty() {
                    true => "it names a file that the workflow did not name before the run".to_owned(),
                    false => words(&findings),
                };
                let failure = Failure::new(FailureKind::Input, why);
                self.failed(leg, LegStatus::Failed, failure, None, Some(MicroUsd::ZERO), decision);
            }
        }
    }

    fn ready(&mut self, leg: LegId, ready: Box<Ready>, decision: &mut Decision) {
        let key = ready.request.key;
        if self.is_held(&ready) {
            return self.not_run(leg, "it costs, and nobody has said yes to that yet".to_owned(), decision);
        }
        match self.keys.get(&key) {
            // A finished twin is found in the ledger like any other.
            Some(first) if !matches!(self.phases[first.0], Phase::Done) => {
                self.followers.entry(*first).or_default().push(leg);
                self.phases[leg.0] = Phase::Following(ready);
            }
            _ => {
                self.keys.insert(key, leg);
                let queue = self.queues.entry(ready.request.provider.clone()).or_default();
                queue.insert((Reverse(self.priorities[leg.0]), leg));
                self.phases[leg.0] = Phase::Ready(ready);
            }
        }
    }

    /// True for what costs, in a run that is to cost nothing.
    fn is_held(&self, ready: &Ready) -> bool {
        let costs = ready.bills && ready.estimate.is_none_or(|estimate| estimate.max > MicroUsd::ZERO);
        self.options.free_but_for.as_ref().is_some_and(|paid| costs && !paid.contains(&ready.request.key))
    }

    /// Predictions in flight.
    fn running(&self) -> usize {
        self.in_flight.values().sum()
    }

    /// Starts what may start: longest remaining path first, within everybody's limits.
    fn launch(&mut self, now: Timestamp, decision: &mut Decision) {
        if self.stopping {
            return;
        }
        while self.running() < self.options.parallel {
            let best = self.queues.iter().filter(|(provider, _)| self.has_room(provider));
            let Some(place) = best.filter_map(|(_, queue)| queue.first().copied()).min() else { return };
            let leg = place.1;
            let Phase::Ready(ready) = &self.phases[leg.0] else { unreachable!("queued legs are ready") };
            let ready = ready.clone();
            let provider = &ready.request.provider;
            self.queues.get_mut(provider).expect("it was the best").remove(&place);
            *self.in_flight.entry(provider.clone()).or_default() += 1;
            self.begin(leg, ready, 1, now, decision);
        }
    }

    /// True when a provider takes another prediction.
    fn has_room(&self, provider: &ProviderName) -> bool {
        let most = self.plan.routing.all().find(|r| r.name == *provider).map_or(usize::MAX, |r| r.parallel);
        self.in_flight.get(provider).copied().unwrap_or(0) < most
    }

    fn begin(
        &mut self,
        leg: LegId,
        ready: Box<Ready>,
        attempt: u32,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        decision.events.push(Event::LegStarted {
            leg: self.leg_ref(leg),
            request: Arc::new(RequestRecord::from(&*ready.request)),
            attempt,
            estimate: ready.estimate,
        });
        decision.effects.push(Effect::Ensure { leg, request: ready.request.clone() });
        self.phases[leg.0] = Phase::Running(ready, attempt, now);
    }

    /// A call, or an output of one: nobody is told of it.
    fn done_at_once(&mut self, leg: LegId, result: LegResult, decision: &mut Decision) {
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        if step.save.is_some() && step.call().is_none() && !self.superseded {
            decision.effects.push(Effect::Save(leg));
        }
        self.done(leg, result, decision);
    }

    fn skip(&mut self, leg: LegId, reason: Skip, decision: &mut Decision) {
        if self.plan.predicts(leg) {
            decision.events.push(Event::LegSkipped { leg: self.leg_ref(leg), reason });
        }
        self.done(leg, LegResult::without_output(LegStatus::Skipped, None), decision);
    }

    fn not_run(&mut self, leg: LegId, reason: String, decision: &mut Decision) {
        if self.plan.predicts(leg) {
            decision.events.push(Event::LegNotRun { leg: self.leg_ref(leg), reason });
        }
        self.done(leg, LegResult::without_output(LegStatus::NotRun, None), decision);
    }

    fn done(&mut self, leg: LegId, result: LegResult, decision: &mut Decision) {
        self.results.set(leg, result);
        self.phases[leg.0] = Phase::Done;
        let readers = self.plan.readers(leg).to_vec();
        for reader in readers {
            let Phase::Waiting(left) = &mut self.phases[reader.0] else {
                unreachable!("a reader waits until its last need is done")
            };
            *left -= 1;
            if *left == 0 {
                self.open(reader, decision);
            }
        }
    }

    /// When nothing runs and nothing can start, the rest is not run and the run is over.
    fn finish_if_done(&mut self, decision: &mut Decision) {
        let running = self.running();
        if running > 0 || self.finished || (self.queues.values().any(|q| !q.is_empty()) && !self.stopping) {
            return;
        }
        // What is not run opens the legs that waited for it, until there are no more.
        let why = match self.superseded {
            true => "a newer plan took the place of this one",
            false => "the run was stopped first",
        };
        let mut legs = usize::MAX;
        while legs != self.phases.len() {
            legs = self.phases.len();
            self.queues.clear();
            for leg in (0..legs).map(LegId) {
                if matches!(self.phases[leg.0], Phase::Ready(_) | Phase::Following(_)) {
                    self.not_run(leg, why.to_owned(), decision);
                }
            }
            self.extend(decision);
        }
        // A list that nobody will ever know: nothing that waits for it counts as done.
        for leg in self.plan.order_of_all() {
            if matches!(self.phases[leg.0], Phase::Waiting(_)) {
                self.worst = self.worst.or(Some(RunStatus::Failed).filter(|_| !self.interrupted));
                self.not_run(leg, "what it waits for was never known".to_owned(), decision);
            }
        }
        self.finished = true;
        decision.effects.push(Effect::Finish);
    }

    /// How events name a leg.
    pub fn leg_ref(&self, leg: LegId) -> Arc<LegRef> {
        self.refs[leg.0].get_or_init(|| Arc::new(leg_ref(&self.plan, leg))).clone()
    }

    /// The workflow's outputs, once the run is over: an absent value is none, and an output
    /// whose expression fails is a message. None are of a run whose place another plan took.
    pub fn outputs(&self) -> IndexMap<castline_spec::Name, Result<Value, String>> {
        let render = |output: &crate::graph::Output| {
            use crate::templates::Stop;
            let scope = self.plan.scope_of_output(output, &self.results);
            match self.plan.graph.templates.render(&output.value, &scope) {
                Ok(value) => Ok(value),
                Err(Stop::Absent(_) | Stop::Pending) => Ok(Value::Null),
                Err(Stop::Failed { message, .. }) => Err(message),
            }
        };
        let outputs = self.plan.graph.outputs.iter().filter(|_| !self.superseded);
        outputs.map(|(name, output)| (name.clone(), render(output))).collect()
    }
}

/// The longest path, in milliseconds, from each leg to the end.
fn priorities(plan: &Plan) -> Vec<u64> {
    let mut longest = vec![0; plan.legs.len()];
    for leg in plan.order_of_all().into_iter().rev() {
        let after = plan.readers(leg).iter().map(|r| longest[r.0]).max().unwrap_or(0);
        let step = &plan.graph.steps[plan.legs.step(leg)];
        let own = if step.predicts() { step.callee.model.typical_seconds.unwrap_or(5.0) } else { 0.0 };
        longest[leg.0] = after + (own * 1000.0) as u64;
    }
    longest
}

/// The first finding with its place, and how many more.
fn words(findings: &[Diagnostic]) -> String {
    let Some(first) = findings.first() else { return "its values do not fit".to_owned() };
    let place = first
        .span
        .map(|s| format!(" ({}:{}:{})", first.source.name, s.start.line, s.start.column))
        .unwrap_or_default();
    let more = match findings.len() - 1 {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    format!("{}{place}{more}", first.message)
}
