//! `castline manual`: a page for each command, as `man` shows them.

use std::fs;
use std::path::Path;

use castline_runner::Trouble;
use clap::CommandFactory;

use super::cannot_write;
use crate::cli::Cli;
use crate::exit::Exit;
use crate::screen;

/// Writes a page for each command into a folder; without one the first page goes to stdout.
pub(crate) fn manual(dir: Option<&Path>) -> Result<Exit, Trouble> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|e| cannot_write(Path::new("-"), &e))?;
        screen::data(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    fs::create_dir_all(dir).map_err(|e| cannot_write(dir, &e))?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(|e| cannot_write(dir, &e))?;
    Ok(Exit::Done)
}
