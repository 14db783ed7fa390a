//! Which readings were due, came, are missing, or came without being due.
//!
//! A *reading* is what a device sends at once: the rows of one (device, epoch, serial). The record
//! keeps them together, so they are counted as they pass by. A due value that came without a serial
//! number cannot be matched, and only its row is counted, unless its device declares its spans:
//! then the bench has matched it by the instant at which it was due; what was due and never made by
//! the device has no serial either, and is missing at the instant at which it was due. An *altered*
//! reading is stored under the number of one that was due, and is not what was sent: that one is
//! missing, and what is stored is unexpected. A *stray* is stored and has no row at all.
//!
//! A value whose truth nobody knows may be absent from a reading until the device reports it for
//! the first time: severity of flicker takes ten minutes to be there.

use std::collections::BTreeSet;

use lastmeter_units::{Epoch, MeasurementId, Serial, SimTime};

use crate::verdict::At;
use lastmeter_record::{Event, EventKind, Observation, field};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Delivery {
    /// Readings that were due.
    pub due: u64,
    /// Due readings of which every value came.
    pub stored: u64,
    /// Due readings of which at least one value did not come.
    pub missing: u64,
    /// Of these, the ones of which nothing is known: no value came, and none was handed over as far
    /// as the bench sees, else they would have a number. A device that is silent leaves such.
    pub silent: u64,
    /// Stretches of those, each one after another.
    pub silent_stretches: u64,
    /// Times something came that was not due: another reading, or one value more of a due one.
    pub unexpected: u64,
    /// Missing readings under whose number something else is stored; they are among the missing,
    /// and what is stored among the unexpected.
    pub altered: u64,
    /// Due values that came without a serial number, and were not joined by schedule.
    pub without_serial: u64,
    /// The first missing ones, at most [`NAMED_MAX`].
    pub first_missing: Vec<Place>,
    /// The first missing ones that were handed over, at most [`NAMED_MAX`].
    pub first_lost: Vec<Place>,
    /// The first unexpected ones, at most [`NAMED_MAX`].
    pub first_unexpected: Vec<Place>,
    open: Option<Open>,
    /// Whether the due reading before was of the silent ones.
    was_silent: bool,
    /// Numbers of missing and of unexpected readings, as long as the other half may come.
    missing_keys: BTreeSet<Key>,
    unexpected_keys: BTreeSet<Key>,
    /// Quantities without a known truth that have been reported.
    reported: BTreeSet<MeasurementId>,
}

type Key = (Epoch, Serial);

/// So many numbers are remembered to find altered readings; of more, some count as missing alone.
const KEYS_MAX: usize = 100_000;

/// How many missing or unexpected readings are remembered by name.
pub(crate) const NAMED_MAX: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its epoch.
    pub epoch: Option<Epoch>,
    /// Its serial number; `None` if the device never made it.
    pub serial: Option<Serial>,
    /// Its event time.
    pub time: SimTime,
    /// The first value that did not come, where others of the reading did.
    pub without: Option<MeasurementId>,
}

impl Place {
    pub(crate) fn of(row: &Observation<'_>) -> Self {
        let (epoch, serial) = (row.epoch, row.serial);
        Self { epoch, serial, time: row.event_time, without: None }
    }

    /// Where that is in the record of a device.
    pub(crate) fn at(self, device: &str) -> At {
        At {
            device: Some(device.to_owned()),
            epoch: self.epoch.map(|epoch| epoch.0),
            serial: self.serial.map(|serial| serial.0),
            quantity: None,
            time: Some(self.time),
            event: None,
        }
    }
}

/// The reading whose rows are passing by.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open {
    place: Place,
    is_due: bool,
    is_missing: bool,
    is_unexpected: bool,
    /// Whether any due value came.
    has_value: bool,
}

impl Delivery {
    pub(crate) fn observation(&mut self, observation: &Observation<'_>) {
        let is_due = observation.reference.is_some();
        // With a declared span the bench has joined it by when it was due, in one way only.
        let is_joined = observation.serial.is_some() || observation.span.is_some();
        if !is_joined && observation.reported.is_some() && is_due {
            self.without_serial += 1;
            return;
        }
        let place = Place::of(observation);
        // A reading with a number is identified by it; one that was never made, by when it was due.
        let same = |open: Place| {
            (open.epoch, open.serial) == (place.epoch, place.serial)
                && (place.serial.is_some() || open.time == place.time)
        };
        if !self.open.is_some_and(|open| same(open.place)) {
            self.close();
            let (is_due, is_missing, is_unexpected, has_value) = (false, false, false, false);
            self.open = Some(Open { place, is_due, is_missing, is_unexpected, has_value });
        }
        let is_unavailable = observation.reference.is_some_and(f64::is_nan);
        if is_unavailable && observation.reported.is_some() {
            self.reported.insert(observation.quantity);
        }
        let is_not_there_yet = is_unavailable && !self.reported.contains(&observation.quantity);
        if let Some(open) = &mut self.open {
            open.is_due |= is_due;
            if is_due && observation.reported.is_none() && !is_not_there_yet {
                open.is_missing = true;
                open.place.without.get_or_insert(observation.quantity);
            }
            open.has_value |= is_due && observation.reported.is_some();
            open.is_unexpected |= !is_due;
        }
    }

    /// The figures including the reading that is passing by.
    #[must_use]
    pub(crate) fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        open.is_missing |= open.is_due && !open.has_value;
        self.due += u64::from(open.is_due);
        self.missing += u64::from(open.is_missing);
        let is_silent = open.is_missing && !open.has_value && open.place.serial.is_none();
        if open.is_due {
            self.silent += u64::from(is_silent);
            self.silent_stretches += u64::from(is_silent && !self.was_silent);
            self.was_silent = is_silent;
        }
        open.place.without = open.place.without.filter(|_| open.has_value);
        self.stored += u64::from(open.is_due && !open.is_missing);
        self.unexpected += u64::from(open.is_unexpected);
        if let (Some(epoch), Some(serial)) = (open.place.epoch, open.place.serial) {
            self.match_altered((epoch, serial), open);
        }
        for (happened, first) in [
            (open.is_missing, &mut self.first_missing),
            (open.is_missing && !is_silent, &mut self.first_lost),
            (open.is_unexpected, &mut self.first_unexpected),
        ] {
            if happened && first.len() < NAMED_MAX {
                first.push(open.place);
            }
        }
    }

    /// The two halves of an altered reading may come one after the other, in either order.
    fn match_altered(&mut self, key: Key, open: Open) {
        let keep = |keys: &mut BTreeSet<Key>| {
            if keys.len() < KEYS_MAX {
                keys.insert(key);
            }
        };
        let is_altered = match (open.is_missing, open.is_unexpected) {
            (true, true) => true,
            (true, false) => self.unexpected_keys.remove(&key),
            (false, true) => self.missing_keys.remove(&key),
            (false, false) => return,
        };
        if is_altered {
            self.altered += 1;
        } else if open.is_missing {
            keep(&mut self.missing_keys);
        } else if !open.is_due {
            keep(&mut self.unexpected_keys);
        }
    }
}

/// Something that is stored and has no row, with what is wrong about it; `None` of other events.
pub(crate) fn stray(event: &Event) -> Option<String> {
    Some(match &event.kind {
        EventKind::ForeignReading => "not on the bench".to_owned(),
        EventKind::ValuelessReading => "no known value".to_owned(),
        EventKind::UnknownValue => {
            format!("nobody sent its `{}`", event.text(field::NAME).unwrap_or_default())
        }
        _ => return None,
    })
}

/// The least share of usable samples that a reading rests on, unless a check has another one.
pub(crate) const USABLE_MIN: f64 = 0.95;

/// The share of usable samples of a reading that rests on fewer than this share.
pub(crate) fn sparse(event: &Event, least: f64) -> Option<f64> {
    if event.kind != EventKind::ReadingShare {
        return None;
    }
    event.get(field::USABLE)?.as_f64().filter(|share| *share < least)
}

/// Where a stray is in the record.
pub(crate) fn place_of_stray(event: &Event, line: u64) -> At {
    At {
        device: event.text(field::DEVICE).map(str::to_owned),
        epoch: event.number(field::EPOCH),
        serial: event.number(field::SERIAL),
        quantity: None,
        time: Some(event.time),
        event: Some(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::row;

    const U: &str = "electricity.voltage.rms.l1";
    const PST: &str = "x.electricity.voltage.flicker.pst.l1";

    fn delivery(rows: &[Observation<'_>]) -> Delivery {
        let mut delivery = Delivery::default();
        for row in rows {
            delivery.observation(row);
        }
        delivery.closed()
    }

    #[test]
    fn an_altered_reading_is_found_whichever_half_comes_first() {
        let due = row("m", 1, U, Some(230.0), None);
        let stored = row("m", 1, U, None, Some(460.0));
        let other = row("m", 2, U, Some(230.0), Some(230.0));
        for rows in [
            vec![due, stored],
            vec![stored, due],
            vec![due, other, stored],
            vec![stored, other, due],
        ] {
            let found = delivery(&rows);
            assert_eq!((found.missing, found.unexpected, found.altered), (1, 1, 1), "{rows:?}");
        }
    }

    #[test]
    fn a_reading_that_was_never_made_is_identified_by_when_it_was_due() {
        let never = |number, quantity| Observation {
            serial: None,
            epoch: None,
            ..row("m", number, quantity, Some(1.0), None)
        };
        let found = delivery(&[never(1, U), never(1, PST), never(2, U), never(3, U)]);
        assert_eq!((found.due, found.missing), (3, 3));
    }

    #[test]
    fn the_first_are_named_and_no_more() {
        let rows: Vec<_> = (1..=4)
            .flat_map(|n| [row("m", n, U, Some(1.0), None), row("m", 10 + n, U, None, Some(1.0))])
            .collect();
        let found = delivery(&rows);
        assert_eq!((found.missing, found.unexpected), (4, 4));
        let serials = |places: &[Place]| places.iter().map(|it| it.serial).collect::<Vec<_>>();
        assert_eq!(serials(&found.first_missing), [1, 2, 3].map(|n| Some(Serial(n))));
        assert_eq!(serials(&found.first_unexpected), [11, 12, 13].map(|n| Some(Serial(n))));
    }

    #[test]
    fn what_is_stored_twice_or_renumbered_is_not_altered() {
        let good = row("m", 1, U, Some(230.0), Some(230.0));
        let again = row("m", 1, U, None, Some(230.0));
        let found = delivery(&[good, row("m", 2, U, Some(1.0), Some(1.0)), again]);
        assert_eq!((found.stored, found.unexpected, found.altered), (2, 1, 0));
        let found =
            delivery(&[row("m", 1, U, Some(230.0), None), row("m", 9, U, None, Some(230.0))]);
        assert_eq!((found.missing, found.unexpected, found.altered), (1, 1, 0));
    }

    #[test]
    fn a_value_without_truth_may_be_absent_until_it_is_reported_first() {
        let reading = |serial, pst| {
            [
                row("m", serial, U, Some(230.0), Some(230.0)),
                row("m", serial, PST, Some(f64::NAN), pst),
            ]
        };
        let rows = [reading(1, None), reading(2, Some(1.0)), reading(3, Some(1.0))].concat();
        assert_eq!((delivery(&rows).stored, delivery(&rows).missing), (3, 0));
        let rows = [reading(1, None), reading(2, Some(1.0)), reading(3, None)].concat();
        assert_eq!((delivery(&rows).stored, delivery(&rows).missing), (2, 1));
        // A reading of which nothing came is missing, whatever is known of its truth.
        let nothing = [row("m", 1, PST, Some(f64::NAN), None)];
        assert_eq!(delivery(&nothing).missing, 1);
        let lost = [row("m", 1, U, Some(230.0), None), row("m", 1, PST, Some(f64::NAN), None)];
        assert_eq!(delivery(&lost).missing, 1);
    }

    #[test]
    fn a_copy_without_a_number_is_unexpected() {
        let copy = Observation { serial: None, epoch: None, ..row("m", 1, U, None, Some(230.0)) };
        let found = delivery(&[row("m", 1, U, Some(230.0), Some(230.0)), copy]);
        assert_eq!((found.stored, found.unexpected, found.without_serial), (1, 1, 0));
    }
}
