//! How many readings came back: for checks of what need not happen at all, what there was to judge
//! by.

use lastmeter_params::Pattern;
use lastmeter_record::Observation;
use lastmeter_units::{Epoch, Serial};

use crate::by_device::ByDevice;

/// Counts the readings that came, of all devices.
pub(super) struct ReadingCount {
    by_device: ByDevice<Readings>,
}

#[derive(Default)]
struct Readings {
    last: Option<(Option<Epoch>, Option<Serial>)>,
    count: u64,
}

impl ReadingCount {
    pub(super) fn new() -> Self {
        Self { by_device: ByDevice::new(Pattern::new("*")) }
    }

    /// Takes the next value of the record; those of one reading are neighbours.
    pub(super) fn observation(&mut self, observation: &Observation<'_>) {
        if observation.reported.is_none() {
            return;
        }
        if let Some(readings) = self.by_device.entry(observation.device)
            && (readings.last != Some(observation.reading()) || observation.serial.is_none())
        {
            readings.last = Some(observation.reading());
            readings.count += 1;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.by_device.iter().map(|(_, readings)| readings.count).sum()
    }
}
