//! Measures castline as its users meet it: whole processes, against a server on loopback.
//!
//! Each row of the table of targets is a [`rows::Row`]. Beside castline's time stands the
//! ideal and what a bare loop of requests takes in the same run, since times of a busy machine
//! are comparable within one run alone. Nothing here is a test: nothing fails because it is slow.
//! Wrong counts of creates do fail, however.
//!
//! ```sh
//! cargo run --release -p castline-bench -- --only pool-50
//! ```
//!
//! Start reading at [`rows::ALL`].

mod bare;
mod binary;
mod measure;
mod picture;
mod project;
mod report;
mod rows;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Whatever goes wrong ends the measurement with these words.
pub(crate) type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Measures castline: one row for each target of docs/performance.md.
#[derive(Debug, Parser)]
#[command(name = "castline-bench", subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Flags {
    /// Only rows whose name begins so; may be given several times
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// How often each row is measured; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// The castline to measure, instead of one that is built with the same profile as this
    #[arg(long, value_name = "FILE")]
    castline: Option<PathBuf>,
    /// Where to make the projects; a disk, or durable commits cost nothing [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Name the rows and do nothing
    #[arg(long)]
    list: bool,
    #[command(subcommand)]
    inner: Option<Inner>,
}

/// What this program does in processes of its own.
#[derive(Debug, Subcommand)]
enum Inner {
    /// Starts a program, waits for its end, and prints what it took
    #[command(hide = true)]
    Measured(measure::Measured),
    /// Makes predictions with nothing but requests
    #[command(hide = true)]
    Bare(bare::Bare),
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let done = match &flags.inner {
        Some(Inner::Measured(measured)) => measured.perform(),
        Some(Inner::Bare(bare)) => bare.perform(),
        None => measure_all(&flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("castline-bench: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(flags: &Flags) -> Result<(), Wrong> {
    let wanted = rows::wanted(&flags.only)?;
    if flags.list {
        wanted.iter().for_each(|row| println!("{:<14}{}", row.name, row.what));
        return Ok(());
    }
    let castline = binary::castline(flags.castline.as_deref())?;
    let beside = binary::folder()?;
    let folder = flags.folder.as_deref().unwrap_or(&beside);
    let bench = rows::Bench::new(castline, folder, flags.runs)?;
    let machine = report::Machine::look(folder)?;
    let mut results = Vec::new();
    for row in wanted {
        eprintln!("measuring {} ...", row.name);
        results.push(row.measure(&bench).map_err(|wrong| format!("{}: {wrong}", row.name))?);
    }
    match flags.json {
        true => report::json(&machine, &results),
        false => report::table(&machine, &results),
    }
}
