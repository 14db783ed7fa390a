//! Calibration against a reference meter: what is played, what the meters reported at each point,
//! and how large the errors were before and after.
//!
//! A scenario's `[calibration]` is unrolled into operating points: a sweep before, the measuring
//! points of the procedure, the same sweep again. At the end of each step the bench computes
//! coefficients from what the meter and the reference meter reported through the platform, and
//! sends them to the meter as commands; what it did stands in the record as events of the kind
//! [`Calibration`](lastmeter_record::EventKind::Calibration). Judging needs the record only.

mod assess;
mod coefficient;

pub use assess::{Assessor, ErrorBasis, Estimate, SweepPoint};
pub use coefficient::{Coefficient, coefficient_of};

#[cfg(test)]
pub(crate) mod tests;
