//! Circuits whose answer is a formula.

use std::f64::consts::SQRT_2;

use num_complex::Complex64;
use proptest::prelude::*;

use super::{OMEGA, add_load, add_node, add_shunt, add_source, add_switch, c, play, volts};
use crate::network::{Network, NodeId, Wire, Wires};
use crate::transient::{Action, FaultKind, Place, Pole, Transient};

const STEP_S: f64 = 50e-6;
const RATED_V: f64 = 400.0;

/// A source with a resistance and an inductance, and a node behind it.
fn inductive(time_constant_s: f64) -> (Network, NodeId, Complex64) {
    let mut network = Network::new("rl", 50.0);
    let node = add_node(&mut network, RATED_V);
    let z = c(0.05, 0.05 * time_constant_s * OMEGA);
    add_source(&mut network, node, z, z);
    (network, node, z)
}

fn fault(node: NodeId, kind: FaultKind, resistance_ohm: f64) -> Action {
    Action::Fault { id: 1, place: Place(node), kind, resistance_ohm }
}

/// A sinusoid that begins at an instant through R and L, per phase.
fn offset_current(z: Complex64, angle_rad: f64, begin_s: f64, at_s: f64) -> f64 {
    let peak = SQRT_2 * RATED_V / 3.0_f64.sqrt() / z.norm();
    let lag = z.arg();
    let time_constant_s = z.im / OMEGA / z.re;
    let wave = |at: f64| (OMEGA * at + angle_rad - lag).sin();
    peak * (wave(at_s) - wave(begin_s) * (-(at_s - begin_s) / time_constant_s).exp())
}

fn largest_difference(time_constant_s: f64, begin_s: f64, step_s: f64) -> f64 {
    let (network, node, z) = inductive(time_constant_s);
    let mut transient = play(&network, step_s);
    let all = FaultKind::Ground(Wires::ABC);
    transient.schedule(begin_s, fault(node, all, 0.0)).unwrap();
    let (mut worst, mut peak) = (0.0_f64, 0.0_f64);
    while transient.time_s() < begin_s + 0.1 {
        transient.advance().unwrap();
        let at_s = transient.time_s();
        for (wire, turn) in [(Wire::A, 0.0), (Wire::B, -1.0), (Wire::C, 1.0)] {
            let angle = 0.4 + turn * std::f64::consts::TAU / 3.0;
            let expected =
                if at_s > begin_s { offset_current(z, angle, begin_s, at_s) } else { 0.0 };
            let found = transient.source_current_a(0, wire);
            worst = worst.max((found - expected).abs());
            peak = peak.max(expected.abs());
        }
    }
    worst / peak
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_fault_at_any_angle_has_its_decaying_offset(
        time_constant_s in 5e-3..0.1_f64,
        begin_s in 0.01..0.03_f64,
    ) {
        let found = largest_difference(time_constant_s, begin_s, STEP_S);
        prop_assert!(found < 1e-4, "{found}");
    }
}

#[test]
fn half_the_step_is_a_quarter_of_the_error() {
    for begin_s in [0.012_34, 0.016_1] {
        let of = |step_s| largest_difference(0.005, begin_s, step_s);
        let ratio = of(100e-6) / of(50e-6);
        assert!((3.5..4.5).contains(&ratio), "{ratio}");
        let ratio = of(50e-6) / of(25e-6);
        assert!((3.5..4.5).contains(&ratio), "{ratio}");
    }
}

/// A source behind a resistance, a switch, and a capacitance behind it.
fn capacitive(resistance_ohm: f64, farad: f64) -> (Network, NodeId) {
    let mut network = Network::new("rc", 50.0);
    let [first, second] = [add_node(&mut network, RATED_V), add_node(&mut network, RATED_V)];
    let z = c(resistance_ohm, 0.0);
    add_source(&mut network, first, z, z);
    add_switch(&mut network, first, second, false);
    add_shunt(&mut network, second, c(0.0, OMEGA * farad));
    (network, second)
}

#[test]
fn a_capacitance_that_is_switched_on_charges_by_the_formula() {
    for (resistance_ohm, farad, begin_s) in
        [(10.0, 500e-6, 0.010_021), (100.0, 200e-6, 0.013), (50.0, 100e-6, 0.017_77)]
    {
        let (network, node) = capacitive(resistance_ohm, farad);
        let mut transient = play(&network, STEP_S);
        transient.schedule(begin_s, Action::Close { switch: 0, pole: Pole::All }).unwrap();
        let peak_emf = SQRT_2 * RATED_V / 3.0_f64.sqrt();
        let steady = Complex64::ONE / c(1.0, OMEGA * resistance_ohm * farad);
        let time_constant_s = resistance_ohm * farad;
        let wave = |at: f64| peak_emf * steady.norm() * (OMEGA * at + 0.4 + steady.arg()).sin();
        let (mut worst, mut peak) = (0.0_f64, 0.0_f64);
        while transient.time_s() < 0.1 {
            transient.advance().unwrap();
            let at_s = transient.time_s();
            if at_s <= begin_s {
                continue;
            }
            let decay = (-(at_s - begin_s) / time_constant_s).exp();
            let expected = wave(at_s) - wave(begin_s) * decay;
            worst = worst.max((volts(&transient, node) - expected).abs());
            peak = peak.max(expected.abs());
        }
        assert!(worst < 1e-4 * peak, "{worst} of {peak}");
    }
}

/// What the trapezoidal rule itself makes of R, L and C in series that a source is switched on to:
/// the roots of the rule's recursion are `(1 + h p / 2) / (1 - h p / 2)` for each pole `p`, and the
/// steady state is that of the bent frequency.
fn ringing_by_the_rule(
    (ohm, henry, farad): (f64, f64, f64),
    (begin_s, at_s, step_s): (f64, f64, f64),
) -> f64 {
    let peak_emf = SQRT_2 * RATED_V / 3.0_f64.sqrt();
    let bent = 2.0 / step_s * (OMEGA * step_s / 2.0).tan();
    let s = c(0.0, bent);
    let steady = Complex64::ONE / (Complex64::ONE + s * ohm * farad + s * s * henry * farad);
    let alpha = ohm / (2.0 * henry);
    let beta = (1.0 / (henry * farad) - alpha * alpha).sqrt();
    let root =
        |p: Complex64| (Complex64::ONE + p * step_s / 2.0) / (Complex64::ONE - p * step_s / 2.0);
    let p = root(c(-alpha, beta)).ln() / step_s;
    // v = Im(emf steady e^jwt) + Re(k e^(p t)), with v = 0 and i = C v' = 0 at the beginning.
    let phasor = steady * peak_emf * Complex64::from_polar(1.0, OMEGA * begin_s + 0.4);
    let (v, slope) = (phasor.im, (phasor * s).im);
    // Re k = -v; Re (k p) = -slope.
    let k = c(-v, (-v * p.re + slope) / p.im);
    let passed = at_s - begin_s;
    (phasor * Complex64::from_polar(1.0, OMEGA * passed)).im + (k * (p * passed).exp()).re
}

#[test]
fn a_ringing_circuit_is_what_the_rule_makes_of_it() {
    let (ohm, farad, hertz) = (2.0, 50e-6, 300.0);
    let henry = 1.0 / (farad * (std::f64::consts::TAU * hertz).powi(2));
    let (mut network, node) = capacitive(ohm, farad);
    let z = c(ohm, OMEGA * henry);
    (network.sources[0].z1_ohm, network.sources[0].z0_ohm) = (z, z);
    let errors = [40e-6, 20e-6, 10e-6].map(|step_s| {
        let mut transient = play(&network, step_s);
        let begin_s = 0.010_003;
        transient.schedule(begin_s, Action::Close { switch: 0, pole: Pole::All }).unwrap();
        let (mut worst, mut peak) = (0.0_f64, 0.0_f64);
        while transient.time_s() < 0.06 {
            transient.advance().unwrap();
            let at_s = transient.time_s();
            if at_s <= begin_s {
                continue;
            }
            let expected = ringing_by_the_rule((ohm, henry, farad), (begin_s, at_s, step_s));
            worst = worst.max((volts(&transient, node) - expected).abs());
            peak = peak.max(expected.abs());
        }
        worst / peak
    });
    for pair in errors.windows(2) {
        assert!((3.4..4.6).contains(&(pair[0] / pair[1])), "{errors:?}");
    }
    assert!(errors[2] < 1e-4, "{errors:?}");
}

#[test]
fn a_current_that_is_cut_off_leaves_no_oscillation_behind() {
    let (mut network, node, _) = inductive(0.03);
    let behind = add_node(&mut network, RATED_V);
    add_switch(&mut network, node, behind, true);
    add_load(&mut network, behind, [c(8000.0, 6000.0); 3]);
    let mut transient = play(&network, STEP_S);
    transient
        .schedule(0.023_4, Action::Open { switch: 0, pole: Pole::All, at_zero: false })
        .unwrap();
    let mut seen = Vec::new();
    while transient.time_s() < 0.04 {
        transient.advance().unwrap();
        if transient.time_s() > 0.023_4 {
            seen.push([volts(&transient, node), transient.source_current_a(0, Wire::A)]);
        }
    }
    // What changes its sign from step to step is a fourth difference of sixteen times its size.
    for channel in 0..2 {
        let peak = if channel == 0 { SQRT_2 * 231.0 } else { 50.0 };
        for window in seen.windows(5) {
            let at = |k: usize| window[k][channel];
            let alternating = (at(0) - 4.0 * at(1) + 6.0 * at(2) - 4.0 * at(3) + at(4)) / 16.0;
            assert!(alternating.abs() < 1e-6 * peak, "{alternating} of {peak}");
        }
    }
}

/// Through to the end, with energies counted.
fn energies(transient: &mut Transient<3>, until_s: f64) -> f64 {
    transient.count_energy();
    while transient.time_s() < until_s {
        transient.advance().unwrap();
    }
    transient.energy().unwrap().in_j
}

#[test]
fn what_comes_in_is_dissipated_or_stored_and_what_a_switching_takes_is_booked() {
    let (mut network, node, _) = inductive(0.02);
    let behind = add_node(&mut network, RATED_V);
    add_switch(&mut network, node, behind, true);
    add_shunt(&mut network, behind, c(0.0, OMEGA * 40e-6));
    add_load(&mut network, behind, [c(5000.0, 2000.0), c(3000.0, 1000.0), c(2000.0, -500.0)]);
    let mut transient = play(&network, STEP_S);
    let in_j = energies(&mut transient, 0.1);
    let energy = *transient.energy().unwrap();
    assert!(in_j > 900.0, "{energy:?}");
    assert!(energy.residual_j().abs() < 1e-7 * in_j, "{energy:?}");
    assert_eq!(energy.removed_j, 0.0);
    // Cut off in the middle of its wave, with what was in the inductance.
    let mut transient = play(&network, STEP_S);
    transient
        .schedule(0.043_21, Action::Open { switch: 0, pole: Pole::All, at_zero: false })
        .unwrap();
    let in_j = energies(&mut transient, 0.0432);
    let stored_j = transient.energy().unwrap().stored_j;
    while transient.time_s() < 0.1 {
        transient.advance().unwrap();
    }
    let energy = *transient.energy().unwrap();
    assert!(energy.residual_j().abs() < 1e-7 * in_j, "{energy:?}");
    assert!(energy.removed_j > 0.0 && energy.removed_j < stored_j, "{energy:?} {stored_j}");
}

/// When each pole opens that was ordered to, and its current in the step before.
fn opened(order_s: f64) -> [(f64, f64); 3] {
    let (mut network, node, _) = inductive(0.02);
    let behind = add_node(&mut network, RATED_V);
    add_switch(&mut network, node, behind, true);
    let mut transient = play(&network, STEP_S);
    let all = FaultKind::Ground(Wires::ABC);
    transient.schedule(0.01, fault(behind, all, 0.0)).unwrap();
    let open = Action::Open { switch: 0, pole: Pole::All, at_zero: true };
    transient.schedule(order_s, open).unwrap();
    let mut opened = [None; 3];
    while transient.time_s() < order_s + 0.02 {
        let last = [0, 1, 2].map(|pole| transient.switch_current_a(0, pole));
        transient.advance().unwrap();
        for (pole, opened) in opened.iter_mut().enumerate() {
            if !transient.is_closed(0, pole) && opened.is_none() {
                *opened = Some((transient.time_s(), last[pole]));
            }
        }
    }
    assert!(!transient.is_waiting());
    opened.map(Option::unwrap)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_breaker_opens_each_pole_at_the_next_zero_of_its_current(order_s in 0.08..0.12_f64) {
        let opened = opened(order_s);
        // By less than what two steps change it, it was at its zero.
        let slope = SQRT_2 * 231.0 / (0.05 * 0.02);
        for (at_s, last_a) in opened {
            // An offset makes a half wave longer.
            prop_assert!((order_s..order_s + 0.0125).contains(&at_s), "{opened:?}");
            prop_assert!(last_a.abs() < 2.5 * slope * STEP_S, "{opened:?}");
        }
    }

    // Two poles whose zeros are closer to each other than the damping lasts.
    #[test]
    fn a_zero_within_the_damping_of_another_switching_is_not_missed(share in 0.05..0.95_f64) {
        let (mut network, node, _) = inductive(0.02);
        let behind = add_node(&mut network, RATED_V);
        add_switch(&mut network, node, behind, true);
        add_switch(&mut network, node, behind, true);
        let mut transient = play(&network, STEP_S);
        transient.schedule(0.0, fault(behind, FaultKind::Ground(Wires::ABC), 0.0)).unwrap();
        while transient.time_s() < 0.5 {
            transient.advance().unwrap();
        }
        // Until the current of a pole has a sign of its own for a while.
        let mut zero_s = None;
        let mut last = transient.switch_current_a(0, 0);
        while zero_s.is_none() {
            transient.advance().unwrap();
            let now = transient.switch_current_a(0, 0);
            zero_s = (last * now < 0.0).then(|| transient.time_s() + 0.01);
            last = now;
        }
        // Something else is switched just before the pole's zero: it still opens there.
        let open = Action::Open { switch: 0, pole: Pole::One(0), at_zero: true };
        let zero_s = zero_s.unwrap();
        transient.schedule(zero_s - 0.002, open).unwrap();
        let other = Action::Open { switch: 1, pole: Pole::One(2), at_zero: false };
        transient.schedule(zero_s - share * STEP_S - STEP_S, other).unwrap();
        while transient.is_closed(0, 0) && transient.time_s() < zero_s + 0.02 {
            transient.advance().unwrap();
        }
        prop_assert!(transient.time_s() < zero_s + 4.0 * STEP_S, "{}", transient.time_s() - zero_s);
    }
}
