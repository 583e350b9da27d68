//! What the legs of a forecast can cost: one by one, and together.

use crate::forecast::{Fate, Forecast, Word};
use crate::legs::LegId;
use crate::money::MicroUsd;
use crate::plan::Expected;
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
            Fate::Run(ready, _) => ready.estimate.map_or(Self::Unpriced, Self::known),
            Fate::Upstream => match forecast.plan.expect(leg) {
                Expected::Known(estimate) => Self::known(estimate),
                Expected::Unpriced => Self::Unpriced,
                Expected::Later => Self::Later,
            },
            Fate::Hit(..) | Fate::Same(..) | Fate::Skip(_) | Fate::Broken | Fate::Out => Self::None,
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

/// What several legs can cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// What certainly runs, at least.
    pub min: MicroUsd,
    /// What may run, at most.
    pub max: MicroUsd,
    /// Legs that may run and whose price is not known, or not yet.
    pub unpriced: usize,
}

impl Bill {
    /// The bill of all legs of a finished forecast.
    pub fn of(forecast: &Forecast) -> Self {
        let legs = (0..forecast.plan.legs.len()).map(LegId);
        legs.map(|leg| (forecast.fate(leg).word(), Price::of(forecast, leg))).collect()
    }

    /// Adds a leg.
    pub fn add(&mut self, word: Word, price: Price) {
        if !word.may_run() {
            return;
        }
        match price {
            Price::Known(estimate) => {
                self.min += if word == Word::Later { MicroUsd::ZERO } else { estimate.min };
                self.max += estimate.max;
            }
            Price::Unpriced | Price::Later => self.unpriced += 1,
            Price::Free | Price::None => {}
        }
    }
}

impl FromIterator<(Word, Price)> for Bill {
    fn from_iter<T: IntoIterator<Item = (Word, Price)>>(legs: T) -> Self {
        let mut bill = Self::default();
        legs.into_iter().for_each(|(word, price)| bill.add(word, price));
        bill
    }
}
