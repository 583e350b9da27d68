//! Where in a store's folder everything is.

use std::path::{Path, PathBuf};

use castline_core::Digest;

use crate::ledger::LEDGER_FILE;

/// The places in a store's folder, whether there is a store or not.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a>(&'a Path);

impl<'a> Layout<'a> {
    /// Of the store in this folder.
    pub fn of(folder: &'a Path) -> Self {
        Self(folder)
    }

    /// The ledger.
    pub fn ledger(self) -> PathBuf {
        self.0.join(LEDGER_FILE)
    }

    /// What has come into the ledger and is not in its file yet: `SQLite`'s write-ahead log.
    pub fn ledger_log(self) -> PathBuf {
        self.0.join(format!("{LEDGER_FILE}-wal"))
    }

    /// The folder of the blobs, which are in folders inside.
    pub fn blobs(self) -> PathBuf {
        self.0.join("blobs").join("sha256")
    }

    /// The bytes of a digest.
    pub fn blob(self, digest: &Digest) -> PathBuf {
        place_of(&self.blobs(), digest)
    }

    /// What is being received.
    pub(crate) fn incoming(self) -> PathBuf {
        self.0.join("incoming")
    }

    /// The locks of the living.
    pub(crate) fn owners(self) -> PathBuf {
        self.0.join("owners")
    }

    /// The records of runs.
    pub(crate) fn runs(self) -> PathBuf {
        self.0.join("runs")
    }

    /// The record of a run.
    pub fn run(self, id: &str) -> PathBuf {
        self.runs().join(id)
    }
}

/// Where a blob is in their folder.
pub(crate) fn place_of(blobs: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    blobs.join(&hex[..2]).join(hex)
}
