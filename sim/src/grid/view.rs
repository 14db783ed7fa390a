//! What a meter sees: the voltages and currents of a load, or of a feeding point, as operating
//! points of a terminal.
//!
//! A load in star is seen wire by wire against the neutral (or earth, where there is none), also if
//! it has two wires: then the third phase is dead. One between two wires has one phase, that
//! voltage. One in delta, or with an isolated star point, is seen with its wires' voltages and
//! currents: their powers add up to its own, since the currents add up to nothing.

use std::f64::consts::{PI, TAU};

use lastmeter_grid::flow::{LoadState, NodeState};
use lastmeter_grid::network::{Configuration, Load, Wire};
use lastmeter_units::SimDuration;
use num_complex::Complex64;

use super::feeder::{Defect, Feeder, Setup, Step};
use crate::plan::OperatingPoint;
use crate::{Program, Streams, Terminal, TerminalError};

/// A voltage and the current that goes with it.
pub(super) type Pair = (Complex64, Complex64);

/// What the parts of a load are called: by the wires that each is connected to.
pub fn part_names(load: &Load) -> Vec<String> {
    (0..load.parts()).map(|part| load.part_name(part)).collect()
}

impl Feeder {
    /// How many phases a meter at a load has: one or three.
    pub fn phases_of(&self, load: usize) -> usize {
        phases_of(&self.setup.network.loads[load])
    }

    /// What the meter of a load sees.
    ///
    /// # Errors
    /// If voltages or currents are not finite.
    pub fn load_terminal(
        &self,
        load: usize,
        name: &str,
        streams: Streams,
    ) -> Result<Terminal, TerminalError> {
        self.terminal(name, streams, |step| pairs_at_load(&self.setup, load, step))
    }

    /// What a meter at a source sees: what flows from it into the network.
    ///
    /// # Errors
    /// If voltages or currents are not finite.
    pub fn source_terminal(
        &self,
        source: usize,
        name: &str,
        streams: Streams,
    ) -> Result<Terminal, TerminalError> {
        self.terminal(name, streams, |step| pairs_at_source(&self.setup, source, step))
    }

    fn terminal(
        &self,
        name: &str,
        streams: Streams,
        pairs: impl Fn(&Step) -> Vec<Pair>,
    ) -> Result<Terminal, TerminalError> {
        let points: Vec<OperatingPoint> =
            self.steps.iter().map(|step| self.point(&pairs(step))).collect();
        Terminal::from_program(&Program::from_points(&points)?, name, &streams)
    }

    fn point(&self, pairs: &[Pair]) -> OperatingPoint {
        let duration: SimDuration = self.setup.raster.step;
        let frequency_hz = self.setup.frequency_hz;
        let silent = OperatingPoint::balanced(duration, pairs.len(), frequency_hz, 0.0, 0.0);
        let lead = |(phase, (voltage, _)): (usize, &Pair)| {
            let place = -TAU * phase as f64 / 3.0;
            within_half_a_turn(angle(*voltage) - place)
        };
        OperatingPoint {
            voltages_v: pairs.iter().map(|pair| size(pair.0)).collect(),
            currents_a: pairs.iter().map(|pair| size(pair.1)).collect(),
            current_lags_rad: pairs.iter().map(|(u, i)| angle(u * i.conj())).collect(),
            voltage_leads_rad: pairs.iter().enumerate().map(lead).collect(),
            ..silent
        }
    }
}

/// How many phases a meter at a load has: one or three.
pub(super) fn phases_of(load: &Load) -> usize {
    let wires = load.connection.wires.as_slice().iter();
    let phases = wires.filter(|wire| **wire != Wire::Neutral).count();
    let is_one = phases == 1 || (phases == 2 && load.configuration == Configuration::Delta);
    if is_one { 1 } else { 3 }
}

/// What the meter of a load sees in a step, behind the defects at that load.
pub(super) fn pairs_at_load(setup: &Setup, load: usize, step: &Step) -> Vec<Pair> {
    let own = &setup.network.loads[load];
    let (mut passes, mut seen_wire) = (1.0, None);
    for defect in &setup.defects {
        match *defect {
            Defect::Bypass { load: of, share } if of == load => passes *= 1.0 - share,
            Defect::WrongPhase { load: of, phase } if of == load => seen_wire = Some(phase),
            _ => {}
        }
    }
    let mut pairs = pairs_of(own, &step.loads[load], step);
    for (voltage, current) in &mut pairs {
        *current *= passes;
        if let Some(wire) = seen_wire {
            *voltage = across(own, step, wire);
        }
    }
    pairs
}

/// What a meter at a source sees in a step.
pub(super) fn pairs_at_source(setup: &Setup, source: usize, step: &Step) -> Vec<Pair> {
    let node = &step.nodes[setup.network.sources[source].node.index()];
    let current_a = &step.sources[source].current_a;
    Wire::PHASES.into_iter().map(|wire| (to_neutral(node, wire), current_a[wire.index()])).collect()
}

fn pairs_of(own: &Load, state: &LoadState, step: &Step) -> Vec<Pair> {
    let node = &step.nodes[own.connection.node.index()];
    let wires = own.connection.wires.as_slice();
    if phases_of(own) == 1 {
        let voltage = match (own.configuration, wires) {
            (Configuration::Delta, [one, other, ..]) => {
                node.voltage_v[one.index()] - node.voltage_v[other.index()]
            }
            _ => across(own, step, wires[0]),
        };
        return vec![(voltage, state.current_a[0])];
    }
    let pair = |wire: Wire| {
        let at = wires.iter().position(|own| *own == wire);
        let pair = |at: usize| (across(own, step, wire), state.current_a[at]);
        at.map_or_else(Pair::default, pair)
    };
    Wire::PHASES.into_iter().map(pair).collect()
}

/// From a wire to where the current of a load returns: a star that leaves out the neutral of
/// its node is one to earth.
fn across(own: &Load, step: &Step, wire: Wire) -> Complex64 {
    let node = &step.nodes[own.connection.node.index()];
    let is_to_earth = own.configuration == Configuration::Star
        && !own.connection.wires.as_slice().contains(&Wire::Neutral);
    if is_to_earth { node.voltage_v[wire.index()] } else { to_neutral(node, wire) }
}

/// A wire's voltage to the neutral, or to earth where there is none.
fn to_neutral(node: &NodeState, wire: Wire) -> Complex64 {
    node.voltage_v[wire.index()] - node.voltage_v[Wire::Neutral.index()]
}

pub(super) fn size(phasor: Complex64) -> f64 {
    libm::hypot(phasor.re, phasor.im)
}

pub(super) fn angle(phasor: Complex64) -> f64 {
    libm::atan2(phasor.im, phasor.re)
}

fn within_half_a_turn(angle_rad: f64) -> f64 {
    let turned = angle_rad % TAU;
    if turned > PI {
        turned - TAU
    } else if turned < -PI {
        turned + TAU
    } else {
        turned
    }
}
