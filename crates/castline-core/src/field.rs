//! One input of a model or preset: its schema, and what a value that breaks it is told.

use std::sync::OnceLock;

use castline_spec::diagnostic::nearest;
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic, Source, Span};
use indexmap::IndexMap;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, Validator};
use serde_json::Value as Json;

use crate::value::Value;

/// One input of a model or preset.
#[derive(Debug)]
pub struct Field {
    /// Its JSON Schema.
    pub schema: Json,
    /// The document that declares it.
    pub source: Source,
    /// Where it is declared.
    pub span: Span,
    /// True when a call must give it.
    pub required: bool,
    /// Which media it takes, if any.
    pub media: Option<FieldMedia>,
    default: Option<Value>,
    /// Made when it is first asked.
    validator: OnceLock<Validator>,
}

/// Which media a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldMedia {
    /// The kind.
    pub kind: MediaKind,
    /// True for a list of files.
    pub many: bool,
}

/// Why a value does not fit a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// `[1].style` when the fault is inside the value; else empty.
    pub path: String,
    /// The same as a JSON pointer: `/1/style`.
    pub pointer: String,
    /// What is wrong: "must be one of ...", to be read after the field's name.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// A text that would fit in place of the whole value.
    pub fix: Option<String>,
    /// True when nothing else can be meant than this text.
    pub certain: bool,
}

impl Misfit {
    /// A fault at a JSON pointer into the value, empty for the whole of it.
    pub(crate) fn new(pointer: &str, message: impl Into<String>) -> Self {
        Self {
            path: path(pointer),
            pointer: pointer.to_owned(),
            message: message.into(),
            hint: None,
            fix: None,
            certain: false,
        }
    }
}

/// Compiles a schema; the message says why it cannot be.
pub(crate) fn compile(schema: &Json) -> Result<Validator, String> {
    let options = jsonschema::options().with_draft(draft([schema])).should_validate_formats(false);
    // What is wrong with a schema, 2020-12 says in better words.
    let made = options.build(schema).or_else(|_| jsonschema::draft202012::new(schema));
    made.map_err(|e| e.to_string())
}

/// The draft by which schemas are read. It is 2020-12, or one whose rules are the same for them: before
/// the first schema the rules themselves are compiled, and those of draft 7 are few.
pub(crate) fn draft<'a>(schemas: impl IntoIterator<Item = &'a Json>) -> Draft {
    match schemas.into_iter().all(is_the_same_in_draft_7) {
        true => Draft::Draft7,
        false => Draft::Draft202012,
    }
}

fn is_the_same_in_draft_7(schema: &Json) -> bool {
    let same = |(keyword, value): (&String, &Json)| match keyword.as_str() {
        "type" | "enum" | "const" | "default" | "title" | "description" | "examples" | "format"
        | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength"
        | "maxLength" | "pattern" | "minItems" | "maxItems" | "uniqueItems" | "required" => true,
        "items" | "additionalProperties" | "not" | "if" | "then" | "else" => is_the_same_in_draft_7(value),
        "properties" => value.as_object().is_some_and(|map| map.values().all(is_the_same_in_draft_7)),
        "anyOf" | "allOf" | "oneOf" => {
            value.as_array().is_some_and(|list| list.iter().all(is_the_same_in_draft_7))
        }
        // Draft 7 looks into JSON in a text.
        "contentMediaType" => value != "application/json",
        other => other.starts_with("x-"),
    };
    match schema {
        Json::Bool(_) => true,
        Json::Object(map) => map.iter().all(same),
        _ => false,
    }
}

impl Field {
    /// Compiles a field; a schema that is none is a finding.
    pub fn new(schema: &Json, source: &Source, span: Span, required: bool) -> Result<Self, Box<Diagnostic>> {
        let validator = compile(schema).map_err(|why| {
            let message = format!("this is not a JSON Schema: {why}");
            Box::new(Diagnostic::error(Code::InvalidSchema, source, span, message))
        })?;
        let field = Self::unmade(schema, source, span, required);
        let _ = field.validator.set(validator);
        Ok(field)
    }

    /// A part of a schema that was compiled as a whole: of a model's inputs a workflow asks for few.
    pub(crate) fn of_whole(
        schema: &Json,
        source: &Source,
        span: Span,
        required: bool,
    ) -> Result<Self, Box<Diagnostic>> {
        // On its own, a reference may lead nowhere.
        if crate::types::has_reference(schema) {
            return Self::new(schema, source, span, required);
        }
        Ok(Self::unmade(schema, source, span, required))
    }

    fn unmade(schema: &Json, source: &Source, span: Span, required: bool) -> Self {
        let one = MediaKind::of_schema(schema).map(|kind| FieldMedia { kind, many: false });
        let many = || MediaKind::of_list(schema).map(|kind| FieldMedia { kind, many: true });
        Self {
            schema: schema.clone(),
            source: source.clone(),
            span,
            required,
            media: one.or_else(many),
            default: schema.get("default").cloned().map(Value::from_json),
            validator: OnceLock::new(),
        }
    }

    fn validator(&self) -> &Validator {
        let made = || compile(&self.schema).expect("a part of a schema that was compiled");
        self.validator.get_or_init(made)
    }

    /// The schema's own default.
    pub fn default(&self) -> Option<&Json> {
        self.schema.get("default")
    }

    /// The same as a value.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// True when the schema takes texts but neither numbers nor booleans.
    pub(crate) fn takes_text_only(&self) -> bool {
        match self.types()[..] {
            [] => self
                .schema
                .get("enum")
                .and_then(Json::as_array)
                .is_some_and(|e| e.iter().all(Json::is_string)),
            ref types => types.contains(&"string") && types.iter().all(|t| matches!(*t, "string" | "null")),
        }
    }

    /// Every way in which a value does not fit.
    pub(crate) fn misfits(&self, value: &Value) -> Vec<Misfit> {
        self.misfits_json(&as_json(value))
    }

    /// Every way in which a JSON value does not fit.
    pub fn misfits_json(&self, json: &Json) -> Vec<Misfit> {
        if self.validator().is_valid(json) {
            return Vec::new();
        }
        let found: Vec<_> = self.validator().iter_errors(json).collect();
        // A list of what is allowed says more than the type, and says it too.
        let listed =
            |e: &jsonschema::ValidationError<'_>| matches!(e.kind(), ValidationErrorKind::Enum { .. });
        let typed =
            |e: &jsonschema::ValidationError<'_>| matches!(e.kind(), ValidationErrorKind::Type { .. });
        let said = |e: &jsonschema::ValidationError<'_>| {
            typed(e) && found.iter().any(|o| listed(o) && o.instance_path() == e.instance_path())
        };
        found.iter().filter(|e| !said(e)).map(|e| misfit(e, json)).collect()
    }

    /// How many items a list must have.
    pub(crate) fn least_items(&self) -> usize {
        self.schema.get("minItems").and_then(Json::as_u64).map_or(0, |least| least.min(64) as usize)
    }

    /// The JSON types that the schema takes, empty when it does not say.
    pub fn types(&self) -> Vec<&str> {
        types(&self.schema)
    }
}

/// The JSON types that a schema takes, empty when it does not say.
pub fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// JSON types in words: "a text (string) or an integer".
pub(crate) fn type_words(types: &[&str]) -> String {
    types.iter().map(|t| article(t)).collect::<Vec<_>>().join(" or ")
}

/// The form in which values meet JSON Schemas: media are texts.
pub(crate) fn as_json(value: &Value) -> Json {
    value.to_json(&mut |a| format!("artifact:{}", a.digest).into())
}

/// The same for a whole input.
pub(crate) fn input_json(input: &IndexMap<String, Value>) -> Json {
    Json::Object(input.iter().map(|(name, value)| (name.clone(), as_json(value))).collect())
}

/// Puts a validator's finding into words.
pub(crate) fn misfit(error: &jsonschema::ValidationError<'_>, whole: &Json) -> Misfit {
    let found = error.instance();
    let shown = shorten(found);
    let mut hint = None;
    let mut fix = None;
    let mut certain = true;
    let mut limited = |limit: &Json, words: &str| {
        (fix, certain) = (Some(limit.to_string()), false);
        format!("must be {words} {limit}, not {shown}")
    };
    let message = match error.kind() {
        ValidationErrorKind::Minimum { limit } => limited(limit, "at least"),
        ValidationErrorKind::Maximum { limit } => limited(limit, "at most"),
        ValidationErrorKind::Type { kind } => {
            use jsonschema::error::TypeKind;
            let wanted = match kind {
                TypeKind::Single(one) => article(one.as_str()),
                TypeKind::Multiple(several) => {
                    several.iter().map(|t| article(t.as_str())).collect::<Vec<_>>().join(" or ")
                }
            };
            if wanted.contains("string") && (found.is_number() || found.is_boolean()) {
                fix = Some(format!("\"{found}\""));
                hint = Some(format!("write it with quotes: \"{found}\""));
            } else if let Some(meant) = found.as_str().and_then(|text| meant_by(text, &wanted)) {
                hint = Some(match meant.parse::<bool>() {
                    Ok(_) => format!("this is a text to YAML; write `{meant}`"),
                    Err(_) => format!("write it without quotes: `{meant}`"),
                });
                fix = Some(meant);
            }
            format!("must be {wanted}, not {}", article(type_name(found)))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<_> = options.as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
            let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            if let Some(same) = options.iter().find(|o| !found.is_string() && o.as_str() == Some(&text)) {
                fix = Some(same.to_string());
                hint = Some(format!("the model takes the text {same}; write it with quotes"));
            } else if let Some(near) = nearest_value(&text, &options) {
                hint = Some(format!("did you mean \"{near}\"?"));
                fix = Some(format!("\"{near}\""));
                certain = near.eq_ignore_ascii_case(text.trim());
            }
            let all = options.iter().map(Json::to_string).collect::<Vec<_>>().join(", ");
            format!("must be one of {all}, not {shown}")
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}, not {shown}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}, not {shown}"),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("has {} that it cannot have", quoted(unexpected))
        }
        ValidationErrorKind::Required { property } => format!("lacks `{}`", property.as_str().unwrap_or("?")),
        _ => format!("does not fit: {error}"),
    };
    let inside = !std::ptr::eq(found.as_ref(), whole) && !error.instance_path().as_str().is_empty();
    let pointer = if inside { error.instance_path().as_str() } else { "" };
    Misfit { hint, fix: fix.filter(|_| !inside), certain, ..Misfit::new(pointer, message) }
}

/// The nearest of the texts that are taken: `16:9` for `16:10`.
fn nearest_value<'o>(text: &str, options: &'o [Json]) -> Option<&'o str> {
    let options = || options.iter().filter_map(Json::as_str);
    let far = |option: &&str| {
        let same = text.chars().zip(option.chars()).take_while(|(a, b)| a == b).count();
        (strsim::damerau_levenshtein(text, option), usize::MAX - same)
    };
    let closest = || options().filter(|option| text.len() > 3 && far(option).0 <= 2).min_by_key(far);
    nearest(text, options()).or_else(closest)
}

/// The number or truth that a text was meant to be, where one of those is wanted.
fn meant_by(text: &str, wanted: &str) -> Option<String> {
    let text = text.trim();
    if wanted.contains("boolean") {
        return match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some("true".to_owned()),
            "false" | "no" | "off" => Some("false".to_owned()),
            _ => None,
        };
    }
    let integer = wanted.contains("integer") && text.parse::<i64>().is_ok();
    let number = wanted.contains("a number") && text.parse::<f64>().is_ok_and(f64::is_finite);
    (integer || number).then(|| text.to_owned())
}

/// `/1/style` as `[1].style`.
fn path(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .map(|part| match part.parse::<usize>() {
            Ok(i) => format!("[{i}]"),
            Err(_) => format!(".{part}"),
        })
        .collect()
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn article(type_name: &str) -> String {
    match type_name {
        "null" => "none".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a map".to_owned(),
        "integer" => "an integer".to_owned(),
        "string" => "a text (string)".to_owned(),
        other => format!("a {other}"),
    }
}

fn type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(n) if n.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn shorten(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn plain_schema() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(json!(true)),
            Just(
                json!({ "type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a", "format": "uri", "contentMediaType": "image/*" })
            ),
            Just(
                json!({ "type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 5, "multipleOf": 2 })
            ),
            Just(json!({ "enum": ["a", 1, null], "default": "a", "title": "t", "x-media": "image" })),
            Just(json!({ "const": 1.0 })),
            Just(json!({ "type": "number", "maximum": 2.5 })),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner
                    .clone()
                    .prop_map(|s| json!({ "type": "array", "items": s, "maxItems": 2, "uniqueItems": true })),
                inner.clone().prop_map(|s| json!({ "not": s })),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| json!({ "if": a, "then": b, "else": c })),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|s| json!({ "anyOf": s })),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|s| json!({ "oneOf": s })),
                (inner.clone(), inner).prop_map(|(a, b)| json!({
                    "type": "object", "properties": { "a": a }, "required": ["a"], "additionalProperties": b,
                })),
            ]
        })
    }

    fn plain_value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(1)),
            Just(json!(1.0)),
            Just(json!(4)),
            Just(json!(2.5)),
            Just(json!("a")),
            Just(json!("abcd")),
            Just(json!("")),
            Just(json!(true)),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        /// Reading a schema by draft 7 is a matter of speed.
        #[test]
        fn plain_schemas_say_the_same_in_both_drafts(schema in plain_schema(), value in plain_value()) {
            prop_assert_eq!(draft([&schema]), Draft::Draft7);
            let newest = jsonschema::draft202012::new(&schema).unwrap();
            let ours = compile(&schema).unwrap();
            let said = |validator: &Validator| {
                validator.iter_errors(&value).map(|e| (e.to_string(), e.instance_path().to_string())).collect::<Vec<_>>()
            };
            prop_assert_eq!(said(&newest), said(&ours));
        }
    }
}
