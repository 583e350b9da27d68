//! Polls, and what they show.

use super::*;

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
fn times_are_learned_from_three_predictions_on() {
    assert_eq!(learned(&[1.0, 2.0]), None);
    assert_eq!(learned(&[4.0, f64::NAN, 1.0, 2.0]), Some(Duration::from_secs(1)));
    assert_eq!(learned(&[5.0, 4.0, 3.0, 2.0, 1.0]), Some(Duration::from_secs(2)));
}

/// What is asked next of a new prediction of a model that is said to take a day.
fn asked_first(timeout: Duration, status: Status) -> String {
    let p25 = learned(&[1e308; 3]);
    let request = Arc::new(Request { timeout, ..(*request()).clone() });
    let order = Order { request, facts: Facts { terms: LIVE, p25 }, ..order(LIVE) };
    Scene::new(order, None).tell(created(snapshot(status)))
}

#[test]
fn a_provider_that_lies_about_times_is_asked_well_before_the_deadline() {
    let asked = asked_first(Duration::from_mins(30), Status::Processing);
    assert!(asked.ends_with("> get p1 after 300s\n"), "some minutes: {asked}");
    let asked = asked_first(Duration::from_mins(1), Status::Starting);
    assert!(asked.ends_with("> get p1 after 15s\n"), "a quarter: {asked}");
}

#[test]
fn no_wait_goes_beyond_the_deadline() {
    let mut scene = running(LIVE);
    let told = scene.tell_at(30 * 60 - 5, Told::Got(Err(busy(Some(60)))));
    assert_eq!(told, "> get p1 after 5s\n");
    let mut scene = following(LIVE);
    let told = scene.tell_at(10 * 60 - 1, Told::Got(Err(busy(Some(60)))));
    assert_eq!(told, "> get p1 after 1s\n");
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
