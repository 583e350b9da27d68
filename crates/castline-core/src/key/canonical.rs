//! The canonical form of values (RFC 8785), each tagged with its kind: `["string","boat"]`.
//!
//! It is written straight into bytes: a key is made for every leg of a plan.

use serde_json::Number;

use crate::value::Value;

/// Integers below are the same as texts, numbers and floats; beyond, floats round them.
const EXACT: u64 = 1 << 53;

/// A value with its kind.
pub(super) fn value(to: &mut Vec<u8>, of: &Value) {
    match of {
        Value::Null => to.extend_from_slice(br#"["null"]"#),
        Value::Bool(true) => to.extend_from_slice(br#"["boolean",true]"#),
        Value::Bool(false) => to.extend_from_slice(br#"["boolean",false]"#),
        Value::Number(n) => tagged(to, "number", |to| number(to, n)),
        Value::String(s) => tagged(to, "string", |to| text(to, s)),
        Value::List(items) => tagged(to, "list", |to| list(to, items)),
        Value::Map(entries) => tagged(to, "map", |to| {
            map(to, entries.iter().map(|(key, value)| (["", key], value)).collect(), self::value);
        }),
        Value::Media(artifact) => tagged(to, "media", |to| text(to, artifact.digest.text().as_str())),
    }
}

/// `["KIND",...]`
pub(super) fn tagged(to: &mut Vec<u8>, kind: &str, write: impl FnOnce(&mut Vec<u8>)) {
    to.extend_from_slice(b"[\"");
    to.extend_from_slice(kind.as_bytes());
    to.extend_from_slice(b"\",");
    write(to);
    to.push(b']');
}

/// Values with their kinds.
pub(super) fn list(to: &mut Vec<u8>, items: &[Value]) {
    to.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            to.push(b',');
        }
        value(to, item);
    }
    to.push(b']');
}

/// A map whose keys are in two parts, ordered by their UTF-16 code units. Of two first parts none
/// begins the other.
pub(super) fn map<T>(to: &mut Vec<u8>, mut entries: Vec<([&str; 2], T)>, write: impl Fn(&mut Vec<u8>, T)) {
    let order = |a: &str, b: &str| match a.is_ascii() && b.is_ascii() {
        true => a.cmp(b),
        false => a.encode_utf16().cmp(b.encode_utf16()),
    };
    entries.sort_by(|([a, x], _), ([b, y], _)| a.cmp(b).then_with(|| order(x, y)));
    to.push(b'{');
    for (at, (key, entry)) in entries.into_iter().enumerate() {
        if at > 0 {
            to.push(b',');
        }
        to.push(b'"');
        key.iter().for_each(|part| escaped(to, part));
        to.extend_from_slice(b"\":");
        write(to, entry);
    }
    to.push(b'}');
}

/// A text.
pub(super) fn text(to: &mut Vec<u8>, of: &str) {
    to.push(b'"');
    escaped(to, of);
    to.push(b'"');
}

/// What stands between the quotes of a text; JSON's usual way of writing it is the canonical one.
fn escaped(to: &mut Vec<u8>, of: &str) {
    if of.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        return to.extend_from_slice(of.as_bytes());
    }
    let quoted = serde_json::to_string(of).expect("memory takes everything");
    to.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
}

/// A number, written as the nearest float is.
pub(super) fn number(to: &mut Vec<u8>, of: &Number) {
    let exact = of.as_i64().is_some_and(|n| n.unsigned_abs() <= EXACT);
    let written = match exact {
        true => serde_json::to_writer(to, of).map_err(std::io::Error::from),
        false => serde_json_canonicalizer::to_writer(of, to).map_err(std::io::Error::from),
    };
    written.expect("numbers are finite");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    /// The same by way of JSON, which somebody else makes canonical.
    fn as_json(value: &Value) -> Json {
        match value {
            Value::Null => json!(["null"]),
            Value::Bool(b) => json!(["boolean", b]),
            Value::Number(n) => json!(["number", n]),
            Value::String(s) => json!(["string", s]),
            Value::List(items) => json!(["list", items.iter().map(as_json).collect::<Vec<_>>()]),
            Value::Map(map) => {
                let map: serde_json::Map<_, _> = map.iter().map(|(k, v)| (k.clone(), as_json(v))).collect();
                json!(["map", map])
            }
            Value::Media(artifact) => json!(["media", artifact.digest]),
        }
    }

    fn number() -> impl Strategy<Value = Number> {
        let float = any::<f64>().prop_filter_map("finite", Number::from_f64);
        let near = (-3_i64..3).prop_map(|n| Number::from((1 << 53) + n));
        prop_oneof![any::<i64>().prop_map(Number::from), any::<u64>().prop_map(Number::from), float, near]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number().prop_map(Value::Number),
            any::<String>().prop_map(Value::String),
            any::<Vec<u8>>().prop_map(|bytes| {
                let digest = crate::digest::Digest::of(&bytes);
                Value::Media(crate::media::Artifact::describe(digest, bytes.len() as u64, &bytes))
            }),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            let lists = proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List);
            let maps = proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect()));
            prop_oneof![lists, maps]
        })
    }

    proptest! {
        #[test]
        fn values_are_written_as_the_standard_says(of in values()) {
            let mut written = Vec::new();
            value(&mut written, &of);
            let standard = serde_json_canonicalizer::to_vec(&as_json(&of)).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(standard).unwrap());
        }
    }
}
