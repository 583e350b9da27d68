//! The routes: `/<any prefix>/v1/...` as Replicate has them, `/outputs/...` for files, and
//! `/_sandbox/...` for those who want to know what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use castline_core::request::OutputShape;
use castline_core::{Digest, ModelRef};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use ulid::Ulid;

use crate::create::Wanted;
use crate::drawing::{Commission, Easel};
use crate::fault::{BadEnd, Disturbance, Faults, Kind, RetryAfter, Route, Source};
use crate::limit::{Limiter, TooMany};
use crate::list;
use crate::odd::odd;
use crate::options::{ModelInfo, ServerOptions};
use crate::outputs::{self, Outputs};
use crate::prediction::{Order, Outcome, Prediction, Shown};
use crate::predictions::Predictions;
use crate::problem::{Problem, json_response, page};
use crate::requests::{Requests, count};

/// Cog's limit.
const BODY: usize = 100 << 20;

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_hours(24);

/// How often a waiting create looks whether its prediction ended.
const LOOK: Duration = Duration::from_millis(5);

/// A refusal as careless services word it.
fn echo(headers: &HeaderMap) -> Problem {
    let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or("nothing");
    Problem::new(401, "Unauthenticated", format!("Authorization: {given} is not valid here"))
}

/// Everything that one server knows.
pub(crate) struct Api {
    options: ServerOptions,
    faults: Faults,
    limiter: Option<Limiter>,
    easel: Arc<Easel>,
    predictions: Predictions,
    outputs: Arc<Outputs>,
    requests: Requests,
    /// Version ids that were given out, and their models.
    versions: Mutex<HashMap<String, ModelRef>>,
}

/// What becomes of a request.
pub(crate) enum Answer {
    Response(Response<Body>),
    /// The connection ends instead.
    HangUp,
}

impl From<Response<Body>> for Answer {
    fn from(response: Response<Body>) -> Self {
        Self::Response(response)
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::Response(problem.response())
    }
}

/// A call of the API, taken apart.
struct Call<'a> {
    parts: &'a Parts,
    body: &'a [u8],
    /// What follows `/v1/`.
    path: Vec<&'a str>,
    shown: Shown,
}

impl Api {
    pub fn new(options: ServerOptions) -> Self {
        Self {
            faults: Faults::new(options.faults.clone()),
            limiter: options.limit.map(Limiter::new),
            easel: Arc::default(),
            predictions: Predictions::default(),
            outputs: Arc::default(),
            requests: Requests::default(),
            versions: Mutex::default(),
            options,
        }
    }

    /// Answers any request.
    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        match parts.uri.path() {
            "/_sandbox/requests" => json_response(StatusCode::OK, &self.requests.log()).into(),
            "/_sandbox/predictions" => json_response(StatusCode::OK, &self.all()).into(),
            "/_sandbox/counts" => json_response(StatusCode::OK, &self.requests.counts()).into(),
            path if path.starts_with(outputs::PATH) => self.download(path).into(),
            _ => match to_bytes(body, BODY).await {
                Ok(body) => self.answer_call(&parts, &body).await,
                Err(_) => Problem::of_status(413, None).into(),
            },
        }
    }

    /// Every prediction, the newest first, whatever the list shows of them.
    fn all(&self) -> Value {
        let shown = Shown { origin: String::new(), base: String::new(), foreign: false };
        self.predictions.newest().iter().map(|prediction| prediction.json(&shown)).collect()
    }

    fn download(&self, path: &str) -> Response<Body> {
        count(&self.requests.downloads);
        let fault = self.faults.take(|kind| match kind {
            Kind::Download(fault) => Some(fault.clone()),
            _ => None,
        });
        self.outputs.download(path, fault)
    }

    async fn answer_call(&self, parts: &Parts, body: &Bytes) -> Answer {
        let place = self.requests.arrived(parts, body);
        let mut answer = match self.taken_apart(parts, body) {
            Some(call) => self.route(&call).await,
            None => Problem::not_found().into(),
        };
        if let Answer::Response(response) = &mut answer {
            self.requests.answered(place, response.status().as_u16());
            self.date(response);
        }
        answer
    }

    /// A clock that is right is left to the HTTP library.
    fn date(&self, response: &mut Response<Body>) {
        let offset = self.faults.clock();
        if offset.is_zero() {
            return;
        }
        let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&(Timestamp::now() + offset));
        if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
            response.headers_mut().insert(DATE, date);
        }
    }

    /// The prefix is whatever stands before a `v1` after which a route stands.
    fn taken_apart<'a>(&self, parts: &'a Parts, body: &'a [u8]) -> Option<Call<'a>> {
        let path = parts.uri.path();
        let mut from = 0;
        loop {
            let end = from + path[from..].find("/v1/")? + "/v1".len();
            let rest: Vec<&str> = path[end + 1..].trim_end_matches('/').split('/').collect();
            if ["models", "predictions", "account", "files"].contains(&rest[0]) {
                let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
                let origin = format!("http://{host}");
                let base = format!("{origin}{}", &path[..end]);
                return Some(Call {
                    parts,
                    body,
                    path: rest,
                    shown: Shown { origin, base, foreign: self.options.foreign_urls },
                });
            }
            from = end;
        }
    }

    async fn route(&self, call: &Call<'_>) -> Answer {
        let route = match (&call.parts.method, call.path.as_slice()) {
            (&Method::POST, ["predictions"] | ["models", _, _, "predictions"]) => {
                Some((Route::Create, &self.requests.create_calls))
            }
            (&Method::GET, ["predictions"]) => Some((Route::List, &self.requests.lists)),
            (&Method::GET, ["predictions", _]) => Some((Route::Get, &self.requests.gets)),
            (&Method::POST, ["predictions", _, "cancel"]) => Some((Route::Cancel, &self.requests.cancels)),
            _ => None,
        };
        if let Some((_, counter)) = route {
            count(counter);
        }
        match route.and_then(|(route, _)| self.faults.disturb(route)) {
            Some(Disturbance::Status { code, retry_after }) => Problem::of_status(code, retry_after).into(),
            Some(Disturbance::Html) => page().into(),
            Some(Disturbance::Echo) => echo(&call.parts.headers).into(),
            Some(Disturbance::Drop) => Answer::HangUp,
            Some(Disturbance::DropAfter) => {
                let _ = self.granted(call).await;
                Answer::HangUp
            }
            Some(Disturbance::Answer(how)) => match self.granted(call).await {
                Ok(response) => odd(response, how).await.into(),
                Err(problem) => problem.into(),
            },
            None => self.granted(call).await.map_or_else(Answer::from, Answer::from),
        }
    }

    async fn granted(&self, call: &Call<'_>) -> Result<Response<Body>, Problem> {
        self.check_token(&call.parts.headers)?;
        let found = |body: &Value| json_response(StatusCode::OK, body);
        match (&call.parts.method, call.path.as_slice()) {
            (&Method::POST, ["models", owner, name, "predictions"]) => {
                let model = model(owner, name)?;
                self.create(call, model, Wanted::read(&call.parts.headers, call.body)?).await
            }
            (&Method::POST, ["predictions"]) => {
                let wanted = Wanted::read(&call.parts.headers, call.body)?;
                self.create(call, self.model_of(wanted.version.as_deref())?, wanted).await
            }
            (&Method::GET, ["predictions"]) => {
                let odd = self.faults.take(|kind| match kind {
                    Kind::List(odd) => Some(*odd),
                    _ => None,
                });
                let query = call.parts.uri.query().unwrap_or_default();
                list::page(&self.predictions, query, &call.shown, odd).map(|page| found(&page))
            }
            (&Method::GET, ["predictions", id]) => Ok(found(&self.poll(id, &call.shown)?)),
            (&Method::POST, ["predictions", id, "cancel"]) => {
                let prediction = self.predictions.get(id).ok_or_else(Problem::not_found)?;
                prediction.cancel();
                Ok(found(&prediction.json(&call.shown)))
            }
            (&Method::GET, ["models", owner, name]) => Ok(found(&self.model_json(&model(owner, name)?)?)),
            (&Method::GET, ["models", owner, name, "versions", id]) => {
                Ok(found(&self.version_json(&model(owner, name)?, Some(id))?))
            }
            (&Method::POST, ["files"]) => self.upload(call).await,
            (&Method::GET, ["account"]) => Ok(found(
                &json!({ "type": "user", "username": "sandbox", "name": "Sandbox", "github_url": null }),
            )),
            _ => Err(Problem::not_found()),
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.options.token else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let given = given.and_then(|v| v.strip_prefix("Bearer ").or_else(|| v.strip_prefix("Token ")));
        (given == Some(token)).then_some(()).ok_or_else(|| Problem::of_status(401, None))
    }

    /// Keeps a file where predictions find it.
    async fn upload(&self, call: &Call<'_>) -> Result<Response<Body>, Problem> {
        let invalid = |detail: String| Problem::new(422, "Invalid upload", detail);
        let kind = call.parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind).map_err(|e| invalid(e.to_string()))?;
        let body = Bytes::copy_from_slice(call.body);
        let body = futures_util::stream::once(std::future::ready(Ok::<_, std::io::Error>(body)));
        let mut parts = multer::Multipart::new(body, boundary);
        while let Some(part) = parts.next_field().await.map_err(|e| invalid(e.to_string()))? {
            if part.name() != Some("content") {
                continue;
            }
            let name = part.file_name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|e| invalid(e.to_string()))?.to_vec();
            count(&self.requests.uploads);
            let (size, path) = (bytes.len(), self.outputs.put(0, bytes));
            let body = json!({
                "id": Ulid::generate().to_string().to_lowercase(),
                "name": name,
                "size": size,
                "urls": { "get": format!("{}{path}", call.shown.origin) },
            });
            return Ok(json_response(StatusCode::CREATED, &body));
        }
        Err(invalid("- content is required".to_owned()))
    }

    fn check_limit(&self) -> Result<(), Problem> {
        let Some(Err(TooMany { retry_after, early })) = self.limiter.as_ref().map(Limiter::take) else {
            return Ok(());
        };
        count(&self.requests.refused);
        if early {
            count(&self.requests.early);
        }
        Err(Problem::of_status(429, Some(RetryAfter { seconds: retry_after, in_body: false })))
    }

    async fn create(
        &self,
        call: &Call<'_>,
        model: ModelRef,
        wanted: Wanted,
    ) -> Result<Response<Body>, Problem> {
        let info = (self.options.presets)(&model).ok_or_else(Problem::not_found)?;
        self.check_limit()?;
        let prediction = self.begin(model, info, &wanted);
        let ended = match wanted.wait {
            Some(wait) => ended_within(&prediction, wait).await,
            None => false,
        };
        let body = if ended { prediction.json(&call.shown) } else { prediction.json_starting(&call.shown) };
        Ok(json_response(StatusCode::CREATED, &body))
    }

    fn begin(&self, model: ModelRef, info: ModelInfo, wanted: &Wanted) -> Arc<Prediction> {
        let order = Order {
            model: model.clone(),
            input: wanted.input.clone().into(),
            latency: self.options.latency,
            deadline: wanted.deadline,
            source: Source::Api,
            stuck: self.faults.take(|kind| match kind {
                Kind::Stuck(time) => Some(time.unwrap_or(FOR_EVER)),
                _ => None,
            }),
            clock: self.faults.clock(),
        };
        let commission = Commission { model, info, input: wanted.input.clone(), fault: None };
        if let Some(source) = self.twin() {
            let twin = self.add(Order { source, ..order.clone() });
            self.draw(twin, commission.clone());
        }
        let prediction = self.add(order);
        count(&self.requests.creates);
        if let Some(outcome) = self.bad_end() {
            prediction.drawn(outcome);
            return prediction;
        }
        let fault = self.faults.take(|kind| match kind {
            Kind::Output(fault) => Some(*fault),
            _ => None,
        });
        self.draw(prediction.clone(), Commission { fault, ..commission });
        prediction
    }

    fn draw(&self, prediction: Arc<Prediction>, commission: Commission) {
        let (easel, outputs) = (self.easel.clone(), self.outputs.clone());
        tokio::spawn(async move { prediction.drawn(easel.draw(commission, &outputs).await) });
    }

    fn add(&self, order: Order) -> Arc<Prediction> {
        let id = Ulid::generate().to_string().to_lowercase();
        let prediction = Arc::new(Prediction::new(id, order));
        self.predictions.add(prediction.clone());
        prediction
    }

    /// Somebody else makes the same request, and it is none of our counted ones.
    fn twin(&self) -> Option<Source> {
        self.faults.take(|kind| match kind {
            Kind::Twin(source) => Some(*source),
            _ => None,
        })
    }

    fn bad_end(&self) -> Option<Outcome> {
        self.faults.take(|kind| match kind {
            Kind::Predict(BadEnd::Failed(error)) => Some(Outcome::Failed(error.clone())),
            Kind::Predict(BadEnd::Canceled) => Some(Outcome::Canceled),
            _ => None,
        })
    }

    fn poll(&self, id: &str, shown: &Shown) -> Result<Value, Problem> {
        let mut json = self.predictions.get(id).ok_or_else(Problem::not_found)?.json(shown);
        if self.faults.take(|kind| (*kind == Kind::UnknownStatus).then_some(())).is_some() {
            json["status"] = "queued".into();
            json["output"] = Value::Null;
        }
        if self.faults.take(|kind| (*kind == Kind::Wrap).then_some(())).is_some() {
            json = wrapped(&json);
        }
        Ok(json)
    }

    /// A version may be written with its model or alone.
    fn model_of(&self, version: Option<&str>) -> Result<ModelRef, Problem> {
        let version =
            version.ok_or_else(|| Problem::new(422, "Input validation failed", "- version is required"))?;
        if let Ok(model) = version.parse() {
            return Ok(model);
        }
        let known = self.versions.lock().expect("nobody panics while holding it").get(version).cloned();
        let mut model = known
            .or_else(|| (self.options.versions)(version))
            .ok_or_else(|| Problem::of_status(422, None))?;
        model.version = Some(version.to_owned());
        Ok(model)
    }

    fn model_json(&self, model: &ModelRef) -> Result<Value, Problem> {
        let version = self.version_json(model, None)?;
        Ok(json!({
            "url": format!("https://replicate.com/{model}"),
            "owner": model.owner,
            "name": model.name,
            "description": null,
            "visibility": "public",
            "is_official": false,
            "github_url": null,
            "paper_url": null,
            "license_url": null,
            "run_count": 0,
            "cover_image_url": null,
            "default_example": null,
            "latest_version": version,
        }))
    }

    /// The one version that a model has here; its id can be created with from now on.
    fn version_json(&self, model: &ModelRef, asked: Option<&str>) -> Result<Value, Problem> {
        let info = (self.options.presets)(model).ok_or_else(Problem::not_found)?;
        let id = Digest::of(model.path().as_bytes()).hex();
        if asked.is_some_and(|asked| asked != id) {
            return Err(Problem::not_found());
        }
        self.versions.lock().expect("nobody panics while holding it").insert(id.clone(), model.clone());
        let schemas = json!({ "Input": info.schema, "Output": output_schema(info.output) });
        Ok(json!({
            "id": id,
            "created_at": "2026-01-01T00:00:00.000000Z",
            "cog_version": "0.16.12",
            "openapi_schema": { "openapi": "3.0.2", "components": { "schemas": schemas } },
        }))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// What a model gives, as hosts say it.
fn output_schema(output: OutputShape) -> Value {
    let is_json = json!(output.kind) == "json";
    let one = match output.kind.media() {
        Some(_) => json!({ "type": "string", "format": "uri" }),
        None if is_json => json!({ "type": "object" }),
        None => json!({ "type": "string" }),
    };
    match output.kind.media() {
        Some(_) if output.many => json!({ "type": "array", "items": one }),
        None if output.many && !is_json => json!({
            "type": "array",
            "items": one,
            "x-cog-array-type": "iterator",
            "x-cog-array-display": "concatenate",
        }),
        _ => one,
    }
}

fn model(owner: &str, name: &str) -> Result<ModelRef, Problem> {
    format!("{owner}/{name}").parse().map_err(|_| Problem::not_found())
}

async fn ended_within(prediction: &Prediction, wait: Duration) -> bool {
    let ended = async {
        while !prediction.is_terminal() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(wait, ended).await.is_ok()
}

/// CometAPI's envelope around a poll.
fn wrapped(prediction: &Value) -> Value {
    let status = match prediction["status"].as_str() {
        Some("succeeded") => "SUCCESS",
        Some("failed" | "canceled" | "aborted") => "FAILURE",
        Some("starting") => "SUBMITTED",
        _ => "IN_PROGRESS",
    };
    json!({
        "code": "success",
        "message": "",
        "data": {
            "task_id": prediction["id"],
            "status": status,
            "progress": if status == "SUCCESS" { "100%" } else { "0%" },
            "fail_reason": prediction["error"].as_str().unwrap_or_default(),
            "data": prediction,
        },
    })
}
