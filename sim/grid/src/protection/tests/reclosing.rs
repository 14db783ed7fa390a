//! Sequences of reclosers, alone and with a sectionaliser.

use super::super::recloser::RecloserState;
use super::*;

pub(super) fn recloser() -> Recloser {
    let trip = |multiplier| {
        let earth = Curve::definite(20.0, 1.0).unwrap();
        Relay::new(&[very_inverse(100.0, multiplier)], &[earth])
    };
    let trips = vec![trip(0.05), trip(0.05), trip(0.4), trip(0.4)];
    let dead_times_s = vec![0.5, 2.0, 5.0];
    Recloser::new(RecloserSettings { trips, dead_times_s, reclaim_s: 10.0, opening_s: 0.04 })
        .unwrap()
}

pub(super) fn sectionalizer(counts: u32) -> Sectionalizer {
    Sectionalizer::new(SectionalizerSettings {
        actuating_a: 160.0,
        dead_a: 0.5,
        interruption_s: 0.1,
        counts,
        opening_s: 0.2,
        memory_s: 30.0,
    })
    .unwrap()
}

/// What a recloser does until a time, when the current depends on the time, and is interrupted.
fn played(
    recloser: &mut Recloser,
    until_s: f64,
    mut current_a: impl FnMut(f64) -> f64,
) -> Vec<(f64, RecloserEvent)> {
    let (mut now_s, mut events) = (0.0, Vec::new());
    while now_s < until_s {
        let conducts = matches!(recloser.state, RecloserState::Closed | RecloserState::Opening(_));
        let current_a = if conducts { current_a(now_s) } else { 0.0 };
        let dt_s = f64::min(0.01, until_s - now_s);
        let action = recloser.step(dt_s, &balanced(current_a));
        now_s += action.map_or(dt_s, |it| it.after_s);
        events.extend(action.map(|it| (now_s, it.event)));
    }
    events
}

fn same(found: &[(f64, RecloserEvent)], expected: &[(f64, RecloserEvent)]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.1, expected.1);
        assert!((found.0 - expected.0).abs() < 1e-9, "{found:?}, {expected:?}");
    }
}

#[test]
fn a_permanent_fault_locks_out_after_all_trips() {
    let mut recloser = recloser();
    let (fast, slow) = (0.05 * 13.5 / 9.0 + 0.04, 0.4 * 13.5 / 9.0 + 0.04);
    let in_one_step = recloser.clone().step(60.0, &balanced(1000.0)).unwrap();
    near(in_one_step.after_s, fast, 1e-12);
    let events = played(&mut recloser, 60.0, |_| 1000.0);
    let mut now_s = 0.0;
    let mut after = |time_s: f64| {
        now_s += time_s;
        now_s
    };
    let expected = [
        (after(fast), RecloserEvent::Opened(1)),
        (after(0.5), RecloserEvent::Reclosed(1)),
        (after(fast), RecloserEvent::Opened(2)),
        (after(2.0), RecloserEvent::Reclosed(2)),
        (after(slow), RecloserEvent::Opened(3)),
        (after(5.0), RecloserEvent::Reclosed(3)),
        (after(slow), RecloserEvent::LockedOut(4)),
    ];
    same(&events, &expected);
    assert_eq!((recloser.state, recloser.trips()), (RecloserState::LockedOut, 4));
    near(recloser.operating_time(1, 1000.0, false).unwrap(), fast, 1e-12);
    near(recloser.operating_time(4, 1000.0, false).unwrap(), slow, 1e-12);
    assert_eq!(recloser.operating_time(0, 1000.0, false), None);
    assert_eq!(recloser.operating_time(5, 1000.0, false), None);
    near(recloser.points(3, 1000.0, 1000.0, false).next().unwrap().1, slow, 1e-12);
}

#[test]
fn what_somebody_opens_is_not_reclosed() {
    let mut recloser = recloser();
    let first = played(&mut recloser, 0.3, |_| 1000.0);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(recloser.clone().due_in(&balanced(0.0)).map(|it| it < 0.5), Some(true));
    recloser.hold();
    assert_eq!(recloser.due_in(&balanced(0.0)), None);
    assert_eq!(played(&mut recloser, 60.0, |_| 1000.0), []);
    // A closed one goes on watching: the order opens its switch, and not it.
    let mut closed = self::recloser();
    closed.hold();
    assert_eq!(played(&mut closed, 0.3, |_| 1000.0).len(), 1);
}

#[test]
fn a_temporary_fault_is_reclosed_and_reclaimed() {
    let fast = 0.05 * 13.5 / 9.0 + 0.04;
    // The second fault comes within the reclaim time of 10 s or after it.
    for (again_s, trip) in [(10.5, 2), (10.7, 1)] {
        let mut recloser = recloser();
        let fault = |now_s: f64| now_s < 0.2 || (again_s..again_s + 0.3).contains(&now_s);
        let events = played(&mut recloser, 30.0, |now_s| if fault(now_s) { 1000.0 } else { 50.0 });
        let times: Vec<RecloserEvent> = events.iter().map(|it| it.1).collect();
        let [opened, reclosed] = [RecloserEvent::Opened, RecloserEvent::Reclosed];
        assert_eq!(times, [opened(1), reclosed(1), opened(trip), reclosed(trip)]);
        near(events[0].0, fast, 1e-9);
        assert_eq!((recloser.state, recloser.trips()), (RecloserState::Closed, 0));
    }
}

/// The fault ends before the relay trips.
#[test]
fn a_short_fault_does_nothing() {
    let mut recloser = recloser();
    let events = played(&mut recloser, 5.0, |now_s| if now_s < 0.07 { 1000.0 } else { 50.0 });
    assert_eq!(events, []);
}

#[test]
fn a_sectionaliser_takes_the_fault_out_before_the_lock_out() {
    for (counts, trips) in [(1, 1), (2, 2), (3, 3)] {
        let (mut recloser, mut sectionalizer) = (recloser(), sectionalizer(counts));
        let (mut now_s, mut opened_s, mut events) = (0.0, None, Vec::new());
        while now_s < 40.0 {
            let conducts =
                matches!(recloser.state, RecloserState::Closed | RecloserState::Opening(_));
            let fault_a = if sectionalizer.open { 0.0 } else { 1000.0 };
            let load_a = if conducts { 50.0 } else { 0.0 };
            let through_a = if conducts { fault_a } else { 0.0 };
            let currents = balanced(load_a + through_a);
            let dues = [recloser.due_in(&currents), sectionalizer.due_in(through_a)];
            let dt_s = dues.into_iter().flatten().fold(0.01, f64::min).max(1e-12);
            if sectionalizer.step(dt_s, through_a).is_some() {
                opened_s = Some(now_s);
                assert!(matches!(recloser.state, RecloserState::Dead(_)));
            }
            events.extend(recloser.step(dt_s, &currents).map(|it| it.event));
            now_s += dt_s;
        }
        assert_eq!(events.len(), 2 * trips, "{events:?}");
        assert_eq!(events.last(), Some(&RecloserEvent::Reclosed(trips)));
        assert_eq!((sectionalizer.counted(), sectionalizer.open), (counts, true));
        assert!(opened_s.is_some());
        assert_eq!((recloser.state, recloser.trips()), (RecloserState::Closed, 0));
    }
}

#[test]
fn a_sectionaliser_counts_interruptions_of_faults_only() {
    let mut it = sectionalizer(2);
    let mut step = |dt_s, current_a, counted| {
        assert_eq!(it.step(dt_s, current_a), None);
        assert_eq!(it.counted(), counted, "after {current_a} A");
    };
    // A dead line without a fault before; a fault that ends with the load going on.
    step(1.0, 50.0, 0);
    step(1.0, 0.0, 0);
    step(0.1, 1000.0, 0);
    step(0.2, 50.0, 0);
    step(1.0, 0.0, 0);
    // An interruption seen through a decaying RMS value; then the memory ends.
    step(0.1, 1000.0, 0);
    step(0.02, 100.0, 0);
    step(1.0, 0.3, 1);
    step(28.0, 50.0, 1);
    step(2.0, 50.0, 0);
    // The current is back before it opens: it must not, until the next dead time.
    step(0.1, 1000.0, 0);
    step(0.5, 0.0, 1);
    step(0.1, 1000.0, 1);
    step(0.1, 0.0, 2);
    step(1.0, 50.0, 2);
    step(0.5, 0.0, 2);
    step(0.1, 1000.0, 2);
    step(0.1, 0.0, 3);
    step(0.05, f64::NAN, 3);
    near(it.due_in(0.0).unwrap(), 0.1, 1e-9);
    near(it.step(1.0, 0.0).unwrap().after_s, 0.1, 1e-9);
    assert!(it.open);
    assert_eq!(it.due_in(0.0), None);
}

#[test]
fn sequences_are_rejected_with_what_was_found() {
    let with = |trips: usize, dead_times_s: Vec<f64>| {
        let trips = vec![relay(very_inverse(100.0, 1.0)); trips];
        let settings = RecloserSettings { trips, dead_times_s, reclaim_s: 1.0, opening_s: 0.0 };
        Recloser::new(settings).unwrap_err().to_string()
    };
    assert_eq!(with(0, vec![]), "number of trips is 0; expected 1 or more");
    assert_eq!(
        with(3, vec![1.0]),
        "number of dead times is 1; expected 2, one between each two of 3 trips"
    );
    assert_eq!(with(2, vec![0.0]), "dead time 1 in s is 0; expected a finite value above 0");
}
