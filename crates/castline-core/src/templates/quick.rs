//! Templates that only put inputs and values of axes into text, without the engine.
//!
//! Most templates do, and every leg of a plan renders some. What is anything else, or would be
//! a finding, is left to the engine.

use std::fmt::Write as _;

use castline_spec::Name;
use castline_spec::template::tree::{Body, Expr, ExprKind, Part};
use castline_spec::template::{Shape, Template};
use indexmap::IndexMap;

use super::{Bound, BoundKind, PATH};
use crate::graph::Frame;
use crate::legs::{AxisId, Coords, Legs, NOWHERE};
use crate::scope::Scope;
use crate::value::Value;

/// The values that are looked up and never computed.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    /// `inputs`.
    pub inputs: &'a IndexMap<Name, Value>,
    /// `each`: the axes, where the reader stands, and the document that names them; none inside presets.
    pub each: Option<(&'a Legs, &'a Coords, &'a Frame)>,
}

impl<'a> From<&'a Scope> for Plain<'a> {
    fn from(scope: &'a Scope) -> Self {
        let each = scope.steps.as_ref().map(|steps| (&*steps.legs, &steps.reader, steps.frame()));
        Self { inputs: &scope.inputs, each }
    }
}

impl<'a> Plain<'a> {
    /// The value of what was bound; none where only the engine can tell.
    pub(crate) fn render(self, bound: &Bound) -> Option<Value> {
        match &bound.kind {
            BoundKind::Literal(value) => Some(value.clone()),
            BoundKind::Template(name, template) => self.run(name, template),
            BoundKind::List(_) | BoundKind::Map(_) => None,
        }
    }

    pub(super) fn run(self, name: &str, template: &Template) -> Option<Value> {
        match (&*template.body, template.shape) {
            (Body::Lone(expr), Shape::Lone) => self.look_up(expr).filter(|value| is_simple(value)).cloned(),
            (Body::Text(parts), Shape::Text) if !name.starts_with(PATH) => {
                self.text(parts).map(Value::String)
            }
            _ => None,
        }
    }

    fn text(self, parts: &[Part]) -> Option<String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(more) => text.push_str(more),
                Part::Value(expr) => match self.look_up(expr)? {
                    Value::String(more) => text.push_str(more),
                    Value::Number(n) if n.is_i64() => write!(text, "{n}").ok()?,
                    _ => return None,
                },
                _ => return None,
            }
        }
        Some(text)
    }

    /// `inputs.NAME`, `each.NAME`, and keys of maps in them.
    fn look_up(self, expr: &Expr) -> Option<&'a Value> {
        let ExprKind::Attribute(of, name) = &expr.kind else { return None };
        match &of.kind {
            ExprKind::Name(root) if root == "inputs" => self.inputs.get(name.value.as_str()),
            ExprKind::Name(root) if root == "each" => {
                let (legs, at, frame) = self.each?;
                let is_named =
                    |axis: &AxisId| frame.axis(&legs.axes[axis.0].name) == Some(name.value.as_str());
                let stands = at.iter().find(|(axis, _)| is_named(axis));
                stands
                    .filter(|(_, value)| *value != NOWHERE)
                    .map(|(axis, value)| &legs.axes[axis.0].values[*value])
            }
            ExprKind::Attribute(..) => match self.look_up(of)? {
                Value::Map(map) => map.get(&name.value),
                _ => None,
            },
            _ => None,
        }
    }
}

/// True for what goes through the engine as it is.
fn is_simple(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(n) => n.is_i64(),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Media(_) => false,
    }
}
