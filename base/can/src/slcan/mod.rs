//! The line protocol of LAWICEL's CAN232 and CANUSB, which many adapters, `slcand` and
//! python-can speak: both sides as state machines.
//!
//! A host writes [`Command`]s that end in CR; an adapter answers each by CR (done), by a line, or
//! by BEL (refused), and between the answers it writes the frames that it receives. [`Adapter`] is
//! the one side, [`Reader`] with [`Command::encode`] the other. What stands on the line is checked
//! to the last character: a line that is too short, too long or not of the protocol is a
//! [`LineFault`], where other programs take what they can of it.
//!
//! After the CAN232 manual, version 3 (unverified). Larger than the budget of one codec, because
//! it is both ends of the line.

mod acceptance;
mod adapter;
mod answer;
mod bit_rate;
mod command;
mod host;
mod line;
mod status;
#[cfg(test)]
mod tests;

pub use acceptance::Acceptance;
pub use adapter::{Adapter, Delivery, Event, RECEIVE_QUEUE_FRAMES, Refusal, Settings};
pub use answer::{Item, SerialNumber, Version};
pub use bit_rate::{BitRate, BitTiming, BusTiming};
pub use command::Command;
pub use host::{Counts, Reader};
pub use line::{BEL, CR, LINE_BYTES_MAX, LineFault, TIME_STAMP_WRAP_MS};
pub use status::{StatusFlag, StatusFlags};
