use std::fmt::Write;
use std::sync::Arc;

use castline_spec::{Preset, Severity, Source};

use crate::callee::Catalog;
use crate::files::Files;

const BASE: &str = "
name: base
model: acme/base
input:
  type: object
  required: [prompt]
  properties:
    prompt: { type: string }
    ratio: { type: string, enum: ['1:1', '2:3'] }
    steps: { type: integer, maximum: 40 }
    image: { type: image }
output: { type: image }
rules:
  - message: A start image brings its own ratio.
    schema: { not: { required: [image, ratio] } }
";

fn preset(name: &str, text: &str) -> Arc<Preset> {
    let (preset, found) = Preset::parse(&Source::new(format!("{name}.yaml"), text));
    assert!(!found.has_errors(), "{found:?}");
    Arc::new(preset.expect("a preset"))
}

/// One finding a line: severity, code, place, what is there, message; hints and labels below.
fn found(text: &str) -> String {
    let mut catalog = Catalog::default();
    for (name, text) in [("base", BASE), ("loop", "name: loop\nextends: m\n")] {
        catalog.found.insert(name.to_owned(), preset(name, text));
        catalog.known.push(name.to_owned());
    }
    let mut out = String::new();
    for d in super::check(&preset("m", text), &catalog, &Arc::new(Files::default())).list {
        let severity = if d.severity == Severity::Error { "error" } else { "warning" };
        let place = d.span.map_or("the file".to_owned(), |span| {
            format!("{}:{} <{}>", span.start.line, span.start.column, d.source.slice(span))
        });
        let _ = writeln!(out, "{severity}[{}] {place} {}", d.code.as_str(), d.message);
        for label in &d.labels {
            let place =
                format!("{} {}:{}", label.source.name, label.span.start.line, label.span.start.column);
            let _ = writeln!(out, "  {place} {}", label.message);
        }
        if let Some(hint) = &d.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
        if let Some(fix) = &d.fix {
            let there = d.source.slice(fix.span);
            let word = if fix.certain { "fix" } else { "maybe" };
            let _ = writeln!(out, "  {word}: {there} -> {}", fix.text);
        }
    }
    out
}

/// A preset of a model with these properties, and more.
fn model(properties: &str, more: &str) -> String {
    found(&format!(
        "name: m\nmodel: acme/m\ninput: {{ type: object, properties: {{ {properties} }} }}\noutput: {{ type: image }}\n{more}"
    ))
}

#[test]
fn a_preset_without_mistakes_has_no_findings() {
    assert_eq!(found(BASE), "");
    let derived = "extends: base\ninputs: { photo: { type: image, default: null } }\nwith: { prompt: x, image: '{{ inputs.photo }}' }\nports: { image: photo }\n";
    assert_eq!(found(derived), "");
}

#[test]
fn a_schema_that_is_none_is_shown_at_its_very_place() {
    insta::assert_snapshot!(model(
        "a: { type: integer, minimum: low }, b: { type: array, items: { type: string, enum: none } }, c: { pattern: '[a-' }",
        ""
    ), @"
    error[invalid-schema] 3:67 <low> `minimum` must be a number, not a text (string)
    error[invalid-schema] 3:121 <none> `enum` must be a list, not a text (string)
    error[invalid-schema] 3:145 <'[a-'> `[a-` is not a regular expression
    ");
    insta::assert_snapshot!(model("a: { $ref: '#/$defs/x' }", ""), @"
    error[invalid-schema] 3:49 <'#/$defs/x'> `$ref` is not followed: each input is checked by itself
      hint: write out what it refers to
    ");
    insta::assert_snapshot!(model("a: { type: integer, minimum: 9, maximum: 4 }", ""), @"error[invalid-schema] 3:38 <a> no value fits `a`");
}

#[test]
fn an_input_should_be_closed_and_require_what_there_is() {
    insta::assert_snapshot!(found("
name: m
model: acme/m
input:
  type: object
  additionalProperties: true
  required: [promt]
  properties: { prompt: { type: string } }
output: { type: image }
"), @"
    warning[invalid-schema] 6:25 <true> `input` is open, and hosts drop a misspelt input without a word
      hint: write `additionalProperties: false`
      fix: true -> false
    error[unknown-input] 7:14 <promt> `required` names `promt`, which is not among `properties`
      hint: there is an input `prompt`
      maybe: promt -> prompt
    ");
}

#[test]
fn values_in_a_schema_fit_it() {
    insta::assert_snapshot!(model(
        "a: { type: string, enum: [x, 7], default: y }, b: { type: array, items: { type: integer, default: '1' } }, c: { type: integer, examples: [1, two], default: null }",
        "defaults: { a: z, c: 3 }\n"
    ), @r#"
    error[invalid-input] 3:67 <7> `a.enum[1]` must be a text (string), not an integer
      m.yaml 3:38 declared here
      hint: write it with quotes: "7"
      fix: 7 -> "7"
    error[invalid-input] 3:80 <y> `a.default` must be one of "x", 7, not "y"
      m.yaml 3:38 declared here
    error[invalid-input] 3:136 <'1'> `b.items.default` must be an integer, not a text (string)
      m.yaml 3:103 declared here
      hint: write it without quotes: `1`
      fix: '1' -> 1
    error[invalid-input] 3:179 <two> `c.examples[1]` must be an integer, not a text (string)
      m.yaml 3:145 declared here
    error[invalid-input] 5:16 <z> `a` must be one of "x", 7, not "z"
      m.yaml 3:38 declared here
    "#);
}

#[test]
fn a_default_is_no_file() {
    insta::assert_snapshot!(model("a: { type: image }", "defaults: { a: ./x.png }\n"), @"
    error[invalid-value] 5:16 <./x.png> `defaults` are sent as they are, and `./x.png` is a file
      hint: a derived preset can send a file of its own under `with`
    ");
}

#[test]
fn a_port_fills_a_field_of_its_kind() {
    insta::assert_snapshot!(model(
        "one: { type: image }, many: { type: array, items: { type: image } }, clip: { type: video }, any: { type: file }, words: { type: string }, n: { type: integer }",
        "ports: { image: many, images: one, video: one, mask: { field: clip }, audio: words, file: any, text: n, first_frame: { field: any, repaint: black } }\n"
    ), @"
    error[media-mismatch] 5:17 <many> port `image` is for an image, and `many` takes a list of images
      m.yaml 3:60 declared here
      hint: call the port `images`
      maybe: image -> images
    error[media-mismatch] 5:31 <one> port `images` is for a list of images, and `one` takes an image
      m.yaml 3:38 declared here
      hint: call the port `image`
      maybe: images -> image
    error[media-mismatch] 5:43 <one> port `video` is for a video, and `one` takes an image
      m.yaml 3:38 declared here
    error[media-mismatch] 5:63 <clip> port `mask` is for an image, and `clip` takes a video
      m.yaml 3:107 declared here
    error[media-mismatch] 5:78 <words> port `audio` is for sound, and `words` takes a text (string)
      m.yaml 3:151 declared here
      hint: write `type: audio` for `words`
    error[media-mismatch] 5:102 <n> port `text` is for text, and `n` takes an integer
      m.yaml 3:176 declared here
    warning[unused] 5:132 <repaint> `repaint` is about masks, and `first_frame` is none
    ");
}

#[test]
fn a_rule_is_about_inputs_and_words_that_there_are() {
    insta::assert_snapshot!(model("mode: { type: string, enum: [fast, slow] }, width: { type: integer }", "
rules:
  - message: Wide is slow.
    schema: { if: { required: [widht] }, then: { properties: { mode: { const: slwo } } } }
  - message: Both.
    schema: { dependentRequired: { mode: [width, hight] } }
  - message: Broken.
    schema: { properties: { width: { minimum: big } } }
"), @r#"
    error[unknown-input] 8:32 <widht> the rule is about `widht`, which is no input
      hint: there is an input `width`
      maybe: widht -> width
    warning[invalid-input] 8:79 <slwo> `mode` of the rule can never hold: `mode` must be one of "fast", "slow", not "slwo"
      m.yaml 3:38 declared here
      hint: did you mean "slow"?
      maybe: slwo -> "slow"
    error[unknown-input] 10:50 <hight> the rule is about `hight`, which is no input
      hint: known: `mode`, `width`
    error[invalid-schema] 12:47 <big> `minimum` must be a number, not a text (string)
    "#);
}

#[test]
fn a_rule_can_be_kept_and_can_be_broken() {
    insta::assert_snapshot!(model("mode: { type: string, enum: [fast, slow] }", "
rules:
  - message: Always.
    schema: { properties: { mode: { enum: [fast, slow] } } }
  - message: Fast.
    schema: { required: [mode], properties: { mode: { const: fast } } }
  - message: Slow.
    schema: { properties: { mode: { const: slow } } }
"), @"
    warning[unused] 7:14 <Always.> no input that the schema takes can break this rule
    error[rule-broken] 11:14 <Slow.> no input can keep this rule together with the schema and the rules above
    ");
}

#[test]
fn an_example_goes_the_whole_way_of_a_step() {
    insta::assert_snapshot!(model("prompt: { type: string }, mode: { type: string, enum: [fast, slow] }, photo: { type: image }, wide: { type: boolean }", "
rules:
  - message: Wide is slow.
    schema: { if: { required: [wide] }, then: { required: [mode], properties: { mode: { const: slow } } } }
examples:
  - with: { prompt: right, photo: ./not/there.png }
  - with: { promt: wrong, mode: fats }
  - with: { prompt: wrong, photo: ./clip.mp4 }
  - with: { prompt: wrong, photo: 'https://example.com/a.png' }
  - with: { prompt: wrong, wide: true }
"), @r#"
    error[unknown-input] 11:13 <promt> `m` has no input `promt`
      hint: there is an input `prompt`
      fix: promt -> prompt
    error[invalid-input] 11:33 <fats> `mode` must be one of "fast", "slow", not "fats"
      m.yaml 3:64 declared here
      hint: did you mean "fast"?
      maybe: fats -> "fast"
    error[media-mismatch] 12:35 <./clip.mp4> `photo` takes an image, and `./clip.mp4` is a video by its name
      m.yaml 3:108 declared here
    error[invalid-input] 13:35 <'https://example.com/a.png'> `photo` takes a file, and `https://example.com/a.png` is no path
      hint: download it into the project, and give its path: what a model gets is known before a run
    error[rule-broken] 14:5 <with> wide is slow
      m.yaml 7:5 the rule
    "#);
}

#[test]
fn an_example_is_complete() {
    insta::assert_snapshot!(found(&format!("{BASE}examples:\n  - with: {{ ratio: '1:1' }}\n")), @"
    error[missing-input] 17:5 <with> `base` needs `prompt`
      m.yaml 8:5 declared here
      hint: add `prompt` under `with`
    ");
}

#[test]
fn a_price_reads_inputs_that_there_are_and_has_every_word() {
    insta::assert_snapshot!(model("size: { type: string, enum: [s, m, l], default: s }, sound: { type: boolean, default: false }, duration: { type: integer }", "
price:
  - { usd: 0.1, per: run, if: input.size == 's' }
  - { usd: 0.2, per: run, if: input.size == 'm' and not input.sound }
routes:
  replicate: { price: { usd: 0.1, per: second, quantity: input.duratoin } }
  cometapi: { price: { usd: 0.1, per: megapixel } }
  sandbox: { price: { usd: 0.1, per: second } }
examples:
  - with: { duration: 5 }
  - with: { size: m }
"), @r#"
    warning[invalid-value] 7:5 <{ usd: 0.1, per: run, if: input.size == 's' }> there is no price for `size: "l"`: no `if` holds
      m.yaml 3:38 declared here
    warning[invalid-value] 7:5 <{ usd: 0.1, per: run, if: input.size == 's' }> there is no price for `size: "m"` with `sound: true`: no `if` holds
      m.yaml 3:38 declared here
    error[unknown-input] 10:64 <duratoin> `m` has no input `duratoin`
      hint: there is an input `duration`
      maybe: duratoin -> duration
    warning[invalid-value] 11:22 <{ usd: 0.1, per: megapixel }> `megapixel` is counted by `width` and `height` or `megapixels`, which `m` does not take
      hint: say how many with `quantity`; without it there is no price before the run
    warning[invalid-value] 12:21 <{ usd: 0.1, per: second }> example 2 has no price: `second` is counted by `duration`, which is not said
      m.yaml 15:5 this example
    "#);
}

#[test]
fn a_price_by_pictures_wants_pictures() {
    let text = "name: m\nmodel: acme/m\ntask: text-to-video\ninput: { type: object, properties: {} }\noutput: { type: audio }\nprice: { usd: 1, per: image }\n";
    insta::assert_snapshot!(found(text), @"
    warning[invalid-value] 5:17 <audio> `text-to-video` gives a video, and `output` says otherwise
      m.yaml 3:7 the task
    warning[invalid-value] 6:8 <{ usd: 1, per: image }> the model gives no images, and the price is by `image`
      m.yaml 5:17 what the model gives
    ");
}

#[test]
fn a_derived_preset_sends_what_its_base_takes() {
    insta::assert_snapshot!(found("
extends: base
inputs:
  subject: { type: string, default: 4 }
  count: { type: integer, maximum: 4, default: 9 }
  spare: { type: string, default: '' }
with:
  prompt: '{{ inputs.subject }}'
  ratio: '16:9'
  steps: '{{ inputs.count }} steps'
  image: '{{ inputs.subject }}'
ports: { image: subject }
"), @r#"
    error[invalid-input] 4:37 <4> `subject.default` must be a text (string), not an integer
      m.yaml 4:3 declared here
      hint: write it with quotes: "4"
      fix: 4 -> "4"
    error[invalid-input] 5:48 <9> `count.default` must be at most 4, not 9
      m.yaml 5:3 declared here
      maybe: 9 -> 4
    warning[unused] 6:3 <spare> nothing uses the input `spare`
    error[invalid-input] 9:10 <'16:9'> `ratio` must be one of "1:1", "2:3", not "16:9"
      base.yaml 9:5 declared here
      hint: did you mean "1:1"?
      maybe: '16:9' -> "1:1"
    error[type-mismatch] 10:10 <'{{ inputs.count }} steps'> `steps` takes an integer, and this template is always text
      base.yaml 10:5 declared here
    error[type-mismatch] 11:14 <inputs.subject> `image` takes an image, and `subject` is a text (string)
      base.yaml 11:5 declared here
    error[media-mismatch] 12:17 <subject> port `image` is for an image, and `subject` takes a text (string)
      m.yaml 4:3 declared here
      hint: write `type: image` for `subject`
    "#);
    insta::assert_snapshot!(found("extends: base\nwith: { promt: x }\n"), @"
    error[missing-input] the file the preset gives no `prompt`, which `base` needs
      base.yaml 8:5 declared here
      hint: add `prompt` under `with`
    error[unknown-input] 2:16 <x> `base` has no input `promt`
      hint: there is an input `prompt`
    ");
    insta::assert_snapshot!(found("extends: bass\nwith: { prompt: x }\n"), @"
    error[unknown-preset] 1:10 <bass> there is no preset `bass`
      hint: there is a preset `base`
    ");
    insta::assert_snapshot!(found("name: m\nextends: loop\n"), @"error[cycle] 2:10 <m> presets extend each other: m -> loop -> m");
}

#[test]
fn every_word_that_a_derived_preset_offers_goes_through() {
    insta::assert_snapshot!(found("
extends: base
inputs:
  shape: { type: string, enum: [square, tall, wide], default: square }
  photo: { type: image, default: null }
with:
  prompt: A boat.
  ratio: \"{{ {'square': '1:1', 'tall': '2:3', 'wide': '3:1'}[inputs.shape] }}\"
  image: '{{ inputs.photo }}'
examples:
  - with: { shape: tall }
  - with: { photo: ./a.png }
"), @r#"
    error[invalid-input] 8:10 <"{{ {'square': '1:1', 'tall': '2:3', 'wide': '3:1'}[inputs.shape] }}"> `ratio` must be one of "1:1", "2:3", not "3:1"
      base.yaml 9:5 declared here
      m.yaml 4:47 with `shape: "wide"`
      hint: did you mean "1:1"?
    error[rule-broken] 12:5 <with> a start image brings its own ratio
      base.yaml 14:5 the rule
    "#);
}
