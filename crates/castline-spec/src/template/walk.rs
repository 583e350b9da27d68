//! Walks the tree of one template and collects what it refers to.
//!
//! Start reading at [`Walk::expression`].

use super::names::{FILTERS, FUNCTIONS, LOOKING_TESTS, STATUS_TESTS, Scope, TESTS};
use super::tree::{Argument, ArgumentKind, Body, Expr, ExprKind, Part as Piece, Target as Bound};
use super::{All, Reference, Target};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::span::{Source, Span, Spanned};

pub(super) struct Walk<'a> {
    source: &'a Source,
    scope: Scope,
    locals: Vec<Vec<&'a str>>,
    references: Vec<Reference>,
    found: Diagnostics,
}

/// How a value is used by what stands around it.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// An absent value is looked at, not read.
    guarded: bool,
    /// It stands before `is succeeded` and its like.
    tested: bool,
    /// It is all of a lone template.
    whole: bool,
}

const READ: Use = Use { guarded: false, tested: false, whole: false };
const LOOKED_AT: Use = Use { guarded: true, tested: false, whole: false };

impl<'a> Walk<'a> {
    pub fn new(source: &'a Source, scope: Scope) -> Self {
        Self {
            source,
            scope,
            locals: vec![Vec::new()],
            references: Vec::new(),
            found: Diagnostics::default(),
        }
    }

    /// What was found: references in the order of the text, or findings.
    pub fn finish(mut self) -> Result<Vec<Reference>, Diagnostics> {
        if self.found.list.is_empty() {
            self.references.sort_by_key(|reference| reference.span);
            Ok(self.references)
        } else {
            Err(self.found)
        }
    }

    /// Walks a template. A condition only looks at its value.
    pub fn body(&mut self, body: &'a Body, is_condition: bool) {
        match body {
            Body::Lone(expression) => {
                self.expression(expression, Use { guarded: is_condition, tested: false, whole: true });
            }
            Body::Text(parts) => self.pieces(parts),
        }
    }

    fn pieces(&mut self, pieces: &'a [Piece]) {
        pieces.iter().for_each(|piece| self.piece(piece));
    }

    fn piece(&mut self, piece: &'a Piece) {
        match piece {
            Piece::Text(_) => {}
            Piece::Value(value) => self.expression(value, READ),
            Piece::If { test, then, otherwise } => {
                self.expression(test, LOOKED_AT);
                self.pieces(then);
                self.pieces(otherwise);
            }
            Piece::For { target, iter, filter, body, otherwise } => {
                self.expression(iter, READ);
                self.scoped(|walk| {
                    walk.bind(target);
                    filter.iter().for_each(|filter| walk.expression(filter, LOOKED_AT));
                    walk.bind_name("loop");
                    walk.pieces(body);
                });
                self.scoped(|walk| walk.pieces(otherwise));
            }
            Piece::With { assignments, body } => self.scoped(|walk| {
                for (target, value) in assignments {
                    walk.expression(value, READ);
                    walk.bind(target);
                }
                walk.pieces(body);
            }),
            Piece::Set(target, value) => {
                self.expression(value, READ);
                self.bind(target);
            }
            Piece::SetText(target, filter, body) => {
                filter.iter().for_each(|filter| self.expression(filter, READ));
                self.scoped(|walk| walk.pieces(body));
                self.bind(target);
            }
            Piece::Filtered(filter, body) => {
                self.expression(filter, READ);
                self.scoped(|walk| walk.pieces(body));
            }
        }
    }

    fn scoped(&mut self, work: impl FnOnce(&mut Self)) {
        self.locals.push(Vec::new());
        work(self);
        self.locals.pop();
    }

    fn bind(&mut self, target: &'a Bound) {
        match target {
            Bound::Name(name) => self.bind_name(name),
            Bound::Several(targets) => targets.iter().for_each(|target| self.bind(target)),
            Bound::Attribute => {}
        }
    }

    fn bind_name(&mut self, name: &'a str) {
        if let Some(scope) = self.locals.last_mut() {
            scope.push(name);
        }
    }

    fn expression(&mut self, expression: &'a Expr, used: Use) {
        match &expression.kind {
            ExprKind::Literal(_) | ExprKind::Text(_) => {}
            ExprKind::Name(_)
            | ExprKind::Attribute(..)
            | ExprKind::Item(..)
            | ExprKind::Slice(..)
            | ExprKind::Call(..) => self.path(expression, used),
            ExprKind::Not(value) => self.expression(value, LOOKED_AT),
            ExprKind::Negative(value) => self.expression(value, READ),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.expression(left, LOOKED_AT);
                self.expression(right, LOOKED_AT);
            }
            ExprKind::Arithmetic(_, left, right) => {
                self.expression(left, READ);
                self.expression(right, READ);
            }
            ExprKind::Comparison(operands, _) | ExprKind::List(operands) => {
                operands.iter().for_each(|operand| self.expression(operand, READ));
            }
            ExprKind::If { test, then, otherwise } => {
                let taken = Use { whole: false, ..used };
                self.expression(test, LOOKED_AT);
                self.expression(then, taken);
                otherwise.iter().for_each(|other| self.expression(other, taken));
            }
            ExprKind::Filter(value, name, arguments) => self.filter(value.as_deref(), name, arguments),
            ExprKind::Test(value, name, arguments) => self.test(value, name, arguments),
            ExprKind::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.expression(key, READ);
                self.expression(value, READ);
            }),
        }
    }

    fn filter(&mut self, value: Option<&'a Expr>, name: &Spanned<String>, arguments: &'a [Argument]) {
        self.known_filter(&name.value, name.span);
        self.names_in_arguments(&name.value, arguments);
        let used = if matches!(name.value.as_str(), "default" | "d") { LOOKED_AT } else { READ };
        value.into_iter().for_each(|value| self.expression(value, used));
        self.arguments(arguments);
    }

    fn test(&mut self, value: &'a Expr, name: &Spanned<String>, arguments: &'a [Argument]) {
        self.known_test(&name.value, name.span);
        let used = Use {
            guarded: LOOKING_TESTS.contains(&name.value.as_str()),
            tested: STATUS_TESTS.contains(&name.value.as_str()),
            whole: false,
        };
        self.expression(value, used);
        self.arguments(arguments);
    }

    fn known_filter(&mut self, name: &str, span: Span) {
        if !FILTERS.contains(&name) {
            self.unknown("filter", name, span, FILTERS);
        }
    }

    fn known_test(&mut self, name: &str, span: Span) {
        if !TESTS.contains(&name) {
            self.unknown("test", name, span, TESTS);
        }
    }

    /// A filter, test or function that castline does not have.
    fn unknown(&mut self, what: &str, name: &str, span: Span, known: &'static [&'static str]) {
        let message = format!("there is no {what} `{name}`");
        let hint = did_you_mean(&format!("a {what}"), name, known.iter().copied());
        let mut finding = Diagnostic::error(Code::UnknownFilter, self.source, span, message).maybe_hint(hint);
        if let Some(near) = nearest(name, known.iter().copied()) {
            finding = finding.fix(span, near);
        }
        self.found.push(finding);
    }

    /// `map('upper')` and `select('defined')` name filters and tests by text.
    fn names_in_arguments(&mut self, filter: &str, arguments: &[Argument]) {
        let position = usize::from(filter.ends_with("attr"));
        let Some(name) = arguments.get(position).and_then(positional).and_then(literal) else { return };
        match filter {
            "map" => self.known_filter(&name.value, name.span),
            "select" | "reject" | "selectattr" | "rejectattr" => self.known_test(&name.value, name.span),
            _ => {}
        }
    }

    fn arguments(&mut self, arguments: &'a [Argument]) {
        arguments.iter().for_each(|argument| self.expression(&argument.value, READ));
    }

    /// A name with what follows it: attributes, indexes, calls.
    fn path(&mut self, expression: &'a Expr, used: Use) {
        let (base, parts) = flatten(expression);
        for part in &parts {
            match part {
                Part::Attribute(..) => {}
                Part::Index(index) => self.expression(index, READ),
                Part::Slice(bounds) => bounds.iter().flatten().for_each(|bound| self.expression(bound, READ)),
                Part::Call(arguments, _) => self.arguments(arguments),
            }
        }
        let ExprKind::Name(id) = &base.kind else { return self.expression(base, READ) };
        if self.locals.iter().flatten().any(|local| local == id) {
            return;
        }
        let path = Path { name: id, at: base.span, span: expression.span, parts: &parts, used };
        if self.scope.0.contains(&id.as_str()) {
            self.reference(&path);
        } else if let Some(Part::Call(arguments, _)) = parts.first() {
            self.function(&path, arguments);
        } else {
            self.unknown_name(id, base.span);
        }
    }

    fn unknown_name(&mut self, name: &str, span: Span) {
        let hint = if FUNCTIONS.contains(&name) {
            Some(format!("a function is called: `{name}(...)`"))
        } else if self.follows_hyphen(span.start.offset) {
            Some("`-` subtracts: names have `_` instead".into())
        } else {
            let locals = self.locals.iter().flatten().copied();
            let known: Vec<_> = self.scope.0.iter().copied().chain(locals).collect();
            let near = nearest(name, known.iter().copied()).is_some();
            let elsewhere = Scope::elsewhere(name).filter(|_| !near).map(|place| format!("it is {place}"));
            elsewhere.or_else(|| did_you_mean("the name", name, known))
        };
        self.complain(Code::UnknownName, span, format!("`{name}` is not in scope here"), hint);
    }

    fn follows_hyphen(&self, start: usize) -> bool {
        let before = self.source.text.get(..start).and_then(|text| text.strip_suffix('-'));
        before.is_some_and(|text| text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    }

    fn function(&mut self, path: &Path<'_, 'a>, arguments: &[Argument]) {
        let name = path.name;
        if name == "read" {
            self.read(path, arguments);
        } else if FUNCTIONS.contains(&name) {
        } else if FILTERS.contains(&name) {
            let hint = Some(format!("there is a filter of that name: `value | {name}`"));
            self.complain(Code::UnknownFilter, path.at, format!("there is no function `{name}`"), hint);
        } else {
            self.unknown("function", name, path.at, FUNCTIONS);
        }
    }

    fn read(&mut self, path: &Path<'_, 'a>, arguments: &[Argument]) {
        let file = match arguments {
            [argument] => positional(argument).and_then(literal),
            _ => None,
        };
        let Some(file) = file else {
            let hint = Some("`read('./notes/prompt.md')`".into());
            let message = "`read` takes one path that is written out";
            return self.complain(Code::InvalidPath, path.span, message.into(), hint);
        };
        if !file.value.starts_with("./") && !file.value.starts_with("../") {
            let hint = Some(format!("`./{}`", file.value.trim_start_matches('/')));
            let message = format!("the path `{}` does not begin with `./` or `../`", file.value);
            return self.complain(Code::InvalidPath, file.span, message, hint);
        }
        self.refer(path, Target::Read(file.clone()));
    }

    fn reference(&mut self, path: &Path<'_, 'a>) {
        let root = path.name;
        if root != "steps" && self.refuse_method(path.parts) {
            return;
        }
        if root == "file" {
            return self.file(path);
        }
        let Some(name) = path.parts.first().and_then(named) else {
            return self.refuse_unnamed(path);
        };
        let rest = || rest(&path.parts[1..]);
        let target = match root {
            "inputs" | "input" => Target::Input(name, rest()),
            "vars" => Target::Var(name),
            "each" => Target::Each(name, rest()),
            "index" => Target::Index(name),
            _ => return self.step(path, name),
        };
        self.refer(path, target);
    }

    /// `file.index` is all that there is of a file.
    fn file(&mut self, path: &Path<'_, 'a>) {
        match path.parts.first().and_then(named) {
            Some(name) if name.value != "index" => {
                let message = format!("a file has no `{}` here", name.value);
                let hint = Some("there is `file.index`, its position from 0".to_owned());
                self.complain(Code::UnknownAttribute, name.span, message, hint);
            }
            Some(_) => self.refer(path, Target::File),
            None => {
                let hint = Some("write `file.index`, its position from 0".to_owned());
                self.complain(Code::UnknownName, path.span, "`file` needs a name after it".to_owned(), hint);
            }
        }
    }

    fn refuse_unnamed(&mut self, path: &Path<'_, 'a>) {
        let root = path.name;
        let (code, message) = match (root, path.parts.first()) {
            ("steps", Some(_)) => (Code::ComputedStep, "a step is referred to by a computed name".to_owned()),
            ("steps", None) => (Code::ComputedStep, "`steps` needs the name of a step after it".to_owned()),
            (_, Some(_)) => (Code::UnknownName, format!("`{root}` is followed by a computed name")),
            (_, None) => (Code::UnknownName, format!("`{root}` needs a name after it")),
        };
        let hint = Some(format!("write the name out: `{root}.NAME`"));
        self.complain(code, path.span, message, hint);
    }

    fn step(&mut self, path: &Path<'_, 'a>, step: Spanned<String>) {
        let mut parts = &path.parts[1..];
        let mut all = None;
        if let [Part::Attribute(name), rest @ ..] = parts
            && name.value == "all"
        {
            parts = rest;
            let Some(reduction) = self.reduction(&mut parts) else { return };
            all = Some(reduction);
        }
        let picked = all.is_some() && picked(&mut parts);
        if self.refuse_method(parts) {
            return;
        }
        let attribute = parts.first().and_then(named);
        if attribute.is_none() && !parts.is_empty() {
            let message = format!("what `steps.{}` offers is read by a name that is written out", step.value);
            return self.complain(Code::ComputedStep, path.span, message, None);
        }
        let rest = rest(parts.get(1..).unwrap_or_default());
        let tested = path.used.tested;
        self.refer(path, Target::Step { step, all, attribute, rest, picked, tested });
    }

    /// What follows `.all`: the axes that it names, or nothing.
    fn reduction<'p>(&mut self, parts: &mut &'p [Part<'a>]) -> Option<All> {
        let [Part::Call(arguments, call), rest @ ..] = *parts else { return Some(All::Every) };
        *parts = rest;
        self.axes(arguments, *call).map(All::Named)
    }

    /// The names in `.all('seed', 'style')`.
    fn axes(&mut self, arguments: &[Argument], call: Span) -> Option<Vec<Spanned<String>>> {
        let axes: Option<Vec<_>> =
            arguments.iter().map(|argument| positional(argument).and_then(literal).cloned()).collect();
        if let Some(axes) = axes.filter(|axes| !axes.is_empty()) {
            return Some(axes);
        }
        let hint = Some("`.all` closes every axis, `.all('seed')` the ones that it names".into());
        let message = "`.all` takes names of axes in quotes";
        self.complain(Code::UnknownAxis, call, message.into(), hint);
        None
    }

    fn refuse_method(&mut self, parts: &[Part<'a>]) -> bool {
        let Some(at) = parts.iter().position(|part| matches!(part, Part::Call(..))) else { return false };
        let (name, place) = match (at.checked_sub(1).and_then(|before| parts.get(before)), &parts[at]) {
            (Some(Part::Attribute(name)), _) => (name.value.as_str(), name.span),
            (_, Part::Call(_, call)) => ("", Span::at(call.end)),
            _ => return false,
        };
        let hint = match name {
            "" => None,
            name if FILTERS.contains(&name) => {
                Some(format!("there is a filter of that name: `value | {name}`"))
            }
            name => did_you_mean("a filter", name, FILTERS.iter().copied()),
        };
        self.complain(Code::UnknownFilter, place, format!("values have no method `{name}`"), hint);
        true
    }

    fn refer(&mut self, path: &Path<'_, 'a>, target: Target) {
        let Use { guarded, whole, .. } = path.used;
        self.references.push(Reference { target, span: path.span, guarded, whole });
    }

    fn complain(&mut self, code: Code, span: Span, message: String, hint: Option<String>) {
        self.found.push(Diagnostic::error(code, self.source, span, message).maybe_hint(hint));
    }
}

/// The value of an argument that is given by its position.
fn positional(argument: &Argument) -> Option<&Expr> {
    (argument.kind == ArgumentKind::Position).then_some(&argument.value)
}

/// A text that is written out.
fn literal(expression: &Expr) -> Option<&Spanned<String>> {
    match &expression.kind {
        ExprKind::Text(text) => Some(text),
        _ => None,
    }
}

/// Passes over the index or the slice of a list of legs; true when one leg is left.
fn picked(parts: &mut &[Part<'_>]) -> bool {
    match *parts {
        [Part::Index(index), rest @ ..] if literal(index).is_none() => {
            *parts = rest;
            true
        }
        [Part::Slice(..), rest @ ..] => {
            *parts = rest;
            false
        }
        _ => false,
    }
}

fn named(part: &Part<'_>) -> Option<Spanned<String>> {
    match part {
        Part::Attribute(name) => Some((*name).clone()),
        Part::Index(index) => literal(index).cloned(),
        Part::Slice(..) | Part::Call(..) => None,
    }
}

fn rest(parts: &[Part<'_>]) -> Vec<String> {
    let spell = |part: &Part<'_>| match part {
        Part::Slice(..) => "[:]".to_owned(),
        Part::Index(Expr { kind: ExprKind::Literal(index), .. }) if index.is_u64() => index.to_string(),
        part => named(part).map_or_else(|| "[]".to_owned(), |name| name.value),
    };
    parts.iter().map(spell).collect()
}

struct Path<'p, 'a> {
    name: &'a str,
    /// Where the name stands.
    at: Span,
    /// Where the whole of it stands.
    span: Span,
    parts: &'p [Part<'a>],
    used: Use,
}

/// What follows a name.
enum Part<'a> {
    Attribute(&'a Spanned<String>),
    Index(&'a Expr),
    Slice(&'a [Option<Expr>; 3]),
    /// Arguments, and the whole path up to them.
    Call(&'a [Argument], Span),
}

/// Takes a path apart, from its base to its end.
fn flatten(mut expression: &Expr) -> (&Expr, Vec<Part<'_>>) {
    let mut parts = Vec::new();
    loop {
        expression = match &expression.kind {
            ExprKind::Attribute(value, name) => {
                parts.push(Part::Attribute(name));
                value
            }
            ExprKind::Item(value, index) => {
                parts.push(Part::Index(index));
                value
            }
            ExprKind::Slice(value, bounds) => {
                parts.push(Part::Slice(bounds));
                value
            }
            ExprKind::Call(function, arguments) => {
                parts.push(Part::Call(arguments, expression.span));
                function
            }
            _ => {
                parts.reverse();
                return (expression, parts);
            }
        };
    }
}
