//! Writes files where the user wants them: under `<out>/<workflow>/`, never outside.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::Artifact;
use castline_core::save::{SavedFile, collision_key};
use castline_store::Blobs;

use crate::failpoint::{self, Place, Side};

/// The folder of one workflow's outputs.
pub(crate) struct OutputFolder {
    folder: PathBuf,
    /// Who has which name, in the form in which names collide.
    taken: HashMap<String, Arc<str>>,
    /// Folders that are there, and lead nowhere else.
    safe: BTreeSet<PathBuf>,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    #[error("`{path}` was not saved: `{by}` has that name already")]
    Taken { path: String, by: Arc<str> },
    #[error("`{path}` was not saved: it would leave `{folder}` through a link")]
    Outside { path: String, folder: String },
    #[error("`{path}` was not saved: {cause}; its bytes are safe in the store")]
    Io { path: String, cause: io::Error },
}

impl OutputFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, taken: HashMap::new(), safe: BTreeSet::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes files, each for somebody; an existing one is replaced, and left alone when it is
    /// the same.
    pub(crate) fn write(
        &mut self,
        files: &[(SavedFile, Arc<str>)],
        blobs: &Blobs,
    ) -> Vec<Result<PathBuf, NotWritten>> {
        let paths: Vec<_> = files.iter().map(|(file, _)| self.folder.join(&file.path)).collect();
        let seen = blobs.seen_all(&paths);
        let each = files.iter().zip(paths).zip(seen);
        each.map(|(((file, by), path), seen)| self.write_one(file, by, path, seen, blobs)).collect()
    }

    /// Writes a file that was there before as it was `seen`.
    fn write_one(
        &mut self,
        file: &SavedFile,
        for_whom: &Arc<str>,
        path: PathBuf,
        mut seen: Option<Artifact>,
        blobs: &Blobs,
    ) -> Result<PathBuf, NotWritten> {
        if let Some(by) = self.taken.insert(collision_key(&file.path), for_whom.clone()) {
            if by != *for_whom {
                return Err(NotWritten::Taken { path: file.path.clone(), by });
            }
            // It was perhaps written since.
            seen = blobs.seen(&path);
        }
        let io = |cause| NotWritten::Io { path: crate::project::shown(&path), cause };
        if !self.make_parent(&path).map_err(io)? {
            let folder = crate::project::shown(&self.folder);
            return Err(NotWritten::Outside { path: file.path.clone(), folder });
        }
        // What was the same and was not touched since is not read again.
        if seen.is_some_and(|seen| seen.digest == file.artifact.digest) {
            return Ok(path);
        }
        let blob = blobs.path(&file.artifact);
        let remember = blobs.look_at(&path);
        if same(&path, &blob, file.artifact.bytes).map_err(io)? {
            remember.into_iter().for_each(|remember| remember(file.artifact.clone()));
            return Ok(path);
        }
        failpoint::reach(Place::Save, Side::Before);
        replace(&blob, &path).map_err(io)?;
        failpoint::reach(Place::Save, Side::After);
        Ok(path)
    }

    /// Makes the folder of a file; false when it would lie outside, behind a link.
    fn make_parent(&mut self, path: &Path) -> io::Result<bool> {
        let parent = path.parent().unwrap_or(&self.folder);
        if self.safe.contains(parent) {
            return Ok(true);
        }
        fs::create_dir_all(parent)?;
        let inside = fs::canonicalize(parent)?.starts_with(fs::canonicalize(&self.folder)?);
        if inside {
            self.safe.insert(parent.to_owned());
        }
        Ok(inside)
    }
}

/// True when both files have the same bytes.
fn same(path: &Path, blob: &Path, bytes: u64) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == bytes => Ok(fs::read(path)? == fs::read(blob)?),
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Copies beside the target and renames over it: readers see the old file or the new one.
fn replace(blob: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs::copy(blob, &temporary).and_then(|_| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_only_with_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "one").unwrap();
        assert!(!same(&b, &a, 3).unwrap());
        replace(&a, &b).unwrap();
        assert!(same(&b, &a, 3).unwrap());
        fs::write(&b, "two").unwrap();
        assert!(!same(&b, &a, 3).unwrap());
    }
}
