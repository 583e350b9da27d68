//! What a step refers to: that it exists, and which edges it makes.

use std::collections::BTreeSet;
use std::sync::Arc;

use castline_spec::diagnostic::did_you_mean;
use castline_spec::preset::OutputKind;
use castline_spec::schema::MediaKind;
use castline_spec::template::{All, Dynamic, Reference, Target};
use castline_spec::workflow::From;
use castline_spec::{Code, Diagnostic, DynamicKind, Name, Span, Spanned};
use indexmap::{IndexMap, IndexSet};

use super::call_ports::{output_for, outputs_in_words};
use super::known::Known;
use super::{Aligned, Axes, Check, Closed, Dep, Graph, Mention, Output, Step};
use crate::callee::Callee;
use crate::scope::{ATTRIBUTES, is_port};
use crate::types::Type;

/// What a value depends on.
#[derive(Debug, Default)]
pub(super) struct Depends {
    /// Axes.
    pub over: BTreeSet<Name>,
    /// Steps that it comes out of.
    pub reads: BTreeSet<usize>,
    /// Inputs of the workflow.
    pub inputs: BTreeSet<Name>,
}

impl Depends {
    /// Adds a step that is read, with these of its axes closed.
    pub fn read(&mut self, step: usize, closed: &Closed, axes: &[Axes]) {
        self.over.extend(axes[step].keys().filter(|axis| !closed.has(axis)).cloned());
        self.reads.insert(step);
    }
}

impl Closed {
    /// What a reference with this `.all` closes.
    pub fn of(all: Option<&All>) -> Self {
        match all {
            None => Self::None,
            Some(All::Every) => Self::Every,
            Some(All::Named(names)) => {
                Self::Named(names.iter().map(|n| Name::new(n.value.as_str())).collect())
            }
        }
    }
}

impl Check<'_> {
    /// Every template value of a step, in the order in which axes are inherited.
    pub(super) fn dynamics(&self, name: &Name) -> Vec<&Dynamic> {
        let step = &self.workflow.steps[name];
        let with = step.with.values().map(|b| &b.value);
        let each = step.each.values().map(|b| &b.value);
        let rest = [&step.r#where, &step.condition, &step.draw, &step.save].into_iter().flatten();
        with.chain(each).chain(rest).collect()
    }

    /// The references of a value, those of the vars it mentions included.
    pub(super) fn references<'a>(&'a self, value: &'a Dynamic) -> Vec<&'a Reference> {
        let mut found = Vec::new();
        let mut vars = IndexSet::new();
        let mut values = vec![value];
        while let Some(value) = values.pop() {
            for reference in value.references() {
                if let Target::Var(var) = &reference.target
                    && let Some(binding) = self.workflow.vars.get(var.value.as_str())
                    && vars.insert(var.value.as_str())
                {
                    values.push(&binding.value);
                }
                found.push(reference);
            }
        }
        found
    }

    /// What a step waits for: `from` first, then templates, then `after`.
    pub(super) fn deps_of(&self, name: &Name) -> Vec<Dep> {
        let step = &self.workflow.steps[name];
        let mut deps: Vec<Dep> = Vec::new();
        let mut add = |step: Option<&usize>, closed: Closed, tested: bool, order_only: bool| {
            let Some(&step) = step else { return };
            let same = |d: &&mut Dep| d.step == step && d.closed == closed && d.order_only == order_only;
            match deps.iter_mut().find(same) {
                Some(dep) => dep.tested |= tested,
                None => deps.push(Dep { step, closed, tested, order_only }),
            }
        };
        for piped in step.from.iter().flat_map(sources) {
            add(self.names.get(piped.step.value.as_str()), Closed::of(piped.all.as_ref()), false, false);
        }
        for reference in self.dynamics(name).into_iter().flat_map(|d| self.references(d)) {
            if let Target::Step { step, all, tested, .. } = &reference.target {
                add(self.names.get(step.value.as_str()), Closed::of(all.as_ref()), *tested, false);
            }
        }
        for after in &step.after {
            add(self.names.get(after.value.as_str()), Closed::Every, false, true);
        }
        // A failure that is tested anywhere in the step is handled for all of its references.
        let tested: BTreeSet<_> = deps.iter().filter(|d| d.tested).map(|d| d.step).collect();
        deps.iter_mut().for_each(|d| d.tested = tested.contains(&d.step));
        deps
    }

    /// Own axes that `with` mentions.
    pub(super) fn mentioned(&self, name: &Name) -> BTreeSet<Name> {
        self.mentions_in(self.workflow.steps[name].with.values().map(|binding| &binding.value))
    }

    /// The axes and inputs that a value depends on, and the steps that it comes out of.
    pub(super) fn depends_on(&self, value: &Dynamic, axes: &[Axes]) -> Depends {
        let mut depends = Depends::default();
        for reference in self.references(value) {
            match &reference.target {
                Target::Input(input, _) => {
                    depends.inputs.insert(Name::new(input.value.as_str()));
                }
                Target::Each(axis, _) | Target::Index(axis) => {
                    depends.over.insert(Name::new(axis.value.as_str()));
                }
                Target::Step { step, all, .. } => {
                    let Some(step) = self.names.get(step.value.as_str()) else { continue };
                    depends.read(*step, &Closed::of(all.as_ref()), axes);
                }
                _ => {}
            }
        }
        depends
    }

    /// The axes that values mention.
    pub(super) fn mentions_in<'a>(&'a self, values: impl Iterator<Item = &'a Dynamic>) -> BTreeSet<Name> {
        values
            .flat_map(|value| self.references(value))
            .filter_map(|r| match &r.target {
                Target::Each(axis, _) | Target::Index(axis) => Some(Name::new(axis.value.as_str())),
                _ => None,
            })
            .collect()
    }

    /// Reports every reference that leads nowhere, each name once, and vars that wait for each other.
    pub(super) fn check_names(&mut self, callees: &[Option<Arc<Callee>>]) {
        let workflow = self.workflow;
        let mut findings = Vec::new();
        for (name, step) in &workflow.steps {
            for reference in self.dynamics(name).into_iter().flat_map(Dynamic::references) {
                findings.extend(self.check_reference(reference, callees));
            }
            for piped in step.from.iter().flat_map(sources) {
                findings.extend(self.check_step_name(piped.step.value.as_str(), piped.step.span));
            }
            for after in &step.after {
                findings.extend(self.check_step_name(after.value.as_str(), after.span));
            }
            for (axis, binding) in &step.each {
                findings.extend(self.check_axis_values(axis, &binding.value));
            }
        }
        for binding in workflow.vars.values().chain(workflow.outputs.values()) {
            findings.extend(binding.value.references().filter_map(|r| self.check_reference(r, callees)));
        }
        self.found.list.extend(once_each(findings));
        self.check_var_cycles();
    }

    fn check_axis_values(&self, axis: &Name, values: &Dynamic) -> Option<Diagnostic> {
        let empty = matches!(&values.kind, DynamicKind::List(items) if items.is_empty());
        empty.then(|| {
            self.error(
                Code::InvalidValue,
                values.span,
                format!("axis `{axis}` has no values: the step has no legs"),
            )
        })
    }

    /// A step that a document names.
    fn check_step_name(&self, name: &str, span: Span) -> Option<Diagnostic> {
        // What is no name has its finding.
        if Name::is_identifier(name) { self.check_step_exists(name, span) } else { None }
    }

    fn check_step_exists(&self, name: &str, span: Span) -> Option<Diagnostic> {
        (!self.names.contains_key(name) && !self.workflow.incomplete).then(|| {
            self.error(Code::UnknownStep, span, format!("there is no step `{name}` in this workflow"))
                .caret("no such step")
                .maybe_hint(did_you_mean("a step", name, self.names.keys().map(Name::as_str)))
        })
    }

    fn check_reference(&self, reference: &Reference, callees: &[Option<Arc<Callee>>]) -> Option<Diagnostic> {
        let unknown = |what: &str, name: &Spanned<String>, known: Vec<&str>| {
            Some(
                self.error(Code::UnknownName, name.span, format!("there is no {what} `{}`", name.value))
                    .maybe_hint(did_you_mean(&format!("the {what}"), &name.value, known.iter().copied())),
            )
        };
        match &reference.target {
            // What cannot be read may well have had it.
            Target::Input(..) | Target::Var(_) if self.workflow.incomplete => None,
            Target::Input(name, _) if !self.workflow.inputs.contains_key(name.value.as_str()) => {
                unknown("input", name, self.workflow.inputs.keys().map(Name::as_str).collect())
            }
            Target::Var(name) if !self.workflow.vars.contains_key(name.value.as_str()) => {
                unknown("var", name, self.workflow.vars.keys().map(Name::as_str).collect())
            }
            Target::Step { step, all, attribute, .. } => {
                if let Some(finding) = self.check_step_exists(&step.value, step.span) {
                    return Some(finding);
                }
                let callee = self.names.get(step.value.as_str()).and_then(|i| callees[*i].as_deref());
                let attribute = attribute.as_ref()?;
                match callee.and_then(|callee| callee.called.as_ref()) {
                    Some(called) if ATTRIBUTES.contains(&attribute.value.as_str()) => {
                        self.check_output_read(reference, called)
                    }
                    _ => self.check_attribute(&step.value, all.as_ref(), attribute, callee),
                }
            }
            _ => None,
        }
    }

    fn check_attribute(
        &self,
        step: &str,
        all: Option<&All>,
        attribute: &Spanned<String>,
        callee: Option<&Callee>,
    ) -> Option<Diagnostic> {
        let name = attribute.value.as_str();
        if name == "each" && all.is_some() {
            return None;
        }
        if name == "all" && all.is_some() {
            let message = format!("`steps.{step}.all` has all legs already, and they offer no `all`");
            return Some(self.error(Code::UnknownAttribute, attribute.span, message));
        }
        if !ATTRIBUTES.contains(&name) {
            let message = format!("a step offers no `{name}`");
            return Some(
                self.error(Code::UnknownAttribute, attribute.span, message)
                    .maybe_hint(did_you_mean("the attribute", name, ATTRIBUTES.iter().copied()))
                    .maybe_hint(
                        castline_spec::diagnostic::nearest(name, ATTRIBUTES.iter().copied()).is_none().then(
                            || "files are `.image`, `.images`, `.file`, ...; text is `.text`".to_owned(),
                        ),
                    ),
            );
        }
        let callee = callee?;
        let offers = match callee.model.output.kind {
            OutputKind::Image => &["image", "images", "file", "files"][..],
            OutputKind::Video => &["video", "videos", "file", "files"],
            OutputKind::Audio => &["audio", "audios", "file", "files"],
            OutputKind::File | OutputKind::Json => return None,
            OutputKind::Text => &["text", "json"],
        };
        let other_port = (is_port(name) || name == "json") && !offers.contains(&name);
        let json = name == "json" && self.workflow.steps.get(step).is_some_and(|s| s.json.is_none());
        if json {
            let message = format!("step `{step}` has no `json`, so that its text is not read as JSON");
            return Some(
                self.error(Code::UnknownAttribute, attribute.span, message)
                    .hint("add `json: {schema}` to the step"),
            );
        }
        other_port.then(|| {
            self.error(
                Code::MediaMismatch,
                attribute.span,
                format!("step `{step}` gives {}, not {name}", kind_name(callee.model.output.kind)),
            )
            .hint(format!(
                "it offers {}",
                offers.iter().map(|o| format!("`.{o}`")).collect::<Vec<_>>().join(", ")
            ))
        })
    }

    /// What is read of a call: the outputs of the workflow.
    fn check_output_read(&self, reference: &Reference, called: &Graph) -> Option<Diagnostic> {
        let Target::Step { step, all, attribute: Some(attribute), .. } = &reference.target else {
            return None;
        };
        let (name, outputs) = (attribute.value.as_str(), &called.outputs);
        let there = || format!("its outputs are {}", outputs_in_words(outputs));
        match name {
            "all" if all.is_some() => self.check_attribute(&step.value, all.as_ref(), attribute, None),
            "json" => {
                let message = format!("step `{}` calls a workflow, which offers no `json`", step.value);
                let finding = self.error(Code::UnknownAttribute, attribute.span, message);
                Some(finding.hint(format!("write `.output.NAME`; {}", there())))
            }
            port if is_port(port) => output_for(outputs, port).is_none().then(|| {
                let message =
                    format!("workflow `{}` has no output that is surely its `.{port}`", called.name);
                self.error(Code::MediaMismatch, attribute.span, message)
                    .hint(format!("write `.output.NAME`; {}", there()))
            }),
            _ => None,
        }
    }

    /// Every text that `read()` names.
    pub(super) fn reads(&self) -> Vec<Mention> {
        let of_steps = self.workflow.steps.keys().flat_map(|name| self.dynamics(name));
        let others = self.workflow.vars.values().chain(self.workflow.outputs.values()).map(|b| &b.value);
        let references = of_steps.chain(others).flat_map(Dynamic::references);
        let read = references.filter_map(|r| match &r.target {
            Target::Read(path) => {
                let source = self.workflow.source.clone();
                Some(Mention { source, span: path.span, path: path.value.clone() })
            }
            _ => None,
        });
        read.collect()
    }

    fn check_var_cycles(&mut self) {
        let vars = &self.workflow.vars;
        let needs: Vec<Vec<usize>> = vars
            .values()
            .map(|binding| {
                let named = binding.value.references().filter_map(|r| match &r.target {
                    Target::Var(var) => vars.get_index_of(var.value.as_str()),
                    _ => None,
                });
                named.collect()
            })
            .collect();
        for cycle in super::sort(&needs).1 {
            let name = |i: &usize| vars.get_index(*i).expect("a var's number").0.as_str();
            let path: Vec<_> = cycle.iter().map(name).collect();
            let span = vars[cycle[0]].name_span;
            let message = format!("vars wait for each other: {}", path.join(" -> "));
            self.found.push(self.error(Code::Cycle, span, message));
        }
    }

    /// That every axis a step mentions is one that it has.
    pub(super) fn check_axes(&mut self, number: usize, axes: &[Axes]) {
        let mut findings = Vec::new();
        let (name, step) = self.workflow.steps.get_index(number).expect("a step's number");
        let known: Vec<_> = axes[number].keys().map(Name::as_str).collect();
        findings.extend(self.check_lists(number, axes));
        for reference in self.dynamics(name).into_iter().flat_map(|d| self.references(d)) {
            match &reference.target {
                Target::Each(axis, _) | Target::Index(axis) if !known.contains(&axis.value.as_str()) => {
                    let message = format!("step `{name}` has no axis `{}`", axis.value);
                    let none = "open it with `each`, or read a step that has it";
                    let hint = did_you_mean("the axis", &axis.value, known.iter().copied());
                    let finding = self.error(Code::UnknownAxis, axis.span, message);
                    findings.push(finding.hint(none).maybe_hint(hint));
                }
                Target::Step { step: read, all, .. } => {
                    findings.extend(self.check_closed(&read.value, all.as_ref(), axes));
                    findings.extend(self.check_column(reference, axes));
                }
                _ => {}
            }
        }
        for piped in step.from.iter().flat_map(sources) {
            findings.extend(self.check_closed(piped.step.value.as_str(), piped.all.as_ref(), axes));
        }
        if let Some(legs) = &step.legs {
            let said: BTreeSet<_> = legs.value.iter().map(Name::as_str).collect();
            if said != known.iter().copied().collect() {
                let message =
                    format!("step `{name}` has the axes [{}], not those that `legs` says", known.join(", "));
                let fix = format!("[{}]", known.join(", "));
                findings.push(self.error(Code::LegsMismatch, legs.span, message).fix(legs.span, fix));
            }
        }
        self.found.list.extend(once_each(findings));
    }

    /// That a list of axis values mentions no axis that is opened with it or after it, and that
    /// `where` asks for nothing that only a run knows.
    fn check_lists(&self, number: usize, axes: &[Axes]) -> Vec<Diagnostic> {
        let (name, step) = self.workflow.steps.get_index(number).expect("a step's number");
        let mut findings = Vec::new();
        let inherited = |axis: &str| axes[number].get(axis).is_some_and(|o| o.iter().any(|o| *o != number));
        for (place, (axis, binding)) in step.each.iter().enumerate() {
            for reference in self.references(&binding.value) {
                let (Target::Each(other, _) | Target::Index(other)) = &reference.target else { continue };
                let opened = step.each.get_index_of(other.value.as_str());
                if inherited(&other.value) || opened.is_none_or(|opened| opened < place) {
                    continue;
                }
                let (message, hint) = match opened == Some(place) {
                    true => (
                        format!("the list of axis `{axis}` cannot depend on `{axis}` itself"),
                        "name an axis that is opened before it".to_owned(),
                    ),
                    false => (
                        format!("axis `{axis}` depends on `{}`, which is opened after it", other.value),
                        format!("write `{}` before `{axis}`", other.value),
                    ),
                };
                findings.push(self.error(Code::UnknownAxis, other.span, message).hint(hint));
            }
        }
        let steps = step.r#where.iter().flat_map(|condition| self.references(condition));
        let read = steps.into_iter().find(|r| matches!(r.target, Target::Step { .. }));
        findings.extend(read.map(|reference| {
            let message =
                format!("`where` of step `{name}` reads a step; its legs are known before anything runs");
            self.error(Code::InvalidValue, reference.span, message)
                .hint("`if` may read steps: a leg for which it is false is skipped")
        }));
        findings
    }

    /// `.all.each.NAME` of an axis that the step does not have.
    fn check_column(&self, reference: &Reference, axes: &[Axes]) -> Option<Diagnostic> {
        let Target::Step { step, attribute: Some(attribute), rest, .. } = &reference.target else {
            return None;
        };
        let (axis, known) = (rest.first()?, &axes[*self.names.get(step.value.as_str())?]);
        if attribute.value != "each" || known.contains_key(axis.as_str()) {
            return None;
        }
        let message = format!("step `{}` has no axis `{axis}`", step.value);
        let hint = did_you_mean("the axis", axis, known.keys().map(Name::as_str));
        Some(self.error(Code::UnknownAxis, reference.span, message).maybe_hint(hint))
    }

    fn check_closed(&self, read: &str, all: Option<&All>, axes: &[Axes]) -> Vec<Diagnostic> {
        let Some(All::Named(named)) = all else { return Vec::new() };
        let Some(known) = self.names.get(read).map(|i| &axes[*i]) else { return Vec::new() };
        named
            .iter()
            .filter(|axis| !known.contains_key(axis.value.as_str()))
            .map(|axis| {
                let message = format!("step `{read}` has no axis `{}`", axis.value);
                self.error(Code::UnknownAxis, axis.span, message)
                    .hint("`.all` closes every axis")
                    .maybe_hint(did_you_mean("the axis", &axis.value, known.keys().map(Name::as_str)))
            })
            .collect()
    }

    /// The declared outputs, else one for each step that nothing uses.
    pub(super) fn outputs(&mut self, steps: Option<&Vec<Step>>, known: &Known<'_>) -> IndexMap<Name, Output> {
        let workflow = self.workflow;
        let mut outputs = IndexMap::new();
        for (name, binding) in &workflow.outputs {
            if binding.value.as_literal() == Some(serde_json::Value::Null) {
                let message = format!("output `{name}` has no value");
                let finding = self.error(Code::InvalidValue, binding.name_span, message);
                self.found.push(
                    finding.hint("write what it is, such as `\"{{ steps.STEP.image }}\"`, or remove it"),
                );
            }
            let gives = self.check_output_types(&binding.value, known);
            self.check_output_axes(name, &binding.value, known);
            let value = self.templates.bind(&binding.value, &workflow.source);
            let deps = self.deps_of_output(&binding.value);
            let labels = self.labels(&binding.value);
            let of_cost = self.reads_cost(&binding.value, known).is_some();
            let aligned = Aligned::default();
            let output = Output { value, gives, deps, aligned, of_cost, labels, implied: false };
            outputs.insert(name.clone(), output);
        }
        if let (true, Some(steps)) = (workflow.outputs.is_empty(), steps) {
            let read: BTreeSet<_> =
                steps.iter().flat_map(|s| &s.deps).filter(|d| !d.order_only).map(|d| d.step).collect();
            for (i, step) in steps.iter().enumerate().filter(|(_, step)| step.predicts()) {
                if !read.contains(&i) {
                    outputs.insert(step.name.clone(), self.implied_output(i, step));
                }
            }
        }
        outputs
    }

    /// Where a value reads what something cost.
    pub(super) fn reads_cost(&self, value: &Dynamic, known: &Known<'_>) -> Option<Span> {
        let costs = |reference: &&Reference| {
            let Target::Step { step, attribute: Some(attribute), rest, .. } = &reference.target else {
                return false;
            };
            let output = || known.called(&step.value)?.outputs.get(rest.first()?.as_str());
            attribute.value == "cost" || attribute.value == "output" && output().is_some_and(|o| o.of_cost)
        };
        self.references(value).into_iter().find(costs).map(|reference| reference.span)
    }

    /// Costs are known once the run is over.
    pub(super) fn check_costs(&mut self, number: usize, known: &Known<'_>) {
        let (name, _) = self.workflow.steps.get_index(number).expect("a step's number");
        let places: BTreeSet<Span> =
            self.dynamics(name).into_iter().filter_map(|value| self.reads_cost(value, known)).collect();
        for span in places {
            let message = "what a step cost is known once the run is over";
            let finding = self.error(Code::UnknownAttribute, span, message);
            self.found.push(finding.hint("only `outputs` may say it"));
        }
    }

    /// The steps that an output reads.
    fn deps_of_output(&self, value: &Dynamic) -> Vec<Dep> {
        let mut deps: Vec<Dep> = Vec::new();
        for reference in self.references(value) {
            let Target::Step { step, all, tested, .. } = &reference.target else { continue };
            let Some(step) = self.names.get(step.value.as_str()).copied() else { continue };
            let dep = Dep { step, closed: Closed::of(all.as_ref()), tested: *tested, order_only: false };
            if !deps.contains(&dep) {
                deps.push(dep);
            }
        }
        deps
    }

    /// What a step that nothing uses yields.
    fn implied_output(&mut self, number: usize, step: &Step) -> Output {
        let all = if step.axes.is_empty() { "" } else { ".all" };
        let many = step.callee.model.output.many;
        let port = match step.callee.model.output.kind {
            OutputKind::Image if many => "images",
            OutputKind::Image => "image",
            OutputKind::Video if many => "videos",
            OutputKind::Video => "video",
            OutputKind::Audio if many => "audios",
            OutputKind::Audio => "audio",
            OutputKind::File if many => "files",
            OutputKind::File => "file",
            OutputKind::Text => "text",
            OutputKind::Json => "output",
        };
        let gives = match step.callee.model.output.kind {
            OutputKind::Text => Type::text(),
            kind => kind.media().map_or_else(Type::any, Type::media),
        };
        let gives = if many { Type::list(&gives) } else { gives };
        let gives = if all.is_empty() { gives } else { Type::list(&gives) };
        let dep = Dep { step: number, closed: Closed::Every, tested: false, order_only: false };
        // In brackets every name can be written, one that is a finding too.
        let name = serde_json::Value::from(step.name.as_str());
        let value = self.templates.bind_expression(
            &format!("steps[{name}]{all}.{port}"),
            &self.workflow.source,
            step.span,
        );
        let labels = (!all.is_empty()).then_some(number);
        let (deps, aligned) = (vec![dep], Aligned::default());
        Output { value, gives, deps, aligned, of_cost: false, labels, implied: true }
    }

    fn check_output_axes(&mut self, name: &Name, value: &Dynamic, known: &Known<'_>) {
        let mut findings = Vec::new();
        for reference in self.references(value) {
            if let Target::Each(axis, _) | Target::Index(axis) = &reference.target {
                let message = format!("output `{name}` stands on no axis, and reads `{}`", axis.value);
                findings.push(self.error(Code::UnknownAxis, axis.span, message));
            }
            findings.extend(self.check_column(reference, known.axes));
            let Target::Step { step, all, .. } = &reference.target else { continue };
            let Some(read) = self.names.get(step.value.as_str()).map(|i| &known.axes[*i]) else { continue };
            let closed = Closed::of(all.as_ref());
            let open: Vec<_> = read.keys().filter(|a| !closed.has(a)).map(Name::as_str).collect();
            if !open.is_empty() {
                findings.push(
                    self.error(
                        Code::AxisNotClosed,
                        reference.span,
                        format!(
                            "output `{name}` reads step `{}`, which has one leg for each {}",
                            step.value,
                            open.join(" and ")
                        ),
                    )
                    .hint(format!("write `steps.{}.all` for the list of all", step.value))
                    .fix(Span::at(step.span.end), ".all"),
                );
            }
            findings.extend(self.check_closed(&step.value, all.as_ref(), known.axes));
        }
        self.found.list.extend(findings);
    }

    /// The step whose legs name the files of a list.
    fn labels(&self, value: &Dynamic) -> Option<usize> {
        let DynamicKind::Template(template) = &value.kind else { return None };
        template.references.iter().find_map(|r| match &r.target {
            Target::Step { step, all: Some(_), attribute: Some(a), picked: false, .. }
                if r.whole && a.value != "each" =>
            {
                self.names.get(step.value.as_str()).copied()
            }
            _ => None,
        })
    }
}

/// Each name that leads nowhere once, where it is first written; its other places are shown with it.
fn once_each(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut first: IndexMap<(Code, String), Diagnostic> = IndexMap::new();
    for finding in findings {
        match first.entry((finding.code, finding.message.clone())) {
            indexmap::map::Entry::Vacant(entry) => drop(entry.insert(finding)),
            indexmap::map::Entry::Occupied(mut entry) => {
                let Some(span) = finding.span else { continue };
                let known = entry.get_mut();
                let there = known.span == Some(span) || known.labels.iter().any(|label| label.span == span);
                if !there && known.labels.len() < MOST_PLACES {
                    *known = known.clone().label(&finding.source, span, "and here");
                }
            }
        }
    }
    first.into_values().collect()
}

/// Further places that one finding shows.
const MOST_PLACES: usize = 4;

/// All sources of a `from`.
pub(super) fn sources(from: &From) -> Vec<&Spanned<castline_spec::workflow::Piped>> {
    match from {
        From::Steps(list) => list.iter().collect(),
        From::Ports(ports) => ports.values().flat_map(|(_, list)| list).collect(),
    }
}

/// Words for what a model gives.
pub(super) fn kind_name(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Json => "JSON",
        kind => kind.media().map_or("text", MediaKind::noun),
    }
}
