//! What each command does; one file each.

mod apply;
mod check;
mod completions;
mod cost;
mod diff;
mod doctor;
mod explain;
mod from;
mod gc;
mod graph;
mod init;
mod ledger;
mod library;
mod manual;
mod plan;
mod predict;
mod preset;
mod reporting;
pub(crate) mod run;
mod runs;
mod sandbox_server;
mod schema;
mod trust;
mod watch;
mod why;
mod workflow_file;

use std::path::Path;

use castline_runner::{Project, Trouble, shown};
use castline_spec::Diagnostics;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{Command, Common};
use crate::exit::Exit;
use crate::report::diagnostic;
use crate::{log, screen};

/// Does what the command line asks for.
pub(crate) fn perform(command: Command, common: &Common) -> Result<Exit, Trouble> {
    match command {
        Command::Run(flags) => run::run(&flags),
        Command::Check(flags) => check::check(&flags, common.verbose > 0),
        Command::Watch(flags) => watch::watch(&flags),
        Command::Plan(flags) => plan::plan(&flags),
        Command::Apply(flags) => apply::apply(&flags),
        Command::Predict(flags) => predict::predict(&flags),
        Command::Why(flags) => why::why(&flags),
        Command::From(flags) => from::from(&flags),
        Command::Graph(flags) => graph::graph(&flags),
        Command::Runs(flags) => runs::runs(&flags),
        Command::Gc(flags) => gc::gc(&flags),
        Command::Cost(flags) => cost::cost(&flags),
        Command::Ledger(flags) => ledger::ledger(&flags),
        Command::Preset(flags) => preset::preset(&flags),
        Command::Library(flags) => library::library(&flags),
        Command::Init(flags) => init::init(&flags.dir),
        Command::Explain(flags) => explain::explain(&flags),
        Command::Schema(flags) => schema::schema(&flags),
        Command::Trust(flags) => trust::trust(&flags),
        Command::Doctor(flags) => doctor::doctor(&flags, common),
        Command::Completions(flags) => completions::completions(flags.shell),
        Command::Manual(flags) => manual::manual(flags.dir.as_deref()),
        Command::SandboxServer(flags) => sandbox_server::serve(flags),
        Command::LockProbe { file } => doctor::lock_probe(&file),
    }
}

/// The project that the user stands in. Findings about its file are drawn, and errors end here.
fn project_here() -> Result<Project, Trouble> {
    project_near(Path::new("."))
}

/// The same of the project of a file.
fn project_near(place: &Path) -> Result<Project, Trouble> {
    let (project, found) = Project::near(place);
    log::hide_tokens_of(&project);
    if found.has_errors() {
        return Err(Trouble::Diagnostics(found));
    }
    show(&found);
    project.check_store()?;
    Ok(project)
}

/// Draws findings as talk, with how many there are.
pub(crate) fn show(found: &Diagnostics) {
    drawn(found).iter().for_each(|text| screen::say(text));
}

/// Findings with how many there are; none when there are none.
fn drawn(found: &Diagnostics) -> Option<String> {
    let summary = diagnostic::summary(found)?;
    Some(format!("{}\n\n{summary}", diagnostic::draw(found)))
}

/// A word as a shell takes it, for commands to copy.
fn word(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A file that was named with `-o` is not written.
fn cannot_write_file(path: &Path, e: &std::io::Error) -> Trouble {
    match path.is_dir() {
        true => Trouble::usage(format!("`{}` is a folder", shown(path)), "name a file in it with `-o`"),
        false => Trouble::usage(
            format!("cannot write `{}`: {e}", shown(path)),
            "give a file in a folder that you may write to",
        ),
    }
}

/// A folder that was named takes no file.
fn cannot_write(path: &Path, e: &std::io::Error) -> Trouble {
    Trouble::usage(format!("cannot write `{}`: {e}", shown(path)), "name a folder that you may write to")
}

/// A runtime for a command that asks the ledger and nobody else.
fn small_runtime() -> Result<Runtime, Trouble> {
    Builder::new_current_thread().enable_all().build().map_err(|e| no_runtime(&e))
}

/// A runtime for a command that works. More threads for files than these gain nothing, and each
/// has memory of its own.
fn runtime() -> Result<Runtime, Trouble> {
    const MOST: usize = 32;
    Builder::new_multi_thread().max_blocking_threads(MOST).enable_all().build().map_err(|e| no_runtime(&e))
}

fn no_runtime(e: &std::io::Error) -> Trouble {
    Trouble::usage(format!("cannot start: {e}"), "is the number of open files or threads limited?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_is_called_it_is_one_word_for_a_shell() {
        assert_eq!(word("demo/a-b.c"), "demo/a-b.c");
        assert_eq!(word("my demo"), "'my demo'");
        assert_eq!(word("it's"), r"'it'\''s'");
    }
}
