//! The input of a create as it is sent, and where its files travel: under an address that
//! the provider reads by itself, or written into the request.
//!
//! Start reading at [`Sending::body`].

use castline_core::{Artifact, MediaType, Value};
use castline_spec::schema::MediaKind;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Number, Value as Json};

use super::data_uri;
use super::options::Limits;
use crate::call::{CallFault, Create, Links, MediaSource};
use crate::secrets::Secrets;

/// Everything that is ever sent with a create. Closed, because hosts refuse members they
/// do not know, and because nothing else may leak into it.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    input: Map<String, Json>,
}

/// Writes the body of a create whose files all travel inside it.
pub(crate) fn body(
    version: Option<&str>,
    create: &Create<'_>,
    media: &dyn MediaSource,
    limits: &Limits,
) -> Result<Vec<u8>, CallFault> {
    Sending { input: create.input, secrets: create.secrets, links: &Links::new(), limits }
        .body(version, media)
}

/// An input on its way into a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sending<'a, 'l> {
    /// By the model's field names.
    pub input: &'a IndexMap<String, Value>,
    /// What is filled in besides.
    pub secrets: &'a Secrets,
    /// Files that the provider reads by itself.
    pub links: &'a Links,
    /// What fits into a request.
    pub limits: &'l Limits,
}

impl<'a, 'l> Sending<'a, 'l> {
    /// The body of the create. What does not fit is refused before a byte of it is read:
    /// artifacts can be videos.
    pub fn body(&self, version: Option<&str>, media: &dyn MediaSource) -> Result<Vec<u8>, CallFault> {
        let mut room = self.room();
        let mut input = self.written(&mut |artifact, at| {
            room.take(artifact, at)?;
            let bytes = media.read(artifact)?;
            Ok(data_uri::encode(&MediaType::sniff(&bytes), &bytes))
        })?;
        self.secrets.fill(&mut input);
        serde_json::to_vec(&Body { version, input }).map_err(|e| CallFault::BadInput(e.to_string()))
    }

    /// The input as [`Self::body`] sends it, with a digest in place of the bytes of each
    /// file that travels inside it, and without what is secret.
    pub fn sent(&self) -> Result<Json, CallFault> {
        let mut room = self.room();
        let mut input = self.written(&mut |artifact, at| {
            room.take(artifact, at)?;
            Ok(format!("data:{}", artifact.digest))
        })?;
        self.secrets.mark(&mut input);
        Ok(Json::Object(input))
    }

    /// Every file without a link once, where it stands first, and what it adds to the
    /// request when it travels inside.
    pub fn loose(&self) -> Result<Vec<Loose<'a>>, CallFault> {
        let mut loose: IndexMap<_, Loose<'a>> = IndexMap::new();
        self.written(&mut |artifact, at| {
            let first = || Loose { artifact, at: at.to_owned(), inside: 0 };
            loose.entry(artifact.digest).or_insert_with(first).inside += inside(artifact);
            Ok(String::new())
        })?;
        Ok(loose.into_values().collect())
    }

    fn room(&self) -> Room<'l> {
        Room { limits: self.limits, spent: 0 }
    }

    fn written(&self, inline: Inline<'_, 'a>) -> Result<Map<String, Json>, CallFault> {
        self.map(self.input, "", inline)
    }

    fn map(
        &self,
        map: &'a IndexMap<String, Value>,
        at: &str,
        inline: Inline<'_, 'a>,
    ) -> Result<Map<String, Json>, CallFault> {
        let mut written = Map::new();
        for (name, value) in map.iter().filter(|(_, v)| !v.is_null()) {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            written.insert(name.clone(), self.value(value, &at, inline)?);
        }
        Ok(written)
    }

    fn value(&self, value: &'a Value, at: &str, inline: Inline<'_, 'a>) -> Result<Json, CallFault> {
        Ok(match value {
            Value::Null => Json::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => whole(n).into(),
            Value::String(s) => s.as_str().into(),
            Value::List(items) => {
                let kept = items.iter().filter(|v| !v.is_null()).enumerate();
                kept.map(|(i, v)| self.value(v, &format!("{at}[{i}]"), inline)).collect::<Result<_, _>>()?
            }
            Value::Map(map) => self.map(map, at, inline)?.into(),
            Value::Media(artifact) => match self.links.get(&artifact.digest) {
                Some(url) => url.as_str().into(),
                None => inline(artifact, at)?.into(),
            },
        })
    }
}

/// Writes a file into the request; it is told in which field.
type Inline<'f, 'a> = &'f mut dyn FnMut(&'a Artifact, &str) -> Result<String, CallFault>;

/// A file without a link.
#[derive(Debug)]
pub(crate) struct Loose<'a> {
    pub artifact: &'a Artifact,
    /// The field in which it stands first.
    pub at: String,
    /// What it adds to the request wherever it stands in it. Bytes.
    pub inside: u64,
}

fn inside(artifact: &Artifact) -> u64 {
    data_uri::encoded_len(&artifact.media_type, artifact.bytes)
}

/// What is left of a request for files.
struct Room<'a> {
    limits: &'a Limits,
    spent: u64,
}

impl Room<'_> {
    fn take(&mut self, artifact: &Artifact, at: &str) -> Result<(), CallFault> {
        if artifact.bytes > self.limits.file_bytes {
            return Err(CallFault::BadInput(format!(
                "the file in `{at}` has {}, and at most {} can travel inside a request; {}",
                size(artifact.bytes),
                size(self.limits.file_bytes),
                smaller(artifact)
            )));
        }
        self.spent += inside(artifact);
        if self.spent > self.limits.request_bytes {
            return Err(CallFault::BadInput(format!(
                "with the file in `{at}` ({}) the files of this request take {} as they are sent, and at most {} \
                 can; send fewer of them, or {}",
                size(artifact.bytes),
                size(self.spent),
                size(self.limits.request_bytes),
                smaller(artifact)
            )));
        }
        Ok(())
    }
}

/// What would work instead.
fn smaller(artifact: &Artifact) -> String {
    let smaller = match artifact.kind() {
        MediaKind::Image => "put `std/resize` before this step, or `std/convert` to webp or jpg",
        _ => "give a shorter or more compressed file",
    };
    format!(
        "{smaller}; or give the text of a public https address of it, or use a provider that takes uploads"
    )
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
        let limits = Limits::default();
        let sending =
            Sending { input: &input, secrets: Secrets::NONE, links: &Links::new(), limits: &limits };
        let body = sending.body(version, &Pictures).map_err(|e| e.to_string())?;
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
             before this step, or `std/convert` to webp or jpg; or give the text of a public https address of it, or \
             use a provider that takes uploads"
        );
    }

    #[test]
    fn pitfall_13_the_growth_of_base64_counts_for_the_request() {
        let refs = |n: usize| Value::List(vec![picture(256 << 10); n]);
        assert!(written(None, &[("refs", refs(2))]).is_ok());
        assert_eq!(
            written(None, &[("refs", refs(4))]).unwrap_err(),
            "with the file in `refs[2]` (256 KiB) the files of this request take 1.0 MiB as they are sent, and at most \
             1.0 MiB can; send fewer of them, or put `std/resize` before this step, or `std/convert` to webp or jpg; or \
             give the text of a public https address of it, or use a provider that takes uploads"
        );
    }
}
