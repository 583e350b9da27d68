//! Everything that is left to chance comes from a seed.

use std::time::Duration;

/// A stream of numbers that is the same for the same seed and name.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Streams of different names do not disturb each other.
    pub fn new(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut chance = Self(mixed);
        chance.number();
        chance
    }

    /// `SplitMix64`.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        (self.number() % count.max(1) as u64) as usize
    }

    /// So often in a thousand.
    pub fn happens(&mut self, per_mille: u32) -> bool {
        self.number() % 1000 < u64::from(per_mille)
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, these: &'a [T]) -> &'a T {
        &these[self.below(these.len())]
    }

    /// A time between two, more often a short one.
    pub fn time(&mut self, least: Duration, most: Duration) -> Duration {
        let share = self.number() % 1_000_000 * (self.number() % 1_000_000) / 1_000_000;
        let span = most.saturating_sub(least).as_micros() as u64;
        least + Duration::from_micros((u128::from(span) * u128::from(share) / 1_000_000) as u64)
    }

    /// Bytes for another generator.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.number().to_le_bytes()));
        bytes
    }
}
