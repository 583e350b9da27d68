//! `castline gc`: gives back what no run refers to any more.
//!
//! What goes and what it cost is shown first, and asked about where somebody can answer.

use std::io::{self, IsTerminal};

use castline_runner::Trouble;
use castline_runner::gc::{self, Policy};
use jiff::Timestamp;

use super::{project_here, small_runtime};
use crate::cli::Gc;
use crate::exit::Exit;
use crate::report::{gc as report, json};
use crate::screen;

/// Looks, asks, removes.
pub(crate) fn gc(flags: &Gc) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let policy = Policy { keep_runs: flags.keep_runs, older_than: flags.older_than, saved: flags.saved };
    let runtime = small_runtime()?;
    let Some(survey) = runtime.block_on(gc::survey(&project, &policy, Timestamp::now()))? else {
        if flags.json {
            json::print(&report::json(&gc::Collected::default(), &project, false))?;
        } else {
            screen::say("nothing was run in this project yet");
        }
        return Ok(Exit::Done);
    };
    if flags.dry_run {
        if flags.json {
            json::print(&report::json(&survey, &project, false))?;
        } else {
            screen::tell(&report::draw(&survey))?;
            screen::say("nothing was removed: this was a dry run");
        }
        return Ok(Exit::Done);
    }
    if !flags.json {
        screen::tell(&report::draw(&survey))?;
    }
    if !survey.is_nothing() && !may_remove(flags)? {
        return Err(Trouble::Refused { message: "nothing was removed: you said no".to_owned(), hint: None });
    }
    // Even with nothing to remove, what dead processes left is tidied up.
    let gone = runtime.block_on(gc::collect(&project, &policy, &survey.runs, Timestamp::now()))?;
    if flags.json {
        json::print(&report::json(&gone, &project, true))?;
    } else if gone.is_nothing() {
        screen::say("there was nothing to remove");
    } else {
        screen::say(&format!("{} given back", report::size(gone.sweep.files.bytes)));
    }
    Ok(Exit::Done)
}

/// Somebody who is there is asked; a script has to say so before.
fn may_remove(flags: &Gc) -> Result<bool, Trouble> {
    if flags.yes {
        return Ok(true);
    }
    if !screen::is_terminal() || !io::stdin().is_terminal() {
        return Err(Trouble::usage(
            "nothing was removed: there is nobody here who could be asked",
            "remove it with `--yes`; `--dry-run` only looks",
        ));
    }
    screen::confirm("Remove it?").map_err(|e| {
        Trouble::usage(format!("cannot read the answer: {e}"), "remove it with `--yes` if you mean it")
    })
}
