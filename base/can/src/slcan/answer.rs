//! What an adapter writes: answers to commands, and the frames that it receives.

use std::fmt;

use super::line::{LineFault, has_length, read_frame};
use crate::frame::CanFrame;

/// The version of an adapter: two times two decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of the hardware, 0 to 99.
    pub hardware: u8,
    /// Of the software, 0 to 99.
    pub software: u8,
}

impl Version {
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
    /// The four characters behind the first of a line.
    fn read(line: &[u8]) -> Result<Self, LineFault> {
        has_length(line, 5)?;
        let characters: [u8; 4] = std::array::from_fn(|at| line[1 + at]);
        let place = 1 + characters.iter().take_while(|c| c.is_ascii_alphanumeric()).count();
        match line.get(place) {
            None => Ok(Self(characters)),
            Some(&found) => Err(LineFault::Digit { found, place }),
        }
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
        /// The frame received.
        frame: CanFrame,
        /// When it was received, in milliseconds from 0 to 59999, if the adapter adds it.
        timestamp_ms: Option<u16>,
    },
    /// CR alone: done.
    Acknowledged,
    /// `z` or `Z`: a frame is taken for the bus.
    Sent {
        /// Whether by `Z`, for a frame of the extended format.
        extended: bool,
    },
    /// BEL (07): the adapter refused the command.
    Refused,
    /// `Vxxyy`: versions of hardware and firmware.
    Version(Version),
    /// `Nxxxx`: the serial number.
    SerialNumber(SerialNumber),
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
            b'V' => Version::read(line).map(Self::Version),
            b'N' => SerialNumber::read(line).map(Self::SerialNumber),
            _ => read_frame(line).map(|(frame, timestamp_ms)| Self::Frame { frame, timestamp_ms }),
        }
    }
}
