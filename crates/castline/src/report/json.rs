//! Runs as JSON: `run --json`, `runs --json` and the lines of `--events`.
//!
//! The shapes are documented in `docs/reference/json.md`; within a version fields are added
//! and none is taken away.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use castline_core::MicroUsd;
use castline_core::event::Entry;
use castline_core::record::{Drift, LegRecord, RunRecord};
use castline_core::results::LegStatus;
use castline_runner::{Project, Trouble};
use serde_json::{Value as Json, json};

use super::files::Places;
use crate::screen;

/// The version of every object here.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// One run, as `run --json` prints it.
pub(crate) fn run(record: &RunRecord, project: &Project) -> Json {
    let places = Places::new(project, record);
    let outputs = record.outputs.iter().map(|(name, value)| {
        let own = record.output_files.get(name).map(Vec::as_slice).unwrap_or_default();
        (name.to_string(), places.with_paths(value, own))
    });
    json!({
        "schema_version": SCHEMA_VERSION,
        "run": record.run,
        "workflow": record.workflow,
        "status": record.status,
        "provider": record.provider,
        "outputs": outputs.collect::<serde_json::Map<_, _>>(),
        "steps": record.legs.iter().map(|leg| self::leg(leg, &places)).collect::<Vec<_>>(),
        "cost_usd": record.totals.cost.usd(),
        "would_cost_usd": record.totals.would_cost.usd(),
        "saved_usd": record.totals.saved.usd(),
        "unpriced": record.totals.unpriced,
        "drift": record.drift().iter().map(drift).collect::<Vec<_>>(),
        "project": project.root,
        "elapsed_seconds": record.elapsed_seconds,
    })
}

fn leg(leg: &LegRecord, places: &Places) -> Json {
    let request = leg.request.as_ref();
    let input =
        request.map(|r| r.input.iter().map(|(k, v)| (k.clone(), castline_core::plain::json(v))).collect());
    json!({
        "step": leg.leg.step,
        "leg": leg.leg.leg,
        "status": leg.status,
        "reused": leg.reused,
        "why": leg.why,
        "key": request.map(|r| r.key),
        "model": request.map(|r| &r.model),
        "provider": request.map(|r| &r.provider),
        "prediction": leg.prediction,
        "created": leg.created,
        "finished": leg.finished,
        "predict_seconds": leg.predict_seconds,
        "cost_usd": leg.cost.map(MicroUsd::usd),
        "failed_attempts_usd": leg.lost.usd(),
        "min_usd": leg.estimate.map(|e| e.min.usd()),
        "max_usd": leg.estimate.map(|e| e.max.usd()),
        "drift": leg.drift().is_some(),
        "input": input.map(|map| places.with_paths(&Json::Object(map), &[])),
        "output": leg.output.as_ref().map(|output| places.with_paths(output, &leg.saved)),
        "error": leg.failure,
    })
}

fn drift(drift: &Drift) -> Json {
    json!({
        "model": drift.model,
        "provider": drift.provider,
        "legs": drift.legs,
        "min_usd": drift.expected.min.usd(),
        "max_usd": drift.expected.max.usd(),
        "cost_usd": drift.settled.usd(),
    })
}

/// Many runs, in short.
pub(crate) fn runs(records: &[RunRecord], project: &Project) -> Json {
    let runs: Vec<_> = records.iter().map(in_short).collect();
    json!({ "schema_version": SCHEMA_VERSION, "project": project.root, "runs": runs })
}

fn in_short(record: &RunRecord) -> Json {
    let counts = Counts::of(record);
    json!({
        "run": record.run,
        "workflow": record.workflow,
        "file": record.file,
        "provider": record.provider,
        "status": record.status,
        "started": record.started,
        "elapsed_seconds": record.elapsed_seconds,
        "legs": record.legs.len(),
        "ran": counts.ran,
        "reused": counts.reused,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "in_doubt": counts.in_doubt,
        "refused": counts.refused,
        "not_run": counts.not_run,
        "cost_usd": record.totals.cost.usd(),
    })
}

/// How the legs of a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// With an output that was made in this run.
    pub ran: usize,
    /// With an output that was there already.
    pub reused: usize,
    /// Skipped.
    pub skipped: usize,
    /// Failed, canceled or expired.
    pub failed: usize,
    /// Nobody knows whether their creates were received.
    pub in_doubt: usize,
    /// The budget did not allow them.
    pub refused: usize,
    /// Not run.
    pub not_run: usize,
}

impl Counts {
    /// Of a run.
    pub(crate) fn of(record: &RunRecord) -> Self {
        let mut counts = Self::default();
        for leg in &record.legs {
            *match leg.status {
                LegStatus::Succeeded if leg.reused => &mut counts.reused,
                LegStatus::Succeeded => &mut counts.ran,
                LegStatus::Skipped => &mut counts.skipped,
                LegStatus::NotRun => &mut counts.not_run,
                LegStatus::Failed | LegStatus::Canceled | LegStatus::Expired => &mut counts.failed,
                LegStatus::InDoubt => &mut counts.in_doubt,
                LegStatus::Refused => &mut counts.refused,
            } += 1;
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    /// `7 ran, 1 reused`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.ran, "ran"),
            (self.reused, "reused"),
            (self.skipped, "skipped"),
            (self.failed, "failed"),
            (self.in_doubt, "in doubt"),
            (self.refused, "refused"),
            (self.not_run, "not run"),
        ];
        let parts: Vec<_> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        f.write_str(if parts.is_empty() { "nothing to do" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Writes events, one a line. When it cannot write it says so once and is silent from then on.
pub(crate) struct Lines {
    to: Option<Box<dyn Write + Send>>,
}

impl Lines {
    /// To a file, or to stdout for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        if path.as_os_str() == "-" {
            return Ok(Self { to: Some(Box::new(std::io::stdout())) });
        }
        let file = File::create(path).map_err(|e| {
            let message = format!("cannot write events to `{}`: {e}", path.display());
            Trouble::usage(message, "give a file in a folder that exists, or `-` for stdout")
        })?;
        Ok(Self { to: Some(Box::new(BufWriter::new(file))) })
    }

    /// Writes one event.
    pub(crate) fn take(&mut self, entry: &Entry) {
        let Some(to) = &mut self.to else { return };
        let line = serde_json::to_string(entry).expect("an event is valid JSON");
        if let Err(e) = writeln!(to, "{line}").and_then(|()| to.flush()) {
            self.to = None;
            screen::warn(&format!("no more events are written: {e}"));
        }
    }
}

/// An object as `--json` prints it.
pub(crate) fn print(object: &Json) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(object).expect("a JSON value is valid JSON");
    screen::data(&format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{events, project, record};

    #[test]
    fn a_run_as_json_has_a_path_for_every_file() {
        insta::assert_json_snapshot!(run(&record(), &project()));
    }

    #[test]
    fn runs_are_listed_in_short() {
        insta::assert_json_snapshot!(runs(&[record()], &project()));
    }

    #[test]
    fn an_event_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut lines = Lines::open(&path).unwrap();
        events().iter().for_each(|entry| lines.take(entry));
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let trouble = Lines::open(Path::new("/nowhere/events.jsonl")).err().unwrap();
        assert!(trouble.to_string().contains("/nowhere/events.jsonl"), "{trouble}");
    }
}
