//! How far a provider's clock is from ours, by the dates of its answers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;

/// The provider's clock minus ours, as its last answer with a date had it.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<SignedDuration>>);

impl Clock {
    /// What was last seen.
    pub fn offset(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what an answer shows; an answer without a date changes nothing.
    pub fn see(&self, offset: Option<SignedDuration>) {
        if offset.is_some() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = offset;
        }
    }
}

/// The server's clock minus ours: its date was written half a round trip ago, to the second.
pub(super) fn offset(headers: &HeaderMap, now: Timestamp, round_trip: Duration) -> Option<SignedDuration> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    // A stored answer tells when it was stored.
    if header("age").is_some_and(|age| age.trim() != "0") {
        return None;
    }
    let written = now.checked_sub(round_trip / 2).ok()?;
    Some(date(header("date")?)?.duration_since(written))
}

/// The time of a `Date`, `Expires` or `Retry-After` header.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(text).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn seen(headers: &[(&'static str, &'static str)]) -> Option<i64> {
        let headers = headers
            .iter()
            .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
            .collect::<HeaderMap>();
        let now = "2026-05-04T09:15:04Z".parse().unwrap();
        offset(&headers, now, Duration::from_secs(4)).map(|d| d.as_secs())
    }

    #[test]
    fn pitfall_27_the_offset_is_measured_in_the_middle_of_the_round_trip() {
        assert_eq!(seen(&[("date", "Mon, 04 May 2026 09:25:02 GMT")]), Some(600));
        assert_eq!(seen(&[("date", "Mon, 04 May 2026 09:15:00 GMT"), ("age", "0")]), Some(-2));
    }

    #[test]
    fn pitfall_27_an_answer_without_a_date_of_its_own_tells_nothing() {
        let stored = ("date", "Mon, 04 May 2026 09:25:02 GMT");
        assert_eq!([seen(&[stored, ("age", "90")]), seen(&[]), seen(&[("date", "soon")])], [None; 3]);
        let clock = Clock::default();
        clock.see(Some(SignedDuration::from_secs(7)));
        clock.see(None);
        assert_eq!(clock.offset(), Some(SignedDuration::from_secs(7)));
    }
}
