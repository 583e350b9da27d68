//! How a provider is reached, and how much is taken from and given to it.

use std::time::Duration;

use castline_core::ProviderName;

use super::token::Token;

/// Which service's habits a provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Replicate's own API, or one that is compatible with it.
    Replicate,
    /// CometAPI: no cancel, no list, no deadline; wrapped answers and upper-case statuses.
    CometApi,
}

/// How to reach a provider.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Its name, for messages.
    pub name: ProviderName,
    /// Whose habits it has.
    pub dialect: Dialect,
    /// With `/v1` where the service has it; a slash at the end does not matter.
    pub base_url: String,
    /// Sent with every call to the base URL and nowhere else.
    pub token: Option<Token>,
    /// The environment variable the token comes from, for messages.
    pub token_env: Option<String>,
    /// Files that do not fit into a request are uploaded, where the service has a route for
    /// them: Replicate's own has, and not every server that speaks like it.
    pub uploads: bool,
    /// Times and sizes.
    pub limits: Limits,
}

/// Times and sizes beyond which castline gives up on a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// To connect, TLS included.
    pub connect: Duration,
    /// For a create or cancel and its whole answer.
    pub create: Duration,
    /// For one poll and its whole answer: CometAPI's are slow.
    pub get: Duration,
    /// For an upload and its whole answer, before its size is counted.
    pub upload: Duration,
    /// Between two pieces of a download.
    pub idle: Duration,
    /// For a whole download: outputs are kept for no longer.
    pub download: Duration,
    /// The largest output that is downloaded.
    pub output_bytes: u64,
    /// The largest file that is uploaded.
    pub upload_bytes: u64,
    /// The largest file that travels inside a request.
    pub file_bytes: u64,
    /// The most that files may add to one request, as they are written there.
    pub request_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            create: Duration::from_mins(1),
            get: Duration::from_secs(90),
            upload: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            download: Duration::from_hours(1),
            output_bytes: 2 << 30,
            upload_bytes: 100 << 20,
            file_bytes: 256 << 10,
            request_bytes: 1 << 20,
        }
    }
}
