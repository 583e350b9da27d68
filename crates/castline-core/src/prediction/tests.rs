//! What a prediction does, told by a [`Scene`]: it, a ledger of one entry beside it, and a provider.

mod any_answer;
mod create;
mod end;
mod fetch;
mod follow;
mod ledger;
mod lost;
mod stop;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::preset::OutputKind;
use jiff::Timestamp;
use serde_json::json;

use crate::digest::Digest;
use crate::ledger::{
    Account, Ask, Claim, Entry, Held, OwnerId, Rivals, RunId, Sent, State, Terms, Verdict, View, judge,
};
use crate::model::Realm;
use crate::money::MicroUsd;
use crate::request::{Key, Output, OutputShape, Request};
use crate::snapshot::{PredictionId, Snapshot, Status};
use crate::value::Value;

use super::*;

const LIVE: Terms = Terms { bills: true, get: true, cancel: true, list: false, list_lag: 60, remote: true };
const LISTS: Terms = Terms { list: true, ..LIVE };
const FREE: Terms = Terms { bills: false, ..LIVE };
const NO_CANCEL: Terms = Terms { cancel: false, ..LIVE };

fn request() -> Arc<Request> {
    Arc::new(Request {
        key: Key(Digest::of(b"boat")),
        realm: Realm::Public,
        provider: "studio".into(),
        model: "acme/paint".parse().unwrap(),
        deployment: None,
        input: Arc::default(),
        draw: vec![],
        output: OutputShape { kind: OutputKind::Image, many: false },
        price: Some(MicroUsd(40_000)),
        timeout: Duration::from_mins(30),
    })
}

fn order(terms: Terms) -> Order {
    let claim = Claim::new("me".into(), "run-1".into(), vec![Account::Day]);
    let since = Timestamp::UNIX_EPOCH;
    Order {
        request: request(),
        claim,
        facts: Facts { terms, p25: None },
        since,
        beyond: 0,
        account: None,
        retry_lost: false,
    }
}

/// A prediction with a ledger of one entry beside it, and all that they say.
struct Scene {
    prediction: Prediction,
    entry: Option<Entry>,
    millis: i64,
    /// Somebody else's claims are judged as if their process lived.
    others_live: bool,
    limit: Option<MicroUsd>,
    /// The ledger takes its time: commits wait here.
    slow: Option<Vec<(Claim, Ask)>>,
    /// What is to be sent is not prepared by itself.
    unprepared: bool,
    /// Predictions that other entries hold.
    taken: Vec<PredictionId>,
    /// Of whatever is found.
    rivals: Rivals,
    /// Another process waits for the entry.
    wanted: bool,
    said: String,
}

impl Scene {
    fn new(order: Order, entry: Option<Entry>) -> Self {
        Self::with(order, entry, |_| {})
    }

    fn with(order: Order, entry: Option<Entry>, prepare: impl Fn(&mut Self)) -> Self {
        let (prediction, dos) = Prediction::start(order);
        let mut scene = Self {
            prediction,
            entry,
            millis: 0,
            others_live: false,
            limit: None,
            slow: None,
            unprepared: false,
            taken: vec![],
            rivals: Rivals::default(),
            wanted: false,
            said: String::new(),
        };
        prepare(&mut scene);
        scene.carry_out(dos);
        scene
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis).unwrap()
    }

    /// Tells something and returns all that follows.
    fn tell(&mut self, told: Told) -> String {
        self.said.clear();
        let dos = self.prediction.handle(told, self.now());
        self.carry_out(dos);
        self.said.clone()
    }

    fn tell_at(&mut self, second: i64, told: Told) -> String {
        self.millis = second * 1_000;
        self.tell(told)
    }

    /// The ledger answers after everything else has begun, as in life.
    fn carry_out(&mut self, dos: Vec<Do>) {
        let mut commits = vec![];
        for act in dos {
            // Most scenes begin after that.
            if act == Do::Prepare && !self.unprepared {
                let prepared = self.prediction.handle(Told::Prepared(Ok(sent())), self.now());
                self.carry_out(prepared);
                continue;
            }
            writeln!(self.said, "{}", shown(&act)).unwrap();
            if let Do::Commit { claim, ask } = act {
                commits.push((claim, ask));
            }
        }
        match &mut self.slow {
            Some(waiting) => waiting.extend(commits),
            None => commits.iter().for_each(|(claim, ask)| self.judge(claim, ask)),
        }
    }

    fn judge(&mut self, claim: &Claim, ask: &Ask) {
        let owner = self.entry.as_ref().map(|entry| &entry.claim.owner);
        let owner_alive =
            owner.is_some_and(|owner| &*owner.0 == "me" || (!owner.is_nobody() && self.others_live));
        let account = Held {
            account: Account::Day,
            limit: self.limit,
            held: MicroUsd::ZERO,
            overcharge: MicroUsd::ZERO,
        };
        let view = View {
            claim,
            owner_alive,
            accounts: &[account],
            rivals: Rivals {
                taken: matches!(ask, Ask::Found(found) if self.taken.contains(&found.id)),
                ..self.rivals
            },
            wanted: self.wanted,
            forgotten: 0,
            now: self.now(),
        };
        let (verdict, after) = judge(self.entry.as_ref(), ask, &view);
        self.entry = after.or(self.entry.take());
        let dos = self.prediction.handle(Told::Verdict(verdict), self.now());
        self.carry_out(dos);
    }

    /// Lets the slow ledger catch up.
    fn flush(&mut self) -> String {
        self.said.clear();
        for (claim, ask) in self.slow.take().unwrap_or_default() {
            self.judge(&claim, &ask);
        }
        self.said.clone()
    }

    fn state(&self) -> State {
        self.entry.as_ref().expect("the ledger knows it").state
    }

    fn held(&self) -> MicroUsd {
        self.entry.as_ref().expect("the ledger knows it").hold.amount()
    }
}

fn shown(act: &Do) -> String {
    match act {
        Do::Commit { claim, ask } => format!("> commit {} #{}", asked(ask), claim.number),
        Do::Prepare => "> prepare".to_owned(),
        Do::Create => "> create".to_owned(),
        Do::Search { after, .. } => format!("> search after {after:?}"),
        Do::Get { prediction, after, .. } => format!("> get {prediction} after {after:?}"),
        Do::Fetch { after, .. } => format!("> fetch after {after:?}"),
        Do::Rest(after) => format!("> rest {after:?}"),
        Do::WaitForOwner => "> wait for the owner".to_owned(),
        Do::Cancel { prediction, .. } => format!("> cancel {prediction}"),
        Do::Report(progress) => reported(progress),
        Do::Finish(finished) => ended(finished),
    }
}

fn asked(ask: &Ask) -> String {
    match ask {
        Ask::Claim { beyond: 0, .. } => "claim".to_owned(),
        Ask::Claim { beyond, .. } => format!("claim beyond {beyond}"),
        Ask::Created(id) => format!("created {id}"),
        Ask::Absent(failure) => format!("absent: {}", failure.message),
        Ask::Unclear(why) => format!("unclear: {why}"),
        Ask::Ended(ending) => format!("{:?}: {}", ending.state, ending.failure.message).to_lowercase(),
        Ask::Fetched(_) => "fetched".to_owned(),
        Ask::Another(differs) => format!("another: {differs}"),
        Ask::Left => "left".to_owned(),
        Ask::Missing => "missing".to_owned(),
        Ask::Ruled(_) => "ruled".to_owned(),
        Ask::Unsent => "unsent".to_owned(),
        Ask::Resend(_) => "resend".to_owned(),
        Ask::Found(found) => {
            let all = std::iter::once(&found.id).chain(&found.or).map(ToString::to_string);
            format!("found {}", all.collect::<Vec<_>>().join(" or "))
        }
        Ask::Stop => "stop".to_owned(),
        Ask::Unwanted => "unwanted".to_owned(),
    }
}

fn reported(progress: &Progress) -> String {
    match progress {
        Progress::Created { prediction, adopted: false, .. } => format!("created {prediction}"),
        Progress::Created { prediction, .. } => format!("adopted {prediction}"),
        Progress::Status(status) => format!("status {status:?}"),
        Progress::Logs(news) => format!("log {:?}{}", news.text, if news.anew { " anew" } else { "" }),
        Progress::Fraction(done) => format!("at {done}"),
        Progress::WaitingForOwner => "waiting for the owner".to_owned(),
        Progress::SentAgain { why, .. } => format!("sent again: {why}"),
        Progress::Searching { provider, .. } => format!("searching at {provider}"),
        Progress::FetchedAgain { why, .. } => format!("fetched again: {why}"),
        Progress::Canceling => "canceling".to_owned(),
    }
}

fn ended(finished: &Finished) -> String {
    let outcome = match &finished.outcome {
        Outcome::Succeeded(_) => "succeeded".to_owned(),
        Outcome::Failed(failure) => format!("failed ({:?}): {}", failure.kind, failure.message),
        Outcome::Canceled(failure) => format!("canceled: {}", failure.message),
        Outcome::Expired(failure) => format!("expired: {}", failure.message),
        Outcome::InDoubt(doubt) => format!("in doubt: {}", doubt.why),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
    };
    let cost = finished.cost.map_or("no cost".to_owned(), |cost| cost.to_string());
    format!("= {outcome} [{:?}, {cost}]", finished.source)
}

// What providers say.

fn sent() -> Sent {
    Sent { input: Arc::new(json!({"prompt": "a boat"})), clock: None, account: None }
}

fn snapshot(status: Status) -> Snapshot {
    Snapshot {
        id: PredictionId("p1".into()),
        status,
        output: None,
        error: None,
        logs: None,
        metrics: Some(json!({"predict_time": 1.5})),
        created_at: None,
        started_at: None,
        completed_at: None,
        data_removed: false,
    }
}

fn done() -> Snapshot {
    Snapshot { output: Some(json!("https://x/1.png")), ..snapshot(Status::Succeeded) }
}

fn broken(error: Option<&str>) -> Snapshot {
    Snapshot {
        error: error.map(str::to_owned),
        logs: Some("step 1\nstep 2\n".to_owned()),
        ..snapshot(Status::Failed)
    }
}

fn created(snapshot: Snapshot) -> Told {
    Told::Created(Ok(snapshot))
}

fn got(snapshot: Snapshot) -> Told {
    Told::Got(Ok(snapshot))
}

fn fetched() -> Told {
    Told::Fetched(Ok(Fetched {
        output: Output { raw: Value::from("kept").into() },
        cost: Some(MicroUsd(30_000)),
    }))
}

fn not_sent() -> CallFault {
    CallFault::NotSent { host: "studio:443".into(), cause: "connection refused".into() }
}

fn lost() -> CallFault {
    CallFault::Lost { host: "studio:443".into(), cause: "connection reset".into() }
}

fn server(refused: bool) -> CallFault {
    CallFault::Server { message: "502 bad gateway".into(), refused }
}

fn busy(retry_after: Option<u64>) -> CallFault {
    CallFault::Busy { message: "throttled".into(), retry_after: retry_after.map(Duration::from_secs) }
}

fn refused(status: u16) -> CallFault {
    CallFault::Refused { status, message: format!("{status}: no") }
}

fn exact(id: PredictionId) -> Candidate {
    Candidate { id, exact: true }
}

// Scenes to begin with.

fn creating(terms: Terms) -> Scene {
    Scene::new(order(terms), None)
}

fn following(terms: Terms) -> Scene {
    let mut scene = creating(terms);
    scene.tell(created(snapshot(Status::Starting)));
    scene
}

fn running(terms: Terms) -> Scene {
    let mut scene = following(terms);
    scene.tell(got(snapshot(Status::Processing)));
    scene
}

fn fetching(terms: Terms) -> Scene {
    let mut scene = running(terms);
    scene.tell(got(done()));
    scene
}

/// What another process has made of the entry.
fn entry_of_another(state: State) -> Entry {
    let mut scene = Scene::new(
        Order { claim: Claim { owner: "other".into(), ..order(LIVE).claim }, ..order(LIVE) },
        None,
    );
    match state {
        State::Intended => {}
        State::Created => drop(scene.tell(created(snapshot(Status::Starting)))),
        State::Succeeded => {
            scene.tell(created(snapshot(Status::Starting)));
            scene.tell(got(done()));
            scene.tell(fetched());
        }
        State::Failed => {
            scene.tell(created(broken(Some("(E9828)"))));
        }
        other => panic!("no scene needs {other}"),
    }
    scene.entry.unwrap()
}

#[test]
fn a_prediction_is_claimed_created_asked_for_fetched_and_committed() {
    let mut scene = creating(LIVE);
    let mut story = scene.said.clone();
    for (second, told) in [
        (0, created(snapshot(Status::Starting))),
        (1, got(snapshot(Status::Starting))),
        (2, got(snapshot(Status::Processing))),
        (3, got(done())),
        (4, fetched()),
    ] {
        story += &scene.tell_at(second, told);
    }
    insta::assert_snapshot!(story, @r"
    > commit claim #0
    > create
    > commit created p1 #1
    created p1
    status Starting
    > get p1 after 100ms
    > get p1 after 150ms
    status Processing
    > get p1 after 225ms
    status Succeeded
    > fetch after 0ns
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
    assert_eq!(scene.state(), State::Succeeded);
}

#[test]
fn a_local_prediction_needs_no_id_and_no_polls() {
    let mut scene = creating(Terms::LOCAL);
    let mut story = scene.tell(created(done()));
    story += &scene.tell(fetched());
    insta::assert_snapshot!(story, @r"
    created p1
    status Succeeded
    > fetch after 0ns
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
    assert_eq!(scene.entry.unwrap().prediction, Some(PredictionId("p1".into())));
}

#[test]
fn a_success_tells_a_journal_all_it_needs() {
    let mut scene = fetching(LIVE);
    scene.millis = 9_000;
    let Told::Fetched(answer) = fetched() else { unreachable!() };
    let dos = scene.prediction.handle(Told::Fetched(answer), scene.now());
    let [Do::Commit { claim, ask }] = &dos[..] else { panic!("{dos:?}") };
    let view = View {
        claim,
        owner_alive: true,
        accounts: &[],
        rivals: Rivals::default(),
        wanted: false,
        forgotten: 0,
        now: scene.now(),
    };
    let (verdict, _) = judge(scene.entry.as_ref(), ask, &view);
    let dos = scene.prediction.handle(Told::Verdict(verdict), scene.now());
    let [Do::Finish(finished)] = &dos[..] else { panic!("{dos:?}") };
    assert_eq!(finished.prediction, Some(PredictionId("p1".into())));
    assert_eq!((finished.created, finished.ended), (Some(Timestamp::UNIX_EPOCH), Some(scene.now())));
    assert_eq!((finished.predict_seconds, finished.cost), (Some(1.5), Some(MicroUsd(30_000))));
    assert_eq!((finished.source, finished.claim), (Source::Fresh, 1));
}

#[test]
fn what_no_longer_fits_is_ignored() {
    let mut scene = fetching(LIVE);
    let late = [got(done()), Told::Rested, Told::Changed, created(done()), Told::Verdict(Verdict::Done)];
    let said: String = late.into_iter().map(|told| scene.tell(told)).collect();
    assert_eq!(said, "");
    assert!(scene.tell(fetched()).contains("= succeeded"));
    assert_eq!(scene.tell(Told::Stop), "");
}
