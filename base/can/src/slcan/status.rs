//! The status flags of `F`.

use std::fmt;

/// One status flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusFlag {
    /// The queue of received frames was full, and a frame was lost.
    ReceiveQueueFull,
    /// The queue of frames to send was full, and a frame was refused.
    TransmitQueueFull,
    /// An error counter reached the warning limit of 96.
    ErrorWarning,
    /// The CAN controller received more than was fetched.
    DataOverrun,
    /// An error counter reached 128: the controller is error passive.
    ErrorPassive,
    /// A frame lost the bus to one of higher priority.
    ArbitrationLost,
    /// An error on the bus.
    BusError,
}

impl StatusFlag {
    /// All, each with its bit and what it is called; bit 4 is unused.
    pub const TABLE: [(Self, u8, &str); 7] = [
        (Self::ReceiveQueueFull, 0, "receive queue full"),
        (Self::TransmitQueueFull, 1, "transmit queue full"),
        (Self::ErrorWarning, 2, "error warning"),
        (Self::DataOverrun, 3, "data overrun"),
        (Self::ErrorPassive, 5, "error passive"),
        (Self::ArbitrationLost, 6, "arbitration lost"),
        (Self::BusError, 7, "bus error"),
    ];

    /// Its bit, 0 to 7.
    #[must_use]
    pub const fn bit(self) -> u8 {
        Self::TABLE[self as usize].1
    }
}

/// A set of status flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusFlags(u8);

impl StatusFlags {
    /// The flags of the byte behind `F`; bit 4 is kept, though it means nothing.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte behind `F`.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Sets a flag.
    pub const fn raise(&mut self, flag: StatusFlag) {
        self.0 |= 1 << flag.bit();
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn contains(self, flag: StatusFlag) -> bool {
        self.0 >> flag.bit() & 1 == 1
    }

    /// The flags that are set, lowest bit first.
    pub fn iter(self) -> impl Iterator<Item = StatusFlag> {
        StatusFlag::TABLE
            .into_iter()
            .map(|(flag, ..)| flag)
            .filter(move |&flag| self.contains(flag))
    }
}

/// `error warning, bus error`, or `none`.
impl fmt::Display for StatusFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(|flag| StatusFlag::TABLE[flag as usize].2).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::StatusFlag::{ArbitrationLost, DataOverrun, ReceiveQueueFull, TransmitQueueFull};
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_flags() {
        for (at, (flag, bit, _)) in StatusFlag::TABLE.into_iter().enumerate() {
            assert_eq!((flag as usize, flag.bit()), (at, bit));
        }
    }

    #[test]
    fn flags_have_the_bits_of_the_manual() {
        let mut flags = StatusFlags::default();
        assert_eq!(flags.to_string(), "none");
        flags.raise(StatusFlag::BusError);
        flags.raise(StatusFlag::ErrorWarning);
        flags.raise(StatusFlag::ErrorPassive);
        assert_eq!(flags.bits(), 0xA4);
        assert_eq!(flags.to_string(), "error warning, error passive, bus error");
        let read: Vec<StatusFlag> = StatusFlags::from_bits(0x5B).iter().collect();
        assert_eq!(read, [ReceiveQueueFull, TransmitQueueFull, DataOverrun, ArbitrationLost]);
    }
}
