//! The command line: every command with its flags.
//!
//! What a flag asks for is handed on as [`Wishes`](castline_runner::Wishes); what it leaves open the
//! environment, the project or a default says, as `settings.rs` lists.

mod history;
pub(crate) mod library;
mod look;
mod preset;
mod run;
mod set_up;
mod shared;
mod values;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub(crate) use self::history::{Cost, CostBy, Gc, Ledger, Runs, RunsDiff};
pub(crate) use self::library::Library;
pub(crate) use self::look::{Check, Document, Explain, Format, From, Graph, GraphFormat, Schema, Why};
pub(crate) use self::preset::{
    Order, Predict, Preset, PresetCheck, PresetImport, PresetList, PresetNew, PresetRefresh,
};
pub(crate) use self::run::{Apply, Plan, Run, Watch};
pub(crate) use self::set_up::{Completions, Doctor, Init, Manual, SandboxServer, Trust};
pub(crate) use self::shared::{Overrides, Talk};
pub(crate) use self::values::is_stdout;
use crate::screen::Color;

/// Runs pipelines of model predictions from one YAML file: checked before they cost, never paid twice.
#[derive(Debug, Parser)]
#[command(
    name = "castline",
    version = env!("CASTLINE_VERSION"),
    max_term_width = 100,
    after_help = "A workflow runs on the offline sandbox until a live provider is chosen by name."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Says more about what happens; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// When to use colors.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help = "When to use colors: auto, always or never")]
    pub color: Color,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Plan a workflow, then run it
    Run(Box<Run>),
    /// Run workflows again whenever something that they are made of changes
    Watch(Box<Watch>),
    /// Report every mistake in workflows at once
    Check(Check),
    /// Show what a run would do and what it costs, and keep it in a file to be applied
    Plan(Box<Plan>),
    /// Run exactly what a plan says that `plan -o` wrote
    Apply(Box<Apply>),
    /// Call one preset, without a workflow
    Predict(Box<Predict>),
    /// Say why a step would run, or be reused
    Why(Why),
    /// Print the workflow that makes a picture again
    From(From),
    /// Draw the steps and what goes from one to another
    Graph(Graph),
    /// Show, compare and remove former runs
    #[command(subcommand)]
    Runs(Runs),
    /// Give back what no run refers to any more
    Gc(Gc),
    /// Show what was spent, by model, workflow or day
    Cost(Cost),
    /// Show what is open or in doubt, and rule on it
    #[command(subcommand)]
    Ledger(Ledger),
    /// Show, check and make the presets that steps can use
    #[command(subcommand)]
    Preset(Preset),
    /// Use presets and workflows that others share, and share your own
    #[command(subcommand)]
    Library(Library),
    /// Begin a project
    Init(Init),
    /// Print the page of an error code
    Explain(Explain),
    /// Print the JSON Schema of a document, for editors
    Schema(Schema),
    /// Say where secrets may go
    Trust(Trust),
    /// Print every setting, and check that castline can work here
    Doctor(Doctor),
    /// Print the completions for a shell
    Completions(Completions),
    /// Write the manual pages
    Manual(Manual),
    /// Serve the sandbox behind the prediction API on loopback
    #[command(hide = true)]
    SandboxServer(SandboxServer),
    /// Look whether another process holds a lock; `doctor` asks this of a second process
    #[command(hide = true)]
    LockProbe {
        /// The file
        file: PathBuf,
    },
}

/// The command line without the commands that castline alone gives.
pub(crate) fn shown() -> clap::Command {
    let whole = Cli::command();
    let commands = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new("castline")
        .version(env!("CASTLINE_VERSION"))
        .args(whole.get_arguments().cloned())
        .subcommands(commands)
}

/// Commands of a later version, each with what to do until then. They are refused by name.
const LATER: &[(&str, &str)] = &[
    ("resume", "run the workflow again: what is finished is reused, what runs is adopted"),
    ("serve", "`castline run` runs a workflow"),
    ("lsp", "`castline schema workflow --with-presets` prints a JSON Schema for editors"),
];

/// What to do instead of a command that comes with a later version.
pub(crate) fn instead_of(command: &str) -> Option<&'static str> {
    LATER.iter().find(|(name, _)| *name == command).map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_shells_complete_is_what_help_shows() {
        let names = |of: &clap::Command| {
            let shown = of.get_subcommands().filter(|command| !command.is_hide_set());
            shown.map(|command| command.get_name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&shown()), names(&Cli::command()));
        assert!(shown().get_subcommands().all(|command| !command.is_hide_set()));
        shown().debug_assert();
    }

    #[test]
    fn a_command_of_a_later_version_is_none_of_ours() {
        let ours: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        assert!(LATER.iter().all(|(name, _)| !ours.iter().any(|own| own == name)));
    }
}
