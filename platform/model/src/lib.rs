//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.

pub mod audit;
pub mod calendar;
pub mod command;
pub mod schedule;
pub mod series;
pub mod token;
