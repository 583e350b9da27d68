//! Whether a listed input is the one that was sent.
//!
//! Both mistakes cost money: taking somebody else's prediction for ours gives a wrong
//! result, and the lost one is created again; not recognising ours pays for it twice. So
//! there is a third answer, [`Likeness::Unclear`], and a person decides then.

use castline_core::Digest;
use serde_json::{Map, Number, Value as Json};

use super::data_uri::{self, is_data_uri};
use crate::secrets::SENT;

/// What a comparison shows, the weakest answer last: of several it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Every field is there as it was sent.
    Same,
    /// The same, but for a file that is not shown as it was sent.
    Hidden,
    /// What is there of a file tells nothing.
    Unclear,
    /// Another request.
    Different,
}

/// Compares the fields that were sent with those of a listed input; more fields may be
/// there, see [`extra`].
pub(super) fn likeness(sent: &Map<String, Json>, listed: &Map<String, Json>) -> Likeness {
    // Nobody shows a secret as it was sent.
    let fields = sent.iter().filter(|(_, value)| !value.is_null() && *value != SENT);
    weakest(fields.map(|(name, value)| alike(value, listed.get(name).unwrap_or(&Json::Null))))
}

/// The fields of a listed input that were not sent. A server may have filled in defaults.
pub(super) fn extra<'a>(sent: &Map<String, Json>, listed: &'a Map<String, Json>) -> Vec<&'a str> {
    let extra = listed.iter().filter(|(name, value)| !value.is_null() && !holds(sent, name));
    extra.map(|(name, _)| name.as_str()).collect()
}

/// True where a field has a value.
pub(super) fn holds(input: &Map<String, Json>, name: &str) -> bool {
    input.get(name).is_some_and(|value| !value.is_null())
}

fn weakest(all: impl Iterator<Item = Likeness>) -> Likeness {
    all.max().unwrap_or(Likeness::Same)
}

fn alike(sent: &Json, listed: &Json) -> Likeness {
    match (sent, listed) {
        (Json::String(file), _) if is_file(file) => file_alike(file, listed),
        (Json::Number(sent), Json::Number(listed)) => same_if(is_equal(sent, listed)),
        (Json::Array(sent), Json::Array(listed)) if sent.len() == listed.len() => {
            weakest(sent.iter().zip(listed).map(|(sent, listed)| alike(sent, listed)))
        }
        // Defaults are of a model's fields, not of what is inside one.
        (Json::Object(sent), Json::Object(listed)) if extra(sent, listed).is_empty() => {
            likeness(sent, listed)
        }
        _ => same_if(sent == listed),
    }
}

/// Lists may show a file's data whole, shortened, or an address in its place: only what is the
/// same tells something.
fn file_alike(sent: &str, listed: &Json) -> Likeness {
    let Some(listed) = listed.as_str() else { return Likeness::Unclear };
    let shown = || Some(Digest::of(&data_uri::decode(listed).ok()?));
    let same = match sent.strip_prefix("data:").and_then(|digest| digest.parse::<Digest>().ok()) {
        Some(sent) => shown() == Some(sent),
        None => sent == listed,
    };
    if same { Likeness::Same } else { Likeness::Hidden }
}

/// True for what stands for a file inside a request, and for a file that a person wrote out.
pub(super) fn is_file(text: &str) -> bool {
    text.starts_with("data:sha256:") || (is_data_uri(text) && text.contains(";base64,"))
}

fn same_if(same: bool) -> Likeness {
    if same { Likeness::Same } else { Likeness::Different }
}

/// `1` and `1.0` are one number.
pub(super) fn is_equal(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(sent: Json, listed: Json) -> Likeness {
        let (Json::Object(sent), Json::Object(listed)) = (sent, listed) else { panic!("two inputs") };
        likeness(&sent, &listed)
    }

    #[test]
    fn fields_are_the_same_in_any_order_and_spelling_of_numbers() {
        let sent =
            json!({ "prompt": "kite", "n": 1, "seed": u64::MAX, "none": null, "refs": [{ "a": 1.0 }] });
        let listed = json!({ "refs": [{ "a": 1, "b": null }], "seed": u64::MAX, "prompt": "kite", "n": 1.0 });
        assert_eq!(compared(sent, listed), Likeness::Same);
    }

    #[test]
    fn a_secret_makes_no_difference_whatever_is_shown_of_it() {
        let sent = || json!({ "prompt": "kite", "key": SENT });
        for listed in [
            json!({ "prompt": "kite", "key": "[REDACTED]" }),
            json!({ "prompt": "kite" }),
            json!({ "prompt": "kite", "key": "sk-1" }),
        ] {
            assert_eq!(compared(sent(), listed.clone()), Likeness::Same, "{listed}");
            let (Json::Object(sent), Json::Object(listed)) = (sent(), listed) else { panic!("two inputs") };
            assert!(extra(&sent, &listed).is_empty());
        }
    }

    #[test]
    fn another_value_a_missing_field_or_more_inside_a_field_is_another_request() {
        for (sent, listed) in [
            (json!({ "prompt": "kite" }), json!({ "prompt": "Kite" })),
            (json!({ "prompt": "kite" }), json!({})),
            (json!({ "seed": u64::MAX }), json!({ "seed": u64::MAX - 1 })),
            (json!({ "n": "1" }), json!({ "n": 1 })),
            (json!({ "refs": ["a"] }), json!({ "refs": ["a", "b"] })),
            (json!({ "options": { "a": 1 } }), json!({ "options": { "a": 1, "b": 2 } })),
        ] {
            assert_eq!(compared(sent.clone(), listed.clone()), Likeness::Different, "{sent} {listed}");
        }
    }

    #[test]
    fn a_file_is_the_same_only_where_its_bytes_are_shown() {
        let kite = Digest::of(b"kite");
        let sent = || json!({ "image": format!("data:{kite}"), "prompt": "kite" });
        let shown = |image: &str| compared(sent(), json!({ "image": image, "prompt": "kite" }));
        assert_eq!(shown("data:image/png;base64,a2l0ZQ=="), Likeness::Same);
        for hidden in ["https://files.test/x", "data:image/png;base64,a2l0", "data:image/png;base64,...", ""]
        {
            assert_eq!(shown(hidden), Likeness::Hidden, "{hidden}");
        }
        assert_eq!(compared(sent(), json!({ "image": null, "prompt": "kite" })), Likeness::Unclear);
        assert_eq!(compared(sent(), json!({ "prompt": "boat" })), Likeness::Different);
        let written =
            |text: &str| compared(json!({ "image": text }), json!({ "image": "https://files.test/x" }));
        assert_eq!(written("data:image/png;base64,iVBORw0KGgo="), Likeness::Hidden);
        assert_eq!(written("data: a chart"), Likeness::Different);
    }
}
