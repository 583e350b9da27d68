//! Decides what a run does next.
//!
//! A [`Run`] is told what happened and answers what to do; carrying it out is the driver's
//! work, in `castline-runner`. Nothing here reads a clock, opens a file, draws a random
//! number or awaits: times, ids and outcomes all arrive inside an [`Input`]. How one
//! prediction is asked for is decided in [`crate::prediction`].
//!
//! Start reading at [`Run::handle`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use castline_spec::Diagnostic;
use castline_spec::schema::MediaKind;
use castline_spec::workflow::OnError;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::event::{Event, LegRef, RequestRecord, RunStatus, StepSummary, StopCause, Totals};
use crate::forecast::{Fate, Forecast};
use crate::legs::LegId;
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::plan::{Plan, Ready, Resolved, Skip};
use crate::price::{Estimate, images_asked};
use crate::request::{Failure, FailureKind, Key, Output, Request};
use crate::results::{LegResult, LegStatus, Results};
use crate::snapshot::PredictionId;
use crate::value::Value;

/// What the world tells a run.
#[derive(Debug, Clone)]
pub enum Input {
    /// Begin.
    Start,
    /// The provider gave a leg's prediction an id.
    Created(LegId, PredictionId, bool),
    /// A leg's prediction said how far it is.
    Progress(LegId, String, Option<f64>),
    /// A leg's prediction ended.
    Ended(LegId, Outcome),
    /// The user asked to stop: no new creates, what runs is awaited.
    Interrupt,
    /// Somebody canceled the run: no new creates, and what runs is stopped where it can be.
    Cancel,
    /// Another plan took the place of this one: no new creates, and nothing is written for the user
    /// any more. What the other one wants goes on; the rest is stopped where that saves something.
    Superseded {
        /// The keys that the other plan wants.
        wanted: Arc<BTreeSet<Key>>,
        /// When it was looked what it wants: of what was started since nobody knows.
        as_of: Timestamp,
    },
}

/// How a leg's prediction ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With an output.
    Succeeded {
        /// The output.
        output: Output,
        /// True when the ledger had it already.
        reused: bool,
        /// The prediction that made it.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
        /// Seconds of running, by the provider.
        predict_seconds: Option<f64>,
    },
    /// Without one.
    Failed {
        /// How: failed, canceled, expired, in doubt or refused.
        status: LegStatus,
        /// Why.
        failure: Failure,
        /// The prediction, when there was one.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
    },
}

/// What a run asks of its driver.
#[derive(Debug, Clone)]
pub enum Effect {
    /// See that this prediction is made, at most once: the procedure of one prediction.
    Ensure {
        /// For which leg.
        leg: LegId,
        /// What is sent.
        request: Arc<Request>,
    },
    /// Stop this leg's prediction: it is billed by time.
    Cancel(LegId),
    /// Stop this leg's prediction where its provider can, else let it go: nobody waits for it.
    Abandon(LegId),
    /// Write the files of a finished leg where the user wants them.
    Save(LegId),
    /// Write the outputs: everything that can be done is done.
    Finish,
}

/// What the driver does now: writes `events` to the journal, then carries out `effects`.
#[derive(Debug, Default)]
pub struct Decision {
    /// What happened.
    pub events: Vec<Event>,
    /// What to do.
    pub effects: Vec<Effect>,
}

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

    /// True when nothing more will happen.
    pub fn is_finished(&self) -> bool {
        self.finished
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

    /// Legs whose prediction is being made.
    fn in_the_air(&self) -> impl Iterator<Item = LegId> + '_ {
        (0..self.phases.len()).map(LegId).filter(|leg| matches!(self.phases[leg.0], Phase::Running(..)))
    }

    /// Predictions in flight that cost more the longer they run.
    fn billed_by_time(&self) -> impl Iterator<Item = LegId> + '_ {
        self.in_the_air().filter(|leg| {
            let Phase::Running(ready, ..) = &self.phases[leg.0] else { return false };
            let callee = &self.plan.graph.steps[self.plan.legs.step(*leg)].callee;
            let prices = self.plan.price_rules(callee, &ready.request.provider);
            prices.rules.iter().any(|rule| rule.per == "gpu-second")
        })
    }

    /// Predictions in flight that nobody wants any more, and that are worth no more when they end:
    /// those billed by time, and those that cost nothing. The others are paid for, and are kept.
    fn unwanted(&self, wanted: &BTreeSet<Key>, as_of: Timestamp) -> impl Iterator<Item = LegId> {
        let by_time: BTreeSet<LegId> = self.billed_by_time().collect();
        let unwanted = |leg: &LegId| match &self.phases[leg.0] {
            Phase::Running(ready, _, since) => {
                let is_wanted = wanted.contains(&ready.request.key) || *since > as_of;
                !is_wanted && (!ready.bills || by_time.contains(leg))
            }
            _ => false,
        };
        self.in_the_air().filter(unwanted).collect::<Vec<_>>().into_iter()
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

    /// Why a leg cannot run although everything it waits for has ended.
    fn blocked(&self, leg: LegId) -> Option<String> {
        self.plan.needs(leg).iter().find_map(|need| {
            match self.results.get(*need).expect("a leg opens after its needs").status {
                LegStatus::Succeeded | LegStatus::Skipped => None,
                _ if self.goes_on(leg, *need) => None,
                LegStatus::NotRun => Some(format!("`{}` was not run", self.plan.leg_name(*need))),
                _ => Some(format!("`{}` did not end well", self.plan.leg_name(*need))),
            }
        })
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

    fn ended(&mut self, leg: LegId, outcome: Outcome, now: Timestamp, decision: &mut Decision) {
        let Phase::Running(ready, attempt, _) = self.phases[leg.0].clone() else { return };
        let outcome = self.with_json(leg, &ready, outcome);
        if let Outcome::Failed { status: LegStatus::Failed | LegStatus::Expired, failure, cost, .. } =
            &outcome
            && self.tries_again(leg, failure, attempt)
        {
            self.totals.cost += cost.unwrap_or_default();
            let (failure, cost) = (failure.clone(), *cost);
            decision.events.push(Event::AttemptFailed { leg: self.leg_ref(leg), attempt, failure, cost });
            return self.begin(leg, ready, attempt + 1, now, decision);
        }
        if let Some(n) = self.in_flight.get_mut(&ready.request.provider) {
            *n -= 1;
        }
        let followers = self.followers.remove(&leg).unwrap_or_default();
        self.settle(leg, &ready, outcome.clone(), now, decision);
        for follower in followers {
            let Phase::Following(ready) = self.phases[follower.0].clone() else { continue };
            let shared = self.with_json(follower, &ready, shared(outcome.clone()));
            self.settle(follower, &ready, shared, now, decision);
        }
    }

    fn settle(
        &mut self,
        leg: LegId,
        ready: &Ready,
        outcome: Outcome,
        now: Timestamp,
        decision: &mut Decision,
    ) {
        match outcome {
            Outcome::Succeeded { output, reused: true, prediction, .. } => {
                self.reused(leg, ready, &output, prediction, decision);
            }
            Outcome::Succeeded { output, prediction, cost, predict_seconds, .. } => {
                self.count(cost, ready.estimate, ready.bills);
                decision.events.push(Event::LegSucceeded {
                    leg: self.leg_ref(leg),
                    output: output.raw.clone(),
                    prediction,
                    cost,
                    estimate: ready.estimate,
                    billed: ready.bills,
                    predict_seconds,
                });
                decision.events.extend(self.too_few(leg, ready, &output));
                self.done_well(leg, ready, &output, cost, Some(now), decision);
            }
            Outcome::Failed { status, failure, prediction, cost } => {
                self.totals.cost += cost.unwrap_or_default();
                // What was created and has no known price may have cost anything.
                let created = prediction.is_some() || status == LegStatus::InDoubt;
                self.totals.unpriced += usize::from(ready.bills && created && cost.is_none());
                self.failed(leg, status, failure, prediction, cost, decision);
            }
        }
    }

    /// A filter at the provider takes pictures away without a word.
    fn too_few(&self, leg: LegId, ready: &Ready, output: &Output) -> Option<Event> {
        let asked = images_asked(&ready.request.input).filter(|_| ready.request.output.many)?;
        let came = output.files(MediaKind::Image).len() as u64;
        (came < asked).then(|| {
            let name = self.plan.leg_name(leg);
            let message = format!(
                "`{name}` asked for {asked} images and got {came}: the provider may have filtered the others"
            );
            Event::Warned { message }
        })
    }

    fn count(&mut self, cost: Option<MicroUsd>, estimate: Option<Estimate>, bills: bool) {
        self.totals.cost += cost.unwrap_or_default();
        match (estimate, cost) {
            (Some(estimate), _) => self.totals.would_cost += estimate.max,
            (None, None) => self.totals.unpriced += 1,
            (None, Some(_)) if !bills => self.totals.unpriced += 1,
            (None, Some(_)) => {}
        }
    }

    fn reused(
        &mut self,
        leg: LegId,
        ready: &Ready,
        output: &Output,
        prediction: Option<PredictionId>,
        decision: &mut Decision,
    ) {
        self.totals.saved += ready.estimate.map(|e| e.max).unwrap_or_default();
        decision.events.push(Event::LegReused {
            leg: self.leg_ref(leg),
            request: Arc::new(RequestRecord::from(&*ready.request)),
            output: output.raw.clone(),
            prediction,
            estimate: ready.estimate,
        });
        self.done_well(leg, ready, output, Some(MicroUsd::ZERO), None, decision);
    }

    fn done_well(
        &mut self,
        leg: LegId,
        ready: &Ready,
        output: &Output,
        cost: Option<MicroUsd>,
        ended: Option<Timestamp>,
        decision: &mut Decision,
    ) {
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        let mut result = LegResult::succeeded(step, &ready.request.input, output)
            .expect("`with_json` or the forecast looked at the text before");
        result.cost = cost;
        result.ended = ended;
        if step.save.is_some() && !self.superseded {
            decision.effects.push(Effect::Save(leg));
        }
        self.done(leg, result, decision);
    }

    /// A call, or an output of one: nobody is told of it.
    fn done_at_once(&mut self, leg: LegId, result: LegResult, decision: &mut Decision) {
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        if step.save.is_some() && step.call().is_none() && !self.superseded {
            decision.effects.push(Effect::Save(leg));
        }
        self.done(leg, result, decision);
    }

    /// A text that does not match the step's `json` is a failure of the leg.
    fn with_json(&self, leg: LegId, ready: &Ready, outcome: Outcome) -> Outcome {
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        match &outcome {
            Outcome::Succeeded { output, prediction, cost, .. } => {
                match LegResult::succeeded(step, &ready.request.input, output) {
                    Ok(_) => outcome,
                    Err(failure) => Outcome::Failed {
                        status: LegStatus::Failed,
                        failure,
                        prediction: prediction.clone(),
                        cost: *cost,
                    },
                }
            }
            Outcome::Failed { .. } => outcome,
        }
    }

    fn tries_again(&self, leg: LegId, failure: &Failure, attempt: u32) -> bool {
        let retry = &self.plan.graph.steps[self.plan.legs.step(leg)].retry;
        let meant = match retry.on.is_empty() {
            true => failure.kind == FailureKind::Platform,
            false => retry.on.iter().any(|kind| kind.value == failure.kind),
        };
        meant && attempt <= retry.times && !self.stopping
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

    fn failed(
        &mut self,
        leg: LegId,
        status: LegStatus,
        failure: Failure,
        prediction: Option<PredictionId>,
        cost: Option<MicroUsd>,
        decision: &mut Decision,
    ) {
        let handled = self.is_handled(leg) && status != LegStatus::InDoubt && status != LegStatus::Refused;
        if !handled {
            let end = match status {
                LegStatus::InDoubt => RunStatus::InDoubt,
                LegStatus::Refused => RunStatus::Refused,
                _ => RunStatus::Failed,
            };
            self.worst = self.worst.into_iter().chain([end]).max_by_key(|s| s.exit_code());
        }
        decision.events.push(Event::LegFailed {
            leg: self.leg_ref(leg),
            status,
            failure: failure.clone(),
            prediction,
            cost,
            handled,
        });
        let mut result = LegResult::without_output(status, Some(failure));
        result.cost = cost;
        self.done(leg, result, decision);
        if !handled && self.options.fail_fast {
            self.stop_at_failure(decision);
        }
    }

    /// Nothing more is started. What runs is stopped or awaited as after Ctrl-C.
    fn stop_at_failure(&mut self, decision: &mut Decision) {
        if std::mem::replace(&mut self.stopping, true) || self.in_the_air().next().is_none() {
            return;
        }
        decision.events.push(Event::Stopping { why: StopCause::FailFast });
        decision.effects.extend(self.billed_by_time().map(Effect::Cancel));
    }

    /// True when the workflow says what to do when the leg fails.
    fn is_handled(&self, leg: LegId) -> bool {
        let number = self.plan.legs.step(leg);
        let step = &self.plan.graph.steps[number];
        step.on_error == OnError::Skip || step.forgiven || self.plan.graph.is_tested(number, |_| true)
    }

    /// True when a leg goes on without what it needs. What a workflow says of its own steps counts
    /// among them, whoever calls it; a caller decides about the call.
    fn goes_on(&self, leg: LegId, need: LegId) -> bool {
        let graph = &self.plan.graph;
        let (reader, number) = (&graph.steps[self.plan.legs.step(leg)], self.plan.legs.step(need));
        if let Some(call) = graph.call_seen_from(reader.frame, number) {
            // What it did not come to is part of how the call ended.
            return self.is_handled_here(call);
        }
        let ran = self.results.get(need).is_some_and(|result| result.status != LegStatus::NotRun);
        ran && self.is_handled_here(number)
    }

    /// True when the document of a step says what to do when it fails.
    fn is_handled_here(&self, number: usize) -> bool {
        let graph = &self.plan.graph;
        let step = &graph.steps[number];
        step.on_error == OnError::Skip || graph.is_tested(number, |by| by.frame == step.frame)
    }

    /// True for an output of a call that the caller goes on without.
    fn is_call_handled(&self, leg: LegId) -> bool {
        let graph = &self.plan.graph;
        let call = graph.frames[graph.steps[self.plan.legs.step(leg)].frame].call;
        call.is_some_and(|call| self.is_handled_here(call))
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

/// How events tell of a plan's steps.
pub fn summaries(plan: &Plan) -> Vec<StepSummary> {
    let graph = &plan.graph;
    let name = |step: usize| graph.steps[step].name.clone();
    let summary = |(i, step): (usize, &crate::graph::Step)| StepSummary {
        name: step.name.clone(),
        uses: step.callee.uses.clone(),
        model: step.callee.model.reference.to_string(),
        axes: step.axes.keys().cloned().collect(),
        legs: plan.legs.count(i),
        reads: graph.sources(i).into_iter().map(name).collect(),
    };
    graph.predicting().map(summary).collect()
}

/// How events name a leg.
pub fn leg_ref(plan: &Plan, leg: LegId) -> LegRef {
    LegRef {
        step: plan.graph.steps[plan.legs.step(leg)].name.clone(),
        leg: plan
            .legs
            .values(leg)
            .into_iter()
            .map(|(axis, value)| (axis, value.to_json(&mut |a| a.digest.to_string().into())))
            .collect(),
        name: plan.leg_name(leg),
    }
}

/// What a leg that followed another one's prediction got: the same, for nothing.
fn shared(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Succeeded { output, prediction, predict_seconds, .. } => Outcome::Succeeded {
            output,
            reused: true,
            prediction,
            cost: Some(MicroUsd::ZERO),
            predict_seconds,
        },
        Outcome::Failed { status, failure, prediction, .. } => {
            Outcome::Failed { status, failure, prediction, cost: Some(MicroUsd::ZERO) }
        }
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

impl RunStatus {
    /// The exit code of a run that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Refused => 3,
            Self::InDoubt => 4,
            Self::Interrupted => 130,
        }
    }
}
