//! Whatever text comes, reading it ends, and every place lies in it: the broken documents of the
//! tests, the healthy ones that are shipped, and mutations of both, always the same ones.
//!
//! What is done with one text stands in `tests/fuzz/src/lib.rs`, where cargo-fuzz does the same
//! with texts without end.

#[path = "../../../tests/fuzz/src/lib.rs"]
mod one_input;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

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

/// Numbers that are the same in every run and on every machine (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ (n >> 31)) % most.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
    }

    /// Two places, the second not before the first, and not far from it.
    fn stretch(&mut self, text: &str) -> (usize, usize) {
        let start = self.place(text);
        let end = (start + self.below(24)).min(text.len());
        (start, (end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len()))
    }
}

/// A text with one to five changes.
fn mutated(text: &str, other: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(5) {
        let (start, end) = dice.stretch(&text);
        match dice.below(6) {
            0 => text.replace_range(start..end, ""),
            1 => text.insert_str(start, dice.one(WORDS)),
            2 => text.replace_range(start..end, dice.one(WORDS)),
            3 => {
                let again = text[start..end].to_owned();
                let at = dice.place(&text);
                text.insert_str(at, &again);
            }
            4 => {
                let (from, to) = dice.stretch(other);
                text.insert_str(start, &other[from..to]);
            }
            _ => text.truncate(start),
        }
    }
    text
}

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

/// Every text that makes a function panic.
fn panics(texts: impl IntoIterator<Item = String>, one: fn(&str)) -> Vec<String> {
    texts.into_iter().filter(|text| catch_unwind(AssertUnwindSafe(|| one(text))).is_err()).collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} texts; their panics stand above: {wrong:#?}", wrong.len());
}

fn mutations(seeds: &[String], count: usize, dice: &mut Dice) -> Vec<String> {
    let mut one = || {
        let (text, other) = (dice.below(seeds.len()), dice.below(seeds.len()));
        mutated(&seeds[text], &seeds[other], dice)
    };
    (0..count).map(|_| one()).collect()
}

#[test]
fn every_text_is_read_as_a_document() {
    let seeds = seeds();
    assert_none(&panics(mutations(&seeds, 2_000, &mut Dice(1)), one_input::document));
    assert_none(&panics(seeds, one_input::document));
}

#[test]
fn every_text_is_read_as_a_template() {
    let mut seeds: Vec<String> = seeds().iter().flat_map(|text| templates(text)).map(str::to_owned).collect();
    seeds.sort();
    seeds.dedup();
    assert_none(&panics(mutations(&seeds, 600, &mut Dice(2)), one_input::template));
    assert_none(&panics(seeds, one_input::template));
}

#[test]
fn every_text_is_checked_as_a_workflow() {
    let seeds = seeds();
    assert_none(&panics(mutations(&seeds, 600, &mut Dice(3)), one_input::workflow));
    assert_none(&panics(seeds, one_input::workflow));
}
