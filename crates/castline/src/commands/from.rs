//! `castline from`: the workflow that makes a picture again.

use std::path::Path;

use castline_runner::from::{Recipe, from as recipe};
use castline_runner::{Trouble, shown, target};
use serde_json::json;

use super::{cannot_write_file, small_runtime};
use crate::cli::{From, is_stdout};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen::{self, printable};

/// Asks the picture, else the runs of the project, and the ledger; nobody else.
pub(crate) fn from(flags: &From) -> Result<Exit, Trouble> {
    let output = flags.output.as_deref().filter(|file| !is_stdout(file));
    let found = small_runtime()?.block_on(recipe(&flags.picture, output))?;
    match (output, flags.json) {
        (Some(to), _) => write(to, &found)?,
        (None, true) => print(&json!({
            "schema_version": SCHEMA_VERSION,
            "provenance": found.provenance,
            "workflow": found.text,
            "missing": found.missing,
            "notes": found.notes,
        }))?,
        (None, false) => screen::data(&found.text)?,
    }
    for note in &found.notes {
        screen::say(&printable(&format!("note: {note}")));
    }
    for missing in &found.missing {
        screen::say(&printable(&format!("missing: {missing}")));
    }
    Ok(if found.missing.is_empty() { Exit::Done } else { Exit::Found })
}

fn write(to: &Path, found: &Recipe) -> Result<(), Trouble> {
    let there = shown(to);
    if to.exists() {
        return Err(Trouble::usage(format!("`{there}` is there already"), "give another file with `-o`"));
    }
    target::check(to)?;
    std::fs::write(to, &found.text).map_err(|e| cannot_write_file(to, &e))?;
    screen::say(&printable(&format!("wrote {there}")));
    Ok(())
}
