//! Which of a network's solutions is the one: that to which voltages come when all loads grow from
//! nothing to what they are.
//!
//! Constant powers make equations that have many solutions. Of two nodes' two the lower one draws
//! the same power at less voltage and more current; no network gets there, as it lies behind the
//! point at which voltages collapse. Iterations that begin far away may.
//!
//! [`up`] walks from no load to all of it in steps so short that Newton's method cannot leave the
//! branch that it is on. That is dear, so it is for solutions of which there is doubt. There is
//! none where current injection, `V' = W - Z I(V)`, contracts well. Let `k` be the largest of all
//! parts' sums of the voltages that the parts' currents take from it, each without its angle, as a
//! share of the voltage that is left. For each share of the loads `V'` maps all voltages within `k`
//! of the solution into themselves, and contracts there, if `k / (1 - k)^2 < 1`: one solution for
//! each share, and a path without a fold from no load to the solution. [`CONTRACTION`] is the
//! largest such `k`. The sums would count mutual impedances several times over. How fast changes
//! shrink costs nothing, is `k` itself for two nodes, and less than it for more: no proof for
//! those, but what it leaves undoubted is far from any collapse.

use super::{Method, Nodal, Options, Solved, largest_change, newton};
use crate::block::Column;
use crate::circuit::Circuit;

/// `k` of `k / (1 - k)^2 = 1`.
const CONTRACTION: f64 = 0.381_966_011_250_105;
/// Current injection needs some iterations with any tolerance to tell how it contracts.
const ITERATIONS_LEAST: f64 = 4.0;
/// How far from a solution it is tried whether iterations come back to it, per unit.
const ASIDE_PU: f64 = 1e-2;
/// What is closer than this to a solution is at it, per unit: digits of floating sides.
const AT_IT_PU: f64 = 1e-6;

/// Whether a generator is among the constant impedances. They stand in matrices in full, so that
/// how iterations contract tells nothing of how voltages came to where they begin: such a generator
/// may have raised them without bounds on the way.
pub(super) fn has_negative_impedance<const N: usize>(circuit: &Circuit<N>) -> bool {
    circuit.parts.iter().any(|part| part.is_constant() && part.power_va.re < 0.0)
}

/// Whether current injection that took so many iterations from no load contracted so well that its
/// solution is on the branch that begins there.
pub(super) fn is_sure(iterations: u32, options: &Options) -> bool {
    let most = options.tolerance_pu.ln() / CONTRACTION.ln();
    f64::from(iterations) <= most.max(ITERATIONS_LEAST)
}

/// The same of a solution that was not found by it: from a little towards no load, whose voltages
/// `start` are.
pub(super) fn is_sure_at<const N: usize>(
    circuit: &Circuit<N>,
    nodal: &mut Nodal<N>,
    start: &[Column<N>],
    solution: &[Column<N>],
) -> bool {
    let far = largest_change(circuit, solution, start);
    if far <= AT_IT_PU {
        return true;
    }
    if !far.is_finite() {
        return false;
    }
    let share = ASIDE_PU.min(far) / far;
    let aside = |solution: &Column<N>, start: &Column<N>| {
        std::array::from_fn(|wire| solution[wire] + (start[wire] - solution[wire]) * share)
    };
    let mut at: Vec<Column<N>> = solution.iter().zip(start).map(|(v, w)| aside(v, w)).collect();
    let mut next = Vec::with_capacity(at.len());
    let mut off = ASIDE_PU.min(far);
    for _ in 0..3 {
        nodal.inject(circuit, &at, &mut next);
        let after = largest_change(circuit, solution, &next);
        if after <= AT_IT_PU {
            return true;
        }
        if after > CONTRACTION * off {
            return false;
        }
        off = after;
        std::mem::swap(&mut at, &mut next);
    }
    true
}

/// How far a walk came.
pub(super) struct Walk<const N: usize> {
    /// The voltages there, volts.
    pub(super) voltages: Vec<Column<N>>,
    /// Share of all loads; 1 if there is a solution.
    pub(super) share: f64,
    /// Of Newton's method, in all.
    pub(super) iterations: u32,
}

impl<const N: usize> Walk<N> {
    /// What it found, if it got to all loads.
    pub(super) fn into_solved(self) -> Solved<N> {
        let Self { voltages, iterations, share } = self;
        Solved { voltages, iterations, converged: share == 1.0, method: Method::Newton }
    }
}

/// Solutions are the same one if no voltage differs by more, per unit: close to where they meet two
/// are as far from each other as the root of what is missing there.
pub(super) const SAME_PU: f64 = 1e-5;
/// The first step, and the longest, as a share of all loads.
const STEP: f64 = 0.25;
/// A walk ends when steps are shorter than this share of where it is.
const FINEST: f64 = 1e-5;
/// The same for large networks, so that it does not take for ever.
const FINEST_OF_LARGE: f64 = 1e-4;
const LARGE: usize = 20_000;
/// Below this share a load is so absurd that how absurd it is tells nothing.
const SHARE_LEAST: f64 = 1e-12;
/// From where a step begins Newton's method is at its end in so few iterations, or not on the way.
const ITERATIONS: u32 = 10;
/// How much farther than its first step Newton's method may lead: voltages fall as the root of
/// what is missing to where they collapse, so this is six tenths of the way there at most. It keeps
/// steps from leaping over a collapse behind which voltages hold once more.
const FARTHEST: f64 = 1.25;
/// Steps shorter than this share of where they begin may lead farther and by a crooked way, but not
/// by more than this, per unit: where loads change from one law to another voltages turn sharply,
/// however short the steps are. What lies behind a collapse is farther away.
const SHORT: f64 = 1e-3;
const NEAR_PU: f64 = 1e-3;
/// How far a step may lead where generators are among the constant impedances, per unit.
const FARTHEST_RAISED_PU: f64 = 0.1;
/// No walk is content with less than this on its way, and none asks for more, per unit: the last
/// digits take some networks many iterations.
const TOLERANCE_PU: f64 = 1e-6;
const TOLERANCE_LEAST_PU: f64 = 1e-9;

/// Walks from no load to all loads, or to where voltages collapse. `start` are voltages close to
/// those without any load.
pub(super) fn up<const N: usize>(
    circuit: &Circuit<N>,
    start: &[Column<N>],
    options: &Options,
) -> Walk<N> {
    let tolerance_pu = options.tolerance_pu.clamp(TOLERANCE_LEAST_PU, TOLERANCE_PU);
    let few = Options { most_iterations: ITERATIONS, tolerance_pu, ..*options };
    let mut walk = Walk { voltages: start.to_vec(), share: 0.0, iterations: 0 };
    let mut part = circuit.clone();
    let mut at = |share: f64, from: &[Column<N>]| {
        for (part, whole) in part.parts.iter_mut().zip(&circuit.parts) {
            part.clone_from(whole);
            part.scale(share);
        }
        newton::follow(&part, from.to_vec(), &few)
    };
    let empty = at(0.0, start);
    walk.iterations += empty.solved.iterations;
    if !empty.solved.converged {
        return walk;
    }
    walk.voltages = empty.solved.voltages;
    let is_raised = has_negative_impedance(circuit);
    let farthest_pu = if is_raised { FARTHEST_RAISED_PU } else { f64::INFINITY };
    let finest = if circuit.nodes() > LARGE { FINEST_OF_LARGE } else { FINEST };
    let mut step = STEP;
    while walk.share < 1.0 && step >= (finest * walk.share).max(SHARE_LEAST) {
        let share = (walk.share + step).min(1.0);
        let next = at(share, &walk.voltages);
        walk.iterations += next.solved.iterations;
        let moved_pu = match &next.rounding {
            Some(it) => it.change(circuit, &walk.voltages, &next.solved.voltages),
            None => f64::INFINITY,
        };
        let is_short = step <= SHORT * walk.share;
        let close = next.is_straight && moved_pu <= FARTHEST * next.first_step_pu + tolerance_pu;
        let close = (close || (is_short && moved_pu <= NEAR_PU)) && moved_pu <= farthest_pu;
        if next.solved.converged && close && !next.is_behind {
            (walk.voltages, walk.share) = (next.solved.voltages, share);
            step = (2.0 * step).min(STEP);
        } else {
            // First its order of magnitude: a figure with a prefix too large makes it tiny.
            step *= if walk.share == 0.0 { 0.1 } else { 0.25 };
        }
    }
    if walk.share == 1.0 && options.tolerance_pu < tolerance_pu {
        let last = newton::solve(circuit, walk.voltages.clone(), options);
        walk.iterations += last.iterations;
        if last.converged && largest_change(circuit, &walk.voltages, &last.voltages) <= SAME_PU {
            walk.voltages = last.voltages;
        }
    }
    walk
}
