//! Whatever a server answers, the call ends and gives nothing away: answers that were seen, odd ones,
//! and mutations of them, always the same ones, over real sockets.
//!
//! What is done with one input stands in `tests/fuzz/src/answers.rs`, where cargo-fuzz does the same
//! with inputs without end.

#[path = "../../../tests/fuzz/src/mutations.rs"]
#[allow(dead_code)] // other tests need the rest of it
mod mutations;
#[path = "../../../tests/fuzz/src/answers.rs"]
mod one_input;

use mutations::try_bytes;
use one_input::WORDS;

fn seeds() -> Vec<Vec<u8>> {
    one_input::seeds().into_iter().map(|(_, seed)| seed).collect()
}

#[test]
fn whatever_is_answered_the_call_ends_and_gives_nothing_away() {
    try_bytes(seeds(), WORDS, 2_000, 1, one_input::answer);
}
