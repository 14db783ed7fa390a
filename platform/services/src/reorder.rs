//! Rows in the order of their instants: commit order among devices is chance, the order of
//! instants is not.

use std::collections::BTreeMap;

use lastmeter_model::message::Number;
use lastmeter_model::row::{AlertRow, ReadingRow, instant_of_data};
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
    /// When it was: a clock that is fast does not take it into the future.
    pub fn instant(&self) -> SimTime {
        match self {
            Self::Reading(row) => instant_of_data(row.event, row.received),
            Self::Alert(row) => instant_of_data(row.event, row.received),
        }
    }

    fn place(&self) -> Place {
        let instant = self.instant();
        match self {
            Self::Reading(row) => (instant, row.device.clone(), row.number, false, row.sequence),
            Self::Alert(row) => (instant, row.device.clone(), None, true, row.sequence),
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
    /// Rows that wait at most.
    pub const MOST: usize = 100_000;

    /// Takes a row.
    pub fn put(&mut self, row: Row) {
        self.waiting.insert(row.place(), row);
    }

    /// The instant of the first row that waits, if it is not after an instant, or if more wait than
    /// may.
    pub fn due(&self, until: SimTime) -> Option<SimTime> {
        let ((instant, ..), _) = self.waiting.first_key_value()?;
        (*instant <= until || self.waiting.len() > Self::MOST).then_some(*instant)
    }

    /// The first row that waits, and whether it is behind others that were given out.
    pub fn take(&mut self) -> Option<(Row, bool)> {
        let ((instant, ..), row) = self.waiting.pop_first()?;
        let is_late = self.given.is_some_and(|given| instant < given);
        self.given = self.given.max(Some(instant));
        Some((row, is_late))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
