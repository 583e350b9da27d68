//! How events name the steps and legs of a plan.

use crate::event::{LegRef, StepSummary};
use crate::legs::LegId;
use crate::plan::Plan;

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
