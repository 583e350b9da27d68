//! Files on the page: what shows them, where they are, what they show.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use castline_core::MediaType;
use castline_core::record::{RunRecord, SavedRecord};
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::report::files::{Own, Places, digest_of};

/// A file as the plain list shows it.
#[derive(Debug, Serialize)]
pub(super) struct Media {
    /// Which file.
    digest: String,
    /// `image`, `video`, `audio`, or `file`.
    kind: &'static str,
    /// What `src` takes.
    src: String,
    /// Where a click leads; none for files that a browser would run.
    href: Option<String>,
    /// Words in place of the picture.
    alt: String,
    /// The name of the file.
    name: String,
    /// `1024 × 1024, png, 48 kB`.
    note: String,
    width: Option<u64>,
    height: Option<u64>,
}

/// Where a file is, for the page's scripts.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    /// None where its bytes stand in the plain list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    pub(super) media_type: String,
    /// Its name for downloads, where it was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Place {
    /// On a page that is served.
    pub(super) fn live(digest: &str, media_type: &str, name: Option<String>) -> Self {
        let hex = digest.rsplit(':').next().unwrap_or_default();
        Self { url: Some(format!("file/{hex}")), media_type: media_type.to_owned(), name }
    }
}

/// Finds files for the page.
pub(super) struct Shelf {
    places: Places,
    folder: PathBuf,
    embed: bool,
    /// What the leg that made a file was asked for, by digest.
    words: BTreeMap<String, String>,
    /// Files whose bytes were put into the page.
    inside: RefCell<BTreeSet<String>>,
}

/// True for a file, and for a list of files.
pub(super) fn is_media(value: &Json) -> bool {
    match value {
        Json::Object(map) => digest_of(map).is_some(),
        Json::Array(items) => !items.is_empty() && items.iter().all(is_media),
        _ => false,
    }
}

impl Shelf {
    pub(super) fn new(places: Places, folder: &Path, embed: bool, record: &RunRecord) -> Self {
        let mut words = BTreeMap::new();
        for leg in &record.legs {
            let said = super::plain::prompt(leg).unwrap_or_else(|| leg.leg.name.clone());
            each_file(&leg.output_json().unwrap_or_default(), &mut |digest, _| {
                words.entry(digest.to_owned()).or_insert_with(|| said.clone());
            });
        }
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { places, folder, embed, words, inside: RefCell::default() }
    }

    /// Where each file in a value is, by digest. What is in the page already is not there twice.
    pub(super) fn links(&self, value: &Json, own: &[SavedRecord], found: &mut IndexMap<String, Place>) {
        let own = Own::of(own);
        each_file(value, &mut |digest, file| {
            let path = self.places.path(digest, &own);
            let name = path.rsplit('/').next().filter(|name| name.contains('.')).map(str::to_owned);
            let media_type = file.get("media_type").and_then(Json::as_str).unwrap_or_default().to_owned();
            let is_inside = self.inside.borrow().contains(digest);
            let place = || Place { url: (!is_inside).then(|| self.link(&path)), media_type, name };
            found.entry(digest.to_owned()).or_insert_with(place);
        });
    }

    /// Every file in a value.
    pub(super) fn media(&self, value: &Json, own: &[SavedRecord]) -> Vec<Media> {
        let (mut found, own) = (Vec::new(), Own::of(own));
        each_file(value, &mut |digest, file| found.push(self.one(digest, file, &own)));
        found
    }

    fn one(&self, digest: &str, file: &Map<String, Json>, own: &Own<'_>) -> Media {
        let text = |key: &str| file.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| file.get(key).and_then(Json::as_u64);
        let media_type = MediaType::new(text("media_type"));
        let path = self.places.path(digest, own);
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_saved = name.contains('.');
        let (width, height) = (number("width"), number("height"));
        Media {
            digest: digest.to_owned(),
            kind: match media_type.kind() {
                MediaKind::Image => "image",
                MediaKind::Video => "video",
                MediaKind::Audio => "audio",
                MediaKind::File => "file",
            },
            src: self.source(digest, &path, &media_type),
            href: is_harmless(&media_type).then(|| self.link(&path)),
            alt: self.words.get(digest).cloned().unwrap_or_else(|| name.to_owned()),
            name: if is_saved { name.to_owned() } else { String::new() },
            note: note(&media_type, number("bytes").unwrap_or(0), width.zip(height)),
            width,
            height,
        }
    }

    /// A link, or with `embed` the bytes themselves.
    fn source(&self, digest: &str, path: &str, media_type: &MediaType) -> String {
        let bytes = if self.embed { std::fs::read(self.places.absolute(path)).ok() } else { None };
        match bytes {
            Some(bytes) => {
                self.inside.borrow_mut().insert(digest.to_owned());
                format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
            }
            None => self.link(path),
        }
    }

    fn link(&self, path: &str) -> String {
        let target = self.places.absolute(path);
        relative(&self.folder, &std::path::absolute(&target).unwrap_or(target))
    }
}

pub(super) fn each_file(value: &Json, visit: &mut dyn FnMut(&str, &Map<String, Json>)) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| each_file(item, visit)),
        Json::Object(map) => match digest_of(map) {
            Some(digest) => visit(digest, map),
            None => map.values().for_each(|item| each_file(item, visit)),
        },
        _ => {}
    }
}

/// A browser runs what stands in an SVG or a page that it opens; in an `img` it does not.
fn is_harmless(media_type: &MediaType) -> bool {
    !matches!(media_type.as_str(), "image/svg+xml" | "text/html" | "application/xhtml+xml" | "text/xml")
}

fn note(media_type: &MediaType, bytes: u64, size: Option<(u64, u64)>) -> String {
    let pixels = size.map(|(w, h)| format!("{w} × {h}"));
    let bytes = match bytes {
        b if b < 1000 => format!("{b} B"),
        b if b < 1_000_000 => format!("{:.0} kB", b as f64 / 1e3),
        b => format!("{:.1} MB", b as f64 / 1e6),
    };
    let parts = [pixels, Some(media_type.extension().to_owned()), Some(bytes)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The way from a folder to a file, as a link. It begins with a dot, so that no name can be
/// taken for a scheme; on another drive it is the whole path.
fn relative(folder: &Path, file: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if same == 0 {
        return format!("file://{}", encode(&file.to_string_lossy()));
    }
    let up = from[same..].iter().map(|_| "..".to_owned());
    let down = to[same..].iter().map(|part| match part {
        Component::Normal(name) => encode(&name.to_string_lossy()),
        other => encode(&other.as_os_str().to_string_lossy()),
    });
    let parts: Vec<_> = up.chain(down).collect();
    if same == from.len() { format!("./{}", parts.join("/")) } else { parts.join("/") }
}

/// Percent-encodes everything that means something in a URL.
fn encode(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    part.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_the_page_to_the_file() {
        let to = |file: &str| relative(Path::new("/p/out/boat"), Path::new(file));
        assert_eq!(to("/p/out/boat/a b.png"), "./a%20b.png");
        assert_eq!(to("/p/out/boat/x/ü.png"), "./x/%C3%BC.png");
        assert_eq!(to("/p/.castline/blobs/sha256/ab/abcd"), "../../.castline/blobs/sha256/ab/abcd");
        assert_eq!(to("/p/out/boat/javascript:x?y#z"), "./javascript%3Ax%3Fy%23z");
    }

    #[test]
    fn a_file_is_told_apart_from_other_maps() {
        let file = serde_json::json!({"digest": "sha256:00", "media_type": "image/png", "bytes": 1});
        assert!(is_media(&file) && is_media(&serde_json::json!([file, file])));
        assert!(!is_media(&serde_json::json!({"digest": "sha256:00"})) && !is_media(&serde_json::json!([])));
    }

    #[test]
    fn what_a_browser_would_run_is_shown_and_not_linked() {
        assert!(is_harmless(&MediaType::new("image/png")) && !is_harmless(&MediaType::new("image/svg+xml")));
        assert_eq!(note(&MediaType::new("image/png"), 48_213, Some((1600, 600))), "1600 × 600, png, 48 kB");
    }
}
