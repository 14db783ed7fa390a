//! Short circuits and broken conductors: what flows, and what is left of the voltages, just after
//! the fault.
//!
//! A fault is put into the linear network that its moment sees: sources as voltages behind their
//! impedances, and loads either left out or as the admittances that they were at the voltages
//! before the fault. Left out is what standards do for the initial symmetrical short-circuit
//! current Ik" (IEC 60909-0, an equivalent voltage source of c times the rated voltage); shunts,
//! charging and magnetising currents are kept, as power-grid-model does it.
//!
//! One factorisation of the nodal matrix serves every fault: superposition of the voltages before
//! it and those that its currents make (Thevenin). A [`sweep`] takes the impedances that all nodes
//! see from the diagonal of the inverse, which a radial network has in time linear in its nodes.

mod along;
mod dense;
mod open;
mod paths;
mod place;
mod sweep;
#[cfg(test)]
mod tests;

use num_complex::Complex64;

pub use along::split;
pub use paths::Kind;
pub use sweep::{Sweep, sweep};

use crate::block::{Column, magnitude};
use crate::circuit::{
    Circuit, Compilation, EARTH, Response, VoltageDependence, compile, positive_sequence,
    rated_across,
};
use crate::flow::{self, Failure, Flow, Method, Nodal, Phases, Solved};
use crate::network::{Network, NodeId, Wire};
use place::PlacedFaults;

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Location {
    /// At a node. A broken conductor cannot be there: it is on the line that loses it.
    Node(NodeId),
    /// Along a line, which becomes two that are as long together.
    Line {
        /// Index into the network's lines.
        line: u32,
        /// How far from its end `from`, as a share of its length: 0 to 1.
        share: f64,
    },
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What is connected, or broken.
    pub kind: Kind,
    /// Where.
    pub location: Location,
    /// Impedance of the fault, ohm: of each phase to earth for three phases, from one phase to the
    /// other for two, from earth to what is connected for the faults to earth. For broken
    /// conductors what is left between their ends; zero is nothing at all.
    pub impedance_ohm: Complex64,
}

/// How high sources' voltages are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// As they are described.
    Actual,
    /// The rated voltage of their node times c of IEC 60909-0, table 1, for the smallest current:
    /// 0.95 up to 1 kV, 1.00 above.
    Minimum,
    /// The same for the largest current: 1.10.
    #[default]
    Maximum,
}

/// What there was before the fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PrefaultState {
    /// No load.
    Unloaded(Scaling),
    /// The power flow that these options find; taps stay as they stand.
    Loaded(flow::Options),
}

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Which wires; with [`Phases::Balanced`] only faults of three phases can be solved.
    pub phases: Phases,
    /// What there was before.
    pub before: PrefaultState,
}

impl Default for Options {
    fn default() -> Self {
        Self { phases: Phases::All, before: PrefaultState::Unloaded(Scaling::Maximum) }
    }
}

/// What happens at the place of a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultState {
    /// Whether a source reaches its place; otherwise nothing happens there.
    pub energized: bool,
    /// Current into the fault from each wire, amperes. For broken conductors: through what is left
    /// of them.
    pub current_a: [Complex64; 4],
    /// Voltage of each wire to earth without the fault, volts (with the broken conductors, where
    /// there are others).
    pub before_v: [Complex64; 4],
    /// Voltage of each wire to earth, volts. For broken conductors: from one of their ends to the
    /// other.
    pub voltage_v: [Complex64; 4],
}

/// A network with faults in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShortCircuit {
    /// What happens at each of the faults, in their order.
    pub faults: Vec<FaultState>,
    /// Voltages of all nodes and currents of all elements. What loads draw is zero where they were
    /// left out; [`Flow::residual_va`] shows how well currents add up, those of faults among them.
    pub flow: Flow,
}

/// Solves a network with all these faults in it at once.
///
/// # Errors
/// What stops a power flow, and faults that cannot be: at wires or places that do not exist, two
/// along the same line, a short circuit right at a source that has no impedance.
pub fn solve(
    network: &Network,
    faults: &[Fault],
    options: &Options,
) -> Result<ShortCircuit, Failure> {
    let placed = place::place(network, faults)?;
    match wires(network, options) {
        1 => solve_compiled::<1>(&placed, options),
        3 => solve_compiled::<3>(&placed, options),
        _ => solve_compiled::<4>(&placed, options),
    }
}

/// How many wires a network is solved with.
fn wires(network: &Network, options: &Options) -> usize {
    if options.phases == Phases::Balanced {
        return 1;
    }
    let neutral = network.nodes.iter().any(|node| node.wires.contains(Wire::Neutral));
    if neutral { 4 } else { 3 }
}

/// The circuit that a fault sees: sources as high as they are to be, no loads but admittances.
fn circuit_before<const N: usize>(
    network: &Network,
    options: &Options,
) -> Result<Compilation<N>, Failure> {
    let mut fixed = compile::<N>(network)?;
    match &options.before {
        PrefaultState::Unloaded(scaling) => {
            scale_sources(network, &mut fixed.circuit, *scaling);
            fixed.circuit.parts.clear();
        }
        PrefaultState::Loaded(flow_options) => {
            let solved = flow::solve_circuit(network, &fixed, flow_options)?;
            loads_as_admittances(network, &mut fixed.circuit, &solved.voltages);
        }
    }
    Ok(fixed)
}

fn scale_sources<const N: usize>(network: &Network, circuit: &mut Circuit<N>, scaling: Scaling) {
    for source in &mut circuit.sources {
        let described = &network.sources[source.source as usize];
        let rated = network.nodes[described.node.index()].rated_voltage_v;
        let factor = match scaling {
            Scaling::Actual => continue,
            Scaling::Maximum => 1.1,
            Scaling::Minimum if rated <= 1000.0 => 0.95,
            Scaling::Minimum => 1.0,
        };
        let (sin, cos) = libm::sincos(described.angle_rad);
        let first = Complex64::new(cos, sin) * (factor * rated / 3.0_f64.sqrt());
        for (at, phasor) in source.voltage.iter_mut().zip(positive_sequence()) {
            *at = first * phasor;
        }
    }
}

/// Makes every part of a load the constant admittance that it is at these voltages.
fn loads_as_admittances<const N: usize>(
    network: &Network,
    circuit: &mut Circuit<N>,
    voltages: &[Column<N>],
) {
    circuit.parts.retain_mut(|part| {
        let at = &voltages[part.node as usize];
        let mut across = at[usize::from(part.wire)];
        if part.against != EARTH {
            across -= at[usize::from(part.against)];
        }
        let voltage = magnitude(across);
        let rated_voltage_v = rated_across(&network.loads[part.load as usize], N == 1);
        let share = voltage / rated_voltage_v;
        part.power_va = part.power(voltage) / (share * share);
        let follows = Response { rated_voltage_v, law: VoltageDependence::Impedance, band: None };
        part.follows = Some(Box::new(follows));
        share > 0.0
    });
}

fn solve_compiled<const N: usize>(
    placed: &PlacedFaults<'_>,
    options: &Options,
) -> Result<ShortCircuit, Failure> {
    let network = &*placed.network;
    let mut fixed = circuit_before::<N>(network, options)?;
    let mut broken = Vec::new();
    for open in &placed.open {
        broken.push(open::break_conductors(network, &mut fixed.circuit, open)?);
    }
    let circuit = &fixed.circuit;
    let mut nodal = Nodal::new(circuit).map_err(|at| flow::singular(network, circuit, at))?;
    let before = nodal.without_load();
    let paths = paths::Paths::new(placed, circuit)?;
    let (currents, voltages) = paths.solve(&mut nodal, circuit, &before)?;

    let mut drawn = vec![[Complex64::ZERO; 4]; network.nodes.len()];
    for (current, at) in currents.iter().zip(&placed.short) {
        for (drawn, current) in drawn[at.node.index()].iter_mut().zip(current) {
            *drawn += current;
        }
    }
    let solved = Solved { voltages, iterations: 1, converged: true, method: Method::Auto };
    let broken: Vec<_> = broken.into_iter().map(|it| it.map(|it| it.state(&solved))).collect();
    for (state, open) in broken.iter().zip(&placed.open) {
        if let Some(state) = state {
            state.draw(&network.lines[open.line as usize], &mut drawn);
        }
    }
    let mut flow = flow::results(network, &fixed, &solved, drawn)?;
    let mut faults = vec![FaultState::default(); placed.count];
    for (current, at) in currents.into_iter().zip(&placed.short) {
        let number = fixed.circuit.node_of[at.node.index()];
        faults[at.fault] = FaultState {
            energized: number != crate::topology::NONE,
            current_a: current,
            before_v: flow::node_state(number, &before).voltage_v,
            voltage_v: flow::node_state(number, &solved.voltages).voltage_v,
        };
    }
    for (state, open) in broken.into_iter().zip(&placed.open) {
        if let Some(state) = state {
            state.put(&mut flow, open.line as usize);
            faults[open.fault] = state.fault;
        }
    }
    placed.gather(&mut flow);
    Ok(ShortCircuit { faults, flow })
}
