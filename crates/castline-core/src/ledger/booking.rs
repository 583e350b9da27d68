//! The money of creates, as accounts hold it and as people sum it up.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::ProviderName;
use crate::money::MicroUsd;
use crate::request::Key;

use super::entry::{Account, RunId};

/// One create on one account. A create is on every account that it is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Which account.
    pub account: Account,
    /// The entry.
    pub key: Key,
    /// Which of the entry's creates, by the number of the claim that was told to create.
    pub attempt: u64,
    /// When it was reserved.
    pub at: Timestamp,
    /// Reserved before the create; none when the price was not known.
    pub reserved: Option<MicroUsd>,
    /// What it cost in the end; none while that is open.
    pub settled: Option<MicroUsd>,
    /// The run that asked for it.
    pub run: RunId,
    /// `owner/name`.
    pub model: String,
    /// Where.
    pub provider: ProviderName,
}

impl Booking {
    /// True for a create that came to nothing and cost nothing: it was refused, never received, or
    /// ended before it began.
    pub fn is_void(&self) -> bool {
        self.settled == Some(MicroUsd::ZERO) && self.reserved != Some(MicroUsd::ZERO)
    }
}

/// What creates cost together. What is not known is counted, never added as nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many creates.
    pub creates: usize,
    /// What those cost that are settled.
    pub settled: MicroUsd,
    /// What is still held for those that are not.
    pub reserved: MicroUsd,
    /// Creates of which nobody knows what they cost.
    pub unknown: usize,
}

impl From<&Booking> for Spent {
    fn from(booking: &Booking) -> Self {
        let none = Self { creates: 1, ..Self::default() };
        match (booking.settled, booking.reserved) {
            (Some(settled), _) => Self { settled, ..none },
            (None, Some(reserved)) => Self { reserved, ..none },
            (None, None) => Self { unknown: 1, ..none },
        }
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            creates: self.creates + other.creates,
            settled: self.settled + other.settled,
            reserved: self.reserved + other.reserved,
            unknown: self.unknown + other.unknown,
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Spent {
    /// `0.12 USD and 2 of unknown price; 0.04 USD reserved`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.settled)?;
        if self.unknown > 0 {
            write!(f, " and {} of unknown price", self.unknown)?;
        }
        if self.reserved > MicroUsd::ZERO {
            write!(f, "; {} reserved", self.reserved)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;

    use super::*;

    fn booking(reserved: Option<u64>, settled: Option<u64>) -> Booking {
        Booking {
            account: Account::Day,
            key: Key(Digest::of(b"boat")),
            attempt: 1,
            at: Timestamp::UNIX_EPOCH,
            reserved: reserved.map(MicroUsd),
            settled: settled.map(MicroUsd),
            run: "r".into(),
            model: "a/m".to_owned(),
            provider: "p".into(),
        }
    }

    fn sum(bookings: &[Booking]) -> String {
        bookings.iter().map(Spent::from).sum::<Spent>().to_string()
    }

    #[test]
    fn what_is_not_known_is_counted_and_never_nothing() {
        assert_eq!(sum(&[]), "0.00 USD");
        assert_eq!(sum(&[booking(Some(40_000), Some(30_000)), booking(None, Some(90_000))]), "0.12 USD");
        assert_eq!(sum(&[booking(None, None), booking(None, None)]), "0.00 USD and 2 of unknown price");
        assert_eq!(
            sum(&[booking(Some(40_000), Some(0)), booking(Some(40_000), None), booking(None, None)]),
            "0.00 USD and 1 of unknown price; 0.04 USD reserved"
        );
    }
}
