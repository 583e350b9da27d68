//! Virtual time, what will happen in it, and the log of what has.
//!
//! Nothing here waits: the time is that of the next thing to happen. What happens at the same
//! time happens in an order that the seed chooses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::chance::Chance;

/// When every simulation begins: 2026-01-01.
const BEGINNING: i64 = 1_767_225_600;

/// What will happen, and the clock.
pub struct Scheduler<T> {
    now: Timestamp,
    queue: BinaryHeap<Reverse<(Timestamp, u64, u64)>>,
    things: BTreeMap<u64, T>,
    count: u64,
    chance: Chance,
}

impl<T> Scheduler<T> {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::from_second(BEGINNING).expect("it is a time"),
            queue: BinaryHeap::new(),
            things: BTreeMap::new(),
            count: 0,
            chance: Chance::new(seed, "order"),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How long the simulation has lasted, in its own time.
    pub fn passed(&self) -> Duration {
        let beginning = Timestamp::from_second(BEGINNING).expect("it is a time");
        Duration::try_from(self.now.duration_since(beginning)).unwrap_or_default()
    }

    /// Something happens after a while.
    pub fn after(&mut self, wait: Duration, thing: T) {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        self.at(self.now.saturating_add(wait).unwrap_or(Timestamp::MAX), thing);
    }

    /// Something happens then, or now when that is past.
    pub fn at(&mut self, time: Timestamp, thing: T) {
        let number = self.count;
        self.count += 1;
        let place = self.chance.number();
        self.queue.push(Reverse((time.max(self.now), place, number)));
        self.things.insert(number, thing);
    }

    /// The next thing, and the time goes on to it.
    pub fn next(&mut self) -> Option<T> {
        let Reverse((time, _, number)) = self.queue.pop()?;
        self.now = time;
        self.things.remove(&number)
    }
}

/// What has happened, in a line each: counted and digested, and kept or printed when asked for.
pub struct Log {
    digest: Sha256,
    pub count: u64,
    show: bool,
    /// How often each kind of thing happened, for the figures.
    pub kinds: BTreeMap<&'static str, u64>,
}

impl Log {
    pub fn new(show: bool) -> Self {
        Self { digest: Sha256::new(), count: 0, show, kinds: BTreeMap::new() }
    }

    /// Writes a line.
    pub fn line(&mut self, kind: &'static str, now: Timestamp, what: fmt::Arguments<'_>) {
        let line = format!("{} {kind} {what}\n", now.as_microsecond());
        self.digest.update(line.as_bytes());
        self.count += 1;
        self.count_kind(kind);
        if self.show {
            eprintln!("{now:.6} {kind}: {what}");
        }
    }

    /// One more of a kind.
    pub fn count_kind(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Of all lines so far.
    pub fn digest(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }
}
