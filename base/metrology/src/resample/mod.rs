//! A window's waveform at other instants than the samples': a given number of points per window.
//!
//! [`Resampling::Sinc`] is the default; [`Resampling::Linear`] is the method of the published
//! meter, kept so that what it costs can be seen.

pub(crate) mod kernel;
pub(crate) mod synchronous;

use std::sync::Arc;

use multiversion::multiversion;

use crate::rows::Rows;
use crate::window::ORDER_MAX;
use kernel::{Kernel, Shape};

/// How values between the samples are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resampling {
    /// A straight line between two neighbours, taken as it comes: loses high orders,
    /// and what lies above half the points per second folds back.
    Linear,
    /// A windowed sinc, as long as the rate and the number of points ask for. Stops what would fold
    /// back; its own droop is known and taken out.
    #[default]
    Sinc,
}

/// Finds points of windows.
#[derive(Clone, Debug)]
pub(crate) struct Resampler {
    method: Resampling,
    kernel: Arc<Kernel>,
}

/// What a resampler must leave as it is, and what it must not let through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// Cycles per window.
    pub(crate) cycles: u32,
    /// Points per window.
    pub(crate) points: usize,
    /// Lowest and highest fundamental to be expected, in cycles per sample.
    pub(crate) range: (f64, f64),
}

impl Resampler {
    /// One that keeps everything up to the Nyquist frequency, for any number of points above it.
    pub(crate) fn full_band() -> Self {
        Self::with(Resampling::Sinc, Arc::clone(Kernel::full_band()))
    }

    /// One for the orders that are reported.
    pub(crate) fn new(method: Resampling, demand: Demand) -> Self {
        Self::with(method, Kernel::of(demand.shape()))
    }

    fn with(method: Resampling, kernel: Arc<Kernel>) -> Self {
        Self { method, kernel }
    }

    /// Samples needed on either side of a window.
    pub(crate) fn reach(&self) -> usize {
        self.kernel.reach()
    }

    /// The gain that is to be taken out of a spectrum, at a frequency in cycles per sample.
    pub(crate) fn gain(&self, frequency: f64) -> f64 {
        match self.method {
            Resampling::Linear => 1.0,
            Resampling::Sinc => self.kernel.gain(frequency),
        }
    }

    /// Fills in one row per point of a window: point k lies `start + k step` samples past the first
    /// sample of the channels, of which there are at most `W`; lanes without one are left over.
    pub(crate) fn fill<const W: usize>(
        &self,
        channels: &[&[f64]],
        (start, step): (f64, f64),
        memory: &mut Rows,
        points: &mut [[f64; W]],
    ) {
        let count = channels.first().map_or(0, |channel| channel.len());
        for (k, points) in points.chunks_mut(POINTS_TOGETHER).enumerate() {
            let place = Place { start, step, first: k * POINTS_TOGETHER };
            // One more on either side than the taps reach.
            let (from, to) = (place.position(0), place.position(points.len() - 1));
            let to = (to as usize).saturating_add(self.reach() + 2).min(count);
            let first = (from as usize).saturating_sub(self.reach()).min(to);
            let rows: &mut [[f64; W]] = memory.rows(to - first);
            side_by_side(channels, first, rows);
            let near = Near { rows, first };
            match self.method {
                Resampling::Linear => linear(near, place, points),
                Resampling::Sinc => sinc(&self.kernel, near, place, points),
            }
        }
    }
}

/// Points that are found at a time: their samples stay in the nearest cache from when they are put
/// side by side. Whole blocks of [`weigh`].
const POINTS_TOGETHER: usize = 256;

/// Where points lie: one after another, `step` samples apart.
#[derive(Clone, Copy)]
struct Place {
    start: f64,
    step: f64,
    /// Points before the first one.
    first: usize,
}

impl Place {
    #[inline]
    fn position(&self, point: usize) -> f64 {
        self.start + self.step * (self.first + point) as f64
    }
}

/// Samples side by side, from the sample `first` on.
#[derive(Clone, Copy)]
struct Near<'a, const W: usize> {
    rows: &'a [[f64; W]],
    first: usize,
}

impl<'a, const W: usize> Near<'a, W> {
    /// The rows from a sample on; `None` beyond those that are there.
    #[inline]
    fn from(self, sample: usize) -> Option<&'a [[f64; W]]> {
        self.rows.get(sample.checked_sub(self.first)?..)
    }
}

impl Demand {
    /// A kernel that is flat for the orders of interest and stops what would fold onto them.
    fn shape(self) -> Shape {
        let Self { cycles, points, range: (low, high) } = self;
        let cycles = f64::from(cycles);
        // One order more than is reported, for the interharmonics above the last.
        let highest = (ORDER_MAX as f64 + 1.0).min((0.5 * points as f64 - 1.0) / cycles).max(1.0);
        let pass = highest * high;
        let folds = low * (points as f64 / cycles - highest);
        let stop = folds.min(1.0 - pass);
        if stop >= 0.5 && stop - pass < 0.244 {
            return Shape::FULL_BAND;
        }
        // The work is that of 32 taps per sample at most.
        let samples = cycles / low / points as f64;
        let taps_max = (32.0 * samples.max(1.0)).min(65_536.0) as usize;
        Shape::between(pass, stop, taps_max.next_multiple_of(4))
    }
}

/// Rows of channels side by side, from a sample on, from channels one after another.
fn side_by_side<const W: usize>(channels: &[&[f64]], first: usize, rows: &mut [[f64; W]]) {
    for (lane, channel) in channels.iter().take(W).enumerate() {
        let samples = channel.get(first..).unwrap_or(&[]);
        for (row, sample) in rows.iter_mut().zip(samples) {
            row[lane] = *sample;
        }
    }
}

/// The published method, equations (6) and (7).
#[multiversion(targets = "simd")]
fn linear<const W: usize>(samples: Near<'_, W>, place: Place, points: &mut [[f64; W]]) {
    for (k, point) in points.iter_mut().enumerate() {
        let position = place.position(k);
        let whole = position as usize;
        let fraction = position - whole as f64;
        match samples.from(whole).and_then(|near| near.first_chunk::<2>()) {
            Some([before, after]) => {
                for lane in 0..W {
                    point[lane] = before[lane] + fraction * (after[lane] - before[lane]);
                }
            }
            None => *point = [0.0; W],
        }
    }
}

/// Bits of a position within a block of points that are below a sample.
const FRACTION_BITS: u32 = 44;

/// Samples from one point to the next for which a block's positions fit into an integer.
const STEP_MAX: f64 = 1024.0;

/// Positions below which this is so.
const POSITION_MAX: f64 = 1e15;

/// Interpolates by a kernel: the usual lengths have code of their own.
fn sinc<const W: usize>(
    kernel: &Kernel,
    samples: Near<'_, W>,
    place: Place,
    points: &mut [[f64; W]],
) {
    let is_ordinary = place.start.abs() < POSITION_MAX && (0.0..STEP_MAX).contains(&place.step);
    match kernel.taps() {
        _ if !is_ordinary => weigh_any(kernel, samples, place, points),
        12 => weigh::<W, 12>(kernel, samples, place, points),
        14 => weigh::<W, 14>(kernel, samples, place, points),
        16 => weigh::<W, 16>(kernel, samples, place, points),
        20 => weigh::<W, 20>(kernel, samples, place, points),
        24 => weigh::<W, 24>(kernel, samples, place, points),
        28 => weigh::<W, 28>(kernel, samples, place, points),
        32 => weigh::<W, 32>(kernel, samples, place, points),
        _ => weigh_any(kernel, samples, place, points),
    }
}

/// All channels share the taps of a position; each sums in the order of the samples. The taps of
/// some positions are made first, several taps at a time, and then used.
#[multiversion(targets = "simd")]
fn weigh<const W: usize, const TAPS: usize>(
    kernel: &Kernel,
    samples: Near<'_, W>,
    place: Place,
    points: &mut [[f64; W]],
) {
    const BLOCK: usize = 32;
    // Positions within a block are whole multiples of this part of a sample: integers are cut into
    // sample, row and rest by shifts.
    const ONE: f64 = (1_u64 << FRACTION_BITS) as f64;
    let rest_bits = FRACTION_BITS - kernel.phases().ilog2();
    let rest_scale = 1.0 / (1_u64 << rest_bits) as f64;
    let step_part = (place.step * ONE) as i64;
    let mut taps = [[0.0; TAPS]; BLOCK];
    let mut firsts = [0; BLOCK];
    for (block, points) in points.chunks_mut(BLOCK).enumerate() {
        let position = place.position(block * BLOCK);
        let whole = position as i64;
        let part = ((position - whole as f64) * ONE) as i64;
        for (k, (taps, first)) in taps.iter_mut().zip(&mut firsts).enumerate() {
            let place = part + k as i64 * step_part;
            *first = whole + (place >> FRACTION_BITS) + 1 - TAPS as i64 / 2;
            let fraction = place & ((1 << FRACTION_BITS) - 1);
            let mu = (fraction & ((1 << rest_bits) - 1)) as f64 * rest_scale;
            if let Some((low, high)) = kernel.two_rows((fraction >> rest_bits) as usize) {
                *taps = blend::<TAPS>(low, high, mu);
            }
        }
        for ((point, taps), first) in points.iter_mut().zip(&taps).zip(&firsts) {
            let first = usize::try_from(*first).unwrap_or(usize::MAX);
            let near = samples.from(first).and_then(|near| near.first_chunk::<TAPS>());
            let Some(near) = near else {
                *point = [0.0; W];
                continue;
            };
            let (mut even, mut odd) = ([0.0; W], [0.0; W]);
            for pair in 0..TAPS / 2 {
                for lane in 0..W {
                    even[lane] += taps[2 * pair] * near[2 * pair][lane];
                    odd[lane] += taps[2 * pair + 1] * near[2 * pair + 1][lane];
                }
            }
            for lane in 0..W {
                point[lane] = even[lane] + odd[lane];
            }
        }
    }
}

/// Taps between two rows of them.
#[inline]
fn blend<const TAPS: usize>(low: &[f64; TAPS], high: &[f64; TAPS], mu: f64) -> [f64; TAPS] {
    std::array::from_fn(|tap| low[tap] + mu * (high[tap] - low[tap]))
}

/// The same for any even number of taps.
#[multiversion(targets = "simd")]
fn weigh_any<const W: usize>(
    kernel: &Kernel,
    samples: Near<'_, W>,
    place: Place,
    points: &mut [[f64; W]],
) {
    for (k, point) in points.iter_mut().enumerate() {
        let position = place.position(k);
        let whole = position as usize;
        let first = whole.saturating_add(1).checked_sub(kernel.reach());
        let near = first.and_then(|first| samples.from(first)?.get(..kernel.taps()));
        let Some(near) = near else {
            *point = [0.0; W];
            continue;
        };
        let (low, high, mu) = kernel.rows(position - whole as f64);
        let (mut even, mut odd) = ([0.0; W], [0.0; W]);
        let rows = low.chunks_exact(2).zip(high.chunks_exact(2));
        for ((low, high), near) in rows.zip(near.chunks_exact(2)) {
            for lane in 0..W {
                even[lane] += (low[0] + mu * (high[0] - low[0])) * near[0][lane];
                odd[lane] += (low[1] + mu * (high[1] - low[1])) * near[1][lane];
            }
        }
        for lane in 0..W {
            point[lane] = even[lane] + odd[lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_is_what_plain_code_makes_of_its_channel_to_the_last_bit() {
        let value = |k: usize, lane: usize| libm::sin((k * (lane + 3)) as f64 * 0.37) * 300.0;
        let channels: [Vec<f64>; 8] =
            std::array::from_fn(|lane| (0..900).map(|k| value(k, lane)).collect());
        let channels = channels.each_ref().map(Vec::as_slice);
        let place = (40.283, 0.976_5);
        for demand in [(0.147, 0.757), (0.25, 0.75), (0.059, 0.303)] {
            let kernel = Kernel::of(Shape::between(demand.0, demand.1, 32));
            let resampler = Resampler::with(Resampling::Sinc, Arc::clone(&kernel));
            let mut points = vec![[0.0; 8]; 800];
            resampler.fill(&channels, place, &mut Rows::default(), &mut points);
            let mut plain = vec![[0.0; 1]; 800];
            for (lane, samples) in channels.iter().enumerate() {
                resampler.fill(&[*samples], place, &mut Rows::default(), &mut plain);
                for (k, (point, plain)) in points.iter().zip(&plain).enumerate() {
                    assert_eq!(point[lane].to_bits(), plain[0].to_bits(), "{k} {lane}");
                    let position = place.0 + place.1 * k as f64;
                    let slow = if lane == 5 { kernel.value(samples, position) } else { plain[0] };
                    assert!((slow - plain[0]).abs() < 1e-9, "{k}: {slow} {}", plain[0]);
                }
            }
        }
    }

    #[test]
    fn positions_outside_the_samples_are_zero_and_no_panic() {
        for method in [Resampling::Linear, Resampling::Sinc] {
            let demand = Demand { cycles: 10, points: 4096, range: (0.002_1, 0.002_9) };
            let resampler = Resampler::new(method, demand);
            for place in [(-50.0, 0.1), (1e18, 1.0), (5.0, 1e300), (1e300, 1e10)] {
                let mut points = [[1.0; 2]; 40];
                let memory = &mut Rows::default();
                resampler.fill(&[&[3.0; 3], &[3.0; 3]], place, memory, &mut points);
                let is_before = place.0 < 0.0 && method == Resampling::Linear;
                assert!(is_before || points == [[0.0; 2]; 40], "{method:?} {place:?}");
            }
            for place in [(f64::NAN, 1.0), (5.0, f64::NAN), (f64::INFINITY, -1e300)] {
                let memory = &mut Rows::default();
                resampler.fill(&[&[3.0; 3], &[3.0; 3]], place, memory, &mut [[1.0; 2]; 40]);
            }
        }
    }
}
