//! Where the local providers work: on threads for blocking work, no more at once than
//! there are cores.
//!
//! A finished piece of work is [`Made`]; [`run`] turns it, or the [`Fault`] in its place,
//! into a terminal snapshot.

use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::Instant;

use castline_core::{PredictionId, Snapshot, Status};
use serde_json::{Value as Json, json};
use tokio::sync::Semaphore;

use super::fault::Fault;
use crate::outputs::Outputs;

/// What a piece of work gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Made {
    /// One file where the model gives one.
    File(Vec<u8>),
    /// Files where the model gives a list.
    Files(Vec<Vec<u8>>),
    /// Text, or any JSON.
    Json(Json),
}

static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, NonZero::get)));

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Does the work as soon as a core is free. `provider` begins the snapshot's id.
pub(crate) async fn run(
    provider: &str,
    outputs: &Outputs,
    work: impl FnOnce() -> Result<Made, Fault> + Send + 'static,
) -> Snapshot {
    let _core = CORES.acquire().await.expect("the semaphore is never closed");
    let timed = move || {
        let begin = Instant::now();
        (work(), begin.elapsed().as_secs_f64())
    };
    let (made, seconds) = match tokio::task::spawn_blocking(timed).await {
        Ok(done) => done,
        Err(broken) => {
            (Err(Fault::new(format!("a bug in castline: the picture could not be drawn ({broken})"))), 0.0)
        }
    };
    let metrics = json!({ "predict_time": (seconds * 1e6).round() / 1e6 });
    match made {
        Ok(made) => Snapshot {
            status: Status::Succeeded,
            output: Some(delivered(made, outputs)),
            metrics: Some(metrics),
            ..failed(provider, None)
        },
        Err(fault) => Snapshot { metrics: Some(metrics), ..failed(provider, Some(fault.to_string())) },
    }
}

/// A snapshot of a prediction that failed at once.
pub(crate) fn failed(provider: &str, error: Option<String>) -> Snapshot {
    Snapshot {
        id: PredictionId(format!("{provider}-{}", NEXT.fetch_add(1, Ordering::Relaxed))),
        status: Status::Failed,
        output: None,
        error,
        logs: None,
        metrics: None,
        created_at: None,
        started_at: None,
        completed_at: None,
        data_removed: false,
    }
}

fn delivered(made: Made, outputs: &Outputs) -> Json {
    match made {
        Made::File(bytes) => outputs.put(bytes).into(),
        Made::Files(files) => files.into_iter().map(|bytes| outputs.put(bytes)).collect(),
        Made::Json(value) => value,
    }
}
