//! A create whose answer was lost.

use super::*;

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
