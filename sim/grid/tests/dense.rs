//! Small networks against nodal matrices that are written down here, element by element, and solved
//! densely: nothing of the engine but its description of networks is used to make them.

use lastmeter_grid::flow::{self, Flow, Method, Options};
use lastmeter_grid::network::{
    Configuration, Connection, Line, LineImpedance, Load, LoadModel, Magnetising, Matrix, Network,
    Neutral, Node, NodeId, Place, Shunt, ShuntAdmittance, Source, TapChanger, Transformer, Winding,
    WindingKind, Wire, WireList, Wires,
};
use nalgebra::{Complex, DMatrix, DVector};
use num_complex::Complex64;

type C = Complex<f64>;

const fn c(re: f64, im: f64) -> Complex64 {
    Complex64::new(re, im)
}

fn of(value: Complex64) -> C {
    C::new(value.re, value.im)
}

/// A nodal matrix in the making; terminals are numbered as the test likes.
struct Dense {
    y: DMatrix<C>,
    fed: DVector<C>,
}

impl Dense {
    fn new(terminals: usize) -> Self {
        Self { y: DMatrix::zeros(terminals, terminals), fed: DVector::zeros(terminals) }
    }

    /// Branches by their incidence with the terminals and their admittance matrix.
    fn branches(&mut self, incidence: &DMatrix<C>, y: &DMatrix<C>) {
        self.y += incidence.transpose() * y * incidence;
    }

    fn across(&mut self, a: usize, b: Option<usize>, y: C) {
        self.y[(a, a)] += y;
        if let Some(b) = b {
            self.y[(b, b)] += y;
            self.y[(a, b)] -= y;
            self.y[(b, a)] -= y;
        }
    }

    /// Constant powers between terminals: the fixed point by many iterations.
    fn solve(&self, powers: &[(usize, Option<usize>, Complex64)], start: DVector<C>) -> DVector<C> {
        let lu = self.y.clone().lu();
        let mut v = start;
        for _ in 0..200 {
            let mut fed = self.fed.clone();
            for &(a, b, power) in powers {
                let across = v[a] - b.map_or(C::new(0.0, 0.0), |b| v[b]);
                let current = (of(power) / across).conj();
                fed[a] -= current;
                if let Some(b) = b {
                    fed[b] += current;
                }
            }
            v = lu.solve(&fed).expect("a regular matrix");
        }
        v
    }
}

fn node(network: &mut Network, name: &str, wires: Wires, volts: f64) -> NodeId {
    network.push_node(Node {
        name: name.into(),
        wires,
        rated_voltage_v: volts,
        position: None,
        place: Place::default(),
    })
}

fn load(
    name: &str,
    node: NodeId,
    wires: &[Wire],
    configuration: Configuration,
    power: &[Complex64],
    volts: f64,
) -> Load {
    let mut power_va = [Complex64::ZERO; 3];
    power_va[..power.len()].copy_from_slice(power);
    let wires = WireList::new(wires).expect("wires that differ");
    Load {
        name: name.into(),
        connection: Connection { node, wires },
        configuration,
        power_va,
        model: LoadModel::ConstantPower,
        rated_voltage_v: volts,
        band: None,
        connected: true,
        generator: false,
        place: Place::default(),
    }
}

fn solve(network: &Network) -> Vec<Flow> {
    [Method::CurrentInjection, Method::Newton]
        .map(|method| {
            let options = Options { method, tolerance_pu: 1e-12, ..Options::default() };
            flow::solve(network, &options).unwrap_or_else(|error| panic!("{error}"))
        })
        .into()
}

/// Positive-sequence phasors of this first one.
fn three(first: Complex64) -> [Complex64; 3] {
    let turn = c(-0.5, -(0.75_f64.sqrt()));
    [first, first * turn, first * turn * turn]
}

const SOURCE_OHM: [Complex64; 2] = [Complex64::new(0.01, 0.04), Complex64::new(0.03, 0.09)];

fn source(node: NodeId, volts: f64) -> Source {
    Source {
        name: "grid".into(),
        node,
        voltage_v: volts,
        angle_rad: 0.0,
        z1_ohm: SOURCE_OHM[0],
        z0_ohm: SOURCE_OHM[1],
        connected: true,
        place: Place::default(),
    }
}

/// A source at terminals 0, 1, 2.
fn put_source(dense: &mut Dense, volts: f64) {
    let own = of((SOURCE_OHM[1] + SOURCE_OHM[0] * 2.0) / 3.0);
    let mutual = of((SOURCE_OHM[1] - SOURCE_OHM[0]) / 3.0);
    let z = DMatrix::from_fn(3, 3, |a, b| if a == b { own } else { mutual });
    let y = z.try_inverse().expect("a regular matrix");
    let emf = DVector::from_iterator(3, three(c(volts / 3.0_f64.sqrt(), 0.0)).map(of));
    let fed = &y * emf;
    for a in 0..3 {
        dense.fed[a] += fed[a];
        for b in 0..3 {
            dense.y[(a, b)] += y[(a, b)];
        }
    }
}

fn assert_voltages(flow: &Flow, node: NodeId, wires: &[Wire], expected: &[C], rated: f64) {
    for (wire, expected) in wires.iter().zip(expected) {
        let found = flow.nodes[node.index()].voltage_v[wire.index()];
        let off = (of(found) - expected).norm() / rated;
        assert!(off < 1e-9, "{:?} {wire}: {found} is not {expected}", flow.method);
    }
}

const FOUR_WIRE_POWERS: [Complex64; 5] =
    [c(9e3, 2e3), c(1e3, 0.0), c(4e3, -1e3), c(6e3, 1e3), c(2e3, 500.0)];

fn four_wire_series(a: usize, b: usize) -> Complex64 {
    if a == b { c(0.12, 0.08) } else { c(0.02, 0.03) }
}

fn four_wire_charging(a: usize, b: usize) -> Complex64 {
    if a == b { c(1e-6, 4e-4) } else { c(0.0, -1e-4) }
}

/// Nodes near, middle, far, side.
fn four_wires() -> (Network, [NodeId; 4]) {
    let mut network = Network::new("four wires", 50.0);
    let [near, middle, far] =
        ["near", "middle", "far"].map(|it| node(&mut network, it, Wires::ABCN, 400.0));
    let [a, b, phase_c, n] = Wire::ALL;
    let side = node(&mut network, "side", Wires::NONE.with(b).with(n), 400.0);
    network.sources.push(source(near, 400.0));
    let line = |name: &str, from: Connection, to: Connection| {
        let size = from.wires.as_slice().len();
        Line {
            name: name.into(),
            from,
            to,
            from_closed: true,
            to_closed: true,
            impedance: LineImpedance::Matrix {
                series_ohm: Box::new(Matrix::from_fn(size, four_wire_series)),
                shunt_s: Box::new(Matrix::from_fn(size, four_wire_charging)),
            },
            length_m: None,
            rated_current_a: None,
            place: Place::default(),
        }
    };
    let abcn = |node| Connection { node, wires: WireList::ABCN };
    network.lines.push(line("first", abcn(near), abcn(middle)));
    network.lines.push(line("second", abcn(far), abcn(middle)));
    let two = |node, wires: [Wire; 2]| Connection {
        node,
        wires: WireList::new(&wires).expect("wires that differ"),
    };
    // Phase c of the far node is called b at the side.
    network.lines.push(line("side", two(far, [phase_c, n]), two(side, [b, n])));
    network.shunts.push(Shunt {
        name: "earth".into(),
        connection: Connection { node: middle, wires: WireList::single(n) },
        admittance: ShuntAdmittance::Parts {
            configuration: Configuration::Star,
            y_s: [c(0.2, 0.0), Complex64::ZERO, Complex64::ZERO],
        },
        connected: true,
        place: Place::default(),
    });
    let (star, delta) = (Configuration::Star, Configuration::Delta);
    let powers = &FOUR_WIRE_POWERS;
    network.loads.push(load("star", far, &[a, b, n], star, &powers[..2], 230.0));
    network.loads.push(load("delta", middle, &[a, b, phase_c], delta, &powers[2..4], 400.0));
    network.loads.push(load("side", side, &[b, n], star, &powers[4..], 230.0));
    (network, [near, middle, far, side])
}

/// Terminals: near a b c (its neutral is earth), middle a b c n, far a b c n, side b n.
fn four_wires_densely() -> DVector<C> {
    let mut dense = Dense::new(13);
    put_source(&mut dense, 400.0);
    let mut put = |from: &[Option<usize>], to: &[usize]| {
        let size = to.len();
        let full = |it: &dyn Fn(usize, usize) -> Complex64| {
            DMatrix::from_fn(size, size, |a, b| of(it(a, b)))
        };
        let mut incidence = DMatrix::zeros(size, 13);
        let mut at_from = DMatrix::zeros(size, 13);
        let mut at_to = DMatrix::zeros(size, 13);
        for k in 0..size {
            if let Some(from) = from[k] {
                incidence[(k, from)] = C::new(1.0, 0.0);
                at_from[(k, from)] = C::new(1.0, 0.0);
            }
            incidence[(k, to[k])] = C::new(-1.0, 0.0);
            at_to[(k, to[k])] = C::new(1.0, 0.0);
        }
        let z = full(&four_wire_series);
        dense.branches(&incidence, &z.try_inverse().expect("a regular matrix"));
        let half = full(&four_wire_charging) * C::new(0.5, 0.0);
        dense.branches(&at_from, &half);
        dense.branches(&at_to, &half);
    };
    put(&[Some(0), Some(1), Some(2), None], &[3, 4, 5, 6]);
    put(&[Some(3), Some(4), Some(5), Some(6)], &[7, 8, 9, 10]);
    put(&[Some(9), Some(10)], &[11, 12]);
    dense.across(6, None, C::new(0.2, 0.0));
    let mut start = DVector::zeros(13);
    for at in [0, 3, 7] {
        for (k, phasor) in three(c(230.9, 0.0)).into_iter().enumerate() {
            start[at + k] = of(phasor);
        }
    }
    start[11] = start[9];
    let powers = FOUR_WIRE_POWERS;
    let drawn = [
        (7, Some(10), powers[0]),
        (8, Some(10), powers[1]),
        (3, Some(4), powers[2]),
        (4, Some(5), powers[3]),
        (11, Some(12), powers[4]),
    ];
    dense.solve(&drawn, start)
}

/// Two sections of four wires, an earthed neutral in the middle, single-phase loads against the
/// neutral, a delta, a section of two wires that changes phases.
#[test]
fn four_wires_with_a_neutral_that_is_kept() {
    let (network, [near, middle, far, side]) = four_wires();
    let v = four_wires_densely();
    let [_, b, _, n] = Wire::ALL;
    for flow in solve(&network) {
        assert_voltages(&flow, near, &Wire::PHASES, v.rows(0, 3).as_slice(), 230.0);
        assert_voltages(&flow, middle, &Wire::ALL, v.rows(3, 4).as_slice(), 230.0);
        assert_voltages(&flow, far, &Wire::ALL, v.rows(7, 4).as_slice(), 230.0);
        assert_voltages(&flow, side, &[b, n], v.rows(11, 2).as_slice(), 230.0);
        assert!(flow.residual_va < 1e-5, "{}", flow.residual_va);
    }
}

/// A Dyn11 transformer by its coils: primary coils between phases, secondary ones between a phase
/// and a star point earthed through a resistance, magnetising at the secondary, taps at the
/// primary.
#[test]
fn a_delta_star_transformer_by_its_coils() {
    let mut network = Network::new("Dyn11", 50.0);
    let high = node(&mut network, "high", Wires::ABC, 10e3);
    let low = node(&mut network, "low", Wires::ABC, 400.0);
    network.sources.push(source(high, 10e3));
    let (rated, z_pu, magnetising) = (250e3, c(0.012, 0.04), c(0.002, -0.01));
    let winding = |node, kind, volts, tap| Winding {
        connection: Connection::abc(node),
        kind,
        rated_voltage_v: volts,
        tap,
    };
    let tap = TapChanger { step: 0.025, position: 2, neutral: 0, lowest: -2, highest: 2 };
    network.transformers.push(Transformer {
        name: "transformer".into(),
        windings: vec![
            winding(high, WindingKind::Delta, 10e3, Some(tap)),
            winding(low, WindingKind::Star(Neutral::Earthed(c(0.02, 0.0))), 400.0, None),
        ],
        clock: vec![11],
        closed: vec![true; 2],
        rated_power_va: rated,
        short_circuit_pu: vec![z_pu],
        magnetising: Magnetising::AtWinding { winding: 1, y_pu: magnetising, antifloat_pu: 1e-6 },
        place: Place::default(),
    });
    let powers = [c(60e3, 20e3), c(10e3, 0.0), c(30e3, -5e3)];
    let wires = [Wire::A, Wire::B, Wire::C];
    network.loads.push(load("star", low, &wires, Configuration::Star, &powers, 230.0));

    // Terminals: high a b c, low a b c, star point.
    let mut dense = Dense::new(7);
    put_source(&mut dense, 10e3);
    let (u1, u2) = (10e3 * 1.05, 400.0 / 3.0_f64.sqrt());
    let one = C::new(1.0, 0.0);
    let y = of(c(rated / 3.0, 0.0) / z_pu);
    let mut limb = DMatrix::zeros(2, 2);
    limb[(0, 0)] = y / (u1 * u1);
    limb[(1, 1)] = y / (u2 * u2) + of(magnetising) * (rated / 3.0) / (u2 * u2);
    limb[(0, 1)] = -y / (u1 * u2);
    limb[(1, 0)] = -y / (u1 * u2);
    for k in 0..3 {
        let mut incidence = DMatrix::zeros(2, 7);
        incidence[(0, k)] = one;
        incidence[(0, (k + 1) % 3)] = -one;
        incidence[(1, 3 + k)] = one;
        incidence[(1, 6)] = -one;
        dense.branches(&incidence, &limb);
    }
    dense.across(6, None, C::new(50.0, 0.0));
    // Half a millionth of the rated admittance at each end of a coil, as documented.
    for (ends, volts) in [([0, 1, 2, 0, 1, 2], 10e3), ([3, 4, 5, 6, 6, 6], u2)] {
        for end in ends {
            dense.across(end, None, C::new(0.0, -0.5e-6 * rated / 3.0 / (volts * volts)));
        }
    }
    let ahead = Complex64::from_polar(230.0, std::f64::consts::FRAC_PI_6);
    let mut start = DVector::zeros(7);
    for (k, phasor) in three(ahead).into_iter().enumerate() {
        start[3 + k] = of(phasor);
    }
    let drawn: Vec<_> = (0..3).map(|k| (3 + k, None, powers[k])).collect();
    let v = dense.solve(&drawn, start);
    assert!((v[3].arg().to_degrees() - 30.0).abs() < 5.0, "the low side leads by a twelfth");
    for flow in solve(&network) {
        assert_voltages(&flow, high, &wires, v.rows(0, 3).as_slice(), 5773.0);
        assert_voltages(&flow, low, &wires, v.rows(3, 3).as_slice(), 230.0);
    }
}
