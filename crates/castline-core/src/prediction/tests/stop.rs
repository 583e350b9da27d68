//! What takes too long, and what is not wanted any more.

use super::*;

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
fn a_late_prediction_that_cannot_be_canceled_is_given_up() {
    let mut scene = running(NO_CANCEL);
    insta::assert_snapshot!(scene.tell_at(1_800, got(snapshot(Status::Processing))), @r"
    > commit left #1
    = failed (Timeout): still running after 30 minutes; prediction `p1` of `acme/paint` goes on at `studio`, which cannot be told to stop, and is billed: up to 0.04 USD; nothing is lost while the provider keeps it (often an hour): run again to pick it up without paying again [Fresh, 0.04 USD]
    ");
}

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

#[test]
fn what_is_paid_is_fetched_even_after_a_stop() {
    let mut scene = fetching(LIVE);
    assert_eq!(scene.tell(Told::Stop), "");
    insta::assert_snapshot!(scene.tell(fetched()), @r"
    > commit fetched #1
    = succeeded [Fresh, 0.03 USD]
    ");
}
