//! Whatever comes as a picture, it is described, looked into and decoded within the limits: small
//! pictures, films and sounds, and mutations of them, always the same ones.
//!
//! What is done with one input stands in `tests/fuzz/src/pictures.rs`, where cargo-fuzz does the same
//! with inputs without end.

#[path = "../../../tests/fuzz/src/mutations.rs"]
#[allow(dead_code)] // other tests need the rest of it
mod mutations;
#[path = "../../../tests/fuzz/src/pictures.rs"]
mod one_input;

use mutations::try_bytes;
use one_input::WORDS;

fn seeds() -> Vec<Vec<u8>> {
    one_input::seeds().into_iter().map(|(_, seed)| seed).collect()
}

#[test]
fn every_picture_is_described_looked_into_and_decoded() {
    try_bytes(seeds(), WORDS, 3_000, 1, one_input::picture);
}

#[test]
fn whatever_a_picture_tells_is_no_template() {
    try_bytes(seeds(), WORDS, 3_000, 2, one_input::provenance);
}
