//! Where in which file a value was written.

use std::ops::{Deref, Range};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a text. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Pos {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes from the start of the text.
    pub offset: usize,
}

/// A stretch of one text, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Span {
    /// First character.
    pub start: Pos,
    /// One past the last character.
    pub end: Pos,
}

impl Pos {
    /// The place after `c` at this place, when `c` does not end the line.
    pub(crate) fn after(self, c: char) -> Self {
        Self { line: self.line, column: self.column + 1, offset: self.offset + c.len_utf8() }
    }
}

impl Span {
    /// The empty stretch at a place.
    pub fn at(pos: Pos) -> Self {
        Self { start: pos, end: pos }
    }

    /// From the start of this one to the end of another.
    #[must_use]
    pub fn to(self, end: Span) -> Self {
        Self { start: self.start, end: end.end }
    }

    /// The bytes that it covers.
    pub fn range(self) -> Range<usize> {
        self.start.offset..self.end.offset
    }
}

/// A text with the name under which messages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the user would type it, for messages.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// Names a text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The place of a byte offset. Reads the text from its start, so it is for findings, not for loops.
    pub fn pos(&self, offset: usize) -> Pos {
        self.pos_after(Cursor::new(&self.text).pos, offset)
    }

    /// The place of a byte offset that is not before a known place.
    pub(crate) fn pos_after(&self, known: Pos, offset: usize) -> Pos {
        let mut cursor = Cursor::from(&self.text, known);
        while cursor.pos.offset < offset && cursor.bump().is_some() {}
        cursor.pos
    }

    /// The stretch of a range of bytes that is not before a known place.
    pub(crate) fn span_after(&self, known: Pos, range: Range<usize>) -> Span {
        let start = self.pos_after(known, range.start);
        Span { start, end: self.pos_after(start, range.end) }
    }

    /// The stretch of a range of bytes.
    pub fn span(&self, range: Range<usize>) -> Span {
        Span { start: self.pos(range.start), end: self.pos(range.end) }
    }

    /// What stands in a stretch; empty when the stretch is of another text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The last part of the name without `.yaml` or `.yml`: what a document is called that has no `name`.
    pub fn stem(&self) -> &str {
        let file = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file)
    }
}

/// Walks a text and knows its place. A line break is one step, `\r\n` and a lone `\r` too; a
/// byte order mark at the start of the text takes no column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    /// Where it stands.
    pub pos: Pos,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self::from(text, Pos { line: 1, column: 1, offset: 0 })
    }

    pub fn from(text: &'a str, pos: Pos) -> Self {
        Self { text, pos }
    }

    pub fn rest(&self) -> &'a str {
        self.text.get(self.pos.offset..).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over one character, and says which; every line break is `\n`.
    pub fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        if c == '\n' || c == '\r' {
            let bytes = if self.rest().starts_with("\r\n") { 2 } else { 1 };
            self.pos = Pos { line: self.pos.line + 1, column: 1, offset: self.pos.offset + bytes };
            return Some('\n');
        }
        let mark = c == '\u{feff}' && self.pos.offset == 0;
        self.pos = if mark { Pos { offset: c.len_utf8(), ..self.pos } } else { self.pos.after(c) };
        Some(c)
    }

    pub fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.bump();
        }
    }

    pub fn bump_while(&mut self, holds: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&holds) {
            self.bump();
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a value and its place together.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
