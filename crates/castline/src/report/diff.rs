//! Two runs side by side: for people leg by leg, for programs whole.
//!
//! Start reading at [`draw`]; [`json()`] is the other face.

use std::fmt::Write as _;

use castline_core::MicroUsd;
use castline_core::key::Difference;
use castline_core::results::LegStatus;
use castline_core::summary::RunSummary;
use castline_runner::diff::{Diff, LegDiff, OutputDiff, Side};
use castline_runner::{Project, shown};
use serde_json::{Value as Json, json};

use super::json::{SCHEMA_VERSION, in_short};
use super::plan::{counted, duration};
use super::{files, money, words};
use crate::screen::{self, BOLD, DIM, HINT, WARN, pad, printable};

/// More legs are counted, not shown, unless all are wanted.
const MOST_LEGS: usize = 50;

/// What differs, as people read it.
pub(crate) fn draw(diff: &Diff, all: bool) -> String {
    let mut text = format!("{}{}\n", run("left ", &diff.left), run("right", &diff.right));
    if diff.left.workflow != diff.right.workflow {
        let _ = writeln!(
            text,
            "{WARN}different workflows{WARN:#}: {} the same name, {} only on the left, {} only on the right\n",
            match diff.shared {
                1 => "1 step has".to_owned(),
                n => format!("{n} steps have"),
            },
            diff.only_left.len(),
            diff.only_right.len()
        );
    }
    let most = if all { usize::MAX } else { MOST_LEGS };
    diff.legs.iter().take(most).for_each(|leg| text.push_str(&draw_leg(leg)));
    if diff.legs.len() > most {
        let _ = writeln!(
            text,
            "and {} more that differ: `--all` shows them, `--step` those of one step",
            counted(diff.legs.len() - most, "leg")
        );
    }
    if diff.unseen > 0 {
        let _ = writeln!(
            text,
            "{} of pictures were not looked at: `--all` looks at all of them",
            counted(diff.unseen, "pair")
        );
    }
    if !diff.legs.is_empty() {
        text.push('\n');
    }
    text.push_str(&total(diff));
    text
}

/// `left   01K... paper-boat on sandbox, 2026-...: 7 ran, 1 reused; free; 3.1 s`
fn run(side: &str, run: &RunSummary) -> String {
    let RunSummary { run: id, workflow, provider, started, status, counts, totals, elapsed_seconds, .. } =
        run;
    let started = started.map(|at| format!(", {at:.0}")).unwrap_or_default();
    let cost = money::paid(provider, totals);
    let never = if status.is_none() { "never ended; " } else { "" };
    format!(
        "{DIM}{side}{DIM:#}  {BOLD}{id}{BOLD:#}  {} on {}{started}: {never}{counts}; {cost}; {}\n",
        printable(workflow),
        printable(provider),
        duration(*elapsed_seconds)
    )
}

fn draw_leg(leg: &LegDiff) -> String {
    let name = format!("{BOLD}{}{BOLD:#}", printable(&leg.leg.name));
    let (left, right) = match (&leg.left, &leg.right) {
        (Some(left), Some(right)) => (left, right),
        (Some(one), None) => return format!("{name}   only on the left: {}\n", state(one)),
        (None, Some(one)) => return format!("{name}   only on the right: {}\n", state(one)),
        (None, None) => return String::new(),
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    for Difference { path, before, now } in &leg.changed {
        let value = match (before, now) {
            (Some(before), Some(now)) => words::difference(before, now),
            (Some(before), None) => format!("only on the left: {}", screen::short(before, 120)),
            (None, Some(now)) => format!("only on the right: {}", screen::short(now, 120)),
            (None, None) => continue,
        };
        rows.push((path.clone(), value));
    }
    for output in &leg.outputs {
        rows.push((format!("output{}", output.path), outcome(output)));
    }
    if state(left) != state(right) {
        rows.push(("status".to_owned(), format!("{} -> {}", state(left), state(right))));
    }
    if left.cost != right.cost {
        rows.push(("cost".to_owned(), format!("{} -> {}", amount(left), amount(right))));
    }
    if let (Some(left), Some(right)) = (left.seconds, right.seconds) {
        rows.push(("time".to_owned(), format!("{} -> {}", duration(left), duration(right))));
    }
    let widest = rows.iter().map(|(name, _)| screen::columns(name)).max().unwrap_or(0);
    let rows = rows.iter().map(|(name, value)| format!("  {}   {value}\n", pad(&printable(name), widest)));
    format!("{name}\n{}", rows.collect::<String>())
}

/// `succeeded`, `failed: it broke`.
fn state(side: &Side) -> String {
    let word = match side.status {
        LegStatus::Succeeded if side.reused => "reused",
        LegStatus::Succeeded => "ran",
        LegStatus::Failed => "failed",
        LegStatus::Canceled => "canceled",
        LegStatus::Skipped => "skipped",
        LegStatus::Expired => "expired",
        LegStatus::InDoubt => "in doubt",
        LegStatus::Refused => "refused",
        LegStatus::NotRun => "not run",
    };
    match &side.message {
        Some(message) => format!("{word} ({})", screen::short(message, 100)),
        None => word.to_owned(),
    }
}

fn amount(side: &Side) -> String {
    match side.cost {
        Some(MicroUsd::ZERO) if side.reused => "nothing, it was reused".to_owned(),
        Some(cost) => cost.to_string(),
        None => "unknown".to_owned(),
    }
}

fn outcome(output: &OutputDiff) -> String {
    let size = |(width, height): (u32, u32)| format!("{width}x{height}");
    if let Some(likeness) = output.likeness {
        let sizes = match likeness.left == likeness.right {
            true => size(likeness.left),
            false => format!("{} -> {}", size(likeness.left), size(likeness.right)),
        };
        let alike = match (likeness.ssim, likeness.difference) {
            (Some(ssim), Some(difference)) => {
                format!("SSIM {ssim:.3}, colors {:.1} % apart, {sizes}", difference * 100.0)
            }
            _ => format!("pictures of other shapes, {sizes}"),
        };
        let picture = output.picture.as_ref().map(|path| format!(": {}", printable(&shown(path))));
        return format!("{alike}{}", picture.unwrap_or_default());
    }
    match (&output.left, &output.right) {
        (Some(Json::String(left)), Some(Json::String(right))) => words::difference(left, right),
        (Some(left), None) => format!("only on the left: {}", described(left)),
        (None, Some(right)) => format!("only on the right: {}", described(right)),
        (Some(left), Some(right)) if is_file(left) || is_file(right) => {
            let note = output.note.as_ref().map(|note| format!(" ({})", screen::short(note, 120)));
            format!("{} -> {}{}", described(left), described(right), note.unwrap_or_default())
        }
        (Some(left), Some(right)) => words::difference(&left.to_string(), &right.to_string()),
        (None, None) => String::new(),
    }
}

fn is_file(value: &Json) -> bool {
    value.as_object().is_some_and(|map| files::digest_of(map).is_some())
}

/// `image/png 1024x768 sha256:51ab3c44d5e6`.
fn described(value: &Json) -> String {
    let Some(digest) = value.as_object().and_then(files::digest_of) else {
        return screen::short(&value.to_string(), 100);
    };
    let media_type = value["media_type"].as_str().unwrap_or_default();
    let size = value["width"].as_u64().zip(value["height"].as_u64());
    let size = size.map(|(width, height)| format!(" {width}x{height}")).unwrap_or_default();
    printable(&format!("{media_type}{size} {}", &digest[..digest.len().min(19)]))
}

/// `3 legs differ, 12 are the same`
fn total(diff: &Diff) -> String {
    let same = match diff.same {
        0 => String::new(),
        1 => "1 leg is the same".to_owned(),
        n => format!("{n} legs are the same"),
    };
    let differ = match (diff.legs.len(), diff.same) {
        (0, _) => return format!("nothing differs: {}\n", if diff.same == 0 { "no legs" } else { &same }),
        (1, 0) => "1 leg differs".to_owned(),
        (n, 0) => format!("{n} legs differ"),
        (1, _) => format!("1 leg differs, {same}"),
        (n, _) => format!("{n} legs differ, {same}"),
    };
    let pictures = diff.legs.iter().flat_map(|leg| &leg.outputs);
    let seen = pictures.clone().any(|output| output.likeness.is_some());
    let written = pictures.clone().any(|output| output.picture.is_some());
    let hint = match seen && !written {
        true => format!(
            "  = {HINT}hint{HINT:#}: `--pictures DIR` writes left, right and difference of each pair\n"
        ),
        false => String::new(),
    };
    format!("{differ}\n{hint}")
}

/// `runs diff --json`.
pub(crate) fn json(diff: &Diff, project: &Project) -> Json {
    json!({
        "schema_version": SCHEMA_VERSION,
        "project": project.root,
        "left": in_short(&diff.left),
        "right": in_short(&diff.right),
        "same_workflow": diff.left.workflow == diff.right.workflow,
        "only_left": diff.only_left,
        "only_right": diff.only_right,
        "same": diff.same,
        "legs": diff.legs.iter().map(leg_json).collect::<Vec<_>>(),
        "pairs_not_looked_at": diff.unseen,
    })
}

fn leg_json(leg: &LegDiff) -> Json {
    let changed = leg.changed.iter();
    json!({
        "step": leg.leg.step,
        "leg": leg.leg.leg,
        "left": leg.left.as_ref().map(side_json),
        "right": leg.right.as_ref().map(side_json),
        "changed": changed
            .map(|d| json!({ "path": d.path, "left": d.before, "right": d.now }))
            .collect::<Vec<_>>(),
        "outputs": leg.outputs.iter().map(output_json).collect::<Vec<_>>(),
    })
}

fn side_json(side: &Side) -> Json {
    json!({
        "status": side.status,
        "reused": side.reused,
        "key": side.key,
        "cost_usd": side.cost.map(MicroUsd::usd),
        "seconds": side.seconds,
        "message": side.message,
    })
}

fn output_json(output: &OutputDiff) -> Json {
    json!({
        "path": output.path,
        "left": output.left,
        "right": output.right,
        "ssim": output.likeness.and_then(|likeness| likeness.ssim),
        "color_difference": output.likeness.and_then(|likeness| likeness.difference),
        "note": output.note,
        "picture": output.picture,
    })
}
