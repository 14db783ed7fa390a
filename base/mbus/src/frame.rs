//! Frames of the link layer (EN 13757-2, 5.5): single character, short, control and long frame.

use thiserror::Error;

use crate::control::Control;

/// The single character, an acknowledgement.
pub const ACKNOWLEDGE: u8 = 0xE5;
/// How a short frame starts.
pub const SHORT_START: u8 = 0x10;
/// How a control or long frame starts, twice.
pub const LONG_START: u8 = 0x68;
/// How all but the single character stop.
pub const STOP: u8 = 0x16;
/// Bytes of the longest frame.
pub const LENGTH_MAX: usize = 261;
/// User data of the longest frame, behind the control information field.
pub const DATA_MAX: usize = 252;

/// Address of a slave that has none yet (EN 13757-2, 5.7.3).
pub const UNCONFIGURED: u8 = 0;
/// Largest primary address.
pub const PRIMARY_MAX: u8 = 250;
/// Address of the slave that was selected by its secondary address.
pub const SELECTED: u8 = 253;
/// Broadcast that every slave answers: for a bus with one slave.
pub const TEST_BROADCAST: u8 = 254;
/// Broadcast that no slave answers.
pub const BROADCAST: u8 = 255;

/// A frame, with its user data where the bytes hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The single character E5.
    Acknowledge,
    /// A request without data.
    Short {
        /// The control field.
        control: Control,
        /// The address field.
        address: u8,
    },
    /// A control information field without user data.
    Control {
        /// The control field.
        control: Control,
        /// The address field.
        address: u8,
        /// The control information field.
        information: u8,
    },
    /// Long frame: user data, at most 252 bytes.
    Long {
        /// The control field.
        control: Control,
        /// The address field.
        address: u8,
        /// The control information field.
        information: u8,
        /// What follows it, 1 to 252 bytes.
        data: &'a [u8],
    },
}

/// Why bytes are not a frame. Positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// There is nothing.
    #[error("no bytes, expected a frame")]
    Empty,
    /// The first byte starts nothing.
    #[error("start {found:02X} at byte 0, expected E5, 10 or 68")]
    Start {
        /// The start byte found.
        found: u8,
    },
    /// The second start is another byte.
    #[error("second start {found:02X} at byte 3, expected 68")]
    SecondStart {
        /// The start byte found.
        found: u8,
    },
    /// The two lengths differ.
    #[error("length {second:02X} at byte 2, expected {first:02X} as at byte 1")]
    LengthsDiffer {
        /// The length at byte 1.
        first: u8,
        /// The length at byte 2.
        second: u8,
    },
    /// Control, address and control information field have no place.
    #[error("length {found} at byte 1, expected at least 3")]
    Length {
        /// The length found.
        found: u8,
    },
    /// The frame goes on behind the bytes.
    #[error("too short: {found} bytes, expected {needed}")]
    TooShort {
        /// Bytes there are.
        found: usize,
        /// Bytes there have to be, as far as it is known.
        needed: usize,
    },
    /// No frame is so long.
    #[error("too long: {found} bytes, expected at most 261")]
    TooLong {
        /// Bytes there are.
        found: usize,
    },
    /// The checksum is another.
    #[error("checksum {found:02X} at byte {at}, expected {expected:02X}")]
    Checksum {
        /// Its offset in the frame, in bytes.
        at: usize,
        /// The sum of the bytes.
        expected: u8,
        /// The checksum found.
        found: u8,
    },
    /// The stop byte is another.
    #[error("stop {found:02X} at byte {at}, expected 16")]
    Stop {
        /// Its offset in the frame, in bytes.
        at: usize,
        /// The stop byte found.
        found: u8,
    },
    /// Bytes follow the frame.
    #[error("{count} trailing bytes from byte {at} on, expected none")]
    Trailing {
        /// Where they begin.
        at: usize,
        /// How many they are.
        count: usize,
    },
    /// The control field has no meaning.
    #[error("control field {found:02X} at byte {at}, expected SND_NKE, SND_UD, REQ_UD or RSP_UD")]
    Control {
        /// Its offset in the frame, in bytes.
        at: usize,
        /// The control field found.
        found: u8,
    },
}

/// User data that has no place in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{found} bytes of user data, expected at most 252")]
pub struct DataTooLong {
    /// Bytes of user data.
    pub found: usize,
}

/// How many bytes the frame has that these begin; nothing while they are too few to know.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(&start) = bytes.first() else { return Ok(None) };
    match start {
        ACKNOWLEDGE => return Ok(Some(1)),
        SHORT_START => return Ok(Some(5)),
        LONG_START => {}
        found => return Err(FrameError::Start { found }),
    }
    let Some(&first) = bytes.get(1) else { return Ok(None) };
    if let Some(&second) = bytes.get(2)
        && second != first
    {
        return Err(FrameError::LengthsDiffer { first, second });
    }
    if let Some(&found) = bytes.get(3)
        && found != LONG_START
    {
        return Err(FrameError::SecondStart { found });
    }
    if bytes.len() > 3 && first < 3 {
        return Err(FrameError::Length { found: first });
    }
    Ok((bytes.len() > 3).then_some(usize::from(first) + 6))
}

/// The sum of bytes, modulo 256 (EN 13757-2, 5.5.4).
pub fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

impl<'a> Frame<'a> {
    /// Reads exactly one frame.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let found = bytes.len();
        let Some(needed) = length(bytes)? else {
            let needed = bytes.first().map_or(1, |_| 9);
            return Err(if found == 0 {
                FrameError::Empty
            } else {
                FrameError::TooShort { found, needed }
            });
        };
        if found < needed {
            return Err(FrameError::TooShort { found, needed });
        }
        if found > LENGTH_MAX {
            return Err(FrameError::TooLong { found });
        }
        if needed == 1 {
            return if found == 1 {
                Ok(Self::Acknowledge)
            } else {
                Err(FrameError::Trailing { at: 1, count: found - 1 })
            };
        }
        let at = if needed == 5 { 1 } else { 4 };
        let (body, tail) = (&bytes[at..needed - 2], [bytes[needed - 2], bytes[needed - 1]]);
        // Before trailing bytes: a length hit by a bit error shows as a wrong checksum.
        let expected = checksum(body);
        if tail[0] != expected {
            return Err(FrameError::Checksum { at: needed - 2, expected, found: tail[0] });
        }
        if tail[1] != STOP {
            return Err(FrameError::Stop { at: needed - 1, found: tail[1] });
        }
        if found > needed {
            return Err(FrameError::Trailing { at: needed, count: found - needed });
        }
        let (code, address) = (body[0], body[1]);
        let Some(control) = Control::from_byte(code) else {
            return Err(FrameError::Control { at, found: code });
        };
        Ok(match *body {
            [_, _] => Self::Short { control, address },
            [_, _, information] => Self::Control { control, address, information },
            [_, _, information, ref data @ ..] => {
                Self::Long { control, address, information, data }
            }
            _ => return Err(FrameError::TooShort { found, needed }),
        })
    }

    /// A frame with a control information field: long with data, a control frame without.
    pub fn with_data(
        control: Control,
        address: u8,
        information: u8,
        data: &'a [u8],
    ) -> Result<Self, DataTooLong> {
        match data.len() {
            0 => Ok(Self::Control { control, address, information }),
            1..=DATA_MAX => Ok(Self::Long { control, address, information, data }),
            found => Err(DataTooLong { found }),
        }
    }

    /// Appends the frame. Data beyond 252 bytes has no place, and nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        let (control, address, information, data): (_, _, _, &[u8]) = match *self {
            Self::Acknowledge => {
                out.push(ACKNOWLEDGE);
                return Ok(());
            }
            Self::Short { control, address } => {
                let code = control.byte();
                out.extend([SHORT_START, code, address, code.wrapping_add(address), STOP]);
                return Ok(());
            }
            Self::Control { control, address, information } => (control, address, information, &[]),
            Self::Long { control, address, information, data } => {
                (control, address, information, data)
            }
        };
        let Some(length) = u8::try_from(data.len()).ok().and_then(|count| count.checked_add(3))
        else {
            return Err(DataTooLong { found: data.len() });
        };
        let head = [control.byte(), address, information];
        out.extend([LONG_START, length, length, LONG_START]);
        out.extend(head);
        out.extend(data);
        out.extend([checksum(&head).wrapping_add(checksum(data)), STOP]);
        Ok(())
    }

    /// The control field, which all but the single character have.
    pub const fn control(&self) -> Option<Control> {
        match *self {
            Self::Acknowledge => None,
            Self::Short { control, .. }
            | Self::Control { control, .. }
            | Self::Long { control, .. } => Some(control),
        }
    }

    /// The address field, which all but the single character have.
    pub const fn address(&self) -> Option<u8> {
        match *self {
            Self::Acknowledge => None,
            Self::Short { address, .. }
            | Self::Control { address, .. }
            | Self::Long { address, .. } => Some(address),
        }
    }

    /// The control information field and what follows it, of control and long frames.
    pub const fn user_data(&self) -> Option<(u8, &'a [u8])> {
        match *self {
            Self::Acknowledge | Self::Short { .. } => None,
            Self::Control { information, .. } => Some((information, &[])),
            Self::Long { information, data, .. } => Some((information, data)),
        }
    }
}
