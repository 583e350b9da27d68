//! The ledger: what is known of every prediction ever asked for, and who may do what next.
//!
//! [`judge`] decides and changes nothing itself: the store calls it inside a transaction
//! with the entry as it stands, and writes what it answers. Nothing here reads a clock,
//! looks for living processes or adds up accounts; that arrives in a [`View`].
//!
//! Start reading at [`judge`]; what an entry remembers is in [`Entry`].

mod ask;
mod booking;
mod entry;
mod export;
mod judge;
mod keep;

pub use ask::{Arrival, Ask, Doubt, EndState, Ending, Match, Refusal, Ruling, Sent, Verdict, Why};
pub use booking::{Booking, Spent};
pub(crate) use entry::KEPT;
pub use entry::{Account, Before, Claim, Entry, Hold, OwnerId, RunId, State, Terms};
pub use export::{BadExport, Exported};
pub use judge::{Held, Rivals, View, is_sought, judge};
pub use keep::{Holding, forgettable};

#[cfg(test)]
mod tests;
