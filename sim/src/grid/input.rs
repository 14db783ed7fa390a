//! What somebody changes in a network between two steps: breakers, loads, voltages of sources.
//!
//! An input holds until another one about the same thing. Elements are meant by their places in the
//! declared network; [`BreakerAt::named`] finds a breaker by its name.

use std::collections::BTreeMap;

use lastmeter_grid::network::Network;
use num_complex::Complex64;
use thiserror::Error;

/// What can be opened and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerAt {
    /// A switch, by its place in [`Network::switches`].
    Switch(usize),
    /// The breakers at both ends of a line, by its place in [`Network::lines`].
    Line(usize),
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GridInput {
    /// A breaker opens or closes.
    Breaker {
        /// Which.
        at: BreakerAt,
        /// Whether it is closed from then on; of a line at both ends.
        is_closed: bool,
    },
    /// A load draws more, or less, than its profile or its set-point gives.
    LoadStep {
        /// The load's place in the network.
        load: usize,
        /// What is added at rated voltage, volt-amperes; 0 ends it.
        change_va: Complex64,
    },
    /// A load draws something else than its profile gives.
    LoadSetPoint {
        /// The load's place in the network.
        load: usize,
        /// What stands in place of the profile at rated voltage, volt-amperes; none: the profile
        /// again.
        power_va: Option<Complex64>,
    },
    /// The voltage of a source behind its impedance.
    SourceVoltage {
        /// The source's place in the network.
        source: usize,
        /// Per unit of the rated voltage of its node.
        voltage_pu: f64,
    },
    /// The taps of a transformer's winding move.
    Tap {
        /// The transformer's place in the network.
        transformer: usize,
        /// Which winding, from 0.
        winding: usize,
        /// To which position.
        position: i32,
    },
}

/// A change that is known ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridChange {
    /// The first step, from 0, in which it holds.
    pub step: usize,
    /// What changes.
    pub input: GridInput,
}

/// Why an input does not fit a network.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InputError {
    /// There are fewer of them.
    #[error("there is no {what} {place}: the network has {count}, counted from 0")]
    Place {
        /// What kind of element.
        what: &'static str,
        /// Which was meant.
        place: usize,
        /// How many there are.
        count: usize,
    },
    /// A power that is not finite.
    #[error("a power of {found} VA for load `{load}`: both of its parts have to be finite numbers")]
    Power {
        /// The load's name.
        load: Box<str>,
        /// What was given.
        found: Complex64,
    },
    /// A winding without taps.
    #[error("transformer `{name}` has no taps at winding {winding}, counted from 0")]
    NoTap {
        /// The transformer's name.
        name: Box<str>,
        /// Which winding was meant.
        winding: usize,
    },
    /// A position that a tap changer does not have.
    #[error("position {found} of transformer `{name}`: expected one from {lowest} to {highest}")]
    Tap {
        /// The transformer's name.
        name: Box<str>,
        /// What was given.
        found: i32,
        /// The lowest there is.
        lowest: i32,
        /// The highest there is.
        highest: i32,
    },
    /// A voltage below zero or not finite.
    #[error(
        "a voltage of {found} p.u. for source `{source_name}`: expected a finite one from 0 on"
    )]
    Voltage {
        /// The source's name.
        source_name: Box<str>,
        /// What was given.
        found: f64,
    },
}

impl BreakerAt {
    /// The breaker of a name: of a switch or, where no switch has that name, of a line.
    #[must_use]
    pub fn named(network: &Network, name: &str) -> Option<Self> {
        let switch = network.switches.iter().position(|switch| &*switch.name == name);
        let line = || network.lines.iter().position(|line| &*line.name == name);
        switch.map(Self::Switch).or_else(|| line().map(Self::Line))
    }

    /// Whether it is closed in a network; of a line at both ends. What is not there is open.
    #[must_use]
    pub fn is_closed(self, network: &Network) -> bool {
        match self {
            Self::Switch(switch) => network.switches.get(switch).is_some_and(|it| it.closed),
            Self::Line(line) => {
                network.lines.get(line).is_some_and(|it| it.from_closed && it.to_closed)
            }
        }
    }
}

impl GridInput {
    /// The load that it is about.
    pub(super) fn load(&self) -> Option<usize> {
        match *self {
            Self::LoadStep { load, .. } | Self::LoadSetPoint { load, .. } => Some(load),
            Self::Breaker { .. } | Self::SourceVoltage { .. } | Self::Tap { .. } => None,
        }
    }

    /// Whether it fits a network.
    ///
    /// # Errors
    /// If its element is not there, or its number is none that an element can have.
    pub fn check(&self, network: &Network) -> Result<(), InputError> {
        let (what, place, count) = match *self {
            Self::Breaker { at: BreakerAt::Switch(switch), .. } => {
                ("switch", switch, network.switches.len())
            }
            Self::Breaker { at: BreakerAt::Line(line), .. } => ("line", line, network.lines.len()),
            Self::LoadStep { load, .. } | Self::LoadSetPoint { load, .. } => {
                ("load", load, network.loads.len())
            }
            Self::SourceVoltage { source, .. } => ("source", source, network.sources.len()),
            Self::Tap { transformer, .. } => {
                ("transformer", transformer, network.transformers.len())
            }
        };
        if place >= count {
            return Err(InputError::Place { what, place, count });
        }
        match *self {
            Self::LoadStep { load, change_va: found }
            | Self::LoadSetPoint { load, power_va: Some(found) }
                if !found.is_finite() =>
            {
                let load = network.loads[load].name.clone();
                Err(InputError::Power { load, found })
            }
            Self::SourceVoltage { source, voltage_pu: found }
                if !(found.is_finite() && found >= 0.0) =>
            {
                let source_name = network.sources[source].name.clone();
                Err(InputError::Voltage { source_name, found })
            }
            Self::Tap { transformer, winding, position: found } => {
                let own = &network.transformers[transformer];
                let tap = own.windings.get(winding).and_then(|winding| winding.tap);
                let name = own.name.clone();
                let Some(tap) = tap else { return Err(InputError::NoTap { name, winding }) };
                let (lowest, highest) = (tap.lowest, tap.highest);
                if (lowest..=highest).contains(&found) {
                    return Ok(());
                }
                Err(InputError::Tap { name, found, lowest, highest })
            }
            _ => Ok(()),
        }
    }
}

/// What a load has instead of, or beside, its profile.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct LoadInput {
    change_va: Complex64,
    set_point_va: Option<Complex64>,
}

/// The inputs that hold at present. An element stays here once there was an input about it, so that
/// it is set in every step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inputs {
    breakers: BTreeMap<BreakerAt, bool>,
    loads: BTreeMap<usize, LoadInput>,
    sources: BTreeMap<usize, f64>,
    /// By transformer and winding.
    taps: BTreeMap<(usize, usize), i32>,
}

impl Inputs {
    /// Takes one in.
    ///
    /// # Errors
    /// As [`GridInput::check`]; then nothing is changed.
    pub(super) fn take(&mut self, declared: &Network, input: GridInput) -> Result<(), InputError> {
        input.check(declared)?;
        match input {
            GridInput::Breaker { at, is_closed } => {
                self.breakers.insert(at, is_closed);
            }
            GridInput::LoadStep { load, change_va } => {
                self.loads.entry(load).or_default().change_va = change_va;
            }
            GridInput::LoadSetPoint { load, power_va } => {
                self.loads.entry(load).or_default().set_point_va = power_va;
            }
            GridInput::SourceVoltage { source, voltage_pu } => {
                self.sources.insert(source, voltage_pu);
            }
            GridInput::Tap { transformer, winding, position } => {
                self.taps.insert((transformer, winding), position);
            }
        }
        Ok(())
    }

    /// What a load draws at rated voltage, by its profile or, without one, as written down.
    pub(super) fn wanted_va(
        &self,
        load: usize,
        profile_va: Option<Complex64>,
        declared_va: Complex64,
    ) -> Complex64 {
        let own = self.loads.get(&load).copied().unwrap_or_default();
        own.set_point_va.or(profile_va).unwrap_or(declared_va) + own.change_va
    }

    /// Opens and closes breakers and sets the voltages of sources: what holds in the declared
    /// network as it does in the plant, which has the same elements.
    pub(super) fn apply_to_supply(&self, network: &mut Network) {
        for (&at, &is_closed) in &self.breakers {
            match at {
                BreakerAt::Switch(switch) => network.switches[switch].closed = is_closed,
                BreakerAt::Line(line) => {
                    let line = &mut network.lines[line];
                    (line.from_closed, line.to_closed) = (is_closed, is_closed);
                }
            }
        }
        for (&(transformer, winding), &position) in &self.taps {
            if let Some(tap) = &mut network.transformers[transformer].windings[winding].tap {
                tap.position = position;
            }
        }
        for (&source, &voltage_pu) in &self.sources {
            let source = &mut network.sources[source];
            let node = &network.nodes[source.node.index()];
            source.voltage_v = voltage_pu * node.rated_voltage_v;
        }
    }

    /// Sets a network, of the elements of the declared one, to all that holds, after what profiles
    /// give: `profile_va` is what that of a load gives in this step, if it has one.
    pub(super) fn apply(
        &self,
        declared: &Network,
        profile_va: impl Fn(usize) -> Option<Complex64>,
        network: &mut Network,
    ) {
        self.apply_to_supply(network);
        for (&at, input) in &self.loads {
            let (load, own) = (&mut network.loads[at], &declared.loads[at]);
            let base_va = input.set_point_va.or_else(|| profile_va(at));
            // Powers are split as they are written down: what this load drew before may have been
            // nothing, which has no split.
            load.power_va = if base_va.is_none() && input.change_va == Complex64::ZERO {
                own.power_va
            } else {
                let base_va = base_va.unwrap_or_else(|| own.power_va.iter().sum());
                own.split(base_va + input.change_va)
            };
        }
    }
}
