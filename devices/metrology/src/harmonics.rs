//! Harmonics of a window: resampling to a power of two of points, then one real transform.
//!
//! IEC 61000-4-7: rectangular window of whole cycles, so every harmonic falls on a bin (bin
//! `cycles * h` is order h); a sub-group is the bin of the order with its two neighbours.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::kernel::{Kernel, REACH, TAPS};
use crate::numeric::dot;
use crate::window::{Harmonics, Phasor};

/// Highest order that is reported.
pub(crate) const ORDER_MAX: usize = 50;

/// Windows shorter than this many cycles have no bins between the harmonics to group.
const SUB_GROUP_CYCLES_MIN: u32 = 4;

/// A plan for windows of at most a given number of samples.
#[derive(Clone)]
pub(crate) struct Transform {
    plan: Arc<dyn RealToComplex<f64>>,
    points: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform").field("points", &self.points.len()).finish_non_exhaustive()
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
        Self { plan, points: vec![0.0; points], bins, scratch }
    }

    /// RMS phasors of the bins 0..=`highest` of the window `start..start + length` of a slice,
    /// phases relative to its start. Bins at or above the Nyquist frequency are left out.
    pub(crate) fn bins(
        &mut self,
        kernel: &Kernel,
        samples: &[f64],
        start: f64,
        length: f64,
        highest: usize,
    ) -> Vec<Phasor> {
        let count = self.points.len();
        let step = length / count as f64;
        for (k, point) in self.points.iter_mut().enumerate() {
            let position = start + step * k as f64;
            let whole = position as usize;
            let taps = kernel.taps(position - whole as f64);
            let near = (whole + 1).checked_sub(REACH).and_then(|f| samples.get(f..f + TAPS));
            *point = near.map_or(0.0, |near| dot(near, &taps));
        }
        // The lengths are the plan's own, so this cannot fail; were it to, the bins stay zero.
        self.bins.fill(Complex::new(0.0, 0.0));
        let _ = self.plan.process_with_scratch(&mut self.points, &mut self.bins, &mut self.scratch);
        let below = ((0.5 * length).ceil() as usize).saturating_sub(1);
        let scale = std::f64::consts::SQRT_2 / count as f64;
        self.bins
            .iter()
            .take(highest.min(below) + 1)
            .enumerate()
            .map(|(m, bin)| {
                let unit = if m == 0 { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
                let gain = unit * scale / kernel.gain(m as f64 / length);
                Phasor { re: bin.re * gain, im: bin.im * gain }
            })
            .collect()
    }
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
