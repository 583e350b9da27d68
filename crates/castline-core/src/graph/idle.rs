//! What a workflow says and nothing comes of: warnings, once there are no errors.
//!
//! Start reading at [`Check::check_idle`].

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_spec::template::Target;
use castline_spec::{Code, Diagnostic, Name, Span};

use super::refs::sources;
use super::{Axes, Check, Closed};
use crate::callee::Callee;

impl Check<'_> {
    /// Inputs, vars, axes and steps that nothing uses, and steps that never run.
    pub(super) fn check_idle(&mut self, axes: &[Axes], callees: &[Option<Arc<Callee>>]) {
        if self.found.has_errors() {
            return;
        }
        let mut findings = Vec::new();
        self.unused_names(&mut findings);
        self.unused_steps(&mut findings);
        self.never_read(&mut findings);
        self.idle_axes(callees, &mut findings);
        self.needless_all(axes, &mut findings);
        self.found.list.extend(findings);
    }

    fn unused(&self, what: &str, name: &Name, span: Span) -> Diagnostic {
        let message = format!("nothing uses the {what} `{name}`");
        Diagnostic::warning(Code::Unused, &self.workflow.source, span, message)
    }

    fn unused_names(&self, findings: &mut Vec<Diagnostic>) {
        let workflow = self.workflow;
        let of_steps = workflow.steps.keys().flat_map(|name| self.dynamics(name));
        let all = of_steps.chain(workflow.outputs.values().map(|b| &b.value));
        let (mut inputs, mut vars) = (BTreeSet::new(), BTreeSet::new());
        for reference in all.flat_map(|d| self.references(d)) {
            match &reference.target {
                Target::Input(name, _) => drop(inputs.insert(name.value.as_str())),
                Target::Var(name) => drop(vars.insert(name.value.as_str())),
                _ => {}
            }
        }
        let idle = workflow.inputs.iter().filter(|(name, _)| !inputs.contains(name.as_str()));
        findings.extend(idle.map(|(name, input)| self.unused("input", name, input.name_span)));
        let idle = workflow.vars.iter().filter(|(name, _)| !vars.contains(name.as_str()));
        findings.extend(idle.map(|(name, binding)| self.unused("var", name, binding.name_span)));
    }

    /// Steps that are paid for and of which nothing is kept: no step, no output and no `save`.
    fn unused_steps(&self, findings: &mut Vec<Diagnostic>) {
        let workflow = self.workflow;
        if workflow.outputs.is_empty() {
            return;
        }
        let mut used: BTreeSet<_> = self.deps.iter().flatten().map(|dep| dep.step).collect();
        for reference in workflow.outputs.values().flat_map(|b| self.references(&b.value)) {
            if let Target::Step { step, .. } = &reference.target {
                used.extend(self.names.get(step.value.as_str()));
            }
        }
        let idle = workflow.steps.iter().enumerate();
        let idle = idle.filter(|(number, (_, step))| !used.contains(number) && step.save.is_none());
        findings.extend(idle.map(|(_, (name, step))| {
            self.unused("step", name, step.name_span)
                .hint("name it under `outputs`, give it a `save`, or remove it")
        }));
    }

    /// Steps that read one whose `if` never holds: they are always skipped.
    fn never_read(&self, findings: &mut Vec<Diagnostic>) {
        let workflow = self.workflow;
        let never: BTreeSet<_> = workflow
            .steps
            .iter()
            .enumerate()
            .filter(|(_, (_, step))| {
                step.condition.as_ref().is_some_and(|condition| self.never_holds(condition))
            })
            .map(|(number, _)| number)
            .collect();
        if never.is_empty() {
            return;
        }
        for (name, step) in &workflow.steps {
            let mut reads: Vec<(&str, Span)> = Vec::new();
            for piped in step.from.iter().flat_map(sources).filter(|piped| piped.all.is_none()) {
                reads.push((piped.step.value.as_str(), piped.span));
            }
            for reference in step.with.values().flat_map(|b| b.value.references()).filter(|r| !r.guarded) {
                if let Target::Step { step, all: None, .. } = &reference.target {
                    reads.push((&step.value, reference.span));
                }
            }
            let read =
                reads.into_iter().find(|(read, _)| self.names.get(*read).is_some_and(|n| never.contains(n)));
            findings.extend(read.map(|(read, span)| {
                let message = format!("step `{read}` never runs, so step `{name}` is always skipped");
                Diagnostic::warning(Code::NeverRuns, &workflow.source, span, message).label(
                    &workflow.source,
                    workflow.steps[read].name_span,
                    "its `if` never holds",
                )
            }));
        }
    }

    fn never_holds(&self, condition: &castline_spec::Dynamic) -> bool {
        condition.references().next().is_none()
            && self.constant(condition).is_some_and(|value| !crate::templates::truth(&value))
    }

    /// Axes that make legs which are all the same: nothing mentions them, and the step draws
    /// nothing new.
    fn idle_axes(&self, callees: &[Option<Arc<Callee>>], findings: &mut Vec<Diagnostic>) {
        for ((name, step), callee) in self.workflow.steps.iter().zip(callees) {
            let Some(callee) = callee.as_ref().filter(|callee| callee.called.is_none()) else { continue };
            let fixed = step
                .with
                .get("seed")
                .is_some_and(|b| b.value.is_literal() && b.value.as_literal().is_some_and(|v| !v.is_null()));
            let is_tool = callee.model.reference.path().starts_with("std/");
            if !fixed && !is_tool {
                continue;
            }
            let mut mentioned = self.mentioned(name);
            mentioned.extend(self.mentions_in(step.save.iter().chain(&step.condition).chain(&step.draw)));
            for (axis, binding) in step.each.iter().filter(|(axis, _)| !mentioned.contains(*axis)) {
                let why = if is_tool { "the tool makes the same of it" } else { "`seed` is fixed" };
                let message = format!(
                    "nothing in step `{name}` mentions the axis `{axis}`, and {why}: every leg is the same"
                );
                findings.push(Diagnostic::warning(
                    Code::Unused,
                    &self.workflow.source,
                    binding.name_span,
                    message,
                ));
            }
        }
    }

    /// `.all` of a step without axes.
    fn needless_all(&self, axes: &[Axes], findings: &mut Vec<Diagnostic>) {
        let workflow = self.workflow;
        let mut say = |step: &str, closed: &Closed, span: Span| {
            let single = self.names.get(step).is_some_and(|number| axes[*number].is_empty());
            if *closed == Closed::Every && single {
                let message = format!("step `{step}` has no axes, so that `.all` is a list of one");
                findings.push(Diagnostic::warning(Code::NeedlessAll, &workflow.source, span, message));
            }
        };
        for step in workflow.steps.values() {
            for piped in step.from.iter().flat_map(sources) {
                say(piped.step.value.as_str(), &Closed::of(piped.all.as_ref()), piped.span);
            }
        }
        let of_steps = workflow.steps.keys().flat_map(|name| self.dynamics(name));
        for value in of_steps.chain(workflow.outputs.values().map(|b| &b.value)) {
            for reference in value.references() {
                if let Target::Step { step, all, .. } = &reference.target {
                    say(&step.value, &Closed::of(all.as_ref()), reference.span);
                }
            }
        }
    }
}
