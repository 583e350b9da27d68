//! What the judge says, told in tables: one line for each state of an entry.

mod export;
mod money;
mod transitions;
mod world;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::digest::Digest;
use crate::model::Realm;
use crate::money::MicroUsd;
use crate::request::{Failure, FailureKind, Key, Output, OutputShape, Request};
use crate::snapshot::PredictionId;
use crate::value::Value;

use super::*;

const LIVE: Terms = Terms { bills: true, get: true, cancel: true, list: false, list_lag: 60, remote: true };
const LISTS: Terms = Terms { list: true, ..LIVE };
const BLIND: Terms = Terms { get: false, ..LIVE };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn request(cents: Option<u64>) -> Arc<Request> {
    Arc::new(Request {
        key: Key(Digest::of(b"boat")),
        realm: Realm::Public,
        provider: "replicate".into(),
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        input: IndexMap::from([("prompt".to_owned(), Value::from("a paper boat"))]).into(),
        draw: vec![],
        output: OutputShape { kind: OutputKind::Text, many: false },
        price: cents.map(|cents| MicroUsd(cents * 10_000)),
        timeout: Duration::from_mins(30),
    })
}

fn claim_of(owner: &str) -> Claim {
    Claim::new(owner.into(), "run-1".into(), vec![Account::Run("run-1".into())])
}

fn wish(terms: Terms) -> Ask {
    Ask::Claim { request: request(Some(4)), terms, since: at(0), beyond: 0, sent: Some(sent()) }
}

fn sent() -> Sent {
    Sent { input: Arc::new(serde_json::json!({"prompt": "a boat"})), clock: None, account: None }
}

fn failure() -> Failure {
    Failure::new(FailureKind::Platform, "it broke")
}

fn ending(state: EndState) -> Ask {
    Ask::Ended(Ending { state, failure: failure(), cost: None, prediction: None })
}

fn output(text: &str) -> Output {
    Output { raw: Value::from(text).into() }
}

fn arrival(cost: Option<MicroUsd>) -> Ask {
    let prediction = Some(PredictionId("p1".into()));
    Ask::Fetched(Arrival { output: output("done"), cost, predict_seconds: Some(1.5), prediction })
}

/// Judges, with a budget that allows everything.
fn ask(entry: Option<&Entry>, ask: &Ask, claim: &Claim, owner_alive: bool) -> (Verdict, Option<Entry>) {
    judge(
        entry,
        ask,
        &View {
            claim,
            owner_alive,
            accounts: &[],
            rivals: Rivals::default(),
            wanted: false,
            forgotten: 0,
            now: at(100),
        },
    )
}

/// An entry of `a` in a state, made the way it is made in life.
fn entry_in(state: State, terms: Terms) -> Entry {
    let intended = ask(None, &wish(terms), &claim_of("a"), true).1.unwrap();
    let after = |entry: &Entry, told: Ask| ask(Some(entry), &told, &entry.claim, true).1.unwrap();
    let created = || after(&intended, Ask::Created(PredictionId("p1".into())));
    match state {
        State::Intended => intended,
        State::Created => created(),
        State::Succeeded => after(&created(), arrival(None)),
        State::Failed => after(&created(), ending(EndState::Failed)),
        State::Canceled => after(&created(), ending(EndState::Canceled)),
        State::Aborted => after(&created(), ending(EndState::Aborted)),
        State::Expired => after(&created(), ending(EndState::Expired)),
        State::InDoubt => after(&intended, Ask::Unclear(Why::AnswerLost("reset".into()))),
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Create(_) => "create",
        Verdict::Reuse(_) => "reuse",
        Verdict::Ended(_) => "ended",
        Verdict::Follow { .. } => "follow",
        Verdict::Reconcile { .. } => "reconcile",
        Verdict::Wait => "wait",
        Verdict::Doubt(_) => "doubt",
        Verdict::Refused(_) => "refused",
        Verdict::Taken => "taken",
        Verdict::Cancel => "cancel",
        Verdict::Stale => "stale",
        Verdict::Done => "done",
    }
}

/// One line for each state: what is answered, and the state afterwards where it changes.
fn table(told: &Ask, terms: Terms, owner_alive: bool, claim: impl Fn(&Entry) -> Claim) -> String {
    let mut lines = String::new();
    for state in State::ALL {
        let entry = entry_in(state, terms);
        let (verdict, after) = ask(Some(&entry), told, &claim(&entry), owner_alive);
        let after = after.map_or(String::new(), |after| {
            let owner = if after.claim.owner.is_nobody() { "nobody" } else { &after.claim.owner.0 };
            format!(", then {} of {owner} #{}", after.state, after.claim.number)
        });
        writeln!(lines, "{state}: {}{after}", word(&verdict)).unwrap();
    }
    lines
}

fn stranger(_: &Entry) -> Claim {
    claim_of("b")
}

fn owner(entry: &Entry) -> Claim {
    entry.claim.clone()
}

fn held(limit: u64, held: u64, overcharge: u64) -> Held {
    Held {
        account: Account::Run("run-1".into()),
        limit: Some(MicroUsd(limit)),
        held: MicroUsd(held),
        overcharge: MicroUsd(overcharge),
    }
}
