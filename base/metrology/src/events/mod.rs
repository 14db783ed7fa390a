//! Voltage events by Urms(1/2): dips, swells, interruptions, rapid changes (IEC 61000-4-30, 5.4,
//! 5.5 and 5.11), and the loss of a load current.
//!
//! Thresholds are relative to a declared voltage. Each phase is judged
//! by itself, and all together: a dip (or swell) of the system lasts from the first phase that
//! goes beyond the threshold to the moment all are back, an interruption from the moment all are
//! gone to the first that is back.
//!
//! An event's start and end are the zero crossings in the middle of the cycles that began and
//! ended it: where the half cycle begins that is new in the value. The standard's own time stamps,
//! the start of the first and the end of the last such cycle, are half a cycle before and after.

mod current;
mod detector;
mod half_cycle;
mod rapid;

pub use current::{CurrentLoss, CurrentLossDetector};
pub use detector::{EventConfig, EventDetector, EventKind, Scope, VoltageEvent};
pub use half_cycle::{HalfCycle, HalfCycles};
pub use rapid::{RapidChange, RapidChangeConfig, RapidChangeDetector};
