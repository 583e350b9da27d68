//! The end of a prediction, and what becomes of its leg and of those that followed it.
//!
//! Start reading at [`Run::ended`].

use std::sync::Arc;

use castline_spec::schema::MediaKind;
use jiff::Timestamp;

use crate::event::{Event, RequestRecord, RunStatus};
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::plan::Ready;
use crate::price::{Estimate, images_asked};
use crate::request::{Failure, FailureKind, Output};
use crate::results::{LegResult, LegStatus};
use crate::snapshot::PredictionId;

use super::message::{Decision, Effect, Outcome};
use super::{Phase, Run};

impl Run {
    pub(super) fn ended(&mut self, leg: LegId, outcome: Outcome, now: Timestamp, decision: &mut Decision) {
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

    /// A text that does not match the step's `json` is a failure of the leg.
    pub(super) fn with_json(&self, leg: LegId, ready: &Ready, outcome: Outcome) -> Outcome {
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

    pub(super) fn tries_again(&self, leg: LegId, failure: &Failure, attempt: u32) -> bool {
        let retry = &self.plan.graph.steps[self.plan.legs.step(leg)].retry;
        let meant = match retry.on.is_empty() {
            true => failure.kind == FailureKind::Platform,
            false => retry.on.iter().any(|kind| kind.value == failure.kind),
        };
        meant && attempt <= retry.times && !self.stopping
    }

    pub(super) fn settle(
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

    pub(super) fn count(&mut self, cost: Option<MicroUsd>, estimate: Option<Estimate>, bills: bool) {
        self.totals.cost += cost.unwrap_or_default();
        match (estimate, cost) {
            (Some(estimate), _) => self.totals.would_cost += estimate.max,
            (None, None) => self.totals.unpriced += 1,
            (None, Some(_)) if !bills => self.totals.unpriced += 1,
            (None, Some(_)) => {}
        }
    }

    /// A filter at the provider takes pictures away without a word.
    pub(super) fn too_few(&self, leg: LegId, ready: &Ready, output: &Output) -> Option<Event> {
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

    pub(super) fn reused(
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

    pub(super) fn done_well(
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

    pub(super) fn failed(
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
