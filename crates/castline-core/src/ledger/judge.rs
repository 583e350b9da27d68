//! Decides what becomes of an entry and what its asker does next.
//!
//! The store calls [`judge`] between BEGIN IMMEDIATE and COMMIT and writes the entry that
//! it answers. Nothing here looks at processes, clocks or sums: see [`View`].
//!
//! Start reading at [`judge`].

use std::sync::Arc;

use jiff::Timestamp;

use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Request};
use crate::snapshot::PredictionId;

use super::ask::{Arrival, Ask, Doubt, EndState, Ending, Match, Refusal, Ruling, Sent, Verdict, Why};
use super::entry::{Account, Before, Claim, Entry, Hold, KEPT, OwnerId, State, Terms};

/// What [`judge`] must know of the world, read in the same transaction.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Who asks.
    pub claim: &'a Claim,
    /// The owner of the entry lives.
    pub owner_alive: bool,
    /// The asker's accounts.
    pub accounts: &'a [Held],
    /// What else can have the prediction that the ask is about.
    pub rivals: Rivals,
    /// Another living owner waits for the entry.
    pub wanted: bool,
    /// The number of the last claim of an entry that was forgotten since; else 0. Creates are
    /// told apart by these numbers, so that they go on from there.
    pub forgotten: u64,
    /// Our clock.
    pub now: Timestamp,
}

/// What else can have a prediction that was found, or named by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rivals {
    /// Another entry holds it, or held it in an earlier attempt.
    pub taken: bool,
    /// Another entry whose request looks the same waits for the answer to its create.
    pub in_flight: bool,
    /// Where the list hides a file: another prediction that nobody holds can be ours as well,
    /// or a lost request with another file can be this one's.
    pub ambiguous: bool,
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub account: Account,
    /// The most that it allows; none when it has no limit.
    pub limit: Option<MicroUsd>,
    /// Reserved and settled.
    pub held: MicroUsd,
    /// How much more providers charged than was reserved.
    pub overcharge: MicroUsd,
}

/// Judges one ask about one entry. The answered entry is to be written; none means that
/// nothing changes.
pub fn judge(entry: Option<&Entry>, ask: &Ask, view: &View<'_>) -> (Verdict, Option<Entry>) {
    match (ask, entry) {
        (Ask::Claim { request, terms, since, beyond, sent }, entry) => {
            Wish { request, terms, since: *since, beyond: *beyond, sent: sent.as_ref(), view }.judge(entry)
        }
        (_, None) => (Verdict::Stale, None),
        (Ask::Ruled(ruling), Some(entry)) => ruled(entry, ruling, view),
        (Ask::Missing, Some(entry)) => missing(entry, view),
        (Ask::Unwanted, Some(_)) => (Verdict::Done, None),
        (_, Some(entry)) if !holds(view.claim, entry) => (Verdict::Stale, None),
        (Ask::Created(id), Some(entry)) => created(entry, id, view),
        (Ask::Found(listed), Some(entry)) => found(entry, listed, view),
        (Ask::Absent(failure), Some(entry)) => absent(entry, failure, view),
        (Ask::Unsent, Some(entry)) => unsent(entry),
        (Ask::Resend(sent), Some(entry)) => resend(entry, sent, view),
        (Ask::Unclear(why), Some(entry)) => unclear(entry, why, view),
        (Ask::Stop, Some(entry)) => stop(entry, view),
        (Ask::Ended(ending), Some(entry)) => ended(entry, ending, view),
        (Ask::Fetched(arrival), Some(entry)) => fetched(entry, arrival, view),
        (Ask::Another(differs), Some(entry)) => another(entry, differs),
        (Ask::Left, Some(entry)) => left(entry),
    }
}

/// A claim counts while no other was granted since.
fn holds(claim: &Claim, entry: &Entry) -> bool {
    claim.number == entry.claim.number && claim.owner == entry.claim.owner
}

/// An [`Ask::Claim`] and what it is judged by.
struct Wish<'a> {
    request: &'a Arc<Request>,
    terms: &'a Terms,
    since: Timestamp,
    beyond: u64,
    sent: Option<&'a Sent>,
    view: &'a View<'a>,
}

impl Wish<'_> {
    fn judge(&self, entry: Option<&Entry>) -> (Verdict, Option<Entry>) {
        let Some(entry) = entry else {
            return self.create(self.view.forgotten + 1);
        };
        let alive = self.view.owner_alive;
        match entry.state {
            State::Intended | State::Created if alive => (Verdict::Wait, None),
            State::Intended if entry.unsent => never_received(entry, self.view),
            State::Intended => self.orphan(entry, &Why::OwnerDied),
            State::Created if entry.terms.get => self.follow(entry),
            State::Created => self.orphan(entry, &Why::NotToBeAsked),
            State::Succeeded => (Verdict::Reuse(Box::new(entry.clone())), None),
            State::Failed | State::Expired if self.shares(entry) => {
                (Verdict::Ended(Box::new(entry.clone())), None)
            }
            State::Failed | State::Canceled | State::Aborted | State::Expired => {
                self.create(entry.claim.number + 1)
            }
            State::InDoubt if is_sought(entry, self.view.now) => self.reconcile(entry),
            State::InDoubt => (Verdict::Doubt(Box::new(Doubt::of(entry))), None),
        }
    }

    /// An old failure is no answer, but one of this very request while it was wanted is. An
    /// expired prediction was paid, so that only somebody who says so creates it again.
    fn shares(&self, entry: &Entry) -> bool {
        let wanted = entry.state == State::Expired || entry.ended.is_some_and(|at| at >= self.since);
        wanted && entry.claim.number > self.beyond && entry.ruled.is_none()
    }

    fn create(&self, number: u64) -> (Verdict, Option<Entry>) {
        let reserved = if self.terms.bills { self.request.price } else { Some(MicroUsd::ZERO) };
        if reserved.is_none() && self.view.claim.only_priced {
            return (Verdict::Refused(Refusal::Unpriced), None);
        }
        match refusal(reserved.unwrap_or(MicroUsd::ZERO), self.view.accounts) {
            Some(refusal) if self.terms.bills => (Verdict::Refused(refusal), None),
            _ => {
                let entry = self.intend(number, reserved);
                (Verdict::Create(entry.claim.clone()), Some(entry))
            }
        }
    }

    fn intend(&self, number: u64, reserved: Option<MicroUsd>) -> Entry {
        let View { claim, now, .. } = *self.view;
        Entry {
            request: self.request.clone(),
            state: State::Intended,
            terms: *self.terms,
            claim: claim.numbered(number),
            made_by: claim.run.clone(),
            hold: Hold {
                attempt: number,
                accounts: claim.accounts.clone(),
                reserved,
                settled: None,
                at: now,
            },
            prediction: None,
            intended: now,
            created: None,
            ended: None,
            sent: self.sent.cloned(),
            unsent: false,
            orphaned: None,
            predict_seconds: None,
            output: None,
            failure: None,
            doubt: None,
            ruled: None,
            before: None,
        }
    }

    fn follow(&self, entry: &Entry) -> (Verdict, Option<Entry>) {
        let claim = self.view.claim.numbered(entry.claim.number + 1);
        let entry = Entry { claim: claim.clone(), ..entry.clone() };
        (Verdict::Follow { claim, entry: Box::new(entry.clone()) }, Some(entry))
    }

    /// The owner died and left no id that could be asked for. What costs nothing is simply
    /// created again; for the rest the provider's list is searched, or a person asked.
    fn orphan(&self, entry: &Entry, why: &Why) -> (Verdict, Option<Entry>) {
        if !entry.terms.bills {
            return self.create(entry.claim.number + 1);
        }
        let orphaned = entry.orphaned.unwrap_or(self.view.now);
        let entry = Entry { orphaned: Some(orphaned), ..entry.clone() };
        if entry.can_be_found() { self.reconcile(&entry) } else { doubt(&entry, why) }
    }

    fn reconcile(&self, entry: &Entry) -> (Verdict, Option<Entry>) {
        let claim = self.view.claim.numbered(entry.claim.number + 1);
        search(&Entry { claim, ..entry.clone() }, self.view)
    }
}

/// Whether what is in doubt is looked for when somebody asks for it, as a list that could not be read, or
/// was given up, may be read today; else a person has to decide.
pub fn is_sought(entry: &Entry, now: Timestamp) -> bool {
    entry.can_be_found() && now.duration_since(entry.intended) < KEPT
}

/// The provider's list is to be searched by whoever holds the entry.
fn search(entry: &Entry, view: &View<'_>) -> (Verdict, Option<Entry>) {
    let orphaned = Some(entry.orphaned.unwrap_or(view.now));
    let entry = Entry { state: State::Intended, orphaned, doubt: None, ..entry.clone() };
    let verdict = Verdict::Reconcile { claim: entry.claim.clone(), entry: Box::new(entry.clone()) };
    (verdict, Some(entry))
}

/// Its owner died while it waited to send it again. Whoever asked claims it anew.
fn never_received(entry: &Entry, view: &View<'_>) -> (Verdict, Option<Entry>) {
    let failure = Failure::new(FailureKind::Other, "it was never received");
    let (_, entry) = over(entry, State::Aborted, failure, Some(MicroUsd::ZERO), view);
    (Verdict::Done, entry)
}

/// The first account that has no room for another `asked`.
fn refusal(asked: MicroUsd, accounts: &[Held]) -> Option<Refusal> {
    accounts.iter().find_map(|Held { account, limit, held, overcharge }| {
        let (account, limit, held) = (account.clone(), (*limit)?, *held);
        if *overcharge > MicroUsd::ZERO {
            return Some(Refusal::Overcharged { account, by: *overcharge });
        }
        (held + asked > limit).then_some(Refusal::OverLimit { account, limit, held, asked })
    })
}

/// An id may also come late, after the same owner had given up hope.
fn created(entry: &Entry, id: &PredictionId, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if !matches!(entry.state, State::Intended | State::InDoubt) {
        return (Verdict::Stale, None);
    }
    let entry = named(entry, id, view);
    (Verdict::Follow { claim: entry.claim.clone(), entry: Box::new(entry.clone()) }, Some(entry))
}

/// It has an id, and is to be followed.
fn named(entry: &Entry, id: &PredictionId, view: &View<'_>) -> Entry {
    Entry {
        state: State::Created,
        prediction: Some(id.clone()),
        created: Some(view.now),
        ended: None,
        unsent: false,
        failure: None,
        doubt: None,
        ..entry.clone()
    }
}

/// One prediction belongs to one entry, however many lost creates look alike. Whoever waits
/// for an answer is let hear it first.
fn found(entry: &Entry, found: &Match, view: &View<'_>) -> (Verdict, Option<Entry>) {
    match view.rivals {
        Rivals { taken: true, .. } => (Verdict::Taken, None),
        _ if entry.state != State::Intended => (Verdict::Stale, None),
        Rivals { in_flight: true, .. } => (Verdict::Wait, None),
        Rivals { ambiguous: true, .. } if !found.exact => {
            let why = "its list hides the files that tell lost requests apart".to_owned();
            doubt(entry, &Why::CannotTell(why))
        }
        _ => created(entry, &found.id, view),
    }
}

fn unsent(entry: &Entry) -> (Verdict, Option<Entry>) {
    if entry.state != State::Intended {
        return (Verdict::Stale, None);
    }
    (Verdict::Done, Some(Entry { unsent: true, orphaned: None, ..entry.clone() }))
}

/// Nothing that was sent before was received, so that it counts as decided now.
fn resend(entry: &Entry, sent: &Sent, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if entry.state != State::Intended || !entry.unsent {
        return (Verdict::Stale, None);
    }
    let entry = Entry { unsent: false, intended: view.now, sent: Some(sent.clone()), ..entry.clone() };
    (Verdict::Create(entry.claim.clone()), Some(entry))
}

/// Whoever waits for it goes on with it; else it may be stopped.
fn stop(entry: &Entry, view: &View<'_>) -> (Verdict, Option<Entry>) {
    match entry.state {
        State::Created if view.wanted => left(entry),
        State::Created => (Verdict::Cancel, None),
        _ => (Verdict::Stale, None),
    }
}

fn absent(entry: &Entry, failure: &Failure, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if entry.state != State::Intended {
        return (Verdict::Stale, None);
    }
    over(entry, State::Aborted, failure.clone(), Some(MicroUsd::ZERO), view)
}

fn unclear(entry: &Entry, why: &Why, view: &View<'_>) -> (Verdict, Option<Entry>) {
    match why {
        _ if entry.state != State::Intended => (Verdict::Stale, None),
        Why::AnswerLost(_) if entry.can_be_found() => search(entry, view),
        _ => doubt(entry, why),
    }
}

fn doubt(entry: &Entry, why: &Why) -> (Verdict, Option<Entry>) {
    let entry = Entry { state: State::InDoubt, doubt: Some(why.clone()), ..entry.clone() };
    (Verdict::Doubt(Box::new(Doubt::of(&entry))), Some(entry))
}

fn ended(entry: &Entry, ending: &Ending, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if !entry.state.is_open() {
        return (Verdict::Stale, None);
    }
    let (state, settled) = match ending.state {
        EndState::Failed => (State::Failed, settle(entry, ending.cost)),
        EndState::Canceled => (State::Canceled, settle(entry, ending.cost)),
        EndState::Aborted => (State::Aborted, Some(MicroUsd::ZERO)),
        // Paid or not, nobody knows; it stays reserved until a person decides.
        EndState::Expired => (State::Expired, entry.hold.settled.or(ending.cost)),
    };
    let entry = Entry { prediction: entry.prediction.clone().or(ending.prediction.clone()), ..entry.clone() };
    over(&entry, state, ending.failure.clone(), settled, view)
}

fn over(
    entry: &Entry,
    state: State,
    failure: Failure,
    settled: Option<MicroUsd>,
    view: &View<'_>,
) -> (Verdict, Option<Entry>) {
    let entry = Entry {
        state,
        unsent: false,
        failure: Some(failure),
        before: None,
        ended: Some(view.now),
        hold: Hold { settled, ..entry.hold.clone() },
        doubt: None,
        ..entry.clone()
    };
    (Verdict::Ended(Box::new(entry.clone())), Some(entry))
}

/// What a prediction cost: what the caller knows, else all that was reserved.
fn settle(entry: &Entry, cost: Option<MicroUsd>) -> Option<MicroUsd> {
    if entry.terms.bills { cost.or(entry.hold.reserved) } else { Some(cost.unwrap_or(MicroUsd::ZERO)) }
}

fn fetched(entry: &Entry, arrival: &Arrival, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if !entry.state.is_open() {
        return (Verdict::Stale, None);
    }
    let entry = Entry {
        state: State::Succeeded,
        prediction: entry.prediction.clone().or(arrival.prediction.clone()),
        ended: Some(view.now),
        predict_seconds: arrival.predict_seconds,
        output: Some(arrival.output.clone()),
        failure: None,
        before: None,
        hold: Hold { settled: settle(entry, arrival.cost), ..entry.hold.clone() },
        ..entry.clone()
    };
    (Verdict::Reuse(Box::new(entry.clone())), Some(entry))
}

/// A person named the prediction of somebody else: all is as it was, and says so. What was expired
/// may still be paid for anew, and what was lost is in doubt.
fn another(entry: &Entry, differs: &str) -> (Verdict, Option<Entry>) {
    let (State::Created, Some(Ruling::Adopt(named)), Some(before)) =
        (entry.state, &entry.ruled, entry.before.as_deref())
    else {
        return (Verdict::Stale, None);
    };
    let Before { state, prediction, created, ended, failure, doubt: why } = before.clone();
    let claim = Claim { owner: OwnerId::nobody(), ..entry.claim.clone() };
    let entry = Entry {
        state,
        prediction,
        created,
        ended,
        failure,
        claim,
        ruled: None,
        before: None,
        ..entry.clone()
    };
    if state == State::Expired {
        return (Verdict::Ended(Box::new(entry.clone())), Some(entry));
    }
    let before = match why.unwrap_or(Why::OwnerDied) {
        Why::Another { before, .. } => before,
        why => Box::new(why),
    };
    doubt(&entry, &Why::Another { before, named: named.clone(), differs: differs.to_owned() })
}

fn left(entry: &Entry) -> (Verdict, Option<Entry>) {
    if entry.state != State::Created {
        return (Verdict::Stale, None);
    }
    let claim = Claim { owner: OwnerId::nobody(), ..entry.claim.clone() };
    (Verdict::Done, Some(Entry { claim, ..entry.clone() }))
}

/// The files of a succeeded prediction were lost, as after a power cut. The provider may
/// still have them; what it cost stays what it cost.
fn missing(entry: &Entry, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if entry.state != State::Succeeded || entry.claim.number != view.claim.number {
        return (Verdict::Stale, None);
    }
    let nobody = Claim { owner: OwnerId::nobody(), ..entry.claim.clone() };
    let entry = Entry { output: None, ended: None, claim: nobody, ..entry.clone() };
    if entry.terms.get && entry.terms.remote && entry.prediction.is_some() {
        return (Verdict::Done, Some(Entry { state: State::Created, ..entry }));
    }
    let lost = Failure::new(FailureKind::Expired, "its files are no longer in the store");
    let (state, settled) = if entry.terms.bills {
        (State::Expired, entry.hold.settled)
    } else {
        (State::Aborted, Some(MicroUsd::ZERO))
    };
    let (_, entry) = over(&entry, state, lost, settled, view);
    (Verdict::Done, entry)
}

/// A ruling needs no claim: it is for entries that nobody works on.
fn ruled(entry: &Entry, ruling: &Ruling, view: &View<'_>) -> (Verdict, Option<Entry>) {
    if entry.state.is_open() && view.owner_alive {
        return (Verdict::Wait, None);
    }
    let lost = matches!(entry.state, State::InDoubt | State::Intended);
    let adoptable = lost || entry.state == State::Expired;
    if matches!(ruling, Ruling::Adopt(_)) && adoptable && view.rivals.taken {
        return (Verdict::Taken, None);
    }
    let claim = Claim { owner: OwnerId::nobody(), number: entry.claim.number + 1, ..entry.claim.clone() };
    let entry = Entry { claim, ruled: Some(ruling.clone()), ..entry.clone() };
    let failure = |message: &str| Failure::new(FailureKind::Other, message);
    let entry = match ruling {
        Ruling::Adopt(id) if adoptable => {
            let before = Some(Box::new(Before::of(&entry)));
            Some(Entry { before, ..named(&entry, id, view) })
        }
        Ruling::Forgive if lost => {
            over(
                &entry,
                State::Aborted,
                failure("forgiven: it was never received"),
                Some(MicroUsd::ZERO),
                view,
            )
            .1
        }
        Ruling::Retry if entry.state != State::Succeeded => {
            let settled = entry.hold.settled.or_else(|| settle(&entry, None));
            over(&entry, State::Failed, failure("given up, to be created again"), settled, view).1
        }
        Ruling::Adopt(_) | Ruling::Forgive | Ruling::Retry => return (Verdict::Stale, None),
    };
    (Verdict::Done, entry)
}
