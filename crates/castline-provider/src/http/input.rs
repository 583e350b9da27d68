//! The body of a create, with files written into it.

use castline_core::{Artifact, MediaType, Value};
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Number};

use super::data_uri;
use super::options::Limits;
use crate::call::{CallFault, MediaSource};

/// Everything that is ever sent with a create. Closed, because hosts refuse members they
/// do not know, and because nothing else may leak into it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    input: Map<String, serde_json::Value>,
}

/// Writes the body of a create.
pub(super) fn body(
    version: Option<&str>,
    input: &IndexMap<String, Value>,
    media: &dyn MediaSource,
    limits: &Limits,
) -> Result<Vec<u8>, CallFault> {
    let mut writer = Writer { media, limits, spent: 0 };
    let input = writer.map(input, "")?;
    serde_json::to_vec(&Body { version, input }).map_err(|e| CallFault::BadInput(e.to_string()))
}

struct Writer<'a> {
    media: &'a dyn MediaSource,
    limits: &'a Limits,
    spent: u64,
}

impl Writer<'_> {
    fn map(
        &mut self,
        map: &IndexMap<String, Value>,
        at: &str,
    ) -> Result<Map<String, serde_json::Value>, CallFault> {
        let mut written = Map::new();
        for (name, value) in map.iter().filter(|(_, v)| !v.is_null()) {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            written.insert(name.clone(), self.value(value, &at)?);
        }
        Ok(written)
    }

    fn value(&mut self, value: &Value, at: &str) -> Result<serde_json::Value, CallFault> {
        Ok(match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => whole(n).into(),
            Value::String(s) => s.as_str().into(),
            Value::List(items) => {
                let kept = items.iter().filter(|v| !v.is_null()).enumerate();
                kept.map(|(i, v)| self.value(v, &format!("{at}[{i}]"))).collect::<Result<_, _>>()?
            }
            Value::Map(map) => self.map(map, at)?.into(),
            Value::Media(artifact) => self.file(artifact, at)?.into(),
        })
    }

    /// The length is checked before a byte is read: artifacts can be videos.
    fn file(&mut self, artifact: &Artifact, at: &str) -> Result<String, CallFault> {
        if artifact.bytes > self.limits.file_bytes {
            return Err(CallFault::BadInput(format!(
                "the file in `{at}` has {}, and at most {} can travel inside a request; {}",
                size(artifact.bytes),
                size(self.limits.file_bytes),
                smaller(artifact)
            )));
        }
        self.spent += data_uri::encoded_len(&artifact.media_type, artifact.bytes);
        if self.spent > self.limits.request_bytes {
            return Err(CallFault::BadInput(format!(
                "with the file in `{at}` ({}) the files of this request take {} as they are sent, and at most {} \
                 can; send fewer of them, or make them smaller: {}",
                size(artifact.bytes),
                size(self.spent),
                size(self.limits.request_bytes),
                smaller(artifact)
            )));
        }
        let bytes = self.media.read(artifact)?;
        Ok(data_uri::encode(&MediaType::sniff(&bytes), &bytes))
    }
}

fn smaller(artifact: &Artifact) -> &'static str {
    match artifact.kind() {
        MediaKind::Image => "put `std/resize` before this step, or `std/convert` to webp or jpg",
        _ => "give a shorter or more compressed file, or the text of a public https address of it",
    }
}

/// Servers written in Python refuse `1.0` where they want an integer.
fn whole(number: &Number) -> Number {
    match number.as_f64() {
        Some(f) if number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => Number::from(f as i64),
        _ => number.clone(),
    }
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use castline_core::Digest;
    use serde_json::json;

    use super::*;

    /// Every artifact is a PNG of its own length.
    struct Pictures;

    impl MediaSource for Pictures {
        fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>> {
            let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
            bytes.resize(artifact.bytes as usize, 0);
            Ok(bytes)
        }
    }

    fn picture(bytes: u64) -> Value {
        let media_type = MediaType::new("image/png");
        Value::Media(Artifact {
            digest: Digest::of(b"picture"),
            media_type,
            bytes,
            width: None,
            height: None,
        })
    }

    fn written(version: Option<&str>, input: &[(&str, Value)]) -> Result<String, String> {
        let input = input.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let body = body(version, &input, &Pictures, &Limits::default()).map_err(|e| e.to_string())?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn pitfall_11_a_body_has_the_documented_members_and_no_others() {
        assert_eq!(written(None, &[("prompt", "hi".into())]).unwrap(), r#"{"input":{"prompt":"hi"}}"#);
        assert_eq!(written(Some("3f0e"), &[]).unwrap(), r#"{"version":"3f0e","input":{}}"#);
    }

    #[test]
    fn pitfall_12_lists_stay_lists_and_whole_numbers_lose_their_fraction() {
        let list = Value::List(vec![Value::Number(Number::from_f64(2.0).unwrap()), Value::Null, "x".into()]);
        let nested = Value::Map(IndexMap::from([("a".into(), Value::Null), ("b".into(), list)]));
        let float = Value::Number(Number::from_f64(0.25).unwrap());
        assert_eq!(
            written(None, &[("z", nested), ("none", Value::Null), ("a", float)]).unwrap(),
            r#"{"input":{"z":{"b":[2,"x"]},"a":0.25}}"#
        );
    }

    #[test]
    fn pitfall_16_a_file_carries_the_media_type_of_its_bytes() {
        let body = written(None, &[("image", picture(8))]).unwrap();
        assert_eq!(body, json!({ "input": { "image": "data:image/png;base64,iVBORw0KGgo=" } }).to_string());
    }

    #[test]
    fn pitfall_13_a_file_that_is_too_large_is_named_with_what_would_work() {
        assert!(written(None, &[("image", picture(256 << 10))]).is_ok());
        assert_eq!(
            written(None, &[("input_image", picture(3 << 19))]).unwrap_err(),
            "the file in `input_image` has 1.5 MiB, and at most 256 KiB can travel inside a request; put `std/resize` \
             before this step, or `std/convert` to webp or jpg"
        );
    }

    #[test]
    fn pitfall_13_the_growth_of_base64_counts_for_the_request() {
        let refs = |n: usize| Value::List(vec![picture(256 << 10); n]);
        assert!(written(None, &[("refs", refs(2))]).is_ok());
        assert_eq!(
            written(None, &[("refs", refs(4))]).unwrap_err(),
            "with the file in `refs[2]` (256 KiB) the files of this request take 1.0 MiB as they are sent, and at most \
             1.0 MiB can; send fewer of them, or make them smaller: put `std/resize` before this step, or `std/convert` \
             to webp or jpg"
        );
    }
}
