//! What a plain scalar is.
//!
//! The rules are those of `yaml_serde`, spelling for spelling; a test holds the two equal. They
//! know no document and no place.

use std::num::ParseIntError;

use serde_json::Number;

/// What a spelling stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Number(Number),
    Text,
    /// A whole number beyond 64 bits: `yaml_serde` refuses it.
    TooLarge,
    /// `.inf` and its like: JSON has no such number.
    NotFinite,
}

/// Reads a scalar without quotes and tags.
pub(super) fn plain(text: &str) -> Resolved {
    if text.is_empty() || is_null(text) {
        return Resolved::Null;
    }
    if let Some(value) = boolean(text) {
        return Resolved::Bool(value);
    }
    integer(text).or_else(|| float(text)).unwrap_or(Resolved::Text)
}

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

pub(super) fn integer(text: &str) -> Option<Resolved> {
    unsigned(text, u64::from_str_radix)
        .map(|value| Resolved::Number(value.into()))
        .or_else(|| negative(text, i64::from_str_radix).map(|value| Resolved::Number(value.into())))
        .or_else(|| unsigned(text, u128::from_str_radix).map(|_| Resolved::TooLarge))
        .or_else(|| negative(text, i128::from_str_radix).map(|_| Resolved::TooLarge))
}

pub(super) fn float(text: &str) -> Option<Resolved> {
    if zero_padded(text) {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if text.starts_with('+') && unsigned.starts_with(['+', '-']) {
        return None;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || matches!(text, "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN")
    {
        return Some(Resolved::NotFinite);
    }
    let value = unsigned.parse::<f64>().ok().filter(|value| value.is_finite())?;
    Number::from_f64(value).map(Resolved::Number)
}

type Parse<T> = fn(&str, u32) -> Result<T, ParseIntError>;

const RADIXES: [(&str, u32); 3] = [("0x", 16), ("0o", 8), ("0b", 2)];

fn unsigned<T>(text: &str, parse: Parse<T>) -> Option<T> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    for (prefix, radix) in RADIXES {
        let Some(rest) = digits.strip_prefix(prefix) else { continue };
        if rest.starts_with(['+', '-']) {
            return None;
        }
        if let Ok(value) = parse(rest, radix) {
            return Some(value);
        }
    }
    if digits.starts_with(['+', '-']) || zero_padded(text) {
        return None;
    }
    parse(digits, 10).ok()
}

fn negative<T>(text: &str, parse: Parse<T>) -> Option<T> {
    for (prefix, radix) in RADIXES {
        let rest = text.strip_prefix('-').and_then(|rest| rest.strip_prefix(prefix));
        if let Some(value) = rest.and_then(|rest| parse(&format!("-{rest}"), radix).ok()) {
            return Some(value);
        }
    }
    if zero_padded(text) { None } else { parse(text, 10).ok() }
}

/// `007` is text in YAML 1.2.
fn zero_padded(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
}
