//! Why a leg runs or is reused: its verdict, what its key is made of, and how that differs
//! from the nearest earlier request.

use std::fmt::Write as _;

use castline_core::key::Difference;
use castline_core::summary::RunSummary;
use castline_runner::why::{Explanation, Nearest};
use serde_json::{Value as Json, json};

use super::json::{SCHEMA_VERSION, in_short};
use crate::screen::{BAD, BOLD, DIM, GOOD, printable};

/// The explanations as people read them.
pub(crate) fn draw(explanations: &[Explanation]) -> String {
    explanations.iter().map(|one| draw_one(one, false)).collect::<Vec<_>>().join("\n")
}

/// The same of a former run, each with all that it has sent.
pub(crate) fn draw_then(run: &RunSummary, explanations: &[Explanation]) -> String {
    let started = run.started.map(|at| format!(", {at:.0}")).unwrap_or_default();
    let head = format!("{DIM}run {} of {}{started}{DIM:#}\n", run.run, printable(&run.workflow));
    let legs: Vec<_> = explanations.iter().map(|one| draw_one(one, true)).collect();
    format!("{head}{}", legs.join("\n"))
}

fn draw_one(explanation: &Explanation, whole: bool) -> String {
    let Explanation { leg, verdict, key, ingredients, nearest } = explanation;
    let mut text = format!("{BOLD}{}{BOLD:#} {}\n", printable(leg), printable(verdict));
    if let Some(key) = key {
        let _ = writeln!(text, "  {DIM}key {key}{DIM:#}");
    }
    if !ingredients.is_empty() && (whole || nearest.is_none()) {
        text.push_str(&list(ingredients.iter().map(|(path, value)| (path.as_str(), value.as_str()))));
    }
    text.push_str(&nearest.as_ref().map(difference).unwrap_or_default());
    text
}

/// What is different now, path by path.
fn difference(nearest: &Nearest) -> String {
    let mut text = format!("  the nearest earlier request, of {:.0}, differs in\n", nearest.when);
    nearest.changed.iter().for_each(|changed| text.push_str(&change(changed, 4)));
    text
}

/// One ingredient with both of its values, so many columns to the right.
pub(crate) fn change(changed: &Difference, indent: usize) -> String {
    let space = " ".repeat(indent);
    let side = |sign: &str, style: anstyle::Style, value: &Option<String>| {
        let value = value.as_deref().map_or_else(|| "(not there)".to_owned(), shown);
        format!("{space}  {style}{sign} {value}{style:#}\n")
    };
    let (before, now) = (side("-", BAD, &changed.before), side("+", GOOD, &changed.now));
    format!("{space}{BOLD}{}{BOLD:#}\n{before}{now}", printable(&changed.path))
}

/// The same as JSON has it.
pub(crate) fn change_json(changed: &Difference) -> Json {
    json!({ "path": changed.path, "before": changed.before, "now": changed.now })
}

fn list<'a>(ingredients: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> String {
    let widest = ingredients.clone().map(|(path, _)| crate::screen::columns(path)).max().unwrap_or(0);
    let line =
        |(path, value)| format!("  {}   {}\n", crate::screen::pad(&printable(path), widest), shown(value));
    ingredients.map(line).collect::<Vec<_>>().concat()
}

/// A value on one line, all of it: a difference may be anywhere.
fn shown(value: &str) -> String {
    printable(&value.replace('\n', "\\n"))
}

/// `why --run --json`.
pub(crate) fn json_then(run: &RunSummary, explanations: &[Explanation]) -> Json {
    let mut object = json(explanations);
    object["run"] = in_short(run);
    object
}

/// `why --json`.
pub(crate) fn json(explanations: &[Explanation]) -> Json {
    let legs: Vec<_> = explanations.iter().map(one_json).collect();
    json!({ "schema_version": SCHEMA_VERSION, "legs": legs })
}

fn one_json(explanation: &Explanation) -> Json {
    let nearest = explanation.nearest.as_ref().map(|nearest| {
        json!({
            "key": nearest.key,
            "when": nearest.when,
            "changed": nearest.changed.iter().map(change_json).collect::<Vec<_>>(),
        })
    });
    json!({
        "leg": explanation.leg,
        "verdict": explanation.verdict,
        "key": explanation.key,
        "ingredients": explanation.ingredients,
        "nearest": nearest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(nearest: Option<Nearest>) -> Explanation {
        Explanation {
            leg: "styled[style=bauhaus]".to_owned(),
            verdict: "runs: no earlier request had these inputs".to_owned(),
            key: None,
            ingredients: [("realm", "sandbox/1"), ("input.prompt", "Redo as bauhaus.\nKeep it.")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            nearest,
        }
    }

    #[test]
    fn the_ingredients_are_listed_when_nothing_is_near() {
        let drawn = draw(&[explanation(None)]);
        insta::assert_snapshot!(console::strip_ansi_codes(&drawn), @r"
        styled[style=bauhaus] runs: no earlier request had these inputs
          realm          sandbox/1
          input.prompt   Redo as bauhaus.\nKeep it.
        ");
    }

    #[test]
    fn a_near_request_is_compared_path_by_path() {
        let nearest = Nearest {
            key: castline_core::Key(castline_core::Digest::of(b"x")),
            when: "2026-11-02T09:15:02Z".parse().unwrap(),
            changed: vec![
                Difference {
                    path: "input.prompt".to_owned(),
                    before: Some("Redo as linocut.".to_owned()),
                    now: Some("Redo as bauhaus.".to_owned()),
                },
                Difference { path: "draw".to_owned(), before: None, now: Some("[1]".to_owned()) },
            ],
        };
        let drawn = draw(&[explanation(Some(nearest))]);
        insta::assert_snapshot!(console::strip_ansi_codes(&drawn), @r"
        styled[style=bauhaus] runs: no earlier request had these inputs
          the nearest earlier request, of 2026-11-02T09:15:02Z, differs in
            input.prompt
              - Redo as linocut.
              + Redo as bauhaus.
            draw
              - (not there)
              + [1]
        ");
    }
}
