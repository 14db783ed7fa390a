//! A line-ground fault in a medium-voltage network by the earthing of its neutral: the current and
//! the neutral's voltage of the symmetrical components' formulas.

use num_complex::Complex64;

use super::{OMEGA, add_node, add_shunt, add_source, add_transformer, c, phasor};
use crate::network::{Network, Neutral, NodeId, WindingKind, Wire, Wires};
use crate::testing::{self, sequence};
use crate::transient::{Action, FaultKind, Loads, Options, Place, Transient};

const VOLTS: f64 = 20e3;
/// Of the cables to earth, each phase, farad.
const EARTH_F: f64 = 4e-6;

/// 110 kV in delta, 20 kV in star with its neutral earthed so, cables as capacitances.
fn network(neutral: Neutral) -> (Network, NodeId, NodeId) {
    let mut network = Network::new("cables", 50.0);
    let top = add_node(&mut network, 110e3);
    add_source(&mut network, top, c(0.3, 3.0), c(0.3, 3.0));
    let busbar = add_node(&mut network, VOLTS);
    let windings = [(top, WindingKind::Delta), (busbar, WindingKind::Star(neutral))];
    add_transformer(&mut network, windings, 11, 40e6, c(0.005, 0.12));
    let far = add_node(&mut network, VOLTS);
    // All capacitance to earth stands at the busbar, so that the formula is short.
    let none = [Complex64::ZERO; 2];
    let line = sequence([c(1.0, 0.6), c(3.0, 1.2)], none);
    testing::add_line(&mut network, busbar, far, line);
    add_shunt(&mut network, busbar, c(0.0, OMEGA * EARTH_F));
    (network, busbar, far)
}

/// Fault current at the far end, and the zero-sequence voltage of the busbar, by the formulas.
fn expected(through: Option<Complex64>) -> (Complex64, Complex64) {
    let rated = VOLTS * VOLTS / 40e6;
    let upstream = c(0.3, 3.0) * (VOLTS / 110e3).powi(2);
    let leakage = c(0.005, 0.12) * rated;
    let y_earth = c(0.0, OMEGA * EARTH_F);
    let behind = |z: Complex64| Complex64::ONE / (Complex64::ONE / z + y_earth);
    let emf_scale = |z: Complex64| Complex64::ONE / (Complex64::ONE + z * y_earth);
    let series = upstream + leakage;
    let z1 = behind(series) + c(1.0, 0.6);
    let zero_busbar = through.map_or(Complex64::ONE / y_earth, |z| behind(leakage + 3.0 * z));
    let z0 = zero_busbar + c(3.0, 1.2);
    // Clock 11: the low side leads by a twelfth of a turn.
    let emf = Complex64::from_polar(VOLTS / 3.0_f64.sqrt(), 0.4 + std::f64::consts::PI / 6.0)
        * emf_scale(series);
    let current = 3.0 * emf / (2.0 * z1 + z0);
    (current, -current / 3.0 * zero_busbar)
}

fn played(neutral: Neutral) -> (Complex64, Complex64) {
    let (network, busbar, far) = network(neutral);
    let options = Options { step_s: 20e-6, loads: Loads::None, saturations: &[] };
    let mut transient = Transient::<3>::new(&network, &options).unwrap();
    let fault = Action::Fault {
        id: 1,
        place: Place(far),
        kind: FaultKind::Ground(Wires::NONE.with(Wire::A)),
        resistance_ohm: 0.0,
    };
    transient.schedule(0.013, fault).unwrap();
    while transient.time_s() < 6.0 {
        transient.advance().unwrap();
    }
    let (mut current, mut zero) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        transient.advance().unwrap();
        let at_s = transient.time_s();
        current.push((at_s, transient.fault_currents_a(1)[0]));
        let sum: f64 = Wire::PHASES.iter().map(|&wire| transient.voltage_v(busbar, wire)).sum();
        zero.push((at_s, sum / 3.0));
    }
    (phasor(&current), phasor(&zero))
}

#[test]
fn earth_faults_are_those_of_the_formulas_by_the_neutral_s_earthing() {
    let compensating = 1.0 / (3.0 * OMEGA * EARTH_F);
    for (what, through) in [
        ("solid", Some(Complex64::ZERO)),
        ("a resistance", Some(c(12.0, 0.0))),
        ("a coil, 8 % detuned", Some(c(compensating * 0.03, compensating * 1.08))),
        ("isolated", None),
    ] {
        let neutral = through.map_or(Neutral::Isolated, Neutral::Earthed);
        let (current, zero) = played(neutral);
        let (expected_current, expected_zero) = expected(through);
        let share =
            |found: Complex64, expected: Complex64| (found - expected).norm() / expected.norm();
        let errors = (share(current, expected_current), share(zero, expected_zero));
        assert!(
            errors.0 < 1e-3 && errors.1 < 1e-3,
            "{what}: {errors:?} {current} {expected_current}"
        );
    }
}
