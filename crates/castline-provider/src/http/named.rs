//! Whether a prediction that a person named is certainly another one.
//!
//! A list is searched for what is certainly ours, see [`super::likeness`]; here a person has said that
//! it is, and only what cannot be so speaks against it. Providers leave fields out, fill in defaults,
//! write numbers and texts in other ways, and show addresses in place of files.

use castline_core::prediction::wire;
use serde_json::{Map, Value as Json};

use super::likeness::{is_equal, is_file};
use super::list::is_version;
use super::prediction;
use crate::call::Named;
use crate::secrets::SENT;

/// So much of a value is shown.
const WIDTH: usize = 60;

/// What shows that the prediction in an answer is another one; none where nothing does.
pub(super) fn differs(named: &Named, body: &Json) -> Option<String> {
    let shown = prediction::object(body)?;
    model(named, shown).or_else(|| {
        let (sent, shown) = (named.sent.as_ref()?.as_object()?, shown.get("input")?.as_object()?);
        let mut others = sent.iter().filter_map(|(field, sent)| {
            let shown = shown.get(field).filter(|shown| is_another(sent, shown))?;
            Some(format!("its input `{field}` is {}, and {} was sent", short(shown), short(sent)))
        });
        others.next()
    })
}

/// A deployment may run a model under another name.
fn model(named: &Named, shown: &Map<String, Json>) -> Option<String> {
    let text = |name: &str| shown.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    let other = |what: &str, theirs: &str, ours: &str| {
        Some(format!("its {what} is {}, and {} was asked for", quoted(theirs), quoted(ours)))
    };
    if let Some(ours) = &named.deployment {
        let theirs = text("deployment").filter(|theirs| !theirs.eq_ignore_ascii_case(ours))?;
        return other("deployment", theirs, ours);
    }
    let ours = named.model.path();
    if let Some(theirs) = text("model").filter(|theirs| !theirs.eq_ignore_ascii_case(&ours)) {
        return other("model", theirs, &ours);
    }
    let (ours, theirs) = (named.model.version.as_deref()?, text("version")?);
    let differ = is_version(ours) && is_version(theirs) && !ours.eq_ignore_ascii_case(theirs);
    if differ { other("version", theirs, ours) } else { None }
}

/// True for two plain values that cannot be the same one written in two ways.
fn is_another(sent: &Json, shown: &Json) -> bool {
    match (sent, shown) {
        (Json::String(sent), _) if *sent == SENT || is_file(sent) || wire::is_file(sent) => false,
        (Json::String(sent), Json::String(shown)) => !wire::is_file(shown) && sent.trim() != shown.trim(),
        (Json::Number(sent), Json::Number(shown)) => {
            // Models know numbers of half the length.
            let single = |n: &serde_json::Number| n.as_f64().map(|n| n as f32);
            let whole = !sent.is_f64() && !shown.is_f64();
            !is_equal(sent, shown) && (whole || single(sent) != single(shown))
        }
        (Json::Bool(sent), Json::Bool(shown)) => sent != shown,
        _ => false,
    }
}

fn quoted(text: &str) -> String {
    short(&Json::from(text)).replace('"', "`")
}

/// A value in a line.
fn short(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= WIDTH {
        return text;
    }
    let head: String = text.chars().take(WIDTH).collect();
    format!("{head}...")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn named(model: &str, sent: Json) -> Named {
        Named { model: model.parse().unwrap(), deployment: None, sent: Some(Arc::new(sent)) }
    }

    fn compared(sent: Json, shown: &Json) -> Option<String> {
        let body = json!({ "id": "p1", "status": "succeeded", "model": "acme/paint", "input": shown });
        differs(&named("acme/paint", sent), &body)
    }

    #[test]
    fn another_model_version_or_deployment_is_another_prediction() {
        let of = |named: &Named, members: Json| {
            let mut body = json!({ "id": "p1", "status": "succeeded" });
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            differs(named, &body)
        };
        let paint = named("acme/paint", json!({}));
        assert_eq!(
            of(&paint, json!({ "model": "acme/draw" })).unwrap(),
            "its model is `acme/draw`, and `acme/paint` was asked for"
        );
        for same in [json!({}), json!({ "model": "Acme/Paint" }), json!({ "model": "", "version": "hidden" })]
        {
            assert_eq!(of(&paint, same), None);
        }
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let versioned = named(&format!("acme/paint:{one}"), json!({}));
        let text = of(&versioned, json!({ "model": "acme/paint", "version": two })).unwrap();
        assert!(text.starts_with("its version is `222"), "{text}");
        assert_eq!(of(&versioned, json!({ "version": one })), None);
        assert_eq!(of(&versioned, json!({ "version": "hidden" })), None);
        let deployed = Named { deployment: Some("me/fast".to_owned()), ..paint };
        assert_eq!(of(&deployed, json!({ "model": "acme/inner", "deployment": "me/fast" })), None);
        assert!(of(&deployed, json!({ "deployment": "me/slow" })).is_some());
    }

    #[test]
    fn a_plain_value_that_is_shown_otherwise_is_another_prediction() {
        for (sent, shown) in [
            (json!({ "prompt": "kite" }), json!({ "prompt": "boat" })),
            (json!({ "seed": u64::MAX }), json!({ "seed": u64::MAX - 2048 })),
            (json!({ "seed": 7 }), json!({ "seed": 8 })),
            (json!({ "go_fast": true }), json!({ "go_fast": false })),
        ] {
            assert!(compared(sent.clone(), &shown).is_some(), "{sent} {shown}");
        }
        assert_eq!(
            compared(json!({ "prompt": "kite" }), &json!({ "prompt": "boat" })).unwrap(),
            r#"its input `prompt` is "boat", and "kite" was sent"#
        );
    }

    #[test]
    fn what_a_provider_leaves_out_adds_or_writes_otherwise_says_nothing() {
        for (sent, shown) in [
            (json!({ "prompt": "kite", "seed": 1 }), json!({ "prompt": "kite ", "steps": 4 })),
            (json!({ "prompt": "kite" }), json!({})),
            (json!({ "prompt": "kite" }), json!(null)),
            (json!({ "guidance": 7.1 }), json!({ "guidance": f64::from(7.1_f32) })),
            (json!({ "n": 1 }), json!({ "n": 1.0 })),
            (json!({ "n": "1" }), json!({ "n": 1 })),
            (
                json!({ "image": format!("data:sha256:{}", "a".repeat(64)) }),
                json!({ "image": "https://x/1" }),
            ),
            (json!({ "image": "https://x/1" }), json!({ "image": "https://files.test/2" })),
            (json!({ "key": SENT }), json!({ "key": "[REDACTED]" })),
            (json!({ "refs": ["a"] }), json!({ "refs": ["b"] })),
        ] {
            assert_eq!(compared(sent.clone(), &shown), None, "{sent} {shown}");
        }
    }

    #[test]
    fn a_wrapped_answer_is_looked_into() {
        let body = json!({ "code": "success", "data": { "status": "SUCCESS", "task_id": "t1",
            "data": { "id": "p1", "status": "succeeded", "model": "acme/draw" } } });
        assert!(differs(&named("acme/paint", json!({})), &body).is_some());
    }
}
