//! Power flow on trees by sweeping them forward and backward: the fastest way there is for radial
//! networks.
//!
//! Loads draw currents at the voltages found so far; one pass towards the sources adds them up, one
//! away from them takes the voltage drops off, until voltages stand still. Everything linear is
//! eliminated once, when the sweep is prepared: transformers, charging, shunts, sources with their
//! impedance. What is left for each node and iteration is
//!
//! ```text
//! current into parent += M current,   voltage = A voltage of parent - B current
//! ```
//!
//! with `M` and `A` the identity and `B` the series impedance wherever nothing downstream is a
//! constant admittance. Impedances are never inverted there, so one of zero is exact. The iterates
//! are those of current injection with a factored matrix, at a third of its work.
//!
//! Networks with a few loops are cut open, and the currents through the cuts are found with a small
//! dense matrix; those with many are for the factored matrix ([`crate::flow`]).
//!
//! A [`Sweep`] is prepared for one topology and one state of taps, and takes any [`Loads`]. Several
//! load cases can be swept side by side in the lanes of vector units ([`State`] of more than one
//! lane); each has the same digits as alone.

mod kernel;
mod loads;
mod loops;
mod prepare;
mod prepared;
#[cfg(test)]
mod tests;

use num_complex::Complex64;

pub use loads::{LoadMap, Loads};
pub use prepared::{Constant, Sweep, SweepObstacle};

use crate::block::Column;
use crate::network::Wire;
use kernel::{draw_all, iterate};
use loops::close;
use prepared::{Loops, Phasors, nothing};

/// How far iterations have come.
#[derive(Clone, Debug)]
pub struct State<const N: usize, const W: usize> {
    voltages: Vec<Phasors<N, W>>,
    currents: Vec<Phasors<N, W>>,
    /// Room for what is done about loops.
    work: Vec<Phasors<N, W>>,
    /// Whether there are voltages to begin from.
    warm: bool,
}

/// How a solution came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// How many iterations it took.
    pub iterations: u32,
    /// Whether voltages stood still in the end.
    pub converged: bool,
    /// The largest change of a voltage in the last iteration, per unit of its rated one.
    pub change_pu: f64,
}

/// A change above this, per unit, is none of a solution that is approached.
const RUN_AWAY_PU: f64 = 1e6;

impl<const N: usize> Sweep<N> {
    /// Room for iterations, which begin at the voltages without any load.
    pub fn state<const W: usize>(&self) -> State<N, W> {
        let mut state = State {
            voltages: vec![nothing(); self.parent.len()],
            currents: vec![nothing(); self.parent.len()],
            work: vec![nothing(); self.loops.as_ref().map_or(0, Loops::room)],
            warm: false,
        };
        for (row, emf) in state.voltages.iter_mut().zip(&self.emf) {
            *row = emf.map(|emf| [[emf.re; W], [emf.im; W]]);
        }
        state
    }

    /// Solves until no voltage changes by more than the tolerance, per unit of the rated one. A
    /// state that was solved before begins from its voltages.
    ///
    /// # Panics
    /// If loads or state are those of another sweep.
    pub fn solve(
        &self,
        loads: &Loads<N, 1>,
        state: &mut State<N, 1>,
        tolerance_pu: f64,
        most_iterations: u32,
    ) -> Outcome {
        let mut outcome = None;
        self.solve_lanes(loads, state, tolerance_pu, most_iterations, |_, it, _| {
            outcome = Some(it);
        });
        outcome.unwrap_or(Outcome { iterations: 0, converged: false, change_pu: f64::INFINITY })
    }

    /// Solves all lanes; reports each as soon as it is done, with the state as it is then.
    pub(crate) fn solve_lanes<const W: usize>(
        &self,
        loads: &Loads<N, W>,
        state: &mut State<N, W>,
        tolerance_pu: f64,
        most_iterations: u32,
        mut done: impl FnMut(usize, Outcome, &State<N, W>),
    ) {
        if state.warm {
            draw_all(self, loads, &mut state.voltages, &mut state.currents);
        } else {
            state.currents.fill(nothing());
            iterate(self, loads, &mut state.voltages, &mut state.currents);
        }
        state.warm = true;
        let mut open = [true; W];
        let mut finite = None;
        for iterations in 1..=most_iterations {
            let changes = self.iterate(loads, state);
            finite = None;
            for lane in 0..W {
                let change_pu = changes[lane].sqrt();
                let mut converged = change_pu <= tolerance_pu;
                let lost = change_pu > RUN_AWAY_PU;
                if open[lane] && (converged || lost || iterations == most_iterations) {
                    open[lane] = false;
                    converged = finite.get_or_insert_with(|| state.is_finite())[lane] && converged;
                    done(lane, Outcome { iterations, converged, change_pu }, state);
                }
            }
            if !open.contains(&true) {
                break;
            }
        }
        for lane in (0..W).filter(|&lane| most_iterations == 0 && open[lane]) {
            let outcome = Outcome { iterations: 0, converged: false, change_pu: f64::INFINITY };
            done(lane, outcome, state);
        }
        // What has run away is no place to begin from.
        state.warm = finite.unwrap_or_else(|| state.is_finite()) == [true; W];
    }

    fn iterate<const W: usize>(&self, loads: &Loads<N, W>, state: &mut State<N, W>) -> [f64; W] {
        let State { voltages, currents, work, .. } = state;
        if let Some(loops) = &self.loops {
            close(self, loops, voltages, currents, work);
        }
        iterate(self, loads, voltages, currents)
    }

    /// The voltages of all nodes, volts, in the room that the state had for them.
    pub fn into_voltages(&self, state: State<N, 1>) -> Vec<Column<N>> {
        let State { voltages, currents, .. } = state;
        drop(currents);
        let all = voltages.into_iter().skip(self.emf.len());
        let mut all: Vec<Column<N>> =
            all.map(|row| row.map(|[re, im]| Complex64::new(re[0], im[0]))).collect();
        for (voltages, wires) in all.iter_mut().zip(&self.wires) {
            for (voltage, wire) in voltages.iter_mut().zip(Wire::ALL) {
                if N > 1 && !wires.contains(wire) {
                    *voltage = Complex64::ZERO;
                }
            }
        }
        all
    }

    /// The voltages of all nodes in one lane, volts.
    pub fn voltages<const W: usize>(
        &self,
        state: &State<N, W>,
        lane: usize,
    ) -> impl Iterator<Item = Column<N>> {
        let rows = state.voltages[self.emf.len()..].iter().zip(&self.wires);
        rows.map(move |(row, wires)| {
            std::array::from_fn(|wire| {
                if N > 1 && !wires.contains(Wire::ALL[wire]) {
                    return Complex64::ZERO;
                }
                Complex64::new(row[wire][0][lane], row[wire][1][lane])
            })
        })
    }
}

impl<const N: usize, const W: usize> State<N, W> {
    /// Makes the next solution begin at the voltages without any load.
    pub fn restart(&mut self) {
        self.warm = false;
    }

    /// Of each lane, whether all its voltages are finite.
    fn is_finite(&self) -> [bool; W] {
        // Anything that is not finite stays so when nothing is added to it. Wire by wire, as one
        // sum for all would wait for each figure in turn.
        let mut sums = [[0.0; W]; N];
        for row in &self.voltages {
            for (sum, [re, im]) in sums.iter_mut().zip(row) {
                for lane in 0..W {
                    sum[lane] += (re[lane] + im[lane]) * 0.0;
                }
            }
        }
        std::array::from_fn(|lane| sums.iter().all(|sum| sum[lane] == 0.0))
    }
}
