//! Frames of nodes: bytes written down from the layouts of the standards, what has to be refused,
//! round trips of anything, and any bytes at all.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod any_bytes;
#[expect(unreachable_pub, reason = "fuzzers use it, too")]
#[path = "../tools/exercise.rs"]
mod exercise;
mod refusals;
mod round_trips;
mod scales;
mod vectors;
