//! Who goes on without what did not end well.
//!
//! A workflow says of its own steps what becomes of their failures: with `on_error`, or by asking how
//! they ended.

use castline_spec::workflow::OnError;

use crate::legs::LegId;
use crate::results::LegStatus;

use super::Run;

impl Run {
    /// Why a leg cannot run although everything it waits for has ended.
    pub(super) fn blocked(&self, leg: LegId) -> Option<String> {
        self.plan.needs(leg).iter().find_map(|need| {
            match self.results.get(*need).expect("a leg opens after its needs").status {
                LegStatus::Succeeded | LegStatus::Skipped => None,
                _ if self.goes_on(leg, *need) => None,
                LegStatus::NotRun if self.is_left_out(leg) => Some(format!(
                    "it needs `{0}`, which takes no part in this run and was not made before: `--until {1}` makes it too",
                    self.plan.leg_name(*need),
                    self.plan.graph.steps[self.plan.legs.step(leg)].name
                )),
                LegStatus::NotRun => Some(format!("`{}` was not run", self.plan.leg_name(*need))),
                _ => Some(format!("`{}` did not end well", self.plan.leg_name(*need))),
            }
        })
    }

    /// True for a leg that is wanted and needs one that is not, and was never made: `--only STEP`.
    pub(super) fn is_left_out(&self, leg: LegId) -> bool {
        let left_out = |need: &LegId| {
            !self.plan.takes_part(*need)
                && self.results.get(*need).is_some_and(|result| result.status == LegStatus::NotRun)
        };
        self.plan.predicts(leg) && self.plan.takes_part(leg) && self.plan.needs(leg).iter().any(left_out)
    }

    /// True when the workflow says what to do when the leg fails.
    pub(super) fn is_handled(&self, leg: LegId) -> bool {
        let number = self.plan.legs.step(leg);
        let step = &self.plan.graph.steps[number];
        step.on_error == OnError::Skip || step.forgiven || self.plan.graph.is_tested(number, |_| true)
    }

    /// True when a leg goes on without what it needs. What a workflow says of its own steps counts
    /// among them, whoever calls it; a caller decides about the call.
    pub(super) fn goes_on(&self, leg: LegId, need: LegId) -> bool {
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
    pub(super) fn is_handled_here(&self, number: usize) -> bool {
        let graph = &self.plan.graph;
        let step = &graph.steps[number];
        step.on_error == OnError::Skip || graph.is_tested(number, |by| by.frame == step.frame)
    }

    /// True for an output of a call that the caller goes on without.
    pub(super) fn is_call_handled(&self, leg: LegId) -> bool {
        let graph = &self.plan.graph;
        let call = graph.frames[graph.steps[self.plan.legs.step(leg)].frame].call;
        call.is_some_and(|call| self.is_handled_here(call))
    }
}
