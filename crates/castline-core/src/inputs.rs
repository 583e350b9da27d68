//! Values for a workflow's inputs, checked against their schemas, media put in place.

use castline_spec::diagnostic::did_you_mean;
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic, Diagnostics, Name};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::field::Misfit;
use crate::files::{FileContent, FileRef, Files, NoFile};
use crate::graph::Graph;
use crate::value::Value;

/// A value that somebody gave for an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The value; a file is its path.
    pub value: Json,
    /// The document that paths in it are relative to; empty on the command line.
    pub document: String,
}

/// The inputs of a run.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Values by name; an input that nobody gave is missing here.
    pub values: IndexMap<Name, Value>,
    /// What does not fit.
    pub found: Diagnostics,
}

/// What was given, so that it can be kept: `place` is told the document and the path of each
/// file, and answers with the path to keep.
pub fn kept(
    graph: &Graph,
    given: &IndexMap<String, Given>,
    place: &mut dyn FnMut(&str, &str) -> String,
) -> IndexMap<String, Json> {
    let keep = |(name, given): (&String, &Given)| {
        let mut place = |path: &str| place(&given.document, path);
        (name.clone(), with_paths(schema_of(graph, name), &given.value, &mut place))
    };
    given.iter().map(keep).collect()
}

/// What [`kept`] kept, as if it were given now: `place` answers with where a kept path leads.
pub fn given_again(
    graph: &Graph,
    kept: &IndexMap<String, Json>,
    place: &mut dyn FnMut(&str) -> String,
) -> IndexMap<String, Given> {
    let again = |(name, value): (&String, &Json)| {
        let value = with_paths(schema_of(graph, name), value, place);
        (name.clone(), Given { value, document: String::new() })
    };
    kept.iter().map(again).collect()
}

fn schema_of<'a>(graph: &'a Graph, input: &str) -> &'a Json {
    graph.input_fields.get(input).map_or(&Json::Null, |field| &field.schema)
}

/// The value with another path wherever the schema takes media.
fn with_paths(schema: &Json, json: &Json, place: &mut dyn FnMut(&str) -> String) -> Json {
    match (MediaKind::of_schema(schema), json) {
        (Some(_), Json::String(path)) => place(path).into(),
        (None, Json::Array(items)) => {
            let each = schema.get("items").unwrap_or(&Json::Null);
            items.iter().map(|item| with_paths(each, item, place)).collect()
        }
        (None, Json::Object(map)) => {
            let property =
                |key: &str| schema.get("properties").and_then(|p| p.get(key)).unwrap_or(&Json::Null);
            map.iter().map(|(key, item)| (key.clone(), with_paths(property(key), item, place))).collect()
        }
        _ => json.clone(),
    }
}

impl Inputs {
    /// Puts given values and defaults together. With `complete`, a required input without a
    /// value is a finding.
    pub fn resolve(graph: &Graph, given: &IndexMap<String, Given>, files: &Files, complete: bool) -> Self {
        let mut inputs = Self::default();
        for name in given.keys().filter(|n| !graph.inputs.contains_key(n.as_str())) {
            inputs.found.push(
                Diagnostic::of_file(
                    Code::UnknownName,
                    &graph.source,
                    format!("the workflow has no input `{name}`"),
                )
                .maybe_hint(did_you_mean(
                    "the input",
                    name,
                    graph.inputs.keys().map(Name::as_str),
                )),
            );
        }
        for (name, input) in &graph.inputs {
            let default = || {
                input
                    .default
                    .as_ref()
                    .map(|d| Given { value: d.value.clone(), document: graph.source.name.to_string() })
            };
            match given.get(name.as_str()).cloned().or_else(default) {
                Some(given) => inputs.take(graph, name, &given, files),
                None if complete => inputs.found.push(
                    Diagnostic::error(
                        Code::MissingInput,
                        &graph.source,
                        input.name_span,
                        format!("input `{name}` has no value"),
                    )
                    .hint(format!("give it with `-i {name}=...`, or give it a `default`")),
                ),
                None => {}
            }
        }
        inputs
    }

    fn take(&mut self, graph: &Graph, name: &Name, given: &Given, files: &Files) {
        let field = &graph.input_fields[name.as_str()];
        let optional = graph.inputs[name].default.as_ref().is_some_and(|d| d.value.is_null());
        let misfits =
            if given.value.is_null() && optional { Vec::new() } else { field.misfits_json(&given.value) };
        if !misfits.is_empty() {
            self.found.list.extend(misfits.into_iter().map(|m| self::finding(graph, name, &m)));
            return;
        }
        match place(&field.schema, &given.value, &given.document, files) {
            Ok(value) => drop(self.values.insert(name.clone(), value)),
            Err(NoFile::NotYet) => {}
            Err(NoFile::Broken(message)) => {
                let misfit = Misfit { path: String::new(), message, hint: None, fix: None, certain: false };
                let mut finding = finding(graph, name, &misfit);
                finding.code = Code::BadMedia;
                self.found.push(finding);
            }
        }
    }
}

fn finding(graph: &Graph, name: &Name, misfit: &Misfit) -> Diagnostic {
    let message = format!("input `{name}{}` {}", misfit.path, misfit.message);
    Diagnostic::error(Code::InvalidInput, &graph.source, graph.inputs[name].name_span, message)
        .maybe_hint(misfit.hint.clone())
}

/// Turns paths into artifacts wherever the schema takes media.
fn place(schema: &Json, json: &Json, document: &str, files: &Files) -> Result<Value, NoFile> {
    match (MediaKind::of_schema(schema), json) {
        (Some(kind), Json::String(path)) => media(path, kind, document, files).map(Value::Media),
        (None, Json::Array(items)) => {
            let each = schema.get("items").unwrap_or(&Json::Null);
            items
                .iter()
                .map(|item| place(each, item, document, files))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        (None, Json::Object(map)) => map
            .iter()
            .map(|(key, item)| {
                let property = schema.get("properties").and_then(|p| p.get(key)).unwrap_or(&Json::Null);
                Ok((key.clone(), place(property, item, document, files)?))
            })
            .collect::<Result<_, _>>()
            .map(Value::Map),
        _ => Ok(Value::from_json(json.clone())),
    }
}

/// A file by its path, of the right kind.
pub(crate) fn media(
    path: &str,
    kind: MediaKind,
    document: &str,
    files: &Files,
) -> Result<crate::media::Artifact, NoFile> {
    let file = FileRef { document: document.to_owned(), path: path.to_owned(), text: false };
    match files.get(&file)? {
        FileContent::Artifact(artifact) if kind.accepts(artifact.kind()) => Ok(artifact),
        FileContent::Artifact(artifact) => Err(NoFile::Broken(format!(
            "takes {} file, and `{path}` is {} by its first bytes",
            if kind == MediaKind::File { "a" } else { kind.as_str() },
            artifact.media_type
        ))),
        FileContent::Text(_) => unreachable!("bytes were asked for"),
    }
}
