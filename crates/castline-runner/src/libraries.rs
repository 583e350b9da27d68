//! The libraries of a project, as `castline.lock` has them.
//!
//! A document finds another one in a library only as far as the lock says which one that is, and
//! only after the library's files were compared with the digest there. Nothing is fetched here;
//! that is done by `library`.
//!
//! Start reading at [`Libraries::open`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_library::{LibraryError, Pin, Shelf, Shelved, pinned_place};
use castline_spec::library::Wanted;
use castline_spec::{Code, Diagnostic, Diagnostics, Project as Document, Source};
use indexmap::IndexMap;

use crate::files::is_inside;
use crate::lock::Lock;
use crate::project::{Project, absolute, clean, shown};
use crate::trouble::Trouble;

/// The folders of a library in which its documents are.
const PRESETS: &str = "presets";
const WORKFLOWS: &str = "workflows";

impl Project {
    /// Where the project's libraries are kept.
    pub fn shelf(&self) -> Shelf {
        Shelf::new(&clean(&self.store()), &clean(&self.vendor()))
    }

    /// Libraries that the project keeps beside its own files.
    pub fn vendor(&self) -> PathBuf {
        self.root.join("vendor")
    }

    /// Refuses to write into a folder of vendored libraries that is somewhere else.
    pub(crate) fn check_vendor(&self) -> Result<(), Trouble> {
        match crate::disk::astray(&self.root, &self.vendor()) {
            Ok(Some(link)) => Err(Trouble::usage(
                format!("`{}` is a link, and no library is written or removed through one", shown(&link)),
                "make it a folder",
            )),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// The libraries that `castline.yaml` names.
    pub(crate) fn libraries(&self) -> IndexMap<String, Wanted> {
        self.document.as_ref().map(|document| document.libraries.clone()).unwrap_or_default()
    }

    /// True when `castline.yaml` names this library.
    pub(crate) fn names_library(&self, name: &str) -> bool {
        self.document.as_ref().is_some_and(|document| document.libraries.contains_key(name))
    }

    /// The folder of the library that a document is in; none for the project's own.
    pub(crate) fn library_of(&self, document: &Path) -> Option<PathBuf> {
        self.document.as_ref().filter(|document| !document.libraries.is_empty())?;
        self.shelf().folder_of(&clean(document))
    }
}

/// A document of a library.
pub(crate) enum Found {
    /// A file in `presets`.
    Preset(Source),
    /// A file in `workflows`.
    Workflow(Source),
}

/// A library whose files are what was pinned.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub name: String,
    pub pin: Pin,
    files: Shelved,
}

impl Opened {
    pub fn folder(&self) -> &Path {
        &self.files.folder
    }

    /// The names of its presets and workflows, without that of the library.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.documents(PRESETS).chain(self.documents(WORKFLOWS))
    }

    /// The names of its presets.
    pub fn presets(&self) -> impl Iterator<Item = &str> {
        self.documents(PRESETS)
    }

    /// The names of its workflows.
    pub fn workflows(&self) -> impl Iterator<Item = &str> {
        self.documents(WORKFLOWS)
    }

    fn documents<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.tree.files().filter_map(move |(path, _)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
            (!stem.contains('/')).then_some(stem)
        })
    }

    /// A preset or a workflow by its name.
    pub fn find(&self, name: &str) -> Option<Found> {
        let file = |folder: &str| {
            let paths = ["yaml", "yml"].map(|ending| format!("{folder}/{name}.{ending}"));
            paths.iter().find_map(|path| self.source(path))
        };
        file(PRESETS).map(Found::Preset).or_else(|| file(WORKFLOWS).map(Found::Workflow))
    }

    /// A file as it was when it was compared with the digest.
    pub fn source(&self, path: &str) -> Option<Source> {
        let text = String::from_utf8_lossy(self.files.tree.file(path)?).into_owned();
        Some(Source::new(shown(&self.folder().join(path)), text))
    }

    /// A file that one of its documents names.
    pub fn source_at(&self, path: &Path) -> Option<Source> {
        let below = clean(path).strip_prefix(self.folder()).ok()?.to_string_lossy().replace('\\', "/");
        self.source(&below)
    }
}

/// The libraries of a project, each opened when it is first asked for.
#[derive(Clone)]
pub(crate) struct Libraries {
    document: Option<Document>,
    root: PathBuf,
    vendor: PathBuf,
    shelf: Shelf,
    lock: Option<Lock>,
    opened: BTreeMap<String, Option<Arc<Opened>>>,
    /// What is wrong with them.
    pub found: Diagnostics,
}

impl Libraries {
    /// Those of a project. Nothing is read where it has none.
    pub fn open(project: &Project) -> Self {
        let document = project.document.as_ref().filter(|document| !document.libraries.is_empty()).cloned();
        let (mut lock, mut found) = (None, Diagnostics::default());
        if let Some(document) = &document {
            match Lock::read(project) {
                Ok(read) => lock = Some(read),
                Err(trouble) => {
                    let finding =
                        Diagnostic::of_file(Code::UnusableLibrary, &document.source, trouble.to_string());
                    found.push(finding.maybe_hint(trouble.hint().map(str::to_owned)));
                }
            }
        }
        let (root, vendor, shelf) = (project.root.clone(), project.vendor(), project.shelf());
        Self { document, root, vendor, shelf, lock, opened: BTreeMap::new(), found }
    }

    /// Those of a project as if these were pinned.
    pub fn pinned_as(project: &Project, pins: &BTreeMap<String, Pin>) -> Self {
        let mut libraries = Self::open(project);
        if let Some(lock) = &mut libraries.lock {
            lock.libraries.clone_from(pins);
        }
        libraries
    }

    /// The library that a document is in.
    pub fn home_of(&mut self, project: &Project, document: &Source) -> Option<String> {
        let folder = project.library_of(&absolute(Path::new(&*document.name)))?;
        let names: Vec<_> = self.lock.as_ref()?.libraries.keys().cloned().collect();
        names.into_iter().find(|name| self.get(name).is_some_and(|library| library.folder() == folder))
    }

    /// True when the project, or the library `home`, names this library.
    pub fn is_named(&mut self, name: &str, home: Option<&str>) -> bool {
        match home {
            None => self.document.as_ref().is_some_and(|document| document.libraries.contains_key(name)),
            Some(home) => self.get(home).is_some_and(|home| home.pin.libraries.iter().any(|own| own == name)),
        }
    }

    /// A library that the project, or the library `home`, names. None when something is wrong with
    /// it, which is among the findings then.
    pub fn reach(&mut self, name: &str, home: Option<&str>) -> Option<Arc<Opened>> {
        if home.is_none() && !self.opened.contains_key(name) {
            let wanted = self.document.as_ref()?.libraries.get(name)?.clone();
            if let Some(message) = self.unlocked(name, &wanted) {
                self.report(name, Code::UnlockedLibrary, message, Some(LOCK_IT.to_owned()));
                self.opened.insert(name.to_owned(), None);
            }
        }
        self.get(name)
    }

    /// A library that the project names, or one of its libraries does.
    pub fn of_project(&mut self, name: &str) -> Option<Arc<Opened>> {
        match self.is_named(name, None) {
            true => self.reach(name, None),
            false => self.get(name),
        }
    }

    /// A library that was named by somebody who may.
    pub fn get(&mut self, name: &str) -> Option<Arc<Opened>> {
        if let Some(opened) = self.opened.get(name) {
            return opened.clone();
        }
        let opened = self.verified(name);
        self.opened.insert(name.to_owned(), opened.clone());
        opened
    }

    fn verified(&mut self, name: &str) -> Option<Arc<Opened>> {
        let Some(pin) = self.lock.as_ref()?.libraries.get(name).cloned() else {
            let message = format!("castline.lock does not pin library `{name}`, which others need");
            self.report(name, Code::UnlockedLibrary, message, Some(LOCK_IT.to_owned()));
            return None;
        };
        let vendored = self.vendor.join(name);
        if vendored.is_dir() && !is_inside(&self.root, &vendored) {
            let message =
                format!("`{}` leads outside of the project's folder through a link", shown(&vendored));
            let hint = "remove the link; `castline library vendor` makes a folder".to_owned();
            self.report(name, Code::UnusableLibrary, message, Some(hint));
            return None;
        }
        match self.shelf.open(name, &pin.digest) {
            Ok(files) => Some(Arc::new(Opened { name: name.to_owned(), pin, files })),
            Err(error) => {
                let hint = match &error {
                    LibraryError::Changed { .. } => Some(
                        "put back what it was: `castline library lock` fetches it, `castline library vendor` \
                         renews `vendor`"
                            .to_owned(),
                    ),
                    other => other.hint(),
                };
                self.report(name, Code::UnusableLibrary, error.to_string(), hint);
                None
            }
        }
    }

    /// Why the lock does not say which library the project means; none when it does.
    fn unlocked(&self, name: &str, wanted: &Wanted) -> Option<String> {
        unlocked(&self.root, name, wanted, self.lock.as_ref()?.libraries.get(name))
    }

    /// A finding where the project names the library; at the head of it for one that others name.
    fn report(&mut self, name: &str, code: Code, message: String, hint: Option<String>) {
        let Some(document) = &self.document else { return };
        let finding = match document.libraries.get(name) {
            Some(wanted) => Diagnostic::error(code, &document.source, wanted.name_span, message),
            None => Diagnostic::of_file(code, &document.source, message),
        };
        self.found.push(finding.maybe_hint(hint));
    }
}

/// Why a pin does not say which library is meant; none when it does.
pub(crate) fn unlocked(root: &Path, name: &str, wanted: &Wanted, pin: Option<&Pin>) -> Option<String> {
    let Some(pin) = pin else { return Some(format!("castline.lock does not pin library `{name}`")) };
    let (here, there) = (pinned_place(root, &wanted.place), pin.place()?);
    (here != there)
        .then(|| format!("castline.lock pins library `{name}` from {there}, and castline.yaml names {here}"))
}

const LOCK_IT: &str = "`castline library lock` pins what castline.yaml names";

/// Nothing is written into a library: what is found in one has no cure that could be.
pub(crate) fn without_fixes(found: &mut Diagnostics, project: &Project) {
    let of_library = |source: &Source| project.library_of(&absolute(Path::new(&*source.name))).is_some();
    for finding in found.list.iter_mut().filter(|finding| finding.fix.is_some()) {
        if of_library(&finding.source) {
            finding.fix = None;
        }
    }
}

/// The library's folder for a document in one, else the project's: where the files stay that it names.
pub(crate) fn root_of(project: &Project, document: &str) -> PathBuf {
    project.library_of(&absolute(Path::new(document))).unwrap_or_else(|| project.root.clone())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_vendored_library_that_is_a_link_out_of_the_project_is_not_opened() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(other.path().join("brand")).unwrap();
        std::fs::write(other.path().join("brand/library.yaml"), "castline: 1\nname: brand\n").unwrap();
        let digest = format!("sha256:{}", "0".repeat(64));
        let lock = format!(
            "castline: 1\nlibraries:\n  brand:\n    version: '1'\n    path: brand\n    digest: {digest}\n"
        );
        std::fs::write(folder.path().join("castline.lock"), lock).unwrap();
        let yaml = "libraries:\n  brand: { path: ./brand }\n";
        std::fs::write(folder.path().join("castline.yaml"), yaml).unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join("vendor")).unwrap();
        let project = Project::near(folder.path()).0;
        let mut libraries = Libraries::open(&project);
        assert!(libraries.get("brand").is_none());
        let messages: Vec<_> = libraries.found.list.iter().map(|found| &*found.message).collect();
        assert!(matches!(*messages, [message] if message.contains("through a link")), "{messages:?}");
        assert!(crate::library::vendor(&project).unwrap_err().to_string().contains("is a link"));
        assert!(other.path().join("brand/library.yaml").is_file());
    }
}
