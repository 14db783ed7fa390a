//! A bus as it is captured: lines as `candump -L` of can-utils writes them, and packets of the link
//! type of `SocketCAN` (227, tcpdump.org/linktypes).
//!
//! Error frames are those of `linux/can/error.h`: a class in the identifier, 8 bytes about it.

use std::fmt;

use lastmeter_units::SimTime;

use crate::bus::{ErrorCounters, Happening};
use crate::frame::{CanFrame, DATA_BYTES_MAX};
use crate::wire::ErrorKind;

/// The link type of [`Captured::packet`].
pub const LINK_TYPE: u16 = 227;
/// Bytes of a packet: a `struct can_frame`.
pub const PACKET_BYTES: usize = 16;

/// Flags of an identifier, `linux/can.h`.
const EXTENDED: u32 = 0x8000_0000;
const REMOTE: u32 = 0x4000_0000;
const ERROR: u32 = 0x2000_0000;

/// Classes of errors, `linux/can/error.h`: of the protocol (what is in the bytes 2 and 3), of the
/// bus, no acknowledgement, counters in the bytes 6 and 7.
const PROTOCOL: u32 = 0x08;
const NO_ACKNOWLEDGEMENT: u32 = 0x20;
const BUS_ERROR: u32 = 0x80;
const COUNTERS: u32 = 0x200;
/// In byte 2: an error of a sender.
const BY_SENDER: u8 = 0x80;

/// What a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// A frame that was sent.
    Frame(CanFrame),
    /// A frame that its sender found to be in error.
    Error {
        /// Which error.
        kind: ErrorKind,
        /// The sender's counters after it.
        counters: ErrorCounters,
    },
}

impl Captured {
    /// What a capture has of something that happened at a node; `None`: nothing, since it is seen
    /// at the sender.
    pub const fn of(what: Happening, counters: ErrorCounters) -> Option<Self> {
        match what {
            Happening::Sent(frame) => Some(Self::Frame(frame)),
            Happening::Error { kind, is_sender: true } => Some(Self::Error { kind, counters }),
            _ => None,
        }
    }

    /// Identifier with its flags, data length code, data.
    fn parts(&self) -> (u32, u8, [u8; DATA_BYTES_MAX]) {
        let mut data = [0; DATA_BYTES_MAX];
        match self {
            Self::Frame(frame) => {
                let extended = if frame.id().is_extended() { EXTENDED } else { 0 };
                let remote = if frame.is_remote() { REMOTE } else { 0 };
                data.iter_mut().zip(frame.bytes()).for_each(|(to, from)| *to = *from);
                (frame.id().value() | extended | remote, frame.dlc(), data)
            }
            Self::Error { kind, counters } => {
                let mut class = ERROR | PROTOCOL | BUS_ERROR | COUNTERS;
                // What was wrong, and where in the frame where that is known.
                (data[2], data[3]) = match kind {
                    ErrorKind::Bit => (0x01, 0),
                    ErrorKind::Form => (0x02, 0),
                    ErrorKind::Stuff => (0x04, 0),
                    ErrorKind::Crc => (0, 0x08),
                    ErrorKind::Acknowledge => (0, 0x19),
                };
                if *kind == ErrorKind::Acknowledge {
                    class |= NO_ACKNOWLEDGEMENT;
                }
                data[2] |= BY_SENDER;
                let byte = |count: u16| u8::try_from(count).unwrap_or(u8::MAX);
                (data[6], data[7]) = (byte(counters.transmit()), byte(counters.receive()));
                (class, DATA_BYTES_MAX as u8, data)
            }
        }
    }

    /// It as a packet: identifier with flags (most significant byte first), length, three bytes
    /// that are 0, and the data filled up with 0.
    pub fn packet(&self) -> [u8; PACKET_BYTES] {
        let (id, length, data) = self.parts();
        let mut packet = [0; PACKET_BYTES];
        packet[..4].copy_from_slice(&id.to_be_bytes());
        packet[4] = length;
        packet[8..].copy_from_slice(&data);
        packet
    }

    /// Its line, `(1800000000.000376) can0 123#1122`, with the end of line: seconds of Unix time,
    /// cut to microseconds.
    pub fn line(&self, at: SimTime, interface: &str) -> String {
        let micros = at.0.div_euclid(1000);
        let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        format!("({seconds:010}.{micros:06}) {interface} {self}\n")
    }
}

/// `123#1122`, `123#R8`, of an error frame `200002A8#0000801900000800`.
impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Frame(frame) = self {
            return frame.fmt(f);
        }
        let (class, _, data) = self.parts();
        write!(f, "{class:08X}#")?;
        data.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bus::{Bus, Detail};
    use lastmeter_units::SimDuration;

    const AT: SimTime = SimTime(1_800_000_000_000_376_999);

    /// As `linux/can.h` lays it out and candump prints it, by hand.
    #[test]
    fn frames_are_those_of_candump_and_of_the_link_type() {
        let cases: [(&str, [u8; PACKET_BYTES]); 4] = [
            ("123#11AF", [0, 0, 1, 0x23, 2, 0, 0, 0, 0x11, 0xAF, 0, 0, 0, 0, 0, 0]),
            (
                "12345678#0102030405060708",
                [0x92, 0x34, 0x56, 0x78, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            ),
            ("223#R8", [0x40, 0, 2, 0x23, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("00000001#R", [0xC0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (text, packet) in cases {
            let captured = Captured::Frame(text.parse().unwrap());
            assert_eq!(captured.packet(), packet);
            assert_eq!(captured.line(AT, "can0"), format!("(1800000000.000376) can0 {text}\n"));
        }
        let early = Captured::Frame("123#".parse().unwrap());
        assert_eq!(early.line(SimTime(7_000), "two"), "(0000000000.000007) two 123#\n");
    }

    /// A lone node gets no acknowledgement: its counter rises by 8.
    #[test]
    fn an_error_of_a_sender_is_an_error_frame_of_the_kernel() {
        let bit = SimDuration(8000);
        let mut bus = Bus::new(Detail::Bits, bit, SimTime(0), 1);
        bus.offer(0, SimTime(1_000_000), Some("123#11".parse().unwrap()));
        let found = std::iter::from_fn(|| bus.pop(SimTime(3_000_000)));
        let captured: Vec<_> = found.filter_map(|it| Captured::of(it.what, it.counters)).collect();
        let first = captured.first().unwrap();
        assert_eq!(first.to_string(), "200002A8#0000801900000800");
        assert_eq!(first.packet(), [0x20, 0, 2, 0xA8, 8, 0, 0, 0, 0, 0, 0x80, 0x19, 0, 0, 8, 0]);
        let received = Happening::Received("123#11".parse().unwrap());
        assert_eq!(Captured::of(received, ErrorCounters::default()), None);
        let others = Happening::Error { kind: ErrorKind::Stuff, is_sender: false };
        assert_eq!(Captured::of(others, ErrorCounters::default()), None);
    }

    proptest! {
        #[test]
        fn a_line_and_a_packet_hold_the_frame(frame in crate::tests::frame()) {
            let captured = Captured::Frame(frame);
            let line = captured.line(AT, "can0");
            let text = line.trim_end().rsplit(' ').next().unwrap();
            prop_assert_eq!(text.parse::<CanFrame>(), Ok(frame));
            let packet = captured.packet();
            let id = u32::from_be_bytes(packet[..4].try_into().unwrap());
            prop_assert_eq!(id & 0x1FFF_FFFF, frame.id().value());
            prop_assert_eq!(id >> 31 == 1, frame.id().is_extended());
            prop_assert_eq!(id >> 30 & 1 == 1, frame.is_remote());
            prop_assert_eq!(packet[4], frame.dlc());
            prop_assert!(packet[8..].starts_with(frame.bytes()));
        }
    }
}
