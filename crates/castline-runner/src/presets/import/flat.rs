//! A schema of a host's document with everything that it refers to in one place.
//!
//! Hosts describe their models in OpenAPI 3.0 of several generations: enums behind `allOf` and
//! `$ref`, `anyOf` with null, constants side by side. References are followed inside of the document
//! alone, and only so often and so deep.
//!
//! Start reading at [`Rewriter::flat`].

use serde_json::{Map, Value as Json, json};

/// Deeper than any input of a model.
pub(super) const MOST_DEEP: usize = 32;
/// More values than the schemas of any model have, counted as often as something refers to them.
const MOST_VALUES: usize = 1_000_000;

/// What may differ between a schema and the one that it refers to: the nearer one counts.
const WORDS: &[&str] = &["title", "description", "default", "x-order"];

/// Why a document cannot be made a preset, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Flaw {
    /// A fault of the document's author.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: "the document has to be corrected where it was made" }
    }

    /// A schema without an end.
    pub fn too_deep(at: &str) -> Self {
        Self::new(format!(
            "`{}` is more than {MOST_DEEP} schemas deep: does it refer to itself?",
            beginning(at)
        ))
    }
}

/// Reads one document.
pub(super) struct Rewriter<'d> {
    document: &'d Json,
    left: usize,
}

impl<'d> Rewriter<'d> {
    /// For the schemas of this document.
    pub fn new(document: &'d Json) -> Self {
        Self { document, left: MOST_VALUES }
    }

    /// A schema with everything that it refers to in one place, in the document's own words. `at` says
    /// in messages where it stands: `Input.image`.
    pub fn flat(&mut self, schema: &Json, at: &str) -> Result<Map<String, Json>, Flaw> {
        self.flattened(schema, at, &mut Vec::new())
    }

    fn flattened(
        &mut self,
        schema: &Json,
        at: &str,
        trail: &mut Vec<String>,
    ) -> Result<Map<String, Json>, Flaw> {
        self.left = self.left.checked_sub(weight(schema)).ok_or_else(|| {
            Flaw::new(format!(
                "with `{}` there are more than {MOST_VALUES} values, references followed",
                beginning(at)
            ))
        })?;
        if trail.len() > MOST_DEEP {
            return Err(Flaw::too_deep(at));
        }
        let mut flat = match schema {
            Json::Bool(true) => Map::new(),
            Json::Object(map) => map.clone(),
            _ => return Err(Flaw::new(format!("`{at}` is no schema, which is a map"))),
        };
        let mut parts = Vec::new();
        if let Some(reference) = flat.shift_remove("$ref") {
            let reference = reference.as_str().unwrap_or_default().to_owned();
            if trail.contains(&reference) {
                let way = trail.iter().chain([&reference]).map(|r| last(r)).collect::<Vec<_>>().join(" -> ");
                return Err(Flaw::new(format!("`{at}` refers to itself: {way}")));
            }
            let target = self.target(&reference, at)?;
            trail.push(reference);
            parts.push(self.flattened(target, at, trail)?);
            trail.pop();
        }
        trail.push(String::new());
        for part in listed(&mut flat, "allOf") {
            parts.push(self.flattened(&part, at, trail)?);
        }
        for key in ["anyOf", "oneOf"] {
            self.alternatives(&mut flat, key, at, trail, &mut parts)?;
        }
        trail.pop();
        let mut others = Vec::new();
        for part in parts {
            if let Err(part) = merge(&mut flat, part) {
                others.push(Json::Object(part));
            }
        }
        if !others.is_empty() {
            flat.insert("allOf".to_owned(), Json::Array(others));
        }
        Ok(flat)
    }

    /// Alternatives without null; a single one is no alternative, and words apart are one list.
    fn alternatives(
        &mut self,
        flat: &mut Map<String, Json>,
        key: &str,
        at: &str,
        trail: &mut Vec<String>,
        parts: &mut Vec<Map<String, Json>>,
    ) -> Result<(), Flaw> {
        let mut real = Vec::new();
        for alternative in listed(flat, key) {
            let alternative = self.flattened(&alternative, at, trail)?;
            match is_null(&alternative) {
                true => _ = flat.insert("nullable".to_owned(), json!(true)),
                false => real.push(alternative),
            }
        }
        match (real.len(), one_list(&real)) {
            (0, _) => {}
            (1, _) => parts.extend(real),
            (_, Some(list)) => parts.push(list),
            _ => _ = flat.insert(key.to_owned(), real.into_iter().map(Json::Object).collect()),
        }
        Ok(())
    }

    fn target(&self, reference: &str, at: &str) -> Result<&'d Json, Flaw> {
        let Some(pointer) = reference.strip_prefix('#') else {
            let message = format!("`{at}` refers to `{reference}`, which is outside of the document");
            return Err(Flaw { message, hint: "only references that begin with `#/` are followed" });
        };
        let plain = self.document.pointer(pointer);
        let found = plain.or_else(|| self.document.pointer(&decoded(pointer)));
        found.ok_or_else(|| Flaw::new(format!("`{at}` refers to `{reference}`, which is not there")))
    }
}

/// How many values there are in one, long texts counted more than once.
fn weight(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Json::Object(map) => 1 + map.values().map(weight).sum::<usize>(),
        Json::String(text) => 1 + text.len() / 64,
        _ => 1,
    }
}

/// The JSON type of a word.
pub(super) fn type_of(value: &Json) -> Option<&'static str> {
    match value {
        Json::String(_) => Some("string"),
        Json::Number(number) if number.is_f64() => Some("number"),
        Json::Number(_) => Some("integer"),
        Json::Bool(_) => Some("boolean"),
        _ => None,
    }
}

fn listed(flat: &mut Map<String, Json>, key: &str) -> Vec<Json> {
    match flat.shift_remove(key) {
        Some(Json::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn is_null(flat: &Map<String, Json>) -> bool {
    flat.get("type") == Some(&json!("null"))
        || flat.get("const") == Some(&Json::Null)
        || flat.get("enum") == Some(&json!([null]))
}

/// Alternatives that are only words, each of one type, are a list of words.
fn one_list(alternatives: &[Map<String, Json>]) -> Option<Map<String, Json>> {
    let mut words = Vec::new();
    for alternative in alternatives {
        let plain = ["type", "enum", "const", "title", "description"];
        if !alternative.keys().all(|key| plain.contains(&key.as_str())) {
            return None;
        }
        match (alternative.get("enum"), alternative.get("const")) {
            (Some(Json::Array(list)), None) => words.extend(list.clone()),
            (None, Some(word)) => words.push(word.clone()),
            _ => return None,
        }
    }
    let first = type_of(words.first()?)?;
    let alike = words.iter().all(|word| type_of(word) == Some(first));
    alike.then(|| Map::from_iter([("type".to_owned(), json!(first)), ("enum".to_owned(), words.into())]))
}

/// Puts a schema under another one that says the same or nothing; gives it back where they differ.
fn merge(to: &mut Map<String, Json>, part: Map<String, Json>) -> Result<(), Map<String, Json>> {
    let differs = |(key, value): (&String, &Json)| {
        !WORDS.contains(&key.as_str()) && to.get(key).is_some_and(|own| own != value)
    };
    if part.iter().any(differs) {
        return Err(part);
    }
    for (key, value) in part {
        to.entry(key).or_insert(value);
    }
    Ok(())
}

/// Where something stands, without the long way of what refers to itself.
fn beginning(at: &str) -> &str {
    const LONGEST: usize = 60;
    at.char_indices().nth(LONGEST).map_or(at, |(end, _)| &at[..end])
}

fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// A pointer without `%20` and its like.
fn decoded(pointer: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = pointer.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
