//! Voltage events by Urms(1/2): dips, swells, interruptions, rapid changes (IEC 61000-4-30, 5.4,
//! 5.5 and 5.11), and the loss of a load current.
//!
//! Thresholds are relative to a declared voltage, or to a sliding reference. Each phase is judged
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

/// The sliding reference Usr (IEC 61000-4-30, 5.4.4): a first-order filter with a time constant of
/// a minute over the 10/12-cycle values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlidingReference {
    volts: f64,
}

impl SlidingReference {
    /// Begins at a voltage: the declared one.
    pub fn new(declared_v: f64) -> Self {
        Self { volts: declared_v }
    }

    /// Takes the next 10/12-cycle RMS value; a flagged one is left out.
    pub fn update(&mut self, rms_v: f64, flagged: bool) {
        if !flagged && rms_v.is_finite() {
            self.volts = 0.9967 * self.volts + 0.0033 * rms_v;
        }
    }

    /// The reference in V.
    pub fn volts(&self) -> f64 {
        self.volts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sliding_reference_forgets_with_its_time_constant() {
        // 0.9967^n: after 303 values of 0.2 s, one minute, 1/e of a step is left.
        let mut reference = SlidingReference::new(230.0);
        (0..303).for_each(|_| reference.update(220.0, false));
        let left = (reference.volts() - 220.0) / 10.0;
        assert!((left - 0.9967_f64.powi(303)).abs() < 1e-12 && (left - 0.367).abs() < 0.002);
        reference.update(0.0, true);
        assert!((reference.volts() - 220.0) / 10.0 == left);
    }
}
