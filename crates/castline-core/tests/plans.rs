//! Plans held against each other: an edit of a workflow, and a plan that was frozen.

mod common;

use castline_core::bill::Bill;
use castline_core::comparison::{Change, Comparison};
use castline_core::forecast::Forecast;
use castline_core::frozen::{BadPlan, Frozen, Moved, SCHEMA_VERSION};
use castline_core::plan::Choices;
use castline_core::{Digest, MicroUsd, Realm};
use common::{World, plan, plan_in, plan_with, routing};
use serde_json::json;

const BOAT: &str = r#"
steps:
  draft:
    uses: draw
    with: { prompt: A paper boat. }
  styled:
    uses: edit
    from: draft
    each: { style: [linocut, claymation] }
    with: { prompt: "Redo as {{ each.style }}." }
  title:
    uses: write
    from: styled.all
    with: { prompt: "Name it {{ steps.draft.image.media_type }}." }
  sheet:
    uses: sheet
    from: styled.all
"#;

/// Without a step that reads what only a run tells.
fn boat() -> String {
    let start = BOAT.find("  title:").unwrap();
    let end = BOAT.find("  sheet:").unwrap();
    format!("{}{}", &BOAT[..start], &BOAT[end..])
}

fn forecast(world: &World, text: &str) -> Forecast {
    world.forecast(plan(text, &[]).unwrap())
}

/// A line for each leg that is not kept, then the bills.
fn edit(world: &World, before: &str, now: &str) -> String {
    let compared = Comparison::of(&forecast(world, before), &forecast(world, now));
    let mut lines = Vec::new();
    for leg in &compared.legs {
        let what = match &leg.change {
            Change::Kept => continue,
            Change::Changed(changed) => {
                let changed = changed.iter().map(|c| format!("{}: {:?} -> {:?}", c.path, c.before, c.now));
                format!("changed {}", changed.collect::<Vec<_>>().join(", "))
            }
            Change::Renamed(was) => format!("was {was}"),
            Change::Switched(was) => format!("was {}", was.as_str()),
            other => other.as_str().to_owned(),
        };
        lines.push(format!("{} ({}) {what}", leg.leg.name, leg.word.as_str()));
    }
    let bill = |bill: &Bill| format!("{} to {} and {}", bill.min, bill.max, bill.unpriced);
    let Comparison { before, now, edit, .. } = &compared;
    lines.push(format!(
        "{} kept; edit {}; {} after {}",
        compared.count("kept"),
        bill(edit),
        bill(now),
        bill(before)
    ));
    lines.join("\n")
}

fn done(text: &str) -> World {
    let mut world = World::default();
    world.run(plan(text, &[]).unwrap(), usize::MAX, |_| 0);
    world
}

#[test]
fn an_edit_is_told_leg_by_leg_before_anything_ran() {
    let now = boat().replace("claymation", "gouache").replace("Redo as {{", "Redo it as {{");
    insta::assert_snapshot!(edit(&World::default(), &boat(), &now), @r#"
    styled[style=linocut] (upstream) changed input.prompt: Some("Redo as linocut.") -> Some("Redo it as linocut.")
    styled[style=gouache] (upstream) added
    sheet (upstream) changed input.pictures: Some("[\"(what `styled[style=linocut]` would give)\",\"(what `styled[style=claymation]` would give)\"]") -> Some("[\"(what `styled[style=linocut]` gives now)\",\"(what `styled[style=gouache]` gives now)\"]")
    styled[style=claymation] (upstream) dropped
    1 kept; edit 0.00 USD to 0.10 USD and 0; 0.01 USD to 0.11 USD and 0 after 0.01 USD to 0.11 USD and 0
    "#);
}

#[test]
fn what_reads_a_changed_leg_changes_in_what_it_reads() {
    let now = boat().replace("A paper boat.", "A tin boat.");
    insta::assert_snapshot!(edit(&done(&boat()), &boat(), &now), @r#"
    draft (run) changed input.prompt: Some("A paper boat.") -> Some("A tin boat.")
    styled[style=linocut] (upstream) changed input.picture: Some("sha256:3dcc006abc0bc4395d1fe0506c13008bbd5a7d03b81651318bc1955bdfc233cc") -> Some("(what `draft` gives now)")
    styled[style=claymation] (upstream) changed input.picture: Some("sha256:3dcc006abc0bc4395d1fe0506c13008bbd5a7d03b81651318bc1955bdfc233cc") -> Some("(what `draft` gives now)")
    sheet (upstream) changed input.pictures: Some("[\"sha256:5210bc94284fd26d6e6f3294e7f5a358e88c6720ee66e4290739ec00639fb298\",\"sha256:c4380555f03ae27aafe9deb8584a89f00114218483fd2078a3da379b7d34c521\"]") -> Some("[\"(what `styled[style=linocut]` gives now)\",\"(what `styled[style=claymation]` gives now)\"]")
    0 kept; edit 0.01 USD to 0.11 USD and 0; 0.01 USD to 0.11 USD and 0 after 0.00 USD to 0.00 USD and 0
    "#);
}

#[test]
fn what_reads_a_changed_leg_changes_before_anything_ran_too() {
    let now = boat().replace("A paper boat.", "A tin boat.").replace("[linocut, claymation]", "[linocut]");
    insta::assert_snapshot!(edit(&World::default(), &boat(), &now), @r#"
    draft (run) changed input.prompt: Some("A paper boat.") -> Some("A tin boat.")
    styled[style=linocut] (upstream) changed input.picture: Some("(what `draft` would give)") -> Some("(what `draft` gives now)")
    sheet (upstream) changed input.pictures: Some("[\"(what `styled[style=linocut]` would give)\",\"(what `styled[style=claymation]` would give)\"]") -> Some("[\"(what `styled[style=linocut]` gives now)\"]")
    styled[style=claymation] (upstream) dropped
    0 kept; edit 0.01 USD to 0.07 USD and 0; 0.01 USD to 0.07 USD and 0 after 0.01 USD to 0.11 USD and 0
    "#);
}

#[test]
fn comments_order_and_names_cost_nothing() {
    let now = boat().replace("draft", "sketch").replace("steps:", "# ours\nsteps:");
    insta::assert_snapshot!(edit(&done(&boat()), &boat(), &now), @"
    sketch (hit) was draft
    3 kept; edit 0.00 USD to 0.00 USD and 0; 0.00 USD to 0.00 USD and 0 after 0.00 USD to 0.00 USD and 0
    ");
    assert_eq!(edit(&World::default(), &boat(), &boat().replace("{ style:", "{  style:")), {
        let compared =
            Comparison::of(&forecast(&World::default(), &boat()), &forecast(&World::default(), &boat()));
        let bill = |bill: &Bill| format!("{} to {} and {}", bill.min, bill.max, bill.unpriced);
        let Comparison { before, now, .. } = &compared;
        format!("4 kept; edit 0.00 USD to 0.00 USD and 0; {} after {}", bill(now), bill(before))
    });
}

#[test]
fn legs_that_come_and_go_are_added_and_dropped() {
    let now = boat().replace("[linocut, claymation]", "[linocut, gouache, fresco]");
    insta::assert_snapshot!(edit(&done(&boat()), &boat(), &now), @r#"
    styled[style=gouache] (run) added
    styled[style=fresco] (run) added
    sheet (upstream) changed input.pictures: Some("[\"sha256:5210bc94284fd26d6e6f3294e7f5a358e88c6720ee66e4290739ec00639fb298\",\"sha256:c4380555f03ae27aafe9deb8584a89f00114218483fd2078a3da379b7d34c521\"]") -> Some("[\"sha256:5210bc94284fd26d6e6f3294e7f5a358e88c6720ee66e4290739ec00639fb298\",\"(what `styled[style=gouache]` gives now)\",\"(what `styled[style=fresco]` gives now)\"]")
    styled[style=claymation] (hit) dropped
    2 kept; edit 0.08 USD to 0.10 USD and 0; 0.08 USD to 0.10 USD and 0 after 0.00 USD to 0.00 USD and 0
    "#);
}

#[test]
fn a_leg_that_is_skipped_now_is_another_thing() {
    let now = boat().replace("    uses: sheet", "    if: 1 > 2\n    uses: sheet");
    insta::assert_snapshot!(edit(&World::default(), &boat(), &now), @"
    sheet (skip) was upstream
    3 kept; edit 0.00 USD to 0.00 USD and 0; 0.01 USD to 0.09 USD and 0 after 0.01 USD to 0.11 USD and 0
    ");
}

/// A plan of this text in a project that says `prices`.
fn frozen_in(world: &World, prices: &str, text: &str) -> Frozen {
    let forecast = world.forecast(plan_in(prices, text, &[]).unwrap());
    Frozen {
        schema_version: SCHEMA_VERSION,
        castline: "1.0.0".to_owned(),
        workflow: "boat".to_owned(),
        file: "boat.yaml".to_owned(),
        project: ".".to_owned(),
        run: "run1".to_owned(),
        provider: "test".to_owned(),
        providers: [("test".to_owned(), [("kind".to_owned(), "replicate".to_owned())].into())].into(),
        choices: castline_core::frozen::Chosen::default(),
        given: [("share".to_owned(), json!(0.1 + 0.2))].into_iter().collect(),
        inputs: [("share".to_owned(), json!(0.1 + 0.2))].into_iter().collect(),
        documents: [("boat.yaml".to_owned(), Digest::of(text.as_bytes()))].into(),
        files: [("photo.png".to_owned(), Digest::of(b"photo"))].into(),
        lock: json!({ "castline": 1, "models": { "a/b": "v1" } }),
        steps: Frozen::steps(&forecast),
        legs: Frozen::legs(&forecast),
        total: Bill::of(&forecast).into(),
        budget: None,
    }
}

fn frozen(world: &World, text: &str) -> Frozen {
    frozen_in(world, "", text)
}

fn lines(moved: &[Moved]) -> String {
    moved
        .iter()
        .map(|m| format!("{}{m}", if m.is_money() { "$ " } else { "" }))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_plan_survives_its_file() {
    let plan = frozen(&World::default(), &boat());
    let text = plan.to_text();
    assert_eq!(Frozen::parse(&text), Ok(plan.clone()));
    assert_eq!(Frozen::parse(&text).unwrap().to_text(), text);
    let spaces = text.replace('\n', "\n\n");
    assert_eq!(Frozen::parse(&spaces), Ok(plan), "white space is no content");
}

#[test]
fn what_is_no_plan_says_so() {
    let text = frozen(&World::default(), &boat()).to_text();
    assert_eq!(Frozen::parse(&text[..text.len() / 2]), Err(BadPlan::CutOff));
    assert_eq!(Frozen::parse(""), Err(BadPlan::NoPlan));
    assert_eq!(Frozen::parse("steps: {}"), Err(BadPlan::NoPlan));
    assert_eq!(Frozen::parse("{\"schema_version\": 1}"), Err(BadPlan::NoPlan));
    let newer = text.replace("\"schema_version\": 1", "\"schema_version\": 2");
    assert_eq!(Frozen::parse(&newer), Err(BadPlan::Newer(2)));
    assert_eq!(Frozen::parse("{\"schema_version\": 2, \"seal\": []}"), Err(BadPlan::Newer(2)));
    let older = text.replace("\"schema_version\": 1", "\"schema_version\": 0");
    assert_eq!(Frozen::parse(&older), Err(BadPlan::NoPlan), "there never was one");
    let edited = text.replace("A paper boat.", "A tin boat.");
    assert_eq!(Frozen::parse(&edited), Err(BadPlan::Edited));
}

#[test]
fn nothing_has_moved_when_legs_have_finished_since() {
    let before = frozen(&World::default(), &boat());
    assert_eq!(before.moved(&frozen(&World::default(), &boat())), []);
    for ended in 1..5 {
        let mut world = World::default();
        world.run(plan(&boat(), &[]).unwrap(), ended, |_| 0);
        assert_eq!(before.moved(&frozen(&world, &boat())), [], "after {ended}");
    }
}

#[test]
fn what_moved_is_named_and_money_apart() {
    let before = frozen(&World::default(), &boat());
    let mut now = frozen_in(&World::default(), "prices:\n  edit: { usd: 0.05, per: image }\n", &boat());
    now.castline = "1.1.0".to_owned();
    now.files.insert("photo.png".to_owned(), Digest::of(b"another"));
    now.lock = json!({ "castline": 1, "models": { "a/b": "v2" } });
    now.providers.get_mut("test").unwrap().insert("base_url".to_owned(), "http://localhost".to_owned());
    insta::assert_snapshot!(lines(&before.moved(&now)), @"
    castline is 1.1.0, and the plan was made by castline 1.0.0
    `photo.png` was sha256:55c64d0fcd6f and is sha256:ae448ac86c4e
    `models.a/b` in castline.lock was `v1` and is `v2`
    `base_url` of the provider `test` is `http://localhost`, and was not set
    $ the price of `styled` was 0.04 USD per image and is 0.05 USD per image
    ");
}

#[test]
fn a_changed_request_is_named_with_its_fields() {
    let before = frozen(&done(&boat()), &boat());
    let now = frozen(&done(&boat()), &boat().replace("A paper boat.", "A tin boat."));
    insta::assert_snapshot!(lines(&before.moved(&now)), @"
    `boat.yaml` was sha256:77a94a588f89 and is sha256:0c9af4d77066
    `draft` is another request: `input.prompt` was `A paper boat.` and is `A tin boat.`
    ");
}

#[test]
fn what_was_counted_as_there_and_is_gone_is_money() {
    let world = done(&boat());
    let before = frozen(&world, &boat());
    let draft = before.legs.iter().find(|leg| leg.name == "draft").unwrap().key.unwrap();
    let mut lost = world.clone();
    lost.ledger.remove(&draft);
    insta::assert_snapshot!(lines(&before.moved(&frozen(&lost, &boat()))), @"$ `draft` was to be reused, and is not there any more: no earlier request had these inputs");
}

#[test]
fn a_price_counts_only_for_what_has_still_to_run() {
    let world = done(&boat());
    let dearer = "prices:\n  edit: { usd: 0.05, per: image }\n";
    let before = frozen(&World::default(), &boat());
    assert_eq!(before.moved(&frozen_in(&world, dearer, &boat())), []);
    assert_eq!(before.total.max_usd.0, MicroUsd(110_000));
}

#[test]
fn a_server_of_ones_own_costs_nothing_where_no_price_is_given() {
    let text = "steps:\n  a: { uses: 'model:acme/paint', with: { prompt: A boat. } }\n";
    let unpriced = |bills, realm| {
        let mut routing = routing();
        (routing.chosen.bills, routing.chosen.realm) = (bills, realm);
        let plan = plan_with(text, &[], routing, Choices::default()).unwrap();
        Bill::of(&World::default().forecast(plan)).unpriced
    };
    assert_eq!(unpriced(false, Realm::Own("studio".into())), 0);
    assert_eq!(unpriced(false, Realm::Sandbox(1)), 1, "live it would cost, and nobody knows how much");
    assert_eq!(unpriced(true, Realm::Own("gateway".into())), 1);
    assert_eq!(unpriced(true, Realm::Public), 1);
}
