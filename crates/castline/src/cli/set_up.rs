//! The flags of commands that set castline up: `init`, `trust`, `doctor`, `completions`, `manual` and
//! `sandbox-server`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::shared::Overrides;
use super::values::duration;

/// `castline init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of the project
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
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

/// `castline manual`
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The folder to write the pages into; without one the first page goes to stdout
    #[arg(value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
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
