//! Where libraries are kept: in the project's store by their digests, or in `vendor` by their names.
//!
//! Start reading at [`Shelf::open`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{LibraryError, same};
use crate::tree::Tree;

/// How the folder of a library begins that is not whole yet.
const UNFINISHED: &str = ".new-";
const DAY: Duration = Duration::from_hours(24);

/// The places of a project's libraries.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: PathBuf,
    vendor: PathBuf,
}

/// A library that was taken from the shelf, and is what was pinned.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// Where its files are.
    pub folder: PathBuf,
    /// Its files, as they were when they were verified.
    pub tree: Tree,
}

impl Shelf {
    /// Of a store's folder, and of the folder of vendored libraries.
    pub fn new(store: &Path, vendor: &Path) -> Self {
        Self { store: store.join("libraries").join("sha256"), vendor: vendor.to_owned() }
    }

    /// A library by its name and digest: the vendored one, else that of the store. Its digest is
    /// computed anew; another one is an error that shows both.
    pub fn open(&self, name: &str, digest: &str) -> Result<Shelved, LibraryError> {
        let vendored = self.vendored(name);
        let folder = if vendored.is_dir() { vendored } else { self.place(digest) };
        if !folder.is_dir() {
            return Err(LibraryError::Missing { name: name.to_owned() });
        }
        let what = format!("library `{name}` in {}", folder.display());
        let tree = Tree::of_folder(&folder, &what)?;
        same(&what, digest, &tree.digest())?;
        Ok(Shelved { folder, tree })
    }

    /// True when the store has it as it should be.
    pub fn has(&self, digest: &str) -> bool {
        self.stored(digest).is_some()
    }

    /// A library by its digest, when the store has it as it should be.
    pub fn stored(&self, digest: &str) -> Option<Tree> {
        let folder = self.place(digest);
        let tree = Tree::of_folder(&folder, "it").ok()?;
        (tree.digest() == digest).then_some(tree)
    }

    /// Keeps a library in the store, all of it or nothing. Returns its digest.
    pub fn put(&self, tree: &Tree) -> Result<String, LibraryError> {
        let digest = tree.digest();
        if !self.has(&digest) {
            replace(&self.place(&digest), tree)?;
        }
        Ok(digest)
    }

    /// The folders of the store that are none of the pinned libraries: older ones, and what a process
    /// left that died while it wrote. Those count only when they are older than a day.
    pub fn unpinned(&self, pinned: &BTreeSet<&str>) -> Vec<PathBuf> {
        let kept: BTreeSet<_> = pinned.iter().map(|digest| self.place(digest)).collect();
        let entries = fs::read_dir(&self.store).into_iter().flatten().flatten();
        let mut folders: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| !kept.contains(path)).collect();
        folders.retain(|folder| !is_unfinished(folder) || is_old(folder));
        folders.sort();
        folders
    }

    /// Puts a library into `vendor`, in the place of the one that is there.
    pub fn vendor(&self, name: &str, tree: &Tree) -> Result<PathBuf, LibraryError> {
        let folder = self.vendored(name);
        let same = Tree::of_folder(&folder, "it").is_ok_and(|there| there == *tree);
        if !same {
            replace(&folder, tree)?;
        }
        Ok(folder)
    }

    /// Takes a library out of `vendor`. True when it was there.
    pub fn unvendor(&self, name: &str) -> Result<bool, LibraryError> {
        let folder = self.vendored(name);
        if !folder.join(crate::FILE).is_file() {
            return Ok(false);
        }
        fs::remove_dir_all(&folder)
            .map_err(LibraryError::disk(format!("`{}` cannot be removed", folder.display())))?;
        // Only an empty folder goes.
        let _ = fs::remove_dir(&self.vendor);
        Ok(true)
    }

    /// The names of what is in `vendor`.
    pub fn vendored_names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.vendor).into_iter().flatten().flatten();
        let is_library = |folder: &PathBuf| folder.join(crate::FILE).is_file();
        let mut names: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(is_library)
            .filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// The folder of the library that a file is in, when it is in one.
    pub fn folder_of(&self, file: &Path) -> Option<PathBuf> {
        if let Ok(below) = file.strip_prefix(&self.store) {
            return Some(self.store.join(below.components().next()?));
        }
        let name = file.strip_prefix(&self.vendor).ok()?.components().next()?;
        let folder = self.vendor.join(name);
        folder.join(crate::FILE).is_file().then_some(folder)
    }

    fn place(&self, digest: &str) -> PathBuf {
        // A digest was looked at when it was read, so that it is no path.
        self.store.join(digest.strip_prefix("sha256:").unwrap_or(digest))
    }

    fn vendored(&self, name: &str) -> PathBuf {
        self.vendor.join(name)
    }
}

/// True for a folder that becomes a library when it is whole.
fn is_unfinished(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

fn is_old(folder: &Path) -> bool {
    let modified = fs::metadata(folder).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DAY))
}

/// Puts a tree into the place of a folder. It is whole before it is there.
fn replace(folder: &Path, tree: &Tree) -> Result<(), LibraryError> {
    let failed = || LibraryError::disk(format!("`{}` cannot be written", folder.display()));
    let beside = folder.parent().unwrap_or(folder);
    fs::create_dir_all(beside).map_err(failed())?;
    let new = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(beside).map_err(failed())?;
    // A temporary folder is for its owner alone, and this one becomes a folder like any other.
    let whole = new.path().join("tree");
    fs::create_dir(&whole).map_err(failed())?;
    tree.write(&whole).map_err(failed())?;
    if folder.is_dir() {
        fs::rename(folder, new.path().join("old")).map_err(failed())?;
    }
    match fs::rename(&whole, folder) {
        // Another process was quicker; what it has is looked at when it is read.
        Err(_) if folder.is_dir() => Ok(()),
        other => other.map_err(failed()),
    }
}
