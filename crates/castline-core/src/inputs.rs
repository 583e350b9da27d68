//! Values for a workflow's inputs: read from the files that they name, checked against their
//! schemas, media put in place.
//!
//! Start reading at [`Inputs::resolve`], then [`value_of`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::outside::{At, DataFormat, is_pattern};
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Source, Span};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::data::Data;
use crate::field::{Field, Misfit};
use crate::files::{Broken, FileContent, FileRef, Files, NoFile, Origin, Want};
use crate::graph::Graph;
use crate::media::Artifact;
use crate::value::Value;

/// A value that somebody gave for an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The value; a file is its path, and `@PATH` the value that a file has.
    pub value: Json,
    /// Where it stands.
    pub from: Origin,
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
        let mut place = |path: &str| place(given.from.name(), path);
        (name.clone(), replaced(schema_of(graph, name), &given.value, &mut place))
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
        let value = replaced(schema_of(graph, name), value, place);
        (name.clone(), Given { value, from: Origin::CommandLine })
    };
    kept.iter().map(again).collect()
}

fn schema_of<'a>(graph: &'a Graph, input: &str) -> &'a Json {
    graph.input_fields.get(input).map_or(&Json::Null, |field| &field.schema)
}

/// The value with another path for the file that it comes from, or the files that it is.
fn replaced(schema: &Json, json: &Json, place: &mut dyn FnMut(&str) -> String) -> Json {
    let Json::String(text) = json else { return with_paths(schema, json, place) };
    match text.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => json.clone(),
        Some(path) => format!("@{}", place(path)).into(),
        None if MediaKind::of_list(schema).is_some() => place(text).into(),
        None => with_paths(schema, json, place),
    }
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
            let field = &graph.input_fields[name.as_str()];
            let found = match (given.get(name.as_str()), &input.default) {
                (Some(given), default) => {
                    let optional = default.as_ref().is_some_and(|default| default.value.is_null());
                    (value_of(field, given, optional, files), input.name_span)
                }
                (None, Some(default)) => {
                    let from = Origin::document(&graph.source);
                    let given = Given { value: default.value.clone(), from };
                    (value_of(field, &given, default.value.is_null(), files), default.span)
                }
                (None, None) => {
                    if complete {
                        inputs.found.push(missing(graph, name, input.name_span));
                    }
                    continue;
                }
            };
            match found {
                (Ok(value), _) => drop(inputs.values.insert(name.clone(), value)),
                (Err(NoValue::NotYet), _) => {}
                (Err(NoValue::Wrong(faults)), span) => {
                    inputs.found.list.extend(faults.findings(&format!("input `{name}"), &graph.source, span));
                }
            }
        }
        inputs
    }
}

fn missing(graph: &Graph, name: &Name, span: Span) -> Diagnostic {
    let message = format!("input `{name}` has no value");
    Diagnostic::error(Code::MissingInput, &graph.source, span, message)
        .hint(format!("give it with `-i {name}=...`, or give it a `default`"))
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum NoValue {
    /// Files are still to be loaded.
    NotYet,
    /// It is not what the input takes.
    Wrong(Faults),
}

/// What is wrong with a value, and the file that it came from.
#[derive(Debug)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    data: Option<Arc<Data>>,
}

#[derive(Debug)]
enum Fault {
    /// Something in it does not fit the schema; the place is in the file of values.
    Misfit(Misfit, Option<Span>),
    /// A file in it cannot be used; the pointer says where the path stands.
    Broken(Misfit, Broken),
}

/// Faults of one file that are shown one by one.
const MOST_SHOWN: usize = 8;

impl Faults {
    /// The faults as findings about something that begins with these words, such as
    /// ``input `rows``; a path and a backquote follow. Those of one file of values are one finding
    /// with many places.
    pub(crate) fn findings(self, what: &str, source: &Source, span: Span) -> Vec<Diagnostic> {
        let Self { mut list, data } = self;
        // Row by row, whoever complains.
        list.sort_by_key(Fault::row);
        let mut findings: Vec<Diagnostic> = Vec::new();
        let mut of_file: BTreeMap<Code, (usize, usize)> = BTreeMap::new();
        for fault in list {
            let (misfit, broken, span_in_file) = match fault {
                Fault::Misfit(misfit, span) => (misfit, None, span),
                Fault::Broken(misfit, broken) => (misfit, Some(broken), None),
            };
            let code = broken.as_ref().map_or(Code::InvalidInput, |broken| broken.code);
            let place = |data: &Data| {
                Some((data.source().clone(), span_in_file.or_else(|| data.place(&misfit.pointer))?))
            };
            if let (Some(data), Some((at, more))) = (&data, of_file.get_mut(&code)) {
                *more += 1;
                let first = &mut findings[*at];
                // Finding a place takes a walk through the file.
                if let Some((source, span)) = (*more < MOST_SHOWN).then(|| place(data)).flatten() {
                    *first = first.clone().label(&source, span, misfit.message);
                }
                continue;
            }
            let subject = format!("{what}{}`", misfit.path);
            let mut finding = match broken {
                Some(broken) => broken.finding(&subject, source, span),
                None => Diagnostic::error(
                    Code::InvalidInput,
                    source,
                    span,
                    format!("{subject} {}", misfit.message),
                )
                .maybe_hint(misfit.hint),
            };
            if let Some(data) = &data {
                of_file.insert(code, (findings.len(), 0));
                if let Some((source, span)) = place(data) {
                    finding = finding.label(&source, span, misfit.message);
                }
            }
            findings.push(finding);
        }
        for (at, more) in of_file.into_values().filter(|(_, more)| *more >= MOST_SHOWN) {
            let more = format!("{} more values are wrong in this file", more + 1 - MOST_SHOWN);
            let hint = &mut findings[at].hint;
            *hint = Some(hint.take().map_or(more.clone(), |hint| format!("{hint}; {more}")));
        }
        findings
    }
}

impl From<NoFile> for NoValue {
    fn from(no_file: NoFile) -> Self {
        match no_file {
            NoFile::NotYet => Self::NotYet,
            NoFile::Broken(broken) => {
                let misfit = Misfit::new("", broken.message.clone());
                Self::Wrong(Faults { list: vec![Fault::Broken(misfit, broken)], data: None })
            }
        }
    }
}

/// The value that is given for an input: what its file says, patterns as the files that match,
/// checked against the schema, paths as artifacts. An optional input may be none.
pub(crate) fn value_of(
    field: &Field,
    given: &Given,
    optional: bool,
    files: &Files,
) -> Result<Value, NoValue> {
    let mut value = given.value.clone();
    let mut work = Work { files, from: given.from.clone(), pending: false, list: Vec::new() };
    let mut data = None;
    match given.value.as_str().and_then(At::of) {
        Some(At::Text(text)) => value = text.into(),
        Some(At::File(path)) => {
            let read = read(path, &given.from, field, files)?;
            let reading = read.reading(&field.schema);
            value = reading.value;
            work.from = given.from.in_file(read.name());
            work.list.extend(reading.wrong.into_iter().map(|w| Fault::Misfit(w.misfit, w.span)));
            data = Some(read);
        }
        None => {}
    }
    // What cannot be made at all is not looked at further.
    if value.is_null() && !work.list.is_empty() {
        return Err(NoValue::Wrong(Faults { list: work.list, data }));
    }
    work.list_files(&field.schema, &mut value, "");
    let is_left_out = value.is_null() && optional;
    if !(work.pending || is_left_out) {
        work.check(field, &value);
    }
    let placed = work.place(&field.schema, &value, "");
    match (work.pending, work.list.is_empty()) {
        // What is wrong already is said once the files are known too.
        (true, _) => Err(NoValue::NotYet),
        (false, true) => Ok(placed),
        (false, false) => Err(NoValue::Wrong(Faults { list: work.list, data })),
    }
}

/// The file of values that `@PATH` names.
fn read(path: &str, from: &Origin, field: &Field, files: &Files) -> Result<Arc<Data>, NoFile> {
    let Some(format) = DataFormat::of_path(path) else {
        let media = field.media.is_some_and(|media| !media.many);
        let message = format!("names `{path}`, and files with values end in {}", DataFormat::ENDINGS);
        let hint = match media {
            true => format!("a file that the input takes itself is named without `@`: `{path}`"),
            false => format!("a text that begins with `@` is written with two: `@@{path}`"),
        };
        return Err(NoFile::Broken(Broken::new(Code::InvalidValue, message).hint(hint)));
    };
    let file = FileRef { from: from.clone(), path: path.to_owned(), want: Want::Data(format) };
    match files.get(&file)? {
        FileContent::Data(data) => Ok(data),
        _ => unreachable!("a value was asked for"),
    }
}

/// A value on its way. All that it names is asked for, so that everything comes in one go.
struct Work<'f> {
    files: &'f Files,
    from: Origin,
    pending: bool,
    list: Vec<Fault>,
}

impl Work<'_> {
    fn note(&mut self, no_file: NoFile, pointer: &str) {
        match no_file {
            NoFile::NotYet => self.pending = true,
            NoFile::Broken(broken) => {
                let misfit = Misfit::new(pointer, broken.message.clone());
                self.list.push(Fault::Broken(misfit, broken));
            }
        }
    }

    /// Puts the files that match in place of a pattern, wherever a list of media is taken.
    fn list_files(&mut self, schema: &Json, json: &mut Json, pointer: &str) {
        match json {
            Json::String(pattern) if is_pattern(pattern) && MediaKind::of_list(schema).is_some() => {
                match listing(pattern, &self.from, self.files) {
                    Ok(paths) => *json = paths.iter().map(String::as_str).collect(),
                    Err(no_file) => self.note(no_file, pointer),
                }
            }
            Json::Array(items) => {
                let each = schema.get("items").unwrap_or(&Json::Null);
                if each.is_object() && MediaKind::of_schema(each).is_none() {
                    for (i, item) in items.iter_mut().enumerate() {
                        self.list_files(each, item, &format!("{pointer}/{i}"));
                    }
                }
            }
            Json::Object(map) => {
                let properties = schema.get("properties");
                for (key, item) in map {
                    if let Some(property) = properties.and_then(|p| p.get(key)) {
                        self.list_files(property, item, &step(pointer, key));
                    }
                }
            }
            _ => {}
        }
    }

    fn check(&mut self, field: &Field, json: &Json) {
        let said: BTreeSet<String> = self.list.iter().map(|fault| fault.pointer().to_owned()).collect();
        let misfits = field.misfits_json(json).into_iter().filter(|m| !said.contains(&m.pointer));
        let hinted = misfits.map(|misfit| {
            let whole = misfit.pointer.is_empty() && misfit.hint.is_none();
            match json {
                Json::String(path) if whole && MediaKind::of_list(&field.schema).is_some() => {
                    Misfit { hint: Some(one_file(path)), ..misfit }
                }
                _ => misfit,
            }
        });
        let hinted: Vec<_> = hinted.map(|misfit| Fault::Misfit(misfit, None)).collect();
        self.list.extend(hinted);
    }

    /// Turns paths into artifacts wherever the schema takes media.
    fn place(&mut self, schema: &Json, json: &Json, pointer: &str) -> Value {
        match (MediaKind::of_schema(schema), json) {
            (Some(kind), Json::String(path)) => match media(path, kind, &self.from, self.files) {
                Ok(artifact) => Value::Media(artifact),
                Err(no_file) => {
                    self.note(no_file, pointer);
                    Value::Null
                }
            },
            (None, Json::Array(items)) => {
                let each = schema.get("items").unwrap_or(&Json::Null);
                let item = |(i, item)| self.place(each, item, &format!("{pointer}/{i}"));
                Value::List(items.iter().enumerate().map(item).collect())
            }
            (None, Json::Object(map)) => {
                let properties = schema.get("properties");
                let item = |(key, item): (&String, &Json)| {
                    let property = properties.and_then(|p| p.get(key)).unwrap_or(&Json::Null);
                    (key.clone(), self.place(property, item, &step(pointer, key)))
                };
                Value::Map(map.iter().map(item).collect())
            }
            _ => Value::from_json(json.clone()),
        }
    }
}

impl Fault {
    /// The first position in the value.
    fn row(&self) -> usize {
        self.pointer().split('/').nth(1).and_then(|part| part.parse().ok()).unwrap_or(0)
    }

    fn pointer(&self) -> &str {
        match self {
            Self::Misfit(misfit, _) | Self::Broken(misfit, _) => &misfit.pointer,
        }
    }
}

fn step(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// One path where a list is taken.
pub(crate) fn one_file(path: &str) -> String {
    format!("a list of one is `[{path}]`, and a pattern such as `./photos/*.png` is a list of files")
}

/// The files that match a pattern, as paths from where it stands.
pub(crate) fn listing(pattern: &str, from: &Origin, files: &Files) -> Result<Arc<[String]>, NoFile> {
    let file = FileRef { from: from.clone(), path: pattern.to_owned(), want: Want::Listing };
    match files.get(&file)? {
        FileContent::Listing(paths) => Ok(paths),
        _ => unreachable!("a listing was asked for"),
    }
}

/// A file by its path, of the right kind.
pub(crate) fn media(path: &str, kind: MediaKind, from: &Origin, files: &Files) -> Result<Artifact, NoFile> {
    let file = FileRef { from: from.clone(), path: path.to_owned(), want: Want::Artifact };
    let found = files.get(&file).map_err(|no_file| match no_file {
        NoFile::Broken(broken) if is_pattern(path) && broken.hint.is_none() => {
            NoFile::Broken(broken.hint("a pattern stands alone, where a list of files is taken"))
        }
        other => other,
    });
    match found? {
        FileContent::Artifact(artifact) if kind.accepts(artifact.kind()) => Ok(artifact),
        FileContent::Artifact(artifact) => Err(NoFile::Broken(Broken::new(
            Code::BadMedia,
            format!("takes {}, and `{path}` is {} by its first bytes", kind.noun(), artifact.media_type),
        ))),
        _ => unreachable!("bytes were asked for"),
    }
}
