//! A host's schema as JSON Schema 2020-12 that stands by itself.
//!
//! [`Rewriter::flat`] has put together what is spread over the document; here it is said in today's
//! words: `nullable`, limits that are true or false, files, secrets. What has no such words is
//! named, never dropped in silence.
//!
//! Start reading at [`Rewriter::schema`].

use serde_json::{Map, Value as Json, json};

use super::flat::{Flaw, MOST_DEEP, Rewriter};
use super::keywords::whole;

/// Keywords that say something about how a form is drawn, and nothing about values.
const NOISE: &[&str] =
    &["title", "x-order", "readOnly", "$schema", "$id", "$defs", "definitions", "components"];
/// Keywords that mean the same everywhere, in the order in which presets have them.
const KEPT: &[&str] = &[
    "const",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "deprecated",
];
/// Keywords that are read here.
const READ: &[&str] = &[
    "type",
    "format",
    "contentMediaType",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "pattern",
    "items",
    "prefixItems",
    "properties",
    "required",
    "additionalProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "default",
    "description",
    "nullable",
    "writeOnly",
    "x-cog-secret",
    "x-cog-accept",
    "x-cog-array-type",
    "x-cog-array-display",
];

/// A schema in today's words.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rewritten {
    /// The schema; media as `string` of format `uri` with their media type.
    pub schema: Map<String, Json>,
    /// It may also be null.
    pub nullable: bool,
    /// The host says that it is a secret.
    pub secret: bool,
    /// What was guessed or could not be said.
    pub notes: Vec<String>,
}

impl Rewriter<'_> {
    /// A schema in today's words. `at` says where it stands, `name` is the field's.
    pub fn schema(&mut self, schema: &Json, at: &str, name: &str) -> Result<Rewritten, Flaw> {
        let flat = self.flat(schema, at)?;
        self.translated(&flat, at, name, 0)
    }

    fn translated(
        &mut self,
        flat: &Map<String, Json>,
        at: &str,
        name: &str,
        depth: usize,
    ) -> Result<Rewritten, Flaw> {
        if depth > MOST_DEEP {
            return Err(Flaw::too_deep(at));
        }
        let nullable = flat.get("nullable") == Some(&json!(true));
        let mut to = Rewritten { nullable, secret: is_secret(flat), ..Rewritten::default() };
        to.types(flat);
        to.values(flat);
        to.bounds(flat);
        to.pattern(flat);
        for key in KEPT {
            to.schema.extend(flat.get(*key).map(|value| ((*key).to_owned(), value.clone())));
        }
        self.inner(flat, at, name, depth, &mut to)?;
        to.format(flat, name);
        if let Some(default) = flat.get("default").filter(|default| !default.is_null()) {
            let is_integer = to.schema.get("type").is_some_and(|kind| kind == "integer");
            let default = if is_integer { whole(default) } else { default.clone() };
            to.schema.insert("default".to_owned(), default);
        }
        if let Some(description) = flat.get("description").and_then(Json::as_str) {
            let description = one_line(description);
            let said = !description.is_empty() && description != "An enumeration.";
            to.schema.extend(said.then(|| ("description".to_owned(), json!(description))));
        }
        let known = |key: &str| NOISE.contains(&key) || KEPT.contains(&key) || READ.contains(&key);
        let unknown: Vec<_> = flat.keys().filter(|key| !known(key)).map(|key| format!("`{key}`")).collect();
        if !unknown.is_empty() {
            to.notes.push(format!("the host also says {}, which has no place here", unknown.join(", ")));
        }
        Ok(to)
    }

    /// The schemas inside of a schema.
    fn inner(
        &mut self,
        flat: &Map<String, Json>,
        at: &str,
        name: &str,
        depth: usize,
        to: &mut Rewritten,
    ) -> Result<(), Flaw> {
        match flat.get("items") {
            Some(Json::Array(items)) => {
                let items = items.iter().map(|item| self.nested(item, at, name, depth, to));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                to.schema.insert("prefixItems".to_owned(), items.into());
            }
            Some(items) => {
                let items = self.nested(items, at, name, depth, to)?;
                to.schema.insert("items".to_owned(), items);
            }
            None => {}
        }
        if let Some(properties) = flat.get("properties").and_then(Json::as_object) {
            let mut inner = Map::new();
            for (key, schema) in properties {
                let at = format!("{at}.{key}");
                inner.insert(key.clone(), self.nested(schema, &at, key, depth, to)?);
            }
            to.schema.insert("properties".to_owned(), Json::Object(inner));
            let required = required(flat);
            let there = required.filter(|name| properties.contains_key(*name)).collect::<Vec<_>>();
            if !there.is_empty() {
                to.schema.insert("required".to_owned(), json!(there));
            }
        }
        match flat.get("additionalProperties") {
            Some(Json::Bool(open)) => _ = to.schema.insert("additionalProperties".to_owned(), json!(open)),
            Some(schema @ Json::Object(_)) => {
                let schema = self.nested(schema, at, name, depth, to)?;
                to.schema.insert("additionalProperties".to_owned(), schema);
            }
            _ => {}
        }
        for key in ["prefixItems", "allOf", "anyOf", "oneOf"] {
            let Some(schemas) = flat.get(key).and_then(Json::as_array) else { continue };
            let schemas = schemas.iter().map(|schema| self.nested(schema, at, name, depth, to));
            let schemas = schemas.collect::<Result<Vec<_>, _>>()?;
            to.schema.insert(key.to_owned(), schemas.into());
        }
        Ok(())
    }

    fn nested(
        &mut self,
        schema: &Json,
        at: &str,
        name: &str,
        depth: usize,
        outer: &mut Rewritten,
    ) -> Result<Json, Flaw> {
        let flat = self.flat(schema, at)?;
        let Rewritten { mut schema, nullable, secret, notes } =
            self.translated(&flat, at, name, depth + 1)?;
        outer.notes.extend(notes);
        if secret {
            outer.notes.push("a secret inside of a value is a value like any other here".to_owned());
        }
        if nullable {
            with_null(&mut schema);
        }
        Ok(Json::Object(schema))
    }
}

fn is_secret(flat: &Map<String, Json>) -> bool {
    flat.get("x-cog-secret") == Some(&json!(true))
        || flat.get("format") == Some(&json!("password"))
        || flat.get("writeOnly") == Some(&json!(true))
}

/// The names under `required`.
pub(super) fn required(flat: &Map<String, Json>) -> impl Iterator<Item = &str> {
    flat.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

fn with_null(schema: &mut Map<String, Json>) {
    match schema.get_mut("type") {
        Some(Json::Array(several)) => several.push(json!("null")),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
    if let Some(words) = schema.get_mut("enum").and_then(Json::as_array_mut) {
        words.push(Json::Null);
    }
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        alternatives.push(json!({ "type": "null" }));
    }
}

/// A text without line breaks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
