//! Brings an output into a file: without a token, never from a private network, and never
//! an error page in place of a picture.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use castline_core::MediaType;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::io::AsyncWriteExt;

use super::address::{PrivateAddress, PublicOnly, is_loopback};
use super::base_url::host_and_port;
use super::client::{LazyClient, builder, innermost};
use super::data_uri;
use super::exchange::lost;
use super::input::size;
use super::options::Limits;
use super::refusal::retry_after;
use super::words::cut;
use crate::call::{CallFault, Fetched};

/// Delivery hosts use one or none.
const REDIRECTS: usize = 5;

/// Enough to tell a page from media.
const HEAD: usize = 1024;

/// Fetches the outputs of one provider.
#[derive(Debug)]
pub(crate) struct Downloads {
    base: Url,
    local: bool,
    /// The base's host is trusted at every port, and not at its own alone.
    whole_host: bool,
    limits: Limits,
    guard: Arc<PublicOnly>,
    /// For this machine.
    near: LazyClient,
    /// For everywhere else, when the user's own host may be private.
    open: LazyClient,
    /// For public addresses only.
    guarded: LazyClient,
}

impl Downloads {
    /// For outputs of the provider at `base`: its own origin is always allowed, private
    /// addresses only when the provider is `local`, on this machine.
    pub fn new(base: &Url, local: bool, limits: &Limits) -> Self {
        Self {
            base: base.clone(),
            local,
            whole_host: false,
            limits: limits.clone(),
            guard: Arc::new(PublicOnly::new()),
            near: LazyClient::default(),
            open: LazyClient::default(),
            guarded: LazyClient::default(),
        }
    }

    /// The same with every port of the base's host allowed: what a server of the user's own
    /// keeps its files in may stand beside it.
    pub fn of_host(base: &Url, local: bool, limits: &Limits) -> Self {
        Self { whole_host: true, ..Self::new(base, local, limits) }
    }

    /// Downloads one output into a new file, which is gone again when that fails.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        if data_uri::is_data_uri(uri) {
            let bytes =
                data_uri::decode(uri).map_err(|e| CallFault::bad_output(format!("the output is {e}")))?;
            let mut sink = Sink::new("the output", to, &self.limits);
            sink.take(&bytes).await?;
            return sink.finish(None).await;
        }
        let url = Url::parse(uri)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| CallFault::bad_output("the output is no http, https or data URI".to_owned()))?;
        let (name, limit) = (shown(&url), self.limits.download);
        let fetched = async { self.save(self.follow(url).await?, to).await };
        tokio::time::timeout(limit, fetched).await.unwrap_or_else(|_| {
            let message = format!("{name} was not there as a whole after {} s", limit.as_secs_f64());
            Err(CallFault::incomplete_output(message))
        })
    }

    async fn follow(&self, mut url: Url) -> Result<Response, CallFault> {
        for _ in 0..=REDIRECTS {
            let response = self.ask(&url).await?;
            if !response.status().is_redirection() {
                return checked(&url, response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            url = to
                .and_then(|to| url.join(to).ok())
                .filter(|to| matches!(to.scheme(), "http" | "https"))
                .ok_or_else(|| CallFault::bad_output(format!("{} redirects to nowhere", shown(&url))))?;
        }
        Err(CallFault::bad_output(format!("{} is behind more than {REDIRECTS} redirects", shown(&url))))
    }

    async fn ask(&self, url: &Url) -> Result<Response, CallFault> {
        let client = self.client(url).await?;
        let started = Instant::now();
        let answer = client.get(url.clone()).header(ACCEPT_ENCODING, "identity").send().await;
        let status = answer.as_ref().map(|a| a.status().as_u16()).ok();
        let millis = started.elapsed().as_millis() as u64;
        tracing::debug!(method = "GET", url = shown(url), status, millis, "fetching");
        answer.map_err(|e| match innermost(&e).downcast_ref::<PrivateAddress>() {
            Some(private) => refused(private),
            None => lost(&cut(&host_and_port(url)), &e, Some(self.limits.idle)),
        })
    }

    /// The client for one hop; each hop is judged anew.
    async fn client(&self, url: &Url) -> Result<&Client, CallFault> {
        let builder = |near: Option<&str>| builder(&self.limits, near).read_timeout(self.limits.idle);
        let own_host = self.whole_host && url.host() == self.base.host();
        let trusted = self.local || own_host || url.origin() == self.base.origin();
        if !trusted {
            self.guard.check(url).await.map_err(|e| refused(&e))?;
            return self.guarded.get(url, || builder(None).dns_resolver(self.guard.clone()).build());
        }
        if is_loopback(url) && url.scheme() == "http" {
            return self.near.get(url, || builder(Some("http")).build());
        }
        self.open.get(url, || builder(None).build())
    }

    async fn save(&self, mut response: Response, to: &Path) -> Result<Fetched, CallFault> {
        let name = shown(response.url());
        let said = response.content_length();
        if said.is_some_and(|bytes| bytes > self.limits.output_bytes) {
            return Err(too_large(&name, &self.limits));
        }
        let mut sink = Sink::new(&name, to, &self.limits);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => sink.take(&chunk).await?,
                Ok(None) => return sink.finish(said).await,
                Err(e) => return Err(sink.broken(&e, said)),
            }
        }
    }
}

fn checked(url: &Url, response: Response) -> Result<Response, CallFault> {
    let status = response.status();
    let name = shown(url);
    let encoding = response.headers().get(CONTENT_ENCODING).and_then(|e| e.to_str().ok());
    match status {
        StatusCode::OK if encoding.is_some_and(|e| e != "identity") => {
            Err(CallFault::bad_output(format!("{name} came compressed although that was not asked for")))
        }
        StatusCode::OK => Ok(response),
        // Storage answers 403 for signatures that ran out.
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => Err(CallFault::Gone),
        StatusCode::NO_CONTENT => Err(CallFault::incomplete_output(format!("{name} is empty"))),
        StatusCode::TOO_MANY_REQUESTS => Err(CallFault::Busy {
            message: format!("{name} is busy (429)"),
            retry_after: retry_after(response.headers()),
        }),
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(CallFault::Server { message: format!("{name} answered {}", status.as_u16()), refused: false })
        }
        status => Err(CallFault::Refused {
            status: status.as_u16(),
            message: format!("{name} answered {}", status.as_u16()),
        }),
    }
}

/// So many bytes are written at once. What is smaller is one errand for the threads that write,
/// and most pictures of a run of thousands are.
const AT_ONCE: usize = 256 << 10;

/// A new file that removes itself unless it is finished, whatever stops the download.
struct Sink<'a> {
    name: &'a str,
    to: &'a Path,
    limits: &'a Limits,
    /// What came, and is not written yet.
    waiting: Vec<u8>,
    /// There once something is written.
    file: Option<(tokio::fs::File, Unfinished)>,
    head: Vec<u8>,
    bytes: u64,
}

impl<'a> Sink<'a> {
    fn new(name: &'a str, to: &'a Path, limits: &'a Limits) -> Self {
        Self { name, to, limits, waiting: Vec::new(), file: None, head: Vec::new(), bytes: 0 }
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), CallFault> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limits.output_bytes {
            return Err(too_large(self.name, self.limits));
        }
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend_from_slice(&chunk[..chunk.len().min(missing)]);
        self.waiting.extend_from_slice(chunk);
        if self.waiting.len() >= AT_ONCE { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), CallFault> {
        if self.file.is_none() {
            let file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(self.to).await?;
            self.file = Some((file, Unfinished(Some(self.to.to_owned()))));
        }
        let (file, _) = self.file.as_mut().expect("opened before");
        file.write_all(&self.waiting).await?;
        self.waiting.clear();
        Ok(())
    }

    async fn finish(mut self, said: Option<u64>) -> Result<Fetched, CallFault> {
        if let Some(flaw) = self.flaw(said) {
            return Err(CallFault::incomplete_output(flaw));
        }
        let bytes = self.bytes;
        if self.file.is_none() {
            let (to, all) = (self.to.to_owned(), self.waiting);
            let written = tokio::task::spawn_blocking(move || write_new(&to, &all)).await;
            written.map_err(std::io::Error::other)??;
            return Ok(Fetched { bytes });
        }
        self.write().await?;
        if let Some((mut file, mut unfinished)) = self.file {
            file.flush().await?;
            unfinished.0 = None;
        }
        Ok(Fetched { bytes })
    }

    fn flaw(&self, said: Option<u64>) -> Option<String> {
        if self.bytes == 0 {
            return Some(format!("{} is empty", self.name));
        }
        if let Some(said) = said.filter(|said| *said != self.bytes) {
            return Some(format!("{} ended after {} of {}", self.name, size(self.bytes), size(said)));
        }
        let page = MediaType::sniff(&self.head).as_str() == "text/html";
        page.then(|| format!("{} is a web page, not the output", self.name))
    }

    fn broken(&self, error: &reqwest::Error, said: Option<u64>) -> CallFault {
        let whole = said.map(|said| format!(" of {}", size(said))).unwrap_or_default();
        let cause = if error.is_timeout() {
            format!("nothing came for {} s", self.limits.idle.as_secs_f64())
        } else {
            innermost(error).to_string()
        };
        CallFault::incomplete_output(format!(
            "{} ended after {}{whole}: {cause}",
            self.name,
            size(self.bytes)
        ))
    }
}

fn write_new(to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(to)?;
    let mut unfinished = Unfinished(Some(to.to_owned()));
    std::io::Write::write_all(&mut file, bytes)?;
    unfinished.0 = None;
    Ok(())
}

/// Removes the file when it is dropped.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn too_large(name: &str, limits: &Limits) -> CallFault {
    CallFault::bad_output(format!("{name} is larger than {}", size(limits.output_bytes)))
}

fn refused(private: &PrivateAddress) -> CallFault {
    CallFault::bad_output(format!(
        "{}, and outputs are fetched from there only for a provider on this machine, or at that host",
        cut(&private.to_string())
    ))
}

/// Host and path: the query may be a signature. Both are somebody else's, and as long as they like.
fn shown(url: &Url) -> String {
    cut(&format!("{}{}", host_and_port(url), url.path()))
}
