//! Makes a loop of a recording: whole cycles, resampled, the end cross-faded into the beginning.
//!
//! With the fundamental known, the longest whole number of cycles is taken that leaves a quarter
//! to one cycle of the recording ahead of the loop's beginning. Over the loop's last stretch of
//! that length the recording is faded over (raised cosine) to what came before the beginning, so
//! that the loop's end runs into its beginning as smoothly as the recording itself runs.

use std::f64::consts::PI;

use super::Loop;
use super::fundamental::{CYCLES_MIN, FASTEST_HZ, SLOWEST_HZ, frequency};
use super::resample::{HALF_TAPS, Taps};

/// Points per cycle that the table has at least: the cubic between them then keeps 50 harmonics
/// within 0.2 %, the first ten within 3 ppm.
const POINTS_PER_CYCLE_MIN: f64 = 512.0;
/// Points from which on a table is not made finer than twice the recording.
const POINTS_MAX: f64 = 4e6;
/// The shortest and the longest cross-fade, in cycles.
const FADE_MIN: f64 = 0.25;
const FADE_MAX: f64 = 1.0;

/// Why a recording cannot be looped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoopError {
    /// Neither one phase nor three, or voltages without currents.
    #[error(
        "found {voltages} voltages and {currents} currents; one of each or three of each are needed"
    )]
    Phases {
        /// Voltages found.
        voltages: usize,
        /// Currents found.
        currents: usize,
    },
    /// The channels are not equally long, or the rate is no positive number.
    #[error("channels of different length, or without a sampling rate")]
    Shape,
    /// No frequency stands out in the first voltage.
    #[error(
        "no fundamental between {SLOWEST_HZ} and {FASTEST_HZ} Hz was found in the first voltage over \
         at least {CYCLES_MIN} cycles"
    )]
    NoFundamental,
    /// Not enough cycles.
    #[error(
        "the recording has {found:.2} usable cycles of its fundamental of {frequency_hz:.3} Hz; at \
         least {needed:.2} are needed for a loop of one cycle and its cross-fade"
    )]
    TooShort {
        /// Cycles that can be used.
        found: f64,
        /// Cycles that are needed.
        needed: f64,
        /// The fundamental that was found.
        frequency_hz: f64,
    },
}

impl Loop {
    /// A loop of a recording: voltages in volts, currents in amperes, finite samples taken at one
    /// rate.
    pub fn from_samples(
        voltages: &[&[f64]],
        currents: &[&[f64]],
        rate_hz: f64,
    ) -> Result<Self, LoopError> {
        if voltages.len() != currents.len() || !matches!(voltages.len(), 1 | 3) {
            return Err(LoopError::Phases { voltages: voltages.len(), currents: currents.len() });
        }
        let samples = voltages[0].len();
        let even = voltages.iter().chain(currents).all(|channel| channel.len() == samples);
        let is_rate = rate_hz.is_finite() && rate_hz > 0.0;
        if !even || !is_rate {
            return Err(LoopError::Shape);
        }
        let frequency_hz = frequency(voltages[0], rate_hz).ok_or(LoopError::NoFundamental)?;
        let plan = Plan::new(samples, rate_hz, frequency_hz)?;
        let channels: Vec<&[f64]> = voltages.iter().chain(currents).copied().collect();
        let points = plan.points(&channels);
        let (voltages, currents) = points.split_at(voltages.len());
        Ok(Self::new(frequency_hz, plan.cycles, voltages, currents))
    }
}

/// Where the loop lies in the recording; lengths and positions in samples.
struct Plan {
    cycles: u32,
    begin: f64,
    length: f64,
    fade: f64,
    points: usize,
}

impl Plan {
    fn new(samples: usize, rate_hz: f64, frequency_hz: f64) -> Result<Self, LoopError> {
        let per_cycle = rate_hz / frequency_hz;
        let found = samples.saturating_sub(2 * HALF_TAPS) as f64 / per_cycle;
        let cycles = (found - FADE_MIN).floor();
        if cycles < 1.0 {
            return Err(LoopError::TooShort { found, needed: 1.0 + FADE_MIN, frequency_hz });
        }
        let fade = (found - cycles).min(FADE_MAX) * per_cycle;
        let mut per_cycle_points = per_cycle.max(POINTS_PER_CYCLE_MIN).ceil();
        if cycles * per_cycle_points > POINTS_MAX {
            per_cycle_points =
                (2.0 * per_cycle).max(POINTS_MAX / cycles).ceil().min(per_cycle_points);
        }
        Ok(Self {
            cycles: cycles as u32,
            begin: (HALF_TAPS - 1) as f64 + fade,
            length: cycles * per_cycle,
            fade,
            points: (cycles * per_cycle_points) as usize,
        })
    }

    fn points(&self, channels: &[&[f64]]) -> Vec<Vec<f64>> {
        let mut points = vec![Vec::with_capacity(self.points); channels.len()];
        for point in 0..self.points {
            let along = self.length * (point as f64 / self.points as f64);
            let taps = Taps::new(self.begin + along);
            let left = self.length - along;
            let faded = (left < self.fade).then(|| {
                let weight = 0.5 * (1.0 + libm::cos(PI * left / self.fade));
                (Taps::new(self.begin - left), weight)
            });
            for (channel, points) in channels.iter().zip(&mut points) {
                let here = taps.value(channel);
                points.push(match &faded {
                    None => here,
                    Some((ahead, weight)) => here + weight * (ahead.value(channel) - here),
                });
            }
        }
        points
    }
}
