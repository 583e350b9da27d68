//! A preset as text, in the layout of those that castline brings along.
//!
//! What was guessed or left out stands beside its place as a remark with the word [`REVIEW`].
//!
//! Start reading at [`text`].

use std::fmt::Write as _;

use castline_core::ModelRef;
use castline_spec::preset::{OutputKind, Repaint};
use serde_json::{Map, Value as Json, json};

use super::fields::Field;
use super::output::Given;
use super::ports::Port;
use super::schema::one_line;

/// What remarks begin with.
pub(crate) const REVIEW: &str = "review:";
/// Lines longer than this are broken where that can be done.
const WIDTH: usize = 110;

/// A preset that is not written yet.
pub(super) struct Draft {
    pub name: String,
    /// Where it comes from, in words.
    pub origin: String,
    pub description: Option<String>,
    pub task: Option<&'static str>,
    pub model: ModelRef,
    /// What is to be looked at about the model.
    pub model_note: Option<String>,
    /// Year and month.
    pub as_of: String,
    pub fields: Vec<Field>,
    pub output: Given,
    pub ports: Vec<Port>,
    /// Fields of media without a port.
    pub portless: Vec<String>,
    /// The built-in provider that serves it.
    pub route: Option<&'static str>,
    /// Why it may be another one.
    pub route_note: Option<String>,
    /// Values for an example; none when there are no obvious ones.
    pub example: Option<Map<String, Json>>,
}

/// The whole document.
pub(super) fn text(draft: &Draft) -> String {
    let mut text = String::new();
    head(&mut text, draft);
    input(&mut text, &draft.fields);
    let kind = OutputKind::ALL.iter().find(|(_, kind)| *kind == draft.output.output.kind);
    let kind = kind.expect("every kind has a word").0;
    let many = if draft.output.output.many { ", many: true" } else { "" };
    line(&mut text, 0, &format!("\noutput: {{ type: {kind}{many} }}"), draft.output.note.as_deref());
    ports(&mut text, draft);
    let secrets: Vec<_> =
        draft.fields.iter().filter_map(|field| Some((field, field.secret.as_ref()?))).collect();
    if !secrets.is_empty() {
        text.push_str("\nsecrets:\n");
        for (field, variable) in secrets {
            line(&mut text, 1, &format!("{}: {variable}", scalar(&field.name)), None);
        }
    }
    let _ = writeln!(
        text,
        "\n# No price: a live run asks for `--allow-unpriced` until there is one, here or under `prices:` of the \
         project:\n# price: {{ usd: 0.04, per: image, as_of: {}, source: the model's page }}",
        draft.as_of
    );
    if let Some(route) = draft.route {
        text.push_str("\nroutes:\n");
        line(&mut text, 1, &format!("{route}: {{}}"), draft.route_note.as_deref());
    }
    if let Some(example) = &draft.example {
        text.push_str("\nexamples:\n");
        if example.is_empty() {
            text.push_str("  - with: {}\n");
        } else {
            text.push_str("  - with:\n");
            example.iter().for_each(|(key, value)| block(&mut text, 3, key, value));
        }
    }
    text
}

fn head(text: &mut String, draft: &Draft) {
    let _ = writeln!(text, "# Taken from {}.", comment(&draft.origin));
    let _ = writeln!(text, "# What is marked `{REVIEW}` is a guess, or could not be taken over: look at it.");
    text.push_str("castline: 1\n");
    let _ = writeln!(text, "name: {}", scalar(&draft.name));
    let (words, note) = match &draft.description {
        Some(description) => (one_line(description), None),
        None => (format!("Calls {}.", draft.model.path()), Some("say what it does")),
    };
    line(text, 0, &format!("description: {}", scalar(&words)), note);
    if let Some(task) = draft.task {
        line(text, 0, &format!("task: {task}"), Some("by what goes in and comes out"));
    }
    line(text, 0, &format!("model: {}", scalar(&draft.model.to_string())), draft.model_note.as_deref());
    let _ = writeln!(text, "schema_as_of: {}", draft.as_of);
}

fn input(text: &mut String, fields: &[Field]) {
    text.push_str("\ninput:\n  type: object\n  additionalProperties: false\n");
    let required: Vec<_> =
        fields.iter().filter(|field| field.required).map(|field| json!(field.name)).collect();
    if !required.is_empty() {
        block(text, 1, "required", &Json::Array(required));
    }
    if fields.is_empty() {
        text.push_str("  properties: {}\n");
        return;
    }
    text.push_str("  properties:\n");
    for field in fields {
        let name = scalar(&field.name);
        if field.schema.is_empty() && field.notes.is_empty() {
            let _ = writeln!(text, "    {name}: {{}}");
            continue;
        }
        let _ = writeln!(text, "    {name}:{}", if field.schema.is_empty() { " {}" } else { "" });
        for note in &field.notes {
            let _ = writeln!(text, "      # {REVIEW} {}", comment(note));
        }
        for (key, value) in &shorthand(&field.schema) {
            block(text, 3, key, value);
        }
    }
}

fn ports(text: &mut String, draft: &Draft) {
    if !draft.ports.is_empty() {
        text.push_str("\nports:\n");
    }
    for port in &draft.ports {
        let field = scalar_in_flow(&port.field);
        let value = match port.repaint {
            None => scalar(&port.field),
            Some(Repaint::White) => format!("{{ field: {field}, repaint: white }}"),
            Some(Repaint::Black) => format!("{{ field: {field}, repaint: black }}"),
        };
        line(text, 1, &format!("{}: {value}", port.name), Some(&port.note));
    }
    if !draft.portless.is_empty() {
        let fields: Vec<_> = draft.portless.iter().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(
            text,
            "# {REVIEW} no port fills {}; a step gives it under `with`",
            comment(&fields.join(", "))
        );
    }
}

fn line(text: &mut String, depth: usize, content: &str, note: Option<&str>) {
    let note = note.map(|note| format!(" # {REVIEW} {}", comment(note))).unwrap_or_default();
    let _ = writeln!(text, "{}{content}{note}", "  ".repeat(depth));
}

/// A text from elsewhere on one line of a remark.
pub(super) fn comment(text: &str) -> String {
    const LONGEST: usize = 300;
    let clean: String = one_line(text).chars().map(|c| if unprintable(c) { '?' } else { c }).collect();
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &clean[..end]),
        None => clean,
    }
}

/// A schema with `type: image` and its like for media, at every depth.
fn shorthand(schema: &Map<String, Json>) -> Map<String, Json> {
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
fn block(text: &mut String, depth: usize, key: &str, value: &Json) {
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

fn scalar_in_flow(text: &str) -> String {
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
fn unprintable(c: char) -> bool {
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

    #[test]
    fn a_remark_is_one_line() {
        assert_eq!(comment("a\nb\r\n  c\u{0}"), "a b c?");
        assert_eq!(comment(&"x".repeat(400)).len(), 303);
    }
}
