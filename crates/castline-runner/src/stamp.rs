//! What a disk says of a file, by which it is told whether that is another one than before.

use std::fs::Metadata;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A file or folder at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// When its content was written last; anybody may set that.
    modified: Timestamp,
    /// When anything of it was changed last; nobody can set that. Where there is no such time, the other.
    pub(crate) changed: Timestamp,
    bytes: u64,
    /// Which file it is, where files have numbers.
    identity: Identity,
}

/// Which file or folder something is: its disk and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) disk: u64,
    number: u64,
}

impl Identity {
    /// Of what stands there itself, be it a link. None when nothing does.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(identity(&std::fs::symlink_metadata(path).ok()?))
    }
}

impl Stamp {
    /// None when it is not there. Links are followed.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let modified = meta.modified().ok().and_then(|time| time.try_into().ok()).unwrap_or_default();
        let (changed, identity) = (changed(&meta, modified), identity(&meta));
        Some(Self { modified, changed, bytes: meta.len(), identity })
    }

    /// The disk that it is on.
    pub(crate) fn disk(&self) -> u64 {
        self.identity.disk
    }

    /// True where its disk counts whole seconds, in which a second change would not be seen.
    pub(crate) fn is_coarse(&self) -> bool {
        self.changed.subsec_nanosecond() == 0
    }
}

#[cfg(unix)]
fn changed(meta: &Metadata, modified: Timestamp) -> Timestamp {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = i32::try_from(meta.ctime_nsec()).unwrap_or_default();
    Timestamp::new(meta.ctime(), nanoseconds).unwrap_or(modified)
}

#[cfg(unix)]
fn identity(meta: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity { disk: meta.dev(), number: meta.ino() }
}

#[cfg(not(unix))]
fn changed(_: &Metadata, modified: Timestamp) -> Timestamp {
    modified
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    Identity { disk: 0, number: 0 }
}
