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
use super::yaml::{block, scalar, scalar_in_flow, shorthand, unprintable};

/// What remarks begin with.
pub(crate) const REVIEW: &str = "review:";
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
        for (field, variable) in &secrets {
            let shared = secrets.iter().filter(|(_, other)| other == variable).count() > 1;
            let note = shared.then_some("the same variable fills another input too");
            line(&mut text, 1, &format!("{}: {variable}", scalar(&field.name)), note);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_one_line() {
        assert_eq!(comment("a\nb\r\n  c\u{0}"), "a b c?");
        assert_eq!(comment(&"x".repeat(400)).len(), 303);
    }
}
