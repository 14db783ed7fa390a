//! A phase error: an all-pass about a whole number of samples.
//!
//! `(a + z^-1) / (1 + a z^-1)` against the plain delay `z^-1` of a channel without error, beside a
//! shift by whole samples where the angle needs more than half of one. Its gain is exactly one,
//! its angle at nominal frequency is exactly the one asked for, and known at every other (nearly
//! that of a constant time).

use std::f64::consts::TAU;

use num_complex::Complex64;

/// An all-pass closer to instability than this acts far beyond its channel's fundamental; whole
/// samples are used instead.
const POLE_MAX: f64 = 0.6;

/// The largest shift in whole samples.
const SHIFT_MAX: i64 = 8;

/// Samples kept before the present one and waited for after it.
const REACH: usize = SHIFT_MAX as usize + 1;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PhaseShift {
    pole: f64,
    /// Whole samples by which the signal comes early.
    shift: i64,
    rate_hz: f64,
}

/// What a phase shift remembers. With `is_wide` it can take any shift at any time, for which it
/// waits some samples longer.
#[derive(Clone, Debug)]
pub(crate) struct PhaseState {
    is_wide: bool,
    /// Inputs, the first of which has the number `base`.
    near: Vec<f64>,
    base: i64,
    /// Number of the next output.
    next: i64,
    last_out: Option<f64>,
}

impl PhaseShift {
    /// A lead at the nominal frequency in radians; `None` beyond what can be done at this rate.
    pub(crate) fn new(lead_rad: f64, nominal_hz: f64, rate_hz: f64) -> Option<Self> {
        let angle = TAU * nominal_hz / rate_hz;
        let pole = |lead_rad: f64| {
            let half = libm::tan(0.5 * lead_rad);
            let (sin, cos) = libm::sincos(angle);
            half / (sin - half * cos)
        };
        let direct = pole(lead_rad);
        let half_turn = lead_rad.abs() < std::f64::consts::FRAC_PI_2;
        if half_turn && direct.is_finite() && direct.abs() <= POLE_MAX {
            return Some(Self { pole: direct, shift: 0, rate_hz });
        }
        let shift = (lead_rad / angle).round();
        if shift.is_nan() || shift.abs() > SHIFT_MAX as f64 {
            return None;
        }
        Some(Self { pole: pole(lead_rad - shift * angle), shift: shift as i64, rate_hz })
    }

    pub(crate) fn is_none(&self) -> bool {
        self.pole == 0.0 && self.shift == 0
    }

    /// Whether it moves by whole samples.
    pub(crate) fn is_wide(&self) -> bool {
        self.shift != 0
    }

    /// The all-pass: its output from that before, and from the inputs before and now.
    fn step(&self, last_out: &mut Option<f64>, last: f64, x: f64) -> f64 {
        // What the first output would have been, had the signal come in a straight line: it is
        // late by the delay of an all-pass at low frequencies.
        let delay = (1.0 - self.pole) / (1.0 + self.pole);
        let before = last_out.unwrap_or(last - delay * (x - last));
        let y = self.pole * (x - before) + last;
        *last_out = Some(y);
        y
    }

    pub(crate) fn response(&self, frequency_hz: f64) -> Complex64 {
        let angle = TAU * frequency_hz / self.rate_hz;
        let (sin, cos) = libm::sincos(angle);
        let lead = 2.0 * libm::atan2(self.pole * sin, 1.0 + self.pole * cos);
        let (sin, cos) = libm::sincos(lead + self.shift as f64 * angle);
        Complex64::new(cos, sin)
    }
}

impl PhaseState {
    pub(crate) fn new(is_wide: bool) -> Self {
        Self { is_wide, near: Vec::new(), base: 0, next: 0, last_out: None }
    }

    /// Inputs that an output waits for beyond its own.
    fn look_ahead(&self) -> i64 {
        if self.is_wide { REACH as i64 } else { 1 }
    }

    /// Takes inputs, appending the outputs they complete. Output k belongs to input k.
    pub(crate) fn process(&mut self, phase: PhaseShift, input: &[f64], output: &mut Vec<f64>) {
        self.near.extend_from_slice(input);
        let end = self.base + self.near.len() as i64 - self.look_ahead();
        let shift = if self.is_wide { phase.shift } else { 0 };
        // What would lie before the first sample is the first.
        while self.next < end && self.next + shift < self.base {
            let (last, x) = (self.input(self.next + shift), self.input(self.next + shift + 1));
            output.push(phase.step(&mut self.last_out, last, x));
            self.next += 1;
        }
        let count = (end - self.next).max(0) as usize;
        let from = (self.next + shift - self.base).max(0) as usize;
        let near = self.near.get(from..=from + count).unwrap_or(&[]);
        match near.get(..count) {
            Some(unchanged) if phase.pole == 0.0 => {
                output.extend_from_slice(unchanged);
                self.last_out = unchanged.last().copied().or(self.last_out);
            }
            _ => {
                for pair in near.windows(2) {
                    output.push(phase.step(&mut self.last_out, pair[0], pair[1]));
                }
            }
        }
        self.next += count as i64;
        let unused = (self.next - SHIFT_MAX - self.base).max(0) as usize;
        if unused > self.near.len() / 2 {
            self.near.drain(..unused);
            self.base += unused as i64;
        }
    }

    /// An input; before the first sample the first.
    fn input(&self, number: i64) -> f64 {
        let place = (number - self.base).max(0) as usize;
        self.near.get(place).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leads_by_the_stated_angle_and_changes_no_amplitude() {
        for (lead_deg, rate_hz) in [
            (-1.0_f64, 7812.5),
            (-0.1, 7812.5),
            (0.1, 7812.5),
            (0.5, 7812.5),
            (1.0, 7812.5),
            (1.0, 50_000.0),
            (-1.0, 50_000.0),
            (7.66, 6990.0),
            (-7.66, 6990.0),
        ] {
            let lead_rad = lead_deg.to_radians();
            let phase = PhaseShift::new(lead_rad, 50.0, rate_hz).unwrap();
            assert!((phase.response(50.0).arg() - lead_rad).abs() < 1e-12, "{lead_deg}");
            assert!((phase.response(730.0).norm() - 1.0).abs() < 1e-12);
            let wave = |lead: f64, k: f64| 300.0 * (TAU * 50.0 * k / rate_hz + lead).cos();
            let input: Vec<f64> = (0..1200).map(|k| wave(0.0, f64::from(k))).collect();
            let mut output = Vec::new();
            let mut state = PhaseState::new(phase.is_wide());
            for piece in input.chunks(77) {
                state.process(phase, piece, &mut output);
            }
            assert!(output.len() >= 1190);
            for (k, found) in output.iter().enumerate().skip(150) {
                let expected = wave(lead_rad, k as f64);
                assert!((found - expected).abs() < 1e-5, "{lead_deg}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn an_angle_of_more_than_eight_samples_is_refused() {
        assert!(PhaseShift::new(0.05, 50.0, 7812.5).is_some());
        assert_eq!(PhaseShift::new(0.4, 50.0, 7812.5), None);
        assert_eq!(PhaseShift::new(f64::NAN, 50.0, 7812.5), None);
    }

    #[test]
    fn it_can_change_while_it_runs() {
        let rate_hz = 6990.0;
        let wave = |lead: f64, k: f64| (TAU * 50.0 * k / rate_hz + lead).cos();
        let input: Vec<f64> = (0..4000).map(|k| wave(0.0, f64::from(k))).collect();
        let (mut state, mut output) = (PhaseState::new(true), Vec::new());
        for (piece, lead) in input.chunks(1000).zip([0.0, 0.1, -0.13, 0.02]) {
            let phase = PhaseShift::new(lead, 50.0, rate_hz).unwrap();
            state.process(phase, piece, &mut output);
            let last = output.len() - 1;
            let expected = wave(lead, last as f64);
            assert!((output[last] - expected).abs() < 1e-6, "{lead}");
        }
    }
}
