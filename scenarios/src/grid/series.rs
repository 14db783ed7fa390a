//! A network step by step, as its loads follow a table.
//!
//! The table is CSV: the first column tells the time of each row as it likes, every other column is
//! a load's active power in watts (`NAME`, or `NAME.p_w`) or its reactive power in vars
//! (`NAME.q_var`). A load without a column stays as the file of the network has it; one whose
//! reactive power has no column keeps its power factor. Of a load in several parts each has its
//! share of the whole as before.

use std::fmt::Write as _;
use std::path::Path;

use lastmeter_grid::Complex64;
use lastmeter_grid::Network;
use lastmeter_grid::flow::{self, EndState, Flow, Options};

use super::{Format, GridOptions, Read};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Active,
    Reactive,
}

/// A table of powers.
struct Table {
    /// The load of each column, and which part of its power.
    columns: Vec<(usize, Part)>,
    /// Name of each row, and its powers.
    rows: Vec<(String, Vec<f64>)>,
}

/// What is told of a step.
struct Step {
    time: String,
    flow: Flow,
}

/// Solves all steps and prints them.
pub(super) fn answer(
    read: &Read,
    options: &GridOptions,
    file: &Path,
    choices: &Options,
) -> Result<String, String> {
    let network = &read.network;
    let table = table(file, network)?;
    let change = |step: usize, changed: &mut Network| {
        set(network, changed, &table.columns, &table.rows[step].1);
    };
    let steps = flow::series(network, table.rows.len(), choices, change, |_, _, flow| flow);
    let mut told = Vec::with_capacity(steps.len());
    for (row, (flow, (time, _))) in steps.into_iter().zip(table.rows).enumerate() {
        let flow = flow.map_err(|why| {
            let shown = options.file.display();
            format!("error: {shown}: with row {} ({time}) of {}: {why}", row + 1, file.display())
        })?;
        told.push(Step { time, flow });
    }
    Ok(match options.format {
        Format::Table => text(network, &told, &options.file),
        Format::Csv => csv(network, &told),
        Format::Json => json(read, &told, choices),
    })
}

/// Sets the powers of one row.
fn set(described: &Network, changed: &mut Network, columns: &[(usize, Part)], powers: &[f64]) {
    let mut wanted: Vec<(Option<f64>, Option<f64>)> = vec![(None, None); described.loads.len()];
    for (&(load, part), &power) in columns.iter().zip(powers) {
        match part {
            Part::Active => wanted[load].0 = Some(power),
            Part::Reactive => wanted[load].1 = Some(power),
        }
    }
    for ((load, wanted), before) in changed.loads.iter_mut().zip(wanted).zip(&described.loads) {
        let (active, reactive) = wanted;
        if active.is_none() && reactive.is_none() {
            continue;
        }
        let whole: Complex64 = before.power_va.iter().sum();
        // What the file has by parts is shared out likewise; generators deliver what they are told.
        let sign = if before.generator { -1.0 } else { 1.0 };
        let p = active.map_or(whole.re, |p| sign * p);
        let factor = if whole.re == 0.0 { 0.0 } else { whole.im / whole.re };
        let q = reactive.map_or(if active.is_some() { p * factor } else { whole.im }, |q| sign * q);
        let parts = parts(before);
        for (at, power) in load.power_va.iter_mut().enumerate().take(parts) {
            let share = if whole.norm() == 0.0 {
                1.0 / parts as f64
            } else {
                before.power_va[at].norm() / before.power_va.iter().map(|s| s.norm()).sum::<f64>()
            };
            *power = share * Complex64::new(p, q);
        }
    }
}

/// How many parts a load has.
fn parts(load: &lastmeter_grid::network::Load) -> usize {
    use lastmeter_grid::network::{Configuration, Wire};
    let wires = load.connection.wires.as_slice();
    let phases = wires.iter().filter(|&&wire| wire != Wire::Neutral).count();
    match load.configuration {
        Configuration::Delta if wires.len() == 2 => 1,
        _ => phases.clamp(1, 3),
    }
}

fn table(file: &Path, network: &Network) -> Result<Table, String> {
    let shown = file.display();
    let failed = |line: u64, why: String| format!("error: {shown}:{line}: {why}");
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(file)
        .map_err(|error| format!("error: cannot read {shown}: {error}"))?;
    let head = reader.headers().map_err(|error| failed(1, error.to_string()))?.clone();
    let mut columns = Vec::new();
    for title in head.iter().skip(1) {
        let (name, part) = match (title.strip_suffix(".p_w"), title.strip_suffix(".q_var")) {
            (Some(name), _) => (name, Part::Active),
            (_, Some(name)) => (name, Part::Reactive),
            _ => (title, Part::Active),
        };
        let Some(load) = network.loads.iter().position(|load| *load.name == *name) else {
            let known: Vec<&str> = network.loads.iter().take(8).map(|load| &*load.name).collect();
            let why = format!(
                "`{name}` is no load of the network; its loads are {}{}",
                known.join(", "),
                if network.loads.len() > known.len() { ", ..." } else { "" }
            );
            return Err(failed(1, why));
        };
        if columns.contains(&(load, part)) {
            return Err(failed(1, format!("`{title}` has two columns")));
        }
        columns.push((load, part));
    }
    if columns.is_empty() {
        return Err(failed(1, "it has no column of a load; expected `time,LOAD,...`".to_owned()));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("error: {shown}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut cells = record.iter();
        let time = cells.next().unwrap_or_default().to_owned();
        let mut powers = Vec::with_capacity(columns.len());
        for (cell, title) in cells.zip(head.iter().skip(1)) {
            match cell.parse::<f64>() {
                Ok(power) if power.is_finite() => powers.push(power),
                _ => {
                    let why = format!("`{title}` is `{cell}`, expected a number of watts or vars");
                    return Err(failed(line, why));
                }
            }
        }
        rows.push((time, powers));
    }
    if rows.is_empty() {
        return Err(failed(1, "it has no rows".to_owned()));
    }
    Ok(Table { columns, rows })
}

/// The figures of a step: delivered and drawn, VA; the lowest and the highest voltage per unit with
/// their nodes.
fn figures<'a>(
    network: &'a Network,
    flow: &Flow,
) -> (Complex64, Complex64, [Option<(f64, &'a str)>; 2]) {
    let delivered = flow.sources.iter().map(EndState::total_va).sum();
    let drawn = flow.loads.iter().flat_map(|load| load.power_va).sum();
    let mut voltages: Vec<(f64, &str)> = Vec::new();
    for (at, node) in network.nodes.iter().enumerate() {
        let of = |wire| super::show::per_unit(network, flow, at, wire);
        let all = lastmeter_grid::network::Wire::PHASES.into_iter().filter_map(of);
        voltages.extend(all.map(|voltage| (voltage, &*node.name)));
    }
    let lowest = voltages.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
    let highest = voltages.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    (delivered, drawn, [lowest, highest])
}

fn text(network: &Network, steps: &[Step], file: &Path) -> String {
    let width = steps.iter().map(|step| step.time.chars().count()).max().unwrap_or(0).max(4);
    let mut text = format!("{}\n{} steps\n\n", file.display(), steps.len());
    let _ = writeln!(
        text,
        "{:<width$} {:>12} {:>12} {:>10}   {:>8} {:20} {:>8} at",
        "time", "sources kW", "loads kW", "losses kW", "lowest", "pu at", "highest"
    );
    for step in steps {
        let (delivered, drawn, ends) = figures(network, &step.flow);
        let _ = write!(
            text,
            "{:<width$} {:>12.3} {:>12.3} {:>10.3}  ",
            step.time,
            delivered.re / 1e3,
            drawn.re / 1e3,
            step.flow.losses_va.re / 1e3
        );
        for (voltage, at) in ends.into_iter().flatten() {
            let _ = write!(text, " {voltage:>8.5} {at:20}");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn csv(network: &Network, steps: &[Step]) -> String {
    let mut text = String::from(
        "time,source_w,source_var,load_w,load_var,losses_w,lowest_pu,lowest_at,highest_pu,highest_at\n",
    );
    for step in steps {
        let (delivered, drawn, ends) = figures(network, &step.flow);
        let _ = write!(
            text,
            "{},{},{},{},{},{}",
            super::show::quoted(&step.time),
            delivered.re,
            delivered.im,
            drawn.re,
            drawn.im,
            step.flow.losses_va.re
        );
        for end in ends {
            match end {
                Some((voltage, at)) => {
                    let _ = write!(text, ",{voltage},{}", super::show::quoted(at));
                }
                None => text.push_str(",,"),
            }
        }
        text.push('\n');
    }
    text
}

/// The batch output of power-grid-model: the data of one step after another, each with its time.
fn json(read: &Read, steps: &[Step], choices: &Options) -> String {
    let mut data = Vec::with_capacity(steps.len());
    let mut whole = serde_json::Value::Null;
    for step in steps {
        let one = super::one_json(read, &step.flow, choices.phases, None);
        let mut one: serde_json::Value = serde_json::from_str(&one).unwrap_or_default();
        data.push(one["data"].take());
        if whole.is_null() {
            whole = one;
        }
    }
    whole["is_batch"] = true.into();
    whole["data"] = data.into();
    let told = steps.iter().map(|step| {
        serde_json::json!({
            "time": step.time,
            "iterations": step.flow.iterations,
            "residual": step.flow.residual_va,
            "losses_w": step.flow.losses_va.re,
        })
    });
    whole["lastmeter"] = serde_json::json!({ "steps": told.collect::<Vec<_>>() });
    let mut text = serde_json::to_string(&whole).unwrap_or_default();
    text.push('\n');
    text
}
