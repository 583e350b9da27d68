//! A workflow that sends the same requests again.

use std::collections::BTreeMap;

use castline_spec::Name;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::{CameFrom, Made, Provenance, Read};
use crate::media::Artifact;
use crate::request::Key;
use crate::value::Value;
use castline_spec::schema::MediaKind;

/// A workflow, as far as it can be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The document.
    pub document: Json,
    /// Its steps, with the key that each of them had.
    pub steps: IndexMap<Name, Key>,
    /// What is missing, each as a whole sentence without its end.
    pub missing: Vec<String>,
}

/// What only a project knows.
pub struct Find<'a> {
    /// The preset that a step is to use.
    pub preset: &'a dyn Fn(&Made) -> String,
    /// The path of a file of the user, as a document names it, by what was said of it; an error says
    /// what is missing.
    pub file: &'a dyn Fn(&Read) -> Result<String, String>,
}

impl Provenance {
    /// Writes a workflow with a step for each prediction.
    pub fn workflow(&self, find: &Find<'_>) -> Written {
        let mut writer = Writer { find, names: BTreeMap::new(), taken: BTreeMap::new(), missing: Vec::new() };
        let (mut steps, mut keys) = (Map::new(), IndexMap::new());
        for made in &self.predictions {
            let name = writer.name(&made.leg);
            let step = writer.step(made);
            steps.insert(name.clone(), step);
            keys.insert(Name::from(name.as_str()), made.request.key);
        }
        let document = json!({ "castline": 1, "steps": steps });
        Written { document, steps: keys, missing: writer.missing }
    }
}

struct Writer<'a> {
    find: &'a Find<'a>,
    /// Steps by the leg that they were.
    names: BTreeMap<String, String>,
    /// Names that steps have, each with the last number that was tried after it.
    taken: BTreeMap<String, u32>,
    missing: Vec<String>,
}

impl Writer<'_> {
    /// A name for a leg's step: `styled[style=linocut]` is `styled_linocut`.
    fn name(&mut self, leg: &str) -> String {
        let values = leg.split(['[', ',', ']']).enumerate().map(|(n, part)| match n {
            0 => part,
            _ => part.split_once('=').map_or(part, |(_, value)| value),
        });
        let words = values.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()));
        let words: Vec<_> =
            words.filter(|word| !word.is_empty()).take(6).map(str::to_ascii_lowercase).collect();
        let mut name = words.join("_");
        name.truncate(40);
        if !Name::is_identifier(&name) {
            name.insert_str(0, "step_");
        }
        let name = self.free(name);
        self.names.insert(leg.to_owned(), name.clone());
        name
    }

    /// A name, or the first with a number after it that no step has yet.
    fn free(&mut self, name: String) -> String {
        let mut last = self.taken.get(&name).copied().unwrap_or(0);
        let free = loop {
            last += 1;
            let next = if last == 1 { name.clone() } else { format!("{name}_{last}") };
            if !self.taken.contains_key(&next) {
                break next;
            }
        };
        self.taken.insert(free.clone(), 1);
        self.taken.insert(name, last);
        free
    }

    fn step(&mut self, made: &Made) -> Json {
        let mut step = Map::new();
        step.insert("uses".into(), (self.find.preset)(made).into());
        let with = made.request.input.iter().map(|(name, value)| (name.clone(), self.value(value, made)));
        let with: Map<_, _> = with.collect();
        if let Some((last, axes)) = made.request.draw.split_last() {
            let axis = |(n, value): (usize, &Json)| (format!("draw_{}", n + 1), json!([literal(value)]));
            let each: Map<_, _> = axes.iter().enumerate().map(axis).collect();
            if !each.is_empty() {
                step.insert("each".into(), each.into());
            }
            step.insert("draw".into(), literal(last));
        }
        step.insert("with".into(), with.into());
        step.into()
    }

    /// A value as a document says it.
    fn value(&mut self, value: &Value, made: &Made) -> Json {
        match value {
            Value::List(items) => items.iter().map(|item| self.value(item, made)).collect(),
            Value::Map(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.value(value, made))).collect()
            }
            Value::Media(artifact) => self.media(artifact, made),
            plain => literal(&plain.to_json(&mut |_| Json::Null)),
        }
    }

    fn media(&mut self, artifact: &Artifact, made: &Made) -> Json {
        let unknown = Read { digest: artifact.digest, from: CameFrom::Unknown {} };
        let read = made.reads.iter().find(|read| read.digest == artifact.digest).unwrap_or(&unknown);
        if let CameFrom::Leg { leg, nth } = &read.from
            && let Some(step) = self.names.get(leg)
        {
            return port(step, artifact.kind(), *nth).into();
        }
        (self.find.file)(read).map_or_else(
            |missing| {
                self.missing.push(missing);
                Json::Null
            },
            |path| literal(&path.into()),
        )
    }
}

/// One of the files of a step.
fn port(step: &str, kind: MediaKind, nth: usize) -> String {
    let kind = kind.as_str();
    match nth {
        0 => format!("{{{{ steps.{step}.{kind} }}}}"),
        _ => format!("{{{{ steps.{step}.{kind}s[{nth}] }}}}"),
    }
}

/// Plain data that no template is read into.
fn literal(value: &Json) -> Json {
    match value {
        Json::String(text) if is_read_as_template(text) => {
            format!("{{{{ {} }}}}", Json::String(text.clone())).into()
        }
        Json::Array(items) => items.iter().map(literal).collect(),
        Json::Object(map) => map.iter().map(|(key, value)| (key.clone(), literal(value))).collect(),
        plain => plain.clone(),
    }
}

fn is_read_as_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(legs: impl IntoIterator<Item = String>) -> Vec<String> {
        let find = Find { preset: &|_| String::new(), file: &|_| Err(String::new()) };
        let mut writer =
            Writer { find: &find, names: BTreeMap::new(), taken: BTreeMap::new(), missing: Vec::new() };
        legs.into_iter().map(|leg| writer.name(&leg)).collect()
    }

    #[test]
    fn every_prediction_has_a_step_of_its_own() {
        let legs = ["a", "a", "a", "a_2", "A!", "styled[style=line art]", "styled_line[art=2]", ""];
        assert_eq!(
            named(legs.map(str::to_owned)),
            ["a", "a_2", "a_3", "a_2_2", "a_4", "styled_line_art", "styled_line_2", "step_"]
        );
    }

    #[test]
    fn many_predictions_of_one_name_are_named_at_once() {
        // Who looked through all names for each number would be at it for minutes.
        let names = named((0..20_000).map(|n| "a".to_owned() + &"!".repeat(n % 3_000)));
        assert_eq!(names.last().map(String::as_str), Some("a_20000"));
    }
}
