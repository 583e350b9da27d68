//! Refusals as RFC 7807 has them.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::fault::RetryAfter;

/// An answer of the API that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub status: u16,
    pub title: String,
    pub detail: String,
    pub retry_after: Option<RetryAfter>,
}

impl Problem {
    pub fn new(status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self { status, title: title.to_owned(), detail: detail.into(), retry_after: None }
    }

    /// What a status usually comes with.
    pub fn of_status(status: u16, retry_after: Option<RetryAfter>) -> Self {
        let (title, detail) = match status {
            401 => ("Unauthenticated", "You did not pass a valid authentication token."),
            402 => ("Billing required", "You need to set up billing to run this model."),
            403 => ("Forbidden", "You may not do this."),
            404 => return Self::not_found(),
            413 => ("Request too large", "The request body is too large."),
            422 => (
                "Invalid version or not permitted",
                "The specified version does not exist (or perhaps you \
                     don't have permission to use it?)",
            ),
            429 => ("Request was throttled", "Request was throttled."),
            _ => ("Rehearsed fault", "This fault was asked for."),
        };
        Self { retry_after, ..Self::new(status, title, detail) }
    }

    pub fn not_found() -> Self {
        Self::new(404, "Not found", "The requested resource could not be found.")
    }

    pub fn response(&self) -> Response<Body> {
        let mut body = json!({ "title": self.title, "detail": self.detail, "status": self.status });
        let mut response = Response::builder()
            .status(StatusCode::from_u16(self.status).expect("statuses are checked when they are read"))
            .header(CONTENT_TYPE, "application/problem+json")
            .header(CACHE_CONTROL, "no-store");
        match self.retry_after {
            Some(RetryAfter { seconds, in_body: true }) => body["retry_after"] = seconds.into(),
            Some(RetryAfter { seconds, in_body: false }) => response = response.header(RETRY_AFTER, seconds),
            None => {}
        }
        response.body(body.to_string().into()).expect("the headers are plain")
    }
}

/// An answer that grants.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(body.to_string().into())
        .expect("the headers are plain")
}

/// What a wrong path at some services gives.
pub(crate) fn page() -> Response<Body> {
    Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .body(
            "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Nothing here.</body></html>\n"
                .into(),
        )
        .expect("the headers are plain")
}
