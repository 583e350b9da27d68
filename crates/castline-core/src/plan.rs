//! The plan: which legs there are, what each waits for, and what each would send.
//!
//! A [`Plan`] knows inputs and axes. [`Plan::resolve`] renders one leg against the results so
//! far: before a run it tells what can be told, in a run it makes the request.
//!
//! Start reading at [`Plan::new`], then [`Plan::resolve`].

mod expand;
mod fit;
mod leg_name;
mod place;
mod requests;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::{Diagnostics, Name};
use indexmap::IndexMap;

use crate::files::Files;
use crate::graph::{Aligned, Closed, Dep, Graph, Output, Role, Step};
use crate::inputs::Inputs;
use crate::legs::{Coords, LegId, Legs};
use crate::results::Results;
use crate::routing::Routing;
use crate::scope::Scope;
use crate::value::Value;
use expand::{Expanded, Nowhere, Opening};
use place::Place;

#[cfg(test)]
pub(crate) use fit::takes;
pub use leg_name::{LegName, is_label, leg_name};
pub(crate) use resolve::with_schema_defaults;
pub use resolve::{Expected, PriceFrom, Prices, Ready, Resolved, Resolver, Skip};

/// What a run is asked to do besides its workflow and inputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choices {
    /// Makes the draws of `cache: false`; the run's id.
    pub run: String,
    /// `--reroll STEP[axis=v]`, each with its new draw.
    pub rerolls: Vec<Reroll>,
    /// `--only` and `--until`: steps that take part; all when empty.
    pub steps: Vec<usize>,
    /// Pinned versions of community models, by `owner/name`.
    pub pins: BTreeMap<String, String>,
    /// `prices:` of the project, by preset or model name.
    pub prices: IndexMap<String, Vec<castline_spec::preset::PriceRule>>,
}

/// A step, or some of its legs, to be drawn anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reroll {
    /// The step's number.
    pub step: usize,
    /// Labels by axis, as names of legs say them; a leg must have all of them.
    pub legs: BTreeMap<Name, String>,
    /// The new draw.
    pub draw: String,
}

impl Reroll {
    /// Whether it is about a leg.
    pub fn is_of(&self, legs: &Legs, leg: LegId) -> bool {
        legs.step(leg) == self.step && {
            let labels = legs.labels(leg);
            self.legs.iter().all(|(axis, said)| labels.get(axis).is_some_and(|label| is_label(label, said)))
        }
    }
}

/// A plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The checked workflow.
    pub graph: Arc<Graph>,
    /// Its legs.
    pub legs: Arc<Legs>,
    /// Its inputs.
    pub inputs: Arc<IndexMap<Name, Value>>,
    /// The files it names.
    pub files: Arc<Files>,
    /// Who runs what.
    pub routing: Routing,
    /// What else was asked for.
    pub choices: Choices,
    /// Legs that stand in place of those that cannot be.
    nowhere: Arc<BTreeMap<LegId, Nowhere>>,
    /// For each leg, the legs it waits for.
    needs: Vec<Vec<LegId>>,
    /// For each leg, the legs that wait for it.
    readers: Vec<Vec<LegId>>,
}

impl Plan {
    /// Opens the axes. The plan is there when every axis has a value.
    pub fn new(
        graph: Arc<Graph>,
        inputs: &Inputs,
        files: Arc<Files>,
        routing: Routing,
        choices: Choices,
    ) -> (Option<Self>, Diagnostics) {
        let inputs = Arc::new(inputs.values.clone());
        let (opened, found) = Opening::first(&graph, &inputs, &files);
        let plan = opened.map(|opened| {
            let plan = Self {
                graph,
                legs: Arc::default(),
                inputs,
                files,
                routing,
                choices,
                nowhere: Arc::default(),
                needs: Vec::new(),
                readers: Vec::new(),
            };
            plan.with_legs(opened)
        });
        (plan, found)
    }

    /// The same plan with these legs.
    fn with_legs(&self, opened: Expanded) -> Self {
        let Expanded { legs, nowhere } = opened;
        let needs = needs(&self.graph, &legs);
        let mut readers = vec![Vec::new(); legs.len()];
        for (leg, needed) in needs.iter().enumerate() {
            needed.iter().for_each(|n| readers[n.0].push(LegId(leg)));
        }
        let (legs, nowhere) = (Arc::new(legs), Arc::new(nowhere));
        Self {
            graph: self.graph.clone(),
            inputs: self.inputs.clone(),
            files: self.files.clone(),
            routing: self.routing.clone(),
            choices: self.choices.clone(),
            legs,
            nowhere,
            needs,
            readers,
        }
    }

    /// How many legs a step has, at least and at most, as far as that is known.
    pub fn legs_expected(&self, step: usize) -> (usize, Option<usize>) {
        if let Some(legs) = self.legs.known(step) {
            return (legs.count, Some(legs.count));
        }
        let step = &self.graph.steps[step];
        // Places on axes that a known step has together, where these are not all combinations.
        let places = |dep: &Dep| {
            let axes = self.legs.axes_of(dep.step).iter().copied();
            let open: Vec<_> = axes.filter(|axis| !dep.closed.has(&self.legs.axes[axis.0].name)).collect();
            let count = self.legs.places(dep.step, &open)?.len();
            Some((open.into_iter().map(|axis| self.legs.axes[axis.0].name.clone()).collect(), count))
        };
        let deps = step.deps.iter().filter(|dep| !dep.order_only && self.legs.known(dep.step).is_some());
        let together: Option<(BTreeSet<Name>, usize)> =
            deps.filter_map(places).max_by_key(|(axes, _): &(BTreeSet<Name>, usize)| axes.len());
        let (joint, count) = together.unwrap_or((BTreeSet::new(), 1));
        let of_axis = |name: &Name, opener: &usize| {
            let axes = self.legs.axes_of(*opener).iter().map(|axis| &self.legs.axes[axis.0]);
            let known = axes.into_iter().find(|axis| axis.name == *name).map(|axis| axis.values.len());
            known.map_or(self.graph.steps[*opener].each[name].length, |n| (n, Some(n)))
        };
        let others = step.axes.iter().filter(|(name, _)| !joint.contains(*name));
        let lengths = others.filter_map(|(name, openers)| Some(of_axis(name, openers.first()?)));
        let (least, most) =
            lengths.fold((count, Some(count)), |(least, most): (usize, Option<usize>), (a, b)| {
                (least.saturating_mul(a), most.zip(b).map(|(most, b)| most.saturating_mul(b)))
            });
        (if step.r#where.is_some() { 0 } else { least }, most)
    }

    /// How many steps a leg waits for whose own legs are not known yet.
    pub(crate) fn waits_for_steps(&self, leg: LegId) -> usize {
        if self.legs.are_all_known() {
            return 0;
        }
        let deps = &self.graph.steps[self.legs.step(leg)].deps;
        let late: BTreeSet<_> =
            deps.iter().map(|dep| dep.step).filter(|step| self.legs.known(*step).is_none()).collect();
        late.len()
    }

    /// The legs that a leg waits for.
    pub fn needs(&self, leg: LegId) -> &[LegId] {
        &self.needs[leg.0]
    }

    /// The legs that wait for a leg.
    pub fn readers(&self, leg: LegId) -> &[LegId] {
        &self.readers[leg.0]
    }

    /// The legs that make predictions, so that each comes after what it needs.
    pub fn order(&self) -> Vec<LegId> {
        let steps = self.graph.order.iter().filter(|step| self.graph.steps[**step].predicts());
        steps.flat_map(|step| self.legs.of_step(*step)).collect()
    }

    /// The same with the legs that calls and their outputs are.
    pub fn order_of_all(&self) -> Vec<LegId> {
        self.graph.order.iter().flat_map(|step| self.legs.of_step(*step)).collect()
    }

    /// The legs that make predictions, by their numbers.
    pub fn predictions(&self) -> impl Iterator<Item = LegId> {
        (0..self.legs.len()).map(LegId).filter(|leg| self.predicts(*leg))
    }

    /// How many legs make predictions.
    pub fn count(&self) -> usize {
        self.graph.predicting().map(|(step, _)| self.legs.count(step)).sum()
    }

    /// Steps that make predictions and whose legs are not known yet.
    pub fn deferred(&self) -> impl Iterator<Item = usize> {
        self.legs.deferred().filter(|step| self.graph.steps[*step].predicts())
    }

    /// True for a leg that makes a prediction.
    pub fn predicts(&self, leg: LegId) -> bool {
        self.graph.steps[self.legs.step(leg)].predicts()
    }

    /// True when the leg takes part in this run.
    pub(crate) fn takes_part(&self, leg: LegId) -> bool {
        self.choices.steps.is_empty() || self.choices.steps.contains(&self.legs.step(leg))
    }

    /// `styled[style=linocut]`.
    pub fn leg_name(&self, leg: LegId) -> String {
        let step = &self.graph.steps[self.legs.step(leg)].name;
        leg_name(step, &self.legs.labels(leg))
    }

    /// `styled[style=?]`: all legs of a step that are not known yet.
    pub fn late_name(&self, step: usize) -> String {
        let step = &self.graph.steps[step];
        leg_name(&step.name, &step.axes.keys().map(|axis| (axis.clone(), "?".to_owned())).collect())
    }

    /// What the templates of a leg see.
    pub(crate) fn scope(&self, leg: Option<LegId>, results: &Arc<Results>) -> Arc<Scope> {
        let step = leg.map(|leg| &self.graph.steps[self.legs.step(leg)]);
        let aligned = step.map(|step| step.aligned.clone()).unwrap_or_default();
        self.scope_in(step.map_or(0, |step| step.frame), leg, &aligned, results)
    }

    /// What the templates of a step see for whoever stands there.
    fn scope_of_step(&self, step: &Step, at: Coords, results: &Arc<Results>) -> Arc<Scope> {
        self.place(results).scope(step.frame, at, &step.aligned)
    }

    /// What the template of an output sees.
    pub(crate) fn scope_of_output(&self, output: &Output, results: &Arc<Results>) -> Arc<Scope> {
        self.scope_in(0, None, &output.aligned, results)
    }

    /// What the template of a leg's path sees: that of a call's output is the call's.
    pub(crate) fn scope_of_save(&self, leg: LegId, results: &Arc<Results>) -> Arc<Scope> {
        let step = &self.graph.steps[self.legs.step(leg)];
        let call = self.graph.frames[step.frame].call.filter(|_| matches!(step.role, Role::Gives(..)));
        let frame = call.map_or(step.frame, |call| self.graph.steps[call].frame);
        self.scope_in(frame, Some(leg), &step.aligned, results)
    }

    fn scope_in(
        &self,
        frame: usize,
        leg: Option<LegId>,
        aligned: &Aligned,
        results: &Arc<Results>,
    ) -> Arc<Scope> {
        self.place(results).scope(frame, leg.map(|leg| self.legs.coords(leg)).unwrap_or_default(), aligned)
    }

    fn place<'p>(&'p self, results: &'p Arc<Results>) -> Place<'p> {
        Place { graph: &self.graph, inputs: &self.inputs, files: &self.files, legs: &self.legs, results }
    }

    /// The step that calls a workflow, for a leg that is an output of it.
    pub fn call_of_output(&self, leg: LegId) -> Option<Name> {
        let step = &self.graph.steps[self.legs.step(leg)];
        let call = self.graph.frames[step.frame].call.filter(|_| matches!(step.role, Role::Gives(..)))?;
        Some(self.graph.steps[call].name.clone())
    }

    /// The leg that calls the workflow of a leg; none for those of the workflow itself.
    pub(crate) fn caller(&self, leg: LegId) -> Option<LegId> {
        let frame = self.graph.steps[self.legs.step(leg)].frame;
        let call = self.graph.frames[frame].call?;
        self.legs.reading(call, &self.legs.coords(leg), &[]).first().copied()
    }
}

/// For each leg, the legs it waits for, each once.
fn needs(graph: &Graph, legs: &Legs) -> Vec<Vec<LegId>> {
    let mut needs = vec![Vec::new(); legs.len()];
    for (number, step) in graph.steps.iter().enumerate() {
        for leg in legs.of_step(number) {
            let at = legs.coords(leg);
            let needed: &mut Vec<LegId> = &mut needs[leg.0];
            for dep in &step.deps {
                let closed: Vec<_> = match &dep.closed {
                    Closed::None => Vec::new(),
                    closed => legs
                        .axes_of(dep.step)
                        .iter()
                        .copied()
                        .filter(|axis| closed.has(&legs.axes[axis.0].name))
                        .collect(),
                };
                needed.extend(legs.reading(dep.step, &at, &closed));
            }
            needed.sort_unstable();
            needed.dedup();
        }
    }
    needs
}
