//! The checker's word against what really happens, on generated workflows.
//!
//! What is refused must fail when it is run all the same, and what is accepted with every input
//! proved must run through. A wrong "no" or a wrong "proved" is worse than a miss.

mod common;

use std::path::Path;

use common::catalog;
use common::generated::{part, yaml};
use common::trial::try_out;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn what_is_refused_fails_and_what_is_proved_runs(parts in prop::collection::vec(part(), 1..4)) {
        let text = yaml(&parts);
        let verdict = try_out(&text, "flow.yaml", Path::new("flow.yaml"), &catalog());
        if let Some(refused) = &verdict.said {
            prop_assert!(verdict.failed.is_some(), "refused, and it runs: {refused}\n{text}");
        } else if verdict.proved {
            prop_assert!(verdict.failed.is_none(), "proved, and it fails: {:?}\n{text}", verdict.failed);
        }
    }
}

#[test]
fn the_generated_workflows_are_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(part(), 1..4);
    let (mut refused, mut proved, mut open) = (0, 0, 0);
    for _ in 0..300 {
        let parts = strategy.new_tree(&mut runner).unwrap().current();
        let verdict = try_out(&yaml(&parts), "flow.yaml", Path::new("flow.yaml"), &catalog());
        match (verdict.refused, verdict.proved) {
            (Some(_), _) => refused += 1,
            (None, true) => proved += 1,
            (None, false) => open += 1,
        }
    }
    assert!(refused > 50 && proved > 20 && open > 20, "{refused} refused, {proved} proved, {open} open");
}
