//! `castline runs diff`: two runs side by side.

use castline_runner::diff::{Options, diff};
use castline_runner::{Project, Trouble};

use crate::cli::RunsDiff;
use crate::exit::Exit;
use crate::report::{diff as report, json};
use crate::screen;

/// Compares and asks nobody; with `--check` a difference is told by the exit code.
pub(crate) fn runs_diff(project: &Project, flags: &RunsDiff) -> Result<Exit, Trouble> {
    let options = Options { step: flags.step.clone(), all: flags.all, pictures: flags.pictures.clone() };
    let diff = diff(project, &flags.left, &flags.right, &options)?;
    match flags.json {
        true => json::print(&report::json(&diff, project))?,
        false => screen::tell(&report::draw(&diff, flags.all))?,
    }
    Ok(if flags.check && !diff.legs.is_empty() { Exit::Found } else { Exit::Done })
}
