//! Lost creates, looked for in the list of predictions.

use std::sync::Arc;

use serde_json::Value as Json;

use super::*;
use crate::call::{Found, Search};

const NONE: SignedDuration = SignedDuration::ZERO;

fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

/// A create that was decided a minute ago and lost half a minute later.
fn lost() -> Search {
    Search {
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        sent: Arc::new(json!({ "prompt": "kite", "image": "data:sha256:00" })),
        account: None,
        from: ago(60),
        until: ago(30),
        clock: Some(NONE),
    }
}

/// What the list shows of it, but for `change`.
fn item(id: &str, change: &Json) -> Json {
    let mut item = json!({
        "id": id, "model": "acme/paint", "version": "hidden", "status": "processing", "source": "api",
        "created_at": ago(50).to_string(), "input": { "image": "https://files.test/x", "prompt": "kite" }
    });
    item.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    item
}

fn page(next: Option<&str>, items: &[Json]) -> Reply {
    reply("200 OK", &date(NONE), json!({ "next": next, "previous": null, "results": items }).to_string())
}

async fn found_in(stub: &Stub, search: &Search) -> Found {
    provider(stub, Dialect::Replicate).search(search).await.unwrap()
}

fn ids(found: &Found) -> Vec<PredictionId> {
    found.candidates.iter().map(|one| one.id.clone()).collect()
}

async fn found(search: &Search, items: &[Json]) -> (Vec<String>, Option<String>) {
    let found = found_in(&Stub::start(vec![page(None, items)]).await, search).await;
    (found.candidates.into_iter().map(|one| one.id.0).collect(), found.incomplete)
}

/// What is found of a list with only this item in it.
async fn judged(change: &Json) -> (Vec<String>, Option<String>) {
    found(&lost(), &[item("p1", change)]).await
}

fn nothing() -> (Vec<String>, Option<String>) {
    (vec![], None)
}

/// The query of a request for a page, decoded.
fn query(line: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://h{}", line.trim_start_matches("GET "))).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

#[tokio::test]
async fn pitfall_1_a_lost_create_is_found_by_what_was_sent() {
    let later = json!({ "created_at": ago(40).to_string() });
    let list =
        [item("p3", &later), item("p2", &json!({ "input": { "prompt": "boat" } })), item("p1", &json!({}))];
    assert_eq!(found(&lost(), &list).await, (vec!["p1".to_owned(), "p3".to_owned()], None));
}

#[tokio::test]
async fn a_prediction_whose_file_is_shown_comes_before_those_that_hide_it() {
    let kite = castline_core::Digest::of(b"kite");
    let sent = json!({ "prompt": "kite", "image": format!("data:{kite}") });
    let search = Search { sent: Arc::new(sent), ..lost() };
    let shown = |image: &str| json!({ "input": { "prompt": "kite", "image": image } });
    let list =
        [item("p2", &shown("data:image/png;base64,a2l0ZQ==")), item("p1", &shown("https://files.test/x"))];
    let found = found_in(&Stub::start(vec![page(None, &list)]).await, &search).await;
    let exact: Vec<_> = found.candidates.iter().map(|one| (one.id.0.as_str(), one.exact)).collect();
    assert_eq!(exact, [("p2", true), ("p1", false)]);
}

#[tokio::test]
async fn pitfall_1_other_predictions_are_not_taken_for_it() {
    for other in [
        json!({ "model": "acme/sketch" }),
        json!({ "source": "web" }),
        json!({ "deployment": "acme/fast" }),
        json!({ "created_at": ago(60 + 121).to_string() }),
        json!({ "created_at": (Timestamp::now() + SignedDuration::from_secs(120)).to_string() }),
        json!({ "input": { "prompt": "kite" , "image": "https://files.test/x", "seed": 1 },
                "model": "acme/sketch" }),
        json!({ "input": { "prompt": "Kite", "image": "https://files.test/x" } }),
    ] {
        assert_eq!(judged(&other).await, nothing(), "{other}");
    }
}

#[tokio::test]
async fn what_a_list_leaves_out_is_not_held_against_an_item() {
    for change in [
        json!({ "model": null, "source": null }),
        json!({ "model": "Acme/Paint" }),
        json!({ "input": { "prompt": "kite", "image": "", "seed": null } }),
        json!({ "status": "failed", "data_removed": true }),
    ] {
        assert_eq!(judged(&change).await, (vec!["p1".to_owned()], None), "{change}");
    }
}

#[tokio::test]
async fn what_a_deployment_runs_is_told_by_its_own_name() {
    let search = Search { deployment: Some("acme/fast".to_owned()), ..lost() };
    let of = |deployment: &str| item("p1", &json!({ "model": "acme/other", "deployment": deployment }));
    assert_eq!(found(&search, &[of("acme/fast")]).await.0, ["p1"]);
    assert!(found(&search, &[of("acme/slow")]).await.0.is_empty());
}

#[tokio::test]
async fn another_version_of_the_model_is_another_request() {
    let pinned = Search { model: format!("acme/paint:{}", "a".repeat(64)).parse().unwrap(), ..lost() };
    let version = |letter: &str| item("p1", &json!({ "version": letter.repeat(64) }));
    assert_eq!(found(&pinned, &[version("b")]).await, nothing());
    assert_eq!(found(&pinned, &[version("a")]).await.0, ["p1"]);
    assert_eq!(found(&pinned, &[item("p1", &json!({}))]).await.0, ["p1"]);
}

#[tokio::test]
async fn pitfall_1_a_list_that_hides_something_proves_nothing() {
    for (change, why) in [
        (json!({ "input": null }), "the input of `p1` was deleted"),
        (json!({ "input": {} }), "the input of `p1` was deleted"),
        (json!({ "input": { "prompt": "" }, "data_removed": true }), "the input of `p1` was deleted"),
        (json!({ "created_at": null }), "it does not say when `p1` was created"),
        (json!({ "created_at": "yesterday" }), "it does not say when `p1` was created"),
        (json!({ "input": { "prompt": "kite" } }), "it does not show the files of `p1`"),
        (json!({ "id": null }), "a prediction in it has no id"),
    ] {
        assert_eq!(judged(&change).await, (vec![], Some(why.to_owned())), "{change}");
    }
}

#[tokio::test]
async fn pitfall_1_what_is_hidden_outside_the_window_does_not_matter() {
    let old = json!({ "input": null, "created_at": ago(4000).to_string() });
    assert_eq!(judged(&old).await, nothing());
    assert_eq!(judged(&json!({ "input": null, "model": "acme/sketch" })).await, nothing());
}

#[tokio::test]
async fn a_field_that_was_not_sent_may_be_a_default_unless_another_item_goes_without() {
    let more = |id: &str, seed: Json| {
        item(id, &json!({ "input": { "prompt": "kite", "image": "x", "seed": seed } }))
    };
    let unclear =
        "`p1` was sent the same and `seed`, and nothing shows whether the provider added that by itself";
    assert_eq!(found(&lost(), &[more("p1", json!(7))]).await, (vec![], Some(unclear.to_owned())));
    let without = item("p2", &json!({ "input": { "prompt": "boat", "image": "x" } }));
    assert_eq!(found(&lost(), &[without, more("p1", json!(7))]).await, nothing());
    let (seeded, plain) = (more("p1", json!(7)), item("p2", &json!({})));
    assert_eq!(found(&lost(), &[seeded, plain]).await, (vec!["p2".to_owned()], None));
}

#[tokio::test]
async fn pitfall_25_the_next_page_is_asked_at_our_own_base() {
    let other = Stub::start(vec![page(None, &[])]).await;
    let next = other.url("/v1/predictions?cursor=c%2B1");
    // The first answer is for its date alone.
    let first = page(None, &[]);
    let stub = Stub::start(vec![first, page(Some(&next), &[]), page(None, &[item("p1", &json!({}))])]).await;
    let search = lost();
    assert_eq!(ids(&found_in(&stub, &search).await), [id()]);
    let asked = stub.requests();
    assert!(asked[1].line.starts_with("GET /replicate/v1/predictions?"), "{}", asked[1].line);
    let margin = SignedDuration::from_mins(2);
    let wanted = [("created_after", search.from - margin), ("created_before", search.until + margin)];
    for ((name, asked), (wanted_name, wanted)) in query(&asked[1].line).iter().zip(wanted) {
        let asked: Timestamp = asked.parse().expect("a time");
        // A date is written to the second.
        assert!(name == wanted_name && asked.duration_since(wanted).abs().as_secs() < 5, "{name}: {asked}");
    }
    assert_eq!(asked[2].line, "GET /replicate/v1/predictions?cursor=c%2B1");
    assert_eq!(asked[2].header("authorization"), Some("Bearer a-token-of-some-length"));
    assert_eq!((asked.len(), other.requests().len()), (3, 0));
}

#[tokio::test]
async fn a_list_is_read_until_it_is_older_than_the_window() {
    let older = |seconds: i64| item("p0", &json!({ "created_at": ago(seconds).to_string() }));
    let stub = Stub::start(vec![
        page(Some("?cursor=2"), &[older(50), older(500)]),
        page(Some("?cursor=3"), &[older(600), older(700)]),
    ])
    .await;
    assert_eq!(found_in(&stub, &lost()).await.incomplete, None);
    assert_eq!(stub.requests().len(), 2);
    // The oldest first: what is newer is still to come.
    let odd = Stub::start(vec![
        page(Some("?cursor=2"), &[older(700), older(600)]),
        page(None, &[item("p1", &json!({}))]),
    ])
    .await;
    assert_eq!(ids(&found_in(&odd, &lost()).await), [id()]);
}

#[tokio::test]
async fn a_list_that_does_not_reach_back_proves_nothing() {
    let circle = Stub::start(vec![page(Some("?cursor=2"), &[])]).await;
    let why = found_in(&circle, &lost()).await.incomplete.unwrap();
    assert!(why.starts_with("it does not lead back to "), "{why}");
    assert_eq!(circle.requests().len(), 3);
    let pages = (0..60).map(|n| page(Some(&format!("?cursor={n}")), &[item("p1", &json!({}))]));
    let endless = Stub::start(pages.collect()).await;
    let found = found_in(&endless, &lost()).await;
    assert_eq!(found.incomplete.as_deref(), Some("it is longer than 50 pages"));
    assert_eq!((ids(&found), endless.requests().len()), (vec![id()], 51));
}

/// A list by a clock of its own.
fn list(clock: SignedDuration, items: &[Json]) -> Reply {
    reply("200 OK", &date(clock), json!({ "next": null, "results": items }).to_string())
}

#[tokio::test]
async fn pitfall_27_the_window_is_told_by_the_clock_of_the_provider() {
    let ahead = SignedDuration::from_mins(10);
    let search = Search { clock: Some(ahead), ..lost() };
    let found_at = async |created: Timestamp| {
        let items = [item("p1", &json!({ "created_at": created.to_string() }))];
        ids(&found_in(&Stub::start(vec![list(ahead, &items)]).await, &search).await)
    };
    assert_eq!(found_at(ago(50) + ahead).await, [id()]);
    assert!(found_at(ago(50)).await.is_empty());
}

/// Our clock may have been set between the last answer and the create: what it was compared with then
/// is no more than what it is compared with now.
#[tokio::test]
async fn pitfall_27_a_clock_that_was_set_before_the_create_is_found_out_by_the_next_answer() {
    for (then, now) in [(0, -14), (-14, 0), (0, 14), (14, 0)] {
        let [then, now] = [then, now].map(SignedDuration::from_mins);
        for real in [then, now] {
            let created = json!({ "created_at": (ago(50) + real).to_string() });
            let stub = Stub::start(vec![list(now, &[item("p1", &created)])]).await;
            let found = found_in(&stub, &Search { clock: Some(then), ..lost() }).await;
            assert_eq!((ids(&found), found.incomplete), (vec![id()], None), "{then:?}, {now:?}");
        }
    }
}

#[tokio::test]
async fn pitfall_27_a_clock_that_was_not_known_is_asked_for_and_believed_less() {
    let ahead = SignedDuration::from_mins(10);
    let drifted = json!({ "created_at": (ago(50) + ahead + SignedDuration::from_mins(14)).to_string() });
    let stub = Stub::start(vec![list(ahead, &[]), list(ahead, &[item("p1", &drifted)])]).await;
    let found = found_in(&stub, &Search { clock: None, ..lost() }).await;
    assert_eq!((ids(&found), found.incomplete), (vec![id()], None));
    assert_eq!(stub.requests()[0].line, "GET /replicate/v1/predictions");
    assert_eq!(query(&stub.requests()[1].line).len(), 2);
}

#[tokio::test]
async fn pitfall_27_without_any_clock_a_list_proves_nothing() {
    let stub = Stub::start(vec![json("200 OK", &json!({ "results": [] }))]).await;
    let found = found_in(&stub, &Search { clock: None, ..lost() }).await;
    assert_eq!(found.incomplete.unwrap(), "its answers have no date, so its clock is unknown");
    assert_eq!(found_in(&stub, &lost()).await.incomplete, None);
}

#[tokio::test]
async fn what_the_list_of_another_account_lacks_proves_nothing() {
    let search = Search { account: Some("another".to_owned()), ..lost() };
    let (candidates, incomplete) = found(&search, &[]).await;
    assert!(candidates.is_empty());
    assert_eq!(incomplete.as_deref(), Some("it was sent with another token, or to another address"));
}

#[tokio::test]
async fn pitfall_37_an_hour_later_a_list_proves_nothing() {
    let old = Search { from: ago(3600), until: ago(3500), ..lost() };
    let running = json!({ "created_at": ago(3590).to_string() });
    let (candidates, incomplete) = found(&old, &[item("p1", &running)]).await;
    assert!(candidates.is_empty(), "others may have asked for the same since");
    assert!(incomplete.unwrap().starts_with("the create is about an hour old or more"));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_asked_again() {
    let page = "<!doctype html><title>Bad gateway</title>";
    for disturbance in [
        reply("502 Bad Gateway", "", page),
        reply("503 Service Unavailable", "retry-after: 1\r\n", ""),
        reply("200 OK", "", page),
        json("200 OK", &json!({ "detail": "no results" })),
        json("200 OK", &json!([])),
        Reply::HangUp,
    ] {
        let stub = Stub::start(vec![disturbance]).await;
        let error = provider(&stub, Dialect::Replicate).search(&lost()).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn cometapi_has_no_list() {
    let stub = Stub::start(vec![Reply::HangUp]).await;
    let error = provider(&stub, Dialect::CometApi).search(&lost()).await.unwrap_err();
    assert_eq!(error.to_string(), "this provider has no list of predictions");
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn pitfall_60_why_a_list_proves_nothing_is_said_without_the_token_and_shortly() {
    let id = format!("a-token-of-some-length {}", "x".repeat(5_000));
    let (_, incomplete) = found(&lost(), &[item(&id, &json!({ "created_at": null }))]).await;
    let incomplete = incomplete.unwrap();
    assert!(
        incomplete.starts_with("it does not say when `[token] xxx") && incomplete.len() < 400,
        "{incomplete}"
    );
}
