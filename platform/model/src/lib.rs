//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.

pub mod calendar;
pub mod series;
pub mod token;
