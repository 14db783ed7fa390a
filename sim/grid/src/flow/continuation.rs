//! Which of a network's solutions is the one: that to which voltages come when all loads grow from
//! nothing to what they are.
//!
//! Constant powers make equations that have many solutions. Of two nodes' two the lower one draws
//! the same power at less voltage and more current; no network gets there, as it lies behind the
//! point at which voltages collapse. Iterations that begin far away may.
//!
//! [`from_no_load`] walks from no load to all of it in steps so short that Newton's method cannot
//! leave the branch that it is on.
//! That is dear, so it is for solutions of which there is doubt. There is
//! none where current injection, `V' = W - Z I(V)`, contracts well. Let `k` be the largest of all
//! parts' sums of the voltages that the parts' currents take from it, each without its angle, as a
//! share of the voltage that is left. For each share of the loads `V'` maps all voltages within `k`
//! of the solution into themselves, and contracts there, if `k / (1 - k)^2 < 1`: one solution for
//! each share, and a path without a fold from no load to the solution. [`CONTRACTION`] is the
//! largest such `k`. The sums would count mutual impedances several times over. How fast changes
//! shrink costs nothing, is `k` itself for two nodes, and less than it for more: no proof for
//! those, but what it leaves undoubted is far from any collapse.

use super::load_breakpoints;
use super::newton::{self, Solution};
use super::nodal::Nodal;
use super::options::{Method, Options, Solved, largest_change};
use crate::block::Column;
use crate::circuit::Circuit;

/// `k` of `k / (1 - k)^2 = 1`.
const CONTRACTION: f64 = 0.381_966_011_250_105;
/// Current injection needs some iterations with any tolerance to show how it contracts.
const ITERATIONS_LEAST: f64 = 4.0;
/// How far from a solution it is tried whether iterations come back to it, per unit.
const ASIDE_PU: f64 = 1e-2;
/// What is closer than this to a solution is at it, per unit: digits of floating sides.
const AT_IT_PU: f64 = 1e-6;

/// Whether a generator is among the constant impedances. They stand in matrices in full, so that
/// how iterations contract shows nothing of how voltages came to where they begin: such a generator
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
pub(super) fn is_determined_at<const N: usize>(
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

pub(super) struct Continuation<const N: usize> {
    /// The voltages there, volts.
    pub(super) voltages: Vec<Column<N>>,
    /// Share of all loads; 1 if there is a solution.
    pub(super) share: f64,
    /// Of Newton's method, in all.
    pub(super) iterations: u32,
    /// Whether there was no solution even without loads, where nothing can collapse.
    pub(super) is_stuck: bool,
}

impl<const N: usize> Continuation<N> {
    /// What it found, if it got to all loads.
    pub(super) fn into_solved(self) -> Solved<N> {
        let Self { voltages, iterations, share, .. } = self;
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
/// The same for large networks, so that it does not take forever.
const FINEST_OF_LARGE: f64 = 1e-4;
const LARGE: usize = 20_000;
/// The same where a longer step was across a corner: a law that ends a little behind its corner
/// leads across it by a step as short as the square of that.
const FINEST_ACROSS: f64 = 1e-9;
/// So many steps as short as that are enough: there is no end to those towards a collapse.
const MOST_ACROSS: u32 = 500;
/// Below this share a load is so absurd that its exact share means nothing.
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
/// The same where the laws on both sides of a corner lead across it.
const ACROSS_PU: f64 = 1e-2;
/// How far a step may lead where generators are among the constant impedances, per unit.
const FARTHEST_RAISED_PU: f64 = 0.1;
/// No walk is content with less than this on its way, and none asks for more, per unit: the last
/// digits take some networks many iterations.
const TOLERANCE_PU: f64 = 1e-6;
const TOLERANCE_LEAST_PU: f64 = 1e-9;

/// Solves for shares of all loads.
struct Tracer<'a, const N: usize> {
    circuit: &'a Circuit<N>,
    /// The same, with loads as they were for the last share.
    part: Circuit<N>,
    options: Options,
    /// How far a step may lead, per unit.
    farthest_pu: f64,
    /// Of Newton's method, in all.
    iterations: u32,
}

/// Where a step leads.
struct Step<const N: usize> {
    voltages: Vec<Column<N>>,
    /// How far that is, per unit.
    moved_pu: f64,
    /// Whether there is a solution there, not too far away, and voltages have not collapsed once.
    is_solved: bool,
    /// Whether Newton's method led straight there, and not much farther than its first step.
    is_straight: bool,
    is_short: bool,
}

impl<const N: usize> Step<N> {
    /// Whether it keeps to the branch on which it began; short steps may lead so far by a crooked
    /// way, per unit.
    fn is_sound(&self, crooked_pu: f64) -> bool {
        self.is_solved && (self.is_straight || (self.is_short && self.moved_pu <= crooked_pu))
    }
}

enum Outcome<const N: usize> {
    /// The voltages there.
    Taken(Vec<Column<N>>),
    /// There may be a collapse.
    Refused,
    /// There may be one before, at or behind a corner that loads' laws turn.
    RefusedAcross,
}

impl<const N: usize> Tracer<'_, N> {
    /// The voltages of a share of the loads, from those that are near. Where voltages are given
    /// loads keep to the piece of their laws that they follow there.
    fn at(&mut self, share: f64, from: &[Column<N>], ranges: Option<&[Column<N>]>) -> Solution<N> {
        for (part, whole) in self.part.parts.iter_mut().zip(&self.circuit.parts) {
            part.clone_from(whole);
            part.scale(share);
            if let Some(voltages) = ranges {
                load_breakpoints::extend_range(part, voltages);
            }
        }
        let followed = newton::follow(&self.part, from.to_vec(), &self.options);
        self.iterations += followed.solved.iterations;
        followed
    }

    /// A step from one share, whose voltages are `from`, to another one.
    fn step(
        &mut self,
        shares: [f64; 2],
        from: &[Column<N>],
        ranges: Option<&[Column<N>]>,
    ) -> Step<N> {
        let next = self.at(shares[1], from, ranges);
        let voltages = next.solved.voltages;
        let moved_pu = match &next.rounding {
            Some(it) => it.change(self.circuit, from, &voltages),
            None => f64::INFINITY,
        };
        let most_pu = FARTHEST * next.first_step_pu + self.options.tolerance_pu;
        Step {
            voltages,
            moved_pu,
            is_solved: next.solved.converged && moved_pu <= self.farthest_pu && !next.is_behind,
            is_straight: next.is_straight && moved_pu <= most_pu,
            is_short: (shares[1] - shares[0]).abs() <= SHORT * shares[0],
        }
    }

    /// A step of the loads as they are. Where their laws turn corners on the way, what they are
    /// before has to lead across as well, and what they are behind it back.
    fn advance(&mut self, shares: [f64; 2], from: &[Column<N>]) -> Outcome<N> {
        let step = self.step(shares, from, None);
        let to = step.voltages.as_slice();
        if !step.is_solved {
            return Outcome::Refused;
        }
        if load_breakpoints::are_in_same_ranges(self.circuit, from, to) {
            let is_sound = step.is_sound(NEAR_PU);
            return if is_sound { Outcome::Taken(step.voltages) } else { Outcome::Refused };
        }
        let [before, behind] = shares;
        let is_sound = step.is_sound(ACROSS_PU)
            && self.step(shares, from, Some(from)).is_sound(NEAR_PU)
            && self.step([behind, before], to, Some(to)).is_sound(NEAR_PU);
        if is_sound { Outcome::Taken(step.voltages) } else { Outcome::RefusedAcross }
    }
}

/// Walks from no load to all loads, or to where voltages collapse. `start` are voltages close to
/// those without any load.
pub(super) fn from_no_load<const N: usize>(
    circuit: &Circuit<N>,
    start: &[Column<N>],
    options: &Options,
) -> Continuation<N> {
    let tolerance_pu = options.tolerance_pu.clamp(TOLERANCE_LEAST_PU, TOLERANCE_PU);
    let is_raised = has_negative_impedance(circuit);
    let mut tracer = Tracer {
        circuit,
        part: circuit.clone(),
        options: Options { most_iterations: ITERATIONS, tolerance_pu, ..*options },
        farthest_pu: if is_raised { FARTHEST_RAISED_PU } else { f64::INFINITY },
        iterations: 0,
    };
    let mut reached =
        Continuation { voltages: start.to_vec(), share: 0.0, iterations: 0, is_stuck: false };
    let empty = tracer.at(0.0, start, None);
    if !empty.solved.converged {
        (reached.iterations, reached.is_stuck) = (tracer.iterations, true);
        return reached;
    }
    reached.voltages = empty.solved.voltages;
    let is_large = circuit.nodes() > LARGE;
    let finest_of_all = if is_large { FINEST_OF_LARGE } else { FINEST };
    let (mut step, mut finest, mut tried_across) = (STEP, finest_of_all, 0);
    while reached.share < 1.0 && tried_across < MOST_ACROSS {
        tried_across += u32::from(step < finest_of_all * reached.share);
        let share = (reached.share + step).min(1.0);
        let next = tracer.advance([reached.share, share], &reached.voltages);
        match next {
            Outcome::Taken(voltages) => {
                (reached.voltages, reached.share) = (voltages, share);
                step = (2.0 * step).min(STEP);
                continue;
            }
            Outcome::RefusedAcross if !is_large => finest = FINEST_ACROSS,
            Outcome::Refused | Outcome::RefusedAcross => {}
        }
        // First its order of magnitude: a figure with a prefix too large makes it tiny.
        step *= if reached.share == 0.0 { 0.1 } else { 0.25 };
        if step < (finest * reached.share).max(SHARE_LEAST) {
            break;
        }
    }
    reached.iterations = tracer.iterations;
    if reached.share == 1.0 && options.tolerance_pu < tolerance_pu {
        let last = newton::solve(circuit, reached.voltages.clone(), options);
        reached.iterations += last.iterations;
        if last.converged && largest_change(circuit, &reached.voltages, &last.voltages) <= SAME_PU {
            reached.voltages = last.voltages;
        }
    }
    reached
}
