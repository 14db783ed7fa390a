//! The front end of a meter alone, for who wants its samples and not its quantities.

use lastmeter_params::{Diagnostics, Values};
use lastmeter_sim::Block;

use crate::front_end::Sampling;
use crate::front_end::group::FrontEnd;
use crate::model;
use crate::model::kind::DeviceContext;

/// The converters of an ideal meter with whatever errors its fields plant: what a benchmark, a
/// recorder or a fault locator sees of a terminal.
#[derive(Debug)]
pub struct Converters {
    front_end: FrontEnd,
    sampling: Sampling,
}

impl Converters {
    /// The front end of the model `ideal-1ph` or `ideal-3ph`, by the terminal's phases, with these
    /// fields. `None` if values do not fit together, which is then in the diagnostics.
    pub fn new(
        values: &Values,
        context: &DeviceContext<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let (sampling, front_end) = model::ideal::front_end(values, context, diagnostics)?;
        Some(Self { front_end, sampling })
    }

    /// The rate of the samples it wants.
    pub fn feed_hz(&self) -> f64 {
        self.sampling.feed_hz()
    }

    /// Takes the next samples of a terminal. Channels that are missing stay behind for good.
    pub fn push(&mut self, block: &Block) {
        self.front_end.push(block.voltages.iter().chain(&block.currents).map(Vec::as_slice));
    }

    /// The samples of a channel, voltages first, that the last [`Self::push`] completed; primary
    /// values in volts or amperes.
    pub fn converted(&self, channel: usize) -> &[f64] {
        self.front_end.converted(channel)
    }
}
