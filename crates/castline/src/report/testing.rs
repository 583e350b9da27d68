//! A run to show, for tests of reporters.

use castline_core::event::Entry;
use castline_core::record::RunRecord;
use castline_runner::Project;
use serde_json::{Value as Json, json};

/// A project without a file.
pub(crate) fn project() -> Project {
    Project { root: "/project".into(), document: None }
}

/// The events of a run as a journal has them: one leg ran, one was reused, one failed, one was
/// not run.
pub(crate) fn events() -> Vec<Entry> {
    let events = vec![
        json!({
            "type": "run-started", "run": "01M0000000000000000000000A", "workflow": "boat", "file": "boat.yaml",
            "provider": "sandbox", "castline_version": "0.1.0", "legs": 4,
            "steps": [
                step("draft", "flux-schnell", &[], 1, &[]),
                step("styled", "flux-kontext-pro", &["style"], 2, &["draft"]),
                step("sheet", "std/contact-sheet", &[], 1, &["styled"]),
            ],
        }),
        json!({
            "type": "leg-reused", "leg": leg("draft", &json!({})), "request": request("A boat.", &json!({ "seed": 7 })),
            "output": file('a', "image/webp"), "prediction": "sandbox-1", "estimate": { "min": 3000, "max": 3000 },
        }),
        json!({
            "type": "leg-started", "leg": leg("styled", &json!({ "style": "ukiyo-e" })), "attempt": 1,
            "request": request("Redo as <ukiyo-e>.", &json!({ "input_image": file('a', "image/webp") })),
            "estimate": { "min": 40000, "max": 40000 },
        }),
        json!({
            "type": "leg-started", "leg": leg("styled", &json!({ "style": "linocut" })), "attempt": 1,
            "request": request("Redo as linocut.", &json!({ "input_image": file('a', "image/webp") })),
            "estimate": { "min": 40000, "max": 40000 },
        }),
        json!({
            "type": "leg-created", "leg": leg("styled", &json!({ "style": "ukiyo-e" })),
            "prediction": "sandbox-2", "adopted": false,
        }),
        json!({
            "type": "leg-progress", "leg": leg("styled", &json!({ "style": "ukiyo-e" })),
            "status": "processing", "fraction": 0.4,
        }),
        json!({
            "type": "leg-succeeded", "leg": leg("styled", &json!({ "style": "ukiyo-e" })),
            "output": file('b', "image/png"), "prediction": "sandbox-2", "cost": 0,
            "estimate": { "min": 40000, "max": 40000 }, "predict_seconds": 1.5,
        }),
        json!({
            "type": "leg-failed", "leg": leg("styled", &json!({ "style": "linocut" })), "status": "failed",
            "failure": {
                "kind": "moderation", "message": "The input was flagged as sensitive. (E005)",
                "logs": "loading\nlooking at the input\nflagged\u{1b}[2J\n",
            },
            "prediction": "sandbox-3", "cost": 0, "handled": false,
        }),
        json!({
            "type": "saved", "leg": leg("styled", &json!({ "style": "ukiyo-e" })), "output": null,
            "path": "out/boat/ukiyo-e.png", "artifact": file('b', "image/png"),
        }),
        json!({
            "type": "leg-not-run", "leg": leg("sheet", &json!({})),
            "reason": "`styled[style=linocut]` did not end well",
        }),
        json!({ "type": "warned", "message": "the sky is low" }),
        json!({
            "type": "saved", "leg": null, "output": "pictures",
            "path": "out/boat/pictures/ukiyo e.png", "artifact": file('b', "image/png"),
        }),
        json!({ "type": "output-ready", "name": "pictures", "value": [file('b', "image/png")] }),
        json!({ "type": "output-ready", "name": "words", "value": "a <b>caption</b>" }),
        json!({ "type": "output-ready", "name": "sheet", "value": null }),
        json!({
            "type": "run-ended", "status": "failed", "elapsed_seconds": 3.1,
            "totals": { "cost": 0, "would_cost": 40000, "saved": 3000, "unpriced": 0 },
        }),
    ];
    events.into_iter().enumerate().map(|(seq, event)| entry(seq, event)).collect()
}

/// The same run as a record.
pub(crate) fn record() -> RunRecord {
    RunRecord::of(events())
}

/// An event with its place: half a second after the one before.
pub(crate) fn entry(seq: usize, mut event: Json) -> Entry {
    let at: jiff::Timestamp = "2026-11-02T09:15:02Z".parse().expect("a time");
    let at = at + jiff::SignedDuration::from_millis(500 * seq as i64);
    event["schema_version"] = 1.into();
    event["seq"] = seq.into();
    event["at"] = at.to_string().into();
    serde_json::from_value(event).expect("an event")
}

/// A step as the start of a run announces it.
pub(crate) fn step(name: &str, uses: &str, axes: &[&str], legs: usize, reads: &[&str]) -> Json {
    json!({ "name": name, "uses": uses, "model": format!("owner/{uses}"), "axes": axes, "legs": legs, "reads": reads })
}

/// A leg of a step by its values.
pub(crate) fn leg(step: &str, values: &Json) -> Json {
    let labels: Vec<_> =
        values.as_object().expect("a map").iter().map(|(k, v)| format!("{k}={}", words(v))).collect();
    let name = if labels.is_empty() { step.to_owned() } else { format!("{step}[{}]", labels.join(",")) };
    json!({ "step": step, "leg": values, "name": name })
}

fn words(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a leg sent.
pub(crate) fn request(prompt: &str, more: &Json) -> Json {
    let mut input = json!({ "prompt": prompt });
    more.as_object().expect("a map").iter().for_each(|(k, v)| input[k] = v.clone());
    json!({ "key": digest('f'), "model": "owner/model", "provider": "sandbox", "input": input })
}

/// A picture whose digest is one character all over.
pub(crate) fn file(c: char, media_type: &str) -> Json {
    json!({ "digest": digest(c), "media_type": media_type, "bytes": 48213, "width": 1024, "height": 768 })
}

/// A digest that is one character all over.
pub(crate) fn digest(c: char) -> String {
    format!("sha256:{}", c.to_string().repeat(64))
}
