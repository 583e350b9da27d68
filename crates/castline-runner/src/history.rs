//! Runs of the past, from their journals.

use std::path::Path;

use castline_core::event::Entry;
use castline_core::record::{Recorder, RunRecord};
use castline_core::summary::RunSummary;
use castline_store::Store;

use crate::job::store_to_look_at;
use crate::project::Project;
use crate::trouble::Trouble;

/// The newest recorded runs of a project in short, newest first, and why others of them cannot be
/// shown.
pub fn runs(project: &Project, most: usize) -> Result<(Vec<RunSummary>, Vec<Trouble>), Trouble> {
    let Some(store) = store_to_look_at(project)? else { return Ok((Vec::new(), Vec::new())) };
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for id in store.runs().list().map_err(crate::ledger::trouble)?.iter().take(most) {
        match summary(&store, id) {
            Ok(run) => runs.push(run),
            Err(trouble) => unreadable.push(trouble),
        }
    }
    Ok((runs, unreadable))
}

/// The id of the run that is meant, whatever its record is like.
pub fn id(project: &Project, wanted: &str) -> Result<String, Trouble> {
    find(&store_of(project, wanted)?, wanted, None)
}

/// One run by its id, the beginning of it, `last`, or `last~1` for the one before.
pub fn run(project: &Project, wanted: &str) -> Result<RunRecord, Trouble> {
    let store = store_of(project, wanted)?;
    record(&store, &find(&store, wanted, None)?)
}

/// The same among the runs of a workflow's file.
pub(crate) fn run_of(project: &Project, wanted: &str, file: &Path) -> Result<RunRecord, Trouble> {
    let store = store_of(project, wanted)?;
    record(&store, &find(&store, wanted, Some(file))?)
}

/// Hands out the events of a run as they came, and answers with what they made.
pub fn replay(project: &Project, wanted: &str, mut each: impl FnMut(&Entry)) -> Result<RunRecord, Trouble> {
    let store = store_of(project, wanted)?;
    let id = find(&store, wanted, None)?;
    listen(&store, &id, |entry| each(entry))
}

/// Removes the record of a run, and answers with its id. What it made stays in the ledger.
pub fn remove(project: &Project, wanted: &str) -> Result<String, Trouble> {
    let store = store_of(project, wanted)?;
    let id = find(&store, wanted, None)?;
    store.runs().remove(&id).map_err(crate::ledger::trouble)?;
    Ok(id)
}

fn none(wanted: &str, hint: &str) -> Trouble {
    Trouble::usage(format!("there is no run `{wanted}` in this project"), hint)
}

fn store_of(project: &Project, wanted: &str) -> Result<Store, Trouble> {
    store_to_look_at(project)?.ok_or_else(|| none(wanted, "nothing was run here yet"))
}

/// The id of the run that is meant.
fn find(store: &Store, wanted: &str, file: Option<&Path>) -> Result<String, Trouble> {
    let mut ids = store.runs().list().map_err(crate::ledger::trouble)?;
    if let Some(before) = back(wanted) {
        if let Some(file) = file {
            let mut of_file = Vec::new();
            for id in ids {
                let Ok(known) = summary(store, &id) else { continue };
                if Path::new(&known.file).file_name() == file.file_name() {
                    of_file.push(id);
                }
                if of_file.len() > before {
                    break;
                }
            }
            ids = of_file;
        }
        let (all, of) = (ids.len(), if file.is_some() { " of this workflow" } else { "" });
        return ids.into_iter().nth(before).ok_or_else(|| match all {
            0 => none(wanted, "nothing was run here yet"),
            1 => none(wanted, &format!("there is 1 run{of}; `last` is the newest")),
            n => none(wanted, &format!("there are {n} runs{of}; `last~{}` is the oldest", n - 1)),
        });
    }
    if wanted.is_empty() {
        return Err(Trouble::usage("the id of the run is empty", "`castline runs list` shows all runs"));
    }
    let lower = wanted.to_lowercase();
    ids.retain(|id| id.to_lowercase().starts_with(&lower));
    match &ids[..] {
        [id] => Ok(id.clone()),
        [] => Err(none(wanted, "`castline runs list` shows all runs")),
        _ => Err(Trouble::usage(format!("`{wanted}` begins more than one run's id"), "write more of it")),
    }
}

/// How many runs before the last one: 0 for `last`, 2 for `last~2`.
fn back(wanted: &str) -> Option<usize> {
    match wanted.strip_prefix("last")? {
        "" => Some(0),
        "~" => Some(1),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

/// A run in short. That of one that never ended is kept once nobody has it any more.
pub(crate) fn summary(store: &Store, id: &str) -> Result<RunSummary, Trouble> {
    let runs = store.runs();
    if let Some(summary) = runs.summary(id) {
        return Ok(summary);
    }
    let over = !runs.is_going_on(id);
    let summary = RunSummary::from(&record(store, id)?);
    if over {
        runs.keep_summary(id, &summary);
    }
    Ok(summary)
}

/// What a run came to; from its journal when it never came to an end.
pub(crate) fn record(store: &Store, id: &str) -> Result<RunRecord, Trouble> {
    match store.runs().record(id).map_err(crate::ledger::trouble)? {
        Some(record) => Ok(record),
        None => listen(store, id, |_| ()),
    }
}

fn listen(store: &Store, id: &str, mut each: impl FnMut(&Entry)) -> Result<RunRecord, Trouble> {
    let mut recorder = Recorder::default();
    // A run that was killed at once has no events, and a name all the same.
    id.clone_into(&mut recorder.record.run);
    let heard = store.runs().each_event(id, |entry: Entry| {
        recorder.take(&entry);
        each(&entry);
        true
    });
    heard.map_err(crate::ledger::trouble)?;
    Ok(recorder.record)
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn a_run_is_named_by_how_long_ago_it_was() {
        assert_eq!(["last", "last~", "last~0", "last~12"].map(back), [Some(0), Some(1), Some(0), Some(12)]);
        assert_eq!(["01J", "last-1", "last~x", "lasts"].map(back), [None; 4]);
    }
}
