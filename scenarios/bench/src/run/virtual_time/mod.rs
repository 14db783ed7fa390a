//! Runs a scenario in virtual time: from sync point to sync point, as fast as it can.
//!
//! `setup` assembles the bench, `bench` moves it, `platform` is its platform and clock, `ahead` is
//! what devices do between sync points, `obeying` a network whose switches they move,
//! `applications` what programs beside the platform do, `flows` topics that feed points of
//! simulators, `calibrator` and `calibrating` adjust meters.

mod ahead;
mod applications;
mod bench;
mod calibrating;
mod calibrator;
mod flows;
mod obeying;
#[cfg(test)]
mod obeying_tests;
mod platform;
mod setup;

pub(crate) use bench::VirtualBench;
pub(crate) use setup::assemble;
