//! Values against schemas, as far as they are known without input values.

use std::sync::Arc;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::schema::MediaKind;
use castline_spec::template::{Dynamic, Reference, Shape, Target};
use castline_spec::{Code, Diagnostic, DynamicKind, Name, Source, Span};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::refs::{kind_name, media_name};
use super::{Check, Feed};
use crate::callee::Callee;
use crate::field::{Field, Misfit, type_words, types};

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
        Some(fix) if fixable => finding.fix(span, fix),
        _ => finding,
    }
}

/// True for a text that is a path by the rules of documents.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with("./") || text.starts_with("../")
}

impl Check<'_> {
    /// Defaults of inputs against their own schemas.
    pub(super) fn check_defaults(&mut self, fields: &IndexMap<String, Field>) {
        for (name, input) in &self.workflow.inputs {
            let (Some(default), Some(field)) = (&input.default, fields.get(name.as_str())) else { continue };
            if default.value.is_null() {
                continue;
            }
            for misfit in field.misfits_json(&default.value) {
                let name = format!("{name}.default");
                let source = &self.workflow.source;
                self.found.push(misfit_finding(&name, misfit, source, default.span, Some(field), true));
            }
        }
    }

    /// A step's `with`: known names, fitting values, nothing missing.
    pub(super) fn check_with(
        &mut self,
        name: &Name,
        callee: &Callee,
        feeds: Option<&[Feed]>,
        callees: &[Option<Arc<Callee>>],
    ) {
        if callee.model.is_raw() {
            return;
        }
        let step = &self.workflow.steps[name];
        let mut findings = Vec::new();
        for (input, binding) in &step.with {
            match callee.fields.get(input) {
                None => findings.push(self.unknown_input(input, binding.name_span, callee)),
                Some(field) => findings.extend(self.check_value(input, &binding.value, field, callees)),
            }
        }
        // A broken `from` has its own finding; what it would have filled is not missing.
        if let Some(feeds) = feeds {
            for (input, field) in callee.fields.iter().filter(|(_, f)| f.required) {
                let null = step.with.get(input).is_some_and(|b| b.value.as_literal() == Some(Json::Null));
                if (null || !step.with.contains_key(input)) && !feeds.iter().any(|f| f.field == *input) {
                    findings.push(self.missing_input(input, step.uses.span, field, callee));
                }
            }
        }
        self.found.list.extend(findings);
    }

    fn unknown_input(&self, input: &str, span: Span, callee: &Callee) -> Diagnostic {
        let known = callee.fields.keys().map(String::as_str);
        let finding = self
            .error(Code::UnknownInput, span, format!("`{}` has no input `{input}`", callee.uses))
            .caret("no such input")
            .maybe_hint(did_you_mean("an input", input, known.clone()));
        match castline_spec::diagnostic::nearest(input, known) {
            Some(near) => finding.fix(span, near),
            None => finding,
        }
    }

    fn missing_input(&self, input: &str, span: Span, field: &Field, callee: &Callee) -> Diagnostic {
        let port = callee.ports.iter().find(|(_, p)| p.field.value == input).map(|(name, _)| name);
        let hint = match (field.media, port) {
            (Some(media), Some(_)) => {
                format!(
                    "pipe {} into it with `from: STEP`, or give a file under `with`",
                    media_name(media.kind)
                )
            }
            _ => format!("add `{input}` under `with`"),
        };
        self.error(Code::MissingInput, span, format!("`{}` needs `{input}`", callee.uses))
            .label(&field.source, field.span, "declared here")
            .hint(hint)
    }

    fn check_value(
        &self,
        input: &str,
        value: &Dynamic,
        field: &Field,
        callees: &[Option<Arc<Callee>>],
    ) -> Vec<Diagnostic> {
        let source = &self.workflow.source;
        if let Some(json) = value.as_literal() {
            return match (&json, field.media) {
                (Json::Null, _) => Vec::new(),
                (Json::String(text), Some(media)) if !media.many => {
                    self.not_a_path(input, text, value.span).into_iter().collect()
                }
                _ => field
                    .misfits_json(&json)
                    .into_iter()
                    .map(|m| misfit_finding(input, m, source, value.span, Some(field), true))
                    .collect(),
            };
        }
        match &value.kind {
            DynamicKind::Template(template) if template.shape == Shape::Lone => template
                .references
                .iter()
                .filter(|r| r.whole && !template.code.contains('|'))
                .filter_map(|r| self.check_reference_type(input, r, field, callees))
                .collect(),
            DynamicKind::Template(_) => self.text_into(input, value.span, field).into_iter().collect(),
            DynamicKind::List(items) if field.media.is_some_and(|m| !m.many) && !items.is_empty() => {
                let message = format!("`{input}` takes one file, not a list");
                vec![self.error(Code::TypeMismatch, value.span, message).label(
                    &field.source,
                    field.span,
                    "declared here",
                )]
            }
            _ => Vec::new(),
        }
    }

    fn not_a_path(&self, input: &str, text: &str, span: Span) -> Option<Diagnostic> {
        (!is_path(text)).then(|| {
            self.error(Code::InvalidInput, span, format!("`{input}` takes a file, and `{text}` is no path"))
                .hint("a path begins with `./` or `../` and is relative to this document")
        })
    }

    /// Text with words around an expression can only go where text is taken.
    fn text_into(&self, input: &str, span: Span, field: &Field) -> Option<Diagnostic> {
        let types = field.types();
        if types.is_empty() || types.contains(&"string") && field.media.is_none() {
            return None;
        }
        let wanted = field.media.map_or_else(|| type_words(&types), |m| media_name(m.kind).to_owned());
        Some(
            self.error(
                Code::TypeMismatch,
                span,
                format!("`{input}` takes {wanted}, and this template is always text"),
            )
            .label(&field.source, field.span, "declared here")
            .hint("a template that is one `{{ expression }}` and nothing else keeps its type"),
        )
    }

    /// A bare reference whose type is known and can never fit.
    fn check_reference_type(
        &self,
        input: &str,
        reference: &Reference,
        field: &Field,
        callees: &[Option<Arc<Callee>>],
    ) -> Option<Diagnostic> {
        let mismatch = |what: &str, hint: Option<String>| {
            let takes = match field.media {
                Some(m) if m.many => format!("a list of {}s", m.kind.as_str()),
                Some(m) => media_name(m.kind).to_owned(),
                None => type_words(&field.types()),
            };
            Some(
                self.error(
                    Code::TypeMismatch,
                    reference.span,
                    format!("`{input}` takes {takes}, and this is {what}"),
                )
                .label(&field.source, field.span, "declared here")
                .maybe_hint(hint),
            )
        };
        match &reference.target {
            Target::Input(name, rest) if rest.is_empty() => {
                let given = &self.workflow.inputs.get(name.value.as_str())?.schema.json;
                let given_field = Field::new(given, &self.workflow.source, reference.span, false).ok()?;
                if given_field.media != field.media && (given_field.media.is_some() || field.media.is_some())
                {
                    let kind = |f: &Field| f.media.map(|m| (m.kind, m.many));
                    return match (kind(&given_field), kind(field)) {
                        (Some((given, false)), Some((takes, false))) if takes.accepts(given) => None,
                        (Some((given, true)), Some((takes, true))) if takes.accepts(given) => None,
                        (None, Some(_)) if types(given).is_empty() => None,
                        (Some((given, many)), _) => mismatch(
                            &if many {
                                format!("a list of {}s", given.as_str())
                            } else {
                                media_name(given).to_owned()
                            },
                            None,
                        ),
                        (None, _) => mismatch(&type_words(&types(given)), None),
                    };
                }
                disjoint(given, field).then(|| mismatch(&type_words(&types(given)), None)).flatten()
            }
            Target::Step { step, all, attribute: Some(attribute), rest, picked, .. } if rest.is_empty() => {
                let callee = self.names.get(step.value.as_str()).and_then(|i| callees[*i].as_ref())?;
                let many =
                    all.is_some() && !picked || attribute.value.ends_with('s') && attribute.value != "status";
                let given = match attribute.value.as_str() {
                    "image" | "images" | "video" | "videos" | "audio" | "audios" | "file" | "files" => {
                        let given = callee.gives()?;
                        // Another port than the step offers has its own finding.
                        let named = MediaKind::of_name(attribute.value.trim_end_matches('s'));
                        named
                            .filter(|named| *named == MediaKind::File || *named == given)
                            .map(|_| given)?
                            .into()
                    }
                    "text" => None,
                    _ => return None,
                };
                match (given, field.media) {
                    (Some(given), Some(takes)) if !takes.kind.accepts(given) => {
                        mismatch(kind_name(callee.model.output.kind), None)
                    }
                    (Some(_), Some(takes)) if many && !takes.many => mismatch(
                        "a list",
                        Some(if all.is_some() {
                            format!("without `.all` there is one leg for each leg of `{}`", step.value)
                        } else {
                            format!("`.{}` is the first one", attribute.value.trim_end_matches('s'))
                        }),
                    ),
                    (Some(_), Some(takes)) if !many && takes.many => mismatch(
                        "one file",
                        Some(format!("`steps.{}.{}s` is a list", step.value, attribute.value)),
                    ),
                    (Some(given), None) if !field.types().is_empty() => mismatch(media_name(given), None),
                    (None, Some(_)) => mismatch("text", None),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// True when no value of the given schema can fit the field, by type alone.
fn disjoint(given: &Json, field: &Field) -> bool {
    let (given, takes) = (types(given), field.types());
    if given.is_empty() || takes.is_empty() {
        return false;
    }
    // Typed numbers and booleans become text where only text is taken.
    let fits = |g: &&str| {
        takes.contains(g)
            || (*g == "integer" && takes.contains(&"number"))
            || (*g == "number" && takes.contains(&"integer"))
            || (matches!(*g, "integer" | "number" | "boolean") && field.takes_text_only())
            || *g == "null"
    };
    !given.iter().any(fits)
}
