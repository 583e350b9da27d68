//! One entry of the ledger: for people with what to do next, for programs whole.
//!
//! Start reading at [`draw`]; [`json()`] is the other face.

use std::fmt::Write as _;

use castline_core::ledger::{Booking, Doubt, Entry, State};
use castline_core::{Artifact, MicroUsd, Value, plain};
use castline_runner::ledger::Known;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::plan::duration;
use crate::screen::{BOLD, DIM, HINT, pad, printable, short};

/// A value is cut here.
const WIDTH: usize = 100;

/// The entry as people read it.
pub(crate) fn draw(known: &Known) -> String {
    let entry = &known.entry;
    let mut text = format!("{BOLD}{}{BOLD:#}\n", entry.key());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {DIM}{}{DIM:#}  {value}", pad(name, 10));
    };
    let time = |at: Timestamp| format!("{at:.0}");
    line("state", entry.state.word().to_owned());
    if let Some(why) = &entry.doubt {
        line("why", printable(&why.to_string()));
    }
    line("model", printable(&entry.request.model.to_string()));
    line("provider", printable(&entry.provider().0));
    if let Some(id) = &entry.prediction {
        line("prediction", printable(&id.0));
    }
    line("claim", claim(known));
    line("run", printable(&entry.made_by.to_string()));
    line("reserved", amount(entry.hold.reserved));
    line("settled", entry.hold.settled.map_or_else(|| "not yet".to_owned(), |usd| usd.to_string()));
    for hold in former(known) {
        let spent = hold.settled.or(hold.reserved);
        line("before", format!("create {} of {:.0}: {}", hold.attempt, hold.at, amount(spent)));
    }
    line("intended", time(entry.intended));
    entry.created.into_iter().for_each(|at| line("created", time(at)));
    entry.ended.into_iter().for_each(|at| line("ended", time(at)));
    entry.kept_until().into_iter().for_each(|at| line("kept", kept(at)));
    entry.predict_seconds.into_iter().for_each(|seconds| line("ran", duration(seconds)));
    for (name, value) in entry.request.input.iter() {
        line("input", format!("{}: {}", short(name, 40), words(value)));
    }
    for value in &entry.request.draw {
        line("draw", words(value));
    }
    if let Some(output) = &entry.output {
        match output.raw.media().as_slice() {
            [] => line("output", words(&output.raw)),
            files => files.iter().for_each(|file| line("output", described(file))),
        }
    }
    if let Some(failure) = &entry.failure {
        let kind = serde_json::to_value(failure.kind).unwrap_or_default();
        line("failure", format!("{}: {}", kind.as_str().unwrap_or("other"), short(&failure.message, WIDTH)));
    }
    format!("{text}  = {HINT}next{HINT:#}: {}\n", next(known))
}

/// Creates of the entry before the last one, each once.
fn former(known: &Known) -> Vec<&Booking> {
    let mut former: Vec<_> = known.holds.iter().filter(|h| h.attempt != known.entry.hold.attempt).collect();
    former.dedup_by_key(|hold| hold.attempt);
    former
}

fn amount(usd: Option<MicroUsd>) -> String {
    usd.map_or_else(|| "of unknown price".to_owned(), |usd| usd.to_string())
}

fn claim(known: &Known) -> String {
    let claim = &known.entry.claim;
    let by = match (known.worked_on, claim.owner.is_nobody(), known.entry.state.is_open()) {
        (true, _, _) => "held by a castline that runs",
        (false, true, _) => "in nobody's hands",
        (false, false, true) => "of a castline that has ended",
        (false, false, false) => "done with",
    };
    format!("{}, {by}", claim.number)
}

/// By when to run again. A provider may keep it for longer.
pub(crate) fn kept(until: Timestamp) -> String {
    format!("until {until:.0} at least")
}

/// A value in a line.
fn words(value: &Value) -> String {
    match value {
        Value::Media(file) => described(file),
        Value::String(text) => short(text, WIDTH),
        other => short(&plain::json(other).to_string(), WIDTH),
    }
}

/// `image/png 1024x768 sha256:51ab3c...`
fn described(file: &Artifact) -> String {
    let size = file.width.zip(file.height).map(|(w, h)| format!(" {w}x{h}")).unwrap_or_default();
    format!("{}{size} {}", printable(file.media_type.as_str()), file.digest)
}

/// What happens next, or what a person can do about it.
fn next(known: &Known) -> String {
    let entry = &known.entry;
    let key = &entry.key().0.hex()[..12];
    let gone = known.missing > 0;
    match entry.state {
        _ if known.worked_on => "a castline works on it: wait for it, or stop it".to_owned(),
        State::Intended if entry.unsent => {
            "it was not received: the next run that needs it creates it".to_owned()
        }
        State::Intended if entry.terms.list => {
            "the next run that needs it looks for it in the provider's list".to_owned()
        }
        State::Intended => format!(
            "the next run that needs it finds out what it can; `castline ledger forgive {key}` if it was never received"
        ),
        State::Created => {
            "the next run that needs it follows it at the provider, and creates nothing".to_owned()
        }
        State::Succeeded if gone && entry.terms.get && entry.prediction.is_some() => {
            "its files are not in this store: the next run that needs it asks the provider for them"
                .to_owned()
        }
        State::Succeeded if gone && !entry.terms.bills => {
            "its files are not in this store: the next run that needs it makes them again".to_owned()
        }
        State::Succeeded if gone => {
            format!(
                "its files are not in this store, and cannot be had again: `castline ledger retry {key}` after the next run"
            )
        }
        State::Succeeded => "it is reused by every run that needs it".to_owned(),
        State::Failed | State::Canceled | State::Aborted => {
            "the next run that needs it creates it again".to_owned()
        }
        State::Expired => {
            format!("`castline ledger retry {key}` has it created, and paid, again")
        }
        State::InDoubt => Doubt::of(entry).hint(),
    }
}

/// The entry whole, as `ledger show --json` prints it.
pub(crate) fn json(known: &Known) -> Json {
    let entry = &known.entry;
    let input = entry.request.input.iter().map(|(k, v)| (k.clone(), plain::json(v)));
    let mut json = in_short(entry);
    let more = json!({
        "schema_version": super::json::SCHEMA_VERSION,
        "run": entry.made_by,
        "claim": { "number": entry.claim.number, "run": entry.claim.run, "worked_on": known.worked_on },
        "reserved_usd": entry.hold.reserved.map(MicroUsd::usd),
        "settled_usd": entry.hold.settled.map(MicroUsd::usd),
        "holds": known.holds.iter().map(hold).collect::<Vec<_>>(),
        "created": entry.created,
        "ended": entry.ended,
        "predict_seconds": entry.predict_seconds,
        "input": input.collect::<serde_json::Map<_, _>>(),
        "draw": entry.request.draw.iter().map(plain::json).collect::<Vec<_>>(),
        "output": entry.output.as_ref().map(|output| plain::json(&output.raw)),
        "missing_files": known.missing,
        "error": entry.failure,
        "doubt": entry.doubt.as_ref().map(ToString::to_string),
        "ruled": entry.ruled,
        "next": next(known),
    });
    let Json::Object(more) = more else { unreachable!("an object") };
    json.as_object_mut().expect("an object").extend(more);
    json
}

fn hold(hold: &Booking) -> Json {
    json!({
        "account": hold.account,
        "attempt": hold.attempt,
        "at": hold.at,
        "reserved_usd": hold.reserved.map(MicroUsd::usd),
        "settled_usd": hold.settled.map(MicroUsd::usd),
        "run": hold.run,
    })
}

/// The entry as `ledger list --json` prints it. An unknown price is null, not nothing.
pub(crate) fn in_short(entry: &Entry) -> Json {
    json!({
        "key": entry.key(),
        "state": entry.state,
        "model": entry.request.model,
        "provider": entry.provider(),
        "prediction": entry.prediction,
        "intended": entry.intended,
        "kept_until": entry.kept_until(),
        "held_usd": entry.hold.settled.or(entry.hold.reserved).map(MicroUsd::usd),
    })
}
