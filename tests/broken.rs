//! Broken documents: each file in `tests/cases/broken/` with what is said of it beside it.
//!
//! A folder of files is a test. `castline check` (for presets `castline preset check`) runs on
//! each file, and its findings are compared with `NAME.findings`; `CASTLINE_ACCEPT=1` writes
//! them anew, except in CI. The first line of a file says what is wrong, and with which code.
//!
//! Monsters that nobody wants in a repository are made here, in [`generated`].

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "broken/generated.rs"]
mod generated;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("presets", || check_folder(&root().join("presets"), &["preset", "check"])),
        Trial::test("projects", check_projects),
    ];
    for area in folders(&root().join("workflows")) {
        let name = format!("workflows::{}", name_of(&area));
        if matches!(name_of(&area).as_str(), "presets" | "photos" | "notes") {
            continue;
        }
        trials.push(Trial::test(name, move || check_folder(&area, &["check"])));
    }
    trials.extend(generated::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/broken")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(of)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    found.sort();
    found
}

/// Every document of a folder, seen from the folder above it.
fn check_folder(folder: &Path, command: &[&str]) -> Result<(), Failed> {
    let above = folder.parent().expect("a folder has one above");
    let mut wrong = Vec::new();
    for file in documents(folder) {
        let shown = format!("{}/{}", name_of(folder), name_of(&file));
        let found = findings(above, command, &shown, &file)?;
        wrong.extend(compare(&file.with_extension("findings"), &found).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Each project is a folder with a healthy workflow.
fn check_projects() -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for folder in folders(&root().join("projects")) {
        let found = findings(&folder, &["check"], "flow.yaml", &folder.join("castline.yaml"))?;
        wrong.extend(compare(&folder.join("castline.findings"), &found).err());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// What is printed for people, and that what programs read is whole: every place in its text,
/// no more and no other findings.
fn findings(folder: &Path, command: &[&str], file: &str, document: &Path) -> Result<String, Failed> {
    let people = run(folder, &[command, &[file]].concat())?;
    let programs = run(folder, &[command, &["--format", "json", file]].concat())?;
    let json: Value = serde_json::from_str(&programs.stdout)
        .map_err(|e| format!("{file}: not JSON: {e}\n{}\n{}", programs.stdout, programs.stderr))?;
    let list = json["diagnostics"].as_array().cloned().unwrap_or_default();
    if list.is_empty() {
        return Err(format!("{file}: nothing was found").into());
    }
    for finding in &list {
        check_places(finding, folder).map_err(|why| format!("{file}: {why}: {finding}"))?;
    }
    let codes: Vec<_> = list.iter().filter_map(|finding| finding["code"].as_str()).collect();
    let mut text = format!("exit code {}\n\n{}", people.code, people.stdout);
    if let Some(expected) =
        expected_code(document).filter(|_| !document.components().any(|c| c.as_os_str() == "many"))
        && codes != [expected.as_str()]
    {
        let _ = write!(text, "\nNOT [{expected}] ALONE\n");
    }
    Ok(text)
}

struct Printed {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Result<Printed, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_castline"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("HOME", folder)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(code @ (0 | 2)) => {
            Ok(Printed { code, stdout: String::from_utf8_lossy(&output.stdout).into_owned(), stderr })
        }
        other => Err(format!("{arguments:?} ended with {other:?}:\n{stderr}").into()),
    }
}

/// The code in brackets at the end of a document's first line.
fn expected_code(document: &Path) -> Option<String> {
    let bytes = fs::read(document).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next()?.trim_start_matches('\u{feff}').strip_prefix('#')?.trim_end();
    let code = line.strip_suffix(']')?.rsplit_once('[')?.1;
    Some(code.to_owned())
}

/// That the places of a finding are in the text that they are of.
fn check_places(finding: &Value, folder: &Path) -> Result<(), String> {
    let labels = finding["labels"].as_array().into_iter().flatten();
    let own = std::iter::once((&finding["file"], &finding["span"]));
    let fix = (!finding["fix"].is_null()).then_some((&finding["file"], &finding["fix"]["span"]));
    for (file, span) in own.chain(fix).chain(labels.map(|label| (&label["file"], &label["span"]))) {
        let Some(text) = file.as_str().and_then(|name| fs::read_to_string(folder.join(name)).ok()) else {
            continue;
        };
        if span.is_null() {
            continue;
        }
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = text.split('\n').collect();
        for (line, column) in [("line", "column"), ("end_line", "end_column")] {
            let number = span[line].as_u64().ok_or("no line")? as usize;
            let column = span[column].as_u64().ok_or("no column")? as usize;
            let there = lines.get(number - 1).ok_or(format!("there is no line {number}"))?;
            if column == 0 || column > there.chars().count() + 1 {
                return Err(format!("line {number} has no column {column}"));
            }
        }
    }
    Ok(())
}

fn compare(expected_file: &Path, found: &str) -> Result<(), String> {
    let expected = fs::read_to_string(expected_file).unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    if common::accepts() {
        return fs::write(expected_file, found).map_err(|e| e.to_string());
    }
    Err(format!("== {}\n-- expected\n{expected}\n-- found\n{found}", expected_file.display()))
}
