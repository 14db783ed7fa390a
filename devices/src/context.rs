//! Where a device stands in a scenario.

use lastmeter_sim::Streams;
use lastmeter_units::{HardwareId, SimTime};

/// What a device model needs to know of its place in a scenario.
#[derive(Clone, Debug)]
pub struct DeviceContext<'a> {
    /// The device's name in the scenario; its random streams are named after it.
    pub name: &'a str,
    /// The id it goes by in messages.
    pub hardware_id: HardwareId,
    /// Event time of the scenario's start.
    pub start: SimTime,
    /// The scenario's random streams.
    pub streams: &'a Streams,
    /// The node of the network that it is connected to, where it is in one.
    pub node: Option<&'a str>,
    /// Phases of its terminal; 0 where it is no terminal.
    pub phases: usize,
    /// Whether the terminal has a spectrum (a played recording has none).
    pub has_spectrum: bool,
}
