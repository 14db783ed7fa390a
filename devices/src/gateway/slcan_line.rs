//! What both ends of an SLCAN line have in common: a simulated bus as their first network and the
//! line as their second.

use super::GatewayOutput;
use crate::can::port::{Offer, Port};

pub(super) const BUS: usize = 0;
pub(super) const LINE: usize = 1;
/// Bits per second of the line.
const BAUD: u32 = 115_200;

/// Hands on what goes to the line, and what the port has for the bus now.
pub(super) fn hand_on(port: &mut Port, bytes: Vec<u8>, out: &mut Vec<GatewayOutput>) {
    if !bytes.is_empty() {
        let (network, lane, bits_per_second) = (LINE, None, BAUD);
        out.push(GatewayOutput::Bytes { network, lane, bits_per_second, bytes });
    }
    port.take_requested();
    let offer = port.offer();
    out.extend(offer.map(|Offer(frame)| GatewayOutput::Offer { network: BUS, frame }));
}
