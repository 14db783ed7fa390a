//! A row of the latency record on its way there, from the clock or from the model of a link.

use lastmeter_record::{LatencyRow, Point};
use lastmeter_units::{Epoch, Serial};

/// Which reading of which device.
pub(crate) type Key = (usize, Epoch, Serial);

/// Instants by point.
pub(crate) type Stamps = [Option<i64>; Point::COUNT];

/// A finished row, instants since the beginning of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LatencyRecord {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) points: Stamps,
    pub(crate) bytes: u32,
    pub(crate) copies: u32,
}

impl LatencyRecord {
    pub(crate) fn view(&self) -> LatencyRow<'_> {
        LatencyRow {
            path: &self.path,
            id: &self.id,
            points: self.points,
            bytes: self.bytes,
            copies: self.copies,
        }
    }
}
