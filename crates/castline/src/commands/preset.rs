//! `castline preset`: the presets that steps can use.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use castline_runner::{Project, Trouble, presets};
use castline_spec::Preset;
use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::{Body, PriceRule};
use serde_json::{Value as Json, json};

use super::{project_here, show as show_findings};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::counted;
use crate::screen::{self, BOLD, DIM, pad, printable, short};
use crate::{cli, log};

/// Lists them, shows one, or checks some.
pub(crate) fn preset(flags: &cli::Preset) -> Result<Exit, Trouble> {
    if let cli::Preset::Check(flags) = flags {
        return check(flags);
    }
    let project = project_here()?;
    match flags {
        cli::Preset::List { json } => list(&project, *json)?,
        cli::Preset::Show { name, json } => show(&project, name, *json)?,
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

fn list(project: &Project, as_json: bool) -> Result<(), Trouble> {
    let (presets, found) = presets::all(project);
    show_findings(&found);
    if as_json {
        let presets: Vec<_> = presets.iter().map(|preset| in_short(preset)).collect();
        return print(&json!({ "schema_version": SCHEMA_VERSION, "presets": presets }));
    }
    screen::data(&table(&presets))
}

fn table(presets: &[Arc<Preset>]) -> String {
    let widest = |of: &dyn Fn(&Preset) -> usize| presets.iter().map(|p| of(p)).max().unwrap_or(0);
    let names = widest(&|p| screen::columns(&p.name));
    let prices = widest(&|p| screen::columns(&price(p)));
    let lines = presets.iter().map(|preset| {
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

fn in_short(preset: &Preset) -> Json {
    json!({
        "name": preset.name,
        "description": preset.description,
        "task": preset.task,
        "model": model(preset),
        "extends": extends(preset),
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

fn show(project: &Project, name: &str, as_json: bool) -> Result<(), Trouble> {
    let Some((preset, found)) = presets::find(project, name) else { return Err(unknown(project, name)) };
    show_findings(&found);
    match as_json {
        true => print(&in_full(&preset)),
        false => screen::data(&draw(&preset)),
    }
}

fn unknown(project: &Project, name: &str) -> Trouble {
    let (presets, _) = presets::all(project);
    let hint = did_you_mean("the preset", name, presets.iter().map(|p| p.name.as_str()));
    Trouble::Usage {
        message: format!("there is no preset `{name}`"),
        hint: hint.or_else(|| Some("`castline preset list` shows all of them".to_owned())),
    }
}

fn in_full(preset: &Preset) -> Json {
    let mut json = in_short(preset);
    json["schema_version"] = SCHEMA_VERSION.into();
    json["input"] = input(preset);
    json["ports"] =
        preset.ports.iter().map(|(port, p)| (port.clone(), Json::from(p.field.value.as_str()))).collect();
    json["typical_seconds"] = preset.typical_seconds.into();
    json["examples"] = preset.examples.iter().map(|example| Json::Object(example.value.clone())).collect();
    if let Body::Model(model) = &preset.body {
        json["routes"] = model.routes.keys().cloned().collect();
        json["schema_as_of"] = model.schema_as_of.clone().into();
    }
    json
}

/// The schema of the input; of a derived preset that of its own inputs.
fn input(preset: &Preset) -> Json {
    match &preset.body {
        Body::Model(model) => model.input.value.clone(),
        Body::Derived(derived) => {
            let inputs = derived.inputs.iter();
            let properties: serde_json::Map<_, _> =
                inputs.map(|(name, input)| (name.to_string(), input.schema.json.clone())).collect();
            let inputs = derived.inputs.iter();
            let required: Vec<_> =
                inputs.filter(|(_, i)| i.default.is_none()).map(|(n, _)| n.to_string()).collect();
            json!({ "type": "object", "properties": properties, "required": required })
        }
    }
}

/// A preset as people read it: what it is, its inputs, its ports, an example.
fn draw(preset: &Preset) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#}\n", printable(&preset.name));
    if let Some(description) = &preset.description {
        let _ = writeln!(text, "{}", printable(description));
    }
    text.push('\n');
    for (name, value) in facts(preset) {
        let _ = writeln!(text, "{DIM}{}{DIM:#}  {}", pad(name, 7), printable(&value));
    }
    let _ = write!(text, "\n{BOLD}Inputs{BOLD:#}\n{}", inputs(&input(preset)));
    if let Some(example) = preset.examples.first() {
        let _ = write!(text, "\n{BOLD}Example{BOLD:#}\n{}", self::example(preset, &example.value));
    }
    text
}

fn facts(preset: &Preset) -> Vec<(&'static str, String)> {
    let ports: Vec<_> = preset.ports.iter().map(|(port, p)| format!("{port} -> {}", p.field.value)).collect();
    let routes = match &preset.body {
        Body::Model(model) => model.routes.keys().cloned().collect::<Vec<_>>().join(", "),
        Body::Derived(_) => String::new(),
    };
    let facts = [
        ("model", model(preset).unwrap_or_default().to_owned()),
        ("extends", extends(preset).unwrap_or_default().to_owned()),
        ("task", preset.task.clone().unwrap_or_default()),
        ("price", price(preset)),
        ("routes", routes),
        ("ports", ports.join(", ")),
        ("file", preset.source.name.to_string()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn inputs(schema: &Json) -> String {
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return "  (none)\n".to_owned() };
    let widest = properties.keys().map(|name| screen::columns(name)).max().unwrap_or(0);
    let room = screen::data_width().unwrap_or(screen::USUAL_WIDTH).saturating_sub(widest + 4).max(30);
    let line = |(name, schema): (&String, &Json)| {
        let note = if required.contains(&name.as_str()) { ", required" } else { "" };
        let kind = format!("{}{note}", kind(schema));
        let description =
            schema["description"].as_str().map(|text| screen::wrap(text, room)).unwrap_or_default();
        let description = description.iter().map(|line| format!("{DIM}{line}{DIM:#}"));
        let lines: Vec<_> = screen::wrap(&kind, room).into_iter().chain(description).collect();
        let gap = format!("\n  {}  ", " ".repeat(widest));
        format!("  {}  {}\n", pad(&printable(name), widest), lines.join(&gap))
    };
    properties.iter().map(line).collect()
}

/// What a schema takes, in short: its type or words, its bounds, its default.
fn kind(schema: &Json) -> String {
    let mut parts = vec![match (schema["enum"].as_array(), &schema["type"]) {
        (Some(words), _) => words.iter().map(plain).collect::<Vec<_>>().join(" | "),
        (None, Json::String(one)) => media(schema).unwrap_or_else(|| one.clone()),
        (None, Json::Array(many)) => many.iter().map(plain).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }];
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(min), Some(max)) => parts.push(format!("{min} to {max}")),
        (Some(min), None) => parts.push(format!("from {min}")),
        (None, Some(max)) => parts.push(format!("to {max}")),
        (None, None) => {}
    }
    if let Some(default) = schema.get("default").filter(|d| !d.is_null()) {
        parts.push(format!("the model's default is {}", short(&plain(default), 40)));
    }
    parts.join(", ")
}

/// `image` for a text that is the address of one.
fn media(schema: &Json) -> Option<String> {
    castline_spec::schema::MediaKind::of_schema(schema).map(|kind| kind.as_str().to_owned())
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn example(preset: &Preset, with: &serde_json::Map<String, Json>) -> String {
    let mut text = format!("  step:\n    uses: {}\n    with:\n", printable(&preset.name));
    for (name, value) in with {
        let _ = writeln!(text, "      {}: {}", printable(name), printable(&value.to_string()));
    }
    text
}
