//! CAN frames (ISO 11898-1) and how they pass a serial line: SLCAN adapters.
//!
//! Pure: bytes and frames in, bytes and frames out; no I/O, no clock. No bytes make it panic.
//! Classical CAN only, no CAN FD.
//!
//! | module | what |
//! |---|---|
//! | [`attacker`] | a further node that attacks the messages of others |
//! | [`authentication`] | messages sealed and verified: a scheme as published, and two that hold |
//! | [`bus`] | a bus and its nodes: arbitration, errors, fault confinement, disturbances |
//! | [`capture`] | what passed on a bus, as text of `candump` and packets of pcapng |
//! | [`controller`] | a CAN controller: transmit mailboxes, acceptance filters, receive FIFOs |
//! | [`dbc`] | databases of messages: names, units and scaling of what frames carry |
//! | [`frame`] | identifiers and frames, with the text form of `candump` and `cansend` |
//! | [`node`] | a metering node's processor with its tasks, and its EEPROM |
//! | [`slcan`] | LAWICEL's line protocol: a host and an adapter |
//! | [`wire`] | frames as bits: stuffing, CRC, lengths |
//!
//! ```
//! use lastmeter_can::frame::CanFrame;
//! use lastmeter_can::slcan::{Command, Item, Reader};
//! let frame: CanFrame = "100#1133".parse().unwrap();
//! assert_eq!(Command::Transmit(frame).encode(), b"t10021133\r");
//! let (mut reader, mut items) = (Reader::default(), Vec::new());
//! reader.bytes(b"z\rt10021133\r", &mut items);
//! assert_eq!(items[1], Item::Frame { frame, timestamp_ms: None });
//! ```

pub mod attacker;
pub mod authentication;
pub mod bus;
pub mod capture;
pub mod controller;
pub mod dbc;
pub mod frame;
pub mod node;
pub mod slcan;
#[cfg(test)]
mod tests;
pub mod wire;
