//! The presets and workflows of a library, all of them: to be listed, checked or looked through.

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_core::callee::Catalog;
use castline_spec::preset::Body;
use castline_spec::{Code, Diagnostic, Diagnostics, Preset, Workflow};

use super::check::check_parsed;
use super::{Document, Loader};
use crate::job::look_with;
use crate::libraries::{Libraries, Opened};
use crate::project::Project;

/// The documents of a library, with everything that they call.
#[derive(Default)]
pub(crate) struct OfLibrary {
    pub catalog: Catalog,
    /// Called by their full names.
    pub presets: Vec<Arc<Preset>>,
    /// By their full names.
    pub workflows: Vec<(String, Arc<Workflow>)>,
    pub found: Diagnostics,
}

impl OfLibrary {
    /// Those of a library that the project, or one of its libraries, names.
    pub fn load(project: &Project, name: &str) -> Self {
        let mut loader = Loader::new(project);
        let Some(library) = loader.libraries.of_project(name) else {
            let (catalog, found) = loader.finish();
            return Self { catalog, found, ..Self::default() };
        };
        let (mut presets, mut workflows) = (Vec::new(), Vec::new());
        for own in library.names().collect::<BTreeSet<_>>() {
            let Some(document) = library.find(own) else { continue };
            let (document, findings) = loader.of_library(name, own, &document);
            loader.found.extend(findings);
            match document {
                Some(Document::Preset(preset)) => {
                    let key = loader.catalog.key(&preset.source, &preset.name);
                    loader.catalog.found.insert(key, preset.clone());
                    if let Body::Derived(body) = &preset.body {
                        loader.load(&preset.source, &body.extends.value, body.extends.span);
                    }
                    presets.push(preset);
                }
                Some(Document::Workflow(workflow)) => {
                    loader.load_steps(&workflow);
                    workflows.push((format!("{name}/{own}"), workflow));
                }
                None => {}
            }
        }
        let (catalog, found) = loader.finish();
        Self { catalog, presets, workflows, found }
    }
}

/// A preset of a library that the project names.
pub(super) fn find(project: &Project, uses: &str) -> Option<(Option<Preset>, Diagnostics)> {
    let (library, name) = uses.split_once('/')?;
    let mut loader = Loader::new(project);
    let found = loader.libraries.reach(library, None)?.find(name)?;
    match loader.of_library(library, name, &found) {
        (Some(Document::Preset(preset)), found) => Some((Some(Preset::clone(&preset)), found)),
        (Some(Document::Workflow(_)), _) => None,
        (None, found) => Some((None, found)),
    }
}

/// Every preset of the libraries that the project names.
pub(super) fn all(project: &Project) -> impl Iterator<Item = (Option<Preset>, Diagnostics)> {
    let loaded = project.libraries().into_keys().flat_map(|name| {
        let of = OfLibrary::load(project, &name);
        let presets =
            of.presets.into_iter().map(|preset| (Some(Preset::clone(&preset)), Diagnostics::default()));
        presets.chain([(None, of.found)]).collect::<Vec<_>>()
    });
    loaded.collect::<Vec<_>>().into_iter()
}

/// The same for editors, by what steps call them.
pub(super) fn named(project: &Project) -> impl Iterator<Item = (Vec<String>, (Option<Preset>, Diagnostics))> {
    all(project).filter_map(|(preset, found)| {
        let preset = preset?;
        Some((vec![preset.name.clone()], (Some(preset), found)))
    })
}

/// Checks every preset and workflow of a library that the project names. Returns how many there are.
pub(crate) fn check_library(project: &Project, name: &str) -> (usize, usize, Diagnostics) {
    let OfLibrary { presets, workflows, mut found, .. } = OfLibrary::load(project, name);
    // Its files are held against the lock once, not for each document.
    let mut libraries = Libraries::open(project);
    let library = libraries.reach(name, None);
    for preset in &presets {
        let loader = Loader::with(project, libraries.clone());
        found.extend(check_parsed(Preset::clone(preset), &Diagnostics::default(), loader, Some(name)));
    }
    for (_, workflow) in &workflows {
        found.extend(look_with(&workflow.source, project, libraries.clone()).0);
    }
    let taken: BTreeSet<_> = presets.iter().map(|preset| preset.name.as_str()).collect();
    if let Some(library) = library {
        found.extend(said_twice(&library, &taken));
    }
    found.sort();
    (presets.len(), workflows.len(), found)
}

/// A preset and a workflow of one name: only the preset is found.
fn said_twice(library: &Opened, presets: &BTreeSet<&str>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for name in library.workflows() {
        let full = format!("{}/{name}", library.name);
        let paths = ["yaml", "yml"].map(|ending| format!("workflows/{name}.{ending}"));
        let source = paths.iter().find_map(|path| library.source(path));
        if let Some(source) = source.filter(|_| presets.contains(full.as_str())) {
            let message = format!("`{full}` is a preset as well, which is found before this workflow");
            found.push(Diagnostic::of_file(Code::InvalidName, &source, message).hint("rename one of them"));
        }
    }
    found
}
