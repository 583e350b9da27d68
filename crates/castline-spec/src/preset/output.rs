//! What a model gives.

use crate::diagnostic::Code;
use crate::document::Reader;
use crate::raw::{Node, NodeKind};
use crate::schema::MediaKind;

/// The keys of `output`.
pub const OUTPUT_KEYS: &[&str] = &["type", "many"];

/// What a model gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `output.type`.
    pub kind: OutputKind,
    /// `output.many: true`: several files are usual.
    pub many: bool,
}

/// The kind of a model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Files of this kind, one or more.
    Image,
    /// Files of this kind, one or more.
    Video,
    /// Files of this kind, one or more.
    Audio,
    /// Files of any kind.
    File,
    /// Text; pieces are joined.
    Text,
    /// Any JSON, files in it included.
    Json,
}

impl OutputKind {
    /// Every kind with its word.
    pub const ALL: &'static [(&'static str, OutputKind)] = &[
        ("image", Self::Image),
        ("video", Self::Video),
        ("audio", Self::Audio),
        ("file", Self::File),
        ("text", Self::Text),
        ("json", Self::Json),
    ];

    /// The kind of media that comes out, none for text and JSON.
    pub fn media(self) -> Option<MediaKind> {
        match self {
            Self::Image => Some(MediaKind::Image),
            Self::Video => Some(MediaKind::Video),
            Self::Audio => Some(MediaKind::Audio),
            Self::File => Some(MediaKind::File),
            Self::Text | Self::Json => None,
        }
    }
}

impl Reader<'_> {
    pub(super) fn output(&mut self, node: &Node) -> Option<Output> {
        if let NodeKind::Text(text) = &node.kind {
            let fix = format!("{{ type: {} }}", text.value);
            let finding = self.error(Code::WrongType, node.span, "`output` takes a map, not text");
            self.push(finding.hint(format!("write `{fix}`")).fix(node.span, fix));
            return None;
        }
        let fields = self.fields(node, "`output`", OUTPUT_KEYS)?;
        let many = fields.get("many").and_then(|node| self.boolean(node, "`many`")).unwrap_or(false);
        let Some(kind) = fields.get("type") else {
            self.missing(&fields, "`output`", "type");
            return None;
        };
        Some(Output { kind: self.choice(kind, "`type`", OutputKind::ALL)?, many })
    }
}
