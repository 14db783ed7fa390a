//! The bench's own uncertainty of a figure, and the rule that decides with it.
//!
//! Each contribution is an expanded uncertainty (k = 2) in the figure's unit. Type A is the scatter
//! of the readings: their standard deviation over the root of their number, times Student's factor
//! for 95.45 % (JCGM 100, table G.2), since a handful of readings shows little. Type B are bounds
//! of what the bench adds itself, taken as rectangular (JCGM 100, 4.3.7). Guarded acceptance
//! (JCGM 106, 8.3): |e| <= L - U passes, |e| > L + U fails, in between the point is too close to
//! call.

use lastmeter_record::Status;

/// Bound of what synthesis and reference add, relative to the apparent energy: both are closed
/// forms or integrals in 64-bit numbers, whose tests hold them to far less.
const NUMERICS: f64 = 1e-9;
/// Bound of what one end of a reading's span is off, in seconds: spans are whole nanoseconds.
const SPAN_END_S: f64 = 0.5e-9;
/// Of a rectangular distribution, half width to standard uncertainty.
const RECTANGULAR: f64 = 1.732_050_807_568_877_2;
/// The coverage factor.
const K: f64 = 2.0;

/// What an uncertainty is made of, all expanded (k = 2) and in the figure's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Scatter of the readings.
    pub scatter: f64,
    /// Arithmetic of synthesis and reference.
    pub numerics: f64,
    /// Last digit of what is reported and of what is in the record.
    pub resolution: f64,
    /// Last digit of the meter's energy register, at both ends of the measuring time.
    pub register: f64,
    /// Ends of spans rounded to nanoseconds.
    pub rounding: f64,
    /// What the scenario states of a real reference.
    pub given: f64,
    /// How far the reference differs over the spans that the device's declaration admits: a bound,
    /// which is added and not squared.
    pub spread: f64,
}

impl Budget {
    /// The expanded uncertainty of the figure.
    pub fn expanded(&self) -> f64 {
        let Self { scatter, numerics, resolution, register, rounding, given, spread } = *self;
        let parts = [scatter, numerics, resolution, register, rounding, given];
        parts.iter().map(|part| part * part).sum::<f64>().sqrt() + spread
    }

    /// Each part made of those of both.
    pub(crate) fn of_both(&self, other: &Self, part: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            scatter: part(self.scatter, other.scatter),
            numerics: part(self.numerics, other.numerics),
            resolution: part(self.resolution, other.resolution),
            register: part(self.register, other.register),
            rounding: part(self.rounding, other.rounding),
            given: part(self.given, other.given),
            spread: part(self.spread, other.spread),
        }
    }

    /// The uncertainty of a sum or difference of two figures. One reference has one error, the same
    /// at both points; it does not cancel for sure.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self { spread: self.spread + other.spread, ..self.of_both(other, libm::hypot) }
    }

    /// The uncertainty of a figure that many times as large.
    pub(super) fn times(&self, factor: f64) -> Self {
        self.of_both(self, |part, _| part * factor.abs())
    }
}

/// What type B of an energy's error rests on, all in one unit of energy but for the seconds' power.
#[derive(Clone, Copy, Debug)]
pub(super) struct EnergyScale {
    /// Energy over the readings, absolute.
    pub(super) energy: f64,
    /// Apparent power times the time.
    pub(super) apparent: f64,
    /// Apparent power.
    pub(super) power: f64,
    /// The largest figure of the registers.
    pub(super) register: f64,
    /// The register's last digit, zero if none is known.
    pub(super) step: f64,
}

fn rectangular(half_width: f64) -> f64 {
    K * half_width / RECTANGULAR
}

/// Type B of an energy's error, in percent of the energy.
pub(super) fn of_energy(of: EnergyScale) -> Budget {
    let percent = |energy: f64| 100.0 * rectangular(energy) / of.energy;
    Budget {
        numerics: percent(NUMERICS * of.apparent),
        // Four figures enter the difference: two registers, reference and reported.
        resolution: percent(4.0 * f64::EPSILON * of.register),
        register: 100.0 * of_step(of.step) / of.energy,
        // Power at an instant is at most twice the apparent one; each reading span has two ends.
        rounding: percent(2.0 * SPAN_END_S * 2.0 * of.power),
        ..Budget::default()
    }
}

/// Expanded uncertainty of what a register with such a last digit gained: half of it at either end,
/// rectangular.
pub(super) fn of_step(step: f64) -> f64 {
    std::f64::consts::SQRT_2 * rectangular(step / 2.0)
}

/// Type B of the error of a mean of values, in the unit of the values.
pub(crate) fn of_value(magnitude: f64) -> Budget {
    Budget {
        numerics: rectangular(NUMERICS * magnitude),
        resolution: rectangular(4.0 * f64::EPSILON * magnitude),
        ..Budget::default()
    }
}

/// Student's factor for 95.45 % by degrees of freedom (JCGM 100, table G.2).
const STUDENT: [f64; 20] = [
    13.97, 4.53, 3.31, 2.87, 2.65, 2.52, 2.43, 2.37, 2.32, 2.28, 2.25, 2.23, 2.21, 2.20, 2.18,
    2.17, 2.16, 2.15, 2.14, 2.13,
];

/// The factor that makes a standard uncertainty of so many degrees of freedom an expanded one.
/// Between rows of the table the larger factor holds. Infinite without any.
pub fn coverage_factor(degrees: usize) -> f64 {
    match degrees {
        0 => f64::INFINITY,
        1..=20 => STUDENT[degrees - 1],
        21..=24 => 2.13,
        25..=29 => 2.11,
        30..=34 => 2.09,
        35..=39 => 2.07,
        40..=49 => 2.06,
        50..=99 => 2.05,
        100..=999 => 2.025,
        _ => K,
    }
}

/// Standard deviation of values about their mean; `None` of fewer than two.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    Some((squares / (n - 1) as f64).sqrt())
}

/// Type A: the expanded uncertainty of the mean of values; infinite of fewer than two.
pub(crate) fn scatter(values: &[f64]) -> f64 {
    match deviation(values) {
        Some(0.0) => 0.0,
        Some(deviation) => {
            coverage_factor(values.len() - 1) * deviation / (values.len() as f64).sqrt()
        }
        None => f64::INFINITY,
    }
}

/// Guarded acceptance of an absolute figure.
pub(crate) fn decide(figure: f64, uncertainty: f64, limit: f64) -> Status {
    if !figure.is_finite() {
        // What is no number is inside no limit.
        return Status::Fail;
    }
    if !uncertainty.is_finite() || !limit.is_finite() || uncertainty < 0.0 {
        return Status::Inconclusive;
    }
    if figure <= limit - uncertainty {
        Status::Pass
    } else if figure > limit + uncertainty {
        Status::Fail
    } else {
        Status::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_band_lies_on_both_sides_of_the_limit() {
        for (figure, uncertainty, status) in [
            (0.19, 0.01, Status::Pass),
            (0.191, 0.01, Status::Inconclusive),
            (0.2, 0.01, Status::Inconclusive),
            (0.21, 0.01, Status::Inconclusive),
            (0.210_1, 0.01, Status::Fail),
            (0.2, 0.0, Status::Pass),
            (0.200_000_1, 0.0, Status::Fail),
            // With an uncertainty beyond the limit nothing passes, but what is far out still fails.
            (0.0, 0.3, Status::Inconclusive),
            (0.6, 0.3, Status::Fail),
            (f64::NAN, 0.01, Status::Fail),
            (f64::INFINITY, 0.01, Status::Fail),
            (0.0, f64::NAN, Status::Inconclusive),
            (0.0, f64::INFINITY, Status::Inconclusive),
        ] {
            assert_eq!(decide(figure, uncertainty, 0.2), status, "{figure} +- {uncertainty}");
        }
        assert_eq!(decide(0.0, 0.0, f64::NAN), Status::Inconclusive);
    }

    /// JCGM 100:2008, table G.2, column 95.45 %.
    #[test]
    fn few_readings_cost_more_than_two_standard_deviations() {
        for (degrees, factor) in [(1, 13.97), (3, 3.31), (9, 2.32), (20, 2.13), (50, 2.05)] {
            assert_eq!(coverage_factor(degrees), factor);
        }
        assert!(coverage_factor(0).is_infinite());
        assert_eq!(coverage_factor(100_000), 2.0);
        // Four readings 1, 2, 3, 4: s = 1.290994, s / 2 = 0.645497, times 3.31.
        assert!((scatter(&[1.0, 2.0, 3.0, 4.0]) - 2.136_596).abs() < 1e-6);
        assert_eq!(scatter(&[1.0, 1.0, 1.0]), 0.0);
        assert!(scatter(&[1.0]).is_infinite() && scatter(&[]).is_infinite());
        assert!(!scatter(&[1.0, f64::NAN]).is_finite());
    }

    #[test]
    fn type_b_of_an_energy_is_relative_to_what_flows() {
        // PF 0.5: the arithmetic's share doubles. 100 * 2 / sqrt(3) * 1e-9 * 2 %.
        let half =
            EnergyScale { energy: 50.0, apparent: 100.0, power: 50.0, register: 1e6, step: 0.0 };
        let budget = of_energy(half);
        assert!((budget.numerics - 2.309_401_08e-7).abs() < 1e-14);
        assert!(budget.resolution > 0.0 && budget.rounding > 0.0);
        let nothing = EnergyScale { energy: 0.0, ..half };
        assert!(!of_energy(nothing).expanded().is_finite());
    }
}
