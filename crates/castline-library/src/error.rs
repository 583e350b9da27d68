//! Why a library cannot be had.

use std::fmt::Display;
use std::path::PathBuf;

use castline_spec::Diagnostics;

/// Why a library cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Some of its files are none that a library can have.
    #[error("{what} is refused:{}", listed(.entries, *.more))]
    Refused {
        /// Which library.
        what: String,
        /// Its files that are refused, each with the reason.
        entries: Vec<Refusal>,
        /// So many more are not listed.
        more: usize,
    },
    /// It is not what was pinned.
    #[error("{what} is not what was pinned: it has {found}, and {pinned} was pinned")]
    Changed {
        /// What it is, and where.
        what: String,
        /// The digest that was pinned.
        pinned: String,
        /// The digest that it has.
        found: String,
    },
    /// It is neither in the store nor in `vendor`.
    #[error("library `{name}` is pinned and not here")]
    Missing {
        /// Its name.
        name: String,
    },
    /// Two ways lead to one name, and to different libraries.
    #[error(
        "there can be one library `{name}`, and here are two:\n  {} wants {first_place}\n  {} wants {second_place}",
        .first.join(" -> "), .second.join(" -> ")
    )]
    Conflict {
        /// The name.
        name: String,
        /// Who names it.
        first: Vec<String>,
        /// From where.
        first_place: String,
        /// Who else names it.
        second: Vec<String>,
        /// From where.
        second_place: String,
    },
    /// It calls itself otherwise.
    #[error("{what} calls itself `{own}`, and is named `{named}` here")]
    OtherName {
        /// Where it is.
        what: String,
        /// Its name.
        own: String,
        /// The name that it was given.
        named: String,
    },
    /// A library names a place that is not for it to name.
    #[error("library `{of}` may not name {place}: {why}")]
    Forbidden {
        /// The library that names it.
        of: String,
        /// What it names.
        place: String,
        /// Why it may not.
        why: &'static str,
    },
    /// Its `library.yaml` is wrong; the findings say where.
    #[error("`library.yaml` of {what} is wrong")]
    Document {
        /// Where it is.
        what: String,
        /// What is wrong.
        found: Diagnostics,
    },
    /// There is no `library.yaml`.
    #[error("{what} is no library: it has no `library.yaml`")]
    NoLibrary {
        /// Where was looked.
        what: String,
    },
    /// It could not be fetched.
    #[error("{what} cannot be fetched: {why}")]
    Fetch {
        /// What was wanted.
        what: String,
        /// What happened.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something in `vendor` is neither replaced nor removed.
    #[error("`{}` {why}, so that it is neither replaced nor removed", .path.display())]
    Kept {
        /// What it is about.
        path: PathBuf,
        /// Why it may be somebody's.
        why: &'static str,
    },
    /// A folder cannot be read or written.
    #[error("{what}: {source}")]
    Disk {
        /// What was done, and where.
        what: String,
        /// What happened.
        source: std::io::Error,
    },
}

/// A file that a library cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its name, as it stands there.
    pub entry: String,
    /// Why.
    pub why: String,
}

/// Refuses what is not what was pinned; both are digests, or commits.
pub(crate) fn same(what: &str, pinned: &str, found: &str) -> Result<(), LibraryError> {
    match pinned == found {
        true => Ok(()),
        false => Err(LibraryError::Changed {
            what: what.to_owned(),
            pinned: pinned.to_owned(),
            found: found.to_owned(),
        }),
    }
}

impl LibraryError {
    /// Something that was fetched and did not come.
    pub(crate) fn fetch(what: impl Display, why: impl Display) -> Self {
        Self::Fetch { what: what.to_string(), why: why.to_string(), hint: None }
    }

    /// The same, with what to do.
    pub(crate) fn fetch_hint(what: impl Display, why: impl Display, hint: &str) -> Self {
        Self::Fetch { what: what.to_string(), why: why.to_string(), hint: Some(hint.to_owned()) }
    }

    pub(crate) fn disk(what: impl Display) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_string();
        |source| Self::Disk { what, source }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Fetch { hint, .. } => return hint.clone(),
            Self::Document { .. } | Self::Disk { .. } => return None,
            Self::OtherName { own, .. } => return Some(format!("call it `{own}` under `libraries`")),
            Self::Changed { .. } => {
                "somebody changed it; if that is meant, `castline library update` pins what it is now"
            }
            Self::Missing { .. } => "`castline library lock` fetches what castline.lock says",
            Self::Conflict { .. } => "have both name the same place and version",
            Self::Refused { .. } => "a library has plain files with plain names; tell its author",
            Self::Kept { .. } => "move it out of the way, and have libraries only in `vendor`",
            Self::Forbidden { .. } => "name it in your castline.yaml if you trust it, or tell its author",
            Self::NoLibrary { .. } => {
                "`folder:` names a folder in a repository; `name` and `version` are enough"
            }
        };
        Some(hint.to_owned())
    }
}

fn listed(entries: &[Refusal], more: usize) -> String {
    let mut lines: Vec<_> =
        entries.iter().map(|refused| format!("\n  `{}` {}", refused.entry, refused.why)).collect();
    lines.extend((more > 0).then(|| format!("\n  and {more} more")));
    lines.concat()
}
