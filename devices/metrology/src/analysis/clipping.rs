//! Telling a clipped channel: one that holds its extreme where it should have gone on.

/// Samples in a row at an extreme from which on it may be clipping.
const RUN_MIN: u32 = 3;

/// Runs at the same extreme that make it a habit.
const RUNS_MIN: u32 = 2;

/// A parabola as steep as the signal enters the run would have risen by this many of the
/// smallest steps the channel ever takes: more than a rounded peak.
const STEPS: f64 = 3.0;

/// Watches one extreme; the lowest is the highest of the negated samples.
#[derive(Clone, Copy, Debug)]
struct Side {
    extreme: f64,
    run: u32,
    slope: f64,
    runs: u32,
}

impl Side {
    const NONE: Self = Self { extreme: f64::NEG_INFINITY, run: 0, slope: 0.0, runs: 0 };

    fn take(&mut self, x: f64, before: [f64; 2], step: f64) {
        if x > self.extreme {
            *self = Self { extreme: x, run: 1, slope: before[0] - before[1], runs: 0 };
        } else if x < self.extreme {
            self.end_run(step);
        } else if self.run > 0 {
            self.run += 1;
        } else {
            (self.run, self.slope) = (1, before[0] - before[1]);
        }
    }

    fn end_run(&mut self, step: f64) {
        let missed = 0.25 * self.slope * f64::from(self.run);
        if self.run >= RUN_MIN && missed > STEPS * step {
            self.runs += 1;
        }
        self.run = 0;
    }
}

/// Watches one channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClipWatch {
    high: Side,
    low: Side,
    before: [f64; 2],
    step: f64,
}

impl Default for ClipWatch {
    fn default() -> Self {
        Self { high: Side::NONE, low: Side::NONE, before: [0.0; 2], step: f64::INFINITY }
    }
}

impl ClipWatch {
    /// Takes the next samples.
    pub(super) fn push(&mut self, samples: &[f64]) {
        for x in samples {
            let step = (x - self.before[0]).abs();
            if step > 0.0 {
                self.step = self.step.min(step);
            }
            let [one, two] = self.before;
            self.high.take(*x, [one, two], self.step);
            self.low.take(-x, [-one, -two], self.step);
            self.before = [*x, one];
        }
    }

    /// The level at which the channel is clipped, and how often it was.
    pub(super) fn clipped(&self) -> Option<(f64, u32)> {
        let (high, low) = (self.high, self.low);
        let worse = if high.runs >= low.runs {
            (high.extreme, high.runs)
        } else {
            (-low.extreme, low.runs)
        };
        Some(worse).filter(|(_, runs)| *runs >= RUNS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(samples: impl Iterator<Item = f64>) -> Option<(f64, u32)> {
        let mut watch = ClipWatch::default();
        samples.for_each(|x| watch.push(&[x]));
        watch.clipped()
    }

    fn sine(rate: f64) -> impl Iterator<Item = f64> {
        (0..20_000).map(move |k| 325.0 * (std::f64::consts::TAU * 50.0 * f64::from(k) / rate).sin())
    }

    #[test]
    fn a_cut_sine_is_clipped_and_a_whole_or_rounded_one_is_not() {
        for rate in [6400.0, 7812.5, 50_000.0] {
            assert_eq!(watched(sine(rate)), None, "{rate}");
            let lsb = 650.0 / 4096.0;
            assert_eq!(watched(sine(rate).map(|x| (x / lsb).round() * lsb)), None, "{rate}");
            for level in [320.0, 200.0] {
                let cut = sine(rate).map(|x| x.clamp(-400.0, level));
                let (at, runs) = watched(cut).expect("clipped");
                assert_eq!(at, level);
                assert!(runs > 10, "{runs}");
                let cut = sine(rate).map(|x| ((x / lsb).round() * lsb).max(-level));
                assert_eq!(watched(cut).expect("clipped").0, -level);
            }
        }
    }

    #[test]
    fn silence_is_not_clipped() {
        assert_eq!(watched(std::iter::repeat_n(0.0, 1000)), None);
        assert_eq!(watched(std::iter::repeat_n(7.0, 1000)), None);
        assert_eq!(watched(std::iter::empty()), None);
    }
}
