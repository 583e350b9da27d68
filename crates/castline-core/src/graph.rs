//! The checked workflow: every reference resolved, every callee found, every edge known.
//!
//! [`Graph::check`] takes a parsed workflow and its presets and finds everything that can be
//! found without input values: unknown names, cycles, ports that do not fit, literals that
//! break a schema. What needs values is found by the plan.
//!
//! Start reading at [`Graph::check`].

mod ports;
mod refs;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::workflow::{Input, OnError, Retry, Uses};
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Source, Span, Spanned, Workflow};
use indexmap::IndexMap;
use jsonschema::Validator;

use crate::callee::{Callee, Callees, Catalog, bind_all, bind_with, fields_of_inputs};
use crate::field::{Field, compile};
use crate::templates::{Bound, Templates};

pub use ports::Feed;
pub(crate) use values::{is_path, misfit_finding};

/// A checked workflow.
#[derive(Debug)]
pub struct Graph {
    /// Its name.
    pub name: Name,
    /// Its document.
    pub source: Source,
    /// Declared inputs.
    pub inputs: IndexMap<Name, Input>,
    /// Their schemas, compiled.
    pub input_fields: IndexMap<String, Field>,
    /// Vars, compiled.
    pub vars: Arc<IndexMap<Name, Bound>>,
    /// Steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Step numbers by name.
    pub names: Arc<IndexMap<Name, usize>>,
    /// Step numbers so that each comes after what it needs.
    pub order: Vec<usize>,
    /// Outputs: the declared ones, else one for each step that nothing uses.
    pub outputs: IndexMap<Name, Output>,
    /// Every compiled template.
    pub templates: Arc<Templates>,
}

/// A checked step.
#[derive(Debug)]
pub struct Step {
    /// Its name.
    pub name: Name,
    /// Where the name stands.
    pub span: Span,
    /// Where `uses` stands.
    pub uses_span: Span,
    /// What it calls.
    pub callee: Arc<Callee>,
    /// `with`, compiled.
    pub with: IndexMap<String, Bound>,
    /// Where `with` stands.
    pub with_span: Option<Span>,
    /// `from`, by field.
    pub feeds: Vec<Feed>,
    /// Own axes.
    pub each: IndexMap<Name, Bound>,
    /// All axes and the steps that open them: inherited ones first.
    pub axes: IndexMap<Name, BTreeSet<usize>>,
    /// What it waits for.
    pub deps: Vec<Dep>,
    /// `if`.
    pub condition: Option<Bound>,
    /// `draw`.
    pub draw: Option<Bound>,
    /// `json`, with its schema.
    pub json: Option<JsonSchema>,
    /// `retry`.
    pub retry: Retry,
    /// Of one prediction's running.
    pub timeout: Duration,
    /// False makes a new draw in every run.
    pub cache: bool,
    /// `on_error`.
    pub on_error: OnError,
    /// `save`.
    pub save: Option<Bound>,
    /// Own axes that the request mentions; the others are the draw.
    pub mentioned: BTreeSet<Name>,
    /// `version` of the model, for this step.
    pub version: Option<String>,
}

/// `json: SCHEMA` of a step.
#[derive(Debug)]
pub struct JsonSchema {
    validator: Validator,
}

impl JsonSchema {
    /// Why a value breaks the schema; none when it does not.
    pub fn misfit(&self, json: &serde_json::Value) -> Option<String> {
        self.validator.iter_errors(json).next().map(|e| {
            let misfit = crate::field::misfit(&e, json);
            format!("`json{}` {}", misfit.path, misfit.message)
        })
    }
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dep {
    /// The other step.
    pub step: usize,
    /// Which of its axes are closed.
    pub closed: Closed,
    /// True when a status test handles the other step's failure here.
    pub tested: bool,
    /// True for `after`: order without data.
    pub order_only: bool,
}

/// Which axes a reference closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// None: the reader inherits all.
    None,
    /// The named ones.
    Named(BTreeSet<Name>),
    /// All.
    Every,
}

impl Closed {
    /// True when an axis is closed.
    pub fn has(&self, axis: &Name) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(axis),
            Self::Every => true,
        }
    }
}

/// An output of the workflow.
#[derive(Debug)]
pub struct Output {
    /// What it is.
    pub value: Bound,
    /// The step whose legs name the files of a list, when it is one step's `.all`.
    pub labels: Option<usize>,
    /// True when the workflow has no `outputs` and a step that nothing uses is one.
    pub implied: bool,
}

/// Prediction's running, unless the step says otherwise.
const TIMEOUT: Duration = Duration::from_mins(30);

impl Graph {
    /// Checks a workflow against its presets. The graph is there when nothing is broken.
    pub fn check(workflow: &Workflow, catalog: &Catalog) -> (Option<Self>, Diagnostics) {
        let mut check = Check {
            workflow,
            found: Diagnostics::default(),
            templates: Templates::default(),
            names: Arc::new(workflow.steps.keys().cloned().enumerate().map(|(i, n)| (n, i)).collect()),
        };
        let graph = check.graph(&mut Callees::new(catalog));
        let broken = check.found.has_errors();
        (graph.filter(|_| !broken), check.found)
    }

    /// A step by its name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.names.get(name).map(|i| &self.steps[*i])
    }

    /// The steps that read a step.
    pub fn readers(&self, step: usize) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(move |r| self.steps[*r].deps.iter().any(|d| d.step == step))
    }
}

/// A check under way.
struct Check<'w> {
    workflow: &'w Workflow,
    found: Diagnostics,
    templates: Templates,
    names: Arc<IndexMap<Name, usize>>,
}

impl Check<'_> {
    fn graph(&mut self, callees: &mut Callees<'_>) -> Option<Graph> {
        let workflow = self.workflow;
        let source = &workflow.source;
        let input_fields = fields_of_inputs(&workflow.inputs, source, &mut self.found);
        self.check_defaults(&input_fields);
        let vars = bind_all(&workflow.vars, source, &mut self.templates);
        let found: Vec<_> = workflow.steps.keys().map(|name| self.callee(name, callees)).collect();
        self.check_vars(&found);
        let mut steps = Vec::new();
        for (name, callee) in workflow.steps.keys().zip(&found) {
            match callee {
                Some(callee) => steps.extend(self.step(name, callee, &found)),
                // Its other parts are still looked at, so that all findings come at once.
                None => self.check_references_of(name, &found),
            }
        }
        let complete = steps.len() == workflow.steps.len();
        let order = self.order()?;
        if complete {
            self.inherit(&mut steps, &order);
        }
        let outputs = self.outputs(complete.then_some(&steps), &found);
        self.check_unused(&steps, complete);
        complete.then(|| Graph {
            name: workflow.name.clone(),
            source: source.clone(),
            inputs: workflow.inputs.clone(),
            input_fields,
            vars: Arc::new(vars),
            steps,
            names: self.names.clone(),
            order,
            outputs,
            templates: Arc::new(std::mem::take(&mut self.templates)),
        })
    }

    fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, &self.workflow.source, span, message)
    }

    fn callee(&mut self, name: &Name, callees: &mut Callees<'_>) -> Option<Arc<Callee>> {
        let uses = &self.workflow.steps[name].uses;
        let source = &self.workflow.source;
        match &uses.value {
            // A step without a usable `uses` has its finding already.
            Uses::Preset(text) if text.is_empty() => None,
            Uses::Preset(text) | Uses::Path(text) => {
                callees.preset(text, source, uses.span, &mut self.templates, &mut self.found)
            }
            Uses::Model(model) => callees.raw(model, source, uses.span, &mut self.found),
        }
    }

    fn step(&mut self, name: &Name, callee: &Arc<Callee>, callees: &[Option<Arc<Callee>>]) -> Option<Step> {
        let step = &self.workflow.steps[name];
        let source = &self.workflow.source;
        self.check_references_of(name, callees);
        let feeds = self.feeds(name, callee, callees);
        self.check_with(name, callee, feeds.as_deref(), callees);
        let json = step.json.as_ref().and_then(|schema| self.json_schema(schema));
        let each: IndexMap<_, _> = step
            .each
            .iter()
            .map(|(axis, binding)| (axis.clone(), self.templates.bind(&binding.value, source)))
            .collect();
        let mut bind =
            |d: &Option<castline_spec::Dynamic>| d.as_ref().map(|d| self.templates.bind(d, source));
        Some(Step {
            name: name.clone(),
            span: step.name_span,
            uses_span: step.uses.span,
            callee: callee.clone(),
            condition: bind(&step.condition),
            draw: bind(&step.draw),
            save: step.save.as_ref().map(|d| self.templates.bind_path(d, source)),
            with: bind_with(&step.with, source, &mut self.templates),
            with_span: step.with_span,
            feeds: feeds?,
            each,
            axes: IndexMap::new(),
            deps: self.deps(name),
            json,
            retry: step.retry.clone(),
            timeout: step.timeout.unwrap_or(TIMEOUT),
            cache: step.cache,
            on_error: step.on_error,
            mentioned: self.mentioned(name),
            version: step.version.as_ref().map(|v| v.value.clone()),
        })
    }

    fn json_schema(&mut self, schema: &Spanned<serde_json::Value>) -> Option<JsonSchema> {
        match compile(&schema.value) {
            Ok(validator) => Some(JsonSchema { validator }),
            Err(why) => {
                let message = format!("`json` is not a JSON Schema: {why}");
                self.found.push(self.error(Code::InvalidSchema, schema.span, message));
                None
            }
        }
    }

    /// Steps so that each comes after what it needs; a cycle is a finding.
    fn order(&mut self) -> Option<Vec<usize>> {
        let deps: Vec<BTreeSet<usize>> =
            self.workflow.steps.keys().map(|n| self.deps(n).into_iter().map(|d| d.step).collect()).collect();
        let mut order = Vec::new();
        let mut state = vec![0_u8; deps.len()];
        let mut path = Vec::new();
        for step in 0..deps.len() {
            if let Some(cycle) = visit(step, &deps, &mut state, &mut path, &mut order) {
                self.report_cycle(&cycle);
                return None;
            }
        }
        Some(order)
    }

    fn report_cycle(&mut self, cycle: &[usize]) {
        let name = |i: usize| self.names.get_index(i).expect("a step's number").0;
        let path: Vec<_> = cycle.iter().map(|i| name(*i).as_str()).collect();
        let span = self.workflow.steps[name(cycle[0])].name_span;
        let finding = self
            .error(Code::Cycle, span, format!("steps wait for each other: {}", path.join(" -> ")))
            .caret("waits for itself in the end");
        self.found.push(finding);
    }

    /// Gives each step its axes: those it inherits, then its own.
    fn inherit(&mut self, steps: &mut [Step], order: &[usize]) {
        for &i in order {
            let mut axes: IndexMap<Name, BTreeSet<usize>> = IndexMap::new();
            for dep in steps[i].deps.iter().filter(|d| !d.order_only) {
                for (axis, openers) in &steps[dep.step].axes {
                    if !dep.closed.has(axis) {
                        axes.entry(axis.clone()).or_default().extend(openers);
                    }
                }
            }
            for axis in steps[i].each.keys() {
                axes.entry(axis.clone()).or_default().insert(i);
            }
            steps[i].axes = axes;
        }
        for step in steps.iter() {
            self.check_axes(step, steps);
        }
    }
}

/// Depth first; answers with the cycle when there is one.
fn visit(
    step: usize,
    deps: &[BTreeSet<usize>],
    state: &mut [u8],
    path: &mut Vec<usize>,
    order: &mut Vec<usize>,
) -> Option<Vec<usize>> {
    match state[step] {
        2 => return None,
        1 => {
            let from = path.iter().position(|s| *s == step).expect("a step under way is on the path");
            return Some(path[from..].iter().copied().chain([step]).collect());
        }
        _ => state[step] = 1,
    }
    path.push(step);
    for dep in &deps[step] {
        if let Some(cycle) = visit(*dep, deps, state, path, order) {
            return Some(cycle);
        }
    }
    path.pop();
    state[step] = 2;
    order.push(step);
    None
}
