//! Rows in the order of their instants: commit order among devices is chance, the order of
//! instants is not.

use std::collections::BTreeMap;

use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, ReadingRow};
use lastmeter_units::{HardwareId, SimTime};

use crate::border::Input;

/// A row on its way to the services.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// A reading.
    Reading(Box<ReadingRow>),
    /// An alert.
    Alert(Box<AlertRow>),
}

/// Where a row stands: its instant, whose it is, its number; at last its place in the commit order,
/// which makes places different.
type Place = (SimTime, HardwareId, Option<Number>, bool, u64);

impl Row {
    /// Where it stands. A clock that is fast takes nothing into the future: what is dated after an
    /// instant, which is now, counts as of then.
    fn place(&self, latest: Option<SimTime>) -> Place {
        let instant = |event: SimTime, received| event.min(latest.unwrap_or(received));
        match self {
            Self::Reading(row) => {
                let instant = instant(row.event, row.received);
                (instant, row.device.clone(), row.number, false, row.sequence)
            }
            Self::Alert(row) => {
                (instant(row.event, row.received), row.device.clone(), None, true, row.sequence)
            }
        }
    }

    /// It as an input.
    pub fn input(&self, is_late: bool) -> Input<'_> {
        match self {
            Self::Reading(row) => Input::Reading { row, is_late },
            Self::Alert(row) => Input::Alert { row, is_late },
        }
    }
}

/// Rows that wait for others that may be before them.
#[derive(Debug, Default)]
pub struct Reorder {
    waiting: BTreeMap<Place, Row>,
    /// The instant of the last row that was given out.
    given: Option<SimTime>,
}

impl Reorder {
    /// Rows that wait at most; then the first of them is given out although others may come.
    pub const MOST: usize = 100_000;

    /// Takes a row. `latest` is where a driven clock goes, which stands behind the devices that run
    /// ahead to there; `None`: a row is not after it was received.
    pub fn put(&mut self, row: Row, latest: Option<SimTime>) {
        self.waiting.insert(row.place(latest), row);
    }

    /// The instant of the first row that waits, if it is not after an instant, or if more wait than
    /// may.
    pub fn due(&self, until: SimTime) -> Option<SimTime> {
        let ((instant, ..), _) = self.waiting.first_key_value()?;
        (*instant <= until || self.is_full()).then_some(*instant)
    }

    /// The first row that waits, and whether it is behind others that were given out.
    pub fn take(&mut self) -> Option<(Row, bool)> {
        let ((instant, ..), row) = self.waiting.pop_first()?;
        let is_late = self.given.is_some_and(|given| instant < given);
        self.given = self.given.max(Some(instant));
        Some((row, is_late))
    }

    /// The rows that wait, in their order.
    pub fn waiting(&self) -> impl Iterator<Item = &Row> {
        self.waiting.values()
    }

    /// Whether as many wait as may.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= Self::MOST
    }

    /// The instant of the last row that was given out; what is before it is late.
    pub fn given(&self) -> Option<SimTime> {
        self.given
    }

    /// Goes on after rows up to an instant were given out.
    pub fn go_on_after(&mut self, given: Option<SimTime>) {
        self.given = given;
    }
}
