//! What a perfect meter's registers hold: energy that went either way, each way by itself.
//!
//! A register counts energy, so what was consumed and what was injected never cancel. They
//! do within the interval a meter nets in, which for the reference is:
//!
//! - a stretch of constant signal, however long, waves that are cut included;
//! - where something moves, or an excerpt is played, whole cycles of the fundamental that make
//!   about [`NETTED_S`], counted from where that, or the register, began;
//! - pieces shorter than [`NETTED_S`], joined until they make that much;
//! - of a recording, ten cycles of the loop.
//!
//! What is left of an interval at either end of the register's span is netted with its neighbour,
//! if it is shorter than [`NETTED_S`]. A meter that nets in windows of 10/12 cycles differs from
//! this by the energy of one such window at most for each time that the power changes its sign.
//! Within an interval that does not hold whole cycles the power's oscillation leaves at most
//! `S / (2 omega)`, 1.6 ms of the apparent power: it takes a power factor below 0.01 over an
//! interval to turn its sign by that.

use lastmeter_units::{Direction, Phase};

use serde::{Deserialize, Serialize};

use crate::means::SpanMeans;

/// How the phases make a total of consumed and of injected power and energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Netting {
    /// Sum the phases, then split by sign.
    Net,
    /// Split each phase by sign, then sum.
    PerPhase,
}

/// Length in seconds below which energy of both directions is netted: a window of 10/12 cycles
/// (IEC 61000-4-30, 4.4).
pub(crate) const NETTED_S: f64 = 0.2;

/// Energy that went either way, in joules or var-seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    consumed: f64,
    injected: f64,
}

impl Flow {
    /// Counts an interval's net.
    fn add(&mut self, net: f64) {
        if net > 0.0 {
            self.consumed += net;
        } else {
            self.injected -= net;
        }
    }

    fn add_times(&mut self, other: &Self, times: f64) {
        self.consumed += other.consumed * times;
        self.injected += other.injected * times;
    }

    fn of(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Consumed => self.consumed,
            Direction::Injected => self.injected,
        }
    }
}

/// The flows of each phase, and of all phases netted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flows {
    phases: Vec<Flow>,
    net: Flow,
}

impl Flows {
    pub(crate) fn new(phases: usize) -> Self {
        Self { phases: vec![Flow::default(); phases], net: Flow::default() }
    }

    /// Counts an interval's net of each phase.
    pub(crate) fn add(&mut self, nets: impl Iterator<Item = f64> + Clone) {
        for (flow, net) in self.phases.iter_mut().zip(nets.clone()) {
            flow.add(net);
        }
        self.net.add(nets.sum());
    }

    /// Adds other flows so many times; -1 takes them off.
    pub(crate) fn add_times(&mut self, other: &Self, times: f64) {
        for (flow, other) in self.phases.iter_mut().zip(&other.phases) {
            flow.add_times(other, times);
        }
        self.net.add_times(&other.net, times);
    }

    /// The energy that went in a direction.
    pub(crate) fn of(&self, phase: Phase, direction: Direction, netting: Netting) -> Option<f64> {
        if phase == Phase::Total && netting == Netting::Net {
            return Some(self.net.of(direction));
        }
        let phases: Vec<f64> = self.phases.iter().map(|flow| flow.of(direction)).collect();
        of_phase(&phases, phase)
    }
}

/// All registers, in joules, var-seconds and volt-ampere-seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Energies {
    pub(crate) active: Flows,
    pub(crate) reactive: Flows,
    /// By phase.
    pub(crate) apparent: Vec<f64>,
}

impl Energies {
    pub(crate) fn new(phases: usize) -> Self {
        Self {
            active: Flows::new(phases),
            reactive: Flows::new(phases),
            apparent: vec![0.0; phases],
        }
    }

    /// Counts an interval that is netted.
    pub(crate) fn add(&mut self, means: &[SpanMeans], length_s: f64) {
        self.active.add(means.iter().map(|means| means.phase.ui * length_s));
        self.add_beside_active(means, length_s);
    }

    /// Counts all of an interval but its active energy.
    pub(crate) fn add_beside_active(&mut self, means: &[SpanMeans], length_s: f64) {
        self.reactive.add(means.iter().map(|means| means.q1_var * length_s));
        for (sum, means) in self.apparent.iter_mut().zip(means) {
            *sum += means.s_va * length_s;
        }
    }

    /// Adds other registers so many times; -1 takes them off.
    pub(crate) fn add_times(&mut self, other: &Self, times: f64) {
        self.active.add_times(&other.active, times);
        self.reactive.add_times(&other.reactive, times);
        for (sum, other) in self.apparent.iter_mut().zip(&other.apparent) {
            *sum += other * times;
        }
    }
}

/// The value of a phase, or the sum over the phases.
pub(crate) fn of_phase(values: &[f64], phase: Phase) -> Option<f64> {
    match phase {
        Phase::Total => Some(values.iter().sum()),
        Phase::L1 | Phase::L2 | Phase::L3 => values.get(phase.index()?).copied(),
        Phase::None => None,
    }
}
