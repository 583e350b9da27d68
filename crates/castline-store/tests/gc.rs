//! Giving back what nobody refers to: what stays, beside living processes, and killed at any
//! moment.
//!
//! The other process is this very test executable, told by an environment variable to be
//! the helper.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::{
    Account, Arrival, Ask, Claim, EndState, Ending, Entry, RunId, Spent, State, Terms, Verdict,
};
use castline_core::request::{Failure, FailureKind, Key, Output, OutputShape, Request};
use castline_core::{Artifact, Digest, MicroUsd, PredictionId, Realm, Value};
use castline_spec::preset::OutputKind;
use castline_store::{Amount, Store, Sweep};
use indexmap::IndexMap;
use jiff::Timestamp;

const ROLE: &str = "CASTLINE_GC_TEST_ROLE";
const FOLDER: &str = "CASTLINE_GC_TEST_FOLDER";
const LIVE: Terms = Terms { bills: true, get: true, cancel: true, list: false, list_lag: 60, remote: true };
const PRICE: MicroUsd = MicroUsd(10_000);
const SOON: Duration = Duration::from_secs(20);

fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

fn request(name: &str, reads: Option<&Artifact>) -> Arc<Request> {
    let mut input = IndexMap::from([("prompt".to_owned(), Value::from(name))]);
    input.extend(reads.map(|file| ("image".to_owned(), Value::Media(file.clone()))));
    Arc::new(Request {
        key: key(name),
        realm: Realm::Public,
        provider: "replicate".into(),
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        input: input.into(),
        draw: vec![],
        output: OutputShape { kind: OutputKind::File, many: false },
        price: Some(PRICE),
        timeout: Duration::from_mins(30),
    })
}

async fn ask(store: &Store, name: &str, claim: &Claim, ask: Ask) -> Verdict {
    store.ledger().commit(vec![(key(name), claim.clone(), ask)]).await.unwrap().remove(0)
}

async fn wish(store: &Store, name: &str, reads: Option<&Artifact>) -> Verdict {
    let claim = Claim::new(store.owner().clone(), RunId::from("run"), vec![Account::Day]);
    let request = request(name, reads);
    let wish = Ask::Claim { request, terms: LIVE, since: Timestamp::now(), beyond: 0, sent: None };
    ask(store, name, &claim, wish).await
}

async fn create(store: &Store, name: &str, reads: Option<&Artifact>) -> Claim {
    match wish(store, name, reads).await {
        Verdict::Create(claim) => claim,
        other => panic!("{name}: {other:?}"),
    }
}

/// Has a prediction made whose file has its name as bytes.
async fn make(store: &Store, name: &str, reads: Option<&Artifact>) -> Artifact {
    let claim = create(store, name, reads).await;
    fetch(store, name, &claim).await
}

async fn fetch(store: &Store, name: &str, claim: &Claim) -> Artifact {
    let file = store.blobs().write(name.as_bytes()).unwrap();
    let output = Output { raw: Value::Media(file.clone()).into() };
    let prediction = Some(PredictionId(format!("{name} {}", claim.number)));
    let arrival = Arrival { output, cost: None, predict_seconds: None, prediction };
    ask(store, name, claim, Ask::Fetched(arrival)).await;
    file
}

async fn entry(store: &Store, name: &str) -> Option<Entry> {
    store.ledger().entries(&[key(name)]).await.unwrap().remove(0)
}

fn sweep(store: &Store, wanted: &[Digest]) -> Sweep {
    let wanted: HashSet<Digest> = wanted.iter().copied().collect();
    store.alone(SOON).unwrap().expect("nobody stays for long").sweep(&wanted).unwrap()
}

/// A store in which an earlier process has done something.
async fn after(work: impl AsyncFnOnce(&Store)) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    work(&store).await;
    store.settle().await.unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

#[tokio::test]
async fn what_nobody_refers_to_goes_and_what_it_cost_is_told() {
    let (_folder, store) = after(async |store| {
        make(store, "boat", None).await;
        make(store, "kite", None).await;
    })
    .await;
    let survey = store.survey(&HashSet::from([key("kite").0])).unwrap();
    let worth = Spent { creates: 1, settled: PRICE, ..Spent::default() };
    let expected = Sweep {
        results_kept: 1,
        worth_kept: worth,
        results: 1,
        worth,
        others: 0,
        files_kept: Amount { count: 1, bytes: 4 },
        files: Amount { count: 1, bytes: 4 },
    };
    assert_eq!(survey, expected);
    assert!(entry(&store, "boat").await.is_some(), "a survey changes nothing");

    assert_eq!(sweep(&store, &[key("kite").0]), expected);
    assert!(entry(&store, "boat").await.is_none());
    assert_eq!(store.ledger().forgotten(&[key("boat"), key("kite")]).await.unwrap(), [true, false]);
    assert_eq!(sweep(&store, &[key("kite").0]).files, Amount::default(), "the second time there is nothing");
}

#[tokio::test]
async fn nothing_goes_from_a_ledger_that_a_newer_castline_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    make(&store, "boat", None).await;
    let newer = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 9").unwrap();
    let sweeper = store.alone(SOON).unwrap().expect("nobody stays for long");
    let error = sweeper.sweep(&HashSet::new()).unwrap_err();
    assert!(error.to_string().contains("has version 9"), "{error}");
    assert!(entry(&store, "boat").await.is_some());
}

#[tokio::test]
async fn what_a_result_was_made_from_and_what_somebody_saved_stays() {
    let (_folder, store) = after(async |store| {
        let draft = make(store, "draft", None).await;
        let styled = make(store, "styled", Some(&draft)).await;
        make(store, "sheet", Some(&styled)).await;
        make(store, "other", None).await;
        store.blobs().write(b"a sketch of the user's").unwrap();
    })
    .await;
    let swept = sweep(&store, &[Digest::of(b"sheet"), Digest::of(b"a sketch of the user's")]);
    assert_eq!((swept.results_kept, swept.results, swept.files_kept.count, swept.files.count), (3, 1, 4, 1));
}

#[tokio::test]
async fn what_is_open_in_doubt_or_expired_stays_and_what_failed_goes() {
    let end = |state| {
        let failure = Failure::new(FailureKind::Other, "so it was told");
        Ask::Ended(Ending { state, failure, cost: None, prediction: None })
    };
    let (_folder, store) = after(async |store| {
        create(store, "intended", None).await;
        let claim = create(store, "created", None).await;
        ask(store, "created", &claim, Ask::Created(PredictionId("p1".into()))).await;
        for (name, state) in [("failed", EndState::Failed), ("expired", EndState::Expired)] {
            let claim = create(store, name, None).await;
            ask(store, name, &claim, end(state)).await;
        }
    })
    .await;
    // Its owner is dead and there is no list: whoever asks finds it in doubt.
    assert!(matches!(wish(&store, "intended", None).await, Verdict::Doubt(_)));
    let swept = sweep(&store, &[]);
    assert_eq!((swept.results, swept.others), (0, 1));
    let mut states = Vec::new();
    for name in ["intended", "created", "failed", "expired"] {
        states.push(entry(&store, name).await.map(|entry| entry.state));
    }
    assert_eq!(states, [Some(State::InDoubt), Some(State::Created), None, Some(State::Expired)]);
}

#[tokio::test]
async fn what_was_removed_is_made_again_and_the_books_keep_both() {
    let (_folder, store) = after(async |store| drop(make(store, "boat", None).await)).await;
    sweep(&store, &[]);
    assert_eq!(store.ledger().spent(&Account::Day).await.unwrap().held, PRICE);
    let claim = create(&store, "boat", None).await;
    assert_eq!(claim.number, 2, "the second create has another name than the first");
    fetch(&store, "boat", &claim).await;
    assert_eq!(store.ledger().spent(&Account::Day).await.unwrap().held, MicroUsd(2 * PRICE.0));
    assert_eq!(store.ledger().bookings_of(&key("boat")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_comes_in_stays_before_anything_refers_to_it() {
    let (folder, store) = after(async |_| ()).await;
    let other = Store::open(folder.path()).unwrap();
    other.rely_on([]).unwrap();
    let file = other.blobs().write(b"on its way").unwrap();
    assert_eq!(sweep(&store, &[]).files, Amount::default());
    assert!(other.blobs().has(&file));
    drop(other);
    assert_eq!(sweep(&store, &[]).files.count, 1, "nobody needs it any more");
}

#[tokio::test]
async fn what_a_living_process_said_it_needs_stays_until_it_ends() {
    let (folder, store) = after(async |store| {
        make(store, "boat", None).await;
        make(store, "kite", None).await;
        make(store, "sky", None).await;
    })
    .await;
    let other = Store::open(folder.path()).unwrap();
    assert!(store.alone(Duration::ZERO).unwrap().is_none(), "it still looks around");
    other.rely_on([key("boat").0]).unwrap();
    assert!(matches!(wish(&other, "kite", None).await, Verdict::Reuse(_)));
    let swept = sweep(&store, &[]);
    assert_eq!((swept.results_kept, swept.results), (2, 1));
    assert!(matches!(wish(&other, "sky", None).await, Verdict::Create(_)), "it is made anew");
    drop(other);
    assert_eq!(sweep(&store, &[]).results, 2);
}

#[tokio::test]
async fn a_file_of_the_users_is_copied_again_when_its_copy_was_removed() {
    let (folder, store) = after(async |_| ()).await;
    let path = folder.path().join("sketch.png");
    std::fs::write(&path, "a sketch").unwrap();
    let hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    let other = Store::open(folder.path()).unwrap();
    let sketch = other.blobs().import(&path).unwrap();
    other.settle().await.unwrap();
    drop(other);
    assert_eq!(sweep(&store, &[]).files.count, 1);
    assert!(!store.blobs().has(&sketch));
    assert_eq!(store.blobs().import(&path).unwrap(), sketch);
    assert!(store.blobs().rely_on(&sketch).unwrap());
}

/// What the other process does; as a test of its own it does nothing.
#[tokio::test]
async fn helper() {
    let (Ok(role), Ok(folder)) = (std::env::var(ROLE), std::env::var(FOLDER)) else { return };
    let folder = Path::new(&folder);
    match role.as_str() {
        // Reuses what others have made and makes the rest, each time as a new process would.
        "work" => {
            for round in 0.. {
                let store = Store::open(folder).unwrap();
                store.rely_on([]).unwrap();
                for n in 0..12 {
                    let name = format!("leg {}", (round * 7 + n) % 40);
                    let verdict = loop {
                        match wish(&store, &name, None).await {
                            Verdict::Wait => store.ledger().changed(&[key(&name)]).await.unwrap(),
                            verdict => break verdict,
                        }
                    };
                    match verdict {
                        Verdict::Create(claim) => drop(fetch(&store, &name, &claim).await),
                        Verdict::Reuse(entry) => {
                            let output = entry.output.unwrap();
                            let files = output.raw.media();
                            let bytes = store.blobs().read(files[0]);
                            assert_eq!(bytes.expect("what is reused is there"), name.as_bytes());
                        }
                        other => panic!("{name}: {other:?}"),
                    }
                }
                println!("\nround {round}");
            }
        }
        "remove" => {
            for round in 0.. {
                let store = Store::open(folder).unwrap();
                sweep(&store, &[]);
                println!("\nround {round}");
            }
        }
        other => panic!("no helper does `{other}`"),
    }
}

/// Another process, killed at the latest when it is dropped.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(role: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["helper", "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it has gone round so often.
    fn rounds(&mut self, n: usize) {
        let mut seen = 0;
        while seen < n {
            let line = self.lines.next().expect("it works for ever").unwrap();
            seen += usize::from(line.starts_with("round "));
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every result that the ledger has can be read.
async fn every_result_has_its_file(store: &Store) -> usize {
    let succeeded = store.ledger().in_states(&[State::Succeeded], 1_000).await.unwrap();
    for entry in &succeeded {
        let output = entry.output.as_ref().unwrap();
        for file in output.raw.media() {
            assert!(store.blobs().read(file).is_ok(), "{entry:?} lacks its file");
        }
    }
    succeeded.len()
}

#[tokio::test]
async fn beside_two_that_work_nothing_is_missing_that_they_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut workers = [Other::start("work", folder.path()), Other::start("work", folder.path())];
    let mut remover = Other::start("remove", folder.path());
    // A worker that misses a file panics, and its lines end.
    workers.iter_mut().for_each(|worker| worker.rounds(15));
    remover.rounds(3);
    workers.into_iter().for_each(Other::kill);
    remover.kill();
    let store = Store::open(folder.path()).unwrap();
    every_result_has_its_file(&store).await;
}

#[tokio::test]
async fn killed_at_any_moment_it_leaves_no_result_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for life in 0..6_u32 {
        let store = Store::open(folder.path()).unwrap();
        for n in 0..100 {
            if let Verdict::Create(claim) = wish(&store, &format!("leg {n}"), None).await {
                fetch(&store, &format!("leg {n}"), &claim).await;
            }
        }
        drop(store);
        let mut remover = Other::start("remove", folder.path());
        // From before it begins to after it has ended; where exactly is chance.
        let owners = || std::fs::read_dir(folder.path().join("owners")).unwrap().count();
        while owners() == 0 {
            std::thread::yield_now();
        }
        if life % 2 == 1 {
            remover.rounds(1);
        }
        for n in 0..life * 2_000 {
            std::hint::black_box(Digest::of(&n.to_le_bytes()));
        }
        remover.kill();
        let store = Store::open(folder.path()).unwrap();
        every_result_has_its_file(&store).await;
        // Files without an entry are found by the next.
        sweep(&store, &[]);
        assert_eq!(store.survey(&HashSet::new()).unwrap().files_kept, Amount::default());
    }
}
