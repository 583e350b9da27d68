//! Answers as JSON that a step's schema takes: what a model would give that was told of it
//! in its prompt.
//!
//! [`shape`] reads a schema, [`maker`] makes a value by it, [`phrase`] finds words that
//! belong to the prompt. Nothing is believed: what was made is held against the whole
//! schema, and made another way when it does not fit.
//!
//! Start reading at [`answer`].

mod format;
mod maker;
mod number;
mod pattern;
mod phrase;
mod shape;
mod subject;
#[cfg(test)]
mod tests;

use castline_core::graph::JsonSchema;
use serde_json::Value as Json;

use super::dice::Dice;
use crate::std_tools::fault::Fault;
use maker::Maker;
use subject::Subject;

/// Other ways that are tried when a value does not fit as a whole.
const ATTEMPTS: usize = 12;

/// JSON text that satisfies the schema, or which part of it cannot be satisfied.
pub(crate) fn answer(schema: &Json, prompt: &str, dice: &Dice) -> Result<String, Fault> {
    let whole = JsonSchema::new(schema.clone())
        .map_err(|why| Fault::new(format!("the step's `json` is not a JSON Schema: {why}")))?;
    let subject = Subject::of(prompt);
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        match Maker::new(schema, &subject, &dice.fork("json"), attempt).whole() {
            Ok(made) => match whole.misfit(&made) {
                None => return Ok(serde_json::to_string_pretty(&made).expect("JSON is text")),
                Some(misfit) => why = misfit,
            },
            Err(dead) => why = dead.to_string(),
        }
    }
    Err(Fault::new(format!("the sandbox finds no JSON that the step's schema takes: {why}")))
}
