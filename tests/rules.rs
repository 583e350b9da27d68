//! Rules about the code itself: who may know whom, and what must stay away from the core.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What each crate of ours may depend on. Lines point down, never back.
const MAP: &[(&str, &[&str])] = &[
    ("castline-spec", &[]),
    ("castline-core", &["castline-spec"]),
    ("castline-store", &["castline-core", "castline-spec"]),
    ("castline-provider", &["castline-core", "castline-spec"]),
    ("castline-library", &["castline-spec"]),
    (
        "castline-runner",
        &["castline-core", "castline-library", "castline-provider", "castline-spec", "castline-store"],
    ),
    ("castline-server", &["castline-core", "castline-provider", "castline-spec"]),
    (
        "castline",
        &[
            "castline-core",
            "castline-library",
            "castline-provider",
            "castline-runner",
            "castline-server",
            "castline-spec",
            "castline-store",
        ],
    ),
    // It measures whole processes, and knows nothing of what is in them.
    ("castline-bench", &[]),
];

fn metadata() -> Value {
    // What other platforms need was never downloaded here.
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let version = String::from_utf8(version).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("it says its host");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", host, "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Names by id, and for each id the ids that it depends on outside of tests.
fn graph(metadata: &Value) -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let text = |v: &Value| v.as_str().expect("a text").to_owned();
    let names = metadata["packages"].as_array().expect("a list").iter();
    let names = names.map(|p| (text(&p["id"]), text(&p["name"]))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a list").iter();
    let edges = nodes
        .map(|node| {
            let deps = node["deps"].as_array().expect("a list").iter();
            let normal = deps
                .filter(|d| d["dep_kinds"].as_array().expect("a list").iter().any(|k| k["kind"].is_null()));
            (text(&node["id"]), normal.map(|d| text(&d["pkg"])).collect())
        })
        .collect();
    (names, edges)
}

#[test]
fn crates_depend_on_each_other_as_the_map_says() {
    let metadata = metadata();
    let (names, edges) = graph(&metadata);
    for (name, allowed) in MAP {
        let id = names.iter().find(|(_, n)| n == name).unwrap_or_else(|| panic!("no crate {name}")).0;
        let ours: BTreeSet<&str> =
            edges[id].iter().map(|d| names[d].as_str()).filter(|n| n.starts_with("castline")).collect();
        let wrong: Vec<_> = ours.iter().filter(|n| !allowed.contains(n)).collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
    }
}

#[test]
fn cargo_run_means_castline() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list");
    let ours = packages.iter().filter(|package| package["source"].is_null());
    let runs: Vec<_> = ours.filter_map(|package| package["default_run"].as_str()).collect();
    assert_eq!(runs, ["castline"], "the README's first command needs exactly one");
}

#[test]
fn spec_and_core_know_neither_async_nor_http() {
    let metadata = metadata();
    let (names, edges) = graph(&metadata);
    for root in ["castline-spec", "castline-core"] {
        let id = names.iter().find(|(_, n)| *n == root).expect("ours").0;
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if seen.insert(names[id].as_str()) {
                open.extend(&edges[id]);
            }
        }
        for banned in
            ["tokio", "async-std", "smol", "reqwest", "hyper", "ureq", "rusqlite", "rand", "tempfile"]
        {
            assert!(!seen.contains(banned), "{root} reaches {banned}");
        }
    }
}

#[test]
fn the_core_opens_no_files_and_reads_no_clock() {
    let mut wrong = Vec::new();
    for name in ["castline-spec", "castline-core"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        visit(&folder, &mut |path, text| {
            for banned in
                ["std::fs", "std::net", "std::env", "SystemTime", "Instant::now", "Timestamp::now", "HashMap"]
            {
                if text.contains(banned) {
                    wrong.push(format!("{} has {banned}", path.display()));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn visit(folder: &Path, look: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("readable").map(|e| e.expect("readable").path()) {
        if entry.is_dir() {
            visit(&entry, look);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            look(&entry, &std::fs::read_to_string(&entry).expect("readable"));
        }
    }
}

/// Where findings are made; the command only draws them.
const EMITTERS: &[&str] = &["castline-spec", "castline-core", "castline-runner"];

#[test]
fn every_code_is_given_to_a_finding_somewhere() {
    // As an argument; a `match` or a comparison makes no finding.
    let given = regex::Regex::new(r"\bCode::(\w+)[,)]").expect("a fixed pattern");
    let mut seen = BTreeSet::new();
    for name in EMITTERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        visit(&folder, &mut |path, text| {
            if path.ends_with("tests.rs") || path.ends_with("castline-spec/src/diagnostic.rs") {
                return;
            }
            let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
            seen.extend(given.captures_iter(code).map(|found| found[1].to_owned()));
        });
    }
    for code in castline_spec::Code::ALL {
        assert!(seen.contains(&format!("{code:?}")), "nothing reports `{}`", code.as_str());
    }
}

/// The numbers of the page, each with the reason why it has no test, which most do without.
fn pitfalls() -> BTreeMap<u32, String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/pitfalls.md");
    let page = std::fs::read_to_string(page).expect("readable");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        Some((cells.first()?.parse().ok()?, (*cells.get(3)?).to_owned()))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn every_pitfall_has_a_test_of_its_number_or_says_why_not() {
    let (known, mut tested) = (pitfalls(), BTreeSet::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["crates", "tests"] {
        visit(&root.join(folder), &mut |_, text| {
            for found in text.split("fn pitfall_").skip(1) {
                let number = found.split('_').next().and_then(|number| number.parse::<u32>().ok());
                tested.extend(number);
            }
        });
    }
    assert_eq!(known.keys().copied().collect::<Vec<_>>(), (1..=61).collect::<Vec<_>>());
    for (number, why) in known {
        assert_ne!(tested.contains(&number), !why.is_empty(), "pitfall {number}: {why}");
    }
}

/// Tests with a list of their own: what is named there is a function, or a document that is made.
const OWN_LISTS: &[&str] = &["tests/faults", "tests/broken"];

/// The names of the test functions in a source.
fn test_functions(text: &str) -> BTreeSet<String> {
    let function = r"#\[(?:tokio::)?test(?:\([^\]]*\))?\](?:\s*#\[[^\]]*\])*\s*(?:pub )?(?:async )?fn (\w+)";
    let function = regex::Regex::new(function).expect("a fixed pattern");
    function.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// True when a file has a test of this name, or a folder a case.
fn has_test(root: &Path, place: &str, name: &str) -> bool {
    let path = root.join(place);
    if path.is_dir() {
        return path.join(name).is_dir() || path.join(format!("{name}.yaml")).is_file();
    }
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    let is_listed = OWN_LISTS.iter().any(|list| place.starts_with(list))
        && [format!("fn {name}("), format!("name: \"{name}\"")].iter().any(|words| text.contains(words));
    is_listed || test_functions(&text).contains(name)
}

/// The last cells of the tables whose last column is about tests.
fn cells_of_tests(page: &str) -> Vec<&str> {
    let (mut cells, mut is_about_tests) = (Vec::new(), false);
    for line in page.lines() {
        let row = line.trim_end().strip_prefix('|').and_then(|row| row.strip_suffix('|'));
        match row.and_then(|row| row.rsplit('|').next()).map(str::trim) {
            None => is_about_tests = false,
            Some("tests") => is_about_tests = true,
            Some(cell) if is_about_tests && cell != "---" => cells.push(cell),
            Some(_) => {}
        }
    }
    cells
}

#[test]
fn every_test_that_a_promise_names_is_in_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = regex::Regex::new(r"^`([\w-]+)` \(([\w./-]+)\)$").expect("a fixed pattern");
    let mut wrong = Vec::new();
    for page in ["docs/security.md", "docs/reference/promises.md"] {
        let text = std::fs::read_to_string(root.join(page)).expect("readable");
        let cells = cells_of_tests(&text);
        assert!(cells.len() > 10, "{page} has no tables of tests");
        for test in cells.into_iter().flat_map(|cell| cell.split("; ")) {
            match named.captures(test) {
                None => wrong.push(format!("{page}: {test} is not `a_name` (its/file.rs)")),
                Some(found) if has_test(&root, &found[2], &found[1]) => {}
                Some(_) => wrong.push(format!("{page}: {test} is not there")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut files, mut tests, mut all) = (Vec::new(), BTreeSet::new(), String::new());
    for folder in ["crates", "tests"] {
        visit(&root.join(folder), &mut |path, text| {
            files.push(path.to_owned());
            tests.extend(test_functions(text));
            all.push_str(text);
        });
    }
    let page = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")).expect("readable");
    let named = regex::Regex::new(r"\(tests?:[^)]*\)").expect("a fixed pattern");
    let name = regex::Regex::new(r"`([^`]+)`").expect("a fixed pattern");
    let names: Vec<_> = named.find_iter(&page).flat_map(|found| name.captures_iter(found.as_str())).collect();
    assert!(names.len() > 10, "the architecture names no tests");
    // A file, the first word of tests that are told apart by words, or a function.
    let is_there = |name: &str| match name {
        _ if Path::new(name).extension().is_some_and(|e| e == "rs") => {
            files.iter().any(|file| file.ends_with(name))
        }
        _ if !name.contains('_') => all.contains(&format!("\"{name}: ")),
        _ => tests.contains(name),
    };
    let gone: Vec<_> = names.iter().map(|found| &found[1]).filter(|name| !is_there(name)).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md names tests that are not there: {gone:?}");
}
