//! `steps.x` and `steps.x.all` in a template.

use std::fmt;
use std::sync::Arc;

use castline_spec::Name;
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Jinja};
use minijinja::{Error, ErrorKind, State};

use super::leg::{ATTRIBUTES, LegView, Look, Outputs};
use super::{Scope, StepsView};
use crate::legs::{AxisId, LegId};
use crate::results::LegStatus;

/// `steps.x`: the leg of x that the reader stands on.
pub(super) struct StepView {
    pub(super) step: usize,
    pub(super) name: Name,
    pub(super) scope: Arc<Scope>,
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

/// An attribute of all legs that have it.
pub(super) fn column(legs: &[LegView], name: &str) -> Jinja {
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
