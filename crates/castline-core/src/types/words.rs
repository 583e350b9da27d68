//! Types in the words of people.

use castline_spec::schema::MediaKind;
use serde_json::Value as Json;

use super::{Kinds, MEDIA, alternatives, values};

/// Values that are listed one by one in a message.
const MOST_LISTED: usize = 6;

/// A type in words: "a list of images", "an integer from 1 to 4", "one of "a", "b"".
pub fn describe(schema: &Json) -> String {
    let mut words: Vec<String> = Vec::new();
    for part in alternatives(schema) {
        let one = describe_one(part);
        if !words.contains(&one) {
            words.push(one);
        }
    }
    words.join(" or ")
}

fn describe_one(schema: &Json) -> String {
    if let Some(values) = values(schema) {
        return listed(schema, &values);
    }
    let kinds = Kinds::of(schema);
    if kinds.only(Kinds::MEDIA) {
        return media(schema).to_owned();
    }
    if kinds.only(Kinds::LIST) {
        return match schema.get("items").filter(|items| items.is_object()) {
            Some(items) => format!("a list of {}", plural(items)),
            None => "a list".to_owned(),
        };
    }
    if kinds.only(Kinds::NUMBER) {
        let noun = if schema.get("type") == Some(&Json::from("integer")) { "an integer" } else { "a number" };
        return format!("{noun}{}", bounds(schema));
    }
    let names = [
        (Kinds::NULL, "none"),
        (Kinds::BOOLEAN, "true or false"),
        (Kinds::NUMBER, "a number"),
        (Kinds::TEXT, "text"),
        (Kinds::LIST, "a list"),
        (Kinds::MAP, "a map"),
        (Kinds::MEDIA, "media"),
        (Kinds::STEP, "a step"),
    ];
    if kinds == Kinds::ALL {
        return "anything".to_owned();
    }
    let found: Vec<_> = names.iter().filter(|(kind, _)| kinds.any(*kind)).map(|(_, name)| *name).collect();
    if found.is_empty() { "nothing".to_owned() } else { found.join(" or ") }
}

fn listed(schema: &Json, values: &[Json]) -> String {
    if schema.get("type") == Some(&Json::from("boolean")) && values.len() == 2 {
        return "true or false".to_owned();
    }
    let shown: Vec<_> = values.iter().take(MOST_LISTED).map(short).collect();
    match values {
        [] => "nothing".to_owned(),
        [Json::Null] => "none".to_owned(),
        [Json::String(_)] => format!("the text {}", shown[0]),
        [_] => shown[0].clone(),
        _ if values.len() > MOST_LISTED => format!("one of {}, ...", shown.join(", ")),
        _ => format!("one of {}", shown.join(", ")),
    }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

fn bounds(schema: &Json) -> String {
    let get = |key| schema.get(key).and_then(Json::as_f64);
    match (get("minimum"), get("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" from {least} on"),
        (None, Some(most)) => format!(" up to {most}"),
        (None, None) => String::new(),
    }
}

fn media(schema: &Json) -> &'static str {
    let kinds = schema["properties"][MEDIA]["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    let one = match kinds {
        [Json::String(one)] => MediaKind::of_name(one),
        _ => None,
    };
    one.unwrap_or(MediaKind::File).noun()
}

fn plural(items: &Json) -> String {
    match describe(items).as_str() {
        "an image" => "images".to_owned(),
        "a video" => "videos".to_owned(),
        "audio" => "audio".to_owned(),
        "a file" => "files".to_owned(),
        "text" => "texts".to_owned(),
        "a map" => "maps".to_owned(),
        "a number" => "numbers".to_owned(),
        "an integer" => "integers".to_owned(),
        "a step" => "steps".to_owned(),
        "anything" => "anything".to_owned(),
        other => format!("items, each {other}"),
    }
}
