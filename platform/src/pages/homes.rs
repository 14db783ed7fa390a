//! How what is known of devices is shown.

use lastmeter_units::MeasurementId;

use super::format::{Shown, When, of_quantity};
use super::viewer::Viewer;
use crate::ops::homes::Known;

/// The last value of a quantity, as shown.
pub(super) fn last_shown(known: &Known, quantity: &str) -> Option<Shown> {
    let id = MeasurementId::lookup(quantity)?;
    known.value(quantity).map(|(_, value)| of_quantity(id, value))
}

/// When a device was heard, for people.
pub(super) fn when(known: &Known, viewer: &Viewer) -> Option<When> {
    known.heard.map(|heard| viewer.times.age(heard))
}
