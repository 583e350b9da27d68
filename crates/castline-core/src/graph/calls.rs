//! Workflows that steps call as they call presets.
//!
//! A called workflow is checked on its own, as any other one. Then its steps are put beside those
//! of the caller, once for each call ([`link`]), so that a plan and a run know steps and nothing
//! else: the calling step holds the values of the called workflow's inputs, every step of it waits
//! for the calling one and has its axes before its own, and each output is a step that the readers
//! of the call wait for.
//!
//! Start reading at [`link`]; [`Check::called`] makes of a workflow what a step can call.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use castline_spec::preset::Port;
use castline_spec::schema::MediaKind;
use castline_spec::template::{Reference, Target};
use castline_spec::workflow::OnError;
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Source, Spanned, Workflow};
use indexmap::{IndexMap, IndexSet};
use serde_json::json;

use super::known::Known;
use super::{Aligned, Axes, Check, Closed, Dep, Feed, Graph, Length, Opened, Output, Pipe, Step};
use crate::callee::{Callee, Callees, Entered, Model, fields_of_inputs};
use crate::model::ModelRef;
use crate::templates::{Bound, Templates};
use crate::types::{Kinds, Type};

/// More steps than this are a mistake: calls of calls multiply.
const MOST_STEPS: usize = 20_000;

/// What the templates of one document see of its steps and vars.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The document.
    pub source: Source,
    /// Its vars, compiled.
    pub vars: Arc<IndexMap<Name, Bound>>,
    /// Step numbers by the names that it uses.
    pub names: Arc<IndexMap<Name, usize>>,
    /// What the names of its steps and axes begin with among those of all: `hero/`; nothing for
    /// the workflow itself.
    pub prefix: Arc<str>,
    /// The step that calls it; none for the workflow itself.
    pub call: Option<usize>,
}

impl Frame {
    /// What a value refers to, what the vars in it refer to included.
    pub fn references<'a>(&'a self, values: impl IntoIterator<Item = &'a Bound>) -> Vec<&'a Reference> {
        let mut found = Vec::new();
        let mut vars: IndexSet<&str> = IndexSet::new();
        let mut values: Vec<&Bound> = values.into_iter().collect();
        while let Some(value) = values.pop() {
            for reference in value.references() {
                if let Target::Var(var) = &reference.target
                    && let Some(bound) = self.vars.get(var.value.as_str())
                    && vars.insert(&var.value)
                {
                    values.push(bound);
                }
                found.push(reference);
            }
        }
        found
    }

    /// The name of an axis as this document writes it; none for the axes of others.
    pub fn axis<'a>(&self, axis: &'a Name) -> Option<&'a str> {
        axis.as_str().strip_prefix(&*self.prefix).filter(|own| !own.contains('/'))
    }
}

/// The last part of a name: an axis or step as its own document calls it.
pub fn own_name(name: &Name) -> &str {
    name.as_str().rsplit('/').next().unwrap_or_default()
}

/// How many calls deep the document of a step or axis is.
pub fn depth(name: &Name) -> usize {
    name.as_str().matches('/').count()
}

/// What the legs of a step are.
#[derive(Debug, Clone)]
pub enum Role {
    /// Predictions of its callee's model.
    Predicts,
    /// Calls of a workflow: each holds the values of its inputs.
    Calls(Call),
    /// What an output of a called workflow is in each call; in a folder of its name when the call
    /// saves several.
    Gives(Output, Option<Name>),
}

/// The call of a workflow.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The step that each output is.
    pub outputs: IndexMap<Name, usize>,
    /// All its steps, those that it calls included.
    pub inner: Range<usize>,
    /// The steps that decide how the call ends: those whose failure nothing inside handles.
    pub decides: Vec<usize>,
    /// What the values that are given for inputs depend on.
    given: BTreeMap<Name, Given>,
}

/// What a value that a call gives depends on.
#[derive(Debug, Clone, Default)]
struct Given {
    over: BTreeSet<Name>,
    inputs: BTreeSet<Name>,
    /// It comes out of a step.
    later: bool,
    /// How many values it has, when it is a list.
    length: Length,
}

/// What a value depends on.
#[derive(Debug, Default)]
pub(super) struct Depends {
    /// Axes.
    pub over: BTreeSet<Name>,
    /// Steps that it comes out of.
    pub reads: BTreeSet<usize>,
    /// Inputs of the workflow.
    pub inputs: BTreeSet<Name>,
}

impl Depends {
    /// Adds a step that is read, with these of its axes closed.
    pub fn read(&mut self, step: usize, closed: &Closed, axes: &[Axes]) {
        self.over.extend(axes[step].keys().filter(|axis| !closed.has(axis)).cloned());
        self.reads.insert(step);
    }
}

impl Step {
    /// True for a step that makes predictions.
    pub fn predicts(&self) -> bool {
        matches!(self.role, Role::Predicts)
    }

    /// The call, for a step that calls a workflow.
    pub fn call(&self) -> Option<&Call> {
        match &self.role {
            Role::Calls(call) => Some(call),
            Role::Predicts | Role::Gives(..) => None,
        }
    }

    /// Every value with templates in it.
    fn values(&self) -> impl Iterator<Item = &Bound> {
        let rest = [&self.r#where, &self.condition, &self.draw, &self.save].into_iter().flatten();
        self.with.values().chain(self.each.values().map(|axis| &axis.values)).chain(rest)
    }

    /// Every number of another step, to be put elsewhere.
    fn renumber(&mut self, number: &impl Fn(usize) -> usize) {
        self.deps.iter_mut().for_each(|dep| dep.step = number(dep.step));
        self.feeds
            .iter_mut()
            .flat_map(|feed| &mut feed.sources)
            .for_each(|pipe| pipe.step = number(pipe.step));
        for openers in self.axes.values_mut() {
            *openers = openers.iter().map(|opener| number(*opener)).collect();
        }
        let each = self.each.values_mut().map(|axis| &mut axis.reads);
        for reads in each.chain([&mut self.where_reads]) {
            *reads = reads.iter().map(|read| number(*read)).collect();
        }
    }
}

/// What an output or a port is: the kind of file, none for text, and whether it is a list.
pub(super) type Shape = (Option<MediaKind>, bool);

/// What the items of a list are, however many lists are in each other.
fn innermost(gives: &Type) -> Type {
    let items = gives.items();
    if items.kinds().only(Kinds::LIST) { innermost(&items) } else { items }
}

fn shape_of(gives: &Type) -> Option<Shape> {
    let one = |gives: &Type| match gives.media_kind() {
        Some(kind) => Some(Some(kind)),
        None => gives.kinds().only(Kinds::TEXT).then_some(None),
    };
    let gives = gives.when_there().without_null();
    match gives.kinds().only(Kinds::LIST) {
        true => Some((one(&innermost(&gives))?, true)),
        false => Some((one(&gives)?, false)),
    }
}

/// The name of a port of this shape.
pub(super) fn word(shape: Shape) -> String {
    let (kind, many) = shape;
    format!("{}{}", kind.map_or("text", MediaKind::as_str), if many { "s" } else { "" })
}

/// The output of a called workflow that a port such as `image` or `texts` means: the one of this
/// name, else the only one that is such.
pub(crate) fn output_for<'o>(outputs: &'o IndexMap<Name, Output>, port: &str) -> Option<&'o Name> {
    if let Some((name, _)) = outputs.get_key_value(port) {
        return Some(name);
    }
    let one = port.strip_suffix('s').unwrap_or(port);
    let kind = if one == "text" { None } else { Some(MediaKind::of_name(one)?) };
    let of_kind = |(name, output): (&'o Name, &Output)| {
        let (given, many) = shape_of(&output.gives)?;
        let fits = match (kind, given) {
            (Some(kind), Some(given)) => kind.accepts(given),
            (kind, given) => kind == given,
        };
        fits.then_some((name, many))
    };
    let found: Vec<_> = outputs.iter().filter_map(of_kind).collect();
    let many = one != port;
    let exact: Vec<_> = found.iter().filter(|(_, list)| *list == many).collect();
    match (&exact[..], &found[..]) {
        ([(name, _)], _) | (_, [(name, _)]) => Some(name),
        _ => None,
    }
}

/// What one output of a called workflow is when nobody says which: the kind of its outputs, when
/// they are of one kind, or of the only ones that are files.
pub(super) fn main_shape(outputs: &IndexMap<Name, Output>) -> Option<Shape> {
    let kinds: BTreeSet<Option<MediaKind>> =
        outputs.values().filter_map(|output| Some(shape_of(&output.gives)?.0)).collect();
    let files: Vec<_> = kinds.iter().copied().flatten().collect();
    match (&files[..], kinds.len()) {
        ([kind], _) => Some((Some(*kind), false)),
        ([], 1) => Some((None, false)),
        _ => None,
    }
}

/// `` `sheet` (image), `title` (text) ``: for messages.
pub(crate) fn outputs_in_words(outputs: &IndexMap<Name, Output>) -> String {
    let one = |(name, output): (&Name, &Output)| match shape_of(&output.gives) {
        Some(shape) => format!("`{name}` ({})", word(shape)),
        None => format!("`{name}`"),
    };
    outputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Check<'_> {
    /// A workflow as something that a step can call; none when it is broken.
    pub(super) fn called(
        &mut self,
        step: &Name,
        uses: &str,
        called: &Arc<Workflow>,
        callees: &mut Callees<'_>,
    ) -> Option<Arc<Callee>> {
        let span = self.workflow.steps[step].uses.span;
        let graph = match callees.enter(&called.source, &self.workflow.source) {
            Ok(Entered::Before(graph)) => graph?,
            Ok(Entered::Now) => {
                let mut check = Check::new(called, std::mem::take(&mut self.templates));
                let graph = check.graph(callees).filter(|_| !check.found.has_errors()).map(Arc::new);
                self.templates = check.templates;
                self.found.extend(check.found);
                callees.leave(&called.source, graph.clone());
                graph?
            }
            Err(path) => {
                let message = format!("workflows call each other: {}", path.join(" -> "));
                let finding = self.error(Code::Cycle, span, message).caret("is called by itself in the end");
                self.found.push(finding);
                return None;
            }
        };
        self.check_call_keys(step, uses);
        Some(Arc::new(callee(uses, called, graph)))
    }

    /// Keys that belong to predictions, which a call makes none of itself.
    fn check_call_keys(&mut self, name: &Name, uses: &str) {
        let step = &self.workflow.steps[name];
        let keys = [
            ("json", step.json.as_ref().map(|json| json.span)),
            ("version", step.version.as_ref().map(|version| version.span)),
            ("timeout", step.timeout.map(|_| step.uses.span)),
            ("retry", (step.retry.times > 0 || !step.retry.on.is_empty()).then_some(step.uses.span)),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{key}` belongs to a prediction, and `{uses}` is a workflow");
            let finding = self.error(Code::UnknownKey, span, message);
            self.found.push(finding.hint(format!("write `{key}` at the step in `{uses}` that it is for")));
        }
    }

    /// What the legs of a step are, as yet without what [`link`] fills in.
    pub(super) fn role(
        &self,
        number: usize,
        callee: &Callee,
        feeds: Option<&[Feed]>,
        axes: &[Axes],
        known: &Known<'_>,
    ) -> Role {
        if callee.called.is_none() {
            return Role::Predicts;
        }
        let (_, step) = self.workflow.steps.get_index(number).expect("a step's number");
        let mut given: BTreeMap<Name, Given> = BTreeMap::new();
        for (input, binding) in &step.with {
            let Depends { over, reads, inputs } = self.depends_on(&binding.value, axes);
            let length = known.length_of(number, &binding.value);
            given.insert(input.as_str().into(), Given { over, inputs, later: !reads.is_empty(), length });
        }
        for feed in feeds.into_iter().flatten() {
            let mut depends = Depends::default();
            feed.sources.iter().for_each(|pipe| depends.read(pipe.step, &pipe.closed, axes));
            let fed = Given { over: depends.over, inputs: BTreeSet::new(), later: true, length: (0, None) };
            given.insert(feed.field.as_str().into(), fed);
        }
        Role::Calls(Call { given, ..Call::default() })
    }
}

fn callee(uses: &str, called: &Workflow, graph: Arc<Graph>) -> Callee {
    let fields = fields_of_inputs(&called.inputs, &called.source, &mut Diagnostics::default());
    let place = |name: &str| {
        let span = called.inputs[name].name_span;
        Port { name_span: span, field: Spanned { value: name.to_owned(), span }, repaint: None }
    };
    let is_port = |name: &str| fields[name].media.is_some() || name == "text";
    let mut ports: IndexMap<String, Port> =
        fields.keys().filter(|name| is_port(name)).map(|name| (name.clone(), place(name))).collect();
    // An input that is the only one of its kind is the port of that kind, whatever its name.
    for kind in [MediaKind::Image, MediaKind::Video, MediaKind::Audio] {
        let of_kind = fields.iter().filter_map(|(name, field)| Some((name, field.media?)));
        let mut of_kind = of_kind.filter(|(_, media)| media.kind == kind);
        if let (Some((name, media)), None) = (of_kind.next(), of_kind.next()) {
            ports.entry(word((Some(kind), media.many))).or_insert_with(|| place(name));
        }
    }
    let reference = ModelRef { owner: "workflow".to_owned(), name: called.name.to_string(), version: None };
    let mut model = Model::unknown(reference, called.name.to_string(), &called.source);
    // What it takes is known, field by field.
    model.schema = Some(json!({}));
    Callee {
        uses: uses.to_owned(),
        name: called.name.to_string(),
        source: called.source.clone(),
        fields,
        ports,
        layers: Vec::new(),
        model,
        called: Some(graph),
    }
}

/// Puts the steps of called workflows beside those that call them.
pub(super) fn link(graph: Graph, templates: &mut Templates) -> Result<Graph, Box<Diagnostic>> {
    if graph.steps.iter().all(Step::predicts) {
        return Ok(graph);
    }
    let mut numbers = Vec::new();
    let mut next = 0;
    for step in &graph.steps {
        numbers.push(next);
        next += 1 + step.callee.called.as_ref().map_or(0, |called| called.steps.len() + called.outputs.len());
        if next > MOST_STEPS {
            let message = format!("with the workflows that it calls there are more than {MOST_STEPS} steps");
            return Err(Box::new(Diagnostic::error(
                Code::InvalidValue,
                &graph.source,
                step.uses_span,
                message,
            )));
        }
    }
    let number = |step: usize| numbers[step];
    let mut frames = graph.frames.clone();
    frames[0].names =
        Arc::new(graph.names.iter().map(|(name, step)| (name.clone(), number(*step))).collect());
    let mut steps: Vec<Step> = Vec::with_capacity(next);
    for mut step in graph.steps {
        step.renumber(&number);
        match step.callee.called.clone() {
            Some(called) => enter(step, &called, &mut steps, &mut frames),
            None => steps.push(step),
        }
    }
    for at in numbers.iter().copied() {
        let (deps, feeds) = (reads(&steps, &frames[0], at), fed(&steps, at));
        let aligned = aligned(&steps, &frames[0], steps[at].values(), &steps[at].feeds);
        steps[at].deps = deps;
        steps[at].feeds = feeds;
        steps[at].aligned = aligned;
    }
    let mut outputs = graph.outputs;
    let has_none = outputs.values().all(|output| output.implied);
    for output in outputs.values_mut() {
        output.deps.iter_mut().for_each(|dep| dep.step = number(dep.step));
        output.deps = through_calls(&steps, &frames[0], &output.deps, [&output.value], &[]);
        output.aligned = aligned(&steps, &frames[0], [&output.value], &[]);
        output.labels =
            output.labels.map(number).map(|step| labelled(&steps, &frames[0], &output.value, step));
    }
    if has_none {
        for (name, output) in implied(&steps, &numbers, &frames[0], templates) {
            if outputs.contains_key(&name) {
                let message = format!("an output of this call would be named `{name}`, as another step is");
                let finding =
                    Diagnostic::error(Code::SaveCollision, &graph.source, output.value.span, message);
                return Err(Box::new(finding.hint("name what the workflow gives under `outputs`")));
            }
            outputs.insert(name, output);
        }
    }
    let needs: Vec<Vec<usize>> =
        steps.iter().map(|step| step.deps.iter().map(|dep| dep.step).collect()).collect();
    let named = steps.iter().enumerate().filter(|(_, step)| !matches!(step.role, Role::Gives(..)));
    Ok(Graph {
        names: Arc::new(named.map(|(number, step)| (step.name.clone(), number)).collect()),
        order: super::sort(&needs).0,
        reads: with_called(&steps, graph.reads, |called| &called.reads),
        files: with_called(&steps, graph.files, |called| &called.files),
        frames,
        steps,
        outputs,
        ..graph
    })
}

/// Where the parts of a called workflow come to stand.
struct Place<'g> {
    gate: &'g Step,
    call: &'g Call,
    /// The number of the calling step.
    number: usize,
    /// The number of its first step.
    base: usize,
    /// The number of its first frame.
    frame: usize,
    prefix: Arc<str>,
}

/// A calling step, then the steps of the workflow that it calls, then its outputs.
fn enter(mut gate: Step, called: &Graph, steps: &mut Vec<Step>, frames: &mut Vec<Frame>) {
    let (number, base, frame) = (steps.len(), steps.len() + 1, frames.len());
    let prefix: Arc<str> = format!("{}/", gate.name).into();
    let inner = base..base + called.steps.len();
    let outputs = called.outputs.keys().cloned().zip(inner.end..).collect();
    let decides = (0..called.steps.len()).filter(|step| called.decides(*step)).map(|step| step + base);
    let call = gate.call().cloned().unwrap_or_default();
    let call = Call { outputs, inner, decides: decides.collect(), ..call };
    gate.role = Role::Calls(call.clone());
    let place = Place { gate: &gate, call: &call, number, base, frame, prefix };
    frames.extend(called.frames.iter().map(|frame| place.frame(frame)));
    let inner: Vec<Step> = called.steps.iter().map(|step| place.step(step)).collect();
    let several = called.outputs.len() > 1;
    let outputs: Vec<Step> =
        called.outputs.iter().map(|(name, output)| place.output(name, output, several)).collect();
    steps.push(gate);
    steps.extend(inner);
    steps.extend(outputs);
}

impl Graph {
    /// True when one of these steps asks whether a step failed.
    pub(crate) fn is_tested(&self, number: usize, by: impl Fn(&Step) -> bool) -> bool {
        let asks = |step: &&Step| step.deps.iter().any(|dep| dep.step == number && dep.tested);
        self.steps.iter().filter(asks).any(by)
    }

    /// True for a step of a called workflow whose failure is that of the call.
    fn decides(&self, number: usize) -> bool {
        let step = &self.steps[number];
        let handled = step.on_error == OnError::Skip || step.forgiven || self.is_tested(number, |_| true);
        !matches!(step.role, Role::Gives(..)) && !handled
    }
}

impl Place<'_> {
    fn name(&self, name: &Name) -> Name {
        Name::new(format!("{}{name}", self.prefix))
    }

    fn names(&self, names: &BTreeSet<Name>) -> BTreeSet<Name> {
        names.iter().map(|name| self.name(name)).collect()
    }

    fn frame(&self, frame: &Frame) -> Frame {
        let names = frame.names.iter().map(|(name, step)| (name.clone(), step + self.base));
        Frame {
            source: frame.source.clone(),
            vars: frame.vars.clone(),
            names: Arc::new(names.collect()),
            prefix: format!("{}{}", self.prefix, frame.prefix).into(),
            call: Some(frame.call.map_or(self.number, |call| call + self.base)),
        }
    }

    fn closed(&self, closed: &Closed) -> Closed {
        match closed {
            Closed::None => Closed::None,
            Closed::Named(names) => Closed::Named(self.names(names)),
            Closed::Every => Closed::Within(self.prefix.clone()),
            Closed::Within(prefix) => Closed::Within(format!("{}{prefix}", self.prefix).into()),
        }
    }

    /// What a step waits for: the call first, then what it waits for in its own workflow.
    fn deps(&self, deps: &[Dep]) -> Vec<Dep> {
        let call = Dep { step: self.number, closed: Closed::None, tested: false, order_only: false };
        let own = deps.iter().map(|dep| Dep { closed: self.closed(&dep.closed), ..dep.clone() });
        std::iter::once(call).chain(own).collect()
    }

    fn step(&self, step: &Step) -> Step {
        let mut step = step.clone();
        step.renumber(&|number| number + self.base);
        let where_reads = self.where_reads(&step);
        let own = step.axes.into_iter().map(|(axis, openers)| (self.name(&axis), openers));
        let pipe = |mut feed: Feed| {
            feed.sources.iter_mut().for_each(|pipe| pipe.closed = self.closed(&pipe.closed));
            feed
        };
        Step {
            name: self.name(&step.name),
            frame: step.frame + self.frame,
            role: self.role(step.role),
            axes: self.gate.axes.clone().into_iter().chain(own).collect(),
            each: step
                .each
                .into_iter()
                .map(|(axis, opened)| (self.name(&axis), self.opened(opened)))
                .collect(),
            mentioned: self.names(&step.mentioned),
            deps: self.deps(&step.deps),
            feeds: step.feeds.into_iter().map(pipe).collect(),
            forgiven: step.forgiven || self.gate.on_error == OnError::Skip,
            aligned: self.aligned(&step.aligned),
            where_reads,
            where_inputs: self.given(&step.where_inputs).inputs,
            cache: step.cache && self.gate.cache,
            save: None,
            ..step
        }
    }

    fn role(&self, role: Role) -> Role {
        match role {
            Role::Predicts => Role::Predicts,
            Role::Calls(call) => Role::Calls(Call {
                outputs: call.outputs.into_iter().map(|(name, step)| (name, step + self.base)).collect(),
                inner: call.inner.start + self.base..call.inner.end + self.base,
                decides: call.decides.into_iter().map(|step| step + self.base).collect(),
                given: BTreeMap::new(),
            }),
            Role::Gives(output, folder) => Role::Gives(self.moved(&output), folder),
        }
    }

    /// The steps that `where` comes out of: the call, when it gives what comes out of a step.
    fn where_reads(&self, step: &Step) -> BTreeSet<usize> {
        let later = self.given(&step.where_inputs).later.then_some(self.number);
        step.where_reads.iter().copied().chain(later).collect()
    }

    fn aligned(&self, aligned: &Aligned) -> Aligned {
        let moved = |steps: &BTreeSet<usize>| steps.iter().map(|step| step + self.base).collect();
        Arc::new(aligned.iter().map(|(call, outputs)| (call + self.base, moved(outputs))).collect())
    }

    /// An output whose steps stand elsewhere.
    fn moved(&self, output: &Output) -> Output {
        let mut output = output.clone();
        output.deps.iter_mut().for_each(|dep| dep.step += self.base);
        output.labels = output.labels.map(|step| step + self.base);
        output.aligned = self.aligned(&output.aligned);
        output
    }

    /// A list of an axis, which depends on what the call gives for the inputs that it mentions.
    fn opened(&self, opened: Opened) -> Opened {
        let (mut over, mut reads) = (self.names(&opened.over), opened.reads);
        let given = self.given(&opened.inputs);
        over.extend(given.over);
        if given.later {
            reads.insert(self.number);
        }
        let (mut length, input) = (opened.length, opened.input);
        if let Some(given) = input.as_ref().and_then(|input| self.call.given.get(input)) {
            let bounds = [length.1, given.length.1].into_iter().flatten();
            length = (length.0.max(given.length.0), bounds.min());
        }
        // What comes out of a step in it is another for each call.
        if !reads.is_empty() {
            over.extend(self.gate.axes.keys().cloned());
        }
        Opened { over, reads, inputs: given.inputs, input: None, length, ..opened }
    }

    /// What those that are given for some inputs depend on together.
    fn given(&self, inputs: &BTreeSet<Name>) -> Given {
        let mut all = Given::default();
        for given in inputs.iter().filter_map(|input| self.call.given.get(input)) {
            all.over.extend(given.over.iter().cloned());
            all.inputs.extend(given.inputs.iter().cloned());
            all.later |= given.later;
        }
        all
    }

    fn output(&self, name: &Name, output: &Output, several: bool) -> Step {
        let gate = self.gate;
        let output = self.moved(output);
        Step {
            name: Name::new(format!("{}.{name}", gate.name)),
            source: output.value.source.clone(),
            frame: self.frame,
            deps: self.deps(&output.deps),
            aligned: output.aligned.clone(),
            role: Role::Gives(output, several.then(|| name.clone())),
            with: IndexMap::new(),
            feeds: Vec::new(),
            each: IndexMap::new(),
            r#where: None,
            where_reads: BTreeSet::new(),
            where_inputs: BTreeSet::new(),
            condition: None,
            draw: None,
            mentioned: BTreeSet::new(),
            proofs: super::Proofs::default(),
            ..gate.clone()
        }
    }
}

/// What a step of the workflow itself waits for, calls looked through.
fn reads(steps: &[Step], frame: &Frame, at: usize) -> Vec<Dep> {
    let step = &steps[at];
    through_calls(steps, frame, &step.deps, step.values(), &step.feeds)
}

/// What comes out of a call comes out of the step that its output is.
fn fed(steps: &[Step], at: usize) -> Vec<Feed> {
    let mut feeds = steps[at].feeds.clone();
    for pipe in feeds.iter_mut().flat_map(|feed| &mut feed.sources) {
        if let Some(output) = piped(steps, pipe) {
            pipe.step = output;
        }
    }
    feeds
}

/// The step that is the output of a call which is piped.
fn piped(steps: &[Step], pipe: &Pipe) -> Option<usize> {
    steps[pipe.step].call()?.outputs.get(pipe.output.as_ref()?).copied()
}

/// What readers of a call wait for besides the call: the outputs that they read, or all steps that
/// decide how it ends.
fn through_calls<'a>(
    steps: &[Step],
    frame: &'a Frame,
    deps: &[Dep],
    values: impl IntoIterator<Item = &'a Bound>,
    feeds: &[Feed],
) -> Vec<Dep> {
    let mut found = deps.to_vec();
    let calls: BTreeMap<usize, (&Step, &Call)> =
        deps.iter().filter_map(|dep| Some((dep.step, (&steps[dep.step], steps[dep.step].call()?)))).collect();
    if calls.is_empty() {
        return found;
    }
    let tested: BTreeSet<usize> = deps.iter().filter(|dep| dep.tested).map(|dep| dep.step).collect();
    let values: Vec<&Bound> = values.into_iter().collect();
    let beside = aligned(steps, frame, values.iter().copied(), feeds);
    let mut add = |call: usize, step: usize, closed: Closed, order_only: bool| {
        let dep = Dep { step, closed, tested: tested.contains(&call), order_only };
        if !found.contains(&dep) {
            found.push(dep);
        }
    };
    for dep in deps.iter().filter(|dep| dep.order_only) {
        let inner = calls.get(&dep.step).map_or(0..0, |(_, call)| call.inner.clone());
        inner.for_each(|step| add(dep.step, step, Closed::Every, true));
    }
    for pipe in feeds.iter().flat_map(|feed| &feed.sources) {
        if let Some(step) = piped(steps, pipe) {
            add(pipe.step, step, pipe.closed.clone(), false);
        }
    }
    for reference in frame.references(values) {
        let Target::Step { step: name, all, attribute, rest, .. } = &reference.target else { continue };
        let Some(number) = frame.names.get(name.value.as_str()) else { continue };
        let Some((step, call)) = calls.get(number) else { continue };
        let closed = Closed::of(all.as_ref());
        let is_each = attribute.as_ref().is_some_and(|attribute| attribute.value == "each");
        match output_read(step, attribute.as_ref(), rest) {
            // Beside lists of outputs the axis values are those of the same legs.
            Read::End if is_each && beside.contains_key(number) => {}
            Read::Outputs(outputs) => {
                outputs.iter().for_each(|output| add(*number, call.outputs[output], closed.clone(), false));
            }
            Read::End => call.decides.iter().for_each(|inner| {
                add(*number, *inner, closed.clone().and_within(&steps[*inner], &step.name), false);
            }),
            Read::Call => {}
        }
    }
    // A failure that is tested is handled for all that is read of the call.
    for (number, (step, call)) in calls {
        if tested.contains(&number) {
            for inner in &call.decides {
                let closed = Closed::None.and_within(&steps[*inner], &step.name);
                let dep = Dep { step: *inner, closed, tested: true, order_only: false };
                if !found.iter().any(|dep| dep.step == *inner && dep.tested) {
                    found.push(dep);
                }
            }
        }
    }
    found
}

/// For each call the outputs that are read of all its legs.
fn aligned<'a>(
    steps: &[Step],
    frame: &'a Frame,
    values: impl IntoIterator<Item = &'a Bound>,
    feeds: &[Feed],
) -> Aligned {
    let mut found: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for pipe in feeds.iter().flat_map(|feed| &feed.sources).filter(|pipe| pipe.closed != Closed::None) {
        if let Some(output) = piped(steps, pipe) {
            found.entry(pipe.step).or_default().insert(output);
        }
    }
    for reference in frame.references(values) {
        let Target::Step { step: name, all: Some(_), attribute, rest, .. } = &reference.target else {
            continue;
        };
        let Some(number) = frame.names.get(name.value.as_str()) else { continue };
        let Some(call) = steps[*number].call() else { continue };
        if let Read::Outputs(outputs) = output_read(&steps[*number], attribute.as_ref(), rest) {
            let outputs = outputs.iter().map(|output| call.outputs[output]);
            found.entry(*number).or_default().extend(outputs);
        }
    }
    Arc::new(found)
}

/// What a reference to a call reads.
enum Read {
    /// Outputs.
    Outputs(Vec<Name>),
    /// How it ends.
    End,
    /// What it was given.
    Call,
}

fn output_read(step: &Step, attribute: Option<&Spanned<String>>, rest: &[String]) -> Read {
    let outputs = step.callee.called.as_ref().map(|called| &called.outputs);
    let Some(outputs) = outputs else { return Read::Call };
    match attribute.map(|attribute| attribute.value.as_str()) {
        None | Some("status" | "error" | "cost" | "each") => Read::End,
        Some("input" | "seed") => Read::Call,
        Some("output") => match rest.first().and_then(|name| outputs.get_key_value(name.as_str())) {
            Some((name, _)) => Read::Outputs(vec![name.clone()]),
            None => Read::Outputs(outputs.keys().cloned().collect()),
        },
        Some(port) => Read::Outputs(output_for(outputs, port).cloned().into_iter().collect()),
    }
}

impl Closed {
    /// The same for a step inside of a call: the axes that its own workflow opens are closed too.
    fn and_within(self, inner: &Step, call: &Name) -> Self {
        let prefix: Arc<str> = format!("{call}/").into();
        match self {
            Self::None => Self::Within(prefix),
            Self::Named(mut names) => {
                names.extend(inner.axes.keys().filter(|axis| axis.as_str().starts_with(&*prefix)).cloned());
                Self::Named(names)
            }
            every => every,
        }
    }
}

/// The step whose legs name the files of a list: that of an output, where a call is read.
fn labelled(steps: &[Step], frame: &Frame, value: &Bound, step: usize) -> usize {
    let Some(call) = steps[step].call() else { return step };
    let read = frame.references([value]).into_iter().find_map(|reference| match &reference.target {
        Target::Step { attribute, rest, .. } => match output_read(&steps[step], attribute.as_ref(), rest) {
            Read::Outputs(outputs) => outputs.into_iter().next(),
            Read::End | Read::Call => None,
        },
        _ => None,
    });
    read.map_or(step, |output| call.outputs[&output])
}

/// What calls that nothing reads yield, in a workflow that names no outputs.
fn implied(
    steps: &[Step],
    numbers: &[usize],
    frame: &Frame,
    templates: &mut Templates,
) -> Vec<(Name, Output)> {
    let reads = numbers.iter().flat_map(|number| &steps[*number].deps).filter(|dep| !dep.order_only);
    let read: BTreeSet<usize> = reads.map(|dep| dep.step).collect();
    let idle = numbers.iter().filter(|number| !read.contains(number));
    let mut found = Vec::new();
    for number in idle {
        let step = &steps[*number];
        let Some(call) = step.call() else { continue };
        for (name, output) in &call.outputs {
            let Role::Gives(given, _) = &steps[*output].role else { continue };
            let many = !step.axes.is_empty();
            let all = if many { ".all" } else { "" };
            // In brackets every name can be written.
            let code = format!("steps[{}]{all}.output[{}]", json!(step.name.as_str()), json!(name.as_str()));
            let dep = Dep { step: *output, closed: Closed::Every, tested: false, order_only: false };
            let own =
                if call.outputs.len() > 1 { format!("{}_{name}", step.name) } else { step.name.to_string() };
            let output = Output {
                value: templates.bind_expression(&code, &frame.source, step.span),
                gives: if many { Type::list(&given.gives) } else { given.gives.clone() },
                deps: vec![dep],
                aligned: Aligned::default(),
                of_cost: given.of_cost,
                labels: many.then_some(*output),
                implied: true,
            };
            found.push((Name::new(own), output));
        }
    }
    found
}

/// What the documents name, each place once however often a workflow is called.
fn with_called(
    steps: &[Step],
    mut own: Vec<super::Mention>,
    of: impl Fn(&Graph) -> &Vec<super::Mention>,
) -> Vec<super::Mention> {
    let mut seen = BTreeSet::new();
    for called in
        steps.iter().filter(|step| step.call().is_some()).filter_map(|step| step.callee.called.as_ref())
    {
        if seen.insert(called.source.name.clone()) {
            own.extend(of(called).iter().cloned());
        }
    }
    own
}
