//! The loss of a load current: a breaker or a fuse that opens, located to the sample.
//!
//! Needs no declared value: the current is compared with itself. It is lost when the half-cycle
//! value falls below a tenth of the mean of the second before and stays there; the sample is the
//! first from which the instantaneous value stays as small as it is afterwards.

use std::collections::VecDeque;

use super::half_cycle::{HalfCycle, HalfCycles};

/// Lost is below this part of the mean before.
const LOST_PART: f64 = 0.1;

/// Half-cycle values in the mean before.
const VALUES_BEFORE: usize = 20;

/// Half cycles it must stay below.
const LOW_HALF_CYCLES: usize = 4;

/// Beyond what is left, this part of the peak before is still current.
const RESIDUAL_PART: f64 = 0.05;

/// Cycles of samples that are kept: those a loss is found by, the one it is found in, and some
/// more.
const KEPT_CYCLES: f64 = 8.0;

/// A current that went away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurrentLoss {
    /// The first sample without it.
    pub sample: u64,
    /// RMS before, in A.
    pub before_a: f64,
    /// RMS of what is left, in A.
    pub left_a: f64,
}

/// Finds the losses of one current; samples in pieces of any size.
#[derive(Clone, Debug)]
pub struct CurrentLossDetector {
    half_cycles: HalfCycles,
    before: VecDeque<f64>,
    /// Values below the limit one after another, and the mean before them.
    low: Vec<HalfCycle>,
    lost: bool,
    ready: VecDeque<CurrentLoss>,
}

impl CurrentLossDetector {
    /// Nothing was lost yet; see [`HalfCycles::new`].
    pub fn new(rate_hz: f64, frequency_hz: f64) -> Self {
        Self {
            half_cycles: HalfCycles::new(rate_hz, frequency_hz).keeping(KEPT_CYCLES),
            before: VecDeque::new(),
            low: Vec::new(),
            lost: false,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next samples.
    pub fn push(&mut self, samples: &[f64]) {
        // In pieces so small that what a loss is found by is still kept when it is found.
        let piece = (2.0 * self.half_cycles.half_cycle()).ceil().max(1.0) as usize;
        for samples in samples.chunks(piece) {
            self.half_cycles.push(samples);
            self.judge();
        }
    }

    /// Ends the signal.
    pub fn finish(&mut self) {
        self.half_cycles.finish();
        self.judge();
    }

    /// The next loss.
    pub fn pop(&mut self) -> Option<CurrentLoss> {
        self.ready.pop_front()
    }

    fn judge(&mut self) {
        while let Some(value) = self.half_cycles.pop() {
            let mean = self.before.iter().sum::<f64>() / self.before.len().max(1) as f64;
            let settled = self.before.len() >= VALUES_BEFORE / 2;
            if settled && value.rms < LOST_PART * mean {
                self.low.push(value);
                if self.low.len() == LOW_HALF_CYCLES && !self.lost {
                    self.lost = true;
                    let loss = self.locate(mean);
                    self.ready.extend(loss);
                }
                self.low.truncate(LOW_HALF_CYCLES);
            } else {
                self.low.clear();
                self.lost = false;
                self.before.push_back(value.rms);
                if self.before.len() > VALUES_BEFORE {
                    self.before.pop_front();
                }
            }
        }
    }

    /// The sample from which on the current stays as small as it is in the last of the low cycles.
    fn locate(&self, mean: f64) -> Option<CurrentLoss> {
        let (first, last) = (self.low.first()?, self.low.last()?);
        let cycle = last.end - last.start;
        let (settled, end) = (last.start.ceil() as u64, last.end.floor() as u64);
        let count = |from: u64| usize::try_from(end.saturating_sub(from)).unwrap_or(0);
        let after = self.half_cycles.kept(settled, count(settled));
        let left = after.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let limit = left + RESIDUAL_PART * std::f64::consts::SQRT_2 * mean;
        let from = ((first.start - 2.0 * cycle).max(0.0) as u64).max(self.half_cycles.first_kept());
        let all = self.half_cycles.kept(from, count(from));
        let last_large = all.iter().rposition(|x| x.abs() > limit)?;
        let sample = from + last_large as u64 + 1;
        Some(CurrentLoss { sample, before_a: mean, left_a: last.rms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_cut_at_a_sample_is_lost_at_that_sample() {
        for cut in [3000_usize, 3011, 3031, 3050] {
            let rate_hz = 6400.0;
            let samples: Vec<f64> = (0..6400)
                .map(|k| {
                    let angle = std::f64::consts::TAU * 50.0 * k as f64 / rate_hz;
                    // Cut where the current is not small anyway; an offset stays.
                    if k < cut { 14.1 * (angle + 0.8).sin() } else { 0.2 }
                })
                .collect();
            for piece in [13, 6400] {
                let mut detector = CurrentLossDetector::new(rate_hz, 50.0);
                samples.chunks(piece).for_each(|samples| detector.push(samples));
                detector.finish();
                let found: Vec<_> = std::iter::from_fn(|| detector.pop()).collect();
                assert_eq!(found.len(), 1, "{found:?}");
                let due = (0..cut).rev().find(|k| samples[*k].abs() > 0.2 + 0.05 * 14.1);
                let due = due.expect("a current") + 1;
                assert_eq!(found[0].sample, due as u64, "cut at {cut}");
                assert!((found[0].left_a - 0.2).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_current_that_never_was_is_not_lost() {
        let mut detector = CurrentLossDetector::new(6400.0, 50.0);
        detector.push(&vec![0.0; 10_000]);
        detector.finish();
        assert_eq!(detector.pop(), None);
    }
}
