//! A device that is a board: emulated, or the thing itself.
//!
//! A board cannot be looked into. It is asked on its port, and what it answers becomes a reading,
//! whose span is the declared one. An emulated meter also gets samples: those that the converter of
//! its simulated twin would have taken, on a port that stands for the converter.
//!
//! The machine here does no I/O. What it wants to be written on a port is a [`BoardOutput`], what
//! was read there a [`BoardInput`], and while it waits for an answer it has a [`BoardWait`]: until
//! that is over, or the answer is there, it is to be given nothing else.

mod build;
mod lines;
mod meter;
mod node;
#[cfg(test)]
mod tests;

pub use build::{BoardContext, BoardWay, board_device};
