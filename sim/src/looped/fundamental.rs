//! The fundamental frequency of a recording, so that a loop holds whole cycles.
//!
//! First a coarse search by a windowed Fourier sum over a grid; then a ladder: the phase of the
//! fundamental is compared between two windows of whole cycles ever further apart, until they
//! stand at both ends of the recording. Windows of whole cycles are blind to direct component and
//! harmonics, and what is found is the mean frequency over the recording: just what lets its end
//! meet its beginning. A header's nominal frequency is not used, since headers are wrong.

use std::f64::consts::TAU;

use num_complex::Complex64;

use crate::phase::cis;

/// The slowest fundamental looked for, in hertz.
pub(crate) const SLOWEST_HZ: f64 = 10.0;
/// The fastest, in hertz.
pub(crate) const FASTEST_HZ: f64 = 450.0;
/// Fewer cycles are refused: two windows of two cycles would lie on top of each other.
pub(crate) const CYCLES_MIN: f64 = 2.5;

/// Length of the coarse search in seconds, and the rate it is thinned to.
const SEARCH_S: f64 = 0.5;
const SEARCH_RATE_HZ: f64 = 4000.0;
/// The least share of the alternating power that the fundamental has to hold.
const SHARE_MIN: f64 = 0.1;

/// The fundamental's frequency in hertz, or `None` if nothing stands out.
pub(crate) fn frequency(samples: &[f64], rate_hz: f64) -> Option<f64> {
    let mut frequency_hz = coarse(samples, rate_hz)?;
    let length = samples.len() as f64;
    // The ladder: two cycles per window, the second one ever later.
    let mut shift = 0.5 * rate_hz / frequency_hz;
    loop {
        let window = 2.0 * rate_hz / frequency_hz;
        let shift_max = length - 1.0 - window;
        if shift_max < 0.25 * rate_hz / frequency_hz {
            return None;
        }
        let last = shift >= shift_max;
        shift = shift.min(shift_max);
        frequency_hz = refined(samples, rate_hz, frequency_hz, window, shift);
        if last {
            break;
        }
        shift *= 2.0;
    }
    // As many cycles per window as the recording has room for, against noise.
    for _ in 0..3 {
        let cycles = (length / 2.0 * frequency_hz / rate_hz).floor().max(2.0);
        let window = cycles * rate_hz / frequency_hz;
        frequency_hz = refined(samples, rate_hz, frequency_hz, window, length - 1.0 - window);
    }
    let sane = (0.9 * SLOWEST_HZ..1.1 * FASTEST_HZ).contains(&frequency_hz);
    (sane && length * frequency_hz / rate_hz >= CYCLES_MIN).then_some(frequency_hz)
}

/// The strongest frequency of the recording's beginning, on a grid.
fn coarse(samples: &[f64], rate_hz: f64) -> Option<f64> {
    let searched = &samples[..samples.len().min((SEARCH_S * rate_hz) as usize)];
    let thinning = ((rate_hz / SEARCH_RATE_HZ) as usize).max(1);
    let thinned: Vec<f64> = searched
        .chunks_exact(thinning)
        .map(|chunk| chunk.iter().sum::<f64>() / thinning as f64)
        .collect();
    let rate_hz = rate_hz / thinning as f64;
    let count = thinned.len() as f64;
    let mean = thinned.iter().sum::<f64>() / count;
    let swing: Vec<f64> = thinned.iter().map(|sample| sample - mean).collect();
    let power = swing.iter().map(|sample| sample * sample).sum::<f64>() / count;
    let step_hz = 0.125 * rate_hz / count;
    let fastest_hz = FASTEST_HZ.min(0.4 * rate_hz);
    let mut best = (0.0, None);
    let mut grid_hz = SLOWEST_HZ;
    while grid_hz <= fastest_hz {
        let strength = phasor(&swing, rate_hz, grid_hz, 0.0, count).norm_sqr();
        if strength > best.0 {
            best = (strength, Some(grid_hz));
        }
        grid_hz += step_hz;
    }
    // An amplitude A gives |phasor| = A/2, and A^2/2 is its share of the power.
    best.1.filter(|_| 2.0 * best.0 >= SHARE_MIN * power)
}

/// A better frequency from the phase advance between two windows, in samples.
fn refined(samples: &[f64], rate_hz: f64, frequency_hz: f64, window: f64, shift: f64) -> f64 {
    let early = phasor(samples, rate_hz, frequency_hz, 0.0, window);
    let late = phasor(samples, rate_hz, frequency_hz, shift, window);
    let advance = late * early.conj();
    frequency_hz + libm::atan2(advance.im, advance.re) / TAU * rate_hz / shift
}

/// Mean of the samples in a window times a counter-rotating unit, under a Hann weight. The phase
/// counts from sample 0 whatever the window's place.
fn phasor(samples: &[f64], rate_hz: f64, frequency_hz: f64, first: f64, length: f64) -> Complex64 {
    let begin = first.ceil().max(0.0) as usize;
    let end = ((first + length).floor() as usize + 1).min(samples.len());
    let per_sample = frequency_hz / rate_hz;
    let (mut turn, mut weight_turn) =
        (cis(-TAU * per_sample * begin as f64), cis(TAU * (begin as f64 - first) / length));
    let (turn_step, weight_step) = (cis(-TAU * per_sample), cis(TAU / length));
    let mut sum = Complex64::ZERO;
    for sample in samples.get(begin..end).unwrap_or_default() {
        // 1 - cos: a mean of one over the window.
        sum += turn * (sample * (1.0 - weight_turn.re));
        turn *= turn_step;
        weight_turn *= weight_step;
    }
    sum / length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frequency_hz: f64, rate_hz: f64, cycles: f64, limit_hz: f64) {
        let samples: Vec<f64> = (0..(cycles * rate_hz / frequency_hz) as usize)
            .map(|k| {
                let angle = TAU * frequency_hz * k as f64 / rate_hz;
                angle.cos() + 0.1 * (3.0 * angle + 1.0).cos() + 0.2 * (5.0 * angle).cos() + 0.05
            })
            .collect();
        let found = frequency(&samples, rate_hz).unwrap();
        assert!((found - frequency_hz).abs() < limit_hz, "{frequency_hz}: {found}");
    }

    #[test]
    fn the_frequency_is_found_among_harmonics_and_direct_component() {
        check(50.0, 50_000.0, 9.6, 1e-5);
        check(59.96, 50_000.0, 9.59, 1e-5);
        check(49.93, 6400.0, 100.0, 1e-6);
        check(60.0, 1200.0, 360.0, 1e-6);
        check(16.7, 10_000.0, 20.0, 1e-5);
        check(400.0, 20_000.0, 50.0, 1e-4);
        check(50.3, 12_800.0, 3.2, 0.01);
    }

    #[test]
    fn what_does_not_swing_has_no_frequency() {
        assert_eq!(frequency(&[], 1000.0), None);
        assert_eq!(frequency(&vec![1.0; 5000], 1000.0), None);
        assert_eq!(frequency(&[0.0; 50], 1000.0), None);
        let short: Vec<f64> = (0..40).map(|k| (TAU * 0.05 * f64::from(k)).cos()).collect();
        assert_eq!(frequency(&short, 1000.0), None, "two cycles are not enough");
    }
}
