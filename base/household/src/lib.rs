//! What the energy aggregator of a household decides, as pure functions of what it knows: no I/O,
//! no platform, no clock.
//!
//! The aggregator is that of the low-cost ARM meter paper ("Real-time smart meters network for
//! energy management"): it reads registers and powers of loads, photovoltaics and a co-generator,
//! gets prices and forecasts, and decides by a strategy that the customer selects. The paper leaves
//! the rules open; each module states the one that holds here. Every decision carries its reason as
//! fields; texts for people are made of them elsewhere.
//!
//! Terms: *import* is taken from the public grid, *export* fed into it; *net power* is demand less
//! production, positive where it is imported. Energy, money and heat are integers throughout: what
//! is added up is exact, and an amount is rounded once, when it is shown in cents.

pub mod co_generator;
mod quantity;
pub mod schedule;
pub mod shed;
pub mod tariff;

pub use quantity::{Amount, Energy, POWER_MAX_W, RATE_MAX, Rate};
