//! Artifacts on disk: immutable files, named by the digest of their bytes.
//!
//! Bytes arrive in a file of their own, are hashed, and get their name in one step, so that
//! under a digest's name there is never anything else. Flushing them to the disk is the
//! keeper's work; until it has, they are trusted only after another look at their bytes.
//!
//! Start reading at [`Blobs::incoming`].

mod keeper;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use castline_core::ledger::OwnerId;
use castline_core::{Artifact, Digest};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::layout::{Layout, place_of};
use crate::ledger::{FileSeen, Ledger};
use crate::owner::{Owners, is_name};
use crate::plain;
use crate::shares::in_shares;
use crate::user_file;
use crate::uses::Uses;
use keeper::Keeper;

/// Looking at fewer files is not worth a thread.
const SHARE: usize = 100;
/// How much of a file tells what it is.
const HEAD: usize = 64 * 1024;
/// A file that was changed so short ago may be changed again within the clock's grain.
const FRESH: Duration = Duration::from_secs(2);

/// The artifacts of a store. Clones speak of one folder.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    incoming: PathBuf,
    me: OwnerId,
    count: AtomicU64,
    ledger: Ledger,
    uses: Arc<Uses>,
    /// Blobs that have reached the disk, read when first asked for.
    kept: OnceLock<Arc<Kept>>,
    keeper: OnceLock<Keeper>,
}

/// Digests of blobs that have reached the disk.
type Kept = RwLock<HashSet<Digest>>;

/// A file that is being written and has no digest yet. Dropping it removes it.
#[derive(Debug)]
pub struct Incoming {
    blobs: Blobs,
    path: PathBuf,
}

impl Blobs {
    pub(crate) fn open(layout: Layout<'_>, ledger: Ledger, owners: &Owners, uses: Arc<Uses>) -> Self {
        let incoming = layout.incoming();
        sweep(&incoming, owners);
        Self(Arc::new(Inner {
            folder: layout.blobs(),
            incoming,
            me: owners.me().clone(),
            count: AtomicU64::new(0),
            ledger,
            uses,
            kept: OnceLock::new(),
            keeper: OnceLock::new(),
        }))
    }

    /// A place for bytes to come. The file is not there yet.
    pub fn incoming(&self) -> Incoming {
        let count = self.0.count.fetch_add(1, Ordering::Relaxed);
        let path = self.0.incoming.join(format!("{}-{count}", self.0.me));
        Incoming { blobs: self.clone(), path }
    }

    /// Stores bytes that are in memory.
    pub fn write(&self, bytes: &[u8]) -> Result<Artifact, StoreError> {
        let incoming = self.incoming();
        fs::write(incoming.path(), bytes).map_err(StoreError::file("write", incoming.path()))?;
        incoming.finish()
    }

    /// Stores a copy of a user's file. A file that looks as it did the last time is not
    /// read again.
    pub fn import(&self, path: &Path) -> Result<Artifact, StoreError> {
        let path = fs::canonicalize(path).map_err(StoreError::file("read", path))?;
        if let Some(artifact) = self.seen(&path)
            && self.rely_on(&artifact)?
        {
            return Ok(artifact);
        }
        let remember = self.look_at(&path);
        let incoming = self.incoming();
        user_file::copy(&path, incoming.path()).map_err(StoreError::file("copy", &path))?;
        let artifact = incoming.finish()?;
        remember.into_iter().for_each(|remember| remember(artifact.clone()));
        Ok(artifact)
    }

    /// What a user's file is, when it looks as it did when it was read the last time. The path
    /// is absolute.
    pub fn seen(&self, path: &Path) -> Option<Artifact> {
        let look = Look::at(path).ok()?;
        let seen = self.0.ledger.file(&path.to_string_lossy()).ok()??;
        look.fits(&seen).then_some(seen.artifact)
    }

    /// The same of many files.
    pub fn seen_all(&self, paths: &[PathBuf]) -> Vec<Option<Artifact>> {
        let texts: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        let seen = self.0.ledger.files(&texts).unwrap_or_default();
        let seen: Vec<_> =
            paths.iter().zip(seen.into_iter().chain(std::iter::repeat_n(None, paths.len()))).collect();
        let looked = in_shares(&seen, SHARE, |share| {
            let fits = |(path, seen): &(&PathBuf, Option<FileSeen>)| {
                seen.as_ref().is_some_and(|seen| Look::at(path).is_ok_and(|look| look.fits(seen)))
            };
            share.iter().map(fits).collect()
        });
        seen.into_iter().zip(looked).map(|((_, seen), fits)| Some(seen.filter(|_| fits)?.artifact)).collect()
    }

    /// Remembers what a user's file is, as it looks now and unless it was just changed: then it
    /// may be changed again and look the same. To be called before the file is read, and the
    /// answer given what was read.
    pub fn look_at(&self, path: &Path) -> Option<impl FnOnce(Artifact) + use<>> {
        let (look, ledger, path) = (Look::at(path).ok()?, self.0.ledger.clone(), path.to_owned());
        look.is_settled().then_some({
            move |artifact| {
                if Look::at(&path).is_ok_and(|again| again == look) {
                    ledger.remember(look.seen(path.to_string_lossy().into_owned(), artifact));
                }
            }
        })
    }

    /// Where an artifact's bytes are, if they are.
    pub fn path(&self, artifact: &Artifact) -> PathBuf {
        place_of(&self.0.folder, &artifact.digest)
    }

    /// True when an artifact's bytes are there. Bytes that a power cut may have spoilt are
    /// looked at.
    pub fn has(&self, artifact: &Artifact) -> bool {
        let there = is_there(&self.path(artifact), artifact);
        there && (self.is_kept(&artifact.digest) || self.verify(artifact).is_ok())
    }

    /// The same of many artifacts.
    pub fn has_all(&self, artifacts: &[&Artifact]) -> Vec<bool> {
        self.kept();
        in_shares(artifacts, SHARE, |share| share.iter().map(|artifact| self.has(artifact)).collect())
    }

    /// The same, and they stay there for as long as this process lives.
    pub fn rely_on(&self, artifact: &Artifact) -> Result<bool, StoreError> {
        let _stay = self.0.uses.stay()?;
        let there = self.has(artifact);
        if there {
            self.0.uses.need([artifact.digest])?;
        }
        Ok(there)
    }

    /// Reads an artifact; its bytes are what they always were.
    pub fn read(&self, artifact: &Artifact) -> Result<Vec<u8>, StoreError> {
        let path = self.path(artifact);
        let bytes = fs::read(&path).map_err(StoreError::file("read", &path))?;
        if Digest::of(&bytes) == artifact.digest { Ok(bytes) } else { Err(self.damaged(artifact)) }
    }

    /// Looks at all bytes of an artifact.
    pub fn verify(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let path = self.path(artifact);
        let found = describe(&path).map_err(StoreError::file("read", &path))?;
        if found.digest != artifact.digest {
            return Err(self.damaged(artifact));
        }
        if !self.is_kept(&artifact.digest) {
            self.keep(artifact.digest, artifact.bytes);
        }
        Ok(())
    }

    /// Waits until all blobs that were stored so far have reached the disk.
    pub async fn settle(&self) -> Result<(), StoreError> {
        match self.0.keeper.get() {
            Some(keeper) => keeper.settle().await,
            None => Ok(()),
        }
    }

    fn damaged(&self, artifact: &Artifact) -> StoreError {
        StoreError::Damaged { digest: artifact.digest, path: self.path(artifact) }
    }

    fn kept(&self) -> &Arc<Kept> {
        // When the ledger cannot be read every blob is looked at, which is slow and right.
        let read = || self.0.ledger.kept().unwrap_or_default().into_iter().collect();
        self.0.kept.get_or_init(|| Arc::new(RwLock::new(read())))
    }

    fn is_kept(&self, digest: &Digest) -> bool {
        self.kept().read().expect("nobody panics while holding it").contains(digest)
    }

    fn keep(&self, digest: Digest, bytes: u64) {
        let start = || Keeper::start(self.0.folder.clone(), self.0.ledger.clone(), self.kept().clone());
        self.0.keeper.get_or_init(start).keep(digest, bytes);
    }
}

impl Incoming {
    /// Where to write the bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the bytes as they are now, under the name of their digest. They stay there for as
    /// long as this process lives, referred to or not.
    pub fn finish(self) -> Result<Artifact, StoreError> {
        let artifact = describe(&self.path).map_err(StoreError::file("read", &self.path))?;
        let _stay = self.blobs.0.uses.stay()?;
        self.blobs.0.uses.need([artifact.digest])?;
        let place = self.blobs.path(&artifact);
        let same = is_there(&place, &artifact);
        // What has reached the disk is not replaced by what has not.
        if !(same && self.blobs.is_kept(&artifact.digest)) {
            let folder = place.parent().expect("a blob has a folder");
            plain::check_folder(folder)?;
            fs::create_dir_all(folder).map_err(StoreError::file("create the folder", folder))?;
            fs::rename(&self.path, &place).map_err(StoreError::file("write", &place))?;
            self.blobs.keep(artifact.digest, artifact.bytes);
        }
        Ok(artifact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// True for a plain file of the artifact's length.
fn is_there(path: &Path, artifact: &Artifact) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == artifact.bytes)
}

/// Hashes a file and looks at its head.
fn describe(path: &Path) -> io::Result<Artifact> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; HEAD];
    let (mut head, mut bytes) = (Vec::new(), 0);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        let more = (HEAD - head.len()).min(read);
        head.extend_from_slice(&chunk[..more]);
        hash.update(&chunk[..read]);
        bytes += read as u64;
    }
    Ok(Artifact::describe(Digest::from_sha256(hash.finalize().into()), bytes, &head))
}

/// How a user's file looks without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    bytes: u64,
    modified: i64,
    inode: u64,
}

impl Look {
    fn at(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        let since = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        Ok(Self { bytes: meta.len(), modified, inode: inode(&meta) })
    }

    fn fits(&self, seen: &FileSeen) -> bool {
        (self.bytes, self.modified, self.inode) == (seen.bytes, seen.modified, seen.inode)
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_nanos() > self.modified as u128 + FRESH.as_nanos()
    }

    fn seen(self, path: String, artifact: Artifact) -> FileSeen {
        FileSeen { path, bytes: self.bytes, modified: self.modified, inode: self.inode, artifact }
    }
}

#[cfg(unix)]
fn inode(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// Removes what the dead were receiving, and nothing that no owner has made.
fn sweep(incoming: &Path, owners: &Owners) {
    for file in fs::read_dir(incoming).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let owner = name.split(['-', '.']).next().unwrap_or_default();
        let is_ours = is_name(owner) && owner != name && plain::is_file(&file.path());
        if is_ours && !owners.alive(&OwnerId::from(owner)) {
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests;
