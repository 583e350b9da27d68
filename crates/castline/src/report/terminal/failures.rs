//! Failures of a run, those that are alike told once: how many legs, some of them, what to do.
//!
//! Failures are alike when they are of one kind and their messages differ in nothing but
//! numbers and ids. Of each kind one is remembered whole, however many there are.
//!
//! Start reading at [`Failures::take`]; [`Failures::draw`] says them.

use std::fmt::Write as _;

use castline_core::Failure;
use castline_core::results::LegStatus;
use indexmap::IndexMap;

use crate::report::hints;
use crate::report::plan::counted;
use crate::screen::{self, BAD, BOLD, DIM, HINT, printable};

/// Kinds that are shown; the rest is counted.
const MOST_SHOWN: usize = 10;
/// Kinds that are told apart.
const MOST_KINDS: usize = 200;
/// Legs that are named of one kind.
const MOST_NAMED: usize = 3;
/// So many failures cannot be read one by one.
const MANY: usize = 5;
/// As much of a message decides whether two are alike. Characters.
const COMPARED: usize = 300;
/// A line of a log is cut here.
const LOG_WIDTH: usize = 200;
/// The last lines of a log that are shown.
const LOG_LINES: usize = 8;

/// Failures that nothing handles, by kind.
#[derive(Default)]
pub(super) struct Failures {
    kinds: IndexMap<String, Kind>,
    /// Failures of further kinds.
    beyond: usize,
    legs: usize,
}

/// Failures that are alike.
struct Kind {
    status: LegStatus,
    failure: Failure,
    /// Every message is that of the first.
    same: bool,
    legs: usize,
    named: Vec<String>,
}

impl Failures {
    /// One more.
    pub(super) fn take(&mut self, leg: &str, status: LegStatus, failure: &Failure) {
        self.legs += 1;
        let sign = format!("{status:?} {:?} {}", failure.kind, without_numbers(&failure.message, leg));
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&sign) {
            self.beyond += 1;
            return;
        }
        let kind = self.kinds.entry(sign).or_insert_with(|| Kind {
            status,
            failure: failure.clone(),
            same: true,
            legs: 0,
            named: Vec::new(),
        });
        kind.legs += 1;
        kind.same &= kind.failure.message == failure.message;
        if kind.named.len() < MOST_NAMED {
            kind.named.push(leg.to_owned());
        }
    }

    /// A text for each kind, the most frequent first.
    pub(super) fn draw(&self) -> Vec<String> {
        let mut kinds: Vec<&Kind> = self.kinds.values().collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.legs));
        let mut texts: Vec<String> = kinds.iter().take(MOST_SHOWN).map(|kind| kind.draw()).collect();
        let rest: usize = kinds.iter().skip(MOST_SHOWN).map(|kind| kind.legs).sum::<usize>() + self.beyond;
        if rest > 0 {
            texts.push(format!("and {} of other kinds", counted(rest, "failure")));
        }
        if self.legs > MANY {
            texts.push(format!(
                "  = {HINT}hint{HINT:#}: `castline runs show --failed` lists all {}; run it again, and only these \
                 are tried anew",
                self.legs
            ));
        }
        texts
    }
}

impl Kind {
    /// The message, the end of the log, what to do.
    fn draw(&self) -> String {
        let verb = match (self.status, self.legs) {
            (LegStatus::InDoubt, 1) => "is in doubt",
            (LegStatus::InDoubt, _) => "are in doubt",
            (LegStatus::Canceled, 1) => "was canceled",
            (LegStatus::Canceled, _) => "were canceled",
            (LegStatus::Expired, 1) => "has expired",
            (LegStatus::Expired, _) => "have expired",
            (LegStatus::Refused, 1) => "was refused",
            (LegStatus::Refused, _) => "were refused",
            _ => "failed",
        };
        let first = printable(self.named.first().map(String::as_str).unwrap_or_default());
        let who = if self.legs == 1 { first.clone() } else { counted(self.legs, "leg") };
        let such_as = if self.same { String::new() } else { format!(" alike, {first} with") };
        let message = printable(&self.failure.message).replace('\n', &format!("\n  {DIM}|{DIM:#} "));
        let mut text = format!("{BAD}error{BAD:#}: {BOLD}{who}{BOLD:#} {verb}{such_as}: {message}");
        if self.legs > 1 {
            let named = printable(&self.named.join(", "));
            let more = match self.legs - self.named.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let _ = write!(text, "\n  {named}{more}");
        }
        for line in last_lines(&self.failure) {
            let _ = write!(text, "\n  {DIM}|{DIM:#} {}", screen::short(line, LOG_WIDTH));
        }
        if let Some(hint) = hints::of_failure(self.status, self.failure.kind) {
            let _ = write!(text, "\n  = {HINT}hint{HINT:#}: {hint}");
        }
        text
    }
}

fn last_lines(failure: &Failure) -> Vec<&str> {
    let lines: Vec<_> =
        failure.logs.iter().flat_map(|logs| logs.lines()).filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}

/// A message in which every number and every id is the same, and the leg's own name too.
fn without_numbers(message: &str, leg: &str) -> String {
    let message: String = message.replace(leg, "LEG").chars().take(COMPARED).collect();
    let mut text = String::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut rest = message.as_str();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (part, more) = rest.split_at(end);
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        // `512`, `01J8Z...`, `9f2c7a18`; but `E005` and `utf-8` say what it is about.
        match is_word(first)
            && digits > 0
            && (part.len() >= 8 || part.starts_with(|c: char| c.is_ascii_digit()))
        {
            true => text.push('#'),
            false => text.push_str(part),
        }
        rest = more;
    }
    text
}

#[cfg(test)]
mod tests {
    use castline_core::request::FailureKind;

    use super::*;

    fn drawn(failures: &Failures) -> String {
        console::strip_ansi_codes(&failures.draw().join("\n\n")).into_owned()
    }

    fn failed(failures: &mut Failures, leg: &str, kind: FailureKind, message: &str) {
        failures.take(leg, LegStatus::Failed, &Failure::new(kind, message));
    }

    #[test]
    fn messages_are_alike_that_differ_in_numbers_and_ids() {
        for (one, other) in [
            ("width 512 is too large", "width 1024 is too large"),
            ("prediction 9f2c7a18 broke at 10:01:02", "prediction 77aa01bb broke at 11:30:12"),
            ("`a[n=1]` reads nothing", "`a[n=2]` reads nothing"),
        ] {
            assert_eq!(without_numbers(one, "a[n=1]"), without_numbers(other, "a[n=2]"), "{one}");
        }
        assert_ne!(without_numbers("flagged (E005)", "a"), without_numbers("flagged (E006)", "a"));
    }

    #[test]
    fn failures_that_are_alike_are_told_once_the_most_frequent_first() {
        let mut failures = Failures::default();
        failed(&mut failures, "b", FailureKind::Other, "it broke");
        for n in 0..62 {
            let message = "The input was flagged as sensitive. (E005)";
            failed(&mut failures, &format!("a[n={n}]"), FailureKind::Moderation, message);
        }
        for n in 0..2 {
            failed(&mut failures, &format!("c[n={n}]"), FailureKind::Timeout, &format!("took {n} s"));
        }
        insta::assert_snapshot!(drawn(&failures), @r"
        error: 62 legs failed: The input was flagged as sensitive. (E005)
          a[n=0], a[n=1], a[n=2] and 59 more
          = hint: change the prompt or the input picture, or let the step go with `on_error: skip`

        error: 2 legs failed alike, c[n=0] with: took 0 s
          c[n=0], c[n=1]
          = hint: run again, or give the step a longer `timeout`

        error: b failed: it broke
          = hint: `castline runs show last --json` has all that was sent

          = hint: `castline runs show --failed` lists all 65; run it again, and only these are tried anew
        ");
    }

    #[test]
    fn of_a_thousand_kinds_a_few_are_shown_and_the_rest_is_counted() {
        let mut failures = Failures::default();
        for n in 0..1_000 {
            let letters: String = n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect();
            failed(&mut failures, "a", FailureKind::Other, &format!("no {letters}"));
        }
        assert_eq!(failures.kinds.len(), MOST_KINDS);
        assert!(drawn(&failures).contains("\n\nand 990 failures of other kinds\n"), "{}", drawn(&failures));
    }
}
