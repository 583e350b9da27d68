use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::{
    Account, Arrival, Ask, Claim, EndState, Ending, Match, OwnerId, Refusal, Ruling, RunId, Sent, State,
    Terms, Verdict, Why,
};
use castline_core::request::{Failure, FailureKind, Key, Output, OutputShape, Request};
use castline_core::{Digest, MicroUsd, PredictionId, Realm, Value};
use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{Store, StoreError};

use super::*;

const LIVE: Terms = Terms { bills: true, get: true, cancel: true, list: false, list_lag: 60, remote: true };
const RUN: Account = Account::Day;

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

fn request(name: &str) -> Arc<Request> {
    Arc::new(Request {
        key: key(name),
        realm: Realm::Public,
        provider: "replicate".into(),
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        input: IndexMap::from([("prompt".to_owned(), Value::from(name))]).into(),
        draw: vec![],
        output: OutputShape { kind: OutputKind::Text, many: false },
        price: Some(MicroUsd(10_000)),
        timeout: Duration::from_mins(30),
    })
}

fn claim(store: &Store) -> Claim {
    Claim::new(store.owner().clone(), RunId::from("run-1"), vec![RUN])
}

fn wish(name: &str, terms: Terms) -> Ask {
    Ask::Claim { request: request(name), terms, since: Timestamp::now(), beyond: 0, sent: None }
}

fn arrival(text: &str) -> Ask {
    let output = Output { raw: Value::from(text).into() };
    Ask::Fetched(Arrival { output, cost: None, predict_seconds: Some(2.5), prediction: None })
}

async fn ask(store: &Store, name: &str, claim: &Claim, ask: Ask) -> Verdict {
    let verdicts = store.ledger().commit(vec![(key(name), claim.clone(), ask)]).await.unwrap();
    verdicts.into_iter().next().unwrap()
}

async fn create(store: &Store, name: &str) -> Claim {
    match ask(store, name, &claim(store), wish(name, LIVE)).await {
        Verdict::Create(claim) => claim,
        other => panic!("{other:?}"),
    }
}

async fn succeed(store: &Store, name: &str) -> Claim {
    let claim = create(store, name).await;
    ask(store, name, &claim, Ask::Created(PredictionId(name.to_owned()))).await;
    ask(store, name, &claim, arrival(name)).await;
    claim
}

async fn entry(store: &Store, name: &str) -> Entry {
    store.ledger().entries(&[key(name)]).await.unwrap().remove(0).unwrap()
}

async fn held(store: &Store) -> MicroUsd {
    store.ledger().spent(&RUN).await.unwrap().held
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let (folder, store) = store();
    succeed(&store, "boat").await;
    let before = entry(&store, "boat").await;
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(entry(&store, "boat").await, before);
    let verdict = ask(&store, "boat", &claim(&store), wish("boat", LIVE)).await;
    assert_eq!(verdict, Verdict::Reuse(Box::new(before)));
}

#[tokio::test]
async fn who_only_looks_follows_whoever_writes_and_writes_nothing() {
    let (folder, store) = store();
    succeed(&store, "boat").await;
    let look = Store::look(folder.path()).unwrap();
    let owners = || std::fs::read_dir(folder.path().join("owners")).unwrap().count();
    assert_eq!((look.is_only_looked_at(), owners()), (true, 1));
    succeed(&store, "kite").await;
    assert_eq!(entry(&look, "kite").await, entry(&store, "kite").await);
    let refused = look.ledger().commit(vec![(key("bird"), claim(&look), wish("bird", LIVE))]).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    drop(store);
    assert_eq!(entry(&look, "kite").await.state, State::Succeeded);
}

#[cfg(unix)]
#[tokio::test]
async fn a_ledger_in_a_folder_that_cannot_be_written_is_read_from_its_file_until_somebody_writes() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, store) = store();
    succeed(&store, "boat").await;
    drop(store);
    let allow = |mode| {
        for place in [folder.path().to_owned(), folder.path().join("owners")] {
            std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    allow(0o555);
    // Nothing stops root.
    let Err(error) = Store::open(folder.path()) else { return allow(0o755) };
    assert!(error.is_read_only(), "{error}");
    let look = Store::look(folder.path()).unwrap();
    assert_eq!(entry(&look, "boat").await.state, State::Succeeded);
    allow(0o755);
    let store = Store::open(folder.path()).unwrap();
    succeed(&store, "kite").await;
    assert_eq!(entry(&look, "kite").await.state, State::Succeeded);
    drop(store);
    assert_eq!(entry(&look, "kite").await.state, State::Succeeded);
}

#[tokio::test]
async fn nothing_is_written_any_more_once_a_newer_castline_has_changed_the_ledger() {
    let (folder, store) = store();
    let claim = create(&store, "boat").await;
    let newer = rusqlite::Connection::open(folder.path().join(LEDGER_FILE)).unwrap();
    newer.execute_batch("ALTER TABLE entries ADD COLUMN note TEXT; PRAGMA user_version = 9").unwrap();
    for _ in 0..2 {
        let created = Ask::Created(PredictionId("p1".to_owned()));
        let error = store.ledger().commit(vec![(key("boat"), claim.clone(), created)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 9, .. }), "{error}");
    }
    assert_eq!(entry(&store, "boat").await.state, State::Intended);
}

#[tokio::test]
async fn an_entry_under_way_that_another_process_has_changed_is_read_anew() {
    let (folder, store) = store();
    let claim = create(&store, "boat").await;
    let other = rusqlite::Connection::open(folder.path().join(LEDGER_FILE)).unwrap();
    assert_eq!(other.execute("DELETE FROM entries", []).unwrap(), 1);
    let verdict = ask(&store, "boat", &claim, Ask::Created(PredictionId("p1".to_owned()))).await;
    assert_eq!(verdict, Verdict::Stale);
    assert!(matches!(
        ask(&store, "boat", &self::claim(&store), wish("boat", LIVE)).await,
        Verdict::Create(_)
    ));
}

#[tokio::test]
async fn entries_come_in_the_order_of_their_keys() {
    let (_folder, store) = store();
    succeed(&store, "boat").await;
    create(&store, "kite").await;
    let keys = [key("kite"), key("none"), key("boat")];
    let states: Vec<_> =
        store.ledger().entries(&keys).await.unwrap().into_iter().map(|e| e.map(|e| e.state)).collect();
    assert_eq!(states, [Some(State::Intended), None, Some(State::Succeeded)]);
    let briefs = store.ledger().briefs(&keys).await.unwrap();
    assert_eq!(briefs[1], None);
    assert_eq!(briefs[2].as_ref().unwrap().output, Some(Output { raw: Value::from("boat").into() }));
    assert_eq!(briefs[0].as_ref().unwrap().claim, 1);
}

#[tokio::test]
async fn a_thousand_claims_at_once_are_each_created_once() {
    let (_folder, store) = store();
    let names: Vec<String> = (0..500).map(|n| format!("leg {n}")).collect();
    let commit = |name: &String| store.ledger().commit(vec![(key(name), claim(&store), wish(name, LIVE))]);
    let answers: Vec<_> = names.iter().chain(&names).map(commit).collect();
    let mut created = 0;
    for answer in answers {
        match answer.await.unwrap().remove(0) {
            Verdict::Create(_) => created += 1,
            Verdict::Wait => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 500);
    assert_eq!(held(&store).await, MicroUsd(5_000_000));
}

#[tokio::test]
async fn two_processes_do_not_create_the_same() {
    let (folder, first) = store();
    let second = Store::open(folder.path()).unwrap();
    create(&first, "boat").await;
    assert_eq!(ask(&second, "boat", &claim(&second), wish("boat", LIVE)).await, Verdict::Wait);
    assert!(second.ledger().is_worked_on(&entry(&second, "boat").await));
}

#[tokio::test]
async fn whoever_waits_hears_of_a_success_elsewhere() {
    let (folder, first) = store();
    let second = Store::open(folder.path()).unwrap();
    let claim = create(&first, "boat").await;
    let keys = [key("boat")];
    let changed = second.ledger().changed(&keys);
    tokio::pin!(changed);
    assert!(timeout(Duration::from_millis(100), &mut changed).await.is_err(), "its owner is alive");
    ask(&first, "boat", &claim, arrival("done")).await;
    timeout(Duration::from_secs(10), changed).await.expect("it has ended").unwrap();
}

#[tokio::test]
async fn whoever_waits_hears_of_a_death_and_adopts_what_was_created() {
    let (folder, first) = store();
    let second = Store::open(folder.path()).unwrap();
    let claim_of_first = create(&first, "boat").await;
    ask(&first, "boat", &claim_of_first, Ask::Created(PredictionId("p1".into()))).await;
    let keys = [key("boat")];
    let changed = second.ledger().changed(&keys);
    tokio::pin!(changed);
    assert!(timeout(Duration::from_millis(50), &mut changed).await.is_err(), "its owner is alive");
    drop(first);
    timeout(Duration::from_secs(10), changed).await.expect("its owner is dead").unwrap();
    let verdict = ask(&second, "boat", &claim(&second), wish("boat", LIVE)).await;
    assert!(matches!(verdict, Verdict::Follow { claim, .. } if claim.number == 2));
    // Nobody has to wait for what is free.
    timeout(Duration::from_secs(10), second.ledger().changed(&[key("none")])).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_dead_process_intended_is_in_doubt() {
    let (folder, first) = store();
    create(&first, "boat").await;
    drop(first);
    let second = Store::open(folder.path()).unwrap();
    let verdict = ask(&second, "boat", &claim(&second), wish("boat", LIVE)).await;
    assert!(matches!(&verdict, Verdict::Doubt(doubt) if doubt.why == Why::OwnerDied), "{verdict:?}");
    assert_eq!(second.ledger().in_states(&[State::InDoubt], 10).await.unwrap().len(), 1);
    assert_eq!(ask(&second, "boat", &claim(&second), Ask::Ruled(Ruling::Forgive)).await, Verdict::Done);
    assert_eq!(held(&second).await, MicroUsd::ZERO);
}

#[tokio::test]
async fn reservations_of_two_processes_never_overshoot() {
    let (folder, first) = store();
    let second = Store::open(folder.path()).unwrap();
    first.ledger().open_account(&RUN, Some(MicroUsd(255_000))).await.unwrap();
    let mut answers = Vec::new();
    for n in 0..100 {
        let (store, name) = (if n % 2 == 0 { &first } else { &second }, format!("leg {n}"));
        answers.push(store.ledger().commit(vec![(key(&name), claim(store), wish(&name, LIVE))]));
    }
    let mut created = 0;
    for answer in answers {
        match answer.await.unwrap().remove(0) {
            Verdict::Create(_) => created += 1,
            Verdict::Refused(Refusal::OverLimit { limit, .. }) => assert_eq!(limit, MicroUsd(255_000)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 25);
    assert_eq!(held(&second).await, MicroUsd(250_000));
}

#[tokio::test]
async fn one_commit_does_not_spend_the_same_money_twice() {
    let (_folder, store) = store();
    store.ledger().open_account(&RUN, Some(MicroUsd(20_000))).await.unwrap();
    let asks = ["a", "b", "c"].map(|name| (key(name), claim(&store), wish(name, LIVE))).to_vec();
    let verdicts = store.ledger().commit(asks).await.unwrap();
    assert!(
        matches!(verdicts[..], [Verdict::Create(_), Verdict::Create(_), Verdict::Refused(_)]),
        "{verdicts:?}"
    );
}

#[tokio::test]
async fn money_that_was_settled_for_less_can_be_spent_again() {
    let (_folder, store) = store();
    store.ledger().open_account(&RUN, Some(MicroUsd(10_000))).await.unwrap();
    let first = create(&store, "a").await;
    assert!(matches!(ask(&store, "b", &claim(&store), wish("b", LIVE)).await, Verdict::Refused(_)));
    let failure = Failure::new(FailureKind::Input, "no");
    let ending = Ending { state: EndState::Failed, failure, cost: Some(MicroUsd::ZERO), prediction: None };
    ask(&store, "a", &first, Ask::Ended(ending)).await;
    create(&store, "b").await;
}

#[tokio::test]
async fn a_failed_prediction_that_is_created_again_counts_twice() {
    let (_folder, store) = store();
    let first = create(&store, "boat").await;
    let failure = Failure::new(FailureKind::Platform, "no");
    ask(
        &store,
        "boat",
        &first,
        Ask::Ended(Ending { state: EndState::Failed, failure, cost: None, prediction: None }),
    )
    .await;
    create(&store, "boat").await;
    assert_eq!(held(&store).await, MicroUsd(20_000));
}

#[tokio::test]
async fn an_account_that_was_overcharged_creates_nothing_more() {
    let (_folder, store) = store();
    store.ledger().open_account(&RUN, Some(MicroUsd(1_000_000))).await.unwrap();
    let first = create(&store, "a").await;
    let Ask::Fetched(arrival) = arrival("a") else { unreachable!() };
    ask(&store, "a", &first, Ask::Fetched(Arrival { cost: Some(MicroUsd(10_500)), ..arrival })).await;
    let verdict = ask(&store, "b", &claim(&store), wish("b", LIVE)).await;
    assert!(
        matches!(verdict, Verdict::Refused(Refusal::Overcharged { by: MicroUsd(500), .. })),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn what_costs_nothing_needs_no_money() {
    let (_folder, store) = store();
    store.ledger().open_account(&RUN, Some(MicroUsd::ZERO)).await.unwrap();
    let verdict = ask(&store, "boat", &claim(&store), wish("boat", Terms::LOCAL)).await;
    assert!(matches!(verdict, Verdict::Create(_)));
    assert_eq!(held(&store).await, MicroUsd::ZERO);
}

#[tokio::test]
async fn the_project_forgets_after_a_day_what_is_settled() {
    let (_folder, store) = store();
    succeed(&store, "settled").await;
    create(&store, "open").await;
    let day = SignedDuration::from_hours(24) + SignedDuration::from_secs(1);
    let later = Timestamp::now().checked_add(day).unwrap();
    let tomorrow = store.ledger().read(|db| rows::held(db, &Account::Day, later)).unwrap();
    assert_eq!((held(&store).await, tomorrow.held), (MicroUsd(20_000), MicroUsd(10_000)));
}

#[tokio::test]
async fn history_is_that_of_a_model_at_a_provider() {
    let (_folder, store) = store();
    succeed(&store, "a").await;
    succeed(&store, "b").await;
    create(&store, "c").await;
    let ledger = store.ledger();
    assert_eq!(ledger.history("acme/paint", &"replicate".into()).await.unwrap(), [2.5, 2.5]);
    assert_eq!(ledger.history("acme/paint", &"cometapi".into()).await.unwrap(), [0.0; 0]);
    let nearest = ledger.nearest("acme/paint", 1).await.unwrap();
    assert_eq!(nearest.len(), 1);
    assert_eq!(ledger.nearest("acme/other", 1).await.unwrap(), []);
}

#[tokio::test]
async fn a_key_is_found_by_its_first_digits() {
    let (_folder, store) = store();
    create(&store, "boat").await;
    let hex = key("boat").0.hex();
    for prefix in [&hex[..6], &hex.to_uppercase()[..12], &format!("sha256:{}", &hex[..8])] {
        assert_eq!(store.ledger().keys_like(prefix).await.unwrap(), [key("boat")], "{prefix}");
    }
    assert_eq!(store.ledger().keys_like("%").await.unwrap(), []);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_the_trouble_of_whoever_asks_for_it() {
    let (_folder, store) = store();
    create(&store, "bad").await;
    let db = schema::connect(&store.folder().join(LEDGER_FILE)).unwrap();
    db.execute("UPDATE entries SET entry = '{}'", []).unwrap();
    let good = store.ledger().commit(vec![(key("good"), claim(&store), wish("good", LIVE))]);
    let bad = store.ledger().commit(vec![(key("bad"), claim(&store), wish("bad", LIVE))]);
    assert!(matches!(bad.await.unwrap_err(), StoreError::Unreadable { .. }));
    assert!(matches!(good.await.unwrap()[..], [Verdict::Create(_)]));
}

#[tokio::test]
async fn a_full_disk_is_an_error_with_a_cure_and_changes_nothing() {
    let (_folder, store) = store();
    succeed(&store, "boat").await;
    let path = store.folder().join(LEDGER_FILE);
    let db = schema::connect(&path).unwrap();
    let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    db.pragma_update(None, "max_page_count", pages).unwrap();
    let mut writer = Writer::new(db, path, store.owners.clone());
    let asks: Vec<_> =
        (0..200).map(|n| (key(&n.to_string()), claim(&store), wish(&n.to_string(), LIVE))).collect();
    let error = writer.write(&[&Work::Commit(asks)]).unwrap_err();
    assert!(error.hint().unwrap().starts_with("the disk is full"), "{error}");
    assert_eq!(store.ledger().in_states(&[State::Intended], 10).await.unwrap(), []);
    create(&store, "kite").await;
}

#[tokio::test]
async fn the_prediction_of_a_failed_create_is_not_taken_for_a_lost_one() {
    let (_folder, store) = store();
    let wish = |name: &str, beyond| Ask::Claim {
        request: request(name),
        terms: Terms { list: true, ..LIVE },
        since: Timestamp::now(),
        beyond,
        sent: None,
    };
    let granted = async |name: &str, beyond| match ask(&store, name, &claim(&store), wish(name, beyond)).await
    {
        Verdict::Create(claim) => claim,
        other => panic!("{other:?}"),
    };
    let [first, second] = ["first", "second"].map(|id| PredictionId(id.to_owned()));
    let failed = granted("boat", 0).await;
    ask(&store, "boat", &failed, Ask::Created(first.clone())).await;
    let failure = Failure::new(FailureKind::Platform, "E9828");
    let ending = Ending { state: EndState::Failed, failure, cost: None, prediction: None };
    ask(&store, "boat", &failed, Ask::Ended(ending)).await;
    let (again, twin) = (granted("boat", 1).await, granted("the same on the wire", 0).await);
    for (name, claim) in [("boat", &again), ("the same on the wire", &twin)] {
        assert_eq!(ask(&store, name, claim, found(&first.0, &[])).await, Verdict::Taken, "{name}");
    }
    let found = ask(&store, "boat", &again, found(&second.0, &[])).await;
    assert!(matches!(found, Verdict::Follow { .. }), "{found:?}");
    assert_eq!(entry(&store, "boat").await.prediction, Some(second));
}

#[test]
fn a_store_that_cannot_be_made_says_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("castline.yaml");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join(".castline")).unwrap_err();
    assert!(error.to_string().ends_with("castline.yaml/.castline/owners`: not a directory"), "{error}");
}

#[tokio::test]
async fn a_store_keeps_itself_out_of_git_and_has_space() {
    let (folder, store) = store();
    let ignore = std::fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    assert!(ignore.ends_with("\n*\n"));
    store.check_space().unwrap();
    store.settle().await.unwrap();
    assert!(!store.ledger().is_worked_on(&{
        create(&store, "boat").await;
        let mut entry = entry(&store, "boat").await;
        entry.claim.owner = OwnerId::nobody();
        entry
    }));
}

/// A provider with a list.
const LISTS: Terms = Terms { list: true, ..LIVE };

/// A create of which the answer was lost, or is still to come.
async fn lost_or_not(store: &Store, name: &str, file: &str, lost: bool) -> Claim {
    let input = Arc::new(serde_json::json!({ "image": format!("data:{}", Digest::of(file.as_bytes())) }));
    let sent = Some(Sent { input, clock: None, account: None });
    let wish = Ask::Claim { request: request(name), terms: LISTS, since: Timestamp::now(), beyond: 0, sent };
    let Verdict::Create(claim) = ask(store, name, &claim(store), wish).await else { panic!("it is new") };
    if lost {
        ask(store, name, &claim, Ask::Unclear(Why::AnswerLost("reset".to_owned()))).await;
    }
    claim
}

fn found(id: &str, or: &[&str]) -> Ask {
    let prediction = |id: &str| PredictionId(id.to_owned());
    Ask::Found(Match { id: prediction(id), exact: false, or: or.iter().map(|id| prediction(id)).collect() })
}

#[tokio::test]
async fn a_search_takes_nothing_from_whoever_waits_for_an_answer() {
    let (_folder, store) = store();
    let boat = lost_or_not(&store, "boat", "same", true).await;
    let kite = lost_or_not(&store, "kite", "same", false).await;
    assert_eq!(ask(&store, "boat", &boat, found("p1", &[])).await, Verdict::Wait);
    ask(&store, "kite", &kite, Ask::Created(PredictionId("p1".to_owned()))).await;
    assert_eq!(ask(&store, "boat", &boat, found("p1", &[])).await, Verdict::Taken);
    assert!(matches!(ask(&store, "boat", &boat, found("p2", &[])).await, Verdict::Follow { .. }));
}

#[tokio::test]
async fn lost_requests_with_hidden_files_are_a_persons_to_tell_apart() {
    let (_folder, store) = store();
    let boat = lost_or_not(&store, "boat", "one", true).await;
    lost_or_not(&store, "kite", "another", true).await;
    assert!(matches!(ask(&store, "boat", &boat, found("p1", &[])).await, Verdict::Doubt(_)));
}

#[tokio::test]
async fn of_several_predictions_that_hide_a_file_none_is_taken_by_chance() {
    let (_folder, store) = store();
    succeed(&store, "p2").await;
    let boat = lost_or_not(&store, "boat", "one", true).await;
    assert!(matches!(ask(&store, "boat", &boat, found("p1", &["p3"])).await, Verdict::Doubt(_)));
    let kite = lost_or_not(&store, "kite", "one", true).await;
    assert!(matches!(ask(&store, "kite", &kite, found("p1", &["p2"])).await, Verdict::Follow { .. }));
}

#[tokio::test]
async fn a_person_adopts_no_prediction_of_another_entry() {
    let (folder, store) = store();
    succeed(&store, "kite").await;
    let other = Store::open(folder.path()).unwrap();
    let boat = lost_or_not(&other, "boat", "one", true).await;
    ask(&other, "boat", &boat, Ask::Unclear(Why::CannotTell("no list".to_owned()))).await;
    let adopt = |id: &str| Ask::Ruled(Ruling::Adopt(PredictionId(id.to_owned())));
    assert_eq!(ask(&store, "boat", &claim(&store), adopt("kite")).await, Verdict::Taken);
    assert_eq!(ask(&store, "boat", &claim(&store), adopt("p9")).await, Verdict::Done);
    assert_eq!(entry(&store, "boat").await.prediction, Some(PredictionId("p9".to_owned())));
}

async fn exported(store: &Store) -> Vec<Exported> {
    let mut all = Vec::new();
    store
        .ledger()
        .export(|exported| {
            all.push(exported);
            true
        })
        .await
        .unwrap();
    all
}

#[tokio::test]
async fn a_ledger_goes_to_another_place_whole_and_only_once() {
    let (_here, store) = store();
    succeed(&store, "a").await;
    create(&store, "b").await;
    let (_there, other) = self::store();
    succeed(&other, "a").await;
    let all = exported(&store).await;
    assert_eq!(
        all.iter().map(|e| (e.entry.key(), e.holds.len())).collect::<Vec<_>>(),
        [(key("a"), 1), (key("b"), 1)]
    );

    let before = entry(&other, "a").await;
    assert_eq!(other.ledger().import(all.clone()).await.unwrap(), [false, true]);
    assert_eq!(entry(&other, "a").await, before, "what is here is never written over");
    assert_eq!(entry(&other, "b").await, all[1].entry);
    assert_eq!(other.ledger().spent(&RUN).await.unwrap().held, MicroUsd(20_000));
    assert_eq!(other.ledger().import(all).await.unwrap(), [false, false]);
    assert_eq!(other.ledger().spent(&RUN).await.unwrap().held, MicroUsd(20_000));
}

#[tokio::test]
async fn creates_are_found_by_time_and_by_entry() {
    let (_folder, store) = store();
    let began = Timestamp::now();
    succeed(&store, "a").await;
    create(&store, "b").await;
    let all = store.ledger().bookings(began - SignedDuration::from_secs(1)).await.unwrap();
    let settled: Vec<_> = all.iter().map(|b| (b.model.as_str(), b.reserved, b.settled)).collect();
    let price = Some(MicroUsd(10_000));
    assert_eq!(settled, [("acme/paint", price, price), ("acme/paint", price, None)]);
    assert_eq!(store.ledger().bookings_of(&key("b")).await.unwrap(), all[1..]);
    assert_eq!(store.ledger().bookings(Timestamp::now() + SignedDuration::from_secs(1)).await.unwrap(), []);
}
