//! Statistics of a comparison of runs in real time: did a value get worse, and could that have been
//! seen at all?
//!
//! The unit is the *run*, never the message: messages of one run are not independent, and a test on
//! them finds a change in two of three comparisons of the same with the same. A run gives one value
//! of each metric. A change is reported only if all of this holds (the *rule*):
//!
//! - the Mann-Whitney test on the run values gives p <= [`ALPHA`], two-sided and exact;
//! - the Hodges-Lehmann ratio is beyond the relative tolerance;
//! - the Hodges-Lehmann shift is beyond the absolute tolerance.
//!
//! Below [`RUNS_MIN`] against as many it *cannot gate*; nor can it where nothing was found and a
//! change as large as the tolerance would most likely have been missed. With 5 against 5 the least
//! p is 2/252 = 0.008: all runs of one side have to be beyond all of the other.
//!
//! Larger values are worse. A value may be infinite (a message was lost), and keeps its rank. No
//! run is left out for its value. Nothing here does I/O or reads a clock; simulations are seeded.

mod detectable;
mod rank_sum;
mod rule;
mod shift;

pub use detectable::{Smallest, smallest_change};
pub use rank_sum::{EXACT_MAX, RankSum, deciding_pairs, mann_whitney};
pub use rule::{Doubt, Gate, Outcome, Tolerance, gate, median};
pub use shift::{Estimate, hodges_lehmann};

/// The largest p of a change.
pub const ALPHA: f64 = 0.01;

/// The fewest runs of each side.
pub const RUNS_MIN: usize = 5;

/// The share of comparisons in which the smallest detectable change is found.
pub const POWER: f64 = 0.8;

#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod tests;
