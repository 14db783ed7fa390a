//! Series of values over time: roll-ups and the exact sums in them.

mod exact_sum;
pub mod rollup;
