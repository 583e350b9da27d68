//! A run as a whole: what `run --json` prints, `runs show` shows and the report draws.
//!
//! It is made by listening to events, live or from a journal; nothing is decided from it.

use std::borrow::Cow;
use std::sync::Arc;

use castline_spec::Name;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::event::{
    self, Entry, Event, LegRef, RequestRecord, RunStatus, SCHEMA_VERSION, StepSummary, Totals,
};
use crate::media::Artifact;
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::plain;
use crate::price::Estimate;
use crate::provenance::Makers;
use crate::request::Failure;
use crate::results::LegStatus;
use crate::snapshot::PredictionId;
use crate::value::Value;

/// One leg of a recorded run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Which leg.
    #[serde(flatten)]
    pub leg: Arc<LegRef>,
    /// What it became; `not-run` while it is under way.
    pub status: LegStatus,
    /// True when its output was there already.
    pub reused: bool,
    /// Why it ran, was skipped or was not run, for people.
    pub why: Option<Cow<'static, str>>,
    /// What was sent.
    pub request: Option<Arc<RequestRecord>>,
    /// The prediction.
    pub prediction: Option<PredictionId>,
    /// When it was started.
    pub created: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Seconds of running, by the provider.
    pub predict_seconds: Option<f64>,
    /// What it cost; none when nobody knows.
    pub cost: Option<MicroUsd>,
    /// What its rules said.
    pub estimate: Option<Estimate>,
    /// True when its provider took money for its output.
    #[serde(default)]
    pub billed: bool,
    /// Its output; written with media as objects.
    #[serde(default, with = "plain::option")]
    pub output: Option<Arc<Value>>,
    /// Why it has none.
    pub failure: Option<Failure>,
    /// How often it was tried.
    pub attempts: u32,
    /// What the attempts cost that failed before the last one.
    #[serde(default)]
    pub lost: MicroUsd,
    /// Files written for it.
    pub saved: Vec<SavedRecord>,
}

/// A file written for the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedRecord {
    /// Relative to the project.
    pub path: String,
    /// What it is.
    pub artifact: Artifact,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA_VERSION`].
    #[serde(deserialize_with = "event::known_version")]
    pub schema_version: u32,
    /// Its id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file.
    pub file: String,
    /// The chosen provider.
    pub provider: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// How it ended; none while it is under way, or when it never ended.
    pub status: Option<RunStatus>,
    /// The steps.
    pub steps: Vec<StepSummary>,
    /// The legs, in the order in which they were decided.
    pub legs: Vec<LegRecord>,
    /// The outputs.
    pub outputs: IndexMap<Name, Json>,
    /// Files of outputs.
    pub output_files: IndexMap<Name, Vec<SavedRecord>>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// Money.
    pub totals: Totals,
    /// Seconds.
    pub elapsed_seconds: f64,
}

/// Of a run of which nothing is known yet.
impl Default for RunRecord {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run: String::new(),
            workflow: String::new(),
            file: String::new(),
            provider: String::new(),
            started: None,
            status: None,
            steps: Vec::new(),
            legs: Vec::new(),
            outputs: IndexMap::new(),
            output_files: IndexMap::new(),
            warnings: Vec::new(),
            totals: Totals::default(),
            elapsed_seconds: 0.0,
        }
    }
}

/// Makes a record by listening to events.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The record so far.
    pub record: RunRecord,
    /// Which of its legs made which files.
    pub makers: Makers,
    places: IndexMap<Arc<LegRef>, usize>,
}

/// Predictions of one model whose price was not within what its rules said.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The model.
    pub model: String,
    /// Where it ran.
    pub provider: ProviderName,
    /// How many legs.
    pub legs: usize,
    /// What the rules said of them.
    pub expected: Estimate,
    /// What they cost.
    pub settled: MicroUsd,
}

impl LegRecord {
    /// Its output as JSON shows it.
    pub fn output_json(&self) -> Option<Json> {
        self.output.as_deref().map(plain::json)
    }

    /// What its rules said and what it cost, where that does not agree.
    pub fn drift(&self) -> Option<(Estimate, MicroUsd)> {
        let (expected, settled) = (self.estimate?, self.cost?);
        let paid = self.billed && !self.reused && self.status == LegStatus::Succeeded;
        (paid && !expected.covers(settled)).then_some((expected, settled))
    }
}

impl RunRecord {
    /// Where prices were not what their rules said, by model and provider.
    pub fn drift(&self) -> Vec<Drift> {
        let mut drifts: IndexMap<(&str, &ProviderName), Drift> = IndexMap::new();
        for leg in &self.legs {
            let (Some((expected, settled)), Some(request)) = (leg.drift(), &leg.request) else { continue };
            let (model, provider) = (request.model.as_str(), &request.provider);
            let drift = drifts.entry((model, provider)).or_insert_with(|| Drift {
                model: model.to_owned(),
                provider: provider.clone(),
                legs: 0,
                expected: Estimate::NOTHING,
                settled: MicroUsd::ZERO,
            });
            drift.legs += 1;
            drift.expected = drift.expected + expected;
            drift.settled += settled;
        }
        drifts.into_values().collect()
    }

    /// A record from a journal.
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut recorder = Recorder::default();
        entries.into_iter().for_each(|entry| recorder.take(&entry));
        recorder.record
    }
}

impl Recorder {
    /// Listens to one event.
    pub fn take(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::RunStarted { run, workflow, file, provider, steps, .. } => {
                self.record.run.clone_from(run);
                self.record.workflow = workflow.to_string();
                self.record.file.clone_from(file);
                self.record.provider = provider.to_string();
                self.record.steps.clone_from(steps);
                self.record.started = Some(at);
            }
            Event::LegsOpened { step, legs } => {
                let summary = self.record.steps.iter_mut().find(|summary| summary.name == *step);
                summary.into_iter().for_each(|summary| summary.legs = *legs);
            }
            Event::LegSkipped { leg, reason } => {
                let leg = self.leg(leg);
                leg.status = LegStatus::Skipped;
                leg.why = Some(reason.reason().into());
            }
            Event::LegReused { leg, request, output, prediction, estimate } => {
                let leg = self.maker(leg, output);
                leg.status = LegStatus::Succeeded;
                leg.reused = true;
                leg.request = Some(request.clone());
                leg.output = Some(output.clone());
                leg.prediction.clone_from(prediction);
                leg.estimate = *estimate;
                leg.cost = Some(MicroUsd::ZERO);
            }
            Event::LegStarted { leg, request, attempt, estimate } => {
                let leg = self.leg(leg);
                leg.request = Some(request.clone());
                leg.attempts = *attempt;
                leg.estimate = *estimate;
                leg.created = leg.created.or(Some(at));
            }
            Event::LegCreated { leg, prediction, .. } => {
                self.leg(leg).prediction = Some(prediction.clone());
            }
            Event::LegSucceeded { leg, output, prediction, cost, predict_seconds, billed, .. } => {
                let leg = self.maker(leg, output);
                leg.billed = *billed;
                leg.status = LegStatus::Succeeded;
                leg.output = Some(output.clone());
                leg.prediction.clone_from(prediction);
                leg.cost = *cost;
                leg.predict_seconds = *predict_seconds;
                leg.finished = Some(at);
            }
            Event::LegFailed { leg, status, failure, prediction, cost, .. } => {
                let leg = self.leg(leg);
                leg.status = *status;
                leg.failure = Some(failure.clone());
                leg.prediction = prediction.clone().or_else(|| leg.prediction.take());
                leg.cost = *cost;
                leg.finished = Some(at);
            }
            Event::LegNotRun { leg, reason } => {
                let leg = self.leg(leg);
                leg.status = LegStatus::NotRun;
                leg.why = Some(reason.clone().into());
            }
            Event::Saved { leg, output, path, artifact } => {
                let file = SavedRecord { path: path.clone(), artifact: artifact.clone() };
                match (leg, output) {
                    (Some(leg), _) => self.leg(leg).saved.push(file),
                    (None, Some(output)) => {
                        self.record.output_files.entry(output.clone()).or_default().push(file);
                    }
                    (None, None) => {}
                }
            }
            Event::OutputReady { name, value } => {
                self.record.outputs.insert(name.clone(), plain::json(value));
            }
            Event::Warned { message } => self.record.warnings.push(message.clone()),
            Event::RunEnded { status, totals, elapsed_seconds } => {
                self.record.status = Some(*status);
                self.record.totals = totals.clone();
                self.record.elapsed_seconds = *elapsed_seconds;
            }
            Event::AttemptFailed { leg, cost, .. } => {
                self.leg(leg).lost += cost.unwrap_or_default();
            }
            Event::LegProgress { .. } | Event::Interrupted | Event::Stopping { .. } => {}
        }
    }

    /// Makes room for legs of which nothing is heard yet, in this order.
    pub fn expect(&mut self, legs: impl IntoIterator<Item = Arc<LegRef>>) {
        for leg in legs {
            self.place(&leg);
        }
    }

    /// Says why a leg ran, in words that the ledger gave before the run.
    pub fn explain(&mut self, leg: &Arc<LegRef>, why: Cow<'static, str>) {
        self.leg(leg).why = Some(why);
    }

    fn leg(&mut self, leg: &Arc<LegRef>) -> &mut LegRecord {
        let at = self.place(leg);
        &mut self.record.legs[at]
    }

    /// The same of a leg that has made something.
    fn maker(&mut self, leg: &Arc<LegRef>, output: &Value) -> &mut LegRecord {
        let at = self.place(leg);
        self.makers.add(at, output);
        &mut self.record.legs[at]
    }

    /// Where a leg stands in the record.
    pub fn place(&mut self, leg: &Arc<LegRef>) -> usize {
        let legs = &mut self.record.legs;
        *self.places.entry(leg.clone()).or_insert_with(|| {
            legs.push(LegRecord::new(leg));
            legs.len() - 1
        })
    }
}

impl LegRecord {
    fn new(leg: &Arc<LegRef>) -> Self {
        Self {
            leg: leg.clone(),
            status: LegStatus::NotRun,
            reused: false,
            why: None,
            request: None,
            prediction: None,
            created: None,
            finished: None,
            predict_seconds: None,
            cost: None,
            estimate: None,
            billed: false,
            output: None,
            failure: None,
            attempts: 0,
            lost: MicroUsd::ZERO,
            saved: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_and_an_event_of_a_later_version_are_not_read() {
        let mut record = serde_json::to_value(RunRecord::default()).unwrap();
        assert_eq!(serde_json::from_value::<RunRecord>(record.clone()).unwrap(), RunRecord::default());
        record["schema_version"] = 2.into();
        let newer = "it has version 2, and this castline knows versions up to 1";
        assert_eq!(serde_json::from_value::<RunRecord>(record).unwrap_err().to_string(), newer);
        let mut event =
            json!({ "schema_version": 1, "seq": 0, "at": "2026-11-02T09:15:02Z", "type": "interrupted" });
        assert_eq!(serde_json::from_value::<Entry>(event.clone()).unwrap().event, Event::Interrupted);
        event["schema_version"] = 2.into();
        event["type"] = "paused".into();
        assert_eq!(serde_json::from_value::<Entry>(event).unwrap_err().to_string(), newer);
    }
}
