//! A fundamental with its harmonics, fitted to samples by least squares.

use std::f64::consts::{PI, TAU};

use crate::numeric::{dot, oscillate};

/// Highest order that counts as harmonic and not as noise.
const ORDERS_MAX: usize = 13;

/// How far the frequency of a short run is looked for from what its turns give, relative.
const SEARCH_PART: f64 = 0.01;

/// The residue of each half cycle of a short run is at most this many times the usual one, and what
/// is below this part of the peak is usual.
const RESIDUE_RATIO_MAX: f64 = 3.0;
const RESIDUE_FLOOR: f64 = 5e-4;

/// A short run gives the frequency to within this part of it (standard deviation, of white noise).
const UNCERTAINTY_MAX: f64 = 2e-4;

/// How much the first or the last half cycle of a short run may change its frequency: this part of
/// it, or so many times the uncertainty.
const ENDS_MAX: f64 = 3e-4;
const ENDS_OF_UNCERTAINTY: f64 = 5.0;

/// Where the residue without that half cycle is more than this part of the whole one, and of that
/// without the other, the end is not what moves the frequency: an interharmonic is at both.
const ENDS_BETTER: f64 = 0.7;

/// A constant, a slope, and cosine and sine of each order over a stretch, at right angles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sines {
    frequency: f64,
    columns: Vec<Vec<f64>>,
}

impl Sines {
    /// Makes the columns for a frequency (cycles per sample), if they are those of another.
    pub(crate) fn prepare(&mut self, frequency: f64) {
        // Over two cycles the highest order is then off by some milliradians.
        if (frequency / self.frequency - 1.0).abs() < 2e-5 {
            return;
        }
        *self = Self::over((2.0 / frequency).round() as usize, frequency);
    }

    /// The columns of a number of samples.
    fn over(length: usize, frequency: f64) -> Self {
        let orders = ((0.45 / frequency) as usize).min(ORDERS_MAX).min(length / 3);
        let middle = 0.5 * (length as f64 - 1.0);
        let mut made = Self { frequency, columns: Vec::new() };
        made.add(vec![1.0; length]);
        made.add((0..length).map(|k| k as f64 - middle).collect());
        for order in 1..=orders {
            let (mut cos, mut sin) = (Vec::new(), Vec::new());
            oscillate(0.0, TAU * frequency * order as f64, length, &mut cos, &mut sin);
            made.add(cos);
            made.add(sin);
        }
        made
    }

    /// What the columns leave of samples, of which there are as many as in a column; and the peak
    /// of the fundamental.
    fn residue(&self, samples: &[f64]) -> (Vec<f64>, f64) {
        let mut left = samples.to_vec();
        let mut fundamental = 0.0;
        for (k, column) in self.columns.iter().enumerate() {
            let part = dot(samples, column);
            left.iter_mut().zip(column).for_each(|(x, y)| *x -= part * y);
            if k == 2 || k == 3 {
                fundamental += part * part;
            }
        }
        (left, (2.0 * fundamental / samples.len().max(1) as f64).sqrt())
    }

    /// How many numbers a fit by the columns has free.
    fn count(&self) -> usize {
        self.columns.len()
    }

    /// Adds what a column has that the others have not, at unit length.
    fn add(&mut self, mut column: Vec<f64>) {
        for other in &self.columns {
            let part = dot(&column, other);
            column.iter_mut().zip(other).for_each(|(x, y)| *x -= part * y);
        }
        let square = dot(&column, &column);
        if square > 1e-6 * column.len() as f64 {
            let scale = 1.0 / square.sqrt();
            for x in &mut column {
                *x *= scale;
            }
            self.columns.push(column);
        }
    }

    /// For a block that begins at a sample and has a level: the noise of a turn, if what the
    /// columns leave of the samples is white noise under the Hann window; and the fundamental's
    /// part of the power about mean and slope.
    pub(crate) fn rest(&self, samples: &[f64], first: usize, level: f64) -> (f64, f64) {
        let length = self.columns.first().map_or(0, Vec::len);
        let free = length.saturating_sub(self.columns.len());
        let end = (first + length).min(samples.len());
        let Some(x) = end.checked_sub(length).and_then(|first| samples.get(first..end)) else {
            return (f64::INFINITY, 0.0);
        };
        let total = dot(x, x);
        let (mut left, mut about, mut fundamental) = (total, total, 0.0);
        for (k, column) in self.columns.iter().enumerate() {
            let square = dot(x, column).powi(2);
            left -= square;
            match k {
                0 | 1 => about -= square,
                2 | 3 => fundamental += square,
                _ => {}
            }
        }
        let deviation = (left.max(0.0) / free.max(1) as f64).sqrt();
        let peak = 4.0 * level / length as f64;
        // The phase of a block has sqrt(3/n) of the deviation over the peak, its difference to the
        // next 0.826 times as much.
        let noise = 0.826 * (3.0 / length as f64).sqrt() * deviation / peak;
        // What is left of a constant by rounding is no power.
        let share = if about > 1e-20 * total { fundamental / about } else { 0.0 };
        (noise, share)
    }
}

/// The frequency (cycles per sample) of a few cycles by least squares, near `coarse`, if the fit is
/// as good in each half cycle as in the others, and good enough to determine it.
pub(crate) fn fit(samples: &[f64], start: f64, cycles: f64, coarse: f64) -> Option<f64> {
    let first = start.ceil() as usize;
    let end = ((start + cycles / coarse).ceil() as usize).min(samples.len());
    let samples = samples.get(first..end)?;
    let frequency = nearest(samples, coarse);
    let sines = Sines::over(samples.len(), frequency);
    let (left, peak) = sines.residue(samples);
    let free = left.len().checked_sub(sines.count()).filter(|free| *free > 0)? as f64;
    let part = (samples.len() as f64 / (2.0 * cycles)).round().max(1.0) as usize;
    let rms = |part: &[f64]| (dot(part, part) / part.len() as f64).sqrt();
    let mut parts: Vec<f64> = left.chunks_exact(part).map(rms).collect();
    parts.push(rms(&left[left.len().saturating_sub(part)..]));
    let most = parts.iter().copied().fold(0.0, f64::max);
    parts.sort_unstable_by(f64::total_cmp);
    let usual = parts[parts.len() / 2].max(RESIDUE_FLOOR * peak);
    let deviation = (dot(&left, &left) / free).sqrt();
    // The bound of Cramer and Rao for a sine of unknown phase.
    let uncertainty = (6.0 / left.len() as f64).sqrt() * deviation / peak / (cycles * PI);
    let is_inside = (frequency / coarse - 1.0).abs() < 0.9 * SEARCH_PART;
    if !is_inside || most > RESIDUE_RATIO_MAX * usual || uncertainty > UNCERTAINTY_MAX {
        return None;
    }
    // A fit bends towards what is different at an end, and fits far better without it.
    let without = |inner: &[f64]| {
        let found = nearest(inner, frequency);
        let sines = Sines::over(inner.len(), found);
        let (left, _) = sines.residue(inner);
        let free = left.len().saturating_sub(sines.count()).max(1) as f64;
        ((found / frequency - 1.0).abs(), (dot(&left, &left) / free).sqrt())
    };
    let ends = [without(&samples[part..]), without(&samples[..samples.len() - part])];
    let allowed = ENDS_MAX.max(ENDS_OF_UNCERTAINTY * uncertainty);
    let is_bent = |(change, left): (f64, f64), (_, other): (f64, f64)| {
        change > allowed && left < ENDS_BETTER * deviation.min(other)
    };
    let [first, last] = ends;
    (!is_bent(first, last) && !is_bent(last, first)).then_some(frequency)
}

/// The frequency near `coarse` that leaves the least of samples, with its harmonics.
fn nearest(samples: &[f64], coarse: f64) -> f64 {
    let explained = |frequency: f64| {
        let (left, _) = Sines::over(samples.len(), frequency).residue(samples);
        -dot(&left, &left)
    };
    golden(coarse * (1.0 - SEARCH_PART), coarse * (1.0 + SEARCH_PART), 24, explained)
}

/// Where a function with one maximum between `low` and `high` has it, to within 0.618 to the power
/// of so many steps of their distance.
pub(crate) fn golden(mut low: f64, mut high: f64, steps: u32, value: impl Fn(f64) -> f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - RATIO * (high - low), low + RATIO * (high - low));
    let (mut value_a, mut value_b) = (value(a), value(b));
    for _ in 0..steps {
        if value_a > value_b {
            (high, b, value_b) = (b, a, value_a);
            a = high - RATIO * (high - low);
            value_a = value(a);
        } else {
            (low, a, value_a) = (a, b, value_b);
            b = low + RATIO * (high - low);
            value_b = value(b);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles of 60 Hz at 7812.5 Hz that turn a little in the last of them.
    fn turned(cycles: f64, turn_deg: f64, last_cycles: f64) -> (Vec<f64>, f64) {
        let frequency = 60.0 / 7812.5;
        let count = (cycles / frequency) as usize;
        let mut seed = 3_u64;
        let value = |k: usize| {
            let at = k as f64 * frequency;
            let is_last = at > cycles - last_cycles;
            let turn = if is_last { turn_deg.to_radians() } else { 0.0 };
            // White noise of 0.15 %, by a fixed rule.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = 5e-3 * ((seed >> 33) as f64 / 2f64.powi(31) - 0.5);
            32_000.0 * ((TAU * at + 0.4 + turn).cos() + noise)
        };
        ((0..count).map(value).collect(), frequency)
    }

    #[test]
    fn a_short_run_does_not_follow_what_turns_at_one_of_its_ends() {
        for cycles in [3.0, 4.0, 6.0] {
            let (samples, frequency) = turned(cycles, 0.0, 0.4);
            let found = fit(&samples, 0.0, cycles, frequency * 1.001);
            let off = found.map(|found| (found / frequency - 1.0).abs());
            assert!(off.is_some_and(|off| off < 3e-4), "{cycles}: {off:?}");
            for turn_deg in [1.5, -1.5, 2.0, -2.0, 2.5, 4.0, -6.0] {
                let (mut samples, frequency) = turned(cycles, turn_deg, 0.4);
                for at in ["its end", "its beginning"] {
                    let found = fit(&samples, 0.0, cycles, frequency);
                    let off = found.map_or(0.0, |found| (found / frequency - 1.0).abs());
                    assert!(off < 3.4e-4, "{cycles} cycles, {turn_deg} at {at}: {off}");
                    samples.reverse();
                }
            }
        }
    }
}
