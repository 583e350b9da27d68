//! Chance that is always the same: dice thrown from a hash of what was asked.

/// Dice. Equal seeds throw equal numbers, on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// Other dice for a part of the work, so that one part's throws do not move another's.
    pub(crate) fn fork(&self, part: &str) -> Self {
        Self(self.0.rotate_left(17) ^ Self::of(part).throw())
    }

    /// The next 64 bits (splitmix64).
    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.throw() >> 40) as f32 / 16_777_216.0
    }

    /// From `low` up to `high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// From 0 up to, not including, `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.throw() % count.max(1) as u64) as usize
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// True with a probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// 1 or -1.
    pub(crate) fn side(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}

/// A smooth line that goes up and down between -1 and 1, rough at `octaves` scales.
#[derive(Debug, Clone)]
pub(crate) struct Ridge {
    seed: u64,
    octaves: u32,
}

impl Ridge {
    /// A new line.
    pub(crate) fn new(dice: &mut Dice, octaves: u32) -> Self {
        Self { seed: dice.throw(), octaves }
    }

    /// Its height at a place; places one apart are unlike.
    pub(crate) fn at(&self, x: f32) -> f32 {
        let (mut sum, mut weight, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
        for octave in 0..self.octaves {
            sum += weight * self.smooth(x * scale, octave);
            total += weight;
            weight *= 0.5;
            scale *= 2.03;
        }
        sum / total
    }

    fn smooth(&self, x: f32, octave: u32) -> f32 {
        let floor = x.floor();
        let part = x - floor;
        let ease = part * part * (3.0 - 2.0 * part);
        let (left, right) = (self.knot(floor as i64, octave), self.knot(floor as i64 + 1, octave));
        left + (right - left) * ease
    }

    fn knot(&self, x: i64, octave: u32) -> f32 {
        let place = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(octave) << 56;
        Dice(self.seed ^ place).unit() * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_throw_equal_dice_and_others_do_not() {
        let throws = |text: &str| {
            [(); 4].map(|()| 0).map({
                let mut dice = Dice::of(text);
                move |_: i32| dice.throw()
            })
        };
        assert_eq!(throws("boat"), throws("boat"));
        assert_ne!(throws("boat"), throws("boats"));
    }

    #[test]
    fn a_ridge_is_smooth_and_stays_in_its_bounds() {
        let ridge = Ridge::new(&mut Dice::of("hills"), 4);
        for step in 0..1000 {
            let x = step as f32 / 50.0;
            assert!(ridge.at(x).abs() <= 1.0);
            assert!((ridge.at(x) - ridge.at(x + 0.001)).abs() < 0.02);
        }
    }
}
