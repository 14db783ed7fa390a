//! Values between the samples: a windowed-sinc interpolator.
//!
//! A sinc under a Kaiser window, tabulated at some hundred phases between two samples with linear
//! interpolation of the taps. The full-band kernel of 32 taps is flat within 1e-6 up to 0.38 of the
//! sampling frequency; others are as long as the rate and the number of points ask for, and begin
//! to fall where nothing is wanted any more. Either way the droop is known exactly
//! ([`Kernel::gain`]) and taken out of spectra.

use std::f64::consts::{PI, TAU};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::numeric::{bessel_i0, dot, oscillate};

const FULL_BAND_TAPS: usize = 32;

/// Samples the full-band kernel needs on either side of a position.
pub(crate) const REACH: usize = FULL_BAND_TAPS / 2;

/// Tabulated phases between two samples of the full-band kernel.
const PHASES: usize = 512;

/// By how much images and what folds are to be suppressed, in dB.
const SUPPRESSION_DB: f64 = 120.0;

/// Points per sample at which a kernel is taken for its frequency response: what folds back from
/// beyond its eighth image is nothing.
const RESPONSE_STRIDE: usize = 16;

/// What makes one kernel differ from another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Number of samples that make one interpolated value; even.
    pub(crate) taps: usize,
    /// Where the gain has fallen to a half, in cycles per sample; up to 0.5.
    pub(crate) cutoff: f64,
    /// Shape of the Kaiser window.
    pub(crate) beta: f64,
}

/// An interpolator's table of taps and its frequency response.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    shape: Shape,
    phases: usize,
    /// `phases + 1` rows of taps; row p weighs samples for a position p/phases past a sample.
    table: Vec<f64>,
    /// Gain at multiples of `gain_step` cycles per sample.
    gains: Vec<f64>,
    gain_step: f64,
}

impl Shape {
    /// Everything up to the Nyquist frequency.
    pub(crate) const FULL_BAND: Self = Self { taps: FULL_BAND_TAPS, cutoff: 0.5, beta: 12.27 };

    /// Flat up to `pass` and without a trace from `stop` on (cycles per sample), of at most
    /// `taps_max` taps.
    pub(crate) fn between(pass: f64, stop: f64, taps_max: usize) -> Self {
        // Kaiser's rules: how many taps a transition takes, and the window's shape. Taps too many
        // suppress more; where they are too few the transition becomes wider.
        let rule = 2.285 * TAU * (stop - pass).max(1e-6);
        let wanted = ((SUPPRESSION_DB - 8.0) / rule).ceil() as usize;
        let step = if wanted > 16 { 4 } else { 2 };
        let taps = wanted.next_multiple_of(step).clamp(12, taps_max.max(12));
        let suppression_db = (8.0 + rule * taps as f64).clamp(100.0, 140.0);
        let beta = 0.1102 * (suppression_db - 8.7);
        Self { taps, cutoff: (0.5 * (pass + stop)).min(0.5), beta }
    }

    /// The continuous kernel at `x` samples from its centre.
    ///
    /// Not divided by the window's peak, I0 of `beta`.
    fn value(self, x: f64) -> f64 {
        let place = x / (0.5 * self.taps as f64);
        let inside = 1.0 - place * place;
        if inside <= 0.0 {
            return 0.0;
        }
        let angle = TAU * self.cutoff * x;
        let sinc = if x.abs() < 1e-9 { 2.0 * self.cutoff } else { libm::sin(angle) / (PI * x) };
        sinc * bessel_i0(self.beta * inside.sqrt())
    }
}

impl Kernel {
    /// The full-band kernel, computed once for all.
    pub(crate) fn full_band() -> &'static Arc<Self> {
        static KERNEL: LazyLock<Arc<Kernel>> = LazyLock::new(|| Kernel::of(Shape::FULL_BAND));
        &KERNEL
    }

    /// The kernel of a shape; each is computed once for all engines.
    pub(crate) fn of(shape: Shape) -> Arc<Self> {
        static KNOWN: Mutex<Vec<Arc<Kernel>>> = Mutex::new(Vec::new());
        // What was pushed is whole, whoever panicked meanwhile.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = known.iter().find(|kernel| kernel.shape == shape) {
            return Arc::clone(kernel);
        }
        let kernel = Arc::new(Self::new(shape));
        known.push(Arc::clone(&kernel));
        kernel
    }

    fn new(shape: Shape) -> Self {
        // A wider kernel is smoother and needs fewer phases.
        let phases = ((PHASES as f64 * 2.0 * shape.cutoff) as usize).next_power_of_two().max(16);
        let reach = shape.taps as f64 / 2.0;
        let place =
            |phase: usize, tap: usize| tap as f64 + 1.0 - reach - phase as f64 / phases as f64;
        let rows = (0..=phases).flat_map(|p| (0..shape.taps).map(move |k| (p, k)));
        let peak = bessel_i0(shape.beta);
        let table = rows.map(|(p, k)| shape.value(place(p, k)) / peak).collect();
        let gain_step = 1.0 / (32 * shape.taps) as f64;
        let gains = gains(shape, gain_step);
        Self { shape, phases, table, gains, gain_step }
    }

    /// Number of samples that make one interpolated value.
    pub(crate) fn taps(&self) -> usize {
        self.shape.taps
    }

    /// Samples needed on either side of a position.
    pub(crate) fn reach(&self) -> usize {
        self.shape.taps / 2
    }

    /// The rows of taps on either side of a position `fraction` (0..1) past a sample, and how far
    /// it lies between them. They weigh that sample's neighbours from `reach - 1` before on.
    #[inline]
    pub(crate) fn rows(&self, fraction: f64) -> (&[f64], &[f64], f64) {
        let taps = self.shape.taps;
        let place = fraction * self.phases as f64;
        let row = (place as usize).min(self.phases - 1);
        let (low, high) = self.table[row * taps..(row + 2) * taps].split_at(taps);
        (low, high, place - row as f64)
    }

    /// Tabulated phases between two samples, a power of two.
    #[inline]
    pub(crate) fn phases(&self) -> usize {
        self.phases
    }

    /// A row of taps and the one after it; `None` if `TAPS` is not this kernel's number.
    #[inline]
    pub(crate) fn two_rows<const TAPS: usize>(
        &self,
        row: usize,
    ) -> Option<(&[f64; TAPS], &[f64; TAPS])> {
        let rest = self.table.get(row * TAPS..)?;
        Some((rest.first_chunk()?, rest.get(TAPS..)?.first_chunk()?))
    }

    /// The value a `fraction` (0..1) past a sample; zero where the taps would leave the slice.
    fn value_past(&self, samples: &[f64], sample: isize, fraction: f64) -> f64 {
        let first = sample.saturating_add(1 - self.reach() as isize);
        match usize::try_from(first).ok().and_then(|f| samples.get(f..f.checked_add(self.taps())?))
        {
            Some(near) => {
                let (low, high, mu) = self.rows(fraction);
                let below = dot(near, low);
                below + mu * (dot(near, high) - below)
            }
            None => 0.0,
        }
    }

    /// The value of `samples` at `position`, likewise.
    #[cfg(test)]
    pub(crate) fn value(&self, samples: &[f64], position: f64) -> f64 {
        let whole = position.floor();
        self.value_past(samples, whole as isize, position - whole)
    }

    /// Gain at a frequency in cycles per sample (0..=0.5).
    pub(crate) fn gain(&self, frequency: f64) -> f64 {
        let place = frequency.abs() / self.gain_step;
        let last = self.gains.len() - 3;
        let k = (place as usize).min(last);
        let t = (place - k as f64).min(1.0);
        // Cubic through four points; the gain is even, so the one before the first is the second.
        let before = self.gains[if k == 0 { 1 } else { k - 1 }];
        let [here, next, after] = [self.gains[k], self.gains[k + 1], self.gains[k + 2]];
        let third = (after - before + 3.0 * (here - next)) / 6.0;
        let second = 0.5 * (before + next) - here;
        let first = next - here - second - third;
        here + t * (first + t * (second + t * third))
    }
}

/// Fourier integral of a kernel at multiples of `step` cycles per sample: up to the Nyquist
/// frequency, or as far as there is any gain.
fn gains(shape: Shape, step: f64) -> Vec<f64> {
    // The kernel vanishes at its ends, so the sum over equidistant points is the integral.
    let stride = 1.0 / RESPONSE_STRIDE as f64;
    let scale = stride / bessel_i0(shape.beta);
    let first = -0.5 * shape.taps as f64;
    let count = shape.taps * RESPONSE_STRIDE;
    let values: Vec<f64> =
        (0..count).map(|k| scale * shape.value(first + stride * k as f64)).collect();
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    let highest = (1.15 * shape.cutoff).min(0.5);
    (0..(highest / step) as usize + 4)
        .map(|k| {
            let omega = TAU * step * k as f64;
            oscillate(omega * first, omega * stride, count, &mut cos, &mut sin);
            dot(&values, &cos)
        })
        .collect()
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
    let reach = kernel.reach() as isize;
    samples.resize(known + back, 0.0);
    let unknown = || (0..front).chain(known..known + back);
    // A sample, and how far past it: the same to the last bit however many samples lie before.
    let away = |k: usize| {
        let period = if k < front { length } else { -length };
        (k as isize + period.floor() as isize, period - period.floor())
    };
    for k in unknown() {
        let (sample, past) = away(k);
        let near = (sample + isize::from(past >= 0.5)).min(known as isize - 1).max(front as isize);
        samples[k] = samples.get(near as usize).copied().unwrap_or(0.0);
    }
    // Where both ends are unknown each depends a little on the other: repeat until they agree.
    for _ in 0..if front > 0 && back > 0 { 12 } else { 1 } {
        for k in unknown() {
            let (sample, past) = away(k);
            if sample >= reach && sample + reach < samples.len() as isize {
                samples[k] = kernel.value_past(samples, sample, past);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kernel: &Kernel, cases: &[(f64, f64)]) {
        for (frequency, tolerance) in cases {
            let count = 200 + 2 * kernel.taps() as u32;
            let samples: Vec<f64> =
                (0..count).map(|k| (TAU * frequency * f64::from(k) + 0.4).cos()).collect();
            for k in 0..100 {
                let position = kernel.taps() as f64 + 10.0 + f64::from(k) * 0.737;
                let value = kernel.value(&samples, position) / kernel.gain(*frequency);
                let truth = (TAU * frequency * position + 0.4).cos();
                assert!((value - truth).abs() < *tolerance, "{frequency} {position}: {value}");
            }
        }
    }

    #[test]
    fn a_tone_is_interpolated_with_the_stated_gain() {
        let kernel = Kernel::full_band();
        check(kernel, &[(0.01, 2e-6), (0.2, 2e-6), (0.37, 4e-6)]);
        assert!([0.01, 0.2, 0.37].iter().all(|f| (kernel.gain(*f) - 1.0).abs() < 2e-6));
        assert!((kernel.gain(0.5) - 0.5).abs() < 1e-3, "half at the Nyquist frequency");
    }

    #[test]
    fn a_kernel_passes_and_stops_what_it_was_asked_to() {
        // 20 kS/s, 50 kS/s and 200 kS/s to 4096 points; 20 kS/s to 256.
        for (pass, stop) in [(0.147, 0.757), (0.059, 0.303), (0.0147, 0.0757), (0.029, 0.035)] {
            let shape = Shape::between(pass, stop, 2000);
            let kernel = Kernel::new(shape);
            let passed = [0.01, 0.5, 0.9, 0.99].map(|part| (part * pass, 6e-6));
            check(&kernel, &passed);
            assert!((kernel.gain(pass) - 1.0).abs() < 6e-6, "{shape:?}: {}", kernel.gain(pass));
            if stop < 0.45 {
                let samples: Vec<f64> =
                    (0..2 * shape.taps).map(|k| (TAU * 1.01 * stop * k as f64).cos()).collect();
                for k in 0..50 {
                    let position = shape.taps as f64 + 0.137 * f64::from(k);
                    assert!(
                        kernel.value(&samples, position).abs() < 6e-6,
                        "{shape:?} at {position}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_position_near_the_ends_yields_zero_and_no_panic() {
        let kernel = Kernel::full_band();
        for position in [-1e18, -1.0, 3.0, 31.0, 1e18, f64::NAN] {
            assert_eq!(kernel.value(&[1.0; 40], position) * 0.0, 0.0);
        }
        assert_eq!(kernel.value(&[], 0.0), 0.0);
    }
}
