//! The part of a report about `suspicion`: the first of the ranking as a table and a picture, and
//! all of it as a file.

use lastmeter_chart::{Axis, BAD, Chart, DATA, Figures, Panel};
use serde::Serialize;

use super::intervals::Intervals;
use super::ranking::{Ranking, Suspect};
use super::{Suspicion, energy_kwh, sums};
use crate::check::Check;
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::template::fill;
use lastmeter_text::three_digits;

const TEMPLATE: &str = include_str!("section.html");

/// So many are shown; the file has all.
const SHOWN_MAX: usize = 10;

#[derive(Serialize)]
struct Shown {
    tables: Vec<Table>,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct Table {
    check: String,
    rows: Vec<Row>,
    sums: String,
}

#[derive(Serialize)]
struct Row {
    home: String,
    is_suspected: &'static str,
    score: String,
    missing: String,
    factor: String,
    ratio: String,
    correlation: String,
}

/// The section; `None` if no check has a ranking.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let mut shown = Shown { tables: Vec::new(), pictures: Vec::new() };
    for check in input.scenario.of::<Suspicion>() {
        let mut own = check.clone();
        own.begin(input.reader.facts());
        let mut rows = input.reader.observations()?;
        // What cannot be read of the record is left out: the verdicts report it.
        while let Ok(Some(row)) = rows.next_row() {
            own.observation(&row);
        }
        let Ok((intervals, ranking)) = own.ranked() else { continue };
        let name = &own.context.name;
        shown.pictures.push(picture(name, &intervals, &ranking, figures));
        let suspects = ranking.suspects.iter().take(SHOWN_MAX);
        shown.tables.push(Table {
            check: name.clone(),
            rows: suspects.map(|suspect| row(suspect, &intervals)).collect(),
            sums: sums(&intervals, &ranking),
        });
    }
    if shown.tables.is_empty() {
        return Ok(None);
    }
    Ok(Some(fill("suspicion.html", TEMPLATE, &shown)?.into()))
}

fn row(suspect: &Suspect, intervals: &Intervals) -> Row {
    Row {
        home: intervals.homes[suspect.home].clone(),
        is_suspected: if suspect.is_suspected { "yes" } else { "no" },
        score: three_digits(suspect.score),
        missing: three_digits(energy_kwh(suspect.missing_w, intervals)),
        factor: three_digits(1.0 + suspect.error.0),
        ratio: three_digits(suspect.ratio.0.exp()),
        correlation: three_digits(suspect.correlation),
    }
}

/// What is missing at each of the first, beside what the losses are uncertain by.
fn picture(
    check: &str,
    intervals: &Intervals,
    ranking: &Ranking,
    figures: &mut Vec<Figure>,
) -> Picture {
    let of = |power_w: f64| energy_kwh(power_w, intervals);
    let mut csv = Csv::new(
        "home,suspected,rank,score,missing_kwh,takes_times_reported,deviation,by_voltages,\
         by_voltages_deviation,correlation,losses_kwh,uncertainty_kwh,unaccounted_kwh",
    );
    for (rank, suspect) in ranking.suspects.iter().enumerate() {
        let home = intervals.homes[suspect.home].as_str();
        let ratio = suspect.ratio.0.exp();
        let numbers = [
            (rank + 1) as f64,
            suspect.score,
            of(suspect.missing_w),
            1.0 + suspect.error.0,
            suspect.error.1,
            ratio,
            ratio * suspect.ratio.1,
            suspect.correlation,
            of(ranking.losses_w),
            of(ranking.uncertainty_w),
            of(ranking.unaccounted_w),
        ];
        csv.line(&[home, if suspect.is_suspected { "yes" } else { "no" }], &numbers);
    }
    let shown = &ranking.suspects[..SHOWN_MAX.min(ranking.suspects.len())];
    let missing = || shown.iter().map(|suspect| of(suspect.missing_w));
    let reach = of(ranking.uncertainty_w);
    let upright = Axis::around(missing().chain([reach, -reach]), Figures::Plain);
    let names = Axis::categories(shown.iter().map(|it| intervals.homes[it.home].clone()));
    let mut panel = Panel::new(names.named("household"), upright.named("missing, kWh"), 170.0);
    let bars = missing().enumerate();
    panel.bars(
        bars.map(|(at, kwh)| (at as f64 + 0.5, kwh.min(0.0), kwh.max(0.0))),
        DATA,
        (9.0, 1.0),
    );
    for (at, name) in [(reach, "uncertainty of the losses"), (-reach, "")] {
        panel.rule(at, name, BAD, "6 4");
    }
    let svg = Chart::new("energy that is missing, by household").with_panel(panel).svg();
    let figure = Figure::drawn(format!("suspicion-{check}"), svg, csv.finish());
    let caption = "what the first of the ranking take beside what they reported; the file has all";
    Picture::of(figure, format!("{check}: missing by household"), caption, figures)
}
