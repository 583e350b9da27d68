//! The flags of `castline library`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Format;
use super::values::file;

/// `castline library`
#[derive(Debug, Subcommand)]
pub(crate) enum Library {
    /// Name a library in castline.yaml, and pin it
    Add(Add),
    /// Take a library out of castline.yaml, and out of the lock
    Remove {
        /// Its name
        name: String,
    },
    /// Pin what libraries have become, after showing what that changes
    Update(Update),
    /// List the libraries of the project, with what they offer
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Pin what castline.yaml names, and fetch what is pinned and not here
    Lock {
        /// Write and fetch nothing; end with exit code 5 when the lock is not what it has to be
        #[arg(long)]
        check: bool,
    },
    /// Copy every pinned library into the folder `vendor`, to keep it with the project
    Vendor,
    /// Say which models, hosts and secrets a library can reach, and what its calls may cost
    Audit {
        /// A library; without one all
        name: Option<String>,
        /// Who would run the models
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Report every mistake in a library of your own
    Check {
        /// Its folder
        #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// How findings are written
        #[arg(long, default_value = "human")]
        format: Format,
    },
    /// Write a library of your own into one file
    Pack {
        /// Its folder
        #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// The file; without it NAME-VERSION.tar.gz
        #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file())]
        output: Option<PathBuf>,
    },
    /// Put a library of your own into a registry, and print the digest that names it
    Push {
        /// Where: `oci://registry.example.com/team/presets:1.4`
        place: String,
        /// Its folder
        #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// `castline library add`
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// A folder, the address of a git repository, or `oci://registry.example.com/team/presets:1.4`
    pub place: String,
    /// A tag, a branch or a commit of a git repository
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// A folder in a git repository
    #[arg(long, value_name = "DIR")]
    pub folder: Option<String>,
}

/// `castline library update`
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Libraries; without one all
    pub names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Print what changes as one JSON object; without `--yes` nothing is written
    #[arg(long)]
    pub json: bool,
}
