//! What a job can cost.

use std::collections::HashSet;

use castline_core::bill::Bill;
use castline_core::forecast::{Fate, Forecast};
use castline_core::{Key, MicroUsd};

use super::Job;

/// What the legs that run can cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// At least.
    pub min: MicroUsd,
    /// At most.
    pub max: MicroUsd,
    /// Legs that run on a live provider and have no price.
    pub unpriced: usize,
    /// Legs whose request is known only once others are done, and steps whose legs are.
    pub unknown: usize,
}

impl Cost {
    /// What the legs that run can cost on live providers, beyond what was `paid` before.
    pub(super) fn of(forecast: &Forecast, paid: &HashSet<Key>) -> Self {
        let mut cost = Self::default();
        for leg in forecast.plan.order() {
            match forecast.fate(leg) {
                Fate::Run(ready, _) if paid.contains(&ready.request.key) => {}
                Fate::Run(ready, _) if ready.bills => match ready.estimate {
                    Some(estimate) => {
                        cost.min += estimate.min;
                        cost.max += estimate.max;
                    }
                    None => cost.unpriced += 1,
                },
                Fate::Upstream => cost.unknown += 1,
                _ => {}
            }
        }
        cost.unknown += forecast.plan.deferred().count();
        cost
    }
}

impl Job {
    /// What the legs that run can cost on live providers, those included whose requests are not
    /// known yet, beyond what is paid for already. Nothing where nobody takes money.
    pub fn bill(&self) -> Bill {
        let Some(forecast) = self.forecast.as_ref().filter(|_| self.is_live()) else {
            return Bill::default();
        };
        Bill::of_legs(forecast, |leg| match forecast.fate(leg) {
            Fate::Run(ready, _) => ready.bills && !self.paid.contains(&ready.request.key),
            _ => true,
        })
    }

    /// What the legs that run can cost on live providers.
    pub fn live_cost(&self) -> Cost {
        self.forecast.as_ref().map(|forecast| Cost::of(forecast, &self.paid)).unwrap_or_default()
    }

    /// True when a leg may go to a provider that takes money.
    pub fn is_live(&self) -> bool {
        self.forecast.as_ref().is_some_and(|forecast| forecast.plan.routing.is_live())
    }
}

/// True when the provider of a step takes money.
pub(crate) fn bills(forecast: &Forecast, step: usize) -> bool {
    let model = &forecast.plan.graph.steps[step].callee.model;
    forecast.plan.routing.of(model).is_some_and(|route| route.bills)
}
