//! What is written down of the plant's network.

use std::collections::BTreeMap;

use lastmeter_grid::Complex64;
use lastmeter_grid::diagram::{self, Colouring};
use lastmeter_grid::network::{Network, Wire};
use lastmeter_record::{GridRecord, GridRow, GridTable};
use lastmeter_sim::grid::{BreakerAt, GridInput, SolvedNetwork, Step, part_names};

/// Every step of it.
pub(crate) fn record(feeder: &SolvedNetwork) -> GridRecord {
    let network = feeder.network();
    let wires = wires(network);
    let steps = feeder.steps().iter().enumerate();
    let rows: Vec<GridRow> =
        steps.map(|(number, step)| row(feeder, number, step, &wires)).collect();
    let parts: Vec<Vec<String>> = network.loads.iter().map(part_names).collect();
    let of_parts = network.loads.iter().zip(&parts).flat_map(|(load, parts)| {
        let column = move |part, of| format!("{}.{part}.{of}", load.name);
        parts.iter().flat_map(move |part| ["p_w", "q_var"].map(|of| column(part, of)))
    });
    GridRecord {
        loads: GridTable {
            columns: of_parts.collect(),
            rows: feeder.steps().iter().map(|step| loads(step, &parts)).collect(),
        },
        voltages: GridTable {
            columns: wires.iter().map(|wire| name(network, *wire)).collect(),
            rows: feeder.steps().iter().map(|step| voltages(network, step, &wires)).collect(),
        },
        inputs: inputs(feeder),
        diagrams: diagrams(feeder, &rows),
        further: Vec::new(),
        waveforms: Vec::new(),
        rows,
    }
}

/// A node's place, and one of its wires.
type NodeWire = (usize, Wire);

fn wires(network: &Network) -> Vec<NodeWire> {
    let nodes = network.nodes.iter().enumerate();
    nodes.flat_map(|(at, node)| node.wires.iter().map(move |wire| (at, wire))).collect()
}

fn name(network: &Network, (node, wire): NodeWire) -> String {
    format!("{}.{wire}", network.nodes[node].name)
}

fn loads(step: &Step, parts: &[Vec<String>]) -> Vec<f64> {
    let powers = step.loads.iter().zip(parts);
    let powers = powers.flat_map(|(load, parts)| &load.power_va[..parts.len()]);
    powers.flat_map(|power| [power.re, power.im]).collect()
}

fn voltages(network: &Network, step: &Step, wires: &[NodeWire]) -> Vec<f64> {
    let voltages = wires.iter().map(|wire| per_unit(network, step, *wire));
    voltages.map(|voltage| (voltage * 1e6).round() / 1e6).collect()
}

/// How the breakers stood, and what the sources were set to, that were set between steps; none if
/// none was.
fn inputs(feeder: &SolvedNetwork) -> Option<GridTable> {
    let declared = feeder.network();
    let mut held: BTreeMap<String, f64> = BTreeMap::new();
    let mut changes: Vec<(usize, String, f64)> = Vec::new();
    for change in feeder.changes() {
        let (name, before, after) = match change.input {
            GridInput::Breaker { at, is_closed } => {
                let name = match at {
                    BreakerAt::Switch(switch) => &declared.switches.get(switch)?.name,
                    BreakerAt::Line(line) => &declared.lines.get(line)?.name,
                };
                let as_figure = |is_closed| f64::from(u8::from(is_closed));
                let before = as_figure(at.is_closed(declared));
                (format!("breaker:{name}"), before, as_figure(is_closed))
            }
            GridInput::SourceVoltage { source, voltage_pu } => {
                let source = declared.sources.get(source)?;
                let rated_v = declared.nodes[source.node.index()].rated_voltage_v;
                (format!("source:{}", source.name), source.voltage_v / rated_v, voltage_pu)
            }
            // What loads draw has a table of its own.
            GridInput::LoadStep { .. } | GridInput::LoadSetPoint { .. } | GridInput::Tap { .. } => {
                continue;
            }
        };
        held.entry(name.clone()).or_insert(before);
        changes.push((change.step, name, after));
    }
    if held.is_empty() {
        return None;
    }
    changes.sort_by_key(|(step, ..)| *step);
    let mut changes = changes.into_iter().peekable();
    let columns = held.keys().cloned().collect();
    let rows = (0..feeder.steps().len()).map(|step| {
        while let Some((_, name, value)) = changes.next_if(|(at, ..)| *at <= step) {
            held.insert(name, value);
        }
        held.values().copied().collect()
    });
    Some(GridTable { columns, rows: rows.collect() })
}

/// To earth, of the rated voltage to earth.
fn per_unit(network: &Network, step: &Step, (node, wire): NodeWire) -> f64 {
    let rated = network.nodes[node].rated_voltage_v / 3_f64.sqrt();
    step.nodes[node].voltage_v[wire.index()].norm() / rated
}

/// One-line diagrams of the step with the heaviest load and of that with the highest voltage.
fn diagrams(feeder: &SolvedNetwork, rows: &[GridRow]) -> Option<[String; 2]> {
    let steps = || rows.iter().enumerate();
    let (heaviest, _) = steps().max_by(|a, b| a.1.loads.0.total_cmp(&b.1.loads.0))?;
    let (highest, _) = steps().max_by(|a, b| a.1.highest.0.total_cmp(&b.1.highest.0))?;
    let draw = |step: usize| {
        let (network, flow) = feeder.again(step).ok()?;
        Some(diagram::svg(&network, &flow, Colouring::Farthest))
    };
    Some([draw(heaviest)?, draw(highest)?])
}

fn row(feeder: &SolvedNetwork, number: usize, step: &Step, wires: &[NodeWire]) -> GridRow {
    let (network, raster) = (feeder.network(), feeder.raster());
    let phases = Wire::PHASES.map(|wire| {
        let from = step.sources.iter();
        from.map(|source| source.power_va[wire.index()]).sum::<Complex64>()
    });
    let drawn: Complex64 = step.loads.iter().flat_map(|load| load.power_va).sum();
    let (mut lowest, mut highest) = ((f64::INFINITY, None), (f64::NEG_INFINITY, None));
    for &(node, wire) in wires.iter().filter(|(_, wire)| *wire != Wire::Neutral) {
        if !step.nodes[node].energized {
            continue;
        }
        let voltage = per_unit(network, step, (node, wire));
        if voltage < lowest.0 {
            lowest = (voltage, Some((node, wire)));
        }
        if voltage > highest.0 {
            highest = (voltage, Some((node, wire)));
        }
    }
    // Without a live node there is neither; then both are zero at no place.
    let describe = |(voltage, at): (f64, Option<NodeWire>)| {
        at.map_or((0.0, String::new()), |at| (voltage, name(network, at)))
    };
    GridRow {
        time: raster.start + raster.begin(number),
        length: raster.step,
        p_w: phases.map(|power| power.re),
        q_var: phases.map(|power| power.im),
        loads: (drawn.re, drawn.im),
        losses: (step.losses_va.re, step.losses_va.im),
        declared_losses: (step.declared_losses_va.re, step.declared_losses_va.im),
        lowest: describe(lowest),
        highest: describe(highest),
    }
}
