//! Wired M-Bus as EN 13757-2 (link layer) and EN 13757-3 (application layer) define it, both ways.
//!
//! | module | standard | what |
//! |---|---|---|
//! | [`frame`] | EN 13757-2, 5.5 (format class FT1.2 of IEC 60870-5-1) | frames from and to bytes |
//! | [`reader`] | EN 13757-2, 5.5 | frames out of a stream of bytes with times |
//! | [`header`] | EN 13757-3, 5 | identification, manufacturer, device type, status |
//! | [`record`] | EN 13757-3, 6 and annexes | data records with quantity, unit and exact value |
//! | [`application`] | EN 13757-3, 4 to 11 | what the control information field announces |
//! | `baud`, `bcd` | EN 13757-2, 5; EN 13757-3, annex B | times of the bus; binary coded decimals |
//! | [`slave`], [`master`] | EN 13757-2, 5.7; EN 13757-3, 11 | both ends of the bus as state machines |
//!
//! No clock, no port, no thread: time and bytes are arguments. No bytes make it panic; records
//! borrow from the frame, so decoding allocates nothing. Larger than its budget,
//! because it is two layers and both ends of the bus.
//!
//! Clause numbers are those of EN 13757-2:2004 and EN 13757-3:2004; they and the tables are
//! unverified, that is not checked against the standards' text.
//!
//! ```
//! use lastmeter_mbus::application::Application;
//! use lastmeter_mbus::frame::Frame;
//! use lastmeter_mbus::record::{Item, Quantity, Unit};
//! let bytes = [
//!     0x68, 0x14, 0x14, 0x68, 0x08, 0x05, 0x72, 0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 0x01, 0x07,
//!     0x55, 0x00, 0x00, 0x00, 0x03, 0x13, 0x15, 0x31, 0x00, 0xB0, 0x16,
//! ];
//! let frame = Frame::decode(&bytes).unwrap();
//! let Application::Variable { mut records, .. } = Application::decode(&frame).unwrap() else {
//!     panic!("a variable data structure")
//! };
//! let Some(Ok(Item::Record(volume))) = records.next() else { panic!("a record") };
//! assert_eq!((volume.quantity(), volume.unit()), (Quantity::Volume, Unit::CubicMetre));
//! assert_eq!(volume.decimal().unwrap().to_string(), "12.565");
//! ```

pub mod application;
pub mod baud;
mod bcd;
pub mod control;
pub mod frame;
pub mod header;
pub mod master;
pub mod reader;
pub mod record;
pub mod slave;
