//! Whatever text comes, reading it ends, and every place lies in it: the broken documents of the
//! tests, the healthy ones that are shipped, and mutations of both, always the same ones.
//!
//! What is done with one text stands in `tests/fuzz/src/texts.rs`, where cargo-fuzz does the same
//! with texts without end.

#[path = "../../../tests/fuzz/src/mutations.rs"]
#[allow(dead_code)] // other tests need the rest of it
mod mutations;
#[path = "../../../tests/fuzz/src/texts.rs"]
mod one_input;

use std::fs;
use std::path::Path;

use mutations::try_texts;
use one_input::MOST_BYTES;

/// Every document in these folders and below.
const SEEDS: &[&str] = &["tests/cases/broken", "workflows", "presets"];

/// What means something to YAML, to templates or to castline.
const WORDS: &[&str] = &[
    "{{ ",
    " }}",
    "{% if ",
    "{% endif %}",
    "{% for x in ",
    "{#",
    "\"",
    "'",
    "\\",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!x ",
    "!!str ",
    "? ",
    "|\n",
    ">-\n",
    "%",
    "#",
    " #",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "  ",
    "---\n",
    "...\n",
    "<<: ",
    "~",
    "null",
    "true",
    "-1",
    "0x10",
    "1e999",
    "99999999999999999999",
    ".nan",
    "\u{feff}",
    "é",
    "日",
    "🎨",
    "\u{85}",
    "\u{2028}",
    "\u{0}",
    ".all",
    "[0]",
    "[1:]",
    " | ",
    " or ",
    " and ",
    "not ",
    " is ",
    "if ",
    " else ",
    "loop.",
    "steps.",
    "inputs.",
    "each.",
    "vars.",
    "index.",
    "file.index",
    "range(9)",
    "read('./x')",
    "join(', ')",
    "default('')",
    "length",
    "steps:\n",
    "inputs:\n",
    "vars:\n",
    "outputs:\n",
    "each: ",
    "from: ",
    "with: ",
    "uses: ",
    "if: ",
    "save: ",
    "draw: ",
    "json: ",
    "extends: ",
    "type: ",
    "items: ",
    "enum: ",
    "$ref: ",
    "pattern: ",
    "minimum: ",
];

fn seeds() -> Vec<String> {
    fn collect(folder: &Path, all: &mut Vec<String>) {
        let mut paths: Vec<_> =
            fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                collect(&path, all);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                all.push(String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = Vec::new();
    SEEDS.iter().for_each(|folder| collect(&root.join(folder), &mut all));
    all.retain(|text| text.len() <= MOST_BYTES);
    assert!(all.len() > 400, "only {} documents were found", all.len());
    all
}

/// The values of a document that look like templates.
fn templates(document: &str) -> impl Iterator<Item = &str> {
    document.lines().filter(|line| line.contains("{{") || line.contains("if: ")).map(|line| {
        let value = line.split_once(": ").map_or(line, |(_, value)| value);
        value.trim().trim_matches(['"', '\''])
    })
}

#[test]
fn every_text_is_read_as_a_document() {
    try_texts(seeds(), WORDS, 2_000, 1, one_input::document);
}

#[test]
fn every_text_is_read_as_a_template() {
    let mut seeds: Vec<String> = seeds().iter().flat_map(|text| templates(text)).map(str::to_owned).collect();
    seeds.sort();
    seeds.dedup();
    try_texts(seeds, WORDS, 600, 2, one_input::template);
}

#[test]
fn every_text_is_checked_as_a_workflow() {
    try_texts(seeds(), WORDS, 600, 3, one_input::workflow);
}
