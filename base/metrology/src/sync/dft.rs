//! Frequency and phase of the fundamental in one stretch of samples.
//!
//! The stretch is weighted by a window that vanishes at both ends and demodulated at a guessed
//! frequency. For a weight w with derivative w', a pure tone obeys exactly
//! `X[w'](f) = -j 2 pi (f0 - f) X[w](f)`, so one division yields the tone's frequency f0 however
//! far the guess f was off; the phase of `X[w]`, taken about the middle, is the tone's phase there.
//! Once the stretch is a whole number of cycles, harmonics fall on the zeros of both weights.
//!
//! Terms: a *guess* is the frequency demodulated with; the *share* is the fundamental's part of
//! the channel's AC RMS.

use std::f64::consts::TAU;

use crate::numeric::{oscillate, windowed};

/// Three-term Nuttall window with continuous first derivative: side lobes below -64 dB, falling by
/// 18 dB per octave; main lobe of three bins either side.
const NUTTALL: [f64; 3] = [0.408_97, 0.5, 0.091_03];

/// A channel whose fundamental has a smaller part of its AC RMS than this has none to be tracked.
/// White noise alone stays below a third of it.
pub(crate) const SHARE_MIN: f64 = 0.2;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Frequency in cycles per sample.
    pub(crate) frequency: f64,
    /// Phase in radians (cosine convention) in the middle of the stretch.
    pub(crate) middle_phase: f64,
    /// RMS of the fundamental relative to the AC RMS.
    pub(crate) share: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    frame: (Vec<f64>, Vec<f64>),
    guess: (Vec<f64>, Vec<f64>),
}

/// Estimates the tone near `guess` (cycles per sample) in the stretch of `length` samples that
/// starts at position `start` of the slice. `None` for a silent stretch or one outside the slice.
pub(crate) fn estimate(
    samples: &[f64],
    start: f64,
    length: f64,
    guess: f64,
    scratch: &mut Scratch,
) -> Option<Estimate> {
    let first = start.max(0.0).ceil() as usize;
    let last = ((start + length).max(0.0).ceil() as usize).min(samples.len());
    let x = samples.get(first..last).filter(|x| x.len() >= 8)?;
    let Scratch { frame, guess: at_guess } = scratch;
    let turn = TAU / length;
    oscillate((first as f64 - start) * turn, turn, x.len(), &mut frame.0, &mut frame.1);
    let omega = TAU * guess;
    let middle = start + 0.5 * length;
    oscillate((first as f64 - middle) * omega, omega, x.len(), &mut at_guess.0, &mut at_guess.1);
    let [re, minus_im, slope_re, minus_slope_im, sum, square] =
        windowed(x, (&frame.0, &frame.1), (&at_guess.0, &at_guess.1), NUTTALL);
    let (im, slope_re, slope_im) = (-minus_im, turn * slope_re, -turn * minus_slope_im);
    let power = re * re + im * im;
    let mean = sum / x.len() as f64;
    let ac_square = square / x.len() as f64 - mean * mean;
    if !(power > 0.0 && ac_square > 0.0) {
        return None;
    }
    // The imaginary part of slope / weight; minus it is the offset from the guess.
    let offset = -(slope_im * re - slope_re * im) / power;
    let rms = std::f64::consts::SQRT_2 * power.sqrt() / (NUTTALL[0] * length);
    let share = rms / main_lobe(offset * length / TAU).max(0.1) / ac_square.sqrt();
    Some(Estimate { frequency: guess + offset / TAU, middle_phase: libm::atan2(im, re), share })
}

/// The weight's spectrum relative to its peak, `bins` away from it.
fn main_lobe(bins: f64) -> f64 {
    let sinc = |x: f64| {
        let y = std::f64::consts::PI * x;
        if y.abs() < 1e-9 { 1.0 } else { libm::sin(y) / y }
    };
    let pair = |m: f64| 0.5 * (sinc(bins - m) + sinc(bins + m));
    (NUTTALL[0] * sinc(bins) + NUTTALL[1] * pair(1.0) + NUTTALL[2] * pair(2.0)) / NUTTALL[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_tone_is_found_from_a_guess_far_off_and_exactly_over_whole_cycles() {
        let rate = 7812.5;
        for tone in [43.0, 50.0, 56.7] {
            let x: Vec<f64> =
                (0..2000).map(|k| 325.0 * (TAU * tone * f64::from(k) / rate + 1.1).cos()).collect();
            let mut scratch = Scratch::default();
            let far = estimate(&x, 10.4, 1562.5, 50.0 / rate, &mut scratch).expect("a tone");
            assert!((far.frequency * rate - tone).abs() < 5e-3, "{tone}: {far:?}");
            assert!((far.share - 1.0).abs() < 0.05, "{tone}: {far:?}");
            let length = 10.0 / far.frequency;
            let near = estimate(&x, 10.4, length, far.frequency, &mut scratch).expect("a tone");
            assert!((near.frequency * rate - tone).abs() < 2e-5, "{tone}: {near:?}");
            let middle = TAU * tone * (10.4 + 0.5 * length) / rate + 1.1;
            assert!(crate::numeric::wrap(near.middle_phase - middle).abs() < 1e-6, "{tone}");
        }
    }

    #[test]
    fn silence_and_a_missing_stretch_have_no_tone() {
        let mut scratch = Scratch::default();
        assert_eq!(estimate(&[0.0; 2000], 0.0, 1500.0, 0.006, &mut scratch), None);
        assert_eq!(estimate(&[3.5; 2000], 0.0, 1500.0, 0.006, &mut scratch), None);
        assert_eq!(estimate(&[1.0; 20], 50.0, 1500.0, 0.006, &mut scratch), None);
    }
}
