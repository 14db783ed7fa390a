//! Short circuits in the output JSON of power-grid-model: `sc_output`, always phase by phase.

use std::fmt::Write as _;

use num_complex::Complex64;

use super::output::number;
use super::{Component, Document, Element, FaultRow};
use crate::flow::{EndState, Phases};
use crate::network::{Connection, Network, Wire};
use crate::short_circuit::{Fault, FaultState, Kind, ShortCircuit, Sweep};

impl Document {
    /// The faults that the file asks for, without those that are not there, and which wires they
    /// need: power-grid-model takes the positive sequence alone where all are of three phases.
    pub fn short_circuits(&self) -> (Vec<Fault>, Phases) {
        let active = self.faults.iter().filter(|row| row.active);
        let faults: Vec<Fault> = active.map(|row| row.fault).collect();
        let balanced = faults.iter().all(|fault| fault.kind == Kind::ThreePhase);
        (faults, if balanced { Phases::Balanced } else { Phases::All })
    }
}

/// The results of the elements and faults of a file, by their numbers; `network` is that of its
/// document, and the result is of its [`Document::short_circuits`].
pub fn short_circuit_output(
    network: &Network,
    elements: &[Element],
    faults: &[FaultRow],
    result: &ShortCircuit,
) -> String {
    let mut writer = Writer { network, result, text: String::new() };
    writer.text.push_str(
        "{\n\"version\": \"1.0\",\n\"type\": \"sc_output\",\n\"is_batch\": false,\n\
         \"attributes\": {},\n\"data\": {",
    );
    // Where the state of each fault of the file is; none if it is not there.
    let mut active = 0..;
    let states: Vec<Option<usize>> =
        faults.iter().map(|row| if row.active { active.next() } else { None }).collect();
    for (group, rows) in elements.chunk_by(|a, b| a.component == b.component).enumerate() {
        let comma = if group == 0 { "" } else { "," };
        let _ = write!(writer.text, "{comma}\n  \"{}\": [", rows[0].component);
        for (number, element) in rows.iter().enumerate() {
            writer.text.push_str(if number == 0 { "\n    " } else { ",\n    " });
            let _ = write!(writer.text, "{{\"id\": {}", element.id);
            match element.component {
                Component::Fault => writer.fault(states[element.at as usize]),
                _ => writer.element(element),
            }
            writer.text.push('}');
        }
        writer.text.push_str("\n  ]");
    }
    let residual = number(result.flow.residual_va);
    let _ = write!(writer.text, "\n}},\n\"lastmeter\": {{\"residual_va\": {residual}}}\n}}\n");
    writer.text
}

/// Every fault at every node: for each node, by the names of the faults, the currents that flow
/// into them and the voltages that are left. Faults that cannot be there are `null`.
pub fn sweep_output(network: &Network, sweep: &Sweep) -> String {
    let mut text = String::from("{\"fault_sweep\": [");
    for (at, node) in network.nodes.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let name = serde_json::to_string(&*node.name).unwrap_or_default();
        let _ = write!(text, "{comma}\n  {{\"node\": {name}");
        let base = node.rated_voltage_v / 3f64.sqrt();
        for (number, kind) in sweep.kinds.iter().enumerate() {
            let _ = write!(text, ",\n    \"{kind}\": ");
            let Some(found) = sweep.fault(crate::network::NodeId(at as u32), number) else {
                text.push_str("null");
                continue;
            };
            text.push('{');
            let wires = if node.wires.contains(Wire::Neutral) { 4 } else { 3 };
            phasors(&mut text, "i_f", &found.current_a[..wires]);
            text.push_str(", ");
            phasors(
                &mut text,
                "u_pu",
                &found.voltage_v[..wires].iter().map(|it| it / base).collect::<Vec<_>>(),
            );
            text.push('}');
        }
        text.push('}');
    }
    text.push_str("\n]}\n");
    text
}

fn list(text: &mut String, name: &str, values: impl Iterator<Item = f64>) {
    let values: Vec<String> = values.map(number).collect();
    let _ = write!(text, "\"{name}\": [{}]", values.join(", "));
}

/// Magnitudes and angles.
fn phasors(text: &mut String, name: &str, values: &[Complex64]) {
    list(text, name, values.iter().map(|it| it.norm()));
    text.push_str(", ");
    list(text, &format!("{name}_angle"), values.iter().map(|it| it.arg()));
}

struct Writer<'a> {
    network: &'a Network,
    result: &'a ShortCircuit,
    text: String,
}

impl Writer<'_> {
    fn energized(&mut self, live: bool) {
        let _ = write!(self.text, ", \"energized\": {}", u8::from(live));
    }

    fn live(&self, end: &Connection) -> bool {
        self.result.flow.nodes[end.node.index()].energized
    }

    fn current(&mut self, name: &str, state: &EndState) {
        self.text.push_str(", ");
        phasors(&mut self.text, name, &state.current_a[..3]);
    }

    fn fault(&mut self, state: Option<usize>) {
        let state = state.map_or_else(FaultState::default, |at| self.result.faults[at]);
        self.energized(state.energized);
        self.text.push_str(", ");
        phasors(&mut self.text, "i_f", &state.current_a[..3]);
    }

    fn element(&mut self, element: &Element) {
        let (network, flow) = (self.network, &self.result.flow);
        let at = element.at as usize;
        match element.component {
            Component::Node => self.node(at),
            Component::Line | Component::AsymLine | Component::Link => {
                let line = &network.lines[at];
                let live = |closed: bool, end: &Connection| closed && self.live(end);
                let live = live(line.from_closed, &line.from) || live(line.to_closed, &line.to);
                self.energized(live);
                self.current("i_from", &flow.lines[at].from);
                self.current("i_to", &flow.lines[at].to);
            }
            Component::GenericBranch | Component::Transformer => {
                let transformer = &network.transformers[at];
                let live = transformer
                    .windings
                    .iter()
                    .zip(&transformer.closed)
                    .any(|(winding, closed)| *closed && self.live(&winding.connection));
                self.energized(live);
                self.current("i_from", &flow.transformers[at].windings[0]);
                self.current("i_to", &flow.transformers[at].windings[1]);
            }
            Component::ThreeWindingTransformer => {
                let middle = network.transformers[at].windings[1].connection;
                self.energized(self.live(&middle));
                for side in 0..3 {
                    let state = &flow.transformers[at + side].windings[0];
                    self.current(&format!("i_{}", side + 1), state);
                }
            }
            Component::Shunt => {
                let shunt = &network.shunts[at];
                self.energized(shunt.connected && self.live(&shunt.connection));
                self.current("i", &flow.shunts[at]);
            }
            Component::Source => {
                let source = &network.sources[at];
                self.energized(source.connected && self.live(&Connection::abc(source.node)));
                self.current("i", &flow.sources[at]);
            }
            Component::SymLoad | Component::SymGen | Component::AsymLoad | Component::AsymGen => {
                // A load that was left out is written as not energized, as power-grid-model does.
                let load = &network.loads[at];
                let draws = flow.loads[at].current_a.iter().any(|it| *it != Complex64::ZERO);
                self.energized(draws);
                let sign = if load.generator { -1.0 } else { 1.0 };
                let current_a = flow.loads[at].current_a.map(|it| it * sign);
                self.current("i", &EndState { current_a, ..EndState::default() });
            }
            Component::Fault => {}
        }
    }

    fn node(&mut self, at: usize) {
        let state = &self.result.flow.nodes[at];
        self.energized(state.energized);
        let base = self.network.nodes[at].rated_voltage_v / 3f64.sqrt();
        let voltages = &state.voltage_v[..3];
        self.text.push_str(", ");
        list(&mut self.text, "u_pu", voltages.iter().map(|it| it.norm() / base));
        self.text.push_str(", ");
        phasors(&mut self.text, "u", voltages);
    }
}
