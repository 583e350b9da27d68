//! Which fields of a model take piped media or text.

use indexmap::IndexMap;

use super::Body;
use crate::diagnostic::{Code, did_you_mean};
use crate::document::Reader;
use crate::name::Name;
use crate::raw::{Key, Node, NodeKind};
use crate::span::{Span, Spanned};

/// The ports that a preset can have.
pub const PORTS: &[&str] = &[
    "image",
    "images",
    "mask",
    "first_frame",
    "last_frame",
    "references",
    "video",
    "videos",
    "audio",
    "audios",
    "file",
    "files",
    "text",
];

/// The keys of a port that is more than a field.
pub const PORT_KEYS: &[&str] = &["field", "repaint"];

/// Where piped media or text goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Where the port's name stands.
    pub name_span: Span,
    /// The field of the model, or the input of a derived preset.
    pub field: Spanned<String>,
    /// For masks: which color is painted anew.
    pub repaint: Option<Repaint>,
}

/// Which color of a mask is painted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaint {
    /// White is painted anew.
    White,
    /// Black is painted anew.
    Black,
}

impl Reader<'_> {
    pub(super) fn ports(&mut self, node: &Node) -> IndexMap<String, Port> {
        let entries = self.entries(node, "`ports`").unwrap_or_default();
        let mut ports = IndexMap::new();
        for (key, node) in entries {
            if !PORTS.contains(&key.value.as_str()) {
                let hint = did_you_mean("a port", &key.value, PORTS.iter().copied());
                let message = format!("there is no port `{}`", key.value);
                self.push(self.error(Code::UnknownPort, key.span, message).maybe_hint(hint));
            }
            if let Some(port) = self.port(key, node) {
                ports.insert(key.value.clone(), port);
            }
        }
        ports
    }

    fn port(&mut self, key: &Key, node: &Node) -> Option<Port> {
        let what = format!("port `{}`", key.value);
        if !matches!(node.kind, NodeKind::Map(_)) {
            return Some(Port { name_span: key.span, field: self.spanned(node, &what)?, repaint: None });
        }
        let fields = self.fields(node, &what, PORT_KEYS)?;
        let colors = &[("white", Repaint::White), ("black", Repaint::Black)];
        let repaint = fields.get("repaint").and_then(|node| self.choice(node, "`repaint`", colors));
        let Some(field) = fields.get("field") else {
            self.missing(&fields, &what, "field");
            return None;
        };
        Some(Port { name_span: key.span, field: self.spanned(field, "`field`")?, repaint })
    }

    pub(super) fn ports_fit(&mut self, ports: &IndexMap<String, Port>, body: &Body) {
        for port in ports.values() {
            match body {
                Body::Model(model) => {
                    self.known_input(&port.field, model.property_spans.keys().map(String::as_str));
                }
                Body::Derived(derived) => {
                    self.known_input(&port.field, derived.inputs.keys().map(Name::as_str));
                }
            }
        }
    }
}
