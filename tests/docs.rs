//! The README and the docs: commands run, documents are checked, links lead somewhere.
//!
//! What the fences mean stands in `CONTRIBUTING.md`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use castline_spec::{Code, Library, Preset, Project, Source};
use serde_json::Value;

use common::{castline, copy};

const CASTLINE: &str = env!("CARGO_BIN_EXE_castline");

/// A fenced block of a page.
struct Block {
    info: String,
    /// Where it is written for the commands that follow.
    to: Option<String>,
    text: String,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// The README, the changelog and every page of the book.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("readable").map(|e| e.expect("readable").path()) {
            match entry.extension().and_then(|e| e.to_str()) {
                _ if entry.is_dir() && entry.file_name() != Some("book".as_ref()) => walk(&entry, pages),
                Some("md") => pages.push(entry),
                _ => {}
            }
        }
    }
    let outside = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let mut pages: Vec<_> =
        outside.map(|page| root().join(page)).into_iter().filter(|p| p.is_file()).collect();
    walk(&root().join("docs"), &mut pages);
    pages.sort();
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (i, line) in fs::read_to_string(page).expect("readable").lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => {
                let (info, to) = match info.trim().split_once(" to=") {
                    Some((info, to)) => (info, Some(to.to_owned())),
                    None => (info.trim(), None),
                };
                open = Some(Block { info: info.to_owned(), to, text: String::new(), line: i + 1 });
            }
            (None, None) => {}
        }
    }
    blocks
}

fn shown(page: &Path, block: &Block) -> String {
    format!("{}:{}", page.strip_prefix(root()).unwrap_or(page).display(), block.line)
}

/// Every block with these words first, and what stands in files beside it.
fn each_block(words: &str, mut visit: impl FnMut(&Path, &Block, &Path)) {
    let mut seen = 0;
    for page in pages() {
        let mut folder = tempfile::tempdir().expect("a folder");
        for block in blocks(&page) {
            let (info, file) = match block.info.split_once(" file=") {
                Some((info, file)) => (info, Some(file)),
                None => (block.info.as_str(), None),
            };
            if let Some(file) = file {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
                fs::write(path, &block.text).expect("written");
            }
            if info == words {
                visit(&page, &block, folder.path());
                seen += 1;
            }
            // What was written beside a document is for that document only.
            if file.is_none() && info.starts_with("yaml") {
                folder = tempfile::tempdir().expect("a folder");
            }
        }
    }
    assert!(seen > 0, "no block is `{words}`");
}

/// Every drawing of a workflow, with the workflow's path.
fn drawings() -> Vec<(PathBuf, Block, String)> {
    let mut found = Vec::new();
    for page in pages() {
        for block in blocks(&page) {
            if let Some(workflow) = block.info.strip_prefix("mermaid graph=").map(str::to_owned) {
                found.push((page.clone(), block, workflow));
            }
        }
    }
    found
}

/// `check --format json` of a text as a workflow.
fn check(text: &str, folder: &Path) -> Value {
    let file = folder.join("flow.yaml");
    fs::write(&file, text).expect("written");
    let output = Command::new(CASTLINE)
        .args(["check", "flow.yaml", "--format", "json"])
        .current_dir(folder)
        .env_remove("CASTLINE_PROVIDER")
        .output()
        .expect("castline runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn codes(answer: &Value) -> Vec<String> {
    let list = answer["diagnostics"].as_array().expect("a list");
    list.iter().map(|d| format!("{}: {}", d["code"].as_str().unwrap_or("?"), d["message"])).collect()
}

#[test]
fn every_workflow_on_a_page_has_no_findings() {
    each_block("yaml", |page, block, folder| {
        let answer = check(&block.text, folder);
        assert_eq!(codes(&answer), [""; 0], "{}", shown(page, block));
    });
}

#[test]
fn every_preset_and_project_on_a_page_has_no_findings() {
    each_block("yaml preset", |page, block, _| {
        let (preset, found) = Preset::parse(&Source::new("preset.yaml", block.text.as_str()));
        assert!(preset.is_some() && found.list.is_empty(), "{}: {found:#?}", shown(page, block));
    });
    each_block("yaml library", |page, block, _| {
        let (library, found) = Library::parse(&Source::new("library.yaml", block.text.as_str()));
        assert!(library.is_some() && found.list.is_empty(), "{}: {found:#?}", shown(page, block));
    });
    each_block("yaml project", |page, block, _| {
        let (project, found) = Project::parse(&Source::new("castline.yaml", block.text.as_str()));
        assert!(project.is_some() && found.list.is_empty(), "{}: {found:#?}", shown(page, block));
    });
}

#[test]
fn every_document_on_a_page_fits_the_schema_for_editors() {
    for (words, document) in [
        ("yaml", "workflow"),
        ("yaml preset", "preset"),
        ("yaml project", "project"),
        ("yaml library", "library"),
    ] {
        let file = root().join(format!("docs/schemas/{document}.schema.json"));
        let schema = serde_json::from_str(&fs::read_to_string(file).expect("readable")).expect("JSON");
        let schema = jsonschema::draft202012::new(&schema).expect("a schema");
        each_block(words, |page, block, _| {
            let source = Source::new("document.yaml", block.text.as_str());
            let json = castline_spec::raw::parse(&source).expect("YAML").to_json();
            let wrong: Vec<_> =
                schema.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert_eq!(wrong, [""; 0], "{}", shown(page, block));
        });
    }
}

#[test]
fn every_preset_on_a_page_can_be_called() {
    each_block("yaml preset", |page, block, folder| {
        fs::write(folder.join("preset.yaml"), &block.text).expect("written");
        let output = common::castline(folder, &["preset", "check", "preset.yaml"]).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "1 preset, nothing found\n", "{}", shown(page, block));
    });
}

#[test]
fn every_quoted_workflow_is_the_file() {
    let mut seen = 0;
    for page in pages() {
        for block in blocks(&page) {
            let Some(path) = block.info.strip_prefix("yaml workflow=") else { continue };
            let file = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(block.text, file, "{} is not {path}", shown(&page, &block));
            seen += 1;
        }
    }
    assert!(seen > 0, "no block is `yaml workflow=PATH`");
}

#[test]
fn every_fragment_is_yaml() {
    each_block("yaml fragment", |page, block, _| {
        let parsed: Result<serde_yaml::Value, _> = serde_yaml::from_str(&block.text);
        assert!(parsed.is_ok(), "{}: {}", shown(page, block), parsed.unwrap_err());
    });
}

#[test]
fn every_wrong_example_reports_the_code_of_its_page() {
    let mut missing = Vec::new();
    each_block("yaml wrong", |page, block, folder| {
        let code = page.file_stem().expect("a page").to_string_lossy().into_owned();
        let answer = check(&block.text, folder);
        let list = answer["diagnostics"].as_array().expect("a list");
        if !list.iter().any(|d| d["code"] == code.as_str()) {
            missing.push(format!("{} reports {:?}", shown(page, block), codes(&answer)));
        }
    });
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_wrong_project_reports_the_code_of_its_page() {
    each_block("yaml wrong project", |page, block, folder| {
        let code = page.file_stem().expect("a page").to_string_lossy().into_owned();
        fs::write(folder.join("castline.yaml"), &block.text).expect("written");
        let answer = check("steps:\n  boat: { uses: flux-schnell, with: { prompt: x } }\n", folder);
        let list = answer["diagnostics"].as_array().expect("a list");
        let reports = list.iter().any(|d| d["code"] == code.as_str());
        assert!(reports, "{} reports {:?}", shown(page, block), codes(&answer));
    });
}

/// With the two tests above it says that every code is reported by something.
#[test]
fn every_page_of_a_code_has_a_wrong_example() {
    for code in Code::ALL {
        let page = root().join("docs/errors").join(format!("{}.md", code.as_str()));
        let wrong = blocks(&page).iter().any(|block| block.info.starts_with("yaml wrong"));
        assert!(wrong, "{} shows no mistake", page.display());
    }
}

#[test]
fn the_lists_of_codes_are_complete_and_in_order() {
    let list = |page: &str, row: &str| -> Vec<String> {
        let row = regex::Regex::new(row).expect("a fixed pattern");
        let text = fs::read_to_string(root().join("docs").join(page)).expect("readable");
        row.captures_iter(&text).map(|c| c[1].to_owned()).collect()
    };
    let rows: Vec<_> =
        Code::ALL.iter().map(|c| format!("| [{0}]({0}.md) | {1} |", c.as_str(), c.title())).collect();
    assert_eq!(list("errors/README.md", r"(?m)^(\| \[.*\|)$"), rows);
    let codes: Vec<_> = Code::ALL.iter().map(|c| c.as_str().to_owned()).collect();
    assert_eq!(list("SUMMARY.md", r"\]\(errors/([a-z-]+)\.md\)"), codes);
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("readable");
    for page in pages().iter().filter_map(|page| page.strip_prefix(root().join("docs")).ok()) {
        let named = summary.contains(&format!("]({})", page.display()));
        assert!(named || page.ends_with("SUMMARY.md"), "{} is not in the summary", page.display());
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> = fs::read_dir(root().join("docs/errors"))
        .expect("docs/errors")
        .map(|e| e.expect("readable").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|c| c.as_str().to_owned()).collect();
    assert_eq!(pages, codes);
}

/// Pages whose commands go on from each other, in the order in which they are read: the tutorial. Every
/// other page begins anew.
fn tours() -> Vec<Vec<PathBuf>> {
    let tutorial = root().join("docs/tutorial");
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("readable");
    let place = |page: &Path| {
        let name = page.strip_prefix(root().join("docs")).unwrap_or(page).to_string_lossy().into_owned();
        summary.find(&format!("]({name})"))
    };
    let (mut tour, others): (Vec<_>, Vec<_>) =
        pages().into_iter().partition(|page| page.starts_with(&tutorial));
    tour.sort_by_key(|page| place(page));
    std::iter::once(tour).chain(others.into_iter().map(|page| vec![page])).collect()
}

/// Where the commands of a page run: `workflows/` is there, and what ran before.
struct World {
    folder: tempfile::TempDir,
    stands_in: PathBuf,
    path: std::ffi::OsString,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&root().join("workflows"), &folder.path().join("workflows"), &["out", ".castline"]);
        let bin = Path::new(CASTLINE).parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)));
        let stands_in = folder.path().to_owned();
        Self { folder, stands_in, path: path.expect("a path") }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.stands_in.join(file);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// What a line of a shell prints, and its exit code.
    fn perform(&mut self, line: &str) -> (String, Option<i32>) {
        if let Some(folder) = line.strip_prefix("cd ") {
            self.stands_in = self.stands_in.join(folder).canonicalize().expect("a folder");
            return (String::new(), Some(0));
        }
        let command = line
            .replace("cargo run --release --", "castline")
            .replace("cargo run --release -q --", "castline");
        let output = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(&self.stands_in)
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .env_remove("CASTLINE_PROVIDER")
            .output()
            .expect("a shell");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
    }
}

#[test]
fn every_command_on_a_page_runs_and_prints_what_is_shown() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for tour in tours() {
        let mut world = World::new();
        for page in tour {
            let (mut new, mut before) = (Vec::new(), String::new());
            for block in blocks(&page) {
                if let Some(file) = &block.to {
                    world.write(file, &block.text);
                }
                if block.info == "sh" {
                    before.clear();
                    for line in block.text.lines().filter(|l| !l.trim().is_empty()) {
                        let (printed, code) = world.perform(line);
                        before.push_str(&printed);
                        let expected: &[i32] = if line.contains("castline check") { &[0, 2] } else { &[0] };
                        let runs = code.is_some_and(|code| expected.contains(&code));
                        assert!(runs, "{}: `{line}` ended with {code:?}\n{printed}", shown(&page, &block));
                    }
                }
                let printed = match block.info.strip_prefix("text prints") {
                    Some("") => before.clone(),
                    Some(command) => world.perform(command.trim_start_matches('=')).0,
                    None => continue,
                };
                compared += 1;
                let printed = printed.trim_end().to_owned() + "\n";
                let stable = |text: &str| common::stable(text, world.folder.path());
                if stable(&printed) != stable(&block.text) {
                    wrong.push(format!("{}: what is printed is\n{printed}", shown(&page, &block)));
                    new.push((block, printed));
                }
            }
            if common::accepts() {
                accept(&page, &new);
            }
        }
    }
    assert!(compared > 0, "no block is `text prints=COMMAND`");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Puts what is printed now in the place of blocks that show something else.
fn accept(page: &Path, new: &[(Block, String)]) {
    let text = fs::read_to_string(page).expect("readable");
    let mut lines: Vec<&str> = text.lines().collect();
    for (block, printed) in new.iter().rev() {
        let old = block.text.lines().count();
        lines.splice(block.line..block.line + old, printed.lines());
    }
    fs::write(page, lines.join("\n") + "\n").expect("written");
}

#[test]
fn every_drawing_on_a_page_is_what_castline_draws() {
    let world = tempfile::tempdir().expect("a folder");
    copy(&root().join("workflows"), &world.path().join("workflows"), &["out", ".castline"]);
    let drawings = drawings();
    assert!(!drawings.is_empty(), "no block is `mermaid graph=PATH`");
    for (page, block, workflow) in drawings {
        let output = castline(world.path(), &["graph", &workflow]).output().expect("castline runs");
        assert_eq!(block.text, String::from_utf8_lossy(&output.stdout), "{}", shown(&page, &block));
    }
}

/// What a heading is called in a link, as mdBook and GitHub do it.
fn anchors(page: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_block = false;
    for line in fs::read_to_string(page).expect("readable").lines() {
        in_block ^= line.starts_with("```");
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        else {
            continue;
        };
        if in_block {
            continue;
        }
        let kept = heading.trim().chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c.to_ascii_lowercase()),
            _ => None,
        });
        found.insert(kept.collect());
    }
    found
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_of_it() {
    let link = regex::Regex::new(r"\]\(([^)#: ]*)(?:#([^) ]*))?\)").expect("a fixed pattern");
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("readable");
        for found in link.captures_iter(&text) {
            let target = match &found[1] {
                "" => page.clone(),
                path => page.parent().expect("in a folder").join(path),
            };
            let heading = found.get(2).map(|heading| heading.as_str());
            let there = target.exists()
                && heading.is_none_or(|heading| target.is_dir() || anchors(&target).contains(heading));
            if !there {
                broken.push(format!("{} -> {}", page.display(), &found[0]));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
