//! The decisions of a household held against what shares no code with them: every combination of
//! starts and of opened loads, decimal arithmetic, sums of heat.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod bills;
mod day;
mod heat;
mod home;
mod shedding;
mod starts;
