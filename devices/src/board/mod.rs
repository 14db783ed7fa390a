//! A device that is a board: emulated, or the thing itself.
//!
//! A board cannot be looked into. It is asked on its port, and what it answers becomes a reading,
//! whose span is the declared one. An emulated meter also gets samples: those that the converter of
//! its simulated twin would have taken, on a port that stands for the converter.
//!
//! The machine here does no I/O. What it wants to be written on a port is a `BoardOutput`, what was
//! read there a `BoardInput`, and while it waits for an answer it has a `BoardWait`: until that is
//! over, or the answer is there, it is to be given nothing else.
//!
//! | file | purpose |
//! |---|---|
//! | `build` | board file and device table to a device, with their mistakes |
//! | `meter` | the state machine: start, samples, polls, retries; in `meter/heard` the replies |
//! | `lines`, `node` | the protocols: text lines, frames of a meter node over SLCAN |

mod build;
mod lines;
mod meter;
mod node;
#[cfg(test)]
mod tests;

pub use build::{BoardContext, BoardWay, board_device};
