//! `castline plan`: what a run would do and what it costs.

use castline_runner::{Job, Trouble};

use super::{show, small_runtime, workflow_file};
use crate::cli::Plan;
use crate::exit::Exit;
use crate::report::json;
use crate::report::plan::Table;
use crate::{log, screen};

/// Nothing is asked but the ledger.
pub(crate) fn plan(flags: &Plan) -> Result<Exit, Trouble> {
    let file = workflow_file::or_only_one(flags.file.as_ref())?;
    let job = small_runtime()?.block_on(Job::plan(&file, &flags.wishes()))?;
    log::hide_tokens_of(&job.project);
    let Some(forecast) = &job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics)) };
    show(&job.diagnostics);
    let table = Table::of(forecast);
    match flags.json {
        true => json::print(&table.json())?,
        false => screen::data(&table.draw(screen::data_width()))?,
    }
    Ok(Exit::Done)
}
