//! `[[inject]]`: something that is done to the bench at an instant.
//!
//! Each kind is a row, [`InjectKind`]: what its table looks like, whom it befalls, what it orders
//! of the bench when it begins and ends, and what is recorded of that. Orders are the same in
//! virtual and in real time; how a bench carries them out is its own affair.
//!
//! | file | purpose |
//! |---|---|
//! | `injection` | the section, and an injection as the bench has it |
//! | `kind`, `target`, `order` | what a kind is, whom it may befall, what it orders of the bench |
//! | `can` | kinds that act on a CAN bus |
//! | `link`, `command`, `firmware`, `kill`, `restart`, `simulator` | kinds that the bench carries out |
//! | `registered` | kinds of the packages of devices and sources |
//! | `network` | kinds that act in the network of `[grid]`, which plays them |
//!
//! Larger than its budget: it holds all kinds of injections.

mod can;
mod command;
mod firmware;
mod injection;
mod kill;
mod kind;
mod link;
mod network;
mod order;
mod registered;
mod restart;
mod simulator;
mod target;

pub use injection::Injection;
pub(crate) use injection::{INJECT, injection, targets};
pub(crate) use kind::{InjectKind, PlacedDevice, kind_of};
pub(crate) use network::network_kind_of;
pub use order::Order;
pub(crate) use target::Places;

/// The kinds that act on the bench; those of the network, of devices and of sources have their own.
static INJECTIONS: &[&dyn InjectKind] = &[
    &command::Command,
    &firmware::Firmware,
    &kill::Kill,
    &restart::Restart,
    &restart::StopApplication,
    &simulator::Simulator,
    &link::IMPAIR,
    &link::DISCONNECT,
    &can::CUT,
    &can::SHORT,
    &can::BABBLE,
    &can::BIT_ERRORS,
    &can::ATTACK,
];

pub(crate) fn injections() -> impl Iterator<Item = &'static dyn InjectKind> {
    let devices = lastmeter_devices::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    let sources = lastmeter_sim::INJECTIONS.iter().map(|kind| kind as &dyn InjectKind);
    let network = network::INJECTIONS.iter().map(|kind| *kind as &dyn InjectKind);
    INJECTIONS.iter().copied().chain(network).chain(devices).chain(sources)
}
