//! What the ledger says of a plan.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use castline_core::forecast::{Answer, Forecast, Known, Taken};
use castline_core::ledger::{Entry, State, Why as Doubtful, is_sought};
use castline_core::legs::LegId;
use castline_core::plan::{Plan, Resolved};
use castline_core::results::Results;
use castline_core::{Artifact, Key};
use castline_store::{Brief, Store, in_shares};
use jiff::Timestamp;

use crate::trouble::Trouble;

/// What the ledger says of a plan.
pub(super) struct Answers {
    pub(super) forecast: Forecast,
    /// See [`super::Job::missing`].
    pub(super) missing: Vec<(Key, u64)>,
    /// See [`super::Job::paid`].
    pub(super) paid: HashSet<Key>,
}

impl Answers {
    /// Asks the ledger, wave by wave, what each leg would do.
    /// What is in doubt is paid for again where the project says so: `retry_lost`.
    pub(super) async fn of(
        plan: Arc<Plan>,
        store: Option<&Store>,
        retry_lost: bool,
    ) -> Result<Self, Trouble> {
        let mut all = Self { forecast: Forecast::new(plan), missing: Vec::new(), paid: HashSet::new() };
        loop {
            let asked = all.forecast.ask_by(&resolve);
            if asked.is_empty() {
                return Ok(all);
            }
            let keys: Vec<Key> = asked.iter().map(|(_, key)| *key).collect();
            let briefs = match store {
                Some(store) => store.ledger().briefs(&keys).await.map_err(crate::ledger::trouble)?,
                None => vec![None; keys.len()],
            };
            let removed = removed(store, &keys, &briefs).await?;
            let there = there(store, &briefs);
            let entries = taken_entries(store, &keys, &briefs, &there).await?;
            for (((leg, key), brief), there) in asked.into_iter().zip(briefs).zip(there) {
                let again = |state| state == State::InDoubt && retry_lost;
                if brief.as_ref().is_some_and(|brief| is_paid(brief.state) && !again(brief.state)) {
                    all.paid.insert(key);
                }
                let gone = brief.as_ref().filter(|b| b.state == State::Succeeded).map(|b| (key, b.claim));
                let answer = if removed.contains(&key) {
                    Answer::Unknown(Some(REMOVED.to_owned()))
                } else {
                    answer(brief, there, entries.get(&key), retry_lost)
                };
                if !matches!(answer, Answer::Known(_)) {
                    all.missing.extend(gone);
                }
                all.forecast.answer(leg, answer);
            }
        }
    }
}

/// Each processor takes a share of the legs.
pub(super) fn resolve(plan: &Plan, legs: &[LegId], results: &Arc<Results>) -> Vec<Resolved> {
    /// Fewer legs are not worth a thread.
    const SHARE: usize = 200;
    in_shares(legs, SHARE, |share| {
        let mut resolver = plan.resolver(results);
        share.iter().map(|leg| resolver.resolve(*leg)).collect()
    })
}

const GONE: &str = "its files are gone from the store";

/// Why a leg runs whose result was there once.
const REMOVED: &str = "its output was removed by `castline gc`";

/// Keys that the ledger does not know any more.
async fn removed(
    store: Option<&Store>,
    keys: &[Key],
    briefs: &[Option<Brief>],
) -> Result<BTreeSet<Key>, Trouble> {
    let Some(store) = store else { return Ok(BTreeSet::new()) };
    let unknown: Vec<Key> =
        keys.iter().zip(briefs).filter(|(_, brief)| brief.is_none()).map(|(key, _)| *key).collect();
    if unknown.is_empty() {
        return Ok(BTreeSet::new());
    }
    let removed = store.ledger().forgotten(&unknown).await.map_err(crate::ledger::trouble)?;
    Ok(unknown.into_iter().zip(removed).filter(|(_, removed)| *removed).map(|(key, _)| key).collect())
}

/// True while another run takes up a prediction, or stops at it, instead of creating it anew.
pub(super) fn is_paid(state: State) -> bool {
    match state {
        State::Intended | State::Created | State::Succeeded | State::Expired | State::InDoubt => true,
        State::Failed | State::Canceled | State::Aborted => false,
    }
}

/// For each success, whether its output and all files of it are there.
fn there(store: Option<&Store>, briefs: &[Option<Brief>]) -> Vec<bool> {
    let Some(store) = store else { return vec![false; briefs.len()] };
    let media: Vec<_> = briefs.iter().map(|brief| media_of(brief.as_ref()?)).collect();
    let files: Vec<_> = media.iter().flatten().flatten().copied().collect();
    let mut has = store.blobs().has_all(&files).into_iter();
    let all = |media: &Option<Vec<&Artifact>>| {
        // Each takes its own, so that none is left to the next.
        let own = has.by_ref().take(media.as_ref().map_or(0, Vec::len));
        own.filter(|has| !has).count() == 0 && media.is_some()
    };
    media.iter().map(all).collect()
}

/// The files of a success that has an output.
fn media_of(brief: &Brief) -> Option<Vec<&Artifact>> {
    let output = brief.output.as_ref().filter(|_| brief.state == State::Succeeded)?;
    Some(output.raw.media())
}

const EXPIRED: &str = "its outputs expired at the provider";
const IN_DOUBT: &str = "it is in doubt whether it was created";

/// True where a run does not simply create it.
fn is_taken(brief: &Brief, there: bool) -> bool {
    match brief.state {
        State::Created | State::Expired | State::InDoubt => true,
        State::Succeeded => !there,
        State::Intended | State::Failed | State::Canceled | State::Aborted => false,
    }
}

/// The entries of which more has to be known, because a run does not simply create them.
async fn taken_entries(
    store: Option<&Store>,
    keys: &[Key],
    briefs: &[Option<Brief>],
    there: &[bool],
) -> Result<HashMap<Key, Entry>, Trouble> {
    let told = keys.iter().zip(briefs).zip(there);
    let taken =
        told.filter(|((_, brief), there)| brief.as_ref().is_some_and(|brief| is_taken(brief, **there)));
    let keys: Vec<Key> = taken.map(|((key, _), _)| *key).collect();
    let Some(store) = store.filter(|_| !keys.is_empty()) else { return Ok(HashMap::new()) };
    let entries = store.ledger().entries(&keys).await.map_err(crate::ledger::trouble)?;
    Ok(entries.into_iter().flatten().map(|entry| (entry.key(), entry)).collect())
}

/// What a run does about an entry that it does not simply create.
fn taken(entry: &Entry, retry_lost: bool) -> Answer {
    let (terms, retry) = (entry.terms, format!("castline ledger retry {}", &entry.key().0.hex()[..12]));
    let asks = terms.get && terms.remote && entry.prediction.is_some();
    let before = |what: &str| Answer::Unknown(Some(what.to_owned()));
    match entry.state {
        State::Created if asks => {
            let kept =
                entry.kept_until().map(|at| format!(" (kept until {at:.0} at least)")).unwrap_or_default();
            Answer::Taken(Taken::Created, format!("it was created before: a run goes on with it{kept}"))
        }
        State::Succeeded if asks => {
            Answer::Taken(Taken::Created, format!("{GONE}: a run asks the provider for them"))
        }
        State::Succeeded if terms.bills => {
            Answer::Taken(Taken::Expired, format!("{GONE}; then `{retry}` pays again"))
        }
        State::Expired => Answer::Taken(Taken::Expired, format!("{EXPIRED}: `{retry}` pays again")),
        State::InDoubt if retry_lost && !matches!(entry.doubt, Some(Doubtful::Another { .. })) => {
            before("it is in doubt whether it was created, and `when_lost: retry` pays again")
        }
        State::InDoubt if is_sought(entry, Timestamp::now()) => Answer::Taken(
            Taken::InDoubt { sought: true },
            format!("{IN_DOUBT}: a run looks for it, and pays again if it never was"),
        ),
        State::InDoubt => Answer::Taken(
            Taken::InDoubt { sought: false },
            format!("{IN_DOUBT}: settle it first (`castline ledger list`)"),
        ),
        State::Succeeded => before(GONE),
        _ => before("it was begun before"),
    }
}

fn answer(brief: Option<Brief>, there: bool, entry: Option<&Entry>, retry_lost: bool) -> Answer {
    let Some(brief) = brief else { return Answer::Unknown(None) };
    let word = match brief.state {
        _ if is_taken(&brief, there) => {
            return entry.map_or(Answer::Unknown(None), |entry| taken(entry, retry_lost));
        }
        State::Succeeded => match brief.output {
            Some(output) => return Answer::Known(Known { output, prediction: brief.prediction }),
            None => GONE,
        },
        State::Failed => "it failed before",
        State::Canceled => "it was canceled before",
        State::Aborted => "it was aborted before",
        State::Intended | State::Created | State::Expired | State::InDoubt => "it was begun before",
    };
    Answer::Unknown(Some(word.to_owned()))
}
