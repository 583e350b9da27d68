//! The checked workflow: every reference resolved, every callee found, every edge known.
//!
//! [`Graph::check`] takes a parsed workflow and its presets and finds everything that can be
//! found without input values: unknown names, cycles, ports that do not fit, literals that
//! break a schema. What needs values is found by the plan.
//!
//! Start reading at [`Graph::check`].

mod call_ports;
mod calls;
mod frame;
mod idle;
mod known;
mod link;
mod ports;
mod refs;
mod rules;
mod types;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use castline_spec::workflow::{Input, OnError, Retry, Uses};
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Source, Span, Spanned, Workflow};
use indexmap::{IndexMap, IndexSet};
use jsonschema::Validator;

use crate::callee::{Callee, Callees, Catalog, bind_all, bind_with, fields_of_inputs};
use crate::digest::Digest;
use crate::field::{Field, compile};
use crate::templates::{Bound, Templates};
use crate::types::Type;
use crate::types::fit::{Fit, Fitting};
use known::Known;
use refs::Depends;

pub(crate) use call_ports::output_for;
pub use calls::{Call, Role};
pub use frame::{Frame, depth, own_name};
pub use ports::{Feed, Pipe};
pub(crate) use values::{is_path, misfit_finding, rule_finding};

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
    /// The workflow itself, then those that its steps call, once for each call.
    pub frames: Vec<Frame>,
    /// Steps, in the order of the file; those of a called workflow after the step that calls it.
    pub steps: Vec<Step>,
    /// The numbers of the steps that people can name: `styled`, `hero/large`.
    pub names: Arc<IndexMap<Name, usize>>,
    /// Step numbers so that each comes after what it needs.
    pub order: Vec<usize>,
    /// Outputs: the declared ones, else one for each step that nothing uses.
    pub outputs: IndexMap<Name, Output>,
    /// Texts that `read()` names, and where.
    pub reads: Vec<Mention>,
    /// Pictures and other files that are written out beside what is still to come, and where.
    pub files: Vec<Mention>,
    /// Every compiled template.
    pub templates: Arc<Templates>,
}

/// A file that a document names.
#[derive(Debug, Clone)]
pub struct Mention {
    /// The document.
    pub source: Source,
    /// Where in it.
    pub span: Span,
    /// The path, as written.
    pub path: String,
}

/// A checked step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name: in a called workflow after that of the step that calls it, `hero/large`.
    pub name: Name,
    /// Its document.
    pub source: Source,
    /// The frame that its templates see.
    pub frame: usize,
    /// What its legs are.
    pub role: Role,
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
    pub each: IndexMap<Name, Opened>,
    /// `where`.
    pub r#where: Option<Bound>,
    /// The steps that `where` comes out of: calls whose inputs do.
    pub where_reads: BTreeSet<usize>,
    /// The inputs of the whole workflow that `where` depends on.
    pub where_inputs: BTreeSet<Name>,
    /// All axes and the steps that open them: inherited ones first.
    pub axes: Axes,
    /// What it waits for.
    pub deps: Vec<Dep>,
    /// `if`.
    pub condition: Option<Bound>,
    /// `draw`.
    pub draw: Option<Bound>,
    /// `json`, with its schema.
    pub json: Option<Arc<JsonSchema>>,
    /// `retry`.
    pub retry: Retry,
    /// Of one prediction's running.
    pub timeout: Duration,
    /// False makes a new draw in every run.
    pub cache: bool,
    /// `on_error`.
    pub on_error: OnError,
    /// The call that it belongs to goes on without what fails in it.
    pub forgiven: bool,
    /// What its `.all.each` of a call is aligned with.
    pub aligned: Aligned,
    /// `save`.
    pub save: Option<Bound>,
    /// Own axes that the request mentions; the others are the draw.
    pub mentioned: BTreeSet<Name>,
    /// `version` of the model, for this step.
    pub version: Option<String>,
    /// How many of its inputs are known to fit.
    pub proofs: Proofs,
}

/// An axis that a step opens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its list.
    pub values: Bound,
    /// The axes that the list depends on.
    pub over: BTreeSet<Name>,
    /// The steps that it comes out of: it is known once they are done.
    pub reads: BTreeSet<usize>,
    /// The inputs of the whole workflow that it depends on.
    pub inputs: BTreeSet<Name>,
    /// The input that it is, when it is one and nothing else.
    pub input: Option<Name>,
    /// How many values there are, at least and at most, as far as its type says.
    pub length: Length,
}

/// How many values a list has, at least and at most.
pub type Length = (usize, Option<usize>);

/// For each call the outputs, by their steps, whose lists stand beside its axis values.
pub type Aligned = Arc<BTreeMap<usize, BTreeSet<usize>>>;

/// Inputs that fit whatever comes, and those that are checked with the real value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proofs {
    /// They always fit.
    pub proved: usize,
    /// They are checked again before their create.
    pub open: usize,
}

impl std::ops::Add for Proofs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { proved: self.proved + other.proved, open: self.open + other.open }
    }
}

impl Proofs {
    fn count(&mut self, fit: &Fit) {
        match fit {
            Fit::Proved => self.proved += 1,
            Fit::Open | Fit::Never(_) | Fit::Partly(_) => self.open += 1,
        }
    }
}

/// The axes of a step and the steps that open them: inherited ones first.
pub(crate) type Axes = IndexMap<Name, BTreeSet<usize>>;

/// `json: SCHEMA` of a step.
#[derive(Debug)]
pub struct JsonSchema {
    schema: serde_json::Value,
    validator: Validator,
}

impl JsonSchema {
    /// Compiles a schema; the message says why it cannot be.
    pub fn new(schema: serde_json::Value) -> Result<Self, String> {
        let validator = compile(&schema)?;
        Ok(Self { schema, validator })
    }

    /// The schema as written.
    pub fn schema(&self) -> &serde_json::Value {
        &self.schema
    }

    /// Its digest, which the order of its keys does not change.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json_canonicalizer::to_vec(&self.schema).expect("a schema is plain data"))
    }

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
    /// All whose names begin so: those of one called workflow.
    Within(Arc<str>),
}

impl Closed {
    /// True when an axis is closed.
    pub fn has(&self, axis: &Name) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(axis),
            Self::Every => true,
            Self::Within(prefix) => axis.as_str().starts_with(&**prefix),
        }
    }

    /// True when a reader has none of the axes that the step's own workflow opens.
    pub(crate) fn is_every(&self) -> bool {
        matches!(self, Self::Every | Self::Within(_))
    }
}

/// An output of the workflow.
#[derive(Debug, Clone)]
pub struct Output {
    /// What it is.
    pub value: Bound,
    /// Its type.
    pub gives: Type,
    /// The steps that it reads.
    pub deps: Vec<Dep>,
    /// What its `.all.each` of a call is aligned with.
    pub aligned: Aligned,
    /// True when it says what something cost, which is known once the run is over.
    pub of_cost: bool,
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
        let (graph, found) = Self::look(workflow, catalog);
        (graph.filter(|_| !found.has_errors()), found)
    }

    /// The graph as far as its names lead, whatever is found about its values: what a run makes
    /// of it is what the findings are held against.
    pub fn look(workflow: &Workflow, catalog: &Catalog) -> (Option<Self>, Diagnostics) {
        let mut check = Check::new(workflow, Templates::default());
        let graph = check.graph(&mut Callees::new(catalog));
        let templates = Arc::new(check.templates);
        (graph.map(|graph| Self { templates, ..graph }), check.found)
    }

    /// The steps that make predictions, with their numbers.
    pub fn predicting(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.predicts())
    }

    /// The call in a document that a step of a called workflow belongs to; none for its own steps.
    pub(crate) fn call_seen_from(&self, frame: usize, step: usize) -> Option<usize> {
        let mut call = self.frames[self.steps[step].frame].call?;
        while self.steps[call].frame != frame {
            call = self.frames[self.steps[call].frame].call?;
        }
        Some(call)
    }

    /// A step by its name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.names.get(name).map(|i| &self.steps[*i])
    }

    /// How many inputs of all steps are known to fit.
    pub fn proofs(&self) -> Proofs {
        self.steps.iter().fold(Proofs::default(), |all, step| all + step.proofs)
    }

    /// The steps that make predictions and that a step reads: each once, calls looked through.
    pub fn sources(&self, step: usize) -> IndexSet<usize> {
        let (mut found, mut calls, mut seen) = (IndexSet::new(), Vec::new(), BTreeSet::new());
        let mut next: Vec<usize> = self.steps[step].deps.iter().rev().map(|dep| dep.step).collect();
        while let Some(source) = next.pop() {
            if !seen.insert(source) {
                continue;
            }
            match self.steps[source].role {
                Role::Predicts => drop(found.insert(source)),
                Role::Gives(..) => next.extend(self.steps[source].deps.iter().rev().map(|dep| dep.step)),
                Role::Calls(_) => calls.push(source),
            }
        }
        // What a call reads is read by all that comes out of it.
        if found.is_empty() {
            found.extend(calls.into_iter().flat_map(|call| self.sources(call)));
        }
        found
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
    fitting: Fitting,
    files: Vec<Mention>,
    names: Arc<IndexMap<Name, usize>>,
    /// What each step waits for.
    deps: Vec<Vec<Dep>>,
}

impl<'w> Check<'w> {
    fn new(workflow: &'w Workflow, templates: Templates) -> Self {
        let mut check = Self {
            workflow,
            found: Diagnostics::default(),
            templates,
            fitting: Fitting::default(),
            files: Vec::new(),
            names: Arc::new(workflow.steps.keys().cloned().enumerate().map(|(i, n)| (n, i)).collect()),
            deps: Vec::new(),
        };
        check.deps = workflow.steps.keys().map(|name| check.deps_of(name)).collect();
        check
    }

    /// The graph, as yet without the templates.
    fn graph(&mut self, callees: &mut Callees<'_>) -> Option<Graph> {
        let workflow = self.workflow;
        let source = &workflow.source;
        let input_fields = fields_of_inputs(&workflow.inputs, source, &mut self.found);
        self.check_defaults(&input_fields);
        let vars = bind_all(&workflow.vars, source, &mut self.templates);
        let found: Vec<_> = workflow.steps.keys().map(|name| self.callee(name, callees)).collect();
        self.check_names(&found);
        let order = self.order();
        let axes = self.axes(&order);
        let (known, of_axes) = Known::new(self, &found, &axes, &order);
        self.found.list.extend(of_axes);
        let mut steps = Vec::new();
        for (number, (name, callee)) in workflow.steps.keys().zip(&found).enumerate() {
            self.check_axes(number, &axes);
            // The parts of a step whose callee is broken are looked at all the same, so that all
            // findings come at once.
            let proofs = self.check_types(number, callee.as_deref(), &known);
            self.check_costs(number, &known);
            if let Some(callee) = callee {
                steps.extend(self.step(number, name, callee, &axes, &known, proofs));
            }
        }
        let complete = steps.len() == workflow.steps.len();
        let outputs = self.outputs(complete.then_some(&steps), &known);
        self.check_idle(&axes, &found);
        if !complete {
            return None;
        }
        let graph = Graph {
            name: workflow.name.clone(),
            source: source.clone(),
            inputs: workflow.inputs.clone(),
            input_fields,
            frames: vec![Frame {
                source: source.clone(),
                vars: Arc::new(vars),
                names: self.names.clone(),
                prefix: "".into(),
                call: None,
            }],
            steps,
            names: self.names.clone(),
            order,
            outputs,
            reads: self.reads(),
            files: std::mem::take(&mut self.files),
            templates: Arc::default(),
        };
        match link::link(graph, &mut self.templates) {
            Ok(graph) => Some(graph),
            Err(finding) => {
                self.found.push(*finding);
                None
            }
        }
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
            Uses::Preset(text) | Uses::Path(text) => match callees.workflow(source, text) {
                Some(called) => self.called(name, text, &called, callees),
                None => callees.preset(text, source, uses.span, &mut self.templates, &mut self.found),
            },
            Uses::Model(model) => callees.raw(model, source, uses.span, &mut self.found),
        }
    }

    fn step(
        &mut self,
        number: usize,
        name: &Name,
        callee: &Arc<Callee>,
        axes: &[Axes],
        known: &Known<'_>,
        mut proofs: Proofs,
    ) -> Option<Step> {
        let step = &self.workflow.steps[name];
        let source = &self.workflow.source;
        let feeds = self.feeds(name, callee, known, &mut proofs);
        self.check_filled(name, callee, feeds.as_deref());
        self.check_rules(number, callee, feeds.as_deref(), known);
        let json = step.json.as_ref().and_then(|schema| self.json_schema(schema));
        let mut each = IndexMap::new();
        for (axis, binding) in &step.each {
            let Depends { mut over, reads, inputs } = self.depends_on(&binding.value, axes);
            over.remove(axis);
            let values = self.templates.bind(&binding.value, source);
            let length = known.length(number, axis);
            let input = types::bare_input(&binding.value).map(Name::new);
            each.insert(axis.clone(), Opened { values, over, reads, inputs, input, length });
        }
        let role = self.role(number, callee, feeds.as_deref(), axes, known);
        let where_inputs =
            step.r#where.as_ref().map(|value| self.depends_on(value, axes).inputs).unwrap_or_default();
        let mut bind =
            |d: &Option<castline_spec::Dynamic>| d.as_ref().map(|d| self.templates.bind(d, source));
        Some(Step {
            name: name.clone(),
            source: source.clone(),
            frame: 0,
            role,
            span: step.name_span,
            uses_span: step.uses.span,
            callee: callee.clone(),
            r#where: bind(&step.r#where),
            where_reads: BTreeSet::new(),
            where_inputs,
            condition: bind(&step.condition),
            draw: bind(&step.draw),
            save: step.save.as_ref().map(|d| self.templates.bind_path(d, source)),
            with: bind_with(&step.with, source, &mut self.templates),
            with_span: step.with_span,
            feeds: feeds?,
            each,
            axes: axes[number].clone(),
            proofs,
            deps: self.deps[number].clone(),
            json,
            retry: step.retry.clone(),
            timeout: step.timeout.unwrap_or(TIMEOUT),
            cache: step.cache,
            on_error: step.on_error,
            forgiven: false,
            aligned: Aligned::default(),
            mentioned: self.mentioned(name),
            version: step.version.as_ref().map(|v| v.value.clone()),
        })
    }

    fn json_schema(&mut self, schema: &Spanned<serde_json::Value>) -> Option<Arc<JsonSchema>> {
        match JsonSchema::new(schema.value.clone()) {
            Ok(schema) => Some(Arc::new(schema)),
            Err(why) => {
                let message = format!("`json` is not a JSON Schema: {why}");
                self.found.push(self.error(Code::InvalidSchema, schema.span, message));
                None
            }
        }
    }

    /// Steps so that each comes after what it needs; a cycle is a finding, and is cut open.
    fn order(&mut self) -> Vec<usize> {
        let needs = self.deps.iter().map(|deps| deps.iter().map(|dep| dep.step).collect());
        let (order, cycles) = sort(&needs.collect::<Vec<_>>());
        cycles.iter().for_each(|cycle| self.report_cycle(cycle));
        order
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

    /// The axes of each step: those it inherits, then its own.
    fn axes(&self, order: &[usize]) -> Vec<Axes> {
        let mut all: Vec<Axes> = vec![IndexMap::new(); self.workflow.steps.len()];
        for &i in order {
            let mut axes = Axes::new();
            for dep in self.deps[i].iter().filter(|d| !d.order_only) {
                for (axis, openers) in &all[dep.step] {
                    if !dep.closed.has(axis) {
                        axes.entry(axis.clone()).or_default().extend(openers);
                    }
                }
            }
            for axis in self.workflow.steps[i].each.keys() {
                axes.entry(axis.clone()).or_default().insert(i);
            }
            all[i] = axes;
        }
        all
    }
}

/// Numbers so that each comes after what it needs, and the cycles, each from a number back to
/// itself. An edge that closes a cycle is left out.
fn sort(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; needs.len()];
    let (mut order, mut cycles) = (Vec::new(), Vec::new());
    for root in 0..needs.len() {
        // Depth first, with the path kept here: a chain may be longer than the stack.
        let mut path: Vec<(usize, usize)> = vec![];
        if state[root] == State::New {
            state[root] = State::Open;
            path.push((root, 0));
        }
        while let Some((number, next)) = path.last_mut() {
            let Some(&need) = needs[*number].get(*next) else {
                state[*number] = State::Done;
                order.push(*number);
                path.pop();
                continue;
            };
            *next += 1;
            match state[need] {
                State::Done => {}
                State::New => {
                    state[need] = State::Open;
                    path.push((need, 0));
                }
                State::Open => {
                    let from = path.iter().position(|(n, _)| *n == need).expect("open ones are on the path");
                    cycles.push(path[from..].iter().map(|(n, _)| *n).chain([need]).collect());
                }
            }
        }
    }
    (order, cycles)
}
