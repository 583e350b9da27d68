//! What goes over the network: getting ready for a create, and requests on their way to a provider
//! and back. A request that has left arrives, whether its sender lives or not.
//!
//! Start reading at [`World::arrive`].

use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::{Claim, Sent, State};
use castline_core::legs::LegId;
use castline_core::prediction::{CallFault, Fetched, Told};
use castline_core::price::Observed;
use castline_core::rate::Rate;
use castline_core::{MicroUsd, Output, ProviderName, Request, Snapshot};
use jiff::SignedDuration;
use serde_json::Value as Json;

use crate::invariants::{Holds, Watch};
use crate::planted::Bug;
use crate::process::TaskId;
use crate::provider::{Create, LONGEST_WAY, input_of};
use crate::world::{Call, Happening, World};

/// The longest that a line for a turn is not looked at.
const LOOK: Duration = Duration::from_secs(5);

impl World<'_> {
    /// Which of the providers a request goes to.
    pub fn provider(&self, request: &Request) -> usize {
        self.named(&request.provider)
    }

    /// A provider by its name.
    pub fn named(&self, name: &ProviderName) -> usize {
        self.providers.iter().position(|provider| provider.name() == *name).expect("it is of the scenario")
    }

    /// One way over the network.
    pub fn way(&mut self) -> Duration {
        self.chance.time(Duration::from_millis(2), LONGEST_WAY)
    }

    /// The account of a provider that a task's process uses.
    fn token(&self, id: TaskId) -> &'static str {
        self.scenario.runs[self.processes[id.process].wanted].token
    }

    /// Files are there, a place is taken, and it is its turn.
    pub fn prepare(&mut self, id: TaskId, ticket: u64) {
        let faults = self.scenario.faults;
        let Some(task) = self.task(id).filter(|task| task.wait == Some(ticket)) else { return };
        let (key, request) = (task.request.key, task.request.clone());
        let number = self.provider(&request);
        let profile = self.providers[number].profile;
        if !self.calm && self.chance.happens(faults.calls / 10) {
            let fault = CallFault::Lost { host: profile.name.to_owned(), cause: "upload".to_owned() };
            let late = self.chance.time(Duration::from_millis(10), Duration::from_secs(20));
            return self.clock.after(late, Happening::Told(id, Some(ticket), Told::Prepared(Err(fault))));
        }
        let state = self.store.rows.entries.get(&key).map(|entry| entry.state);
        if !matches!(state, Some(State::Created | State::Succeeded)) {
            let taken = &mut self.slots[number].taken;
            if profile.slots.is_some_and(|slots| taken.len() >= slots && !taken.contains(&id)) {
                return self.slots[number].line.push_back((id, ticket));
            }
            taken.insert(id);
            let (rate, now) = (profile.rate.map(Rate::per_minute), self.shown());
            if let Err(wait) = self.buckets[number].take(rate, now) {
                return self.clock.after(wait.min(LOOK), Happening::Prepare(id, ticket));
            }
        }
        let sent = Sent {
            input: Arc::new(input_of(&request, profile.files)),
            clock: Some(profile.clock - self.wall),
            account: Some(self.token(id).to_owned()),
        };
        let wait = Duration::from_micros(300);
        self.clock.after(wait, Happening::Told(id, Some(ticket), Told::Prepared(Ok(sent))));
    }

    pub fn free_slot(&mut self, id: TaskId) {
        for number in 0..self.slots.len() {
            if self.slots[number].taken.remove(&id) {
                self.next_in_line(number);
            }
        }
    }

    /// Whoever waits longest and still does.
    pub fn next_in_line(&mut self, number: usize) {
        let most = self.providers[number].profile.slots.unwrap_or(usize::MAX);
        let mut room = most.saturating_sub(self.slots[number].taken.len());
        while room > 0 {
            let Some((id, ticket)) = self.slots[number].line.pop_front() else { return };
            let alive = self.processes[id.process].alive;
            if alive && self.task(id).is_some_and(|task| task.wait == Some(ticket)) {
                self.clock.after(Duration::from_millis(50), Happening::Prepare(id, ticket));
                room -= 1;
            }
        }
    }

    /// A create leaves; `early` where it does so before the ledger has said that it may.
    pub fn send_create(&mut self, id: TaskId, early: Option<&Claim>) -> Holds {
        let task = self.task(id).expect("it is there");
        let (request, claim) = (task.request.clone(), early.cloned().unwrap_or_else(|| task.claim.clone()));
        let number = self.provider(&request);
        let entry = self.store.lasting(&request.key);
        let terms = self.providers[number].terms();
        Watch::leaves(entry, &claim, terms.bills)?;
        let attempt = entry.map_or(claim.number, |entry| entry.hold.attempt);
        let unreached = !self.calm && terms.remote && self.chance.happens(self.scenario.faults.creates / 4);
        let create = Create { key: request.key, attempt, request, token: self.token(id), unreached };
        self.task(id).expect("it is there").under_way += 1;
        let way = self.way();
        self.clock.after(way, Happening::Arrive(id, number, Call::Create(Box::new(create))));
        Ok(())
    }

    /// A request arrives, whether its sender lives or not.
    pub fn arrive(&mut self, id: TaskId, number: usize, call: Call) -> Holds {
        let (now, token, wall) = (self.now(), self.token(id), self.wall);
        let alive = self.processes[id.process].alive;
        let provider = &mut self.providers[number];
        let (answer, ticket, at) = match call {
            Call::Create(create) => return self.create_arrives(id, number, &create),
            Call::Cancel(prediction) => {
                provider.cancel(&prediction, now);
                return Ok(());
            }
            Call::Get(prediction, ticket) => (Told::Got(provider.get(&prediction, token, now)), ticket, now),
            Call::List(search, ticket) => {
                (Told::Searched(provider.list(&search, token, now, wall)), ticket, now)
            }
            Call::Fetch(snapshot) => {
                // Where that is planted, the first one's files are fetched.
                let wrong = provider.made.first().filter(|_| self.planted == Some(Bug::WrongFiles));
                let wanted = wrong.map_or(&snapshot.id, |made| &made.id).clone();
                let fetched = provider.fetch(&wanted, now);
                let fetched = fetched.map(|output| self.fetched(id, number, &snapshot, output));
                (Told::Fetched(fetched), None, now)
            }
        };
        if alive {
            let back = at + SignedDuration::try_from(self.way()).expect("it is short");
            self.clock.at(back, Happening::Told(id, ticket, answer));
        }
        Ok(())
    }

    fn create_arrives(&mut self, id: TaskId, number: usize, create: &Create) -> Holds {
        let (now, shown) = (self.now(), self.shown());
        if let Some(task) = self.task(id) {
            task.sending = false;
        }
        let provider = &mut self.providers[number];
        if create.unreached {
            let host = provider.profile.name.to_owned();
            let fault = CallFault::NotSent { host, cause: "connection refused".to_owned() };
            self.clock.after(Duration::ZERO, Happening::Told(id, None, Told::Created(Err(fault))));
            return Ok(());
        }
        let received = provider.create(create, now);
        let (key, name) = (create.key, provider.profile.name);
        match &received.answer {
            Err(CallFault::Busy { retry_after, .. }) => self.buckets[number].refused(*retry_after, shown),
            Ok(_) if self.buckets[number].is_slowed() => self.buckets[number].accepted(),
            _ => {}
        }
        let fault = received.answer.as_ref().err().map(ToString::to_string);
        self.note("create", format_args!("{name} {key} made {:?}, {fault:?}", received.made));
        if let Some(made) = received.made {
            self.providers[number].made[made].bill = self.bill(id, number, made);
            self.watch.arrived(made, &mut self.providers[number], now)?;
            self.watch.booked(&key, &self.store, &self.providers, now)?;
        }
        self.clock.at(received.at, Happening::Told(id, None, Told::Created(received.answer)));
        Ok(())
    }

    /// What a create costs in truth.
    fn bill(&self, id: TaskId, number: usize, made: usize) -> MicroUsd {
        let made = &self.providers[number].made[made];
        let settled = self.price(id, number, &made.request, &made.metrics, &made.output());
        settled.or(made.request.price).unwrap_or_default()
    }

    /// What castline makes of the same.
    fn fetched(&self, id: TaskId, number: usize, snapshot: &Snapshot, output: Output) -> Fetched {
        let task = self.processes[id.process].tasks.get(&id.number);
        let cost = match (task, &snapshot.metrics) {
            (Some(task), Some(metrics)) if self.providers[number].terms().bills => {
                self.price(id, number, &task.request, metrics, &output)
            }
            _ => Some(MicroUsd::ZERO),
        };
        Fetched { output, cost }
    }

    /// By the price rules of a leg that runs this model.
    fn price(
        &self,
        id: TaskId,
        number: usize,
        request: &Request,
        metrics: &Json,
        output: &Output,
    ) -> Option<MicroUsd> {
        let plan = &self.scenario.plans[self.processes[id.process].wanted];
        let model = |leg: &LegId| &plan.graph.steps[plan.legs.step(*leg)].callee.model.reference;
        let leg = plan.order().into_iter().find(|leg| model(leg).path() == request.model.path())?;
        plan.settle(
            plan.legs.step(leg),
            request,
            &self.providers[number].name(),
            &Observed::of(Some(metrics), output),
        )
    }
}
