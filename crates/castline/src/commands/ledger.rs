//! `castline ledger`: predictions that are open or in doubt, and what a person says of them.

use castline_core::PredictionId;
use castline_core::ledger::{Entry, Ruling, State};
use castline_runner::{Trouble, ledger};
use serde_json::{Value, json};

use super::{project_here, small_runtime};
use crate::cli::Ledger;
use crate::exit::Exit;
use crate::report::json::print;
use crate::screen;

/// Lists what is not settled, or writes down a ruling.
pub(crate) fn ledger(flags: &Ledger) -> Result<Exit, Trouble> {
    let (key, ruling) = match flags {
        Ledger::List { json } => return list(*json),
        Ledger::Adopt { key, id } => (key, Ruling::Adopt(PredictionId(id.clone()))),
        Ledger::Forgive { key } => (key, Ruling::Forgive),
        Ledger::Retry { key } => (key, Ruling::Retry),
    };
    let project = project_here()?;
    let entry = small_runtime()?.block_on(ledger::rule(&project, key, ruling))?;
    screen::say(&format!(
        "{} of `{}` is {} now; the next run goes on from there",
        entry.key(),
        entry.request.model,
        entry.state
    ));
    Ok(Exit::Done)
}

fn list(as_json: bool) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let states = [State::InDoubt, State::Intended, State::Created, State::Expired];
    let entries = small_runtime()?.block_on(ledger::list(&project, &states))?;
    if as_json {
        let entries: Vec<_> = entries.iter().map(described).collect();
        print(&json!({ "schema_version": 1, "entries": entries }))?;
    } else if entries.is_empty() {
        screen::say("nothing is open or in doubt");
    } else {
        screen::data(&entries.iter().map(line).collect::<String>())?;
    }
    let doubtful = entries.iter().any(|e| e.state == State::InDoubt);
    Ok(if doubtful { Exit::InDoubt } else { Exit::Done })
}

fn line(entry: &Entry) -> String {
    let money = entry.hold.amount();
    let id = entry.prediction.as_ref().map(|id| format!("  {id}")).unwrap_or_default();
    format!(
        "{:<9} {}  {}  {}  {:.0}  up to {money}{id}\n",
        entry.state.word(),
        entry.key(),
        entry.request.model,
        entry.provider(),
        entry.intended
    )
}

fn described(entry: &Entry) -> Value {
    json!({
        "key": entry.key(),
        "state": entry.state,
        "model": entry.request.model,
        "provider": entry.provider(),
        "prediction": entry.prediction,
        "intended": entry.intended,
        "held_usd": entry.hold.amount().usd(),
    })
}
