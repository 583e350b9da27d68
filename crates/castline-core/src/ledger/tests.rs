use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use castline_spec::preset::OutputKind;
use indexmap::IndexMap;
use jiff::Timestamp;
use proptest::prelude::*;

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

#[test]
fn what_was_never_asked_is_created() {
    let (verdict, entry) = ask(None, &wish(LIVE), &claim_of("a"), false);
    let entry = entry.unwrap();
    assert_eq!(verdict, Verdict::Create(entry.claim.clone()));
    assert_eq!((entry.state, entry.claim.number), (State::Intended, 1));
    assert_eq!(entry.hold.reserved, Some(MicroUsd(40_000)));
}

#[test]
fn another_caller_waits_for_a_living_owner() {
    insta::assert_snapshot!(table(&wish(LIVE), LIVE, true, stranger), @r"
    intended: wait
    created: wait
    succeeded: reuse
    failed: ended
    canceled: create, then intended of b #2
    aborted: create, then intended of b #2
    expired: ended
    in-doubt: doubt
    ");
}

#[test]
fn another_caller_takes_over_from_a_dead_owner() {
    insta::assert_snapshot!(table(&wish(LIVE), LIVE, false, stranger), @r"
    intended: doubt, then in-doubt of a #1
    created: follow, then created of b #2
    succeeded: reuse
    failed: ended
    canceled: create, then intended of b #2
    aborted: create, then intended of b #2
    expired: ended
    in-doubt: doubt
    ");
}

#[test]
fn a_lost_intent_is_reconciled_where_the_provider_can_list() {
    insta::assert_snapshot!(table(&wish(LISTS), LISTS, false, stranger), @r"
    intended: reconcile, then intended of b #2
    created: follow, then created of b #2
    succeeded: reuse
    failed: ended
    canceled: create, then intended of b #2
    aborted: create, then intended of b #2
    expired: ended
    in-doubt: reconcile, then intended of b #2
    ");
}

#[test]
fn a_lost_intent_that_costs_nothing_is_created_again() {
    insta::assert_snapshot!(table(&wish(Terms::LOCAL), Terms::LOCAL, false, stranger), @r"
    intended: create, then intended of b #2
    created: create, then intended of b #2
    succeeded: reuse
    failed: ended
    canceled: create, then intended of b #2
    aborted: create, then intended of b #2
    expired: ended
    in-doubt: doubt
    ");
}

#[test]
fn a_lost_prediction_is_in_doubt_where_it_cannot_be_asked_for() {
    insta::assert_snapshot!(table(&wish(BLIND), BLIND, false, stranger), @r"
    intended: doubt, then in-doubt of a #1
    created: doubt, then in-doubt of a #1
    succeeded: reuse
    failed: ended
    canceled: create, then intended of b #2
    aborted: create, then intended of b #2
    expired: ended
    in-doubt: doubt
    ");
}

#[test]
fn an_id_is_noted_while_the_create_is_open() {
    insta::assert_snapshot!(table(&Ask::Created(PredictionId("p2".into())), LIVE, true, owner), @r"
    intended: follow, then created of a #1
    created: stale
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: follow, then created of a #1
    ");
}

#[test]
fn only_an_intent_can_turn_out_absent() {
    insta::assert_snapshot!(table(&Ask::Absent(failure()), LIVE, true, owner), @r"
    intended: ended, then aborted of a #1
    created: stale
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn only_an_intent_can_become_unclear() {
    insta::assert_snapshot!(table(&Ask::Unclear(Why::OwnerDied), LIVE, true, owner), @r"
    intended: doubt, then in-doubt of a #1
    created: stale
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn only_what_is_open_can_end() {
    insta::assert_snapshot!(table(&ending(EndState::Expired), LIVE, true, owner), @r"
    intended: ended, then expired of a #1
    created: ended, then expired of a #1
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn only_what_is_open_can_succeed() {
    insta::assert_snapshot!(table(&arrival(None), LIVE, true, owner), @r"
    intended: reuse, then succeeded of a #1
    created: reuse, then succeeded of a #1
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn only_a_created_prediction_can_be_left_to_others() {
    insta::assert_snapshot!(table(&Ask::Left, LIVE, true, owner), @r"
    intended: stale
    created: done, then created of nobody #1
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn only_a_success_can_lose_its_files() {
    insta::assert_snapshot!(table(&Ask::Missing, LIVE, true, owner), @r"
    intended: stale
    created: stale
    succeeded: done, then created of nobody #1
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
    insta::assert_snapshot!(table(&Ask::Missing, BLIND, true, owner), @r"
    intended: stale
    created: stale
    succeeded: done, then expired of nobody #1
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
    insta::assert_snapshot!(table(&Ask::Missing, Terms::LOCAL, true, owner), @r"
    intended: stale
    created: stale
    succeeded: done, then aborted of nobody #1
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: stale
    ");
}

#[test]
fn a_person_adopts_what_is_lost() {
    insta::assert_snapshot!(table(&Ask::Ruled(Ruling::Adopt(PredictionId("p9".into()))), LIVE, false, stranger), @r"
    intended: done, then created of nobody #2
    created: stale
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: done, then created of nobody #2
    in-doubt: done, then created of nobody #2
    ");
}

#[test]
fn a_person_forgives_what_is_lost() {
    insta::assert_snapshot!(table(&Ask::Ruled(Ruling::Forgive), LIVE, false, stranger), @r"
    intended: done, then aborted of nobody #2
    created: stale
    succeeded: stale
    failed: stale
    canceled: stale
    aborted: stale
    expired: stale
    in-doubt: done, then aborted of nobody #2
    ");
}

#[test]
fn a_person_has_anything_but_a_success_created_again() {
    insta::assert_snapshot!(table(&Ask::Ruled(Ruling::Retry), LIVE, false, stranger), @r"
    intended: done, then failed of nobody #2
    created: done, then failed of nobody #2
    succeeded: stale
    failed: done, then failed of nobody #2
    canceled: done, then failed of nobody #2
    aborted: done, then failed of nobody #2
    expired: done, then failed of nobody #2
    in-doubt: done, then failed of nobody #2
    ");
}

#[test]
fn nobody_rules_over_a_living_owner() {
    insta::assert_snapshot!(table(&Ask::Ruled(Ruling::Retry), LIVE, true, stranger), @r"
    intended: wait
    created: wait
    succeeded: stale
    failed: done, then failed of nobody #2
    canceled: done, then failed of nobody #2
    aborted: done, then failed of nobody #2
    expired: done, then failed of nobody #2
    in-doubt: done, then failed of nobody #2
    ");
}

#[test]
fn whoever_was_replaced_has_no_say() {
    let asks = [
        Ask::Created(PredictionId("p2".into())),
        Ask::Absent(failure()),
        Ask::Unclear(Why::OwnerDied),
        ending(EndState::Failed),
        arrival(None),
        Ask::Left,
    ];
    for state in State::ALL {
        let entry = entry_in(state, LIVE);
        for told in &asks {
            let former = entry.claim.numbered(entry.claim.number - 1);
            let other = Claim { owner: "b".into(), ..entry.claim.clone() };
            for claim in [former, other] {
                assert_eq!(ask(Some(&entry), told, &claim, true), (Verdict::Stale, None));
            }
            assert_eq!(ask(None, told, &entry.claim, true), (Verdict::Stale, None));
        }
    }
}

#[test]
fn an_adopted_prediction_stays_on_the_account_that_created_it() {
    let entry = entry_in(State::Created, LIVE);
    let other = Claim::new("b".into(), "run-2".into(), vec![Account::Run("run-2".into())]);
    let (verdict, after) = ask(Some(&entry), &wish(LIVE), &other, false);
    let after = after.unwrap();
    assert_eq!(verdict, Verdict::Follow { claim: other.numbered(2), entry: Box::new(after.clone()) });
    assert_eq!((after.hold.clone(), after.made_by.clone()), (entry.hold, "run-1".into()));
}

#[test]
fn a_failure_of_this_run_is_shared_and_an_old_one_is_not() {
    let failed = entry_in(State::Failed, LIVE);
    let wish = |since, beyond| Ask::Claim {
        request: request(Some(4)),
        terms: LIVE,
        since: at(since),
        beyond,
        sent: None,
    };
    let verdict = |told: &Ask| word(&ask(Some(&failed), told, &claim_of("b"), false).0);
    assert_eq!(verdict(&wish(100, 0)), "ended");
    assert_eq!(verdict(&wish(101, 0)), "create");
    // A retry overcomes the failure that it has seen, and shares one that came after.
    assert_eq!(verdict(&wish(0, 1)), "create");
    let again = Entry { claim: failed.claim.numbered(2), ..failed.clone() };
    assert_eq!(word(&ask(Some(&again), &wish(0, 1), &claim_of("b"), false).0), "ended");
}

#[test]
fn an_expired_prediction_is_created_again_only_by_who_knows() {
    let expired = entry_in(State::Expired, LIVE);
    let wish =
        |beyond| Ask::Claim { request: request(Some(4)), terms: LIVE, since: at(1_000), beyond, sent: None };
    assert_eq!(word(&ask(Some(&expired), &wish(0), &claim_of("b"), false).0), "ended");
    assert_eq!(word(&ask(Some(&expired), &wish(1), &claim_of("b"), false).0), "create");
    let ruled = ask(Some(&expired), &Ask::Ruled(Ruling::Retry), &claim_of("b"), false).1.unwrap();
    assert_eq!(word(&ask(Some(&ruled), &wish(0), &claim_of("b"), false).0), "create");
}

#[test]
fn an_entry_is_judged_by_its_own_provider() {
    let lost = entry_in(State::Intended, LIVE);
    let (verdict, after) = ask(Some(&lost), &wish(Terms::LOCAL), &claim_of("b"), false);
    assert_eq!((word(&verdict), after.unwrap().state), ("doubt", State::InDoubt));
}

#[test]
fn a_lost_intent_remembers_since_when_it_is_an_orphan() {
    let lost = entry_in(State::Intended, LISTS);
    let later = |entry: &Entry, now| {
        let claim = claim_of("b");
        judge(
            Some(entry),
            &wish(LISTS),
            &View {
                claim: &claim,
                owner_alive: false,
                accounts: &[],
                rivals: Rivals::default(),
                wanted: false,
                forgotten: 0,
                now: at(now),
            },
        )
    };
    let (verdict, first) = later(&lost, 200);
    let Verdict::Reconcile { claim, entry } = verdict else { panic!("{verdict:?}") };
    assert_eq!((claim.number, entry.intended, entry.orphaned), (2, at(100), Some(at(200))));
    // The second who finds it dead looks until the first saw it so.
    let (verdict, _) = later(&first.unwrap(), 300);
    let Verdict::Reconcile { claim, entry } = verdict else { panic!("{verdict:?}") };
    assert_eq!((claim.number, entry.orphaned), (3, Some(at(200))));
}

#[test]
fn creates_of_what_was_forgotten_are_counted_on() {
    let (claim, rivals) = (claim_of("a"), Rivals::default());
    let view = View {
        claim: &claim,
        owner_alive: true,
        accounts: &[],
        rivals,
        wanted: false,
        forgotten: 4,
        now: at(100),
    };
    let (verdict, entry) = judge(None, &wish(LIVE), &view);
    let (Verdict::Create(claim), Some(entry)) = (verdict, entry) else { panic!("it is created") };
    assert_eq!((claim.number, entry.hold.attempt), (5, 5));
}

#[test]
fn settlement_follows_what_is_known() {
    let settled = |terms, told: &Ask| {
        let entry = entry_in(State::Created, terms);
        ask(Some(&entry), told, &entry.claim, true).1.unwrap().hold.settled
    };
    let failed_for =
        |cost| Ask::Ended(Ending { state: EndState::Failed, failure: failure(), cost, prediction: None });
    assert_eq!(settled(LIVE, &arrival(Some(MicroUsd(30_000)))), Some(MicroUsd(30_000)));
    assert_eq!(settled(LIVE, &arrival(None)), Some(MicroUsd(40_000)));
    assert_eq!(settled(LIVE, &ending(EndState::Failed)), Some(MicroUsd(40_000)));
    assert_eq!(settled(LIVE, &failed_for(Some(MicroUsd::ZERO))), Some(MicroUsd::ZERO));
    assert_eq!(settled(LIVE, &ending(EndState::Canceled)), Some(MicroUsd(40_000)));
    assert_eq!(settled(LIVE, &ending(EndState::Aborted)), Some(MicroUsd::ZERO));
    assert_eq!(settled(LIVE, &ending(EndState::Expired)), None);
    assert_eq!(settled(Terms::LOCAL, &ending(EndState::Failed)), Some(MicroUsd::ZERO));
    assert_eq!(settled(Terms::LOCAL, &arrival(None)), Some(MicroUsd::ZERO));
}

#[test]
fn money_in_doubt_is_held_until_a_person_decides() {
    let doubt = entry_in(State::InDoubt, LIVE);
    assert_eq!((doubt.hold.settled, doubt.hold.amount()), (None, MicroUsd(40_000)));
    let after =
        |ruling| ask(Some(&doubt), &Ask::Ruled(ruling), &claim_of("b"), false).1.unwrap().hold.settled;
    assert_eq!(after(Ruling::Forgive), Some(MicroUsd::ZERO));
    assert_eq!(after(Ruling::Retry), Some(MicroUsd(40_000)));
    assert_eq!(after(Ruling::Adopt(PredictionId("p9".into()))), None);
}

#[test]
fn a_doubt_says_what_it_is_about_and_what_to_do() {
    let (Verdict::Doubt(doubt), None) =
        ask(Some(&entry_in(State::InDoubt, LIVE)), &wish(LIVE), &claim_of("b"), false)
    else {
        panic!("it is in doubt")
    };
    insta::assert_snapshot!(format!("{doubt}\n{}", doubt.hint()), @r"
    a prediction of `acme/paint` at `replicate` is in doubt since 1970-01-01T00:01:40Z: the request was sent and its answer was lost (reset); up to 0.04 USD may have been spent
    look at your predictions at `replicate`, then say what happened: `castline ledger adopt 25cdb46d8d21 ID` (it is there), `castline ledger forgive 25cdb46d8d21` (it is not), or `castline ledger retry 25cdb46d8d21` (create it again; this one counts as spent)
    ");
}

fn held(limit: u64, held: u64, overcharge: u64) -> Held {
    Held {
        account: Account::Run("run-1".into()),
        limit: Some(MicroUsd(limit)),
        held: MicroUsd(held),
        overcharge: MicroUsd(overcharge),
    }
}

fn with_money(account: Held, price: Option<u64>, terms: Terms) -> (Verdict, Option<Entry>) {
    let (claim, told) =
        (claim_of("a"), Ask::Claim { request: request(price), terms, since: at(0), beyond: 0, sent: None });
    judge(
        None,
        &told,
        &View {
            claim: &claim,
            owner_alive: false,
            accounts: &[account],
            rivals: Rivals::default(),
            wanted: false,
            forgotten: 0,
            now: at(100),
        },
    )
}

#[test]
fn a_create_that_the_budget_does_not_allow_is_refused_and_nothing_is_written() {
    let (verdict, entry) = with_money(held(100_000, 60_001, 0), Some(4), LIVE);
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(entry, None);
    insta::assert_snapshot!(refusal, @"up to 0.04 USD are needed and the budget of this run has 0.039999 USD left: 0.060001 USD of 0.10 USD are spent or reserved");
    assert_eq!(word(&with_money(held(100_000, 60_000, 0), Some(4), LIVE).0), "create");
    assert_eq!(word(&with_money(held(100_000, 100_000, 0), Some(4), Terms::LOCAL).0), "create");
}

#[test]
fn an_account_that_was_overcharged_creates_nothing_more() {
    let (verdict, _) = with_money(held(100_000, 0, 500), Some(4), LIVE);
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    insta::assert_snapshot!(refusal, @"the budget of this run allows no further creates: a provider charged 0.0005 USD more than was reserved");
}

#[test]
fn what_has_no_price_reserves_nothing_and_is_marked() {
    let (verdict, entry) = with_money(held(100_000, 100_000, 0), None, LIVE);
    assert_eq!((word(&verdict), entry.unwrap().hold.reserved), ("create", None));
}

#[test]
fn what_has_no_price_is_refused_to_whoever_wants_only_what_has_one() {
    let claim = Claim { only_priced: true, ..claim_of("a") };
    let asked =
        |price, terms| Ask::Claim { request: request(price), terms, since: at(0), beyond: 0, sent: None };
    let view = View {
        claim: &claim,
        owner_alive: false,
        accounts: &[],
        rivals: Rivals::default(),
        wanted: false,
        forgotten: 0,
        now: at(1),
    };
    let (verdict, entry) = judge(None, &asked(None, LIVE), &view);
    assert_eq!((verdict, entry), (Verdict::Refused(Refusal::Unpriced), None));
    assert_eq!(word(&judge(None, &asked(Some(4), LIVE), &view).0), "create");
    assert_eq!(word(&judge(None, &asked(None, Terms::LOCAL), &view).0), "create");
}

#[test]
fn an_entry_survives_its_text() {
    for state in State::ALL {
        let entry = entry_in(state, LISTS);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}

/// An entry on its way to another ledger, changed by `change`.
fn exported(state: State, change: impl Fn(&mut serde_json::Value)) -> Result<Exported, BadExport> {
    let mut entry = entry_in(state, LIVE);
    let request = Request::clone(&entry.request);
    let ingredients = crate::key::Ingredients {
        realm: &request.realm,
        model: &request.model,
        input: &request.input,
        draw: &request.draw,
    };
    entry.request = Arc::new(Request { key: ingredients.key(), ..request.clone() });
    let mut line = serde_json::to_value(Exported::new(entry, vec![])).unwrap();
    change(&mut line);
    Exported::read(&line.to_string())
}

#[test]
fn an_entry_of_another_ledger_is_in_nobodys_hands() {
    for state in State::ALL {
        let exported = exported(state, |line| line["entry"]["unsent"] = true.into()).unwrap();
        assert!(exported.entry.claim.owner.is_nobody());
        assert!(!exported.entry.unsent, "it may have been sent since");
        assert_eq!(exported.entry.state, state);
    }
}

#[test]
fn a_line_that_cannot_be_trusted_is_not_taken() {
    let refused =
        |state, change: fn(&mut serde_json::Value)| exported(state, change).unwrap_err().to_string();
    insta::assert_snapshot!([
        refused(State::Failed, |line| line["schema_version"] = 2.into()),
        refused(State::Failed, |line| line["schema_version"] = "1".into()),
        refused(State::Failed, |line| line["entry"]["state"] = "done".into()),
        refused(State::Succeeded, |line| line["entry"]["request"]["model"] = "a/other".into()),
        refused(State::Succeeded, |line| drop(line["entry"].as_object_mut().unwrap().remove("output"))),
        refused(State::Created, |line| drop(line["entry"].as_object_mut().unwrap().remove("prediction"))),
    ].join("\n"), @r"
    it has version 2, and this castline knows version 1: update castline
    it is not an entry of a ledger: it has no `schema_version`
    it is not an entry of a ledger: unknown variant `done`, expected one of `intended`, `created`, `succeeded`, `failed`, `canceled`, `aborted`, `expired`, `in-doubt`
    its key is not that of its request
    it is succeeded and does not say what it gave
    it is created and does not say the prediction's id
    ");
}

/// Three processes that do anything at any time, with one entry between them.
struct World {
    entry: Option<Entry>,
    /// What each process believes to hold; a dead one is followed by another of a new name.
    claims: [Claim; 3],
    born: usize,
    /// What was held by each create, as the store keeps it.
    holds: BTreeMap<u64, MicroUsd>,
    /// Who was told to create and has not said what became of it.
    creating: Option<OwnerId>,
    /// Another entry holds what is found next.
    taken: bool,
    terms: Terms,
    now: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Claim { who: usize, cents: u64, since_now: bool, beyond: u64 },
    Say { who: usize, what: Said },
    Rule(usize, Ruling),
    Die(usize),
}

#[derive(Debug, Clone)]
enum Said {
    Created,
    Found { taken: bool },
    Absent,
    Unsent,
    Resend,
    Stop,
    Unclear,
    Lost,
    Ended(EndState),
    Fetched(Option<u64>),
    Left,
    Missing,
}

const LIMIT: MicroUsd = MicroUsd(100_000);

impl World {
    fn new(terms: Terms) -> Self {
        let claims = ["p0", "p1", "p2"].map(claim_of);
        Self {
            entry: None,
            claims,
            born: 3,
            holds: BTreeMap::new(),
            creating: None,
            taken: false,
            terms,
            now: 100,
        }
    }

    fn alive(&self, owner: &OwnerId) -> bool {
        self.claims.iter().any(|claim| claim.owner == *owner)
    }

    fn step(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Die(who) => {
                self.claims[who] = claim_of(&format!("p{}", self.born));
                self.born += 1;
            }
            Step::Claim { who, cents, since_now, beyond } => {
                let since = at(if since_now { self.now } else { 0 });
                let sent = self.terms.remote.then(sent);
                let told =
                    Ask::Claim { request: request(Some(cents)), terms: self.terms, since, beyond, sent };
                self.tell(who, &told);
            }
            Step::Say { who, what } => self.say(who, &what),
            Step::Rule(who, ruling) => {
                self.tell(who, &Ask::Ruled(ruling));
            }
        }
    }

    fn say(&mut self, who: usize, what: &Said) {
        let told = match what {
            Said::Created => Ask::Created(PredictionId(format!("p{}", self.now))),
            Said::Found { taken } => {
                self.taken = *taken;
                let id = PredictionId(format!("p{}", self.now));
                Ask::Found(Match { id, exact: true, or: vec![] })
            }
            Said::Absent => Ask::Absent(failure()),
            Said::Unsent => Ask::Unsent,
            Said::Resend => Ask::Resend(sent()),
            Said::Stop => Ask::Stop,
            Said::Unclear => Ask::Unclear(Why::OwnerDied),
            Said::Lost => Ask::Unclear(Why::AnswerLost("reset".into())),
            Said::Ended(state) => ending(*state),
            // Providers that charge more than was reserved are another matter.
            Said::Fetched(cents) => {
                let reserved = self.entry.as_ref().and_then(|entry| entry.hold.reserved);
                arrival(cents.map(|cents| MicroUsd(cents * 10_000)).min(reserved))
            }
            Said::Left => Ask::Left,
            Said::Missing => Ask::Missing,
        };
        self.tell(who, &told);
    }

    fn tell(&mut self, who: usize, told: &Ask) {
        let claim = self.claims[who].clone();
        let accounts = [Held { limit: Some(LIMIT), held: self.held(), ..held(0, 0, 0) }];
        let owner_alive = self.entry.as_ref().is_some_and(|entry| self.alive(&entry.claim.owner));
        let view = View {
            claim: &claim,
            owner_alive,
            accounts: &accounts,
            rivals: Rivals { taken: self.taken, ..Rivals::default() },
            wanted: false,
            forgotten: 0,
            now: at(self.now),
        };
        let (verdict, after) = judge(self.entry.as_ref(), told, &view);
        self.check(&claim, told, &verdict, after.as_ref());
        match &verdict {
            Verdict::Create(claim) | Verdict::Follow { claim, .. } | Verdict::Reconcile { claim, .. } => {
                self.claims[who] = claim.clone();
            }
            _ => {}
        }
        if let Some(after) = after {
            let creating = after.state == State::Intended && matches!(verdict, Verdict::Create(_));
            self.creating = creating.then(|| after.claim.owner.clone());
            if self.terms.bills {
                self.holds.insert(after.hold.attempt, after.hold.amount());
            }
            self.entry = Some(after);
        }
        assert!(self.held() <= LIMIT, "more is held than allowed: {}", self.held());
    }

    fn held(&self) -> MicroUsd {
        self.holds.values().copied().sum()
    }

    fn check(&self, claim: &Claim, told: &Ask, verdict: &Verdict, after: Option<&Entry>) {
        let Some(before) = &self.entry else { return };
        if let Verdict::Create(_) = verdict {
            assert!(!self.creating.as_ref().is_some_and(|owner| self.alive(owner)), "two create at once");
            let open = before.state.is_open() || before.state == State::InDoubt;
            let again = matches!(told, Ask::Resend(_)) && before.unsent;
            assert!(!open || again || !self.terms.bills, "created again while {}", before.state);
        }
        let by_claim = !matches!(told, Ask::Claim { .. } | Ask::Ruled(_) | Ask::Missing);
        let replaced = (claim.number, &claim.owner) != (before.claim.number, &before.claim.owner);
        if by_claim && replaced {
            assert_eq!((verdict, after), (&Verdict::Stale, None), "a stale claim spoke");
        }
        let Some(after) = after else { return };
        assert!(after.claim.number >= before.claim.number, "claims go forward");
        if before.state == State::Succeeded && *told != Ask::Missing {
            assert_eq!(after.output, before.output, "a success was lost");
        }
        if let (Some(id), true) = (&before.prediction, before.hold.attempt == after.hold.attempt) {
            let adopted = matches!(told, Ask::Ruled(Ruling::Adopt(_)));
            assert!(adopted || after.prediction.as_ref() == Some(id), "an id was lost");
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let states = [EndState::Failed, EndState::Canceled, EndState::Aborted, EndState::Expired];
    prop_oneof![
        3 => Just(Said::Created),
        1 => Just(Said::Absent),
        1 => Just(Said::Unclear),
        2 => proptest::sample::select(states.to_vec()).prop_map(Said::Ended),
        1 => any::<bool>().prop_map(|taken| Said::Found { taken }),
        1 => Just(Said::Unsent),
        1 => Just(Said::Resend),
        1 => Just(Said::Stop),
        1 => Just(Said::Lost),
        2 => proptest::option::of(0..4u64).prop_map(Said::Fetched),
        1 => Just(Said::Left),
        1 => Just(Said::Missing),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let rulings = vec![Ruling::Forgive, Ruling::Retry, Ruling::Adopt(PredictionId("ruled".into()))];
    prop_oneof![
        4 => (0..3usize, 0..4u64, any::<bool>(), 0..4u64)
            .prop_map(|(who, cents, since_now, beyond)| Step::Claim { who, cents, since_now, beyond }),
        8 => (0..3usize, said()).prop_map(|(who, what)| Step::Say { who, what }),
        1 => (0..3usize, proptest::sample::select(rulings)).prop_map(|(who, ruling)| Step::Rule(who, ruling)),
        2 => (0..3usize).prop_map(Step::Die),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_nothing_is_created_twice_or_lost_or_paid_beyond_the_limit(
        terms in proptest::sample::select(vec![LIVE, LISTS, BLIND, Terms::LOCAL]),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(terms);
        steps.into_iter().for_each(|step| world.step(step));
    }
}
