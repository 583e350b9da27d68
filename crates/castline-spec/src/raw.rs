//! YAML text to a tree with a span for every value.
//!
//! [`Node`]s hold what `yaml_serde` would read from the same text, and where it was written. What a
//! key means is not known here; that is the work of `workflow`, `preset` and `project`. Nothing
//! is guessed silently: where YAML reads a text otherwise than it looks, that is a finding.
//!
//! Start reading at [`read`].

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::diagnostic::Diagnostics;
use crate::span::{Pos, Source, Span, Spanned};
use crate::template::PositionMap;

mod place;
mod scalar;
mod trap;
mod tree;

pub(crate) use trap::quoted;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: NodeKind,
    /// Where it was written. For an alias this is where its anchor stands.
    pub span: Span,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can say.
    Number(Number),
    /// Text.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; each key stands once.
    Map(Vec<(Key, Node)>),
    /// A finding was made about this value already; whoever reads it stays silent.
    Broken,
}

/// A key of a map and where it stands. Every plain key is its text: `1:` is `"1"`.
pub type Key = Spanned<String>;

/// Text, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text itself: no quotes, escapes or indentation.
    pub value: Arc<str>,
    /// How it was written.
    pub style: Style,
    /// Where it was written, quotes included. For `|` and `>` the lines below the header.
    pub span: Span,
    /// Where reading begins: the first character, the opening quote, the line below a header.
    start: Pos,
}

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'`.
    Single,
    /// In `"`.
    Double,
    /// A block after `|`.
    Literal,
    /// A block after `>`.
    Folded,
}

/// Reads a text, whatever it is. Without errors there is a node.
pub fn parse(source: &Source) -> Result<Node, Diagnostics> {
    match read(source) {
        (Some(node), found) if !found.has_errors() => Ok(node),
        (_, found) => Err(found),
    }
}

/// Reads as much of a text as can be read, and says everything that is wrong with the rest and
/// what is doubtful. There is no node when the text is not YAML.
pub fn read(source: &Source) -> (Option<Node>, Diagnostics) {
    tree::read(source)
}

impl Node {
    /// The value as JSON; null where it is broken.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Null | NodeKind::Broken => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(value) => Value::Number(value.clone()),
            NodeKind::Text(text) => Value::String(text.value.to_string()),
            NodeKind::List(items) => items.iter().map(Node::to_json).collect(),
            NodeKind::Map(entries) => Value::Object(map_to_json(entries)),
        }
    }

    /// The value under a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let NodeKind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(k, _)| k.value == key).map(|(_, node)| node)
    }

    /// What it is, for messages: `the number 4`, `a list`.
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".into(),
            NodeKind::Bool(value) => format!("`{value}`"),
            NodeKind::Number(value) => format!("the number {value}"),
            NodeKind::Text(_) => "text".into(),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a map".into(),
            NodeKind::Broken => "a broken value".into(),
        }
    }
}

/// The entries of a map as JSON.
pub(crate) fn map_to_json(entries: &[(Key, Node)]) -> Map<String, Value> {
    entries.iter().map(|(key, node)| (key.value.clone(), node.to_json())).collect()
}

impl Text {
    /// Where in the file each byte of the text was written.
    pub fn map(&self, source: &Source) -> PositionMap {
        place::map(self, &source.text)
    }
}

#[cfg(test)]
mod tests;
