//! Ports: the field that a port fills takes what the port's name says.

use castline_spec::preset::Port;
use castline_spec::schema::MediaKind;
use castline_spec::{Code, Diagnostic};
use indexmap::IndexMap;

use super::places::path;
use super::{Check, a};
use crate::field::{Field, type_words};

/// What goes into a port: the kind of media, none for text, and whether several of them.
fn takes(port: &str) -> Option<(Option<MediaKind>, bool)> {
    match port {
        "image" | "mask" | "first_frame" | "last_frame" => Some((Some(MediaKind::Image), false)),
        "images" | "references" => Some((Some(MediaKind::Image), true)),
        "video" => Some((Some(MediaKind::Video), false)),
        "videos" => Some((Some(MediaKind::Video), true)),
        "audio" => Some((Some(MediaKind::Audio), false)),
        "audios" => Some((Some(MediaKind::Audio), true)),
        "file" => Some((Some(MediaKind::File), false)),
        "files" => Some((Some(MediaKind::File), true)),
        "text" => Some((None, false)),
        _ => None,
    }
}

impl Check<'_> {
    /// Every port against its field.
    pub(super) fn ports(&mut self, fields: &IndexMap<String, Field>) {
        for (name, port) in &self.preset.ports.clone() {
            if let (Some((kind, many)), Some(field)) = (takes(name), fields.get(&port.field.value)) {
                match kind {
                    Some(kind) => self.media_port(name, port, kind, many, field),
                    None => self.text_port(port, field),
                }
            }
            if port.repaint.is_some() && name != "mask" {
                let span = self.places.key(&path(&["ports", name, "repaint"]));
                let message = format!("`repaint` is about masks, and `{name}` is none");
                self.found.push(Diagnostic::warning(Code::Unused, self.source, span, message));
            }
        }
    }

    fn media_port(&mut self, name: &str, port: &Port, kind: MediaKind, many: bool, field: &Field) {
        let input = &port.field.value;
        let Some(media) = field.media else {
            let types = field.types();
            let takes = if types.is_empty() { "anything".to_owned() } else { type_words(&types) };
            let message = format!("port `{name}` is for {}, and `{input}` takes {takes}", words(kind, many));
            let hint = match many {
                true => format!("write `type: array, items: {{ type: {} }}` for `{input}`", kind.as_str()),
                false => format!("write `type: {}` for `{input}`", kind.as_str()),
            };
            return self.mismatch(port, message, Some(hint), field);
        };
        if media.many != many {
            let message = format!(
                "port `{name}` is for {}, and `{input}` takes {}",
                words(kind, many),
                words(media.kind, media.many)
            );
            let other = match (many, name) {
                (false, "image" | "video" | "audio" | "file") => Some(format!("{name}s")),
                (true, "images" | "videos" | "audios" | "files") => {
                    Some(name.trim_end_matches('s').to_owned())
                }
                _ => None,
            };
            let hint = other.as_ref().map(|other| format!("call the port `{other}`"));
            self.mismatch(port, message, hint, field);
            if let (Some(other), Some(finding)) = (other, self.found.list.last_mut()) {
                *finding = finding.clone().suggest(port.name_span, other);
            }
        } else if !media.kind.accepts(kind) {
            let message = format!(
                "port `{name}` is for {}, and `{input}` takes {}",
                words(kind, many),
                words(media.kind, many)
            );
            self.mismatch(port, message, None, field);
        }
    }

    fn text_port(&mut self, port: &Port, field: &Field) {
        let types = field.types();
        let takes = match field.media {
            Some(media) => words(media.kind, media.many),
            None if types.is_empty() || types.contains(&"string") => return,
            None => type_words(&types),
        };
        let message = format!("port `text` is for text, and `{}` takes {takes}", port.field.value);
        self.mismatch(port, message, None, field);
    }

    fn mismatch(&mut self, port: &Port, message: String, hint: Option<String>, field: &Field) {
        self.found.push(
            Diagnostic::error(Code::MediaMismatch, self.source, port.field.span, message)
                .label(&field.source, field.span, "declared here")
                .maybe_hint(hint),
        );
    }
}

fn words(kind: MediaKind, many: bool) -> String {
    match (kind, many) {
        (_, false) => a(kind).to_owned(),
        (MediaKind::Audio, true) => "a list of sounds".to_owned(),
        (kind, true) => format!("a list of {}s", kind.as_str()),
    }
}
