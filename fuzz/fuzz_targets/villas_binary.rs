//! Fuzzes `villas_binary` of the table in `src/lib.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    lastmeter_fuzz::villas_binary(bytes);
});
