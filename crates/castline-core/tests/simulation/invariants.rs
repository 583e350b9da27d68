//! What must hold, whatever happens: looked at when a create leaves, when one arrives, after each
//! commit, and at the end.
//!
//! It is told what everybody does and believes nobody: what was received and what is billed it
//! takes from the providers themselves.
//!
//! Start reading at [`Watch::committed`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use castline_core::ledger::{Ask, Claim, Entry, Ruling, State, Verdict};
use castline_core::{Key, MicroUsd, PredictionId, ProviderName, Request};
use jiff::Timestamp;

use crate::ledger::{Committed, Store};
use crate::provider::{Files, Made, Provider, output_of, wire};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No create leaves before its intent is in the ledger, to stay, with the claim of its sender.
    IntentFirst,
    /// Creates that a provider received were each asked for: by a leg, a retry or a person.
    AskedFor,
    /// No create is received while an earlier one of its key lives, or gave what was paid for.
    PaidOnce,
    /// A prediction belongs to one entry.
    OneEntry,
    /// No account holds more than its budget, but for what a provider charged beyond the price.
    Budget,
    /// Everything that a provider bills is booked, and no less than it bills.
    Booked,
    /// What a provider has made is not given up.
    NothingLost,
    /// An entry has the output of its own request.
    RightOutput,
    /// An output counts once its files are in the store.
    StoredFirst,
    /// Only who has the entry changes it.
    Claims,
    /// States follow each other as the map of the ledger says.
    States,
    /// What somebody else waits for is not stopped.
    NotTakenAway,
    /// A run whose place another took stops nothing that the other wants, and writes nothing for the user.
    MakesWay,
    /// A run has no more predictions in flight, and tries no leg more often, than it may.
    Limits,
    /// When nothing is in flight and nothing will happen, every run is over; and it gets there.
    Ends,
    /// After all crashes and faults a run gives what an undisturbed one gives.
    SameResult,
    /// The same seed gives the same events.
    SameEvents,
}

/// One of them does not hold.
#[derive(Debug, Clone)]
pub struct Broken {
    pub invariant: Invariant,
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}", self.invariant, self.why)
    }
}

/// Nothing, or what does not hold.
pub type Holds = Result<(), Broken>;

/// Fails with these words when something does not hold.
pub fn must(holds: bool, invariant: Invariant, why: impl FnOnce() -> String) -> Holds {
    if holds { Ok(()) } else { Err(Broken { invariant, why: why() }) }
}

/// What was seen so far.
#[derive(Default)]
pub struct Watch {
    /// How often runs, and people, asked for each request as it goes over the wire. Two keys
    /// may have one such request; which of their predictions is whose nobody can tell.
    asked: BTreeMap<String, u32>,
    /// How many creates of it were received, where they cost.
    received: BTreeMap<String, u32>,
    /// The entry that has each prediction, and as which of its creates.
    owners: BTreeMap<(ProviderName, PredictionId), (Key, u64)>,
    /// Creates that count as spent, because a person or the project said to create them again.
    given_up: BTreeSet<(Key, u64)>,
}

impl Watch {
    /// A run, or a person, wants a prediction once more.
    pub fn asked(&mut self, request: &Request) {
        *self.asked.entry(wire(request, Files::Known)).or_default() += 1;
    }

    /// A create leaves.
    pub fn leaves(entry: Option<&Entry>, claim: &Claim, bills: bool) -> Holds {
        let intended = entry.is_some_and(|entry| {
            entry.state == State::Intended
                && !entry.unsent
                && entry.claim.number == claim.number
                && entry.claim.owner == claim.owner
        });
        must(intended || !bills, Invariant::IntentFirst, || match entry {
            Some(entry) => format!(
                "claim {} of {} sends, and the entry is {} with claim {} of {}",
                claim.number, claim.owner, entry.state, entry.claim.number, entry.claim.owner
            ),
            None => "the ledger knows of none".to_owned(),
        })
    }

    /// A create was received.
    pub fn arrived(&mut self, number: usize, provider: &mut Provider, now: Timestamp) -> Holds {
        if !provider.terms().bills {
            return Ok(());
        }
        let new = &mut provider.made[number];
        // It may have been given up while it was on its way.
        new.released = self.given_up.contains(&(new.key, new.attempt));
        let given_up = new.released;
        let new = &provider.made[number];
        let wire = wire(&new.request, Files::Known);
        let asked = self.asked.get(&wire).copied().unwrap_or_default();
        let received = self.received.entry(wire).or_default();
        *received += 1;
        must(*received <= asked, Invariant::AskedFor, || {
            format!("`{}` is create {received} of its request, which was asked for {asked} times", new.id.0)
        })?;
        // What another create of the same request has taken is in its books now, and the other way
        // round.
        let theirs = |made: &&Made| match self.owners.get(&(provider.name(), made.id.clone())) {
            Some((key, _)) => *key == new.key,
            None => !self.owners.values().any(|owner| *owner == (made.key, made.attempt)),
        };
        let mut earlier = provider.made[..number].iter().filter(|made| made.key == new.key).filter(theirs);
        match earlier.find(|made| !made.released && !given_up) {
            Some(made) => must(false, Invariant::PaidOnce, || {
                format!("`{}` is created, and `{}` is {:?}", new.id.0, made.id.0, made.status(now))
            }),
            None => Ok(()),
        }
    }

    /// Something was committed, at this true time and at the time that the machine shows.
    pub fn committed(
        &mut self,
        done: &Committed<'_>,
        store: &Store,
        providers: &mut [Provider],
        [now, shown]: [Timestamp; 2],
    ) -> Holds {
        let Committed { key, claim, ask, .. } = done;
        if let (Verdict::Cancel, true) = (&done.verdict, done.wanted) {
            return must(false, Invariant::NotTakenAway, || format!("{} stops {key}", claim.owner));
        }
        let Some(entry) = &done.written else { return Ok(()) };
        let before = done.before.as_deref();
        Self::claims(before, claim, ask)?;
        Self::states(before, entry, ask)?;
        self.one_entry(entry)?;
        self.rulings(ask, before, providers);
        Self::kept(before, entry, ask, providers, now)?;
        Self::output(entry, ask, store)?;
        Self::budgets(entry, &done.verdict, store, shown)?;
        self.booked(key, store, providers, now)
    }

    fn claims(before: Option<&Entry>, claim: &Claim, ask: &Ask) -> Holds {
        let Some(before) = before else { return Ok(()) };
        let free = matches!(ask, Ask::Claim { .. } | Ask::Ruled(_));
        // Whoever misses files need not have made them, but must speak of these.
        let owner = matches!(ask, Ask::Missing) || before.claim.owner == claim.owner;
        let has = before.claim.number == claim.number && owner;
        must(free || has, Invariant::Claims, || {
            let (number, owner) = (before.claim.number, &before.claim.owner);
            format!(
                "{} with claim {} changes what {owner} has with claim {number}",
                claim.owner, claim.number
            )
        })
    }

    fn states(before: Option<&Entry>, entry: &Entry, ask: &Ask) -> Holds {
        use State::{Aborted, Canceled, Created, Expired, Failed, InDoubt, Intended, Succeeded};
        let to = entry.state;
        let fits = match before.map(|before| before.state) {
            None => to == Intended,
            Some(Intended) => !matches!(to, Expired) || matches!(ask, Ask::Ended(_)),
            Some(Created) => !matches!(to, Intended | Aborted | InDoubt) || may_leave_created(ask, entry),
            Some(Succeeded) => matches!(ask, Ask::Missing) && matches!(to, Created | Expired | Aborted),
            Some(Failed | Canceled | Aborted) => matches!(to, Intended | Failed),
            Some(Expired) => matches!(to, Intended | Created | Failed),
            Some(InDoubt) => matches!(to, Intended | Created | Aborted | Failed),
        };
        must(fits, Invariant::States, || {
            format!("{:?} becomes {to:?} by {ask:?}", before.map(|before| before.state))
        })
    }

    fn one_entry(&mut self, entry: &Entry) -> Holds {
        let Some(id) = entry.prediction.as_ref().filter(|_| entry.terms.remote) else { return Ok(()) };
        let own = (entry.key(), entry.hold.attempt);
        let owner = *self.owners.entry((entry.provider().clone(), id.clone())).or_insert(own);
        must(owner == own, Invariant::OneEntry, || {
            format!("`{}` belongs to {} and to {}", id.0, owner.0, entry.key())
        })
    }

    /// What a person said counts as if the provider had said it.
    fn rulings(&mut self, ask: &Ask, before: Option<&Entry>, providers: &mut [Provider]) {
        if let (Ask::Ruled(Ruling::Retry), Some(before)) = (ask, before) {
            self.asked(&before.request);
            self.given_up.insert((before.key(), before.hold.attempt));
            let all = providers.iter_mut().flat_map(|provider| provider.made.iter_mut());
            all.filter(|made| made.key == before.key()).for_each(|made| made.released = true);
        }
    }

    /// An end that the ledger hears is the end that the provider says.
    fn kept(
        before: Option<&Entry>,
        entry: &Entry,
        ask: &Ask,
        providers: &mut [Provider],
        now: Timestamp,
    ) -> Holds {
        let Ask::Ended(ending) = ask else { return Ok(()) };
        let id = before.and_then(|before| before.prediction.as_ref()).or(ending.prediction.as_ref());
        let Some(id) = id.filter(|_| entry.terms.bills) else { return Ok(()) };
        let Some(made) = made_mut(providers, entry.provider(), id) else { return Ok(()) };
        made.released = made.status(now).is_terminal() && !made.is_worth_something(now);
        must(made.released, Invariant::NothingLost, || {
            format!("`{}` is {:?}, and counts as {} for us", id.0, made.status(now), entry.state)
        })
    }

    fn output(entry: &Entry, ask: &Ask, store: &Store) -> Holds {
        let (Ask::Fetched(_), Some(output)) = (ask, &entry.output) else { return Ok(()) };
        must(*output == output_of(&entry.request), Invariant::RightOutput, || {
            format!("{} has {output:?} of another request", entry.key())
        })?;
        must(store.has_files(output), Invariant::StoredFirst, || {
            format!("{} succeeded, and its files are not there", entry.key())
        })
    }

    /// What has no price cannot be held, and was allowed all the same.
    fn budgets(entry: &Entry, verdict: &Verdict, store: &Store, now: Timestamp) -> Holds {
        if !entry.terms.bills {
            return Ok(());
        }
        let unpriced = matches!(verdict, Verdict::Create(_)) && entry.hold.reserved.is_none();
        must(!(unpriced && entry.claim.only_priced), Invariant::Budget, || {
            format!("{} is created without a price", entry.key())
        })?;
        for account in &entry.hold.accounts {
            let held = store.rows.held(account, now);
            let Some(limit) = held.limit else { continue };
            let at_our_prices = store.rows.held_at_our_prices(account, now);
            must(at_our_prices <= limit, Invariant::Budget, || {
                format!("{account} holds {at_our_prices} of {limit}")
            })?;
            let creates = matches!(verdict, Verdict::Create(_)) && entry.hold.at == now;
            must(!creates || held.overcharge == MicroUsd::ZERO, Invariant::Budget, || {
                format!("{account} was overcharged by {}, and another is created", held.overcharge)
            })?;
        }
        Ok(())
    }

    /// What was received of a key is in the books, with no less than it is billed.
    pub fn booked(&self, key: &Key, store: &Store, providers: &[Provider], now: Timestamp) -> Holds {
        for provider in providers.iter().filter(|provider| provider.terms().bills) {
            for made in provider.made.iter().filter(|made| made.key == *key) {
                self.one_booked(made, provider, store, now)?;
            }
        }
        Ok(())
    }

    fn one_booked(&self, made: &Made, provider: &Provider, store: &Store, now: Timestamp) -> Holds {
        let (key, attempt) = self.owner(made, provider);
        let holds = store.rows.holds.iter();
        let mut holds = holds.filter(|((of, number, _), _)| *of == key && *number == attempt).peekable();
        must(holds.peek().is_some(), Invariant::Booked, || format!("`{}` is not booked", made.id.0))?;
        for ((_, _, account), hold) in holds {
            let (Some(settled), Some(reserved)) = (hold.settled, hold.reserved) else { continue };
            let billed = made.billed(now);
            must(settled >= billed.min(reserved), Invariant::Booked, || {
                format!("`{}` costs {billed}, and {settled} are booked on {account}", made.id.0)
            })?;
        }
        Ok(())
    }

    /// The entry that has a prediction, else the one that it was sent for.
    fn owner(&self, made: &Made, provider: &Provider) -> (Key, u64) {
        let owner = self.owners.get(&(provider.name(), made.id.clone()));
        owner.copied().unwrap_or((made.key, made.attempt))
    }

    /// Whatever was paid for is known in the end: it has an output, or it is followed, in doubt,
    /// or booked as spent. Of lost creates of one request nobody can tell which is whose; there
    /// are no more of them than entries that wait for one.
    pub fn accounted(&self, store: &Store, providers: &[Provider], now: Timestamp) -> Holds {
        let mut open: BTreeMap<String, usize> = BTreeMap::new();
        let waits = |entry: &&Arc<Entry>| matches!(entry.state, State::Intended | State::InDoubt);
        for entry in store.rows.entries.values().filter(waits) {
            *open.entry(wire(&entry.request, Files::Known)).or_default() += 1;
        }
        for provider in providers.iter().filter(|provider| provider.terms().bills) {
            for made in &provider.made {
                self.one_booked(made, provider, store, now)?;
                let owner = self.owners.get(&(provider.name(), made.id.clone()));
                let known = match owner.and_then(|(key, _)| store.rows.entries.get(key)) {
                    _ if made.released => true,
                    Some(entry) => entry.prediction.as_ref() == Some(&made.id),
                    None => match open.get_mut(&wire(&made.request, Files::Known)) {
                        Some(left) if *left > 0 => {
                            *left -= 1;
                            true
                        }
                        _ => false,
                    },
                };
                must(known, Invariant::NothingLost, || {
                    let state = store.rows.entries.get(&made.key).map(|entry| entry.state);
                    format!("`{}` was paid for, nobody has it, and its entry is {state:?}", made.id.0)
                })?;
            }
        }
        Ok(())
    }

    /// True while an entry has this prediction.
    pub fn is_owned(&self, provider: &Provider, id: &PredictionId) -> bool {
        self.owners.contains_key(&(provider.name(), id.clone()))
    }
}

/// What an entry that was created may be besides followed to its end: free ones are simply made
/// again, and of what cannot be asked nobody knows.
fn may_leave_created(ask: &Ask, entry: &Entry) -> bool {
    match ask {
        Ask::Ended(_) => entry.state == State::Aborted,
        Ask::Claim { .. } => !entry.terms.bills || !entry.terms.get,
        _ => false,
    }
}

fn made_mut<'a>(
    providers: &'a mut [Provider],
    name: &ProviderName,
    id: &PredictionId,
) -> Option<&'a mut Made> {
    let provider = providers.iter_mut().find(|provider| provider.name() == *name)?;
    let number = provider.find(id)?;
    provider.made.get_mut(number)
}
