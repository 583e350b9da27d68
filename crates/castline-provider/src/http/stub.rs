//! A server of canned bytes on loopback, for tests: it sends exactly what it is told, also
//! what no proper server would.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens after a request was read.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// The end of the connection.
    HangUp,
    /// These bytes, and then nothing for ever.
    Stall(Vec<u8>),
    /// These bytes, and then a blank every few milliseconds for ever.
    Dribble(Vec<u8>),
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// `POST /v1/predictions`.
    pub line: String,
    /// Header lines, as sent.
    pub headers: Vec<String>,
    pub body: String,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|h| {
            let (found, value) = h.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A running server; it ends with the test.
pub(crate) struct Stub {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Stub {
    /// Gives each request the next reply, and the last one to all that follow.
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, replies.clone(), log.clone()));
            }
        });
        Self { address, requests }
    }

    /// Everything that was asked so far.
    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().expect("nobody panics while holding it").clone()
    }

    /// A URL on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn serve(mut stream: TcpStream, replies: Vec<Reply>, log: Arc<Mutex<Vec<Received>>>) {
    let Some(received) = read(&mut stream).await else { return };
    let nth = {
        let mut log = log.lock().expect("nobody panics while holding it");
        log.push(received);
        log.len() - 1
    };
    match &replies[nth.min(replies.len() - 1)] {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::HangUp => {}
        Reply::Stall(bytes) => {
            let _ = stream.write_all(bytes).await;
            std::future::pending::<()>().await;
        }
        Reply::Dribble(bytes) => {
            let mut sent = stream.write_all(bytes).await;
            while sent.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                sent = stream.write_all(b" ").await;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parsed(&bytes) {
            return Some(request);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn parsed(bytes: &[u8]) -> Option<Received> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 4..]);
    let mut lines = head.lines().map(str::to_owned);
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let text = String::from_utf8_lossy(body).into_owned();
    let received = Received { line, headers: lines.collect(), body: text };
    let length = received.header("content-length").map_or(0, |l| l.parse().expect("a length"));
    (body.len() >= length).then_some(received)
}

/// A reply with a body of its right length.
pub(crate) fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    Reply::Bytes(bytes)
}

/// A JSON answer.
pub(crate) fn json(status: &str, body: &serde_json::Value) -> Reply {
    reply(status, "content-type: application/json\r\n", body.to_string())
}
