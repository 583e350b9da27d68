#![no_main]

use castline_fuzz::archives::{archive, papers};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    archive(bytes);
    papers(bytes);
});
