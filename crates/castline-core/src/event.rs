//! What happened in a run, in the past tense.
//!
//! One list of events is the journal, the terminal, the JSON lines and the replay.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use castline_spec::Name;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::media::Artifact;
use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::plain;
use crate::plan::Skip;
use crate::price::Estimate;
use crate::request::{Failure, Key, Request};
use crate::results::LegStatus;
use crate::snapshot::PredictionId;
use crate::value::Value;

/// The version of the events' JSON, and of the records that are made of them.
pub const SCHEMA_VERSION: u32 = 1;

/// Reads a [`SCHEMA_VERSION`]; one that is to come is an error.
pub(crate) fn known_version<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        version @ 1..=SCHEMA_VERSION => Ok(version),
        version => Err(D::Error::custom(format!(
            "it has version {version}, and this castline knows versions up to {SCHEMA_VERSION}"
        ))),
    }
}

/// An event with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`SCHEMA_VERSION`].
    #[serde(deserialize_with = "known_version")]
    pub schema_version: u32,
    /// From 0, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Which leg an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegRef {
    /// The step.
    pub step: Name,
    /// The leg's values by axis; media are digests.
    pub leg: IndexMap<Name, Json>,
    /// `styled[style=linocut]`.
    pub name: String,
}

/// Legs that are not the same are rarely called alike, and then compared.
impl Hash for LegRef {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.name.hash(to);
    }
}

/// A step as the start of a run announces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// Its name.
    pub name: Name,
    /// What it calls.
    pub uses: String,
    /// `owner/name`.
    pub model: String,
    /// Its axes.
    pub axes: Vec<Name>,
    /// How many legs.
    pub legs: usize,
    /// The steps it reads.
    pub reads: Vec<Name>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Everything that should has an output.
    Succeeded,
    /// A leg failed, and nothing handles that.
    Failed,
    /// The budget did not allow everything.
    Refused,
    /// Nobody knows whether a create was received.
    InDoubt,
    /// Stopped by a signal, or by a newer plan.
    Interrupted,
}

impl RunStatus {
    /// The exit code of a run that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Refused => 3,
            Self::InDoubt => 4,
            Self::Interrupted => 130,
        }
    }
}

/// What the legs of a run cost. USD amounts count what is known; `unpriced` counts the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Paid in this run.
    pub cost: MicroUsd,
    /// What the legs that ran would cost at the presets' prices.
    pub would_cost: MicroUsd,
    /// What the reused legs would have cost.
    pub saved: MicroUsd,
    /// Legs that ran and have no price.
    pub unpriced: usize,
}

/// Why a run stops before it is done, besides a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopCause {
    /// Somebody canceled it, perhaps from another process: what runs is stopped at its
    /// provider where that can be.
    Canceled,
    /// A leg failed, and the run was told to stop then. What runs is awaited.
    FailFast,
    /// Another plan took its place, as after an edit: what that one wants goes on.
    Superseded,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Its id.
        run: String,
        /// The workflow's name.
        workflow: Name,
        /// The workflow's file.
        file: String,
        /// The chosen provider.
        provider: ProviderName,
        /// True when predictions may go to a provider that takes money, whichever was chosen.
        #[serde(default)]
        live: bool,
        /// castline's version.
        castline_version: String,
        /// The steps, in the order of the file.
        steps: Vec<StepSummary>,
        /// How many legs there are.
        legs: usize,
    },
    /// The legs of a step are known, because the list that they run over is.
    LegsOpened {
        /// The step.
        step: Name,
        /// How many legs it has.
        legs: usize,
    },
    /// A leg does not run.
    LegSkipped {
        /// Which.
        leg: Arc<LegRef>,
        /// Why.
        reason: Skip,
    },
    /// A leg's output was there already.
    LegReused {
        /// Which.
        leg: Arc<LegRef>,
        /// What it would have sent.
        request: Arc<RequestRecord>,
        /// Its output.
        #[serde(serialize_with = "plain::serialize", deserialize_with = "plain::deserialize")]
        output: Arc<Value>,
        /// The prediction that made it.
        prediction: Option<PredictionId>,
        /// What it would have cost.
        estimate: Option<Estimate>,
    },
    /// A leg was started.
    LegStarted {
        /// Which.
        leg: Arc<LegRef>,
        /// What it sends.
        request: Arc<RequestRecord>,
        /// From 1.
        attempt: u32,
        /// What it can cost.
        estimate: Option<Estimate>,
    },
    /// The provider gave the prediction an id.
    LegCreated {
        /// Which.
        leg: Arc<LegRef>,
        /// The id.
        prediction: PredictionId,
        /// True when another run or process created it.
        adopted: bool,
    },
    /// A prediction said how far it is.
    LegProgress {
        /// Which.
        leg: Arc<LegRef>,
        /// The wire's status, or a word on what is waited for.
        status: String,
        /// From 0 to 1.
        fraction: Option<f64>,
    },
    /// A prediction failed and is created again.
    AttemptFailed {
        /// Which.
        leg: Arc<LegRef>,
        /// From 1.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// What it cost all the same; none when nobody knows.
        #[serde(default)]
        cost: Option<MicroUsd>,
    },
    /// A leg has its output.
    LegSucceeded {
        /// Which.
        leg: Arc<LegRef>,
        /// Its output.
        #[serde(serialize_with = "plain::serialize", deserialize_with = "plain::deserialize")]
        output: Arc<Value>,
        /// The prediction that made it.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
        /// What its rules said.
        estimate: Option<Estimate>,
        /// True when the provider takes money.
        #[serde(default)]
        billed: bool,
        /// Seconds of running, by the provider.
        predict_seconds: Option<f64>,
    },
    /// A leg ended without an output.
    LegFailed {
        /// Which.
        leg: Arc<LegRef>,
        /// How.
        status: LegStatus,
        /// Why.
        failure: Failure,
        /// The prediction, when there was one.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
        /// True when the workflow says what to do then.
        handled: bool,
    },
    /// A leg was not run.
    LegNotRun {
        /// Which.
        leg: Arc<LegRef>,
        /// Why.
        reason: String,
    },
    /// A file was written for the user.
    Saved {
        /// The leg, or none for a workflow output.
        leg: Option<Arc<LegRef>>,
        /// The workflow output.
        output: Option<Name>,
        /// Relative to the project.
        path: String,
        /// What it is.
        artifact: Artifact,
    },
    /// A workflow output has its value.
    OutputReady {
        /// Its name.
        name: Name,
        /// The value; an absent one is none.
        #[serde(serialize_with = "plain::serialize", deserialize_with = "plain::deserialize")]
        value: Value,
    },
    /// Something that should be known and stops nothing.
    Warned {
        /// What.
        message: String,
    },
    /// The user asked the run to stop.
    Interrupted,
    /// Nothing more is started, for another reason than the user's signal.
    Stopping {
        /// Why.
        why: StopCause,
    },
    /// The run ended.
    RunEnded {
        /// How.
        status: RunStatus,
        /// Money.
        totals: Totals,
        /// Seconds.
        elapsed_seconds: f64,
    },
}

impl Event {
    /// The leg that it is about, if it is about one.
    pub fn leg(&self) -> Option<&Arc<LegRef>> {
        match self {
            Self::LegSkipped { leg, .. }
            | Self::LegReused { leg, .. }
            | Self::LegStarted { leg, .. }
            | Self::LegCreated { leg, .. }
            | Self::LegProgress { leg, .. }
            | Self::AttemptFailed { leg, .. }
            | Self::LegSucceeded { leg, .. }
            | Self::LegFailed { leg, .. }
            | Self::LegNotRun { leg, .. } => Some(leg),
            Self::Saved { leg, .. } => leg.as_ref(),
            Self::RunStarted { .. }
            | Self::LegsOpened { .. }
            | Self::OutputReady { .. }
            | Self::Warned { .. }
            | Self::Interrupted
            | Self::Stopping { .. }
            | Self::RunEnded { .. } => None,
        }
    }
}

/// What was sent, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The cache key.
    pub key: Key,
    /// The model.
    pub model: String,
    /// Who was asked.
    pub provider: ProviderName,
    /// The resolved input.
    #[serde(with = "plain::map")]
    pub input: Arc<IndexMap<String, Value>>,
    /// The draw, usually empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub draw: Vec<Json>,
}

impl From<&Request> for RequestRecord {
    fn from(request: &Request) -> Self {
        Self {
            key: request.key,
            model: request.model.to_string(),
            provider: request.provider.clone(),
            input: request.input.clone(),
            draw: request.draw.iter().map(plain::json).collect(),
        }
    }
}
