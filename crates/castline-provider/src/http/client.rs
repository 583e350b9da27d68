//! The HTTP clients, each built when it is first needed: loading the system's certificates
//! takes longer than planning a workflow that has nothing to do.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url, redirect, retry};

use super::base_url::host_and_port;
use super::options::Limits;
use crate::call::CallFault;

/// Shorter than the keep-alive of the usual servers, so that a create is not written into a
/// connection that is just being closed: its answer would be lost and the create in doubt.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// A client that is built when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    /// The client; `build` is called the first time.
    pub fn get(
        &self,
        url: &Url,
        build: impl FnOnce() -> reqwest::Result<Client>,
    ) -> Result<&Client, CallFault> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = build()
            .map_err(|e| CallFault::NotSent { host: host_and_port(url), cause: innermost(&e).to_string() })?;
        Ok(self.0.get_or_init(|| client))
    }
}

/// What all clients have in common: no redirects, no retries, no proxy for this machine.
///
/// Whoever calls decides about redirects and retries, because here nobody knows whether a
/// second request costs money or leads to a forbidden address.
pub(crate) fn builder(limits: &Limits, to_this_machine: Option<&str>) -> ClientBuilder {
    // Fails when somebody installed one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("castline/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(limits.connect)
        .pool_idle_timeout(POOL_IDLE)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(20));
    match to_this_machine {
        None => builder,
        // Without TLS no certificates are needed, and none are loaded.
        Some("http") => builder.no_proxy().tls_certs_only([]),
        Some(_) => builder.no_proxy(),
    }
}

/// The cause at the bottom of an error: what the operating system or the TLS library said.
pub(super) fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}
