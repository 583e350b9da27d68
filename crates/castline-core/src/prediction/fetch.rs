//! The files of a prediction that succeeded.
//!
//! Start reading at [`Prediction::succeeded`].

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Arrival, Ask, EndState, KEPT};
use crate::request::{Failure, FailureKind};
use crate::snapshot::Snapshot;

use super::fault::CallFault;
use super::finished::Outcome;
use super::log;
use super::message::{Do, Fetched, Progress};
use super::poll::backoff;
use super::{PATIENCE, Prediction, Stage};

/// How often a file is fetched again.
const FETCHES: u32 = 5;

impl Prediction {
    pub(super) fn succeeded(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let course = self.course();
        let gone = snapshot.data_removed || course.adopted && now.duration_since(course.created) >= KEPT;
        match snapshot.output {
            Some(ref output) if !output.is_null() => self.fetch(Arc::new(snapshot), 0, Duration::ZERO),
            _ if gone => {
                let message = "it succeeded, and the provider has deleted its output since";
                self.end(EndState::Expired, Failure::new(FailureKind::Expired, message), None)
            }
            _ => {
                let logs = snapshot.logs.as_deref().and_then(log::kept);
                let message = "it succeeded without an output".to_owned();
                self.end(EndState::Failed, Failure { kind: FailureKind::Output, message, logs }, None)
            }
        }
    }

    pub(super) fn fetch(&mut self, snapshot: Arc<Snapshot>, tries: u32, after: Duration) -> Vec<Do> {
        let provider = self.course().provider.clone();
        self.stage = Stage::Fetching { snapshot: snapshot.clone(), tries };
        vec![Do::Fetch { provider, snapshot, after }]
    }

    pub(super) fn fetched(
        &mut self,
        answer: Result<Fetched, CallFault>,
        snapshot: Arc<Snapshot>,
        tries: u32,
    ) -> Vec<Do> {
        let fault = match answer {
            Ok(fetched) => return self.arrived(fetched, &snapshot),
            Err(fault) => fault,
        };
        let hopeless = matches!(fault, CallFault::BadOutput { retry: false, .. } | CallFault::Io(_));
        if hopeless || tries >= FETCHES || !self.course().terms.get {
            return self.not_fetched(&fault);
        }
        let usual = backoff(Duration::from_millis(500), tries, Duration::from_secs(15));
        let after = fault.asked().unwrap_or(usual).min(PATIENCE);
        let mut dos = vec![Do::Report(Progress::FetchedAgain { after, why: fault.to_string() })];
        dos.extend(self.fetch(snapshot, tries + 1, after));
        dos
    }

    pub(super) fn arrived(&mut self, fetched: Fetched, snapshot: &Snapshot) -> Vec<Do> {
        let Fetched { output, cost } = fetched;
        // Whoever created it may have reserved by other prices: then that is what it cost.
        let price = self.order.request.price;
        let course = self.course();
        let cost = cost.filter(|_| !course.adopted || course.reserved == price);
        let arrival = Arrival {
            output: output.clone(),
            cost,
            predict_seconds: snapshot.predict_seconds(),
            prediction: Some(snapshot.id.clone()),
        };
        self.close(Ask::Fetched(arrival), Outcome::Succeeded(output))
    }

    /// What is bad stays bad, what is gone stays gone; but what only could not be fetched
    /// or stored now is paid for, and left for the next who asks.
    pub(super) fn not_fetched(&mut self, fault: &CallFault) -> Vec<Do> {
        let failure = |kind, message: String| Failure::new(kind, message);
        match fault {
            CallFault::Gone => {
                let message = "it succeeded, and its files are no longer at the provider";
                self.end(EndState::Expired, failure(FailureKind::Expired, message.to_owned()), None)
            }
            CallFault::BadOutput { message, retry: false } => {
                self.end(EndState::Failed, failure(FailureKind::Output, message.clone()), None)
            }
            CallFault::Io(message) => {
                self.leave(FailureKind::Other, &format!("its files cannot be stored: {message}"))
            }
            other => self.leave(FailureKind::Output, &format!("its files cannot be fetched: {other}")),
        }
    }
}
