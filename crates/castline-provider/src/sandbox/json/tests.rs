//! What can be relied on when an answer is JSON.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::answer;
use crate::sandbox::dice::Dice;

const STORY: &str = "Write a storyboard in four scenes about a paper boat on a river. Answer as JSON.";

fn made(schema: &Json, prompt: &str) -> Json {
    let text = answer(schema, prompt, &Dice::of(prompt)).unwrap_or_else(|why| panic!("{why}\n{schema:#}"));
    serde_json::from_str(&text).unwrap()
}

fn refused(schema: &Json) -> String {
    answer(schema, STORY, &Dice::of("")).expect_err("nothing fits").to_string()
}

/// By another reader of JSON Schemas than the one that the answer was made with.
fn fits(schema: &Json, value: &Json) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V2020_12);
    compiler.add_resource("schema.json", schema.clone()).map_err(|e| e.to_string())?;
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("schema.json", &mut schemas).map_err(|e| e.to_string())?;
    schemas.validate(value, index).map_err(|e| format!("{e:#}"))
}

fn storyboard() -> Json {
    json!({
        "type": "object",
        "required": ["title", "scenes"],
        "additionalProperties": false,
        "properties": {
            "title": { "type": "string", "maxLength": 40 },
            "scenes": {
                "type": "array",
                "minItems": 2,
                "maxItems": 6,
                "items": {
                    "type": "object",
                    "required": ["number", "prompt", "seconds"],
                    "properties": {
                        "number": { "type": "integer", "minimum": 1 },
                        "prompt": { "type": "string", "description": "What is to be seen." },
                        "camera": { "type": "string" },
                        "seconds": { "type": "integer", "enum": [4, 6, 8] }
                    }
                }
            }
        }
    })
}

#[test]
fn a_storyboard_reads_like_one() {
    let story = made(&storyboard(), STORY);
    assert_eq!(fits(&storyboard(), &story), Ok(()));
    let scenes = story["scenes"].as_array().unwrap();
    assert_eq!(scenes.len(), 4, "as many as the prompt asks for");
    assert!(story["title"].as_str().unwrap().contains("Paper Boat"), "{story:#}");
    let mut prompts = Vec::new();
    for (index, scene) in scenes.iter().enumerate() {
        assert_eq!(scene["number"], index + 1);
        let prompt = scene["prompt"].as_str().unwrap();
        assert!(prompt.contains("a paper boat on a river"), "{prompt}");
        assert!(!prompts.contains(&prompt), "{prompts:#?}");
        prompts.push(prompt);
    }
}

#[test]
fn the_same_question_has_the_same_answer_and_other_words_have_another() {
    assert_eq!(made(&storyboard(), STORY), made(&storyboard(), STORY));
    let fox = made(&storyboard(), "Write a storyboard in four scenes about a fox in the snow.");
    assert!(fox["scenes"][0]["prompt"].as_str().unwrap().contains("a fox in the snow"), "{fox:#}");
    let other = answer(&storyboard(), STORY, &Dice::of("another draw")).unwrap();
    assert_ne!(serde_json::from_str::<Json>(&other).unwrap(), made(&storyboard(), STORY));
}

#[test]
fn a_new_property_leaves_the_others_as_they_are() {
    let before = made(&storyboard(), STORY);
    let mut schema = storyboard();
    schema["properties"]["scenes"]["items"]["properties"]["music"] = json!({ "type": "string" });
    let mut after = made(&schema, STORY);
    for scene in after["scenes"].as_array_mut().unwrap() {
        assert!(scene.as_object_mut().unwrap().remove("music").is_some());
    }
    assert_eq!(after, before);
}

#[test]
fn every_keyword_is_kept_to() {
    for schema in [
        json!(true),
        json!({}),
        json!({ "type": ["null", "string"] }),
        json!({ "const": { "a": [1, null] } }),
        json!({ "type": "array", "items": { "enum": ["a", "b", "c"] }, "uniqueItems": true, "minItems": 3 }),
        json!({ "type": "array", "items": { "type": "boolean" }, "uniqueItems": true, "minItems": 2 }),
        json!({ "type": "array", "items": { "type": "string", "maxLength": 1 }, "uniqueItems": true, "minItems": 9 }),
        json!({ "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 6 }, "uniqueItems": true, "minItems": 6 }),
        json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "number" }], "items": false, "minItems": 2 }),
        json!({ "type": "array", "contains": { "const": 7 }, "minContains": 2, "items": { "type": "integer" } }),
        json!({ "type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5 }),
        json!({ "type": "integer", "minimum": 1_000_000_007 }),
        json!({ "type": "integer", "maximum": -5, "multipleOf": 7 }),
        json!({ "type": "integer", "multipleOf": 2.5 }),
        json!({ "type": "number", "multipleOf": 0.01, "minimum": 0.015, "maximum": 0.025 }),
        json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 0.001 }),
        json!({ "type": "string", "minLength": 300, "maxLength": 310 }),
        json!({ "type": "string", "maxLength": 3 }),
        json!({ "type": "string", "maxLength": 0 }),
        json!({ "type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$" }),
        json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "minLength": 12, "maxLength": 16 }),
        json!({ "type": "string", "format": "date-time" }),
        json!({ "type": "string", "format": "uuid" }),
        json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
        json!({ "type": "object", "additionalProperties": { "type": "string" }, "minProperties": 8 }),
        json!({ "type": "object", "patternProperties": { "^x_[a-z]+$": { "type": "integer" } }, "additionalProperties": false, "minProperties": 2 }),
        json!({ "type": "object", "propertyNames": { "pattern": "^[a-z]{2}$" }, "minProperties": 2, "additionalProperties": { "type": "string" } }),
        json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": false }, "maxProperties": 1 }),
        json!({ "type": "object", "properties": { "a": true, "b": true }, "required": ["c"], "maxProperties": 2 }),
        json!({ "type": "object", "properties": { "a": {} }, "dependentRequired": { "a": ["z"] } }),
        json!({ "type": "object", "properties": { "a": { "type": "string" } }, "dependentSchemas": { "a": { "required": ["q"] } } }),
        json!({ "oneOf": [{ "type": "integer" }, { "type": "number", "minimum": 5 }] }),
        json!({ "anyOf": [{ "type": "string", "maxLength": 2 }, { "type": "object", "required": ["a"] }] }),
        json!({ "allOf": [{ "required": ["a"] }, { "properties": { "a": { "type": "integer", "maximum": 3 } } }, { "properties": { "a": { "minimum": 3 } } }] }),
        json!({ "type": "integer", "minimum": 1, "maximum": 3, "not": { "enum": [1, 2] } }),
        json!({ "type": "object", "properties": { "kind": { "enum": ["a", "b"] }, "n": { "type": "integer" } }, "required": ["kind"],
            "if": { "properties": { "kind": { "const": "a" } } }, "then": { "required": ["n"] }, "else": { "properties": { "n": false } } }),
        json!({ "type": "array", "minItems": 4, "items": { "oneOf": [
            { "type": "object", "properties": { "kind": { "const": "text" }, "text": { "type": "string" } }, "required": ["kind", "text"] },
            { "type": "object", "properties": { "kind": { "const": "image" }, "prompt": { "type": "string" } }, "required": ["kind", "prompt"] }] } }),
        json!({ "$ref": "#/$defs/tree", "$defs": { "tree": { "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": { "name": { "type": "string" }, "children": { "type": "array", "items": { "$ref": "#/$defs/tree" } } } } } }),
        json!({ "$ref": "#/$defs/list", "$defs": { "list": { "anyOf": [{ "type": "null" }, { "type": "object", "required": ["head", "tail"],
            "properties": { "head": { "type": "string" }, "tail": { "$ref": "#/$defs/list" } } }] } } }),
        json!({ "type": "object", "properties": { "self": { "$ref": "#" }, "n": { "type": "integer" } }, "required": ["n"] }),
        json!({ "type": "object", "properties": { "a": { "type": "string" } }, "unevaluatedProperties": false }),
    ] {
        for prompt in [STORY, "", "x", "Ein Fuchs im Schnee"] {
            let value = made(&schema, prompt);
            assert_eq!(fits(&schema, &value), Ok(()), "{schema:#}\n{value:#}");
        }
    }
}

#[test]
fn what_nothing_satisfies_is_said_with_its_place() {
    let inside = |schema: Json| {
        refused(
            &json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "minItems": 1, "items": schema } } }),
        )
    };
    let begin = "the sandbox finds no JSON that the step's schema takes: `json.items[0]`: ";
    for (schema, why) in [
        (json!({ "type": "integer", "minimum": 5, "maximum": 4 }), "no multiple of 1 lies between 5 and 4"),
        (json!({ "type": "string", "minLength": 5, "maxLength": 4 }), "it needs 5 characters and may have 4"),
        (json!({ "type": "array", "minItems": 3, "maxItems": 2 }), "it needs 3 items and may have 2"),
        (
            json!({ "type": "string", "allOf": [{ "type": "integer" }] }),
            "it would have to be string and integer at once",
        ),
        (json!({ "type": "string", "pattern": "^(?=a)b" }), "no text was found for its pattern \"^(?=a)b\""),
        (json!({ "not": {} }), "no value was found that its schema takes"),
    ] {
        assert_eq!(inside(schema), format!("{begin}{why}"));
    }
    assert_eq!(
        refused(
            &json!({ "type": "array", "items": { "enum": ["a", "b"] }, "uniqueItems": true, "minItems": 3 })
        ),
        "the sandbox finds no JSON that the step's schema takes: `json[2]`: no item can be made that differs from the 2 before it"
    );
    assert_eq!(
        refused(
            &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/$defs/a" } } } } })
        ),
        format!(
            "the sandbox finds no JSON that the step's schema takes: `json{}`: it has no end: it must hold itself again and again",
            ".a".repeat(41)
        )
    );
}

/// A list of types that have nothing in common, so that exactly one of them fits.
fn one_of_each(schemas: Vec<Json>) -> Json {
    let mut all: Vec<Json> = Vec::new();
    for schema in schemas {
        let kind = |schema: &Json| match schema["type"].as_str() {
            Some("integer") => Some("number".to_owned()),
            other => other.map(str::to_owned),
        };
        if kind(&schema).is_some() && !all.iter().any(|other| kind(other) == kind(&schema)) {
            all.push(schema);
        }
    }
    match all.is_empty() {
        true => json!({ "type": "boolean" }),
        false => json!({ "oneOf": all }),
    }
}

fn leaf() -> impl Strategy<Value = Json> {
    let texts = (0_u64..40, 0_u64..40)
        .prop_map(|(least, more)| json!({ "type": "string", "minLength": least, "maxLength": least + more }));
    let patterns = prop::sample::select(vec!["^[a-z]+$", "^[A-Z][a-z ]*$", "\\d", "^(a|bc)*$", "^.{2,5}$"])
        .prop_map(|pattern| json!({ "type": "string", "pattern": pattern }));
    let formats = prop::sample::select(vec!["date", "email", "uri", "uuid", "time", "unknown"])
        .prop_map(|format| json!({ "type": "string", "format": format }));
    let integers = (-50_i64..50, 0_i64..60)
        .prop_map(|(low, more)| json!({ "type": "integer", "minimum": low, "maximum": low + more }));
    let open = (-50_i64..50).prop_map(|low| json!({ "type": "integer", "exclusiveMinimum": low }));
    let multiples = (1_i64..20, -50_i64..50).prop_map(
        |(of, low)| json!({ "type": "integer", "multipleOf": of, "minimum": low, "maximum": low + of }),
    );
    let numbers = (-500_i64..500, 1_i64..500)
        .prop_map(|(low, more)| json!({ "type": "number", "exclusiveMinimum": low as f64 / 100.0, "maximum": (low + more) as f64 / 100.0 }));
    let hundredths = (-500_i64..500, 1_i64..50).prop_map(
        |(low, more)| json!({ "type": "number", "multipleOf": 0.5, "minimum": low, "maximum": low + more }),
    );
    let rest = prop::sample::select(vec![
        json!({ "type": "boolean" }),
        json!({ "type": "null" }),
        json!({ "enum": ["a", 1, null, { "a": 1 }] }),
        json!({ "const": "only" }),
        json!({ "$ref": "#/$defs/d" }),
        json!(true),
        json!({ "type": ["integer", "string"] }),
    ]);
    prop_oneof![texts, patterns, formats, integers, open, multiples, numbers, hundredths, rest]
}

fn schema() -> impl Strategy<Value = Json> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let list = (inner.clone(), 0_u64..4, 0_u64..4)
            .prop_map(|(items, least, more)| json!({ "type": "array", "items": items, "minItems": least, "maxItems": least + more }));
        let different = (0_u64..5).prop_map(|least| json!({ "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 4 }, "minItems": least, "uniqueItems": true }));
        let names = prop::sample::subsequence(vec!["title", "scenes", "prompt", "count", "tags"], 1..5);
        let object = (names, prop::collection::vec(inner.clone(), 5), any::<bool>(), 0_usize..5).prop_map(
            |(names, schemas, open, required)| {
                let properties: serde_json::Map<_, _> = names.iter().map(|n| (*n).to_owned()).zip(schemas).collect();
                let required: Vec<_> = names.into_iter().take(required).collect();
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
            },
        );
        let any = prop::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "anyOf": all }));
        let one = prop::collection::vec(inner.clone(), 1..4).prop_map(one_of_each);
        let both = (inner, 0_u64..3).prop_map(|(schema, kind)| match kind {
            0 => json!({ "allOf": [schema, {}] }),
            1 => json!({ "allOf": [schema], "title": "Something" }),
            _ => json!({ "anyOf": [schema, { "type": "boolean" }] }),
        });
        prop_oneof![list, different, object, any, one, both]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_can_be_satisfied_is(schema in schema(), definition in leaf(), prompt in "[a-z ]{0,30}") {
        prop_assume!(!definition.to_string().contains("$ref"));
        let mut schema = match schema {
            Json::Object(_) => schema,
            other => json!({ "allOf": [other] }),
        };
        schema["$defs"] = json!({ "d": definition });
        let text = answer(&schema, &prompt, &Dice::of(&prompt));
        let text = text.map_err(|why| TestCaseError::fail(format!("{why}\n{schema:#}")))?;
        let value: Json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(fits(&schema, &value), Ok(()), "{:#}\n{:#}", schema, value);
    }
}
