//! The plant from step to step, whether all steps are known ahead or one comes after another: the
//! same inputs at the same steps give the same bits.

use std::collections::VecDeque;

use lastmeter_grid::flow::{self, EndState, Flow, Options};
use lastmeter_grid::network::{LineImpedance, LoadModel, Network};
use num_complex::Complex64;

use super::input::{GridChange, GridInput, Inputs};
use super::solved_network::{Defect, Setup, Step, StepFailure};

/// A network with its defects, as it stands in one step.
#[derive(Clone, Debug)]
pub(super) struct Plant {
    pub(super) network: Network,
    inputs: Inputs,
    /// What is known ahead and has not come yet.
    ahead: VecDeque<GridChange>,
    /// Whether the lines are those that are written down.
    is_as_declared: bool,
}

impl Plant {
    pub(super) fn new(setup: &Setup) -> Self {
        let network = plant_of(setup);
        let is_as_declared = network.lines == setup.network.lines;
        let mut ahead = setup.changes.clone();
        ahead.sort_by_key(|change| change.step);
        Self { network, inputs: Inputs::default(), ahead: ahead.into(), is_as_declared }
    }

    /// Takes in what is known ahead up to a step.
    pub(super) fn take_ahead(&mut self, setup: &Setup, step: usize) {
        while let Some(change) = self.ahead.pop_front_if(|change| change.step <= step) {
            // What does not fit changes nothing, as is described where changes are given.
            let _ = self.inputs.take(&setup.network, change.input);
        }
    }

    /// Takes in an input that was checked.
    pub(super) fn take(&mut self, setup: &Setup, input: GridInput) {
        let _ = self.inputs.take(&setup.network, input);
    }

    /// Sets the network to what profiles and inputs give in a step; beyond the end of a profile its
    /// last power holds.
    pub(super) fn set(&mut self, setup: &Setup, step: usize) {
        let loads = self.network.loads.iter_mut().zip(&setup.network.loads);
        for ((load, declared), powers) in loads.zip(&setup.powers) {
            match powers.as_ref().map(|powers| powers.get(step)) {
                // As it is written down: what it drew before may have been nothing, which has no
                // split.
                Some(Some(power_va)) => load.power_va = declared.split(*power_va),
                Some(None) => {}
                // It may have drawn more after an outage.
                None => load.power_va = declared.power_va,
            }
        }
        let profile_va = |load: usize| {
            let powers = setup.powers.get(load)?.as_ref()?;
            powers.get(step).or(powers.last()).copied()
        };
        self.inputs.apply(&setup.network, profile_va, &mut self.network);
    }

    /// Solves the network as it stands. Regulators leave their taps where they have moved them.
    pub(super) fn flow(&mut self, step: usize) -> Result<Flow, StepFailure> {
        let flow = flow::solve_and_keep_taps(&mut self.network, &Options::default());
        flow.map_err(|why| StepFailure { step, is_declared: false, why })
    }

    /// What is kept of a step.
    pub(super) fn step(&self, setup: &Setup, at: usize, flow: Flow) -> Result<Step, StepFailure> {
        let losses_va = losses(&flow);
        let declared_losses_va = if self.is_as_declared {
            losses_va
        } else {
            let mut declared = with_loads_of(&setup.network, &flow);
            self.inputs.apply_to_supply(&mut declared);
            declared.switches.clone_from(&self.network.switches);
            let flow = flow::solve(&declared, &Options::default());
            losses(&flow.map_err(|why| StepFailure { step: at, is_declared: true, why })?)
        };
        let Flow { nodes, loads, sources, .. } = flow;
        Ok(Step { nodes, loads, sources, losses_va, declared_losses_va })
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
fn losses(flow: &Flow) -> Complex64 {
    flow.losses_va + flow.shunts.iter().map(EndState::total_va).sum::<Complex64>()
}

/// The declared network with the loads as they are in the plant, whatever the voltages.
fn with_loads_of(declared: &Network, plant: &Flow) -> Network {
    let mut network = declared.clone();
    for (load, state) in network.loads.iter_mut().zip(&plant.loads) {
        load.power_va = state.power_va;
        (load.model, load.band) = (LoadModel::ConstantPower, None);
    }
    network
}
