//! Rapid voltage changes (IEC 61000-4-30 edition 3, 5.11).
//!
//! The voltage is steady while all half-cycle values of the last second (100 at 50 Hz, 120 at 60
//! Hz) lie within a threshold of their mean. A change lasts from the value that left it to the
//! first after which a second is steady again, with half the threshold; it is thrown away if the
//! voltage dipped or swelled meanwhile.

use std::collections::VecDeque;

use super::half_cycle::HalfCycle;

/// What counts as rapid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RapidChangeConfig {
    /// The declared voltage in V.
    pub declared_v: f64,
    /// Part of it a value must leave the mean by; 0.01 to 0.06 are usual.
    pub threshold: f64,
    /// Values that make a second: 100 at 50 Hz, 120 at 60 Hz.
    pub count: usize,
    /// Outside this a change is a dip or a swell: parts of the declared voltage.
    pub range: (f64, f64),
}

impl RapidChangeConfig {
    /// A threshold of 5 %, dips below 90 %, swells above 110 %.
    pub fn new(declared_v: f64, nominal_hz: f64) -> Self {
        let count = if nominal_hz == 60.0 { 120 } else { 100 };
        Self { declared_v, threshold: 0.05, count, range: (0.9, 1.1) }
    }
}

/// A rapid change of one phase's voltage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RapidChange {
    /// Start, in samples since the first one.
    pub start: f64,
    /// End, likewise: where the steady second after it begins.
    pub end: f64,
    /// The largest departure from the mean before, in V.
    pub largest_v: f64,
    /// The difference of the means after and before, in V.
    pub steady_v: f64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: f64,
    mean_before: f64,
    largest: f64,
    spoilt: bool,
}

/// Finds rapid changes of one phase.
#[derive(Clone, Debug)]
pub struct RapidChangeDetector {
    config: RapidChangeConfig,
    values: VecDeque<(f64, f64)>,
    open: Option<Open>,
    ready: VecDeque<RapidChange>,
}

impl RapidChangeDetector {
    /// Nothing has changed yet.
    pub fn new(config: RapidChangeConfig) -> Self {
        Self { config, values: VecDeque::new(), open: None, ready: VecDeque::new() }
    }

    /// The next change that is over.
    pub fn pop(&mut self) -> Option<RapidChange> {
        self.ready.pop_front()
    }

    /// Takes the next half-cycle value.
    pub fn push(&mut self, value: HalfCycle) {
        let RapidChangeConfig { declared_v, threshold, count, range } = self.config;
        if let Some(open) = &mut self.open {
            open.largest = open.largest.max((value.rms - open.mean_before).abs());
            open.spoilt |= value.rms < range.0 * declared_v || value.rms > range.1 * declared_v;
        } else if let Some(mean) = self.mean()
            && (value.rms - mean).abs() > threshold * declared_v
        {
            self.open = Some(Open {
                start: value.middle(),
                mean_before: mean,
                largest: (value.rms - mean).abs(),
                spoilt: value.rms < range.0 * declared_v || value.rms > range.1 * declared_v,
            });
            self.values.clear();
        }
        self.values.push_back((value.middle(), value.rms));
        if self.values.len() > count {
            self.values.pop_front();
        }
        let share = if self.open.is_some() { 0.5 * threshold } else { threshold };
        match self.mean() {
            Some(mean) if self.open.is_some() && self.steady(mean, share) => self.close(mean),
            _ => {}
        }
    }

    /// The mean of a whole second that is steady, or was until the present value.
    fn mean(&self) -> Option<f64> {
        let count = self.config.count;
        let sum: f64 = self.values.iter().map(|(_, rms)| rms).sum();
        (self.values.len() == count).then(|| sum / count as f64)
    }

    fn steady(&self, mean: f64, share: f64) -> bool {
        let limit = share * self.config.declared_v;
        self.values.iter().all(|(_, rms)| (rms - mean).abs() <= limit)
    }

    fn close(&mut self, mean: f64) {
        let Some(open) = self.open.take() else { return };
        let end = self.values.front().map_or(open.start, |(middle, _)| *middle);
        if !open.spoilt {
            self.ready.push_back(RapidChange {
                start: open.start,
                end,
                largest_v: open.largest,
                steady_v: mean - open.mean_before,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[f64]) -> Vec<RapidChange> {
        let mut detector = RapidChangeDetector::new(RapidChangeConfig::new(100.0, 50.0));
        for (k, rms) in values.iter().enumerate() {
            let start = 10.0 * k as f64;
            detector.push(HalfCycle { start, end: start + 20.0, rms: *rms, current: None });
        }
        std::iter::from_fn(|| detector.pop()).collect()
    }

    fn steps(list: &[(f64, usize)]) -> Vec<f64> {
        list.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count)).collect()
    }

    #[test]
    fn a_step_with_an_overshoot_is_one_change() {
        let found = run(&steps(&[(100.0, 150), (92.0, 3), (94.0, 200)]));
        assert_eq!(found.len(), 1);
        let change = found[0];
        assert_eq!((change.start, change.end), (1510.0, 1510.0));
        assert!((change.largest_v - 8.0).abs() < 1e-9, "{change:?}");
        assert!((change.steady_v + 6.0).abs() < 0.1, "{change:?}");
    }

    #[test]
    fn slow_or_small_changes_and_dips_are_none() {
        assert!(run(&steps(&[(100.0, 150), (96.0, 200)])).is_empty());
        assert!(run(&steps(&[(100.0, 150), (85.0, 20), (100.0, 200)])).is_empty());
        let ramp: Vec<f64> = (0..1000).map(|k| 100.0 - 0.008 * f64::from(k)).collect();
        assert!(run(&ramp).is_empty());
    }

    #[test]
    fn the_first_second_is_no_change() {
        assert!(run(&steps(&[(100.0, 50), (93.0, 300)])).is_empty());
    }
}
