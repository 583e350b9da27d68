//! Artifacts: immutable files named by their digest, and what their first bytes say they are.

use std::borrow::Cow;
use std::fmt;

use castline_spec::schema::MediaKind;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::ebml;

/// A media type, `image/png`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(#[serde(deserialize_with = "usual")] Cow<'static, str>);

/// Reads a media type. Those of pictures are so many in a ledger that they are not kept apart.
fn usual<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'static, str>, D::Error> {
    const USUAL: [&str; 3] = ["image/png", "image/webp", "image/jpeg"];
    let text = String::deserialize(from)?;
    let known = USUAL.into_iter().find(|usual| *usual == text);
    Ok(known.map_or(Cow::Owned(text), Cow::Borrowed))
}

/// A file in the store: its bytes never change, its digest is its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Artifact {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// What the bytes are, by their first bytes.
    pub media_type: MediaType,
    /// Length in bytes.
    pub bytes: u64,
    /// Pixels, for images and videos that tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels, for images and videos that tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

impl Artifact {
    /// The kind of media it is.
    pub fn kind(&self) -> MediaKind {
        self.media_type.kind()
    }

    /// Describes bytes by their digest and their first bytes.
    ///
    /// `head` is the beginning of the file, all of it when shorter than 64 KiB.
    pub fn describe(digest: Digest, bytes: u64, head: &[u8]) -> Self {
        let media_type = MediaType::sniff(head);
        let size = match media_type.kind() {
            MediaKind::Image => imagesize::blob_size(head).ok().map(|s| (s.width as u32, s.height as u32)),
            MediaKind::Video if media_type.as_str() == "video/webm" => ebml::dimensions(head),
            _ => None,
        };
        Self { digest, media_type, bytes, width: size.map(|s| s.0), height: size.map(|s| s.1) }
    }
}

impl MediaType {
    /// Takes a media type as written.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// The text, `image/png`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of media.
    pub fn kind(&self) -> MediaKind {
        match self.0.split('/').next() {
            Some("image") => MediaKind::Image,
            Some("video") => MediaKind::Video,
            Some("audio") => MediaKind::Audio,
            _ => MediaKind::File,
        }
    }

    /// The usual file extension, without the dot.
    pub fn extension(&self) -> &str {
        match self.as_str() {
            "image/png" => "png",
            "image/jpeg" => "jpg",
            "image/webp" => "webp",
            "image/gif" => "gif",
            "image/avif" => "avif",
            "image/svg+xml" => "svg",
            "image/tiff" => "tif",
            "image/bmp" => "bmp",
            "video/mp4" => "mp4",
            "video/quicktime" => "mov",
            "video/webm" => "webm",
            "audio/wav" => "wav",
            "audio/mpeg" => "mp3",
            "audio/ogg" => "ogg",
            "audio/flac" => "flac",
            "audio/mp4" => "m4a",
            "text/plain" => "txt",
            "text/html" => "html",
            "application/json" => "json",
            "application/pdf" => "pdf",
            "application/zip" => "zip",
            _ => "bin",
        }
    }

    /// The media type that a file extension usually stands for, `jpeg` and `jpg` alike.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Some(Self::new(match extension.to_ascii_lowercase().as_str() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "webp" => "image/webp",
            "gif" => "image/gif",
            "avif" => "image/avif",
            "svg" => "image/svg+xml",
            "tif" | "tiff" => "image/tiff",
            "bmp" => "image/bmp",
            "mp4" => "video/mp4",
            "mov" => "video/quicktime",
            "webm" => "video/webm",
            "wav" => "audio/wav",
            "mp3" => "audio/mpeg",
            "ogg" => "audio/ogg",
            "flac" => "audio/flac",
            "m4a" => "audio/mp4",
            "txt" | "md" => "text/plain",
            "html" => "text/html",
            "json" => "application/json",
            "pdf" => "application/pdf",
            "zip" => "application/zip",
            _ => return None,
        }))
    }

    /// What bytes are, by their first few; servers' words are not believed.
    pub fn sniff(head: &[u8]) -> Self {
        let at = |from: usize, magic: &[u8]| head.get(from..from + magic.len()) == Some(magic);
        let brand = || head.get(8..12).unwrap_or_default();
        Self::new(if at(0, b"\x89PNG\r\n\x1a\n") {
            "image/png"
        } else if at(0, b"\xff\xd8\xff") {
            "image/jpeg"
        } else if at(0, b"RIFF") && at(8, b"WEBP") {
            "image/webp"
        } else if at(0, b"GIF8") {
            "image/gif"
        } else if at(0, b"BM") && head.len() > 26 {
            "image/bmp"
        } else if at(0, b"II*\0") || at(0, b"MM\0*") {
            "image/tiff"
        } else if at(4, b"ftyp") {
            match brand() {
                b"avif" | b"avis" => "image/avif",
                b"qt  " => "video/quicktime",
                b"M4A " => "audio/mp4",
                _ => "video/mp4",
            }
        } else if at(0, b"\x1a\x45\xdf\xa3") {
            "video/webm"
        } else if at(0, b"RIFF") && at(8, b"WAVE") {
            "audio/wav"
        } else if at(0, b"ID3") || (at(0, b"\xff") && head.get(1).is_some_and(|b| b & 0xe6 == 0xe2)) {
            "audio/mpeg"
        } else if at(0, b"OggS") {
            "audio/ogg"
        } else if at(0, b"fLaC") {
            "audio/flac"
        } else if at(0, b"%PDF-") {
            "application/pdf"
        } else if at(0, b"PK\x03\x04") {
            "application/zip"
        } else {
            return Self::sniff_text(head);
        })
    }

    fn sniff_text(head: &[u8]) -> Self {
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // A character cut at the end of the head is still text.
            Err(e) if e.error_len().is_none() => {
                std::str::from_utf8(&head[..e.valid_up_to()]).expect("valid up to here")
            }
            Err(_) => return Self::new("application/octet-stream"),
        };
        if text.contains('\0') {
            return Self::new("application/octet-stream");
        }
        let start = text.trim_start().to_ascii_lowercase();
        Self::new(if start.starts_with("<!doctype html") || start.starts_with("<html") {
            "text/html"
        } else if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
            "image/svg+xml"
        } else if start.starts_with(['{', '[']) {
            "application/json"
        } else {
            "text/plain"
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_decide_the_media_type() {
        let types: Vec<_> = [
            &b"\x89PNG\r\n\x1a\n...."[..],
            b"\xff\xd8\xff\xe0....",
            b"RIFF....WEBPVP8 ",
            b"<!DOCTYPE html><html>",
            b"{\"a\":1}",
            "grüße".as_bytes(),
            b"\0\x01\x02",
        ]
        .into_iter()
        .map(|head| MediaType::sniff(head).to_string())
        .collect();
        assert_eq!(
            types,
            [
                "image/png",
                "image/jpeg",
                "image/webp",
                "text/html",
                "application/json",
                "text/plain",
                "application/octet-stream"
            ]
        );
    }

    #[test]
    fn every_extension_names_its_own_type() {
        for extension in [
            "png", "jpg", "webp", "gif", "avif", "svg", "tif", "bmp", "mp4", "mov", "webm", "wav", "mp3",
            "ogg", "flac", "m4a", "txt", "html", "json", "pdf", "zip",
        ] {
            assert_eq!(MediaType::of_extension(extension).unwrap().extension(), extension);
        }
    }
}
