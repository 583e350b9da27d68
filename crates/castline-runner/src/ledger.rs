//! The ledger as people ask for it: what is open or in doubt, and rulings on it.

use castline_core::Key;
use castline_core::ledger::{Ask, Claim, Entry, Ruling, RunId, State, Verdict};
use castline_store::{Store, StoreError};

use crate::failpoint::{self, Place, Side};
use crate::job::{existing_store, open_store};
use crate::project::Project;
use crate::trouble::Trouble;

/// Most entries that are listed at once.
const MOST: usize = 1_000;

/// Entries in any of these states, newest first; none when nothing was run here.
pub async fn list(project: &Project, states: &[State]) -> Result<Vec<Entry>, Trouble> {
    match existing_store(project)? {
        Some(store) => store.ledger().in_states(states, MOST).await.map_err(trouble),
        None => Ok(Vec::new()),
    }
}

/// Writes down what a person says of a prediction, and answers with the entry as it is then.
/// The key may be cut short.
pub async fn rule(project: &Project, key: &str, ruling: Ruling) -> Result<Entry, Trouble> {
    let store = open_store(project)?;
    let key = find(&store, key).await?;
    let claim = Claim::new(store.owner().clone(), RunId::from("ruling"), Vec::new());
    failpoint::reach(Place::Ruled, Side::Before);
    let verdicts = store.ledger().commit(vec![(key, claim, Ask::Ruled(ruling))]).await.map_err(trouble)?;
    failpoint::reach(Place::Ruled, Side::After);
    let refused = |message: String| Trouble::Usage { message, hint: None };
    match verdicts.into_iter().next() {
        Some(Verdict::Wait) => {
            return Err(refused("another castline is working on it; wait for it, or stop it".to_owned()));
        }
        Some(Verdict::Taken) => {
            return Err(refused("that prediction belongs to another entry of the ledger".to_owned()));
        }
        Some(Verdict::Stale) => {
            return Err(refused("only a prediction that is in doubt or expired can be ruled on".to_owned()));
        }
        _ => {}
    }
    store.ledger().settle().await.map_err(trouble)?;
    let entry = store.ledger().entries(&[key]).await.map_err(trouble)?.into_iter().next().flatten();
    entry.ok_or_else(|| Trouble::Bug("the ledger lost an entry".to_owned()))
}

async fn find(store: &Store, text: &str) -> Result<Key, Trouble> {
    let keys = store.ledger().keys_like(text).await.map_err(trouble)?;
    match keys[..] {
        [key] => Ok(key),
        [] => Err(Trouble::usage(
            format!("the ledger has no key `{text}`"),
            "`castline ledger list` shows the keys",
        )),
        _ => Err(Trouble::usage(format!("`{text}` begins more than one key"), "write more of it")),
    }
}

/// A store's error as a trouble of the command.
#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
pub(crate) fn trouble(error: StoreError) -> Trouble {
    let hint = error.hint();
    Trouble::Store { message: error.to_string(), hint }
}
