//! Creates, polls and cancels.

use super::*;

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
async fn pitfall_21_cometapi_gets_no_deadline_and_says_that_it_has_no_cancel() {
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
async fn pitfall_1_what_never_connected_was_not_sent() {
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

#[tokio::test]
async fn pitfall_3_a_deployment_is_a_route_of_its_own() {
    let stub = Stub::start(vec![json("404 Not Found", &json!({ "detail": "No such deployment." }))]).await;
    let replicate = provider(&stub, Dialect::Replicate);
    let input = IndexMap::from([("prompt".to_owned(), Value::from("kite"))]);
    for model in ["acme/paint", "acme/paint:3f0e", "acme/paint:latest"] {
        let model: ModelRef = model.parse().unwrap();
        let create = Create { deployment: Some("me/fast"), ..Create::new(&model, &input, PICTURES) };
        let error = replicate.create(&create, &NoMedia).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "acme refused this (404): No such deployment; `me/fast` was called as a deployment; there is none of that \
             name, or it is not yours"
        );
        let odd = Create { deployment: Some("me/../fast"), ..create.clone() };
        assert!(matches!(replicate.create(&odd, &NoMedia).await, Err(CallFault::BadInput(_))));
        let comet = provider(&stub, Dialect::CometApi).create(&create, &NoMedia).await;
        assert!(matches!(comet, Err(CallFault::BadInput(_))));
    }
    let sent = stub.requests();
    assert_eq!(sent.len(), 3);
    for request in sent {
        assert_eq!(request.line, "POST /replicate/v1/deployments/me/fast/predictions");
        assert_eq!(request.body, r#"{"input":{"prompt":"kite"}}"#);
    }
}

#[tokio::test]
async fn pitfall_10_a_429_is_reported_and_not_repeated() {
    let busy = reply("429 Too Many Requests", "retry-after: 2\r\n", "");
    let stub = Stub::start(vec![busy, json("201 Created", &running())]).await;
    let error = create(&provider(&stub, Dialect::Replicate), "acme/paint").await.unwrap_err();
    assert!(
        matches!(error, CallFault::Busy { retry_after: Some(delay), .. } if delay.as_secs() == 2),
        "{error:?}"
    );
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn pitfall_20_the_deadline_goes_with_the_create() {
    let stub = Stub::start(vec![json("201 Created", &running())]).await;
    let (provider, model, input) =
        (provider(&stub, Dialect::Replicate), "acme/paint".parse().unwrap(), IndexMap::new());
    for seconds in [0.2, 61.5, 3600.0] {
        let cancel_after = Duration::from_secs_f64(seconds);
        let create = Create { cancel_after, ..Create::new(&model, &input, PICTURES) };
        provider.create(&create, &NoMedia).await.unwrap();
    }
    let sent = stub.requests();
    let deadlines: Vec<_> = sent.iter().filter_map(|request| request.header("cancel-after")).collect();
    assert_eq!(deadlines, ["5s", "62s", "3600s"]);
}

#[tokio::test]
async fn pitfall_18_an_answer_that_dribbles_ends_at_the_limit_of_its_call() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let stub = Stub::start(vec![Reply::Dribble(head.into())]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let text = format!("the answer of {} was lost: no whole answer within 0.4 s", stub.address);
    assert_eq!(provider.get(&id()).await.unwrap_err().to_string(), text);
    let error = create(&provider, "acme/paint").await.unwrap_err();
    assert!(matches!(error, CallFault::Lost { .. }), "{error:?}");
}

#[tokio::test]
async fn pitfall_18_the_words_of_a_refusal_may_dribble_without_hiding_it() {
    let head = "HTTP/1.1 402 Payment Required\r\n\r\n{\"title\":\"Billing";
    let stub = Stub::start(vec![Reply::Dribble(head.into())]).await;
    let error = create(&provider(&stub, Dialect::Replicate), "acme/paint").await.unwrap_err();
    assert!(matches!(error, CallFault::Refused { status: 402, .. }), "{error:?}");
}

#[tokio::test]
async fn pitfall_25_no_call_takes_the_token_through_a_redirect() {
    let other = Stub::start(vec![json("200 OK", &running())]).await;
    let to_other = |code: &str| reply(code, &format!("location: {}\r\n", other.url("/x")), "");
    for code in ["301 Moved Permanently", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let stub = Stub::start(vec![to_other(code)]).await;
        let provider = provider(&stub, Dialect::Replicate);
        create(&provider, "acme/paint").await.unwrap_err();
        provider.cancel(&id()).await.unwrap_err();
        provider.ping().await.unwrap_err();
        provider.latest_version(&"acme/paint".parse().unwrap()).await.unwrap_err();
        assert_eq!(stub.requests().len(), 4);
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn pitfall_26_a_poll_waits_as_long_as_cometapi_takes() {
    let provider = HttpProvider::new(options(Dialect::CometApi)).unwrap();
    let url = provider.base.prediction(&id());
    let limit = provider.options.limits.get;
    let poll = provider.request(reqwest::Method::GET, &url, limit).unwrap().build().unwrap();
    assert_eq!(poll.timeout(), Some(&Duration::from_secs(90)));
}

#[tokio::test]
async fn pitfall_60_what_a_server_echoes_shows_no_token_and_no_file() {
    let file = format!("data:image/png;base64,{}", "A".repeat(9000));
    let echo = format!("{}a-token-of-some-length {file}", "x".repeat(290));
    let refused = json("422 Unprocessable Entity", &json!({ "detail": echo }));
    let failed = json("200 OK", &json!({ "id": "p1", "status": "failed", "error": echo, "logs": echo }));
    let stub = Stub::start(vec![refused, failed]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let refusal = create(&provider, "acme/paint").await.unwrap_err().to_string();
    let failure = provider.get(&id()).await.unwrap();
    for text in [refusal, failure.error.unwrap(), failure.logs.unwrap()] {
        assert!(text.contains("xxx[token]") && !text.contains("a-token") && !text.contains("AAAA"), "{text}");
    }
}

#[tokio::test]
async fn pitfall_61_a_connection_that_is_never_taken_is_given_up_and_was_not_sent() {
    // A queue of one that nobody empties: the system leaves whoever comes next without an answer.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address)).await
    {
        queue.push(stream);
    }
    let mut options = HttpOptions { base_url: format!("http://{address}/v1"), ..options(Dialect::Replicate) };
    assert_eq!(options.limits.connect, Duration::from_secs(10));
    options.limits.connect = Duration::from_millis(300);
    let error = create(&HttpProvider::new(options).unwrap(), "acme/paint").await.unwrap_err();
    assert!(matches!(error, CallFault::NotSent { .. }), "{error:?}");
}

/// What runs with another environment in a process of its own.
const IN_A_PROCESS: &str = "http::tests::calls::a_poll_of_a_host_that_only_the_proxy_knows";

#[tokio::test]
async fn pitfall_61_the_proxy_of_the_environment_is_used() {
    let stub = Stub::start(vec![json("200 OK", &running())]).await;
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", IN_A_PROCESS, "--ignored"])
        .env("http_proxy", stub.url(""))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env_remove("REQUEST_METHOD")
        .output()
        .await
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(stub.requests()[0].line, "GET http://api.acme.test/v1/predictions/p1");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
#[ignore = "runs inside pitfall_61_the_proxy_of_the_environment_is_used"]
async fn a_poll_of_a_host_that_only_the_proxy_knows() {
    let provider = provider_at("http://api.acme.test/v1", Dialect::Replicate);
    assert_eq!(provider.get(&id()).await.unwrap().status, Status::Starting);
}
