//! How predictions end without an output.

use super::*;

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
fn a_provider_that_cannot_be_asked_must_be_done_at_once() {
    let mut scene = creating(Terms::LOCAL);
    insta::assert_snapshot!(scene.tell(created(snapshot(Status::Processing))), @r"
    created p1
    status Processing
    > commit failed: the provider answered before it was done, and cannot be asked again #1
    = failed (Platform): the provider answered before it was done, and cannot be asked again [Fresh, 0.00 USD]
    ");
}
