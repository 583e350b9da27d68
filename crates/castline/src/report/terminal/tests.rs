use std::sync::mpsc::channel;

use castline_core::record::RunRecord;
use serde_json::json;

use super::Terminal;
use crate::report::testing::{entry, events, leg, project, record, request, step};

/// What a reporter says of events, and at the end.
fn said(entries: &[castline_core::event::Entry], finish: bool) -> String {
    let (tell, told) = channel();
    let mut terminal =
        Terminal::new(Box::new(move |line| tell.send(line.to_owned()).unwrap()), project().root);
    entries.iter().for_each(|entry| terminal.take(entry));
    if finish {
        terminal.finish(&RunRecord::of(entries.to_vec()), Some("out/boat/report.html"));
    }
    drop(terminal);
    let lines: Vec<_> = told.iter().collect();
    console::strip_ansi_codes(&lines.join("\n")).into_owned()
}

#[test]
fn a_run_is_a_line_for_each_leg_and_a_summary() {
    insta::assert_snapshot!(said(&events(), true));
}

#[test]
fn legs_that_did_nothing_are_counted_when_a_step_has_many() {
    let started = json!({
        "type": "run-started", "run": "r", "workflow": "many", "file": "many.yaml", "provider": "replicate",
        "castline_version": "0.1.0", "legs": 40, "steps": [step("picture", "flux-schnell", &["n"], 40, &[])],
    });
    let reused = |n: usize| {
        json!({
            "type": "leg-reused", "leg": leg("picture", &json!({ "n": n })), "request": request("A boat.", &json!({})),
            "output": "x", "prediction": null, "estimate": null,
        })
    };
    let failed = json!({
        "type": "leg-failed", "leg": leg("picture", &json!({ "n": 39 })), "status": "in-doubt",
        "failure": { "kind": "other", "message": "nobody knows; ask" }, "prediction": null, "cost": null, "handled": false,
    });
    let ended = json!({
        "type": "run-ended", "status": "in-doubt", "elapsed_seconds": 400.0,
        "totals": { "cost": 40000, "would_cost": 40000, "saved": 117_000, "unpriced": 1 },
    });
    let all = std::iter::once(started).chain((0..39).map(reused)).chain([failed, ended]);
    let entries: Vec<_> = all.enumerate().map(|(seq, event)| entry(seq, event)).collect();

    insta::assert_snapshot!(said(&entries, true));
}

#[test]
fn a_run_of_very_many_legs_is_told_in_short() {
    let started = json!({
        "type": "run-started", "run": "r", "workflow": "many", "file": "many.yaml", "provider": "replicate",
        "castline_version": "0.1.0", "legs": 1000, "steps": [step("picture", "flux-schnell", &["n"], 1000, &[])],
    });
    let leg = |n: usize| leg("picture", &json!({ "n": n }));
    let ended = |n: usize| match n % 100 {
        7 => json!({
            "type": "leg-failed", "leg": leg(n), "status": "failed", "prediction": null, "cost": 0, "handled": false,
            "failure": { "kind": "platform", "message": format!("prediction interrupted after {n} steps (code: PA)") },
        }),
        8 => json!({
            "type": "leg-failed", "leg": leg(n), "status": "failed", "prediction": null, "cost": 0, "handled": false,
            "failure": { "kind": "moderation", "message": "flagged as sensitive (E005)", "logs": "seed 4\nflagged" },
        }),
        _ => json!({
            "type": "leg-succeeded", "leg": leg(n), "output": "x", "prediction": null, "cost": 3000,
            "estimate": null, "predict_seconds": null,
        }),
    };
    let over = json!({
        "type": "run-ended", "status": "failed", "elapsed_seconds": 400.0,
        "totals": { "cost": 2_940_000, "would_cost": 2_940_000, "saved": 0, "unpriced": 0 },
    });
    let all = std::iter::once(started).chain((0..1000).map(ended)).chain([over]);
    let entries: Vec<_> = all.enumerate().map(|(seq, event)| entry(seq, event)).collect();

    insta::assert_snapshot!(said(&entries, true));
}

#[test]
fn an_interrupted_run_says_what_it_waits_for() {
    let mut entries = events();
    entries.truncate(4);
    entries.push(entry(4, json!({ "type": "interrupted" })));
    entries.extend(events().drain(4..5));

    let said = said(&entries, false);
    assert!(
        said.ends_with(
            "stopping: 2 predictions are under way and paid for, 0.08 USD at most: waiting for the end; \
             Ctrl-C again leaves them to the next run"
        ),
        "{said}"
    );
}

#[test]
fn a_run_that_stops_says_what_goes_on_at_which_provider_and_at_what_price() {
    for (event, first) in [
        (json!({ "type": "interrupted" }), "stopping: 2"),
        (json!({ "type": "stopping", "why": "canceled" }), "canceled: 2"),
        (json!({ "type": "stopping", "why": "fail-fast" }), "stopping at the first failure: 2"),
    ] {
        let mut entries = events();
        entries.truncate(4);
        let started = entries.iter().find_map(|entry| match &entry.event {
            castline_core::event::Event::LegStarted { leg, .. } => Some(leg.clone()),
            _ => None,
        });
        entries.push(entry(
            4,
            json!({ "type": "leg-created", "leg": started.unwrap(), "prediction": "p1", "adopted": false }),
        ));
        entries.push(entry(5, event));
        entries.extend(events().drain(4..5));
        let said = said(&entries, false);
        assert!(said.contains(first), "{said}");
        assert!(said.contains("prediction p1 of owner/model at sandbox, 0.04 USD at most"), "{said}");
    }
}

#[test]
fn what_a_stand_in_makes_is_not_said_to_be_paid_for() {
    for (event, words) in [
        (json!({ "type": "interrupted" }), "stopping: 2 predictions are under way: waiting for the end; "),
        (
            json!({ "type": "stopping", "why": "canceled" }),
            "canceled: 2 predictions are under way: each is stopped where its provider can be told to",
        ),
    ] {
        let mut entries = events();
        entries.truncate(4);
        entries.push(entry(4, event));
        let (tell, told) = channel();
        let mut terminal =
            Terminal::new(Box::new(move |line| tell.send(line.to_owned()).unwrap()), project().root)
                .with_free(["sandbox".to_owned()].into());
        entries.iter().for_each(|entry| terminal.take(entry));
        terminal.tick();
        drop(terminal);
        let lines: Vec<_> = told.iter().collect();
        let said = console::strip_ansi_codes(&lines.join("\n")).into_owned();
        assert!(said.contains(words) && !said.contains("paid") && !said.contains("billed"), "{said}");
    }
}

#[test]
fn a_run_that_leaves_at_once_says_so() {
    let mut entries = events();
    entries.truncate(4);
    entries.push(entry(4, json!({ "type": "interrupted" })));
    entries.push(entry(5, json!({ "type": "output-ready", "name": "words", "value": null })));

    let said = said(&entries, false);
    assert!(
        said.ends_with("leaving: 2 predictions under way, left to the next run, which adopts what it finds"),
        "{said}"
    );
}

#[test]
fn text_from_a_model_cannot_steer_the_terminal() {
    let mut terminal_codes = String::new();
    let (tell, told) = channel();
    let mut terminal =
        Terminal::new(Box::new(move |line| tell.send(line.to_owned()).unwrap()), project().root);
    events().iter().for_each(|entry| terminal.take(entry));
    terminal.finish(&record(), None);
    drop(terminal);
    told.iter().for_each(|line| terminal_codes.push_str(&line));

    assert!(terminal_codes.contains("flagged") && !terminal_codes.contains("\u{1b}[2J"));
}
