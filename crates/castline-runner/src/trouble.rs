//! Why castline cannot go on, and what to do about it.

use std::path::Path;

use castline_spec::{Diagnostics, Severity};

/// Why castline cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Documents are wrong; the findings say where.
    #[error("{}", count(.0))]
    Diagnostics(Diagnostics),
    /// The budget does not allow it, or a price is not known.
    #[error("{message}")]
    Refused {
        /// What is refused and why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// An argument, a setting or the project is wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The store cannot be read or written.
    #[error("{message}")]
    Store {
        /// What happened, and where.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Our own fault.
    #[error("{0}")]
    Bug(String),
}

fn count(found: &Diagnostics) -> String {
    let errors = found.list.iter().filter(|d| d.severity == Severity::Error).count();
    format!("{errors} error{}", if errors == 1 { "" } else { "s" })
}

impl Trouble {
    /// A wrong argument or setting, with what to do.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// A file of a form that is to come.
    pub(crate) fn newer(file: &Path, found: u32, known: u32) -> Self {
        let file = file.display();
        Self::usage(
            format!("`{file}` has version {found}, and this castline knows versions up to {known}"),
            "a newer castline wrote it: update castline",
        )
    }

    /// The same of the store, with what it leaves behind.
    pub(crate) fn about(self, what: &str) -> Self {
        match self {
            Self::Store { message, hint } => Self::Store { message: format!("{what}: {message}"), hint },
            other => other,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { hint, .. } | Self::Usage { hint, .. } | Self::Store { hint, .. } => {
                hint.as_deref()
            }
            Self::Diagnostics(_) => None,
            Self::Bug(_) => Some("please report it with the command and the file that led to it"),
        }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Diagnostics(_) | Self::Usage { .. } | Self::Store { .. } => 2,
            Self::Refused { .. } => 3,
            Self::Bug(_) => 70,
        }
    }
}
