//! Short circuits of a network: those that are asked for, those of its file, or all of them.

use std::fmt::Write as _;

use lastmeter_bench::output::Format;
use lastmeter_grid::flow::{self, Phases};
use lastmeter_grid::format::pgm;
use lastmeter_grid::network::{Network, NodeId};
use lastmeter_grid::short_circuit::{
    Fault, FaultState, Kind, Location, Options, PrefaultState, Scaling, Sweep, solve, sweep,
};
use lastmeter_grid::{Complex64, network::Wire};
use lastmeter_params::nearest;

use super::GridOptions;
use super::show::heads;
use lastmeter_language::network_file::{Origin, Read};

struct Row {
    kind: Kind,
    place: String,
    state: FaultState,
    rated_v: f64,
}

impl Row {
    /// Whether anything happens on a neutral wire.
    fn has_neutral(&self) -> bool {
        let neutral = Wire::Neutral.index();
        [self.state.current_a, self.state.voltage_v].iter().any(|it| it[neutral] != Complex64::ZERO)
    }
}

/// Calculates them and prints the result; draws the one that is to be drawn.
pub(super) fn answer(
    read: &Read,
    options: &GridOptions,
    before: &flow::Options,
) -> Result<String, String> {
    let wanted = &options.short_circuits;
    let shown = options.file.display();
    let failed = |why: &dyn std::fmt::Display| format!("error: {shown}: {why}");
    let standing;
    let (network, before) = if wanted.loaded {
        // Regulators have come to rest when the fault comes.
        standing = as_it_stands(&read.network, before).map_err(|why| failed(&why))?;
        (&standing, PrefaultState::Loaded(flow::Options { phases: Phases::All, ..*before }))
    } else {
        (&read.network, PrefaultState::Unloaded(wanted.sources))
    };
    let mut choices = Options { phases: Phases::All, before };
    if wanted.fault_sweep {
        if options.svg.is_some() {
            return Err(failed(&ONE_PICTURE));
        }
        let swept = sweep(network, &Kind::SHORT, wanted.impedance_ohm(), &choices)
            .map_err(|why| failed(&why))?;
        if options.format == Format::Json {
            return Ok(pgm::sweep_output(network, &swept));
        }
        return Ok(print(&rows_of_sweep(network, &swept), options));
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
        // They are all there at once, so one picture shows them.
        super::draw(options, network, &result.flow)?;
        if options.format == Format::Json {
            let pgm::Document { elements, faults, .. } = &**document;
            return Ok(pgm::short_circuit_output(network, elements, faults, &result));
        }
        rows.extend(
            faults.iter().zip(&result.faults).map(|(fault, state)| row(network, fault, state)),
        );
    }
    if wanted.faults.len() > 1 && options.svg.is_some() {
        return Err(failed(&ONE_PICTURE));
    }
    for text in &wanted.faults {
        let fault = fault(network, text, wanted.impedance_ohm()).map_err(|why| failed(&why))?;
        // Each by itself, as if there were no other.
        let result = solve(network, &[fault], &choices).map_err(|why| failed(&why))?;
        super::draw(options, network, &result.flow)?;
        rows.extend(result.faults.iter().map(|state| row(network, &fault, state)));
    }
    Ok(print(&rows, options))
}

/// The network with its taps where regulators leave them.
pub(super) fn as_it_stands(
    described: &Network,
    options: &flow::Options,
) -> Result<Network, flow::Failure> {
    let mut network = described.clone();
    flow::solve_and_keep_taps(&mut network, options)?;
    Ok(network)
}

fn rows_of_sweep(network: &Network, swept: &Sweep) -> Vec<Row> {
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
    rows
}

const ONE_PICTURE: &str = "a picture shows one short circuit; ask for one with --fault, or leave \
                           out --svg";

const NONE_ASKED: &str = "it describes no faults; ask with --fault ag@NODE or --fault-sweep";

/// `KIND@LINE:40m` as `KIND@LINE:SHARE` of the line's length; all else as it is.
pub(super) fn in_shares(network: &Network, text: &str) -> String {
    let share = || {
        let (front, metres) = text.rsplit_once(':')?;
        let metres: f64 = metres.strip_suffix('m')?.trim_end().parse().ok()?;
        let (_, line) = front.split_once('@')?;
        let length_m = network.lines[line_called(network, line)?].length_m?;
        Some(format!("{front}:{}", metres / length_m))
    };
    share().unwrap_or_else(|| text.to_owned())
}

fn line_called(network: &Network, line: &str) -> Option<usize> {
    let names = || network.lines.iter().map(|line| &*line.name);
    names().position(|name| name == line).or_else(|| in_any_case(names(), line))
}

/// Reads `KIND@NODE`, `KIND@LINE:SHARE`, or `KIND@LINE:40m`.
pub(super) fn fault(
    network: &Network,
    text: &str,
    impedance_ohm: Complex64,
) -> Result<Fault, String> {
    let text = &*in_shares(network, text);
    let Some((kind, place)) = text.split_once('@') else {
        return Err(format!("`{text}` is not a fault; expected KIND@NODE, or KIND@LINE:SHARE"));
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
        let line = line_called(network, line)?;
        (0.0..=1.0).contains(&share).then_some(Location::Line { line: line as u32, share })
    });
    let location = along.ok_or_else(|| nowhere(network, place))?;
    Ok(Fault { kind, location, impedance_ohm })
}

/// Reports that there is no such place, and which one may have been meant.
fn nowhere(network: &Network, place: &str) -> String {
    let near = match place.rsplit_once(':') {
        None => nearest(place, network.nodes.iter().map(|node| &*node.name)).map(str::to_owned),
        Some((line, share)) => nearest(line, network.lines.iter().map(|line| &*line.name))
            .map(|line| format!("{line}:{share}")),
    };
    // Of a line that there is the share is wrong.
    let near = near.filter(|near| near != place);
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("`{place}` is neither a node nor LINE:SHARE of a line with a share from 0 to 1{near}")
}

/// Which of the names is this one but for its case, if only one is: scripts of `OpenDSS` write
/// names as they come.
pub(super) fn in_any_case<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Option<usize> {
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

fn print(rows: &[Row], options: &GridOptions) -> String {
    match options.format {
        Format::Csv => csv(rows),
        Format::Json => json(rows),
        Format::Table => table(rows, options),
    }
}

fn table(rows: &[Row], options: &GridOptions) -> String {
    let width = rows.iter().map(|row| row.place.chars().count()).max().unwrap_or(0).max(5);
    let wanted = &options.short_circuits;
    let before = match wanted.sources {
        _ if wanted.loaded => "with loads as the admittances that they were before",
        Scaling::Actual => "without load, sources as they are described",
        Scaling::Minimum => {
            "without load, sources at the rated voltage times c for the smallest current \
             (IEC 60909-0: 0.95 up to 1 kV, else 1.00)"
        }
        Scaling::Maximum => {
            "without load, sources at the rated voltage times c for the largest current \
             (IEC 60909-0: 1.10)"
        }
    };
    let mut text = format!("{}\nshort circuits {before}\n", options.file.display());
    if wanted.impedance_ohm() != Complex64::ZERO {
        let Complex64 { re, im } = wanted.impedance_ohm();
        let _ = writeln!(text, "impedance of each fault {re} ohm + j {im} ohm");
    }
    let wires = if rows.iter().any(Row::has_neutral) { &Wire::ALL[..] } else { &Wire::PHASES };
    let _ = writeln!(
        text,
        "\n{:<8} {:<width$}  {:<currents$}  voltage to earth there, pu of rated",
        "",
        "",
        "current into the fault, A",
        currents = 13 * wires.len() - 1 // each a blank and 12 digits; the first blank is above
    );
    let _ = write!(text, "{:<8} {:<width$}", "fault", "place");
    heads(&mut text, wires, 13);
    text.push_str("   ");
    heads(&mut text, wires, 9);
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{:<8} {:<width$}", row.kind.to_string(), row.place);
        if !row.state.energized {
            text.push_str("  this place is de-energised\n");
            continue;
        }
        for current in &row.state.current_a[..wires.len()] {
            let _ = write!(text, " {:>12.1}", current.norm());
        }
        text.push_str("   ");
        for voltage in &row.state.voltage_v[..wires.len()] {
            let _ = write!(text, " {:>8.4}", voltage.norm() * 3f64.sqrt() / row.rated_v);
        }
        text.push('\n');
    }
    if rows.iter().any(|row| matches!(row.kind, Kind::OpenConductors(_))) {
        text.push_str(
            "\nof an open conductor: the current through what is left between its ends, and the \
             voltage\nfrom one of its ends to the other\n",
        );
    }
    text
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::from("fault,place,wire,current_a,current_deg,voltage_v,voltage_deg\n");
    for row in rows.iter().filter(|row| row.state.energized) {
        let wires = if row.has_neutral() { &Wire::ALL[..] } else { &Wire::PHASES };
        for wire in wires {
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
    let phasors = |of: &[Complex64; 4], wires: usize| -> serde_json::Value {
        of[..wires].iter().map(|it| serde_json::json!([it.norm(), it.arg()])).collect()
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let wires = if row.has_neutral() { 4 } else { 3 };
            serde_json::json!({
                "fault": row.kind.to_string(), "place": row.place,
                "energized": row.state.energized,
                "current_a_rad": phasors(&row.state.current_a, wires),
                "voltage_v_rad": phasors(&row.state.voltage_v, wires),
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&serde_json::json!({ "short_circuits": rows }))
        .unwrap_or_default();
    text.push('\n');
    text
}
