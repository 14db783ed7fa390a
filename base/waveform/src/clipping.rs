//! Clipped channels: those that hold an extreme where they should have gone on.
//!
//! Watches samples as they were recorded, before anything is moved or filled in: resampling rounds
//! the corners off. A channel at rest is not clipped: a rectified current lies flat at zero.

/// Samples in a row at an extreme from which on it may be clipping.
const RUN_MIN: u32 = 3;

/// A parabola as steep as the signal enters the run would have risen by this many of the smallest
/// steps the channel ever takes: more than a rounded peak.
const RISE_STEPS_MIN: f64 = 3.0;

/// Runs at the same extreme that make it a habit; one will do where it misses this many steps.
const RUNS_MIN: u64 = 2;
const RISE_STEPS_OF_ONE_MIN: f64 = 8.0;

/// The signal leaves the run with at least this part of the slope that it has entered it with:
/// what stays where it is has come to rest.
const EXIT_SLOPE_PART_MIN: f64 = 0.2;

/// An extreme below this part of the other one is zero, give or take an offset.
const ZERO_PART_MAX: f64 = 0.02;

/// A level at which a channel is clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipping {
    /// The level, in the channel's unit.
    pub level: f64,
    /// How often the channel stays there.
    pub times: u64,
    /// Where it does so first, and last: the first sample of each run, counted from 0 as they stand
    /// in the file.
    pub first_sample: u64,
    /// See `first_sample`.
    pub last_sample: u64,
}

/// A run at the extreme.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    length: u32,
    slope: f64,
}

/// Watches one extreme; the lowest is the highest of the negated samples.
#[derive(Clone, Copy, Debug)]
struct Side {
    extreme: f64,
    run: Option<Run>,
    /// A run that has ended, and the sample after it.
    ended: Option<(Run, f64)>,
    times: u64,
    first: u64,
    last: u64,
    /// The most that a run has missed.
    missed: f64,
}

impl Side {
    const NONE: Self = Self {
        extreme: f64::NEG_INFINITY,
        run: None,
        ended: None,
        times: 0,
        first: 0,
        last: 0,
        missed: 0.0,
    };

    fn take(&mut self, x: f64, at: u64, slope: f64, step: f64) {
        if let Some((run, after)) = self.ended.take()
            && after - x >= EXIT_SLOPE_PART_MIN * run.slope
        {
            self.count(run, step);
        }
        if x > self.extreme {
            *self = Self { extreme: x, ..Self::NONE };
        }
        if x < self.extreme {
            self.ended = self.run.take().map(|run| (run, x));
        } else {
            self.run.get_or_insert(Run { first: at, length: 0, slope }).length += 1;
        }
    }

    fn count(&mut self, run: Run, step: f64) {
        let missed = 0.25 * run.slope * f64::from(run.length);
        if run.length >= RUN_MIN && missed > RISE_STEPS_MIN * step {
            if self.times == 0 {
                self.first = run.first;
            }
            self.last = run.first;
            self.times += 1;
            self.missed = self.missed.max(missed);
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ClipWatch {
    high: Side,
    low: Side,
    before: [f64; 2],
    step: f64,
    at: u64,
}

impl Default for ClipWatch {
    fn default() -> Self {
        let before = [f64::NAN; 2];
        Self { high: Side::NONE, low: Side::NONE, before, step: f64::INFINITY, at: 0 }
    }
}

impl ClipWatch {
    /// Takes the next samples; those that are missing are no numbers.
    pub(crate) fn take(&mut self, samples: &[f64]) {
        for &x in samples {
            if x.is_finite() {
                self.take_one(x);
            } else {
                for side in [&mut self.high, &mut self.low] {
                    (side.run, side.ended) = (None, None);
                }
                self.before = [f64::NAN; 2];
            }
            self.at += 1;
        }
    }

    fn take_one(&mut self, x: f64) {
        let [one, two] = self.before;
        let step = (x - one).abs();
        if step > 0.0 {
            self.step = self.step.min(step);
        }
        // Before the first samples there is no slope.
        let slope = if two.is_finite() { one - two } else { 0.0 };
        self.high.take(x, self.at, slope, self.step);
        self.low.take(-x, self.at, -slope, self.step);
        self.before = [x, one];
    }

    /// The levels at which the channel is clipped, the lower first.
    pub(crate) fn clipped(&self) -> Vec<Clipping> {
        let largest = self.high.extreme.abs().max(self.low.extreme.abs());
        let of = |side: &Side, sign: f64| {
            let often = side.times >= RUNS_MIN
                || (side.times > 0 && side.missed > RISE_STEPS_OF_ONE_MIN * self.step);
            let is_rest = side.extreme.abs() <= ZERO_PART_MAX * largest;
            (often && !is_rest).then_some(Clipping {
                level: sign * side.extreme,
                times: side.times,
                first_sample: side.first,
                last_sample: side.last,
            })
        };
        [of(&self.low, -1.0), of(&self.high, 1.0)].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn watched(samples: impl Iterator<Item = f64>) -> Vec<Clipping> {
        let mut watch = ClipWatch::default();
        samples.for_each(|x| watch.take(&[x]));
        watch.clipped()
    }

    fn sine(rate: f64) -> impl Iterator<Item = f64> {
        (0..20_000).map(move |k| 325.0 * (TAU * 50.0 * f64::from(k) / rate).sin())
    }

    const LSB: f64 = 650.0 / 4096.0;

    fn rounded(x: f64) -> f64 {
        (x / LSB).round() * LSB
    }

    #[test]
    fn a_cut_sine_is_clipped_and_a_whole_or_rounded_one_is_not() {
        for rate in [6400.0, 7812.5, 50_000.0] {
            assert_eq!(watched(sine(rate)), [], "{rate}");
            assert_eq!(watched(sine(rate).map(rounded)), [], "{rate}");
            for level in [320.0, 200.0] {
                let found = watched(sine(rate).map(|x| x.clamp(-400.0, level)));
                let [clipping] = found[..] else { panic!("{found:?}") };
                assert_eq!(clipping.level, level);
                // Once in each cycle, from the first quarter on.
                let cycles = (20_000.0 / (rate / 50.0)) as u64;
                assert!((cycles - 1..=cycles + 1).contains(&clipping.times), "{clipping:?}");
                let first = (level / 325.0).asin() / TAU * rate / 50.0;
                assert_eq!(clipping.first_sample, first.ceil() as u64);
                let found = watched(sine(rate).map(|x| rounded(x).max(-level)));
                assert_eq!(found.iter().map(|c| c.level).collect::<Vec<_>>(), [-level]);
                let found = watched(sine(rate).map(|x| x.clamp(-level, level)));
                assert_eq!(found.iter().map(|c| c.level).collect::<Vec<_>>(), [-level, level]);
            }
        }
    }

    #[test]
    fn one_peak_that_is_clipped_is_enough() {
        // A fault current with a direct component, on a converter that ends at 2000 steps.
        let current = (0..2000).map(|k| {
            let t = f64::from(k) / 4000.0;
            let fault = if t < 0.1 { 0.0 } else { 1500.0 * (-(t - 0.1) / 0.008).exp() };
            (1600.0 * (TAU * 50.0 * t - 0.3).sin() + fault).round().clamp(-2000.0, 2000.0)
        });
        let found = watched(current);
        let [clipping] = found[..] else { panic!("{found:?}") };
        assert_eq!((clipping.level, clipping.times), (2000.0, 1), "{clipping:?}");
        assert!((400..420).contains(&clipping.first_sample), "{clipping:?}");
    }

    #[test]
    fn a_flat_at_rest_is_not_clipped() {
        let rate = 6400.0;
        // Half-wave rectified, either way round, with and without an offset of some steps.
        for offset in [0.0, 3.0 * LSB, -2.0 * LSB] {
            for sign in [1.0, -1.0] {
                let half = sine(rate).map(|x| rounded(sign * x.max(0.0) + offset));
                assert_eq!(watched(half), [], "{offset} {sign}");
            }
        }
        // Phase-fired at 90 degrees; a square wave, which jumps.
        let fired = sine(rate).scan(0.0, |before, x| {
            let fires = x * (x - *before) < 0.0;
            *before = x;
            Some(if fires { x } else { 0.0 })
        });
        assert_eq!(watched(fired), []);
        assert_eq!(watched(sine(rate).map(f64::signum)), []);
        // A line that is switched off at the peak of its voltage and keeps the charge.
        let trapped =
            (0..20_000).map(|k| 325.0 * (TAU * 50.0 * f64::from(k.min(3237)) / rate).sin());
        assert_eq!(watched(trapped), []);
        assert_eq!(watched(std::iter::repeat_n(0.0, 1000)), []);
        assert_eq!(watched(std::iter::repeat_n(7.0, 1000)), []);
        assert_eq!(watched(std::iter::empty()), []);
    }

    #[test]
    fn what_is_missing_is_neither_flat_nor_steep() {
        let gap = |k: u32| (700..900).contains(&k);
        let with_gap = (0..).zip(sine(6400.0)).map(|(k, x)| if gap(k) { f64::NAN } else { x });
        assert_eq!(watched(with_gap), []);
    }
}
