//! Why the store cannot do what it was asked to, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::Digest;

/// Why the store cannot do what it was asked to. Nothing is half done then.
///
/// It can be cloned, because one failed transaction is the failure of everybody in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A file or folder of the store cannot be used.
    #[error("cannot {doing} `{}`: {}", path.display(), words(cause))]
    File {
        /// `write`, `read`, ...
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// The operating system's words.
        #[source]
        cause: Arc<io::Error>,
    },
    /// A link where the store has a file or folder of its own.
    #[error("the store has a link, `{}`", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something else where the store has a file or folder of its own.
    #[error("the store cannot use `{}`, which is {is}", path.display())]
    NotPlain {
        /// What stands there.
        path: PathBuf,
        /// `no folder`, `no plain file`.
        is: &'static str,
    },
    /// The database cannot be used.
    #[error("cannot {doing} the ledger `{}`: {cause}", path.display())]
    Database {
        /// `open`, `write`, ...
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        cause: Arc<rusqlite::Error>,
    },
    /// The database was written by a newer castline.
    #[error("the ledger `{}` has version {found}, and this castline knows versions up to {known}", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database can neither be written nor be read as it is.
    #[error("the ledger `{}` cannot be used as it is: {why}", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is a database, but not a ledger.
    #[error("`{}` is not a ledger of castline", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// A row of the database does not say what it should.
    #[error("the ledger's entry of {key} cannot be read: {cause}")]
    Unreadable {
        /// Its key, or what stood there.
        key: String,
        /// What is wrong.
        cause: String,
    },
    /// The thread that writes has ended, after a panic.
    #[error("the ledger has stopped after an error of its own")]
    Stopped,
    /// The bytes of an artifact are not what they were.
    #[error("the stored file {digest} is damaged: `{}` has other bytes", path.display())]
    Damaged {
        /// Which artifact.
        digest: Digest,
        /// Where its bytes should be.
        path: PathBuf,
    },
    /// Results could not be stored.
    #[error("only {free} MiB are free where the store is, `{}`; results need at least {needed} MiB", path.display())]
    LittleSpace {
        /// The store.
        path: PathBuf,
        /// MiB.
        free: u64,
        /// MiB.
        needed: u64,
    },
    /// Locks and shared memory are not to be relied on there.
    #[error("the store `{}` is on a {kind} file system, where two castlines cannot see each other", path.display())]
    NetworkFileSystem {
        /// The store.
        path: PathBuf,
        /// `NFS`, `SMB`, ...
        kind: &'static str,
    },
    /// The record of a run was written by a newer castline.
    #[error("`{}` has version {found}, and this castline knows versions up to {known}", path.display())]
    NewerRecord {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// Ours.
        known: u32,
    },
    /// The record of a run is not what was written.
    #[error("the record of run {run} is damaged, in `{}`: {cause}", path.display())]
    DamagedRecord {
        /// Which.
        run: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Another process is in the middle of that run.
    #[error("run {run} is going on in another process")]
    RunGoesOn {
        /// Which.
        run: String,
    },
}

/// Another store would know nothing of what is paid for.
const FULL: &str = "the disk is full: make room there, or move the whole store and name its new place with \
                    CASTLINE_STORE, and run again: what is finished is kept, and what was sent is looked for, not paid again";

impl StoreError {
    pub(crate) fn file<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |cause| Self::File { doing, path: path.to_owned(), cause: Arc::new(cause) }
    }

    pub(crate) fn database<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(rusqlite::Error) -> Self + use<'a> {
        move |cause| Self::Database { doing, path: path.to_owned(), cause: Arc::new(cause) }
    }

    /// True where the store may be looked at and nothing can be written there.
    pub fn is_read_only(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
        match self {
            Self::File { cause, .. } => {
                matches!(cause.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
            }
            Self::Database { cause, .. } => {
                matches!(cause.sqlite_error_code(), Some(CannotOpen | PermissionDenied | ReadOnly))
            }
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let elsewhere = "or put the store elsewhere with CASTLINE_STORE";
        Some(match self {
            Self::File { doing: "read", cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                "castline must be able to read it: change its permissions".to_owned()
            }
            Self::File { cause, .. } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FULL.to_owned(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    format!("castline must be able to write there: change its permissions, {elsewhere}")
                }
                _ => return None,
            },
            Self::Database { path, cause, .. } => match cause.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => FULL.to_owned(),
                // Memory that is shared through a file cannot grow on a full disk, and says no more.
                Some(rusqlite::ErrorCode::SystemIoFailure) if crate::space::is_full(path) => FULL.to_owned(),
                Some(rusqlite::ErrorCode::SystemIoFailure) => {
                    "the disk does not do what it is told: look at it and at the system's log, then run again: what \
                     was written down is kept"
                        .to_owned()
                }
                Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
                    format!("castline must be able to write there: change its permissions, {elsewhere}")
                }
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    "another process has held it for a long time: end it, or try again".to_owned()
                }
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                    "it is damaged: bring it back from a backup, or move it away and lose the cache, the history and \
                     what is known of running predictions"
                        .to_owned()
                }
                _ => return None,
            },
            Self::Link { .. } => "remove the link: a store is made of plain files".to_owned(),
            Self::NotPlain { .. } => "move it away: a store is made of plain files".to_owned(),
            Self::Newer { .. } => format!("update castline, {elsewhere}"),
            Self::ReadOnly { .. } => "run `castline ledger list` once as somebody who may write there".to_owned(),
            Self::NotALedger { .. } => format!("move the file away, {elsewhere}"),
            Self::Damaged { .. } => {
                "it is fetched or made again by the next run that needs it".to_owned()
            }
            Self::LittleSpace { .. } => {
                "nothing was sent; make room there, or move the whole store and name its new place with CASTLINE_STORE"
                    .to_owned()
            }
            Self::NetworkFileSystem { .. } => {
                "put the store on a local disk with CASTLINE_STORE".to_owned()
            }
            Self::NewerRecord { .. } => "a newer castline wrote it: update castline".to_owned(),
            Self::DamagedRecord { run, .. } => {
                format!("`castline runs rm {run}` removes it; what the run made is still reused")
            }
            Self::RunGoesOn { run } => format!("wait for it, or stop it with `castline runs cancel {run}`"),
            Self::Stopped | Self::Unreadable { .. } => return None,
        })
    }
}

/// `File exists (os error 17)` without the number, which helps nobody.
fn words(cause: &io::Error) -> String {
    let text = cause.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_and_what_is_kept() {
        let path = Path::new("/nowhere/ledger.db");
        let sqlite = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        for error in [
            StoreError::file("write", path)(io::ErrorKind::StorageFull.into()),
            StoreError::database("write", path)(sqlite(rusqlite::ffi::SQLITE_FULL)),
        ] {
            let hint = error.hint().unwrap();
            assert!(hint.contains("make room") && hint.contains("not paid again"), "{hint}");
        }
        let error = StoreError::database("write", path)(sqlite(rusqlite::ffi::SQLITE_IOERR_SHMSIZE));
        assert!(error.hint().is_some(), "{error}");
    }
}
