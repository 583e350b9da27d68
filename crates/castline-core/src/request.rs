//! One prediction as castline asks for it, and what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::preset::{Output as OutputSpec, OutputKind};
use castline_spec::schema::MediaKind;
pub use castline_spec::workflow::FailureKind;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media::Artifact;
use crate::model::{ModelRef, ProviderName, Realm};
use crate::money::MicroUsd;
use crate::value::Value;

/// The digest of everything that decides a prediction's output. See [`crate::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(pub Digest);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One prediction as castline asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its cache key.
    pub key: Key,
    /// Which cache it belongs to.
    pub realm: Realm,
    /// Who is asked.
    pub provider: ProviderName,
    /// What runs.
    pub model: ModelRef,
    /// `owner/name` of the deployment that runs it there; no ingredient of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The resolved input by the model's field names, none left out.
    pub input: Arc<IndexMap<String, Value>>,
    /// What tells it apart from the same request elsewhere; usually empty.
    pub draw: Vec<Value>,
    /// What the model gives.
    pub output: OutputShape,
    /// The most that it can cost, reserved before the create; none when unpriced.
    pub price: Option<MicroUsd>,
    /// Of the prediction's running.
    pub timeout: Duration,
}

/// What a model gives; serialised form of [`castline_spec::preset::Output`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputShape {
    /// Files of a kind, text, or JSON.
    pub kind: OutputKind,
    /// Several files are usual.
    pub many: bool,
}

impl From<&OutputSpec> for OutputShape {
    fn from(output: &OutputSpec) -> Self {
        Self { kind: output.kind, many: output.many }
    }
}

/// What a prediction gave: the raw output in which files are artifacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// As on the wire, with [`Value::Media`] where a file's URI stood; text pieces joined.
    pub raw: Arc<Value>,
}

impl Output {
    /// All files of a kind, in order.
    pub fn files(&self, kind: MediaKind) -> Vec<&Artifact> {
        let mut files = self.raw.media();
        files.retain(|a| kind == MediaKind::File || a.kind() == kind);
        files
    }

    /// The text, when the output is text.
    pub fn text(&self) -> Option<&str> {
        self.raw.as_str()
    }
}

/// Why a prediction gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// For people: what went wrong, in the provider's words where it had some.
    pub message: String,
    /// What is kept of the prediction's log: its beginning and its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
}

impl Failure {
    /// A failure without logs.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), logs: None }
    }
}
