//! The plain list: a run for those who read without scripts.
//!
//! Outputs first, then every step with its legs. All text is escaped as it is written; a workflow
//! or a model cannot put markup into it. How it looks stands in `front/plain.html.jinja`.

use castline_core::event::RunStatus;
use castline_core::plain;
use castline_core::record::{LegRecord, RunRecord};
use castline_core::results::LegStatus;
use castline_core::summary::Counts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value as Json;

use super::media::{self, Media, Shelf};
use crate::report::money;
use crate::report::plan::{counted, duration};

const TEMPLATE: &str = include_str!("front/plain.html.jinja");
/// Stands for each `@file@` in it.
const FILE: &str = include_str!("front/plain-file.html.jinja");

/// More legs of one step would make the page slow; the rest is counted.
const MOST_LEGS: usize = 400;

/// A run as the template sees it.
#[derive(Serialize)]
struct Page {
    workflow: String,
    file: String,
    run: String,
    provider: String,
    sandbox: bool,
    status: &'static str,
    tone: &'static str,
    started: Option<String>,
    elapsed: String,
    counts: String,
    money: String,
    warnings: Vec<String>,
    outputs: Vec<Output>,
    steps: Vec<Step>,
    version: &'static str,
}

/// An output of the workflow.
#[derive(Serialize)]
struct Output {
    name: String,
    media: Vec<Media>,
    text: Option<String>,
}

/// A step and its legs.
#[derive(Serialize)]
struct Step {
    name: String,
    uses: String,
    model: String,
    legs: Vec<Leg>,
    hidden: usize,
}

/// One leg.
#[derive(Serialize)]
struct Leg {
    name: String,
    labels: Vec<(String, String)>,
    word: &'static str,
    tone: &'static str,
    media: Vec<Media>,
    text: Option<String>,
    prompt: Option<String>,
    /// Why nothing was asked.
    reason: Option<String>,
    facts: Vec<(&'static str, String)>,
    input: Vec<Field>,
    error: Option<String>,
    logs: Option<String>,
}

/// A field of what was sent.
#[derive(Serialize)]
struct Field {
    name: String,
    media: Vec<Media>,
    text: Option<String>,
}

/// The list as markup.
pub(super) fn draw(record: &RunRecord, shelf: &Shelf) -> String {
    let mut environment = Environment::new();
    environment.set_formatter(|out, _, value| Ok(out.write_str(&escape(&value.to_string()))?));
    let template = TEMPLATE.replace("@file@", FILE.trim_end());
    environment.render_str(&template, Serde(page(record, shelf))).expect("the template fits the page")
}

/// Text that is text wherever it stands, between tags and in quotes. The template engine's own
/// escapes slashes too, which makes links unreadable and embedded pictures larger.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn page(record: &RunRecord, shelf: &Shelf) -> Page {
    let (status, tone) = match record.status {
        Some(RunStatus::Succeeded) => ("succeeded", "good"),
        Some(RunStatus::Failed) => ("failed", "bad"),
        Some(RunStatus::Refused) => ("refused by the budget", "bad"),
        Some(RunStatus::InDoubt) => ("in doubt", "bad"),
        Some(RunStatus::Interrupted) => ("interrupted", "warn"),
        None => ("never ended", "warn"),
    };
    Page {
        workflow: record.workflow.clone(),
        file: record.file.clone(),
        run: record.run.clone(),
        provider: record.provider.clone(),
        sandbox: record.provider == "sandbox",
        status,
        tone,
        started: record.started.map(clock),
        elapsed: duration(record.elapsed_seconds),
        counts: format!("{}: {}", counted(record.legs.len(), "leg"), Counts::of(record)),
        money: money::bill(record),
        warnings: record.warnings.clone(),
        outputs: outputs(record, shelf),
        steps: record.steps.iter().map(|step| self::step(step, record, shelf)).collect(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn clock(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn outputs(record: &RunRecord, shelf: &Shelf) -> Vec<Output> {
    let of = |(name, value): (&castline_spec::Name, &Json)| {
        let own = record.output_files.get(name).map(Vec::as_slice).unwrap_or_default();
        let text = if value.is_null() { Some("nothing".to_owned()) } else { words(value) };
        Output { name: name.to_string(), media: shelf.media(value, own), text }
    };
    record.outputs.iter().map(of).collect()
}

fn step(step: &castline_core::event::StepSummary, record: &RunRecord, shelf: &Shelf) -> Step {
    let mut legs: Vec<_> = record.legs.iter().filter(|leg| leg.leg.step == step.name).collect();
    let hidden = legs.len().saturating_sub(MOST_LEGS);
    if hidden > 0 {
        // What went wrong is never among the hidden.
        legs.sort_by_key(|leg| leg.failure.is_none());
        legs.truncate(MOST_LEGS);
    }
    Step {
        name: step.name.to_string(),
        uses: step.uses.clone(),
        model: step.model.clone(),
        legs: legs.into_iter().map(|leg| self::leg(leg, shelf)).collect(),
        hidden,
    }
}

fn leg(leg: &LegRecord, shelf: &Shelf) -> Leg {
    let (word, tone) = state(leg);
    let output = leg.output_json();
    let output = output.as_ref();
    let input: Vec<_> =
        leg.request.iter().flat_map(|r| r.input.iter()).map(|(k, v)| (k, plain::json(v))).collect();
    Leg {
        name: leg.leg.name.clone(),
        labels: leg.leg.leg.iter().map(|(axis, value)| (axis.to_string(), label(value))).collect(),
        word,
        tone,
        media: output.map(|o| shelf.media(o, &leg.saved)).unwrap_or_default(),
        text: output.and_then(words),
        prompt: prompt(leg),
        reason: leg.why.clone().filter(|_| leg.request.is_none()).map(Into::into),
        facts: facts(leg),
        input: input
            .iter()
            .map(|(name, value)| Field {
                name: (*name).clone(),
                media: shelf.media(value, &[]),
                text: words(value),
            })
            .collect(),
        error: leg.failure.as_ref().map(|f| f.message.clone()),
        logs: leg.failure.as_ref().and_then(|f| f.logs.clone()),
    }
}

fn state(leg: &LegRecord) -> (&'static str, &'static str) {
    match leg.status {
        LegStatus::Succeeded if leg.reused => ("reused", "calm"),
        LegStatus::Succeeded => ("ran", "good"),
        LegStatus::Skipped => ("skipped", "calm"),
        LegStatus::NotRun => ("not run", "calm"),
        LegStatus::Failed => ("failed", "bad"),
        LegStatus::Canceled => ("canceled", "warn"),
        LegStatus::Expired => ("expired", "bad"),
        LegStatus::InDoubt => ("in doubt", "bad"),
        LegStatus::Refused => ("refused", "bad"),
    }
}

/// The words that a leg sent, for the card and as the alternative to its picture.
pub(super) fn prompt(leg: &LegRecord) -> Option<String> {
    let input = &leg.request.as_ref()?.input;
    ["prompt", "text", "text_prompt", "input"]
        .iter()
        .find_map(|field| Some(input.get(*field)?.as_str()?.to_owned()))
}

fn facts(leg: &LegRecord) -> Vec<(&'static str, String)> {
    let request = leg.request.as_ref();
    let seed = request.and_then(|r| r.input.get("seed")).map(|seed| plain::json(seed).to_string());
    let draw = request.filter(|r| !r.draw.is_empty()).map(|r| Json::Array(r.draw.clone()).to_string());
    let took =
        leg.created.zip(leg.finished).map(|(from, to)| duration(to.duration_since(from).as_secs_f64()));
    let facts = [
        ("why", leg.why.clone().filter(|_| request.is_some()).map(Into::into)),
        ("cost", money::of_leg(leg)),
        ("seed", seed),
        ("draw", draw),
        ("took", took),
        ("attempts", (leg.attempts > 1).then(|| leg.attempts.to_string())),
        ("model", request.map(|r| format!("{} at {}", r.model, r.provider))),
        ("prediction", leg.prediction.as_ref().map(ToString::to_string)),
        ("key", request.map(|r| r.key.to_string())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A value that is no media, as text.
fn words(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Null => Some("none".to_owned()),
        value if media::is_media(value) => None,
        other => Some(other.to_string()),
    }
}

/// A value of an axis, short.
fn label(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    crate::screen::short(&text, 60)
}
