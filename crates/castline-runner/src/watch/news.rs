//! What a watch tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use castline_core::bill::Bill;
use castline_core::comparison::Comparison;
use castline_core::event::Entry;
use castline_core::plan::Plan;
use castline_spec::{Diagnostics, Name};

use crate::local::Over;
use crate::project::Project;
use crate::trouble::Trouble;

/// Something that happened. `file` is the workflow, as the user named it.
pub enum News {
    /// All workflows were read, and are watched from now on.
    Watching {
        /// How many files they are made of.
        files: usize,
    },
    /// A workflow was planned.
    Planned(Box<Planned>),
    /// A workflow cannot be planned.
    Broken {
        /// The workflow.
        file: String,
        /// Why.
        found: Diagnostics,
        /// There is an earlier plan, which stays.
        goes_on: bool,
    },
    /// A broken workflow is again what it was before.
    Repaired {
        /// The workflow.
        file: String,
    },
    /// A plan may not run.
    Refused {
        /// The workflow.
        file: String,
        /// Why.
        trouble: Box<Trouble>,
    },
    /// A run begins.
    Began(Box<Begun>),
    /// Something happened in a run.
    Happened {
        /// The workflow.
        file: String,
        /// The run's id.
        run: String,
        /// What.
        entry: Box<Entry>,
    },
    /// A run is over.
    Ended {
        /// The workflow.
        file: String,
        /// The run's id.
        run: String,
        /// None when another plan took its place before it began.
        over: Result<Option<Box<Over>>, Trouble>,
    },
    /// Nothing runs by itself from now on, or it does again.
    Paused(bool),
    /// Something should be known.
    Warned {
        /// What.
        message: String,
    },
}

impl News {
    /// The workflow that it is about; none when it is about all of them.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Planned(planned) => Some(&planned.file),
            Self::Began(begun) => Some(&begun.file),
            Self::Broken { file, .. }
            | Self::Repaired { file }
            | Self::Refused { file, .. }
            | Self::Happened { file, .. }
            | Self::Ended { file, .. } => Some(file),
            Self::Watching { .. } | Self::Paused(_) | Self::Warned { .. } => None,
        }
    }
}

/// A plan after a change, or the first one.
pub struct Planned {
    /// The workflow.
    pub file: String,
    /// Its name.
    pub workflow: Name,
    /// The plan.
    pub plan: Arc<Plan>,
    /// What is to be known of it; no errors.
    pub found: Diagnostics,
    /// What is different from the plan that ran last; none for the first.
    pub edit: Option<Comparison>,
    /// It was asked about before, and the user agreed.
    pub agreed: bool,
    /// What it can cost, beyond what is paid for already.
    pub bill: Bill,
    /// How many legs run.
    pub legs: usize,
    /// A leg may go to a provider that takes money.
    pub live: bool,
    /// What becomes of it.
    pub next: Next,
    /// Legs that wait for the user's word, by name.
    pub held: BTreeSet<String>,
    /// Versions that were pinned for it.
    pub pinned: BTreeMap<String, String>,
    /// Variables whose values must be shown nowhere.
    pub hidden: Vec<String>,
    /// The project around it.
    pub project: Project,
}

/// What becomes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is nothing to do.
    Nothing,
    /// It runs.
    Runs,
    /// It costs more than may be spent without a word. What costs nothing of it runs.
    WaitsForMoney,
    /// The watch is paused.
    Paused,
}

/// A run that begins.
pub struct Begun {
    /// The workflow.
    pub file: String,
    /// The run's id.
    pub run: String,
    /// What it carries out.
    pub plan: Arc<Plan>,
    /// The project around it.
    pub project: Project,
    /// Where its files go.
    pub folder: PathBuf,
    /// It is the first of its workflow.
    pub first: bool,
    /// Only what costs nothing is run.
    pub only_free: bool,
}
