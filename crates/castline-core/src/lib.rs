//! What castline decides: plan, cache key, prediction, run and events.
//!
//! Nothing here reads a clock, opens a file, draws a random number or awaits: times, ids
//! and outcomes arrive as arguments. Carrying decisions out is the work of
//! `castline-runner`.
//!
//! Start reading at [`run::Run::handle`] for a run, at [`ledger::judge`] for money.

pub mod bill;
pub mod callee;
pub mod comparison;
pub mod data;
mod digest;
pub mod ebml;
pub mod event;
pub mod field;
pub mod files;
pub mod forecast;
pub mod frozen;
pub mod graph;
pub mod inputs;
pub mod key;
pub mod ledger;
pub mod legs;
mod media;
pub mod model;
mod money;
pub mod plain;
pub mod plan;
pub mod prediction;
pub mod preset_check;
pub mod price;
pub mod provenance;
pub mod rate;
pub mod record;
pub mod request;
pub mod results;
pub mod routing;
pub mod run;
pub mod save;
mod scope;
pub mod snapshot;
pub mod summary;
pub mod templates;
pub mod types;
mod value;

pub use digest::Digest;
pub use media::{Artifact, MediaType};
pub use model::{ModelRef, ProviderName, Realm};
pub use money::MicroUsd;
pub use request::{Failure, Key, Output, Request};
pub use snapshot::{PredictionId, Snapshot, Status};
pub use value::Value;
