//! The preset document: a model's id, input schema, ports, price.
//!
//! From YAML to a [`Preset`], with all findings in one go. Schemas inside stay JSON, their
//! shorthands expanded; whether they are valid, and what they accept, is the core's question.
//!
//! Start reading at [`Preset::parse`].

mod output;
mod port;
mod price;
mod route;
mod secret;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostics, did_you_mean};
use crate::document::{Fields, Reader};
use crate::name::Name;
use crate::raw::{Node, NodeKind};
use crate::schema::Schema;
use crate::span::{Source, Span, Spanned};
use crate::template::Scope;
use crate::workflow::{Binding, Input, is_model};

pub use output::{OUTPUT_KEYS, Output, OutputKind};
pub use port::{PORT_KEYS, PORTS, Port, Repaint};
pub use price::{PRICE_KEYS, PriceRule, UNITS};
pub use route::{ROUTE_KEYS, ROUTES, Route};
pub use secret::Secret;

/// The keys of a preset.
pub const KEYS: &[&str] = &[
    "castline",
    "name",
    "description",
    "task",
    "model",
    "version",
    "input",
    "output",
    "ports",
    "rules",
    "price",
    "secrets",
    "defaults",
    "routes",
    "typical_seconds",
    "schema_as_of",
    "confidence",
    "examples",
    "extends",
    "inputs",
    "vars",
    "with",
];

/// The keys that only a preset of a model has.
const MODEL_KEYS: &[&str] = &[
    "model",
    "version",
    "input",
    "output",
    "rules",
    "price",
    "secrets",
    "defaults",
    "routes",
    "schema_as_of",
    "confidence",
];

/// The keys that only a derived preset has.
const DERIVED_KEYS: &[&str] = &["extends", "inputs", "vars", "with"];

/// The keys of a rule.
pub const RULE_KEYS: &[&str] = &["message", "schema"];

/// The keys of an example.
pub const EXAMPLE_KEYS: &[&str] = &["description", "with"];

/// A preset as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// The text it came from.
    pub source: Source,
    /// `name`, else the file's stem; `std/resize` for the built-in local tools.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// `task`: `text-to-image`, `image-edit`, ...
    pub task: Option<String>,
    /// What it calls.
    pub body: Body,
    /// `ports`: which fields take piped media or text.
    pub ports: IndexMap<String, Port>,
    /// `typical_seconds`.
    pub typical_seconds: Option<f64>,
    /// `examples`.
    pub examples: Vec<Spanned<serde_json::Map<String, serde_json::Value>>>,
}

/// What a preset calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A model.
    Model(Box<ModelPreset>),
    /// Another preset, with fewer or fixed inputs.
    Derived(Box<DerivedPreset>),
}

/// A preset that calls a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPreset {
    /// `model`: `owner/name` or `owner/name:version`.
    pub model: Spanned<String>,
    /// `version: latest`, or the id of a community model's version.
    pub version: Option<Spanned<String>>,
    /// `input`: a JSON Schema of an object, closed, media shorthands expanded.
    pub input: Spanned<serde_json::Value>,
    /// Where each property of `input` was written, for findings with two places.
    pub property_spans: IndexMap<String, Span>,
    /// `output`.
    pub output: Output,
    /// `rules` between inputs.
    pub rules: Vec<Rule>,
    /// `price`: the default for all routes.
    pub price: Vec<PriceRule>,
    /// `defaults` that are sent unless the step says otherwise.
    pub defaults: serde_json::Map<String, serde_json::Value>,
    /// `secrets`: fields that only the environment fills; they are not in `input` any more.
    pub secrets: IndexMap<String, Secret>,
    /// `routes`: built-in providers that serve it, each with its own price or none.
    pub routes: IndexMap<String, Route>,
    /// `schema_as_of`: when the schema was taken.
    pub schema_as_of: Option<String>,
    /// `confidence`: how sure it is that the host takes what stands here.
    pub confidence: Confidence,
}

/// How sure a preset's facts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Confidence {
    /// Taken from the host's own schema.
    #[default]
    High,
    /// Pieced together: from an older copy, or from less than a whole schema.
    Medium,
}

impl Confidence {
    /// Every degree with its word.
    pub const ALL: &'static [(&'static str, Confidence)] = &[("high", Self::High), ("medium", Self::Medium)];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
        }
    }
}

/// A preset over another one.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedPreset {
    /// `extends`: a preset name or path.
    pub extends: Spanned<String>,
    /// Its own `inputs`.
    pub inputs: IndexMap<Name, Input>,
    /// `vars` over `inputs`.
    pub vars: IndexMap<Name, Binding>,
    /// `with`: the base's inputs over `inputs` and `vars`.
    pub with: IndexMap<String, Binding>,
}

/// A rule between inputs that the host checks too late.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Where it stands.
    pub span: Span,
    /// What to tell the user.
    pub message: String,
    /// What the inputs, model defaults not filled in, must match.
    pub schema: serde_json::Value,
}

impl Preset {
    /// Reads a preset. It comes with all findings, and is there when it says what it calls; with
    /// errors among the findings it cannot be used, only looked at.
    pub fn parse(source: &Source) -> (Option<Self>, Diagnostics) {
        Reader::document(source, Reader::preset)
    }
}

impl Reader<'_> {
    fn preset(&mut self, root: &Node) -> Option<Preset> {
        let fields = self.fields(root, "a preset", KEYS)?;
        self.language(&fields);
        let name = fields.get("name").and_then(|node| self.spanned(node, "`name`"));
        if let Some(name) = &name {
            self.document_name(name, "a preset");
        }
        let body = self.preset_body(&fields);
        let ports = fields.get("ports").map(|node| self.ports(node)).unwrap_or_default();
        if let Some(body) = &body {
            self.ports_fit(&ports, body);
        }
        let preset = Preset {
            source: self.source.clone(),
            name: name.map_or_else(|| self.source.stem().to_owned(), |name| name.value),
            description: fields.get("description").and_then(|node| self.string(node, "`description`")),
            task: fields.get("task").and_then(|node| self.string(node, "`task`")),
            ports,
            typical_seconds: fields
                .get("typical_seconds")
                .and_then(|node| self.amount(node, "`typical_seconds`")),
            examples: fields.get("examples").map(|node| self.examples(node)).unwrap_or_default(),
            body: body?,
        };
        Some(preset)
    }

    fn preset_body(&mut self, fields: &Fields<'_>) -> Option<Body> {
        let derived = fields.get("extends").is_some();
        match (fields.entry("model"), derived) {
            (Some((model, _)), true) => {
                let finding =
                    self.error(Code::UnknownKey, model.span, "a preset has `model` or `extends`, not both");
                self.push(finding.hint("a derived preset calls the model of the one that it extends"));
                None
            }
            (None, false) if fields.means("extends") => None,
            (None, false) => {
                self.missing(fields, "a preset", "model");
                self.model_preset(fields);
                None
            }
            (_, true) => {
                self.refuse_keys(
                    fields,
                    MODEL_KEYS,
                    "a derived preset",
                    "it comes from the preset that is extended",
                );
                self.derived_preset(fields)
            }
            (_, false) => {
                self.refuse_keys(
                    fields,
                    DERIVED_KEYS,
                    "a preset of a model",
                    "only a preset with `extends` has it",
                );
                self.model_preset(fields)
            }
        }
    }

    fn refuse_keys(&mut self, fields: &Fields<'_>, keys: &[&str], what: &str, hint: &str) {
        for key in fields.keys().filter(|key| keys.contains(&key.value.as_str())) {
            self.unknown_key(key, what, Some(hint.to_owned()), None);
        }
    }

    fn derived_preset(&mut self, fields: &Fields<'_>) -> Option<Body> {
        let inputs = fields.get("inputs").map(|node| self.inputs(node));
        let vars = fields.get("vars").map(|node| self.bindings(node, "`vars`", "a var", Scope::DERIVED));
        let with = fields.get("with").map(|node| self.with(node, Scope::DERIVED));
        let extends = fields.get("extends").and_then(|node| self.spanned(node, "`extends`"))?;
        let is_path = extends.value.starts_with("./") || extends.value.starts_with("../");
        if !is_path {
            self.document_name(&extends, "a preset");
        }
        Some(Body::Derived(Box::new(DerivedPreset {
            extends,
            inputs: inputs.into_iter().flatten().collect(),
            vars: vars.into_iter().flatten().collect(),
            with: with.into_iter().flatten().collect(),
        })))
    }

    fn model_preset(&mut self, fields: &Fields<'_>) -> Option<Body> {
        let model = fields.get("model").and_then(|node| self.model(node));
        let mut input = self.needed(fields, "input").and_then(|node| self.model_input(node));
        let output = self.needed(fields, "output").and_then(|node| self.output(node));
        let secrets = match (fields.get("secrets"), &mut input) {
            (Some(node), Some((schema, spans))) => self.secrets(node, &mut schema.value, spans),
            _ => IndexMap::new(),
        };
        let defaults = fields.get("defaults");
        if let (Some(node), Some((_, spans))) = (defaults, &input) {
            self.known_inputs(node, spans);
        }
        let rules = fields.get("rules").map(|node| self.rules(node)).unwrap_or_default();
        let price = fields.get("price").map(|node| self.prices(node)).unwrap_or_default();
        let defaults = defaults.map(|node| self.literals(node, "`defaults`")).unwrap_or_default();
        let routes = fields.get("routes").map(|node| self.routes(node)).unwrap_or_default();
        let version = fields.get("version").and_then(|node| self.spanned(node, "`version`"));
        let schema_as_of = fields.get("schema_as_of").and_then(|node| self.string(node, "`schema_as_of`"));
        let confidence = fields.get("confidence");
        let confidence = confidence.and_then(|node| self.choice(node, "`confidence`", Confidence::ALL));
        let (input, property_spans) = input?;
        Some(Body::Model(Box::new(ModelPreset {
            model: model?,
            version,
            input,
            property_spans,
            output: output?,
            rules,
            price,
            defaults,
            secrets,
            routes,
            schema_as_of,
            confidence: confidence.unwrap_or_default(),
        })))
    }

    fn needed<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let node = fields.get(key);
        if node.is_none() {
            self.missing(fields, "a preset of a model", key);
        }
        node
    }

    fn model(&mut self, node: &Node) -> Option<Spanned<String>> {
        let model = self.spanned(node, "`model`")?;
        if !is_model(&model.value) {
            let message = format!("`{}` cannot be a model", model.value);
            let finding = self.error(Code::InvalidValue, model.span, message);
            self.push(finding.hint("a model is `owner/name` or `owner/name:version`"));
        }
        Some(model)
    }

    fn model_input(&mut self, node: &Node) -> Option<(Spanned<Value>, IndexMap<String, Span>)> {
        let mut json = Schema::read(node, self).json;
        let object = json.as_object_mut()?;
        if object.get("type").is_some_and(|kind| kind != "object") {
            let place = node.get("type").map_or(node.span, |kind| kind.span);
            self.push(self.error(Code::InvalidSchema, place, "`input` is the schema of an object"));
            return None;
        }
        let Some(properties) = node.get("properties") else {
            self.missing(&Fields::none(node.span), "`input`", "properties");
            return None;
        };
        let NodeKind::Map(entries) = &properties.kind else { return None };
        object.entry("type").or_insert(json!("object"));
        object.entry("additionalProperties").or_insert(json!(false));
        let spans = entries.iter().map(|(key, _)| (key.value.clone(), key.span)).collect();
        Some((Spanned::new(json, node.span), spans))
    }

    fn known_inputs(&mut self, node: &Node, inputs: &IndexMap<String, Span>) {
        let NodeKind::Map(entries) = &node.kind else { return };
        for (key, _) in entries {
            self.known_input(key, inputs.keys().map(String::as_str));
        }
    }

    fn known_input<'k>(&mut self, name: &Spanned<String>, known: impl Iterator<Item = &'k str> + Clone) {
        if !known.clone().any(|input| input == name.value) {
            let hint = did_you_mean("an input", &name.value, known);
            let message = format!("there is no input `{}`", name.value);
            self.push(self.error(Code::UnknownInput, name.span, message).maybe_hint(hint));
        }
    }

    fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let items = self.list(node, "`rules`").unwrap_or_default();
        items.iter().filter_map(|item| self.rule(item)).collect()
    }

    fn rule(&mut self, node: &Node) -> Option<Rule> {
        let fields = self.fields(node, "a rule", RULE_KEYS)?;
        for key in RULE_KEYS.iter().filter(|key| fields.get(key).is_none()) {
            self.missing(&fields, "a rule", key);
        }
        let schema = fields.get("schema").map(|node| Schema::read(node, self).json);
        let message = fields.get("message").and_then(|node| self.string(node, "`message`"));
        Some(Rule { span: node.span, message: message?, schema: schema? })
    }

    fn examples(&mut self, node: &Node) -> Vec<Spanned<serde_json::Map<String, Value>>> {
        let items = self.list(node, "`examples`").unwrap_or_default();
        items.iter().filter_map(|item| self.example(item)).collect()
    }

    fn example(&mut self, node: &Node) -> Option<Spanned<serde_json::Map<String, Value>>> {
        let fields = self.fields(node, "an example", EXAMPLE_KEYS)?;
        if let Some(text) = fields.get("description") {
            self.text(text, "`description`");
        }
        let Some(with) = fields.get("with") else {
            self.missing(&fields, "an example", "with");
            return None;
        };
        Some(Spanned::new(self.literals(with, "`with`"), with.span))
    }
}

#[cfg(test)]
mod tests;
