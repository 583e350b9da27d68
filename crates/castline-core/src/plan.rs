//! The plan: which legs there are, what each waits for, and what each would send.
//!
//! A [`Plan`] knows inputs and axes. [`Plan::resolve`] renders one leg against the results so
//! far: before a run it tells what can be told, in a run it makes the request.
//!
//! Start reading at [`Plan::new`], then [`Plan::resolve`].

mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::{Code, Diagnostic, Diagnostics, Name};
use indexmap::IndexMap;

use crate::files::Files;
use crate::graph::{Closed, Graph, Step};
use crate::inputs::Inputs;
use crate::legs::{LegId, Legs};
use crate::results::Results;
use crate::routing::Routing;
use crate::scope::{Scope, StepsView};
use crate::templates::Stop;
use crate::value::Value;

#[cfg(test)]
pub(crate) use resolve::takes;
pub(crate) use resolve::with_schema_defaults;
pub use resolve::{Expected, PriceFrom, Prices, Ready, Resolved, Skip};

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
    /// Labels by axis; a leg must have all of them.
    pub legs: BTreeMap<Name, String>,
    /// The new draw.
    pub draw: String,
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
        let mut found = Diagnostics::default();
        let values = Arc::new(inputs.values.clone());
        let Some(legs) = expand(&graph, &values, &files, &mut found) else { return (None, found) };
        let needs = needs(&graph, &legs);
        let mut readers = vec![Vec::new(); legs.len()];
        for (leg, needed) in needs.iter().enumerate() {
            needed.iter().for_each(|n| readers[n.0].push(LegId(leg)));
        }
        let legs = Arc::new(legs);
        (Some(Self { graph, legs, inputs: values, files, routing, choices, needs, readers }), found)
    }

    /// The legs that a leg waits for.
    pub fn needs(&self, leg: LegId) -> &[LegId] {
        &self.needs[leg.0]
    }

    /// The legs that wait for a leg.
    pub fn readers(&self, leg: LegId) -> &[LegId] {
        &self.readers[leg.0]
    }

    /// Legs so that each comes after what it needs.
    pub fn order(&self) -> Vec<LegId> {
        self.graph.order.iter().flat_map(|step| self.legs.of_step(*step)).collect()
    }

    /// True when the leg takes part in this run.
    pub fn takes_part(&self, leg: LegId) -> bool {
        self.choices.steps.is_empty() || self.choices.steps.contains(&self.legs.step(leg))
    }

    /// `styled[style=linocut]`.
    pub fn leg_name(&self, leg: LegId) -> String {
        let step = &self.graph.steps[self.legs.step(leg)].name;
        leg_name(step, &self.legs.labels(leg))
    }

    /// What the templates of a leg see.
    pub(crate) fn scope(&self, leg: Option<LegId>, results: &Arc<Results>) -> Arc<Scope> {
        let steps = StepsView {
            names: self.graph.names.clone(),
            legs: self.legs.clone(),
            results: results.clone(),
            reader: leg.map(|leg| self.legs.coords(leg)).unwrap_or_default(),
        };
        Arc::new(Scope {
            inputs: self.inputs.clone(),
            vars: self.graph.vars.clone(),
            steps: Some(steps),
            file: None,
            templates: self.graph.templates.clone(),
            files: self.files.clone(),
            document: self.graph.source.name.clone(),
            depth: 0,
            reads: Arc::default(),
            memo: Arc::default(),
        })
    }
}

/// `styled[style=linocut]`.
pub fn leg_name(step: &Name, labels: &IndexMap<Name, String>) -> String {
    if labels.is_empty() {
        return step.to_string();
    }
    let labels: Vec<_> = labels.iter().map(|(axis, label)| format!("{axis}={}", short(label))).collect();
    format!("{step}[{}]", labels.join(","))
}

fn short(label: &str) -> String {
    match label.char_indices().nth(32) {
        Some((at, _)) => format!("{}...", &label[..at]),
        None => label.to_owned(),
    }
}

/// Gives every step its legs; none when an axis has no values yet.
fn expand(
    graph: &Graph,
    inputs: &Arc<IndexMap<Name, Value>>,
    files: &Arc<Files>,
    found: &mut Diagnostics,
) -> Option<Legs> {
    let mut legs = Legs::default();
    let mut opened = BTreeMap::new();
    let mut complete = true;
    for (number, step) in graph.steps.iter().enumerate() {
        for (axis, values) in &step.each {
            let scope = Arc::new(Scope {
                inputs: inputs.clone(),
                vars: graph.vars.clone(),
                steps: None,
                file: None,
                templates: graph.templates.clone(),
                files: files.clone(),
                document: graph.source.name.clone(),
                depth: 0,
                reads: Arc::default(),
                memo: Arc::default(),
            });
            match axis_values(graph, axis, values, &scope) {
                Ok(Some(values)) => drop(opened.insert((number, axis.clone()), legs.intern(axis, values))),
                Ok(None) => complete = false,
                Err(finding) => {
                    found.push(*finding);
                    complete = false;
                }
            }
        }
    }
    if !complete {
        return None;
    }
    let mut of_step = BTreeMap::new();
    let mut total = 0_usize;
    let mut clashes = BTreeSet::new();
    for step in graph.order.iter().map(|number| &graph.steps[*number]) {
        let mut axes = Vec::new();
        for (axis, openers) in &step.axes {
            let ids: Vec<_> = openers.iter().map(|o| opened[&(*o, axis.clone())]).collect();
            if ids.iter().any(|id| *id != ids[0]) {
                complete = false;
                // Whoever reads this step meets the same clash.
                if clashes.insert((axis, openers)) {
                    found.push(axis_clash(graph, step, axis, openers));
                }
            }
            axes.push(ids[0]);
        }
        let count = axes.iter().try_fold(1_usize, |n, a| n.checked_mul(legs.axes[a.0].values.len()));
        total = count.map_or(usize::MAX, |count| total.saturating_add(count));
        if total > MOST_LEGS {
            let message = format!("step `{}` would have more than {MOST_LEGS} legs", step.name);
            found.push(Diagnostic::error(Code::InvalidValue, &graph.source, step.span, message));
            return None;
        }
        of_step.insert(step.name.clone(), axes);
    }
    complete.then(|| {
        graph.steps.iter().for_each(|step| legs.add_step(of_step.remove(&step.name).unwrap_or_default()));
        legs
    })
}

/// One axis name over lists that are not equal, with the places where they are opened.
fn axis_clash(graph: &Graph, step: &Step, axis: &Name, openers: &BTreeSet<usize>) -> Diagnostic {
    let names: Vec<_> = openers.iter().map(|o| format!("`{}`", graph.steps[*o].name)).collect();
    let message = format!(
        "step `{}` meets the axis `{axis}` over different lists, opened by {}",
        step.name,
        names.join(" and ")
    );
    let finding = Diagnostic::error(Code::AxisClash, &graph.source, step.span, message)
        .hint("give one of the axes another name, or open both over the same list");
    openers.iter().fold(finding, |finding, opener| {
        let opener = &graph.steps[*opener];
        finding.label(&graph.source, opener.each[axis].span, format!("opened by `{}`", opener.name))
    })
}

/// More legs than this are a mistake.
const MOST_LEGS: usize = 1_000_000;

fn axis_values(
    graph: &Graph,
    axis: &Name,
    bound: &crate::templates::Bound,
    scope: &Arc<Scope>,
) -> Result<Option<Vec<Value>>, Box<Diagnostic>> {
    let error = |code, message: String| Box::new(Diagnostic::error(code, &bound.source, bound.span, message));
    let values = match graph.templates.render(bound, scope) {
        Ok(Value::List(values)) => values,
        Ok(_) => return Err(error(Code::WrongType, format!("axis `{axis}` must be a list"))),
        Err(Stop::Pending) => return Ok(None),
        Err(Stop::Absent(_)) => unreachable!("axes read no steps"),
        Err(Stop::Failed { code, source, span, message }) => {
            return Err(Box::new(Diagnostic::error(code, &source, span, message)));
        }
    };
    let mut seen = BTreeSet::new();
    for value in &values {
        let shown = value.to_json(&mut |a| a.digest.to_string().into()).to_string();
        if !seen.insert(shown.clone()) {
            let message = format!("axis `{axis}` has {shown} twice");
            return Err(Box::new(
                error(Code::InvalidValue, message).hint("every leg of an axis needs a value of its own"),
            ));
        }
    }
    Ok(Some(values))
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
                    Closed::Every => legs.steps[dep.step].axes.clone(),
                    Closed::Named(names) => legs.steps[dep.step]
                        .axes
                        .iter()
                        .copied()
                        .filter(|a| names.contains(&legs.axes[a.0].name))
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
