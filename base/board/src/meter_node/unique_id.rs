//! The unique id of a node, and its two registers.
//!
//! An id has 96 bits and a frame room for 64, so bits 32 to 63 are in both halves: those that
//! differ there are halves of two ids.

use std::fmt;

use super::Register;

/// The unique id of a node: 96 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UniqueId(u128);

impl UniqueId {
    /// The id of these bytes, the most significant first.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes.into_iter().fold(0, |id, byte| id << 8 | u128::from(byte)))
    }

    /// The id of 24 hexadecimal digits; `None` of anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_id = text.len() == 24 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_id).map(Self)
    }

    /// The data of a register that holds a half of it; `None` of other registers.
    pub fn half(self, register: Register) -> Option<[u8; 8]> {
        match register {
            Register::UniqueIdHigh => Some(((self.0 >> 32) as u64).to_be_bytes()),
            Register::UniqueIdLow => Some((self.0 as u64).to_be_bytes()),
            _ => None,
        }
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:024x}", self.0)
    }
}

/// Halves of ids as they come, whoever sends them.
#[derive(Clone, Debug, Default)]
pub struct UniqueIdHalves {
    /// The last first half.
    high: Option<u64>,
}

impl UniqueIdHalves {
    /// Takes the data of a register; an id, if they are the second half of the one whose first
    /// half came before.
    pub fn take(&mut self, register: Register, data: &[u8]) -> Option<UniqueId> {
        let half = u64::from_be_bytes(*data.first_chunk()?);
        match register {
            Register::UniqueIdHigh => {
                self.high = Some(half);
                None
            }
            Register::UniqueIdLow => {
                let high = self.high.take_if(|high| *high & 0xFFFF_FFFF == half >> 32)?;
                Some(UniqueId(u128::from(high) << 32 | u128::from(half)))
            }
            _ => None,
        }
    }
}
