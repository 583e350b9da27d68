//! What the ledger says, first or late.

use super::*;

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
