//! Blocks 1 and 2's sampling rate: squares a signal of any rate and hands on 4 to 8 kS/s.
//!
//! Squaring doubles the bandwidth, so slow signals are interpolated first; fast ones are squared
//! and then averaged by a low-pass, which costs a few operations per sample instead of a filter
//! cascade.

use crate::numeric::{bessel_i0, dot};

/// The filters' rate is at least this, in Hz, and less than twice as much.
const RATE_MIN_HZ: f64 = 4000.0;

/// Inputs per output an interpolator weighs.
const UP_TAPS: usize = 24;

/// Outputs' distances the averaging low-pass is long.
const DOWN_TAPS: usize = 8;

/// Shape of the Kaiser windows: about 80 dB.
const KAISER: f64 = 8.0;

#[derive(Clone, Debug)]
pub(super) struct RateStage {
    rate_hz: f64,
    kind: Kind,
    /// Inputs (or their squares) not yet used up.
    history: Vec<f64>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Outputs per input: taps of each output between two inputs.
    Up(Vec<[f64; UP_TAPS]>),
    /// Every so many inputs one output: the taps, and how many inputs further.
    Down(Vec<f64>, usize),
    Same,
}

impl RateStage {
    pub(super) fn new(rate_hz: f64) -> Self {
        let kind = if rate_hz < RATE_MIN_HZ {
            Kind::Up(interpolator((RATE_MIN_HZ / rate_hz).ceil() as usize))
        } else if rate_hz < 2.0 * RATE_MIN_HZ {
            Kind::Same
        } else {
            let step = (rate_hz / RATE_MIN_HZ).floor() as usize;
            Kind::Down(low_pass(step), step)
        };
        Self { rate_hz, kind, history: Vec::new() }
    }

    /// Squares per second.
    pub(super) fn output_rate_hz(&self) -> f64 {
        match &self.kind {
            Kind::Up(phases) => self.rate_hz * phases.len() as f64,
            Kind::Down(_, step) => self.rate_hz / *step as f64,
            Kind::Same => self.rate_hz,
        }
    }

    /// Takes samples and appends the squares that follow from them.
    pub(super) fn push(&mut self, samples: &[f64], squares: &mut Vec<f64>) {
        // Whoever records 1e30 V has other problems than flicker.
        let clean = |x: &f64| if x.abs() < 1e30 { *x } else { 0.0 };
        let square = |x: f64| x * x;
        let clean = samples.iter().map(clean);
        match &self.kind {
            Kind::Same => squares.extend(clean.map(square)),
            Kind::Up(phases) => {
                self.history.extend(clean);
                let mut used = 0;
                while let Some(near) =
                    self.history.get(used..).and_then(<[f64]>::first_chunk::<UP_TAPS>)
                {
                    squares.extend(phases.iter().map(|taps| square(dot(near, taps))));
                    used += 1;
                }
                self.history.drain(..used);
            }
            Kind::Down(taps, step) => {
                self.history.extend(clean.map(square));
                let mut used = 0;
                while let Some(near) = self.history.get(used..used + taps.len()) {
                    // A negative lobe may show where there is next to nothing.
                    squares.push(dot(near, taps).max(0.0));
                    used += step;
                }
                self.history.drain(..used.min(self.history.len()));
            }
        }
    }
}

/// sin(pi x) / (pi x).
fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { libm::sin(angle) / angle }
}

/// The Kaiser window on -1..=1.
fn kaiser(x: f64) -> f64 {
    if x.abs() > 1.0 { 0.0 } else { bessel_i0(KAISER * (1.0 - x * x).sqrt()) / bessel_i0(KAISER) }
}

/// Taps for `count` outputs between two inputs; each set passes a constant unchanged.
fn interpolator(count: usize) -> Vec<[f64; UP_TAPS]> {
    let half = UP_TAPS as f64 / 2.0;
    let taps = |output: usize| {
        let position = half - 1.0 + output as f64 / count as f64;
        let mut taps: [f64; UP_TAPS] = std::array::from_fn(|k| {
            let x = k as f64 - position;
            sinc(x) * kaiser(x / half)
        });
        let sum: f64 = taps.iter().sum();
        for tap in &mut taps {
            *tap /= sum;
        }
        taps
    };
    (0..count).map(taps).collect()
}

/// A low-pass at half the output rate, for every `step`-th input.
fn low_pass(step: usize) -> Vec<f64> {
    let count = DOWN_TAPS * step + 1;
    let middle = 0.5 * (count - 1) as f64;
    let tap = |k: usize| {
        let x = k as f64 - middle;
        sinc(x / step as f64) * kaiser(x / middle)
    };
    let taps: Vec<f64> = (0..count).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| tap / sum).collect()
}
