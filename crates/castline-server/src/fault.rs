//! What goes wrong on purpose: written `create:503*2` on a command line.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

/// Something that goes wrong, for the first so many times or always.
///
/// | written | what happens |
/// | --- | --- |
/// | `create:503`, `get:500`, `cancel:404`, `list:500` | the call is answered with that status, and nothing else happens |
/// | `create:429=1` | the same with `Retry-After: 1` |
/// | `create:html`, `get:html`, ... | a web page with status 200 |
/// | `create:echo`, `get:echo`, ... | refused with 401, in words that repeat the token of the call |
/// | `create:drop`, `get:drop`, ... | the connection ends without an answer; nothing was done |
/// | `create:drop-after` | the prediction is created, then the connection ends without an answer |
/// | `predict:fail=TEXT`, `predict:fail-null` | the prediction fails with that error, or without one |
/// | `predict:cancel` | the prediction is canceled by nobody |
/// | `output:null` | it succeeds with a null output |
/// | `output:wrong-type` | its files are text |
/// | `output:empty`, `output:truncated`, `output:404`, `output:html` | what a download of an output gives |
/// | `status:unknown` | a poll shows a status that nobody knows |
/// | `wrap` | a poll is answered inside CometAPI's envelope |
///
/// `*N` at the end limits any of them to the first N times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: Kind,
    times: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One call of the API is answered so.
    Call(Route, Disturbance),
    /// The prediction ends so.
    Predict(BadEnd),
    /// The output is so when the prediction is read.
    Output(BadOutput),
    /// The download of an output ends so.
    Download(BadDownload),
    /// A poll shows an unknown status.
    UnknownStatus,
    /// A poll is answered inside an envelope.
    Wrap,
}

/// A route of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Create,
    Get,
    List,
    Cancel,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    Status {
        code: u16,
        retry_after: Option<u32>,
    },
    Html,
    /// Refused in words that repeat the `Authorization` header.
    Echo,
    /// Nothing is done and nothing answered.
    Drop,
    /// Everything is done and nothing answered.
    DropAfter,
}

/// How a prediction ends badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadEnd {
    Failed(Option<String>),
    Canceled,
}

/// What is wrong with an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadOutput {
    Null,
    WrongType,
}

/// What is wrong with a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadDownload {
    Empty,
    Truncated,
    NotFound,
    Html,
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a fault: {why}")]
pub struct BadFault {
    text: String,
    why: String,
}

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = |why: String| BadFault { text: text.to_owned(), why };
        let (what, times) = split_times(text).map_err(bad)?;
        Ok(Self { kind: kind(what).map_err(bad)?, times })
    }
}

fn split_times(text: &str) -> Result<(&str, Option<u32>), String> {
    match text.rsplit_once('*') {
        Some((what, times)) if !times.is_empty() && times.bytes().all(|b| b.is_ascii_digit()) => {
            match times.parse() {
                Ok(0) | Err(_) => Err(format!("`{times}` is not a number of times")),
                Ok(times) => Ok((what, Some(times))),
            }
        }
        _ => Ok((text, None)),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let (place, what) = text.split_once(':').unwrap_or((text, ""));
    match place {
        "create" => disturbance(what, true).map(|d| Kind::Call(Route::Create, d)),
        "get" => disturbance(what, false).map(|d| Kind::Call(Route::Get, d)),
        "list" => disturbance(what, false).map(|d| Kind::Call(Route::List, d)),
        "cancel" => disturbance(what, false).map(|d| Kind::Call(Route::Cancel, d)),
        "predict" => bad_end(what).map(Kind::Predict),
        "output" => bad_output(what),
        "status" if what == "unknown" => Ok(Kind::UnknownStatus),
        "status" => Err("after `status:` comes `unknown`".to_owned()),
        "wrap" if what.is_empty() => Ok(Kind::Wrap),
        _ => Err("it begins with create:, get:, list:, cancel:, predict:, output:, status: or is `wrap`"
            .to_owned()),
    }
}

fn disturbance(what: &str, create: bool) -> Result<Disturbance, String> {
    match what {
        "html" => return Ok(Disturbance::Html),
        "echo" => return Ok(Disturbance::Echo),
        "drop" => return Ok(Disturbance::Drop),
        "drop-after" if create => return Ok(Disturbance::DropAfter),
        _ => {}
    }
    let (code, delay) = what.split_once('=').map_or((what, None), |(code, delay)| (code, Some(delay)));
    let code = code.parse().ok().filter(|code| (300..600).contains(code));
    match (code, delay.map(str::parse)) {
        (Some(code), None) => Ok(Disturbance::Status { code, retry_after: None }),
        (Some(code), Some(Ok(seconds))) => Ok(Disturbance::Status { code, retry_after: Some(seconds) }),
        (Some(_), Some(Err(_))) => Err("after `=` come seconds for Retry-After".to_owned()),
        (None, _) => {
            let after = if create { ", drop-after" } else { "" };
            Err(format!("after the colon comes a status from 300 to 599, html, echo, drop{after}"))
        }
    }
}

fn bad_end(what: &str) -> Result<BadEnd, String> {
    match what {
        "fail-null" => Ok(BadEnd::Failed(None)),
        "cancel" => Ok(BadEnd::Canceled),
        _ => match what.strip_prefix("fail=") {
            Some(error) if !error.is_empty() => Ok(BadEnd::Failed(Some(error.to_owned()))),
            _ => Err("after `predict:` comes fail=TEXT, fail-null or cancel".to_owned()),
        },
    }
}

fn bad_output(what: &str) -> Result<Kind, String> {
    Ok(match what {
        "null" => Kind::Output(BadOutput::Null),
        "wrong-type" => Kind::Output(BadOutput::WrongType),
        "empty" => Kind::Download(BadDownload::Empty),
        "truncated" => Kind::Download(BadDownload::Truncated),
        "404" => Kind::Download(BadDownload::NotFound),
        "html" => Kind::Download(BadDownload::Html),
        _ => return Err("after `output:` comes null, wrong-type, empty, truncated, 404 or html".to_owned()),
    })
}

/// The faults of one server, and how often each happened.
pub(crate) struct Faults(Vec<(Fault, AtomicU32)>);

impl Faults {
    pub fn new(faults: Vec<Fault>) -> Self {
        Self(faults.into_iter().map(|f| (f, AtomicU32::new(0))).collect())
    }

    /// The first fault that `picks` takes and that is not used up; it is used once more.
    pub fn take<T>(&self, picks: impl Fn(&Kind) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(fault, used)| {
            let picked = picks(&fault.kind)?;
            let limit = fault.times.unwrap_or(u32::MAX);
            let more = |n: u32| (n < limit).then(|| n.saturating_add(1));
            used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| picked)
        })
    }

    /// What becomes of a call on this route.
    pub fn disturb(&self, route: Route) -> Option<Disturbance> {
        self.take(|kind| match kind {
            Kind::Call(r, disturbance) if *r == route => Some(*disturbance),
            _ => None,
        })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(fault, _)| fault)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault, String> {
        text.parse().map_err(|e: BadFault| e.to_string())
    }

    #[test]
    fn faults_are_read_as_they_are_written() {
        let status = |code, retry_after| Disturbance::Status { code, retry_after };
        let read = |text: &str| parse(text).map(|f| (f.kind, f.times)).unwrap();
        assert_eq!(read("create:503*2"), (Kind::Call(Route::Create, status(503, None)), Some(2)));
        assert_eq!(read("create:429=1"), (Kind::Call(Route::Create, status(429, Some(1))), None));
        assert_eq!(read("create:drop-after*1"), (Kind::Call(Route::Create, Disturbance::DropAfter), Some(1)));
        assert_eq!(read("get:html"), (Kind::Call(Route::Get, Disturbance::Html), None));
        let error = "E005 flagged as sensitive".to_owned();
        assert_eq!(
            read("predict:fail=E005 flagged as sensitive*3"),
            (Kind::Predict(BadEnd::Failed(Some(error))), Some(3))
        );
        assert_eq!(
            read("predict:fail=2 * 3 is 6"),
            (Kind::Predict(BadEnd::Failed(Some("2 * 3 is 6".into()))), None)
        );
        assert_eq!(read("output:truncated*1"), (Kind::Download(BadDownload::Truncated), Some(1)));
        assert_eq!(read("status:unknown*2"), (Kind::UnknownStatus, Some(2)));
        assert_eq!(read("wrap"), (Kind::Wrap, None));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_there_is() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            [
                "crate:503",
                "create:200",
                "get:drop-after",
                "create:429=soon",
                "create:503*0",
                "predict:fail",
                "output:big"
            ]
            .map(refused),
            [
                "`crate:503` is not a fault: it begins with create:, get:, list:, cancel:, predict:, output:, status: or \
                 is `wrap`",
                "`create:200` is not a fault: after the colon comes a status from 300 to 599, html, echo, drop, drop-after",
                "`get:drop-after` is not a fault: after the colon comes a status from 300 to 599, html, echo, drop",
                "`create:429=soon` is not a fault: after `=` come seconds for Retry-After",
                "`create:503*0` is not a fault: `0` is not a number of times",
                "`predict:fail` is not a fault: after `predict:` comes fail=TEXT, fail-null or cancel",
                "`output:big` is not a fault: after `output:` comes null, wrong-type, empty, truncated, 404 or html",
            ]
        );
    }

    #[test]
    fn a_fault_happens_as_often_as_it_says() {
        let faults = Faults::new(vec!["create:503*2".parse().unwrap(), "create:500".parse().unwrap()]);
        let codes: Vec<_> = (0..4)
            .map(|_| match faults.disturb(Route::Create) {
                Some(Disturbance::Status { code, .. }) => code,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(codes, [503, 503, 500, 500]);
        assert_eq!(faults.disturb(Route::Get), None);
    }
}
