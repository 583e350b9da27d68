use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{FailureKind, From, OnError, Piped, Step, Uses, Workflow};
use crate::name::Name;
use crate::span::Spanned;
use crate::template::All;
use crate::testing::{at, check_places, findings, mutated, source};

/// The example of the language's reference.
const PAPER_BOAT: &str = r#"castline: 1
name: paper-boat
description: One subject in three styles, enlarged, on a contact sheet.

inputs:
  subject: { type: string, default: A paper boat floating on calm water at sunrise. }
  styles:  { type: array, items: { type: string }, default: [ukiyo-e, linocut, claymation] }

steps:
  draft:
    uses: flux-schnell
    with:
      prompt: "{{ inputs.subject }} Wide shot."
      aspect_ratio: "1:1"

  styled:
    uses: flux-kontext-pro
    from: draft                       # pipes draft's image into the image input
    each: { style: "{{ inputs.styles }}" }
    with:
      prompt: Redo as {{ each.style }}. Keep the composition.

  large:
    uses: real-esrgan
    from: styled                      # inherits the axis `style`: three legs, no barrier
    with: { scale: 2 }
    save: "{{ each.style }}"

  sheet:
    uses: std/contact-sheet
    from: styled.all                  # `.all` closes the axis: one leg
    with: { captions: "{{ steps.styled.all.each.style }}" }

outputs:
  sheet: "{{ steps.sheet.image }}"
  pictures: "{{ steps.large.all.image }}"
"#;

fn workflow(text: &str) -> Workflow {
    match Workflow::parse(&source(text)) {
        (Some(workflow), found) if found.list.is_empty() => workflow,
        (_, found) => panic!("{}", findings(&found)),
    }
}

fn found(text: &str) -> String {
    findings(&Workflow::parse(&source(text)).1)
}

/// A workflow of one step with these keys.
fn with_step(keys: &str) -> String {
    let keys = keys.lines().fold(String::new(), |out, line| out + "    " + line + "\n");
    format!("steps:\n  a:\n    uses: flux-schnell\n{keys}")
}

fn step(keys: &str) -> Step {
    workflow(&with_step(keys)).steps.into_values().next().unwrap()
}

#[test]
fn the_example_of_the_reference_is_read() {
    let boat = workflow(PAPER_BOAT);
    assert_eq!((boat.name.as_str(), boat.inputs.len(), boat.outputs.len()), ("paper-boat", 2, 2));
    assert_eq!(
        boat.steps.keys().map(Name::as_str).collect::<Vec<_>>(),
        ["draft", "styled", "large", "sheet"]
    );
    let subject = &boat.inputs["subject"];
    assert_eq!(subject.schema.json, json!({"type": "string"}));
    assert_eq!(
        subject.default.as_ref().unwrap().value,
        json!("A paper boat floating on calm water at sunrise.")
    );
    let styled = &boat.steps["styled"];
    assert_eq!(styled.uses.value, Uses::Preset("flux-kontext-pro".into()));
    assert_eq!(at(styled.name_span), "16:3-9");
    let refs: Vec<_> =
        boat.steps.values().flat_map(|s| s.with.values()).flat_map(|b| b.value.references()).collect();
    let refs: Vec<_> = refs.iter().map(|r| format!("{} {}", at(r.span), boat.source.slice(r.span))).collect();
    assert_eq!(
        refs,
        ["13:19-33 inputs.subject", "21:26-36 each.style", "32:27-54 steps.styled.all.each.style"]
    );
}

fn used(text: &str) -> Uses {
    workflow(&format!("steps:\n  a:\n    uses: {text}\n")).steps["a"].uses.value.clone()
}

#[test]
fn uses_names_a_preset_a_file_or_a_model() {
    assert_eq!(used("flux-schnell"), Uses::Preset("flux-schnell".into()));
    assert_eq!(used("brand/house-style"), Uses::Preset("brand/house-style".into()));
    assert_eq!(used("./presets/x.yaml"), Uses::Path("./presets/x.yaml".into()));
    assert_eq!(used("../x.yaml"), Uses::Path("../x.yaml".into()));
    assert_eq!(used("model:me/upscaler"), Uses::Model("me/upscaler".into()));
    assert_eq!(used("model:me/up.scaler:ab12"), Uses::Model("me/up.scaler:ab12".into()));
}

fn piped(text: &str) -> Vec<String> {
    let show = |piped: &Spanned<Piped>| {
        let all = match &piped.all {
            None => String::new(),
            Some(All::Every) => ".all".into(),
            Some(All::Named(axes)) => {
                let axes: Vec<_> = axes.iter().map(|a| format!("{}@{}", a.value, at(a.span))).collect();
                format!(".all({})", axes.join(" "))
            }
        };
        format!("{}@{}{all}", piped.step.value, at(piped.step.span))
    };
    match step(&format!("from: {text}")).from.unwrap() {
        From::Steps(steps) => steps.iter().map(show).collect(),
        From::Ports(ports) => {
            let port = |(name, (span, steps)): (&String, &(_, Vec<_>))| {
                format!("{name}@{}: {}", at(*span), steps.iter().map(show).collect::<Vec<_>>().join(" "))
            };
            ports.iter().map(port).collect()
        }
    }
}

#[test]
fn from_takes_steps_and_ports() {
    assert_eq!(piped("draft"), ["draft@4:11-16"]);
    assert_eq!(piped("draft.all"), ["draft@4:11-16.all"]);
    assert_eq!(piped("draft.all('seed', \"style\")"), ["draft@4:11-16.all(seed@4:22-26 style@4:30-35)"]);
    assert_eq!(piped("\"draft.all('seed')\""), ["draft@4:12-17.all(seed@4:23-27)"]);
    assert_eq!(piped("[a, b.all]"), ["a@4:12-13", "b@4:15-16.all"]);
    assert_eq!(
        piped("{mask: a, images: [b, c.all]}"),
        ["mask@4:12-16: a@4:18-19", "images@4:21-27: b@4:30-31 c@4:33-34.all"]
    );
}

#[test]
fn the_other_keys_of_a_step_are_read() {
    let s = step(
        "retry: {times: 2, on: [platform, moderation]}\ntimeout: 1h30m\ncache: false\non_error: skip\nlegs: [style]\nversion: ab12\nafter: [b, c]\ndraw: 7\njson: {type: object}\nif: inputs.x\neach: {a: [1, 2], b: \"{{ range(3) }}\"}\nsave: x/{{ file.index }}\nwith:\ndescription: d",
    );
    assert_eq!(s.retry.times, 2);
    assert_eq!(
        s.retry.on.iter().map(|k| k.value).collect::<Vec<_>>(),
        [FailureKind::Platform, FailureKind::Moderation]
    );
    assert_eq!(s.timeout, Some(Duration::from_mins(90)));
    assert_eq!((s.cache, s.on_error), (false, OnError::Skip));
    assert_eq!(s.legs.unwrap().value, [Name::new("style")]);
    assert_eq!(s.version.unwrap().value, "ab12");
    assert_eq!(s.after.iter().map(|n| n.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(s.draw.unwrap().as_literal(), Some(json!(7)));
    assert_eq!(s.json.unwrap().value, json!({"type": "object"}));
    assert_eq!(s.condition.unwrap().references().count(), 1);
    assert_eq!(s.each.keys().map(Name::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert!(s.with.is_empty() && s.with_span.is_some());
    assert_eq!(s.save.unwrap().references().count(), 1);
}

#[test]
fn a_duration_is_text_or_seconds() {
    let timeout = |text: &str| step(&format!("timeout: {text}")).timeout.map(|d| d.as_millis());
    let table = [
        ("30s", 30_000),
        ("10m", 600_000),
        ("2h", 7_200_000),
        ("1h5s", 3_605_000),
        ("90", 90_000),
        ("1.5", 1_500),
    ];
    for (text, millis) in table {
        assert_eq!(timeout(text), Some(millis), "{text}");
    }
    for text in ["0", "-3", "5d", "m", "1m1h", "''", "10 m", "99999999999999999999h", ".5m", "[1]", "1m2m"] {
        let found = found(&with_step(&format!("timeout: {text}")));
        assert!(found.contains("`timeout`"), "{text} {found}");
    }
}

#[test]
fn a_workflow_without_name_has_the_name_of_its_file() {
    let file = crate::span::Source::new("flows/paper-boat.yaml", "steps: {a: {uses: b}}");
    assert_eq!(Workflow::parse(&file).0.unwrap().name.as_str(), "paper-boat");
}

#[test]
fn an_input_is_a_schema_and_a_default() {
    let flow = workflow(
        "inputs:\n  photo: {type: image}\n  note: {type: string, default: null}\n  any: true\n  many:\n    type: array\n    items: {type: image}\nsteps: {a: {uses: b}}\n",
    );
    let photo = json!({"type": "string", "format": "uri", "contentMediaType": "image/*"});
    assert_eq!(flow.inputs["photo"].schema.json, photo);
    assert_eq!(flow.inputs["photo"].default, None);
    assert_eq!(flow.inputs["note"].default.as_ref().unwrap().value, json!(null));
    assert_eq!(flow.inputs["note"].schema.json, json!({"type": "string"}));
    assert_eq!(flow.inputs["any"].schema.json, json!(true));
    assert_eq!(flow.inputs["many"].schema.json["items"], photo);
}

#[test]
fn a_document_with_many_mistakes_reports_them_all() {
    let text = r#"castline: 2
nmae: größe
inputs:
  Subject: { type: strin }
  styles: [a]
steps:
  my-step:
    use: flux-schnell
    with: { prompt: "🎨 é {{ input.subject }}", size: "{{ steps.draft.image | uper }}" }
    retry: { times: -1, on: [platfrm] }
  draft:
    uses: Flux Schnell
    from: steps.a
    each: { style: linocut }
    cache: yes
    timeout: soon
    on_error: ignore
    where: x
    if: "{{ inputs.x"
    save: 4
    version: 12
    legs: style
  draft:
    uses: x
outputs:
  out: "{{ file.index }}"
"#;
    insta::assert_snapshot!(found(text), @r#"
    error[newer-language] 1:11-12 <2>: this document is of language 2, this castline knows 1
      hint: update castline: a later one reads it
    error[unknown-key] 2:1-5 <nmae>: a workflow has no key `nmae`
      hint: there is a key `name`
      fix 2:1-5: nmae -> name
    error[invalid-name] 4:3-10 <Subject>: `Subject` cannot be the name of an input
      hint: names are lower case letters, digits and `_`, and begin with a letter
      fix 4:3-10: Subject -> subject
    error[invalid-schema] 4:20-25 <strin>: there is no type `strin`
      hint: there is the type `string`
    error[invalid-schema] 5:11-14 <[a]>: a schema is a map or `true`, not a list
    error[invalid-name] 7:3-10 <my-step>: `my-step` cannot be the name of a step
      hint: names have `_` instead of `-`, which subtracts in a template
      fix 7:3-10: my-step -> my_step
    error[unknown-key] 8:5-8 <use>: step `my-step` has no key `use`
      hint: there is a key `uses`
      fix 8:5-8: use -> uses
    error[unknown-name] 9:29-34 <input>: `input` is not in scope here
      hint: there is the name `inputs`
    error[unknown-filter] 9:78-82 <uper>: there is no filter `uper`
      hint: there is a filter `upper`
      fix 9:78-82: uper -> upper
    error[invalid-value] 10:21-23 <-1>: `times` takes a whole number from 0 on, not -1
    error[invalid-value] 10:30-37 <platfrm>: `on` cannot be `platfrm`
      hint: there is the value `platform`
      fix 10:30-37: platfrm -> platform
    error[invalid-value] 12:11-23 <Flux Schnell>: `uses` cannot be `Flux Schnell`: this is neither a preset nor a path
      hint: `flux-schnell`, `library/name`, `./file.yaml` or `model:owner/name`
    error[invalid-value] 13:11-18 <steps.a>: `from` cannot be `steps.a`
      hint: a step stands here by its name alone: `a`
    error[wrong-type] 14:20-27 <linocut>: axis `style` takes a list or one `{{ }}` expression
    error[wrong-type] 15:12-15 <yes>: `cache` takes `true` or `false`, not text
      hint: write `true`
      fix 15:12-15: yes -> true
    error[invalid-value] 16:14-18 <soon>: `timeout` cannot be `soon`
      hint: a duration is `30s`, `10m`, `1h30m`, or a number of seconds
    error[invalid-value] 17:15-21 <ignore>: `on_error` cannot be `ignore`
      hint: known: `stop`, `skip`
    error[unknown-name] 18:12-13 <x>: `x` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`
    error[template-syntax] 19:20-21 <x>: `{{` is not closed with `}}`
    error[wrong-type] 20:11-12 <4>: `save` takes text, not the number 4
      hint: put it in quotes if it is text
      fix 20:11-12: 4 -> "4"
    error[wrong-type] 21:14-16 <12>: `version` takes text, not the number 12
      hint: put it in quotes if it is text
      fix 21:14-16: 12 -> "12"
    error[wrong-type] 22:11-16 <style>: `legs` takes a list, not text
      hint: write `[style]`
      fix 22:11-16: style -> [style]
    error[duplicate-key] 23:3-8 <draft>: key `draft` stands twice
      label 11:3-8: first here
    error[unknown-name] 26:12-16 <file>: `file` is not in scope here
      hint: it is in `save`
    "#);
}

#[test]
fn each_mistake_is_one_finding() {
    let steps = [
        "uses: \"{{ inputs.model }}\"",
        "uses: model:flux",
        "uses: /etc/passwd",
        "uses: [a]",
        "uses: a/b/c",
        "uses: ''",
    ];
    let keys = [
        "prompt: a boat",
        "with: [a]",
        "with: text",
        "from: 4",
        "from: \"{{ steps.draft.image }}\"",
        "from: draft.image",
        "from: draft.all(seed)",
        "from: draft.all()",
        "from: my-step",
        "from: {Mask: a}",
        "from: [a, {b: c}]",
        "each: [a]",
        "each: {style: {a: 1}}",
        "each: {style: \"a {{ inputs.x }}\"}",
        "each: {my-axis: [1]}",
        "each: {style: \"{{ unknown }}\"}",
        "if: [a]",
        "if: a b",
        "after: draft.all",
        "after: {a: b}",
        "json: text",
        "json: object",
        "retry: 2",
        "retry: {on: platform}",
        "retry: {times: 1.5}",
        "retry: always",
        "cache: maybe",
        "cache: 1",
        "on_error: skp",
        "save: [a]",
        "save: \"{{ each.style\"",
        "legs: [a-b]",
        "version: 1e5",
        "description: [a]",
        "draw: \"{{ draw }}\"",
    ];
    let documents = [
        "",
        "[]",
        "text",
        "name: a\n",
        "steps:\n",
        "steps: {}\n",
        "steps: []\n",
        "steps: {a: }\n",
        "steps: {a: x}\n",
        "steps: {a: {uses: x}}\nname: my/flow\n",
        "steps: {a: {uses: x}}\nname: 4\n",
        "steps: {a: {uses: x}}\ncastline: '1'\n",
        "steps: {a: {uses: x}}\nsetps: {}\n",
        "steps: {a: {uses: x}}\ninputs: {a: string}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {default: '@rows.csv'}}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {default: '@/etc/rows.csv'}}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {type: string, default: '@anna'}}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {type: image, default: '@./a.png'}}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {type: string, default: '{{ x }}'}}\n",
        "steps: {a: {uses: x}}\ninputs: {a: {type: int}}\n",
        "steps: {a: {uses: x}}\nvars: {a-b: 1}\n",
        "steps: {a: {uses: x}}\nvars: {b: '{{ a.image }} {{ c }}', c: 1}\n",
        "steps: {a: {uses: x}}\noutputs: {b: '{{ each.x }}'}\n",
        "steps: {a: {uses: x, with: {prompt: {{ inputs.x }}}}}\n",
        "steps: {a: {uses: x, with: {prompt: .inf}, save: .nan}}\n",
    ];
    let uses = steps.iter().map(|line| format!("steps:\n  a:\n    {line}\n"));
    let texts =
        uses.chain(keys.iter().map(|line| with_step(line))).chain(documents.iter().map(ToString::to_string));
    let all = texts.fold(String::new(), |out, text| {
        let line =
            text.strip_prefix("steps:\n  a:\n    ").unwrap_or(&text).replace("uses: flux-schnell\n    ", "");
        format!("{out}--- {}\n{}", line.trim(), found(&text))
    });
    insta::assert_snapshot!(all, @r#"
    --- uses: "{{ inputs.model }}"
    error[invalid-value] 3:11-31 <"{{ inputs.model }}">: `uses` cannot be `{{ inputs.model }}`: templates are not read here
      hint: call each preset in a step of its own, with `if`
    --- uses: model:flux
    error[invalid-value] 3:11-21 <model:flux>: `uses` cannot be `model:flux`: a model is `owner/name`
      hint: `model:owner/name` or `model:owner/name:version`
    --- uses: /etc/passwd
    error[invalid-value] 3:11-22 </etc/passwd>: `uses` cannot be `/etc/passwd`: this is neither a preset nor a path
      hint: `flux-schnell`, `library/name`, `./file.yaml` or `model:owner/name`
    --- uses: [a]
    error[wrong-type] 3:11-14 <[a]>: `uses` takes text, not a list
    --- uses: a/b/c
    error[invalid-value] 3:11-16 <a/b/c>: `uses` cannot be `a/b/c`: this is neither a preset nor a path
      hint: `flux-schnell`, `library/name`, `./file.yaml` or `model:owner/name`
    --- uses: ''
    error[invalid-value] 3:11-13 <''>: `uses` cannot be ``: this is neither a preset nor a path
      hint: `flux-schnell`, `library/name`, `./file.yaml` or `model:owner/name`
    --- prompt: a boat
    error[unknown-key] 4:5-11 <prompt>: step `a` has no key `prompt`
      hint: inputs of the model stand under `with`
    --- with: [a]
    error[wrong-type] 4:11-14 <[a]>: `with` takes a map, not a list
    --- with: text
    error[wrong-type] 4:11-15 <text>: `with` takes a map, not text
    --- from: 4
    error[wrong-type] 4:11-12 <4>: `from` takes a step, a list of steps, or a map of ports to steps, not the number 4
    --- from: "{{ steps.draft.image }}"
    error[invalid-value] 4:11-36 <"{{ steps.draft.image }}">: `from` cannot be `{{ steps.draft.image }}`
      hint: a step stands here by its name alone, without braces
    --- from: draft.image
    error[invalid-value] 4:11-22 <draft.image>: `from` cannot be `draft.image`
      hint: `from` takes `draft`, `styled.all` or `styled.all('seed')`; one output of a step is piped in `with`
    --- from: draft.all(seed)
    error[invalid-value] 4:11-26 <draft.all(seed)>: `from` cannot be `draft.all(seed)`
      hint: axes are named in quotes, `styled.all('seed')`
    --- from: draft.all()
    error[invalid-value] 4:11-22 <draft.all()>: `from` cannot be `draft.all()`
      hint: axes are named in quotes, `styled.all('seed')`
    --- from: my-step
    error[invalid-name] 4:11-18 <my-step>: `my-step` cannot be the name of a step
      hint: names have `_` instead of `-`, which subtracts in a template
      fix 4:11-18: my-step -> my_step
    --- from: {Mask: a}
    error[invalid-name] 4:12-16 <Mask>: `Mask` cannot be the name of a port
      hint: names are lower case letters, digits and `_`, and begin with a letter
      fix 4:12-16: Mask -> mask
    --- from: [a, {b: c}]
    error[wrong-type] 4:15-21 <{b: c}>: `from` takes text, not a map
    --- each: [a]
    error[wrong-type] 4:11-14 <[a]>: `each` takes a map, not a list
    --- each: {style: {a: 1}}
    error[wrong-type] 4:19-25 <{a: 1}>: axis `style` takes a list or one `{{ }}` expression
    --- each: {style: "a {{ inputs.x }}"}
    error[wrong-type] 4:19-37 <"a {{ inputs.x }}">: axis `style` takes a list or one `{{ }}` expression
    --- each: {my-axis: [1]}
    error[invalid-name] 4:12-19 <my-axis>: `my-axis` cannot be the name of an axis
      hint: names have `_` instead of `-`, which subtracts in a template
      fix 4:12-19: my-axis -> my_axis
    --- each: {style: "{{ unknown }}"}
    error[unknown-name] 4:23-30 <unknown>: `unknown` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`
    --- if: [a]
    error[wrong-type] 4:9-12 <[a]>: `if` takes an expression, not a list
    --- if: a b
    error[template-syntax] 4:11-12 <b>: unexpected input after expression
    --- after: draft.all
    error[invalid-name] 4:12-21 <draft.all>: `draft.all` cannot be the name of a step
      hint: names are lower case letters, digits and `_`, and begin with a letter
      fix 4:12-21: draft.all -> draft_all
    --- after: {a: b}
    error[wrong-type] 4:12-18 <{a: b}>: `after` takes text, not a map
    --- json: text
    error[invalid-schema] 4:11-15 <text>: a schema is a map or `true`, not text
    --- json: object
    error[invalid-schema] 4:11-17 <object>: a schema is a map or `true`, not text
      hint: write `{ type: object }`
      fix 4:11-17: object -> { type: object }
    --- retry: 2
    error[wrong-type] 4:12-13 <2>: `retry` takes a map, not the number 2
      hint: write `{ times: 2 }`
      fix 4:12-13: 2 -> { times: 2 }
    --- retry: {on: platform}
    error[missing-key] 4:12-26 <{on: platform}>: `retry` needs `times`
    --- retry: {times: 1.5}
    error[invalid-value] 4:20-23 <1.5>: `times` takes a whole number from 0 on, not 1.5
    --- retry: always
    error[wrong-type] 4:12-18 <always>: `retry` takes a map, not text
    --- cache: maybe
    error[wrong-type] 4:12-17 <maybe>: `cache` takes `true` or `false`, not text
    --- cache: 1
    error[wrong-type] 4:12-13 <1>: `cache` takes `true` or `false`, not the number 1
    --- on_error: skp
    error[invalid-value] 4:15-18 <skp>: `on_error` cannot be `skp`
      hint: there is the value `skip`
      fix 4:15-18: skp -> skip
    --- save: [a]
    error[wrong-type] 4:11-14 <[a]>: `save` takes text, not a list
    --- save: "{{ each.style"
    error[template-syntax] 4:20-25 <style>: `{{` is not closed with `}}`
    --- legs: [a-b]
    error[invalid-name] 4:12-15 <a-b>: `a-b` cannot be the name of an axis
      hint: names have `_` instead of `-`, which subtracts in a template
      fix 4:12-15: a-b -> a_b
    --- version: 1e5
    error[wrong-type] 4:14-17 <1e5>: `version` takes text, not the number 100000.0
      hint: put it in quotes if it is text
      fix 4:14-17: 1e5 -> "1e5"
    --- description: [a]
    error[wrong-type] 4:18-21 <[a]>: `description` takes text, not a list
    --- draw: "{{ draw }}"
    error[unknown-name] 4:15-19 <draw>: `draw` is not in scope here
      hint: known: `inputs`, `vars`, `steps`, `each`, `index`
    --- 
    error[missing-key] 1:1 <>: a workflow needs `steps`
    --- []
    error[wrong-type] 1:1-3 <[]>: a workflow takes a map, not a list
    --- text
    error[wrong-type] 1:1-5 <text>: a workflow takes a map, not text
    --- name: a
    error[missing-key] 1:1-8 <name: a>: a workflow needs `steps`
    --- steps:
    error[invalid-value] 1:7 <>: a workflow needs at least one step
    --- steps: {}
    error[invalid-value] 1:8-10 <{}>: a workflow needs at least one step
    --- steps: []
    error[wrong-type] 1:8-10 <[]>: `steps` takes a map, not a list
    --- steps: {a: }
    error[missing-key] 1:9-10 <a>: step `a` needs `uses`
    --- steps: {a: x}
    error[wrong-type] 1:12-13 <x>: step `a` takes a map, not text
    --- steps: {a: {uses: x}}
    name: my/flow
    error[invalid-name] 2:7-14 <my/flow>: `my/flow` cannot be the name of a workflow: it has a `/`
    --- steps: {a: {uses: x}}
    name: 4
    error[wrong-type] 2:7-8 <4>: `name` takes text, not the number 4
      hint: put it in quotes if it is text
      fix 2:7-8: 4 -> "4"
    --- steps: {a: {uses: x}}
    castline: '1'
    error[invalid-value] 2:11-14 <'1'>: `castline` takes the number of a language
      hint: write `1`
      fix 2:11-14: '1' -> 1
    --- steps: {a: {uses: x}}
    setps: {}
    error[unknown-key] 2:1-6 <setps>: a workflow has no key `setps`
      hint: there is a key `steps`
    --- steps: {a: {uses: x}}
    inputs: {a: string}
    error[invalid-schema] 2:13-19 <string>: a schema is a map or `true`, not text
      hint: write `{ type: string }`
      fix 2:13-19: string -> { type: string }
    --- steps: {a: {uses: x}}
    inputs: {a: {default: '@rows.csv'}}
    error[invalid-value] 2:23-34 <'@rows.csv'>: `default` cannot be `@rows.csv`: a path in a document begins with `./` or `../`
      hint: it is relative to this document
      fix 2:23-34: '@rows.csv' -> "@./rows.csv"
    --- steps: {a: {uses: x}}
    inputs: {a: {default: '@/etc/rows.csv'}}
    error[invalid-value] 2:23-39 <'@/etc/rows.csv'>: `default` cannot be `@/etc/rows.csv`: a path in a document begins with `./` or `../`
      hint: it is relative to this document
    --- steps: {a: {uses: x}}
    inputs: {a: {type: string, default: '@anna'}}
    error[invalid-value] 2:37-44 <'@anna'>: `default` cannot be `@anna`: files with values end in `.csv`, `.jsonl`, `.json`, `.yaml` or `.txt`
      hint: a text that begins with `@` is written with two: `@@anna`
      fix 2:37-44: '@anna' -> "@@anna"
    --- steps: {a: {uses: x}}
    inputs: {a: {type: image, default: '@./a.png'}}
    error[invalid-value] 2:36-46 <'@./a.png'>: `default` cannot be `@./a.png`: a file that is read for its value has an `@`, and this input takes the file
      hint: an image is named without it
      fix 2:36-46: '@./a.png' -> "./a.png"
    --- steps: {a: {uses: x}}
    inputs: {a: {type: string, default: '{{ x }}'}}
    warning[invalid-value] 2:37-46 <'{{ x }}'>: `default` is not a template: this stays as it is
    --- steps: {a: {uses: x}}
    inputs: {a: {type: int}}
    error[invalid-schema] 2:20-23 <int>: there is no type `int`
      hint: write `integer`
      fix 2:20-23: int -> integer
    --- steps: {a: {uses: x}}
    vars: {a-b: 1}
    error[invalid-name] 2:8-11 <a-b>: `a-b` cannot be the name of a var
      hint: names have `_` instead of `-`, which subtracts in a template
      fix 2:8-11: a-b -> a_b
    --- steps: {a: {uses: x}}
    vars: {b: '{{ a.image }} {{ c }}', c: 1}
    error[unknown-name] 2:15-16 <a>: `a` is not in scope here
      hint: write `steps.a`
      fix 2:15-16: a -> steps.a
    error[unknown-name] 2:29-30 <c>: `c` is not in scope here
      hint: write `vars.c`
      fix 2:29-30: c -> vars.c
    --- steps: {a: {uses: x}}
    outputs: {b: '{{ each.x }}'}
    error[unknown-name] 2:18-22 <each>: `each` is not in scope here
      hint: it is in steps and vars
    --- steps: {a: {uses: x, with: {prompt: {{ inputs.x }}}}}
    error[yaml-trap] 1:37-51 <{{ inputs.x }}>: a value that begins with `{` is a map to YAML
      hint: put the template in quotes
      fix 1:37-51: {{ inputs.x }} -> "{{ inputs.x }}"
    --- steps: {a: {uses: x, with: {prompt: .inf}, save: .nan}}
    error[yaml-trap] 1:37-41 <.inf>: `.inf` is a number that JSON does not have
      hint: put it in quotes if it is text
      fix 1:37-41: .inf -> ".inf"
    error[yaml-trap] 1:50-54 <.nan>: `.nan` is a number that JSON does not have
      hint: put it in quotes if it is text
      fix 1:50-54: .nan -> ".nan"
    "#);
}

#[test]
fn a_mistake_leaves_the_rest_of_the_workflow_readable() {
    let (flow, found) =
        Workflow::parse(&source("steps:\n  a: {use: x}\n  b: 4\n  c: {uses: y, with: {p: 1}}\n"));
    assert!(found.has_errors());
    let flow = flow.unwrap();
    assert_eq!(flow.steps.keys().map(Name::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(flow.steps["c"].uses.value, Uses::Preset("y".into()));
    assert_eq!(flow.steps["a"].uses.value, Uses::Preset(String::new()));
}

/// Every way to write a value.
const STYLES: &str = r#"# größe
inputs:
  a: {type: string, default: 'it''s'}
  b: &schema
    type: array
    items: {type: image}
  c: *schema
steps:
  one:
    uses: x   # note
    with:
      prompt: |
        First {{ inputs.a }} é

          indented
        {% if inputs.b %}last{% endif %}
      folded: >-
        one
        two

        three
      quoted: "a \"b\" \u00e9 \
        joined
        folded {{ steps.two.image }}"
      plain: a text
        on two lines
      list: [1, -2.5, 0x1F, ~, yes, "{{ index.k }}", {k: v}]
    each:
      k:
      - 日本
      - 1:1
    if: steps.two is succeeded and inputs.a
  two: {uses: "model:a/b", from: {mask: one.all('k'), image: [one.all]}}
"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![mutated(&[PAPER_BOAT, STYLES]), "\\PC{0,60}"]) {
        let file = source(&text);
        check_places(&file, &Workflow::parse(&file).1)?;
    }

    #[test]
    fn what_is_not_refused_is_read_as_yaml_serde_reads_it(text in mutated(&[PAPER_BOAT, STYLES])) {
        let ours = crate::raw::parse(&source(&text));
        let theirs = serde_yaml::from_str::<serde_json::Value>(&text);
        if let (Ok(ours), Ok(theirs @ serde_json::Value::Object(_))) = (ours, theirs) {
            prop_assert_eq!(ours.to_json(), theirs, "{}", text);
        }
    }
}
