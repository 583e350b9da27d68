//! How people write amounts, times and ages.

use std::path::PathBuf;

use castline_core::MicroUsd;
use clap::builder::{PathBufValueParser, TypedValueParser};
use jiff::SignedDuration;

pub(super) fn usd(text: &str) -> Result<MicroUsd, String> {
    let amount = text.parse().ok().and_then(MicroUsd::from_usd);
    amount.ok_or_else(|| "give an amount of US dollars, such as 2.50".to_owned())
}

/// A file for what is not written to stdout.
pub(super) fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match is_stdout(&path) {
        true => Err("this is not written to stdout: name a file"),
        false => Ok(path),
    })
}

/// True for `-`, which stands for stdout.
pub(crate) fn is_stdout(path: &std::path::Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "give a whole number from 1".to_owned())
}

/// `30d`, `12h`, `2w`. A month and a minute begin alike, so that `m` is neither.
pub(super) fn age(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let unit = text.chars().next_back().and_then(|unit| match unit {
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        'w' => Some(7 * 24 * 60 * 60),
        _ => None,
    });
    let number =
        text.get(..text.len().saturating_sub(1)).and_then(|number| number.trim().parse::<i64>().ok());
    let seconds = unit.zip(number.filter(|n| *n >= 0)).and_then(|(unit, number)| number.checked_mul(unit));
    seconds.map(SignedDuration::from_secs).ok_or_else(|| "give an age such as 30d, 12h or 2w".to_owned())
}

pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse::<f64>().ok().map(|n| n * unit);
    let time = seconds.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok());
    time.ok_or_else(|| "give a time such as 200ms or 1.5s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_read_as_people_write_them() {
        assert_eq!(usd("2.5"), Ok(MicroUsd(2_500_000)));
        assert!(usd("-1").is_err() && usd("much").is_err());
        assert_eq!(duration("200ms"), Ok(std::time::Duration::from_millis(200)));
        assert_eq!(duration("1.5s"), Ok(std::time::Duration::from_millis(1500)));
        assert!(duration("soon").is_err());
        assert_eq!(age("30d"), Ok(SignedDuration::from_hours(30 * 24)));
        assert_eq!(
            [age("2w"), age("90 h")],
            [Ok(SignedDuration::from_hours(336)), Ok(SignedDuration::from_hours(90))]
        );
        for wrong in ["", "d", "6m", "30", "-1d", "1y", "9223372036854775807w", "1\u{fc}"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
