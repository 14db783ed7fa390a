//! The part of a report about a standard's suite: which classes are met, error curves with limits,
//! surfaces, and every point with the limit it is held against.

mod curves;
pub(in crate::checks) mod surface;

use serde::Serialize;

use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::{Fact, with_prefix};
use crate::render::template::fill;
use crate::standard::{Assessed, ClassLine, Item, TestResult, with_uncertainty};
use lastmeter_plans::standard::{Coordinates, value_text};
use lastmeter_record::Status;
use lastmeter_text::{Prose, number};

const TEMPLATE: &str = include_str!("../section.html");

#[derive(Serialize)]
struct Section {
    title: String,
    classes: Vec<ClassLine>,
    facts: Vec<Fact>,
    notes: String,
    pictures: Vec<Picture>,
    tests: Vec<Test>,
    points: Vec<Row>,
    open: bool,
    claimed: String,
    missing: Vec<NotTested>,
    links: String,
}

#[derive(Serialize)]
struct Test {
    status: Status,
    name: String,
    title: String,
    worst: String,
    limit: String,
    unconfirmed: bool,
    points: usize,
    place: String,
}

#[derive(Serialize)]
struct Row {
    status: Status,
    test: String,
    place: String,
    reported: String,
    reference: String,
    figure: String,
    limit: String,
    clause: String,
    confirmed: bool,
    source: String,
    uncertainty: String,
    budget: String,
    readings: usize,
    why: Prose,
}

#[derive(Serialize)]
struct NotTested {
    name: String,
    place: String,
    title: String,
    why: String,
}

/// The section; `None` if the run has no test plan, or one of a publication.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let plan = input.scenario.plan.as_deref();
    let Some(plan) = plan.filter(|plan| plan.test_plan.published.is_empty()) else {
        return Ok(None);
    };
    let assessed = Assessed::of(input.reader, plan.clone())?;
    let test_plan = &assessed.plan.test_plan;
    let mut pictures = curves::pictures(&assessed, figures);
    pictures.extend(surface::pictures(&assessed, figures));
    let links = Figure::table("suite-points", points_csv(&assessed)).keep(figures);
    let results = || assessed.claimed().tests.iter();
    let points: Vec<Row> = results()
        .flat_map(|result| result.items.iter().map(|item| row(&assessed, result, item)))
        .collect();
    let missing = assessed.claimed().missing(&assessed.plan);
    let missing = missing.into_iter().map(|one| NotTested {
        place: one.place(),
        why: one.why(),
        name: one.name,
        title: one.title,
    });
    let section = Section {
        title: test_plan.title.clone(),
        classes: assessed.summary(),
        facts: facts(&assessed),
        notes: test_plan.notes.clone(),
        pictures,
        tests: results().filter_map(|result| test(&assessed, result)).collect(),
        open: points.len() <= 40,
        points,
        claimed: test_plan.classes[assessed.plan.claim.class].clone(),
        missing: missing.collect(),
        links,
    };
    Ok(Some(fill("standard.html", TEMPLATE, &section)?.into()))
}

fn facts(assessed: &Assessed) -> Vec<Fact> {
    let (plan, test_plan) = (&assessed.plan, &assessed.plan.test_plan);
    let claim = &plan.claim;
    let (limits, confirmed) = test_plan.confirmation();
    vec![
        Fact::new("claimed class", test_plan.classes[claim.class].clone()),
        Fact::new("edition", test_plan.edition.clone()),
        Fact::new("connection", claim.connection.word()),
        Fact::new("Un, fn", format!("{} V, {} Hz", number(claim.voltage), number(claim.frequency))),
        Fact::new("I, Imax", format!("{} A, {} A", number(claim.current), number(claim.maximum))),
        Fact::new("points", plan.points.len().to_string()),
        Fact::new("limits", format!("{confirmed} of {limits} confirmed")),
    ]
}

fn test(assessed: &Assessed, result: &TestResult) -> Option<Test> {
    let test_plan = &assessed.plan.test_plan;
    let test = &test_plan.tests[result.test];
    let worst = result.worst()?;
    let unit = worst.figures.as_ref().map_or("%", |figures| figures.unit.as_str());
    let used = |item: &Item| !test.limits[item.planned.limit].confirmed;
    Some(Test {
        status: result.status,
        name: test.name.clone(),
        title: test.title.clone(),
        worst: with_uncertainty(worst),
        limit: value_text(worst.planned.figure, unit),
        unconfirmed: result.items.iter().any(used),
        points: result.items.len(),
        place: format!("{} {}", worst.planned.coordinates.describe(test_plan), worst.why),
    })
}

fn row(assessed: &Assessed, result: &TestResult, item: &Item) -> Row {
    let test_plan = &assessed.plan.test_plan;
    let test = &test_plan.tests[result.test];
    let limit = &test.limits[item.planned.limit];
    let figures = item.figures.as_ref();
    let some = |text: Option<String>| text.unwrap_or_default();
    let unit = figures.map_or("%", |figures| figures.unit.as_str());
    let budget = figures.map(|figures| {
        let part = |name: &str, value: f64| format!("{name} {}", number(value));
        let of = &figures.budget;
        let parts = [
            part("scatter", of.scatter),
            part("arithmetic", of.numerics),
            part("resolution", of.resolution),
            part("register", of.register),
            part("spans", of.rounding),
            part("given", of.given),
        ];
        format!("{} {unit}", parts.join(", "))
    });
    Row {
        status: item.status,
        test: test.name.clone(),
        place: item.planned.coordinates.describe(test_plan),
        reported: some(figures.map(|f| with_prefix(f.reported, f.quantity_unit))),
        reference: some(figures.map(|f| with_prefix(f.reference, f.quantity_unit))),
        figure: some(figures.map(|f| number(f.value))),
        limit: value_text(item.planned.figure, unit),
        clause: format!("{}, {}", limit.edition, limit.clause),
        confirmed: limit.confirmed,
        source: limit.source.clone(),
        uncertainty: some(figures.map(|f| number(f.budget.expanded()))),
        budget: some(budget),
        readings: figures.map_or(0, |f| f.readings),
        why: item.why.clone(),
    }
}

/// Columns of the table of points: texts, then numbers.
const POINT_COLUMNS: &str = "test,evaluate,at,status,quantity,unit,power_factor,loaded,waveform,\
    clause,edition,confirmed,current_a,voltage_ratio,frequency_ratio,celsius,point_start_s,\
    measure_from_s,point_end_s,reported,reference,figure,limit,uncertainty,scatter,register_step,\
    readings";

/// Every point with all that is known of it.
fn points_csv(assessed: &Assessed) -> String {
    let test_plan = &assessed.plan.test_plan;
    let mut csv = Csv::new(POINT_COLUMNS);
    for result in &assessed.claimed().tests {
        let test = &test_plan.tests[result.test];
        for item in &result.items {
            let at = &item.planned.coordinates;
            let limit = &test.limits[item.planned.limit];
            let figures = item.figures.as_ref();
            let figure = |of: fn(&crate::standard::Figures) -> f64| figures.map_or(f64::NAN, of);
            let quantity = figures.and_then(|figures| figures.quantity);
            let point = &assessed.plan.points[item.planned.point];
            csv.line(
                &[
                    &test.name,
                    test.evaluate.word(),
                    &at.describe(test_plan),
                    item.status.word(),
                    quantity.map_or(&test.quantity, |id| id.name()),
                    figures.map_or("", |figures| &figures.unit),
                    &at.power_factor.text,
                    loaded_word(at),
                    &test_plan.waveforms[at.waveform].name,
                    &limit.clause,
                    &limit.edition,
                    if limit.confirmed { "true" } else { "false" },
                ],
                &[
                    at.current.as_ref().map_or(0.0, |(_, amperes)| *amperes),
                    at.voltage,
                    at.frequency,
                    at.celsius,
                    point.start.as_seconds_f64(),
                    point.measure_from.as_seconds_f64(),
                    point.end.as_seconds_f64(),
                    figure(|figures| figures.reported),
                    figure(|figures| figures.reference),
                    figure(|figures| figures.value),
                    item.planned.figure.value(),
                    figure(|figures| figures.budget.expanded()),
                    figure(|figures| figures.budget.scatter),
                    figure(|figures| figures.budget.register),
                    figure(|figures| figures.readings as f64),
                ],
            );
        }
    }
    csv.finish()
}

/// `all`, or the one loaded phase.
fn loaded_word(at: &Coordinates) -> &'static str {
    match at.loaded {
        None => "all",
        Some(0) => "l1",
        Some(1) => "l2",
        Some(_) => "l3",
    }
}
