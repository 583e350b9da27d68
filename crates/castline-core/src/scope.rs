//! What templates see: inputs, vars, steps, axes.
//!
//! The objects here answer minijinja's look-ups from the results of a run. A look-up that
//! finds an absent value, or one that is not known yet, is written down in [`Reads`], so
//! that the caller can tell a skipped leg from a mistake.

mod leg;
mod media;
mod steps;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use castline_spec::Name;
use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr, Value as Jinja};
use minijinja::{Error, ErrorKind};

use crate::files::{FileContent, FileRef, Files, NoFile, Origin, Want};
use crate::graph::{Aligned, Frame, Graph};
use crate::legs::{AxisId, Coords, LegId, Legs, NOWHERE};
use crate::results::Results;
use crate::templates::{Bound, Stop, Templates, to_jinja};
use crate::value::Value;

pub use leg::ATTRIBUTES;
pub(crate) use leg::is_port;
pub(crate) use media::{as_artifact, media};
use steps::StepView;
pub(crate) use steps::has_status;

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
