//! What each leg of a run became, readable by templates while the run goes on.

use std::sync::{Arc, OnceLock};

use castline_spec::Name;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Output};
use crate::value::Value;

/// What a leg became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegStatus {
    /// It has an output.
    Succeeded,
    /// Its prediction failed, or its templates did.
    Failed,
    /// Its prediction was stopped.
    Canceled,
    /// Its `if` is false, or it reads an absent value.
    Skipped,
    /// Paid, and the outputs can no longer be had.
    Expired,
    /// Nobody knows whether its create was received.
    InDoubt,
    /// The budget does not allow it.
    Refused,
    /// Something that it needs did not end well, or the run was interrupted first.
    NotRun,
}

impl LegStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
        Self::Skipped,
        Self::Expired,
        Self::InDoubt,
        Self::Refused,
        Self::NotRun,
    ];
}

/// A finished leg.
#[derive(Debug, Clone, PartialEq)]
pub struct LegResult {
    /// What it became.
    pub status: LegStatus,
    /// The resolved input, empty when it never came so far.
    pub input: Arc<IndexMap<String, Value>>,
    /// Of a call: the values of the called workflow's inputs.
    pub inputs: Option<Arc<IndexMap<Name, Value>>>,
    /// Its output.
    pub output: Option<Output>,
    /// The step's text as JSON, where the step has `json`.
    pub json: Option<Value>,
    /// Why it has none.
    pub failure: Option<Failure>,
    /// What it cost in this run.
    pub cost: Option<MicroUsd>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl LegResult {
    /// A leg with an output. A step with `json` reads its text; the failure says why it cannot.
    pub fn succeeded(
        step: &crate::graph::Step,
        input: &Arc<IndexMap<String, Value>>,
        output: &Output,
    ) -> Result<Self, Failure> {
        let json = match &step.json {
            Some(schema) => Some(json_of(schema, output)?),
            None => None,
        };
        Ok(Self {
            status: LegStatus::Succeeded,
            input: input.clone(),
            inputs: None,
            output: Some(output.clone()),
            json,
            failure: None,
            cost: None,
            ended: None,
        })
    }

    /// A leg that never ran.
    pub(crate) fn without_output(status: LegStatus, failure: Option<Failure>) -> Self {
        Self {
            status,
            input: Arc::default(),
            inputs: None,
            output: None,
            json: None,
            failure,
            cost: None,
            ended: None,
        }
    }

    /// A call of a workflow, with the values of its inputs.
    pub fn called(inputs: IndexMap<Name, Value>) -> Self {
        let inputs = Some(Arc::new(inputs));
        Self { inputs, ..Self::without_output(LegStatus::Succeeded, None) }
    }

    /// What an output of a called workflow is.
    pub fn given(value: Value) -> Self {
        let output = Some(Output { raw: Arc::new(value) });
        Self { output, ..Self::without_output(LegStatus::Succeeded, None) }
    }
}

/// The results of a run's legs; each is set once. Most of a plan's legs have none, and a
/// result is large.
#[derive(Debug)]
pub struct Results(Vec<OnceLock<Arc<LegResult>>>);

impl Results {
    /// For so many legs, none finished.
    pub fn new(legs: usize) -> Self {
        Self((0..legs).map(|_| OnceLock::new()).collect())
    }

    /// The same results, with room for more legs.
    #[must_use]
    pub(crate) fn with_room(&self, legs: usize) -> Self {
        let more = legs.saturating_sub(self.0.len());
        Self(self.0.iter().cloned().chain((0..more).map(|_| OnceLock::new())).collect())
    }

    /// A finished leg's result.
    pub fn get(&self, leg: LegId) -> Option<&LegResult> {
        self.0.get(leg.0)?.get().map(AsRef::as_ref)
    }

    /// Sets a leg's result; the first one stays.
    pub fn set(&self, leg: LegId, result: LegResult) {
        let _ = self.0[leg.0].set(Arc::new(result));
    }
}

/// The text of an output as JSON; one code fence around it is removed.
fn json_of(schema: &crate::graph::JsonSchema, output: &Output) -> Result<Value, Failure> {
    let wrong = |why: String| Failure::new(FailureKind::Output, why);
    let text =
        output.text().ok_or_else(|| wrong("the step has `json`, and its output is no text".to_owned()))?;
    let json: serde_json::Value =
        serde_json::from_str(unfenced(text)).map_err(|e| wrong(format!("the text is not JSON: {e}")))?;
    match schema.misfit(&json) {
        Some(misfit) => Err(wrong(format!("the text does not fit the step's schema: {misfit}"))),
        None => Ok(Value::from_json(json)),
    }
}

fn unfenced(text: &str) -> &str {
    let trimmed = text.trim();
    let inner = trimmed.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.and_then(|inner| inner.split_once('\n')).map_or(trimmed, |(_, body)| body.trim())
}

#[cfg(test)]
mod tests {
    use super::unfenced;

    #[test]
    fn one_code_fence_around_json_is_removed() {
        assert_eq!(unfenced("```json\n[1]\n```"), "[1]");
        assert_eq!(unfenced(" [1] "), "[1]");
        assert_eq!(unfenced("```"), "```");
    }
}
