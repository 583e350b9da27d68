//! Whatever comes as a library, reading it ends within the limits: healthy and hostile archives,
//! manifests and documents, and mutations of them, always the same ones.
//!
//! What is done with one input stands in `tests/fuzz/src/archives.rs`, where cargo-fuzz does the same
//! with inputs without end.

#[path = "../../../tests/fuzz/src/mutations.rs"]
#[allow(dead_code)] // other tests need the rest of it
mod mutations;
#[path = "../../../tests/fuzz/src/archives.rs"]
mod one_input;

use mutations::try_bytes;
use one_input::WORDS;

fn seeds() -> Vec<Vec<u8>> {
    one_input::seeds().into_iter().map(|(_, seed)| seed).collect()
}

#[test]
fn every_archive_is_taken_or_refused_within_the_limits() {
    try_bytes(seeds(), WORDS, 3_000, 1, one_input::archive);
}

#[test]
fn every_manifest_document_and_pin_is_read_or_refused() {
    try_bytes(seeds(), WORDS, 3_000, 2, one_input::papers);
}
