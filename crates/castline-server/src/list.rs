//! The list of predictions, a page at a time.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fault::OddList;
use crate::prediction::{Prediction, Shown};
use crate::predictions::Predictions;
use crate::problem::Problem;

const PAGE: usize = 100;

/// What is asked of the list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    skip: usize,
}

/// One page, newest first. The cursor counts what came before.
pub(crate) fn page(
    predictions: &Predictions,
    query: &str,
    shown: &Shown,
    odd: Option<OddList>,
) -> Result<Value, Problem> {
    let wanted = wanted(query)?;
    let mut found = predictions.newest();
    found.retain(|p| {
        let listed = !matches!(odd, Some(OddList::Late(lag)) if p.age() < lag);
        let after = wanted.after.is_none_or(|t| p.created_at > t);
        listed && after && wanted.before.is_none_or(|t| p.created_at < t)
    });
    let results: Vec<Value> =
        found.iter().skip(wanted.skip).take(PAGE).map(|p| item(p, shown, odd)).collect();
    let to = |skip: usize| {
        let rest = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("cursor="));
        let query: Vec<String> = rest.map(str::to_owned).chain([format!("cursor={skip}")]).collect();
        format!("{}/predictions?{}", shown.base, query.join("&"))
    };
    let next = (found.len() > wanted.skip + PAGE).then(|| to(wanted.skip + PAGE));
    let previous = (wanted.skip > 0).then(|| to(wanted.skip.saturating_sub(PAGE)));
    Ok(json!({ "next": next, "previous": previous, "results": results }))
}

fn item(prediction: &Prediction, shown: &Shown, odd: Option<OddList>) -> Value {
    let mut item = prediction.json(shown);
    match odd {
        Some(OddList::NoInput) => item["input"] = json!({}),
        Some(OddList::Rewritten) => rewrite(&mut item["input"]),
        Some(OddList::Late(_)) | None => {}
    }
    item
}

/// Where a file travelled inside the request stands an address of the provider's own.
fn rewrite(input: &mut Value) {
    match input {
        Value::String(text) if text.starts_with("data:") => {
            *text = format!("https://files.invalid/{}", text.len());
        }
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(map) => map.values_mut().for_each(rewrite),
        _ => {}
    }
}

fn wanted(query: &str) -> Result<Wanted, Problem> {
    let mut wanted = Wanted::default();
    for (name, value) in query.split('&').filter_map(|part| part.split_once('=')) {
        let value = value.replace("%3A", ":").replace("%3a", ":").replace("%2B", "+").replace("%2b", "+");
        let bad = || Problem::new(422, "Invalid query", format!("`{name}` cannot be `{value}`"));
        match name {
            "created_after" => wanted.after = Some(value.parse().map_err(|_| bad())?),
            "created_before" => wanted.before = Some(value.parse().map_err(|_| bad())?),
            "cursor" => wanted.skip = value.parse().map_err(|_| bad())?,
            _ => {}
        }
    }
    Ok(wanted)
}
