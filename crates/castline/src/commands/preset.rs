//! `castline preset`: the presets that steps can use.

mod make;
mod refresh;
mod show;

use std::path::Path;

use castline_core::MicroUsd;
use castline_runner::presets::Hit;
use castline_runner::{Project, Trouble, presets};
use castline_spec::Preset;
use castline_spec::preset::{Body, Confidence, PriceRule};
use serde_json::{Value as Json, json};

use super::{project_here, show as show_findings};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::counted;
use crate::screen::{self, DIM, pad, printable, short};
use crate::{cli, log};

/// Lists them, shows one, checks, makes or compares some.
pub(crate) fn preset(flags: &cli::Preset) -> Result<Exit, Trouble> {
    if let cli::Preset::Check(flags) = flags {
        return check(flags);
    }
    let project = project_here()?;
    match flags {
        cli::Preset::List(flags) => list(&project, flags)?,
        cli::Preset::Show { name, json } => show::show(&project, name, *json)?,
        cli::Preset::New(flags) => make::new(&project, flags)?,
        cli::Preset::Import(flags) => make::import(&project, flags)?,
        cli::Preset::Refresh(flags) => return refresh::refresh(&project, flags),
        cli::Preset::Check(_) => {}
    }
    Ok(Exit::Done)
}

/// Findings about the project's file are findings like the others here.
fn check(flags: &cli::PresetCheck) -> Result<Exit, Trouble> {
    let (project, mut found) = Project::near(Path::new("."));
    log::hide_tokens_of(&project);
    let checked = presets::check(&project, &flags.presets, flags.built_in)?;
    found.extend(checked.found);
    found.sort();
    super::check::report(&found, flags.format, &counted(checked.presets, "preset"), None, None)
}

fn list(project: &Project, flags: &cli::PresetList) -> Result<(), Trouble> {
    let (mut hits, found) = presets::search(project, &flags.query())?;
    show_findings(&found);
    if flags.sort == cli::Order::Price {
        hits.sort_by_key(|hit| hit.example.map_or(MicroUsd(u64::MAX), |price| price.max));
    }
    if flags.json {
        let presets: Vec<_> = hits.iter().map(found_in_short).collect();
        return print(&json!({ "schema_version": SCHEMA_VERSION, "presets": presets }));
    }
    if hits.is_empty() {
        screen::say("no preset is like that; `castline preset list` shows all of them");
    }
    screen::tell(&table(&hits))
}

fn table(hits: &[Hit]) -> String {
    let widest = |of: &dyn Fn(&Preset) -> usize| hits.iter().map(|hit| of(&hit.preset)).max().unwrap_or(0);
    let names = widest(&|p| screen::columns(&p.name));
    let prices = widest(&|p| screen::columns(&price(p)));
    let lines = hits.iter().map(|Hit { preset, .. }| {
        let room =
            screen::data_width().map_or(usize::MAX, |width| width.saturating_sub(names + prices + 4).max(24));
        let description = short(preset.description.as_deref().unwrap_or_default(), room);
        let price = pad(&price(preset), prices);
        let line = format!("{}  {DIM}{price}{DIM:#}  {description}", pad(&printable(&preset.name), names));
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// The price in a word: of the first rule, when there are several.
fn price(preset: &Preset) -> String {
    match &preset.body {
        Body::Derived(derived) => format!("as {}", short(&derived.extends.value, 24)),
        Body::Model(model) if model.model.value.starts_with("std/") => "free".to_owned(),
        Body::Model(model) => match model.price.as_slice() {
            [] => "unpriced".to_owned(),
            [one] => words(one),
            [first, ..] => format!("from {}", words(first)),
        },
    }
}

fn words(rule: &PriceRule) -> String {
    let amount = if (rule.usd_min - rule.usd_max).abs() < f64::EPSILON {
        format!("{}", rule.usd_max)
    } else {
        format!("{} to {}", rule.usd_min, rule.usd_max)
    };
    format!("{amount} USD/{}", rule.per)
}

/// A preset that was found, with what its first example costs.
fn found_in_short(hit: &Hit) -> Json {
    let mut json = in_short(&hit.preset);
    let usd = hit.example.map(|price| [price.min.usd(), price.max.usd()]);
    json["example_usd"] = usd.map(|[min, max]| json!({ "min": min, "max": max })).into();
    json
}

fn in_short(preset: &Preset) -> Json {
    json!({
        "name": preset.name,
        "description": preset.description,
        "task": preset.task,
        "model": model(preset),
        "extends": extends(preset),
        "confidence": confidence(preset).map(Confidence::as_str),
        "file": &*preset.source.name,
    })
}

fn model(preset: &Preset) -> Option<&str> {
    match &preset.body {
        Body::Model(model) => Some(&model.model.value),
        Body::Derived(_) => None,
    }
}

fn extends(preset: &Preset) -> Option<&str> {
    match &preset.body {
        Body::Derived(derived) => Some(&derived.extends.value),
        Body::Model(_) => None,
    }
}

/// How sure the facts are; of a derived preset its base's say so.
fn confidence(preset: &Preset) -> Option<Confidence> {
    match &preset.body {
        Body::Model(model) => Some(model.confidence),
        Body::Derived(_) => None,
    }
}
