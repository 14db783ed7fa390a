//! The network solved step by step, and what is wrong with the plant.

use lastmeter_grid::flow::{self, EndState, Failure, Flow, LoadState, NodeState, Options};
use lastmeter_grid::motion::MotionError;
use lastmeter_grid::network::{LineImpedance, Network, Wire};
use lastmeter_units::SimDuration;
use num_complex::Complex64;
use thiserror::Error;

use super::input::GridChange;
use super::network_timeline::NetworkTimeline;
use super::plant::Plant;
use super::playing::Playing;
use super::profile::Raster;

/// What makes meters and the declared network disagree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defect {
    /// A share of a load's current does not pass its meter.
    Bypass {
        /// The load's place in the network.
        load: usize,
        /// That share, 0 to 1.
        share: f64,
    },
    /// The meter's voltage comes from another phase than its current.
    WrongPhase {
        /// The place of the load, which has one phase, in the network.
        load: usize,
        /// The wire whose voltage it sees.
        phase: Wire,
    },
    /// A line has more resistance than is written down: a corroded joint.
    Resistance {
        /// The line's place in the network.
        line: usize,
        /// What the resistance of each conductor is multiplied by.
        factor: f64,
        /// What is added to it then, ohm.
        added_ohm: f64,
    },
}

/// What a feeder is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The declared network.
    pub network: Network,
    /// Frequency of all voltages and currents, hertz.
    pub frequency_hz: f64,
    /// When the steps are.
    pub raster: Raster,
    /// Of each load the power of each step, volt-amperes; none: as in the network.
    pub powers: Vec<Option<Vec<Complex64>>>,
    /// What is wrong with the plant.
    pub defects: Vec<Defect>,
    /// What changes between steps, as far as it is known ahead. Those of one step hold in the order
    /// of the list; one that does not fit the network changes nothing
    /// ([`super::GridInput::check`]).
    pub changes: Vec<GridChange>,
}

/// What flows in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Of each node.
    pub nodes: Vec<NodeState>,
    /// Of each load: what it draws, whatever its meter sees.
    pub loads: Vec<LoadState>,
    /// Of each source: what it delivers into the network.
    pub sources: Vec<EndState>,
    /// What lines, transformers, switches and shunts take, volt-amperes.
    pub losses_va: Complex64,
    /// What those of the declared network would take with the same loads, volt-amperes.
    pub declared_losses_va: Complex64,
}

/// Why a step has no solution.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFailure {
    /// Which step, from 0.
    pub step: usize,
    /// Whether it is the declared network with the plant's loads that has none.
    pub is_declared: bool,
    /// Why.
    pub why: Failure,
}

/// Why a network cannot be solved or played.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NetworkFailure {
    /// A step has no solution.
    #[error("step {}: {}", .0.step + 1, .0.why)]
    Step(StepFailure),
    /// The waveforms that meters look at are more than can be kept.
    #[error("{} s after the start: too many waveforms", .at.as_seconds_f64())]
    Waveforms {
        /// By when, since the start.
        at: SimDuration,
    },
    /// What happens between steps cannot be played.
    #[error("{} s after the start: {why}", .at.as_seconds_f64())]
    Motion {
        /// From when on, since the start.
        at: SimDuration,
        /// Why.
        why: MotionError,
    },
}

/// A network with what its loads draw, solved for each step; of one that is being played as far as
/// it is.
#[derive(Clone, Debug)]
pub struct SolvedNetwork {
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
    /// Of each defect how much it changes at most in any step.
    pub(super) effects: Vec<f64>,
    /// What happened between steps, where something can.
    pub(super) timeline: Option<NetworkTimeline>,
}

impl SolvedNetwork {
    /// Solves the power flow of every step. Regulators begin each step where the last one left
    /// their taps.
    ///
    /// # Errors
    /// The first step that has no solution.
    pub fn solve(setup: Setup) -> Result<Self, NetworkFailure> {
        Playing::new(setup, None)?.finish()
    }

    /// The declared network.
    pub fn network(&self) -> &Network {
        &self.setup.network
    }

    /// What was changed between steps: what was known ahead, then what came.
    pub fn changes(&self) -> &[GridChange] {
        &self.setup.changes
    }

    /// When the steps are.
    pub fn raster(&self) -> &Raster {
        &self.setup.raster
    }

    /// What flows, step by step.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The defects, by their places in [`Setup::defects`], that change nothing in any step: at
    /// loads that never draw anything, and of lines whose other resistance changes no voltage by
    /// more than the tolerance to which all of them are known.
    pub fn idle_defects(&self) -> Vec<usize> {
        let least = Options::default().tolerance_pu;
        let is_idle = |&index: &usize| self.effects[index] <= least;
        (0..self.effects.len()).filter(is_idle).collect()
    }

    /// A step's network with all that flows in it, for a picture: solved again by itself, with the
    /// taps as they are written down.
    ///
    /// # Errors
    /// If it has no solution.
    pub fn again(&self, step: usize) -> Result<(Network, Flow), Failure> {
        let mut plant = Plant::new(&self.setup);
        plant.take_ahead(&self.setup, step);
        plant.set(&self.setup, step);
        let flow = flow::solve(&plant.network, &Options::default())?;
        Ok((plant.network, flow))
    }
}

/// How much a defect changes in a step: of a line the voltage across what is added to its
/// resistance, per unit of the rated one; of a load 1 if it draws a current, else 0.
pub(super) fn effect_of(
    defect: &Defect,
    (declared, plant): (&Network, &Network),
    flow: &Flow,
) -> f64 {
    match *defect {
        Defect::Bypass { load, .. } | Defect::WrongPhase { load, .. } => {
            let current = flow.loads.get(load).map(|state| state.current_a);
            let draws = current.is_some_and(|all| all.iter().any(|one| one.norm() > 0.0));
            f64::from(u8::from(draws))
        }
        Defect::Resistance { line, .. } => {
            let (Some(own), Some(worse)) = (declared.lines.get(line), plant.lines.get(line)) else {
                return 0.0;
            };
            let Some(state) = flow.lines.get(line) else { return 0.0 };
            let current_a = state.from.largest_current_a().max(state.to.largest_current_a());
            let rated_v = declared.nodes[own.from.node.index()].rated_voltage_v / 3f64.sqrt();
            current_a * largest_difference_ohm(&own.impedance, &worse.impedance) / rated_v
        }
    }
}

fn largest_difference_ohm(one: &LineImpedance, other: &LineImpedance) -> f64 {
    match (one, other) {
        (LineImpedance::Sequence(one), LineImpedance::Sequence(other)) => {
            let (z1, z0) = (other.z1_ohm - one.z1_ohm, other.z0_ohm - one.z0_ohm);
            z1.norm().max(z0.norm())
        }
        (
            LineImpedance::Matrix { series_ohm: one, .. },
            LineImpedance::Matrix { series_ohm: other, .. },
        ) => {
            let own = |conductor: usize| {
                (other.rows[conductor][conductor] - one.rows[conductor][conductor]).norm()
            };
            (0..one.size.min(other.size)).map(own).fold(0.0, f64::max)
        }
        _ => f64::INFINITY,
    }
}
