//! One castline process: a run, a task for each of its predictions, and the lock of its owner.
//!
//! What a process holds is gone when it dies. It mirrors the local driver of `castline-runner`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_core::ledger::{Ask, Claim, OwnerId, Verdict};
use castline_core::legs::LegId;
use castline_core::prediction::{Do, Finished, Outcome as End, Prediction, Source, Told};
use castline_core::request::FailureKind;
use castline_core::results::LegStatus;
use castline_core::run::{Outcome, Run};
use castline_core::{Failure, Key, Request};
use jiff::{SignedDuration, Timestamp};

/// A task of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    pub process: usize,
    pub number: usize,
}

/// One prediction that a process works on.
pub struct Task {
    /// None for what a dead process has left.
    pub leg: Option<LegId>,
    pub prediction: Prediction,
    pub request: Arc<Request>,
    pub claim: Claim,
    /// Its own clock minus the true time: it goes on by itself when the machine's is set.
    pub wall: SignedDuration,
    /// What it waits for; a new wait takes the place of an old one.
    pub wait: Option<u64>,
    /// What it waits for would lead to a create.
    pub unsent: bool,
    /// Commits, creates and fetches under way.
    pub under_way: usize,
    /// The ledger may have told it to create, and the create has not arrived yet.
    pub sending: bool,
    /// Its create was tried again behind the run's back, where that is planted.
    pub again: bool,
    /// It has ended, and its run is about to hear of it.
    pub over: bool,
}

/// A process.
pub struct Process {
    /// Which of the wanted runs it is.
    pub wanted: usize,
    pub owner: OwnerId,
    pub claim: Claim,
    pub since: Timestamp,
    /// None while it plans, and where it only stops what others have left.
    pub run: Option<Run>,
    pub tasks: BTreeMap<usize, Task>,
    pub next_task: usize,
    /// The claim whose failure a retry overcomes.
    pub beyond: BTreeMap<LegId, u64>,
    /// How often the run asked for each leg.
    pub tries: BTreeMap<LegId, u32>,
    pub stopping: bool,
    /// What the plan wants that took its place.
    pub makes_way: Option<Arc<BTreeSet<Key>>>,
    pub alive: bool,
    /// It stands still until then.
    pub frozen: Option<Timestamp>,
    /// Its writer has taken everything up to then.
    pub written: Timestamp,
}

impl Process {
    pub fn new(wanted: usize, claim: Claim, now: Timestamp) -> Self {
        Self {
            wanted,
            owner: claim.owner.clone(),
            claim,
            since: now,
            run: None,
            tasks: BTreeMap::new(),
            next_task: 0,
            beyond: BTreeMap::new(),
            tries: BTreeMap::new(),
            stopping: false,
            makes_way: None,
            alive: true,
            frozen: None,
            written: now,
        }
    }

    /// A create may be about to leave.
    pub fn is_sending(&self) -> bool {
        self.tasks.values().any(|task| task.sending)
    }
}

/// The end of a prediction as the run sees it.
pub fn outcome(finished: Finished) -> Outcome {
    let Finished { outcome, source, prediction, predict_seconds, cost, .. } = finished;
    let failed = |status, failure| Outcome::Failed { status, failure, prediction: prediction.clone(), cost };
    match outcome {
        End::Succeeded(output) => {
            Outcome::Succeeded { output, reused: source == Source::Reused, prediction, cost, predict_seconds }
        }
        End::Failed(failure) => failed(LegStatus::Failed, failure),
        End::Canceled(failure) => failed(LegStatus::Canceled, failure),
        End::Expired(failure) => failed(LegStatus::Expired, failure),
        End::InDoubt(doubt) => {
            failed(LegStatus::InDoubt, Failure::new(FailureKind::Other, doubt.to_string()))
        }
        End::Refused(refusal) => {
            failed(LegStatus::Refused, Failure::new(FailureKind::Other, refusal.to_string()))
        }
    }
}

/// A word for the log.
pub fn word(act: &Do) -> String {
    match act {
        Do::Commit { ask, .. } => format!("commit {}", asked(ask)),
        Do::Prepare => "prepare".to_owned(),
        Do::Create => "create".to_owned(),
        Do::Search { after, .. } => format!("search in {after:?}"),
        Do::Get { prediction, after, .. } => format!("get {} in {after:?}", prediction.0),
        Do::Fetch { after, .. } => format!("fetch in {after:?}"),
        Do::Rest(after) => format!("rest {after:?}"),
        Do::WaitForOwner => "wait for owner".to_owned(),
        Do::Cancel { prediction, .. } => format!("cancel {}", prediction.0),
        Do::Report(progress) => format!("report {progress:?}"),
        Do::Finish(finished) => format!("finish {:?} {:?}", finished.source, finished.outcome),
    }
}

/// The kind of an ask, for the figures.
pub fn kind_of(ask: &Ask) -> &'static str {
    match ask {
        Ask::Claim { .. } => "Claim",
        Ask::Unsent => "Unsent",
        Ask::Resend(_) => "Resend",
        Ask::Created(_) => "Created",
        Ask::Absent(_) => "Absent",
        Ask::Unclear(_) => "Unclear",
        Ask::Found(_) => "Found",
        Ask::Stop => "Stop",
        Ask::Unwanted => "Unwanted",
        Ask::Ended(_) => "Ended",
        Ask::Fetched(_) => "Fetched",
        Ask::Left => "Left",
        Ask::Missing => "Missing",
        Ask::Ruled(_) => "Ruled",
        Ask::Another(_) => "Another",
    }
}

/// A word for the log.
pub fn asked(ask: &Ask) -> String {
    match ask {
        Ask::Claim { beyond, .. } => format!("claim beyond {beyond}"),
        Ask::Resend(_) => "resend".to_owned(),
        Ask::Fetched(arrival) => format!("fetched, {:?}", arrival.cost),
        Ask::Ended(ending) => format!("ended {:?} {:?}", ending.state, ending.failure.kind),
        Ask::Found(found) => format!("found {} exactly: {} or {:?}", found.id.0, found.exact, found.or),
        other => format!("{other:?}"),
    }
}

/// A word for the log.
pub fn told(told: &Told) -> String {
    match told {
        Told::Verdict(verdict) => answered(verdict).to_owned(),
        Told::Created(Ok(snapshot)) | Told::Got(Ok(snapshot)) => {
            format!("{} is {:?}", snapshot.id.0, snapshot.status)
        }
        Told::Prepared(Ok(_)) => "prepared".to_owned(),
        Told::Fetched(Ok(fetched)) => format!("fetched, {:?}", fetched.cost),
        other => format!("{other:?}"),
    }
}

/// A word for the log.
pub fn answered(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Create(_) => "create it",
        Verdict::Reuse(_) => "reuse it",
        Verdict::Ended(_) => "it ended",
        Verdict::Follow { .. } => "follow it",
        Verdict::Reconcile { .. } => "look for it",
        Verdict::Taken => "it is taken",
        Verdict::Cancel => "cancel it",
        Verdict::Wait => "wait",
        Verdict::Doubt(_) => "in doubt",
        Verdict::Refused(_) => "refused",
        Verdict::Stale => "stale",
        Verdict::Done => "done",
    }
}
