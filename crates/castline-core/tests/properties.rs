//! What holds for every workflow, tried on generated ones.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use castline_core::plan::Choices;
use castline_core::results::LegStatus;
use common::flows::{parts, yaml};
use common::{World, check_calling, lines, plan, plan_of, routing};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_run_with_the_cache_equals_a_run_without(parts in parts(), order in any::<usize>()) {
        let text = yaml(&parts);
        let Ok(plan) = plan(&text, &[]) else { return Ok(()) };
        let mut world = World::default();
        let fresh = world.run(plan.clone(), usize::MAX, |n| order % n);
        world.created.clear();
        let cached = world.run(plan, usize::MAX, |_| 0);
        prop_assert_eq!(&world.created, &Vec::<String>::new(), "{}", text);
        prop_assert_eq!(fresh.statuses, cached.statuses, "{}", text);
        prop_assert_eq!(fresh.outputs, cached.outputs, "{}", text);
    }

    #[test]
    fn a_run_killed_after_any_event_and_resumed_ends_the_same(
        parts in parts(), order in any::<usize>(), killed in 0..12_usize,
    ) {
        let text = yaml(&parts);
        let Ok(plan) = plan(&text, &[]) else { return Ok(()) };
        let whole = World::default().run(plan.clone(), usize::MAX, |_| 0);
        let mut world = World::default();
        world.run(plan.clone(), killed, |n| order % n);
        // `World` itself asserts that nothing is created twice.
        let resumed = world.run(plan, usize::MAX, |n| (order / 3) % n);
        prop_assert_eq!(whole.statuses, resumed.statuses, "{}", text);
        prop_assert_eq!(whole.outputs, resumed.outputs, "{}", text);
    }

    #[test]
    fn what_runs_reads_what_changed(parts in parts(), changed in any::<usize>()) {
        let before = yaml(&parts);
        let Ok(old) = plan(&before, &[]) else { return Ok(()) };
        let changed = changed % parts.len();
        let mut edited = parts.clone();
        edited[changed].word += 7;
        let after = yaml(&edited);
        let Ok(new) = plan(&after, &[]) else { return Ok(()) };
        let mut world = World::default();
        world.run(old, usize::MAX, |_| 0);
        // The changed step and everything that reads it, directly or not.
        let mut touched = BTreeSet::from([changed]);
        for step in &new.graph.order {
            if new.graph.steps[*step].deps.iter().any(|d| touched.contains(&d.step)) {
                touched.insert(*step);
            }
        }
        let forecast = world.forecast(new.clone());
        for leg in new.order() {
            use castline_core::forecast::Fate;
            if matches!(forecast.fate(leg), Fate::Run(..) | Fate::Upstream) {
                prop_assert!(touched.contains(&new.legs.step(leg)), "{} runs\n{}", new.leg_name(leg), after);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// As it stands, and once for each value of an axis that nothing in it mentions.
    #[test]
    fn a_called_workflow_is_what_it_is_by_itself(
        parts in parts(), order in any::<usize>(), fails in any::<bool>(), twice in any::<bool>(),
    ) {
        let text = yaml(&parts);
        let Ok(alone) = plan(&text, &[]) else { return Ok(()) };
        let each = if twice { "each: { k: [1, 2] }, " } else { "" };
        let caller = format!("steps:\n  c: {{ {each}uses: ./called.yaml }}\n");
        let (graph, found) = check_calling(&caller, &text);
        prop_assert!(graph.is_some(), "{}\n{}", lines(&found), text);
        let choices = Choices { run: "run1".to_owned(), ..Choices::default() };
        let calling = plan_of(graph.unwrap(), &[], routing(), choices).unwrap();
        prop_assert_eq!(calling.count(), alone.count() * if twice { 2 } else { 1 }, "{}", text);

        let failing: BTreeSet<String> = fails.then(|| "word 0".to_owned()).into_iter().collect();
        let mut world = World { failing: failing.clone(), ..World::default() };
        let ended = world.run(alone, usize::MAX, |n| order % n);
        let mut other = World { failing, ..World::default() };
        let called = other.run(calling, usize::MAX, |n| (order / 3) % n);
        let (mut created, mut again) = (world.created.clone(), other.created.clone());
        if twice {
            created.extend(world.created.iter().cloned());
        }
        created.sort();
        again.sort();
        if fails {
            // What has failed before another leg comes to send the same is sent again.
            created.dedup();
            again.dedup();
        }
        prop_assert_eq!(created, again, "{}", text);
        for call in if twice { vec!["c[k=1]/", "c[k=2]/"] } else { vec!["c/"] } {
            let of_call = called.statuses.iter();
            let of_call: BTreeMap<String, LegStatus> = of_call
                .filter_map(|(leg, status)| Some((leg.strip_prefix(call)?.to_owned(), *status)))
                .collect();
            prop_assert_eq!(&ended.statuses, &of_call, "{}", text);
        }
        if !twice {
            let name = |output: &String| if ended.outputs.len() == 1 { "c".to_owned() } else { format!("c_{output}") };
            let wanted: BTreeMap<_, _> = ended.outputs.iter().map(|(n, value)| (name(n), value.clone())).collect();
            prop_assert_eq!(wanted, called.outputs.into_iter().collect::<BTreeMap<_, _>>(), "{}", text);
            prop_assert_eq!(&world.ledger, &other.ledger, "{}", text);
        }
        // And nothing of it is made again.
        other.created.clear();
        other.failing.clear();
        let before = other.ledger.len();
        let plan = called.run.plan().clone();
        other.run(plan, usize::MAX, |_| 0);
        if !fails {
            prop_assert_eq!(other.ledger.len(), before, "{}", text);
        }
    }
}

/// Found by the first of them, once.
#[test]
fn a_sheet_of_what_is_skipped_is_the_same_with_the_cache() {
    let text = r#"steps:
  s0: { uses: draw, if: "false", with: { prompt: word 0 } }
  s1: { uses: sheet, from: s0.all }
  s2: { uses: edit, if: "false", from: s1, with: { prompt: word 0 } }
  s3: { uses: sheet, from: s0.all }
"#;
    let plan = plan(text, &[]).unwrap();
    let mut world = World::default();
    let fresh = world.run(plan.clone(), usize::MAX, |_| 0);
    let cached = world.run(plan, usize::MAX, |_| 0);
    assert_eq!((fresh.statuses, fresh.outputs), (cached.statuses, cached.outputs));
}
