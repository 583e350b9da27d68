//! The one thread of a process that writes to the ledger.
//!
//! It drains its queue and commits what it finds as one transaction, so that a thousand
//! legs cost a few flushes. What becomes of an entry is judged by
//! [`castline_core::ledger::judge`]; the writer reads what the judge must know and writes
//! what it answers.
//!
//! Start reading at [`Writer::run`].

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use castline_core::ledger::{
    Account, Ask, Claim, Entry, Exported, Held, Match, OwnerId, Rivals, Ruling, State, Verdict, View, judge,
};
use castline_core::{Artifact, Digest, Key, MicroUsd};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::owner::Owners;
use crate::sabotage::{Rule, is_broken};

use super::rows::{self, RowError};
use super::schema;

/// So many messages at most share a transaction: other processes want to write as well.
const TOGETHER: usize = 1_000;
/// How long something may be written and not yet flushed.
const UNFLUSHED: Duration = Duration::from_secs(1);
/// How long sums may be reused while nobody else writes; the rolling ones shrink with time.
const SUMS: Duration = Duration::from_mins(1);

/// Something to write, and where the answer goes.
pub(crate) struct Message {
    pub(crate) work: Work,
    pub(crate) reply: oneshot::Sender<Result<Vec<Verdict>, StoreError>>,
}

/// What the writer is to write.
pub(crate) enum Work {
    /// Judge these and write what follows; answered with a verdict each.
    Commit(Vec<(Key, Claim, Ask)>),
    /// An account and its limit.
    Account(Account, Option<MicroUsd>),
    /// These blobs have reached the disk.
    Kept(Vec<(Digest, u64)>),
    /// A user's file has this artifact.
    File(FileSeen),
    /// A provider reads an artifact there.
    Link(LinkSeen),
    /// Entries of another ledger; answered with done for each that was not here.
    Import(Vec<Exported>),
    /// Nothing: everything so far must survive a power cut.
    Settle,
}

/// A user's file as it was when it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileSeen {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) modified: i64,
    pub(crate) inode: u64,
    pub(crate) artifact: Artifact,
}

/// Where a provider reads an artifact by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinkSeen {
    pub(crate) digest: Digest,
    /// The provider and the account.
    pub(crate) whose: String,
    pub(crate) url: String,
    pub(crate) until: Option<Timestamp>,
}

impl Work {
    /// An intent or an id that is lost in a power cut is a prediction paid for and lost.
    fn must_last(&self) -> bool {
        let paid = |ask: &Ask| match ask {
            Ask::Claim { terms, .. } => terms.bills,
            Ask::Created(_) | Ask::Found(_) | Ask::Resend(_) | Ask::Ruled(_) => true,
            _ => false,
        };
        match self {
            Self::Commit(asks) => asks.iter().any(|(_, _, ask)| paid(ask)),
            Self::Settle | Self::Import(_) => true,
            Self::Account(..) | Self::Kept(_) | Self::File(_) | Self::Link(_) => false,
        }
    }
}

/// What was read or written last, right while only we write.
#[derive(Default)]
struct Sums {
    held: HashMap<Account, Held>,
    /// Entries under way: each is asked about several times, and is long.
    open: HashMap<Key, Entry>,
    version: i64,
    read: Option<Instant>,
}

pub(crate) struct Writer {
    db: Connection,
    path: PathBuf,
    owners: Arc<Owners>,
    sums: Sums,
    /// How commits are done at the moment; none before the first.
    flushing: Option<bool>,
    /// Since when something is written and not yet flushed.
    unflushed: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(db: Connection, path: PathBuf, owners: Arc<Owners>) -> Self {
        Self { db, path, owners, sums: Sums::default(), flushing: None, unflushed: None }
    }

    /// Writes until nobody can ask any more.
    pub(crate) fn run(mut self, queue: &Receiver<Message>) {
        loop {
            match self.wait(queue) {
                Ok(first) => {
                    let more = queue.try_iter().take(TOGETHER - 1);
                    let messages = std::iter::once(first).chain(more).collect();
                    self.carry_out(messages);
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush();
    }

    fn wait(&self, queue: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match self.unflushed {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => queue.recv_timeout(UNFLUSHED.saturating_sub(since.elapsed())),
        }
    }

    fn flush(&mut self) {
        if self.unflushed.is_none() {
            return;
        }
        if let Err(error) = self.write(&[&Work::Settle]) {
            tracing::warn!(%error, "what the ledger has written last could not be flushed yet");
            self.unflushed = Some(Instant::now());
        }
    }

    fn carry_out(&mut self, messages: Vec<Message>) {
        let work: Vec<&Work> = messages.iter().map(|message| &message.work).collect();
        match self.write(&work) {
            // A send fails when nobody waits for the answer any more.
            Ok(verdicts) => messages.into_iter().zip(verdicts).for_each(|(message, verdicts)| {
                let _ = message.reply.send(Ok(verdicts));
            }),
            // One bad row is the trouble of whoever asked for it.
            Err(StoreError::Unreadable { .. }) if messages.len() > 1 => {
                for message in messages {
                    self.carry_out(vec![message]);
                }
            }
            Err(error) => messages.into_iter().for_each(|message| {
                let _ = message.reply.send(Err(error.clone()));
            }),
        }
    }

    /// One transaction: all of it, or an error and nothing.
    pub(super) fn write(&mut self, work: &[&Work]) -> Result<Vec<Vec<Verdict>>, StoreError> {
        let result = self.transact(work);
        if result.is_err() {
            // What the sums say of rows that were not written is wrong.
            self.sums = Sums::default();
            let _ = self.db.execute_batch("ROLLBACK");
        }
        result.map_err(|error| error.into_store("write", &self.path))
    }

    fn transact(&mut self, work: &[&Work]) -> Result<Vec<Vec<Verdict>>, RowError> {
        let flush = work.iter().any(|work| work.must_last());
        self.set_flushing(flush)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        self.check_sums()?;
        let before = self.db.total_changes();
        let now = Timestamp::now();
        let verdicts = work.iter().map(|work| self.one(work, now)).collect::<Result<_, _>>()?;
        let mut wrote = self.db.total_changes() != before;
        if flush && !wrote && self.unflushed.is_some() {
            // Only a commit that writes something flushes what was written before.
            self.db.execute("UPDATE syncs SET count = count + 1", [])?;
            wrote = true;
        }
        self.db.execute_batch("COMMIT")?;
        if wrote {
            self.unflushed = if flush { None } else { self.unflushed.or_else(|| Some(Instant::now())) };
        }
        Ok(verdicts)
    }

    /// With FULL a commit is on the disk when it returns; with NORMAL it is safe from the
    /// death of this process, and from a power cut once a later one has been flushed.
    fn set_flushing(&mut self, flush: bool) -> rusqlite::Result<()> {
        if self.flushing != Some(flush) {
            self.db.pragma_update(None, "synchronous", if flush { "full" } else { "normal" })?;
            self.flushing = Some(flush);
        }
        Ok(())
    }

    fn one(&mut self, work: &Work, now: Timestamp) -> Result<Vec<Verdict>, RowError> {
        match work {
            Work::Commit(asks) => {
                return asks.iter().map(|(key, claim, ask)| self.judge(key, claim, ask, now)).collect();
            }
            Work::Account(account, limit) => {
                rows::put_limit(&self.db, account, *limit)?;
                self.sums.held.remove(account);
            }
            Work::Import(entries) => {
                self.sums.held.clear();
                return entries.iter().map(|exported| self.take_in(exported)).collect();
            }
            Work::Kept(blobs) => self.put_kept(blobs)?,
            Work::File(file) => self.put_file(file)?,
            Work::Link(link) => rows::put_link(&self.db, link, now)?,
            Work::Settle => {}
        }
        Ok(vec![])
    }

    fn judge(&mut self, key: &Key, claim: &Claim, ask: &Ask, now: Timestamp) -> Result<Verdict, RowError> {
        let entry = match self.sums.open.get(key) {
            Some(entry) => Some(entry.clone()),
            None => rows::entry(&self.db, key)?,
        };
        let accounts = self.accounts(claim, ask, now)?;
        let owner_alive = entry.as_ref().is_some_and(|entry| self.owners.alive(&entry.claim.owner));
        let rivals = self.rivals(entry.as_ref(), ask, now)?;
        let wanted = matches!(ask, Ask::Stop) && self.wanted(key, &claim.owner)?;
        let forgotten = match (&entry, ask) {
            (None, Ask::Claim { .. }) => rows::forgotten(&self.db, key)?,
            _ => 0,
        };
        let claim = match &entry {
            Some(entry) if !matches!(ask, Ask::Claim { .. }) && is_broken(Rule::Claim) => &entry.claim,
            _ => claim,
        };
        let view = View { claim, owner_alive, accounts: &accounts, rivals, wanted, forgotten, now };
        let (verdict, written) = judge(entry.as_ref(), ask, &view);
        if let Some(written) = written {
            rows::put(&self.db, &written)?;
            self.put_prediction(entry.as_ref(), &written)?;
            if let (Ask::Another(_), Some(entry)) = (ask, &entry) {
                self.forget_prediction(entry, &written)?;
            }
            self.put_hold(entry.as_ref(), &written)?;
            if written.state.is_open() {
                self.sums.open.insert(*key, written);
            } else {
                self.sums.open.remove(key);
                rows::forget_wants(&self.db, key)?;
            }
        }
        match (ask, &verdict) {
            (Ask::Claim { .. }, Verdict::Wait) => rows::put_want(&self.db, key, &claim.owner)?,
            (Ask::Unwanted, _) | (Ask::Claim { .. }, Verdict::Follow { .. }) => {
                rows::forget_want(&self.db, key, &claim.owner)?;
            }
            _ => {}
        }
        Ok(verdict)
    }

    /// What is here is never written over.
    fn take_in(&self, exported: &Exported) -> Result<Verdict, RowError> {
        if rows::entry(&self.db, &exported.entry.key())?.is_some() {
            return Ok(Verdict::Stale);
        }
        rows::put(&self.db, &exported.entry)?;
        self.put_prediction(None, &exported.entry)?;
        for booking in &exported.holds {
            rows::put_booking(&self.db, booking)?;
        }
        Ok(Verdict::Done)
    }

    /// What else can have the prediction that was found, or named by a person.
    fn rivals(&self, entry: Option<&Entry>, ask: &Ask, now: Timestamp) -> Result<Rivals, RowError> {
        let taken = |entry: &Entry, id| rows::knows_prediction(&self.db, entry.provider(), id);
        match (entry, ask) {
            (Some(entry), Ask::Ruled(Ruling::Adopt(id))) => {
                // What it held itself once, it may hold again.
                let own = entry.prediction.as_ref() == Some(id);
                Ok(Rivals { taken: !own && taken(entry, id)?, ..Rivals::default() })
            }
            (Some(entry), Ask::Found(Match { id, or, .. })) => {
                let mut rivals = Rivals { taken: taken(entry, id)?, ..Rivals::default() };
                for other in or {
                    rivals.ambiguous |= !taken(entry, other)?;
                }
                for other in rows::unresolved(&self.db, entry, now)? {
                    self.compare(entry, &other, &mut rivals);
                }
                Ok(rivals)
            }
            _ => Ok(Rivals::default()),
        }
    }

    /// An entry whose create has no answer yet, or lost it, and what it means for another.
    fn compare(&self, entry: &Entry, other: &Entry, rivals: &mut Rivals) {
        let (Some(ours), Some(theirs)) = (&entry.sent, &other.sent) else { return };
        if other.unsent || !ours.looks_like(theirs) {
            return;
        }
        let lost = other.state == State::InDoubt || other.orphaned.is_some();
        if !lost && self.owners.alive(&other.claim.owner) {
            rivals.in_flight = true;
        } else if ours.input != theirs.input {
            rivals.ambiguous = true;
        }
    }

    /// Another living process waits for it.
    fn wanted(&self, key: &Key, owner: &OwnerId) -> Result<bool, RowError> {
        let wants = rows::wants(&self.db, key)?;
        Ok(wants.iter().any(|other| other != owner && self.owners.alive(other)))
    }

    /// Money is only asked about where some may be spent.
    fn accounts(&mut self, claim: &Claim, ask: &Ask, now: Timestamp) -> Result<Vec<Held>, RowError> {
        match ask {
            Ask::Claim { .. } if is_broken(Rule::Reservation) => Ok(vec![]),
            Ask::Claim { terms, .. } if terms.bills => {
                claim.accounts.iter().map(|account| self.held(account, now)).collect()
            }
            _ => Ok(vec![]),
        }
    }

    fn held(&mut self, account: &Account, now: Timestamp) -> Result<Held, RowError> {
        if let Some(held) = self.sums.held.get(account) {
            return Ok(held.clone());
        }
        let held = rows::held(&self.db, account, now)?;
        self.sums.held.insert(account.clone(), held.clone());
        Ok(held)
    }

    /// Forgets what is known when somebody else has written since, and sums when they are old.
    /// Whoever has written may have been a newer castline, which brought the database up to date.
    fn check_sums(&mut self) -> Result<(), RowError> {
        let version = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version != self.sums.version {
            schema::check_known(&self.db, &self.path)?;
            self.sums.open.clear();
        }
        if version != self.sums.version || self.sums.read.is_none_or(|read| read.elapsed() > SUMS) {
            self.sums.held.clear();
            (self.sums.version, self.sums.read) = (version, Some(Instant::now()));
        }
        Ok(())
    }

    /// What is free is not looked for and not adopted.
    fn put_prediction(&self, before: Option<&Entry>, entry: &Entry) -> Result<(), RowError> {
        match &entry.prediction {
            Some(id) if entry.terms.bills && before.is_none_or(|b| b.prediction != entry.prediction) => {
                rows::put_prediction(&self.db, entry.provider(), id)
            }
            _ => Ok(()),
        }
    }

    /// Whose it is may yet name it; what an entry had by itself before stays its own.
    fn forget_prediction(&self, before: &Entry, entry: &Entry) -> Result<(), RowError> {
        match &before.prediction {
            Some(id) if before.prediction != entry.prediction => {
                rows::forget_prediction(&self.db, entry.provider(), id)
            }
            _ => Ok(()),
        }
    }

    fn put_hold(&mut self, before: Option<&Entry>, entry: &Entry) -> Result<(), RowError> {
        if !entry.terms.bills || before.is_some_and(|before| before.hold == entry.hold) {
            return Ok(());
        }
        rows::put_hold(&self.db, entry)?;
        let same = before.filter(|before| before.hold.attempt == entry.hold.attempt);
        let freed = same.map_or(MicroUsd::ZERO, |before| before.hold.amount());
        for account in &entry.hold.accounts {
            if let Some(sum) = self.sums.held.get_mut(account) {
                sum.held = (sum.held + entry.hold.amount()).saturating_sub(freed);
                sum.overcharge += entry.hold.overcharge();
            }
        }
        Ok(())
    }

    fn put_kept(&self, blobs: &[(Digest, u64)]) -> Result<(), RowError> {
        let mut put =
            self.db.prepare_cached("INSERT OR REPLACE INTO blobs (digest, bytes) VALUES (?1, ?2)")?;
        for (digest, bytes) in blobs {
            put.execute(params![&digest.as_bytes()[..], bytes.cast_signed()])?;
        }
        Ok(())
    }

    fn put_file(&self, file: &FileSeen) -> Result<(), RowError> {
        let artifact = serde_json::to_string(&file.artifact)
            .map_err(|cause| RowError::Unreadable { key: file.path.clone(), cause: cause.to_string() })?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO files (path, bytes, modified, inode, artifact) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![file.path, file.bytes.cast_signed(), file.modified, file.inode.cast_signed(), artifact])?;
        Ok(())
    }
}
