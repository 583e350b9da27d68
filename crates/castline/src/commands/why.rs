//! `castline why`: what a key is made of, and what is different from the nearest former one.

use castline_runner::Trouble;
use castline_runner::why::{why as explain, why_then};

use super::{project_here, project_near, small_runtime, workflow_file};
use crate::cli::Why;
use crate::exit::Exit;
use crate::report::{json, why as report};
use crate::screen;

/// Nothing is asked but the ledger, and the record of a former run.
pub(crate) fn why(flags: &Why) -> Result<Exit, Trouble> {
    let runtime = small_runtime()?;
    if let Some(run) = &flags.run {
        let file = flags.file();
        let project = match &file {
            Some(file) => project_near(file)?,
            None => project_here()?,
        };
        let then = why_then(&project, run, file.as_deref(), flags.step());
        let (summary, explanations) = runtime.block_on(then)?;
        match flags.json {
            true => json::print(&report::json_then(&summary, &explanations))?,
            false => screen::tell(&report::draw_then(&summary, &explanations))?,
        }
        return Ok(Exit::Done);
    }
    let file = workflow_file::or_only_one(flags.file().as_ref())?;
    let explanations = runtime.block_on(explain(&file, &flags.wishes(), flags.step()))?;
    match flags.json {
        true => json::print(&report::json(&explanations))?,
        false => screen::tell(&report::draw(&explanations))?,
    }
    Ok(Exit::Done)
}
