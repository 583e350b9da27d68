//! Two plans of one workflow, before and after an edit: which legs it adds, drops, changes and
//! keeps, and what that costs.
//!
//! Legs whose requests depend on others that have still to run are compared as well: every leg
//! that runs is taken to give something that depends on its own request alone. So a leg is kept
//! exactly when its request is made of the same, however far down it stands.
//!
//! Start reading at [`Comparison::of`].

mod recipes;

use std::collections::BTreeMap;

use castline_spec::Name;
use indexmap::IndexMap;

use crate::bill::{Bill, ONE, Price};
use crate::event::LegRef;
use crate::forecast::{Forecast, Word};
use crate::key::{Difference, differences};
use crate::legs::LegId;
use crate::run::leg_ref;

use recipes::{Recipe, Recipes};

/// What an edit does.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Every leg, those of the newer plan first.
    pub legs: Vec<Compared>,
    /// What a run of the older plan can cost.
    pub before: Bill,
    /// What a run of the newer plan can cost.
    pub now: Bill,
    /// The part of that which is for legs that the edit adds or changes.
    pub edit: Bill,
}

/// What an edit does to a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The leg.
    pub leg: LegRef,
    /// What becomes of it.
    pub change: Change,
    /// What it does in the newer plan; in the older one when it is dropped.
    pub word: Word,
    /// What it can cost there.
    pub price: Price,
}

/// What becomes of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is not there any more.
    Dropped,
    /// It is another request.
    Changed(Vec<Difference>),
    /// It is skipped, or takes no part, and did not or was not before; or the other way round.
    Switched(Word),
    /// It is the same request.
    Kept,
    /// It is the same request under another name, which it had.
    Renamed(String),
    /// It reads what only a run tells, so that nobody knows yet.
    Unknown,
}

impl Change {
    /// In a word, as JSON has it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Dropped => "dropped",
            Self::Changed(_) | Self::Switched(_) => "changed",
            Self::Kept => "kept",
            Self::Renamed(_) => "renamed",
            Self::Unknown => "unknown",
        }
    }
}

/// A leg of one of the plans.
struct Side<'a> {
    id: LegId,
    leg: LegRef,
    recipe: &'a Recipe,
}

impl Comparison {
    /// Compares finished forecasts that asked the same ledger.
    pub fn of(before: &Forecast, now: &Forecast) -> Self {
        let (old, new) = (Recipes::of(before), Recipes::of(now));
        let mut gone = sides(before, &old);
        let pairs: Vec<_> =
            sides(now, &new).into_iter().map(|(place, side)| (gone.shift_remove(&place), side)).collect();
        let mut renamed: BTreeMap<_, _> =
            gone.iter().filter_map(|(place, side)| Some((side.recipe.key()?, place.clone()))).collect();
        let mut legs = Vec::new();
        let words = Words { before: &old.stand_ins, now: &new.stand_ins };
        for (was, side) in pairs {
            let change = match was {
                Some(was) => {
                    let change = change(before.fate(was.id).word(), &was, now.fate(side.id).word(), &side);
                    words.of(change)
                }
                None => match side.recipe.key().and_then(|key| renamed.remove(&key)) {
                    Some(place) => {
                        let was = gone.shift_remove(&place).expect("a place is renamed once");
                        Change::Renamed(was.leg.name)
                    }
                    None => Change::Added,
                },
            };
            legs.push(compared(now, side, change));
        }
        legs.extend(gone.into_values().map(|side| compared(before, side, Change::Dropped)));
        let costs =
            |leg: &&Compared| matches!(leg.change, Change::Added | Change::Changed(_) | Change::Switched(_));
        let edit = legs.iter().filter(costs).map(|leg| (leg.word, leg.price, ONE)).collect();
        Self { legs, before: Bill::of(before), now: Bill::of(now), edit }
    }

    /// How many legs became that, by [`Change::as_str`].
    pub fn count(&self, change: &str) -> usize {
        self.legs.iter().filter(|leg| leg.change.as_str() == change).count()
    }
}

fn compared(forecast: &Forecast, side: Side<'_>, change: Change) -> Compared {
    let (word, price) = (forecast.fate(side.id).word(), Price::of(forecast, side.id));
    Compared { leg: side.leg, change, word, price }
}

/// The legs of a plan by what tells one from another.
fn sides<'a>(forecast: &Forecast, recipes: &'a Recipes) -> IndexMap<(Name, String), Side<'a>> {
    let side = |id| {
        let leg = leg_ref(&forecast.plan, id);
        let place = (leg.step.clone(), serde_json::to_string(&leg.leg).unwrap_or_default());
        (place, Side { id, leg, recipe: &recipes.legs[id.0] })
    };
    forecast.plan.predictions().map(side).collect()
}

fn change(word_before: Word, before: &Side<'_>, word: Word, now: &Side<'_>) -> Change {
    let idle = |word| matches!(word, Word::Skip | Word::Out);
    if idle(word_before) != idle(word) {
        return Change::Switched(word_before);
    }
    match (before.recipe, now.recipe) {
        (Recipe::Known { key: was, .. }, Recipe::Known { key: is, .. }) if was == is => Change::Kept,
        (Recipe::Known { ingredients: was, .. }, Recipe::Known { ingredients: is, .. }) => {
            Change::Changed(differences(was, is))
        }
        (Recipe::Skipped, Recipe::Skipped) => Change::Kept,
        (Recipe::Skipped, _) | (_, Recipe::Skipped) => Change::Switched(word_before),
        _ => Change::Unknown,
    }
}

/// Words for the outputs of legs that have still to run.
struct Words<'a> {
    before: &'a BTreeMap<String, String>,
    now: &'a BTreeMap<String, String>,
}

/// What stands for the output of a leg begins so.
const GIVEN: &str = "(what `";

/// The leg whose output stands in a value of a [`Difference`]; none where it is known itself.
pub fn giver(value: &str) -> Option<&str> {
    value.split_once(GIVEN)?.1.split('`').next()
}

impl Words<'_> {
    fn of(&self, change: Change) -> Change {
        let Change::Changed(mut changed) = change else { return change };
        for difference in &mut changed {
            difference.before = difference.before.take().map(|text| self.instead(text));
            difference.now = difference.now.take().map(|text| self.instead(text));
        }
        Change::Changed(changed)
    }

    /// With words where the digests of stand-ins are.
    fn instead(&self, mut text: String) -> String {
        let mut from = 0;
        while let Some(at) = text[from..].find(DIGEST).map(|at| from + at) {
            let end = text.len().min(at + DIGEST.len() + 64);
            let digest = text.get(at..end).unwrap_or_default();
            let words = match (self.before.get(digest), self.now.get(digest)) {
                (Some(_), Some(leg)) => format!("{GIVEN}{leg}` gives)"),
                (Some(leg), None) => format!("{GIVEN}{leg}` would give)"),
                (None, Some(leg)) => format!("{GIVEN}{leg}` gives now)"),
                (None, None) => {
                    from = at + DIGEST.len();
                    continue;
                }
            };
            text.replace_range(at..end, &words);
            from = at + words.len();
        }
        text
    }
}

/// What a digest begins with.
const DIGEST: &str = "sha256:";
