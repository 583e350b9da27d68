//! Everything that can be found about a preset by itself, before any workflow calls it.
//!
//! The document's own findings (unknown keys, wrong types) are made when it is read; here its
//! parts are held against each other: values against the schemas they stand in, ports against
//! fields, rules and prices against inputs, and each example as a step that would call it.
//! Nothing here opens a file: what examples name has a stand-in, and what a derived preset sends
//! is asked of [`Files`].
//!
//! Start reading at [`check`].

mod derived;
mod examples;
mod places;
mod ports;
mod prices;
mod rules;
mod schemas;

use std::sync::Arc;

use castline_spec::preset::{Body, ModelPreset};
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic, Diagnostics, Preset, Project, Source, Span};
use indexmap::IndexMap;

use crate::callee::{Callee, Callees, Catalog};
use crate::field::{Field, Misfit};
use crate::files::Files;
use crate::graph::{is_path, misfit_finding};
use crate::templates::Templates;
use places::Places;

/// Checks a preset. The catalog has what it extends; [`Files`] tells what is to be loaded before
/// the answer is complete.
pub fn check(preset: &Arc<Preset>, catalog: &Catalog, files: &Arc<Files>) -> Diagnostics {
    let mut check = Check::new(preset);
    match &preset.body {
        Body::Model(model) => check.model(model),
        Body::Derived(derived) => check.inputs(derived),
    }
    // A schema that is none has been said here, and closer to the place.
    if !check.found.list.iter().any(|finding| finding.code == Code::InvalidSchema && is_error(finding)) {
        let catalog = with(catalog, preset);
        if let Some(callee) = check.callee(&catalog) {
            check.call(&callee, &catalog, files);
        }
    }
    check.found.sort();
    check.found
}

/// Checks prices that a project gives a preset or a model: those that this preset knows better.
pub fn check_own_prices(project: &Project, name: &str, preset: &Preset) -> Diagnostics {
    prices::of_project(project, name, preset)
}

/// Where a key of `prices:` stands in a project.
pub fn place_of_price(project: &Project, name: &str) -> Span {
    Places::new(&project.source).key(&places::path(&["prices", name]))
}

/// A preset under check.
struct Check<'a> {
    preset: &'a Arc<Preset>,
    source: &'a Source,
    places: Places,
    found: Diagnostics,
}

impl<'a> Check<'a> {
    fn new(preset: &'a Arc<Preset>) -> Self {
        let source = &preset.source;
        Self { preset, source, places: Places::new(source), found: Diagnostics::default() }
    }

    /// What a preset of a model says about itself alone.
    fn model(&mut self, model: &ModelPreset) {
        self.input(model);
        self.task(model);
        let fields = self.fields(model);
        self.ports(&fields);
        self.defaults(model, &fields);
        self.rules(model, &fields);
    }

    /// The inputs of a model that can be compiled; the others have a finding.
    fn fields(&self, model: &ModelPreset) -> IndexMap<String, Field> {
        let properties = model.input.value["properties"].as_object();
        let field = |(name, schema): (&String, _)| {
            let span = model.property_spans.get(name).copied().unwrap_or(model.input.span);
            Some((name.clone(), Field::new(schema, self.source, span, false).ok()?))
        };
        properties.into_iter().flatten().filter_map(field).collect()
    }

    /// `output` and `task` say the same.
    fn task(&mut self, model: &ModelPreset) {
        let Some(task) = self.preset.task.as_deref() else { return };
        let wanted = match task {
            "text-to-image" | "image-to-image" | "image-edit" | "background-removal" | "inpaint" => {
                MediaKind::Image
            }
            _ if task.ends_with("-to-video") => MediaKind::Video,
            "text-to-speech" | "text-to-music" | "text-to-audio" => MediaKind::Audio,
            _ => return,
        };
        if model.output.kind.media().is_none_or(|kind| !kind.accepts(wanted)) {
            let span = self.places.value(&places::path(&["output", "type"]));
            let place = self.places.value(&places::path(&["task"]));
            let message = format!("`{task}` gives {}, and `output` says otherwise", a(wanted));
            self.found.push(Diagnostic::warning(Code::InvalidValue, self.source, span, message).label(
                self.source,
                place,
                "the task",
            ));
        }
    }

    /// `defaults` fit the inputs that they are sent as.
    fn defaults(&mut self, model: &ModelPreset, fields: &IndexMap<String, Field>) {
        for (name, value) in &model.defaults {
            let Some(field) = fields.get(name) else { continue };
            let span = self.places.value(&places::path(&["defaults", name]));
            if let (Some(_), Some(path)) = (field.media, value.as_str().filter(|text| is_path(text))) {
                let message = format!("`defaults` are sent as they are, and `{path}` is a file");
                let finding = Diagnostic::error(Code::InvalidValue, self.source, span, message);
                self.found.push(finding.hint("a derived preset can send a file of its own under `with`"));
                continue;
            }
            let misfits = if value.is_null() { Vec::new() } else { field.misfits_json(value) };
            self.misfits(name, misfits, span, field);
        }
    }

    fn misfits(&mut self, name: &str, misfits: Vec<Misfit>, span: Span, field: &Field) {
        let findings =
            misfits.into_iter().map(|m| misfit_finding(name, m, self.source, span, Some(field), true));
        self.found.list.extend(findings);
    }

    /// The preset with everything that it extends, as a step would call it; there as far as it can
    /// be, since what it sends is looked at even where something is missing.
    fn callee(&mut self, catalog: &Catalog) -> Option<Arc<Callee>> {
        let span = match &self.preset.body {
            Body::Model(model) => model.model.span,
            Body::Derived(derived) => derived.extends.span,
        };
        let mut found = Diagnostics::default();
        let mut templates = Templates::default();
        let name = &self.preset.name;
        let callee = Callees::new(catalog).preset(name, self.source, span, &mut templates, &mut found);
        self.found.extend(found);
        callee
    }

    /// What only a call shows: examples, prices, what a derived preset sends.
    fn call(&mut self, callee: &Arc<Callee>, catalog: &Catalog, files: &Arc<Files>) {
        if let Body::Derived(derived) = &self.preset.body {
            self.derived(derived, callee);
            // A step would only be told the same again.
            if self.found.list.iter().any(|f| is_error(f) && f.code != Code::MediaMismatch) {
                return;
            }
        }
        let tried = self.examples(callee, catalog, files);
        if let Body::Model(model) = &self.preset.body {
            self.satisfiable(model, &tried);
            self.prices(model, callee, &tried);
        }
    }
}

/// The catalog in which the preset is found by its name.
fn with(catalog: &Catalog, preset: &Arc<Preset>) -> Catalog {
    let mut found = catalog.found.clone();
    found.insert(catalog.key(&preset.source, &preset.name), preset.clone());
    let (broken, known) = (catalog.broken.clone(), catalog.known.clone());
    Catalog { found, broken, known, homes: catalog.homes.clone(), ..Catalog::default() }
}

fn is_error(finding: &Diagnostic) -> bool {
    finding.severity == castline_spec::Severity::Error
}

fn a(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "an image",
        MediaKind::Video => "a video",
        MediaKind::Audio => "sound",
        MediaKind::File => "a file",
    }
}

#[cfg(test)]
mod tests;
