//! A provider on loopback that costs next to nothing: the prediction API as far as castline
//! needs it, with a latency, and a count of what was asked of it.
//!
//! It draws nothing, logs nothing and checks nothing, so that what is measured is the client.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::Wrong;
use crate::picture::png;

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Play {
    /// How long a prediction takes.
    pub latency: Duration,
    /// Of how many inputs in a hundred the first prediction fails.
    pub fail_percent: u8,
}

impl Play {
    /// A server whose predictions take so many milliseconds.
    pub(crate) fn millis(millis: u64) -> Self {
        Self { latency: Duration::from_millis(millis), fail_percent: 0 }
    }
}

/// What was asked of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Creates that it took.
    pub creates: u64,
    /// Creates of an input that it had taken before.
    pub repeated: u64,
    /// Predictions that it let fail.
    pub failed: u64,
    /// Questions after a prediction.
    pub gets: u64,
    /// Downloads.
    pub files: u64,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    world: Arc<World>,
    runtime: Option<Runtime>,
}

struct World {
    play: Play,
    address: SocketAddr,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    predictions: Vec<Prediction>,
    seen: HashMap<[u8; 32], u64>,
    counts: Counts,
}

struct Prediction {
    created: Instant,
    fails: bool,
    /// What its picture is of.
    name: String,
}

impl Server {
    /// Begins to listen on a port of its own.
    pub(crate) fn start(play: Play) -> Result<Self, Wrong> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let world = Arc::new(World { play, address, known: Mutex::default() });
        let routes = Router::new()
            .route("/v1/models/{owner}/{name}/predictions", post(create))
            .route("/v1/predictions/{id}", get(show))
            .route("/files/{name}", get(file))
            .with_state(world.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, world, runtime: Some(runtime) })
    }

    /// Where the API is.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// When it took its last create, once it has taken so many.
    pub(crate) fn nth_create(&self, count: usize) -> Option<Instant> {
        let known = self.world.known();
        known.predictions.last().filter(|_| known.predictions.len() >= count).map(|last| last.created)
    }

    /// What was asked of it since the last time.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.world.known().counts)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl World {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, id: usize, prediction: &Prediction) -> Value {
        let passed = prediction.created.elapsed();
        let id = format!("bench{id:012}");
        if passed < self.play.latency {
            return json!({ "id": id, "status": "processing", "output": null, "error": null });
        }
        // What the model itself took; the question comes later.
        let metrics = json!({ "predict_time": self.play.latency.as_secs_f64() });
        if prediction.fails {
            let error = "Prediction interrupted; please retry (code: PA)";
            return json!({ "id": id, "status": "failed", "output": null, "error": error, "metrics": metrics });
        }
        let output = format!("http://{}/files/{}.png", self.address, prediction.name);
        json!({ "id": id, "status": "succeeded", "output": [output], "error": null, "metrics": metrics })
    }
}

async fn create(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let Ok(Value::Object(body)) = serde_json::from_slice(&body) else {
        return (StatusCode::UNPROCESSABLE_ENTITY, "not JSON").into_response();
    };
    let input = body.get("input").unwrap_or(&Value::Null).to_string();
    let digest: [u8; 32] = Sha256::digest(input.as_bytes()).into();
    let mut known = world.known();
    let times = known.seen.entry(digest).or_default();
    *times += 1;
    let first = *times == 1;
    let fails = first
        && digest[0..8].iter().fold(0, |n, b| (n * 256 + u32::from(*b)) % 100)
            < u32::from(world.play.fail_percent);
    known.counts.creates += 1;
    known.counts.repeated += u64::from(!first);
    known.counts.failed += u64::from(fails);
    let prediction = Prediction { created: Instant::now(), fails, name: hex::encode(&digest[..16]) };
    let answer = world.answer(known.predictions.len(), &prediction);
    known.predictions.push(prediction);
    drop(known);
    (StatusCode::CREATED, axum::Json(answer)).into_response()
}

async fn show(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let number = id.strip_prefix("bench").and_then(|number| number.parse::<usize>().ok());
    let mut known = world.known();
    known.counts.gets += 1;
    let answer = number.and_then(|n| Some(world.answer(n, known.predictions.get(n)?)));
    drop(known);
    match answer {
        Some(answer) => axum::Json(answer).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn file(State(world): State<Arc<World>>, Path(name): Path<String>) -> Response {
    world.known().counts.files += 1;
    ([(header::CONTENT_TYPE, "image/png")], png(&name)).into_response()
}
