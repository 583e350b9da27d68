//! How often a credential may be used: a token bucket that listens to its provider.
//!
//! A [`Bucket`] is asked before each call and told how a provider answered; waiting, and
//! sharing it between processes, is the work of `castline-store` and `castline-runner`.
//! Times are arguments, as everywhere in the core.
//!
//! Start reading at [`Bucket::take`].

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest pause that a provider may ask for. Microseconds, as all that follow.
const LONGEST: i64 = 60 * 60 * SECOND;
/// The least distance of calls after a first refusal.
const FIRST_SPACING: i64 = 250_000;
/// The greatest distance of calls. Low credit means ten seconds, and more has been seen.
const WIDEST: i64 = 60 * SECOND;
/// Calls this near to each other need no distance any more.
const NEAR: i64 = 20_000;
/// Microseconds.
const SECOND: i64 = 1_000_000;

/// How often calls may be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls a minute; more than zero.
    pub per_minute: f64,
    /// How many may be made at once after a rest; at least one.
    pub burst: u32,
}

impl Rate {
    /// So many a minute, and what falls to one second at once: a server that allows a larger
    /// burst sees calls that the network has pushed together, and none too early.
    pub fn per_minute(per_minute: f64) -> Self {
        Self { per_minute, burst: (per_minute / 60.0).floor().clamp(1.0, 1_000.0) as u32 }
    }

    /// Microseconds.
    fn interval(self) -> i64 {
        ((60_000_000.0 / self.per_minute).ceil() as i64).clamp(1, LONGEST)
    }
}

/// What was used of a rate, and what the provider has said of it.
///
/// Times are microseconds since 1970, so that several processes can share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// When everything that was used will have come back.
    full: i64,
    /// The last call.
    last: i64,
    /// Nothing is called before that.
    paused: i64,
    /// The least distance of calls, learned from refusals; zero without any. Microseconds.
    spacing: i64,
}

impl Bucket {
    /// Takes a turn now, or says how long to wait before asking again. Without a rate only what
    /// the provider has said counts.
    pub fn take(&mut self, rate: Option<Rate>, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_microsecond();
        self.heal(rate, now);
        let interval = rate.map_or(0, Rate::interval);
        let room = rate.map_or(0, |rate| interval * i64::from(rate.burst.max(1) - 1));
        let begins = self.full.max(now);
        let wait = [begins - now - room, self.paused - now, self.last + self.spacing - now];
        let wait = wait.into_iter().max().unwrap_or_default();
        if wait > 0 {
            return Err(Duration::from_micros(wait.unsigned_abs()));
        }
        if rate.is_some() {
            self.full = begins + interval;
        }
        // Without a distance to keep, a call leaves nothing behind that others must know.
        if self.spacing > 0 {
            self.last = now;
        }
        Ok(())
    }

    /// The provider said "not now", perhaps until when. Everybody pauses, and then goes on more
    /// slowly, one by one.
    pub fn refused(&mut self, retry_after: Option<Duration>, now: Timestamp) {
        let now = now.as_microsecond();
        let asked = retry_after.map_or(0, |asked| i64::try_from(asked.as_micros()).unwrap_or(LONGEST));
        // What was on its way already when the first was refused tells nothing new.
        let known = if now < self.paused { self.spacing } else { self.spacing * 3 / 2 };
        let wider = known.max(asked).clamp(FIRST_SPACING, WIDEST);
        self.spacing = wider;
        self.paused = self.paused.max(now + asked.max(wider).min(LONGEST));
    }

    /// The provider took a call: the next may follow a little sooner.
    pub fn accepted(&mut self) {
        self.spacing = self.spacing * 4 / 5;
        if self.spacing < NEAR {
            self.spacing = 0;
        }
    }

    /// True when a provider's refusal still counts, so that its acceptance is worth telling.
    pub fn is_slowed(&self) -> bool {
        self.spacing > 0
    }

    /// A clock that was set back must not stop everything.
    fn heal(&mut self, rate: Option<Rate>, now: i64) {
        let used = rate.map_or(0, |rate| rate.interval() * i64::from(rate.burst.max(1)));
        if self.full > now + used {
            self.full = now;
        }
        if self.last > now {
            self.last = now;
        }
        if self.paused > now + LONGEST {
            self.paused = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + millis).unwrap()
    }

    /// When so many calls are made that are all wanted at once. Milliseconds.
    fn calls(bucket: &mut Bucket, rate: Option<Rate>, count: usize, from: i64) -> Vec<i64> {
        let mut now = from * 1000;
        let mut made = vec![];
        while made.len() < count {
            match bucket.take(rate, Timestamp::from_microsecond(1_000_000_000 + now).unwrap()) {
                Ok(()) => made.push(now / 1000),
                Err(wait) => now += wait.as_micros() as i64,
            }
        }
        made
    }

    #[test]
    fn a_burst_and_then_one_after_the_other() {
        let mut bucket = Bucket::default();
        let rate = Rate { per_minute: 600.0, burst: 3 };
        assert_eq!(calls(&mut bucket, Some(rate), 6, 0), [0, 0, 0, 100, 200, 300]);
        assert_eq!(calls(&mut bucket, Some(rate), 4, 10_000), [10_000, 10_000, 10_000, 10_100]);
    }

    #[test]
    fn a_published_rate_allows_a_second_of_calls_at_once() {
        assert_eq!(Rate::per_minute(600.0).burst, 10);
        assert_eq!(Rate::per_minute(6.0).burst, 1);
    }

    #[test]
    fn without_a_rate_nothing_waits_until_the_provider_refuses() {
        let mut bucket = Bucket::default();
        assert_eq!(calls(&mut bucket, None, 3, 0), [0, 0, 0]);
        bucket.refused(Some(Duration::from_secs(10)), at(0));
        assert_eq!(bucket.take(None, at(0)), Err(Duration::from_secs(10)));
        assert_eq!(calls(&mut bucket, None, 3, 0), [10_000, 20_000, 30_000], "one by one");
    }

    #[test]
    fn refusals_of_what_was_on_its_way_together_count_once() {
        let (mut one, mut many) = (Bucket::default(), Bucket::default());
        one.refused(None, at(0));
        (0..16).for_each(|n| many.refused(None, at(n)));
        assert_eq!(calls(&mut one, None, 2, 10_000), calls(&mut many, None, 2, 10_000));
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let mut bucket = Bucket::default();
        bucket.refused(Some(Duration::from_secs(30)), at(0));
        bucket.refused(Some(Duration::from_secs(1)), at(100));
        assert!(bucket.take(None, at(29_000)).is_err());
    }

    #[test]
    fn what_the_provider_takes_makes_it_quick_again() {
        let mut bucket = Bucket::default();
        bucket.refused(None, at(0));
        assert!(bucket.is_slowed());
        for _ in 0..20 {
            bucket.accepted();
        }
        assert!(!bucket.is_slowed());
        assert_eq!(calls(&mut bucket, None, 2, 1_000), [1_000, 1_000]);
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nothing() {
        let mut bucket = Bucket::default();
        let rate = Some(Rate::per_minute(60.0));
        assert_eq!(bucket.take(rate, at(100_000_000)), Ok(()));
        bucket.refused(None, at(100_000_000));
        let wait = bucket.take(rate, at(0)).err().unwrap_or_default();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
    }

    proptest! {
        #[test]
        fn no_window_has_more_calls_than_its_time_and_the_burst(
            per_minute in 1.0..6000.0f64,
            burst in 1u32..30,
            gaps in proptest::collection::vec(0u64..5_000, 1..60),
        ) {
            let rate = Rate { per_minute, burst };
            let mut bucket = Bucket::default();
            let (mut now, mut made) = (0i64, vec![]);
            for gap in gaps {
                now += gap as i64 * 1000;
                while let Err(wait) = bucket.take(Some(rate), Timestamp::from_microsecond(now).unwrap()) {
                    now += wait.as_micros() as i64;
                }
                made.push(now);
            }
            for (i, first) in made.iter().enumerate() {
                for (j, last) in made.iter().enumerate().skip(i) {
                    let allowed = f64::from(burst) + (last - first) as f64 / 60_000_000.0 * per_minute;
                    prop_assert!((j - i + 1) as f64 <= allowed + 1e-6);
                }
            }
        }
    }
}
