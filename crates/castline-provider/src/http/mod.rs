//! The prediction API over HTTP, as Replicate and CometAPI speak it.
//!
//! An [`HttpProvider`] makes single calls and says what came of each; nothing is repeated
//! and no redirect is followed with the token. Answers are judged by their body alone,
//! because success codes differ between services. Tests are named after the pitfalls that
//! they guard against, by their numbers in `docs/reference/pitfalls.md`.
//!
//! Start reading at [`HttpProvider::create`].

pub(crate) mod address;
pub(crate) mod base_url;
pub(crate) mod client;
mod clock;
pub mod data_uri;
pub(crate) mod download;
pub(crate) mod exchange;
pub(crate) mod input;
mod likeness;
mod list;
mod models;
mod named;
mod options;
pub(crate) mod prediction;
mod refusal;
mod route;
#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
mod token;
mod upload;
pub(crate) mod words;

use std::path::Path;
use std::time::Duration;

use castline_core::{PredictionId, Snapshot, Status};
use jiff::SignedDuration;
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Method, Request, RequestBuilder, Url};

use self::address::is_loopback;
use self::base_url::BaseUrl;
use self::client::LazyClient;
use self::clock::Clock;
use self::download::Downloads;
use self::exchange::{ANSWER_BYTES, Answer, exchange, exchange_within};
use self::input::Sending;
use self::refusal::{Call, Refusals};
use self::route::Route;
use crate::call::{CallFault, Capabilities, Create, Fetched, MediaSource, Named};

pub use self::base_url::{BadBaseUrl, host};
pub use self::options::{Dialect, HttpOptions, Limits};
pub use self::token::{BadToken, Token};

/// The shortest deadline that Replicate takes.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(5);

/// A provider behind HTTP.
#[derive(Debug)]
pub struct HttpProvider {
    options: Box<HttpOptions>,
    base: BaseUrl,
    capabilities: Capabilities,
    client: LazyClient,
    downloads: Box<Downloads>,
    clock: Clock,
}

impl HttpProvider {
    /// Prepares the calls. Nothing is sent, and no connection made, before the first one.
    pub fn new(options: HttpOptions) -> Result<Self, BadBaseUrl> {
        let base = BaseUrl::parse(&options.base_url)?;
        let downloads = Downloads::new(base.url(), is_loopback(base.url()), &options.limits);
        Ok(Self {
            base,
            capabilities: capabilities(&options),
            client: LazyClient::default(),
            downloads: Box::new(downloads),
            clock: Clock::default(),
            options: Box::new(options),
        })
    }

    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// True when it is on this machine: its outputs may be on private addresses then.
    pub fn is_local(&self) -> bool {
        is_loopback(self.base.url())
    }

    /// Creates a prediction: by the model's name, by its version where it has one, or on a
    /// deployment where one is named.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        let route = self.route(create)?;
        let request = self.create_request(route, create, media)?;
        self.call(Call::Create(route), request, None, None).await
    }

    /// Asks for a prediction's state once.
    pub async fn get(&self, id: &PredictionId) -> Result<Snapshot, CallFault> {
        self.get_as(id, None).await
    }

    /// The same for a prediction that a person named: is it the one that was asked for?
    pub async fn get_named(&self, id: &PredictionId, named: &Named) -> Result<Snapshot, CallFault> {
        self.get_as(id, Some(named)).await
    }

    async fn get_as(&self, id: &PredictionId, named: Option<&Named>) -> Result<Snapshot, CallFault> {
        let url = self.base.prediction(id);
        let request = self.request(Method::GET, &url, self.options.limits.get)?;
        self.call(Call::Get, built(&url, request)?, Some(id), named).await
    }

    /// Asks the provider to stop a prediction; its state is still to be read, also when
    /// the provider says that there is nothing to stop.
    pub async fn cancel(&self, id: &PredictionId) -> Result<(), CallFault> {
        if !self.capabilities.cancel {
            let message = format!("{} has no way to cancel a prediction", self.options.name);
            return Err(CallFault::Refused { status: 405, message });
        }
        let url = self.base.cancel(id);
        let request = self.request(Method::POST, &url, self.options.limits.create)?;
        let answer = self.exchange(built(&url, request)?).await?;
        match answer.status.as_u16() {
            200..300 | 400 | 404..=428 | 430..500 => Ok(()),
            _ => Err(self.refusals().of(Call::Cancel, &answer)),
        }
    }

    /// Downloads one output into a new file: without the token, and from private addresses
    /// only when the provider is on this machine.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        self.downloads.fetch(uri, to).await.map_err(|fault| self.refusals().without_token(fault))
    }

    /// The input as [`Self::create`] sends it, without reading a file: where one travels inside
    /// the request stands `data:` and its digest.
    pub fn sent(&self, create: &Create<'_>) -> Result<serde_json::Value, CallFault> {
        let sent = self.sending(create).sent()?;
        self.check_for_token(sent.to_string().as_bytes())?;
        Ok(sent)
    }

    /// A word for the account that is used, which gives neither token nor address away.
    pub fn account(&self) -> String {
        let token = self.options.token.as_ref().map(Token::fingerprint).unwrap_or_default();
        let whose = format!("{token}@{}", self.base.url());
        castline_core::Digest::of(whose.as_bytes()).hex()[..8].to_owned()
    }

    /// The provider's clock minus ours, as its last answer had it.
    pub fn clock(&self) -> Option<SignedDuration> {
        self.clock.offset()
    }

    fn route<'a>(&self, create: &Create<'a>) -> Result<Route<'a>, CallFault> {
        match Route::of(create)? {
            Route::Deployment(..) if self.options.dialect == Dialect::CometApi => {
                Err(CallFault::BadInput(format!("{} has no deployments", self.options.name)))
            }
            route => Ok(route),
        }
    }

    fn sending<'a>(&self, create: &'a Create<'_>) -> Sending<'a, '_> {
        Sending {
            input: create.input,
            secrets: create.secrets,
            links: create.links,
            limits: &self.options.limits,
        }
    }

    fn check_for_token(&self, sent: &[u8]) -> Result<(), CallFault> {
        if !self.options.token.as_ref().is_some_and(|t| t.is_in(sent)) {
            return Ok(());
        }
        let name = &self.options.name;
        Err(CallFault::BadInput(format!(
            "the input holds the token of {name}, which is never sent as an input"
        )))
    }

    fn create_request(
        &self,
        route: Route<'_>,
        create: &Create<'_>,
        media: &dyn MediaSource,
    ) -> Result<Request, CallFault> {
        let body = self.sending(create).body(route.version(), media)?;
        self.check_for_token(&body)?;
        let url = self.base.create(route);
        let mut request = self.request(Method::POST, &url, self.options.limits.create)?;
        if self.capabilities.cancel_after {
            let seconds = create.cancel_after.max(SHORTEST_DEADLINE).as_secs_f64().ceil();
            request = request.header("cancel-after", format!("{seconds}s"));
        }
        built(&url, request.header(CONTENT_TYPE, "application/json").body(body))
    }

    fn request(&self, method: Method, url: &Url, limit: Duration) -> Result<RequestBuilder, CallFault> {
        let request = self
            .client()?
            .request(method, url.clone())
            .timeout(limit)
            .header(ACCEPT, "application/json")
            .header(CACHE_CONTROL, "no-cache");
        Ok(match &self.options.token {
            Some(token) => request.header(AUTHORIZATION, token.bearer()),
            None => request,
        })
    }

    async fn call(
        &self,
        call: Call<'_>,
        request: Request,
        asked: Option<&PredictionId>,
        named: Option<&Named>,
    ) -> Result<Snapshot, CallFault> {
        let answer = self.exchange(request).await?;
        if !answer.status.is_success() {
            return Err(self.refusals().of(call, &answer));
        }
        let shown = named.and_then(|_| serde_json::from_slice(&answer.body).ok());
        if let Some(differs) = named.zip(shown).and_then(|(named, body)| named::differs(named, &body)) {
            return Err(CallFault::Another(self.refusals().shown(&differs)));
        }
        self.read(&answer, asked).ok_or_else(|| self.refusals().empty(call, &answer))
    }

    fn read(&self, answer: &Answer, asked: Option<&PredictionId>) -> Option<Snapshot> {
        let body = serde_json::from_slice(&answer.body).ok()?;
        let mut snapshot = prediction::read(&body, self.options.dialect, asked)?;
        for words in [&mut snapshot.error, &mut snapshot.logs].into_iter().flatten() {
            *words = self.refusals().scrubbed(data_uri::shortened(words));
        }
        if let Status::Other(word) = &mut snapshot.status {
            *word = self.refusals().shown(word);
        }
        Some(snapshot)
    }

    /// A question that is answered with JSON.
    async fn ask(&self, call: Call<'_>, url: &Url) -> Result<serde_json::Value, CallFault> {
        self.ask_within(call, url, ANSWER_BYTES).await
    }

    /// The same for an answer of at most so many bytes.
    async fn ask_within(
        &self,
        call: Call<'_>,
        url: &Url,
        most: usize,
    ) -> Result<serde_json::Value, CallFault> {
        let request = built(url, self.request(Method::GET, url, self.options.limits.get)?)?;
        let answer = exchange_within(self.client()?, request, most).await?;
        self.clock.see(answer.clock);
        if !answer.status.is_success() {
            return Err(self.refusals().of(call, &answer));
        }
        serde_json::from_slice(&answer.body)
            .ok()
            .filter(serde_json::Value::is_object)
            .ok_or_else(|| self.refusals().empty(call, &answer))
    }

    /// Every call but a download goes through here.
    async fn exchange(&self, request: Request) -> Result<Answer, CallFault> {
        let answer = exchange(self.client()?, request).await?;
        self.clock.see(answer.clock);
        Ok(answer)
    }

    fn refusals(&self) -> Refusals<'_> {
        Refusals { options: &self.options, base: &self.base }
    }

    fn client(&self) -> Result<&Client, CallFault> {
        let url = self.base.url();
        let near = self.is_local().then(|| url.scheme());
        self.client.get(url, || client::builder(&self.options.limits, near).build())
    }
}

fn capabilities(options: &HttpOptions) -> Capabilities {
    let replicate = options.dialect == Dialect::Replicate;
    Capabilities {
        bills: true,
        get: true,
        list: replicate,
        cancel: replicate,
        cancel_after: replicate,
        upload: replicate && options.uploads,
        remote: true,
    }
}

fn built(url: &Url, request: RequestBuilder) -> Result<Request, CallFault> {
    request.build().map_err(|e| CallFault::NotSent {
        host: base_url::host_and_port(url),
        cause: e.without_url().to_string(),
    })
}
