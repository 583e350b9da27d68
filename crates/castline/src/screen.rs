//! Where text goes: data to stdout, talk to stderr.
//!
//! Colors are written as escapes and taken out again where nobody sees them, so that no
//! caller has to ask. While a progress display is up, talk is written above it.
//!
//! Start reading at [`data`] and [`say`].

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use castline_runner::Trouble;
use indicatif::MultiProgress;

/// Done, found, fine.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Should be known.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What to do.
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Less important.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(crate) const BOLD: Style = Style::new().bold();

/// The width that long text is wrapped to where there is no terminal.
pub(crate) const USUAL_WIDTH: usize = 80;

/// The progress display that is up, if one is.
static PROGRESS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Which colors are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that shows them, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Decides about colors for the whole process.
pub(crate) fn set_color(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::AlwaysAnsi,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Writes data. A reader that went away, as `head` does, is no trouble.
pub(crate) fn data(text: &str) -> Result<(), Trouble> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::usage(format!("cannot write to stdout: {e}"), "is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// Writes a line of talk. When nobody can hear it, nothing is lost that counts.
pub(crate) fn say(line: &str) {
    above_progress(|| {
        let _ = writeln!(anstream::stderr(), "{line}");
    });
}

/// Says that something should be known.
pub(crate) fn warn(message: &str) {
    say(&format!("{WARN}warning{WARN:#}: {}", printable(message)));
}

/// Says what is wrong and what to do.
pub(crate) fn complain(message: &str, hint: Option<&str>) {
    say(&complaint(message, hint));
}

/// What is wrong and what to do, as [`complain`] says it.
pub(crate) fn complaint(message: &str, hint: Option<&str>) -> String {
    let mut text = format!("{BAD}error{BAD:#}: {}", printable(message));
    if let Some(hint) = hint {
        let _ = write!(text, "\n  = {HINT}hint{HINT:#}: {}", printable(hint));
    }
    text
}

/// Asks a question that is answered with yes or no; anything but a yes is a no.
pub(crate) fn confirm(question: &str) -> io::Result<bool> {
    write!(anstream::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Writes to stderr while the progress display is out of the way.
pub(crate) fn above_progress<T>(write: impl FnOnce() -> T) -> T {
    let progress = PROGRESS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    match progress {
        Some(progress) => progress.suspend(write),
        None => write(),
    }
}

/// Puts a progress display up; none takes it down and leaves no trace of it.
pub(crate) fn set_progress(progress: Option<MultiProgress>) {
    let mut slot = PROGRESS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(old) = std::mem::replace(&mut *slot, progress) {
        let _ = old.clear();
    }
}

/// True when a person sees stderr, on a terminal that can do more than print.
pub(crate) fn is_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_dumb && console::Term::stderr().features().is_attended()
}

/// Columns of the terminal that shows talk; none where there is no terminal.
pub(crate) fn talk_width() -> Option<usize> {
    columns_of(&console::Term::stderr())
}

/// Columns of the terminal that shows data; none where it goes into a file or a program.
pub(crate) fn data_width() -> Option<usize> {
    columns_of(&console::Term::stdout())
}

/// In fewer columns nothing can be laid out.
fn columns_of(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| usize::from(columns).max(40))
}

/// Text from a file or a server with everything replaced that could steer a terminal. Line
/// breaks stay.
pub(crate) fn printable(text: &str) -> String {
    text.lines().map(annotate_snippets::normalize_untrusted_str).collect::<Vec<_>>().join("\n")
}

/// The same on one line of at most so many columns.
pub(crate) fn short(text: &str, columns: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    console::truncate_str(&printable(&line), columns, "...").into_owned()
}

/// Lines of at most so many columns, broken at blanks.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in printable(text).split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        match line.as_str() {
            "" => line.push_str(word),
            full if self::columns(full) + 1 + self::columns(word) > columns => lines.push(word.to_owned()),
            _ => {
                line.push(' ');
                line.push_str(word);
            }
        }
    }
    lines
}

/// Fills up with spaces to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    console::pad_str(text, columns, console::Alignment::Left, None).into_owned()
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{7}\nc\td"), "a\u{241b}[2Jb\u{2407}\nc    d");
        assert_eq!(short("one\ntwo \u{1b}]0;x", 40), "one two \u{241b}]0;x");
    }

    #[test]
    fn long_text_is_broken_at_blanks() {
        assert_eq!(wrap("one two  three\nfour", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("", 9), [""]);
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(short("紙の船が浮かぶ", 9), "紙の船...");
        assert_eq!(pad("紙", 4), "紙  ");
    }
}
