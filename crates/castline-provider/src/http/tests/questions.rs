//! Questions about models, accounts and clocks.

use super::*;

fn model() -> ModelRef {
    "acme/paint:latest".parse().unwrap()
}

#[tokio::test]
async fn the_latest_version_stands_in_the_model() {
    let described = json!({ "owner": "acme", "name": "paint", "latest_version": { "id": "3f0e" } });
    let stub = Stub::start(vec![json("200 OK", &described)]).await;
    assert_eq!(provider(&stub, Dialect::Replicate).latest_version(&model()).await.unwrap(), "3f0e");
    assert_eq!(stub.requests()[0].line, "GET /replicate/v1/models/acme/paint");
}

#[tokio::test]
async fn else_the_newest_of_the_listed_versions_is_the_latest() {
    let version = |id: &str, created: &str| json!({ "id": id, "created_at": created });
    let listed = json!({ "results": [
        version("old", "2026-01-01T00:00:00Z"),
        version("new", "2026-03-01T00:00:00Z"),
        version("a/b", "2026-04-01T00:00:00Z"),
    ] });
    let stub =
        Stub::start(vec![json("200 OK", &json!({ "latest_version": null })), json("200 OK", &listed)]).await;
    assert_eq!(provider(&stub, Dialect::Replicate).latest_version(&model()).await.unwrap(), "new");
    assert_eq!(stub.requests()[1].line, "GET /replicate/v1/models/acme/paint/versions");
}

#[tokio::test]
async fn pitfall_7_a_model_without_versions_is_called_by_its_name() {
    let none = json("404 Not Found", &json!({ "detail": "no" }));
    let stub = Stub::start(vec![json("200 OK", &json!({ "latest_version": null })), none]).await;
    let error = provider(&stub, Dialect::Replicate).latest_version(&model()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`acme/paint` has no version at acme; an official model is called without one"
    );
}

#[tokio::test]
async fn a_model_that_is_not_there_is_named() {
    let stub = Stub::start(vec![json("404 Not Found", &json!({ "detail": "Not found." }))]).await;
    let error = provider(&stub, Dialect::Replicate).latest_version(&model()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "acme refused this (404): Not found; `acme/paint` is misspelt, private, or not there any more"
    );
    let comet = provider(&stub, Dialect::CometApi).latest_version(&model()).await;
    assert!(matches!(comet, Err(CallFault::Refused { status: 405, .. })));
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_model_is_described_with_the_schema_of_its_latest_version() {
    let schema = json!({ "openapi": "3.0.2" });
    let latest = json!({ "id": "3f0e", "openapi_schema": schema });
    let described = json!({ "description": "Paints.", "is_official": false, "latest_version": latest });
    let stub = Stub::start(vec![json("200 OK", &described), json("200 OK", &latest)]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let of_model = provider.describe(&model()).await.unwrap();
    let expected = Described {
        schema: Some(schema),
        version: Some("3f0e".to_owned()),
        official: Some(false),
        description: Some("Paints.".to_owned()),
    };
    assert_eq!(of_model, expected);
    let of_version = provider.describe(&"acme/paint:3f0e".parse().unwrap()).await.unwrap();
    assert_eq!(of_version, Described { official: None, description: None, ..expected });
    assert_eq!(stub.requests()[1].line, "GET /replicate/v1/models/acme/paint/versions/3f0e");
}

#[tokio::test]
async fn what_an_official_model_hides_is_not_there() {
    let hidden = json!({ "is_official": true, "latest_version": { "id": "hidden", "openapi_schema": null } });
    let stub = Stub::start(vec![json("200 OK", &hidden)]).await;
    let described = provider(&stub, Dialect::Replicate).describe(&model()).await.unwrap();
    assert_eq!(described, Described { official: Some(true), ..Described::default() });
    let comet = provider(&stub, Dialect::CometApi).describe(&model()).await;
    assert_eq!(comet.unwrap_err().to_string(), "this provider has no schemas of models");
}

#[tokio::test]
async fn a_ping_says_whose_the_token_is() {
    let account = json!({ "type": "organization", "username": "acme-inc" });
    let headers = date(SignedDuration::from_mins(-10));
    let stub = Stub::start(vec![reply("200 OK", &headers, account.to_string())]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let pong = provider.ping().await.unwrap();
    assert_eq!(pong.about, "acme-inc (organization)");
    let wrong_by = pong.clock.unwrap() + SignedDuration::from_mins(10);
    assert!(wrong_by.abs() < SignedDuration::from_secs(30), "{wrong_by}");
    assert_eq!(stub.requests()[0].line, "GET /replicate/v1/account");
    assert_eq!(stub.requests()[0].header("authorization"), Some("Bearer a-token-of-some-length"));
}

#[tokio::test]
async fn a_ping_of_cometapi_asks_for_a_prediction_that_cannot_be() {
    let envelope = json!({ "error": { "message": "task not exist", "code": "invalid_request" } });
    for status in ["404 Not Found", "400 Bad Request", "200 OK", "500 Internal Server Error"] {
        let stub = Stub::start(vec![json(status, &envelope)]).await;
        let pong = provider(&stub, Dialect::CometApi).ping().await.unwrap();
        assert_eq!(pong.about, "it answers, and takes the token");
        assert_eq!(stub.requests()[0].line, "GET /replicate/v1/predictions/castline-ping");
    }
}

#[tokio::test]
async fn a_ping_tells_a_bad_token_and_a_wrong_address() {
    let refused = json("401 Unauthorized", &json!({ "error": { "message": "no such key" } }));
    let page = "<html><title>Acme</title></html>";
    for dialect in [Dialect::Replicate, Dialect::CometApi] {
        let ping = async |reply: Reply| {
            let stub = Stub::start(vec![reply]).await;
            provider(&stub, dialect).ping().await.unwrap_err().to_string()
        };
        assert_eq!(
            ping(refused.clone()).await,
            "acme refused this (401): no such key; check that `ACME_KEY` holds a valid token of acme"
        );
        for status in ["200 OK", "404 Not Found"] {
            let error = ping(reply(status, "content-type: text/html\r\n", page)).await;
            assert!(error.contains("the base URL `http://") && error.contains("probably wrong"), "{error}");
        }
        let error =
            ping(json("503 Service Unavailable", &json!({ "error": { "message": "no channel" } }))).await;
        assert_eq!(error, "acme answered 503: no channel");
    }
}

#[tokio::test]
async fn pitfall_27_the_clock_is_that_of_the_last_answer_of_any_call() {
    let answer = |minutes| reply("200 OK", &date(SignedDuration::from_mins(minutes)), running().to_string());
    let refusal = reply("500 Internal Server Error", &date(SignedDuration::from_mins(-7)), "");
    let stub = Stub::start(vec![answer(10), refusal, json("200 OK", &running())]).await;
    let provider = provider(&stub, Dialect::Replicate);
    let minutes = || provider.clock().map(|offset| (offset.as_secs_f64() / 60.0).round());
    assert_eq!(minutes(), None);
    create(&provider, "acme/paint").await.unwrap();
    assert_eq!(minutes(), Some(10.0));
    provider.get(&id()).await.unwrap_err();
    assert_eq!(minutes(), Some(-7.0));
    provider.cancel(&id()).await.unwrap();
    assert_eq!(minutes(), Some(-7.0));
}

#[tokio::test]
async fn pitfall_60_what_others_call_themselves_has_no_token_in_it_and_a_length() {
    let name = format!("a-token-of-some-length {}", "x".repeat(5_000));
    let account = Stub::start(vec![json("200 OK", &json!({ "username": name }))]).await;
    let about = provider(&account, Dialect::Replicate).ping().await.unwrap().about;
    assert!(about.starts_with("[token] xxx") && about.len() < 400, "{about}");
    let described =
        Stub::start(vec![json("200 OK", &json!({ "description": name, "latest_version": {} }))]).await;
    let described = provider(&described, Dialect::Replicate).describe(&model()).await.unwrap();
    assert!(described.description.is_some_and(|text| text.starts_with("[token] xxx")));
    let warming = Stub::start(vec![json("200 OK", &json!({ "id": "p1", "status": name }))]).await;
    let warming = provider(&warming, Dialect::Replicate).get(&id()).await.unwrap().status;
    assert!(matches!(warming, Status::Other(word) if word.starts_with("[token] xxx") && word.len() < 400));
    let to = format!("location: /{}\r\n", "x".repeat(5_000));
    let moved = Stub::start(vec![reply("301 Moved Permanently", &to, "")]).await;
    let moved = provider(&moved, Dialect::Replicate).get(&id()).await.unwrap_err().to_string();
    assert!(moved.starts_with("acme answered 301 and leads to /xxx") && moved.len() < 600, "{moved}");
}
