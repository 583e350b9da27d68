//! What the ledger remembers of one prediction.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::request::{Failure, Key, Output, Request};
use crate::snapshot::PredictionId;

use super::ask::{Ruling, Sent, Why};

/// A run's name: a ULID, so that names sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Arc<str>);

/// A process that works on predictions. It lives while it holds the lock of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(pub Arc<str>);

impl OwnerId {
    /// Nobody: an owner that is never alive. What it holds is taken over by whoever asks.
    pub fn nobody() -> Self {
        Self("".into())
    }

    /// True for [`OwnerId::nobody`].
    pub fn is_nobody(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for RunId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<&str> for OwnerId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// What a budget is held against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Account {
    /// A run, its resumes included: the id of the run that opened the account.
    Run(RunId),
    /// Everything that one `castline watch` runs: the id that it began with.
    Watch(RunId),
    /// The last 24 hours of the project that owns the store.
    Day,
}

/// A text that names no account.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an account: expected `day`, or `run:` or `watch:` and an id")]
pub struct BadAccount(String);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run:{run}"),
            Self::Watch(watch) => write!(f, "watch:{watch}"),
            Self::Day => f.write_str("day"),
        }
    }
}

impl FromStr for Account {
    type Err = BadAccount;

    fn from_str(text: &str) -> Result<Self, BadAccount> {
        match text.split_once(':') {
            Some(("run", run)) => Ok(Self::Run(run.into())),
            Some(("watch", watch)) => Ok(Self::Watch(watch.into())),
            None if text == "day" => Ok(Self::Day),
            _ => Err(BadAccount(text.to_owned())),
        }
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}

impl TryFrom<String> for Account {
    type Error = BadAccount;

    fn try_from(text: String) -> Result<Self, BadAccount> {
        text.parse()
    }
}

/// Who speaks to the ledger about an entry.
///
/// Its number is raised each time an entry changes hands, so that whoever was replaced
/// cannot write any more. Whoever asks for the first time has the number 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The process.
    pub owner: OwnerId,
    /// Which claim of the entry this is, from 1; 0 before it is granted.
    pub number: u64,
    /// For which run.
    pub run: RunId,
    /// What the money of a create is held against.
    pub accounts: Vec<Account>,
    /// Nothing may be created for it whose price is not known.
    #[serde(skip)]
    pub only_priced: bool,
}

impl Claim {
    /// A claim that is still to be granted.
    pub fn new(owner: OwnerId, run: RunId, accounts: Vec<Account>) -> Self {
        Self { owner, number: 0, run, accounts, only_priced: false }
    }

    pub(crate) fn numbered(&self, number: u64) -> Self {
        Self { number, ..self.clone() }
    }
}

/// What the ledger must know of a provider. It is kept with the entry, because whoever
/// finds the entry later may have chosen another provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Predictions cost money.
    pub bills: bool,
    /// It can be asked for a prediction by its id.
    pub get: bool,
    /// It can stop a prediction.
    pub cancel: bool,
    /// It can list recent predictions, so that lost creates can be found.
    pub list: bool,
    /// How long after its create a prediction may be missing in that list. Seconds.
    #[serde(default)]
    pub list_lag: u32,
    /// Predictions outlive the process that made them.
    pub remote: bool,
}

impl Terms {
    /// The embedded providers: free, at once, gone with the process.
    pub const LOCAL: Self =
        Self { bills: false, get: false, cancel: false, list: false, list_lag: 0, remote: false };
}

/// How far a prediction has come, as far as anybody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The create may or may not have been received.
    Intended,
    /// The provider gave an id.
    Created,
    /// The output is committed: this is the cache.
    Succeeded,
    /// It ended with an error, or the provider refused it.
    Failed,
    /// It was stopped while running.
    Canceled,
    /// It never began, and costs nothing.
    Aborted,
    /// Paid, and the outputs can no longer be had.
    Expired,
    /// Intended, and nobody can tell whether it was received.
    InDoubt,
}

impl State {
    /// All of them, in the order in which they are usually passed through.
    pub const ALL: [Self; 8] = [
        Self::Intended,
        Self::Created,
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
        Self::Aborted,
        Self::Expired,
        Self::InDoubt,
    ];

    /// The word for people and for the database: `in-doubt`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Created => "created",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
            Self::InDoubt => "in-doubt",
        }
    }

    /// True while somebody works on it, or should.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Intended | Self::Created)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The money of one create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The number of the claim that was told to create; each further create holds anew.
    pub attempt: u64,
    /// What it is held against.
    pub accounts: Vec<Account>,
    /// Reserved before the create; none when the price is not known.
    pub reserved: Option<MicroUsd>,
    /// What it cost in the end; none while that is open.
    pub settled: Option<MicroUsd>,
    /// When it was reserved.
    pub at: Timestamp,
}

impl Hold {
    /// What counts against the accounts: settled, else reserved.
    pub fn amount(&self) -> MicroUsd {
        self.settled.or(self.reserved).unwrap_or(MicroUsd::ZERO)
    }

    /// How much more the provider charged than was reserved.
    pub fn overcharge(&self) -> MicroUsd {
        match (self.settled, self.reserved) {
            (Some(settled), Some(reserved)) => settled.saturating_sub(reserved),
            _ => MicroUsd::ZERO,
        }
    }
}

/// How long after its end a provider keeps what identifies a prediction, and what it gave.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// What the ledger remembers of one prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What was asked for, its cache key and provider included.
    pub request: Arc<Request>,
    /// How far it has come.
    pub state: State,
    /// What its provider can do.
    pub terms: Terms,
    /// Who works on it, or did last.
    pub claim: Claim,
    /// The run that made it.
    pub made_by: RunId,
    /// The money of the last create.
    pub hold: Hold,
    /// The provider's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionId>,
    /// When the create was decided, by our clock.
    pub intended: Timestamp,
    /// When its id became known, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its end became known, by our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What was sent, where it can be found again in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// The provider refused it for now: nothing is there, and it will be sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// When its owner was first seen dead, or its answer lost, with the create's fate open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<Timestamp>,
    /// Seconds of model time, as the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predict_seconds: Option<f64>,
    /// What it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Why it gave nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Why>,
    /// What a person decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruled: Option<Ruling>,
    /// How it was before a person named its prediction, until that has ended: it may turn out to
    /// be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Before>>,
}

/// What an entry says no more once a person has named its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// How far it had come.
    pub state: State,
    /// The prediction that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionId>,
    /// When that became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its end became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it had given nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Why>,
}

impl Before {
    pub(super) fn of(entry: &Entry) -> Self {
        let Entry { state, prediction, created, ended, failure, doubt, .. } = entry.clone();
        Self { state, prediction, created, ended, failure, doubt }
    }
}

impl Entry {
    /// Its cache key.
    pub fn key(&self) -> Key {
        self.request.key
    }

    /// Where it was created, and is followed.
    pub fn provider(&self) -> &ProviderName {
        &self.request.provider
    }

    /// Its provider has a list, and it is known what to look for.
    pub(crate) fn can_be_found(&self) -> bool {
        self.terms.list && self.prediction.is_none() && self.sent.is_some()
    }

    /// Until when a run can surely pick it up without paying again; none where there is nothing to
    /// pick up. It cannot have ended before it was created.
    pub fn kept_until(&self) -> Option<Timestamp> {
        let is_there = match self.state {
            State::Created => self.terms.get && self.terms.remote,
            State::Intended | State::InDoubt => !self.unsent && self.can_be_found(),
            _ => false,
        };
        is_there.then(|| self.created.unwrap_or(self.intended).saturating_add(KEPT).ok()).flatten()
    }
}
