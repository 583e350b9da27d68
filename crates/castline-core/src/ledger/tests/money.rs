//! What is reserved, settled and refused.

use super::*;

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
