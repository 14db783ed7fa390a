//! Wire formats of real-time simulators, both directions, and the map of their points. No I/O.
//!
//! Terms: a *signal* is one value that a simulator sends or takes, with a type on the wire; a
//! *sample* is what one frame carries: the values of all its signals, in order; a *refusal* is why
//! a frame was not taken, counted by its reason.

pub mod point_map;
mod sample;

pub use sample::{Sample, SignalType, Value};
