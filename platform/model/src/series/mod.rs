//! Series of values over time: roll-ups and the exact sums in them, and what registers counted.

pub mod energy;
mod exact_sum;
pub mod rollup;
