//! A watch for programs: one JSON object a line.
//!
//! The shapes are documented in `docs/reference/json.md`; within a version fields are added
//! and none is taken away.

use castline_core::MicroUsd;
use castline_core::bill::Bill;
use castline_core::comparison::Change;
use castline_runner::watch::{News, Next, Planned};
use castline_runner::{Over, Trouble};
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::report::json::{Lines, SCHEMA_VERSION};
use crate::report::{comparison, diagnostic};

/// Writes what happens.
pub(crate) struct Json {
    lines: Lines,
    seq: u64,
    /// Where the page of each workflow is, when pages are served.
    pages: IndexMap<String, String>,
}

impl Json {
    /// To stdout.
    pub(crate) fn new(pages: IndexMap<String, String>) -> Self {
        Self { lines: Lines::on_stdout(), seq: 0, pages }
    }

    /// Hears what happened.
    pub(crate) fn take(&mut self, news: &News) {
        let mut line =
            json!({ "schema_version": SCHEMA_VERSION, "seq": self.seq, "at": jiff::Timestamp::now() });
        if let (Value::Object(line), Value::Object(news)) = (&mut line, self.object(news)) {
            line.extend(news);
        }
        self.seq += 1;
        self.lines.take(&line);
    }

    fn object(&self, news: &News) -> Value {
        match news {
            News::Watching { files } => json!({ "type": "watching", "files": files, "pages": self.pages }),
            News::Planned(planned) => self::planned(planned),
            News::Broken { file, found, goes_on } => json!({
                "type": "broken",
                "file": file,
                "diagnostics": diagnostic::json(found, None)["diagnostics"],
                "goes_on": goes_on,
            }),
            News::Repaired { file } => json!({ "type": "repaired", "file": file }),
            News::Refused { file, trouble } => refused("refused", file, trouble),
            News::Began(begun) => json!({
                "type": "run-began",
                "file": begun.file,
                "run": begun.run,
                "only_free": begun.only_free,
            }),
            News::Happened { file, run, entry } => {
                json!({ "type": "run-event", "file": file, "run": run, "event": entry })
            }
            News::Ended { file, run, over } => ended(file, run, over),
            News::Paused(paused) => json!({ "type": "paused", "paused": paused }),
            News::Warned { message } => json!({ "type": "warned", "message": message }),
        }
    }
}

fn planned(planned: &Planned) -> Value {
    let Bill { min, max, unpriced, unbounded } = planned.bill;
    let legs = planned.edit.as_ref().map(|edit| {
        let different = edit.legs.iter().filter(|leg| leg.change != Change::Kept);
        different.map(comparison::leg_json).collect::<Vec<_>>()
    });
    json!({
        "type": "planned",
        "file": planned.file,
        "workflow": planned.workflow,
        "provider": planned.plan.routing.chosen.name,
        "live": planned.live,
        "next": match planned.next {
            Next::Nothing => "nothing",
            Next::Runs => "runs",
            Next::WaitsForMoney => "waits-for-money",
            Next::Paused => "paused",
        },
        "legs": planned.plan.count(),
        "to_run": planned.legs,
        "min_usd": min.usd(),
        "max_usd": max.usd(),
        "unpriced": unpriced,
        "unbounded": unbounded,
        "edit": legs,
        "diagnostics": diagnostic::json(&planned.found, None)["diagnostics"],
    })
}

fn refused(kind: &str, file: &str, trouble: &Trouble) -> Value {
    json!({
        "type": kind,
        "file": file,
        "message": trouble.to_string(),
        "hint": trouble.hint(),
        "exit_code": trouble.exit_code(),
    })
}

fn ended(file: &str, run: &str, over: &Result<Option<Box<Over>>, Trouble>) -> Value {
    let cost = |cost: MicroUsd| cost.usd();
    match over {
        Ok(Some(over)) => json!({
            "type": "run-ended",
            "file": file,
            "run": run,
            "status": over.record.status,
            "cost_usd": cost(over.record.totals.cost),
            "elapsed_seconds": over.record.elapsed_seconds,
        }),
        Ok(None) => json!({ "type": "run-ended", "file": file, "run": run, "status": "interrupted",
            "cost_usd": 0.0, "elapsed_seconds": 0.0 }),
        Err(trouble) => {
            let mut object = refused("run-failed", file, trouble);
            object["run"] = run.into();
            object
        }
    }
}
