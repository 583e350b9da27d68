//! Pages for browsers, over real connections.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use castline_core::{Digest, MediaType};
use castline_server::{News, Page, PageServer};
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::oneshot;

struct Board {
    state: Mutex<u32>,
    tell: Sender<News>,
    picture: (Digest, PathBuf),
}

impl Board {
    fn patch(&self) {
        let mut state = self.state.lock().unwrap();
        *state += 1;
        let _ = self.tell.send(News::Patch(format!("{{\"seq\":{state}}}").into()));
    }
}

impl Page for Board {
    fn document(&self) -> (String, String) {
        ("<p>a page</p>".to_owned(), "default-src 'none'".to_owned())
    }

    fn follow(&self) -> (Arc<str>, Receiver<News>) {
        let state = self.state.lock().unwrap();
        (format!("{{\"seq\":{state},\n\"whole\":true}}").into(), self.tell.subscribe())
    }

    fn file(&self, digest: &Digest) -> Option<(PathBuf, MediaType)> {
        (*digest == self.picture.0).then(|| (self.picture.1.clone(), MediaType::new("image/svg+xml")))
    }
}

struct Place {
    url: String,
    board: Arc<Board>,
    end: Option<oneshot::Sender<()>>,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, "0123456789").unwrap();
        let board = Arc::new(Board {
            state: Mutex::new(0),
            tell: broadcast::channel(2).0,
            picture: (Digest::of(b"0123456789"), path),
        });
        let page: Arc<dyn Page> = board.clone();
        let server = PageServer::bind(BTreeMap::from([("boat".to_owned(), page)])).unwrap();
        let url = server.url("boat");
        let (end, ended) = oneshot::channel();
        tokio::spawn(server.run(async { drop(ended.await) }));
        Self { url, board, end: Some(end), client: reqwest::Client::new(), _folder: folder }
    }

    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> reqwest::Response {
        let request = self.client.get(format!("{}{path}", self.url));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
    }

    async fn part(&self, range: &str) -> (u16, String, Option<String>) {
        let file = format!("file/{}", self.board.picture.0.hex());
        let response = self.get(&file, &[("range", range)]).await;
        let part = response.headers().get("content-range").map(|v| v.to_str().unwrap().to_owned());
        (response.status().as_u16(), response.text().await.unwrap(), part)
    }
}

/// The next event of a stream, with its data.
async fn event(response: &mut reqwest::Response, rest: &mut String) -> (String, String) {
    loop {
        if let Some((event, more)) = rest.split_once("\n\n") {
            let field = |name: &str| {
                let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                lines.collect::<Vec<_>>().join("\n")
            };
            let found = (field("event"), field("data"));
            let more = more.to_owned();
            *rest = more;
            return found;
        }
        let piece = response.chunk().await.unwrap().expect("the stream goes on");
        rest.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

#[tokio::test]
async fn a_page_is_sent_with_its_policy_and_to_this_machine_only() {
    let place = Place::new();
    let response = place.get("", &[]).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(
        (header("cache-control"), header("x-content-type-options")),
        ("no-store".into(), "nosniff".into())
    );
    assert_eq!(response.text().await.unwrap(), "<p>a page</p>");
    for path in ["", "events", &format!("file/{}", place.board.picture.0.hex())] {
        let response = place.get(path, &[("host", "example.com")]).await;
        assert_eq!(response.status().as_u16(), 403, "a name that another site chose: {path}");
    }
    let guessed = place.url.replacen(place.url.rsplit('/').nth(2).unwrap(), "guessed", 1);
    assert_eq!(place.client.get(guessed).send().await.unwrap().status().as_u16(), 403);
    assert_eq!(place.get("../kite/", &[]).await.status().as_u16(), 404);
}

#[tokio::test]
async fn news_begin_with_everything_and_end() {
    let mut place = Place::new();
    place.board.patch();
    let mut response = place.get("events", &[]).await;
    let mut rest = String::new();
    let whole = |seq: u32| ("state".to_owned(), format!("{{\"seq\":{seq},\n\"whole\":true}}"));
    assert_eq!(event(&mut response, &mut rest).await, whole(1));
    place.board.patch();
    assert_eq!(event(&mut response, &mut rest).await, ("patch".to_owned(), "{\"seq\":2}".to_owned()));
    // Who is too far behind is told everything again.
    (0..5_000).for_each(|_| place.board.patch());
    loop {
        let (kind, data) = event(&mut response, &mut rest).await;
        if kind == "state" {
            assert!(data.contains("whole"));
            break;
        }
    }
    place.board.tell.send(News::End).unwrap();
    while event(&mut response, &mut rest).await != ("end".to_owned(), "{}".to_owned()) {}
    // Whoever looks may still fetch files, and is waited for until the connection is closed.
    assert_eq!(place.board.tell.receiver_count(), 1);
    drop(response);
    place.board.tell.closed().await;
    place.end.take().unwrap().send(()).unwrap();
}

#[tokio::test]
async fn files_come_whole_or_in_parts_and_no_others() {
    let place = Place::new();
    let file = format!("file/{}", place.board.picture.0.hex());
    let response = place.get(&file, &[]).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("content-length")), ("image/svg+xml".into(), "10".into()));
    assert!(header("content-security-policy").starts_with("sandbox; default-src 'none'"));
    assert_eq!(response.text().await.unwrap(), "0123456789");
    assert_eq!(place.part("bytes=2-4").await, (206, "234".into(), Some("bytes 2-4/10".into())));
    assert_eq!(place.part("bytes=-1").await, (206, "9".into(), Some("bytes 9-9/10".into())));
    assert_eq!(place.part("bytes=99-").await, (200, "0123456789".into(), None));
    for none in [format!("file/{}", "0".repeat(64)), "file/picture".into(), "file/%2e%2e%2fpicture".into()] {
        assert_eq!(place.get(&none, &[]).await.status().as_u16(), 404, "{none}");
    }
    std::fs::remove_file(&place.board.picture.1).unwrap();
    assert_eq!(place.get(&file, &[]).await.status().as_u16(), 404);
}
