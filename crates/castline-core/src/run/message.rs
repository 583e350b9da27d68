//! The words between a run and its driver.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::Event;
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::request::{Failure, Key, Output, Request};
use crate::results::LegStatus;
use crate::snapshot::PredictionId;

/// What the world tells a run.
#[derive(Debug, Clone)]
pub enum Input {
    /// Begin.
    Start,
    /// The provider gave a leg's prediction an id.
    Created(LegId, PredictionId, bool),
    /// A leg's prediction said how far it is.
    Progress(LegId, String, Option<f64>),
    /// A leg's prediction ended.
    Ended(LegId, Outcome),
    /// The user asked to stop: no new creates, what runs is awaited.
    Interrupt,
    /// Somebody canceled the run: no new creates, and what runs is stopped where it can be.
    Cancel,
    /// Another plan took the place of this one: no new creates, and nothing is written for the user
    /// any more. What the other one wants goes on; the rest is stopped where that saves something.
    Superseded {
        /// The keys that the other plan wants.
        wanted: Arc<BTreeSet<Key>>,
        /// When it was looked what it wants: of what was started since nobody knows.
        as_of: Timestamp,
    },
}

/// How a leg's prediction ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With an output.
    Succeeded {
        /// The output.
        output: Output,
        /// True when the ledger had it already.
        reused: bool,
        /// The prediction that made it.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
        /// Seconds of running, by the provider.
        predict_seconds: Option<f64>,
    },
    /// Without one.
    Failed {
        /// How: failed, canceled, expired, in doubt or refused.
        status: LegStatus,
        /// Why.
        failure: Failure,
        /// The prediction, when there was one.
        prediction: Option<PredictionId>,
        /// What it cost; none when nobody knows.
        cost: Option<MicroUsd>,
    },
}

/// What a run asks of its driver.
#[derive(Debug, Clone)]
pub enum Effect {
    /// See that this prediction is made, at most once: the procedure of one prediction.
    Ensure {
        /// For which leg.
        leg: LegId,
        /// What is sent.
        request: Arc<Request>,
    },
    /// Stop this leg's prediction: it is billed by time.
    Cancel(LegId),
    /// Stop this leg's prediction where its provider can, else let it go: nobody waits for it.
    Abandon(LegId),
    /// Write the files of a finished leg where the user wants them.
    Save(LegId),
    /// Write the outputs: everything that can be done is done.
    Finish,
}

/// What the driver does now: writes `events` to the journal, then carries out `effects`.
#[derive(Debug, Default)]
pub struct Decision {
    /// What happened.
    pub events: Vec<Event>,
    /// What to do.
    pub effects: Vec<Effect>,
}
