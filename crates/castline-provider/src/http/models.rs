//! Questions about models and accounts, which cost nothing.

use std::time::Instant;

use castline_core::{ModelRef, PredictionId};
use reqwest::Method;
use serde_json::Value as Json;

use super::exchange::{Answer, DOCUMENT_BYTES};
use super::options::Dialect;
use super::prediction;
use super::refusal::Call;
use super::{HttpProvider, built};
use crate::call::{CallFault, Described, Pong};

/// The version of official models.
const HIDDEN: &str = "hidden";
/// An id that no prediction has: ids are longer, and know no hyphens.
const NOBODY: &str = "castline-ping";

impl HttpProvider {
    /// The id of a community model's latest version.
    pub async fn latest_version(&self, model: &ModelRef) -> Result<String, CallFault> {
        if self.options.dialect == Dialect::CometApi {
            return Err(crate::none("versions"));
        }
        let call = Call::Model(model);
        let described = self.ask(call, &self.base.model(model)).await?;
        if let Some(version) = described.get("latest_version").and_then(id) {
            return Ok(version);
        }
        // Where a model is described without its latest version it may still list some.
        let listed = match self.ask(call, &self.base.versions(model)).await {
            Err(CallFault::Refused { status: 404, .. }) => Json::Null,
            listed => listed?,
        };
        newest(&listed).and_then(id).ok_or_else(|| CallFault::Refused {
            status: 404,
            message: format!(
                "`{}` has no version at {}; an official model is called without one",
                model.path(),
                self.options.name
            ),
        })
    }

    /// What it says of a model, with the schema of the version that is named, else of the latest.
    pub async fn describe(&self, model: &ModelRef) -> Result<Described, CallFault> {
        if self.options.dialect == Dialect::CometApi {
            return Err(crate::none("schemas of models"));
        }
        let call = Call::Model(model);
        let ask = |url| async move { self.ask_within(call, &url, DOCUMENT_BYTES).await };
        if let Some(id) = model.version_id() {
            let version = ask(self.base.version(model, id)).await?;
            return Ok(Described { version: Some(id.to_owned()), ..of_version(&version) });
        }
        let described = ask(self.base.model(model)).await?;
        let latest = described.get("latest_version").filter(|version| version.is_object());
        let version = match latest {
            Some(latest) => of_version(latest),
            None => match ask(self.base.versions(model)).await {
                Err(CallFault::Refused { status: 404, .. }) => Described::default(),
                listed => newest(&listed?).map(of_version).unwrap_or_default(),
            },
        };
        let description = described.get("description").and_then(Json::as_str).filter(|s| !s.is_empty());
        Ok(Described {
            official: described.get("is_official").and_then(Json::as_bool),
            description: description.map(|text| self.refusals().scrubbed(text.to_owned())),
            ..version
        })
    }

    /// Asks whether it is there and takes the token.
    pub async fn ping(&self) -> Result<Pong, CallFault> {
        let url = match self.options.dialect {
            Dialect::Replicate => self.base.account(),
            Dialect::CometApi => self.base.prediction(&PredictionId(NOBODY.to_owned())),
        };
        let request = built(&url, self.request(Method::GET, &url, self.options.limits.get)?)?;
        let started = Instant::now();
        let answer = self.exchange(request).await?;
        let took = started.elapsed();
        Ok(Pong { took, clock: answer.clock, about: self.about(&answer)?, broken: None })
    }

    fn about(&self, answer: &Answer) -> Result<String, CallFault> {
        let body: Option<Json> = serde_json::from_slice(&answer.body).ok();
        match (self.options.dialect, answer.status.as_u16()) {
            (Dialect::Replicate, 200..300) => {
                let owner = body.as_ref().and_then(owner).map(|owner| self.refusals().shown(&owner));
                owner.ok_or_else(|| self.refusals().empty(Call::Account, answer))
            }
            (Dialect::CometApi, _) if self.knows_nobody(answer, body.as_ref()) => {
                Ok("it answers, and takes the token".to_owned())
            }
            (Dialect::CometApi, 200..300) => Err(self.refusals().empty(Call::Account, answer)),
            _ => Err(self.refusals().of(Call::Account, answer)),
        }
    }

    /// True for an answer of CometAPI's own that is about the prediction, not about the token.
    fn knows_nobody(&self, answer: &Answer, body: Option<&Json>) -> bool {
        let envelope = body.is_some_and(Json::is_object);
        match answer.status.as_u16() {
            200..300 | 400 | 404 | 410 | 422 => envelope,
            500.. => self.refusals().is_about_request(answer),
            _ => false,
        }
    }
}

/// `acme (organization)`.
fn owner(account: &Json) -> Option<String> {
    let text = |name: &str| account.get(name)?.as_str().filter(|s| !s.is_empty());
    let kind = text("type").map(|kind| format!(" ({kind})")).unwrap_or_default();
    Some(format!("{}{kind}", text("username").or_else(|| text("name"))?))
}

/// A version's id, where it can stand after a model's name.
fn id(version: &Json) -> Option<String> {
    let id = version.get("id")?.as_str()?;
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    plain.then(|| id.to_owned())
}

/// Lists are newest first by the books; their dates decide.
fn newest(list: &Json) -> Option<&Json> {
    let versions = list.get("results")?.as_array()?;
    let named = versions.iter().rev().filter(|version| id(version).is_some());
    named.max_by_key(|version| version.get("created_at").and_then(prediction::time))
}

/// The schema and the id of a version; official models hide theirs.
fn of_version(version: &Json) -> Described {
    let schema = version.get("openapi_schema").filter(|schema| !schema.is_null());
    Described {
        schema: schema.cloned(),
        version: id(version).filter(|id| id != HIDDEN),
        ..Described::default()
    }
}
