//! `castline ledger`: predictions that are open or in doubt, and what a person says of them.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use castline_core::PredictionId;
use castline_core::ledger::{Entry, Ruling, State};
use castline_runner::{Trouble, ledger, shown, target};
use serde_json::json;

use super::{project_here, small_runtime};
use crate::cli::{Ledger, is_stdout};
use crate::exit::Exit;
use crate::report::entry::{draw, in_short, json, kept};
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::counted;
use crate::screen::{self, printable};

/// Shows what the ledger knows, or writes down what a person says.
pub(crate) fn ledger(flags: &Ledger) -> Result<Exit, Trouble> {
    match flags {
        Ledger::List { json } => list(*json),
        Ledger::Show { key, json } => show(key, *json),
        Ledger::Export { file } => export(file.as_deref()),
        Ledger::Import { file } => import(file),
        Ledger::Adopt { key, id } => rule(key, Ruling::Adopt(PredictionId(id.clone()))),
        Ledger::Forgive { key } => rule(key, Ruling::Forgive),
        Ledger::Retry { key } => rule(key, Ruling::Retry),
    }
}

fn rule(key: &str, ruling: Ruling) -> Result<Exit, Trouble> {
    if matches!(&ruling, Ruling::Adopt(id) if id.0.trim().is_empty()) {
        return Err(Trouble::usage(
            "the id of the prediction is empty",
            "give the id that the provider shows for it",
        ));
    }
    let project = project_here()?;
    let entry = small_runtime()?.block_on(ledger::rule(&project, key, ruling))?;
    screen::say(&format!(
        "{} of `{}` is {} now; the next run goes on from there",
        entry.key(),
        printable(&entry.request.model.to_string()),
        entry.state
    ));
    Ok(Exit::Done)
}

fn list(as_json: bool) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let states = [State::InDoubt, State::Intended, State::Created, State::Expired];
    let entries = small_runtime()?.block_on(ledger::list(&project, &states))?;
    if as_json {
        let entries: Vec<_> = entries.iter().map(in_short).collect();
        print(&json!({ "schema_version": SCHEMA_VERSION, "entries": entries }))?;
    } else if entries.is_empty() {
        screen::say("nothing is open or in doubt");
    } else {
        screen::tell(&entries.iter().map(line).collect::<String>())?;
    }
    Ok(doubtful(entries.iter()))
}

fn doubtful<'a>(mut entries: impl Iterator<Item = &'a Entry>) -> Exit {
    if entries.any(|entry| entry.state == State::InDoubt) { Exit::InDoubt } else { Exit::Done }
}

fn line(entry: &Entry) -> String {
    let money = match entry.hold.settled.or(entry.hold.reserved) {
        Some(amount) => format!("up to {amount}"),
        None => "of unknown price".to_owned(),
    };
    let id = entry.prediction.as_ref().map(|id| format!("  {}", printable(&id.0))).unwrap_or_default();
    let until = entry.kept_until().map(|until| format!("  kept {}", kept(until))).unwrap_or_default();
    format!(
        "{:<9} {}  {}  {}  {:.0}  {money}{id}{until}\n",
        entry.state.word(),
        entry.key(),
        printable(&entry.request.model.to_string()),
        printable(&entry.provider().0),
        entry.intended
    )
}

fn show(key: &str, as_json: bool) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let known = small_runtime()?.block_on(ledger::show(&project, key))?;
    match as_json {
        true => print(&json(&known))?,
        false => screen::tell(&draw(&known))?,
    }
    Ok(doubtful(std::iter::once(&known.entry)))
}

fn export(file: Option<&Path>) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let cannot =
        |e: &io::Error, to: &str| Trouble::usage(format!("cannot write {to}: {e}"), "is the disk full?");
    let runtime = small_runtime()?;
    let Some(file) = file.filter(|file| !is_stdout(file)) else {
        let out = runtime.block_on(ledger::export(&project, |line| screen::data(&format!("{line}\n"))))?;
        say_exported(out);
        return Ok(Exit::Done);
    };
    target::check(file)?;
    let to = format!("`{}`", shown(file));
    let made = File::create(file).map_err(|e| {
        let hint = "give a file in a folder that exists, or `-` for stdout";
        Trouble::usage(format!("cannot write {to}: {e}"), hint)
    });
    let mut writer = BufWriter::new(made?);
    let out = runtime
        .block_on(ledger::export(&project, |line| writeln!(writer, "{line}").map_err(|e| cannot(&e, &to))))?;
    writer.flush().map_err(|e| cannot(&e, &to))?;
    say_exported(out);
    Ok(Exit::Done)
}

fn say_exported(out: ledger::Outgoing) {
    screen::say(&format!("{} written; files of outputs are not among them", counted_entries(out.entries)));
    if out.worked_on > 0 {
        screen::warn(&format!(
            "{} being made at this moment; elsewhere nobody would know what becomes of them",
            match out.worked_on {
                1 => "1 entry is".to_owned(),
                n => format!("{n} entries are"),
            }
        ));
    }
}

fn counted_entries(n: usize) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}

fn import(file: &Path) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let (name, text) = if is_stdout(file) {
        let mut text = String::new();
        ("stdin".to_owned(), io::stdin().read_to_string(&mut text).map(|_| text))
    } else {
        (shown(file), std::fs::read_to_string(file))
    };
    let text = text.map_err(|e| {
        let message = format!("cannot read `{name}`: {e}");
        Trouble::usage(message, "give a file that `castline ledger export` wrote, or `-` for stdin")
    })?;
    let taken = small_runtime()?.block_on(ledger::import(&project, &name, &text))?;
    let skipped = match taken.skipped {
        0 => String::new(),
        n => format!(
            "; {} here already and stay as they are",
            if n == 1 { "1 is".to_owned() } else { format!("{n} are") }
        ),
    };
    screen::say(&format!("{} taken in{skipped}", counted_entries(taken.added)));
    if taken.without_files > 0 {
        screen::say(&format!(
            "{} with files that are not in this store: the next run that needs them asks the provider again",
            counted(taken.without_files, "output")
        ));
    }
    if taken.open > 0 {
        screen::say(&format!(
            "{} not settled: `castline ledger list` shows them",
            counted(taken.open, "prediction")
        ));
    }
    Ok(Exit::Done)
}
