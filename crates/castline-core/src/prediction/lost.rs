//! A create whose answer was lost: sent again where that is free, looked for where the provider has a
//! list, else in doubt.
//!
//! What a reading of the list means is decided in [`super::hunt`].
//!
//! Start reading at [`Prediction::lost`].

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, Claim, Doubt, EndState, Entry, Ruling, Verdict, Why};
use crate::request::{Failure, FailureKind};

use super::fault::CallFault;
use super::finished::Outcome;
use super::hunt::{Finding, Hunt};
use super::message::{Do, Progress};
use super::poll::backoff;
use super::search::Found;
use super::{ANEW, Asked, Prediction, Stage};

/// How often a create whose answer was lost is repeated where that costs nothing.
const FREE_CREATES: u32 = 5;

impl Prediction {
    /// Sent, and nobody knows whether it was received.
    pub(super) fn lost(&mut self, fault: &CallFault) -> Vec<Do> {
        if self.order.facts.terms.bills {
            return self.doubt(Why::AnswerLost(fault.to_string()));
        }
        if self.stop {
            return self.never_sent();
        }
        if self.tries.count >= FREE_CREATES {
            return self.end(EndState::Failed, Failure::new(FailureKind::Platform, fault.to_string()), None);
        }
        let after = backoff(Duration::from_secs(1), self.tries.count, Duration::from_secs(15));
        self.send_again(after, fault.to_string())
    }

    pub(super) fn reconcile(&mut self, claim: Claim, entry: &Entry, now: Timestamp) -> Vec<Do> {
        self.claim = claim;
        self.intended = true;
        let Some(hunt) = Hunt::new(entry, now) else {
            return self.doubt(Why::CannotTell("it is not known what was sent".to_owned()));
        };
        let (provider, until) = (hunt.provider.clone(), hunt.listed);
        self.hunt = Some(hunt);
        let mut dos = vec![Do::Report(Progress::Searching { provider, until })];
        dos.extend(self.look(Duration::ZERO));
        dos
    }

    pub(super) fn look(&mut self, after: Duration) -> Vec<Do> {
        if self.stop {
            return self.doubt(Why::CannotTell("the search was interrupted".to_owned()));
        }
        let Some(Hunt { provider, search, .. }) = self.hunt.clone() else { return self.begin_anew() };
        self.stage = Stage::Searching;
        vec![Do::Search { provider, search, after }]
    }

    pub(super) fn searched(&mut self, answer: Result<Found, CallFault>, now: Timestamp) -> Vec<Do> {
        let Some(hunt) = self.hunt.as_mut() else { return self.begin_anew() };
        let finding = hunt.read(answer, now);
        self.found(finding)
    }

    pub(super) fn found(&mut self, finding: Finding) -> Vec<Do> {
        match finding {
            Finding::Candidate(found) => self.commit(Asked::Found, Ask::Found(found)),
            Finding::Absent => self.never_received(),
            Finding::CannotTell(why) => self.doubt(Why::CannotTell(why)),
            Finding::Again(after) => self.look(after),
        }
    }

    /// What another run intended is created anew, with the money of this one.
    pub(super) fn never_received(&mut self) -> Vec<Do> {
        if self.hunt.as_ref().is_some_and(|hunt| hunt.made_by == self.order.claim.run) {
            return self.unsent(Duration::ZERO);
        }
        let failure = Failure::new(FailureKind::Other, "it was never received");
        self.commit(Asked::GivenUp, Ask::Absent(failure))
    }

    pub(super) fn matched(&mut self, verdict: Verdict, now: Timestamp) -> Vec<Do> {
        match (verdict, self.hunt.as_mut()) {
            (Verdict::Follow { claim, entry }, _) => self.adopt(claim, &entry, now),
            (Verdict::Taken, Some(hunt)) => {
                let finding = hunt.next(now);
                self.found(finding)
            }
            (Verdict::Wait, Some(hunt)) => {
                let finding = hunt.again(now);
                self.found(finding)
            }
            (Verdict::Doubt(doubt), _) => self.doubted(doubt),
            _ => self.begin_anew(),
        }
    }

    pub(super) fn doubt(&mut self, why: Why) -> Vec<Do> {
        // The words come with the verdict; a ledger that has moved on is asked anew.
        let failure = Failure::new(FailureKind::Other, why.to_string());
        self.close(Ask::Unclear(why), Outcome::Failed(failure))
    }

    /// The project may have decided beforehand what a person would be asked.
    pub(super) fn doubted(&mut self, doubt: Box<Doubt>) -> Vec<Do> {
        // Where a person is at it, the person goes on deciding.
        let named = matches!(doubt.why, Why::Another { .. });
        if self.order.retry_lost && !named && !self.stop && self.anew < ANEW {
            return self.commit(Asked::GivenUp, Ask::Ruled(Ruling::Retry));
        }
        self.finish(self.in_doubt(doubt))
    }
}
