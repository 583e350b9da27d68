//! What each leg of a forecast would send, as far as that can be told before anything ran.
//!
//! What a leg gives that has still to run is a stand-in whose digest comes from the leg's key:
//! equal requests give equal stand-ins, so that what reads them has equal keys.
//!
//! Start reading at [`Recipes::of`].

use std::collections::BTreeMap;
use std::sync::Arc;

use castline_spec::preset::OutputKind;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;

use crate::digest::Digest;
use crate::forecast::{Fate, Forecast};
use crate::key::Ingredients;
use crate::legs::LegId;
use crate::media::{Artifact, MediaType};
use crate::plan::{Plan, Ready, Resolved};
use crate::price::images_asked;
use crate::request::{Key, Output};
use crate::results::{LegResult, LegStatus, Results};
use crate::value::Value;

/// What all legs would send.
pub(super) struct Recipes {
    /// By the legs' numbers.
    pub(super) legs: Vec<Recipe>,
    /// The leg whose output each stand-in is for, by the stand-in's digest.
    pub(super) stand_ins: BTreeMap<String, String>,
}

/// What a leg would send.
#[derive(Debug)]
pub(super) enum Recipe {
    /// A request.
    Known {
        /// Its key; one that contains stand-ins is no key of the ledger.
        key: Key,
        /// What it is made of, stand-ins among it.
        ingredients: IndexMap<String, String>,
    },
    /// Nothing.
    Skipped,
    /// It reads what only a run tells.
    Unknown,
}

impl Recipe {
    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Self::Known { key, .. } => Some(*key),
            Self::Skipped | Self::Unknown => None,
        }
    }
}

impl Recipes {
    /// Of a finished forecast.
    pub(super) fn of(forecast: &Forecast) -> Self {
        let plan = &forecast.plan;
        let mut work =
            Work { plan, results: Arc::new(Results::new(plan.legs.len())), stand_ins: BTreeMap::new() };
        let mut legs: Vec<_> = (0..plan.legs.len()).map(|_| Recipe::Unknown).collect();
        for leg in plan.order_of_all() {
            legs[leg.0] = match (forecast.fate(leg), forecast.results.get(leg)) {
                (Fate::Hit(ready, _), Some(result)) => {
                    work.results.set(leg, result.clone());
                    known(ready)
                }
                (Fate::Skip(_), _) => work.skip(leg),
                (fate, _) => match fate.ready() {
                    Some(ready) => work.runs(leg, ready),
                    None => work.resolve(leg),
                },
            };
        }
        Self { legs, stand_ins: work.stand_ins }
    }
}

struct Work<'a> {
    plan: &'a Plan,
    results: Arc<Results>,
    /// See [`Recipes::stand_ins`].
    stand_ins: BTreeMap<String, String>,
}

impl Work<'_> {
    fn resolve(&mut self, leg: LegId) -> Recipe {
        match self.plan.resolve(leg, &self.results) {
            Resolved::Ready(ready) => self.runs(leg, &ready),
            Resolved::Skip(_) => self.skip(leg),
            Resolved::Done(result) => {
                self.results.set(leg, *result);
                Recipe::Unknown
            }
            Resolved::Pending(_) | Resolved::Broken(_) => Recipe::Unknown,
        }
    }

    fn skip(&mut self, leg: LegId) -> Recipe {
        self.results.set(leg, LegResult::without_output(LegStatus::Skipped, None));
        Recipe::Skipped
    }

    fn runs(&mut self, leg: LegId, ready: &Ready) -> Recipe {
        let recipe = known(ready);
        let step = &self.plan.graph.steps[self.plan.legs.step(leg)];
        let output = self.stand_in(leg, ready);
        let result = output.and_then(|output| LegResult::succeeded(step, &ready.request.input, &output).ok());
        if let Some(result) = result {
            self.results.set(leg, result);
        }
        recipe
    }

    /// What the request gives; none where nothing can stand in for it.
    fn stand_in(&mut self, leg: LegId, ready: &Ready) -> Option<Output> {
        let shape = ready.request.output;
        let mut digest = |n: u64| {
            let digest = Digest::of(format!("{} gives {n}", ready.request.key).as_bytes());
            self.stand_ins.insert(digest.to_string(), self.plan.leg_name(leg));
            digest
        };
        let kind = match shape.kind {
            OutputKind::Image => MediaKind::Image,
            OutputKind::Video => MediaKind::Video,
            OutputKind::Audio => MediaKind::Audio,
            OutputKind::File => MediaKind::File,
            OutputKind::Text => return Some(Output { raw: Value::String(digest(0).to_string()).into() }),
            OutputKind::Json => return None,
        };
        let mut file = |n| {
            Value::Media(Artifact {
                digest: digest(n),
                media_type: MediaType::new(kind.content_type()),
                bytes: 0,
                width: None,
                height: None,
            })
        };
        let count = images_asked(&ready.request.input).unwrap_or(1).clamp(1, MOST_FILES);
        let raw = if shape.many { Value::List((0..count).map(file).collect()) } else { file(0) };
        Some(Output { raw: raw.into() })
    }
}

fn known(ready: &Ready) -> Recipe {
    let ingredients = Ingredients::from(&*ready.request).explain();
    Recipe::Known { key: ready.request.key, ingredients }
}

/// No request asks for more.
const MOST_FILES: u64 = 100;
