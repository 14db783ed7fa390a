//! What the platform decides, as pure functions of what it has: no I/O, no clock, no randomness.

pub mod access;
