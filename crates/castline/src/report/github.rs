//! Findings as annotations of a workflow on GitHub: one command a line.
//!
//! ```text
//! ::error file=flow.yaml,line=9,endLine=9,col=7,endColumn=20,title=unknown-input::`flux-dev` has no input `tint`
//! ```

use std::fmt::Write as _;

use castline_spec::{Diagnostic, Diagnostics};

use super::diagnostic::cure;
use super::place::Base;
use crate::screen;

/// All findings, a line each.
pub(crate) fn commands(found: &Diagnostics, base: &Base) -> String {
    found.list.iter().map(|finding| command(finding, base)).collect()
}

fn command(finding: &Diagnostic, base: &Base) -> String {
    let word = finding.severity.as_str();
    let mut line = format!("::{word} file={}", property(base.place(&finding.source).path()));
    if let Some(span) = finding.span.filter(|span| span.start.line > 0) {
        let (start, end) = (span.start, span.end);
        let _ = write!(line, ",line={},endLine={}", start.line, end.line);
        // Columns are taken only where both are in one line.
        if start.line == end.line {
            let _ = write!(line, ",col={},endColumn={}", start.column, end.column);
        }
    }
    let _ = writeln!(line, ",title={}::{}", property(finding.code.as_str()), data(&words(finding, base)));
    line
}

/// The message, then what the other formats show beside it, a line each.
fn words(finding: &Diagnostic, base: &Base) -> String {
    let mut text = finding.message.clone();
    for label in &finding.labels {
        let place = base.place(&label.source);
        let (path, at) = (place.path(), label.span.start);
        let _ = write!(text, "\n{path}:{}:{}: {}", at.line, at.column, label.message);
    }
    if let Some(hint) = &finding.hint {
        let _ = write!(text, "\nhint: {hint}");
    }
    if let Some(cure) = cure(finding) {
        let _ = write!(text, "\n{}: {}", cure.word, cure.text);
    }
    screen::printable(&text)
}

/// What follows `::`. Only these three characters mean something there.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use castline_spec::{Code, Source};

    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(property("50%, c:\\a\r\nb"), "50%25%2C c%3A\\a%0D%0Ab");
        assert_eq!(data("50%: a, b\r\n::error::c"), "50%25: a, b%0D%0A::error::c");
    }

    #[test]
    fn an_annotation_has_its_place_the_hint_and_other_places() {
        let source = Source::new("a,b.yaml", "steps:\n  a: 100%\n  a: x\n");
        let (first, again) = (source.span(9..10), source.span(19..20));
        let place = Diagnostic::error(Code::DuplicateKey, &source, again, "key `a` stands twice,\n50% of it")
            .label(&source, first, "first here")
            .hint("take one out")
            .fix(again, "b");
        let many = Diagnostic::warning(Code::Unused, &source, first.to(again), "unused");
        let whole = Diagnostic::of_file(Code::Unreadable, &source, "`a,b.yaml` does not exist");

        let found = Diagnostics { list: vec![place, many, whole] };
        insta::assert_snapshot!(commands(&found, &Base::find()), @r"
        ::error file=a%2Cb.yaml,line=3,endLine=3,col=3,endColumn=4,title=duplicate-key::key `a` stands twice,%0A50%25 of it%0Aa,b.yaml:2:3: first here%0Ahint: take one out%0Afix: write `b`
        ::warning file=a%2Cb.yaml,line=2,endLine=3,title=unused::unused
        ::error file=a%2Cb.yaml,title=unreadable::`a,b.yaml` does not exist
        ");
    }
}
