//! Templates: text with `{{ }}` expressions, parsed when the file is read.
//!
//! It says what a template consists of ([`tree`]), and what it refers to, and where; types and
//! rendering are the core's work. Whether a step or an input of that name exists is not
//! known here.
//!
//! Start reading at [`Template::parse`].

use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::machinery::{self, Tokenizer};
use minijinja::syntax::SyntaxConfig;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::raw::{Node, NodeKind, Text};
use crate::span::{Pos, Source, Span, Spanned};

mod depth;
mod names;
pub mod tree;
mod walk;

pub use names::{FILTERS, FUNCTIONS, Scope, TESTS};
use tree::{Body, Expr, Reading, Refusal};
use walk::Walk;

/// A YAML value in which strings may be templates, at any depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Dynamic {
    /// The value.
    pub kind: DynamicKind,
    /// Where it was written.
    pub span: Span,
}

/// What a [`Dynamic`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum DynamicKind {
    /// Null, a boolean, a number, or a string without `{{`, `{%` or `{#`.
    Literal(serde_json::Value),
    /// A string with an expression.
    Template(Template),
    /// A list of values.
    List(Vec<Dynamic>),
    /// A map; keys are never templates.
    Map(IndexMap<String, (Span, Dynamic)>),
    /// A template that cannot be read. What is wrong with it is said, and nothing is known of
    /// its value.
    Broken,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The text that minijinja compiles: for [`Shape::Lone`] the bare expression, else the whole text.
    pub code: Arc<str>,
    /// Whether the value keeps its type or is text.
    pub shape: Shape,
    /// What it consists of.
    pub body: Arc<Body>,
    /// Everything that the template refers to, in the order of the text.
    pub references: Vec<Reference>,
    /// Where each byte of `code` was written.
    pub map: PositionMap,
}

/// Whether a template's value keeps its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One `{{ expression }}` and white space: the value keeps its type.
    Lone,
    /// Anything else: text.
    Text,
}

/// One thing that a template refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// What it refers to.
    pub target: Target,
    /// The whole path as written, `steps.draft.image`.
    pub span: Span,
    /// True where an absent value is looked at, not read: an operand of `or`, `and`, `not`,
    /// a condition, `default`, `is defined`, `is succeeded` and their like.
    pub guarded: bool,
    /// True when the template is lone and this reference is all of its expression (filters excluded).
    pub whole: bool,
}

/// What a [`Reference`] names.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// `inputs.NAME` and what follows: names of attributes, positions as digits, `[]` for an index
    /// that only rendering knows, `[:]` for a slice.
    Input(Spanned<String>, Vec<String>),
    /// `vars.NAME`.
    Var(Spanned<String>),
    /// `each.AXIS` and the attributes after it.
    Each(Spanned<String>, Vec<String>),
    /// `index.AXIS`.
    Index(Spanned<String>),
    /// `file.index` and its like, in `save`.
    File,
    /// `steps.NAME`, with the reduction and the first attribute after it.
    Step {
        /// The step's name.
        step: Spanned<String>,
        /// `.all` or `.all('axis', ...)`.
        all: Option<All>,
        /// The port or attribute that is read first, `image`; absent in `steps.a is succeeded`.
        attribute: Option<Spanned<String>>,
        /// What follows: `["width"]` in `steps.a.image.width`, spelled as in [`Target::Input`].
        rest: Vec<String>,
        /// True in `steps.a.all[0].image`: one leg out of the list.
        picked: bool,
        /// True under `is succeeded`, `is failed` or `is skipped`.
        tested: bool,
    },
    /// `read('./notes/prompt.md')`.
    Read(Spanned<String>),
}

/// Which axes a reference closes.
#[derive(Debug, Clone, PartialEq)]
pub enum All {
    /// `.all`: every axis.
    Every,
    /// `.all('seed', ...)`: the named ones.
    Named(Vec<Spanned<String>>),
}

/// Maps byte offsets of a template's code to places in its file.
///
/// Block scalars lose indentation and quoted scalars lose escapes, so the way back is a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PositionMap {
    /// `(offset in code, place in the file)`, ascending; between two entries characters run in step.
    pub anchors: Vec<(usize, Pos)>,
}

impl Template {
    /// Parses a text. There is no template when nothing in it looks like one.
    pub fn parse(text: &Text, source: &Source, scope: Scope) -> Result<Option<Self>, Diagnostics> {
        if !is_template(&text.value) {
            return Ok(None);
        }
        Parsing::new(text, source, scope).template().map(Some)
    }

    /// Parses a bare expression, as `if` takes it; the braces around it may be there.
    pub fn expression(text: &Text, source: &Source, scope: Scope) -> Result<Self, Diagnostics> {
        let mut parsing = Parsing::new(text, source, scope);
        parsing.is_condition = true;
        if !is_template(&text.value) {
            return parsing.bare_expression();
        }
        let template = parsing.template()?;
        if template.shape == Shape::Text {
            let finding = Diagnostic::error(
                Code::TemplateSyntax,
                source,
                text.span,
                "text stands beside the expression",
            )
            .hint("write one expression and nothing else; the braces may be left out");
            return Err(Diagnostics { list: vec![finding] });
        }
        Ok(template)
    }

    /// Where the code was written.
    pub fn span(&self) -> Span {
        self.map.span(0..self.code.len())
    }
}

/// True when a text has the beginning of an expression, a statement or a comment.
fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// One text on its way to a template.
struct Parsing<'a> {
    text: &'a Text,
    source: &'a Source,
    scope: Scope,
    map: PositionMap,
    is_condition: bool,
}

impl<'a> Parsing<'a> {
    fn new(text: &'a Text, source: &'a Source, scope: Scope) -> Self {
        Self { text, source, scope, map: text.map(source), is_condition: false }
    }

    fn template(&self) -> Result<Template, Diagnostics> {
        self.refuse_depth(false)?;
        let code = &*self.text.value;
        let tree = machinery::parse(code, "template", SyntaxConfig::default())
            .map_err(|error| self.syntax(&error))?;
        let reading = Reading::new(code, &self.map);
        let (body, range) = match tree::lone(code, &tree) {
            Some((expression, range)) => (reading.lone(expression), Some(range)),
            None => (reading.template(&tree), None),
        };
        let shape = if range.is_some() { Shape::Lone } else { Shape::Text };
        self.finish(body, shape, range.unwrap_or(0..code.len()))
    }

    fn bare_expression(&self) -> Result<Template, Diagnostics> {
        self.refuse_depth(true)?;
        let code = &*self.text.value;
        let tree = machinery::parse_expr(code).map_err(|error| self.syntax(&error))?;
        // The parser overlooks what cannot be read after a text in quotes.
        let mut tokens = Tokenizer::new(code, "template", true, SyntaxConfig::default());
        while tokens.next_token().map_err(|error| self.syntax(&error))?.is_some() {}
        let body = Reading::new(code, &self.map).lone(&tree);
        let start = code.len() - code.trim_start().len();
        self.finish(body, Shape::Lone, start..code.trim_end().len().max(start))
    }

    fn finish(
        &self,
        body: Result<Body, Vec<Refusal>>,
        shape: Shape,
        range: Range<usize>,
    ) -> Result<Template, Diagnostics> {
        let body = body.map_err(|refusals| self.refused(refusals))?;
        let mut walk = Walk::new(self.source, self.scope);
        walk.body(&body, self.is_condition);
        let references = walk.finish()?;
        let code = Arc::from(&self.text.value[range.clone()]);
        Ok(Template { code, shape, body: Arc::new(body), references, map: self.map.slice(range) })
    }

    fn refused(&self, refusals: Vec<Refusal>) -> Diagnostics {
        let finding = |refusal| {
            let (span, message) = match refusal {
                Refusal::Depth(span) => (span, "this expression is nested too deep".to_owned()),
                Refusal::Statement(name, span) => {
                    (span, format!("castline's templates have no `{{% {name} %}}`"))
                }
            };
            Diagnostic::error(Code::TemplateSyntax, self.source, span, message)
        };
        Diagnostics { list: refusals.into_iter().map(finding).collect() }
    }

    /// The parser and the compiler of templates use the stack for what is nested.
    fn refuse_depth(&self, is_expression: bool) -> Result<(), Diagnostics> {
        match depth::excess(&self.text.value, is_expression) {
            Some(range) => Err(self.finding(range, "this template is nested too deep or too long")),
            None => Ok(()),
        }
    }

    fn syntax(&self, error: &minijinja::Error) -> Diagnostics {
        let code = &*self.text.value;
        let range = error.range().unwrap_or(0..code.len());
        let start = boundary(code, range.start);
        let end = boundary(code, range.end.max(range.start + 1));
        let detail = error.detail().unwrap_or("not a template");
        let mut findings = self.finding(start..end, names::syntax_message(detail, code));
        for finding in &mut findings.list {
            finding.hint = names::syntax_hint(detail, &code[start..end]);
        }
        findings
    }

    fn finding(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostics {
        let span = self.map.span(range);
        Diagnostics { list: vec![Diagnostic::error(Code::TemplateSyntax, self.source, span, message)] }
    }
}

/// The next place from `offset` on where a character begins.
fn boundary(text: &str, offset: usize) -> usize {
    (offset..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

impl Dynamic {
    /// Reads a value in which strings may be templates.
    pub fn parse(node: &Node, source: &Source, scope: Scope, found: &mut Diagnostics) -> Self {
        let kind = match &node.kind {
            NodeKind::List(items) => {
                DynamicKind::List(items.iter().map(|item| Self::parse(item, source, scope, found)).collect())
            }
            NodeKind::Map(entries) => {
                let entry = |(key, node): &(Spanned<String>, Node)| {
                    (key.value.clone(), (key.span, Self::parse(node, source, scope, found)))
                };
                DynamicKind::Map(entries.iter().map(entry).collect())
            }
            NodeKind::Text(text) => match Template::parse(text, source, scope) {
                Ok(Some(template)) => DynamicKind::Template(template),
                Ok(None) => DynamicKind::Literal(node.to_json()),
                Err(findings) => {
                    found.extend(findings);
                    DynamicKind::Broken
                }
            },
            NodeKind::Broken => DynamicKind::Broken,
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => DynamicKind::Literal(node.to_json()),
        };
        Self { kind, span: node.span }
    }

    /// One template as a value.
    pub(crate) fn of_template(template: Template, span: Span) -> Self {
        Self { kind: DynamicKind::Template(template), span }
    }

    /// Every template in it, at any depth, in the order of the file.
    pub fn templates(&self) -> Box<dyn Iterator<Item = &Template> + '_> {
        match &self.kind {
            DynamicKind::Literal(_) | DynamicKind::Broken => Box::new(std::iter::empty()),
            DynamicKind::Template(template) => Box::new(std::iter::once(template)),
            DynamicKind::List(items) => Box::new(items.iter().flat_map(Dynamic::templates)),
            DynamicKind::Map(entries) => Box::new(entries.values().flat_map(|(_, value)| value.templates())),
        }
    }

    /// Everything that it refers to, at any depth, in the order of the file.
    pub fn references(&self) -> impl Iterator<Item = &Reference> + '_ {
        self.templates().flat_map(|template| &template.references)
    }

    /// The expression that it is, when it is one and nothing else: it keeps its type.
    pub fn lone(&self) -> Option<&Expr> {
        match &self.kind {
            DynamicKind::Template(template) => match &*template.body {
                Body::Lone(expression) => Some(expression),
                Body::Text(_) => None,
            },
            _ => None,
        }
    }

    /// True when there is no template in it.
    pub fn is_literal(&self) -> bool {
        match &self.kind {
            DynamicKind::Literal(_) => true,
            DynamicKind::Template(_) | DynamicKind::Broken => false,
            DynamicKind::List(items) => items.iter().all(Self::is_literal),
            DynamicKind::Map(entries) => entries.values().all(|(_, value)| value.is_literal()),
        }
    }

    /// Its value, when there is no template in it.
    pub fn as_literal(&self) -> Option<serde_json::Value> {
        match &self.kind {
            DynamicKind::Literal(value) => Some(value.clone()),
            DynamicKind::Template(_) | DynamicKind::Broken => None,
            DynamicKind::List(items) => items.iter().map(Dynamic::as_literal).collect(),
            DynamicKind::Map(entries) => {
                let entry =
                    |(key, (_, value)): (&String, &(Span, Dynamic))| Some((key.clone(), value.as_literal()?));
                entries.iter().map(entry).collect::<Option<_>>().map(serde_json::Value::Object)
            }
        }
    }
}

impl PositionMap {
    /// Where the byte at `offset` was written.
    pub fn pos(&self, offset: usize) -> Pos {
        let after = self.anchors.partition_point(|(at, _)| *at <= offset);
        let Some((at, pos)) = after.checked_sub(1).and_then(|i| self.anchors.get(i)) else {
            return Pos::default();
        };
        let steps = offset - at;
        Pos { line: pos.line, column: pos.column + steps as u32, offset: pos.offset + steps }
    }

    /// Where a range of bytes was written.
    pub fn span(&self, range: Range<usize>) -> Span {
        Span { start: self.pos(range.start), end: self.pos(range.end) }
    }

    /// The map of a part of the code.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let first = (0, self.pos(range.start));
        let inner = self.anchors.iter().filter(|(at, _)| range.start < *at && *at <= range.end);
        let rest = inner.map(|(at, pos)| (at - range.start, *pos));
        Self { anchors: std::iter::once(first).chain(rest).collect() }
    }
}

#[cfg(test)]
mod tests;
