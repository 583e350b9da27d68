//! JSON Schemas of the documents, for editors.
//!
//! The structs here mirror the documents for `schemars` alone; nothing is ever read into them.
//! Reading, with its findings, is the work of `workflow`, `preset`, `project` and `library`, and a test holds
//! the keys equal. What only reading can know (templates, references) no schema says.
//!
//! Start reading at [`workflow`]; [`workflow_with`] knows the presets besides.

// The fields are there for their names, types and descriptions.
#![allow(dead_code)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

mod completed;

pub use completed::{Known, workflow_with};

/// The schema of a workflow.
pub fn workflow() -> Value {
    schema_of::<Workflow>()
}

/// The schema of a preset.
pub fn preset() -> Value {
    schema_of::<Preset>()
}

/// The schema of a project.
pub fn project() -> Value {
    schema_of::<Project>()
}

/// The schema of a library's document.
pub fn library() -> Value {
    schema_of::<Library>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// `Option` says that a key may be absent; schemars takes it for a value that may be null.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(map) => {
            map.values_mut().for_each(without_null);
            without_null_type(map);
            without_null_alternative(map);
        }
        _ => {}
    }
}

/// `[string, null]` is `string`.
fn without_null_type(schema: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = schema.get_mut("type") else { return };
    types.retain(|name| name != "null");
    if let [one] = types.as_slice() {
        let one = one.clone();
        schema.insert("type".into(), one);
    }
}

/// One alternative that is left stands for itself.
fn without_null_alternative(schema: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") else { return };
    alternatives.retain(|one| one.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(one)] = alternatives.as_slice() {
        let one = one.clone();
        schema.remove("anyOf");
        schema.extend(one);
    }
}

/// A workflow: steps that call models, and what goes from one into the next.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Workflow {
    /// The version of the language; 1 when absent.
    #[schemars(range(min = 1, max = 1))]
    castline: Option<u32>,
    /// What the workflow is called; the name of its file when absent.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_.-]*$"))]
    name: Option<String>,
    /// What it is for, for people.
    description: Option<String>,
    /// What a run is given: a JSON Schema for each name. Required unless it has a default.
    #[schemars(extend("propertyNames" = names()))]
    inputs: Option<BTreeMap<String, AnySchema>>,
    /// Named expressions over `inputs`, `steps`, `each`, `index` and other vars.
    #[schemars(extend("propertyNames" = names()))]
    vars: Option<BTreeMap<String, Value>>,
    /// The steps. What each waits for follows from what it refers to, not from the order here.
    #[schemars(extend("propertyNames" = names(), "minProperties" = 1))]
    steps: BTreeMap<String, Step>,
    /// What a run yields: a template for each name. Without it, every step that nothing uses.
    #[schemars(extend("propertyNames" = names()))]
    outputs: Option<BTreeMap<String, Value>>,
}

/// One step: a preset with its inputs.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Step {
    /// What it calls: a preset, `library/name`, a preset's or workflow's `./x.yaml`, or `model:owner/name`.
    uses: String,
    /// The model's inputs under its own field names. Strings are templates; what is none is left out.
    with: Option<BTreeMap<String, Value>>,
    /// Pipes media in: a step, a list of steps, or a map of ports to steps; `x.all` is all legs of x.
    from: Option<From>,
    /// Axes that the step is run over: a list or a template for each name.
    #[schemars(extend("propertyNames" = names()))]
    each: Option<BTreeMap<String, Axis>>,
    /// Drops combinations of axes: those that it does not hold for have no leg.
    r#where: Option<Condition>,
    /// An expression; the leg is skipped when it is false. The braces may be left out.
    r#if: Option<Condition>,
    /// Steps to wait for that no value comes from.
    after: Option<OneOrList>,
    /// A JSON Schema: the step's text is parsed as JSON, checked, and offered as `steps.x.json`.
    json: Option<AnySchema>,
    /// One more ingredient of the request: another draw from the same words.
    draw: Option<Value>,
    /// How often a failed prediction is created again. Each one is paid.
    retry: Option<Retry>,
    /// How long one prediction may run: `30s`, `10m`, `1h30m`, or seconds; 30 minutes when absent.
    timeout: Option<DurationText>,
    /// `false` for a draw that is new in every run.
    cache: Option<bool>,
    /// What a failure means: `stop` (dependents are not run) or `skip` (it is absent for readers).
    on_error: Option<OnError>,
    /// A path for the files under `<out>/<workflow>/`. The extension may be left out.
    save: Option<String>,
    /// The axes that the step has, for readers to rely on.
    legs: Option<Vec<String>>,
    /// The version of the model, for this step.
    version: Option<String>,
    /// What the step is for, for people.
    description: Option<String>,
}

/// How often a failed prediction is created again.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Retry {
    /// How many further times.
    times: u32,
    /// For which failures; `platform` alone when absent.
    on: Option<Failures>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Failures {
    One(Failure),
    Several(Vec<Failure>),
}

/// Why a prediction failed.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Failure {
    /// The model or host refused the content.
    Moderation,
    /// The host's own fault.
    Platform,
    /// The input was not acceptable.
    Input,
    /// A deadline passed.
    Timeout,
    /// The output is empty, broken, gone or does not match.
    Output,
    /// Paid, and the outputs can no longer be had.
    Expired,
    /// Anything else.
    Other,
}

/// What a failure means.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnError {
    /// Dependents are not run; independent branches go on.
    Stop,
    /// The failure is absent for readers and not the run's failure.
    Skip,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum From {
    Steps(OneOrList),
    Ports(BTreeMap<String, OneOrList>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrList {
    One(String),
    Several(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Axis {
    /// The values themselves.
    List(Vec<Value>),
    /// One `{{ expression }}` that gives a list.
    Template(String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Condition {
    Expression(String),
    Literal(bool),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum DurationText {
    Text(String),
    Seconds(f64),
}

/// A preset: a model with its inputs, ports and price, or a simpler face of another preset.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Preset {
    /// The version of the language; 1 when absent.
    #[schemars(range(min = 1, max = 1))]
    castline: Option<u32>,
    /// What the preset is called; the name of its file when absent.
    name: Option<String>,
    /// What it does, for people.
    description: Option<String>,
    /// What it is for: `text-to-image`, `image-edit`, ...
    task: Option<String>,
    /// What it calls: `owner/name`, or `owner/name:version` for a community model.
    model: Option<String>,
    /// The version of a community model; `latest` is asked for once and then pinned.
    version: Option<String>,
    /// A JSON Schema of what the model takes, with its own field names.
    input: Option<AnySchema>,
    /// What the model gives.
    output: Option<Output>,
    /// Which fields take piped media or text.
    #[schemars(extend("propertyNames" = one_of(crate::preset::PORTS)))]
    ports: Option<BTreeMap<String, Port>>,
    /// What the host checks too late.
    rules: Option<Vec<Rule>>,
    /// What it costs; several prices hold where their `if` does.
    price: Option<Prices>,
    /// Inputs that no step gives: each is filled from an environment variable when the request is sent.
    secrets: Option<BTreeMap<String, String>>,
    /// Inputs that are sent unless the step says otherwise.
    defaults: Option<BTreeMap<String, Value>>,
    /// The built-in providers that serve it, and where they differ.
    #[schemars(extend("propertyNames" = one_of(crate::preset::ROUTES)))]
    routes: Option<BTreeMap<String, Route>>,
    /// How long it usually takes, for plans and for ordering only.
    typical_seconds: Option<f64>,
    /// When the schema was taken.
    schema_as_of: Option<String>,
    /// How sure it is that the host takes what stands here; `high` when absent.
    confidence: Option<Confidence>,
    /// Inputs to try it with.
    examples: Option<Vec<Example>>,
    /// Another preset, that this one is a simpler face of.
    extends: Option<String>,
    /// The inputs of a derived preset: a JSON Schema for each name.
    inputs: Option<BTreeMap<String, AnySchema>>,
    /// Named expressions over the inputs of a derived preset.
    vars: Option<BTreeMap<String, Value>>,
    /// The inputs of the preset that is extended, over `inputs` and `vars`.
    with: Option<BTreeMap<String, Value>>,
}

/// How sure a preset is.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Confidence {
    /// Taken from the host's own schema.
    High,
    /// Pieced together: from an older copy, or from less than a whole schema.
    Medium,
}

/// What a model gives.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    /// Of which kind.
    r#type: OutputKind,
    /// True when several files are usual.
    many: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OutputKind {
    Image,
    Video,
    Audio,
    File,
    Text,
    Json,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Port {
    /// The field.
    Field(String),
    /// The field and more.
    More(PortDetails),
}

/// A port of which more is known than its field.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PortDetails {
    /// The field of the model.
    field: String,
    /// Which color of a mask is painted anew.
    repaint: Option<Repaint>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Repaint {
    White,
    Black,
}

/// What inputs must be together.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Rule {
    /// What to tell the user.
    message: String,
    /// What the inputs must match.
    schema: AnySchema,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Prices {
    One(Price),
    Several(Vec<Price>),
}

/// What a model costs for each unit of something.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Price {
    /// USD for one unit, or the least and the most.
    usd: Usd,
    /// The unit: `image`, `run`, `second`, `megapixel`, `input-megapixel`, `kilotoken`, ...
    per: String,
    /// It holds for these inputs: an expression over `input`.
    r#if: Option<Condition>,
    /// How many units: an expression over `input`.
    quantity: Option<Quantity>,
    /// USD for each run besides.
    per_run_usd: Option<f64>,
    /// When the price was read, `2026-01`.
    as_of: Option<String>,
    /// Where it was read.
    source: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Usd {
    Exactly(f64),
    Between([f64; 2]),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Quantity {
    Expression(String),
    Literal(f64),
}

/// How a built-in provider serves a preset.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Route {
    /// Its own price.
    price: Option<Prices>,
    /// `owner/name` of a deployment that runs it there, instead of the public model.
    deployment: Option<String>,
}

/// Inputs to try a preset with.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Example {
    /// What it shows, for people.
    description: Option<String>,
    /// The inputs.
    with: BTreeMap<String, Value>,
}

/// A project: what holds for all workflows below its folder.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Project {
    /// The version of the language; 1 when absent.
    #[schemars(range(min = 1, max = 1))]
    castline: Option<u32>,
    /// The provider that runs use unless told otherwise; `sandbox` when absent.
    provider: Option<String>,
    /// Providers of your own.
    providers: Option<BTreeMap<String, Provider>>,
    /// Libraries of presets and workflows, by the names that they give themselves.
    #[schemars(extend("propertyNames" = library_names()))]
    libraries: Option<BTreeMap<String, Place>>,
    /// What a run may cost and how much it may do at once.
    limits: Option<Limits>,
    /// Your own prices, by preset or model; they win over a preset's.
    prices: Option<BTreeMap<String, Prices>>,
    /// How the stand-in models behave.
    sandbox: Option<Sandbox>,
    /// The folder of outputs; `out` when absent.
    out: Option<String>,
    /// The folder of the ledger and of artifacts; `.castline` when absent.
    store: Option<String>,
    /// What to do about a create of which nobody can tell whether it was received; `ask` when absent.
    when_lost: Option<WhenLost>,
}

/// A library: presets and workflows that others use by its name.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Library {
    /// The version of the language; 1 when absent.
    #[schemars(range(min = 1, max = 1))]
    castline: Option<u32>,
    /// What its presets and workflows are called by: `name/preset`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_.-]*$"))]
    name: String,
    /// Its version, for people.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._+-]+$"))]
    version: String,
    /// What it is for, for people.
    description: Option<String>,
    /// The licence of its files, for people.
    licence: Option<String>,
    /// Libraries that its own documents use.
    #[schemars(extend("propertyNames" = library_names()))]
    libraries: Option<BTreeMap<String, Place>>,
}

/// Where a library comes from: one of `path`, `git` and `oci`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["path"]}, {"required": ["git"]}, {"required": ["oci"]}]))]
#[schemars(extend("dependentRequired" = {"rev": ["git"], "folder": ["git"]}))]
struct Place {
    /// A folder, relative to this document.
    #[schemars(regex(pattern = r"^(\./|\.\./|/)"))]
    path: Option<String>,
    /// A git repository: `https://`, `ssh://`, `file://`, `user@host:path` or a path.
    git: Option<String>,
    /// A tag, a branch or a commit of it.
    rev: Option<String>,
    /// A folder in it.
    folder: Option<String>,
    /// A registry: `host/name:tag` or `host/name@sha256:...`.
    oci: Option<String>,
}

/// A provider of your own.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Provider {
    /// Which dialect it speaks.
    kind: ProviderKind,
    /// Where it is, `/v1` included where it has that.
    base_url: String,
    /// The environment variable that holds the token.
    token_env: Option<String>,
    /// Models that it serves whatever the provider of the run.
    models: Option<Vec<String>>,
    /// Most predictions in flight; 1 at a Cog server when absent.
    parallel: Option<u32>,
    /// `public` shares results with the public providers.
    realm: Option<Realm>,
    /// How often it may be called.
    rate: Option<Rate>,
    /// How it takes files that are too large for a request; `files` when absent.
    upload: Option<Upload>,
    /// `false` where its list of predictions is not to be relied on: a lost create is in doubt then.
    list: Option<bool>,
    /// How long a prediction may be missing from its list; 60s when absent.
    list_lag: Option<DurationText>,
    /// `host:port` where a Cog server reaches castline; without it requests block until they are done.
    webhook: Option<String>,
}

/// What to do about a create of which nobody can tell whether it was received.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum WhenLost {
    /// It is in doubt until a person decides.
    Ask,
    /// It is created again, and the first counts as spent.
    Retry,
}

/// How often a provider may be called.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Rate {
    /// Creates: `600/min`, `10/s`.
    create: Option<String>,
    /// Other calls: `3000/min`.
    read: Option<String>,
}

/// How files that are too large for a request reach a provider.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Upload {
    /// Uploaded to the provider's files.
    Files,
    /// Inside the request only.
    DataUri,
}

/// Which dialect of the prediction API a provider speaks.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum ProviderKind {
    /// Replicate, or anything with its routes.
    Replicate,
    /// CometAPI: create and query only.
    CometApi,
    /// A self-hosted Cog server.
    Cog,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Realm {
    Public,
}

/// What a run may cost and how much it may do at once.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Limits {
    /// The most that a run may cost, in USD; 5.00 on a live provider when absent.
    budget_usd: Option<f64>,
    /// The most that all runs may cost in any 24 hours, in USD.
    budget_usd_per_day: Option<f64>,
    /// Most predictions in flight; 16 when absent.
    parallel: Option<u32>,
    /// USD above which a live run asks first, 1.00 at most; 1.00 when absent.
    confirm_above_usd: Option<f64>,
}

/// How the stand-in models behave.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Sandbox {
    /// `realistic` waits as long as a preset usually takes; `none`, as when absent, does not.
    latency: Option<Latency>,
    /// For a model, or `*`: the error that its predictions end with.
    fail: Option<BTreeMap<String, String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Latency {
    Realistic,
    None,
}

/// The types of JSON Schema and those that castline adds.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum TypeName {
    String,
    Number,
    Integer,
    Boolean,
    Array,
    Object,
    Null,
    /// A still picture.
    Image,
    /// A moving picture.
    Video,
    /// Sound.
    Audio,
    /// Any file.
    File,
}

/// A JSON Schema, written by hand: its own keywords are open, and `type` knows media.
struct AnySchema(Value);

impl JsonSchema for AnySchema {
    fn schema_name() -> Cow<'static, str> {
        "Schema".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<TypeName>();
        json_schema!({
            "description": "A JSON Schema (2020-12); `type` may also be `image`, `video`, `audio` or `file`.",
            "type": ["object", "boolean"],
            "properties": {
                "type": {
                    "description": "The type, or several that will do.",
                    "anyOf": [name, { "type": "array", "items": name }]
                },
                "description": { "description": "What it is, for people.", "type": "string" },
                "properties": { "description": "The keys of a map, a schema for each.", "type": "object" },
                "required": {
                    "description": "The keys that have to be there.",
                    "type": "array",
                    "items": { "type": "string" }
                },
                "enum": { "description": "The values that will do.", "type": "array" },
                "default": { "description": "The value where none is given." }
            }
        })
    }
}

/// What steps, inputs, vars, axes and outputs are called.
fn names() -> Value {
    json!({ "pattern": "^[a-z][a-z0-9_]*$" })
}

fn library_names() -> Value {
    json!({ "pattern": "^[a-z0-9][a-z0-9_.-]*$", "not": { "enum": ["std", "model"] } })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{library, preset, project, workflow};

    fn keys(schema: &Value, name: Option<&str>) -> BTreeSet<String> {
        let schema = name.map_or(schema, |name| &schema["$defs"][name]);
        schema["properties"].as_object().unwrap_or_else(|| panic!("{name:?}")).keys().cloned().collect()
    }

    #[test]
    fn the_schemas_have_the_keys_that_are_read() {
        let (flow, pre) = (super::workflow(), super::preset());
        let (pro, lib) = (super::project(), super::library());
        let table: &[(&Value, Option<&str>, &[&str])] = &[
            (&flow, None, workflow::KEYS),
            (&flow, Some("Step"), workflow::STEP_KEYS),
            (&flow, Some("Retry"), workflow::RETRY_KEYS),
            (&pre, None, preset::KEYS),
            (&pre, Some("Output"), preset::OUTPUT_KEYS),
            (&pre, Some("PortDetails"), preset::PORT_KEYS),
            (&pre, Some("Rule"), preset::RULE_KEYS),
            (&pre, Some("Price"), preset::PRICE_KEYS),
            (&pre, Some("Route"), preset::ROUTE_KEYS),
            (&pre, Some("Example"), preset::EXAMPLE_KEYS),
            (&pro, None, project::KEYS),
            (&pro, Some("Provider"), project::PROVIDER_KEYS),
            (&pro, Some("Limits"), project::LIMITS_KEYS),
            (&pro, Some("Sandbox"), project::SANDBOX_KEYS),
            (&pro, Some("Place"), library::PLACE_KEYS),
            (&lib, None, library::KEYS),
        ];
        for (schema, name, read) in table {
            let read: BTreeSet<String> = read.iter().map(ToString::to_string).collect();
            assert_eq!(keys(schema, *name), read, "{name:?}");
        }
    }

    #[test]
    fn every_key_has_a_description() {
        for schema in [super::workflow(), super::preset(), super::project(), super::library()] {
            let described = schema["properties"].as_object().unwrap().iter();
            described.for_each(|(key, value)| assert!(value["description"].is_string(), "{key} {value}"));
        }
    }

    #[test]
    fn the_words_of_the_schemas_are_the_words_that_are_read() {
        let words = |schema: &Value| -> BTreeSet<String> {
            let one = |value: &Value| value.as_str().unwrap().to_owned();
            let listed = schema["enum"].as_array().into_iter().flatten().map(one);
            let described = schema["oneOf"].as_array().into_iter().flatten();
            listed.chain(described.map(|alternative| one(&alternative["const"]))).collect()
        };
        let failures: BTreeSet<_> = workflow::FailureKind::ALL.iter().map(|(w, _)| (*w).to_owned()).collect();
        assert_eq!(words(&super::workflow()["$defs"]["Failure"]), failures);
        let outputs: BTreeSet<_> = preset::OutputKind::ALL.iter().map(|(w, _)| (*w).to_owned()).collect();
        assert_eq!(words(&super::preset()["$defs"]["OutputKind"]), outputs);
    }

    #[test]
    fn the_schema_of_a_step_is_what_an_editor_expects() {
        let step = &super::workflow()["$defs"]["Step"];
        assert_eq!(step["additionalProperties"], json!(false));
        assert_eq!(step["required"], json!(["uses"]));
        insta::assert_snapshot!(serde_json::to_string_pretty(&json!({
            "cache": step["properties"]["cache"],
            "each": step["properties"]["each"],
            "retry": step["properties"]["retry"],
            "from": super::workflow()["$defs"]["From"],
        })).unwrap(), @r##"
        {
          "cache": {
            "type": "boolean",
            "description": "`false` for a draw that is new in every run."
          },
          "each": {
            "type": "object",
            "additionalProperties": {
              "$ref": "#/$defs/Axis"
            },
            "description": "Axes that the step is run over: a list or a template for each name.",
            "propertyNames": {
              "pattern": "^[a-z][a-z0-9_]*$"
            }
          },
          "retry": {
            "description": "How often a failed prediction is created again. Each one is paid.",
            "$ref": "#/$defs/Retry"
          },
          "from": {
            "anyOf": [
              {
                "$ref": "#/$defs/OneOrList"
              },
              {
                "type": "object",
                "additionalProperties": {
                  "$ref": "#/$defs/OneOrList"
                }
              }
            ]
          }
        }
        "##);
    }
}
