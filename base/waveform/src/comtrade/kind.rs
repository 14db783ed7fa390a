//! Revisions of the standard, and kinds of data.

/// The revisions of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// IEEE C37.111-1991: no primary/secondary ratio, dates as mm/dd/yy.
    R1991,
    /// IEEE C37.111-1999 and IEC 60255-24:2001.
    R1999,
    /// IEEE C37.111-2013 / IEC 60255-24:2013: 32-bit data, nanoseconds, time zones, single files.
    R2013,
}

lastmeter_units::words! {
    /// The kinds of data (`ft` in the header).
    pub enum DataKind {
        /// Text, one line per record.
        Ascii = "ASCII",
        /// 16-bit two's complement integers.
        Binary = "BINARY",
        /// 32-bit two's complement integers (2013).
        Binary32 = "BINARY32",
        /// IEEE 754 single precision (2013).
        Float32 = "FLOAT32",
    }
}

impl DataKind {
    /// The kind of a word in any case.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()))
    }

    /// Bytes of an analogue value in a binary record.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Ascii => 0,
            Self::Binary => 2,
            Self::Binary32 | Self::Float32 => 4,
        }
    }
}

/// A recording as the two files of COMTRADE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The header, for the `.cfg` file.
    pub cfg: Vec<u8>,
    /// The data, for the `.dat` file.
    pub dat: Vec<u8>,
}
