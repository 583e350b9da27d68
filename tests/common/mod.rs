//! What several tests of the whole need.

#![allow(dead_code)] // no test of the whole needs all of it

pub mod server;
#[cfg(unix)]
pub mod terminal;
pub mod watching;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use tempfile::TempDir;

/// castline in a folder, with nothing chosen by the environment and without colors.
pub fn castline(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_castline"));
    command.args(arguments).current_dir(folder).env_remove("CASTLINE_PROVIDER").env("NO_COLOR", "1");
    command
}

/// A folder for a test, by paths in it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file, with the folders that it is in.
    pub fn write(&self, path: &str, text: &str) {
        let to = self.at(path);
        fs::create_dir_all(to.parent().expect("in a folder")).expect("made");
        fs::write(to, text).expect("written");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).expect("readable")
    }
}

/// True when expectations are to be written anew.
pub fn accepts() -> bool {
    std::env::var_os("CASTLINE_ACCEPT").is_some() && std::env::var_os("CI").is_none()
}

/// Holds a file of the repository that is made here against what is made now, or writes it.
pub fn keep(file: &Path, made: &str) {
    if accepts() {
        fs::create_dir_all(file.parent().expect("in a folder")).expect("made");
        fs::write(file, made).expect("written");
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(kept == made, "{} is old: run this test with CASTLINE_ACCEPT=1", file.display());
}

/// What takes the place of what opens pages, as a PATH, and the file into which it writes what it was asked to open.
#[cfg(unix)]
pub fn opener(folder: &Folder) -> (String, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let opened = folder.at("opened");
    for name in ["xdg-open", "open"] {
        folder.write(&format!("bin/{name}"), &format!("#!/bin/sh\necho \"$1\" >> '{}'\n", opened.display()));
        fs::set_permissions(folder.at(&format!("bin/{name}")), fs::Permissions::from_mode(0o755))
            .expect("executable");
    }
    let path = std::env::var("PATH").expect("a path");
    (format!("{}:{path}", folder.at("bin").display()), opened)
}

/// What varies from run to run becomes a word in brackets.
pub fn stable(text: &str, folder: &Path) -> String {
    let filters = [
        (r"sha256:[0-9a-f]{64}", "[DIGEST]"),
        (r"sha256:[0-9a-f]{12}\b", "[DIGEST]"),
        (r"\b[0-9a-f]{64}\b", "[HEX]"),
        (r"\b\d+(\.\d)? (bytes|KiB|MiB)\b", "[SIZE]"),
        (r"SSIM -?\d\.\d+, colors \d+\.\d %", "SSIM [ALIKE], colors [ALIKE] %"),
        (r#"("(?:ssim|color_difference)": )[0-9.-]+"#, "$1[ALIKE]"),
        (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "[RUN]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d\b", "[TIME]"),
        (r#"("(?:(?:elapsed|predict)_)?seconds": )[0-9.e-]+"#, "$1[SECONDS]"),
        (r"\b\d+(\.\d+)? ?(ms|s|min)\b", "[DURATION]"),
        (r#"("bytes(?:_kept)?": )\d+"#, "$1[BYTES]"),
        (r#"("castline": )"[^"]*""#, "$1[VERSION]"),
        (r"'[0-9a-z]{6}' if", "'[DRAW]' if"),
        (r#"draw: "[0-9a-z]{6}""#, r#"draw: "[DRAW]""#),
        (r"sandbox-\d+", "[PREDICTION]"),
        (r"std-\d+", "[PREDICTION]"),
    ];
    let mut text = text.replace(&*folder.to_string_lossy(), "[FOLDER]");
    if let Ok(real) = folder.canonicalize() {
        text = text.replace(&*real.to_string_lossy(), "[FOLDER]");
    }
    for (pattern, by) in filters {
        text = Regex::new(pattern).expect("a fixed pattern").replace_all(&text, by).into_owned();
    }
    text
}

/// Copies a folder, without what is named.
pub fn copy(from: &Path, to: &Path, without: &[&str]) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable").map(|e| e.expect("readable")) {
        let name = entry.file_name();
        if without.iter().any(|n| name == *n) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name), without);
        } else {
            fs::copy(entry.path(), to.join(name)).expect("copied");
        }
    }
}
