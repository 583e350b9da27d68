//! The words in which calls are made and answered.

use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{Artifact, ModelRef, Value};
use indexmap::IndexMap;

/// What a provider can do; the ledger asks these, never a provider's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Predictions cost money.
    pub bills: bool,
    /// It can be asked for a prediction by its id after the create.
    pub get: bool,
    /// It can list recent predictions, so that lost creates can be found.
    pub list: bool,
    /// It can stop a prediction.
    pub cancel: bool,
    /// It takes a deadline with the create.
    pub cancel_after: bool,
    /// It takes uploads.
    pub upload: bool,
    /// Predictions outlive the connection and the process that made them.
    pub remote: bool,
}

impl Capabilities {
    /// The embedded providers: free, at once, gone with the process.
    pub const LOCAL: Self = Self {
        bills: false,
        get: false,
        list: false,
        cancel: false,
        cancel_after: false,
        upload: false,
        remote: false,
    };
}

/// What to create.
#[derive(Debug, Clone)]
pub struct Create<'a> {
    /// What runs.
    pub model: &'a ModelRef,
    /// The resolved input by the model's field names.
    pub input: &'a IndexMap<String, Value>,
    /// What tells this request from the same one elsewhere. Never sent: a model draws anew
    /// by itself, a stand-in does not.
    pub draw: &'a [Value],
    /// JSON Schema of the input, for the stand-ins; none for raw models.
    pub schema: Option<&'a serde_json::Value>,
    /// `text-to-image`, `upscale`, ...: what a stand-in should do.
    pub task: Option<&'a str>,
    /// What the model gives.
    pub output: OutputShape,
    /// For the rehearsal of latency. Seconds.
    pub typical_seconds: Option<f64>,
    /// How long the prediction may live in all, queueing included.
    pub cancel_after: Duration,
}

/// Where the bytes of artifacts are.
pub trait MediaSource: Send + Sync {
    /// Reads a whole artifact.
    fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>>;
}

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Length in bytes, checked against what the server said.
    pub bytes: u64,
}

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request never left: no connection. Safe to send again.
    #[error("cannot reach {host}: {cause}")]
    NotSent {
        /// Host and port.
        host: String,
        /// The operating system's or TLS library's words.
        cause: String,
    },
    /// Sent, and the answer was lost: for a create nobody knows whether it was received.
    #[error("the answer of {host} was lost: {cause}")]
    Lost {
        /// Host and port.
        host: String,
        /// What happened.
        cause: String,
    },
    /// Refused for now: 429, or a server that is still loading.
    #[error("{message}")]
    Busy {
        /// The server's words.
        message: String,
        /// When to come back, where the server said so.
        retry_after: Option<Duration>,
    },
    /// The server failed: any 5xx, or something that is not JSON.
    #[error("{message}")]
    Server {
        /// The server's words with the HTTP status.
        message: String,
        /// True when a create certainly was not accepted.
        refused: bool,
    },
    /// Refused for good: 400, 401, 402, 403, 404 of a create, 413, 422.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words and what to do.
        message: String,
    },
    /// There is no such prediction or file (404, 410), or not any more.
    #[error("it is not there (any more)")]
    Gone,
    /// A download that would end the same way again: too large, or at an address that is
    /// refused.
    #[error("{0}")]
    BadOutput(String),
    /// A download that came empty, short or as an error page, or that stalled: the file is
    /// paid for and the same download may well succeed.
    #[error("{0}")]
    IncompleteOutput(String),
    /// An input that cannot be sent.
    #[error("{0}")]
    BadInput(String),
    /// A local file could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl CallError {
    /// True when the same call could succeed later: for `get`, `cancel` and `fetch`, which
    /// may be repeated freely. For a create look at the variants: [`CallError::Lost`] and an
    /// unrefused [`CallError::Server`] may have been accepted.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::Lost { .. }
            | Self::Busy { .. }
            | Self::Server { .. }
            | Self::IncompleteOutput(_) => true,
            Self::Refused { .. } | Self::Gone | Self::BadOutput(_) | Self::BadInput(_) | Self::Io(_) => false,
        }
    }
}
