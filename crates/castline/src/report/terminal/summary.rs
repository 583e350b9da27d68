//! What a run came to: failures with what to do, counts, money, and where the files are.

use std::fmt::Write as _;

use castline_core::Failure;
use castline_core::event::RunStatus;
use castline_core::record::SavedRecord;
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use serde_json::Value as Json;

use super::{Ended, Terminal};
use crate::report::json::Counts;
use crate::report::money::{bill, drift};
use crate::report::plan::{counted, duration};
use crate::screen::{self, BAD, BOLD, DIM, GOOD, HINT, WARN, printable};

/// More failures are counted, not listed.
const MOST_FAILURES: usize = 10;

/// A line of a log is cut here.
const LOG_WIDTH: usize = 200;

/// The last lines of a log that are shown.
const LOG_LINES: usize = 8;

impl Terminal {
    /// Says how the run ended and where its files are; `report` is the one for browsers.
    pub(crate) fn finish(&mut self, report: Option<&str>) {
        self.ended();
        self.say_failures();
        self.say("");
        let summary = self.summary();
        self.say(&summary);
        for line in drift(&self.recorder.record) {
            self.say(&line);
        }
        if self.recorder.record.status == Some(RunStatus::Interrupted) {
            self.say(&format!(
                "  = {HINT}hint{HINT:#}: run it again: what is finished is reused, what runs is adopted"
            ));
        }
        let places = self.places(report);
        let widest = places.iter().map(|(name, _)| screen::columns(name)).max().unwrap_or(0);
        for (name, place) in places {
            let line = format!("  {}   {place}", screen::pad(&name, widest));
            self.say(line.trim_end());
        }
    }

    fn say_failures(&mut self) {
        let failures = std::mem::take(&mut self.failures);
        for ended in failures.iter().take(MOST_FAILURES) {
            self.say("");
            self.say(&ended.draw());
        }
        if failures.len() > MOST_FAILURES {
            self.say(&format!("\nand {} more", counted(failures.len() - MOST_FAILURES, "failure")));
        }
    }

    /// `done in 3.1 s: 7 ran, 1 reused; nothing to pay`.
    fn summary(&self) -> String {
        let counts = Counts::of(&self.recorder.record);
        let (word, style) = match self.recorder.record.status {
            Some(RunStatus::Succeeded) => ("done in", GOOD),
            Some(RunStatus::Failed) => ("failed after", BAD),
            Some(RunStatus::Refused) => ("refused after", BAD),
            Some(RunStatus::InDoubt) => ("in doubt after", BAD),
            Some(RunStatus::Interrupted) => ("interrupted after", WARN),
            None => ("never ended, after", WARN),
        };
        let time = duration(self.recorder.record.elapsed_seconds);
        format!("{style}{word}{style:#} {time}: {}; {}", counts, bill(&self.recorder.record))
    }

    /// Names and places of what there is to see.
    fn places(&self, report: Option<&str>) -> Vec<(String, String)> {
        let mut places = Vec::new();
        for (name, value) in &self.recorder.record.outputs {
            let files = self.recorder.record.output_files.get(name).map(Vec::as_slice).unwrap_or_default();
            let place = match files {
                [] => words(value),
                files => self.folder_or_file(files),
            };
            places.push((name.to_string(), place));
        }
        for step in &self.recorder.record.steps {
            let legs = self.recorder.record.legs.iter().filter(|leg| leg.leg.step == step.name);
            let files: Vec<SavedRecord> = legs.flat_map(|leg| leg.saved.clone()).collect();
            if !files.is_empty() {
                places.push((step.name.to_string(), self.folder_or_file(&files)));
            }
        }
        places.extend(report.map(|report| ("report".to_owned(), printable(report))));
        places
    }

    fn folder_or_file(&self, files: &[SavedRecord]) -> String {
        let shown = |path: &str| printable(&castline_runner::shown(&self.root.join(path)));
        match files {
            [file] => shown(&file.path),
            files => {
                let folder = common_folder(files.iter().map(|f| f.path.as_str()));
                format!("{}/ ({})", shown(folder), counted(files.len(), "file"))
            }
        }
    }
}

/// An output that is no file.
fn words(value: &Json) -> String {
    match value {
        Json::Null => format!("{DIM}nothing{DIM:#}"),
        Json::Array(items) if items.is_empty() => format!("{DIM}nothing{DIM:#}"),
        Json::String(text) => screen::short(text, 100),
        other => screen::short(&other.to_string(), 100),
    }
}

/// The folder that all paths are in.
fn common_folder<'a>(paths: impl Iterator<Item = &'a str>) -> &'a str {
    let folder = |path: &'a str| path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let both = |a: &'a str, b: &'a str| {
        let same = a.split('/').zip(b.split('/')).take_while(|(x, y)| x == y);
        let bytes: usize = same.map(|(part, _)| part.len() + 1).sum();
        &a[..bytes.saturating_sub(1).min(a.len())]
    };
    paths.map(folder).reduce(both).unwrap_or_default()
}

impl Ended {
    /// The message, the end of the log, what to do.
    fn draw(&self) -> String {
        let verb = match self.status {
            LegStatus::InDoubt => "is in doubt",
            LegStatus::Canceled => "was canceled",
            LegStatus::Expired => "has expired",
            LegStatus::Refused => "was refused",
            _ => "failed",
        };
        let message = printable(&self.failure.message);
        let mut text = format!("{BAD}error{BAD:#}: {BOLD}{}{BOLD:#} {verb}: {message}", printable(&self.leg));
        for line in last_lines(&self.failure) {
            let _ = write!(text, "\n  {DIM}|{DIM:#} {}", screen::short(line, LOG_WIDTH));
        }
        if let Some(hint) = self.hint() {
            let _ = write!(text, "\n  = {HINT}hint{HINT:#}: {hint}");
        }
        text
    }

    fn hint(&self) -> Option<&'static str> {
        match (self.status, self.failure.kind) {
            // Its message says what to do.
            (LegStatus::InDoubt | LegStatus::Refused, _) => None,
            (LegStatus::Canceled, _) => Some("run again: what is finished is reused"),
            (LegStatus::Expired, _) => {
                Some("it was paid for and is gone; change the step, or give it a `draw:`, to make it anew")
            }
            (_, FailureKind::Moderation) => {
                Some("change the prompt or the input picture, or let the step go with `on_error: skip`")
            }
            (_, FailureKind::Platform) => {
                Some("run again: what is finished is reused; `retry: { times: 2 }` does it by itself")
            }
            (_, FailureKind::Input) => Some("`castline why FILE STEP` shows what the step sends"),
            (_, FailureKind::Timeout) => Some("run again, or give the step a longer `timeout`"),
            (_, FailureKind::Output | FailureKind::Expired) => {
                Some("run again, or retry by itself with `retry: { times: 2, on: [output] }`")
            }
            (_, FailureKind::Other) => Some("`castline runs show last --json` has all that was sent"),
        }
    }
}

fn last_lines(failure: &Failure) -> Vec<&str> {
    let lines: Vec<_> =
        failure.logs.iter().flat_map(|logs| logs.lines()).filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}
