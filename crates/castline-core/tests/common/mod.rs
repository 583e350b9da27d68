//! A small world for tests of the core: presets from text, a ledger in memory, a driver that
//! makes a picture's description instead of a picture.

#![allow(dead_code, missing_docs, clippy::needless_pass_by_value)]

pub mod flows;
pub mod generated;
pub mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use castline_core::callee::Catalog;
use castline_core::event::Event;
use castline_core::files::{Files, Origin};
use castline_core::forecast::{Answer, Forecast, Known};
use castline_core::graph::Graph;
use castline_core::inputs::{Given, Inputs};
use castline_core::plan::{Choices, Plan};
use castline_core::request::{FailureKind, OutputShape, Request};
use castline_core::results::LegStatus;
use castline_core::routing::{Route, Routing, Serves};
use castline_core::run::{Effect, Input, Options, Outcome, Run};
use castline_core::{Artifact, Digest, Failure, Key, MediaType, MicroUsd, Output, Realm, Value};
use castline_spec::preset::OutputKind;
use castline_spec::{Diagnostics, Preset, Project, Source, Workflow};
use generated::PRESETS;
use indexmap::IndexMap;
use jiff::Timestamp;

/// The presets of the small world, read once in a thread.
pub fn catalog() -> Rc<Catalog> {
    thread_local!(static CATALOG: Rc<Catalog> = Rc::new(read_catalog()));
    CATALOG.with(Clone::clone)
}

fn read_catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (name, text) in PRESETS {
        let (preset, found) = Preset::parse(&Source::new(format!("presets/{name}.yaml"), *text));
        assert!(found.list.is_empty(), "{found:?}");
        catalog.found.insert((*name).to_owned(), Arc::new(preset.unwrap()));
        catalog.known.push((*name).to_owned());
    }
    catalog
}

pub fn check(text: &str) -> (Option<Graph>, Diagnostics) {
    let (workflow, mut found) = Workflow::parse(&Source::new("flow.yaml", text));
    let (graph, more) = Graph::check(&workflow.expect("a workflow"), &catalog());
    found.extend(more);
    found.sort();
    (graph.filter(|_| !found.has_errors()), found)
}

/// A workflow that may call another one as `./called.yaml`.
pub fn check_calling(text: &str, called: &str) -> (Option<Graph>, Diagnostics) {
    let (workflow, mut found) = Workflow::parse(&Source::new("flow.yaml", text));
    let (called, more) = Workflow::parse(&Source::new("called.yaml", called));
    found.extend(more);
    let (workflow, called) = (workflow.expect("a workflow"), Arc::new(called.expect("a workflow")));
    let presets = catalog();
    let catalog = Catalog {
        found: presets.found.clone(),
        workflows: [(presets.key(&workflow.source, "./called.yaml"), called)].into(),
        known: presets.known.clone(),
        ..Catalog::default()
    };
    let (graph, more) = Graph::check(&workflow, &catalog);
    found.extend(more);
    found.sort();
    (graph.filter(|_| !found.has_errors()), found)
}

/// `code line:column message` for each finding.
pub fn lines(found: &Diagnostics) -> String {
    let line = |d: &castline_spec::Diagnostic| {
        let place = d.span.map_or("-".to_owned(), |s| format!("{}:{}", s.start.line, s.start.column));
        let hint = d.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{} {place} {}{hint}", d.code.as_str(), d.message)
    };
    found.list.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub fn routing() -> Routing {
    let route = |name: &str| Route {
        name: name.into(),
        realm: Realm::Public,
        serves: Serves::Everything,
        bills: true,
        parallel: usize::MAX,
    };
    Routing { chosen: route("test"), std: route("std"), claims: vec![] }
}

pub fn plan(text: &str, given: &[(&str, serde_json::Value)]) -> Result<Arc<Plan>, String> {
    plan_in("", text, given)
}

/// In a project that says this.
pub fn plan_in(project: &str, text: &str, given: &[(&str, serde_json::Value)]) -> Result<Arc<Plan>, String> {
    let (project, found) = Project::parse(&Source::new("castline.yaml", project));
    let prices = project.ok_or_else(|| lines(&found))?.prices;
    let choices = Choices { run: "run1".to_owned(), prices, ..Choices::default() };
    plan_with(text, given, routing(), choices)
}

/// For these providers, and with what else was asked for.
pub fn plan_with(
    text: &str,
    given: &[(&str, serde_json::Value)],
    routing: Routing,
    choices: Choices,
) -> Result<Arc<Plan>, String> {
    let (graph, found) = check(text);
    plan_of(graph.ok_or_else(|| lines(&found))?, given, routing, choices)
}

/// Of a checked workflow.
pub fn plan_of(
    graph: Graph,
    given: &[(&str, serde_json::Value)],
    routing: Routing,
    choices: Choices,
) -> Result<Arc<Plan>, String> {
    let given: IndexMap<String, Given> = given
        .iter()
        .map(|(n, v)| ((*n).to_owned(), Given { value: v.clone(), from: Origin::CommandLine }))
        .collect();
    let files = Arc::new(Files::default());
    let inputs = Inputs::resolve(&graph, &given, &files, true);
    if inputs.found.has_errors() {
        return Err(lines(&inputs.found));
    }
    let (plan, found) = Plan::new(Arc::new(graph), &inputs, files, routing, choices);
    plan.map(Arc::new).ok_or_else(|| lines(&found))
}

/// What a provider knows and has made.
#[derive(Debug, Default, Clone)]
pub struct World {
    pub ledger: BTreeMap<Key, Output>,
    /// Every request that was created, by model and prompt.
    pub created: Vec<String>,
    /// Prompts whose predictions fail.
    pub failing: BTreeSet<String>,
    /// How often the predictions of a prompt fail because of the platform, before they do not.
    pub faults: BTreeMap<String, u32>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub events: Vec<Event>,
    pub statuses: BTreeMap<String, LegStatus>,
    pub outputs: IndexMap<String, serde_json::Value>,
    pub run: Run,
}

/// A forecast from what is known of keys.
pub fn forecast(plan: Arc<Plan>, mut know: impl FnMut(Key) -> Answer) -> Forecast {
    let mut forecast = Forecast::new(plan);
    loop {
        let asked = forecast.ask();
        if asked.is_empty() {
            return forecast;
        }
        asked.into_iter().for_each(|(leg, key)| forecast.answer(leg, know(key)));
    }
}

/// How each leg of a run stands, by its name.
pub fn statuses(run: &Run) -> BTreeMap<String, LegStatus> {
    let plan = run.plan();
    let status = |leg| Some((plan.leg_name(leg), run.results().get(leg)?.status));
    plan.order().into_iter().filter_map(status).collect()
}

/// The outputs of a run that is over, or why one has no value.
pub fn outputs(run: &Run) -> IndexMap<String, serde_json::Value> {
    let plain = |value: Result<Value, String>| {
        value.map_or_else(Into::into, |value| castline_core::plain::json(&value))
    };
    run.outputs().into_iter().map(|(name, value)| (name.to_string(), plain(value))).collect()
}

impl World {
    pub fn forecast(&self, plan: Arc<Plan>) -> Forecast {
        forecast(plan, |key| match self.ledger.get(&key) {
            Some(output) => Answer::Known(Known { output: output.clone(), prediction: None }),
            None => Answer::Unknown(None),
        })
    }

    /// Runs to the end, or until so many predictions have ended; which one ends next is
    /// picked by `pick` among those in flight.
    pub fn run(&mut self, plan: Arc<Plan>, stop_after: usize, mut pick: impl FnMut(usize) -> usize) -> Ended {
        let forecast = self.forecast(plan.clone());
        let before: BTreeSet<Key> = self.ledger.keys().copied().collect();
        assert!(!forecast.found.has_errors(), "{}", lines(&forecast.found));
        let options = Options {
            run: "run1".into(),
            castline_version: "0".into(),
            parallel: 3,
            fail_fast: false,
            free_but_for: None,
        };
        let mut run = Run::new(forecast, options);
        let mut events = Vec::new();
        let mut in_flight = Vec::new();
        let mut decision = run.handle(Input::Start, Timestamp::UNIX_EPOCH);
        let mut ended = 0;
        loop {
            events.append(&mut decision.events);
            let mut finished = false;
            for effect in decision.effects {
                match effect {
                    Effect::Ensure { leg, request } => {
                        assert!(!before.contains(&request.key), "what the forecast found is not created");
                        // Legs that turn out to be the same only on the way share what is there.
                        let there = self.ledger.get(&request.key).cloned();
                        in_flight.push((leg, request, there));
                    }
                    Effect::Finish => finished = true,
                    Effect::Save(_) | Effect::Cancel(_) | Effect::Abandon(_) => {}
                }
            }
            assert!(in_flight.len() <= 3, "never more in flight than allowed");
            if finished || in_flight.is_empty() || ended == stop_after {
                break;
            }
            let next = pick(in_flight.len()) % in_flight.len();
            let (leg, request, there) = in_flight.swap_remove(next);
            let outcome = match there {
                Some(output) => Outcome::Succeeded {
                    output,
                    reused: true,
                    prediction: None,
                    cost: Some(MicroUsd::ZERO),
                    predict_seconds: None,
                },
                None => self.predict(&request),
            };
            ended += 1;
            decision = run.handle(Input::Ended(leg, outcome), Timestamp::UNIX_EPOCH);
        }
        Ended { events, statuses: statuses(&run), outputs: outputs(&run), run }
    }

    fn predict(&mut self, request: &Request) -> Outcome {
        let prompt = request.input.get("prompt").and_then(Value::as_str).unwrap_or("").to_owned();
        self.created.push(format!("{} {prompt}", request.model));
        if self.failing.contains(&prompt) {
            return Outcome::Failed {
                status: LegStatus::Failed,
                failure: Failure::new(FailureKind::Moderation, "flagged"),
                prediction: None,
                cost: None,
            };
        }
        if let Some(left) = self.faults.get_mut(&prompt).filter(|left| **left > 0) {
            *left -= 1;
            return Outcome::Failed {
                status: LegStatus::Failed,
                failure: Failure::new(FailureKind::Platform, "Director: unexpected error (E9828)"),
                prediction: None,
                cost: request.price,
            };
        }
        assert!(!self.ledger.contains_key(&request.key), "nothing is created twice");
        let output = picture(request.output, &request.key.to_string(), 1);
        self.ledger.insert(request.key, output.clone());
        Outcome::Succeeded {
            output,
            reused: false,
            prediction: None,
            cost: Some(request.price.unwrap_or(MicroUsd::ZERO)),
            predict_seconds: None,
        }
    }
}

/// An output that depends on its name alone: so many pictures, where one prediction gives several.
pub fn picture(shape: OutputShape, name: &str, count: usize) -> Output {
    if shape.kind == OutputKind::Text {
        return Output { raw: Value::String(format!("text {name}")).into() };
    }
    let media_type = match shape.kind {
        OutputKind::Video => "video/mp4",
        OutputKind::Audio => "audio/wav",
        _ => "image/png",
    };
    let picture = |number: usize| {
        let of = if number == 0 { name.to_owned() } else { format!("{name} {number}") };
        Value::Media(Artifact {
            digest: Digest::of(of.as_bytes()),
            media_type: MediaType::new(media_type),
            bytes: 1,
            width: Some(8),
            height: Some(8),
        })
    };
    let raw = if shape.many { Value::List((0..count).map(picture).collect()) } else { picture(0) };
    Output { raw: raw.into() }
}
