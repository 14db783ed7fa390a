//! Against the textbooks' formulas of symmetrical components, and against dense systems that are
//! written down conductor by conductor.

mod dense;
mod random;

use num_complex::Complex64;

use super::{Fault, Kind, Location, Options, PrefaultState, Scaling, solve};
use crate::block::magnitude;
use crate::flow::{self, Phases};
use crate::network::{Network, NodeId, Wire, Wires};
use crate::testing::{add_line, add_node, add_source, c, sequence};

const ACTUAL: Options =
    Options { phases: Phases::All, before: PrefaultState::Unloaded(Scaling::Actual) };

fn at_node(kind: Kind, node: NodeId, impedance_ohm: Complex64) -> Fault {
    Fault { kind, location: Location::Node(node), impedance_ohm }
}

fn near(found: Complex64, expected: Complex64, scale: f64, what: &str) {
    let tolerance = 1e-9 * scale;
    assert!(magnitude(found - expected) < tolerance, "{what}: {found} is not {expected}");
}

/// The phases from their symmetrical components (none, one, two).
fn phases(components: [Complex64; 3]) -> [Complex64; 3] {
    let a = Complex64::from_polar(1.0, std::f64::consts::TAU / 3.0);
    let [none, one, two] = components;
    [none + one + two, none + a * a * one + a * two, none + a * one + a * a * two]
}

/// The components of a fault by the textbook's networks, as seen from the phase that is different:
/// currents into the fault. `e` is the voltage before, `z1` = `z2`.
fn textbook(
    kind: Kind,
    e: Complex64,
    z1: Complex64,
    z0: Complex64,
    z: Complex64,
) -> [Complex64; 3] {
    let none = Complex64::ZERO;
    match kind {
        Kind::ThreePhase => [none, e / (z1 + z), none],
        Kind::SinglePhaseToGround(_) => [e / (z1 + z1 + z0 + z * 3.0); 3],
        Kind::TwoPhase(..) => {
            let one = e / (z1 + z1 + z);
            [none, one, -one]
        }
        Kind::TwoPhaseToGround(..) => {
            let earth = z0 + z * 3.0;
            let one = e / (z1 + z1 * earth / (z1 + earth));
            [-one * z1 / (z1 + earth), one, -one * earth / (z1 + earth)]
        }
        Kind::OpenConductors(_) => panic!("not here"),
    }
}

#[test]
fn currents_and_voltages_are_those_of_the_textbooks() {
    let (zs1, zs0) = (c(0.05, 0.6), c(0.2, 1.1));
    let (zl1, zl0) = (c(0.3, 0.36), c(0.6, 1.4));
    let mut network = Network::new("two nodes", 50.0);
    let (first, last) = (add_node(&mut network, 10e3), add_node(&mut network, 10e3));
    let none = Complex64::ZERO;
    add_line(&mut network, first, last, sequence([zl1, zl0], [none; 2]));
    add_source(&mut network, first, [zs1, zs0]).voltage_v = 10.4e3;
    let e = c(10.4e3 / 3f64.sqrt(), 0.0);
    // The phase that is different comes first; the others follow in the order of rotation.
    let cases = [
        (Kind::ThreePhase, 0),
        (Kind::SinglePhaseToGround(Wire::A), 0),
        (Kind::SinglePhaseToGround(Wire::B), 1),
        (Kind::SinglePhaseToGround(Wire::C), 2),
        (Kind::TwoPhase(Wire::B, Wire::C), 0),
        (Kind::TwoPhase(Wire::A, Wire::C), 1),
        (Kind::TwoPhase(Wire::A, Wire::B), 2),
        (Kind::TwoPhaseToGround(Wire::B, Wire::C), 0),
        (Kind::TwoPhaseToGround(Wire::C, Wire::A), 1),
        (Kind::TwoPhaseToGround(Wire::A, Wire::B), 2),
    ];
    for z in [none, c(0.7, 0.2)] {
        for (kind, first_phase) in cases {
            let found = solve(&network, &[at_node(kind, last, z)], &ACTUAL).unwrap();
            let turn =
                Complex64::from_polar(1.0, -std::f64::consts::TAU / 3.0 * first_phase as f64);
            let (z1, z0) = (zs1 + zl1, zs0 + zl0);
            let currents = textbook(kind, e, z1, z0, z).map(|it| it * turn);
            let at = |wire: usize| (wire + first_phase) % 3;
            let through = |z1: Complex64, z0: Complex64| {
                let [i0, i1, i2] = currents;
                phases([-z0 * i0, e * turn - z1 * i1, -z1 * i2])
            };
            let (current, near_source, there) =
                (phases(currents), through(zs1, zs0), through(z1, z0));
            for wire in 0..3 {
                let what = format!("{kind:?} {z} wire {wire}");
                near(found.faults[0].current_a[at(wire)], current[wire], 1e4, &what);
                near(found.faults[0].voltage_v[at(wire)], there[wire], 1e4, &what);
                near(found.flow.nodes[0].voltage_v[at(wire)], near_source[wire], 1e4, &what);
                // The line and the source carry the current of the fault, and nothing else.
                near(found.flow.lines[0].from.current_a[at(wire)], current[wire], 1e4, &what);
                near(found.flow.sources[0].current_a[at(wire)], current[wire], 1e4, &what);
            }
            assert!(found.flow.residual_va < 1e-3, "{kind:?}: {}", found.flow.residual_va);
        }
    }
}

#[test]
fn sources_are_scaled_as_the_standard_has_it() {
    for (rated, smallest) in [(400.0, 0.95), (10e3, 1.0)] {
        let mut network = Network::new("one node", 50.0);
        let node = add_node(&mut network, rated);
        add_source(&mut network, node, [c(0.0, 1.0); 2]).voltage_v = 1.03 * rated;
        for (scaling, expected) in
            [(Scaling::Actual, 1.03), (Scaling::Minimum, smallest), (Scaling::Maximum, 1.1)]
        {
            for phases in [Phases::All, Phases::Balanced] {
                let options = Options { phases, before: PrefaultState::Unloaded(scaling) };
                let fault = at_node(Kind::ThreePhase, node, Complex64::ZERO);
                let found = solve(&network, &[fault], &options).unwrap();
                let expected = c(0.0, -expected * rated / 3f64.sqrt());
                near(found.faults[0].current_a[0], expected, rated, "scaled");
            }
        }
    }
}

fn loaded() -> Options {
    let flow = flow::Options { tolerance_pu: 1e-13, ..flow::Options::default() };
    Options { phases: Phases::All, before: PrefaultState::Loaded(flow) }
}

#[test]
fn kinds_are_read_as_they_are_written() {
    let broken = [Wires::NONE.with(Wire::A), Wires::ABC].map(Kind::OpenConductors);
    for kind in Kind::SHORT.into_iter().chain(broken) {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert_eq!("bn".parse(), Ok(Kind::TwoPhase(Wire::B, Wire::Neutral)));
    assert_eq!("abcg".parse(), Ok(Kind::ThreePhase));
    for text in ["", "a", "g", "aa", "abx", "open-", "open-ag", "abcn", "abn g"] {
        assert!(text.parse::<Kind>().is_err(), "{text}");
    }
}
