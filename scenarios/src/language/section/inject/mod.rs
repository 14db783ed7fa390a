//! `[[inject]]`: something that is done to the bench at an instant.
//!
//! Each kind is a row, [`InjectKind`]: what its table looks like, whom it befalls, what it orders of
//! the bench when it begins and ends, and what is recorded of that. Orders are the same in virtual
//! and in real time; how a bench carries them out is its own affair (`scenarios/src/run/`).

mod command;
mod device;
mod disconnect;
mod impair;
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
    &impair::Impair,
    &disconnect::Disconnect,
    &network::breaker::KIND,
    &network::load_step::KIND,
    &network::set_point::KIND,
    &network::node_fault::KIND,
    &network::line_fault::KIND,
    &network::open_conductor::KIND,
    &network::fuse::KIND,
    &network::outage::KIND,
    &network::restore::KIND,
    &network::tap::KIND,
    &network::generation_step::KIND,
    &network::source_voltage::KIND,
    &network::frequency::KIND,
    &network::storm::KIND,
];

/// Every kind.
pub(crate) fn injections() -> impl Iterator<Item = &'static dyn InjectKind> {
    let devices = lastmeter_devices::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    let sources = lastmeter_sim::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    INJECTIONS.iter().copied().chain(devices).chain(sources)
}
