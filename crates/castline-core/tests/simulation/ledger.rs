//! A store in memory: the real judge between the rows that it reads and the rows that it writes,
//! as `castline-store` has them, with what a power cut leaves of each.
//!
//! The death of a process loses nothing here. A power cut loses what was not flushed: rows are
//! kept in the order in which they were committed, up to any point after the last flush.
//!
//! Start reading at [`Store::commit`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_core::ledger::{
    Account, Ask, Claim, Entry, Held, Hold, Match, OwnerId, Rivals, Ruling, State, Verdict, View, judge,
};
use castline_core::{Artifact, Digest, Key, MicroUsd, Output, PredictionId, ProviderName};
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::planted::Bug;

/// What the rolling account looks back.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// What the list of a provider looks back.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A create on an account: by key, attempt and account.
pub type HoldPlace = (Key, u64, Account);

/// The tables.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub entries: BTreeMap<Key, Arc<Entry>>,
    pub holds: BTreeMap<HoldPlace, Hold>,
    pub predictions: BTreeSet<(ProviderName, PredictionId)>,
    wants: BTreeSet<(Key, OwnerId)>,
    pub limits: BTreeMap<Account, Option<MicroUsd>>,
}

/// One row that was written.
#[derive(Debug, Clone)]
enum Row {
    Entry(Arc<Entry>),
    Hold(HoldPlace, Hold),
    Prediction(ProviderName, PredictionId),
    Want(Key, OwnerId),
    Unwant(Key, Option<OwnerId>),
    Limit(Account, Option<MicroUsd>),
}

impl Rows {
    fn write(&mut self, row: Row) {
        match row {
            Row::Entry(entry) => drop(self.entries.insert(entry.key(), entry)),
            Row::Hold(place, hold) => drop(self.holds.insert(place, hold)),
            Row::Prediction(provider, id) => drop(self.predictions.insert((provider, id))),
            Row::Want(key, owner) => drop(self.wants.insert((key, owner))),
            Row::Unwant(key, Some(owner)) => drop(self.wants.remove(&(key, owner))),
            Row::Unwant(key, None) => self.wants.retain(|(wanted, _)| *wanted != key),
            Row::Limit(account, limit) => drop(self.limits.insert(account, limit)),
        }
    }

    /// What an account holds but for overcharges and what has no price; counted by other means
    /// than [`Rows::held`].
    pub fn held_at_our_prices(&self, account: &Account, now: Timestamp) -> MicroUsd {
        let mut sum = MicroUsd::ZERO;
        for ((_, _, of), hold) in &self.holds {
            let counts = *account != Account::Day || hold.at > now - DAY || hold.settled.is_none();
            if of == account && counts {
                let reserved = hold.reserved.unwrap_or_default();
                sum += hold.settled.unwrap_or(reserved).min(reserved);
            }
        }
        sum
    }

    /// An account with all that is held against it. The rolling one forgets after a day, but not
    /// what is still open.
    pub fn held(&self, account: &Account, now: Timestamp) -> Held {
        let rolls = *account == Account::Day;
        let counts = |hold: &Hold| !rolls || hold.at > now - DAY;
        let holds = || self.holds.iter().filter(|((_, _, of), _)| of == account).map(|(_, hold)| hold);
        let open = |hold: &Hold| hold.settled.is_none();
        Held {
            account: account.clone(),
            limit: self.limits.get(account).copied().flatten(),
            held: holds().filter(|hold| counts(hold) || open(hold)).map(Hold::amount).sum(),
            overcharge: holds().filter(|hold| counts(hold)).map(Hold::overcharge).sum(),
        }
    }
}

/// What is in the store's folder, and who has its locks.
pub struct Store {
    pub rows: Rows,
    /// What is on the disk for sure.
    flushed: Rows,
    /// What was written since, commit by commit.
    pending: Vec<Vec<Row>>,
    /// What was there when a run last ended, for the bug that loses what was flushed since.
    settled: Rows,
    /// Files, and whether they reached the disk.
    blobs: BTreeMap<Digest, bool>,
    alive: BTreeSet<OwnerId>,
    planted: Option<Bug>,
}

/// What a commit did, for those who watch.
pub struct Committed<'a> {
    pub key: Key,
    pub claim: &'a Claim,
    pub ask: &'a Ask,
    pub verdict: Verdict,
    pub before: Option<Arc<Entry>>,
    /// The entry that was written.
    pub written: Option<Arc<Entry>>,
    /// Another living process waited for it.
    pub wanted: bool,
}

impl Store {
    pub fn new(planted: Option<Bug>) -> Self {
        Self {
            rows: Rows::default(),
            flushed: Rows::default(),
            pending: vec![],
            settled: Rows::default(),
            blobs: BTreeMap::new(),
            alive: BTreeSet::new(),
            planted,
        }
    }

    pub fn is_planted(&self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    // Owners.

    pub fn take_lock(&mut self, owner: OwnerId) {
        self.alive.insert(owner);
    }

    pub fn free_lock(&mut self, owner: &OwnerId) {
        self.alive.remove(owner);
    }

    pub fn is_alive(&self, owner: &OwnerId) -> bool {
        self.alive.contains(owner)
    }

    /// True when nobody who lives works on the entry.
    pub fn is_free(&self, key: &Key) -> bool {
        let entry = self.rows.entries.get(key);
        entry.is_none_or(|entry| !entry.state.is_open() || !self.is_alive(&entry.claim.owner))
    }

    // Files.

    pub fn put_files(&mut self, output: &Output) {
        for file in output.raw.media() {
            self.blobs.entry(file.digest).or_default();
        }
    }

    pub fn has_files(&self, output: &Output) -> bool {
        output.raw.media().into_iter().all(|file: &Artifact| self.blobs.contains_key(&file.digest))
    }

    // Writing.

    pub fn open_account(&mut self, account: &Account, limit: Option<MicroUsd>) {
        self.write(vec![Row::Limit(account.clone(), limit)], false);
    }

    /// One transaction.
    fn write(&mut self, rows: Vec<Row>, must_last: bool) {
        rows.iter().for_each(|row| self.rows.write(row.clone()));
        self.pending.push(rows);
        if must_last {
            self.flush();
        }
    }

    /// The entry as it would be after a power cut now, at worst.
    pub fn lasting(&self, key: &Key) -> Option<&Entry> {
        self.flushed.entries.get(key).map(|entry| &**entry)
    }

    /// All rows so far survive a power cut; each process sees to it within a second.
    pub fn flush(&mut self) {
        for row in self.pending.drain(..).flatten() {
            self.flushed.write(row);
        }
    }

    /// A run ends: everything so far survives a power cut, files as well.
    pub fn settle(&mut self) {
        self.blobs.values_mut().for_each(|kept| *kept = true);
        self.flush();
        if self.is_planted(Bug::LostFlush) {
            self.settled = self.flushed.clone();
        }
    }

    /// True when a power cut would lose something.
    pub fn is_unflushed(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Everybody is dead, and what was not flushed may be gone.
    pub fn power_cut(&mut self, chance: &mut Chance) {
        self.alive.clear();
        let kept = chance.below(self.pending.len() + 1);
        self.pending.truncate(kept);
        self.flush();
        if self.is_planted(Bug::LostFlush) {
            self.flushed = self.settled.clone();
        }
        self.rows = self.flushed.clone();
        self.blobs.retain(|_, kept| *kept || chance.happens(500));
        self.blobs.values_mut().for_each(|kept| *kept = true);
    }

    /// As `castline-store` has it: reads what the judge must know, and writes what it answers.
    pub fn commit<'a>(&mut self, key: &Key, claim: &'a Claim, ask: &'a Ask, now: Timestamp) -> Committed<'a> {
        let before = self.rows.entries.get(key).cloned();
        let owner_alive = before.as_ref().is_some_and(|entry| self.is_alive(&entry.claim.owner));
        let accounts = self.accounts(claim, ask, now);
        let rivals = before.as_ref().map(|entry| self.rivals(entry, ask, now)).unwrap_or_default();
        let wanted = matches!(ask, Ask::Stop) && self.wanted(key, &claim.owner);
        let own = match &before {
            Some(entry) if self.is_planted(Bug::StaleClaim) && !matches!(ask, Ask::Claim { .. }) => {
                &entry.claim
            }
            _ => claim,
        };
        let wanted_seen = wanted && !self.is_planted(Bug::NobodyWaits);
        let view = View {
            claim: own,
            owner_alive,
            accounts: &accounts,
            rivals,
            wanted: wanted_seen,
            forgotten: 0,
            now,
        };
        let shown = before.as_deref().filter(|entry| {
            let forgotten = self.is_planted(Bug::ForgottenIntent) && entry.state == State::Intended;
            !forgotten || owner_alive || !matches!(ask, Ask::Claim { .. })
        });
        let (verdict, written) = judge(shown, ask, &view);
        let written = written.map(Arc::new);
        let rows = self.rows_of(before.as_deref(), written.as_ref(), key, claim, ask, &verdict);
        if !rows.is_empty() {
            self.write(rows, must_last(ask));
        }
        Committed { key: *key, claim, ask, verdict, before, written, wanted }
    }

    fn rows_of(
        &self,
        before: Option<&Entry>,
        written: Option<&Arc<Entry>>,
        key: &Key,
        claim: &Claim,
        ask: &Ask,
        verdict: &Verdict,
    ) -> Vec<Row> {
        let mut rows = vec![];
        if let Some(entry) = written {
            rows.push(Row::Entry(entry.clone()));
            let new_id = entry.prediction.as_ref().filter(|_| entry.terms.bills);
            if let Some(id) = new_id.filter(|id| before.and_then(|b| b.prediction.as_ref()) != Some(id)) {
                rows.push(Row::Prediction(entry.provider().clone(), id.clone()));
            }
            if entry.terms.bills && before.is_none_or(|before| before.hold != entry.hold) {
                rows.extend(entry.hold.accounts.iter().map(|account| {
                    let mut hold = entry.hold.clone();
                    if self.is_planted(Bug::SettledAsNothing) && hold.settled.is_some() {
                        hold.settled = Some(MicroUsd::ZERO);
                    }
                    Row::Hold((*key, hold.attempt, account.clone()), hold)
                }));
            }
            if !entry.state.is_open() {
                rows.push(Row::Unwant(*key, None));
            }
        }
        match (ask, verdict) {
            (Ask::Claim { .. }, Verdict::Wait) => rows.push(Row::Want(*key, claim.owner.clone())),
            (Ask::Unwanted, _) | (Ask::Claim { .. }, Verdict::Follow { .. }) => {
                rows.push(Row::Unwant(*key, Some(claim.owner.clone())));
            }
            _ => {}
        }
        rows
    }

    fn accounts(&self, claim: &Claim, ask: &Ask, now: Timestamp) -> Vec<Held> {
        let held = |account| {
            let held = self.rows.held(account, now);
            match self.is_planted(Bug::NoReservation) {
                true => Held { held: MicroUsd::ZERO, ..held },
                false => held,
            }
        };
        match ask {
            Ask::Claim { terms, .. } if terms.bills => claim.accounts.iter().map(held).collect(),
            _ => vec![],
        }
    }

    /// Another living process waits for it.
    fn wanted(&self, key: &Key, owner: &OwnerId) -> bool {
        self.rows.wants.iter().any(|(wanted, by)| wanted == key && by != owner && self.is_alive(by))
    }

    fn rivals(&self, entry: &Entry, ask: &Ask, now: Timestamp) -> Rivals {
        let taken = |id: &PredictionId| {
            !self.is_planted(Bug::NoRivals)
                && self.rows.predictions.contains(&(entry.provider().clone(), id.clone()))
        };
        match ask {
            Ask::Ruled(Ruling::Adopt(id)) => {
                let own = entry.prediction.as_ref() == Some(id);
                Rivals { taken: !own && taken(id), ..Rivals::default() }
            }
            Ask::Found(Match { id, or, .. }) => {
                let mut rivals = Rivals { taken: taken(id), ..Rivals::default() };
                rivals.ambiguous = or.iter().any(|other| !taken(other));
                let others = self.rows.entries.values().filter(|other| is_unresolved(other, entry, now));
                others.for_each(|other| self.compare(entry, other, &mut rivals));
                rivals
            }
            _ => Rivals::default(),
        }
    }

    fn compare(&self, entry: &Entry, other: &Entry, rivals: &mut Rivals) {
        let (Some(ours), Some(theirs)) = (&entry.sent, &other.sent) else { return };
        if other.unsent || !ours.looks_like(theirs) {
            return;
        }
        let lost = other.state == State::InDoubt || other.orphaned.is_some();
        if !lost && self.is_alive(&other.claim.owner) {
            rivals.in_flight = true;
        } else if ours.input != theirs.input {
            rivals.ambiguous = true;
        }
    }
}

/// Another entry of the same model at the same provider whose create has no answer.
fn is_unresolved(other: &Entry, entry: &Entry, now: Timestamp) -> bool {
    let open = match other.state {
        State::Intended => true,
        State::InDoubt => other.intended > now - HOUR,
        _ => false,
    };
    open && other.key() != entry.key()
        && other.provider() == entry.provider()
        && other.request.model.path() == entry.request.model.path()
}

/// An intent or an id that is lost in a power cut is a prediction paid for and lost.
fn must_last(ask: &Ask) -> bool {
    match ask {
        Ask::Claim { terms, .. } => terms.bills,
        Ask::Created(_) | Ask::Found(_) | Ask::Resend(_) | Ask::Ruled(_) => true,
        _ => false,
    }
}
