//! Prices: their expressions are about inputs that there are, and have a value for every word.

use std::collections::BTreeSet;

use castline_spec::diagnostic::{did_you_mean, nearest};
use castline_spec::preset::{Body, ModelPreset, OutputKind, PriceRule};
use castline_spec::{Code, Diagnostic, Diagnostics, Preset, Project, Source, Span};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::Check;
use super::examples::Tried;
use super::places::path;
use crate::callee::Callee;
use crate::field::{Field, as_json};
use crate::price::{self, Gap};
use crate::value::Value;

impl Check<'_> {
    /// The preset's prices and those of its routes.
    pub(super) fn prices(&mut self, model: &ModelPreset, callee: &Callee, tried: &[Tried]) {
        let routes = model.routes.values().map(|route| route.price.as_slice());
        let sheets: Vec<&[PriceRule]> = [model.price.as_slice()].into_iter().chain(routes).collect();
        for rules in sheets.into_iter().filter(|rules| !rules.is_empty()) {
            let names: BTreeSet<&str> = model.property_spans.keys().map(String::as_str).collect();
            let found = sheet(rules, self.source, &self.preset.name, &names);
            let readable = found.list.is_empty();
            self.found.extend(found);
            self.units_of_output(rules, model);
            // What inputs never tell is known after the run, and no gap.
            let told = rules.iter().all(|r| r.quantity.is_some() || price::counts_by(&r.per).is_some());
            if readable && told {
                self.examples_have_prices(rules, tried);
                self.words_have_prices(rules, callee, tried);
            }
        }
    }

    /// A unit that the output does not have is never settled.
    fn units_of_output(&mut self, rules: &[PriceRule], model: &ModelPreset) {
        let pictures = matches!(model.output.kind, OutputKind::Image | OutputKind::File | OutputKind::Json);
        for rule in rules.iter().filter(|rule| matches!(&*rule.per, "image" | "megapixel") && !pictures) {
            let message = format!("the model gives no images, and the price is by `{}`", rule.per);
            let span = self.places.value(&path(&["output", "type"]));
            let finding = Diagnostic::warning(Code::InvalidValue, self.source, place(rule), message);
            self.found.push(finding.label(self.source, span, "what the model gives"));
        }
    }

    fn examples_have_prices(&mut self, rules: &[PriceRule], tried: &[Tried]) {
        for tried in tried {
            let Some(gap) = tried.input.as_ref().and_then(|input| price::gap(rules, input)) else { continue };
            let (span, why) = explain(gap, rules);
            let message = format!("example {} has no price: {why}", tried.number + 1);
            let finding = Diagnostic::warning(Code::InvalidValue, self.source, span, message);
            self.found.push(finding.label(self.source, tried.span, "this example"));
        }
    }

    /// Each word of an input that decides about the price, and every combination of them, in the first
    /// example that has a price.
    fn words_have_prices(&mut self, rules: &[PriceRule], callee: &Callee, tried: &[Tried]) {
        let read: BTreeSet<String> = rules.iter().flat_map(price::named).collect();
        let of_field = |(name, field): (&String, &Field)| {
            read.contains(name).then(|| (name.clone(), words(field))).filter(|(_, words)| !words.is_empty())
        };
        let read: Vec<(String, Vec<Json>)> = callee.model_fields().iter().filter_map(of_field).collect();
        let mut gaps: Vec<(Words, Span, String)> = Vec::new();
        let mut priced =
            tried.iter().filter_map(|t| t.input.as_ref()).filter(|i| price::gap(rules, i).is_none());
        let Some(input) = priced.next() else { return };
        for words in combinations(&read, input) {
            let known = |gap: &(Words, Span, String)| gap.0.iter().all(|word| words.contains(word));
            let mut with = input.clone();
            with.extend(words.iter().map(|(name, word)| (name.clone(), Value::from_json(word.clone()))));
            if !gaps.iter().any(known)
                && fits(callee, &with)
                && let Some(gap) = price::gap(rules, &with)
            {
                let (span, why) = explain(gap, rules);
                gaps.push((words, span, why));
            }
        }
        let more = gaps.len().saturating_sub(MOST_GAPS);
        for (i, (words, span, why)) in gaps.into_iter().take(MOST_GAPS).enumerate() {
            let named: Vec<_> = words.iter().map(|(name, word)| format!("`{name}: {word}`")).collect();
            let message = format!("there is no price for {}: {why}", named.join(" with "));
            let declared = callee.model_fields()[&words[0].0].span;
            let finding = Diagnostic::warning(Code::InvalidValue, self.source, span, message);
            let finding = finding.label(self.source, declared, "declared here");
            let rest = (i + 1 == MOST_GAPS && more > 0).then(|| format!("there are {more} more like this"));
            self.found.push(finding.maybe_hint(rest));
        }
    }
}

/// Values of some inputs.
type Words = Vec<(String, Json)>;

/// So many gaps are shown of one list of prices.
const MOST_GAPS: usize = 4;
/// So many combinations are tried; beyond that one word at a time.
const MOST_COMBINATIONS: usize = 4096;

/// Every way in which an input can say other words, those with the fewest first.
fn combinations(read: &[(String, Vec<Json>)], input: &IndexMap<String, Value>) -> Vec<Words> {
    let count = read.iter().try_fold(1_usize, |n, (_, words)| n.checked_mul(words.len() + 1));
    let all = count.is_some_and(|count| count <= MOST_COMBINATIONS);
    let mut combinations: Vec<Words> = vec![Vec::new()];
    for (name, words) in read {
        let other = |word: &&Json| input.get(name) != Some(&Value::from_json((*word).clone()));
        let others: Vec<&Json> = words.iter().filter(other).collect();
        let known = combinations.clone();
        for before in known.iter().filter(|before| all || before.is_empty()) {
            let with = |word: &&Json| {
                before.iter().cloned().chain([(name.clone(), (*word).clone())]).collect::<Words>()
            };
            combinations.extend(others.iter().map(with));
        }
    }
    combinations.retain(|words| !words.is_empty());
    combinations.sort_by_key(Vec::len);
    combinations
}

/// A project's prices for a preset.
pub(super) fn of_project(project: &Project, name: &str, preset: &Preset) -> Diagnostics {
    let Body::Model(model) = &preset.body else { return Diagnostics::default() };
    let Some(rules) = project.prices.get(name) else { return Diagnostics::default() };
    let names: BTreeSet<&str> = model.property_spans.keys().map(String::as_str).collect();
    sheet(rules, &project.source, &preset.name, &names)
}

/// What can be said of prices without any input.
fn sheet(rules: &[PriceRule], source: &Source, preset: &str, names: &BTreeSet<&str>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for rule in rules {
        for name in price::named(rule).iter().filter(|name| !names.contains(name.as_str())) {
            let span = place_of(rule, name, source);
            let message = format!("`{preset}` has no input `{name}`");
            let known = || names.iter().copied();
            let finding = Diagnostic::error(Code::UnknownInput, source, span, message)
                .maybe_hint(did_you_mean("an input", name, known()));
            found.push(match nearest(name, known()) {
                Some(near) => finding.suggest(span, near),
                None => finding,
            });
        }
        let counted = price::counts_by(&rule.per).unwrap_or_default();
        let there = |names_of: &Vec<&str>| names_of.iter().all(|name| names.contains(name));
        if rule.quantity.is_none() && !counted.is_empty() && !counted.iter().any(there) {
            let by: Vec<_> = counted
                .iter()
                .map(|all| all.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and "))
                .collect();
            let message =
                format!("`{}` is counted by {}, which `{preset}` does not take", rule.per, by.join(" or "));
            let finding = Diagnostic::warning(Code::InvalidValue, source, place(rule), message);
            found.push(
                finding.hint("say how many with `quantity`; without it there is no price before the run"),
            );
        }
    }
    found
}

/// Why there is no price, and which rule is to blame.
fn explain(gap: Gap<'_>, rules: &[PriceRule]) -> (Span, String) {
    match gap {
        Gap::Condition(rule) => (expression(rule.condition.as_ref(), rule), "`if` has no value".to_owned()),
        Gap::Quantity(rule) if rule.quantity.is_some() => {
            (expression(rule.quantity.as_ref(), rule), "`quantity` has no value that can be one".to_owned())
        }
        Gap::Quantity(rule) => {
            let counted = price::counts_by(&rule.per).unwrap_or_default();
            let why = match counted.first().and_then(|names| names.first()) {
                Some(name) => format!("`{}` is counted by `{name}`, which is not said", rule.per),
                None => format!("how often `{}` counts is not known from the inputs", rule.per),
            };
            (place(rule), why)
        }
        Gap::NoRule => (rules.first().map(place).unwrap_or_default(), "no `if` holds".to_owned()),
    }
}

fn expression(code: Option<&castline_spec::Spanned<String>>, rule: &PriceRule) -> Span {
    code.map_or_else(|| place(rule), |code| code.span)
}

/// A rule on several lines is shown where it begins.
fn place(rule: &PriceRule) -> Span {
    match rule.span.start.line == rule.span.end.line {
        true => rule.span,
        false => Span::at(rule.span.start),
    }
}

/// Where a rule names an input, else the rule.
fn place_of(rule: &PriceRule, name: &str, source: &Source) -> Span {
    let spans = [&rule.condition, &rule.quantity].into_iter().flatten().map(|code| code.span);
    for span in spans {
        let text = source.slice(span);
        let starts = text.match_indices("input.").map(|(at, _)| at + "input.".len());
        for at in starts {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if &rest[..end] == name {
                let start = span.start.offset + at;
                return source.span(start..start + end);
            }
        }
    }
    place(rule)
}

/// The words of a field that can be counted up.
fn words(field: &Field) -> Vec<Json> {
    match (field.schema["enum"].as_array(), &field.types()[..]) {
        (Some(words), _) => words.iter().filter(|word| !word.is_null()).cloned().collect(),
        (None, ["boolean"]) => vec![Json::Bool(true), Json::Bool(false)],
        _ => Vec::new(),
    }
}

/// True when the model takes this; what it never takes needs no price.
fn fits(callee: &Callee, input: &IndexMap<String, Value>) -> bool {
    let json = as_json(&Value::Map(input.clone()));
    callee.model.misfits(&json).is_empty() && callee.model.rules.iter().all(|(_, rule)| rule.is_valid(&json))
}
