//! The input of a prediction as a local provider reads it: schema defaults filled in,
//! numbers and choices read leniently, files in memory.
//!
//! A [`Fields`] owns everything, so that the work can move to another thread.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use base64::Engine;
use castline_core::{Artifact, Digest, Value};
use indexmap::IndexMap;

use super::fault::Fault;
use super::picture::{self, Picture};
use crate::call::{Create, MediaSource};

/// The input of one prediction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    values: IndexMap<String, Value>,
    schema: serde_json::Value,
    files: HashMap<Digest, Arc<[u8]>>,
}

/// A file in an input, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct FileField {
    /// `images[1]`, for messages.
    pub(crate) place: String,
    /// `images`, for its meaning.
    pub(crate) field: String,
    /// What is in it.
    pub(crate) content: Content,
}

/// What a file field holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The bytes.
    Bytes(Arc<[u8]>),
    /// A URL, which nobody here may follow.
    Url(String),
}

impl Fields {
    /// Takes the input with the schema's defaults, and reads its files.
    pub(crate) fn of(create: &Create<'_>, media: &dyn MediaSource) -> io::Result<Self> {
        let schema = create.schema.cloned().unwrap_or_default();
        let mut values: IndexMap<_, _> = create
            .input
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let default = &property["default"];
            if !default.is_null() && !values.contains_key(name) {
                values.insert(name.clone(), Value::from_json(default.clone()));
            }
        }
        values.sort_unstable_keys();
        let mut files = HashMap::new();
        for artifact in values.values().flat_map(Value::media) {
            if let std::collections::hash_map::Entry::Vacant(e) = files.entry(artifact.digest) {
                e.insert(media.read(artifact)?.into());
            }
        }
        Ok(Self { values, schema, files })
    }

    /// The value, whatever it is.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// True when the model's schema has the field.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }

    /// What the schema says of a field, in words.
    pub(crate) fn description(&self, name: &str) -> &str {
        self.schema["properties"][name]["description"].as_str().unwrap_or_default()
    }

    /// The text of a field; blank ones count as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The first number of a field, also out of texts such as `"0.25"`, `"x4"` or `"2 MP"`.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => first_number(text),
            _ => None,
        }
    }

    /// The flag, false when absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true)))
    }

    /// The texts of a list field; numbers and flags as they are written, anything else empty.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => String::new(),
        };
        match self.get(name) {
            Some(Value::List(items)) => items.iter().map(plain).collect(),
            Some(value) => vec![plain(value)],
            None => Vec::new(),
        }
    }

    /// Names and values, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Every file, by field name, lists in their order.
    pub(crate) fn files(&self) -> Vec<FileField> {
        self.values.keys().flat_map(|name| self.files_of(name)).collect()
    }

    /// The files of one field.
    pub(crate) fn files_of(&self, name: &str) -> Vec<FileField> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let items = match value {
            Value::List(items) => {
                items.iter().enumerate().map(|(i, v)| (format!("{name}[{i}]"), v)).collect()
            }
            single => vec![(name.to_owned(), single)],
        };
        items
            .into_iter()
            .filter_map(|(place, value)| {
                Some(FileField { place, field: name.to_owned(), content: self.content(name, value)? })
            })
            .collect()
    }

    fn content(&self, name: &str, value: &Value) -> Option<Content> {
        match value {
            Value::Media(Artifact { digest, .. }) => self.files.get(digest).cloned().map(Content::Bytes),
            Value::String(url) if self.takes_files(name) => match url.split_once(";base64,") {
                Some((head, data)) if head.starts_with("data:") => {
                    let bytes =
                        base64::engine::general_purpose::STANDARD.decode(data.trim()).unwrap_or_default();
                    Some(Content::Bytes(bytes.into()))
                }
                _ if url.contains("://") => Some(Content::Url(url.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    /// By the schema where there is one, else by the field's name.
    fn takes_files(&self, name: &str) -> bool {
        match self.schema["properties"].get(name) {
            Some(property) => property["format"] == "uri" || property["items"]["format"] == "uri",
            None => ["image", "mask", "img"].iter().any(|part| name.contains(part)),
        }
    }
}

impl FileField {
    /// The bytes, or why there are none.
    pub(crate) fn bytes(&self) -> Result<&[u8], Fault> {
        match &self.content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Url(url) => {
                Err(Fault::new(format!("`{}` is a URL ({url}) and must be a file", self.place)))
            }
        }
    }

    /// The picture, or why it is none.
    pub(crate) fn picture(&self) -> Result<Picture, Fault> {
        picture::read(self.bytes()?)
            .map_err(|e| Fault::new(format!("`{}` is not an image that can be read: {e}", self.place)))
    }
}

/// The first number in a text.
pub(crate) fn first_number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_the_texts_of_models() {
        let found: Vec<_> = ["0.25", "x4", "2 MP", "6x", "None", "1.", "720p"].map(first_number).into();
        assert_eq!(found, [Some(0.25), Some(4.0), Some(2.0), Some(6.0), None, Some(1.0), Some(720.0)]);
    }
}
