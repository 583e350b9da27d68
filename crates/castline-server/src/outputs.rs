//! The files that predictions gave, at paths that nobody can guess.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Response, StatusCode};
use castline_core::MediaType;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use ulid::Ulid;

use crate::fault::BadDownload;
use crate::odd::dribble;
use crate::problem::{Problem, page};

/// Where outputs are served.
pub(crate) const PATH: &str = "/outputs/";

/// Bytes by path.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Mutex<HashMap<String, Arc<[u8]>>>);

impl Outputs {
    /// Keeps bytes and returns their path: `/outputs/<random>/out-0.png`.
    pub fn put(&self, nth: usize, bytes: Vec<u8>) -> String {
        let secret = Ulid::generate().to_string().to_lowercase();
        let path = format!("{PATH}{secret}/out-{nth}.{}", MediaType::sniff(&bytes).extension());
        self.0.lock().expect("nobody panics while holding it").insert(path.clone(), bytes.into());
        path
    }

    /// The bytes at a path or at a whole URL with that path.
    pub fn get(&self, url: &str) -> Option<Arc<[u8]>> {
        let path = &url[url.find(PATH)?..];
        self.0.lock().expect("nobody panics while holding it").get(path).cloned()
    }

    /// The answer to a download.
    pub fn download(&self, path: &str, fault: Option<BadDownload>) -> Response<Body> {
        match (self.get(path), fault) {
            (None, _) => Problem::not_found().response(),
            (_, Some(BadDownload::Status(code))) => Problem::of_status(code, None).response(),
            (_, Some(BadDownload::Redirect(to))) => redirect(to.as_deref().unwrap_or(path)),
            (_, Some(BadDownload::Html)) => page(),
            (Some(bytes), Some(BadDownload::Empty)) => file(&bytes, 0, Body::empty()),
            (Some(bytes), Some(BadDownload::Truncated)) => file(&bytes, bytes.len(), half(&bytes)),
            (Some(bytes), Some(BadDownload::Slow)) => file(&bytes, bytes.len(), dribble(&bytes)),
            (Some(bytes), Some(BadDownload::Untyped)) => untyped(&bytes),
            (Some(bytes), None) => file(&bytes, bytes.len(), bytes.to_vec().into()),
        }
    }
}

/// Puts the server's address before every path in an output.
pub(crate) fn absolute(output: &Value, origin: &str) -> Value {
    match output {
        Value::String(path) if path.starts_with(PATH) => format!("{origin}{path}").into(),
        Value::Array(items) => items.iter().map(|v| absolute(v, origin)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), absolute(v, origin))).collect(),
        other => other.clone(),
    }
}

fn file(bytes: &[u8], length: usize, body: Body) -> Response<Body> {
    Response::builder()
        .status(StatusCode::OK)
        .header(CONTENT_TYPE, MediaType::sniff(bytes).as_str())
        .header(CONTENT_LENGTH, length)
        .body(body)
        .expect("the headers are plain")
}

fn untyped(bytes: &[u8]) -> Response<Body> {
    let mut response = file(bytes, bytes.len(), bytes.to_vec().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

fn redirect(to: &str) -> Response<Body> {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, to);
    response
}

/// The first half, and then an error, which ends the connection.
fn half(bytes: &[u8]) -> Body {
    let first = axum::body::Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let cut = stream::once(async {
        // The half must have left before the connection ends.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
    });
    Body::from_stream(stream::once(async { Ok(first) }).chain(cut))
}
