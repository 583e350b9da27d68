//! The words between the procedure of one prediction and whoever drives it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, Claim, Sent, Terms, Verdict};
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::request::{Output, Request};
use crate::snapshot::{PredictionId, Snapshot, Status};

use super::fault::CallFault;
use super::finished::Finished;
use super::progress::LogText;
use super::search::{Found, Named, Search};

/// What a driver wants done.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is asked for.
    pub request: Arc<Request>,
    /// Who asks; not yet granted.
    pub claim: Claim,
    /// What is known of the provider.
    pub facts: Facts,
    /// See [`Ask::Claim`]: when the run began.
    pub since: Timestamp,
    /// See [`Ask::Claim`]: the claim whose failure is to be overcome, 0 at first.
    pub beyond: u64,
    /// The account of the request's provider that is used now; see [`Sent::account`].
    pub account: Option<String>,
    /// What is in doubt is created again, and the first counts as spent: the project said
    /// `when_lost: retry`.
    pub retry_lost: bool,
}

/// What the procedure must know of a provider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// What it can do.
    pub terms: Terms,
    /// How long the fastest quarter of this model's predictions took there, once three or
    /// more are known; see [`learned`].
    pub p25: Option<Duration>,
}

/// How long the fastest quarter took, when there are enough to tell.
pub fn learned(predict_seconds: &[f64]) -> Option<Duration> {
    let mut seconds: Vec<f64> =
        predict_seconds.iter().copied().filter(|s| s.is_finite() && *s >= 0.0).collect();
    seconds.sort_by(f64::total_cmp);
    let p25 = *seconds.get(seconds.len().checked_sub(1)? / 4)?;
    (seconds.len() >= 3).then(|| Duration::from_secs_f64(p25.min(86_400.0)))
}

/// Providers tell the times that are learned, and may lie: a prediction is left alone for no
/// longer than this, whatever was learned.
const MOST_LEARNED: Duration = Duration::from_mins(5);

impl Facts {
    /// Of what was learned as much as is believed of a prediction with this timeout: a quarter
    /// of it, and some minutes, at most.
    pub(super) fn believed(self, timeout: Duration) -> Self {
        Self { p25: self.p25.map(|p25| p25.min(timeout / 4).min(MOST_LEARNED)), ..self }
    }
}

/// What a driver does now, in this order.
///
/// A driver has at most one of `Prepare`, `Create`, `Search`, `Get`, `Fetch`, `Rest` and
/// `WaitForOwner` going on. A new one takes the place of an old one, which is dropped; but a
/// `Create` or `Fetch` is never dropped. There is at most one `Commit` at a time, next to
/// all that.
#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    /// Commit to the ledger and tell the [`Told::Verdict`].
    Commit {
        /// With this claim.
        claim: Claim,
        /// This ask.
        ask: Ask,
    },
    /// Do everything that must be done before the ledger hears that it will be sent: upload
    /// files, wait for a turn. Tell [`Told::Prepared`]. The place among the predictions in
    /// flight is kept until the end, and given up while another owner is waited for.
    Prepare,
    /// Send the request and tell [`Told::Created`].
    Create,
    /// Look for the request in the provider's list after a while and tell
    /// [`Told::Searched`].
    Search {
        /// Where; not always the provider of the request.
        provider: ProviderName,
        /// For what.
        search: Arc<Search>,
        /// After so long.
        after: Duration,
    },
    /// Ask for the state after a while and tell [`Told::Got`].
    Get {
        /// Where; not always the provider of the request.
        provider: ProviderName,
        /// Which.
        prediction: PredictionId,
        /// What it must be, where a person named it and nobody has looked at it yet.
        named: Option<Arc<Named>>,
        /// After so long.
        after: Duration,
    },
    /// Fetch the files of an output, price it, and tell [`Told::Fetched`].
    Fetch {
        /// Where; not always the provider of the request.
        provider: ProviderName,
        /// The succeeded prediction, with its output and metrics.
        snapshot: Arc<Snapshot>,
        /// After so long.
        after: Duration,
    },
    /// Do nothing for a while and tell [`Told::Rested`].
    Rest(Duration),
    /// Wait until nobody alive works on the entry any more and tell [`Told::Changed`].
    WaitForOwner,
    /// Ask the provider to stop it. Nothing is told: the next state shows it.
    Cancel {
        /// Where.
        provider: ProviderName,
        /// Which.
        prediction: PredictionId,
    },
    /// Let people know.
    Report(Progress),
    /// It is over; nothing is told any more.
    Finish(Box<Finished>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The ledger's answer to the commit.
    Verdict(Verdict),
    /// What will be sent.
    Prepared(Result<Sent, CallFault>),
    /// What the provider's list shows.
    Searched(Result<Found, CallFault>),
    /// The answer to a create.
    Created(Result<Snapshot, CallFault>),
    /// The answer to a get.
    Got(Result<Snapshot, CallFault>),
    /// The answer to a fetch.
    Fetched(Result<Fetched, CallFault>),
    /// The rest is over.
    Rested,
    /// Nobody alive works on the entry any more.
    Changed,
    /// The outcome is not wanted any more. A prediction that cannot be stopped is waited
    /// for all the same: it costs the same.
    Stop,
    /// The outcome is not wanted any more, and nobody waits: what cannot be stopped goes on
    /// at the provider, for whoever asks next.
    Leave,
}

/// An output in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// With artifacts in place of files.
    pub output: Output,
    /// What it cost by metrics and price rules; none when that is not known.
    pub cost: Option<MicroUsd>,
}

/// Something that people may want to see while they wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// It has an id.
    Created {
        /// Where.
        provider: ProviderName,
        /// Which.
        prediction: PredictionId,
        /// Another run or process had created it.
        adopted: bool,
    },
    /// Its status changed.
    Status(Status),
    /// Its log grew.
    Logs(LogText),
    /// It is so far, from 0 to 1.
    Fraction(f64),
    /// Another run or process works on it.
    WaitingForOwner,
    /// The request is sent again after a while, and why not now.
    SentAgain {
        /// After so long.
        after: Duration,
        /// Why not now.
        why: String,
    },
    /// Its create was lost, and is looked for in the provider's list until then.
    Searching {
        /// Where.
        provider: ProviderName,
        /// When it is known that it is not there, if it is not.
        until: Timestamp,
    },
    /// The files are fetched again after a while, and why.
    FetchedAgain {
        /// After so long.
        after: Duration,
        /// Why again.
        why: String,
    },
    /// The provider was asked to stop it.
    Canceling,
}
