//! Mean values of a channel over any stretch of its recent samples.
//!
//! Samples count as held until the next one, so that a stretch may begin and end between them. A
//! stretch of a whole number of cycles so keeps next to nothing of its alternating part.

use std::collections::VecDeque;

/// Sums up to each of the last samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunningMean {
    /// The sum of all samples before number `first + k`, counted from `first` on.
    sums: VecDeque<f64>,
    first: u64,
}

impl RunningMean {
    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: &[f64]) {
        if self.sums.is_empty() {
            self.sums.push_back(0.0);
        }
        let mut sum = self.sums.back().copied().unwrap_or(0.0);
        self.sums.extend(samples.iter().map(|sample| {
            sum += sample;
            sum
        }));
    }

    /// The mean from one place to a later one, in samples since the first ever. What lies before
    /// `from` is forgotten. Not a number where samples are missing.
    pub(crate) fn over(&mut self, from: f64, to: f64) -> f64 {
        let mean = match (self.sum_before(from), self.sum_before(to)) {
            (Some(before), Some(until)) if to > from => (until - before) / (to - from),
            _ => f64::NAN,
        };
        let gone = (from.max(0.0) as u64).saturating_sub(self.first);
        let gone = (gone as usize).min(self.sums.len().saturating_sub(1));
        self.sums.drain(..gone);
        self.first += gone as u64;
        // Sums count from what is left, so that they lose no digits however long it goes on.
        let base = self.sums.front().copied().unwrap_or(0.0);
        self.sums.iter_mut().for_each(|sum| *sum -= base);
        mean
    }

    fn sum_before(&self, place: f64) -> Option<f64> {
        // The very first window may begin a rounding before the first sample.
        let place = place - self.first as f64;
        let place = if (-1e-6..0.0).contains(&place) { 0.0 } else { place };
        let whole = place.floor();
        let index = (whole >= 0.0).then_some(whole as usize)?;
        let before = *self.sums.get(index)?;
        match place - whole {
            0.0 => Some(before),
            part => Some(before + part * (self.sums.get(index + 1)? - before)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_and_a_ramp_have_their_means() {
        let mut mean = RunningMean::default();
        assert!(mean.over(0.0, 1.0).is_nan());
        mean.push(&[3.0; 10]);
        assert_eq!(mean.over(0.0, 10.0), 3.0);
        mean.push(&[0.0, 1.0, 2.0, 3.0]);
        assert_eq!(mean.over(10.0, 14.0), 1.5);
        // Half of the sample 1 and half of the sample 2.
        assert_eq!(mean.over(11.5, 12.5), 1.5);
        assert!(mean.over(12.5, 15.0).is_nan(), "the last sample is not there yet");
        assert!(mean.over(2.0, 3.0).is_nan(), "what is forgotten has no mean");
    }

    #[test]
    fn whole_cycles_leave_the_direct_component_however_long_it_goes_on() {
        let mut mean = RunningMean::default();
        // 10 cycles of 50.3 Hz at 12.8 kS/s are 2544.73 samples.
        let window = 12_800.0 / 50.3 * 10.0;
        let at = |k: usize| {
            let turns = 50.3 * k as f64 / 12_800.0;
            5.0 + 325.0 * (std::f64::consts::TAU * turns).sin()
        };
        let mut pushed = 0;
        for n in 0..200 {
            let to = f64::from(n + 1) * window;
            let needed = to.ceil() as usize + 1;
            let samples: Vec<f64> = (pushed..needed).map(at).collect();
            mean.push(&samples);
            pushed = needed;
            let found = mean.over(f64::from(n) * window, to);
            // A part of one sample of the alternation is left at each end.
            assert!((found - 5.0).abs() < 5e-3, "{n}: {found}");
        }
        assert!(mean.sums.len() < 3000);
    }
}
