//! Remembers what was asked, for tests that count creates and look at what was sent.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

/// Files inside bodies are cut to this length.
const DATA: usize = 64;

/// Everything that was asked of the API, and how often what happened.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    log: Mutex<Vec<Value>>,
    /// Predictions that came to be.
    pub creates: AtomicU64,
    /// Creates that were asked for, refused and dropped ones included.
    pub create_calls: AtomicU64,
    /// Creates that were too many, and of those the ones that came before they were told to.
    pub refused: AtomicU64,
    pub early: AtomicU64,
    pub gets: AtomicU64,
    pub uploads: AtomicU64,
    pub lists: AtomicU64,
    pub cancels: AtomicU64,
    pub downloads: AtomicU64,
}

impl Requests {
    /// Remembers a request, and returns its place.
    pub fn arrived(&self, parts: &Parts, body: &[u8]) -> usize {
        let headers: Map<String, Value> = parts
            .headers
            .iter()
            .filter(|(name, _)| *name != AUTHORIZATION)
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let entry = json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "query": parts.uri.query(),
            "authorized": parts.headers.contains_key(AUTHORIZATION),
            "headers": headers,
            "body": shown(body),
            "status": null,
        });
        let mut log = self.log.lock().expect("nobody panics while holding it");
        log.push(entry);
        log.len() - 1
    }

    /// Adds how a request was answered; a dropped one keeps its null.
    pub fn answered(&self, place: usize, status: u16) {
        self.log.lock().expect("nobody panics while holding it")[place]["status"] = status.into();
    }

    /// All requests in the order of their arrival.
    pub fn log(&self) -> Value {
        Value::Array(self.log.lock().expect("nobody panics while holding it").clone())
    }

    pub fn counts(&self) -> Value {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        json!({
            "creates": of(&self.creates),
            "create_requests": of(&self.create_calls),
            "refused": of(&self.refused),
            "early": of(&self.early),
            "uploads": of(&self.uploads),
            "gets": of(&self.gets),
            "lists": of(&self.lists),
            "cancels": of(&self.cancels),
            "downloads": of(&self.downloads),
        })
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn shown(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let mut json =
        serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into());
    shorten(&mut json);
    json
}

/// Files would make the log too large to read, and to keep.
fn shorten(json: &mut Value) {
    match json {
        Value::String(text) if text.len() > DATA && text.starts_with("data:") => {
            let end = text.floor_char_boundary(DATA);
            *text = format!("{}... ({} characters)", &text[..end], text.len());
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(map) => map.values_mut().for_each(shorten),
        _ => {}
    }
}
