//! What a create asks for, read from its body and headers.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The longest that a create may wait for its end, and how long it does unless told.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
const SHORTEST_DEADLINE: Duration = Duration::from_secs(5);

/// A create that makes sense.
#[derive(Debug, PartialEq)]
pub(crate) struct Wanted {
    pub version: Option<String>,
    pub input: Map<String, Value>,
    pub wait: Option<Duration>,
    pub deadline: Option<Duration>,
}

impl Wanted {
    /// Members that are not known are ignored: old clients send several.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let body: Value = serde_json::from_slice(body).map_err(|e| {
            Problem::new(400, "Bad request", format!("Failed to parse request body as JSON: {e}"))
        })?;
        let input = body.get("input").and_then(Value::as_object).cloned();
        let invalid = |detail: &str| Problem::new(422, "Input validation failed", detail);
        let header = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or_default());
        Ok(Self {
            version: body.get("version").and_then(Value::as_str).map(str::to_owned),
            input: input.ok_or_else(|| invalid("- input is required and must be an object"))?,
            wait: header("prefer").and_then(wait),
            deadline: header("cancel-after").map(deadline).transpose()?,
        })
    }
}

/// `wait` and `wait=n`.
fn wait(prefer: &str) -> Option<Duration> {
    let wait = prefer.split(',').map(str::trim).find_map(|p| p.strip_prefix("wait"))?;
    match wait.strip_prefix('=') {
        None => wait.is_empty().then_some(LONGEST_WAIT),
        Some(seconds) => {
            Some(Duration::from_secs(seconds.parse().ok()?).clamp(Duration::from_secs(1), LONGEST_WAIT))
        }
    }
}

/// `90`, `30s` or `1h30m45s`.
fn deadline(text: &str) -> Result<Duration, Problem> {
    let bad = |detail: String| Problem::new(422, "Invalid Cancel-After", detail);
    let deadline = duration(text.trim())
        .ok_or_else(|| bad(format!("`{text}` is neither seconds nor a duration like 1h30m45s")))?;
    if deadline < SHORTEST_DEADLINE {
        return Err(bad(format!("`{text}` is less than 5 seconds")));
    }
    Ok(deadline)
}

fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    for part in text.split_inclusive(['h', 'm', 's']) {
        let (number, unit) = part.split_at(part.len().checked_sub(1)?);
        let seconds = match unit {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
    }
    (!text.is_empty()).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_both_syntaxes() {
        let seconds = |text: &str| deadline(text).map(|d| d.as_secs()).map_err(|p| p.detail);
        assert_eq!(["90", "30s", "5m", "1h30m45s"].map(seconds), [Ok(90), Ok(30), Ok(300), Ok(5445)]);
        assert_eq!(seconds("4s"), Err("`4s` is less than 5 seconds".to_owned()));
        for text in ["", "soon", "5x", "m", "5m3"] {
            assert!(seconds(text).unwrap_err().contains("neither"), "{text}");
        }
    }

    #[test]
    fn a_wait_is_kept_within_its_bounds() {
        let seconds = |text: &str| wait(text).map(|d| d.as_secs());
        assert_eq!(
            ["wait", "wait=5", "wait=0", "wait=99", "respond-async", "waiting"].map(seconds),
            [Some(60), Some(5), Some(1), Some(60), None, None]
        );
    }
}
