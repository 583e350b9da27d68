//! One request and its whole answer.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use reqwest::{Client, Request, StatusCode};

use super::base_url::host_and_port;
use super::client::innermost;
use super::clock;
use super::input::size;
use crate::call::CallFault;

/// More than any answer holds, outputs written as data URIs included.
pub(super) const ANSWER_BYTES: usize = 128 << 20;
/// More than any description of a model holds.
pub(crate) const DOCUMENT_BYTES: usize = 16 << 20;

/// What a server answered, whatever it means.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The server's clock minus ours, where the answer has a date.
    pub clock: Option<SignedDuration>,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request and reads its answer. An error tells whether the request can have
/// arrived.
pub(crate) async fn exchange(client: &Client, request: Request) -> Result<Answer, CallFault> {
    exchange_within(client, request, ANSWER_BYTES).await
}

/// The same for an answer of at most so many bytes.
pub(crate) async fn exchange_within(
    client: &Client,
    request: Request,
    most: usize,
) -> Result<Answer, CallFault> {
    let started = Instant::now();
    let (method, mut url) = (request.method().clone(), request.url().clone());
    url.set_query(None);
    let answer = answered(client, request, most).await;
    let millis = started.elapsed().as_millis() as u64;
    match &answer {
        Ok(answer) => tracing::debug!(%method, %url, status = answer.status.as_u16(), millis, "answered"),
        Err(error) => tracing::debug!(%method, %url, %error, millis, "not answered"),
    }
    answer
}

async fn answered(client: &Client, request: Request, most: usize) -> Result<Answer, CallFault> {
    let (host, limit) = (host_and_port(request.url()), request.timeout().copied());
    let started = Instant::now();
    let mut response = client.execute(request).await.map_err(|e| lost(&host, &e, limit))?;
    let clock = clock::offset(response.headers(), Timestamp::now(), started.elapsed());
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    let said = response.content_length().unwrap_or_default();
    loop {
        if said.max(body.len() as u64) > most as u64 {
            let message = format!("{host} answered with more than {}", size(most as u64));
            return Err(CallFault::Server { message, refused: false });
        }
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(e) if status.is_success() => return Err(lost(&host, &e, limit)),
            // The status of a refusal says enough, even when its words were cut off.
            Ok(None) | Err(_) => return Ok(Answer { status, headers, body, clock }),
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

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::http::client;
    use crate::http::options::Limits;
    use crate::http::stub::{Reply, Stub};

    #[tokio::test]
    async fn pitfall_18_a_huge_answer_is_left_before_it_fills_the_memory() {
        let said = Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{".to_vec());
        let unsaid = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 2000]].concat();
        for huge in [said, Reply::Stall(unsaid)] {
            let stub = Stub::start(vec![huge]).await;
            let client = client::builder(&Limits::default(), Some("http")).build().unwrap();
            let request = Request::new(Method::GET, stub.url("/").parse().unwrap());
            let error = exchange_within(&client, request, 1024).await.unwrap_err();
            assert_eq!(error.to_string(), format!("{} answered with more than 1 KiB", stub.address));
            assert!(error.is_transient());
        }
    }
}
