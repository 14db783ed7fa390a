//! The grid, from outside.
//!
//! One program, since each more is linked by itself.

mod branches;
mod corners;
mod dead_wires;
mod dense;
mod failures;
mod floating;
mod neutral;
mod properties;
#[path = "radial_cases/main.rs"]
mod radial_cases;
mod regulators;
mod through_json;
