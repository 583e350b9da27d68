//! What a prediction can cost, by the rules of its preset or project.

use castline_spec::preset::PriceRule;
use indexmap::IndexMap;
use minijinja::{Environment, Value as Jinja, context};

use crate::money::MicroUsd;
use crate::templates::to_jinja;
use crate::value::Value;

/// The least and the most that a prediction can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Estimate {
    /// At least.
    pub min: MicroUsd,
    /// At most; this is what is reserved.
    pub max: MicroUsd,
}

/// Finds the price of an input; none when no rule knows it. `input` has the model's own
/// defaults filled in. All rules whose `if` holds add up; a rule that cannot be evaluated
/// makes the prediction unpriced.
pub fn estimate(rules: &[PriceRule], input: &IndexMap<String, Value>) -> Option<Estimate> {
    let env = expressions();
    let scope = context! { input => Jinja::from_pairs(input.iter().map(|(k, v)| (k.clone(), to_jinja(v)))) };
    let eval = |code: &str| env.compile_expression(code).and_then(|e| e.eval(&scope)).ok();
    let mut total: Option<Estimate> = None;
    for rule in rules {
        if let Some(condition) = &rule.condition
            && !eval(&condition.value)?.is_true()
        {
            continue;
        }
        let quantity = match (&rule.quantity, rule.per.as_str()) {
            (Some(code), _) => f64::try_from(eval(&code.value)?).ok()?,
            (None, "second") => f64::try_from(to_jinja(input.get("duration")?)).ok()?,
            (None, "run" | "image") => 1.0,
            (None, _) => return None,
        };
        let sum = total.get_or_insert(Estimate { min: MicroUsd::ZERO, max: MicroUsd::ZERO });
        sum.min += MicroUsd::from_usd(rule.usd_min * quantity + rule.per_run_usd)?;
        sum.max += MicroUsd::from_usd(rule.usd_max * quantity + rule.per_run_usd)?;
    }
    total
}

fn expressions() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_fuel(Some(10_000));
    env
}
