//! The line protocol of LAWICEL's CAN232 and CANUSB, which many adapters, `slcand` and
//! python-can speak: both sides.
//!
//! A host writes [`Command`]s that end in CR; an adapter answers each by CR (done), by a line, or
//! by BEL (refused), and between the answers it writes the frames that it receives, which
//! [`Reader`] reads. What stands on the line is checked to the last character: a line that is too
//! short, too long or not of the protocol is a [`LineFault`], where other programs take what they
//! can of it.
//!
//! After the CAN232 manual, version 3 (unverified).

mod adapter;
#[cfg(test)]
mod adapter_tests;
mod answer;
mod bit_rate;
mod command;
mod host;
mod line;
#[cfg(test)]
mod tests;

pub use adapter::{Adapter, BitTiming, Flag, FlagBits, LAWICEL_FLAGS, Order};
pub use answer::{Item, SerialNumber, Version};
pub use bit_rate::{BitRate, least_baud};
pub use command::Command;
pub use host::Reader;
pub use line::{BEL, CR, LINE_BYTES_MAX, LineFault, TIME_STAMP_WRAP_MS};
