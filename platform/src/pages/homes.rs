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

/// In how many seconds what is shown of devices grows older than it is, if nothing comes.
pub(super) fn ages_in_s<'a>(
    of: impl IntoIterator<Item = &'a Known>,
    viewer: &Viewer,
) -> Option<u64> {
    let next = of.into_iter().filter_map(|known| known.ages_at).min()?;
    Some(next.since(viewer.now()).as_seconds_f64().max(0.0).ceil() as u64)
}
