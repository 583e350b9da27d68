//! Whether results could be stored, asked before anything is paid for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::layout::Layout;

/// MiB that must be free: a video or a hundred pictures.
const NEEDED: u64 = 64;

/// Refuses when results could not be stored: read-only, over quota, or almost full.
pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    probe(&Layout::of(folder).incoming())?;
    check_free(folder)
}

/// Refuses when the disk is almost full. Cheap enough to be asked before every create: a
/// disk fills up while a run goes on.
pub(crate) fn check_free(folder: &Path) -> Result<(), StoreError> {
    match free_mib(folder) {
        Some(free) if free < NEEDED => {
            Err(StoreError::LittleSpace { path: folder.to_owned(), free, needed: NEEDED })
        }
        _ => Ok(()),
    }
}

/// True where less is free than results need on the disk of a file or folder.
pub(crate) fn is_full(place: &Path) -> bool {
    let folder = place.ancestors().find(|place| place.is_dir());
    folder.and_then(free_mib).is_some_and(|free| free < NEEDED)
}

/// Writes a little, and takes it away again.
fn probe(folder: &Path) -> Result<(), StoreError> {
    let probe = folder.join(format!("{}.probe", ulid::Ulid::generate()));
    let written = fs::write(&probe, [0; 4096]).map_err(StoreError::file("write", &probe));
    let _ = fs::remove_file(&probe);
    written
}

/// What a folder is like as the place of a store. Looking leaves nothing behind.
#[derive(Debug)]
pub struct Place {
    /// The folder, or what exists of the way to it.
    pub folder: PathBuf,
    /// The kind of its file system, where that can be told.
    pub kind: Option<String>,
    /// MiB that are free, where that can be told.
    pub free_mib: Option<u64>,
    /// Whether a run could store its results there.
    pub usable: Result<(), StoreError>,
    /// Whether two processes can see each other's locks there, as far as its kind tells.
    pub local: Result<(), StoreError>,
}

impl Place {
    /// Looks at a folder that need not be there yet.
    pub fn of(folder: &Path) -> Self {
        let there = folder.ancestors().find(|place| place.is_dir()).unwrap_or(folder);
        Self {
            folder: there.to_owned(),
            kind: kind(there),
            free_mib: free_mib(there),
            usable: probe(there).and_then(|()| check_free(there)),
            local: check_local(there),
        }
    }
}

#[cfg(unix)]
fn free_mib(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

#[cfg(not(unix))]
fn free_mib(_: &Path) -> Option<u64> {
    None
}

/// Refuses a store on a file system over a network, where locks and shared memory are not
/// to be relied on. For live runs only: without money nothing worse than an error follows.
pub(crate) fn check_local(folder: &Path) -> Result<(), StoreError> {
    match network_kind(folder) {
        Some(kind) => Err(StoreError::NetworkFileSystem { path: folder.to_owned(), kind }),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn network_kind(folder: &Path) -> Option<&'static str> {
    kind_of(magic(folder)?)
}

#[cfg(target_os = "linux")]
fn magic(folder: &Path) -> Option<u32> {
    u32::try_from(rustix::fs::statfs(folder).ok()?.f_type & 0xffff_ffff).ok()
}

#[cfg(target_os = "linux")]
fn kind(folder: &Path) -> Option<String> {
    let magic = magic(folder)?;
    let coarse = || match magic {
        0x4d44 => Some("FAT"),
        0x2011_bab0 => Some("exFAT"),
        _ => None,
    };
    Some(
        kind_of(magic)
            .or_else(|| local_kind(magic))
            .or_else(coarse)
            .map_or_else(|| format!("kind {magic:#x}"), str::to_owned),
    )
}

/// File systems of one machine that write down every change of a file, to a small part of a second.
#[cfg(target_os = "linux")]
fn local_kind(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0xef53 => "ext4",
        0x5846_5342 => "XFS",
        0x9123_683e => "Btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x2fc1_2fc1 => "ZFS",
        0xf2f5_2010 => "F2FS",
        0xca45_1a4e => "bcachefs",
        _ => return None,
    })
}

/// True where the disk writes down every change of a file in a way that can be relied on: one of this
/// machine, of a known kind.
#[cfg(target_os = "linux")]
pub fn tells_changes(folder: &Path) -> bool {
    magic(folder).and_then(local_kind).is_some()
}

/// True where the disk writes down every change of a file in a way that can be relied on. Nobody asked
/// other systems than Linux yet.
#[cfg(not(target_os = "linux"))]
pub fn tells_changes(_: &Path) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<String> {
    None
}

/// The magic numbers of statfs(2).
#[cfg(target_os = "linux")]
fn kind_of(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        _ => return None,
    })
}

#[cfg(not(target_os = "linux"))]
fn network_kind(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_looked_at_before_there_is_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&folder.path().join("not/there/yet"));
        assert_eq!(place.folder, folder.path());
        assert!(place.usable.is_ok() || matches!(place.usable, Err(StoreError::LittleSpace { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
