//! The types of a step's values against what its callee takes.
//!
//! Start reading at [`Check::check_types`].

use castline_spec::schema::MediaKind;
use castline_spec::template::Target as ReferenceTarget;
use castline_spec::template::tree::{Body, Expr, ExprKind, Part};
use castline_spec::{Code, Diagnostic, Dynamic, DynamicKind, Name, Span};
use serde_json::Value as Json;

use super::call_ports::output_for;
use super::known::{Known, expression_span};
use super::values::misfit_finding;
use super::{Check, Mention, Proofs};
use crate::callee::Callee;
use crate::field::Field;
use crate::media::MediaType;
use crate::types::fit::{Fit, may_be_path, target};
use crate::types::infer::{Infer, Names};
use crate::types::{Kinds, Type, describe};
use crate::value::Value;

/// No names at all.
struct Nothing;

impl Names for Nothing {}

/// The input that a value is, when it is one and nothing else.
pub(super) fn bare_input(value: &Dynamic) -> Option<&str> {
    match under(value)? {
        ("inputs", name) => Some(name),
        _ => None,
    }
}

/// `root.name` of a value that is this and nothing else.
fn under(value: &Dynamic) -> Option<(&str, &str)> {
    let ExprKind::Attribute(root, name) = &value.lone()?.kind else { return None };
    let ExprKind::Name(root) = &root.kind else { return None };
    Some((root, &name.value))
}

/// The last name of a path: `images` in `steps.draft.images`, with the path before it.
fn last_name(value: &Dynamic) -> Option<(&Expr, &castline_spec::Spanned<String>)> {
    let ExprKind::Attribute(before, name) = &value.lone()?.kind else { return None };
    Some((before, name))
}

/// `steps.NAME` or `steps.NAME.all` before an attribute: the step, and where `.all` stands.
fn of_step(before: &Expr) -> Option<(&str, Option<Span>)> {
    match &before.kind {
        ExprKind::Attribute(root, name) if matches!(&root.kind, ExprKind::Name(steps) if steps == "steps") => {
            Some((&name.value, None))
        }
        ExprKind::Attribute(step, all) if all.value == "all" => {
            let (name, _) = of_step(step)?;
            Some((name, Some(Span { start: step.span.end, end: before.span.end })))
        }
        ExprKind::Call(function, _) => {
            let ExprKind::Attribute(step, _) = &function.kind else { return None };
            let (name, _) = of_step(step)?;
            Some((name, Some(Span { start: step.span.end, end: before.span.end })))
        }
        _ => None,
    }
}

/// What an expression may be: each side of `or`, each branch of an `if`, and what `default` puts
/// in place of a value that may be missing.
fn branches<'e>(expression: &'e Expr, infer: &mut Infer<'_>) -> Vec<&'e Expr> {
    let sides = match &expression.kind {
        ExprKind::Or(left, right) => vec![&**left, &**right],
        ExprKind::If { then, otherwise, .. } => {
            std::iter::once(then).chain(otherwise).map(|e| &**e).collect()
        }
        ExprKind::Filter(Some(value), name, arguments) if matches!(name.value.as_str(), "default" | "d") => {
            // What a step gives is missing when the step is skipped.
            let needed = arguments.len() > 1 || of_steps(value) || infer.branch(value).may_be_missing;
            let other = arguments.first().filter(|_| needed).map(|argument| &argument.value);
            std::iter::once(&**value).chain(other).collect()
        }
        _ => return vec![expression],
    };
    sides.into_iter().flat_map(|side| branches(side, infer)).collect()
}

/// True for a path that begins with `steps`.
fn of_steps(mut expression: &Expr) -> bool {
    loop {
        expression = match &expression.kind {
            ExprKind::Attribute(inner, _)
            | ExprKind::Item(inner, _)
            | ExprKind::Slice(inner, _)
            | ExprKind::Call(inner, _) => inner,
            ExprKind::Name(name) => return name == "steps",
            _ => return false,
        }
    }
}

impl Check<'_> {
    /// Everything in a step that has a type; how many of its inputs are known to fit.
    pub(super) fn check_types(
        &mut self,
        number: usize,
        callee: Option<&Callee>,
        known: &Known<'_>,
    ) -> Proofs {
        let (_, step) = self.workflow.steps.get_index(number).expect("a step's number");
        let view = known.of_step(number);
        let mut infer = Infer::new(&view, &self.workflow.source);
        let mut proofs = Proofs::default();
        let mut findings = Vec::new();
        for (input, binding) in &step.with {
            let field = callee.and_then(|callee| callee.fields.get(input));
            if let (None, Some(callee)) = (field, callee.filter(|callee| !callee.model.is_raw())) {
                findings.push(self.unknown_input(input, binding.name_span, callee));
            }
            match (binding.value.as_literal(), field) {
                (Some(json), Some(field)) => {
                    let found = self.check_literal(input, &json, binding.value.span, field);
                    match field.media.is_some() || !found.is_empty() {
                        true => proofs.open += 1,
                        false => proofs.proved += 1,
                    }
                    findings.extend(found);
                }
                (Some(_), None) => {}
                (None, field) => {
                    let before = infer.found.len();
                    let given = infer.value(&binding.value);
                    let Some(field) = field else { continue };
                    let fit = match self.fitting.fit(&given, field) {
                        // A text that somebody gives may be the path of a file; what a model says is none.
                        Fit::Never(_)
                            if field.media.is_some()
                                && self.is_given(&binding.value)
                                && may_be_path(&given) =>
                        {
                            Fit::Open
                        }
                        fit => fit,
                    };
                    proofs.count(&fit);
                    if infer.found.len() == before
                        && fit != Fit::Proved
                        && let Some(wrong) =
                            self.wrong_inside(input, &binding.value, field, &mut infer, known)
                    {
                        findings.push(wrong);
                        continue;
                    }
                    // What is wrong inside the expression is said already.
                    if infer.found.len() == before {
                        let wrong = match fit {
                            Fit::Open => self.wrong_branch(input, &binding.value, field, &mut infer),
                            fit => self.misfit(number, input, &binding.value, &given, field, fit, known),
                        };
                        findings.extend(wrong);
                    }
                }
            }
        }
        for (key, condition) in [("where", &step.r#where), ("if", &step.condition)] {
            let Some(condition) = condition else { continue };
            infer.condition(condition);
            findings.extend(self.constant_condition(key, condition));
        }
        for value in [&step.draw, &step.save].into_iter().flatten() {
            infer.value(value);
        }
        if let (Some(save), Some(gives)) = (&step.save, callee.and_then(Callee::gives)) {
            findings.extend(self.wrong_extension(save, gives));
        }
        findings.extend(infer.found);
        self.found.list.extend(findings);
        proofs
    }

    /// True for a value that comes of no step.
    fn is_given(&self, value: &Dynamic) -> bool {
        !self
            .references(value)
            .iter()
            .any(|reference| matches!(reference.target, ReferenceTarget::Step { .. }))
    }

    /// A path whose end names another kind of file than the step gives.
    fn wrong_extension(&self, save: &Dynamic, gives: MediaKind) -> Option<Diagnostic> {
        let literal = match &save.kind {
            DynamicKind::Literal(Json::String(text)) => text.as_str(),
            DynamicKind::Template(template) => match &*template.body {
                Body::Text(parts) => match parts.last() {
                    Some(Part::Text(text)) => text.as_str(),
                    _ => return None,
                },
                Body::Lone(_) => return None,
            },
            _ => return None,
        };
        let (_, extension) = literal.trim_end().rsplit_once('.')?;
        let said = MediaType::of_extension(extension)?.kind();
        (!gives.accepts(said)).then(|| {
            let message = format!("`.{extension}` is no ending for {}", gives.noun());
            Diagnostic::error(Code::InvalidPath, &self.workflow.source, save.span, message)
                .hint("leave the extension out: the file gets its own")
        })
    }

    /// An alternative of an expression, after `or` or in an `if`, that can never fit.
    fn wrong_branch(
        &mut self,
        input: &str,
        value: &Dynamic,
        field: &Field,
        infer: &mut Infer<'_>,
    ) -> Option<Diagnostic> {
        let branches = branches(value.lone()?, infer);
        if branches.len() < 2 {
            return None;
        }
        let wrong = branches.into_iter().find_map(|branch| {
            let given = infer.branch(branch).when_there();
            matches!(self.fitting.fit(&given, field), Fit::Never(_)).then_some((branch, given))
        });
        let (branch, given) = wrong?;
        let (takes, found) = (target(field), given.without_null());
        let message =
            format!("`{input}` takes {}, and this may be {}", describe(&takes), describe(&found.schema));
        let code = match Kinds::of(&takes).any(found.kinds()) {
            true if Kinds::of(&takes).any(Kinds::MEDIA) => Code::MediaMismatch,
            true => Code::InvalidInput,
            false => Code::TypeMismatch,
        };
        let finding = Diagnostic::error(code, &self.workflow.source, branch.span, message);
        Some(finding.label(&field.source, field.span, "declared here"))
    }

    /// The first value inside of a list or a map that is written out, when it can never be there.
    fn wrong_inside(
        &mut self,
        input: &str,
        value: &Dynamic,
        field: &Field,
        infer: &mut Infer<'_>,
        known: &Known<'_>,
    ) -> Option<Diagnostic> {
        // The whole schema was compiled before.
        let part = |schema: &Json| match schema.is_object() {
            true => Field::of_whole(schema, &field.source, field.span, false).ok(),
            false => None,
        };
        match &value.kind {
            DynamicKind::List(items) => {
                if field.media.is_some() {
                    self.paths_in(input, items);
                }
                let of_item = part(&field.schema["items"])?;
                // All of them are looked at, for their paths.
                let items = items.iter().enumerate();
                let wrong = items
                    .map(|(i, item)| self.wrong_at(&format!("{input}[{i}]"), item, &of_item, infer, known));
                wrong.collect::<Vec<_>>().into_iter().flatten().next()
            }
            DynamicKind::Map(entries) => {
                let mut wrong = None;
                for (key, (_, entry)) in entries {
                    let Some(of_entry) = part(&field.schema["properties"][key]) else { continue };
                    let name = format!("{input}.{key}");
                    if of_entry.media.is_some() {
                        self.paths_in(&name, std::slice::from_ref(entry));
                    }
                    let here = self.wrong_at(&name, entry, &of_entry, infer, known);
                    wrong = wrong.or(here);
                }
                wrong
            }
            _ => None,
        }
    }

    /// What is wrong inside of a value, or with it as it stands there.
    fn wrong_at(
        &mut self,
        name: &str,
        value: &Dynamic,
        field: &Field,
        infer: &mut Infer<'_>,
        known: &Known<'_>,
    ) -> Option<Diagnostic> {
        if let Some(inside) = self.wrong_inside(name, value, field, infer, known) {
            return Some(inside);
        }
        if value.is_literal() {
            return None;
        }
        let given = infer.value(value);
        let never = matches!(self.fitting.fit(&given, field), Fit::Never(_));
        never.then(|| self.never(name, value, &given, field, known))
    }

    /// Files that are written out in a list beside what is still to come.
    fn paths_in(&mut self, input: &str, items: &[Dynamic]) {
        for item in items {
            let DynamicKind::Literal(Json::String(text)) = &item.kind else { continue };
            if let Some(finding) = self.not_a_path(input, text, item.span) {
                self.found.push(finding);
                continue;
            }
            let source = self.workflow.source.clone();
            self.files.push(Mention { source, span: item.span, path: text.clone() });
        }
    }

    /// The templates of an output, which stand on no step; returns its type.
    pub(super) fn check_output_types(&mut self, value: &Dynamic, known: &Known<'_>) -> Type {
        let view = known.of_outputs();
        let mut infer = Infer::new(&view, &self.workflow.source);
        let given = infer.value(value);
        let mut found = infer.found;
        let steps = given.kinds().only(Kinds::STEP)
            || given.kinds().only(Kinds::LIST) && given.items().kinds().only(Kinds::STEP);
        if steps && found.is_empty() {
            let message = "this is a step, which is no value of its own";
            let finding =
                Diagnostic::error(Code::TypeMismatch, &self.workflow.source, expression_span(value), message);
            found.push(finding.hint("name what you want of it, such as `.image` or `.text`"));
        }
        self.found.list.extend(found);
        given
    }

    /// An `if` or `where` that is the same whatever comes.
    fn constant_condition(&self, key: &str, condition: &Dynamic) -> Option<Diagnostic> {
        let holds = crate::templates::truth(&self.constant(condition)?);
        let what =
            if holds { "always holds: it can be left out" } else { "never holds: the step never runs" };
        let span = expression_span(condition);
        Some(Diagnostic::warning(
            Code::ConstantCondition,
            &self.workflow.source,
            span,
            format!("this `{key}` {what}"),
        ))
    }

    /// The value of an expression that mentions nothing.
    pub(super) fn constant(&self, value: &Dynamic) -> Option<Value> {
        if value.references().next().is_some() {
            return None;
        }
        Infer::new(&Nothing, &self.workflow.source).condition(value).value().map(Value::from_json)
    }

    #[expect(clippy::too_many_arguments, reason = "one value with everything that is known of it")]
    fn misfit(
        &self,
        number: usize,
        input: &str,
        value: &Dynamic,
        given: &Type,
        field: &Field,
        fit: Fit,
        known: &Known<'_>,
    ) -> Option<Diagnostic> {
        let source = &self.workflow.source;
        let span = expression_span(value);
        match fit {
            Fit::Proved | Fit::Open => None,
            Fit::Never(Some(misfit)) if !Kinds::of(&target(field)).and(given.kinds()).eq(&Kinds::NONE) => {
                Some(misfit_finding(input, misfit, source, span, Some(field), value.lone().is_some()))
            }
            Fit::Never(_) => Some(self.never(input, value, given, field, known)),
            Fit::Partly(bad) => self.partly(number, input, value, field, bad, known),
        }
    }

    /// A value that can never fit.
    fn never(
        &self,
        input: &str,
        value: &Dynamic,
        given: &Type,
        field: &Field,
        known: &Known<'_>,
    ) -> Diagnostic {
        let takes = target(field);
        let (wanted, found) = (Kinds::of(&takes), given.without_null().kinds());
        let is_text = matches!(&value.kind, DynamicKind::Template(t) if matches!(&*t.body, Body::Text(_)));
        let what = if is_text && !wanted.any(Kinds::TEXT) {
            "this template is always text".to_owned()
        } else {
            format!("this is {}", describe(&given.without_null().schema))
        };
        let message = format!("`{input}` takes {}, and {what}", describe(&takes));
        let code = match (wanted.any(Kinds::MEDIA), found.any(Kinds::MEDIA)) {
            (true, true) if wanted.any(found) => Code::MediaMismatch,
            _ if wanted.any(found) && !wanted.and(found).only(Kinds::LIST) => Code::InvalidInput,
            _ => Code::TypeMismatch,
        };
        let source = &self.workflow.source;
        let mut finding = Diagnostic::error(code, source, expression_span(value), message);
        if field.source != *source || field.span != value.span {
            finding = finding.label(&field.source, field.span, "declared here");
        }
        if let Some((name, span)) = known.declared(value) {
            finding = finding.label(source, span, format!("`{name}` is declared here"));
        }
        self.cure(finding, value, given, field, known, is_text)
    }

    /// What to try when the type is another: one instead of many, many instead of one, a conversion.
    fn cure(
        &self,
        finding: Diagnostic,
        value: &Dynamic,
        given: &Type,
        field: &Field,
        known: &Known<'_>,
        is_text: bool,
    ) -> Diagnostic {
        let (wanted, found) = (Kinds::of(&target(field)), given.without_null().kinds());
        let span = expression_span(value);
        let step = last_name(value).and_then(|(before, name)| Some((of_step(before)?, name)));
        let wants_list = wanted.only(Kinds::LIST);
        match (found.only(Kinds::LIST), wants_list, step) {
            (true, false, Some(((step, Some(all)), name))) => {
                let name = name.value.trim_end_matches('s');
                finding
                    .hint(format!(
                        "without `.all` there is one leg for each leg of `{step}`: `steps.{step}.{name}`"
                    ))
                    .suggest(all, "")
            }
            (true, false, Some(((step, None), name)))
                if name.value.ends_with('s') && name.value != "status" =>
            {
                let one = name.value.trim_end_matches('s');
                finding.hint(format!("`steps.{step}.{one}` is the first one")).fix(name.span, one)
            }
            (true, false, _) if wanted.only(Kinds::TEXT) => finding.hint("add `| join(', ')` or `| json`"),
            (true, false, _) => finding.hint("name one item: `[0]`, or `| first`"),
            (false, true, Some(((step, None), name))) if known.has_axes(step) => finding
                .hint(format!("`steps.{step}.all.{}` is the list of all", name.value))
                .suggest(Span::at(name.span.start), "all."),
            (false, true, Some(((step, None), name))) if given.kinds().only(Kinds::MEDIA) => {
                let many = format!("{}s", name.value);
                finding.hint(format!("`steps.{step}.{many}` is a list")).fix(name.span, many)
            }
            (false, true, _) if !is_text => {
                let expression = self.workflow.source.slice(span).to_owned();
                finding
                    .hint(format!("`[{expression}]` is a list of one"))
                    .fix(span, format!("[{expression}]"))
            }
            _ if is_text && !wanted.any(Kinds::TEXT) => {
                finding.hint("a template that is one `{{ expression }}` and nothing else keeps its type")
            }
            _ if wanted.any(Kinds::MEDIA) => {
                let steps = field.media.and_then(|media| self.steps_that_give(media.kind, known));
                finding.maybe_hint(steps)
            }
            _ if wanted.only(Kinds::NUMBER) && found.only(Kinds::TEXT) => {
                let filter = if field.types() == ["integer"] { "int" } else { "float" };
                finding
                    .hint(format!("`| {filter}` makes a number of a text"))
                    .suggest(Span::at(span.end), format!(" | {filter}"))
            }
            _ => finding,
        }
    }

    /// The steps that give media of a kind, as a hint.
    pub(super) fn steps_that_give(&self, kind: MediaKind, known: &Known<'_>) -> Option<String> {
        let gives = |step: &&Name| {
            let called = known.called(step.as_str());
            called.is_some_and(|called| output_for(&called.outputs, kind.as_str()).is_some())
                || known.callee(step.as_str()).and_then(Callee::gives).is_some_and(|g| kind.accepts(g))
        };
        let names: Vec<_> =
            self.workflow.steps.keys().filter(gives).take(4).map(|step| format!("`{step}`")).collect();
        let verb = if names.len() == 1 { "gives" } else { "give" };
        (!names.is_empty()).then(|| format!("{} {verb} {}", names.join(", "), kind.noun()))
    }

    /// Some values of a list that the author wrote down are never taken. That is an error where
    /// nothing stands between the list and the input, and open otherwise.
    fn partly(
        &self,
        number: usize,
        input: &str,
        value: &Dynamic,
        field: &Field,
        bad: Vec<(Json, crate::field::Misfit)>,
        known: &Known<'_>,
    ) -> Option<Diagnostic> {
        if self.is_conditional(number) {
            return None;
        }
        let (root, name) = under(value)?;
        let (worst, misfit) = bad.into_iter().next()?;
        let (place, what) = match root {
            "inputs" => {
                let declared = self.workflow.inputs.get(name)?;
                let place = declared.listed.iter().find(|listed| listed.value == worst)?.span;
                (place, format!("input `{name}` allows"))
            }
            "each" => (self.axis_item(number, name, &worst, known)?, format!("axis `{name}` has")),
            _ => return None,
        };
        let message = format!("`{input}` does not take {worst}, which {what}");
        let source = &self.workflow.source;
        let finding = Diagnostic::error(Code::InvalidInput, source, expression_span(value), message)
            .label(source, place, "this value")
            .label(&field.source, field.span, "declared here")
            .maybe_hint(misfit.hint.or(Some(format!("`{input}` {}", misfit.message))));
        Some(match misfit.fix {
            Some(fix) => finding.suggest(place, fix),
            None => finding,
        })
    }

    /// Where a value stands in the list of the one step that opens an axis.
    fn axis_item(&self, number: usize, axis: &str, value: &Json, known: &Known<'_>) -> Option<Span> {
        let opener = known.only_opener(number, axis)?;
        let (_, step) = self.workflow.steps.get_index(opener)?;
        let DynamicKind::List(items) = &step.each.get(axis)?.value.kind else { return None };
        items.iter().find(|item| item.as_literal().as_ref() == Some(value)).map(|item| item.span)
    }

    /// True when something may keep a step, or one that it waits for, from running.
    fn is_conditional(&self, number: usize) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        let mut open = vec![number];
        while let Some(number) = open.pop() {
            if self.workflow.steps[number].condition.is_some() {
                return true;
            }
            if seen.insert(number) {
                open.extend(self.deps[number].iter().map(|dep| dep.step));
            }
        }
        false
    }
}
