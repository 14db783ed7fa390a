//! Current injection: what loads draw is a current at the voltage of the iteration before, so one
//! factored nodal matrix serves all iterations, and all loads on the same network.

use num_complex::Complex64;

use super::options::{Method, Options, Solved, add_drawn, largest_change};
use crate::block::{Block, Column, add_to, apply, identity, magnitude, zero};
use crate::block_lu::{Matrix, Singular, Symbolic};
use crate::circuit::{Branch, Circuit, EARTH, TwoPort};
use crate::network::Wire;

/// The factored nodal matrix of a circuit.
#[derive(Clone, Debug)]
pub struct Nodal<const N: usize> {
    /// Pattern of the matrix; its nodes are those of the circuit.
    pub symbolic: Symbolic,
    /// Its factors.
    pub matrix: Matrix<N>,
    /// Currents that sources feed in, amperes; where a voltage is fixed that voltage.
    fed: Vec<Column<N>>,
    /// Whether the voltage at a node is fixed.
    fixed: Vec<bool>,
    work: Vec<Column<N>>,
}

/// The nodal matrix as it is, block by block, without anything done for fixed voltages and absent
/// wires.
pub(super) struct Admittances<const N: usize> {
    pub(super) own: Vec<Block<N>>,
    pub(super) branches: Vec<TwoPort<N>>,
}

/// Of branches, shunts, sources and, if they are asked for, loads of constant impedance: what each
/// node has on the diagonal. `each` is called per branch, so that nobody has to keep them all.
fn diagonal<const N: usize>(
    circuit: &Circuit<N>,
    with_loads: bool,
    mut each: impl FnMut(usize, &Branch<N>, TwoPort<N>),
) -> Result<Vec<Block<N>>, Singular> {
    let mut own: Vec<Block<N>> = (0..circuit.nodes())
        .map(|node| circuit.shunt.get(node).copied().unwrap_or(zero()))
        .collect();
    for (at, branch) in circuit.branches.iter().enumerate() {
        let port = branch.coupling.two_port().ok_or(Singular(branch.to))?;
        add_to(&mut own[branch.from as usize], &port.ff);
        add_to(&mut own[branch.to as usize], &port.tt);
        each(at, branch, port);
    }
    for source in &circuit.sources {
        if let Some(admittance) = &source.admittance {
            add_to(&mut own[source.node as usize], admittance);
        }
    }
    for part in circuit.parts.iter().filter(|part| with_loads && part.is_constant()) {
        let Some(y) = part.admittance() else { continue };
        let own = &mut own[part.node as usize];
        let (wire, against) = (usize::from(part.wire), usize::from(part.against));
        own[wire][wire] += y;
        if part.against != EARTH {
            own[against][against] += y;
            own[wire][against] -= y;
            own[against][wire] -= y;
        }
    }
    Ok(own)
}

impl<const N: usize> Admittances<N> {
    /// Of branches, shunts and sources.
    pub(super) fn new(circuit: &Circuit<N>) -> Result<Self, Singular> {
        let mut branches = Vec::with_capacity(circuit.branches.len());
        let own = diagonal(circuit, false, |_, _, port| branches.push(port))?;
        Ok(Self { own, branches })
    }

    /// The currents that flow from the nodes into the network, amperes.
    pub(super) fn currents(&self, circuit: &Circuit<N>, voltages: &[Column<N>]) -> Vec<Column<N>> {
        let own = self.own.iter().zip(voltages);
        let mut currents: Vec<Column<N>> = own.map(|(own, voltage)| apply(own, voltage)).collect();
        for (branch, port) in circuit.branches.iter().zip(&self.branches) {
            let (from, to) = (branch.from as usize, branch.to as usize);
            let (into_from, into_to) =
                (apply(&port.ft, &voltages[to]), apply(&port.tf, &voltages[from]));
            for wire in 0..N {
                currents[from][wire] += into_from[wire];
                currents[to][wire] += into_to[wire];
            }
        }
        currents
    }

    /// How large the currents are that cancel in [`Self::currents`], amperes: sums of magnitudes.
    pub(super) fn sizes(
        &self,
        circuit: &Circuit<N>,
        voltages: &[Column<N>],
    ) -> Vec<Column<N, f64>> {
        let of = |block: &Block<N>, voltage: &Column<N>| -> Column<N, f64> {
            block.map(|row| row.iter().zip(voltage).map(|(y, v)| magnitude(y * v)).sum())
        };
        let own = self.own.iter().zip(voltages);
        let mut sizes: Vec<Column<N, f64>> = own.map(|(own, voltage)| of(own, voltage)).collect();
        for (branch, port) in circuit.branches.iter().zip(&self.branches) {
            let (from, to) = (branch.from as usize, branch.to as usize);
            for (at, block, voltage) in [(from, &port.ft, to), (to, &port.tf, from)] {
                for (size, more) in sizes[at].iter_mut().zip(of(block, &voltages[voltage])) {
                    *size += more;
                }
            }
        }
        sizes
    }
}

/// Rows and columns of absent wires made nothing.
pub(super) fn masked<const N: usize>(
    circuit: &Circuit<N>,
    row: u32,
    column: u32,
    block: &Block<N>,
) -> Block<N> {
    let mut block = *block;
    if N > 1 {
        let all =
            |node: u32| Wire::ALL[..N].iter().all(|&it| circuit.wires[node as usize].contains(it));
        if !all(row) || !all(column) {
            for a in 0..N {
                for b in 0..N {
                    if !circuit.has_wire(row, a) || !circuit.has_wire(column, b) {
                        block[a][b] = Complex64::ZERO;
                    }
                }
            }
        }
    }
    block
}

/// The pattern of a circuit's nodal matrix; its pairs are the branches.
pub(super) fn pattern<const N: usize>(circuit: &Circuit<N>) -> Symbolic {
    let pairs: Vec<(u32, u32)> =
        circuit.branches.iter().map(|branch| (branch.from, branch.to)).collect();
    Symbolic::new(circuit.nodes(), &pairs)
}

pub(super) fn fixed_nodes<const N: usize>(circuit: &Circuit<N>) -> Vec<bool> {
    let mut fixed = vec![false; circuit.nodes()];
    for source in circuit.sources.iter().filter(|source| source.admittance.is_none()) {
        fixed[source.node as usize] = true;
    }
    fixed
}

impl<const N: usize> Nodal<N> {
    /// Makes and factors the matrix.
    ///
    /// # Errors
    /// The node of the circuit at which it is singular.
    pub fn new(circuit: &Circuit<N>) -> Result<Self, Singular> {
        Self::with(pattern(circuit), circuit)
    }

    /// The same for a circuit whose pattern is known.
    ///
    /// # Errors
    /// The node of the circuit at which it is singular.
    pub(super) fn with(symbolic: Symbolic, circuit: &Circuit<N>) -> Result<Self, Singular> {
        let fixed = fixed_nodes(circuit);
        let mut matrix = Matrix::new(&symbolic);
        let diagonal = diagonal(circuit, true, |pair, branch, port| {
            let (from, to) = (branch.from, branch.to);
            if let Some((at_from, at_to)) = matrix.pair_mut(&symbolic, pair) {
                if !fixed[from as usize] {
                    *at_from = masked(circuit, from, to, &port.ft);
                }
                if !fixed[to as usize] {
                    *at_to = masked(circuit, to, from, &port.tf);
                }
            }
        })?;
        for (node, diagonal) in (0..).zip(&diagonal) {
            let own = matrix.diagonal_mut(&symbolic, node);
            if fixed[node as usize] {
                *own = identity();
                continue;
            }
            *own = masked(circuit, node, node, diagonal);
            for wire in (0..N).filter(|&wire| !circuit.has_wire(node, wire)) {
                own[wire][wire] = Complex64::ONE;
            }
        }
        drop(diagonal);
        matrix.factor(&symbolic)?;
        let mut fed = vec![[Complex64::ZERO; N]; circuit.nodes()];
        for source in &circuit.sources {
            let at = &mut fed[source.node as usize];
            match &source.admittance {
                None => *at = source.voltage,
                Some(_) if fixed[source.node as usize] => {}
                Some(admittance) => {
                    let current = apply(admittance, &source.voltage);
                    for wire in 0..N {
                        at[wire] += current[wire];
                    }
                }
            }
        }
        Ok(Self { symbolic, matrix, fed, fixed, work: Vec::new() })
    }

    /// The voltages without any load but constant impedances.
    pub fn without_load(&mut self) -> Vec<Column<N>> {
        let mut voltages = self.fed.clone();
        self.matrix.solve(&self.symbolic, &mut voltages, &mut self.work);
        voltages
    }

    /// What currents into the nodes, amperes, do to their voltages, volts; in place. Fixed voltages
    /// stay.
    pub fn respond(&mut self, currents: &mut [Column<N>]) {
        for (current, _) in currents.iter_mut().zip(&self.fixed).filter(|it| *it.1) {
            *current = [Complex64::ZERO; N];
        }
        self.matrix.solve(&self.symbolic, currents, &mut self.work);
    }

    /// Whether the voltage at a node is fixed.
    pub fn is_fixed(&self, node: u32) -> bool {
        self.fixed[node as usize]
    }

    /// What voltages become with the currents that loads draw at these; one iteration.
    pub(super) fn inject(
        &mut self,
        circuit: &Circuit<N>,
        voltages: &[Column<N>],
        next: &mut Vec<Column<N>>,
    ) {
        next.clear();
        next.extend_from_slice(&self.fed);
        add_drawn(circuit, voltages, true, -1.0, next);
        for source in circuit.sources.iter().filter(|it| self.fixed[it.node as usize]) {
            next[source.node as usize] = self.fed[source.node as usize];
        }
        self.matrix.solve(&self.symbolic, next, &mut self.work);
    }

    /// Iterates from these voltages until they stand still.
    pub fn solve(
        &mut self,
        circuit: &Circuit<N>,
        start: Vec<Column<N>>,
        options: &Options,
    ) -> Solved<N> {
        let (mut voltages, mut next) = (start, Vec::with_capacity(circuit.nodes()));
        let (mut iterations, mut converged) = (0, false);
        let mut best = f64::INFINITY;
        while iterations < options.most_iterations && !converged {
            iterations += 1;
            self.inject(circuit, &voltages, &mut next);
            let change = largest_change(circuit, &voltages, &next);
            std::mem::swap(&mut voltages, &mut next);
            converged = change <= options.tolerance_pu;
            // It goes astray: other methods do better.
            if !change.is_finite() || change > 1e3 * best.max(options.tolerance_pu) {
                break;
            }
            best = best.min(change);
        }
        Solved { voltages, iterations, converged, method: Method::CurrentInjection }
    }
}
