//! `castline preset show`: all of one preset.

use std::fmt::Write as _;

use castline_core::price;
use castline_runner::{Project, Trouble, presets};
use castline_spec::preset::{Body, Confidence, ModelPreset, PriceRule};
use castline_spec::workflow::Input;
use castline_spec::{Name, Preset};
use serde_json::{Value as Json, json};

use super::{confidence, extends, in_short, model, show_findings};
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen::{self, BOLD, DIM, pad, printable, short};

/// What medium confidence means, for people.
const MEDIUM: &str = "the facts are from an older copy or from less than a whole schema, so that the model may \
                      take or give something else";

/// Shows one, by its name or file.
pub(super) fn show(project: &Project, name: &str, as_json: bool) -> Result<(), Trouble> {
    let Some((preset, found)) = presets::find(project, name) else {
        return Err(presets::unknown(project, name));
    };
    show_findings(&found);
    match as_json {
        true => print(&in_full(&preset)),
        false => screen::tell(&draw(&preset)),
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
        json["output"] = json!({ "type": kind_of_output(model), "many": model.output.many });
        json["price"] = model.price.iter().map(in_price).collect();
        let route_prices = model.routes.iter().filter(|(_, route)| !route.price.is_empty());
        json["route_prices"] = route_prices
            .map(|(name, route)| (name.clone(), route.price.iter().map(in_price).collect::<Json>()))
            .collect();
        json["rules"] = model.rules.iter().map(|rule| rule.message.clone()).collect();
        json["defaults"] = Json::Object(model.defaults.clone());
        json["secrets"] = model
            .secrets
            .iter()
            .map(|(field, secret)| {
                (field.clone(), json!({ "variable": secret.variable, "required": secret.required }))
            })
            .collect();
    }
    json
}

fn in_price(rule: &PriceRule) -> Json {
    json!({
        "words": price::words(rule),
        "usd": [rule.usd_min, rule.usd_max],
        "per": rule.per,
        "if": rule.condition.as_ref().map(|code| &code.value),
        "quantity": rule.quantity.as_ref().map(|code| &code.value),
        "per_run_usd": rule.per_run_usd,
        "as_of": rule.as_of,
        "source": rule.source,
    })
}

fn kind_of_output(model: &ModelPreset) -> Json {
    json!(model.output.kind)
}

/// The schema of the input; of a derived preset that of its own inputs.
fn input(preset: &Preset) -> Json {
    match &preset.body {
        Body::Model(model) => model.input.value.clone(),
        Body::Derived(derived) => {
            let inputs = derived.inputs.iter();
            let with_default = |(name, input): (&Name, &Input)| {
                let mut schema = input.schema.json.clone();
                if let (Some(map), Some(default)) = (schema.as_object_mut(), &input.default) {
                    map.insert("default".to_owned(), default.value.clone());
                }
                (name.to_string(), schema)
            };
            let properties: serde_json::Map<_, _> = inputs.map(with_default).collect();
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
    if confidence(preset) == Some(Confidence::Medium) {
        let _ = writeln!(text, "medium confidence: {MEDIUM}");
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
    let mut facts = vec![
        ("model", model(preset).unwrap_or_default().to_owned()),
        ("extends", extends(preset).unwrap_or_default().to_owned()),
        ("task", preset.task.clone().unwrap_or_default()),
    ];
    match &preset.body {
        Body::Model(model) => facts.extend(facts_of_model(model)),
        Body::Derived(_) => facts.push(("price", super::price(preset))),
    }
    facts.push(("ports", ports.join(", ")));
    facts.push(("file", preset.source.name.to_string()));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn facts_of_model(model: &ModelPreset) -> Vec<(&'static str, String)> {
    let kind = kind_of_output(model).as_str().unwrap_or_default().to_owned();
    let gives = if model.output.many { format!("{kind}, several") } else { kind };
    let mut facts = vec![("gives", gives)];
    match model.price.as_slice() {
        _ if model.model.value.starts_with("std/") => facts.push(("price", "free".to_owned())),
        [] => facts.push(("price", "unpriced".to_owned())),
        rules => facts.extend(rules.iter().map(|rule| ("price", price::words(rule)))),
    }
    for (name, route) in &model.routes {
        let prices: Vec<_> = route.price.iter().map(price::words).collect();
        let price = if prices.is_empty() { String::new() } else { format!(": {}", prices.join("; ")) };
        facts.push(("route", format!("{name}{price}")));
    }
    facts.extend(model.secrets.iter().map(|(field, secret)| {
        let needed = if secret.required { "" } else { ", optional" };
        ("secret", format!("{field} from {}{needed}", secret.variable))
    }));
    facts.extend(model.rules.iter().map(|rule| ("rule", rule.message.clone())));
    facts
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
        (None, Json::String(one)) if one == "array" => format!("list of {}", items(schema)),
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
    match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
        (Some(min), Some(max)) => parts.push(format!("{min} to {max} of them")),
        (Some(min), None) => parts.push(format!("at least {min} of them")),
        (None, Some(max)) => parts.push(format!("at most {max} of them")),
        (None, None) => {}
    }
    if let Some(default) = schema.get("default").filter(|d| !d.is_null()) {
        parts.push(format!("by default {}", short(&plain(default), 40)));
    }
    parts.join(", ")
}

/// What a list is made of.
fn items(schema: &Json) -> String {
    let item = &schema["items"];
    match (media(item), item["enum"].as_array()) {
        (Some(media), _) => media,
        (None, Some(words)) => words.iter().map(plain).collect::<Vec<_>>().join(" | "),
        (None, None) => item["type"].as_str().unwrap_or("anything").to_owned(),
    }
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
