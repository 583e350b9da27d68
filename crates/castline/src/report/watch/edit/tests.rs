use std::fmt::Write as _;

use castline_core::MicroUsd;
use castline_core::bill::Price;
use castline_core::event::LegRef;
use castline_core::price::Estimate;

use super::*;
use crate::report::testing::leg;

/// What becomes of one leg.
fn compared(step: &str, values: &serde_json::Value, change: Change, word: Word, price: Price) -> Compared {
    let leg: LegRef = serde_json::from_value(leg(step, values)).expect("a leg");
    Compared { leg, change, word, price }
}

fn changed(paths: &[&str], now: &str) -> Change {
    let one = |path: &&str| Difference {
        path: format!("input.{path}"),
        before: Some("was".to_owned()),
        now: Some(now.to_owned()),
    };
    Change::Changed(paths.iter().map(one).collect())
}

const PRICE: Price = Price::Known(Estimate { min: MicroUsd(40_000), max: MicroUsd(40_000) });

/// The lines of an edit, on a provider that takes money and on one that does not.
fn drawn(legs: Vec<Compared>) -> String {
    let bill: Bill = legs.iter().map(|leg| (leg.word, leg.price, ONE)).collect();
    let edit = Comparison { legs, before: bill, now: bill, edit: bill };
    let mut text = String::new();
    for (name, live) in [("live", true), ("free", false)] {
        for line in lines(&edit, live) {
            writeln!(text, "{name}  {}", console::strip_ansi_codes(&line)).expect("a string");
        }
    }
    text
}

#[test]
fn a_line_for_each_step_says_what_an_edit_does() {
    use serde_json::json;
    let style = |style: &str| json!({ "style": style });
    let kept = |step: &str, values| compared(step, &values, Change::Kept, Word::Reused, Price::None);
    let runs = |step: &str, values, change| compared(step, &values, change, Word::Run, PRICE);
    let none = || json!({});
    let cases = [
        ("nothing", vec![kept("draft", none())]),
        ("one of one", vec![runs("draft", none(), changed(&["prompt"], "now"))]),
        (
            "one of three, and who reads it",
            vec![
                kept("styled", style("ukiyo-e")),
                runs("styled", style("linocut"), changed(&["prompt", "seed"], "now")),
                kept("styled", style("claymation")),
                compared(
                    "sheet",
                    &none(),
                    changed(&["images[1]"], "(what `styled[style=linocut]` gives)"),
                    Word::Run,
                    Price::Free,
                ),
            ],
        ),
        (
            "another axis value",
            vec![
                runs("styled", style("woodcut"), Change::Added),
                kept("styled", style("ukiyo-e")),
                compared("styled", &style("linocut"), Change::Dropped, Word::Reused, Price::None),
            ],
        ),
        (
            "many inputs",
            vec![runs("draft", none(), changed(&["prompt", "seed", "steps", "guidance"], "now"))],
        ),
        (
            "what is known already",
            vec![compared("draft", &none(), changed(&["prompt"], "now"), Word::Reused, Price::None)],
        ),
        (
            "skipped now, renamed, and known only later",
            vec![
                compared("large", &none(), Change::Switched(Word::Run), Word::Skip, Price::None),
                compared("small", &none(), Change::Renamed("tiny".to_owned()), Word::Reused, Price::None),
                compared("scene", &none(), Change::Unknown, Word::Run, Price::Later),
            ],
        ),
        (
            "a long name, with signs of a terminal in it",
            vec![runs(
                "styled",
                style("a very long style \u{1b}[31m that nobody can read"),
                changed(&["prompt"], "now"),
            )],
        ),
    ];
    let text: Vec<_> = cases.into_iter().map(|(name, legs)| format!("# {name}\n{}", drawn(legs))).collect();
    insta::assert_snapshot!(text.join("\n"));
}
