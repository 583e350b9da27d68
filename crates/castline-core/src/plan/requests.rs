//! The requests of a step: what those of all legs have in common, and how one is made of it.
//!
//! It is found out once for many legs: who runs the model, at what price, and what is sent
//! besides that which the step gives.

use std::cell::OnceCell;
use std::sync::Arc;

use castline_spec::Diagnostic;
use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};

use super::Plan;
use super::resolve::Ready;
use crate::field::Field;
use crate::graph::Step;
use crate::key::Ingredients;
use crate::model::{ModelRef, Realm};
use crate::money::MicroUsd;
use crate::price::{Asked, Estimate, Rules};
use crate::request::Request;
use crate::routing::Route;
use crate::value::Value;

/// What the requests of all legs of a step have in common.
pub(super) struct Requests<'p> {
    pub step: &'p Step,
    /// Who runs it; else why nobody does.
    pub route: Result<Destination<'p>, Box<Diagnostic>>,
    /// The field of a seed that castline makes where the step gives none.
    seed: Option<&'p Field>,
    /// The seed without a draw.
    usual_seed: OnceCell<i64>,
}

/// Where requests go.
pub(super) struct Destination<'p> {
    route: &'p Route,
    model: ModelRef,
    deployment: Option<String>,
    /// None where everything is free.
    rules: Option<Rules<'p>>,
    /// What the draw ends with.
    mark: Option<Value>,
}

impl<'p> Requests<'p> {
    pub(super) fn of(plan: &'p Plan, step: &'p Step) -> Self {
        let field = step.callee.model_fields().get("seed");
        Self {
            step,
            route: plan.route(step).map(|(route, model)| Destination::of(plan, step, route, model)),
            seed: field.filter(|field| field.types().contains(&"integer")),
            usual_seed: OnceCell::new(),
        }
    }

    /// Adds what is sent unless the step says otherwise.
    pub(super) fn complete(&self, input: &mut IndexMap<String, Value>, draw: &[Value]) {
        for (name, value) in &self.step.callee.model.defaults {
            if !input.contains_key(name) {
                input.insert(name.clone(), value.clone());
            }
        }
        if let Some(field) = self.seed.filter(|_| !input.contains_key("seed")) {
            let seed = match draw {
                [] => *self.usual_seed.get_or_init(|| seed(&[], field)),
                draw => seed(draw, field),
            };
            input.insert("seed".to_owned(), Value::Number(seed.into()));
        }
        input.retain(|_, value| !value.is_null());
    }

    /// The request with its key and its price.
    pub(super) fn ready(
        &self,
        to: &Destination<'p>,
        input: IndexMap<String, Value>,
        mut draw: Vec<Value>,
    ) -> Ready {
        let (step, route) = (self.step, to.route);
        let asked = Asked::of(&input, step.callee.model_fields());
        let estimate = match &to.rules {
            Some(rules) => rules.estimate(asked),
            None => Some(Estimate::NOTHING),
        };
        draw.extend(to.mark.clone());
        let key = Ingredients { realm: &route.realm, model: &to.model, input: &input, draw: &draw }.key();
        let request = Request {
            key,
            realm: route.realm.clone(),
            provider: route.name.clone(),
            model: to.model.clone(),
            deployment: to.deployment.clone(),
            input: Arc::new(input),
            draw,
            output: step.callee.model.output,
            price: if route.bills { estimate.map(|e| e.max) } else { Some(MicroUsd::ZERO) },
            timeout: step.timeout,
        };
        Ready { request: Arc::new(request), estimate, bills: route.bills }
    }
}

impl<'p> Destination<'p> {
    fn of(plan: &'p Plan, step: &'p Step, route: &'p Route, reference: ModelRef) -> Self {
        // Where versions do not matter, an unknown one is no ingredient.
        let model = ModelRef { version: reference.version_id().map(str::to_owned), ..reference };
        let rules = (!plan.is_free(&step.callee, route))
            .then(|| Rules::of(plan.price_rules(&step.callee, &route.name).rules));
        let own = step.callee.model.routes.get(&*route.name.0);
        // No model is told the schema of its text, but the stand-in writes by it.
        let mark = match (&route.realm, &step.json) {
            (Realm::Sandbox(_), Some(json)) => Some(Value::String(format!("json {}", json.digest()))),
            _ => None,
        };
        let deployment = own.and_then(|own| Some(own.deployment.as_ref()?.value.clone()));
        Self { route, model, deployment, rules, mark }
    }
}

/// 31 bits of a hash of the draw alone, folded into the schema's bounds.
fn seed(draw: &[Value], field: &Field) -> i64 {
    let canonical = serde_json_canonicalizer::to_vec(&draw).expect("a draw is plain data");
    let hash = Sha256::digest(&canonical);
    let bits = i64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1);
    let bound = |key: &str| field.schema.get(key).and_then(serde_json::Value::as_i64);
    let (low, high) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(i64::from(i32::MAX)));
    if high <= low {
        return low;
    }
    match (high - low).checked_add(1) {
        Some(width) => low + bits.rem_euclid(width),
        None => bits,
    }
}
