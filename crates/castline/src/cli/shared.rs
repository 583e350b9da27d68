//! Flags that several commands have, each explained once.

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_runner::Wishes;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::values::{at_least_one, usd};

/// What can be set in more than one place.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Overrides {
    /// Who runs the models: sandbox, replicate, cometapi, or one of the project's
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// The run's budget
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub budget: Option<MicroUsd>,
    #[command(flatten)]
    pub ways: Ways,
}

/// How a run is carried out.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Ways {
    /// Most predictions in flight
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub parallel: Option<usize>,
    /// The folder of outputs
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Values for the workflow's inputs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Inputs {
    /// An input; may be given several times
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// Inputs from a YAML or JSON file; `-i` wins
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<PathBuf>,
}

/// Which steps take part, and which are drawn anew.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// Only this step runs, the others are reused where they can be; may be given several times
    #[arg(long, value_name = "STEP")]
    pub only: Vec<String>,
    /// This step and all that it needs
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,
    /// Another draw for a step or some of its legs
    #[arg(long, value_name = "STEP[axis=value]")]
    pub reroll: Vec<String>,
    #[command(flatten)]
    pub offline: Offline,
}

/// Which plan is wanted.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Wanted {
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub selection: Selection,
    /// Who would run the models
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
}

/// Whether live providers may be asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Offline {
    /// Refuse when a leg would ask a live provider
    #[arg(long)]
    pub offline: bool,
}

/// Stands for every step where none is named. No step can be called so.
const ALL: &str = "*";

/// What may run without a known price.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Unpriced {
    /// Run what has no known price: this step, or every one
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true, default_missing_value = ALL, value_parser = NonEmptyStringValueParser::new())]
    pub allow_unpriced: Vec<String>,
}

/// What is asked before a run and said after it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Talk {
    /// Do not ask before money is spent
    #[arg(short, long)]
    pub yes: bool,
    /// Write report.html even when nothing ran
    #[arg(long)]
    pub report: bool,
    /// Put the pictures into report.html itself
    #[arg(long)]
    pub embed: bool,
    /// Show it in a browser: while it goes on, or when it is over soon its report.html
    #[arg(long)]
    pub open: bool,
    /// Save files that do not tell how they were made
    #[arg(long)]
    pub no_provenance: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    pub json: bool,
    /// Write one JSON event a line while it happens; `-` for stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub events: Option<PathBuf>,
}

impl Talk {
    /// True when more is asked for than lines for a person.
    pub(crate) fn wants_more(&self) -> bool {
        self.report || self.embed || self.open || self.json || self.events.is_some()
    }
}

impl Inputs {
    pub(super) fn put(&self, wishes: &mut Wishes) {
        wishes.inputs.clone_from(&self.input);
        wishes.input_files.clone_from(&self.inputs);
    }
}

impl Selection {
    pub(super) fn put(&self, wishes: &mut Wishes) {
        wishes.only.clone_from(&self.only);
        wishes.until.clone_from(&self.until);
        wishes.reroll.clone_from(&self.reroll);
        wishes.offline = self.offline.offline;
    }
}

impl Wanted {
    /// What the flags ask for.
    pub(super) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes { provider: self.provider.clone(), ..Wishes::default() };
        self.inputs.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
    }
}

impl Unpriced {
    /// Steps that may run without a price; an empty list for all of them.
    pub(super) fn steps(&self) -> Option<Vec<String>> {
        match self.allow_unpriced.as_slice() {
            [] => None,
            steps if steps.iter().any(|step| step == ALL) => Some(Vec::new()),
            steps => Some(steps.to_vec()),
        }
    }
}

impl Overrides {
    pub(super) fn put(&self, wishes: &mut Wishes) {
        wishes.provider.clone_from(&self.provider);
        wishes.budget = self.budget;
        self.ways.put(wishes);
    }
}

impl Ways {
    pub(super) fn put(&self, wishes: &mut Wishes) {
        wishes.parallel = self.parallel;
        wishes.out.clone_from(&self.out);
    }
}
