//! What a telegram states about its meter (EN 13757-3, 5): identification, manufacturer, version,
//! device type, access number, status, signature.

use std::fmt;

/// Eight digits, the first one highest. A digit F is a wildcard in a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Identification(pub u32);

impl Identification {
    /// All digits are wildcards.
    pub const ANY: Self = Self(u32::MAX);

    /// The identification with this number; nothing beyond eight digits.
    pub fn from_number(number: u32) -> Option<Self> {
        let digits = (0..8).fold((0, number), |(digits, rest), place| {
            (digits | (rest % 10) << (4 * place), rest / 10)
        });
        (digits.1 == 0).then_some(Self(digits.0))
    }

    /// A digit, counted from 0 for the first.
    pub const fn digit(self, place: u32) -> u8 {
        (self.0 >> (28 - 4 * (place & 7)) & 0xF) as u8
    }

    /// The same with another digit.
    #[must_use]
    pub const fn with_digit(self, place: u32, digit: u8) -> Self {
        let shift = 28 - 4 * (place & 7);
        Self(self.0 & !(0xF << shift) | ((digit & 0xF) as u32) << shift)
    }

    /// Whether an identification has all digits that are no wildcards here.
    pub const fn selects(self, other: Self) -> bool {
        // The lowest bit of each digit that is F.
        let wild = self.0 & self.0 >> 1 & self.0 >> 2 & self.0 >> 3 & 0x1111_1111;
        (self.0 ^ other.0) & !(wild * 0xF) == 0
    }

    /// From four bytes, low byte first.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// Four bytes, low byte first.
    pub const fn bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// Three letters, five bits each (EN 62056-21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Manufacturer(pub u16);

impl Manufacturer {
    /// The wildcard of a selection.
    pub const ANY: Self = Self(u16::MAX);

    /// From three letters, `A` to `Z`.
    pub fn from_letters(letters: &str) -> Option<Self> {
        let [first, second, third] = *letters.as_bytes() else { return None };
        let code = |letter: u8| letter.is_ascii_uppercase().then(|| u16::from(letter - 64));
        Some(Self(code(first)? << 10 | code(second)? << 5 | code(third)?))
    }

    /// The three letters; nothing where the code has others.
    pub fn letters(self) -> Option<[char; 3]> {
        let letter = |shift: u16| {
            let code = (self.0 >> shift & 0x1F) as u8;
            (1..=26).contains(&code).then(|| char::from(code + 64))
        };
        if self.0 >> 15 == 1 {
            return None;
        }
        Some([letter(10)?, letter(5)?, letter(0)?])
    }

    /// Whether a manufacturer is this one or this is the wildcard.
    pub fn selects(self, other: Self) -> bool {
        self == Self::ANY || self == other
    }
}

impl fmt::Display for Manufacturer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.letters() {
            Some([first, second, third]) => write!(f, "{first}{second}{third}"),
            None => write!(f, "{:04X}h", self.0),
        }
    }
}

/// What a meter measures (EN 13757-3, table 3); `medium` in the earlier editions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Medium(pub u8);

impl Medium {
    /// The wildcard of a selection.
    pub const ANY: Self = Self(0xFF);
    /// Something else.
    pub const OTHER: Self = Self(0x00);
    /// Electricity.
    pub const ELECTRICITY: Self = Self(0x02);
    /// Heat, volume measured at the outlet (return).
    pub const HEAT_OUTLET: Self = Self(0x04);
    /// Water.
    pub const WATER: Self = Self(0x07);

    /// Its English name.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x00 => "other",
            0x01 => "oil",
            0x02 => "electricity",
            0x03 => "gas",
            0x04 => "heat, outlet",
            0x05 => "steam",
            0x06 => "warm water",
            0x07 => "water",
            0x08 => "heat cost allocator",
            0x09 => "compressed air",
            0x0A => "cooling, outlet",
            0x0B => "cooling, inlet",
            0x0C => "heat, inlet",
            0x0D => "heat and cooling",
            0x0E => "bus or system component",
            0x0F => "unknown",
            0x10 => "irrigation water",
            0x11 => "water logger",
            0x12 => "gas logger",
            0x13 => "gas converter",
            0x14 => "calorific value",
            0x15 => "hot water",
            0x16 => "cold water",
            0x17 => "dual register water",
            0x18 => "pressure",
            0x19 => "A/D converter",
            0x1A => "smoke detector",
            0x1B => "room sensor",
            0x1C => "gas detector",
            0x20 => "breaker, electricity",
            0x21 => "valve, gas or water",
            0x25 => "customer unit, display",
            0x28 => "waste water",
            0x29 => "garbage",
            0x30 => "service unit",
            0x31 => "communication controller",
            0x36 => "radio converter, system side",
            0x37 => "radio converter, meter side",
            _ => "reserved",
        }
    }

    /// Whether a device type is this one or this is the wildcard.
    pub fn selects(self, other: Self) -> bool {
        self == Self::ANY || self == other
    }
}

/// Which meter it is: its secondary address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Identity {
    /// Identification number of eight digits.
    pub identification: Identification,
    /// Who made it.
    pub manufacturer: Manufacturer,
    /// Version, or generation.
    pub version: u8,
    /// What it measures.
    pub medium: Medium,
}

impl Identity {
    /// Selects everybody.
    pub const ANY: Self = Self {
        identification: Identification::ANY,
        manufacturer: Manufacturer::ANY,
        version: 0xFF,
        medium: Medium::ANY,
    };

    /// Whether this, taken as a mask with wildcards, selects a meter (EN 13757-3, 11.3).
    pub fn selects(&self, other: &Self) -> bool {
        self.identification.selects(other.identification)
            && self.manufacturer.selects(other.manufacturer)
            && (self.version == 0xFF || self.version == other.version)
            && self.medium.selects(other.medium)
    }

    /// From its eight bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, low, high, version, medium] = bytes;
        Self {
            identification: Identification::from_bytes([a, b, c, d]),
            manufacturer: Manufacturer(u16::from_le_bytes([low, high])),
            version,
            medium: Medium(medium),
        }
    }

    /// Its eight bytes.
    pub const fn bytes(&self) -> [u8; 8] {
        let [a, b, c, d] = self.identification.bytes();
        let [low, high] = self.manufacturer.0.to_le_bytes();
        [a, b, c, d, low, high, self.version, self.medium.0]
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identification, manufacturer, version, medium } = self;
        write!(f, "{identification} {manufacturer} {version:02X} {:02X}", medium.0)
    }
}

/// The status field (EN 13757-3, 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Status(pub u8);

/// What stands before the records of a variable data structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Header {
    /// CI 78: nothing.
    #[default]
    None,
    /// CI 7A: 4 bytes.
    Short {
        /// Counts the answers, modulo 256.
        access_number: u8,
        /// Status of the meter.
        status: Status,
        /// Signature, or configuration field.
        signature: u16,
    },
    /// CI 72: 12 bytes.
    Long {
        /// Which meter it is.
        identity: Identity,
        /// Counts the answers, modulo 256.
        access_number: u8,
        /// Status of the meter.
        status: Status,
        /// Signature, or configuration field.
        signature: u16,
    },
}

impl Header {
    /// The control information field that announces it.
    pub const fn control_information(&self) -> u8 {
        match self {
            Self::None => 0x78,
            Self::Short { .. } => 0x7A,
            Self::Long { .. } => 0x72,
        }
    }

    /// Which meter it is, where it is stated.
    pub const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Long { identity, .. } => Some(identity),
            Self::None | Self::Short { .. } => None,
        }
    }

    /// Access number, status and signature, where they are stated.
    pub const fn state(&self) -> Option<(u8, Status, u16)> {
        match *self {
            Self::None => None,
            Self::Short { access_number, status, signature }
            | Self::Long { access_number, status, signature, .. } => {
                Some((access_number, status, signature))
            }
        }
    }

    /// The security mode of the configuration field, bits 8 to 12 (EN 13757-3, 5.12); 0: nothing is
    /// encrypted, whatever the other bits state (content, hops, access).
    pub const fn security_mode(&self) -> u8 {
        match self.state() {
            Some((_, _, signature)) => (signature >> 8 & 0x1F) as u8,
            None => 0,
        }
    }

    /// From the bytes behind CI 72; as many as there have to be.
    pub const fn long_from_bytes(bytes: [u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, access_number, status, low, high] = bytes;
        Self::Long {
            identity: Identity::from_bytes([a, b, c, d, e, f, g, h]),
            access_number,
            status: Status(status),
            signature: u16::from_le_bytes([low, high]),
        }
    }

    /// From the bytes behind CI 7A.
    pub const fn short_from_bytes(bytes: [u8; 4]) -> Self {
        let [access_number, status, low, high] = bytes;
        Self::Short {
            access_number,
            status: Status(status),
            signature: u16::from_le_bytes([low, high]),
        }
    }

    /// Appends its bytes, without the control information field.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(identity) = self.identity() {
            out.extend(identity.bytes());
        }
        if let Some((access_number, status, signature)) = self.state() {
            out.extend([access_number, status.0]);
            out.extend(signature.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EN 13757-3, 5.12: bits 8 to 12 are the mode; block count, content and hops stand beside it.
    #[test]
    fn only_the_mode_of_a_configuration_field_encrypts() {
        let mode = |signature| {
            let (access_number, status) = (1, Status(0));
            Header::Short { access_number, status, signature }.security_mode()
        };
        for open in [0, 0x0001, 0x00F0, 0x2000, 0x8000, 0xE0FF] {
            assert_eq!(mode(open), 0, "{open:04X}");
        }
        assert_eq!([0x0510, 0x0700, 0x1F00, 0x2510].map(mode), [5, 7, 31, 5]);
        assert_eq!(Header::None.security_mode(), 0);
    }

    #[test]
    fn digits_letters_and_wildcards() {
        let id = Identification::from_number(12_345_678).expect("eight digits");
        assert_eq!(id.bytes(), [0x78, 0x56, 0x34, 0x12]);
        assert_eq!(id.to_string(), "12345678");
        assert_eq!((id.digit(0), id.digit(7)), (1, 8));
        assert_eq!(Identification::from_number(100_000_000), None);
        let mask = Identification::ANY.with_digit(0, 1).with_digit(7, 8);
        assert_eq!(mask.to_string(), "1FFFFFF8");
        assert!(mask.selects(id) && !mask.with_digit(3, 9).selects(id));
        // EN 13757-3, 5.6: PAD is 4024h in the frames of the standard's annex.
        assert_eq!(Manufacturer(0x4024).letters(), Some(['P', 'A', 'D']));
        assert_eq!(Manufacturer::from_letters("PAD"), Some(Manufacturer(0x4024)));
        assert_eq!(Manufacturer::from_letters("pad"), None);
        assert_eq!(Manufacturer(0).to_string(), "0000h");
        let identity = Identity {
            identification: id,
            manufacturer: Manufacturer(0x4024),
            version: 1,
            medium: Medium::WATER,
        };
        assert!(Identity::ANY.selects(&identity) && identity.selects(&identity));
        assert!(!Identity { version: 2, ..Identity::ANY }.selects(&identity));
        assert_eq!(Identity::from_bytes(identity.bytes()), identity);
    }
}
