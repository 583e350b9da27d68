//! The type of a text with expressions in it.
//!
//! Start reading at [`Infer::text`].

use castline_spec::template::tree::{Expr, ExprKind, Part};
use castline_spec::{Code, Span};
use serde_json::{Value as Json, json};

use super::{Infer, Seen, Use};
use crate::types::{Kinds, MOST_VALUES, Type, describe};

impl Infer<'_> {
    /// What a text with expressions in it is: one of some texts when all parts are, else what
    /// it begins with.
    pub(super) fn text(&mut self, parts: &[Part]) -> Type {
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

    pub(super) fn beginning(parts: &[Part], length: u64) -> Type {
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
    pub(super) fn part(&mut self, part: &Part) -> Type {
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
    pub(super) fn written(&mut self, expression: &Expr, seen: &Seen) -> Type {
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

    /// What a `for` goes through, one by one.
    pub(super) fn iterated(&mut self, iter: &Expr) -> Seen {
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
}

/// True while all combinations of two sets of texts are few and short.
fn fits_in(heads: &[String], tails: &[String]) -> bool {
    let length = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    heads.len() * tails.len() <= MOST_VALUES
        && length(heads) * tails.len().max(1) + length(tails) * heads.len().max(1) <= 1 << 16
}

/// How a value is written inside text.
pub(super) fn written(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
