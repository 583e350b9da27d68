//! Pages of what happens here, for browsers on this machine.
//!
//! A page is a document, a stream of news that keeps it up to date, and the files it shows. Its
//! address has a part that nobody can guess, and only names of this machine are answered to, so that
//! no other web site can read it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io::{self, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, RANGE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use castline_core::{Digest, MediaType};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// A browser that lost its connection comes back after so long.
const RETRY: Duration = Duration::from_millis(500);

/// News for a page, as JSON.
#[derive(Debug, Clone)]
pub enum News {
    /// All that there is to know.
    State(Arc<str>),
    /// What is another than before.
    Patch(Arc<str>),
    /// There will be no more.
    End,
}

/// A page.
pub trait Page: Send + Sync {
    /// The document, and the policy that it is under.
    fn document(&self) -> (String, String);

    /// The whole state of now, and all news after it.
    fn follow(&self) -> (Arc<str>, Receiver<News>);

    /// Where a file is that the page shows, and what it is.
    fn file(&self, digest: &Digest) -> Option<(PathBuf, MediaType)>;
}

/// Serves pages on loopback.
pub struct PageServer {
    listener: std::net::TcpListener,
    addr: SocketAddr,
    served: Arc<Served>,
}

struct Served {
    secret: String,
    pages: BTreeMap<String, Arc<dyn Page>>,
}

impl PageServer {
    /// Takes a free port on loopback. Pages are found by name.
    pub fn bind(pages: BTreeMap<String, Arc<dyn Page>>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let secret = ulid::Ulid::generate().to_string().to_lowercase();
        Ok(Self { listener, addr, served: Arc::new(Served { secret, pages }) })
    }

    /// The address of a page.
    pub fn url(&self, page: &str) -> String {
        format!("http://{}/{}/{page}/", self.addr, self.served.secret)
    }

    /// Serves until `shutdown` is done.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let routes = Router::new()
            .route("/{secret}/{page}/", get(document))
            .route("/{secret}/{page}/events", get(events))
            .route("/{secret}/{page}/file/{digest}", get(file))
            .with_state(self.served);
        let listener = TcpListener::from_std(self.listener)?;
        axum::serve(listener, routes).with_graceful_shutdown(shutdown).await
    }
}

impl Served {
    /// The page that is meant, when it may be seen.
    fn page(&self, secret: &str, page: &str, headers: &HeaderMap) -> Result<&Arc<dyn Page>, StatusCode> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if !matches!(name, "127.0.0.1" | "localhost") || secret != self.secret {
            return Err(StatusCode::FORBIDDEN);
        }
        self.pages.get(page).ok_or(StatusCode::NOT_FOUND)
    }
}

async fn document(
    State(served): State<Arc<Served>>,
    Path((secret, page)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let (document, policy) = served.page(&secret, &page, &headers)?.document();
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (CONTENT_SECURITY_POLICY, format!("{policy}; frame-ancestors 'none'")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((headers, document))
}

async fn events(
    State(served): State<Arc<Served>>,
    Path((secret, page)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let page = served.page(&secret, &page, &headers)?.clone();
    Ok(([(CACHE_CONTROL, "no-store")], Sse::new(stream(page)).keep_alive(KeepAlive::default())))
}

/// Where a connection stands in the news of its page.
enum Following {
    First,
    Next(Receiver<News>),
    /// Whoever looks may still fetch files, and closes the connection after that.
    Over(Receiver<News>),
}

/// The whole state first, and again whenever news were missed.
fn stream(page: Arc<dyn Page>) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((page, Following::First), |(page, following)| async move {
        let mut news = match following {
            Following::First => return Some(begin(page)),
            Following::Next(news) => news,
            Following::Over(_kept) => return pending().await,
        };
        match news.recv().await {
            Ok(News::State(state)) => {
                Some((Ok(Event::default().event("state").data(&*state)), (page, Following::Next(news))))
            }
            Ok(News::Patch(patch)) => {
                Some((Ok(Event::default().event("patch").data(&*patch)), (page, Following::Next(news))))
            }
            Err(RecvError::Lagged(_)) => Some(begin(page)),
            Ok(News::End) | Err(RecvError::Closed) => {
                Some((Ok(Event::default().event("end").data("{}")), (page, Following::Over(news))))
            }
        }
    })
}

fn begin(page: Arc<dyn Page>) -> (Result<Event, Infallible>, (Arc<dyn Page>, Following)) {
    let (state, news) = page.follow();
    (Ok(Event::default().retry(RETRY).event("state").data(&*state)), (page, Following::Next(news)))
}

async fn file(
    State(served): State<Arc<Served>>,
    Path((secret, page, digest)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response<Body>, StatusCode> {
    let page = served.page(&secret, &page, &headers)?;
    let digest: Digest = format!("sha256:{digest}").parse().map_err(|_| StatusCode::NOT_FOUND)?;
    let (path, media_type) = page.file(&digest).ok_or(StatusCode::NOT_FOUND)?;
    let mut file = File::open(path).await.map_err(|_| StatusCode::NOT_FOUND)?;
    let length = file.metadata().await.map_err(|_| StatusCode::NOT_FOUND)?.len();
    let asked = headers.get(RANGE).and_then(|range| part(range.to_str().ok()?, length));
    let (from, to) = asked.unwrap_or((0, length));
    let mut response = Response::builder()
        .status(if asked.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
        .header(CONTENT_TYPE, media_type.as_str())
        .header(CONTENT_LENGTH, to - from)
        .header(ACCEPT_RANGES, "bytes")
        .header(CACHE_CONTROL, "private, max-age=31536000, immutable")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        // A browser runs what stands in some files when they are opened by themselves.
        .header(CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; style-src 'unsafe-inline'")
        .header(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if asked.is_some() {
        response = response.header(CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1));
    }
    file.seek(SeekFrom::Start(from)).await.map_err(|_| StatusCode::NOT_FOUND)?;
    response.body(Body::from_stream(pieces(file, to - from))).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// `bytes=0-499` of a file as what is sent: from there, and up to before here. None for what is no single part of it.
fn part(range: &str, length: u64) -> Option<(u64, u64)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from, to) {
        ("", last) => (length.checked_sub(last.parse().ok()?)?, length),
        (from, "") => (from.parse().ok()?, length),
        (from, to) => (from.parse().ok()?, to.parse::<u64>().ok()?.checked_add(1)?.min(length)),
    };
    (from < to).then_some((from, to))
}

/// So many bytes of a file are read at once.
const PIECE: usize = 64 << 10;

fn pieces(file: File, left: u64) -> impl Stream<Item = io::Result<Vec<u8>>> {
    unfold((file, left), |(mut file, left)| async move {
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        match file.read(&mut piece).await {
            _ if left == 0 => None,
            Ok(0) => Some((Err(io::ErrorKind::UnexpectedEof.into()), (file, 0))),
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(piece), (file, left - read as u64)))
            }
            Err(error) => Some((Err(error), (file, 0))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_of_a_file_is_asked_for_in_three_ways() {
        assert_eq!(part("bytes=0-", 10), Some((0, 10)));
        assert_eq!(part("bytes=2-3", 10), Some((2, 4)));
        assert_eq!(part("bytes=2-99", 10), Some((2, 10)));
        assert_eq!(part("bytes=-4", 10), Some((6, 10)));
        for none in
            ["bytes=10-", "bytes=3-2", "bytes=-11", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=-"]
        {
            assert_eq!(part(none, 10), None, "{none}");
        }
    }
}
