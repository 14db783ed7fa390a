//! The part of a report about households: what each has to pay so far, and what was decided.

use std::collections::BTreeMap;

use lastmeter_chart::{Axis, Chart, Colour, Figures, Panel};
use serde::Serialize;

use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::page::clock;
use crate::render::template::fill;
use lastmeter_record::{Event, EventKind, field};
use lastmeter_text::plural;

const TEMPLATE: &str = include_str!("section.html");

/// More decisions than these are in the table of the figures only.
const DECISIONS_MAX: usize = 60;

#[derive(Serialize)]
struct Section {
    decisions: Vec<DecisionRow>,
    left_out: String,
    links: String,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct DecisionRow {
    at: String,
    gateway: String,
    about: String,
    action: String,
    reason: String,
    strategy: String,
    why: String,
}

fn decision(since_s: f64, event: &Event) -> DecisionRow {
    let text = |name| event.text(name).unwrap_or("-").to_owned();
    DecisionRow {
        at: clock(since_s),
        gateway: event.source.clone(),
        about: text(field::ABOUT),
        action: text(field::ACTION),
        reason: text(field::REASON),
        strategy: text(field::STRATEGY),
        why: event.prose(field::DETAIL).map(ToString::to_string).unwrap_or_default(),
    }
}

/// Of each aggregator its bills: when, and how much in its currency, which stands last.
type Bills = BTreeMap<String, (Vec<(f64, f64)>, String)>;

/// The section; `None` if nobody decided or billed anything.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let Ok(events) = input.reader.events() else { return Ok(None) };
    let (start, mut bills, mut decisions) = (input.reader.facts().start, Bills::new(), Vec::new());
    let mut csv = Csv::new("gateway,about,action,reason,strategy,why,since_start_s");
    // What cannot be read is reported elsewhere.
    for (_, event) in events.map_while(Result::ok) {
        let since_s = (event.time - start).as_seconds_f64();
        if event.kind == EventKind::HouseholdDecision {
            let row = decision(since_s, &event);
            let DecisionRow { gateway, about, action, reason, strategy, why, .. } = &row;
            csv.line(&[gateway, about, action, reason, strategy, why], &[since_s]);
            decisions.push(row);
        } else if event.kind == EventKind::HouseholdBill {
            let total = event.text(field::TOTAL_UCENT).and_then(|text| text.parse::<f64>().ok());
            let (points, currency) = bills.entry(event.source.clone()).or_default();
            points.extend(total.map(|total| (since_s, total / 1e8)));
            event.text(field::CURRENCY).unwrap_or_default().clone_into(currency);
        }
    }
    if decisions.is_empty() && bills.is_empty() {
        return Ok(None);
    }
    let more = decisions.len().saturating_sub(DECISIONS_MAX);
    let left_out = match more {
        0 => String::new(),
        _ => format!("{} more in the table.", plural(more as u64, "decision")),
    };
    decisions.truncate(DECISIONS_MAX);
    let pictures = bills.iter().filter(|(_, (points, _))| points.len() > 1);
    let section = Section {
        decisions,
        left_out,
        links: Figure::table("household-decisions", csv.finish()).keep(figures),
        pictures: pictures.map(|(name, bill)| picture(name, bill, input.end_s, figures)).collect(),
    };
    Ok(Some(fill("household.html", TEMPLATE, &section)?.into()))
}

/// What a household has to pay so far.
fn picture(
    gateway: &str,
    (points, currency): &(Vec<(f64, f64)>, String),
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Picture {
    let mut csv = Csv::new("since_start_s,total");
    for (since_s, total) in points {
        csv.line(&[], &[*since_s, *total]);
    }
    let totals = points.iter().map(|(_, total)| *total).chain([0.0]);
    let upright = Axis::around(totals, Figures::Plain).named(currency.as_str());
    let mut panel = Panel::new(Axis::time(end_s), upright, 150.0);
    panel.steps(points.iter().copied(), Colour::of_curve(0), (1.6, ""));
    let svg = Chart::new(format!("bill of {gateway}")).wide().with_panel(panel).svg();
    let figure = Figure::drawn(format!("household-bill-{gateway}"), svg, csv.finish());
    let caption = "what is to be paid so far, by the aggregator itself";
    Picture::of(figure, format!("bill of {gateway}"), caption, figures)
}
