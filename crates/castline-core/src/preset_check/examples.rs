//! Examples: each is a step that would call the preset, and goes the whole way of one.

use std::path::Path;
use std::sync::Arc;

use castline_spec::preset::Body;
use castline_spec::schema::MediaKind;
use castline_spec::template::{Dynamic, DynamicKind};
use castline_spec::workflow::{Binding, OnError, Retry, Step, Uses, Workflow};
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Span, Spanned};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use super::places::{join, path};
use super::{Check, a};
use crate::callee::{Callee, Catalog};
use crate::files::{FileContent, FileRef, Files, Origin, Want};
use crate::graph::{Graph, is_path};
use crate::inputs::Inputs;
use crate::legs::LegId;
use crate::media::{Artifact, MediaType};
use crate::plan::{Choices, Plan, Resolved, with_schema_defaults};
use crate::results::Results;
use crate::routing::{Route, Routing, Serves};
use crate::value::Value;
use crate::{Digest, Realm};

/// An example that was tried.
pub(super) struct Tried {
    /// Its number.
    pub number: usize,
    /// Where it stands.
    pub span: Span,
    /// The model's input as prices see it; none when the example does not pass.
    pub input: Option<IndexMap<String, Value>>,
}

/// Pixels of a picture that an example names.
const SIDE: u32 = 1024;

impl Check<'_> {
    /// Calls the preset with each example, and with each word of a derived preset's own inputs.
    pub(super) fn examples(
        &mut self,
        callee: &Arc<Callee>,
        catalog: &Catalog,
        files: &Arc<Files>,
    ) -> Vec<Tried> {
        let preset = self.preset.clone();
        let mut all = Vec::new();
        for (number, example) in preset.examples.iter().enumerate() {
            let at = path(&["examples", &number.to_string(), "with"]);
            let span = self.places.key(&at);
            let (input, found) = self.try_with(&example.value, &at, callee, catalog, files);
            self.found.extend(found);
            all.push(Tried { number, span, input });
        }
        if let Body::Derived(_) = &preset.body {
            let first = preset.examples.first().map_or_else(Map::new, |example| example.value.clone());
            if all.first().is_none_or(|tried| tried.input.is_some()) {
                self.each_word(&first, callee, catalog, files);
            }
        }
        all
    }

    /// What a derived preset offers its base takes: an example again with every word.
    fn each_word(
        &mut self,
        example: &Map<String, Json>,
        callee: &Arc<Callee>,
        catalog: &Catalog,
        files: &Arc<Files>,
    ) {
        let Body::Derived(derived) = &self.preset.body else { return };
        let complete =
            callee.fields.iter().all(|(name, field)| !field.required || example.contains_key(name));
        if !complete {
            return;
        }
        let at = path(&["examples", "0", "with"]);
        for (name, input) in &derived.inputs {
            let (words, key) = words(&input.schema.json);
            for (i, word) in words.into_iter().enumerate() {
                let mut with = example.clone();
                with.insert(name.to_string(), word.clone());
                let (_, found) = self.try_with(&with, &at, callee, catalog, files);
                let place = self.places.value(&match key {
                    Some(key) => path(&["inputs", name.as_str(), key, &i.to_string()]),
                    None => path(&["inputs", name.as_str()]),
                });
                let known = self.found.clone();
                for finding in found.list.into_iter().filter(|finding| !known.list.contains(finding)) {
                    self.found.push(finding.label(self.source, place, format!("with `{name}: {word}`")));
                }
            }
        }
    }

    /// A step with these values, as far as the request that it would send.
    fn try_with(
        &self,
        with: &Map<String, Json>,
        at: &[String],
        callee: &Arc<Callee>,
        catalog: &Catalog,
        files: &Arc<Files>,
    ) -> (Option<IndexMap<String, Value>>, Diagnostics) {
        let mut found = self.stand_ins(with, at, callee, files);
        let workflow = self.step(with, at);
        let (graph, findings) = Graph::check(&workflow, catalog);
        found.extend(findings);
        let Some(graph) = graph else { return (None, found) };
        let (plan, findings) =
            Plan::new(Arc::new(graph), &Inputs::default(), files.clone(), everywhere(), Choices::default());
        found.extend(findings);
        let Some(plan) = plan else { return (None, found) };
        let input = match plan.resolve(LegId(0), &Arc::new(Results::new(plan.legs.len()))) {
            Resolved::Ready(ready) => Some(with_schema_defaults(&ready.request.input, callee)),
            Resolved::Broken(findings) | Resolved::Pending(findings) => {
                found.list.extend(findings);
                None
            }
            Resolved::Done(_) | Resolved::Skip(_) => None,
        };
        (input, found)
    }

    /// Files that an example names need not be there. Their names should say what they are.
    fn stand_ins(
        &self,
        with: &Map<String, Json>,
        at: &[String],
        callee: &Callee,
        files: &Files,
    ) -> Diagnostics {
        let mut found = Diagnostics::default();
        for (name, value) in with {
            let Some(field) = callee.fields.get(name) else { continue };
            let Some(wanted) = field.media.map(|media| media.kind) else { continue };
            let texts: Vec<&str> = match value {
                Json::String(text) => vec![text],
                Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
                _ => Vec::new(),
            };
            for text in texts.into_iter().filter(|text| is_path(text)) {
                let file =
                    |want| FileRef { from: Origin::document(self.source), path: text.to_owned(), want };
                files.add(file(Want::Artifact), Ok(FileContent::Artifact(stand_in(text, wanted))));
                files.add(file(Want::Listing), Ok(FileContent::Listing([text.to_owned()].into())));
                if let Some(kind) = kind_of(text).filter(|kind| !wanted.accepts(*kind)) {
                    let span = self.places.value(&join(at, [name.as_str()]));
                    let message =
                        format!("`{name}` takes {}, and `{text}` is {} by its name", a(wanted), a(kind));
                    let finding = Diagnostic::error(Code::MediaMismatch, self.source, span, message);
                    found.push(finding.label(&field.source, field.span, "declared here"));
                }
            }
        }
        found
    }

    /// A workflow of the preset's own document, with one step that calls it.
    fn step(&self, with: &Map<String, Json>, at: &[String]) -> Workflow {
        let span = self.places.key(at);
        let binding = |(name, value): (&String, &Json)| {
            let place = join(at, [name.as_str()]);
            let value =
                Dynamic { kind: DynamicKind::Literal(value.clone()), span: self.places.value(&place) };
            (name.clone(), Binding { name_span: self.places.key(&place), value })
        };
        let step = Step {
            name_span: span,
            uses: Spanned::new(Uses::Preset(self.preset.name.clone()), span),
            with: with.iter().map(binding).collect(),
            with_span: Some(span),
            from: None,
            each: IndexMap::new(),
            r#where: None,
            condition: None,
            after: Vec::new(),
            draw: None,
            json: None,
            retry: Retry::default(),
            timeout: None,
            cache: true,
            on_error: OnError::Stop,
            save: None,
            legs: None,
            version: None,
            description: None,
            incomplete: false,
        };
        Workflow {
            source: self.source.clone(),
            name: Name::new("example"),
            description: None,
            inputs: IndexMap::new(),
            vars: IndexMap::new(),
            steps: IndexMap::from([(Name::new("example"), step)]),
            outputs: IndexMap::new(),
            incomplete: false,
        }
    }
}

/// The words of a schema, and the keyword that lists them.
fn words(schema: &Json) -> (Vec<Json>, Option<&'static str>) {
    match (schema["enum"].as_array(), schema["type"].as_str()) {
        (Some(words), _) => (words.clone(), Some("enum")),
        (None, Some("boolean")) => (vec![json!(true), json!(false)], None),
        _ => (Vec::new(), None),
    }
}

/// What a file is by its ending.
fn kind_of(path: &str) -> Option<MediaKind> {
    let ending = Path::new(path).extension()?.to_str()?.to_lowercase();
    match ending.as_str() {
        "png" | "jpg" | "jpeg" | "webp" | "gif" | "avif" | "svg" | "tif" | "tiff" | "bmp" => {
            Some(MediaKind::Image)
        }
        "mp4" | "mov" | "webm" | "mkv" | "avi" => Some(MediaKind::Video),
        "wav" | "mp3" | "flac" | "ogg" | "m4a" | "aac" => Some(MediaKind::Audio),
        _ => None,
    }
}

/// A file of the kind that is wanted, pictures with a size.
fn stand_in(path: &str, kind: MediaKind) -> Artifact {
    let side = (kind == MediaKind::Image).then_some(SIDE);
    Artifact {
        digest: Digest::of(path.as_bytes()),
        media_type: MediaType::new(kind.content_type()),
        bytes: 0,
        width: side,
        height: side,
    }
}

/// A provider that serves everything and is never asked.
fn everywhere() -> Routing {
    let route = |name: &str| Route {
        name: name.into(),
        realm: Realm::Sandbox(0),
        serves: Serves::Everything,
        bills: false,
        parallel: 1,
    };
    Routing { chosen: route("sandbox"), std: route("std"), claims: Vec::new() }
}
