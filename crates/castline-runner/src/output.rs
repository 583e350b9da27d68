//! Writes files where the user wants them: under `<out>/<workflow>/`, never outside.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::provenance::container;
use castline_core::save::{SavedFile, collision_key};
use castline_core::{Artifact, Digest};
use castline_spec::schema::MediaKind;
use castline_store::{Blobs, in_shares, user_file};

use crate::disk::{astray, replace};
use crate::failpoint::{self, Place, Side};
use crate::provenance::beside;

/// Copying fewer files is not worth a thread.
const SHARE: usize = 8;

/// The folder of one workflow's outputs.
pub(crate) struct OutputFolder {
    folder: PathBuf,
    /// From there down nothing leads elsewhere.
    base: PathBuf,
    /// Who has which name, in the form in which names collide.
    taken: HashMap<String, Owned>,
    /// Folders that are there, and lead nowhere else.
    safe: BTreeSet<PathBuf>,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    #[error("`{path}` was not saved: `{by}` has that name already")]
    Taken { path: String, by: Arc<str> },
    #[error(
        "`{path}` was not saved: `{link}` is a link, which is not followed; its bytes are safe in the store"
    )]
    Link { path: String, link: String },
    #[error("`{path}` was not saved: {cause}; its bytes are safe in the store")]
    Io { path: String, cause: io::Error },
}

/// Whether a place was free.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    First,
    /// Its owner has it from before, or somebody has the same file there.
    Again,
}

/// Who has a place, and what is there.
struct Owned {
    by: Arc<str>,
    name: String,
    digest: Digest,
}

/// A file that has its place.
struct Copy<'a> {
    /// Its number among all that are written.
    number: usize,
    artifact: &'a Artifact,
    path: &'a Path,
    /// What was there, when that was not touched since.
    seen: Option<Artifact>,
}

/// How a file was made, by its bytes; none when it is not to be told, or nobody knows.
pub(crate) type Tell<'a> = &'a (dyn Fn(Digest) -> Option<String> + Sync);

impl Copy<'_> {
    fn write(&self, blobs: &Blobs, tell: Tell<'_>) -> io::Result<()> {
        let Self { artifact, path, seen, .. } = self;
        // What was the same and was not touched since is not read again.
        if seen.as_ref().is_some_and(|seen| seen.digest == artifact.digest) {
            return Ok(());
        }
        let blob = blobs.path(artifact);
        let remember = blobs.look_at(path);
        if same(path, &blob)? {
            remember.into_iter().for_each(|remember| remember((*artifact).clone()));
            return Ok(());
        }
        failpoint::reach(Place::Save, Side::Before);
        self.replace(&blob, tell(artifact.digest))?;
        failpoint::reach(Place::Save, Side::After);
        Ok(())
    }

    /// Writes the file, with how it was made in it or beside it.
    fn replace(&self, blob: &Path, made: Option<String>) -> io::Result<()> {
        let Self { path, artifact, .. } = self;
        let copy = |to: &mut File| io::copy(&mut File::open(blob)?, to).map(|_| ());
        let Some(made) = made.filter(|_| artifact.kind() != MediaKind::File) else {
            return replace(path, copy);
        };
        let with = match artifact.kind() {
            MediaKind::Image => container::embed(&fs::read(blob)?, &made),
            _ => None,
        };
        if let Some(bytes) = with {
            return replace(path, |to| to.write_all(&bytes));
        }
        replace(path, copy)?;
        replace(&beside(path), |to| to.write_all(made.as_bytes()))
    }
}

fn io_error(path: &Path, cause: io::Error) -> NotWritten {
    NotWritten::Io { path: crate::project::shown(path), cause }
}

impl OutputFolder {
    /// `base` is the folder that the user chose: what is below it may have come from anywhere.
    pub(crate) fn new(base: PathBuf, folder: PathBuf) -> Self {
        Self { folder, base, taken: HashMap::new(), safe: BTreeSet::new() }
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
        tell: Tell<'_>,
    ) -> Vec<Result<PathBuf, NotWritten>> {
        let paths: Vec<_> = files.iter().map(|(file, _)| self.folder.join(&file.path)).collect();
        let seen = blobs.seen_all(&paths);
        let (mut results, mut copies, mut again) = (Vec::with_capacity(files.len()), Vec::new(), false);
        for (((file, by), path), mut seen) in files.iter().zip(&paths).zip(seen) {
            match self.take(file, path, by) {
                Ok(Taken::First) => {}
                Ok(Taken::Again) => {
                    // It is perhaps written since it was seen.
                    seen = None;
                    again = true;
                }
                Err(why) => {
                    results.push(Err(why));
                    continue;
                }
            }
            copies.push(Copy { number: results.len(), artifact: &file.artifact, path, seen });
            results.push(Ok(path.clone()));
        }
        // What has one place is written in its order.
        let least = if again { usize::MAX } else { SHARE };
        let write = |copies: &[Copy<'_>]| copies.iter().map(|copy| copy.write(blobs, tell)).collect();
        for (copy, written) in copies.iter().zip(in_shares(&copies, least, write)) {
            if let Err(cause) = written {
                results[copy.number] = Err(io_error(copy.path, cause));
            }
        }
        results
    }

    /// Takes a place in the folder for somebody. Two may have one place when they have one file.
    fn take(&mut self, file: &SavedFile, path: &Path, by: &Arc<str>) -> Result<Taken, NotWritten> {
        let (key, name, digest) = (collision_key(&file.path), &file.path, file.artifact.digest);
        let taken = match self.taken.get_mut(&key) {
            None => {
                self.taken.insert(key, Owned { by: by.clone(), name: name.clone(), digest });
                Taken::First
            }
            Some(owned) if owned.by == *by => {
                owned.digest = digest;
                Taken::Again
            }
            Some(owned) if owned.name == *name && owned.digest == digest => Taken::Again,
            Some(owned) => return Err(NotWritten::Taken { path: name.clone(), by: owned.by.clone() }),
        };
        if let Some(link) = self.make_parent(path).map_err(|cause| io_error(path, cause))? {
            return Err(NotWritten::Link { path: name.clone(), link: crate::project::shown(&link) });
        }
        Ok(taken)
    }

    /// Makes the folder of a file. Nothing is made where a link would lead it elsewhere, which is
    /// the answer then.
    fn make_parent(&mut self, path: &Path) -> io::Result<Option<PathBuf>> {
        let parent = path.parent().unwrap_or(&self.folder);
        if self.safe.contains(parent) {
            return Ok(None);
        }
        if let Some(link) = astray(&self.base, parent)? {
            return Ok(Some(link));
        }
        fs::create_dir_all(parent)?;
        self.safe.insert(parent.to_owned());
        Ok(None)
    }
}

/// True when a file is what a blob is, whatever it tells besides.
fn same(path: &Path, blob: &Path) -> io::Result<bool> {
    let least = fs::metadata(blob)?.len();
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() >= least => Ok(user_file::read(path)? == fs::read(blob)?),
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_only_with_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "one").unwrap();
        assert!(!same(&b, &a).unwrap());
        replace(&b, |to| to.write_all(b"one")).unwrap();
        assert!(same(&b, &a).unwrap());
        fs::write(&b, "two").unwrap();
        assert!(!same(&b, &a).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_a_link_is_refused_before_anything_is_made_behind_it() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("out/flow")).unwrap();
        for link in ["linked", "out/linked", "out/flow/linked"] {
            std::os::unix::fs::symlink(other.path(), at(link)).unwrap();
        }
        let made = |folder: &str, file: &str| {
            let mut folder = OutputFolder::new(root.path().to_owned(), at(folder));
            folder.make_parent(&folder.path().join(file)).unwrap()
        };
        assert_eq!(made("linked/flow", "a/b.txt"), Some(at("linked")));
        assert_eq!(made("out/linked", "a/b.txt"), Some(at("out/linked")));
        assert_eq!(made("out/flow", "linked/a/b.txt"), Some(at("out/flow/linked")));
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
        assert_eq!(made("out/flow", "a/b.txt"), None);
        assert!(at("out/flow/a").is_dir());
        // What the user chose may be a link.
        let mut own = OutputFolder::new(at("linked"), at("linked/flow"));
        assert_eq!(own.make_parent(&at("linked/flow/b.txt")).unwrap(), None);
        assert!(other.path().join("flow").is_dir());
    }

    #[test]
    fn two_have_one_place_when_they_have_one_file() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = OutputFolder::new(root.path().to_owned(), root.path().join("flow"));
        let mut take = |path: &str, bytes: &[u8], by: &str| {
            let artifact = Artifact::describe(Digest::of(bytes), bytes.len() as u64, bytes);
            let place = root.path().join("flow").join(path);
            folder.take(&SavedFile { path: path.to_owned(), artifact }, &place, &by.into())
        };
        assert_eq!(take("boat.txt", b"a boat", "boat").unwrap(), Taken::First);
        assert_eq!(take("boat.txt", b"a boat", "output boat").unwrap(), Taken::Again);
        assert!(matches!(take("boat.txt", b"another", "output boat"), Err(NotWritten::Taken { .. })));
        assert!(matches!(take("Boat.txt", b"a boat", "output boat"), Err(NotWritten::Taken { .. })));
        assert_eq!(take("boat.txt", b"another", "boat").unwrap(), Taken::Again);
    }
}
