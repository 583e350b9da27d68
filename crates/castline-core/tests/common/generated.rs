//! Workflows that nobody wrote, over a few presets: for tests that hold what is said of a
//! workflow against what becomes of it.

use std::fmt::Write as _;

use proptest::prelude::*;

/// Presets by name, of models that nobody runs.
pub const PRESETS: &[(&str, &str)] = &[
    (
        "draw",
        "name: draw\nmodel: acme/draw\ninput:\n  type: object\n  required: [prompt]\n  properties:\n    prompt: {type: string}\n    n: {type: integer, minimum: 1, maximum: 4, default: 1}\n    ratio: {type: string, enum: ['1:1', '16:9']}\n    seed: {type: integer}\noutput: {type: image}\nprice: {usd: 0.01, per: image, quantity: input.n, as_of: 2026-01}\n",
    ),
    (
        "edit",
        "name: edit\nmodel: acme/edit\ninput:\n  type: object\n  required: [prompt]\n  properties:\n    prompt: {type: string}\n    picture: {type: image}\n    strength: {type: number, maximum: 1}\noutput: {type: image}\nports: {image: picture}\nprice: {usd: 0.04, per: image, as_of: 2026-01}\n",
    ),
    (
        "sheet",
        "name: sheet\nmodel: acme/sheet\ninput:\n  type: object\n  required: [pictures]\n  properties:\n    pictures: {type: array, items: {type: image}}\n    captions: {type: array, items: {type: string}}\noutput: {type: image}\nports: {images: pictures}\nprice: {usd: 0.02, per: run, as_of: 2026-01}\n",
    ),
    (
        "several",
        "name: several\nmodel: acme/several\ninput:\n  type: object\n  required: [prompt]\n  properties:\n    prompt: {type: string}\n    num_outputs: {type: integer, minimum: 1, maximum: 4, default: 1}\noutput: {type: image, many: true}\nprice: {usd: 0.01, per: image, as_of: 2026-01}\n",
    ),
    (
        "write",
        "name: write\nmodel: acme/write\ninput:\n  type: object\n  required: [prompt]\n  properties:\n    prompt: {type: string}\noutput: {type: text}\nprice: {usd: 0.001, per: run, as_of: 2026-01}\n",
    ),
];

/// Inputs of many types, all with defaults.
const INPUTS: &str = r#"inputs:
  text: { type: string, default: a boat }
  long: { type: string, minLength: 3, default: a boat at sea }
  ratio: { type: string, enum: ["1:1", "16:9"], default: "1:1" }
  other_ratio: { type: string, enum: ["7:5", "5:7"], default: "7:5" }
  count: { type: integer, minimum: 1, maximum: 3, default: 2 }
  large: { type: integer, minimum: 5, maximum: 9, default: 6 }
  any_count: { type: integer, default: 2 }
  share: { type: number, minimum: 0, maximum: 1, default: 0.5 }
  flag: { type: boolean, default: true }
  maybe: { type: string, default: null }
  words: { type: array, items: { type: string }, default: [one, two] }
  numbers: { type: array, items: { type: integer }, default: [1, 2] }
  row: { type: object, properties: { name: { type: string }, size: { type: integer } }, required: [name, size], additionalProperties: false, default: { name: boat, size: 2 } }
  rows: { type: array, items: { type: object, properties: { name: { type: string } }, required: [name], additionalProperties: false }, default: [{ name: a }, { name: b }] }
"#;

/// Expressions over the inputs, and over an earlier step called `STEP`. An input that is none by
/// default is not among them on its own: into an integer it is refused, and none leaves it out.
const EXPRESSIONS: &[&str] = &[
    "inputs.text",
    "inputs.long",
    "inputs.ratio",
    "inputs.other_ratio",
    "inputs.count",
    "inputs.large",
    "inputs.any_count",
    "inputs.share",
    "inputs.flag",
    "inputs.maybe or inputs.text",
    "inputs.maybe | default('x', true)",
    "inputs.words",
    "inputs.words[0]",
    "inputs.words | first",
    "inputs.words | join(', ')",
    "inputs.words | length",
    "inputs.numbers",
    "inputs.numbers | last",
    "inputs.numbers | max",
    "inputs.row",
    "inputs.row.name",
    "inputs.row.size",
    "inputs.rows | map(attribute='name') | list",
    "inputs.text | upper",
    "inputs.text | length",
    "inputs.text ~ inputs.count",
    "inputs.count + 1",
    "inputs.count * inputs.share",
    "inputs.any_count | string",
    "inputs.share | round",
    "inputs.flag and inputs.text",
    "not inputs.flag",
    "inputs.count > 1",
    "inputs.text if inputs.flag else inputs.long",
    "5",
    "2",
    "0.25",
    "'1:1'",
    "'red'",
    "['a', 'b']",
    "{'name': inputs.text}",
    "none",
    "true",
    "range(3) | list",
    "'2' | int",
    "inputs.text | slug",
    "inputs.ratio | replace('x', 'y')",
    "vars.greeting",
    "vars.twice",
    "vars.pair",
    "steps.STEP.image",
    "steps.STEP.images",
    "steps.STEP.image.width",
    "steps.STEP.image.media_type",
    "steps.STEP.file",
    "steps.STEP.status",
    "[steps.STEP.image]",
    "steps.STEP.all.image",
    "steps.STEP.all.image[0]",
    "steps.STEP.all | length",
];

const VARS: &str = "vars:\n  greeting: \"hello {{ inputs.text }}\"\n  twice: \"{{ inputs.count * 2 }}\"\n  pair: [\"{{ inputs.count }}\", \"{{ inputs.large }}\"]\n";

/// Fields of the presets in the small world.
const FIELDS: &[(&str, &[&str])] = &[
    ("draw", &["prompt", "n", "ratio", "seed"]),
    ("edit", &["prompt", "picture", "strength"]),
    ("sheet", &["pictures", "captions"]),
    ("several", &["prompt", "num_outputs"]),
];

/// What most people would write into a field.
fn sensible(field: &str) -> &'static [&'static str] {
    match field {
        "prompt" => &[
            "inputs.text",
            "inputs.text ~ inputs.count",
            "inputs.words | first",
            "vars.greeting",
            "inputs.row.name",
        ],
        "n" | "num_outputs" => {
            &["inputs.count", "2", "inputs.any_count", "vars.twice", "inputs.words | length"]
        }
        "ratio" => &["inputs.ratio", "'1:1'"],
        "seed" => &["inputs.count", "inputs.any_count", "5", "inputs.row.size"],
        "strength" => &["inputs.share", "0.25"],
        "picture" => &["steps.STEP.image", "steps.STEP.images[0]", "steps.STEP.all.image[0]"],
        "pictures" => &["steps.STEP.images", "[steps.STEP.image]", "steps.STEP.all.image"],
        _ => &["inputs.words", "inputs.rows | map(attribute='name') | list", "['a', 'b']"],
    }
}

/// A step as the generator thinks of it.
#[derive(Debug, Clone)]
pub struct Part {
    preset: usize,
    /// For each field an expression, or nothing; whether it is any or a sensible one, and whether
    /// it stands in longer text.
    values: Vec<Option<(usize, bool, bool)>>,
    from: bool,
    each: bool,
}

/// Steps of every kind, most of them as people write them.
pub fn part() -> impl Strategy<Value = Part> {
    let expression = (0..EXPRESSIONS.len(), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    let value = prop::option::weighted(0.7, expression);
    (0..FIELDS.len(), prop::collection::vec(value, 4), any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(preset, values, from, each)| Part { preset, values, from, each })
}

/// The workflow as YAML. Each step may read the one before it.
pub fn yaml(parts: &[Part]) -> String {
    let mut text = format!("{INPUTS}{VARS}steps:\n  first: {{ uses: draw, with: {{ prompt: a boat }} }}\n");
    for (i, part) in parts.iter().enumerate() {
        let (preset, fields) = FIELDS[part.preset];
        let earlier = if i == 0 { "first".to_owned() } else { format!("s{}", i - 1) };
        let _ = writeln!(text, "  s{i}:\n    uses: {preset}");
        if part.each {
            text.push_str("    each: { word: \"{{ inputs.words }}\" }\n");
        }
        let has_port = matches!(preset, "edit" | "sheet");
        if part.from && has_port {
            let _ = writeln!(text, "    from: {earlier}");
        }
        text.push_str("    with:\n");
        for (field, value) in fields.iter().zip(&part.values) {
            if part.from && matches!(*field, "picture" | "pictures") {
                continue;
            }
            let Some((number, any, in_text)) = value else {
                if matches!(*field, "prompt" | "pictures") {
                    let needed = if *field == "prompt" { "a boat" } else { "\"{{ steps.first.images }}\"" };
                    let _ = writeln!(text, "      {field}: {needed}");
                }
                continue;
            };
            let known = sensible(field);
            let expression = if *any { EXPRESSIONS[*number] } else { known[number % known.len()] };
            let expression = expression.replace("STEP", &earlier);
            let (before, after) = if *in_text { ("see ", "!") } else { ("", "") };
            let _ = writeln!(text, "      {field}: \"{before}{{{{ {expression} }}}}{after}\"");
        }
        if part.values.iter().all(Option::is_none) && preset == "sheet" {
            text.push_str("      captions: null\n");
        }
    }
    text
}
