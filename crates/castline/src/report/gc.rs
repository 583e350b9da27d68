//! What is given back, before and after: runs, results with what they cost, files.

use std::fmt::Write as _;

use castline_core::MicroUsd;
use castline_core::ledger::Spent;
use castline_runner::Project;
use castline_runner::gc::{Amount, Collected, Sweep};
use serde_json::{Value as Json, json};

use super::json::SCHEMA_VERSION;
use super::plan::counted;
use crate::screen::pad;

/// What goes, what stays, and what that is worth.
pub(crate) fn draw(collected: &Collected) -> String {
    let Sweep { results, results_kept, worth, worth_kept, others, files, files_kept } = &collected.sweep;
    let mut rows = vec![
        ["runs".to_owned(), collected.runs.len().to_string(), collected.runs_kept.to_string()],
        ["results".to_owned(), results.to_string(), results_kept.to_string()],
        ["  which cost".to_owned(), spent(worth), spent(worth_kept)],
        ["files".to_owned(), amount(*files), amount(*files_kept)],
    ];
    rows.insert(0, ["", "removed", "kept"].map(str::to_owned));
    let widths = [0, 1].map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0));
    let line = |[name, goes, stays]: &[String; 3]| {
        format!("{}   {}   {stays}\n", pad(name, widths[0]), pad(goes, widths[1]))
    };
    let mut text: String = rows.iter().map(line).collect();
    if *others > 0 {
        let _ = writeln!(
            text,
            "{} without a result, failed or never begun, removed too",
            counted(*others, "prediction")
        );
    }
    if collected.libraries.count > 0 {
        let _ = writeln!(
            text,
            "{} of libraries that castline.lock does not pin, {}, removed too",
            counted(collected.libraries.count, "file"),
            size(collected.libraries.bytes)
        );
    }
    if collected.saved > 0 {
        let _ = writeln!(
            text,
            "{} of removed runs still stand where they were saved, and keep their results; `--saved` removes these too",
            counted(collected.saved, "file")
        );
    }
    text
}

/// `1.20 USD`, `nothing`, `0.40 USD and 2 of unknown price`.
fn spent(spent: &Spent) -> String {
    if *spent == Spent::default() || (spent.settled == MicroUsd::ZERO && spent.unknown == 0) {
        return "nothing".to_owned();
    }
    spent.to_string()
}

/// `12 (3.4 MiB)`.
fn amount(amount: Amount) -> String {
    match amount.count {
        0 => "0".to_owned(),
        n => format!("{n} ({})", size(amount.bytes)),
    }
}

/// `512 bytes`, `3.4 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64 / 1024.0;
    if value < 1.0 {
        return counted(bytes as usize, "byte");
    }
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// `gc --json`.
pub(crate) fn json(collected: &Collected, project: &Project, removed: bool) -> Json {
    let Sweep { results, results_kept, worth, worth_kept, others, files, files_kept } = &collected.sweep;
    json!({
        "schema_version": SCHEMA_VERSION,
        "project": project.root,
        "removed": removed,
        "runs": collected.runs,
        "runs_kept": collected.runs_kept,
        "results": results,
        "results_kept": results_kept,
        "worth_usd": worth.settled.usd(),
        "worth_unknown": worth.unknown,
        "worth_kept_usd": worth_kept.settled.usd(),
        "worth_kept_unknown": worth_kept.unknown,
        "failed": others,
        "files": files.count,
        "bytes": files.bytes,
        "files_kept": files_kept.count,
        "bytes_kept": files_kept.bytes,
        "kept_for_saved_files": collected.saved,
        "library_files": collected.libraries.count,
        "library_bytes": collected.libraries.bytes,
        "temporary_files": collected.leftovers.count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_stands_beside_what_stays() {
        let paid =
            |settled, unknown| Spent { creates: 3, settled: MicroUsd(settled), unknown, ..Spent::default() };
        let sweep = Sweep {
            results: 340,
            results_kept: 72,
            worth: paid(3_400_000, 2),
            worth_kept: paid(0, 0),
            others: 4,
            files: Amount { count: 512, bytes: 1_288_490_189 },
            files_kept: Amount { count: 1, bytes: 700 },
        };
        let runs = vec!["01A".to_owned(), "01B".to_owned()];
        let collected = Collected { runs, runs_kept: 5, saved: 7, sweep, ..Collected::default() };
        insta::assert_snapshot!(draw(&collected), @"
                       removed                           kept
        runs           2                                 5
        results        340                               72
          which cost   3.40 USD and 2 of unknown price   nothing
        files          512 (1.2 GiB)                     1 (700 bytes)
        4 predictions without a result, failed or never begun, removed too
        7 files of removed runs still stand where they were saved, and keep their results; `--saved` removes these too
        ");
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let sizes = [0, 1, 1023, 1024, 1_048_570, 1 << 20, 5 << 40].map(size);
        assert_eq!(
            sizes,
            ["0 bytes", "1 byte", "1023 bytes", "1.0 KiB", "1.0 MiB", "1.0 MiB", "5.0 TiB"]
                .map(str::to_owned)
        );
    }
}
