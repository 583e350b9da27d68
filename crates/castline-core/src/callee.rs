//! What a step calls: a preset with everything that it extends, ready to be asked.
//!
//! A call passes through the [`Layer`]s of derived presets, outermost first, and ends at a
//! [`Model`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::{Body, ModelPreset, OutputKind, Port, PriceRule, Route, Secret};
use castline_spec::schema::MediaKind;
use castline_spec::template::Target;
use castline_spec::workflow::{Binding, Input};
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Preset, Source, Span, Workflow};
use indexmap::IndexMap;
use jsonschema::Validator;

use crate::field::{Field, compile};
use crate::graph::Graph;
use crate::model::ModelRef;
use crate::request::OutputShape;
use crate::templates::{Bound, Templates};
use crate::value::Value;

/// The presets that a workflow may call, by what it writes.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Loaded presets, by [`Catalog::key`].
    pub found: BTreeMap<String, Arc<Preset>>,
    /// Loaded workflows, by the same keys.
    pub workflows: BTreeMap<String, Arc<Workflow>>,
    /// Presets and workflows that exist and are broken; their findings are reported elsewhere.
    pub broken: BTreeSet<String>,
    /// The names of all presets, for hints.
    pub known: Vec<String>,
    /// The library that a document is of, by the document's name. Others are the project's or
    /// built in, and mean the same by a name.
    pub homes: BTreeMap<Arc<str>, String>,
}

impl Catalog {
    /// Under which key a preset is kept: its name, after that of the library in which it is meant;
    /// or for a path the document and the path.
    pub fn key(&self, document: &Source, uses: &str) -> String {
        if uses.starts_with("./") || uses.starts_with("../") {
            return format!("{}: {uses}", document.name);
        }
        match self.homes.get(&document.name) {
            Some(library) => format!("{library}: {uses}"),
            None => uses.to_owned(),
        }
    }
}

/// What a step calls.
#[derive(Debug)]
pub struct Callee {
    /// As the step names it.
    pub uses: String,
    /// The name of the outermost preset, which is what a step calls.
    pub name: String,
    /// The document of the outermost preset.
    pub source: Source,
    /// The inputs that a step may give.
    pub fields: IndexMap<String, Field>,
    /// Which fields take piped media or text.
    pub ports: IndexMap<String, Port>,
    /// Derived presets on the way to the model, outermost first.
    pub layers: Vec<Layer>,
    /// What is called in the end.
    pub model: Model,
    /// The workflow that is called instead of a model.
    pub called: Option<Arc<Graph>>,
}

/// A derived preset.
#[derive(Debug)]
pub struct Layer {
    /// Its document.
    pub source: Source,
    /// Its inputs and their defaults.
    pub inputs: IndexMap<Name, Input>,
    /// The fields of its inputs.
    pub fields: IndexMap<String, Field>,
    /// Its vars.
    pub vars: Arc<IndexMap<Name, Bound>>,
    /// What it gives to the next layer or the model.
    pub with: IndexMap<String, Bound>,
}

/// A model as its preset describes it.
#[derive(Debug)]
pub struct Model {
    /// `owner/name`, with a version where it has one.
    pub reference: ModelRef,
    /// The preset's name.
    pub preset: String,
    /// The preset's document.
    pub source: Source,
    /// The JSON Schema of the input; none for a raw model.
    pub schema: Option<serde_json::Value>,
    /// The inputs one by one.
    pub fields: IndexMap<String, Field>,
    /// The schema of the whole input.
    validator: Option<Validator>,
    /// Rules between inputs.
    pub rules: Vec<(castline_spec::preset::Rule, Validator)>,
    /// Price rules for all routes.
    pub price: Vec<PriceRule>,
    /// Sent unless the step says otherwise.
    pub defaults: IndexMap<String, Value>,
    /// Inputs that are filled when the request is sent, and are in no request before.
    pub secrets: IndexMap<String, Secret>,
    /// Built-in providers that serve it.
    pub routes: IndexMap<String, Route>,
    /// What it gives.
    pub output: OutputShape,
    /// `text-to-image` and its like.
    pub task: Option<String>,
    /// Seconds, typically.
    pub typical_seconds: Option<f64>,
}

impl Model {
    /// A model of which nothing is known.
    pub(crate) fn unknown(reference: ModelRef, preset: String, source: &Source) -> Self {
        Self {
            reference,
            preset,
            source: source.clone(),
            schema: None,
            fields: IndexMap::new(),
            validator: None,
            rules: Vec::new(),
            price: Vec::new(),
            defaults: IndexMap::new(),
            secrets: IndexMap::new(),
            routes: IndexMap::new(),
            output: OutputShape { kind: OutputKind::Json, many: false },
            task: None,
            typical_seconds: None,
        }
    }

    /// Every way in which a whole input does not fit: its schema first, else its rules.
    pub(crate) fn misfits(&self, input: &serde_json::Value) -> Vec<crate::field::Misfit> {
        let Some(validator) = self.validator.as_ref().filter(|v| !v.is_valid(input)) else {
            return Vec::new();
        };
        validator.iter_errors(input).map(|e| crate::field::misfit(&e, input)).collect()
    }

    /// The finding about a document that gives an input which only the environment fills.
    pub(crate) fn gives_secret(&self, input: &str, source: &Source, span: Span) -> Option<Diagnostic> {
        let secret = self.secrets.get(input)?;
        let message = format!("`{input}` is a secret, which no document gives");
        let finding = Diagnostic::error(Code::UnknownInput, source, span, message);
        let finding = finding.label(&self.source, secret.span, "declared here");
        Some(finding.hint(format!(
            "leave it out and set `{}` in the environment: it is filled in when the request is sent",
            secret.variable
        )))
    }

    /// True for `model:owner/name`: nothing is known of its inputs.
    pub(crate) fn is_raw(&self) -> bool {
        self.schema.is_none()
    }
}

/// Finds and compiles what steps call; each preset once.
#[derive(Debug)]
pub struct Callees<'a> {
    catalog: &'a Catalog,
    built: BTreeMap<String, Option<Arc<Callee>>>,
    /// Called workflows, by their documents.
    graphs: BTreeMap<Arc<str>, Option<Arc<Graph>>>,
    /// The documents of the workflows that are being checked, each called by the one before.
    open: Vec<Arc<str>>,
}

/// A workflow that another one calls.
#[derive(Debug)]
pub(crate) enum Entered {
    /// It was checked before; none is a broken one.
    Before(Option<Arc<Graph>>),
    /// It is to be checked now.
    Now,
}

impl<'a> Callees<'a> {
    /// For the presets of a catalog.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, built: BTreeMap::new(), graphs: BTreeMap::new(), open: Vec::new() }
    }

    /// The workflow that a document means, when it is none of a preset.
    pub fn workflow(&self, source: &Source, uses: &str) -> Option<Arc<Workflow>> {
        self.catalog.workflows.get(&self.catalog.key(source, uses)).cloned()
    }

    /// Begins with a workflow that another one calls. The documents on the way when it calls
    /// itself in the end.
    pub(crate) fn enter(&mut self, called: &Source, caller: &Source) -> Result<Entered, Vec<String>> {
        if let Some(graph) = self.graphs.get(&called.name) {
            return Ok(Entered::Before(graph.clone()));
        }
        if self.open.is_empty() {
            self.open.push(caller.name.clone());
        }
        if let Some(from) = self.open.iter().position(|open| *open == called.name) {
            return Err(self.open[from..].iter().chain([&called.name]).map(ToString::to_string).collect());
        }
        self.open.push(called.name.clone());
        Ok(Entered::Now)
    }

    /// Ends with a called workflow.
    pub(crate) fn leave(&mut self, called: &Source, graph: Option<Arc<Graph>>) {
        self.open.pop();
        self.graphs.insert(called.name.clone(), graph);
    }

    /// A raw model, unchecked.
    pub fn raw(
        &self,
        text: &str,
        source: &Source,
        span: Span,
        found: &mut Diagnostics,
    ) -> Option<Arc<Callee>> {
        let reference = text
            .parse::<ModelRef>()
            .map_err(|e| {
                found.push(
                    Diagnostic::error(Code::InvalidValue, source, span, e.to_string())
                        .hint("write `model:owner/name`"),
                );
            })
            .ok()?;
        let preset = format!("model:{text}");
        let model = Model::unknown(reference, preset, source);
        Some(Arc::new(Callee {
            uses: model.preset.clone(),
            name: model.preset.clone(),
            source: source.clone(),
            fields: IndexMap::new(),
            ports: IndexMap::new(),
            layers: Vec::new(),
            model,
            called: None,
        }))
    }

    /// Finds a preset and everything it extends. Findings are made once a preset.
    pub fn preset(
        &mut self,
        uses: &str,
        source: &Source,
        span: Span,
        templates: &mut Templates,
        found: &mut Diagnostics,
    ) -> Option<Arc<Callee>> {
        let key = self.catalog.key(source, uses);
        if let Some(built) = self.built.get(&key) {
            return built.clone();
        }
        let callee = self.build(uses, source, span, templates, found).map(Arc::new);
        self.built.insert(key, callee.clone());
        callee
    }

    fn build(
        &self,
        uses: &str,
        source: &Source,
        span: Span,
        templates: &mut Templates,
        found: &mut Diagnostics,
    ) -> Option<Callee> {
        let mut layers = Vec::new();
        let mut preset = self.find(uses, source, span, found)?;
        let outermost = preset.clone();
        let mut path = vec![preset.name.clone()];
        loop {
            match &preset.body {
                Body::Model(body) => {
                    let model = model(&preset, body, found)?;
                    check_layers(&layers, &model, found);
                    return Some(finish(uses, &outermost, layers, model));
                }
                Body::Derived(body) => {
                    let inputs = fields_of_inputs(&body.inputs, &preset.source, found);
                    layers.push(Layer {
                        source: preset.source.clone(),
                        inputs: body.inputs.clone(),
                        fields: inputs,
                        vars: Arc::new(bind_all(&body.vars, &preset.source, templates)),
                        with: bind_with(&body.with, &preset.source, templates),
                    });
                    let next = self.find(&body.extends.value, &preset.source, body.extends.span, found)?;
                    if path.contains(&next.name) {
                        path.push(next.name.clone());
                        found.push(Diagnostic::error(
                            Code::Cycle,
                            &preset.source,
                            body.extends.span,
                            format!("presets extend each other: {}", path.join(" -> ")),
                        ));
                        return None;
                    }
                    path.push(next.name.clone());
                    preset = next;
                }
            }
        }
    }

    fn find(&self, uses: &str, source: &Source, span: Span, found: &mut Diagnostics) -> Option<Arc<Preset>> {
        let key = self.catalog.key(source, uses);
        if let Some(preset) = self.catalog.found.get(&key) {
            return Some(preset.clone());
        }
        if !self.catalog.broken.contains(&key) {
            found.push(
                Diagnostic::error(Code::UnknownPreset, source, span, format!("there is no preset `{uses}`"))
                    .caret("no such preset")
                    .maybe_hint(did_you_mean("a preset", uses, self.catalog.known.iter().map(String::as_str)))
                    .maybe_hint(
                        (self.catalog.known.len() > 16
                            && castline_spec::diagnostic::nearest(
                                uses,
                                self.catalog.known.iter().map(String::as_str),
                            )
                            .is_none())
                        .then(|| "`castline preset list` shows all presets".to_owned()),
                    ),
            );
        }
        None
    }
}

fn model(preset: &Preset, body: &ModelPreset, found: &mut Diagnostics) -> Option<Model> {
    let source = &preset.source;
    let mut reference: ModelRef = body
        .model
        .value
        .parse()
        .map_err(|e: crate::model::BadModel| {
            found.push(Diagnostic::error(Code::InvalidValue, source, body.model.span, e.to_string()));
        })
        .ok()?;
    if let Some(version) = &body.version {
        reference.version.get_or_insert_with(|| version.value.clone());
    }
    let validator = compile(&body.input.value)
        .map_err(|why| {
            found.push(Diagnostic::error(
                Code::InvalidSchema,
                source,
                body.input.span,
                format!("`input` is not a JSON Schema: {why}"),
            ));
        })
        .ok()?;
    let rules = body
        .rules
        .iter()
        .filter_map(|rule| match compile(&rule.schema) {
            Ok(validator) => Some((rule.clone(), validator)),
            Err(why) => {
                found.push(Diagnostic::error(
                    Code::InvalidSchema,
                    source,
                    rule.span,
                    format!("the rule is not a JSON Schema: {why}"),
                ));
                None
            }
        })
        .collect();
    Some(Model {
        reference,
        preset: preset.name.clone(),
        source: source.clone(),
        fields: fields_of_schema(body, source, found),
        schema: Some(body.input.value.clone()),
        validator: Some(validator),
        rules,
        price: body.price.clone(),
        defaults: body.defaults.iter().map(|(k, v)| (k.clone(), Value::from_json(v.clone()))).collect(),
        secrets: body.secrets.clone(),
        routes: body.routes.clone(),
        output: (&body.output).into(),
        task: preset.task.clone(),
        typical_seconds: preset.typical_seconds,
    })
}

fn fields_of_schema(body: &ModelPreset, source: &Source, found: &mut Diagnostics) -> IndexMap<String, Field> {
    let schema = &body.input.value;
    let required: Vec<_> = schema
        .get("required")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(serde_json::Value::as_object);
    let mut fields = IndexMap::new();
    for (name, property) in properties.into_iter().flatten() {
        let span = body.property_spans.get(name).copied().unwrap_or(body.input.span);
        let given = body.defaults.contains_key(name);
        let property = with_definitions(property, schema);
        match Field::of_whole(&property, source, span, required.contains(&name.as_str()) && !given) {
            Ok(field) => drop(fields.insert(name.clone(), field)),
            Err(finding) => found.push(*finding),
        }
    }
    fields
}

/// A property on its own, with the definitions that it refers to.
fn with_definitions(property: &serde_json::Value, whole: &serde_json::Value) -> serde_json::Value {
    let mut property = property.clone();
    if let Some(map) = property.as_object_mut()
        && crate::types::has_reference(&serde_json::Value::Object(map.clone()))
    {
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = whole.get(key) {
                map.entry(key).or_insert_with(|| definitions.clone());
            }
        }
    }
    property
}

/// The fields that declared inputs are.
pub(crate) fn fields_of_inputs(
    inputs: &IndexMap<Name, Input>,
    source: &Source,
    found: &mut Diagnostics,
) -> IndexMap<String, Field> {
    let mut fields = IndexMap::new();
    for (name, input) in inputs {
        match Field::new(&input.schema.json, source, input.name_span, input.default.is_none()) {
            Ok(field) => drop(fields.insert(name.to_string(), field)),
            Err(finding) => found.push(*finding),
        }
    }
    fields
}

/// Compiles the templates of named bindings.
pub(crate) fn bind_all(
    bindings: &IndexMap<Name, Binding>,
    source: &Source,
    templates: &mut Templates,
) -> IndexMap<Name, Bound> {
    bindings.iter().map(|(name, b)| (name.clone(), templates.bind(&b.value, source))).collect()
}

/// Compiles the templates of a `with`.
pub(crate) fn bind_with(
    bindings: &IndexMap<String, Binding>,
    source: &Source,
    templates: &mut Templates,
) -> IndexMap<String, Bound> {
    bindings.iter().map(|(name, b)| (name.clone(), templates.bind(&b.value, source))).collect()
}

/// A derived preset reads its own inputs and vars, and no others.
fn check_names(layer: &Layer, found: &mut Diagnostics) {
    let bound = layer.with.values().chain(layer.vars.values());
    for reference in bound.flat_map(Bound::references) {
        let (what, name, known): (_, _, Vec<&str>) = match &reference.target {
            Target::Input(name, _) => ("input", name, layer.inputs.keys().map(Name::as_str).collect()),
            Target::Var(name) => ("var", name, layer.vars.keys().map(Name::as_str).collect()),
            _ => continue,
        };
        if !known.contains(&name.value.as_str()) {
            let message = format!("there is no {what} `{}` in this preset", name.value);
            let hint = did_you_mean(&format!("the {what}"), &name.value, known.iter().copied());
            let finding = Diagnostic::error(Code::UnknownName, &layer.source, name.span, message);
            found.push(finding.maybe_hint(hint));
        }
    }
}

/// A derived preset can only send what the next one takes.
fn check_layers(layers: &[Layer], model: &Model, found: &mut Diagnostics) {
    for (i, layer) in layers.iter().enumerate() {
        check_names(layer, found);
        let next = layers.get(i + 1).map_or(&model.fields, |l| &l.fields);
        for (name, bound) in &layer.with {
            if let Some(finding) = model.gives_secret(name, &layer.source, bound.span) {
                found.push(finding);
            } else if !next.contains_key(name) {
                found.push(
                    Diagnostic::error(
                        Code::UnknownInput,
                        &layer.source,
                        bound.span,
                        format!("`{}` has no input `{name}`", model.preset),
                    )
                    .maybe_hint(did_you_mean(
                        "an input",
                        name,
                        next.keys().map(String::as_str),
                    )),
                );
            }
        }
        for (name, field) in next.iter().filter(|(_, f)| f.required) {
            if !layer.with.contains_key(name) {
                found.push(
                    Diagnostic::of_file(
                        Code::MissingInput,
                        &layer.source,
                        format!("the preset gives no `{name}`, which `{}` needs", model.preset),
                    )
                    .label(&field.source, field.span, "declared here")
                    .hint(format!("add `{name}` under `with`")),
                );
            }
        }
    }
}

fn finish(uses: &str, outermost: &Preset, mut layers: Vec<Layer>, mut model: Model) -> Callee {
    // The outermost fields are what a step sees; they live in one place only.
    let fields = match layers.first_mut() {
        Some(layer) => std::mem::take(&mut layer.fields),
        None => std::mem::take(&mut model.fields),
    };
    Callee {
        uses: uses.to_owned(),
        name: outermost.name.clone(),
        source: outermost.source.clone(),
        fields,
        ports: outermost.ports.clone(),
        layers,
        model,
        called: None,
    }
}

impl Callee {
    /// The inputs of the model itself.
    pub(crate) fn model_fields(&self) -> &IndexMap<String, Field> {
        if self.layers.is_empty() { &self.fields } else { &self.model.fields }
    }

    /// The inputs of a layer.
    pub(crate) fn layer_fields(&self, layer: usize) -> &IndexMap<String, Field> {
        if layer == 0 { &self.fields } else { &self.layers[layer].fields }
    }

    /// The kind of media that comes out; none for text and JSON.
    pub fn gives(&self) -> Option<MediaKind> {
        self.model.output.kind.media()
    }
}
