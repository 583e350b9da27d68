//! The output of a prediction between the wire, where files are URIs, and the ledger, where
//! they are artifacts.
//!
//! Nothing is downloaded here: a driver asks for the [`files`], fetches them, and
//! [`assemble`]s the output.

use castline_spec::preset::OutputKind;
use castline_spec::schema::MediaKind;
use indexmap::IndexSet;
use serde_json::Value as Json;

use crate::media::Artifact;
use crate::request::{Output, OutputShape};
use crate::value::Value;

/// Most files of one output; nothing that makes more is a single prediction's work.
const MOST_FILES: usize = 1_000;

/// Why an output is not what the model should give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOutput {
    /// No file is in it.
    #[error("the model gave no {}", .0.as_str())]
    NoFiles(MediaKind),
    /// More files are in it than are fetched.
    #[error("the model gave {0} files, and an output may have {MOST_FILES}")]
    TooMany(usize),
    /// Files are in it, but none of the right kind.
    #[error("the model gave {found} instead of {}", .expected.noun())]
    WrongMedia {
        /// What it should give.
        expected: MediaKind,
        /// The media type of the first file.
        found: String,
    },
    /// The text is something else.
    #[error("the model gave {0} instead of text")]
    NoText(&'static str),
    /// A file was not fetched.
    #[error("`{0}` was not fetched")]
    NotFetched(String),
}

/// The URIs of the files in an output, each once, in order. Text has none.
pub fn files(output: &Json, shape: OutputShape) -> Result<Vec<String>, BadOutput> {
    let mut found = IndexSet::new();
    if shape.kind != OutputKind::Text {
        collect(output, &mut found);
    }
    match shape.kind.media() {
        Some(kind) if found.is_empty() => Err(BadOutput::NoFiles(kind)),
        _ if found.len() > MOST_FILES => Err(BadOutput::TooMany(found.len())),
        _ => Ok(found.into_iter().map(str::to_owned).collect()),
    }
}

fn collect<'a>(output: &'a Json, found: &mut IndexSet<&'a str>) {
    match output {
        Json::String(text) if is_file(text) => {
            found.insert(text);
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Json::Object(map) => map.values().for_each(|item| collect(item, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// True for a text that names a file: an http(s), data or `local:` URI and nothing else.
pub fn is_file(text: &str) -> bool {
    let scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    // A data URI can be long; only its head is looked at.
    let plain = || !text.bytes().any(|b| b.is_ascii_whitespace());
    scheme("data:") && text.contains(',')
        || ["http://", "https://", "local:"].into_iter().any(scheme) && plain()
}

/// The output with artifacts where their URIs stood, and the pieces of a text joined.
pub fn assemble(
    output: Json,
    shape: OutputShape,
    fetched: &dyn Fn(&str) -> Option<Artifact>,
) -> Result<Output, BadOutput> {
    let raw = match shape.kind {
        OutputKind::Text => joined(&output)?,
        _ => replaced(output, fetched)?,
    };
    if let Some(kind) = shape.kind.media() {
        right_media(kind, &raw)?;
    }
    Ok(Output { raw: raw.into() })
}

fn replaced(output: Json, fetched: &dyn Fn(&str) -> Option<Artifact>) -> Result<Value, BadOutput> {
    Ok(match output {
        Json::String(text) if is_file(&text) => match fetched(&text) {
            Some(artifact) => Value::Media(artifact),
            None => return Err(BadOutput::NotFetched(shown(&text))),
        },
        Json::Array(items) => {
            Value::List(items.into_iter().map(|item| replaced(item, fetched)).collect::<Result<_, _>>()?)
        }
        Json::Object(map) => Value::Map(
            map.into_iter()
                .map(|(key, item)| Ok((key, replaced(item, fetched)?)))
                .collect::<Result<_, BadOutput>>()?,
        ),
        other => Value::from_json(other),
    })
}

fn joined(output: &Json) -> Result<Value, BadOutput> {
    let piece = |piece: &Json| match piece {
        Json::String(text) => Ok(text.clone()),
        Json::Number(_) | Json::Bool(_) => Ok(piece.to_string()),
        Json::Null => Err(BadOutput::NoText("nothing")),
        Json::Array(_) => Err(BadOutput::NoText("nested lists")),
        Json::Object(_) => Err(BadOutput::NoText("an object")),
    };
    let text = match output {
        Json::Array(pieces) => pieces.iter().map(piece).collect::<Result<String, _>>()?,
        one => piece(one)?,
    };
    Ok(Value::String(text))
}

/// A model may add a file of another kind, but one of the right kind must be there.
fn right_media(expected: MediaKind, raw: &Value) -> Result<(), BadOutput> {
    let files = raw.media();
    let fits = |file: &&Artifact| expected == MediaKind::File || file.kind() == expected;
    match files.first() {
        None => Err(BadOutput::NoFiles(expected)),
        Some(_) if files.iter().any(fits) => Ok(()),
        Some(first) => Err(BadOutput::WrongMedia { expected, found: first.media_type.to_string() }),
    }
}

/// A URI short enough for a message; data URIs would fill the screen.
fn shown(uri: &str) -> String {
    let short: String = uri.chars().take(60).collect();
    if short.len() < uri.len() { format!("{short}...") } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::digest::Digest;

    use super::*;

    const IMAGES: OutputShape = OutputShape { kind: OutputKind::Image, many: true };
    const TEXT: OutputShape = OutputShape { kind: OutputKind::Text, many: false };
    const JSON: OutputShape = OutputShape { kind: OutputKind::Json, many: false };

    #[allow(clippy::unnecessary_wraps)] // the shape that `assemble` asks for
    fn png(uri: &str) -> Option<Artifact> {
        Some(Artifact::describe(Digest::of(uri.as_bytes()), 9, b"\x89PNG\r\n\x1a\n."))
    }

    #[test]
    fn files_are_found_at_any_depth_and_once() {
        let output = json!({"a": ["https://x/1.png", "HTTP://x/2"], "b": {"c": "https://x/1.png", "d": "data:image/png;base64,AA"}, "e": "see https://x", "f": 1});
        assert_eq!(
            files(&output, JSON).unwrap(),
            ["https://x/1.png", "HTTP://x/2", "data:image/png;base64,AA"]
        );
        assert_eq!(files(&output, TEXT).unwrap(), [""; 0]);
    }

    #[test]
    fn more_files_than_an_output_may_have_are_counted_and_refused() {
        let many = |n: usize| (0..n).map(|n| format!("https://x/{n}.png")).collect::<Json>();
        assert_eq!(files(&many(1_000), IMAGES).expect("so many may be").len(), 1_000);
        for shape in [IMAGES, JSON] {
            let refused = files(&many(200_000), shape).expect_err("nobody fetches them").to_string();
            assert_eq!(refused, "the model gave 200000 files, and an output may have 1000");
        }
        // Pieces of a text are no files, whatever they say.
        assert_eq!(files(&many(200_000), TEXT).expect("text"), [""; 0]);
    }

    #[test]
    fn one_file_or_a_list_becomes_media() {
        let one = assemble(json!("https://x/1.png"), IMAGES, &png).unwrap();
        assert_eq!(*one.raw, Value::Media(png("https://x/1.png").unwrap()));
        let two = assemble(json!(["local:1", "local:2"]), IMAGES, &png).unwrap();
        assert_eq!(two.files(MediaKind::Image).len(), 2);
    }

    #[test]
    fn pieces_of_text_are_joined_without_anything_between() {
        let output = assemble(json!(["A ", "boat", "."]), TEXT, &png).unwrap();
        assert_eq!(output.text(), Some("A boat."));
        assert_eq!(assemble(json!("https://x"), TEXT, &png).unwrap().text(), Some("https://x"));
        assert_eq!(
            assemble(json!({}), TEXT, &png).unwrap_err().to_string(),
            "the model gave an object instead of text"
        );
    }

    #[test]
    fn an_output_without_the_files_it_should_have_is_refused() {
        assert_eq!(files(&json!([]), IMAGES).unwrap_err().to_string(), "the model gave no image");
        assert_eq!(files(&json!("blocked"), IMAGES).unwrap_err().to_string(), "the model gave no image");
        let page = |uri: &str| Some(Artifact::describe(Digest::of(uri.as_bytes()), 9, b"<html>"));
        let wrong = assemble(json!("https://x/1.png"), IMAGES, &page).unwrap_err();
        assert_eq!(wrong.to_string(), "the model gave text/html instead of an image");
        let missing = assemble(json!("https://x/1.png"), IMAGES, &|_: &str| None).unwrap_err();
        assert_eq!(missing.to_string(), "`https://x/1.png` was not fetched");
    }

    #[test]
    fn json_keeps_what_is_no_file() {
        let output = assemble(json!({"score": 2.0, "mask": "local:7"}), JSON, &png).unwrap();
        let Value::Map(map) = &*output.raw else { panic!("a map") };
        assert_eq!(map["score"], Value::Number(2.into()));
        assert!(matches!(map["mask"], Value::Media(_)));
    }
}
