//! JSON Schemas as documents write them, with the shorthand `type: image`.
//!
//! Only what castline itself must know is looked at: that a schema is a map, that its types
//! exist, and which media it takes. Whether a schema is valid otherwise, and what it accepts, is
//! the core's work.
//!
//! Start reading at [`MediaKind::of_schema`].

use serde_json::{Map, Value, json};

use crate::diagnostic::{Code, did_you_mean, nearest};
use crate::document::Reader;
use crate::raw::{Key, Node, NodeKind, Text};

/// A JSON Schema (2020-12). A media shorthand is expanded to
/// `{type: string, format: uri, contentMediaType: "image/*"}`, at any depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The schema itself, free of shorthands and of `default`.
    pub json: Value,
}

/// A kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A moving picture.
    Video,
    /// Sound.
    Audio,
    /// Any file.
    File,
}

/// The types that JSON Schema has.
const TYPES: &[&str] = &["string", "number", "integer", "boolean", "array", "object", "null"];
/// The types that castline adds.
const MEDIA: &[&str] = &["image", "video", "audio", "file"];

/// Keywords of JSON Schema that are neither types nor made of schemas.
const OTHERS: &[&str] = &[
    "$anchor",
    "$comment",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$ref",
    "$schema",
    "$vocabulary",
    "const",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "dependentRequired",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
];

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "items",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
];
/// Keywords whose value is a list of schemas.
const LISTED: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a map of schemas.
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

impl MediaKind {
    /// The kind that a type of the shorthand names.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "image" => Some(Self::Image),
            "video" => Some(Self::Video),
            "audio" => Some(Self::Audio),
            "file" => Some(Self::File),
            _ => None,
        }
    }

    /// The name in documents: `image`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::File => "file",
        }
    }

    /// In messages: `an image`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Video => "a video",
            Self::Audio => "audio",
            Self::File => "a file",
        }
    }

    /// The media type of a schema: `image/*`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Image => "image/*",
            Self::Video => "video/*",
            Self::Audio => "audio/*",
            Self::File => "*/*",
        }
    }

    /// The media that one value of a schema is: a string of format `uri`, of any kind of file unless
    /// `contentMediaType` says more. An alternative that is only null is looked through.
    pub fn of_schema(schema: &Value) -> Option<Self> {
        if let Some(alternative) = only_alternative(schema) {
            return Self::of_schema(alternative);
        }
        if !has_type(schema, "string") || schema.get("format")? != "uri" {
            return None;
        }
        let media = schema.get("contentMediaType").and_then(Value::as_str).unwrap_or("*/*");
        let family = media.split('/').next().unwrap_or_default();
        Some(Self::of_name(family).unwrap_or(Self::File))
    }

    /// The media that each item is of a schema that takes a list of them.
    pub fn of_list(schema: &Value) -> Option<Self> {
        if let Some(alternative) = only_alternative(schema) {
            return Self::of_list(alternative);
        }
        if !has_type(schema, "array") {
            return None;
        }
        Self::of_schema(schema.get("items")?)
    }

    /// True when a place for this kind takes media of the other: a place for files takes all.
    pub fn accepts(self, other: Self) -> bool {
        self == Self::File || self == other
    }
}

/// The one alternative of a schema besides null, when it has alternatives.
fn only_alternative(schema: &Value) -> Option<&Value> {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(key)?.as_array())?;
    let mut real = alternatives.iter().filter(|alternative| alternative.get("type") != Some(&json!("null")));
    match (real.next(), real.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// True when a schema takes this type and at most null besides.
fn has_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => {
            several.iter().any(|one| one == name) && several.iter().all(|one| one == name || one == "null")
        }
        _ => false,
    }
}

/// The schemas directly inside of a schema, each with the way to it.
pub fn inside(schema: &Value) -> Vec<(Vec<String>, &Value)> {
    let mut inside = Vec::new();
    for (key, value) in schema.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) if LISTED.contains(&key.as_str()) || key == "items" => {
                let item = |(i, item)| (vec![key.clone(), format!("{i}")], item);
                inside.extend(items.iter().enumerate().map(item));
            }
            Value::Object(named) if NAMED.contains(&key.as_str()) => {
                inside.extend(named.iter().map(|(name, item)| (vec![key.clone(), name.clone()], item)));
            }
            _ if ONE.contains(&key.as_str()) => inside.push((vec![key.clone()], value)),
            _ => {}
        }
    }
    inside
}

impl Schema {
    /// Reads a schema. What is broken takes everything, so that nothing else is said about it.
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Self {
        if let NodeKind::Bool(false) = node.kind {
            let message = "a schema is a map or `true`, and `false` takes nothing";
            reader.push(reader.error(Code::InvalidSchema, node.span, message));
        }
        Self { json: expand(node, reader) }
    }
}

fn expand(node: &Node, reader: &mut Reader<'_>) -> Value {
    match &node.kind {
        NodeKind::Bool(value) => Value::Bool(*value),
        NodeKind::Map(entries) => expand_map(entries, reader),
        NodeKind::Broken => Value::Bool(true),
        kind => {
            let message = format!("a schema is a map or `true`, not {}", node.describe());
            let mut finding = reader.error(Code::InvalidSchema, node.span, message);
            if let NodeKind::Text(text) = kind
                && is_type(&text.value)
            {
                let fix = format!("{{ type: {} }}", text.value);
                finding = finding.hint(format!("write `{fix}`")).fix(node.span, fix);
            }
            reader.push(finding);
            Value::Bool(true)
        }
    }
}

fn expand_map(entries: &[(Key, Node)], reader: &mut Reader<'_>) -> Value {
    let mut schema = Map::new();
    let mut alternatives = None;
    let before = reader.found.list.len();
    for (key, node) in entries {
        match key.value.as_str() {
            "type" => alternatives = expand_type(node, &mut schema, reader),
            name => {
                check_keyword(key, reader);
                let value = expand_keyword(name, node, reader);
                schema.insert(name.to_owned(), value);
            }
        }
    }
    if let Some(alternatives) = alternatives {
        let whole = schema.insert("anyOf".into(), alternatives);
        if let Some(written) = whole {
            schema.insert("allOf".into(), json!([{ "anyOf": written }]));
        }
    }
    // Nothing more is said about a schema with a mistake.
    if reader.found.list.len() > before { Value::Bool(true) } else { Value::Object(schema) }
}

/// A keyword that does not exist asserts nothing: one that is almost another is a mistake.
fn check_keyword(key: &Key, reader: &mut Reader<'_>) {
    let name = key.value.as_str();
    let known = || OTHERS.iter().chain(ONE).chain(LISTED).chain(NAMED).copied();
    if known().any(|keyword| keyword == name) {
        return;
    }
    let meant = match name {
        "min" => Some("minimum"),
        "max" => Some("maximum"),
        "optional" | "choices" | "options" | "values" => {
            Some(if name == "optional" { "default" } else { "enum" })
        }
        _ => nearest(name, known().filter(|keyword| keyword.len() > 3)),
    };
    let Some(meant) = meant else { return };
    let message = format!("there is no keyword `{name}` in a schema");
    let finding =
        reader.error(Code::InvalidSchema, key.span, message).hint(format!("there is a keyword `{meant}`"));
    let sure = nearest(name, known()).is_some() || matches!(name, "min" | "max");
    reader.push(if sure { finding.fix(key.span, meant) } else { finding });
}

fn expand_keyword(name: &str, node: &Node, reader: &mut Reader<'_>) -> Value {
    match &node.kind {
        NodeKind::List(items) if LISTED.contains(&name) || name == "items" => {
            items.iter().map(|item| expand(item, reader)).collect()
        }
        NodeKind::Map(entries) if NAMED.contains(&name) => {
            let named = entries.iter().map(|(key, node)| (key.value.clone(), expand(node, reader)));
            Value::Object(named.collect())
        }
        _ if ONE.contains(&name) => expand(node, reader),
        NodeKind::Broken => Value::Bool(true),
        _ if LISTED.contains(&name) => refuse(node, name, "a list of schemas", reader),
        _ if NAMED.contains(&name) => refuse(node, name, "a map of schemas", reader),
        _ => node.to_json(),
    }
}

fn refuse(node: &Node, name: &str, takes: &str, reader: &mut Reader<'_>) -> Value {
    let message = format!("`{name}` takes {takes}, not {}", node.describe());
    reader.push(reader.error(Code::InvalidSchema, node.span, message));
    // Nothing more is said about it.
    if LISTED.contains(&name) { json!([true]) } else { json!({}) }
}

/// Writes `type` and what a media shorthand stands for. Several types of which one is media are
/// alternatives.
fn expand_type(node: &Node, schema: &mut Map<String, Value>, reader: &mut Reader<'_>) -> Option<Value> {
    let names: Vec<&Text> = match &node.kind {
        NodeKind::Text(text) => vec![text],
        NodeKind::List(items) => items.iter().filter_map(|item| type_name(item, reader)).collect(),
        NodeKind::Null => return type_name(node, reader).map(|_| Value::Null),
        _ => {
            reader.wrong_type(node, "`type`", "the name of a type or a list of them");
            return None;
        }
    };
    for name in &names {
        check_type(name, reader);
    }
    let media: Vec<_> = names.iter().filter_map(|name| MediaKind::of_name(&name.value)).collect();
    let plain: Vec<&str> =
        names.iter().map(|name| &*name.value).filter(|name| MediaKind::of_name(name).is_none()).collect();
    match (media.as_slice(), plain.as_slice()) {
        // A type that does not exist has its finding, and takes everything.
        ([], plain) if !plain.iter().all(|name| is_type(name)) => {}
        ([], _) => _ = schema.insert("type".into(), node.to_json()),
        ([one], []) => write_media(schema, *one, json!("string")),
        ([one], ["null"]) => write_media(schema, *one, json!(["string", "null"])),
        _ => {
            let mut alternatives: Vec<_> = media.iter().map(|kind| media_schema(*kind)).collect();
            alternatives.extend(plain.iter().map(|name| json!({ "type": name })));
            return Some(Value::Array(alternatives));
        }
    }
    None
}

fn type_name<'n>(node: &'n Node, reader: &mut Reader<'_>) -> Option<&'n Text> {
    if node.kind != NodeKind::Null {
        return reader.text(node, "`type`");
    }
    let finding =
        reader.error(Code::YamlTrap, node.span, "`null` without quotes is nothing, not the name of a type");
    reader.push(finding.hint("put it in quotes").fix(node.span, "\"null\""));
    None
}

fn write_media(schema: &mut Map<String, Value>, kind: MediaKind, name: Value) {
    schema.insert("type".into(), name);
    // A later key of the same name is the author's own and replaces these.
    schema.entry("format").or_insert_with(|| json!("uri"));
    schema.entry("contentMediaType").or_insert_with(|| json!(kind.content_type()));
}

fn media_schema(kind: MediaKind) -> Value {
    json!({ "type": "string", "format": "uri", "contentMediaType": kind.content_type() })
}

fn is_type(name: &str) -> bool {
    TYPES.contains(&name) || MEDIA.contains(&name)
}

fn check_type(text: &Text, reader: &mut Reader<'_>) {
    if is_type(&text.value) {
        return;
    }
    let meant = match &*text.value {
        "int" => Some("integer"),
        "float" | "double" => Some("number"),
        "bool" => Some("boolean"),
        "str" | "text" => Some("string"),
        "list" => Some("array"),
        "map" | "dict" => Some("object"),
        _ => None,
    };
    let hint = match meant {
        Some(meant) => Some(format!("write `{meant}`")),
        None => did_you_mean("the type", &text.value, TYPES.iter().chain(MEDIA).copied()),
    };
    let message = format!("there is no type `{}`", text.value);
    let mut finding = reader.error(Code::InvalidSchema, text.span, message).maybe_hint(hint);
    if let Some(meant) = meant {
        finding = finding.fix(text.span, meant);
    }
    reader.push(finding);
}

#[cfg(test)]
mod tests;
