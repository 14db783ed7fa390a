//! Fuzzes `block` of the table in `src/lib.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    lastmeter_fuzz::block(bytes);
});
