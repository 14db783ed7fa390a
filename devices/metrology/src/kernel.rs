//! Values between the samples: a windowed-sinc interpolator.
//!
//! 32 taps under a Kaiser window, tabulated at 512 phases between two samples with linear
//! interpolation of the taps. Flat within 1e-5 up to 0.40 of the sampling frequency; the droop
//! above that is known exactly ([`Kernel::gain`]) and taken out of spectra.

use std::f64::consts::{PI, TAU};

use std::sync::LazyLock;

use crate::numeric::{bessel_i0, dot};

/// Number of samples that make one interpolated value.
pub(crate) const TAPS: usize = 32;

/// Samples needed on either side of a position.
pub(crate) const REACH: usize = TAPS / 2;

/// Tabulated phases between two samples.
const PHASES: usize = 512;

/// Shape of the Kaiser window: images are suppressed by about 100 dB.
const KAISER_BETA: f64 = 10.0;

/// Points of the tabulated frequency response over 0..=0.5 of the sampling frequency.
const RESPONSE_POINTS: usize = 512;

/// The interpolator's table of taps and its frequency response.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// `PHASES + 1` rows of taps; row p weighs samples for a position p/PHASES past a sample.
    taps: Vec<[f64; TAPS]>,
    /// Gain at k / 1024 of the sampling frequency.
    response: Vec<f64>,
}

/// The continuous kernel at `x` samples from its centre.
fn shape(x: f64) -> f64 {
    let reach = REACH as f64;
    let inside = 1.0 - (x / reach) * (x / reach);
    if inside <= 0.0 {
        return 0.0;
    }
    let sinc = if x.abs() < 1e-9 { 1.0 } else { libm::sin(PI * x) / (PI * x) };
    sinc * bessel_i0(KAISER_BETA * inside.sqrt()) / bessel_i0(KAISER_BETA)
}

impl Kernel {
    /// The tables, computed once for all engines.
    pub(crate) fn shared() -> &'static Self {
        static KERNEL: LazyLock<Kernel> = LazyLock::new(Kernel::new);
        &KERNEL
    }

    /// Computes the tables.
    fn new() -> Self {
        let row = |phase: usize| {
            let fraction = phase as f64 / PHASES as f64;
            std::array::from_fn(|k| shape(k as f64 - (REACH as f64 - 1.0) - fraction))
        };
        let taps: Vec<[f64; TAPS]> = (0..=PHASES).map(row).collect();
        let response = (0..=RESPONSE_POINTS).map(|k| response(&taps, k)).collect();
        Self { taps, response }
    }

    /// The taps for a position `fraction` (0..1) past a sample; they weigh that sample's
    /// neighbours from `REACH - 1` before to `REACH` after.
    pub(crate) fn taps(&self, fraction: f64) -> [f64; TAPS] {
        let place = (fraction * PHASES as f64).clamp(0.0, PHASES as f64);
        let row = (place as usize).min(PHASES - 1);
        let mu = place - row as f64;
        let (low, high) = (&self.taps[row], &self.taps[row + 1]);
        std::array::from_fn(|k| low[k] + mu * (high[k] - low[k]))
    }

    /// The value of `samples` at `position`; zero where the taps would leave the slice.
    pub(crate) fn value(&self, samples: &[f64], position: f64) -> f64 {
        let whole = position.floor();
        let first = whole as isize - (REACH as isize - 1);
        match usize::try_from(first).ok().and_then(|f| samples.get(f..f + TAPS)) {
            Some(near) => dot(near, &self.taps(position - whole)),
            None => 0.0,
        }
    }

    /// Gain at a frequency in cycles per sample (0..=0.5).
    pub(crate) fn gain(&self, frequency: f64) -> f64 {
        let place = (frequency * 2.0).clamp(0.0, 1.0) * RESPONSE_POINTS as f64;
        let k = (place as usize).min(RESPONSE_POINTS - 1);
        let mu = place - k as f64;
        self.response[k] + mu * (self.response[k + 1] - self.response[k])
    }
}

/// Fills in the first `front` samples and appends `back` samples by repeating a signal of the
/// period `length` (in samples) that is known in between.
pub(crate) fn repeat(
    kernel: &Kernel,
    samples: &mut Vec<f64>,
    front: usize,
    back: usize,
    length: f64,
) {
    let known = samples.len();
    samples.resize(known + back, 0.0);
    let unknown = || (0..front).chain(known..known + back);
    let away = |k: usize| k as f64 + if k < front { length } else { -length };
    for k in unknown() {
        let near = away(k).round().min(known as f64 - 1.0).max(front as f64);
        samples[k] = samples.get(near as usize).copied().unwrap_or(0.0);
    }
    // Where both ends are unknown each depends a little on the other: repeat until they agree.
    for _ in 0..if front > 0 && back > 0 { 12 } else { 1 } {
        for k in unknown() {
            let position = away(k);
            if position >= REACH as f64 && position + (REACH as f64) < samples.len() as f64 {
                samples[k] = kernel.value(samples, position);
            }
        }
    }
}

/// Fourier integral of the tabulated kernel at `k / 1024` cycles per sample.
fn response(taps: &[[f64; TAPS]], k: usize) -> f64 {
    // The kernel vanishes at its ends, so the sum over equidistant points is the integral; every
    // eighth phase is far finer than the kernel's bandwidth needs.
    let stride = 8;
    let frequency = k as f64 / (2 * RESPONSE_POINTS) as f64;
    let mut sum = 0.0;
    for phase in (0..PHASES).step_by(stride) {
        for (tap, value) in taps[phase].iter().enumerate() {
            let x = tap as f64 - (REACH as f64 - 1.0) - phase as f64 / PHASES as f64;
            sum += value * libm::cos(TAU * frequency * x);
        }
    }
    sum * stride as f64 / PHASES as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_interpolated_with_the_stated_gain() {
        let kernel = Kernel::new();
        for (frequency, tolerance) in [(0.01, 5e-6), (0.2, 8e-6), (0.39, 2e-5)] {
            let samples: Vec<f64> =
                (0..200).map(|k| (TAU * frequency * f64::from(k) + 0.4).cos()).collect();
            assert!((kernel.gain(frequency) - 1.0).abs() < 1e-4);
            for k in 0..100 {
                let position = 60.0 + f64::from(k) * 0.737;
                let value = kernel.value(&samples, position) / kernel.gain(frequency);
                let truth = (TAU * frequency * position + 0.4).cos();
                assert!((value - truth).abs() < tolerance, "{frequency} {position}");
            }
        }
        assert!((kernel.gain(0.5) - 0.5).abs() < 1e-3, "half at the Nyquist frequency");
    }

    #[test]
    fn a_position_near_the_ends_yields_zero_and_no_panic() {
        let kernel = Kernel::new();
        for position in [-1e18, -1.0, 3.0, 31.0, 1e18, f64::NAN] {
            assert_eq!(kernel.value(&[1.0; 40], position) * 0.0, 0.0);
        }
        assert_eq!(kernel.value(&[], 0.0), 0.0);
    }
}
