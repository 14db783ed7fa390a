//! Runs a scenario in virtual time: from sync point to sync point, as fast as it can.
//!
//! `setup` assembles the bench, `bench` moves it, `platform` is its platform and clock, `ahead` is
//! what devices do between sync points, `calibrator` and `calibrating` adjust meters.

mod ahead;
mod bench;
mod calibrating;
mod calibrator;
mod platform;
mod setup;

pub(crate) use bench::VirtualBench;
pub(crate) use setup::assemble;
