//! Stops a run, whichever process it is in, and what a dead one has left at its providers.
//!
//! A living process is asked through a file in the run's folder and does the work itself; see
//! `Driver::until_the_end`. What is still open when it has ended, or was left by a process that died, is
//! claimed and stopped from here. Nothing is ever created.
//!
//! Start reading at [`cancel`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::{Claim, Entry, RunId, State};
use castline_core::legs::LegId;
use castline_core::record::{LegRecord, RunRecord};
use castline_core::results::LegStatus;
use castline_core::run::Outcome;
use castline_core::{Key, MicroUsd, PredictionId};
use castline_store::Store;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::history;
use crate::job::existing_store;
use crate::ledger::trouble;
use crate::local::World;
use crate::local::task::{self, Said};
use crate::project::Project;
use crate::providers::Providers;
use crate::trouble::Trouble;

/// How long a living process may take: a provider has a minute to say that it stopped.
const PATIENCE: Duration = Duration::from_secs(100);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);
/// Most open predictions of a project.
const MOST: usize = 10_000;

/// A run that was canceled.
#[derive(Debug)]
pub struct Canceled {
    /// Which.
    pub run: String,
    /// True when a living process had it.
    pub was_going_on: bool,
    /// What was under way.
    pub legs: Vec<Stopped>,
}

/// A prediction that was under way, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its leg, or its model where no record names the leg.
    pub leg: String,
    /// Its model.
    pub model: String,
    /// Where.
    pub provider: String,
    /// The provider's name for it.
    pub prediction: Option<PredictionId>,
    /// What became of it.
    pub end: End,
    /// More about that, for people.
    pub words: String,
    /// What it costs, as far as castline knows: for one that goes on, at most.
    pub cost: Option<MicroUsd>,
}

/// What became of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It does not run any more.
    Canceled,
    /// It was done first; its output is kept.
    Finished,
    /// It goes on at its provider.
    GoesOn,
    /// Nobody can tell whether its create was received.
    Unknown,
}

/// Cancels a run: the named one, else the last that is not over.
pub async fn cancel(project: &Project, wanted: Option<&str>) -> Result<Canceled, Trouble> {
    let none =
        || Trouble::usage("no run of this project is under way", "`castline runs list` shows all runs");
    let store = existing_store(project)?.ok_or_else(none)?;
    let run = match wanted {
        Some(wanted) => history::id(project, wanted)?,
        None => last_open(&store).await?.ok_or_else(none)?,
    };
    let asked = Timestamp::now();
    let was_going_on = store.runs().ask_to_cancel(&run).map_err(trouble)?;
    if was_going_on {
        wait_for_end(&store, &run).await?;
    }
    let record = history::run(project, &run)?;
    let mut legs = Vec::new();
    if was_going_on {
        legs.extend(stopped_there(&store, &record, asked).await?);
    }
    legs.extend(stop_orphans(project, store, &record).await?);
    Ok(Canceled { run, was_going_on, legs })
}

/// The last run that a process has, else the last that left something open.
async fn last_open(store: &Store) -> Result<Option<String>, Trouble> {
    let runs = store.runs().list().map_err(trouble)?;
    if let Some(run) = runs.iter().find(|run| store.runs().is_going_on(run)) {
        return Ok(Some(run.clone()));
    }
    let open = open(store).await?;
    Ok(runs.into_iter().find(|run| open.iter().any(|entry| is_of(entry, run))))
}

/// What no living process works on.
async fn open(store: &Store) -> Result<Vec<Entry>, Trouble> {
    let states = [State::Created, State::Intended];
    let mut open = store.ledger().in_states(&states, MOST).await.map_err(trouble)?;
    open.retain(|entry| !store.ledger().is_worked_on(entry));
    Ok(open)
}

fn is_of(entry: &Entry, run: &str) -> bool {
    *entry.claim.run.0 == *run
}

async fn wait_for_end(store: &Store, run: &str) -> Result<(), Trouble> {
    let ended = async {
        while store.runs().is_going_on(run) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.map_err(|_| {
        Trouble::usage(
            format!("run {run} was asked to stop, and its process has not ended yet"),
            "it ends when it goes on; if it hangs, end it and cancel the run again",
        )
    })
}

/// What the run's own process stopped, or finished while it stopped.
async fn stopped_there(store: &Store, record: &RunRecord, asked: Timestamp) -> Result<Vec<Stopped>, Trouble> {
    let late = |leg: &&LegRecord| leg.finished.is_some_and(|at| at >= asked);
    let mut legs = Vec::new();
    for leg in record.legs.iter().filter(late) {
        let Some(request) = &leg.request else { continue };
        let entry =
            store.ledger().entries(&[request.key]).await.map_err(trouble)?.into_iter().next().flatten();
        // What is still open is looked at again.
        if entry.as_ref().is_some_and(|entry| entry.state.is_open() && is_of(entry, &record.run)) {
            continue;
        }
        let message = || leg.failure.as_ref().map(|f| f.message.clone()).unwrap_or_default();
        let (end, words) = match leg.status {
            LegStatus::Succeeded => (End::Finished, "it was done first, and is kept".to_owned()),
            LegStatus::InDoubt => (End::Unknown, message()),
            LegStatus::Canceled => (End::Canceled, message()),
            _ => continue,
        };
        legs.push(Stopped {
            leg: leg.leg.name.clone(),
            model: request.model.clone(),
            provider: request.provider.to_string(),
            prediction: leg.prediction.clone(),
            end,
            words,
            cost: leg.cost,
        });
    }
    Ok(legs)
}

/// Stops what nobody alive works on.
async fn stop_orphans(project: &Project, store: Store, record: &RunRecord) -> Result<Vec<Stopped>, Trouble> {
    let mut open = open(&store).await?;
    open.retain(|entry| is_of(entry, &record.run));
    let names: BTreeMap<Key, String> = record
        .legs
        .iter()
        .filter_map(|leg| Some((leg.request.as_ref()?.key, leg.leg.name.clone())))
        .collect();
    let (tell, mut told) = mpsc::unbounded_channel();
    let world = Arc::new(World {
        claim: Claim::new(store.owner().clone(), RunId::from(record.run.as_str()), Vec::new()),
        since: Timestamp::now(),
        retry_lost: false,
        facts: BTreeMap::new(),
        providers: Providers::new(project),
        store,
        creating: task::Creating::default(),
        stopping: watch::channel(true).0,
    });
    let mut tasks = JoinSet::new();
    for (i, entry) in open.iter().enumerate().filter(|(_, entry)| can_be_stopped(entry)) {
        tasks.spawn(task::stop_orphan(world.clone(), LegId(i), entry.clone(), tell.clone()));
    }
    drop(tell);
    let mut outcomes = BTreeMap::new();
    while let Some(said) = told.recv().await {
        match said {
            Said::Input(_) => {}
            Said::Ended { leg, outcome, .. } => drop(outcomes.insert(leg.0, outcome)),
            Said::Broken(trouble) => return Err(trouble),
        }
    }
    world.store.settle().await.map_err(trouble)?;
    let mut legs = Vec::new();
    for (i, entry) in open.iter().enumerate() {
        let key = entry.key();
        let now = world.store.ledger().entries(&[key]).await.map_err(trouble)?.into_iter().next().flatten();
        let now = now.unwrap_or_else(|| entry.clone());
        let (end, words) = became(&now, outcomes.remove(&i));
        legs.push(Stopped {
            leg: names.get(&key).cloned().unwrap_or_else(|| entry.request.model.to_string()),
            model: entry.request.model.to_string(),
            provider: entry.provider().to_string(),
            prediction: now.prediction.clone(),
            end,
            words,
            cost: now.hold.settled.or(now.hold.reserved),
        });
    }
    Ok(legs)
}

/// It has an id, or it is known that nothing was received. Of anything else nobody knows
/// whether there is something to stop.
fn can_be_stopped(entry: &Entry) -> bool {
    match entry.state {
        State::Created => entry.terms.cancel && entry.terms.get,
        _ => entry.unsent,
    }
}

/// What to say of an entry after the attempt, if there was one.
fn became(entry: &Entry, outcome: Option<Outcome>) -> (End, String) {
    let message = outcome.and_then(|outcome| match outcome {
        Outcome::Failed { failure, .. } => Some(failure.message),
        Outcome::Succeeded { .. } => None,
    });
    let said = |usual: &str| message.clone().unwrap_or_else(|| usual.to_owned());
    match entry.state {
        State::Succeeded => (End::Finished, "it was done first, and is kept".to_owned()),
        State::Created if !entry.terms.cancel => {
            let billed = if entry.terms.bills { ", and is billed" } else { "" };
            let words = format!("the provider cannot be told to stop{billed}; run again to pick it up");
            (End::GoesOn, words)
        }
        State::Created => (End::GoesOn, said("it was not stopped")),
        State::Intended | State::InDoubt if entry.terms.list => {
            let words = "castline ended before it learned whether the request was received; run again: the \
                         provider's list is searched for it";
            (End::Unknown, words.to_owned())
        }
        State::Intended | State::InDoubt => {
            let words = "castline ended before it learned whether the request was received; `castline ledger list` \
                         shows it once it was run again";
            (End::Unknown, words.to_owned())
        }
        State::Failed | State::Canceled | State::Aborted | State::Expired => {
            (End::Canceled, said("it had ended already"))
        }
    }
}
