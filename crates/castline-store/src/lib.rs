//! What castline keeps on disk: the ledger, artifacts and journals.
//!
//! The store makes decisions of `castline-core` durable and takes none: what becomes of an
//! entry is judged there, inside a transaction here. It knows neither HTTP nor terminals,
//! nor what a step is for.
//!
//! Start reading at [`Store::open`]; the one writer is in `ledger/writer.rs`.

mod blobs;
mod error;
mod ledger;
mod links;
mod owner;
mod rates;
mod runs;
#[doc(hidden)] // for tests
pub mod sabotage;
mod space;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::ledger::OwnerId;

pub use blobs::{Blobs, Incoming};
pub use error::StoreError;
pub use ledger::{Brief, LEDGER_FILE, Ledger};
pub use links::KnownLinks;
use owner::Owners;
pub use owner::{LockProbe, is_held};
pub use rates::{SharedBucket, SharedSlots, Slot};
pub use runs::{Journal, Runs};
pub use space::Place;

/// A project's store: everything under `.castline/`.
///
/// Several processes may have one open at once. While one is open, its owner is alive;
/// closing it lets go of whatever the process was working on.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    ledger: Ledger,
    blobs: Blobs,
    runs: Runs,
    /// Last, so that the ledger is closed before the owner is dead.
    owners: Arc<Owners>,
}

impl Store {
    /// Opens the store in this folder, which is made when it is not there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        make_folders(folder)?;
        let owners = Arc::new(Owners::join(&folder.join("owners"))?);
        owners.sweep();
        let ledger = Ledger::open(folder, owners.clone())?;
        let blobs = Blobs::open(folder, ledger.clone(), &owners);
        let runs = Runs::new(folder.join("runs"));
        Ok(Self { folder: folder.to_owned(), ledger, blobs, runs, owners })
    }

    /// This process, as an owner of predictions.
    pub fn owner(&self) -> &OwnerId {
        self.owners.me()
    }

    /// What is known of every prediction.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The files.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Where providers can read artifacts by themselves.
    pub fn links(&self) -> KnownLinks<'_> {
        KnownLinks(&self.ledger)
    }

    /// The journals.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Refuses when results could not be stored. Asked before anything is paid for.
    pub fn check_space(&self) -> Result<(), StoreError> {
        space::check(&self.folder)
    }

    /// Refuses when the disk is almost full. Asked before each create, because disks fill up.
    pub fn check_free(&self) -> Result<(), StoreError> {
        space::check_free(&self.folder)
    }

    /// Refuses a file system on which two processes cannot see each other's locks. Asked
    /// before a live run.
    pub fn check_local(&self) -> Result<(), StoreError> {
        space::check_local(&self.folder)
    }

    /// Waits until everything that was stored so far would survive a power cut. A run ends
    /// only after that.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.blobs.settle().await?;
        self.ledger.settle().await
    }
}

fn make_folders(folder: &Path) -> Result<(), StoreError> {
    for inner in ["owners", "incoming", "blobs/sha256", "runs"] {
        let inner = folder.join(inner);
        fs::create_dir_all(&inner).map_err(StoreError::file("create the folder", &inner))?;
    }
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "# What castline keeps is of use on this machine only.\n*\n")
            .map_err(StoreError::file("write", &ignore))?;
    }
    Ok(())
}
