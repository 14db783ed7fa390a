//! Newton's method on the currents at the nodes, in real and imaginary parts.
//!
//! A step that makes things worse is shortened, so that it also gets close to where voltages
//! collapse.

use num_complex::Complex64;

use super::nodal::{Admittances, fixed_nodes, masked, pattern};
use super::options::{Method, Options, Solved, across, add_drawn, largest_change};
use super::rounding::{self, Rounding};
use crate::block::{Block, Column};
use crate::block_lu::{Matrix, Symbolic};
use crate::circuit::{Circuit, EARTH, Part};

const HALVINGS: u32 = 10;
/// Voltages of sides without any earth are known to about this only, per unit: what holds them is a
/// hundred-millionth of the admittances that cancel each other there.
const ROUNDING_PU: f64 = 1e-7;

/// What a solution was like, beside what it is.
pub(super) struct Solution<const N: usize> {
    pub(super) solved: Solved<N>,
    /// The largest change of any voltage that the first whole step would have been, per unit.
    pub(super) first_step_pu: f64,
    /// Whether no step had to be shortened.
    pub(super) is_straight: bool,
    /// Whether the determinant of the last matrix has another sign than it has without any load:
    /// voltages have collapsed an odd number of times on the way there.
    pub(super) is_behind: bool,
    /// What in changes is rounding; none if there was no matrix.
    pub(super) rounding: Option<Rounding<N>>,
}

pub(super) fn solve<const N: usize>(
    circuit: &Circuit<N>,
    start: Vec<Column<N>>,
    options: &Options,
) -> Solved<N> {
    by_blocks(circuit, start, options, false).solved
}

/// Solves from these voltages on, and returns how that went; changes are those beyond rounding.
pub(super) fn follow<const N: usize>(
    circuit: &Circuit<N>,
    start: Vec<Column<N>>,
    options: &Options,
) -> Solution<N> {
    by_blocks(circuit, start, options, true)
}

/// Where one whole step leads from these voltages, whether that makes things better or not: at a
/// solution, as far as rounding moves it. None where there is no step.
pub(super) fn whole_step<const N: usize>(
    circuit: &Circuit<N>,
    voltages: &[Column<N>],
) -> Option<Vec<Column<N>>> {
    match N {
        1 => Newton::<N, 2>::new(circuit)?.whole_step(voltages),
        3 => Newton::<N, 6>::new(circuit)?.whole_step(voltages),
        _ => Newton::<N, 8>::new(circuit)?.whole_step(voltages),
    }
}

fn by_blocks<const N: usize>(
    circuit: &Circuit<N>,
    start: Vec<Column<N>>,
    options: &Options,
    follows: bool,
) -> Solution<N> {
    // Blocks of real numbers are twice as large, which the compiler cannot derive.
    match N {
        1 => iterate::<N, 2>(circuit, start, options, follows),
        3 => iterate::<N, 6>(circuit, start, options, follows),
        _ => iterate::<N, 8>(circuit, start, options, follows),
    }
}

struct Newton<'a, const N: usize, const M: usize> {
    circuit: &'a Circuit<N>,
    admittances: Admittances<N>,
    symbolic: Symbolic,
    fixed: Vec<bool>,
}

fn iterate<const N: usize, const M: usize>(
    circuit: &Circuit<N>,
    start: Vec<Column<N>>,
    options: &Options,
    follows: bool,
) -> Solution<N> {
    let solved =
        Solved { voltages: start, iterations: 0, converged: false, method: Method::Newton };
    let mut followed = Solution {
        solved,
        first_step_pu: 0.0,
        is_straight: true,
        is_behind: false,
        rounding: None,
    };
    let Some(newton) = Newton::<N, M>::new(circuit) else { return followed };
    let mut matrix = Matrix::<M, f64>::new(&newton.symbolic);
    let mut work = Vec::new();
    let Solution { solved, first_step_pu, is_straight, rounding, .. } = &mut followed;
    let mut wrong = newton.mismatch(&solved.voltages);
    while solved.iterations < options.most_iterations && !solved.converged {
        solved.iterations += 1;
        newton.jacobian(&solved.voltages, &mut matrix);
        if matrix.factor(&newton.symbolic).is_err() {
            break;
        }
        if follows && rounding.is_none() {
            *rounding = Some(newton.rounding(&solved.voltages, &matrix, options));
        }
        let mut step: Vec<Column<M, f64>> = wrong.iter().map(into_parts).collect();
        matrix.solve(&newton.symbolic, &mut step, &mut work);
        let before = newton.size(&wrong);
        let whole = stepped(&solved.voltages, &step, 1.0);
        let plain = || largest_change(circuit, &solved.voltages, &whole);
        let beyond = |it: &Rounding<N>| it.change(circuit, &solved.voltages, &whole);
        let full = rounding.as_ref().map_or_else(plain, beyond);
        if !full.is_finite() {
            break;
        }
        if solved.iterations == 1 {
            *first_step_pu = full;
        }
        let Some((next, next_wrong, share)) = newton.shortened(&solved.voltages, &step, before)
        else {
            // No step makes it better: it is solved as far as rounding allows, or not at all.
            let full = beyond(&newton.rounding(&solved.voltages, &matrix, options));
            solved.converged = full <= options.tolerance_pu.max(ROUNDING_PU);
            break;
        };
        *is_straight &= share == 1.0 || full <= ROUNDING_PU;
        solved.converged = full <= options.tolerance_pu;
        (solved.voltages, wrong) = (next, next_wrong);
    }
    // Without loads it is the square of a complex determinant's magnitude.
    followed.is_behind = matrix.determinant_is_negative();
    followed
}

fn into_parts<const N: usize, const M: usize>(column: &Column<N>) -> Column<M, f64> {
    let mut parts = [0.0; M];
    for (wire, value) in column.iter().enumerate() {
        parts[2 * wire] = value.re;
        parts[2 * wire + 1] = value.im;
    }
    parts
}

fn stepped<const N: usize, const M: usize>(
    voltages: &[Column<N>],
    step: &[Column<M, f64>],
    share: f64,
) -> Vec<Column<N>> {
    let moved = |voltage: &Column<N>, step: &Column<M, f64>| {
        std::array::from_fn(|wire| {
            voltage[wire] - Complex64::new(step[2 * wire], step[2 * wire + 1]) * share
        })
    };
    voltages.iter().zip(step).map(|(voltage, step)| moved(voltage, step)).collect()
}

impl<'a, const N: usize, const M: usize> Newton<'a, N, M> {
    /// None where a branch has an infinite admittance.
    fn new(circuit: &'a Circuit<N>) -> Option<Self> {
        let admittances = Admittances::new(circuit).ok()?;
        Some(Self { circuit, admittances, symbolic: pattern(circuit), fixed: fixed_nodes(circuit) })
    }

    fn whole_step(&self, voltages: &[Column<N>]) -> Option<Vec<Column<N>>> {
        let mut matrix = Matrix::<M, f64>::new(&self.symbolic);
        self.jacobian(voltages, &mut matrix);
        matrix.factor(&self.symbolic).ok()?;
        let mut step: Vec<Column<M, f64>> =
            self.mismatch(voltages).iter().map(into_parts).collect();
        matrix.solve(&self.symbolic, &mut step, &mut Vec::new());
        Some(stepped(voltages, &step, 1.0))
    }

    /// The voltages after a step, made so short that the mismatch shrinks, that mismatch, and the
    /// share of the step; none if it does not.
    fn shortened(
        &self,
        voltages: &[Column<N>],
        step: &[Column<M, f64>],
        before: f64,
    ) -> Option<(Vec<Column<N>>, Vec<Column<N>>, f64)> {
        let mut share = 1.0;
        for _ in 0..=HALVINGS {
            let next = stepped(voltages, step, share);
            let wrong = self.mismatch(&next);
            if self.size(&wrong) < before {
                return Some((next, wrong, share));
            }
            share *= 0.5;
        }
        None
    }

    /// What flows away from each node and is not fed in: zero in the end. Amperes; volts where the
    /// voltage is fixed.
    fn mismatch(&self, voltages: &[Column<N>]) -> Vec<Column<N>> {
        let mut wrong = self.admittances.currents(self.circuit, voltages);
        add_drawn(self.circuit, voltages, false, 1.0, &mut wrong);
        for source in &self.circuit.sources {
            let at = source.node as usize;
            match &source.admittance {
                Some(admittance) if !self.fixed[at] => {
                    let fed = crate::block::apply(admittance, &source.voltage);
                    for wire in 0..N {
                        wrong[at][wire] -= fed[wire];
                    }
                }
                Some(_) => {}
                None => {
                    for wire in 0..N {
                        wrong[at][wire] = voltages[at][wire] - source.voltage[wire];
                    }
                }
            }
        }
        for (node, wrong) in wrong.iter_mut().enumerate() {
            for (wire, value) in wrong.iter_mut().enumerate() {
                if !self.circuit.has_wire(node as u32, wire) {
                    *value = voltages[node][wire];
                }
            }
        }
        wrong
    }

    /// What the last digits of the currents in a mismatch make of voltages.
    fn rounding(
        &self,
        voltages: &[Column<N>],
        matrix: &Matrix<M, f64>,
        options: &Options,
    ) -> Rounding<N> {
        let circuit = self.circuit;
        let mut sizes = self.admittances.sizes(circuit, voltages);
        for (node, sizes) in sizes.iter_mut().enumerate() {
            for (wire, size) in sizes.iter_mut().enumerate() {
                let is_free = !self.fixed[node] && circuit.has_wire(node as u32, wire);
                *size *= if is_free { f64::EPSILON } else { 0.0 };
            }
        }
        let mut work = Vec::new();
        let moved = [true, false].map(|all_alike| {
            let mut direction = rounding::directions(all_alike);
            let of_node = |sizes: &Column<N, f64>| into_parts(&sizes.map(|it| direction() * it));
            let mut moved: Vec<Column<M, f64>> = sizes.iter().map(of_node).collect();
            matrix.solve(&self.symbolic, &mut moved, &mut work);
            let of_parts = |it: &Column<M, f64>| {
                std::array::from_fn(|wire| Complex64::new(it[2 * wire], it[2 * wire + 1]))
            };
            moved.iter().map(of_parts).collect()
        });
        Rounding { moved, tolerance_pu: options.tolerance_pu }
    }

    /// How large a mismatch is, weighed by rated voltages so that all levels count alike.
    fn size(&self, wrong: &[Column<N>]) -> f64 {
        let rated = &self.circuit.rated_voltage_v;
        let of_node = |column: &Column<N>, rated: &f64| {
            column.iter().map(Complex64::norm_sqr).sum::<f64>() * rated * rated
        };
        let sum: f64 = wrong.iter().zip(rated).map(|(it, rated)| of_node(it, rated)).sum();
        if sum.is_nan() { f64::INFINITY } else { sum }
    }

    fn jacobian(&self, voltages: &[Column<N>], matrix: &mut Matrix<M, f64>) {
        matrix.clear();
        let (circuit, symbolic) = (self.circuit, &self.symbolic);
        for node in 0..circuit.nodes() as u32 {
            let own = matrix.diagonal_mut(symbolic, node);
            if self.fixed[node as usize] {
                *own = crate::block::identity();
                continue;
            }
            *own = real(&masked(circuit, node, node, &self.admittances.own[node as usize]));
            for wire in (0..N).filter(|&wire| !circuit.has_wire(node, wire)) {
                own[2 * wire][2 * wire] = 1.0;
                own[2 * wire + 1][2 * wire + 1] = 1.0;
            }
        }
        let ports = &self.admittances.branches;
        for (pair, (branch, port)) in circuit.branches.iter().zip(ports).enumerate() {
            let (from, to) = (branch.from, branch.to);
            if let Some((at_from, at_to)) = matrix.pair_mut(symbolic, pair) {
                if !self.fixed[from as usize] {
                    *at_from = real(&masked(circuit, from, to, &port.ft));
                }
                if !self.fixed[to as usize] {
                    *at_to = real(&masked(circuit, to, from, &port.tf));
                }
            }
        }
        for part in circuit.parts.iter().filter(|part| !self.fixed[part.node as usize]) {
            let own = matrix.diagonal_mut(symbolic, part.node);
            self.add_part(part, &voltages[part.node as usize], own);
        }
    }

    /// How the current of a part changes with the voltages of its node.
    fn add_part(&self, part: &Part, at: &Column<N>, own: &mut Block<M, f64>) {
        let (wire, against) = (usize::from(part.wire), usize::from(part.against));
        let across = across(part, at);
        let square = across.norm_sqr();
        if square == 0.0 {
            return;
        }
        let size = square.sqrt();
        let admittance = part.power(size).conj() / square;
        let slope = part.slope(size).conj() / square - admittance * (2.0 / size);
        let (by_re, by_im) = (across.re / size, across.im / size);
        let turned = Complex64::new(-admittance.im, admittance.re);
        let by = [admittance + across * slope * by_re, turned + across * slope * by_im];
        let mut add = |row: usize, column: usize, sign: f64| {
            let node = part.node;
            if self.circuit.has_wire(node, row) && self.circuit.has_wire(node, column) {
                for (k, by) in by.iter().enumerate() {
                    own[2 * row][2 * column + k] += sign * by.re;
                    own[2 * row + 1][2 * column + k] += sign * by.im;
                }
            }
        };
        add(wire, wire, 1.0);
        if part.against != EARTH {
            add(against, against, 1.0);
            add(wire, against, -1.0);
            add(against, wire, -1.0);
        }
    }
}

fn real<const N: usize, const M: usize>(block: &Block<N>) -> Block<M, f64> {
    let mut result = [[0.0; M]; M];
    for row in 0..N {
        for column in 0..N {
            let value = block[row][column];
            result[2 * row][2 * column] = value.re;
            result[2 * row][2 * column + 1] = -value.im;
            result[2 * row + 1][2 * column] = value.im;
            result[2 * row + 1][2 * column + 1] = value.re;
        }
    }
    result
}
