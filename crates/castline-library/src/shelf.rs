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
            self.store.ancestors().nth(2).into_iter().for_each(make_private);
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

    /// Refuses these names where something else than a library stands in `vendor`: it may be anybody's, and
    /// what a link leads to is elsewhere.
    pub fn may_vendor<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), LibraryError> {
        let kept = |path: &Path, why| Err(LibraryError::Kept { path: path.to_owned(), why });
        for folder in names.into_iter().map(|name| self.vendored(name)) {
            if self.vendor.is_symlink() {
                return kept(&self.vendor, "is a link");
            }
            match fs::symlink_metadata(&folder) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => {
                    return Err(LibraryError::disk(format!("`{}` cannot be read", folder.display()))(e));
                }
                Ok(there) if there.is_symlink() => return kept(&folder, "is a link"),
                Ok(_) if is_library(&folder) => {}
                Ok(_) => return kept(&folder, "is no library, as it has no `library.yaml`"),
            }
        }
        Ok(())
    }

    /// Puts a library into `vendor`, in the place of the one that is there. Anything else that is
    /// there stays.
    pub fn vendor(&self, name: &str, tree: &Tree) -> Result<PathBuf, LibraryError> {
        self.may_vendor([name])?;
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
        if !is_library(&folder) {
            return Ok(false);
        }
        self.may_vendor([name])?;
        fs::remove_dir_all(&folder)
            .map_err(LibraryError::disk(format!("`{}` cannot be removed", folder.display())))?;
        // Only an empty folder goes.
        let _ = fs::remove_dir(&self.vendor);
        Ok(true)
    }

    /// The names of the libraries in `vendor`.
    pub fn vendored_names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.vendor).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|folder| is_library(folder))
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

/// True for a folder with a `library.yaml`, neither of them a link.
fn is_library(folder: &Path) -> bool {
    let there = |path: &Path| fs::symlink_metadata(path).ok();
    there(folder).is_some_and(|folder| folder.is_dir())
        && there(&folder.join(crate::FILE)).is_some_and(|file| file.is_file())
}

/// True for a folder that becomes a library when it is whole.
fn is_unfinished(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

fn is_old(folder: &Path) -> bool {
    let modified = fs::metadata(folder).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DAY))
}

/// Makes the folder of a store for its user alone, as whoever opens one does. What fails is said by who
/// makes folders in it.
fn make_private(store: &Path) {
    if fs::symlink_metadata(store).is_ok() {
        return;
    }
    let _ = store.parent().map(fs::create_dir_all);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let _ = builder.create(store);
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
    let old = new.path().join("old");
    if folder.is_dir() {
        fs::rename(folder, &old).map_err(failed())?;
    }
    match fs::rename(&whole, folder) {
        // Another process was quicker; what it has is looked at when it is read.
        Err(_) if folder.is_dir() => Ok(()),
        Err(e) => {
            // The old one is better than none.
            let _ = fs::rename(&old, folder);
            Err(failed()(e))
        }
        Ok(()) => Ok(()),
    }
}
