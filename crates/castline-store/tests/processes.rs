//! A store between real processes: death at any moment, and money that two of them spend.
//!
//! The other process is this very test executable, told by an environment variable to be
//! the helper.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use castline_core::ledger::{Account, Arrival, Ask, Claim, RunId, State, Terms, Verdict};
use castline_core::request::{Key, Output, OutputShape, Request};
use castline_core::{Artifact, Digest, MicroUsd, PredictionId, Realm, Value};
use castline_spec::preset::OutputKind;
use castline_store::{Layout, Store};
use indexmap::IndexMap;
use jiff::Timestamp;

const ROLE: &str = "CASTLINE_STORE_TEST_ROLE";
const FOLDER: &str = "CASTLINE_STORE_TEST_FOLDER";
const LIVE: Terms = Terms { bills: true, get: true, cancel: true, list: false, list_lag: 60, remote: true };
const PRICE: MicroUsd = MicroUsd(10_000);

fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

fn wish(name: &str) -> Ask {
    let request = Request {
        key: key(name),
        realm: Realm::Public,
        provider: "replicate".into(),
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        input: IndexMap::from([("prompt".to_owned(), Value::from(name))]).into(),
        draw: vec![],
        output: OutputShape { kind: OutputKind::File, many: false },
        price: Some(PRICE),
        timeout: Duration::from_mins(30),
    };
    Ask::Claim { request: Arc::new(request), terms: LIVE, since: Timestamp::now(), beyond: 0, sent: None }
}

async fn ask(store: &Store, name: &str, claim: &Claim, ask: Ask) -> Verdict {
    store.ledger().commit(vec![(key(name), claim.clone(), ask)]).await.unwrap().remove(0)
}

fn claim(store: &Store) -> Claim {
    Claim::new(store.owner().clone(), RunId::from("run"), vec![Account::Day])
}

/// Goes the whole way with one prediction, saying aloud what is committed.
async fn work(store: &Store, name: &str) {
    let Verdict::Create(claim) = ask(store, name, &claim(store), wish(name)).await else {
        println!("\n{name} refused");
        return;
    };
    println!("\n{name} intended");
    ask(store, name, &claim, Ask::Created(PredictionId(format!("id of {name}")))).await;
    println!("\n{name} created");
    let file = store.blobs().write(name.as_bytes()).unwrap();
    let output = Output { raw: Value::Media(file).into() };
    let arrival = Arrival { output, cost: None, predict_seconds: None, prediction: None };
    ask(store, name, &claim, Ask::Fetched(arrival)).await;
    println!("\n{name} succeeded");
}

/// What the other process does; as a test of its own it does nothing.
#[tokio::test]
async fn helper() {
    let (Ok(role), Ok(folder)) = (std::env::var(ROLE), std::env::var(FOLDER)) else { return };
    let store = Store::open(Path::new(&folder)).unwrap();
    println!("\nowner {}", store.owner());
    match role.as_str() {
        "work" => {
            for n in 0.. {
                work(&store, &format!("{}-{n}", store.owner())).await;
            }
        }
        "spend" => {
            for n in 0..100 {
                work(&store, &format!("{}-{n}", store.owner())).await;
            }
        }
        "intend" => {
            ask(&store, "boat", &claim(&store), wish("boat")).await;
            println!("\nboat intended");
            std::thread::sleep(Duration::from_mins(10));
        }
        "create" => {
            let Verdict::Create(claim) = ask(&store, "boat", &claim(&store), wish("boat")).await else {
                panic!("nobody else is there")
            };
            ask(&store, "boat", &claim, Ask::Created(PredictionId("p1".into()))).await;
            println!("\nboat created");
            std::thread::sleep(Duration::from_mins(10));
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

    /// The next thing that it says, among the words of the test harness.
    fn said(&mut self) -> Option<(String, String)> {
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some((name, state)) = line.split_once(' ')
                && (name == "owner" || State::ALL.iter().any(|s| s.word() == state) || state == "refused")
            {
                return Some((name.to_owned(), state.to_owned()));
            }
        }
    }

    /// Dies as by the kernel's hand, and returns what it still had said.
    fn kill(mut self) -> Vec<(String, String)> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.said()).collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn state(store: &Store, name: &str) -> Option<State> {
    store.ledger().entries(&[key(name)]).await.unwrap().remove(0).map(|entry| entry.state)
}

#[tokio::test]
async fn killed_at_any_moment_a_process_loses_nothing_that_it_said() {
    let folder = tempfile::tempdir().unwrap();
    for life in 0..6 {
        let mut other = Other::start("work", folder.path());
        let mut said: Vec<_> = (0..5 + life * 7).map(|_| other.said().expect("it works for ever")).collect();
        said.extend(other.kill());

        let store = Store::open(folder.path()).unwrap();
        for (name, word) in said.iter().filter(|(name, _)| name != "owner") {
            let found = state(&store, name).await.expect("what was said is there");
            let as_far = |word: &str| ["intended", "created", "succeeded"].iter().position(|w| *w == word);
            assert!(as_far(found.word()) >= as_far(word), "{name} was {word} and is {found}");
        }
        let succeeded: Vec<_> =
            said.iter().filter(|(_, word)| word == "succeeded").map(|(name, _)| name).collect();
        for name in succeeded {
            let entry = store.ledger().entries(&[key(name)]).await.unwrap().remove(0).unwrap();
            let files: Vec<Artifact> = entry.output.unwrap().raw.media().into_iter().cloned().collect();
            assert_eq!(store.blobs().read(&files[0]).unwrap(), name.as_bytes());
        }
    }
    let database = rusqlite::Connection::open(Layout::of(folder.path()).ledger()).unwrap();
    let check: String = database.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn an_intent_of_a_killed_process_is_never_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start("intend", folder.path());
    while other.said().is_some_and(|(name, _)| name != "boat") {}
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(ask(&store, "boat", &claim(&store), wish("boat")).await, Verdict::Wait);
    other.kill();
    let verdict = ask(&store, "boat", &claim(&store), wish("boat")).await;
    assert!(matches!(verdict, Verdict::Doubt(_)), "{verdict:?}");
    assert_eq!(store.ledger().spent(&Account::Day).await.unwrap().held, PRICE);
}

#[tokio::test]
async fn a_prediction_of_a_killed_process_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start("create", folder.path());
    while other.said().is_some_and(|(name, _)| name != "boat") {}
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(ask(&store, "boat", &claim(&store), wish("boat")).await, Verdict::Wait);
    let keys = [key("boat")];
    let changed = store.ledger().changed(&keys);
    other.kill();
    tokio::time::timeout(Duration::from_secs(20), changed).await.expect("its death is noticed").unwrap();
    let verdict = ask(&store, "boat", &claim(&store), wish("boat")).await;
    let Verdict::Follow { claim, entry } = verdict else { panic!("{verdict:?}") };
    assert_eq!((claim.number, entry.prediction.unwrap().0.as_str()), (2, "p1"));
}

#[tokio::test]
async fn processes_together_never_spend_more_than_the_project_may() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let limit = MicroUsd(PRICE.0 * 75);
    store.ledger().open_account(&Account::Day, Some(limit)).await.unwrap();
    let others: Vec<_> = (0..3).map(|_| Other::start("spend", folder.path())).collect();
    let mut succeeded = 0;
    for mut other in others {
        succeeded += std::iter::from_fn(|| other.said()).filter(|(_, word)| word == "succeeded").count();
    }
    assert_eq!(succeeded, 75);
    assert_eq!(store.ledger().spent(&Account::Day).await.unwrap().held, limit);
}

#[tokio::test]
async fn a_process_that_ends_lets_go_of_its_owners_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Other::start("intend", folder.path());
    let owners = || std::fs::read_dir(folder.path().join("owners")).unwrap().count();
    while other.said().is_some_and(|(name, _)| name != "boat") {}
    assert_eq!(owners(), 1);
    other.kill();
    let _store = Store::open(folder.path()).unwrap();
    assert_eq!(owners(), 1, "the dead one's is gone and ours is there");
}
