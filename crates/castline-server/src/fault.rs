//! What goes wrong on purpose: written `create:503*2` on a command line.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::SignedDuration;

/// Something that goes wrong, for the first so many times or always.
///
/// | written | what happens |
/// | --- | --- |
/// | `create:503`, `get:500`, `cancel:404`, `list:500` | the call is answered with that status, and nothing else happens |
/// | `create:429=1`, `create:429=1@body` | the same with `Retry-After: 1`, or with `retry_after` in the body alone |
/// | `create:html`, `get:html`, ... | a web page with status 200, and nothing else happens |
/// | `create:echo`, `get:echo`, ... | refused with 401, in words that repeat the token of the call |
/// | `create:drop`, `get:drop`, ... | the connection ends without an answer; nothing was done |
/// | `create:drop-after`, `get:drop-after`, ... | the call is carried out, then the connection ends without an answer |
/// | `create:malformed`, ... | the call is carried out, and half of the answer's JSON is missing |
/// | `create:huge`, ... | the call is carried out, and the answer says that it is larger than anybody reads |
/// | `create:slow`, ... | the call is carried out, and the answer dribbles in for half a second |
/// | `create:hold=2`, ... | the call is carried out, and answered after so many seconds |
/// | `create:twin=web`, `create:twin=api` | another client makes the same request, in a browser or by the API; it is not counted |
/// | `predict:fail=TEXT`, `predict:fail-null` | the prediction fails with that error, or without one |
/// | `predict:cancel` | the prediction is canceled by nobody |
/// | `predict:stuck`, `predict:stuck=2` | it stays in `starting` for ever, or for so many seconds |
/// | `output:null` | it succeeds with a null output |
/// | `output:wrong-type` | its files are text |
/// | `output:empty`, `output:truncated`, `output:html` | what a download of an output gives |
/// | `output:404`, `output:500`, ... | the same as a status |
/// | `output:slow`, `output:untyped` | a download dribbles in, or comes as `application/octet-stream` |
/// | `output:redirect`, `output:redirect=URL` | a download leads to itself, or there |
/// | `list:late=2` | a prediction is not listed for so many seconds |
/// | `list:no-input` | inputs are not listed |
/// | `list:rewritten` | other addresses stand in the list where data URIs were sent |
/// | `status:unknown` | a poll shows a status that nobody knows |
/// | `clock:600`, `clock:-600` | the server's clock is off by so many seconds |
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
    /// Another client makes the same request.
    Twin(Source),
    /// The prediction ends so.
    Predict(BadEnd),
    /// The prediction does not start for so long, or never.
    Stuck(Option<Duration>),
    /// The output is so when the prediction is read.
    Output(BadOutput),
    /// The download of an output ends so.
    Download(BadDownload),
    /// A page of the list is so.
    List(OddList),
    /// A poll shows an unknown status.
    UnknownStatus,
    /// The server's clock is off by so much.
    Clock(SignedDuration),
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

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Api,
    Web,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    Status {
        code: u16,
        retry_after: Option<RetryAfter>,
    },
    Html,
    /// Refused in words that repeat the `Authorization` header.
    Echo,
    /// Nothing is done and nothing answered.
    Drop,
    /// Everything is done and nothing answered.
    DropAfter,
    /// Everything is done, and the answer is not as it should be.
    Answer(OddAnswer),
}

/// When to come back, and where that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    pub seconds: u32,
    pub in_body: bool,
}

/// What is wrong with an answer of a call that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OddAnswer {
    Malformed,
    Huge,
    Slow,
    Hold(Duration),
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadDownload {
    Empty,
    Truncated,
    Html,
    Status(u16),
    Slow,
    Untyped,
    /// To another address, or to itself.
    Redirect(Option<String>),
}

/// What is wrong with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OddList {
    Late(Duration),
    NoInput,
    Rewritten,
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
        "create" => match what {
            "twin=web" => Ok(Kind::Twin(Source::Web)),
            "twin=api" => Ok(Kind::Twin(Source::Api)),
            _ => disturbance(what, ", twin=web, twin=api").map(|d| Kind::Call(Route::Create, d)),
        },
        "get" => disturbance(what, "").map(|d| Kind::Call(Route::Get, d)),
        "list" => match odd_list(what) {
            Some(list) => Ok(Kind::List(list)),
            None => {
                disturbance(what, ", late=SECONDS, no-input, rewritten").map(|d| Kind::Call(Route::List, d))
            }
        },
        "cancel" => disturbance(what, "").map(|d| Kind::Call(Route::Cancel, d)),
        "predict" => predict(what),
        "output" => output(what),
        "status" if what == "unknown" => Ok(Kind::UnknownStatus),
        "status" => Err("after `status:` comes `unknown`".to_owned()),
        "clock" => match what.parse() {
            Ok(seconds) => Ok(Kind::Clock(SignedDuration::from_secs(seconds))),
            Err(_) => Err("after `clock:` come seconds".to_owned()),
        },
        "wrap" if what.is_empty() => Ok(Kind::Wrap),
        _ => Err(
            "it begins with create:, get:, list:, cancel:, predict:, output:, status:, clock: or is `wrap`"
                .to_owned(),
        ),
    }
}

/// `further` is what there is besides on this route.
fn disturbance(what: &str, further: &str) -> Result<Disturbance, String> {
    match what {
        "html" => return Ok(Disturbance::Html),
        "echo" => return Ok(Disturbance::Echo),
        "drop" => return Ok(Disturbance::Drop),
        "drop-after" => return Ok(Disturbance::DropAfter),
        "malformed" => return Ok(Disturbance::Answer(OddAnswer::Malformed)),
        "huge" => return Ok(Disturbance::Answer(OddAnswer::Huge)),
        "slow" => return Ok(Disturbance::Answer(OddAnswer::Slow)),
        _ => {}
    }
    if let Some(held) = seconds(what, "hold=") {
        return Ok(Disturbance::Answer(OddAnswer::Hold(held)));
    }
    let (code, delay) = what.split_once('=').map_or((what, None), |(code, delay)| (code, Some(delay)));
    match (status(code), delay.map(retry_after)) {
        (Some(code), None) => Ok(Disturbance::Status { code, retry_after: None }),
        (Some(code), Some(Some(retry_after))) => {
            Ok(Disturbance::Status { code, retry_after: Some(retry_after) })
        }
        (Some(_), Some(None)) => {
            Err("after `=` come seconds for Retry-After, and `@body` if only the body is to say so"
                .to_owned())
        }
        (None, _) => Err(format!(
            "after the colon comes a status from 300 to 599, html, echo, drop, drop-after, malformed, huge, slow, \
             hold=SECONDS{further}"
        )),
    }
}

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|code| (300..600).contains(code))
}

fn retry_after(text: &str) -> Option<RetryAfter> {
    let (seconds, in_body) = text.strip_suffix("@body").map_or((text, false), |seconds| (seconds, true));
    Some(RetryAfter { seconds: seconds.parse().ok()?, in_body })
}

/// `hold=0.5` after `hold=`.
fn seconds(what: &str, word: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(what.strip_prefix(word)?.parse().ok()?).ok()
}

fn odd_list(what: &str) -> Option<OddList> {
    match what {
        "no-input" => Some(OddList::NoInput),
        "rewritten" => Some(OddList::Rewritten),
        _ => seconds(what, "late=").map(OddList::Late),
    }
}

fn predict(what: &str) -> Result<Kind, String> {
    match what {
        "fail-null" => return Ok(Kind::Predict(BadEnd::Failed(None))),
        "cancel" => return Ok(Kind::Predict(BadEnd::Canceled)),
        "stuck" => return Ok(Kind::Stuck(None)),
        _ => {}
    }
    match (what.strip_prefix("fail="), seconds(what, "stuck=")) {
        (Some(error), _) if !error.is_empty() => Ok(Kind::Predict(BadEnd::Failed(Some(error.to_owned())))),
        (_, Some(time)) => Ok(Kind::Stuck(Some(time))),
        _ => Err("after `predict:` comes fail=TEXT, fail-null, cancel, stuck or stuck=SECONDS".to_owned()),
    }
}

fn output(what: &str) -> Result<Kind, String> {
    let download = match what {
        "null" => return Ok(Kind::Output(BadOutput::Null)),
        "wrong-type" => return Ok(Kind::Output(BadOutput::WrongType)),
        "empty" => BadDownload::Empty,
        "truncated" => BadDownload::Truncated,
        "html" => BadDownload::Html,
        "slow" => BadDownload::Slow,
        "untyped" => BadDownload::Untyped,
        "redirect" => BadDownload::Redirect(None),
        _ => match (status(what), what.strip_prefix("redirect=")) {
            (Some(code), _) => BadDownload::Status(code),
            (None, Some(to)) if !to.is_empty() => BadDownload::Redirect(Some(to.to_owned())),
            _ => {
                return Err(
                    "after `output:` comes null, wrong-type, empty, truncated, html, slow, untyped, \
                            redirect, redirect=URL or a status from 300 to 599"
                        .to_owned(),
                );
            }
        },
    };
    Ok(Kind::Download(download))
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

    /// How far the clock is off; it is so always.
    pub fn clock(&self) -> SignedDuration {
        let offset = |(fault, _): &(Fault, AtomicU32)| match fault.kind {
            Kind::Clock(offset) => Some(offset),
            _ => None,
        };
        self.0.iter().find_map(offset).unwrap_or_default()
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
        let after = |in_body| Some(RetryAfter { seconds: 1, in_body });
        let read = |text: &str| parse(text).map(|f| (f.kind, f.times)).unwrap();
        assert_eq!(read("create:503*2"), (Kind::Call(Route::Create, status(503, None)), Some(2)));
        assert_eq!(read("create:429=1"), (Kind::Call(Route::Create, status(429, after(false))), None));
        assert_eq!(read("get:429=1@body"), (Kind::Call(Route::Get, status(429, after(true))), None));
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
        let held = Disturbance::Answer(OddAnswer::Hold(Duration::from_millis(500)));
        assert_eq!(read("cancel:hold=0.5"), (Kind::Call(Route::Cancel, held), None));
        assert_eq!(read("create:twin=web*1"), (Kind::Twin(Source::Web), Some(1)));
        assert_eq!(read("list:late=2"), (Kind::List(OddList::Late(Duration::from_secs(2))), None));
        assert_eq!(read("predict:stuck*1"), (Kind::Stuck(None), Some(1)));
        assert_eq!(read("output:410"), (Kind::Download(BadDownload::Status(410)), None));
        let elsewhere = BadDownload::Redirect(Some("http://10.0.0.1/x".to_owned()));
        assert_eq!(read("output:redirect=http://10.0.0.1/x"), (Kind::Download(elsewhere), None));
        assert_eq!(read("clock:-600"), (Kind::Clock(SignedDuration::from_mins(-10)), None));
    }

    #[test]
    fn what_is_no_fault_is_refused_with_what_there_is() {
        let refused = |text: &str| parse(text).unwrap_err();
        let calls = "after the colon comes a status from 300 to 599, html, echo, drop, drop-after, malformed, huge, \
                     slow, hold=SECONDS";
        for (text, why) in [
            (
                "crate:503",
                "it begins with create:, get:, list:, cancel:, predict:, output:, status:, clock: or is `wrap`",
            ),
            ("create:200", &format!("{calls}, twin=web, twin=api")),
            ("list:missing", &format!("{calls}, late=SECONDS, no-input, rewritten")),
            ("get:later", calls),
            (
                "create:429=soon",
                "after `=` come seconds for Retry-After, and `@body` if only the body is to say so",
            ),
            ("create:503*0", "`0` is not a number of times"),
            ("predict:fail", "after `predict:` comes fail=TEXT, fail-null, cancel, stuck or stuck=SECONDS"),
            (
                "output:big",
                "after `output:` comes null, wrong-type, empty, truncated, html, slow, untyped, redirect, \
                 redirect=URL or a status from 300 to 599",
            ),
            ("clock:late", "after `clock:` come seconds"),
        ] {
            assert_eq!(refused(text), format!("`{text}` is not a fault: {why}"));
        }
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
