//! Walks the syntax tree of one template and collects what it refers to.
//!
//! Every kind of statement and expression is named here, so that a kind that is new in
//! minijinja stops the build instead of passing unseen.
//!
//! Start reading at [`Walk::expression`].

use std::ops::Range;

use minijinja::machinery::ast::{
    BinOpKind, Call, CallArg, Expr, Filter, ForLoop, Stmt, Test, UnaryOpKind, Var,
};
use minijinja::value::ValueKind;

use super::names::{FILTERS, FUNCTIONS, LOOKING_TESTS, STATUS_TESTS, Scope, TESTS};
use super::{All, PositionMap, Reference, Target};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::span::{Source, Span, Spanned};

/// Deeper trees are refused: whoever compiles the template needs stack for them.
const DEEPEST: usize = 200;

type Ast<'a, T> = minijinja::machinery::ast::Spanned<T>;

pub(super) struct Walk<'a> {
    code: &'a str,
    map: &'a PositionMap,
    source: &'a Source,
    scope: Scope,
    locals: Vec<Vec<&'a str>>,
    depth: usize,
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

/// The expression of a text that is one `{{ }}` and white space, and where it stands.
pub(super) fn lone<'t, 'a>(code: &str, tree: &'t Stmt<'a>) -> Option<(&'t Expr<'a>, Range<usize>)> {
    let trimmed = code.trim();
    let Stmt::Template(template) = tree else { return None };
    if !trimmed.starts_with("{{") || !trimmed.ends_with("}}") {
        return None;
    }
    let mut parts = template.children.iter().filter(|part| match part {
        Stmt::EmitRaw(raw) => !raw.raw.trim().is_empty(),
        _ => true,
    });
    match (parts.next(), parts.next()) {
        (Some(Stmt::EmitExpr(emit)), None) => {
            let span = emit.span();
            Some((&emit.expr, span.start_offset as usize..span.end_offset as usize))
        }
        _ => None,
    }
}

impl<'a> Walk<'a> {
    pub fn new(code: &'a str, map: &'a PositionMap, source: &'a Source, scope: Scope) -> Self {
        Self {
            code,
            map,
            source,
            scope,
            locals: vec![Vec::new()],
            depth: 0,
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

    /// Walks the one expression of a lone template or of a condition.
    pub fn lone(&mut self, expression: &Expr<'a>, is_condition: bool) {
        self.expression(expression, Use { guarded: is_condition, tested: false, whole: true });
    }

    pub fn statement(&mut self, statement: &Stmt<'a>) {
        match statement {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr, READ),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(repeat) => self.repeat(repeat),
            Stmt::IfCond(branch) => {
                self.expression(&branch.expr, LOOKED_AT);
                self.body(&branch.true_body);
                self.body(&branch.false_body);
            }
            Stmt::WithBlock(with) => self.scoped(|walk| {
                for (target, value) in &with.assignments {
                    walk.expression(value, READ);
                    walk.bind(target);
                }
                walk.body(&with.body);
            }),
            Stmt::Set(set) => {
                self.expression(&set.expr, READ);
                self.bind(&set.target);
            }
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expression(filter, READ));
                self.scoped(|walk| walk.body(&set.body));
                self.bind(&set.target);
            }
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter, READ);
                self.scoped(|walk| walk.body(&block.body));
            }
            Stmt::AutoEscape(block) => self.refuse_statement("autoescape", range(block.span())),
            Stmt::Do(call) => self.refuse_statement("do", range(call.span())),
        }
    }

    fn body(&mut self, statements: &[Stmt<'a>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn repeat(&mut self, repeat: &ForLoop<'a>) {
        self.expression(&repeat.iter, READ);
        self.scoped(|walk| {
            walk.bind(&repeat.target);
            repeat.filter_expr.iter().for_each(|filter| walk.expression(filter, LOOKED_AT));
            walk.bind_name("loop");
            walk.body(&repeat.body);
        });
        self.scoped(|walk| walk.body(&repeat.else_body));
    }

    fn scoped(&mut self, work: impl FnOnce(&mut Self)) {
        self.locals.push(Vec::new());
        work(self);
        self.locals.pop();
    }

    fn bind(&mut self, target: &Expr<'a>) {
        match target {
            Expr::Var(name) => self.bind_name(name.id),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item)),
            _ => {}
        }
    }

    fn bind_name(&mut self, name: &'a str) {
        if let Some(scope) = self.locals.last_mut() {
            scope.push(name);
        }
    }

    fn refuse_statement(&mut self, name: &str, range: Range<usize>) {
        let message = format!("castline's templates have no `{{% {name} %}}`");
        self.complain(Code::TemplateSyntax, range, message, None);
    }

    fn expression(&mut self, expression: &Expr<'a>, used: Use) {
        self.depth += 1;
        if self.depth <= DEEPEST {
            self.expression_within(expression, used);
        } else if self.depth == DEEPEST + 1 && self.found.list.is_empty() {
            let message = "this expression is nested too deep";
            self.complain(Code::TemplateSyntax, range(expression.span()), message.into(), None);
        }
        self.depth -= 1;
    }

    fn expression_within(&mut self, expression: &Expr<'a>, used: Use) {
        match expression {
            Expr::Const(_) => {}
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Slice(_) | Expr::Call(_) => {
                self.path(expression, used);
            }
            Expr::UnaryOp(op) => match op.op {
                UnaryOpKind::Not => self.expression(&op.expr, LOOKED_AT),
                UnaryOpKind::Neg => self.expression(&op.expr, READ),
            },
            Expr::BinOp(op) => {
                let both = match op.op {
                    BinOpKind::ScAnd | BinOpKind::ScOr => LOOKED_AT,
                    _ => READ,
                };
                self.expression(&op.left, both);
                self.expression(&op.right, both);
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr, READ);
                compare.ops.iter().for_each(|op| self.expression(&op.expr, READ));
            }
            Expr::IfExpr(branch) => {
                let taken = Use { whole: false, ..used };
                self.expression(&branch.test_expr, LOOKED_AT);
                self.expression(&branch.true_expr, taken);
                branch.false_expr.iter().for_each(|other| self.expression(other, taken));
            }
            Expr::Filter(filter) => self.filter(filter),
            Expr::Test(test) => self.test(test),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item, READ)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item, READ)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item, READ)),
        }
    }

    fn filter(&mut self, filter: &Ast<'a, Filter<'a>>) {
        let start = filter.span().start_offset as usize;
        self.known_filter(filter.name, start..start + filter.name.len());
        self.names_in_arguments(filter.name, &filter.args);
        let used = if matches!(filter.name, "default" | "d") { LOOKED_AT } else { READ };
        filter.expr.iter().for_each(|value| self.expression(value, used));
        self.arguments(&filter.args);
    }

    fn test(&mut self, test: &Ast<'a, Test<'a>>) {
        let start = test.span().start_offset as usize;
        self.known_test(test.name, start..start + test.name.len());
        let used = Use {
            guarded: LOOKING_TESTS.contains(&test.name),
            tested: STATUS_TESTS.contains(&test.name),
            whole: false,
        };
        self.expression(&test.expr, used);
        self.arguments(&test.args);
    }

    fn known_filter(&mut self, name: &str, range: Range<usize>) {
        if !FILTERS.contains(&name) {
            let hint = did_you_mean("a filter", name, FILTERS.iter().copied());
            self.complain(Code::UnknownFilter, range, format!("there is no filter `{name}`"), hint);
        }
    }

    fn known_test(&mut self, name: &str, range: Range<usize>) {
        if !TESTS.contains(&name) {
            let hint = did_you_mean("a test", name, TESTS.iter().copied());
            self.complain(Code::UnknownFilter, range, format!("there is no test `{name}`"), hint);
        }
    }

    /// `map('upper')` and `select('defined')` name filters and tests by text.
    fn names_in_arguments(&mut self, filter: &str, arguments: &[CallArg<'a>]) {
        let position = usize::from(filter.ends_with("attr"));
        let Some(CallArg::Pos(argument)) = arguments.get(position) else { return };
        let Some((name, range)) = self.literal(argument) else { return };
        match filter {
            "map" => self.known_filter(&name, range),
            "select" | "reject" | "selectattr" | "rejectattr" => self.known_test(&name, range),
            _ => {}
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'a>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value, READ),
            }
        }
    }

    /// A literal text and where it stands, quotes excluded.
    fn literal(&self, expression: &Expr<'a>) -> Option<(String, Range<usize>)> {
        let Expr::Const(literal) = expression else { return None };
        let text = literal.value.as_str()?.to_owned();
        let range = range(literal.span());
        let quoted = self.code.get(range.clone())?.starts_with(['\'', '"']);
        let inner = if quoted && range.len() >= 2 { range.start + 1..range.end - 1 } else { range };
        Some((text, inner))
    }

    /// A name with what follows it: attributes, indexes, calls.
    fn path(&mut self, expression: &Expr<'a>, used: Use) {
        let (base, parts) = flatten(expression);
        for part in &parts {
            match part {
                Part::Attribute(..) => {}
                Part::Index(index, _) => self.expression(index, READ),
                Part::Slice(bounds, _) => bounds.iter().for_each(|bound| self.expression(bound, READ)),
                Part::Call(call, _) => self.arguments(&call.args),
            }
        }
        let Expr::Var(name) = base else { return self.expression(base, READ) };
        if self.locals.iter().flatten().any(|local| *local == name.id) {
            return;
        }
        let path = Path { name, parts: &parts, used };
        if self.scope.0.contains(&name.id) {
            self.reference(&path);
        } else if let Some(Part::Call(call, _)) = parts.first() {
            self.function(&path, call);
        } else {
            self.unknown_name(name);
        }
    }

    fn unknown_name(&mut self, name: &Ast<'a, Var<'a>>) {
        let range = range(name.span());
        let hint = if FUNCTIONS.contains(&name.id) {
            Some(format!("a function is called: `{}(...)`", name.id))
        } else if self.follows_hyphen(range.start) {
            Some("`-` subtracts: names have `_` instead".into())
        } else {
            let locals = self.locals.iter().flatten().copied();
            let known: Vec<_> = self.scope.0.iter().copied().chain(locals).collect();
            let near = nearest(name.id, known.iter().copied()).is_some();
            let elsewhere = Scope::elsewhere(name.id).filter(|_| !near).map(|place| format!("it is {place}"));
            elsewhere.or_else(|| did_you_mean("the name", name.id, known))
        };
        self.complain(Code::UnknownName, range, format!("`{}` is not in scope here", name.id), hint);
    }

    fn follows_hyphen(&self, start: usize) -> bool {
        let before = self.code.get(..start).and_then(|code| code.strip_suffix('-'));
        before.is_some_and(|code| code.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    }

    fn function(&mut self, path: &Path<'_, 'a>, call: &Ast<'a, Call<'a>>) {
        let name = path.name.id;
        let range = range(path.name.span());
        if name == "read" {
            self.read(path, call);
        } else if !FUNCTIONS.contains(&name) {
            let hint = if FILTERS.contains(&name) {
                Some(format!("there is a filter of that name: `value | {name}`"))
            } else {
                did_you_mean("a function", name, FUNCTIONS.iter().copied())
            };
            self.complain(Code::UnknownFilter, range, format!("there is no function `{name}`"), hint);
        }
    }

    fn read(&mut self, path: &Path<'_, 'a>, call: &Ast<'a, Call<'a>>) {
        let literal = match call.args.as_slice() {
            [CallArg::Pos(argument)] => self.literal(argument),
            _ => None,
        };
        let whole = range(path.name.span()).start..path.end();
        let Some((file, place)) = literal else {
            let hint = Some("`read('./notes/prompt.md')`".into());
            let message = "`read` takes one path that is written out";
            return self.complain(Code::InvalidPath, whole, message.into(), hint);
        };
        if !file.starts_with("./") && !file.starts_with("../") {
            let hint = Some(format!("`./{}`", file.trim_start_matches('/')));
            let message = format!("the path `{file}` does not begin with `./` or `../`");
            return self.complain(Code::InvalidPath, place, message, hint);
        }
        let target = Target::Read(Spanned::new(file, self.map.span(place)));
        self.refer(path, target);
    }

    fn reference(&mut self, path: &Path<'_, 'a>) {
        let root = path.name.id;
        if root != "steps" && self.refuse_method(path.parts) {
            return;
        }
        if root == "file" {
            return self.refer(path, Target::File);
        }
        let Some(name) = path.parts.first().and_then(|part| self.named(part)) else {
            return self.refuse_unnamed(path);
        };
        let rest = || self.rest(&path.parts[1..]);
        let target = match root {
            "inputs" | "input" => Target::Input(name, rest()),
            "vars" => Target::Var(name),
            "each" => Target::Each(name, rest()),
            "index" => Target::Index(name),
            _ => return self.step(path, name),
        };
        self.refer(path, target);
    }

    fn refuse_unnamed(&mut self, path: &Path<'_, 'a>) {
        let root = path.name.id;
        let range = range(path.name.span()).start..path.end();
        let (code, message) = match (root, path.parts.first()) {
            ("steps", Some(_)) => (Code::ComputedStep, "a step is referred to by a computed name".to_owned()),
            ("steps", None) => (Code::ComputedStep, "`steps` needs the name of a step after it".to_owned()),
            (_, Some(_)) => (Code::UnknownName, format!("`{root}` is followed by a computed name")),
            (_, None) => (Code::UnknownName, format!("`{root}` needs a name after it")),
        };
        let hint = Some(format!("write the name out: `{root}.NAME`"));
        self.complain(code, range, message, hint);
    }

    fn step(&mut self, path: &Path<'_, 'a>, step: Spanned<String>) {
        let mut parts = &path.parts[1..];
        let mut all = None;
        if let [Part::Attribute("all", _), rest @ ..] = parts {
            parts = rest;
            let Some(reduction) = self.reduction(&mut parts) else { return };
            all = Some(reduction);
        }
        let picked = all.is_some() && self.picked(&mut parts);
        if self.refuse_method(parts) {
            return;
        }
        let attribute = parts.first().and_then(|part| self.named(part));
        if attribute.is_none() && !parts.is_empty() {
            let range = range(path.name.span()).start..path.end();
            let message = format!("what `steps.{}` offers is read by a name that is written out", step.value);
            return self.complain(Code::ComputedStep, range, message, None);
        }
        let rest = self.rest(parts.get(1..).unwrap_or_default());
        let tested = path.used.tested;
        self.refer(path, Target::Step { step, all, attribute, rest, picked, tested });
    }

    /// What follows `.all`: the axes that it names, or nothing.
    fn reduction<'p>(&mut self, parts: &mut &'p [Part<'p, 'a>]) -> Option<All> {
        let [Part::Call(call, _), rest @ ..] = *parts else { return Some(All::Every) };
        *parts = rest;
        self.axes(call).map(All::Named)
    }

    /// Passes over the index or the slice of a list of legs; true when one leg is left.
    fn picked<'p>(&self, parts: &mut &'p [Part<'p, 'a>]) -> bool {
        match *parts {
            [Part::Index(index, _), rest @ ..] if self.literal(index).is_none() => {
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

    /// The names in `.all('seed', 'style')`.
    fn axes(&mut self, call: &Ast<'a, Call<'a>>) -> Option<Vec<Spanned<String>>> {
        let axis = |argument: &CallArg<'a>| match argument {
            CallArg::Pos(value) => {
                self.literal(value).map(|(name, at)| Spanned::new(name, self.map.span(at)))
            }
            _ => None,
        };
        let axes: Option<Vec<_>> = call.args.iter().map(axis).collect();
        if let Some(axes) = axes.filter(|axes| !axes.is_empty()) {
            return Some(axes);
        }
        let hint = Some("`.all` closes every axis, `.all('seed')` the ones that it names".into());
        let message = "`.all` takes names of axes in quotes";
        self.complain(Code::UnknownAxis, range(call.span()), message.into(), hint);
        None
    }

    fn refuse_method(&mut self, parts: &[Part<'_, 'a>]) -> bool {
        let Some(at) = parts.iter().position(|part| matches!(part, Part::Call(..))) else { return false };
        let (name, place) = match at.checked_sub(1).and_then(|before| parts.get(before)) {
            Some(Part::Attribute(name, place)) => (*name, place.clone()),
            _ => ("", parts[at].end()..parts[at].end()),
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

    fn named(&self, part: &Part<'_, 'a>) -> Option<Spanned<String>> {
        let (name, place) = match part {
            Part::Attribute(name, place) => ((*name).to_owned(), place.clone()),
            Part::Index(index, _) => self.literal(index)?,
            Part::Slice(..) | Part::Call(..) => return None,
        };
        Some(Spanned::new(name, self.map.span(place)))
    }

    fn rest(&self, parts: &[Part<'_, 'a>]) -> Vec<String> {
        let spell = |part: &Part<'_, 'a>| match part {
            Part::Slice(..) => "[:]".to_owned(),
            Part::Index(Expr::Const(index), _) if index.value.kind() == ValueKind::Number => {
                index.value.to_string()
            }
            part => self.named(part).map_or_else(|| "[]".to_owned(), |name| name.value),
        };
        parts.iter().map(spell).collect()
    }

    fn refer(&mut self, path: &Path<'_, 'a>, target: Target) {
        let span = self.map.span(range(path.name.span()).start..path.end());
        let Use { guarded, whole, .. } = path.used;
        self.references.push(Reference { target, span, guarded, whole });
    }

    fn complain(&mut self, code: Code, range: Range<usize>, message: String, hint: Option<String>) {
        let span: Span = self.map.span(range);
        self.found.push(Diagnostic::error(code, self.source, span, message).maybe_hint(hint));
    }
}

struct Path<'p, 'a> {
    name: &'p Ast<'a, Var<'a>>,
    parts: &'p [Part<'p, 'a>],
    used: Use,
}

impl Path<'_, '_> {
    fn end(&self) -> usize {
        self.parts.last().map_or(range(self.name.span()).end, Part::end)
    }
}

/// What follows a name. The tree knows where each part ends; where it begins it does not say.
enum Part<'p, 'a> {
    Attribute(&'a str, Range<usize>),
    Index(&'p Expr<'a>, usize),
    Slice(Vec<&'p Expr<'a>>, usize),
    Call(&'p Ast<'a, Call<'a>>, usize),
}

impl Part<'_, '_> {
    fn end(&self) -> usize {
        match self {
            Self::Attribute(_, place) => place.end,
            Self::Index(_, end) | Self::Slice(_, end) | Self::Call(_, end) => *end,
        }
    }
}

/// Takes a path apart, from its base to its end.
fn flatten<'p, 'a>(mut expression: &'p Expr<'a>) -> (&'p Expr<'a>, Vec<Part<'p, 'a>>) {
    let mut parts = Vec::new();
    loop {
        let end = range(expression.span()).end;
        expression = match expression {
            Expr::GetAttr(attribute) => {
                parts.push(Part::Attribute(attribute.name, end - attribute.name.len()..end));
                &attribute.expr
            }
            Expr::GetItem(item) => {
                parts.push(Part::Index(&item.subscript_expr, end));
                &item.expr
            }
            Expr::Slice(slice) => {
                let bounds = [&slice.start, &slice.stop, &slice.step];
                parts.push(Part::Slice(bounds.into_iter().flatten().collect(), end));
                &slice.expr
            }
            Expr::Call(call) => {
                parts.push(Part::Call(call, end));
                &call.expr
            }
            base => {
                parts.reverse();
                return (base, parts);
            }
        };
    }
}

fn range(span: minijinja::machinery::Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}
