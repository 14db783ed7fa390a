//! The part of a report about a publication: its table beside ours, which rows are reproduced and
//! which are not, and its surfaces.

use lastmeter_chart::{Chart, DATA, INK};
use lastmeter_params::Table;
use serde::Serialize;

use super::request::{Request, Rule};
use super::{TableCheck, transducer};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::checks::test_plan::section::surface::{Fields, field, short};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::Fact;
use crate::render::pictures::tables;
use crate::render::template::fill;
use crate::standard::{Deviation, DeviationSurface, Deviations};
use lastmeter_plans::standard::{Plan, Published, Surface, TRANSDUCER_FILE};
use lastmeter_text::{number, plural};

const TEMPLATE: &str = include_str!("section.html");

#[derive(Serialize)]
struct Section {
    title: String,
    facts: Vec<Fact>,
    notes: String,
    device: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    assumed: Vec<Assumed>,
    excuses: Vec<Excuse>,
    pictures: Vec<Picture>,
    transducer: Vec<Picture>,
    links: String,
}

/// A meter, beside the published values.
#[derive(Serialize)]
struct Column {
    name: String,
    /// How often it samples, as in its table.
    rate: String,
    /// Whether a check states of its rows that they are reproduced, or are not.
    is_held: bool,
}

#[derive(Serialize)]
struct Row {
    title: String,
    fitted: bool,
    published: String,
    cells: Vec<Cell>,
    readings: u64,
    left_out: u64,
}

#[derive(Serialize)]
struct Cell {
    value: String,
    ratio: String,
    outcome: String,
    is_good: bool,
    is_held: bool,
}

/// What a pass rests on that was not published.
#[derive(Serialize)]
struct Assumed {
    device: String,
    text: String,
}

/// A row that is not reproduced, and why.
#[derive(Serialize)]
struct Excuse {
    title: String,
    device: String,
    value: String,
    published: String,
    ratio: String,
    text: String,
}

/// The section; `None` if the run has no plan with published values.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let plan = input.scenario.plan.as_deref();
    let Some(plan) = plan.filter(|plan| !plan.test_plan.published.is_empty()) else {
        return Ok(None);
    };
    let (reader, document) = (input.reader, &input.scenario.document);
    let facts = reader.facts();
    let device = plan.claim.device.clone();
    let others = facts.devices.iter().map(|one| one.name.clone()).filter(|name| *name != device);
    let all: Vec<String> = [device.clone()].into_iter().chain(others).collect();
    let mut deviations = Deviations::new(plan.clone(), &all, facts.start);
    let mut rows = reader.observations()?;
    // What cannot be read of the record is reported by the verdicts.
    while let Ok(Some(row)) = rows.next_row() {
        deviations.observation(&row);
    }
    let tables: Vec<Vec<Deviation>> = all.iter().map(|name| deviations.table(name)).collect();
    let requests: Vec<&Request> =
        input.scenario.of::<TableCheck>().map(|check| &check.request).collect();
    let links = Figure::table("published-table", table_csv(plan, &all, &tables)).keep(figures);
    let mut pictures = Vec::new();
    for (index, surface) in plan.test_plan.surfaces.iter().enumerate() {
        pictures.extend(picture(&deviations, index, surface, &all, figures));
    }
    let curves = facts.files.get(TRANSDUCER_FILE).map(String::as_str);
    let beside = Beside { plan, devices: &all, tables: &tables, requests: &requests };
    let section = Section {
        title: plan.test_plan.title.clone(),
        facts: facts_of(plan),
        notes: plan.test_plan.notes.clone(),
        columns: all.iter().map(|name| beside.column(name, document)).collect(),
        rows: (0..plan.test_plan.published.len()).map(|index| beside.row(index)).collect(),
        assumed: beside.assumed(),
        excuses: beside.excuses(),
        pictures,
        transducer: transducer::pictures(curves.unwrap_or(""), figures),
        device,
        links,
    };
    Ok(Some(fill("published.html", TEMPLATE, &section)?.into()))
}

fn facts_of(plan: &Plan) -> Vec<Fact> {
    let claim = &plan.claim;
    let readings = plan.points.iter().map(|point| u64::from(point.readings)).sum::<u64>();
    vec![
        Fact::new("published in", plan.test_plan.edition.clone()),
        Fact::new("100 %", format!("{} V, {} A", number(claim.voltage), number(claim.maximum))),
        Fact::new("points", plan.points.len().to_string()),
        Fact::new("readings that count", readings.to_string()),
    ]
}

/// Several meters' deviations beside the published ones, and what checks state of them.
struct Beside<'a> {
    plan: &'a Plan,
    devices: &'a [String],
    tables: &'a [Vec<Deviation>],
    requests: &'a [&'a Request],
}

impl Beside<'_> {
    /// The checks that state of a meter's rows whether they are reproduced.
    fn about<'b>(&'b self, device: &'b str) -> impl Iterator<Item = &'b Request> {
        let of = move |one: &&Request| one.is_about_the_band() && one.device == device;
        self.requests.iter().copied().filter(of)
    }

    fn column(&self, name: &str, document: &Table) -> Column {
        let mut own = tables(document, "device").filter(|table| table.text("name") == Some(name));
        let rate = own.find_map(|table| table.text("sample_rate"));
        Column {
            name: name.to_owned(),
            rate: rate.unwrap_or_default().to_owned(),
            is_held: self.about(name).next().is_some(),
        }
    }

    fn row(&self, index: usize) -> Row {
        let row = &self.plan.test_plan.published[index];
        let cells = self.devices.iter().zip(self.tables);
        Row {
            title: row.title.clone(),
            fitted: row.fitted,
            published: row.describe(),
            cells: cells.map(|(device, table)| self.cell(device, &table[index], row)).collect(),
            readings: self.tables[0][index].readings,
            left_out: self.tables[0][index].left_out,
        }
    }

    fn cell(&self, device: &str, found: &Deviation, row: &Published) -> Cell {
        let ratio = found.ratio(row);
        let is_named = |one: &&Request| one.rows.iter().any(|(index, _)| *index == found.row);
        let rule = self.about(device).find(is_named).map(|one| one.rule);
        let is_inside = rule.zip(ratio).is_some_and(|(rule, ratio)| rule.allows(ratio));
        let percent = |part: f64| number(100.0 * part);
        let outcome = match (rule, is_inside) {
            (Some(Rule::Within(part)), true) => format!("within {} %", percent(part)),
            (Some(Rule::Within(part)), false) => format!("not within {} %", percent(part)),
            (Some(Rule::NotReproduced(_)), false) => "not reproduced".to_owned(),
            (Some(Rule::NotReproduced(_)), true) => "reproduced after all".to_owned(),
            _ => String::new(),
        };
        Cell {
            value: found.rms.map_or_else(|| "-".to_owned(), |rms| row.value_text(rms)),
            ratio: ratio.map_or_else(|| "-".to_owned(), number),
            outcome,
            is_good: is_inside,
            is_held: self.about(device).next().is_some(),
        }
    }

    fn assumed(&self) -> Vec<Assumed> {
        let all = self.requests.iter().filter_map(|one| {
            Some(Assumed { device: one.device.clone(), text: one.qualification.clone()? })
        });
        all.collect()
    }

    fn excuses(&self) -> Vec<Excuse> {
        let mut excuses = Vec::new();
        for request in self.requests.iter().filter(|one| one.is_not_reproduced()) {
            let Some(table) = self.devices.iter().position(|name| *name == request.device) else {
                continue;
            };
            for (index, text) in &request.rows {
                let row = &self.plan.test_plan.published[*index];
                let cell = self.cell(&request.device, &self.tables[table][*index], row);
                excuses.push(Excuse {
                    title: row.title.clone(),
                    device: request.device.clone(),
                    value: cell.value,
                    published: row.describe(),
                    ratio: cell.ratio,
                    text: text.clone(),
                });
            }
        }
        excuses
    }
}

/// Every device's figures for every row.
fn table_csv(plan: &Plan, devices: &[String], tables: &[Vec<Deviation>]) -> String {
    let mut csv = Csv::new(
        "device,row,quantity,unit,kind,published,rms,mean,worst,ratio,readings,points,left_out,\
         missing",
    );
    for (device, table) in devices.iter().zip(tables) {
        for found in table {
            let row = &plan.test_plan.published[found.row];
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
    let row = &deviations.plan().test_plan.published[surface.row];
    let shown = deviations.surface(index, &devices[0])?;
    let (x, y) = (surface.x.describe(), surface.y.describe());
    let mut csv = Csv::new(&format!("device,{x},{y},rms,readings"));
    for device in devices {
        let drawn = deviations.surface(index, device)?;
        for cell in &drawn.cells {
            let numbers = [cell.rms.unwrap_or(f64::NAN), cell.readings as f64];
            csv.line(&[device, &drawn.x[cell.x], &drawn.y[cell.y]], &numbers);
        }
    }
    let svg = svg(&surface.title, surface, row, &shown);
    let figure = Figure::drawn(&surface.name, svg, csv.finish());
    let empty = shown.cells.iter().filter(|cell| cell.rms.is_none()).count() as u64;
    let empty = match empty {
        0 => String::new(),
        count => format!("; {} without readings that count", plural(count, "field")),
    };
    let unit = match row.unit() {
        unit if unit.is_empty() => String::new(),
        unit => format!(" in {unit}"),
    };
    let caption = format!(
        "r.m.s. deviation{unit} of {}; the fuller the colour, the larger{empty}",
        devices[0]
    );
    Some(Picture::of(figure, &surface.title, caption, figures))
}

fn svg(title: &str, surface: &Surface, row: &Published, drawn: &DeviationSurface) -> String {
    let largest = drawn.cells.iter().filter_map(|cell| cell.rms).fold(0.0, f64::max);
    let blocks = drawn.cells.iter().map(|cell| {
        let block = cell.rms.map_or_else(
            || field(INK, 0.08, "nothing counts here".to_owned(), String::new()),
            |rms| {
                let share = if largest > 0.0 { rms / largest } else { 0.0 };
                let share = if share.is_finite() { share } else { 1.0 };
                let readings = plural(cell.readings, "reading");
                let hint = format!("{}, {readings}", row.value_text(rms));
                field(DATA, 0.05 + 0.5 * share, hint, short(rms))
            },
        );
        ((cell.x, cell.y), block)
    });
    let fields = Fields {
        flat: (surface.x.describe(), &drawn.x),
        upright: (surface.y.describe(), &drawn.y),
        height: 24.0,
    };
    Chart::new(title).with_panel(fields.drawn(false, blocks)).svg()
}
