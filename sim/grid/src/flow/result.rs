//! Results of every element, worked out from the voltages.
//!
//! Currents flow into elements, powers are those that flow with them; both conductor by conductor
//! of the element, in the order of its connection.

use num_complex::Complex64;

use super::options::{Method, Solved, across};
use crate::block::{Block, Column, apply, magnitude, zero};
use crate::circuit::{
    Circuit, Compilation, EARTH, SWITCH_OHM, SourceNode, line_model, positive_sequence, project,
    shunt_admittance, transformer_admittance,
};
use crate::network::{Connection, Fault, Network, Wire};
use crate::topology::{Graph, NONE};

/// The state of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeState {
    /// Whether a source reaches it.
    pub energized: bool,
    /// Voltages of its wires to earth, volts; zero for wires it does not have.
    pub voltage_v: [Complex64; 4],
}

/// What flows into one end of an element, conductor by conductor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EndState {
    /// Amperes.
    pub current_a: [Complex64; 4],
    /// Voltage of its wire to earth times the conjugate of the current, volt-amperes.
    pub power_va: [Complex64; 4],
}

impl EndState {
    /// The power of all conductors, volt-amperes.
    pub fn total_va(&self) -> Complex64 {
        self.power_va.iter().sum()
    }

    /// The largest current of a conductor, amperes.
    pub fn largest_current_a(&self) -> f64 {
        self.current_a.iter().fold(0.0, |largest, &it| magnitude(it).max(largest))
    }
}

/// The state of a line or a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LineState {
    /// Into the end `from`.
    pub from: EndState,
    /// Into the end `to`.
    pub to: EndState,
    /// Largest current as a share of the rated one, where there is one.
    pub loading: Option<f64>,
}

/// The state of a transformer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransformerState {
    /// Into each winding; where its star point is brought to the neutral wire, that comes after its
    /// phases.
    pub windings: Vec<EndState>,
    /// Largest apparent power of a winding as a share of the rated power.
    pub loading: f64,
}

/// The state of a load; what a generator delivers is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadState {
    /// Power drawn by each of its parts, volt-amperes.
    pub power_va: [Complex64; 3],
    /// Current drawn from each wire of its connection, amperes.
    pub current_a: [Complex64; 4],
}

/// A power flow: element by element in the order of the network's lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Nodes.
    pub nodes: Vec<NodeState>,
    /// Lines.
    pub lines: Vec<LineState>,
    /// Transformers.
    pub transformers: Vec<TransformerState>,
    /// Switches.
    pub switches: Vec<LineState>,
    /// Shunts.
    pub shunts: Vec<EndState>,
    /// Loads and generators.
    pub loads: Vec<LoadState>,
    /// Sources; here currents and powers are those that they deliver.
    pub sources: Vec<EndState>,
    /// Tap positions of the transformers' windings where regulators have moved them: transformer,
    /// winding, position.
    pub taps: Vec<(u32, u8, i32)>,
    /// What lines, transformers and switches take in all, volt-amperes.
    pub losses_va: Complex64,
    /// The largest power that does not add up at any wire of a node, volt-amperes.
    pub residual_va: f64,
    /// At which node, by its place in the network, and at which wire that is; none if all is dark.
    pub residual_at: Option<(u32, Wire)>,
    /// The same as a share of all that sources deliver.
    pub residual_share: f64,
    /// How many iterations it took.
    pub iterations: u32,
    /// By which method.
    pub method: Method,
}

struct Results<'a, const N: usize> {
    network: &'a Network,
    circuit: &'a Circuit<N>,
    nodes: Vec<NodeState>,
    /// Of each node: the currents that flow into what is connected to it.
    drawn: Vec<[Complex64; 4]>,
}

/// The results of a solved circuit. `drawn` has of each node what flows into things that are not
/// part of the network, amperes.
pub(crate) fn results<const N: usize>(
    network: &Network,
    fixed: &Compilation<N>,
    solved: &Solved<N>,
    drawn: Vec<[Complex64; 4]>,
) -> Result<Flow, Fault> {
    let circuit = &fixed.circuit;
    let nodes: Vec<NodeState> =
        circuit.node_of.iter().map(|&at| node_state(at, &solved.voltages)).collect();
    let mut results = Results { network, circuit, nodes, drawn };
    let mut lines = results.lines(&fixed.joins.lines);
    let transformers = results.transformers()?;
    let mut switches = results.switches(&fixed.joins.switches);
    let shunts = results.shunts()?;
    let loads = results.loads(&solved.voltages);
    let mut sources = results.sources();
    results.join(fixed, &mut lines, &mut switches, &mut sources);

    let ends = lines.iter().chain(&switches).flat_map(|it| [&it.from, &it.to]);
    let ends = ends.chain(transformers.iter().flat_map(|it| &it.windings));
    let losses_va = ends.map(EndState::total_va).sum();
    let (residual_va, residual_at) = results.residual(fixed);
    let delivered: f64 = sources.iter().map(|it| magnitude(it.total_va())).sum();
    Ok(Flow {
        nodes: results.nodes,
        lines,
        transformers,
        switches,
        shunts,
        loads,
        sources,
        taps: Vec::new(),
        losses_va,
        residual_va,
        residual_at,
        residual_share: if delivered > 0.0 { residual_va / delivered } else { 0.0 },
        iterations: solved.iterations,
        method: solved.method,
    })
}

pub(crate) fn node_state<const N: usize>(at: u32, voltages: &[Column<N>]) -> NodeState {
    if at == NONE {
        return NodeState::default();
    }
    NodeState { energized: true, voltage_v: of_wires(&voltages[at as usize]) }
}

/// Of each wire; with `N` = 1 what the positive sequence has there.
pub(crate) fn of_wires<const N: usize>(solved: &Column<N>) -> [Complex64; 4] {
    let mut all = [Complex64::ZERO; 4];
    if N == 1 {
        for (wire, phasor) in positive_sequence().into_iter().enumerate() {
            all[wire] = solved[0] * phasor;
        }
    } else {
        all[..N].copy_from_slice(solved);
    }
    all
}

/// With `N` = 1: what does to each of three phases what the positive sequence does.
fn as_solved<const N: usize>(block: Block<4>) -> Block<4> {
    if N != 1 {
        return block;
    }
    let one: Block<1> = project(&block);
    let mut result = zero();
    for (wire, row) in result.iter_mut().enumerate().take(3) {
        row[wire] = one[0][0];
    }
    result
}

fn sum(a: [Complex64; 4], b: [Complex64; 4]) -> [Complex64; 4] {
    std::array::from_fn(|wire| a[wire] + b[wire])
}

fn end(current_a: [Complex64; 4], voltage_v: &[Complex64; 4]) -> EndState {
    EndState {
        current_a,
        power_va: std::array::from_fn(|wire| voltage_v[wire] * current_a[wire].conj()),
    }
}

impl<const N: usize> Results<'_, N> {
    /// Voltages in the order of a connection's conductors.
    fn at(&self, connection: &Connection) -> [Complex64; 4] {
        let state = &self.nodes[connection.node.index()];
        let mut voltages = [Complex64::ZERO; 4];
        for (voltage, wire) in voltages.iter_mut().zip(connection.wires.as_slice()) {
            *voltage = state.voltage_v[wire.index()];
        }
        voltages
    }

    fn energized(&self, connection: &Connection) -> bool {
        self.nodes[connection.node.index()].energized
    }

    /// Counts currents into an element as drawn from its node.
    fn draw(&mut self, connection: &Connection, currents: &[Complex64; 4]) {
        let drawn = &mut self.drawn[connection.node.index()];
        for (current, wire) in currents.iter().zip(connection.wires.as_slice()) {
            drawn[wire.index()] += current;
        }
    }

    fn both(&mut self, [from, to]: [&Connection; 2], into: [[Complex64; 4]; 2]) -> LineState {
        self.draw(from, &into[0]);
        self.draw(to, &into[1]);
        LineState {
            from: end(into[0], &self.at(from)),
            to: end(into[1], &self.at(to)),
            loading: None,
        }
    }

    fn lines(&mut self, joins: &[bool]) -> Vec<LineState> {
        let network = self.network;
        let lines = network.lines.iter().zip(joins);
        lines
            .map(|(line, &joined)| {
                let closed = [line.from_closed, line.to_closed];
                let ends = [&line.from, &line.to];
                let nothing = [Complex64::ZERO; 4];
                let model = line_model(line).without(self.circuit.dead_conductors(line));
                let live = |at: usize| closed[at] && self.energized(ends[at]);
                let into = match [live(0), live(1)] {
                    [false, false] => [nothing; 2],
                    [true, true] => {
                        let [from, to] = ends.map(|end| self.at(end));
                        let half = as_solved::<N>(model.half_shunt);
                        let own = [from, to].map(|voltage| apply(&half, &voltage));
                        let across = std::array::from_fn(|k| from[k] - to[k]);
                        let y = if joined { None } else { model.admittance() };
                        let through = y.map_or(nothing, |y| apply(&as_solved::<N>(y), &across));
                        [sum(own[0], through), sum(own[1], through.map(|it| -it))]
                    }
                    [from, _] => {
                        let at = usize::from(!from);
                        let seen = as_solved::<N>(model.open_ended());
                        let mut into = [nothing; 2];
                        into[at] = apply(&seen, &self.at(ends[at]));
                        into
                    }
                };
                let mut state = self.both(ends, into);
                state.loading = loading(&state, line.rated_current_a);
                state
            })
            .collect()
    }

    fn switches(&mut self, joins: &[bool]) -> Vec<LineState> {
        let network = self.network;
        let switches = network.switches.iter().zip(joins);
        switches
            .map(|(switch, &joined)| {
                if joined || !switch.closed || !self.energized(&switch.from) {
                    return LineState::default();
                }
                let [from, to] = [&switch.from, &switch.to].map(|end| self.at(end));
                let through = std::array::from_fn(|k| (from[k] - to[k]) / SWITCH_OHM);
                let back = through.map(|it: Complex64| -it);
                let mut state = self.both([&switch.from, &switch.to], [through, back]);
                state.loading = loading(&state, switch.rated_current_a);
                state
            })
            .collect()
    }

    fn transformers(&mut self) -> Result<Vec<TransformerState>, Fault> {
        let mut states = Vec::with_capacity(self.network.transformers.len());
        for transformer in &self.network.transformers {
            let count = transformer.windings.len();
            let mut state =
                TransformerState { windings: vec![EndState::default(); count], loading: 0.0 };
            let live: Vec<usize> = (0..count)
                .filter(|&at| transformer.closed[at])
                .filter(|&at| self.energized(&transformer.windings[at].connection))
                .collect();
            let admittances = transformer_admittance(transformer)?;
            for &at in &live {
                let winding = &transformer.windings[at];
                let mut current = [Complex64::ZERO; 4];
                for &by in &live {
                    let node = transformer.windings[by].connection.node;
                    let voltage = self.nodes[node.index()].voltage_v;
                    let block = as_solved::<N>(admittances[at][by]);
                    current = sum(current, apply(&block, &voltage));
                }
                let node = winding.connection.node.index();
                let voltage = self.nodes[node].voltage_v;
                self.drawn[node] = sum(self.drawn[node], current);
                let into = &mut state.windings[at];
                for (k, wire) in winding.terminals().enumerate().take(4) {
                    let wire = wire.index();
                    into.current_a[k] = current[wire];
                    into.power_va[k] = voltage[wire] * current[wire].conj();
                }
                // As power-grid-model counts it: the sum of the phases' apparent powers.
                let apparent: f64 = into.power_va.iter().map(|&it| magnitude(it)).sum();
                state.loading = state.loading.max(apparent / transformer.rated_power_va);
            }
            states.push(state);
        }
        Ok(states)
    }

    fn shunts(&mut self) -> Result<Vec<EndState>, Fault> {
        let mut states = Vec::with_capacity(self.network.shunts.len());
        for shunt in &self.network.shunts {
            let mut state = EndState::default();
            if shunt.connected && self.energized(&shunt.connection) {
                let node = shunt.connection.node.index();
                let voltage = self.nodes[node].voltage_v;
                let current = apply(&as_solved::<N>(shunt_admittance(shunt)?), &voltage);
                self.drawn[node] = sum(self.drawn[node], current);
                for (k, wire) in shunt.connection.wires.as_slice().iter().enumerate() {
                    state.current_a[k] = current[wire.index()];
                    state.power_va[k] = voltage[wire.index()] * current[wire.index()].conj();
                }
            }
            states.push(state);
        }
        Ok(states)
    }

    fn loads(&mut self, voltages: &[Column<N>]) -> Vec<LoadState> {
        let mut states = vec![LoadState::default(); self.network.loads.len()];
        for part in &self.circuit.parts {
            let at = &voltages[part.node as usize];
            let load = &self.network.loads[part.load as usize];
            let state = &mut states[part.load as usize];
            let wires = load.connection.wires.as_slice();
            let node = load.connection.node.index();
            if N == 1 {
                let (power, current) = (part.power(magnitude(at[0])), part.current(at[0]));
                for (k, phasor) in positive_sequence().into_iter().enumerate() {
                    state.power_va[k] = power;
                    state.current_a[k] = current * phasor;
                    self.drawn[node][k] += current * phasor;
                }
                continue;
            }
            let mut draw = |wire: u8, current: Complex64| {
                let position = wires.iter().position(|it| it.index() == usize::from(wire));
                if let Some(k) = position {
                    state.current_a[k] += current;
                }
                self.drawn[node][usize::from(wire)] += current;
            };
            let across = across(part, at);
            let current = part.current(across);
            draw(part.wire, current);
            if part.against != EARTH {
                draw(part.against, -current);
            }
            state.power_va[usize::from(part.slot)] = across * current.conj();
        }
        states
    }

    /// Sources behind an impedance that counts; what the others deliver is what is left.
    fn sources(&mut self) -> Vec<EndState> {
        let mut states = vec![EndState::default(); self.network.sources.len()];
        for source in &self.circuit.sources {
            let Some(admittance) = source.admittance.as_ref().filter(|_| !is_stiff(source)) else {
                continue;
            };
            let node = self.network.sources[source.source as usize].node.index();
            let voltage = self.nodes[node].voltage_v;
            let across: Column<N> = std::array::from_fn(|wire| {
                let neutral = wire == Wire::Neutral.index();
                if neutral { Complex64::ZERO } else { source.voltage[wire] - voltage[wire] }
            });
            let current = of_wires(&apply(admittance, &across));
            for wire in 0..4 {
                self.drawn[node][wire] -= current[wire];
            }
            states[source.source as usize] = end(current, &voltage);
        }
        states
    }

    /// Currents through what has no impedance: whatever balances the nodes behind it.
    fn join(
        &mut self,
        fixed: &Compilation<N>,
        lines: &mut [LineState],
        switches: &mut [LineState],
        sources: &mut [EndState],
    ) {
        let network = self.network;
        let (mut ends, mut which) = (Vec::new(), Vec::new());
        for (index, line) in network.lines.iter().enumerate() {
            if fixed.joins.lines[index] {
                ends.push((line.from.node.0, line.to.node.0));
                which.push((true, index));
            }
        }
        for (index, switch) in network.switches.iter().enumerate() {
            if fixed.joins.switches[index] {
                ends.push((switch.from.node.0, switch.to.node.0));
                which.push((false, index));
            }
        }
        let is_fixed = |source: &&SourceNode<N>| source.admittance.is_none() || is_stiff(source);
        let at_fixed: Vec<(u32, usize)> = self
            .circuit
            .sources
            .iter()
            .filter(is_fixed)
            .map(|it| (it.source, network.sources[it.source as usize].node.index()))
            .collect();
        if which.is_empty() && at_fixed.is_empty() {
            return;
        }
        let graph = Graph::new(network.nodes.len(), ends);
        let mut roots: Vec<u32> = at_fixed.iter().map(|&(_, node)| node as u32).collect();
        roots.extend(0..network.nodes.len() as u32);
        let forest = graph.forest(&roots);
        for number in (0..forest.order.len()).rev() {
            let edge = forest.parent_edge[number];
            if edge == NONE {
                continue;
            }
            let child = forest.order[number] as usize;
            let parent = forest.order[forest.parent[number] as usize] as usize;
            let (is_line, index) = which[edge as usize];
            let (state, from, to) = if is_line {
                let line = &network.lines[index];
                (&mut lines[index], &line.from, &line.to)
            } else {
                let switch = &network.switches[index];
                (&mut switches[index], &switch.from, &switch.to)
            };
            let sign = if from.node.index() == parent { 1.0 } else { -1.0 };
            let mut through = [Complex64::ZERO; 4];
            for (k, wire) in from.wires.as_slice().iter().enumerate() {
                let wire = wire.index();
                let current = self.drawn[child][wire];
                self.drawn[parent][wire] += current;
                self.drawn[child][wire] = Complex64::ZERO;
                through[k] = current * sign;
            }
            let into_from = sum(state.from.current_a, through);
            let into_to = sum(state.to.current_a, through.map(|it| -it));
            state.from = end(into_from, &self.at(from));
            state.to = end(into_to, &self.at(to));
            let rated = if is_line {
                network.lines[index].rated_current_a
            } else {
                network.switches[index].rated_current_a
            };
            state.loading = loading(state, rated);
        }
        for (source, node) in at_fixed {
            sources[source as usize] = end(self.drawn[node], &self.nodes[node].voltage_v);
            self.drawn[node] = [Complex64::ZERO; 4];
        }
    }

    /// The largest power that does not add up, and where; what was joined is balanced as one.
    fn residual(&self, fixed: &Compilation<N>) -> (f64, Option<(u32, Wire)>) {
        let circuit = &fixed.circuit;
        let mut by_node = vec![[Complex64::ZERO; 4]; circuit.nodes()];
        for (drawn, &at) in self.drawn.iter().zip(&circuit.node_of) {
            if at != NONE {
                by_node[at as usize] = sum(by_node[at as usize], *drawn);
            }
        }
        let (mut largest, mut place) = (0.0_f64, None);
        let nodes = (0..).zip(&self.nodes).zip(&circuit.node_of);
        for ((at, drawn), node) in nodes.filter(|it| *it.1 != NONE) {
            for wire in 0..4 {
                let counts =
                    if N == 1 { wire < 3 } else { wire < N && circuit.has_wire(*node, wire) };
                if counts {
                    let power = magnitude(drawn.voltage_v[wire] * by_node[*node as usize][wire]);
                    // What is no number must not pass for nothing.
                    if power > largest || power.is_nan() {
                        (largest, place) = (power, Some((at, Wire::ALL[wire])));
                    }
                }
            }
        }
        (largest, place)
    }
}

/// More than this must not be the rounding of what a source delivers, volt-amperes.
const SOURCE_ROUNDING_VA: f64 = 1e-3;

/// Whether the voltage across a source's impedance is lost in the last digits of the voltages at
/// its ends, so that what it delivers cannot be had from it.
fn is_stiff<const N: usize>(source: &SourceNode<N>) -> bool {
    let size = |values: &[Complex64]| values.iter().map(|it| magnitude(*it)).fold(0.0, f64::max);
    let volts = size(&source.voltage);
    source.admittance.as_ref().is_some_and(|admittance| {
        size(admittance.as_flattened()) * volts * volts * f64::EPSILON > SOURCE_ROUNDING_VA
    })
}

fn loading(state: &LineState, rated: Option<f64>) -> Option<f64> {
    let largest = state.from.largest_current_a().max(state.to.largest_current_a());
    rated.filter(|rated| *rated > 0.0).map(|rated| largest / rated)
}
