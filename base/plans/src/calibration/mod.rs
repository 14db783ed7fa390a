//! Calibration against a reference meter: what is played, and the readings at each point.
//!
//! A scenario's `[calibration]` is unrolled into operating points: a sweep before, the measuring
//! points of the procedure, the same sweep again. At the end of each step the bench computes
//! coefficients from what the meter and the reference meter reported through the platform, and
//! sends them to the meter as commands.

mod fields;
mod gather;
mod plan;

pub use fields::{CALIBRATION_FIELDS, CALIBRATION_SOURCE};
pub use gather::{Gatherer, Readings};
pub use plan::{Conditions, Plan, Point, Procedure, Stage, Subject, plan_of, read_plan};

#[cfg(test)]
mod tests;
