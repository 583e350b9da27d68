//! What a run does not wait for when it stops: predictions that are worth no more when they end.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::{Event, StopCause};
use crate::legs::LegId;
use crate::request::Key;

use super::message::{Decision, Effect};
use super::{Phase, Run};

impl Run {
    /// Legs whose prediction is being made.
    pub(super) fn in_the_air(&self) -> impl Iterator<Item = LegId> + '_ {
        (0..self.phases.len()).map(LegId).filter(|leg| matches!(self.phases[leg.0], Phase::Running(..)))
    }

    /// Predictions in flight that cost more the longer they run.
    pub(super) fn billed_by_time(&self) -> impl Iterator<Item = LegId> + '_ {
        self.in_the_air().filter(|leg| {
            let Phase::Running(ready, ..) = &self.phases[leg.0] else { return false };
            let callee = &self.plan.graph.steps[self.plan.legs.step(*leg)].callee;
            let prices = self.plan.price_rules(callee, &ready.request.provider);
            prices.rules.iter().any(|rule| rule.per == "gpu-second")
        })
    }

    /// Predictions in flight that nobody wants any more, and that are worth no more when they end:
    /// those billed by time, and those that cost nothing. The others are paid for, and are kept.
    pub(super) fn unwanted(&self, wanted: &BTreeSet<Key>, as_of: Timestamp) -> impl Iterator<Item = LegId> {
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

    /// Nothing more is started. What runs is stopped or awaited as after Ctrl-C.
    pub(super) fn stop_at_failure(&mut self, decision: &mut Decision) {
        if std::mem::replace(&mut self.stopping, true) || self.in_the_air().next().is_none() {
            return;
        }
        decision.events.push(Event::Stopping { why: StopCause::FailFast });
        decision.effects.extend(self.billed_by_time().map(Effect::Cancel));
    }
}
