//! YAML events to nodes.
//!
//! One pass without recursion over what `saphyr-parser` tells, so that no text can exhaust the
//! stack; nesting and the growth of aliases have limits. Scalars are read in `scalar`, findings
//! about the spelling are worded in `trap`.

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::scalar::{self, Resolved};
use super::{Key, Node, NodeKind, Style, Text, place, trap};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::span::{Cursor, Pos, Source, Span, Spanned};

/// As deep as `yaml_serde` reads.
const MOST_NESTED: usize = 128;
/// So many values may come out of aliases.
const MOST_ALIASED: usize = 100_000;

const BYTE_ORDER_MARK: char = '\u{feff}';

pub(super) fn read(source: &Source) -> (Option<Node>, Diagnostics) {
    let mut tree = Tree::new(source);
    let root = tree.grow();
    (root, tree.found)
}

struct Tree<'a> {
    source: &'a Source,
    places: Places,
    found: Diagnostics,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Grown>,
    aliased: usize,
    root: Option<Node>,
    /// Where the last event ended: what cannot be scanned stands after it.
    last: Pos,
}

/// A list or map whose end is still to come.
struct Open {
    items: Items,
    start: Pos,
    end: Pos,
    anchor: usize,
    flow: bool,
    /// It stands where a key should.
    is_key: bool,
    /// It is `{{`: so many findings had been made before.
    template: Option<usize>,
    /// The text that was meant by it.
    meant: Option<Text>,
    size: usize,
    depth: usize,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, known: BTreeMap<String, Span>, next: Next },
}

/// What a map expects.
enum Next {
    Key,
    Value(Key),
    /// The key was refused, the value is passed over.
    Nothing,
}

/// A finished node with what an alias to it would cost.
#[derive(Clone)]
struct Grown {
    node: Node,
    size: usize,
    depth: usize,
}

impl<'a> Tree<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            places: Places::new(&source.text),
            found: Diagnostics::default(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            aliased: 0,
            root: None,
            last: source.pos(0),
        }
    }

    fn grow(&mut self) -> Option<Node> {
        let source = self.source;
        if let Some(finding) = trap::unprintable(source).or_else(|| trap::directive(source)) {
            self.found.push(finding);
            return None;
        }
        self.found.list.extend(trap::line_breaks(source));
        let text = source.text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&source.text);
        for event in Parser::new_from_str(text) {
            match event {
                Ok((Event::StreamEnd, _)) => break,
                Ok((event, span)) => {
                    let span = self.places.span(span);
                    if let Err(finding) = self.handle(event, span) {
                        self.found.push(*finding);
                        return None;
                    }
                }
                Err(error) => {
                    let place = self.places.pos(*error.marker());
                    self.syntax_error(error.info(), place);
                    return None;
                }
            }
        }
        let nothing = Node { kind: NodeKind::Null, span: Span::at(source.pos(source.text.len())) };
        Some(self.root.take().unwrap_or(nothing))
    }

    fn handle(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Diagnostic>> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => return Err(self.second_document(span)),
            Event::Scalar(value, style, anchor, tag) => {
                self.scalar(&value, style, anchor, tag.as_deref(), span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Items::List(Vec::new()), anchor, tag.as_deref(), span)?;
            }
            Event::MappingStart(anchor, tag) => {
                let map = Items::Map { entries: Vec::new(), known: BTreeMap::new(), next: Next::Key };
                self.start(map, anchor, tag.as_deref(), span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => self.alias(anchor, span)?,
            _ => {}
        }
        Ok(())
    }

    fn syntax_error(&mut self, info: &str, place: Pos) {
        let template = self.open.iter().find(|open| open.template.is_some());
        let clue = trap::Clue {
            info,
            place,
            last: template.map_or(self.last, |open| open.start),
            in_flow: self.open.iter().any(|open| open.flow && open.template.is_none()),
        };
        if let Some(made_before) = template.and_then(|open| open.template) {
            self.found.list.truncate(made_before);
        }
        trap::syntax(self.source, &clue, &mut self.found);
    }

    fn second_document(&self, span: Span) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::error(Code::YamlSyntax, self.source, span, "a second document begins here")
                .hint("a file holds one document; put the other into a file of its own"),
        )
    }

    fn start(
        &mut self,
        items: Items,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Box<Diagnostic>> {
        if self.open.len() >= MOST_NESTED {
            return Err(self.too_deep(span));
        }
        if tag.is_some_and(is_local) {
            self.found.push(trap::local_tag(self.source, span, false));
        }
        if anchor > 0 {
            self.found.list.extend(trap::anchor_name(self.source, span));
        }
        let mut start = self.after_properties(span.start, anchor > 0 || tag.is_some());
        if matches!(items, Items::List(_)) {
            start = self.dash_before(start);
        }
        let rest = self.source.text.get(start.offset..).unwrap_or_default();
        let template =
            ["{{", "{%", "{#"].iter().any(|t| rest.starts_with(t)) && matches!(items, Items::Map { .. });
        self.open.push(Open {
            items,
            start,
            end: span.end.max(start),
            anchor,
            flow: rest.starts_with(['{', '[']) && span.end > span.start,
            is_key: self.expects_key(),
            template: template.then_some(self.found.list.len()),
            meant: None,
            size: 1,
            depth: 1,
        });
        self.last = span.end.max(self.last);
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Box<Diagnostic> {
        let message = format!("lists and maps are nested deeper than {MOST_NESTED}");
        Box::new(Diagnostic::error(Code::YamlSyntax, self.source, span, message))
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        // The parser counts what follows the bracket in; what is implied has no bracket.
        let bracket = open.flow.then(|| self.source.text[span.start.offset..].chars().next()).flatten();
        let end = match bracket {
            Some(c @ (']' | '}')) => span.start.after(c),
            _ => open.end,
        };
        self.last = end.max(self.last);
        let node = match (open.meant, open.items) {
            (Some(text), _) => Node { span: text.span, kind: NodeKind::Text(text) },
            (None, Items::List(items)) => {
                Node { kind: NodeKind::List(items), span: Span { start: open.start, end } }
            }
            (None, Items::Map { entries, .. }) => {
                Node { kind: NodeKind::Map(entries), span: Span { start: open.start, end } }
            }
        };
        if open.is_key {
            return self.refuse_key(node.span);
        }
        self.put(Grown { node, size: open.size, depth: open.depth }, open.anchor);
    }

    /// A list or a map stands where a key should. In `{{ x }}` it is the template that was meant.
    fn refuse_key(&mut self, span: Span) {
        let in_flow = self.open.len() > 1 && self.open[..self.open.len() - 1].iter().any(|open| open.flow);
        let Some(map) = self.open.last_mut() else { return };
        map.end = map.end.max(span.end);
        if let Items::Map { next, .. } = &mut map.items {
            *next = Next::Nothing;
        }
        if let Some(made_before) = map.template
            && span.start.offset == map.start.offset + 1
            && let Some(range) = trap::extent(&self.source.text, map.start.offset, in_flow)
        {
            self.found.list.truncate(made_before);
            self.found.push(trap::unquoted(self.source, map.start, range.clone()));
            map.meant = Some(trap::meant(self.source, map.start, range));
            return;
        }
        self.found.push(
            Diagnostic::error(Code::InvalidName, self.source, span, "a key is text, not a list or a map")
                .hint("text that begins with `{` or `[` needs quotes"),
        );
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        self.last = span.end.max(self.last);
        let Some(grown) = self.anchors.get(&anchor).cloned() else {
            let message = "an alias stands inside the value that it repeats";
            return Err(Box::new(Diagnostic::error(Code::YamlSyntax, self.source, span, message)));
        };
        self.aliased += grown.size;
        if self.aliased > MOST_ALIASED {
            let message = format!("aliases grow to more than {MOST_ALIASED} values");
            return Err(Box::new(Diagnostic::error(Code::YamlSyntax, self.source, span, message)));
        }
        if self.open.len() + grown.depth > MOST_NESTED {
            return Err(self.too_deep(span));
        }
        if !self.expects_key() {
            self.put(grown, 0);
        } else if let NodeKind::Text(text) = &grown.node.kind {
            let key = Spanned::new(text.value.to_string(), span);
            self.key(key, false);
        } else {
            self.refuse_key(span);
        }
        Ok(())
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) {
        let style = Style::from(style);
        let written = span;
        let (start, span) = self.place_of(value, style, span, anchor > 0 || tag.is_some());
        let before = self.last;
        self.last = span.end.max(self.last);
        if tag.is_some_and(is_local) {
            self.found.push(trap::local_tag(self.source, written, true));
        }
        if anchor > 0 {
            self.found.list.extend(trap::anchor_name(self.source, written));
        }
        if matches!(style, Style::Literal | Style::Folded)
            && self.open.is_empty()
            && place::indent_of_block(Cursor::from(&self.source.text, start), value) == Some(0)
        {
            self.found.push(trap::block_at_the_margin(self.source, span));
        }
        let value = self.without_added_break(value, style, start, span.end);
        if style == Style::Plain
            && value.starts_with(['?', ':', '|', '>'])
            && self.open.iter().any(|open| open.flow)
        {
            self.found.push(trap::indicator(self.source, span));
        }
        if self.expects_key() {
            let in_flow = self.open.iter().any(|open| open.flow);
            let is_missing = value.is_empty() && style == Style::Plain && anchor == 0 && tag.is_none();
            if !matches!(style, Style::Literal | Style::Folded) {
                self.found.list.extend(trap::key(self.source, written, span, is_missing));
            }
            if style == Style::Plain && in_flow {
                self.found.list.extend(trap::tight_colon(self.source, span));
            }
            let key = Spanned::new(value.to_owned(), span);
            return self.key(key, style == Style::Plain && tag.is_none());
        }
        let text = Text { value: Arc::from(value), style, span, start };
        let kind = self.resolve(text, tag);
        if let (NodeKind::Text(text), Style::Plain) = (&kind, style) {
            let in_flow = self.open.iter().any(|open| open.flow);
            self.found.list.extend(trap::cut_by_comment(self.source, text, in_flow));
        }
        if kind == NodeKind::Null && value.is_empty() && anchor == 0 && tag.is_none() {
            self.found.list.extend(trap::all_comment(self.source, before));
        }
        self.put(Grown { node: Node { kind, span }, size: 1, depth: 0 }, anchor);
    }

    fn resolve(&mut self, text: Text, tag: Option<&Tag>) -> NodeKind {
        let value = &*text.value;
        let resolved = match tag.map(full) {
            None if text.style == Style::Plain => scalar::plain(value),
            None => Resolved::Text,
            Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
                Some(kind @ ("null" | "bool" | "int" | "float")) => {
                    let resolved = match kind {
                        "null" => scalar::is_null(value).then_some(Resolved::Null),
                        "bool" => scalar::boolean(value).map(Resolved::Bool),
                        "int" => scalar::integer(value),
                        _ => scalar::float(value),
                    };
                    let Some(resolved) = resolved else { return self.no_such_value(&text, kind) };
                    resolved
                }
                _ if tag.starts_with('!') => return NodeKind::Broken,
                _ => Resolved::Text,
            },
        };
        match resolved {
            Resolved::Null => NodeKind::Null,
            Resolved::Bool(value) => NodeKind::Bool(value),
            Resolved::Number(value) => NodeKind::Number(value),
            Resolved::Text => NodeKind::Text(text),
            Resolved::TooLarge => {
                let message = format!("`{}` is a whole number of more than 64 bits", text.value);
                let finding = Diagnostic::error(Code::YamlTrap, self.source, text.span, message);
                let hint = format!("write one up to {}, or put it in quotes if it is text", u64::MAX);
                self.broken(finding.hint(hint))
            }
            Resolved::NotFinite => {
                let message = format!("`{}` is a number that JSON does not have", text.value);
                let finding = Diagnostic::error(Code::YamlTrap, self.source, text.span, message);
                let finding = finding.hint("put it in quotes if it is text");
                self.broken(finding.fix(text.span, trap::quoted(&text.value)))
            }
        }
    }

    fn no_such_value(&mut self, text: &Text, kind: &str) -> NodeKind {
        let message = format!("the value is not what its tag `!!{kind}` says");
        let finding = Diagnostic::error(Code::YamlTrap, self.source, text.span, message);
        self.found.push(finding.hint("leave the tag out"));
        NodeKind::Broken
    }

    fn broken(&mut self, finding: Diagnostic) -> NodeKind {
        self.found.push(finding);
        NodeKind::Broken
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map { next: Next::Key, .. }, .. }))
    }

    fn key(&mut self, key: Key, plain: bool) {
        let Some(Open { items: Items::Map { next, known, .. }, end, .. }) = self.open.last_mut() else {
            return;
        };
        *end = (*end).max(key.span.end);
        *next = Next::Nothing;
        if plain && key.value == "<<" {
            self.found.push(trap::merge_key(self.source, key.span));
        } else if let Some(first) = known.get(&key.value) {
            self.found.push(
                Diagnostic::error(
                    Code::DuplicateKey,
                    self.source,
                    key.span,
                    format!("key `{}` stands twice", key.value),
                )
                .label(self.source, *first, "first here"),
            );
        } else {
            known.insert(key.value.clone(), key.span);
            *next = Next::Value(key);
        }
    }

    fn put(&mut self, mut grown: Grown, anchor: usize) {
        if matches!(grown.node.kind, NodeKind::Null) {
            grown.node.span = self.place_of_nothing(grown.node.span);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, grown.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(grown.node);
            return;
        };
        open.end = open.end.max(grown.node.span.end);
        open.size += grown.size;
        open.depth = open.depth.max(grown.depth + 1);
        match &mut open.items {
            Items::List(items) => items.push(grown.node),
            Items::Map { entries, next, .. } => match std::mem::replace(next, Next::Key) {
                Next::Value(key) => entries.push((key, grown.node)),
                Next::Key | Next::Nothing => {}
            },
        }
    }

    /// A value that was left out has no place of its own: it is put right after its key.
    fn place_of_nothing(&self, span: Span) -> Span {
        match self.open.last() {
            _ if scalar::is_null(self.source.slice(span)) => span,
            Some(Open { items: Items::Map { next: Next::Value(key), .. }, .. }) => {
                let colon = self.source.text[key.span.end.offset..].starts_with(':');
                Span::at(if colon { key.span.end.after(':') } else { key.span.end })
            }
            _ => Span::at(span.start),
        }
    }

    /// Where the parser says that a scalar stands is rough: properties are counted in, what follows
    /// a closing quote too, and of a block the header is left out.
    fn place_of(&self, value: &str, style: Style, span: Span, properties: bool) -> (Pos, Span) {
        let start = self.after_properties(span.start, properties);
        match style {
            Style::Plain => (start, Span { start, end: span.end.max(start) }),
            Style::Single | Style::Double => {
                let end = place::end_of_quoted(Cursor::from(&self.source.text, start));
                (start, Span { start, end })
            }
            Style::Literal | Style::Folded => {
                let empty_lines = value.len() - value.trim_start_matches('\n').len();
                let line = if properties || value.trim_matches('\n').is_empty() {
                    start.line + 1
                } else {
                    start.line.saturating_sub(empty_lines as u32)
                };
                let first = self.places.line(line);
                let last = place::end_of_block(Cursor::from(&self.source.text, first), value);
                let start = if properties { first } else { start };
                (first, Span { start, end: last.max(start) })
            }
        }
    }

    /// Where a file ends in the middle of a block's line, the parser adds a line break to the text.
    fn without_added_break<'t>(&self, value: &'t str, style: Style, start: Pos, end: Pos) -> &'t str {
        let is_last = self.source.text[end.offset..].trim().is_empty();
        if !matches!(style, Style::Literal | Style::Folded) || !is_last {
            return value;
        }
        let cursor = Cursor::from(&self.source.text, start);
        let last_line = self.source.text.rsplit(['\n', '\r']).next().unwrap_or_default();
        match (value.strip_suffix('\n'), place::indent_of_block(cursor, value)) {
            (Some(shorter), Some(indent)) if last_line.len() >= indent.max(1) => shorter,
            _ => value,
        }
    }

    /// A list that is not indented begins at its first item to the parser; its dash comes before.
    fn dash_before(&self, start: Pos) -> Pos {
        let before = self.source.text[..start.offset].trim_end_matches(' ');
        if self.source.text[start.offset..].starts_with(['-', '[']) || !before.ends_with('-') {
            return start;
        }
        let back = start.offset - before.len() + 1;
        Pos { column: start.column.saturating_sub(back as u32), offset: before.len() - 1, ..start }
    }

    fn after_properties(&self, start: Pos, properties: bool) -> Pos {
        let mut cursor = Cursor::from(&self.source.text, start);
        while properties && matches!(cursor.peek(), Some('&' | '!')) {
            cursor.bump_while(|c| !c.is_whitespace());
            cursor.bump_while(char::is_whitespace);
            while cursor.peek() == Some('#') {
                cursor.bump_while(|c| c != '\n' && c != '\r');
                cursor.bump_while(char::is_whitespace);
            }
        }
        cursor.pos
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted => Self::Single,
            ScalarStyle::DoubleQuoted => Self::Double,
            ScalarStyle::Literal => Self::Literal,
            ScalarStyle::Folded => Self::Folded,
        }
    }
}

fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

/// True for `!name`, which `yaml_serde` takes for the variant of an enum.
fn is_local(tag: &Tag) -> bool {
    full(tag).starts_with('!')
}

/// The parser counts characters from the start; places need bytes too.
struct Places {
    /// Byte of each character; absent when all characters are one byte.
    bytes: Option<Vec<usize>>,
    lines: Vec<usize>,
    skipped: usize,
    end: Pos,
}

impl Places {
    fn new(text: &str) -> Self {
        let skipped = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let rest = &text[skipped..];
        let bytes = (!rest.is_ascii()).then(|| rest.char_indices().map(|(i, _)| i + skipped).collect());
        let mut lines = vec![skipped];
        let mut cursor = Cursor::new(text);
        while let Some(c) = cursor.bump() {
            if c == '\n' {
                lines.push(cursor.pos.offset);
            }
        }
        Self { bytes, lines, skipped, end: cursor.pos }
    }

    fn pos(&self, marker: Marker) -> Pos {
        let offset = match &self.bytes {
            Some(bytes) => bytes.get(marker.index()).copied().unwrap_or(self.end.offset),
            None => marker.index() + self.skipped,
        };
        if offset >= self.end.offset {
            return self.end;
        }
        Pos { line: marker.line() as u32, column: marker.col() as u32 + 1, offset }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span { start: self.pos(span.start), end: self.pos(span.end) }
    }

    /// The start of a line.
    fn line(&self, line: u32) -> Pos {
        let start = self.lines.get(line.saturating_sub(1) as usize);
        start.map_or(self.end, |offset| Pos { line, column: 1, offset: *offset })
    }
}
