//! Calls over real sockets, by the numbers of `docs/reference/pitfalls.md`.

mod calls;
mod files;
mod lists;
mod outputs;
mod questions;

use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{Artifact, ModelRef, PredictionId, Status, Value};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::stub::{Reply, Stub, json, reply};
use super::{Dialect, HttpOptions, HttpProvider, Limits, Token};
use crate::call::{CallFault, Create, Described, MediaSource};

struct NoMedia;

impl MediaSource for NoMedia {
    fn read(&self, _: &Artifact) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn provider_at(base_url: &str, dialect: Dialect) -> HttpProvider {
    let limits = Limits {
        create: Duration::from_millis(400),
        get: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        output_bytes: 100_000,
        ..Limits::default()
    };
    HttpProvider::new(HttpOptions { base_url: base_url.to_owned(), limits, ..options(dialect) }).unwrap()
}

fn options(dialect: Dialect) -> HttpOptions {
    HttpOptions {
        name: "acme".into(),
        dialect,
        base_url: "https://api.acme.test/v1".into(),
        token: Some(Token::new("a-token-of-some-length").unwrap()),
        token_env: Some("ACME_KEY".into()),
        uploads: true,
        limits: Limits::default(),
    }
}

fn provider(stub: &Stub, dialect: Dialect) -> HttpProvider {
    provider_at(&stub.url("/replicate/v1/"), dialect)
}

async fn create(provider: &HttpProvider, model: &str) -> Result<castline_core::Snapshot, CallFault> {
    create_with(provider, model, "a red kite").await
}

async fn create_with(
    provider: &HttpProvider,
    model: &str,
    prompt: &str,
) -> Result<castline_core::Snapshot, CallFault> {
    let model: ModelRef = model.parse().unwrap();
    let input =
        IndexMap::from([("prompt".to_owned(), Value::from(prompt)), ("mask".to_owned(), Value::Null)]);
    let create =
        Create { cancel_after: Duration::from_millis(90_500), ..Create::new(&model, &input, PICTURES) };
    provider.create(&create, &NoMedia).await
}

fn id() -> PredictionId {
    PredictionId("p1".into())
}

fn running() -> serde_json::Value {
    json!({ "id": "p1", "model": "acme/paint", "version": "hidden", "status": "starting", "output": null,
            "urls": { "get": "https://api.replicate.com/v1/predictions/p1" } })
}

const PICTURES: OutputShape = OutputShape { kind: OutputKind::Image, many: true };

/// A `Date` header of a server whose clock is that far from ours.
fn date(offset: SignedDuration) -> String {
    let time = Timestamp::now() + offset;
    format!("date: {}\r\n", time.strftime("%a, %d %b %Y %H:%M:%S GMT"))
}

fn done(output: &serde_json::Value) -> serde_json::Value {
    json!({ "id": "p1", "status": "succeeded", "output": output })
}
