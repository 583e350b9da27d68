//! Where presets come from: the project's folder, then the built-in library.
//!
//! The built-in library is embedded and parsed when asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::callee::Catalog;
use castline_spec::json_schema::Known;
use castline_spec::preset::Body;
use castline_spec::raw::{self, NodeKind};
use castline_spec::workflow::Uses;
use castline_spec::{Code, Diagnostic, Diagnostics, Preset, Source, Span, Workflow};
use include_dir::{Dir, include_dir};

use crate::libraries::{Found, Libraries};
use crate::looked::Looked;
use crate::project::{Project, clean, files_in, own_text, parent, read, read_own};

mod check;
pub(crate) mod difference;
mod import;
mod new;
mod of_library;
mod place;
mod refresh;
mod search;

pub(crate) use check::unknown_prices;
pub use check::{Checked, check};
pub use difference::{Difference, Effect};
pub use import::{Import, Imported, import};
pub use new::{Begun, New, new};
pub(crate) use of_library::{OfLibrary, check_library};
pub use refresh::{Live, Refresh, Refreshed, refresh};
pub use search::{Hit, Query, search, unknown};

/// What the names of built-in presets begin with in messages.
const BUILT_IN_FOLDER: &str = "built-in presets/";

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../presets");

/// The names of the built-in presets, `std/` ones last.
pub fn built_in_names() -> Vec<String> {
    fn collect(dir: &Dir<'_>, names: &mut Vec<String>) {
        for file in dir.files() {
            if let Some(stem) = file.path().to_str().and_then(|p| p.strip_suffix(".yaml")) {
                names.push(stem.replace('\\', "/"));
            }
        }
        dir.dirs().for_each(|d| collect(d, names));
    }
    let mut names = Vec::new();
    collect(&BUILT_IN, &mut names);
    names.sort_by_key(|n| (n.contains('/'), n.clone()));
    names
}

/// The text of a built-in preset.
pub fn built_in_text(name: &str) -> Option<&'static str> {
    BUILT_IN.get_file(format!("{name}.yaml"))?.contents_utf8()
}

fn built_in(name: &str) -> Option<(Source, Option<Preset>, Diagnostics)> {
    let text = built_in_text(name)?;
    let source = Source::new(format!("{BUILT_IN_FOLDER}{name}.yaml"), text);
    let (preset, found) = Preset::parse(&source);
    Some((source, preset, found))
}

/// True for the text of a built-in preset, which is in no file.
pub fn is_built_in(source: &Source) -> bool {
    let name = source.name.strip_prefix(BUILT_IN_FOLDER).and_then(|name| name.strip_suffix(".yaml"));
    name.and_then(built_in_text).is_some_and(|text| *text == *source.text)
}

/// The files of a project's own presets, by name.
fn own_files(project: &Project) -> Vec<(String, PathBuf)> {
    own(project).0
}

/// The same, and why nobody can tell which it has.
fn own(project: &Project) -> (Vec<(String, PathBuf)>, Diagnostics) {
    let (files, found) = match files_in(&project.presets()) {
        Ok(files) => (files, Diagnostics::default()),
        Err(finding) => (Vec::new(), Diagnostics { list: vec![*finding] }),
    };
    let mut files: Vec<_> = files
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .filter_map(|p| Some((p.file_stem()?.to_str()?.to_owned(), p)))
        .collect();
    files.sort();
    (files, found)
}

/// True for what names a preset by its file.
pub fn is_file(name: &str) -> bool {
    let is_yaml = Path::new(name).extension().is_some_and(|e| e == "yaml" || e == "yml");
    is_yaml || name.starts_with("./") || name.starts_with("../") || Path::new(name).is_absolute()
}

/// A preset by its name, the project's, else the built-in one; or by its file.
pub fn find(project: &Project, name: &str) -> Option<(Arc<Preset>, Diagnostics)> {
    if is_file(name) {
        let (preset, found) = parse_file(Path::new(name));
        return preset.map(|p| (Arc::new(p), found));
    }
    let (preset, found) = match own_files(project).into_iter().find(|(own, _)| own == name) {
        Some((_, path)) => parse_own(project, &path),
        None => match built_in(name) {
            Some((_, preset, found)) => (preset, found),
            None => of_library::find(project, name)?,
        },
    };
    preset.map(|p| (Arc::new(p), found))
}

/// Every preset that can be named, the project's first; broken ones are findings.
pub fn all(project: &Project) -> (Vec<Arc<Preset>>, Diagnostics) {
    let (own, mut found) = own(project);
    let mut presets = Vec::new();
    let own = own.into_iter().map(|(_, path)| parse_own(project, &path));
    let built_in = built_in_names().into_iter().filter_map(|name| built_in(&name)).map(|(_, p, f)| (p, f));
    let of_libraries = of_library::all(project);
    for (preset, findings) in own.chain(of_libraries).chain(built_in) {
        let broken = findings.has_errors();
        found.extend(findings);
        presets.extend(preset.filter(|_| !broken).map(Arc::new));
    }
    (presets, found)
}

/// Every preset that steps can name, for editors: the project's by its name or path.
pub fn known(project: &Project) -> Vec<Known> {
    let own = own_files(project).into_iter().map(|(name, path)| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let paths = ["./presets", "../presets"].map(|folder| format!("{folder}/{file}"));
        (std::iter::once(name).chain(paths).collect(), parse_own(project, &path))
    });
    let built_in = built_in_names().into_iter().filter_map(|name| {
        let (_, preset, found) = built_in(&name)?;
        Some((vec![name], (preset, found)))
    });
    let known = |(uses, (preset, found)): (Vec<String>, (Option<Preset>, Diagnostics))| match preset {
        Some(preset) if !found.has_errors() => Known::new(uses, &preset),
        _ => Known { uses, description: None, input: None },
    };
    let of_libraries = of_library::named(project);
    own.chain(of_libraries).chain(built_in).map(known).collect()
}

/// One of the project's own presets.
fn parse_own(project: &Project, path: &Path) -> (Option<Preset>, Diagnostics) {
    parsed(read_own(&project.root, path))
}

fn parse_file(path: &Path) -> (Option<Preset>, Diagnostics) {
    parsed(read(path))
}

fn parsed(source: Result<Source, Box<Diagnostic>>) -> (Option<Preset>, Diagnostics) {
    match source {
        Ok(source) => Preset::parse(&source),
        Err(finding) => (None, Diagnostics { list: vec![*finding] }),
    }
}

/// A preset of a project that is called as a built-in one, and is another one.
fn shadow(name: &str, source: &Source) -> Diagnostic {
    let message = format!("preset `{name}` has the name of a built-in preset");
    let finding = Diagnostic::of_file(Code::InvalidName, source, message);
    finding.hint("give it another name, such as one that begins with the project's")
}

/// The presets and workflows that a workflow calls, and those that these extend and call.
pub(crate) fn catalog(
    project: &Project,
    workflow: &Workflow,
    libraries: Libraries,
    looked: &mut Looked,
) -> (Catalog, Diagnostics) {
    let mut loader = Loader::with(project, libraries);
    if let Some(home) = loader.libraries.home_of(project, &workflow.source) {
        loader.catalog.homes.insert(workflow.source.name.clone(), home);
    }
    loader.shadows();
    loader.load_steps(workflow);
    looked.extend(std::mem::take(&mut loader.looked));
    loader.finish()
}

/// What a step can call.
enum Document {
    Preset(Arc<Preset>),
    Workflow(Arc<Workflow>),
}

impl Document {
    fn of_preset((preset, found): (Option<Preset>, Diagnostics)) -> (Option<Self>, Diagnostics) {
        (preset.map(|preset| Self::Preset(Arc::new(preset))), found)
    }
}

struct Loader<'a> {
    project: &'a Project,
    own: Vec<(String, PathBuf)>,
    catalog: Catalog,
    seen: BTreeSet<String>,
    found: Diagnostics,
    libraries: Libraries,
    /// How many workflows deep the document is.
    depth: usize,
    looked: Looked,
}

/// Calls of calls of calls deeper than this are a mistake.
const MOST_CALLS: usize = 32;

impl<'a> Loader<'a> {
    fn new(project: &'a Project) -> Self {
        Self::with(project, Libraries::open(project))
    }

    fn with(project: &'a Project, libraries: Libraries) -> Self {
        let (own, found) = own(project);
        let known = own.iter().map(|(name, _)| name.clone()).chain(built_in_names()).collect();
        let catalog = Catalog { known, ..Catalog::default() };
        Self {
            project,
            own,
            catalog,
            seen: BTreeSet::new(),
            found,
            libraries,
            depth: 0,
            looked: Looked::default(),
        }
    }

    /// Everything that was found.
    fn finish(mut self) -> (Catalog, Diagnostics) {
        self.found.extend(self.libraries.found);
        (self.catalog, self.found)
    }

    /// A project cannot shadow a built-in name.
    fn shadows(&mut self) {
        const MOST: usize = 3;
        let shadowing = self.own.iter().filter(|(name, path)| {
            built_in_text(name)
                .is_some_and(|text| own_text(&self.project.root, path).as_deref() != Some(text))
        });
        let shadowing: Vec<_> = shadowing.cloned().collect();
        if shadowing.len() > MOST {
            let names: Vec<_> = shadowing.iter().take(MOST).map(|(name, _)| format!("`{name}`")).collect();
            let folder = crate::project::shown(&self.project.presets());
            let message = format!(
                "the folder `{folder}` has {} presets with the names of built-in presets: {}, ...",
                shadowing.len(),
                names.join(", ")
            );
            let finding = Diagnostic::of_file(Code::InvalidName, &Source::new(folder, ""), message);
            self.found
                .push(finding.hint("give them other names, or work in another folder if it is no project"));
            return;
        }
        for (name, path) in shadowing {
            self.found.push(shadow(&name, &Source::new(crate::project::shown(&path), "")));
        }
    }

    fn load(&mut self, source: &Source, uses: &str, span: Span) {
        let key = self.catalog.key(source, uses);
        if !self.seen.insert(key.clone()) {
            return;
        }
        let parsed = if uses.starts_with("./") || uses.starts_with("../") {
            Some(self.at_path(source, uses, span))
        } else {
            self.named(source, uses)
        };
        let Some((document, findings)) = parsed else { return };
        let broken = findings.has_errors();
        self.found.extend(findings);
        match document.filter(|_| !broken) {
            Some(Document::Preset(preset)) => {
                self.catalog.found.insert(key, preset.clone());
                if let Body::Derived(body) = &preset.body {
                    self.load(&preset.source, &body.extends.value, body.extends.span);
                }
            }
            Some(Document::Workflow(workflow)) => {
                self.catalog.workflows.insert(key, workflow.clone());
                self.load_steps(&workflow);
            }
            None => drop(self.catalog.broken.insert(key)),
        }
    }

    /// By a name: in a library its own documents, then what is built in, then the libraries that
    /// it names; elsewhere the project's.
    fn named(&mut self, source: &Source, uses: &str) -> Option<(Option<Document>, Diagnostics)> {
        let built_in = || built_in(uses).map(|(_, preset, found)| Document::of_preset((preset, found)));
        if let Some(home) = self.catalog.homes.get(&source.name).cloned() {
            let own = self.libraries.get(&home).and_then(|library| library.find(uses));
            return match own {
                Some(found) => Some(self.of_library(&home, uses, &found)),
                None => built_in().or_else(|| self.in_library(uses, Some(&home))),
            };
        }
        match self.own.iter().find(|(own, _)| own == uses) {
            Some((_, path)) => {
                self.looked.file(path);
                Some(Document::of_preset(parse_own(self.project, path)))
            }
            None => built_in().or_else(|| self.in_library(uses, None)),
        }
    }

    /// `library/name`, where the project or the library `home` names that library.
    fn in_library(&mut self, uses: &str, home: Option<&str>) -> Option<(Option<Document>, Diagnostics)> {
        let (library, name) = uses.split_once('/')?;
        if !self.libraries.is_named(library, home) {
            return None;
        }
        let Some(opened) = self.libraries.reach(library, home) else {
            // What is wrong with it is said where it is named.
            return Some((None, Diagnostics::default()));
        };
        let Some(found) = opened.find(name) else {
            self.catalog.known.extend(opened.names().map(|name| format!("{library}/{name}")));
            return None;
        };
        Some(self.of_library(library, name, &found))
    }

    fn of_library(&mut self, library: &str, name: &str, found: &Found) -> (Option<Document>, Diagnostics) {
        let (Found::Preset(source) | Found::Workflow(source)) = found;
        self.catalog.homes.insert(source.name.clone(), library.to_owned());
        let (document, mut findings) = match found {
            Found::Preset(source) => {
                let (preset, found) = Preset::parse(source);
                let full = format!("{library}/{name}");
                Document::of_preset((preset.map(|preset| Preset { name: full, ..preset }), found))
            }
            Found::Workflow(source) => {
                let (workflow, found) = Workflow::parse(source);
                (workflow.map(|workflow| Document::Workflow(Arc::new(workflow))), found)
            }
        };
        if built_in_text(name).is_some() {
            let message = format!("`{library}/{name}` has the name of a built-in preset");
            let finding = Diagnostic::of_file(Code::InvalidName, source, message);
            findings.push(finding.hint("its author has to give it another name"));
        }
        (document, findings)
    }

    /// What the steps of a workflow call.
    fn load_steps(&mut self, workflow: &Workflow) {
        if self.depth > MOST_CALLS {
            let message = format!("workflows call each other more than {MOST_CALLS} deep");
            self.found.push(Diagnostic::of_file(Code::InvalidValue, &workflow.source, message));
            let uses = workflow.steps.values().filter_map(|step| match &step.uses.value {
                Uses::Preset(text) | Uses::Path(text) => Some(self.catalog.key(&workflow.source, text)),
                Uses::Model(_) => None,
            });
            let uses: Vec<_> = uses.collect();
            self.catalog.broken.extend(uses);
            return;
        }
        self.depth += 1;
        for step in workflow.steps.values() {
            match &step.uses.value {
                Uses::Preset(text) | Uses::Path(text) => self.load(&workflow.source, text, step.uses.span),
                Uses::Model(_) => {}
            }
        }
        self.depth -= 1;
    }

    fn at_path(&mut self, source: &Source, uses: &str, span: Span) -> (Option<Document>, Diagnostics) {
        let one = |finding| (None, Diagnostics { list: vec![finding] });
        let error = |code, message: String| Diagnostic::error(code, source, span, message);
        let path = shortest(&parent(Path::new(&*source.name)).join(uses));
        self.looked.file(&path);
        let home = self.catalog.homes.get(&source.name).cloned();
        let library = home.as_ref().and_then(|home| self.libraries.get(home));
        let root = library.as_ref().map_or(self.project.root.as_path(), |library| library.folder());
        if !crate::files::is_inside(root, &path) {
            let whose = if library.is_some() { "the library's folder" } else { "the project's folder" };
            return one(error(Code::InvalidPath, format!("`{uses}` is outside of {whose}")));
        }
        if library.is_none() && self.project.library_of(&crate::project::absolute(&path)).is_some() {
            let message = format!("`{uses}` is a file of a library");
            return one(error(Code::InvalidPath, message).hint("use it by its name: `library/preset`"));
        }
        let text = match &library {
            // As it was when it was compared with what is pinned.
            Some(library) => library.source_at(&path).map_or_else(|| read_own(root, &path), Ok),
            None => read_own(root, &path),
        };
        if let (Some(home), Ok(text)) = (&home, &text) {
            self.catalog.homes.insert(text.name.clone(), home.clone());
        }
        match text {
            Ok(text) if is_workflow(&text) => {
                let (workflow, found) = Workflow::parse(&text);
                (workflow.map(|workflow| Document::Workflow(Arc::new(workflow))), found)
            }
            Ok(text) => Document::of_preset(Preset::parse(&text)),
            Err(_) if !path.is_file() => {
                one(error(Code::UnknownPreset, format!("there is no file `{uses}`")).caret("no such file"))
            }
            Err(finding) => one(*finding),
        }
    }
}

/// A path without its detours, so that a file that is called twice has one name; as it is where a
/// link on the way makes another file of it.
fn shortest(path: &Path) -> PathBuf {
    let clean = clean(path);
    if path.canonicalize().ok() == clean.canonicalize().ok() { clean } else { path.to_owned() }
}

/// True for a document with `steps` at its top.
fn is_workflow(source: &Source) -> bool {
    match raw::parse(source).map(|root| root.kind) {
        Ok(NodeKind::Map(entries)) => entries.iter().any(|(key, _)| key.value == "steps"),
        // What cannot be read is told by whoever reads it.
        _ => source.text.lines().any(|line| line.starts_with("steps:")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_preset_that_is_a_link_out_of_the_project_is_told_of_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("presets")).unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(other.path(), "secret: told").unwrap();
        std::os::unix::fs::symlink(other.path(), folder.path().join("presets/hosts.yaml")).unwrap();
        let project = Project::near(folder.path()).0;
        let codes = |found: &Diagnostics| found.list.iter().map(|found| found.code).collect::<Vec<_>>();
        assert_eq!(codes(&all(&project).1), [Code::InvalidPath]);
        assert!(find(&project, "hosts").is_none());
        let checked = check(&project, &[], false).unwrap();
        assert_eq!(codes(&checked.found), [Code::InvalidPath]);
        assert!(checked.found.list.iter().all(|found| found.source.text.is_empty()));
    }

    #[test]
    fn many_presets_with_names_of_built_in_ones_are_one_finding_and_copies_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let presets = folder.path().join("presets");
        std::fs::create_dir(&presets).unwrap();
        let names: Vec<_> = built_in_names().into_iter().filter(|name| !name.contains('/')).collect();
        let write = |name: &String, more: &str| {
            let text = format!("{}{more}", built_in_text(name).unwrap());
            std::fs::write(presets.join(format!("{name}.yaml")), text).unwrap();
        };
        let found = || {
            let project = Project::near(folder.path()).0;
            let mut loader = Loader::new(&project);
            loader.shadows();
            loader.found.list.into_iter().map(|found| found.message.clone()).collect::<Vec<_>>()
        };
        names.iter().for_each(|name| write(name, ""));
        assert_eq!(found(), Vec::<String>::new());
        names.iter().take(2).for_each(|name| write(name, "# other\n"));
        assert_eq!(found().len(), 2);
        names.iter().for_each(|name| write(name, "# other\n"));
        let [one] = &found()[..] else { panic!("{:?}", found()) };
        assert!(one.contains(&format!("has {} presets with the names", names.len())), "{one}");
    }
}
