//! Single calls to a Cog server.

use std::time::Duration;

use castline_core::{PredictionId, ProviderName, Snapshot, Status};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Method, Request, RequestBuilder, Url};
use serde_json::Value as Json;

use super::health::{Condition, Health};
use super::options::CogOptions;
use crate::call::CallFault;
use crate::http::address::is_loopback;
use crate::http::base_url::{BadBaseUrl, BaseUrl, host_and_port};
use crate::http::client::{self, LazyClient};
use crate::http::data_uri::shortened;
use crate::http::exchange::{Answer, DOCUMENT_BYTES, exchange, exchange_within};
use crate::http::words::{Words, cut};
use crate::http::{self, Dialect, Limits, Token};

/// For calls that a server answers without the model's help.
const AT_ONCE: Duration = Duration::from_secs(10);
/// A connection on which nothing moves for so long is asked whether it still stands: a
/// model may think for hours in silence.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A Cog server, of either generation.
#[derive(Debug)]
pub(super) struct Server {
    pub name: ProviderName,
    base: BaseUrl,
    token: Option<Token>,
    limits: Limits,
    client: LazyClient,
}

/// What a probe tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Probed {
    /// It runs, and this is its log so far.
    Running(Option<String>),
    /// It does not run, and nothing was started.
    Over,
    /// Something else.
    Unclear,
}

impl Server {
    pub fn new(options: &CogOptions) -> Result<Self, BadBaseUrl> {
        Ok(Self {
            name: options.name.clone(),
            base: BaseUrl::parse(&options.base_url)?,
            token: options.token.clone(),
            limits: options.limits.clone(),
            client: LazyClient::default(),
        })
    }

    pub fn url(&self) -> &Url {
        self.base.url()
    }

    /// How it is, before anything is sent that could run: nothing lost here can have been a
    /// create.
    pub async fn check(&self) -> Result<(), CallFault> {
        let health = self.health().await.map_err(|fault| match fault {
            CallFault::Lost { host, cause } => CallFault::NotSent { host, cause },
            other => other,
        })?;
        match health.condition() {
            Condition::Broken(why) => Err(CallFault::Server { message: self.broken(&why), refused: true }),
            Condition::Ready | Condition::Busy | Condition::Loading => Ok(()),
        }
    }

    /// The words for a server that must be restarted.
    pub fn broken(&self, why: &str) -> String {
        self.scrubbed(format!("{} cannot run predictions until it is restarted: it is {why}", self.name))
    }

    /// How it is.
    pub async fn health(&self) -> Result<Health, CallFault> {
        let answer = self.ask(Method::GET, "health-check").await?;
        let body = self.scrubbed(String::from_utf8_lossy(&answer.body).into_owned());
        let health = answer.status.is_success().then(|| serde_json::from_str(&body).ok()).flatten();
        health.ok_or_else(|| {
            let message = self.said("is no Cog server: its `/health-check` answered", &answer);
            match answer.status.as_u16() {
                status @ (401 | 403) => CallFault::Refused { status, message },
                _ => CallFault::Server { message, refused: true },
            }
        })
    }

    /// The document that describes its model; none when it was built without.
    pub async fn openapi(&self) -> Result<Option<Json>, CallFault> {
        let answer = self.ask(Method::GET, "openapi.json").await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        Ok(serde_json::from_slice(&answer.body).ok().filter(Json::is_object))
    }

    /// The same for those who cannot go on without it: why there is none is a fault.
    pub async fn described(&self) -> Result<Json, CallFault> {
        let url = self.base.below(&["openapi.json"]);
        let mut request = built(&url, self.request(Method::GET, &url)?)?;
        *request.timeout_mut() = Some(AT_ONCE);
        let answer = exchange_within(self.client()?, request, DOCUMENT_BYTES).await?;
        let status = answer.status.as_u16();
        let refused = |message: String| CallFault::Refused { status, message };
        match status {
            200..300 => {}
            300..400 => {
                let to = self.shown(answer.header("location").unwrap_or("another place"));
                return Err(refused(format!("{} leads to {to}", self.name)));
            }
            503 => {
                let why =
                    "has no schema: it was built without `.cog/openapi_schema.json`, or is not set up yet";
                return Err(refused(self.said(&format!("{why}; it answered"), &answer)));
            }
            _ => return Err(refused(self.said("is no Cog server: its `/openapi.json` answered", &answer))),
        }
        serde_json::from_slice(&answer.body).ok().filter(Json::is_object).ok_or_else(|| {
            refused(
                self.said("is no Cog server: its `/openapi.json` is no JSON object; it answered", &answer),
            )
        })
    }

    /// Its version by its first page, which both generations have.
    pub async fn version(&self) -> Option<String> {
        let answer = self.ask(Method::GET, "").await.ok()?;
        let page: Json = serde_json::from_slice(&answer.body).ok()?;
        Some(page.get("cog_version")?.as_str()?.to_owned())
    }

    /// A request that runs a prediction: answered when it is done, without a time limit, or
    /// at once when its result comes by webhook.
    pub fn start(&self, id: &PredictionId, body: Vec<u8>, at_once: bool) -> Result<Request, CallFault> {
        if self.token.as_ref().is_some_and(|token| token.is_in(&body)) {
            let message =
                format!("the input holds the token of {}, which is never sent as an input", self.name);
            return Err(CallFault::BadInput(message));
        }
        let url = self.base.prediction(id);
        let request = self.request(Method::PUT, &url)?.header(CONTENT_TYPE, "application/json").body(body);
        // Exactly this text: anything else is taken as a wish to wait.
        let request = if at_once { request.header("prefer", "respond-async") } else { request };
        built(&url, request)
    }

    /// Sends a request.
    pub async fn send(&self, request: Request) -> Result<Answer, CallFault> {
        exchange(self.client()?, request).await
    }

    /// Asks for a running prediction with an input that is none, which starts nothing: the
    /// newer generation looks for the id first and refuses such an input then. Only for
    /// servers that check inputs.
    pub async fn probe(&self, id: &PredictionId) -> Result<Probed, CallFault> {
        let request = self.start(id, br#"{"input":"probe"}"#.to_vec(), false)?;
        let answer = self.timed(request).await?;
        Ok(match answer.status.as_u16() {
            202 => {
                prediction(id, &answer).map_or(Probed::Unclear, |now| Probed::Running(self.told(now).logs))
            }
            422 => Probed::Over,
            _ => Probed::Unclear,
        })
    }

    /// True when [`Server::probe`] starts nothing and tells something.
    pub async fn can_be_probed(&self) -> bool {
        let newer = self.health().await.is_ok_and(|health| health.coglet().is_some());
        newer && matches!(self.openapi().await, Ok(Some(_)))
    }

    /// Asks it to stop a prediction; false when it knows none of this id that runs.
    pub async fn cancel(&self, id: &PredictionId) -> Result<bool, CallFault> {
        let url = self.base.cancel(id);
        let answer = self.timed(built(&url, self.request(Method::POST, &url)?)?).await?;
        match answer.status.as_u16() {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(CallFault::Server {
                message: self.said("answered the cancel with", &answer),
                refused: false,
            }),
        }
    }

    /// What it said, in words for people: `studio ... 422: steps: too many`.
    pub fn said(&self, what: &str, answer: &Answer) -> String {
        // The token is taken out before they are cut short: half of one would not be recognised.
        let body = self.scrubbed(String::from_utf8_lossy(&answer.body).into_owned());
        let words = Words::of(body.as_bytes()).text;
        let colon = if words.is_empty() { "" } else { ": " };
        self.scrubbed(format!("{} {what} {}{colon}{words}", self.name, answer.status.as_u16()))
    }

    /// Somebody else's word, as long as a message has room for it.
    pub fn shown(&self, word: &str) -> String {
        cut(&self.scrubbed(word.to_owned()))
    }

    /// What it shows of a prediction, without the token, and without files that are written out in
    /// words for people.
    pub fn told(&self, mut now: Snapshot) -> Snapshot {
        for words in [&mut now.error, &mut now.logs].into_iter().flatten() {
            *words = self.scrubbed(shortened(words));
        }
        if let Status::Other(word) = &mut now.status {
            *word = self.shown(word);
        }
        now
    }

    /// A text without the token.
    pub fn scrubbed(&self, message: String) -> String {
        match &self.token {
            Some(token) => token.scrub(&message),
            None => message,
        }
    }

    async fn ask(&self, method: Method, route: &str) -> Result<Answer, CallFault> {
        let url = self.base.below(&[route]);
        self.timed(built(&url, self.request(method, &url)?)?).await
    }

    async fn timed(&self, mut request: Request) -> Result<Answer, CallFault> {
        *request.timeout_mut() = Some(AT_ONCE);
        self.send(request).await
    }

    fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, CallFault> {
        let request = self
            .client()?
            .request(method, url.clone())
            .header(ACCEPT, "application/json")
            .header(CACHE_CONTROL, "no-cache");
        Ok(match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.bearer()),
            None => request,
        })
    }

    fn client(&self) -> Result<&Client, CallFault> {
        let url = self.base.url();
        let near = is_loopback(url).then(|| url.scheme());
        self.client.get(url, || client::builder(&self.limits, near).tcp_keepalive(KEEP_ALIVE).build())
    }
}

/// The prediction in an answer.
pub(super) fn prediction(id: &PredictionId, answer: &Answer) -> Option<Snapshot> {
    let body = serde_json::from_slice(&answer.body).ok()?;
    http::prediction::read(&body, Dialect::Replicate, Some(id))
}

fn built(url: &Url, request: RequestBuilder) -> Result<Request, CallFault> {
    request
        .build()
        .map_err(|e| CallFault::NotSent { host: host_and_port(url), cause: e.without_url().to_string() })
}
