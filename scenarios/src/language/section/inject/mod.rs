//! `[[inject]]`: something that is done to the bench at an instant.
//!
//! Each kind is a row, [`InjectKind`]: what its table looks like, whom it befalls, what it orders
//! of the bench when it begins and ends, and what is recorded of that. Orders are the same in
//! virtual and in real time; how a bench carries them out is its own affair (`scenarios/src/run/`).

mod command;
mod device;
mod injection;
mod kill;
mod kind;
mod link;
mod network;
mod order;
mod restart;
mod simulator;
mod source;
mod target;

use network::{change, fault, storm, switching};

pub use injection::Injection;
pub(crate) use injection::{INJECT, injection, targets};
pub(crate) use kind::{InjectKind, PlacedDevice, kind_of};
pub(crate) use network::{NetworkInjection, NetworkKind};
pub(crate) use order::Order;
pub(crate) use target::{Places, Target, Through};

/// The kinds of injection, but for those that devices and sources register themselves.
static INJECTIONS: &[&dyn InjectKind] = &[
    &command::Command,
    &kill::Kill,
    &restart::Restart,
    &simulator::Simulator,
    &link::Impair,
    &link::Disconnect,
    &switching::BREAKER,
    &change::LOAD_STEP,
    &change::SET_POINT,
    &fault::NODE_FAULT,
    &fault::LINE_FAULT,
    &switching::OPEN_CONDUCTOR,
    &switching::FUSE,
    &switching::OUTAGE,
    &switching::RESTORE,
    &change::TAP,
    &change::GENERATION_STEP,
    &change::SOURCE_VOLTAGE,
    &change::GRID_FREQUENCY,
    &storm::STORM,
];

/// Every kind.
pub(crate) fn injections() -> impl Iterator<Item = &'static dyn InjectKind> {
    let devices = lastmeter_devices::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    let sources = lastmeter_sim::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    INJECTIONS.iter().copied().chain(devices).chain(sources)
}
