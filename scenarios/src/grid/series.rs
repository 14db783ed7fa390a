//! A network step by step, as its loads follow a table.
//!
//! The table is CSV: the first column tells the time of each row as it likes, but where it can be
//! read as times they go on. Every other column is a load's active power in watts (`NAME`, or
//! `NAME.p_w`) or its reactive power in vars (`NAME.q_var`). A load without a column stays as the
//! file of the network has it; one whose reactive power has no column keeps its power factor. Of a
//! load in several parts each has its share of the whole as before.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use lastmeter_grid::flow::{self, EndState, Flow, Options};
use lastmeter_grid::network::Wire;
use lastmeter_grid::{Complex64, Network};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Format, GridOptions, Read, Stop};
use crate::language::{other_separator, turns_back};

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

/// What is told of a step. The rest of its power flow is let go: a year has many steps.
struct Step<'a> {
    time: &'a str,
    /// VA.
    delivered: Complex64,
    /// VA.
    drawn: Complex64,
    losses_w: f64,
    /// The lowest and the highest voltage, per unit, and where.
    ends: [Option<(f64, &'a str)>; 2],
}

/// A step in the document of all.
struct StepOfDocument {
    told: OfStep,
    document: Document,
}

/// One output of power-grid-model, or what many of them have in common.
#[derive(Deserialize, Serialize)]
struct Document {
    version: String,
    r#type: String,
    is_batch: bool,
    attributes: Box<RawValue>,
    data: Box<RawValue>,
}

/// Solves all steps. Rows are written as they are solved, a document when all are there.
pub(super) fn answer(
    read: &Read,
    options: &GridOptions,
    file: &Path,
    choices: &Options,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let network = &read.network;
    let table = table(file, network)?;
    let rows = table.rows.len();
    let change = |step: usize, changed: &mut Network| {
        set(network, changed, &table.columns, &table.rows[step].1);
    };
    let time = |step: usize| &*table.rows[step].0;
    let refused = |step: usize, why: String| {
        let (shown, at, time) = (options.file.display(), step + 1, time(step));
        Stop::Refused(format!(
            "error: {shown}: with row {at} ({time}) of {}: {why}",
            file.display()
        ))
    };
    if options.format == Format::Json {
        let steps = flow::series(network, rows, choices, change, |step, _, flow| {
            let flow = flow.map_err(|why| refused(step, why.to_string()))?;
            let told = OfStep {
                time: time(step).to_owned(),
                iterations: flow.iterations,
                residual: flow.residual_va,
                losses_w: flow.losses_va.re,
            };
            let text = super::one_json(read, &flow, choices.phases, None);
            let document =
                serde_json::from_str(&text).map_err(|why| refused(step, why.to_string()))?;
            Ok::<_, Stop>(StepOfDocument { told, document })
        })?;
        out.write_all(json(steps).as_bytes())?;
        return Ok(());
    }
    let as_table = options.format == Format::Table;
    let width = (0..rows).map(|step| time(step).chars().count()).max().unwrap_or(0).max(4);
    let head = if as_table { text_head(&options.file, rows, width) } else { CSV_HEAD.to_owned() };
    out.write_all(head.as_bytes())?;
    flow::series(network, rows, choices, change, |step, _, flow| {
        let flow = flow.map_err(|why| refused(step, why.to_string()))?;
        let step = Step {
            time: time(step),
            delivered: flow.sources.iter().map(EndState::total_va).sum(),
            drawn: flow.loads.iter().flat_map(|load| load.power_va).sum(),
            losses_w: flow.losses_va.re,
            ends: ends(network, &flow),
        };
        let row = if as_table { text_row(&step, width) } else { csv_row(&step) };
        out.write_all(row.as_bytes())?;
        // Whoever follows it sees each step when it is there.
        out.flush()?;
        Ok::<_, Stop>(())
    })?;
    Ok(())
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
    use lastmeter_grid::network::Configuration;
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
    let columns = columns(&head, network).map_err(|why| failed(1, why))?;
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("error: {shown}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut cells = record.iter();
        let time = cells.next().unwrap_or_default().to_owned();
        if let Some((before, _)) = rows.last()
            && turns_back(&head[0], before, &time)
        {
            let why = format!("the time `{time}` is not later than `{before}` of the row before");
            return Err(failed(line, why));
        }
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

/// The load of each column but the first, which has to be the time.
fn columns(head: &csv::StringRecord, network: &Network) -> Result<Vec<(usize, Part)>, String> {
    if let (1, Some(why)) = (head.len(), head.get(0).and_then(other_separator)) {
        return Err(why);
    }
    let of = |title: &str| {
        let (name, part) = named(title);
        Some((network.loads.iter().position(|load| *load.name == *name)?, part))
    };
    if let Some(first) = head.get(0)
        && !first.eq_ignore_ascii_case("time")
        && of(first).is_some()
    {
        return Err(format!(
            "the first column is the time of each row, but this one is called `{first}` as a load \
             of the network is; put a column `time` in front of it"
        ));
    }
    let mut columns = Vec::new();
    for title in head.iter().skip(1) {
        let Some(column) = of(title) else {
            let known: Vec<&str> = network.loads.iter().take(8).map(|load| &*load.name).collect();
            return Err(format!(
                "`{}` is no load of the network; its loads are {}{}",
                named(title).0,
                known.join(", "),
                if network.loads.len() > known.len() { ", ..." } else { "" }
            ));
        };
        if columns.contains(&column) {
            return Err(format!("`{title}` has two columns"));
        }
        columns.push(column);
    }
    if columns.is_empty() {
        return Err("it has no column of a load; expected `time,LOAD,...`".to_owned());
    }
    Ok(columns)
}

/// The load that a column is called by, and which part of its power it has.
fn named(title: &str) -> (&str, Part) {
    match (title.strip_suffix(".p_w"), title.strip_suffix(".q_var")) {
        (Some(name), _) => (name, Part::Active),
        (_, Some(name)) => (name, Part::Reactive),
        _ => (title, Part::Active),
    }
}

/// The lowest and the highest voltage per unit with their nodes.
fn ends<'a>(network: &'a Network, flow: &Flow) -> [Option<(f64, &'a str)>; 2] {
    let voltages = network.nodes.iter().enumerate().flat_map(|(at, node)| {
        let of = move |wire| super::show::per_unit(network, flow, at, wire);
        Wire::PHASES.into_iter().filter_map(of).map(|voltage| (voltage, &*node.name))
    });
    let lowest = voltages.clone().min_by(|a, b| a.0.total_cmp(&b.0));
    [lowest, voltages.max_by(|a, b| a.0.total_cmp(&b.0))]
}

fn text_head(file: &Path, rows: usize, width: usize) -> String {
    format!(
        "{}\n{rows} steps\n\n{:<width$} {:>12} {:>12} {:>10}   {:>8} {:20} {:>8} at\n",
        file.display(),
        "time",
        "sources kW",
        "loads kW",
        "losses kW",
        "lowest",
        "pu at",
        "highest"
    )
}

fn text_row(step: &Step<'_>, width: usize) -> String {
    let mut text = format!(
        "{:<width$} {:>12.3} {:>12.3} {:>10.3}  ",
        step.time,
        step.delivered.re / 1e3,
        step.drawn.re / 1e3,
        step.losses_w / 1e3
    );
    for (voltage, at) in step.ends.iter().flatten() {
        let _ = write!(text, " {voltage:>8.5} {at:20}");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

const CSV_HEAD: &str =
    "time,source_w,source_var,load_w,load_var,losses_w,lowest_pu,lowest_at,highest_pu,highest_at\n";

fn csv_row(step: &Step<'_>) -> String {
    let mut text = format!(
        "{},{},{},{},{},{}",
        super::show::quoted(step.time),
        step.delivered.re,
        step.delivered.im,
        step.drawn.re,
        step.drawn.im,
        step.losses_w
    );
    for end in step.ends {
        match end {
            Some((voltage, at)) => {
                let _ = write!(text, ",{voltage},{}", super::show::quoted(at));
            }
            None => text.push_str(",,"),
        }
    }
    text.push('\n');
    text
}

/// What is told of a step beside its output.
#[derive(Serialize)]
struct OfStep {
    time: String,
    iterations: u32,
    residual: f64,
    losses_w: f64,
}

/// The batch output of power-grid-model: the data of one step after another, each with its time.
fn json(steps: Vec<StepOfDocument>) -> String {
    #[derive(Serialize)]
    struct Whole {
        version: String,
        r#type: String,
        is_batch: bool,
        attributes: Box<RawValue>,
        data: Vec<Box<RawValue>>,
        lastmeter: Told,
    }
    #[derive(Serialize)]
    struct Told {
        steps: Vec<OfStep>,
    }
    let mut told = Told { steps: Vec::with_capacity(steps.len()) };
    let (mut head, mut data) = (None, Vec::with_capacity(steps.len()));
    for StepOfDocument { told: of_step, document } in steps {
        let Document { version, r#type, attributes, data: own, .. } = document;
        told.steps.push(of_step);
        data.push(own);
        head.get_or_insert((version, r#type, attributes));
    }
    let Some((version, r#type, attributes)) = head else { return String::new() };
    let whole = Whole { version, r#type, is_batch: true, attributes, data, lastmeter: told };
    let mut text = serde_json::to_string(&whole).unwrap_or_default();
    text.push('\n');
    text
}
