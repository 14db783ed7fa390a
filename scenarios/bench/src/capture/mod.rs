//! Captures: what passed on real lines and simulated CAN buses, and when, as files that Wireshark
//! opens.
//!
//! A line has no packets of its own here, so each piece is given an IP header with addresses kept
//! for documentation (RFC 5737): the other party is 192.0.2.1, this program 192.0.2.2.

mod can;
mod flows;
mod pcapng;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use etherparse::PacketBuilder;
use lastmeter_link::channel::ChannelAddress;
use lastmeter_link::clock::monotonic_ns;
use lastmeter_units::SimTime;

use crate::host::wall_now;
use crate::output::print_err;
pub(crate) use can::BusCaptures;
pub use flows::{Flow, Flows};
pub use pcapng::read;

const OTHER: [u8; 4] = [192, 0, 2, 1];
const HERE: [u8; 4] = [192, 0, 2, 2];
/// How much one packet holds, a datagram or a piece of a stream: longer pieces become several.
const PIECE_BYTES: usize = 65_507;
/// The same of a stream, whose packets have longer headers.
const STREAM_BYTES: usize = 60_000;

/// Which way a piece goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the other party.
    In,
    /// To the other party.
    Out,
}

/// A file that is written.
pub struct Capture {
    /// None after it could not be written any more.
    file: Option<File>,
    is_stream: bool,
    /// Ports of the other party and of this program.
    ports: [u16; 2],
    /// Bytes that went so far, each way.
    counts: [u32; 2],
    /// A pair of instants of both clocks.
    wall: SimTime,
    monotonic_ns: i64,
}

impl Capture {
    /// # Errors
    /// If there is such a file already, or it cannot be made.
    pub fn create(path: &Path, line: &ChannelAddress) -> Result<Self, String> {
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("--capture: {} is there already; name another file", path.display())
            }
            _ => format!("--capture: cannot write {}: {error}", path.display()),
        };
        let mut file = File::create_new(path).map_err(fail)?;
        file.write_all(&pcapng::head(pcapng::LINK_RAW, "")).map_err(fail)?;
        let (wall, monotonic_ns) = (wall_now(), monotonic_ns());
        Ok(Self {
            file: Some(file),
            is_stream: !matches!(line, ChannelAddress::Udp(_) | ChannelAddress::UdpListen(_)),
            ports: ports(line),
            counts: [0; 2],
            wall,
            monotonic_ns,
        })
    }

    /// Keeps a piece. A file that cannot be written any more is given up and reported; what it is
    /// of goes on.
    pub fn piece(&mut self, at_ns: i64, way: Direction, bytes: &[u8]) {
        let most = if self.is_stream { STREAM_BYTES } else { PIECE_BYTES };
        for piece in bytes.chunks(most) {
            let packet = self.packet(way, piece);
            let at = (self.wall.0 + at_ns - self.monotonic_ns).max(0).unsigned_abs();
            let Some(file) = &mut self.file else { return };
            // Whole blocks, one at a time: a program that is killed leaves whole ones.
            if let Err(error) = file.write_all(&pcapng::packet(at, &packet)) {
                print_err(&format!("capture_ended: it cannot be written any more: {error}"));
                self.file = None;
            }
        }
    }

    fn packet(&mut self, way: Direction, payload: &[u8]) -> Vec<u8> {
        let (from, to, own) = match way {
            Direction::In => (OTHER, HERE, 0),
            Direction::Out => (HERE, OTHER, 1),
        };
        let mut out = Vec::with_capacity(payload.len() + 40);
        let builder = PacketBuilder::ipv4(from, to, 64);
        let (source, target) = (self.ports[own], self.ports[1 - own]);
        let sequence = self.counts[own];
        let done = if self.is_stream {
            self.counts[own] = sequence.wrapping_add(payload.len() as u32);
            let builder = builder.tcp(source, target, sequence, u16::MAX);
            builder.ack(self.counts[1 - own]).write(&mut out, payload)
        } else {
            builder.udp(source, target).write(&mut out, payload)
        };
        // Neither can a vector be full nor a piece be too long.
        debug_assert!(done.is_ok());
        out
    }
}

/// Ports as the address has them; where it has none of a party, a stand-in.
fn ports(line: &ChannelAddress) -> [u16; 2] {
    let of = |at: &str| at.rsplit(':').next().and_then(|port| port.parse().ok());
    match line {
        ChannelAddress::Udp(to) | ChannelAddress::TcpConnect(to) => [of(to).unwrap_or(1), 50_000],
        ChannelAddress::UdpListen(at) | ChannelAddress::TcpListen(at) => {
            [50_000, of(at).filter(|port| *port > 0).unwrap_or(1)]
        }
        ChannelAddress::Pty(_) | ChannelAddress::Tty(_) | ChannelAddress::Unix(_) => [1, 50_000],
    }
}

/// Whether an address is the one that stands for the other party.
fn is_other(address: &str) -> bool {
    address == "192.0.2.1"
}
