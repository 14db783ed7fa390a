//! Results in the output JSON of power-grid-model: its component and attribute names, its signs
//! (generators and sources deliver, all else draws).

use std::fmt::Write as _;

use num_complex::Complex64;

use super::{Component, Element};
use crate::flow::{EndState, Flow, Method, Phases};
use crate::network::{Connection, Network, Wire};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Node(usize),
    Line(usize),
    Switch(usize),
    Transformer(usize),
    /// Three transformers that meet in the middle.
    ThreeWindings(usize),
    Shunt(usize),
    Source(usize),
    Load(usize),
}

#[derive(Clone, Copy, Debug)]
struct Item<'a> {
    component: Component,
    id: i32,
    /// Where elements have names besides their numbers.
    name: Option<&'a str>,
    subject: Subject,
}

/// What is written besides the results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extra<'a> {
    /// What was solved for: a symmetrical calculation has one figure for all phases.
    pub phases: Phases,
    /// What solving took, milliseconds; `null` where there is none.
    pub solve_ms: Option<f64>,
    /// What was left out, and the like.
    pub notes: &'a [String],
}

/// The results of the elements of a file, by their numbers; `network` is that of its document.
pub fn output_by_number(
    network: &Network,
    elements: &[Element],
    flow: &Flow,
    extra: &Extra<'_>,
) -> String {
    let items = elements.iter().filter_map(|element| {
        let at = element.at as usize;
        let subject = match element.component {
            Component::Node => Subject::Node(at),
            Component::Line | Component::AsymLine | Component::Link => Subject::Line(at),
            Component::GenericBranch | Component::Transformer => Subject::Transformer(at),
            Component::ThreeWindingTransformer => Subject::ThreeWindings(at),
            Component::Shunt => Subject::Shunt(at),
            Component::Source => Subject::Source(at),
            Component::SymLoad | Component::SymGen | Component::AsymLoad | Component::AsymGen => {
                Subject::Load(at)
            }
            Component::Fault => return None,
        };
        let own: &str = match subject {
            Subject::Node(at) => &network.nodes[at].name,
            Subject::Line(at) => &network.lines[at].name,
            Subject::Switch(at) => &network.switches[at].name,
            Subject::Transformer(at) => &network.transformers[at].name,
            Subject::Shunt(at) => &network.shunts[at].name,
            Subject::Source(at) => &network.sources[at].name,
            Subject::Load(at) => &network.loads[at].name,
            Subject::ThreeWindings(_) => "",
        };
        // Where it is called something else than its number.
        let name = Some(own).filter(|own| own.parse::<f64>().is_err() && !own.is_empty());
        Some(Item { component: element.component, id: element.id, name, subject })
    });
    text(network, flow, extra, items.collect())
}

/// The results of a network that does not come from such a file: its elements have names, and are
/// numbered through, nodes first.
pub fn output(network: &Network, flow: &Flow, extra: &Extra<'_>) -> String {
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut add = |component, name, subject| {
        let id = items.len() as i32;
        items.push(Item { component, id, name: Some(name), subject });
    };
    for (at, node) in network.nodes.iter().enumerate() {
        add(Component::Node, &*node.name, Subject::Node(at));
    }
    for (at, line) in network.lines.iter().enumerate() {
        add(Component::Line, &*line.name, Subject::Line(at));
    }
    for (at, switch) in network.switches.iter().enumerate() {
        add(Component::Link, &*switch.name, Subject::Switch(at));
    }
    for (at, transformer) in network.transformers.iter().enumerate() {
        add(Component::Transformer, &*transformer.name, Subject::Transformer(at));
    }
    for (at, shunt) in network.shunts.iter().enumerate() {
        add(Component::Shunt, &*shunt.name, Subject::Shunt(at));
    }
    for (at, source) in network.sources.iter().enumerate() {
        add(Component::Source, &*source.name, Subject::Source(at));
    }
    for (at, load) in network.loads.iter().enumerate() {
        let component = if load.generator { Component::AsymGen } else { Component::AsymLoad };
        add(component, &*load.name, Subject::Load(at));
    }
    text(network, flow, extra, items)
}

fn text(network: &Network, flow: &Flow, extra: &Extra<'_>, mut items: Vec<Item<'_>>) -> String {
    let by_phase = extra.phases == Phases::All;
    let injected = injected(network, flow);
    let mut writer = Writer { network, flow, injected, by_phase, text: String::new() };
    let kind = if by_phase { "asym_output" } else { "sym_output" };
    let _ = write!(
        writer.text,
        "{{\n\"version\": \"1.0\",\n\"type\": \"{kind}\",\n\"is_batch\": false,\n\"attributes\": \
         {{}},\n\"data\": {{"
    );
    items.sort_by_key(|item| item.component);
    for (group, rows) in items.chunk_by(|a, b| a.component == b.component).enumerate() {
        let comma = if group == 0 { "" } else { "," };
        let _ = write!(writer.text, "{comma}\n  \"{}\": [", rows[0].component);
        for (number, item) in rows.iter().enumerate() {
            writer.text.push_str(if number == 0 { "\n    " } else { ",\n    " });
            writer.row(item);
        }
        writer.text.push_str("\n  ]");
    }
    let method = match flow.method {
        Method::Auto => "auto",
        Method::Sweep => "sweep",
        Method::CurrentInjection => "current injection",
        Method::Newton => "newton",
    };
    let _ = write!(
        writer.text,
        "\n}},\n\"lastmeter\": {{\"iterations\": {}, \"residual\": {}, \"residual_va\": {}, \
         \"losses_w\": {}, \"losses_var\": {}, \"method\": \"{method}\", \"solve_ms\": {}",
        flow.iterations,
        number(flow.residual_share),
        number(flow.residual_va),
        number(flow.losses_va.re),
        number(flow.losses_va.im),
        extra.solve_ms.map_or("null".to_owned(), number)
    );
    writer.taps();
    let notes: Vec<String> = extra.notes.iter().map(|note| string(note)).collect();
    let _ = write!(writer.text, ", \"notes\": [{}]}}\n}}\n", notes.join(", "));
    writer.text
}

/// A number as JSON has it; what is none is `null`.
pub(super) fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "null".to_owned() }
}

fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

struct Writer<'a> {
    network: &'a Network,
    flow: &'a Flow,
    injected: Vec<[Complex64; 4]>,
    by_phase: bool,
    text: String,
}

/// What sources and generators deliver to each node less what loads draw there, by wire. Shunts
/// belong to the network here, as power-grid-model counts.
fn injected(network: &Network, flow: &Flow) -> Vec<[Complex64; 4]> {
    let mut injected = vec![[Complex64::ZERO; 4]; network.nodes.len()];
    for (source, state) in network.sources.iter().zip(&flow.sources) {
        for (into, power) in injected[source.node.index()].iter_mut().zip(state.power_va) {
            *into += power;
        }
    }
    for (load, state) in network.loads.iter().zip(&flow.loads) {
        let node = load.connection.node.index();
        for (k, wire) in load.connection.wires.as_slice().iter().enumerate() {
            let voltage = flow.nodes[node].voltage_v[wire.index()];
            injected[node][wire.index()] -= voltage * state.current_a[k].conj();
        }
    }
    injected
}

/// Phasors by wire; none where there is no such wire.
type ByWire = [Option<Complex64>; 4];

impl Writer<'_> {
    fn row(&mut self, item: &Item<'_>) {
        let _ = write!(self.text, "{{\"id\": {}", item.id);
        if let Some(name) = item.name {
            let _ = write!(self.text, ", \"name\": {}", string(name));
        }
        match item.subject {
            Subject::Node(at) => self.node(at),
            Subject::Line(at) => {
                let line = &self.network.lines[at];
                let state = &self.flow.lines[at];
                self.energized([&line.from, &line.to], [line.from_closed, line.to_closed]);
                self.end("from", &line.from, &state.from);
                self.end("to", &line.to, &state.to);
                self.loading(state.loading);
            }
            Subject::Switch(at) => {
                let switch = &self.network.switches[at];
                let state = &self.flow.switches[at];
                self.energized([&switch.from, &switch.to], [switch.closed; 2]);
                self.end("from", &switch.from, &state.from);
                self.end("to", &switch.to, &state.to);
                self.loading(state.loading);
            }
            Subject::Transformer(at) => self.transformer(at),
            Subject::ThreeWindings(at) => self.three_windings(at),
            Subject::Shunt(at) => {
                let shunt = &self.network.shunts[at];
                let state = self.flow.shunts[at];
                self.appliance(&shunt.connection, &state, 1.0, shunt.connected);
            }
            Subject::Source(at) => {
                let source = &self.network.sources[at];
                let state = self.flow.sources[at];
                self.appliance(&Connection::abc(source.node), &state, 1.0, source.connected);
            }
            Subject::Load(at) => {
                let load = &self.network.loads[at];
                let state = self.load(at);
                let sign = if load.generator { -1.0 } else { 1.0 };
                self.appliance(&load.connection, &state, sign, load.connected);
            }
        }
        self.text.push('}');
    }

    /// A load by the wires of its connection.
    fn load(&self, at: usize) -> EndState {
        let connection = &self.network.loads[at].connection;
        let voltages = &self.flow.nodes[connection.node.index()].voltage_v;
        let current_a = self.flow.loads[at].current_a;
        let mut power_va = [Complex64::ZERO; 4];
        for (k, wire) in connection.wires.as_slice().iter().enumerate() {
            power_va[k] = voltages[wire.index()] * current_a[k].conj();
        }
        EndState { current_a, power_va }
    }

    /// One attribute: a list by phase, or what the value is for all phases.
    fn attribute(&mut self, name: &str, values: [Option<f64>; 4], all: f64) {
        let _ = write!(self.text, ", \"{name}\": ");
        if !self.by_phase {
            self.text.push_str(&number(all));
            return;
        }
        let wires = if values[3].is_some() { 4 } else { 3 };
        for (wire, value) in values.into_iter().enumerate().take(wires) {
            self.text.push_str(if wire == 0 { "[" } else { ", " });
            self.text.push_str(&value.map_or("null".to_owned(), number));
        }
        self.text.push(']');
    }

    fn energized(&mut self, ends: [&Connection; 2], closed: [bool; 2]) {
        let live = ends
            .iter()
            .zip(closed)
            .any(|(end, closed)| closed && self.flow.nodes[end.node.index()].energized);
        let _ = write!(self.text, ", \"energized\": {}", u8::from(live));
    }

    fn node(&mut self, at: usize) {
        let node = &self.network.nodes[at];
        let state = &self.flow.nodes[at];
        let _ = write!(self.text, ", \"energized\": {}", u8::from(state.energized));
        let voltage: ByWire = std::array::from_fn(|wire| {
            node.wires.contains(Wire::ALL[wire]).then_some(state.voltage_v[wire])
        });
        let base = node.rated_voltage_v / 3f64.sqrt();
        let size = voltage.map(|it| it.map(Complex64::norm));
        let first = state.voltage_v[0];
        let per_unit = size.map(|it| it.map(|it| it / base));
        self.attribute("u_pu", per_unit, first.norm() / base);
        self.attribute("u_angle", voltage.map(|it| it.map(Complex64::arg)), first.arg());
        self.attribute("u", size, first.norm() * 3f64.sqrt());
        let injected = self.injected[at];
        let power = |of: fn(&Complex64) -> f64| {
            let each: [Option<f64>; 4] =
                std::array::from_fn(|wire| voltage[wire].map(|_| of(&injected[wire])));
            (each, injected.iter().map(of).sum::<f64>())
        };
        let (p, q) = (power(|it| it.re), power(|it| it.im));
        self.attribute("p", p.0, p.1);
        self.attribute("q", q.0, q.1);
    }

    fn powers(connection: &Connection, state: &EndState, sign: f64) -> (ByWire, ByWire) {
        let (mut power, mut current) = ([None; 4], [None; 4]);
        for (k, wire) in connection.wires.as_slice().iter().enumerate() {
            power[wire.index()] = Some(state.power_va[k] * sign);
            current[wire.index()] = Some(state.current_a[k]);
        }
        (power, current)
    }

    fn end(&mut self, suffix: &str, connection: &Connection, state: &EndState) {
        let (power, current) = Self::powers(connection, state, 1.0);
        let all = state.total_va();
        self.attribute(&format!("p_{suffix}"), power.map(|it| it.map(|it| it.re)), all.re);
        self.attribute(&format!("q_{suffix}"), power.map(|it| it.map(|it| it.im)), all.im);
        let size = current.map(|it| it.map(Complex64::norm));
        self.attribute(&format!("i_{suffix}"), size, state.current_a[0].norm());
        let size = power.map(|it| it.map(Complex64::norm));
        self.attribute(&format!("s_{suffix}"), size, all.norm());
    }

    fn loading(&mut self, loading: Option<f64>) {
        let loading = loading.map_or("null".to_owned(), number);
        let _ = write!(self.text, ", \"loading\": {loading}");
    }

    fn transformer(&mut self, at: usize) {
        let transformer = &self.network.transformers[at];
        let state = &self.flow.transformers[at];
        let ends: Vec<&Connection> =
            transformer.windings.iter().map(|winding| &winding.connection).collect();
        if let ([one, other], [first, second]) = (&ends[..], &transformer.closed[..]) {
            self.energized([one, other], [*first, *second]);
        }
        let three = ends.len() > 2;
        for (k, (end, into)) in ends.iter().zip(&state.windings).enumerate() {
            let suffix = match (three, k) {
                (true, _) => (k + 1).to_string(),
                (false, 0) => "from".to_owned(),
                (false, _) => "to".to_owned(),
            };
            self.end(&suffix, end, into);
        }
        self.loading(Some(state.loading));
    }

    fn three_windings(&mut self, at: usize) {
        let sides = &self.network.transformers[at..at + 3];
        let states = &self.flow.transformers[at..at + 3];
        let live = sides.iter().any(|side| {
            side.closed[0] && self.flow.nodes[side.windings[0].connection.node.index()].energized
        });
        let _ = write!(self.text, ", \"energized\": {}", u8::from(live));
        let mut loading = 0.0_f64;
        for (k, (side, state)) in sides.iter().zip(states).enumerate() {
            let into = &state.windings[0];
            self.end(&(k + 1).to_string(), &side.windings[0].connection, into);
            let apparent: f64 = into.power_va.iter().map(|it| it.norm()).sum();
            loading = loading.max(apparent / side.rated_power_va);
        }
        self.loading(Some(loading));
    }

    fn appliance(&mut self, connection: &Connection, state: &EndState, sign: f64, on: bool) {
        let live = on && self.flow.nodes[connection.node.index()].energized;
        let _ = write!(self.text, ", \"energized\": {}", u8::from(live));
        let (power, current) = Self::powers(connection, state, sign);
        let all = state.total_va() * sign;
        self.attribute("p", power.map(|it| it.map(|it| it.re)), all.re);
        self.attribute("q", power.map(|it| it.map(|it| it.im)), all.im);
        let size = current.map(|it| it.map(Complex64::norm));
        self.attribute("i", size, state.current_a[0].norm());
        let size = power.map(|it| it.map(Complex64::norm));
        self.attribute("s", size, all.norm());
        let factor = |it: Complex64| if it.norm() > 0.0 { it.re / it.norm() } else { 0.0 };
        self.attribute("pf", power.map(|it| it.map(factor)), factor(all));
    }

    /// Where regulators have moved taps to.
    fn taps(&mut self) {
        let taps: Vec<String> = self
            .flow
            .taps
            .iter()
            .map(|&(transformer, winding, position)| {
                let name = &self.network.transformers[transformer as usize].name;
                let winding = winding + 1;
                format!(
                    "{{\"transformer\": {}, \"winding\": {winding}, \"position\": {position}}}",
                    string(name)
                )
            })
            .collect();
        let _ = write!(self.text, ", \"taps\": [{}]", taps.join(", "));
    }
}
