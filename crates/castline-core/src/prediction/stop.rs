//! A prediction is to stop: because it takes too long, or nobody wants its outcome any more.
//!
//! Start reading at [`Prediction::stop`].

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, EndState, Verdict, Why};
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind};
use crate::snapshot::Snapshot;

use super::course::{Course, Quit, Step};
use super::finished::Outcome;
use super::log;
use super::message::{Do, Progress};
use super::poll::elapsed;
use super::{Asked, Prediction, START, Stage};

/// How long a prediction may take to stop after it was told to.
const STOPPING: Duration = Duration::from_mins(1);

impl Prediction {
    pub(super) fn stop(&mut self, now: Timestamp) -> Vec<Do> {
        let again = std::mem::replace(&mut self.stop, true);
        match &self.stage {
            _ if again => vec![],
            Stage::Waiting => self.stop_waiting(),
            // The verdict to come is heard first.
            Stage::Resting if self.asked.is_some() => vec![],
            Stage::Resting | Stage::Preparing => self.unprepared(Outcome::Canceled(stopped())),
            Stage::Searching if self.asked.is_none() => {
                self.doubt(Why::CannotTell("the search was interrupted".to_owned()))
            }
            Stage::Following => {
                let mut dos = self.quit(false, now);
                if self.course().quit.is_some_and(|quit| quit.step == Step::Sent) {
                    dos.push(self.get_soon());
                }
                dos
            }
            // Of the claim and the create we must hear first; what is paid for is kept.
            Stage::Claiming
            | Stage::Creating
            | Stage::Searching
            | Stage::Fetching { .. }
            | Stage::Closing(_)
            | Stage::Finished => {
                vec![]
            }
        }
    }

    /// What can be stopped is; at what cannot one more look is taken before it is let go.
    pub(super) fn stop_or_leave(&mut self, now: Timestamp) -> Vec<Do> {
        self.leave = true;
        let dos = self.stop(now);
        if self.stage == Stage::Following && !self.course().terms.cancel {
            return vec![self.get_soon()];
        }
        dos
    }

    /// Whoever works on it must not think that it is wanted here.
    pub(super) fn stop_waiting(&mut self) -> Vec<Do> {
        self.stage = Stage::Closing(Outcome::Canceled(stopped()));
        self.commit(Asked::Last, Ask::Unwanted)
    }

    /// Wants it to stop. Where that cannot be asked for, a late one is given up and another
    /// is waited for: it costs the same.
    pub(super) fn quit(&mut self, late: bool, now: Timestamp) -> Vec<Do> {
        let course = self.course();
        if course.quit.is_some() || (!course.terms.cancel && !late) {
            return vec![];
        }
        if !course.terms.cancel {
            return self.gave_up(late);
        }
        course.quit = Some(Quit::new(late, now));
        self.send_cancel()
    }

    /// The ledger knows the id before the provider is told to stop, and that nobody else
    /// wants it.
    pub(super) fn send_cancel(&mut self) -> Vec<Do> {
        let Course { provider, prediction, terms, noted, quit, .. } = self.course();
        match quit {
            Some(quit) if terms.cancel && *noted && quit.step == Step::Wanted => {
                if terms.remote {
                    quit.step = Step::Asked;
                    return self.commit(Asked::Stop, Ask::Stop);
                }
                quit.step = Step::Sent;
                let (provider, prediction) = (provider.clone(), prediction.clone());
                vec![Do::Report(Progress::Canceling), Do::Cancel { provider, prediction }]
            }
            _ => vec![],
        }
    }

    /// Somebody else may want what we do not: whoever waits for it goes on with it.
    pub(super) fn may_stop(&mut self, verdict: &Verdict) -> Vec<Do> {
        match (verdict, self.next.take()) {
            (_, Some((asked, ask))) => self.commit(asked, ask),
            (Verdict::Cancel, None) if self.stage == Stage::Following => {
                let course = self.course();
                let (provider, prediction) = (course.provider.clone(), course.prediction.clone());
                if let Some(quit) = &mut course.quit {
                    quit.step = Step::Sent;
                }
                let cancel = Do::Cancel { provider, prediction };
                vec![Do::Report(Progress::Canceling), cancel, self.get_soon()]
            }
            (Verdict::Cancel, None) => vec![],
            (Verdict::Done, None) => {
                let message = "another run waits for it and goes on with it";
                let late = self.course().quit.is_some_and(|quit| quit.late);
                let outcome = if late {
                    let failure = self.too_late();
                    Outcome::Failed(Failure { message: format!("{}; {message}", failure.message), ..failure })
                } else {
                    Outcome::Canceled(Failure::new(FailureKind::Other, message))
                };
                self.finish(self.unmade(outcome))
            }
            _ => self.begin_anew(),
        }
    }

    pub(super) fn wait_for_stop(&mut self, quit: Quit, after: Duration, now: Timestamp) -> Vec<Do> {
        let mut dos = self.send_cancel();
        if self.course().terms.cancel && elapsed(quit.since, now) >= STOPPING {
            dos.extend(self.gave_up(quit.late));
        } else {
            dos.push(self.get(after));
        }
        dos
    }

    /// What it did in the end nobody has heard: it stays there for whoever asks next, and what
    /// it made meanwhile is not paid for again.
    pub(super) fn gave_up(&mut self, late: bool) -> Vec<Do> {
        if late {
            let message = self.too_late().message;
            return self.leave(FailureKind::Timeout, &message);
        }
        let mut failure = stopped();
        failure.message.push_str("; the provider did not say that it did");
        if self.can_be_left() {
            return self.close(Ask::Left, Outcome::Canceled(failure));
        }
        self.end(EndState::Canceled, failure, None)
    }

    pub(super) fn too_late(&mut self) -> Failure {
        let timeout = self.order.request.timeout;
        let course = self.course();
        let message = match course.running_since {
            Some(_) => format!("still running after {}", words(timeout)),
            None => format!("not started after {}", words(START)),
        };
        let (cancel, logs) = (course.terms.cancel, course.tail.whole().and_then(log::kept));
        let message = if cancel { message } else { format!("{message}; {}", self.goes_on()) };
        Failure { kind: FailureKind::Timeout, message, logs }
    }

    pub(super) fn stopped_there(&mut self, state: EndState, snapshot: &Snapshot) -> Vec<Do> {
        let cost = (state == EndState::Aborted).then_some(MicroUsd::ZERO);
        let failure = match self.course().quit {
            Some(Quit { late: true, .. }) => {
                let failure = self.too_late();
                return self.end(EndState::Failed, failure, cost);
            }
            Some(_) => stopped(),
            None => {
                let message = match (&snapshot.error, state) {
                    (Some(error), _) if !error.trim().is_empty() => error.trim().to_owned(),
                    (_, EndState::Aborted) => "the provider dropped it before it started".to_owned(),
                    _ => "it was canceled at the provider".to_owned(),
                };
                let logs = snapshot.logs.as_deref().and_then(log::kept);
                Failure { kind: FailureKind::Other, message, logs }
            }
        };
        self.end(state, failure, cost)
    }

    pub(super) fn let_go(&mut self) -> Vec<Do> {
        let message = format!("not waited for any more; {}", self.goes_on());
        let failure = Failure::new(FailureKind::Other, message + "; run again to pick it up");
        self.close(Ask::Left, Outcome::Canceled(failure))
    }

    /// What cannot be stopped, and what it costs.
    pub(super) fn goes_on(&mut self) -> String {
        let (model, price) = (self.order.request.model.to_string(), self.order.request.price);
        let Course { provider, prediction, terms, .. } = self.course();
        let billed = match price {
            _ if !terms.bills => String::new(),
            Some(price) => format!(", and is billed: up to {price}"),
            None => ", and is billed: its price is not known".to_owned(),
        };
        format!(
            "prediction `{prediction}` of `{model}` goes on at `{provider}`, which cannot be told to stop{billed}"
        )
    }
}

pub(super) fn stopped() -> Failure {
    Failure::new(FailureKind::Other, "stopped because its outcome is not wanted any more")
}

/// `30 minutes`, `90 seconds`.
fn words(time: Duration) -> String {
    match time.as_secs() {
        60 => "1 minute".to_owned(),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
