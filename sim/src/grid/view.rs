//! What a meter sees: the voltages and currents of a load, or of a feeding point, as operating
//! points of a terminal.
//!
//! A load in star is seen wire by wire against the neutral (or earth, where there is none), also if
//! it has two wires: then the third phase is dead. One between two wires has one phase, that
//! voltage. One in delta, or with an isolated star point, is seen with its wires' voltages and
//! currents: their powers add up to its own, since the currents add up to nothing.

use std::f64::consts::{PI, TAU};

use lastmeter_grid::motion::{Probe, ProbeAt, ProbePair};
use lastmeter_grid::network::{Configuration, Load, Wire};
use lastmeter_units::SimDuration;
use num_complex::Complex64;

use super::solved_network::{Defect, Setup, SolvedNetwork, Step};
use crate::plan::OperatingPoint;
use crate::{Program, Streams, Terminal, TerminalError};

/// A voltage and the current that goes with it.
pub(super) type Pair = (Complex64, Complex64);

/// What the parts of a load are called: by the wires that each is connected to.
pub fn part_names(load: &Load) -> Vec<String> {
    (0..load.parts()).map(|part| load.part_name(part)).collect()
}

impl SolvedNetwork {
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
        self.terminal(name, streams, self.setup.network.sources.len() + load)
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
        self.terminal(name, streams, source)
    }

    /// What a meter at a place sees, counted among the sources, then the loads, of a network that
    /// is going to be played on: to be [renewed](Self::renew_terminal) then.
    ///
    /// # Errors
    /// If voltages or currents are not finite.
    pub fn renewable_terminal(
        &self,
        place: usize,
        name: &str,
        streams: Streams,
    ) -> Result<Terminal, TerminalError> {
        Terminal::renewable(&self.program(place)?, name, streams)
    }

    /// Lets such a terminal carry what is known by now.
    ///
    /// # Errors
    /// If voltages or currents are not finite.
    pub fn renew_terminal(
        &self,
        terminal: &Terminal,
        (place, name): (usize, &str),
        streams: Streams,
    ) -> Result<(), TerminalError> {
        terminal.renew(&self.program(place)?, name, streams)
    }

    /// What a probe sees: of a source, of a load, or between steps of a recorder.
    pub(super) fn terminal(
        &self,
        name: &str,
        streams: Streams,
        probe: usize,
    ) -> Result<Terminal, TerminalError> {
        Terminal::from_program(&self.program(probe)?, name, &streams)
    }

    fn program(&self, probe: usize) -> Result<Program, TerminalError> {
        if let Some(timeline) = &self.timeline {
            let (points, excerpts) = self.seen(probe);
            let points = points.iter().map(|(length, pairs)| self.point(*length, pairs));
            let mut program = Program::from_points(&points.collect::<Vec<_>>())?;
            timeline.frequency.iter().for_each(|it| program.disturb(it.clone()));
            program.play(excerpts)?;
            return Ok(program);
        }
        let step = self.setup.raster.step;
        let point = |it: &Step| self.point(step, &pairs_at(&self.setup, probe, it));
        let points: Vec<OperatingPoint> = self.steps.iter().map(point).collect();
        Program::from_points(&points)
    }

    fn point(&self, duration: SimDuration, pairs: &[Pair]) -> OperatingPoint {
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
pub fn phases_of(load: &Load) -> usize {
    let wires = load.connection.wires.as_slice().iter();
    let phases = wires.filter(|wire| **wire != Wire::Neutral).count();
    let is_one = phases == 1 || (phases == 2 && load.configuration == Configuration::Delta);
    if is_one { 1 } else { 3 }
}

/// A terminal of so many phases at which there is nothing, in place of one that is not played yet.
///
/// # Errors
/// If the number of phases is none of a terminal's.
pub fn silent_terminal(
    phases: usize,
    frequency_hz: f64,
    streams: Streams,
) -> Result<Terminal, TerminalError> {
    let point = OperatingPoint::balanced(SimDuration(1), phases, frequency_hz, 0.0, 0.0);
    Terminal::from_program(&Program::from_points(&[point])?, "silent", &streams)
}

/// What a meter sees in a step, by its place among the sources, then the loads.
pub(super) fn pairs_at(setup: &Setup, place: usize, step: &Step) -> Vec<Pair> {
    let Setup { network, .. } = setup;
    let (node, current_a) = match place.checked_sub(network.sources.len()) {
        None => (network.sources[place].node, &step.sources[place].current_a),
        Some(load) => (network.loads[load].connection.node, &step.loads[load].current_a),
    };
    probe_at(setup, place).pairs(&step.nodes[node.index()].voltage_v, current_a)
}

/// The same as sums of what there is at its node and in its conductors.
pub(super) fn probe_at(setup: &Setup, place: usize) -> Probe {
    match place.checked_sub(setup.network.sources.len()) {
        None => probe_at_source(place),
        Some(load) => probe_at_load(setup, load),
    }
}

/// Behind the defects at a load; a star that leaves out the neutral of its node is one to earth.
fn probe_at_load(setup: &Setup, load: usize) -> Probe {
    let own = &setup.network.loads[load];
    let (mut passes, mut seen_wire) = (1.0, None);
    for defect in &setup.defects {
        match *defect {
            Defect::Bypass { load: of, share } if of == load => passes *= 1.0 - share,
            Defect::WrongPhase { load: of, phase } if of == load => seen_wire = Some(phase),
            _ => {}
        }
    }
    let wires = own.connection.wires.as_slice();
    let is_to_earth = own.configuration == Configuration::Star && !wires.contains(&Wire::Neutral);
    let weight = |wire: Wire, against: Option<Wire>| {
        let mut weights = [0.0; 4];
        weights[wire.index()] = 1.0;
        if let Some(against) = against {
            weights[against.index()] = -1.0;
        }
        weights
    };
    let back = (!is_to_earth).then_some(Wire::Neutral);
    let current = |conductor: usize| {
        let mut weights = [0.0; 4];
        weights[conductor] = passes;
        weights
    };
    let pairs = if phases_of(own) == 1 {
        let voltage = match (seen_wire, own.configuration, wires) {
            (Some(wire), ..) => weight(wire, back),
            (None, Configuration::Delta, [one, other, ..]) => weight(*one, Some(*other)),
            (None, ..) => weight(wires[0], back),
        };
        vec![ProbePair { voltage, current: current(0) }]
    } else {
        let pair = |wire: Wire| {
            let at = wires.iter().position(|own| *own == wire);
            let dead = ProbePair { voltage: [0.0; 4], current: [0.0; 4] };
            at.map_or(dead, |at| ProbePair {
                voltage: weight(seen_wire.unwrap_or(wire), back),
                current: current(at),
            })
        };
        Wire::PHASES.map(pair).to_vec()
    };
    Probe { at: ProbeAt::Load(load), pairs }
}

/// The voltages to the neutral, or to earth where there is none, and the currents into the network.
fn probe_at_source(source: usize) -> Probe {
    let pair = |wire: Wire| {
        let mut voltage = [0.0; 4];
        voltage[wire.index()] = 1.0;
        let current = voltage;
        voltage[Wire::Neutral.index()] = -1.0;
        ProbePair { voltage, current }
    };
    Probe { at: ProbeAt::Source(source), pairs: Wire::PHASES.map(pair).to_vec() }
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
