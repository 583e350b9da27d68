//! The sandbox server as its clients see it: over real sockets, by castline's own provider
//! and by plain requests.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use castline_core::request::OutputShape;
use castline_core::{Artifact, MediaType, ModelRef, PredictionId, Snapshot, Status, Value};
use castline_provider::http::{Dialect, HttpOptions, HttpProvider, Limits, Token};
use castline_provider::{CallFault, Create, MediaSource};
use castline_server::{ModelInfo, SandboxServer, ServerOptions};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

const PICTURES: OutputShape = OutputShape { kind: OutputKind::Image, many: true };

/// A server that ends with the test, and a provider that calls it.
struct Rehearsal {
    origin: String,
    provider: HttpProvider,
    plain: reqwest::Client,
    folder: tempfile::TempDir,
}

struct NoMedia;

impl MediaSource for NoMedia {
    fn read(&self, _: &Artifact) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// `acme/paint` draws and `acme/edit` edits; no other model is known.
fn presets(model: &ModelRef) -> Option<ModelInfo> {
    let (task, image) = match model.path().as_str() {
        "acme/paint" => ("text-to-image", None),
        "acme/edit" => ("image-edit", Some(json!({ "type": "string", "format": "uri" }))),
        _ => return None,
    };
    let mut schema = json!({ "type": "object", "properties": {
        "prompt": { "type": "string" },
        "output_format": { "type": "string", "enum": ["png", "webp"], "default": "png" },
    } });
    if let Some(image) = image {
        schema["properties"]["input_image"] = image;
    }
    Some(ModelInfo {
        schema: Some(schema),
        task: Some(task.to_owned()),
        output: PICTURES,
        typical_seconds: Some(1.0),
    })
}

fn rehearsal(faults: &[&str]) -> Rehearsal {
    rehearsal_with(faults, Dialect::Replicate, |_| {})
}

fn rehearsal_with(faults: &[&str], dialect: Dialect, change: impl Fn(&mut ServerOptions)) -> Rehearsal {
    let mut options = ServerOptions::new(Arc::new(presets));
    options.token = Some("rehearsal".to_owned());
    options.faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    change(&mut options);
    let server = SandboxServer::bind(([127, 0, 0, 1], 0).into(), options).unwrap();
    let origin = format!("http://{}", server.addr());
    let provider = HttpProvider::new(HttpOptions {
        name: "rehearsal".into(),
        dialect,
        base_url: format!("{origin}/replicate/v1"),
        token: Some(Token::new("rehearsal").unwrap()),
        token_env: None,
        uploads: true,
        limits: Limits { create: Duration::from_secs(5), ..Limits::default() },
    })
    .unwrap();
    tokio::spawn(server.run(std::future::pending()));
    Rehearsal { origin, provider, plain: plain_client(), folder: tempfile::tempdir().unwrap() }
}

fn plain_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

impl Rehearsal {
    async fn create(&self, model: &str) -> Result<Snapshot, CallFault> {
        self.create_until(model, Duration::from_mins(1)).await
    }

    async fn create_until(&self, model: &str, cancel_after: Duration) -> Result<Snapshot, CallFault> {
        let model: ModelRef = model.parse().unwrap();
        let input = IndexMap::from([("prompt".to_owned(), Value::from("a red kite"))]);
        let create = Create { cancel_after, ..Create::new(&model, &input, PICTURES) };
        self.provider.create(&create, &NoMedia).await
    }

    /// Polls until the end, through whatever disturbs a poll.
    async fn ended(&self, id: &PredictionId) -> Snapshot {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            match self.provider.get(id).await {
                Ok(snapshot) if snapshot.status.is_terminal() => return snapshot,
                Ok(_) => {}
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} does not end");
    }

    async fn made(&self) -> Snapshot {
        let created = self.create("acme/paint").await.unwrap();
        self.ended(&created.id).await
    }

    /// The URL of a picture of these words.
    async fn draw(&self, prompt: &str) -> String {
        self.output("acme/paint", &json!({ "prompt": prompt })).await
    }

    /// The URL of an edited picture.
    async fn edit(&self, image: &str) -> String {
        self.output("acme/edit", &json!({ "prompt": "at night", "input_image": image })).await
    }

    async fn output(&self, model: &str, input: &Json) -> String {
        let request = self.plain.post(format!("{}/v1/models/{model}/predictions", self.origin));
        let request = request.bearer_auth("rehearsal").header("prefer", "wait");
        let answer = request.body(json!({ "input": input }).to_string()).send().await.unwrap();
        let done: Json = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(done["status"], "succeeded", "{done}");
        first_file(&done["output"]).to_owned()
    }

    async fn fetch(&self, snapshot: &Snapshot) -> Result<Vec<u8>, CallFault> {
        let uri = first_file(snapshot.output.as_ref().expect("an output")).to_owned();
        let to: &Path = &self.folder.path().join("out");
        self.provider.fetch(&uri, to).await?;
        let bytes = std::fs::read(to)?;
        std::fs::remove_file(to)?;
        Ok(bytes)
    }

    async fn json(&self, path: &str) -> Json {
        let request = self.plain.get(format!("{}{path}", self.origin)).bearer_auth("rehearsal");
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    async fn counts(&self) -> Json {
        self.json("/_sandbox/counts").await
    }
}

fn first_file(output: &Json) -> &str {
    output.as_str().or_else(|| output.get(0)?.as_str()).expect("a file")
}

#[tokio::test]
async fn a_picture_is_created_polled_and_fetched() {
    let rehearsal = rehearsal_with(&[], Dialect::Replicate, |o| o.latency = Duration::from_millis(200));
    let started = Instant::now();
    let created = rehearsal.create("acme/paint").await.unwrap();
    assert_eq!((created.status, created.output), (Status::Starting, None));
    let done = rehearsal.ended(&created.id).await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!((done.status, done.error), (Status::Succeeded, None));
    assert!(done.created_at.unwrap() < done.started_at.unwrap() && done.started_at < done.completed_at);
    let done = rehearsal.provider.get(&created.id).await.unwrap();
    assert!(done.logs.as_deref().unwrap().contains("100%|##########| 4/4"));
    let picture = rehearsal.fetch(&done).await.unwrap();
    assert_eq!(MediaType::sniff(&picture).as_str(), "image/png");
    let counts = rehearsal.counts().await;
    assert_eq!(
        (&counts["creates"], &counts["create_requests"], &counts["downloads"]),
        (&json!(1), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_file_reaches_the_model_as_a_data_uri_or_as_an_earlier_output() {
    let rehearsal = rehearsal(&[]);
    let [first, second] = [rehearsal.draw("a red kite").await, rehearsal.draw("a blue door").await];
    let bytes = rehearsal.plain.get(&first).send().await.unwrap().bytes().await.unwrap();
    let as_data = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes));
    let mut edited = Vec::new();
    for image in [&first, &as_data, &second] {
        let uri = rehearsal.edit(image).await;
        edited.push(rehearsal.plain.get(uri).send().await.unwrap().bytes().await.unwrap());
    }
    assert!(edited[0] == edited[1], "the same picture in two ways");
    assert!(edited[0] != edited[2], "another picture");
}

#[tokio::test]
async fn requests_are_remembered_without_the_token() {
    let rehearsal = rehearsal(&[]);
    rehearsal.create("acme/paint").await.unwrap();
    let requests = rehearsal.json("/_sandbox/requests").await;
    let create = &requests[0];
    assert_eq!(create["method"], "POST");
    assert_eq!(create["path"], "/replicate/v1/models/acme/paint/predictions");
    assert_eq!(create["body"], json!({ "input": { "prompt": "a red kite" } }));
    assert_eq!(
        (&create["authorized"], &create["headers"]["cancel-after"], &create["status"]),
        (&json!(true), &json!("60s"), &json!(201))
    );
    assert!(!requests.to_string().contains("rehearsal\""), "{requests}");
}

#[tokio::test]
async fn a_version_is_found_by_the_model_that_it_was_given_out_for() {
    let rehearsal = rehearsal(&[]);
    let unknown = rehearsal.create("acme/paint:3f0e").await.unwrap_err();
    assert!(matches!(unknown, CallFault::Refused { status: 422, .. }), "{unknown:?}");
    let model = rehearsal.json("/v1/models/acme/paint").await;
    let version = model["latest_version"]["id"].as_str().unwrap();
    let route = format!("/v1/models/acme/paint/versions/{version}");
    assert_eq!(rehearsal.json(&route).await, model["latest_version"]);
    let created = rehearsal.create(&format!("acme/paint:{version}")).await.unwrap();
    let shown = rehearsal.json(&format!("/v1/predictions/{}", created.id)).await;
    assert_eq!((&shown["model"], &shown["version"]), (&json!("acme/paint"), &json!(version)));
    let unserved = rehearsal.create("acme/sculpt").await.unwrap_err();
    assert!(matches!(unserved, CallFault::Refused { status: 404, .. }), "{unserved:?}");
}

#[tokio::test]
async fn a_call_without_the_token_is_refused() {
    let rehearsal = rehearsal(&[]);
    let url = format!("{}/v1/predictions", rehearsal.origin);
    let refused = rehearsal.plain.get(&url).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (401, &"application/problem+json".parse().unwrap())
    );
    let old_scheme =
        rehearsal.plain.get(&url).header("authorization", "Token rehearsal").send().await.unwrap();
    assert_eq!(
        (old_scheme.status().as_u16(), &old_scheme.headers()["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
}

#[tokio::test]
async fn foreign_urls_are_shown_and_not_followed() {
    let rehearsal = rehearsal_with(&[], Dialect::CometApi, |o| o.foreign_urls = true);
    let done = rehearsal.made().await;
    assert_eq!(done.status, Status::Succeeded);
    let shown = rehearsal.json(&format!("/v1/predictions/{}", done.id)).await;
    let foreign = format!("https://api.replicate.com/v1/predictions/{}", done.id);
    assert_eq!(shown["urls"]["get"], foreign.as_str());
    assert!(first_file(&shown["output"]).starts_with(&rehearsal.origin));
}

#[tokio::test]
async fn a_wait_that_runs_out_answers_starting_and_one_that_does_not_the_end() {
    let rehearsal =
        rehearsal_with(&["predict:fail=no"], Dialect::Replicate, |o| o.latency = Duration::from_millis(1300));
    let create = |wait: &'static str| {
        let url = format!("{}/v1/models/acme/paint/predictions", rehearsal.origin);
        let request = rehearsal.plain.post(url).bearer_auth("rehearsal").header("prefer", wait);
        async move { request.body(r#"{"input":{}}"#).send().await.unwrap() }
    };
    let (short, long) = tokio::join!(create("wait=1"), create("wait"));
    assert_eq!((short.status().as_u16(), long.status().as_u16()), (201, 201));
    let status = |bytes: &[u8]| serde_json::from_slice::<Json>(bytes).unwrap()["status"].clone();
    assert_eq!(status(&short.bytes().await.unwrap()), "starting");
    assert_eq!(status(&long.bytes().await.unwrap()), "failed");
}

#[tokio::test]
async fn a_cancel_stops_a_prediction_and_may_be_repeated() {
    let rehearsal = rehearsal_with(&[], Dialect::Replicate, |o| o.latency = Duration::from_mins(1));
    let created = rehearsal.create("acme/paint").await.unwrap();
    rehearsal.provider.cancel(&created.id).await.unwrap();
    rehearsal.provider.cancel(&created.id).await.unwrap();
    assert_eq!(rehearsal.ended(&created.id).await.status, Status::Canceled);
    assert_eq!(rehearsal.counts().await["cancels"], 2);
}

#[tokio::test]
async fn the_list_is_newest_first_within_the_times_asked_for() {
    let rehearsal = rehearsal(&["predict:fail-null"]);
    let mut created = Vec::new();
    for _ in 0..3 {
        created.push(rehearsal.create("acme/paint").await.unwrap());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ids = |page: &Json| -> Vec<String> {
        page["results"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap().to_owned()).collect()
    };
    let id = |nth: usize| created[nth].id.0.clone();
    let all = rehearsal.json("/v1/predictions").await;
    assert_eq!(ids(&all), [id(2), id(1), id(0)]);
    assert_eq!((&all["next"], &all["previous"]), (&Json::Null, &Json::Null));
    let middle = created[1].created_at.unwrap();
    let after = rehearsal.json(&format!("/v1/predictions?created_after={middle}")).await;
    assert_eq!(ids(&after), [id(2)]);
    let before = rehearsal.json(&format!("/v1/predictions?created_before={middle}")).await;
    assert_eq!(ids(&before), [id(0)]);
}

mod faults {
    use super::*;

    async fn refusal(fault: &str) -> (CallFault, Json) {
        let rehearsal = rehearsal(&[fault]);
        let error = rehearsal.create("acme/paint").await.unwrap_err();
        (error, rehearsal.counts().await["creates"].clone())
    }

    #[tokio::test]
    async fn a_create_can_be_refused_in_every_way() {
        assert!(
            matches!(refusal("create:401").await, (CallFault::Refused { status: 401, .. }, Json::Number(n)) if n == 0.into())
        );
        assert!(matches!(refusal("create:402").await.0, CallFault::Refused { status: 402, .. }));
        assert!(matches!(refusal("create:html").await.0, CallFault::Server { refused: true, .. }));
        assert!(matches!(refusal("create:drop").await.0, CallFault::Lost { .. }));
        let second = Some(Duration::from_secs(1));
        assert!(
            matches!(refusal("create:429=1").await.0, CallFault::Busy { retry_after, .. } if retry_after == second)
        );
    }

    #[tokio::test]
    async fn a_create_whose_answer_is_dropped_still_counts() {
        let (error, creates) = refusal("create:drop-after*1").await;
        assert!(matches!(error, CallFault::Lost { .. }), "{error:?}");
        assert_eq!(creates, 1);
    }

    #[tokio::test]
    async fn a_create_is_received_although_its_answer_is_no_good() {
        for fault in ["create:malformed", "create:huge"] {
            let (error, creates) = refusal(fault).await;
            assert!(matches!(error, CallFault::Server { refused: false, .. }), "{fault}: {error:?}");
            assert_eq!(creates, 1, "{fault}");
        }
        for fault in ["create:slow", "create:hold=0.1"] {
            let slow = rehearsal(&[fault]);
            let started = Instant::now();
            assert!(slow.create("acme/paint").await.is_ok(), "{fault}");
            assert!(started.elapsed() >= Duration::from_millis(100), "{fault}");
        }
    }

    #[tokio::test]
    async fn when_to_come_back_may_stand_in_the_body_alone() {
        let second = Some(Duration::from_secs(1));
        let (error, _) = refusal("create:429=1@body").await;
        assert!(matches!(error, CallFault::Busy { retry_after, .. } if retry_after == second), "{error:?}");
    }

    #[tokio::test]
    async fn the_list_is_late_poor_or_of_others_when_told_to() {
        let results = async |faults: &[&str]| {
            let rehearsal = rehearsal(faults);
            rehearsal.create("acme/paint").await.unwrap();
            let listed = rehearsal.json("/v1/predictions").await["results"].clone();
            let counted = rehearsal.counts().await["creates"].clone();
            assert_eq!(counted, 1, "what others make is not counted");
            listed.as_array().unwrap().clone()
        };
        assert_eq!(results(&["list:late=60"]).await.len(), 0);
        assert_eq!(results(&["list:no-input"]).await[0]["input"], json!({}));
        let sources = |listed: &[Json]| [0, 1].map(|nth| listed[nth]["source"].as_str().unwrap().to_owned());
        assert_eq!(sources(&results(&["create:twin=web*1"]).await), ["api", "web"]);
        assert_eq!(sources(&results(&["create:twin=api*1"]).await), ["api", "api"]);
    }

    #[tokio::test]
    async fn a_list_can_show_an_address_in_place_of_a_file() {
        let rehearsal = rehearsal(&["list:rewritten"]);
        let picture = rehearsal.draw("a red kite").await;
        let bytes = rehearsal.plain.get(&picture).send().await.unwrap().bytes().await.unwrap();
        rehearsal.edit(&format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))).await;
        let listed = rehearsal.json("/v1/predictions").await;
        let shown = listed["results"][0]["input"]["input_image"].as_str().unwrap();
        assert!(shown.starts_with("https://files.invalid/"), "{shown}");
    }

    #[tokio::test]
    async fn a_clock_that_is_off_shows_in_dates_and_predictions() {
        let rehearsal = rehearsal(&["clock:600"]);
        let created = rehearsal.create("acme/paint").await.unwrap();
        let ahead = created.created_at.unwrap().duration_since(jiff::Timestamp::now()).as_secs();
        assert!((595..=600).contains(&ahead), "{ahead}");
        let clock = rehearsal.provider.clock().unwrap().as_secs();
        assert!((595..=601).contains(&clock), "{clock}");
    }

    #[tokio::test]
    async fn a_stuck_prediction_starts_late_or_never() {
        let rehearsal = rehearsal(&["predict:stuck=0.2*1", "predict:stuck"]);
        let (late, never) =
            (rehearsal.create("acme/paint").await.unwrap(), rehearsal.create("acme/paint").await.unwrap());
        assert_eq!(rehearsal.ended(&late.id).await.status, Status::Succeeded);
        assert_eq!(rehearsal.provider.get(&never.id).await.unwrap().status, Status::Starting);
    }

    #[tokio::test]
    async fn a_fault_is_over_after_its_times() {
        let rehearsal = rehearsal(&["create:503*2"]);
        for _ in 0..2 {
            assert!(matches!(
                rehearsal.create("acme/paint").await,
                Err(CallFault::Server { refused: false, .. })
            ));
        }
        assert!(rehearsal.create("acme/paint").await.is_ok());
        let counts = rehearsal.counts().await;
        assert_eq!((&counts["creates"], &counts["create_requests"]), (&json!(1), &json!(3)));
    }

    #[tokio::test]
    async fn polls_recover_from_what_disturbs_them() {
        let rehearsal = rehearsal(&["get:500*2", "get:html*1", "get:drop*1", "status:unknown*2"]);
        assert_eq!(rehearsal.made().await.status, Status::Succeeded);
        assert!(rehearsal.counts().await["gets"].as_u64() >= Some(7));
    }

    #[tokio::test]
    async fn predictions_end_badly_when_told_to() {
        let failed = rehearsal(&["predict:fail=E005 flagged as sensitive"]).made().await;
        assert_eq!(
            (failed.status, failed.error.as_deref()),
            (Status::Failed, Some("E005 flagged as sensitive"))
        );
        let failed = rehearsal(&["predict:fail-null"]).made().await;
        assert_eq!((failed.status, failed.error), (Status::Failed, None));
        assert_eq!(rehearsal(&["predict:cancel"]).made().await.status, Status::Canceled);
    }

    #[tokio::test]
    async fn outputs_are_flawed_when_told_to() {
        for fault in ["output:empty", "output:truncated", "output:html"] {
            let rehearsal = rehearsal(&[&format!("{fault}*1")]);
            let done = rehearsal.made().await;
            let error = rehearsal.fetch(&done).await.unwrap_err();
            assert!(matches!(error, CallFault::BadOutput { retry: true, .. }), "{fault}: {error:?}");
            assert!(rehearsal.fetch(&done).await.is_ok(), "{fault}");
        }
        for fault in ["output:404", "output:410", "output:403"] {
            let gone = rehearsal(&[fault]);
            let done = gone.made().await;
            assert!(matches!(gone.fetch(&done).await, Err(CallFault::Gone)), "{fault}");
        }
        for fault in ["output:redirect*1", "output:untyped", "output:slow"] {
            let odd = rehearsal(&[fault]);
            let done = odd.made().await;
            assert_eq!(MediaType::sniff(&odd.fetch(&done).await.unwrap()).as_str(), "image/png", "{fault}");
        }
        let done = rehearsal(&["output:null"]).made().await;
        assert_eq!((done.status, done.output), (Status::Succeeded, None));
        let wrong = rehearsal(&["output:wrong-type"]);
        let done = wrong.made().await;
        assert_eq!(MediaType::sniff(&wrong.fetch(&done).await.unwrap()).as_str(), "text/plain");
    }

    #[tokio::test]
    async fn a_wrapped_poll_is_understood() {
        let rehearsal = rehearsal_with(&["wrap"], Dialect::CometApi, |_| {});
        let done = rehearsal.made().await;
        assert_eq!(done.status, Status::Succeeded);
        assert!(rehearsal.fetch(&done).await.is_ok());
        let shown = rehearsal.json(&format!("/v1/predictions/{}", done.id)).await;
        assert_eq!(
            (&shown["data"]["status"], &shown["data"]["data"]["status"]),
            (&json!("SUCCESS"), &json!("succeeded"))
        );
    }
}
