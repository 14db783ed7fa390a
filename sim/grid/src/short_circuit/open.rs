//! Broken conductors: the line with its two ends, and between them the ends of what is broken.
//!
//! What was behind a broken conductor may be left without anything that fixes its potential. So
//! each end of the line keeps, where its conductor is broken, a ten-thousand-millionth of the
//! line's own admittance to earth: no result distinguishes it from zero, and the matrix
//! stays regular.

use num_complex::Complex64;

use super::place::{Open, wrong};
use super::{FaultState, dense};
use crate::block::{magnitude, zero};
use crate::circuit::{Circuit, Coupling, TwoPort, line_model};
use crate::flow::{EndState, Flow, Solved};
use crate::network::{Fault, Line, Network};
use crate::topology::NONE;

/// Admittance to earth of a broken conductor's ends, as a share of its own.
const LEAK: f64 = 1e-10;

/// A matrix, row by row.
type Rows = Vec<Vec<Complex64>>;

/// A line with broken conductors between two nodes of the circuit.
pub(super) struct Broken {
    nodes: [u32; 2],
    /// The wires of each end, conductor by conductor.
    wires: [Vec<usize>; 2],
    /// Currents into both ends by the voltages there, conductor by conductor, siemens.
    left: Rows,
    /// The same of the line as it was.
    whole: Rows,
    /// Of each broken conductor: its wire at `from`, and its voltage from one of its ends to the
    /// other by the voltages at the line's ends.
    gaps: Vec<(usize, Vec<Complex64>)>,
    impedance_ohm: Complex64,
}

/// Takes the conductors out of the circuit; none if no source reaches the line.
pub(super) fn break_conductors<const N: usize>(
    network: &Network,
    circuit: &mut Circuit<N>,
    open: &Open,
) -> Result<Option<Broken>, Fault> {
    let line = &network.lines[open.line as usize];
    let wrong = |what: &str| wrong("line", &line.name, line.place, what);
    if N == 1 {
        return Err(wrong("broken conductors need every phase, not the positive sequence alone"));
    }
    if !line.from_closed || !line.to_closed {
        return Err(wrong("the line is open; close both its ends first"));
    }
    let nodes = [&line.from, &line.to].map(|end| circuit.node_of[end.node.index()]);
    if nodes.contains(&NONE) {
        return Ok(None);
    }
    let conductors = Conductors::new(line, open, circuit.dead_conductors(line));
    let whole = conductors.whole().ok_or_else(|| wrong("its impedance cannot be inverted"))?;
    let (left, gaps) =
        conductors.left().ok_or_else(|| wrong("what is left of it cannot be inverted"))?;
    let index = |end: &crate::network::Connection| -> Vec<usize> {
        end.wires.as_slice().iter().map(|wire| wire.index()).collect()
    };
    let wires = [index(&line.from), index(&line.to)];
    let gaps = conductors.open.iter().map(|&k| wires[0][k]).zip(gaps).collect();
    let impedance_ohm = open.impedance_ohm;
    let it = Broken { nodes, wires, left, whole, gaps, impedance_ohm };
    it.put(circuit).ok_or_else(|| wrong("an impedance beside it cannot be inverted"))?;
    Ok(Some(it))
}

/// The conductors of a line, and where each is broken.
struct Conductors<'a> {
    line: &'a Line,
    size: usize,
    open: Vec<usize>,
    /// Those that no source reaches.
    dead: [bool; 4],
    share: f64,
    through: Option<Complex64>,
}

impl<'a> Conductors<'a> {
    fn new(line: &'a Line, open: &Open, dead: [bool; 4]) -> Self {
        let wires = line.from.wires.as_slice();
        let z = open.impedance_ohm;
        Self {
            line,
            size: wires.len(),
            open: (0..wires.len()).filter(|&k| open.wires.contains(wires[k])).collect(),
            dead,
            share: open.share,
            through: (z != Complex64::ZERO).then(|| Complex64::ONE / z),
        }
    }

    fn is_open(&self, conductor: usize) -> bool {
        self.open.contains(&conductor)
    }

    /// Adds a part of the line between conductors that have these numbers.
    fn stamp(
        &self,
        share: f64,
        from: &[usize],
        to: &[usize],
        into: &mut [Vec<Complex64>],
    ) -> Option<()> {
        let part = Line { impedance: self.line.impedance.times(share), ..self.line.clone() };
        let model = line_model(&part).without(self.dead);
        let series = model.admittance()?;
        for row in 0..self.size {
            for column in 0..self.size {
                let (y, half) = (series[row][column], model.half_shunt[row][column]);
                into[from[row]][from[column]] += y + half;
                into[to[row]][to[column]] += y + half;
                into[from[row]][to[column]] -= y;
                into[to[row]][from[column]] -= y;
            }
        }
        Some(())
    }

    fn whole(&self) -> Option<Rows> {
        let mut y = vec![vec![Complex64::ZERO; 2 * self.size]; 2 * self.size];
        let from: Vec<usize> = (0..self.size).collect();
        let to: Vec<usize> = (self.size..2 * self.size).collect();
        self.stamp(1.0, &from, &to, &mut y)?;
        Some(y)
    }

    /// What both ends see, and the voltage across each gap by the voltages there.
    fn left(&self) -> Option<(Rows, Rows)> {
        let size = self.size;
        let ends = 2 * size;
        let mut count = ends;
        let mut new = || {
            count += 1;
            count - 1
        };
        // Numbers of the conductors before the gap and behind it.
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        for k in 0..size {
            let at = match self.share {
                _ if self.dead[k] => k,
                0.0 => k,
                1.0 if !self.is_open(k) => size + k,
                _ => new(),
            };
            before.push(at);
            behind.push(match self.share {
                _ if self.dead[k] => size + k,
                1.0 => size + k,
                _ if !self.is_open(k) => at,
                _ => new(),
            });
        }
        let mut y = vec![vec![Complex64::ZERO; count]; count];
        let (from, to): (Vec<usize>, Vec<usize>) = ((0..size).collect(), (size..ends).collect());
        if self.share > 0.0 {
            self.stamp(self.share, &from, &before, &mut y)?;
        }
        if self.share < 1.0 {
            self.stamp(1.0 - self.share, &behind, &to, &mut y)?;
        }
        for &k in &self.open {
            let (a, b) = (before[k], behind[k]);
            if let Some(through) = self.through {
                y[a][a] += through;
                y[b][b] += through;
                y[a][b] -= through;
                y[b][a] -= through;
            }
        }

        // Inner voltages by those at the ends, and what the ends see of them.
        let mut inner: Vec<Vec<Complex64>> =
            y[ends..].iter().map(|row| row[ends..].into()).collect();
        let mut by_ends: Vec<Vec<Complex64>> =
            y[ends..].iter().map(|row| row[..ends].iter().map(|value| -value).collect()).collect();
        dense::solve(&mut inner, &mut by_ends).ok()?;
        let mut seen = vec![vec![Complex64::ZERO; ends]; ends];
        for (row, seen) in seen.iter_mut().enumerate() {
            for (column, value) in seen.iter_mut().enumerate() {
                let through = y[row][ends..].iter().zip(&by_ends);
                *value = through.fold(y[row][column], |sum, (y, by)| sum + y * by[column]);
            }
        }
        if self.through.is_none() {
            let whole = self.whole()?;
            for at in self.open.iter().flat_map(|&k| [k, size + k]) {
                seen[at][at] += LEAK * magnitude(whole[at][at]);
            }
        }
        let voltage = |at: usize| -> Vec<Complex64> {
            let unit = |it: usize| if it == at { Complex64::ONE } else { Complex64::ZERO };
            if at < ends { (0..ends).map(unit).collect() } else { by_ends[at - ends].clone() }
        };
        let gaps = self.open.iter().map(|&k| {
            voltage(before[k]).into_iter().zip(voltage(behind[k])).map(|(a, b)| a - b).collect()
        });
        Some((seen, gaps.collect()))
    }
}

/// What flows in a line with broken conductors.
pub(super) struct BrokenState {
    left: [EndState; 2],
    whole: [EndState; 2],
    pub(super) fault: FaultState,
}

impl Broken {
    /// Puts the broken line in the place of the whole one.
    fn put<const N: usize>(&self, circuit: &mut Circuit<N>) -> Option<()> {
        let size = self.wires[0].len();
        let mut change = TwoPort { ff: zero(), ft: zero(), tf: zero(), tt: zero() };
        for row in 0..2 * size {
            for column in 0..2 * size {
                let value = self.left[row][column] - self.whole[row][column];
                let block = match (row < size, column < size) {
                    (true, true) => &mut change.ff,
                    (true, false) => &mut change.ft,
                    (false, true) => &mut change.tf,
                    (false, false) => &mut change.tt,
                };
                let wire = |at: usize| self.wires[at / size][at % size];
                block[wire(row)][wire(column)] += value;
            }
        }
        let [from, to] = self.nodes;
        if from == to {
            for block in [change.ff, change.ft, change.tf, change.tt] {
                circuit.shunt.add(from as usize, &block);
            }
            return Some(());
        }
        let ends = (from.min(to), from.max(to));
        let branch = circuit.branches.iter_mut().find(|it| (it.from, it.to) == ends)?;
        let mut sum = branch.coupling.two_port()?;
        sum.add(&if from < to { change } else { change.reversed() });
        branch.coupling = Coupling::TwoPort(Box::new(sum));
        Some(())
    }

    /// What flows in it at these voltages.
    pub(super) fn state<const N: usize>(&self, solved: &Solved<N>) -> BrokenState {
        let size = self.wires[0].len();
        let voltages: Vec<Complex64> = (0..2)
            .flat_map(|end| self.wires[end].iter().map(move |&wire| (end, wire)))
            .map(|(end, wire)| solved.voltages[self.nodes[end] as usize][wire])
            .collect();
        let apply = |row: &[Complex64]| -> Complex64 {
            row.iter().zip(&voltages).map(|(y, voltage)| y * voltage).sum()
        };
        let ends = |matrix: &[Vec<Complex64>]| {
            [0, 1].map(|end| {
                let mut state = EndState::default();
                for k in 0..size {
                    let current = apply(&matrix[end * size + k]);
                    state.current_a[k] = current;
                    state.power_va[k] = voltages[end * size + k] * current.conj();
                }
                state
            })
        };
        let mut fault = FaultState { energized: true, ..FaultState::default() };
        for (wire, gap) in &self.gaps {
            let across = apply(gap);
            fault.voltage_v[*wire] = across;
            if self.impedance_ohm != Complex64::ZERO {
                fault.current_a[*wire] = across / self.impedance_ohm;
            }
        }
        BrokenState { left: ends(&self.left), whole: ends(&self.whole), fault }
    }
}

impl BrokenState {
    /// Adds to what is drawn from the nodes by how much the line is not what it was.
    pub(super) fn draw(&self, line: &Line, drawn: &mut [[Complex64; 4]]) {
        for (at, end) in [&line.from, &line.to].into_iter().enumerate() {
            for (k, wire) in end.wires.as_slice().iter().enumerate() {
                drawn[end.node.index()][wire.index()] +=
                    self.left[at].current_a[k] - self.whole[at].current_a[k];
            }
        }
    }

    /// Puts it into the results.
    pub(super) fn put(&self, flow: &mut Flow, line: usize) {
        let state = &mut flow.lines[line];
        for (before, after) in [&mut state.from, &mut state.to].into_iter().zip(&self.left) {
            flow.losses_va += after.total_va() - before.total_va();
            *before = *after;
        }
        state.loading = None;
    }
}
