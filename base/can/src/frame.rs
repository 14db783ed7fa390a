//! Identifiers and frames of classical CAN, and their text as `candump -L` writes it.

use std::fmt;
use std::str::FromStr;

/// The largest identifier of the base format, 11 bits.
pub const STANDARD_ID_MAX: u32 = 0x7FF;
/// The largest identifier of the extended format, 29 bits.
pub const EXTENDED_ID_MAX: u32 = 0x1FFF_FFFF;
/// The most data bytes of a frame, and the largest data length code taken here.
pub const DATA_BYTES_MAX: usize = 8;

/// Why something is no CAN frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// More than 11 bits.
    #[error(
        "the identifier {found:X} is larger than 7FF, the largest of 11 bits; use a smaller one, \
         or an extended identifier (8 digits)"
    )]
    StandardIdentifier {
        /// What was given.
        found: u32,
    },
    /// More than 29 bits.
    #[error(
        "the identifier {found:X} is larger than 1FFFFFFF, the largest of 29 bits; use a \
         smaller one"
    )]
    ExtendedIdentifier {
        /// What was given.
        found: u32,
    },
    /// More data than a frame of classical CAN has.
    #[error("{found} data bytes, and a CAN frame has at most 8; split them over several frames")]
    DataLength {
        /// How many were given.
        found: usize,
    },
    /// A remote frame that asks for more than 8 bytes.
    #[error("a data length code of {found}, expected 0 to 8")]
    LengthCode {
        /// What was given.
        found: u8,
    },
}

/// An identifier of 11 bits (base format) or 29 bits (extended format), ISO 11898-1.
///
/// Ordered by format, then by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanId {
    extended: bool,
    value: u32,
}

impl CanId {
    /// An identifier of 11 bits.
    pub const fn standard(value: u32) -> Result<Self, FrameError> {
        if value > STANDARD_ID_MAX {
            return Err(FrameError::StandardIdentifier { found: value });
        }
        Ok(Self { extended: false, value })
    }

    /// An identifier of 29 bits.
    pub const fn extended(value: u32) -> Result<Self, FrameError> {
        if value > EXTENDED_ID_MAX {
            return Err(FrameError::ExtendedIdentifier { found: value });
        }
        Ok(Self { extended: true, value })
    }

    /// Whether it has 29 bits.
    pub const fn is_extended(self) -> bool {
        self.extended
    }

    /// The identifier as a number.
    pub const fn value(self) -> u32 {
        self.value
    }
}

impl fmt::Display for CanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.extended {
            write!(f, "{:08X}", self.value)
        } else {
            write!(f, "{:03X}", self.value)
        }
    }
}

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A data frame with its 0 to 8 bytes.
    Data(&'a [u8]),
    /// A remote frame, which asks for a data frame.
    Remote {
        /// How many bytes it asks for, 0 to 8.
        dlc: u8,
    },
}

/// A data or remote frame of classical CAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CanFrame {
    id: CanId,
    remote: bool,
    dlc: u8,
    /// Zero from `dlc` on, and in a remote frame, so that equal frames are equal.
    bytes: [u8; DATA_BYTES_MAX],
}

impl CanFrame {
    /// A data frame of up to 8 bytes.
    pub fn data(id: CanId, data: &[u8]) -> Result<Self, FrameError> {
        let mut bytes = [0; DATA_BYTES_MAX];
        let Some(taken) = bytes.get_mut(..data.len()) else {
            return Err(FrameError::DataLength { found: data.len() });
        };
        taken.copy_from_slice(data);
        Ok(Self { id, remote: false, dlc: data.len() as u8, bytes })
    }

    /// A remote frame that asks for `dlc` bytes, 0 to 8.
    pub const fn remote(id: CanId, dlc: u8) -> Result<Self, FrameError> {
        if dlc as usize > DATA_BYTES_MAX {
            return Err(FrameError::LengthCode { found: dlc });
        }
        Ok(Self { id, remote: true, dlc, bytes: [0; DATA_BYTES_MAX] })
    }

    /// The identifier.
    pub const fn id(&self) -> CanId {
        self.id
    }

    /// The data length code, 0 to 8.
    pub const fn dlc(&self) -> u8 {
        self.dlc
    }

    /// Whether it is a remote frame.
    pub const fn is_remote(&self) -> bool {
        self.remote
    }

    /// The data bytes; a remote frame has none.
    pub fn bytes(&self) -> &[u8] {
        let length = if self.remote { 0 } else { usize::from(self.dlc) };
        self.bytes.get(..length).unwrap_or(&self.bytes)
    }

    /// The data, or what is asked for.
    pub fn content(&self) -> Content<'_> {
        if self.remote { Content::Remote { dlc: self.dlc } } else { Content::Data(self.bytes()) }
    }
}

/// `123#1122` or `12345678#R8`, as `candump -L` writes and `cansend` reads it.
impl fmt::Display for CanFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#", self.id)?;
        match self.content() {
            Content::Data(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}")),
            Content::Remote { dlc: 0 } => f.write_str("R"),
            Content::Remote { dlc } => write!(f, "R{dlc}"),
        }
    }
}

/// Why a text is no CAN frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameTextError {
    /// Nothing separates identifier and data.
    #[error("no '#' in '{found}', expected IDENTIFIER#DATA as in 123#1122 or 12345678#R8")]
    NoSeparator {
        /// The text as it was given.
        found: String,
    },
    /// The form of CAN FD.
    #[error(
        "'##' begins the data of a CAN FD frame, and only classical CAN is supported; write one '#'"
    )]
    FlexibleDataRate,
    /// An identifier of another length than 3 or 8 digits.
    #[error(
        "the identifier '{found}' has {} digits, expected 3 (11 bits, as 07B) or 8 \
         (29 bits, as 0000007B)",
        found.chars().count()
    )]
    IdentifierDigits {
        /// The identifier as it was given.
        found: String,
    },
    /// Something else than a hexadecimal digit.
    #[error("'{found}' is not a hexadecimal digit, expected 0 to 9 and A to F")]
    NotHexadecimal {
        /// The character found.
        found: char,
    },
    /// A byte of one digit.
    #[error("the data '{found}' have an odd number of digits, expected two for each byte")]
    HalfByte {
        /// The hexadecimal digits found.
        found: String,
    },
    /// A remote frame's length that is none.
    #[error(
        "'{found}' behind R is not a length of a remote frame, expected one digit from \
         0 to 8, or nothing"
    )]
    RemoteLength {
        /// What stands behind the R.
        found: String,
    },
    /// Digits that make no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The value of hexadecimal digits, none of which is left out; at most 8.
fn hexadecimal(text: &str) -> Result<u32, FrameTextError> {
    text.chars().try_fold(0_u32, |value, digit| {
        let digit = digit.to_digit(16).ok_or(FrameTextError::NotHexadecimal { found: digit })?;
        Ok(value << 4 | digit)
    })
}

/// Reads `123#1122`, `12345678#R8`; as with `cansend`, points may stand between bytes
/// (`123#11.22`), and letters may be small.
impl FromStr for CanFrame {
    type Err = FrameTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, rest) = text
            .split_once('#')
            .ok_or_else(|| FrameTextError::NoSeparator { found: text.to_owned() })?;
        let id = match id.chars().count() {
            3 => CanId::standard(hexadecimal(id)?)?,
            8 => CanId::extended(hexadecimal(id)?)?,
            _ => return Err(FrameTextError::IdentifierDigits { found: id.to_owned() }),
        };
        if rest.starts_with('#') {
            return Err(FrameTextError::FlexibleDataRate);
        }
        if let Some(length) = rest.strip_prefix(['R', 'r']) {
            let dlc = match length.as_bytes() {
                [] => 0,
                [digit @ b'0'..=b'8'] => digit - b'0',
                _ => return Err(FrameTextError::RemoteLength { found: length.to_owned() }),
            };
            return Ok(Self::remote(id, dlc)?);
        }
        let mut bytes = Vec::new();
        for run in rest.split('.').filter(|_| !rest.is_empty()) {
            let digits: Vec<char> = run.chars().collect();
            if digits.is_empty() || digits.len() % 2 == 1 {
                hexadecimal(run)?;
                return Err(FrameTextError::HalfByte { found: rest.to_owned() });
            }
            for pair in digits.chunks(2) {
                bytes.push(hexadecimal(&pair.iter().collect::<String>())? as u8);
            }
        }
        Ok(Self::data(id, &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<CanFrame, FrameTextError> {
        text.parse()
    }

    #[test]
    fn constructors_hold_the_ranges() {
        assert_eq!(CanId::standard(0x7FF).unwrap().value(), 0x7FF);
        assert_eq!(CanId::standard(0x800), Err(FrameError::StandardIdentifier { found: 0x800 }));
        assert_eq!(CanId::extended(0x1FFF_FFFF).unwrap().value(), 0x1FFF_FFFF);
        let found = 0x2000_0000;
        assert_eq!(CanId::extended(found), Err(FrameError::ExtendedIdentifier { found }));
        let id = CanId::standard(1).unwrap();
        assert_eq!(CanFrame::data(id, &[0; 9]), Err(FrameError::DataLength { found: 9 }));
        assert_eq!(CanFrame::remote(id, 9), Err(FrameError::LengthCode { found: 9 }));
        assert_ne!(CanFrame::remote(id, 0), CanFrame::data(id, &[]));
        assert_ne!(CanId::standard(1), CanId::extended(1));
    }

    #[test]
    fn text_is_that_of_candump() {
        let (short, long) =
            (CanId::standard(0x123).unwrap(), CanId::extended(0x1234_5678).unwrap());
        let frames = [
            (CanFrame::data(short, &[0x11, 0xAF]), "123#11AF"),
            (CanFrame::data(short, &[]), "123#"),
            (CanFrame::remote(long, 8), "12345678#R8"),
            (CanFrame::remote(short, 0), "123#R"),
            (CanFrame::data(CanId::extended(0x7B).unwrap(), &[0]), "0000007B#00"),
        ];
        for (frame, text) in frames {
            assert_eq!(frame.unwrap().to_string(), text);
            assert_eq!(read(text), Ok(frame.unwrap()));
        }
        assert_eq!(read("123#11.af"), read("123#11AF"));
        assert_eq!(read("123#R0"), read("123#r"));
    }

    #[test]
    fn text_that_is_no_frame_is_rejected_with_its_reason() {
        let cases = [
            ("123", "no '#' in '123'"),
            ("123##01122", "CAN FD"),
            ("1234#11", "has 4 digits, expected 3"),
            ("#11", "has 0 digits"),
            ("12G#11", "'G' is not a hexadecimal digit"),
            ("1\u{e9}3#", "'\u{e9}' is not a hexadecimal digit"),
            ("800#11", "larger than 7FF"),
            ("20000000#11", "larger than 1FFFFFFF"),
            ("123#112", "odd number of digits"),
            ("123#11.", "odd number of digits"),
            ("123#1 ", "' ' is not a hexadecimal digit"),
            ("123#112233445566778899", "9 data bytes"),
            ("123#R9", "'9' behind R"),
            ("123#R12", "'12' behind R"),
        ];
        for (text, reason) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn every_frame_is_read_as_it_was_written(frame in crate::tests::frame()) {
            prop_assert_eq!(read(&frame.to_string()), Ok(frame));
        }

        #[test]
        fn no_text_panics(text in ".{0,24}", digits in "[0-9A-FRr#._]{0,24}") {
            for text in [text, digits] {
                if let Ok(frame) = read(&text) {
                    prop_assert_eq!(read(&frame.to_string()), Ok(frame));
                }
            }
        }
    }
}
