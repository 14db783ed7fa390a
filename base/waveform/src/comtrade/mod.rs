//! COMTRADE recordings (IEEE C37.111 / IEC 60255-24) of 1991, 1999 and 2013.
//!
//! Terms: the *header* is the `.cfg` text; the *data* is the `.dat`, one *record* per sampling
//! instant with a sample number, a time stamp, the analogue and the digital channels; a `.cff` file
//! holds both as *sections*. `raw` is a number as it stands in the data; the value is
//! `raw * multiplier + offset` in the channel's unit, on the primary or secondary side by the
//! P/S flag. Samples come out as SI primary values.
//!
//! | file | purpose |
//! |---|---|
//! | `header`, `date`, `kind`; `cff` | the `.cfg`; a single file's sections |
//! | `layout`, `numbers` -> `ascii`, `binary` -> `scan` | records, checked and decoded |
//! | `align`, `assemble`, `stream` | common instants; a whole recording; one in blocks |
//! | `write`, `error` | the way back; what can be wrong, and where |
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
mod kind;
mod layout;
mod numbers;
mod scan;
mod stream;
mod write;

use std::io::Cursor;

pub use cff::read_cff;
pub use error::ComtradeError;
pub use kind::{DataKind, Revision, Written};
pub(crate) use stream::Comtrade;
pub use write::{Origin, WriteError, write, write_of};

use crate::recording::Recording;
use crate::window::Window;

/// Reads a recording from the bytes of its `.cfg` and `.dat` files.
///
/// # Errors
/// A [`ComtradeError`] naming the line or record, what was found and what was expected.
pub fn read(cfg: &[u8], dat: &[u8]) -> Result<Recording, ComtradeError> {
    let header = header::parse(cfg)?;
    let mut dat = Window::whole(Cursor::new(dat)).map_err(error::unreadable)?;
    assemble::read(&header, &mut dat)
}
