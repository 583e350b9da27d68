//! The preset document: a model's id, input schema, ports, price.
//!
//! From YAML to a [`Preset`], with all findings in one go. Schemas inside stay JSON, their
//! shorthands expanded; whether they are valid, and what they accept, is the core's question.
//!
//! Start reading at [`Preset::parse`].

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::document::{Fields, Reader};
use crate::name::Name;
use crate::raw::{Key, Node, NodeKind};
use crate::schema::{MediaKind, Schema};
use crate::span::{Source, Span, Spanned};
use crate::template::{Scope, Template};
use crate::workflow::{Binding, Input, is_model};

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

/// The keys of `output`.
pub const OUTPUT_KEYS: &[&str] = &["type", "many"];

/// The keys of a port that is more than a field.
pub const PORT_KEYS: &[&str] = &["field", "repaint"];

/// The ports that a preset can have.
pub const PORTS: &[&str] = &[
    "image",
    "images",
    "mask",
    "first_frame",
    "last_frame",
    "references",
    "video",
    "videos",
    "audio",
    "audios",
    "file",
    "files",
    "text",
];

/// The keys of a rule.
pub const RULE_KEYS: &[&str] = &["message", "schema"];

/// The keys of a price.
pub const PRICE_KEYS: &[&str] = &["usd", "per", "if", "quantity", "per_run_usd", "as_of", "source"];

/// The units of a price that castline can count by itself.
pub const UNITS: &[&str] = &[
    "run",
    "image",
    "second",
    "megapixel",
    "input-megapixel",
    "gpu-second",
    "kilotoken",
    "input-kilotoken",
    "output-kilotoken",
];

/// The keys of a route.
pub const ROUTE_KEYS: &[&str] = &["price", "deployment"];

/// The keys of an example.
pub const EXAMPLE_KEYS: &[&str] = &["description", "with"];

/// The providers that castline brings along and a preset can have a route to.
pub const ROUTES: &[&str] = &["replicate", "cometapi", "std", "sandbox"];

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

/// An input that is filled from the environment when a request is sent, and that no step gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Where its field stands under `secrets`.
    pub span: Span,
    /// The environment variable that holds it.
    pub variable: String,
    /// True when the model takes no request without it.
    pub required: bool,
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

/// What a model gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `output.type`.
    pub kind: OutputKind,
    /// `output.many: true`: several files are usual.
    pub many: bool,
}

/// The kind of a model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Files of this kind, one or more.
    Image,
    /// Files of this kind, one or more.
    Video,
    /// Files of this kind, one or more.
    Audio,
    /// Files of any kind.
    File,
    /// Text; pieces are joined.
    Text,
    /// Any JSON, files in it included.
    Json,
}

impl OutputKind {
    /// Every kind with its word.
    pub const ALL: &'static [(&'static str, OutputKind)] = &[
        ("image", Self::Image),
        ("video", Self::Video),
        ("audio", Self::Audio),
        ("file", Self::File),
        ("text", Self::Text),
        ("json", Self::Json),
    ];

    /// The kind of media that comes out, none for text and JSON.
    pub fn media(self) -> Option<MediaKind> {
        match self {
            Self::Image => Some(MediaKind::Image),
            Self::Video => Some(MediaKind::Video),
            Self::Audio => Some(MediaKind::Audio),
            Self::File => Some(MediaKind::File),
            Self::Text | Self::Json => None,
        }
    }
}

/// Where piped media or text goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Where the port's name stands.
    pub name_span: Span,
    /// The field of the model, or the input of a derived preset.
    pub field: Spanned<String>,
    /// For masks: which color is painted anew.
    pub repaint: Option<Repaint>,
}

/// Which color of a mask is painted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaint {
    /// White is painted anew.
    White,
    /// Black is painted anew.
    Black,
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

/// A price.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceRule {
    /// Where it stands.
    pub span: Span,
    /// USD for one unit, at least.
    pub usd_min: f64,
    /// USD for one unit, at most.
    pub usd_max: f64,
    /// The unit: `image`, `run`, `second`, `megapixel`, `input-megapixel`, ...
    pub per: String,
    /// `if`: holds for these inputs, an expression over `input`.
    pub condition: Option<Spanned<String>>,
    /// `quantity`: how many units, an expression over `input`.
    pub quantity: Option<Spanned<String>>,
    /// USD for each run besides.
    pub per_run_usd: f64,
    /// When the price was read, `2026-01`.
    pub as_of: Option<String>,
    /// Where it was read.
    pub source: Option<String>,
}

/// How a built-in provider serves a preset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Route {
    /// Its own price rules; empty means the preset's.
    pub price: Vec<PriceRule>,
    /// `owner/name` of a deployment that runs it there, instead of the public model.
    pub deployment: Option<Spanned<String>>,
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

    fn output(&mut self, node: &Node) -> Option<Output> {
        if let NodeKind::Text(text) = &node.kind {
            let fix = format!("{{ type: {} }}", text.value);
            let finding = self.error(Code::WrongType, node.span, "`output` takes a map, not text");
            self.push(finding.hint(format!("write `{fix}`")).fix(node.span, fix));
            return None;
        }
        let fields = self.fields(node, "`output`", OUTPUT_KEYS)?;
        let many = fields.get("many").and_then(|node| self.boolean(node, "`many`")).unwrap_or(false);
        let Some(kind) = fields.get("type") else {
            self.missing(&fields, "`output`", "type");
            return None;
        };
        Some(Output { kind: self.choice(kind, "`type`", OutputKind::ALL)?, many })
    }

    fn ports(&mut self, node: &Node) -> IndexMap<String, Port> {
        let entries = self.entries(node, "`ports`").unwrap_or_default();
        let mut ports = IndexMap::new();
        for (key, node) in entries {
            if !PORTS.contains(&key.value.as_str()) {
                let hint = did_you_mean("a port", &key.value, PORTS.iter().copied());
                let message = format!("there is no port `{}`", key.value);
                self.push(self.error(Code::UnknownPort, key.span, message).maybe_hint(hint));
            }
            if let Some(port) = self.port(key, node) {
                ports.insert(key.value.clone(), port);
            }
        }
        ports
    }

    fn port(&mut self, key: &Key, node: &Node) -> Option<Port> {
        let what = format!("port `{}`", key.value);
        if !matches!(node.kind, NodeKind::Map(_)) {
            return Some(Port { name_span: key.span, field: self.spanned(node, &what)?, repaint: None });
        }
        let fields = self.fields(node, &what, PORT_KEYS)?;
        let colors = &[("white", Repaint::White), ("black", Repaint::Black)];
        let repaint = fields.get("repaint").and_then(|node| self.choice(node, "`repaint`", colors));
        let Some(field) = fields.get("field") else {
            self.missing(&fields, &what, "field");
            return None;
        };
        Some(Port { name_span: key.span, field: self.spanned(field, "`field`")?, repaint })
    }

    fn ports_fit(&mut self, ports: &IndexMap<String, Port>, body: &Body) {
        for port in ports.values() {
            match body {
                Body::Model(model) => {
                    self.known_input(&port.field, model.property_spans.keys().map(String::as_str));
                }
                Body::Derived(derived) => {
                    self.known_input(&port.field, derived.inputs.keys().map(Name::as_str));
                }
            }
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

    /// One price or a list of them.
    pub(crate) fn prices(&mut self, node: &Node) -> Vec<PriceRule> {
        let what = "`price`";
        if !matches!(node.kind, NodeKind::List(_) | NodeKind::Map(_)) {
            self.wrong_type(node, what, "a map or a list of maps");
            return Vec::new();
        }
        Self::one_or_list(node).iter().filter_map(|node| self.price(node)).collect()
    }

    fn price(&mut self, node: &Node) -> Option<PriceRule> {
        let fields = self.fields(node, "a price", PRICE_KEYS)?;
        for key in ["usd", "per"].into_iter().filter(|key| fields.get(key).is_none()) {
            self.missing(&fields, "a price", key);
        }
        let usd = fields.get("usd").map(|node| self.usd(node));
        let per = fields.get("per").map(|node| self.unit(node, fields.get("quantity").is_some()));
        let condition = fields.get("if").and_then(|node| self.price_expression(node, "`if`"));
        let quantity = fields.get("quantity").and_then(|node| self.price_expression(node, "`quantity`"));
        let per_run = fields.get("per_run_usd").and_then(|node| self.amount(node, "`per_run_usd`"));
        let as_of = fields.get("as_of").and_then(|node| self.string(node, "`as_of`"));
        let source = fields.get("source").and_then(|node| self.string(node, "`source`"));
        let (usd_min, usd_max) = usd??;
        Some(PriceRule {
            span: node.span,
            usd_min,
            usd_max,
            per: per??,
            condition,
            quantity,
            per_run_usd: per_run.unwrap_or(0.0),
            as_of,
            source,
        })
    }

    /// `image`. Any other word than [`UNITS`] needs a `quantity`; one that is almost one of them is
    /// taken for a slip even so.
    fn unit(&mut self, node: &Node, counted: bool) -> Option<String> {
        let unit = self.string(node, "`per`")?;
        let near = nearest(&unit, UNITS.iter().copied());
        if UNITS.contains(&unit.as_str()) || (counted && near.is_none()) {
            return Some(unit);
        }
        let message = format!("castline cannot count by `{unit}`");
        let finding = match counted {
            true => Diagnostic::warning(Code::InvalidValue, self.source, node.span, message),
            false => self.error(Code::InvalidValue, node.span, message),
        };
        let finding = match near {
            Some(near) => {
                finding.hint(format!("there is the unit `{near}`")).suggest(node.span, near.to_owned())
            }
            None => finding.hint(format!(
                "say how many with `quantity`, or use one of {}",
                UNITS.iter().map(|unit| format!("`{unit}`")).collect::<Vec<_>>().join(", ")
            )),
        };
        self.push(finding);
        Some(unit)
    }

    /// `0.04` or `[0.04, 0.08]`.
    fn usd(&mut self, node: &Node) -> Option<(f64, f64)> {
        let NodeKind::List(bounds) = &node.kind else {
            return self.amount(node, "`usd`").map(|usd| (usd, usd));
        };
        let [least, most] = bounds.as_slice() else {
            self.push(self.error(Code::InvalidValue, node.span, "a range of prices is `[least, most]`"));
            return None;
        };
        let (least, most) = (self.amount(least, "`usd`")?, self.amount(most, "`usd`")?);
        if least > most {
            let message = format!("a range of prices begins with the least: `[{most}, {least}]`");
            self.push(self.error(Code::InvalidValue, node.span, message));
        }
        Some((least.min(most), least.max(most)))
    }

    /// An expression over `input`.
    fn price_expression(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        if let NodeKind::Number(_) | NodeKind::Bool(_) = node.kind {
            return Some(Spanned::new(self.source.slice(node.span).to_owned(), node.span));
        }
        let text = self.text(node, what)?;
        match Template::expression(text, self.source, Scope::PRICE) {
            Ok(template) => Some(Spanned::new(template.code.to_string(), node.span)),
            Err(findings) => {
                self.found.extend(findings);
                None
            }
        }
    }

    /// Takes the fields that only the environment fills out of the schema, so that nobody else can.
    fn secrets(
        &mut self,
        node: &Node,
        schema: &mut Value,
        spans: &mut IndexMap<String, Span>,
    ) -> IndexMap<String, Secret> {
        let mut secrets = IndexMap::new();
        for (key, node) in self.entries(node, "`secrets`").unwrap_or_default() {
            self.known_input(key, spans.keys().map(String::as_str));
            let variable = self.variable(node);
            let Some(property) = schema["properties"].get(&key.value) else { continue };
            if property["type"] != "string" || MediaKind::of_schema(property).is_some() {
                let message = format!("`{}` takes no text, and a secret is one", key.value);
                self.push(self.error(Code::InvalidValue, key.span, message));
            }
            let required = is_required(schema, &key.value);
            forget(schema, &key.value);
            spans.shift_remove(&key.value);
            if let Some(variable) = variable {
                secrets.insert(key.value.clone(), Secret { span: key.span, variable, required });
            }
        }
        secrets
    }

    /// The name of an environment variable. What else stands there may be the secret itself.
    fn variable(&mut self, node: &Node) -> Option<String> {
        let variable = self.string(node, "a secret")?;
        let mut letters = variable.chars();
        let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some(variable);
        }
        let message = "a secret is the name of the environment variable that holds it";
        let finding = self.error(Code::InvalidValue, node.span, message);
        self.push(
            finding.hint("such as `openai_api_key: OPENAI_API_KEY`; the secret itself stands in no file"),
        );
        None
    }

    fn routes(&mut self, node: &Node) -> IndexMap<String, Route> {
        let entries = self.entries(node, "`routes`").unwrap_or_default();
        entries.iter().map(|(key, node)| (key.value.clone(), self.route(key, node))).collect()
    }

    fn route(&mut self, key: &Key, node: &Node) -> Route {
        if !ROUTES.contains(&key.value.as_str()) {
            let message = format!("there is no built-in provider `{}`", key.value);
            let hint = did_you_mean("a provider", &key.value, ROUTES.iter().copied());
            self.push(self.error(Code::UnknownProvider, key.span, message).maybe_hint(hint));
        }
        let fields = self.fields(node, "a route", ROUTE_KEYS);
        let get = |name| fields.as_ref().and_then(|fields| fields.get(name));
        let price = get("price").map(|node| self.prices(node));
        let deployment = get("deployment").and_then(|node| self.deployment(node));
        Route { price: price.unwrap_or_default(), deployment }
    }

    fn deployment(&mut self, node: &Node) -> Option<Spanned<String>> {
        let deployment = self.spanned(node, "`deployment`")?;
        let parts: Vec<&str> = deployment.value.split('/').collect();
        let plain = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if parts.len() != 2 || !parts.iter().all(plain) {
            let message = format!("`deployment` cannot be `{}`", deployment.value);
            let finding = self.error(Code::InvalidValue, deployment.span, message);
            self.push(finding.hint("it is `owner/name`, as on the deployment's page"));
            return None;
        }
        Some(deployment)
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

fn is_required(schema: &Value, input: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == input))
}

/// Takes a property out of a schema.
fn forget(schema: &mut Value, input: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|name, _| name != input);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != input);
    }
}

#[cfg(test)]
mod tests;
