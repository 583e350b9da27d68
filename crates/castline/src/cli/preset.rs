//! The flags of `castline preset` and `castline predict`.

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_runner::Wishes;
use castline_runner::predict::Call;
use castline_runner::presets::{Import, New, Query, Refresh};
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::look::Format;
use super::shared::{Offline, Overrides, Talk};
use super::values::usd;

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
    /// Write a preset to begin with
    New(PresetNew),
    /// Make a preset of what a model's host says about it
    Import(PresetImport),
    /// Compare presets with what their hosts say today
    Refresh(PresetRefresh),
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

/// `castline preset new`
#[derive(Debug, Args)]
pub(crate) struct PresetNew {
    /// Its name
    pub name: String,
    /// The file; without it NAME.yaml in the project's folder `presets`, `-` prints it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The preset that it is over; without it and --model flux-schnell
    #[arg(long, value_name = "PRESET", conflicts_with = "model", value_hint = ValueHint::FilePath)]
    pub extends: Option<String>,
    /// The model that it calls
    #[arg(long, value_name = "OWNER/NAME")]
    pub model: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

/// `castline preset import`
#[derive(Debug, Args)]
pub(crate) struct PresetImport {
    /// An `openapi.json` (`-` reads it), the URL of a running Cog server, or `owner/name[:version]`
    #[arg(value_hint = ValueHint::FilePath)]
    pub source: String,
    /// What the preset calls, where the source does not say
    #[arg(long, value_name = "OWNER/NAME[:VERSION]")]
    pub model: Option<String>,
    /// Its name; without it that of the file or the model
    #[arg(long)]
    pub name: Option<String>,
    /// The file; without it NAME.yaml in the project's folder `presets`, `-` prints it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
    /// Who is asked for a model
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
}

/// `castline preset refresh`
#[derive(Debug, Args)]
pub(crate) struct PresetRefresh {
    /// Names or files; without any all of the project's folder `presets`
    #[arg(value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
    pub presets: Vec<String>,
    /// Who is asked
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Read one preset's schema here instead: an `openapi.json`, `-`, or the URL of a Cog server
    #[arg(long, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub from: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
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

impl PresetNew {
    /// What to begin with.
    pub(crate) fn wish(&self) -> New {
        New {
            name: self.name.clone(),
            output: self.output.clone(),
            extends: self.extends.clone(),
            model: self.model.clone(),
            force: self.force,
        }
    }
}

impl PresetImport {
    /// What to import, and where to.
    pub(crate) fn wish(&self) -> Import {
        Import {
            source: self.source.clone(),
            model: self.model.clone(),
            name: self.name.clone(),
            output: self.output.clone(),
            force: self.force,
            provider: self.provider.clone(),
        }
    }
}

impl PresetRefresh {
    /// Which presets, and who is asked.
    pub(crate) fn wish(&self) -> Refresh {
        Refresh { names: self.presets.clone(), provider: self.provider.clone(), from: self.from.clone() }
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
            no_provenance: self.talk.no_provenance,
            ..Wishes::default()
        };
        self.overrides.put(&mut wishes);
        wishes
    }
}
