//! One leg of a step in a template, and what it offers.
//!
//! Start reading at [`LegView::look`].

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use castline_spec::Name;
use castline_spec::schema::MediaKind;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value as Jinja};

use super::media::media;
use super::steps::column;
use super::{Absent, Scope, StepsView};
use crate::graph::{Call, output_for};
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::results::{LegResult, LegStatus};
use crate::templates::to_jinja;
use crate::value::Value;

/// One leg of a step.
#[derive(Clone)]
pub(super) struct LegView {
    pub(super) name: Name,
    pub(super) leg: LegId,
    pub(super) scope: Arc<Scope>,
}

impl fmt::Debug for LegView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a leg of {}", self.name)
    }
}

/// What a look at a leg finds.
pub(super) enum Look {
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

    pub(super) fn attribute(&self, name: &str) -> Jinja {
        match self.look(name) {
            Look::There(value) => value,
            Look::Pending => self.scope.pending(),
            Look::Absent(leg) => {
                let (step, attribute) = (self.name.clone(), name.to_owned());
                self.scope.absent(Absent::Step { step, attribute, leg })
            }
        }
    }

    pub(super) fn look(&self, name: &str) -> Look {
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
    pub(super) fn has_output(&self, outputs: Option<&BTreeSet<usize>>) -> Option<bool> {
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
    pub(super) fn status(&self) -> Option<LegStatus> {
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
pub(super) struct Outputs {
    pub(super) of: Vec<LegView>,
    pub(super) all: bool,
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
