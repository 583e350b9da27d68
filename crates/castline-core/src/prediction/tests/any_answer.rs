//! Whatever is answered, a prediction goes on or ends, and nothing is paid twice.

use proptest::prelude::*;

use super::*;

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
