//! Single calls to services that run models: HTTP, the offline sandbox, and the local
//! image tools.
//!
//! A [`Provider`] makes one call when it is told to; when to make which call is decided in
//! `castline-core`, and retried or given up there too.
//!
//! Start reading at [`Provider::create`].

pub mod call;
pub mod cog;
pub mod http;
pub mod outputs;
pub mod pictures;
pub mod sandbox;
mod secrets;
pub mod std_tools;

use std::path::Path;

pub use call::{
    CallFault, Candidate, Capabilities, Create, Described, Fetched, Found, Link, Links, MediaSource, Named,
    Pong, Search,
};
use castline_core::{Artifact, ModelRef, PredictionId, Snapshot};
use jiff::SignedDuration;
pub use secrets::Secrets;
use serde_json::Value as Json;

/// A service that runs models.
pub enum Provider {
    /// Replicate, CometAPI, or anything with their routes.
    Http(http::HttpProvider),
    /// A Cog server.
    Cog(cog::CogProvider),
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
            Self::Cog(p) => p.capabilities(),
            Self::Sandbox(_) | Self::Std(_) => &Capabilities::LOCAL,
        }
    }

    /// Creates a prediction; returns as soon as its id is known. The local providers do
    /// the work here and answer with a terminal snapshot.
    pub async fn create(&self, create: &Create<'_>, media: &dyn MediaSource) -> Result<Snapshot, CallFault> {
        match self {
            Self::Http(p) => p.create(create, media).await,
            Self::Cog(p) => p.create(create, media).await,
            Self::Sandbox(p) => p.create(create, media).await,
            Self::Std(p) => p.create(create, media).await,
        }
    }

    /// Asks for a prediction's state once.
    pub async fn get(&self, id: &PredictionId) -> Result<Snapshot, CallFault> {
        match self {
            Self::Http(p) => p.get(id).await,
            Self::Cog(p) => p.get(id).await,
            Self::Sandbox(_) | Self::Std(_) => Err(CallFault::Gone),
        }
    }

    /// The same for a prediction that a person named: [`CallFault::Another`] where the answer shows
    /// that it is another one.
    pub async fn get_named(&self, id: &PredictionId, named: &Named) -> Result<Snapshot, CallFault> {
        match self {
            Self::Http(p) => p.get_named(id, named).await,
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => self.get(id).await,
        }
    }

    /// Asks the provider to stop a prediction; its state is still to be read.
    pub async fn cancel(&self, id: &PredictionId) -> Result<(), CallFault> {
        match self {
            Self::Http(p) => p.cancel(id).await,
            Self::Cog(p) => p.cancel(id).await,
            Self::Sandbox(_) | Self::Std(_) => Ok(()),
        }
    }

    /// Downloads one output into a new file. Never sends a token.
    pub async fn fetch(&self, uri: &str, to: &Path) -> Result<Fetched, CallFault> {
        match self {
            Self::Http(p) => p.fetch(uri, to).await,
            Self::Cog(p) => p.fetch(uri, to).await,
            Self::Sandbox(p) => p.outputs().take(uri, to),
            Self::Std(p) => p.outputs().take(uri, to),
        }
    }

    /// The files of an input that have to be uploaded before the create, because they have
    /// no link and are too large to travel inside the request. Says so when they are, and
    /// the provider takes no uploads.
    pub fn uploads<'a>(&self, create: &'a Create<'_>) -> Result<Vec<&'a Artifact>, CallFault> {
        match self {
            Self::Http(p) => p.uploads(create),
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => Ok(Vec::new()),
        }
    }

    /// Uploads a file.
    pub async fn upload(&self, artifact: &Artifact, media: &dyn MediaSource) -> Result<Link, CallFault> {
        match self {
            Self::Http(p) => p.upload(artifact, media).await,
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => Err(none("uploads")),
        }
    }

    /// The input as the create will send it, for [`Search::sent`]: where a file travels
    /// inside the request stands `data:` and its digest.
    pub fn sent(&self, create: &Create<'_>) -> Result<Json, CallFault> {
        match self {
            Self::Http(p) => p.sent(create),
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => Ok(Json::Null),
        }
    }

    /// Looks for a create in the provider's list of predictions.
    pub async fn search(&self, search: &Search) -> Result<Found, CallFault> {
        match self {
            Self::Http(p) => p.search(search).await,
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => Err(none("list of predictions")),
        }
    }

    /// The id of a community model's latest version.
    pub async fn latest_version(&self, model: &ModelRef) -> Result<String, CallFault> {
        match self {
            Self::Http(p) => p.latest_version(model).await,
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => Err(none("versions")),
        }
    }

    /// What it says of a model, with the schema of the version that is named, else of the latest.
    /// Costs nothing.
    pub async fn describe(&self, model: &ModelRef) -> Result<Described, CallFault> {
        match self {
            Self::Http(p) => p.describe(model).await,
            Self::Cog(p) => p.describe().await,
            Self::Sandbox(_) | Self::Std(_) => Err(none("schemas of models")),
        }
    }

    /// Asks whether it is there and takes the token. Costs nothing.
    pub async fn ping(&self) -> Result<Pong, CallFault> {
        match self {
            Self::Http(p) => p.ping().await,
            Self::Cog(p) => p.ping().await,
            Self::Sandbox(_) | Self::Std(_) => Ok(Pong {
                took: std::time::Duration::ZERO,
                clock: None,
                about: "embedded".to_owned(),
                broken: None,
            }),
        }
    }

    /// A word for the account that is used, where predictions belong to one.
    pub fn account(&self) -> Option<String> {
        match self {
            Self::Http(p) => Some(p.account()),
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => None,
        }
    }

    /// The provider's clock minus ours, as its last answer had it.
    pub fn clock(&self) -> Option<SignedDuration> {
        match self {
            Self::Http(p) => p.clock(),
            Self::Cog(_) | Self::Sandbox(_) | Self::Std(_) => None,
        }
    }
}

fn none(what: &str) -> CallFault {
    CallFault::Refused { status: 405, message: format!("this provider has no {what}") }
}
