//! What operators take and give.

use castline_spec::Code;
use castline_spec::template::tree::{Expr, Operator};
use serde_json::Value as Json;

use super::{Infer, Use};
use crate::types::{Kinds, Type, describe};

impl Infer<'_> {
    pub(super) fn arithmetic(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Type {
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
    pub(super) fn operand(&mut self, operator: &str, expression: &Expr) -> Type {
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
}

/// What comes of numbers: an integer of integers.
pub(super) fn numeric(parts: &[&Type]) -> Type {
    let integers = parts.iter().all(|part| is_integer(&part.schema));
    let all = parts.iter().all(|part| part.kinds().only(Kinds::NUMBER));
    let found = Type::of_type(if integers { "integer" } else { "number" }).made_of(parts);
    if all { found } else { found.or_failure() }
}

fn is_integer(schema: &Json) -> bool {
    let whole = |value: &Json| value.is_i64() || value.is_u64();
    schema.get("type") == Some(&Json::from("integer"))
        || crate::types::values(schema).is_some_and(|values| !values.is_empty() && values.iter().all(whole))
}
