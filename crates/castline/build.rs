//! How the binary is linked, and what it says of itself.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Its pages are in the binary, also one that comes or goes.
    println!("cargo::rerun-if-changed=../../docs/errors");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    // At a place of its own, as decided in docs/decisions/0015: the start of a process is half of
    // what a short command takes, and most of that was moving pointers.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }

    // Not while castline is worked on: the binary would be made anew with every commit.
    let commit = is("PROFILE", "release").then(commit).flatten();
    let version = std::env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=CASTLINE_VERSION={version}");
}

/// Which commit this is and of which day; none where this is no checkout.
fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
    };
    // A checkout of something else, in which a copy of these sources lies, says nothing about them.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    for name in ["HEAD", "logs/HEAD"] {
        let file = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    git(&["log", "-1", "--format=%h %cs", "--abbrev=9"])
}
