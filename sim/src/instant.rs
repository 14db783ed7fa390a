//! Instants finer than a nanosecond.
//!
//! A disturbance that begins at an angle of the voltage (point on wave) begins between two
//! nanoseconds: one of them is 3e-7 rad of 50 Hz. An instant is therefore a whole number of
//! nanoseconds and a part of one, which keeps its angle to 1e-15 rad after any length of time.

use std::f64::consts::TAU;

use lastmeter_units::SimDuration;
use num_complex::Complex64;

use crate::phase::{cis, turns};

/// How near, in nanoseconds, a sample has to be to an instant to lie on it: far more than the
/// rounding of either, far less than any sampling interval.
const ON_IT_NS: f64 = 1e-6;

/// Time since the scenario's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Instant {
    pub(crate) ns: i64,
    /// The part of a nanosecond on top of it, from 0 to below 1.
    pub(crate) part: f64,
}

impl From<SimDuration> for Instant {
    fn from(span: SimDuration) -> Self {
        Self { ns: span.0, part: 0.0 }
    }
}

impl Instant {
    /// An instant of nanoseconds and any part of them.
    pub(crate) fn new(ns: i64, part: f64) -> Self {
        let whole = part.floor();
        let (ns, part) = (ns.saturating_add(whole as i64), part - whole);
        // A part just below zero rounds up to one.
        if part < 1.0 { Self { ns, part } } else { Self { ns: ns.saturating_add(1), part: 0.0 } }
    }

    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        (self.ns.saturating_sub(earlier.ns) as f64 + (self.part - earlier.part)) / 1e9
    }

    /// A number of seconds later.
    pub(crate) fn plus_seconds(self, seconds: f64) -> Self {
        let ns = seconds * 1e9;
        let whole = ns.floor();
        Self::new(self.ns.saturating_add(whole as i64), self.part + (ns - whole))
    }

    /// A number of cycles of a frequency later, exactly after any length of time.
    pub(crate) fn plus_cycles(self, cycles: i64, frequency_hz: f64) -> Self {
        let part = turns(1e9, cycles, frequency_hz);
        let whole = (cycles as f64 / frequency_hz * 1e9 - part).round();
        Self::new(self.ns.saturating_add(whole as i64), self.part + part)
    }

    pub(crate) fn of_sample(sample: u64, rate_hz: f64) -> Self {
        Self::default().plus_cycles(i64::try_from(sample).unwrap_or(i64::MAX), rate_hz)
    }

    /// The nearest whole nanosecond.
    pub(crate) fn rounded(self) -> SimDuration {
        SimDuration(if self.part < 0.5 { self.ns } else { self.ns.saturating_add(1) })
    }

    /// The fraction, from -0.5 to 0.5, of the turns a tone has made since an earlier instant.
    pub(crate) fn turns_since(self, earlier: Self, frequency_hz: f64) -> f64 {
        let whole = turns(frequency_hz, self.ns.saturating_sub(earlier.ns), 1e9);
        let part = frequency_hz * (self.part - earlier.part) / 1e9;
        let sum = whole + part;
        sum - sum.round()
    }

    /// How near, in seconds, something has to be to lie on it. A rate such as 10 000/3 Hz is itself
    /// rounded, which adds up.
    pub(crate) fn nearness_s(self) -> f64 {
        (ON_IT_NS + f64::EPSILON * self.ns as f64) / 1e9
    }

    /// The first sample at this instant or after it, and whether it lies on it.
    pub(crate) fn first_sample(self, rate_hz: f64) -> (u64, bool) {
        let fraction = turns(rate_hz, self.ns, 1e9);
        let samples = self.ns as f64 / 1e9 * rate_hz;
        // The nearest whole number, exactly, and how far the instant is after it.
        let nearest = (samples - fraction).round();
        let after = fraction + self.part / 1e9 * rate_hz;
        let whole = after.round();
        let (nearest, after) = (nearest + whole, after - whole);
        let is_on_it = after.abs() <= self.nearness_s() * rate_hz;
        let first = if is_on_it || after <= 0.0 { nearest } else { nearest + 1.0 };
        (first as u64, is_on_it)
    }
}

/// `e^(i pi f t)` of the sum or of the difference of two instants: half the turns, in all digits.
pub(crate) fn half_rotation(frequency_hz: f64, ns: i64, part: f64) -> Complex64 {
    let turned = turns(frequency_hz, ns, 2e9) + frequency_hz * part / 2e9;
    cis(TAU * turned)
}

/// A number of turns within so many cycles: from 0 to below `cycles`.
pub(crate) fn wrap(turns: f64, cycles: u32) -> f64 {
    let cycles = f64::from(cycles);
    let wrapped = turns - cycles * (turns / cycles).floor();
    if wrapped < cycles { wrapped } else { 0.0 }
}

/// Turns since another instant, within so many cycles, without loss after any length of time.
pub(crate) fn turns_within(since: Instant, at: Instant, frequency_hz: f64, cycles: u32) -> f64 {
    let whole = turns(frequency_hz, at.ns.saturating_sub(since.ns), f64::from(cycles) * 1e9);
    wrap(whole * f64::from(cycles) + frequency_hz * (at.part - since.part) / 1e9, cycles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_before_on_and_after_an_instant() {
        let at = |ns, part| Instant::new(ns, part);
        // 8 kHz: 125 us a sample.
        assert_eq!(at(0, 0.0).first_sample(8000.0), (0, true));
        assert_eq!(at(125_000, 0.0).first_sample(8000.0), (1, true));
        assert_eq!(at(125_000, 0.25).first_sample(8000.0), (2, false));
        assert_eq!(at(124_999, 0.999).first_sample(8000.0), (1, false));
        assert_eq!(at(62_500, 0.0).first_sample(8000.0), (1, false));
        // 10 000 / 3 Hz: 300 us a sample, a day on.
        let day = 86_400_000_000_000;
        assert_eq!(at(day, 0.0).first_sample(10_000.0 / 3.0), (288_000_000, true));
        assert_eq!(at(day + 1, 0.0).first_sample(10_000.0 / 3.0), (288_000_001, false));
        for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            let _ = at(i64::MAX, 0.5).first_sample(rate_hz);
        }
    }

    #[test]
    fn parts_of_a_nanosecond_are_kept() {
        let late = Instant::new(86_400_000_000_000, 0.25);
        assert_eq!((late.ns, late.part), (86_400_000_000_000, 0.25));
        let turned = late.turns_since(Instant::default(), 50.0);
        assert!((turned - 50.0 * 0.25e-9).abs() < 1e-22, "{turned:e}");
        assert_eq!(Instant::new(5, -0.25), Instant { ns: 4, part: 0.75 });
        assert_eq!(Instant::new(5, -1e-30), Instant { ns: 5, part: 0.0 });
        assert_eq!(Instant::new(5, 0.75).rounded(), SimDuration(6));
    }
}
