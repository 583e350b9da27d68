//! What templates see: inputs, vars, steps, axes.
//!
//! The objects here answer minijinja's look-ups from the results of a run. A look-up that
//! finds an absent value, or one that is not known yet, is written down in [`Reads`], so
//! that the caller can tell a skipped leg from a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use castline_spec::Name;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value as Jinja};
use minijinja::{Error, ErrorKind, State};

use crate::files::{FileContent, FileRef, Files, NoFile, Origin, Want};
use crate::graph::{Aligned, Call, Frame, Graph, output_for};
use crate::legs::{AxisId, Coords, LegId, Legs, NOWHERE};
use crate::media::Artifact;
use crate::money::MicroUsd;
use crate::results::{LegResult, LegStatus, Results};
use crate::templates::{Bound, Stop, Templates, to_jinja};
use crate::value::Value;

/// A value that is not there because a leg was skipped, or failed and is handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// An attribute of a step's leg.
    Step {
        /// The step.
        step: Name,
        /// The attribute that was read; empty for the leg itself.
        attribute: String,
        /// The leg that is absent.
        leg: LegId,
    },
    /// A var whose expression read an absent value.
    Var {
        /// The var.
        var: Name,
        /// The leg that is absent.
        leg: LegId,
    },
}

impl Absent {
    /// The leg that is absent.
    pub fn leg(&self) -> LegId {
        match self {
            Self::Step { leg, .. } | Self::Var { leg, .. } => *leg,
        }
    }
}

/// What a rendering looked up and did not get.
#[derive(Debug, Default)]
pub struct Reads {
    /// Absent values, in the order of reading.
    pub absent: Vec<Absent>,
    /// True when something is not known yet.
    pub pending: bool,
}

/// The steps of a run, as far as templates may see them.
#[derive(Debug, Clone)]
pub struct StepsView {
    /// The checked workflow.
    pub graph: Arc<Graph>,
    /// The document whose templates are rendered.
    pub frame: usize,
    /// All legs.
    pub legs: Arc<Legs>,
    /// What became of them.
    pub results: Arc<Results>,
    /// Where the reader stands.
    pub reader: Coords,
    /// What its `.all.each` of a call is aligned with.
    pub aligned: Aligned,
}

impl StepsView {
    /// The document whose templates are rendered.
    pub(crate) fn frame(&self) -> &Frame {
        &self.graph.frames[self.frame]
    }

    /// The axes of a step that the document knows.
    fn axes_of(&self, step: usize) -> Vec<AxisId> {
        let axes = self.legs.axes_of(step).iter().copied();
        axes.filter(|axis| self.frame().axis(&self.legs.axes[axis.0].name).is_some()).collect()
    }

    /// The axis values of a leg, by the names that the document uses.
    fn values(&self, leg: LegId) -> Vec<(String, Jinja)> {
        let values = self.legs.values(leg);
        let own = values.iter().filter_map(|(axis, value)| Some((self.frame().axis(axis)?, value)));
        own.map(|(axis, value)| (axis.to_owned(), to_jinja(value))).collect()
    }
}

/// What one rendering sees.
#[derive(Clone)]
pub struct Scope {
    /// `inputs`; a value that is not given yet is missing.
    pub inputs: Arc<IndexMap<Name, Value>>,
    /// `vars`.
    pub vars: Arc<IndexMap<Name, Bound>>,
    /// `steps`, `each` and `index`; absent inside presets.
    pub steps: Option<StepsView>,
    /// `file.index`, in `save`.
    pub file: Option<usize>,
    /// The compiled templates, for vars.
    pub templates: Arc<Templates>,
    /// Files that `read()` may read.
    pub files: Arc<Files>,
    /// The document that paths are relative to.
    pub document: Arc<str>,
    /// How many vars deep the rendering is.
    pub depth: u32,
    /// What was not there.
    pub reads: Arc<Mutex<Reads>>,
    /// Vars that were rendered already: each once, however often others mention it.
    pub memo: Arc<Mutex<BTreeMap<Name, Result<Value, Stop>>>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scope")
    }
}

impl Scope {
    /// What the templates of a workflow see, with the steps as far as they are known.
    pub fn of_workflow(inputs: Arc<IndexMap<Name, Value>>, files: &Arc<Files>, steps: StepsView) -> Self {
        let frame = steps.frame();
        Self {
            inputs,
            vars: frame.vars.clone(),
            file: None,
            templates: steps.graph.templates.clone(),
            files: files.clone(),
            document: frame.source.name.clone(),
            steps: Some(steps),
            depth: 0,
            reads: Arc::default(),
            memo: Arc::default(),
        }
    }

    /// The same scope with no reads written down.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { reads: Arc::default(), ..self.clone() }
    }

    /// Takes what was written down.
    pub fn take_reads(&self) -> Reads {
        std::mem::take(&mut self.reads.lock().expect("nobody panics while holding it"))
    }

    fn pending(&self) -> Jinja {
        self.reads.lock().expect("nobody panics while holding it").pending = true;
        Jinja::UNDEFINED
    }

    fn absent(&self, absent: Absent) -> Jinja {
        self.reads.lock().expect("nobody panics while holding it").absent.push(absent);
        Jinja::UNDEFINED
    }

    fn var(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let bound = self.vars.get(name)?;
        if self.depth > 64 {
            return Some(Jinja::from(Error::new(ErrorKind::InvalidOperation, "vars are nested too deeply")));
        }
        let inner = Arc::new(Self { depth: self.depth + 1, ..self.fresh() });
        let known = self.memo.lock().expect("nobody panics while holding it").get(name).cloned();
        let rendered = known.unwrap_or_else(|| {
            let rendered = self.templates.render(bound, &inner).and_then(|value| {
                // Vars that mention each other twice double with each of them.
                if size(&value) <= MOST_VALUES {
                    return Ok(value);
                }
                let message = "it is too large".to_owned();
                let (source, span) = (bound.source.clone(), bound.span);
                Err(Stop::Failed { code: castline_spec::Code::TemplateFailed, source, span, message })
            });
            let mut memo = self.memo.lock().expect("nobody panics while holding it");
            memo.insert(name.into(), rendered.clone());
            rendered
        });
        Some(match rendered {
            Ok(value) => to_jinja(&value),
            Err(Stop::Pending) => self.pending(),
            Err(Stop::Absent(absent)) => self.absent(Absent::Var { var: name.into(), leg: absent.leg() }),
            Err(Stop::Failed { message, .. }) => {
                // Of vars that mention each other the innermost is the one to look at.
                let inner = message.starts_with("`vars.");
                let message = if inner { message } else { format!("`vars.{name}` has no value: {message}") };
                Jinja::from(Error::new(ErrorKind::InvalidOperation, message))
            }
        })
    }

    fn read(&self, path: &str) -> Result<Jinja, Error> {
        let from = Origin::Document(self.document.clone());
        let file = FileRef { from, path: path.to_owned(), want: Want::Text };
        match self.files.get(&file) {
            Ok(FileContent::Text(text)) => Ok(Jinja::from(text.as_str())),
            Ok(_) => unreachable!("a text was asked for"),
            Err(NoFile::NotYet) => Ok(self.pending()),
            // This kind of error is nobody else's here; it makes the finding `unreadable`.
            Err(NoFile::Broken(broken)) => {
                Err(Error::new(ErrorKind::TemplateNotFound, format!("`read` {}", broken.message)))
            }
        }
    }
}

/// Values in one var, those inside of lists and maps counted.
const MOST_VALUES: usize = 200_000;

fn size(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let part = |part| Some(Jinja::from_object(Part { part, scope: self.clone() }));
        match key.as_str()? {
            "inputs" => part(PartName::Inputs),
            "vars" => part(PartName::Vars),
            "steps" if self.steps.is_some() => part(PartName::Steps),
            "each" if self.steps.is_some() => part(PartName::Each),
            "index" if self.steps.is_some() => part(PartName::Index),
            "file" => Some(Jinja::from_pairs([("index", self.file?)])),
            "read" => {
                let scope = self.clone();
                Some(Jinja::from_function(move |path: &str| scope.read(path)))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum PartName {
    Inputs,
    Vars,
    Steps,
    Each,
    Index,
}

/// `inputs`, `vars`, `steps`, `each` or `index`.
#[derive(Debug)]
struct Part {
    part: PartName,
    scope: Arc<Scope>,
}

impl Object for Part {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        let steps = self.scope.steps.as_ref();
        match self.part {
            PartName::Inputs => Some(match self.scope.inputs.get(name) {
                Some(value) => to_jinja(value),
                None => self.scope.pending(),
            }),
            PartName::Vars => self.scope.var(name),
            PartName::Steps => {
                let steps = steps?;
                let step = *steps.frame().names.get(name)?;
                Some(Jinja::from_object(StepView { step, name: name.into(), scope: self.scope.clone() }))
            }
            PartName::Each => {
                let (axis, i) = axis_of(steps?, name)?;
                Some(to_jinja(&steps?.legs.axes[axis.0].values[i]))
            }
            PartName::Index => {
                let (axis, _) = axis_of(steps?, name)?;
                steps?.legs.position(axis, &steps?.reader).map(Jinja::from)
            }
        }
    }
}

fn axis_of(steps: &StepsView, name: &str) -> Option<(AxisId, usize)> {
    let is_named = |axis: &AxisId| steps.frame().axis(&steps.legs.axes[axis.0].name) == Some(name);
    let at = steps.reader.iter().find(|(axis, _)| is_named(axis));
    at.copied().filter(|(_, value)| *value != NOWHERE)
}

/// `steps.x`: the leg of x that the reader stands on.
struct StepView {
    step: usize,
    name: Name,
    scope: Arc<Scope>,
}

impl fmt::Debug for StepView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.name)
    }
}

impl StepView {
    fn steps(&self) -> &StepsView {
        self.scope.steps.as_ref().expect("a step view is made from steps")
    }

    fn legs(&self, closed: &[AxisId]) -> Vec<LegId> {
        self.steps().legs.reading(self.step, &self.steps().reader, closed)
    }

    fn all(&self, closed: &[AxisId]) -> Jinja {
        if self.steps().legs.known(self.step).is_none() {
            return self.scope.pending();
        }
        Jinja::from_object(AllView {
            step: self.step,
            name: self.name.clone(),
            legs: self.legs(closed),
            scope: self.scope.clone(),
        })
    }

    fn one(&self) -> Option<LegView> {
        match self.legs(&[])[..] {
            [leg] => Some(LegView { name: self.name.clone(), leg, scope: self.scope.clone() }),
            _ => None,
        }
    }
}

impl Object for StepView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let attribute = key.as_str()?;
        if attribute == "all" {
            return Some(self.all(&self.steps().axes_of(self.step)));
        }
        if self.steps().legs.known(self.step).is_none() {
            return Some(self.scope.pending());
        }
        Some(self.one()?.attribute(attribute))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Jinja],
    ) -> Result<Jinja, Error> {
        if method != "all" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        if self.steps().legs.known(self.step).is_none() {
            return Ok(self.scope.pending());
        }
        let steps = self.steps();
        let axes = steps.axes_of(self.step);
        let closed = args
            .iter()
            .map(|arg| {
                let is_named =
                    |axis: &&AxisId| steps.frame().axis(&steps.legs.axes[axis.0].name) == arg.as_str();
                axes.iter().find(is_named).copied().ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidOperation,
                        format!("step `{}` has no axis `{arg}`", self.name),
                    )
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.all(&closed))
    }
}

/// One leg of a step.
#[derive(Clone)]
struct LegView {
    name: Name,
    leg: LegId,
    scope: Arc<Scope>,
}

impl fmt::Debug for LegView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a leg of {}", self.name)
    }
}

/// What a look at a leg finds.
enum Look {
    /// The value.
    There(Jinja),
    /// There is none: this leg has no output.
    Absent(LegId),
    /// It is not known yet.
    Pending,
}

impl LegView {
    fn steps(&self) -> &StepsView {
        self.scope.steps.as_ref().expect("a leg view is made from steps")
    }

    fn result(&self) -> Option<&LegResult> {
        self.steps().results.get(self.leg)
    }

    /// The call, for a leg of a step that calls a workflow.
    fn call(&self) -> Option<&Call> {
        let steps = self.steps();
        steps.graph.steps[steps.legs.step(self.leg)].call()
    }

    fn attribute(&self, name: &str) -> Jinja {
        match self.look(name) {
            Look::There(value) => value,
            Look::Pending => self.scope.pending(),
            Look::Absent(leg) => {
                let (step, attribute) = (self.name.clone(), name.to_owned());
                self.scope.absent(Absent::Step { step, attribute, leg })
            }
        }
    }

    fn look(&self, name: &str) -> Look {
        let Some(result) = self.result() else { return Look::Pending };
        let found = match (self.call(), name) {
            (None, _) => offered(result, name),
            (Some(_), "status") => match self.status() {
                Some(status) => Some(Jinja::from(Serde(status))),
                None => return Look::Pending,
            },
            (Some(_), "input") => result.inputs.as_ref().map(|inputs| {
                Jinja::from_pairs(inputs.iter().map(|(name, value)| (name.to_string(), to_jinja(value))))
            }),
            (Some(_), "seed") => result.inputs.as_ref().and_then(|inputs| inputs.get("seed")).map(to_jinja),
            (Some(call), "error") => std::iter::once(result)
                .chain(self.ended(call.decides.iter().copied()))
                .find_map(|end| offered(end, "error")),
            // What is skipped gives nothing.
            (Some(_), _) if result.status != LegStatus::Succeeded => None,
            (Some(call), "cost") => {
                let costs = self.ended(call.inner.clone()).filter_map(|end| end.cost);
                Some(Jinja::from(costs.fold(MicroUsd::ZERO, |sum, cost| sum + cost).usd()))
            }
            (Some(_), "output") => Some(Jinja::from_object(Outputs { of: vec![self.clone()], all: false })),
            (Some(_), port) => return self.port(port),
        };
        found.map_or(Look::Absent(self.leg), Look::There)
    }

    /// What a call gives under the name of a port.
    fn port(&self, port: &str) -> Look {
        let steps = self.steps();
        let called = steps.graph.steps[steps.legs.step(self.leg)].callee.called.as_ref();
        let output = called.and_then(|called| output_for(&called.outputs, port));
        match output.and_then(|output| self.output(output.as_str())) {
            Some(output) => output.look(port),
            None => Look::Absent(self.leg),
        }
    }

    /// The leg that an output of a call is.
    fn output(&self, name: &str) -> Option<Self> {
        let steps = self.steps();
        let step = *self.call()?.outputs.get(name)?;
        let found = steps.legs.reading(step, &steps.legs.coords(self.leg), &[]);
        let [leg] = found[..] else { return None };
        Some(Self { leg, ..self.clone() })
    }

    /// True for a leg with an output: a call has these, or has ended well where nobody reads any.
    /// None when that is not known yet.
    fn has_output(&self, outputs: Option<&BTreeSet<usize>>) -> Option<bool> {
        let steps = self.steps();
        if self.call().is_none() {
            return self.result().map(|result| result.output.is_some());
        }
        let Some(outputs) = outputs else { return Some(self.status()? == LegStatus::Succeeded) };
        let at = steps.legs.coords(self.leg);
        let mut legs = outputs.iter().flat_map(|step| steps.legs.reading(*step, &at, &[]));
        legs.try_fold(true, |all, leg| Some(all && steps.results.get(leg)?.output.is_some()))
    }

    /// How the legs of steps ended that belong to a call, those that have.
    fn ended(&self, steps: impl Iterator<Item = usize>) -> impl Iterator<Item = &LegResult> {
        let view = self.steps();
        let at = view.legs.coords(self.leg);
        let legs = steps.flat_map(move |step| view.legs.reading(step, &at, &[]));
        legs.filter_map(|leg| view.results.get(leg))
    }

    /// How the leg ended; a call ends as the worst of its legs.
    fn status(&self) -> Option<LegStatus> {
        let own = self.result()?.status;
        let Some(call) = self.call().filter(|_| own == LegStatus::Succeeded) else { return Some(own) };
        let steps = self.steps();
        let at = steps.legs.coords(self.leg);
        let mut ends = Vec::new();
        for step in &call.decides {
            steps.legs.known(*step)?;
            for leg in steps.legs.reading(*step, &at, &[]) {
                ends.push(Self { leg, ..self.clone() }.status()?);
            }
        }
        let bad =
            |end: &&LegStatus| !matches!(end, LegStatus::Succeeded | LegStatus::Skipped | LegStatus::NotRun);
        Some(if let Some(bad) = ends.iter().find(bad) {
            *bad
        } else if ends.contains(&LegStatus::NotRun) {
            LegStatus::NotRun
        } else if !ends.is_empty() && ends.iter().all(|end| *end == LegStatus::Skipped) {
            LegStatus::Skipped
        } else {
            LegStatus::Succeeded
        })
    }
}

impl Object for LegView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        if name == "each" {
            return Some(Jinja::from_pairs(self.steps().values(self.leg)));
        }
        Some(self.attribute(name))
    }
}

/// `steps.x.output` of a step that calls a workflow: the outputs by their names, of one call or in
/// a list of all.
#[derive(Debug)]
struct Outputs {
    of: Vec<LegView>,
    all: bool,
}

impl Object for Outputs {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let outputs = self.of.first().and_then(LegView::call).map(|call| &call.outputs);
        Enumerator::Values(
            outputs.into_iter().flat_map(|o| o.keys()).map(|n| Jinja::from(n.as_str())).collect(),
        )
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let name = key.as_str()?;
        if !self.all {
            return Some(self.of.first()?.output(name)?.attribute("output"));
        }
        let outputs = self.of.iter().filter_map(|leg| leg.output(name));
        Some(column(&outputs.collect::<Vec<_>>(), "output"))
    }
}

/// An attribute of all legs that have it.
fn column(legs: &[LegView], name: &str) -> Jinja {
    let mut found = Vec::new();
    for leg in legs {
        match leg.look(name) {
            Look::There(value) => found.push(value),
            Look::Absent(_) => {}
            Look::Pending => drop(leg.scope.pending()),
        }
    }
    if matches!(name, "images" | "videos" | "audios" | "files") {
        let all = found.into_iter().flat_map(|list| list.try_iter().into_iter().flatten()).collect();
        return Jinja::from_object(Column(all));
    }
    if name == "status" {
        return found.into_iter().collect();
    }
    Jinja::from_object(Column(found))
}

/// What a finished leg offers under a name; none when it is absent.
fn offered(result: &LegResult, name: &str) -> Option<Jinja> {
    match name {
        "status" => return Some(Jinja::from(Serde(result.status))),
        "error" => {
            let failure = result.failure.as_ref()?;
            return Some(Jinja::from_pairs([
                ("kind", Jinja::from(Serde(failure.kind))),
                ("message", Jinja::from(failure.message.as_str())),
            ]));
        }
        "cost" => return result.cost.map(|c| Jinja::from(c.usd())),
        _ => {}
    }
    let output = result.output.as_ref()?;
    let files = |kind| output.files(kind).into_iter();
    let first = |kind| files(kind).next().map(media);
    let all = |kind| Some(files(kind).map(media).collect());
    match name {
        "output" => Some(to_jinja(&output.raw)),
        "input" => Some(to_jinja(&Value::Map((*result.input).clone()))),
        "seed" => result.input.get("seed").map(to_jinja),
        "text" => output.text().map(Jinja::from),
        "json" => result.json.as_ref().map(to_jinja),
        "image" => first(MediaKind::Image),
        "images" => all(MediaKind::Image),
        "video" => first(MediaKind::Video),
        "videos" => all(MediaKind::Video),
        "audio" => first(MediaKind::Audio),
        "audios" => all(MediaKind::Audio),
        "file" => first(MediaKind::File),
        "files" => all(MediaKind::File),
        _ => None,
    }
}

/// Everything that a step offers, for messages.
pub const ATTRIBUTES: &[&str] = &[
    "image", "images", "video", "videos", "audio", "audios", "file", "files", "text", "json", "output",
    "input", "seed", "status", "error", "cost", "all",
];

/// True for an attribute that is a file, text, or a list of these, and that may be piped.
pub(crate) fn is_port(attribute: &str) -> bool {
    ATTRIBUTES[..9].contains(&attribute)
}

/// `steps.x.all`: several legs. An attribute broadcasts.
struct AllView {
    step: usize,
    name: Name,
    legs: Vec<LegId>,
    scope: Arc<Scope>,
}

impl fmt::Debug for AllView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all legs of {}", self.name)
    }
}

impl AllView {
    fn steps(&self) -> &StepsView {
        self.scope.steps.as_ref().expect("made from steps")
    }

    fn leg(&self, leg: LegId) -> LegView {
        LegView { name: self.name.clone(), leg, scope: self.scope.clone() }
    }

    /// The axis values of the legs that have an output, by axis.
    fn each(&self) -> Jinja {
        let (steps, mut columns) = (self.steps(), IndexMap::<String, Vec<Jinja>>::new());
        for axis in steps.axes_of(self.step) {
            columns.extend(
                steps.frame().axis(&steps.legs.axes[axis.0].name).map(|n| (n.to_owned(), Vec::new())),
            );
        }
        for leg in self.legs.iter().map(|leg| self.leg(*leg)) {
            let has_output = leg.has_output(steps.aligned.get(&self.step));
            if has_output.is_none() {
                self.scope.pending();
            }
            if has_output == Some(true) {
                for (axis, value) in steps.values(leg.leg) {
                    columns.entry(axis).or_default().push(value);
                }
            }
        }
        Jinja::from_pairs(
            columns.into_iter().map(|(axis, values)| (axis, Jinja::from_object(Column(values)))),
        )
    }

    fn broadcast(&self, name: &str) -> Jinja {
        let legs: Vec<_> = self.legs.iter().map(|leg| self.leg(*leg)).collect();
        let is_call = self.steps().graph.steps[self.step].call().is_some();
        if is_call && name == "output" {
            return Jinja::from_object(Outputs { of: legs, all: true });
        }
        column(&legs, name)
    }
}

/// What all legs of a step have: the values of an axis, pictures, texts. An attribute broadcasts,
/// as it does on the legs.
#[derive(Debug)]
struct Column(Vec<Jinja>);

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        if let Some(i) = key.as_usize() {
            return self.0.get(i).cloned();
        }
        let name = key.as_str()?;
        let inner: Vec<_> = self
            .0
            .iter()
            .map(|value| value.get_attr(name).ok().filter(|inner| !inner.is_undefined()))
            .collect::<Option<_>>()?;
        Some(Jinja::from_object(Self(inner)))
    }
}

impl Object for AllView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.legs.len())
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        if let Some(i) = key.as_usize() {
            return self.legs.get(i).map(|leg| Jinja::from_object(self.leg(*leg)));
        }
        match key.as_str()? {
            "each" => Some(self.each()),
            name if ATTRIBUTES.contains(&name) => Some(self.broadcast(name)),
            _ => None,
        }
    }
}

/// True when the step or leg that a test is asked of has this status.
pub(crate) fn has_status(value: &Jinja, wanted: LegStatus) -> Result<bool, Error> {
    let status = |leg: &LegView| {
        let status = leg.status();
        if status.is_none() {
            leg.scope.pending();
        }
        status
    };
    let found = if let Some(step) = value.downcast_object_ref::<StepView>() {
        step.one().and_then(|leg| status(&leg))
    } else if let Some(leg) = value.downcast_object_ref::<LegView>() {
        status(leg)
    } else {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "only a step can be tested so: `steps.x is succeeded`",
        ));
    };
    Ok(match (found, wanted) {
        (Some(LegStatus::Canceled | LegStatus::Expired | LegStatus::InDoubt), LegStatus::Failed) => true,
        (found, wanted) => found == Some(wanted),
    })
}

/// An artifact in a template.
#[derive(Debug)]
struct MediaView(Artifact);

impl Object for MediaView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match key.as_str()? {
            "media_type" => Some(Jinja::from(self.0.media_type.as_str())),
            "width" => self.0.width.map(Jinja::from),
            "height" => self.0.height.map(Jinja::from),
            "bytes" => Some(Jinja::from(self.0.bytes)),
            "digest" => Some(Jinja::from(self.0.digest.to_string())),
            _ => None,
        }
    }

    /// What filters write that are told to make text of it.
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.digest.to_string())
    }
}

/// An artifact as templates see it.
pub(crate) fn media(artifact: &Artifact) -> Jinja {
    Jinja::from_object(MediaView(artifact.clone()))
}

/// The artifact, when the value is one.
pub(crate) fn as_artifact(value: &Jinja) -> Option<Artifact> {
    value.downcast_object_ref::<MediaView>().map(|view| view.0.clone())
}
