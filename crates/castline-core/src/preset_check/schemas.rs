//! JSON Schemas of a preset: that they are some, and that the values in them fit.

use castline_spec::diagnostic::nearest;
use castline_spec::preset::ModelPreset;
use castline_spec::schema::inside;
use castline_spec::{Code, Diagnostic, Span};
use jsonschema::canonical::Satisfiability;
use serde_json::{Value as Json, json};

use super::places::{Path, join, path, pointer};
use super::{Check, is_error};
use crate::field::{Field, compile, misfit};
use crate::types::fit::canonicalize;

/// The keywords under which values of a schema stand.
const VALUES: [&str; 4] = ["default", "examples", "enum", "const"];

impl Check<'_> {
    /// `input` of a preset of a model.
    pub(super) fn input(&mut self, model: &ModelPreset) {
        let schema = &model.input.value;
        let at = path(&["input"]);
        self.closed(schema, &at);
        self.required(schema, &at, model);
        if self.references(schema, &at) {
            self.schema(schema, &at);
        }
        self.each_fits(&schema["properties"], &join(&at, ["properties"]));
    }

    /// Hosts drop a name that they do not know without a word; so the schema should be closed.
    fn closed(&mut self, schema: &Json, at: &[String]) {
        if schema["additionalProperties"] != json!(false) {
            let span = self.places.value(&join(at, ["additionalProperties"]));
            let message = "`input` is open, and hosts drop a misspelt input without a word";
            let finding = Diagnostic::warning(Code::InvalidSchema, self.source, span, message);
            self.found.push(finding.hint("write `additionalProperties: false`").fix(span, "false"));
        }
        for key in ["patternProperties", "unevaluatedProperties"] {
            if schema.get(key).is_some_and(|value| *value != json!(false)) {
                let span = self.places.key(&join(at, [key]));
                let message = format!("`{key}` is not looked at: an input has its name under `properties`");
                self.found.push(Diagnostic::warning(Code::InvalidSchema, self.source, span, message));
            }
        }
    }

    /// `required` names inputs that there are.
    fn required(&mut self, schema: &Json, at: &[String], model: &ModelPreset) {
        for (i, name) in schema["required"].as_array().into_iter().flatten().enumerate() {
            let Some(name) = name.as_str().filter(|name| !model.property_spans.contains_key(*name)) else {
                continue;
            };
            let span = self.places.value(&join(at, ["required", &i.to_string()]));
            let message = format!("`required` names `{name}`, which is not among `properties`");
            self.unknown(name, span, message, model);
        }
    }

    /// A name that is no input of the model.
    pub(super) fn unknown(&mut self, name: &str, span: Span, message: String, model: &ModelPreset) {
        let known = || model.property_spans.keys().map(String::as_str);
        let hint = castline_spec::diagnostic::did_you_mean("an input", name, known());
        let finding = Diagnostic::error(Code::UnknownInput, self.source, span, message).maybe_hint(hint);
        self.found.push(match nearest(name, known()) {
            Some(near) => finding.suggest(span, near),
            None => finding,
        });
    }

    /// True when this is a JSON Schema; else what is wrong is said at its very place.
    pub(super) fn schema(&mut self, schema: &Json, at: &[String]) -> bool {
        let before = self.found.list.len();
        let meta = jsonschema::draft202012::meta::validator();
        for error in meta.iter_errors(schema) {
            let way = pointer(error.instance_path().as_str());
            let name = label(&way).unwrap_or_else(|| "the schema".to_owned());
            let misfit = misfit(&error, error.instance());
            let span = self.places.value(&join(at, way.iter().map(String::as_str)));
            self.not_a_schema(span, format!("{name} {}", misfit.message), misfit.hint);
        }
        self.patterns(schema, at);
        // A reference that leads nowhere, and what else only compiling shows.
        if self.found.list.len() == before
            && let Err(why) = compile(schema)
        {
            self.not_a_schema(self.places.value(at), format!("this is not a JSON Schema: {why}"), None);
        }
        self.found.list.len() == before
    }

    /// Regular expressions that are none.
    fn patterns(&mut self, schema: &Json, at: &[String]) {
        let wrong = |check: &mut Self, pattern: &str, place: Path| {
            if compile(&json!({ "pattern": pattern })).is_err() {
                let message = format!("`{pattern}` is not a regular expression");
                check.not_a_schema(check.places.value(&place), message, None);
            }
        };
        if let Some(pattern) = schema["pattern"].as_str() {
            wrong(self, pattern, join(at, ["pattern"]));
        }
        for pattern in schema["patternProperties"].as_object().into_iter().flat_map(|map| map.keys()) {
            wrong(self, pattern, join(at, ["patternProperties", pattern]));
        }
        for (way, schema) in inside(schema) {
            self.patterns(schema, &join(at, way.iter().map(String::as_str)));
        }
    }

    /// Each input is a schema of its own, in which a reference to elsewhere leads nowhere. True when
    /// there is none.
    fn references(&mut self, schema: &Json, at: &[String]) -> bool {
        let mut none = true;
        for key in ["$ref", "$dynamicRef"] {
            if schema.get(key).is_some() {
                let span = self.places.value(&join(at, [key]));
                let message = format!("`{key}` is not followed: each input is checked by itself");
                self.not_a_schema(span, message, Some("write out what it refers to".to_owned()));
                none = false;
            }
        }
        for (way, schema) in inside(schema) {
            none &= self.references(schema, &join(at, way.iter().map(String::as_str)));
        }
        none
    }

    pub(super) fn not_a_schema(&mut self, span: Span, message: String, hint: Option<String>) {
        self.found.push(Diagnostic::error(Code::InvalidSchema, self.source, span, message).maybe_hint(hint));
    }

    /// The values in each schema of a map fit it, and some value fits at all.
    pub(super) fn each_fits(&mut self, schemas: &Json, at: &[String]) {
        for (name, schema) in schemas.as_object().into_iter().flatten() {
            let at = join(at, [name.as_str()]);
            let before = self.found.list.iter().filter(|finding| is_error(finding)).count();
            self.values(schema, &at, &format!("`{name}"));
            let silent = self.found.list.iter().filter(|finding| is_error(finding)).count() == before;
            if silent && satisfiability(schema) == Satisfiability::No {
                let message = format!("no value fits `{name}`");
                self.not_a_schema(self.places.key(&at), message, None);
            }
        }
    }

    /// `default`, `examples`, `enum` and `const` of a schema, and of those in it.
    fn values(&mut self, schema: &Json, at: &[String], name: &str) {
        if let Some(map) = schema.as_object() {
            let mut bare = map.clone();
            VALUES.iter().for_each(|key| drop(bare.shift_remove(*key)));
            // What other words are taken is no question of an enum's own words.
            let (whole, bare) = (self.field(schema, at), self.field(&Json::Object(bare), at));
            for key in VALUES {
                let against = if matches!(key, "default" | "examples") { &whole } else { &bare };
                let (Some(value), Some(field)) = (map.get(key), against) else { continue };
                match value {
                    Json::Array(items) if matches!(key, "examples" | "enum") => {
                        for (i, item) in items.iter().enumerate() {
                            let position = i.to_string();
                            let place = self.places.value(&join(at, [key, &position]));
                            self.value(item, place, &format!("{name}.{key}[{i}]`"), field);
                        }
                    }
                    // Hosts write `default: null` for what has none.
                    Json::Null if key == "default" => {}
                    value => {
                        let place = self.places.value(&join(at, [key]));
                        self.value(value, place, &format!("{name}.{key}`"), field);
                    }
                }
            }
        }
        for (way, inner) in inside(schema) {
            let step = match way.as_slice() {
                [named, property] if named == "properties" => format!(".{property}"),
                [keyword, position] => format!(".{keyword}[{position}]"),
                _ => format!(".{}", way.join(".")),
            };
            self.values(inner, &join(at, way.iter().map(String::as_str)), &format!("{name}{step}"));
        }
    }

    fn field(&self, schema: &Json, at: &[String]) -> Option<Field> {
        Field::new(schema, self.source, self.places.key(at), false).ok()
    }

    fn value(&mut self, value: &Json, span: Span, name: &str, field: &Field) {
        let misfits = field.misfits_json(value);
        self.misfits(name.trim_matches('`'), misfits, span, field);
    }
}

/// Whether any value fits a schema, as far as that can be told.
pub(super) fn satisfiability(schema: &Json) -> Satisfiability {
    canonicalize(schema, crate::field::draft([schema]))
        .map_or(Satisfiability::Unknown, |schema| schema.satisfiability())
}

/// The last keyword of a way, with the positions after it: `required[1]`.
fn label(way: &[String]) -> Option<String> {
    let at = way.iter().rposition(|part| part.parse::<usize>().is_err())?;
    let positions: Vec<_> = way[at + 1..].iter().map(|part| format!("[{part}]")).collect();
    Some(format!("`{}{}`", way[at], positions.concat()))
}
