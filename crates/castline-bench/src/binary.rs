//! Which castline is measured: the one beside this program, built with the same profile.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Wrong;

/// The folder that this program was built into.
pub(crate) fn folder() -> Result<PathBuf, Wrong> {
    let own = env::current_exe()?;
    Ok(own.parent().ok_or("this program lies in no folder")?.to_owned())
}

/// The castline to measure. Without a path it is built first, so that it is never an old one.
pub(crate) fn castline(given: Option<&Path>) -> Result<PathBuf, Wrong> {
    let path = match given {
        Some(path) => path.canonicalize().map_err(|e| format!("`{}`: {e}", path.display()))?,
        None => build(&folder()?)?,
    };
    if !path.is_file() {
        return Err(format!("there is no castline at `{}`", path.display()).into());
    }
    Ok(path)
}

fn build(folder: &Path) -> Result<PathBuf, Wrong> {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") => {
            eprintln!("castline-bench: this is a debug build, whose figures say nothing; use --release");
            "dev"
        }
        Some(profile) => profile,
        None => return Err("this program lies in no folder of cargo's; give --castline FILE".into()),
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "castline", "--bin", "castline", "--profile", profile])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.parent().unwrap_or(folder))
        .status()?;
    if !status.success() {
        return Err("castline could not be built; give --castline FILE to measure another".into());
    }
    Ok(folder.join(format!("castline{}", env::consts::EXE_SUFFIX)))
}
