use castline_runner::{Job, Wishes};

use super::{Table, duration};

/// Shows the plan of a workflow in an empty project.
fn shown<T>(workflow: &str, wishes: &Wishes, show: impl FnOnce(Table<'_>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.yaml");
    std::fs::write(&file, workflow).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let job = runtime.block_on(Job::plan(&file, wishes)).unwrap();
    show(Table::of(job.forecast.as_ref().unwrap_or_else(|| panic!("{:?}", job.diagnostics))))
}

fn drawn(workflow: &str, wishes: &Wishes, width: Option<usize>) -> String {
    console::strip_ansi_codes(&shown(workflow, wishes, |table| table.draw(width))).into_owned()
}

const BOAT: &str = r#"
name: boat
steps:
  draft: { uses: flux-schnell, with: { prompt: A boat. } }
  styled:
    uses: flux-kontext-pro
    from: draft
    each: { style: [ukiyo-e, linocut] }
    with: { prompt: "Redo as {{ each.style }}." }
  large: { uses: real-esrgan, from: styled }
  sheet: { uses: std/contact-sheet, from: styled.all }
"#;

#[test]
fn every_leg_says_what_it_would_do_and_cost() {
    insta::assert_snapshot!(drawn(BOAT, &Wishes::default(), None));
}

#[test]
fn a_live_plan_says_what_is_to_pay() {
    let live = Wishes { provider: Some("replicate".to_owned()), ..Wishes::default() };
    let workflow = BOAT.replace("  large: { uses: real-esrgan, from: styled }\n", "");
    let drawn = drawn(&workflow, &live, None);
    assert!(drawn.starts_with("boat on replicate\n"), "{drawn}");
    let end = "4 legs: 1 to run, 3 known later\n0.003 to 0.083 USD, about 7 s\n";
    assert!(drawn.contains(end), "{drawn}");
}

#[test]
fn a_step_of_many_legs_is_shown_in_groups() {
    let workflow = r#"
name: many
steps:
  picture:
    uses: flux-schnell
    each: { n: "{{ range(20) }}" }
    if: each.n < 15
    with: { prompt: "Picture {{ each.n }}." }
  small: { uses: std/resize, from: picture, with: { width: 64 } }
"#;
    insta::assert_snapshot!(drawn(workflow, &Wishes::default(), None));
}

#[test]
fn on_a_terminal_of_eighty_columns_no_line_is_wider() {
    let workflow = BOAT.replace("linocut", "a style with a very long name that goes on and on and on");
    let drawn = drawn(&workflow, &Wishes::default(), Some(80));
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
}

#[test]
fn the_same_request_runs_once() {
    let workflow = r"
name: twins
steps:
  a: { uses: flux-schnell, with: { prompt: A boat. } }
  b: { uses: flux-schnell, with: { prompt: A boat. } }
  c: { uses: flux-schnell, cache: false, with: { prompt: A boat. } }
";
    insta::assert_snapshot!(drawn(workflow, &Wishes::default(), None));
}

#[test]
fn the_plan_as_json_has_the_same_numbers() {
    let wishes = Wishes { only: vec!["draft".to_owned()], ..Wishes::default() };
    let mut json = shown(BOAT, &wishes, |table| table.json());
    json["file"] = "[FILE]".into();
    json["legs"][0]["key"] = "[KEY]".into();
    insta::assert_json_snapshot!(json);
}

#[test]
fn times_are_as_exact_as_they_are_useful() {
    let shown: Vec<_> = [0.012, 0.42, 9.96, 75.0, 240.0, 7200.0].into_iter().map(duration).collect();
    assert_eq!(shown, ["12 ms", "0.4 s", "10 s", "75 s", "4 min", "2.0 h"]);
}
