//! Calls to servers that answer as Cog was seen to, by the numbers of the pitfalls in
//! `docs/reference/pitfalls.md`. The real ones are in `tests/cog.rs` of the repository.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use castline_core::request::OutputShape;
use castline_core::{Artifact, Digest, MediaType, ModelRef, PredictionId, Snapshot, Status, Value};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::{CogOptions, CogProvider, WebhookOptions};
use crate::call::{CallFault, Create, Links, MediaSource};
use crate::http::Token;
use crate::http::stub::{self, Reply, Stub};

/// A PNG, by its first bytes.
struct Picture;

impl MediaSource for Picture {
    fn read(&self, _: &Artifact) -> std::io::Result<Vec<u8>> {
        Ok(b"\x89PNG\r\n\x1a\n".to_vec())
    }
}

/// What a server answers: by method and route the answers in their order, of which the last
/// stays. A route without answers is never answered.
#[derive(Default)]
struct Script {
    answers: Mutex<BTreeMap<String, Vec<(u16, Json)>>>,
    requests: Mutex<Vec<(String, String)>>,
    asked: Notify,
}

struct Studio {
    script: Arc<Script>,
    url: String,
}

impl Studio {
    async fn start(answers: &[(&str, &[(u16, Json)])]) -> Self {
        let script = Arc::new(Script::default());
        for (route, answers) in answers {
            script.answers.lock().unwrap().insert((*route).to_owned(), answers.to_vec());
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { script, url }
    }

    fn provider(&self) -> CogProvider {
        self.provider_with(|_| {})
    }

    fn provider_with(&self, change: impl FnOnce(&mut CogOptions)) -> CogProvider {
        let mut options = CogOptions::new("studio", &self.url);
        change(&mut options);
        CogProvider::new(options).unwrap()
    }

    /// Bodies of the requests to a route.
    fn bodies(&self, route: &str) -> Vec<String> {
        let requests = self.script.requests.lock().unwrap();
        requests.iter().filter(|(r, _)| r == route).map(|(_, body)| body.clone()).collect()
    }

    /// Waits until a route was asked so often.
    async fn asked(&self, route: &str, times: usize) {
        let deadline = tokio::time::sleep(Duration::from_secs(20));
        tokio::pin!(deadline);
        while self.bodies(route).len() < times {
            tokio::select! {
                () = self.script.asked.notified() => {}
                () = &mut deadline => panic!("{route} was never asked {times} times"),
            }
        }
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    body: String,
) -> (StatusCode, String) {
    let route = format!("{method} {}", uri.path());
    let answer = {
        let mut answers = script.answers.lock().unwrap();
        answers.get_mut(&route).map(|all| if all.len() > 1 { all.remove(0) } else { all[0].clone() })
    };
    script.requests.lock().unwrap().push((route, body));
    script.asked.notify_one();
    let Some((status, body)) = answer else { return std::future::pending().await };
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

fn ready() -> (u16, Json) {
    (200, json!({ "status": "READY", "version": { "coglet": "0.23.1" } }))
}

fn older() -> (u16, Json) {
    (200, json!({ "status": "READY", "setup": { "started_at": "then" } }))
}

fn is(status: &str) -> (u16, Json) {
    let setup = json!({ "status": "failed", "logs": "loading\nno such weights\n" });
    (200, json!({ "status": status, "setup": setup, "version": { "coglet": "0.23.1" } }))
}

fn done() -> (u16, Json) {
    (
        200,
        json!({ "id": "p1", "status": "succeeded", "output": "data:image/png;base64,iVBORw0KGgo=", "logs": "" }),
    )
}

fn busy() -> (u16, Json) {
    (409, json!({ "error": "At capacity - all prediction slots busy", "status": "failed" }))
}

fn no_input() -> (u16, Json) {
    let finding =
        json!({ "loc": ["body", "input", "__root__"], "msg": "\"probe\" is not of type \"object\"" });
    (422, json!({ "detail": [finding] }))
}

const HEALTH: &str = "GET /health-check";
const PUT: &str = "PUT /predictions/p1";
const CANCEL: &str = "POST /predictions/p1/cancel";

fn picture() -> OutputShape {
    OutputShape { kind: OutputKind::Image, many: false }
}

async fn create_with(
    provider: &CogProvider,
    change: impl FnOnce(&mut Create<'_>),
) -> Result<Snapshot, CallFault> {
    let model: ModelRef = "acme/paint".parse().unwrap();
    let input = IndexMap::from([("prompt".to_owned(), Value::from("a red kite"))]);
    let mut create = Create { attempt: "p1", ..Create::new(&model, &input, picture()) };
    change(&mut create);
    provider.create(&create, &Picture).await
}

/// The end of a prediction that was begun.
async fn end(provider: &CogProvider) -> Snapshot {
    let asked = async {
        loop {
            let snapshot = provider.get(&PredictionId("p1".into())).await.unwrap();
            if snapshot.status.is_terminal() {
                return snapshot;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it ends")
}

async fn run(provider: &CogProvider) -> Snapshot {
    assert_eq!(create_with(provider, |_| {}).await.unwrap().status, Status::Starting);
    end(provider).await
}

fn words(snapshot: &Snapshot) -> (Status, &str) {
    (snapshot.status.clone(), snapshot.error.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn a_create_puts_the_input_under_our_own_id_and_answers_before_it_is_done() {
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &[done()])]).await;
    let end = run(&studio.provider()).await;
    assert_eq!((end.status, end.output), (Status::Succeeded, Some(done().1["output"].clone())));
    assert_eq!(studio.bodies(PUT), [r#"{"input":{"prompt":"a red kite"}}"#]);
}

#[tokio::test]
async fn an_attempt_without_a_name_gets_one_of_the_usual_form() {
    let studio = Studio::start(&[(HEALTH, &[ready()])]).await;
    let provider = studio.provider();
    let one = create_with(&provider, |create| create.attempt = "").await.unwrap().id.0;
    let two = create_with(&provider, |create| create.attempt = "").await.unwrap().id.0;
    assert_ne!(one, two);
    assert_eq!(one.len(), 26);
    assert!(one.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')), "{one}");
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_cannot_be_reached() {
    let studio = Studio::start(&[]).await;
    let nobody = CogProvider::new(CogOptions::new("studio", "http://127.0.0.1:9")).unwrap();
    assert!(matches!(create_with(&nobody, |_| {}).await, Err(CallFault::NotSent { .. })));
    let silent = Stub::start(vec![Reply::HangUp]).await;
    let silent = CogProvider::new(CogOptions::new("studio", silent.url(""))).unwrap();
    assert!(matches!(create_with(&silent, |_| {}).await, Err(CallFault::NotSent { .. })));
    assert!(matches!(studio.provider().get(&PredictionId("p1".into())).await, Err(CallFault::Gone)));
}

#[tokio::test]
async fn a_server_that_cannot_run_anything_refuses_the_create() {
    let page = stub::reply("200 OK", "content-type: text/html\r\n", "<html><h1>nginx</h1></html>");
    let page = Stub::start(vec![page]).await;
    let page = CogProvider::new(CogOptions::new("studio", page.url(""))).unwrap();
    let failed = Studio::start(&[(HEALTH, &[is("SETUP_FAILED")])]).await;
    let defunct = Studio::start(&[(HEALTH, &[(200, json!({ "status": "DEFUNCT" }))])]).await;
    let mut said = Vec::new();
    for provider in [page, failed.provider(), defunct.provider()] {
        match create_with(&provider, |_| {}).await {
            Err(CallFault::Server { message, refused: true }) => said.push(message),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        said,
        [
            "studio is no Cog server: its `/health-check` answered 200: nginx",
            "studio cannot run predictions until it is restarted: it is SETUP_FAILED; its setup ended with\nloading\n\
             no such weights",
            "studio cannot run predictions until it is restarted: it is DEFUNCT",
        ]
    );
}

#[tokio::test]
async fn pitfall_48_a_busy_server_is_asked_again_and_again() {
    let mut answers = vec![busy(); 12];
    answers.push(done());
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &answers)]).await;
    assert_eq!(run(&studio.provider()).await.status, Status::Succeeded);
    assert_eq!(studio.bodies(PUT).len(), 13);
    assert!(studio.bodies(HEALTH).len() > 1, "busy for long, its health is asked");
}

#[tokio::test]
async fn pitfall_48_no_more_than_its_slots_are_asked_for_at_once() {
    let other = "PUT /predictions/p2";
    let studio =
        Studio::start(&[(HEALTH, &[ready()]), (CANCEL, &[(200, json!({}))]), (other, &[done()])]).await;
    let provider = studio.provider();
    create_with(&provider, |_| {}).await.unwrap();
    studio.asked(PUT, 1).await;
    create_with(&provider, |create| create.attempt = "p2").await.unwrap();
    let second = provider.get(&PredictionId("p2".into())).await.unwrap();
    assert_eq!((second.status, studio.bodies(other).len()), (Status::Starting, 0));
    studio.script.answers.lock().unwrap().insert(PUT.to_owned(), vec![done()]);
    let wide = studio.provider_with(|options| options.slots = 2);
    create_with(&wide, |create| create.attempt = "p2").await.unwrap();
    studio.asked(other, 1).await;
}

#[tokio::test]
async fn a_server_that_breaks_while_it_seems_busy_is_given_up_with_the_reason() {
    let studio = Studio::start(&[(HEALTH, &[ready(), is("UNHEALTHY")]), (PUT, &[busy()])]).await;
    assert_eq!(
        words(&run(&studio.provider()).await),
        (
            Status::Failed,
            "prediction interrupted: studio cannot run predictions until it is restarted: it is UNHEALTHY"
        )
    );
}

#[tokio::test]
async fn pitfall_51_a_setup_that_never_ends_is_given_up_with_its_log() {
    let loading = (503, json!({ "error": "Setup has not finished yet", "status": "failed" }));
    let studio = Studio::start(&[(HEALTH, &[is("STARTING")]), (PUT, std::slice::from_ref(&loading))]).await;
    let provider = studio.provider_with(|options| options.setup = Duration::ZERO);
    assert_eq!(
        words(&run(&provider).await),
        (
            Status::Failed,
            "prediction interrupted: after 0 s studio is still STARTING; its setup ended with\nloading\nno such weights"
        )
    );
    let answers = [loading.clone(), loading, done()];
    let studio = Studio::start(&[(HEALTH, &[is("STARTING")]), (PUT, &answers)]).await;
    assert_eq!(run(&studio.provider()).await.status, Status::Succeeded);
}

#[tokio::test]
async fn pitfall_52_a_success_of_http_can_be_a_failure_of_the_model() {
    let error = "Prediction failed: Prediction failed: ValueError: no color";
    let failed = (200, json!({ "id": "p1", "status": "failed", "error": error, "logs": "" }));
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &[failed])]).await;
    assert_eq!(words(&run(&studio.provider()).await), (Status::Failed, "ValueError: no color"));
}

#[tokio::test]
async fn an_input_that_the_model_refuses_fails_with_the_findings() {
    let finding = json!({ "loc": ["body", "input", "steps"], "msg": "9 is greater than the maximum of 5" });
    let refused = (422, json!({ "detail": [finding] }));
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &[refused])]).await;
    assert_eq!(
        words(&run(&studio.provider()).await),
        (
            Status::Failed,
            "studio refused the input with 422: input.steps: 9 is greater than the maximum of 5"
        )
    );
}

#[tokio::test]
async fn pitfall_49_a_broken_line_is_a_fault_of_the_platform() {
    let health = stub::json("200 OK", &ready().1);
    let stub = Stub::start(vec![health, Reply::HangUp]).await;
    let provider = CogProvider::new(CogOptions::new("studio", stub.url(""))).unwrap();
    let end = run(&provider).await;
    let (status, error) = words(&end);
    assert_eq!(status, Status::Failed);
    assert!(error.starts_with("prediction interrupted: the answer of 127.0.0.1:"), "{error}");
    let lines: Vec<_> = stub.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, [HEALTH, PUT, CANCEL]);
}

#[tokio::test]
async fn pitfall_50_a_former_attempt_is_waited_for_without_running_anything() {
    let former = "PUT /predictions/p0";
    let running = (202, json!({ "id": "p0", "status": "processing", "logs": "" }));
    let studio = Studio::start(&[
        (HEALTH, &[ready()]),
        ("GET /openapi.json", &[(200, json!({ "openapi": "3.0.2" }))]),
        (former, &[running.clone(), running, no_input()]),
        (PUT, &[done()]),
    ])
    .await;
    let provider = studio.provider();
    create_with(&provider, |create| create.former = Some("p0")).await.unwrap();
    assert_eq!(end(&provider).await.status, Status::Succeeded);
    assert_eq!(studio.bodies(former), [r#"{"input":"probe"}"#; 3]);
    assert_eq!(studio.bodies(PUT), [r#"{"input":{"prompt":"a red kite"}}"#]);
}

#[tokio::test]
async fn pitfall_50_a_server_that_checks_no_inputs_is_not_probed() {
    let former = "PUT /predictions/p0";
    for health in [ready(), older()] {
        let schema = if health == ready() { 503 } else { 200 };
        let studio = Studio::start(&[
            (HEALTH, &[health]),
            ("GET /openapi.json", &[(schema, json!({}))]),
            (PUT, &[done()]),
        ])
        .await;
        let provider = studio.provider();
        create_with(&provider, |create| create.former = Some("p0")).await.unwrap();
        assert_eq!(end(&provider).await.status, Status::Succeeded);
        assert!(studio.bodies(former).is_empty());
    }
}

#[tokio::test]
async fn a_prediction_that_is_stopped_before_it_was_taken_was_never_run() {
    let unknown = (404, json!({}));
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &[busy()]), (CANCEL, &[unknown])]).await;
    let provider = studio.provider();
    create_with(&provider, |_| {}).await.unwrap();
    studio.asked(PUT, 2).await;
    provider.cancel(&PredictionId("p1".into())).await.unwrap();
    assert_eq!(end(&provider).await.status, Status::Aborted);
}

#[tokio::test]
async fn a_prediction_beyond_its_time_is_stopped_at_the_server() {
    let studio = Studio::start(&[(HEALTH, &[ready()]), (CANCEL, &[(200, json!({}))])]).await;
    let provider = studio.provider();
    create_with(&provider, |create| create.cancel_after = Duration::from_millis(300)).await.unwrap();
    let end = end(&provider).await;
    assert_eq!(words(&end), (Status::Aborted, "it was not done in time"));
    assert_eq!(studio.bodies(CANCEL).len(), 1);
}

#[tokio::test]
async fn the_line_of_an_older_server_that_does_not_stop_is_dropped() {
    let studio = Studio::start(&[(HEALTH, &[older()]), (CANCEL, &[(404, json!({}))])]).await;
    let provider = studio.provider();
    create_with(&provider, |_| {}).await.unwrap();
    studio.asked(PUT, 1).await;
    provider.cancel(&PredictionId("p1".into())).await.unwrap();
    assert_eq!(
        words(&end(&provider).await),
        (Status::Canceled, "studio did not stop it when told to, and may still be at it")
    );
    assert!(studio.bodies(CANCEL).len() > 1, "it is told more than once");
}

#[tokio::test]
async fn an_error_of_the_server_is_the_models_as_long_as_the_server_lives_on() {
    let error = (500, json!({ "detail": "the output is not a picture" }));
    for (health, said) in [
        (older(), "studio answered 500: the output is not a picture"),
        (
            (200, json!({ "status": "DEFUNCT" })),
            "prediction interrupted: studio cannot run predictions until it is restarted: it is DEFUNCT",
        ),
    ] {
        let studio =
            Studio::start(&[(HEALTH, &[older(), health]), (PUT, std::slice::from_ref(&error))]).await;
        assert_eq!(words(&run(&studio.provider()).await), (Status::Failed, said));
    }
}

#[tokio::test]
async fn a_path_on_the_servers_own_disk_is_no_file() {
    let output = json!(["/tmp/x/picture.png"]);
    let answer = (
        200,
        json!({ "id": "p1", "status": "succeeded", "output": output, "input": {}, "created_at": null }),
    );
    let studio = Studio::start(&[(HEALTH, &[older()]), (PUT, &[answer])]).await;
    let end = run(&studio.provider()).await;
    let (status, error) = words(&end);
    assert_eq!(status, Status::Failed);
    assert!(error.starts_with("studio gave the path `/tmp/x/picture.png` on its own disk"), "{error}");
}

#[tokio::test]
async fn a_remote_server_cannot_point_at_this_machine_and_gives_its_files_in_its_answer() {
    let inside = Studio::start(&[("GET /secret", &[done()])]).await;
    let remote = CogProvider::new(CogOptions::new("studio", "http://10.1.2.3:5000")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fetched = remote.fetch(&format!("{}/secret", inside.url), &folder.path().join("stolen")).await;
    let error = fetched.unwrap_err().to_string();
    assert!(error.contains("on a private network"), "{error}");
    assert_eq!(inside.bodies("GET /secret").len(), 0);
    let fetched = remote.fetch("data:image/png;base64,iVBORw0KGgo=", &folder.path().join("own")).await;
    assert_eq!(fetched.unwrap().bytes, 8);
}

#[tokio::test]
async fn an_empty_list_that_came_as_null_is_a_list() {
    let answer = (200, json!({ "id": "p1", "status": "succeeded", "output": null }));
    let studio = Studio::start(&[(HEALTH, &[older()]), (PUT, &[answer])]).await;
    let provider = studio.provider();
    create_with(&provider, |create| create.output.many = true).await.unwrap();
    assert_eq!(end(&provider).await.output, Some(json!([])));
}

#[tokio::test]
async fn a_file_travels_inside_the_request_whatever_links_there_are() {
    let studio = Studio::start(&[(HEALTH, &[ready()]), (PUT, &[done()])]).await;
    let provider = studio.provider();
    let digest = Digest::of(b"picture");
    let links = Links::from([(digest, "http://localhost:8080/picture.png".to_owned())]);
    let media_type = MediaType::new("image/png");
    let picture_file = Artifact { digest, media_type, bytes: 8, width: None, height: None };
    let input = IndexMap::from([("image".to_owned(), Value::Media(picture_file))]);
    let model: ModelRef = "acme/enlarge".parse().unwrap();
    let create = Create { attempt: "p1", links: &links, ..Create::new(&model, &input, picture()) };
    provider.create(&create, &Picture).await.unwrap();
    assert_eq!(end(&provider).await.status, Status::Succeeded);
    assert_eq!(studio.bodies(PUT), [r#"{"input":{"image":"data:image/png;base64,iVBORw0KGgo="}}"#]);
}

#[tokio::test]
async fn more_than_64_mib_of_files_are_refused_before_anything_is_sent() {
    let studio = Studio::start(&[(HEALTH, &[ready()])]).await;
    let media_type = MediaType::new("video/mp4");
    let film =
        Artifact { digest: Digest::of(b"film"), media_type, bytes: 65 << 20, width: None, height: None };
    let input = IndexMap::from([("film".to_owned(), Value::Media(film))]);
    let model: ModelRef = "acme/cut".parse().unwrap();
    let error =
        studio.provider().create(&Create::new(&model, &input, picture()), &Picture).await.unwrap_err();
    assert!(error.to_string().contains("at most 64.0 MiB can travel inside a request"), "{error}");
}

#[tokio::test]
async fn pitfall_34_by_webhook_the_request_says_where_to_and_the_event_ends_it() {
    let studio =
        Studio::start(&[(HEALTH, &[ready()]), (PUT, &[(202, json!({ "status": "starting" }))])]).await;
    let provider = studio.provider_with(|options| {
        options.webhook = Some(WebhookOptions { at: "127.0.0.1:0".into() });
    });
    create_with(&provider, |_| {}).await.unwrap();
    studio.asked(PUT, 1).await;
    let sent: Json = serde_json::from_str(&studio.bodies(PUT)[0]).unwrap();
    assert_eq!(sent["input"], json!({ "prompt": "a red kite" }));
    assert_eq!(sent["webhook_events_filter"], json!(["completed"]));
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    for event in [json!({ "status": "processing", "output": ["data:,x"] }), done().1] {
        let url = sent["webhook"].as_str().unwrap();
        assert_eq!(client.post(url).body(event.to_string()).send().await.unwrap().status(), 204);
    }
    assert_eq!(end(&provider).await.output, Some(done().1["output"].clone()));
}

#[tokio::test]
async fn pitfall_32_a_webhook_that_cannot_come_any_more_is_not_waited_for() {
    let restarted = (200, json!({ "status": "READY", "setup": { "started_at": "later" } }));
    for (health, why) in [
        (vec![ready(), ready(), ready(), is("UNHEALTHY")], "it is UNHEALTHY"),
        (vec![older(), older(), older(), restarted], "studio was restarted"),
    ] {
        let accepted = (202, json!({ "status": "starting" }));
        let studio = Studio::start(&[
            (HEALTH, &health),
            ("GET /openapi.json", &[(503, json!({}))]),
            (PUT, &[accepted]),
        ])
        .await;
        let provider = studio.provider_with(|options| {
            options.grace = Duration::ZERO;
            options.webhook = Some(WebhookOptions { at: "127.0.0.1:0".into() });
        });
        let end = run(&provider).await;
        let (status, error) = words(&end);
        assert_eq!(status, Status::Failed);
        assert!(error.starts_with("prediction interrupted: ") && error.ends_with(why), "{error}");
    }
}

#[tokio::test]
async fn a_server_is_described_or_says_why_not() {
    let schema = json!({ "openapi": "3.0.2" });
    let none = (503, json!({ "error": "OpenAPI schema not available" }));
    let answers =
        [(200, schema.clone()), none, (404, json!({ "detail": "Not Found" })), (200, json!("hello"))];
    let studio = Studio::start(&[("GET /openapi.json", &answers)]).await;
    let provider = studio.provider();
    assert_eq!(provider.describe().await.unwrap().schema, Some(schema));
    let mut why = Vec::new();
    for _ in 0..3 {
        why.push(provider.describe().await.unwrap_err().to_string());
    }
    assert_eq!(
        why,
        [
            "studio has no schema: it was built without `.cog/openapi_schema.json`, or is not set up yet; it \
             answered 503: OpenAPI schema not available",
            "studio is no Cog server: its `/openapi.json` answered 404: Not Found",
            "studio is no Cog server: its `/openapi.json` is no JSON object; it answered 200: \"hello\"",
        ]
    );
}

#[tokio::test]
async fn a_running_prediction_shows_its_log() {
    let openapi = ("GET /openapi.json", &[(200, json!({ "openapi": "3.0.2" }))][..]);
    let running = (202, json!({ "id": "p1", "status": "processing", "logs": "half way\n" }));
    let studio = Studio::start(&[(HEALTH, &[ready()]), openapi]).await;
    let provider = studio.provider();
    create_with(&provider, |_| {}).await.unwrap();
    studio.asked(PUT, 1).await;
    // From now on the same route answers the probes, the first request still being open.
    studio.script.answers.lock().unwrap().insert(PUT.to_owned(), vec![running]);
    let shown = async {
        loop {
            let snapshot = provider.get(&PredictionId("p1".into())).await.unwrap();
            if snapshot.logs.is_some() {
                return snapshot;
            }
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(20), shown).await.unwrap();
    assert_eq!((shown.status, shown.logs.as_deref()), (Status::Processing, Some("half way\n")));
}

#[tokio::test]
async fn a_token_opens_a_gateway_and_is_never_repeated() {
    let health = stub::json("200 OK", &ready().1);
    let echo = stub::json("403 Forbidden", &json!({ "detail": "no: a-token-of-some-length" }));
    let stub = Stub::start(vec![health, echo]).await;
    let token = Some(Token::new("a-token-of-some-length").unwrap());
    let provider = CogProvider::new(CogOptions { token, ..CogOptions::new("studio", stub.url("")) }).unwrap();
    assert_eq!(words(&run(&provider).await), (Status::Failed, "studio answered 403: no: [token]"));
    assert_eq!(stub.requests()[1].header("authorization"), Some("Bearer a-token-of-some-length"));
}

#[tokio::test]
async fn pitfall_60_a_server_that_repeats_the_token_or_never_ends_is_not_quoted_so() {
    let long = format!("a-token-of-some-length {}", "x".repeat(5_000));
    let gateway = async |health: Json, answer: Json| {
        let stub = Stub::start(vec![stub::json("200 OK", &health), stub::json("200 OK", &answer)]).await;
        let token = Some(Token::new("a-token-of-some-length").unwrap());
        CogProvider::new(CogOptions { token, ..CogOptions::new("studio", stub.url("")) }).unwrap()
    };
    let failed = json!({ "status": "failed", "error": long, "logs": long });
    let end = run(&gateway(ready().1, failed).await).await;
    for words in [end.error, end.logs] {
        assert!(words.is_some_and(|words| words.starts_with("[token] xxx")));
    }
    let about = gateway(json!({ "status": long }), json!({})).await.ping().await.unwrap().about;
    assert!(about.starts_with("[token] xxx") && about.len() < 400, "{about}");
    for health in [
        json!({ "status": "UNHEALTHY", "user_healthcheck_error": long }),
        json!({ "status": "SETUP_FAILED", "setup": { "logs": format!("{long}\n").repeat(20) } }),
    ] {
        let error = create_with(&gateway(health, json!({})).await, |_| {}).await.unwrap_err().to_string();
        assert!(error.contains("[token] xxx") && error.len() < 2_000, "{error}");
    }
    let stub = Stub::start(vec![stub::reply("500 Internal Server Error", "", "")]).await;
    let provider = gateway(json!({}), json!({})).await;
    let to = tempfile::tempdir().unwrap();
    let fetched = provider.fetch(&stub.url("/a-token-of-some-length"), &to.path().join("out")).await;
    let error = fetched.unwrap_err().to_string();
    assert_eq!(error, format!("{}/[token] answered 500", stub.address));
}

#[tokio::test]
async fn a_ping_tells_version_and_health_of_either_generation() {
    let newer = Studio::start(&[(HEALTH, &[ready()])]).await;
    let page = (200, json!({ "cog_version": "0.16.12" }));
    let older = Studio::start(&[(HEALTH, &[older()]), ("GET /", &[page])]).await;
    let (newer, older) = (newer.provider().ping().await.unwrap(), older.provider().ping().await.unwrap());
    assert_eq!((newer.about.as_str(), older.about.as_str()), ("Cog 0.23.1, READY", "Cog 0.16.12, READY"));
}

#[tokio::test]
async fn the_models_document_is_there_or_not() {
    let document = json!({ "openapi": "3.0.2" });
    let with = Studio::start(&[("GET /openapi.json", &[(200, document.clone())])]).await;
    let without = Studio::start(&[("GET /openapi.json", &[(503, json!({ "error": "none" }))])]).await;
    assert_eq!(with.provider().openapi().await, Ok(Some(document)));
    assert_eq!(without.provider().openapi().await, Ok(None));
}
