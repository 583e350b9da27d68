//! Values with which a preset can be tried.

use castline_spec::schema::MediaKind;
use serde_json::{Map, Value as Json, json};

use super::fields::{Field, compiled};

/// What a picture may show and a text may say.
const WORDS: &str = "A paper boat on calm water.";

/// The inputs that have to be given, and the prompt; none when a value for one is not obvious.
pub(super) fn example(fields: &[Field]) -> Option<Map<String, Json>> {
    let given = fields.iter().filter(|field| field.secret.is_none());
    let given = given.filter(|field| field.required || (field.name == "prompt" && field.is_text()));
    given.map(|field| Some((field.name.clone(), value(field)?))).collect()
}

/// A value that an input takes.
pub(super) fn value(field: &Field) -> Option<Json> {
    let schema = Json::Object(field.schema.clone());
    let candidate = candidate(&schema, field)?;
    let fits = compiled(&schema).is_ok_and(|compiled| compiled.misfits_json(&candidate).is_empty());
    fits.then_some(candidate)
}

fn candidate(schema: &Json, field: &Field) -> Option<Json> {
    if let Some(kind) = field.media() {
        return Some(json!(file(kind)));
    }
    if let Some(kind) = field.list_of_media() {
        return Some(json!([file(kind)]));
    }
    if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
        return Some(given.clone());
    }
    if let Some(first) = schema.pointer("/enum/0") {
        return Some(first.clone());
    }
    match schema["type"].as_str()? {
        "string" => Some(json!(WORDS)),
        "integer" | "number" => {
            Some(schema.get("minimum").or_else(|| schema.get("maximum")).cloned().unwrap_or(json!(1)))
        }
        "boolean" => Some(json!(true)),
        "array" if schema["items"]["type"] == "string" => Some(json!([WORDS])),
        "array" => Some(json!([])),
        "object" => Some(json!({})),
        _ => None,
    }
}

fn file(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "./photos/example.jpg",
        MediaKind::Video => "./films/example.mp4",
        MediaKind::Audio => "./sounds/example.wav",
        MediaKind::File => "./files/example.txt",
    }
}
