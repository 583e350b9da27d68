//! `castline why`: what a key is made of, and what is different from the nearest former one.

use castline_runner::Trouble;

use super::small_runtime;
use crate::cli::Why;
use crate::exit::Exit;
use crate::report::{json, why as report};
use crate::screen;

/// Nothing is asked but the ledger.
pub(crate) fn why(flags: &Why) -> Result<Exit, Trouble> {
    let wishes = flags.wishes();
    let explanations =
        small_runtime()?.block_on(castline_runner::why::why(&flags.file, &wishes, &flags.step))?;
    match flags.json {
        true => json::print(&report::json(&explanations))?,
        false => screen::data(&report::draw(&explanations))?,
    }
    Ok(Exit::Done)
}
