//! Runs of the past, from their journals.

use castline_core::event::Entry;
use castline_core::record::RunRecord;
use castline_store::Store;

use crate::job::existing_store;
use crate::project::Project;
use crate::trouble::Trouble;

/// Every recorded run of a project, newest first.
pub fn runs(project: &Project) -> Result<Vec<RunRecord>, Trouble> {
    let Some(store) = existing_store(project)? else { return Ok(Vec::new()) };
    let ids = store.runs().list().map_err(crate::ledger::trouble)?;
    ids.iter().map(|id| record(&store, id)).collect()
}

/// One run by its id, the beginning of it, or `last`, with its events.
pub fn run(project: &Project, wanted: &str) -> Result<(RunRecord, Vec<Entry>), Trouble> {
    let none = |hint: &str| Err(Trouble::usage(format!("there is no run `{wanted}` in this project"), hint));
    let Some(store) = existing_store(project)? else { return none("nothing was run here yet") };
    let ids = store.runs().list().map_err(crate::ledger::trouble)?;
    let found: Vec<_> = match wanted {
        "last" => ids.iter().take(1).collect(),
        _ => ids.iter().filter(|id| id.to_lowercase().starts_with(&wanted.to_lowercase())).collect(),
    };
    match found[..] {
        [id] => Ok((record(&store, id)?, entries(&store, id)?)),
        [] => none("`castline runs list` shows all runs"),
        _ => Err(Trouble::usage(format!("`{wanted}` begins more than one run's id"), "write more of it")),
    }
}

/// What a run came to; from its journal when it never came to an end.
fn record(store: &Store, id: &str) -> Result<RunRecord, Trouble> {
    match store.runs().record(id).map_err(crate::ledger::trouble)? {
        Some(record) => Ok(record),
        None => Ok(RunRecord::of(entries(store, id)?)),
    }
}

fn entries(store: &Store, id: &str) -> Result<Vec<Entry>, Trouble> {
    store.runs().events(id).map_err(crate::ledger::trouble)
}
