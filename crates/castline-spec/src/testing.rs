//! Words for tests: documents from text, findings as lines.

use std::fmt::Write;

use proptest::prelude::*;

use crate::diagnostic::{Diagnostics, Severity};
use crate::span::{Source, Span};

/// A text as a file called `test.yaml`.
pub fn source(text: &str) -> Source {
    Source::new("test.yaml", text)
}

/// One finding a line: code, place, what is there, message; below it hint, fix and labels.
pub fn findings(found: &Diagnostics) -> String {
    let mut out = String::new();
    for d in &found.list {
        let severity = if d.severity == Severity::Error { "error" } else { "warning" };
        let (place, there) = d.span.map_or((String::new(), ""), |s| (at(s), d.source.slice(s)));
        let there = there.replace('\n', "\\n");
        let _ = writeln!(out, "{severity}[{}] {place} <{there}>: {}", d.code.as_str(), d.message);
        for label in &d.labels {
            let _ = writeln!(out, "  label {}: {}", at(label.span), label.message);
        }
        if let Some(hint) = &d.hint {
            let _ = writeln!(out, "  hint: {hint}");
        }
        if let Some(fix) = &d.fix {
            let there = d.source.slice(fix.span).replace('\n', "\\n");
            let _ = writeln!(out, "  fix {}: {there} -> {}", at(fix.span), fix.text);
        }
    }
    out
}

/// `line:column`, and the end where it is another.
pub fn at(span: Span) -> String {
    let (start, end) = (span.start, span.end);
    match (start == end, start.line == end.line) {
        (true, _) => format!("{}:{}", start.line, start.column),
        (_, true) => format!("{}:{}-{}", start.line, start.column, end.column),
        _ => format!("{}:{}-{}:{}", start.line, start.column, end.line, end.column),
    }
}

/// Texts that are almost one of these.
pub fn mutated(bases: &'static [&'static str]) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..20_usize, "[ \n\t:'\"{}#&*!|>%@`,?a-c0é\\[\\]-]{0,6}");
    (prop::sample::select(bases), prop::collection::vec(edit, 1..6)).prop_map(|(base, edits)| {
        let mut text: Vec<char> = base.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len().max(1)).min(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        text.into_iter().collect()
    })
}

/// Every place of every finding must be one of the text, its line and column right.
pub fn check_places(file: &Source, found: &Diagnostics) -> Result<(), TestCaseError> {
    for finding in &found.list {
        let labels = finding.labels.iter().map(|label| label.span);
        let places = finding.span.into_iter().chain(finding.fix.iter().map(|fix| fix.span)).chain(labels);
        for span in places {
            prop_assert!(file.text.get(span.range()).is_some(), "{finding:?}");
            prop_assert_eq!(file.span(span.range()), span, "{:?}", finding);
        }
    }
    Ok(())
}
