use std::sync::LazyLock;

use castline_spec::raw::NodeKind;
use castline_spec::template::{FILTERS, Scope, Template};
use castline_spec::{Source, Span};
use minijinja::{Environment, Value as Jinja};
use serde_json::{Value as Json, json};

use super::fit::{Fit, Fitting};
use super::infer::{Infer, Names};
use super::{Type, describe};
use crate::field::Field;
use crate::media::{Artifact, MediaType};
use crate::templates::{environment, from_jinja, to_jinja};
use crate::{Digest, Value};

/// Names of tests: `inputs.v` and `inputs.w`.
struct Two(Type, Type);

impl Names for Two {
    fn input(&self, name: &str) -> Type {
        if name == "v" { self.0.clone() } else { self.1.clone() }
    }
}

fn picture() -> Value {
    Value::Media(Artifact {
        digest: Digest::of(b"a picture"),
        media_type: MediaType::new("image/png"),
        bytes: 12,
        width: Some(4),
        height: Some(3),
    })
}

/// Values of every kind.
fn samples() -> Vec<Value> {
    let plain = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(3),
        json!(-2),
        json!(2.5),
        json!(""),
        json!("abc"),
        json!("12"),
        json!("a b\nc"),
        json!("[1, 2]"),
        json!([]),
        json!([1, 2]),
        json!(["b", "a"]),
        json!([["k", 1]]),
        json!([{ "a": 1 }, { "a": 2 }]),
        json!({}),
        json!({ "a": 1, "b": "x" }),
    ];
    let mut all: Vec<_> = plain.into_iter().map(Value::from_json).collect();
    all.push(picture());
    all.push(Value::List(vec![picture()]));
    all
}

/// A value in the form in which types speak of it.
fn encoded(value: &Value) -> Json {
    match value {
        Value::Media(artifact) => json!({ "$media": artifact.kind().as_str() }),
        Value::List(items) => items.iter().map(encoded).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), encoded(value))).collect(),
        other => other.to_json(&mut |_| Json::Null),
    }
}

/// Types that a value has: itself, and less and less of it.
fn types_of(value: &Value) -> Vec<Type> {
    let json = encoded(value);
    let wide = match (value, &json) {
        (Value::Media(artifact), _) => Type::media(artifact.kind()),
        (_, Json::Null) => Type::literal(&Json::Null),
        (_, Json::Bool(_)) => Type::of_type("boolean"),
        (_, Json::Number(n)) if n.is_i64() => Type::of_type("integer"),
        (_, Json::Number(_)) => Type::of_type("number"),
        (_, Json::String(_)) => Type::text(),
        (Value::List(items), _) => {
            let items: Vec<_> = items.iter().map(|item| types_of(item).remove(0)).collect();
            Type::list(&Type::union(&items))
        }
        _ => Type::of_type("object"),
    };
    let mut all = vec![wide.clone(), wide.or(&Type::literal(&Json::Null)), Type::any()];
    if !matches!(value, Value::Media(_)) && value.media().is_empty() {
        all.insert(0, Type::literal(&json));
    }
    all
}

fn template(code: &str) -> Template {
    let source = Source::new("test.yaml", serde_json::to_string(code).unwrap());
    let node = castline_spec::raw::parse(&source).unwrap_or_else(|e| panic!("{code}: {e:?}"));
    let NodeKind::Text(text) = node.kind else { panic!("{code} is no text") };
    Template::parse(&text, &source, Scope::STEP).unwrap_or_else(|e| panic!("{code}: {e:?}")).unwrap()
}

fn infer(code: &str, v: &Type, w: &Type) -> (Type, Vec<String>) {
    let names = Two(v.clone(), w.clone());
    let source = Source::new("test.yaml", code);
    let mut infer = Infer::new(&names, &source);
    let found = infer.template(&template(code));
    (found, infer.found.iter().map(|finding| finding.message.clone()).collect())
}

/// What the engine makes of an expression: a value, nothing, or an error.
fn evaluate(expression: &str, v: &Value, w: &Value) -> Result<Option<Value>, String> {
    static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let compiled = ENGINE.compile_expression(expression).map_err(|e| e.to_string())?;
    let inputs = Jinja::from_pairs([("v", to_jinja(v)), ("w", to_jinja(w))]);
    let found = compiled.eval(Jinja::from_pairs([("inputs", inputs)])).map_err(|e| e.to_string())?;
    if found.is_undefined() {
        return Ok(None);
    }
    from_jinja(&found).map(Some).map_err(|e| e.to_string())
}

/// Holds what is said of an expression against what the engine makes of it.
fn disagreements(expression: &str, v: &Value, w: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let real = evaluate(expression, v, w);
    for (v_type, w_type) in types_of(v).iter().zip(types_of(w).iter().cycle()) {
        let (said, refused) = infer(&format!("{{{{ {expression} }}}}"), v_type, w_type);
        let about = || {
            format!(
                "{expression} with v = {} ({}), w = {} ({}): said {}, sure: {}, refused {refused:?}, really {real:?}",
                encoded(v),
                describe(&v_type.schema),
                encoded(w),
                describe(&w_type.schema),
                describe(&said.schema),
                said.is_sure(),
            )
        };
        match &real {
            Err(_) | Ok(None) if said.is_sure() && refused.is_empty() => {
                all.push(format!("not surely: {}", about()));
            }
            // What text cannot hold is refused although the engine writes something.
            Ok(Some(Value::String(_))) if refused.iter().any(|why| why.contains("inside text")) => {}
            Ok(Some(_)) if !refused.is_empty() => all.push(format!("not refused: {}", about())),
            Ok(Some(value)) => {
                let schema = jsonschema::draft202012::new(&said.schema).expect("a schema");
                if !schema.is_valid(&encoded(value)) {
                    all.push(format!("another type: {}", about()));
                }
            }
            _ => {}
        }
    }
    all
}

/// Fails with some of what does not agree, of each expression the first.
fn nothing_disagrees(all: Vec<(String, Vec<String>)>) {
    let mut shown: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (expression, found) in all {
        if let Some(first) = found.into_iter().next() {
            shown.entry(expression).or_insert(first);
        }
    }
    let lines: Vec<_> = shown.into_values().collect();
    assert!(lines.is_empty(), "{} disagree:\n{}", lines.len(), lines[..lines.len().min(30)].join("\n"));
}

#[test]
fn every_filter_does_what_its_signature_says() {
    let mut all = Vec::new();
    for filter in FILTERS {
        let signature = super::signature::filter(filter);
        assert!(signature.is_some(), "`{filter}` has no signature");
        let names = signature.as_ref().map(|s| s.names).unwrap_or_default();
        let mut calls: Vec<String> =
            ["", "('a')", "(2)", "('a', 'b')", "('', true)", "(1, 2)", "('upper')", "(1, 2, 3, 4)"]
                .map(str::to_owned)
                .to_vec();
        calls.extend(names.iter().filter(|name| **name != "*").map(|name| format!("({name}='a')")));
        calls.extend(names.iter().filter(|name| **name != "*").map(|name| format!("({name}=2)")));
        for (call, value) in
            calls.iter().flat_map(|call| samples().into_iter().map(move |value| (call, value)))
        {
            // A filter or a test of another name is refused when the template is read.
            if matches!(*filter, "map" | "select" | "reject") && call.contains("'a'")
                || filter.ends_with("attr") && call.contains("'b'")
                || (matches!(*filter, "selectattr" | "rejectattr") && call.contains("true"))
            {
                continue;
            }
            if matches!(*filter, "map" | "select" | "reject")
                && (call == "('upper')" && *filter != "map" || call.contains("''"))
            {
                continue;
            }
            // The engine would write the digest of a picture.
            let textual = signature.as_ref().is_some_and(|s| s.wants == "text");
            if textual && !value.media().is_empty() {
                continue;
            }
            let kind = format!("{filter}{call} {:?}", std::mem::discriminant(&value));
            all.push((kind, disagreements(&format!("inputs.v | {filter}{call}"), &value, &Value::Null)));
        }
    }
    nothing_disagrees(all);
}

#[test]
fn operators_attributes_and_conditions_have_the_types_that_the_engine_gives() {
    let two = [
        "inputs.v + inputs.w",
        "inputs.v - inputs.w",
        "inputs.v * inputs.w",
        "inputs.v / inputs.w",
        "inputs.v // inputs.w",
        "inputs.v % inputs.w",
        "inputs.v ~ inputs.w",
        "inputs.v and inputs.w",
        "inputs.v or inputs.w",
        "inputs.v == inputs.w",
        "inputs.v < inputs.w",
        "inputs.v in inputs.w",
        "inputs.v if inputs.w else inputs.w",
        "inputs.v if inputs.w",
        "[inputs.v, inputs.w]",
        "{'a': inputs.v, 'b': inputs.w}",
        "[inputs.v, inputs.w] | first",
        "inputs.v | default(inputs.w)",
        "inputs.v | default(inputs.w, true)",
        "inputs.v.a | default(inputs.w)",
        "(inputs.v or {'a': inputs.w}).a",
    ];
    let one = [
        "inputs.v.a",
        "inputs.v.width",
        "inputs.v.media_type",
        "inputs.v['a']",
        "inputs.v[0]",
        "inputs.v[-1]",
        "inputs.v[1:]",
        "not inputs.v",
        "-inputs.v",
        "inputs.v is defined",
        "inputs.v is string",
        "inputs.v is none",
        "inputs.v.a is defined",
        "inputs.v | map('upper') | list",
        "inputs.v | map(attribute='a') | list",
        "inputs.v | select | list",
        "inputs.v | regex_search('b')",
        "inputs.v | regex_search('(?P<x>b)')",
        "inputs.v | regex_replace('b', 'c')",
        "inputs.v | int(default='x')",
        "inputs.v | int(0)",
        "range(3)",
        "dict(a=1)",
        "{'a': 1, 'b': inputs.v}.b",
        "{'a': 1}.a + 1",
        "[1, 2][0] + 1",
        "2 * 3",
        "'a' ~ 'b'",
    ];
    let mut all = Vec::new();
    for v in samples() {
        all.extend(one.iter().map(|code| ((*code).to_owned(), disagreements(code, &v, &Value::Null))));
        for w in samples() {
            all.extend(two.iter().map(|code| ((*code).to_owned(), disagreements(code, &v, &w))));
        }
    }
    nothing_disagrees(all);
}

#[test]
fn mixed_text_is_known_as_far_as_its_parts_are() {
    let enumerated = Type::one_of(&[json!("16"), json!("4")]);
    let count = Type::encoded(json!({ "type": "integer" }));
    let show = |code: &str| {
        let (found, refused) = infer(code, &enumerated, &count);
        format!("{code}\n  {} sure: {} {refused:?}\n", found.schema, found.is_sure())
    };
    let all: String = [
        "{{ inputs.v }}:9",
        "at {{ inputs.v }} of {{ inputs.w }}",
        "{% if inputs.w %}a{% else %}b{% endif %}",
        "{% for x in [1, 2] %}{{ x }}{% endfor %}",
        "{% set n = inputs.v %}n is {{ n }}",
        "{% with n = 'x' %}{{ n }}{% endwith %}!",
        "{% filter upper %}{{ inputs.v }}{% endfilter %}",
        "./photos/{{ inputs.w }}.png",
        "{{ [1, 2] }} of them",
        "{{ {'a': 1} }} of them",
        "{{ none }} of them",
    ]
    .into_iter()
    .map(show)
    .collect();
    insta::assert_snapshot!(all);
}

/// Schemas of inputs as presets have them.
fn schemas() -> Vec<Json> {
    vec![
        json!({ "type": "string" }),
        json!({ "type": "string", "minLength": 2 }),
        json!({ "type": "string", "enum": ["1:1", "16:9", "4:3"] }),
        json!({ "type": "string", "enum": ["1", "2", "true"] }),
        json!({ "enum": ["a", 1, null] }),
        json!({ "type": "integer" }),
        json!({ "type": "integer", "minimum": 1, "maximum": 4 }),
        json!({ "type": "integer", "multipleOf": 8 }),
        json!({ "type": "number", "exclusiveMinimum": 0 }),
        json!({ "type": "boolean" }),
        json!({ "type": ["string", "null"], "description": "or nothing" }),
        json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
        json!({ "type": "array", "items": { "type": "string" } }),
        json!({ "type": "array", "items": { "type": "integer" }, "maxItems": 2 }),
        json!({ "type": "array" }),
        json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" }),
        json!({ "type": "string", "format": "uri", "contentMediaType": "video/*" }),
        json!({ "type": "string", "format": "uri" }),
        json!({ "type": "array", "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" } }),
        json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"], "additionalProperties": false }),
        json!({ "type": "object", "properties": { "a": { "type": ["integer", "null"] } } }),
        json!({ "type": "string", "pattern": "^a" }),
        json!({ "not": { "type": "string" } }),
        json!({ "$defs": { "n": { "type": "object", "properties": { "n": { "$ref": "#/$defs/n" } } } }, "$ref": "#/$defs/n" }),
        json!(true),
    ]
}

fn field(schema: &Json) -> Field {
    Field::new(schema, &Source::new("preset.yaml", ""), Span::default(), false).expect("a schema")
}

/// True when a run takes a value into an input.
fn taken(value: &Value, field: &Field) -> bool {
    crate::plan::takes(value.clone(), field)
}

#[test]
fn what_is_proved_always_fits_and_what_is_refused_never_does() {
    let mut values = samples();
    values.extend(
        [json!("16:9"), json!("1"), json!(4), json!(8), json!(16), json!(1), json!(["x"]), json!([1, 2, 3])]
            .map(Value::from_json),
    );
    values.extend(
        [json!({ "a": null }), json!([null, "x"]), json!("2:1"), json!({ "n": { "n": {} } })]
            .map(Value::from_json),
    );
    let (mut proved, mut never, mut open) = (0, 0, 0);
    for given in schemas() {
        let given_type = Type::of_schema(&given);
        let validator = jsonschema::draft202012::new(&given_type.schema).unwrap();
        // A map never is a picture, whatever stands for one here.
        let of_kind =
            |value: &Value| value.media().is_empty() || given_type.schema.to_string().contains("$media");
        let possible: Vec<_> =
            values.iter().filter(|value| of_kind(value) && validator.is_valid(&encoded(value))).collect();
        for takes in schemas() {
            let field = field(&takes);
            let fit = Fitting::default().fit(&given_type, &field);
            for value in &possible {
                let fits = taken(value, &field);
                let about = format!("{given} into {takes}, {fit:?}, but {}", encoded(value));
                match &fit {
                    Fit::Proved => assert!(fits, "{about}"),
                    // An empty list goes everywhere where lists go; so does nothing at all.
                    Fit::Never(_) if matches!(value, Value::List(l) if l.iter().all(Value::is_null)) => {}
                    Fit::Never(_) => assert!(!fits || value.is_null(), "{about}"),
                    Fit::Open | Fit::Partly(_) => {}
                }
            }
            match fit {
                Fit::Proved => proved += 1,
                Fit::Never(_) => never += 1,
                Fit::Open | Fit::Partly(_) => open += 1,
            }
        }
    }
    insta::assert_snapshot!(format!("{proved} proved, {never} refused, {open} open"));
}
