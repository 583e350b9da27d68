//! One request and its whole answer.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Request, StatusCode};

use super::base_url::host_and_port;
use super::client::innermost;
use crate::call::CallFault;

/// More than any answer holds, outputs written as data URIs included.
const ANSWER_BYTES: usize = 128 << 20;

/// What a server answered, whatever it means.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request and reads its answer. An error tells whether the request can have
/// arrived.
pub(super) async fn exchange(client: &Client, request: Request) -> Result<Answer, CallFault> {
    let started = Instant::now();
    let (method, mut url) = (request.method().clone(), request.url().clone());
    let host = host_and_port(&url);
    url.set_query(None);
    let limit = request.timeout().copied();
    let answer = answered(client, request, &host, limit).await;
    let millis = started.elapsed().as_millis() as u64;
    match &answer {
        Ok(answer) => tracing::debug!(%method, %url, status = answer.status.as_u16(), millis, "answered"),
        Err(error) => tracing::debug!(%method, %url, %error, millis, "not answered"),
    }
    answer
}

async fn answered(
    client: &Client,
    request: Request,
    host: &str,
    limit: Option<Duration>,
) -> Result<Answer, CallFault> {
    let mut response = client.execute(request).await.map_err(|e| lost(host, &e, limit))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES => {
                let message = format!("{host} answered with more than {} MiB", ANSWER_BYTES >> 20);
                return Err(CallFault::Server { message, refused: false });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(e) if status.is_success() => return Err(lost(host, &e, limit)),
            // The status of a refusal says enough, even when its words were cut off.
            Ok(None) | Err(_) => return Ok(Answer { status, headers, body }),
        }
    }
}

/// Only what failed while connecting was certainly not sent.
pub(super) fn lost(host: &str, error: &reqwest::Error, limit: Option<Duration>) -> CallFault {
    let host = host.to_owned();
    let cause = match limit {
        Some(limit) if error.is_timeout() && !error.is_connect() => {
            format!("no whole answer within {} s", limit.as_secs_f64())
        }
        _ => innermost(error).to_string(),
    };
    if error.is_connect() || error.is_builder() {
        CallFault::NotSent { host, cause }
    } else {
        CallFault::Lost { host, cause }
    }
}
