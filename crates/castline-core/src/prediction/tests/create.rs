//! Uploads and creates that fail.

use super::*;

#[test]
fn an_upload_that_fails_is_tried_again_and_nothing_is_reserved() {
    let mut scene = Scene::with(order(LIVE), None, |scene| scene.unprepared = true);
    assert!(scene.tell(Told::Prepared(Err(lost()))).contains("> rest 1s"));
    assert!(scene.tell(Told::Rested).contains("> prepare"));
    insta::assert_snapshot!(scene.tell(Told::Prepared(Err(CallFault::BadInput("too large".into())))), @"= failed (Input): too large [Fresh, no cost]");
    assert_eq!(scene.entry, None);
}

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
