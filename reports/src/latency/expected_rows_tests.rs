//! Rows that are missing, counted by hand.

use lastmeter_units::{MeasurementId, SimDuration};
use proptest::prelude::*;

use super::super::message::{Span, Window};
use super::*;
use lastmeter_record::{LatencyRow, Point};

const SECOND: i64 = 1_000_000_000;
const START: SimTime = SimTime(1_800_000_000 * SECOND);
const WINDOW: Window =
    Window { from_ns: 10 * SECOND, to_ns: 60 * SECOND, waited_until_ns: 70 * SECOND };

fn expected_by(pattern: &str) -> ExpectedRows {
    let json = serde_json::json!({
        "format_version": 1, "state": "finished", "scenario": "s", "seed": 1, "time": "real",
        "start": START, "end": START, "started": START,
    });
    ExpectedRows::new(&serde_json::from_value(json).unwrap(), Pattern::new(pattern))
}

fn population() -> Population {
    Population::new(Span { from: Point::Intended, to: Point::Queryable }, WINDOW, &[])
}

/// The series of a device.
fn series_of<'a>(expected: &'a ExpectedRows, device: &str) -> &'a [ReadingSeries] {
    expected.readings.iter().find(|(name, _)| *name == device).unwrap().1
}

/// A device that is due each second from the first on, with the values of two quantities each.
fn due(
    expected: &mut ExpectedRows,
    device: &str,
    numbers: impl Iterator<Item = (u64, Option<u64>)>,
) {
    for (second, serial) in numbers {
        for quantity in ["electricity.voltage.rms.l1", "electricity.frequency"] {
            expected.observation(&Observation {
                device,
                epoch: serial.map(|_| Epoch(1)),
                serial: serial.map(Serial),
                quantity: MeasurementId::lookup(quantity).unwrap(),
                event_time: START + SimDuration::from_seconds(second as i64),
                reference: Some(1.0),
                reported: None,
                span: None,
            });
        }
    }
}

fn row(rows: &mut Population, id: &str, intended_ns: i64) {
    let mut points = [None; Point::COUNT];
    points[Point::Intended.index()] = Some(intended_ns);
    let path = "reading";
    rows.row(&LatencyRow { path, id, points, bytes: 0, copies: 0 });
}

/// Rows of a device with a lag, for the numbers of `those`; due each second.
fn sent(rows: &mut Population, device: &str, lag_ns: i64, those: impl Iterator<Item = u64>) {
    for number in those {
        row(rows, &format!("{device}/1/{number}"), number as i64 * SECOND + lag_ns);
    }
}

fn all(expected: &ExpectedRows, rows: &Population) -> Option<(u64, u64, String)> {
    let missing = expected.missing("reading", rows, |_| true)?;
    Some((missing.count(), missing.due, missing.because().why.to_string()))
}

#[test]
fn each_reading_of_the_window_has_to_have_a_row() {
    let mut expected = expected_by("*");
    for device in ["a", "b"] {
        due(&mut expected, device, (1..=60).map(|number| (number, Some(number))));
    }
    assert_eq!(series_of(&expected, "a").len(), 1, "one series");
    // b lags by 0.7 s: its 60th is due after the window, its 10th is the first in it.
    let mut rows = population();
    sent(&mut rows, "a", 0, 1..=60);
    sent(&mut rows, "b", 7 * SECOND / 10, 1..=60);
    assert_eq!(all(&expected, &rows), None);
    // What was due in the warm-up is not judged.
    let mut rows = population();
    sent(&mut rows, "a", 0, 10..=60);
    sent(&mut rows, "b", 7 * SECOND / 10, 10..=59);
    assert_eq!(all(&expected, &rows), None);
    let mut rows = population();
    sent(&mut rows, "a", 0, 1..=60);
    sent(&mut rows, "b", 7 * SECOND / 10, (1..=60).filter(|number| !(30..40).contains(number)));
    let why = "the record is incomplete: latency.csv has 91 of 101 readings due in the judged time \
               (device b: 40 of 50)";
    assert_eq!(all(&expected, &rows), Some((10, 101, why.to_owned())));
    // A device that has no row at all is not overlooked.
    let mut rows = population();
    sent(&mut rows, "a", 0, 1..=60);
    let (missing, _, why) = all(&expected, &rows).unwrap();
    assert_eq!(missing, 51);
    assert!(why.ends_with("(device b: 0 of 51)"), "{why}");
    assert_eq!(expected.missing("reading", &rows, |device| device == "a"), None);
}

#[test]
fn what_was_never_made_is_owed_all_the_same() {
    let mut expected = expected_by("*");
    let serial = |number: u64| match number {
        ..20 => Some(number),
        20..25 => None,
        _ => Some(number - 5),
    };
    due(&mut expected, "a", (1..=60).map(|number| (number, serial(number))));
    assert_eq!(series_of(&expected, "a").len(), 3);
    let mut rows = population();
    for number in 1..=60 {
        let id = match serial(number) {
            Some(serial) => format!("a/1/{serial}"),
            None => format!("a//{number}"),
        };
        row(&mut rows, &id, number as i64 * SECOND + 5);
    }
    assert_eq!(all(&expected, &rows), None);
    let mut without = population();
    for number in (1..=60).filter(|&number| serial(number).is_some()) {
        let id = format!("a/1/{}", serial(number).unwrap());
        row(&mut without, &id, number as i64 * SECOND + 5);
    }
    assert_eq!(all(&expected, &without).unwrap().0, 5);
}

/// What is stored and was not due owes nothing.
#[test]
fn unexpected_values_are_not_due() {
    let mut expected = expected_by("*");
    due(&mut expected, "a", (1..=60).map(|number| (number, Some(number))));
    expected.observation(&Observation {
        device: "ghost",
        epoch: Some(Epoch(1)),
        serial: Some(Serial(1)),
        quantity: MeasurementId::lookup("electricity.frequency").unwrap(),
        event_time: START + SimDuration::from_seconds(30),
        reference: None,
        reported: Some(1.0),
        span: None,
    });
    let mut rows = population();
    sent(&mut rows, "a", 0, 1..=60);
    assert_eq!(all(&expected, &rows), None);
}

#[test]
fn each_command_has_to_have_a_row() {
    let mut expected = expected_by("*");
    for id in 0..3 {
        expected.event(&Event::command(START, id, "a", "setReportingPeriod"));
    }
    let mut rows = population();
    for id in 0..2 {
        row(&mut rows, &format!("a//{id}"), 20 * SECOND);
    }
    let missing = expected.missing("command", &rows, |_| true).unwrap();
    assert_eq!(
        missing.because(),
        Because::new(
            Reason::Incomplete,
            "the record is incomplete: latency.csv has 2 of 3 commands given"
        )
    );
    row(&mut rows, "a//2", 20 * SECOND);
    assert_eq!(expected.missing("command", &rows, |_| true), None);
    assert_eq!(expected.missing("reading", &rows, |_| true), None);
    // Those of other devices, and all else that happens, are not counted.
    let mut others = expected_by("b*");
    others.event(&Event::command(START, 1, "a", "setReportingPeriod"));
    others.event(&Event::note(START, "x"));
    assert_eq!(others.commands, 0);
}

proptest! {
    /// Whatever the period does, the number is that of the readings in the window.
    #[test]
    fn the_number_owed_is_that_of_the_readings(
        steps in prop::collection::vec((1_i64..9, 1_usize..8), 1..12), lag_ns in 0_i64..SECOND,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut expected = expected_by("*");
        let (mut at_s, mut instants) = (0, Vec::new());
        for (step_s, count) in steps {
            for _ in 0..count {
                at_s += step_s;
                instants.push(at_s);
            }
        }
        due(&mut expected, "a", instants.iter().zip(1..).map(|(&at, serial)| (at as u64, Some(serial))));
        let mut kept: Vec<(i64, u64)> = instants.iter().copied().zip(1..).collect();
        for index in lost {
            if kept.len() > 1 {
                kept.remove(index.index(kept.len()));
            }
        }
        let mut rows = population();
        for (at_s, serial) in &kept {
            row(&mut rows, &format!("a/1/{serial}"), at_s * SECOND + lag_ns);
        }
        let inside = |at_s: i64| WINDOW.holds(at_s * SECOND + lag_ns);
        let due = instants.iter().filter(|&&at_s| inside(at_s)).count() as u64;
        let found = kept.iter().filter(|(at_s, _)| inside(*at_s)).count() as u64;
        let missing = expected.missing("reading", &rows, |_| true);
        prop_assert_eq!(missing.is_some(), found < due);
        if let Some(missing) = missing {
            prop_assert_eq!((missing.rows, missing.due), (found, due));
        }
    }
}
