//! Tests of the M-Bus package: captured frames, round trips, arbitrary bytes, a simulated bus.

// `cfg(test)` marks helpers in these files as test code for the lints, too.
#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod bus;
#[cfg(test)]
mod captured;
#[cfg(test)]
mod common;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod master;
#[cfg(test)]
mod records;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod slave;
#[cfg(test)]
mod xml;
