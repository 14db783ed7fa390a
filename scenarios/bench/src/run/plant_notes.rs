//! What the bench knows ahead of what happens in the plant, and notes when it is its time.

use std::collections::VecDeque;

use lastmeter_devices::{EventFacts, SupplyFacts};
use lastmeter_grid::motion::OperationKind;
use lastmeter_language::Scenario;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_sim::grid::{Interruption, Operation, SolvedNetwork};
use lastmeter_sim::voltage_events::{EventLimits, TrueEvent, gaps_of_supply, voltage_events};
use lastmeter_sim::{MeteringPoint, Terminal};
use lastmeter_units::{SimDuration, SimTime};

use super::ledger::{Outage, outages};
use super::tampering;

/// A watt-hour in joules.
const WATT_HOUR_J: f64 = 3600.0;

/// The crest factor of a sine, sqrt 2, rounded up: below so many times the voltage that a device
/// needs, some period of a cut sine may hold less than that, since parts of sines have more than
/// their mean square.
const PEAK_FACTOR: f64 = 1.42;

/// A supply that is gone for so long is noticed: two periods.
const SURELY_NOTICED: SimDuration = SimDuration::from_milliseconds(40);

/// Up to when the plant is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// Since the start.
    pub(crate) until: SimDuration,
    /// Whether nothing follows: what goes on is noted as it stands.
    pub(crate) is_last: bool,
}

/// All of it, in order of time; of a network that obeys nothing, as it is not known ahead.
pub(crate) fn notes(scenario: &Scenario) -> VecDeque<Event> {
    let start = scenario.schedule.start;
    let end = start + scenario.schedule.duration;
    let mut notes = Vec::new();
    let obeys = scenario.network_that_obeys().is_some();
    if let Some(feeder) = scenario.feeder().filter(|_| !obeys) {
        notes.extend(operations(feeder, start));
        notes.extend(interruptions(feeder, (start, end)));
    }
    let horizon = Horizon { until: scenario.schedule.duration, is_last: true };
    for index in 0..scenario.devices.len() {
        let source = &scenario.plant.sources[scenario.devices[index].source];
        if !(obeys && source.is_of_network()) {
            notes.extend(of_device(scenario, index, horizon));
        }
    }
    notes.retain(|event| event.time <= end);
    notes.sort_by_key(|event| event.time);
    notes.into()
}

/// What was done to elements of the network.
pub(crate) fn operations(
    feeder: &SolvedNetwork,
    start: SimTime,
) -> impl Iterator<Item = Event> + '_ {
    feeder.operations().iter().map(move |it| operated(it, start))
}

/// What was done to an element of a network, for the record.
pub(crate) fn operated(it: &Operation, start: SimTime) -> Event {
    let at = start + SimDuration(it.at_ns);
    let idle = if it.kind == OperationKind::Idle { "nothing was done: " } else { "" };
    let event = Event::new(at, "bench", EventKind::Operated)
        .with(field::ELEMENT, &*it.element)
        .with(field::WHAT, it.kind.word())
        .with_prose(field::DETAIL, format!("{idle}{}", it.detail))
        .with(field::NODE, &*it.node);
    let Some(point) = it.point else { return event };
    event
        .with(field::CURRENT_A, point.current_a)
        .with(field::AFTER_S, point.time_s)
        .with(field::IS_RESIDUAL, point.is_residual)
}

/// What a device that lives on its supply had to notice of it.
fn of_supply(
    facts: &SupplyFacts,
    terminal: &Terminal,
    until: SimDuration,
    event: impl Fn(SimDuration, EventKind) -> Event,
) -> Vec<Event> {
    let mut notes = Vec::new();
    let gaps = gaps_of_supply(terminal, facts.minimum_v, until);
    // Brief ones that are nearly so: over a period by itself some phase has a little more.
    for gap in gaps_of_supply(terminal, PEAK_FACTOR * facts.minimum_v, until) {
        let Some(to) = gap.to.filter(|to| *to - gap.from < SURELY_NOTICED) else { continue };
        if gaps.iter().any(|it| it.from <= to && it.to.is_none_or(|to| gap.from <= to)) {
            continue;
        }
        let lost = event(gap.from, EventKind::SupplyLost).with(field::GASPS, facts.gasps);
        let back = event(to, EventKind::SupplyReturned)
            .with(field::REPORTS, facts.reports)
            .with(field::BOOT_S, 0.0);
        notes.extend([lost, back].map(|it| it.with(field::IS_CERTAIN, false)));
    }
    for Outage { gap, dark, announces_loss, announces_return, flutter } in outages(facts, &gaps) {
        // A shorter one lies within what meters look at as a whole, and may be missed.
        let is_certain = gap.to.is_none_or(|to| to - gap.from >= SURELY_NOTICED);
        let lost = event(gap.from, EventKind::SupplyLost)
            .with(field::GASPS, facts.gasps && announces_loss)
            .with(field::IS_CERTAIN, is_certain);
        notes.push(lost);
        let holds_out = dark.is_none() && announces_loss && flutter.is_empty();
        for (back, lost) in flutter.into_iter().filter(|_| announces_loss) {
            let back = event(back, EventKind::SupplyReturned)
                .with(field::REPORTS, facts.reports)
                .with(field::BOOT_S, 0.0);
            let lost = event(lost, EventKind::SupplyLost).with(field::GASPS, facts.gasps);
            notes.extend([back, lost].map(|it| it.with(field::IS_CERTAIN, false)));
        }
        let Some(to) = gap.to else { continue };
        let boot = if dark.is_some() { facts.boot } else { SimDuration::ZERO };
        let back = event(to, EventKind::SupplyReturned)
            .with(field::REPORTS, facts.reports && announces_return)
            .with(field::BOOT_S, boot.as_seconds_f64())
            .with(field::IS_CERTAIN, is_certain);
        notes.push(if holds_out { back.with(field::HELD_OUT, true) } else { back });
    }
    notes
}

/// What a device that lives on its supply, or looks for voltage events, had to notice.
pub(crate) fn of_device(scenario: &Scenario, index: usize, horizon: Horizon) -> Vec<Event> {
    let (start, Horizon { until, is_last }) = (scenario.schedule.start, horizon);
    let row = &scenario.devices[index];
    let point = scenario.plant.sources[row.source].metering_point.as_ref();
    let terminal = point.and_then(MeteringPoint::terminal);
    // A board's image is asked for where the device is used.
    let Some(device) = scenario.build_device_with(index, None) else { return Vec::new() };
    let event = |at: SimDuration, kind: EventKind| {
        Event::new(start + at, "bench", kind).with(field::DEVICE, row.name.as_str())
    };
    let mut notes: Vec<Event> = tampering::due(scenario, index, &*device, terminal)
        .map(|it| {
            event(it.from, EventKind::Tamper)
                .with(field::WHAT, it.what)
                .with(field::SPREAD_S, it.spread.as_seconds_f64())
                .with(field::IS_CERTAIN, it.is_certain)
        })
        .collect();
    let Some(terminal) = terminal else { return notes };
    if let Some(facts) = device.supply() {
        notes.extend(of_supply(&facts, terminal, until, event));
    }
    let Some(facts) = device.watched_events() else { return notes };
    let EventFacts { declared_v, dip_v, swell_v, interruption_v, hysteresis_v, kinds } = facts;
    let limits = EventLimits { dip_v, swell_v, interruption_v, hysteresis_v };
    let wanted: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
    for seen in voltage_events(terminal, &limits, until) {
        if !wanted.contains(&seen.kind.word()) || !(seen.is_over || is_last) {
            continue;
        }
        notes.push(of_voltage(event(seen.from, EventKind::VoltageEvent), &seen, declared_v));
    }
    notes
}

/// What a meter had to see of a voltage event.
fn of_voltage(note: Event, seen: &TrueEvent, declared_v: f64) -> Event {
    // Also where all see one event its voltage may have lingered at the threshold.
    let spread_s = (seen.from_latest - seen.from_earliest).as_seconds_f64() / 2.0;
    let note = note
        .with(field::WHAT, seen.kind.word())
        .with(field::PHASE, format!("l{}", seen.phase + 1))
        .with(field::DURATION_MIN_S, seen.duration_min_s)
        .with(field::DURATION_MAX_S, seen.duration_max_s)
        .with(field::RESIDUAL_MIN_V, seen.residual_min_v)
        .with(field::RESIDUAL_MAX_V, seen.residual_max_v)
        .with(field::DECLARED_V, declared_v)
        .with(field::IS_CERTAIN, seen.is_certain)
        .with(field::SPREAD_S, spread_s);
    // Where all see the same there is no more to be noted.
    if seen.is_certain { note } else { note.with(field::MOST, seen.most) }
}

/// When loads had no supply, of those that began by an instant.
pub(crate) fn interruptions(
    feeder: &SolvedNetwork,
    (start, end): (SimTime, SimTime),
) -> impl Iterator<Item = Event> + '_ {
    let customers = feeder.network().loads.len();
    feeder.interruptions().into_iter().map(move |interruption| {
        let Interruption { load, from, to, .. } = interruption;
        let until = to.map_or(end, |to| (start + to).min(end));
        let length = until - (start + from);
        let unserved_wh = feeder.unserved_j(&interruption, from + length) / WATT_HOUR_J;
        Event::new(start + from, "bench", EventKind::Interruption)
            .with(field::LOAD, &*feeder.network().loads[load].name)
            .with(field::DURATION_S, length.as_seconds_f64())
            .with(field::IS_OVER, to.is_some_and(|to| start + to <= end))
            .with(field::UNSERVED_WH, unserved_wh)
            .with(field::IS_PLANNED, interruption.is_planned)
            .with(field::CUSTOMERS, 1)
            .with(field::CUSTOMERS_TOTAL, customers)
    })
}

#[cfg(test)]
mod tests {
    use lastmeter_sim::voltage_events::TrueEventKind;

    use super::*;

    #[test]
    fn an_operation_has_its_node_as_a_field_whatever_its_text() {
        let it = Operation {
            at_ns: 0,
            element: "fault:tree".into(),
            node: "b at 2".into(),
            kind: OperationKind::Ignited,
            detail: "at a, which is not energised".into(),
            point: None,
        };
        let event = operated(&it, SimTime(0));
        assert_eq!(event.text(field::NODE), Some("b at 2"));
        assert_eq!(event.prose(field::DETAIL), Some(&"at a, which is not energised".into()));
    }

    #[test]
    fn a_certain_event_has_a_range_of_beginnings_too() {
        let at = SimDuration::from_seconds_f64;
        let seen = TrueEvent {
            kind: TrueEventKind::Dip,
            phase: 2,
            from: at(10.1),
            from_earliest: at(10.0),
            from_latest: at(10.2),
            duration_min_s: 0.8,
            duration_max_s: 1.0,
            residual_min_v: 150.0,
            residual_max_v: 150.0,
            is_certain: true,
            most: 1,
            is_over: true,
        };
        let note =
            of_voltage(Event::new(SimTime(0), "bench", EventKind::VoltageEvent), &seen, 230.0);
        let number = |name: &str| note.get(name).and_then(serde_json::Value::as_f64);
        assert!((number(field::SPREAD_S).unwrap() - 0.1).abs() < 1e-9, "{note:?}");
        assert_eq!(note.get(field::MOST), None);
    }
}
