//! `disconnect`: a link breaks for a while.

use lastmeter_link::impair::Breakage;
use lastmeter_params::{Diagnostics, Dimension, Entry, Field, Kind};
use lastmeter_record::{Event, TimeMode, field};
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
pub(super) struct Disconnect;

impl InjectKind for Disconnect {
    fn entry(&self) -> Entry {
        Entry {
            name: "disconnect",
            summary: "a link breaks for a while: reset, closed, half-open, stalled",
            description: "`reset`: connections end with a TCP reset, and new ones as soon as they \
                are there. `close`: the same with an orderly end. `half-open`: connections stay \
                and swallow what is written, and neither end hears of it; what notices is a limit \
                for acknowledgements (`acknowledge_limit`) or the keep-alive. `stall`: connections \
                stay, everything is held, and comes out in order afterwards.\n\n\
                When `for` is over the link works again. Devices connect again by themselves and \
                send what is in their outbox, in order. Two breakages of one link may follow each \
                other, but not overlap.",
            fields: FIELDS,
        }
    }

    fn check(&self, row: &Row<'_>, draft: &Draft<'_>, out: &mut Diagnostics) {
        ends_in_time(row, draft, out);
    }

    fn target(&self, row: &Row<'_>, places: &Places<'_>, out: &mut Diagnostics) -> Option<Target> {
        link::target(row, places, out)
    }

    fn link_is(&self) -> Option<&'static str> {
        Some("broken")
    }

    fn breakage_ends(&self, row: &Row<'_>) -> Option<bool> {
        Some(row.table.get("for").is_some())
    }

    fn until(&self, injection: &Injection) -> Option<SimDuration> {
        injection.end_of_for()
    }

    fn begin(&self, injection: &Injection) -> Vec<Order> {
        order(injection, true)
    }

    fn end(&self, injection: &Injection) -> Vec<Order> {
        order(injection, false)
    }

    fn begun(&self, injection: &Injection, scenario: &Scenario, event: Event) -> Option<Event> {
        let through = injection.through().filter(|_| scenario.schedule.time == TimeMode::Real);
        let Some(through) = through else { return Some(event) };
        let lanes = scenario.lanes(through.link, through.devices.as_deref());
        Some(event.with(field::LANES, lanes))
    }

    fn ended(&self, injection: &Injection, scenario: &Scenario, at: SimTime) -> Option<Event> {
        link::restored(injection, scenario, at)
    }
}

fn order(injection: &Injection, begins: bool) -> Vec<Order> {
    let how = Breakage::from_word(injection.values.text("how"));
    let both = injection.through().cloned().zip(how);
    both.map(|(through, how)| Order::Disconnect { through, how, begins }).into_iter().collect()
}

const FIELDS: &[Field] = &[
    link::LINK,
    link::DEVICE,
    Field::default("how", Kind::Choice(Breakage::WORDS), "\"reset\"", "how it breaks"),
    Field::optional(
        "for",
        Kind::Quantity { dimension: Dimension::Time, min: 0.0, max: DURATION_S_MAX },
        "how long, within the scenario; `0 s`: only connections that are there; until the end if \
         left out",
    ),
];
