//! Boards as data: what a board is, how its ports are spoken to, and how samples get into one.
//!
//! | module | purpose |
//! |---|---|
//! | [`description`] | a board file: ports, start, emulator, hardware; its mistakes |
//! | [`grammar`] | text lines that a board sends, as patterns of fields; requests and answers |
//! | [`meter_node`] | registers of a node of a metering network, in CAN frames |
//! | [`stimulus_port`], [`cobs`] | samples and EEPROM of an emulated meter, framed |
//! | [`line`](mod@line) | what a serial line does to bytes: time, pauses, wrong bits, overruns |
//!
//! A description is read once; then bytes of a port go through `grammar` or `meter_node` to values.
//! Pure: no I/O, no clock.

pub mod cobs;
pub mod description;
pub mod grammar;
pub mod line;
pub mod meter_node;
pub mod stimulus_port;
