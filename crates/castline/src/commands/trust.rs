//! `castline trust`: where secrets may go.

use castline_runner::Trouble;
use castline_runner::trust::{self, BadPair, Origin, Pair, Target, Trust};
use serde_json::{Value, json};

use crate::cli;
use crate::exit::Exit;
use crate::report::json::{SCHEMA_VERSION, print};
use crate::screen::{self, DIM, HINT, printable};

/// Lists the pairs, records some, or takes them back.
pub(crate) fn trust(flags: &cli::Trust) -> Result<Exit, Trouble> {
    let read =
        |text: &String| text.parse().map_err(|e: BadPair| Trouble::usage(e.to_string(), BadPair::HINT));
    let pairs = flags.pairs.iter().map(read).collect::<Result<Vec<Pair>, _>>()?;
    for pair in &pairs {
        change(pair, flags.remove)?;
    }
    if flags.json {
        print(&as_json(&Trust::of_user()?))?;
    } else if pairs.is_empty() {
        screen::tell(&table(&Trust::of_user()?))?;
        screen::say(&format!(
            "{HINT}any secret may go to this machine; `castline trust VARIABLE@HOST` allows more{HINT:#}"
        ));
    }
    Ok(Exit::Done)
}

fn change(pair: &Pair, removed: bool) -> Result<(), Trouble> {
    let Pair { variable, to } = pair;
    if removed {
        trust::remove(pair)?;
        screen::say(&format!("`{variable}` may not go to `{to}` any more"));
    } else if trust::add(pair)? {
        let place = trust::file().map(|path| format!("; recorded in {}", path.display())).unwrap_or_default();
        screen::say(&format!("`{variable}` may go to `{to}` from now on{}", printable(&place)));
    } else {
        screen::say(&format!("`{variable}` may go to `{to}` already"));
    }
    Ok(())
}

fn as_json(trust: &Trust) -> Value {
    let pairs = trust.pairs().iter().map(|(pair, origin)| {
        let (host, model, tls) = match &pair.to {
            Target::Host(host) => (Some(host), None, Some(true)),
            Target::PlainHost(host) => (Some(host), None, Some(false)),
            Target::Model(model) => (None, Some(model), None),
        };
        let origin = match origin {
            Origin::BuiltIn => "built-in",
            Origin::User => "user",
            Origin::Environment => "environment",
        };
        json!({
            "pair": pair.to_string(),
            "variable": pair.variable,
            "host": host,
            "model": model,
            "tls": tls,
            "origin": origin,
        })
    });
    json!({ "schema_version": SCHEMA_VERSION, "file": trust::file(), "pairs": pairs.collect::<Vec<_>>() })
}

fn table(trust: &Trust) -> String {
    let head = ["secret", "may go to", "allowed by"].map(str::to_owned);
    let row =
        |(pair, origin): &(Pair, Origin)| [pair.variable.clone(), pair.to.to_string(), origin.to_string()];
    let rows: Vec<_> = std::iter::once(head).chain(trust.pairs().iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| screen::columns(&row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let lines = rows.iter().enumerate().map(|(i, row)| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| screen::pad(cell, width)).collect();
        let line = printable(cells.join("  ").trim_end());
        if i == 0 { format!("{DIM}{line}{DIM:#}\n") } else { format!("{line}\n") }
    });
    lines.collect()
}
