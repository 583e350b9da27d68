use serde_json::{Value as Json, json};

use super::{Inputs, inputs};

/// What is said about an input `x` that was one schema and is another.
fn said(before: Json, now: Json) -> Vec<(bool, String)> {
    let of = |schema: Json| json!({ "properties": { "x": schema } });
    let (before, now) = (of(before), of(now));
    let found = inputs(&Inputs::of_schema(&before), &Inputs::of_schema(&now));
    found.into_iter().map(|d| (d.effect.breaks(), d.words.replace("input `x` ", ""))).collect()
}

fn one(before: Json, now: Json) -> (bool, String) {
    let mut all = said(before, now);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn what_was_taken_and_is_refused_breaks() {
    let of = |text: &str| (true, text.to_owned());
    assert_eq!(
        one(json!({ "type": "number" }), json!({ "type": "integer" })),
        of("took number and takes integer")
    );
    assert_eq!(
        one(json!({ "enum": ["a", "b"] }), json!({ "enum": ["a"] })),
        of("does not take `b` any more")
    );
    assert_eq!(
        one(json!({ "type": "string" }), json!({ "type": "string", "enum": ["a"] })),
        of("takes nothing but `a`")
    );
    assert_eq!(one(json!({ "maximum": 4 }), json!({ "maximum": 2 })), of("had the `maximum` 4 and has 2"));
    assert_eq!(one(json!({}), json!({ "minLength": 1 })), of("has the `minLength` 1"));
    let list = |of: Json| json!({ "type": "array", "items": of });
    assert!(one(list(json!({ "maximum": 4 })), list(json!({ "maximum": 2 }))).0);
    let image = json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" });
    assert_eq!(one(image.clone(), list(image)), of("took image and takes list of image"));
    assert_eq!(one(json!({ "type": "image" }), json!({ "type": "video" })), of("took image and takes video"));
}

#[test]
fn what_is_taken_besides_is_harmless() {
    let of = |text: &str| (false, text.to_owned());
    assert_eq!(
        one(json!({ "type": "integer" }), json!({ "type": "number" })),
        of("took integer and takes number")
    );
    assert_eq!(one(json!({ "enum": ["a"] }), json!({ "enum": ["b", "a"] })), of("takes `b` too"));
    assert_eq!(one(json!({ "minimum": 4 }), json!({})), of("has no `minimum` any more"));
    assert_eq!(
        one(json!({ "default": "a" }), json!({ "default": "b" })),
        of("was `a` by default and is `b`")
    );
    assert_eq!(one(json!({ "description": "a" }), json!({})), of("is described otherwise"));
    assert_eq!(
        said(json!({ "default": 1, "maximum": 2 }), json!({ "default": 1.0, "maximum": 2.0 })).len(),
        1
    );
    assert!(said(json!({ "default": null }), json!({})).iter().all(|(breaks, _)| !breaks));
}

#[test]
fn inputs_come_go_and_are_needed() {
    let before = json!({ "required": ["a"], "properties": { "a": {}, "b": {}, "c": {} } });
    let now = json!({ "required": ["b", "e"], "properties": { "a": {}, "b": {}, "d": {}, "e": {} } });
    let found = inputs(&Inputs::of_schema(&before), &Inputs::of_schema(&now));
    let said: Vec<_> = found.iter().map(|d| (d.words.as_str(), d.effect.breaks())).collect();
    assert_eq!(
        said,
        [
            ("input `a` can be left out now", false),
            ("input `b` has to be given now", true),
            ("input `c` is gone", true),
            ("input `d` is new", false),
            ("input `e` is new, and has to be given", true),
        ]
    );
}
