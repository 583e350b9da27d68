//! How a Cog server is reached.

use std::time::Duration;

use castline_core::ProviderName;

use crate::http::{Limits, Token};

/// How to reach a Cog server, and how long to be patient with it.
#[derive(Debug, Clone)]
pub struct CogOptions {
    /// Its name, for messages.
    pub name: ProviderName,
    /// `http://host:5000`; a slash at the end does not matter.
    pub base_url: String,
    /// Sent with every call, for servers behind a gateway. Cog itself asks for none.
    pub token: Option<Token>,
    /// How many predictions it runs at once, which is one unless the model says otherwise.
    pub slots: usize,
    /// Results come by webhooks instead of on the connection that asked for them.
    pub webhook: Option<WebhookOptions>,
    /// How long a model may take to load.
    pub setup: Duration,
    /// How long a webhook may be missing after the server shows that there is nothing left
    /// that could send it.
    pub grace: Duration,
    /// Times and sizes of single calls.
    pub limits: Limits,
}

/// Where webhooks are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// `host:port` by which the server reaches us. We listen there; where the host is none
    /// of this machine's own names, as `host.docker.internal` is, on every address of it.
    pub at: String,
}

impl CogOptions {
    /// One slot, no token, no webhooks, and Cog's own limits: a request has at most 100 MiB,
    /// of which files may take 64.
    pub fn new(name: impl Into<ProviderName>, base_url: impl Into<String>) -> Self {
        let files = 64 << 20;
        Self {
            name: name.into(),
            base_url: base_url.into(),
            token: None,
            slots: 1,
            webhook: None,
            setup: Duration::from_mins(10),
            grace: Duration::from_secs(10),
            limits: Limits { file_bytes: files, request_bytes: files, ..Limits::default() },
        }
    }
}
