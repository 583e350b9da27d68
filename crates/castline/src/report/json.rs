//! Runs as JSON: `run --json`, `runs --json` and the lines of `--events`.
//!
//! The shapes are documented in `docs/reference/json.md`; within a version fields are added
//! and none is taken away.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use castline_core::MicroUsd;
use castline_core::record::{Drift, LegRecord, RunRecord};
use castline_core::summary::RunSummary;
use castline_runner::{Project, Trouble, target};
use serde::Serialize;
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
        "output": leg.output_json().map(|output| places.with_paths(&output, &leg.saved)),
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
pub(crate) fn runs(runs: &[RunSummary], project: &Project) -> Json {
    let runs: Vec<_> = runs.iter().map(in_short).collect();
    json!({ "schema_version": SCHEMA_VERSION, "project": project.root, "runs": runs })
}

/// One of them.
pub(crate) fn in_short(run: &RunSummary) -> Json {
    let counts = run.counts;
    json!({
        "run": run.run,
        "workflow": run.workflow,
        "file": run.file,
        "provider": run.provider,
        "status": run.status,
        "started": run.started,
        "elapsed_seconds": run.elapsed_seconds,
        "legs": counts.legs(),
        "ran": counts.ran,
        "reused": counts.reused,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "in_doubt": counts.in_doubt,
        "refused": counts.refused,
        "not_run": counts.not_run,
        "cost_usd": run.totals.cost.usd(),
    })
}

/// Writes JSON, one object a line. When it cannot write it says so once and is silent from then on.
pub(crate) struct Lines {
    to: Option<Box<dyn Write + Send>>,
}

impl Lines {
    /// To a file, or to stdout for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        if crate::cli::is_stdout(path) {
            return Ok(Self::on_stdout());
        }
        target::check(path)?;
        let file = File::create(path).map_err(|e| {
            let message = format!("cannot write events to `{}`: {e}", path.display());
            Trouble::usage(message, "give a file in a folder that exists, or `-` for stdout")
        })?;
        Ok(Self { to: Some(Box::new(BufWriter::new(file))) })
    }

    /// To stdout.
    pub(crate) fn on_stdout() -> Self {
        Self { to: Some(Box::new(std::io::stdout())) }
    }

    /// Writes one object.
    pub(crate) fn take(&mut self, object: &impl Serialize) {
        let Some(to) = &mut self.to else { return };
        let line = serde_json::to_string(object).expect("it is plain data");
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
    use castline_core::event::Entry;

    use super::*;
    use crate::report::testing::{events, project, record};

    #[test]
    fn a_run_as_json_has_a_path_for_every_file() {
        insta::assert_json_snapshot!(run(&record(), &project()));
    }

    #[test]
    fn runs_are_listed_in_short() {
        insta::assert_json_snapshot!(runs(&[RunSummary::from(&record())], &project()));
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
