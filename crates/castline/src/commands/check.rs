//! `castline check`: every finding at once.

use castline_runner::{Job, Trouble};
use castline_spec::Diagnostics;

use crate::cli::{Check, Format};
use crate::exit::Exit;
use crate::report::place::Base;
use crate::report::plan::counted;
use crate::report::{diagnostic, github, json, sarif};
use crate::{log, screen};

/// Findings are what this command is asked for, so they are data.
pub(crate) fn check(flags: &Check) -> Result<Exit, Trouble> {
    let found = find(flags);
    match flags.format {
        Format::Json => json::print(&diagnostic::json(&found))?,
        Format::Human => human(&found, flags.files.len())?,
        Format::Sarif => json::print(&sarif::log(&found, &Base::find()))?,
        Format::Github => screen::data(&github::commands(&found, &Base::find()))?,
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

fn human(found: &Diagnostics, files: usize) -> Result<(), Trouble> {
    match diagnostic::summary(found) {
        Some(summary) => screen::data(&format!("{}\n\n{summary}\n", diagnostic::draw(found))),
        None => screen::data(&format!("{}, nothing found\n", counted(files, "file"))),
    }
}
