//! The network solved step by step, and what is wrong with the plant.

use lastmeter_grid::flow::{self, EndState, Failure, Flow, LoadState, NodeState, Options};
use lastmeter_grid::network::{LineImpedance, LoadModel, Network, Wire};
use num_complex::Complex64;

use super::input::{GridChange, Inputs};
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
    /// Of each load the power of each step, volt-amperes; none: what the network says.
    pub powers: Vec<Option<Vec<Complex64>>>,
    /// What is wrong with the plant.
    pub defects: Vec<Defect>,
    /// What is done to it before which step, in the order of the steps.
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

/// A network with what its loads draw, solved for each step.
#[derive(Debug)]
pub struct Feeder {
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
    /// Of each defect how much it changes at most in any step.
    effects: Vec<f64>,
}

impl Feeder {
    /// Solves the power flow of every step. Regulators begin each step where the last one left
    /// their taps.
    ///
    /// # Errors
    /// The first step that has no solution.
    pub fn solve(setup: Setup) -> Result<Self, StepFailure> {
        let plant = plant_of(&setup);
        let is_as_declared = plant.lines == setup.network.lines;
        let mut effects = vec![0.0_f64; setup.defects.len()];
        let profiled: Vec<bool> = setup.powers.iter().map(Option::is_some).collect();
        let mut inputs = Inputs::none(&plant);
        let steps = flow::series(
            &plant,
            setup.raster.steps,
            &Options::default(),
            |step, network| {
                set_powers(network, &setup.powers, step);
                for change in setup.changes.iter().filter(|change| change.step == step) {
                    inputs.take(change.input, network);
                }
                // Without changes the network stays as it is, to the bit.
                if !setup.changes.is_empty() {
                    inputs.set(&setup.network, network, &profiled);
                }
            },
            |step, network, flow| {
                let failed = |is_declared, why| StepFailure { step, is_declared, why };
                let flow = flow.map_err(|why| failed(false, why))?;
                for (effect, defect) in effects.iter_mut().zip(&setup.defects) {
                    *effect = effect.max(effect_of(defect, (&setup.network, &plant), &flow));
                }
                let losses_va = losses(&flow);
                let declared_losses_va = if is_as_declared {
                    losses_va
                } else {
                    let declared = with_loads_of(&setup.network, network, &flow);
                    let flow = flow::solve(&declared, &Options::default());
                    losses(&flow.map_err(|why| failed(true, why))?)
                };
                let Flow { nodes, loads, sources, .. } = flow;
                Ok(Step { nodes, loads, sources, losses_va, declared_losses_va })
            },
        )?;
        Ok(Self { setup, steps, effects })
    }

    /// Before the first step.
    pub(super) fn unsolved(setup: Setup) -> Self {
        Self { setup, steps: Vec::new(), effects: Vec::new() }
    }

    /// The declared network.
    pub fn network(&self) -> &Network {
        &self.setup.network
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
        let mut network = plant_of(&self.setup);
        set_powers(&mut network, &self.setup.powers, step);
        if !self.setup.changes.is_empty() {
            let profiled: Vec<bool> = self.setup.powers.iter().map(Option::is_some).collect();
            let mut inputs = Inputs::none(&network);
            for change in self.setup.changes.iter().filter(|change| change.step <= step) {
                inputs.take(change.input, &mut network);
            }
            inputs.set(&self.setup.network, &mut network, &profiled);
        }
        let flow = flow::solve(&network, &Options::default())?;
        Ok((network, flow))
    }
}

/// How much a defect changes in a step: of a line the voltage across what is added to its
/// resistance, per unit of the rated one; of a load 1 if it draws a current, else 0.
fn effect_of(defect: &Defect, (declared, plant): (&Network, &Network), flow: &Flow) -> f64 {
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

/// The declared network with what is wrong with its lines.
fn plant_of(setup: &Setup) -> Network {
    let mut plant = setup.network.clone();
    for defect in &setup.defects {
        let Defect::Resistance { line, factor, added_ohm } = *defect else { continue };
        let Some(line) = plant.lines.get_mut(line) else { continue };
        let worse = |z: &mut Complex64| z.re = z.re * factor + added_ohm;
        match &mut line.impedance {
            LineImpedance::Sequence(sequence) => {
                // The self impedance is (z0 + 2 z1) / 3 and the mutual one (z0 - z1) / 3: what is
                // added to both stands in each conductor alone.
                worse(&mut sequence.z1_ohm);
                worse(&mut sequence.z0_ohm);
            }
            LineImpedance::Matrix { series_ohm, .. } => {
                for conductor in 0..series_ohm.size {
                    worse(&mut series_ohm.rows[conductor][conductor]);
                }
            }
        }
    }
    plant
}

/// What is neither delivered to loads nor back to sources.
pub(super) fn losses(flow: &Flow) -> Complex64 {
    flow.losses_va + flow.shunts.iter().map(EndState::total_va).sum::<Complex64>()
}

pub(super) fn set_powers(network: &mut Network, powers: &[Option<Vec<Complex64>>], step: usize) {
    for (load, powers) in network.loads.iter_mut().zip(powers) {
        if let Some(power) = powers.as_ref().and_then(|powers| powers.get(step)) {
            load.power_va = load.split(*power);
        }
    }
}

/// The declared network with breakers, sources and loads as they are in the plant, whatever the
/// voltages.
fn with_loads_of(declared: &Network, now: &Network, plant: &Flow) -> Network {
    let mut network = declared.clone();
    network.switches.clone_from(&now.switches);
    network.sources.clone_from(&now.sources);
    for (line, now) in network.lines.iter_mut().zip(&now.lines) {
        line.from_closed = now.from_closed;
    }
    for (load, state) in network.loads.iter_mut().zip(&plant.loads) {
        load.power_va = state.power_va;
        (load.model, load.band) = (LoadModel::ConstantPower, None);
    }
    network
}
