//! A prediction that has an id is asked for until it ends.
//!
//! Start reading at [`Prediction::got`]; when to ask again is decided in [`super::poll`].

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, Claim, EndState, Entry, Verdict};
use crate::request::{Failure, FailureKind};
use crate::snapshot::{Snapshot, Status};

use super::classify;
use super::course::Course;
use super::fault::CallFault;
use super::finished::Outcome;
use super::message::{Do, Progress};
use super::poll::elapsed;
use super::{Prediction, START, Stage};

/// How often an id that was just given may be unknown.
const UNKNOWN_IDS: u32 = 5;

impl Prediction {
    pub(super) fn adopt(&mut self, claim: Claim, entry: &Entry, now: Timestamp) -> Vec<Do> {
        self.claim = claim;
        let Some(prediction) = entry.prediction.clone() else {
            return self.begin_anew();
        };
        let provider = entry.provider().clone();
        let anothers = self.is_anothers(entry);
        self.course = Some(Course { anothers, ..Course::adopted(entry, prediction.clone(), now) });
        self.stage = Stage::Following;
        let mut dos = vec![Do::Report(Progress::Created { provider, prediction, adopted: true })];
        if self.stop {
            dos.extend(self.quit(false, now));
        }
        dos.push(self.get(Duration::ZERO));
        dos
    }

    /// What one account has created another may not be able to ask for: it would seem gone.
    pub(super) fn is_anothers(&self, entry: &Entry) -> bool {
        let theirs = entry.sent.as_ref().and_then(|sent| sent.account.as_ref());
        let ours = self.order.account.as_ref().filter(|_| *entry.provider() == self.order.request.provider);
        matches!((theirs, ours), (Some(theirs), Some(ours)) if theirs != ours)
    }

    pub(super) fn noted(&mut self, verdict: &Verdict) -> Vec<Do> {
        let (Verdict::Follow { .. }, Some(course)) = (verdict, self.course.as_mut()) else {
            return self.begin_anew();
        };
        course.noted = true;
        if let Some((asked, ask)) = self.next.take() {
            return self.commit(asked, ask);
        }
        let mut dos = if self.stage == Stage::Following { self.send_cancel() } else { vec![] };
        if !dos.is_empty() {
            dos.push(self.get_soon());
        }
        dos
    }

    pub(super) fn course(&mut self) -> &mut Course {
        self.course.as_mut().expect("whoever follows or fetches has a course")
    }

    pub(super) fn get(&mut self, after: Duration) -> Do {
        let Course { provider, prediction, named, .. } = self.course();
        Do::Get { provider: provider.clone(), prediction: prediction.clone(), named: named.clone(), after }
    }

    pub(super) fn get_soon(&mut self) -> Do {
        let after = self.course().poll.restart();
        self.get(after)
    }

    pub(super) fn got(&mut self, answer: Result<Snapshot, CallFault>, now: Timestamp) -> Vec<Do> {
        match answer {
            Ok(snapshot) => {
                let course = self.course();
                (course.unknown_ids, course.named) = (0, None);
                self.seen(snapshot, now)
            }
            Err(CallFault::Gone) => self.unknown_id(now),
            Err(CallFault::Another(differs)) => self.misnamed(differs),
            Err(CallFault::Refused { message, .. }) => self.leave(FailureKind::Other, &message),
            Err(fault) => {
                let after = self.course().poll.after(&fault);
                self.wait_on(after, now)
            }
        }
    }

    /// A person named a prediction that is another one's: nothing of it is taken.
    fn misnamed(&mut self, differs: String) -> Vec<Do> {
        let named = self.course.take().map(|course| course.prediction.0).unwrap_or_default();
        let key = &self.order.request.key.0.hex()[..12];
        let message = format!(
            "`{named}` was adopted for it and is another prediction: {differs}; nothing was taken of it: \
             `castline ledger adopt {key} ID` with the right one, or `castline ledger retry {key}` (paid again)"
        );
        let failure = Failure::new(FailureKind::Expired, message);
        self.close(Ask::Another(differs), Outcome::Expired(failure))
    }

    /// Some providers need a moment before they know an id that they gave.
    pub(super) fn unknown_id(&mut self, now: Timestamp) -> Vec<Do> {
        let course = self.course();
        course.unknown_ids += 1;
        if course.unknown_ids > UNKNOWN_IDS && course.anothers {
            let message = format!(
                "`{}` does not know the prediction `{}`, which was created with another token or at another address",
                course.provider, course.prediction
            );
            return self.leave(FailureKind::Other, &message);
        }
        if course.unknown_ids > UNKNOWN_IDS {
            let message = format!(
                "`{}` does not know the prediction `{}` any more",
                course.provider, course.prediction
            );
            return self.end(EndState::Expired, Failure::new(FailureKind::Expired, message), None);
        }
        let after = course.poll.after(&CallFault::Gone);
        self.wait_on(after, now)
    }

    pub(super) fn seen(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let mut dos: Vec<Do> = self.course().news(&snapshot).into_iter().map(Do::Report).collect();
        dos.extend(match snapshot.status {
            Status::Succeeded => self.succeeded(snapshot, now),
            Status::Failed => {
                let failure = classify::failure_of(snapshot.error.as_deref(), snapshot.logs.as_deref());
                self.end(EndState::Failed, failure, None)
            }
            Status::Canceled => self.stopped_there(EndState::Canceled, &snapshot),
            Status::Aborted => self.stopped_there(EndState::Aborted, &snapshot),
            Status::Starting | Status::Processing | Status::Other(_) => self.still_going(&snapshot, now),
        });
        dos
    }

    pub(super) fn still_going(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<Do> {
        if !self.course().terms.get {
            let message = "the provider answered before it was done, and cannot be asked again";
            return self.end(EndState::Failed, Failure::new(FailureKind::Platform, message), None);
        }
        let course = self.course();
        if snapshot.status != Status::Starting {
            course.running_since.get_or_insert(now);
        }
        let after = course.poll.next(now);
        self.wait_on(after, now)
    }

    /// Asks again later, but not after its deadline, unless it takes too long.
    pub(super) fn wait_on(&mut self, after: Duration, now: Timestamp) -> Vec<Do> {
        let (timeout, leave) = (self.order.request.timeout, self.leave);
        let course = self.course();
        let left = match (course.quit, course.running_since) {
            (Some(quit), _) => return self.wait_for_stop(quit, after, now),
            (None, _) if leave => return self.let_go(),
            (None, Some(running)) => timeout.saturating_sub(elapsed(running, now)),
            (None, None) if course.terms.remote => START.saturating_sub(elapsed(course.since, now)),
            // What only this process knows queues here, and its server knows how long to wait.
            (None, None) => Duration::MAX,
        };
        let late = left.is_zero();
        let mut dos = if late { self.quit(true, now) } else { vec![] };
        if self.stage == Stage::Following {
            dos.push(if late { self.get_soon() } else { self.get(after.min(left)) });
        }
        dos
    }
}
