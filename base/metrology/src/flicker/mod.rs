//! Flicker: Pinst, Pst and Plt of IEC 61000-4-15 edition 2 (2010).
//!
//! Blocks as the standard numbers them (figure 2): 1 adapts the voltage to its own slow mean, 2
//! squares, 3 weighs (band limits and the response of lamp and eye), 4 squares and smooths, 5
//! classifies over ten minutes. The signal is squared at a rate high enough for that and then
//! brought to 4 to 8 kS/s, where the filters run; squaring and adapting change places, which the
//! slow adaptation allows.
//!
//! Two lamps (230 V and 120 V, the standard's tables of coefficients) and two grid frequencies,
//! which choose the band limit, make the four combinations of its table 5.

mod classifier;
mod filter;
mod rate;

use std::collections::VecDeque;

use classifier::Classifier;
pub use filter::Lamp;
use filter::{Cascade, gain, weighting};
use rate::RateStage;

/// Time constant of block 1's adaptation in s: a 10 to 90 % response time of one minute.
const ADAPTATION_S: f64 = 27.3;

/// Time constant of block 4's smoothing in s.
const SMOOTHING_S: f64 = 0.3;

/// Faster signals are nobody's voltage, and their low-pass would fill the memory.
const RATE_MAX_HZ: f64 = 1e8;

/// What is not classified at the beginning, in s: adaptation and high-pass must have settled.
pub const SETTLING_S: f64 = 120.0;

/// The time one Pst is taken over, in s.
pub const SHORT_TERM_S: f64 = 600.0;

/// Values of Pst in one Plt (two hours).
pub const LONG_TERM_COUNT: usize = 12;

/// The settings of a flickermeter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlickerConfig {
    /// Samples per second; at least eight per nominal cycle.
    pub rate_hz: f64,
    /// 50 or 60.
    pub nominal_hz: f64,
    /// The reference lamp.
    pub lamp: Lamp,
}

/// The short-term severity over one ten-minute interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortTerm {
    /// Start in seconds since the first sample.
    pub start_s: f64,
    /// The severity Pst.
    pub pst: f64,
    /// The largest instantaneous sensation in the interval, Pinst,max.
    pub pinst_max: f64,
}

/// A flickermeter for one voltage; samples in pieces of any size.
#[derive(Clone, Debug)]
pub struct FlickerMeter {
    stage: RateStage,
    filter_rate_hz: f64,
    adaptation: Adaptation,
    weighting: Cascade,
    smoothed: f64,
    smoothing: f64,
    gain: f64,
    classifier: Classifier,
    /// Filter outputs so far.
    outputs: u64,
    /// Where the first interval begins, in s.
    first_s: f64,
    /// Whole intervals classified so far.
    intervals: u32,
    ready: VecDeque<ShortTerm>,
    squared: Vec<f64>,
    largest: f64,
}

/// Block 1 on the squared signal: divides by its slow mean.
#[derive(Clone, Debug)]
struct Adaptation {
    mean: f64,
    count: f64,
    longest: f64,
}

impl Adaptation {
    /// A plain mean until its weight reaches the time constant, exponential from then on.
    fn adapt(&mut self, square: f64) -> f64 {
        self.count = (self.count + 1.0).min(self.longest);
        self.mean += (square - self.mean) / self.count;
        if self.mean > 0.0 { square / self.mean } else { 0.0 }
    }
}

impl FlickerMeter {
    /// A flickermeter at rest; `None` for a rate below eight samples per cycle or above 100 MS/s,
    /// or another nominal frequency than 50 or 60 Hz.
    pub fn new(config: FlickerConfig) -> Option<Self> {
        let FlickerConfig { rate_hz, nominal_hz, lamp } = config;
        let nominal = nominal_hz == 50.0 || nominal_hz == 60.0;
        if !(nominal && (8.0 * nominal_hz..=RATE_MAX_HZ).contains(&rate_hz)) {
            return None;
        }
        let stage = RateStage::new(rate_hz);
        let filter_rate_hz = stage.output_rate_hz();
        Some(Self {
            stage,
            filter_rate_hz,
            adaptation: Adaptation {
                mean: 0.0,
                count: 0.0,
                longest: ADAPTATION_S * filter_rate_hz,
            },
            weighting: weighting(lamp, nominal_hz, filter_rate_hz),
            smoothed: 0.0,
            smoothing: -libm::expm1(-1.0 / (SMOOTHING_S * filter_rate_hz)),
            gain: gain(lamp, nominal_hz, SMOOTHING_S),
            classifier: Classifier::default(),
            outputs: 0,
            first_s: SETTLING_S,
            intervals: 0,
            ready: VecDeque::new(),
            squared: Vec::new(),
            largest: 0.0,
        })
    }

    /// The same with classes up to `pinst` only; what is larger counts as that. Without it they do
    /// not end.
    #[must_use]
    pub fn with_range(mut self, pinst: f64) -> Self {
        self.classifier.end_at(pinst);
        self
    }

    /// The same with its first interval at another instant, in seconds since the first sample: what
    /// lies before is not classified. Earlier than everything has settled is not possible.
    #[must_use]
    pub fn with_first_interval_at(mut self, first_s: f64) -> Self {
        self.first_s = first_s.max(SETTLING_S);
        self
    }

    /// Takes the next samples of the voltage, in any unit. What is no finite number counts as 0.
    pub fn push(&mut self, samples: &[f64]) {
        let mut squared = std::mem::take(&mut self.squared);
        self.stage.push(samples, &mut squared);
        for square in squared.drain(..) {
            self.take(square);
        }
        self.squared = squared;
    }

    /// The next whole interval.
    pub fn pop(&mut self) -> Option<ShortTerm> {
        self.ready.pop_front()
    }

    /// The largest Pinst since the beginning or since [`FlickerMeter::forget_largest`]; while the
    /// filters settle, it is larger than any flicker.
    pub fn largest(&self) -> f64 {
        self.largest
    }

    /// Begins a new search for the largest Pinst.
    pub fn forget_largest(&mut self) {
        self.largest = 0.0;
    }

    /// One value of the squared signal at the filters' rate.
    fn take(&mut self, square: f64) {
        let weighted = self.weighting.next(self.adaptation.adapt(square));
        self.smoothed += self.smoothing * (weighted * weighted - self.smoothed);
        self.largest = self.largest.max(self.gain * self.smoothed);
        self.outputs += 1;
        let time_s = self.outputs as f64 / self.filter_rate_hz;
        let start_s = self.first_s + SHORT_TERM_S * f64::from(self.intervals);
        if time_s <= start_s {
            return;
        }
        self.classifier.add(self.gain * self.smoothed);
        if time_s + 0.5 / self.filter_rate_hz >= start_s + SHORT_TERM_S {
            let (pst, pinst_max) = (self.classifier.severity(), self.classifier.largest);
            self.ready.push_back(ShortTerm { start_s, pst, pinst_max });
            self.classifier.clear();
            self.intervals += 1;
        }
    }
}

/// Long-term severity: the cube root of the mean cube of twelve values of Pst (clause 5.7.4 as
/// IEC 61000-4-30, 5.3 uses it: two hours); `None` unless there are twelve.
pub fn long_term(pst: &[f64]) -> Option<f64> {
    let cubes: f64 = pst.iter().map(|p| p * p * p).sum();
    (pst.len() == LONG_TERM_COUNT).then(|| libm::cbrt(cubes / LONG_TERM_COUNT as f64))
}
