//! What a host writes.

use super::BitRate;
use super::line::{self, CR};
use crate::frame::CanFrame;

/// A command of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line, which empties the adapter's line buffer.
    Empty,
    /// `Sn`: sets the bit rate, while closed.
    BitRate(BitRate),
    /// `O`: takes part in the bus.
    Open,
    /// `C`: leaves the bus.
    Close,
    /// `t`, `T`, `r`, `R`: sends a frame.
    Transmit(CanFrame),
    /// `V`: version of hardware and software.
    Version,
    /// `N`: serial number.
    SerialNumber,
}

impl Command {
    /// The line, with its end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Empty => {}
            Self::BitRate(rate) => out.extend([b'S', rate.digit()]),
            Self::Open => out.push(b'O'),
            Self::Close => out.push(b'C'),
            Self::Transmit(frame) => line::write_frame(frame, &mut out),
            Self::Version => out.push(b'V'),
            Self::SerialNumber => out.push(b'N'),
        }
        out.push(CR);
        out
    }
}
