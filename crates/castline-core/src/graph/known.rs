//! What is known of the values that a workflow's templates mention.
//!
//! Start reading at [`Known::new`]; [`View`] is what the templates of one step see.

use std::sync::Arc;

use castline_spec::preset::OutputKind;
use castline_spec::schema::MediaKind;
use castline_spec::template::Shape;
use castline_spec::template::tree::{Expr, ExprKind};
use castline_spec::{Code, Diagnostic, Dynamic, DynamicKind, Name, Workflow};
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::call_ports::output_for;
use super::{Axes, Check, Graph, Length};
use crate::callee::Callee;
use crate::request::FailureKind;
use crate::results::LegStatus;
use crate::scope::is_port;
use crate::types::infer::{Infer, Names};
use crate::types::{Kinds, Type, describe};

/// The types of inputs and axes, and what the steps offer.
pub(super) struct Known<'c> {
    workflow: &'c Workflow,
    names: Arc<IndexMap<Name, usize>>,
    callees: &'c [Option<Arc<Callee>>],
    pub axes: &'c [Axes],
    inputs: IndexMap<Name, Type>,
    /// The values of each axis that a step opens, and how many there are.
    own_axes: Vec<IndexMap<Name, (Type, Length)>>,
}

/// What the templates of a step see; those of outputs stand on no step.
pub(super) struct View<'k> {
    known: &'k Known<'k>,
    step: Option<usize>,
}

impl<'c> Known<'c> {
    /// With what can never be an axis, and what is wrong with its expression.
    pub fn new(
        check: &Check<'c>,
        callees: &'c [Option<Arc<Callee>>],
        axes: &'c [Axes],
        order: &[usize],
    ) -> (Self, Vec<Diagnostic>) {
        let workflow = check.workflow;
        let mut known = Self {
            workflow,
            names: check.names.clone(),
            callees,
            axes,
            inputs: workflow.inputs.iter().map(|(name, input)| (name.clone(), of_input(input))).collect(),
            own_axes: vec![IndexMap::new(); workflow.steps.len()],
        };
        let mut found = Vec::new();
        // An axis may depend on others, and on what a step gives: each after those.
        for number in order.iter().copied() {
            for (axis, binding) in &workflow.steps[number].each {
                let values = known.axis_values(number, axis, &binding.value, &mut found);
                known.own_axes[number].insert(axis.clone(), values);
            }
        }
        (known, found)
    }

    /// What the templates of a step see.
    pub fn of_step(&self, step: usize) -> View<'_> {
        View { known: self, step: Some(step) }
    }

    /// What the templates of outputs see.
    pub fn of_outputs(&self) -> View<'_> {
        View { known: self, step: None }
    }

    /// What a step calls.
    pub fn callee(&self, step: &str) -> Option<&'c Callee> {
        self.callees[*self.names.get(step)?].as_deref()
    }

    /// The workflow that a step calls.
    pub fn called(&self, step: &str) -> Option<&'c Graph> {
        self.callee(step)?.called.as_deref()
    }

    /// True when a step has axes.
    pub(crate) fn has_axes(&self, step: &str) -> bool {
        self.names.get(step).is_some_and(|step| !self.axes[*step].is_empty())
    }

    /// The step that opens an axis of another one, when it is the only one.
    pub(crate) fn only_opener(&self, step: usize, axis: &str) -> Option<usize> {
        let openers = self.axes[step].get(axis)?;
        (openers.len() == 1).then(|| openers.first().copied())?
    }

    /// How many values an own axis of a step has.
    pub fn length(&self, step: usize, axis: &Name) -> Length {
        self.own_axes[step].get(axis).map_or((0, None), |(_, length)| *length)
    }

    /// How many values a list has that is given to a step.
    pub(crate) fn length_of(&self, step: usize, values: &Dynamic) -> Length {
        let view = self.of_step(step);
        let (least, most) = Infer::new(&view, &self.workflow.source).value(values).length();
        (least, most.into_iter().chain(longest_slice(values)).min())
    }

    fn axis_values(
        &self,
        step: usize,
        axis: &Name,
        values: &Dynamic,
        findings: &mut Vec<Diagnostic>,
    ) -> (Type, Length) {
        let is_text = matches!(&values.kind, DynamicKind::Template(t) if t.shape == Shape::Text);
        if is_text || matches!(values.kind, DynamicKind::Literal(_) | DynamicKind::Map(_)) {
            // What is no list is said where the document is read.
            return (Type::any(), (0, None));
        }
        let view = self.of_step(step);
        let mut infer = Infer::new(&view, &self.workflow.source);
        let list = infer.value(values);
        let mut found = infer.found;
        let kinds = list.kinds();
        if kinds != Kinds::NONE && !kinds.any(Kinds::LIST) && found.is_empty() {
            found.push(self.no_list(axis, values, &list));
        }
        findings.extend(found);
        let items = match values.as_literal() {
            // As it is written: findings point at the item.
            Some(Json::Array(items)) => Type::union(&items.iter().map(Type::literal).collect::<Vec<_>>()),
            _ => list.items(),
        };
        let (least, most) = list.length();
        (items, (least, most.into_iter().chain(longest_slice(values)).min()))
    }

    /// An axis over something that is no list.
    fn no_list(&self, axis: &Name, values: &Dynamic, found: &Type) -> Diagnostic {
        let span = expression_span(values);
        let message = format!("axis `{axis}` needs a list, and this is {}", describe(&found.schema));
        let finding = Diagnostic::error(Code::TypeMismatch, &self.workflow.source, span, message);
        let finding = match self.declared(values) {
            Some((name, span)) => {
                finding.label(&self.workflow.source, span, format!("input `{name}` is declared here"))
            }
            None => finding,
        };
        let expression = self.workflow.source.slice(span).to_owned();
        let lines = found.kinds().only(Kinds::TEXT);
        let hint = if lines {
            format!("`[{expression}]` is a list of one, and `{expression} | lines` one of its lines")
        } else {
            format!("`[{expression}]` is a list of one")
        };
        finding.hint(hint).suggest(span, format!("[{expression}]"))
    }

    /// The input that a value is and nothing else, with the place of its name.
    pub fn declared(&self, value: &Dynamic) -> Option<(&'c Name, castline_spec::Span)> {
        let name = super::types::bare_input(value)?;
        let (name, input) = self.workflow.inputs.get_key_value(name)?;
        Some((name, input.name_span))
    }
}

/// The most items of a list that is cut off: 3 for `[:3]`.
fn longest_slice(values: &Dynamic) -> Option<usize> {
    let ExprKind::Slice(_, bounds) = &values.lone()?.kind else { return None };
    let [start, stop, _] = &**bounds;
    let number = |bound: &Expr| match &bound.kind {
        ExprKind::Literal(value) => value.as_u64().map(|n| n as usize),
        _ => None,
    };
    let start = start.as_ref().map_or(Some(0), number)?;
    Some(number(stop.as_ref()?)?.saturating_sub(start))
}

/// Where a value's expression stands: without its braces and quotes when it is one.
pub(super) fn expression_span(value: &Dynamic) -> castline_spec::Span {
    value.lone().map_or(value.span, |expression| expression.span)
}

fn of_input(input: &castline_spec::workflow::Input) -> Type {
    let given = Type::of_schema(&input.schema.json);
    match &input.default {
        Some(default) if default.value.is_null() => given.or(&Type::literal(&Json::Null)),
        _ => given,
    }
}

/// False when a model surely gives nothing under this name.
fn may_offer(gives: OutputKind, attribute: &str) -> bool {
    let port = match attribute {
        "image" | "images" => OutputKind::Image,
        "video" | "videos" => OutputKind::Video,
        "audio" | "audios" => OutputKind::Audio,
        "text" => OutputKind::Text,
        "file" | "files" => return !matches!(gives, OutputKind::Text),
        _ => return true,
    };
    gives == port || matches!(gives, OutputKind::File | OutputKind::Json)
}

impl Names for View<'_> {
    fn input(&self, name: &str) -> Type {
        self.known.inputs.get(name).cloned().unwrap_or_else(Type::unknown)
    }

    fn var(&self, name: &str) -> Option<&Dynamic> {
        Some(&self.known.workflow.vars.get(name)?.value)
    }

    fn axis(&self, name: &str) -> Type {
        match self.step {
            Some(step) => self.axis_of(step, name),
            None => Type::unknown(),
        }
    }

    fn step(&self, name: &str) -> Option<usize> {
        self.known.names.get(name).copied()
    }

    fn offers(&self, step: usize, attribute: &str) -> Type {
        let Some(callee) = self.known.callees[step].as_deref() else { return Type::unknown() };
        let (_, declared) = self.known.workflow.steps.get_index(step).expect("a step's number");
        let one = |kind| Type::media(kind);
        let list = |kind| Type::list(&Type::media(kind));
        let outputs = callee.called.as_ref().map(|called| &called.outputs);
        if let (Some(outputs), "output") = (outputs, attribute) {
            let types = outputs.iter().map(|(name, output)| (name.as_str(), &output.gives));
            return Type::map(types);
        }
        if outputs.is_some_and(|outputs| {
            attribute == "json" || is_port(attribute) && output_for(outputs, attribute).is_none()
        }) {
            return Type::unknown();
        }
        if !may_offer(callee.model.output.kind, attribute) {
            // This is said already where it is named.
            return Type::unknown();
        }
        // Any file is of the kind that the model gives, where that is known.
        let file = callee.gives().unwrap_or(MediaKind::File);
        match attribute {
            "image" => one(MediaKind::Image),
            "images" => list(MediaKind::Image),
            "video" => one(MediaKind::Video),
            "videos" => list(MediaKind::Video),
            "audio" => one(MediaKind::Audio),
            "audios" => list(MediaKind::Audio),
            "file" => one(file),
            "files" => list(file),
            "text" => Type::text(),
            "json" => declared
                .json
                .as_ref()
                .map_or_else(Type::unknown, |schema| Type::encoded(schema.value.clone())),
            "status" => {
                let words = LegStatus::ALL.iter().filter_map(|status| serde_json::to_value(status).ok());
                Type::one_of(&words.collect::<Vec<_>>())
            }
            "error" => {
                let kinds: Vec<_> = FailureKind::ALL.iter().map(|(word, _)| *word).collect();
                Type::encoded(json!({
                    "type": "object", "required": ["kind", "message"], "additionalProperties": false,
                    "properties": { "kind": { "enum": kinds }, "message": { "type": "string" } },
                }))
            }
            "cost" => Type::of_type("number"),
            "input" => Type::of_type("object"),
            _ => Type::any(),
        }
    }

    fn axis_of(&self, step: usize, axis: &str) -> Type {
        let Some(openers) = self.known.axes[step].get(axis) else { return Type::unknown() };
        let own = openers.iter().map(|opener| Some(&self.known.own_axes[*opener].get(axis)?.0));
        // An axis that is asked for before it is opened has its finding.
        own.collect::<Option<Vec<_>>>().map_or_else(Type::unknown, Type::union)
    }
}
