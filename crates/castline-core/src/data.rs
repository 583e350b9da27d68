//! Values that stand in files of their own: rows of a table, lines, JSON, YAML.
//!
//! A [`Data`] is a text that was read once, without asking what for; the schema of the input
//! that it is given to turns cells into values. It remembers its text, so that whatever is
//! wrong with a value can be shown in the file.
//!
//! Start reading at [`Data::parse`], then [`Data::reading`].

mod table;

use std::ops::Range;
use std::sync::Arc;

use castline_spec::outside::DataFormat;
use castline_spec::raw::{self, Node, NodeKind};
use castline_spec::{Code, Severity, Source, Span};
use serde_json::Value as Json;

use crate::field::Misfit;
use crate::files::Broken;
use crate::types::Kinds;
use table::Table;

/// A file of values, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    source: Source,
    body: Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// `.csv`.
    Table(Table),
    /// `.jsonl`: each value with the bytes of its line.
    Values(Vec<(Json, Range<usize>)>),
    /// `.txt`: the bytes of each line that is not blank.
    Lines(Vec<Range<usize>>),
    /// `.json`.
    Json(Json),
    /// `.yaml`.
    Yaml(Node),
}

/// What a file gives for an input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// The value, as far as it could be made.
    pub value: Json,
    /// What could not be made of the schema's type.
    pub wrong: Vec<Wrong>,
}

/// Something in a file that does not fit the schema it is read by.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    /// Why, and where in the value.
    pub misfit: Misfit,
    /// Where in the file, when the place in the value does not say.
    pub span: Option<Span>,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Data {
    /// Reads a text.
    pub fn parse(source: Source, format: DataFormat) -> Result<Self, Broken> {
        let body = match format {
            DataFormat::Csv => Body::Table(Table::parse(&source)?),
            DataFormat::Jsonl => Body::Values(json_lines(&source)?),
            DataFormat::Lines => Body::Lines(lines(&source).collect()),
            DataFormat::Json => {
                let start = start(&source);
                Body::Json(
                    serde_json::from_str(&source.text[start..]).map_err(|e| no_json(&source, start, &e))?,
                )
            }
            DataFormat::Yaml => Body::Yaml(yaml(&source)?),
        };
        Ok(Self { source, body })
    }

    /// The text that it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The name by which paths in it are found.
    pub fn name(&self) -> &Arc<str> {
        &self.source.name
    }

    /// The value that it has for an input of a schema.
    pub fn reading(&self, schema: &Json) -> Reading {
        let value = match &self.body {
            Body::Table(table) => return table.reading(&self.source, schema),
            Body::Values(values) => values.iter().map(|(value, _)| value.clone()).collect(),
            Body::Lines(_) if takes_text(schema) => {
                self.source.text[start(&self.source)..].trim_end_matches(['\r', '\n']).into()
            }
            Body::Lines(lines) => lines.iter().map(|line| &self.source.text[line.clone()]).collect(),
            Body::Json(value) => value.clone(),
            Body::Yaml(node) => node.to_json(),
        };
        Reading { value, wrong: Vec::new() }
    }

    /// Where the part of the value stands that a JSON pointer names, or what it is in.
    pub fn place(&self, pointer: &str) -> Option<Span> {
        let parts: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
        let row = || parts.first()?.parse::<usize>().ok();
        match &self.body {
            Body::Table(table) => table.place(&self.source, row()?, parts.get(1).map(String::as_str)),
            Body::Values(values) => Some(self.source.span(values.get(row()?)?.1.clone())),
            Body::Lines(lines) => Some(self.source.span(lines.get(row()?)?.clone())),
            // JSON is YAML, nearly always, and only that reader knows places.
            Body::Json(_) => Some(of_node(&raw::parse(&self.source).ok()?, &parts)),
            Body::Yaml(node) => Some(of_node(node, &parts)),
        }
    }
}

/// True for a schema of texts: a file of lines is then one text.
fn takes_text(schema: &Json) -> bool {
    Kinds::of(schema).only(Kinds::TEXT.or(Kinds::NULL))
}

/// Where the text begins: behind a byte order mark.
fn start(source: &Source) -> usize {
    if source.text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 }
}

/// The bytes of each line that is not blank.
fn lines(source: &Source) -> impl Iterator<Item = Range<usize>> {
    let text = &*source.text;
    let mut at = start(source);
    text[at..].split_inclusive('\n').filter_map(move |line| {
        let begin = at;
        at += line.len();
        let end = begin + line.trim_end_matches(['\r', '\n']).len();
        (!line.trim().is_empty()).then_some(begin..end)
    })
}

fn json_lines(source: &Source) -> Result<Vec<(Json, Range<usize>)>, Broken> {
    let value = |line: Range<usize>| match serde_json::from_str(&source.text[line.clone()]) {
        Ok(value) => Ok((value, line)),
        Err(e) => {
            let number = source.pos(line.start).line;
            let broken = no_json(source, line.start, &e);
            let message = format!("names `{}`, where line {number} is not JSON", source.name);
            Err(Broken { message, ..broken }.hint("a `.jsonl` file has one whole JSON value on each line"))
        }
    };
    lines(source).map(value).collect()
}

/// A text that is not JSON, which begins at an offset.
fn no_json(source: &Source, start: usize, error: &serde_json::Error) -> Broken {
    let before = |n: usize| source.text[start..].split_inclusive('\n').take(n).map(str::len).sum::<usize>();
    let at = start + before(error.line().saturating_sub(1)) + error.column().saturating_sub(1);
    let mut at = at.min(source.text.len());
    while !source.text.is_char_boundary(at) {
        at -= 1;
    }
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default().to_owned();
    Broken::new(Code::BadData, format!("names `{}`, which is not JSON", source.name)).at(
        source,
        Span::at(source.pos(at)),
        words,
    )
}

fn yaml(source: &Source) -> Result<Node, Broken> {
    let (node, found) = raw::read(source);
    let error = found.list.into_iter().find(|finding| finding.severity == Severity::Error);
    match (node, error) {
        (Some(node), None) => Ok(node),
        (_, error) => {
            let message = format!("names `{}`, which is not YAML as castline reads it", source.name);
            let broken = Broken::new(Code::BadData, message);
            Err(match error {
                Some(error) => {
                    let broken = broken.at(source, error.span.unwrap_or_default(), error.message);
                    Broken { hint: error.hint, ..broken }
                }
                None => broken,
            })
        }
    }
}

fn of_node(node: &Node, parts: &[String]) -> Span {
    let mut node = node;
    for part in parts {
        let inner = match &node.kind {
            NodeKind::List(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => node.get(part),
        };
        // What is missing is missing in what should have it.
        let Some(inner) = inner else { break };
        node = inner;
    }
    let one_line = node.span.start.line == node.span.end.line;
    if one_line { node.span } else { Span::at(node.span.start) }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests;
