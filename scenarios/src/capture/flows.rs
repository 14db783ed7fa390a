//! What a capture holds of UDP and TCP: flows, each one way from one port to another, and their
//! pieces as they were sent.

use std::collections::BTreeMap;
use std::fmt;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::is_other;
use super::pcapng::{Captured, LINK_RAW, Packet};

/// Types of links, as tcpdump numbers them.
const LINK_ETHERNET: u16 = 1;
const LINK_COOKED: u16 = 113;
const LINK_COOKED_2: u16 = 276;
const LINK_IPV4: u16 = 228;
/// The header of the second form of cooked packets.
const COOKED_2_BYTES: usize = 20;

/// One way between two ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    is_tcp: bool,
    from: (String, u16),
    to: (String, u16),
}

impl Flow {
    /// Whether it is of a port at either end.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.from.1 == port || self.to.1 == port
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.is_tcp { "tcp" } else { "udp" };
        let ((from, from_port), (to, to_port)) = (&self.from, &self.to);
        write!(out, "{protocol} {from}:{from_port} to {to}:{to_port}")
    }
}

/// Bytes, and when they were captured, nanoseconds of Unix time.
pub(crate) type Pieces = Vec<(u64, Vec<u8>)>;

/// All flows that carry something.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    /// What each carried, in order.
    pub(crate) flows: BTreeMap<Flow, Pieces>,
    /// What of a stream is missing.
    pub(crate) gaps: Vec<String>,
}

/// A stream as its segments come in.
#[derive(Debug, Default)]
struct Stream {
    next: Option<u32>,
    /// Segments behind a gap, by their distance from where the stream began.
    held: BTreeMap<u32, (u64, Vec<u8>)>,
    begin: u32,
}

impl Flows {
    /// Sorts packets into flows. Of a capture of this program only what the other party sent.
    pub(crate) fn of(packets: &Captured) -> Self {
        let mut found = Self::default();
        let mut streams: BTreeMap<Flow, Stream> = BTreeMap::new();
        for packet in &packets.packets {
            let Some((flow, sequence, bytes)) = parts(packet) else { continue };
            if packets.is_own && !is_other(&flow.from.0) {
                continue;
            }
            let Some((sequence, is_begin)) = sequence else {
                found.flows.entry(flow).or_default().push((packet.at_ns, bytes));
                continue;
            };
            let stream = streams.entry(flow.clone()).or_default();
            let mut pieces = Vec::new();
            stream.take((sequence, is_begin), packet.at_ns, bytes, &mut pieces);
            if !pieces.is_empty() {
                found.flows.entry(flow).or_default().extend(pieces);
            }
        }
        for (flow, stream) in streams {
            if let Some((distance, _)) = stream.held.first_key_value() {
                let next = stream.next.unwrap_or(stream.begin).wrapping_sub(stream.begin);
                let missing = distance.saturating_sub(next);
                found
                    .gaps
                    .push(format!("{flow}: {missing} bytes behind byte {next} were not captured"));
            }
        }
        found
    }
}

impl Stream {
    /// Takes a segment in; gives what is whole by now.
    fn take(
        &mut self,
        (sequence, is_begin): (u32, bool),
        at_ns: u64,
        bytes: Vec<u8>,
        out: &mut Pieces,
    ) {
        if is_begin {
            // The mark of a begin counts as one byte.
            *self = Self {
                next: Some(sequence.wrapping_add(1)),
                begin: sequence.wrapping_add(1),
                ..Self::default()
            };
            return;
        }
        if self.next.is_none() {
            (self.next, self.begin) = (Some(sequence), sequence);
        }
        if !bytes.is_empty() {
            self.held.entry(sequence.wrapping_sub(self.begin)).or_insert((at_ns, bytes));
        }
        while let Some(entry) = self.held.first_entry() {
            let next = self.next.unwrap_or_default().wrapping_sub(self.begin);
            let known = i64::from(next) - i64::from(*entry.key());
            // Half of all numbers lie behind: what came before the first segment that was captured.
            if known < 0 && *entry.key() < 1 << 31 {
                break;
            }
            let (at_ns, bytes) = entry.remove();
            let Some(fresh) = usize::try_from(known).ok().and_then(|known| bytes.get(known..))
            else {
                continue;
            };
            if !fresh.is_empty() {
                self.next = self.next.map(|next| next.wrapping_add(fresh.len() as u32));
                out.push((at_ns, fresh.to_vec()));
            }
        }
    }
}

/// The flow of a packet, its sequence number and whether it begins a stream, and its payload.
#[expect(clippy::type_complexity, reason = "the parts of one packet, taken apart at once")]
fn parts(packet: &Packet) -> Option<(Flow, Option<(u32, bool)>, Vec<u8>)> {
    let sliced = match packet.link {
        LINK_ETHERNET => SlicedPacket::from_ethernet(&packet.bytes),
        LINK_COOKED => SlicedPacket::from_linux_sll(&packet.bytes),
        LINK_COOKED_2 => SlicedPacket::from_ip(packet.bytes.get(COOKED_2_BYTES..)?),
        LINK_RAW | LINK_IPV4 => SlicedPacket::from_ip(&packet.bytes),
        _ => return None,
    };
    let sliced = sliced.ok()?;
    let (from, to) = match sliced.net? {
        NetSlice::Ipv4(ip) => {
            (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
        }
        NetSlice::Ipv6(ip) => {
            (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
        }
        NetSlice::Arp(_) => return None,
    };
    let flow = |is_tcp, source, target| Flow { is_tcp, from: (from, source), to: (to, target) };
    match sliced.transport? {
        TransportSlice::Udp(udp) => {
            let flow = flow(false, udp.source_port(), udp.destination_port());
            Some((flow, None, udp.payload().to_vec()))
        }
        TransportSlice::Tcp(tcp) => {
            let flow = flow(true, tcp.source_port(), tcp.destination_port());
            Some((flow, Some((tcp.sequence_number(), tcp.syn())), tcp.payload().to_vec()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn segment(sequence: u32, payload: &[u8]) -> Packet {
        let builder =
            PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9);
        let mut bytes = Vec::new();
        builder.tcp(7000, 40_000, sequence, 100).write(&mut bytes, payload).unwrap();
        Packet { at_ns: u64::from(sequence), link: LINK_ETHERNET, bytes }
    }

    fn bytes(packets: Vec<Packet>) -> (Vec<u8>, Vec<String>) {
        let found = Flows::of(&Captured { packets, ..Captured::default() });
        (found.flows.into_values().flatten().flat_map(|(_, bytes)| bytes).collect(), found.gaps)
    }

    #[test]
    fn a_stream_is_put_in_order_without_what_was_sent_again() {
        let begin = u32::MAX - 1;
        let of = |at: u32, payload: &[u8]| segment(begin.wrapping_add(at), payload);
        let packets = vec![of(0, b"ab"), of(4, b"ef"), of(2, b"cd"), of(1, b"bc"), of(4, b"efgh")];
        assert_eq!(bytes(packets), (b"abcdefgh".to_vec(), Vec::new()));
        let (found, gaps) = bytes(vec![of(0, b"ab"), of(5, b"fg")]);
        assert_eq!(found, b"ab");
        let flow = "tcp 10.0.0.1:7000 to 10.0.0.2:40000";
        assert_eq!(gaps, [format!("{flow}: 3 bytes behind byte 2 were not captured")]);
    }
}
