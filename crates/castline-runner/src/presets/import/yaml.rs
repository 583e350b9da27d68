//! Values as YAML, in the layout of the presets that castline brings along.
//!
//! What is written is read back as it was, by every reader: a text stands without quotes only where
//! no reader could take it for something else.
//!
//! Start reading at [`block`].

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

/// Lines longer than this are broken where that can be done.
const WIDTH: usize = 110;

/// A schema with `type: image` and its like for media, at every depth.
pub(super) fn shorthand(schema: &Map<String, Json>) -> Map<String, Json> {
    let media = schema
        .get("contentMediaType")
        .and_then(Json::as_str)
        .filter(|_| schema.get("format").is_some_and(|format| format == "uri"));
    let short = ["image", "video", "audio", "file"].into_iter().find(|word| {
        media.is_some_and(|m| m == if *word == "file" { "*/*".to_owned() } else { format!("{word}/*") })
    });
    let mut to = Map::new();
    for (key, value) in schema {
        let value = match (key.as_str(), value, short) {
            ("format" | "contentMediaType", _, Some(_)) => continue,
            ("type", Json::Array(_), Some(word)) => json!([word, "null"]),
            ("type", _, Some(word)) => json!(word),
            ("items" | "additionalProperties", Json::Object(inner), _) => Json::Object(shorthand(inner)),
            ("properties", Json::Object(named), _) => {
                let inner = |(name, schema): (&String, &Json)| (name.clone(), short_value(schema));
                Json::Object(named.iter().map(inner).collect())
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Json::Array(list), _) => {
                list.iter().map(short_value).collect()
            }
            _ => value.clone(),
        };
        to.insert(key.clone(), value);
    }
    to
}

fn short_value(schema: &Json) -> Json {
    schema.as_object().map_or_else(|| schema.clone(), |schema| Json::Object(shorthand(schema)))
}

/// A key with its value, on one line where there is room.
pub(super) fn block(text: &mut String, depth: usize, key: &str, value: &Json) {
    let indent = "  ".repeat(depth);
    let key = scalar(key);
    let short = match value {
        Json::String(word) => scalar(word),
        other => flow(other),
    };
    if short.len() + key.len() + indent.len() + 2 <= WIDTH || is_scalar(value) || is_empty(value) {
        let _ = writeln!(text, "{indent}{key}: {short}");
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    match value {
        Json::Object(map) => map.iter().for_each(|(key, value)| block(text, depth + 1, key, value)),
        Json::Array(items) => {
            for item in items {
                let item = if let Json::String(word) = item { scalar(word) } else { flow(item) };
                let _ = writeln!(text, "{indent}  - {item}");
            }
        }
        _ => {}
    }
}

fn is_scalar(value: &Json) -> bool {
    !value.is_array() && !value.is_object()
}

fn is_empty(value: &Json) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// A schema on one line, with `type: image` and its like.
pub(crate) fn flow_of_schema(schema: &Json) -> String {
    flow(&short_value(schema))
}

/// A value on one line.
pub(crate) fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => scalar_in_flow(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", scalar_in_flow(key), flow(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text as YAML, in quotes only where it needs them.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

pub(super) fn scalar_in_flow(text: &str) -> String {
    if is_plain(text) && !text.contains([',', '[', ']', '{', '}']) { text.to_owned() } else { quoted(text) }
}

/// True for what every reader of YAML takes for the same text without quotes.
fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] =
        &["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];
    let begins = text.starts_with(|c: char| c.is_alphabetic()) || text.starts_with("./");
    let safe = |c: char| c.is_alphanumeric() || " _-./,;()'\"+*?!=$%&@:`".contains(c);
    begins
        && text.chars().all(safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains("{{")
        && !WORDS.contains(&text.to_lowercase().as_str())
}

/// In double quotes, with what is not to be seen as escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if unprintable(c) => {
                let _ = write!(quoted, "\\U{:08X}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What is no letter that people see, and what turns the direction of a line.
pub(super) fn unprintable(c: char) -> bool {
    let turns =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || turns || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use castline_spec::{Source, raw};

    use super::*;

    #[test]
    fn every_text_is_read_back_as_it_was() {
        let texts = [
            "plain words",
            "1:1",
            "1",
            "0.25",
            "true",
            "No",
            "null",
            "~",
            "a: b",
            "a # b",
            "#",
            "- a",
            "",
            " a ",
            "a:",
            "it's",
            "say \"hi\"",
            "back\\slash",
            "two\nlines",
            "tab\there",
            "{{ x }}",
            "[a, b]",
            "a, b",
            "@home",
            "match_input_image",
            "2026-08",
            "0x10",
            "1e5",
            "é ü 漢字",
            "nul\0",
            "bidi\u{202e}",
            "\u{feff}bom",
            "%",
            "`x`",
            "*a",
            "&a",
            "!a",
            "a\u{85}b",
            "http://x/y",
            "a:b",
            "480p",
            "=",
            "<<",
            "./a.png",
        ];
        for text in texts {
            let json = json!({ "key": [text, { text: text }], "other": text });
            let mut written = String::new();
            block(&mut written, 0, "key", &json["key"]);
            block(&mut written, 0, "other", &json["other"]);
            let read = raw::parse(&Source::new("x.yaml", written.as_str()));
            assert_eq!(read.expect(&written).to_json(), json, "{written}");
            let theirs: Json = serde_yaml::from_str(&written).expect(&written);
            assert_eq!(theirs, json, "{written}");
        }
    }
}
