//! What a provider says of a prediction at one moment.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A provider's name for a prediction; opaque.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PredictionId(pub String);

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The status of a prediction, as on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, not running yet.
    Starting,
    /// Running.
    Processing,
    /// Done, with outputs.
    Succeeded,
    /// Done, with an error.
    Failed,
    /// Stopped while running; billed for the time used.
    Canceled,
    /// Stopped before it started; free.
    Aborted,
    /// A word that castline does not know: not terminal, polled on.
    Other(String),
}

impl Status {
    /// Reads the wire's word; unknown ones are kept.
    pub fn parse(word: &str) -> Self {
        match word {
            "starting" => Self::Starting,
            "processing" => Self::Processing,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            "aborted" => Self::Aborted,
            other => Self::Other(other.to_owned()),
        }
    }

    /// True when nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Aborted)
    }
}

/// A prediction as a provider shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: PredictionId,
    /// Its status.
    pub status: Status,
    /// Output as on the wire: files are URIs.
    pub output: Option<serde_json::Value>,
    /// The model's or host's words when it failed.
    pub error: Option<String>,
    /// The whole log so far.
    pub logs: Option<String>,
    /// `metrics` as on the wire.
    pub metrics: Option<serde_json::Value>,
    /// By the provider's clock.
    pub created_at: Option<Timestamp>,
    /// By the provider's clock.
    pub started_at: Option<Timestamp>,
    /// By the provider's clock.
    pub completed_at: Option<Timestamp>,
    /// True when input and output were deleted at the provider.
    pub data_removed: bool,
}

impl Snapshot {
    /// Seconds of `metrics.predict_time`.
    pub fn predict_seconds(&self) -> Option<f64> {
        self.metrics.as_ref()?.get("predict_time")?.as_f64()
    }
}
