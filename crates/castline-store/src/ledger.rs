//! The ledger as SQLite keeps it: one writer thread, readers, and somebody who watches.
//!
//! What becomes of an entry is judged in `castline_core::ledger`; nothing is decided here.
//!
//! Start reading at [`Ledger::commit`].

pub(crate) mod rows;
mod schema;
mod watcher;
mod writer;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{self, JoinHandle};

use castline_core::ledger::{Account, Ask, Booking, Claim, Entry, Exported, Held, State, Verdict};
use castline_core::{Digest, Key, MicroUsd, ProviderName};
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::owner::Owners;
use crate::uses::Uses;

pub use rows::Brief;
use rows::RowError;
use schema::Still;
pub(crate) use schema::{check, check_known, connect};
use watcher::{Waiter, Watcher};
pub(crate) use writer::{FileSeen, LinkSeen};
use writer::{Message, Work, Writer};

/// The database's file in the store's folder.
pub const LEDGER_FILE: &str = "ledger.db";

/// What is known of every prediction ever asked for. Clones speak of one ledger.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    owners: Arc<Owners>,
    uses: Arc<Uses>,
    reader: Mutex<Connection>,
    /// How the files were when the reader was opened, where nothing can be written and nobody could
    /// tell it of changes.
    still: Mutex<Option<Still>>,
    /// None while it is being closed, and where nothing can be written.
    queue: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    /// Begun by the first who waits; its error is theirs.
    watcher: OnceLock<Result<Watching, StoreError>>,
}

#[derive(Debug)]
struct Watching {
    queue: Option<mpsc::Sender<Waiter>>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    pub(crate) fn open(folder: &Path, owners: Arc<Owners>, uses: Arc<Uses>) -> Result<Self, StoreError> {
        let path = folder.join(LEDGER_FILE);
        let writer = Writer::new(schema::open(&path)?, path.clone(), owners.clone());
        let reader = Mutex::new(schema::connect(&path)?);
        let (queue, orders) = mpsc::channel();
        let writer = spawn("castline-ledger", &path, move || writer.run(&orders))?;
        let (queue, writer) = (Some(queue), Some(writer));
        let still = Mutex::default();
        Ok(Self(Arc::new(Inner {
            path,
            owners,
            uses,
            reader,
            still,
            queue,
            writer,
            watcher: OnceLock::new(),
        })))
    }

    /// Opens it to read it alone, where nothing can be written.
    pub(crate) fn look(folder: &Path, owners: Arc<Owners>, uses: Arc<Uses>) -> Result<Self, StoreError> {
        let path = folder.join(LEDGER_FILE);
        let (reader, still) = schema::look(&path)?;
        let (reader, still) = (Mutex::new(reader), Mutex::new(still));
        let (queue, writer, watcher) = (None, None, OnceLock::new());
        Ok(Self(Arc::new(Inner { path, owners, uses, reader, still, queue, writer, watcher })))
    }

    pub(crate) fn is_only_looked_at(&self) -> bool {
        self.0.queue.is_none()
    }

    /// Has these asks judged, in their order, in one transaction. When an intent of a provider
    /// that bills, an id or a ruling is among them, they are on the disk when this returns.
    ///
    /// Asks take their place in the queue when this is called, not when it is awaited.
    pub fn commit(
        &self,
        asks: Vec<(Key, Claim, Ask)>,
    ) -> impl Future<Output = Result<Vec<Verdict>, StoreError>> + Send + 'static + use<> {
        // Whoever removes entries looks for this inside of its transaction: either it comes
        // later and sees it, or the claim finds the entry gone.
        let claimed = asks.iter().filter(|(_, _, ask)| matches!(ask, Ask::Claim { .. }));
        let needed = self.0.uses.need(claimed.map(|(key, _, _)| key.0));
        let answer = needed.map(|()| self.send(Work::Commit(asks)));
        async move { answer?.await.map_err(|_| StoreError::Stopped)? }
    }

    /// Opens an account, or gives it another limit; none is no limit.
    pub async fn open_account(&self, account: &Account, limit: Option<MicroUsd>) -> Result<(), StoreError> {
        self.write(Work::Account(account.clone(), limit)).await
    }

    /// Takes in what another ledger has and this one has not: all of it in one transaction,
    /// or nothing. Answers for each whether it was taken; what is here stays as it is.
    pub async fn import(&self, entries: Vec<Exported>) -> Result<Vec<bool>, StoreError> {
        let verdicts = self.send(Work::Import(entries)).await.map_err(|_| StoreError::Stopped)??;
        Ok(verdicts.into_iter().map(|verdict| verdict == Verdict::Done).collect())
    }

    /// Waits until what was committed so far would survive a power cut.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.write(Work::Settle).await
    }

    /// Waits until one of these entries is not in the hands of a living owner: it has
    /// ended, or its owner has, or it is not there. That may be so already.
    pub async fn changed(&self, keys: &[Key]) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let watching = self.0.watcher.get_or_init(|| self.0.watch()).as_ref().map_err(Clone::clone)?;
        let queue = watching.queue.as_ref().expect("it is only taken when everything is dropped");
        queue.send(Waiter { keys: keys.to_vec(), reply }).map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }
}

/// Reads never wait for writers. They are `async` all the same: this is where a ledger that
/// is asked over a network would stand.
#[expect(clippy::unused_async, reason = "a ledger elsewhere would have to wait")]
impl Ledger {
    /// The entries of these keys, in their order.
    pub async fn entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.read(|db| in_one(db, |db| keys.iter().map(|key| rows::entry(db, key)).collect()))
    }

    /// What a plan must know of these keys, in their order; cheaper than the whole entries.
    pub async fn briefs(&self, keys: &[Key]) -> Result<Vec<Option<Brief>>, StoreError> {
        self.read(|db| in_one(db, |db| keys.iter().map(|key| rows::brief(db, key)).collect()))
    }

    /// Which of these keys had an entry that was removed to make room, in their order.
    pub async fn forgotten(&self, keys: &[Key]) -> Result<Vec<bool>, StoreError> {
        self.read(|db| {
            in_one(db, |db| {
                if !rows::any_forgotten(db)? {
                    return Ok(vec![false; keys.len()]);
                }
                keys.iter().map(|key| Ok(rows::forgotten(db, key)? > 0)).collect()
            })
        })
    }

    /// An account with its limit and all that is spent and reserved on it. One that was
    /// never opened has no limit.
    pub async fn spent(&self, account: &Account) -> Result<Held, StoreError> {
        self.read(|db| rows::held(db, account, Timestamp::now()))
    }

    /// Model seconds of the last successes of a model (`owner/name`) at a provider, newest
    /// first, for [`castline_core::prediction::learned`].
    pub async fn history(&self, model: &str, provider: &ProviderName) -> Result<Vec<f64>, StoreError> {
        const ENOUGH: usize = 20;
        self.read(|db| rows::seconds(db, model, &provider.0, ENOUGH))
    }

    /// Former successes of a model (`owner/name`), newest first: what `why` compares with.
    pub async fn nearest(&self, model: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.read(|db| rows::successes(db, model, most))
    }

    /// Entries in any of these states, newest first.
    pub async fn in_states(&self, states: &[State], most: usize) -> Result<Vec<Entry>, StoreError> {
        self.read(|db| rows::in_states(db, states, most))
    }

    /// Every create on every account that was reserved since then, oldest first.
    pub async fn bookings(&self, since: Timestamp) -> Result<Vec<Booking>, StoreError> {
        self.read(|db| rows::bookings(db, since))
    }

    /// The creates of an entry on every account, oldest first.
    pub async fn bookings_of(&self, key: &Key) -> Result<Vec<Booking>, StoreError> {
        self.read(|db| rows::bookings_of(db, key))
    }

    /// Hands out the whole ledger as of one moment, oldest entries first, until `each`
    /// answers false.
    pub async fn export(&self, mut each: impl FnMut(Exported) -> bool) -> Result<(), StoreError> {
        self.read(|db| {
            in_one(db, |db| {
                rows::each_entry(db, |entry| {
                    let holds = rows::bookings_of(db, &entry.key())?;
                    Ok(each(Exported::new(entry, holds)))
                })
            })
        })
    }

    /// Keys of entries that begin with these hex digits; two when there are several.
    pub async fn keys_like(&self, prefix: &str) -> Result<Vec<Key>, StoreError> {
        let digits = prefix.strip_prefix("sha256:").unwrap_or(prefix);
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(vec![]);
        }
        self.read(|db| rows::keys_like(db, digits))
    }
}

impl Ledger {
    /// True while the process lives that works on an entry.
    pub fn is_worked_on(&self, entry: &Entry) -> bool {
        entry.state.is_open() && self.0.owners.alive(&entry.claim.owner)
    }

    pub(crate) fn file(&self, path: &str) -> Result<Option<FileSeen>, StoreError> {
        self.read(|db| rows::file(db, path))
    }

    /// The files of these paths, in their order.
    pub(crate) fn files(&self, paths: &[Cow<'_, str>]) -> Result<Vec<Option<FileSeen>>, StoreError> {
        self.read(|db| in_one(db, |db| paths.iter().map(|path| rows::file(db, path)).collect()))
    }

    pub(crate) fn remember(&self, file: FileSeen) {
        drop(self.send(Work::File(file)));
    }

    pub(crate) fn link(
        &self,
        digest: &Digest,
        whose: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.read(|db| rows::link(db, digest, whose, now))
    }

    pub(crate) fn remember_link(&self, link: LinkSeen) {
        drop(self.send(Work::Link(link)));
    }

    pub(crate) fn kept(&self) -> Result<Vec<Digest>, StoreError> {
        self.read(|db| {
            let mut find = db.prepare_cached("SELECT digest FROM blobs")?;
            let rows = find.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
            Ok(rows.map(|bytes| bytes.map(Digest::from_sha256)).collect::<Result<_, _>>()?)
        })
    }

    pub(crate) fn keep(&self, blobs: Vec<(Digest, u64)>) -> Result<(), StoreError> {
        self.send(Work::Kept(blobs)).blocking_recv().map_err(|_| StoreError::Stopped)?.map(drop)
    }

    async fn write(&self, work: Work) -> Result<(), StoreError> {
        self.send(work).await.map_err(|_| StoreError::Stopped)?.map(drop)
    }

    fn send(&self, work: Work) -> oneshot::Receiver<Result<Vec<Verdict>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let message = Message { work, reply };
        match &self.0.queue {
            // Without a writer the reply is dropped, which says that it has stopped.
            Some(queue) => drop(queue.send(message)),
            None => drop(message.reply.send(Err(StoreError::ReadOnly {
                path: self.0.path.clone(),
                why: "nothing can be written there".to_owned(),
            }))),
        }
        answer
    }

    fn read<T>(&self, mut read: impl FnMut(&Connection) -> Result<T, RowError>) -> Result<T, StoreError> {
        let mut db = self.0.reader.lock().map_err(|_| StoreError::Stopped)?;
        let mut still = self.0.still.lock().map_err(|_| StoreError::Stopped)?;
        loop {
            let found = read(&db).map_err(|error| error.into_store("read", &self.0.path));
            if still.as_ref().is_none_or(|still| still.is_so(&self.0.path)) {
                return found;
            }
            // Somebody who can write has come: what was read may be half of what they did.
            (*db, *still) = schema::look(&self.0.path)?;
        }
    }
}

/// Many small reads in one transaction see one moment, and lock once.
fn in_one<T>(db: &Connection, read: impl FnOnce(&Connection) -> Result<T, RowError>) -> Result<T, RowError> {
    let moment = db.unchecked_transaction()?;
    let found = read(&moment)?;
    moment.commit()?;
    Ok(found)
}

impl Inner {
    fn watch(&self) -> Result<Watching, StoreError> {
        let watcher = Watcher::new(schema::connect(&self.path)?, self.path.clone(), self.owners.clone());
        let (queue, waiters) = mpsc::channel();
        let thread = spawn("castline-watcher", &self.path, move || watcher.run(&waiters))?;
        Ok(Watching { queue: Some(queue), thread: Some(thread) })
    }
}

/// Whoever is about to write or watch ends when its queue does, and is waited for.
impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if let Some(Ok(watching)) = self.watcher.get_mut() {
            drop(watching.queue.take());
            watching.thread.take().map(JoinHandle::join);
        }
    }
}

fn spawn(
    name: &str,
    path: &Path,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(StoreError::file("start a thread for", path))
}

#[cfg(test)]
mod tests;
