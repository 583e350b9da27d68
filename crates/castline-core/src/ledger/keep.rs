//! Decides which entries of the ledger may be forgotten when nobody refers to them any more.
//!
//! Money that is not settled, and what is open, in doubt or expired, is for a person or a
//! run to decide and always stays. What an entry was made from stays with it: without that
//! its key could not be found again.
//!
//! Start reading at [`forgettable`].

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::money::MicroUsd;
use crate::request::Key;

use super::booking::Spent;
use super::entry::{Entry, State};

/// What must be known of an entry to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Its key.
    pub key: Key,
    /// How far it has come.
    pub state: State,
    /// The number of its last claim.
    pub claim: u64,
    /// Money is reserved for it and not settled.
    pub reserved: bool,
    /// Files that it sends.
    pub reads: Vec<Digest>,
    /// Files of its output.
    pub gives: Vec<Digest>,
    /// What its output cost; none where nobody took money for one.
    pub worth: Option<Spent>,
}

impl From<&Entry> for Holding {
    fn from(entry: &Entry) -> Self {
        let digests = |value: &crate::value::Value| -> Vec<Digest> {
            value.media().into_iter().map(|file| file.digest).collect()
        };
        let hold = &entry.hold;
        let paid = entry.terms.bills && entry.state == State::Succeeded;
        let worth = paid.then(|| match hold.settled.or(hold.reserved) {
            Some(settled) => Spent { creates: 1, settled, ..Spent::default() },
            None => Spent { creates: 1, unknown: 1, ..Spent::default() },
        });
        Self {
            key: entry.key(),
            state: entry.state,
            claim: entry.claim.number,
            reserved: hold.settled.is_none() && hold.reserved.is_some_and(|usd| usd > MicroUsd::ZERO),
            reads: entry.request.input.values().flat_map(digests).collect(),
            gives: entry.output.iter().flat_map(|output| digests(&output.raw)).collect(),
            worth,
        }
    }
}

impl Holding {
    /// It stays, whoever refers to it.
    fn is_unsettled(&self) -> bool {
        self.reserved
            || matches!(self.state, State::Intended | State::Created | State::InDoubt | State::Expired)
    }
}

/// The places of those entries that may be forgotten, in their order. `wanted` says whether
/// somebody outside of the ledger refers to a key or a file.
pub fn forgettable(holdings: &[Holding], wanted: &dyn Fn(&Digest) -> bool) -> Vec<usize> {
    let mut makers: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
    for (place, holding) in holdings.iter().enumerate() {
        holding.gives.iter().for_each(|file| makers.entry(*file).or_default().push(place));
    }
    let is_root = |holding: &Holding| {
        holding.is_unsettled() || wanted(&holding.key.0) || holding.gives.iter().any(wanted)
    };
    let mut stays: BTreeSet<usize> = (0..holdings.len()).filter(|place| is_root(&holdings[*place])).collect();
    let mut open: Vec<usize> = stays.iter().copied().collect();
    while let Some(place) = open.pop() {
        let sources = holdings[place].reads.iter().filter_map(|file| makers.get(file)).flatten();
        for source in sources {
            if stays.insert(*source) {
                open.push(*source);
            }
        }
    }
    (0..holdings.len()).filter(|place| !stays.contains(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// `sheet: a b -> s` reads the files `a` and `b` and gives `s`.
    fn holding(text: &str, state: State) -> Holding {
        let (name, files) = text.split_once(": ").unwrap();
        let (reads, gives) = files.split_once("-> ").unwrap();
        let digests = |names: &str| names.split_whitespace().map(digest).collect();
        Holding {
            key: Key(digest(name)),
            state,
            claim: 1,
            reserved: false,
            reads: digests(reads),
            gives: digests(gives),
            worth: None,
        }
    }

    fn forgotten(holdings: &[Holding], wanted: &[&str]) -> Vec<usize> {
        let wanted: BTreeSet<Digest> = wanted.iter().map(|name| digest(name)).collect();
        forgettable(holdings, &|digest| wanted.contains(digest))
    }

    #[test]
    fn what_nobody_refers_to_may_be_forgotten() {
        let all = [
            holding("draft: -> d", State::Succeeded),
            holding("other: -> o", State::Succeeded),
            holding("failed: d -> ", State::Failed),
        ];
        assert_eq!(forgotten(&all, &[]), [0, 1, 2]);
        assert_eq!(forgotten(&all, &["other"]), [0, 2]);
        assert_eq!(forgotten(&all, &["o"]), [0, 2], "somebody has its file");
    }

    #[test]
    fn what_is_open_in_doubt_expired_or_not_settled_stays() {
        for state in [State::Intended, State::Created, State::InDoubt, State::Expired] {
            assert_eq!(forgotten(&[holding("boat: -> ", state)], &[]), [0; 0], "{state}");
        }
        let reserved = Holding { reserved: true, ..holding("boat: -> ", State::Succeeded) };
        assert_eq!(forgotten(&[reserved], &[]), [0; 0]);
        for state in [State::Succeeded, State::Failed, State::Canceled, State::Aborted] {
            assert_eq!(forgotten(&[holding("boat: -> ", state)], &[]), [0], "{state}");
        }
    }

    #[test]
    fn what_something_was_made_from_stays_with_it_however_far_back() {
        let all = [
            holding("draft: -> d", State::Succeeded),
            holding("twin: -> d", State::Succeeded),
            holding("styled: d -> s", State::Succeeded),
            holding("sheet: s -> x", State::Succeeded),
            holding("unused: d -> u", State::Succeeded),
        ];
        assert_eq!(forgotten(&all, &["sheet"]), [4]);
        let circle = [holding("a: b -> a", State::Succeeded), holding("b: a -> b", State::Succeeded)];
        assert_eq!(forgotten(&circle, &["b"]), [0; 0]);
    }
}
