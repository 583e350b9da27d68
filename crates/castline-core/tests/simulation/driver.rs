//! What a process does: plans, carries out what its run and its predictions ask for, and tells
//! them what comes back. It mirrors the local driver of `castline-runner`, without a thread.
//!
//! Start reading at [`World::plan`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use castline_core::event::Event;
use castline_core::forecast::{Answer, Forecast, Known};
use castline_core::ledger::{Ask, Claim, State, Verdict};
use castline_core::legs::LegId;
use castline_core::prediction::{Do, Facts, Finished, Order, Outcome as End, Prediction, Progress, Told};
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use castline_core::run::{Effect, Input, Options, Outcome, Run};
use castline_core::{Failure, Key, Request};
use jiff::SignedDuration;

use crate::common::{forecast, outputs, statuses};
use crate::invariants::{Holds, Invariant, must};
use crate::planted::Bug;
use crate::process::{Task, TaskId, outcome, told, word};
use crate::world::{Call, Final, Happening, World};

/// How long a commit waits in line at most, usually.
const COMMIT: Duration = Duration::from_millis(8);

impl World<'_> {
    // A run from its plan to its end.

    /// Asks the ledger what each leg would do. Others go on until the run begins.
    pub fn plan(&mut self, process: usize) {
        let (forecast, missing) = self.forecast(self.processes[process].wanted);
        let takes = self.chance.time(Duration::from_millis(5), Duration::from_secs(2));
        self.clock.after(takes, Happening::Begin(process, Box::new(forecast), missing));
    }

    /// What the ledger says of a run's legs, and which outputs have lost their files.
    pub fn forecast(&self, run: usize) -> (Forecast, Vec<(Key, u64)>) {
        let mut missing = vec![];
        let store = &self.store;
        let forecast = forecast(self.scenario.plans[run].clone(), |key| {
            let Some(entry) = store.rows.entries.get(&key) else { return Answer::Unknown(None) };
            match &entry.output {
                Some(output) if entry.state == State::Succeeded && store.has_files(output) => {
                    Answer::Known(Known { output: output.clone(), prediction: entry.prediction.clone() })
                }
                Some(_) if entry.state == State::Succeeded => {
                    missing.push((key, entry.claim.number));
                    Answer::Unknown(Some("its files are gone".to_owned()))
                }
                _ => Answer::Unknown(Some(format!("it is {}", entry.state))),
            }
        });
        (forecast, missing)
    }

    pub fn begin(&mut self, process: usize, forecast: Forecast, missing: Vec<(Key, u64)>) -> Holds {
        for (key, number) in missing {
            let claim = Claim { number, ..self.processes[process].claim.clone() };
            self.commit(&key, &claim, &Ask::Missing)?;
        }
        let wanted = &self.scenario.runs[self.processes[process].wanted];
        let options = Options {
            run: wanted.id.clone(),
            castline_version: "0".to_owned(),
            parallel: wanted.parallel,
            fail_fast: wanted.fail_fast && !self.calm,
            free_but_for: None,
        };
        self.processes[process].since = self.shown();
        self.processes[process].run = Some(Run::new(forecast, options));
        self.take(process, Input::Start)
    }

    /// Hands an input to the run and carries out what it decides.
    pub fn take(&mut self, process: usize, input: Input) -> Holds {
        let now = self.shown();
        let Some(run) = self.processes[process].run.as_mut() else { return Ok(()) };
        let takes_place = matches!(input, Input::Superseded { .. });
        let decision = run.handle(input, now);
        for event in decision.events {
            let text = serde_json::to_string(&event).expect("events are JSON");
            let owner = self.processes[process].owner.clone();
            self.note("event", format_args!("{owner} {text}"));
            if matches!(event, Event::Stopping { .. }) {
                self.stop_unsent(process);
            }
        }
        let mut effects = decision.effects;
        if self.is_planted(Bug::OrderOfAHashMap) {
            effects = effects.into_iter().enumerate().collect::<HashMap<_, _>>().into_values().collect();
        }
        let mut finished = false;
        for effect in effects {
            self.makes_way(process, &effect, takes_place)?;
            match effect {
                Effect::Ensure { leg, request } => self.ensure(process, leg, request)?,
                Effect::Cancel(leg) => self.tell_leg(process, leg, &Told::Stop),
                Effect::Abandon(leg) => self.tell_leg(process, leg, &Told::Leave),
                Effect::Save(_) => {}
                Effect::Finish => finished = true,
            }
        }
        if finished { self.finish(process) } else { Ok(()) }
    }

    /// What a run may do whose place another has taken.
    fn makes_way(&self, process: usize, effect: &Effect, takes_place: bool) -> Holds {
        let process = &self.processes[process];
        let Some(wanted) = &process.makes_way else { return Ok(()) };
        let writes = matches!(effect, Effect::Save(_) | Effect::Ensure { .. });
        let stopped = match effect {
            Effect::Cancel(leg) if takes_place => {
                let mut tasks = process.tasks.values().filter(|task| task.leg == Some(*leg));
                tasks.find(|task| wanted.contains(&task.request.key))
            }
            _ => None,
        };
        must(!writes && stopped.is_none(), Invariant::MakesWay, || {
            format!("{} makes way, and after that {effect:?}", process.owner)
        })
    }

    fn finish(&mut self, process: usize) -> Holds {
        let ended = &self.processes[process];
        let left = ended.tasks.len();
        must(left == 0, Invariant::Ends, || {
            format!("{} ends with {left} predictions on the way", ended.owner)
        })?;
        let run = ended.run.as_ref().expect("it has ended");
        let (status, statuses) = (run.status(), statuses(run));
        let outputs = outputs(run).into_iter().collect();
        let number = ended.wanted;
        let well = status.exit_code() == 0;
        self.store.settle();
        // What gives way gives nothing.
        if self.processes[process].makes_way.is_none() {
            self.runs[number].ends.push(Final { status, statuses, outputs });
        }
        self.die(process, &format!("ends: {status:?}"));
        if well {
            self.runs[number].left = self.runs[number].left.min(1);
        }
        Ok(())
    }

    fn ensure(&mut self, process: usize, leg: LegId, request: Arc<Request>) -> Holds {
        let owner = self.processes[process].owner.clone();
        let believes = self.is_planted(Bug::JournalDecides) && self.failed_before(process, leg);
        self.watch.asked(&request);
        let state = &mut self.processes[process];
        let run = state.run.as_ref().expect("it asked for this");
        let step = &run.plan().graph.steps[run.plan().legs.step(leg)];
        let tries = state.tries.entry(leg).or_default();
        *tries += 1;
        must(*tries <= 1 + step.retry.times, Invariant::Limits, || {
            format!("{owner} tries `{}` {tries} times", run.plan().leg_name(leg))
        })?;
        let beyond = state.beyond.get(&leg).copied().unwrap_or_default();
        let parallel = self.scenario.runs[state.wanted].parallel;
        must(state.tasks.len() < parallel, Invariant::Limits, || {
            format!("{owner} has {} predictions in flight, and {parallel} are allowed", state.tasks.len() + 1)
        })?;
        let (prediction, dos) = Prediction::start(self.order(process, request.clone(), beyond));
        let task = self.new_task(process, Some(leg), prediction, request);
        if believes {
            self.processes[process].tasks.remove(&task.number);
            return self.fail_as_before(process, leg);
        }
        self.carry_out(task, dos)
    }

    fn failed_before(&self, process: usize, leg: LegId) -> bool {
        let state = &self.processes[process];
        let Some(last) = self.runs[state.wanted].last() else { return false };
        let name = state.run.as_ref().map(|run| run.plan().leg_name(leg)).unwrap_or_default();
        last.statuses.get(&name) == Some(&LegStatus::Failed)
    }

    fn fail_as_before(&mut self, process: usize, leg: LegId) -> Holds {
        let failure = Failure::new(FailureKind::Other, "as before");
        let outcome = Outcome::Failed { status: LegStatus::Failed, failure, prediction: None, cost: None };
        self.take(process, Input::Ended(leg, outcome))
    }

    fn order(&self, process: usize, request: Arc<Request>, beyond: u64) -> Order {
        let terms = self.providers[self.provider(&request)].terms();
        let process = &self.processes[process];
        let only_priced = self.scenario.only_priced && !self.calm;
        Order {
            request,
            claim: Claim { only_priced, ..process.claim.clone() },
            facts: Facts { terms, p25: self.scenario.learned },
            since: process.since,
            beyond,
            account: Some(self.scenario.runs[process.wanted].token.to_owned()),
            retry_lost: self.scenario.retry_lost,
        }
    }

    fn new_task(
        &mut self,
        process: usize,
        leg: Option<LegId>,
        prediction: Prediction,
        request: Arc<Request>,
    ) -> TaskId {
        let wall = self.wall;
        let process_state = &mut self.processes[process];
        let number = process_state.next_task;
        process_state.next_task += 1;
        let task = Task {
            leg,
            prediction,
            request,
            claim: process_state.claim.clone(),
            wall,
            wait: None,
            unsent: false,
            under_way: 0,
            sending: false,
            again: false,
            over: false,
        };
        process_state.tasks.insert(number, task);
        TaskId { process, number }
    }

    /// What a dead run has left is stopped where that can be. Nothing is created.
    pub fn cancel_dead(&mut self, run: usize) -> Holds {
        if self.runs[run].process.is_some() {
            return Ok(());
        }
        let id = &self.scenario.runs[run].id;
        let of_run = |claim: &Claim| *claim.run.0 == **id;
        let open = self.store.rows.entries.values().filter(|entry| {
            let stoppable = match entry.state {
                State::Created => entry.terms.cancel && entry.terms.get,
                State::Intended => entry.unsent,
                _ => false,
            };
            stoppable && of_run(&entry.claim) && !self.store.is_alive(&entry.claim.owner)
        });
        let open: Vec<_> = open.map(|entry| entry.request.clone()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let process = self.new_process(run);
        self.processes[process].stopping = true;
        for request in open {
            let order = Order { retry_lost: false, ..self.order(process, request.clone(), 0) };
            let (prediction, dos) = Prediction::stop_orphan(order);
            let task = self.new_task(process, None, prediction, request);
            self.carry_out(task, dos)?;
        }
        Ok(())
    }

    // Predictions.

    pub fn task(&mut self, id: TaskId) -> Option<&mut Task> {
        self.processes[id.process].tasks.get_mut(&id.number)
    }

    fn name(&self, id: TaskId) -> String {
        format!("{} #{}", self.processes[id.process].owner, id.number)
    }

    /// Something that was waited for, or asked for, has an answer.
    pub fn tell(&mut self, id: TaskId, ticket: Option<u64>, answer: Told) -> Holds {
        let now = self.now();
        let Some(task) = self.task(id).filter(|task| !task.over) else { return Ok(()) };
        match ticket {
            Some(ticket) if task.wait != Some(ticket) => return Ok(()),
            Some(_) => (task.wait, task.unsent) = (None, false),
            None => task.under_way -= 1,
        }
        let words = told(&answer);
        let dos = task.prediction.handle(answer, now + task.wall);
        let name = self.name(id);
        self.note("told", format_args!("{name} {words}"));
        self.carry_out(id, dos)
    }

    /// Tells a task to stop, whatever it is at.
    fn tell_leg(&mut self, process: usize, leg: LegId, how: &Told) {
        let tasks = &self.processes[process].tasks;
        let Some((number, _)) = tasks.iter().find(|(_, task)| task.leg == Some(leg)) else { return };
        let id = TaskId { process, number: *number };
        self.task(id).expect("it was found").under_way += 1;
        self.clock.after(Duration::from_micros(100), Happening::Told(id, None, how.clone()));
    }

    /// From now on nothing is sent that was not sent yet.
    pub fn stop_unsent(&mut self, process: usize) {
        self.processes[process].stopping = true;
        let tasks = self.processes[process].tasks.iter();
        let unsent: Vec<_> =
            tasks.filter(|(_, task)| task.unsent).filter_map(|(n, task)| Some((*n, task.wait?))).collect();
        for (number, ticket) in unsent {
            let task = TaskId { process, number };
            self.clock.after(Duration::ZERO, Happening::NotAnyMore(task, ticket));
        }
    }

    pub fn not_any_more(&mut self, id: TaskId, ticket: u64) -> Holds {
        let now = self.now();
        let Some(task) = self.task(id).filter(|task| task.wait == Some(ticket)) else { return Ok(()) };
        (task.wait, task.unsent) = (None, false);
        let dos = task.prediction.handle(Told::Stop, now + task.wall);
        let name = self.name(id);
        self.note("told", format_args!("{name} stop"));
        self.carry_out(id, dos)
    }

    fn carry_out(&mut self, id: TaskId, dos: Vec<Do>) -> Holds {
        for act in dos {
            let (name, words) = (self.name(id), word(&act));
            self.note("do", format_args!("{name} {words}"));
            match act {
                Do::Report(progress) => self.report(id, progress)?,
                Do::Finish(finished) => return self.close(id, finished),
                Do::Commit { claim, ask } => self.send_commit(id, claim, ask)?,
                Do::Create => self.send_create(id, None)?,
                Do::Fetch { provider, snapshot, after } => {
                    self.task(id).expect("it is there").under_way += 1;
                    let provider = self.named(&provider);
                    let way = after + self.way();
                    self.clock.after(way, Happening::Arrive(id, provider, Call::Fetch(snapshot)));
                }
                Do::Cancel { provider, prediction } => {
                    let (provider, way) = (self.named(&provider), self.way());
                    self.clock.after(way, Happening::Arrive(id, provider, Call::Cancel(prediction)));
                }
                wait => self.wait(id, wait),
            }
        }
        let task = self.task(id);
        let waits = task.is_none_or(|task| task.wait.is_some() || task.under_way > 0);
        must(waits, Invariant::Ends, || "a prediction waits for nothing and has not ended".to_owned())
    }

    fn report(&mut self, id: TaskId, progress: Progress) -> Holds {
        let Some(leg) = self.task(id).and_then(|task| task.leg) else { return Ok(()) };
        let input = match progress {
            Progress::Created { prediction, adopted, .. } => Input::Created(leg, prediction, adopted),
            other => Input::Progress(leg, format!("{other:?}"), None),
        };
        self.take(id.process, input)
    }

    /// Begins to wait for one thing; what was waited for before is forgotten.
    fn wait(&mut self, id: TaskId, act: Do) {
        self.tickets += 1;
        let ticket = self.tickets;
        let unsent = matches!(act, Do::Prepare | Do::Search { .. } | Do::Rest(_));
        let task = self.task(id).expect("it is there");
        (task.wait, task.unsent) = (Some(ticket), unsent);
        let key = task.request.key;
        match act {
            Do::Prepare => {
                let wait = self.chance.time(Duration::from_millis(1), Duration::from_millis(50));
                self.clock.after(wait, Happening::Prepare(id, ticket));
            }
            Do::Search { provider, search, after } => {
                let (provider, way) = (self.named(&provider), after + self.way());
                self.clock.after(way, Happening::Arrive(id, provider, Call::List(search, Some(ticket))));
            }
            Do::Get { provider, prediction, after, .. } => {
                let (provider, way) = (self.named(&provider), after + self.way());
                self.clock.after(way, Happening::Arrive(id, provider, Call::Get(prediction, Some(ticket))));
            }
            Do::Rest(after) => self.clock.after(after, Happening::Told(id, Some(ticket), Told::Rested)),
            Do::WaitForOwner => {
                self.free_slot(id);
                self.waiters.push((key, id, ticket));
                self.wake();
            }
            _ => unreachable!("what is waited for is one of these"),
        }
        if unsent && self.processes[id.process].stopping {
            self.clock.after(Duration::ZERO, Happening::NotAnyMore(id, ticket));
        }
    }

    /// The end of a prediction.
    fn close(&mut self, id: TaskId, finished: Box<Finished>) -> Holds {
        let planted = self.is_planted(Bug::UncountedRetry);
        let task = self.task(id).expect("it is there");
        if planted && !task.again && matches!(finished.outcome, End::Failed(_)) && task.leg.is_some() {
            let request = task.request.clone();
            let order = self.order(id.process, request, finished.claim);
            let (prediction, dos) = Prediction::start(order);
            let task = self.task(id).expect("it is there");
            (task.prediction, task.again) = (prediction, true);
            return self.carry_out(id, dos);
        }
        self.free_slot(id);
        self.clock.after(Duration::from_micros(200), Happening::Ended(id, finished));
        let task = self.task(id).expect("it is there");
        (task.wait, task.unsent, task.over) = (None, false, true);
        Ok(())
    }

    pub fn ended(&mut self, id: TaskId, finished: Finished) -> Holds {
        let Some(task) = self.processes[id.process].tasks.remove(&id.number) else { return Ok(()) };
        let Some(leg) = task.leg else {
            if self.processes[id.process].tasks.is_empty() {
                self.store.settle();
                self.die(id.process, "has stopped what was left");
            }
            return Ok(());
        };
        self.processes[id.process].beyond.insert(leg, finished.claim);
        self.take(id.process, Input::Ended(leg, outcome(finished)))
    }

    // The ledger.

    fn send_commit(&mut self, id: TaskId, claim: Claim, ask: Ask) -> Holds {
        if self.is_planted(Bug::CreateBeforeIntent) && matches!(ask, Ask::Claim { .. }) {
            self.send_create(id, Some(&claim))?;
        }
        self.task(id).expect("it is there").under_way += 1;
        let wait = self.chance.time(Duration::from_micros(50), COMMIT);
        let process = &mut self.processes[id.process];
        let wait = SignedDuration::try_from(wait).expect("it is short");
        // One writer: what came first is written first.
        let when = process.written.max(self.clock.now()) + wait;
        process.written = when;
        self.clock.at(when, Happening::Judge(id, claim, ask));
        Ok(())
    }

    pub fn judge(&mut self, id: TaskId, claim: &Claim, ask: &Ask) -> Holds {
        let Some(key) = self.task(id).map(|task| task.request.key) else { return Ok(()) };
        if let Ask::Fetched(arrival) = ask
            && !self.is_planted(Bug::DoneBeforeStored)
        {
            self.store.put_files(&arrival.output);
        }
        let mut verdict = self.commit(&key, claim, ask)?;
        // An output whose files are not there is none.
        if let (Ask::Claim { .. }, Verdict::Reuse(entry)) = (ask, &verdict)
            && !entry.output.as_ref().is_some_and(|output| self.store.has_files(output))
        {
            let former = Claim { number: entry.claim.number, ..claim.clone() };
            self.commit(&key, &former, &Ask::Missing)?;
            verdict = self.commit(&key, claim, ask)?;
        }
        let granted = match &verdict {
            Verdict::Create(claim) => Some(claim.clone()),
            _ => None,
        };
        let task = self.task(id).expect("it is there");
        if let Some(claim) = granted {
            (task.claim, task.sending) = (claim, true);
        }
        if self.store.is_unflushed() {
            self.clock.after(Duration::from_secs(1), Happening::Flush(id.process));
        }
        let wait = self.chance.time(Duration::from_micros(20), COMMIT);
        self.clock.after(wait, Happening::Told(id, None, Told::Verdict(verdict)));
        Ok(())
    }
}
