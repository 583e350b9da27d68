//! What can be asked of the ledger, and what it answers.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::{ModelRef, ProviderName};
use crate::money::MicroUsd;
use crate::request::{Failure, Key, Output, Request};
use crate::snapshot::PredictionId;

use super::entry::{Account, Claim, Entry, Terms};

/// What somebody wants of an entry, or has to say about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// I need this prediction's outcome.
    Claim {
        /// What is asked for.
        request: Arc<Request>,
        /// What its provider can do.
        terms: Terms,
        /// Failures that ended since then are shared; the others are created again. A run
        /// says when it began, so that two legs with one request fail as one.
        since: Timestamp,
        /// Failures of claims up to this one are created again all the same: the caller
        /// knows them and was told to retry. 0 at first.
        beyond: u64,
        /// What will be sent; none where nothing outlives this process.
        sent: Option<Sent>,
    },
    /// The provider refused it for now, or was not reached: nothing was received. It stays
    /// mine, and its money reserved, until I send it again.
    Unsent,
    /// I am about to send it again.
    Resend(Sent),
    /// The provider gave an id.
    Created(PredictionId),
    /// The create certainly was not received, and why.
    Absent(Failure),
    /// It is not known whether the create was received.
    Unclear(Why),
    /// This prediction in the provider's list can be it.
    Found(Match),
    /// I do not want it any more: may I have it stopped?
    Stop,
    /// I do not wait for it any more.
    Unwanted,
    /// It ended without an output.
    Ended(Ending),
    /// It succeeded and its files are in the store.
    Fetched(Arrival),
    /// The prediction that a person named is another one, and what shows it: everything is as it
    /// was before.
    Another(String),
    /// I stop following it; it goes on at the provider, for whoever asks next.
    Left,
    /// It succeeded once, but its files are no longer in the store. Said with the number of
    /// the entry's claim, so that a newer success is not taken away; then it is claimed.
    Missing,
    /// A person decided.
    Ruled(Ruling),
}

/// A request as it goes over the wire, to be found again in the provider's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The input; where a file travels inside the request stands `data:` and its digest.
    pub input: Arc<Json>,
    /// The provider's clock minus ours, where an answer has shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<SignedDuration>,
    /// With which account of the provider: a word for its token and address that gives neither
    /// away. Another account does not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Sent {
    /// True when the two look the same where files inside requests are not shown.
    pub fn looks_like(&self, other: &Self) -> bool {
        alike(&self.input, &other.input)
    }
}

fn alike(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::String(one), Json::String(other)) => one == other || (is_file(one) && is_file(other)),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| alike(value, other)))
        }
        _ => one == other,
    }
}

/// What stands for a file inside a request, and a file that a person wrote out.
fn is_file(text: &str) -> bool {
    text.starts_with("data:")
}

/// A prediction of a provider's list that can be ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Which.
    pub id: PredictionId,
    /// Everything is as it was sent; false where the list hides a file.
    pub exact: bool,
    /// Where a file is hidden: others that can be it just as well.
    pub or: Vec<PredictionId>,
}

/// How a prediction ended without an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// As what it is remembered.
    pub state: EndState,
    /// Why.
    pub failure: Failure,
    /// What it cost, where that is known; else the reservation is kept if the provider bills.
    pub cost: Option<MicroUsd>,
    /// The provider's name for it, where it never was told before.
    pub prediction: Option<PredictionId>,
}

/// The states in which a prediction can end without an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// See [`super::State::Failed`].
    Failed,
    /// See [`super::State::Canceled`].
    Canceled,
    /// See [`super::State::Aborted`].
    Aborted,
    /// See [`super::State::Expired`].
    Expired,
}

/// What a succeeded prediction brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// What it gave.
    pub output: Output,
    /// What it cost by metrics and price rules; none when that is not known.
    pub cost: Option<MicroUsd>,
    /// Seconds of model time, as the provider says.
    pub predict_seconds: Option<f64>,
    /// The provider's name for it, where it never was told before.
    pub prediction: Option<PredictionId>,
}

/// A person's decision about an entry that castline cannot settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    /// This prediction is ours: follow it.
    Adopt(PredictionId),
    /// It was never received: release the money.
    Forgive,
    /// Create it again; the first counts as spent.
    Retry,
}

/// Why nobody can tell whether a create was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The process that sent it died before it wrote down an id.
    OwnerDied,
    /// It was sent and the answer was lost, in the caller's words.
    AnswerLost(String),
    /// The provider was asked and could not tell, in the caller's words.
    CannotTell(String),
    /// It was created at a provider that cannot be asked for it again.
    NotToBeAsked,
    /// Nobody can tell why; and a person named a prediction that is another one.
    Another {
        /// Why it was in doubt before.
        before: Box<Self>,
        /// Which was named.
        named: PredictionId,
        /// What shows that it is another one, in the caller's words.
        differs: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied => {
                f.write_str("castline ended before it learned whether the request was received")
            }
            Self::AnswerLost(cause) => write!(f, "the request was sent and its answer was lost ({cause})"),
            Self::CannotTell(cause) => {
                write!(f, "the provider cannot tell whether it was received ({cause})")
            }
            Self::NotToBeAsked => {
                f.write_str("castline ended, and the provider cannot be asked for it again")
            }
            Self::Another { before, named, differs } => {
                write!(f, "{before}; `{named}` was adopted for it and is another prediction: {differs}")
            }
        }
    }
}

/// An entry in doubt, for people: exit code 4.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// Its key.
    pub key: Key,
    /// What was asked for.
    pub model: ModelRef,
    /// Where.
    pub provider: ProviderName,
    /// When.
    pub intended: Timestamp,
    /// The money that stays reserved until somebody decides; none when unpriced.
    pub reserved: Option<MicroUsd>,
    /// Why.
    pub why: Why,
}

impl Doubt {
    /// What an entry in doubt says.
    pub fn of(entry: &Entry) -> Self {
        Self {
            key: entry.key(),
            model: entry.request.model.clone(),
            provider: entry.provider().clone(),
            intended: entry.intended,
            reserved: entry.hold.reserved,
            why: entry.doubt.clone().unwrap_or(Why::OwnerDied),
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> String {
        let Self { key, provider, .. } = self;
        let key = &key.0.hex()[..12];
        format!(
            "look at your predictions at `{provider}`, then say what happened: \
             `castline ledger adopt {key} ID` (it is there), `castline ledger forgive {key}` (it is not), \
             or `castline ledger retry {key}` (create it again; this one counts as spent)"
        )
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, provider, intended, why, .. } = self;
        let money = match self.reserved {
            Some(amount) => format!("up to {amount}"),
            None => "an unknown amount".to_owned(),
        };
        write!(
            f,
            "a prediction of `{model}` at `{provider}` is in doubt since {intended:.0}: {why}; {money} may have been spent"
        )
    }
}

/// Why money is not reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The reservation does not fit.
    #[error(
        "up to {asked} are needed and {} has {} left: {held} of {limit} are spent or reserved",
        named(account),
        limit.saturating_sub(*held)
    )]
    OverLimit {
        /// Which budget.
        account: Account,
        /// The most that it allows.
        limit: MicroUsd,
        /// What is spent and reserved already.
        held: MicroUsd,
        /// What this create would reserve.
        asked: MicroUsd,
    },
    /// A provider charged more than was reserved; castline's prices are not to be relied on.
    #[error("{} allows no further creates: a provider charged {by} more than was reserved", named(account))]
    Overcharged {
        /// Which budget.
        account: Account,
        /// How much more.
        by: MicroUsd,
    },
    /// Nobody knows what it costs, and the asker did not say that it may cost anything.
    #[error("its price is not known, so that no budget can hold it")]
    Unpriced,
}

impl Refusal {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OverLimit { account: Account::Run(_), .. } => {
                "raise it with `--budget`, and run again: what is finished is reused"
            }
            Self::OverLimit { account: Account::Watch(_), .. } => {
                "begin again with more of a `--budget`: what is finished is reused"
            }
            Self::OverLimit { account: Account::Day, .. } => {
                "wait, or raise `limits.budget_usd_per_day`, and run again: what is finished is reused"
            }
            Self::Overcharged { .. } => {
                "compare with the provider's bill, and correct the price under `prices:` in castline.yaml"
            }
            Self::Unpriced => {
                "give it under `prices:` in castline.yaml, or allow it with `--allow-unpriced=STEP`"
            }
        }
    }
}

fn named(account: &Account) -> &'static str {
    match account {
        Account::Run(_) => "the budget of this run",
        Account::Watch(_) => "the budget of this watch",
        Account::Day => "the project's budget of 24 hours",
    }
}

/// What the ledger answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is yours: the intent is written and the money reserved; create it.
    Create(Claim),
    /// It has an output.
    Reuse(Box<Entry>),
    /// It has ended without an output, and that is the outcome.
    Ended(Box<Entry>),
    /// It is yours: ask its provider how it goes.
    Follow {
        /// The claim from now on.
        claim: Claim,
        /// The entry, with its provider and prediction.
        entry: Box<Entry>,
    },
    /// It is yours: find out whether its create was received.
    Reconcile {
        /// The claim from now on.
        claim: Claim,
        /// The entry, with what was sent and since when it is an orphan.
        entry: Box<Entry>,
    },
    /// That prediction is another create's. Nothing was written.
    Taken,
    /// Nobody else wants it: have it stopped.
    Cancel,
    /// Somebody who is alive works on it.
    Wait,
    /// Nobody can tell; a person has to decide.
    Doubt(Box<Doubt>),
    /// There is no money for it. Nothing was written.
    Refused(Refusal),
    /// The entry has moved on and you have no say any more. Nothing was written.
    Stale,
    /// It is written; nothing follows from it.
    Done,
}
