//! How a prediction ended.

use jiff::Timestamp;

use crate::ledger::{Doubt, Entry, Refusal, RunId, State};
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Output};
use crate::snapshot::PredictionId;

/// How a prediction ended, with all that a journal says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What became of it.
    pub outcome: Outcome,
    /// How we came by it.
    pub source: Source,
    /// Where it was made.
    pub provider: ProviderName,
    /// The provider's name for it, when it got so far.
    pub prediction: Option<PredictionId>,
    /// The run that made it.
    pub made_by: RunId,
    /// The number of the entry's claim; a retry hands it in as [`super::Order::beyond`].
    pub claim: u64,
    /// When it was created, by our clock.
    pub created: Option<Timestamp>,
    /// When its end became known, by our clock.
    pub ended: Option<Timestamp>,
    /// Seconds of model time, as the provider says.
    pub predict_seconds: Option<f64>,
    /// What counts against the budget: settled, else reserved; none when unpriced or when
    /// nothing was ever asked for. For a reused output this was spent long ago.
    pub cost: Option<MicroUsd>,
    /// What is kept of the model's log, when it ran under our eyes.
    pub logs: Option<String>,
}

/// How an outcome was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was created for this order, or would have been.
    Fresh,
    /// Another run or process created it and we followed it to its end.
    Adopted,
    /// It had ended already.
    Reused,
}

/// What became of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It gave an output.
    Succeeded(Output),
    /// It gave none.
    Failed(Failure),
    /// It was stopped, and why.
    Canceled(Failure),
    /// Paid, and the outputs can no longer be had.
    Expired(Failure),
    /// Nobody can tell whether it was received.
    InDoubt(Box<Doubt>),
    /// There was no money for it.
    Refused(Refusal),
}

/// What an entry that has ended says to whoever asks.
pub(super) fn outcome_of(entry: &Entry) -> Outcome {
    let failure = || {
        entry.failure.clone().unwrap_or_else(|| Failure::new(FailureKind::Other, "failed without a reason"))
    };
    match (entry.state, &entry.output) {
        (State::Succeeded, Some(output)) => Outcome::Succeeded(output.clone()),
        (State::Expired, _) => Outcome::Expired(failure()),
        (State::Canceled | State::Aborted, _) => Outcome::Canceled(failure()),
        _ => Outcome::Failed(failure()),
    }
}
