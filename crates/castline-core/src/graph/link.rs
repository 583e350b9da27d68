//! Puts the steps of called workflows beside those that call them.
//!
//! Once for each call, so that a plan and a run know steps and nothing else: the calling step holds
//! the values of the called workflow's inputs, every step of it waits for the calling one and has its
//! axes before its own, and each output is a step that the readers of the call wait for.
//!
//! Start reading at [`link`].

mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::workflow::OnError;
use castline_spec::{Code, Diagnostic, Name};
use indexmap::IndexMap;
use serde_json::json;

use super::calls::{Call, Given, Role};
use super::frame::Frame;
use super::{Aligned, Closed, Dep, Feed, Graph, Mention, Opened, Output, Proofs, Step};
use crate::templates::{Bound, Templates};
use crate::types::Type;
use readers::{aligned, fed, labelled, reads, through_calls};

/// More steps than this are a mistake: calls of calls multiply.
const MOST_STEPS: usize = 20_000;

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
            proofs: Proofs::default(),
            ..gate.clone()
        }
    }
}

impl Step {
    /// Every value with templates in it.
    pub(super) fn values(&self) -> impl Iterator<Item = &Bound> {
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
fn with_called(steps: &[Step], mut own: Vec<Mention>, of: impl Fn(&Graph) -> &Vec<Mention>) -> Vec<Mention> {
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
