use serde_json::{Value, json};

use super::{MediaKind, Schema};
use crate::document::Reader;
use crate::raw;
use crate::testing::{findings, source};

fn read(text: &str) -> (Value, String) {
    let file = source(text);
    let (json, found) = Reader::document(&file, |reader, node| Some(Schema::read(node, reader).json));
    (json.unwrap_or_default(), findings(&found))
}

fn schema(text: &str) -> Value {
    let (json, found) = read(text);
    assert_eq!(found, "");
    json
}

#[test]
fn a_media_shorthand_is_expanded_at_any_depth() {
    let image = json!({"type": "string", "format": "uri", "contentMediaType": "image/*"});
    let file = json!({"type": "string", "format": "uri", "contentMediaType": "*/*"});
    assert_eq!(schema("type: image"), image);
    assert_eq!(schema("type: file"), file);
    assert_eq!(schema("{type: array, items: {type: image}}")["items"], image);
    assert_eq!(
        schema("{properties: {a: {properties: {b: {type: image}}}}}")["properties"]["a"]["properties"]["b"],
        image
    );
    assert_eq!(schema("anyOf: [{type: image}, {type: 'null'}]")["anyOf"][0], image);
    assert_eq!(schema("{if: {not: {type: image}}, $defs: {x: {type: file}}}")["if"]["not"], image);
    assert_eq!(schema("type: [image, 'null']")["type"], json!(["string", "null"]));
    assert_eq!(schema("{type: image, contentMediaType: image/png}")["contentMediaType"], "image/png");
    assert_eq!(schema("{contentMediaType: image/png, type: image}")["contentMediaType"], "image/png");
    assert_eq!(schema("type: [image, video]")["anyOf"][1]["contentMediaType"], "video/*");
    assert_eq!(schema("type: [image, string]")["anyOf"][1], json!({"type": "string"}));
    let both = schema("{type: [image, string], anyOf: [{minLength: 1}]}");
    assert_eq!((&both["allOf"][0]["anyOf"][0], &both["anyOf"][0]), (&json!({"minLength": 1}), &image));
}

#[test]
fn values_inside_a_schema_stay_as_they_are() {
    let text = "{enum: [{type: image}], const: {type: image}, default: {type: video}, examples: [{type: file}], x-own: {type: image}}";
    assert_eq!(schema(text), raw::parse(&source(text)).unwrap().to_json());
    assert_eq!(schema("true"), json!(true));
    assert_eq!(schema("additionalProperties: false"), json!({"additionalProperties": false}));
}

#[test]
fn the_order_of_keys_stays() {
    let keys: Vec<_> = schema("{b: 1, type: image, a: 2}").as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["b", "type", "format", "contentMediaType", "a"]);
}

#[test]
fn what_is_no_schema_is_a_finding() {
    let texts = [
        "image",
        "some text",
        "4",
        "false",
        "[a]",
        "type: imgae",
        "type: int",
        "type: [string, nul]",
        "type: {a: b}",
        "type: null",
        "type: [string, null]",
        "properties: [a]",
        "properties: {a: string, b: 4}",
        "anyOf: {type: string}",
        "items: string",
    ];
    let all = texts.iter().fold(String::new(), |out, text| format!("{out}--- {text}\n{}", read(text).1));
    insta::assert_snapshot!(all, @r#"
    --- image
    error[invalid-schema] 1:1-6 <image>: a schema is a map or `true`, not text
      hint: write `{ type: image }`
      fix 1:1-6: image -> { type: image }
    --- some text
    error[invalid-schema] 1:1-10 <some text>: a schema is a map or `true`, not text
    --- 4
    error[invalid-schema] 1:1-2 <4>: a schema is a map or `true`, not the number 4
    --- false
    error[invalid-schema] 1:1-6 <false>: a schema is a map or `true`, and `false` takes nothing
    --- [a]
    error[invalid-schema] 1:1-4 <[a]>: a schema is a map or `true`, not a list
    --- type: imgae
    error[invalid-schema] 1:7-12 <imgae>: there is no type `imgae`
      hint: there is the type `image`
    --- type: int
    error[invalid-schema] 1:7-10 <int>: there is no type `int`
      hint: write `integer`
      fix 1:7-10: int -> integer
    --- type: [string, nul]
    error[invalid-schema] 1:16-19 <nul>: there is no type `nul`
      hint: there is the type `null`
    --- type: {a: b}
    error[wrong-type] 1:7-13 <{a: b}>: `type` takes the name of a type or a list of them, not a map
    --- type: null
    error[yaml-trap] 1:7-11 <null>: `null` without quotes is nothing, not the name of a type
      hint: put it in quotes
      fix 1:7-11: null -> "null"
    --- type: [string, null]
    error[yaml-trap] 1:16-20 <null>: `null` without quotes is nothing, not the name of a type
      hint: put it in quotes
      fix 1:16-20: null -> "null"
    --- properties: [a]
    error[invalid-schema] 1:13-16 <[a]>: `properties` takes a map of schemas, not a list
    --- properties: {a: string, b: 4}
    error[invalid-schema] 1:17-23 <string>: a schema is a map or `true`, not text
      hint: write `{ type: string }`
      fix 1:17-23: string -> { type: string }
    error[invalid-schema] 1:28-29 <4>: a schema is a map or `true`, not the number 4
    --- anyOf: {type: string}
    error[invalid-schema] 1:8-22 <{type: string}>: `anyOf` takes a list of schemas, not a map
    --- items: string
    error[invalid-schema] 1:8-14 <string>: a schema is a map or `true`, not text
      hint: write `{ type: string }`
      fix 1:8-14: string -> { type: string }
    "#);
}

#[test]
fn the_media_of_a_schema_are_known() {
    let one = [
        (json!({"type": "string", "format": "uri"}), Some(MediaKind::File)),
        (json!({"type": "string", "format": "uri", "contentMediaType": "image/png"}), Some(MediaKind::Image)),
        (
            json!({"type": "string", "format": "uri", "contentMediaType": "application/zip"}),
            Some(MediaKind::File),
        ),
        (
            json!({"type": ["string", "null"], "format": "uri", "contentMediaType": "audio/*"}),
            Some(MediaKind::Audio),
        ),
        (
            json!({"anyOf": [{"type": "string", "format": "uri", "contentMediaType": "video/*"}, {"type": "null"}]}),
            Some(MediaKind::Video),
        ),
        (json!({"type": "string"}), None),
        (json!({"type": "string", "format": "date"}), None),
        (json!({"type": ["string", "integer"], "format": "uri"}), None),
        (json!({"format": "uri"}), None),
        (json!({"anyOf": [{"type": "string", "format": "uri"}, {"type": "integer"}]}), None),
        (json!(true), None),
    ];
    for (schema, kind) in one {
        assert_eq!(MediaKind::of_schema(&schema), kind, "{schema}");
        let list = json!({"type": "array", "items": schema});
        assert_eq!(MediaKind::of_list(&list), kind, "{list}");
        assert_eq!(MediaKind::of_list(&json!({"anyOf": [list, {"type": "null"}]})), kind);
        assert_eq!(MediaKind::of_list(&schema), None);
    }
    assert!(MediaKind::File.accepts(MediaKind::Image) && MediaKind::Image.accepts(MediaKind::Image));
    assert!(!MediaKind::Image.accepts(MediaKind::File) && !MediaKind::Image.accepts(MediaKind::Audio));
}
