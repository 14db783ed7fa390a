//! Cold-load pickup: the keys of `[[grid.load]]` about what an outage does to a load.

use lastmeter_params::{Code, Diagnostics, Dimension, Field, Kind};
use lastmeter_sim::grid::Pickup;

use crate::draft::Row;
use crate::names::Names;

const FACTOR: &str = "cold_load_pickup";
const LOST: &str = "cold_load_lost";
const DECAY: &str = "cold_load_decay";

const TIME: Kind = Kind::Quantity { dimension: Dimension::Time, min: 1.0, max: 1e6 };

pub(super) const PICKUP: Field = Field::optional(
    FACTOR,
    Kind::Quantity { dimension: Dimension::Ratio, min: 1.0, max: 20.0 },
    "how many times its profile a load draws right after a very long outage, as it has lost its \
     diversity; after one of the length d, t later: 1 + (k - 1) (1 - exp(-d / lost)) exp(-t / decay)",
);
pub(super) const PICKUP_LOST: Field = Field::default(
    LOST,
    TIME,
    "\"30 min\"",
    "of `cold_load_pickup`: the time constant with which diversity is lost without supply",
);
pub(super) const PICKUP_DECAY: Field = Field::default(
    DECAY,
    TIME,
    "\"20 min\"",
    "of `cold_load_pickup`: the time constant with which it comes back with supply",
);

/// By load, what an outage does to it. Several tables about one load agree, or leave it to one.
pub(super) fn pickups(
    rows: &[Row<'_>],
    loads: &Names,
    count: usize,
    out: &mut Diagnostics,
) -> Vec<Option<Pickup>> {
    let mut pickups: Vec<Option<Pickup>> = vec![None; count];
    for row in rows {
        let (Some((pattern, span)), Some(values)) = (row.text("name"), &row.values) else {
            continue;
        };
        let Some(factor) = values.si_opt(FACTOR) else {
            // Defaults that are written out, as in a resolved scenario, are none.
            let is_idle = |key: &&str| values.is_written(key) && !values.is_default(key);
            for key in [LOST, DECAY].into_iter().filter(is_idle) {
                let message = format!("`{key}` without `{FACTOR}` changes nothing");
                let label = "of which pickup?";
                out.report(Code::DOES_NOT_FIT, values.span_of(key), message, label);
            }
            continue;
        };
        let own = Pickup { factor, lost: values.duration(LOST), decay: values.duration(DECAY) };
        // A name that is not there was reported with the profiles.
        for load in loads.fitting(pattern, span, &mut Diagnostics::default()) {
            let Some(pickup) = pickups.get_mut(load) else { continue };
            if pickup.is_some_and(|other| other != own) {
                let message = format!("another table gives `{pattern}` another pickup");
                let label = "expected the same, or one of them";
                out.report(Code::DOES_NOT_FIT, values.span_of(FACTOR), message, label);
                break;
            }
            *pickup = Some(own);
        }
    }
    pickups
}

/// Reports pickups where nobody would see them: outages happen in a network in motion, and one
/// that a simulator plays takes loads as they are given.
pub(super) fn report_idle_pickup(rows: &[Row<'_>], why: &str, help: &str, out: &mut Diagnostics) {
    let written = |row: &Row<'_>| {
        let values = row.values.as_ref()?;
        values.si_opt(FACTOR).map(|_| values.span_of(FACTOR))
    };
    if let Some(span) = rows.iter().find_map(written) {
        let message = format!("`{FACTOR}` {why}");
        let label = "changes nothing here";
        out.report_with_help(Code::DOES_NOT_FIT, span, message, label, Some(help.to_owned()));
    }
}
