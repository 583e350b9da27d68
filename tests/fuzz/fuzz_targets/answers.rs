#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| castline_fuzz::answers::answer(bytes));
