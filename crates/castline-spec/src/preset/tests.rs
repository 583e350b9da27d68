use proptest::prelude::*;
use serde_json::json;

use super::{Body, Output, OutputKind, Preset, Repaint};
use crate::span::Source;
use crate::testing::{at, check_places, findings, mutated, source};

const KONTEXT: &str = r"castline: 1
name: flux-kontext-pro
description: Edits an image from a written instruction.
task: image-edit
model: black-forest-labs/flux-kontext-pro
schema_as_of: 2026-01-15
input:
  type: object
  required: [prompt]
  properties:
    prompt: { type: string }
    input_image: { type: image }
    mask: { type: [image, 'null'] }
    safety_tolerance: { type: integer, maximum: 6 }
output: { type: image, many: true }
ports:
  image: input_image
  mask: { field: mask, repaint: black }
rules:
  - message: With an input image safety_tolerance is at most 2.
    schema: { if: { required: [input_image] }, then: { properties: { safety_tolerance: { maximum: 2 } } } }
price: { usd: 0.04, per: image, as_of: 2026-01, source: Replicate model page }
typical_seconds: 6
defaults: { safety_tolerance: 2 }
examples:
  - with: { prompt: Make the sky violet. }
routes:
  replicate: {}
  cometapi:
    price:
      - { usd: [0.02, 0.03], per: megapixel, if: input.quality == 'high', quantity: input.width * input.height / 1e6 }
      - { usd: 1, per: run, per_run_usd: 0.5, quantity: 1 }
";

fn preset(text: &str) -> Preset {
    match Preset::parse(&source(text)) {
        (Some(preset), found) if found.list.is_empty() => preset,
        (_, found) => panic!("{}", findings(&found)),
    }
}

fn found(text: &str) -> String {
    findings(&Preset::parse(&source(text)).1)
}

#[test]
fn a_preset_of_a_model_is_read() {
    let preset = preset(KONTEXT);
    let Body::Model(model) = &preset.body else { panic!() };
    assert_eq!((preset.name.as_str(), preset.task.as_deref()), ("flux-kontext-pro", Some("image-edit")));
    assert_eq!(model.model.value, "black-forest-labs/flux-kontext-pro");
    assert_eq!(model.input.value["additionalProperties"], json!(false));
    assert_eq!(model.input.value["properties"]["input_image"]["contentMediaType"], "image/*");
    assert_eq!(at(model.property_spans["mask"]), "13:5-9");
    assert_eq!(model.output, Output { kind: OutputKind::Image, many: true });
    assert_eq!(preset.ports["image"].field.value, "input_image");
    assert_eq!(preset.ports["mask"].repaint, Some(Repaint::Black));
    assert_eq!(model.rules.len(), 1);
    assert_eq!(
        (model.price[0].usd_min, model.price[0].usd_max, model.price[0].per.as_str()),
        (0.04, 0.04, "image")
    );
    assert_eq!(model.price[0].as_of.as_deref(), Some("2026-01"));
    assert_eq!(model.defaults["safety_tolerance"], json!(2));
    assert_eq!(preset.examples[0].value["prompt"], "Make the sky violet.");
    assert_eq!(model.routes["replicate"].price, []);
    let comet = &model.routes["cometapi"].price;
    assert_eq!((comet[0].usd_min, comet[0].usd_max), (0.02, 0.03));
    assert_eq!(comet[0].condition.as_ref().unwrap().value, "input.quality == 'high'");
    assert_eq!((comet[1].per_run_usd, comet[1].quantity.as_ref().unwrap().value.as_str()), (0.5, "1"));
}

#[test]
fn a_derived_preset_is_read() {
    let text = "name: house\nextends: flux-kontext-pro\ninputs:\n  photo: {type: image}\n  mood: {type: string, default: calm}\nvars:\n  tone: \"{{ inputs.mood }} light\"\nwith:\n  prompt: \"{{ vars.tone }}\"\n  input_image: \"{{ inputs.photo }}\"\nports: {image: photo}\n";
    let preset = preset(text);
    let Body::Derived(derived) = &preset.body else { panic!() };
    assert_eq!(derived.extends.value, "flux-kontext-pro");
    assert_eq!((derived.inputs.len(), derived.vars.len(), derived.with.len()), (2, 1, 2));
}

#[test]
fn the_name_of_a_preset_is_the_stem_of_its_file() {
    let text = "model: std/resize\ninput: {properties: {}}\noutput: {type: image}\n";
    let parsed = Preset::parse(&Source::new("presets/resize.yaml", text)).0.unwrap();
    assert_eq!(parsed.name, "resize");
    assert_eq!(preset(&format!("name: std/resize\n{text}")).name, "std/resize");
}

#[test]
fn each_mistake_is_one_finding() {
    let model = "model: a/b\ninput: {type: object, properties: {p: {type: string}, i: {type: image}}}\noutput: {type: image}\n";
    let texts = [
        "",
        "name: x\n",
        "modle: a/b\n",
        "model: a/b\nextends: c\n",
        "model: ab\ninput: {properties: {}}\noutput: {type: image}\n",
        "model: a/b\ninput: {type: array, properties: {}}\noutput: {type: image}\n",
        "model: a/b\ninput: {type: object}\noutput: {type: image}\n",
        "model: a/b\ninput: text\noutput: image\n",
        "model: a/b\ninput: {properties: {p: {type: imgae}}}\noutput: {type: picture, mnay: true}\n",
        "extends: a\nprice: {usd: 1, per: run}\nwith: {p: \"{{ steps.a.image }}\"}\nports: {image: photo}\n",
    ];
    let more = [
        "inputs: {a: {type: string}}",
        "with: {p: x}",
        "ports: {imgae: i}",
        "ports: {image: j}",
        "ports: {mask: {field: i, repaint: red}}",
        "ports: {mask: {repaint: white}}",
        "ports: {image: [i]}",
        "rules: {message: x, schema: {}}",
        "rules: [{message: x}, {schma: {}, message: y}]",
        "rules: [{message: x, schema: 4}]",
        "price: 0.04",
        "price: {usd: 0.04}",
        "price: {usd: '0.04', per: image}",
        "price: {usd: -1, per: image}",
        "price: {usd: [1, 2, 3], per: image}",
        "price: {usd: [2, 1], per: image}",
        "price: {usd: 1, per: image, if: inputs.x}",
        "price: {usd: 1, per: image, quantity: input.x +}",
        "price: {usd: 1, per: image, as_of: 2026}",
        "secrets: {q: KEY, i: KEY, p: sk-1}",
        "confidence: sure",
        "defaults: {q: 1}",
        "routes: {replicat: {}}",
        "routes: {replicate: {prize: 1}}",
        "routes: {replicate: }",
        "typical_seconds: fast",
        "examples: [{with: {p: a}}, {prompt: a}]",
        "version: 12",
        "version: latest",
        "name: My Preset",
        "task: [a]",
    ];
    let all = texts.iter().map(|text| ((*text).to_owned(), (*text).to_owned()));
    let all = all.chain(more.iter().map(|line| ((*line).to_owned(), format!("{model}{line}\n"))));
    let all =
        all.fold(String::new(), |out, (shown, text)| format!("{out}--- {}\n{}", shown.trim(), found(&text)));
    insta::assert_snapshot!(all, @r#"
    --- 
    error[missing-key] 1:1 <>: a preset needs `model`
    error[missing-key] 1:1 <>: a preset of a model needs `input`
    error[missing-key] 1:1 <>: a preset of a model needs `output`
    --- name: x
    error[missing-key] 1:1-8 <name: x>: a preset needs `model`
    error[missing-key] 1:1-8 <name: x>: a preset of a model needs `input`
    error[missing-key] 1:1-8 <name: x>: a preset of a model needs `output`
    --- modle: a/b
    error[unknown-key] 1:1-6 <modle>: a preset has no key `modle`
      hint: there is a key `model`
      fix 1:1-6: modle -> model
    error[missing-key] 1:1-11 <modle: a/b>: a preset of a model needs `input`
    error[missing-key] 1:1-11 <modle: a/b>: a preset of a model needs `output`
    --- model: a/b
    extends: c
    error[unknown-key] 1:1-6 <model>: a preset has `model` or `extends`, not both
      hint: a derived preset calls the model of the one that it extends
    --- model: ab
    input: {properties: {}}
    output: {type: image}
    error[invalid-value] 1:8-10 <ab>: `ab` cannot be a model
      hint: a model is `owner/name` or `owner/name:version`
    --- model: a/b
    input: {type: array, properties: {}}
    output: {type: image}
    error[invalid-schema] 2:15-20 <array>: `input` is the schema of an object
    --- model: a/b
    input: {type: object}
    output: {type: image}
    error[missing-key] 2:8-22 <{type: object}>: `input` needs `properties`
    --- model: a/b
    input: text
    output: image
    error[invalid-schema] 2:8-12 <text>: a schema is a map or `true`, not text
    error[wrong-type] 3:9-14 <image>: `output` takes a map, not text
      hint: write `{ type: image }`
      fix 3:9-14: image -> { type: image }
    --- model: a/b
    input: {properties: {p: {type: imgae}}}
    output: {type: picture, mnay: true}
    error[invalid-schema] 2:32-37 <imgae>: there is no type `imgae`
      hint: there is the type `image`
    error[invalid-value] 3:16-23 <picture>: `type` cannot be `picture`
      hint: known: `image`, `video`, `audio`, `file`, `text`, `json`
    error[unknown-key] 3:25-29 <mnay>: `output` has no key `mnay`
      hint: there is a key `many`
      fix 3:25-29: mnay -> many
    --- extends: a
    price: {usd: 1, per: run}
    with: {p: "{{ steps.a.image }}"}
    ports: {image: photo}
    error[unknown-key] 2:1-6 <price>: a derived preset has no key `price`
      hint: it comes from the preset that is extended
    error[unknown-name] 3:15-20 <steps>: `steps` is not in scope here
      hint: it is in workflows
    error[unknown-input] 4:16-21 <photo>: there is no input `photo`
    --- inputs: {a: {type: string}}
    error[unknown-key] 4:1-7 <inputs>: a preset of a model has no key `inputs`
      hint: only a preset with `extends` has it
    --- with: {p: x}
    error[unknown-key] 4:1-5 <with>: a preset of a model has no key `with`
      hint: only a preset with `extends` has it
    --- ports: {imgae: i}
    error[unknown-port] 4:9-14 <imgae>: there is no port `imgae`
      hint: there is a port `image`
    --- ports: {image: j}
    error[unknown-input] 4:16-17 <j>: there is no input `j`
      hint: known: `p`, `i`
    --- ports: {mask: {field: i, repaint: red}}
    error[invalid-value] 4:35-38 <red>: `repaint` cannot be `red`
      hint: known: `white`, `black`
    --- ports: {mask: {repaint: white}}
    error[missing-key] 4:15-31 <{repaint: white}>: port `mask` needs `field`
    --- ports: {image: [i]}
    error[wrong-type] 4:16-19 <[i]>: port `image` takes text, not a list
    --- rules: {message: x, schema: {}}
    error[wrong-type] 4:8-32 <{message: x, schema: {}}>: `rules` takes a list, not a map
    --- rules: [{message: x}, {schma: {}, message: y}]
    error[missing-key] 4:9-21 <{message: x}>: a rule needs `schema`
    error[unknown-key] 4:24-29 <schma>: a rule has no key `schma`
      hint: there is a key `schema`
      fix 4:24-29: schma -> schema
    --- rules: [{message: x, schema: 4}]
    error[invalid-schema] 4:30-31 <4>: a schema is a map or `true`, not the number 4
    --- price: 0.04
    error[wrong-type] 4:8-12 <0.04>: `price` takes a map or a list of maps, not the number 0.04
    --- price: {usd: 0.04}
    error[missing-key] 4:8-19 <{usd: 0.04}>: a price needs `per`
    --- price: {usd: '0.04', per: image}
    error[wrong-type] 4:14-20 <'0.04'>: `usd` takes a number, not text
    --- price: {usd: -1, per: image}
    error[invalid-value] 4:14-16 <-1>: `usd` cannot be less than 0
    --- price: {usd: [1, 2, 3], per: image}
    error[invalid-value] 4:14-23 <[1, 2, 3]>: a range of prices is `[least, most]`
    --- price: {usd: [2, 1], per: image}
    error[invalid-value] 4:14-20 <[2, 1]>: a range of prices begins with the least: `[1, 2]`
    --- price: {usd: 1, per: image, if: inputs.x}
    error[unknown-name] 4:33-39 <inputs>: `inputs` is not in scope here
      hint: there is the name `input`
    --- price: {usd: 1, per: image, quantity: input.x +}
    error[template-syntax] 4:47-48 <+>: an expression is missing here
    --- price: {usd: 1, per: image, as_of: 2026}
    error[wrong-type] 4:36-40 <2026>: `as_of` takes text, not the number 2026
      hint: put it in quotes if it is text
      fix 4:36-40: 2026 -> "2026"
    --- secrets: {q: KEY, i: KEY, p: sk-1}
    error[unknown-input] 4:11-12 <q>: there is no input `q`
      hint: known: `p`, `i`
    error[invalid-value] 4:19-20 <i>: `i` takes no text, and a secret is one
    error[invalid-value] 4:30-34 <sk-1>: a secret is the name of the environment variable that holds it
      hint: such as `openai_api_key: OPENAI_API_KEY`; the secret itself stands in no file
    --- confidence: sure
    error[invalid-value] 4:13-17 <sure>: `confidence` cannot be `sure`
      hint: known: `high`, `medium`
    --- defaults: {q: 1}
    error[unknown-input] 4:12-13 <q>: there is no input `q`
      hint: known: `p`, `i`
    --- routes: {replicat: {}}
    error[unknown-provider] 4:10-18 <replicat>: there is no built-in provider `replicat`
      hint: there is a provider `replicate`
    --- routes: {replicate: {prize: 1}}
    error[unknown-key] 4:22-27 <prize>: a route has no key `prize`
      hint: there is a key `price`
      fix 4:22-27: prize -> price
    --- routes: {replicate: }
    --- typical_seconds: fast
    error[wrong-type] 4:18-22 <fast>: `typical_seconds` takes a number, not text
    --- examples: [{with: {p: a}}, {prompt: a}]
    error[missing-key] 4:28-39 <{prompt: a}>: an example needs `with`
    error[unknown-key] 4:29-35 <prompt>: an example has no key `prompt`
      hint: known: `description`, `with`
    --- version: 12
    error[wrong-type] 4:10-12 <12>: `version` takes text, not the number 12
      hint: put it in quotes if it is text
      fix 4:10-12: 12 -> "12"
    --- version: latest
    --- name: My Preset
    error[invalid-name] 4:7-16 <My Preset>: `My Preset` cannot be the name of a preset
      hint: such names are lower case letters, digits, `-`, `_` and `.`
    --- task: [a]
    error[wrong-type] 4:7-10 <[a]>: `task` takes text, not a list
    "#);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in mutated(&[KONTEXT])) {
        let file = source(&text);
        check_places(&file, &Preset::parse(&file).1)?;
    }
}

#[test]
fn a_unit_that_cannot_be_counted_needs_a_quantity() {
    let by = |unit: &str| {
        found(&format!(
            "model: a/m\ninput: {{ type: object, properties: {{}} }}\noutput: {{ type: image }}\nprice: {{ usd: 1, per: {unit} }}\n"
        ))
    };
    assert_eq!(by("megapixel"), "");
    assert_eq!(by("character, quantity: 40"), "");
    insta::assert_snapshot!(by("imge") + &by("secnods, quantity: input.length") + &by("character"), @"
    error[invalid-value] 4:23-27 <imge>: castline cannot count by `imge`
      hint: there is the unit `image`
      fix 4:23-27: imge -> image
    warning[invalid-value] 4:23-30 <secnods>: castline cannot count by `secnods`
      hint: there is the unit `second`
      fix 4:23-30: secnods -> second
    error[invalid-value] 4:23-32 <character>: castline cannot count by `character`
      hint: say how many with `quantity`, or use one of `run`, `image`, `second`, `megapixel`, `input-megapixel`, `gpu-second`, `kilotoken`, `input-kilotoken`, `output-kilotoken`
    ");
}
