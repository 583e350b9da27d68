//! Draws findings: the line with the mistake, a caret under it, other places, a hint.
//!
//! ```text
//! error[unknown-dependency]: step `upscale` needs `sketh`, which is not a step of this workflow
//!  --> workflows/poster.yaml:9:13
//!   |
//! 9 |     after: [sketh]
//!   |             ^^^^^ no such step
//!   |
//!   = hint: there is a step `sketch`
//! ```
//!
//! Start reading at [`draw`]; [`json()`] is the same for programs.

use std::ops::Range;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use castline_runner::fix::Change;
use castline_spec::{Diagnostic, Diagnostics, Fix, Severity, Source, Span};
use serde_json::{Value as Json, json};

use crate::screen;

/// The bytes that end a line.
const BREAKS: &[u8] = b"\n\r";

/// Lines between two places of one snippet; places farther apart get snippets of their own.
const NEAR: u32 = 40;

/// Findings that are drawn: nobody reads more in one go.
const MOST: usize = 100;

/// Columns of a text that is shown as a cure.
const LONGEST: usize = 100;

/// All findings as people read them, without the summary.
pub(crate) fn draw(found: &Diagnostics) -> String {
    let mut drawn: Vec<_> = found.list.iter().take(MOST).map(draw_one).collect();
    if found.list.len() > MOST {
        let more = found.list.len() - MOST;
        drawn.push(format!("... and {more} more; `--format json` has all of them"));
    }
    drawn.join("\n\n")
}

/// `2 errors, 1 warning`; none when nothing was found.
pub(crate) fn summary(found: &Diagnostics) -> Option<String> {
    let count = |severity: Severity| {
        let n = found.list.iter().filter(|d| d.severity == severity).count();
        (n > 0).then(|| format!("{n} {}{}", severity.as_str(), if n == 1 { "" } else { "s" }))
    };
    let counts: Vec<_> = [count(Severity::Error), count(Severity::Warning)].into_iter().flatten().collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

fn draw_one(finding: &Diagnostic) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group =
        Group::with_title(level.primary_title(finding.message.as_str()).id(finding.code.as_str()));
    match finding.span {
        Some(span) => group = group.elements(snippets(finding, span)),
        None => group = group.element(Origin::path(screen::printable(&finding.source.name))),
    }
    if let Some(hint) = &finding.hint {
        group = group.element(Level::HELP.with_name("hint").message(screen::printable(hint)));
    }
    if let Some(cure) = cure(finding) {
        group = group.element(Level::HELP.with_name(cure.word).message(screen::printable(&cure.text)));
    }
    Renderer::styled().term_width(screen::talk_width().unwrap_or(DEFAULT_TERM_WIDTH).max(60)).render(&[group])
}

/// The lines of the file that a finding is about, with what is said beside them; none for a whole file.
pub(crate) fn excerpt(finding: &Diagnostic) -> Option<String> {
    let group = Group::with_level(Level::NOTE).elements(snippets(finding, finding.span?));
    Some(Renderer::plain().render(&[group]))
}

/// A cure in words.
pub(crate) struct Cure {
    /// `fix` when it is certain, `try` when a person decides.
    pub word: &'static str,
    /// One line.
    pub text: String,
}

impl Cure {
    /// What an edit does.
    pub(crate) fn of(finding: &Diagnostic, fix: &Fix) -> Self {
        let word = if fix.certain { "fix" } else { "try" };
        let text = match (finding.source.slice(fix.span), &*fix.text) {
            (there, "") => format!("take out {}", shown(there)),
            ("", new) => format!("put in {}", shown(new)),
            (_, new) => format!("write {}", shown(new)),
        };
        Self { word, text }
    }
}

/// The cure of a finding, unless its hint says the same already.
pub(crate) fn cure(finding: &Diagnostic) -> Option<Cure> {
    let fix = finding.fix.as_ref()?;
    let said = finding.hint.as_ref().is_some_and(|hint| says(hint, &fix.text));
    (!said).then(|| Cure::of(finding, fix))
}

/// True for a hint with this text in it, as words of its own. What cannot be seen needs no words
/// beside those of the hint.
fn says(hint: &str, text: &str) -> bool {
    let inside_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let alone = |at: usize| {
        let (before, after) = (&hint[..at], &hint[at + text.len()..]);
        !inside_word(before.chars().next_back()) && !inside_word(after.chars().next())
    };
    text.trim().is_empty() || hint.match_indices(text).any(|(at, _)| alone(at))
}

/// A text of a document in backticks, on one line; `...` stands for what is left out.
pub(crate) fn shown(text: &str) -> String {
    let breaks = ['\n', '\r'];
    let text = text.trim_matches(breaks);
    let line = text.split(breaks).next().unwrap_or_default();
    let short = console::truncate_str(line, LONGEST, "...");
    let rest = if line.len() < text.len() { " ..." } else { "" };
    format!("`{short}`{rest}")
}

/// The place of the mistake first, then every place in another file or far away.
fn snippets(finding: &Diagnostic, span: Span) -> Vec<Snippet<'_, Annotation<'_>>> {
    let caret = finding.caret.as_deref().unwrap_or_default();
    let mut windows = vec![Window::new(&finding.source, span, AnnotationKind::Primary, caret)];
    for label in &finding.labels {
        match windows.iter_mut().find(|w| w.is_near(&label.source, label.span)) {
            Some(window) => window.add(label.span, AnnotationKind::Context, &label.message),
            None => {
                windows.push(Window::new(&label.source, label.span, AnnotationKind::Context, &label.message));
            }
        }
    }
    windows.into_iter().map(Window::snippet).collect()
}

/// Some lines of a text with the places to point at.
struct Window<'a> {
    source: &'a Source,
    lines: Range<u32>,
    places: Vec<(Span, AnnotationKind, &'a str)>,
}

impl<'a> Window<'a> {
    fn new(source: &'a Source, span: Span, kind: AnnotationKind, words: &'a str) -> Self {
        Self { source, lines: span.start.line..span.end.line, places: vec![(span, kind, words)] }
    }

    fn is_near(&self, source: &Source, span: Span) -> bool {
        self.source == source
            && span.start.line <= self.lines.end.saturating_add(NEAR)
            && span.end.line.saturating_add(NEAR) >= self.lines.start
    }

    fn add(&mut self, span: Span, kind: AnnotationKind, words: &'a str) {
        self.lines = self.lines.start.min(span.start.line)..self.lines.end.max(span.end.line);
        self.places.push((span, kind, words));
    }

    fn snippet(self) -> Snippet<'a, Annotation<'a>> {
        let (text, offset) = lines(&self.source.text, &self.places);
        let annotations: Vec<_> = self
            .places
            .iter()
            .map(|(span, kind, words)| {
                let place = within(&text, span.range(), offset);
                let annotation = kind.span(place);
                if words.is_empty() { annotation } else { annotation.label(screen::printable(words)) }
            })
            .collect();
        Snippet::source(text)
            .line_start(self.lines.start.max(1) as usize)
            .path(screen::printable(&self.source.name))
            .annotations(annotations)
    }
}

/// The whole lines that these places are on, and the offset at which they begin. Every line
/// break is one byte of `\n` at its end, so that lines are counted as the reader counted them.
fn lines(text: &str, places: &[(Span, AnnotationKind, &str)]) -> (String, usize) {
    let from = places.iter().map(|(span, ..)| span.start.offset).min().unwrap_or(0).min(text.len());
    let to = places.iter().map(|(span, ..)| span.end.offset).max().unwrap_or(0).clamp(from, text.len());
    let bytes = text.as_bytes();
    let mut start = bytes[..from].iter().rposition(|b| BREAKS.contains(b)).map_or(0, |at| at + 1);
    // A place that begins between `\r` and `\n` belongs to the line that they end.
    if bytes.get(start) == Some(&b'\n') && start > 0 && bytes[start - 1] == b'\r' && from == start {
        start = bytes[..start - 1].iter().rposition(|b| BREAKS.contains(b)).map_or(0, |at| at + 1);
    }
    if text.starts_with('\u{feff}') && start == 0 {
        start = '\u{feff}'.len_utf8();
    }
    let end = bytes[to..].iter().position(|b| BREAKS.contains(b)).map_or(text.len(), |at| to + at);
    let Some(slice) = text.get(start..end.max(start)) else { return (String::new(), start) };
    (one_break(slice), start)
}

/// Makes a lone `\r` a `\n`, byte for byte.
fn one_break(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(if c == '\r' && chars.peek() != Some(&'\n') { '\n' } else { c });
    }
    out
}

/// A range of the whole text as one of the lines, on whole characters.
fn within(lines: &str, range: Range<usize>, offset: usize) -> Range<usize> {
    let place = |at: usize| {
        let mut at = at.saturating_sub(offset).min(lines.len());
        while !lines.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = place(range.start);
    start..place(range.end).max(start)
}

/// `check --format json`, with what `--fix` wrote.
pub(crate) fn json(found: &Diagnostics, changes: Option<&[Change]>) -> Json {
    let diagnostics: Vec<_> = found.list.iter().map(one_json).collect();
    let mut object = json!({ "schema_version": 1, "valid": !found.has_errors(), "diagnostics": diagnostics });
    if let Some(changes) = changes {
        object["fixed"] = changes.iter().map(change_json).collect();
    }
    object
}

fn change_json(change: &Change) -> Json {
    json!({
        "code": change.code.as_str(),
        "file": change.file,
        "span": span_json(change.span),
        "was": change.was,
        "text": change.text,
    })
}

pub(crate) fn one_json(finding: &Diagnostic) -> Json {
    let label = |label: &castline_spec::Label| {
        let span = span_json(label.span);
        json!({ "file": &*label.source.name, "span": span, "message": label.message })
    };
    json!({
        "code": finding.code.as_str(),
        "severity": finding.severity,
        "message": finding.message,
        "file": &*finding.source.name,
        "span": finding.span.map(span_json),
        "labels": finding.labels.iter().map(label).collect::<Vec<_>>(),
        "hint": finding.hint,
        "fix": finding.fix.as_ref().map(|f| json!({
            "span": span_json(f.span), "text": f.text, "certain": f.certain,
        })),
    })
}

fn span_json(span: Span) -> Json {
    json!({
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    })
}

#[cfg(test)]
mod tests;
