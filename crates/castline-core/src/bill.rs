//! What the legs of a forecast can cost: one by one, and together.

use std::iter::Sum;

use crate::forecast::{Fate, Forecast, Taken, Why, Word};
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::plan::{Expected, Plan};
use crate::price::Estimate;

/// What a leg can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// Nothing, ever.
    Free,
    /// So much at the provider's or preset's price.
    Known(Estimate),
    /// Nobody knows.
    Unpriced,
    /// It depends on what comes first.
    Later,
    /// It does not run.
    None,
}

impl Price {
    /// The price of a leg in a finished forecast.
    pub fn of(forecast: &Forecast, leg: LegId) -> Self {
        match forecast.fate(leg) {
            // What was created is held already, and what nobody creates costs nothing more.
            Fate::Run(
                _,
                Why::Taken(Taken::Created | Taken::Expired | Taken::InDoubt { sought: false }, _),
            ) => Self::None,
            Fate::Run(ready, why) => match ready.estimate {
                None => Self::Unpriced,
                Some(Estimate { max, .. }) if matches!(why, Why::Taken(..)) => {
                    Self::known(Estimate { min: MicroUsd::ZERO, max })
                }
                Some(estimate) => Self::known(estimate),
            },
            Fate::Upstream => Self::expected(&forecast.plan, forecast.plan.legs.step(leg)),
            Fate::Hit(..) | Fate::Same(..) | Fate::Done(_) | Fate::Skip(_) | Fate::Broken | Fate::Out => {
                Self::None
            }
        }
    }

    /// The price of a leg of a step, whose request is not known yet.
    fn expected(plan: &Plan, step: usize) -> Self {
        match plan.expect(step) {
            Expected::Known(estimate) => Self::known(estimate),
            Expected::Unpriced => Self::Unpriced,
            Expected::Later => Self::Later,
        }
    }

    /// The price of each leg of a step whose legs are not known yet.
    pub fn of_step(forecast: &Forecast, step: usize) -> Self {
        match Word::of_step(forecast, step) {
            Word::Deferred => Self::expected(&forecast.plan, step),
            _ => Self::None,
        }
    }

    fn known(estimate: Estimate) -> Self {
        if estimate.max == MicroUsd::ZERO { Self::Free } else { Self::Known(estimate) }
    }

    /// The least and the most of it; none when that is not known.
    pub fn estimate(self) -> Option<Estimate> {
        match self {
            Self::Known(estimate) => Some(estimate),
            Self::Free | Self::None => Some(Estimate::NOTHING),
            Self::Unpriced | Self::Later => None,
        }
    }
}

/// How many legs, at least and at most; no most where nothing bounds them.
pub type Many = (usize, Option<usize>);

/// Exactly one leg.
pub const ONE: Many = (1, Some(1));

impl Price {
    /// The least and the most of so many legs; none when that is not known. What nothing bounds
    /// counts at its least.
    pub fn of_legs(self, (least, most): Many) -> Option<Estimate> {
        let one = self.estimate()?;
        Some(Estimate { min: one.min * least as u64, max: one.max * most.unwrap_or(least) as u64 })
    }
}

/// What several legs can cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// What certainly runs, at least.
    pub min: MicroUsd,
    /// What may run, at most.
    pub max: MicroUsd,
    /// Legs that may run and whose price is not known, or not yet.
    pub unpriced: usize,
    /// True when a step may have any number of legs; those are not in `max`.
    pub unbounded: bool,
}

impl Bill {
    /// The bill of all legs of a finished forecast, and of those that are not known yet.
    pub fn of(forecast: &Forecast) -> Self {
        Self::of_steps(forecast, |_| true)
    }

    /// The same of some of its steps.
    pub fn of_steps(forecast: &Forecast, wanted: impl Fn(usize) -> bool) -> Self {
        Self::of_wanted(forecast, |leg| wanted(forecast.plan.legs.step(leg)), &wanted)
    }

    /// The same of some of its legs, and of all that are not known yet.
    pub fn of_legs(forecast: &Forecast, wanted: impl Fn(LegId) -> bool) -> Self {
        Self::of_wanted(forecast, wanted, |_| true)
    }

    fn of_wanted(
        forecast: &Forecast,
        wanted: impl Fn(LegId) -> bool,
        deferred: impl Fn(usize) -> bool,
    ) -> Self {
        let plan = &forecast.plan;
        let legs = plan.predictions().filter(|leg| wanted(*leg));
        let known = legs.map(|leg| (forecast.fate(leg).word(), Price::of(forecast, leg), ONE));
        let late = plan.deferred().filter(|step| deferred(*step)).map(|step| {
            let price = Price::of_step(forecast, step);
            (Word::of_step(forecast, step), price, plan.legs_expected(step))
        });
        known.chain(late).collect()
    }

    /// Adds a leg, or so many that are not known yet.
    pub fn add(&mut self, word: Word, price: Price, legs: Many) {
        if !word.may_run() {
            return;
        }
        match price {
            Price::Known(_) => {
                let all = price.of_legs(legs).unwrap_or(Estimate::NOTHING);
                let certain = !matches!(word, Word::Later | Word::Deferred);
                self.min += if certain { all.min } else { MicroUsd::ZERO };
                self.max += all.max;
                self.unbounded |= legs.1.is_none();
            }
            Price::Unpriced | Price::Later => self.unpriced += 1,
            Price::Free | Price::None => {}
        }
    }
}

impl Sum for Bill {
    fn sum<I: Iterator<Item = Self>>(bills: I) -> Self {
        bills.fold(Self::default(), |a, b| Self {
            min: a.min + b.min,
            max: a.max + b.max,
            unpriced: a.unpriced + b.unpriced,
            unbounded: a.unbounded || b.unbounded,
        })
    }
}

impl FromIterator<(Word, Price, Many)> for Bill {
    fn from_iter<T: IntoIterator<Item = (Word, Price, Many)>>(legs: T) -> Self {
        let mut bill = Self::default();
        legs.into_iter().for_each(|(word, price, legs)| bill.add(word, price, legs));
        bill
    }
}
