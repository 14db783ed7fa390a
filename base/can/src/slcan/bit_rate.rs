//! The bit rate of the bus: nine that have a digit, and any other by the registers of an SJA1000.

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

    /// Bit/s.
    #[must_use]
    pub const fn bits_per_second(self) -> u32 {
        Self::ALL[self as usize].1
    }

    /// The one of so many bit/s, if there is one.
    #[must_use]
    pub fn from_bits_per_second(bits_per_second: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&(_, rate)| rate == bits_per_second).map(|(rate, _)| rate)
    }

    /// The digit behind `S`.
    #[must_use]
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }

    /// The one of a digit behind `S`.
    #[must_use]
    pub fn from_digit(digit: u8) -> Option<Self> {
        Self::ALL.into_iter().map(|(rate, _)| rate).find(|rate| rate.digit() == digit)
    }
}

/// `S4 (125000 bit/s)`.
impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{} ({} bit/s)", *self as u8, self.bits_per_second())
    }
}

/// The bus timing registers of an SJA1000 with a crystal of 16 MHz, as `sxxyy` sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BitTiming {
    /// Synchronisation jump width (2 bits), prescaler (6 bits).
    pub btr0: u8,
    /// Sampling (1 bit), second segment (3 bits), first segment (4 bits).
    pub btr1: u8,
}

impl BitTiming {
    /// Bit/s, rounded down: half the crystal's frequency over prescaler and time quanta a bit.
    #[must_use]
    pub const fn bits_per_second(self) -> u32 {
        let prescaler = (self.btr0 & 0x3F) as u32 + 1;
        let first = (self.btr1 & 0x0F) as u32 + 1;
        let second = (self.btr1 >> 4 & 0x07) as u32 + 1;
        8_000_000 / (prescaler * (1 + first + second))
    }
}

/// How the bit rate of the bus was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BusTiming {
    /// By `S0` to `S8`.
    Standard(BitRate),
    /// By `sxxyy`.
    Registers(BitTiming),
}

impl BusTiming {
    /// Bit/s.
    #[must_use]
    pub const fn bits_per_second(self) -> u32 {
        match self {
            Self::Standard(rate) => rate.bits_per_second(),
            Self::Registers(timing) => timing.bits_per_second(),
        }
    }
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
            assert_eq!(BitRate::from_digit(rate.digit()), Some(rate));
        }
        assert_eq!(BitRate::from_digit(b'7').unwrap().to_string(), "S7 (800000 bit/s)");
        assert_eq!(BitRate::from_digit(b'9'), None);
        assert_eq!(BitRate::from_bits_per_second(83_300), None);
    }

    /// Values that makers of SJA1000 boards publish for 16 MHz.
    #[test]
    fn registers_give_the_published_rates() {
        for (btr0, btr1, rate) in [
            (0x00, 0x14, 1_000_000),
            (0x00, 0x1C, 500_000),
            (0x01, 0x1C, 250_000),
            (0x03, 0x1C, 125_000),
            (0x43, 0x2F, 100_000),
            (0x31, 0x1C, 10_000),
        ] {
            let timing = BusTiming::Registers(BitTiming { btr0, btr1 });
            assert_eq!(timing.bits_per_second(), rate, "{btr0:02X}{btr1:02X}");
        }
    }
}
