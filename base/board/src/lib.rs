//! Boards as data: what a board is, how its ports are spoken to, and how samples get into one.
//!
//! Pure: no I/O, no clock.

pub mod cobs;
pub mod description;
pub mod grammar;
pub mod line;
pub mod meter_node;
pub mod stimulus_port;
