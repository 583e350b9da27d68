//! What is no longer as a plan froze it.
//!
//! Start reading at [`Frozen::moved`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use super::{Frozen, FrozenLeg, FrozenStep, Usd};
use crate::digest::Digest;
use crate::forecast::Word;
use crate::key::{Difference, differences};

/// Something that is not as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// castline itself.
    Castline {
        /// Its version then.
        before: String,
        /// Its version now.
        now: String,
    },
    /// A document, or a file that one names.
    File {
        /// Relative to the project.
        path: String,
        /// Its digest then; none when nobody read it.
        before: Option<Digest>,
        /// Its digest now; none when nobody reads it, or nobody can.
        now: Option<Digest>,
    },
    /// A setting, a pin of the lock, or who runs a step.
    Setting {
        /// Which.
        what: String,
        /// What it was.
        before: Option<String>,
        /// What it is.
        now: Option<String>,
    },
    /// A leg that was there, or is there now.
    Leg {
        /// Its name.
        name: String,
        /// True when it is there now.
        now: bool,
    },
    /// A leg does something else, though its request is not known.
    Fate {
        /// Its name.
        name: String,
        /// What it did.
        before: Word,
        /// What it does.
        now: Word,
    },
    /// A leg is another request.
    Key {
        /// Its name.
        name: String,
        /// In what.
        changed: Vec<Difference>,
    },
    /// What was to be reused is not there any more.
    Gone {
        /// The leg.
        name: String,
        /// Why it would run now.
        why: Option<String>,
    },
    /// The price rules of a step that has still to run.
    Price {
        /// The step.
        step: String,
        /// The rules then, in words.
        before: Vec<String>,
        /// The rules now, in words.
        now: Vec<String>,
    },
    /// What a leg can cost that has still to run, at most.
    Cost {
        /// The leg.
        name: String,
        /// USD then.
        before: Usd,
        /// USD now.
        now: Usd,
    },
}

impl Moved {
    /// True for what only changes what applying the plan costs.
    pub fn is_money(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Price { .. } | Self::Cost { .. })
    }
}

impl Frozen {
    /// Everything that is not as it was, the causes before what follows from them. `now` is the
    /// same plan, made again. Legs that have finished since are as they were.
    pub fn moved(&self, now: &Self) -> Vec<Moved> {
        let mut moved = Vec::new();
        if self.castline != now.castline {
            moved.push(Moved::Castline { before: self.castline.clone(), now: now.castline.clone() });
        }
        moved.extend(files(&self.documents, &now.documents));
        moved.extend(files(&self.files, &now.files));
        moved.extend(settings(&self.flat_settings(), &now.flat_settings()));
        moved.extend(self.moved_prices(now));
        moved.extend(self.moved_legs(now));
        moved
    }

    /// Whatever a person set, by a name for people.
    fn flat_settings(&self) -> BTreeMap<String, String> {
        let mut flat = BTreeMap::from([("the chosen provider".to_owned(), self.provider.clone())]);
        for (provider, settings) in &self.providers {
            let named = |(name, value): (&String, &String)| {
                (format!("`{name}` of the provider `{provider}`"), value.clone())
            };
            flat.extend(settings.iter().map(named));
        }
        pins(&self.lock, "", &mut flat);
        let provider =
            |step: &FrozenStep| Some((format!("the provider of `{}`", step.step), step.provider.clone()?));
        flat.extend(self.steps.iter().filter_map(provider));
        flat
    }

    fn moved_prices(&self, now: &Self) -> Vec<Moved> {
        let before: BTreeMap<_, _> = self.steps.iter().map(|step| (&step.step, step)).collect();
        let to_run = |step: &FrozenStep| {
            now.legs.iter().any(|leg| leg.step.as_str() == step.step && leg.fate.may_run())
        };
        let changed = now.steps.iter().filter_map(|step| Some((*before.get(&step.step)?, step)));
        changed
            .filter(|(before, now)| before.price != now.price && to_run(now))
            .map(|(before, now)| Moved::Price {
                step: now.step.clone(),
                before: before.price.clone(),
                now: now.price.clone(),
            })
            .collect()
    }

    fn moved_legs(&self, now: &Self) -> Vec<Moved> {
        let repriced: Vec<_> = self
            .moved_prices(now)
            .into_iter()
            .filter_map(|moved| match moved {
                Moved::Price { step, .. } => Some(step),
                _ => None,
            })
            .collect();
        let mut new: BTreeMap<_, _> = now.legs.iter().map(|leg| (leg.place(), leg)).collect();
        let (mut causes, mut effects) = (Vec::new(), Vec::new());
        for leg in &self.legs {
            let Some(now) = new.remove(&leg.place()) else {
                if leg.fate == Word::Deferred {
                    continue;
                }
                causes.push(Moved::Leg { name: leg.name.clone(), now: false });
                continue;
            };
            match leg.moved(now) {
                Some(moved @ Moved::Fate { .. }) => effects.push(moved),
                Some(moved) => causes.push(moved),
                None if repriced.iter().any(|step| *step == leg.step.as_str()) => {}
                None => causes.extend(leg.dearer(now)),
            }
        }
        // What stood for all legs of a step has become them.
        let deferred = |leg: &FrozenLeg| leg.fate == Word::Deferred;
        let late: BTreeSet<_> = self.legs.iter().filter(|leg| deferred(leg)).map(|leg| &leg.step).collect();
        let new = new.into_values().filter(|leg| !late.contains(&leg.step));
        causes.extend(new.map(|leg| Moved::Leg { name: leg.name.clone(), now: true }));
        if causes.is_empty() { effects } else { causes }
    }
}

impl FrozenLeg {
    /// What tells one leg from another: names alone may be shortened for people.
    fn place(&self) -> String {
        format!("{} {}", self.step, serde_json::to_string(&self.leg).unwrap_or_default())
    }

    /// How it is another leg than it was; none when it is the same or has only gone on.
    fn moved(&self, now: &Self) -> Option<Moved> {
        let name = self.name.clone();
        let (before, after) = (self.fate, now.fate);
        match (self.key, now.key) {
            (Some(was), Some(is)) if was != is => {
                Some(Moved::Key { name, changed: differences(&self.ingredients, &now.ingredients) })
            }
            (Some(_), Some(_)) if before == Word::Reused && after != Word::Reused => {
                Some(Moved::Gone { name, why: now.why.clone() })
            }
            // What it reads is gone, or is another request.
            (Some(_), None) => Some(Moved::Fate { name, before, now: after }),
            // Legs that were to run first have run, unless nothing was to run.
            (None, _) if before == Word::Skip && after != Word::Skip => {
                Some(Moved::Fate { name, before, now: after })
            }
            _ => None,
        }
    }

    /// The price of a leg that has still to run, where it is not within what it was.
    fn dearer(&self, now: &Self) -> Option<Moved> {
        if !(self.fate.may_run() && now.fate.may_run()) {
            return None;
        }
        let (before, after) = (self.max_usd?, now.max_usd?);
        let known_later = self.fate == Word::Later && now.fate != Word::Later;
        // What was begun since is held already.
        let taken = matches!(now.fate, Word::Adopt | Word::InDoubt | Word::Expired);
        let same = if known_later || taken {
            after <= before
        } else {
            after == before && self.min_usd == now.min_usd
        };
        (!same).then(|| Moved::Cost { name: self.name.clone(), before, now: after })
    }
}

fn files(before: &BTreeMap<String, Digest>, now: &BTreeMap<String, Digest>) -> Vec<Moved> {
    let new = now.keys().filter(|path| !before.contains_key(*path));
    let all = before.keys().chain(new).filter(|path| before.get(*path) != now.get(*path));
    all.map(|path| Moved::File {
        path: path.clone(),
        before: before.get(path).copied(),
        now: now.get(path).copied(),
    })
    .collect()
}

fn settings(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Moved> {
    let new = now.keys().filter(|what| !before.contains_key(*what));
    let all = before.keys().chain(new).filter(|what| before.get(*what) != now.get(*what));
    all.map(|what| Moved::Setting {
        what: what.clone(),
        before: before.get(what).cloned(),
        now: now.get(what).cloned(),
    })
    .collect()
}

/// The pins of a lock, each by its path in it.
fn pins(lock: &Json, path: &str, flat: &mut BTreeMap<String, String>) {
    match lock {
        Json::Object(map) => map.iter().for_each(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            pins(value, &path, flat);
        }),
        Json::Null => {}
        Json::String(text) => drop(flat.insert(format!("`{path}` in castline.lock"), text.clone())),
        other => drop(flat.insert(format!("`{path}` in castline.lock"), other.to_string())),
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Castline { before, now } => {
                write!(f, "castline is {now}, and the plan was made by castline {before}")
            }
            Self::File { path, before: Some(before), now: Some(now) } => {
                write!(f, "`{path}` was {} and is {}", short(*before), short(*now))
            }
            Self::File { path, before: Some(before), now: None } => {
                write!(f, "`{path}` was {} and is not read any more, or cannot be", short(*before))
            }
            Self::File { path, .. } => write!(f, "`{path}` is read now, and was not"),
            Self::Setting { what, before: Some(before), now: Some(now) } => {
                write!(f, "{what} was `{before}` and is `{now}`")
            }
            Self::Setting { what, before: Some(before), now: None } => {
                write!(f, "{what} was `{before}` and is not set any more")
            }
            Self::Setting { what, now, .. } => {
                write!(f, "{what} is `{}`, and was not set", now.as_deref().unwrap_or_default())
            }
            Self::Leg { name, now: false } => write!(f, "`{name}` is not there any more"),
            Self::Leg { name, now: true } => write!(f, "`{name}` is there now, and was not"),
            Self::Fate { name, before, now } => {
                write!(f, "`{name}` was `{}` and is `{}`", before.as_str(), now.as_str())
            }
            Self::Key { name, changed } => {
                let changed: Vec<_> = changed.iter().map(in_short).collect();
                write!(f, "`{name}` is another request: {}", changed.join("; "))
            }
            Self::Gone { name, why } => {
                write!(f, "`{name}` was to be reused, and is not there any more")?;
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::Price { step, before, now } => {
                write!(f, "the price of `{step}` was {} and is {}", rules(before), rules(now))
            }
            Self::Cost { name, before, now } => {
                write!(f, "`{name}` could cost {} at most, and now {}", before.0, now.0)
            }
        }
    }
}

/// `sha256:51ab03c7d210`.
fn short(digest: Digest) -> String {
    format!("sha256:{}", &digest.hex()[..12])
}

fn rules(rules: &[String]) -> String {
    if rules.is_empty() { "not known".to_owned() } else { rules.join(" and ") }
}

/// `` `input.prompt` was `A boat` and is `A ship` ``, both cut short.
fn in_short(difference: &Difference) -> String {
    const MOST: usize = 40;
    let cut = |text: &String| {
        let line = text.replace('\n', " ");
        let digest: Option<Digest> = line.parse().ok();
        match (digest, line.char_indices().nth(MOST)) {
            (Some(digest), _) => short(digest),
            (None, Some((at, _))) => format!("{}...", &line[..at]),
            (None, None) => line,
        }
    };
    match (difference.before.as_ref().map(cut), difference.now.as_ref().map(cut)) {
        (Some(before), Some(now)) if before != now => {
            format!("`{}` was `{before}` and is `{now}`", difference.path)
        }
        (Some(_), Some(_)) => format!("`{}` changed", difference.path),
        (Some(before), None) => format!("`{}` was `{before}` and is not given", difference.path),
        (None, Some(now)) => format!("`{}` is `{now}` and was not given", difference.path),
        (None, None) => difference.path.clone(),
    }
}
