//! Places where a test lets the process die as `kill -9` would, or wait.
//!
//! `CASTLINE_FAILPOINT=created.before` dies the first time that an id is about to be written
//! down; with `created.before@FILE` it waits there until the file is there, and makes
//! `FILE.reached` to say so. Unset, a place costs one look at a value; in release builds none of
//! it has an effect.
//!
//! Start reading at [`reach`].

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use castline_core::ledger::Ask;
use castline_core::prediction::Do;

macro_rules! places {
    ($($(#[$about:meta])* $name:ident = $word:literal,)*) => {
        /// Something that a run does, which may be the last.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Place {
            $($(#[$about])* $name,)*
        }

        impl Place {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is written in the variable.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

places! {
    /// [`Ask::Claim`] is committed.
    Claim = "claim",
    /// [`Ask::Unsent`] is committed.
    Unsent = "unsent",
    /// [`Ask::Resend`] is committed.
    Resend = "resend",
    /// [`Ask::Created`] is committed.
    Created = "created",
    /// [`Ask::Absent`] is committed.
    Absent = "absent",
    /// [`Ask::Unclear`] or [`Ask::Another`] is committed.
    Unclear = "unclear",
    /// [`Ask::Found`] is committed.
    Found = "found",
    /// [`Ask::Stop`] is committed.
    Stop = "stop",
    /// [`Ask::Unwanted`] is committed.
    Unwanted = "unwanted",
    /// [`Ask::Ended`] is committed.
    Ended = "ended",
    /// [`Ask::Fetched`] is committed.
    Fetched = "fetched",
    /// [`Ask::Left`] is committed.
    Left = "left",
    /// [`Ask::Missing`] is committed.
    Missing = "missing",
    /// [`Ask::Ruled`] is committed.
    Ruled = "ruled",
    /// [`Do::Prepare`] is carried out.
    Prepare = "prepare",
    /// [`Do::Create`] is carried out: after it the answer is there, and nobody has read it.
    Create = "create",
    /// [`Do::Search`] is carried out.
    Search = "search",
    /// [`Do::Get`] is carried out.
    Get = "get",
    /// [`Do::Fetch`] is carried out.
    Fetch = "fetch",
    /// [`Do::Rest`] is carried out.
    Rest = "rest",
    /// [`Do::WaitForOwner`] is carried out.
    Wait = "wait",
    /// [`Do::Cancel`] is carried out.
    Cancel = "cancel",
    /// A file is written where the user wants it.
    Save = "save",
    /// Everything is made to survive a power cut before the run is over.
    End = "end",
}

impl Place {
    /// Where carrying this out can be interrupted; none where nothing is done but to talk.
    pub fn of(act: &Do) -> Option<Self> {
        Some(match act {
            Do::Commit { ask, .. } => Self::of_ask(ask),
            Do::Prepare => Self::Prepare,
            Do::Create => Self::Create,
            Do::Search { .. } => Self::Search,
            Do::Get { .. } => Self::Get,
            Do::Fetch { .. } => Self::Fetch,
            Do::Rest(_) => Self::Rest,
            Do::WaitForOwner => Self::Wait,
            Do::Cancel { .. } => Self::Cancel,
            Do::Report(_) | Do::Finish(_) => return None,
        })
    }

    /// Where committing this can be interrupted.
    fn of_ask(ask: &Ask) -> Self {
        match ask {
            Ask::Claim { .. } => Self::Claim,
            Ask::Unsent => Self::Unsent,
            Ask::Resend(_) => Self::Resend,
            Ask::Created(_) => Self::Created,
            Ask::Absent(_) => Self::Absent,
            Ask::Unclear(_) | Ask::Another(_) => Self::Unclear,
            Ask::Found(_) => Self::Found,
            Ask::Stop => Self::Stop,
            Ask::Unwanted => Self::Unwanted,
            Ask::Ended(_) => Self::Ended,
            Ask::Fetched(_) => Self::Fetched,
            Ask::Left => Self::Left,
            Ask::Missing => Self::Missing,
            Ask::Ruled(_) => Self::Ruled,
        }
    }
}

/// On which side of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Nothing of it is done.
    Before,
    /// All of it is done, and nobody has heard of it.
    After,
}

impl Side {
    /// Both.
    pub const ALL: &[Self] = &[Self::Before, Self::After];

    /// As it is written in the variable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What the variable asks for.
struct Failpoint {
    name: String,
    gate: Option<PathBuf>,
}

/// Passes a place, unless the variable names it.
pub fn reach(place: Place, side: Side) {
    static CHOSEN: OnceLock<Option<Failpoint>> = OnceLock::new();
    let Some(chosen) = CHOSEN.get_or_init(read) else { return };
    if chosen.name.split_once('.') != Some((place.word(), side.word())) {
        return;
    }
    match &chosen.gate {
        Some(gate) => wait_for(gate),
        // No destructor runs and nothing is flushed, as with `kill -9`.
        None => std::process::abort(),
    }
}

fn read() -> Option<Failpoint> {
    let text = std::env::var("CASTLINE_FAILPOINT").ok().filter(|_| cfg!(debug_assertions))?;
    Some(match text.split_once('@') {
        Some((name, gate)) => Failpoint { name: name.to_owned(), gate: Some(gate.into()) },
        None => Failpoint { name: text, gate: None },
    })
}

fn wait_for(gate: &Path) {
    let mut reached = gate.as_os_str().to_owned();
    reached.push(".reached");
    let _ = fs::write(reached, "");
    while !gate.exists() {
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Place::ALL.iter().map(|place| place.word()).collect();
        assert_eq!(words.len(), Place::ALL.len());
    }
}
