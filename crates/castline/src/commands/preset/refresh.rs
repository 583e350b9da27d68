//! `castline preset refresh`: what hosts say today, and what would break.

use std::fmt::Write as _;

use castline_runner::presets::{Difference, Effect, Live, Refreshed};
use castline_runner::{Project, Trouble, presets};
use castline_spec::Preset;
use castline_spec::preset::Body;
use serde_json::{Value as Json, json};

use crate::cli;
use crate::commands::small_runtime;
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen::{self, BOLD, DIM, printable};

/// Compares presets with their hosts. It ends with 2 where one could not be asked, else with 5 where
/// something would break.
pub(super) fn refresh(project: &Project, flags: &cli::PresetRefresh) -> Result<Exit, Trouble> {
    let all = small_runtime()?.block_on(presets::refresh(project, &flags.wish()))?;
    match flags.json {
        true => print(&in_json(&all))?,
        false => screen::tell(&all.iter().map(drawn).collect::<String>())?,
    }
    let mut exit = Exit::Done;
    for refreshed in &all {
        match &refreshed.live {
            Err(trouble) => {
                screen::complain(&printable(&trouble.to_string()), trouble.hint().map(printable).as_deref());
                exit = Exit::Wrong;
            }
            Ok(live) if live.breaks() && exit == Exit::Done => exit = Exit::Found,
            Ok(_) => {}
        }
    }
    Ok(exit)
}

fn drawn(refreshed: &Refreshed) -> String {
    let preset = &refreshed.preset;
    let Ok(live) = &refreshed.live else {
        return format!("{BOLD}{}{BOLD:#}  {DIM}not compared{DIM:#}\n", printable(&preset.name));
    };
    let mut text =
        format!("{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}\n", printable(&preset.name), printable(&live.origin));
    if live.differences.is_empty() {
        text.push_str("  the host says the same\n");
    }
    for difference in &live.differences {
        let (word, meaning) = (word(difference), meaning(difference.effect));
        let place = place(preset, difference).map(|place| format!("{place}: ")).unwrap_or_default();
        let line = format!("  {word} {place}{}: {meaning}", difference.words);
        let _ = writeln!(text, "{}", printable(&line));
    }
    if let Some(newer) = &live.newer {
        let model = &refreshed.model;
        let line =
            format!("  the host's latest version is {newer}; `{model}` stays as it is until you change it");
        let _ = writeln!(text, "{}", printable(&line));
    }
    text
}

fn word(difference: &Difference) -> &'static str {
    if difference.effect.breaks() { "breaks  " } else { "harmless" }
}

/// What a difference means for who calls the preset.
fn meaning(effect: Effect) -> &'static str {
    match effect {
        Effect::Gone => "a step that gives it has it dropped or refused",
        Effect::Needed => "requests without it are refused",
        Effect::Narrower => "some of what the preset lets pass is refused",
        Effect::Other => "steps that read it get something else",
        Effect::Wider => "the preset does not offer that yet",
        Effect::Default => "the same request and key, and the model may give something else",
        Effect::Wording => "only words for people",
    }
}

/// The line of a project's own preset.
fn place(preset: &Preset, difference: &Difference) -> Option<String> {
    let Body::Model(body) = &preset.body else { return None };
    let span = body.property_spans.get(difference.input.as_ref()?)?;
    let own = !presets::is_built_in(&preset.source);
    own.then(|| format!("{}:{}", preset.source.name, span.start.line))
}

fn in_json(all: &[Refreshed]) -> Json {
    let presets: Vec<_> = all.iter().map(one_in_json).collect();
    json!({ "schema_version": SCHEMA_VERSION, "presets": presets })
}

fn one_in_json(refreshed: &Refreshed) -> Json {
    let mut json = json!({
        "name": refreshed.preset.name,
        "file": &*refreshed.preset.source.name,
        "model": refreshed.model,
        "origin": null,
        "newer_version": null,
        "breaks": null,
        "differences": [],
        "error": null,
    });
    match &refreshed.live {
        Err(trouble) => json["error"] = trouble.to_string().into(),
        Ok(live) => tell(live, &mut json),
    }
    json
}

fn tell(live: &Live, json: &mut Json) {
    json["origin"] = live.origin.as_str().into();
    json["newer_version"] = live.newer.clone().into();
    json["breaks"] = live.breaks().into();
    let differences = live.differences.iter().map(|difference| {
        json!({
            "input": difference.input,
            "message": difference.words,
            "effect": effect(difference.effect),
            "breaks": difference.effect.breaks(),
        })
    });
    json["differences"] = differences.collect();
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Gone => "gone",
        Effect::Needed => "needed",
        Effect::Narrower => "narrower",
        Effect::Other => "other",
        Effect::Wider => "wider",
        Effect::Default => "default",
        Effect::Wording => "wording",
    }
}
