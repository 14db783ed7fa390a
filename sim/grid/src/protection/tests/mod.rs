//! Curves and devices beside the formulas of their standards.

mod interface;
mod reclosing;

use proptest::prelude::*;

use super::fuse::Phase;
use super::*;

fn near(found: f64, expected: f64, relative: f64) {
    let off = (found - expected).abs();
    assert!(off <= relative * expected.abs(), "{found} is not {expected}");
}

/// The same current in each phase, and no residual one.
fn balanced(current_a: f64) -> Currents {
    Currents { phases_a: [current_a; 3], residual_a: 0.0 }
}

fn very_inverse(pickup_a: f64, multiplier: f64) -> Curve {
    Curve::inverse(Characteristic::VeryInverse, pickup_a, multiplier).unwrap()
}

/// 10 s at 100 A, and a constant `I^2 t` of 100000 A²s above 1000 A.
fn melting() -> Curve {
    Curve::table(vec![(100.0, 10.0), (1000.0, 0.1)]).unwrap()
}

const CHARACTERISTICS: [Characteristic; 6] = [
    Characteristic::StandardInverse,
    Characteristic::VeryInverse,
    Characteristic::ExtremelyInverse,
    Characteristic::IeeeModeratelyInverse,
    Characteristic::IeeeVeryInverse,
    Characteristic::IeeeExtremelyInverse,
];

/// The formula of the standards, written once more.
fn formula(characteristic: Characteristic, multiple: f64) -> f64 {
    match characteristic {
        Characteristic::StandardInverse => 0.14 / (multiple.powf(0.02) - 1.0),
        Characteristic::VeryInverse => 13.5 / (multiple - 1.0),
        Characteristic::ExtremelyInverse => 80.0 / (multiple * multiple - 1.0),
        Characteristic::IeeeModeratelyInverse => 0.0515 / (multiple.powf(0.02) - 1.0) + 0.114,
        Characteristic::IeeeVeryInverse => 19.61 / (multiple.powi(2) - 1.0) + 0.491,
        Characteristic::IeeeExtremelyInverse => 28.2 / (multiple.powi(2) - 1.0) + 0.1217,
    }
}

#[test]
fn published_times_come_out() {
    let times = [
        [10.029, 2.971],
        [13.5, 1.5],
        [26.667, 0.808],
        [3.803, 1.207],
        [7.028, 0.689],
        [9.522, 0.407],
    ];
    for (characteristic, times) in CHARACTERISTICS.into_iter().zip(times) {
        let curve = Curve::inverse(characteristic, 100.0, 1.0).unwrap();
        for (current_a, expected) in [200.0, -1000.0].into_iter().zip(times) {
            let found = curve.operating_time(current_a).unwrap();
            assert!((found - expected).abs() < 6e-4, "{characteristic:?}: {found}, {expected}");
        }
        assert_eq!(curve.operating_time(100.0), None);
        assert_eq!(curve.operating_time(f64::NAN), None);
        let least = formula(characteristic, 20.0);
        for current_a in [2000.0, 2001.0, f64::INFINITY] {
            near(curve.operating_time(current_a).unwrap(), least, 1e-12);
        }
    }
}

#[test]
fn tables_are_straight_on_logarithmic_axes() {
    let table = melting();
    assert_eq!(table.operating_time(99.9), None);
    near(table.operating_time(100.0).unwrap(), 10.0, 1e-12);
    near(table.operating_time(100_f64.sqrt() * 1000_f64.sqrt()).unwrap(), 1.0, 1e-12);
    near(table.operating_time(2000.0).unwrap(), 0.025, 1e-12);
    assert_eq!(table.operating_time(f64::INFINITY), Some(0.0));
}

#[test]
fn drawings_have_the_corners() {
    let table = melting();
    let points: Vec<_> = table.points(50.0, 2000.0).collect();
    assert!(points.len() > 50 && points.is_sorted_by(|one, other| one.0 < other.0));
    assert!(points.iter().any(|point| point.0 == 1000.0));
    assert_eq!(points[0].0, 100.0);
    near(points.last().unwrap().0, 2000.0, 1e-12);
    for (from_a, to_a) in
        [(2.0, 1.0), (0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)]
    {
        assert_eq!(table.points(from_a, to_a).count(), 0);
    }
    assert_eq!(table.points(200.0, 200.0).count(), 1);
}

#[test]
fn settings_are_rejected_with_what_was_found() {
    let table = |points| Curve::table(points).map(|_| ());
    let clearing = Curve::table(vec![(100.0, 9.0), (1000.0, 0.2)]).unwrap();
    let cases: [(Result<(), SettingError>, &str); 7] = [
        (
            Curve::definite(-3.0, 1.0).map(|_| ()),
            "pick-up current in A is -3; expected a finite value above 0",
        ),
        (
            Curve::definite(3.0, f64::NAN).map(|_| ()),
            "operating time in s is NaN; expected a finite value of 0 or more",
        ),
        (table(vec![(1.0, 1.0)]), "number of points is 1; expected 2 or more"),
        (
            table(vec![(2.0, 1.0), (2.0, 0.5)]),
            "current in A of point 2 is 2; expected more than 2 of the point before",
        ),
        (
            table(vec![(2.0, 1.0), (3.0, 1.5)]),
            "time in s of point 2 is 1.5; expected at most 1 of the point before",
        ),
        (
            Fuse::new(melting(), Some(clearing)).map(|_| ()),
            "clearing time in s at 100 A is 9; expected at least the melting time of 10 s",
        ),
        (
            GgGates::of_rating(16.0).unwrap().melting(1.5).map(|_| ()),
            "position between the gates is 1.5; expected 0 to 1",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
}

/// A rating and the one 1.6 times as large are selective, which holds the typed values together.
#[test]
fn gates_of_fuses_fit_each_other() {
    let all: Vec<GgGates> = GgGates::all().collect();
    for pair in all.windows(3) {
        assert_eq!(pair[0].max_100_ms_a, pair[2].min_100_ms_a);
        assert_eq!(pair[0].max_square_time_a2s, pair[2].min_square_time_a2s);
    }
    for gates in all {
        let [fast, slow] = [0.0, 1.0].map(|position| gates.melting(position).unwrap());
        near(fast.operating_time(gates.min_10_s_a).unwrap(), 10.0, 1e-12);
        near(slow.operating_time(gates.max_5_s_a).unwrap(), 5.0, 1e-12);
        near(fast.operating_time(gates.min_100_ms_a).unwrap(), 0.1, 1e-12);
        near(slow.operating_time(gates.max_100_ms_a).unwrap(), 0.1, 1e-12);
        let square_time = slow.operating_time(1e5).unwrap() * 1e10;
        near(square_time, gates.max_square_time_a2s, 1e-9);
        assert!(Fuse::new(fast, Some(slow)).is_ok(), "{gates:?}");
    }
    assert_eq!(GgGates::of_rating(17.0), None);
}

/// Steps of irregular lengths, until the device acts.
fn until_action<E>(dt_s: f64, mut step: impl FnMut(f64) -> Option<Action<E>>) -> (f64, E) {
    let mut now_s = 0.0;
    for nth in 0..1_000_000 {
        let length_s = dt_s * (1.0 + 0.5 * f64::from(nth % 3));
        if let Some(action) = step(length_s) {
            return (now_s + action.after_s, action.event);
        }
        now_s += length_s;
    }
    panic!("nothing happened in {now_s} s");
}

#[test]
fn a_fuse_melts_and_clears_by_its_curves() {
    let clearing = Curve::table(vec![(120.0, 9.0), (1000.0, 0.15)]).unwrap();
    for current_a in [121.0, 300.0, 5000.0] {
        let mut fuse = Fuse::new(melting(), Some(clearing.clone())).unwrap();
        let (melted_s, event) = until_action(1.7e-3, |dt| fuse.step(dt, current_a));
        assert_eq!((event, fuse.phase), (FuseEvent::Melted, Phase::Arcing));
        near(melted_s, melting().operating_time(current_a).unwrap(), 1e-9);
        let (arced_s, event) = until_action(1e-3, |dt| fuse.step(dt, current_a));
        assert_eq!((event, fuse.phase), (FuseEvent::Cleared, Phase::Blown));
        near(melted_s + arced_s, clearing.operating_time(current_a).unwrap(), 1e-9);
        near(melted_s + arced_s, fuse.operating_time(current_a).unwrap(), 1e-9);
        assert_eq!(fuse.step(1.0, current_a), None);
        // A direct current by its instantaneous values is the same.
        let mut fuse = Fuse::new(melting(), Some(clearing.clone())).unwrap();
        let (by_values_s, _) =
            until_action(1e-4, |dt| fuse.step_instantaneous(dt, (-current_a, -current_a), 0.0));
        near(by_values_s, melted_s, 1e-9);
        let mut still = fuse.clone();
        assert_eq!(still.step(1.0, 0.0).unwrap().after_s, 0.0, "no arc without current");
    }
}

#[test]
fn a_fuse_that_is_not_molten_keeps_its_share() {
    let mut fuse = Fuse::new(melting(), None).unwrap();
    assert_eq!(fuse.step(1e6, 99.0), None);
    assert_eq!((fuse.phase, fuse.share_so_far()), (Phase::Melting, 0.0));
    assert_eq!(fuse.step(5.0, 100.0), None);
    assert_eq!(fuse.step(20.0, 10.0), None);
    assert_eq!(fuse.phase, Phase::Melting);
    near(fuse.share_so_far(), 0.5, 1e-12);
    near(fuse.due_in(100.0).unwrap(), 5.0, 1e-12);
}

const OMEGA: f64 = std::f64::consts::TAU * 50.0;

/// The integral of the square of `peak * (sin(omega t + phi) - sin(phi) exp(-t / tau))` from 0.
fn square_time(peak: f64, phi: f64, tau: f64, t: f64) -> f64 {
    let a = 1.0 / tau;
    let sine = t / 2.0 - ((2.0 * (OMEGA * t + phi)).sin() - (2.0 * phi).sin()) / (4.0 * OMEGA);
    let decay = tau / 2.0 * (1.0 - (-2.0 * a * t).exp());
    let mixed_at = |t: f64| {
        let (sin, cos) = (OMEGA * t + phi).sin_cos();
        -(-a * t).exp() * (a * sin + OMEGA * cos) / (a * a + OMEGA * OMEGA)
    };
    let mixed = mixed_at(t) - mixed_at(0.0);
    peak * peak * (sine + phi.sin().powi(2) * decay - 2.0 * phi.sin() * mixed)
}

#[test]
fn a_decaying_offset_melts_a_fuse_by_its_energy() {
    let dt_s = 1e-5;
    for (rms_a, phi, tau) in
        [(6000.0, -1.4, 0.03), (6000.0, 0.0, 0.03), (1500.0, 1.2, 0.05), (2500.0, -0.7, 0.01)]
    {
        let peak = rms_a * 2_f64.sqrt();
        let current = |t: f64| peak * ((OMEGA * t + phi).sin() - phi.sin() * (-t / tau).exp());
        let mut fuse = Fuse::new(melting(), None).unwrap();
        let mut nth = 0.0;
        let melted_s = loop {
            let (from_s, to_s) = (nth * dt_s, (nth + 1.0) * dt_s);
            if let Some(action) =
                fuse.step_instantaneous(dt_s, (current(from_s), current(to_s)), rms_a)
            {
                break from_s + action.after_s;
            }
            assert!(to_s < 1.0);
            nth += 1.0;
        };
        near(square_time(peak, phi, tau, melted_s), 1e5, 1e-5);
    }
}

#[test]
fn a_slow_overload_melts_a_fuse_by_its_rms_current_and_the_arc_ends_at_zero() {
    let current = |rms_a: f64, t: f64| rms_a * 2_f64.sqrt() * (OMEGA * t).sin();
    let mut fuse = Fuse::new(melting(), None).unwrap();
    let mut events = Vec::new();
    for nth in 0..100_000 {
        let [from_s, to_s] = [nth, nth + 1].map(|nth| f64::from(nth) * 1e-4);
        // A load below the least melting current for a second comes first.
        let rms_a = if from_s < 1.0 { 95.0 } else { 200.0 };
        let [from, to] = [from_s, to_s].map(|t| current(rms_a, t));
        if let Some(action) = fuse.step_instantaneous(1e-4, (from, to), rms_a) {
            events.push((from_s + action.after_s, action.event));
        }
        // Within a window, the peak of a load may look like more than it is.
        let share = fuse.share_so_far();
        let is_small = fuse.phase == Phase::Melting && share < 0.02;
        assert!(from_s > 1.0 || is_small, "{share} at {from_s} s");
    }
    let [(melted_s, FuseEvent::Melted), (cleared_s, FuseEvent::Cleared)] = events[..] else {
        panic!("{events:?}");
    };
    let expected = 1.0 + melting().operating_time(200.0).unwrap();
    assert!((melted_s - expected).abs() < 0.021, "{melted_s}, {expected}");
    let half_periods = cleared_s / 0.01;
    assert!((half_periods - half_periods.round()).abs() < 1e-6 && cleared_s - melted_s < 0.0101);
}

fn relay(curve: Curve) -> Relay {
    Relay::new(&[curve], &[])
}

/// The furthest travel of its elements, from 0 to 1 (tripped).
fn share(relay: &Relay) -> f64 {
    relay.elements.iter().fold(0.0, |most, it| it.share.max(most))
}

#[test]
fn a_relay_sees_to_a_changing_current() {
    let curve = very_inverse(100.0, 1.0);
    let mut relay = relay(curve);
    // 13.5 s at 200 A, 1.5 s at 1000 A: a third of the travel, then the rest.
    assert_eq!(relay.step(4.5, &balanced(200.0)), None);
    let trip = relay.step(9.0, &balanced(1000.0)).unwrap();
    near(trip.after_s, 1.0, 1e-12);
    assert_eq!(trip.event, Trip { quantity: Quantity::Phase(0), stage: 0 });
    // The other phases follow at the same instant; then it is silent until the current is gone.
    let others: Vec<_> = (0..4).map_while(|_| relay.step(1.0, &balanced(1e3))).collect();
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|it| it.after_s < 1e-9));
    assert_eq!(relay.step(0.1, &Currents::default()), None);
    assert_eq!(share(&relay), 0.0);
    near(relay.due_in(&balanced(1000.0)).unwrap(), 1.5, 1e-12);
}

#[test]
fn a_relay_resets_at_once() {
    let curve = Curve::inverse(Characteristic::IeeeVeryInverse, 100.0, 1.0).unwrap();
    let half_s = 0.5 * curve.operating_time(200.0).unwrap();
    let after = |pause_s: f64, current_a| {
        let mut relay = relay(curve.clone());
        assert_eq!(relay.step(half_s, &balanced(200.0)), None);
        assert_eq!(relay.step(pause_s, &balanced(current_a)), None);
        share(&relay)
    };
    assert_eq!(after(1e-3, 99.0), 0.0);
    near(after(30.0, f64::NAN), 0.5, 1e-12);
}

#[test]
fn stages_and_earth_elements_trip_by_themselves_and_a_breaker_follows() {
    let inverse = very_inverse(100.0, 1.0);
    let definite = |pickup_a, time_s| Curve::definite(pickup_a, time_s).unwrap();
    let mut relay = Relay::new(&[inverse, definite(800.0, 0.05)], &[definite(20.0, 0.3)]);
    near(relay.operating_time(500.0, false).unwrap(), 13.5 / 4.0, 1e-12);
    assert_eq!(relay.operating_time(900.0, false), Some(0.05));
    assert_eq!(relay.operating_time(900.0, true), Some(0.3));
    assert!(relay.points(50.0, 1e4, false).is_sorted_by(|one, other| one.1 >= other.1));
    let phasor =
        |current_a: f64, degrees: f64| Complex64::from_polar(current_a, degrees.to_radians());
    let load = Currents::of_phasors([0.0, -120.0, 120.0].map(|angle| phasor(90.0, angle)));
    assert!(load.residual_a < 1e-9 && !relay.is_picked_up(&load));
    let earth =
        Currents::of_phasors([phasor(60.0, 0.0), phasor(90.0, -120.0), phasor(90.0, 120.0)]);
    let trip = relay.clone().step(1.0, &earth).unwrap();
    assert_eq!(trip.event, Trip { quantity: Quantity::Earth, stage: 0 });
    let fault = Currents { phases_a: [90.0, -900.0, f64::NAN], residual_a: 10.0 };
    let trip = relay.step(1.0, &fault).unwrap();
    assert_eq!(
        trip,
        Action { after_s: 0.05, event: Trip { quantity: Quantity::Phase(1), stage: 1 } }
    );
}

/// Ordinary values, and any at all.
fn value() -> impl Strategy<Value = f64> {
    let special = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324];
    prop_oneof![0.0..2000.0, 0.0..0.1, prop::sample::select(special.to_vec()), prop::num::f64::ANY]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_constant_current_trips_at_the_time_of_the_formula(
        which in 0_usize..6, multiple in 1.05..50.0_f64, multiplier in 0.05..2.0, part in 0.01..3.0,
    ) {
        let characteristic = CHARACTERISTICS[which];
        let curve = Curve::inverse(characteristic, 120.0, multiplier).unwrap();
        // Beyond 20 times the setting the time is that there (IEC 60255-151, G_D).
        let expected = multiplier * formula(characteristic, multiple.min(20.0));
        let mut relay = relay(curve);
        let currents = balanced(120.0 * multiple);
        let (tripped_s, _) = until_action(part * expected, |dt| relay.step(dt, &currents));
        // The formula itself loses digits near the pick-up current.
        near(tripped_s, expected, 1e-9);
    }

    #[test]
    fn more_current_never_trips_later(
        which in 0_usize..6, one in 0.0..4000.0, other in 0.0..4000.0, position in 0.0..1.0,
    ) {
        let (less, more): (f64, f64) = if one < other { (one, other) } else { (other, one) };
        let fuse = GgGates::of_rating(63.0).unwrap().melting(position).unwrap();
        let clearing = GgGates::of_rating(63.0).unwrap().melting(1.0).unwrap();
        let inverse = Curve::inverse(CHARACTERISTICS[which], 100.0, 0.5).unwrap();
        for curve in [&inverse, &fuse] {
            let time = |current_a| curve.operating_time(current_a).unwrap_or(f64::INFINITY);
            prop_assert!(time(more) <= time(less) * (1.0 + 1e-12));
        }
        let fuse = Fuse::new(fuse, Some(clearing)).unwrap();
        let due = |current_a| fuse.due_in(current_a).unwrap_or(f64::INFINITY);
        prop_assert!(due(more) <= due(less) * (1.0 + 1e-12));
    }

    #[test]
    fn nothing_is_done_at_what_is_no_time_and_no_input_panics(
        steps in prop::collection::vec((value(), value(), value()), 1..60),
    ) {
        let stages = [very_inverse(100.0, 0.1)];
        let mut relay = Relay::new(&stages, &stages);
        let mut by_rms = Fuse::new(melting(), None).unwrap();
        let mut by_values = by_rms.clone();
        let mut recloser = reclosing::recloser();
        let mut sectionalizer = reclosing::sectionalizer(2);
        for (dt_s, one, other) in steps {
            let currents = Currents { phases_a: [one, other, one], residual_a: other };
            let due_s = recloser.due_in(&currents);
            let fuse_due_s = by_rms.due_in(one);
            let after = [
                relay.step(dt_s, &currents).map(|it| it.after_s),
                by_rms.step(dt_s, one).map(|it| it.after_s),
                by_values.step_instantaneous(dt_s, (one, other), one).map(|it| it.after_s),
                recloser.step(dt_s, &currents).map(|it| it.after_s),
                sectionalizer.step(dt_s, one).map(|it| it.after_s),
            ];
            for after_s in after.into_iter().flatten() {
                prop_assert!(passes(dt_s) && (0.0..=dt_s).contains(&after_s));
            }
            if passes(dt_s) {
                prop_assert_eq!(after[1], fuse_due_s.filter(|due_s| *due_s <= dt_s));
                let due_s = due_s.filter(|due_s| *due_s <= dt_s).unwrap_or(-1.0);
                prop_assert!((after[3].unwrap_or(-1.0) - due_s).abs() < 1e-9);
            }
            prop_assert!((0.0..=1.0).contains(&share(&relay)));
        }
    }
}
