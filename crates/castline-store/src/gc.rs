//! Gives back what nobody refers to any more: entries of the ledger, and files.
//!
//! What may go is decided by [`castline_core::ledger::forgettable`]. The order makes it safe
//! to die at any moment: first the entries go, in one transaction, then the files. An entry
//! that has succeeded never lacks a file because of what is done here.
//!
//! Start reading at [`Store::alone`].

use std::collections::HashSet;
use std::fs;
use std::io;
use std::iter::Sum;
use std::path::{Path, PathBuf};
use std::time::Duration;

use castline_core::Digest;
use castline_core::ledger::{Holding, Spent, State, forgettable};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Store;
use crate::error::StoreError;
use crate::layout::Layout;
use crate::ledger::rows::{self, RowError};
use crate::ledger::{check_known, connect};
use crate::uses::Alone;

/// Bytes of the database that must be free before it is made smaller.
const WORTH_IT: i64 = 1 << 20;

/// How much of something there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub count: usize,
    /// Bytes.
    pub bytes: u64,
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            count: sum.count + one.count,
            bytes: sum.bytes + one.bytes,
        })
    }
}

/// What is kept and what goes, or went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Results that stay, and what they cost.
    pub results_kept: usize,
    /// What the results that stay have cost.
    pub worth_kept: Spent,
    /// Results that go.
    pub results: usize,
    /// What the results that go have cost: so much would be paid to make them again.
    pub worth: Spent,
    /// Entries without a result that go: failed, canceled, or never begun.
    pub others: usize,
    /// Files that stay.
    pub files_kept: Amount,
    /// Files that go.
    pub files: Amount,
}

/// Nobody else looks at what is in the store, so that something can be removed from it.
#[derive(Debug)]
pub struct Sweeper<'a> {
    store: &'a Store,
    _alone: Alone,
}

/// A file of the store by its digest.
struct Blob {
    digest: Digest,
    path: PathBuf,
    bytes: u64,
}

/// What goes.
#[derive(Default)]
struct Doomed {
    sweep: Sweep,
    entries: Vec<(castline_core::Key, u64)>,
    blobs: Vec<Blob>,
}

impl Store {
    /// What would go if nobody but the living and these digests, keys or files, referred to
    /// anything. Nothing is changed.
    pub fn survey(&self, wanted: &HashSet<Digest>) -> Result<Sweep, StoreError> {
        let mut db = self.connection()?;
        let doomed = db.transaction().map_err(RowError::from).and_then(|db| self.doom(&db, wanted));
        Ok(doomed.map_err(|error| self.unread(error))?.sweep)
    }

    /// Waits until nobody looks at what is in the store, at most so long; none when somebody
    /// still does. Those who run go on: what they need is written down.
    pub fn alone(&self, patience: Duration) -> Result<Option<Sweeper<'_>>, StoreError> {
        self.rely_on([])?;
        let alone = self.uses.alone(patience)?;
        Ok(alone.map(|alone| Sweeper { store: self, _alone: alone }))
    }

    fn connection(&self) -> Result<Connection, StoreError> {
        connect(&Layout::of(&self.folder).ledger())
    }

    fn unread(&self, error: RowError) -> StoreError {
        error.into_store("read", &Layout::of(&self.folder).ledger())
    }

    fn doom(&self, db: &Connection, wanted: &HashSet<Digest>) -> Result<Doomed, RowError> {
        // Asked inside the transaction: who claims later finds the ledger as we leave it.
        let needed = self.uses.needed(&self.owners)?;
        let is_wanted = |digest: &Digest| wanted.contains(digest) || needed.contains(digest);
        let mut holdings = Vec::new();
        rows::each_entry(db, |entry| {
            holdings.push(Holding::from(&entry));
            Ok(true)
        })?;
        let goes: HashSet<usize> = forgettable(&holdings, &is_wanted).into_iter().collect();
        let mut doomed = Doomed::default();
        let mut files: HashSet<Digest> = HashSet::new();
        let sweep = &mut doomed.sweep;
        for (place, holding) in holdings.iter().enumerate() {
            let worth = holding.worth.unwrap_or_default();
            if !goes.contains(&place) {
                files.extend(holding.reads.iter().chain(&holding.gives));
                sweep.results_kept += usize::from(holding.state == State::Succeeded);
                sweep.worth_kept += worth;
                continue;
            }
            match holding.state {
                State::Succeeded => sweep.results += 1,
                _ => sweep.others += 1,
            }
            sweep.worth += worth;
            doomed.entries.push((holding.key, holding.claim));
        }
        for blob in self.all_blobs()? {
            let stays = files.contains(&blob.digest) || is_wanted(&blob.digest);
            let amount = if stays { &mut sweep.files_kept } else { &mut sweep.files };
            amount.count += 1;
            amount.bytes += blob.bytes;
            if !stays {
                doomed.blobs.push(blob);
            }
        }
        Ok(doomed)
    }

    fn all_blobs(&self) -> Result<Vec<Blob>, StoreError> {
        let folder = Layout::of(&self.folder).blobs();
        let mut blobs = Vec::new();
        let read = |folder: &Path| fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>();
        for inner in read(&folder).map_err(StoreError::file("read", &folder))? {
            // A file or a link among the folders is none of ours.
            if !inner.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let Ok(files) = read(&inner.path()) else { continue };
            for file in files {
                let name = file.file_name().to_string_lossy().into_owned();
                let Ok(digest) = format!("sha256:{name}").parse() else { continue };
                let Some(meta) = file.metadata().ok().filter(fs::Metadata::is_file) else { continue };
                blobs.push(Blob { digest, path: file.path(), bytes: meta.len() });
            }
        }
        Ok(blobs)
    }
}

impl Sweeper<'_> {
    /// Removes what nobody but the living and these digests, keys or files, refers to, and what
    /// processes left that died while they wrote.
    pub fn sweep(&self, wanted: &HashSet<Digest>) -> Result<Sweep, StoreError> {
        self.store.runs.sweep();
        let mut db = self.store.connection()?;
        let doomed = forget(&mut db, |db| {
            check_known(db, &Layout::of(&self.store.folder).ledger())?;
            self.store.doom(db, wanted)
        });
        let mut doomed = doomed.map_err(|error| self.store.unread(error))?;
        let mut gone = Amount::default();
        let mut failed = None;
        for blob in &doomed.blobs {
            match fs::remove_file(&blob.path) {
                Ok(()) => {
                    gone.count += 1;
                    gone.bytes += blob.bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The others go all the same; the next time finds this one again.
                Err(error) => failed = Some(StoreError::file("remove", &blob.path)(error)),
            }
        }
        doomed.sweep.files = gone;
        if let Err(error) = shrink(&db) {
            tracing::debug!(%error, "the ledger's file stays as large as it is");
        }
        failed.map_or(Ok(doomed.sweep), Err)
    }
}

/// Takes the doomed entries out of the ledger, on the disk before a file is touched.
fn forget(
    db: &mut Connection,
    doom: impl FnOnce(&Connection) -> Result<Doomed, RowError>,
) -> Result<Doomed, RowError> {
    db.pragma_update(None, "synchronous", "full")?;
    let change: Transaction<'_> = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let doomed = doom(&change)?;
    for (key, claim) in &doomed.entries {
        rows::forget(&change, key, *claim)?;
    }
    rows::forget_blobs(&change, &doomed.blobs.iter().map(|blob| blob.digest).collect())?;
    change.commit()?;
    Ok(doomed)
}

/// Gives free pages of the database back where that is worth the work.
fn shrink(db: &Connection) -> rusqlite::Result<()> {
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("freelist_count")? * pragma("page_size")? >= WORTH_IT {
        db.execute_batch("VACUUM")?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}
