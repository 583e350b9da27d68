//! Tables: CSV text to rows, and cells to the values that a schema wants.
//!
//! The csv crate splits the text. The separator is the one that the header has: a comma, else a
//! semicolon, else a tab, so that a table which a spreadsheet wrote can be taken as it is.
//!
//! Start reading at [`Table::parse`], then [`Table::reading`].

use std::collections::BTreeSet;
use std::ops::Range;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::outside::is_pattern;
use castline_spec::{Code, Source, Span, raw};
use csv::StringRecord;
use serde_json::{Map, Number, Value as Json};

use super::{Reading, Wrong, start};
use crate::field::{Misfit, type_words, types};
use crate::files::Broken;
use crate::types::{Inner, Kinds, Type};

/// A header and the rows below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    separator: u8,
    /// The names of the columns, without the blanks around them.
    columns: Vec<String>,
    /// Where the header begins, in bytes.
    header: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    /// Where it begins, in bytes.
    begin: usize,
    cells: StringRecord,
}

impl Table {
    pub fn parse(source: &Source) -> Result<Self, Broken> {
        let base = start(source);
        let text = &source.text[base..];
        let separator = separator(source, base)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for record in reader.records() {
            // A text in memory has no other mistakes: it is UTF-8, and rows may differ in length.
            let cells = record.map_err(|e| broken(source, &format!("which is not CSV: {e}")))?;
            let begin = base + cells.position().map_or(0, |place| place.byte() as usize);
            let blank =
                source.text[begin..].len() - source.text[begin..].trim_start_matches(['\r', '\n']).len();
            rows.push(Row { begin: begin + blank, cells });
        }
        let Some(last) = rows.last() else {
            return Err(broken(source, "which is empty").hint("the first line names the columns"));
        };
        let cells = scan(&source.text, last.begin, separator);
        if let (false, Some(cell)) = (cells.closed, cells.list.last()) {
            let place = source.span(cell.start..cell.start + 1);
            let line = place.start.line;
            let broken = broken(source, &format!("where a quote opens in line {line} and never closes"));
            return Err(broken
                .at(source, place, "opens here")
                .hint("a quote inside of a cell is written twice"));
        }
        let header = rows.remove(0);
        let table = Self {
            separator,
            columns: header.cells.iter().map(|name| name.trim().to_owned()).collect(),
            header: header.begin,
            rows,
        };
        table.check(source)?;
        Ok(table.without_blank_rows())
    }

    /// That columns have names of their own, and rows as many cells.
    fn check(&self, source: &Source) -> Result<(), Broken> {
        let mut seen = BTreeSet::new();
        for (i, name) in self.columns.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if !seen.insert(name) {
                let span = self.cell_at(source, self.header, i);
                let broken = broken(source, &format!("where two columns are called `{name}`"));
                return Err(broken.at(source, span, "again").hint("give each column a name of its own"));
            }
        }
        for row in &self.rows {
            let (found, named) = (row.cells.len(), self.columns.len());
            if found != named {
                let span = self.row_at(source, row.begin);
                let cells = if found == 1 { "cell" } else { "cells" };
                let line = span.start.line;
                let why =
                    format!("where line {line} has {found} {cells}, and the header names {named} columns");
                return Err(broken(source, &why)
                    .at(source, span, format!("{found} {cells}"))
                    .hint("a cell that has the separator in it stands in double quotes"));
            }
            let nameless = self
                .columns
                .iter()
                .zip(&row.cells)
                .position(|(name, cell)| name.is_empty() && !cell.trim().is_empty());
            if let Some(i) = nameless {
                let span = self.cell_at(source, row.begin, i);
                let broken = broken(source, &format!("whose column {} has no name", i + 1));
                return Err(broken
                    .at(source, span, "in this column")
                    .hint("the first line names the columns"));
            }
        }
        Ok(())
    }

    /// Spreadsheets leave rows of nothing but separators.
    fn without_blank_rows(mut self) -> Self {
        self.rows.retain(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()));
        self
    }

    /// The rows as maps, cells converted by the schema of the items.
    pub fn reading(&self, source: &Source, schema: &Json) -> Reading {
        let item = Type::of_schema(schema).without_null().items();
        let mut wrong = self.wrong_columns(source, &item);
        if !wrong.is_empty() {
            return Reading { value: Json::Null, wrong };
        }
        let columns: Vec<Column> = self.columns.iter().map(|name| Column::new(&item, name)).collect();
        let mut rows = Vec::with_capacity(self.rows.len());
        for (i, row) in self.rows.iter().enumerate() {
            let mut map = Map::new();
            for (column, cell) in columns.iter().zip(&row.cells) {
                match column.value(cell) {
                    Ok(Some(value)) => drop(map.insert(column.name.to_owned(), value)),
                    Ok(None) => {}
                    Err((message, hint)) => {
                        let pointer = format!("/{i}/{}", column.name.replace('~', "~0").replace('/', "~1"));
                        wrong.push(Wrong {
                            misfit: Misfit { hint, ..Misfit::new(&pointer, message) },
                            span: None,
                        });
                        map.insert(column.name.to_owned(), cell.into());
                    }
                }
            }
            rows.push(Json::Object(map));
        }
        Reading { value: Json::Array(rows), wrong }
    }

    /// Where a row or a cell of it stands.
    pub fn place(&self, source: &Source, row: usize, column: Option<&str>) -> Option<Span> {
        let row = self.rows.get(row)?;
        let column = column.and_then(|name| self.columns.iter().position(|column| column == name));
        Some(match column {
            Some(i) => self.cell_at(source, row.begin, i),
            None => self.row_at(source, row.begin),
        })
    }

    /// Columns that the rows cannot have, and such as they must have and lack.
    fn wrong_columns(&self, source: &Source, item: &Type) -> Vec<Wrong> {
        let named = || self.columns.iter().enumerate().filter(|(_, name)| !name.is_empty());
        let properties = item.schema.get("properties").and_then(Json::as_object);
        let declared = || properties.into_iter().flatten().map(|(name, _)| name.as_str());
        let required = item.schema.get("required").and_then(Json::as_array);
        let mut wrong = Vec::new();
        let mut say = |span: Span, message: String, hint: Option<String>| {
            wrong.push(Wrong { misfit: Misfit { hint, ..Misfit::new("", message) }, span: Some(span) });
        };
        if !item.kinds().any(Kinds::MAP) {
            let message = "takes no rows, and a `.csv` file has nothing else".to_owned();
            let hint = "give a list with one value a line in a `.txt` file, or declare `items` as an object";
            say(self.row_at(source, self.header), message, Some(hint.to_owned()));
            return wrong;
        }
        let unknown: Vec<_> = named().filter(|(_, name)| item.attribute(name) == Inner::Never).collect();
        for (i, name) in &unknown {
            let span = self.cell_at(source, self.header, *i);
            say(span, format!("has no column `{name}`"), did_you_mean("a column", name, declared()));
        }
        for name in required.into_iter().flatten().filter_map(Json::as_str) {
            if !self.columns.iter().any(|column| column == name) {
                let same = named().find(|(_, column)| column.eq_ignore_ascii_case(name));
                let near = match same {
                    Some((_, column)) => Some(format!("there is `{column}`; upper and lower case differ")),
                    None => did_you_mean("the column", name, named().map(|(_, name)| name.as_str())),
                };
                say(self.row_at(source, self.header), format!("needs a column `{name}`"), near);
            }
        }
        if wrong.is_empty()
            && declared().next().is_some()
            && !named().any(|(_, name)| declared().any(|property| property == name))
        {
            let names = declared().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("has the columns {names}, and the first line names none of them");
            let hint = "the first line names the columns, as the schema calls them";
            wrong.push(Wrong {
                misfit: Misfit { hint: Some(hint.to_owned()), ..Misfit::new("", message) },
                span: Some(self.row_at(source, self.header)),
            });
        }
        wrong
    }

    fn cell_at(&self, source: &Source, begin: usize, column: usize) -> Span {
        let cells = scan(&source.text, begin, self.separator);
        let cell = cells.list.get(column).or(cells.list.last()).cloned();
        first_line(source, cell.unwrap_or(begin..begin))
    }

    fn row_at(&self, source: &Source, begin: usize) -> Span {
        let cells = scan(&source.text, begin, self.separator);
        first_line(source, begin..cells.list.last().map_or(begin, |cell| cell.end))
    }
}

fn broken(source: &Source, why: &str) -> Broken {
    Broken::new(Code::BadData, format!("names `{}`, {why}", source.name))
}

/// A quoted cell may have line breaks, and a label should not.
fn first_line(source: &Source, range: Range<usize>) -> Span {
    let text = &source.text[range.clone()];
    let end = text.find(['\r', '\n']).map_or(range.end, |at| range.start + at);
    source.span(range.start..end)
}

/// What separates the cells of the header.
fn separator(source: &Source, base: usize) -> Result<u8, Broken> {
    let text = &source.text[base..];
    let begin = base + text.len() - text.trim_start_matches(['\r', '\n']).len();
    let has = |separator: u8| scan(&source.text, begin, separator).list.len() > 1;
    match (has(b','), has(b';'), has(b'\t')) {
        (true, true, _) => {
            let end = source.text[begin..].find(['\r', '\n']).map_or(source.text.len(), |at| begin + at);
            Err(broken(source, "whose header has both `,` and `;`")
                .at(source, source.span(begin..end), "which of them separates?")
                .hint("put a name that has one of them in double quotes"))
        }
        (true, ..) => Ok(b','),
        (_, true, _) => Ok(b';'),
        (.., true) => Ok(b'\t'),
        _ => Ok(b','),
    }
}

/// The cells of a row as bytes of the text, quotes included.
struct Cells {
    list: Vec<Range<usize>>,
    /// False when a quote never closes.
    closed: bool,
}

/// Finds the cells of the row that begins at an offset. The csv crate says what is in them, and
/// not where they are.
fn scan(text: &str, begin: usize, separator: u8) -> Cells {
    let bytes = text.as_bytes();
    let mut list = Vec::new();
    let (mut at, mut cell) = (begin, begin);
    loop {
        if bytes.get(at) == Some(&b'"') && at == cell {
            at += 1;
            // To the quote that has no other one behind it.
            loop {
                match (bytes.get(at), bytes.get(at + 1)) {
                    (None, _) => {
                        list.push(cell..at);
                        return Cells { list, closed: false };
                    }
                    (Some(b'"'), Some(b'"')) => at += 2,
                    (Some(b'"'), _) => break,
                    _ => at += 1,
                }
            }
            at += 1;
        }
        match bytes.get(at) {
            None | Some(b'\r' | b'\n') => {
                list.push(cell..at);
                return Cells { list, closed: true };
            }
            Some(byte) if *byte == separator => {
                list.push(cell..at);
                at += 1;
                cell = at;
            }
            Some(_) => at += 1,
        }
    }
}

/// A column, and what its cells become.
struct Column<'t> {
    name: &'t str,
    cells: Type,
    kinds: Kinds,
    values: Option<Vec<Json>>,
}

/// Why a cell is not what the column takes, and what to try.
type Odd = (String, Option<String>);

impl<'t> Column<'t> {
    fn new(item: &Type, name: &'t str) -> Self {
        let cells = match item.attribute(name) {
            Inner::Known(cells) => cells,
            Inner::Never => Type::any(),
        };
        Self { name, kinds: cells.kinds(), values: cells.values(), cells }
    }

    /// What a cell is; nothing when it is empty.
    fn value(&self, cell: &str) -> Result<Option<Json>, Odd> {
        let word = cell.trim();
        if word.is_empty() {
            let null = !self.cells.is_any() && self.kinds.any(Kinds::NULL);
            return Ok((null && !self.name.is_empty()).then_some(Json::Null));
        }
        if let Some(values) = &self.values
            && let Some(value) = values.iter().find(|value| is_spelt(value, word))
        {
            return Ok(Some(value.clone()));
        }
        if self.kinds.any(Kinds::TEXT) {
            return Ok(Some(cell.into()));
        }
        if self.kinds.any(Kinds::MEDIA) {
            return Ok(Some(word.into()));
        }
        let number = || number(word).filter(|_| self.kinds.any(Kinds::NUMBER));
        let truth = || truth(word).filter(|_| self.kinds.any(Kinds::BOOLEAN));
        let inner = || self.list_or_map(word).filter(|_| self.kinds.any(Kinds::LIST.or(Kinds::MAP)));
        number().or_else(truth).or_else(inner).map(Some).ok_or_else(|| self.odd(word))
    }

    /// `[red, blue]`, `{a: 1}`; a pattern of files where the column takes a list of them.
    fn list_or_map(&self, word: &str) -> Option<Json> {
        let files = self.kinds.any(Kinds::LIST) && self.cells.items().kinds().only(Kinds::MEDIA);
        if files && is_pattern(word) && !word.starts_with('[') {
            return Some(word.into());
        }
        let json = raw::parse(&Source::new("cell", word)).ok()?.to_json();
        (json.is_array() || json.is_object()).then_some(json)
    }

    fn odd(&self, word: &str) -> Odd {
        let shown = match word.char_indices().nth(40) {
            Some((at, _)) => format!("{}...", &word[..at]),
            None => word.to_owned(),
        };
        let types: Vec<_> = types(&self.cells.schema).into_iter().filter(|name| *name != "null").collect();
        let wanted = match types.is_empty() {
            true => crate::types::describe(&self.cells.without_null().schema),
            false => type_words(&types),
        };
        let hint = if types.contains(&"number") && number(&word.replace(',', ".")).is_some() {
            Some(format!("decimals have a point: `{}`", word.replace(',', ".")))
        } else if self.kinds.any(Kinds::BOOLEAN) {
            Some("write `true` or `false`".to_owned())
        } else if self.kinds.any(Kinds::LIST) {
            Some(format!("a list in a cell stands in brackets: `[{shown}]`"))
        } else {
            None
        };
        (format!("must be {wanted}, and the cell has `{shown}`"), hint)
    }
}

/// True when a cell spells this value.
fn is_spelt(value: &Json, word: &str) -> bool {
    match value {
        Json::String(text) => text.trim() == word,
        Json::Number(_) => number(word).is_some_and(|number| number == *value),
        Json::Bool(own) => truth(word) == Some(Json::Bool(*own)),
        _ => false,
    }
}

/// A number that is written out: `7`, `007`, `-1.5`, `2e3`.
fn number(word: &str) -> Option<Json> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if !word.chars().all(plain) || !word.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let whole = word.parse::<i64>().map(Number::from).or_else(|_| word.parse::<u64>().map(Number::from));
    let real = || word.parse::<f64>().ok().and_then(Number::from_f64);
    whole.ok().or_else(real).map(Json::Number)
}

/// `true` and `false` in any case: spreadsheets write them in capitals.
fn truth(word: &str) -> Option<Json> {
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ => None,
    }
}
