//! Frames of real-time simulators, from outside.
//!
//! One program, since each more is linked by itself.

mod frames;
mod robustness;
mod round_trips;
mod wire;
