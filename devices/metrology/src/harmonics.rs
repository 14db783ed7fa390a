//! Harmonics of a window: resampling to a power of two of points, then one real transform.
//!
//! IEC 61000-4-7: rectangular window of whole cycles, so every harmonic falls on a bin (bin
//! `cycles * h` is order h); a sub-group is the bin of the order with its two neighbours.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::kernel::{Kernel, REACH, TAPS};
use crate::window::{Harmonics, Phasor};

/// Highest order that is reported.
pub(crate) const ORDER_MAX: usize = 50;

/// Windows shorter than this many cycles have no bins between the harmonics to group.
const SUB_GROUP_CYCLES_MIN: u32 = 4;

/// A plan for windows of at most a given number of samples.
#[derive(Clone)]
pub(crate) struct Transform {
    plan: Arc<dyn RealToComplex<f64>>,
    /// The resampled points, one list per channel.
    points: Vec<Vec<f64>>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform").field("points", &self.plan.len()).finish_non_exhaustive()
    }
}

impl Transform {
    /// Points for a window of up to `samples` samples: a power of two with some room, so that
    /// what the interpolator leaves above the Nyquist frequency folds onto no harmonic; at least
    /// 2048, which hold order 50 of twelve cycles.
    pub(crate) fn new(samples: f64) -> Self {
        let points = ((samples * 1.08).ceil() as usize).next_power_of_two().max(2048);
        let plan = RealFftPlanner::new().plan_fft_forward(points);
        let bins = plan.make_output_vec();
        let scratch = plan.make_scratch_vec();
        Self { plan, points: Vec::new(), bins, scratch }
    }

    /// For each channel the RMS phasors of the bins 0..=`highest` of the window
    /// `start..start + length` of its slice, phases relative to the window's start. Bins at or
    /// above the Nyquist frequency are left out.
    pub(crate) fn bins(
        &mut self,
        kernel: &Kernel,
        channels: &[&[f64]],
        (start, length): (f64, f64),
        highest: usize,
    ) -> Vec<Vec<Phasor>> {
        self.resample(kernel, channels, start, length);
        let below = ((0.5 * length).ceil() as usize).saturating_sub(1);
        let scale = std::f64::consts::SQRT_2 / self.plan.len() as f64;
        let phasor = |(m, bin): (usize, &Complex<f64>)| {
            let unit = if m == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
            let gain = unit * scale / kernel.gain(m as f64 / length);
            Phasor { re: bin.re * gain, im: bin.im * gain }
        };
        let (plan, bins, scratch) = (&self.plan, &mut self.bins, &mut self.scratch);
        let transform = |points: &mut Vec<f64>| {
            // The lengths are the plan's own, so this cannot fail; were it to, the bins are zero.
            bins.fill(Complex::new(0.0, 0.0));
            let _ = plan.process_with_scratch(points, bins, scratch);
            bins.iter().take(highest.min(below) + 1).enumerate().map(phasor).collect()
        };
        self.points.iter_mut().take(channels.len()).map(transform).collect()
    }

    /// Fills in the points. All channels share the taps of a position.
    fn resample(&mut self, kernel: &Kernel, channels: &[&[f64]], start: f64, length: f64) {
        let count = self.plan.len();
        self.points.resize_with(self.points.len().max(channels.len()), || vec![0.0; count]);
        let step = length / count as f64;
        for k in 0..count {
            let position = start + step * k as f64;
            let whole = position as usize;
            let taps = kernel.taps(position - whole as f64);
            let first = (whole + 1).checked_sub(REACH);
            for (points, samples) in self.points.iter_mut().zip(channels) {
                let near = first.and_then(|first| samples.get(first..)?.first_chunk::<TAPS>());
                points[k] = near.map_or(0.0, |near| weigh(near, &taps));
            }
        }
    }
}

/// Sum of products of samples and taps, in a fixed order.
fn weigh(near: &[f64; TAPS], taps: &[f64; TAPS]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    for first in (0..TAPS).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += near[first + lane] * taps[first + lane];
        }
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// Orders and sub-groups from the bins of a window of `cycles` cycles.
pub(crate) fn group(bins: &[Phasor], cycles: u32) -> Harmonics {
    let cycles_per_window = cycles as usize;
    let square = |m: usize| bins[m].re * bins[m].re + bins[m].im * bins[m].im;
    let mut result = Harmonics::default();
    for order in 1..=ORDER_MAX {
        let centre = order * cycles_per_window;
        if centre + 1 >= bins.len() {
            break;
        }
        result.lines.push(bins[centre]);
        let mut sum = square(centre);
        if cycles >= SUB_GROUP_CYCLES_MIN {
            sum += square(centre - 1) + square(centre + 1);
        }
        result.sub_groups.push(sum.sqrt());
    }
    result
}
