//! Where in the file each byte of a text was written.
//!
//! The text itself came from the YAML parser; here the file is walked again beside it, one
//! character of the text at a time, so that escapes, folded lines and indentation are passed
//! over just as the parser did. Nothing is decided here.
//!
//! Start reading at [`map`].

use super::{Style, Text};
use crate::span::{Cursor, Pos};
use crate::template::PositionMap;

/// Builds the map of a text.
pub(super) fn map(text: &Text, file: &str) -> PositionMap {
    let mut pairs = Pairs::new(&text.value);
    let mut cursor = Cursor::from(file, text.start);
    let end = match text.style {
        Style::Plain => flow(&mut pairs, &mut cursor, None, text.span.end.offset),
        Style::Single => flow(&mut pairs, &mut cursor, Some('\''), usize::MAX),
        Style::Double => flow(&mut pairs, &mut cursor, Some('"'), usize::MAX),
        Style::Literal | Style::Folded => block(&mut pairs, &mut cursor),
    };
    pairs.finish(end)
}

/// The place after the closing quote of a text that begins at the cursor.
pub(super) fn end_of_quoted(mut cursor: Cursor<'_>) -> Pos {
    let quote = cursor.bump();
    while let Some(c) = cursor.peek() {
        if Some(c) == quote {
            cursor.bump();
            if quote == Some('"') || cursor.peek() != quote {
                break;
            }
        } else if c == '\\' && quote == Some('"') {
            cursor.bump();
        }
        cursor.bump();
    }
    cursor.pos
}

/// The end of the last line with content of a block whose lines begin at the cursor.
pub(super) fn end_of_block(mut cursor: Cursor<'_>, text: &str) -> Pos {
    block(&mut Pairs::new(text.trim_end_matches('\n')), &mut cursor)
}

/// The characters of a text, and the places that they are given one by one.
struct Pairs<'a> {
    rest: &'a str,
    length: usize,
    anchors: Vec<(usize, Pos)>,
    in_step: Option<(usize, Pos)>,
}

impl<'a> Pairs<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, length: text.len(), anchors: Vec::new(), in_step: None }
    }

    fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The next character was written at `place`.
    fn take(&mut self, place: Pos) {
        let Some(c) = self.peek() else { return };
        let here = (self.at(), place);
        if self.in_step != Some(here) {
            self.anchors.push(here);
        }
        self.rest = &self.rest[c.len_utf8()..];
        self.in_step = (c.is_ascii() && c != '\n').then(|| (self.at(), place.after(c)));
    }

    /// The next `count` characters were all written at `place`.
    fn take_many(&mut self, count: usize, place: Pos) {
        (0..count).for_each(|_| self.take(place));
    }

    fn finish(mut self, end: Pos) -> PositionMap {
        if self.rest.is_empty() && self.in_step != Some((self.length, end)) {
            self.anchors.push((self.length, end));
        }
        PositionMap { anchors: self.anchors }
    }
}

/// Plain and quoted text. Answers where the text ends, its closing quote excluded.
fn flow(pairs: &mut Pairs<'_>, cursor: &mut Cursor<'_>, quote: Option<char>, end: usize) -> Pos {
    if quote.is_some() {
        cursor.bump();
    }
    while let Some(c) = cursor.peek().filter(|_| cursor.pos.offset < end) {
        let place = cursor.pos;
        match c {
            '\'' if quote == Some(c) => {
                cursor.bump();
                if cursor.peek() != quote {
                    return place;
                }
                pairs.take(place);
                cursor.bump();
            }
            '"' if quote == Some(c) => return place,
            '\\' if quote == Some('"') => escape(pairs, cursor),
            ' ' | '\t' | '\n' | '\r' => gap(pairs, cursor),
            _ => {
                pairs.take(place);
                cursor.bump();
            }
        }
    }
    cursor.pos
}

/// One escape is one character, except that an escaped line break is none.
fn escape(pairs: &mut Pairs<'_>, cursor: &mut Cursor<'_>) {
    let place = cursor.pos;
    cursor.bump();
    let digits = match cursor.bump() {
        Some('\n') => return pairs.take_many(line_breaks(cursor), place),
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        _ => 0,
    };
    cursor.skip(digits);
    pairs.take(place);
}

/// White space inside one line stands as it is; a line break is a space, several are one less.
fn gap(pairs: &mut Pairs<'_>, cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    ahead.bump_while(|c| c == ' ' || c == '\t');
    if !matches!(ahead.peek(), Some('\n' | '\r')) {
        while cursor.pos.offset < ahead.pos.offset {
            pairs.take(cursor.pos);
            cursor.bump();
        }
        return;
    }
    *cursor = ahead;
    pairs.take_many(line_breaks(cursor).saturating_sub(1).max(1), ahead.pos);
}

/// Passes over white space and says how many line breaks there were.
fn line_breaks(cursor: &mut Cursor<'_>) -> usize {
    let mut count = 0;
    while let Some(' ' | '\t' | '\n' | '\r') = cursor.peek() {
        count += usize::from(cursor.bump() == Some('\n'));
    }
    count
}

/// The lines below `|` or `>`: each one's content stands in the text as it is.
fn block(pairs: &mut Pairs<'_>, cursor: &mut Cursor<'_>) -> Pos {
    let indent = indent_of_block(*cursor, pairs.rest).unwrap_or(usize::MAX);
    let mut end = cursor.pos;
    let mut started = false;
    while pairs.rest.contains(|c| c != '\n') && cursor.peek().is_some() {
        let line = cursor.rest().split(['\n', '\r']).next().unwrap_or_default();
        let content = line.get(indent..).unwrap_or_default();
        if content.is_empty() {
            cursor.bump_while(|c| c != '\n' && c != '\r');
            if !started {
                pairs.take(cursor.pos);
            }
        } else {
            // The places of what separates two lines are at the end of the first.
            separators(pairs, content, end);
            started = true;
            cursor.skip(indent);
            for _ in content.chars() {
                pairs.take(cursor.pos);
                cursor.bump();
            }
        }
        end = cursor.pos;
        cursor.bump();
    }
    pairs.take_many(pairs.rest.len(), end);
    end
}

/// By how much the lines of a block are indented, as far as the block has content.
pub(super) fn indent_of_block(mut cursor: Cursor<'_>, text: &str) -> Option<usize> {
    let content = text.trim_start_matches('\n');
    for _ in 0..text.len() - content.len() {
        cursor.bump_while(|c| c != '\n' && c != '\r');
        cursor.bump();
    }
    let spaces = leading_spaces(cursor.rest()).saturating_sub(leading_spaces(content));
    (!content.is_empty()).then_some(spaces)
}

/// What stands between two lines with content: line breaks, or the one space of a folded text.
fn separators(pairs: &mut Pairs<'_>, content: &str, place: Pos) {
    while pairs.peek() == Some('\n') {
        pairs.take(place);
    }
    if !pairs.rest.starts_with(content) && pairs.peek() == Some(' ') {
        pairs.take(place);
    }
}

fn leading_spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}
