//! What an answer other than success means, and what to do about it.

use std::time::Duration;

use castline_core::{MediaType, ModelRef};
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::base_url::BaseUrl;
use super::clock::date;
use super::exchange::Answer;
use super::input::size;
use super::options::{Dialect, HttpOptions};
use super::route::Route;
use super::words::{Words, cut, first_words};
use crate::call::CallFault;

/// Nobody is believed who wants to be asked again later than this.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// The call that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call<'a> {
    /// A create, on this route.
    Create(Route<'a>),
    /// A poll.
    Get,
    /// A cancel.
    Cancel,
    /// A page of the list of predictions.
    List,
    /// An upload.
    Upload,
    /// A question about this model.
    Model(&'a ModelRef),
    /// A question whose token it is.
    Account,
}

impl Call<'_> {
    /// What a success has to bring.
    fn wanted(self) -> &'static str {
        match self {
            Self::Create(_) | Self::Get | Self::Cancel => "a prediction",
            Self::List => "a list of predictions",
            Self::Upload => "the address of the file",
            Self::Model(_) => "a model or its versions",
            Self::Account => "an account",
        }
    }
}

/// Explains answers of one provider.
pub(super) struct Refusals<'a> {
    pub options: &'a HttpOptions,
    pub base: &'a BaseUrl,
}

impl Refusals<'_> {
    /// The meaning of an answer whose status is not success.
    pub fn of(&self, call: Call<'_>, answer: &Answer) -> CallFault {
        let words = self.words(answer);
        let status = answer.status;
        match (call, status.as_u16()) {
            (Call::Get, 404 | 410) => CallFault::Gone,
            (_, 429) => self.busy(answer, &words),
            (_, 300..400) => self.redirect(answer),
            // The body never arrived as a whole, which proves nothing about what did.
            (_, 408) => self.server(status, &words),
            (_, 400..500) => self.refused(call, status, &words),
            (Call::Create(_), 500..) if self.is_request_problem(&words) => self.refused(call, status, &words),
            (Call::Create(_), 500..) => self.server(status, &words),
            (_, 503) if answer.header("retry-after").is_some() => self.busy(answer, &words),
            _ => self.server(status, &words),
        }
    }

    /// A success whose body does not hold what was asked for.
    pub fn empty(&self, call: Call<'_>, answer: &Answer) -> CallFault {
        let words = self.words(answer);
        if matches!(call, Call::Create(_)) && self.is_request_problem(&words) {
            return self.refused(call, answer.status, &words);
        }
        if MediaType::sniff(&answer.body).as_str() == "text/html" {
            // Only routes that are no part of the API answer with pages and success.
            let message = format!(
                "{} answered with a web page instead of JSON (`{}`); the base URL `{}` is probably wrong{}",
                self.options.name,
                first_words(&answer.body),
                self.base.url(),
                if self.options.dialect == Dialect::CometApi {
                    ", or the key is of another kind"
                } else {
                    ""
                }
            );
            return CallFault::Server { message: self.scrubbed(message), refused: true };
        }
        let message = format!(
            "{} answered {} without {}{}",
            self.options.name,
            answer.status.as_u16(),
            call.wanted(),
            colon(&words.text)
        );
        CallFault::Server { message: self.scrubbed(message), refused: false }
    }

    /// The server's words without the token, which is taken out before they are cut short:
    /// half a token would not be recognised.
    fn words(&self, answer: &Answer) -> Words {
        Words::of(self.scrubbed(String::from_utf8_lossy(&answer.body).into_owned()).as_bytes())
    }

    fn busy(&self, answer: &Answer, words: &Words) -> CallFault {
        let retry_after = retry_after(&answer.headers).or(words.retry_after).map(|d| d.min(LONGEST_DELAY));
        let status = answer.status.as_u16();
        let message = format!("{} is busy ({status}){}", self.options.name, colon(&words.text));
        CallFault::Busy { message: self.scrubbed(message), retry_after }
    }

    fn redirect(&self, answer: &Answer) -> CallFault {
        let to = answer
            .header("location")
            .map(|to| format!(" to {}", self.shown(without_query(to))))
            .unwrap_or_default();
        let message = format!(
            "{} answered {} and leads{to}; the base URL `{}` is probably wrong",
            self.options.name,
            answer.status.as_u16(),
            self.base.url(),
        );
        CallFault::Server { message: self.scrubbed(message), refused: true }
    }

    fn server(&self, status: StatusCode, words: &Words) -> CallFault {
        let message = format!("{} answered {}{}", self.options.name, status.as_u16(), colon(&words.text));
        CallFault::Server { message: self.scrubbed(message), refused: false }
    }

    fn refused(&self, call: Call<'_>, status: StatusCode, words: &Words) -> CallFault {
        let advice = self.advice(call, status, words).map(|a| format!("; {a}")).unwrap_or_default();
        let message =
            format!("{} refused this ({}){}{advice}", self.options.name, status.as_u16(), colon(&words.text));
        CallFault::Refused { status: status.as_u16(), message: self.scrubbed(message) }
    }

    /// True where CometAPI answers with a server error and means the request.
    pub fn is_about_request(&self, answer: &Answer) -> bool {
        self.is_request_problem(&self.words(answer))
    }

    /// CometAPI calls what is wrong with a request a server error.
    fn is_request_problem(&self, words: &Words) -> bool {
        self.options.dialect == Dialect::CometApi && words.code.as_deref() == Some("invalid_request")
    }

    fn advice(&self, call: Call<'_>, status: StatusCode, words: &Words) -> Option<String> {
        let text = words.text.to_lowercase();
        let quota = words.code.as_deref() == Some("insufficient_user_quota");
        match (status.as_u16(), call) {
            (401, _) => Some(self.token_advice()),
            (402 | 403, _) if quota || status.as_u16() == 402 => Some(
                "check the account's billing and credit; after a payment this can last for some minutes"
                    .to_owned(),
            ),
            (403, _) => Some("the token is not allowed to do this".to_owned()),
            (404, Call::Create(route)) => Some(route_advice(route)),
            (404, Call::Model(model)) => {
                Some(format!("`{}` is misspelt, private, or not there any more", model.path()))
            }
            (404 | 405, Call::Upload) => Some(
                "it has no route for files; with `upload: data-uri` they travel inside the request"
                    .to_owned(),
            ),
            (404 | 405, Call::List) => Some("it has no list of predictions".to_owned()),
            (404 | 405, Call::Account) => {
                Some(format!("the base URL `{}` is probably wrong", self.base.url()))
            }
            (400, Call::Create(_)) if text.contains("eof") => {
                Some("the files in the request may be too large".to_owned())
            }
            (413, Call::Upload) => Some(format!(
                "files of up to {} are uploaded, and this server takes less; make the file smaller",
                size(self.options.limits.upload_bytes)
            )),
            (413, _) => Some("make the files in the request smaller".to_owned()),
            (422, Call::Create(route)) if text.contains("invalid version") => Some(format!(
                "one of four: `{route}` is misspelt, it is private, this version was deleted, or {} is not a valid token",
                self.variable()
            )),
            _ => None,
        }
    }

    fn token_advice(&self) -> String {
        let done = if self.options.token.is_some() { "holds" } else { "is not set, and it must hold" };
        let check = if self.options.token.is_some() { "check that " } else { "" };
        format!("{check}{} {done} a valid token of {}", self.variable(), self.options.name)
    }

    fn variable(&self) -> String {
        self.options
            .token_env
            .as_deref()
            .map_or_else(|| "the provider's `token_env`".to_owned(), |v| format!("`{v}`"))
    }

    /// A fault of a call that knew no token, whose words may still be somebody else's.
    pub fn without_token(&self, fault: CallFault) -> CallFault {
        fault.map_message(|message| self.scrubbed(message))
    }

    /// Somebody else's word, as long as a message has room for it.
    pub fn shown(&self, word: &str) -> String {
        cut(&self.scrubbed(word.to_owned()))
    }

    /// A text without the token.
    pub fn scrubbed(&self, message: String) -> String {
        match &self.options.token {
            Some(token) => token.scrub(&message),
            None => message,
        }
    }
}

fn route_advice(route: Route<'_>) -> String {
    match route {
        Route::Name(model) => format!(
            "`{model}` was called by its name, which only official models answer to; a community model needs its \
             version, `{model}:VERSION`"
        ),
        Route::Version(model, _) => format!(
            "`{}` was called by its version, which may be gone; an official model is called without one",
            model.path()
        ),
        Route::Deployment(..) => {
            format!("`{route}` was called as a deployment; there is none of that name, or it is not yours")
        }
    }
}

fn colon(text: &str) -> String {
    let text = text.trim_end_matches('.');
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// The delay of `Retry-After`, seconds or a date; a date is measured by the server's own
/// clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let text = header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let now = header("date").and_then(date).unwrap_or_else(Timestamp::now);
    Some(Duration::try_from(date(text)?.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::http::Token;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(k, v)| (HeaderName::try_from(*k).unwrap(), HeaderValue::try_from(*v).unwrap()))
            .collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into(), clock: None }
    }

    fn meaning(dialect: Dialect, call: Call<'_>, answer: &Answer) -> CallFault {
        let options = HttpOptions {
            name: "acme".into(),
            dialect,
            base_url: String::new(),
            token: Some(Token::new("sekret-token").unwrap()),
            token_env: Some("ACME_KEY".into()),
            uploads: true,
            limits: crate::http::Limits::default(),
        };
        let base = BaseUrl::parse("https://api.acme.test/v1").unwrap();
        Refusals { options: &options, base: &base }.of(call, answer)
    }

    fn message(status: u16, body: &str) -> String {
        let model: ModelRef = "acme/paint".parse().unwrap();
        meaning(Dialect::Replicate, Call::Create(Route::Name(&model)), &answer(status, &[], body)).to_string()
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        assert_eq!(
            message(401, r#"{"title":"Unauthenticated","detail":"Bad token sekret-token."}"#),
            "acme refused this (401): Unauthenticated: Bad token [token]; check that `ACME_KEY` holds a valid token of \
             acme"
        );
        assert_eq!(
            message(413, "<html><body>Request Entity Too Large</body></html>"),
            "acme refused this (413): Request Entity Too Large; make the files in the request smaller"
        );
    }

    #[test]
    fn pitfall_6_an_invalid_version_has_four_causes() {
        assert_eq!(
            message(
                422,
                r#"{"title":"Invalid version or not permitted","detail":"The version does not exist."}"#
            ),
            "acme refused this (422): Invalid version or not permitted: The version does not exist; one of four: \
             `acme/paint` is misspelt, it is private, this version was deleted, or `ACME_KEY` is not a valid token"
        );
    }

    #[test]
    fn pitfall_7_a_404_tells_the_two_routes_apart() {
        let body = r#"{"detail":"The requested resource could not be found."}"#;
        assert_eq!(
            message(404, body),
            "acme refused this (404): The requested resource could not be found; `acme/paint` was called by its name, \
             which only official models answer to; a community model needs its version, `acme/paint:VERSION`"
        );
        let model: ModelRef = "acme/paint:3f0e".parse().unwrap();
        let by_version = meaning(
            Dialect::Replicate,
            Call::Create(Route::Version(&model, "3f0e")),
            &answer(404, &[], body),
        )
        .to_string();
        assert!(by_version.ends_with("an official model is called without one"), "{by_version}");
    }

    #[test]
    fn pitfall_8_a_402_is_refused_for_good_and_speaks_of_billing() {
        let model: ModelRef = "acme/paint".parse().unwrap();
        let refused = meaning(
            Dialect::Replicate,
            Call::Create(Route::Name(&model)),
            &answer(402, &[], r#"{"title":"Billing required"}"#),
        );
        assert!(matches!(refused, CallFault::Refused { status: 402, .. }));
        assert_eq!(
            refused.to_string(),
            "acme refused this (402): Billing required; check the account's billing and credit; after a payment this can \
             last for some minutes"
        );
    }

    #[test]
    fn pitfall_9_a_busy_server_says_when_to_come_back() {
        let delay = |headers: &[(&str, &str)], body: &str| match meaning(
            Dialect::Replicate,
            Call::Get,
            &answer(429, headers, body),
        ) {
            CallFault::Busy { retry_after, .. } => retry_after.map(|d| d.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(delay(&[("retry-after", "7")], r#"{"retry_after":5}"#), Some(7));
        assert_eq!(
            delay(
                &[
                    ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT"),
                    ("date", "Wed, 21 Oct 2026 07:28:00 GMT")
                ],
                ""
            ),
            Some(30)
        );
        assert_eq!(delay(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], ""), Some(0));
        assert_eq!(delay(&[], r#"{"detail":"Your rate limit resets in ~30s."}"#), Some(30));
        assert_eq!(delay(&[], "slow down"), None);
        assert_eq!(delay(&[("retry-after", "1e9")], ""), Some(3600));
    }

    #[test]
    fn pitfall_1_a_server_error_after_a_create_proves_nothing() {
        let model: ModelRef = "acme/paint".parse().unwrap();
        for status in [408, 500, 502, 503, 504, 524] {
            let error = meaning(
                Dialect::Replicate,
                Call::Create(Route::Name(&model)),
                &answer(status, &[("retry-after", "1")], ""),
            );
            assert!(matches!(error, CallFault::Server { refused: false, .. }), "{error:?}");
        }
    }

    #[test]
    fn cometapi_reports_bad_requests_as_500() {
        let model: ModelRef = "acme/paint".parse().unwrap();
        let body = r#"{"error":{"message":"no good (request id: 2026-abc)","code":"invalid_request"}}"#;
        let of = |dialect| meaning(dialect, Call::Create(Route::Name(&model)), &answer(500, &[], body));
        assert!(matches!(of(Dialect::CometApi), CallFault::Refused { status: 500, .. }));
        assert!(matches!(of(Dialect::Replicate), CallFault::Server { refused: false, .. }));
        assert_eq!(
            of(Dialect::CometApi).to_string(),
            "acme refused this (500): no good (request id: 2026-abc)"
        );
    }

    #[test]
    fn pitfall_56_a_redirect_names_the_base_url() {
        let model: ModelRef = "acme/paint".parse().unwrap();
        let moved = answer(301, &[("location", "https://www.acme.test/login?next=x")], "");
        let error = meaning(Dialect::CometApi, Call::Create(Route::Name(&model)), &moved);
        assert!(matches!(error, CallFault::Server { refused: true, .. }));
        assert_eq!(
            error.to_string(),
            "acme answered 301 and leads to https://www.acme.test/login; the base URL `https://api.acme.test/v1` is \
             probably wrong"
        );
    }

    #[test]
    fn polls_are_gone_refused_or_worth_repeating() {
        let get = |status| meaning(Dialect::Replicate, Call::Get, &answer(status, &[], ""));
        assert!(matches!(get(404), CallFault::Gone));
        assert!(matches!(get(410), CallFault::Gone));
        assert!(matches!(get(401), CallFault::Refused { status: 401, .. }));
        assert!([429, 500, 502, 503].into_iter().all(|status| get(status).is_transient()));
    }
}
