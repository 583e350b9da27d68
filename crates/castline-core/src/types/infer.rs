//! The type of an expression, before any value is there.
//!
//! What can never work on the way (an attribute that no value has, a list inside text, a filter
//! that does not take it) is a finding at the very expression. Everything else only widens the
//! type: what is not known is anything.
//!
//! Start reading at [`Infer::value`].

use std::collections::{BTreeMap, BTreeSet};

use castline_spec::diagnostic::{did_you_mean, nearest};
use castline_spec::template::tree::{Argument, ArgumentKind, Body, Expr, ExprKind, Operator, Part, Target};
use castline_spec::template::{Dynamic, DynamicKind, Template};
use castline_spec::{Code, Diagnostic, Source, Span, Spanned};
use serde_json::{Map, Value as Json, json};

use super::signature::{self, Signature};
use super::{Inner, Kinds, MOST_VALUES, Type, describe};
use crate::field::as_json;
use crate::value::Value;

/// What the names of a template stand for: anything, or nothing, where that is not known.
pub trait Names {
    /// An input.
    fn input(&self, _name: &str) -> Type {
        Type::unknown()
    }

    /// What a var is bound to.
    fn var(&self, _name: &str) -> Option<&Dynamic> {
        None
    }

    /// The value of an axis.
    fn axis(&self, _name: &str) -> Type {
        Type::unknown()
    }

    /// The number of a step.
    fn step(&self, _name: &str) -> Option<usize> {
        None
    }

    /// What one leg of a step offers under a name.
    fn offers(&self, _step: usize, _attribute: &str) -> Type {
        Type::unknown()
    }

    /// The values of an axis of a step.
    fn axis_of(&self, _step: usize, _axis: &str) -> Type {
        Type::unknown()
    }
}

/// What an expression stands for.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Value(Type),
    /// A step's leg.
    Leg(usize),
    /// All legs of a step, or some of them.
    Legs(usize),
    /// `.all.each`, or the `each` of one leg when the second is false.
    AxesOf(usize, bool),
    /// What all legs have, of such items; an attribute broadcasts.
    Column(Type),
}

/// How a value is used by what stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is needed.
    Read,
    /// It is looked at: that it is missing is no mistake.
    LookedAt,
}

/// Finds types in one place of a document.
pub struct Infer<'a> {
    names: &'a dyn Names,
    source: &'a Source,
    locals: Vec<BTreeMap<String, Seen>>,
    vars: BTreeMap<String, Type>,
    open_vars: BTreeSet<String>,
    /// What can never work.
    pub found: Vec<Diagnostic>,
}

impl<'a> Infer<'a> {
    /// For a document whose names these are.
    pub fn new(names: &'a dyn Names, source: &'a Source) -> Self {
        Self {
            names,
            source,
            locals: vec![BTreeMap::new()],
            vars: BTreeMap::new(),
            open_vars: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// The type of a document's value.
    pub fn value(&mut self, value: &Dynamic) -> Type {
        match &value.kind {
            // As a run reads it: a whole number is an integer.
            DynamicKind::Literal(json) => Type::literal(&as_json(&Value::from_json(json.clone()))),
            DynamicKind::Broken => Type::unknown(),
            DynamicKind::Template(template) => self.template(template),
            DynamicKind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                list_of(&items)
            }
            DynamicKind::Map(map) => {
                let entries: Vec<_> =
                    map.iter().map(|(key, (_, value))| (key.clone(), self.value(value))).collect();
                map_of(entries)
            }
        }
    }

    /// The type of a template.
    pub fn template(&mut self, template: &Template) -> Type {
        match &*template.body {
            Body::Lone(expression) => self.expression(expression, Use::Read),
            Body::Text(parts) => self.text(parts),
        }
    }

    /// The type of a part of an expression that was looked at as a whole before.
    pub fn branch(&mut self, expression: &Expr) -> Type {
        let found = self.found.len();
        let branch = self.expression(expression, Use::LookedAt);
        self.found.truncate(found);
        branch
    }

    /// The type of a condition, of which only the truth counts.
    pub fn condition(&mut self, condition: &Dynamic) -> Type {
        match condition.lone() {
            Some(expression) => self.expression(expression, Use::LookedAt),
            None => self.value(condition),
        }
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.found.push(Diagnostic::error(code, self.source, span, message));
        self.found.last_mut().expect("just pushed")
    }

    // Text

    /// What a text with expressions in it is: one of some texts when all parts are, else what
    /// it begins with.
    fn text(&mut self, parts: &[Part]) -> Type {
        let mut texts = Some(vec![String::new()]);
        let mut sure = true;
        let mut length = 0;
        for part in parts {
            let part = self.part(part);
            sure &= part.is_sure();
            length += part.schema.get("minLength").and_then(Json::as_u64).unwrap_or(0);
            let alternatives = part.values().map(|values| values.iter().map(written).collect::<Vec<_>>());
            if let Some(least) = alternatives.iter().flatten().map(|text| text.chars().count()).min() {
                length += least as u64;
            }
            texts = match (texts, alternatives) {
                (Some(heads), Some(tails)) if fits_in(&heads, &tails) => {
                    let joined = |head: &String| {
                        let head = head.clone();
                        tails.iter().map(move |tail| format!("{head}{tail}")).collect::<Vec<_>>()
                    };
                    Some(heads.iter().flat_map(joined).collect())
                }
                _ => None,
            };
        }
        let known = match texts {
            Some(texts) => Type::one_of(&texts.into_iter().map(Json::from).collect::<Vec<_>>()),
            None => Self::beginning(parts, length),
        };
        if sure { known } else { known.or_failure() }
    }

    fn beginning(parts: &[Part], length: u64) -> Type {
        let mut schema = json!({ "type": "string" });
        if length > 0 {
            schema["minLength"] = length.into();
        }
        if let Some(Part::Text(text)) = parts.first() {
            let start: String = text.trim_start().chars().take(32).collect();
            if start.len() == text.chars().take(32).map(char::len_utf8).sum::<usize>() && !start.is_empty() {
                schema["pattern"] = format!("^{}", regex::escape(&start)).into();
            }
        }
        Type::encoded(schema)
    }

    /// What one part writes.
    fn part(&mut self, part: &Part) -> Type {
        match part {
            Part::Text(text) => Type::literal(&text.as_str().into()),
            Part::Value(expression) => {
                let value = self.seen(expression, Use::Read);
                self.written(expression, &value)
            }
            Part::If { test, then, otherwise } => {
                let truth = self.expression(test, Use::LookedAt);
                // What is set in a branch stays set after it.
                let before = self.locals.clone();
                let then = self.guarded(test, &truth, true, |infer| infer.text(then));
                let after_then = std::mem::replace(&mut self.locals, before);
                let otherwise = self.guarded(test, &truth, false, |infer| infer.text(otherwise));
                self.join(after_then);
                then.or(&otherwise).made_of(&[&Type { may_be_missing: false, ..truth }])
            }
            Part::For { target, iter, filter, body, otherwise } => {
                let items = self.iterated(iter);
                let body = self.scoped(|infer| {
                    infer.bind(target, items);
                    infer.bind_name("loop", Seen::Value(Type::any()));
                    if let Some(filter) = filter {
                        infer.expression(filter, Use::LookedAt);
                    }
                    infer.text(body)
                });
                let otherwise = self.scoped(|infer| infer.text(otherwise));
                Type::text().made_of(&[&body, &otherwise])
            }
            Part::With { assignments, body } => self.scoped(|infer| {
                for (target, value) in assignments {
                    let value = infer.seen(value, Use::Read);
                    infer.bind(target, value);
                }
                infer.text(body)
            }),
            Part::Set(target, value) => {
                let value = self.seen(value, Use::Read);
                self.bind(target, value);
                Type::literal(&"".into())
            }
            Part::SetText(target, filter, body) => {
                let text = self.scoped(|infer| infer.text(body));
                let text = match filter {
                    Some(filter) => self.filter_head(filter, &text),
                    None => text,
                };
                self.bind(target, Seen::Value(text));
                Type::literal(&"".into())
            }
            Part::Filtered(filter, body) => {
                let text = self.scoped(|infer| infer.text(body));
                self.filter_head(filter, &text);
                Type::text().or_failure()
            }
        }
    }

    /// A value inside of text: what text cannot hold is a finding with its cure.
    fn written(&mut self, expression: &Expr, seen: &Seen) -> Type {
        let (what, cure, hint) = match seen {
            Seen::Leg(_) => ("a step", None, "name one of its attributes, such as `.text`".to_owned()),
            Seen::Legs(_) => {
                ("a list", Some(" | json"), "name one of its attributes, such as `.all.text`".to_owned())
            }
            Seen::AxesOf(..) => ("a map", Some(" | json"), "name one of the axes".to_owned()),
            Seen::Column(_) => ("a list", Some(" | join(', ')"), "add `| join(', ')` or `| json`".to_owned()),
            Seen::Value(value) => {
                let kinds = value.kinds();
                if kinds.only(Kinds::LIST) {
                    ("a list", Some(" | join(', ')"), "add `| join(', ')` or `| json`".to_owned())
                } else if kinds.only(Kinds::MAP) {
                    ("a map", Some(" | json"), "name one of its keys or add `| json`".to_owned())
                } else if kinds.only(Kinds::MEDIA) {
                    ("media", None, "pipe it with `from` or a field of its own".to_owned())
                } else if kinds.only(Kinds::NULL) && value.is_sure() {
                    ("none", Some(" | default('', true)"), "add `| default('', true)`".to_owned())
                } else {
                    let text = if kinds.only(Kinds::TEXT.or(Kinds::NUMBER).or(Kinds::BOOLEAN)) {
                        value.clone()
                    } else {
                        Type::text().or_failure()
                    };
                    let written = match text.values() {
                        Some(values) => {
                            let texts: Vec<Json> = values.iter().map(|value| written(value).into()).collect();
                            Type::one_of(&texts)
                        }
                        None if text.kinds().only(Kinds::TEXT) => {
                            Type { may_be_missing: false, ..text.clone() }
                        }
                        None => Type::encoded(json!({ "type": "string", "minLength": 1 })),
                    };
                    return written.made_of(&[&text]);
                }
            }
        };
        let plain =
            matches!(expression.kind, ExprKind::Name(_) | ExprKind::Attribute(..) | ExprKind::Item(..));
        let finding = self.error(
            Code::TextOfNonText,
            expression.span,
            format!("this is {what}, which cannot stand inside text"),
        );
        finding.hint = Some(hint);
        if let (Some(cure), true) = (cure, plain) {
            let end = Span::at(expression.span.end);
            *finding = finding.clone().suggest(end, cure);
        }
        Type::text()
    }

    /// One branch. What is wrong in a branch that is never taken, or that a test of types guards,
    /// is no finding.
    fn guarded<T>(&mut self, test: &Expr, truth: &Type, when: bool, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.found.len();
        let done = work(self);
        let known = truth.value().map(|value| crate::templates::truth(&Value::from_json(value)));
        if known.is_some_and(|known| known != when) || tests_types(test) {
            self.found.truncate(before);
        }
        done
    }

    /// Each name is what one of two branches left it.
    fn join(&mut self, other: Vec<BTreeMap<String, Seen>>) {
        for (mine, theirs) in self.locals.iter_mut().zip(other) {
            for (name, seen) in &mut *mine {
                *seen = match (&*seen, theirs.get(name)) {
                    (one, Some(other)) if one == other => one.clone(),
                    (Seen::Value(one), Some(Seen::Value(other))) => Seen::Value(one.or(other)),
                    _ => Seen::Value(Type::unknown().or_failure()),
                };
            }
            for name in theirs.into_keys() {
                mine.entry(name).or_insert_with(|| Seen::Value(Type::unknown().or_failure()));
            }
        }
    }

    fn scoped<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(BTreeMap::new());
        let done = work(self);
        self.locals.pop();
        done
    }

    fn bind(&mut self, target: &Target, value: Seen) {
        match target {
            Target::Name(name) => self.bind_name(name, value),
            Target::Several(targets) => {
                let item = |value: &Seen| match value {
                    Seen::Value(value) => Seen::Value(value.items().or_failure()),
                    _ => Seen::Value(Type::any()),
                };
                targets.iter().for_each(|target| self.bind(target, item(&value)));
            }
            Target::Attribute => {}
        }
    }

    fn bind_name(&mut self, name: &str, value: Seen) {
        self.locals.last_mut().expect("never empty").insert(name.to_owned(), value);
    }

    fn local(&self, name: &str) -> Option<&Seen> {
        self.locals.iter().rev().find_map(|scope| scope.get(name))
    }

    /// What a `for` goes through, one by one.
    fn iterated(&mut self, iter: &Expr) -> Seen {
        match self.seen(iter, Use::Read) {
            Seen::Legs(step) => Seen::Leg(step),
            Seen::Leg(_) | Seen::AxesOf(..) => Seen::Value(Type::any()),
            Seen::Column(item) => Seen::Value(item),
            Seen::Value(value) => {
                let kinds = value.kinds();
                if kinds.only(Kinds::NUMBER.or(Kinds::BOOLEAN).or(Kinds::MEDIA)) {
                    let what = describe(&value.schema);
                    self.error(
                        Code::TypeMismatch,
                        iter.span,
                        format!("`for` goes through a list, and this is {what}"),
                    );
                }
                Seen::Value(value.items().made_of(&[&value]))
            }
        }
    }

    // Expressions

    fn expression(&mut self, expression: &Expr, used: Use) -> Type {
        match self.seen(expression, used) {
            Seen::Value(value) => value,
            Seen::Leg(_) => Type::step(),
            Seen::Legs(_) => Type::list(&Type::step()),
            Seen::AxesOf(..) => Type::of_type("object"),
            Seen::Column(item) => Type::list(&item.when_there()).made_of(&[&item]),
        }
    }

    fn seen(&mut self, expression: &Expr, used: Use) -> Seen {
        let value = match &expression.kind {
            ExprKind::Literal(json) => Type::literal(json),
            ExprKind::Text(text) => Type::literal(&text.value.as_str().into()),
            ExprKind::Name(name) => return self.local(name).cloned().unwrap_or(Seen::Value(Type::any())),
            ExprKind::Attribute(value, name) => return self.attribute(expression, value, name, used),
            ExprKind::Item(value, index) => {
                if let ExprKind::Text(name) = &index.kind {
                    return self.attribute(expression, value, name, used);
                }
                return self.item(expression, value, index, used);
            }
            ExprKind::Slice(value, bounds) => {
                bounds.iter().flatten().for_each(|bound| drop(self.expression(bound, Use::Read)));
                match self.seen(value, Use::Read) {
                    Seen::Value(value) => value.slice().made_of(&[&value]),
                    other => return other,
                }
            }
            ExprKind::Call(function, arguments) => return self.call(function, arguments),
            ExprKind::Not(value) => {
                let value = self.expression(value, Use::LookedAt);
                Type::of_type("boolean").made_of(&[&value.when_there()])
            }
            ExprKind::Negative(value) => {
                let value = self.operand("-", value);
                numeric(&[&value])
            }
            ExprKind::And(left, right) => {
                let (left, right) = (self.expression(left, Use::LookedAt), self.expression(right, used));
                left.or(&right)
            }
            ExprKind::Or(left, right) => {
                let (left, right) = (self.expression(left, Use::LookedAt), self.expression(right, used));
                left.when_there().without_null().or(&right)
            }
            ExprKind::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right),
            ExprKind::Comparison(operands, looks_into) => {
                let operands: Vec<_> =
                    operands.iter().map(|operand| self.expression(operand, Use::Read)).collect();
                let truth = Type::of_type("boolean").made_of(&operands.iter().collect::<Vec<_>>());
                if *looks_into { truth.or_failure() } else { truth }
            }
            ExprKind::If { test, then, otherwise } => {
                let truth = self.expression(test, Use::LookedAt).when_there();
                let then = self.guarded(test, &truth, true, |infer| infer.expression(then, used));
                let otherwise = match otherwise {
                    Some(otherwise) => {
                        self.guarded(test, &truth, false, |infer| infer.expression(otherwise, used))
                    }
                    None => Type::missing(),
                };
                then.or(&otherwise).made_of(&[&truth])
            }
            ExprKind::Filter(value, name, arguments) => match value {
                Some(value) => self.filter(value, name, arguments, used),
                None => Type::any(),
            },
            ExprKind::Test(value, _, arguments) => {
                let value = self.expression(value, Use::LookedAt);
                self.arguments(arguments);
                Type::of_type("boolean").made_of(&[&value.when_there()]).or_failure()
            }
            ExprKind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.expression(item, Use::Read)).collect();
                list_of(&items)
            }
            ExprKind::Map(entries) => self.map(entries),
        };
        Seen::Value(value)
    }

    fn map(&mut self, entries: &[(Expr, Expr)]) -> Type {
        let mut named = Vec::new();
        let mut complete = true;
        for (key, value) in entries {
            let value = self.expression(value, Use::Read);
            match &key.kind {
                ExprKind::Text(name) => named.push((name.value.clone(), value)),
                _ => complete = false,
            }
        }
        if complete { map_of(named) } else { Type::of_type("object").or_failure() }
    }

    /// `value.name`, where the value may be one of castline's own names.
    fn attribute(&mut self, whole: &Expr, value: &Expr, name: &Spanned<String>, used: Use) -> Seen {
        if let ExprKind::Name(root) = &value.kind
            && self.local(root).is_none()
        {
            return self.rooted(root, &name.value);
        }
        match self.seen(value, used) {
            Seen::Leg(step) if name.value == "all" => Seen::Legs(step),
            Seen::Leg(step) if name.value == "each" => Seen::AxesOf(step, false),
            Seen::Leg(step) => Seen::Value(self.names.offers(step, &name.value)),
            Seen::Legs(step) if name.value == "each" => Seen::AxesOf(step, true),
            Seen::Legs(step) => Seen::Column(self.broadcast(step, &name.value)),
            Seen::AxesOf(step, all) => {
                let value = self.names.axis_of(step, &name.value);
                if all { Seen::Column(value) } else { Seen::Value(value) }
            }
            Seen::Column(item) => match item.attribute(&name.value) {
                Inner::Known(inner) => Seen::Column(inner),
                Inner::Never => {
                    if used == Use::Read || Self::is_almost(&item, name) {
                        self.no_attribute(whole, &item, name);
                    }
                    Seen::Value(Type::unknown())
                }
            },
            Seen::Value(value) => match value.attribute(&name.value) {
                Inner::Known(inner) => Seen::Value(inner),
                Inner::Never => {
                    if used == Use::Read || Self::is_almost(&value, name) {
                        self.no_attribute(whole, &value, name);
                    }
                    Seen::Value(Type::unknown())
                }
            },
        }
    }

    fn rooted(&mut self, root: &str, name: &str) -> Seen {
        Seen::Value(match root {
            "inputs" | "input" => self.names.input(name),
            "vars" => self.var(name),
            "each" => self.names.axis(name),
            "index" | "file" => Type::count(),
            "steps" => match self.names.step(name) {
                Some(step) => return Seen::Leg(step),
                None => Type::unknown(),
            },
            _ => Type::unknown(),
        })
    }

    /// One item of an attribute of all legs that have it.
    fn broadcast(&self, step: usize, name: &str) -> Type {
        let one = self.names.offers(step, name).when_there();
        if matches!(name, "images" | "videos" | "audios" | "files") { one.items() } else { one }
    }

    /// True for a name that is almost one of those that there are: a mistake wherever it stands.
    fn is_almost(value: &Type, name: &Spanned<String>) -> bool {
        let properties = value.schema.get("properties").and_then(Json::as_object);
        properties.is_some_and(|all| nearest(&name.value, all.keys().map(String::as_str)).is_some())
    }

    fn no_attribute(&mut self, whole: &Expr, value: &Type, name: &Spanned<String>) {
        let what = describe(&value.schema);
        let kinds = value.kinds();
        let keys: Vec<String> = match value.schema.get("properties").and_then(Json::as_object) {
            Some(_) if kinds.only(Kinds::MEDIA) => {
                ["media_type", "width", "height", "bytes", "digest"].map(str::to_owned).to_vec()
            }
            Some(properties) => properties.keys().cloned().collect(),
            None => Vec::new(),
        };
        let hint = if keys.is_empty() {
            kinds.only(Kinds::LIST).then(|| {
                format!("name one item, `[0].{0}`, or take it of each: `map(attribute='{0}')`", name.value)
            })
        } else {
            did_you_mean("the attribute", &name.value, keys.iter().map(String::as_str))
        };
        let near = nearest(&name.value, keys.iter().map(String::as_str)).map(str::to_owned);
        let message = format!("this is {what}, which has no `{}`", name.value);
        let fixable = matches!(whole.kind, ExprKind::Attribute(..));
        let at = name.span;
        let finding = self.error(Code::UnknownAttribute, at, message);
        finding.hint = hint;
        if let (Some(near), true) = (near, fixable) {
            *finding = finding.clone().fix(at, near);
        }
    }

    fn item(&mut self, whole: &Expr, value: &Expr, index: &Expr, used: Use) -> Seen {
        let position = self.expression(index, Use::Read);
        let number = position.value().and_then(|value| value.as_i64());
        if let ExprKind::Name(root) = &value.kind
            && self.local(root).is_none()
        {
            return Seen::Value(Type::unknown());
        }
        match self.seen(value, used) {
            Seen::Legs(step) => Seen::Leg(step),
            Seen::Leg(_) | Seen::AxesOf(..) => Seen::Value(Type::unknown()),
            Seen::Column(item) => Seen::Value(item.or_missing()),
            Seen::Value(value) => match value.item(number) {
                Inner::Known(item) => Seen::Value(item),
                Inner::Never => {
                    if used == Use::Read {
                        let what = describe(&value.schema);
                        self.error(
                            Code::TypeMismatch,
                            whole.span,
                            format!("this is {what}, which has no items"),
                        );
                    }
                    Seen::Value(Type::unknown())
                }
            },
        }
    }

    fn call(&mut self, function: &Expr, arguments: &[Argument]) -> Seen {
        self.arguments(arguments);
        if let ExprKind::Attribute(value, name) = &function.kind
            && name.value == "all"
            && let Seen::Leg(step) = self.seen(value, Use::LookedAt)
        {
            return Seen::Legs(step);
        }
        Seen::Value(match &function.kind {
            ExprKind::Name(name) if self.local(name).is_none() => match name.as_str() {
                "range" => Type::list(&Type::of_type("integer")),
                "read" => Type::text(),
                "dict" => Type::of_type("object").or_failure(),
                _ => Type::unknown(),
            },
            _ => Type::unknown(),
        })
    }

    fn var(&mut self, name: &str) -> Type {
        if let Some(known) = self.vars.get(name) {
            return known.clone();
        }
        // A run gives up on vars that are nested deeper, too.
        if self.open_vars.len() >= DEEPEST_VARS {
            return Type::unknown().or_failure();
        }
        let Some(value) = self.names.var(name).filter(|_| self.open_vars.insert(name.to_owned())) else {
            return Type::unknown();
        };
        let locals = std::mem::replace(&mut self.locals, vec![BTreeMap::new()]);
        let found = self.value(value);
        self.locals = locals;
        self.open_vars.remove(name);
        self.vars.insert(name.to_owned(), found.clone());
        found
    }

    // Operators

    fn arithmetic(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Type {
        if operator == Operator::Concatenate {
            // Both become text, as if they stood side by side.
            let parts = [left, right].map(|side| {
                let seen = self.seen(side, Use::Read);
                self.written(side, &seen)
            });
            return Type::text().made_of(&[&parts[0], &parts[1]]);
        }
        if matches!(operator, Operator::Add | Operator::Multiply) {
            let (left, right) = (self.expression(left, Use::Read), self.expression(right, Use::Read));
            let (l, r) = (left.kinds(), right.kinds());
            let parts = [&left, &right];
            return match operator {
                _ if l.only(Kinds::NUMBER) && r.only(Kinds::NUMBER) => numeric(&parts),
                Operator::Add if l.only(Kinds::TEXT) && r.only(Kinds::TEXT) => Type::text().made_of(&parts),
                Operator::Add if l.only(Kinds::LIST) && r.only(Kinds::LIST) => {
                    Type::list(&left.items().or(&right.items())).made_of(&parts)
                }
                _ => Type::any().or_failure(),
            };
        }
        let before = self.found.len();
        let left = self.operand(operator.as_str(), left);
        // One finding is enough to say that this is no place for `-`.
        let right =
            if self.found.len() == before { self.operand(operator.as_str(), right) } else { Type::any() };
        match operator {
            Operator::Subtract => numeric(&[&left, &right]),
            Operator::DivideWhole | Operator::Remainder => numeric(&[&left, &right]).or_failure(),
            _ => Type::of_type("number").or_failure(),
        }
    }

    /// A value that must be a number.
    fn operand(&mut self, operator: &str, expression: &Expr) -> Type {
        let value = self.expression(expression, Use::Read);
        let kinds = value.kinds();
        if kinds != Kinds::NONE && !kinds.any(Kinds::NUMBER.or(Kinds::BOOLEAN)) && value.is_sure() {
            let what = describe(&value.schema);
            let message = format!("`{operator}` takes numbers, and this is {what}");
            self.error(Code::TypeMismatch, expression.span, message);
            return Type::any();
        }
        if kinds.only(Kinds::NUMBER) { value } else { value.or_failure() }
    }

    // Filters

    fn arguments(&mut self, arguments: &[Argument]) -> (Vec<Type>, bool) {
        let mut positional = Vec::new();
        let mut named = false;
        for argument in arguments {
            let value = self.expression(&argument.value, Use::Read);
            match argument.kind {
                ArgumentKind::Position => positional.push(value),
                ArgumentKind::Name(_) | ArgumentKind::Spread => named = true,
            }
        }
        (positional, named)
    }

    /// `{% filter upper %}`: a filter, or a chain of them, without a value of its own.
    fn filter_head(&mut self, filter: &Expr, text: &Type) -> Type {
        let ExprKind::Filter(value, name, arguments) = &filter.kind else { return Type::unknown() };
        let value = match value {
            Some(inner) => self.filter_head(inner, text),
            None => text.clone(),
        };
        let (positional, named) = self.arguments(arguments);
        self.check_arguments(name, arguments);
        signature::result(&name.value, &value, &positional, named).made_of(&[&value])
    }

    fn filter(&mut self, value: &Expr, name: &Spanned<String>, arguments: &[Argument], used: Use) -> Type {
        let stands_in = matches!(name.value.as_str(), "default" | "d");
        let inner = if stands_in { Use::LookedAt } else { used };
        let seen = self.expression(value, inner);
        let (positional, named) = self.arguments(arguments);
        let Some(signature) = signature::filter(&name.value) else { return Type::unknown() };
        self.check_arguments(name, arguments);
        self.check_pattern(name, arguments);
        // What a default stands in for may be anything.
        let kinds = seen.kinds();
        let lenient = matches!(name.value.as_str(), "int" | "float") && !arguments.is_empty();
        if !stands_in && !lenient && kinds != Kinds::NONE && !kinds.any(signature.takes) && seen.is_sure() {
            self.refuse_filtered(value, name, &seen, &signature);
            return Type::any();
        }
        let found = signature::result(&name.value, &seen, &positional, named);
        if stands_in {
            return if seen.may_fail { found.or_failure() } else { found };
        }
        let found = found.made_of(&[&seen]);
        let surely = kinds.only(signature.takes) && !kinds.any(Kinds::NULL) || signature.takes == Kinds::ALL;
        if surely { found } else { found.or_failure() }
    }

    fn refuse_filtered(&mut self, value: &Expr, name: &Spanned<String>, seen: &Type, signature: &Signature) {
        let what = describe(&seen.schema);
        let message = format!("`{}` takes {}, and this is {what}", name.value, signature.wants);
        let media = seen.kinds().only(Kinds::MEDIA) && signature.wants == "text";
        let code = if media { Code::TextOfNonText } else { Code::TypeMismatch };
        self.error(code, value.span, message);
    }

    fn check_arguments(&mut self, name: &Spanned<String>, arguments: &[Argument]) {
        let Some(signature) = signature::filter(&name.value) else { return };
        let (least, most) = signature.arguments;
        let spread = arguments.iter().any(|argument| argument.kind == ArgumentKind::Spread);
        let positional = arguments.iter().filter(|argument| argument.kind == ArgumentKind::Position).count();
        let named: Vec<_> = arguments
            .iter()
            .filter_map(|argument| match &argument.kind {
                ArgumentKind::Name(name) => Some((name.as_str(), argument.value.span)),
                _ => None,
            })
            .collect();
        if spread || signature.names == ["*"] {
            return;
        }
        for (argument, at) in &named {
            if !signature.names.contains(argument) {
                let message = format!("`{}` takes no argument `{argument}`", name.value);
                let near = signature::nearest_argument(argument, signature.names);
                let finding = self.error(Code::TemplateFailed, *at, message);
                finding.hint = near.map(|near| format!("there is an argument `{near}`"));
            }
        }
        let message = if positional > most {
            format!("`{}` takes {}, not {positional}", name.value, counted(most))
        } else if positional + named.len() < least {
            format!("`{}` needs {}", name.value, counted(least))
        } else {
            return;
        };
        self.error(Code::TemplateFailed, name.span, message);
    }

    /// Patterns that are written out are compiled.
    fn check_pattern(&mut self, name: &Spanned<String>, arguments: &[Argument]) {
        if !name.value.starts_with("regex_") {
            return;
        }
        let Some(Argument { value: Expr { kind: ExprKind::Text(pattern), .. }, .. }) = arguments.first()
        else {
            return;
        };
        if let Err(why) = crate::templates::regex(&pattern.value) {
            let why = why.detail().unwrap_or_default().lines().last().unwrap_or_default().to_owned();
            self.error(Code::TemplateFailed, pattern.span, format!("this is no regular expression: {why}"));
        }
    }
}

/// Vars that mention each other are followed so deep.
const DEEPEST_VARS: usize = 64;

/// True while all combinations of two sets of texts are few and short.
fn fits_in(heads: &[String], tails: &[String]) -> bool {
    let length = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    heads.len() * tails.len() <= MOST_VALUES
        && length(heads) * tails.len().max(1) + length(tails) * heads.len().max(1) <= 1 << 16
}

/// True for a condition that asks what a value is: `x is string`, `x is defined`.
fn tests_types(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Test(..) => true,
        ExprKind::Not(inner) => tests_types(inner),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => tests_types(left) || tests_types(right),
        _ => false,
    }
}

fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}

/// How a value is written inside text.
fn written(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What comes of numbers: an integer of integers.
fn numeric(parts: &[&Type]) -> Type {
    let integers = parts.iter().all(|part| is_integer(&part.schema));
    let all = parts.iter().all(|part| part.kinds().only(Kinds::NUMBER));
    let found = Type::of_type(if integers { "integer" } else { "number" }).made_of(parts);
    if all { found } else { found.or_failure() }
}

fn is_integer(schema: &Json) -> bool {
    let whole = |value: &Json| value.is_i64() || value.is_u64();
    schema.get("type") == Some(&Json::from("integer"))
        || super::values(schema).is_some_and(|values| !values.is_empty() && values.iter().all(whole))
}

/// A list of so many items.
fn list_of(items: &[Type]) -> Type {
    let parts: Vec<_> = items.iter().collect();
    if items.iter().map(Type::size).sum::<usize>() > super::MOST_NODES {
        return Type::of_type("array").made_of(&parts);
    }
    if let Some(values) = items.iter().map(Type::value).collect::<Option<Vec<_>>>() {
        return Type::literal(&Json::Array(values));
    }
    let all = Type::union(items);
    let schema =
        json!({ "type": "array", "items": &*all.schema, "minItems": items.len(), "maxItems": items.len() });
    Type::encoded(schema).made_of(&parts)
}

/// A map of these keys and no others.
fn map_of(entries: Vec<(String, Type)>) -> Type {
    if entries.iter().map(|(_, value)| value.size()).sum::<usize>() > super::MOST_NODES {
        let parts: Vec<_> = entries.iter().map(|(_, value)| value).collect();
        return Type::of_type("object").made_of(&parts);
    }
    if let Some(values) =
        entries.iter().map(|(key, value)| Some((key.clone(), value.value()?))).collect::<Option<Map<_, _>>>()
    {
        return Type::literal(&Json::Object(values));
    }
    let unsure = entries.iter().any(|(_, value)| !value.is_sure());
    let required: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
    let properties: Map<_, _> =
        entries.into_iter().map(|(key, value)| (key, (*value.schema).clone())).collect();
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let found = Type::encoded(schema);
    if unsure { found.or_failure() } else { found }
}
