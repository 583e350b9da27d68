//! What a terminal shows while a run goes on, by a terminal that remembers it.

use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex};

use castline_core::MicroUsd;
use castline_core::event::{LegRef, StepSummary};
use castline_core::price::Estimate;
use indicatif::TermLike;
use jiff::Timestamp;
use serde_json::json;

use super::{Cell, Progress};
use crate::report::testing::{leg, step};
use crate::screen::{Display, Steady};

/// A terminal in memory.
#[derive(Clone)]
struct Screen(Arc<Mutex<vt100::Parser>>);

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

impl Screen {
    fn new(rows: u16, columns: u16) -> Self {
        let size = |n| NonZero::new(n).expect("a terminal has a size");
        Self(Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(columns), 1000))))
    }

    fn write(&self, text: &str) {
        self.0.lock().unwrap().process(text.replace('\n', "\r\n").as_bytes());
    }

    fn contents(&self) -> String {
        self.0.lock().unwrap().screen().contents()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.lock().unwrap().screen().size().1.get()
    }

    fn height(&self) -> u16 {
        self.0.lock().unwrap().screen().size().0.get()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.write(&format!("\x1b[{n}A"));
        }
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.write(&format!("\x1b[{n}B"));
        }
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.write(&format!("\x1b[{n}C"));
        }
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.write(&format!("\x1b[{n}D"));
        }
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write(&format!("{line}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.write(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn steps() -> Vec<StepSummary> {
    let one = |name, axes: &[&str], legs, reads: &[&str]| {
        serde_json::from_value(step(name, "flux-schnell", axes, legs, reads)).unwrap()
    };
    vec![
        one("draft", &[], 1, &[]),
        one("styled", &["style"], 5, &["draft"]),
        one("large", &["style", "scale"], 60, &["styled"]),
        one("sheet", &[], 1, &["styled"]),
    ]
}

fn styled(style: &str) -> LegRef {
    serde_json::from_value(leg("styled", &json!({ "style": style }))).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A run in the middle: of five styles one ran, one failed, two run.
fn in_the_middle(display: &Display) -> Progress {
    let mut progress = Progress::begin(display.room());
    let price = Some(Estimate { min: MicroUsd(40_000), max: MicroUsd(40_000) });
    progress.know(&steps(), at(0));
    let draft: LegRef = serde_json::from_value(leg("draft", &json!({}))).unwrap();
    progress.started(&draft, price, true);
    progress.ended(&draft, Cell::Ran, Some(MicroUsd(3000)));
    for style in ["ukiyo-e", "linocut", "claymation", "bauhaus"] {
        progress.started(&styled(style), price, true);
    }
    progress.ended(&styled("ukiyo-e"), Cell::Ran, Some(MicroUsd(40_000)));
    progress.ended(&styled("bauhaus"), Cell::Failed, None);
    progress.heard(&styled("linocut"), "processing", Some(0.4));
    // How far it was is not forgotten.
    progress.heard(&styled("linocut"), "processing", None);
    progress
}

fn drawn(width: usize, height: usize) -> String {
    let screen = Screen::new(height as u16, width as u16);
    let display = Display::on(Steady(screen), 255, false);
    let lines = in_the_middle(&display).draw(at(12), width, height);
    console::strip_ansi_codes(&lines.join("\n")).into_owned()
}

#[test]
fn steps_are_lines_and_legs_are_cells() {
    insta::assert_snapshot!(drawn(80, 24));
}

#[test]
fn a_narrow_terminal_has_the_same_in_short() {
    insta::assert_snapshot!(drawn(44, 24));
}

#[test]
fn a_low_terminal_has_what_runs() {
    insta::assert_snapshot!(drawn(80, 6));
}

#[test]
fn no_line_is_as_wide_as_the_terminal() {
    for width in 40..100 {
        let lines = drawn(width, 24);
        assert!(lines.lines().all(|line| crate::screen::columns(line) < width), "{width}:\n{lines}");
    }
}

#[test]
fn what_is_said_meanwhile_stands_above_and_nothing_is_lost() {
    // In the low one everything moves up with each line.
    for (rows, lines) in [(60, 40), (12, 3), (12, 40)] {
        let screen = Screen::new(rows, 80);
        let display = Display::on(Steady(screen.clone()), 255, true);
        let progress = in_the_middle(&display);
        let mut said = Vec::new();
        for n in 0..lines {
            let line = format!("  line {n}");
            display.above(|| screen.write(&format!("{line}\n")));
            said.push(line);
            progress.live.show(progress.draw(at(n), 80, usize::from(rows)));
            progress.live.tick();
        }
        let shown = screen.contents();
        assert!(shown.contains("styled [style]") && shown.contains("2 running"), "{shown}");
        drop(progress);
        // What was said is there, once and in its order, and nothing else.
        let shown = screen.contents();
        let shown: Vec<_> = shown.lines().filter(|row| !row.trim().is_empty()).collect();
        assert!(said.ends_with(&shown.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()), "{shown:?}");
        assert!(shown.len() >= said.len().min(usize::from(rows) - 7), "{shown:?}");
    }
}

#[test]
fn a_terminal_gets_no_line_that_was_not_asked_for_when_nothing_runs() {
    let screen = Screen::new(24, 80);
    let display = Display::on(Steady(screen.clone()), 255, true);
    let mut progress = Progress::begin(display.room());
    progress.know(&steps()[..1], at(0));
    let draft: LegRef = serde_json::from_value(leg("draft", &json!({}))).unwrap();
    progress.ended(&draft, Cell::Reused, None);
    progress.show(at(1));
    assert_eq!(screen.contents(), "");
}
