//! Checks presets before anything calls them: those of a project, of files, and the built-in ones.
//!
//! What can be found about one preset is the core's work; here are the files, and what only many
//! of them show: names, and the keys of `prices:` in the project.
//!
//! Start reading at [`check`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::files::Files;
use castline_core::{ModelRef, preset_check};
use castline_provider::std_tools;
use castline_spec::diagnostic::{did_you_mean, nearest};
use castline_spec::preset::Body;
use castline_spec::{Code, Diagnostic, Diagnostics, Preset, Project as Document, Severity, Source, Span};

use super::{Loader, all, built_in, built_in_names, built_in_text, is_file, own_files};
use crate::files::load_missing;
use crate::project::{Project, own_text, parent, read, read_own, shown};
use crate::trouble::Trouble;

/// What was checked, and what was found.
#[derive(Debug)]
pub struct Checked {
    /// How many presets were looked at.
    pub presets: usize,
    /// Everything about them.
    pub found: Diagnostics,
}

/// A preset to check.
enum Target {
    /// A file, and the project that it belongs to.
    File(PathBuf, Box<Project>),
    /// A file that was found in the project.
    Own(PathBuf),
    /// A built-in one.
    BuiltIn(String),
}

/// Checks the named presets or files; without any the project's own, and its prices. The built-in
/// ones are checked besides when asked for.
pub fn check(project: &Project, named: &[String], all_built_in: bool) -> Result<Checked, Trouble> {
    let mut found = Diagnostics::default();
    let mut targets = Vec::new();
    for name in named {
        targets.push(target(project, name, &mut found)?);
    }
    if named.is_empty() && !all_built_in {
        let (own, trouble) = super::own(project);
        found.extend(trouble);
        targets.extend(own.into_iter().map(|(_, path)| Target::Own(path)));
        found.extend(same_names(project));
        found.extend(unknown_prices(project));
        found.extend(own_prices(project));
    }
    if all_built_in {
        targets.extend(built_in_names().into_iter().map(Target::BuiltIn));
    }
    for target in &targets {
        found.extend(match target {
            Target::File(path, project) => check_file(read(path), path, project),
            Target::Own(path) => check_file(read_own(&project.root, path), path, project),
            Target::BuiltIn(name) => check_built_in(name, project),
        });
    }
    found.sort();
    Ok(Checked { presets: targets.len(), found })
}

fn target(project: &Project, name: &str, found: &mut Diagnostics) -> Result<Target, Trouble> {
    if is_file(name) {
        let (mut near, findings) = Project::near(Path::new(name));
        found.extend(findings);
        // Without a `castline.yaml` the folder `presets` is in the project's, not the project's.
        if near.document.is_none() && near.root.file_name().is_some_and(|folder| folder == "presets") {
            near.root = parent(&near.root);
        }
        return Ok(Target::File(PathBuf::from(name), Box::new(near)));
    }
    let own = own_files(project);
    if let Some((_, path)) = own.iter().find(|(own, _)| own == name) {
        return Ok(Target::Own(path.clone()));
    }
    if built_in_text(name).is_some() {
        return Ok(Target::BuiltIn(name.to_owned()));
    }
    Err(super::unknown(project, name))
}

fn check_file(text: Result<Source, Box<Diagnostic>>, path: &Path, project: &Project) -> Diagnostics {
    match text {
        Ok(source) => check_text(&source, path, project).1,
        Err(finding) => Diagnostics { list: vec![*finding] },
    }
}

/// Checks the text of a preset that is, or will be, in a file.
pub(super) fn check_text(source: &Source, path: &Path, project: &Project) -> (Option<Preset>, Diagnostics) {
    let (preset, mut found) = Preset::parse(source);
    if let Some(preset) = &preset {
        found.extend(name_of_file(preset, path, project));
        found.extend(check_parsed(preset.clone(), &found, Loader::new(project), None));
    }
    (preset, found)
}

fn check_built_in(name: &str, project: &Project) -> Diagnostics {
    let Some((_, Some(preset), mut found)) = built_in(name) else { return Diagnostics::default() };
    found.extend(check_parsed(preset, &found, Loader::new(project), None));
    found
}

pub(super) fn check_parsed(
    preset: Preset,
    parsed: &Diagnostics,
    mut loader: Loader<'_>,
    home: Option<&str>,
) -> Diagnostics {
    // Where a schema was not understood the rest would only repeat that.
    if parsed.list.iter().any(|f| f.code == Code::InvalidSchema && f.severity == Severity::Error) {
        return Diagnostics::default();
    }
    let project = loader.project;
    if let Some(home) = home {
        loader.catalog.homes.insert(preset.source.name.clone(), home.to_owned());
    }
    let preset = Arc::new(preset);
    if let Body::Derived(derived) = &preset.body {
        loader.load(&preset.source, &derived.extends.value, derived.extends.span);
    }
    let (catalog, mut found) = loader.finish();
    found.extend(tool(&preset));
    let files = Arc::new(Files::default());
    loop {
        let checked = preset_check::check(&preset, &catalog, &files);
        if !load_missing(&files, project, None) {
            found.extend(checked);
            return found;
        }
    }
}

/// `std/` models are tools that castline has.
fn tool(preset: &Preset) -> Diagnostics {
    let mut found = Diagnostics::default();
    if let Body::Model(model) = &preset.body
        && model.model.value.starts_with("std/")
        && !std_tools::TOOLS.contains(&model.model.value.as_str())
    {
        let message = format!("there is no tool `{}`", model.model.value);
        let known = std_tools::TOOLS.iter().copied();
        let hint = did_you_mean("the tool", &model.model.value, known);
        let finding = Diagnostic::error(Code::InvalidValue, &preset.source, model.model.span, message);
        found.push(finding.maybe_hint(hint));
    }
    found
}

/// A preset is found by the name of its file.
fn name_of_file(preset: &Preset, path: &Path, project: &Project) -> Diagnostics {
    let mut found = Diagnostics::default();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let own = std::path::absolute(path).is_ok_and(|path| path.starts_with(project.presets()));
    if !own {
        return found;
    }
    if preset.name != stem {
        let message =
            format!("steps find this preset as `{stem}`, by its file, and it says `{}`", preset.name);
        let finding = Diagnostic::of_file(Code::InvalidName, &preset.source, message);
        let finding = Diagnostic { severity: Severity::Warning, ..finding };
        found.push(finding.hint(format!("write `name: {stem}`, or rename the file")));
    }
    if built_in_text(stem).is_some_and(|text| *text != *preset.source.text) {
        found.push(super::shadow(stem, &preset.source));
    }
    found
}

/// Two files of one name, of which only the first is found.
fn same_names(project: &Project) -> Diagnostics {
    let own = own_files(project);
    let mut found = Diagnostics::default();
    for (first, second) in own.iter().zip(own.iter().skip(1)).filter(|(a, b)| a.0 == b.0) {
        let source = Source::new(shown(&second.1), "");
        let message = format!("`{}` is found before this file, which has the same name", shown(&first.1));
        found.push(Diagnostic::of_file(Code::InvalidName, &source, message).hint("rename one of them"));
    }
    found
}

/// Keys of `prices:` that name nothing: a slip there is a price that never counts.
pub(crate) fn unknown_prices(project: &Project) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(document) = project.document.as_ref().filter(|document| !document.prices.is_empty()) else {
        return found;
    };
    let mut names: BTreeSet<String> = own_files(project).into_iter().map(|(name, _)| name).collect();
    names.extend(super::of_library::named(project).flat_map(|(uses, _)| uses));
    names.extend(built_in_names());
    let unknown: Vec<&String> =
        document.prices.keys().filter(|key| !names.contains(*key) && !is_other_form(key)).collect();
    if unknown.is_empty() {
        return found;
    }
    names.extend(models(project));
    for key in unknown.into_iter().filter(|key| !names.contains(*key) && !is_called_raw(project, key)) {
        found.push(unknown_price(document, key, &names));
    }
    found
}

fn unknown_price(document: &Document, key: &str, names: &BTreeSet<String>) -> Diagnostic {
    let span: Span = preset_check::place_of_price(document, key);
    let message = format!("`prices` names `{key}`, which is no preset and no model of one");
    let known = || names.iter().map(String::as_str);
    let finding = Diagnostic::warning(Code::UnknownPreset, &document.source, span, message)
        .caret("this price never counts");
    match nearest(key, known()) {
        Some(near) => finding.hint(format!("there is `{near}`")).suggest(span, near),
        None => finding.hint("`castline preset list` shows all presets"),
    }
}

/// A path, or a raw model: what these lead to depends on the workflow.
fn is_other_form(key: &str) -> bool {
    let raw = key.strip_prefix("model:").is_some_and(|model| model.parse::<ModelRef>().is_ok());
    raw || key.starts_with("./") || key.starts_with("../")
}

/// The models of all presets, without versions.
fn models(project: &Project) -> impl Iterator<Item = String> {
    let (presets, _) = all(project);
    presets.into_iter().filter_map(|preset| match &preset.body {
        Body::Model(model) => Some(model.model.value.parse::<ModelRef>().ok()?.path()),
        Body::Derived(_) => None,
    })
}

/// True when a workflow of the project calls this model without a preset.
fn is_called_raw(project: &Project, model: &str) -> bool {
    let call = format!("model:{model}");
    let folders = [project.root.clone(), project.root.join("workflows")];
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let mut yaml = files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"));
    yaml.any(|path| own_text(&project.root, &path).is_some_and(|text| text.contains(&call)))
}

/// The project's prices against the inputs of the presets that they are for.
fn own_prices(project: &Project) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(document) = project.document.as_ref().filter(|document| !document.prices.is_empty()) else {
        return found;
    };
    for preset in all(project).0 {
        let Body::Model(model) = &preset.body else { continue };
        let path = model.model.value.parse::<ModelRef>().map(|model| model.path()).unwrap_or_default();
        for key in [preset.name.as_str(), path.as_str()] {
            found.extend(preset_check::check_own_prices(document, key, &preset));
        }
    }
    found
}
