//! Rules between inputs: valid, about inputs that there are, and possible to keep.

use castline_spec::preset::ModelPreset;
use castline_spec::schema::inside;
use castline_spec::{Code, Diagnostic};
use indexmap::IndexMap;
use jsonschema::canonical::Satisfiability;
use serde_json::{Value as Json, json};

use super::Check;
use super::examples::Tried;
use super::places::{join, path};
use super::schemas::satisfiability;
use crate::field::Field;
use crate::graph::misfit_finding;

impl Check<'_> {
    /// Every rule by itself.
    pub(super) fn rules(&mut self, model: &ModelPreset, fields: &IndexMap<String, Field>) {
        for (i, rule) in model.rules.iter().enumerate() {
            let at = path(&["rules", &i.to_string(), "schema"]);
            if self.schema(&rule.schema, &at) {
                self.names(&rule.schema, &at, model, fields);
            }
        }
    }

    /// The names in a schema of the whole input.
    fn names(&mut self, schema: &Json, at: &[String], model: &ModelPreset, fields: &IndexMap<String, Field>) {
        let mut named: Vec<(String, Vec<String>)> = Vec::new();
        let list = |names: &Json, way: Vec<String>| -> Vec<(String, Vec<String>)> {
            let names = names.as_array().into_iter().flatten().enumerate();
            let named =
                |(i, name): (usize, &Json)| Some((name.as_str()?.to_owned(), join(&way, [&*i.to_string()])));
            names.filter_map(named).collect()
        };
        named.extend(list(&schema["required"], path(&["required"])));
        for key in ["properties", "dependentSchemas", "dependentRequired"] {
            for (name, value) in schema[key].as_object().into_iter().flatten() {
                named.push((name.clone(), path(&[key, name])));
                named.extend(list(value, path(&[key, name])));
            }
        }
        for (name, way) in named {
            if !model.property_spans.contains_key(&name) {
                let place = join(at, way.iter().map(String::as_str));
                let span = if way[0] == "required" || way.len() == 3 {
                    self.places.value(&place)
                } else {
                    self.places.key(&place)
                };
                self.unknown(&name, span, format!("the rule is about `{name}`, which is no input"), model);
            }
        }
        for (way, inner) in inside(schema) {
            let at = join(at, way.iter().map(String::as_str));
            match way[0].as_str() {
                "properties" => self.words(inner, &at, &way[1], fields.get(&way[1])),
                "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" => {
                    self.names(inner, &at, model, fields);
                }
                _ => {}
            }
        }
    }

    /// Values that a rule names can be values of their input; others are slips.
    fn words(&mut self, schema: &Json, at: &[String], name: &str, field: Option<&Field>) {
        let Some(field) = field else { return };
        let mut words: Vec<(&Json, Vec<String>)> = Vec::new();
        words.extend(schema.get("const").map(|word| (word, join(at, ["const"]))));
        for (i, word) in schema["enum"].as_array().into_iter().flatten().enumerate() {
            words.push((word, join(at, ["enum", &i.to_string()])));
        }
        for (word, place) in words {
            let span = self.places.value(&place);
            for misfit in field.misfits_json(word) {
                let name = format!("{name}` of the rule can never hold: `{name}");
                let mut finding = misfit_finding(&name, misfit, self.source, span, Some(field), true);
                finding.severity = castline_spec::Severity::Warning;
                self.found.push(finding);
            }
        }
        for (way, inner) in inside(schema) {
            if matches!(way[0].as_str(), "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else") {
                self.words(inner, &join(at, way.iter().map(String::as_str)), name, Some(field));
            }
        }
    }

    /// Some input keeps the schema and all rules, and each rule can be broken.
    pub(super) fn satisfiable(&mut self, model: &ModelPreset, tried: &[Tried]) {
        let input = &model.input.value;
        let kept = tried.iter().any(|tried| tried.input.is_some());
        let mut all = vec![input.clone()];
        for (i, rule) in model.rules.iter().enumerate() {
            let place = self.places.value(&path(&["rules", &i.to_string(), "message"]));
            let never_broken = json!({ "allOf": [input, { "not": rule.schema }] });
            if satisfiability(&never_broken) == Satisfiability::No {
                let message = "no input that the schema takes can break this rule";
                self.found.push(Diagnostic::warning(Code::Unused, self.source, place, message));
            }
            all.push(rule.schema.clone());
            // An example that keeps everything is proof enough.
            if !kept && satisfiability(&json!({ "allOf": all })) == Satisfiability::No {
                let message = "no input can keep this rule together with the schema and the rules above";
                self.found.push(Diagnostic::error(Code::RuleBroken, self.source, place, message));
                return;
            }
        }
    }
}
