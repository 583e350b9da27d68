//! What holds for every workflow, tried on generated ones.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use common::{World, plan};
use proptest::prelude::*;

/// A step as the generator thinks of it.
#[derive(Debug, Clone)]
struct Part {
    kind: u8,
    from: usize,
    all: bool,
    axis: Option<(u8, u8)>,
    mentions: bool,
    word: u8,
    condition: bool,
}

fn part() -> impl Strategy<Value = Part> {
    (
        0..4_u8,
        0..8_usize,
        any::<bool>(),
        proptest::option::of((0..2_u8, 0..2_u8)),
        any::<bool>(),
        0..3_u8,
        0..6_u8,
    )
        .prop_map(|(kind, from, all, axis, mentions, word, condition)| Part {
            kind,
            from,
            all,
            axis,
            mentions,
            word,
            condition: condition == 0,
        })
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec(part(), 1..7)
}

/// The workflow as YAML. Steps refer to earlier ones, so that there is no cycle.
fn yaml(parts: &[Part]) -> String {
    let mut text = "steps:\n".to_owned();
    for (i, part) in parts.iter().enumerate() {
        let name = format!("s{i}");
        let earlier: Vec<usize> = (0..i).filter(|j| parts[*j].kind != 3).collect();
        let from = (!earlier.is_empty()).then(|| earlier[part.from % earlier.len()]);
        let uses = match (part.kind, from) {
            (3, _) => "write",
            (1, Some(_)) => "edit",
            (2, Some(_)) => "sheet",
            _ => "draw",
        };
        let _ = writeln!(text, "  {name}:\n    uses: {uses}");
        if let (Some((axis, list)), true) = (part.axis, uses != "sheet") {
            let values = ["[u, v]", "[u, v, w]"][list as usize];
            let _ = writeln!(text, "    each: {{ {}: {values} }}", ["p", "q"][axis as usize]);
        }
        if part.condition {
            let _ = writeln!(text, "    if: \"false\"");
        }
        let mention = match (part.axis, part.mentions && uses != "sheet") {
            (Some((axis, _)), true) => format!(" {{{{ each.{} }}}}", ["p", "q"][axis as usize]),
            _ => String::new(),
        };
        let prompt = format!("word {}{mention}", part.word);
        match (uses, from) {
            ("edit", Some(from)) => {
                let _ = writeln!(text, "    from: s{from}\n    with: {{ prompt: \"{prompt}\" }}");
            }
            ("sheet", Some(from)) => {
                let all = if part.all { ".all" } else { "" };
                let _ = writeln!(text, "    from: s{from}{all}");
            }
            _ => {
                let _ = writeln!(text, "    with: {{ prompt: \"{prompt}\" }}");
            }
        }
    }
    text
}

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
