//! What a run came to: failures with what to do, counts, money, and where the files are.

use std::collections::BTreeMap;
use std::time::Duration;

use castline_core::MicroUsd;
use castline_core::event::RunStatus;
use castline_core::record::{RunRecord, SavedRecord};
use castline_core::summary::Counts;
use castline_runner::settled::Said;
use castline_spec::Name;
use serde_json::Value as Json;

use super::Terminal;
use crate::report::money::{bill, drift};
use crate::report::plan::{counted, duration};
use crate::screen::{self, BAD, DIM, GOOD, HINT, WARN, printable};

impl Terminal {
    /// Says how the run ended and where its files are; `report` is the one for browsers.
    pub(crate) fn finish(&mut self, record: &RunRecord, report: Option<&str>) {
        self.ended();
        self.say_failures();
        self.say("");
        let summary = summary(record);
        (self.sink)(&summary);
        if let Some(said) = &mut self.said {
            said.counts = counts(record);
        }
        for line in drift(record) {
            self.say(&line);
        }
        if record.status == Some(RunStatus::Interrupted) {
            self.say(&format!(
                "  = {HINT}hint{HINT:#}: run it again: what is finished is reused, what runs is adopted"
            ));
        }
        let places = self.places(record, report);
        let widest = places.iter().map(|(name, _)| screen::columns(name)).max().unwrap_or(0);
        for (name, place) in places {
            let line = format!("  {}   {place}", screen::pad(&name, widest));
            self.say(line.trim_end());
        }
    }

    /// The same of one of many runs of a workflow. Where files are is told once.
    pub(crate) fn finish_one_of_many(&mut self, record: &RunRecord, report: Option<&str>, first: bool) {
        if first {
            return self.finish(record, report);
        }
        self.ended();
        self.say_failures();
        let summary = summary(record);
        self.say(&summary);
        drift(record).iter().for_each(|line| self.say(line));
    }

    /// What a run came to that made way for another one: what it has paid, which that one has not.
    pub(crate) fn paid_on_the_way(record: &RunRecord) -> Option<String> {
        let cost = record.totals.cost;
        let ran = Counts::of(record).ran;
        (cost > MicroUsd::ZERO).then(|| {
            format!(
                "{DIM}the plan before made {} and cost {cost}; all of it is kept{DIM:#}",
                counted(ran, "leg")
            )
        })
    }

    fn say_failures(&mut self) {
        for text in std::mem::take(&mut self.failures).draw() {
            self.say("");
            self.say(&text);
        }
    }

    /// Names and places of what there is to see.
    fn places(&self, record: &RunRecord, report: Option<&str>) -> Vec<(String, String)> {
        let mut places = Vec::new();
        for (name, value) in &record.outputs {
            let files = record.output_files.get(name).map(Vec::as_slice).unwrap_or_default();
            let place = match files {
                [] => words(value),
                files => self.folder_or_file(&files.iter().collect::<Vec<_>>()),
            };
            places.push((name.to_string(), place));
        }
        let mut saved: BTreeMap<&Name, Vec<&SavedRecord>> = BTreeMap::new();
        for leg in record.legs.iter().filter(|leg| !leg.saved.is_empty()) {
            saved.entry(&leg.leg.step).or_default().extend(&leg.saved);
        }
        for step in &record.steps {
            if let Some(files) = saved.get(&step.name) {
                places.push((step.name.to_string(), self.folder_or_file(files)));
            }
        }
        // What calls of workflows save.
        for (name, files) in
            record.output_files.iter().filter(|(name, _)| !record.outputs.contains_key(*name))
        {
            places.push((name.to_string(), self.folder_or_file(&files.iter().collect::<Vec<_>>())));
        }
        places.extend(report.map(|report| ("report".to_owned(), printable(report))));
        places
    }

    fn folder_or_file(&self, files: &[&SavedRecord]) -> String {
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

/// `done in 3.1 s: 7 ran, 1 reused; nothing to pay`.
fn summary(record: &RunRecord) -> String {
    let (word, style) = match record.status {
        Some(RunStatus::Succeeded) => ("done in", GOOD),
        Some(RunStatus::Failed) => ("failed after", BAD),
        Some(RunStatus::Refused) => ("refused after", BAD),
        Some(RunStatus::InDoubt) => ("in doubt after", BAD),
        Some(RunStatus::Interrupted) => ("interrupted after", WARN),
        None => ("never ended, after", WARN),
    };
    format!("{style}{word}{style:#} {}: {}", duration(record.elapsed_seconds), counts(record))
}

fn counts(record: &RunRecord) -> String {
    format!("{}; {}", Counts::of(record), bill(record))
}

/// Says again what was said of a run that had nothing to do, because it has nothing to do now either.
pub(crate) fn say_settled(said: &Said, took: Duration) {
    said.before.iter().for_each(|line| screen::say(line));
    screen::say(&format!("{GOOD}done in{GOOD:#} {}: {}", duration(took.as_secs_f64()), said.counts));
    said.after.iter().for_each(|line| screen::say(line));
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
