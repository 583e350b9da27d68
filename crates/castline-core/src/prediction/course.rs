//! A prediction that has an id: what was seen of it so far.

use std::sync::Arc;

use jiff::Timestamp;

use crate::ledger::{Entry, Terms};
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::snapshot::{PredictionId, Snapshot, Status};

use super::message::{Facts, Progress};
use super::poll::Poll;
use super::progress::{LogTail, fraction};
use super::search::Named;

/// A prediction that the provider knows.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub(super) provider: ProviderName,
    pub(super) prediction: PredictionId,
    pub(super) terms: Terms,
    pub(super) adopted: bool,
    /// What was reserved for an adopted one; none when it has no known price.
    pub(super) reserved: Option<MicroUsd>,
    /// It was created with another token or address than ours.
    pub(super) anothers: bool,
    /// A person named it, and its provider has not shown it yet.
    pub(super) named: Option<Arc<Named>>,
    /// The ledger knows the id.
    pub(super) noted: bool,
    /// When we began to follow it.
    pub(super) since: Timestamp,
    /// When it was created, by our clock.
    pub(super) created: Timestamp,
    pub(super) running_since: Option<Timestamp>,
    pub(super) status: Option<Status>,
    pub(super) fraction: Option<f64>,
    pub(super) tail: LogTail,
    pub(super) poll: Poll,
    pub(super) unknown_ids: u32,
    pub(super) quit: Option<Quit>,
}

/// We want it to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quit {
    pub(super) late: bool,
    pub(super) since: Timestamp,
    pub(super) step: Step,
}

/// How far a cancel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is wanted.
    Wanted,
    /// The ledger was asked whether others want the prediction.
    Asked,
    /// The provider was told.
    Sent,
}

impl Quit {
    pub(super) fn new(late: bool, since: Timestamp) -> Self {
        Self { late, since, step: Step::Wanted }
    }
}

impl Course {
    /// One that the provider just gave an id.
    pub(super) fn new(
        provider: ProviderName,
        prediction: PredictionId,
        facts: Facts,
        now: Timestamp,
    ) -> Self {
        Self {
            provider,
            prediction,
            terms: facts.terms,
            adopted: false,
            reserved: None,
            anothers: false,
            named: None,
            noted: false,
            since: now,
            created: now,
            running_since: None,
            status: None,
            fraction: None,
            tail: LogTail::default(),
            poll: Poll::new(now, facts.p25),
            unknown_ids: 0,
            quit: None,
        }
    }

    /// One that somebody else has created. It has its full time from now on.
    pub(super) fn adopted(entry: &Entry, prediction: PredictionId, now: Timestamp) -> Self {
        let facts = Facts { terms: entry.terms, p25: None };
        Self {
            adopted: true,
            reserved: entry.hold.reserved,
            named: Named::of(entry).map(Arc::new),
            noted: true,
            created: entry.created.unwrap_or(entry.intended),
            ..Self::new(entry.provider().clone(), prediction, facts, now)
        }
    }

    /// What people have not seen yet.
    pub(super) fn news(&mut self, snapshot: &Snapshot) -> Vec<Progress> {
        let mut news = Vec::new();
        if self.status.as_ref() != Some(&snapshot.status) {
            self.status = Some(snapshot.status.clone());
            news.push(Progress::Status(snapshot.status.clone()));
        }
        let Some(logs) = &snapshot.logs else { return news };
        news.extend(self.tail.news(logs).map(Progress::Logs));
        // A server that keeps one log for all may begin it with the end of another's.
        let own = if self.terms.remote { logs } else { logs.split_once('\n').map_or("", |(_, own)| own) };
        let done = fraction(own);
        if done.is_some() && done != self.fraction {
            self.fraction = done;
            news.extend(done.map(Progress::Fraction));
        }
        news
    }
}
