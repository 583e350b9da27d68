//! Calls to a registry: its addresses, its challenges, its answers.
//!
//! A call is sent as it is. Where the registry answers with a challenge, the user's login is
//! looked up, and the call is sent once more with what the challenge asks for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use castline_spec::library::{OciPlace, is_loopback};
use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect, retry};
use serde::Deserialize;

use super::credentials::{Login, folder, login};
use crate::error::LibraryError;
use crate::tree::printable;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long nothing may come.
const IDLE: Duration = Duration::from_mins(1);
/// Most redirects of a download.
const MOST_REDIRECTS: usize = 5;
/// Most bytes of what is said about an error, or of a token.
const MOST_WORDS: u64 = 64 << 10;

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Pull,
    Push,
}

impl Scope {
    fn words(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// Asks registries. What they granted is remembered for as long as this lives.
#[derive(Debug)]
pub struct Registry {
    /// The folder of docker's configuration, which has the user's logins.
    logins: Option<PathBuf>,
    far: OnceLock<Client>,
    near: OnceLock<Client>,
    granted: Mutex<BTreeMap<(String, String, Scope), HeaderValue>>,
}

/// An answer that is read no further than it may be long.
pub(crate) struct Body {
    what: String,
    response: Response,
}

impl Body {
    pub async fn bytes(mut self, most: u64) -> Result<Vec<u8>, LibraryError> {
        let broken = |why: String| LibraryError::fetch(&self.what, why);
        let mut bytes = Vec::new();
        loop {
            match self.response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(e) => {
                    return Err(broken(format!("the registry stopped in the middle: {}", innermost(&e))));
                }
            }
            if bytes.len() as u64 > most {
                return Err(broken(format!(
                    "the registry sends more than the {most} bytes that were to come"
                )));
            }
        }
    }
}

impl Registry {
    /// With the logins of the user.
    pub fn of_user() -> Self {
        Self::new(folder())
    }

    /// With the logins in a folder of docker's configuration.
    pub fn new(logins: Option<PathBuf>) -> Self {
        Self { logins, far: OnceLock::new(), near: OnceLock::new(), granted: Mutex::default() }
    }

    /// A call about a repository: `path` stands after its name.
    pub(crate) fn request(
        &self,
        place: &OciPlace,
        method: Method,
        path: &str,
    ) -> Result<RequestBuilder, LibraryError> {
        let url = base(place)?.join(&format!("/v2/{}/{path}", place.repository));
        let url = url.map_err(|e| LibraryError::fetch(place, e))?;
        Ok(self.client(&url)?.request(method, url))
    }

    /// The second half of an upload, where the registry said that it goes.
    pub(crate) fn put_upload(
        &self,
        place: &OciPlace,
        begun: &Body,
        digest: &str,
    ) -> Result<RequestBuilder, LibraryError> {
        let base = base(place)?;
        let location = begun.response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| base.join(location).ok());
        let Some(mut url) = url.filter(|url| url.origin() == base.origin()) else {
            return Err(LibraryError::fetch(place, "the registry does not say where an upload goes"));
        };
        url.query_pairs_mut().append_pair("digest", digest);
        Ok(self.client(&url)?.request(Method::PUT, url))
    }

    /// Sends a call that has to succeed.
    pub(crate) async fn send(
        &self,
        place: &OciPlace,
        request: RequestBuilder,
        scope: Scope,
    ) -> Result<Body, LibraryError> {
        let response = self.answered(place, request, scope).await?;
        let (status, body) = (response.status(), Body { what: place.to_string(), response });
        if status.is_success() {
            return Ok(body);
        }
        let words = body.bytes(MOST_WORDS).await.unwrap_or_default();
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                format!("`docker login {}` keeps a login that castline uses too", place.host)
            }
            StatusCode::NOT_FOUND => "is the name right, and the tag there?".to_owned(),
            _ => return Err(LibraryError::fetch(place, refusal(status, &words))),
        };
        Err(LibraryError::fetch_hint(place, refusal(status, &words), &hint))
    }

    /// Sends a call and says only how it ended.
    pub(crate) async fn send_for(
        &self,
        place: &OciPlace,
        request: RequestBuilder,
        scope: Scope,
    ) -> Result<StatusCode, LibraryError> {
        Ok(self.answered(place, request, scope).await?.status())
    }

    async fn answered(
        &self,
        place: &OciPlace,
        request: RequestBuilder,
        scope: Scope,
    ) -> Result<Response, LibraryError> {
        let key = (place.host.clone(), place.repository.clone(), scope);
        let again = request.try_clone().expect("every body is bytes");
        let granted = self.granted().get(&key).cloned();
        let first = match &granted {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        };
        let response = sent(place, first).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let header = self.grant(place, &response, scope).await?;
        let Some(header) = header.filter(|header| Some(header) != granted.as_ref()) else {
            return Ok(response);
        };
        self.granted().insert(key, header.clone());
        sent(place, again.header(AUTHORIZATION, header)).await
    }

    /// What a challenge asks for: a login as it is, or what the token server gives for it. None
    /// where there is no login and the registry takes nothing else.
    async fn grant(
        &self,
        place: &OciPlace,
        response: &Response,
        scope: Scope,
    ) -> Result<Option<HeaderValue>, LibraryError> {
        let login =
            login(self.logins.as_deref(), &place.host).map_err(|why| LibraryError::fetch(place, why))?;
        for challenge in response.headers().get_all(WWW_AUTHENTICATE) {
            let challenge = challenge.to_str().unwrap_or_default();
            let (scheme, rest) = challenge.trim().split_once(' ').unwrap_or((challenge.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                return self.token(place, &parameters(rest), login.as_ref(), scope).await.map(Some);
            }
            if scheme.eq_ignore_ascii_case("basic") {
                return Ok(login.as_ref().map(basic));
            }
        }
        Ok(None)
    }

    async fn token(
        &self,
        place: &OciPlace,
        challenge: &BTreeMap<String, String>,
        login: Option<&Login>,
        scope: Scope,
    ) -> Result<HeaderValue, LibraryError> {
        #[derive(Deserialize)]
        struct Token {
            #[serde(alias = "access_token")]
            token: String,
        }
        let wrong = |why: &str| LibraryError::fetch(place, why);
        let url = challenge.get("realm").and_then(|realm| Url::parse(realm).ok());
        let mut url = url.ok_or_else(|| wrong("the registry names no token server"))?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_near(&url)) {
            return Err(wrong("its token server is reached without TLS, and no login goes there"));
        }
        let asked = format!("repository:{}:{}", place.repository, scope.words());
        if let Some(service) = challenge.get("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &asked);
        let mut request = self.client(&url)?.request(Method::GET, url);
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, basic(login));
        }
        let response = sent(place, request).await?;
        let (status, body) = (response.status(), Body { what: place.to_string(), response });
        let bytes = body.bytes(MOST_WORDS).await?;
        if !status.is_success() {
            let why = format!("its token server says: {}", refusal(status, &bytes));
            let hint = format!("`docker login {}` keeps a login that castline uses too", place.host);
            return Err(LibraryError::fetch_hint(place, why, &hint));
        }
        let token: Token =
            serde_json::from_slice(&bytes).map_err(|_| wrong("its token server answers without a token"))?;
        secret(&format!("Bearer {}", token.token)).ok_or_else(|| wrong("its token server answers no token"))
    }

    fn client(&self, url: &Url) -> Result<&Client, LibraryError> {
        let near = is_near(url);
        let place = if near { &self.near } else { &self.far };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        // Fails when somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("castline/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects(near))
            .retry(retry::never())
            .connect_timeout(CONNECT)
            .read_timeout(IDLE);
        // Without TLS no certificates are needed, and none are loaded.
        let builder = if near { builder.no_proxy().tls_certs_only([]) } else { builder };
        let client = builder.build().map_err(|e| LibraryError::fetch(url, innermost(&e)))?;
        Ok(place.get_or_init(|| client))
    }

    fn granted(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String, Scope), HeaderValue>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Downloads may lead to where a registry keeps its files: over TLS, and without the login, which
/// the client leaves out for another host. Nothing is led to this machine.
fn redirects(near: bool) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        let same = attempt.url().scheme() == "https" && !is_near(attempt.url());
        match attempt.previous().len() {
            n if n > MOST_REDIRECTS => attempt.error("it leads from one address to the next without end"),
            _ if same || (near && is_near(attempt.url())) => attempt.follow(),
            _ => attempt.error("it leads to an address without TLS, or to this machine"),
        }
    })
}

fn is_near(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback)
}

/// Where a registry is. Without TLS only on this machine.
fn base(place: &OciPlace) -> Result<Url, LibraryError> {
    let scheme = if is_loopback(&place.host) { "http" } else { "https" };
    // It calls its registry otherwise than itself.
    let host = if place.host == "docker.io" { "registry-1.docker.io" } else { &place.host };
    Url::parse(&format!("{scheme}://{host}/")).map_err(|e| LibraryError::fetch(place, e))
}

async fn sent(place: &OciPlace, request: RequestBuilder) -> Result<Response, LibraryError> {
    request.send().await.map_err(|e| {
        let why = format!("{} cannot be reached: {}", place.host, innermost(&e));
        LibraryError::fetch(place, why)
    })
}

fn basic(login: &Login) -> HeaderValue {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password));
    secret(&format!("Basic {text}")).expect("base64 is fit for a header")
}

/// A header that no log shows.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// `realm="https://...",service="..."`
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let name = name.trim_start_matches([',', ' ']).trim().to_ascii_lowercase();
        found.insert(name, value.to_owned());
        rest = next;
    }
    found
}

/// What a registry says about an error.
fn refusal(status: StatusCode, words: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let said = serde_json::from_slice::<Errors>(words).ok().and_then(|said| said.errors.into_iter().next());
    match said {
        Some(one) => {
            printable(&format!("the registry answers {}: {} {}", status.as_u16(), one.code, one.message))
        }
        None => format!("the registry answers {status}"),
    }
}

/// The cause at the bottom of an error.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_with_its_quotes() {
        let found = parameters("realm=\"https://auth.example.com/token\",service=\"a, b\", scope=x");
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("realm", "https://auth.example.com/token"), ("scope", "x"), ("service", "a, b")]);
        assert!(parameters("").is_empty() && parameters("nonsense").is_empty());
    }

    #[test]
    fn what_a_registry_says_is_one_line() {
        let words = br#"{"errors": [{"code": "DENIED", "message": "not\u001b[31m you"}]}"#;
        assert_eq!(
            refusal(StatusCode::FORBIDDEN, words),
            "the registry answers 403: DENIED not\u{fffd}[31m you"
        );
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, b"<html>"), "the registry answers 502 Bad Gateway");
    }
}
