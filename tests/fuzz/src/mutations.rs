//! Inputs with changes that are the same in every run and on every machine.
//!
//! The ordinary tests feed the functions of this folder with them; cargo-fuzz makes its own.
//!
//! Start reading at [`try_bytes`] and [`try_texts`].

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does one thing with the seeds and with so many mutations of them, and fails with those that made it
/// panic. `words` are what means something to whoever reads them.
pub fn try_bytes(seeds: Vec<Vec<u8>>, words: &[&[u8]], count: usize, dice: u64, one: impl Fn(&[u8])) {
    let mut changing = Changing { words, whole: false, dice: Dice(dice) };
    let mutations: Vec<_> = (0..count).map(|_| changing.one(&seeds)).collect();
    let wrong = panics(mutations.into_iter().chain(seeds), |input| one(input));
    assert_none(wrong.iter().map(|input| input.escape_ascii()));
}

/// The same for texts, which stay texts.
pub fn try_texts(seeds: Vec<String>, words: &[&str], count: usize, dice: u64, one: impl Fn(&str)) {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut changing = Changing { words: &words, whole: true, dice: Dice(dice) };
    let text = |text| String::from_utf8(text).expect("it is changed between characters only");
    let mutations: Vec<_> = (0..count).map(|_| text(changing.one(&seeds))).collect();
    assert_none(panics(mutations.into_iter().chain(seeds), |input| one(input)));
}

/// Every input that makes a function panic.
fn panics<T>(inputs: impl Iterator<Item = T>, one: impl Fn(&T)) -> Vec<T> {
    inputs.filter(|input| catch_unwind(AssertUnwindSafe(|| one(input))).is_err()).collect()
}

fn assert_none(wrong: impl IntoIterator<Item = impl Display>) {
    let wrong: Vec<String> = wrong.into_iter().map(|input| input.to_string()).collect();
    assert!(wrong.is_empty(), "{} inputs; their panics stand above: {wrong:#?}", wrong.len());
}

/// Numbers that look like chance (splitmix64).
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut n = self.0;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ (n >> 31)) % most.max(1) as u64) as usize
    }
}

struct Changing<'a> {
    words: &'a [&'a [u8]],
    /// Characters stay whole.
    whole: bool,
    dice: Dice,
}

impl Changing<'_> {
    /// One of the seeds with one to five changes.
    fn one(&mut self, seeds: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let (of, other) = (self.dice.below(seeds.len()), self.dice.below(seeds.len()));
        self.changed(seeds[of].as_ref(), seeds[other].as_ref())
    }

    fn changed(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut input = input.to_owned();
        for _ in 0..=self.dice.below(5) {
            let (start, end) = self.stretch(&input);
            match self.dice.below(if self.whole { 6 } else { 9 }) {
                0 => drop(input.drain(start..end)),
                1 => drop(input.splice(start..start, self.word().iter().copied())),
                2 => drop(input.splice(start..end, self.word().iter().copied())),
                3 => {
                    let again = input[start..end].to_owned();
                    let at = self.place(&input);
                    input.splice(at..at, again);
                }
                4 => {
                    let (from, to) = self.stretch(other);
                    input.splice(start..start, other[from..to].iter().copied());
                }
                5 => input.truncate(start),
                6 => self.number(&mut input[start..]),
                7 => input[start..end].fill(0),
                _ => input.iter_mut().skip(start).take(1).for_each(|byte| *byte ^= 1 << self.dice.below(8)),
            }
        }
        input
    }

    fn word(&mut self) -> &[u8] {
        self.words[self.dice.below(self.words.len())]
    }

    /// Writes a length that somebody may believe, in one of the ways in which files have them.
    fn number(&mut self, over: &mut [u8]) {
        const ODD: [u32; 8] = [0, 1, 2, 0x7f, 0xffff, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff];
        let number = ODD[self.dice.below(ODD.len())];
        let bytes = match self.dice.below(4) {
            0 => number.to_be_bytes().to_vec(),
            1 => number.to_le_bytes().to_vec(),
            2 => (number as u16).to_be_bytes().to_vec(),
            _ => vec![number as u8],
        };
        over.iter_mut().zip(bytes).for_each(|(over, byte)| *over = byte);
    }

    /// A place between two bytes, or two characters.
    fn place(&mut self, input: &[u8]) -> usize {
        let at = self.dice.below(input.len() + 1);
        self.fitting(input, at)
    }

    /// Two places, the second not before the first, and not far from it.
    fn stretch(&mut self, input: &[u8]) -> (usize, usize) {
        let start = self.place(input);
        let end = (start + self.dice.below(24)).min(input.len());
        (start, self.fitting(input, end))
    }

    /// The place itself, or the next one that is between two characters.
    fn fitting(&self, input: &[u8], at: usize) -> usize {
        let inside = |byte: &u8| self.whole && byte & 0xc0 == 0x80;
        (at..input.len()).find(|at| !inside(&input[*at])).unwrap_or(input.len())
    }
}
