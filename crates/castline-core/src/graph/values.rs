//! Values against schemas, as far as they are known without input values.

use std::collections::BTreeSet;

use castline_spec::diagnostic::{did_you_mean, nearest};
use castline_spec::outside::{At, is_pattern, path_hint};
use castline_spec::preset::Rule;
use castline_spec::{Code, Diagnostic, Name, Source, Span, Spanned};
use indexmap::IndexMap;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Json;

use super::{Check, Feed};
use crate::callee::Callee;
use crate::field::{Field, Misfit};
use crate::inputs::one_file;

/// A finding about an input's value, with the input's declaration as the second place.
pub(crate) fn misfit_finding(
    name: &str,
    misfit: Misfit,
    source: &Source,
    span: Span,
    field: Option<&Field>,
    fixable: bool,
) -> Diagnostic {
    let message = format!("`{name}{}` {}", misfit.path, misfit.message);
    let mut finding = Diagnostic::error(Code::InvalidInput, source, span, message).maybe_hint(misfit.hint);
    if let Some(field) = field.filter(|f| f.source != *source || f.span != span) {
        finding = finding.label(&field.source, field.span, "declared here");
    }
    match misfit.fix {
        Some(fix) if fixable && misfit.certain => finding.fix(span, fix),
        Some(fix) if fixable => finding.suggest(span, fix),
        _ => finding,
    }
}

/// A finding about a rule between inputs, at the input that would have to be another. `place`
/// says where an input's value stands, and whether it is written out.
pub(crate) fn rule_finding(
    rule: &Rule,
    validator: &Validator,
    model: &Source,
    json: &Json,
    source: &Source,
    whole: Span,
    place: impl Fn(&str) -> Option<(Span, bool)>,
) -> Option<Diagnostic> {
    let error = validator.iter_errors(json).next()?;
    let pointer = error.instance_path().as_str().to_owned();
    let input = pointer.split('/').nth(1);
    let misfit = crate::field::misfit(&error, json);
    let (span, fixable) = input.and_then(place).unwrap_or((whole, false));
    let finding = Diagnostic::error(Code::RuleBroken, source, span, lower(&rule.message))
        .label(model, rule.span, "the rule");
    let Some(input) = input else { return Some(finding) };
    let inner = Misfit { path: String::new(), ..misfit };
    let finding = finding.hint(format!("`{input}` {}", inner.message));
    // The message of the rule says why, so its limit is what is taken here.
    let limit = match error.kind() {
        ValidationErrorKind::Maximum { limit } | ValidationErrorKind::Minimum { limit } => {
            Some(limit.to_string())
        }
        ValidationErrorKind::Constant { expected_value } => Some(expected_value.to_string()),
        _ => None,
    };
    Some(match limit.filter(|_| fixable) {
        Some(limit) => finding.suggest(span, limit),
        None => finding,
    })
}

fn lower(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut chars = message.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// True for a text that is a path by the rules of documents.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with("./") || text.starts_with("../")
}

impl Check<'_> {
    /// Defaults and examples of inputs against their own schemas.
    pub(super) fn check_defaults(&mut self, fields: &IndexMap<String, Field>) {
        for (name, input) in &self.workflow.inputs {
            let Some(field) = fields.get(name.as_str()) else { continue };
            if self.fitting.takes_nothing(&field.schema) {
                let message = format!("no value can be input `{name}`: its schema contradicts itself");
                self.found.push(self.error(Code::InvalidSchema, input.name_span, message));
                continue;
            }
            let default = input.default.iter().filter(|default| !default.value.is_null());
            let default = default.map(|value| ("default", value));
            for (key, value) in default.chain(input.examples.iter().map(|value| ("examples", value))) {
                let name = format!("{name}.{key}");
                if key == "default" && self.check_files(&name, value, field) {
                    continue;
                }
                for misfit in field.misfits_json(&value.value) {
                    let source = &self.workflow.source;
                    self.found.push(misfit_finding(&name, misfit, source, value.span, Some(field), true));
                }
            }
        }
    }

    /// Looks at the paths in a default. True when it is known once files are there.
    fn check_files(&mut self, name: &str, default: &Spanned<Json>, field: &Field) -> bool {
        let paths: Vec<&str> = match (&default.value, field.media) {
            (Json::String(text), _) if At::of(text).is_some() => return true,
            (Json::String(text), Some(media)) if !media.many || is_pattern(text) => vec![text],
            (Json::Array(items), Some(media)) if media.many => {
                items.iter().filter_map(Json::as_str).collect()
            }
            _ => return false,
        };
        let found = paths.into_iter().filter_map(|path| self.not_a_path(name, path, default.span));
        let found: Vec<_> = found.collect();
        self.found.list.extend(found);
        default.value.is_string()
    }

    /// That a step's callee gets everything that it needs.
    pub(super) fn check_filled(&mut self, name: &Name, callee: &Callee, feeds: Option<&[Feed]>) {
        // A broken `from` has its own finding; what it would have filled is not missing.
        let step = &self.workflow.steps[name];
        let Some(feeds) = feeds.filter(|_| !callee.model.is_raw() && !step.incomplete) else { return };
        let given = |input: &String| {
            let null = step.with.get(input).is_some_and(|b| b.value.as_literal() == Some(Json::Null));
            step.with.contains_key(input) && !null || feeds.iter().any(|feed| feed.field == *input)
        };
        let missing: Vec<_> = callee.fields.iter().filter(|(input, f)| f.required && !given(input)).collect();
        // A key that is misspelt is said already, with what it most likely means.
        let misspelt: BTreeSet<_> = step
            .with
            .keys()
            .filter(|input| !callee.fields.contains_key(*input))
            .filter_map(|input| nearest(input, callee.fields.keys().map(String::as_str)))
            .collect();
        for (input, field) in missing.into_iter().filter(|(input, _)| !misspelt.contains(input.as_str())) {
            let finding = self.missing_input(input, step.uses.span, field, callee);
            self.found.push(finding);
        }
    }

    pub(super) fn unknown_input(&self, input: &str, span: Span, callee: &Callee) -> Diagnostic {
        if callee.layers.is_empty()
            && let Some(finding) = callee.model.gives_secret(input, &self.workflow.source, span)
        {
            return finding;
        }
        let known = callee.fields.keys().map(String::as_str);
        let finding = self
            .error(Code::UnknownInput, span, format!("`{}` has no input `{input}`", callee.uses))
            .caret("no such input")
            .maybe_hint(did_you_mean("an input", input, known.clone()));
        match nearest(input, known) {
            Some(near) => finding.fix(span, near),
            None => finding,
        }
    }

    fn missing_input(&self, input: &str, span: Span, field: &Field, callee: &Callee) -> Diagnostic {
        let port = callee.ports.iter().find(|(_, p)| p.field.value == input).map(|(name, _)| name);
        let hint = match (field.media, port) {
            (Some(media), Some(_)) => {
                format!("pipe {} into it with `from: STEP`, or give a file under `with`", media.kind.noun())
            }
            _ => format!("add `{input}` under `with`"),
        };
        self.error(Code::MissingInput, span, format!("`{}` needs `{input}`", callee.uses))
            .label(&field.source, field.span, "declared here")
            .hint(hint)
    }

    /// A value without templates in it.
    pub(super) fn check_literal(
        &self,
        input: &str,
        json: &Json,
        span: Span,
        field: &Field,
    ) -> Vec<Diagnostic> {
        let source = &self.workflow.source;
        match (json, field.media) {
            (Json::Null, _) => Vec::new(),
            (Json::String(text), Some(media)) if !media.many || is_pattern(text) => {
                self.not_a_path(input, text, span).into_iter().collect()
            }
            _ => field
                .misfits_json(&crate::types::fit::prune(json))
                .into_iter()
                .map(|misfit| match (json, field.media) {
                    (Json::String(path), Some(_)) => Misfit { hint: Some(one_file(path)), ..misfit },
                    _ => misfit,
                })
                .map(|misfit| misfit_finding(input, misfit, source, span, Some(field), true))
                .collect(),
        }
    }

    pub(super) fn not_a_path(&self, input: &str, text: &str, span: Span) -> Option<Diagnostic> {
        (!is_path(text)).then(|| {
            self.error(Code::InvalidInput, span, format!("`{input}` takes a file, and `{text}` is no path"))
                .hint(path_hint(text))
        })
    }
}
