//! `castline check`: every finding at once.

use std::fmt::Write as _;

use castline_runner::fix::{self, Change, Fixed, Look};
use castline_runner::{Checked, Job, Trouble};
use castline_spec::{Diagnostic, Diagnostics};

use crate::cli::{Check, Format};
use crate::exit::Exit;
use crate::report::place::Base;
use crate::report::plan::{counted, proved};
use crate::report::{diagnostic, github, json, sarif};
use crate::{log, screen};

/// Findings are what this command is asked for, so they are data.
pub(crate) fn check(flags: &Check, verbose: bool) -> Result<Exit, Trouble> {
    let (Fixed { changes, left, now }, is_fix) = match flags.fix {
        true => (fix::fix(|| find(flags)), true),
        false => (Fixed { now: find(flags), ..Fixed::default() }, false),
    };
    let changes = is_fix.then_some(changes.as_slice());
    let proofs = proved(now.proofs).filter(|_| verbose);
    let exit = report(&now.found, flags.format, &counted(flags.files.len(), "file"), changes, proofs)?;
    // Both formats are read by programs that know nothing of what was written.
    if matches!(flags.format, Format::Sarif | Format::Github) {
        changes.unwrap_or_default().iter().for_each(|change| screen::say(&wrote(change)));
    }
    for left in &left {
        screen::warn(&format!("`{}` was left as it is: {}", left.file, left.why));
    }
    Ok(exit)
}

/// Prints findings about so many things as the format says; errors among them decide the exit code.
pub(super) fn report(
    found: &Diagnostics,
    format: Format,
    of: &str,
    changes: Option<&[Change]>,
    proofs: Option<String>,
) -> Result<Exit, Trouble> {
    match format {
        Format::Human => human(found, changes, of, proofs)?,
        Format::Json => json::print(&diagnostic::json(found, changes))?,
        Format::Sarif => json::print(&sarif::log(found, &Base::find()))?,
        Format::Github => screen::data(&github::commands(found, &Base::find()))?,
    }
    Ok(if found.has_errors() { Exit::Wrong } else { Exit::Done })
}

fn find(flags: &Check) -> Look {
    let mut look = Look::default();
    for file in &flags.files {
        let Checked { project, found, proofs } = Job::check(file);
        log::hide_tokens_of(&project);
        // What is wrong with a project is found with every file of it.
        let before = look.found.list.len();
        let new = |finding: &Diagnostic| !look.found.list[..before].contains(finding);
        let new: Vec<_> = found.list.into_iter().filter(new).collect();
        look.found.list.extend(new);
        look.roots.push(project.root);
        look.proofs = look.proofs + proofs;
    }
    look
}

fn human(
    found: &Diagnostics,
    changes: Option<&[Change]>,
    of: &str,
    proofs: Option<String>,
) -> Result<(), Trouble> {
    let mut text = String::new();
    for change in changes.unwrap_or_default() {
        let _ = writeln!(text, "{}", wrote(change));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    match diagnostic::summary(found) {
        Some(summary) => {
            let _ = writeln!(text, "{}\n\n{summary}", diagnostic::draw(found));
        }
        None => {
            let _ = writeln!(text, "{of}, nothing found");
        }
    }
    let fixable = fix::fixable(found).count();
    if changes.is_none() && fixable > 0 {
        let _ = writeln!(text, "{fixable} can be cured by `castline check --fix`");
    }
    // Of a broken document nothing is known to fit.
    if let Some(line) = proofs.filter(|_| !found.has_errors()) {
        let _ = writeln!(text, "{line}");
    }
    screen::tell(&text)
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
