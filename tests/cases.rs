//! Cases: folders in `tests/cases/`, each a test of its own.
//!
//! A case has a `commands` file and a `transcript`: what the commands printed and which files
//! they left. The folder is copied somewhere empty, the commands run there one after the other,
//! and the transcript is compared. `CASTLINE_ACCEPT=1` writes it anew, except in CI.
//!
//! A line of `commands` is `castline ...` or `git ...`, or one of
//! `replace FILE OLD => NEW`, `remove FILE`, `print FILE`,
//! `flip FILE` (its last byte becomes another one), `cut FILE BYTES` (only so many stay).

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{copy, stable};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("tests/cases is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("commands").is_file())
        .collect();
    cases.sort();
    let trials = cases.into_iter().map(|case| {
        let name = case.file_name().expect("a case has a name").to_string_lossy().into_owned();
        Trial::test(name, move || check(&case))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn check(case: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    copy(case, folder.path(), &["commands", "transcript"]);
    let commands = fs::read_to_string(case.join("commands"))?;
    let mut found = String::new();
    for line in commands.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let _ = writeln!(found, "$ {line}");
        perform(line, folder.path(), &mut found)?;
    }
    list_files(folder.path(), &mut found)?;
    let expected_file = case.join("transcript");
    let expected = fs::read_to_string(&expected_file).unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    if common::accepts() {
        fs::write(&expected_file, &found)?;
        return Ok(());
    }
    Err(format!("{} is not what happened:\n{}", expected_file.display(), difference(&expected, &found))
        .into())
}

fn perform(line: &str, folder: &Path, found: &mut String) -> Result<(), Failed> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "castline" => castline(rest, folder, found),
        "replace" => {
            let (file, change) = rest.split_once(' ').ok_or("replace FILE OLD => NEW")?;
            let (old, new) = change.split_once(" => ").ok_or("replace FILE OLD => NEW")?;
            let path = folder.join(file);
            let text = fs::read_to_string(&path)?;
            if !text.contains(old) {
                return Err(format!("`{file}` has no `{old}`").into());
            }
            fs::write(path, text.replace(old, new))?;
            Ok(())
        }
        "remove" => Ok(fs::remove_file(folder.join(rest))?),
        "print" => {
            found.push_str(&stable(&fs::read_to_string(folder.join(rest))?, folder));
            Ok(())
        }
        "flip" => {
            let mut bytes = fs::read(folder.join(rest))?;
            *bytes.last_mut().ok_or("an empty file has no byte")? ^= 1;
            Ok(fs::write(folder.join(rest), bytes)?)
        }
        "cut" => {
            let (file, bytes) = rest.split_once(' ').ok_or("cut FILE BYTES")?;
            let file = fs::File::options().write(true).open(folder.join(file))?;
            Ok(file.set_len(bytes.parse()?)?)
        }
        "git" => git(rest, folder),
        _ => Err(format!("`{word}` is no command of a case").into()),
    }
}

fn castline(arguments: &str, folder: &Path, found: &mut String) -> Result<(), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_castline"))
        .args(split(arguments))
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()?;
    let stdout = stable(&String::from_utf8_lossy(&output.stdout), folder);
    let stderr = stable(&String::from_utf8_lossy(&output.stderr), folder);
    stderr.lines().for_each(|line| {
        let _ = writeln!(found, "{}", format!("| {line}").trim_end());
    });
    stdout.lines().for_each(|line| {
        let _ = writeln!(found, "{line}");
    });
    match output.status.code() {
        Some(0) => {}
        Some(code) => {
            let _ = writeln!(found, "(exit code {code})");
        }
        None => {
            let _ = writeln!(found, "(killed)");
        }
    }
    Ok(())
}

/// Git as somebody whose settings nobody knows.
fn git(arguments: &str, folder: &Path) -> Result<(), Failed> {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"])
        .args(split(arguments))
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("git {arguments}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Splits at blanks outside of single quotes.
fn split(arguments: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in arguments.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("never empty").push(other),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// The files under `out/`, pictures with their size.
fn list_files(folder: &Path, found: &mut String) -> Result<(), Failed> {
    let mut files = Vec::new();
    walk(&folder.join("out"), &mut files)?;
    files.sort();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let bytes = fs::read(&file)?;
        let size =
            imagesize::blob_size(&bytes).map(|s| format!(" {}x{}", s.width, s.height)).unwrap_or_default();
        let _ = writeln!(found, "file {name}{size}");
    }
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// The first lines that differ, and what is around them.
fn difference(expected: &str, found: &str) -> String {
    let (a, b): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let first = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let mut text = String::new();
    a.iter().take(first).skip(first.saturating_sub(3)).for_each(|l| {
        let _ = writeln!(text, "  {l}");
    });
    a.iter().skip(first).take(12).for_each(|l| {
        let _ = writeln!(text, "- {l}");
    });
    b.iter().skip(first).take(40).for_each(|l| {
        let _ = writeln!(text, "+ {l}");
    });
    text
}
