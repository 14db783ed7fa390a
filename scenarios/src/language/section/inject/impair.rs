//! `impair`: a link gets worse for a while.

use std::sync::LazyLock;

use lastmeter_link::impair::{IMPAIR_FIELDS, Impairment, read_impairment};
use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind};
use lastmeter_record::Event;
use lastmeter_units::{SimDuration, SimTime};

use super::injection::{Injection, ends_in_time};
use super::kind::InjectKind;
use super::link;
use super::order::Order;
use super::target::{Places, Target};
use crate::language::draft::{Draft, Row};
use crate::language::scenario::Scenario;
use crate::language::section::scenario::DURATION_S_MAX;

/// The registered kind.
pub(super) struct Impair;

impl InjectKind for Impair {
    fn entry(&self) -> Entry {
        Entry {
            name: "impair",
            summary: "a link gets worse for a while: slower, lossy, narrow, corrupting",
            description: "Its effect comes on top of what the link does anyway: delays add up, \
                losses are further causes of their own, a bandwidth is one more line in series. \
                Connections stay. In virtual time the same law is computed for each message, and \
                what comes out is labelled modelled. Two impairments of one link may follow each \
                other, but not overlap.",
            fields: &FIELDS,
        }
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        ends_in_time(row, draft, out);
        if let Some(values) = &row.values {
            read_impairment(values, out);
        }
    }

    fn target(&self, row: &Row<'_>, places: &Places<'_>, out: &mut Diagnostics) -> Option<Target> {
        link::target(row, places, out)
    }

    fn link_is(&self) -> Option<&'static str> {
        Some("impaired")
    }

    fn until(&self, injection: &Injection) -> Option<SimDuration> {
        injection.end_of_for()
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        let change = read_impairment(&injection.values, &mut Diagnostics::new());
        order(injection, change.as_ref())
    }

    fn end(&self, injection: &Injection) -> Vec<Order> {
        order(injection, None)
    }

    fn ended(&self, injection: &Injection, scenario: &Scenario, at: SimTime) -> Option<Event> {
        link::restored(injection, scenario, at)
    }
}

fn order(injection: &Injection, change: Option<&Impairment>) -> Vec<Order> {
    let order = |through| Order::Impair { through, change: change.copied().map(Box::new) };
    injection.through().cloned().map(order).into_iter().collect()
}

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let own = [
        link::LINK,
        link::DEVICE,
        Field::optional(
            "for",
            Kind::Quantity { dimension: Dimension::Time, min: 1e-3, max: DURATION_S_MAX },
            "how long, within the scenario; until the end if left out",
        ),
    ];
    own.into_iter().chain(IMPAIR_FIELDS.iter().copied()).collect()
});
