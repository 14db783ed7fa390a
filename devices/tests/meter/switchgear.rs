//! A switch of the network as a device: it obeys, and answers by what is read back.

use lastmeter_devices::{Device, DeviceFault, ERROR_PREFIX, Input, Output};
use lastmeter_sim::PipeState;
use lastmeter_sim::grid::SwitchState;
use lastmeter_units::SimDuration;
use lastmeter_wire::flexmeter::{ParameterValue, Request};

use super::behaviour::command;
use super::support::{START, meter, readings, requests, values};

const OPEN: SwitchState = SwitchState { is_closed: false, is_open: true, is_locked_out: false };
const CLOSED: SwitchState = SwitchState { is_closed: true, is_open: false, ..OPEN };
const SOME_OPEN: SwitchState = SwitchState { is_open: false, ..OPEN };
const LOCKED_OUT: SwitchState = SwitchState { is_locked_out: true, ..OPEN };

fn ms(ms: i64) -> SimDuration {
    SimDuration::from_milliseconds(ms)
}

fn connected(model: &str) -> Box<dyn Device> {
    let mut device = meter(model, "report_every = \"1 s\"", 0);
    device.step(START, Input::Connected, &mut Vec::new());
    device
}

/// Lets it see how its switch stands up to an instant.
fn see(device: &mut dyn Device, until_ms: i64, state: SwitchState) -> Vec<Output> {
    let (until, mut out) = (ms(until_ms), Vec::new());
    let state = PipeState::Switch(state);
    device.step(START + until, Input::Pipe { until, state }, &mut out);
    out
}

fn set(id: &str, state: &str) -> Input {
    command(id, "setBreaker", [("state", ParameterValue::Text(state.to_owned()))])
}

fn give(device: &mut dyn Device, at_ms: i64, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    device.step(START + ms(at_ms), input, &mut out);
    out
}

fn is_moved(out: &[Output]) -> Option<bool> {
    out.iter().find_map(|output| match output {
        Output::Switched { is_closed } => Some(*is_closed),
        _ => None,
    })
}

/// Instants in milliseconds and texts of what it answered.
fn answers(out: &[Output]) -> Vec<(i64, String)> {
    let all = requests(out).into_iter().filter_map(|request| match request {
        Request::Acknowledge(it) => {
            Some(((it.event_date.expect("a date") - START).0 / 1_000_000, it.response))
        }
        _ => None,
    });
    all.collect()
}

/// Instants in milliseconds and types of its alerts.
fn alerts(out: &[Output]) -> Vec<(i64, String)> {
    let all = requests(out).into_iter().filter_map(|request| match request {
        Request::Alert(it) => {
            Some(((it.event_date.expect("a date") - START).0 / 1_000_000, it.alert_type))
        }
        _ => None,
    });
    all.collect()
}

/// Of each reading whether the switch was closed.
fn closed(out: &[Output]) -> Vec<f64> {
    readings(out).iter().map(|it| values(it)["x.electricity.breaker.closed"]).collect()
}

#[test]
fn an_order_moves_it_at_once_and_is_answered_by_what_is_read_back() {
    for piece_ms in [1, 70, 100_000] {
        let mut device = connected("switch");
        let mut out = see(device.as_mut(), 1500, CLOSED);
        let moves = give(device.as_mut(), 1500, set("i-1", "open"));
        assert_eq!((is_moved(&moves), answers(&moves).len()), (Some(false), 0));
        assert!(device.awaits_answer());
        // The contact parts at 1.509 s.
        out.extend(see(device.as_mut(), 1509, CLOSED));
        let mut at_ms = 1509;
        while at_ms < 3000 {
            at_ms = (at_ms + piece_ms).min(3000);
            out.extend(see(device.as_mut(), at_ms, OPEN));
        }
        assert_eq!(answers(&out), [(1700, "open".to_owned())]);
        assert_eq!((closed(&out), alerts(&out)), (vec![1.0, 0.0, 0.0], Vec::new()));
        assert!(!device.awaits_answer());
    }
}

#[test]
fn what_moves_it_without_an_order_is_an_alert_at_its_instant() {
    let mut device = connected("recloser");
    let states = [(1000, CLOSED), (2000, OPEN), (2300, CLOSED), (5000, LOCKED_OUT)];
    let mut out = Vec::new();
    for (until_ms, state) in states {
        out.extend(see(device.as_mut(), until_ms, state));
    }
    let expected = [(1000, "switch.opened"), (2000, "switch.closed"), (2300, "switch.locked_out")];
    assert_eq!(alerts(&out), expected.map(|(at, kind)| (at, kind.to_owned())));
    assert_eq!(closed(&out), [1.0, 0.0, 0.0, 0.0, 0.0]);
    // Closed onto the fault it locks out again before the order is answered.
    give(device.as_mut(), 5000, set("i-1", "closed"));
    let mut out = see(device.as_mut(), 5100, CLOSED);
    out.extend(see(device.as_mut(), 6000, LOCKED_OUT));
    let why = format!("{ERROR_PREFIX}ordered closed, it stands open and is locked out");
    assert_eq!(answers(&out), [(5200, why)]);
    assert_eq!(alerts(&out), [(5100, "switch.locked_out".to_owned())]);
}

#[test]
fn a_contact_that_sticks_shows_in_what_is_read_back_unless_that_lies() {
    for is_unnoticed in [false, true] {
        let mut device = connected("switch");
        see(device.as_mut(), 500, CLOSED);
        let until = Some(START + ms(2000));
        give(device.as_mut(), 500, Input::Fault(DeviceFault::SwitchSticks { until, is_unnoticed }));
        assert_eq!(is_moved(&give(device.as_mut(), 500, set("i-1", "open"))), None);
        let out = see(device.as_mut(), 2500, CLOSED);
        let why = format!("{ERROR_PREFIX}ordered open, it stands closed");
        let expected = if is_unnoticed { "open".to_owned() } else { why };
        assert_eq!(answers(&out), [(700, expected)]);
        let shown = f64::from(u8::from(!is_unnoticed));
        assert_eq!(closed(&out), [shown, shown]);
        // It sticks no more.
        assert_eq!(is_moved(&give(device.as_mut(), 2500, set("i-2", "open"))), Some(false));
    }
}

/// Whoever reads `open` touches it.
#[test]
fn one_with_poles_of_both_kinds_is_neither_open_nor_closed() {
    for ordered in ["open", "closed"] {
        let mut device = connected("switch");
        see(device.as_mut(), 400, CLOSED);
        let mut out = see(device.as_mut(), 500, SOME_OPEN);
        give(device.as_mut(), 500, set("i-1", ordered));
        out.extend(see(device.as_mut(), 2500, SOME_OPEN));
        let why = format!("{ERROR_PREFIX}ordered {ordered}, it stands open at some of its poles");
        assert_eq!(answers(&out), [(700, why)]);
        assert_eq!(closed(&out), [0.0, 0.0]);
        assert_eq!(alerts(&out), [(400, "switch.opened".to_owned())]);
    }
}

#[test]
fn one_order_is_carried_out_at_a_time_and_others_are_refused() {
    let mut device = connected("switch");
    see(device.as_mut(), 100, CLOSED);
    give(device.as_mut(), 100, set("i-1", "open"));
    let again = give(device.as_mut(), 100, set("i-2", "closed"));
    assert_eq!(is_moved(&again), None);
    assert!(answers(&again)[0].1.contains("another order"), "{again:?}");
    let registers =
        command("i-3", "readRegister", [("register", ParameterValue::Text("G".into()))]);
    assert!(answers(&give(device.as_mut(), 100, registers))[0].1.contains("no registers"));
    let period = command("i-4", "setReportingPeriod", [("seconds", ParameterValue::Number(2.0))]);
    give(device.as_mut(), 100, period);
    assert_eq!(device.report_period(), ms(2000));
}

#[test]
fn one_that_is_frozen_answers_when_it_has_thawed() {
    let mut device = connected("switch");
    see(device.as_mut(), 100, CLOSED);
    give(device.as_mut(), 100, set("i-1", "open"));
    let until = Some(START + ms(1000));
    give(device.as_mut(), 100, Input::Fault(DeviceFault::Freeze { until }));
    let out = see(device.as_mut(), 2000, OPEN);
    assert_eq!(answers(&out), [(1100, "open".to_owned())]);
}
