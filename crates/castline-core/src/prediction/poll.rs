//! When to ask for a prediction's state again.

use std::time::Duration;

use jiff::Timestamp;

use super::PATIENCE;
use super::fault::CallFault;

const FIRST: Duration = Duration::from_millis(100);
const GROWN: Duration = Duration::from_secs(2);
const LEAST: Duration = Duration::from_millis(10);
/// Logs and progress want to be seen now and then, however long a prediction takes.
const RARELY: Duration = Duration::from_secs(5);
const AFTER_FAULT: Duration = Duration::from_millis(500);
const AFTER_FAULTS: Duration = Duration::from_secs(30);

/// The rhythm of the polls of one prediction.
///
/// While nothing is known of a model: 100 ms, then half as much again, up to 2 s. With
/// learned times: first when the fastest quarter is usually done, then every twentieth of
/// the time that has passed.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    since: Timestamp,
    p25: Option<Duration>,
    interval: Duration,
    faults: u32,
}

impl Poll {
    pub(crate) fn new(since: Timestamp, p25: Option<Duration>) -> Self {
        Self { since, p25, interval: FIRST, faults: 0 }
    }

    /// How long to wait after an answer.
    pub(crate) fn next(&mut self, now: Timestamp) -> Duration {
        self.faults = 0;
        if let Some(p25) = self.p25 {
            let passed = elapsed(self.since, now);
            return p25
                .saturating_sub(passed)
                .max(passed / 20)
                .max(LEAST)
                .min(RARELY.max(p25.saturating_sub(passed)));
        }
        let wait = self.interval;
        self.interval = (self.interval * 3 / 2).min(GROWN);
        wait
    }

    /// How long to wait after a call that gave no answer.
    pub(crate) fn after(&mut self, fault: &CallFault) -> Duration {
        let wait = backoff(AFTER_FAULT, self.faults, AFTER_FAULTS);
        self.faults += 1;
        fault.asked().map_or(wait, |asked| asked.clamp(LEAST, PATIENCE))
    }

    /// Begins anew, after something happened that should soon show.
    pub(crate) fn restart(&mut self) -> Duration {
        self.p25 = None;
        self.interval = GROWN.min(FIRST * 3 / 2);
        FIRST
    }
}

/// `first`, doubled for each former try, up to `most`.
pub(crate) fn backoff(first: Duration, tries: u32, most: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(tries)).min(most)
}

/// Time between two moments; none when the clock went backwards.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn millis(polls: impl IntoIterator<Item = Duration>) -> Vec<u128> {
        polls.into_iter().map(|d| d.as_millis()).collect()
    }

    #[test]
    fn an_unknown_model_is_asked_often_and_then_every_two_seconds() {
        let mut poll = Poll::new(at(0), None);
        let waits = millis((0..10).map(|_| poll.next(at(0))));
        assert_eq!(waits, [100, 150, 225, 337, 506, 759, 1139, 1708, 2000, 2000]);
    }

    #[test]
    fn a_known_model_is_first_asked_when_it_may_be_done() {
        let mut poll = Poll::new(at(0), Some(Duration::from_secs(6)));
        let waits = [0, 1_000, 6_000, 40_000, 1_000_000].map(|now| poll.next(at(now)));
        assert_eq!(millis(waits), [6_000, 5_000, 300, 2_000, 5_000]);
        let mut quick = Poll::new(at(0), Some(Duration::from_millis(50)));
        assert_eq!(millis([quick.next(at(50))]), [10]);
    }

    #[test]
    fn faults_slow_polls_down_and_an_answer_speeds_them_up() {
        let lost = CallFault::Gone;
        let mut poll = Poll::new(at(0), None);
        let waits = millis((0..8).map(|_| poll.after(&lost)));
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        poll.next(at(0));
        assert_eq!(poll.after(&lost), AFTER_FAULT);
        let busy = CallFault::Busy { message: String::new(), retry_after: Some(Duration::from_secs(90)) };
        assert_eq!(poll.after(&busy), PATIENCE);
    }
}
