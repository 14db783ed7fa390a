//! A node of a simulated CAN bus that is real: its end of the bus is the host of an SLCAN adapter.

use lastmeter_devices::{Gateway, GatewayInput, GatewayOutput, slcan_host};
use lastmeter_link::channel::ChannelAddress;
use lastmeter_units::SimTime;

/// A real node, or several behind one adapter.
pub(crate) struct RealNode {
    /// What the scenario calls the first of them.
    pub(crate) name: String,
    pub(crate) address: ChannelAddress,
    /// The network it is on, by its number in its field.
    pub(crate) network: usize,
    /// Its place on the medium.
    pub(crate) place: usize,
    host: Box<dyn Gateway>,
}

impl RealNode {
    /// A node at a place of a network with so many bits per second.
    pub(crate) fn new(
        name: &str,
        address: ChannelAddress,
        (network, place): (usize, usize),
        bits_per_second: u32,
    ) -> Self {
        let host = slcan_host(bits_per_second);
        Self { name: name.to_owned(), address, network, place, host }
    }

    /// Gives the host what happened on the bus or on the line; what it puts out.
    pub(crate) fn step(&mut self, now: SimTime, input: GatewayInput) -> Vec<GatewayOutput> {
        let mut out = Vec::new();
        self.host.step(now, input, &mut out);
        out
    }
}
