//! `castline graph`: the steps of a workflow as a drawing.

use castline_runner::{Job, Trouble, target};

use super::{cannot_write_file, show, small_runtime, workflow_file};
use crate::cli::{Graph, GraphFormat, is_stdout};
use crate::exit::Exit;
use crate::report::graph::{self, Drawing};
use crate::{log, screen};

/// Nothing is asked but the ledger, for what is reused.
pub(crate) fn graph(flags: &Graph) -> Result<Exit, Trouble> {
    flags.output.as_deref().map_or(Ok(()), target::check)?;
    let file = workflow_file::or_only_one(flags.file.as_ref())?;
    let job = small_runtime()?.block_on(Job::sketch(&file, &flags.wishes()))?;
    log::hide_tokens_of(&job.project);
    let graph = match &job.graph {
        Some(graph) if !job.diagnostics.has_errors() => graph,
        _ => return Err(Trouble::Diagnostics(job.diagnostics)),
    };
    show(&job.diagnostics);
    let drawing = Drawing::of(graph, job.forecast.as_ref());
    let text = match flags.format() {
        GraphFormat::Mermaid => graph::mermaid(&drawing),
        GraphFormat::Dot => graph::dot(&drawing),
        GraphFormat::Svg => graph::svg(&drawing),
    };
    match flags.output.as_ref().filter(|file| !is_stdout(file)) {
        None => screen::data(&text)?,
        Some(file) => std::fs::write(file, text).map_err(|e| cannot_write_file(file, &e))?,
    }
    job.check_offline()?;
    Ok(Exit::Done)
}
