//! The fundamental of a switch's currents over the last period, as a digital relay has it.

use std::collections::VecDeque;
use std::f64::consts::{SQRT_2, TAU};

use num_complex::Complex64;

/// A switch has at most so many poles.
const POLES: usize = 4;

/// The steady state before is taken at so many instants of its last period.
const INSTANTS: usize = 400;

/// What flowed over the last period and a little more.
#[derive(Clone, Debug)]
pub(super) struct LastPeriod {
    period_s: f64,
    poles: usize,
    kept: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at_s: f64,
    /// The currents, each turned back by the angle of the instant, amperes.
    turned_a: [Complex64; POLES],
    /// Their integrals up to there, ampere seconds.
    integral: [Complex64; POLES],
}

impl LastPeriod {
    /// At the instant 0, up to which a steady state flowed.
    pub(super) fn new(period_s: f64, steady_a: &[Complex64]) -> Self {
        let poles = steady_a.len().min(POLES);
        let mut own = Self { period_s, poles, kept: VecDeque::with_capacity(INSTANTS + 2) };
        for instant in 0..=INSTANTS {
            let at_s = (instant as f64 / INSTANTS as f64 - 1.0) * period_s;
            let (sin, cos) = libm::sincos(TAU * at_s / period_s);
            let wave = |it: &Complex64| SQRT_2 * (it.re * sin + it.im * cos);
            let now_a: Vec<f64> = steady_a.iter().map(wave).collect();
            own.push(at_s, &now_a);
        }
        own
    }

    /// The currents at an instant; between two of them the integrand goes straight.
    pub(super) fn push(&mut self, at_s: f64, now_a: &[f64]) {
        let (sin, cos) = libm::sincos(TAU * at_s / self.period_s);
        let turn = Complex64::new(sin, cos);
        let mut next =
            Sample { at_s, turned_a: [Complex64::ZERO; POLES], integral: [Complex64::ZERO; POLES] };
        for (turned, now) in next.turned_a.iter_mut().zip(now_a) {
            *turned = turn * *now;
        }
        if let Some(last) = self.kept.back() {
            for pole in 0..self.poles {
                let mean = (last.turned_a[pole] + next.turned_a[pole]) / 2.0;
                next.integral[pole] = last.integral[pole] + mean * (at_s - last.at_s);
            }
        }
        self.kept.push_back(next);
        // One stays that is a period old or more.
        let begin_s = at_s - self.period_s;
        while self.kept.get(1).is_some_and(|it| it.at_s <= begin_s) {
            self.kept.pop_front();
        }
    }

    /// RMS phasors of the fundamentals over the last period.
    pub(super) fn phasors(&self) -> Vec<Complex64> {
        let (Some(first), Some(second)) = (self.kept.front(), self.kept.get(1)) else {
            return vec![Complex64::ZERO; self.poles];
        };
        let last = self.kept.back().unwrap_or(second);
        let begin_s = last.at_s - self.period_s;
        let share = ((begin_s - first.at_s) / (second.at_s - first.at_s)).clamp(0.0, 1.0);
        let of = |pole: usize| {
            let begin =
                first.integral[pole] + (second.integral[pole] - first.integral[pole]) * share;
            (last.integral[pole] - begin) * (SQRT_2 / self.period_s)
        };
        (0..self.poles).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_phasor_and_a_harmonic_none() {
        let (steady, later) = (Complex64::new(3.0, -4.0), Complex64::new(-20.0, 10.0));
        let mut last = LastPeriod::new(0.02, &[steady]);
        assert!((last.phasors()[0] - steady).norm() < 1e-3);
        let wave = |at_s: f64| {
            let (sin, cos) = (TAU * 50.0 * at_s).sin_cos();
            let third = 30.0 * (TAU * 150.0 * at_s + 0.3).sin();
            SQRT_2 * (later.re * sin + later.im * cos) + third
        };
        // Not a whole number of steps in a period.
        let mut at_s = 0.0;
        while at_s < 0.011 {
            at_s += 47e-6;
            last.push(at_s, &[wave(at_s)]);
        }
        let half = last.phasors()[0];
        assert!((half - steady).norm() > 3.0 && (half - later).norm() > 3.0, "{half}");
        while at_s < 0.031 {
            at_s += 47e-6;
            last.push(at_s, &[wave(at_s)]);
        }
        let found = last.phasors()[0];
        assert!((found - later).norm() < 5e-3, "{found}");
    }
}
