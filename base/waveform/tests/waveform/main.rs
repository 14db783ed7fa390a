//! Integration tests of the waveform package, one binary: typed bytes, refusals, samples, round
//! trips. (`robustness.rs` is a binary of its own because it watches the memory of its process.)

// `cfg(test)` informs the lints that helpers in these files are test code too.
#[cfg(test)]
mod common;
#[cfg(test)]
mod comtrade_align;
#[cfg(test)]
mod comtrade_refusals;
#[cfg(test)]
mod comtrade_typed;
#[cfg(test)]
mod csv_files;
#[cfg(test)]
#[path = "../dribble/mod.rs"]
mod dribble;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod streams;
