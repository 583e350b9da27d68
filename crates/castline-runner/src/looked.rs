//! What a plan was made from: every file and folder that was looked at, there or not.
//!
//! A file that is missing counts as much as one that is there: once it comes, the plan is
//! another one.
//!
//! Start reading at [`Looked::around`]; [`Looked::watched`] says what has to be watched for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use castline_core::files::{Files, Want};

use crate::files::{path_of, roots};
use crate::listing;
use crate::project::{self, Project, clean};
use crate::stamp::Stamp;
use crate::wishes::Wishes;

/// Links that lead to links are followed so far.
const MOST_LINKS: usize = 16;

/// What was looked at, as absolute paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    files: BTreeSet<PathBuf>,
    /// Folders of which it counts what is in them.
    folders: BTreeSet<PathBuf>,
}

/// What has to be watched, and what counts of what happens there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Files and the links on the way to them, each where it really is.
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    /// Folders that are there, each for what is directly in it.
    pub(crate) places: BTreeSet<PathBuf>,
}

impl Looked {
    /// What is looked at for a workflow before anything is known of what is in it.
    pub(crate) fn around(file: &Path, project: &Project, wishes: &Wishes) -> Self {
        let mut looked = Self::default();
        looked.file(file);
        wishes.input_files.iter().for_each(|file| looked.file(file));
        let file = clean(file);
        // A project may begin in any folder between.
        for folder in file.ancestors().skip(1) {
            [project::FILE, project::MISSPELT].iter().for_each(|name| looked.file(&folder.join(name)));
            if folder == project.root {
                break;
            }
        }
        looked.file(&project.root.join(crate::lock::FILE));
        looked.folder(&project.presets());
        if !project.libraries().is_empty() {
            looked.folder(&project.vendor());
        }
        looked
    }

    /// A file.
    pub(crate) fn file(&mut self, path: &Path) {
        self.files.insert(clean(path));
    }

    /// A folder, for what is in it.
    pub(crate) fn folder(&mut self, path: &Path) {
        self.folders.insert(clean(path));
    }

    /// What a plan has asked for.
    pub(crate) fn files(&mut self, files: &Files, project: &Project) {
        for file in files.known().into_keys() {
            let path = path_of(&file);
            match file.want {
                Want::Listing => {
                    let roots = roots(&file.from, project);
                    let folders = listing::folders(&file.path, &path, roots.as_deref(), project);
                    folders.iter().for_each(|folder| self.folder(folder));
                }
                Want::Artifact | Want::Text | Want::Data(_) => self.file(&path),
            }
        }
    }

    /// The same and more.
    pub(crate) fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.folders.extend(other.folders);
    }

    /// How many files it is.
    pub(crate) fn count(&self) -> usize {
        self.files.iter().filter(|file| file.is_file()).count()
    }

    /// What has to be watched to hear of every change.
    pub(crate) fn watched(&self) -> Watched {
        let mut trail = Trail::default();
        self.files.iter().for_each(|file| trail.file(file, 0));
        self.folders.iter().for_each(|folder| trail.folder(folder));
        trail.watched
    }

    /// Every path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().chain(&self.folders)
    }

    /// True when a folder of which it counts what is in it has a link in it. Where that leads is not looked
    /// at before something is there.
    pub(crate) fn has_links(&self) -> bool {
        let is_link = |entry: std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let entries = |folder: &PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        self.folders.iter().flat_map(entries).any(is_link)
    }

    /// How each of it is now.
    pub(crate) fn stamps(&self) -> Stamps {
        Stamps(self.paths().map(|path| (path.clone(), Stamp::of(path))).collect())
    }

    /// Without what is in a folder.
    #[must_use]
    pub(crate) fn outside_of(mut self, folder: &Path) -> Self {
        self.files.retain(|file| !file.starts_with(folder));
        self.folders.retain(|inside| !inside.starts_with(folder));
        self
    }
}

/// How files are at a moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

impl Watched {
    /// True when something that happened at a path may change what was looked at.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        let parent = path.parent();
        let is_listed = || parent.is_some_and(|parent| self.folders.contains(parent)) && !is_hidden(path);
        leads_to(&self.files, path) || leads_to(&self.folders, path) || is_listed()
    }
}

/// True for one of the paths, and for a folder that one of them is in.
fn leads_to(paths: &BTreeSet<PathBuf>, path: &Path) -> bool {
    // What is below a path comes right after it.
    let next = paths.range::<Path, _>((std::ops::Bound::Included(path), std::ops::Bound::Unbounded)).next();
    next.is_some_and(|next| next.starts_with(path))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Follows paths through links, to the folders in which something can happen to them.
#[derive(Default)]
struct Trail {
    watched: Watched,
    /// Where folders really are, or would be, with the links on the way.
    real: BTreeMap<PathBuf, PathBuf>,
}

impl Trail {
    fn file(&mut self, path: &Path, depth: usize) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let real = self.real(parent, depth).join(name);
        if depth > MOST_LINKS || !self.watched.files.insert(real.clone()) {
            return;
        }
        if let Some(place) = real.ancestors().skip(1).find(|folder| folder.is_dir()) {
            self.watched.places.insert(place.to_owned());
        }
        if let Some(target) = target(&real) {
            self.file(&target, depth + 1);
        }
    }

    fn folder(&mut self, path: &Path) {
        self.file(path, 0);
        let real = self.real(path, 0);
        if real.is_dir() {
            self.watched.places.insert(real.clone());
        }
        self.watched.folders.insert(real);
    }

    /// Where a folder really is. Each link on the way counts like a file.
    fn real(&mut self, folder: &Path, depth: usize) -> PathBuf {
        if let Some(known) = self.real.get(folder) {
            return known.clone();
        }
        let real = match (folder.parent(), folder.file_name()) {
            (Some(parent), Some(name)) if depth <= MOST_LINKS => {
                let here = self.real(parent, depth).join(name);
                match target(&here) {
                    Some(target) => {
                        self.file(&here, depth);
                        self.real(&target, depth + 1)
                    }
                    None => here,
                }
            }
            _ => folder.to_owned(),
        };
        self.real.insert(folder.to_owned(), real.clone());
        real
    }
}

/// Where a link leads.
fn target(path: &Path) -> Option<PathBuf> {
    let to = std::fs::read_link(path).ok()?;
    Some(clean(&path.parent()?.join(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(files: &[&Path], folders: &[&Path]) -> Watched {
        let mut looked = Looked::default();
        files.iter().for_each(|file| looked.file(file));
        folders.iter().for_each(|folder| looked.folder(folder));
        looked.watched()
    }

    #[test]
    fn what_is_there_and_what_may_come_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let watched = watched(&[&at("flow.yaml"), &at("notes/deep/words.md")], &[&at("photos")]);
        assert!(watched.concerns(&at("flow.yaml")));
        // Of what is not there yet each folder on the way counts.
        assert!(watched.concerns(&at("notes")) && watched.concerns(&at("notes/deep")));
        assert!(watched.concerns(&at("photos")) && watched.concerns(&at("photos/new.png")));
        for other in ["flow.yaml~", ".flow.yaml.swp", "out", ".castline", "notes/other", "photos/.DS_Store"] {
            assert!(!watched.concerns(&at(other)), "{other}");
        }
        assert_eq!(watched.places.into_iter().collect::<Vec<_>>(), [folder.path()]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_counts_by_every_name_on_the_way_to_it() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("v1")).unwrap();
        std::fs::create_dir_all(at("kept")).unwrap();
        std::fs::write(at("kept/words.md"), "a boat").unwrap();
        symlink("../kept/words.md", at("v1/words.md")).unwrap();
        symlink("v1", at("now")).unwrap();
        let watched = watched(&[&at("now/words.md")], &[]);
        for path in ["now", "v1/words.md", "kept/words.md"] {
            assert!(watched.concerns(&at(path)), "{path}");
        }
        let places = [folder.path().to_owned(), at("kept"), at("v1")];
        assert_eq!(watched.places.into_iter().collect::<Vec<_>>(), places);
    }
}
