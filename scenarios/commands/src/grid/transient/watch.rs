//! What is shown of a network that is played.

use lastmeter_grid::network::{Network, NodeId, Wire};
use lastmeter_grid::transient::Transient;

use super::event::Event;

#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) name: String,
    pub(super) unit: &'static str,
    pub(super) wire: Option<Wire>,
    of: Probe,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    Node(NodeId),
    Line(usize),
    Switch(usize, usize),
    Source(usize),
    /// Currents of faults, by number, place and sign.
    Fault([(u32, usize, f64); 3]),
}

impl Trace {
    /// Its value now: volts to earth, or amperes into the end `from`.
    pub(super) fn value<const N: usize>(&self, transient: &Transient<N>) -> f64 {
        let wire = self.wire.unwrap_or(Wire::A);
        match self.of {
            Probe::Node(node) => transient.voltage_v(node, wire),
            Probe::Line(line) => transient.line_current_a(line, wire),
            Probe::Switch(switch, pole) => transient.switch_current_a(switch, pole),
            Probe::Source(source) => transient.source_current_a(source, wire),
            Probe::Fault(sum) => {
                let of = |(id, place, sign): (u32, usize, f64)| {
                    sign * transient.fault_currents_a(id).get(place).copied().unwrap_or(0.0)
                };
                sum.into_iter().filter(|it| it.2 != 0.0).map(of).sum()
            }
        }
    }
}

/// The channels of these names; without any those of sources, and of nodes with a fault.
pub(super) fn read(
    network: &Network,
    names: &[String],
    events: &[Event],
) -> Result<Vec<Trace>, String> {
    let mut all = Vec::new();
    for name in names {
        let before = all.len();
        of_name(network, name, &mut all);
        if all.len() == before {
            return Err(format!(
                "--watch `{name}`: the network has no node, line, switch or source of that name"
            ));
        }
    }
    let faults = || events.iter().filter_map(|event| event.fault.as_ref());
    if names.is_empty() {
        for (place, source) in network.sources.iter().enumerate() {
            currents(&source.name, &Wire::PHASES, |_| Probe::Source(place), &mut all);
        }
        let mut shown = Vec::new();
        for it in faults().filter(|it| it.node.index() < network.nodes.len()) {
            if !shown.contains(&it.node) {
                shown.push(it.node);
                voltages(network, it.node, &mut all);
            }
        }
    }
    let mut shown = Vec::new();
    for it in faults() {
        if shown.contains(&it.id) {
            continue;
        }
        shown.push(it.id);
        all.extend(it.currents().into_iter().map(|(wire, sum)| {
            let name = format!("fault.{}.{wire}", it.text);
            Trace { name, unit: "A", wire: None, of: Probe::Fault(sum) }
        }));
    }
    Ok(all)
}

fn of_name(network: &Network, name: &str, all: &mut Vec<Trace>) {
    if let Some(node) = network.node(name) {
        voltages(network, node, all);
    }
    // A switch that was put in front of a line has its name.
    if let Some(line) = network.lines.iter().position(|it| &*it.name == name) {
        let wires = network.lines[line].from.wires;
        currents(name, wires.as_slice(), |_| Probe::Line(line), all);
    } else if let Some(switch) = network.switches.iter().position(|it| &*it.name == name) {
        let wires = network.switches[switch].from.wires;
        currents(name, wires.as_slice(), |pole| Probe::Switch(switch, pole), all);
    }
    if let Some(source) = network.sources.iter().position(|it| &*it.name == name) {
        currents(name, &Wire::PHASES, |_| Probe::Source(source), all);
    }
}

fn voltages(network: &Network, node: NodeId, all: &mut Vec<Trace>) {
    let of = &network.nodes[node.index()];
    all.extend(of.wires.iter().map(|wire| Trace {
        name: format!("{}.v.{wire}", of.name),
        unit: "V",
        wire: Some(wire),
        of: Probe::Node(node),
    }));
}

fn currents(name: &str, wires: &[Wire], of: impl Fn(usize) -> Probe, all: &mut Vec<Trace>) {
    all.extend(wires.iter().enumerate().map(|(pole, wire)| Trace {
        name: format!("{name}.i.{wire}"),
        unit: "A",
        wire: Some(*wire),
        of: of(pole),
    }));
}
