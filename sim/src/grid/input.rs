//! What can be done to a network between two steps.

use lastmeter_grid::Network;
use num_complex::Complex64;

/// A breaker of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerAt {
    /// A switch, by its place in the network.
    Switch(usize),
    /// The breaker at a line's end `from`, by its place in the network.
    Line(usize),
}

impl BreakerAt {
    /// The switch, or else the line, of this name.
    pub fn find(network: &Network, name: &str) -> Option<Self> {
        let switch = network.switches.iter().position(|switch| &*switch.name == name);
        let line = || network.lines.iter().position(|line| &*line.name == name);
        switch.map(Self::Switch).or_else(|| line().map(Self::Line))
    }
}

/// Something that is done to a network; it holds until something else is done there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GridInput {
    /// A breaker opens or closes.
    Breaker {
        /// Which.
        at: BreakerAt,
        /// Whether current can flow afterwards.
        is_closed: bool,
    },
    /// A load draws more, or less, than its profile has.
    LoadStep {
        /// The load's place in the network.
        load: usize,
        /// What is added, volt-amperes of all its parts.
        change_va: Complex64,
    },
    /// A load draws this, whatever its profile has.
    LoadSetPoint {
        /// The load's place in the network.
        load: usize,
        /// Volt-amperes of all its parts; `None`: what its profile has again.
        power_va: Option<Complex64>,
    },
    /// A source has another voltage.
    SourceVoltage {
        /// The source's place in the network.
        source: usize,
        /// Per unit of what is written down.
        voltage_pu: f64,
    },
}

/// An input before a step, known before anything runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridChange {
    /// The step from which it holds.
    pub step: usize,
    /// What is done.
    pub input: GridInput,
}

/// What has been done to a network.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// Of each load, what is added to its profile and what replaces it.
    loads: Vec<(Complex64, Option<Complex64>)>,
    /// Voltages of sources as they are written down.
    source_v: Vec<f64>,
    /// Of each source.
    voltage_pu: Vec<f64>,
}

impl Inputs {
    pub(super) fn none(network: &Network) -> Self {
        Self {
            loads: vec![(Complex64::ZERO, None); network.loads.len()],
            source_v: network.sources.iter().map(|source| source.voltage_v).collect(),
            voltage_pu: vec![1.0; network.sources.len()],
        }
    }

    /// Takes an input; what is not in the network changes nothing.
    pub(super) fn take(&mut self, input: GridInput, network: &mut Network) {
        match input {
            GridInput::Breaker { at: BreakerAt::Switch(place), is_closed } => {
                if let Some(switch) = network.switches.get_mut(place) {
                    switch.closed = is_closed;
                }
            }
            GridInput::Breaker { at: BreakerAt::Line(place), is_closed } => {
                if let Some(line) = network.lines.get_mut(place) {
                    line.from_closed = is_closed;
                }
            }
            GridInput::LoadStep { load, change_va } => {
                if let Some(own) = self.loads.get_mut(load) {
                    own.0 = change_va;
                }
            }
            GridInput::LoadSetPoint { load, power_va } => {
                if let Some(own) = self.loads.get_mut(load) {
                    own.1 = power_va;
                }
            }
            GridInput::SourceVoltage { source, voltage_pu } => {
                if let Some(own) = self.voltage_pu.get_mut(source) {
                    *own = voltage_pu;
                }
            }
        }
    }

    /// Sets what loads draw and sources have in a step, after their profiles.
    pub(super) fn set(&self, declared: &Network, network: &mut Network, profiled: &[bool]) {
        for (place, (change, set_point)) in self.loads.iter().enumerate() {
            let (Some(own), Some(load)) = (declared.loads.get(place), network.loads.get_mut(place))
            else {
                continue;
            };
            // Without a profile the power of the step before stands there.
            if !profiled.get(place).copied().unwrap_or(false) {
                load.power_va = own.power_va;
            }
            if let Some(power) = set_point {
                load.power_va = own.split(*power);
            } else if *change != Complex64::ZERO {
                let before: Complex64 = load.power_va.iter().sum();
                load.power_va = own.split(before + *change);
            }
        }
        let sources = network.sources.iter_mut().zip(&self.source_v).zip(&self.voltage_pu);
        for ((source, declared_v), voltage_pu) in sources {
            source.voltage_v = declared_v * voltage_pu;
        }
    }
}

/// Whether current can flow through a breaker; `false` of one that is not there.
pub(super) fn is_closed(network: &Network, at: BreakerAt) -> bool {
    match at {
        BreakerAt::Switch(place) => network.switches.get(place).is_some_and(|it| it.closed),
        BreakerAt::Line(place) => network.lines.get(place).is_some_and(|it| it.from_closed),
    }
}
