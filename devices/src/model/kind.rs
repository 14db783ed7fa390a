//! What a device model is to a scenario, and what it is told when one is made.

use lastmeter_params::{Diagnostics, Entry, Values};
use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimTime};

use crate::border::Device;

/// What a device model is told about the place it gets.
#[derive(Clone, Debug)]
pub struct DeviceContext<'a> {
    /// The device's name in the scenario; its random streams are named after it.
    pub name: &'a str,
    /// The id it goes by in messages.
    pub hardware_id: HardwareId,
    /// The tenant it belongs to.
    pub tenant: &'a str,
    /// Event time of the scenario's start.
    pub start: SimTime,
    /// The scenario's random streams.
    pub streams: &'a Streams,
    /// Phases of its terminal.
    pub phases: usize,
    /// Whether the terminal can tell its spectrum (a played recording cannot).
    pub has_spectrum: bool,
}

/// A device model: its place in the scenario language, and how it is made.
#[derive(Clone, Copy)]
pub struct DeviceKind {
    /// Name, texts and fields.
    pub entry: Entry,
    /// How many phases it has: 1 or 3.
    pub phases: usize,
    /// Makes one. `None` if values do not fit together, which is then in the diagnostics.
    pub build: fn(&Values, &DeviceContext<'_>, &mut Diagnostics) -> Option<Box<dyn Device>>,
}
