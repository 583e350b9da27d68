//! `castline completions`: what a shell needs to complete commands and flags.

use castline_runner::Trouble;
use clap_complete::Shell;

use crate::cli;
use crate::exit::Exit;
use crate::screen;

/// Prints the script for a shell.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::shown(), "castline", &mut script);
    screen::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
