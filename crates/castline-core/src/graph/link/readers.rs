//! What those who read a call wait for: the outputs that they read, or how it ends.
//!
//! Start reading at [`through_calls`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::template::Target;
use castline_spec::{Name, Spanned};

use crate::graph::call_ports::output_for;
use crate::graph::calls::Call;
use crate::graph::frame::Frame;
use crate::graph::{Aligned, Closed, Dep, Feed, Pipe, Step};
use crate::templates::Bound;

/// What a step of the workflow itself waits for, calls looked through.
pub(super) fn reads(steps: &[Step], frame: &Frame, at: usize) -> Vec<Dep> {
    let step = &steps[at];
    through_calls(steps, frame, &step.deps, step.values(), &step.feeds)
}

/// What comes out of a call comes out of the step that its output is.
pub(super) fn fed(steps: &[Step], at: usize) -> Vec<Feed> {
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
pub(super) fn through_calls<'a>(
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
pub(super) fn aligned<'a>(
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
pub(super) fn labelled(steps: &[Step], frame: &Frame, value: &Bound, step: usize) -> usize {
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
