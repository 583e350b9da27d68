//! The command line: every command with its flags.
//!
//! What a flag asks for is handed on as [`Wishes`]; what it leaves open the environment, the
//! project or a default says, as `settings.rs` lists.

mod preset;

use std::path::PathBuf;

use castline_core::MicroUsd;
use castline_runner::Wishes;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use jiff::SignedDuration;

pub(crate) use self::preset::{
    Order, Predict, Preset, PresetCheck, PresetImport, PresetList, PresetNew, PresetRefresh,
};
use crate::screen::Color;

pub(crate) mod library;

pub(crate) use library::Library;

/// Runs pipelines of model predictions from one YAML file: checked before they cost, never paid twice.
#[derive(Debug, Parser)]
#[command(
    name = "castline",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "A workflow runs on the offline sandbox until a live provider is chosen by name."
)]
pub(crate) struct Cli {
    /// Says more about what happens; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// When to use colors.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help = "When to use colors: auto, always or never")]
    pub color: Color,

    #[command(subcommand)]
    pub command: Command,
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

/// Whether live providers may be asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Offline {
    /// Refuse when a leg would ask a live provider
    #[arg(long)]
    pub offline: bool,
}

/// What may run without a known price.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Unpriced {
    /// Run what has no known price: this step, or every one
    #[arg(long, value_name = "STEP", num_args = 0..=1, require_equals = true, default_missing_value = "")]
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

/// `castline check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Workflows
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, default_value = "human")]
    pub format: Format,
    /// Write every cure that is certain into the files, then report what remains
    #[arg(long)]
    pub fix: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the lines they are about.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of a workflow on GitHub.
    Github,
}

/// `castline plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The workflow; without one the project's only workflow
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub selection: Selection,
    /// Who would run the models
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Write the plan into a file, for `castline apply`
    #[arg(short, long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
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

/// `castline why`
#[derive(Debug, Args)]
#[command(override_usage = "castline why [OPTIONS] [FILE] STEP")]
pub(crate) struct Why {
    /// The workflow, without one the project's only workflow; and a step, or one leg of it:
    /// `styled[style=linocut]`
    #[arg(value_name = "[FILE] STEP", required = true, num_args = 1..=2, value_hint = ValueHint::FilePath)]
    pub what: Vec<String>,
    /// What a former run did: its id, the beginning of it, `last`, or `last~1` for the one before;
    /// with a file among the runs of that workflow
    #[arg(long, value_name = "RUN", conflicts_with_all = ["input", "inputs", "provider"])]
    pub run: Option<String>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub selection: Selection,
    /// Who would run the models
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline from`
#[derive(Debug, Args)]
pub(crate) struct From {
    /// A picture, film or sound that a run saved
    #[arg(value_name = "PICTURE", value_hint = ValueHint::FilePath)]
    pub picture: PathBuf,
    /// Write the workflow into a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
}

/// `castline graph`
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The workflow; without one the project's only workflow
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// How it is drawn; without one as the file's name says, else mermaid
    #[arg(long)]
    pub format: Option<GraphFormat>,
    /// Write it into a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub selection: Selection,
    /// Who would run the models
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown: GitHub and many others draw it.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// `castline runs`
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List all runs of the project, newest first
    List {
        /// Only the newest
        #[arg(short = 'n', long, value_name = "N")]
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
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
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

/// `castline init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of the project
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}

/// `castline explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code; without one all codes are listed
    pub code: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline schema`
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which document
    pub document: Document,
    /// Complete `with` by the inputs of every preset that can be used here
    #[arg(long)]
    pub with_presets: bool,
}

/// A document that castline reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// A workflow.
    Workflow,
    /// A preset.
    Preset,
    /// `castline.yaml`.
    Project,
    /// `library.yaml`.
    Library,
}

/// `castline trust`
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// What is allowed: `TOKEN@gateway.example.com`, or `KEY@owner/name` for a model; without one
    /// all pairs are listed
    #[arg(value_name = "VARIABLE@HOST")]
    pub pairs: Vec<String>,
    /// Take it back
    #[arg(long, requires = "pairs")]
    pub remove: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub overrides: Overrides,
    /// Ask no provider
    #[arg(long)]
    pub offline: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `castline completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `castline sandbox-server`
#[derive(Debug, Args)]
pub(crate) struct SandboxServer {
    /// The port on loopback; 0 for a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// How long a prediction takes: `200ms`, `1.5s`
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub latency: std::time::Duration,
    /// Something that goes wrong: `create:503*2`, `get:html`, ...
    #[arg(long, value_name = "SPEC")]
    pub fault: Vec<castline_server::Fault>,
    /// How many creates are taken: `600/min`, or `600/min+20` with a burst
    #[arg(long, value_name = "LIMIT")]
    pub limit: Option<castline_server::Limit>,
    /// Name another host in `urls`
    #[arg(long)]
    pub foreign_urls: bool,
    /// The token that every call must carry
    #[arg(long)]
    pub token: Option<String>,
}

impl Inputs {
    fn put(&self, wishes: &mut Wishes) {
        wishes.inputs.clone_from(&self.input);
        wishes.input_files.clone_from(&self.inputs);
    }
}

impl Selection {
    fn put(&self, wishes: &mut Wishes) {
        wishes.only.clone_from(&self.only);
        wishes.until.clone_from(&self.until);
        wishes.reroll.clone_from(&self.reroll);
        wishes.offline = self.offline.offline;
    }
}

impl Unpriced {
    /// Steps that may run without a price; an empty list for all of them.
    fn steps(&self) -> Option<Vec<String>> {
        match self.allow_unpriced.as_slice() {
            [] => None,
            steps if steps.iter().any(String::is_empty) => Some(Vec::new()),
            steps => Some(steps.to_vec()),
        }
    }
}

impl Overrides {
    fn put(&self, wishes: &mut Wishes) {
        wishes.provider.clone_from(&self.provider);
        wishes.budget = self.budget;
        self.ways.put(wishes);
    }
}

impl Ways {
    fn put(&self, wishes: &mut Wishes) {
        wishes.parallel = self.parallel;
        wishes.out.clone_from(&self.out);
    }
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
        let mut wishes = Wishes {
            provider: self.provider.clone(),
            budget: self.budget,
            allow_unpriced: self.unpriced.steps(),
            ..Wishes::default()
        };
        self.inputs.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
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

impl Why {
    /// The file, when it is named.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.what.first().filter(|_| self.what.len() > 1).map(PathBuf::from)
    }

    /// The step, or the leg.
    pub(crate) fn step(&self) -> &str {
        self.what.last().map(String::as_str).unwrap_or_default()
    }

    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes { provider: self.provider.clone(), ..Wishes::default() };
        self.inputs.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
    }
}

impl Graph {
    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        let mut wishes = Wishes { provider: self.provider.clone(), ..Wishes::default() };
        self.inputs.put(&mut wishes);
        self.selection.put(&mut wishes);
        wishes
    }

    /// The wanted format, else the one that the file's name says.
    pub(crate) fn format(&self) -> GraphFormat {
        let extension = self.output.as_ref().and_then(|file| file.extension()?.to_str());
        self.format.unwrap_or(match extension {
            Some("svg") => GraphFormat::Svg,
            Some("dot" | "gv") => GraphFormat::Dot,
            _ => GraphFormat::Mermaid,
        })
    }
}

fn usd(text: &str) -> Result<MicroUsd, String> {
    let amount = text.parse().ok().and_then(MicroUsd::from_usd);
    amount.ok_or_else(|| "give an amount of US dollars, such as 2.50".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "give a whole number from 1".to_owned())
}

/// `30d`, `12h`, `2w`, `90m`.
fn age(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let unit = text.chars().next_back().and_then(|unit| match unit {
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        'w' => Some(7 * 24 * 60 * 60),
        _ => None,
    });
    let number =
        text.get(..text.len().saturating_sub(1)).and_then(|number| number.trim().parse::<i64>().ok());
    let seconds = unit.zip(number.filter(|n| *n >= 0)).and_then(|(unit, number)| number.checked_mul(unit));
    seconds.map(SignedDuration::from_secs).ok_or_else(|| "give an age such as 30d, 12h or 2w".to_owned())
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().ok().map(|n| n * unit);
    let time = seconds.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
    time.ok_or_else(|| "give a time such as 200ms or 1.5s".to_owned())
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
    use clap::CommandFactory;

    use super::*;

    fn run(flags: &[&str]) -> Wishes {
        let words = ["castline", "run"].iter().chain(flags).copied();
        match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(Command::Run(run)) => run.wishes(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn allowing_unpriced_steps_may_name_them() {
        assert_eq!(run(&[]).allow_unpriced, None);
        assert_eq!(run(&["--allow-unpriced"]).allow_unpriced, Some(vec![]));
        assert_eq!(run(&["--allow-unpriced", "flow.yaml"]).allow_unpriced, Some(vec![]));
        assert_eq!(
            run(&["--allow-unpriced=a", "--allow-unpriced=b"]).allow_unpriced,
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
    }

    #[test]
    fn the_name_of_a_file_says_how_a_graph_is_drawn() {
        let format = |flags: &[&str]| {
            let words = ["castline", "graph", "flow.yaml"].iter().chain(flags).copied();
            match Cli::try_parse_from(words).map(|cli| cli.command) {
                Ok(Command::Graph(graph)) => graph.format(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(format(&[]), GraphFormat::Mermaid);
        assert_eq!(format(&["-o", "flow.svg"]), GraphFormat::Svg);
        assert_eq!(format(&["-o", "flow.gv"]), GraphFormat::Dot);
        assert_eq!(format(&["-o", "flow.svg", "--format", "dot"]), GraphFormat::Dot);
    }

    #[test]
    fn amounts_and_times_are_read_as_people_write_them() {
        assert_eq!(usd("2.5"), Ok(MicroUsd(2_500_000)));
        assert!(usd("-1").is_err() && usd("much").is_err());
        assert_eq!(duration("200ms"), Ok(std::time::Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(std::time::Duration::from_millis(1500)));
        assert!(duration("soon").is_err());
        assert_eq!(age("30d"), Ok(SignedDuration::from_hours(30 * 24)));
        assert_eq!(
            [age("2w"), age("90 m")],
            [Ok(SignedDuration::from_hours(336)), Ok(SignedDuration::from_mins(90))]
        );
        for wrong in ["", "d", "30", "-1d", "1y", "9223372036854775807w", "1\u{fc}"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_command_of_a_later_version_is_none_of_ours() {
        let ours: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        assert!(LATER.iter().all(|(name, _)| !ours.iter().any(|own| own == name)));
    }
}
