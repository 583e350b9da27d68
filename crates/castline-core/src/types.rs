//! What is known of a value before it is there.
//!
//! Types are JSON Schemas. A [`Type`] says of a value what every value that can come must
//! satisfy, so "it can never fit" and "it always fits" are both certain, and everything between
//! is checked again with the real value. A media value is written as an object of one key, so
//! that kinds of media, lists and texts are told apart by the same relation as everything else.
//!
//! The way of an expression is [`infer`] (its type, by [`signature`] of filters), then [`fit`]
//! (that type against an input's schema), then [`words`] (for people).
//!
//! Start reading at [`Type`].

pub mod fit;
pub mod infer;
mod signature;
mod words;

use std::sync::Arc;

use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json, json};

pub use words::describe;

/// The key of the object that stands for a media value.
const MEDIA: &str = "$media";
/// The key of the object that stands for a step or one of its legs, which is no value.
const STEP: &str = "$step";
/// Schemas that are put together stay below this size.
const MOST_NODES: usize = 2_000;
/// Sets of values up to this size are looked at one by one.
const MOST_VALUES: usize = 64;

/// What is known of a value before it is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// A JSON Schema that every such value satisfies, media written as objects.
    pub schema: Arc<Json>,
    /// True when there may be nothing instead of a value: a key that may be missing.
    pub may_be_missing: bool,
    /// True when making it may fail with some values: a text that may be no number.
    pub may_fail: bool,
}

/// The kinds of values that a type may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// None, the value.
    pub const NULL: Self = Self(1);
    /// True and false.
    pub const BOOLEAN: Self = Self(2);
    /// Integers and others.
    pub const NUMBER: Self = Self(4);
    /// Text.
    pub const TEXT: Self = Self(8);
    /// Lists.
    pub const LIST: Self = Self(16);
    /// Maps.
    pub const MAP: Self = Self(32);
    /// Pictures, videos, sound, files.
    pub const MEDIA: Self = Self(64);
    /// Steps and their legs, which are no values.
    pub const STEP: Self = Self(128);
    /// Every kind.
    pub const ALL: Self = Self(255);

    /// Either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True when there are no others than these, and at least one.
    pub const fn only(self, these: Self) -> bool {
        self.0 & !these.0 == 0 && self.0 != 0
    }

    /// True when one of these may be.
    pub const fn any(self, these: Self) -> bool {
        self.0 & these.0 != 0
    }

    /// The kinds that a JSON Schema allows, at most.
    pub fn of(schema: &Json) -> Self {
        let Some(map) = schema.as_object() else {
            return if schema == &Json::Bool(false) { Self::NONE } else { Self::ALL };
        };
        let mut kinds = match map.get("type") {
            Some(Json::String(one)) => Self::of_type(one),
            Some(Json::Array(several)) => {
                several.iter().filter_map(Json::as_str).map(Self::of_type).fold(Self::NONE, Self::or)
            }
            _ => Self::ALL,
        };
        if let Some(properties) = map.get("properties") {
            let marked = |key| properties.get(key).is_some();
            kinds = match (marked(MEDIA), marked(STEP)) {
                (true, _) => Self::MEDIA,
                (_, true) => Self::STEP,
                _ => kinds,
            };
        }
        if let Some(value) = map.get("const") {
            kinds = kinds.and(Self::of_value(value));
        }
        if let Some(values) = map.get("enum").and_then(Json::as_array) {
            kinds = kinds.and(values.iter().map(Self::of_value).fold(Self::NONE, Self::or));
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(schemas) = map.get(key).and_then(Json::as_array) {
                kinds = kinds.and(schemas.iter().map(Self::of).fold(Self::NONE, Self::or));
            }
        }
        let all = map.get("allOf").and_then(Json::as_array).into_iter().flatten();
        all.fold(kinds, |kinds, schema| kinds.and(Self::of(schema)))
    }

    fn of_type(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "number" | "integer" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::MAP,
            _ => Self::ALL,
        }
    }

    fn of_value(value: &Json) -> Self {
        match value {
            Json::Null => Self::NULL,
            Json::Bool(_) => Self::BOOLEAN,
            Json::Number(_) => Self::NUMBER,
            Json::String(_) => Self::TEXT,
            Json::Array(_) => Self::LIST,
            Json::Object(_) => Self::MAP,
        }
    }
}

/// What an attribute or an item of a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Inner {
    /// Of this type, when it is there.
    Known(Type),
    /// There is none, whatever the value is.
    Never,
}

impl Type {
    /// Values of a schema in which media are objects already.
    pub(crate) fn encoded(schema: Json) -> Self {
        Self { schema: Arc::new(schema), may_be_missing: false, may_fail: false }
    }

    /// Anything.
    pub fn any() -> Self {
        Self::encoded(Json::Bool(true))
    }

    /// Anything, or nothing.
    pub fn unknown() -> Self {
        Self { may_be_missing: true, ..Self::any() }
    }

    /// Nothing at all.
    pub fn missing() -> Self {
        Self { may_be_missing: true, ..Self::encoded(Json::Bool(false)) }
    }

    /// One value.
    pub fn literal(value: &Json) -> Self {
        Self::encoded(json!({ "const": value }))
    }

    /// One of some values.
    pub fn one_of(values: &[Json]) -> Self {
        match values {
            [one] => Self::literal(one),
            _ => Self::encoded(json!({ "enum": values })),
        }
    }

    /// Any text.
    pub fn text() -> Self {
        Self::of_type("string")
    }

    /// Every value of a JSON type.
    pub(crate) fn of_type(name: &str) -> Self {
        Self::encoded(json!({ "type": name }))
    }

    /// A count: an integer from 0 on.
    pub fn count() -> Self {
        Self::encoded(json!({ "type": "integer", "minimum": 0 }))
    }

    /// A media value of a kind; of any kind for a file.
    pub fn media(kind: MediaKind) -> Self {
        Self::encoded(media(kind))
    }

    /// The kind of media that it is, when it is media and nothing else.
    pub(crate) fn media_kind(&self) -> Option<MediaKind> {
        let kinds = self.schema.pointer(&format!("/properties/{MEDIA}/enum"))?.as_array()?;
        match &kinds[..] {
            [kind] => MediaKind::of_name(kind.as_str()?),
            _ => Some(MediaKind::File),
        }
    }

    /// A list, each item of a type.
    pub fn list(items: &Self) -> Self {
        Self::encoded(json!({ "type": "array", "items": &*items.schema }))
    }

    /// A map of these keys.
    pub(crate) fn map<'t>(entries: impl Iterator<Item = (&'t str, &'t Self)>) -> Self {
        let properties: Map<String, Json> =
            entries.map(|(name, value)| (name.to_owned(), (*value.schema).clone())).collect();
        let required: Vec<_> = properties.keys().cloned().collect();
        Self::encoded(json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        }))
    }

    /// A list of so many of it.
    #[must_use]
    pub fn times(&self, count: usize) -> Self {
        Self::encoded(
            json!({ "type": "array", "items": &*self.schema, "minItems": count, "maxItems": count }),
        )
    }

    /// A step or one of its legs: no value, but something to test.
    pub fn step() -> Self {
        Self::encoded(json!({ "type": "object", "properties": { STEP: true }, "required": [STEP] }))
    }

    /// Values of a schema as documents write it, that becomes media where it says so.
    pub fn of_schema(schema: &Json) -> Self {
        // What a reference leads to may be media, which has another form here.
        if has_reference(schema) {
            return Self::any();
        }
        Self::encoded(with_media(schema, &|_| true))
    }

    /// The same, or nothing.
    #[must_use]
    pub(crate) fn or_missing(self) -> Self {
        Self { may_be_missing: true, ..self }
    }

    /// The same, when making it does not fail.
    #[must_use]
    pub(crate) fn or_failure(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// True when the value is sure to come, whatever it is.
    pub fn is_sure(&self) -> bool {
        !self.may_be_missing && !self.may_fail
    }

    /// The same, as sure to come as those that it is made of.
    #[must_use]
    pub(crate) fn made_of(self, parts: &[&Self]) -> Self {
        let unsure = parts.iter().any(|part| !part.is_sure());
        Self { may_fail: self.may_fail || unsure, ..self }
    }

    /// The same when it is there.
    #[must_use]
    pub(crate) fn when_there(&self) -> Self {
        Self { may_be_missing: false, ..self.clone() }
    }

    /// One or the other.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        if self.size() + other.size() > MOST_NODES {
            return Self::any().made_of(&[self, other]);
        }
        Self {
            schema: Arc::new(union([&*self.schema, &*other.schema])),
            may_be_missing: self.may_be_missing || other.may_be_missing,
            may_fail: self.may_fail || other.may_fail,
        }
    }

    /// One of several; none of none.
    pub fn union<'t>(types: impl IntoIterator<Item = &'t Self>) -> Self {
        let none = Self::encoded(Json::Bool(false));
        types.into_iter().fold(none, |all, one| all.or(one))
    }

    /// How large its schema is: what is made of many large ones is known less well.
    pub(crate) fn size(&self) -> usize {
        size(&self.schema)
    }

    /// The kinds of values that it may be.
    pub fn kinds(&self) -> Kinds {
        Kinds::of(&self.schema)
    }

    /// True when nothing is known of it.
    pub(crate) fn is_any(&self) -> bool {
        *self.schema == Json::Bool(true)
    }

    /// Every value that it can have, when they are few.
    pub fn values(&self) -> Option<Vec<Json>> {
        values(&self.schema)
    }

    /// The one value that it always has.
    pub fn value(&self) -> Option<Json> {
        match self.values()?.as_slice() {
            [one] if self.is_sure() => Some(one.clone()),
            _ => None,
        }
    }

    /// The same without none.
    #[must_use]
    pub fn without_null(&self) -> Self {
        Self { schema: Arc::new(without_null(&self.schema)), ..self.clone() }
    }

    /// How many items a list has, at least and at most.
    pub fn length(&self) -> (usize, Option<usize>) {
        let lengths: Vec<_> = alternatives(&self.schema).into_iter().map(length).collect();
        let least = lengths.iter().map(|(least, _)| *least).min().unwrap_or(0);
        let most = lengths.iter().map(|(_, most)| *most).collect::<Option<Vec<_>>>();
        (least, most.and_then(|most| most.into_iter().max()))
    }

    /// What goes through it: items of a list, characters of a text, keys of a map.
    #[must_use]
    pub fn items(&self) -> Self {
        let parts = alternatives(&self.schema).into_iter().map(|schema| match schema {
            Json::Object(map) if Kinds::of(schema).only(Kinds::LIST) => items(map),
            _ if Kinds::of(schema).only(Kinds::TEXT.or(Kinds::MAP)) => Self::text(),
            _ => Self::any(),
        });
        Self::union(&parts.collect::<Vec<_>>())
    }

    /// What an attribute is.
    pub fn attribute(&self, name: &str) -> Inner {
        let found = alternatives(&self.schema).into_iter().map(|schema| attribute(schema, name));
        self.inner(&found.collect::<Vec<_>>())
    }

    /// What an item is: of a list by its position, counted from the end below 0.
    pub fn item(&self, index: Option<i64>) -> Inner {
        let found = alternatives(&self.schema).into_iter().map(|schema| {
            let kinds = Kinds::of(schema);
            match schema {
                Json::Object(map) if kinds.only(Kinds::LIST) => {
                    let sure = map.get("minItems").and_then(Json::as_i64).unwrap_or(0);
                    let there = index.is_some_and(|i| if i < 0 { -i <= sure } else { i < sure });
                    let item = items(map);
                    Inner::Known(Self { may_be_missing: !there, ..item })
                }
                _ if kinds.only(Kinds::TEXT) => Inner::Known(Self::text().or_missing()),
                _ if kinds.only(Kinds::NULL.or(Kinds::BOOLEAN).or(Kinds::NUMBER).or(Kinds::MEDIA)) => {
                    Inner::Never
                }
                _ => Inner::Known(Self::unknown()),
            }
        });
        self.inner(&found.collect::<Vec<_>>())
    }

    fn inner(&self, found: &[Inner]) -> Inner {
        let known = found.iter().filter_map(|inner| match inner {
            Inner::Known(known) => Some(known),
            Inner::Never => None,
        });
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            return Inner::Never;
        }
        let all = Self::union(known.iter().copied());
        let missing = all.may_be_missing || known.len() < found.len();
        Inner::Known(Self { may_be_missing: missing, ..all }.made_of(&[self]))
    }

    /// A part of it: of a list fewer items, of a text fewer characters.
    #[must_use]
    pub fn slice(&self) -> Self {
        let parts = alternatives(&self.schema).into_iter().map(|schema| {
            let kinds = Kinds::of(schema);
            match schema {
                _ if kinds.only(Kinds::TEXT) => Self::text(),
                Json::Object(map) if kinds.only(Kinds::LIST) => Self::list(&items(map)),
                _ => Self::any().or_failure(),
            }
        });
        Self::union(&parts.collect::<Vec<_>>())
    }
}

/// A media value as a schema: an object of one key, with the kinds that it may be of.
fn media(kind: MediaKind) -> Json {
    let kinds = match kind {
        MediaKind::File => json!(["image", "video", "audio", "file"]),
        one => json!([one.as_str()]),
    };
    json!({ "type": "object", "properties": { MEDIA: { "enum": kinds } }, "required": [MEDIA], "additionalProperties": false })
}

/// A schema of a document with media as objects, free of everything that asserts nothing. Inner
/// schemas are followed where `deep` says so.
fn with_media(schema: &Json, deep: &dyn Fn(&str) -> bool) -> Json {
    let Some(map) = schema.as_object() else { return schema.clone() };
    if map.contains_key("type")
        && let Some(kind) = MediaKind::of_schema(schema)
    {
        let nullable = map.get("type").is_some_and(Json::is_array);
        return if nullable { union([&media(kind), &json!({ "type": "null" })]) } else { media(kind) };
    }
    let mut out = Map::new();
    for (key, value) in map {
        let value = match (key.as_str(), value) {
            (key, _) if ANNOTATIONS.contains(&key) => continue,
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Json::Array(schemas)) => {
                schemas.iter().map(|schema| with_media(schema, deep)).collect()
            }
            ("items", Json::Object(_)) => with_media(value, deep),
            ("properties", Json::Object(named)) if deep(key) => Json::Object(
                named.iter().map(|(name, schema)| (name.clone(), with_media(schema, deep))).collect(),
            ),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Json::Object(out)
}

/// Keywords that say something to people and nothing about values.
const ANNOTATIONS: &[&str] = &[
    "$comment",
    "$schema",
    "$id",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentMediaType",
    "contentEncoding",
    "x-order",
];

/// The alternatives of a schema: one for each of its types, `anyOf` taken apart.
fn alternatives(schema: &Json) -> Vec<&Json> {
    match schema.get("anyOf").and_then(Json::as_array) {
        Some(parts) if schema.as_object().is_some_and(|map| map.len() == 1) => {
            parts.iter().flat_map(alternatives).collect()
        }
        _ => vec![schema],
    }
}

/// Either schema.
fn union<'s>(schemas: impl IntoIterator<Item = &'s Json>) -> Json {
    let mut parts: Vec<&Json> = Vec::new();
    for part in schemas.into_iter().flat_map(alternatives) {
        match part {
            Json::Bool(true) => return Json::Bool(true),
            Json::Bool(false) => {}
            part if parts.contains(&part) => {}
            part => parts.push(part),
        }
    }
    let sets: Vec<_> = parts.iter().map(|part| values(part)).collect();
    if parts.len() > 1 && sets.iter().all(Option::is_some) {
        let mut all: Vec<Json> = Vec::new();
        for value in sets.into_iter().flatten().flatten() {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        if all.len() <= MOST_VALUES {
            return json!({ "enum": all });
        }
    }
    match parts.as_slice() {
        [] => Json::Bool(false),
        [one] => (*one).clone(),
        several => json!({ "anyOf": several }),
    }
}

/// Every value of a schema, when they are few.
fn values(schema: &Json) -> Option<Vec<Json>> {
    let map = schema.as_object()?;
    let plain = |key: &String| matches!(key.as_str(), "type" | "const" | "enum");
    if !map.keys().all(plain) {
        return None;
    }
    let listed = match (map.get("const"), map.get("enum").and_then(Json::as_array)) {
        (Some(one), None) => vec![one.clone()],
        (None, Some(several)) if several.len() <= MOST_VALUES => several.clone(),
        (None, None) if map.get("type")? == "boolean" => vec![true.into(), false.into()],
        (None, None) if map.get("type")? == "null" => vec![Json::Null],
        _ => return None,
    };
    let allowed = Kinds::of(schema);
    Some(listed.into_iter().filter(|value| allowed.any(Kinds::of_value(value))).collect())
}

fn without_null(schema: &Json) -> Json {
    if !Kinds::of(schema).any(Kinds::NULL) || !schema.is_object() {
        return schema.clone();
    }
    if let Some(values) = values(schema) {
        let rest: Vec<_> = values.into_iter().filter(|value| !value.is_null()).collect();
        return if rest.is_empty() { Json::Bool(false) } else { json!({ "enum": rest }) };
    }
    let parts = alternatives(schema);
    if parts.len() > 1 {
        let parts: Vec<_> = parts.into_iter().map(without_null).collect();
        return union(&parts);
    }
    let mut map = schema.as_object().cloned().unwrap_or_default();
    if let Some(Json::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        return Json::Object(map);
    }
    schema.clone()
}

/// What the items of a list are.
/// How many items a list of this schema has, at least and at most.
fn length(schema: &Json) -> (usize, Option<usize>) {
    if let Some(Json::Array(values)) = schema.get("const") {
        return (values.len(), Some(values.len()));
    }
    let bound = |key: &str| schema.get(key).and_then(Json::as_u64).map(|n| n as usize);
    (bound("minItems").unwrap_or(0), bound("maxItems"))
}

fn items(list: &Map<String, Json>) -> Type {
    if list.contains_key("prefixItems") {
        return Type::any();
    }
    if let Some(Json::Array(values)) = list.get("const") {
        return Type::union(&values.iter().map(Type::literal).collect::<Vec<_>>());
    }
    match list.get("items") {
        Some(items) if !has_reference(items) => Type::encoded(items.clone()),
        _ => Type::any(),
    }
}

fn attribute(schema: &Json, name: &str) -> Inner {
    let kinds = Kinds::of(schema);
    if kinds.only(Kinds::MEDIA) {
        return match name {
            "media_type" | "digest" => Inner::Known(Type::text()),
            "bytes" => Inner::Known(Type::count()),
            "width" | "height" => {
                Inner::Known(Type::encoded(json!({ "type": "integer", "minimum": 1 })).or_missing())
            }
            _ => Inner::Never,
        };
    }
    if !kinds.any(Kinds::MAP.or(Kinds::MEDIA).or(Kinds::STEP)) {
        return Inner::Never;
    }
    let Some(map) = schema.as_object().filter(|_| kinds.only(Kinds::MAP)) else {
        return Inner::Known(Type::unknown());
    };
    let combined =
        ["$ref", "anyOf", "oneOf", "allOf", "if", "const", "enum"].iter().any(|key| map.contains_key(*key));
    if let Some(Json::Object(value)) = map.get("const") {
        return value.get(name).map_or(Inner::Never, |value| Inner::Known(Type::literal(value)));
    }
    if let Some(property) = map.get("properties").and_then(|all| all.get(name)) {
        let required = map.get("required").and_then(Json::as_array);
        let required = required.is_some_and(|names| names.iter().any(|one| one == name));
        let known = if has_reference(property) { Type::any() } else { Type::encoded(property.clone()) };
        return Inner::Known(Type { may_be_missing: !required, ..known });
    }
    let closed =
        map.get("additionalProperties") == Some(&Json::Bool(false)) && !map.contains_key("patternProperties");
    if closed && !combined { Inner::Never } else { Inner::Known(Type::unknown()) }
}

fn size(schema: &Json) -> usize {
    match schema {
        Json::Object(map) => map.iter().map(|(key, value)| 1 + key.len() / 32 + size(value)).sum(),
        Json::Array(items) => items.iter().map(size).sum::<usize>() + 1,
        Json::String(text) => 1 + text.len() / 32,
        _ => 1,
    }
}

/// True when a part of a schema cannot be read without the whole.
pub(crate) fn has_reference(schema: &Json) -> bool {
    match schema {
        Json::Object(map) => {
            map.contains_key("$ref") || map.contains_key("$dynamicRef") || map.values().any(has_reference)
        }
        Json::Array(items) => items.iter().any(has_reference),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
