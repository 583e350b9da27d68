//! Progress on a terminal: a line for each step that is under way or waits, and one for the money.
//!
//! ```text
//!   draft           #       1/1
//!   styled [style]  ##>>.   2/5  linocut 40%, bauhaus starting
//!   sheet           .       0/1  waits for styled
//!   0.04 USD so far, 0.08 USD reserved; 2 running, 2 waiting; 12 s
//! ```
//!
//! A cell is a leg: `#` ran, `=` reused, `>` runs, `.` waits, `-` does not run, `x` failed. It keeps
//! its place from the time that something is known of the leg.
//!
//! Start reading at [`Progress::draw`].

use std::collections::BTreeMap;

use castline_core::MicroUsd;
use castline_core::event::{LegRef, StepSummary};
use castline_core::plan::LegName;
use castline_core::price::Estimate;
use castline_spec::Name;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::report::plan::duration;
use crate::screen::{self, BAD, DIM, GOOD, HINT, Live, WARN, printable};

/// More steps than this would push away what was said before.
const MOST_LINES: usize = 10;
/// Rows that are left to what was said before.
const LEAST_ABOVE: usize = 4;
/// A step has so many cells at most, and at least; more legs share them.
const CELLS: std::ops::RangeInclusive<usize> = 6..=24;
/// Columns of a step's name with its axes.
const MOST_NAME: usize = 24;

/// The display. It is gone when it ends; what stays are the lines above it.
pub(super) struct Progress {
    live: Live,
    steps: IndexMap<Name, Step>,
    began: Option<Timestamp>,
    /// Paid for what has ended.
    spent: MicroUsd,
}

/// A step and its legs.
#[derive(Default)]
struct Step {
    /// Its name with its axes.
    title: String,
    legs: usize,
    reads: Vec<Name>,
    /// What is known of legs, by their names, in the order in which something came to be known.
    cells: IndexMap<String, Cell>,
    counts: BTreeMap<Cell, usize>,
    /// What is known of each leg that is under way.
    running: IndexMap<String, Running>,
}

/// A leg that is under way.
struct Running {
    word: String,
    reserved: MicroUsd,
}

/// How a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Ran,
    Reused,
    Running,
    Waiting,
    Idle,
    Failed,
}

impl Cell {
    /// What became of a leg, by the word that its line has.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "ran" => Self::Ran,
            "reused" => Self::Reused,
            "skipped" | "not run" | "canceled" => Self::Idle,
            _ => Self::Failed,
        }
    }

    fn sign(self) -> (char, anstyle::Style) {
        match self {
            Self::Ran => ('#', GOOD),
            Self::Reused => ('=', GOOD),
            Self::Running => ('>', HINT),
            Self::Waiting => ('.', DIM),
            Self::Idle => ('-', WARN),
            Self::Failed => ('x', BAD),
        }
    }

    fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }
}

impl Progress {
    pub(super) fn begin(live: Live) -> Self {
        Self { live, steps: IndexMap::new(), began: None, spent: MicroUsd::ZERO }
    }

    /// Learns the steps of the run.
    pub(super) fn know(&mut self, steps: &[StepSummary], at: Timestamp) {
        self.began = Some(at);
        let step = |step: &StepSummary| {
            let axes: Vec<_> = step.axes.iter().map(Name::as_str).collect();
            let axes = if axes.is_empty() { String::new() } else { format!(" [{}]", axes.join(", ")) };
            let title = printable(&format!("{}{axes}", step.name));
            Step { title, legs: step.legs, reads: step.reads.clone(), ..Step::default() }
        };
        self.steps = steps.iter().map(|summary| (summary.name.clone(), step(summary))).collect();
    }

    /// The legs of a step are known.
    pub(super) fn opened(&mut self, step: &Name, legs: usize) {
        if let Some(step) = self.steps.get_mut(step) {
            step.legs = legs;
        }
    }

    /// A leg is under way.
    pub(super) fn started(&mut self, leg: &LegRef, estimate: Option<Estimate>, bills: bool) {
        let Some(step) = self.steps.get_mut(&leg.step) else { return };
        let reserved = estimate.filter(|_| bills).map(|estimate| estimate.max).unwrap_or_default();
        step.running.insert(leg.name.clone(), Running { word: "starting".to_owned(), reserved });
        step.put(leg, Cell::Running);
    }

    /// A leg said how far it is.
    pub(super) fn heard(&mut self, leg: &LegRef, status: &str, fraction: Option<f64>) {
        let running = self.steps.get_mut(&leg.step).and_then(|step| step.running.get_mut(&leg.name));
        let Some(running) = running else { return };
        running.word = match fraction {
            Some(fraction) => format!("{:.0}%", fraction.clamp(0.0, 1.0) * 100.0),
            // How far it was is more than that it still goes on.
            None if status == "processing" && running.word.ends_with('%') => return,
            None => status.to_owned(),
        };
    }

    /// A leg is over.
    pub(super) fn ended(&mut self, leg: &LegRef, cell: Cell, cost: Option<MicroUsd>) {
        let Some(step) = self.steps.get_mut(&leg.step) else { return };
        step.running.shift_remove(&leg.name);
        step.put(leg, cell);
        self.spent += cost.unwrap_or_default();
    }

    /// Shows what had to wait.
    pub(super) fn tick(&self, now: Timestamp) {
        self.live.tick();
        self.show(now);
    }

    /// Shows how it stands now.
    pub(super) fn show(&self, now: Timestamp) {
        let width = screen::talk_width().unwrap_or(screen::USUAL_WIDTH);
        let height = screen::talk_height().unwrap_or(24);
        self.live.show(self.draw(now, width, height));
    }

    /// The lines for a terminal of this size; none when nothing is under way.
    pub(super) fn draw(&self, now: Timestamp, width: usize, height: usize) -> Vec<String> {
        // The last column stays free: some terminals begin another line with it.
        let width = width.saturating_sub(1);
        let open: Vec<&Step> = self.steps.values().filter(|step| !step.is_over()).collect();
        let running: usize = open.iter().map(|step| step.running.len()).sum();
        if open.is_empty() || self.began.is_none() {
            return Vec::new();
        }
        let most = MOST_LINES.min(height.saturating_sub(LEAST_ABOVE).max(1));
        // What runs is shown before what waits.
        let (mut shown, waiting): (Vec<&Step>, Vec<&Step>) =
            open.iter().copied().partition(|step| !step.running.is_empty());
        shown.extend(waiting);
        shown.truncate(most);
        let shown: Vec<&Step> = open
            .iter()
            .copied()
            .filter(|step| shown.iter().any(|other| std::ptr::eq(*other, *step)))
            .collect();
        let titles = shown.iter().map(|step| screen::columns(&step.title)).max().unwrap_or(0).min(MOST_NAME);
        let most_cells = (width.saturating_sub(titles + 10) / 3).clamp(*CELLS.start(), *CELLS.end());
        let cells = shown.iter().map(|step| step.legs.min(most_cells)).max().unwrap_or(0);
        let counts = shown.iter().map(|step| step.count().len()).max().unwrap_or(0);
        let beside = titles + cells + counts + 8;
        let mut lines: Vec<String> = shown
            .iter()
            .map(|step| {
                let title = screen::pad(&screen::short(&step.title, titles), titles);
                let room = width.saturating_sub(beside);
                let words = if room < 8 { String::new() } else { screen::short(&self.words(step), room) };
                let space = " ".repeat(cells.saturating_sub(step.legs.min(most_cells)));
                let count = screen::pad(&step.count(), counts);
                let line = format!(
                    "  {title}  {}{space}  {count}  {DIM}{words}{DIM:#}",
                    step.draw_cells(most_cells)
                );
                console::truncate_str(&line, width, "").into_owned()
            })
            .collect();
        if open.len() > shown.len() {
            let more = open.len() - shown.len();
            lines.push(format!("  {DIM}and {more} more step{}{DIM:#}", if more == 1 { "" } else { "s" }));
        }
        lines.push(format!("  {}", screen::short(&self.sums(now, running, &open), width.saturating_sub(2))));
        lines
    }

    /// What runs of a step, or what it waits for.
    fn words(&self, step: &Step) -> String {
        if !step.running.is_empty() {
            let of = |(leg, running): (&String, &Running)| format!("{} {}", labels(leg), running.word);
            return step
                .running
                .iter()
                .map(of)
                .map(|text| text.trim().to_owned())
                .collect::<Vec<_>>()
                .join(", ");
        }
        let is_open = |name: &&Name| self.steps.get(*name).is_some_and(|step| !step.is_over());
        let waits: Vec<_> = step.reads.iter().filter(is_open).map(Name::as_str).collect();
        match waits.is_empty() {
            true => "waits for a turn".to_owned(),
            false => format!("waits for {}", waits.join(", ")),
        }
    }

    fn sums(&self, now: Timestamp, running: usize, open: &[&Step]) -> String {
        let reserved: MicroUsd = open.iter().flat_map(|step| step.running.values()).map(|r| r.reserved).sum();
        let waiting: usize = open.iter().map(|step| step.left().saturating_sub(step.running.len())).sum();
        let money = match self.spent + reserved == MicroUsd::ZERO {
            true => String::new(),
            false => format!("{} so far, {reserved} reserved; ", self.spent),
        };
        let seconds = self.began.map_or(0.0, |began| now.duration_since(began).as_secs_f64().max(0.0));
        // Tenths would only flicker.
        let time = if seconds < 100.0 { format!("{:.0} s", seconds.floor()) } else { duration(seconds) };
        format!("{money}{running} running, {waiting} waiting; {time}")
    }
}

impl Step {
    fn put(&mut self, leg: &LegRef, cell: Cell) {
        if let Some(before) = self.cells.insert(leg.name.clone(), cell)
            && let Some(n) = self.counts.get_mut(&before)
        {
            *n -= 1;
        }
        *self.counts.entry(cell).or_default() += 1;
    }

    fn over(&self) -> usize {
        self.counts.iter().filter(|(cell, _)| cell.is_over()).map(|(_, n)| n).sum()
    }

    fn left(&self) -> usize {
        self.legs.saturating_sub(self.over())
    }

    /// A step whose legs are not known yet has none.
    fn is_over(&self) -> bool {
        self.left() == 0 && self.running.is_empty()
    }

    fn count(&self) -> String {
        format!("{}/{}", self.over(), self.legs)
    }

    fn draw_cells(&self, most: usize) -> String {
        let row = self.row(most);
        let drawn = row.chunk_by(|a, b| a == b).map(|same| {
            let (sign, style) = same[0].sign();
            format!("{style}{}{style:#}", sign.to_string().repeat(same.len()))
        });
        drawn.collect()
    }

    /// A cell for each leg; where there are too many, as many of each kind as there is room for.
    fn row(&self, most: usize) -> Vec<Cell> {
        if self.legs <= most {
            let waiting = self.legs.saturating_sub(self.cells.len());
            return self.cells.values().copied().chain(std::iter::repeat_n(Cell::Waiting, waiting)).collect();
        }
        let mut row = Vec::new();
        let mut seen = 0;
        for cell in [Cell::Failed, Cell::Idle, Cell::Reused, Cell::Ran, Cell::Running] {
            seen += self.counts.get(&cell).copied().unwrap_or(0);
            row.resize((seen * most).div_ceil(self.legs).clamp(row.len(), most), cell);
        }
        row.resize(most, Cell::Waiting);
        row
    }
}

/// `linocut, 3` of `styled[style=linocut,n=3]`.
pub(crate) fn labels(leg: &str) -> String {
    let values = LegName::read(leg).pairs.into_iter().map(|(_, label)| label);
    printable(&values.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
