//! Messages on the wire, from outside.
//!
//! One program, since each more is linked by itself.

mod batches;
mod examples;
mod properties;
mod refusals;
mod results_and_blocks;
