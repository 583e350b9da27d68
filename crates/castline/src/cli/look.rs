//! The flags of commands that look at documents and pictures: `check`, `why`, `graph`, `from`,
//! `explain` and `schema`.

use std::path::PathBuf;

use castline_runner::Wishes;
use clap::{Args, ValueEnum, ValueHint};

use super::shared::Wanted;

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
    #[arg(long, value_name = "RUN", conflicts_with_all = ["input", "inputs", "provider", "only", "until", "reroll", "offline"])]
    pub run: Option<String>,
    #[command(flatten)]
    pub wanted: Wanted,
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
    /// Write the workflow into a file; `-` for stdout
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
    /// Write it into a file; `-` for stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub wanted: Wanted,
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
        self.wanted.wishes()
    }
}

impl Graph {
    /// What the flags ask for.
    pub(crate) fn wishes(&self) -> Wishes {
        self.wanted.wishes()
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

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
}
