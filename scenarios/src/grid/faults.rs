//! Short circuits of a network: those that are asked for, those of its file, or all of them.

use std::fmt::Write as _;

use lastmeter_grid::flow::Phases;
use lastmeter_grid::format::pgm;
use lastmeter_grid::network::{Network, NodeId};
use lastmeter_grid::short_circuit::{
    Before, Fault, FaultState, Kind, Location, Options, Scaling, solve, sweep,
};
use lastmeter_grid::{Complex64, network::Wire};

use super::read::{Origin, Read};
use super::{Format, GridOptions};

/// Which short circuits are wanted.
#[derive(Clone, Debug)]
pub struct ShortCircuits {
    /// Faults as they are written: `ag@NODE`, or along a line `ag@LINE:0.25`. Without any those of
    /// the file.
    pub faults: Vec<String>,
    /// Every fault at every node instead.
    pub everywhere: bool,
    /// How high sources' voltages are.
    pub scaling: Scaling,
    /// Impedance of the faults asked for, ohm.
    pub resistance_ohm: f64,
}

/// One row of what is printed.
struct Row {
    kind: Kind,
    place: String,
    state: FaultState,
    rated_v: f64,
}

/// Calculates and prints them.
pub(super) fn answer(
    read: &Read,
    options: &GridOptions,
    wanted: &ShortCircuits,
) -> Result<String, String> {
    let shown = options.file.display();
    let network = &read.network;
    let mut choices = Options { phases: Phases::All, before: Before::Unloaded(wanted.scaling) };
    let failed = |why: &dyn std::fmt::Display| format!("error: {shown}: {why}");
    if wanted.everywhere {
        let impedance = Complex64::new(wanted.resistance_ohm, 0.0);
        let swept =
            sweep(network, &Kind::SHORT, impedance, &choices).map_err(|why| failed(&why))?;
        if options.format == Format::Json {
            return Ok(pgm::sweep_output(network, &swept));
        }
        let mut rows = Vec::new();
        for (at, node) in network.nodes.iter().enumerate() {
            for (number, &kind) in swept.kinds.iter().enumerate() {
                let Some(found) = swept.fault(NodeId(at as u32), number) else { continue };
                let state = FaultState {
                    energized: true,
                    current_a: found.current_a,
                    voltage_v: found.voltage_v,
                    ..FaultState::default()
                };
                let place = node.name.to_string();
                rows.push(Row { kind, place, state, rated_v: node.rated_voltage_v });
            }
        }
        return Ok(print(&rows, options, wanted.scaling));
    }
    let mut rows = Vec::new();
    if wanted.faults.is_empty() {
        let Origin::Pgm(document) = &read.origin else { return Err(failed(&NONE_ASKED)) };
        let (faults, phases) = document.short_circuits();
        if faults.is_empty() {
            return Err(failed(&NONE_ASKED));
        }
        choices.phases = phases;
        let result = solve(network, &faults, &choices).map_err(|why| failed(&why))?;
        if options.format == Format::Json {
            let pgm::Document { elements, faults, .. } = &**document;
            return Ok(pgm::short_circuit_output(network, elements, faults, &result));
        }
        rows.extend(
            faults.iter().zip(&result.faults).map(|(fault, state)| row(network, fault, state)),
        );
    }
    for text in &wanted.faults {
        let fault = fault(network, text, wanted.resistance_ohm).map_err(|why| failed(&why))?;
        // Each by itself, as if there were no other.
        let result = solve(network, &[fault], &choices).map_err(|why| failed(&why))?;
        rows.extend(result.faults.iter().map(|state| row(network, &fault, state)));
    }
    Ok(print(&rows, options, wanted.scaling))
}

const NONE_ASKED: &str = "it describes no faults; ask with --fault ag@NODE or --fault-sweep";

/// Reads `KIND@NODE` or `KIND@LINE:SHARE`.
fn fault(network: &Network, text: &str, resistance_ohm: f64) -> Result<Fault, String> {
    let impedance_ohm = Complex64::new(resistance_ohm, 0.0);
    let Some((kind, place)) = text.split_once('@') else {
        return Err(format!("`{text}` is no fault; expected KIND@NODE, or KIND@LINE:SHARE"));
    };
    let kind: Kind = kind.parse()?;
    let node = network.node(place).or_else(|| {
        let names = network.nodes.iter().map(|node| &*node.name);
        in_any_case(names, place).map(|at| NodeId(at as u32))
    });
    if let Some(node) = node {
        return Ok(Fault { kind, location: Location::Node(node), impedance_ohm });
    }
    let along = place.rsplit_once(':').and_then(|(line, share)| {
        let share: f64 = share.parse().ok()?;
        let names = || network.lines.iter().map(|line| &*line.name);
        let exact = names().position(|name| name == line);
        let line = exact.or_else(|| in_any_case(names(), line))?;
        (0.0..=1.0).contains(&share).then_some(Location::Line { line: line as u32, share })
    });
    match along {
        Some(location) => Ok(Fault { kind, location, impedance_ohm }),
        None => Err(format!(
            "`{place}` is neither a node nor LINE:SHARE of a line with a share from 0 to 1"
        )),
    }
}

/// Which of the names is this one but for its case, if only one is: scripts of `OpenDSS` write
/// names as they come.
fn in_any_case<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<usize> {
    let mut found = names.enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(wanted));
    found.next().filter(|_| found.next().is_none()).map(|(at, _)| at)
}

fn row(network: &Network, fault: &Fault, state: &FaultState) -> Row {
    let (node, place) = match fault.location {
        Location::Node(node) => (node, network.nodes[node.index()].name.to_string()),
        Location::Line { line, share } => {
            let line = &network.lines[line as usize];
            (line.from.node, format!("{}:{share}", line.name))
        }
    };
    let rated_v = network.nodes[node.index()].rated_voltage_v;
    Row { kind: fault.kind, place, state: *state, rated_v }
}

fn print(rows: &[Row], options: &GridOptions, scaling: Scaling) -> String {
    match options.format {
        Format::Csv => csv(rows),
        Format::Json => json(rows),
        Format::Table => table(rows, options, scaling),
    }
}

fn table(rows: &[Row], options: &GridOptions, scaling: Scaling) -> String {
    let width = rows.iter().map(|row| row.place.chars().count()).max().unwrap_or(0).max(5);
    let before = match scaling {
        Scaling::Actual => "sources as they are described",
        Scaling::Minimum => "sources at c for the smallest current (IEC 60909-0, from memory)",
        Scaling::Maximum => "sources at c for the largest current (IEC 60909-0, from memory)",
    };
    let mut text = format!("{}\nshort circuits without load, {before}\n\n", options.file.display());
    let _ = writeln!(
        text,
        "{:<8} {:<width$} {:>12} {:>12} {:>12} A  {:>8} {:>8} {:>8} pu",
        "fault", "place", "a", "b", "c", "a", "b", "c"
    );
    for row in rows {
        let _ = write!(text, "{:<8} {:<width$}", row.kind.to_string(), row.place);
        if !row.state.energized {
            text.push_str("  no source reaches this place\n");
            continue;
        }
        for current in &row.state.current_a[..3] {
            let _ = write!(text, " {:>12.1}", current.norm());
        }
        text.push_str("   ");
        for voltage in &row.state.voltage_v[..3] {
            let _ = write!(text, " {:>8.4}", voltage.norm() * 3f64.sqrt() / row.rated_v);
        }
        text.push('\n');
    }
    text
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::from("fault,place,wire,current_a,current_deg,voltage_v,voltage_deg\n");
    for row in rows.iter().filter(|row| row.state.energized) {
        for wire in Wire::PHASES {
            let current = row.state.current_a[wire.index()];
            let voltage = row.state.voltage_v[wire.index()];
            let _ = writeln!(
                text,
                "{},{},{wire},{},{},{},{}",
                row.kind,
                super::show::quoted(&row.place),
                current.norm(),
                current.arg().to_degrees(),
                voltage.norm(),
                voltage.arg().to_degrees(),
            );
        }
    }
    text
}

fn json(rows: &[Row]) -> String {
    let phasors = |of: &[Complex64; 4]| -> serde_json::Value {
        of[..3].iter().map(|it| serde_json::json!([it.norm(), it.arg()])).collect()
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "fault": row.kind.to_string(), "place": row.place,
                "energized": row.state.energized,
                "current_a_rad": phasors(&row.state.current_a),
                "voltage_v_rad": phasors(&row.state.voltage_v),
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&serde_json::json!({ "short_circuits": rows }))
        .unwrap_or_default();
    text.push('\n');
    text
}
