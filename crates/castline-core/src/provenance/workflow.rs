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
        let mut writer = Writer { find, names: BTreeMap::new(), missing: Vec::new() };
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
        let taken = |name: &str| self.names.values().any(|other| other == name);
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name));
        let name = name.expect("there are more numbers than steps");
        self.names.insert(leg.to_owned(), name.clone());
        name
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
