//! Lines: what can be wrong with one, and the form of a frame, the same in both directions.

use crate::frame::{CanFrame, CanId};

/// Ends a line; alone, it means done.
pub const CR: u8 = b'\r';
/// BEL, an adapter's answer to a command that it refuses.
pub const BEL: u8 = 0x07;
/// The most bytes of a line without its end that are kept. The longest line of the protocol, an
/// extended frame of 8 bytes with a time stamp, has 30.
pub const LINE_BYTES_MAX: usize = 32;
/// Time stamps are milliseconds from 0 to one less than this.
pub const TIME_STAMP_WRAP_MS: u16 = 60_000;

/// Why a line is not one of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The first character begins no line of an adapter.
    #[error("a line does not begin with '{}'", found.escape_ascii())]
    Unknown {
        /// The byte found.
        found: u8,
    },
    /// Something else than a digit of the wanted kind.
    #[error("'{}' is not a digit allowed at position {place} of the line", found.escape_ascii())]
    Digit {
        /// The byte found.
        found: u8,
        /// Where, from 0.
        place: usize,
    },
    /// Shorter or longer than a line that begins so.
    #[error("the line has {found} characters, expected {expected}")]
    Length {
        /// Without the end of the line.
        found: usize,
        /// Without the end of the line and without time stamp.
        expected: usize,
    },
    /// A data length code above 8.
    #[error("'{}' is not a data length code, expected 0 to 8", found.escape_ascii())]
    LengthCode {
        /// The byte found.
        found: u8,
    },
    /// An identifier of more bits than its format has.
    #[error(
        "the identifier {found:X} has more bits than its format, 11 for t and r, 29 for T and R"
    )]
    Identifier {
        /// The identifier found.
        found: u32,
    },
    /// A time stamp of a minute or more.
    #[error("the time stamp is {found} ms, expected less than 60000")]
    TimeStamp {
        /// The time stamp in milliseconds.
        found: u16,
    },
    /// Longer than any line.
    #[error("the line has {found} characters, and no line has more than 32; its rest is discarded")]
    TooLong {
        /// Without the end of the line.
        found: usize,
    },
    /// A BEL in the middle of a line.
    #[error("BEL follows {found} characters of a line that has not ended")]
    CutByBel {
        /// How many characters.
        found: usize,
    },
}

/// A fault if the line is not exactly so long.
pub(super) const fn has_length(line: &[u8], expected: usize) -> Result<(), LineFault> {
    if line.len() == expected {
        Ok(())
    } else {
        Err(LineFault::Length { found: line.len(), expected })
    }
}

/// The value of hexadecimal digits, at most 8, of which the first stands at `place`.
fn hexadecimal(digits: &[u8], place: usize) -> Result<u32, LineFault> {
    digits.iter().zip(place..).try_fold(0_u32, |value, (&found, place)| {
        let digit = char::from(found).to_digit(16).ok_or(LineFault::Digit { found, place })?;
        Ok(value << 4 | digit)
    })
}

/// Writes the line of a frame, without its end.
pub(super) fn write_frame(frame: &CanFrame, out: &mut Vec<u8>) {
    let letter = if frame.is_remote() { b'r' } else { b't' };
    out.push(if frame.id().is_extended() { letter.to_ascii_uppercase() } else { letter });
    out.extend_from_slice(frame.id().to_string().as_bytes());
    out.push(b'0' + frame.dlc());
    out.extend(frame.bytes().iter().flat_map(|byte| format!("{byte:02X}").into_bytes()));
}

/// Reads the line of a frame, without its end; it may end in a time stamp.
pub(super) fn read_frame(line: &[u8]) -> Result<(CanFrame, Option<u16>), LineFault> {
    let letter = line.first().copied().unwrap_or(CR);
    let (id_digits, remote) = match letter {
        b't' => (3, false),
        b'r' => (3, true),
        b'T' => (8, false),
        b'R' => (8, true),
        found => return Err(LineFault::Unknown { found }),
    };
    let (Some(digits), Some(&code)) = (line.get(1..=id_digits), line.get(1 + id_digits)) else {
        return Err(LineFault::Length { found: line.len(), expected: 2 + id_digits });
    };
    let found = hexadecimal(digits, 1)?;
    let id = if id_digits == 3 { CanId::standard(found) } else { CanId::extended(found) };
    let id = id.map_err(|_| LineFault::Identifier { found })?;
    let dlc = code.wrapping_sub(b'0');
    let count = if remote { 0 } else { usize::from(dlc) };
    let rest = &line[2 + id_digits..];
    let fits = rest.len() == 2 * count || rest.len() == 2 * count + 4;
    if dlc > 8 {
        return Err(LineFault::LengthCode { found: code });
    }
    if !fits {
        let expected = 2 + id_digits + 2 * count;
        return Err(LineFault::Length { found: line.len(), expected });
    }
    let (data, stamp) = rest.split_at(2 * count);
    let mut bytes = [0; 8];
    for (at, (byte, pair)) in bytes.iter_mut().zip(data.chunks(2)).enumerate() {
        *byte = hexadecimal(pair, 2 + id_digits + 2 * at)? as u8;
    }
    let frame =
        if remote { CanFrame::remote(id, dlc) } else { CanFrame::data(id, &bytes[..count]) };
    let frame = frame.map_err(|_| LineFault::LengthCode { found: code })?;
    if stamp.is_empty() {
        return Ok((frame, None));
    }
    let found = hexadecimal(stamp, line.len() - stamp.len())? as u16;
    if found >= TIME_STAMP_WRAP_MS {
        return Err(LineFault::TimeStamp { found });
    }
    Ok((frame, Some(found)))
}
