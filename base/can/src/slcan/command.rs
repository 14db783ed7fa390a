//! What a host writes.

use super::line::{self, CR, LineFault, bytes_behind_first, has_length, read_frame};
use super::{BitRate, BitTiming};
use crate::frame::CanFrame;

/// A command of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line, which empties the adapter's line buffer.
    Empty,
    /// `Sn`: sets the bit rate, while closed.
    BitRate(BitRate),
    /// `sxxyy`: sets the bit rate by registers, while closed.
    BitTiming(BitTiming),
    /// `O`: takes part in the bus.
    Open,
    /// `L`: receives and sends nothing, not even acknowledgements.
    ListenOnly,
    /// `C`: leaves the bus.
    Close,
    /// `t`, `T`, `r`, `R`: sends a frame.
    Transmit(CanFrame),
    /// `P`: asks for one received frame, if they are not sent by themselves.
    Poll,
    /// `A`: asks for all received frames, if they are not sent by themselves.
    PollAll,
    /// `F`: reads the status flags and clears them.
    Flags,
    /// `V`: version of hardware and software.
    Version,
    /// `v`: version of the firmware.
    FirmwareVersion,
    /// `N`: serial number.
    SerialNumber,
    /// `Z0`, `Z1`: received frames without or with a time stamp, while closed.
    TimeStamps(bool),
    /// `X0`, `X1`: received frames when asked for, or by themselves; while closed.
    AutoPoll(bool),
    /// `Mxxxxxxxx`: acceptance code, while closed.
    AcceptanceCode([u8; 4]),
    /// `mxxxxxxxx`: acceptance mask, while closed.
    AcceptanceMask([u8; 4]),
}

/// The digit behind the first character, as 0 or 1.
fn switch(line: &[u8]) -> Result<bool, LineFault> {
    has_length(line, 2)?;
    match line[1] {
        b'0' => Ok(false),
        b'1' => Ok(true),
        found => Err(LineFault::Digit { found, place: 1 }),
    }
}

/// A command that is one letter.
fn alone(line: &[u8], command: Command) -> Result<Command, LineFault> {
    has_length(line, 1)?;
    Ok(command)
}

impl Command {
    /// Reads a line, without its end.
    pub fn read(line: &[u8]) -> Result<Self, LineFault> {
        let Some(&letter) = line.first() else { return Ok(Self::Empty) };
        match letter {
            b'S' => {
                has_length(line, 2)?;
                let fault = LineFault::Digit { found: line[1], place: 1 };
                BitRate::from_digit(line[1]).map(Self::BitRate).ok_or(fault)
            }
            b's' => bytes_behind_first(line)
                .map(|[btr0, btr1]| Self::BitTiming(BitTiming { btr0, btr1 })),
            b'O' => alone(line, Self::Open),
            b'L' => alone(line, Self::ListenOnly),
            b'C' => alone(line, Self::Close),
            b't' | b'T' | b'r' | b'R' => {
                read_frame(line, false).map(|(frame, _)| Self::Transmit(frame))
            }
            b'P' => alone(line, Self::Poll),
            b'A' => alone(line, Self::PollAll),
            b'F' => alone(line, Self::Flags),
            b'V' => alone(line, Self::Version),
            b'v' => alone(line, Self::FirmwareVersion),
            b'N' => alone(line, Self::SerialNumber),
            b'Z' => switch(line).map(Self::TimeStamps),
            b'X' => switch(line).map(Self::AutoPoll),
            b'M' => bytes_behind_first(line).map(Self::AcceptanceCode),
            b'm' => bytes_behind_first(line).map(Self::AcceptanceMask),
            found => Err(LineFault::Unknown { found }),
        }
    }

    /// The line, with its end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let registers = |letter, bytes: &[u8], out: &mut Vec<u8>| {
            out.push(letter);
            line::write_hexadecimal(bytes, out);
        };
        match self {
            Self::Empty => {}
            Self::BitRate(rate) => out.extend([b'S', rate.digit()]),
            Self::BitTiming(BitTiming { btr0, btr1 }) => {
                registers(b's', &[*btr0, *btr1], &mut out);
            }
            Self::Open => out.push(b'O'),
            Self::ListenOnly => out.push(b'L'),
            Self::Close => out.push(b'C'),
            Self::Transmit(frame) => line::write_frame(frame, None, &mut out),
            Self::Poll => out.push(b'P'),
            Self::PollAll => out.push(b'A'),
            Self::Flags => out.push(b'F'),
            Self::Version => out.push(b'V'),
            Self::FirmwareVersion => out.push(b'v'),
            Self::SerialNumber => out.push(b'N'),
            Self::TimeStamps(on) => out.extend([b'Z', b'0' + u8::from(*on)]),
            Self::AutoPoll(on) => out.extend([b'X', b'0' + u8::from(*on)]),
            Self::AcceptanceCode(code) => registers(b'M', code, &mut out),
            Self::AcceptanceMask(mask) => registers(b'm', mask, &mut out),
        }
        out.push(CR);
        out
    }
}
