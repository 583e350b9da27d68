//! What a sandbox server serves, and how badly.

use std::sync::Arc;
use std::time::Duration;

use castline_core::ModelRef;
use castline_core::request::OutputShape;

use crate::fault::Fault;
use crate::limit::Limit;

/// What the stand-ins must know of a model.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// JSON Schema of its input.
    pub schema: Option<serde_json::Value>,
    /// `text-to-image`, `upscale`, ...
    pub task: Option<String>,
    /// What it gives.
    pub output: OutputShape,
    /// How long the real one takes.
    pub typical_seconds: Option<f64>,
}

/// Finds what is known of a model; none for a model that is not served.
pub type Presets = Arc<dyn Fn(&ModelRef) -> Option<ModelInfo> + Send + Sync>;

/// Finds the model that a bare version id belongs to.
pub type Versions = Arc<dyn Fn(&str) -> Option<ModelRef> + Send + Sync>;

/// What a sandbox server serves, and how badly.
#[derive(Clone)]
pub struct ServerOptions {
    /// Which models are served. A model that is asked for by its version is looked up with
    /// that version.
    pub presets: Presets,
    /// Which model a create by version means, when the request names the version alone.
    /// Versions that this server gave out itself are known without it.
    pub versions: Versions,
    /// The token that every call must carry; none asks for none.
    pub token: Option<String>,
    /// How long a prediction takes: a tenth of it `starting`. Drawing may take longer.
    pub latency: Duration,
    /// Name another host in `urls`, as CometAPI does.
    pub foreign_urls: bool,
    /// How many creates are taken; none for any number.
    pub limit: Option<Limit>,
    /// What goes wrong; the first that fits a call and is not used up happens.
    pub faults: Vec<Fault>,
}

impl ServerOptions {
    /// A server of these models: at once, without a token and without faults.
    pub fn new(presets: Presets) -> Self {
        Self {
            presets,
            versions: Arc::new(|_| None),
            token: None,
            latency: Duration::ZERO,
            foreign_urls: false,
            limit: None,
            faults: Vec::new(),
        }
    }
}
