//! How many creates the server takes: a token bucket, and a memory of who came back too early.

use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many creates are taken: written `600/min` or `600/min+20`, with the burst after the plus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    per_second: f64,
    burst: f64,
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a limit: expected `600/min`, or `600/min+20` with a burst")]
pub struct BadLimit(String);

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let read = || {
            let (rate, burst) = text.split_once('+').unwrap_or((text, "1"));
            let (rate, burst): (f64, u32) = (rate.strip_suffix("/min")?.parse().ok()?, burst.parse().ok()?);
            let sensible = rate.is_finite() && rate > 0.0 && burst > 0;
            sensible.then_some(Self { per_second: rate / 60.0, burst: burst.into() })
        };
        read().ok_or_else(|| BadLimit(text.to_owned()))
    }
}

/// What is left of a limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Limit,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    creates: f64,
    since: Instant,
    /// What the last refused was told.
    not_before: Option<Instant>,
}

/// Refused for now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Whole seconds, as the header has them.
    pub retry_after: u32,
    /// It came before the time that was told to the last who was refused.
    pub early: bool,
}

impl Limiter {
    pub fn new(limit: Limit) -> Self {
        let left = Left { creates: limit.burst, since: Instant::now(), not_before: None };
        Self { limit, left: Mutex::new(left) }
    }

    /// A create arrives.
    pub fn take(&self) -> Result<(), TooMany> {
        let mut left = self.left.lock().expect("nobody panics while holding it");
        let now = Instant::now();
        let come = now.duration_since(left.since).as_secs_f64() * self.limit.per_second;
        left.creates = (left.creates + come).min(self.limit.burst);
        left.since = now;
        let early = left.not_before.is_some_and(|not_before| now < not_before);
        if left.creates >= 1.0 {
            left.creates -= 1.0;
            return Ok(());
        }
        let retry_after = ((1.0 - left.creates) / self.limit.per_second).ceil().max(1.0) as u32;
        left.not_before = Some(now + Duration::from_secs(retry_after.into()));
        Err(TooMany { retry_after, early })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_with_and_without_a_burst() {
        let read = |text: &str| text.parse::<Limit>().ok();
        assert_eq!(read("600/min+20"), Some(Limit { per_second: 10.0, burst: 20.0 }));
        assert_eq!(read("6/min"), Some(Limit { per_second: 0.1, burst: 1.0 }));
        for wrong in ["", "600", "600/s", "0/min", "600/min+0", "600/min+x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_too_much_is_told_when_to_come_back_and_seen_when_it_comes_too_early() {
        let limiter = Limiter::new("6/min+2".parse().unwrap());
        assert_eq!([limiter.take(), limiter.take()], [Ok(()), Ok(())]);
        assert_eq!(limiter.take(), Err(TooMany { retry_after: 10, early: false }));
        assert_eq!(limiter.take(), Err(TooMany { retry_after: 10, early: true }));
    }
}
