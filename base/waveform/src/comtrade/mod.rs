//! COMTRADE recordings (IEEE C37.111 / IEC 60255-24) of 1991, 1999 and 2013.
//!
//! Terms: the *header* is the `.cfg` text; the *data* is the `.dat`, one *record* per sampling
//! instant with a sample number, a time stamp, the analogue and the digital channels; a `.cff` file
//! holds both as *sections*. `raw` is a number as it stands in the data; the value is
//! `raw * multiplier + offset` in the channel's unit, on the primary or secondary side as the P/S
//! flag says. Samples come out as SI primary values.
//!
//! What is refused rather than guessed: truncated data, swapped byte order, a channel count that
//! does not fit the data. What is guessed is noted in [`Recording::notes`]. Sections of different
//! rates are resampled at the highest rate and skewed channels at the common instants, by a
//! windowed sinc, and that is noted. Never reserves memory for what a header only announces.

mod align;
mod ascii;
mod assemble;
mod binary;
mod cff;
mod date;
mod error;
mod header;
mod layout;
mod numbers;
mod scan;
mod stream;
mod write;

use std::fmt;
use std::io::Cursor;

pub use cff::{read_cff, write_cff};
pub use error::ComtradeError;
pub(crate) use stream::Comtrade;
pub use write::{WriteError, write};

use crate::recording::Recording;
use crate::window::Window;

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

/// The kinds of data (`ft` in the header).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataKind {
    /// Text, one line per record.
    Ascii,
    /// 16-bit two's complement integers.
    Binary,
    /// 32-bit two's complement integers (2013).
    Binary32,
    /// IEEE 754 single precision (2013).
    Float32,
}

impl DataKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Ascii, Self::Binary, Self::Binary32, Self::Float32];

    /// The word in the header: `ASCII`, `BINARY`, `BINARY32`, `FLOAT32`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Binary => "BINARY",
            Self::Binary32 => "BINARY32",
            Self::Float32 => "FLOAT32",
        }
    }

    /// The kind of a word in any case.
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word.trim()))
    }

    /// Bytes of an analogue value in a binary record.
    const fn width(self) -> usize {
        match self {
            Self::Ascii => 0,
            Self::Binary => 2,
            Self::Binary32 | Self::Float32 => 4,
        }
    }
}

impl fmt::Display for DataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
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

/// Reads a recording from the bytes of its `.cfg` and `.dat` files.
///
/// # Errors
/// A [`ComtradeError`] naming the line or record, what was found and what was expected.
pub fn read(cfg: &[u8], dat: &[u8]) -> Result<Recording, ComtradeError> {
    let header = header::parse(cfg)?;
    let mut dat = Window::whole(Cursor::new(dat)).map_err(scan::unreadable)?;
    assemble::read(&header, &mut dat)
}
