//! The bit rate of the bus: nine that have a digit; and the baud rate that a line needs for one.

use std::fmt;

/// The bit rates of `S0` to `S8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BitRate {
    /// `S0`, 10 kbit/s.
    S0,
    /// `S1`, 20 kbit/s.
    S1,
    /// `S2`, 50 kbit/s.
    S2,
    /// `S3`, 100 kbit/s.
    S3,
    /// `S4`, 125 kbit/s.
    S4,
    /// `S5`, 250 kbit/s.
    S5,
    /// `S6`, 500 kbit/s.
    S6,
    /// `S7`, 800 kbit/s (python-can takes it for 750 kbit/s).
    S7,
    /// `S8`, 1 Mbit/s.
    S8,
}

impl BitRate {
    /// All, with their bit/s.
    pub const ALL: [(Self, u32); 9] = [
        (Self::S0, 10_000),
        (Self::S1, 20_000),
        (Self::S2, 50_000),
        (Self::S3, 100_000),
        (Self::S4, 125_000),
        (Self::S5, 250_000),
        (Self::S6, 500_000),
        (Self::S7, 800_000),
        (Self::S8, 1_000_000),
    ];

    /// The rate in bit/s.
    pub const fn bits_per_second(self) -> u32 {
        Self::ALL[self as usize].1
    }

    /// The longest bus at this rate in metres: a bit has to reach its ends and come back before it
    /// is read (CAN in Automation 301, 5.1, and at 1 Mbit/s ISO 11898-2, unverified; at 100 kbit/s
    /// by its neighbours).
    pub const fn longest_bus_m(self) -> u32 {
        match self {
            Self::S0 => 5_000,
            Self::S1 => 2_500,
            Self::S2 => 1_000,
            Self::S3 => 600,
            Self::S4 => 500,
            Self::S5 => 250,
            Self::S6 => 100,
            Self::S7 => 50,
            Self::S8 => 40,
        }
    }

    /// The one of so many bit/s, if there is one.
    pub fn from_bits_per_second(bits_per_second: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&(_, rate)| rate == bits_per_second).map(|(rate, _)| rate)
    }

    /// The digit behind `S`.
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

/// `S4 (125000 bit/s)`.
impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{} ({} bit/s)", *self as u8, self.bits_per_second())
    }
}

/// The baud rate (bit/s, 10 bits a character) that a serial line needs at least to carry all
/// frames of a bus that is never idle, whatever they are.
///
/// The frame that costs most is an extended one of 8 bytes without stuff bits: 27 characters for
/// 131 bits on the bus (ISO 11898-1, unverified).
pub fn least_baud(bit_rate: u32) -> u64 {
    (u64::from(bit_rate) * 27 * 10).div_ceil(131)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_rates_lead_to_each_other() {
        let thousands = [10, 20, 50, 100, 125, 250, 500, 800, 1000];
        for ((rate, bits_per_second), thousand) in BitRate::ALL.into_iter().zip(thousands) {
            assert_eq!(bits_per_second, thousand * 1000);
            assert_eq!(rate.bits_per_second(), bits_per_second);
            assert_eq!(BitRate::from_bits_per_second(bits_per_second), Some(rate));
        }
        assert_eq!(BitRate::S7.to_string(), "S7 (800000 bit/s)");
        assert_eq!(BitRate::S7.digit(), b'7');
        assert_eq!(BitRate::from_bits_per_second(83_300), None);
    }

    /// By hand: 27 characters of 10 bits in the time of 131 bits.
    #[test]
    fn a_line_carries_a_bus_that_is_never_idle() {
        assert_eq!([0, 500_000, 1_000_000].map(least_baud), [0, 1_030_535, 2_061_069]);
    }
}
