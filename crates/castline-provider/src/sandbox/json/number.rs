//! Numbers within bounds, of the size that their name lets one expect.

use serde_json::{Value as Json, json};

use super::maker::Place;
use super::shape::Keys;
use crate::sandbox::dice::Dice;

/// What is usual for numbers whose names say so.
const USUAL: [(f64, f64, &[&str]); 14] = [
    (
        0.0,
        1.0,
        &["confidence", "probability", "weight", "strength", "ratio", "similarity", "opacity", "relevance"],
    ),
    (0.0, 100.0, &["percent", "percentage", "progress", "share"]),
    (1.0, 10.0, &["score", "rating", "rank", "level", "stars", "priority", "difficulty"]),
    (2.0, 8.0, &["seconds", "duration", "length", "secs"]),
    (5.0, 95.0, &["price", "cost", "amount", "total", "minutes", "usd", "eur"]),
    (1950.0, 2030.0, &["year"]),
    (6.0, 90.0, &["age"]),
    (-60.0, 60.0, &["latitude", "lat"]),
    (-170.0, 170.0, &["longitude", "lon", "lng"]),
    (-10.0, 35.0, &["temperature", "celsius"]),
    (0.0, 360.0, &["hue", "angle", "degrees"]),
    (0.0, 23.0, &["hour"]),
    (256.0, 1024.0, &["width", "height", "pixels", "size"]),
    (1.0, 9.0, &["count", "quantity", "number_of"]),
];

/// Names of numbers that count the items of a list.
const COUNTING: [&str; 12] =
    ["number", "index", "no", "nr", "order", "position", "id", "scene", "step", "shot", "page", "chapter"];

/// Strides through a range, so that neighbours are not next to each other.
const STRIDES: [u64; 5] = [7, 11, 5, 3, 1];

/// A number that the keywords take.
pub(crate) fn number(keys: &Keys, place: &Place, integer: bool, dice: &mut Dice) -> Result<Json, String> {
    let limits = Limits::of(keys);
    let step = step(keys, integer)?;
    let words = place.words();
    let counted = place.series.filter(|_| words.iter().any(|word| COUNTING.contains(&word.as_str())));
    if let Some((index, _)) = counted {
        let value = index as f64 + 1.0;
        if limits.take(value) && step.is_none_or(|step| (value / step).fract() == 0.0) && place.again == 0 {
            return Ok(json!(index + 1));
        }
    }
    let usual = USUAL
        .iter()
        .find(|(.., names)| words.iter().any(|word| names.contains(&word.as_str())))
        .map_or((1.0, 10.0), |(low, high, _)| (*low, *high));
    let grid = step.unwrap_or(if usual.1 - usual.0 <= 1.0 { 0.01 } else { 0.1 });
    for range in [limits.within(usual), limits.open(grid)] {
        if let Some(value) = on_grid(&limits, range, grid, place, dice) {
            return Ok(value);
        }
    }
    let (low, high) = limits.open(grid);
    let between = low + (high - low) * f64::from(dice.between(0.2, 0.8));
    if step.is_none() && limits.take(between) {
        return Ok(json!(between));
    }
    Err(match step {
        Some(step) => format!("no multiple of {step} lies {limits}"),
        None => format!("no number lies {limits}"),
    })
}

/// What all values are multiples of.
fn step(keys: &Keys, integer: bool) -> Result<Option<f64>, String> {
    let multiple = keys.get("multipleOf").and_then(Json::as_f64).filter(|m| *m > 0.0);
    match (multiple, integer) {
        (None, true) => Ok(Some(1.0)),
        (multiple, false) => Ok(multiple),
        (Some(multiple), true) => (1..=1_000_u32)
            .map(|times| rounded(multiple * f64::from(times), multiple))
            .find(|product| product.fract() == 0.0)
            .map(Some)
            .ok_or_else(|| format!("no integer is found that is a multiple of {multiple}")),
    }
}

/// One of the multiples of `grid` in a range.
fn on_grid(limits: &Limits, range: (f64, f64), grid: f64, place: &Place, dice: &mut Dice) -> Option<Json> {
    let nearest = |value: f64| (value / grid).round();
    // Rounding must not lose a bound that is itself on the grid.
    let up = |value: f64| {
        if rounded(nearest(value) * grid, grid) >= value { nearest(value) } else { nearest(value) + 1.0 }
    };
    let down = |value: f64| {
        if rounded(nearest(value) * grid, grid) <= value { nearest(value) } else { nearest(value) - 1.0 }
    };
    let (mut first, mut last) = (up(range.0), down(range.1));
    first += f64::from(u8::from(!limits.take(rounded(first * grid, grid))));
    last -= f64::from(u8::from(!limits.take(rounded(last * grid, grid))));
    if !(first.is_finite() && last.is_finite() && first <= last) {
        return None;
    }
    let count = ((last - first).min(1e9) as u64) + 1;
    let stride =
        STRIDES.into_iter().find(|stride| !count.is_multiple_of(*stride) || *stride == 1).unwrap_or(1);
    let offset = dice.below(count as usize) as u64;
    let nth = (offset + place.turn as u64 * stride) % count;
    let value = rounded((first + nth as f64) * grid, grid);
    let whole = value.fract() == 0.0 && value.abs() < 9e15 && grid.fract() == 0.0;
    limits.take(value).then(|| if whole { json!(value as i64) } else { json!(value) })
}

/// Without the noise of binary fractions: so many decimals as the grid has.
fn rounded(value: f64, grid: f64) -> f64 {
    let text = grid.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

/// From where to where, each with whether the end itself is out.
#[derive(Debug, Clone, Copy)]
struct Limits {
    low: Option<(f64, bool)>,
    high: Option<(f64, bool)>,
}

impl Limits {
    fn of(keys: &Keys) -> Self {
        let get = |key: &str| keys.get(key).and_then(Json::as_f64);
        let tighter = |open: Option<f64>, closed: Option<f64>, up: bool| match (open, closed) {
            (Some(open), Some(closed)) if (up && open >= closed) || (!up && open <= closed) => {
                Some((open, true))
            }
            (_, Some(closed)) => Some((closed, false)),
            (open, None) => open.map(|open| (open, true)),
        };
        Self {
            low: tighter(get("exclusiveMinimum"), get("minimum"), true),
            high: tighter(get("exclusiveMaximum"), get("maximum"), false),
        }
    }

    fn take(&self, value: f64) -> bool {
        self.low.is_none_or(|(low, out)| value > low || (!out && value >= low))
            && self.high.is_none_or(|(high, out)| value < high || (!out && value <= high))
    }

    /// The part of a range that is taken.
    fn within(&self, (from, to): (f64, f64)) -> (f64, f64) {
        (self.low.map_or(from, |(low, _)| low.max(from)), self.high.map_or(to, |(high, _)| high.min(to)))
    }

    /// All that is taken, or the near end of it.
    fn open(&self, grid: f64) -> (f64, f64) {
        let some = grid.max(1.0) * 10.0;
        match (self.low, self.high) {
            (Some((low, _)), Some((high, _))) => (low, high),
            (Some((low, _)), None) => (low, low + some),
            (None, Some((high, _))) => (high - some, high),
            (None, None) => (grid.min(1.0), some),
        }
    }
}

impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |end: Option<(f64, bool)>| match end {
            Some((value, true)) => format!("{value} (left out)"),
            Some((value, false)) => value.to_string(),
            None => "anywhere".to_owned(),
        };
        write!(f, "between {} and {}", end(self.low), end(self.high))
    }
}
