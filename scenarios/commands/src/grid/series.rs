//! A network step by step, as its loads follow a table ([`columns`]).

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use lastmeter_bench::output::Format;
use lastmeter_grid::flow::{self, EndState, Flow, Options};
use lastmeter_grid::network::Wire;
use lastmeter_grid::{Complex64, Network};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{GridOptions, Read, Stop};

mod columns;
#[cfg(test)]
mod tests;

/// What is reported of a step. The rest of its power flow is dropped: a year has many steps.
struct Step<'a> {
    time: &'a str,
    /// Complex power in VA.
    delivered: Complex64,
    /// Complex power in VA.
    drawn: Complex64,
    losses_w: f64,
    /// The lowest and the highest voltage, per unit, and where.
    ends: [Option<(f64, &'a str)>; 2],
}

struct StepOfDocument {
    of_step: OfStep,
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
    read: &mut Read,
    options: &GridOptions,
    file: &Path,
    choices: &Options,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let table = columns::table(file, &read.network, choices.phases)?;
    if table.is_cut {
        read.notes.push(format!("{}: {}", file.display(), lastmeter_waveform::CUT));
    }
    let read = &*read;
    let network = &read.network;
    let rows = table.rows.len();
    let change = |step: usize, changed: &mut Network| table.set(step, network, changed);
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
            let of_step = OfStep {
                time: time(step).to_owned(),
                iterations: flow.iterations,
                residual: flow.residual_va,
                losses_w: flow.losses_va.re,
            };
            let text = super::one_json(read, &flow, choices.phases, None);
            let document =
                serde_json::from_str(&text).map_err(|why| refused(step, why.to_string()))?;
            Ok::<_, Stop>(StepOfDocument { of_step, document })
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

/// What is reported of a step beside its output.
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
    struct BatchDocument {
        version: String,
        r#type: String,
        is_batch: bool,
        attributes: Box<RawValue>,
        data: Vec<Box<RawValue>>,
        lastmeter: StepResults,
    }
    #[derive(Serialize)]
    struct StepResults {
        steps: Vec<OfStep>,
    }
    let mut results = StepResults { steps: Vec::with_capacity(steps.len()) };
    let (mut head, mut data) = (None, Vec::with_capacity(steps.len()));
    for StepOfDocument { of_step, document } in steps {
        let Document { version, r#type, attributes, data: own, .. } = document;
        results.steps.push(of_step);
        data.push(own);
        head.get_or_insert((version, r#type, attributes));
    }
    let Some((version, r#type, attributes)) = head else { return String::new() };
    let whole =
        BatchDocument { version, r#type, is_batch: true, attributes, data, lastmeter: results };
    let mut text = serde_json::to_string(&whole).unwrap_or_default();
    text.push('\n');
    text
}
