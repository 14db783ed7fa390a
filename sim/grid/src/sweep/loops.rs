//! A few loops: their currents compensate for having been cut open (Shirmohammadi et al., A
//! compensation-based power flow method for weakly meshed networks, 1988).
//!
//! Each line that is in no tree is cut. What the tree does to the voltages at the cuts for a
//! current through each of them is a matrix, made and inverted once. In each iteration the voltages
//! that the tree would have across the open cuts give the currents through them, exactly; they are
//! added along the ways from the cuts to the sources, and the sweep goes on. The iterates are those
//! of a factored matrix of the whole network.

use multiversion::multiversion;
use num_complex::Complex64;

use super::kernel::{add, parent_current, tree_voltage};
use super::prepared::{Cut, Loops, Phasors, Step, Sweep, SweepObstacle, nothing};
use crate::block::Block;
use crate::circuit::Circuit;
use crate::network::Wire;
use crate::topology::NONE;

/// How many currents through cuts are worth it for this many unknown voltages: their dense matrix
/// is applied in each iteration, while a factored matrix of the whole costs three times what the
/// sweep does.
fn most_unknowns(voltages: usize) -> usize {
    (3.0 * (voltages as f64).sqrt()) as usize
}

impl Loops {
    /// Of a circuit whose tree was prepared.
    pub(super) fn new<const N: usize>(
        circuit: &Circuit<N>,
        sweep: &Sweep<N>,
    ) -> Result<Option<Self>, SweepObstacle> {
        let cut = &circuit.branches[circuit.tree_branches..];
        if cut.is_empty() {
            return Ok(None);
        }
        let unfit = SweepObstacle::Loops(cut.len());
        if cut.len() * N > most_unknowns(circuit.nodes() * N) {
            return Err(unfit);
        }
        let mut on_the_way = vec![false; circuit.nodes()];
        for branch in cut {
            for mut node in [branch.from, branch.to] {
                while node != NONE && !on_the_way[node as usize] {
                    on_the_way[node as usize] = true;
                    node = circuit.parent[node as usize];
                }
            }
        }
        let mut step_of = vec![NONE; circuit.nodes()];
        let mut steps = Vec::new();
        for item in &sweep.items {
            for row in item.rows() {
                let node = row - sweep.emf.len();
                if on_the_way[node] {
                    step_of[node] = steps.len() as u32;
                    let above = circuit.parent[node];
                    let parent = if above == NONE { NONE } else { step_of[above as usize] };
                    let place = item.first_matrix + (row as u32 - item.first);
                    steps.push(Step { row: row as u32, parent, kind: item.kind, place });
                }
            }
        }
        let mut loops = Self { steps, cuts: Vec::with_capacity(cut.len()), admittance: Vec::new() };
        let mut impedances = Vec::with_capacity(cut.len());
        for branch in cut {
            let Some((impedance, wires)) = branch.coupling.impedance() else { return Err(unfit) };
            let has = |wire: usize| N == 1 || wires.contains(Wire::ALL[wire]);
            let dead = |node: u32| (0..N).any(|wire| has(wire) && !circuit.has_wire(node, wire));
            if dead(branch.from) || dead(branch.to) {
                return Err(unfit);
            }
            loops.cuts.push(Cut {
                ends: [branch.from, branch.to].map(|node| step_of[node as usize]),
                wires: std::array::from_fn(has),
            });
            impedances.push(impedance);
        }
        loops.admittance = loops.invert(sweep, &impedances).ok_or(unfit)?;
        Ok(Some(loops))
    }

    /// How many rows of room [`close`] needs.
    pub(super) fn room(&self) -> usize {
        self.steps.len()
    }

    fn invert<const N: usize>(
        &self,
        sweep: &Sweep<N>,
        impedances: &[Block<N>],
    ) -> Option<Vec<Complex64>> {
        let unknowns = self.cuts.len() * N;
        let mut matrix = vec![Complex64::ZERO; unknowns * unknowns];
        let mut drawn = vec![nothing::<N, LANES>(); self.steps.len()];
        let mut across = drawn.clone();
        let columns: Vec<usize> = (0..unknowns).collect();
        for side_by_side in columns.chunks(LANES) {
            drawn.fill(nothing());
            for (lane, &column) in side_by_side.iter().enumerate() {
                let (cut, wire) = (&self.cuts[column / N], column % N);
                if cut.wires[wire] {
                    drawn[cut.ends[0] as usize][wire][0][lane] += 1.0;
                    drawn[cut.ends[1] as usize][wire][0][lane] -= 1.0;
                }
            }
            respond(sweep, &self.steps, &mut drawn, &mut across);
            for (at, other) in self.cuts.iter().enumerate() {
                let [a, b] = other.ends.map(|end| &across[end as usize]);
                for k in (0..N).filter(|&k| other.wires[k]) {
                    let row = (at * N + k) * unknowns;
                    for (lane, &column) in side_by_side.iter().enumerate() {
                        let [re, im] = [0, 1].map(|part| b[k][part][lane] - a[k][part][lane]);
                        matrix[row + column] = Complex64::new(re, im);
                    }
                }
            }
        }
        for (by, cut) in self.cuts.iter().enumerate() {
            for wire in 0..N {
                let column = by * N + wire;
                if !cut.wires[wire] {
                    // A current that there is not: of nothing, and without a voltage.
                    for row in 0..unknowns {
                        matrix[row * unknowns + column] = Complex64::ZERO;
                    }
                    matrix[column * unknowns + column] = Complex64::ONE;
                    continue;
                }
                for (k, row) in impedances[by].iter().enumerate().filter(|&(k, _)| cut.wires[k]) {
                    matrix[(by * N + k) * unknowns + column] += row[wire];
                }
            }
        }
        dense_inverse(matrix, unknowns)
    }
}

/// How many cuts' currents are looked at side by side while preparing.
const LANES: usize = 8;

/// What currents that are drawn do to the voltages of a tree whose sources have none.
#[multiversion(targets = "simd")]
fn respond<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    steps: &[Step],
    drawn: &mut [Phasors<N, W>],
    voltages: &mut [Phasors<N, W>],
) {
    for (at, step) in steps.iter().enumerate().rev() {
        if step.parent != NONE {
            let current = parent_current(sweep, step, &drawn[at]);
            add(&mut drawn[step.parent as usize], &current);
        }
    }
    for (at, step) in steps.iter().enumerate() {
        let above = if step.parent == NONE { nothing() } else { voltages[step.parent as usize] };
        voltages[at] = tree_voltage(sweep, step, &above, &drawn[at]);
    }
}

/// By elimination with row pivots.
#[multiversion(targets = "simd")]
fn dense_inverse(mut a: Vec<Complex64>, size: usize) -> Option<Vec<Complex64>> {
    let mut result = vec![Complex64::ZERO; size * size];
    for k in 0..size {
        result[k * size + k] = Complex64::ONE;
    }
    let (mut from, mut into) = (vec![Complex64::ZERO; size], vec![Complex64::ZERO; size]);
    // Right of this nothing is left of the result's rows but ones on their diagonals.
    let mut filled = 0;
    for column in 0..size {
        let mut pivot = column;
        for row in column + 1..size {
            if a[row * size + column].norm_sqr() > a[pivot * size + column].norm_sqr() {
                pivot = row;
            }
        }
        let value = a[pivot * size + column];
        if value.norm_sqr() == 0.0 || !value.norm_sqr().is_finite() {
            return None;
        }
        for k in 0..size {
            a.swap(column * size + k, pivot * size + k);
            result.swap(column * size + k, pivot * size + k);
        }
        filled = filled.max(pivot + 1);
        let scale = Complex64::ONE / value;
        for k in column..size {
            a[column * size + k] *= scale;
        }
        for k in 0..filled {
            result[column * size + k] *= scale;
        }
        from.copy_from_slice(&a[column * size..(column + 1) * size]);
        into.copy_from_slice(&result[column * size..(column + 1) * size]);
        for row in (0..size).filter(|&row| row != column) {
            let factor = a[row * size + column];
            if factor == Complex64::ZERO {
                continue;
            }
            let of_row = row * size..(row + 1) * size;
            for (a, from) in a[of_row.clone()][column..].iter_mut().zip(&from[column..]) {
                *a -= factor * from;
            }
            for (result, into) in result[of_row][..filled].iter_mut().zip(&into[..filled]) {
                *result -= factor * into;
            }
        }
    }
    Some(result)
}

/// Adds the currents through the cuts to those that the tree's branches carry.
#[multiversion(targets = "simd")]
pub(super) fn close<const N: usize, const W: usize>(
    sweep: &Sweep<N>,
    loops: &Loops,
    voltages: &[Phasors<N, W>],
    currents: &mut [Phasors<N, W>],
    work: &mut [Phasors<N, W>],
) {
    for (at, step) in loops.steps.iter().enumerate() {
        let above = if step.parent == NONE {
            voltages[sweep.parent[step.row as usize] as usize]
        } else {
            work[step.parent as usize]
        };
        work[at] = tree_voltage(sweep, step, &above, &currents[step.row as usize]);
    }
    let unknowns = loops.cuts.len() * N;
    let mut across = vec![[[0.0; W]; 2]; unknowns];
    for (cut, across) in loops.cuts.iter().zip(across.chunks_exact_mut(N)) {
        let [a, b] = cut.ends.map(|end| &work[end as usize]);
        for wire in (0..N).filter(|&wire| cut.wires[wire]) {
            for part in 0..2 {
                for lane in 0..W {
                    across[wire][part][lane] = a[wire][part][lane] - b[wire][part][lane];
                }
            }
        }
    }
    work.fill(nothing());
    for (at, cut) in loops.cuts.iter().enumerate() {
        for wire in 0..N {
            let row = &loops.admittance[(at * N + wire) * unknowns..][..unknowns];
            let mut current = [[0.0; W]; 2];
            for (y, across) in row.iter().zip(&across) {
                for lane in 0..W {
                    current[0][lane] += y.re * across[0][lane] - y.im * across[1][lane];
                    current[1][lane] += y.re * across[1][lane] + y.im * across[0][lane];
                }
            }
            for part in 0..2 {
                for lane in 0..W {
                    work[cut.ends[0] as usize][wire][part][lane] += current[part][lane];
                    work[cut.ends[1] as usize][wire][part][lane] -= current[part][lane];
                }
            }
        }
    }
    for (at, step) in loops.steps.iter().enumerate().rev() {
        add(&mut currents[step.row as usize], &work[at]);
        if step.parent != NONE {
            let current = parent_current(sweep, step, &work[at]);
            add(&mut work[step.parent as usize], &current);
        }
    }
}
