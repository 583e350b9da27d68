//! Values as plain JSON, media as objects with a digest: how people and journals see them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::digest::Digest;
use crate::media::{Artifact, MediaType};
use crate::value::Value;

/// An artifact as JSON shows it.
#[derive(Serialize)]
struct ShownArtifact<'a> {
    digest: &'a Digest,
    media_type: &'a MediaType,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

impl<'a> From<&'a Artifact> for ShownArtifact<'a> {
    fn from(artifact: &'a Artifact) -> Self {
        let (width, height) = artifact.width.zip(artifact.height).unzip();
        Self {
            digest: &artifact.digest,
            media_type: &artifact.media_type,
            bytes: artifact.bytes,
            width,
            height,
        }
    }
}

/// An artifact as JSON shows it: digest, media type, bytes, and pixels where known.
pub fn artifact(artifact: &Artifact) -> Json {
    serde_json::to_value(ShownArtifact::from(artifact)).expect("it is plain data")
}

/// A value as JSON shows it.
pub fn json(value: &Value) -> Json {
    value.to_json(&mut artifact)
}

/// Reads what [`json()`] wrote. A map that looks just like an artifact is taken for one, which
/// is good enough for a record and never decides anything.
pub fn parse(json: Json) -> Value {
    match json {
        Json::Object(map) if map.contains_key("digest") && map.contains_key("media_type") => {
            match serde_json::from_value(Json::Object(map.clone())) {
                Ok(artifact) => Value::Media(artifact),
                Err(_) => Value::Map(map.into_iter().map(|(k, v)| (k, parse(v))).collect()),
            }
        }
        Json::Object(map) => Value::Map(map.into_iter().map(|(k, v)| (k, parse(v))).collect()),
        Json::Array(items) => Value::List(items.into_iter().map(parse).collect()),
        other => Value::from_json(other),
    }
}

/// A value that is written as [`json()`] shows it.
struct Shown<'a>(&'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(b) => to.serialize_bool(*b),
            Value::Number(n) => n.serialize(to),
            Value::String(s) => to.serialize_str(s),
            Value::List(items) => to.collect_seq(items.iter().map(Shown)),
            Value::Map(map) => to.collect_map(map.iter().map(|(key, value)| (key, Shown(value)))),
            Value::Media(artifact) => ShownArtifact::from(artifact).serialize(to),
        }
    }
}

/// For `#[serde(serialize_with)]` on a [`Value`].
pub fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    Shown(value).serialize(to)
}

/// For `#[serde(deserialize_with)]` on a [`Value`], shared or not.
pub fn deserialize<'de, D: Deserializer<'de>, T: From<Value>>(from: D) -> Result<T, D::Error> {
    Json::deserialize(from).map(|json| parse(json).into())
}

/// The same where there may be none.
pub mod option {
    use super::{Arc, Deserialize, Deserializer, Json, Serialize, Serializer, Shown, Value, parse};

    /// For `#[serde(with)]`.
    pub fn serialize<S: Serializer>(value: &Option<Arc<Value>>, to: S) -> Result<S::Ok, S::Error> {
        value.as_deref().map(Shown).serialize(to)
    }

    /// For `#[serde(with)]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<Value>>, D::Error> {
        Ok(Option::<Json>::deserialize(from)?.map(|json| Arc::new(parse(json))))
    }
}

/// The same for the input of a prediction.
pub mod map {
    use super::{Arc, Deserialize, Deserializer, IndexMap, Json, Serializer, Shown, Value};

    /// For `#[serde(with)]`.
    pub fn serialize<S: Serializer>(map: &IndexMap<String, Value>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(map.iter().map(|(key, value)| (key, Shown(value))))
    }

    /// For `#[serde(with)]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<IndexMap<String, Value>>, D::Error> {
        let map: serde_json::Map<String, Json> = Deserialize::deserialize(from)?;
        Ok(Arc::new(map.into_iter().map(|(k, v)| (k, super::parse(v))).collect()))
    }
}
