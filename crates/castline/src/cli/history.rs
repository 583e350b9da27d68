//! The flags of commands about what was done and spent: `runs`, `gc`, `cost` and `ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use jiff::SignedDuration;

use super::values::{age, at_least_one, file};

/// `castline runs`
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List all runs of the project, newest first
    List {
        /// Only the newest
        #[arg(short = 'n', long, value_name = "N", value_parser = at_least_one)]
        last: Option<usize>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show a run again
    Show {
        /// Its id, the beginning of it, `last`, or `last~1` for the one before
        #[arg(default_value = "last")]
        run: String,
        /// Only list the legs that have no output, and why
        #[arg(long, conflicts_with = "json")]
        failed: bool,
        /// Print one JSON object, as `run --json` does
        #[arg(long)]
        json: bool,
    },
    /// Compare two runs leg by leg: inputs, outcomes, pictures
    Diff(RunsDiff),
    /// Write the page of a run again, for browsers
    Report {
        /// Its id, the beginning of it, `last`, or `last~1` for the one before
        #[arg(default_value = "last")]
        run: String,
        /// The page; without it `report-RUN.html` beside the outputs
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file())]
        output: Option<PathBuf>,
        /// Put the pictures into the page itself
        #[arg(long)]
        embed: bool,
    },
    /// Remove the records of runs; what they made stays until `castline gc` finds nobody who needs it
    Rm {
        /// Their ids, the beginnings of them, `last`, or `last~1` for the one before
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
    },
    /// Stop a run, whichever process it is in, and its predictions at their providers
    Cancel {
        /// Its id or the beginning of it; without one the last that is not over
        run: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `castline runs diff`
#[derive(Debug, Args)]
pub(crate) struct RunsDiff {
    /// A run: its id, the beginning of it, `last`, or `last~1` for the one before
    #[arg(default_value = "last~1")]
    pub left: String,
    /// Another one
    #[arg(default_value = "last")]
    pub right: String,
    /// Only this step
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Write a picture for each pair that differs: left, right, difference
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub pictures: Option<PathBuf>,
    /// Show every leg that differs and look at every pair of pictures, however many there are
    #[arg(long)]
    pub all: bool,
    /// End with exit code 5 when something differs
    #[arg(long)]
    pub check: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline gc`
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Remove the records of all but the newest runs too
    #[arg(long, value_name = "N")]
    pub keep_runs: Option<usize>,
    /// Remove the records of runs that are older too: `30d`, `12h`, `2w`; with `--keep-runs` of
    /// those that are both
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<SignedDuration>,
    /// Remove results too whose files are still where they were saved; the files stay
    #[arg(long)]
    pub saved: bool,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline cost`
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// What is summed up together
    #[arg(long, value_name = "WHAT", default_value = "model")]
    pub by: CostBy,
    /// Only the last days, today included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What money is summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostBy {
    /// The model.
    Model,
    /// The workflow.
    Workflow,
    /// The day.
    Day,
}

/// `castline ledger`
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// List predictions that are open, in doubt or expired
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of a prediction, and what to do next
    Show {
        /// The key, or the beginning of it
        key: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the whole ledger down, one JSON object a line
    Export {
        /// The file; stdout without one
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Take in what another ledger has and this one has not
    Import {
        /// What `ledger export` wrote; `-` for stdin
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Say that a prediction of the provider's is this one: it is followed, never created again
    Adopt {
        /// The key, or the beginning of it
        key: String,
        /// The provider's id of the prediction
        id: String,
    },
    /// Say that the provider never received it: its money is free again
    Forgive {
        /// The key, or the beginning of it
        key: String,
    },
    /// Have it created again: the first one counts as spent
    Retry {
        /// The key, or the beginning of it
        key: String,
    },
}
