//! `castline cost`: what was spent, by model, workflow or day.

use castline_core::MicroUsd;
use castline_core::ledger::Spent;
use castline_runner::cost::{By, Part, parts};
use castline_runner::{Project, Trouble};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::{project_here, small_runtime};
use crate::cli::{Cost, CostBy};
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen::{self, BOLD, DIM, columns, pad};

/// Sums up the creates at providers that take money; asks nobody.
pub(crate) fn cost(flags: &Cost) -> Result<Exit, Trouble> {
    let project = project_here()?;
    let by = By::from(flags.by);
    let zone = TimeZone::system();
    let parts = small_runtime()?.block_on(parts(&project, by, flags.days, Timestamp::now(), &zone))?;
    if flags.json {
        print(&as_json(&project, flags, &parts))?;
    } else if parts.is_empty() {
        let when = flags.days.map(|_| " in these days").unwrap_or_default();
        screen::say(&format!("nothing was asked of a provider that takes money{when}"));
    } else {
        screen::tell(&table(by, &parts))?;
    }
    Ok(Exit::Done)
}

impl From<CostBy> for By {
    fn from(by: CostBy) -> Self {
        match by {
            CostBy::Model => Self::Model,
            CostBy::Workflow => Self::Workflow,
            CostBy::Day => Self::Day,
        }
    }
}

fn total(parts: &[Part]) -> Spent {
    parts.iter().map(|part| part.spent).sum()
}

fn table(by: By, parts: &[Part]) -> String {
    let head = match by {
        By::Model => ["model", "provider"],
        By::Workflow => ["workflow", ""],
        By::Day => ["day", ""],
    };
    let head = [head[0], head[1], "creates", "settled", "reserved", "unknown"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(parts.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
    let widths: Vec<_> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0);
        let cells: Vec<_> = cells
            .map(|(column, (cell, width))| match column {
                0 | 1 => pad(cell, *width),
                _ => format!("{}{cell}", " ".repeat(width - columns(cell))),
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let lines: Vec<_> = rows[1..].iter().map(line).collect();
    let head = line(&rows[0]);
    format!("{DIM}{head}{DIM:#}\n{}\n\n{BOLD}total{BOLD:#} {}\n", lines.join("\n"), total(parts))
}

fn row(part: &Part) -> [String; 6] {
    let Spent { creates, settled, reserved, unknown } = part.spent;
    let name = part.name.as_deref().unwrap_or("(its run was removed)");
    [
        screen::short(name, 60),
        part.provider.as_ref().map(|p| screen::short(&p.0, 24)).unwrap_or_default(),
        creates.to_string(),
        settled.to_string(),
        if reserved > MicroUsd::ZERO { reserved.to_string() } else { "-".to_owned() },
        if unknown > 0 { unknown.to_string() } else { "-".to_owned() },
    ]
}

fn as_json(project: &Project, flags: &Cost, parts: &[Part]) -> Json {
    let by = By::from(flags.by);
    let part = |part: &Part| {
        let mut object = amounts(&part.spent);
        let key = match by {
            By::Model => "model",
            By::Workflow => "workflow",
            By::Day => "day",
        };
        object[key] = json!(part.name);
        if by == By::Model {
            object["provider"] = json!(part.provider);
        }
        object
    };
    json!({
        "schema_version": SCHEMA_VERSION,
        "project": project.root,
        "days": flags.days,
        "parts": parts.iter().map(part).collect::<Vec<_>>(),
        "total": amounts(&total(parts)),
    })
}

fn amounts(spent: &Spent) -> Json {
    json!({
        "creates": spent.creates,
        "settled_usd": spent.settled.usd(),
        "reserved_usd": spent.reserved.usd(),
        "unknown": spent.unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: Option<&str>, settled: u64, reserved: u64, unknown: usize) -> Part {
        Part {
            name: name.map(str::to_owned),
            provider: Some("replicate".into()),
            spent: Spent { creates: 3, settled: MicroUsd(settled), reserved: MicroUsd(reserved), unknown },
        }
    }

    #[test]
    fn what_is_unknown_and_what_is_reserved_stand_apart_from_what_is_settled() {
        let parts = [
            part(Some("black-forest-labs/flux-kontext-pro"), 80_000, 40_000, 0),
            part(Some("black-forest-labs/flux-schnell"), 40_000, 0, 2),
        ];
        insta::assert_snapshot!(console::strip_ansi_codes(&table(By::Model, &parts)), @r"
        model                               provider   creates   settled  reserved  unknown
        black-forest-labs/flux-kontext-pro  replicate        3  0.08 USD  0.04 USD        -
        black-forest-labs/flux-schnell      replicate        3  0.04 USD         -        2

        total 0.12 USD and 2 of unknown price; 0.04 USD reserved
        ");
    }

    #[test]
    fn a_workflow_whose_run_was_removed_has_no_name() {
        let parts = [Part { provider: None, ..part(None, 3_000, 0, 0) }];
        insta::assert_snapshot!(console::strip_ansi_codes(&table(By::Workflow, &parts)), @r"
        workflow               creates    settled  reserved  unknown
        (its run was removed)        3  0.003 USD         -        -

        total 0.003 USD
        ");
    }
}
