//! Tests of the radio network: single scenes, random sequences, many nodes.

mod air;
mod scenes;
mod sequences;
mod wire;
mod world;

use crate::address::Eui64;

/// The EUI-64 of the n-th node of a test.
fn eui(number: usize) -> Eui64 {
    Eui64(0x0015_8D00_0000_0100 + number as u64)
}
