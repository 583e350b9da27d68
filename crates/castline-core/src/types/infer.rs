//! The type of an expression, before any value is there.
//!
//! What can never work on the way (an attribute that no value has, a list inside text, a filter
//! that does not take it) is a finding at the very expression. Everything else only widens the
//! type: what is not known is anything.
//!
//! Start reading at [`Infer::value`].

mod filters;
mod locals;
mod operators;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use castline_spec::diagnostic::{did_you_mean, nearest};
use castline_spec::template::tree::{Argument, Body, Expr, ExprKind};
use castline_spec::template::{Dynamic, DynamicKind, Template};
use castline_spec::{Code, Diagnostic, Source, Span, Spanned};
use serde_json::{Map, Value as Json, json};

use super::{Inner, Kinds, Type, describe};
use crate::field::as_json;
use crate::value::Value;
use operators::numeric;

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
}

/// Vars that mention each other are followed so deep.
const DEEPEST_VARS: usize = 64;

/// True for a condition that asks what a value is: `x is string`, `x is defined`.
fn tests_types(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Test(..) => true,
        ExprKind::Not(inner) => tests_types(inner),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => tests_types(left) || tests_types(right),
        _ => false,
    }
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
