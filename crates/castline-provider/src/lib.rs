//! Single calls to services that run models: HTTP, the offline sandbox, and the local
//! image tools.
//!
//! A [`Provider`] makes one call when it is told to; when to make which call is decided in
//! `castline-core`, and retried or given up there too.
//!
//! Start reading at [`Provider::create`].

pub mod call;
pub mod http;
pub mod outputs;
pub mod sandbox;
pub mod std_tools;

use std::path::Path;

pub use call::{CallError, Capabilities, Create, Fetched, MediaSource};
use castline_core::{PredictionId, Snapshot};

/// A service that runs models.
pub enum Provider {
    /// Replicate, CometAPI, Cog, or anything with their routes.
    Http(http::HttpProvider),
    /// The embedded stand-ins.
    Sandbox(sandbox::Sandbox),
    /// The local image tools.
    Std(std_tools::StdTools),
}

impl Provider {
    /// What it can do.
    pub fn capabilities(&self) -> &Capabilities {
        match self {
            Self::Http(p) => p.capabilities(),
            Self::Sandbox(_) | Self::Std(_) => &Capabilities::LOCAL,
        }
    }

    /// Creates a prediction; returns as soon as its id is known. The local providers do
    /// the work here and answer with a terminal snapshot.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallError> {
        match self {
            Self::Http(p) => p.create(create, media).await,
            Self::Sandbox(p) => p.create(create, media).await,
            Self::Std(p) => p.create(create, media).await,
        }
    }

    /// Asks for a prediction's state once.
    pub async fn get(&self, id: &PredictionId) -> Result<Snapshot, CallError> {
        match self {
            Self::Http(p) => p.get(id).await,
            Self::Sandbox(_) | Self::Std(_) => Err(CallError::Gone),
        }
    }

    /// Asks the provider to stop a prediction; its state is still to be read.
    pub async fn cancel(&self, id: &PredictionId) -> Result<(), CallError> {
        match self {
            Self::Http(p) => p.cancel(id).await,
            Self::Sandbox(_) | Self::Std(_) => Ok(()),
        }
    }

    /// Downloads one output into a new file. Never sends a token.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallError> {
        match self {
            Self::Http(p) => p.fetch(uri, to).await,
            Self::Sandbox(p) => p.outputs().take(uri, to),
            Self::Std(p) => p.outputs().take(uri, to),
        }
    }
}
