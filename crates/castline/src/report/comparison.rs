//! What an edit does: the legs that it adds, drops and changes, and what that costs.
//!
//! Start reading at [`Edit::draw`]; [`Edit::json`] is its other face.

use std::fmt::Write as _;

use castline_core::MicroUsd;
use castline_core::bill::Bill;
use castline_core::comparison::{Change, Compared, Comparison};
use castline_core::plan::Plan;
use castline_spec::Name;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::json::SCHEMA_VERSION;
use super::plan::{Seen, bill_text, counted, headline, price_text};
use super::why;
use crate::screen::{self, BAD, BOLD, DIM, GOOD, HINT};

/// So many legs of one step are shown one by one.
const MOST_LEGS: usize = 12;

/// A comparison with the names of both sides.
pub(crate) struct Edit<'a> {
    /// What is different.
    pub compared: &'a Comparison,
    /// The newer plan.
    pub plan: &'a Plan,
    /// The workflow's file.
    pub file: &'a str,
    /// The revision or file that it is held against.
    pub other: &'a str,
}

impl Edit<'_> {
    /// As people read it.
    pub(crate) fn draw(&self) -> String {
        let (live, provider) = (self.is_live(), self.plan.routing.chosen.name.to_string());
        let head = headline(self.plan.graph.name.as_str(), &provider, live);
        let sides = format!("{} against {}", screen::printable(self.file), screen::printable(self.other));
        let mut text = format!("{head}\n{DIM}{sides}{DIM:#}\n\n");
        let lines = self.lines();
        if !lines.is_empty() {
            text.push_str(&lines);
            text.push('\n');
        }
        let _ = writeln!(text, "{}\n{}", self.counts(), self.bill());
        text
    }

    fn is_live(&self) -> bool {
        self.plan.routing.is_live()
    }

    /// What is not kept, step by step.
    fn lines(&self) -> String {
        let shown: Vec<_> = self.compared.legs.iter().filter(|leg| leg.change != Change::Kept).collect();
        let widest = |of: fn(&Compared) -> String| {
            shown.iter().map(|leg| screen::columns(&of(leg))).max().unwrap_or(0)
        };
        let (names, words) = (widest(name), widest(|leg| leg.word.text().to_owned()));
        let prices = widest(|leg| price_text(leg.price));
        let mut steps: IndexMap<&Name, Vec<&Compared>> = IndexMap::new();
        shown.iter().for_each(|leg| steps.entry(&leg.leg.step).or_default().push(leg));
        let mut text = String::new();
        for (step, legs) in steps {
            let drawn = legs.iter().take(MOST_LEGS).map(|leg| draw_leg(leg, names, words, prices));
            text.extend(drawn);
            if legs.len() > MOST_LEGS {
                let _ = writeln!(text, "    and {} of {step}", counted(legs.len() - MOST_LEGS, "more leg"));
            }
        }
        text
    }

    fn counts(&self) -> String {
        let words = ["added", "changed", "dropped", "renamed", "unknown", "kept"];
        let counts = words.iter().filter_map(|word| match self.compared.count(word) {
            0 => None,
            n => Some(match *word {
                "unknown" => format!("{n} known only in a run"),
                word => format!("{n} {word}"),
            }),
        });
        let now = self.compared.legs.len() - self.compared.count("dropped");
        format!("{}: {}", counted(now, "leg"), counts.collect::<Vec<_>>().join(", "))
    }

    fn bill(&self) -> String {
        let Comparison { before, now, edit, .. } = self.compared;
        let nothing = |bill: &Bill| bill.max == MicroUsd::ZERO && bill.unpriced == 0;
        let cost = match nothing(edit) {
            true => "the edit costs nothing".to_owned(),
            false => format!("the edit costs {}", bill_text(*edit)),
        };
        let sums = format!("a run costs {} with it, and {} without", bill_text(*now), bill_text(*before));
        match self.is_live() {
            true => format!("{cost}: {sums}"),
            false if nothing(now) && nothing(before) => format!("{cost}: there is nothing to pay"),
            false => format!("nothing to pay; live {cost}: {sums}"),
        }
    }

    /// `plan --against --json`.
    pub(crate) fn json(&self) -> Json {
        let bill = |bill: &Bill| json!({ "min_usd": bill.min.usd(), "max_usd": bill.max.usd(), "unpriced": bill.unpriced, "unbounded": bill.unbounded });
        json!({
            "schema_version": SCHEMA_VERSION,
            "workflow": self.plan.graph.name,
            "file": self.file,
            "against": self.other,
            "provider": self.plan.routing.chosen.name,
            "live": self.is_live(),
            "legs": self.compared.legs.iter().map(leg_json).collect::<Vec<_>>(),
            "before": bill(&self.compared.before),
            "now": bill(&self.compared.now),
            "edit": bill(&self.compared.edit),
        })
    }
}

fn name(leg: &Compared) -> String {
    screen::printable(&leg.leg.name)
}

fn draw_leg(leg: &Compared, names: usize, words: usize, prices: usize) -> String {
    let (sign, style) = match &leg.change {
        Change::Added => ("+", GOOD),
        Change::Dropped => ("-", BAD),
        Change::Changed(_) | Change::Switched(_) => ("~", HINT),
        Change::Renamed(_) => ("=", DIM),
        Change::Unknown => ("?", DIM),
        Change::Kept => (" ", DIM),
    };
    let (word, price) = match leg.change {
        Change::Dropped => ("", String::new()),
        _ => (leg.word.text(), price_text(leg.price)),
    };
    let note = match &leg.change {
        Change::Renamed(was) => format!("it was {}", screen::printable(was)),
        Change::Switched(was) => format!("it was {}", was.text()),
        Change::Unknown => "known only in a run".to_owned(),
        _ => String::new(),
    };
    let line = format!(
        "  {style}{sign}{style:#} {BOLD}{}{BOLD:#}{}   {}   {}{price}   {DIM}{note}{DIM:#}",
        name(leg),
        " ".repeat(names - screen::columns(&name(leg))),
        screen::pad(word, words),
        " ".repeat(prices - screen::columns(&price)),
    );
    let mut text = format!("{}\n", without_tail(&line));
    if let Change::Changed(changed) = &leg.change {
        changed.iter().for_each(|changed| text.push_str(&why::change(changed, 6)));
    }
    text
}

/// Without blanks at the end, which a style may follow.
fn without_tail(line: &str) -> String {
    let empty = format!("   {DIM}{DIM:#}");
    line.strip_suffix(&empty).unwrap_or(line).trim_end().to_owned()
}

/// A leg of it, for programs.
pub(crate) fn leg_json(leg: &Compared) -> Json {
    let price = leg.price.estimate();
    let (changed, was) = match &leg.change {
        Change::Changed(changed) => (changed.as_slice(), None),
        Change::Renamed(was) => (&[][..], Some(was.as_str())),
        Change::Switched(was) => (&[][..], Some(was.as_str())),
        _ => (&[][..], None),
    };
    json!({
        "step": leg.leg.step,
        "leg": leg.leg.leg,
        "name": leg.leg.name,
        "change": leg.change.as_str(),
        "fate": leg.word,
        "was": was,
        "changed": changed.iter().map(why::change_json).collect::<Vec<_>>(),
        "min_usd": price.map(|price| price.min.usd()),
        "max_usd": price.map(|price| price.max.usd()),
    })
}
