//! `castline doctor`: every setting with its value and where it comes from.

use castline_runner::{Project, Trouble, presets, shown};
use serde_json::json;

use super::project_here;
use crate::cli::Doctor;
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::report::plan::counted;
use crate::screen::{self, BOLD, DIM, pad, printable};
use crate::settings::{self, Held};

/// Looks at flags, environment and project; asks nobody.
pub(crate) fn doctor(flags: &Doctor) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let environment = |variable: &str| std::env::var(variable).ok();
    let held = settings::held(&flags.overrides, &environment, &project);
    match flags.json {
        true => print(&as_json(&project, &held))?,
        false => screen::data(&draw(&project, &held))?,
    }
    Ok(Exit::Done)
}

fn as_json(project: &Project, held: &[Held]) -> serde_json::Value {
    let settings: Vec<_> = held
        .iter()
        .map(|h| json!({ "setting": h.name, "value": h.value, "origin": h.origin.to_string() }))
        .collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "project": project.root,
        "store": project.store(),
        "settings": settings,
    })
}

fn draw(project: &Project, held: &[Held]) -> String {
    let (presets, _) = presets::all(project);
    let file = if project.document.is_some() { "" } else { " (without castline.yaml)" };
    let facts = [
        ("castline", env!("CARGO_PKG_VERSION").to_owned()),
        ("project", format!("{}{file}", project.root.display())),
        ("store", shown(&project.store())),
        ("presets", counted(presets.len(), "preset")),
    ];
    let facts = facts.map(|(name, value)| format!("{DIM}{}{DIM:#}  {}\n", pad(name, 8), printable(&value)));
    format!("{}\n{}", facts.concat(), table(held))
}

fn table(held: &[Held]) -> String {
    let rows: Vec<[String; 3]> =
        held.iter().map(|h| [h.name.clone(), printable(&h.value), h.origin.to_string()]).collect();
    let width = |column: usize| rows.iter().map(|row| screen::columns(&row[column])).max().unwrap_or(0);
    let (names, values) = (width(0).max(7), width(1).max(5));
    let head = format!("{BOLD}{}  {}  from{BOLD:#}\n", pad("setting", names), pad("value", values));
    let lines = rows.iter().map(|[name, value, origin]| {
        format!("{}  {}  {DIM}{origin}{DIM:#}\n", pad(name, names), pad(value, values))
    });
    std::iter::once(head).chain(lines).collect()
}
