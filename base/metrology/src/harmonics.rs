//! Harmonics of a window: resampling to a power of two of points, then one real transform.
//!
//! IEC 61000-4-7: rectangular window of whole cycles, so every harmonic falls on a bin (bin
//! `cycles * h` is order h); groups and sub-groups gather the bins around it, their interharmonic
//! counterparts those between.

use crate::fft::{Pair, RealFft, Spare};
use crate::resample::Resampler;
use crate::rows::Rows;
use crate::window::{Harmonics, ORDER_MAX, Phasor};

/// Windows shorter than this many cycles have no bins between the harmonics to group.
const GROUP_CYCLES_MIN: u32 = 4;

/// Bins that are handed out at a time.
const BINS_TOGETHER: usize = 64;

/// Working memory for some channels side by side.
#[derive(Clone, Debug, Default)]
struct Lanes {
    samples: Rows,
    points: Rows,
    spare: Spare,
    bins: Rows,
}

/// A plan for windows of one number of points.
#[derive(Clone, Debug)]
pub(crate) struct Transform {
    resampler: Resampler,
    fft: RealFft,
    /// One over the resampler's gain at each bin.
    gains: Vec<f64>,
    lanes: Lanes,
}

impl Transform {
    /// Windows of a number of points, a power of two.
    pub(crate) fn new(points: usize, resampler: Resampler) -> Self {
        Self { resampler, fft: RealFft::new(points), gains: Vec::new(), lanes: Lanes::default() }
    }

    /// Points for everything there is in a stretch of `samples` samples: a power of two with some
    /// room, so that what the interpolator leaves above the Nyquist frequency folds onto no line.
    pub(crate) fn full_band(samples: f64) -> Self {
        let points = ((samples * 1.08).ceil() as usize).next_power_of_two().max(2048);
        Self::new(points, Resampler::full_band())
    }

    /// For each channel the RMS phasors of the bins 0..=`highest` of the window
    /// `start..start + length` of its slice, phases relative to the window's start. Bins at or
    /// above the Nyquist frequency, of the samples or of the points, are left out.
    pub(crate) fn bins(
        &mut self,
        channels: &[&[f64]],
        (start, length): (f64, f64),
        highest: usize,
    ) -> Vec<Vec<Phasor>> {
        let below = ((0.5 * length).ceil() as usize).saturating_sub(1);
        let count = (highest.min(below) + 1).min(self.fft.points() / 2);
        self.gains.clear();
        let gain = |m: usize| 1.0 / self.resampler.gain(m as f64 / length);
        self.gains.extend((0..count).map(gain));
        let step = length / self.fft.points() as f64;
        let plan = (&self.resampler, &self.fft, self.gains.as_slice());
        let mut phasors = Vec::with_capacity(channels.len());
        for channels in channels.chunks(8) {
            match channels.len() {
                1 | 2 => self.lanes.bins::<2>(plan, channels, (start, step), &mut phasors),
                3 | 4 => self.lanes.bins::<4>(plan, channels, (start, step), &mut phasors),
                _ => self.lanes.bins::<8>(plan, channels, (start, step), &mut phasors),
            }
        }
        phasors
    }
}

impl Lanes {
    /// Adds the bins of some channels.
    fn bins<const W: usize>(
        &mut self,
        (resampler, fft, gains): (&Resampler, &RealFft, &[f64]),
        channels: &[&[f64]],
        place: (f64, f64),
        phasors: &mut Vec<Vec<Phasor>>,
    ) {
        let points: &mut [Pair<W>] = self.points.pairs(fft.points() / 2);
        let bins: &mut [Pair<W>] = self.bins.pairs(gains.len());
        resampler.fill(channels, place, &mut self.samples, points.as_flattened_mut());
        fft.transform(points, &mut self.spare, bins);
        // Some bins of all channels after another: rows are read from the nearest cache but once.
        let first = phasors.len();
        phasors.resize_with(first + channels.len(), || Vec::with_capacity(gains.len()));
        for (bins, gains) in bins.chunks(BINS_TOGETHER).zip(gains.chunks(BINS_TOGETHER)) {
            for (lane, phasors) in phasors[first..].iter_mut().enumerate() {
                let phasor = |(bin, gain): (&Pair<W>, &f64)| Phasor {
                    re: bin[0][lane] * gain,
                    im: bin[1][lane] * gain,
                };
                phasors.extend(bins.iter().zip(gains).map(phasor));
            }
        }
    }
}

/// Orders, groups and interharmonics from the bins of a window of `cycles` cycles.
pub(crate) fn group(bins: &[Phasor], cycles: u32) -> Harmonics {
    let step = cycles as usize;
    let squares: Vec<f64> = bins.iter().map(|bin| bin.re * bin.re + bin.im * bin.im).collect();
    let orders = (bins.len().saturating_sub(2) / step).min(ORDER_MAX);
    let sum = |from: usize, to: usize| squares[from..=to].iter().sum::<f64>();
    let mut result = Harmonics {
        lines: (1..=orders).map(|order| bins[order * step]).collect(),
        ..Harmonics::default()
    };
    if cycles < GROUP_CYCLES_MIN {
        result.sub_groups = result.lines.iter().map(|line| line.rms()).collect();
        result.groups.clone_from(&result.sub_groups);
        return result;
    }
    let centres = (1..=orders).map(|order| order * step);
    result.sub_groups = centres.clone().map(|at| sum(at - 1, at + 1).sqrt()).collect();
    // Of an even number of cycles the bins half-way between two orders are shared, half and half.
    let half = step / 2;
    let shared = |at: usize| {
        let outer = squares[at - half] + squares[at + half];
        if step.is_multiple_of(2) { 0.5 * outer } else { outer }
    };
    result.groups = centres
        .take_while(|at| at + half < squares.len())
        .map(|at| (sum(at - half + 1, at + half - 1) + shared(at)).sqrt())
        .collect();
    let gaps = (0..=orders).map(|order| order * step).take_while(|at| at + step <= squares.len());
    result.interharmonic_groups =
        gaps.clone().map(|at| sum(at + 1, at + step - 1).sqrt()).collect();
    result.interharmonic_sub_groups = gaps.map(|at| sum(at + 2, at + step - 2).sqrt()).collect();
    result
}
