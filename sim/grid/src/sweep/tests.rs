//! The sweep held against dense solutions of the same networks, against itself, and closed forms.

use nalgebra::DMatrix;
use num_complex::Complex64;

use super::*;
use crate::block::{Block, apply, magnitude};
use crate::circuit::{Circuit, EARTH, compile};
use crate::network::Network;
use crate::testing::random::{Wanted, network};

impl<const N: usize> Sweep<N> {
    /// The largest power that does not fit at a node when each load keeps to its law, VA, at the
    /// voltages that one more iteration leads to; the state is left there.
    fn residual_va(&self, loads: &Loads<N, 1>, state: &mut State<N, 1>) -> f64 {
        let mut drawn = self.own_currents(loads, state);
        self.iterate(loads, state);
        let after = self.own_currents(loads, state);
        let mut worst = 0.0_f64;
        for ((before, after), voltage) in drawn.iter_mut().zip(&after).zip(&state.voltages) {
            for wire in 0..N {
                let at = |it: &Phasors<N, 1>| Complex64::new(it[wire][0][0], it[wire][1][0]);
                let mismatch =
                    ((at(before) - at(after)).norm_sqr() * at(voltage).norm_sqr()).sqrt();
                worst = if mismatch <= worst { worst } else { mismatch };
            }
        }
        worst
    }

    /// What loads draw at each row, at the voltages as they are.
    fn own_currents(&self, loads: &Loads<N, 1>, state: &State<N, 1>) -> Vec<Phasors<N, 1>> {
        let mut voltages = state.voltages.clone();
        let mut currents = vec![nothing(); voltages.len()];
        kernel::draw_own(self, loads, &mut voltages, &mut currents);
        currents
    }
}

/// The same circuit, solved densely: one matrix of all admittances, loads as currents that are
/// corrected until they fit. Shares nothing with the sweep but the circuit.
pub(super) fn dense<const N: usize>(circuit: &Circuit<N>) -> Vec<Column<N>> {
    let nodes = circuit.nodes();
    let mut matrix = DMatrix::<Complex64>::zeros(nodes * N, nodes * N);
    let mut put = |a: u32, b: u32, block: &Block<N>| {
        for (row, figures) in block.iter().enumerate() {
            for (column, &it) in figures.iter().enumerate() {
                matrix[(a as usize * N + row, b as usize * N + column)] += it;
            }
        }
    };
    for branch in &circuit.branches {
        let it = branch.coupling.two_port().unwrap();
        let (from, to) = (branch.from, branch.to);
        for (a, b, block) in
            [(from, from, it.ff), (from, to, it.ft), (to, from, it.tf), (to, to, it.tt)]
        {
            put(a, b, &block);
        }
    }
    for node in 0..nodes {
        if let Some(it) = circuit.shunt.get(node) {
            put(node as u32, node as u32, it);
        }
    }
    for source in &circuit.sources {
        put(source.node, source.node, &source.admittance.unwrap());
    }
    for row in 0..nodes * N {
        if !circuit.has_wire((row / N) as u32, row % N) {
            matrix.row_mut(row).fill(Complex64::ZERO);
            matrix.column_mut(row).fill(Complex64::ZERO);
            matrix[(row, row)] = Complex64::ONE;
        }
    }
    let factors = matrix.lu();
    let mut voltages = vec![[Complex64::ZERO; N]; nodes];
    for _ in 0..100 {
        let mut right = nalgebra::DVector::<Complex64>::zeros(nodes * N);
        for source in &circuit.sources {
            let current = apply(&source.admittance.unwrap(), &source.voltage);
            for (wire, current) in current.into_iter().enumerate() {
                right[source.node as usize * N + wire] += current;
            }
        }
        for part in &circuit.parts {
            let at = &voltages[part.node as usize];
            let against =
                if part.against == EARTH { None } else { Some(usize::from(part.against)) };
            let mut across = at[usize::from(part.wire)];
            across -= against.map_or(Complex64::ZERO, |wire| at[wire]);
            let current = part.current(across);
            right[part.node as usize * N + usize::from(part.wire)] -= current;
            if let Some(against) = against {
                right[part.node as usize * N + against] += current;
            }
        }
        for row in 0..nodes * N {
            if !circuit.has_wire((row / N) as u32, row % N) {
                right[row] = Complex64::ZERO;
            }
        }
        let solution = factors.solve(&right).unwrap();
        for (row, &value) in solution.iter().enumerate() {
            voltages[row / N][row % N] = value;
        }
    }
    voltages
}

pub(super) fn largest_difference_pu<const N: usize>(
    circuit: &Circuit<N>,
    a: &[Column<N>],
    b: &[Column<N>],
) -> f64 {
    let mut largest = 0.0_f64;
    for ((a, b), rated) in a.iter().zip(b).zip(&circuit.rated_voltage_v) {
        for (a, b) in a.iter().zip(b) {
            let difference = magnitude(a - b) / rated;
            assert!(difference.is_finite());
            largest = largest.max(difference);
        }
    }
    largest
}

/// Whether it could be swept.
fn agrees_with_dense<const N: usize>(wanted: Wanted) -> bool {
    let seed = wanted.seed;
    let circuit = compile::<N>(&network(wanted)).unwrap().circuit;
    if let Err(SweepObstacle::Wire(_) | SweepObstacle::Loops(_)) =
        Sweep::new(&circuit, Constant::Injected)
    {
        return false;
    }
    let expected = dense(&circuit);
    for constant in [Constant::InMatrix, Constant::Injected] {
        let sweep = Sweep::new(&circuit, constant).unwrap();
        let loads = Loads::new(&circuit, &sweep);
        let mut state = sweep.state();
        let outcome = sweep.solve(&loads, &mut state, 1e-12, 60);
        assert!(outcome.converged, "{N} {seed} {constant:?}: {outcome:?}");
        let voltages: Vec<_> = sweep.voltages(&state, 0).collect();
        let difference = largest_difference_pu(&circuit, &expected, &voltages);
        assert!(difference < 1e-10, "{N} {seed} {constant:?}: {difference}");
        assert!(expected.iter().flatten().any(|it| it.norm_sqr() > 1.0));
        let residual = sweep.residual_va(&loads, &mut state);
        assert!(residual < 1e-4, "{N} {seed} {constant:?}: {residual} VA");
    }
    true
}

#[test]
fn a_few_loops_are_solved_as_a_dense_solver_does() {
    let (mut swept, mut looped) = ([0; 3], 0);
    for seed in 100..130 {
        let (nodes, ties) = ([30, 60][seed as usize % 2], 1 + seed as usize % 4);
        let wanted = Wanted { nodes, seed, neutral: false, balanced: false, ties };
        swept[0] += usize::from(agrees_with_dense::<3>(wanted));
        swept[1] += usize::from(agrees_with_dense::<4>(Wanted { neutral: true, ..wanted }));
        let wanted = Wanted { balanced: true, ..wanted };
        swept[2] += usize::from(agrees_with_dense::<1>(wanted));
        let circuit = compile::<1>(&network(wanted)).unwrap().circuit;
        looped += usize::from(circuit.branches.len() > circuit.tree_branches);
    }
    // Others have wires that only a tie feeds, or a tie beside a line with other wires.
    assert!(swept[0] >= 15 && swept[1] >= 3 && swept[2] >= 30, "{swept:?}");
    assert!(looped >= 15, "{looped}");
}

#[test]
fn many_loops_are_left_to_the_factored_matrix() {
    let wanted = Wanted { nodes: 60, seed: 7, neutral: false, balanced: true, ties: 60 };
    let circuit = compile::<1>(&network(wanted)).unwrap().circuit;
    // Each branch that is in no tree closes one, and each source after a tree's first one.
    let beside_trees = circuit.branches.len() - circuit.tree_branches;
    let loops = beside_trees + circuit.sources.len() - circuit.roots().count();
    assert!(
        matches!(Sweep::new(&circuit, Constant::InMatrix), Err(SweepObstacle::Loops(it)) if it > 23)
    );
    assert!(loops > 23);
}

/// Two lines in a row between a stiff source and a load of constant power: the voltage is the root
/// of a quadratic equation.
fn two_lines(first_ohm: f64, second_ohm: f64, load_va: f64) -> Circuit<1> {
    let wanted = Wanted { nodes: 3, seed: 1, neutral: false, balanced: true, ties: 0 };
    let mut network: Network = network(wanted);
    network.loads.truncate(1);
    network.shunts.clear();
    network.transformers.clear();
    network.lines.truncate(2);
    for (nth, line) in network.lines.iter_mut().enumerate() {
        line.from.node = crate::network::NodeId(nth as u32);
        line.to.node = crate::network::NodeId(nth as u32 + 1);
        line.impedance =
            crate::network::LineImpedance::Sequence(crate::network::SequenceImpedance {
                z1_ohm: [first_ohm, second_ohm][nth].into(),
                z0_ohm: [first_ohm, second_ohm][nth].into(),
                y1_s: Complex64::ZERO,
                y0_s: Complex64::ZERO,
            });
    }
    let load = &mut network.loads[0];
    load.connection.node = crate::network::NodeId(2);
    load.power_va = [load_va.into(); 3];
    load.model = crate::network::LoadModel::ConstantPower;
    load.band = None;
    network.sources[0].z1_ohm = Complex64::ZERO;
    network.sources[0].z0_ohm = Complex64::ZERO;
    compile::<1>(&network).unwrap().circuit
}

fn solved(circuit: &Circuit<1>) -> (Outcome, Vec<Column<1>>, f64) {
    let sweep = Sweep::new(circuit, Constant::InMatrix).unwrap();
    let loads = Loads::new(circuit, &sweep);
    let mut state = sweep.state();
    let outcome = sweep.solve(&loads, &mut state, 1e-12, 200);
    let voltages = sweep.voltages(&state, 0).collect();
    let residual = sweep.residual_va(&loads, &mut state);
    (outcome, voltages, residual)
}

#[test]
fn impedances_of_next_to_nothing_lose_no_digits() {
    let feed = 10_000.0 / 3.0_f64.sqrt();
    for tiny in [1e-3, 1e-9, 1e-18] {
        let circuit = two_lines(2.0, tiny, 1e6);
        let (outcome, voltages, residual) = solved(&circuit);
        let expected = 0.5 * (feed + (feed * feed - 4.0 * (2.0 + tiny) * 1e6).sqrt());
        assert!(outcome.converged && residual < 1e-4, "{outcome:?} {residual}");
        assert!((voltages[2][0].re - expected).abs() < 1e-8, "{}", voltages[2][0]);
        // The drop along the tiny one, as far as it can be distinguished from zero.
        let drop = voltages[1][0].re - voltages[2][0].re;
        assert!((drop - tiny * 1e6 / expected).abs() < 2e-12, "{drop}");
    }
}

#[test]
fn loads_beyond_what_can_be_carried_do_not_converge() {
    let feed = 10_000.0 / 3.0_f64.sqrt();
    let most = feed * feed / (4.0 * 2.0);
    assert!(solved(&two_lines(1.0, 1.0, 0.9 * most)).0.converged);
    for beyond in [1.05, 2.0, 1e6, 1e300] {
        let outcome = solved(&two_lines(1.0, 1.0, beyond * most)).0;
        assert!(!outcome.converged, "{beyond}: {outcome:?}");
    }
}

#[test]
fn a_solved_state_is_where_the_next_solution_begins() {
    let wanted = Wanted { nodes: 75, seed: 11, neutral: false, balanced: false, ties: 0 };
    let circuit = compile::<3>(&network(wanted)).unwrap().circuit;
    let sweep = Sweep::new(&circuit, Constant::Injected).unwrap();
    let loads = Loads::new(&circuit, &sweep);
    let mut state = sweep.state();
    let cold = sweep.solve(&loads, &mut state, 1e-10, 60);
    let voltages: Vec<_> = sweep.voltages(&state, 0).collect();
    let warm = sweep.solve(&loads, &mut state, 1e-10, 60);
    assert!(cold.iterations > 3 && warm.iterations == 1, "{cold:?} {warm:?}");
    let again: Vec<_> = sweep.voltages(&state, 0).collect();
    assert!(largest_difference_pu(&circuit, &voltages, &again) < 1e-10);
}

#[test]
fn trees_are_solved_as_a_dense_solver_does() {
    for seed in 0..40 {
        let nodes = [3, 12, 40, 75][seed as usize % 4];
        let wanted = Wanted { nodes, seed, neutral: false, balanced: false, ties: 0 };
        assert!(agrees_with_dense::<3>(wanted));
        assert!(agrees_with_dense::<4>(Wanted { neutral: true, ..wanted }));
        assert!(agrees_with_dense::<1>(Wanted { balanced: true, ..wanted }));
    }
}

/// Resistances in a row with the same power drawn at each node; and the voltages that this makes,
/// volts to earth, found from the far end, where nothing has to be guessed.
fn long_row(nodes: usize) -> (Network, Vec<f64>) {
    const OHM: f64 = 0.001;
    const WATTS: f64 = 2000.0;
    let mut expected = vec![5500.0_f64; nodes];
    let mut current = 0.0;
    for node in (1..nodes).rev() {
        current += WATTS / expected[node];
        expected[node - 1] = expected[node] + OHM * current;
    }
    let wanted = Wanted { nodes, seed: 1, neutral: false, balanced: true, ties: 0 };
    let mut network = network(wanted);
    let (line, load) = (network.lines[0].clone(), network.loads[0].clone());
    network.shunts.clear();
    network.transformers.clear();
    network.lines.clear();
    network.loads.clear();
    for node in &mut network.nodes {
        node.rated_voltage_v = network.sources[0].voltage_v;
    }
    for node in 1..nodes as u32 {
        let mut line = line.clone();
        line.name = format!("line {node}").into();
        line.from.node = crate::network::NodeId(node - 1);
        line.to.node = crate::network::NodeId(node);
        line.impedance =
            crate::network::LineImpedance::Sequence(crate::network::SequenceImpedance {
                z1_ohm: OHM.into(),
                z0_ohm: (4.0 * OHM).into(),
                y1_s: Complex64::ZERO,
                y0_s: Complex64::ZERO,
            });
        network.lines.push(line);
        let mut load = load.clone();
        load.name = format!("load {node}").into();
        load.connection.node = crate::network::NodeId(node);
        load.power_va = [WATTS.into(); 3];
        load.model = crate::network::LoadModel::ConstantPower;
        load.band = None;
        network.loads.push(load);
    }
    network.sources.truncate(1);
    network.sources[0].voltage_v = expected[0] * 3.0_f64.sqrt();
    network.sources[0].z1_ohm = Complex64::ZERO;
    network.sources[0].z0_ohm = Complex64::ZERO;
    (network, expected)
}

fn assert_row<const N: usize>(network: &Network, expected: &[f64], pieces: usize) {
    let circuit = compile::<N>(network).unwrap().circuit;
    let sweep = Sweep::new(&circuit, Constant::Injected).unwrap();
    assert_eq!(sweep.items.len(), pieces);
    let loads = Loads::new(&circuit, &sweep);
    let mut state = sweep.state();
    let outcome = sweep.solve(&loads, &mut state, 1e-13, 60);
    assert!(outcome.converged, "{outcome:?}");
    let voltages: Vec<_> = sweep.voltages(&state, 0).collect();
    for (node, &expected) in expected.iter().enumerate() {
        let found = magnitude(voltages[circuit.node_of[node] as usize][0]);
        assert!((found - expected).abs() < 1e-7, "{node}: {found} {expected}");
    }
    // From there on with currents drawn again, as after other loads.
    let warm = sweep.solve(&loads, &mut state, 1e-9, 60);
    assert_eq!(warm.iterations, 1);
    // The residual is of the last digits of currents, some hundred amperes.
    let residual = sweep.residual_va(&loads, &mut state);
    assert!(residual < 1e-3, "{residual} VA");
}

#[test]
fn currents_are_handed_from_piece_to_piece() {
    for (nodes, pieces) in [(400, 1), (1300, 2)] {
        let (network, expected) = long_row(nodes);
        assert_row::<1>(&network, &expected, pieces);
        assert_row::<3>(&network, &expected, pieces);
    }
}
