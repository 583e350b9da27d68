//! What templates see at a place on the axes: of the workflow itself, and of those that it calls.

use std::sync::Arc;

use castline_spec::Name;
use indexmap::IndexMap;

use super::fit::{default_of, fitting};
use crate::files::Files;
use crate::graph::{Aligned, Graph, Step};
use crate::legs::{Coords, LegId, Legs};
use crate::results::{LegStatus, Results};
use crate::scope::{Scope, StepsView};
use crate::templates::Bound;
use crate::value::Value;

/// Everything that is known while places are looked at.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub graph: &'p Arc<Graph>,
    pub inputs: &'p Arc<IndexMap<Name, Value>>,
    pub files: &'p Arc<Files>,
    pub legs: &'p Arc<Legs>,
    pub results: &'p Arc<Results>,
}

impl Place<'_> {
    /// What the templates of a document see at a place.
    pub fn scope(&self, frame: usize, at: Coords, aligned: &Aligned) -> Arc<Scope> {
        let inputs = self.inputs_of(frame, &at);
        let (graph, legs, results) = (self.graph.clone(), self.legs.clone(), self.results.clone());
        let steps = StepsView { graph, frame, legs, results, reader: at, aligned: aligned.clone() };
        Arc::new(Scope::of_workflow(inputs, self.files, steps))
    }

    /// The leg that calls the workflow of a frame at a place.
    pub fn call(&self, frame: usize, at: &Coords) -> Option<LegId> {
        let call = self.graph.frames[frame].call?;
        self.legs.reading(call, at, &[]).first().copied()
    }

    /// The inputs of a document at a place; those that are not known yet are missing.
    fn inputs_of(&self, frame: usize, at: &Coords) -> Arc<IndexMap<Name, Value>> {
        let Some(call) = self.graph.frames[frame].call else { return self.inputs.clone() };
        let Some(leg) = self.call(frame, at) else { return Arc::default() };
        match self.results.get(leg) {
            Some(result) if result.status == LegStatus::Succeeded => {
                result.inputs.clone().unwrap_or_default()
            }
            Some(_) => Arc::default(),
            None => Arc::new(self.inputs_so_far(&self.graph.steps[call], leg)),
        }
    }

    /// What a call gives for inputs, as far as that is known before all of it is.
    fn inputs_so_far(&self, call: &Step, leg: LegId) -> IndexMap<Name, Value> {
        let Some(called) = &call.callee.called else { return IndexMap::new() };
        let scope = self.scope(call.frame, self.legs.coords(leg), &call.aligned);
        let mut known = IndexMap::new();
        for (name, input) in &called.inputs {
            if call.feeds.iter().any(|feed| feed.field == name.as_str()) {
                continue;
            }
            let field = call.callee.fields.get(name.as_str());
            let fitted = |bound: &Bound| {
                let value = self.graph.templates.render(bound, &scope).ok()?;
                fitting(name.as_str(), value, bound, field, self.files).ok()
            };
            let given = match call.with.get(name.as_str()).map(fitted) {
                // What does not fit is told when all of it is known.
                Some(None) => continue,
                Some(Some(value)) if !value.is_null() => Some(value),
                Some(Some(_)) | None => None,
            };
            let default = input
                .default
                .as_ref()
                .filter(|_| given.is_none())
                .and_then(|default| default_of(default, &called.source, field?, self.files).ok());
            known.extend(given.or(default).map(|value| (name.clone(), value)));
        }
        known
    }
}
