//! How the figures are shown: a table for people, JSON for programs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use crate::Wrong;
use crate::measure::Taken;

/// Raised when a field changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Millis,
    Megabytes,
    Times,
    Count,
}

/// What is aimed at, and what was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    what: String,
    found: f64,
    at_most: f64,
    unit: Unit,
    met: bool,
}

/// A row with its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub row: &'static str,
    pub what: &'static str,
    /// How often it was measured.
    pub runs: usize,
    /// Seconds, of each time.
    pub wall: Vec<f64>,
    /// Medians.
    pub castline: Taken,
    /// Medians of the bare loop.
    pub bare: Option<Taken>,
    /// Seconds.
    pub ideal: Option<f64>,
    pub goals: Vec<Goal>,
    pub notes: Vec<String>,
}

/// What it was measured on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    system: &'static str,
    architecture: &'static str,
    cores: usize,
    /// What else went on: the load of the last minute, where that is known.
    load: Option<f64>,
    /// Milliseconds that a small durable write takes there.
    durable_write: f64,
    debug_build: bool,
}

impl Goal {
    pub(crate) fn new(what: &str, found: f64, at_most: f64, unit: Unit) -> Self {
        Self { what: what.to_owned(), found, at_most, unit, met: found <= at_most }
    }

    fn words(&self) -> String {
        let figure = |value: f64| match self.unit {
            Unit::Millis => format!("{value:.1} ms"),
            Unit::Megabytes => format!("{value:.1} MB"),
            Unit::Times => format!("{value:.2} x"),
            Unit::Count => format!("{value:.0}"),
        };
        let word = if self.met { "met" } else { "MISSED" };
        format!("{word}: {} {}, at most {}", self.what, figure(self.found), figure(self.at_most))
    }
}

impl Machine {
    /// Looks at the machine, and writes a little into the folder that is measured in.
    pub(crate) fn look(folder: &Path) -> Result<Self, Wrong> {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Ok(Self {
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            load: load.and_then(|text| text.split(' ').next()?.parse().ok()),
            durable_write: durable_write(folder)?,
            debug_build: cfg!(debug_assertions),
        })
    }
}

/// Milliseconds, the median of some.
fn durable_write(folder: &Path) -> Result<f64, Wrong> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..21 {
        let began = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Everything, for programs.
pub(crate) fn json(machine: &Machine, outcomes: &[Outcome]) -> Result<(), Wrong> {
    let all = json!({ "schema_version": SCHEMA_VERSION, "machine": machine, "rows": outcomes });
    println!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}

/// A line for each row, and under it what was aimed at.
pub(crate) fn table(machine: &Machine, outcomes: &[Outcome]) -> Result<(), Wrong> {
    let mut out = std::io::stdout().lock();
    let Machine { system, architecture, cores, durable_write, .. } = machine;
    let load = machine.load.map(|load| format!(", load {load:.1} before")).unwrap_or_default();
    writeln!(
        out,
        "{system} {architecture}, {cores} cores{load}; a small durable write takes {durable_write:.1} ms"
    )?;
    if machine.debug_build {
        writeln!(out, "This is a debug build: the figures say nothing.")?;
    }
    writeln!(
        out,
        "\n{:<12} {:>9} {:>19} {:>3} {:>8} {:>7} {:>9} {:>7} {:>7} {:>7} {:>8}",
        "row", "median", "from - to", "n", "ideal", "ratio", "bare loop", "ratio", "CPU s", "ratio", "memory"
    )?;
    for outcome in outcomes {
        writeln!(out, "{}", outcome.line())?;
        writeln!(out, "    {}", outcome.what)?;
        outcome.goals.iter().try_for_each(|goal| writeln!(out, "    {}", goal.words()))?;
        outcome.notes.iter().try_for_each(|note| writeln!(out, "    {note}"))?;
    }
    let (met, all) = (
        outcomes.iter().flat_map(|outcome| &outcome.goals).filter(|goal| goal.met).count(),
        outcomes.iter().map(|outcome| outcome.goals.len()).sum::<usize>(),
    );
    Ok(writeln!(out, "\n{met} of {all} targets met.")?)
}

impl Outcome {
    fn line(&self) -> String {
        let Taken { wall, cpu, memory } = self.castline;
        let least = self.wall.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.wall.iter().copied().fold(0.0, f64::max);
        let ratio = |whole: Option<f64>, part: Option<f64>| {
            whole.zip(part).map_or_else(String::new, |(whole, part)| format!("{:.2} x", whole / part))
        };
        let bare = self.bare;
        format!(
            "{:<12} {:>9} {:>19} {:>3} {:>8} {:>7} {:>9} {:>7} {:>7} {:>7} {:>8}",
            self.row,
            time(wall),
            format!("{} - {}", time(least), time(most)),
            self.runs,
            self.ideal.map(time).unwrap_or_default(),
            ratio(Some(wall), self.ideal),
            bare.map(|bare| time(bare.wall)).unwrap_or_default(),
            ratio(Some(wall), bare.map(|bare| bare.wall)),
            format!("{cpu:.2}"),
            ratio(Some(cpu), bare.map(|bare| bare.cpu)),
            memory.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6)).unwrap_or_default(),
        )
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}
