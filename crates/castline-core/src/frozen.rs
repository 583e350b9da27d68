//! A plan as a file keeps it, so that somebody can look at it, sign it, and have exactly that
//! run: everything that decides what is sent and what it can cost.
//!
//! A [`Frozen`] plan is written by [`Frozen::to_text`] and read by [`Frozen::parse`], which
//! notices every change of its content. What is no longer as it was, [`Frozen::moved`] tells.
//! No secret is part of it: of a token only the name of its variable.
//!
//! Start reading at [`Frozen`].

mod moved;

use std::collections::BTreeMap;

use castline_spec::Name;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use moved::Moved;

use crate::bill::{Bill, Price};
use crate::digest::Digest;
use crate::forecast::{Fate, Forecast, Word};
use crate::key::Ingredients;
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::price;
use crate::request::Key;
use crate::run::leg_ref;

/// The version of the file's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// An amount in US dollars, as JSON has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Usd(pub MicroUsd);

impl From<Usd> for f64 {
    fn from(usd: Usd) -> Self {
        usd.0.usd()
    }
}

impl TryFrom<f64> for Usd {
    type Error = &'static str;

    fn try_from(usd: f64) -> Result<Self, Self::Error> {
        MicroUsd::from_usd(usd).map(Self).ok_or("no amount of money")
    }
}

/// A plan as a file keeps it. Paths are relative to the project, with `/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The castline that made it.
    pub castline: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's file.
    pub file: String,
    /// The project's folder as it is seen from the folder of the plan's file.
    pub project: String,
    /// Makes the draws of `cache: false` and of re-rolls, and is the account of its money.
    pub run: String,
    /// The chosen provider.
    pub provider: String,
    /// The settings of every provider that a step goes to, as far as they matter.
    pub providers: BTreeMap<String, BTreeMap<String, String>>,
    /// What was asked for besides.
    pub choices: Chosen,
    /// What was given for inputs; a file is its path.
    pub given: IndexMap<String, Json>,
    /// Every input with its value, defaults too, for people; a file is its digest.
    pub inputs: IndexMap<String, Json>,
    /// The documents that were read: the workflow and the project's presets.
    pub documents: BTreeMap<String, Digest>,
    /// The files that they and the inputs name: media, and texts of `read()`.
    pub files: BTreeMap<String, Digest>,
    /// What `castline.lock` pins.
    pub lock: Json,
    /// The steps: who runs them, and what that costs.
    pub steps: Vec<FrozenStep>,
    /// Every leg.
    pub legs: Vec<FrozenLeg>,
    /// What the legs can cost together.
    pub total: FrozenBill,
    /// The most that applying it may spend; none where nobody takes money.
    pub budget: Option<Budget>,
}

/// `--only`, `--until`, `--reroll` and `--allow-unpriced`, as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Steps that take part; all when empty.
    pub only: Vec<String>,
    /// A step that takes part with all that it needs.
    pub until: Option<String>,
    /// Legs with another draw.
    pub reroll: Vec<String>,
    /// Steps that may run without a price; empty for all of them.
    pub allow_unpriced: Option<Vec<String>>,
}

/// Who runs a step, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenStep {
    /// Its name.
    pub step: String,
    /// `owner/name`, with a version where it has one.
    pub model: String,
    /// Who runs it.
    pub provider: Option<String>,
    /// Its price rules in words; none is unpriced.
    pub price: Vec<String>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenLeg {
    /// The step.
    pub step: Name,
    /// Its values by axis; media are digests.
    pub leg: IndexMap<Name, Json>,
    /// `styled[style=linocut]`.
    pub name: String,
    /// What it does.
    pub fate: Word,
    /// Why it does that, for people.
    pub why: Option<String>,
    /// Its key; none where it is known only once others have run.
    pub key: Option<Key>,
    /// USD, at least; none when that is not known.
    pub min_usd: Option<Usd>,
    /// USD, at most; none when that is not known.
    pub max_usd: Option<Usd>,
    /// What its key is made of.
    pub ingredients: IndexMap<String, String>,
}

/// What the legs can cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenBill {
    /// USD, at least.
    pub min_usd: Usd,
    /// USD, at most, of all whose price is known.
    pub max_usd: Usd,
    /// Legs whose price is not known, or not yet.
    pub unpriced: usize,
    /// True when a step may have any number of legs; those are not in `max_usd`.
    pub unbounded: bool,
}

/// What applying a plan may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// USD, at most.
    pub usd: Usd,
    /// Who says so.
    pub from: BudgetFrom,
}

/// Who says what applying a plan may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetFrom {
    /// The total of the plan, in which every price is known.
    Total,
    /// The rules of any run, because a price is not known yet.
    Usual,
    /// `--budget` of the command that made it.
    Given,
}

/// Why a text is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// It ends in the middle.
    #[error("is cut off")]
    CutOff,
    /// It is something else.
    #[error("is no plan")]
    NoPlan,
    /// It has a version that is to come.
    #[error("has version {0}, and this castline knows versions up to {SCHEMA_VERSION}")]
    Newer(u64),
    /// Its content is not what was written.
    #[error("was changed by hand: its content does not have the digest that stands in it")]
    Edited,
    /// Its content has the right digest and not the right shape.
    #[error("was made by castline {castline} and cannot be read by this one: {why}")]
    Shape {
        /// Who made it.
        castline: String,
        /// What is wrong.
        why: String,
    },
}

impl Frozen {
    /// The file's text: the plan, and at its end the digest of all that stands before.
    pub fn to_text(&self) -> String {
        let mut json = serde_json::to_value(self).expect("a plan is plain data");
        let digest = digest_of(&json);
        json["digest"] = digest.to_string().into();
        let mut text = serde_json::to_string_pretty(&json).expect("a JSON value is valid JSON");
        text.push('\n');
        text
    }

    /// Reads what [`Frozen::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Self, BadPlan> {
        let mut json: Json = serde_json::from_str(text).map_err(|e| {
            if e.is_eof() && !text.trim().is_empty() { BadPlan::CutOff } else { BadPlan::NoPlan }
        })?;
        let fields = json.as_object_mut().ok_or(BadPlan::NoPlan)?;
        // First of all: what else stands in a newer one may be anything.
        match fields.get("schema_version").and_then(Json::as_u64) {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(version) if version > u64::from(SCHEMA_VERSION) => return Err(BadPlan::Newer(version)),
            _ => return Err(BadPlan::NoPlan),
        }
        let digest = fields.shift_remove("digest").ok_or(BadPlan::NoPlan)?;
        if digest_of(&json).to_string() != digest {
            return Err(BadPlan::Edited);
        }
        let castline = json["castline"].as_str().unwrap_or("?").to_owned();
        serde_json::from_value(json).map_err(|e| BadPlan::Shape { castline, why: e.to_string() })
    }

    /// The steps of a finished forecast.
    pub fn steps(forecast: &Forecast) -> Vec<FrozenStep> {
        let plan = &forecast.plan;
        let steps = plan.graph.predicting().map(|(_, step)| {
            let model = &step.callee.model;
            let route = plan.routing.route(model, &model.reference).ok();
            let rules =
                route.map(|route| plan.price_rules(&step.callee, &route.name).rules).unwrap_or_default();
            FrozenStep {
                step: step.name.to_string(),
                model: model.reference.to_string(),
                provider: route.map(|route| route.name.to_string()),
                price: rules.iter().map(price::words).collect(),
            }
        });
        steps.collect()
    }

    /// The legs of a finished forecast; one stands for all of a step that are not known yet.
    pub fn legs(forecast: &Forecast) -> Vec<FrozenLeg> {
        let known = forecast.plan.predictions().map(|leg| FrozenLeg::of(forecast, leg));
        let late = forecast.plan.deferred().map(|step| FrozenLeg::of_step(forecast, step));
        known.chain(late).collect()
    }
}

/// Of the canonical form: white space and the order of keys do not count.
fn digest_of(json: &Json) -> Digest {
    Digest::of(&serde_json_canonicalizer::to_vec(json).expect("a JSON value is valid JSON"))
}

impl FrozenLeg {
    fn of(forecast: &Forecast, leg: LegId) -> Self {
        let (fate, place) = (forecast.fate(leg), leg_ref(&forecast.plan, leg));
        let price = Price::of(forecast, leg).estimate();
        Self {
            step: place.step,
            leg: place.leg,
            name: place.name,
            fate: fate.word(),
            why: why(forecast, fate),
            key: fate.ready().map(|ready| ready.request.key),
            min_usd: price.map(|price| Usd(price.min)),
            max_usd: price.map(|price| Usd(price.max)),
            ingredients: fate
                .ready()
                .map(|ready| Ingredients::from(&*ready.request).explain())
                .unwrap_or_default(),
        }
    }

    /// One that stands for all of a step that are not known yet.
    fn of_step(forecast: &Forecast, number: usize) -> Self {
        let step = &forecast.plan.graph.steps[number];
        let legs = forecast.plan.legs_expected(number);
        let price = Price::of_step(forecast, number).of_legs(legs);
        Self {
            step: step.name.clone(),
            leg: IndexMap::new(),
            name: forecast.plan.late_name(number),
            fate: Word::of_step(forecast, number),
            why: None,
            key: None,
            min_usd: price.map(|price| Usd(price.min)),
            max_usd: price.filter(|_| legs.1.is_some()).map(|price| Usd(price.max)),
            ingredients: IndexMap::new(),
        }
    }
}

fn why(forecast: &Forecast, fate: &Fate) -> Option<String> {
    match fate {
        Fate::Run(_, why) => Some(why.reason().into_owned()),
        Fate::Same(_, first) => Some(format!("the same request as `{}`", forecast.plan.leg_name(*first))),
        Fate::Skip(skip) => Some(skip.reason()),
        Fate::Hit(..) | Fate::Upstream | Fate::Done(_) | Fate::Broken | Fate::Out => None,
    }
}

impl From<Bill> for FrozenBill {
    fn from(bill: Bill) -> Self {
        let Bill { min, max, unpriced, unbounded } = bill;
        Self { min_usd: Usd(min), max_usd: Usd(max), unpriced, unbounded }
    }
}
