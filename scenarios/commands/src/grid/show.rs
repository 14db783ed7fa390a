//! Results for people, and as rows.

use std::fmt::Write as _;
use std::path::Path;

use lastmeter_grid::flow::{EndState, Flow, Method, Phases};
use lastmeter_grid::network::{Connection, Wire};
use lastmeter_grid::{Complex64, Network};

use super::Read;

/// Up to how many nodes the table shows each of them; else it shows those with the lowest voltage.
const MOST_NODES: usize = 60;
const SHOWN_OF_MANY: usize = 20;

/// The table for people.
pub(super) fn table(read: &Read, flow: &Flow, phases: Phases, file: &Path) -> String {
    let network = &read.network;
    let mut text = format!(
        "{}\n{} nodes, {} lines, {} transformers, {} switches, {} loads\n",
        file.display(),
        network.nodes.len(),
        network.lines.len(),
        network.transformers.len(),
        network.switches.len(),
        network.loads.len()
    );
    let method = match flow.method {
        Method::Newton => "Newton's method",
        Method::Sweep => "sweep",
        Method::Auto | Method::CurrentInjection => "current injection",
    };
    let of = if phases == Phases::All { "phase by phase" } else { "positive sequence" };
    let _ = writeln!(
        text,
        "solved {of} by {method} in {} iterations, residual {:.2e} VA\n",
        flow.iterations, flow.residual_va
    );
    let delivered: Complex64 = flow.sources.iter().map(EndState::total_va).sum();
    let loads: Complex64 = flow.loads.iter().flat_map(|load| load.power_va).sum();
    let share = 100.0 * flow.losses_va.re / delivered.re;
    let mut powers = |name: &str, power: Complex64, more: &str| {
        let (kilowatts, kilovars) = (power.re / 1e3, power.im / 1e3);
        let _ = writeln!(text, "{name:10}{kilowatts:14.3} kW {kilovars:14.3} kvar{more}");
    };
    powers("sources", delivered, "");
    powers("loads", loads, "");
    let more = if share.is_finite() { format!("  ({share:.2} %)") } else { String::new() };
    powers("losses", flow.losses_va, &more);
    extremes(&mut text, network, flow);
    loadings(&mut text, network, flow);
    for &(transformer, winding, position) in &flow.taps {
        let name = &network.transformers[transformer as usize].name;
        let _ = writeln!(text, "tap of {name}, winding {}: {position}", winding + 1);
    }
    nodes(&mut text, network, flow);
    for note in &read.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// A voltage per unit of the rated one to earth.
pub(super) fn per_unit(network: &Network, flow: &Flow, node: usize, wire: Wire) -> Option<f64> {
    let own = &network.nodes[node];
    let state = &flow.nodes[node];
    (state.energized && own.wires.contains(wire))
        .then(|| state.voltage_v[wire.index()].norm() / (own.rated_voltage_v / 3f64.sqrt()))
}

/// The wires of the tables: the neutral where any node has one.
fn shown_wires(network: &Network) -> &'static [Wire] {
    let neutral = network.nodes.iter().any(|node| node.wires.contains(Wire::Neutral));
    if neutral { &Wire::ALL } else { &Wire::PHASES }
}

/// The heads of columns of so many characters, one for each wire.
pub(super) fn heads(text: &mut String, wires: &[Wire], columns: usize) {
    for wire in wires {
        let _ = write!(text, "{:>columns$}", wire.to_string());
    }
}

fn extremes(text: &mut String, network: &Network, flow: &Flow) {
    let _ =
        writeln!(text, "\n{:9}{:>10} {:24}{:>10} at", "to earth", "lowest pu", "at", "highest pu");
    for &wire in shown_wires(network) {
        let all = (0..network.nodes.len())
            .filter_map(|node| per_unit(network, flow, node, wire).map(|it| (it, node)));
        let low = all.clone().min_by(|a, b| a.0.total_cmp(&b.0));
        let high = all.max_by(|a, b| a.0.total_cmp(&b.0));
        if let (Some((low, at)), Some((high, at_high))) = (low, high) {
            let (at, at_high) = (&network.nodes[at].name, &network.nodes[at_high].name);
            let _ = writeln!(text, "  {wire:7}{low:10.5} {at:24}{high:10.5} {at_high}");
        }
    }
    let dark = flow.nodes.iter().filter(|node| !node.energized).count();
    if dark > 0 {
        let _ = writeln!(text, "  {dark} nodes are reached by no source");
    }
}

fn loadings(text: &mut String, network: &Network, flow: &Flow) {
    let mut all: Vec<(f64, &str, &str)> = Vec::new();
    let lines = network.lines.iter().zip(&flow.lines);
    all.extend(lines.filter_map(|(own, state)| Some((state.loading?, "line", &*own.name))));
    let switches = network.switches.iter().zip(&flow.switches);
    all.extend(switches.filter_map(|(own, state)| Some((state.loading?, "switch", &*own.name))));
    let transformers = network.transformers.iter().zip(&flow.transformers);
    all.extend(transformers.map(|(own, state)| (state.loading, "transformer", &*own.name)));
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !all.is_empty() {
        let _ = writeln!(text, "\nhighest loading");
    }
    for (loading, kind, name) in all.into_iter().take(8) {
        let _ = writeln!(text, "  {kind:12}{name:24}{:8.1} %", loading * 100.0);
    }
}

fn nodes(text: &mut String, network: &Network, flow: &Flow) {
    let lowest = |node: usize| {
        let all = Wire::PHASES.into_iter().filter_map(|wire| per_unit(network, flow, node, wire));
        all.fold(f64::INFINITY, f64::min)
    };
    let mut order: Vec<usize> = (0..network.nodes.len()).collect();
    let many = order.len() > MOST_NODES;
    if many {
        order.sort_by(|&a, &b| lowest(a).total_cmp(&lowest(b)));
        order.truncate(SHOWN_OF_MANY);
    }
    let title = if many { "lowest nodes" } else { "node" };
    let wires = shown_wires(network);
    let _ = write!(text, "\n{title:24}");
    heads(text, wires, 10);
    text.push_str(" pu ");
    heads(text, wires, 9);
    text.push_str(" deg\n");
    for node in order {
        let _ = write!(text, "{:24}", network.nodes[node].name);
        for &wire in wires {
            let _ = match per_unit(network, flow, node, wire) {
                Some(voltage) => write!(text, "{voltage:10.5}"),
                None => write!(text, "{:>10}", "-"),
            };
        }
        text.push_str("    ");
        for &wire in wires {
            let angle = flow.nodes[node].voltage_v[wire.index()].arg().to_degrees();
            let _ = match per_unit(network, flow, node, wire) {
                Some(_) => write!(text, "{angle:9.3}"),
                None => write!(text, "{:>9}", "-"),
            };
        }
        text.push('\n');
    }
}

/// One row per node or element and wire; powers flow into elements.
pub(super) fn csv(network: &Network, flow: &Flow) -> String {
    let mut text = String::from("element,name,end,wire,u_v,u_pu,u_deg,p_w,q_var,i_a,loading\n");
    for (at, (node, state)) in network.nodes.iter().zip(&flow.nodes).enumerate() {
        for wire in node.wires.iter() {
            let voltage = state.voltage_v[wire.index()];
            let per_unit = per_unit(network, flow, at, wire).unwrap_or(0.0);
            let (size, degrees) = (voltage.norm(), voltage.arg().to_degrees());
            let name = quoted(&node.name);
            let _ = writeln!(text, "node,{name},,{wire},{size},{per_unit},{degrees},,,,");
        }
    }
    let mut end = |kind: &str, name: &str, end: &str, at: &Connection, state: &EndState, load| {
        let load: Option<f64> = load;
        let loading = load.map_or(String::new(), |loading| loading.to_string());
        for (k, wire) in at.wires.as_slice().iter().enumerate() {
            let (power, current) = (state.power_va[k], state.current_a[k].norm());
            let name = quoted(name);
            let _ = writeln!(
                text,
                "{kind},{name},{end},{wire},,,,{},{},{current},{loading}",
                power.re, power.im
            );
        }
    };
    for (own, state) in network.lines.iter().zip(&flow.lines) {
        end("line", &own.name, "from", &own.from, &state.from, state.loading);
        end("line", &own.name, "to", &own.to, &state.to, state.loading);
    }
    for (own, state) in network.switches.iter().zip(&flow.switches) {
        end("switch", &own.name, "from", &own.from, &state.from, state.loading);
        end("switch", &own.name, "to", &own.to, &state.to, state.loading);
    }
    for (own, state) in network.transformers.iter().zip(&flow.transformers) {
        for (number, (winding, into)) in own.windings.iter().zip(&state.windings).enumerate() {
            let number = (number + 1).to_string();
            end("transformer", &own.name, &number, &winding.connection, into, Some(state.loading));
        }
    }
    for (own, state) in network.shunts.iter().zip(&flow.shunts) {
        end("shunt", &own.name, "", &own.connection, state, None);
    }
    for (own, state) in network.sources.iter().zip(&flow.sources) {
        end("source", &own.name, "", &Connection::abc(own.node), state, None);
    }
    for (own, state) in network.loads.iter().zip(&flow.loads) {
        let voltages = &flow.nodes[own.connection.node.index()].voltage_v;
        let mut drawn = EndState { current_a: state.current_a, ..EndState::default() };
        for (k, wire) in own.connection.wires.as_slice().iter().enumerate() {
            drawn.power_va[k] = voltages[wire.index()] * state.current_a[k].conj(); // S = U I*
        }
        end("load", &own.name, "", &own.connection, &drawn, None);
    }
    text
}

/// A name as a field of CSV.
pub(super) fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
