//! Arcs of faults against closed forms and their equations.

use std::f64::consts::{FRAC_PI_2, SQRT_2};

use num_complex::Complex64;

use super::{OMEGA, add_node, add_source, c, play};
use crate::network::{Network, NodeId, Wire, Wires};
use crate::transient::{Action, Arc, FaultKind, Place, Transient};

const STEP_S: f64 = 50e-6;
const PEAK_V: f64 = 20e3 * SQRT_2 / 1.732_050_807_568_877_2;
const LONG: Arc = Arc::Long { positive_v: 5000.0, negative_v: 5000.0, resistance_ohm: 100.0 };

fn network(z: Complex64) -> (Network, NodeId) {
    let mut network = Network::new("arc", 50.0);
    let node = add_node(&mut network, 20e3);
    add_source(&mut network, node, z, z);
    (network, node)
}

fn ground(node: NodeId, arc: Arc) -> Action {
    let kind = FaultKind::Ground(Wires::NONE.with(Wire::A));
    Action::ArcFault { id: 1, place: Place(node), kind, arc }
}

fn emf(at_s: f64) -> f64 {
    PEAK_V * (OMEGA * at_s + 0.4).sin()
}

/// Instants and currents of an arc to earth, energies counted.
fn burnt(z: Complex64, arc: Arc, begin_s: f64, until_s: f64) -> (Vec<(f64, f64)>, Transient<3>) {
    let (network, node) = network(z);
    let mut transient = play(&network, STEP_S);
    transient.schedule(begin_s, ground(node, arc)).unwrap();
    transient.count_energy();
    let mut seen = Vec::new();
    while transient.time_s() < until_s - STEP_S / 2.0 {
        transient.advance().unwrap();
        if let [current_a] = transient.fault_currents_a(1)[..] {
            seen.push((transient.time_s(), current_a));
        }
    }
    let energy = *transient.energy().unwrap();
    assert!(energy.in_j > 100.0, "{energy:?}");
    assert!(energy.residual_j().abs() < 1e-6 * energy.in_j, "{energy:?}");
    assert!(energy.removed_j.abs() < 1e-3 * energy.in_j, "{energy:?}");
    (seen, transient)
}

#[test]
fn a_long_arc_through_resistances_is_its_closed_form() {
    let (positive_v, negative_v) = (5000.0, 7000.0);
    let arc = Arc::Long { positive_v, negative_v, resistance_ohm: 100.0 };
    let (seen, _) = burnt(c(50.0, 0.0), arc, 0.003_21, 0.1);
    let mut dark = 0;
    for (at_s, current_a) in seen {
        let emf = emf(at_s);
        let expected = ((emf - positive_v).max(0.0) + (emf + negative_v).min(0.0)) / 150.0;
        assert!((current_a - expected).abs() < 1e-5, "{at_s}: {current_a} {expected}");
        if expected == 0.0 {
            assert!(current_a == 0.0, "{at_s}: {current_a}");
            dark += 1;
        }
    }
    assert!(dark > 400, "{dark}");
}

#[test]
fn a_long_arc_has_the_odd_harmonics_of_its_fourier_series() {
    let (seen, transient) = burnt(c(50.0, 0.0), LONG, 0.0, 0.06);
    let energy = *transient.energy().unwrap();
    assert!(energy.removed_j.abs() < 1e-9 * energy.in_j, "{energy:?}");
    // Over the last period by the trapezoidal rule, which the zeros of currents make uneven.
    let until_s = seen[seen.len() - 1].0;
    let first = seen.iter().position(|it| it.0 > until_s - 0.02).unwrap();
    let at = |(at_s, a): (f64, f64), order: f64| Complex64::from_polar(a, -order * OMEGA * at_s);
    let (early, late) = (seen[first - 1], seen[first]);
    let share = (until_s - 0.02 - early.0) / (late.0 - early.0);
    let begun = (until_s - 0.02, early.1 + (late.1 - early.1) * share);
    let period: Vec<_> = std::iter::once(begun).chain(seen[first..].iter().copied()).collect();
    let harmonic = |order: f64| {
        let pairs = period.windows(2);
        let area = |it: &[(f64, f64)]| (at(it[0], order) + at(it[1], order)) * (it[1].0 - it[0].0);
        (pairs.map(area).sum::<Complex64>() / 0.02).norm()
    };
    // i = (E sin x - U) / R from x1 to pi / 2, four times.
    let x1 = (5000.0 / PEAK_V).asin();
    let of_sin = |n: f64| -((n * FRAC_PI_2).cos() - (n * x1).cos()) / n;
    let squares = |x: f64| x / 2.0 - (2.0 * x).sin() / 4.0;
    let crossed = |x: f64| (2.0 * x).sin() / 4.0 - (4.0 * x).sin() / 8.0;
    let scale = 4.0 / std::f64::consts::PI / 150.0;
    let first = scale * (PEAK_V * (squares(FRAC_PI_2) - squares(x1)) - 5000.0 * of_sin(1.0));
    let third = scale * (PEAK_V * (crossed(FRAC_PI_2) - crossed(x1)) - 5000.0 * of_sin(3.0));
    let found = harmonic(3.0) / harmonic(1.0);
    assert!((harmonic(1.0) / first - 1.0).abs() < 1e-4, "{} {first}", harmonic(1.0));
    assert!((found - (third / first).abs()).abs() < 1e-4, "{found} {third} {first}");
    assert!(found > 0.05, "{found}");
    assert!(harmonic(2.0) < 1e-6 * first, "{}", harmonic(2.0));
}

#[test]
fn a_voltage_below_the_arcs_drives_no_current() {
    let (network, node) = network(c(5.0, 20.0));
    let mut transient = play(&network, STEP_S);
    let volts = 1.001 * PEAK_V;
    let arc = Arc::Long { positive_v: volts, negative_v: volts, resistance_ohm: 1.0 };
    transient.schedule(0.001, ground(node, arc)).unwrap();
    while transient.time_s() < 0.05 {
        transient.advance().unwrap();
        assert!(transient.fault_currents_a(1).iter().all(|it| *it == 0.0));
    }
}

/// The same through an inductance too, in steps of a tenth of a microsecond.
fn through_inductance(z: Complex64, begin_s: f64, at_s: &[f64]) -> Vec<f64> {
    let (ohm, henry) = (z.re + 100.0, z.im / OMEGA);
    let (mut now_s, mut current_a) = (begin_s, 0.0_f64);
    let mut result = Vec::new();
    for &until_s in at_s {
        let steps = ((until_s - now_s) / 1e-7).ceil().max(1.0);
        let h = (until_s - now_s) / steps;
        for _ in 0..steps as usize {
            let emf = emf(now_s + h / 2.0);
            let sign = if current_a == 0.0 { emf.signum() } else { current_a.signum() };
            let is_dark = current_a == 0.0 && emf.abs() <= 5000.0;
            if !is_dark {
                let slope = |a: f64| (emf - sign * 5000.0 - ohm * a) / henry;
                let next = current_a + h * slope(current_a + h / 2.0 * slope(current_a));
                current_a = if next * sign < 0.0 { 0.0 } else { next };
            }
            now_s += h;
        }
        result.push(current_a);
    }
    result
}

#[test]
fn a_long_arc_behind_an_inductance_is_that_of_its_equation() {
    for (z, begin_s) in [(c(20.0, 60.0), 0.004_2), (c(20.0, 400.0), 0.007)] {
        let (seen, _) = burnt(z, LONG, begin_s, 0.1);
        let at_s: Vec<f64> = seen.iter().map(|it| it.0).collect();
        let expected = through_inductance(z, begin_s, &at_s);
        let peak = expected.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        for ((at_s, found), expected) in seen.iter().zip(&expected) {
            let share = (found - expected).abs() / peak;
            assert!(share < 1e-3, "{z} {at_s}: {found} {expected} of {peak}");
        }
        // What changes its sign from step to step is a fourth difference.
        for window in seen.windows(5).map(|it| [it[0].1, it[1].1, it[2].1, it[3].1, it[4].1]) {
            let [a, b, c, d, e] = window;
            let alternating = (a - 4.0 * b + 6.0 * c - 4.0 * d + e) / 16.0;
            assert!(alternating.abs() < 5e-3 * peak, "{alternating} of {peak}");
        }
    }
}

#[test]
fn an_arc_ends_at_the_zero_of_its_current_or_at_once() {
    let (network, node) = network(c(20.0, 60.0));
    // In the middle of a current, and where there is none.
    for (order_s, at_zero, burns_s) in
        [(0.023, true, 0.008), (0.023, false, 0.0), (0.029_4, true, 0.0)]
    {
        let mut transient = play(&network, STEP_S);
        transient.schedule(0.0, ground(node, LONG)).unwrap();
        transient.schedule(order_s, Action::Clear { id: 1, at_zero }).unwrap();
        let mut last_s = 0.0;
        while transient.time_s() < 0.08 {
            transient.advance().unwrap();
            if transient.fault_currents_a(1)[0] != 0.0 {
                last_s = transient.time_s();
            }
            if transient.time_s() > order_s + 2.0 * STEP_S && burns_s > 0.0 {
                assert_eq!(transient.is_waiting(), last_s == transient.time_s());
            }
        }
        assert!(!transient.is_waiting());
        let least = if burns_s > 0.0 { order_s + burns_s / 2.0 } else { 0.0 };
        assert!((least..=order_s + burns_s).contains(&last_s), "{order_s} {at_zero}: {last_s}");
    }
}

#[test]
fn a_dynamic_arc_is_that_of_its_equation() {
    let (voltage_v, resistance_ohm, time_constant_s) = (3000.0, 20.0, 1e-3);
    let initial_siemens = 0.05;
    let arc = Arc::Dynamic { voltage_v, resistance_ohm, time_constant_s, initial_siemens };
    let (seen, _) = burnt(c(50.0, 0.0), arc, 0.004, 0.1);
    let (mut now_s, mut g) = (0.004, initial_siemens);
    let of = |at_s: f64, g: f64| emf(at_s) * g / (1.0 + 50.0 * g);
    let slope = |at_s: f64, g: f64| {
        let size = of(at_s, g).abs();
        (size / (voltage_v + resistance_ohm * size) - g) / time_constant_s
    };
    let peak = seen.iter().fold(0.0_f64, |most, it| most.max(it.1.abs()));
    for (until_s, found) in seen {
        let steps = ((until_s - now_s) / 1e-6).ceil();
        let h = (until_s - now_s) / steps;
        for _ in 0..steps as usize {
            let middle = g + h / 2.0 * slope(now_s, g);
            g += h * slope(now_s + h / 2.0, middle);
            now_s += h;
        }
        let expected = of(now_s, g);
        assert!((found - expected).abs() < 5e-3 * peak, "{until_s}: {found} {expected} {peak}");
    }
}

#[test]
fn arcs_that_cannot_be_are_refused() {
    let (network, node) = network(c(5.0, 20.0));
    let mut transient = play(&network, STEP_S);
    let long = |positive_v, negative_v, resistance_ohm| Arc::Long {
        positive_v,
        negative_v,
        resistance_ohm,
    };
    let dynamic = |time_constant_s, initial_siemens| Arc::Dynamic {
        voltage_v: 3000.0,
        resistance_ohm: 0.0,
        time_constant_s,
        initial_siemens,
    };
    for (arc, expected) in [
        (long(0.0, 1.0, 1.0), "an arc's voltage in V of 0: expected a finite one above 0"),
        (long(1.0, -1.0, 1.0), "an arc's voltage in V of -1"),
        (long(1.0, 1.0, 0.0), "an arc's resistance in ohm of 0: expected a finite one from 0.001"),
        (long(f64::NAN, 1.0, 1.0), "an arc's voltage in V of NaN"),
        (dynamic(-1e-3, 1.0), "an arc's time constant in s of -0.001"),
        (dynamic(f64::INFINITY, 1.0), "an arc's time constant in s of inf"),
        (dynamic(1e-3, 0.0), "an arc's first conductance in S of 0"),
    ] {
        let found = transient.schedule(0.01, ground(node, arc)).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
    let (place, kind) = (Place(node), FaultKind::Between(Wires::ABC));
    let star = Action::ArcFault { id: 1, place, kind, arc: LONG };
    let found = transient.schedule(0.01, star).unwrap_err().to_string();
    assert!(found.contains("2 between, for an arc"), "{found}");
    assert!(!transient.is_waiting());
}
