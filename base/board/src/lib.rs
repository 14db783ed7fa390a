//! Boards as data: what a board is, how its ports are spoken to, and how samples get into one.
//!
//! Pure: no I/O, no clock.

pub mod grammar;
