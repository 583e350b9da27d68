//! Entries on their way from one ledger to another: one line of JSON each.
//!
//! Whoever reads one trusts nothing in it: see [`Exported::read`].

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::key::Ingredients;

use super::booking::Booking;
use super::entry::{Entry, OwnerId, State};

/// The version of the lines.
pub(crate) const EXPORT_VERSION: u32 = 1;

/// An entry with the money of all of its creates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// [`EXPORT_VERSION`].
    pub schema_version: u32,
    /// The entry.
    pub entry: Entry,
    /// Its creates on their accounts.
    pub holds: Vec<Booking>,
}

/// Why a line cannot be taken into a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadExport {
    /// It has a version that is to come.
    #[error("it has version {0}, and this castline knows version {EXPORT_VERSION}: update castline")]
    Newer(u64),
    /// It is something else.
    #[error("it is not an entry of a ledger: {0}")]
    NotAnEntry(String),
    /// Taken in, it would be the output of another request.
    #[error("its key is not that of its request")]
    WrongKey,
    /// Its money belongs to another entry.
    #[error("one of its holds belongs to another entry")]
    WrongHold,
    /// Its state says that something is there, and it is not.
    #[error("it is {0} and does not say {1}")]
    Incomplete(State, &'static str),
}

impl Exported {
    /// An entry and its creates, to be written down.
    pub fn new(entry: Entry, holds: Vec<Booking>) -> Self {
        Self { schema_version: EXPORT_VERSION, entry, holds }
    }

    /// Reads a line of another ledger. Nobody here works on its entry, whoever did there;
    /// and what its owner meant to send again may have been sent since.
    pub fn read(line: &str) -> Result<Self, BadExport> {
        let wrong = |e: serde_json::Error| BadExport::NotAnEntry(e.to_string());
        let json: Json = serde_json::from_str(line).map_err(wrong)?;
        match json.get("schema_version").and_then(Json::as_u64) {
            Some(version) if version > u64::from(EXPORT_VERSION) => return Err(BadExport::Newer(version)),
            Some(1..) => {}
            _ => return Err(BadExport::NotAnEntry("it has no `schema_version`".to_owned())),
        }
        let mut exported: Self = serde_json::from_value(json).map_err(wrong)?;
        exported.check()?;
        exported.entry.claim.owner = OwnerId::nobody();
        exported.entry.unsent = false;
        Ok(exported)
    }

    fn check(&self) -> Result<(), BadExport> {
        let Entry { request, state, output, prediction, .. } = &self.entry;
        let ingredients = Ingredients {
            realm: &request.realm,
            model: &request.model,
            input: &request.input,
            draw: &request.draw,
        };
        if ingredients.key() != request.key {
            return Err(BadExport::WrongKey);
        }
        if self.holds.iter().any(|hold| hold.key != request.key) {
            return Err(BadExport::WrongHold);
        }
        match state {
            State::Succeeded if output.is_none() => Err(BadExport::Incomplete(*state, "what it gave")),
            State::Created if prediction.is_none() => {
                Err(BadExport::Incomplete(*state, "the prediction's id"))
            }
            _ => Ok(()),
        }
    }
}
