//! What the page's scripts know: a run as one document, described in `front/README.md`.

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_core::event::{LegRef, RequestRecord, RunStatus, StepSummary};
use castline_core::plain;
use castline_core::record::{LegRecord, RunRecord};
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use castline_core::snapshot::PredictionId;
use castline_spec::Name;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::media::{Place, Shelf};
use crate::report::{hints, money};

const SCHEMA_VERSION: u32 = 1;

/// A run as the page draws it.
#[derive(Serialize)]
pub(super) struct State<'a> {
    schema_version: u32,
    /// The number of the last change.
    seq: u64,
    /// True when there is somebody to listen to.
    live: bool,
    made_by: &'static str,
    workflow: Workflow<'a>,
    run: Run<'a>,
    steps: Vec<Step<'a>>,
    legs: Vec<Leg<'a>>,
    outputs: Vec<Output<'a>>,
    /// By digest.
    files: IndexMap<String, Place>,
}

/// What is known of a workflow that is watched, besides its run.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Findings, as `check --format json` has them, each with the `text` that a terminal shows.
    pub(super) diagnostics: Vec<Json>,
    /// It cannot be planned.
    pub(super) is_broken: bool,
    /// Why its plan may not run.
    pub(super) refused: Option<String>,
    /// What it waits for.
    pub(super) waits: Option<String>,
    pub(super) paused: bool,
    /// What the last edit changed, a line each.
    pub(super) changes: Vec<String>,
}

/// What a watch does.
#[derive(Debug, Serialize)]
struct Watch<'a> {
    state: Doing,
    /// Replaces the words for it.
    message: Option<&'a str>,
    changes: &'a [String],
}

/// What a watch does, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Doing {
    Idle,
    Running,
    /// For somebody to say that it may cost something.
    Waiting,
    Paused,
    /// It may not run.
    Refused,
    Broken,
}

impl Watched {
    fn shown(&self, runs: bool) -> Watch<'_> {
        let (state, message) = match (&self.refused, &self.waits) {
            _ if self.is_broken => (Doing::Broken, None),
            (Some(why), _) => (Doing::Refused, Some(why)),
            (None, _) if self.paused => (Doing::Paused, None),
            (None, Some(what)) => (Doing::Waiting, Some(what)),
            (None, None) if runs => (Doing::Running, None),
            (None, None) => (Doing::Idle, None),
        };
        Watch { state, message: message.map(String::as_str), changes: &self.changes }
    }
}

/// Another page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) href: String,
}

/// What a leg is while nobody knows what it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum UnderWay {
    Waiting,
    /// For somebody to say that it may cost something.
    Held,
    Running,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Status {
    UnderWay(UnderWay),
    Was(LegStatus),
}

/// How far a prediction says that it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Progress {
    pub(super) status: String,
    /// From 0 to 1.
    pub(super) fraction: Option<f64>,
}

/// What stood at a leg before its last change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Before {
    pub(super) output: Json,
    pub(super) request: Option<Arc<RequestRecord>>,
    pub(super) finished: Option<Timestamp>,
    pub(super) run: String,
}

/// What is to be said of a leg besides its record.
#[derive(Default, Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) under_way: Option<UnderWay>,
    pub(super) progress: Option<&'a Progress>,
    pub(super) before: Option<&'a Before>,
    /// Takes the place of what the record says.
    pub(super) why: Option<&'a str>,
}

#[derive(Serialize)]
struct Workflow<'a> {
    name: &'a str,
    file: &'a str,
}

#[derive(Serialize)]
struct Run<'a> {
    id: &'a str,
    status: Option<Stands>,
    provider: &'a str,
    sandbox: bool,
    started: Option<Timestamp>,
    elapsed_seconds: f64,
    /// In words.
    money: String,
    /// What runs now may cost so much.
    #[serde(skip_serializing_if = "is_nothing")]
    reserved_usd: f64,
    warnings: &'a [String],
}

/// How a run stands.
#[derive(Serialize)]
#[serde(untagged)]
enum Stands {
    GoesOn(GoesOn),
    Was(RunStatus),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum GoesOn {
    /// Nothing of it has run yet.
    Waiting,
    Running,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_nothing(usd: &f64) -> bool {
    *usd == 0.0
}

#[derive(Serialize)]
struct Step<'a> {
    name: &'a Name,
    uses: &'a str,
    model: &'a str,
    axes: Vec<Axis<'a>>,
    legs: usize,
    reads: &'a [Name],
}

#[derive(Serialize)]
struct Axis<'a> {
    name: &'a Name,
}

#[derive(Serialize)]
struct Leg<'a> {
    #[serde(flatten)]
    which: &'a LegRef,
    status: Status,
    reused: bool,
    why: Option<&'a str>,
    request: Option<&'a RequestRecord>,
    prediction: Option<&'a PredictionId>,
    created: Option<Timestamp>,
    finished: Option<Timestamp>,
    predict_seconds: Option<f64>,
    /// In words.
    cost: Option<String>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'a Progress>,
    output: Option<Json>,
    error: Option<Error<'a>>,
    logs: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Before>,
}

#[derive(Serialize)]
struct Error<'a> {
    kind: FailureKind,
    message: &'a str,
    hint: Option<&'static str>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a Name,
    value: &'a Json,
}

impl<'a> State<'a> {
    /// Of a run that is over.
    pub(super) fn of(record: &'a RunRecord, shelf: &Shelf) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            seq: 0,
            live: false,
            made_by: concat!("castline ", env!("CARGO_PKG_VERSION")),
            workflow: Workflow { name: &record.workflow, file: &record.file },
            run: run(record),
            steps: record.steps.iter().map(step).collect(),
            legs: record.legs.iter().map(|record| leg(record, Beside::default())).collect(),
            outputs: outputs(record),
            files: files(record, shelf),
        }
    }
}

fn run(record: &RunRecord) -> Run<'_> {
    Run {
        id: &record.run,
        status: record.status.map(Stands::Was),
        provider: &record.provider,
        sandbox: record.provider == "sandbox",
        started: record.started,
        elapsed_seconds: record.elapsed_seconds,
        money: money::bill(record),
        reserved_usd: 0.0,
        warnings: &record.warnings,
    }
}

fn outputs(record: &RunRecord) -> Vec<Output<'_>> {
    record.outputs.iter().map(|(name, value)| Output { name, value }).collect()
}

fn step(step: &StepSummary) -> Step<'_> {
    Step {
        name: &step.name,
        uses: &step.uses,
        model: &step.model,
        axes: step.axes.iter().map(|name| Axis { name }).collect(),
        legs: step.legs,
        reads: &step.reads,
    }
}

fn leg<'a>(record: &'a LegRecord, beside: Beside<'a>) -> Leg<'a> {
    let failure = record.failure.as_ref();
    Leg {
        which: &record.leg,
        status: beside.under_way.map_or(Status::Was(record.status), Status::UnderWay),
        reused: record.reused,
        why: beside.why.or(record.why.as_deref()),
        request: record.request.as_deref(),
        prediction: record.prediction.as_ref(),
        created: record.created,
        finished: record.finished,
        predict_seconds: record.predict_seconds,
        cost: money::of_leg(record),
        attempts: record.attempts,
        progress: beside.progress,
        output: record.output_json(),
        error: failure.map(|failure| Error {
            kind: failure.kind,
            message: &failure.message,
            hint: hints::of_failure(record.status, failure.kind),
        }),
        logs: failure.and_then(|failure| failure.logs.as_deref()),
        before: beside.before,
    }
}

/// A run that goes on.
pub(super) struct Watching<'a> {
    pub(super) record: &'a RunRecord,
    /// Providers that take no money.
    pub(super) free: &'a BTreeSet<String>,
    /// None where only this one run is shown.
    pub(super) watched: Option<&'a Watched>,
    /// It has begun, and is not over.
    pub(super) runs: bool,
}

/// What is beside the run on a page that goes on.
pub(super) struct Around<'a> {
    /// The number of the last change.
    pub(super) seq: u64,
    /// What the workflow is called as long as nothing says its name.
    pub(super) title: &'a str,
    pub(super) files: &'a IndexMap<String, Place>,
    pub(super) others: &'a [Other],
}

/// One leg of a run that goes on.
pub(super) fn live_leg(record: &LegRecord, beside: Beside<'_>) -> Json {
    json!(leg(record, beside))
}

impl Watching<'_> {
    /// The document of a page that goes on, with these legs.
    pub(super) fn whole(&self, legs: Vec<Json>, around: &Around<'_>) -> Json {
        let record = self.record;
        let name = if record.workflow.is_empty() { around.title } else { &record.workflow };
        json!({
            "schema_version": SCHEMA_VERSION,
            "seq": around.seq,
            "live": true,
            "made_by": concat!("castline ", env!("CARGO_PKG_VERSION")),
            "workflow": Workflow { name, file: &record.file },
            "run": self.part("run"),
            "steps": self.part("steps"),
            "legs": Json::Array(legs),
            "outputs": self.part("outputs"),
            "files": around.files,
            "watch": self.part("watch"),
            "diagnostics": self.part("diagnostics"),
            "others": around.others,
        })
    }

    /// What stands under a key besides legs and files.
    pub(super) fn part(&self, key: &str) -> Json {
        match key {
            "run" => json!(self.run()),
            "steps" => json!(self.record.steps.iter().map(step).collect::<Vec<_>>()),
            "outputs" => json!(outputs(self.record)),
            "watch" => json!(self.watched.map(|watched| watched.shown(self.runs))),
            "diagnostics" => json!(self.watched.map_or(&[][..], |watched| &watched.diagnostics)),
            _ => Json::Null,
        }
    }

    fn run(&self) -> Run<'_> {
        let mut run = run(self.record);
        if self.record.started.is_none() {
            run.status = Some(Stands::GoesOn(GoesOn::Waiting));
            run.money = String::new();
        } else if self.runs {
            run.status = Some(Stands::GoesOn(GoesOn::Running));
            run.money = money::so_far(self.record);
            run.reserved_usd = money::reserved(self.record, self.free).usd();
        }
        run
    }
}

/// Where files are. What stands in the plain list with its bytes is not in the page twice.
fn files(record: &RunRecord, shelf: &Shelf) -> IndexMap<String, Place> {
    let mut found = IndexMap::new();
    for (name, value) in &record.outputs {
        let own = record.output_files.get(name).map(Vec::as_slice).unwrap_or_default();
        shelf.links(value, own, &mut found);
    }
    for leg in &record.legs {
        leg.output_json().iter().for_each(|output| shelf.links(output, &leg.saved, &mut found));
        let input = leg.request.iter().flat_map(|request| request.input.values());
        input.for_each(|value| shelf.links(&plain::json(value), &[], &mut found));
    }
    found
}
