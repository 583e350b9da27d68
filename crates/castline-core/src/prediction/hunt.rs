//! A create of which nothing was heard, while it is looked for in the provider's list.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Entry, Match, RunId};
use crate::model::ProviderName;

use super::PATIENCE;
use super::fault::CallFault;
use super::poll::backoff;
use super::search::{Candidate, Found, Search};

/// So many complete readings without it, after the provider's lag, prove that it is absent.
const PROOF: u32 = 2;
/// How long a list may be unreadable after the lag.
const UNREADABLE: SignedDuration = SignedDuration::from_mins(10);
/// Often enough for people, seldom enough for a list of a hundred predictions.
const READING: Duration = Duration::from_secs(5);

/// What one reading of the list means.
#[derive(Debug, PartialEq)]
pub(super) enum Finding {
    /// This one can be it.
    Candidate(Match),
    /// It certainly was not received.
    Absent,
    /// The list proves nothing, and will not.
    CannotTell(String),
    /// To be read again after a while.
    Again(Duration),
}

/// The search for one lost create.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hunt {
    pub(super) provider: ProviderName,
    pub(super) search: Arc<Search>,
    /// The run that intended it.
    pub(super) made_by: RunId,
    /// When everything that was received is listed, by our clock.
    pub(super) listed: Timestamp,
    lag: Duration,
    /// Complete readings without it after that.
    without: u32,
    faults: u32,
    /// The reading to come begins then or later.
    begins: Timestamp,
    /// Of the last reading, the likeliest last.
    candidates: Vec<Candidate>,
    /// Why the last reading proves nothing about what is not in it.
    incomplete: Option<String>,
}

impl Hunt {
    /// For an entry whose create was lost; none when it does not say what was sent. The lag is
    /// waited for from now on: who has lost it may have had another clock.
    pub(super) fn new(entry: &Entry, now: Timestamp) -> Option<Self> {
        let sent = entry.sent.as_ref()?;
        let orphaned = entry.orphaned?;
        let lag = Duration::from_secs(entry.terms.list_lag.into());
        let search = Search {
            model: entry.request.model.clone(),
            deployment: entry.request.deployment.clone(),
            sent: sent.input.clone(),
            account: sent.account.clone(),
            from: entry.intended,
            until: orphaned,
            clock: sent.clock,
        };
        Some(Self {
            provider: entry.provider().clone(),
            made_by: entry.made_by.clone(),
            search: Arc::new(search),
            listed: now.saturating_add(SignedDuration::try_from(lag).ok()?).ok()?,
            lag,
            without: 0,
            faults: 0,
            begins: Timestamp::MIN,
            candidates: Vec::new(),
            incomplete: None,
        })
    }

    /// What a reading shows.
    pub(super) fn read(&mut self, answer: Result<Found, CallFault>, now: Timestamp) -> Finding {
        match answer {
            Ok(found) => {
                self.faults = 0;
                self.candidates = found.candidates;
                self.candidates.reverse();
                self.incomplete = found.incomplete;
                self.next(now)
            }
            Err(fault) if fault.is_transient() && now.duration_since(self.listed) < UNREADABLE => {
                let usual = backoff(Duration::from_secs(1), self.faults, Duration::from_secs(30));
                self.faults += 1;
                self.again_after(now, fault.asked().unwrap_or(usual).min(PATIENCE))
            }
            Err(fault) => Finding::CannotTell(fault.to_string()),
        }
    }

    /// The candidate belongs to another entry, or may yet turn out to: the next one, if there
    /// is one.
    pub(super) fn next(&mut self, now: Timestamp) -> Finding {
        if let Some(Candidate { id, exact }) = self.candidates.pop() {
            let or = self.candidates.iter().filter(|_| !exact).map(|other| other.id.clone()).collect();
            return Finding::Candidate(Match { id, exact, or });
        }
        match self.incomplete.take() {
            None => self.not_there(now),
            Some(why) if now >= self.listed => Finding::CannotTell(why),
            Some(_) => self.again(now),
        }
    }

    fn not_there(&mut self, now: Timestamp) -> Finding {
        if self.begins >= self.listed {
            self.without += 1;
        }
        if self.without >= PROOF { Finding::Absent } else { self.again(now) }
    }

    /// A last reading falls on the moment from which it counts.
    pub(super) fn again(&mut self, now: Timestamp) -> Finding {
        let left = Duration::try_from(self.listed.duration_since(now)).unwrap_or_default();
        let usual = (self.lag / 12).clamp(Duration::from_millis(50), READING);
        self.again_after(now, if left.is_zero() { usual } else { usual.min(left) })
    }

    fn again_after(&mut self, now: Timestamp, after: Duration) -> Finding {
        self.begins =
            SignedDuration::try_from(after).ok().and_then(|after| now.checked_add(after).ok()).unwrap_or(now);
        Finding::Again(after)
    }
}
