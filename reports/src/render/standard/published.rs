//! The part of a report about a publication: its table beside ours, and its surfaces.

use serde::Serialize;

use super::super::figure::{Csv, Figure};
use super::super::page::Fact;
use super::super::svg::{Anchor, DATA, Drawing, INK};
use super::super::{RenderError, fill};
use super::surface::short;
use super::{Key, Picture, transducer};
use crate::console::number;
use crate::record::RunReader;
use crate::standard::{Deviation, Deviations, Drawn, Plan, Published, Surface, TRANSDUCER_FILE};
use crate::text::plural;

const TEMPLATE: &str = include_str!("../published.html");

/// Beyond this ratio, either way, a figure is explained.
const FAR: f64 = 2.0;

#[derive(Serialize)]
struct Section {
    title: String,
    facts: Vec<Fact>,
    notes: String,
    device: String,
    others: Vec<String>,
    rows: Vec<Row>,
    explanations: Vec<Explanation>,
    pictures: Vec<Picture>,
    transducer: Vec<Picture>,
    links: String,
}

#[derive(Serialize)]
struct Row {
    title: String,
    name: String,
    fitted: bool,
    published: String,
    measured: String,
    ratio: String,
    far: bool,
    others: Vec<String>,
    readings: u64,
    left_out: u64,
}

#[derive(Serialize)]
struct Explanation {
    title: String,
    ratio: String,
    text: String,
}

/// The part of the page for a plan with published figures.
pub(super) fn section(
    reader: &RunReader,
    plan: &Plan,
    figures: &mut Vec<Figure>,
) -> Result<String, RenderError> {
    let facts = reader.facts();
    let device = plan.claim.device.clone();
    let others: Vec<String> = facts.devices.iter().map(|one| one.name.clone()).collect();
    let others: Vec<String> = others.into_iter().filter(|name| *name != device).collect();
    let mut all = vec![device.clone()];
    all.extend(others.iter().cloned());
    let mut deviations = Deviations::new(plan.clone(), &all, facts.start);
    let mut rows = reader.observations()?;
    // What cannot be read of the record is told by the verdicts.
    while let Ok(Some(row)) = rows.next_row() {
        deviations.observation(&row);
    }
    let tables: Vec<Vec<Deviation>> = all.iter().map(|name| deviations.table(name)).collect();
    let published = &plan.suite.published;
    let made: Vec<Row> =
        published.iter().enumerate().map(|(n, row)| row_of(row, n, &tables)).collect();
    let explanations = published.iter().zip(&made).filter(|(_, made)| made.far);
    let explanations = explanations.map(|(row, made)| Explanation {
        title: row.title.clone(),
        ratio: made.ratio.clone(),
        text: match row.explanation.as_str() {
            "" => "no explanation".to_owned(),
            text => text.to_owned(),
        },
    });
    let table = Figure {
        name: "published-table".to_owned(),
        svg: None,
        csv: Some(table_csv(plan, &all, &tables)),
    };
    let links = table.links();
    figures.push(table);
    let mut pictures = Vec::new();
    for (index, surface) in plan.suite.surfaces.iter().enumerate() {
        pictures.extend(picture(&deviations, index, surface, &all, figures));
    }
    let curves = facts.files.get(TRANSDUCER_FILE).map(String::as_str);
    let section = Section {
        title: plan.suite.title.clone(),
        facts: facts_of(plan),
        notes: plan.suite.notes.clone(),
        explanations: explanations.collect(),
        rows: made,
        pictures,
        transducer: transducer::pictures(curves.unwrap_or(""), figures),
        device,
        others,
        links,
    };
    Ok(fill("published.html", TEMPLATE, &section)?)
}

fn facts_of(plan: &Plan) -> Vec<Fact> {
    let claim = &plan.claim;
    let readings = plan.points.iter().map(|point| u64::from(point.readings)).sum::<u64>();
    vec![
        Fact::new("published in", plan.suite.edition.clone()),
        Fact::new("100 %", format!("{} V, {} A", number(claim.voltage), number(claim.maximum))),
        Fact::new("points", plan.points.len().to_string()),
        Fact::new("readings that count", readings.to_string()),
    ]
}

fn row_of(row: &Published, index: usize, tables: &[Vec<Deviation>]) -> Row {
    let told = |table: &Vec<Deviation>| {
        table[index].rms.map_or_else(|| "-".to_owned(), |rms| row.figure_told(rms))
    };
    let found = &tables[0][index];
    let ratio = found.ratio(row);
    Row {
        title: row.title.clone(),
        name: row.name.clone(),
        fitted: row.fitted,
        published: row.told(),
        measured: told(&tables[0]),
        ratio: ratio.map_or_else(|| "-".to_owned(), number),
        far: ratio.is_some_and(|ratio| !(1.0 / FAR..=FAR).contains(&ratio)),
        others: tables[1..].iter().map(told).collect(),
        readings: found.readings,
        left_out: found.left_out,
    }
}

/// Every device's figures for every row.
fn table_csv(plan: &Plan, devices: &[String], tables: &[Vec<Deviation>]) -> String {
    let mut csv = Csv::new(&[
        "device",
        "row",
        "quantity",
        "unit",
        "kind",
        "published",
        "rms",
        "mean",
        "worst",
        "ratio",
        "readings",
        "points",
        "left_out",
        "missing",
    ]);
    for (device, table) in devices.iter().zip(tables) {
        for found in table {
            let row = &plan.suite.published[found.row];
            let kind = if row.fitted { "fitted" } else { "predicted" };
            let unit = match row.unit() {
                unit if unit.is_empty() => "1".to_owned(),
                unit => unit,
            };
            csv.line(
                &[device, &row.name, row.quantity.name(), &unit, kind],
                &[
                    row.figure.value(),
                    found.rms.unwrap_or(f64::NAN),
                    found.mean,
                    found.worst,
                    found.ratio(row).unwrap_or(f64::NAN),
                    found.readings as f64,
                    found.points as f64,
                    found.left_out as f64,
                    found.missing as f64,
                ],
            );
        }
    }
    csv.finish()
}

/// A surface of the device under test; its table has all devices.
fn picture(
    deviations: &Deviations,
    index: usize,
    surface: &Surface,
    devices: &[String],
    figures: &mut Vec<Figure>,
) -> Option<Picture> {
    let row = &deviations.plan().suite.published[surface.row];
    let shown = deviations.surface(index, &devices[0])?;
    let mut csv = Csv::new(&["device", surface.x.told(), surface.y.told(), "rms", "readings"]);
    for device in devices {
        let drawn = deviations.surface(index, device)?;
        for cell in &drawn.cells {
            let numbers = [cell.rms.unwrap_or(f64::NAN), cell.readings as f64];
            csv.line(&[device, &drawn.x[cell.x], &drawn.y[cell.y]], &numbers);
        }
    }
    let svg = svg(&surface.title, surface, row, &shown);
    let figure = Figure { name: surface.name.clone(), svg: Some(svg), csv: Some(csv.finish()) };
    let empty = shown.cells.iter().filter(|cell| cell.rms.is_none()).count() as u64;
    let empty = match empty {
        0 => String::new(),
        count => format!("; {} without readings that count", plural(count, "field")),
    };
    let unit = match row.unit() {
        unit if unit.is_empty() => String::new(),
        unit => format!(" in {unit}"),
    };
    let picture = Picture {
        title: surface.title.clone(),
        svg: figure.svg.clone().unwrap_or_default(),
        caption: format!(
            "r.m.s. deviation{unit} of {}; the fuller the colour, the larger{empty}",
            devices[0]
        ),
        links: figure.links(),
        keys: Vec::<Key>::new(),
    };
    figures.push(figure);
    Some(picture)
}

fn svg(title: &str, surface: &Surface, row: &Published, drawn: &Drawn) -> String {
    let (left, top, right) = (74.0, 24.0, 546.0);
    let height = 30.0;
    let width = (right - left) / drawn.x.len().max(1) as f64;
    let bottom = top + height * drawn.y.len() as f64;
    let mut drawing = Drawing::new(560.0, bottom + 44.0, title);
    drawing.text((0.0, 13.0), Anchor::Start, INK, surface.y.told());
    let middle = f64::midpoint(left, right);
    drawing.text((middle, bottom + 36.0), Anchor::Middle, INK, surface.x.told());
    for (place, label) in drawn.y.iter().enumerate() {
        let y = bottom - height * (place as f64 + 0.5) + 4.0;
        drawing.text((left - 7.0, y), Anchor::End, INK, label);
    }
    for (place, label) in drawn.x.iter().enumerate() {
        let x = left + width * (place as f64 + 0.5);
        drawing.text((x, bottom + 16.0), Anchor::Middle, INK, label);
    }
    let largest = drawn.cells.iter().filter_map(|cell| cell.rms).fold(0.0, f64::max);
    for cell in &drawn.cells {
        let x = left + width * cell.x as f64 + 1.0;
        let y = bottom - height * (cell.y as f64 + 1.0) + 1.0;
        let size = (width - 2.0, height - 2.0);
        let Some(rms) = cell.rms else {
            drawing.block((x, y), size, (INK, 0.08), "nothing counts here");
            continue;
        };
        let share = if largest > 0.0 { rms / largest } else { 0.0 };
        let share = if share.is_finite() { share } else { 1.0 };
        let opacity = (100.0 * (0.05 + 0.5 * share)).round() / 100.0;
        let told = format!("{}, {}", row.figure_told(rms), plural(cell.readings, "reading"));
        drawing.block((x, y), size, (DATA, opacity), &told);
        let at = (x + size.0 / 2.0, y + size.1 / 2.0 + 4.0);
        drawing.sized_text(at, Anchor::Middle, INK, 11.0, &short(rms));
    }
    drawing.finish()
}
