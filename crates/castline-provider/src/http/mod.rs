//! The prediction API over HTTP, as Replicate and CometAPI speak it.
//!
//! An [`HttpProvider`] makes single calls and says what came of each; nothing is repeated
//! and no redirect is followed with the token. Answers are judged by their body alone,
//! because success codes differ between services. Tests are named after the pitfalls that
//! they guard against, by their numbers in the project's API reference.
//!
//! Start reading at [`HttpProvider::create`].

mod address;
mod base_url;
mod client;
pub mod data_uri;
mod download;
mod exchange;
mod input;
mod options;
mod prediction;
mod refusal;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod token;
mod words;

use std::path::Path;
use std::time::Duration;

use castline_core::{Artifact, ModelRef, PredictionId, Snapshot};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Method, Request, RequestBuilder, Url};

use self::address::is_loopback;
use self::base_url::BaseUrl;
use self::client::LazyClient;
use self::download::Downloads;
use self::exchange::{Answer, exchange};
use self::refusal::{Call, Refusals};
use crate::call::{CallFault, Capabilities, Create, Fetched, Found, Link, MediaSource, Pong, Search};

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
}

impl HttpProvider {
    /// Prepares the calls. Nothing is sent, and no connection made, before the first one.
    pub fn new(options: HttpOptions) -> Result<Self, BadBaseUrl> {
        let base = BaseUrl::parse(&options.base_url)?;
        let downloads = Downloads::new(base.url(), is_loopback(base.url()), &options.limits);
        Ok(Self {
            base,
            capabilities: capabilities(options.dialect),
            client: LazyClient::default(),
            downloads: Box::new(downloads),
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

    /// Creates a prediction: by the model's name, or by its version where it has one.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        let request = self.create_request(create, media)?;
        self.call(Call::Create(create.model), request, None).await
    }

    /// Asks for a prediction's state once.
    pub async fn get(&self, id: &PredictionId) -> Result<Snapshot, CallFault> {
        let url = self.base.prediction(id);
        let request = self.request(Method::GET, &url, self.options.limits.get)?;
        self.call(Call::Get, built(&url, request)?, Some(id)).await
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
        let answer = exchange(self.client()?, built(&url, request)?).await?;
        match answer.status.as_u16() {
            200..300 | 400 | 404..=428 | 430..500 => Ok(()),
            _ => Err(self.refusals().of(Call::Cancel, &answer)),
        }
    }

    /// Downloads one output into a new file: without the token, and from private addresses
    /// only when the provider is on this machine.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        self.downloads.fetch(uri, to).await
    }

    /// See [`crate::Provider::uploads`].
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "being written")]
    pub fn uploads<'a>(&self, _create: &'a Create<'_>) -> Result<Vec<&'a Artifact>, CallFault> {
        Ok(Vec::new())
    }

    /// See [`crate::Provider::upload`].
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn upload(&self, _artifact: &Artifact, _media: &dyn MediaSource) -> Result<Link, CallFault> {
        Err(crate::none("uploads"))
    }

    /// See [`crate::Provider::sent`].
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "being written")]
    pub fn sent(&self, _create: &Create<'_>) -> Result<serde_json::Value, CallFault> {
        Ok(serde_json::Value::Null)
    }

    /// See [`crate::Provider::search`].
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn search(&self, _search: &Search) -> Result<Found, CallFault> {
        Err(crate::none("a list of predictions"))
    }

    /// See [`crate::Provider::latest_version`].
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn latest_version(&self, _model: &ModelRef) -> Result<String, CallFault> {
        Err(crate::none("versions"))
    }

    /// See [`crate::Provider::ping`].
    #[expect(clippy::unused_async, reason = "being written")]
    pub async fn ping(&self) -> Result<Pong, CallFault> {
        Err(crate::none("a way to be asked"))
    }

    /// See [`crate::Provider::clock`].
    #[expect(clippy::unused_self, reason = "being written")]
    pub fn clock(&self) -> Option<jiff::SignedDuration> {
        None
    }

    fn create_request(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Request, CallFault> {
        let version = create.model.version.as_deref();
        if version == Some("latest") {
            let message = format!(
                "the version of `{}` is not pinned, and there is no version called `latest`",
                create.model.path()
            );
            return Err(CallFault::BadInput(message));
        }
        let body = input::body(version, create.input, media, &self.options.limits)?;
        if self.options.token.as_ref().is_some_and(|t| t.is_in(&body)) {
            let message = format!(
                "the input holds the token of {}, which is never sent as an input",
                self.options.name
            );
            return Err(CallFault::BadInput(message));
        }
        let url = self.base.create(create.model);
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
    ) -> Result<Snapshot, CallFault> {
        let answer = exchange(self.client()?, request).await?;
        if !answer.status.is_success() {
            return Err(self.refusals().of(call, &answer));
        }
        self.read(&answer, asked).ok_or_else(|| self.refusals().no_prediction(call, &answer))
    }

    fn read(&self, answer: &Answer, asked: Option<&PredictionId>) -> Option<Snapshot> {
        let body = serde_json::from_slice(&answer.body).ok()?;
        prediction::read(&body, self.options.dialect, asked)
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

fn capabilities(dialect: Dialect) -> Capabilities {
    let replicate = dialect == Dialect::Replicate;
    Capabilities {
        bills: true,
        get: true,
        list: replicate,
        cancel: replicate,
        cancel_after: replicate,
        upload: false,
        remote: true,
    }
}

fn built(url: &Url, request: RequestBuilder) -> Result<Request, CallFault> {
    request.build().map_err(|e| CallFault::NotSent {
        host: base_url::host_and_port(url),
        cause: e.without_url().to_string(),
    })
}
