//! Urms(1/2): the RMS of one cycle, refreshed every half cycle, between zero crossings.
//!
//! IEC 61000-4-30, 3.20. The zero crossings are the fundamental's: at each crossing that is due, a
//! one-cycle Fourier sum centred on it says how far off it is (the sum is blind to harmonics, and
//! to a change of amplitude at the crossing itself), and the next crossing follows half a cycle
//! later. Where the voltage is gone, crossings go on as they were due. Positions lie between
//! samples; the squared signal is integrated as a polygon, which is exact to third order because
//! it has no slope where it is cut.

use std::collections::VecDeque;

use crate::engine::usable;
use crate::numeric::oscillate;

/// Part of the cycle's mean square the fundamental must have for its crossing to count.
const SHARE_MIN: f64 = 0.25;

/// Part of the usual amplitude below which what is left of a fundamental is not trusted.
const AMPLITUDE_MIN: f64 = 0.05;

/// An amplitude that changes by more than this part from crossing to crossing steps within the
/// cycle, which turns its phase: the crossing is taken as due, a few times at most.
const STEP: f64 = 0.02;

/// Crossings in a row that may be taken as due for that reason.
const HELD_MAX: u32 = 4;

/// Crossings after which the frequency is taken for known.
const ACQUIRED: u32 = 12;

/// Weight of one crossing in the frequency until then, at least.
const ACQUIRING_GAIN: f64 = 0.4;

/// Weight of one crossing in the frequency from then on.
const FREQUENCY_GAIN: f64 = 0.05;

/// A crossing this part of a half cycle early or late is a phase jump: the frequency stays.
const JUMP: f64 = 0.02;

/// So many samples may be missing at either end: the last one stands for the time up to the next
/// one, and rounding must not cost a recording of whole cycles its first or last.
const END_TOLERANCE: f64 = 0.01;

/// Cycles of samples that are kept behind the present position.
const KEPT_CYCLES: f64 = 8.0;

/// One value of Urms(1/2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfCycle {
    /// Start of the cycle, in samples since the first one; may lie between two.
    pub start: f64,
    /// End of the cycle, likewise.
    pub end: f64,
    /// RMS over it, in the unit of the samples.
    pub rms: f64,
}

impl HalfCycle {
    /// The crossing in the middle: where the half cycle that is new in this value begins.
    pub fn middle(&self) -> f64 {
        0.5 * (self.start + self.end)
    }
}

/// Urms(1/2) of one channel; samples in pieces of any size.
#[derive(Clone, Debug)]
pub struct HalfCycles {
    /// Samples from index `base` on.
    samples: Vec<f64>,
    base: u64,
    /// Half a cycle in samples, as far as known.
    half: f64,
    half_range: (f64, f64),
    /// The latest three crossings, the last one being the next due.
    crossings: VecDeque<f64>,
    /// Crossings that agreed with what was due.
    agreed: u32,
    /// Of the fundamental: slowly followed, and at the latest crossing.
    amplitude: (f64, f64),
    held: u32,
    finished: bool,
    ready: VecDeque<HalfCycle>,
    scratch: (Vec<f64>, Vec<f64>),
}

impl HalfCycles {
    /// At rest. `frequency_hz` is where the search begins: the nominal frequency will do.
    pub fn new(rate_hz: f64, frequency_hz: f64) -> Self {
        let half = (0.5 * rate_hz / frequency_hz).clamp(2.0, 1e9);
        Self {
            samples: Vec::new(),
            base: 0,
            half,
            // What IEC 61000-4-30 calls the range of a nominal frequency, and some more.
            half_range: (half / 1.2, half / 0.8),
            crossings: VecDeque::new(),
            agreed: 0,
            amplitude: (0.0, 0.0),
            held: 0,
            finished: false,
            ready: VecDeque::new(),
            scratch: (Vec::new(), Vec::new()),
        }
    }

    /// Takes the next samples; what is no finite number counts as 0.
    pub fn push(&mut self, samples: &[f64]) {
        self.samples.extend(samples.iter().map(|x| if usable(*x) { *x } else { 0.0 }));
        self.advance();
    }

    /// Ends the signal: cycles that end with it are still given out.
    pub fn finish(&mut self) {
        self.finished = true;
        self.advance();
    }

    /// The next value.
    pub fn pop(&mut self) -> Option<HalfCycle> {
        self.ready.pop_front()
    }

    /// Half a cycle in samples, as last measured.
    pub fn half_cycle(&self) -> f64 {
        self.half
    }

    /// Samples from a position on that are still kept, at most `count`.
    pub(super) fn kept(&self, from: u64, count: usize) -> &[f64] {
        let skipped = usize::try_from(from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let rest = self.samples.get(skipped..).unwrap_or(&[]);
        &rest[..count.min(rest.len())]
    }

    /// The first sample that is still kept.
    pub(super) fn first_kept(&self) -> u64 {
        self.base
    }

    fn end(&self) -> f64 {
        (self.base + self.samples.len() as u64) as f64
    }

    fn advance(&mut self) {
        loop {
            let due = match self.crossings.back() {
                Some(last) => last + self.half,
                None => match self.first_crossing() {
                    Some(first) => first,
                    None => return,
                },
            };
            let crossing = if due + self.half + 1.0 <= self.end() {
                self.locate(due)
            } else if self.finished && due <= self.end() + END_TOLERANCE {
                due
            } else {
                return;
            };
            self.crossings.push_back(crossing);
            if self.crossings.len() == 3 {
                let (start, end) = (self.crossings[0], crossing);
                let length = (end - start).max(1.0);
                let rms = (self.integral(start, end, |_, x| x * x) / length).max(0.0).sqrt();
                self.ready.push_back(HalfCycle { start, end, rms });
                self.crossings.pop_front();
            }
            self.forget();
        }
    }

    /// The first crossing not before the first sample: where the first cycle's fundamental says,
    /// or at the first sample if there is none. `None` while too little is known.
    fn first_crossing(&mut self) -> Option<f64> {
        let due = 2.0 * self.half;
        let needed = if self.finished { due - END_TOLERANCE } else { due + 1.0 };
        if needed > self.end() {
            return None;
        }
        let Some(off) = self.offset(self.half) else { return Some(0.0) };
        let mut first = self.half + off;
        while first - self.half >= -END_TOLERANCE {
            first -= self.half;
        }
        Some(first.max(0.0))
    }

    /// Where the crossing that is due really is.
    fn locate(&mut self, due: f64) -> f64 {
        let Some(off) = self.offset(due) else { return due };
        let acquiring = self.agreed < ACQUIRED;
        if acquiring || off.abs() < JUMP * self.half {
            let least = if acquiring { ACQUIRING_GAIN } else { FREQUENCY_GAIN };
            let gain = (1.0 / f64::from(self.agreed + 1)).max(least);
            self.half = (self.half + gain * off).clamp(self.half_range.0, self.half_range.1);
            self.agreed = self.agreed.saturating_add(1);
        }
        due + off.clamp(-0.25 * self.half, 0.25 * self.half)
    }

    /// How many samples after `due` the fundamental crosses zero; `None` without a fundamental.
    fn offset(&mut self, due: f64) -> Option<f64> {
        let (from, to) = (due - self.half, due + self.half);
        if from < self.base as f64 || to > self.end() {
            return None;
        }
        let omega = std::f64::consts::PI / self.half;
        let first = from.floor();
        let count = (to.ceil() - first) as usize + 2;
        let (mut cos, mut sin) = std::mem::take(&mut self.scratch);
        oscillate((first - due) * omega, omega, count, &mut cos, &mut sin);
        let at = |k: u64| (k - first as u64) as usize;
        let odd = self.integral(from, to, |k, x| x * sin[at(k)]);
        let even = self.integral(from, to, |k, x| x * cos[at(k)]);
        let total = self.integral(from, to, |_, x| x * x);
        self.scratch = (cos, sin);
        let square = odd * odd + even * even;
        let amplitude = square.sqrt() / self.half;
        let fundamental = square / self.half;
        let usual = self.amplitude.0;
        if total <= 0.0 || fundamental < SHARE_MIN * total || amplitude < AMPLITUDE_MIN * usual {
            return None;
        }
        let followed = if usual == 0.0 { amplitude } else { usual + 0.02 * (amplitude - usual) };
        let before = std::mem::replace(&mut self.amplitude, (followed, amplitude)).1;
        let stepped = before > 0.0 && (amplitude / before - 1.0).abs() > STEP;
        if stepped && self.agreed >= ACQUIRED && self.held < HELD_MAX {
            self.held += 1;
            return None;
        }
        self.held = 0;
        // x = A sin(omega (t - due) - phi): of either sign, for the crossing may rise or fall.
        Some(libm::atan(-even / odd) / omega).filter(|off| off.is_finite())
    }

    /// The integral of a polygon through values made of samples, between two positions.
    fn integral(&self, from: f64, to: f64, value: impl Fn(u64, f64) -> f64) -> f64 {
        let (first, last) = (from.ceil() as u64, to.floor() as u64);
        let at = |k: u64| -> f64 {
            let place = usize::try_from(k.saturating_sub(self.base)).unwrap_or(usize::MAX);
            // Beyond the last sample the signal stays as it is, for less than one sample.
            let sample = self.samples.get(place).or(self.samples.last());
            value(k, sample.copied().unwrap_or(0.0))
        };
        let between = |position: f64| {
            let (whole, part) = (position.floor() as u64, position - position.floor());
            if part == 0.0 { at(whole) } else { at(whole) * (1.0 - part) + at(whole + 1) * part }
        };
        let (head, tail) = (first as f64 - from, to - last as f64);
        let inner: f64 = (first..=last).map(at).sum();
        inner - 0.5 * (at(first) + at(last))
            + 0.5 * head * (between(from) + at(first))
            + 0.5 * tail * (between(to) + at(last))
    }

    /// Drops what is long past.
    fn forget(&mut self) {
        let present = self.crossings.front().copied().unwrap_or(0.0);
        let keep_from = (present - KEPT_CYCLES * 2.0 * self.half).max(0.0) as u64;
        let unused = usize::try_from(keep_from.saturating_sub(self.base)).unwrap_or(0);
        if 2 * unused > self.samples.len() {
            self.samples.drain(..unused);
            self.base += unused as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate_hz: f64, f: f64, phase_deg: f64, count: usize) -> Vec<f64> {
        (0..count)
            .map(|k| {
                let angle = std::f64::consts::TAU * f * k as f64 / rate_hz;
                std::f64::consts::SQRT_2 * (angle + phase_deg.to_radians()).sin()
            })
            .collect()
    }

    fn values(rate_hz: f64, nominal_hz: f64, samples: &[f64], piece: usize) -> Vec<HalfCycle> {
        let mut half_cycles = HalfCycles::new(rate_hz, nominal_hz);
        samples.chunks(piece).for_each(|samples| half_cycles.push(samples));
        half_cycles.finish();
        std::iter::from_fn(|| half_cycles.pop()).collect()
    }

    #[test]
    fn a_sine_of_any_frequency_and_phase_reads_its_rms_everywhere() {
        for (rate_hz, nominal_hz, f, phase) in [
            (6400.0, 50.0, 50.0, 0.0),
            (6400.0, 50.0, 50.0, 90.0),
            (7812.5, 50.0, 43.1, 33.0),
            (7812.5, 50.0, 57.4, 211.0),
            (1200.0, 60.0, 60.0, 17.0),
            (1200.0, 60.0, 59.83, 71.0),
            (50_000.0, 60.0, 66.0, 300.0),
        ] {
            let samples = sine(rate_hz, f, phase, (1.5 * rate_hz) as usize);
            let found = values(rate_hz, nominal_hz, &samples, 777);
            let expected = 2.0 * 1.5 * f;
            assert!((found.len() as f64 - expected).abs() < 4.0, "{f}: {}", found.len());
            for (k, value) in found.iter().enumerate() {
                // The first cycles of a strange frequency are still being learnt.
                let tolerance = if k < 12 { 0.02 } else { 2e-4 };
                assert!((value.rms - 1.0).abs() < tolerance, "{f} {rate_hz} {k}: {value:?}");
            }
            let last = found.last().expect("values");
            assert!(last.end > samples.len() as f64 - rate_hz / f, "{last:?}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        let samples = sine(7812.5, 49.7, 12.0, 9000);
        let whole = values(7812.5, 50.0, &samples, 9000);
        for piece in [1, 7, 100, 4096] {
            assert_eq!(values(7812.5, 50.0, &samples, piece), whole);
        }
    }

    #[test]
    fn crossings_go_on_through_silence_and_distortion_does_not_move_them() {
        let rate_hz = 6400.0;
        let mut samples = sine(rate_hz, 50.0, 0.0, 6400);
        for (k, x) in samples.iter_mut().enumerate() {
            let angle = std::f64::consts::TAU * 50.0 * k as f64 / rate_hz;
            *x += 0.3 * (5.0 * angle + 1.0).sin() + 0.2 * (7.0 * angle + 2.0).sin();
            if (1280..2560).contains(&k) {
                *x = 0.0;
            }
        }
        let found = values(rate_hz, 50.0, &samples, 500);
        for (k, value) in found.iter().enumerate() {
            // Where the harmonics are cut off in the middle, half a sample is in doubt.
            assert!((value.start - 64.0 * k as f64).abs() < 0.15, "{k}: {value:?}");
            if value.start >= 1281.0 && value.end <= 2559.0 {
                assert!(value.rms < 1e-6, "{value:?}");
            }
        }
        assert_eq!(found.len(), 99);
    }

    #[test]
    fn strange_input_does_no_harm() {
        for samples in [vec![], vec![1.0], vec![f64::NAN; 3000], vec![f64::INFINITY; 3000]] {
            for value in values(6400.0, 50.0, &samples, 100) {
                assert_eq!(value.rms, 0.0);
            }
        }
        assert!(values(6400.0, 50.0, &vec![1e99; 3000], 100).iter().all(|v| v.rms.is_finite()));
    }
}
