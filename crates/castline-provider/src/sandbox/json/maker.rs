//! Makes a value by a schema.
//!
//! Every place has dice of its own, thrown from its path: what is made at one place does
//! not change what is made at another.
//!
//! Start reading at [`Maker::whole`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

use castline_core::graph::JsonSchema;
use serde_json::{Map, Value as Json, json};

use super::phrase::{phrase, title_case};
use super::shape::{Keys, Shapes, requires};
use super::subject::Subject;
use super::{format, number, pattern};
use crate::sandbox::dice::Dice;

/// Other values that are tried at a place whose schema cannot be read off.
const TRIES: usize = 16;

/// Other values that are tried for an item that is there already.
const OTHERS: usize = 24;

/// More values than any answer has, tries counted.
const MOST_VALUES: usize = 20_000;

/// The longest list and the longest text that are made.
const MOST: usize = 2_000;

/// Deeper than this nothing is made that need not be.
const DEEP: usize = 5;

/// Deeper than this nothing is made at all.
const DEEPEST: usize = 40;

/// Why there is no value, and at which place.
#[derive(Debug, Clone)]
pub(crate) struct Dead {
    path: String,
    why: String,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`json{}`: {}", self.path, self.why)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// `.scenes[1].title`.
    path: String,
    /// `.scenes[*].title`: the same for all items of a list.
    pub(crate) common: String,
    /// `.scenes[*]`, or nothing outside of lists.
    pub(crate) scene: String,
    /// `title`; for items the name of their list.
    name: String,
    /// Counts the items of the lists around.
    pub(crate) turn: usize,
    /// Which item of how many, in the nearest list.
    pub(crate) series: Option<(usize, usize)>,
    /// How often another value was asked for.
    pub(crate) again: usize,
    depth: usize,
}

impl Place {
    fn property(&self, name: &str) -> Self {
        Self {
            path: format!("{}.{name}", self.path),
            common: format!("{}.{name}", self.common),
            name: name.to_owned(),
            depth: self.depth + 1,
            ..self.clone()
        }
    }

    fn item(&self, index: usize, many: usize) -> Self {
        let common = format!("{}[*]", self.common);
        Self {
            path: format!("{}[{index}]", self.path),
            scene: common.clone(),
            common,
            turn: self.turn * 5 + index,
            series: Some((index, many)),
            depth: self.depth + 1,
            ..self.clone()
        }
    }

    fn other(&self, again: usize) -> Self {
        Self { turn: self.turn + again, again: self.again + again, ..self.clone() }
    }

    /// The words of its name: `image_prompt` and `imagePrompt` are two.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut small = false;
        for c in self.name.chars() {
            if !c.is_alphanumeric() || (small && c.is_uppercase()) {
                words.push(String::new());
            }
            if c.is_alphanumeric() {
                words.last_mut().expect("never empty").extend(c.to_lowercase());
            }
            small = c.is_lowercase();
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn dead(&self, why: impl Into<String>) -> Dead {
        Dead { path: self.path.clone(), why: why.into() }
    }
}

/// What makes one answer.
pub(crate) struct Maker<'a> {
    shapes: Shapes<'a>,
    root: &'a Json,
    subject: &'a Subject,
    dice: &'a Dice,
    attempt: usize,
    values: Cell<usize>,
    checks: RefCell<HashMap<String, Option<JsonSchema>>>,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(root: &'a Json, subject: &'a Subject, dice: &'a Dice, attempt: usize) -> Self {
        Self {
            shapes: Shapes::new(root),
            root,
            subject,
            dice,
            attempt,
            values: Cell::new(0),
            checks: RefCell::default(),
        }
    }

    /// A value for the whole schema.
    pub(crate) fn whole(&self) -> Result<Json, Dead> {
        self.value(self.root, &Place::default().other(self.attempt))
    }

    fn value(&self, schema: &Json, place: &Place) -> Result<Json, Dead> {
        if place.depth > DEEPEST {
            return Err(place.dead("it has no end: it must hold itself again and again"));
        }
        if !self.shapes.is_hard(schema) {
            return self.once(schema, place);
        }
        let mut why = place.dead("no value was found that its schema takes");
        for again in 0..TRIES {
            match self.once(schema, &place.other(again)) {
                Ok(value) if self.takes(schema, &value) => return Ok(value),
                Ok(_) => {}
                Err(dead) => why = dead,
            }
            if self.values.get() > MOST_VALUES {
                break;
            }
        }
        Err(why)
    }

    fn once(&self, schema: &Json, place: &Place) -> Result<Json, Dead> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MOST_VALUES {
            return Err(place.dead("its schema takes too much trying out"));
        }
        let mut choice = self.common(place, "branch");
        let mut nth = place.turn;
        let mut choose = |many: usize| {
            nth += 1;
            (choice.below(many) + nth - 1) % many
        };
        let keys =
            self.shapes.flat(schema, place.depth > DEEP, &mut choose).map_err(|why| place.dead(why))?;
        if let Some(only) = keys.get("const") {
            return Ok(only.clone());
        }
        if let Some(options) = keys.get("enum").and_then(Json::as_array) {
            return self.option(options, &keys, place);
        }
        match kind(&keys, place) {
            "object" => self.object(&keys, place),
            "array" => self.array(&keys, place),
            "integer" => self.number(&keys, true, place),
            "number" => self.number(&keys, false, place),
            "boolean" => Ok(json!(self.common(place, "flag").below(2) + place.turn % 2 == 1)),
            "null" => Ok(Json::Null),
            _ => self.text(&keys, place).map(Json::String),
        }
    }

    /// Dice that are the same for all items of a list.
    fn common(&self, place: &Place, part: &str) -> Dice {
        self.dice.fork(&place.common).fork(part)
    }

    /// Dice of this one place.
    fn own(&self, place: &Place) -> Dice {
        self.dice.fork(&place.path).fork(&place.again.to_string())
    }

    fn option(&self, options: &[Json], keys: &Keys, place: &Place) -> Result<Json, Dead> {
        let others =
            keys.keys().any(|key| !["enum", "title", "description", "default"].contains(&key.as_str()));
        let rest = Json::Object(keys.clone());
        let fine: Vec<&Json> = options.iter().filter(|o| !others || self.takes(&rest, o)).collect();
        if fine.is_empty() {
            return Err(place.dead("none of its `enum` fits the rest of its schema"));
        }
        let offset = self.common(place, "option").below(fine.len());
        Ok(fine[(offset + place.turn) % fine.len()].clone())
    }

    fn number(&self, keys: &Keys, integer: bool, place: &Place) -> Result<Json, Dead> {
        number::number(keys, place, integer, &mut self.common(place, "number")).map_err(|why| place.dead(why))
    }

    fn object(&self, keys: &Keys, place: &Place) -> Result<Json, Dead> {
        let count = |key: &str| keys.get(key).and_then(Json::as_u64).map(|n| n as usize);
        let (least, most) =
            (count("minProperties").unwrap_or(0), count("maxProperties").unwrap_or(usize::MAX));
        let declared = keys.get("properties").and_then(Json::as_object);
        let mut wanted: Vec<String> = declared.into_iter().flat_map(Map::keys).cloned().collect();
        add_required(keys, &mut wanted);
        let needed = |name: &str| needs(keys, name);
        let required = wanted.iter().filter(|name| needed(name)).count();
        if required > most {
            return Err(place.dead(format!("it needs {required} properties and may have {most}")));
        }
        let mut spare = most - required;
        let mut made = Map::new();
        for name in &wanted {
            let must = needed(name);
            if !must && (spare == 0 || place.depth > DEEP || place.again > TRIES / 2) {
                continue;
            }
            match self.property(keys, name, place) {
                Ok(value) => {
                    made.insert(name.clone(), value);
                    spare -= usize::from(!must);
                }
                Err(dead) if must => return Err(dead),
                // What cannot be made need not be there.
                Err(_) => {}
            }
        }
        self.fill(keys, &mut made, least, most, place)?;
        Ok(Json::Object(made))
    }

    /// The value of a property, by everything that speaks of it.
    fn property(&self, keys: &Keys, name: &str, place: &Place) -> Result<Json, Dead> {
        let place = place.property(name);
        let own = keys.get("properties").and_then(|p| p.get(name));
        let patterns = keys.get("patternProperties").and_then(Json::as_object);
        let matching = patterns
            .into_iter()
            .flatten()
            .filter(|(p, _)| self.takes(&json!({ "pattern": p }), &json!(name)));
        let mut all: Vec<&Json> = own.into_iter().chain(matching.map(|(_, schema)| schema)).collect();
        if all.is_empty() {
            all.extend(keys.get("additionalProperties"));
        }
        match all.as_slice() {
            [] | [Json::Bool(true)] => self.value(&json!({ "type": "string" }), &place),
            [one] => self.value(one, &place),
            several => self.value(&json!({ "allOf": several }), &place),
        }
    }

    /// Properties under names of our own: as many as must be, and some where the names are
    /// free.
    fn fill(
        &self,
        keys: &Keys,
        made: &mut Map<String, Json>,
        least: usize,
        most: usize,
        place: &Place,
    ) -> Result<(), Dead> {
        let free = keys.get("additionalProperties").is_some_and(Json::is_object)
            || keys.get("patternProperties").and_then(Json::as_object).is_some_and(|p| !p.is_empty());
        let some = if free && made.is_empty() && place.depth <= DEEP { 3 } else { 0 };
        let aim = least.max(some.min(most));
        if aim > MOST {
            return Err(place.dead(format!("the sandbox makes {MOST} properties at most")));
        }
        for nth in 0..(aim * 4 + 16) {
            if made.len() >= aim {
                return Ok(());
            }
            let Some(name) = self.new_name(keys, nth, place) else { continue };
            if made.contains_key(&name) {
                continue;
            }
            if let Ok(value) = self.property(keys, &name, place) {
                made.insert(name, value);
            }
        }
        match made.len() < least {
            true => {
                Err(place.dead(format!("it needs {least} properties, and only {} can be made", made.len())))
            }
            false => Ok(()),
        }
    }

    fn new_name(&self, keys: &Keys, nth: usize, place: &Place) -> Option<String> {
        const NAMES: [&str; 6] = ["title", "description", "mood", "setting", "note", "detail"];
        let patterns = keys.get("patternProperties").and_then(Json::as_object).into_iter().flatten();
        let closed = keys.get("additionalProperties") == Some(&Json::Bool(false));
        let mut dice = self.own(place).fork(&nth.to_string());
        let name =
            match patterns.map(|(pattern, _)| pattern).nth(if nth.is_multiple_of(2) { 0 } else { nth / 2 }) {
                Some(pattern) => pattern::text(pattern, 2, &mut dice)?,
                None if closed => return None,
                None => match (keys.get("propertyNames"), NAMES.get(nth)) {
                    (Some(names), _) => self.value(names, &place.other(nth)).ok()?.as_str()?.to_owned(),
                    (None, Some(name)) => (*name).to_owned(),
                    (None, None) => format!("detail_{nth}"),
                },
            };
        let named = keys.get("propertyNames").is_none_or(|names| self.takes(names, &json!(name)));
        named.then_some(name)
    }

    fn array(&self, keys: &Keys, place: &Place) -> Result<Json, Dead> {
        let count = |key: &str| keys.get(key).and_then(Json::as_u64).map(|n| n as usize);
        let first = keys.get("prefixItems").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let rest = keys.get("items").cloned().unwrap_or(Json::Bool(true));
        let contained = keys.get("contains").map(|schema| (schema, count("minContains").unwrap_or(1)));
        let least = count("minItems").unwrap_or(0).max(contained.map_or(0, |(_, least)| least));
        let most =
            count("maxItems").unwrap_or(usize::MAX).min(if rest == false { first.len() } else { usize::MAX });
        if least > most {
            return Err(place.dead(format!("it needs {least} items and may have {most}")));
        }
        if least > MOST {
            return Err(place.dead(format!("the sandbox makes {MOST} items at most")));
        }
        let usual = 3 + self.own(place).below(2);
        let asked = self.subject.count(&place.words()).filter(|n| *n <= 24);
        let aim = match () {
            () if place.depth > DEEP => least,
            () if !first.is_empty() => first.len().max(least),
            () => asked.unwrap_or(usual),
        };
        let many = aim.clamp(least, most);
        let unique = keys.get("uniqueItems") == Some(&Json::Bool(true));
        let mut items: Vec<Json> = Vec::new();
        for index in 0..many {
            let mut schema = first.get(index).unwrap_or(&rest).clone();
            let from = many - contained.map_or(0, |(_, least)| least.min(many));
            if let Some((wanted, _)) = contained.filter(|_| index >= from) {
                schema = json!({ "allOf": [schema, wanted] });
            }
            let free = matches!(&schema, Json::Bool(true)) || schema == json!({});
            let schema = if free { json!({ "type": "string" }) } else { schema };
            match self.item(&schema, &items, unique, &place.item(index, many)) {
                Ok(item) => items.push(item),
                Err(_) if index >= least && index >= first.len() => break,
                Err(dead) => return Err(dead),
            }
        }
        Ok(Json::Array(items))
    }

    /// An item that is not there yet; the same once more only where it may be, and must.
    fn item(&self, schema: &Json, before: &[Json], unique: bool, place: &Place) -> Result<Json, Dead> {
        let mut last = None;
        for again in 0..OTHERS {
            let item = self.value(schema, &place.other(again))?;
            if !before.iter().any(|other| same(other, &item)) {
                return Ok(item);
            }
            last = Some(item);
        }
        match last.filter(|_| !unique) {
            Some(item) => Ok(item),
            None => {
                Err(place
                    .dead(format!("no item can be made that differs from the {} before it", before.len())))
            }
        }
    }

    fn text(&self, keys: &Keys, place: &Place) -> Result<String, Dead> {
        let count = |key: &str| keys.get(key).and_then(Json::as_u64).map(|n| n as usize);
        let (least, most) = (count("minLength").unwrap_or(0), count("maxLength").unwrap_or(usize::MAX));
        if least > most {
            return Err(place.dead(format!("it needs {least} characters and may have {most}")));
        }
        if least > MOST {
            return Err(place.dead(format!("the sandbox writes {MOST} characters at most")));
        }
        let said: Vec<&str> =
            ["title", "description"].iter().filter_map(|key| keys.get(*key)?.as_str()).collect();
        let fits = |text: &String| (least..=most).contains(&text.chars().count());
        let mut own = self.own(place);
        if let Some(format) = keys.get("format").and_then(Json::as_str)
            && let Some(text) = format::text(format, &self.subject.slug(), &mut own).filter(fits)
        {
            return Ok(text);
        }
        let phrase = phrase(self.subject, place, &said, least, most, self.dice);
        let Some(pattern) = keys.get("pattern") else { return Ok(distinct(phrase, place, most)) };
        let slug = format!("{}-{}", self.subject.slug(), place.turn + 1);
        let plain =
            [phrase.clone(), title_case(&phrase), slug, self.subject.noun.clone(), phrase.to_lowercase()];
        let whole = Json::Object(keys.clone());
        let made = (0..TRIES).filter_map(|_| pattern::text(pattern.as_str()?, least, &mut own));
        let examples = ["default", "examples"].iter().filter_map(|key| keys.get(*key));
        let examples = examples.flat_map(|e| e.as_array().map_or_else(|| vec![e.clone()], Clone::clone));
        plain
            .into_iter()
            .filter(|_| place.again < 4)
            .chain(made)
            .chain(examples.filter_map(|e| e.as_str().map(str::to_owned)))
            .find(|text| fits(text) && self.takes(&whole, &json!(text)))
            .ok_or_else(|| place.dead(format!("no text was found for its pattern {pattern}")))
    }

    /// True when a schema below the root takes a value, and where that cannot be told: the
    /// whole is looked at in the end.
    fn takes(&self, schema: &Json, value: &Json) -> bool {
        let mut checks = self.checks.borrow_mut();
        let check = checks
            .entry(schema.to_string())
            .or_insert_with(|| JsonSchema::new(self.shapes.alone(schema)).ok());
        check.as_ref().is_none_or(|check| check.misfit(value).is_none())
    }
}

/// What is required, and what that requires in turn.
fn add_required(keys: &Keys, wanted: &mut Vec<String>) {
    let required = keys.get("required").and_then(Json::as_array);
    let dependent = keys.get("dependentRequired").and_then(Json::as_object);
    let lists = dependent.into_iter().flat_map(|map| map.values()).filter_map(Json::as_array);
    let names = required.into_iter().chain(lists).flatten().filter_map(Json::as_str);
    for name in names.map(str::to_owned).collect::<Vec<_>>() {
        if !wanted.contains(&name) && needs(keys, &name) {
            wanted.push(name);
        }
    }
}

/// True when a property must be there, given that all that can be made is.
fn needs(keys: &Keys, name: &str) -> bool {
    let names = |list: &Json| list.as_array().is_some_and(|list| list.iter().any(|n| n == name));
    let dependent = keys.get("dependentRequired").and_then(Json::as_object);
    requires(keys, name)
        || dependent.into_iter().flatten().any(|(by, list)| {
            names(list) && (requires(keys, by) || keys.get("properties").is_some_and(|p| p.get(by).is_some()))
        })
}

/// The type, by what is said of it; null only where nothing else may be, or as a last try.
fn kind<'k>(keys: &'k Keys, place: &Place) -> &'k str {
    let mut types: Vec<&str> = match keys.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => return implied(keys),
    };
    types.sort_by_key(|t| *t == "null");
    if place.depth > DEEP {
        types.sort_by_key(|t| ["object", "array"].contains(t));
    }
    let last =
        types.len() - usize::from(types.len() > 1 && types.contains(&"null") && place.again < TRIES / 2);
    types.get(place.again % last.max(1)).copied().unwrap_or("string")
}

/// Short texts that were asked for again get a letter or a number.
fn distinct(text: String, place: &Place, most: usize) -> String {
    if place.again == 0 {
        return text;
    }
    let end = place.again.to_string();
    let kept = most.saturating_sub(end.chars().count() + 1);
    let mut text: String = text.chars().take(kept).collect();
    if most <= end.len() {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789";
        return letters.chars().cycle().skip(place.again).take(most).collect();
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text + &end
}

/// The type that keywords speak of where none is said.
fn implied(keys: &Keys) -> &'static str {
    const IMPLIED: [(&str, &[&str]); 3] = [
        (
            "object",
            &[
                "properties",
                "required",
                "additionalProperties",
                "patternProperties",
                "minProperties",
                "maxProperties",
                "propertyNames",
                "dependentRequired",
                "dependentSchemas",
            ],
        ),
        ("array", &["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]),
        ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    ];
    IMPLIED
        .iter()
        .find(|(_, names)| names.iter().any(|name| keys.contains_key(*name)))
        .map_or("string", |e| e.0)
}

/// Equal as JSON Schema has it: 1 and 1.0 are.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
