//! A ring of untransposed lines, as a dense system with one more unknown for each condition.

use num_complex::Complex64;

use super::super::{Fault, Kind, Location, solve, sweep};
use super::{ACTUAL, at_node, loaded, near};
use crate::block::magnitude;
use crate::flow;
use crate::network::{LineImpedance, Matrix, Network, NodeId, Wire, Wires};
use crate::testing::{add_line, add_load, add_node, add_source, c, sequence};

type Dense = nalgebra::DMatrix<nalgebra::Complex<f64>>;
type DenseColumn = nalgebra::DVector<nalgebra::Complex<f64>>;

/// A network of three nodes in a ring behind a source, with untransposed lines that are charged,
/// and an unbalanced load.
struct Ring {
    network: Network,
    lines: [(usize, usize); 3],
    load_s: [Complex64; 3],
    zs: [Complex64; 2],
}

const RING_V: f64 = 10.2e3;

/// The series impedance of the ring's lines: nothing about it is symmetrical but itself.
fn ring_series(line: usize) -> [[Complex64; 3]; 3] {
    let scale = 1.0 + 0.3 * line as f64;
    let z = [
        [c(0.46, 1.08), c(0.16, 0.50), c(0.15, 0.39)],
        [c(0.16, 0.50), c(0.47, 1.05), c(0.17, 0.42)],
        [c(0.15, 0.39), c(0.17, 0.42), c(0.45, 1.12)],
    ];
    z.map(|row| row.map(|it| it * scale))
}

fn ring_charging(line: usize) -> [[Complex64; 3]; 3] {
    let scale = 1e-5 * (1.0 + line as f64);
    let y = [[6.3, -1.9, -1.2], [-1.9, 5.9, -0.7], [-1.2, -0.7, 5.6]];
    y.map(|row| row.map(|it| c(0.0, it * scale)))
}

fn ring() -> Ring {
    let mut network = Network::new("ring", 50.0);
    for _ in 0..3 {
        add_node(&mut network, 10e3);
    }
    let lines = [(0, 1), (2, 1), (0, 2)];
    for (line, &(from, to)) in lines.iter().enumerate() {
        let (z, y) = (ring_series(line), ring_charging(line));
        let impedance = LineImpedance::Matrix {
            series_ohm: Box::new(Matrix::from_fn(3, |i, j| z[i][j])),
            shunt_s: Box::new(Matrix::from_fn(3, |i, j| y[i][j])),
        };
        add_line(&mut network, NodeId(from as u32), NodeId(to as u32), impedance);
    }
    let zs = [c(0.1, 0.9), c(0.3, 1.7)];
    add_source(&mut network, NodeId(0), zs).voltage_v = RING_V;
    let power = [c(4e5, 1e5), c(3e5, 2e5), c(6e5, 0.0)];
    let rated = 10e3 / 3f64.sqrt();
    add_load(&mut network, NodeId(1), power);
    let load_s = power.map(|it| it.conj() / (rated * rated));
    Ring { network, lines, load_s, zs }
}

/// Nodal equations with one more unknown for each condition.
struct System {
    a: Dense,
    b: DenseColumn,
    used: usize,
}

impl System {
    fn new(size: usize) -> Self {
        Self { a: Dense::zeros(size, size), b: DenseColumn::zeros(size), used: 0 }
    }

    fn add(&mut self, row: usize, column: usize, value: Complex64) {
        self.a[(row, column)] += nalgebra::Complex::new(value.re, value.im);
    }

    /// A part of a line between nodes (of three wires each).
    fn line(&mut self, from: usize, to: usize, line: usize, share: f64) {
        let z = nalgebra::Matrix3::from_fn(|i, j| {
            let it = ring_series(line)[i][j] * share;
            nalgebra::Complex::new(it.re, it.im)
        });
        let y = z.try_inverse().unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let half = ring_charging(line)[i][j] * share / 2.0;
                let through = c(y[(i, j)].re, y[(i, j)].im);
                self.add(3 * from + i, 3 * from + j, through + half);
                self.add(3 * to + i, 3 * to + j, through + half);
                self.add(3 * from + i, 3 * to + j, -through);
                self.add(3 * to + i, 3 * from + j, -through);
            }
        }
    }

    /// A current that flows out of these unknowns, by its weights, through an impedance.
    fn condition(&mut self, at: usize, weights: &[(usize, f64)], impedance: Complex64) {
        for &(unknown, weight) in weights {
            self.add(unknown, at, weight.into());
            self.add(at, unknown, weight.into());
        }
        self.add(at, at, -impedance);
    }

    fn solve(self) -> Vec<Complex64> {
        let x = self.a.lu().solve(&self.b).unwrap();
        x.iter().map(|it| c(it.re, it.im)).collect()
    }
}

/// The ring but for one line, with its source and, if asked for, its load.
fn ring_without(ring: &Ring, size: usize, left_out: Option<usize>, loaded: bool) -> System {
    let mut system = System::new(size);
    for (line, &(from, to)) in ring.lines.iter().enumerate() {
        if Some(line) != left_out {
            system.line(from, to, line, 1.0);
        }
    }
    let [y1, y0] = ring.zs.map(|z| Complex64::ONE / z);
    let first = RING_V / 3f64.sqrt();
    for i in 0..3 {
        for j in 0..3 {
            let own = if i == j { (y0 + y1 * 2.0) / 3.0 } else { (y0 - y1) / 3.0 };
            system.add(i, j, own);
        }
        let e = Complex64::from_polar(first, -std::f64::consts::TAU / 3.0 * i as f64) * y1;
        system.b[i] = nalgebra::Complex::new(e.re, e.im);
        if loaded {
            system.add(3 + i, 3 + i, ring.load_s[i]);
        }
    }
    system.used = 9;
    system
}

#[test]
fn faults_along_a_line_are_those_of_a_dense_system() {
    let ring = ring();
    let z = c(0.4, 0.1);
    for (line, share, with_load) in [(0, 0.3, false), (1, 0.85, false), (2, 0.5, true)] {
        for kind in [Kind::SinglePhaseToGround(Wire::B), Kind::TwoPhase(Wire::C, Wire::A)] {
            let mut system = ring_without(&ring, 13, Some(line), with_load);
            let (from, to) = ring.lines[line];
            system.line(from, 3, line, share);
            system.line(3, to, line, 1.0 - share);
            let weights: &[(usize, f64)] = match kind {
                Kind::SinglePhaseToGround(_) => &[(10, 1.0)],
                _ => &[(11, 1.0), (9, -1.0)],
            };
            system.condition(12, weights, z);
            let expected = system.solve();

            let options = if with_load { loaded() } else { ACTUAL };
            let location = Location::Line { line: line as u32, share };
            let fault = Fault { kind, location, impedance_ohm: z };
            let found = solve(&ring.network, &[fault], &options).unwrap();
            let what = format!("{kind:?} {line} {share}");
            for &(unknown, weight) in weights {
                let current = found.faults[0].current_a[unknown - 9];
                near(current, expected[12] * weight, 1e4, &what);
            }
            assert_eq!(found.flow.nodes.len(), 3);
            for at in 0..9 {
                let voltage = found.flow.nodes[at / 3].voltage_v[at % 3];
                near(voltage, expected[at], 1e4, &what);
            }
            for wire in 0..3 {
                near(found.faults[0].voltage_v[wire], expected[9 + wire], 1e4, &what);
            }
            assert!(found.flow.residual_va < 1e-2, "{what}: {}", found.flow.residual_va);
        }
    }
}

#[test]
fn broken_conductors_are_those_of_a_dense_system() {
    let ring = ring();
    let broken_sets: [&[Wire]; 4] = [&[Wire::B], &[Wire::A, Wire::C], &[Wire::C], &Wire::PHASES];
    for (line, share, with_load) in
        [(0, 0.3, true), (1, 0.0, true), (2, 1.0, true), (1, 0.6, false)]
    {
        for broken in broken_sets {
            for z in [Complex64::ZERO, c(5.0, 1.0)] {
                compare_broken(&ring, line, share, with_load, broken, z);
            }
        }
    }
}

fn compare_broken(
    ring: &Ring,
    line: usize,
    share: f64,
    with_load: bool,
    broken: &[Wire],
    z: Complex64,
) {
    // Nodes 3 and 4 are the ends at the gap; at share 0 or 1 one of them is an end of the line.
    let (from, to) = ring.lines[line];
    let mut system = ring_without(ring, 18, Some(line), with_load);
    let before = if share == 0.0 { from } else { 3 };
    let behind = if share == 1.0 { to } else { 4 };
    if share > 0.0 {
        system.line(from, before, line, share);
    }
    if share < 1.0 {
        system.line(behind, to, line, 1.0 - share);
    }
    for wire in 0..3 {
        let (a, b) = (3 * before + wire, 3 * behind + wire);
        let is_broken = broken.iter().any(|it| it.index() == wire);
        if !is_broken {
            system.condition(15 + wire, &[(a, 1.0), (b, -1.0)], Complex64::ZERO);
        } else if z == Complex64::ZERO {
            system.add(15 + wire, 15 + wire, Complex64::ONE);
        } else {
            system.condition(15 + wire, &[(a, 1.0), (b, -1.0)], z);
        }
        for (unused, used) in [(3, before), (4, behind)] {
            if used != unused {
                system.add(3 * unused + wire, 3 * unused + wire, Complex64::ONE);
            }
        }
    }
    let expected = system.solve();

    let kind = Kind::OpenConductors(broken.iter().copied().collect());
    let location = Location::Line { line: line as u32, share };
    let fault = Fault { kind, location, impedance_ohm: z };
    let options = if with_load { loaded() } else { ACTUAL };
    let found = solve(&ring.network, &[fault], &options).unwrap();
    let what = format!("{broken:?} of {line} at {share}, {z}");
    for at in 0..9 {
        near(found.flow.nodes[at / 3].voltage_v[at % 3], expected[at], 1e4, &what);
    }
    for wire in broken {
        let wire = wire.index();
        let gap = expected[3 * before + wire] - expected[3 * behind + wire];
        near(found.faults[0].voltage_v[wire], gap, 1e4, &what);
        near(found.faults[0].current_a[wire], expected[15 + wire], 1e4, &what);
    }
    if share == 0.0 {
        for wire in 0..3 {
            let current = found.flow.lines[line].from.current_a[wire];
            near(current, expected[15 + wire], 1e4, &what);
        }
    }
    assert!(found.flow.residual_va < 1e-2, "{what}: {}", found.flow.residual_va);
}

#[test]
fn a_conductor_broken_in_a_feeder_without_load_leaves_its_wire_without_voltage() {
    let mut network = Network::new("feeder", 50.0);
    let nodes: Vec<NodeId> = (0..4).map(|_| add_node(&mut network, 400.0)).collect();
    let none = Complex64::ZERO;
    for pair in nodes.windows(2) {
        let apart = sequence([c(0.1, 0.05); 2], [none; 2]);
        add_line(&mut network, pair[0], pair[1], apart);
    }
    add_source(&mut network, nodes[0], [none; 2]);
    let fault = Fault {
        kind: Kind::OpenConductors(Wires::NONE.with(Wire::B)),
        location: Location::Line { line: 1, share: 0.5 },
        impedance_ohm: none,
    };
    let found = solve(&network, &[fault], &ACTUAL).unwrap();
    let volts = 400.0 / 3f64.sqrt();
    for (node, expected) in [(0, volts), (1, volts), (2, 0.0), (3, 0.0)] {
        let found = magnitude(found.flow.nodes[node].voltage_v[1]);
        assert!((found - expected).abs() < 1e-3, "{node}: {found}");
    }
    assert!((magnitude(found.faults[0].voltage_v[1]) - volts).abs() < 1e-3);
}

#[test]
fn a_fault_behind_what_nothing_comes_through_leaves_the_flow_as_it_was() {
    let ring = ring();
    let flow = flow::solve(&ring.network, &flow::Options::default()).unwrap();
    let fault = at_node(Kind::ThreePhase, NodeId(1), c(1e12, 0.0));
    let found = solve(&ring.network, &[fault], &loaded()).unwrap();
    for (found, expected) in found.flow.nodes.iter().zip(&flow.nodes) {
        for (found, expected) in found.voltage_v.iter().zip(&expected.voltage_v) {
            near(*found, *expected, 1e4, "before");
        }
    }
}

#[test]
fn faults_that_are_alike_share_and_those_elsewhere_add() {
    let ring = ring();
    let bolted = |node| at_node(Kind::SinglePhaseToGround(Wire::A), NodeId(node), Complex64::ZERO);
    let one = solve(&ring.network, &[bolted(1)], &ACTUAL).unwrap();
    let two = solve(&ring.network, &[bolted(1), bolted(1)], &ACTUAL).unwrap();
    for state in &two.faults {
        near(state.current_a[0] * 2.0, one.faults[0].current_a[0], 1e4, "shared");
    }
    let apart = solve(&ring.network, &[bolted(1), bolted(2)], &ACTUAL).unwrap();
    for state in &apart.faults {
        near(state.voltage_v[0], Complex64::ZERO, 1e4, "bolted");
    }
    assert!(apart.flow.residual_va < 1e-2);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let mut ring = ring();
    let zero = Complex64::ZERO;
    let refuse = |network: &Network, faults: &[Fault], expected: &str| {
        let found = solve(network, faults, &ACTUAL).unwrap_err().to_string();
        assert_eq!(found, expected);
    };
    let along = |line, share| Fault {
        kind: Kind::ThreePhase,
        location: Location::Line { line, share },
        impedance_ohm: zero,
    };
    refuse(
        &ring.network,
        &[along(1, f64::NAN)],
        "line `l1`: a fault there: it is at NaN of the length, expected 0 to 1",
    );
    refuse(
        &ring.network,
        &[along(9, 0.5)],
        "network `ring`: a fault there: there is no line 9 of 3",
    );
    refuse(
        &ring.network,
        &[along(1, 0.5), along(1, 0.6)],
        "line `l1`: a fault there: another one is along the same line; take one at a time",
    );
    refuse(
        &ring.network,
        &[at_node(Kind::SinglePhaseToGround(Wire::Neutral), NodeId(0), zero)],
        "node `n0`: a fault there: these wires make none in this network",
    );
    refuse(
        &ring.network,
        &[at_node(Kind::OpenConductors(Wires::ABC), NodeId(0), zero)],
        "node `n0`: a fault there: conductors are broken along a line; name the line",
    );
    ring.network.sources[0].z1_ohm = zero;
    ring.network.sources[0].z0_ohm = zero;
    refuse(
        &ring.network,
        &[at_node(Kind::ThreePhase, NodeId(0), zero)],
        "node `n0`: a fault there: nothing limits its current; give it an impedance",
    );
    let found = sweep(&ring.network, &[Kind::ThreePhase], zero, &ACTUAL).unwrap();
    assert!(found.fault(NodeId(0), 0).is_none() && found.fault(NodeId(1), 0).is_some());
}
