//! Whether a job may spend what it would.
//!
//! Start reading at [`Job::check_money`].

use std::collections::{BTreeSet, HashSet};

use castline_core::forecast::{Fate, Forecast};
use castline_core::ledger::{Account, RunId};
use castline_core::legs::LegId;
use castline_core::plan::Expected;
use castline_core::{Key, MicroUsd};
use castline_store::{Brief, Store};

use super::Job;
use super::answers::is_paid;
use super::cost::{Cost, bills};
use crate::providers;
use crate::trouble::Trouble;

impl Job {
    /// Refuses, before anybody is asked and anything is created, what the budgets cannot pay
    /// for and what has no price.
    pub async fn check_money(&self) -> Result<(), Trouble> {
        let Some(forecast) = &self.forecast else { return Ok(()) };
        self.check_offline()?;
        self.check_priced(forecast)?;
        self.check_run(forecast)?;
        self.check_applied(forecast).await?;
        self.check_session(forecast).await?;
        self.check_day(forecast).await
    }

    /// Refuses, with `--offline`, what would ask a live provider.
    pub fn check_offline(&self) -> Result<(), Trouble> {
        let Some(forecast) = self.forecast.as_ref().filter(|_| self.wishes.offline) else { return Ok(()) };
        let asks = |leg: &LegId| match forecast.fate(*leg) {
            Fate::Upstream => bills(forecast, forecast.plan.legs.step(*leg)),
            fate => runs_live(fate),
        };
        let Some(first) = forecast.plan.order().into_iter().find(asks) else { return Ok(()) };
        Err(Trouble::usage(
            format!("`--offline`, and `{}` would ask a live provider", forecast.plan.leg_name(first)),
            "choose the sandbox with `--provider sandbox`, or leave `--offline` out",
        ))
    }

    /// Refuses what a plan has no room for any more: what it was applied for before is spent.
    async fn check_applied(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let budget = providers::budget(&self.project, &self.wishes, forecast.plan.routing.is_live());
        let (Some(_), Some(budget)) = (&self.account, budget) else { return Ok(()) };
        let held = match &self.store {
            Some(store) => store.ledger().spent(&self.account()).await.map_err(crate::ledger::trouble)?.held,
            None => MicroUsd::ZERO,
        };
        let (left, needed) = (budget.saturating_sub(held), Cost::of(forecast, &self.paid).min);
        if needed <= left {
            return Ok(());
        }
        Err(Trouble::Refused {
            message: format!(
                "what is left of this plan costs at least {needed}, and {left} of its {budget} are left"
            ),
            hint: Some("make a new plan with `castline plan -o`: what is finished is reused".to_owned()),
        })
    }

    /// Refuses what the session's budget has no room for.
    async fn check_session(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let Some((session, budget)) = self.session.as_ref().and_then(|s| Some((s, s.budget?))) else {
            return Ok(());
        };
        let (left, needed) = (
            budget.saturating_sub(session.held(self.store.as_ref()).await?),
            Cost::of(forecast, &self.paid).min,
        );
        if needed <= left || self.wishes.partial || !forecast.plan.routing.is_live() {
            return Ok(());
        }
        Err(Trouble::Refused {
            message: format!(
                "this costs at least {needed}, and {left} are left of the {budget} of this watch"
            ),
            hint: Some("begin again with more of a `--budget`: what is finished is reused".to_owned()),
        })
    }
    /// The account of the run's money.
    pub(crate) fn account(&self) -> Account {
        Account::Run(RunId::from(self.account.as_deref().unwrap_or(&self.run)))
    }

    /// Refuses what the run's budget has no room for.
    fn check_run(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let cost = Cost::of(forecast, &self.paid);
        let Some(budget) = providers::budget(&self.project, &self.wishes, forecast.plan.routing.is_live())
        else {
            return Ok(());
        };
        if cost.min > budget && !self.wishes.partial && self.account.is_none() {
            return Err(Trouble::Refused {
                message: format!("this run costs at least {}, and its budget is {budget}", cost.min),
                hint: Some(match &self.session {
                    None => format!(
                        "raise it with `--budget {}`, or go as far as it does with `--partial`",
                        cost.min.usd()
                    ),
                    // The flag of a watch is for all its runs together.
                    Some(_) => format!("raise `limits.budget_usd` in castline.yaml to {}", cost.min.usd()),
                }),
            });
        }
        Ok(())
    }

    /// Refuses what the project's budget of 24 hours has no room for.
    async fn check_day(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let Some(limit) = providers::day_budget(&self.project).filter(|_| forecast.plan.routing.is_live())
        else {
            return Ok(());
        };
        let (mut held, mut paid) = (MicroUsd::ZERO, HashSet::new());
        if let Some(store) = &self.store {
            held = store.ledger().spent(&Account::Day).await.map_err(crate::ledger::trouble)?.held;
            // After the sum: what another process has reserved since the plan is no cost of ours.
            paid = paid_since(store, forecast).await?;
        }
        let (left, needed) = (limit.saturating_sub(held), Cost::of(forecast, &paid).min);
        if needed <= left || self.wishes.partial {
            return Ok(());
        }
        Err(Trouble::Refused {
            message: format!(
                "this run costs at least {needed}, and {left} are left of the project's {limit} for 24 hours"
            ),
            hint: Some(
                "wait, raise `limits.budget_usd_per_day`, or go as far as it does with `--partial`"
                    .to_owned(),
            ),
        })
    }

    /// Refuses what would run at a provider that takes money, and nobody knows how much.
    pub(crate) fn check_priced(&self, forecast: &Forecast) -> Result<(), Trouble> {
        let graph = &forecast.plan.graph;
        let unpriced = |leg: &LegId| match forecast.fate(*leg) {
            Fate::Run(ready, _) => ready.bills && ready.estimate.is_none(),
            Fate::Upstream => is_unpriced(forecast, forecast.plan.legs.step(*leg)),
            _ => false,
        };
        let deferred = forecast.plan.legs.deferred().filter(|step| is_unpriced(forecast, *step));
        let unpriced: BTreeSet<&str> = forecast
            .plan
            .order()
            .into_iter()
            .filter(unpriced)
            .map(|leg| forecast.plan.legs.step(leg))
            .chain(deferred)
            .map(|step| graph.steps[step].name.as_str())
            .filter(|step| !self.wishes.allows_unpriced(step))
            .collect();
        let Some(first) = unpriced.first() else { return Ok(()) };
        let names: Vec<_> = unpriced.iter().map(|s| format!("`{s}`")).collect();
        Err(Trouble::Refused {
            message: format!("the price of {} is not known", names.join(", ")),
            hint: Some(format!(
                "give it under `prices:` in castline.yaml, or allow it with `--allow-unpriced={first}`"
            )),
        })
    }
}

/// The key of a leg that runs.
fn runs(forecast: &Forecast, leg: LegId) -> Option<Key> {
    match forecast.fate(leg) {
        Fate::Run(ready, _) => Some(ready.request.key),
        _ => None,
    }
}

/// What runs in the forecast, and is paid for already.
async fn paid_since(store: &Store, forecast: &Forecast) -> Result<HashSet<Key>, Trouble> {
    let keys: Vec<Key> = forecast.plan.order().into_iter().filter_map(|leg| runs(forecast, leg)).collect();
    let briefs = store.ledger().briefs(&keys).await.map_err(crate::ledger::trouble)?;
    let is_paid = |brief: &Option<Brief>| brief.as_ref().is_some_and(|brief| is_paid(brief.state));
    Ok(keys.into_iter().zip(briefs).filter(|(_, brief)| is_paid(brief)).map(|(key, _)| key).collect())
}

/// True when the provider of a step takes money, and its price will not be known either.
fn is_unpriced(forecast: &Forecast, step: usize) -> bool {
    bills(forecast, step) && forecast.plan.expect(step) == Expected::Unpriced
}

fn runs_live(fate: &Fate) -> bool {
    matches!(fate, Fate::Run(ready, _) if ready.bills)
}
