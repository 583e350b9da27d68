//! The words in which calls are made and answered.

use std::collections::BTreeMap;
use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{Artifact, Digest, ModelRef, Value};
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::secrets::Secrets;

pub use castline_core::prediction::{CallFault, Candidate, Found, Named, Search};

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

/// Where a provider can read bytes by itself: a URL for each digest that has one. What has
/// none travels inside the request.
pub type Links = BTreeMap<Digest, String>;

/// What to create.
#[derive(Debug, Clone)]
pub struct Create<'a> {
    /// What runs.
    pub model: &'a ModelRef,
    /// `owner/name` of the deployment that runs it, where the preset's route names one.
    pub deployment: Option<&'a str>,
    /// Our own name for this attempt, for providers that take one: 26 characters of
    /// lower-case base32, the same whenever this attempt is named.
    pub attempt: &'a str,
    /// The name of the attempt before, which may still be running there after a crash.
    pub former: Option<&'a str>,
    /// The resolved input by the model's field names.
    pub input: &'a IndexMap<String, Value>,
    /// Inputs besides, that are known only when the request is sent.
    pub secrets: &'a Secrets,
    /// Where the provider finds files of the input.
    pub links: &'a Links,
    /// What tells this request from the same one elsewhere. Never sent: a model draws anew
    /// by itself, a stand-in does not.
    pub draw: &'a [Value],
    /// JSON Schema of the input, for the stand-ins; none for raw models.
    pub schema: Option<&'a serde_json::Value>,
    /// JSON Schema that the text has to satisfy, for the stand-ins. Never sent: a model is
    /// told by its prompt.
    pub json: Option<&'a serde_json::Value>,
    /// `text-to-image`, `upscale`, ...: what a stand-in should do.
    pub task: Option<&'a str>,
    /// What the model gives.
    pub output: OutputShape,
    /// For the rehearsal of latency. Seconds.
    pub typical_seconds: Option<f64>,
    /// How long the prediction may live in all, queueing included.
    pub cancel_after: Duration,
}

impl<'a> Create<'a> {
    /// A create with nothing but what it must have, and an hour to live.
    pub fn new(model: &'a ModelRef, input: &'a IndexMap<String, Value>, output: OutputShape) -> Self {
        static NO_LINKS: Links = Links::new();
        Self {
            model,
            deployment: None,
            attempt: "",
            former: None,
            input,
            secrets: Secrets::NONE,
            links: &NO_LINKS,
            draw: &[],
            schema: None,
            json: None,
            task: None,
            output,
            typical_seconds: None,
            cancel_after: Duration::from_hours(1),
        }
    }
}

/// What a provider says of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Described {
    /// The OpenAPI document of its version; none where it shows none.
    pub schema: Option<serde_json::Value>,
    /// The id of that version; none where it has none, or hides it.
    pub version: Option<String>,
    /// True for a model that is called by its name alone; none where it does not say.
    pub official: Option<bool>,
    /// What it does, in its owner's words.
    pub description: Option<String>,
}

/// Where the bytes of artifacts are.
pub trait MediaSource: Send + Sync {
    /// Reads a whole artifact.
    fn read(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>>;
}

/// A file that a provider can read by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where.
    pub url: String,
    /// Until then, by our clock; none when it stays.
    pub expires: Option<Timestamp>,
}

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pong {
    /// How long the answer took.
    pub took: Duration,
    /// Its clock minus ours, where its answer had a date.
    pub clock: Option<SignedDuration>,
    /// For people: who the token belongs to, or what the server runs.
    pub about: String,
    /// Why it cannot run a prediction, where it says that it cannot.
    pub broken: Option<String>,
}

/// A finished download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Length in bytes, checked against what the server said.
    pub bytes: u64,
}
