//! Rules between a model's inputs, as far as the inputs are known before there is a value.
//!
//! Start reading at [`Check::check_rules`].

use std::collections::BTreeSet;

use castline_spec::Span;
use serde_json::{Map, Value as Json};

use super::known::{Known, expression_span};
use super::values::rule_finding;
use super::{Check, Feed};
use crate::callee::Callee;
use crate::field::as_json;
use crate::types::infer::Infer;
use crate::types::{Kinds, Type};

/// Combinations of values that are tried.
const MOST_COMBINATIONS: usize = 64;
/// What stands for a media value.
const SOME_MEDIA: &str = "artifact:";

/// What an input can be: a value, or nothing.
type Choices = Vec<Option<Json>>;

impl Check<'_> {
    /// Rules that break whatever comes.
    pub(super) fn check_rules(
        &mut self,
        number: usize,
        callee: &Callee,
        feeds: Option<&[Feed]>,
        known: &Known<'_>,
    ) {
        // What a derived preset sends is known once its templates are rendered.
        let Some(feeds) = feeds.filter(|_| callee.layers.is_empty()) else { return };
        for (rule, validator) in &callee.model.rules {
            let Some(inputs) = mentioned(&rule.schema) else { continue };
            let choices: Option<Vec<(String, Choices)>> = inputs
                .into_iter()
                .map(|input| Some((input.clone(), self.choices(number, &input, callee, feeds, known)?)))
                .collect();
            let Some(combinations) = choices.and_then(combinations) else { continue };
            let Some(worst) =
                combinations.first().filter(|_| combinations.iter().all(|one| !validator.is_valid(one)))
            else {
                continue;
            };
            let (_, step) = self.workflow.steps.get_index(number).expect("a step's number");
            let place = |input: &str| -> Option<(Span, bool)> {
                let written = step.with.get(input).map(|b| (expression_span(&b.value), b.value.is_literal()));
                written.or_else(|| Some((feeds.iter().find(|feed| feed.field == input)?.span, false)))
            };
            let whole = step.with_span.unwrap_or(step.uses.span);
            let source = &self.workflow.source;
            let finding = rule_finding(rule, validator, &callee.model.source, worst, source, whole, place);
            self.found.list.extend(finding);
        }
    }

    /// Everything that an input can be; none when that is not known.
    fn choices(
        &self,
        number: usize,
        input: &str,
        callee: &Callee,
        feeds: &[Feed],
        known: &Known<'_>,
    ) -> Option<Choices> {
        let field = callee.fields.get(input)?;
        if let Some(feed) = feeds.iter().find(|feed| feed.field == input) {
            return (!feed.many).then(|| vec![Some(SOME_MEDIA.into())]);
        }
        let unset = || callee.model.defaults.get(input).map(as_json);
        let (_, step) = self.workflow.steps.get_index(number)?;
        let Some(binding) = step.with.get(input) else { return Some(vec![unset()]) };
        let given = match binding.value.as_literal() {
            Some(json) => Type::literal(&json),
            None => Infer::new(&known.of_step(number), &self.workflow.source).value(&binding.value),
        };
        let kinds = given.kinds();
        if kinds.only(Kinds::MEDIA) || field.media.is_some_and(|media| !media.many) && kinds.only(Kinds::TEXT)
        {
            return Some(vec![Some(SOME_MEDIA.into())]);
        }
        if field.media.is_some() && kinds.any(Kinds::TEXT) {
            // A pattern of files: how many match is known later.
            return None;
        }
        let values =
            given.values().filter(|_| !field.takes_text_only() || kinds.only(Kinds::TEXT.or(Kinds::NULL)))?;
        Some(values.into_iter().map(|value| if value.is_null() { unset() } else { Some(value) }).collect())
    }
}

/// Every combination, as inputs; none when there are too many.
fn combinations(choices: Vec<(String, Choices)>) -> Option<Vec<Json>> {
    let mut all = vec![Map::new()];
    for (input, choices) in choices {
        if all.len() * choices.len() > MOST_COMBINATIONS {
            return None;
        }
        let with = |one: &Map<String, Json>, choice: &Option<Json>| {
            let mut one = one.clone();
            one.extend(choice.clone().map(|value| (input.clone(), value)));
            one
        };
        all = all.iter().flat_map(|one| choices.iter().map(move |choice| with(one, choice))).collect();
    }
    Some(all.into_iter().map(Json::Object).collect())
}

/// The inputs that a rule looks at; none when it may look at every one.
fn mentioned(rule: &Json) -> Option<BTreeSet<String>> {
    let mut inputs = BTreeSet::new();
    let Some(map) = rule.as_object() else { return Some(inputs) };
    for (key, value) in map {
        match (key.as_str(), value) {
            ("properties", Json::Object(properties)) => inputs.extend(properties.keys().cloned()),
            ("required", Json::Array(names)) => {
                inputs.extend(names.iter().filter_map(Json::as_str).map(str::to_owned));
            }
            ("dependentRequired", Json::Object(named)) => {
                inputs.extend(named.keys().cloned());
                let names = named.values().filter_map(Json::as_array).flatten();
                inputs.extend(names.filter_map(Json::as_str).map(str::to_owned));
            }
            ("if" | "then" | "else" | "not", schema) => inputs.extend(mentioned(schema)?),
            ("allOf" | "anyOf" | "oneOf", Json::Array(schemas)) => {
                for schema in schemas {
                    inputs.extend(mentioned(schema)?);
                }
            }
            ("type" | "title" | "description" | "$comment", _) => {}
            _ => return None,
        }
    }
    Some(inputs)
}
