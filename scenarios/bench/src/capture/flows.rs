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
pub struct Flow {
    is_tcp: bool,
    from: (String, u16),
    to: (String, u16),
}

impl Flow {
    /// Whether it comes from a port.
    pub fn is_from(&self, port: u16) -> bool {
        self.from.1 == port
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
pub struct Flows {
    /// What each carried, in order.
    pub flows: BTreeMap<Flow, Pieces>,
    /// What is missing: of streams, and packets that hold no whole datagram or segment.
    pub gaps: Vec<String>,
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
    pub fn of(packets: &Captured) -> Self {
        let mut found = Self::default();
        let mut streams: BTreeMap<Flow, Stream> = BTreeMap::new();
        let mut incomplete = 0;
        for packet in &packets.packets {
            let (flow, sequence, bytes) = match parts(packet) {
                Parts::Of(flow, sequence, bytes) => (flow, sequence, bytes),
                Parts::Incomplete => {
                    incomplete += 1;
                    continue;
                }
                Parts::Other => continue,
            };
            if packets.is_own && !is_other(&flow.from.0) {
                continue;
            }
            let Some((sequence, is_begin)) = sequence else {
                found.flows.entry(flow).or_default().push((packet.at_ns, bytes));
                continue;
            };
            let stream = streams.entry(flow.clone()).or_default();
            if is_begin {
                found.gaps.extend(stream.gap(&flow));
            }
            let mut pieces = Vec::new();
            stream.take((sequence, is_begin), packet.at_ns, bytes, &mut pieces);
            if !pieces.is_empty() {
                found.flows.entry(flow).or_default().extend(pieces);
            }
        }
        found.gaps.extend(streams.iter().filter_map(|(flow, stream)| stream.gap(flow)));
        if incomplete > 0 {
            found.gaps.push(format!(
                "{incomplete} packets hold no whole datagram or segment: cut by the capture's limit, or \
                 fragments"
            ));
        }
        found
    }
}

impl Stream {
    /// What is missing before segments that wait.
    fn gap(&self, flow: &Flow) -> Option<String> {
        let (distance, _) = self.held.first_key_value()?;
        let next = self.next.unwrap_or(self.begin).wrapping_sub(self.begin);
        let missing = distance.saturating_sub(next);
        Some(format!("{flow}: {missing} bytes behind byte {next} were not captured"))
    }

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

enum Parts {
    /// A payload of a flow; of a stream with its sequence number, and whether it begins one.
    Of(Flow, Option<(u32, bool)>, Vec<u8>),
    /// Only a part of one.
    Incomplete,
    /// A packet of another kind.
    Other,
}

fn parts(packet: &Packet) -> Parts {
    let sliced = match packet.link {
        LINK_ETHERNET => SlicedPacket::from_ethernet(&packet.bytes),
        LINK_COOKED => SlicedPacket::from_linux_sll(&packet.bytes),
        LINK_COOKED_2 => {
            SlicedPacket::from_ip(packet.bytes.get(COOKED_2_BYTES..).unwrap_or_default())
        }
        LINK_RAW | LINK_IPV4 => SlicedPacket::from_ip(&packet.bytes),
        _ => return Parts::Other,
    };
    let Ok(sliced) = sliced else { return Parts::Incomplete };
    if packet.is_cut || sliced.is_ip_payload_fragmented() {
        return Parts::Incomplete;
    }
    let (from, to) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => {
            (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
        }
        Some(NetSlice::Ipv6(ip)) => {
            (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
        }
        _ => return Parts::Other,
    };
    let flow = |is_tcp, source, target| Flow { is_tcp, from: (from, source), to: (to, target) };
    match sliced.transport {
        Some(TransportSlice::Udp(udp)) => {
            let flow = flow(false, udp.source_port(), udp.destination_port());
            Parts::Of(flow, None, udp.payload().to_vec())
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let flow = flow(true, tcp.source_port(), tcp.destination_port());
            Parts::Of(flow, Some((tcp.sequence_number(), tcp.syn())), tcp.payload().to_vec())
        }
        _ => Parts::Other,
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
        Packet { at_ns: u64::from(sequence), link: LINK_ETHERNET, bytes, is_cut: false }
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

    #[test]
    fn what_is_not_whole_is_counted_and_not_left_out_in_silence() {
        let cut = Packet { is_cut: true, ..segment(10, b"ab") };
        let mut begin = segment(5, b"");
        // The mark of a begin, and the header's sum without it.
        begin.bytes[47] |= 2;
        let (found, gaps) =
            bytes(vec![segment(0, b"ab"), segment(4, b"ef"), begin, segment(6, b"cd"), cut]);
        assert_eq!(found, b"abcd");
        let flow = "tcp 10.0.0.1:7000 to 10.0.0.2:40000";
        assert_eq!(gaps[0], format!("{flow}: 2 bytes behind byte 2 were not captured"));
        assert!(gaps.len() == 2 && gaps[1].starts_with("1 packets hold no whole"), "{gaps:?}");
    }
}
