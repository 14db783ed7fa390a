//! CAN frames (ISO 11898-1) and how they pass a serial line: SLCAN adapters and their hosts.
//!
//! Pure: bytes and frames in, bytes and frames out; no I/O, no clock. No bytes make it panic.
//! Classical CAN only, no CAN FD.
//!
//! | module | what |
//! |---|---|
//! | [`frame`] | identifiers and frames, with the text form of `candump` and `cansend` |
//! | [`wire_length`] | bits of a frame on the bus, characters on a serial line, the baud rate needed |
//! | [`slcan`] | LAWICEL's line protocol: the adapter's side and the host's side |
//!
//! ```
//! use lastmeter_can::frame::CanFrame;
//! use lastmeter_can::slcan::{Adapter, Command, Event, Item, Reader, Settings};
//! let frame: CanFrame = "100#1133".parse().unwrap();
//! let (mut adapter, mut reader) = (Adapter::new(Settings::default()), Reader::default());
//! let (mut answers, mut events) = (Vec::new(), Vec::new());
//! adapter.bytes_from_host(b"S4\rO\r", &mut answers, &mut events);
//! events.clear();
//! adapter.bytes_from_host(&Command::Transmit(frame).encode(), &mut answers, &mut events);
//! assert_eq!(events, [Event::Transmit(frame)]);
//! adapter.frame_to_host(&frame, 0, &mut answers);
//! assert_eq!(answers, b"\r\rz\rt10021133\r");
//! let mut items = Vec::new();
//! reader.bytes(&answers, &mut items);
//! assert_eq!(items[3], Item::Frame { frame, timestamp_ms: None });
//! ```

pub mod frame;
pub mod slcan;
pub mod wire_length;
