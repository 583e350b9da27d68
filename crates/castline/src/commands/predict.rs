//! `castline predict`: one call of a preset, through the same checks, ledger and store as a run.

use castline_core::event::RunStatus;
use castline_core::record::RunRecord;
use castline_runner::predict::Call;
use castline_runner::{Job, Project, Trouble};
use serde_json::Value as Json;

use super::{project_here, run, runtime};
use crate::cli::Predict;
use crate::exit::Exit;
use crate::report::json;
use crate::screen;

/// Calls the preset, and prints what comes out: text as it is, of files where they are.
pub(crate) fn predict(flags: &Predict) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let call = Call::new(&project, &flags.preset, &flags.inputs)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(go(flags, &call));
    runtime.shutdown_background();
    exit
}

async fn go(flags: &Predict, call: &Call) -> Result<Exit, Trouble> {
    let wishes = flags.wishes(call.inputs.clone());
    let (job, pinned) = Job::plan_text_to_run(&call.source, &wishes).await?;
    run::say_pinned(&pinned);
    let project = job.project.clone();
    let over = run::carry_out_recorded(job, &flags.talk, None).await?;
    if !flags.talk.json && over.record.status == Some(RunStatus::Succeeded) {
        screen::data(&words(&over.record, &project))?;
    }
    Ok(over.exit())
}

fn words(record: &RunRecord, project: &Project) -> String {
    let run = json::run(record, project);
    let outputs = run["outputs"].as_object().into_iter().flatten();
    outputs.flat_map(|(_, value)| lines(value, project)).map(|line| line + "\n").collect()
}

/// Text as it is, the path of each file on a line of its own, anything else as JSON.
fn lines(value: &Json, project: &Project) -> Vec<String> {
    let file = |value: &Json| {
        let path = value["path"].as_str().filter(|_| value["digest"].is_string())?;
        Some(castline_runner::shown(&project.root.join(path)))
    };
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Array(items) if items.iter().all(|item| file(item).is_some()) => {
            items.iter().filter_map(file).collect()
        }
        other => vec![file(other).unwrap_or_else(|| format!("{other:#}"))],
    }
}
