//! Bytes of a frame from front to back, and the two ways in which that goes wrong: what is read is
//! no frame of the protocol, or what is to be written has no form in it.

use thiserror::Error;

/// Why bytes are not what they should be. Positions count from 0, from the start of the bytes that
/// were handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end within a field.
    #[error("{what} at byte {at}: {found} bytes left, expected at least {needed}")]
    TooShort {
        /// The field.
        what: &'static str,
        /// Where it begins.
        at: usize,
        /// Bytes that are left.
        found: usize,
        /// Bytes that it needs.
        needed: usize,
    },
    /// A field has a value that the protocol does not have.
    #[error("{what} at byte {at}: found 0x{found:02X}, expected {expected}")]
    Unexpected {
        /// The field.
        what: &'static str,
        /// Where it begins.
        at: usize,
        /// Its value.
        found: u64,
        /// The values that are allowed.
        expected: &'static str,
    },
    /// Bytes follow where the frame has to end.
    #[error("{what} ends at byte {at}: {found} more bytes, expected none")]
    Trailing {
        /// What ends there.
        what: &'static str,
        /// Where it ends.
        at: usize,
        /// Bytes that follow.
        found: usize,
    },
}

/// Why a value has no form in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A number is outside of its field, or is the one that stands for no value.
    #[error("{what}: {found}, expected {expected}")]
    OutOfRange {
        /// The field.
        what: &'static str,
        /// Its value.
        found: i64,
        /// The values that are allowed.
        expected: &'static str,
    },
    /// There is more than the field can hold.
    #[error("{what}: {found} bytes or elements, expected at most {max}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many fit.
        max: usize,
    },
}

/// Reads fields from front to back; numbers are little-endian unless the name states otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Begins at the byte `at`, so that errors count from the start of `bytes`.
    pub const fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next byte stands.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.rest();
        let Some((head, _)) = rest.split_at_checked(count) else {
            let (at, found) = (self.at, rest.len());
            return Err(DecodeError::TooShort { what, at, found, needed: count });
        };
        self.at += count;
        Ok(head)
    }

    /// The next `count` bytes, 8 at most, as a number with the low byte first.
    fn little(&mut self, what: &'static str, count: usize) -> Result<u64, DecodeError> {
        let bytes = self.take(what, count)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// The next `count` bytes, 8 at most, as a number with the high byte first.
    pub fn big(&mut self, what: &'static str, count: usize) -> Result<u64, DecodeError> {
        let bytes = self.take(what, count)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.little(what, 1).map(|number| number as u8)
    }

    /// 16 bits.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.little(what, 2).map(|number| number as u16)
    }

    /// 24 bits.
    pub fn u24(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.little(what, 3).map(|number| number as u32)
    }

    /// 32 bits.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.little(what, 4).map(|number| number as u32)
    }

    /// 48 bits.
    pub fn u48(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.little(what, 6)
    }

    /// 64 bits.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.little(what, 8)
    }

    /// Nothing may be left.
    pub fn end(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            found => Err(DecodeError::Trailing { what, at: self.at, found }),
        }
    }
}

/// CRC-16 with the polynomial 0x1021 in reflected order, begun with 0 (known as KERMIT): the frame
/// check sequence of IEEE 802.15.4 (2006, 7.2.1.9, unverified).
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(
            crc ^ u16::from(byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 }
            },
        )
    })
}
