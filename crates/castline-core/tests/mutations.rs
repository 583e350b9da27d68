//! How often the checker is wrong: the shipped workflows, damaged in every place.
//!
//! Each damaged workflow is checked, and then run in the small world all the same, whatever the
//! checker says of its values. What it refuses and what runs through is a wrong refusal; what it
//! accepts and what fails is a miss. Both figures stand in `docs/reference/checker.md`.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::callee::Catalog;
use castline_core::graph::Graph;
use castline_core::types::Type;
use castline_core::types::fit::{Fit, Fitting};
use castline_spec::{Preset, Source, Workflow};
use common::trial::{Verdict, try_out};

/// One kind of damage: every way to do it to a text, each with the line that it is done to.
type Damage = fn(&str) -> Vec<(usize, String)>;

const KINDS: &[(&str, Damage)] = &[
    ("a key is misspelt", misspelt_key),
    ("a name in a template is misspelt", |text| {
        misspelt_after(text, &["inputs.", "steps.", "each.", "vars."])
    }),
    ("an attribute is misspelt", misspelt_attribute),
    ("a preset is misspelt", |text| misspelt_after(text, &["uses: "])),
    ("a step is misspelt", |text| misspelt_after(text, &["from: ", "after: ", "from: ["])),
    ("a filter is misspelt", |text| misspelt_after(text, &["| "])),
    ("a line is missing", |text| each_line(text, |_| Some(String::new()))),
    ("a line is there twice", |text| each_line(text, |line| Some(format!("{line}\n{line}")))),
    ("a line is indented more", |text| each_line(text, |line| Some(format!(" {line}")))),
    ("a value is a number", |text| each_value(text, "99")),
    ("a value is another text", |text| each_value(text, "zzz")),
    ("a value is a list", |text| each_value(text, "[zzz, yyy]")),
    ("a value is a map", |text| each_value(text, "{ zzz: 1 }")),
    ("a value is true", |text| each_value(text, "true")),
    ("a value is missing", |text| each_value(text, "")),
    ("quotes are missing", |text| each_line(text, |line| line.contains('"').then(|| line.replace('"', "")))),
    ("a brace is missing", |text| {
        each_line(text, |line| line.contains("{{").then(|| line.replacen("{{", "{", 1)))
    }),
    ("many instead of one", |text| swapped(text, &[(".image", ".images"), (".text", ".all.text")])),
    ("one instead of many", |text| {
        swapped(text, &[(".all", ""), (".images", ".image"), ("each.", "index.")])
    }),
    ("another kind of media", |text| swapped(text, &[(".image", ".video"), (".image", ".text")])),
    ("a step reads itself", self_reading),
    ("a number is ten times as large", |text| each_number(text, |number| number * 10)),
    ("a number is negative", |text| each_number(text, |number| -number - 1)),
    ("letters are large", |text| {
        each_line(text, |line| {
            let (key, value) = line.split_once(": ")?;
            Some(format!("{key}: {}", value.to_uppercase()))
        })
    }),
];

/// What changes nothing.
const HARMLESS: &[(&str, Damage)] = &[
    ("a comment is added", |text| {
        each_line(text, |line| Some(format!("{line} # as it was")).filter(|_| is_plain(line)))
    }),
    ("a line is a comment", |text| {
        each_line(text, |line| Some(format!("# a comment\n{line}")).filter(|_| is_plain(line)))
    }),
    ("blanks at the end", |text| {
        each_line(text, |line| Some(format!("{line}  ")).filter(|_| is_plain(line)))
    }),
    ("lines end as on Windows", |text| vec![(0, text.replace('\n', "\r\n"))]),
];

/// Lines of a block scalar are its text.
fn is_plain(line: &str) -> bool {
    line.contains(": ") && !line.trim_end().ends_with(['|', '>', '-']) && !line.trim_start().starts_with('#')
}

fn each_line(text: &str, change: impl Fn(&str) -> Option<String>) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some(changed) = change(line).filter(|changed| changed != line) else { continue };
        let mut lines: Vec<&str> = lines.clone();
        lines[i] = &changed;
        all.push((i + 1, format!("{}\n", lines.join("\n"))));
    }
    all
}

/// Every value on a line of its own key, and every value inside of a flow map.
fn each_value(text: &str, value: &str) -> Vec<(usize, String)> {
    let mut all = each_line(text, |line| {
        let (key, old) = line.split_once(": ")?;
        (!old.trim().is_empty() && !line.trim_start().starts_with('#')).then(|| format!("{key}: {value}"))
    });
    let inside = |line: &str| -> Vec<String> {
        let Some((head, body)) = line.split_once('{').filter(|(_, body)| !body.starts_with('{')) else {
            return Vec::new();
        };
        let parts: Vec<&str> = body.split(", ").collect();
        let change = |i: usize| {
            let (key, old) = parts[i].split_once(": ")?;
            let end = if old.trim_end().ends_with('}') { " }" } else { "" };
            let changed = format!("{key}: {value}{end}");
            let mut parts: Vec<&str> = parts.clone();
            parts[i] = &changed;
            Some(format!("{head}{{{}", parts.join(", ")))
        };
        (0..parts.len()).filter_map(change).collect()
    };
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        for changed in inside(line) {
            let mut lines: Vec<&str> = lines.clone();
            lines[i] = &changed;
            all.push((i + 1, format!("{}\n", lines.join("\n"))));
        }
    }
    all
}

fn each_number(text: &str, change: impl Fn(i64) -> i64) -> Vec<(usize, String)> {
    each_line(text, |line| {
        let (key, value) = line.split_once(": ")?;
        Some(format!("{key}: {}", change(value.trim().parse().ok()?)))
    })
}

fn misspelt(word: &str) -> Option<String> {
    let mut letters: Vec<char> = word.chars().collect();
    (letters.len() > 2).then(|| {
        letters.remove(1);
        letters.into_iter().collect()
    })
}

fn misspelt_key(text: &str) -> Vec<(usize, String)> {
    each_line(text, |line| {
        let (key, value) = line.split_once(':')?;
        let indent = key.len() - key.trim_start().len();
        let word = &key[indent..];
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        plain.then(|| Some(format!("{}{}:{value}", &key[..indent], misspelt(word)?)))?
    })
}

/// Every word that stands after one of these.
fn misspelt_after(text: &str, before: &[&str]) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for before in before {
        for (at, _) in text.match_indices(before) {
            let start = at + before.len();
            let word: String = text[start..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "_-/".contains(*c))
                .collect();
            let Some(changed) = misspelt(&word) else { continue };
            let line = text[..at].lines().count();
            all.push((line, format!("{}{changed}{}", &text[..start], &text[start + word.len()..])));
        }
    }
    all
}

fn misspelt_attribute(text: &str) -> Vec<(usize, String)> {
    let attributes = [".image", ".images", ".text", ".all", ".width", ".height", ".each"];
    let changes: Vec<_> =
        attributes.iter().map(|name| (*name, misspelt(&name[1..]).map(|n| format!(".{n}")))).collect();
    changes
        .iter()
        .flat_map(|(name, changed)| swapped(text, &[(name, changed.as_deref().unwrap_or(".x"))]))
        .collect()
}

/// Every place of the first, changed into the second.
fn swapped(text: &str, pairs: &[(&str, &str)]) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for (old, new) in pairs {
        for (at, _) in text.match_indices(old) {
            let after = text[at + old.len()..].chars().next();
            if after.is_none_or(|c| !c.is_ascii_alphanumeric()) || old.ends_with('.') {
                let line = text[..at].lines().count();
                all.push((line, format!("{}{new}{}", &text[..at], &text[at + old.len()..])));
            }
        }
    }
    all
}

fn self_reading(text: &str) -> Vec<(usize, String)> {
    let mut step = String::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if let Some(name) =
            line.strip_prefix("  ").and_then(|l| l.strip_suffix(':')).filter(|l| !l.starts_with(' '))
        {
            name.clone_into(&mut step);
        }
        if let Some((key, _)) = line.split_once("from: ") {
            let changed = format!("{key}from: {step}");
            let mut lines: Vec<&str> = lines.clone();
            lines[i] = &changed;
            all.push((i + 1, format!("{}\n", lines.join("\n"))));
        }
    }
    all
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join(folder))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

fn name_of(file: &Path) -> String {
    file.file_name().expect("a file").to_string_lossy().into_owned()
}

/// The presets that are shipped.
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for file in ["presets", "presets/std", "workflows/presets"].iter().flat_map(|folder| yaml_files(folder)) {
        let source =
            Source::new(file.to_string_lossy().into_owned(), fs::read_to_string(&file).expect("readable"));
        let (preset, found) = Preset::parse(&source);
        assert!(!found.has_errors(), "{found:?}");
        let preset = Arc::new(preset.expect("a preset"));
        // As a workflow beside it names it.
        let path = format!("./presets/{}.yaml", preset.name);
        for workflow in yaml_files("workflows") {
            let document = Source::new(name_of(&workflow), "");
            catalog.found.insert(catalog.key(&document, &path), preset.clone());
        }
        catalog.known.push(preset.name.clone());
        catalog.found.insert(preset.name.clone(), preset);
    }
    for file in yaml_files("workflows") {
        let source = Source::new(name_of(&file), fs::read_to_string(&file).expect("readable"));
        let called = Arc::new(Workflow::parse(&source).0.expect("a workflow"));
        for caller in yaml_files("workflows") {
            let document = Source::new(name_of(&caller), "");
            let path = format!("./{}", source.name);
            catalog.workflows.insert(catalog.key(&document, &path), called.clone());
        }
    }
    catalog
}

#[derive(Default)]
struct Count {
    caught: usize,
    missed: Vec<String>,
    refused: Vec<String>,
    fine: usize,
}

impl Count {
    fn all(&self) -> usize {
        self.caught + self.missed.len() + self.refused.len() + self.fine
    }
}

#[test]
fn damage_is_caught_and_what_runs_is_not_refused() {
    let catalog = catalog();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for file in yaml_files("workflows") {
        let name = name_of(&file);
        let text = fs::read_to_string(&file).unwrap();
        // The models of the small world write no JSON.
        if text.contains("    json:") {
            continue;
        }
        let whole = try_out(&text, &name, &file, &catalog);
        assert!(whole.refused.is_none() && whole.failed.is_none(), "{name}: {whole:?}");
        for (kind, damage) in KINDS.iter().chain(HARMLESS) {
            for (line, damaged) in damage(&text) {
                let count = counts.entry(kind).or_default();
                let at = |why: &str| format!("{kind}: {name}:{line}: {why}");
                match try_out(&damaged, &name, &file, &catalog) {
                    Verdict { refused: Some(_), failed: Some(_), .. } => count.caught += 1,
                    Verdict { refused: None, failed: None, .. } => count.fine += 1,
                    Verdict { refused: None, failed: Some(why), .. } => count.missed.push(at(&why)),
                    Verdict { refused: Some(why), failed: None, .. } => count.refused.push(at(&why)),
                }
            }
        }
    }
    let harmless = |kind: &str| HARMLESS.iter().any(|(name, _)| *name == kind);
    let broken = counts.iter().filter(|(kind, _)| harmless(kind)).map(|(_, count)| count);
    for count in broken {
        assert!(
            count.refused.is_empty() && count.missed.is_empty(),
            "{:?} {:?}",
            count.refused,
            count.missed
        );
    }
    let report = report(&counts);
    in_the_docs(report.lines().next().expect("a first line"));
    insta::assert_snapshot!(report);
}

#[test]
fn what_is_provable_of_the_shipped_presets_stands_in_the_docs() {
    let catalog = catalog();
    let (mut all, mut proved, mut open, mut presets) = (0, 0, Vec::new(), 0);
    for name in catalog.found.keys().filter(|name| !name.contains(": ")) {
        let source = Source::new("flow.yaml", format!("steps:\n  a:\n    uses: {name}\n"));
        let (workflow, _) = Workflow::parse(&source);
        let (graph, _) = Graph::look(&workflow.expect("a workflow"), &catalog);
        let graph = graph.expect("a step is there, whatever it lacks");
        presets += 1;
        for (input, field) in &graph.steps[0].callee.fields {
            all += 1;
            match Fitting::default().fit(&Type::of_schema(&field.schema), field) {
                Fit::Proved => proved += 1,
                _ => open.push(format!("{name} {input}")),
            }
        }
    }
    in_the_docs(&format!("{proved} of the {all} inputs of the {presets} shipped presets are provable"));
    insta::assert_snapshot!(open.join("\n"), @"");
}

/// Holds a published figure against the page that it is on.
fn in_the_docs(line: &str) {
    let page = fs::read_to_string(root().join("docs/reference/checker.md")).expect("readable");
    assert!(page.contains(line), "docs/reference/checker.md should say: {line}");
}

fn report(counts: &BTreeMap<&str, Count>) -> String {
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let mut text = format!(
        "{} damaged workflows: {} broken and caught, {} broken and missed, {} whole and refused, {} whole and accepted\n\n",
        sum(Count::all),
        sum(|c| c.caught),
        sum(|c| c.missed.len()),
        sum(|c| c.refused.len()),
        sum(|c| c.fine),
    );
    for (kind, count) in counts {
        let _ = writeln!(
            text,
            "{kind}: {}, caught {}, missed {}, wrongly refused {}",
            count.all(),
            count.caught,
            count.missed.len(),
            count.refused.len()
        );
    }
    for (title, of) in
        [("missed", (|c| &c.missed) as fn(&Count) -> &Vec<String>), ("wrongly refused", |c| &c.refused)]
    {
        let _ = writeln!(text, "\n{title}");
        counts.values().flat_map(of).for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
    text
}
