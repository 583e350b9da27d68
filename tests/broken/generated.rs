//! Documents that are made for each test: too large, too deep or too wild to be kept.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

/// A check that takes so long hangs.
const DEADLINE: Duration = Duration::from_mins(3);

/// A document, and the codes that are found in it; none when it is healthy.
struct Monster {
    name: &'static str,
    make: fn() -> Vec<u8>,
    codes: &'static [&'static str],
}

const MONSTERS: &[Monster] = &[
    Monster { name: "ten_megabytes_of_steps", make: || text(many_steps(10_000)), codes: &[] },
    Monster {
        name: "a_prompt_of_ten_megabytes",
        make: || text(one_step(&"boat ".repeat(2_000_000))),
        codes: &[],
    },
    Monster { name: "a_chain_of_twenty_thousand_steps", make: || text(chain(20_000, false)), codes: &[] },
    Monster {
        name: "a_cycle_of_twenty_thousand_steps",
        make: || text(chain(20_000, true)),
        codes: &["cycle"],
    },
    Monster { name: "a_bomb_of_aliases", make: || text(bomb()), codes: &["yaml-syntax"] },
    Monster {
        name: "a_hundred_thousand_open_brackets",
        make: || text("[".repeat(100_000)),
        codes: &["yaml-syntax"],
    },
    Monster {
        name: "a_hundred_thousand_open_braces",
        make: || text("{a: ".repeat(100_000)),
        codes: &["yaml-syntax"],
    },
    Monster { name: "maps_in_maps_by_indentation", make: || text(deep_maps(3_000)), codes: &["yaml-syntax"] },
    Monster {
        name: "a_template_that_never_ends",
        make: || text(one_step(&format!("{{{{ {}", "x ".repeat(500_000)))),
        codes: &["template-syntax"],
    },
    Monster {
        name: "a_million_open_expressions",
        make: || text(one_step(&"{{ ".repeat(300_000))),
        codes: &["template-syntax"],
    },
    Monster {
        name: "fifty_thousand_parentheses",
        make: || text(one_step(&format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)))),
        codes: &["template-syntax"],
    },
    Monster {
        name: "fifty_thousand_additions",
        make: || text(one_step(&format!("{{{{ 1{} }}}}", " + 1".repeat(50_000)))),
        codes: &["template-syntax"],
    },
    Monster {
        name: "one_wrong_name_twenty_thousand_times",
        make: || text(one_step(&"{{ inputs.nobody }} ".repeat(20_000))),
        codes: &["unknown-name"],
    },
    Monster { name: "two_thousand_wrong_names", make: || text(wrong_names(2_000)), codes: &["unknown-name"] },
    Monster {
        name: "a_loop_that_would_run_for_ever",
        make: || {
            text(one_step(
                "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
            ))
        },
        codes: &["template-failed"],
    },
    Monster { name: "legs_without_end", make: || text(many_legs()), codes: &["invalid-value"] },
    Monster { name: "a_recursive_schema", make: || text(recursive_schema()), codes: &[] },
    Monster {
        name: "a_schema_that_refers_to_itself_alone",
        make: || text(input("{ $ref: '#' }")),
        codes: &[],
    },
    Monster {
        name: "a_schema_that_refers_to_the_network",
        make: || text(input("{ $ref: 'https://example.com/schema.json' }")),
        codes: &["invalid-schema"],
    },
    Monster {
        name: "a_pattern_that_backtracks",
        make: || {
            text(input(&format!("{{ type: string, pattern: '^(a+)+$', default: '{}!' }}", "a".repeat(2_000))))
        },
        codes: &["invalid-input"],
    },
    Monster { name: "an_enum_of_fifty_thousand", make: || text(large_enum(50_000)), codes: &[] },
    Monster {
        name: "a_number_beyond_all",
        make: || text(input("{ type: number, default: 1e999999 }")),
        codes: &["invalid-input"],
    },
    Monster {
        name: "one_line_of_twenty_thousand_keys",
        make: || text(format!("steps: {{ {} }}", "a: 1, ".repeat(20_000))),
        codes: &["wrong-type", "duplicate-key"],
    },
    Monster { name: "every_byte_there_is", make: every_byte, codes: &["unreadable"] },
    Monster { name: "utf_16", make: utf_16, codes: &["unreadable"] },
    Monster { name: "a_megabyte_of_nothing", make: || vec![0; 1 << 20], codes: &["yaml-syntax"] },
    Monster { name: "an_empty_file", make: Vec::new, codes: &["missing-key"] },
    Monster { name: "a_megabyte_of_tabs", make: || text("\t".repeat(1 << 20)), codes: &["missing-key"] },
    Monster { name: "a_megabyte_of_anchors", make: || text("&a ".repeat(1 << 18)), codes: &["yaml-syntax"] },
    Monster {
        name: "a_hundred_thousand_documents",
        make: || text("---\n".repeat(100_000)),
        codes: &["yaml-syntax"],
    },
];

pub fn trials() -> impl Iterator<Item = Trial> {
    MONSTERS.iter().map(|monster| Trial::test(format!("generated::{}", monster.name), || check(monster)))
}

/// The findings must be the ones that are expected, and the process must end by itself.
fn check(monster: &Monster) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("flow.yaml"), (monster.make)())?;
    let out = fs::File::create(folder.path().join("found.json"))?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_castline"))
        .args(["check", "--format", "json", "flow.yaml"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > DEADLINE {
            child.kill()?;
            child.wait()?;
            return Err(format!("it did not end in {DEADLINE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let code = ended.status.code().ok_or("killed by a signal")?;
    let found: Value = serde_json::from_slice(&fs::read(folder.path().join("found.json"))?)
        .map_err(|e| format!("not JSON ({e}), exit code {code}: {stderr}"))?;
    let mut codes: Vec<_> = found["diagnostics"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["severity"] == "error")
        .filter_map(|finding| finding["code"].as_str())
        .collect();
    codes.dedup();
    if codes != monster.codes || code != if codes.is_empty() { 0 } else { 2 } {
        return Err(
            format!("found {codes:?}, expected {:?}, exit code {code}: {stderr}", monster.codes).into()
        );
    }
    Ok(())
}

fn text(text: impl Into<String>) -> Vec<u8> {
    text.into().into_bytes()
}

fn one_step(prompt: &str) -> String {
    format!("steps:\n  boat:\n    uses: flux-schnell\n    with:\n      prompt: {}\n", Value::from(prompt))
}

fn many_steps(count: usize) -> String {
    let mut text = "steps:\n".to_owned();
    let calm = "It lies in a calm bay. ".repeat(40);
    for i in 0..count {
        let _ = write!(
            text,
            "  s{i}:\n    uses: flux-schnell\n    with:\n      prompt: \"A boat, the {i}th of them. {calm}\"\n"
        );
    }
    text
}

fn chain(count: usize, closed: bool) -> String {
    let mut text = "steps:\n".to_owned();
    for i in 0..count {
        let _ = write!(text, "  s{i}: {{ uses: flux-kontext-pro, with: {{ prompt: x }}");
        match (i, closed) {
            (0, false) => text.push_str(" }\n"),
            (0, true) => {
                let _ = writeln!(text, ", from: s{} }}", count - 1);
            }
            _ => {
                let _ = writeln!(text, ", from: s{} }}", i - 1);
            }
        }
    }
    text
}

fn bomb() -> String {
    let mut text = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for (name, before) in ('b'..='k').zip('a'..) {
        let _ = writeln!(text, "{name}: &{name} [{}]", vec![format!("*{before}"); 9].join(", "));
    }
    text
}

fn deep_maps(depth: usize) -> String {
    (0..depth).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}k:", " ".repeat(i));
        text
    })
}

fn wrong_names(count: usize) -> String {
    let names: Vec<_> = (0..count).map(|i| format!("{{{{ inputs.nobody{i} }}}}")).collect();
    one_step(&names.join(" "))
}

fn many_legs() -> String {
    let each: Vec<_> = (0..6).map(|i| format!("a{i}: \"{{{{ range(1000) }}}}\"")).collect();
    format!(
        "steps:\n  boat:\n    uses: flux-schnell\n    each: {{ {} }}\n    with:\n      prompt: x\n",
        each.join(", ")
    )
}

fn recursive_schema() -> String {
    let schema = "{ $defs: { node: { type: object, properties: { next: { $ref: '#/$defs/node' }, name: { type: string } } } }, $ref: '#/$defs/node', default: { name: x } }";
    format!(
        "inputs:\n  tree: {schema}\nsteps:\n  boat:\n    uses: flux-schnell\n    with:\n      prompt: \"{{{{ inputs.tree.name }}}}\"\n"
    )
}

fn input(schema: &str) -> String {
    format!(
        "inputs:\n  one: {schema}\nsteps:\n  boat:\n    uses: flux-schnell\n    with:\n      prompt: \"{{{{ inputs.one | default('x') | string }}}}\"\n"
    )
}

fn large_enum(count: usize) -> String {
    let values: Vec<_> = (0..count).map(|i| format!("v{i}")).collect();
    input(&format!("{{ type: string, default: v0, enum: [{}] }}", values.join(", ")))
}

fn every_byte() -> Vec<u8> {
    (0..=255).cycle().take(1 << 16).collect()
}

fn utf_16() -> Vec<u8> {
    let words = one_step("A boat.");
    [0xff, 0xfe].into_iter().chain(words.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}
