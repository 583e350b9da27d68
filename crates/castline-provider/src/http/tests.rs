//! Calls over real sockets, by the numbers of the pitfalls in the API reference.

use std::time::Duration;

use castline_core::request::OutputShape;
use castline_core::{Artifact, ModelRef, PredictionId, Status, Value};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use serde_json::json;

use super::download::Downloads;
use super::stub::{Reply, Stub, json, reply};
use super::{Dialect, HttpOptions, HttpProvider, Limits, Token};
use crate::call::{CallFault, Create, MediaSource};

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
    HttpProvider::new(HttpOptions {
        name: "acme".into(),
        dialect,
        base_url: base_url.to_owned(),
        token: Some(Token::new("a-token-of-some-length").unwrap()),
        token_env: Some("ACME_KEY".into()),
        limits,
    })
    .unwrap()
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
    let create = Create {
        cancel_after: Duration::from_millis(90_500),
        ..Create::new(&model, &input, OutputShape { kind: OutputKind::Image, many: true })
    };
    provider.create(&create, &NoMedia).await
}

fn id() -> PredictionId {
    PredictionId("p1".into())
}

fn running() -> serde_json::Value {
    json!({ "id": "p1", "model": "acme/paint", "version": "hidden", "status": "starting", "output": null,
            "urls": { "get": "https://api.replicate.com/v1/predictions/p1" } })
}

fn done(output: &serde_json::Value) -> serde_json::Value {
    json!({ "id": "p1", "status": "succeeded", "output": output })
}

#[tokio::test]
async fn a_create_sends_the_documented_request_and_no_more() {
    let stub = Stub::start(vec![json("201 Created", &running())]).await;
    let snapshot = create(&provider(&stub, Dialect::Replicate), "acme/paint").await.unwrap();
    assert_eq!((snapshot.id, snapshot.status), (id(), Status::Starting));
    let sent = &stub.requests()[0];
    assert_eq!(sent.line, "POST /replicate/v1/models/acme/paint/predictions");
    assert_eq!(sent.body, r#"{"input":{"prompt":"a red kite"}}"#);
    let mut headers: Vec<_> = sent.headers.iter().filter(|h| !h.starts_with("host")).cloned().collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "accept: application/json",
            "authorization: Bearer a-token-of-some-length",
            "cache-control: no-cache",
            "cancel-after: 91s",
            "content-length: 33",
            "content-type: application/json",
            concat!("user-agent: castline/", env!("CARGO_PKG_VERSION")),
        ]
    );
}

#[tokio::test]
async fn pitfall_3_the_model_decides_the_route_and_no_other_is_tried() {
    let stub = Stub::start(vec![json("404 Not Found", &json!({ "detail": "no such thing" }))]).await;
    let provider = provider(&stub, Dialect::Replicate);
    assert!(matches!(
        create(&provider, "acme/paint:3f0e").await,
        Err(CallFault::Refused { status: 404, .. })
    ));
    let sent = stub.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].line, "POST /replicate/v1/predictions");
    assert_eq!(sent[0].body, r#"{"version":"3f0e","input":{"prompt":"a red kite"}}"#);
}

#[tokio::test]
async fn a_version_that_is_not_pinned_is_not_sent() {
    let stub = Stub::start(vec![Reply::HangUp]).await;
    let error = create(&provider(&stub, Dialect::Replicate), "acme/paint:latest").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the version of `acme/paint` is not pinned, and there is no version called `latest`"
    );
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn cometapi_gets_no_deadline_and_no_cancel() {
    let stub = Stub::start(vec![json("200 OK", &running())]).await;
    let provider = provider(&stub, Dialect::CometApi);
    create(&provider, "acme/paint").await.unwrap();
    assert_eq!(stub.requests()[0].header("cancel-after"), None);
    assert!(matches!(provider.cancel(&id()).await, Err(CallFault::Refused { .. })));
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn pitfall_1_a_create_is_sent_once_whatever_happens() {
    let broken = Reply::Bytes(b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{\"id\":".to_vec());
    for lost in [Reply::HangUp, broken, Reply::Stall(vec![])] {
        let stub = Stub::start(vec![lost]).await;
        let error = create(&provider(&stub, Dialect::Replicate), "acme/paint").await.unwrap_err();
        assert!(matches!(error, CallFault::Lost { .. }), "{error:?}");
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn pitfall_2_a_create_that_takes_too_long_is_lost_and_not_failed() {
    let stub = Stub::start(vec![Reply::Stall(vec![])]).await;
    let error = create(&provider(&stub, Dialect::Replicate), "acme/paint").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the answer of {} was lost: no whole answer within 0.4 s", stub.address)
    );
}

#[tokio::test]
async fn what_never_connected_was_not_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let provider = provider_at(&format!("http://{free}/v1"), Dialect::Replicate);
    let error = create(&provider, "acme/paint").await.unwrap_err();
    assert!(matches!(&error, CallFault::NotSent { host, .. } if *host == free.to_string()), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn pitfall_11_the_token_never_leaves_inside_an_input() {
    let stub = Stub::start(vec![json("201 Created", &running())]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let error = create_with(&provider, "acme/paint", "a-token-of-some-length").await.unwrap_err();
    assert_eq!(error.to_string(), "the input holds the token of acme, which is never sent as an input");
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn every_success_code_is_a_success() {
    for status in ["200 OK", "201 Created", "202 Accepted"] {
        let stub = Stub::start(vec![json(status, &running())]).await;
        assert!(create(&provider(&stub, Dialect::Replicate), "acme/paint").await.is_ok());
    }
}

#[tokio::test]
async fn pitfall_18_what_disturbs_a_poll_is_worth_another_one() {
    let page = "<!DOCTYPE html><html><body>Bad gateway</body></html>";
    for disturbance in [
        reply("502 Bad Gateway", "", page),
        reply("429 Too Many Requests", "retry-after: 1\r\n", ""),
        reply("200 OK", "content-type: text/html\r\n", page),
        reply("200 OK", "", "{\"id\":"),
        Reply::HangUp,
        Reply::Stall(b"HTTP/1.1 200 OK\r\n".to_vec()),
    ] {
        let stub = Stub::start(vec![disturbance, json("200 OK", &running())]).await;
        let provider = provider(&stub, Dialect::Replicate);
        let error = provider.get(&id()).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(provider.get(&id()).await.unwrap().status, Status::Starting);
    }
}

#[tokio::test]
async fn pitfall_24_polls_ask_for_fresh_answers() {
    let stub = Stub::start(vec![json("200 OK", &running())]).await;
    provider(&stub, Dialect::Replicate).get(&id()).await.unwrap();
    assert_eq!(stub.requests()[0].header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn pitfall_25_polls_stay_at_the_configured_base() {
    let stub = Stub::start(vec![json("201 Created", &running())]).await;
    let provider = provider(&stub, Dialect::CometApi);
    let created = create(&provider, "acme/paint").await.unwrap();
    provider.get(&created.id).await.unwrap();
    assert_eq!(stub.requests()[1].line, "GET /replicate/v1/predictions/p1");
}

#[tokio::test]
async fn pitfall_25_redirects_of_api_calls_are_not_followed() {
    let other = Stub::start(vec![json("200 OK", &running())]).await;
    let to_other = format!("location: {}\r\n", other.url("/v1/predictions/p1"));
    let stub = Stub::start(vec![reply("302 Found", &to_other, "")]).await;
    let error = provider(&stub, Dialect::Replicate).get(&id()).await.unwrap_err();
    assert!(matches!(error, CallFault::Server { refused: true, .. }), "{error:?}");
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_prediction_that_is_not_there_is_gone() {
    let stub = Stub::start(vec![json("404 Not Found", &json!({ "detail": "no" }))]).await;
    assert!(matches!(provider(&stub, Dialect::Replicate).get(&id()).await, Err(CallFault::Gone)));
}

#[tokio::test]
async fn pitfall_22_a_cancel_that_comes_too_late_is_no_error() {
    for status in ["200 OK", "404 Not Found", "409 Conflict"] {
        let stub = Stub::start(vec![json(status, &running())]).await;
        provider(&stub, Dialect::Replicate).cancel(&id()).await.unwrap();
        assert_eq!(stub.requests()[0].line, "POST /replicate/v1/predictions/p1/cancel");
    }
    let stub = Stub::start(vec![json("401 Unauthorized", &json!({}))]).await;
    assert!(provider(&stub, Dialect::Replicate).cancel(&id()).await.is_err());
}

#[tokio::test]
async fn pitfall_56_a_web_page_with_200_names_the_base_url() {
    let stub =
        Stub::start(vec![reply("200 OK", "content-type: text/html\r\n", "<html><title>Acme</title></html>")])
            .await;
    let error = create(&provider(&stub, Dialect::CometApi), "acme/paint").await.unwrap_err();
    assert!(matches!(error, CallFault::Server { refused: true, .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "acme answered with a web page instead of JSON (`Acme`); the base URL `http://{}/replicate/v1` is probably \
             wrong, or the key is of another kind",
            stub.address
        )
    );
}

#[tokio::test]
async fn pitfall_57_a_wrapped_poll_is_unwrapped() {
    let wrapped = json!({ "code": "success", "message": "", "data": { "task_id": "p1", "status": "SUCCESS",
        "data": done(&json!("https://x/out.png")) } });
    let stub = Stub::start(vec![json("200 OK", &wrapped)]).await;
    let snapshot = provider(&stub, Dialect::CometApi).get(&id()).await.unwrap();
    assert_eq!((snapshot.status, snapshot.output), (Status::Succeeded, Some(json!("https://x/out.png"))));
}

#[tokio::test]
async fn a_success_without_a_prediction_proves_nothing_about_a_create() {
    let stub = Stub::start(vec![json("200 OK", &json!({ "code": "error", "message": "no channel" }))]).await;
    let error = create(&provider(&stub, Dialect::CometApi), "acme/paint").await.unwrap_err();
    assert!(matches!(&error, CallFault::Server { refused: false, .. }));
    assert_eq!(error.to_string(), "acme answered 200 without a prediction: no channel");
}

mod outputs {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand the rest of it";

    /// What a fetch gave, and what it left behind.
    async fn fetch(provider: &HttpProvider, uri: &str) -> (Result<u64, CallFault>, Option<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        let fetched = provider.fetch(uri, &to).await.map(|f| f.bytes);
        (fetched, std::fs::read(to).ok())
    }

    async fn fetch_from(replies: Vec<Reply>) -> (Result<u64, CallFault>, Option<Vec<u8>>, Stub) {
        let stub = Stub::start(replies).await;
        let provider = provider(&stub, Dialect::Replicate);
        let (fetched, left) = fetch(&provider, &stub.url("/out.png?signature=x")).await;
        (fetched, left, stub)
    }

    #[tokio::test]
    async fn pitfall_47_an_output_is_fetched_without_the_token() {
        let (fetched, file, stub) = fetch_from(vec![reply("200 OK", "", PNG)]).await;
        assert_eq!(fetched.unwrap(), PNG.len() as u64);
        assert_eq!(file.unwrap(), PNG);
        let sent = &stub.requests()[0];
        assert_eq!((sent.line.as_str(), sent.header("authorization")), ("GET /out.png?signature=x", None));
    }

    #[tokio::test]
    async fn pitfall_39_a_truncated_file_is_fetched_again_and_not_kept() {
        let short =
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\x89PNG\r\n\x1a\n".to_vec());
        let (fetched, file, stub) = fetch_from(vec![short]).await;
        let error = fetched.unwrap_err();
        assert!(matches!(error, CallFault::BadOutput { retry: true, .. }) && error.is_transient());
        let start = format!("{}/out.png ended after 8 bytes of 5 KiB", stub.address);
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!(file, None);
    }

    #[tokio::test]
    async fn pitfall_39_an_empty_file_is_no_output() {
        let (fetched, file, stub) = fetch_from(vec![reply("200 OK", "", "")]).await;
        assert_eq!(fetched.unwrap_err().to_string(), format!("{}/out.png is empty", stub.address));
        assert_eq!(file, None);
    }

    #[tokio::test]
    async fn pitfall_39_a_download_that_stalls_is_given_up() {
        let stalled =
            Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\x89PNG\r\n\x1a\n".to_vec());
        let (fetched, file, stub) = fetch_from(vec![stalled]).await;
        assert_eq!(
            fetched.unwrap_err().to_string(),
            format!("{}/out.png ended after 8 bytes of 5 KiB: nothing came for 0.4 s", stub.address)
        );
        assert_eq!(file, None);
    }

    #[tokio::test]
    async fn pitfall_40_a_wrong_content_type_does_not_matter() {
        let (fetched, file, _) = fetch_from(vec![reply("200 OK", "content-type: text/html\r\n", PNG)]).await;
        assert!(fetched.is_ok());
        assert_eq!(file.unwrap(), PNG);
    }

    #[tokio::test]
    async fn a_web_page_is_not_taken_for_an_output() {
        let page = "<!doctype html><title>Sign in</title>";
        let (fetched, file, stub) =
            fetch_from(vec![reply("200 OK", "content-type: image/png\r\n", page)]).await;
        let text = format!("{}/out.png is a web page, not the output", stub.address);
        assert_eq!(fetched.unwrap_err().to_string(), text);
        assert_eq!(file, None);
    }

    #[tokio::test]
    async fn pitfall_41_data_uris_are_decoded_into_files() {
        let provider = provider_at("https://api.acme.test/v1", Dialect::Replicate);
        let uri = "data:application/octet-stream;base64,iVBORw0KGgo=";
        let (fetched, file) = fetch(&provider, uri).await;
        assert_eq!((fetched.unwrap(), file.unwrap().as_slice()), (8, b"\x89PNG\r\n\x1a\n".as_slice()));
        let (fetched, file) = fetch(&provider, "data:image/png;base64,").await;
        assert_eq!((fetched.unwrap_err().to_string().as_str(), file), ("the output is empty", None));
        let (fetched, _) = fetch(&provider, "data:image/png;base64,%%%").await;
        assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })));
    }

    #[tokio::test]
    async fn an_output_that_is_gone_is_told_from_a_server_that_fails() {
        for status in ["404 Not Found", "410 Gone", "403 Forbidden"] {
            assert!(matches!(fetch_from(vec![reply(status, "", "no")]).await.0, Err(CallFault::Gone)));
        }
        for status in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
            let error = fetch_from(vec![reply(status, "", "no")]).await.0.unwrap_err();
            assert!(error.is_transient(), "{error:?}");
        }
    }

    #[tokio::test]
    async fn pitfall_47_an_output_larger_than_the_limit_is_refused() {
        let said = reply("200 OK", "", vec![1; 100_001]);
        let unsaid = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![1; 100_001]].concat();
        for large in [said, Reply::Bytes(unsaid)] {
            let (fetched, file, stub) = fetch_from(vec![large]).await;
            assert_eq!(
                fetched.unwrap_err().to_string(),
                format!("{}/out.png is larger than 98 KiB", stub.address)
            );
            assert_eq!(file, None);
        }
    }

    #[tokio::test]
    async fn pitfall_47_at_most_five_redirects_are_followed() {
        let onward = |n: usize| reply("302 Found", &format!("location: /next-{n}\r\n"), "");
        let five: Vec<_> = (0..5).map(onward).chain([reply("200 OK", "", PNG)]).collect();
        assert!(fetch_from(five).await.0.is_ok());
        let six: Vec<_> = (0..6).map(onward).chain([reply("200 OK", "", PNG)]).collect();
        let (fetched, _, stub) = fetch_from(six).await;
        assert_eq!(
            fetched.unwrap_err().to_string(),
            format!("{}/next-5 is behind more than 5 redirects", stub.address)
        );
    }

    #[tokio::test]
    async fn pitfall_47_a_redirect_to_another_scheme_leads_nowhere() {
        let (fetched, ..) =
            fetch_from(vec![reply("302 Found", "location: file:///etc/passwd\r\n", "")]).await;
        assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })));
    }

    #[tokio::test]
    async fn pitfall_47_a_remote_provider_cannot_point_at_this_machine() {
        let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
        let provider = provider_at("https://api.acme.test/v1", Dialect::Replicate);
        for uri in [stub.url("/x"), stub.url("/x").replace("127.0.0.1", "localhost")] {
            let (fetched, file) = fetch(&provider, &uri).await;
            let error = fetched.unwrap_err();
            assert!(matches!(error, CallFault::BadOutput { retry: false, .. }), "{error:?}");
            assert!(error.to_string().contains("on a private network"), "{error}");
            assert_eq!(file, None);
        }
        assert_eq!(stub.requests().len(), 0);
    }

    #[tokio::test]
    async fn pitfall_47_each_hop_of_a_download_is_checked() {
        // The host that the user configured may be private, but not what it redirects to.
        let inside = Stub::start(vec![reply("200 OK", "", PNG)]).await;
        let to_inside = format!("location: {}\r\n", inside.url("/secret"));
        let stub = Stub::start(vec![reply("302 Found", &to_inside, "")]).await;
        let base = reqwest::Url::parse(&stub.url("/v1")).unwrap();
        let downloads = Downloads::new(&base, false, &Limits::default());
        let folder = tempfile::tempdir().unwrap();
        let fetched = downloads.fetch(&stub.url("/out.png"), &folder.path().join("out")).await;
        assert!(matches!(fetched, Err(CallFault::BadOutput { retry: false, .. })), "{fetched:?}");
        assert_eq!((stub.requests().len(), inside.requests().len()), (1, 0));
    }

    #[tokio::test]
    async fn an_existing_file_is_never_overwritten() {
        let stub = Stub::start(vec![reply("200 OK", "", PNG)]).await;
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("out");
        std::fs::write(&to, "mine").unwrap();
        let fetched = provider(&stub, Dialect::Replicate).fetch(&stub.url("/x"), &to).await;
        assert!(matches!(fetched, Err(CallFault::Io(_))));
        assert_eq!(std::fs::read(&to).unwrap(), b"mine");
    }
}
