use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::preset::OutputKind;
use jiff::Timestamp;
use proptest::prelude::*;
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

// What the ledger says first.

#[test]
fn what_succeeded_before_is_reused() {
    let scene = Scene::new(order(LIVE), Some(entry_of_another(State::Succeeded)));
    insta::assert_snapshot!(scene.said, @r"
    > commit claim #0
    = succeeded [Reused, 0.03 USD]
    ");
}

#[test]
fn what_another_process_makes_is_waited_for_and_reused() {
    let mut scene =
        Scene::with(order(LIVE), Some(entry_of_another(State::Created)), |scene| scene.others_live = true);
    let mut story = scene.said.clone();
    scene.entry = Some(entry_of_another(State::Succeeded));
    story += &scene.tell(Told::Changed);
    insta::assert_snapshot!(story, @r"
    > commit claim #0
    waiting for the owner
    > wait for the owner
    > commit claim #0
    = succeeded [Reused, 0.03 USD]
    ");
}

#[test]
fn what_a_dead_process_created_is_adopted_and_never_created_again() {
    let mut scene = Scene::new(order(LIVE), Some(entry_of_another(State::Created)));
    let mut story = scene.said.clone();
    story += &scene.tell(got(done()));
    story += &scene.tell(fetched());
    insta::assert_snapshot!(story, @r"
    > commit claim #0
    adopted p1
    > get p1 after 0ns
    status Succeeded
    > fetch after 0ns
    > commit fetched #2
    = succeeded [Adopted, 0.03 USD]
    ");
}

#[test]
fn a_prediction_is_followed_at_the_provider_that_has_it() {
    let mut elsewhere = order(LIVE);
    elsewhere.request = Arc::new(Request { provider: "cometapi".into(), ..(*request()).clone() });
    let (mut prediction, _) = Prediction::start(elsewhere);
    prediction.handle(Told::Prepared(Ok(sent())), Timestamp::UNIX_EPOCH);
    let entry = Box::new(entry_of_another(State::Created));
    let follow = Verdict::Follow { claim: entry.claim.clone(), entry };
    let dos = prediction.handle(Told::Verdict(follow), Timestamp::UNIX_EPOCH);
    assert!(matches!(&dos[1], Do::Get { provider, .. } if provider.to_string() == "studio"), "{dos:?}");
}

#[test]
fn what_a_dead_process_intended_is_in_doubt() {
    let scene = Scene::new(order(LIVE), Some(entry_of_another(State::Intended)));
    insta::assert_snapshot!(scene.said, @r"
    > commit claim #0
    = in doubt: castline ended before it learned whether the request was received [Fresh, 0.04 USD]
    ");
}

#[test]
fn a_reconciliation_ends_in_doubt_for_the_time_being() {
    let mut entry = entry_of_another(State::Intended);
    entry.terms.list = true;
    let scene = Scene::new(order(LIVE), Some(entry));
    insta::assert_snapshot!(scene.said, @r"
    > commit claim #0
    searching at studio
    > search after 0ns
    ");
    assert_eq!(scene.held(), MicroUsd(40_000));
}

#[test]
fn a_failure_that_came_while_it_was_wanted_is_shared() {
    let scene = Scene::new(order(LIVE), Some(entry_of_another(State::Failed)));
    insta::assert_snapshot!(scene.said, @r"
    > commit claim #0
    = failed (Platform): (E9828) [Reused, 0.04 USD]
    ");
    let retry = Scene::new(Order { beyond: 1, ..order(LIVE) }, Some(entry_of_another(State::Failed)));
    insta::assert_snapshot!(retry.said, @r"
    > commit claim beyond 1 #0
    > create
    ");
}

#[test]
fn a_create_that_the_budget_does_not_allow_is_not_sent() {
    let scene = Scene::with(order(LIVE), None, |scene| scene.limit = Some(MicroUsd(10_000)));
    insta::assert_snapshot!(scene.said, @r"
    > commit claim #0
    = refused: up to 0.04 USD are needed and the project's budget of 24 hours has 0.01 USD left: 0.00 USD of 0.01 USD are spent or reserved [Fresh, no cost]
    ");
}

// Creates that fail.

#[test]
fn a_host_that_cannot_be_reached_is_tried_for_a_while_and_nothing_is_spent() {
    let mut scene = creating(LIVE);
    let mut story = String::new();
    for second in [0, 1, 3, 7, 15, 20] {
        story += &scene.tell_at(second, Told::Created(Err(not_sent())));
        story += &scene.tell(Told::Rested);
    }
    insta::assert_snapshot!(story, @r"
    sent again: cannot reach studio:443 (connection refused)
    > commit unsent #1
    > rest 1s
    > commit resend #1
    > create
    sent again: cannot reach studio:443 (connection refused)
    > commit unsent #1
    > rest 2s
    > commit resend #1
    > create
    sent again: cannot reach studio:443 (connection refused)
    > commit unsent #1
    > rest 4s
    > commit resend #1
    > create
    sent again: cannot reach studio:443 (connection refused)
    > commit unsent #1
    > rest 8s
    > commit resend #1
    > create
    sent again: cannot reach studio:443 (connection refused)
    > commit unsent #1
    > rest 15s
    > commit resend #1
    > create
    > commit absent: cannot reach studio:443 (connection refused): nothing was sent and nothing was spent #1
    = failed (Other): cannot reach studio:443 (connection refused): nothing was sent and nothing was spent [Fresh, 0.00 USD]
    ");
    assert_eq!((scene.state(), scene.held()), (State::Aborted, MicroUsd::ZERO));
}

#[test]
fn a_busy_provider_is_asked_again_when_it_says() {
    let mut scene = creating(LIVE);
    let mut story = scene.tell(Told::Created(Err(busy(Some(300)))));
    story += &scene.tell_at(300, Told::Rested);
    story += &scene.tell_at(300, Told::Created(Err(busy(None))));
    story += &scene.tell_at(302, Told::Rested);
    story += &scene.tell_at(302, created(snapshot(Status::Starting)));
    insta::assert_snapshot!(story, @r"
    sent again: throttled
    > commit unsent #1
    > rest 300s
    > commit resend #1
    > create
    sent again: throttled
    > commit unsent #1
    > rest 2s
    > commit resend #1
    > create
    > commit created p1 #1
    created p1
    status Starting
    > get p1 after 100ms
    ");
}

#[test]
fn a_provider_that_is_busy_for_an_hour_is_given_up() {
    let mut scene = creating(LIVE);
    scene.tell(Told::Created(Err(busy(None))));
    scene.tell(Told::Rested);
    insta::assert_snapshot!(scene.tell_at(3_600, Told::Created(Err(busy(None)))), @r"
    > commit absent: the provider took no request for an hour, and nothing was spent: throttled #1
    = failed (Platform): the provider took no request for an hour, and nothing was spent: throttled [Fresh, 0.00 USD]
    ");
    assert_eq!(scene.held(), MicroUsd::ZERO);
}

#[test]
fn a_create_whose_answer_was_lost_is_in_doubt_where_it_costs() {
    insta::assert_snapshot!(creating(LIVE).tell(Told::Created(Err(lost()))), @r"
    > commit unclear: the request was sent and its answer was lost (the answer of studio:443 was lost: connection reset) #1
    = in doubt: the request was sent and its answer was lost (the answer of studio:443 was lost: connection reset) [Fresh, 0.04 USD]
    ");
    let mut scene = creating(LIVE);
    insta::assert_snapshot!(scene.tell(Told::Created(Err(server(false)))), @r"
    > commit unclear: the request was sent and its answer was lost (502 bad gateway) #1
    = in doubt: the request was sent and its answer was lost (502 bad gateway) [Fresh, 0.04 USD]
    ");
    assert_eq!((scene.state(), scene.held()), (State::InDoubt, MicroUsd(40_000)));
}

#[test]
fn a_create_whose_answer_was_lost_is_sent_again_where_it_is_free() {
    let mut scene = creating(FREE);
    let mut story = String::new();
    for _ in 0..6 {
        story += &scene.tell(Told::Created(Err(lost())));
        story += &scene.tell(Told::Rested);
    }
    insta::assert_snapshot!(story, @r"
    sent again: the answer of studio:443 was lost: connection reset
    > commit unsent #1
    > rest 1s
    > commit resend #1
    > create
    sent again: the answer of studio:443 was lost: connection reset
    > commit unsent #1
    > rest 2s
    > commit resend #1
    > create
    sent again: the answer of studio:443 was lost: connection reset
    > commit unsent #1
    > rest 4s
    > commit resend #1
    > create
    sent again: the answer of studio:443 was lost: connection reset
    > commit unsent #1
    > rest 8s
    > commit resend #1
    > create
    sent again: the answer of studio:443 was lost: connection reset
    > commit unsent #1
    > rest 15s
    > commit resend #1
    > create
    > commit failed: the answer of studio:443 was lost: connection reset #1
    = failed (Platform): the answer of studio:443 was lost: connection reset [Fresh, 0.00 USD]
    ");
}

#[test]
fn what_the_provider_refuses_fails_and_its_money_is_released() {
    let mut story = String::new();
    let unreadable = CallFault::BadInput("`image` cannot be sent".into());
    let broken_disk = CallFault::Io("permission denied".into());
    for fault in [422, 401, 402, 413].map(refused).into_iter().chain([
        CallFault::Gone,
        server(true),
        unreadable,
        broken_disk,
    ]) {
        let mut scene = creating(LIVE);
        story += scene.tell(Told::Created(Err(fault))).lines().last().unwrap();
        story += "\n";
        assert_eq!((scene.state(), scene.held()), (State::Failed, MicroUsd::ZERO));
    }
    insta::assert_snapshot!(story, @r"
    = failed (Input): 422: no [Fresh, 0.00 USD]
    = failed (Other): 401: no [Fresh, 0.00 USD]
    = failed (Other): 402: no [Fresh, 0.00 USD]
    = failed (Input): 413: no [Fresh, 0.00 USD]
    = failed (Input): `studio` does not know the model `acme/paint` [Fresh, 0.00 USD]
    = failed (Platform): 502 bad gateway [Fresh, 0.00 USD]
    = failed (Input): `image` cannot be sent [Fresh, 0.00 USD]
    = failed (Other): permission denied [Fresh, 0.00 USD]
    ");
}

// Waiting.

#[test]
fn polls_do_not_fail_a_prediction_before_its_deadline() {
    let mut scene = following(LIVE);
    let mut story = String::new();
    for fault in [not_sent(), lost(), server(false), busy(Some(20)), busy(None)] {
        story += &scene.tell(Told::Got(Err(fault)));
    }
    story += &scene.tell(got(snapshot(Status::Processing)));
    insta::assert_snapshot!(story, @r"
    > get p1 after 500ms
    > get p1 after 1s
    > get p1 after 2s
    > get p1 after 20s
    > get p1 after 8s
    status Processing
    > get p1 after 150ms
    ");
}

#[test]
fn a_known_model_is_first_asked_when_it_may_be_done() {
    let facts = Facts { terms: LIVE, p25: Some(Duration::from_secs(6)) };
    let mut scene = Scene::new(Order { facts, ..order(LIVE) }, None);
    let mut story = scene.tell(created(snapshot(Status::Starting)));
    story += &scene.tell_at(6, got(snapshot(Status::Processing)));
    insta::assert_snapshot!(story, @r"
    > commit created p1 #1
    created p1
    status Starting
    > get p1 after 6s
    status Processing
    > get p1 after 300ms
    ");
}

#[test]
fn a_status_of_a_later_day_is_asked_about_again() {
    let mut scene = following(LIVE);
    insta::assert_snapshot!(scene.tell(got(snapshot(Status::Other("queued-twice".into())))), @r#"
    status Other("queued-twice")
    > get p1 after 150ms
    "#);
}

#[test]
fn a_provider_that_refuses_to_tell_is_left_with_the_prediction() {
    let mut scene = running(LIVE);
    insta::assert_snapshot!(scene.tell(Told::Got(Err(refused(401)))), @r"
    > commit left #1
    = failed (Other): 401: no; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
    let entry = scene.entry.unwrap();
    assert!(entry.claim.owner.is_nobody());
    assert_eq!((entry.state, entry.hold.amount()), (State::Created, MicroUsd(40_000)));
}

#[test]
fn an_id_may_be_unknown_for_a_moment() {
    let mut scene = following(LIVE);
    let mut story = scene.tell(Told::Got(Err(CallFault::Gone)));
    story += &scene.tell(got(snapshot(Status::Starting)));
    insta::assert_snapshot!(story, @r"
    > get p1 after 500ms
    > get p1 after 150ms
    ");
}

#[test]
fn an_id_that_stays_unknown_has_expired() {
    let mut scene = following(LIVE);
    let told = (0..6).map(|_| scene.tell(Told::Got(Err(CallFault::Gone)))).last().unwrap();
    insta::assert_snapshot!(told, @r"
    > commit expired: `studio` does not know the prediction `p1` any more #1
    = expired: `studio` does not know the prediction `p1` any more [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.held(), MicroUsd(40_000));
}

#[test]
fn what_another_account_does_not_know_is_left_for_the_one_that_made_it() {
    let mut entry = following(LIVE).entry.unwrap();
    entry.sent.as_mut().unwrap().account = Some("ours".to_owned());
    entry.claim.owner = OwnerId::nobody();
    let order = Order { account: Some("another".to_owned()), ..order(LIVE) };
    let mut scene = Scene::new(order, Some(entry));
    let told = (0..6).map(|_| scene.tell(Told::Got(Err(CallFault::Gone)))).last().unwrap();
    assert!(told.contains("> commit left") && told.contains("with another token"), "{told}");
    assert_eq!(scene.state(), State::Created);
}

#[test]
fn logs_and_progress_are_reported_as_they_grow() {
    let mut scene = running(LIVE);
    let with_logs =
        |logs: &str| got(Snapshot { logs: Some(logs.to_owned()), ..snapshot(Status::Processing) });
    let mut story = scene.tell(with_logs("seed 4\n 25%|##   | 1/4 [00:01]"));
    story += &scene.tell(with_logs("seed 4\n 25%|##   | 1/4 [00:01]\r 50%|### | 2/4 [00:02]"));
    insta::assert_snapshot!(story, @r#"
    log "seed 4\n 25%|##   | 1/4 [00:01]"
    at 0.25
    > get p1 after 225ms
    log "\r 50%|### | 2/4 [00:02]"
    at 0.5
    > get p1 after 337.5ms
    "#);
}

#[test]
fn a_prediction_that_does_not_start_is_canceled_and_left_where_it_does_not_end() {
    let mut scene = following(LIVE);
    let mut story = scene.tell_at(599, got(snapshot(Status::Starting)));
    story += &scene.tell_at(600, got(snapshot(Status::Starting)));
    story += &scene.tell_at(601, got(snapshot(Status::Starting)));
    story += &scene.tell_at(660, got(snapshot(Status::Starting)));
    insta::assert_snapshot!(story, @r"
    > get p1 after 150ms
    > commit stop #1
    > get p1 after 100ms
    canceling
    > cancel p1
    > get p1 after 100ms
    > get p1 after 150ms
    > commit left #1
    = failed (Timeout): not started after 10 minutes; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
}

#[test]
fn a_prediction_that_runs_too_long_is_canceled_and_has_failed() {
    let mut scene = running(LIVE);
    let mut story = scene.tell_at(1_800, got(snapshot(Status::Processing)));
    story += &scene.tell_at(1_801, got(snapshot(Status::Canceled)));
    insta::assert_snapshot!(story, @r"
    > commit stop #1
    > get p1 after 100ms
    canceling
    > cancel p1
    > get p1 after 100ms
    status Canceled
    > commit failed: still running after 30 minutes #1
    = failed (Timeout): still running after 30 minutes [Fresh, 0.04 USD]
    ");
    assert_eq!((scene.state(), scene.held()), (State::Failed, MicroUsd(40_000)));
}

#[test]
fn a_deadline_passes_while_the_provider_gives_no_answers() {
    let mut scene = running(LIVE);
    let mut story = scene.tell_at(1_800, Told::Got(Err(server(false))));
    story += &scene.tell_at(1_860, Told::Got(Err(server(false))));
    insta::assert_snapshot!(story, @r"
    > commit stop #1
    > get p1 after 100ms
    canceling
    > cancel p1
    > get p1 after 100ms
    > commit left #1
    = failed (Timeout): still running after 30 minutes; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created, "it may have ended well meanwhile");
}

#[test]
fn a_late_prediction_that_others_wait_for_goes_on_for_them() {
    let mut scene = running(LIVE);
    scene.wanted = true;
    insta::assert_snapshot!(scene.tell_at(1_800, got(snapshot(Status::Processing))), @r"
    > commit stop #1
    > get p1 after 100ms
    = failed (Timeout): still running after 30 minutes; another run waits for it and goes on with it [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created);
}

#[test]
fn pitfall_39_a_file_that_stays_incomplete_is_left_for_the_next_run() {
    let mut scene = running(LIVE);
    scene.tell(got(done()));
    let broken = || Told::Fetched(Err(CallFault::incomplete_output("it ended after 40 of 300 MiB")));
    let told = (0..6).map(|_| scene.tell(broken())).last().unwrap();
    assert!(told.contains("> commit left"), "{told}");
    assert_eq!(scene.state(), State::Created);
}

#[test]
fn a_late_prediction_that_cannot_be_canceled_is_given_up() {
    let mut scene = running(NO_CANCEL);
    insta::assert_snapshot!(scene.tell_at(1_800, got(snapshot(Status::Processing))), @r"
    > commit left #1
    = failed (Timeout): still running after 30 minutes; prediction `p1` of `acme/paint` goes on at `studio`, which cannot be told to stop, and is billed: up to 0.04 USD; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
}

#[test]
fn what_cannot_be_stopped_is_looked_at_once_more_and_let_go() {
    let mut scene = running(NO_CANCEL);
    let mut story = scene.tell(Told::Leave);
    story += &scene.tell(got(snapshot(Status::Processing)));
    insta::assert_snapshot!(story, @r"
    > get p1 after 100ms
    > commit left #1
    = canceled: not waited for any more; prediction `p1` of `acme/paint` goes on at `studio`, which cannot be told to stop, and is billed: up to 0.04 USD; run again to pick it up [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created);

    let mut scene = running(NO_CANCEL);
    scene.tell(Told::Leave);
    assert!(scene.tell(got(done())).contains("> fetch"), "what is done is kept");

    let mut scene = creating(NO_CANCEL);
    assert_eq!(scene.tell(Told::Leave), "", "what is on its way is heard first");
    assert!(scene.tell(created(snapshot(Status::Starting))).contains("= canceled: not waited for"));

    let mut scene = running(LIVE);
    assert!(scene.tell(Told::Leave).contains("> cancel p1"), "what can be stopped is");
}

#[test]
fn what_a_dead_process_left_is_stopped_and_never_created() {
    let orphan = |terms: Terms, change: &dyn Fn(&mut Entry)| {
        let mut scene = running(terms);
        let entry = scene.entry.as_mut().unwrap();
        entry.claim.owner = "dead".into();
        change(entry);
        let (prediction, dos) = Prediction::stop_orphan(order(terms));
        let mut scene = Scene { prediction, said: String::new(), ..scene };
        scene.carry_out(dos);
        scene
    };
    let mut scene = orphan(LIVE, &|_| {});
    let mut story = scene.said.clone();
    story += &scene.tell(got(snapshot(Status::Canceled)));
    insta::assert_snapshot!(story, @r"
    > commit claim #0
    adopted p1
    > commit stop #2
    > get p1 after 0ns
    canceling
    > cancel p1
    > get p1 after 100ms
    status Canceled
    > commit canceled: stopped because its outcome is not wanted any more #2
    = canceled: stopped because its outcome is not wanted any more [Adopted, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Canceled);

    // Somebody ended it in between: it would have to be created again, and is not.
    let scene = orphan(LIVE, &|entry| entry.state = State::Canceled);
    assert!(!scene.said.contains("> create") && scene.said.contains("= canceled"), "{}", scene.said);
    assert_eq!(scene.state(), State::Aborted);
}

#[test]
fn a_success_after_the_cancel_is_kept() {
    let mut scene = running(LIVE);
    let mut story = scene.tell(Told::Stop);
    story += &scene.tell(got(done()));
    story += &scene.tell(fetched());
    insta::assert_snapshot!(story, @r"
    > commit stop #1
    canceling
    > cancel p1
    > get p1 after 100ms
    status Succeeded
    > fetch after 0ns
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
}

// How predictions end.

#[test]
fn a_failed_prediction_says_why_and_keeps_its_reservation() {
    let mut scene = running(LIVE);
    insta::assert_snapshot!(scene.tell(got(broken(Some("flagged as sensitive (E005)")))), @r#"
    status Failed
    log "step 1\nstep 2\n"
    > commit failed: flagged as sensitive (e005) #1
    = failed (Moderation): flagged as sensitive (E005) [Fresh, 0.04 USD]
    "#);
    let entry = scene.entry.unwrap();
    assert_eq!(entry.hold.settled, Some(MicroUsd(40_000)));
    assert_eq!(entry.failure.unwrap().logs.as_deref(), Some("step 1\nstep 2"));
}

#[test]
fn a_prediction_that_fails_without_a_reason_shows_its_log() {
    let mut scene = running(LIVE);
    let story = scene.tell(got(broken(None)));
    assert!(story.contains("= failed (Other): failed without a reason"), "{story}");
    assert_eq!(scene.entry.unwrap().failure.unwrap().logs.as_deref(), Some("step 1\nstep 2"));
}

#[test]
fn a_prediction_that_was_stopped_elsewhere_is_canceled() {
    insta::assert_snapshot!(running(LIVE).tell(got(snapshot(Status::Canceled))), @r"
    status Canceled
    > commit canceled: it was canceled at the provider #1
    = canceled: it was canceled at the provider [Fresh, 0.04 USD]
    ");
    insta::assert_snapshot!(following(LIVE).tell(got(snapshot(Status::Aborted))), @r"
    status Aborted
    > commit aborted: the provider dropped it before it started #1
    = canceled: the provider dropped it before it started [Fresh, 0.00 USD]
    ");
}

#[test]
fn a_success_without_an_output_has_failed_or_expired() {
    let removed = Snapshot { data_removed: true, ..snapshot(Status::Succeeded) };
    insta::assert_snapshot!(running(LIVE).tell(got(snapshot(Status::Succeeded))), @r"
    status Succeeded
    > commit failed: it succeeded without an output #1
    = failed (Output): it succeeded without an output [Fresh, 0.04 USD]
    ");
    insta::assert_snapshot!(running(LIVE).tell(got(removed)), @r"
    status Succeeded
    > commit expired: it succeeded, and the provider has deleted its output since #1
    = expired: it succeeded, and the provider has deleted its output since [Fresh, 0.04 USD]
    ");
    let mut adopted = Scene::new(order(LIVE), Some(entry_of_another(State::Created)));
    insta::assert_snapshot!(adopted.tell_at(3_600, got(snapshot(Status::Succeeded))), @r"
    status Succeeded
    > commit expired: it succeeded, and the provider has deleted its output since #2
    = expired: it succeeded, and the provider has deleted its output since [Adopted, 0.04 USD]
    ");
}

#[test]
fn a_provider_that_cannot_be_asked_must_be_done_at_once() {
    let mut scene = creating(Terms::LOCAL);
    insta::assert_snapshot!(scene.tell(created(snapshot(Status::Processing))), @r"
    created p1
    status Processing
    > commit failed: the provider answered before it was done, and cannot be asked again #1
    = failed (Platform): the provider answered before it was done, and cannot be asked again [Fresh, 0.00 USD]
    ");
}

// Fetching.

#[test]
fn a_file_that_cannot_be_fetched_is_tried_again_and_then_left_for_the_next_run() {
    let mut scene = fetching(LIVE);
    let mut story = String::new();
    for _ in 0..6 {
        story += &scene.tell(Told::Fetched(Err(lost())));
    }
    insta::assert_snapshot!(story, @r"
    fetched again: the answer of studio:443 was lost: connection reset
    > fetch after 500ms
    fetched again: the answer of studio:443 was lost: connection reset
    > fetch after 1s
    fetched again: the answer of studio:443 was lost: connection reset
    > fetch after 2s
    fetched again: the answer of studio:443 was lost: connection reset
    > fetch after 4s
    fetched again: the answer of studio:443 was lost: connection reset
    > fetch after 8s
    > commit left #1
    = failed (Output): its files cannot be fetched: the answer of studio:443 was lost: connection reset; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created);
}

#[test]
fn a_file_that_comes_at_last_is_kept() {
    let mut scene = fetching(LIVE);
    let mut story = scene.tell(Told::Fetched(Err(busy(Some(7)))));
    story += &scene.tell(fetched());
    insta::assert_snapshot!(story, @r"
    fetched again: throttled
    > fetch after 7s
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
}

#[test]
fn a_file_that_is_gone_has_expired() {
    let mut scene = fetching(LIVE);
    let told = (0..6).map(|_| scene.tell(Told::Fetched(Err(CallFault::Gone)))).last().unwrap();
    insta::assert_snapshot!(told, @r"
    > commit expired: it succeeded, and its files are no longer at the provider #1
    = expired: it succeeded, and its files are no longer at the provider [Fresh, 0.04 USD]
    ");
}

#[test]
fn a_file_that_is_no_picture_fails_at_once() {
    let bad =
        CallFault::BadOutput { message: "the model gave text/html instead of an image".into(), retry: false };
    let mut scene = fetching(LIVE);
    insta::assert_snapshot!(scene.tell(Told::Fetched(Err(bad))), @r"
    > commit failed: the model gave text/html instead of an image #1
    = failed (Output): the model gave text/html instead of an image [Fresh, 0.04 USD]
    ");
    assert_eq!((scene.state(), scene.held()), (State::Failed, MicroUsd(40_000)));
}

#[test]
fn a_file_that_cannot_be_stored_is_left_at_the_provider() {
    let mut scene = fetching(LIVE);
    insta::assert_snapshot!(scene.tell(Told::Fetched(Err(CallFault::Io("no space left".into())))), @r"
    > commit left #1
    = failed (Other): its files cannot be stored: no space left; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created);
}

#[test]
fn a_local_file_that_is_gone_fails() {
    let mut scene = creating(Terms::LOCAL);
    scene.tell(created(done()));
    let full = CallFault::Io("no space left".into());
    insta::assert_snapshot!(scene.tell(Told::Fetched(Err(full))), @r"
    > commit failed: its files cannot be stored: no space left #1
    = failed (Other): its files cannot be stored: no space left [Fresh, 0.00 USD]
    ");
}

// Stopping.

#[test]
fn a_stop_before_the_create_sends_nothing() {
    let mut scene = Scene::with(order(LIVE), None, |scene| scene.slow = Some(vec![]));
    let mut story = scene.tell(Told::Stop);
    story += &scene.flush();
    insta::assert_snapshot!(story, @r"
    > commit absent: stopped because its outcome is not wanted any more #1
    = canceled: stopped because its outcome is not wanted any more [Fresh, 0.00 USD]
    ");
    let mut resting = creating(LIVE);
    resting.tell(Told::Created(Err(busy(None))));
    insta::assert_snapshot!(resting.tell(Told::Stop), @r"
    > commit absent: stopped because its outcome is not wanted any more #1
    = canceled: stopped because its outcome is not wanted any more [Fresh, 0.00 USD]
    ");
}

#[test]
fn a_stop_while_another_process_is_at_it_ends_the_wait() {
    let mut scene =
        Scene::with(order(LIVE), Some(entry_of_another(State::Created)), |scene| scene.others_live = true);
    insta::assert_snapshot!(scene.tell(Told::Stop), @r"
    > commit unwanted #0
    = canceled: stopped because its outcome is not wanted any more [Fresh, no cost]
    ");
}

#[test]
fn a_stop_during_the_create_waits_for_its_answer() {
    let mut accepted = creating(LIVE);
    let mut story = accepted.tell(Told::Stop);
    story += &accepted.tell(created(snapshot(Status::Starting)));
    story += &accepted.tell(got(snapshot(Status::Aborted)));
    insta::assert_snapshot!(story, @r"
    > commit created p1 #1
    created p1
    status Starting
    > get p1 after 100ms
    > commit stop #1
    > get p1 after 100ms
    canceling
    > cancel p1
    > get p1 after 100ms
    status Aborted
    > commit aborted: stopped because its outcome is not wanted any more #1
    = canceled: stopped because its outcome is not wanted any more [Fresh, 0.00 USD]
    ");
    let mut unreached = creating(LIVE);
    unreached.tell(Told::Stop);
    insta::assert_snapshot!(unreached.tell(Told::Created(Err(not_sent()))), @r"
    > commit absent: stopped because its outcome is not wanted any more #1
    = canceled: stopped because its outcome is not wanted any more [Fresh, 0.00 USD]
    ");
}

#[test]
fn a_stopped_prediction_is_canceled_and_followed_to_its_end() {
    let mut scene = running(LIVE);
    let mut story = scene.tell(Told::Stop);
    story += &scene.tell(got(snapshot(Status::Processing)));
    story += &scene.tell(Told::Stop);
    story += &scene.tell(got(snapshot(Status::Canceled)));
    insta::assert_snapshot!(story, @r"
    > commit stop #1
    canceling
    > cancel p1
    > get p1 after 100ms
    > get p1 after 150ms
    status Canceled
    > commit canceled: stopped because its outcome is not wanted any more #1
    = canceled: stopped because its outcome is not wanted any more [Fresh, 0.04 USD]
    ");
}

#[test]
fn a_stopped_prediction_that_never_ends_is_let_go() {
    let mut scene = running(LIVE);
    scene.tell(Told::Stop);
    insta::assert_snapshot!(scene.tell_at(60, got(snapshot(Status::Processing))), @r"
    > commit left #1
    = canceled: stopped because its outcome is not wanted any more; the provider did not say that it did [Fresh, 0.04 USD]
    ");
}

#[test]
fn a_prediction_that_cannot_be_canceled_is_awaited() {
    let mut scene = running(NO_CANCEL);
    assert_eq!(scene.tell(Told::Stop), "");
    insta::assert_snapshot!(scene.tell(got(snapshot(Status::Processing))), @"> get p1 after 225ms");
}

#[test]
fn what_is_paid_is_fetched_even_after_a_stop() {
    let mut scene = fetching(LIVE);
    assert_eq!(scene.tell(Told::Stop), "");
    insta::assert_snapshot!(scene.tell(fetched()), @r"
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
}

// A slow ledger.

#[test]
fn polling_begins_before_the_id_is_flushed_and_the_cancel_waits_for_it() {
    let mut scene = creating(LIVE);
    scene.slow = Some(vec![]);
    let mut story = scene.tell(created(snapshot(Status::Starting)));
    story += &scene.tell(Told::Stop);
    story += "flushed\n";
    story += &scene.flush();
    insta::assert_snapshot!(story, @r"
    > commit created p1 #1
    created p1
    status Starting
    > get p1 after 100ms
    flushed
    > commit stop #1
    > get p1 after 100ms
    canceling
    > cancel p1
    > get p1 after 100ms
    ");
}

#[test]
fn the_end_waits_until_the_id_is_flushed() {
    let mut scene = creating(LIVE);
    scene.slow = Some(vec![]);
    let mut story = scene.tell(created(done()));
    story += &scene.tell(fetched());
    story += "flushed\n";
    story += &scene.flush();
    insta::assert_snapshot!(story, @r"
    > commit created p1 #1
    created p1
    status Succeeded
    > fetch after 0ns
    flushed
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
}

#[test]
fn an_entry_that_has_moved_on_is_asked_about_anew() {
    let mut scene = fetching(LIVE);
    scene.entry = Some(entry_of_another(State::Succeeded));
    insta::assert_snapshot!(scene.tell(fetched()), @r"
    > commit fetched #1
    > commit claim #0
    = succeeded [Reused, 0.03 USD]
    ");
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

#[test]
fn times_are_learned_from_three_predictions_on() {
    assert_eq!(learned(&[1.0, 2.0]), None);
    assert_eq!(learned(&[4.0, f64::NAN, 1.0, 2.0]), Some(Duration::from_secs(1)));
    assert_eq!(learned(&[5.0, 4.0, 3.0, 2.0, 1.0]), Some(Duration::from_secs(2)));
}

// A lost create is looked for.

/// The answer to a create at a provider with a list was lost.
fn lost_create() -> Scene {
    let mut scene = creating(LISTS);
    let told = scene.tell(Told::Created(Err(lost())));
    insta::allow_duplicates! {
        insta::assert_snapshot!(told, @r"
        > commit unclear: the request was sent and its answer was lost (the answer of studio:443 was lost: connection reset) #1
        searching at studio
        > search after 0ns
        ");
    }
    scene
}

fn in_list(ids: &[&str]) -> Told {
    let candidates = ids.iter().map(|id| exact(PredictionId((*id).to_owned()))).collect();
    Told::Searched(Ok(Found { candidates, incomplete: None }))
}

fn exact(id: PredictionId) -> Candidate {
    Candidate { id, exact: true }
}

/// A list that does not show the files of what is in it.
fn in_list_without_files(ids: &[&str]) -> Told {
    let hidden = |id: &&str| Candidate { id: PredictionId((*id).to_owned()), exact: false };
    Told::Searched(Ok(Found { candidates: ids.iter().map(hidden).collect(), incomplete: None }))
}

#[test]
fn pitfall_1_a_lost_create_that_is_listed_is_adopted() {
    let mut scene = lost_create();
    insta::assert_snapshot!(scene.tell_at(1, in_list(&["p1"])), @r"
    > commit found p1 #1
    adopted p1
    > get p1 after 0ns
    ");
    assert!(scene.tell_at(2, got(done())).contains("> fetch"));
    insta::assert_snapshot!(scene.tell(fetched()), @r"
    > commit fetched #1
    = succeeded [Adopted, 0.03 USD]
    ");
}

#[test]
fn a_lost_create_is_absent_after_two_readings_past_the_lag() {
    let mut scene = lost_create();
    assert!(scene.tell_at(1, in_list(&[])).contains("> search after 5s"));
    assert!(scene.tell_at(58, in_list(&[])).contains("> search after 2s"));
    assert!(scene.tell_at(60, in_list(&[])).contains("> search after 5s"));
    insta::assert_snapshot!(scene.tell_at(65, in_list(&[])), @r"
    > commit unsent #1
    > rest 0ns
    ");
    insta::assert_snapshot!(scene.tell(Told::Rested), @r"
    > commit resend #1
    > create
    ");
    assert_eq!(scene.held(), MicroUsd(40_000));
}

#[test]
fn a_prediction_of_another_entry_is_not_taken() {
    let mut scene = lost_create();
    scene.taken = vec![PredictionId("p0".into())];
    insta::assert_snapshot!(scene.tell_at(1, in_list(&["p0", "p1"])), @r"
    > commit found p0 #1
    > commit found p1 #1
    adopted p1
    > get p1 after 0ns
    ");
}

#[test]
fn whoever_waits_for_an_answer_hears_it_before_a_search_takes_it() {
    let mut scene = lost_create();
    scene.rivals.in_flight = true;
    insta::assert_snapshot!(scene.tell_at(1, in_list(&["p1"])), @r"
    > commit found p1 #1
    > search after 5s
    ");
    scene.rivals = Rivals::default();
    scene.taken = vec![PredictionId("p1".into())];
    assert!(scene.tell_at(6, in_list(&["p1"])).ends_with("> search after 5s\n"), "it was the other's");
}

#[test]
fn requests_that_differ_in_hidden_files_are_not_told_apart_by_chance() {
    let mut scene = lost_create();
    scene.rivals.ambiguous = true;
    insta::assert_snapshot!(scene.tell_at(1, in_list_without_files(&["p1", "p2"])), @r"
    > commit found p1 or p2 #1
    = in doubt: the provider cannot tell whether it was received (its list hides the files that tell lost requests apart) [Fresh, 0.04 USD]
    ");
    let mut alone = lost_create();
    assert!(alone.tell_at(1, in_list_without_files(&["p1"])).contains("adopted p1"));
    let mut shown = lost_create();
    shown.rivals.ambiguous = true;
    assert!(shown.tell_at(1, in_list(&["p1"])).contains("adopted p1"), "nothing is hidden");
}

#[test]
fn what_others_hold_does_not_make_a_list_complete() {
    let mut scene = lost_create();
    scene.taken = vec![PredictionId("p0".into())];
    let told = || {
        let candidates = vec![exact(PredictionId("p0".into()))];
        Told::Searched(Ok(Found { candidates, incomplete: Some("the input of `p1` was deleted".to_owned()) }))
    };
    assert!(scene.tell_at(1, told()).contains("> search after 5s"));
    assert!(scene.tell_at(61, told()).contains("in doubt"));
}

#[test]
fn a_list_that_proves_nothing_leaves_it_in_doubt() {
    let mut scene = lost_create();
    let unclear = || Found { candidates: vec![], incomplete: Some("some have no input".to_owned()) };
    assert!(scene.tell_at(1, Told::Searched(Ok(unclear()))).contains("> search after 5s"));
    insta::assert_snapshot!(scene.tell_at(61, Told::Searched(Ok(unclear()))), @r"
    > commit unclear: the provider cannot tell whether it was received (some have no input) #1
    = in doubt: the provider cannot tell whether it was received (some have no input) [Fresh, 0.04 USD]
    ");
    assert_eq!((scene.state(), scene.held()), (State::InDoubt, MicroUsd(40_000)));
}

#[test]
fn a_list_that_cannot_be_read_is_tried_for_ten_minutes() {
    let mut scene = lost_create();
    assert!(scene.tell_at(1, Told::Searched(Err(server(false)))).contains("> search after 1s"));
    assert!(scene.tell_at(600, Told::Searched(Err(busy(Some(9))))).contains("> search after 9s"));
    assert!(scene.tell_at(661, Told::Searched(Err(server(false)))).contains("= in doubt"));
}

#[test]
fn a_search_that_is_stopped_is_taken_up_again_later() {
    let mut scene = lost_create();
    assert!(scene.tell_at(1, Told::Stop).contains("= in doubt: the provider cannot tell"));
    let again = Scene::new(order(LISTS), scene.entry.clone());
    assert!(again.said.contains("> search after 0ns"), "{}", again.said);
}

#[test]
fn a_project_may_say_that_what_is_lost_is_created_again() {
    let mut scene = Scene::new(Order { retry_lost: true, ..order(LIVE) }, None);
    insta::assert_snapshot!(scene.tell(Told::Created(Err(lost()))), @r"
    > commit unclear: the request was sent and its answer was lost (the answer of studio:443 was lost: connection reset) #1
    > commit ruled #1
    > commit claim #0
    > create
    ");
    assert_eq!(scene.entry.as_ref().unwrap().claim.number, 3);
}

#[test]
fn what_was_refused_for_now_is_never_in_doubt() {
    let mut scene = creating(LIVE);
    scene.tell(Told::Created(Err(busy(Some(30)))));
    assert!(scene.entry.as_ref().unwrap().unsent);
    // Its process dies in the rest; whoever comes next creates it.
    let dead =
        scene.entry.clone().map(|entry| Entry { claim: Claim { owner: "x".into(), ..entry.claim }, ..entry });
    let next = Scene::new(order(LIVE), dead);
    insta::assert_snapshot!(next.said, @r"
    > commit claim #0
    > commit claim #0
    > create
    ");
}

#[test]
fn an_upload_that_fails_is_tried_again_and_nothing_is_reserved() {
    let mut scene = Scene::with(order(LIVE), None, |scene| scene.unprepared = true);
    assert!(scene.tell(Told::Prepared(Err(lost()))).contains("> rest 1s"));
    assert!(scene.tell(Told::Rested).contains("> prepare"));
    insta::assert_snapshot!(scene.tell(Told::Prepared(Err(CallFault::BadInput("too large".into())))), @"= failed (Input): too large [Fresh, no cost]");
    assert_eq!(scene.entry, None);
}

#[test]
fn what_another_process_waits_for_is_not_stopped() {
    let mut scene = creating(LIVE);
    scene.tell(created(snapshot(Status::Processing)));
    scene.wanted = true;
    insta::assert_snapshot!(scene.tell(Told::Stop), @r"
    > commit stop #1
    = canceled: another run waits for it and goes on with it [Fresh, 0.04 USD]
    ");
    assert_eq!(scene.state(), State::Created);
}

// Anything may be answered.

fn any_status() -> impl Strategy<Value = Snapshot> {
    let running = [Status::Starting, Status::Processing, Status::Other("warming".into())];
    prop_oneof![
        4 => proptest::sample::select(running.to_vec()).prop_map(snapshot),
        2 => Just(done()),
        1 => proptest::sample::select(vec![Status::Succeeded, Status::Canceled, Status::Aborted]).prop_map(snapshot),
        1 => Just(broken(Some("no"))),
    ]
}

fn any_fault() -> impl Strategy<Value = CallFault> {
    proptest::sample::select(vec![
        not_sent(),
        lost(),
        server(false),
        server(true),
        busy(None),
        busy(Some(5)),
        refused(401),
        refused(422),
        CallFault::Gone,
        CallFault::BadOutput { message: "short".into(), retry: true },
        CallFault::BadInput("no".into()),
        CallFault::Io("full".into()),
    ])
}

fn any_answer() -> impl Strategy<Value = (Result<Snapshot, CallFault>, u16, bool)> {
    let answer = prop_oneof![any_status().prop_map(Ok), any_fault().prop_map(Err)];
    (answer, 0..400u16, proptest::bool::weighted(0.05))
}

/// A list in which nothing, something, or nothing for sure is found.
fn listed(snapshot: Snapshot) -> Found {
    match snapshot.status {
        Status::Succeeded => Found { candidates: vec![exact(snapshot.id)], incomplete: None },
        Status::Failed => Found { candidates: vec![], incomplete: Some("it is too long".to_owned()) },
        _ => Found { candidates: vec![], incomplete: None },
    }
}

/// What a driver has going on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Going {
    Create,
    Search,
    Get,
    Fetch,
    Rest,
    Wait,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_answered_a_prediction_goes_on_or_ends_and_creates_only_what_it_may(
        terms in proptest::sample::select(vec![LIVE, LISTS, FREE, NO_CANCEL, Terms::LOCAL]),
        answers in proptest::collection::vec(any_answer(), 1..200),
    ) {
        let mut scene = creating(terms);
        let mut going = Some(Going::Create);
        for (answer, seconds, stop) in answers {
            scene.millis += i64::from(seconds) * 1_000;
            let told = match (stop, going) {
                (_, None) => break,
                (true, _) if seconds % 2 == 0 => Told::Stop,
                (true, _) => Told::Leave,
                (_, Some(Going::Create)) => Told::Created(answer.clone()),
                (_, Some(Going::Get)) => Told::Got(answer.clone()),
                (_, Some(Going::Fetch)) => match answer.clone() {
                    Ok(_) => fetched(),
                    Err(fault) => Told::Fetched(Err(fault)),
                },
                (_, Some(Going::Search)) => Told::Searched(answer.clone().map(listed)),
                (_, Some(Going::Rest)) => Told::Rested,
                (_, Some(Going::Wait)) => Told::Changed,
            };
            let received = matches!(told, Told::Created(Ok(_) | Err(CallFault::Lost { .. })));
            let said = scene.tell(told);
            going = next(going, &said, stop);
            prop_assert!(!(terms.bills && received && said.contains("> create")), "paid twice: {}", said);
            let ended = said.lines().any(|line| line.starts_with("= "));
            prop_assert_eq!(ended, going.is_none(), "{}", said);
            if ended {
                prop_assert!(!scene.state().is_open() || scene.entry.as_ref().unwrap().claim.owner.is_nobody());
            }
        }
    }
}

/// What goes on after something was said: a stop alone changes nothing.
fn next(going: Option<Going>, said: &str, stopped: bool) -> Option<Going> {
    let mut next = if stopped { going } else { None };
    for line in said.lines() {
        next = match line.split_whitespace().take(2).collect::<Vec<_>>()[..] {
            [">", "create"] => Some(Going::Create),
            [">", "search"] => Some(Going::Search),
            [">", "get"] => Some(Going::Get),
            [">", "fetch"] => Some(Going::Fetch),
            [">", "rest"] => Some(Going::Rest),
            [">", "wait"] => Some(Going::Wait),
            ["=", ..] => None,
            _ => next,
        };
    }
    next
}

#[test]
fn pitfall_54_a_bar_that_leaked_from_another_prediction_is_no_progress() {
    let told = |terms: Terms, logs: &str| {
        running(terms).tell(got(Snapshot { logs: Some(logs.to_owned()), ..snapshot(Status::Processing) }))
    };
    let leaked = "100%|####| 4/4 [00:02]\n";
    let shared = Terms { remote: false, bills: false, ..LIVE };
    assert!(!told(shared, leaked).contains("at 1"), "{}", told(shared, leaked));
    assert!(told(shared, &format!("{leaked} 25%|#   | 1/4 [00:01]")).contains("at 0.25"));
    assert!(told(LIVE, leaked).contains("at 1"), "everybody has a log of their own there");
}

#[test]
fn what_another_run_intended_is_created_with_the_money_of_this_one() {
    let mut entry = lost_create().entry.unwrap();
    entry.claim.owner = OwnerId::nobody();
    entry.made_by = RunId::from("another");
    let mut scene = Scene::new(order(LISTS), Some(entry));
    scene.tell_at(1, in_list(&[]));
    scene.tell_at(100, in_list(&[]));
    scene.tell_at(110, in_list(&[]));
    let told = scene.tell_at(120, in_list(&[]));
    assert!(told.contains("> commit absent: it was never received"), "{told}");
    assert!(told.contains("> commit claim"), "with an account of its own: {told}");
}

#[test]
fn what_was_created_at_other_prices_costs_what_was_reserved() {
    let mut entry = following(LIVE).entry.unwrap();
    entry.claim.owner = OwnerId::nobody();
    entry.hold.reserved = Some(MicroUsd(20_000));
    let mut scene = Scene::new(order(LIVE), Some(entry));
    scene.tell(got(done()));
    scene.tell(fetched());
    assert_eq!((scene.state(), scene.held()), (State::Succeeded, MicroUsd(20_000)));
}
