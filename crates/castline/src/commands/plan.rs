//! `castline plan`: what a run would do and what it costs, shown, kept in a file, or compared.

use std::path::Path;

use castline_core::comparison::Comparison;
use castline_core::forecast::Forecast;
use castline_runner::against::{Outcome, against};
use castline_runner::{Job, Trouble, plan_file, shown, target};

use super::{apply, run, runtime, show, small_runtime, workflow_file};
use crate::cli::Plan;
use crate::exit::Exit;
use crate::report::plan::Table;
use crate::report::{comparison, json};
use crate::{log, screen};

/// Nothing is asked but the ledger; for a plan that is kept also a provider, for the versions of
/// models that are not pinned yet.
pub(crate) fn plan(flags: &Plan) -> Result<Exit, Trouble> {
    let file = workflow_file::or_only_one(flags.file.as_ref())?;
    match (&flags.output, &flags.against) {
        (Some(to), _) => keep(flags, &file, to),
        (None, Some(other)) => compare(flags, &file, other),
        (None, None) => {
            let mut job = small_runtime()?.block_on(Job::plan(&file, &flags.wishes()))?;
            print(flags, &job)?;
            job.check_offline()?;
            // A large plan would take as long to take apart as to make; the process is about to end.
            std::mem::forget(job.forecast.take());
            Ok(Exit::Done)
        }
    }
}

/// Writes the plan into a file, and shows it.
fn keep(flags: &Plan, file: &Path, to: &Path) -> Result<Exit, Trouble> {
    target::check(to)?;
    let (job, pinned) = runtime()?.block_on(Job::plan_to_run(file, &flags.wishes()))?;
    run::say_pinned(&pinned);
    print(flags, &job)?;
    job.check_offline()?;
    let plan = plan_file::freeze(&job, to)?;
    plan_file::write(&plan, to)?;
    let path = screen::printable(&shown(to));
    screen::say(&format!("wrote {path}: `castline apply {path}` runs exactly that"));
    apply::spends(&plan).iter().for_each(|line| screen::say(line));
    Ok(Exit::Done)
}

fn print(flags: &Plan, job: &Job) -> Result<(), Trouble> {
    let table = Table::of(forecast(job)?);
    match flags.json {
        true => json::print(&table.json()),
        false => screen::tell(&table.draw(screen::data_width())),
    }
}

/// Shows what an edit does.
fn compare(flags: &Plan, file: &Path, other: &str) -> Result<Exit, Trouble> {
    let runtime = small_runtime()?;
    let job = runtime.block_on(Job::plan(file, &flags.wishes()))?;
    let plan = &forecast(&job)?.plan;
    match runtime.block_on(against(&job, file, other))? {
        Outcome::Broken(found) => {
            show(&found);
            Err(Trouble::usage(
                format!("the workflow of `{other}` cannot be planned, so that nothing can be compared"),
                "compare with another revision or file",
            ))
        }
        Outcome::Compared(compared) => {
            let edit =
                comparison::Edit { compared: &compared as &Comparison, plan, file: &shown(file), other };
            match flags.json {
                true => json::print(&edit.json())?,
                false => screen::tell(&edit.draw())?,
            }
            job.check_offline()?;
            Ok(Exit::Done)
        }
    }
}

/// The forecast, with the findings shown.
fn forecast(job: &Job) -> Result<&Forecast, Trouble> {
    log::hide_tokens_of(&job.project);
    let Some(forecast) = &job.forecast else { return Err(Trouble::Diagnostics(job.diagnostics.clone())) };
    show(&job.diagnostics);
    Ok(forecast)
}
