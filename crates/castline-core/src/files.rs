//! Files that a workflow names: known ones, and those that are still to be loaded.
//!
//! The core opens no files. It asks [`Files`], which remembers what was missing, and the
//! runner loads that and asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, RwLock};

use crate::media::Artifact;

/// A path as it stands in a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRef {
    /// The name of the document; the path is relative to it. Empty for paths that stand on
    /// the command line.
    pub document: String,
    /// The path as written.
    pub path: String,
    /// Whether its text is wanted, or its bytes as an artifact.
    pub text: bool,
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum FileContent {
    /// Its bytes, in the store.
    Artifact(Artifact),
    /// Its text.
    Text(String),
}

/// The files known so far.
#[derive(Debug, Default)]
pub struct Files {
    known: RwLock<BTreeMap<FileRef, Result<FileContent, String>>>,
    missing: Mutex<BTreeSet<FileRef>>,
}

/// A file that cannot be had now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoFile {
    /// Not loaded yet; it is on the list now.
    NotYet,
    /// It cannot be loaded, and why.
    Broken(String),
}

impl Files {
    /// Looks a file up; one that is not known yet goes on the list of the missing.
    pub fn get(&self, file: &FileRef) -> Result<FileContent, NoFile> {
        match self.known.read().expect("nobody panics while holding it").get(file) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(why)) => Err(NoFile::Broken(why.clone())),
            None => {
                self.missing.lock().expect("nobody panics while holding it").insert(file.clone());
                Err(NoFile::NotYet)
            }
        }
    }

    /// Tells what a file is.
    pub fn add(&self, file: FileRef, content: Result<FileContent, String>) {
        self.known.write().expect("nobody panics while holding it").insert(file, content);
    }

    /// Takes the list of files that were asked for and are not known.
    pub fn take_missing(&self) -> BTreeSet<FileRef> {
        std::mem::take(&mut self.missing.lock().expect("nobody panics while holding it"))
    }

    /// Every file that was loaded, with what it is.
    pub fn loaded(&self) -> Vec<(FileRef, FileContent)> {
        let known = self.known.read().expect("nobody panics while holding it");
        known.iter().filter_map(|(file, content)| Some((file.clone(), content.clone().ok()?))).collect()
    }
}
