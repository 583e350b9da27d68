//! What castline keeps on disk: the ledger, artifacts and journals.
//!
//! The store makes decisions of `castline-core` durable and takes none: what becomes of an
//! entry is judged there, inside a transaction here. It knows neither HTTP nor terminals,
//! nor what a step is for.
//!
//! Start reading at [`Store::open`]; the one writer is in `ledger/writer.rs`.

mod blobs;
mod error;
mod gc;
mod layout;
mod ledger;
mod links;
mod owner;
mod plain;
mod rates;
mod runs;
#[doc(hidden)] // for tests
pub mod sabotage;
mod shares;
mod space;
pub mod user_file;
mod uses;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use castline_core::Digest;
use castline_core::ledger::OwnerId;

pub use blobs::{Blobs, Incoming};
pub use error::StoreError;
pub use gc::{Amount, Sweep, Sweeper};
pub use layout::Layout;
pub use ledger::{Brief, Ledger};
pub use links::KnownLinks;
use owner::Owners;
pub use owner::{LockProbe, is_held};
pub use rates::{SharedBucket, SharedSlots, Slot};
pub use runs::{Journal, Runs};
pub use shares::in_shares;
pub use space::{Place, tells_changes};
use uses::{Stay, Uses};

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
    uses: Arc<Uses>,
    /// Nothing that was found so far is removed, until it is said what is needed.
    stay: Mutex<Option<Stay>>,
    /// Last, so that the ledger is closed before the owner is dead.
    owners: Arc<Owners>,
}

impl Store {
    /// Opens the store in this folder, which is made when it is not there. One with links in it is refused.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::check_plain(folder)?;
        let layout = Layout::of(folder);
        make_folders(folder)?;
        let owners = Arc::new(Owners::join(&layout.owners())?);
        owners.sweep();
        let uses = Uses::open(folder, &owners)?;
        let stay = Mutex::new(Some(uses.stay()?));
        let ledger = Ledger::open(folder, owners.clone(), uses.clone())?;
        let blobs = Blobs::open(layout, ledger.clone(), &owners, uses.clone());
        let runs = Runs::new(layout.runs());
        Ok(Self { folder: folder.to_owned(), ledger, blobs, runs, uses, stay, owners })
    }

    /// Opens a store where nothing can be written, to look at it: what would be written is refused.
    pub fn look(folder: &Path) -> Result<Self, StoreError> {
        Self::check_plain(folder)?;
        let layout = Layout::of(folder);
        let owners = Arc::new(Owners::look(&layout.owners()));
        let uses = Uses::look(folder, &owners);
        // Nobody writes down what is needed from here on: it is there for as long as it is looked at.
        let stay = Mutex::new(Some(uses.stay()?));
        let ledger = Ledger::look(folder, owners.clone(), uses.clone())?;
        let blobs = Blobs::open(layout, ledger.clone(), &owners, uses.clone());
        let runs = Runs::new(layout.runs());
        Ok(Self { folder: folder.to_owned(), ledger, blobs, runs, uses, stay, owners })
    }

    /// True for a store that was opened only to [`look`](Self::look) at it.
    pub fn is_only_looked_at(&self) -> bool {
        self.ledger.is_only_looked_at()
    }

    /// Whether this castline can read the ledger of the store in this folder. Nothing is changed, and
    /// none is as good.
    pub fn check(folder: &Path) -> Result<(), StoreError> {
        Self::check_plain(folder)?;
        let ledger = Layout::of(folder).ledger();
        if ledger.is_file() { ledger::check(&ledger) } else { Ok(()) }
    }

    /// Refuses a store in this folder with links in it, as [`Store::open`] does. Nothing is opened, and none
    /// is as good.
    pub fn check_plain(folder: &Path) -> Result<(), StoreError> {
        plain::check(folder)
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

    /// True while another process has this store open.
    pub fn is_shared(&self) -> bool {
        self.owners.others()
    }

    /// Says that of all that was found so far only these, keys or files, are needed from now
    /// on; everything else may be removed. Only the first time counts: what is claimed or
    /// comes in later is written down by itself. Until then nobody removes anything.
    pub fn rely_on(&self, digests: impl IntoIterator<Item = Digest>) -> Result<(), StoreError> {
        let mut stay = self.stay.lock().unwrap_or_else(PoisonError::into_inner);
        if stay.is_some() {
            self.uses.need(digests)?;
            *stay = None;
        }
        Ok(())
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

/// Makes the folder of a store for its user alone: prompts lie in it, and locks. Whatever fails is said by
/// who makes its folders.
fn make_private(folder: &Path) {
    if fs::symlink_metadata(folder).is_ok() {
        return;
    }
    let _ = folder.parent().map(fs::create_dir_all);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let _ = builder.create(folder);
}

fn make_folders(folder: &Path) -> Result<(), StoreError> {
    make_private(folder);
    let layout = Layout::of(folder);
    for inner in [layout.owners(), layout.incoming(), layout.blobs(), layout.runs()] {
        fs::create_dir_all(&inner).map_err(StoreError::file("create the folder", &inner))?;
    }
    let ignore = folder.join(".gitignore");
    let write =
        |mut file: File| file.write_all(b"# What castline keeps is of use on this machine only.\n*\n");
    match File::create_new(&ignore).and_then(write) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::file("write", &ignore)(error))
        }
        _ => Ok(()),
    }
}
