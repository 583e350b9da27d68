//! What libraries can reach, and what a call of theirs may cost.
//!
//! A library names models and the variables that a model takes as secret inputs; no address. Which
//! host a model is asked at is the project's word, and whether a secret goes there is the user's:
//! both are shown here beside it.
//!
//! Start reading at [`audit`].

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_core::callee::{Callee, Callees, Catalog};
use castline_core::routing::Route;
use castline_core::templates::Templates;
use castline_spec::preset::PriceRule;
use castline_spec::workflow::Uses;
use castline_spec::{Diagnostics, Preset, Workflow};

use super::{Listed, list};
use crate::presets::OfLibrary;
use crate::project::Project;
use crate::trouble::Trouble;
use crate::wishes::Wishes;
use crate::{providers, secrets};

/// What one library can reach.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The library.
    pub library: Listed,
    /// The machine that it is fetched from; none for a place on this one.
    pub fetched_from: Option<String>,
    /// Every call of it.
    pub calls: Vec<Call>,
    /// What is wrong with it.
    pub found: Diagnostics,
}

/// A model that a preset of a library calls, or a step of one of its workflows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// `library/preset`, or `library/workflow: step`.
    pub from: String,
    /// `owner/name`, with a version where it says one.
    pub model: String,
    /// The provider that serves it in this project, and its host; none where nobody does, or
    /// where it never leaves this machine.
    pub provider: Option<(String, Option<String>)>,
    /// The environment variable with the provider's token, which goes to that host.
    pub token: Option<String>,
    /// The environment variables that the model takes as inputs, and whether the user lets them go.
    pub secrets: Vec<(String, bool)>,
    /// The prices that a call may have; empty when none is known.
    pub prices: Vec<String>,
}

/// Looks through every library of a project, or through one of them, as if its models were asked
/// where these wishes say.
pub fn audit(project: &Project, name: Option<&str>, wishes: &Wishes) -> Result<Vec<Audit>, Trouble> {
    let all = list(project)?;
    if let Some(name) = name.filter(|name| !all.iter().any(|library| library.name == **name)) {
        return Err(Trouble::usage(
            format!("the project has no library `{name}`"),
            "`castline library list` shows those that it has",
        ));
    }
    let wanted = all.into_iter().filter(|library| name.is_none_or(|name| library.name == name));
    wanted.map(|library| one(project, library, wishes)).collect()
}

fn one(project: &Project, library: Listed, wishes: &Wishes) -> Result<Audit, Trouble> {
    let OfLibrary { catalog, presets, workflows, found } = OfLibrary::load(project, &library.name);
    let routing = providers::routing(project, wishes)?;
    let mut calls = BTreeSet::new();
    let mut add = |from: String, callee: &Callee| {
        let model = &callee.model;
        let route = routing.of(model);
        let (host, token) = route.map(|route| reach(project, route)).unwrap_or_default();
        let allowed = |variable: &str| {
            route.is_some_and(|route| {
                secrets::may_go(&from, variable, model, &model.reference, &route.name, project).is_ok()
            })
        };
        let variables = model.secrets.values().map(|secret| secret.variable.clone());
        let secrets = variables.map(|variable| (variable.clone(), allowed(&variable))).collect();
        calls.insert(Call {
            model: model.reference.to_string(),
            provider: route.map(|route| (route.name.to_string(), host)),
            token,
            secrets,
            prices: model.price.iter().map(price).collect(),
            from,
        });
    };
    for preset in &presets {
        callee(&catalog, preset).into_iter().for_each(|callee| add(preset.name.clone(), &callee));
    }
    for (name, workflow) in &workflows {
        for (step, callee) in steps(&catalog, workflow) {
            add(format!("{name}: {step}"), &callee);
        }
    }
    let place = library.pin.as_ref().and_then(castline_library::Pin::place);
    let fetched_from = place.and_then(|place| place.host().map(str::to_owned));
    Ok(Audit { library, fetched_from, calls: calls.into_iter().collect(), found })
}

fn callee(catalog: &Catalog, preset: &Preset) -> Option<Arc<Callee>> {
    let mut callees = Callees::new(catalog);
    let (name, mut found) = (&preset.name, Diagnostics::default());
    callees.preset(
        name,
        &preset.source,
        castline_spec::Span::default(),
        &mut Templates::default(),
        &mut found,
    )
}

/// The models that the steps of a workflow call; those of the workflows that it calls stand there.
fn steps(catalog: &Catalog, workflow: &Workflow) -> Vec<(String, Arc<Callee>)> {
    let mut callees = Callees::new(catalog);
    let (mut templates, mut found) = (Templates::default(), Diagnostics::default());
    let mut all = Vec::new();
    for (name, step) in &workflow.steps {
        let (source, span) = (&workflow.source, step.uses.span);
        let callee = match &step.uses.value {
            Uses::Model(model) => callees.raw(model, source, span, &mut found),
            Uses::Preset(uses) | Uses::Path(uses) => {
                callees.preset(uses, source, span, &mut templates, &mut found)
            }
        };
        all.extend(callee.map(|callee| (name.to_string(), callee)));
    }
    all
}

/// The host of a provider and the variable with its token.
fn reach(project: &Project, route: &Route) -> (Option<String>, Option<String>) {
    let settings = providers::deciding_settings(project, route);
    let base = settings.get("base_url");
    let host = base.and_then(|base| castline_provider::http::host(base).ok());
    (host, settings.get("token_env").cloned())
}

fn price(rule: &PriceRule) -> String {
    match (rule.usd_max - rule.usd_min).abs() < f64::EPSILON {
        true => format!("{} USD/{}", rule.usd_max, rule.per),
        false => format!("{} to {} USD/{}", rule.usd_min, rule.usd_max, rule.per),
    }
}
