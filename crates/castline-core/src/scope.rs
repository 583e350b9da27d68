//! What templates see: inputs, vars, steps, axes.
//!
//! The objects here answer minijinja's look-ups from the results of a run. A look-up that
//! finds an absent value, or one that is not known yet, is written down in [`Reads`], so
//! that the caller can tell a skipped leg from a mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use castline_spec::Name;
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value as Jinja};
use minijinja::{Error, ErrorKind, State};

use crate::files::{FileContent, FileRef, Files, NoFile, Origin, Want};
use crate::graph::Graph;
use crate::legs::{AxisId, Coords, LegId, Legs, NOWHERE};
use crate::media::Artifact;
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
    /// Step numbers by name.
    pub names: Arc<IndexMap<Name, usize>>,
    /// All legs.
    pub legs: Arc<Legs>,
    /// What became of them.
    pub results: Arc<Results>,
    /// Where the reader stands.
    pub reader: Coords,
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
    pub fn of_workflow(
        graph: &Graph,
        inputs: &Arc<IndexMap<Name, Value>>,
        files: &Arc<Files>,
        steps: Option<StepsView>,
    ) -> Self {
        Self {
            inputs: inputs.clone(),
            vars: graph.vars.clone(),
            steps,
            file: None,
            templates: graph.templates.clone(),
            files: files.clone(),
            document: graph.source.name.clone(),
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
                let step = *steps.names.get(name)?;
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
    let at = steps.reader.iter().find(|(axis, _)| steps.legs.axes[axis.0].name.as_str() == name);
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
            return Some(self.all(self.steps().legs.axes_of(self.step)));
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
        let legs = &self.steps().legs;
        let closed = args
            .iter()
            .map(|arg| {
                let name = arg.as_str().unwrap_or_default();
                let found = legs.axes_of(self.step).iter().find(|a| legs.axes[a.0].name.as_str() == name);
                found.copied().ok_or_else(|| {
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

impl LegView {
    fn result(&self) -> Option<&LegResult> {
        let steps = self.scope.steps.as_ref().expect("a leg view is made from steps");
        steps.results.get(self.leg)
    }

    fn attribute(&self, name: &str) -> Jinja {
        let Some(result) = self.result() else { return self.scope.pending() };
        offered(result, name).unwrap_or_else(|| {
            self.scope.absent(Absent::Step {
                step: self.name.clone(),
                attribute: name.to_owned(),
                leg: self.leg,
            })
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
            let steps = self.scope.steps.as_ref()?;
            let values = steps.legs.values(self.leg);
            return Some(Jinja::from_pairs(values.into_iter().map(|(k, v)| (k.to_string(), to_jinja(&v)))));
        }
        Some(self.attribute(name))
    }
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

    /// Every finished leg; notes when one is not.
    fn finished(&self) -> Vec<(LegId, &LegResult)> {
        let found: Vec<_> =
            self.legs.iter().filter_map(|leg| Some((*leg, self.steps().results.get(*leg)?))).collect();
        if found.len() < self.legs.len() {
            self.scope.pending();
        }
        found
    }

    /// The axis values of the legs that have an output, by axis.
    fn each(&self) -> Jinja {
        let mut columns: IndexMap<String, Vec<Jinja>> = IndexMap::new();
        let legs = &self.steps().legs;
        for axis in legs.axes_of(self.step) {
            columns.insert(legs.axes[axis.0].name.to_string(), Vec::new());
        }
        for (leg, _) in self.finished().iter().filter(|(_, r)| r.output.is_some()) {
            for (axis, value) in self.steps().legs.values(*leg) {
                columns.entry(axis.to_string()).or_default().push(to_jinja(&value));
            }
        }
        Jinja::from_pairs(
            columns.into_iter().map(|(axis, values)| (axis, Jinja::from_object(Column(values)))),
        )
    }

    fn broadcast(&self, name: &str) -> Jinja {
        let finished = self.finished();
        if name == "status" {
            return finished.iter().filter_map(|(_, r)| offered(r, name)).collect();
        }
        let found = finished.iter().filter_map(|(_, r)| offered(r, name));
        if matches!(name, "images" | "videos" | "audios" | "files") {
            let all = found.flat_map(|list| list.try_iter().into_iter().flatten()).collect();
            return Jinja::from_object(Column(all));
        }
        Jinja::from_object(Column(found.collect()))
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
        if leg.result().is_none() {
            leg.scope.pending();
        }
        leg.result().map(|r| r.status)
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
}

/// An artifact as templates see it.
pub(crate) fn media(artifact: &Artifact) -> Jinja {
    Jinja::from_object(MediaView(artifact.clone()))
}

/// The artifact, when the value is one.
pub(crate) fn as_artifact(value: &Jinja) -> Option<Artifact> {
    value.downcast_object_ref::<MediaView>().map(|view| view.0.clone())
}
