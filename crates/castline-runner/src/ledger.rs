//! The ledger as people ask for it: what is open or in doubt, and rulings on it.

use castline_core::Key;
use castline_core::ledger::{Ask, Booking, Claim, Entry, Exported, Ruling, RunId, State, Verdict};
use castline_store::{Store, StoreError};

use crate::failpoint::{self, Place, Side};
use crate::job::{open_store, store_to_look_at};
use crate::project::Project;
use crate::trouble::Trouble;

/// Most entries that are listed at once.
const MOST: usize = 1_000;

/// Entries in any of these states, newest first; none when nothing was run here.
pub async fn list(project: &Project, states: &[State]) -> Result<Vec<Entry>, Trouble> {
    match store_to_look_at(project)? {
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
    let rule = match &ruling {
        Ruling::Adopt(_) => "only a prediction that is open, in doubt or expired can be adopted",
        Ruling::Forgive => "only a request of which nobody knows whether it was received can be forgiven",
        Ruling::Retry => "a prediction that succeeded is not created again",
    };
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
            return Err(refused(rule.to_owned()));
        }
        _ => {}
    }
    store.ledger().settle().await.map_err(trouble)?;
    let entry = store.ledger().entries(&[key]).await.map_err(trouble)?.into_iter().next().flatten();
    entry.ok_or_else(|| Trouble::Bug("the ledger lost an entry".to_owned()))
}

/// An entry with what the ledger and the store know besides.
#[derive(Debug)]
pub struct Known {
    /// The entry.
    pub entry: Entry,
    /// Its creates on every account, oldest first.
    pub holds: Vec<Booking>,
    /// A living castline works on it.
    pub worked_on: bool,
    /// Files of its output that are not in the store.
    pub missing: usize,
}

/// An entry by its key, which may be cut short.
pub async fn show(project: &Project, key: &str) -> Result<Known, Trouble> {
    let none = || Trouble::usage(format!("the ledger has no key `{key}`"), "nothing was run here yet");
    let store = store_to_look_at(project)?.ok_or_else(none)?;
    let key = find(&store, key).await?;
    let entry = store.ledger().entries(&[key]).await.map_err(trouble)?.into_iter().next().flatten();
    let entry = entry.ok_or_else(|| Trouble::Bug("the ledger lost an entry".to_owned()))?;
    let holds = store.ledger().bookings_of(&key).await.map_err(trouble)?;
    let worked_on = store.ledger().is_worked_on(&entry);
    let missing = missing(&store, &entry);
    Ok(Known { entry, holds, worked_on, missing })
}

/// Files of an entry's output that are not in the store.
fn missing(store: &Store, entry: &Entry) -> usize {
    let files = entry.output.iter().flat_map(|output| output.raw.media());
    files.filter(|file| !store.blobs().has(file)).count()
}

/// What was written down of a ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// How many entries.
    pub entries: usize,
    /// How many of them a living castline works on.
    pub worked_on: usize,
}

/// Hands out the whole ledger, a line of JSON for each entry, until `write` fails.
pub async fn export(
    project: &Project,
    mut write: impl FnMut(&str) -> Result<(), Trouble>,
) -> Result<Outgoing, Trouble> {
    let mut out = Outgoing::default();
    let Some(store) = store_to_look_at(project)? else { return Ok(out) };
    let mut failed = None;
    let ledger = store.ledger();
    let each = |exported: Exported| {
        out.entries += 1;
        out.worked_on += usize::from(ledger.is_worked_on(&exported.entry));
        let line = serde_json::to_string(&exported).map_err(|e| Trouble::Bug(e.to_string()));
        failed = line.and_then(|line| write(&line)).err();
        failed.is_none()
    };
    ledger.export(each).await.map_err(trouble)?;
    failed.map_or(Ok(out), Err)
}

/// What became of another ledger's entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Entries that are new here.
    pub added: usize,
    /// Entries that were here, and stay as they are.
    pub skipped: usize,
    /// New entries with outputs whose files are not in this store.
    pub without_files: usize,
    /// New entries that were being made, or were in doubt.
    pub open: usize,
}

/// Takes in what [`export`] wrote: all lines, or none of them.
pub async fn import(project: &Project, name: &str, text: &str) -> Result<Incoming, Trouble> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line)| {
        Exported::read(line).map_err(|e| {
            let message = format!("line {} of `{name}` cannot be taken in: {e}", number + 1);
            Trouble::usage(message, "nothing was taken in; `castline ledger export` writes such files")
        })
    };
    let entries: Vec<Exported> = lines.map(read).collect::<Result<_, _>>()?;
    let store = open_store(project)?;
    let added = store.ledger().import(entries.clone()).await.map_err(trouble)?;
    let mut incoming = Incoming::default();
    for (exported, added) in entries.iter().zip(added) {
        if !added {
            incoming.skipped += 1;
            continue;
        }
        let entry = &exported.entry;
        incoming.added += 1;
        incoming.without_files += usize::from(missing(&store, entry) > 0);
        incoming.open += usize::from(entry.state.is_open() || entry.state == State::InDoubt);
    }
    Ok(incoming)
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
