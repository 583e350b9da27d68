//! Progress on a terminal: a line for each step that is under way.

use std::io;

use castline_core::event::{LegRef, StepSummary};
use castline_spec::Name;
use console::Term;
use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::screen;

/// More lines than this would push away what was said before.
const MOST_LINES: usize = 10;

/// Columns of a line that are not its message.
const BESIDE: usize = 52;

/// Times a second that the display may change.
const CALM: u8 = 8;

/// The display. It is gone when it ends; what stays are the lines above it.
pub(super) struct Progress {
    display: MultiProgress,
    style: ProgressStyle,
    steps: IndexMap<Name, Step>,
}

/// A step and its legs.
struct Step {
    legs: u64,
    ended: u64,
    /// What is known of each leg that is under way.
    running: IndexMap<String, String>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let stderr = Box::new(Steady(Term::buffered_stderr()));
        let display = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(stderr, CALM));
        screen::set_progress(Some(display.clone()));
        let style = ProgressStyle::with_template("  {prefix}  {bar:12} {pos}/{len}  {elapsed:>3}  {msg}")
            .expect("a fixed template")
            .progress_chars("=> ");
        Self { display, style, steps: IndexMap::new() }
    }

    /// Learns the steps of the run.
    pub(super) fn know(&mut self, steps: &[StepSummary]) {
        self.steps = steps
            .iter()
            .map(|step| {
                let known = Step { legs: step.legs as u64, ended: 0, running: IndexMap::new(), bar: None };
                (step.name.clone(), known)
            })
            .collect();
    }

    /// The legs of a step are known.
    pub(super) fn opened(&mut self, step: &Name, legs: usize) {
        let Some(step) = self.steps.get_mut(step) else { return };
        step.legs = legs as u64;
        step.bar.iter().for_each(|bar| bar.set_length(step.legs));
    }

    /// A leg is under way.
    pub(super) fn started(&mut self, leg: &LegRef) {
        let lines = self.steps.values().filter(|step| step.bar.is_some()).count();
        let Some(step) = self.steps.get_mut(&leg.step) else { return };
        step.running.insert(leg.name.clone(), "starting".to_owned());
        if step.bar.is_none() && lines < MOST_LINES {
            let bar = self.display.add(ProgressBar::new(step.legs).with_style(self.style.clone()));
            bar.set_prefix(screen::short(leg.step.as_str(), 20));
            step.bar = Some(bar);
        }
        step.show();
    }

    /// A leg said how far it is.
    pub(super) fn heard(&mut self, leg: &LegRef, status: &str, fraction: Option<f64>) {
        let Some(step) = self.steps.get_mut(&leg.step) else { return };
        let word = match fraction {
            Some(fraction) => format!("{:.0}%", fraction.clamp(0.0, 1.0) * 100.0),
            None => status.to_owned(),
        };
        step.running.insert(leg.name.clone(), word);
        step.show();
    }

    /// A leg is over, in whatever way.
    pub(super) fn ended(&mut self, leg: &LegRef) {
        let Some(step) = self.steps.get_mut(&leg.step) else { return };
        step.running.shift_remove(&leg.name);
        step.ended += 1;
        step.show();
        if step.ended >= step.legs
            && let Some(bar) = step.bar.take()
        {
            bar.finish_and_clear();
            self.display.remove(&bar);
        }
    }

    pub(super) fn tick(&mut self) {
        self.steps.values().filter_map(|step| step.bar.as_ref()).for_each(ProgressBar::tick);
    }

    /// Leaves nothing behind.
    pub(super) fn end(self) {
        self.steps.values().filter_map(|step| step.bar.as_ref()).for_each(ProgressBar::finish_and_clear);
        screen::set_progress(None);
    }
}

impl Step {
    fn show(&self) {
        let Some(bar) = &self.bar else { return };
        let legs: Vec<_> = self.running.iter().map(|(leg, word)| format!("{} {word}", labels(leg))).collect();
        let room = screen::talk_width().unwrap_or(screen::USUAL_WIDTH).saturating_sub(BESIDE).max(10);
        bar.set_message(screen::short(&legs.join(", "), room));
        bar.set_position(self.ended);
    }
}

/// `style=linocut` of `styled[style=linocut]`.
fn labels(leg: &str) -> &str {
    leg.split_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'))
}

/// The terminal, with the cursor at the left when it rests. At the right, where the library
/// leaves it, the echo of Ctrl-C would begin a line that nobody takes away again.
#[derive(Debug)]
struct Steady(Term);

impl TermLike for Steady {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}
