//! The files of what succeeded.

use super::*;

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
fn pitfall_39_a_file_that_stays_incomplete_is_left_for_the_next_run() {
    let mut scene = running(LIVE);
    scene.tell(got(done()));
    let broken = || Told::Fetched(Err(CallFault::incomplete_output("it ended after 40 of 300 MiB")));
    let told = (0..6).map(|_| scene.tell(broken())).last().unwrap();
    assert!(told.contains("> commit left"), "{told}");
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
fn what_was_created_at_other_prices_costs_what_was_reserved() {
    let mut entry = following(LIVE).entry.unwrap();
    entry.claim.owner = OwnerId::nobody();
    entry.hold.reserved = Some(MicroUsd(20_000));
    let mut scene = Scene::new(order(LIVE), Some(entry));
    scene.tell(got(done()));
    scene.tell(fetched());
    assert_eq!((scene.state(), scene.held()), (State::Succeeded, MicroUsd(20_000)));
}
