//! The create: accepted, refused, or not received and sent again.
//!
//! Start reading at [`Prediction::created`]; a create whose answer was lost is in [`super::lost`].

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, EndState, Verdict};
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Request};
use crate::snapshot::Snapshot;

use super::course::{Course, Quit};
use super::fault::CallFault;
use super::finished::Outcome;
use super::message::{Do, Progress};
use super::poll::{backoff, elapsed};
use super::stop::stopped;
use super::{Asked, Prediction, Stage};

/// How long a host that cannot be reached is tried before a create is given up.
const UNREACHED: Duration = Duration::from_secs(20);
/// How long a provider may say "not now" to a create. Low credit means six creates a minute.
const BUSY: Duration = Duration::from_hours(1);

impl Prediction {
    pub(super) fn create(&mut self) -> Vec<Do> {
        self.stage = Stage::Creating;
        vec![Do::Create]
    }

    pub(super) fn created(&mut self, answer: Result<Snapshot, CallFault>, now: Timestamp) -> Vec<Do> {
        match answer {
            Ok(snapshot) => self.accepted(snapshot, now),
            Err(CallFault::NotSent { host, cause }) => self.unreached(&host, &cause, now),
            Err(CallFault::Busy { message, retry_after }) => self.busy(message, retry_after, now),
            Err(fault @ (CallFault::Lost { .. } | CallFault::Server { refused: false, .. })) => {
                self.lost(&fault)
            }
            Err(fault) => self.turned_down(&fault),
        }
    }

    pub(super) fn accepted(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let facts = self.order.facts.believed(self.order.request.timeout);
        let mut course = Course::new(self.order.request.provider.clone(), snapshot.id.clone(), facts, now);
        course.noted = !facts.terms.remote;
        course.quit = (self.stop && facts.terms.cancel).then_some(Quit::new(false, now));
        let (provider, prediction) = (course.provider.clone(), course.prediction.clone());
        self.course = Some(course);
        self.stage = Stage::Following;
        let mut dos = vec![];
        // What a process has done itself and at once need not be found again after its death.
        if facts.terms.remote {
            dos.extend(self.commit(Asked::Created, Ask::Created(prediction.clone())));
        }
        dos.push(Do::Report(Progress::Created { provider, prediction, adopted: false }));
        dos.extend(self.seen(snapshot, now));
        dos
    }

    pub(super) fn unreached(&mut self, host: &str, cause: &str, now: Timestamp) -> Vec<Do> {
        let since = self.tries.unreached_since.unwrap_or(now);
        if self.stop {
            return self.never_sent();
        }
        if elapsed(since, now) >= UNREACHED {
            let message = format!("cannot reach {host} ({cause}): nothing was sent and nothing was spent");
            return self.absent(Failure::new(FailureKind::Other, message), Outcome::Failed);
        }
        let after = backoff(Duration::from_secs(1), self.tries.count, Duration::from_secs(15));
        (self.tries.unreached_since, self.tries.busy_since) = (Some(since), None);
        self.send_again(after, format!("cannot reach {host} ({cause})"))
    }

    pub(super) fn busy(&mut self, message: String, asked: Option<Duration>, now: Timestamp) -> Vec<Do> {
        let since = self.tries.busy_since.unwrap_or(now);
        if self.stop {
            return self.never_sent();
        }
        if elapsed(since, now) >= BUSY {
            let message =
                format!("the provider took no request for an hour, and nothing was spent: {message}");
            return self.absent(Failure::new(FailureKind::Platform, message), Outcome::Failed);
        }
        let tries = self.tries.count;
        let after = asked.unwrap_or_else(|| backoff(Duration::from_secs(1), tries, Duration::from_secs(30)));
        (self.tries.unreached_since, self.tries.busy_since) = (None, Some(since));
        self.send_again(after, message)
    }

    /// It was not received. Where that must be told from a lost create, the ledger hears it
    /// before the rest, so that a crash in between leaves no doubt.
    pub(super) fn send_again(&mut self, after: Duration, why: String) -> Vec<Do> {
        self.tries.count += 1;
        let mut dos = vec![Do::Report(Progress::SentAgain { after, why })];
        dos.extend(self.unsent(after));
        dos
    }

    pub(super) fn unsent(&mut self, after: Duration) -> Vec<Do> {
        self.stage = Stage::Resting;
        if !self.order.facts.terms.remote {
            return vec![Do::Rest(after)];
        }
        self.commit(Asked::Unsent { after }, Ask::Unsent)
    }

    pub(super) fn put_off(&mut self, verdict: &Verdict, after: Duration) -> Vec<Do> {
        if !matches!(verdict, Verdict::Done) {
            return self.begin_anew();
        }
        if self.stop { self.never_sent() } else { vec![Do::Rest(after)] }
    }

    pub(super) fn rest(&mut self, after: Duration, why: String) -> Vec<Do> {
        self.stage = Stage::Resting;
        vec![Do::Report(Progress::SentAgain { after, why }), Do::Rest(after)]
    }

    pub(super) fn rested(&mut self) -> Vec<Do> {
        if self.order.facts.terms.remote { self.prepare() } else { self.create() }
    }

    /// It certainly was not accepted, and would not be if it was sent again.
    pub(super) fn turned_down(&mut self, fault: &CallFault) -> Vec<Do> {
        let (kind, message) = match fault {
            CallFault::Refused { status: 401..=403, message } => (FailureKind::Other, message.clone()),
            CallFault::Refused { message, .. } | CallFault::BadInput(message) => {
                (FailureKind::Input, message.clone())
            }
            CallFault::Gone => {
                let Request { model, provider, .. } = &*self.order.request;
                (FailureKind::Input, format!("`{provider}` does not know the model `{model}`"))
            }
            CallFault::Server { message, .. } => (FailureKind::Platform, message.clone()),
            other => (FailureKind::Other, other.to_string()),
        };
        self.end(EndState::Failed, Failure::new(kind, message), Some(MicroUsd::ZERO))
    }

    pub(super) fn never_sent(&mut self) -> Vec<Do> {
        self.absent(stopped(), Outcome::Canceled)
    }

    pub(super) fn absent(&mut self, failure: Failure, outcome: fn(Failure) -> Outcome) -> Vec<Do> {
        self.close(Ask::Absent(failure.clone()), outcome(failure))
    }
}
