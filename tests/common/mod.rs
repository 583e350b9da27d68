//! What several tests of the whole need.

#![allow(dead_code)] // no test of the whole needs all of it

pub mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

/// castline in a folder, with nothing chosen by the environment and without colors.
pub fn castline(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_castline"));
    command.args(arguments).current_dir(folder).env_remove("CASTLINE_PROVIDER").env("NO_COLOR", "1");
    command
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
