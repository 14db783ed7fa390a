//! Voltage events that meters report, against events in closed form.

use lastmeter_devices::{EventFacts, EventKind, Output, VoltageEventKind};
use lastmeter_wire::flexmeter::{AlertLevel, AlertMessage};

use super::behaviour::events;
use super::supply::{Acknowledge, alerts, feed, sine};
use super::support::{START, meter, readings};

const ALL: &str = "report_every = \"1 s\"\nsample_rate = \"6.4 kHz\"\nquantities = [\"voltage\"]\n\
                   events = [\"dip\", \"swell\", \"interruption\"]\n";

/// Class A of IEC 61000-4-30 (5.4.5): 0.2 % of the declared voltage, and one cycle (and the last
/// digit of a message).
const VOLTAGE_V: f64 = 0.002 * 230.0;
const CYCLE_S: f64 = 0.02 + 1e-4;

/// A step between zero crossings turns the phase of the cycles it lies in, and so the crossings
/// that half-cycle values are summed between: 0.3 % of the declared voltage.
const BETWEEN_CROSSINGS_V: f64 = 0.003 * 230.0;

/// Phase, residual voltage and duration: facts of an alert, of which its message has some digits.
fn parsed(alert: &AlertMessage) -> (&str, f64, f64) {
    let fact = |name: &str| alert.metadata[name].as_str();
    let number = |name: &str| fact(name).parse::<f64>().expect("a number");
    let (kind, phase) = (fact("kind"), fact("phase"));
    let (volts, seconds) = (number("residual_v"), number("duration_s"));
    let message = format!("home: {kind} on {phase}: residual {volts:.2} V for {seconds:.4} s");
    assert_eq!(alert.message, message);
    assert_eq!(alert.alert_type, format!("voltage.{kind}"));
    assert_eq!(alert.level, AlertLevel::Warning);
    assert!(!alert.metadata.contains_key("node"), "it is in no network");
    (phase, volts, seconds)
}

/// Three phases of 230 V, but for one that has another voltage for a time.
fn run(
    fields: &str,
    piece: usize,
    phase: usize,
    volts: f64,
    from_s: f64,
    to_s: f64,
) -> Vec<Output> {
    let mut device = meter("ideal-3ph", &format!("{ALL}{fields}"), 3);
    let signal = |n: usize, t_s: f64| {
        let is_within = n == phase && (from_s..to_s).contains(&t_s);
        sine(n, t_s, if is_within { volts } else { 230.0 })
    };
    feed(&mut *device, (to_s + 1.0, piece), Acknowledge::AtOnce, signal, 3)
}

#[test]
fn an_event_on_one_phase_is_reported_as_class_a_asks() {
    for (phase, volts, kind) in [
        (0, 138.0, "voltage.dip"),
        (1, 92.0, "voltage.dip"),
        (2, 200.0, "voltage.dip"),
        (1, 287.5, "voltage.swell"),
        (2, 40.0, "voltage.dip"),
    ] {
        // At a zero crossing of its phase, and between two.
        let crossing_s = 2.0 + phase as f64 / 150.0;
        for (from_s, length_s, limit_v) in [
            (crossing_s, 0.2, VOLTAGE_V),
            (crossing_s + 0.01, 0.11, VOLTAGE_V),
            (2.0037, 0.06, BETWEEN_CROSSINGS_V),
            (2.0113, 1.5, BETWEEN_CROSSINGS_V),
        ] {
            let out = run("", 6400, phase, volts, from_s, from_s + length_s);
            let found = alerts(&out);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].alert_type, kind);
            let (on, residual_v, duration_s) = parsed(&found[0]);
            assert_eq!(on, ["l1", "l2", "l3"][phase]);
            assert!((residual_v - volts).abs() <= limit_v, "{residual_v} V for {volts} V");
            assert!((duration_s - length_s).abs() <= CYCLE_S, "{duration_s} s for {length_s} s");
            let begun_s = (found[0].event_date.expect("a date") - START).as_seconds_f64();
            assert!((begun_s - from_s).abs() <= CYCLE_S, "{begun_s} s for {from_s} s");
        }
    }
}

#[test]
fn how_samples_are_cut_changes_no_event() {
    let out = run("hold_up = \"0.2 s\"\n", 6400, 1, 5.0, 2.0037, 2.4);
    for piece in [37, 1000, 30_000] {
        assert_eq!(run("hold_up = \"0.2 s\"\n", piece, 1, 5.0, 2.0037, 2.4), out);
    }
}

#[test]
fn an_interruption_is_a_dip_too_and_marks_the_readings_of_its_time() {
    let out = run("hold_up = \"0.2 s\"\n", 6400, 2, 4.6, 1.3, 2.3);
    let types: Vec<String> = alerts(&out).into_iter().map(|alert| alert.alert_type).collect();
    // The other phases keep the meter alive.
    assert_eq!(types, ["voltage.interruption", "voltage.dip"]);
    assert_eq!(events(&out), []);
    let marks: Vec<bool> =
        readings(&out).iter().map(|reading| reading.metadata.contains_key("interrupted")).collect();
    assert_eq!(marks, [false, true, true]);
    // A part of one second marks the reading of that second, and no other.
    let out = run("hold_up = \"0.2 s\"\n", 6400, 2, 4.6, 1.3, 1.5);
    let mut device = meter("ideal-3ph", ALL, 3);
    let signal = |n: usize, t_s: f64| {
        sine(n, t_s, if n == 2 && (1.3..1.5).contains(&t_s) { 4.6 } else { 230.0 })
    };
    let longer = feed(&mut *device, (4.1, 6400), Acknowledge::AtOnce, signal, 3);
    let marks = |out: &[Output]| -> Vec<bool> {
        let all = readings(out);
        all.iter().map(|reading| reading.metadata.contains_key("interrupted")).collect()
    };
    assert_eq!(marks(&out), [false, true]);
    assert_eq!(marks(&longer), [false, true, false, false]);
}

#[test]
fn only_the_kinds_asked_for_are_reported() {
    let mut device = meter("ideal-1ph", &ALL.replace("\"dip\", \"swell\", ", ""), 1);
    let volts = |_, t_s: f64| {
        sine(
            0,
            t_s,
            match t_s {
                t if (1.0..1.2).contains(&t) => 100.0,
                t if (1.5..1.7).contains(&t) => 300.0,
                t if (2.0..2.2).contains(&t) => 2.0,
                _ => 230.0,
            },
        )
    };
    let found = alerts(&feed(&mut *device, (3.0, 6400), Acknowledge::AtOnce, volts, 1));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].alert_type, "voltage.interruption");
    let due = EventFacts {
        declared_v: 230.0,
        dip_v: 0.9 * 230.0,
        swell_v: 1.1 * 230.0,
        interruption_v: 0.05 * 230.0,
        hysteresis_v: 0.02 * 230.0,
        kinds: vec![VoltageEventKind::Interruption],
    };
    assert_eq!(device.watched_events(), Some(due));
}

#[test]
fn an_interruption_that_darkens_it_is_reported_as_the_return_alone() {
    let fields = format!("{ALL}hold_up = \"0.2 s\"\nboot = \"0.5 s\"\nlast_gasp = false\n");
    let mut device = meter("ideal-1ph", &fields, 1);
    // A dip while it is dark or boots is not seen; one afterwards is.
    let volts = |_, t_s: f64| {
        sine(
            0,
            t_s,
            match t_s {
                t if (1.0..2.0).contains(&t) => 0.0,
                t if (2.1..2.2).contains(&t) || (3.0..3.2).contains(&t) => 161.0,
                _ => 230.0,
            },
        )
    };
    let out = feed(&mut *device, (5.0, 6400), Acknowledge::AtOnce, volts, 1);
    let types: Vec<String> = alerts(&out).into_iter().map(|alert| alert.alert_type).collect();
    assert_eq!(types, ["supply.returned", "voltage.dip"]);
    assert!(events(&out).contains(&EventKind::Dark));
}
