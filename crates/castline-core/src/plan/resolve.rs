//! One leg: from templates to the request that would be sent.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use castline_spec::preset::PriceRule;
use castline_spec::schema::MediaKind;
use castline_spec::workflow::Input;
use castline_spec::{Code, Diagnostic, Diagnostics, Name, Source, Spanned};
use indexmap::IndexMap;

use super::Plan;
use super::expand::Nowhere;
use super::fit::{self, Misfit};
use super::requests::Requests;
use crate::callee::{Callee, Layer};
use crate::digest::Digest;
use crate::field::{Field, input_json};
use crate::graph::{Closed, Feed, Pipe, Role, Step, rule_finding};
use crate::inputs::NoValue;
use crate::legs::{Coords, LegId};
use crate::media::{Artifact, MediaType};
use crate::model::{ModelRef, ProviderName, Realm};
use crate::money::MicroUsd;
use crate::price::{self, Estimate, Observed};
use crate::request::Request;
use crate::results::{LegResult, LegStatus, Results};
use crate::routing::Route;
use crate::scope::Scope;
use crate::templates::{Bound, BoundKind, Plain, Stop};
use crate::value::Value;

/// What a leg would do now.
#[derive(Debug)]
pub enum Resolved {
    /// Everything is known.
    Ready(Box<Ready>),
    /// Nothing is to be made: a call of a workflow with its inputs, or an output of it.
    Done(Box<LegResult>),
    /// It does not run.
    Skip(Skip),
    /// It reads legs that are not finished. What is known and broken is here already.
    Pending(Vec<Diagnostic>),
    /// Its values do not fit.
    Broken(Vec<Diagnostic>),
}

/// A leg of which everything is known.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What would be sent.
    pub request: Arc<Request>,
    /// What it can cost at the provider's or preset's price; none is unpriced.
    pub estimate: Option<Estimate>,
    /// True when the provider takes money.
    pub bills: bool,
}

/// Price rules and who says so.
#[derive(Debug, Clone, Copy)]
pub struct Prices<'a> {
    /// The rules.
    pub rules: &'a [PriceRule],
    /// Who says so.
    pub from: PriceFrom,
}

/// Who says what a prediction costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceFrom {
    /// `prices` of the project.
    Project,
    /// The preset, for this provider.
    Route,
    /// The preset, for every provider.
    Preset,
}

/// What a leg can cost whose request is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// So much, whatever comes first.
    Known(Estimate),
    /// Nobody will know.
    Unpriced,
    /// It depends on what comes first.
    Later,
}

/// Why a leg is skipped.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// Its `if` is false.
    Condition,
    /// It reads a leg that has no output.
    Absent(String),
    /// It belongs to a call whose `if` is false.
    Uncalled(String),
}

impl Skip {
    /// For people.
    pub fn reason(&self) -> String {
        match self {
            Self::Condition => "its `if` is false".to_owned(),
            Self::Absent(leg) => format!("it reads `{leg}`, which has no output"),
            Self::Uncalled(call) => format!("the `if` of `{call}` is false"),
        }
    }
}

/// Values under way, with the findings about them.
struct Work<'p, 'w> {
    plan: &'p Plan,
    step: &'p Step,
    requests: &'w Requests<'p>,
    results: &'w Arc<Results>,
    /// Where the leg stands.
    at: Coords,
    /// What its templates see; few need more than a look at inputs and axes.
    scope: OnceCell<Arc<Scope>>,
    /// Something is still to come.
    pending: bool,
    /// Something is still to come that nothing can stand in for.
    unknown: bool,
    absent: Option<LegId>,
    findings: Vec<Diagnostic>,
}

impl Plan {
    /// Renders a leg against the results so far. For many legs there is [`Plan::resolver`].
    pub fn resolve(&self, leg: LegId, results: &Arc<Results>) -> Resolved {
        self.resolver(results).resolve(leg)
    }

    /// Renders one leg after the other against the results so far.
    pub fn resolver<'p>(&'p self, results: &'p Arc<Results>) -> Resolver<'p> {
        Resolver { plan: self, results, requests: None }
    }

    /// True for a call that may be skipped, or that is made by one.
    fn is_conditional(&self, call: LegId) -> bool {
        let step = &self.graph.steps[self.legs.step(call)];
        step.condition.is_some() || self.caller(call).is_some_and(|call| self.is_conditional(call))
    }

    /// The price rules that count at a provider: the project's, else the route's, else the
    /// preset's.
    pub fn price_rules<'a>(&'a self, callee: &'a Callee, provider: &ProviderName) -> Prices<'a> {
        let (own, model) = (&self.choices.prices, &callee.model);
        let names = [&callee.uses, &model.preset, &model.reference.path()];
        if let Some(rules) = names.into_iter().find_map(|name| own.get(name)) {
            return Prices { rules, from: PriceFrom::Project };
        }
        match model.routes.get(&*provider.0).filter(|route| !route.price.is_empty()) {
            Some(route) => Prices { rules: &route.price, from: PriceFrom::Route },
            None => Prices { rules: &model.price, from: PriceFrom::Preset },
        }
    }

    /// True for what costs nothing: the local tools, and a server of the user's own where no price was
    /// given. The sandbox costs nothing either, and says what it would cost live.
    pub(crate) fn is_free(&self, callee: &Callee, route: &Route) -> bool {
        match route.realm {
            Realm::Std(_) => true,
            Realm::Sandbox(_) => false,
            Realm::Public | Realm::Own(_) => {
                !route.bills && self.price_rules(callee, &route.name).rules.is_empty()
            }
        }
    }

    /// What a leg of a step can cost whose request is not known yet, because it reads legs that
    /// run first.
    pub fn expect(&self, step: usize) -> Expected {
        let step = &self.graph.steps[step];
        let callee = &step.callee;
        let Ok(route) = self.routing.route(&callee.model, &callee.model.reference) else {
            return Expected::Later;
        };
        if self.is_free(callee, route) {
            return Expected::Known(Estimate::NOTHING);
        }
        let rules = self.price_rules(callee, &route.name).rules;
        let Some(fields) = price::reads(rules) else { return Expected::Later };
        let (mut input, later) = written(step);
        if fields.iter().any(|field| later.contains(field.as_str())) {
            return Expected::Later;
        }
        for (name, value) in &callee.model.defaults {
            input.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let asked = price::Asked::of(&input, callee.model_fields());
        price::estimate(rules, asked).map_or(Expected::Unpriced, Expected::Known)
    }

    /// What a finished prediction of a step cost at a provider, by the rules and by what is
    /// known of it; none when they do not tell.
    pub fn settle(
        &self,
        step: usize,
        request: &Request,
        provider: &ProviderName,
        observed: &Observed,
    ) -> Option<MicroUsd> {
        let callee = &self.graph.steps[step].callee;
        let asked = price::Asked::of(&request.input, callee.model_fields());
        price::settle(self.price_rules(callee, provider).rules, asked, observed)
    }

    /// Finds steps whose model the chosen provider does not serve.
    pub fn check_routes(&self) -> Diagnostics {
        let steps = self.graph.predicting().filter(|(i, _)| self.may_have_legs(*i));
        Diagnostics {
            list: steps.filter_map(|(_, step)| self.route(step).err()).map(|finding| *finding).collect(),
        }
    }

    /// False for a step that surely has no legs.
    pub fn may_have_legs(&self, step: usize) -> bool {
        self.legs.known(step).is_none_or(|legs| legs.count > 0)
    }

    /// Who runs a step's model, and in which version.
    pub fn route(&self, step: &Step) -> Result<(&Route, ModelRef), Box<Diagnostic>> {
        let error = |code, message: String, hint: &str| {
            Box::new(Diagnostic::error(code, &step.source, step.uses_span, message).hint(hint))
        };
        let model = &step.callee.model;
        let mut reference = model.reference.clone();
        reference.version = step.version.clone().or(reference.version);
        let route = self.routing.route(model, &reference).map_err(|why| {
            let message = format!("`{}` cannot be run: {why}", step.callee.uses);
            error(Code::NotServed, message, "choose another provider with `--provider`, or another preset")
        })?;
        // Only where versions matter: the stand-ins and tools have none.
        if route.bills && reference.is_latest() {
            let pin = self.choices.pins.get(&reference.path()).cloned();
            reference.version = pin.or(reference.version);
        }
        Ok((route, reference))
    }

    /// The models that would run by a version that is not pinned yet, and where.
    pub fn unpinned(&self) -> Vec<(ModelRef, ProviderName)> {
        let steps = self.graph.predicting().filter(|(i, _)| self.may_have_legs(*i));
        let mut found: Vec<(ModelRef, ProviderName)> = Vec::new();
        for (_, step) in steps {
            let Ok((route, reference)) = self.route(step) else { continue };
            if route.bills && reference.is_latest() && !found.iter().any(|(model, _)| *model == reference) {
                found.push((reference, route.name.clone()));
            }
        }
        found
    }

    /// The axes of a leg that are its draw, as values.
    fn own_draw(&self, leg: LegId) -> Vec<Value> {
        let number = self.legs.step(leg);
        let step = &self.graph.steps[number];
        let is_draw = |axis: &Name| {
            step.axes[axis].iter().all(|opener| *opener == number) && !step.mentioned.contains(axis)
        };
        let own = self.legs.coords(leg).into_iter().map(|(axis, i)| (&self.legs.axes[axis.0], i));
        own.filter(|(axis, _)| is_draw(&axis.name)).map(|(axis, i)| axis.values[i].clone()).collect()
    }

    fn reroll(&self, leg: LegId) -> Option<&str> {
        self.choices.rerolls.iter().rfind(|r| r.is_of(&self.legs, leg)).map(|r| r.draw.as_str())
    }
}

/// Renders legs; what all legs of a step have in common is found out once for all that follow
/// each other.
pub struct Resolver<'p> {
    plan: &'p Plan,
    results: &'p Arc<Results>,
    requests: Option<(usize, Requests<'p>)>,
}

impl Resolver<'_> {
    /// What a leg would do now.
    pub fn resolve(&mut self, leg: LegId) -> Resolved {
        let (plan, results) = (self.plan, self.results);
        match plan.caller(leg).map(|call| (call, results.get(call))) {
            Some((call, Some(result))) if result.status != LegStatus::Succeeded => {
                Resolved::Skip(match plan.resolve(call, results) {
                    Resolved::Skip(Skip::Condition) => Skip::Uncalled(plan.leg_name(call)),
                    Resolved::Skip(why) => why,
                    _ => Skip::Absent(plan.leg_name(call)),
                })
            }
            _ if plan.nowhere.contains_key(&leg) => match &plan.nowhere[&leg] {
                Nowhere::Skip(skip) => Resolved::Skip(skip.clone()),
                Nowhere::Broken(finding) => Resolved::Broken(vec![(**finding).clone()]),
            },
            // Whether it is called at all is not known yet.
            Some((call, None)) => match self.resolve_called(leg) {
                Resolved::Pending(findings) | Resolved::Broken(findings) if !plan.is_conditional(call) => {
                    Resolved::Pending(findings)
                }
                Resolved::Skip(skip) => Resolved::Skip(skip),
                _ => Resolved::Pending(Vec::new()),
            },
            _ => self.resolve_called(leg),
        }
    }

    /// Renders a leg as if its workflow is called.
    fn resolve_called(&mut self, leg: LegId) -> Resolved {
        let plan = self.plan;
        let number = plan.legs.step(leg);
        let (_, requests) = match self.requests.take() {
            Some(requests) if requests.0 == number => self.requests.insert(requests),
            _ => self.requests.insert((number, Requests::of(plan, &plan.graph.steps[number]))),
        };
        Work::new(plan, requests, self.results, leg).resolve(leg)
    }
}

impl<'p, 'w> Work<'p, 'w> {
    fn new(plan: &'p Plan, requests: &'w Requests<'p>, results: &'w Arc<Results>, leg: LegId) -> Self {
        Self {
            plan,
            step: requests.step,
            requests,
            results,
            at: plan.legs.coords(leg),
            scope: OnceCell::new(),
            pending: false,
            unknown: false,
            absent: None,
            findings: Vec::new(),
        }
    }

    fn resolve(mut self, leg: LegId) -> Resolved {
        let step = self.step;
        if let Role::Gives(output, _) = &step.role {
            let value = self.render(&output.value);
            return value
                .map_or_else(|| self.stop(), |value| Resolved::Done(Box::new(LegResult::given(value))));
        }
        match self.condition() {
            Some(true) => {}
            Some(false) => return Resolved::Skip(Skip::Condition),
            None => return self.stop(),
        }
        let given = self.given();
        if let Some(called) = &step.callee.called {
            if !self.findings.is_empty() || self.absent.is_some() || self.pending {
                return self.stop();
            }
            let inputs = self.inputs_of(&called.inputs, &called.source, &step.callee.fields, &given);
            return match inputs.filter(|_| self.findings.is_empty() && !self.pending) {
                Some(inputs) => Resolved::Done(Box::new(LegResult::called(inputs))),
                None => self.stop(),
            };
        }
        let draw = self.draw(leg);
        if !self.findings.is_empty() || self.absent.is_some() || self.unknown {
            return self.stop();
        }
        // Media that are still to come have a stand-in, so that rules between inputs are
        // checked before anything is paid for.
        let ready = self.through_layers(given).and_then(|input| self.ready(input, draw));
        match ready.filter(|_| !self.pending) {
            Some(ready) => Resolved::Ready(Box::new(ready)),
            None => self.stop(),
        }
    }

    fn stop(self) -> Resolved {
        match (self.findings.is_empty(), self.pending, self.absent) {
            (_, true, _) => Resolved::Pending(self.findings),
            (false, ..) => Resolved::Broken(self.findings),
            (true, _, Some(leg)) => Resolved::Skip(Skip::Absent(self.plan.leg_name(leg))),
            (true, false, None) => Resolved::Pending(Vec::new()),
        }
    }

    /// Renders a value of the step; none when there is none, and why is written down.
    fn render(&mut self, bound: &Bound) -> Option<Value> {
        // Many need no scope. What a called workflow is given is found out with the whole of it.
        if self.step.frame == 0 {
            let each = (&*self.plan.legs, &self.at, &self.plan.graph.frames[0]);
            let found = Plain { inputs: &self.plan.inputs, each: Some(each) }.render(bound);
            if found.is_some() {
                return found;
            }
        }
        self.render_in(bound, &self.scope())
    }

    /// The same in a scope.
    fn render_in(&mut self, bound: &Bound, scope: &Arc<Scope>) -> Option<Value> {
        match self.plan.graph.templates.render(bound, scope) {
            Ok(value) => Some(value),
            Err(stop) => {
                self.note(stop);
                None
            }
        }
    }

    fn scope(&self) -> Arc<Scope> {
        self.scope.get_or_init(|| self.plan.scope_of_step(self.step, self.at.clone(), self.results)).clone()
    }

    fn note(&mut self, stop: Stop) {
        match stop {
            Stop::Pending => {
                self.pending = true;
                self.unknown = true;
            }
            Stop::Absent(absent) => self.absent = self.absent.or(Some(absent.leg())),
            Stop::Failed { code, source, span, message } => {
                self.findings.push(Diagnostic::error(code, &source, span, message));
            }
        }
    }

    fn condition(&mut self) -> Option<bool> {
        let Some(condition) = &self.step.condition else { return Some(true) };
        match self.plan.graph.templates.render_truth(condition, &self.scope()) {
            Ok(truth) => Some(truth),
            Err(stop) => {
                self.note(stop);
                None
            }
        }
    }

    /// What the step gives its callee: `with` and `from`. None values stay, so that they
    /// can be told from inputs that nobody mentions.
    fn given(&mut self) -> IndexMap<String, Value> {
        let step = self.step;
        let mut given = IndexMap::new();
        for (name, bound) in &step.with {
            let field = step.callee.fields.get(name);
            let unknown = self.unknown;
            match (self.render(bound), field.and_then(|f| f.media)) {
                (Some(value), _) => {
                    given.extend(self.fit(name, value, bound, field).map(|v| (name.clone(), v)));
                }
                (None, Some(media)) if self.absent.is_none() && self.findings.is_empty() => {
                    self.unknown = unknown;
                    let least = field.map_or(0, Field::least_items);
                    given.insert(name.clone(), stand_in(media.kind, media.many, least));
                }
                (None, _) => {}
            }
        }
        for feed in &step.feeds {
            given.extend(self.feed(feed).map(|value| (feed.field.clone(), value)));
        }
        given
    }

    /// Media or text from other steps.
    fn feed(&mut self, feed: &Feed) -> Option<Value> {
        let plan = self.plan;
        let mut values = Vec::new();
        for Pipe { step, closed, .. } in &feed.sources {
            if plan.legs.known(*step).is_none() {
                self.pending = true;
                values.extend(feed.kind.map(|kind| stand_in(kind, false, 0)));
                continue;
            }
            let axes = plan.legs.axes_of(*step);
            let closed_axes: Vec<_> =
                axes.iter().copied().filter(|a| closed.has(&plan.legs.axes[a.0].name)).collect();
            for source in plan.legs.reading(*step, &self.at, &closed_axes) {
                let Some(result) = self.results.get(source) else {
                    self.pending = true;
                    // One of those that are still to come.
                    values.extend(feed.kind.map(|kind| stand_in(kind, false, 0)));
                    continue;
                };
                match &result.output {
                    Some(output) => {
                        let found: Vec<Value> = match feed.kind {
                            Some(kind) => output.files(kind).into_iter().cloned().map(Value::Media).collect(),
                            None => output.text().map(Value::from).into_iter().collect(),
                        };
                        values.extend(found);
                    }
                    None if *closed == Closed::None => self.absent = self.absent.or(Some(source)),
                    None => {}
                }
            }
        }
        if self.absent.is_some() {
            return None;
        }
        if self.pending && feed.kind.is_none() {
            self.unknown = true;
            return None;
        }
        if feed.many {
            let least = self.step.callee.fields.get(&feed.field).map_or(0, Field::least_items);
            if let (true, Some(kind)) = (self.pending, feed.kind) {
                // A source may give several.
                values.extend((values.len()..least).map(|_| stand_in(kind, false, 0)));
            }
            return Some(Value::List(values));
        }
        if values.is_empty() {
            let message = format!("nothing of the right kind came out for `{}`", feed.field);
            self.findings.push(Diagnostic::error(Code::MediaMismatch, &self.step.source, feed.span, message));
        }
        values.into_iter().next()
    }

    /// Makes a rendered value fit its field where that is safe, else notes why it does not.
    /// None stays none.
    fn fit(&mut self, name: &str, value: Value, bound: &Bound, field: Option<&Field>) -> Option<Value> {
        match fit::fitting(name, value, bound, field, &self.plan.files) {
            Ok(value) => Some(value),
            Err(Misfit::NotYet) => {
                self.pending = true;
                self.unknown = true;
                None
            }
            Err(Misfit::Wrong(findings)) => {
                self.findings.extend(findings);
                None
            }
        }
    }

    /// Derived presets turn their inputs into those of the next one, down to the model's.
    fn through_layers(&mut self, given: IndexMap<String, Value>) -> Option<IndexMap<String, Value>> {
        let callee = &self.step.callee;
        let mut given = given;
        for (i, layer) in callee.layers.iter().enumerate() {
            let next = match callee.layers.get(i + 1) {
                Some(_) => callee.layer_fields(i + 1),
                None => callee.model_fields(),
            };
            given = self.layer(layer, &given, callee.layer_fields(i), next)?;
        }
        Some(given)
    }

    fn layer(
        &mut self,
        layer: &Layer,
        given: &IndexMap<String, Value>,
        own: &IndexMap<String, Field>,
        next: &IndexMap<String, Field>,
    ) -> Option<IndexMap<String, Value>> {
        let inputs = self.inputs_of(&layer.inputs, &layer.source, own, given)?;
        let scope = Arc::new(Scope {
            inputs: Arc::new(inputs),
            vars: layer.vars.clone(),
            steps: None,
            file: None,
            templates: self.plan.graph.templates.clone(),
            files: self.plan.files.clone(),
            document: layer.source.name.clone(),
            depth: 0,
            reads: Arc::default(),
            memo: Arc::default(),
        });
        let mut out = IndexMap::new();
        for (name, bound) in &layer.with {
            let value = self.render_in(bound, &scope)?;
            out.insert(name.clone(), self.fit(name, value, bound, next.get(name))?);
        }
        Some(out)
    }

    /// What is given for declared inputs, else their defaults.
    fn inputs_of(
        &mut self,
        declared: &IndexMap<Name, Input>,
        source: &Source,
        own: &IndexMap<String, Field>,
        given: &IndexMap<String, Value>,
    ) -> Option<IndexMap<Name, Value>> {
        let mut inputs = IndexMap::new();
        for (name, input) in declared {
            let value = match (given.get(name.as_str()).filter(|v| !v.is_null()), &input.default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => Some(self.default(name, default, source, own)?),
                (None, None) => None,
            };
            if value.is_none() {
                let place = self.step.with.get(name.as_str()).map(|bound| bound.span);
                let span = place.unwrap_or(self.step.uses_span);
                let message = format!("`{}` needs `{name}`, and this is none", self.step.callee.uses);
                let finding = Diagnostic::error(Code::MissingInput, &self.step.source, span, message);
                self.findings.push(finding.label(source, input.name_span, "declared here"));
                return None;
            }
            inputs.extend(value.map(|v| (name.clone(), v)));
        }
        Some(inputs)
    }

    /// What an input of a derived preset or of a called workflow is when nothing is given for it.
    fn default(
        &mut self,
        name: &Name,
        default: &Spanned<serde_json::Value>,
        source: &Source,
        own: &IndexMap<String, Field>,
    ) -> Option<Value> {
        match fit::default_of(default, source, own.get(name.as_str())?, &self.plan.files) {
            Ok(value) => Some(value),
            Err(NoValue::NotYet) => {
                self.pending = true;
                self.unknown = true;
                None
            }
            Err(NoValue::Wrong(faults)) => {
                self.findings.extend(faults.findings(&format!("`{name}"), source, default.span));
                None
            }
        }
    }

    /// The draw: that of the calling step, then own axes that the request never mentions, then
    /// `draw` or a re-roll.
    fn draw(&mut self, leg: LegId) -> Vec<Value> {
        let plan = self.plan;
        let step = &plan.graph.steps[plan.legs.step(leg)];
        let mut draw = plan.caller(leg).map(|call| self.draw(call)).unwrap_or_default();
        draw.extend(plan.own_draw(leg));
        match (plan.reroll(leg), &step.draw) {
            (Some(token), _) => draw.push(token.into()),
            (None, Some(bound)) => {
                let scope = plan.scope(Some(leg), self.results);
                draw.extend(self.render_in(bound, &scope).filter(|value| !value.is_null()));
            }
            (None, None) => {}
        }
        // A call passes it on to its steps.
        if !step.cache && step.predicts() {
            draw.push(Value::String(format!("run {}", plan.choices.run)));
        }
        draw
    }

    /// The request, once the input is that of the model.
    fn ready(&mut self, mut input: IndexMap<String, Value>, draw: Vec<Value>) -> Option<Ready> {
        let requests = self.requests;
        requests.complete(&mut input, &draw);
        self.check_whole(&input);
        let route = match &requests.route {
            Ok(route) => route,
            Err(finding) => {
                self.findings.push((**finding).clone());
                return None;
            }
        };
        self.findings.is_empty().then(|| requests.ready(route, input, draw))
    }

    /// The whole input against the model's schema and rules.
    fn check_whole(&mut self, input: &IndexMap<String, Value>) {
        let model = &self.step.callee.model;
        let source = &self.step.source;
        let span = self.step.with_span.unwrap_or(self.step.uses_span);
        let json = input_json(input);
        for misfit in model.misfits(&json) {
            let message =
                format!("the input of `{}`{} {}", self.step.callee.uses, misfit.path, misfit.message);
            self.findings
                .push(Diagnostic::error(Code::InvalidInput, source, span, message).maybe_hint(misfit.hint));
        }
        let place = |input: &str| {
            let bound = self.step.with.get(input).filter(|bound| bound.source == *source);
            let written = bound.map(|b| (b.span, matches!(b.kind, BoundKind::Literal(_))));
            written.or_else(|| Some((self.step.feeds.iter().find(|feed| feed.field == input)?.span, false)))
        };
        for (rule, validator) in &model.rules {
            self.findings.extend(rule_finding(rule, validator, &model.source, &json, source, span, place));
        }
    }
}

/// What stands in for media that are still to come; a list has at least so many.
fn stand_in(kind: MediaKind, many: bool, least: usize) -> Value {
    let artifact = Value::Media(Artifact {
        digest: Digest::of(b"still to come"),
        media_type: MediaType::new(kind.content_type()),
        bytes: 0,
        width: None,
        height: None,
    });
    if many { Value::List(vec![artifact; least.max(1)]) } else { artifact }
}

/// What a step writes out for its model, and the inputs for which something comes.
fn written(step: &Step) -> (IndexMap<String, Value>, BTreeSet<&str>) {
    let mut input = IndexMap::new();
    let mut later: BTreeSet<&str> = step.feeds.iter().map(|feed| feed.field.as_str()).collect();
    let own = step.with.iter().filter(|_| step.callee.layers.is_empty());
    for (name, bound) in own.chain(step.callee.layers.iter().flat_map(|layer| &layer.with)) {
        match &bound.kind {
            BoundKind::Literal(Value::Null) => {}
            BoundKind::Literal(value) => drop(input.insert(name.clone(), value.clone())),
            _ => drop(later.insert(name)),
        }
    }
    (input, later)
}

/// An input as prices see it: what nothing is said about has the model's own default.
pub(crate) fn with_schema_defaults(
    input: &IndexMap<String, Value>,
    callee: &Callee,
) -> IndexMap<String, Value> {
    let mut filled = input.clone();
    for (name, field) in callee.model_fields() {
        if let Some(default) = field.default_value() {
            filled.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
    filled
}
