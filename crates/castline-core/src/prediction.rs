//! The procedure of one prediction: prepare, claim, create, look for it where its answer was
//! lost, wait, fetch, commit.
//!
//! A [`Prediction`] is told what happened and answers what to do; carrying it out is the
//! work of `castline-runner`, deciding about money and owners that of [`crate::ledger`].
//! Nothing here sleeps, reads a clock or makes a call, and a failed prediction is not
//! created again here: that is the run's decision. (A lost one may be: where it is free, was
//! never received, or the project says `when_lost: retry`.)
//!
//! Start reading at [`Prediction::handle`].

mod classify;
mod course;
mod fault;
mod finished;
mod hunt;
mod log;
mod message;
mod poll;
mod progress;
mod search;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Arrival, Ask, Claim, Doubt, EndState, Ending, Entry, Ruling, Sent, Verdict, Why};
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Request};
use crate::snapshot::{Snapshot, Status};

pub use classify::classify;
use course::{Course, Quit, Step};
pub use fault::CallFault;
use finished::outcome_of;
pub use finished::{Finished, Outcome, Source};
use hunt::{Finding, Hunt};
pub use message::{Do, Facts, Fetched, Order, Progress, Told, learned};
use poll::{backoff, elapsed};
pub use progress::{LogText, fraction};
pub use search::{Candidate, Found, Search};

/// How long a host that cannot be reached is tried before a create is given up.
const UNREACHED: Duration = Duration::from_secs(20);
/// How long a provider may say "not now" to a create. Low credit means six creates a minute.
const BUSY: Duration = Duration::from_hours(1);
/// How long a prediction may wait for its start.
pub const START: Duration = Duration::from_mins(10);
/// How long a prediction may take to stop after it was told to.
const STOPPING: Duration = Duration::from_mins(1);
/// How often an id that was just given may be unknown.
const UNKNOWN_IDS: u32 = 5;
/// How often files are uploaded again.
const UPLOADS: u32 = 5;
/// How often a file is fetched again.
const FETCHES: u32 = 5;
/// The longest that a provider may ask us to stay away from what is paid for.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often a create whose answer was lost is repeated where that costs nothing.
const FREE_CREATES: u32 = 5;
/// How often everything is begun anew because the entry has moved on.
const ANEW: u32 = 3;
/// Providers forget outputs an hour after the end.
const KEPT: Duration = Duration::from_hours(1);

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

    // What the ledger says of a claim.

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

    /// Whoever works on it must not think that it is wanted here.
    fn stop_waiting(&mut self) -> Vec<Do> {
        self.stage = Stage::Closing(Outcome::Canceled(stopped()));
        self.commit(Asked::Last, Ask::Unwanted)
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

    // The create.

    fn create(&mut self) -> Vec<Do> {
        self.stage = Stage::Creating;
        vec![Do::Create]
    }

    fn created(&mut self, answer: Result<Snapshot, CallFault>, now: Timestamp) -> Vec<Do> {
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

    fn accepted(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let facts = self.order.facts;
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

    fn unreached(&mut self, host: &str, cause: &str, now: Timestamp) -> Vec<Do> {
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

    fn busy(&mut self, message: String, asked: Option<Duration>, now: Timestamp) -> Vec<Do> {
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
    fn send_again(&mut self, after: Duration, why: String) -> Vec<Do> {
        self.tries.count += 1;
        let mut dos = vec![Do::Report(Progress::SentAgain { after, why })];
        dos.extend(self.unsent(after));
        dos
    }

    fn unsent(&mut self, after: Duration) -> Vec<Do> {
        self.stage = Stage::Resting;
        if !self.order.facts.terms.remote {
            return vec![Do::Rest(after)];
        }
        self.commit(Asked::Unsent { after }, Ask::Unsent)
    }

    fn put_off(&mut self, verdict: &Verdict, after: Duration) -> Vec<Do> {
        if !matches!(verdict, Verdict::Done) {
            return self.begin_anew();
        }
        if self.stop { self.never_sent() } else { vec![Do::Rest(after)] }
    }

    fn rest(&mut self, after: Duration, why: String) -> Vec<Do> {
        self.stage = Stage::Resting;
        vec![Do::Report(Progress::SentAgain { after, why }), Do::Rest(after)]
    }

    fn rested(&mut self) -> Vec<Do> {
        if self.order.facts.terms.remote { self.prepare() } else { self.create() }
    }

    /// Sent, and nobody knows whether it was received.
    fn lost(&mut self, fault: &CallFault) -> Vec<Do> {
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

    // The search for a lost create.

    fn reconcile(&mut self, claim: Claim, entry: &Entry, now: Timestamp) -> Vec<Do> {
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

    fn look(&mut self, after: Duration) -> Vec<Do> {
        if self.stop {
            return self.doubt(Why::CannotTell("the search was interrupted".to_owned()));
        }
        let Some(Hunt { provider, search, .. }) = self.hunt.clone() else { return self.begin_anew() };
        self.stage = Stage::Searching;
        vec![Do::Search { provider, search, after }]
    }

    fn searched(&mut self, answer: Result<Found, CallFault>, now: Timestamp) -> Vec<Do> {
        let Some(hunt) = self.hunt.as_mut() else { return self.begin_anew() };
        let finding = hunt.read(answer, now);
        self.found(finding)
    }

    fn found(&mut self, finding: Finding) -> Vec<Do> {
        match finding {
            Finding::Candidate(found) => self.commit(Asked::Found, Ask::Found(found)),
            Finding::Absent => self.never_received(),
            Finding::CannotTell(why) => self.doubt(Why::CannotTell(why)),
            Finding::Again(after) => self.look(after),
        }
    }

    /// What another run intended is created anew, with the money of this one.
    fn never_received(&mut self) -> Vec<Do> {
        if self.hunt.as_ref().is_some_and(|hunt| hunt.made_by == self.order.claim.run) {
            return self.unsent(Duration::ZERO);
        }
        let failure = Failure::new(FailureKind::Other, "it was never received");
        self.commit(Asked::GivenUp, Ask::Absent(failure))
    }

    fn matched(&mut self, verdict: Verdict, now: Timestamp) -> Vec<Do> {
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

    /// It certainly was not accepted, and would not be if it was sent again.
    fn turned_down(&mut self, fault: &CallFault) -> Vec<Do> {
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

    fn never_sent(&mut self) -> Vec<Do> {
        self.absent(stopped(), Outcome::Canceled)
    }

    fn absent(&mut self, failure: Failure, outcome: fn(Failure) -> Outcome) -> Vec<Do> {
        self.close(Ask::Absent(failure.clone()), outcome(failure))
    }

    fn doubt(&mut self, why: Why) -> Vec<Do> {
        // The words come with the verdict; a ledger that has moved on is asked anew.
        let failure = Failure::new(FailureKind::Other, why.to_string());
        self.close(Ask::Unclear(why), Outcome::Failed(failure))
    }

    /// The project may have decided beforehand what a person would be asked.
    fn doubted(&mut self, doubt: Box<Doubt>) -> Vec<Do> {
        if self.order.retry_lost && !self.stop && self.anew < ANEW {
            return self.commit(Asked::GivenUp, Ask::Ruled(Ruling::Retry));
        }
        self.finish(self.in_doubt(doubt))
    }

    // The wait.

    fn adopt(&mut self, claim: Claim, entry: &Entry, now: Timestamp) -> Vec<Do> {
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
    fn is_anothers(&self, entry: &Entry) -> bool {
        let theirs = entry.sent.as_ref().and_then(|sent| sent.account.as_ref());
        let ours = self.order.account.as_ref().filter(|_| *entry.provider() == self.order.request.provider);
        matches!((theirs, ours), (Some(theirs), Some(ours)) if theirs != ours)
    }

    fn course(&mut self) -> &mut Course {
        self.course.as_mut().expect("whoever follows or fetches has a course")
    }

    fn get(&mut self, after: Duration) -> Do {
        let Course { provider, prediction, .. } = self.course();
        Do::Get { provider: provider.clone(), prediction: prediction.clone(), after }
    }

    fn get_soon(&mut self) -> Do {
        let after = self.course().poll.restart();
        self.get(after)
    }

    fn got(&mut self, answer: Result<Snapshot, CallFault>, now: Timestamp) -> Vec<Do> {
        match answer {
            Ok(snapshot) => {
                self.course().unknown_ids = 0;
                self.seen(snapshot, now)
            }
            Err(CallFault::Gone) => self.unknown_id(now),
            Err(CallFault::Refused { message, .. }) => self.leave(FailureKind::Other, &message),
            Err(fault) => {
                let after = self.course().poll.after(&fault);
                self.wait_on(after, now)
            }
        }
    }

    /// Some providers need a moment before they know an id that they gave.
    fn unknown_id(&mut self, now: Timestamp) -> Vec<Do> {
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

    fn seen(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
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

    fn still_going(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<Do> {
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

    /// Asks again later, unless it takes too long.
    fn wait_on(&mut self, after: Duration, now: Timestamp) -> Vec<Do> {
        let (timeout, leave) = (self.order.request.timeout, self.leave);
        let course = self.course();
        let late = match (course.quit, course.running_since) {
            (Some(quit), _) => return self.wait_for_stop(quit, after, now),
            (None, _) if leave => return self.let_go(),
            (None, Some(running)) => elapsed(running, now) >= timeout,
            // What only this process knows queues here, and its server knows how long to wait.
            (None, None) => course.terms.remote && elapsed(course.since, now) >= START,
        };
        let mut dos = if late { self.quit(true, now) } else { vec![] };
        if self.stage == Stage::Following {
            dos.push(if late { self.get_soon() } else { self.get(after) });
        }
        dos
    }

    fn wait_for_stop(&mut self, quit: Quit, after: Duration, now: Timestamp) -> Vec<Do> {
        let mut dos = self.send_cancel();
        if self.course().terms.cancel && elapsed(quit.since, now) >= STOPPING {
            dos.extend(self.gave_up(quit.late));
        } else {
            dos.push(self.get(after));
        }
        dos
    }

    /// Wants it to stop. Where that cannot be asked for, a late one is given up and another
    /// is waited for: it costs the same.
    fn quit(&mut self, late: bool, now: Timestamp) -> Vec<Do> {
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
    fn send_cancel(&mut self) -> Vec<Do> {
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
    fn may_stop(&mut self, verdict: &Verdict) -> Vec<Do> {
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

    /// What it did in the end nobody has heard: it stays there for whoever asks next, and what
    /// it made meanwhile is not paid for again.
    fn gave_up(&mut self, late: bool) -> Vec<Do> {
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

    fn too_late(&mut self) -> Failure {
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

    fn stopped_there(&mut self, state: EndState, snapshot: &Snapshot) -> Vec<Do> {
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

    fn noted(&mut self, verdict: &Verdict) -> Vec<Do> {
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

    fn stop(&mut self, now: Timestamp) -> Vec<Do> {
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
    fn stop_or_leave(&mut self, now: Timestamp) -> Vec<Do> {
        self.leave = true;
        let dos = self.stop(now);
        if self.stage == Stage::Following && !self.course().terms.cancel {
            return vec![self.get_soon()];
        }
        dos
    }

    fn let_go(&mut self) -> Vec<Do> {
        let message = format!("not waited for any more; {}", self.goes_on());
        let failure = Failure::new(FailureKind::Other, message + "; run again to pick it up");
        self.close(Ask::Left, Outcome::Canceled(failure))
    }

    /// What cannot be stopped, and what it costs.
    fn goes_on(&mut self) -> String {
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

    // The output.

    fn succeeded(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let course = self.course();
        let gone = snapshot.data_removed || course.adopted && elapsed(course.created, now) >= KEPT;
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

    fn fetch(&mut self, snapshot: Arc<Snapshot>, tries: u32, after: Duration) -> Vec<Do> {
        let provider = self.course().provider.clone();
        self.stage = Stage::Fetching { snapshot: snapshot.clone(), tries };
        vec![Do::Fetch { provider, snapshot, after }]
    }

    fn fetched(
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

    fn arrived(&mut self, fetched: Fetched, snapshot: &Snapshot) -> Vec<Do> {
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
    fn not_fetched(&mut self, fault: &CallFault) -> Vec<Do> {
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

    /// Gives up a prediction that goes on, or keeps its files, at the provider.
    fn leave(&mut self, kind: FailureKind, message: &str) -> Vec<Do> {
        if !self.can_be_left() {
            return self.end(EndState::Failed, Failure::new(kind, message), None);
        }
        let message = format!(
            "{message}; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again"
        );
        self.close(Ask::Left, Outcome::Failed(Failure::new(kind, message)))
    }

    /// Another process can ask for it later.
    fn can_be_left(&mut self) -> bool {
        let terms = self.course().terms;
        terms.get && terms.remote
    }

    // The end.

    fn end(&mut self, state: EndState, failure: Failure, cost: Option<MicroUsd>) -> Vec<Do> {
        let outcome = match state {
            EndState::Failed => Outcome::Failed,
            EndState::Canceled | EndState::Aborted => Outcome::Canceled,
            EndState::Expired => Outcome::Expired,
        };
        let prediction = self.course.as_ref().map(|course| course.prediction.clone());
        let ending = Ending { state, failure: failure.clone(), cost, prediction };
        self.close(Ask::Ended(ending), outcome(failure))
    }

    fn close(&mut self, ask: Ask, outcome: Outcome) -> Vec<Do> {
        self.stage = Stage::Closing(outcome);
        self.commit(Asked::Last, ask)
    }

    fn closed(&mut self, verdict: Verdict, now: Timestamp) -> Vec<Do> {
        let Stage::Closing(outcome) = self.stage.clone() else { return vec![] };
        let adopted = self.course.as_ref().is_some_and(|course| course.adopted);
        let source = if adopted { Source::Adopted } else { Source::Fresh };
        match verdict {
            Verdict::Reuse(entry) | Verdict::Ended(entry) => self.finish(self.made(&entry, outcome, source)),
            Verdict::Doubt(doubt) => self.doubted(doubt),
            Verdict::Reconcile { claim, entry } => self.reconcile(claim, &entry, now),
            Verdict::Done => self.finish(self.unmade(outcome)),
            _ => self.begin_anew(),
        }
    }

    fn finish(&mut self, finished: Finished) -> Vec<Do> {
        self.stage = Stage::Finished;
        vec![Do::Finish(Box::new(finished))]
    }

    /// As the ledger remembers it.
    fn made(&self, entry: &Entry, outcome: Outcome, source: Source) -> Finished {
        Finished {
            outcome,
            source,
            provider: entry.provider().clone(),
            prediction: entry.prediction.clone(),
            made_by: entry.made_by.clone(),
            claim: entry.claim.number,
            created: entry.created.or(entry.prediction.is_some().then_some(entry.intended)),
            ended: entry.ended,
            predict_seconds: entry.predict_seconds,
            cost: entry.hold.settled.or(entry.hold.reserved),
            logs: self.logs(),
        }
    }

    /// Without an entry that tells the end. What has an id stays reserved.
    fn unmade(&self, outcome: Outcome) -> Finished {
        let course = self.course.as_ref();
        let reserved = course.filter(|c| c.terms.bills && !c.adopted).and(self.order.request.price);
        Finished {
            outcome,
            source: if course.is_some_and(|c| c.adopted) { Source::Adopted } else { Source::Fresh },
            provider: course.map_or(&self.order.request.provider, |c| &c.provider).clone(),
            prediction: course.map(|c| c.prediction.clone()),
            made_by: self.claim.run.clone(),
            claim: self.claim.number,
            created: course.map(|c| c.created),
            ended: None,
            predict_seconds: None,
            cost: reserved,
            logs: self.logs(),
        }
    }

    fn in_doubt(&self, doubt: Box<Doubt>) -> Finished {
        let (provider, cost) = (doubt.provider.clone(), doubt.reserved);
        Finished { provider, cost, ..self.unmade(Outcome::InDoubt(doubt)) }
    }

    fn logs(&self) -> Option<String> {
        self.course.as_ref()?.tail.whole().and_then(log::kept)
    }
}

fn stopped() -> Failure {
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

#[cfg(test)]
mod tests;
