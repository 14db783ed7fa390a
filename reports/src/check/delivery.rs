//! Which readings were due, came, are missing, or came without being due.
//!
//! A *reading* is what a device sends at once: the rows of one (device, epoch, serial). The record
//! keeps them together, so they are counted as they pass by. What came without a serial cannot be
//! told apart, and only its rows are counted (D-22); what was due and never made by the device has
//! no serial either, and is missing at the instant at which it was due.

use lastmeter_units::{Epoch, Serial, SimTime};

use crate::record::Observation;
use crate::verdict::At;

/// The deliveries of one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// Readings that were due.
    pub due: u64,
    /// Due readings of which every value came.
    pub stored: u64,
    /// Due readings of which at least one value did not come.
    pub missing: u64,
    /// Times something came that was not due: another reading, or one value more of a due one.
    pub unexpected: u64,
    /// Values that came without a serial number.
    pub without_serial: u64,
    /// The first missing ones, at most [`NAMED_MAX`].
    pub first_missing: Vec<Place>,
    /// The first unexpected ones, at most [`NAMED_MAX`].
    pub first_unexpected: Vec<Place>,
    open: Option<Open>,
}

/// How many missing or unexpected readings are remembered by name.
pub const NAMED_MAX: usize = 3;

/// Which reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its epoch.
    pub epoch: Option<Epoch>,
    /// Its serial number; `None` if the device never made it.
    pub serial: Option<Serial>,
    /// Its event time.
    pub time: SimTime,
}

impl Place {
    /// Where that is in the record of a device.
    pub fn at(self, device: &str) -> At {
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
}

impl Delivery {
    /// Takes the next row of this device.
    pub fn observation(&mut self, observation: &Observation<'_>) {
        if observation.serial.is_none() && observation.reported.is_some() {
            self.without_serial += 1;
            return;
        }
        let place = Place {
            epoch: observation.epoch,
            serial: observation.serial,
            time: observation.event_time,
        };
        // A reading with a number is told by it; one that was never made, by when it was due.
        let same = |open: Place| {
            (open.epoch, open.serial) == (place.epoch, place.serial)
                && (place.serial.is_some() || open.time == place.time)
        };
        if !self.open.is_some_and(|open| same(open.place)) {
            self.close();
            self.open =
                Some(Open { place, is_due: false, is_missing: false, is_unexpected: false });
        }
        if let Some(open) = &mut self.open {
            open.is_due |= observation.reference.is_some();
            open.is_missing |= observation.reference.is_some() && observation.reported.is_none();
            open.is_unexpected |= observation.reference.is_none();
        }
    }

    /// The figures including the reading that is passing by.
    #[must_use]
    pub fn closed(&self) -> Self {
        let mut closed = self.clone();
        closed.close();
        closed
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.due += u64::from(open.is_due);
        self.missing += u64::from(open.is_missing);
        self.stored += u64::from(open.is_due && !open.is_missing);
        self.unexpected += u64::from(open.is_unexpected);
        for (happened, first) in [
            (open.is_missing, &mut self.first_missing),
            (open.is_unexpected, &mut self.first_unexpected),
        ] {
            if happened && first.len() < NAMED_MAX {
                first.push(open.place);
            }
        }
    }
}
