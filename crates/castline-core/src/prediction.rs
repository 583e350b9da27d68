//! The procedure of one prediction: prepare, claim, create, look for it where its answer was
//! lost, wait, fetch, commit.
//!
//! A [`Prediction`] is told what happened and answers what to do; carrying it out is the
//! work of `castline-runner`, deciding about money and owners that of [`crate::ledger`].
//! Nothing here sleeps, reads a clock or makes a call, and a failed prediction is not
//! created again here: that is the run's decision. (A lost one may be: where it is free, was
//! never received, or the project says `when_lost: retry`.)
//!
//! Start reading at [`Prediction::handle`]; each part of the procedure is a module: `create`, `lost`
//! (with `hunt`), `follow` (with `course` and `poll`), `stop`, `fetch`, `end`.

mod classify;
mod course;
mod create;
mod end;
mod fault;
mod fetch;
mod finished;
mod follow;
mod hunt;
mod log;
mod lost;
mod message;
mod poll;
mod progress;
mod search;
mod stop;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Ask, Claim, Sent, Verdict};
use crate::request::{Failure, FailureKind};
use crate::snapshot::Snapshot;

pub use classify::classify;
use course::Course;
pub use fault::CallFault;
use finished::outcome_of;
pub use finished::{Finished, Outcome, Source};
use hunt::Hunt;
pub use message::{Do, Facts, Fetched, Order, Progress, Told, learned};
use poll::backoff;
pub use progress::{LogText, fraction};
pub use search::{Candidate, Found, Named, Search};
use stop::stopped;

/// How long a prediction may wait for its start.
pub const START: Duration = Duration::from_mins(10);
/// How often files are uploaded again.
const UPLOADS: u32 = 5;
/// The longest that a provider may ask us to stay away from what is paid for.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often everything is begun anew because the entry has moved on.
const ANEW: u32 = 3;

/// One prediction on its way.
#[derive(Debug, Clone)]
pub struct Prediction {
    order: Order,
    claim: Claim,
    stage: Stage,
    /// The commit whose verdict is still to come.
    asked: Option<Asked>,
    /// The commit after that.
    next: Option<(Asked, Ask)>,
    /// What was prepared to be sent.
    sent: Option<Sent>,
    /// The ledger has an intent of ours.
    intended: bool,
    tries: Tries,
    /// Known while a lost create is looked for.
    hunt: Option<Hunt>,
    /// Known from the time that the provider gave an id.
    course: Option<Course>,
    stop: bool,
    /// Besides, what cannot be stopped is not waited for.
    leave: bool,
    anew: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// Files are uploaded and a turn is waited for; then it is sent for the first time, or
    /// again.
    Preparing,
    /// The ledger was asked.
    Claiming,
    /// Somebody else is at it.
    Waiting,
    /// The request was sent.
    Creating,
    /// The request will be sent.
    Resting,
    /// It was sent, and is looked for in the provider's list.
    Searching,
    /// The provider is asked now and then.
    Following,
    /// The files are on their way.
    Fetching { snapshot: Arc<Snapshot>, tries: u32 },
    /// The last commit was sent, with the outcome to come.
    Closing(Outcome),
    /// Nothing is listened to any more.
    Finished,
}

/// What a verdict will be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Claim,
    Unsent { after: Duration },
    Found,
    Created,
    Stop,
    GivenUp,
    Last,
}

/// The tries of a create so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tries {
    count: u32,
    uploads: u32,
    unreached_since: Option<Timestamp>,
    busy_since: Option<Timestamp>,
}

impl Prediction {
    /// Begins: the ledger is asked.
    pub fn start(order: Order) -> (Self, Vec<Do>) {
        let mut prediction = Self::new(order);
        let dos = prediction.begin();
        (prediction, dos)
    }

    /// Begins with a prediction that a dead process has left, to have it stopped. Nothing is
    /// ever created.
    pub fn stop_orphan(order: Order) -> (Self, Vec<Do>) {
        let mut prediction = Self { stop: true, leave: true, ..Self::new(order) };
        let dos = prediction.begin();
        (prediction, dos)
    }

    fn new(order: Order) -> Self {
        Self {
            claim: order.claim.clone(),
            order,
            stage: Stage::Claiming,
            asked: None,
            next: None,
            sent: None,
            intended: false,
            tries: Tries::default(),
            hunt: None,
            course: None,
            stop: false,
            leave: false,
            anew: 0,
        }
    }

    /// Takes what happened and answers what to do. What no longer fits is ignored.
    pub fn handle(&mut self, told: Told, now: Timestamp) -> Vec<Do> {
        match told {
            Told::Verdict(verdict) => match self.asked.take() {
                Some(Asked::Claim) => self.claimed(verdict, now),
                Some(Asked::Unsent { after }) => self.put_off(&verdict, after),
                Some(Asked::Found) => self.matched(verdict, now),
                Some(Asked::Created) => self.noted(&verdict),
                Some(Asked::Stop) => self.may_stop(&verdict),
                Some(Asked::GivenUp) => self.begin_anew(),
                Some(Asked::Last) => self.closed(verdict, now),
                None => vec![],
            },
            Told::Prepared(answer) if self.stage == Stage::Preparing => self.prepared(answer),
            Told::Created(answer) if self.stage == Stage::Creating => self.created(answer, now),
            Told::Searched(answer) if self.stage == Stage::Searching => self.searched(answer, now),
            Told::Got(answer) if self.stage == Stage::Following => self.got(answer, now),
            Told::Fetched(answer) => match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Fetching { snapshot, tries } => self.fetched(answer, snapshot, tries),
                other => self.stay(other),
            },
            Told::Rested if self.stage == Stage::Resting => self.rested(),
            Told::Changed if self.stage == Stage::Waiting => self.begin(),
            Told::Stop => self.stop(now),
            Told::Leave => self.stop_or_leave(now),
            Told::Prepared(_)
            | Told::Created(_)
            | Told::Searched(_)
            | Told::Got(_)
            | Told::Rested
            | Told::Changed => vec![],
        }
    }

    fn stay(&mut self, stage: Stage) -> Vec<Do> {
        self.stage = stage;
        vec![]
    }

    fn begin(&mut self) -> Vec<Do> {
        self.claim = self.order.claim.clone();
        self.next = None;
        self.course = None;
        self.hunt = None;
        self.intended = false;
        // What will not be sent needs no preparation.
        if self.order.facts.terms.remote && !self.stop { self.prepare() } else { self.ask_for_claim(None) }
    }

    fn prepare(&mut self) -> Vec<Do> {
        self.stage = Stage::Preparing;
        vec![Do::Prepare]
    }

    /// Once the ledger hears of it, nothing stands between the intent and the create.
    fn prepared(&mut self, answer: Result<Sent, CallFault>) -> Vec<Do> {
        match answer {
            Ok(sent) => {
                self.tries.uploads = 0;
                self.sent = Some(sent.clone());
                if self.intended {
                    self.stage = Stage::Claiming;
                    self.commit(Asked::Claim, Ask::Resend(sent))
                } else {
                    self.ask_for_claim(Some(sent))
                }
            }
            Err(fault) if fault.is_transient() && self.tries.uploads < UPLOADS && !self.stop => {
                let usual = backoff(Duration::from_secs(1), self.tries.uploads, Duration::from_secs(15));
                self.tries.uploads += 1;
                self.rest(fault.asked().unwrap_or(usual), fault.to_string())
            }
            Err(fault) => {
                let kind = match fault {
                    CallFault::BadInput(_) => FailureKind::Input,
                    CallFault::Refused { .. } | CallFault::Io(_) => FailureKind::Other,
                    _ => FailureKind::Platform,
                };
                self.unprepared(Outcome::Failed(Failure::new(kind, fault.to_string())))
            }
        }
    }

    /// It will not be sent, or not again.
    fn unprepared(&mut self, outcome: Outcome) -> Vec<Do> {
        match outcome {
            outcome if !self.intended => self.finish(self.unmade(outcome)),
            Outcome::Failed(failure) => self.absent(failure, Outcome::Failed),
            _ => self.never_sent(),
        }
    }

    fn ask_for_claim(&mut self, sent: Option<Sent>) -> Vec<Do> {
        let Order { request, facts, since, beyond, .. } = &self.order;
        let ask =
            Ask::Claim { request: request.clone(), terms: facts.terms, since: *since, beyond: *beyond, sent };
        self.stage = Stage::Claiming;
        self.commit(Asked::Claim, ask)
    }

    /// One commit at a time: the end waits until the ledger knows the id.
    fn commit(&mut self, asked: Asked, ask: Ask) -> Vec<Do> {
        if self.asked.is_some() {
            self.next = Some((asked, ask));
            return vec![];
        }
        self.asked = Some(asked);
        vec![Do::Commit { claim: self.claim.clone(), ask }]
    }

    fn claimed(&mut self, verdict: Verdict, now: Timestamp) -> Vec<Do> {
        match verdict {
            Verdict::Create(claim) => {
                self.claim = claim;
                self.intended = true;
                if self.stop { self.never_sent() } else { self.create() }
            }
            Verdict::Follow { claim, entry } => self.adopt(claim, &entry, now),
            Verdict::Reconcile { claim, entry } => self.reconcile(claim, &entry, now),
            Verdict::Wait if self.stop => self.stop_waiting(),
            Verdict::Wait => {
                self.stage = Stage::Waiting;
                vec![Do::Report(Progress::WaitingForOwner), Do::WaitForOwner]
            }
            Verdict::Reuse(entry) | Verdict::Ended(entry) => {
                let outcome = outcome_of(&entry);
                self.finish(self.made(&entry, outcome, Source::Reused))
            }
            Verdict::Doubt(doubt) => self.doubted(doubt),
            Verdict::Refused(refusal) => self.finish(self.unmade(Outcome::Refused(refusal))),
            Verdict::Done if self.stop => self.finish(self.unmade(Outcome::Canceled(stopped()))),
            Verdict::Stale | Verdict::Done | Verdict::Taken | Verdict::Cancel => self.begin_anew(),
        }
    }

    fn begin_anew(&mut self) -> Vec<Do> {
        self.anew += 1;
        if self.anew > ANEW {
            let failure =
                Failure::new(FailureKind::Other, "the ledger's entry keeps changing under our hands");
            return self.finish(self.unmade(Outcome::Failed(failure)));
        }
        self.begin()
    }
}

#[cfg(test)]
mod tests;
