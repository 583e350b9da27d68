//! Whether results could be stored, asked before anything is paid for.

use std::fs;
use std::path::Path;

use crate::error::StoreError;

/// MiB that must be free: a video or a hundred pictures.
const NEEDED: u64 = 64;

/// Refuses when results could not be stored: read-only, over quota, or almost full.
pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    let probe = folder.join("incoming").join(format!("{}.probe", ulid::Ulid::generate()));
    let written = fs::write(&probe, [0; 4096]).map_err(StoreError::file("write", &probe));
    let _ = fs::remove_file(&probe);
    written?;
    match free_mib(folder) {
        Some(free) if free < NEEDED => {
            Err(StoreError::LittleSpace { path: folder.to_owned(), free, needed: NEEDED })
        }
        _ => Ok(()),
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
    kind_of(u32::try_from(rustix::fs::statfs(folder).ok()?.f_type & 0xffff_ffff).ok()?)
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
