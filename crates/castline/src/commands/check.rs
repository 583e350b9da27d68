//! `castline check`: every finding at once.

use std::fmt::Write as _;
use std::path::Path;

use castline_runner::fix::{self, Change, Checked, Fixed};
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
    let fixed = match flags.fix {
        true => Some(fix(flags)?),
        false => None,
    };
    let found = match &fixed {
        Some(fixed) => fixed.found.clone(),
        None => find(flags).found,
    };
    let changes = fixed.as_ref().map(|fixed| fixed.changes.as_slice());
    match flags.format {
        Format::Human => human(&found, changes, flags.files.len())?,
        Format::Json => json::print(&diagnostic::json(&found, changes))?,
        Format::Sarif => json::print(&sarif::log(&found, &Base::find()))?,
        Format::Github => screen::data(&github::commands(&found, &Base::find()))?,
    }
    // Both formats are read by programs that know nothing of what was written.
    if matches!(flags.format, Format::Sarif | Format::Github) {
        changes.unwrap_or_default().iter().for_each(|change| screen::say(&wrote(change)));
    }
    for left in fixed.iter().flat_map(|fixed| &fixed.left) {
        screen::warn(&format!("`{}` was left as it is: {}", left.file, left.why));
    }
    Ok(if found.has_errors() { Exit::Wrong } else { Exit::Done })
}

fn find(flags: &Check) -> Checked {
    let mut checked = Checked { roots: Vec::new(), found: Diagnostics::default() };
    for file in &flags.files {
        let (project, findings) = Job::check(file);
        log::hide_tokens_of(&project);
        // What is wrong with a project is found with every file of it.
        findings.list.into_iter().for_each(|finding| {
            if !checked.found.list.contains(&finding) {
                checked.found.push(finding);
            }
        });
        checked.roots.push(project.root);
    }
    checked
}

fn fix(flags: &Check) -> Result<Fixed, Trouble> {
    flags.files.iter().try_for_each(|file| refuse_stream(file))?;
    Ok(fix::fix(|| find(flags)))
}

/// A text that comes through a pipe can be read once, and written nowhere.
fn refuse_stream(file: &Path) -> Result<(), Trouble> {
    let is_stream = std::fs::metadata(file).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if !is_stream && file.as_os_str() != "-" {
        return Ok(());
    }
    let message = format!("`{}` is not a file, so `--fix` cannot write to it", file.display());
    Err(Trouble::usage(message, "save the workflow as a file"))
}

fn human(found: &Diagnostics, changes: Option<&[Change]>, files: usize) -> Result<(), Trouble> {
    let mut text = String::new();
    for change in changes.unwrap_or_default() {
        let _ = writeln!(text, "{}", wrote(change));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let Some(summary) = diagnostic::summary(found) else {
        let _ = writeln!(text, "{}, nothing found", counted(files, "file"));
        return screen::data(&text);
    };
    let _ = writeln!(text, "{}\n\n{summary}", diagnostic::draw(found));
    let fixable = found.list.iter().filter(|finding| fix::is_fixable(finding)).count();
    if changes.is_none() && fixable > 0 {
        let _ = writeln!(text, "{fixable} can be cured by `castline check --fix`");
    }
    screen::data(&text)
}

/// ``flow.yaml:9:13: wrote `aspect_ratio` for `aspect_ration` ``
fn wrote(change: &Change) -> String {
    let (at, shown) = (change.span.start, diagnostic::shown);
    let what = match (&*change.was, &*change.text) {
        (was, "") => format!("took out {}", shown(was)),
        ("", text) => format!("put in {}", shown(text)),
        (was, text) => format!("wrote {} for {}", shown(text), shown(was)),
    };
    screen::printable(&format!("{}:{}:{}: {what}", change.file, at.line, at.column))
}
