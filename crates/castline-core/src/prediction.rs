//! The procedure of one prediction: claim, create, wait, fetch, commit.
//!
//! A [`Prediction`] is told what happened and answers what to do; carrying it out is the
//! work of `castline-runner`, deciding about money and owners that of [`crate::ledger`].
//! Nothing here sleeps, reads a clock or makes a call, and a failed prediction is not
//! created again here: that is the run's decision.
//!
//! Start reading at [`Prediction::handle`].

mod classify;
mod course;
mod fault;
mod finished;
mod message;
mod poll;
mod progress;
mod search;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::{Arrival, Ask, Claim, Doubt, EndState, Ending, Entry, Verdict, Why};
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Request};
use crate::snapshot::{Snapshot, Status};

pub use classify::classify;
use course::{Course, Quit};
pub use fault::CallFault;
use finished::outcome_of;
pub use finished::{Finished, Outcome, Source};
pub use message::{Do, Facts, Fetched, Order, Progress, Told, learned};
use poll::{backoff, elapsed};
pub use progress::{LogText, fraction};
pub use search::{Found, Search};

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
/// How often a file is fetched again.
const FETCHES: u32 = 5;
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
    /// Known from the time that the provider gave an id.
    course: Option<Course>,
    stop: bool,
    anew: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// The ledger was asked.
    Claiming,
    /// Somebody else is at it.
    Waiting,
    /// The request was sent.
    Creating(Tries),
    /// The request will be sent.
    Resting(Tries),
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
    Created,
    Last,
}

/// The tries of a create so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tries {
    count: u32,
    unreached_since: Option<Timestamp>,
    busy_since: Option<Timestamp>,
}

impl Prediction {
    /// Begins: the ledger is asked.
    pub fn start(order: Order) -> (Self, Vec<Do>) {
        let mut prediction = Self {
            claim: order.claim.clone(),
            order,
            stage: Stage::Claiming,
            asked: None,
            next: None,
            course: None,
            stop: false,
            anew: 0,
        };
        let dos = prediction.ask_for_claim();
        (prediction, dos)
    }

    /// Takes what happened and answers what to do. What no longer fits is ignored.
    pub fn handle(&mut self, told: Told, now: Timestamp) -> Vec<Do> {
        match told {
            Told::Verdict(verdict) => match self.asked.take() {
                Some(Asked::Claim) => self.claimed(verdict, now),
                Some(Asked::Created) => self.noted(&verdict),
                Some(Asked::Last) => self.closed(verdict),
                None => vec![],
            },
            Told::Created(answer) => match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Creating(tries) => self.created(answer, tries, now),
                other => self.stay(other),
            },
            Told::Got(answer) if self.stage == Stage::Following => self.got(answer, now),
            Told::Fetched(answer) => match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Fetching { snapshot, tries } => self.fetched(answer, snapshot, tries),
                other => self.stay(other),
            },
            Told::Rested => match std::mem::replace(&mut self.stage, Stage::Finished) {
                Stage::Resting(tries) => self.create(tries),
                other => self.stay(other),
            },
            Told::Changed if self.stage == Stage::Waiting => self.ask_for_claim(),
            Told::Stop => self.stop(now),
            Told::Got(_) | Told::Changed => vec![],
        }
    }

    fn stay(&mut self, stage: Stage) -> Vec<Do> {
        self.stage = stage;
        vec![]
    }

    fn ask_for_claim(&mut self) -> Vec<Do> {
        let Order { request, claim, facts, since, beyond } = &self.order;
        self.stage = Stage::Claiming;
        self.next = None;
        self.claim = claim.clone();
        self.course = None;
        let ask = Ask::Claim { request: request.clone(), terms: facts.terms, since: *since, beyond: *beyond };
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
                if self.stop { self.never_sent() } else { self.create(Tries::default()) }
            }
            Verdict::Follow { claim, entry } => self.adopt(claim, &entry, now),
            Verdict::Reconcile { claim, .. } => {
                self.claim = claim;
                let cause = "castline cannot search its list of predictions yet";
                self.doubt(Why::CannotTell(cause.to_owned()))
            }
            Verdict::Wait if self.stop => self.finish(self.unmade(Outcome::Canceled(stopped()))),
            Verdict::Wait => {
                self.stage = Stage::Waiting;
                vec![Do::Report(Progress::WaitingForOwner), Do::WaitForOwner]
            }
            Verdict::Reuse(entry) | Verdict::Ended(entry) => {
                let outcome = outcome_of(&entry);
                self.finish(self.made(&entry, outcome, Source::Reused))
            }
            Verdict::Doubt(doubt) => self.finish(self.in_doubt(doubt)),
            Verdict::Refused(refusal) => self.finish(self.unmade(Outcome::Refused(refusal))),
            Verdict::Stale | Verdict::Done => self.begin_anew(),
        }
    }

    fn begin_anew(&mut self) -> Vec<Do> {
        self.anew += 1;
        if self.anew > ANEW {
            let failure =
                Failure::new(FailureKind::Other, "the ledger's entry keeps changing under our hands");
            return self.finish(self.unmade(Outcome::Failed(failure)));
        }
        self.ask_for_claim()
    }

    // The create.

    fn create(&mut self, tries: Tries) -> Vec<Do> {
        self.stage = Stage::Creating(tries);
        vec![Do::Create]
    }

    fn created(&mut self, answer: Result<Snapshot, CallFault>, tries: Tries, now: Timestamp) -> Vec<Do> {
        match answer {
            Ok(snapshot) => self.accepted(snapshot, now),
            Err(CallFault::NotSent { host, cause }) => self.unreached(&host, &cause, tries, now),
            Err(CallFault::Busy { message, retry_after }) => self.busy(message, retry_after, tries, now),
            Err(fault @ (CallFault::Lost { .. } | CallFault::Server { refused: false, .. })) => {
                self.lost(&fault, tries)
            }
            Err(fault) => self.turned_down(&fault),
        }
    }

    fn accepted(&mut self, snapshot: Snapshot, now: Timestamp) -> Vec<Do> {
        let facts = self.order.facts;
        let mut course = Course::new(self.order.request.provider.clone(), snapshot.id.clone(), facts, now);
        course.quit =
            (self.stop && facts.terms.cancel).then_some(Quit { late: false, since: now, sent: false });
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

    fn unreached(&mut self, host: &str, cause: &str, tries: Tries, now: Timestamp) -> Vec<Do> {
        let since = tries.unreached_since.unwrap_or(now);
        if self.stop {
            return self.never_sent();
        }
        if elapsed(since, now) >= UNREACHED {
            let message = format!("cannot reach {host} ({cause}): nothing was sent and nothing was spent");
            return self.absent(Failure::new(FailureKind::Other, message), Outcome::Failed);
        }
        let after = backoff(Duration::from_secs(1), tries.count, Duration::from_secs(15));
        let tries = Tries { count: tries.count + 1, unreached_since: Some(since), busy_since: None };
        self.rest(after, format!("cannot reach {host} ({cause})"), tries)
    }

    fn busy(&mut self, message: String, asked: Option<Duration>, tries: Tries, now: Timestamp) -> Vec<Do> {
        let since = tries.busy_since.unwrap_or(now);
        if self.stop {
            return self.never_sent();
        }
        if elapsed(since, now) >= BUSY {
            let message =
                format!("the provider took no request for an hour, and nothing was spent: {message}");
            return self.absent(Failure::new(FailureKind::Platform, message), Outcome::Failed);
        }
        let after =
            asked.unwrap_or_else(|| backoff(Duration::from_secs(1), tries.count, Duration::from_secs(30)));
        let tries = Tries { count: tries.count + 1, unreached_since: None, busy_since: Some(since) };
        self.rest(after, message, tries)
    }

    fn rest(&mut self, after: Duration, why: String, tries: Tries) -> Vec<Do> {
        self.stage = Stage::Resting(tries);
        vec![Do::Report(Progress::SentAgain { after, why }), Do::Rest(after)]
    }

    /// Sent, and nobody knows whether it was received.
    fn lost(&mut self, fault: &CallFault, tries: Tries) -> Vec<Do> {
        if self.order.facts.terms.bills {
            return self.doubt(Why::AnswerLost(fault.to_string()));
        }
        if self.stop {
            return self.never_sent();
        }
        if tries.count >= FREE_CREATES {
            return self.end(EndState::Failed, Failure::new(FailureKind::Platform, fault.to_string()), None);
        }
        let after = backoff(Duration::from_secs(1), tries.count, Duration::from_secs(15));
        self.rest(after, fault.to_string(), Tries { count: tries.count + 1, ..tries })
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

    // The wait.

    fn adopt(&mut self, claim: Claim, entry: &Entry, now: Timestamp) -> Vec<Do> {
        self.claim = claim;
        let Some(prediction) = entry.prediction.clone() else {
            return self.begin_anew();
        };
        let provider = entry.provider().clone();
        self.course = Some(Course::adopted(entry, prediction.clone(), now));
        self.stage = Stage::Following;
        let mut dos = vec![Do::Report(Progress::Created { provider, prediction, adopted: true })];
        if self.stop {
            dos.extend(self.quit(false, now));
        }
        dos.push(self.get(Duration::ZERO));
        dos
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
        let timeout = self.order.request.timeout;
        let course = self.course();
        let late = match (course.quit, course.running_since) {
            (Some(quit), _) => return self.wait_for_stop(quit, after, now),
            (None, Some(running)) => elapsed(running, now) >= timeout,
            (None, None) => elapsed(course.since, now) >= START,
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
        course.quit = Some(Quit { late, since: now, sent: false });
        self.send_cancel()
    }

    /// The ledger knows the id before the provider is told to stop.
    fn send_cancel(&mut self) -> Vec<Do> {
        let Course { provider, prediction, terms, noted, quit, .. } = self.course();
        match quit {
            Some(quit) if terms.cancel && *noted && !quit.sent => {
                quit.sent = true;
                let (provider, prediction) = (provider.clone(), prediction.clone());
                vec![Do::Report(Progress::Canceling), Do::Cancel { provider, prediction }]
            }
            _ => vec![],
        }
    }

    fn gave_up(&mut self, late: bool) -> Vec<Do> {
        if late {
            let failure = self.too_late();
            return self.end(EndState::Failed, failure, None);
        }
        let mut failure = stopped();
        failure.message.push_str("; the provider did not say that it did");
        self.end(EndState::Canceled, failure, None)
    }

    fn too_late(&mut self) -> Failure {
        let timeout = self.order.request.timeout;
        let course = self.course();
        let message = match course.running_since {
            Some(_) => format!("still running after {}", words(timeout)),
            None => format!("not started after {}", words(START)),
        };
        let message =
            if course.terms.cancel { message } else { message + ", and the provider cannot be told to stop" };
        let logs = course.tail.whole().and_then(classify::last_lines);
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
                let logs = snapshot.logs.as_deref().and_then(classify::last_lines);
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
            Stage::Waiting => self.finish(self.unmade(Outcome::Canceled(stopped()))),
            Stage::Resting(_) => self.never_sent(),
            Stage::Following => {
                let mut dos = self.quit(false, now);
                if self.course().quit.is_some_and(|quit| quit.sent) {
                    dos.push(self.get_soon());
                }
                dos
            }
            // Of the claim and the create we must hear first; what is paid for is kept.
            Stage::Claiming
            | Stage::Creating(_)
            | Stage::Fetching { .. }
            | Stage::Closing(_)
            | Stage::Finished => {
                vec![]
            }
        }
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
                let logs = snapshot.logs.as_deref().and_then(classify::last_lines);
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
        if hopeless || tries >= FETCHES || !self.course().terms.remote {
            return self.not_fetched(&fault);
        }
        let usual = backoff(Duration::from_millis(500), tries, Duration::from_secs(15));
        let after = match fault {
            CallFault::Busy { retry_after: Some(asked), .. } => asked,
            _ => usual,
        };
        let mut dos = vec![Do::Report(Progress::FetchedAgain { after, why: fault.to_string() })];
        dos.extend(self.fetch(snapshot, tries + 1, after));
        dos
    }

    fn arrived(&mut self, fetched: Fetched, snapshot: &Snapshot) -> Vec<Do> {
        let Fetched { output, cost } = fetched;
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
            CallFault::BadOutput { message, .. } => {
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
        if !self.course().terms.get {
            return self.end(EndState::Failed, Failure::new(kind, message), None);
        }
        let message = format!(
            "{message}; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again"
        );
        self.close(Ask::Left, Outcome::Failed(Failure::new(kind, message)))
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

    fn closed(&mut self, verdict: Verdict) -> Vec<Do> {
        let Stage::Closing(outcome) = self.stage.clone() else { return vec![] };
        let adopted = self.course.as_ref().is_some_and(|course| course.adopted);
        let source = if adopted { Source::Adopted } else { Source::Fresh };
        match verdict {
            Verdict::Reuse(entry) | Verdict::Ended(entry) => self.finish(self.made(&entry, outcome, source)),
            Verdict::Doubt(doubt) => self.finish(self.in_doubt(doubt)),
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
        self.course.as_ref()?.tail.whole().map(str::to_owned)
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
