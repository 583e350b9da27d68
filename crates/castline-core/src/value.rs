//! Values that flow between steps: JSON, and media.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::media::Artifact;

/// A value of an input or an output. Its serialised form is tagged, so that a text can
/// never be taken for media; it is what the ledger stores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// None.
    Null,
    /// True or false.
    Bool(bool),
    /// A number; integers have no fraction.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map, in its order.
    Map(IndexMap<String, Value>),
    /// A file.
    Media(Artifact),
}

impl Value {
    /// Takes JSON as it is. Whole floats become integers, as models' servers want them.
    pub fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(b),
            serde_json::Value::Number(n) => Self::Number(whole(n)),
            serde_json::Value::String(s) => Self::String(s),
            serde_json::Value::Array(items) => Self::List(items.into_iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.into_iter().map(|(k, v)| (k, Self::from_json(v))).collect())
            }
        }
    }

    /// JSON in which `media` says what stands for a file.
    pub fn to_json(&self, media: &mut dyn FnMut(&Artifact) -> serde_json::Value) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Number(n) => serde_json::Value::Number(n.clone()),
            Self::String(s) => s.clone().into(),
            Self::List(items) => items.iter().map(|v| v.to_json(media)).collect(),
            Self::Map(map) => {
                serde_json::Value::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json(media))).collect())
            }
            Self::Media(artifact) => media(artifact),
        }
    }

    /// Every file in it, in order.
    pub fn media(&self) -> Vec<&Artifact> {
        fn collect<'a>(value: &'a Value, found: &mut Vec<&'a Artifact>) {
            match value {
                Value::Media(artifact) => found.push(artifact),
                Value::List(items) => items.iter().for_each(|v| collect(v, found)),
                Value::Map(map) => map.values().for_each(|v| collect(v, found)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut found = Vec::new();
        collect(self, &mut found);
        found
    }

    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// True for none.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

fn whole(number: Number) -> Number {
    match number.as_f64() {
        Some(f) if number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => Number::from(f as i64),
        _ => number,
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
