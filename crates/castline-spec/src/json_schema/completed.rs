//! The schema of a workflow in which `with` is that of the preset that `uses` names.
//!
//! Editors ask a schema, not castline, so it must never refuse what castline takes: wherever a
//! preset's input wants a value, a template, a path or nothing may stand. What can only be told of
//! values (rules, required inputs that are piped in) is left to `check`.
//!
//! Start reading at [`workflow_with`].

use serde_json::{Map, Value, json};

use crate::preset::{Body, Preset};
use crate::schema::MediaKind;

/// A preset that steps can name.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What `uses` may say to mean it; the first is offered.
    pub uses: Vec<String>,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its inputs; none when it is broken.
    pub input: Option<Value>,
}

impl Known {
    /// A preset under these names.
    pub fn new(uses: Vec<String>, preset: &Preset) -> Self {
        let input = match &preset.body {
            Body::Model(model) => model.input.value.clone(),
            Body::Derived(derived) => {
                let input = |(name, input): (&crate::Name, &crate::workflow::Input)| {
                    let mut schema = input.schema.json.clone();
                    if let (Some(default), Some(map)) = (&input.default, schema.as_object_mut()) {
                        map.insert("default".into(), default.value.clone());
                    }
                    (name.to_string(), schema)
                };
                json!({ "properties": derived.inputs.iter().map(input).collect::<Map<_, _>>() })
            }
        };
        Self { uses, description: preset.description.clone(), input: Some(input) }
    }
}

/// The schema of a workflow that may use these presets.
pub fn workflow_with(presets: &[Known]) -> Value {
    let mut schema = super::workflow();
    let defs = schema["$defs"].as_object_mut().expect("a workflow has definitions");
    let step = defs["Step"].as_object_mut().expect("a step is an object");
    let uses = &mut step["properties"]["uses"];
    *uses = json!({ "description": uses["description"], "anyOf": uses_of(presets) });
    step.insert("allOf".into(), presets.iter().filter_map(with_of).collect());
    for preset in presets {
        if let (Some(input), Some(name)) = (&preset.input, preset.uses.first()) {
            defs.insert(definition(name), inputs(preset, input));
        }
    }
    defs.insert(
        "Template".into(),
        json!({
            "description": "A template, such as `{{ inputs.x }}` or `{{ steps.x.image }}`.",
            "type": "string",
            "pattern": r"\{\{|\{%"
        }),
    );
    defs.insert(
        "Path".into(),
        json!({
            "description": "A file, relative to this document: `./photos/teapot.jpg`.",
            "type": "string",
            "pattern": r"^\.{1,2}/"
        }),
    );
    defs.insert(
        "Pattern".into(),
        json!({
            "description": "The files that match, relative to this document: `./photos/*.jpg`.",
            "type": "string",
            "pattern": r"^\.{1,2}/.*[*?\[{]"
        }),
    );
    schema
}

/// What `uses` may say: the presets by name, and the forms that lead elsewhere.
fn uses_of(presets: &[Known]) -> Vec<Value> {
    let named = presets.iter().filter_map(|preset| {
        let mut one = json!({ "const": preset.uses.first()? });
        if let Some(description) = &preset.description {
            one["description"] = json!(description);
        }
        Some(one)
    });
    let forms = [
        json!({ "type": "string", "pattern": r"^\.{1,2}/", "description": "A preset's file, `./x.yaml`." }),
        json!({ "type": "string", "pattern": "^model:.+/.+", "description": "A model without a preset." }),
    ];
    named.chain(forms).collect()
}

/// A step that uses this preset gives its inputs.
fn with_of(preset: &Known) -> Option<Value> {
    preset.input.as_ref()?;
    Some(json!({
        "if": { "properties": { "uses": { "enum": preset.uses } }, "required": ["uses"] },
        "then": { "properties": { "with": { "$ref": format!("#/$defs/{}", definition(preset.uses.first()?)) } } }
    }))
}

/// No name has a `:`, and in a reference it needs no escape, which `/` does.
fn definition(name: &str) -> String {
    format!("with:{}", name.replace('/', ":"))
}

/// The schema of `with`: none of the inputs is required, since they may come by `from`.
fn inputs(preset: &Known, input: &Value) -> Value {
    let properties = input["properties"].as_object().into_iter().flatten();
    let properties: Map<_, _> = properties.map(|(name, schema)| (name.clone(), loose(schema))).collect();
    let mut with = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let Some(description) = &preset.description {
        with["description"] = json!(description);
    }
    with
}

/// A schema that takes what this one does, and what becomes a value only later.
fn loose(schema: &Value) -> Value {
    let mut whole = Map::new();
    for key in ["title", "description", "default", "examples"] {
        if let Some(value) = schema.get(key).filter(|value| !value.is_null()) {
            whole.insert(key.into(), value.clone());
        }
    }
    let value = value(schema);
    if value.as_object().is_some_and(|map| !map.is_empty()) {
        let mut forms = vec![value, json!({ "$ref": "#/$defs/Template" }), json!({ "type": "null" })];
        if MediaKind::of_list(schema).is_some() {
            forms.insert(1, json!({ "$ref": "#/$defs/Pattern" }));
        }
        whole.insert("anyOf".into(), Value::Array(forms));
    }
    Value::Object(whole)
}

/// Keywords that say the same of a value as it is written.
const KEPT: &[&str] = &[
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "required",
];

/// What a schema says of a value that is written out. Keywords that could refuse what castline
/// takes (`not`, `if`, `format`) are left out, and so is what refers elsewhere.
fn value(schema: &Value) -> Value {
    let Some(map) = schema.as_object() else { return json!({}) };
    if MediaKind::of_schema(schema).is_some() {
        return json!({ "$ref": "#/$defs/Path" });
    }
    if map.contains_key("$ref") || map.contains_key("$dynamicRef") {
        return json!({});
    }
    let mut value = Map::new();
    for (key, inner) in map {
        match (key.as_str(), inner) {
            (key, inner) if KEPT.contains(&key) => drop(value.insert(key.into(), inner.clone())),
            ("properties", Value::Object(properties)) => {
                let properties = properties.iter().map(|(name, schema)| (name.clone(), loose(schema)));
                value.insert("properties".into(), Value::Object(properties.collect()));
            }
            ("items" | "additionalProperties", Value::Object(_)) => {
                value.insert(key.clone(), loose(inner));
            }
            ("additionalProperties", Value::Bool(_)) => drop(value.insert(key.clone(), inner.clone())),
            ("prefixItems" | "allOf", Value::Array(schemas)) => {
                value.insert(key.clone(), schemas.iter().map(loose).collect());
            }
            // A template would be taken by more than one of `oneOf`.
            ("anyOf" | "oneOf", Value::Array(schemas)) => {
                value.insert("anyOf".into(), schemas.iter().map(loose).collect());
            }
            _ => {}
        }
    }
    Value::Object(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn known(text: &str) -> Known {
        let (preset, found) = Preset::parse(&Source::new("m.yaml", text));
        assert!(found.list.is_empty(), "{found:?}");
        Known::new(vec!["m".to_owned()], &preset.unwrap())
    }

    #[test]
    fn an_input_takes_its_values_a_template_or_nothing() {
        let schema = workflow_with(&[known(
            "model: a/m\ndescription: Draws.\ninput:\n  type: object\n  required: [prompt]\n  properties:\n    mode: { type: string, enum: [fast, slow], default: fast, description: How. }\n    frames: { type: array, maxItems: 2, items: { type: image } }\noutput: { type: image }\n",
        )]);
        insta::assert_json_snapshot!(schema["$defs"]["with:m"], @r##"
        {
          "type": "object",
          "properties": {
            "mode": {
              "description": "How.",
              "default": "fast",
              "anyOf": [
                {
                  "type": "string",
                  "enum": [
                    "fast",
                    "slow"
                  ]
                },
                {
                  "$ref": "#/$defs/Template"
                },
                {
                  "type": "null"
                }
              ]
            },
            "frames": {
              "anyOf": [
                {
                  "type": "array",
                  "maxItems": 2,
                  "items": {
                    "anyOf": [
                      {
                        "$ref": "#/$defs/Path"
                      },
                      {
                        "$ref": "#/$defs/Template"
                      },
                      {
                        "type": "null"
                      }
                    ]
                  }
                },
                {
                  "$ref": "#/$defs/Pattern"
                },
                {
                  "$ref": "#/$defs/Template"
                },
                {
                  "type": "null"
                }
              ]
            }
          },
          "additionalProperties": false,
          "description": "Draws."
        }
        "##);
    }

    #[test]
    fn a_derived_preset_offers_its_own_inputs_with_their_defaults() {
        let known = known("extends: x\ninputs: { ink: { type: string, default: black } }\n");
        assert_eq!(known.input.unwrap()["properties"]["ink"]["default"], "black");
    }
}
