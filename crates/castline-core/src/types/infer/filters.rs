//! What filters take and give.
//!
//! Start reading at [`Infer::filter`]; the signatures are in [`crate::types::signature`].

use castline_spec::template::tree::{Argument, ArgumentKind, Expr, ExprKind};
use castline_spec::{Code, Spanned};

use super::{Infer, Use};
use crate::types::signature::{self, Signature};
use crate::types::{Kinds, Type, describe};

impl Infer<'_> {
    pub(super) fn filter(
        &mut self,
        value: &Expr,
        name: &Spanned<String>,
        arguments: &[Argument],
        used: Use,
    ) -> Type {
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

    /// `{% filter upper %}`: a filter, or a chain of them, without a value of its own.
    pub(super) fn filter_head(&mut self, filter: &Expr, text: &Type) -> Type {
        let ExprKind::Filter(value, name, arguments) = &filter.kind else { return Type::unknown() };
        let value = match value {
            Some(inner) => self.filter_head(inner, text),
            None => text.clone(),
        };
        let (positional, named) = self.arguments(arguments);
        self.check_arguments(name, arguments);
        signature::result(&name.value, &value, &positional, named).made_of(&[&value])
    }

    pub(super) fn arguments(&mut self, arguments: &[Argument]) -> (Vec<Type>, bool) {
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

    pub(super) fn refuse_filtered(
        &mut self,
        value: &Expr,
        name: &Spanned<String>,
        seen: &Type,
        signature: &Signature,
    ) {
        let what = describe(&seen.schema);
        let message = format!("`{}` takes {}, and this is {what}", name.value, signature.wants);
        let media = seen.kinds().only(Kinds::MEDIA) && signature.wants == "text";
        let code = if media { Code::TextOfNonText } else { Code::TypeMismatch };
        self.error(code, value.span, message);
    }

    pub(super) fn check_arguments(&mut self, name: &Spanned<String>, arguments: &[Argument]) {
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
    pub(super) fn check_pattern(&mut self, name: &Spanned<String>, arguments: &[Argument]) {
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

fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}
