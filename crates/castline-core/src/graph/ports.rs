//! `from`: which field of the callee the piped media or text goes into.

use std::collections::BTreeSet;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::OutputKind;
use castline_spec::schema::MediaKind;
use castline_spec::workflow::{From, Piped};
use castline_spec::{Code, Diagnostic, Name, Span, Spanned};

use super::call_ports::{main_shape, output_for, outputs_in_words, word as port_word};
use super::known::Known;
use super::refs::kind_name;
use super::{Check, Closed, Proofs};
use crate::callee::Callee;
use crate::field::{Field, types};
use crate::types::Type;
use crate::types::fit::Fit;

/// Media or text on its way from steps into a field.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The field of the callee.
    pub field: String,
    /// Where `from` names it.
    pub span: Span,
    /// True when the field takes a list.
    pub many: bool,
    /// What travels; none is text.
    pub kind: Option<MediaKind>,
    /// From where.
    pub sources: Vec<Pipe>,
}

/// Where piped media or text comes from.
#[derive(Debug, Clone)]
pub struct Pipe {
    /// The step.
    pub step: usize,
    /// Which of its axes are closed.
    pub closed: Closed,
    /// Which output, of a called workflow.
    pub output: Option<Name>,
}

impl Check<'_> {
    /// The feeds of a step; none when one of them cannot be.
    pub(super) fn feeds(
        &mut self,
        name: &Name,
        callee: &Callee,
        known: &Known<'_>,
        proofs: &mut Proofs,
    ) -> Option<Vec<Feed>> {
        let step = &self.workflow.steps[name];
        let mut feeds = Vec::new();
        let mut complete = true;
        match &step.from {
            None => {}
            Some(From::Steps(sources)) => {
                let span = whole(sources);
                match self.port_for(sources, span, callee, known) {
                    Ok(Some(port)) => {
                        let feed = self.feed(&port, span, sources, callee, known, proofs);
                        complete = feed.is_some();
                        feeds.extend(feed);
                    }
                    Ok(None) => complete = false,
                    Err(finding) => {
                        self.found.push(*finding);
                        complete = false;
                    }
                }
            }
            Some(From::Ports(ports)) => {
                for (port, (span, sources)) in ports {
                    if callee.ports.contains_key(port) {
                        feeds.extend(self.feed(port, *span, sources, callee, known, proofs));
                    } else {
                        let finding = self.unknown_port(port, *span, callee);
                        self.found.push(finding);
                    }
                }
                complete = feeds.len() == ports.len();
            }
        }
        for feed in &feeds {
            if let Some(binding) = step.with.get(&feed.field) {
                let message = format!("`{}` is filled by `from` and by `with`", feed.field);
                let finding = self
                    .error(Code::DoubleFilled, binding.name_span, message)
                    .label(&self.workflow.source, feed.span, "piped here")
                    .hint("keep one of the two");
                self.found.push(finding);
            }
        }
        complete.then_some(feeds)
    }

    fn unknown_port(&self, port: &str, span: Span, callee: &Callee) -> Diagnostic {
        self.error(Code::UnknownPort, span, format!("`{}` has no port `{port}`", callee.uses))
            .maybe_hint(did_you_mean("the port", port, callee.ports.keys().map(String::as_str)))
    }

    /// What a source gives: none is text, `Err` is not known.
    fn kind_of(piped: &Piped, known: &Known<'_>) -> Result<Option<MediaKind>, ()> {
        let callee = known.callee(piped.step.value.as_str()).ok_or(())?;
        if let Some(called) = &callee.called {
            return main_shape(&called.outputs).map(|(kind, _)| kind).ok_or(());
        }
        match callee.model.output.kind {
            OutputKind::Json => Err(()),
            kind => Ok(kind.media()),
        }
    }

    /// The one port for some sources. `Ok(None)` when the sources themselves are not known.
    fn port_for(
        &self,
        sources: &[Spanned<Piped>],
        span: Span,
        callee: &Callee,
        known: &Known<'_>,
    ) -> Result<Option<String>, Box<Diagnostic>> {
        let Some(first) = sources.first() else { return Ok(None) };
        if known.callee(first.step.value.as_str()).is_none() {
            return Ok(None);
        }
        let Ok(kind) = Self::kind_of(first, known) else {
            let message = format!("what step `{}` gives is not known to be media or text", first.step.value);
            return Err(Box::new(
                self.error(Code::AmbiguousPort, first.span, message)
                    .hint("name the port: `from: {image: STEP}`, or use `with`"),
            ));
        };
        let many = sources.len() > 1 || first.all.is_some();
        let fits = |port: &&String| port_kind(callee, port).is_some_and(|(k, _)| may_take(k, kind));
        let mut fields = BTreeSet::new();
        let own = |port: &&String| fields.insert(&callee.ports[*port].field.value);
        let all: Vec<&String> = callee.ports.keys().filter(fits).collect();
        let candidates: Vec<&String> = all.iter().copied().filter(own).collect();
        let word = kind.map_or("text", MediaKind::as_str);
        let preferred =
            if many { [format!("{word}s"), word.to_owned()] } else { [word.to_owned(), format!("{word}s")] };
        if let Some(named) = preferred.iter().find(|p| all.contains(p)) {
            return Ok(Some(named.clone()));
        }
        match candidates[..] {
            [one] => Ok(Some(one.clone())),
            [] => Err(Box::new(self.no_port(first, kind, span, callee, known))),
            _ => {
                let names = candidates.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
                Err(Box::new(
                    self.error(
                        Code::AmbiguousPort,
                        span,
                        format!("{} could go to more than one port of `{}`: {names}", a(kind), callee.uses),
                    )
                    .hint(format!("name the port: `from: {{{}: {}}}`", candidates[0], first.step.value)),
                ))
            }
        }
    }

    fn no_port(
        &self,
        first: &Spanned<Piped>,
        kind: Option<MediaKind>,
        span: Span,
        callee: &Callee,
        known: &Known<'_>,
    ) -> Diagnostic {
        let message = format!(
            "step `{}` gives {}, and `{}` has no port for that",
            first.step.value,
            a(kind),
            callee.uses
        );
        // A field may have more than one port: its own name, and its kind.
        let mut fields = BTreeSet::new();
        let own = callee.ports.iter().filter(|(_, port)| fields.insert(&port.field.value));
        let ports: Vec<_> = own
            .map(|(p, _)| format!("`{p}` ({})", port_kind(callee, p).map_or("anything", |(k, _)| a(k))))
            .collect();
        let hint = if ports.is_empty() {
            format!(
                "`{}` takes nothing piped; use `with` and a template such as `{{{{ steps.{}.text }}}}`",
                callee.uses, first.step.value
            )
        } else {
            let mut kinds = callee.ports.keys().filter_map(|port| port_kind(callee, port)?.0);
            let steps = kinds.find_map(|kind| self.steps_that_give(kind, known));
            let steps = steps.map(|steps| format!("; {steps}")).unwrap_or_default();
            format!("it has {}{steps}", ports.join(", "))
        };
        let finding = self.error(Code::MediaMismatch, span, message).hint(hint);
        match callee.ports.iter().next() {
            Some((name, port)) => {
                let takes = port_kind(callee, name).map_or("anything", |(kind, _)| a(kind));
                finding.label(&callee.source, port.name_span, format!("`{name}` takes {takes}"))
            }
            None => finding,
        }
    }

    fn feed(
        &mut self,
        port: &str,
        span: Span,
        sources: &[Spanned<Piped>],
        callee: &Callee,
        known: &Known<'_>,
        proofs: &mut Proofs,
    ) -> Option<Feed> {
        let declared = &callee.ports[port];
        let field = declared.field.value.clone();
        let Some((takes, many)) = port_kind(callee, port) else {
            let finding = Diagnostic::error(
                Code::UnknownInput,
                &callee.source,
                declared.field.span,
                format!("port `{port}` goes to `{field}`, which is no input of `{}`", callee.uses),
            );
            self.found.push(finding);
            return None;
        };
        let mut ok = true;
        let mut pipes = Vec::new();
        for source in sources {
            let called = known.called(source.step.value.as_str());
            // Of all legs, or of several steps, each gives one.
            let list = many && sources.len() == 1 && source.all.is_none();
            let output = called.and_then(|called| output_for(&called.outputs, &port_word((takes, list))));
            if let Some(step) = self.names.get(source.step.value.as_str()) {
                let closed = Closed::of(source.all.as_ref());
                pipes.push(Pipe { step: *step, closed, output: output.cloned() });
            }
            if let (Some(called), None) = (called, output) {
                let message = format!(
                    "workflow `{}` has no output that is surely {} for port `{port}` of `{}`",
                    called.name,
                    a(takes),
                    callee.uses
                );
                let hint = format!(
                    "give `{field}` under `with`, as `\"{{{{ steps.{}.output.NAME }}}}\"`; its outputs are {}",
                    source.step.value,
                    outputs_in_words(&called.outputs)
                );
                self.found.push(self.error(Code::MediaMismatch, source.span, message).hint(hint));
                ok = false;
                continue;
            }
            if called.is_some() {
                continue;
            }
            if let Ok(kind) = Self::kind_of(source, known)
                && !may_take(takes, kind)
            {
                let message = format!(
                    "step `{}` gives {}, and port `{port}` of `{}` takes {}",
                    source.step.value,
                    gives(source, known),
                    callee.uses,
                    a(takes)
                );
                let finding = self
                    .error(Code::MediaMismatch, source.span, message)
                    .label(&callee.source, declared.name_span, "the port")
                    .maybe_hint(self.who_gives(callee, &field, known));
                self.found.push(finding);
                ok = false;
            }
        }
        if !many && (sources.len() > 1 || sources.iter().any(|s| s.all.is_some())) {
            let message =
                format!("several files are piped into `{port}` of `{}`, which takes one", callee.uses);
            let hint = match sources {
                [one] => format!("without `.all` there is one leg for each leg of `{}`", one.step.value),
                _ => "name one step".to_owned(),
            };
            let finding = self
                .error(Code::TypeMismatch, span, message)
                .label(&callee.source, declared.name_span, "takes one")
                .hint(hint);
            let finding = match sources {
                [one] => {
                    let all = Span { start: one.step.span.end, end: one.span.end };
                    if known.has_axes(one.step.value.as_str()) {
                        finding.suggest(all, "")
                    } else {
                        finding.fix(all, "")
                    }
                }
                _ => finding,
            };
            self.found.push(finding);
            ok = false;
        }
        if ok {
            let given = sources.iter().map(|source| match Self::kind_of(source, known) {
                _ if known.called(source.step.value.as_str()).is_some() => {
                    takes.map_or_else(Type::text, Type::media)
                }
                Ok(Some(kind)) => Type::media(kind),
                Ok(None) => Type::text(),
                Err(()) => Type::any(),
            });
            let given = Type::union(&given.collect::<Vec<_>>());
            let given = match (many, count(sources, known)) {
                (true, Some(count)) => given.times(count),
                (true, None) => Type::list(&given),
                (false, _) => given,
            };
            let fit = self.fitting.fit(&given, &callee.fields[&field]);
            proofs.count(&fit);
            if let (Fit::Never(_), true) = (fit, many) {
                let declared = &callee.fields[&field];
                let message =
                    format!("`{field}` takes {}, and these are {}", amount(declared), sources.len());
                let finding = self.error(Code::InvalidInput, span, message).label(
                    &declared.source,
                    declared.span,
                    "declared here",
                );
                self.found.push(finding);
                ok = false;
            }
        }
        let ok = ok && pipes.len() == sources.len();
        ok.then_some(Feed { field, span, many, kind: takes, sources: pipes })
    }

    /// The steps that give what a field takes.
    fn who_gives(&self, callee: &Callee, field: &str, known: &Known<'_>) -> Option<String> {
        self.steps_that_give(callee.fields.get(field)?.media?.kind, known)
    }
}

/// How many files come out of some sources, when each surely gives one.
fn count(sources: &[Spanned<Piped>], known: &Known<'_>) -> Option<usize> {
    let one = |source: &Spanned<Piped>| {
        let callee = known.callee(source.step.value.as_str())?;
        let one = match &callee.called {
            Some(called) => called.outputs.values().all(|output| output.gives.media_kind().is_some()),
            None => !callee.model.output.many && callee.gives().is_some(),
        };
        (source.all.is_none() && one).then_some(1)
    };
    sources.iter().map(one).sum()
}

/// Words for the number of items that a list may have.
fn amount(field: &Field) -> String {
    let get = |key| field.schema.get(key).and_then(serde_json::Value::as_u64);
    match (get("minItems"), get("maxItems")) {
        (Some(least), Some(most)) => format!("{least} to {most} items"),
        (Some(least), None) => format!("at least {least} items"),
        (None, Some(most)) => format!("at most {most} items"),
        (None, None) => "other items".to_owned(),
    }
}

/// Words for what a source gives.
fn gives(piped: &Piped, known: &Known<'_>) -> &'static str {
    known.callee(piped.step.value.as_str()).map_or("something", |callee| kind_name(callee.model.output.kind))
}

/// What a port takes (none is text), and whether it takes a list.
fn port_kind(callee: &Callee, port: &str) -> Option<(Option<MediaKind>, bool)> {
    let field = callee.fields.get(&callee.ports.get(port)?.field.value)?;
    match field.media {
        Some(media) => Some((Some(media.kind), media.many)),
        None => Some((None, types(&field.schema) == ["array"])),
    }
}

fn accepts(takes: Option<MediaKind>, given: Option<MediaKind>) -> bool {
    match (takes, given) {
        (Some(takes), Some(given)) => takes.accepts(given),
        (takes, given) => takes == given,
    }
}

/// True unless it is sure that a port does not take what is given: a file may be of any kind.
fn may_take(takes: Option<MediaKind>, given: Option<MediaKind>) -> bool {
    accepts(takes, given) || (takes.is_some() && given == Some(MediaKind::File))
}

fn a(kind: Option<MediaKind>) -> &'static str {
    kind.map_or("text", MediaKind::noun)
}

/// From the first source to the last.
fn whole(sources: &[Spanned<Piped>]) -> Span {
    let start = sources.first().map(|s| s.span.start).unwrap_or_default();
    Span { start, end: sources.last().map(|s| s.span.end).unwrap_or_default() }
}
