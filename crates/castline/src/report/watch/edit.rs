//! What an edit does, a line for each step: `styled[style=linocut]: prompt changed; 1 of 5 legs,
//! 0.04 USD`.

use std::collections::BTreeSet;

use castline_core::bill::{Bill, ONE};
use castline_core::comparison::{Change, Compared, Comparison, giver};
use castline_core::forecast::Word;
use castline_core::key::Difference;
use castline_spec::Name;
use indexmap::IndexMap;

use crate::report::plan::{Seen, bill_text, counted};
use crate::report::terminal::labels;
use crate::screen::{BOLD, DIM, printable, short};

/// Words on what changed in a leg are cut here. Columns.
const MOST_WORDS: usize = 60;
/// Names of inputs that are listed.
const MOST_NAMES: usize = 3;

/// The lines; one that says so when no leg is another one.
pub(crate) fn lines(edit: &Comparison, live: bool) -> Vec<String> {
    let mut steps: IndexMap<&Name, Vec<&Compared>> = IndexMap::new();
    edit.legs.iter().for_each(|leg| steps.entry(&leg.leg.step).or_default().push(leg));
    let lines: Vec<_> = steps.iter().filter_map(|(step, legs)| line(step, legs, live)).collect();
    match lines.is_empty() {
        true => vec![format!("{DIM}no leg is another one{DIM:#}")],
        false => lines,
    }
}

fn line(step: &Name, legs: &[&Compared], live: bool) -> Option<String> {
    let changed: Vec<&Compared> =
        legs.iter().copied().filter(|leg| !matches!(leg.change, Change::Kept)).collect();
    let name = match changed.as_slice() {
        [] => return None,
        [one] => one.leg.name.clone(),
        _ => step.to_string(),
    };
    let one = changed.len() == 1;
    let words: BTreeSet<String> = changed.iter().map(|leg| words(leg, one)).collect();
    let words = short(&words.into_iter().collect::<Vec<_>>().join(", "), MOST_WORDS);
    let now = legs.iter().filter(|leg| leg.change != Change::Dropped).count();
    let many = match (changed.len(), now) {
        (1, 0 | 1) if legs.len() == 1 => String::new(),
        (some, all) if some <= all => format!("{some} of {}", counted(all, "leg")),
        (some, _) => counted(some, "leg"),
    };
    let what = [many, does(&changed, live)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let what = if what.is_empty() { String::new() } else { format!("; {}", what.join(", ")) };
    Some(format!("{BOLD}{}{BOLD:#}: {words}{what}", printable(&name)))
}

/// Why a leg that runs is another one.
pub(crate) fn why(leg: &Compared) -> Option<String> {
    let is_other = matches!(leg.change, Change::Changed(_) | Change::Switched(_) | Change::Renamed(_));
    is_other.then(|| words(leg, true))
}

/// What is different in a leg; `named` where its name stands before it.
fn words(leg: &Compared, named: bool) -> String {
    let with_labels = |word: &str| match labels(&leg.leg.name) {
        labels if named || labels.is_empty() => word.to_owned(),
        labels => format!("{labels} {word}"),
    };
    match &leg.change {
        Change::Added => with_labels("new"),
        Change::Dropped => with_labels("gone"),
        Change::Changed(changed) => different(changed),
        Change::Switched(_) => match leg.word {
            Word::Skip => "skipped now".to_owned(),
            Word::Out => "takes no part now".to_owned(),
            _ => "takes part now".to_owned(),
        },
        Change::Renamed(was) => format!("was {was}"),
        Change::Unknown => "known only in a run".to_owned(),
        Change::Kept => String::new(),
    }
}

/// `prompt, seed changed`, or whose output it reads.
fn different(changed: &[Difference]) -> String {
    let read = |change: &Difference| giver(change.now.as_deref()?).map(str::to_owned);
    let own: Vec<_> = changed.iter().filter(|change| read(change).is_none()).collect();
    if own.is_empty() && !changed.is_empty() {
        return format!("follows {}", some(changed.iter().filter_map(read).collect()));
    }
    let names = own.iter().map(|change| {
        let path = change.path.strip_prefix("input.").unwrap_or(&change.path);
        path.split(['.', '[']).next().unwrap_or(path).to_owned()
    });
    format!("{} changed", some(names.collect()))
}

fn some(names: BTreeSet<String>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let list = names.into_iter().take(MOST_NAMES).collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

/// What the legs do now, or what that costs.
fn does(legs: &[&Compared], live: bool) -> String {
    let bill: Bill = legs
        .iter()
        .filter(|leg| leg.change != Change::Dropped)
        .map(|leg| (leg.word, leg.price, ONE))
        .collect();
    let runs = legs.iter().any(|leg| leg.change != Change::Dropped && leg.word.may_run());
    if live && bill != Bill::default() {
        return bill_text(bill);
    }
    let words: BTreeSet<&str> =
        legs.iter().filter(|leg| leg.change != Change::Dropped).map(|leg| leg.word.text()).collect();
    match runs {
        true if live => "free".to_owned(),
        true => String::new(),
        false => words.into_iter().filter(|word| *word == "reused").collect(),
    }
}

#[cfg(test)]
mod tests;
