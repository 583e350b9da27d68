//! Values as plain JSON, media as objects with a digest: how people and journals see them.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::media::Artifact;
use crate::value::Value;

/// An artifact as JSON shows it: digest, media type, bytes, and pixels where known.
pub fn artifact(artifact: &Artifact) -> Json {
    let mut json = json!({
        "digest": artifact.digest,
        "media_type": artifact.media_type,
        "bytes": artifact.bytes,
    });
    if let (Some(width), Some(height)) = (artifact.width, artifact.height) {
        json["width"] = width.into();
        json["height"] = height.into();
    }
    json
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

/// For `#[serde(serialize_with)]` on a [`Value`].
pub fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    json(value).serialize(to)
}

/// For `#[serde(deserialize_with)]` on a [`Value`].
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Json::deserialize(from).map(parse)
}

/// The same for the input of a prediction.
pub mod map {
    use super::{Deserialize, Deserializer, IndexMap, Json, Serialize, Serializer, Value};

    /// For `#[serde(with)]`.
    pub fn serialize<S: Serializer>(map: &IndexMap<String, Value>, to: S) -> Result<S::Ok, S::Error> {
        map.iter().map(|(k, v)| (k.clone(), super::json(v))).collect::<serde_json::Map<_, _>>().serialize(to)
    }

    /// For `#[serde(with)]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<IndexMap<String, Value>, D::Error> {
        let map: serde_json::Map<String, Json> = Deserialize::deserialize(from)?;
        Ok(map.into_iter().map(|(k, v)| (k, super::parse(v))).collect())
    }
}
