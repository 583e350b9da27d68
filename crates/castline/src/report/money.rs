//! What a run cost, in words.

use std::collections::BTreeSet;

use castline_core::MicroUsd;
use castline_core::event::Totals;
use castline_core::price::Estimate;
use castline_core::record::{LegRecord, RunRecord};
use castline_core::results::LegStatus;

use super::plan::counted;
use crate::screen::{HINT, WARN, printable};

/// `cost 0.12 USD, 0.04 USD saved by reuse`; on the sandbox what it would have been.
pub(crate) fn bill(record: &RunRecord) -> String {
    let totals = &record.totals;
    let unpriced = match totals.unpriced {
        0 => String::new(),
        n => format!(" and {n} unpriced"),
    };
    if record.provider == "sandbox" && totals.cost == MicroUsd::ZERO {
        return match (totals.would_cost, totals.unpriced) {
            (MicroUsd::ZERO, 0) => "nothing to pay".to_owned(),
            (usd, _) => format!("nothing to pay (live it would have been {usd}{unpriced})"),
        };
    }
    let saved = match totals.saved {
        MicroUsd::ZERO => String::new(),
        saved => format!(", {saved} saved by reuse"),
    };
    format!("cost {}{unpriced}{saved}", totals.cost)
}

/// What a run has cost that goes on: `0.12 USD so far`.
pub(crate) fn so_far(record: &RunRecord) -> String {
    let spent: MicroUsd = record.legs.iter().map(|leg| leg.cost.unwrap_or_default() + leg.lost).sum();
    match spent {
        MicroUsd::ZERO => "nothing to pay so far".to_owned(),
        spent => format!("{spent} so far"),
    }
}

/// What the legs that run now may cost, but for providers that take no money.
pub(crate) fn reserved(record: &RunRecord, free: &BTreeSet<String>) -> MicroUsd {
    let runs = |leg: &&LegRecord| leg.status == LegStatus::NotRun && leg.finished.is_none();
    let reserved = |leg: &LegRecord| {
        let costs = !free.contains(&*leg.request.as_ref()?.provider.0);
        leg.estimate.filter(|_| costs).map(|estimate| estimate.max)
    };
    record.legs.iter().filter(runs).filter_map(reserved).sum()
}

/// A line for each model whose price was not what its rules say, and what to do.
pub(crate) fn drift(record: &RunRecord) -> Vec<String> {
    let drifts = record.drift();
    let mut lines: Vec<_> = drifts
        .iter()
        .map(|drift| {
            format!(
                "{WARN}price drift{WARN:#}: {} of `{}` at `{}` cost {} instead of {}",
                counted(drift.legs, "prediction"),
                printable(&drift.model),
                printable(&drift.provider.0),
                drift.settled,
                range(drift.expected)
            )
        })
        .collect();
    if !lines.is_empty() {
        lines.push(format!(
            "  = {HINT}hint{HINT:#}: compare with the provider's page, and correct it under `prices:` in castline.yaml"
        ));
    }
    lines
}

/// `0.04 USD`, or `0.04 to 0.16 USD`.
pub(crate) fn range(price: Estimate) -> String {
    match price.min == price.max {
        true => price.max.to_string(),
        false => format!("{} to {}", price.min.to_string().trim_end_matches(" USD"), price.max),
    }
}

/// What was paid, in a word.
pub(crate) fn paid(provider: &str, totals: &Totals) -> String {
    match (totals.cost, totals.unpriced) {
        (MicroUsd::ZERO, 0) => "free".to_owned(),
        (MicroUsd::ZERO, _) if provider == "sandbox" => "free".to_owned(),
        (cost, 0) => cost.to_string(),
        (cost, n) => format!("{cost} and {n} unpriced"),
    }
}

/// `0.04 USD`, `free`, `price unknown`; none for a leg that asked nobody.
pub(crate) fn of_leg(leg: &LegRecord) -> Option<String> {
    if leg.request.is_none() || leg.reused || matches!(leg.status, LegStatus::NotRun) {
        return None;
    }
    Some(match (leg.cost, leg.estimate.map(|e| e.max)) {
        (None, _) => "price unknown".to_owned(),
        (Some(MicroUsd::ZERO), Some(usd)) if usd > MicroUsd::ZERO => format!("free (live {usd})"),
        (Some(MicroUsd::ZERO), None) => "free (live unpriced)".to_owned(),
        (Some(MicroUsd::ZERO), _) => "free".to_owned(),
        (Some(cost), _) => cost.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::report::testing::{entry, leg, request};

    fn billed(provider: &str, cost: u64, would_cost: u64, saved: u64, unpriced: usize) -> String {
        let usd = MicroUsd;
        let totals = Totals { cost: usd(cost), would_cost: usd(would_cost), saved: usd(saved), unpriced };
        bill(&RunRecord { provider: provider.to_owned(), totals, ..RunRecord::default() })
    }

    fn succeeded(values: &Json, billed: bool, estimate: (u64, u64), cost: u64) -> Json {
        json!({
            "type": "leg-succeeded", "leg": leg("a", values), "output": null, "prediction": "p",
            "cost": cost, "estimate": { "min": estimate.0, "max": estimate.1 }, "billed": billed,
            "predict_seconds": null,
        })
    }

    #[test]
    fn a_price_that_is_not_what_the_rules_say_is_told_once_a_model() {
        let mut events = Vec::new();
        for (n, (billed, estimate, cost)) in [
            (true, (40_000, 40_000), 80_000),
            (true, (40_000, 60_000), 30_000),
            (true, (40_000, 60_000), 50_000),
            (false, (40_000, 40_000), 0),
        ]
        .into_iter()
        .enumerate()
        {
            let values = json!({ "n": n });
            events.push(json!({
                "type": "leg-started", "leg": leg("a", &values), "attempt": 1,
                "estimate": { "min": estimate.0, "max": estimate.1 },
                "request": request("a boat", &json!({})),
            }));
            events.push(succeeded(&values, billed, estimate, cost));
        }
        let entries = events.into_iter().enumerate().map(|(seq, event)| entry(seq, event));
        let lines = drift(&RunRecord::of(entries)).join("\n");
        insta::assert_snapshot!(console::strip_ansi_codes(&lines), @r"
        price drift: 2 predictions of `owner/model` at `sandbox` cost 0.11 USD instead of 0.08 to 0.10 USD
          = hint: compare with the provider's page, and correct it under `prices:` in castline.yaml
        ");
    }

    #[test]
    fn the_bill_says_what_was_paid_and_what_was_not() {
        assert_eq!(billed("replicate", 40_000, 40_000, 3_000, 0), "cost 0.04 USD, 0.003 USD saved by reuse");
        assert_eq!(billed("replicate", 40_000, 40_000, 0, 2), "cost 0.04 USD and 2 unpriced");
        assert_eq!(billed("sandbox", 0, 0, 40_000, 0), "nothing to pay");
        assert_eq!(
            billed("sandbox", 0, 120_000, 0, 3),
            "nothing to pay (live it would have been 0.12 USD and 3 unpriced)"
        );
    }
}
