//! Takes the webhooks of a Cog server.
//!
//! They are unsigned, so they come to an address that nobody can guess. They also come late,
//! twice and in any order: only the first that ends a prediction counts.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use castline_core::{PredictionId, Snapshot};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::random_id;
use crate::http::{Dialect, prediction};

/// As much as the answer of a blocking request may hold.
const EVENT_BYTES: usize = 128 << 20;

/// A listener; it ends with this value.
#[derive(Debug)]
pub(super) struct Webhooks {
    base: String,
    desk: Arc<Desk>,
    _listening: JoinSet<()>,
}

/// Who waits for what.
#[derive(Debug)]
struct Desk {
    secret: String,
    waiting: Mutex<HashMap<PredictionId, oneshot::Sender<Snapshot>>>,
}

impl Webhooks {
    /// Listens at `host:port`. See [`super::WebhookOptions::at`].
    pub async fn listen(at: &str) -> io::Result<Self> {
        let listener = bind(at).await?;
        let port = listener.local_addr()?.port();
        let host = at.rsplit_once(':').map_or(at, |(host, _)| host);
        let desk = Arc::new(Desk { secret: random_id(), waiting: Mutex::default() });
        let routes = Router::new()
            .route("/{secret}/{id}", post(take))
            .layer(DefaultBodyLimit::max(EVENT_BYTES))
            .with_state(desk.clone());
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            // It ends when it is dropped; before that it has no reason to.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { base: format!("http://{host}:{port}/{}", desk.secret), desk, _listening: listening })
    }

    /// Where the events of a prediction are to be sent, and what ends it.
    pub fn expect(&self, id: &PredictionId) -> (String, oneshot::Receiver<Snapshot>) {
        let (send, arrived) = oneshot::channel();
        let mut waiting = self.desk.waiting();
        waiting.retain(|_, send| !send.is_closed());
        waiting.insert(id.clone(), send);
        drop(waiting);
        (format!("{}/{id}", self.base), arrived)
    }
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, HashMap<PredictionId, oneshot::Sender<Snapshot>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a terminal event to whoever waits for it; anything else changes nothing.
    fn deliver(&self, id: &PredictionId, event: &Json) {
        let found = prediction::read(event, Dialect::Replicate, Some(id));
        let Some(snapshot) = found.filter(|snapshot| snapshot.status.is_terminal()) else { return };
        if let Some(waiting) = self.waiting().remove(id) {
            let _ = waiting.send(snapshot);
        }
    }
}

async fn bind(at: &str) -> io::Result<TcpListener> {
    let port = at.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port: u16 = port.ok_or_else(|| io::Error::other(format!("`{at}` is no `host:port`")))?;
    let here: Vec<SocketAddr> = tokio::net::lookup_host(at).await.map(Iterator::collect).unwrap_or_default();
    match TcpListener::bind(&*here).await {
        Ok(listener) => Ok(listener),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Err(e),
        // A name that only the server knows us by.
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// Answers before anything is done: an older server is stuck until it is answered.
async fn take(
    State(desk): State<Arc<Desk>>,
    Path((secret, id)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    if secret != desk.secret {
        return StatusCode::NOT_FOUND;
    }
    tokio::spawn(async move {
        if let Ok(event) = serde_json::from_slice(&body) {
            desk.deliver(&PredictionId(id), &event);
        }
    });
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use castline_core::Status;
    use serde_json::json;

    use super::*;

    async fn send(url: &str, event: &Json) -> u16 {
        let client =
            crate::http::client::builder(&crate::http::Limits::default(), Some("http")).build().unwrap();
        client.post(url).body(event.to_string()).send().await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn pitfall_33_only_the_first_terminal_event_counts_and_its_output_alone() {
        let hooks = Webhooks::listen("127.0.0.1:0").await.unwrap();
        let (url, arrived) = hooks.expect(&PredictionId("p1".into()));
        for event in [
            json!({ "id": "p1", "status": "processing", "output": ["data:,preview"] }),
            json!("nonsense"),
            json!({ "id": "p1", "status": "succeeded", "output": "data:,whole" }),
            json!({ "id": "p1", "status": "processing", "output": ["data:,late"] }),
            json!({ "id": "p1", "status": "failed", "error": "later still" }),
        ] {
            assert_eq!(send(&url, &event).await, 204);
        }
        let snapshot = arrived.await.unwrap();
        assert_eq!((snapshot.status, snapshot.output), (Status::Succeeded, Some(json!("data:,whole"))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn pitfall_36_the_server_is_answered_while_nobody_can_take_the_event() {
        let hooks = Webhooks::listen("127.0.0.1:0").await.unwrap();
        let (url, mut arrived) = hooks.expect(&PredictionId("p1".into()));
        let desk = hooks.desk.clone();
        let (taken, is_taken) = std::sync::mpsc::channel();
        let (free, is_free) = std::sync::mpsc::channel::<()>();
        let busy = std::thread::spawn(move || {
            let _waiting = desk.waiting();
            taken.send(()).unwrap();
            is_free.recv().unwrap();
        });
        is_taken.recv().unwrap();
        assert_eq!(send(&url, &json!({ "id": "p1", "status": "succeeded", "output": "data:,x" })).await, 204);
        assert!(arrived.try_recv().is_err());
        free.send(()).unwrap();
        busy.join().unwrap();
        assert_eq!(arrived.await.unwrap().status, Status::Succeeded);
    }

    #[tokio::test]
    async fn pitfall_35_nobody_else_can_end_a_prediction() {
        let hooks = Webhooks::listen("127.0.0.1:0").await.unwrap();
        let (url, mut arrived) = hooks.expect(&PredictionId("p1".into()));
        let (rest, id) = url.rsplit_once('/').unwrap();
        let (base, secret) = rest.rsplit_once('/').unwrap();
        assert_eq!(secret.len(), 26);
        let other = format!("{base}/{}/{id}", "a".repeat(26));
        assert_eq!(send(&other, &json!({ "id": "p1", "status": "succeeded" })).await, 404);
        assert!(arrived.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_name_that_only_the_server_knows_is_listened_for_everywhere() {
        let hooks = Webhooks::listen("host.docker.invalid:0").await.unwrap();
        let (url, arrived) = hooks.expect(&PredictionId("p1".into()));
        assert!(url.starts_with("http://host.docker.invalid:"), "{url}");
        let here = url.replace("host.docker.invalid", "127.0.0.1");
        assert_eq!(send(&here, &json!({ "status": "failed" })).await, 204);
        assert_eq!(arrived.await.unwrap().status, Status::Failed);
    }

    #[tokio::test]
    async fn an_address_that_is_taken_or_none_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = Webhooks::listen(&taken.local_addr().unwrap().to_string()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = Webhooks::listen("localhost").await.unwrap_err();
        assert_eq!(error.to_string(), "`localhost` is no `host:port`");
    }
}
