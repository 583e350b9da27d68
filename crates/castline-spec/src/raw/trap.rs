//! Where YAML reads a text otherwise than it looks, and what to do about it.
//!
//! Findings that come from the spelling alone are made here, with a cure that can be applied as
//! it is wherever one is certain. What is valid YAML and means what it says gets no complaint.

use std::ops::Range;
use std::sync::Arc;

use super::{Style, Text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use crate::span::{Pos, Source, Span};

/// A text as it must stand in a document to be text for certain.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) || text.chars().any(char::is_control) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// What is known of a place where the text ceases to be YAML.
pub(super) struct Clue<'a> {
    /// What the parser says.
    pub info: &'a str,
    /// Where it says so.
    pub place: Pos,
    /// Up to here all was well.
    pub last: Pos,
    /// True inside `[ ]` or `{ }`.
    pub in_flow: bool,
}

/// Says why a text is not YAML: by the trap that was stepped into, else in the parser's words.
pub(super) fn syntax(source: &Source, clue: &Clue<'_>, found: &mut Diagnostics) {
    if !is_known(found, clue.place) {
        found.push(
            bare_template(source, clue)
                .or_else(|| tab(source, clue))
                .unwrap_or_else(|| explained(source, clue)),
        );
    }
}

/// True when a trap that was found explains why the parser fails here.
fn is_known(found: &Diagnostics, place: Pos) -> bool {
    found.list.iter().any(|finding| {
        finding.code == Code::YamlTrap
            && finding.severity == Severity::Error
            && finding.span.is_some_and(|s| s.start <= place && place.line <= s.end.line)
    })
}

/// The first `{{` after the last good place that stands where a value begins.
fn bare_template(source: &Source, clue: &Clue<'_>) -> Option<Diagnostic> {
    let until = end_of_line(&source.text, clue.place.offset);
    let region = source.text.get(clue.last.offset..until)?;
    let (at, _) = region.match_indices('{').find(|(at, _)| {
        region[at + 1..].starts_with(['{', '%', '#']) && begins_value(&source.text, clue.last.offset + at)
    })?;
    let in_flow = clue.in_flow || is_open(&region[..at]);
    let start = clue.last.offset + at;
    let range = extent(&source.text, start, in_flow).unwrap_or(start..end_of_line(&source.text, start));
    Some(unquoted(source, clue.last, range))
}

fn begins_value(text: &str, at: usize) -> bool {
    let line = text[..at].rsplit(['\n', '\r']).next().unwrap_or_default();
    let before = line.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with([':', '-', '[', ',', '{', '?'])
}

fn is_open(text: &str) -> bool {
    let depth = text.chars().fold(0_i32, |depth, c| match c {
        '{' | '[' => depth + 1,
        '}' | ']' => depth - 1,
        _ => depth,
    });
    depth > 0
}

/// How far a value goes that begins with an unquoted template.
pub(super) fn extent(text: &str, start: usize, in_flow: bool) -> Option<Range<usize>> {
    let mut end = start + end_of_template(&text[start..])?;
    while let Some(c) = text[end..].chars().next() {
        let ends_flow = in_flow && matches!(c, ',' | '}' | ']');
        if matches!(c, '\n' | '\r') || ends_flow || is_comment(&text[end..]) {
            break;
        }
        end += end_of_template(&text[end..]).unwrap_or(c.len_utf8());
    }
    let value = text[start..end].trim_end();
    Some(start..start + value.len())
}

/// The length of the template that a text begins with.
fn end_of_template(text: &str) -> Option<usize> {
    let close = match text.get(..2)? {
        "{{" => "}}",
        "{%" => "%}",
        "{#" => "#}",
        _ => return None,
    };
    let mut quote = None;
    for (at, c) in text.char_indices().skip(2) {
        match (quote, c) {
            (None, '\'' | '"') if close != "#}" => quote = Some(c),
            (Some(q), _) if q == c => quote = None,
            (None, _) if text[at..].starts_with(close) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

fn is_comment(rest: &str) -> bool {
    let word = rest.trim_start_matches([' ', '\t']);
    word.len() < rest.len() && word.starts_with('#')
}

/// The finding about a template without quotes.
pub(super) fn unquoted(source: &Source, known: Pos, range: Range<usize>) -> Diagnostic {
    let fix = quoted(&source.text[range.clone()]);
    let span = source.span_after(known, range);
    Diagnostic::error(Code::YamlTrap, source, span, "a value that begins with `{` is a map to YAML")
        .hint("put the template in quotes")
        .fix(span, fix)
}

/// The text that was meant by a template without quotes.
pub(super) fn meant(source: &Source, known: Pos, range: Range<usize>) -> Text {
    let span = source.span_after(known, range.clone());
    let value = source.text[range].lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Text { value: Arc::from(value), style: Style::Plain, span, start: span.start }
}

/// The finding about `!name`. What begins with it was most likely meant as text.
pub(super) fn local_tag(source: &Source, value: Span, scalar: bool) -> Diagnostic {
    let there = source.slice(value);
    let at = value.start.offset + there.find('!').unwrap_or_default();
    let tag = source.text[at..].split(char::is_whitespace).next().unwrap_or_default();
    let finding = Diagnostic::error(
        Code::YamlTrap,
        source,
        source.span_after(value.start, at..at + tag.len()),
        "castline has no tags such as `!name`",
    )
    .hint("text that begins with `!` needs quotes");
    if scalar && there.starts_with('!') && !there.contains(['\n', '"', '\'']) {
        return finding.fix(value, quoted(there.trim_end()));
    }
    finding
}

/// The finding about text inside brackets that begins with `?`, `:`, `|` or `>`, where some readers
/// of YAML see a key, a value or a block.
pub(super) fn indicator(source: &Source, span: Span) -> Diagnostic {
    let first = source.slice(span).chars().next().unwrap_or('?');
    let what = match first {
        '?' => "a key",
        ':' => "the value of a key",
        _ => "a block of lines",
    };
    let message = format!("text that begins with `{first}` is {what} to some readers of YAML");
    Diagnostic::error(Code::YamlTrap, source, span, message)
        .hint("put it in quotes")
        .fix(span, quoted(source.slice(span)))
}

/// The finding about `a:[` inside brackets, where some readers of YAML miss a blank.
pub(super) fn tight_colon(source: &Source, key: Span) -> Option<Diagnostic> {
    let after = source.text[key.end.offset..].strip_prefix(':')?;
    if !after.starts_with([',', '?', '[', ']', '{', '}']) {
        return None;
    }
    let colon = Span { start: key.end, end: key.end.after(':') };
    let message = "a blank is missing after `:`";
    Some(Diagnostic::error(Code::YamlSyntax, source, colon, message).hint("write a blank").fix(colon, ": "))
}

/// The finding about `&name:` and its like, which readers of YAML end at different places.
pub(super) fn anchor_name(source: &Source, value: Span) -> Option<Diagnostic> {
    let properties = source.text.get(value.start.offset..)?;
    let at = value.start.offset + properties.find('&')?;
    let name = source.text[at + 1..].split(|c: char| c.is_whitespace() || ",[]{}".contains(c)).next()?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let span = source.span_after(value.start, at..at + 1 + name.len());
    (!plain).then(|| {
        Diagnostic::error(Code::YamlTrap, source, span, format!("`{name}` is not a name for an anchor")).hint(
            "text that begins with `&` needs quotes; an anchor is named with letters, digits, `-` and `_`",
        )
    })
}

/// The finding about the first character that cannot be printed, which the parser takes in some
/// places and no other reader of YAML does, or about a second byte order mark at the start.
pub(super) fn unprintable(source: &Source) -> Option<Diagnostic> {
    let start = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let is_unprintable = |(at, c): &(usize, char)| match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{feff}' => *at == 0 && start > 0,
        '\u{fffe}' | '\u{ffff}' => true,
        _ => c.is_control(),
    };
    let (at, c) = source.text[start..].char_indices().find(is_unprintable)?;
    let span = one_character(source, source.pos(start + at));
    let message = format!("the character U+{:04X} cannot be printed", u32::from(c));
    Some(Diagnostic::error(Code::YamlSyntax, source, span, message).hint("remove it"))
}

/// The finding about a directive that the two readers would not take alike: in other letters than
/// ASCII the parser miscounts places after it, and it passes over what it does not know.
pub(super) fn directive(source: &Source) -> Option<Diagnostic> {
    let mut start = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while start < source.text.len() {
        let end = end_of_line(&source.text, start);
        let line = &source.text[start..end];
        let found = |message: String| {
            Diagnostic::error(Code::YamlSyntax, source, source.span(start..end), message)
                .hint("a document needs no line that begins with `%`")
        };
        match line.strip_prefix('%') {
            Some(_) if !line.is_ascii() => {
                return Some(found("a directive has characters that directives cannot have".into()));
            }
            Some(directive) => {
                let mut words = directive.split_whitespace();
                match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
                    ("YAML", "1.1" | "1.2") | ("TAG", _) => {}
                    ("YAML", version) => {
                        return Some(found(format!("there is no YAML of version `{version}`")));
                    }
                    (name, _) => return Some(found(format!("YAML has no directive `%{name}`"))),
                }
            }
            None if line.trim_start().starts_with('#') || line.trim().is_empty() || line.trim() == "..." => {}
            None => return None,
        }
        start = end + 1;
    }
    None
}

/// More of them say nothing new.
const MOST_LINE_BREAKS: usize = 16;

/// The findings about characters at which some readers of YAML begin a new line, and others not.
pub(super) fn line_breaks(source: &Source) -> Vec<Diagnostic> {
    let mut known = source.pos(0);
    let found = source.text.match_indices(['\u{85}', '\u{2028}', '\u{2029}']).take(MOST_LINE_BREAKS);
    let finding = |(at, there): (usize, &str)| {
        let code = there.chars().next().map_or(0, u32::from);
        let span = source.span_after(known, at..at + there.len());
        known = span.end;
        let message = format!("the character U+{code:04X} is the end of a line to some readers of YAML");
        Diagnostic::error(Code::YamlTrap, source, span, message)
            .hint(format!("put a blank there; inside double quotes the character is `\\u{code:04x}`"))
            .suggest(span, " ")
    };
    found.map(finding).collect()
}

/// So many bytes from the start of a key to its colon; readers of YAML look no further ahead.
const LONGEST_KEY: usize = 1024;

/// The finding about a key that is not there, is too long, or does not stand on one line with its
/// colon: some readers of YAML take that and others do not. After `?` all of them do.
pub(super) fn key(source: &Source, written: Span, key: Span, is_missing: bool) -> Option<Diagnostic> {
    if source.text[..written.start.offset].trim_end().ends_with('?') {
        return None;
    }
    let error = |span, message: String| Diagnostic::error(Code::YamlSyntax, source, span, message);
    if is_missing {
        let span = one_character(source, key.start);
        return Some(
            error(span, "a key is missing before `:`".into()).hint("text that begins with `:` needs quotes"),
        );
    }
    let rest = &source.text[key.end.offset..];
    let colon = key.end.offset + rest.len() - after_comments(rest).len();
    if !source.text[colon..].starts_with(':') {
        return None;
    }
    if source.text[written.start.offset..colon].contains(['\n', '\r']) {
        let finding = error(key, "a key and its `:` do not stand on one line".into());
        return Some(finding.hint("is a comma or a closing bracket missing"));
    }
    (colon - written.start.offset > LONGEST_KEY)
        .then(|| error(key, format!("a key is longer than {LONGEST_KEY} bytes")))
}

fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.len() < text.len() && rest.starts_with('#') {
        rest = rest[end_of_line(rest, 0)..].trim_start();
    }
    rest
}

/// The finding about the lines of a document that is one block: without indentation they are the
/// block's to some readers of YAML, and a document of their own to others.
pub(super) fn block_at_the_margin(source: &Source, text: Span) -> Diagnostic {
    Diagnostic::error(Code::YamlSyntax, source, text, "the lines below `|` or `>` are not indented")
        .hint("indent them")
}

/// The finding about `<<`.
pub(super) fn merge_key(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error(Code::YamlTrap, source, span, "`<<` merges nothing: it would be a key like any other")
        .hint("write the keys out; an alias `*name` can stand for a whole value")
}

/// The finding about `paint #4`: what follows the blank is a comment. With a space after the `#`, or
/// with more than one blank before it, a comment is what it looks like too.
pub(super) fn cut_by_comment(source: &Source, text: &Text, in_flow: bool) -> Option<Diagnostic> {
    let rest = source.text.get(text.span.end.offset..)?;
    let word = rest.strip_prefix(" #").or_else(|| rest.strip_prefix("\t#"))?;
    if word.starts_with(|c: char| c.is_whitespace() || c == '#') || word.is_empty() {
        return None;
    }
    let end = end_of_line(&source.text, text.span.end.offset);
    let cut = source.span_after(text.span.end, text.span.end.offset + 1..end);
    let message = "the text ends before ` #`: the rest of the line is a comment";
    let finding = Diagnostic::warning(Code::YamlTrap, source, cut, message)
        .hint("put the text in quotes, or a space after `#` if it is a comment");
    let one_line = text.span.start.line == text.span.end.line;
    if in_flow || !one_line {
        return Some(finding);
    }
    let whole = Span { start: text.span.start, end: cut.end };
    Some(finding.suggest(whole, quoted(source.slice(whole))))
}

/// The finding about `color: #fff`, a value that is a comment from its first character on.
pub(super) fn all_comment(source: &Source, at: Pos) -> Option<Diagnostic> {
    let end = end_of_line(&source.text, at.offset);
    let rest = source.text.get(at.offset..end)?;
    let word = rest.strip_prefix(':')?.trim_start_matches([' ', '\t']);
    let blanks = rest.len() - word.len();
    // A color or a number; words after `#` are most likely what they look like.
    let token = word.strip_prefix('#').map(str::trim_end)?;
    if blanks < 2 || token.is_empty() || token.len() > 8 || !token.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let span = source.span_after(at, at.offset + blanks..at.offset + blanks + word.trim_end().len());
    let message = "there is no value: what begins with `#` is a comment";
    Some(
        Diagnostic::warning(Code::YamlTrap, source, span, message)
            .hint("put the text in quotes, or a space after `#` if it is a comment")
            .suggest(span, quoted(source.slice(span))),
    )
}

/// Tabs cannot indent, and after `:` they cannot stand alone.
fn tab(source: &Source, clue: &Clue<'_>) -> Option<Diagnostic> {
    if !clue.info.contains("must be followed by a valid YAML whitespace") {
        return tab_in_indentation(source, clue);
    }
    let before = source.text[..clue.place.offset].trim_end_matches(['\t', ' ']);
    let span = source.span(before.len()..clue.place.offset);
    let message = "a tab stands where YAML takes only a space";
    Some(Diagnostic::error(Code::YamlTrap, source, span, message).hint("write a space").fix(span, " "))
}

fn tab_in_indentation(source: &Source, clue: &Clue<'_>) -> Option<Diagnostic> {
    let mut offset = start_of_line(&source.text, clue.last.offset);
    let until = if clue.info.contains("tab") { source.text.len() } else { clue.place.offset };
    while offset <= until {
        let end = end_of_line(&source.text, offset);
        let line = &source.text[offset..end];
        let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        if indent.contains('\t') {
            let span = source.span(offset..offset + indent.len());
            return Some(
                Diagnostic::error(Code::YamlTrap, source, span, "a tab stands in the indentation")
                    .hint("YAML takes only spaces there")
                    .fix(span, indent.replace('\t', "  ")),
            );
        }
        offset = end + source.text[end..].chars().next()?.len_utf8();
    }
    None
}

/// What the parser says, what we say, and what to try.
const WORDS: &[(&str, &str, &str)] = &[
    (
        "comment intercepting",
        "a comment stands in the middle of a text",
        "put the text in quotes if ` #` belongs to it",
    ),
    ("expected key", "something else than a key stands here", "is the line indented like the keys around it"),
    (
        "expected '-' indicator",
        "something else than a list item stands here",
        "is the line indented like the items above",
    ),
    (
        "invalid indentation in quoted",
        "a quote is opened and not closed",
        "add the closing quote, or indent the lines of the text",
    ),
    (
        "illegal placement of ':'",
        "a key stands inside a list or map that is not closed",
        "add the closing bracket above",
    ),
    ("invalid indentation", "this line is indented less than what it belongs to", "indent it further"),
    (
        "wrongly indented line",
        "this line is indented less than the first line of its block",
        "indent the lines of a block alike",
    ),
    ("found unexpected end of stream", "a quote is opened and not closed", "add the closing quote"),
    ("unexpected document indicator", "a quote is opened and not closed", "add the closing quote"),
    (
        "invalid trailing content",
        "something stands after the closing quote",
        "put all of it inside the quotes; `''` is a quote inside single quotes",
    ),
    (
        "unknown escape character",
        "`\\` begins an escape inside double quotes, and this one does not exist",
        "use single quotes, or write `\\\\`",
    ),
    (
        "expected hexadecimal",
        "an escape of a character needs hexadecimal digits",
        "write `\\u00e9` or the character itself",
    ),
    (
        "invalid Unicode character",
        "an escape names a character that does not exist",
        "write the character itself",
    ),
    (
        "did not find expected ',' or '}'",
        "`,` or `}` is missing here",
        "text with `,`, `[` or `{` in it needs quotes inside braces",
    ),
    (
        "expected ',' or ']'",
        "`,` or `]` is missing here",
        "text with `,`, `[` or `{` in it needs quotes inside brackets",
    ),
    ("unexpected end of plain scalar", "a list or a map is opened and not closed", "add the closing bracket"),
    (
        "block sequence entries are not allowed",
        "a list item cannot stand here",
        "put the list on lines of its own below the key",
    ),
    ("recursion limit", "lists and maps are nested too deep", "use fewer levels"),
    (
        "expected <document start>",
        "the document ended before this",
        "is the line indented like the keys above",
    ),
    (
        "comments must be separated",
        "a comment begins right after a value",
        "put a blank before `#`, or the whole text in quotes",
    ),
    ("unprintable character", "a character that cannot be printed", "remove it"),
];

fn explained(source: &Source, clue: &Clue<'_>) -> Diagnostic {
    let span = one_character(source, clue.place);
    if clue.info.contains("simple key expect") {
        let message = "this line is neither `key: value` nor part of the value above";
        return Diagnostic::error(Code::YamlSyntax, source, line_before(source, clue.place), message)
            .hint("end the key with `:`, or indent the line to continue the text above");
    }
    if clue.info.contains("mapping values are not allowed") && value_before(source, clue.place).is_none() {
        let message = "a key stands where the text above goes on";
        return Diagnostic::error(Code::YamlSyntax, source, span, message)
            .hint("indent it like the keys around it, or put the text in quotes");
    }
    if clue.info.contains("mapping values are not allowed") {
        let finding =
            Diagnostic::error(Code::YamlSyntax, source, span, "`: ` stands inside a text without quotes");
        return with_quotes(source, finding, clue, value_before(source, clue.place));
    }
    let needs_quotes = ["unexpected character", "unknown anchor", "scanning an anchor or alias"];
    if needs_quotes.iter().any(|info| clue.info.contains(info)) {
        let c = source.slice(span);
        let finding = Diagnostic::error(
            Code::YamlSyntax,
            source,
            span,
            format!("text without quotes cannot begin with `{c}`"),
        );
        return with_quotes(source, finding, clue, Some(clue.place.offset));
    }
    match WORDS.iter().find(|(theirs, _, _)| clue.info.contains(theirs)) {
        Some((_, ours, hint)) => Diagnostic::error(Code::YamlSyntax, source, span, *ours).hint(*hint),
        None => Diagnostic::error(Code::YamlSyntax, source, span, format!("not YAML: {}", clue.info)),
    }
}

/// Offers to quote what stands from `start` to the end of the line.
fn with_quotes(source: &Source, finding: Diagnostic, clue: &Clue<'_>, start: Option<usize>) -> Diagnostic {
    let finding = finding.hint("put the text in quotes");
    let Some(start) = start.filter(|_| !clue.in_flow) else { return finding };
    let value = source.text[start..end_of_line(&source.text, start)].trim_end();
    if value.is_empty() || value.starts_with(['"', '\'', '{', '[', '|', '>']) {
        return finding;
    }
    finding.fix(source.span(start..start + value.len()), quoted(value))
}

/// Where the value of the first key on the line of `place` begins.
fn value_before(source: &Source, place: Pos) -> Option<usize> {
    let start = start_of_line(&source.text, place.offset);
    let line = &source.text[start..place.offset];
    let colon = line.find(": ")?;
    let value = line[colon + 2..].trim_start();
    Some(start + line.len() - value.len())
}

/// The last line with content before a place.
fn line_before(source: &Source, place: Pos) -> Span {
    let before = source.text[..place.offset].trim_end();
    let line = before[start_of_line(&source.text, before.len())..].trim_start();
    source.span(before.len() - line.len()..before.len())
}

fn one_character(source: &Source, place: Pos) -> Span {
    match source.text.get(place.offset..).and_then(|rest| rest.chars().next()) {
        Some(c) if !c.is_control() => Span { start: place, end: place.after(c) },
        _ => Span::at(place),
    }
}

fn start_of_line(text: &str, offset: usize) -> usize {
    text[..offset].rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

fn end_of_line(text: &str, offset: usize) -> usize {
    text[offset..].find(['\n', '\r']).map_or(text.len(), |at| offset + at)
}
