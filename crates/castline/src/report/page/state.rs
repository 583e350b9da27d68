//! What the page's scripts know: a run as one document, described in `front/README.md`.

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
use serde_json::Value as Json;

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

#[derive(Serialize)]
struct Workflow<'a> {
    name: &'a str,
    file: &'a str,
}

#[derive(Serialize)]
struct Run<'a> {
    id: &'a str,
    status: Option<RunStatus>,
    provider: &'a str,
    sandbox: bool,
    started: Option<Timestamp>,
    elapsed_seconds: f64,
    /// In words.
    money: String,
    warnings: &'a [String],
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
    status: LegStatus,
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
    output: Option<Json>,
    error: Option<Error<'a>>,
    logs: Option<&'a str>,
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
            run: Run {
                id: &record.run,
                status: record.status,
                provider: &record.provider,
                sandbox: record.provider == "sandbox",
                started: record.started,
                elapsed_seconds: record.elapsed_seconds,
                money: money::bill(record),
                warnings: &record.warnings,
            },
            steps: record.steps.iter().map(step).collect(),
            legs: record.legs.iter().map(leg).collect(),
            outputs: record.outputs.iter().map(|(name, value)| Output { name, value }).collect(),
            files: files(record, shelf),
        }
    }
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

fn leg(record: &LegRecord) -> Leg<'_> {
    let failure = record.failure.as_ref();
    Leg {
        which: &record.leg,
        status: record.status,
        reused: record.reused,
        why: record.why.as_deref(),
        request: record.request.as_deref(),
        prediction: record.prediction.as_ref(),
        created: record.created,
        finished: record.finished,
        predict_seconds: record.predict_seconds,
        cost: money::of_leg(record),
        attempts: record.attempts,
        output: record.output_json(),
        error: failure.map(|failure| Error {
            kind: failure.kind,
            message: &failure.message,
            hint: hints::of_failure(record.status, failure.kind),
        }),
        logs: failure.and_then(|failure| failure.logs.as_deref()),
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
