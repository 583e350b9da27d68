//! Amounts of money: integer micro-USD, rounded up, never floats.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use serde::{Deserialize, Serialize};

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From dollars as documents write them, rounded up; none for negative or absurd amounts.
    pub fn from_usd(usd: f64) -> Option<Self> {
        // The tiny subtraction keeps 0.04 from becoming 40 001 through binary fractions.
        (usd.is_finite() && (0.0..=1e9).contains(&usd))
            .then(|| Self((usd * 1e6 - 1e-6).ceil().max(0.0) as u64))
    }

    /// As dollars, for JSON.
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Zero when `other` is more.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for MicroUsd {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Add for MicroUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MicroUsd {
    /// At least two and at most six decimals: `0.04 USD`, `0.003 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let shown = decimals.trim_end_matches('0');
        write!(f, "{}.{shown:0<2} USD", self.0 / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_up_and_print_plainly() {
        assert_eq!(MicroUsd::from_usd(0.04).unwrap(), MicroUsd(40_000));
        assert_eq!(MicroUsd::from_usd(0.000_000_1).unwrap(), MicroUsd(1));
        assert_eq!(MicroUsd::from_usd(-1.0), None);
        assert_eq!(MicroUsd(3_000).to_string(), "0.003 USD");
        assert_eq!(MicroUsd(1_500_000).to_string(), "1.50 USD");
        assert_eq!(MicroUsd::ZERO.to_string(), "0.00 USD");
    }
}
