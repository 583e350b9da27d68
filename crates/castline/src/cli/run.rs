//! The flags of `castline plan`, `apply`, `run` and `watch`.

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_runner::Wishes;
use clap::{Args, ValueHint};

use super::shared::{Inputs, Offline, Overrides, Selection, Talk, Unpriced, Wanted, Ways};
use super::values::{file, usd};

/// `castline run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The workflow; without one the project's only workflow
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub selection: Selection,
    /// Go as far as the budget does
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub unpriced: Unpriced,
    /// Start nothing more after the first failure
    #[arg(long)]
    pub fail_fast: bool,
    #[command(flatten)]
    pub talk: Talk,
}

/// `castline watch`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The workflows; without one the project's only workflow
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    /// Who runs the models: sandbox, replicate, cometapi, or one of the project's
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// A change that costs no more runs at once; above it Enter is waited for
    #[arg(long, value_name = "USD", value_parser = usd, default_value = "0")]
    pub auto_spend: MicroUsd,
    /// The most that all runs of this watch may spend together
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub budget: Option<MicroUsd>,
    #[command(flatten)]
    pub ways: Ways,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub unpriced: Unpriced,
    /// Show it in a browser, in which pictures change as they are made anew
    #[arg(long)]
    pub open: bool,
    /// Look at files several times a second, for network folders that tell of no changes
    #[arg(long)]
    pub poll: bool,
    /// Save files that do not tell how they were made
    #[arg(long)]
    pub no_provenance: bool,
    /// Print one JSON object a line while things happen
    #[arg(long)]
    pub json: bool,
}

/// `castline plan`
#[derive(Debug, Args)]
#[command(mut_arg("allow_unpriced", |flag| flag.requires("output").help(
    "Applying the written plan may run what has no known price: this step, or every one"
)))]
pub(crate) struct Plan {
    /// The workflow; without one the project's only workflow
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub wanted: Wanted,
    /// Write the plan into a file, for `castline apply`
    #[arg(short, long, value_name = "PLAN", value_hint = ValueHint::FilePath, value_parser = file())]
    pub output: Option<PathBuf>,
    /// The most that applying the written plan may spend, instead of its total
    #[arg(long, value_name = "USD", value_parser = usd, requires = "output")]
    pub budget: Option<MicroUsd>,
    #[command(flatten)]
    pub unpriced: Unpriced,
    /// Compare with the workflow at a revision of git, or with another file
    #[arg(long, value_name = "REV|FILE", value_hint = ValueHint::FilePath, conflicts_with = "output")]
    pub against: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline apply`
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// What `castline plan -o` wrote
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub plan: PathBuf,
    #[command(flatten)]
    pub ways: Ways,
    #[command(flatten)]
    pub offline: Offline,
    /// Start nothing more after the first failure
    #[arg(long)]
    pub fail_fast: bool,
    #[command(flatten)]
    pub talk: Talk,
}

impl Run {
    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes {
            partial: self.partial,
            allow_unpriced: self.unpriced.steps(),
            fail_fast: self.fail_fast,
            no_provenance: self.talk.no_provenance,
            ..Wishes::default()
        };
        self.inputs.put(&mut wishes);
        self.overrides.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
    }
}

impl Watch {
    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes {
            provider: self.provider.clone(),
            allow_unpriced: self.unpriced.steps(),
            no_provenance: self.no_provenance,
            ..Wishes::default()
        };
        self.ways.put(&mut wishes);
        self.inputs.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
    }
}

impl Plan {
    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        Wishes { budget: self.budget, allow_unpriced: self.unpriced.steps(), ..self.wanted.wishes() }
    }
}

impl Apply {
    /// What the flags ask for: how it is run. What is run, the plan says.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes {
            offline: self.offline.offline,
            fail_fast: self.fail_fast,
            no_provenance: self.talk.no_provenance,
            ..Wishes::default()
        };
        self.ways.put(&mut wishes);
        wishes
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn run(flags: &[&str]) -> Wishes {
        let words = ["castline", "run"].iter().chain(flags).copied();
        match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(Command::Run(run)) => run.wishes(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn allowing_unpriced_steps_may_name_them() {
        assert_eq!(run(&[]).allow_unpriced, None);
        assert_eq!(run(&["--allow-unpriced"]).allow_unpriced, Some(vec![]));
        // A variable of a shell that is not set.
        assert!(Cli::try_parse_from(["castline", "run", "--allow-unpriced="]).is_err());
        // A plan that is only shown says what has no price, and refuses nothing.
        let plan = |flags: &[&str]| Cli::try_parse_from(["castline", "plan"].iter().chain(flags).copied());
        assert!(plan(&["--allow-unpriced"]).is_err() && plan(&["--allow-unpriced", "-o", "p"]).is_ok());
        assert!(plan(&["-o", "-"]).is_err());
        assert_eq!(run(&["--allow-unpriced", "flow.yaml"]).allow_unpriced, Some(vec![]));
        assert_eq!(
            run(&["--allow-unpriced=a", "--allow-unpriced=b"]).allow_unpriced,
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
    }
}
