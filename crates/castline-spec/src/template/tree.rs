//! The syntax tree of a template in castline's own words, with places in the file.
//!
//! This is the one module that knows minijinja's tree, whose shape is not stable. Every kind of
//! statement and expression of it is named here, so that a kind that is new in minijinja stops
//! the build instead of passing unseen. What a template refers to is `walk`'s work, what type it
//! has the core's.
//!
//! Start reading at [`Reading::expression`].

use std::ops::Range;

use minijinja::machinery::ast::{self, BinOpKind, CompareOpKind, UnaryOpKind};
use serde_json::Value as Json;

use super::PositionMap;
use crate::span::{Span, Spanned};

/// Deeper trees are refused: whoever walks or compiles the template needs stack for them.
const DEEPEST: usize = 200;

/// What a template consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// One expression that keeps its type.
    Lone(Expr),
    /// Text with expressions and statements in it.
    Text(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// `{{ expression }}`.
    Value(Expr),
    /// `{% if %}`, with its `else`.
    If {
        /// The condition.
        test: Expr,
        /// What stands there when it holds.
        then: Vec<Part>,
        /// What stands there when it does not.
        otherwise: Vec<Part>,
    },
    /// `{% for target in iter if filter %}`, with its `else`.
    For {
        /// What each item is bound to.
        target: Target,
        /// What is gone through.
        iter: Expr,
        /// Which items are taken.
        filter: Option<Expr>,
        /// For each item.
        body: Vec<Part>,
        /// When there is none.
        otherwise: Vec<Part>,
    },
    /// `{% with name = value %}`.
    With {
        /// Names and values, in order.
        assignments: Vec<(Target, Expr)>,
        /// What sees them.
        body: Vec<Part>,
    },
    /// `{% set name = value %}`.
    Set(Target, Expr),
    /// `{% set name %}text{% endset %}`, through a filter.
    SetText(Target, Option<Expr>, Vec<Part>),
    /// `{% filter name %}text{% endfilter %}`.
    Filtered(Expr, Vec<Part>),
}

/// What a value is bound to.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A name.
    Name(String),
    /// Several, each for one item.
    Several(Vec<Target>),
    /// An attribute of a namespace; it binds no name.
    Attribute,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it was written.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal, or an operation on literals.
    Literal(Json),
    /// A text that is written out; the span is what stands between the quotes.
    Text(Spanned<String>),
    /// A name.
    Name(String),
    /// `value.name`; the span is the name's.
    Attribute(Box<Expr>, Spanned<String>),
    /// `value[index]`.
    Item(Box<Expr>, Box<Expr>),
    /// `value[start:stop:step]`, those that are written.
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    /// `function(arguments)`.
    Call(Box<Expr>, Vec<Argument>),
    /// `not value`.
    Not(Box<Expr>),
    /// `-value`.
    Negative(Box<Expr>),
    /// `left and right`.
    And(Box<Expr>, Box<Expr>),
    /// `left or right`.
    Or(Box<Expr>, Box<Expr>),
    /// `left + right` and its like.
    Arithmetic(Operator, Box<Expr>, Box<Expr>),
    /// `a == b`, `a < b <= c`, `a in b`: truth, whatever the operands are; which fails where
    /// `in`, said second, finds nothing to look into.
    Comparison(Vec<Expr>, bool),
    /// `then if test else otherwise`.
    If {
        /// The condition.
        test: Box<Expr>,
        /// The value when it holds.
        then: Box<Expr>,
        /// The value when it does not; undefined without.
        otherwise: Option<Box<Expr>>,
    },
    /// `value | name(arguments)`; no value at the head of a filter block.
    Filter(Option<Box<Expr>>, Spanned<String>, Vec<Argument>),
    /// `value is name(arguments)`.
    Test(Box<Expr>, Spanned<String>, Vec<Argument>),
    /// `[a, b]` or `(a, b)`.
    List(Vec<Expr>),
    /// `{key: value}`.
    Map(Vec<(Expr, Expr)>),
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `//`
    DivideWhole,
    /// `%`
    Remainder,
    /// `**`
    Power,
    /// `~`
    Concatenate,
}

impl Operator {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::DivideWhole => "//",
            Self::Remainder => "%",
            Self::Power => "**",
            Self::Concatenate => "~",
        }
    }
}

/// An argument of a call, a filter or a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// Its value.
    pub value: Expr,
    /// How it is given.
    pub kind: ArgumentKind,
}

/// How an argument is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentKind {
    /// By its position.
    Position,
    /// By its name.
    Name(String),
    /// `*list` or `**map`: any number of them.
    Spread,
}

/// Why there is no tree.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nested deeper than [`DEEPEST`].
    Depth(Span),
    /// A statement that castline does not have.
    Statement(&'static str, Span),
}

/// The expression of a text that is one `{{ }}` and white space, and where it stands.
pub(super) fn lone<'t, 'a>(code: &str, tree: &'t ast::Stmt<'a>) -> Option<(&'t ast::Expr<'a>, Range<usize>)> {
    let trimmed = code.trim();
    let ast::Stmt::Template(template) = tree else { return None };
    if !trimmed.starts_with("{{") || !trimmed.ends_with("}}") {
        return None;
    }
    let mut parts = template.children.iter().filter(|part| match part {
        ast::Stmt::EmitRaw(raw) => !raw.raw.trim().is_empty(),
        _ => true,
    });
    match (parts.next(), parts.next()) {
        (Some(ast::Stmt::EmitExpr(emit)), None) => {
            let span = emit.span();
            Some((&emit.expr, span.start_offset as usize..span.end_offset as usize))
        }
        _ => None,
    }
}

/// Turns minijinja's tree into ours.
pub(super) struct Reading<'a> {
    code: &'a str,
    map: &'a PositionMap,
    depth: usize,
    refusals: Vec<Refusal>,
}

impl<'a> Reading<'a> {
    pub fn new(code: &'a str, map: &'a PositionMap) -> Self {
        Self { code, map, depth: 0, refusals: Vec::new() }
    }

    /// The body of a whole template.
    pub fn template(mut self, tree: &ast::Stmt<'_>) -> Result<Body, Vec<Refusal>> {
        let mut parts = Vec::new();
        self.statement(tree, &mut parts);
        self.done(Body::Text(parts))
    }

    /// A body that is one expression.
    pub fn lone(mut self, expression: &ast::Expr<'_>) -> Result<Body, Vec<Refusal>> {
        let expression = self.expression(expression);
        self.done(Body::Lone(expression))
    }

    fn done(self, body: Body) -> Result<Body, Vec<Refusal>> {
        if self.refusals.is_empty() { Ok(body) } else { Err(self.refusals) }
    }

    fn statements(&mut self, statements: &[ast::Stmt<'_>]) -> Vec<Part> {
        let mut parts = Vec::new();
        statements.iter().for_each(|statement| self.statement(statement, &mut parts));
        parts
    }

    fn statement(&mut self, statement: &ast::Stmt<'_>, parts: &mut Vec<Part>) {
        parts.push(match statement {
            ast::Stmt::Template(template) => {
                let inner = self.statements(&template.children);
                return parts.extend(inner);
            }
            ast::Stmt::EmitRaw(raw) => Part::Text(raw.raw.to_owned()),
            ast::Stmt::EmitExpr(emit) => Part::Value(self.expression(&emit.expr)),
            ast::Stmt::ForLoop(repeat) => Part::For {
                iter: self.expression(&repeat.iter),
                target: Self::target(&repeat.target),
                filter: repeat.filter_expr.as_ref().map(|filter| self.expression(filter)),
                body: self.statements(&repeat.body),
                otherwise: self.statements(&repeat.else_body),
            },
            ast::Stmt::IfCond(branch) => Part::If {
                test: self.expression(&branch.expr),
                then: self.statements(&branch.true_body),
                otherwise: self.statements(&branch.false_body),
            },
            ast::Stmt::WithBlock(with) => {
                let assignment = |(target, value): &(ast::Expr<'_>, ast::Expr<'_>)| {
                    (Self::target(target), self.expression(value))
                };
                let assignments = with.assignments.iter().map(assignment).collect();
                Part::With { assignments, body: self.statements(&with.body) }
            }
            ast::Stmt::Set(set) => Part::Set(Self::target(&set.target), self.expression(&set.expr)),
            ast::Stmt::SetBlock(set) => {
                let filter = set.filter.as_ref().map(|filter| self.expression(filter));
                Part::SetText(Self::target(&set.target), filter, self.statements(&set.body))
            }
            ast::Stmt::FilterBlock(block) => {
                Part::Filtered(self.expression(&block.filter), self.statements(&block.body))
            }
            ast::Stmt::AutoEscape(block) => return self.refuse("autoescape", block.span()),
            ast::Stmt::Do(call) => return self.refuse("do", call.span()),
        });
    }

    fn refuse(&mut self, name: &'static str, span: minijinja::machinery::Span) {
        let span = self.map.span(range(span));
        self.refusals.push(Refusal::Statement(name, span));
    }

    fn target(target: &ast::Expr<'_>) -> Target {
        match target {
            ast::Expr::Var(name) => Target::Name(name.id.to_owned()),
            ast::Expr::List(list) => Target::Several(list.items.iter().map(Self::target).collect()),
            ast::Expr::Tuple(tuple) => Target::Several(tuple.items.iter().map(Self::target).collect()),
            _ => Target::Attribute,
        }
    }

    /// One expression; what is too deep is a null, and a refusal.
    fn expression(&mut self, expression: &ast::Expr<'_>) -> Expr {
        self.depth += 1;
        let found = if self.depth <= DEEPEST {
            self.expression_within(expression)
        } else {
            let span = self.map.span(range(expression.span()));
            if self.refusals.is_empty() {
                self.refusals.push(Refusal::Depth(span));
            }
            Expr { kind: ExprKind::Literal(Json::Null), span }
        };
        self.depth -= 1;
        found
    }

    fn expression_within(&mut self, expression: &ast::Expr<'_>) -> Expr {
        let whole = range(expression.span());
        let own = self.map.span(whole.clone());
        let at = |kind| Expr { kind, span: own };
        match expression {
            ast::Expr::Const(literal) => at(self.literal(&literal.value, &whole)),
            ast::Expr::Var(name) => at(ExprKind::Name(name.id.to_owned())),
            ast::Expr::GetAttr(attribute) => {
                let place = whole.end.saturating_sub(attribute.name.len())..whole.end;
                let name = Spanned::new(attribute.name.to_owned(), self.map.span(place));
                let value = self.boxed(&attribute.expr);
                Expr { span: value.span.to(own), kind: ExprKind::Attribute(value, name) }
            }
            ast::Expr::GetItem(item) => {
                let value = self.boxed(&item.expr);
                let index = self.boxed(&item.subscript_expr);
                Expr { span: value.span.to(own), kind: ExprKind::Item(value, index) }
            }
            ast::Expr::Slice(slice) => {
                let value = self.boxed(&slice.expr);
                let bounds = [&slice.start, &slice.stop, &slice.step]
                    .map(|bound| bound.as_ref().map(|bound| self.expression(bound)));
                Expr { span: value.span.to(own), kind: ExprKind::Slice(value, Box::new(bounds)) }
            }
            ast::Expr::Call(call) => {
                let function = self.boxed(&call.expr);
                let arguments = self.arguments(&call.args);
                Expr { span: function.span.to(own), kind: ExprKind::Call(function, arguments) }
            }
            ast::Expr::UnaryOp(op) => match (folded(expression), &op.op) {
                (Some(json), _) => at(ExprKind::Literal(json)),
                (None, UnaryOpKind::Not) => at(ExprKind::Not(self.boxed(&op.expr))),
                (None, UnaryOpKind::Neg) => at(ExprKind::Negative(self.boxed(&op.expr))),
            },
            ast::Expr::BinOp(op) => self.operation(expression, op),
            ast::Expr::Compare(compare) => {
                let first = self.expression(&compare.expr);
                let others = compare.ops.iter().map(|op| match op.op {
                    CompareOpKind::Eq
                    | CompareOpKind::Ne
                    | CompareOpKind::Lt
                    | CompareOpKind::Lte
                    | CompareOpKind::Gt
                    | CompareOpKind::Gte
                    | CompareOpKind::In
                    | CompareOpKind::NotIn => self.expression(&op.expr),
                });
                let operands: Vec<_> = std::iter::once(first).chain(others).collect();
                let looks_into =
                    compare.ops.iter().any(|op| matches!(op.op, CompareOpKind::In | CompareOpKind::NotIn));
                joined(operands, looks_into, folded(expression))
            }
            ast::Expr::IfExpr(branch) => {
                let test = self.boxed(&branch.test_expr);
                let then = self.boxed(&branch.true_expr);
                let otherwise = branch.false_expr.as_ref().map(|other| self.boxed(other));
                let last = otherwise.as_ref().map_or(test.span, |other| other.span);
                Expr { span: then.span.to(last), kind: ExprKind::If { test, then, otherwise } }
            }
            ast::Expr::Filter(filter) => {
                let name = self.named(filter.name, &whole);
                let value = filter.expr.as_ref().map(|value| self.boxed(value));
                let span = value.as_ref().map_or(own, |value| value.span.to(own));
                Expr { span, kind: ExprKind::Filter(value, name, self.arguments(&filter.args)) }
            }
            ast::Expr::Test(test) => {
                let name = self.named(test.name, &whole);
                let value = self.boxed(&test.expr);
                let span = value.span.to(own);
                Expr { span, kind: ExprKind::Test(value, name, self.arguments(&test.args)) }
            }
            ast::Expr::List(list) => {
                at(ExprKind::List(list.items.iter().map(|item| self.expression(item)).collect()))
            }
            ast::Expr::Tuple(tuple) => {
                at(ExprKind::List(tuple.items.iter().map(|item| self.expression(item)).collect()))
            }
            ast::Expr::Map(map) => {
                let entry = |(key, value)| (self.expression(key), self.expression(value));
                at(ExprKind::Map(map.keys.iter().zip(&map.values).map(entry).collect()))
            }
        }
    }

    fn operation(&mut self, whole: &ast::Expr<'_>, op: &ast::BinOp<'_>) -> Expr {
        let (left, right) = (self.boxed(&op.left), self.boxed(&op.right));
        let span = left.span.to(right.span);
        if let Some(json) = folded(whole) {
            return Expr { span, kind: ExprKind::Literal(json) };
        }
        let operator = match op.op {
            BinOpKind::ScAnd => return Expr { span, kind: ExprKind::And(left, right) },
            BinOpKind::ScOr => return Expr { span, kind: ExprKind::Or(left, right) },
            BinOpKind::Eq
            | BinOpKind::Ne
            | BinOpKind::Lt
            | BinOpKind::Lte
            | BinOpKind::Gt
            | BinOpKind::Gte => return Expr { span, kind: ExprKind::Comparison(vec![*left, *right], false) },
            BinOpKind::In => return Expr { span, kind: ExprKind::Comparison(vec![*left, *right], true) },
            BinOpKind::Add => Operator::Add,
            BinOpKind::Sub => Operator::Subtract,
            BinOpKind::Mul => Operator::Multiply,
            BinOpKind::Div => Operator::Divide,
            BinOpKind::FloorDiv => Operator::DivideWhole,
            BinOpKind::Rem => Operator::Remainder,
            BinOpKind::Pow => Operator::Power,
            BinOpKind::Concat => Operator::Concatenate,
        };
        Expr { span, kind: ExprKind::Arithmetic(operator, left, right) }
    }

    fn boxed(&mut self, expression: &ast::Expr<'_>) -> Box<Expr> {
        Box::new(self.expression(expression))
    }

    /// The name with which the span of a filter or a test begins.
    fn named(&self, name: &str, whole: &Range<usize>) -> Spanned<String> {
        Spanned::new(name.to_owned(), self.map.span(whole.start..whole.start + name.len()))
    }

    fn arguments(&mut self, arguments: &[ast::CallArg<'_>]) -> Vec<Argument> {
        let argument = |argument: &ast::CallArg<'_>| {
            let (value, kind) = match argument {
                ast::CallArg::Pos(value) => (value, ArgumentKind::Position),
                ast::CallArg::Kwarg(name, value) => (value, ArgumentKind::Name((*name).to_owned())),
                ast::CallArg::PosSplat(value) | ast::CallArg::KwargSplat(value) => {
                    (value, ArgumentKind::Spread)
                }
            };
            Argument { value: self.expression(value), kind }
        };
        arguments.iter().map(argument).collect()
    }

    fn literal(&self, value: &minijinja::Value, whole: &Range<usize>) -> ExprKind {
        let Some(text) = value.as_str() else {
            return ExprKind::Literal(literal_json(value).unwrap_or_default());
        };
        let written = self.code.get(whole.clone()).unwrap_or_default();
        let quoted = written.len() >= 2 && written.starts_with(['\'', '"']);
        let inner = if quoted { whole.start + 1..whole.end - 1 } else { whole.clone() };
        ExprKind::Text(Spanned::new(text.to_owned(), self.map.span(inner)))
    }
}

fn joined(operands: Vec<Expr>, looks_into: bool, folded: Option<Json>) -> Expr {
    let first = operands.first().map(|operand| operand.span).unwrap_or_default();
    let span = operands.last().map_or(first, |last| first.to(last.span));
    let kind = folded.map_or_else(|| ExprKind::Comparison(operands, looks_into), ExprKind::Literal);
    Expr { kind, span }
}

/// The value of an operation on literals.
fn folded(expression: &ast::Expr<'_>) -> Option<Json> {
    literal_json(&expression.as_const()?)
}

fn literal_json(value: &minijinja::Value) -> Option<Json> {
    serde_json::to_value(value).ok()
}

fn range(span: minijinja::machinery::Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}
