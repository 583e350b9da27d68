//! Files that a workflow names: known ones, and those that are still to be loaded.
//!
//! The core opens no files. It asks [`Files`], which remembers what was missing, and the
//! runner loads that and asks again. So whoever loads them knows every file that counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, RwLock};

use castline_spec::outside::DataFormat;
use castline_spec::{Code, Diagnostic, Source, Span};

use crate::data::Data;
use crate::media::Artifact;

/// A path, where it stands, and what is wanted of what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRef {
    /// Where it stands.
    pub from: Origin,
    /// The path as written.
    pub path: String,
    /// What is wanted.
    pub want: Want,
}

/// Where a path stands: that says what it is relative to, and how far it may lead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// On the command line: relative to where the user stands, and free to lead anywhere.
    CommandLine,
    /// In a document of the project, or in a file that one names: it stays in the project.
    Document(Arc<str>),
    /// In a file that the user named: it stays in the project or in the folder of that file.
    Given(Arc<str>),
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// Its bytes, as an artifact.
    Artifact,
    /// Its text.
    Text,
    /// The value that it has.
    Data(DataFormat),
    /// The path is a pattern, and the files are wanted that match it.
    Listing,
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum FileContent {
    /// Its bytes, in the store.
    Artifact(Artifact),
    /// Its text.
    Text(String),
    /// The value that it has.
    Data(Arc<Data>),
    /// The files that match, in order, each as a path from the same place as the pattern.
    Listing(Arc<[String]>),
}

/// The files known so far.
#[derive(Debug, Default)]
pub struct Files {
    known: RwLock<BTreeMap<FileRef, Result<FileContent, Broken>>>,
    missing: Mutex<BTreeSet<FileRef>>,
}

/// A file that cannot be had now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoFile {
    /// Not loaded yet; it is on the list now.
    NotYet,
    /// It cannot be loaded, and why.
    Broken(Broken),
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What kind of finding it makes.
    pub code: Code,
    /// "names `x.png`, which does not exist": to be read after what names it.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// The place in the file, with a few words.
    pub place: Option<Box<(Source, Span, String)>>,
}

impl Origin {
    /// Where a document's own paths stand.
    pub fn document(source: &Source) -> Self {
        Self::Document(source.name.clone())
    }

    /// The name of the document; empty on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::CommandLine => "",
            Self::Document(name) | Self::Given(name) => name,
        }
    }

    /// Where the paths stand that are in a file which is named here.
    #[must_use]
    pub(crate) fn in_file(&self, name: &Arc<str>) -> Self {
        match self {
            Self::Document(_) => Self::Document(name.clone()),
            Self::CommandLine | Self::Given(_) => Self::Given(name.clone()),
        }
    }
}

impl Broken {
    /// Why, in words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, place: None }
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds a place in the file.
    #[must_use]
    pub fn at(self, source: &Source, span: Span, what: impl Into<String>) -> Self {
        Self { place: Some(Box::new((source.clone(), span, what.into()))), ..self }
    }

    /// As a finding where `what` names the file.
    pub fn finding(self, what: &str, source: &Source, span: Span) -> Diagnostic {
        let finding = Diagnostic::error(self.code, source, span, format!("{what} {}", self.message))
            .maybe_hint(self.hint);
        match self.place.map(|place| *place) {
            Some((source, span, what)) => finding.label(&source, span, what),
            None => finding,
        }
    }
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
    pub fn add(&self, file: FileRef, content: Result<FileContent, Broken>) {
        self.known.write().expect("nobody panics while holding it").insert(file, content);
    }

    /// Takes the list of files that were asked for and are not known.
    pub fn take_missing(&self) -> BTreeSet<FileRef> {
        std::mem::take(&mut self.missing.lock().expect("nobody panics while holding it"))
    }

    /// How many files were loaded, or could not be.
    pub fn count(&self) -> usize {
        self.known.read().expect("nobody panics while holding it").len()
    }

    /// Every file that was asked for, with what it is or why it cannot be used.
    pub fn known(&self) -> BTreeMap<FileRef, Result<FileContent, Broken>> {
        self.known.read().expect("nobody panics while holding it").clone()
    }

    /// Every file that was loaded, with what it is.
    pub fn loaded(&self) -> Vec<(FileRef, FileContent)> {
        let known = self.known.read().expect("nobody panics while holding it");
        known.iter().filter_map(|(file, content)| Some((file.clone(), content.clone().ok()?))).collect()
    }
}
