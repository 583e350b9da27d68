//! Price rules whose expressions are compiled: once for all that has its price by them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use castline_spec::preset::PriceRule;
use minijinja::{Environment, Expression};

use super::{Asked, Estimate, Sheet};

/// Rules, ready to be held against inputs.
pub(crate) struct Rules<'a> {
    pub(super) lines: Vec<Line<'a>>,
    /// The sets of inputs that conditions read, each once.
    pub(super) tiers: Vec<BTreeSet<String>>,
}

/// A rule.
pub(super) struct Line<'a> {
    pub rule: &'a PriceRule,
    pub condition: Option<Code<'a>>,
    pub quantity: Option<Code<'a>>,
    /// The number of the set of inputs that its condition reads.
    pub tier: usize,
}

/// An expression of a rule.
pub(super) enum Code<'a> {
    /// `input.NAME`, which is most of them.
    Field(&'a str),
    /// Anything else.
    Expression(Expression<'a, 'a>),
    /// It cannot be read.
    Broken,
}

impl<'a> Rules<'a> {
    /// Compiles rules.
    pub(crate) fn of(rules: &'a [PriceRule]) -> Self {
        let mut tiers: Vec<BTreeSet<String>> = Vec::new();
        let line = |rule: &'a PriceRule| {
            let fields = rule.condition.as_ref().map(|code| fields_of(&code.value)).unwrap_or_default();
            let tier = tiers.iter().position(|set| *set == fields).unwrap_or_else(|| {
                tiers.push(fields);
                tiers.len() - 1
            });
            let compiled = |code: &'a castline_spec::Spanned<String>| Code::of(&code.value);
            let (condition, quantity) = (rule.condition.as_ref(), rule.quantity.as_ref());
            Line { rule, condition: condition.map(compiled), quantity: quantity.map(compiled), tier }
        };
        let lines = rules.iter().map(line).collect();
        Self { lines, tiers }
    }

    /// What an input can cost; none when no rule knows it.
    pub(crate) fn estimate<'i>(&self, input: impl Into<Asked<'i>>) -> Option<Estimate> {
        Sheet::new(input.into(), None).total(self)
    }
}

impl<'a> Code<'a> {
    fn of(code: &'a str) -> Self {
        let is_name = |name: &&str| {
            let mut letters = name.chars();
            letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match code.trim().strip_prefix("input.").filter(is_name) {
            Some(name) => Self::Field(name),
            None => EXPRESSIONS.compile_expression(code).map_or(Self::Broken, Self::Expression),
        }
    }
}

/// The inputs that an expression reads.
pub(super) fn fields_of(code: &str) -> BTreeSet<String> {
    let Ok(expression) = EXPRESSIONS.compile_expression(code) else { return BTreeSet::new() };
    let names = expression.undeclared_variables(true);
    names
        .iter()
        .filter_map(|name| name.strip_prefix("input.")?.split('.').next().map(str::to_owned))
        .collect()
}

/// The language of expressions. Making it takes longer than finding a price.
static EXPRESSIONS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_fuel(Some(10_000));
    env
});
