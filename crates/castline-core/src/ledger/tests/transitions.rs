//! What each state makes of each ask.

use super::*;

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
        Ask::Another("its model is another".into()),
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

#[test]
fn a_prediction_that_turns_out_to_be_anothers_leaves_the_entry_as_it_was() {
    let adopt = Ask::Ruled(Ruling::Adopt(PredictionId("p9".into())));
    let differs = Ask::Another("its model is `a/b`".into());
    for state in [State::InDoubt, State::Intended, State::Expired] {
        let before = entry_in(state, LIVE);
        let (_, adopted) = ask(Some(&before), &adopt, &stranger(&before), false);
        let (_, followed) = ask(adopted.as_ref(), &wish(LIVE), &claim_of("b"), false);
        let followed = followed.expect("it is followed");
        let (verdict, after) = ask(Some(&followed), &differs, &followed.claim, true);
        let after = after.expect("it is written");
        assert_eq!(after.claim.owner, OwnerId::nobody());
        assert_eq!((&after.ruled, &after.before), (&None, &None));
        assert_eq!((&after.prediction, after.created), (&before.prediction, before.created));
        assert_eq!((&after.hold, &after.failure, after.ended), (&before.hold, &before.failure, before.ended));
        if state == State::Expired {
            assert_eq!((word(&verdict), after.state), ("ended", State::Expired));
            continue;
        }
        assert_eq!((word(&verdict), after.state), ("doubt", State::InDoubt));
        let why = after.doubt.as_ref().expect("it is in doubt").to_string();
        assert!(
            why.ends_with("; `p9` was adopted for it and is another prediction: its model is `a/b`"),
            "{why}"
        );
        // Nothing is created for it, however often it is asked for.
        assert_eq!(word(&ask(Some(&after), &wish(LIVE), &claim_of("c"), false).0), "doubt");
    }
    let ours = entry_in(State::Created, LIVE);
    assert_eq!(ask(Some(&ours), &differs, &ours.claim, true), (Verdict::Stale, None));
}

#[test]
fn what_can_be_picked_up_says_until_when() {
    let until = |state, terms| {
        let entry = entry_in(state, terms);
        let from = entry.created.unwrap_or(entry.intended);
        entry.kept_until().map(|until| until.duration_since(from).as_secs())
    };
    for (state, terms, seconds) in [
        (State::Created, LIVE, Some(3600)),
        (State::Created, BLIND, None),
        (State::Created, Terms { remote: false, ..LIVE }, None),
        (State::Intended, LIVE, None),
        (State::Intended, LISTS, Some(3600)),
        (State::InDoubt, LISTS, Some(3600)),
        (State::Succeeded, LISTS, None),
        (State::Expired, LISTS, None),
    ] {
        assert_eq!(until(state, terms), seconds, "{state} {terms:?}");
    }
}
