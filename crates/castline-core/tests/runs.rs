//! Runs from YAML to the last event, against a ledger in memory.

mod common;

use std::sync::Arc;

use castline_core::event::{Event, RunStatus, StopCause};
use castline_core::files::Files;
use castline_core::forecast::Fate;
use castline_core::inputs::Inputs;
use castline_core::legs::LegId;
use castline_core::plan::{Choices, Plan, Resolved};
use castline_core::request::FailureKind;
use castline_core::results::{LegStatus, Results};
use castline_core::run::{Decision, Effect, Input, Options, Outcome, Run};
use castline_core::{Failure, Realm};
use common::{World, check, lines, plan, plan_in, routing};
use indexmap::IndexMap;
use jiff::Timestamp;

const BOAT: &str = r#"
inputs:
  subject: { type: string, default: A paper boat. }
  styles: { type: array, items: { type: string }, default: [ukiyo-e, linocut, claymation] }
steps:
  draft:
    uses: draw
    with: { prompt: "{{ inputs.subject }} Wide shot.", ratio: "1:1" }
  styled:
    uses: edit
    from: draft
    each: { style: "{{ inputs.styles }}" }
    with: { prompt: "Redo as {{ each.style }}." }
  large:
    uses: edit
    from: styled
    with: { prompt: "Enlarge" }
  sheet:
    uses: sheet
    from: styled.all
    with: { captions: "{{ steps.styled.all.each.style }}" }
outputs:
  sheet: "{{ steps.sheet.image }}"
  pictures: "{{ steps.large.all.image }}"
"#;

fn run(world: &mut World, text: &str) -> common::Ended {
    world.run(plan(text, &[]).unwrap(), usize::MAX, |_| 0)
}

/// A run of three independent legs, all in flight.
fn three_in_flight(fail_fast: bool) -> (Run, Vec<LegId>) {
    three_in_flight_in("", fail_fast)
}

/// The same in a project that says this.
fn three_in_flight_in(project: &str, fail_fast: bool) -> (Run, Vec<LegId>) {
    let text = "steps:\n  a:\n    uses: draw\n    each: { n: [one, two, three, four] }\n    with: { prompt: \"{{ each.n }}\", ratio: \"1:1\" }\n";
    let forecast = World::default().forecast(plan_in(project, text, &[]).unwrap());
    let options = Options {
        run: "run1".into(),
        castline_version: "0".into(),
        parallel: 3,
        fail_fast,
        free_but_for: None,
    };
    let mut run = Run::new(forecast, options);
    let started = run.handle(Input::Start, Timestamp::UNIX_EPOCH);
    let legs = started.effects.iter().filter_map(|effect| match effect {
        Effect::Ensure { leg, .. } => Some(*leg),
        _ => None,
    });
    (run, legs.collect())
}

fn ends(status: LegStatus, kind: FailureKind) -> Outcome {
    let failure = Failure::new(kind, "flagged");
    Outcome::Failed { status, failure, prediction: None, cost: None }
}

/// True when nothing more will happen.
fn is_the_last(decision: &Decision) -> bool {
    decision.effects.iter().any(|effect| matches!(effect, Effect::Finish))
}

#[test]
fn a_canceled_run_starts_nothing_more_and_has_everything_in_flight_stopped() {
    let (mut run, legs) = three_in_flight(false);
    let decision = run.handle(Input::Cancel, Timestamp::UNIX_EPOCH);
    assert!(matches!(decision.events[..], [Event::Stopping { why: StopCause::Canceled }]));
    let abandoned = decision.effects.iter().filter_map(|effect| match effect {
        Effect::Abandon(leg) => Some(*leg),
        _ => None,
    });
    assert_eq!(abandoned.collect::<Vec<_>>(), legs);
    let mut finishes = false;
    for leg in legs {
        let canceled = ends(LegStatus::Canceled, FailureKind::Other);
        let decision = run.handle(Input::Ended(leg, canceled), Timestamp::UNIX_EPOCH);
        assert!(!decision.effects.iter().any(|e| matches!(e, Effect::Ensure { .. })));
        finishes = is_the_last(&decision);
    }
    assert!(finishes);
    assert_eq!(run.status(), RunStatus::Interrupted);
}

/// Predictions cost more the longer they run.
const BY_TIME: &str = "prices: { draw: { usd: 0.001, per: gpu-second } }";

#[test]
fn a_run_that_makes_way_writes_nothing_more_and_what_is_wanted_goes_on() {
    let (mut run, legs) = three_in_flight_in(BY_TIME, false);
    let key = |run: &mut Run, leg: LegId| match run.plan().resolve(leg, run.results()) {
        Resolved::Ready(ready) => ready.request.key,
        other => panic!("{other:?}"),
    };
    // The first is wanted, the other two by nobody.
    let wanted = Arc::new([key(&mut run, legs[0])].into());
    let as_of = Timestamp::UNIX_EPOCH;
    let superseded = Input::Superseded { wanted, as_of };
    let decision = run.handle(superseded.clone(), as_of);
    assert!(matches!(decision.events[..], [Event::Stopping { why: StopCause::Superseded }]));
    let canceled = |decision: &Decision| {
        let canceled = decision.effects.iter().filter_map(|effect| match effect {
            Effect::Cancel(leg) => Some(*leg),
            _ => None,
        });
        canceled.collect::<Vec<_>>()
    };
    assert_eq!(canceled(&decision), legs[1..]);
    // It is said once, however often a newer plan comes.
    assert!(run.handle(superseded, as_of).events.is_empty());
    let mut finishes = false;
    for leg in legs {
        let decision = run.handle(Input::Ended(leg, ends(LegStatus::Canceled, FailureKind::Other)), as_of);
        assert!(!decision.effects.iter().any(|e| matches!(e, Effect::Ensure { .. } | Effect::Save(_))));
        finishes = is_the_last(&decision);
    }
    assert!(finishes && run.outputs().is_empty());
    assert_eq!(run.status(), RunStatus::Interrupted);
}

#[test]
fn what_was_begun_after_the_look_is_left_alone() {
    let (mut run, _) = three_in_flight_in(BY_TIME, false);
    let before = Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_secs(1);
    let decision =
        run.handle(Input::Superseded { wanted: Arc::default(), as_of: before }, Timestamp::UNIX_EPOCH);
    assert!(decision.effects.is_empty(), "{:?}", decision.effects);
}

#[test]
fn what_costs_the_same_when_it_is_stopped_is_awaited_and_kept() {
    let (mut run, _) = three_in_flight(false);
    let superseded = Input::Superseded { wanted: Arc::default(), as_of: Timestamp::UNIX_EPOCH };
    let decision = run.handle(superseded, Timestamp::UNIX_EPOCH);
    assert!(decision.effects.is_empty(), "{:?}", decision.effects);
}

#[test]
fn a_run_that_fails_fast_says_that_it_waits_for_the_rest() {
    let (mut run, legs) = three_in_flight(true);
    let failed = ends(LegStatus::Failed, FailureKind::Moderation);
    let decision = run.handle(Input::Ended(legs[0], failed), Timestamp::UNIX_EPOCH);
    assert!(matches!(decision.events.last(), Some(Event::Stopping { why: StopCause::FailFast })));
    assert!(decision.effects.is_empty());
    let mut finishes = false;
    // It is said once, and not when there is nothing to wait for.
    for leg in &legs[1..] {
        let failed = ends(LegStatus::Failed, FailureKind::Moderation);
        let decision = run.handle(Input::Ended(*leg, failed), Timestamp::UNIX_EPOCH);
        assert!(!decision.events.iter().any(|e| matches!(e, Event::Stopping { .. })));
        finishes = is_the_last(&decision);
    }
    assert!(finishes);
}

/// What a second run creates after an edit.
fn created_after(edit: impl Fn(&str) -> String) -> Vec<String> {
    let mut world = World::default();
    run(&mut world, BOAT);
    world.created.clear();
    run(&mut world, &edit(BOAT));
    world.created.sort();
    world.created
}

#[test]
fn a_first_run_creates_every_leg_and_a_second_none() {
    let mut world = World::default();
    let ended = run(&mut world, BOAT);
    assert_eq!(world.created.len(), 8);
    assert!(ended.statuses.values().all(|s| *s == LegStatus::Succeeded), "{:?}", ended.statuses);
    assert_eq!(ended.outputs["pictures"].as_array().unwrap().len(), 3);
    world.created.clear();
    let again = run(&mut world, BOAT);
    assert_eq!(world.created, [""; 0]);
    assert_eq!(again.outputs, ended.outputs);
}

#[test]
fn one_changed_style_runs_its_leg_its_enlargement_and_the_sheet() {
    assert_eq!(
        created_after(|text| text.replace("linocut", "bauhaus")),
        ["acme/edit Enlarge", "acme/edit Redo as bauhaus.", "acme/sheet "]
    );
}

#[test]
fn cosmetic_edits_run_nothing() {
    let renamed = created_after(|text| text.replace("draft", "first").replace("styled", "redone"));
    assert_eq!(renamed, [""; 0]);
    let commented =
        created_after(|text| format!("# hello\nname: other\n{}", text.replace("steps:", "steps: # all")));
    assert_eq!(commented, [""; 0]);
    let reordered = created_after(|text| {
        text.replace(
            r#"with: { prompt: "{{ inputs.subject }} Wide shot.", ratio: "1:1" }"#,
            r#"with: { ratio: '1:1', prompt: "{{ inputs.subject }} Wide shot." }"#,
        )
    });
    assert_eq!(reordered, [""; 0]);
}

#[test]
fn a_step_waits_for_its_own_leg_only() {
    let mut world = World::default();
    // The newest of those in flight ends first: enlargements end before other styles do.
    let ended = world.run(plan(BOAT, &[]).unwrap(), usize::MAX, |n| n - 1);
    let ends: Vec<_> = ended
        .events
        .iter()
        .filter_map(|e| match e {
            castline_core::event::Event::LegSucceeded { leg, .. } => Some(leg.name.as_str()),
            _ => None,
        })
        .collect();
    let at = |name: &str| ends.iter().position(|n| n.starts_with(name)).unwrap();
    let last_styled = ends.iter().rposition(|n| n.starts_with("styled")).unwrap();
    assert!(at("large") < last_styled, "{ends:?}");
}

#[test]
fn skips_pass_on_and_absent_values_can_be_looked_at() {
    let text = r#"
inputs:
  want: { type: boolean, default: false }
steps:
  a: { uses: draw, if: inputs.want, with: { prompt: a } }
  b: { uses: edit, from: a, with: { prompt: b } }
  c: { uses: draw, with: { prompt: "{{ 'no' if steps.a is skipped else 'yes' }}" } }
  d: { uses: edit, with: { prompt: d, picture: "{{ steps.a.image or steps.c.image }}" } }
outputs:
  a: "{{ steps.a.image }}"
  d: "{{ steps.d.image }}"
"#;
    let mut world = World::default();
    let ended = run(&mut world, text);
    assert_eq!(ended.statuses["a"], LegStatus::Skipped);
    assert_eq!(ended.statuses["b"], LegStatus::Skipped);
    assert_eq!(ended.statuses["d"], LegStatus::Succeeded);
    assert!(ended.outputs["a"].is_null());
    assert!(world.created.contains(&"acme/draw no".to_owned()), "{:?}", world.created);
}

#[test]
fn a_failure_stops_its_readers_and_nothing_else() {
    let text = r"
steps:
  a: { uses: draw, with: { prompt: bad } }
  b: { uses: edit, from: a, with: { prompt: b } }
  c: { uses: draw, with: { prompt: c } }
";
    let mut world = World { failing: ["bad".to_owned()].into(), ..World::default() };
    let ended = run(&mut world, text);
    assert_eq!(ended.statuses["a"], LegStatus::Failed);
    assert_eq!(ended.statuses["b"], LegStatus::NotRun);
    assert_eq!(ended.statuses["c"], LegStatus::Succeeded);
    assert_eq!(ended.run.status().exit_code(), 1);
}

#[test]
fn a_handled_failure_is_absent_and_not_the_runs_failure() {
    let text = r#"
steps:
  a:
    uses: draw
    each: { w: [good, bad] }
    with: { prompt: "{{ each.w }}" }
    on_error: skip
  all: { uses: sheet, from: a.all, with: { captions: "{{ steps.a.all.each.w }}" } }
  why: { uses: write, if: "steps.a is failed", with: { prompt: "{{ steps.a.error.kind }}" } }
"#;
    let mut world = World { failing: ["bad".to_owned()].into(), ..World::default() };
    let ended = run(&mut world, text);
    assert_eq!(ended.run.status().exit_code(), 0);
    assert_eq!(ended.statuses["all"], LegStatus::Succeeded);
    assert_eq!(ended.statuses["why[w=good]"], LegStatus::Skipped);
    assert!(world.created.contains(&"acme/write moderation".to_owned()), "{:?}", world.created);
}

#[test]
fn a_failure_that_one_step_asks_about_is_absent_for_every_reader() {
    let text = "steps:
  first: { uses: draw, with: { prompt: bad } }
  second: { uses: draw, if: steps.first is failed, with: { prompt: hat } }
  either: { uses: sheet, with: { pictures: [\"{{ steps.first.image or steps.second.image }}\"] } }
  only: { uses: sheet, with: { pictures: [\"{{ steps.first.image }}\"] } }
";
    let mut world = World { failing: ["bad".to_owned()].into(), ..World::default() };
    let ended = run(&mut world, text);
    assert_eq!(ended.run.status().exit_code(), 0);
    assert_eq!(ended.statuses["either"], LegStatus::Succeeded);
    assert_eq!(ended.statuses["only"], LegStatus::Skipped);
}

#[test]
fn a_draw_is_the_axis_that_the_request_does_not_mention() {
    let text = |takes: &str| {
        format!("steps:\n  a:\n    uses: draw\n    each: {{ take: {takes} }}\n    with: {{ prompt: boat }}\n")
    };
    let mut world = World::default();
    run(&mut world, &text("[1, 2, 3]"));
    assert_eq!(world.created.len(), 3);
    world.created.clear();
    run(&mut world, &text("[3, 1, 4]"));
    assert_eq!(world.created.len(), 1, "two of the draws are known");
    world.created.clear();
    run(&mut world, &text("[1]").replace("take", "nth"));
    assert_eq!(world.created.len(), 0, "the axis's name does not count");
}

#[test]
fn what_a_text_has_to_be_counts_on_the_sandbox_alone() {
    let key = |realm: Realm, schema: &str| {
        let text =
            format!("steps:\n  a:\n    uses: write\n    with: {{ prompt: boat }}\n    json: {schema}\n");
        let graph = Arc::new(check(&text).0.expect("no errors"));
        let files = Arc::new(Files::default());
        let inputs = Inputs::resolve(&graph, &IndexMap::new(), &files, true);
        let mut routing = routing();
        routing.chosen.realm = realm;
        let plan = Plan::new(graph, &inputs, files, routing, Choices::default()).0.expect("a plan");
        match Arc::new(plan).resolve(LegId(0), &Arc::new(Results::new(1))) {
            Resolved::Ready(ready) => ready.request.key,
            other => panic!("{other:?}"),
        }
    };
    let (list, same, other) =
        ("{ type: array, minItems: 2 }", "{ minItems: 2, type: array }", "{ type: array, minItems: 3 }");
    assert_eq!(key(Realm::Public, list), key(Realm::Public, other));
    assert_ne!(key(Realm::Sandbox(1), list), key(Realm::Sandbox(1), other));
    assert_eq!(key(Realm::Sandbox(1), list), key(Realm::Sandbox(1), same));
}

#[test]
fn the_same_request_is_made_once() {
    let text =
        "steps:\n  a: { uses: draw, with: { prompt: boat } }\n  b: { uses: draw, with: { prompt: boat } }\n";
    let mut world = World::default();
    let ended = run(&mut world, text);
    assert_eq!(world.created.len(), 1);
    assert_eq!(ended.statuses["b"], LegStatus::Succeeded);
}

#[test]
fn a_product_of_axes_closes_one_by_one() {
    let text = r#"
steps:
  a:
    uses: draw
    each: { word: [x, y], ratio: ['1:1', '16:9'] }
    with: { prompt: "{{ each.word }}", ratio: "{{ each.ratio }}" }
  rows:
    uses: sheet
    with:
      pictures: "{{ steps.a.all('ratio').image }}"
      captions: "{{ steps.a.all('ratio').each.ratio }}"
"#;
    let mut world = World::default();
    let ended = run(&mut world, text);
    assert_eq!(ended.statuses.keys().filter(|k| k.starts_with("rows")).count(), 2);
    assert!(ended.statuses.contains_key("rows[word=x]"), "{:?}", ended.statuses);
}

#[test]
fn findings_come_at_once_and_with_their_places() {
    let text = r#"inputs:
  size: { type: integer, default: big }
steps:
  a: { uses: draw, with: { prompt: "{{ inputs.wrong }}", ratio: "1:2", nn: 2 } }
  b: { uses: edti, from: a }
  c: { uses: edit, from: aa, with: { prompt: "{{ steps.a.video }}" } }
  d: { uses: sheet, from: w }
  e: { uses: edit, from: a.all, with: { prompt: x, strength: 3 } }
  w: { uses: write, with: {} }
"#;
    let (_, found) = check(text);
    insta::assert_snapshot!(lines(&found));
}

#[test]
fn steps_that_wait_for_each_other_are_a_cycle() {
    let (_, found) = check(
        "steps:\n  a: { uses: edit, from: b, with: { prompt: x } }\n  b: { uses: edit, from: a, with: { prompt: x } }\n",
    );
    insta::assert_snapshot!(lines(&found), @"cycle 2:3 steps wait for each other: a -> b -> a");
}

#[test]
fn one_name_over_different_lists_is_a_clash() {
    let text = |second: &str| {
        format!(
            "steps:\n  a: {{ uses: draw, each: {{ s: [x, y] }}, with: {{ prompt: '{{{{ each.s }}}}' }} }}\n  b: {{ uses: edit, from: a, each: {{ s: {second} }}, with: {{ prompt: '{{{{ each.s }}}}' }} }}\n"
        )
    };
    assert_eq!(plan(&text("[x, y]"), &[]).unwrap().legs.len(), 4);
    insta::assert_snapshot!(
        plan(&text("[x, z]"), &[]).unwrap_err(),
        @"axis-clash 3:3 step `b` meets the axis `s` over different lists, opened by `a` and `b` (give one of the axes another name, or open both over the same list)"
    );
}

#[test]
fn steps_that_take_no_part_are_reused_or_left_out() {
    let with_steps = |steps: Vec<usize>| {
        let mut plan = (*plan(BOAT, &[]).unwrap()).clone();
        plan.choices.steps = steps;
        std::sync::Arc::new(plan)
    };
    let mut world = World::default();
    // The sheet alone cannot be made: what it reads is not there.
    let ended = world.run(with_steps(vec![3]), usize::MAX, |_| 0);
    assert_eq!(world.created.len(), 0);
    assert_eq!(ended.statuses["sheet"], LegStatus::NotRun);
    world.run(with_steps(vec![0, 1]), usize::MAX, |_| 0);
    assert_eq!(world.created.len(), 4);
    let ended = world.run(with_steps(vec![3]), usize::MAX, |_| 0);
    assert_eq!(world.created.len(), 5);
    assert_eq!(ended.statuses["sheet"], LegStatus::Succeeded);
    assert_eq!(ended.statuses["draft"], LegStatus::Succeeded);
}

#[test]
fn an_interrupt_cancels_what_is_billed_by_time_by_the_projects_own_price_too() {
    let canceled = |project: &str| {
        let plan = plan_in(project, "steps: { a: { uses: draw, with: { prompt: boat } } }", &[]).unwrap();
        let options = Options {
            run: "run1".into(),
            castline_version: "0".into(),
            parallel: 1,
            fail_fast: false,
            free_but_for: None,
        };
        let mut run = Run::new(World::default().forecast(plan), options);
        run.handle(Input::Start, Timestamp::UNIX_EPOCH);
        let decision = run.handle(Input::Interrupt, Timestamp::UNIX_EPOCH);
        decision.effects.iter().filter(|effect| matches!(effect, Effect::Cancel(_))).count()
    };
    assert_eq!(canceled(""), 0);
    assert_eq!(canceled("prices: { draw: { usd: 0.001, per: gpu-second } }"), 1);
}

#[test]
fn pitfall_43_fewer_pictures_than_were_asked_for_are_said() {
    let text = |n: u32| {
        format!(
            "steps:\n  a:\n    uses: several\n    with: {{ prompt: boats, num_outputs: {n} }}\noutputs:\n  a: \"{{{{ steps.a.images }}}}\"\n"
        )
    };
    let warnings = |n: u32| {
        let ended = run(&mut World::default(), &text(n));
        let warning = |event: Event| match event {
            Event::Warned { message } => Some(message),
            _ => None,
        };
        ended.events.into_iter().filter_map(warning).collect::<Vec<_>>()
    };
    assert_eq!(warnings(1), [""; 0]);
    assert_eq!(warnings(3), ["`a` asked for 3 images and got 1: the provider may have filtered the others"]);
}

/// One step that creates again what the platform failed, at most so often.
#[test]
fn what_an_earlier_run_gave_and_does_not_fit_stops_its_leg_and_not_the_plan() {
    let text = "steps:\n  first:\n    uses: write\n    with: { prompt: a ratio }\n  second:\n    uses: draw\n    with: { prompt: boat, ratio: \"{{ steps.first.text }}\" }\n  third:\n    uses: draw\n    if: steps.second is failed\n    with: { prompt: hat }\n";
    let mut world = World::default();
    run(&mut world, text);
    let forecast = world.forecast(plan(text, &[]).unwrap());
    assert!(!forecast.found.has_errors(), "{}", lines(&forecast.found));
    let fates: Vec<_> = forecast.plan.order().into_iter().map(|leg| forecast.fate(leg)).collect();
    assert!(matches!(fates[..], [Fate::Hit(..), Fate::Broken, Fate::Upstream]), "{fates:?}");
}

fn retried(prompt: &str, times: u32) -> String {
    format!(
        "steps:\n  a:\n    uses: draw\n    with: {{ prompt: {prompt}, ratio: \"1:1\" }}\n    retry: {{ times: {times} }}\n"
    )
}

#[test]
fn pitfall_44_a_moderated_prediction_is_not_created_again() {
    let mut world = World { failing: ["flagged".to_owned()].into(), ..World::default() };
    let ended = run(&mut world, &retried("flagged", 2));
    assert_eq!(world.created.len(), 1);
    assert_eq!(ended.run.status(), RunStatus::Failed);
}

#[test]
fn pitfall_45_a_fault_of_the_platform_is_created_again_as_often_as_was_asked_and_each_is_paid() {
    for (faults, times, creates, status) in
        [(1, 0, 1, RunStatus::Failed), (1, 2, 2, RunStatus::Succeeded), (9, 2, 3, RunStatus::Failed)]
    {
        let mut world = World { faults: [("boat".to_owned(), faults)].into(), ..World::default() };
        let ended = run(&mut world, &retried("boat", times));
        assert_eq!((world.created.len(), ended.run.status()), (creates, status));
        assert_eq!(ended.run.totals().cost.0, 10_000 * creates as u64);
    }
}

#[test]
fn pitfall_46_another_version_is_another_request() {
    let text = |version: &str| {
        format!(
            "steps:\n  a:\n    uses: draw\n    version: \"{}\"\n    with: {{ prompt: boat, ratio: \"1:1\" }}\n",
            version.repeat(64)
        )
    };
    let mut world = World::default();
    for version in ["a", "b", "a"] {
        run(&mut world, &text(version));
    }
    assert_eq!(world.created.len(), 2);
}

#[test]
fn pitfall_53_an_input_that_the_model_does_not_know_is_refused() {
    let (_, found) =
        check("steps:\n  a:\n    uses: draw\n    with: { promt: boat, prompt: boat, ratio: \"1:1\" }\n");
    assert!(lines(&found).contains("promt"), "{}", lines(&found));
    assert!(found.has_errors());
}
