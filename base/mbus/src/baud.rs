//! Baud rates of the bus and the times that follow from them.

use lastmeter_units::SimDuration;

/// Bits of a byte on the line: start, eight data, even parity, stop (EN 13757-2, 5.1).
pub const BITS_PER_BYTE: u32 = 11;

/// A baud rate with a control information field that switches to it (EN 13757-3, 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum BaudRate {
    /// 300 baud, CI B8.
    Baud300,
    /// 600 baud, CI B9.
    Baud600,
    /// 1200 baud, CI BA.
    Baud1200,
    /// 2400 baud, CI BB: what every slave understands.
    #[default]
    Baud2400,
    /// 4800 baud, CI BC.
    Baud4800,
    /// 9600 baud, CI BD.
    Baud9600,
    /// 19200 baud, CI BE.
    Baud19200,
    /// 38400 baud, CI BF.
    Baud38400,
}

impl BaudRate {
    /// All of them, slowest first.
    pub const ALL: [Self; 8] = [
        Self::Baud300,
        Self::Baud600,
        Self::Baud1200,
        Self::Baud2400,
        Self::Baud4800,
        Self::Baud9600,
        Self::Baud19200,
        Self::Baud38400,
    ];

    /// Bits per second.
    pub const fn bits_per_second(self) -> u32 {
        300 << self as u32
    }

    /// The control information field that switches to it.
    pub const fn control_information(self) -> u8 {
        0xB8 + self as u8
    }

    /// The rate to which a control information field switches.
    pub fn from_control_information(information: u8) -> Option<Self> {
        Self::ALL.get(usize::from(information.checked_sub(0xB8)?)).copied()
    }

    /// How long so many bits take.
    pub fn bits(self, count: u32) -> SimDuration {
        let nanoseconds = u64::from(count) * 1_000_000_000 / u64::from(self.bits_per_second());
        SimDuration(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
    }

    /// How long so many bytes take.
    pub fn bytes(self, count: usize) -> SimDuration {
        let bits = u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(BITS_PER_BYTE);
        self.bits(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rate_has_its_field() {
        for rate in BaudRate::ALL {
            assert_eq!(BaudRate::from_control_information(rate.control_information()), Some(rate));
        }
        assert_eq!(BaudRate::Baud2400.bits_per_second(), 2400);
        assert_eq!(BaudRate::Baud2400.control_information(), 0xBB);
        assert_eq!(BaudRate::Baud2400.bits(330).0, 137_500_000);
        assert_eq!(BaudRate::from_control_information(0xC0), None);
        assert_eq!(BaudRate::from_control_information(0x72), None);
    }
}
