//! What the bench knows ahead of what happens in the plant, and notes when it is its time.

use std::collections::VecDeque;

use lastmeter_grid::motion::Deed;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_sim::grid::{Feeder, Interruption};
use lastmeter_units::SimTime;

use crate::language::Scenario;

/// A watt-hour in joules.
const WATT_HOUR_J: f64 = 3600.0;

/// All of it, in order of time.
pub(crate) fn notes(scenario: &Scenario) -> VecDeque<Event> {
    let start = scenario.schedule.start;
    let end = start + scenario.schedule.duration;
    let mut notes = Vec::new();
    if let Some(feeder) = scenario.feeder() {
        notes.extend(operations(feeder, start));
        notes.extend(interruptions(feeder, (start, end)));
    }
    notes.retain(|event| event.time <= end);
    notes.sort_by_key(|event| event.time);
    notes.into()
}

/// What was done to elements of the network.
fn operations(feeder: &Feeder, start: SimTime) -> impl Iterator<Item = Event> + '_ {
    feeder.operations().iter().map(move |it| {
        let at = start + lastmeter_units::SimDuration(it.at_ns);
        let idle = if it.deed == Deed::Idle { "nothing was done: " } else { "" };
        Event::new(at, "bench", EventKind::Operated)
            .with(field::ELEMENT, &*it.element)
            .with(field::WHAT, it.deed.word())
            .with(field::DETAIL, format!("{idle}{}", it.detail))
    })
}

/// When loads had no supply.
fn interruptions(
    feeder: &Feeder,
    (start, end): (SimTime, SimTime),
) -> impl Iterator<Item = Event> + '_ {
    let customers = feeder.network().loads.len();
    feeder.interruptions().into_iter().map(move |Interruption { load, from, to }| {
        let until = to.map_or(end, |to| (start + to).min(end));
        let length = until - (start + from);
        let unserved_wh = feeder.wanted_j(load, from, from + length) / WATT_HOUR_J;
        Event::new(start + from, "bench", EventKind::Interruption)
            .with(field::LOAD, &*feeder.network().loads[load].name)
            .with(field::DURATION_S, length.as_seconds_f64())
            .with(field::IS_OVER, to.is_some_and(|to| start + to <= end))
            .with(field::UNSERVED_WH, unserved_wh)
            .with(field::CUSTOMERS, 1)
            .with(field::CUSTOMERS_TOTAL, customers)
    })
}
