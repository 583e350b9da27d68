//! Three processes that do anything at any time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Three processes that do anything at any time, with one entry between them.
struct World {
    entry: Option<Entry>,
    /// What each process believes to hold; a dead one is followed by another of a new name.
    claims: [Claim; 3],
    born: usize,
    /// What was held by each create, as the store keeps it.
    holds: BTreeMap<u64, MicroUsd>,
    /// Who was told to create and has not said what became of it.
    creating: Option<OwnerId>,
    /// Another entry holds what is found next.
    taken: bool,
    terms: Terms,
    now: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Claim { who: usize, cents: u64, since_now: bool, beyond: u64 },
    Say { who: usize, what: Said },
    Rule(usize, Ruling),
    Die(usize),
}

#[derive(Debug, Clone)]
enum Said {
    Created,
    Found { taken: bool },
    Absent,
    Unsent,
    Resend,
    Stop,
    Unclear,
    Lost,
    Ended(EndState),
    Fetched(Option<u64>),
    Left,
    Missing,
}

const LIMIT: MicroUsd = MicroUsd(100_000);

impl World {
    fn new(terms: Terms) -> Self {
        let claims = ["p0", "p1", "p2"].map(claim_of);
        Self {
            entry: None,
            claims,
            born: 3,
            holds: BTreeMap::new(),
            creating: None,
            taken: false,
            terms,
            now: 100,
        }
    }

    fn alive(&self, owner: &OwnerId) -> bool {
        self.claims.iter().any(|claim| claim.owner == *owner)
    }

    fn step(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Die(who) => {
                self.claims[who] = claim_of(&format!("p{}", self.born));
                self.born += 1;
            }
            Step::Claim { who, cents, since_now, beyond } => {
                let since = at(if since_now { self.now } else { 0 });
                let sent = self.terms.remote.then(sent);
                let told =
                    Ask::Claim { request: request(Some(cents)), terms: self.terms, since, beyond, sent };
                self.tell(who, &told);
            }
            Step::Say { who, what } => self.say(who, &what),
            Step::Rule(who, ruling) => {
                self.tell(who, &Ask::Ruled(ruling));
            }
        }
    }

    fn say(&mut self, who: usize, what: &Said) {
        let told = match what {
            Said::Created => Ask::Created(PredictionId(format!("p{}", self.now))),
            Said::Found { taken } => {
                self.taken = *taken;
                let id = PredictionId(format!("p{}", self.now));
                Ask::Found(Match { id, exact: true, or: vec![] })
            }
            Said::Absent => Ask::Absent(failure()),
            Said::Unsent => Ask::Unsent,
            Said::Resend => Ask::Resend(sent()),
            Said::Stop => Ask::Stop,
            Said::Unclear => Ask::Unclear(Why::OwnerDied),
            Said::Lost => Ask::Unclear(Why::AnswerLost("reset".into())),
            Said::Ended(state) => ending(*state),
            // Providers that charge more than was reserved are another matter.
            Said::Fetched(cents) => {
                let reserved = self.entry.as_ref().and_then(|entry| entry.hold.reserved);
                arrival(cents.map(|cents| MicroUsd(cents * 10_000)).min(reserved))
            }
            Said::Left => Ask::Left,
            Said::Missing => Ask::Missing,
        };
        self.tell(who, &told);
    }

    fn tell(&mut self, who: usize, told: &Ask) {
        let claim = self.claims[who].clone();
        let accounts = [Held { limit: Some(LIMIT), held: self.held(), ..held(0, 0, 0) }];
        let owner_alive = self.entry.as_ref().is_some_and(|entry| self.alive(&entry.claim.owner));
        let view = View {
            claim: &claim,
            owner_alive,
            accounts: &accounts,
            rivals: Rivals { taken: self.taken, ..Rivals::default() },
            wanted: false,
            forgotten: 0,
            now: at(self.now),
        };
        let (verdict, after) = judge(self.entry.as_ref(), told, &view);
        self.check(&claim, told, &verdict, after.as_ref());
        match &verdict {
            Verdict::Create(claim) | Verdict::Follow { claim, .. } | Verdict::Reconcile { claim, .. } => {
                self.claims[who] = claim.clone();
            }
            _ => {}
        }
        if let Some(after) = after {
            let creating = after.state == State::Intended && matches!(verdict, Verdict::Create(_));
            self.creating = creating.then(|| after.claim.owner.clone());
            if self.terms.bills {
                self.holds.insert(after.hold.attempt, after.hold.amount());
            }
            self.entry = Some(after);
        }
        assert!(self.held() <= LIMIT, "more is held than allowed: {}", self.held());
    }

    fn held(&self) -> MicroUsd {
        self.holds.values().copied().sum()
    }

    fn check(&self, claim: &Claim, told: &Ask, verdict: &Verdict, after: Option<&Entry>) {
        let Some(before) = &self.entry else { return };
        if let Verdict::Create(_) = verdict {
            assert!(!self.creating.as_ref().is_some_and(|owner| self.alive(owner)), "two create at once");
            let open = before.state.is_open() || before.state == State::InDoubt;
            let again = matches!(told, Ask::Resend(_)) && before.unsent;
            assert!(!open || again || !self.terms.bills, "created again while {}", before.state);
        }
        let by_claim = !matches!(told, Ask::Claim { .. } | Ask::Ruled(_) | Ask::Missing);
        let replaced = (claim.number, &claim.owner) != (before.claim.number, &before.claim.owner);
        if by_claim && replaced {
            assert_eq!((verdict, after), (&Verdict::Stale, None), "a stale claim spoke");
        }
        let Some(after) = after else { return };
        assert!(after.claim.number >= before.claim.number, "claims go forward");
        if before.state == State::Succeeded && *told != Ask::Missing {
            assert_eq!(after.output, before.output, "a success was lost");
        }
        if let (Some(id), true) = (&before.prediction, before.hold.attempt == after.hold.attempt) {
            let adopted = matches!(told, Ask::Ruled(Ruling::Adopt(_)));
            assert!(adopted || after.prediction.as_ref() == Some(id), "an id was lost");
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let states = [EndState::Failed, EndState::Canceled, EndState::Aborted, EndState::Expired];
    prop_oneof![
        3 => Just(Said::Created),
        1 => Just(Said::Absent),
        1 => Just(Said::Unclear),
        2 => proptest::sample::select(states.to_vec()).prop_map(Said::Ended),
        1 => any::<bool>().prop_map(|taken| Said::Found { taken }),
        1 => Just(Said::Unsent),
        1 => Just(Said::Resend),
        1 => Just(Said::Stop),
        1 => Just(Said::Lost),
        2 => proptest::option::of(0..4u64).prop_map(Said::Fetched),
        1 => Just(Said::Left),
        1 => Just(Said::Missing),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let rulings = vec![Ruling::Forgive, Ruling::Retry, Ruling::Adopt(PredictionId("ruled".into()))];
    prop_oneof![
        4 => (0..3usize, 0..4u64, any::<bool>(), 0..4u64)
            .prop_map(|(who, cents, since_now, beyond)| Step::Claim { who, cents, since_now, beyond }),
        8 => (0..3usize, said()).prop_map(|(who, what)| Step::Say { who, what }),
        1 => (0..3usize, proptest::sample::select(rulings)).prop_map(|(who, ruling)| Step::Rule(who, ruling)),
        2 => (0..3usize).prop_map(Step::Die),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_nothing_is_created_twice_or_lost_or_paid_beyond_the_limit(
        terms in proptest::sample::select(vec![LIVE, LISTS, BLIND, Terms::LOCAL]),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(terms);
        steps.into_iter().for_each(|step| world.step(step));
    }
}
