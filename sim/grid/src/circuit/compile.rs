//! From the description to the circuit.

use num_complex::Complex64;

use super::injection::{balanced_part, fits_balanced, has_parts, parts};
use super::line::{from_sequence, own_and_mutual, placed};
use super::reach::{dead_loop, half_reached_load, is_whole, misplaced_shunt};
use super::transformer::positive_sequence;
use super::{
    Branch, Circuit, Coupling, LineModel, Part, SWITCH_OHM, Shunts, SourceNode, TwoPort, Windings,
    line_model, series_admittance, shunt_admittance, transformer_admittance,
};
use crate::block::{Block, inverse, is_finite, zero};
use crate::network::{
    Connection, Fault, Line, LineImpedance, Load, Network, SequenceImpedance, Source, Wire, Wires,
    check_references,
};
use crate::topology::{Element, Joins, NONE, Supply, supply};

const NOT_FINITE: &str = "its impedance or its charging is not finite";

/// A circuit, and what was found out about the network on the way.
#[derive(Clone, Debug)]
pub struct Compilation<const N: usize> {
    /// The circuit.
    pub circuit: Circuit<N>,
    /// Which switches and lines make nodes one.
    pub joins: Joins,
}

/// Makes the circuit of a network.
///
/// # Errors
/// The first element that cannot be part of it: a reference that leads nowhere, a loop without
/// impedance, a matrix that cannot be inverted, a figure that is not finite; with `N` = 1 also
/// whatever has not three phases, with `N` = 3 whatever has a neutral wire.
pub fn compile<const N: usize>(network: &Network) -> Result<Compilation<N>, Fault> {
    compiled(network, None)
}

/// The same with all parts of loads, also those without power, which may have some in a case; until
/// then they have one volt-ampere.
pub(crate) fn compile_for_cases<const N: usize>(
    network: &Network,
) -> Result<Compilation<N>, Fault> {
    compiled(network, Some(Complex64::ONE))
}

fn compiled<const N: usize>(
    network: &Network,
    instead_of_none: Option<Complex64>,
) -> Result<Compilation<N>, Fault> {
    check_references(network)?;
    let supply = supply(network)?;
    let forest = &supply.forest;
    let nodes = forest.order.len();
    let number = |group: u32| forest.number[group as usize];
    let mut earthed: Vec<u32> = Vec::new();
    for (node, &group) in network.nodes.iter().zip(&supply.group) {
        if node.wires.contains(Wire::Neutral) && supply.is_neutral_earthed(group) {
            earthed.push(number(group));
        }
    }
    earthed.sort_unstable();
    let circuit = Circuit {
        is_whole: N == 1 || is_whole(network, &supply),
        node_of: supply.group.iter().map(|&group| number(group)).collect(),
        earthed,
        rated_voltage_v: vec![0.0; nodes],
        wires: forest.order.iter().map(|&group| supply.wires[group as usize]).collect(),
        parent: forest.parent.clone(),
        parent_branch: vec![NONE; nodes],
        shunt: Shunts::new(nodes),
        branches: Vec::with_capacity(nodes),
        tree_branches: 0,
        sources: Vec::with_capacity(network.sources.len()),
        parts: Vec::new(),
    };
    if !circuit.is_whole
        && let Some(fault) = dead_loop(network, &supply)
    {
        return Err(fault);
    }
    let mut compiler = Compiler { network, supply: &supply, circuit };
    compiler.rated_voltages();
    compiler.branches()?;
    compiler.shunts()?;
    compiler.sources()?;
    let circuit = compiler.circuit;
    let mut fixed = Compilation { circuit, joins: supply.joins };
    // Nothing that is left needs the graph, and loads take the most room.
    drop((supply.graph, supply.forest, supply.elements, supply.wires));
    let reached = |load: &Load| supply.reached[supply.group[load.connection.node.index()] as usize];
    fixed.circuit.parts = loads::<N>(network, &fixed.circuit, reached, instead_of_none)?;
    Ok(fixed)
}

/// Of a matrix between the wires `a, b, c, n`: with `N` = 1 its positive sequence.
pub(crate) fn project<const N: usize>(full: &Block<4>) -> Block<N> {
    let mut block = zero();
    if N == 1 {
        let phasor = positive_sequence();
        let mut sum = Complex64::ZERO;
        for (row, a) in phasor.iter().enumerate() {
            for (column, b) in phasor.iter().enumerate() {
                sum += a.conj() * full[row][column] * b;
            }
        }
        block[0][0] = sum / 3.0;
    } else {
        for (row, figures) in block.iter_mut().enumerate() {
            figures.copy_from_slice(&full[row][..N]);
        }
    }
    block
}

struct Compiler<'a, const N: usize> {
    network: &'a Network,
    supply: &'a Supply,
    circuit: Circuit<N>,
}

impl<const N: usize> Compiler<'_, N> {
    fn number(&self, connection: &Connection) -> u32 {
        self.circuit.node_of[connection.node.index()]
    }

    /// Whether the element's wires are among those that `N` is for.
    fn fits(connection: &Connection) -> Result<(), &'static str> {
        let wires = connection.wires.set();
        if N == 1 && wires != Wires::ABC {
            return Err("it has not three phases: a balanced solution would not be one of this \
                        network");
        }
        if N == 3 && wires.contains(Wire::Neutral) {
            return Err("it has a neutral wire, which was to be left out");
        }
        Ok(())
    }

    fn rated_voltages(&mut self) {
        for (node, &number) in self.network.nodes.iter().zip(&self.circuit.node_of) {
            if number != NONE {
                let rated = &mut self.circuit.rated_voltage_v[number as usize];
                if *rated == 0.0 {
                    *rated = node.rated_voltage_v / 3.0_f64.sqrt();
                }
            }
        }
    }

    fn branches(&mut self) -> Result<(), Fault> {
        let forest = &self.supply.forest;
        let nothing = Coupling::Alike { own: Complex64::ZERO, mutual: Complex64::ZERO };
        for (&from, to) in forest.parent.iter().zip(0..).filter(|(from, _)| **from != NONE) {
            self.circuit.parent_branch[to as usize] = self.circuit.branches.len() as u32;
            self.circuit.branches.push(Branch { from, to, coupling: nothing.clone() });
        }
        self.circuit.tree_branches = self.circuit.branches.len();
        let beside = self.edges_beside_trees();
        match self.plain_lines(&beside) {
            Some(left) => self.in_order(left.into_iter(), &beside)?,
            None => self.in_order(0..forest.order.len() as u32, &beside)?,
        }
        self.one_sided()
    }

    /// Makes the branches of plain lines, line by line as they are described: in very large
    /// networks it takes long to look for them. Returns the nodes to which other branches lead, in
    /// order; none if a line has charging, which is added up in the order of the nodes, or a fault,
    /// which is reported in that order.
    fn plain_lines(&mut self, beside: &[(u32, u32, u32)]) -> Option<Vec<u32>> {
        let Supply { graph, forest, elements, .. } = self.supply;
        let mut left: Vec<u32> = beside.iter().map(|it| it.0).collect();
        for ((&element, &(a, b)), edge) in elements.iter().zip(graph.ends()).zip(0..) {
            let [a, b] = [a, b].map(|group| forest.number[group as usize]);
            let to = a.max(b);
            if a == NONE || (!beside.is_empty() && forest.parent_edge[to as usize] != edge) {
                continue;
            }
            let Element::Line(index) = element else {
                left.push(to);
                continue;
            };
            let line = &self.network.lines[index as usize];
            let Some(it) = self.as_alike(line) else {
                left.push(to);
                continue;
            };
            let charged = it.y1_s != Complex64::ZERO || it.y0_s != Complex64::ZERO;
            let coupling = if charged { None } else { self.alike(element, line, it).ok() };
            let at = self.circuit.parent_branch[to as usize] as usize;
            self.circuit.branches[at].coupling = coupling?;
        }
        left.sort_unstable();
        left.dedup();
        Some(left)
    }

    /// Makes all branches that lead to these nodes, in this order.
    fn in_order(
        &mut self,
        nodes: impl Iterator<Item = u32>,
        beside: &[(u32, u32, u32)],
    ) -> Result<(), Fault> {
        let Supply { forest, elements, .. } = self.supply;
        let mut beside = beside;
        let mut here: Vec<(u32, u32)> = Vec::new();
        for to in nodes {
            let (parent, edge) = (forest.parent[to as usize], forest.parent_edge[to as usize]);
            let at = self.circuit.parent_branch[to as usize] as usize;
            if beside.first().is_none_or(|it| it.0 != to) {
                if edge != NONE {
                    let coupling = self.edge(elements[edge as usize], parent)?;
                    self.circuit.branches[at].coupling = coupling;
                }
                continue;
            }
            let count = beside.iter().take_while(|it| it.0 == to).count();
            here.clear();
            here.extend(beside[..count].iter().map(|&(_, from, edge)| (from, edge)));
            beside = &beside[count..];
            if edge != NONE {
                here.push((parent, edge));
                here.sort_unstable();
            }
            for side_by_side in here.chunk_by(|a, b| a.0 == b.0) {
                let from = side_by_side[0].0;
                let Some(coupling) = self.together(side_by_side, from, to)? else { continue };
                if from == parent {
                    self.circuit.branches[at].coupling = coupling;
                } else {
                    self.circuit.branches.push(Branch { from, to, coupling });
                }
            }
        }
        Ok(())
    }

    /// The edges that a source reaches and that are in no tree, also those from a node to itself:
    /// the higher number, the lower one, the edge; in order.
    fn edges_beside_trees(&self) -> Vec<(u32, u32, u32)> {
        let Supply { graph, forest, .. } = self.supply;
        let mut beside: Vec<(u32, u32, u32)> = Vec::with_capacity(forest.chords.len());
        let mut put = |edge: u32| {
            let (a, b) = graph.ends()[edge as usize];
            let [a, b] = [a, b].map(|group| forest.number[group as usize]);
            if a != NONE {
                beside.push((b.max(a), b.min(a), edge));
            }
        };
        forest.chords.iter().for_each(|&edge| put(edge));
        for (edge, _) in graph.ends().iter().enumerate().filter(|(_, (a, b))| a == b) {
            put(edge as u32);
        }
        beside.sort_unstable();
        beside
    }

    /// What edges between the same two nodes are together; nothing if they are one.
    fn together(
        &mut self,
        edges: &[(u32, u32)],
        from: u32,
        to: u32,
    ) -> Result<Option<Coupling<N>>, Fault> {
        let mut coupling: Option<Coupling<N>> = None;
        for &(_, edge) in edges {
            let element = self.supply.elements[edge as usize];
            let next = self.edge(element, from)?;
            if from == to {
                self.at_one_node(from, next);
                continue;
            }
            coupling = Some(match coupling {
                None => next,
                Some(before) => self.side_by_side(&before, &next, element)?,
            });
        }
        Ok(coupling)
    }

    fn fault(&self, element: Element, what: &str) -> Fault {
        let (kind, name, place) = match element {
            Element::Line(index) => {
                let line = &self.network.lines[index as usize];
                ("line", &line.name, line.place)
            }
            Element::Switch(index) => {
                let switch = &self.network.switches[index as usize];
                ("switch", &switch.name, switch.place)
            }
            Element::Transformer { index, .. } => {
                let transformer = &self.network.transformers[index as usize];
                ("transformer", &transformer.name, transformer.place)
            }
        };
        Fault::new(kind, name, place, what)
    }

    fn side_by_side(
        &self,
        before: &Coupling<N>,
        next: &Coupling<N>,
        element: Element,
    ) -> Result<Coupling<N>, Fault> {
        let singular = || self.fault(element, "an impedance beside it cannot be inverted");
        let mut sum = before.two_port().ok_or_else(singular)?;
        sum.add(&next.two_port().ok_or_else(singular)?);
        if let (Some((_, a)), Some((_, b))) = (before.impedance(), next.impedance())
            && a == b
            && let Some(impedance) = series_admittance(&sum.ff, a)
        {
            return Ok(Coupling::series(impedance, a));
        }
        Ok(Coupling::TwoPort(Box::new(sum)))
    }

    /// Adds what an element whose ends are one does there: conductors from a wire to itself do
    /// nothing.
    fn at_one_node(&mut self, node: u32, coupling: Coupling<N>) {
        if let Coupling::TwoPort(port) = coupling {
            for block in [port.ff, port.ft, port.tf, port.tt] {
                self.circuit.shunt.add(node as usize, &block);
            }
        }
    }

    /// What an element is between two nodes.
    fn edge(&mut self, element: Element, from: u32) -> Result<Coupling<N>, Fault> {
        match element {
            Element::Line(index) => self.line(index as usize, from),
            Element::Switch(index) => {
                let switch = &self.network.switches[index as usize];
                Self::fits(&switch.from).map_err(|what| self.fault(element, what))?;
                let model = LineModel {
                    size: switch.from.wires.as_slice().len(),
                    dead: [false; 4],
                    series: from_sequence(
                        switch.from.wires.as_slice().len(),
                        SWITCH_OHM.into(),
                        SWITCH_OHM.into(),
                    ),
                    half_shunt: zero(),
                    sequence: None,
                };
                self.conductors(element, &model, [&switch.from, &switch.to], from)
            }
            Element::Transformer { index, from: first, to: second } => {
                let windings = [usize::from(first), usize::from(second)];
                self.transformer(index as usize, windings, from)
            }
        }
    }

    fn line(&mut self, index: usize, from: u32) -> Result<Coupling<N>, Fault> {
        let line = &self.network.lines[index];
        let element = Element::Line(index as u32);
        if let Some(it) = self.as_alike(line) {
            return self.alike(element, line, it);
        }
        for end in [&line.from, &line.to] {
            Self::fits(end).map_err(|what| self.fault(element, what))?;
        }
        let model = line_model(line).without(self.circuit.dead_conductors(line));
        if !is_finite(&model.series) || !is_finite(&model.half_shunt) {
            return Err(self.fault(element, NOT_FINITE));
        }
        for end in [&line.from, &line.to] {
            let at = self.number(end) as usize;
            let half = project(&placed(&model.half_shunt, end.wires, end.wires));
            self.circuit.shunt.add(at, &half);
        }
        if let (1, LineImpedance::Sequence(it)) = (N, &line.impedance) {
            return Ok(Coupling::Alike { own: it.z1_ohm, mutual: Complex64::ZERO });
        }
        self.conductors(element, &model, [&line.from, &line.to], from)
    }

    /// The figures of a line whose conductors are alike, and as many as there are wires, all of
    /// which a source reaches: most lines are that.
    fn as_alike<'l>(&self, line: &'l Line) -> Option<&'l SequenceImpedance> {
        let LineImpedance::Sequence(it) = &line.impedance else { return None };
        let wires = line.from.wires;
        let is_alike = wires == line.to.wires && (N == 1 || wires.as_slice().len() == N);
        (is_alike && self.circuit.dead_conductors(line) == [false; 4]).then_some(it)
    }

    /// Such a line.
    fn alike(
        &mut self,
        element: Element,
        line: &Line,
        it: &SequenceImpedance,
    ) -> Result<Coupling<N>, Fault> {
        Self::fits(&line.from).map_err(|what| self.fault(element, what))?;
        let [own, mutual] = own_and_mutual(it.z1_ohm, it.z0_ohm);
        let half = [it.y1_s * 0.5, it.y0_s * 0.5];
        let charging = own_and_mutual(half[0], half[1]);
        if ![own, mutual, charging[0], charging[1]].iter().all(|it| it.is_finite()) {
            return Err(self.fault(element, NOT_FINITE));
        }
        if charging != [Complex64::ZERO; 2] {
            let wires = line.from.wires;
            let matrix = from_sequence(wires.as_slice().len(), half[0], half[1]);
            let half = project(&placed(&matrix, wires, wires));
            for end in [&line.from, &line.to] {
                self.circuit.shunt.add(self.number(end) as usize, &half);
            }
        }
        let [own, mutual] = if N == 1 { [it.z1_ohm, Complex64::ZERO] } else { [own, mutual] };
        Ok(Coupling::Alike { own, mutual })
    }

    /// Series conductors between two nodes, of which `from` is the circuit's first.
    fn conductors(
        &self,
        element: Element,
        model: &LineModel,
        [a, b]: [&Connection; 2],
        from: u32,
    ) -> Result<Coupling<N>, Fault> {
        let conductors = a.wires.as_slice().iter().zip(model.dead);
        let wires = conductors.filter(|it| !it.1).map(|it| *it.0).collect::<Wires>();
        if N > 1 && a.wires == b.wires {
            let impedance = project(&placed(&model.series, a.wires, a.wires));
            return Ok(Coupling::series(impedance, wires));
        }
        let singular = || self.fault(element, "its series impedance cannot be inverted");
        let y = model.admittance().ok_or_else(singular)?;
        if N == 1 && a.wires == b.wires {
            let y = project::<N>(&placed(&y, a.wires, a.wires));
            let impedance = inverse(&y).ok_or_else(singular)?;
            return Ok(Coupling::series(impedance, Wires::ABC));
        }
        let y_between = crate::block::negative(&y);
        let two_port = TwoPort {
            ff: project(&placed(&y, a.wires, a.wires)),
            ft: project(&placed(&y_between, a.wires, b.wires)),
            tf: project(&placed(&y_between, b.wires, a.wires)),
            tt: project(&placed(&y, b.wires, b.wires)),
        };
        let as_is = self.number(a) == from;
        Ok(Coupling::TwoPort(Box::new(if as_is { two_port } else { two_port.reversed() })))
    }

    fn admittances(&self, index: usize) -> Result<Windings, Fault> {
        let transformer = &self.network.transformers[index];
        let element = Element::Transformer { index: index as u32, from: 0, to: 1 };
        for winding in &transformer.windings {
            Self::fits(&winding.connection).map_err(|what| self.fault(element, what))?;
        }
        let windings = transformer_admittance(transformer)?;
        if !windings.iter().flatten().all(is_finite) {
            return Err(self.fault(element, "its admittances are not finite; look at its ratings"));
        }
        Ok(windings)
    }

    /// The part of a transformer between two of its windings; what each winding has at its own node
    /// comes with the first pair that it is in.
    fn transformer(
        &mut self,
        index: usize,
        [first, second]: [usize; 2],
        from: u32,
    ) -> Result<Coupling<N>, Fault> {
        let transformer = &self.network.transformers[index];
        let windings = self.admittances(index)?;
        let closed: Vec<usize> =
            (0..transformer.windings.len()).filter(|&at| transformer.closed[at]).collect();
        // Of the pairs (0 1), (0 2), (1 2) the first has both diagonals, the second the last one.
        let mut part = TwoPort {
            ff: zero(),
            ft: project(&windings[first][second]),
            tf: project(&windings[second][first]),
            tt: zero(),
        };
        if first == closed[0] {
            part.tt = project(&windings[second][second]);
            if second == closed[1] {
                part.ff = project(&windings[first][first]);
            }
        }
        let node = self.number(&transformer.windings[first].connection);
        let part = if node == from { part } else { part.reversed() };
        Ok(Coupling::TwoPort(Box::new(part)))
    }

    /// Lines with both ends at one node or with one end open, transformers with one winding closed.
    fn one_sided(&mut self) -> Result<(), Fault> {
        for &index in &self.supply.one_sided {
            let line = &self.network.lines[index as usize];
            let ends = [(line.from_closed, &line.from), (line.to_closed, &line.to)];
            let joined = self.supply.joins.lines[index as usize];
            let model = line_model(line).without(self.circuit.dead_conductors(line));
            let seen = if joined { model.half_shunt } else { model.open_ended() };
            for (_, end) in ends.into_iter().filter(|(closed, _)| *closed) {
                let at = self.number(end);
                if at != NONE {
                    let element = Element::Line(index);
                    Self::fits(end).map_err(|what| self.fault(element, what))?;
                    let block = project(&placed(&seen, end.wires, end.wires));
                    self.circuit.shunt.add(at as usize, &block);
                }
            }
        }
        for (index, transformer) in self.network.transformers.iter().enumerate() {
            let mut closed = (0..transformer.windings.len()).filter(|&at| transformer.closed[at]);
            if let (Some(winding), None) = (closed.next(), closed.next()) {
                let at = self.number(&transformer.windings[winding].connection);
                if at != NONE {
                    let block = project(&self.admittances(index)?[winding][winding]);
                    self.circuit.shunt.add(at as usize, &block);
                }
            }
        }
        Ok(())
    }

    fn shunts(&mut self) -> Result<(), Fault> {
        for shunt in self.network.shunts.iter().filter(|shunt| shunt.connected) {
            let at = self.number(&shunt.connection);
            if at == NONE {
                continue;
            }
            let fault = |what: &str| Fault::new("shunt", &shunt.name, shunt.place, what);
            Self::fits(&shunt.connection).map_err(fault)?;
            let admittance = shunt_admittance(shunt)?;
            if !is_finite(&admittance) {
                return Err(fault("its admittance is not finite"));
            }
            if N > 1
                && let Some(fault) = misplaced_shunt(self.network, shunt, self.supply)
            {
                return Err(fault);
            }
            self.circuit.shunt.add(at as usize, &project(&admittance));
        }
        Ok(())
    }

    fn sources(&mut self) -> Result<(), Fault> {
        let mut fixed: Vec<u32> = Vec::new();
        for (index, source) in self.network.sources.iter().enumerate() {
            if !source.connected {
                continue;
            }
            let node = self.circuit.node_of[source.node.index()];
            let made = source_node(source, index as u32, node)?;
            if made.admittance.is_none() {
                if fixed.contains(&node) {
                    let what = "another source without impedance is at its node already";
                    return Err(Fault::new("source", &source.name, source.place, what));
                }
                fixed.push(node);
            }
            self.circuit.sources.push(made);
        }
        Ok(())
    }
}

/// The parts of all loads that a source reaches. Those without power are left out if there is no
/// power instead.
fn loads<const N: usize>(
    network: &Network,
    circuit: &Circuit<N>,
    reached: impl Fn(&Load) -> Wires,
    instead_of_none: Option<Complex64>,
) -> Result<Vec<Part>, Fault> {
    let each = if N == 1 { 1 } else { 3 };
    let mut all = Vec::with_capacity(network.loads.len() * each);
    for (load, index) in network.loads.iter().zip(0..) {
        let node = circuit.node_of[load.connection.node.index()];
        if !load.connected || node == NONE {
            continue;
        }
        fits_load::<N>(load).map_err(|what| Fault::new("load", &load.name, load.place, what))?;
        if N > 1
            && let Some(fault) =
                half_reached_load(network, load, reached(load), instead_of_none.is_some())
        {
            return Err(fault);
        }
        if N == 1 {
            all.push(balanced_part(index, load, node, instead_of_none));
        } else {
            parts(index, load, (node, reached(load)), instead_of_none, &mut all);
        }
    }
    Ok(all)
}

/// Whether a load can be one of `N` wires.
fn fits_load<const N: usize>(load: &Load) -> Result<(), &'static str> {
    if !load.power_va.iter().all(|it| it.re.is_finite() && it.im.is_finite()) {
        return Err("its power is not finite");
    }
    let rated = load.rated_voltage_v;
    if !rated.is_finite() || rated <= 0.0 {
        return Err("its rated voltage is not above zero");
    }
    if N == 1 {
        return fits_balanced(load);
    }
    if N == 3 && load.connection.wires.set().contains(Wire::Neutral) {
        return Err("it has a neutral wire, which was to be left out");
    }
    has_parts(load)
}

fn source_node<const N: usize>(
    source: &Source,
    index: u32,
    node: u32,
) -> Result<SourceNode<N>, Fault> {
    let fault = |what: &str| Fault::new("source", &source.name, source.place, what);
    let (sin, cos) = libm::sincos(source.angle_rad);
    let first = Complex64::new(cos, sin) * (source.voltage_v / 3.0_f64.sqrt());
    let mut voltage = [Complex64::ZERO; N];
    for (at, phasor) in voltage.iter_mut().zip(positive_sequence()) {
        *at = first * phasor;
    }
    let full = from_sequence(3, source.z1_ohm, source.z0_ohm);
    let impedance: Block<N> = project(&full);
    if !is_finite(&impedance) || !voltage.iter().all(|it| it.is_finite()) {
        return Err(fault("its voltage or its impedance is not finite"));
    }
    let admittance = if source.z1_ohm == Complex64::ZERO && source.z0_ohm == Complex64::ZERO {
        None
    } else {
        let singular = "one of its impedances is zero and the other is not; give both or none";
        Some(series_admittance(&impedance, Wires::ABC).ok_or_else(|| fault(singular))?)
    };
    Ok(SourceNode { source: index, node, voltage, impedance, admittance })
}
