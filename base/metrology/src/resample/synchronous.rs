//! The waveform of a window at a whole number of points per cycle.

use std::f64::consts::{SQRT_2, TAU};

use super::{Demand, Resampler, Resampling};
use crate::rows::Rows;
use crate::window::Phasor;

/// The waveforms of a window at equidistant points, a whole number of them per cycle; the first is
/// at the window's start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SynchronousSamples {
    /// Points per cycle.
    pub per_cycle: usize,
    /// One list per voltage, in V.
    pub voltages: Vec<Vec<f64>>,
    /// One list per current, in A.
    pub currents: Vec<Vec<f64>>,
}

impl SynchronousSamples {
    /// The fundamental's RMS phasor in each cycle of one of the lists, phases relative to the
    /// cycle's start. A cycle in which the signal changes has a phasor that is neither the one
    /// before nor the one after.
    pub fn cycle_phasors(&self, samples: &[f64]) -> Vec<Phasor> {
        let n = self.per_cycle.max(1);
        let turns: Vec<(f64, f64)> =
            (0..n).map(|k| libm::sincos(TAU * k as f64 / n as f64)).collect();
        let phasor = |cycle: &[f64]| {
            let sum = |part: fn(&(f64, f64)) -> f64| -> f64 {
                cycle.iter().zip(&turns).map(|(x, turn)| x * part(turn)).sum()
            };
            let scale = SQRT_2 / n as f64;
            Phasor { re: scale * sum(|turn| turn.1), im: -scale * sum(|turn| turn.0) }
        };
        samples.chunks_exact(n).map(phasor).collect()
    }
}

/// Takes the points.
#[derive(Clone, Debug)]
pub(crate) struct Synchronous {
    resampler: Resampler,
    per_cycle: usize,
    points: usize,
}

impl Synchronous {
    /// For windows of whole cycles; the points asked for are `per_cycle`, whatever the demand says.
    pub(crate) fn new(method: Resampling, per_cycle: usize, demand: Demand) -> Self {
        let points = per_cycle * demand.cycles as usize;
        let resampler = Resampler::new(method, Demand { points, ..demand });
        Self { resampler, per_cycle, points }
    }

    /// Samples needed on either side of a window.
    pub(crate) fn reach(&self) -> usize {
        self.resampler.reach()
    }

    /// The points of all channels, voltages first, in the window `start..start + length`.
    pub(crate) fn points(
        &self,
        channels: &[&[f64]],
        (start, length): (f64, f64),
    ) -> SynchronousSamples {
        let place = (start, length / self.points as f64);
        let mut lists: Vec<Vec<f64>> =
            channels.chunks(4).flat_map(|four| self.four(four, place)).collect();
        let currents = lists.split_off(channels.len() / 2);
        SynchronousSamples { per_cycle: self.per_cycle, voltages: lists, currents }
    }

    fn four(&self, channels: &[&[f64]], place: (f64, f64)) -> Vec<Vec<f64>> {
        let mut points = vec![[0.0; 4]; self.points];
        self.resampler.fill(channels, place, &mut Rows::default(), &mut points);
        (0..channels.len()).map(|lane| points.iter().map(|point| point[lane]).collect()).collect()
    }
}
