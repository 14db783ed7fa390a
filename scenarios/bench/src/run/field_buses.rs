//! What there is to report of the CAN buses of a field: exchanges that are over, and facts.

use lastmeter_record::BusFacts;

use super::super::client_output::ClientOutput;
use super::super::exchanges::BusExchange;
use super::{Field, FieldDevice};

/// The bits of an identifier that are the node's.
const NODE_BITS: u32 = 0x1F;

impl Field {
    /// An exchange is over: that of the device whose node its identifier has.
    pub(super) fn exchanged(
        &mut self,
        network: usize,
        identifier: u32,
        exchange: BusExchange,
        out: &mut Vec<ClientOutput>,
    ) {
        let node = (identifier & NODE_BITS) as u8;
        let devices = self.networks.get(network).map(|on| &on.devices[..]).unwrap_or_default();
        let of_node = |place: &&usize| self.devices[**place].node_number() == Some(node);
        if let Some(&place) = devices.iter().find(of_node) {
            let FieldDevice { index: device, name, .. } = &self.devices[place];
            let device = *device;
            if let Some(exchanges) = &mut self.networks[network].exchanges {
                exchanges.count(identifier, name, &exchange);
            }
            out.push(ClientOutput::Exchanged { device, identifier, exchange });
        }
    }

    /// What there is to report of its CAN buses.
    pub(crate) fn buses(&self) -> impl Iterator<Item = BusFacts> {
        let watched = self.now - self.start;
        self.networks
            .iter()
            .filter_map(move |on| Some(on.exchanges.as_ref()?.facts(watched, on.devices.len())))
    }

    /// The exchanges that have no answer at the end.
    pub(crate) fn finish(&mut self, out: &mut Vec<ClientOutput>) {
        let now = self.now;
        for network in 0..self.networks.len() {
            let exchanges = self.networks[network].exchanges.as_mut();
            let open: Vec<_> = exchanges.map(|it| it.finish(now).collect()).unwrap_or_default();
            for (identifier, exchange) in open {
                self.exchanged(network, identifier, exchange, out);
            }
        }
    }
}
