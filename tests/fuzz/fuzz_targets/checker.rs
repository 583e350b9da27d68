#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| castline_fuzz::texts::workflow(&String::from_utf8_lossy(bytes)));
