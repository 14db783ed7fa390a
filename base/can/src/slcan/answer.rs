//! What an adapter writes: answers to commands, and the frames that it receives.

use std::fmt;

use super::line::{self, BEL, CR, LineFault, bytes_behind_first, has_length, read_frame};
use super::status::StatusFlags;
use crate::frame::CanFrame;

/// The version of an adapter: two times two decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    hardware: u8,
    software: u8,
}

impl Version {
    /// A version, if both are at most 99.
    #[must_use]
    pub const fn new(hardware: u8, software: u8) -> Option<Self> {
        if hardware > 99 || software > 99 {
            return None;
        }
        Some(Self { hardware, software })
    }

    /// Of the hardware, 0 to 99.
    #[must_use]
    pub const fn hardware(self) -> u8 {
        self.hardware
    }

    /// Of the software, 0 to 99.
    #[must_use]
    pub const fn software(self) -> u8 {
        self.software
    }

    /// The four digits behind the first character of a line.
    fn read(line: &[u8]) -> Result<Self, LineFault> {
        has_length(line, 5)?;
        let digit = |place: usize| {
            let found = line[place];
            let value = found.wrapping_sub(b'0');
            if value <= 9 { Ok(value) } else { Err(LineFault::Digit { found, place }) }
        };
        Ok(Self { hardware: digit(1)? * 10 + digit(2)?, software: digit(3)? * 10 + digit(4)? })
    }
}

/// `1013`: hardware 10, software 13.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:02}", self.hardware, self.software)
    }
}

/// The serial number of an adapter: four letters or digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumber([u8; 4]);

impl SerialNumber {
    /// A serial number, if all are letters or digits of ASCII.
    #[must_use]
    pub fn new(characters: [u8; 4]) -> Option<Self> {
        characters.iter().all(u8::is_ascii_alphanumeric).then_some(Self(characters))
    }

    /// The four characters behind the first of a line.
    fn read(line: &[u8]) -> Result<Self, LineFault> {
        has_length(line, 5)?;
        let characters: [u8; 4] = std::array::from_fn(|at| line[1 + at]);
        let place = 1 + characters.iter().take_while(|c| c.is_ascii_alphanumeric()).count();
        Self::new(characters).ok_or_else(|| LineFault::Digit {
            found: line.get(place).copied().unwrap_or(CR),
            place,
        })
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&character| write!(f, "{}", char::from(character)))
    }
}

/// One thing that an adapter wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A frame from the bus.
    Frame {
        /// The frame.
        frame: CanFrame,
        /// When it was received, in milliseconds from 0 to 59999, if the adapter adds it.
        timestamp_ms: Option<u16>,
    },
    /// CR alone: done; also: no frame waits.
    Acknowledged,
    /// `z` or `Z`: a frame is taken for the bus.
    Sent {
        /// Whether by `Z`, for a frame of the extended format.
        extended: bool,
    },
    /// `A`: all frames that waited were written.
    EndOfPoll,
    /// BEL: refused.
    Refused,
    /// `Vxxyy`.
    Version(Version),
    /// `vxxyy`.
    FirmwareVersion(Version),
    /// `Nxxxx`.
    SerialNumber(SerialNumber),
    /// `Fxx`.
    Flags(StatusFlags),
    /// A line that is none of these.
    Garbage {
        /// Its first 32 bytes at most, without its end.
        bytes: Vec<u8>,
        /// What is wrong with it.
        why: LineFault,
    },
}

impl Item {
    /// Reads a line that ended in CR, without this end.
    pub(super) fn read(line: &[u8]) -> Result<Self, LineFault> {
        let Some(&letter) = line.first() else { return Ok(Self::Acknowledged) };
        let alone = |item| has_length(line, 1).map(|()| item);
        match letter {
            b'z' => alone(Self::Sent { extended: false }),
            b'Z' => alone(Self::Sent { extended: true }),
            b'A' => alone(Self::EndOfPoll),
            b'V' => Version::read(line).map(Self::Version),
            b'v' => Version::read(line).map(Self::FirmwareVersion),
            b'N' => SerialNumber::read(line).map(Self::SerialNumber),
            b'F' => {
                bytes_behind_first(line).map(|[bits]| Self::Flags(StatusFlags::from_bits(bits)))
            }
            _ => read_frame(line, true)
                .map(|(frame, timestamp_ms)| Self::Frame { frame, timestamp_ms }),
        }
    }

    /// Writes it with its end; what is garbage as it came.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Frame { frame, timestamp_ms } => line::write_frame(frame, *timestamp_ms, out),
            Self::Acknowledged => {}
            Self::Sent { extended } => out.push(if *extended { b'Z' } else { b'z' }),
            Self::EndOfPoll => out.push(b'A'),
            Self::Refused => {
                out.push(BEL);
                return;
            }
            Self::Version(version) => out.extend(format!("V{version}").bytes()),
            Self::FirmwareVersion(version) => out.extend(format!("v{version}").bytes()),
            Self::SerialNumber(number) => out.extend(format!("N{number}").bytes()),
            Self::Flags(flags) => {
                out.push(b'F');
                line::write_hexadecimal(&[flags.bits()], out);
            }
            Self::Garbage { bytes, .. } => out.extend_from_slice(bytes),
        }
        out.push(CR);
    }
}
