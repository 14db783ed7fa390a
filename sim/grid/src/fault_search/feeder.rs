//! The tree behind a station, with lines that have a length as its sections, and its sweeps.

use num_complex::Complex64;

use super::{FaultSearchError, Phasors};
use crate::block::{
    Block, add_to, apply, identity, inverse_on, magnitude, negative, product, zero,
};
use crate::circuit::{Circuit, EARTH, Part, TwoPort, compile, line_model, placed, project};
use crate::network::{Line, Network, NodeId, Wire, Wires};
use crate::topology::NONE;

/// Where a recorder is: it measures the voltages of a node and the currents from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// At the node of a source, by its index: currents into everything behind it.
    Source(u32),
    /// At a node: currents into everything behind it.
    Node(NodeId),
    /// At the end of a line that is nearer to the source, by its index: currents into that line.
    Line(u32),
}

/// A line of one conductor for each phase, as closed formulas take a feeder to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Positive-sequence impedance, ohm by metre.
    pub z1_ohm_by_m: Complex64,
    /// Zero-sequence impedance, ohm by metre.
    pub z0_ohm_by_m: Complex64,
    /// Length, metres.
    pub length_m: f64,
}

/// A line on which a fault can be, from the end that is nearer to the station.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Index into the network's lines.
    pub(super) line: u32,
    /// The nodes of its ends, by their places in the feeder.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether the line is described from its other end.
    pub(super) is_reversed: bool,
    pub(super) length_m: f64,
    pub(super) wires: Wires,
    /// Series impedance, ohm.
    pub(super) impedance: Block<3>,
}

/// The part of a network that a station feeds. Its first node is the station; parents come before
/// their children.
#[derive(Clone, Debug)]
pub struct Feeder {
    pub(super) parent: Vec<usize>,
    /// What joins a node to its parent.
    ports: Vec<TwoPort<3>>,
    /// Of each node: shunts and charging, siemens; its wires.
    fixed: Vec<Block<3>>,
    wires: Vec<Wires>,
    rated_voltage_v: Vec<f64>,
    /// Parts of loads, with the places of their nodes.
    parts: Vec<(usize, Part)>,
    pub(super) sections: Vec<Section>,
    /// Of each node: metres from the station along the lines.
    pub(super) distance_m: Vec<f64>,
    /// How many loads there are.
    pub(super) loads: usize,
    /// Of each load of the network its node.
    load_nodes: Vec<Option<usize>>,
}

/// How the ways from a station to a line and to a load go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// How many nodes they have in common, the station's own among them.
    pub common: usize,
    /// Whether the load is behind the line.
    pub is_behind: bool,
}

/// What a feeder is with its loads as admittances and the voltages of the station held.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Of each node: its voltages by those of the station.
    pub(super) transfer: Vec<Block<3>>,
    /// Of each node: the impedance that is seen there, ohm.
    pub(super) seen: Vec<Block<3>>,
    /// Of each node: its voltages by currents into its parent, ohm.
    pub(super) across: Vec<Block<3>>,
    /// Currents of the station by its voltages, siemens.
    pub(super) root: Block<3>,
}

pub(super) fn transposed(block: &Block<3>) -> Block<3> {
    std::array::from_fn(|i| std::array::from_fn(|j| block[j][i]))
}

impl Feeder {
    /// The feeder of a station in a network.
    ///
    /// # Errors
    /// If the network cannot be compiled with three wires, the station is not in it, what it feeds
    /// is not radial, or no line there has a length.
    pub fn new(network: &Network, station: Station) -> Result<Self, FaultSearchError> {
        if network.nodes.iter().any(|node| node.wires.contains(Wire::Neutral)) {
            return Err(FaultSearchError::Neutral);
        }
        let circuit = compile::<3>(network)?.circuit;
        let places = Places::of(network, &circuit, station)?;
        let mut feeder = Self {
            parent: vec![0],
            ports: vec![TwoPort::series(zero())],
            fixed: Vec::new(),
            wires: Vec::new(),
            rated_voltage_v: Vec::new(),
            parts: Vec::new(),
            sections: Vec::new(),
            distance_m: Vec::new(),
            loads: 0,
            load_nodes: Vec::new(),
        };
        feeder.take_nodes(&circuit, &places)?;
        for part in &circuit.parts {
            if let Some(at) = places.at(part.node).filter(|&at| at > 0 || places.is_whole) {
                feeder.parts.push((at, part.clone()));
            }
        }
        let mut loads: Vec<u32> = feeder.parts.iter().map(|(_, part)| part.load).collect();
        loads.dedup();
        feeder.loads = loads.len();
        let node_of = |load: &crate::network::Load| {
            places.at(*circuit.node_of.get(load.connection.node.index())?)
        };
        feeder.load_nodes = network.loads.iter().map(node_of).collect();
        feeder.take_sections(network, &circuit, &places);
        let has_length = !feeder.sections.is_empty();
        has_length.then_some(feeder).ok_or(FaultSearchError::NoLength)
    }

    fn take_nodes(
        &mut self,
        circuit: &Circuit<3>,
        places: &Places,
    ) -> Result<(), FaultSearchError> {
        for (place, &node) in places.nodes.iter().enumerate() {
            let node = node as usize;
            self.wires.push(circuit.wires[node]);
            self.rated_voltage_v.push(circuit.rated_voltage_v[node]);
            let shunt = circuit.shunt.get(node).filter(|_| place > 0 || places.is_whole);
            self.fixed.push(shunt.copied().unwrap_or(zero()));
            if place == 0 {
                continue;
            }
            let branch = &circuit.branches[circuit.parent_branch[node] as usize];
            let port = branch.coupling.two_port().ok_or(FaultSearchError::Singular)?;
            let parent = circuit.parent[node];
            self.ports.push(if branch.from == parent { port } else { port.reversed() });
            self.parent.push(places.at(parent).unwrap_or(0));
        }
        Ok(())
    }

    fn take_sections(&mut self, network: &Network, circuit: &Circuit<3>, places: &Places) {
        let mut length_m = vec![0.0; places.nodes.len()];
        for (index, line) in network.lines.iter().enumerate() {
            let ends = [line.from.node, line.to.node].map(|it| circuit.node_of[it.index()]);
            let [Some(one), Some(other)] = ends.map(|it| places.at(it)) else { continue };
            let (from, to) = (one.min(other), one.max(other));
            let is_joined = line.from_closed && line.to_closed && from != to;
            if !is_joined || self.parent[to] != from {
                continue;
            }
            let Some(metres) = line.length_m.filter(|it| *it > 0.0) else { continue };
            length_m[to] = metres;
            let same_level = self.rated_voltage_v[to] == self.rated_voltage_v[0];
            if let (true, Some(impedance)) = (same_level, series_of(line)) {
                self.sections.push(Section {
                    line: index as u32,
                    from,
                    to,
                    is_reversed: one > other,
                    length_m: metres,
                    wires: line.from.wires.set(),
                    impedance,
                });
            }
        }
        self.distance_m = vec![0.0; places.nodes.len()];
        for node in 1..places.nodes.len() {
            self.distance_m[node] = self.distance_m[self.parent[node]] + length_m[node];
        }
    }

    /// The lines from the station to the place that is farthest from it, as one of their length.
    #[must_use]
    pub fn reference(&self) -> Reference {
        let farthest = self.sections.iter().max_by(|a, b| {
            self.distance_m[a.to].total_cmp(&self.distance_m[b.to]).then(b.line.cmp(&a.line))
        });
        let mut at = farthest.map_or(0, |it| it.to);
        let (mut z1, mut z0, mut length_m) = (Complex64::ZERO, Complex64::ZERO, 0.0);
        while at != 0 {
            if let Some(it) = self.sections.iter().find(|it| it.to == at) {
                let z = &it.impedance;
                let own = (z[0][0] + z[1][1] + z[2][2]) / 3.0;
                let mutual = (z[0][1] + z[1][2] + z[2][0]) / 3.0;
                z1 += own - mutual;
                z0 += own + mutual * 2.0;
                length_m += it.length_m;
            }
            at = self.parent[at];
        }
        let by_m = |z: Complex64| if length_m > 0.0 { z / length_m } else { z };
        Reference { z1_ohm_by_m: by_m(z1), z0_ohm_by_m: by_m(z0), length_m }
    }

    /// How the ways to a line and to a load go, by their indices; none if one of them is not of
    /// this feeder, or the line has no length.
    #[must_use]
    pub fn ways(&self, line: u32, load: usize) -> Option<Ways> {
        let far = self.sections.iter().find(|it| it.line == line)?.to;
        let (one, other) = (self.way_to(far), self.way_to((*self.load_nodes.get(load)?)?));
        let common = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
        Some(Ways { common, is_behind: common == one.len() })
    }

    /// The nodes from a node to the station.
    pub(super) fn way_to(&self, node: usize) -> Vec<usize> {
        std::iter::successors(Some(node), |&at| (at != 0).then(|| self.parent[at])).collect()
    }

    /// Loads as admittances that draw what was measured before the fault.
    pub(super) fn loaded(&self, before: &Phasors) -> Option<Sweep> {
        let idle = self.sweep(vec![zero(); self.parent.len()])?;
        let fixed_a = apply(&idle.root, &before.voltage_v);
        let mut factors = [Complex64::ONE; 3];
        let mut sweep = None;
        for _ in 0..5 {
            let loads = self.load_admittances(sweep.as_ref(), before, &factors);
            let next = self.sweep(loads)?;
            let drawn_a = apply(&next.root, &before.voltage_v);
            let ratio = ratios(&before.current_a, &drawn_a, &fixed_a);
            for (factor, ratio) in factors.iter_mut().zip(ratio) {
                *factor *= ratio;
            }
            sweep = Some(next);
        }
        sweep
    }

    /// Of each node what its loads are at the voltages that a sweep gives, at rated ones without.
    /// Factors are those of the phases; between phases and behind transformers their mean.
    fn load_admittances(
        &self,
        sweep: Option<&Sweep>,
        before: &Phasors,
        factors: &[Complex64; 3],
    ) -> Vec<Block<3>> {
        let mean = (factors[0] + factors[1] + factors[2]) / 3.0;
        let mut loads = vec![zero(); self.parent.len()];
        for (node, part) in &self.parts {
            let (wire, against) = (usize::from(part.wire), usize::from(part.against));
            let is_to_earth = part.against == EARTH;
            let rated = self.rated_voltage_v[*node];
            let mut volts = if is_to_earth { rated } else { rated * 3f64.sqrt() };
            if let Some(sweep) = sweep {
                let at = apply(&sweep.transfer[*node], &before.voltage_v);
                let other = if is_to_earth { Complex64::ZERO } else { at[against] };
                volts = magnitude(at[wire] - other).max(0.1 * volts);
            }
            let is_of_phase = is_to_earth && rated == self.rated_voltage_v[0];
            let factor = if is_of_phase { factors[wire] } else { mean };
            let own = part.power(volts).conj() / (volts * volts) * factor;
            let block: &mut Block<3> = &mut loads[*node];
            block[wire][wire] += own;
            if !is_to_earth {
                block[against][against] += own;
                block[wire][against] -= own;
                block[against][wire] -= own;
            }
        }
        loads
    }

    /// From the leaves to the station and back, with these admittances of loads.
    fn sweep(&self, mut admittance: Vec<Block<3>>) -> Option<Sweep> {
        let nodes = self.parent.len();
        let mut own = vec![zero(); nodes];
        let mut by_parent = vec![zero(); nodes];
        for node in (0..nodes).rev() {
            add_to(&mut admittance[node], &self.fixed[node]);
            if node == 0 {
                break;
            }
            let port = &self.ports[node];
            let mut all = admittance[node];
            add_to(&mut all, &port.tt);
            own[node] = inverse_on(&all, |wire| self.wires[node].contains(Wire::ALL[wire]))?;
            by_parent[node] = negative(&product(&own[node], &port.tf));
            let mut seen = product(&port.ft, &by_parent[node]);
            add_to(&mut seen, &port.ff);
            add_to(&mut admittance[self.parent[node]], &seen);
        }
        let root = admittance[0];
        let mut transfer = vec![identity(); nodes];
        let mut across = vec![zero(); nodes];
        let mut seen = own;
        for node in 1..nodes {
            let parent = self.parent[node];
            transfer[node] = product(&by_parent[node], &transfer[parent]);
            across[node] = product(&by_parent[node], &seen[parent]);
            let through = product(&across[node], &transposed(&by_parent[node]));
            add_to(&mut seen[node], &through);
        }
        Some(Sweep { transfer, seen, across, root })
    }
}

/// By how much loads draw too little, phase by phase.
fn ratios(
    measured_a: &[Complex64; 3],
    drawn_a: &[Complex64; 3],
    fixed_a: &[Complex64; 3],
) -> [Complex64; 3] {
    let largest = drawn_a.iter().map(|it| it.norm()).fold(0.0, f64::max);
    std::array::from_fn(|k| {
        let loads_a = drawn_a[k] - fixed_a[k];
        let ratio = (measured_a[k] - fixed_a[k]) / loads_a;
        let is_usable = loads_a.norm() > 1e-3 * largest && ratio.is_finite();
        if is_usable && (1e-3..1e3).contains(&ratio.norm()) { ratio } else { Complex64::ONE }
    })
}

/// The series impedance of a line by the wires of its nodes; none if they change places.
fn series_of(line: &Line) -> Option<Block<3>> {
    let (from, to) = (line.from.wires, line.to.wires);
    (from == to).then(|| project(&placed(&line_model(line).series, from, from)))
}

/// Which nodes of a circuit are behind a station.
struct Places {
    /// The station, and what is behind it.
    nodes: Vec<u32>,
    /// Of each node of the circuit its place among them.
    place: Vec<u32>,
    /// Whether what is at the station's own node belongs to it.
    is_whole: bool,
}

impl Places {
    fn of(
        network: &Network,
        circuit: &Circuit<3>,
        station: Station,
    ) -> Result<Self, FaultSearchError> {
        let number = |node: NodeId| {
            let number = circuit.node_of.get(node.index()).copied().unwrap_or(NONE);
            (number != NONE).then_some(number).ok_or(FaultSearchError::Station)
        };
        let (root, first) = match station {
            Station::Node(node) => (number(node)?, None),
            Station::Source(source) => {
                let source = network.sources.get(source as usize);
                (number(source.ok_or(FaultSearchError::Station)?.node)?, None)
            }
            Station::Line(line) => {
                let line = network.lines.get(line as usize).ok_or(FaultSearchError::Station)?;
                let (one, other) = (number(line.from.node)?, number(line.to.node)?);
                (one.min(other), Some(one.max(other)))
            }
        };
        let mut places = Self {
            nodes: vec![root],
            place: vec![NONE; circuit.nodes()],
            is_whole: first.is_none(),
        };
        places.place[root as usize] = 0;
        for node in root + 1..circuit.nodes() as u32 {
            let parent = circuit.parent[node as usize];
            let is_behind = parent != NONE && places.place[parent as usize] != NONE;
            if is_behind && (parent != root || first.is_none_or(|it| it == node)) {
                places.place[node as usize] = places.nodes.len() as u32;
                places.nodes.push(node);
            }
        }
        let is_behind = |node: u32| places.at(node).is_some_and(|at| at > 0);
        let loops = &circuit.branches[circuit.tree_branches..];
        let is_fed_twice = circuit.sources.iter().any(|it| is_behind(it.node));
        if is_fed_twice || loops.iter().any(|it| is_behind(it.from) || is_behind(it.to)) {
            return Err(FaultSearchError::NotRadial);
        }
        Ok(places)
    }

    fn at(&self, node: u32) -> Option<usize> {
        let place = *self.place.get(node as usize)?;
        (place != NONE).then_some(place as usize)
    }
}
