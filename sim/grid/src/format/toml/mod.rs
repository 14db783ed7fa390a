//! Our own way to write small networks by hand, in TOML: figures with their units, line codes,
//! vector groups as on a nameplate.
//!
//! ```toml
//! format = 1
//! name = "Two homes"
//! voltage = "400 V"                 # of all nodes without one of their own
//!
//! [[code]]
//! name = "NAYY 4x50"
//! r1 = "0.642 ohm/km"
//! x1 = "0.083 ohm/km"
//! r0 = "2.57 ohm/km"
//! x0 = "0.33 ohm/km"
//! rated_current = "144 A"
//!
//! [[node]]
//! name = "grid"
//! voltage = "10 kV"
//!
//! [[node]]
//! name = "busbar"
//!
//! [[node]]
//! name = "home"
//!
//! [[source]]
//! node = "grid"
//! short_circuit_power = "250 MVA"
//!
//! [[transformer]]
//! name = "T1"
//! from = "grid"
//! to = "busbar"
//! group = "Dyn5"
//! voltages = ["10 kV", "400 V"]
//! power = "400 kVA"
//! uk = "4 %"
//! copper_loss = "4.6 kW"
//!
//! [[line]]
//! name = "L1"
//! from = "busbar"
//! to = "home"
//! code = "NAYY 4x50"
//! length = "120 m"
//!
//! [[load]]
//! name = "home"
//! node = "home"
//! wires = "b"
//! p = "2.5 kW"
//! power_factor = 0.95
//! ```
//!
//! Larger than its budget: every element has its own table, units and mistakes.

mod elements;
mod loads;
mod reader;
mod regulator;
mod table;
#[cfg(test)]
mod tests;
mod unit;

pub use elements::read;
