//! Workflows that steps call as they call presets.
//!
//! A called workflow is checked on its own, as any other one, and made into something that a step can
//! call. Its steps are put beside those of the caller in [`super::link`].
//!
//! Start reading at [`Check::called`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use castline_spec::preset::Port;
use castline_spec::schema::MediaKind;
use castline_spec::workflow::OnError;
use castline_spec::{Code, Diagnostics, Name, Spanned, Workflow};
use indexmap::IndexMap;
use serde_json::json;

use super::call_ports::word;
use super::known::Known;
use super::refs::Depends;
use super::{Axes, Check, Feed, Graph, Length, Output, Step};
use crate::callee::{Callee, Callees, Entered, Model, fields_of_inputs};
use crate::model::ModelRef;

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
    pub(super) given: BTreeMap<Name, Given>,
}

/// What a value that a call gives depends on.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) over: BTreeSet<Name>,
    pub(super) inputs: BTreeSet<Name>,
    /// It comes out of a step.
    pub(super) later: bool,
    /// How many values it has, when it is a list.
    pub(super) length: Length,
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

impl Graph {
    /// True when one of these steps asks whether a step failed.
    pub(crate) fn is_tested(&self, number: usize, by: impl Fn(&Step) -> bool) -> bool {
        let asks = |step: &&Step| step.deps.iter().any(|dep| dep.step == number && dep.tested);
        self.steps.iter().filter(asks).any(by)
    }

    /// True for a step of a called workflow whose failure is that of the call.
    pub(super) fn decides(&self, number: usize) -> bool {
        let step = &self.steps[number];
        let handled = step.on_error == OnError::Skip || step.forgiven || self.is_tested(number, |_| true);
        !matches!(step.role, Role::Gives(..)) && !handled
    }
}
