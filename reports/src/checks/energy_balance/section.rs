//! The part of a report about the plant's network: what flowed, what was lost, which voltages there
//! were, from the run folder alone.

use lastmeter_chart::{Axis, BAD, Block, Chart, Colour, DATA, Figures, Panel};
use serde::Serialize;

use super::EnergyBalance;
use crate::check::kind::{SectionHtml, SectionInput, as_type};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::Fact;
use crate::render::template::fill;
use lastmeter_record::{GridRow, GridTable, RecordError, RunReader, Status, file, read_grid_table};
use lastmeter_text::{Prose, number};

const TEMPLATE: &str = include_str!("section.html");

/// More rows than these are no picture; those farthest from the rated voltage are shown then.
const NODES_MAX: usize = 120;
/// The day's hours, or as many parts of whatever the run lasts.
const PARTS_OF_TIME: usize = 24;
/// The height of a node's row in units of the picture: its name has small letters.
const ROW_HEIGHT: f64 = 14.5;
const WIRES: [&str; 3] = ["a", "b", "c"];
const KWH: f64 = 3.6e6;

#[derive(Serialize)]
struct Section {
    facts: Vec<Fact>,
    notes: Vec<String>,
    balances: Vec<Balance>,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct Balance {
    check: String,
    status: Status,
    measured: String,
    why: Prose,
}

/// Between which voltages a phase is, step by step, per unit.
struct Range {
    lowest: Vec<f64>,
    highest: Vec<f64>,
}

/// The section; `None` if the run has no network.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let reader = input.reader;
    let Some(mut grid) = reader.grid()? else { return Ok(None) };
    let mut rows = Vec::new();
    // What cannot be read of the record is left out: the verdicts report it.
    while let Ok(Some(row)) = grid.next_row() {
        rows.push(row);
    }
    let voltages = read_grid_table(reader.dir(), file::GRID_VOLTAGES)?.unwrap_or_default();
    let (Some(first), true) = (rows.first(), rows.len() == voltages.rows.len()) else {
        return Ok(None);
    };
    let phases = by_phase(&voltages);
    let mut pictures = diagrams(reader, &rows, &voltages, figures)?;
    pictures.push(phases_over_time(&rows, &phases, figures));
    pictures.push(losses(&rows, figures));
    pictures.push(heat_map(&rows, &voltages, figures));
    let section = Section {
        facts: facts(&rows, &first.length.to_string()),
        notes: notes(&rows, &phases),
        balances: balances(input),
        pictures,
    };
    Ok(Some(fill("network.html", TEMPLATE, &section)?.into()))
}

fn energy(rows: &[GridRow], power: impl Fn(&GridRow) -> f64) -> f64 {
    rows.iter().map(|row| power(row) * row.length.as_seconds_f64()).sum::<f64>() / KWH
}

fn facts(rows: &[GridRow], step: &str) -> Vec<Fact> {
    let supplied = energy(rows, |row| row.p_w.iter().sum());
    let lost = energy(rows, |row| row.losses.0);
    let kwh = |energy: f64| format!("{} kWh", number(energy));
    vec![
        Fact::new("steps", format!("{} of {step}", rows.len())),
        Fact::new("from the sources", kwh(supplied)),
        Fact::new("to the loads", kwh(energy(rows, |row| row.loads.0))),
        Fact::new("lost", kwh(lost)),
    ]
}

/// Where and when voltages were lowest and highest, and which phase is the worst.
fn notes(rows: &[GridRow], phases: &[Range; 3]) -> Vec<String> {
    let mut notes = Vec::new();
    let low = rows.iter().min_by(|a, b| a.lowest.0.total_cmp(&b.lowest.0));
    let high = rows.iter().max_by(|a, b| a.highest.0.total_cmp(&b.highest.0));
    if let (Some(low), Some(high)) = (low, high) {
        let describe = |(voltage, at): &(f64, String)| format!("{:.2} % at {at}", 100.0 * voltage);
        notes.push(format!(
            "The lowest voltage was {} ({}), the highest {} ({}).",
            describe(&low.lowest),
            low.time,
            describe(&high.highest),
            high.time
        ));
    }
    let farthest = |phase: &Range| {
        let all = phase.lowest.iter().chain(&phase.highest).filter(|it| it.is_finite());
        all.map(|voltage| off(*voltage)).fold(0.0, f64::max)
    };
    let worst = (0..3).max_by(|a, b| farthest(&phases[*a]).total_cmp(&farthest(&phases[*b])));
    let (most, all) = rows.iter().fold(([0.0; 3], 0.0), |(mut sums, all), row| {
        sums.iter_mut().zip(row.p_w).for_each(|(sum, power): (&mut f64, _)| *sum += power.abs());
        (sums, all + row.p_w.iter().map(|power| power.abs()).sum::<f64>())
    });
    if let Some(worst) = worst {
        let shares =
            [0, 1, 2].map(|at| format!("{} {} %", WIRES[at], number(100.0 * most[at] / all)));
        notes.push(format!(
            "The worst phase is {}, where a voltage was farthest from the rated one. Of what the \
             sources exchange with the network go through the phases: {}.",
            WIRES[worst],
            shares.join(", ")
        ));
    }
    notes
}

fn balances(input: &SectionInput<'_>) -> Vec<Balance> {
    let own = input.judged().filter(|(check, _)| as_type::<EnergyBalance>(*check).is_some());
    own.map(|(_, verdict)| Balance {
        check: verdict.check.clone(),
        status: verdict.status,
        measured: verdict.measured.map_or_else(String::new, |it| format!("{} %", number(it))),
        why: verdict.why.clone(),
    })
    .collect()
}

/// Of each phase the lowest and the highest voltage of each step, per unit.
fn by_phase(voltages: &GridTable) -> [Range; 3] {
    WIRES.map(|wire| {
        let of = |name: &String| name.rsplit_once('.').is_some_and(|(_, own)| own == wire);
        let columns: Vec<usize> =
            (0..voltages.columns.len()).filter(|at| of(&voltages.columns[*at])).collect();
        let of_row = |row: &Vec<f64>, start: f64, choose: fn(f64, f64) -> f64| {
            columns.iter().map(|at| row[*at]).filter(|it| *it > 0.0).fold(start, choose)
        };
        let rows = voltages.rows.iter();
        Range {
            lowest: rows.clone().map(|row| of_row(row, f64::INFINITY, f64::min)).collect(),
            highest: rows.map(|row| of_row(row, f64::NEG_INFINITY, f64::max)).collect(),
        }
    })
}

/// The one-line diagrams that the run kept, of the lowest and of the highest voltage.
fn diagrams(
    reader: &RunReader,
    rows: &[GridRow],
    voltages: &GridTable,
    figures: &mut Vec<Figure>,
) -> Result<Vec<Picture>, RenderError> {
    let steps = || rows.iter().zip(&voltages.rows);
    let heaviest = steps().max_by(|a, b| a.0.loads.0.total_cmp(&b.0.loads.0));
    let highest = steps().max_by(|a, b| a.0.highest.0.total_cmp(&b.0.highest.0));
    let mut pictures = Vec::new();
    for (name, word, row) in [
        (file::GRID_HEAVIEST, "the heaviest load", heaviest),
        (file::GRID_HIGHEST, "the highest voltage", highest),
    ] {
        let path = reader.dir().join(name);
        let svg = match std::fs::read_to_string(&path) {
            Ok(svg) => svg,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(RecordError::io("read", &path)(error).into()),
        };
        let Some((row, step)) = row else { continue };
        let mut csv = Csv::new("node,wire,voltage_pu");
        for (column, voltage) in voltages.columns.iter().zip(step) {
            let (node, wire) = column.rsplit_once('.').unwrap_or((column, ""));
            csv.line(&[node, wire], &[*voltage]);
        }
        let figure = Figure::drawn(name.trim_end_matches(".svg"), svg, csv.finish());
        let caption = "nodes and lines coloured by that of their voltages which is farthest from \
                       the rated one; point at one for its values";
        pictures.push(Picture::of(figure, format!("{word}: {}", row.time), caption, figures));
    }
    Ok(pictures)
}

/// Places of a colour scale of voltages, per unit, with red, green and blue: the diagram's.
const SCALE: [(f64, [f64; 3]); 5] = [
    (0.90, [165.0, 0.0, 38.0]),
    (0.95, [244.0, 109.0, 67.0]),
    (1.00, [26.0, 152.0, 80.0]),
    (1.05, [69.0, 117.0, 180.0]),
    (1.10, [73.0, 20.0, 134.0]),
];

fn colour(per_unit: f64) -> Colour {
    if per_unit.is_nan() {
        return Colour(0x99, 0x99, 0x99);
    }
    let at = per_unit.clamp(SCALE[0].0, SCALE[SCALE.len() - 1].0);
    let pair = SCALE.windows(2).find(|pair| at <= pair[1].0).unwrap_or(&SCALE[..2]);
    let share = (at - pair[0].0) / (pair[1].0 - pair[0].0);
    let part = |k: usize| (pair[0].1[k] + (pair[1].1[k] - pair[0].1[k]) * share).round() as u8;
    Colour(part(0), part(1), part(2))
}

/// A node, and its voltage farthest from the rated one in each part of the time.
type NodeRow = (String, Vec<f64>);

fn nodes(voltages: &GridTable) -> Vec<NodeRow> {
    let parts = PARTS_OF_TIME.min(voltages.rows.len()).max(1);
    let mut nodes: Vec<NodeRow> = Vec::new();
    for (at, column) in voltages.columns.iter().enumerate() {
        let Some((node, wire)) = column.rsplit_once('.') else { continue };
        if !WIRES.contains(&wire) {
            continue;
        }
        if nodes.last().is_none_or(|(last, _)| last != node) {
            nodes.push((node.to_owned(), vec![f64::NAN; parts]));
        }
        let Some((_, shown)) = nodes.last_mut() else { continue };
        for (step, row) in voltages.rows.iter().enumerate() {
            let part = step * parts / voltages.rows.len();
            let is_farther = shown[part].is_nan() || off(row[at]) > off(shown[part]);
            if row[at] > 0.0 && is_farther {
                shown[part] = row[at];
            }
        }
    }
    if nodes.len() > NODES_MAX {
        let farthest = |row: &NodeRow| row.1.iter().copied().map(off).fold(0.0, f64::max);
        nodes.sort_by(|a, b| farthest(b).total_cmp(&farthest(a)));
        nodes.truncate(NODES_MAX);
    }
    nodes
}

/// How far a voltage is from the rated one.
fn off(per_unit: f64) -> f64 {
    (per_unit - 1.0).abs()
}

fn field(from: (f64, f64), to: (f64, f64), voltage: f64) -> Block {
    let (colour, hint, text) = (colour(voltage), String::new(), String::new());
    Block { from, to, colour, opacity: 1.0, hint, text }
}

fn heat_map(rows: &[GridRow], voltages: &GridTable, figures: &mut Vec<Figure>) -> Picture {
    let nodes = nodes(voltages);
    let parts = nodes.first().map_or(1, |(_, lowest)| lowest.len());
    let (from_s, length_s) = (seconds(rows, 0), total_s(rows));
    let at = |part: usize| from_s + length_s * part as f64 / parts as f64;
    // The first node is on top.
    let names = Axis::categories(nodes.iter().rev().map(|(node, _)| node)).named("node");
    let time = Axis::time(length_s).named(format!("since {}", rows[0].time));
    let mut map = Panel::new(time, names, ROW_HEIGHT * nodes.len().max(1) as f64);
    let mut csv = Csv::new("node,from_s,to_s,farthest_pu");
    for ((node, shown), y) in nodes.iter().zip((0..nodes.len()).rev()) {
        for (part, voltage) in shown.iter().enumerate() {
            csv.line(&[node], &[at(part), at(part + 1), *voltage]);
            // No paper shows between neighbours.
            let (y, more) = (y as f64, 0.02);
            let to_s = at(part + 1) + more * length_s / parts as f64;
            map.block(field((at(part), y - more), (to_s, y + 1.0), *voltage));
        }
    }
    let [from, to] = [SCALE[0].0, SCALE[SCALE.len() - 1].0];
    let voltage = Axis::linear(from, to, Figures::Plain).named("voltage, per unit");
    let mut legend = Panel::new(voltage, Axis::bare(), 10.0);
    for step in 0..40 {
        let at = |step: i32| from + (to - from) * f64::from(step) / 40.0;
        let middle = f64::midpoint(at(step), at(step + 1));
        legend.block(field((at(step), 0.0), (at(step + 1), 1.0), middle));
    }
    let chart = Chart::new("the voltage of each node over time");
    let svg = chart.with_panel(map).with_panel(legend).svg();
    let figure = Figure::drawn("grid-voltages", svg, csv.finish());
    let caption = "of a node's phases, in each part of the run, what is farthest from the rated \
                   voltage";
    Picture::of(figure, "voltages by node and time", caption, figures)
}

fn seconds(rows: &[GridRow], step: usize) -> f64 {
    (rows[step].time - rows[0].time).as_seconds_f64()
}

fn total_s(rows: &[GridRow]) -> f64 {
    rows.last().map_or(1.0, |last| seconds(rows, rows.len() - 1) + last.length.as_seconds_f64())
}

/// Curves over time with their legend.
fn curves(rows: &[GridRow], label: &str, unit: &str, series: &[(Colour, &str, &[f64])]) -> String {
    let values = series.iter().flat_map(|(.., values)| values.iter().copied());
    let upright = Axis::around(values, Figures::Plain).named(unit);
    let time = Axis::time(total_s(rows)).named(format!("since {}", rows[0].time));
    let (mut panel, mut chart) = (Panel::new(time, upright, 170.0), Chart::new(label));
    for (colour, name, values) in series {
        let steps = values.iter().enumerate().filter(|(_, value)| value.is_finite());
        panel.line(steps.map(|(step, value)| (seconds(rows, step), *value)), *colour, 1.2);
        if !name.is_empty() {
            chart = chart.with_key(*colour, *name);
        }
    }
    chart.with_panel(panel).svg()
}

fn phases_over_time(rows: &[GridRow], phases: &[Range; 3], figures: &mut Vec<Figure>) -> Picture {
    let mut csv = Csv::new("time,a_lowest,a_highest,b_lowest,b_highest,c_lowest,c_highest");
    for (step, row) in rows.iter().enumerate() {
        let figures = phases.iter().flat_map(|phase| [phase.lowest[step], phase.highest[step]]);
        csv.line(&[&row.time.to_string()], &figures.collect::<Vec<f64>>());
    }
    let of = |(at, phase): (usize, &'_ Range)| {
        let (colour, name) = (Colour::of_curve(at), ["phase a", "phase b", "phase c"][at]);
        [(colour, name, phase.lowest.clone()), (colour, "", phase.highest.clone())]
    };
    let series: Vec<_> = phases.iter().enumerate().flat_map(of).collect();
    let series: Vec<_> =
        series.iter().map(|(colour, name, it)| (*colour, *name, &it[..])).collect();
    let label = "the lowest and the highest voltage of each phase over time";
    let svg = curves(rows, label, "voltage, per unit", &series);
    let figure = Figure::drawn("grid-phases", svg, csv.finish());
    let caption = "of each phase, wherever in the network it is, per unit of the rated voltage";
    Picture::of(figure, "lowest and highest voltage", caption, figures)
}

fn losses(rows: &[GridRow], figures: &mut Vec<Figure>) -> Picture {
    let mut csv = Csv::new("time,losses_w,declared_losses_w");
    for row in rows {
        csv.line(&[&row.time.to_string()], &[row.losses.0, row.declared_losses.0]);
    }
    let plant: Vec<f64> = rows.iter().map(|row| row.losses.0 / 1e3).collect();
    let declared: Vec<f64> = rows.iter().map(|row| row.declared_losses.0 / 1e3).collect();
    let differs = rows.iter().any(|row| row.losses != row.declared_losses);
    let (series, caption) = if differs {
        let both = [
            (BAD, "of the plant", &plant[..]),
            (DATA, "of the network as it is written down", &declared[..]),
        ];
        (both.to_vec(), "the plant's lines are not what is written down")
    } else {
        (vec![(DATA, "", &plant[..])], "lines, transformers, switches and shunts")
    };
    let svg = curves(rows, "losses of the network over time", "losses in kW", &series);
    let figure = Figure::drawn("grid-losses", svg, csv.finish());
    Picture::of(figure, "losses", caption, figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_shows_what_is_farthest_from_the_rated_voltage_in_each_part() {
        let columns = ["n.a", "n.b", "m.1.a", "m.1.n"].map(str::to_owned).to_vec();
        let rows = (0..48).map(|step| vec![1.02, 0.99 - 0.001 * f64::from(step), 0.0, 0.1]);
        let found = nodes(&GridTable { columns, rows: rows.collect() });
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("n", "m.1"));
        // Two steps are a part of the picture. At first the other phase is farther off.
        assert_eq!(found[0].1.len(), 24);
        assert!((found[0].1[0] - 1.02).abs() < 1e-12);
        assert!((found[0].1[23] - (0.99 - 0.047)).abs() < 1e-12);
        // What is dead has no voltage, not a low one.
        assert!(found[1].1.iter().all(|voltage| voltage.is_nan()));
    }

    #[test]
    fn the_scale_is_that_of_the_diagram() {
        for (value, expected) in [
            (0.8, "#a50026"),
            (0.95, "#f46d43"),
            (1.0, "#1a9850"),
            (1.1, "#491486"),
            (9.0, "#491486"),
        ] {
            assert_eq!(colour(value).to_string().to_lowercase(), expected, "{value}");
        }
    }
}
