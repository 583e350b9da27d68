//! `castline runs`: former runs, from their journals, and the end of one that goes on.

use std::collections::BTreeSet;
use std::path::Path;

use castline_core::MicroUsd;
use castline_core::event::RunStatus;
use castline_core::record::RunRecord;
use castline_core::results::LegStatus;
use castline_core::summary::RunSummary;
use castline_runner::cancel::{self, Canceled, End, Stopped};
use castline_runner::{Project, Trouble, history, shown, target};
use jiff::tz::TimeZone;

use super::{cannot_write_file, project_here, runtime};
use crate::cli::Runs;
use crate::exit::Exit;
use crate::report::plan::counted;
use crate::report::terminal::Terminal;
use crate::report::{json, money, page};
use crate::screen::{self, BAD, DIM, GOOD, WARN, pad, printable};

/// Shows, compares and removes what was and asks nobody, or cancels a run.
pub(crate) fn runs(flags: &Runs) -> Result<Exit, Trouble> {
    let project = project_here()?;
    match flags {
        Runs::List { last, json } => list(&project, *last, *json)?,
        Runs::Show { run, failed: true, .. } => show_failed(&project, run)?,
        Runs::Show { run, json, .. } => show(&project, run, *json)?,
        Runs::Diff(flags) => return super::diff::runs_diff(&project, flags),
        Runs::Report { run, output, embed } => report(&project, run, output.as_deref(), *embed)?,
        Runs::Rm { runs } => remove(&project, runs)?,
        Runs::Cancel { run, json } => return cancel(&project, run.as_deref(), *json),
    }
    Ok(Exit::Done)
}

fn list(project: &Project, last: Option<usize>, as_json: bool) -> Result<(), Trouble> {
    let (runs, unreadable) = history::runs(project, last.unwrap_or(usize::MAX))?;
    for trouble in &unreadable {
        let hint = trouble.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        screen::warn(&format!("{trouble}{hint}"));
    }
    if as_json {
        return json::print(&json::runs(&runs, project));
    }
    if runs.is_empty() && unreadable.is_empty() {
        screen::say("nothing was run in this project yet");
        return Ok(());
    }
    screen::tell(&table(&runs, &TimeZone::system(), screen::data_width()))
}

/// The id, the start, the workflow, the provider, the status, the legs and the cost of a run.
type Row = [String; 7];

/// What gives way where the terminal is too narrow, the least useful first.
const CUTS: [fn(&mut [Row]); 6] = [
    // The beginning of an id names a run as well.
    |rows| {
        let letters = beginning(rows);
        rows.iter_mut().for_each(|row| row[0] = row[0].chars().take(letters).collect());
    },
    |rows| rows.iter_mut().for_each(|row| row[3].clear()),
    // The year.
    |rows| {
        for row in rows {
            if let Some(at) = row[1].find('-') {
                row[1].drain(..=at);
            }
        }
    },
    |rows| rows.iter_mut().for_each(|row| row[2] = screen::short(&row[2], 14)),
    |rows| rows.iter_mut().for_each(|row| row[5] = screen::short(&row[5], 16)),
    |rows| rows.iter_mut().for_each(|row| row[1].clear()),
];

fn table(runs: &[RunSummary], zone: &TimeZone, most: Option<usize>) -> String {
    let head = ["run", "started", "workflow", "provider", "status", "legs", "cost"].map(str::to_owned);
    let mut rows: Vec<_> = std::iter::once(head).chain(runs.iter().map(|run| row(run, zone))).collect();
    for cut in CUTS {
        if most.is_none_or(|most| lines(&rows).iter().all(|line| screen::columns(line) <= most)) {
            break;
        }
        cut(&mut rows);
    }
    let lines = lines(&rows);
    let lines = lines.iter().enumerate().map(|(i, line)| match i {
        0 => format!("{DIM}{line}{DIM:#}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// The rows below each other, without columns that have nothing in them.
fn lines(rows: &[Row]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| screen::columns(&row[column])).max().unwrap_or(0);
    let widths: Vec<_> = (0..7).map(width).collect();
    let line = |row: &Row| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<_> = cells.map(|(cell, width)| pad(cell, *width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// So many letters tell the ids apart.
fn beginning(rows: &[Row]) -> usize {
    const FEWEST: usize = 14;
    let tells_apart = |letters: &usize| {
        let beginnings: BTreeSet<_> = rows.iter().map(|row| row[0].get(..*letters)).collect();
        beginnings.len() == rows.len()
    };
    (FEWEST..26).find(tells_apart).unwrap_or(26)
}

fn row(run: &RunSummary, zone: &TimeZone) -> [String; 7] {
    let started =
        run.started.map(|at| at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string());
    [
        printable(&run.run),
        started.unwrap_or_default(),
        screen::short(&run.workflow, 24),
        screen::short(&run.provider, 16),
        status(run.status).to_owned(),
        run.counts.to_string(),
        money::paid(&run.provider, &run.totals),
    ]
}

fn status(status: Option<RunStatus>) -> &'static str {
    match status {
        Some(RunStatus::Succeeded) => "succeeded",
        Some(RunStatus::Failed) => "failed",
        Some(RunStatus::Refused) => "refused",
        Some(RunStatus::InDoubt) => "in doubt",
        Some(RunStatus::Interrupted) => "interrupted",
        None => "never ended",
    }
}

/// The run again, by the reporter that showed it live.
fn show(project: &Project, wanted: &str, as_json: bool) -> Result<(), Trouble> {
    if as_json {
        return json::print(&json::run(&history::run(project, wanted)?, project));
    }
    let (lines, heard) = std::sync::mpsc::channel();
    let sink = Box::new(move |line: &str| drop(lines.send(format!("{line}\n"))));
    let mut terminal = Terminal::new(sink, project.root.clone());
    let record = history::replay(project, wanted, |entry| terminal.take(entry))?;
    terminal.finish(&record, None);
    drop(terminal);
    let started = record.started.map(|at| format!(", {at:.0}")).unwrap_or_default();
    let text: String = heard.iter().collect();
    screen::tell(&format!("{DIM}run {}{started}{DIM:#}\n{text}", record.run))
}

/// A line for each leg that should have an output and has none.
fn show_failed(project: &Project, wanted: &str) -> Result<(), Trouble> {
    let record = history::run(project, wanted)?;
    let lines = failed(&record);
    if lines.is_empty() {
        screen::say(&format!("no leg of run {} has failed", record.run));
    }
    screen::tell(&lines)
}

fn failed(record: &RunRecord) -> String {
    let word = |status: LegStatus| match status {
        LegStatus::Succeeded | LegStatus::Skipped | LegStatus::NotRun => None,
        LegStatus::Failed => Some("failed"),
        LegStatus::Canceled => Some("canceled"),
        LegStatus::Expired => Some("expired"),
        LegStatus::InDoubt => Some("in doubt"),
        LegStatus::Refused => Some("refused"),
    };
    let legs: Vec<_> = record.legs.iter().filter_map(|leg| Some((leg, word(leg.status)?))).collect();
    let name = |leg: &str| printable(leg);
    let widest = legs.iter().map(|(leg, _)| screen::columns(&name(&leg.leg.name))).max().unwrap_or(0);
    let line = |(leg, word): &(&castline_core::record::LegRecord, &str)| {
        let message = leg.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
        let message = printable(&message.split_whitespace().collect::<Vec<_>>().join(" "));
        format!("{}   {BAD}{}{BAD:#}   {message}\n", pad(&name(&leg.leg.name), widest), pad(word, 8))
    };
    legs.iter().map(line).collect()
}

/// Writes the page of a run again.
fn report(project: &Project, wanted: &str, file: Option<&Path>, embed: bool) -> Result<(), Trouble> {
    file.map_or(Ok(()), target::check)?;
    let record = history::run(project, wanted)?;
    if file.is_none() {
        project.check_out(&record.workflow).map_err(|trouble| match trouble {
            Trouble::Usage { message, .. } => Trouble::usage(message, "give the file yourself with `-o`"),
            other => other,
        })?;
    }
    let beside = || project.out().join(&record.workflow).join(format!("report-{}.html", record.run));
    let file = file.map_or_else(beside, |file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    page::write_former(&record, project, &file, embed).map_err(|e| cannot_write_file(&file, &e))?;
    screen::tell(&format!("{}\n", shown(&file)))
}

/// Removes the records of runs, all of them or those before the first that cannot be.
fn remove(project: &Project, wanted: &[String]) -> Result<(), Trouble> {
    // `last~1` means the same whatever is removed before it.
    let runs: Result<Vec<_>, _> = wanted.iter().map(|run| history::id(project, run)).collect();
    let runs: std::collections::BTreeSet<_> = runs?.into_iter().collect();
    for run in &runs {
        history::remove(project, run)?;
        screen::say(&format!("removed the record of run {run}"));
    }
    screen::say(&format!(
        "what {} made is still reused; `castline gc` gives back what nobody else needs",
        if runs.len() == 1 {
            "it has".to_owned()
        } else {
            format!("these {} have", counted(runs.len(), "run"))
        }
    ));
    Ok(())
}

/// Stops a run and says what became of what was under way.
fn cancel(project: &Project, wanted: Option<&str>, as_json: bool) -> Result<Exit, Trouble> {
    let runtime = runtime()?;
    let canceled = runtime.block_on(cancel::cancel(project, wanted));
    runtime.shutdown_background();
    let canceled = canceled?;
    if as_json {
        json::print(&canceled_json(&canceled))?;
    } else {
        screen::tell(&canceled.legs.iter().map(line_of).collect::<String>())?;
        screen::say(&outcome(&canceled));
    }
    Ok(match canceled.legs.iter().map(|leg| leg.end).max() {
        Some(End::Unknown) => Exit::InDoubt,
        Some(End::GoesOn) => Exit::StepFailed,
        Some(End::Canceled | End::Finished) | None => Exit::Done,
    })
}

/// `  boat   goes on   prediction abc of acme/paint at cometapi, up to 0.003 USD: ...`
fn line_of(leg: &Stopped) -> String {
    let (word, style) = match leg.end {
        End::Canceled => ("canceled", GOOD),
        End::Finished => ("finished", GOOD),
        End::GoesOn => ("goes on", WARN),
        End::Unknown => ("unknown", BAD),
    };
    let id = leg.prediction.as_ref().map_or_else(|| "a request".to_owned(), |id| format!("prediction {id}"));
    let at_most = if leg.end >= End::GoesOn { "up to " } else { "" };
    let money = match leg.cost {
        Some(MicroUsd::ZERO) => "nothing to pay".to_owned(),
        Some(cost) => format!("{at_most}{cost}"),
        None => "price unknown".to_owned(),
    };
    let about = format!("{id} of {} at {}, {money}: {}", leg.model, leg.provider, leg.words);
    format!("  {}   {style}{}{style:#}   {}\n", printable(&leg.leg), pad(word, 8), printable(&about))
}

fn outcome(canceled: &Canceled) -> String {
    let run = &canceled.run;
    let count = |end: End| canceled.legs.iter().filter(|leg| leg.end == end).count();
    let parts = [
        (count(End::Canceled), "canceled"),
        (count(End::Finished), "finished first"),
        (count(End::GoesOn), "go on at their providers"),
        (count(End::Unknown), "of which nobody knows"),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let what = if parts.is_empty() { "nothing was under way".to_owned() } else { parts.join(", ") };
    let how = if canceled.was_going_on { "has stopped" } else { "was in no process any more" };
    format!("run {run} {how}: {what}")
}

fn canceled_json(canceled: &Canceled) -> serde_json::Value {
    let legs = canceled.legs.iter().map(|leg| {
        let end = match leg.end {
            End::Canceled => "canceled",
            End::Finished => "finished",
            End::GoesOn => "goes-on",
            End::Unknown => "unknown",
        };
        serde_json::json!({
            "leg": leg.leg,
            "model": leg.model,
            "provider": leg.provider,
            "prediction": leg.prediction,
            "end": end,
            "message": leg.words,
            "cost_usd": leg.cost.map(MicroUsd::usd),
        })
    });
    serde_json::json!({
        "schema_version": json::SCHEMA_VERSION,
        "run": canceled.run,
        "was_going_on": canceled.was_going_on,
        "legs": legs.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use castline_core::event::Totals;

    use super::*;

    #[test]
    fn runs_are_listed_in_columns() {
        let summary = |run: &str, provider: &str, status, cost| RunSummary {
            run: run.to_owned(),
            workflow: "paper-boat".to_owned(),
            provider: provider.to_owned(),
            started: Some("2026-11-02T09:15:02Z".parse().unwrap()),
            status,
            totals: Totals { cost: MicroUsd(cost), ..Totals::default() },
            ..RunSummary::default()
        };
        let runs = [
            summary("01K0000000000000000000000B", "replicate", Some(RunStatus::Failed), 123_000),
            summary("01K0000000000000000000000A", "sandbox", None, 0),
        ];
        let drawn =
            |runs: &[_], most| console::strip_ansi_codes(&table(runs, &TimeZone::UTC, most)).into_owned();
        insta::assert_snapshot!(drawn(&runs, None));
        let runs = [
            summary("01K8DT8XZHCFR3GK765YV56MBW", "replicate", Some(RunStatus::Failed), 123_000),
            summary("01K8DT8Q2714HE6DKNRRCY4DRM", "sandbox", None, 0),
        ];
        insta::assert_snapshot!(drawn(&runs, Some(80)), @r"
        run             started      workflow    status       legs           cost
        01K8DT8XZHCFR3  11-02 09:15  paper-boat  failed       nothing to do  0.123 USD
        01K8DT8Q2714HE  11-02 09:15  paper-boat  never ended  nothing to do  free
        ");
        insta::assert_snapshot!(drawn(&runs, Some(66)), @r"
        run             workflow    status       legs           cost
        01K8DT8XZHCFR3  paper-boat  failed       nothing to do  0.123 USD
        01K8DT8Q2714HE  paper-boat  never ended  nothing to do  free
        ");
    }
}
