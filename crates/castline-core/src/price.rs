//! What a prediction can cost before it is made, and what it cost once it is done: by the
//! rules of its preset, its provider's route or the project.
//!
//! Start reading at [`estimate`]; [`settle`] reads the same rules with what was [`Observed`].

mod compiled;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Add;

use castline_spec::preset::PriceRule;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use minijinja::value::ValueKind;
use minijinja::{Value as Jinja, context};
use serde_json::Value as Json;

use crate::field::Field;
use crate::money::MicroUsd;
use crate::request::Output;
use crate::templates::to_jinja;
use crate::value::Value;
pub(crate) use compiled::Rules;
use compiled::{Code, Line, fields_of};

/// Inputs that say how many images a model gives, exactly.
const COUNTS: [&str; 4] = ["num_outputs", "number_of_images", "num_images", "n"];
/// The input that says how many images a model gives at most.
const MOST_IMAGES: &str = "max_images";
/// Inputs that bound the length of a text, in tokens.
const MOST_TOKENS: [&str; 4] = ["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"];
/// Inputs that decide about the size of a picture.
const SIZES: [&str; 4] = ["width", "height", "megapixels", "aspect_ratio"];
/// Frames and pixels are not cut to whole units; so much more is the same.
const NEARLY: f64 = 1.1;
/// Amounts that are so near are the same: each rule rounds up by itself.
const ROUNDING: MicroUsd = MicroUsd(5);

/// The least and the most that a prediction can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// At least.
    pub min: MicroUsd,
    /// At most; this is what is reserved.
    pub max: MicroUsd,
}

impl Estimate {
    /// Free.
    pub const NOTHING: Self = Self { min: MicroUsd::ZERO, max: MicroUsd::ZERO };

    /// True when a price is within it, but for rounding.
    pub(crate) fn covers(self, price: MicroUsd) -> bool {
        price + ROUNDING >= self.min && price <= self.max + ROUNDING
    }
}

impl Add for Estimate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { min: self.min + other.min, max: self.max + other.max }
    }
}

/// What a finished prediction shows of what it used; none where it shows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Observed {
    /// Pictures that it gave.
    pub images: Option<f64>,
    /// Their pixels together, in millions.
    pub megapixels: Option<f64>,
    /// Seconds of video or sound that it gave.
    pub seconds: Option<f64>,
    /// Seconds of running.
    pub predict_seconds: Option<f64>,
    /// Tokens that it read.
    pub input_tokens: Option<f64>,
    /// Tokens that it wrote.
    pub output_tokens: Option<f64>,
}

impl Observed {
    /// From `metrics` as on the wire, whose values may be anything, and the files that came.
    pub fn of(metrics: Option<&Json>, output: &Output) -> Self {
        let metric = |names: &[&str]| {
            let found = names.iter().find_map(|name| metrics?.get(name)?.as_f64());
            found.filter(|value| value.is_finite() && *value >= 0.0)
        };
        let pictures = output.files(MediaKind::Image);
        let counted = (!pictures.is_empty()).then_some(pictures.len() as f64);
        let pixels = pictures.iter().map(|p| Some(f64::from(p.width?) * f64::from(p.height?)));
        Self {
            images: metric(&["image_count", "image_output_count"]).filter(|n| *n >= 1.0).or(counted),
            megapixels: counted.and(pixels.sum::<Option<f64>>()).map(|pixels| pixels / 1e6),
            seconds: metric(&["video_output_duration_seconds", "audio_output_duration_seconds"]),
            predict_seconds: metric(&["predict_time"]),
            input_tokens: metric(&["input_token_count"]),
            output_tokens: metric(&["output_token_count"]),
        }
    }
}

/// An input as prices see it: what nothing is said about has the model's own default.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    input: &'a IndexMap<String, Value>,
    fields: Option<&'a IndexMap<String, Field>>,
}

impl<'a> Asked<'a> {
    /// What is asked of a model with these fields.
    pub fn of(input: &'a IndexMap<String, Value>, fields: &'a IndexMap<String, Field>) -> Self {
        Self { input, fields: Some(fields) }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.input.get(name).or_else(|| self.fields?.get(name)?.default_value())
    }

    fn iter(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let Self { input, fields } = *self;
        let unsaid = fields.into_iter().flatten().filter(|(name, _)| !input.contains_key(*name));
        input.iter().chain(unsaid.filter_map(|(name, field)| Some((name, field.default_value()?))))
    }
}

/// An input in which the defaults are filled in already.
impl<'a> From<&'a IndexMap<String, Value>> for Asked<'a> {
    fn from(input: &'a IndexMap<String, Value>) -> Self {
        Self { input, fields: None }
    }
}

/// Finds the price of an input; none when no rule knows it.
///
/// All rules whose `if` holds add up; a rule that cannot be evaluated makes the prediction
/// unpriced. Where several rules decide by the same inputs, none of them holds, and one of
/// those inputs is not set, the model decides which counts: any of them may.
pub fn estimate<'a>(rules: &[PriceRule], input: impl Into<Asked<'a>>) -> Option<Estimate> {
    Rules::of(rules).estimate(input)
}

/// What a prediction cost by the same rules, each with what was observed of it, else at the
/// most that was expected; none when a rule tells neither.
pub fn settle<'a>(
    rules: &[PriceRule],
    input: impl Into<Asked<'a>>,
    observed: &'a Observed,
) -> Option<MicroUsd> {
    Sheet::new(input.into(), Some(observed)).total(&Rules::of(rules)).map(|price| price.max)
}

/// What a rule says, for people: `0.003 USD per image if input.go_fast`. Equal words are equal
/// prices; when and where a price was read does not count.
pub fn words(rule: &PriceRule) -> String {
    let (min, max) = (rule.usd_min.to_string(), rule.usd_max.to_string());
    let usd = if min == max { max } else { format!("{min} to {max}") };
    let mut text = format!("{usd} USD per {}", rule.per);
    if let Some(quantity) = &rule.quantity {
        let _ = write!(text, " of {}", quantity.value);
    }
    if rule.per_run_usd > 0.0 {
        let _ = write!(text, " and {} USD per run", rule.per_run_usd);
    }
    if let Some(condition) = &rule.condition {
        let _ = write!(text, " if {}", condition.value);
    }
    text
}

/// Why [`estimate`] knows no price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gap<'a> {
    /// The `if` of this rule has no value.
    Condition(&'a PriceRule),
    /// This rule holds, and how many units it counts is not known.
    Quantity(&'a PriceRule),
    /// No rule holds.
    NoRule,
}

/// Finds out why an input has no price; none when it has one.
pub(crate) fn gap<'a>(rules: &'a [PriceRule], input: &IndexMap<String, Value>) -> Option<Gap<'a>> {
    let (sheet, rules) = (Sheet::new(input.into(), None), Rules::of(rules));
    if sheet.total(&rules).is_some() {
        return None;
    }
    let of_line = |line: &Line<'a>| match line.condition.as_ref().map(|code| sheet.eval(code)) {
        Some(None) => Some(Gap::Condition(line.rule)),
        Some(Some(truth)) if !truth.is_true() => None,
        _ => sheet.price(line).is_none().then_some(Gap::Quantity(line.rule)),
    };
    Some(rules.lines.iter().find_map(of_line).unwrap_or(Gap::NoRule))
}

/// The inputs that a unit counts by, each alternative a list of which all are needed; none where
/// inputs never tell.
pub(crate) fn counts_by(per: &str) -> Option<Vec<Vec<&'static str>>> {
    match per {
        "run" | "image" | "input-megapixel" => Some(Vec::new()),
        "second" => Some(vec![vec!["duration"]]),
        "megapixel" => Some(vec![vec!["width", "height"], vec!["megapixels"]]),
        "output-kilotoken" => Some(MOST_TOKENS.iter().map(|name| vec![*name]).collect()),
        _ => None,
    }
}

/// The inputs that the expressions of a rule name, `input.NAME`.
pub(crate) fn named(rule: &PriceRule) -> BTreeSet<String> {
    let codes = [&rule.condition, &rule.quantity].into_iter().flatten();
    codes.flat_map(|code| fields_of(&code.value)).collect()
}

/// How many images an input asks for, where it says so exactly.
pub fn images_asked(input: &IndexMap<String, Value>) -> Option<u64> {
    let count = |field: &&str| match input.get(*field)? {
        Value::Number(count) => count.as_u64(),
        _ => None,
    };
    COUNTS.iter().find_map(count)
}

/// The inputs that decide about a price; none when every file among the inputs does.
pub fn reads(rules: &[PriceRule]) -> Option<BTreeSet<String>> {
    let mut fields = BTreeSet::new();
    for rule in rules {
        let codes = [&rule.condition, &rule.quantity].into_iter().flatten();
        codes.for_each(|code| fields.extend(fields_of(&code.value)));
        let own: &[&str] = match (rule.quantity.is_some(), rule.per.as_str()) {
            (false, "second") => &["duration"],
            (false, "megapixel") => &SIZES,
            (false, "output-kilotoken") => &MOST_TOKENS,
            (false, "input-megapixel") => return None,
            _ => &[],
        };
        fields.extend(own.iter().map(|field| (*field).to_owned()));
        if matches!((rule.quantity.is_some(), rule.per.as_str()), (false, "image" | "megapixel")) {
            fields.extend(COUNTS.into_iter().chain([MOST_IMAGES]).map(str::to_owned));
        }
    }
    Some(fields)
}

/// Rules are read against this.
struct Sheet<'a> {
    /// What expressions see: made for the first of them, as most rules have none.
    scope: OnceCell<Jinja>,
    input: Asked<'a>,
    observed: Option<&'a Observed>,
}

/// Rules that decide by the same inputs.
#[derive(Default)]
struct Tiers {
    hold: Vec<Estimate>,
    others: Vec<Estimate>,
}

impl<'a> Sheet<'a> {
    fn new(input: Asked<'a>, observed: Option<&'a Observed>) -> Self {
        Self { scope: OnceCell::new(), input, observed }
    }

    fn total(&self, rules: &Rules<'_>) -> Option<Estimate> {
        let mut tiers: Vec<Tiers> = Vec::new();
        tiers.resize_with(rules.tiers.len(), Tiers::default);
        for line in &rules.lines {
            let holds = match &line.condition {
                None => true,
                Some(code) => self.eval(code)?.is_true(),
            };
            let open = || rules.tiers[line.tier].iter().any(|field| self.input.get(field).is_none());
            if holds {
                tiers[line.tier].hold.push(self.price(line)?);
            } else if open() {
                tiers[line.tier].others.push(self.price(line)?);
            }
        }
        let certain = tiers.iter().flat_map(|tier| tier.hold.iter().copied()).reduce(Add::add);
        let open = tiers.iter().filter(|tier| tier.hold.is_empty() && tier.others.len() > 1);
        let open = open.filter_map(|tier| {
            let least = tier.others.iter().map(|price| price.min).min()?;
            let most = tier.others.iter().map(|price| price.max).max()?;
            Some(Estimate { min: least, max: most })
        });
        match (certain, open.reduce(Add::add)) {
            (Some(certain), Some(open)) => Some(Estimate { max: certain.max + open.max, ..certain }),
            (certain, open) => certain.or(open),
        }
    }

    fn price(&self, line: &Line<'_>) -> Option<Estimate> {
        let rule = line.rule;
        let seen = self.observed.and_then(|observed| observed.quantity(&rule.per));
        let expected = self.expected(line);
        let (least, most) = match (seen, expected) {
            // 5.04 seconds of video were asked for as 5, and are billed so.
            (Some(units), Some((_, most))) if units > most && units <= most * NEARLY => (most, most),
            (Some(units), _) => (units, units),
            (None, expected) => expected?,
        };
        Some(Estimate {
            min: MicroUsd::from_usd(rule.usd_min * least + rule.per_run_usd)?,
            max: MicroUsd::from_usd(rule.usd_max * most + rule.per_run_usd)?,
        })
    }

    /// The least and the most units that a rule can count.
    fn expected(&self, line: &Line<'_>) -> Option<(f64, f64)> {
        let exactly = |units: f64| (units, units);
        match (&line.quantity, line.rule.per.as_str()) {
            (Some(code), _) => bounds(&self.eval(code)?),
            (None, "run") => Some(exactly(1.0)),
            (None, "image") => self.images(),
            (None, "second") => self.number("duration").map(exactly),
            (None, "megapixel") => {
                let (megapixels, (least, most)) = (self.megapixels()?, self.images()?);
                Some((megapixels * least, megapixels * most))
            }
            (None, "input-megapixel") => self.input_megapixels().map(exactly),
            (None, "output-kilotoken") => {
                MOST_TOKENS.iter().find_map(|name| self.number(name)).map(|most| (0.0, most / 1000.0))
            }
            (None, _) => None,
        }
    }

    fn images(&self) -> Option<(f64, f64)> {
        if self.input.get(MOST_IMAGES).is_some() {
            return self.number(MOST_IMAGES).map(|most| (most.min(1.0), most));
        }
        let Some(count) = COUNTS.iter().find(|name| self.input.get(name).is_some()) else {
            return Some((1.0, 1.0));
        };
        self.number(count).map(|count| (count, count))
    }

    /// The size of one picture, where the inputs tell it.
    fn megapixels(&self) -> Option<f64> {
        let custom = self.input.get("aspect_ratio").is_none_or(|ratio| ratio.as_str() == Some("custom"));
        match (self.number("width"), self.number("height")) {
            (Some(width), Some(height)) if custom => Some(width * height / 1e6),
            _ => self.number("megapixels"),
        }
    }

    fn input_megapixels(&self) -> Option<f64> {
        let files = self.input.iter().flat_map(|(_, value)| value.media());
        let pixels = files.map(|file| Some(f64::from(file.width?) * f64::from(file.height?)));
        Some(pixels.sum::<Option<f64>>()? / 1e6)
    }

    /// An input that is a number, or a text that is one: `"5"`.
    fn number(&self, name: &str) -> Option<f64> {
        let number = match self.input.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite() && *number >= 0.0)
    }

    fn eval(&self, code: &Code<'_>) -> Option<Jinja> {
        let scope = || {
            let values = Jinja::from_pairs(self.input.iter().map(|(k, v)| (k.clone(), to_jinja(v))));
            context! { input => values }
        };
        match code {
            Code::Field(name) => Some(self.input.get(name).map_or(Jinja::UNDEFINED, to_jinja)),
            Code::Expression(expression) => expression.eval(self.scope.get_or_init(scope)).ok(),
            Code::Broken => None,
        }
    }
}

impl Observed {
    /// How many units of a rule were used.
    fn quantity(&self, per: &str) -> Option<f64> {
        match per {
            "image" => self.images,
            "megapixel" => self.megapixels,
            "second" => self.seconds,
            "gpu-second" => self.predict_seconds,
            "input-kilotoken" => self.input_tokens.map(|n| n / 1000.0),
            "output-kilotoken" => self.output_tokens.map(|n| n / 1000.0),
            "kilotoken" => Some((self.input_tokens? + self.output_tokens?) / 1000.0),
            _ => None,
        }
    }
}

/// A quantity: a number, or the least and the most of it.
fn bounds(value: &Jinja) -> Option<(f64, f64)> {
    if value.kind() != ValueKind::Seq {
        let units = f64::try_from(value.clone()).ok()?;
        return Some((units, units));
    }
    let numbers: Vec<f64> = value.try_iter().ok()?.map(|n| f64::try_from(n).ok()).collect::<Option<_>>()?;
    match numbers[..] {
        [least, most] if least <= most => Some((least, most)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
