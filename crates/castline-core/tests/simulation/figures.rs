//! What was simulated, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::workflows::Scenario;
use crate::world::Played;

/// What must happen now and then in enough simulations: every ask and verdict of the ledger, and
/// every disaster.
const ALL: &[&str] = &[
    "Absent",
    "Claim",
    "Created",
    "Ended",
    "Fetched",
    "Found",
    "Left",
    "Missing",
    "Resend",
    "Ruled",
    "Stop",
    "Unclear",
    "Unsent",
    "Unwanted",
    "cancel it",
    "clock is set",
    "create it",
    "dies",
    "done",
    "follow it",
    "freezes",
    "in doubt",
    "it ended",
    "it is taken",
    "look for it",
    "makes way",
    "power cut",
    "refused",
    "reuse it",
    "stale",
    "stops",
    "wait",
];

/// What was simulated.
#[derive(Debug, Default)]
pub struct Figures {
    scenarios: u64,
    legs: u64,
    events: u64,
    lasted: Duration,
    kinds: BTreeMap<&'static str, u64>,
}

impl Figures {
    pub fn of(scenario: &Scenario, played: &Played) -> Self {
        Self {
            scenarios: 1,
            legs: scenario.plans.iter().map(|plan| plan.legs.len() as u64).sum(),
            events: played.happenings,
            lasted: played.lasted,
            kinds: played.kinds.clone(),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.legs += other.legs;
        self.events += other.events;
        self.lasted += other.lasted;
        other.kinds.iter().for_each(|(kind, count)| *self.kinds.entry(kind).or_default() += count);
    }

    /// What should have happened and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        ALL.iter().copied().filter(|kind| !self.kinds.contains_key(kind)).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.kinds {
            writeln!(f, "{count:>10} {kind}")?;
        }
        let hours = self.lasted.as_secs_f64() / 3600.0;
        let Self { scenarios, legs, events, .. } = self;
        writeln!(f, "{scenarios} scenarios, {legs} legs, {events} events, {hours:.0} simulated hours")
    }
}
