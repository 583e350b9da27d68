//! What was spent, summed up from the creates in the ledger.
//!
//! Start reading at [`parts`].

use std::collections::{BTreeMap, BTreeSet};

use castline_core::event::{Entry, Event};
use castline_core::ledger::{Booking, Spent};
use castline_core::{MicroUsd, ProviderName};
use castline_store::Store;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::job::store_to_look_at;
use crate::project::Project;
use crate::trouble::Trouble;

/// What creates are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The model and its provider.
    Model,
    /// The workflow of the run that asked for it.
    Workflow,
    /// The day on which its money was reserved.
    Day,
}

/// Creates that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The model, workflow or day; none for the workflow of a run whose record is gone.
    pub name: Option<String>,
    /// Where, of a model.
    pub provider: Option<ProviderName>,
    /// What they cost.
    pub spent: Spent,
}

/// The creates at providers that take money, summed up. Days come in their order, the others
/// with the dearest first. `days` is how many, today included; none for all.
pub async fn parts(
    project: &Project,
    by: By,
    days: Option<u32>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<Vec<Part>, Trouble> {
    let Some(store) = store_to_look_at(project)? else { return Ok(Vec::new()) };
    let date = |at: Timestamp| at.to_zoned_datetime(zone.clone()).date();
    let back = i64::from(days.unwrap_or(0).max(1)) - 1;
    let first = days.map(|_| date(now).saturating_sub(back.min(100_000).days()));
    // A day is not always 24 hours long: a little more is read, and then looked at.
    let since = first.map_or(Timestamp::MIN, |_| {
        now.saturating_sub(SignedDuration::from_hours(24 * (back.min(100_000) + 2))).unwrap_or(Timestamp::MIN)
    });
    let bookings = store.ledger().bookings(since).await.map_err(crate::ledger::trouble)?;
    let mut seen = BTreeSet::new();
    let mut workflows = BTreeMap::new();
    let mut parts: BTreeMap<(Option<String>, Option<ProviderName>), Spent> = BTreeMap::new();
    let counts = |b: &&Booking| !b.is_void() && first.is_none_or(|first| date(b.at) >= first);
    for booking in bookings.iter().filter(counts) {
        // A create is on more than one account.
        if !seen.insert((booking.key, booking.attempt)) {
            continue;
        }
        let name = match by {
            By::Model => Some(booking.model.clone()),
            By::Workflow => workflow(&store, booking, &mut workflows),
            By::Day => Some(date(booking.at).to_string()),
        };
        let provider = (by == By::Model).then(|| booking.provider.clone());
        *parts.entry((name, provider)).or_default() += Spent::from(booking);
    }
    let mut parts: Vec<_> =
        parts.into_iter().map(|((name, provider), spent)| Part { name, provider, spent }).collect();
    if by != By::Day {
        parts.sort_by_key(|part| std::cmp::Reverse(dearness(&part.spent)));
    }
    Ok(parts)
}

fn dearness(spent: &Spent) -> (MicroUsd, usize) {
    (spent.settled + spent.reserved, spent.unknown)
}

/// The workflow of the run that asked for a create, from the beginning of its journal.
fn workflow(
    store: &Store,
    booking: &Booking,
    known: &mut BTreeMap<String, Option<String>>,
) -> Option<String> {
    let run = booking.run.0.to_string();
    let read = |run: &str| match store.runs().first::<Entry>(run).ok()??.event {
        Event::RunStarted { workflow, .. } => Some(workflow.to_string()),
        _ => None,
    };
    known.entry(run).or_insert_with_key(|run| read(run)).clone()
}
