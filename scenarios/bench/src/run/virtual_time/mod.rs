//! Runs a scenario in virtual time: from sync point to sync point, as fast as it can.

mod ahead;
mod bench;
mod calibrating;
mod calibrator;
mod platform;
mod setup;

pub(crate) use bench::VirtualBench;
pub(crate) use setup::assemble;
