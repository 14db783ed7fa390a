//! Tests of the M-Bus package: captured frames, round trips, arbitrary bytes, a simulated bus.

mod arbitrary;
mod bus;
mod captured;
mod common;
mod damaged;
mod frames;
mod master;
mod records;
mod round_trips;
mod slave;
mod xml;
