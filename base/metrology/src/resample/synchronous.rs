//! The waveform of a window at a whole number of points per cycle.

use super::{Demand, Resampler, Resampling};
use crate::rows::Rows;
use crate::window::SynchronousSamples;

/// Takes the points.
#[derive(Clone, Debug)]
pub(crate) struct Synchronous {
    resampler: Resampler,
    per_cycle: usize,
    points: usize,
}

impl Synchronous {
    /// For windows of whole cycles; the points asked for are `per_cycle`, whatever the demand is.
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
