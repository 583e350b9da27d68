//! The flags of `castline preset` and `castline predict`.

use castline_core::MicroUsd;
use castline_runner::Wishes;
use castline_runner::predict::Call;
use castline_runner::presets::Query;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::{Format, Offline, Overrides, Talk, usd};

/// `castline preset`
#[derive(Debug, Subcommand)]
pub(crate) enum Preset {
    /// List presets, the project's own first
    List(PresetList),
    /// Show a preset with all of its inputs
    Show {
        /// Its name or file
        #[arg(value_hint = ValueHint::FilePath)]
        name: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Report every mistake in presets: their schemas, ports, rules, prices and examples
    Check(PresetCheck),
}

/// `castline preset list`
#[derive(Debug, Args)]
pub(crate) struct PresetList {
    /// Words that all stand in the name, the description, the task or the model
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Only presets with this task, such as upscale
    #[arg(long)]
    pub task: Option<String>,
    /// Only presets that this provider serves
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only presets whose first example costs at most this
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub max_price: Option<MicroUsd>,
    /// In which order
    #[arg(long, default_value = "name")]
    pub sort: Order,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// In which order presets are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// The project's own, then those that castline brings along, each by name.
    Name,
    /// By what the first example costs; what has no known price last.
    Price,
}

/// `castline preset check`
#[derive(Debug, Args)]
pub(crate) struct PresetCheck {
    /// Names or files; without any all of the project's folder `presets`
    #[arg(value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    pub presets: Vec<String>,
    /// All presets that castline brings along
    #[arg(long)]
    pub built_in: bool,
    /// How findings are written
    #[arg(long, default_value = "human")]
    pub format: Format,
}

/// `castline predict`
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The preset's name or file, or `model:owner/name`
    #[arg(value_hint = ValueHint::FilePath)]
    pub preset: String,
    /// Its inputs, each read by its schema; `NAME=@FILE` is the value of a file
    #[arg(value_name = "NAME=VALUE", value_hint = ValueHint::FilePath)]
    pub inputs: Vec<String>,
    #[command(flatten)]
    pub overrides: Overrides,
    #[command(flatten)]
    pub offline: Offline,
    /// Draw again, also when the same request has an output already
    #[arg(long)]
    pub reroll: bool,
    /// Run it without a known price
    #[arg(long)]
    pub allow_unpriced: bool,
    #[command(flatten)]
    pub talk: Talk,
}

impl PresetList {
    /// What to look for.
    pub(crate) fn query(&self) -> Query {
        Query {
            words: self.words.clone(),
            task: self.task.clone(),
            provider: self.provider.clone(),
            max_price: self.max_price,
        }
    }
}

impl Predict {
    /// What the flags ask for, with values for the inputs of the call's workflow.
    pub(crate) fn wishes(&self, inputs: Vec<String>) -> Wishes {
        let mut wishes = Wishes {
            inputs,
            offline: self.offline.offline,
            allow_unpriced: self.allow_unpriced.then(Vec::new),
            reroll: self.reroll.then(|| Call::STEP.to_owned()).into_iter().collect(),
            ..Wishes::default()
        };
        self.overrides.put(&mut wishes);
        wishes
    }
}
