//! Secrets of presets: read from the environment before anything is created, where the user allows it.
//!
//! A secret may go to a model, and to whoever runs that model there: a file of the project chooses the
//! provider, so that its host is asked about as well. The sandbox is never given one.
//!
//! Start reading at [`of_steps`].

use std::collections::BTreeMap;
use std::sync::Arc;

use castline_core::callee::Model;
use castline_core::forecast::{Fate, Forecast};
use castline_core::routing::Route;
use castline_core::{ModelRef, ProviderName, Realm};
use castline_provider::Secrets;
use castline_provider::http::Token;
use castline_spec::preset::Secret;

use crate::job::Job;
use crate::project::Project;
use crate::providers;
use crate::trouble::Trouble;
use crate::trust::{self, Pair, Target};

impl Job {
    /// Refuses, before anybody is asked and anything is created, what needs a secret that is not
    /// there or may not go there.
    pub fn check_secrets(&self) -> Result<(), Trouble> {
        let Some(forecast) = &self.forecast else { return Ok(()) };
        of_steps(forecast, &self.project).map(drop)
    }

    /// The environment variables whose values no line may show.
    pub fn secret_variables(&self) -> Vec<String> {
        let steps = self.graph.iter().flat_map(|graph| graph.predicting());
        let secrets = steps.flat_map(|(_, step)| step.callee.model.secrets.values());
        secrets.map(|secret| secret.variable.clone()).collect()
    }
}

/// The secrets of every step that will ask a live provider, by the step's number.
pub(crate) fn of_steps(
    forecast: &Forecast,
    project: &Project,
) -> Result<BTreeMap<usize, Arc<Secrets>>, Trouble> {
    let mut all = BTreeMap::new();
    for (number, step) in forecast.plan.graph.predicting() {
        let model = &step.callee.model;
        if model.secrets.is_empty() || !asks(forecast, number) {
            continue;
        }
        let Ok((route, reference)) = forecast.plan.route(step) else { continue };
        if is_live(route) {
            let what = format!("step `{}`", step.name);
            all.insert(number, Arc::new(of_model(&what, model, &reference, &route.name, project)?));
        }
    }
    Ok(all)
}

/// True when a leg of a step may be sent.
fn asks(forecast: &Forecast, step: usize) -> bool {
    let plan = &forecast.plan;
    let runs = |fate: &Fate| matches!(fate, Fate::Run(..) | Fate::Same(..) | Fate::Upstream);
    plan.legs.known(step).is_none() || plan.legs.of_step(step).any(|leg| runs(forecast.fate(leg)))
}

/// True where a request leaves castline.
fn is_live(route: &Route) -> bool {
    !matches!(route.realm, Realm::Sandbox(_) | Realm::Std(_))
}

fn of_model(
    what: &str,
    model: &Model,
    reference: &ModelRef,
    provider: &ProviderName,
    project: &Project,
) -> Result<Secrets, Trouble> {
    let mut secrets = Secrets::default();
    for (field, secret) in &model.secrets {
        let may_go = || may_go(what, &secret.variable, model, reference, provider, project);
        let value = std::env::var(&secret.variable).ok().filter(|value| !value.trim().is_empty());
        let value = match (value, secret.required) {
            (Some(value), true) => {
                may_go()?;
                value
            }
            // Many have it set for something else: without a word of theirs it stays here.
            (Some(value), false) if may_go().is_ok() => value,
            (_, false) => continue,
            (None, true) => return Err(missing(what, model, field, secret)),
        };
        let token = Token::new(&value).map_err(|e| {
            let (variable, hint) = (&secret.variable, format!("export {}=...", secret.variable));
            Trouble::usage(format!("`{variable}`: {e}"), hint)
        })?;
        secrets.put(field, token);
    }
    Ok(secrets)
}

fn missing(what: &str, model: &Model, field: &str, secret: &Secret) -> Trouble {
    let (variable, preset) = (&secret.variable, &model.preset);
    Trouble::usage(
        format!(
            "{what} needs the environment variable `{variable}`, the `{field}` of `{preset}`, which is not set"
        ),
        format!("export {variable}=..., or run on the sandbox with `--provider sandbox`"),
    )
}

/// Refuses a secret that may not go to a model, or to the host where the project asks that. A version
/// alone decides what runs, whatever name stands before it, and so does a deployment: each has to be
/// allowed by itself.
pub(crate) fn may_go(
    what: &str,
    variable: &str,
    model: &Model,
    reference: &ModelRef,
    provider: &ProviderName,
    project: &Project,
) -> Result<(), Trouble> {
    let deployment = model.routes.get(&*provider.0).and_then(|route| route.deployment.as_ref());
    for to in [Some(Target::model(reference)), deployment.map(|named| Target::Model(named.value.clone()))] {
        let Some(to) = to else { continue };
        trust::check(what, &Pair { variable: variable.to_owned(), to })?;
    }
    match providers::own_host(project, &provider.0) {
        Some(base_url) => {
            let host = Pair::for_base_url(variable, &base_url);
            let host =
                host.map_err(|e| Trouble::usage(format!("provider `{provider}`: {e}"), "correct it"))?;
            trust::check(what, &host)
        }
        None => Ok(()),
    }
}
