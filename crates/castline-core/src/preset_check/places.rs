//! Where something stands in a document, by the way to it.

use castline_spec::raw::{self, Node, NodeKind};
use castline_spec::{Source, Span};

/// Keys and positions from the top of a document: `input`, `properties`, `prompt`.
pub(super) type Path = Vec<String>;

/// A path from words.
pub(super) fn path(parts: &[&str]) -> Path {
    parts.iter().map(ToString::to_string).collect()
}

/// A path and what follows.
pub(super) fn join<'p>(path: &[String], rest: impl IntoIterator<Item = &'p str>) -> Path {
    path.iter().cloned().chain(rest.into_iter().map(str::to_owned)).collect()
}

/// A JSON pointer as a path.
pub(super) fn pointer(text: &str) -> Path {
    text.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// A document's tree, for the places in it.
pub(super) struct Places {
    root: Option<Node>,
    whole: Span,
}

impl Places {
    pub fn new(source: &Source) -> Self {
        Self { root: raw::read(source).0, whole: Span::at(source.pos(0)) }
    }

    /// Where a value stands; for one of several lines its key. What is not there has the place of
    /// the nearest thing around it.
    pub fn value(&self, path: &[String]) -> Span {
        let (node, key) = self.find(path);
        match (node, key) {
            (Some(node), _) if node.start.line == node.end.line => node,
            (_, Some(key)) => key,
            (Some(node), None) => Span::at(node.start),
            (None, None) => self.whole,
        }
    }

    /// Where the key of a value stands.
    pub fn key(&self, path: &[String]) -> Span {
        self.find(path).1.unwrap_or_else(|| self.value(path))
    }

    /// The deepest value on the way, and the key of the last map on it.
    fn find(&self, path: &[String]) -> (Option<Span>, Option<Span>) {
        let Some(mut node) = self.root.as_ref() else { return (None, None) };
        let mut key = None;
        for part in path {
            let Some((at, next)) = child(node, part) else { break };
            // A position in a list has no key, and is nearer than that of the list.
            key = at
                .or_else(|| (next.span.start.line != next.span.end.line).then(|| Span::at(next.span.start)));
            node = next;
        }
        (Some(node.span), key)
    }
}

fn child<'n>(node: &'n Node, part: &str) -> Option<(Option<Span>, &'n Node)> {
    match &node.kind {
        NodeKind::Map(entries) => {
            entries.iter().find(|(key, _)| key.value == part).map(|(key, node)| (Some(key.span), node))
        }
        NodeKind::List(items) => Some((None, items.get(part.parse::<usize>().ok()?)?)),
        _ => None,
    }
}
