//! `castline check`: every finding at once.

use castline_runner::{Job, Trouble};
use castline_spec::Diagnostics;

use crate::cli::{Check, Format};
use crate::exit::Exit;
use crate::report::plan::counted;
use crate::report::{diagnostic, json};
use crate::{log, screen};

/// Findings are what this command is asked for, so they are data.
pub(crate) fn check(flags: &Check) -> Result<Exit, Trouble> {
    refuse_later(flags.format)?;
    report(&find(flags), flags.format, &counted(flags.files.len(), "file"))
}

/// Prints findings about so many things as the format says; errors among them decide the exit code.
pub(super) fn report(found: &Diagnostics, format: Format, of: &str) -> Result<Exit, Trouble> {
    match format {
        Format::Json => json::print(&diagnostic::json(found))?,
        _ => human(found, of)?,
    }
    Ok(if found.has_errors() { Exit::Wrong } else { Exit::Done })
}

fn find(flags: &Check) -> Diagnostics {
    let mut found = Diagnostics::default();
    for file in &flags.files {
        let (project, findings) = Job::check(file);
        log::hide_tokens_of(&project);
        // What is wrong with a project is found with every file of it.
        findings.list.into_iter().for_each(|finding| {
            if !found.list.contains(&finding) {
                found.push(finding);
            }
        });
    }
    found
}

fn human(found: &Diagnostics, of: &str) -> Result<(), Trouble> {
    match diagnostic::summary(found) {
        Some(summary) => screen::data(&format!("{}\n\n{summary}\n", diagnostic::draw(found))),
        None => screen::data(&format!("{of}, nothing found\n")),
    }
}

pub(super) fn refuse_later(format: Format) -> Result<(), Trouble> {
    let name = match format {
        Format::Human | Format::Json => return Ok(()),
        Format::Sarif => "sarif",
        Format::Github => "github",
    };
    Err(Trouble::usage(
        format!("`--format {name}` comes with a later version of castline"),
        "use `--format human` or `--format json`",
    ))
}
