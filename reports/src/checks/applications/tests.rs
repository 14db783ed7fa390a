//! Tests of the checks of what applications conclude.

use serde_json::{Value, json};

use super::super::testing::{at, check, facts};
use crate::verdict::Verdict;
use lastmeter_record::{Event, EventKind, RunState, Status, field};
use lastmeter_units::SimDuration;

fn result(made: i64, kind: &str, subject: &str, content: Value, truth: Value) -> Event {
    result_from(made, (made, kind), subject, content, truth)
}

fn result_from(
    seconds: i64,
    (made, kind): (i64, &str),
    subject: &str,
    content: Value,
    truth: Value,
) -> Event {
    Event::new(at(made), "platform", EventKind::Result)
        .with(field::DEVICE, "finder")
        .with(field::RESULT, kind)
        .with(field::SUBJECT, subject)
        .with(field::FROM, at(seconds).to_string())
        .with(field::CONTENT, content)
        .with(field::TRUTH, truth)
}

/// The alert of a conclusion, which its metadata name.
fn alert(seconds: i64, kind: &str, what: &str, subject: &str) -> Event {
    Event::new(at(seconds), "platform", EventKind::Alert)
        .with(field::DEVICE, "finder")
        .with(field::TYPE, kind)
        .with(field::METADATA, json!({ what: subject }))
}

fn detected(seconds: i64, subject: &str) -> Event {
    alert(seconds, "outage.detected", "outage", subject)
}

fn supply(seconds: i64, kind: EventKind, device: &str) -> Event {
    Event::new(at(seconds), "bench", kind).with(field::DEVICE, device)
}

fn judge(kind: &str, keys: &str, events: &[Event]) -> Verdict {
    let mut check = check(kind, keys);
    let mut facts = facts(RunState::Finished);
    let device = json!({ "name": "a", "model": "stpm34-1ph", "as": "simulated", "at": "load:one" });
    facts.devices = vec![serde_json::from_value(device).unwrap()];
    check.begin(&facts);
    for (line, event) in (1..).zip(events) {
        check.event(line, event);
    }
    check.verdict(&facts)
}

/// Two of three meters are in the dark, from 10 s on and until 50 s; what is held of them.
fn outage(held: &[&str], made: i64) -> Verdict {
    let outage = json!({ "state": "detected", "expected": held, "restored": [] });
    let over = json!({ "state": "restored", "expected": held, "restored": held });
    judge(
        "outage_area",
        "within = \"20 s\"",
        &[
            supply(10, EventKind::SupplyLost, "a"),
            supply(10, EventKind::SupplyLost, "b"),
            result(made, "outage", "outage-1", outage, Value::Null),
            detected(made, "outage-1"),
            supply(50, EventKind::SupplyReturned, "a"),
            supply(50, EventKind::SupplyReturned, "b"),
            result(60, "outage", "outage-1", over, Value::Null),
        ],
    )
}

#[test]
fn meters_without_supply_are_found_missed_or_false() {
    for (held, made, f1, status) in [
        (&["a", "b"][..], 25, 100.0, Status::Pass),
        // One missed: 2 / (2 + 1).
        (&["a"], 25, 200.0 / 3.0, Status::Fail),
        // One false: 4 / (4 + 1).
        (&["a", "b", "c"], 25, 80.0, Status::Fail),
        // Too late.
        (&["a", "b"], 31, 0.0, Status::Fail),
        (&[], 25, 0.0, Status::Fail),
    ] {
        let verdict = outage(held, made);
        assert_eq!(verdict.status, status, "{held:?}");
        let measured = verdict.measured.unwrap_or(f64::NAN);
        assert!((measured - f1).abs() < 1e-9, "{held:?}: {measured}");
    }
}

#[test]
fn an_outage_that_is_reported_twice_is_false_once() {
    let held = || json!({ "state": "detected", "expected": ["a"], "restored": [] });
    let events = [
        supply(10, EventKind::SupplyLost, "a"),
        result(20, "outage", "outage-1", held(), Value::Null),
        detected(20, "outage-1"),
        result(21, "outage", "outage-2", held(), Value::Null),
        detected(21, "outage-2"),
    ];
    let verdict = judge("outage_area", "within = \"20 s\"", &events);
    let f1 = verdict.measured.unwrap_or(f64::NAN);
    assert!((f1 - 200.0 / 3.0).abs() < 1e-9 && verdict.n == 1, "{f1}");
}

#[test]
fn an_outage_of_nobody_is_false() {
    let held = json!({ "state": "detected", "expected": ["a"], "restored": [] });
    let events = [result(20, "outage", "outage-1", held, Value::Null)];
    assert_eq!(judge("outage_area", "", &events).status, Status::Fail);
    assert_eq!(judge("outage_area", "", &[]).status, Status::Inconclusive);
}

fn fault(made: i64, stated: &str, deviations_m: &[f64]) -> Vec<Event> {
    let inject = Event::new(at(10), "bench", EventKind::Inject).with(field::INJECT, "line-fault");
    let truth = json!({
        "at": at(10).to_string(), "phases": "b", "earth": true, "deviations_m": deviations_m,
    });
    let candidates: Vec<Value> = deviations_m.iter().map(|_| json!({})).collect();
    let mut events = vec![inject];
    let content = json!({ "loop": stated, "candidates": candidates });
    events.push(result_from(10, (made, "fault"), "fault-1", content, truth));
    if !deviations_m.is_empty() {
        events.insert(1, alert(made, "fault.located", "fault", "fault-1"));
    }
    events
}

#[test]
fn a_fault_is_located_near_enough_in_time_and_by_its_conductors() {
    let keys = "mean_m = 50\nnear_m = 20";
    for (made, stated, deviations_m, status) in [
        (12, "BG", &[40.0, 10.0][..], Status::Pass),
        (12, "BG", &[60.0, 10.0], Status::Fail),
        (12, "BG", &[40.0, 30.0], Status::Fail),
        (12, "AG", &[40.0, 10.0], Status::Fail),
        (16, "BG", &[40.0, 10.0], Status::Fail),
        (12, "BG", &[], Status::Fail),
    ] {
        let verdict = judge("fault_distance", keys, &fault(made, stated, deviations_m));
        assert_eq!(verdict.status, status, "{made} {stated} {deviations_m:?}");
    }
    let mut late = fault(12, "BG", &[1.0]);
    late[0].time += SimDuration(400_000);
    assert_eq!(judge("fault_distance", keys, &late).status, Status::Pass);
    let mut twice = fault(12, "BG", &[1.0]);
    twice.extend(fault(13, "BG", &[1.0]).pop());
    assert_eq!(judge("fault_distance", keys, &twice).status, Status::Fail);
    assert_eq!(judge("fault_distance", keys, &[]).status, Status::Inconclusive);
}

#[test]
fn each_conclusion_has_one_alert() {
    let held = || json!({ "state": "detected", "expected": ["a"], "restored": [] });
    let story = |alerts: &[Event]| {
        let mut events = vec![
            supply(10, EventKind::SupplyLost, "a"),
            result(20, "outage", "outage-1", held(), Value::Null),
        ];
        events.extend_from_slice(alerts);
        judge("outage_area", "within = \"20 s\"", &events).status
    };
    assert_eq!(story(&[detected(20, "outage-1")]), Status::Pass);
    assert_eq!(story(&[]), Status::Fail);
    assert_eq!(story(&[detected(20, "outage-1"), detected(21, "outage-1")]), Status::Fail);
    assert_eq!(story(&[detected(20, "outage-1"), detected(21, "outage-2")]), Status::Fail);
    let mut silent = fault(12, "BG", &[1.0]);
    silent.remove(1);
    assert_eq!(judge("fault_distance", "mean_m = 50\nnear_m = 20", &silent).status, Status::Fail);
}

#[test]
fn an_outage_that_never_ends_or_grows_later_is_false() {
    let held = |meters: &[&str]| json!({ "state": "detected", "expected": meters, "restored": [] });
    let story = |more: &[Event]| {
        let mut events = vec![
            supply(10, EventKind::SupplyLost, "a"),
            result(20, "outage", "outage-1", held(&["a"]), Value::Null),
            detected(20, "outage-1"),
            supply(40, EventKind::SupplyReturned, "a"),
        ];
        events.extend_from_slice(more);
        judge("outage_area", "within = \"20 s\"\nback = \"10 s\"", &events)
    };
    let over = json!({ "state": "restored", "expected": ["a"], "restored": ["a"] });
    let ended = || result(45, "outage", "outage-1", over.clone(), Value::Null);
    assert_eq!(story(&[ended()]).status, Status::Pass);
    assert_eq!(story(&[]).status, Status::Fail);
    let late = result(52, "outage", "outage-1", over.clone(), Value::Null);
    assert_eq!(story(&[late]).status, Status::Fail);
    // What is over when it is first reported needs no alert of its detection.
    let short = result(46, "outage", "outage-2", over.clone(), Value::Null);
    assert_eq!(story(&[ended(), short]).status, Status::Pass);
    let grown = result(42, "outage", "outage-1", held(&["a", "b", "c"]), Value::Null);
    let verdict = story(&[grown, ended()]);
    assert_eq!((verdict.status, verdict.measured), (Status::Fail, Some(50.0)));
}

#[test]
fn who_is_given_up_in_the_dark_is_missed() {
    let of = |state: &str, back: &[&str]| json!({ "state": state, "expected": ["a", "b"], "restored": back });
    let story = |more: &[Event]| {
        let mut events = vec![
            supply(10, EventKind::SupplyLost, "a"),
            supply(10, EventKind::SupplyLost, "b"),
            result(20, "outage", "outage-1", of("detected", &[]), Value::Null),
            detected(20, "outage-1"),
            supply(40, EventKind::SupplyReturned, "b"),
            result(41, "outage", "outage-1", of("restored", &["b"]), Value::Null),
        ];
        events.extend_from_slice(more);
        let verdict = judge("outage_area", "within = \"20 s\"", &events);
        (verdict.n, verdict.status)
    };
    assert_eq!(story(&[]), (3, Status::Fail));
    let again = json!({ "state": "detected", "expected": ["a"], "restored": [] });
    let again = result(55, "outage", "outage-2", again, Value::Null);
    assert_eq!(story(&[again, detected(55, "outage-2")]), (3, Status::Pass));
}

#[test]
fn an_outage_that_nobody_planned_needs_its_alert() {
    let held = json!({ "state": "detected", "expected": ["a"], "planned": true });
    let story = |interruption: &[Event]| {
        let mut events = vec![
            supply(10, EventKind::SupplyLost, "a"),
            result(20, "outage", "outage-1", held.clone(), Value::Null),
        ];
        events.extend_from_slice(interruption);
        judge("outage_area", "within = \"20 s\"\nback = \"1 s\"", &events).status
    };
    let interruption = |load: &str, is_planned: bool| {
        Event::new(at(10), "bench", EventKind::Interruption)
            .with(field::LOAD, load)
            .with(field::DURATION_S, 40.0)
            .with(field::IS_PLANNED, is_planned)
    };
    assert_eq!(story(&[interruption("one", true)]), Status::Pass);
    assert_eq!(story(&[interruption("one", false)]), Status::Fail);
    assert_eq!(story(&[interruption("two", true)]), Status::Fail);
    assert_eq!(story(&[]), Status::Fail);
}

#[test]
fn losses_of_some_phases_are_counted_and_not_judged() {
    let interruption = |load: &str, seconds: f64| {
        Event::new(at(10), "bench", EventKind::Interruption)
            .with(field::LOAD, load)
            .with(field::DURATION_S, seconds)
    };
    let story = |events: &[Event]| judge("outage_area", "within = \"20 s\"", events);
    let of_phases = story(&[interruption("one", 40.0)]);
    assert_eq!(of_phases.status, Status::Inconclusive);
    let counted = "not judged: 1 interruption of some phases";
    assert!(of_phases.why.to_string().contains(counted), "{}", of_phases.why);
    let lost = supply(12, EventKind::SupplyLost, "a");
    for events in [
        // It lost its supply as a whole, it came back at once, nobody measures it.
        vec![lost, interruption("one", 40.0)],
        vec![interruption("one", 4.0)],
        vec![interruption("two", 40.0)],
    ] {
        let why = story(&events).why.to_string();
        assert!(!why.contains("not judged"), "{why}");
    }
}

#[test]
fn why_a_fault_is_not_located_is_stated() {
    let keys = "mean_m = 50\nnear_m = 20";
    let why = |events: &[Event]| judge("fault_distance", keys, events).why.to_string();
    let inject =
        |kind: &str| Event::new(at(10), "bench", EventKind::Inject).with(field::INJECT, kind);
    let silent = why(&[inject("line-fault")]);
    assert!(silent.contains("no block of a recorder in time of 1"), "{silent}");
    let recorded = Event::new(at(11), "platform", EventKind::Alert)
        .with(field::DEVICE, "recorder")
        .with(field::TYPE, "fault.recorded");
    let heard = why(&[inject("line-fault"), recorded]);
    assert!(!heard.contains("no block"), "{heard}");
    let node = why(&[inject("node-fault")]);
    assert!(node.contains("1 fault at nodes not judged"), "{node}");
    let content = json!({ "candidates": [], "reason": "no network" });
    let truth = json!({ "at": at(10).to_string(), "deviations_m": [] });
    let nowhere = result_from(10, (12, "fault"), "fault-1", content, truth);
    let nowhere = why(&[inject("line-fault"), nowhere]);
    assert!(nowhere.contains(" 0 results without a fault"), "{nowhere}");
    assert!(nowhere.ends_with("a result without a place: no network"), "{nowhere}");
}

#[test]
fn a_fault_may_be_located_again_while_it_lasts_and_one_at_a_node_is_not_judged() {
    let keys = "mean_m = 50\nnear_m = 20";
    let again = |from: i64, deviation_m: f64| {
        let truth = json!({
            "at": at(10).to_string(), "phases": "b", "earth": true, "deviations_m": [deviation_m],
        });
        let content = json!({ "loop": "BG", "candidates": [{}] });
        [
            alert(from + 2, "fault.located", "fault", "fault-2"),
            result_from(from, (from + 2, "fault"), "fault-2", content, truth),
        ]
    };
    for (from, deviation_m, n, status) in
        [(20, 1.0, 2, Status::Pass), (20, 400.0, 2, Status::Fail), (10, 1.0, 1, Status::Fail)]
    {
        let mut events = fault(12, "BG", &[1.0]);
        events.extend(again(from, deviation_m));
        let verdict = judge("fault_distance", keys, &events);
        assert_eq!((verdict.n, verdict.status), (n, status), "{from} {deviation_m}");
    }
    let node = Event::new(at(30), "bench", EventKind::Inject).with(field::INJECT, "node-fault");
    for (from, status) in [(30, Status::Pass), (40, Status::Fail)] {
        let mut events = fault(12, "BG", &[1.0]);
        let content = json!({ "loop": "BG", "candidates": [{}] });
        events.push(node.clone());
        events.push(alert(from + 2, "fault.located", "fault", "fault-2"));
        events.push(result_from(from, (from + 2, "fault"), "fault-2", content, Value::Null));
        assert_eq!(judge("fault_distance", keys, &events).status, status, "{from}");
    }
}

#[test]
fn who_goes_on_although_its_load_has_no_supply_is_named_rightly() {
    let held = json!({ "state": "detected", "expected": ["a", "b"], "restored": [] });
    let over = json!({ "state": "restored", "expected": ["a", "b"], "restored": ["a", "b"] });
    let story = |load: &str, seconds: f64| {
        let interruption = Event::new(at(10), "bench", EventKind::Interruption)
            .with(field::LOAD, load)
            .with(field::DURATION_S, seconds);
        // `a` is at the load `one`, and never loses what it lives on.
        let events = [
            supply(10, EventKind::SupplyLost, "b"),
            result(20, "outage", "outage-1", held.clone(), Value::Null),
            detected(20, "outage-1"),
            supply(50, EventKind::SupplyReturned, "b"),
            interruption,
            result(60, "outage", "outage-1", over.clone(), Value::Null),
        ];
        judge("outage_area", "within = \"20 s\"", &events).status
    };
    assert_eq!(story("one", 40.0), Status::Pass);
    // Not without supply for long enough to be one, and not where it is.
    assert_eq!(story("one", 4.0), Status::Fail);
    assert_eq!(story("two", 40.0), Status::Fail);
}

#[test]
fn places_of_faults_that_a_storm_makes_are_not_judged() {
    let mut events = fault(12, "BG", &[1.0]);
    let storm = Event::new(at(5), "bench", EventKind::Inject).with(field::INJECT, "storm");
    events.insert(0, storm);
    let verdict = judge("fault_distance", "mean_m = 50\nnear_m = 20", &events);
    assert_eq!(verdict.status, Status::Inconclusive);
}
