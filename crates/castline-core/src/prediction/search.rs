//! How a create of which nothing was heard is looked for at its provider.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::ledger::{Entry, Ruling};
use crate::model::ModelRef;
use crate::snapshot::PredictionId;

/// What to look for in a provider's list of predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What was to run.
    pub model: ModelRef,
    /// `owner/name` of the deployment that was to run it.
    pub deployment: Option<String>,
    /// The input as it was sent. Where a file travelled inside the request stands `data:` and
    /// its digest; a list may show any text in its place. Secrets are left out.
    pub sent: Arc<Json>,
    /// With which account it was sent; another does not see it.
    pub account: Option<String>,
    /// When it was decided, by our clock: it was not received before.
    pub from: Timestamp,
    /// When its owner was seen dead or its answer lost, by our clock.
    pub until: Timestamp,
    /// The provider's clock minus ours at `from`, where it was known then.
    pub clock: Option<SignedDuration>,
}

/// What a prediction must be that a person named, as far as its provider shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// What was to run.
    pub model: ModelRef,
    /// `owner/name` of the deployment that was to run it.
    pub deployment: Option<String>,
    /// The input as it was sent, where that is known; see [`Search::sent`].
    pub sent: Option<Arc<Json>>,
}

impl Named {
    /// None where no person named the entry's prediction.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let Some(Ruling::Adopt(id)) = &entry.ruled else { return None };
        (entry.prediction.as_ref() == Some(id)).then(|| Self {
            model: entry.request.model.clone(),
            deployment: entry.request.deployment.clone(),
            sent: entry.sent.as_ref().map(|sent| sent.input.clone()),
        })
    }
}

/// A prediction that can be the one that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: PredictionId,
    /// Everything is as it was sent. False where the list hides a file that travelled inside
    /// the request: another request with another file would look the same.
    pub exact: bool,
}

/// What a provider's list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The predictions that can be it: exact ones first, and of each kind the oldest first.
    pub candidates: Vec<Candidate>,
    /// Why the list proves nothing about what is not in it: it does not reach back to the
    /// window, or has predictions of this model without an input.
    pub incomplete: Option<String>,
}
