//! Waits for what other processes do to entries.
//!
//! SQLite tells cheaply whether anybody has written, and nobody tells when an owner dies:
//! one thread asks for both, while somebody waits.
//!
//! Start reading at [`Watcher::run`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use castline_core::Key;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::owner::Owners;

use super::rows::{self, RowError};

/// How often to ask whether somebody has written.
const WRITTEN: Duration = Duration::from_millis(25);
/// How often to ask whether owners live.
const DEATHS: Duration = Duration::from_millis(250);

/// Somebody who waits.
pub(crate) struct Waiter {
    pub(crate) keys: Vec<Key>,
    pub(crate) reply: oneshot::Sender<Result<(), StoreError>>,
}

pub(crate) struct Watcher {
    db: Connection,
    path: PathBuf,
    owners: Arc<Owners>,
    waiters: Vec<Waiter>,
    version: i64,
    looked: Instant,
}

impl Watcher {
    pub(crate) fn new(db: Connection, path: PathBuf, owners: Arc<Owners>) -> Self {
        Self { db, path, owners, waiters: Vec::new(), version: 0, looked: Instant::now() }
    }

    /// Watches until nobody can wait any more.
    pub(crate) fn run(mut self, queue: &Receiver<Waiter>) {
        loop {
            let new = match self.wait(queue) {
                Ok(waiter) => {
                    self.waiters.push(waiter);
                    self.waiters.extend(queue.try_iter());
                    true
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(error) = self.look(new) {
                let error = error.into_store("read", &self.path);
                self.waiters.drain(..).for_each(|waiter| drop(waiter.reply.send(Err(error.clone()))));
            }
        }
    }

    fn wait(&self, queue: &Receiver<Waiter>) -> Result<Waiter, RecvTimeoutError> {
        if self.waiters.is_empty() {
            return queue.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        queue.recv_timeout(WRITTEN)
    }

    fn look(&mut self, new: bool) -> Result<(), RowError> {
        let version = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if !new && version == self.version && self.looked.elapsed() < DEATHS {
            return Ok(());
        }
        (self.version, self.looked) = (version, Instant::now());
        for waiter in std::mem::take(&mut self.waiters) {
            if waiter.reply.is_closed() {
                continue;
            }
            if self.any_free(&waiter.keys)? {
                let _ = waiter.reply.send(Ok(()));
            } else {
                self.waiters.push(waiter);
            }
        }
        Ok(())
    }

    /// True when one of these is not in the hands of somebody who is alive.
    fn any_free(&self, keys: &[Key]) -> Result<bool, RowError> {
        for key in keys {
            match rows::hands(&self.db, key)? {
                Some((state, owner)) if state.is_open() && self.owners.alive(&owner) => {}
                _ => return Ok(true),
            }
        }
        Ok(keys.is_empty())
    }
}
