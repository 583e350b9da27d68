//! Where text goes: data to stdout, talk to stderr.
//!
//! Colors are written as escapes and taken out again where nobody sees them, so that no
//! caller has to ask. While there are live lines at the bottom, talk is written above them.
//! Words of others pass [`printable`] where they are put in; what is written for people is looked
//! through once more as a whole, by [`harmless`].
//!
//! Start reading at [`data`] and [`say`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use castline_runner::Trouble;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

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

/// What changes in place at the bottom of the terminal, while there is something.
static LIVE: Mutex<Option<Display>> = Mutex::new(None);

/// Times a second that it may change.
const CALM: u8 = 8;

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

/// Writes data that people read; what programs read is [`data`], as it is.
pub(crate) fn tell(text: &str) -> Result<(), Trouble> {
    data(&harmless(text))
}

/// Writes a line of talk. When nobody can hear it, nothing is lost that counts.
pub(crate) fn say(line: &str) {
    above_live(|| {
        let _ = writeln!(anstream::stderr(), "{}", harmless(line));
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

/// Writes to stderr while the live lines are out of the way.
pub(crate) fn above_live<T>(write: impl FnOnce() -> T) -> T {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match live {
        Some(live) => live.above(write),
        None => write(),
    }
}

/// Room for lines that change in place, below all that is said.
pub(crate) fn live() -> Live {
    let mut slot = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let on_stderr = || Display::on(Steady(console::Term::buffered_stderr()), CALM, shows_color());
    slot.get_or_insert_with(on_stderr).room()
}

/// Takes all live lines down, for good: they leave no trace.
pub(crate) fn end_live() {
    let display = LIVE.lock().unwrap_or_else(PoisonError::into_inner).take();
    display.into_iter().for_each(|display| display.end());
}

/// True when whoever sees stderr sees colors.
fn shows_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// The bottom of a terminal, which changes in place.
#[derive(Clone)]
pub(crate) struct Display {
    bars: MultiProgress,
    color: bool,
    blocks: Arc<Mutex<Blocks>>,
}

/// What is shown there.
#[derive(Default)]
struct Blocks {
    /// Lines by their place; the first is at the top.
    lines: BTreeMap<usize, Vec<String>>,
    next: usize,
    shown: String,
    /// Shown perhaps only in part, because lines may not change that often.
    late: bool,
    /// There is one while there are lines.
    bar: Option<ProgressBar>,
    over: bool,
}

impl Display {
    /// On a terminal, changing at most so many times a second.
    pub(crate) fn on(terminal: impl TermLike + 'static, hertz: u8, color: bool) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal), hertz);
        Self { bars: MultiProgress::with_draw_target(target), color, blocks: Arc::default() }
    }

    /// Room for some more lines, below the others.
    pub(crate) fn room(&self) -> Live {
        let mut blocks = self.blocks();
        blocks.next += 1;
        Live { display: self.clone(), place: blocks.next }
    }

    /// Writes while the lines are out of the way.
    pub(crate) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    fn end(&self) {
        self.blocks().over = true;
        self.show(0, Vec::new());
        let _ = self.bars.clear();
    }

    fn show(&self, place: usize, lines: Vec<String>) {
        let mut blocks = self.blocks();
        match lines.is_empty() {
            true => drop(blocks.lines.remove(&place)),
            false => drop(blocks.lines.insert(place, lines)),
        }
        let text = match blocks.over {
            true => String::new(),
            false => blocks.lines.values().flatten().cloned().collect::<Vec<_>>().join("\n"),
        };
        if text == blocks.shown {
            return;
        }
        blocks.shown.clone_from(&text);
        blocks.late = true;
        let text = if self.color { text } else { console::strip_ansi_codes(&text).into_owned() };
        if text.is_empty() {
            if let Some(bar) = blocks.bar.take() {
                bar.finish_and_clear();
                self.bars.remove(&bar);
            }
            return;
        }
        let bar = blocks.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}").expect("a fixed template");
            self.bars.add(ProgressBar::new_spinner().with_style(style))
        });
        bar.set_message(text);
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines that change in place. They are gone when this is.
pub(crate) struct Live {
    display: Display,
    place: usize,
}

impl Live {
    /// Shows these lines, in the place of those before.
    pub(crate) fn show(&self, lines: Vec<String>) {
        self.display.show(self.place, lines);
    }

    /// Shows what had to wait, because lines may not change that often.
    pub(crate) fn tick(&self) {
        let mut blocks = self.display.blocks();
        if std::mem::take(&mut blocks.late) {
            blocks.bar.iter().for_each(ProgressBar::tick);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.show(Vec::new());
    }
}

/// The terminal, with the cursor at the left when it rests. At the right, where the library
/// leaves it, the echo of Ctrl-C would begin a line that nobody takes away again.
#[derive(Debug)]
pub(crate) struct Steady<T>(pub(crate) T);

impl<T: TermLike> TermLike for Steady<T> {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}

/// True when a person sees stderr, on a terminal that can do more than print.
pub(crate) fn is_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_dumb && console::Term::stderr().features().is_attended()
}

/// Rows of the terminal that shows talk; none where there is no terminal.
pub(crate) fn talk_height() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(rows, _)| usize::from(rows))
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
    let lines = text.lines().map(annotate_snippets::normalize_untrusted_str);
    lines.collect::<Vec<_>>().join("\n").replace(steers, "\u{fffd}")
}

/// True for signs that some terminals obey although they are no ASCII: controls, and what turns
/// the direction of the text.
fn steers(sign: char) -> bool {
    matches!(sign, '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text for people in which nothing steers a terminal but colors, and no line is a command to the
/// CI that reads it: GitHub obeys `::error::` at the beginning of a line, blanks before it or not,
/// and, as Azure does, `##[error]` and `##vso[...]` anywhere.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut begins) = (text, true);
    while let Some(sign) = rest.chars().next() {
        if let Some(color) = color(rest) {
            out.push_str(color);
            rest = &rest[color.len()..];
            continue;
        }
        match sign {
            // Three are what a finding names its other places by, and no command.
            ':' if begins && rest.starts_with("::") && !rest.starts_with(":::") => out.push_str("| :"),
            '[' => {
                let word = out.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
                if out[..word].ends_with("##") {
                    out.insert(word - 1, ' ');
                }
                out.push(sign);
            }
            '\n' | '\t' => out.push(sign),
            '\0'..='\u{1f}' => out.extend(char::from_u32(0x2400 + u32::from(sign))),
            '\u{7f}' => out.push('\u{2421}'),
            _ if steers(sign) => out.push('\u{fffd}'),
            _ => out.push(sign),
        }
        rest = &rest[sign.len_utf8()..];
        begins = sign == '\n' || (begins && !is_seen(sign));
    }
    out
}

/// False for signs that whoever looks for the beginning of a line may leave out.
fn is_seen(sign: char) -> bool {
    !sign.is_whitespace() && sign != '\u{ad}' && columns(sign.encode_utf8(&mut [0; 4])) > 0
}

/// The escape for a color that a text begins with.
fn color(text: &str) -> Option<&str> {
    let codes = text.strip_prefix("\u{1b}[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    codes[end..].starts_with('m').then(|| &text[..=(text.len() - codes.len() + end)])
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
        assert_eq!(printable("a\u{9b}2Jb \u{202e}c\u{2066}d"), "a\u{fffd}2Jb \u{fffd}c\u{fffd}d");
    }

    #[test]
    fn of_all_that_steers_a_terminal_only_colors_are_written() {
        let said = format!("{BAD}error{BAD:#}: 紙\ta\u{1b}[2J\u{9b}2J\u{202e}\u{7f}\r\nb\u{1b}[3");
        let seen =
            format!("{BAD}error{BAD:#}: 紙\ta\u{241b}[2J\u{fffd}2J\u{fffd}\u{2421}\u{240d}\nb\u{241b}[3");
        assert_eq!(harmless(&said), seen);
    }

    #[test]
    fn no_line_is_a_command_to_a_ci() {
        let said =
            format!("it broke\n::error::no\n  {DIM}\u{ad}::add-mask::a{DIM:#}\na::b\n##[error]c ###vso[d");
        let seen = format!(
            "it broke\n| ::error::no\n  {DIM}\u{ad}| ::add-mask::a{DIM:#}\na::b\n# #[error]c ## #vso[d"
        );
        assert_eq!(harmless(&said), seen);
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
