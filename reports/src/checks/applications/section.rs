//! The part of a report about applications of the grid: outages as they were reported beside who
//! had no supply, and the places of faults beside the true ones.

use lastmeter_units::{SimDuration, SimTime};
use serde::Serialize;
use serde_json::Value;

use super::missed::{LineFault, Missed, MissedOutage, has_application};
use super::outage_area::OutageArea;
use super::pictures::{Located, Pictures, Place, Story};
use super::{Concluded, element};
use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure};
use crate::render::page::clock;
use crate::render::template::fill;

const TEMPLATE: &str = include_str!("section.html");

/// Losses of supply that are over sooner are no outages that have to be found, without a check.
const SHORT: SimDuration = SimDuration::from_seconds(35);

#[derive(Serialize)]
struct Section {
    outages: Vec<OutageRow>,
    outage_links: String,
    faults: Vec<FaultRow>,
    fault_links: String,
    drawn: Pictures,
}

/// A result about an outage.
#[derive(Serialize)]
struct OutageRow {
    at: String,
    outage: String,
    state: String,
    area: String,
    expected: usize,
    reported: usize,
    back: usize,
    dark: usize,
    missed: usize,
    wrong: usize,
}

/// A fault that was located.
#[derive(Serialize)]
struct FaultRow {
    at: String,
    fault: String,
    conductors: String,
    place: String,
    truth: String,
    deviation: String,
    candidates: usize,
    formulas: String,
}

/// The section; `None` if no application concluded anything of the grid.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let Ok(events) = input.reader.events() else { return Ok(None) };
    let start = input.reader.facts().start;
    let mut outages = Vec::new();
    let (mut story, mut missed) = (Story::default(), Missed::new(start, &input.scenario.document));
    let mut outage_csv = Csv::new("outage,state,area,since_start_s,expected,dark,missed,false");
    let mut fault_csv = Csv::new("fault,line,candidate,distance_m,likelihood,deviation_m");
    // What cannot be read is reported elsewhere.
    for (line, event) in events.map_while(Result::ok) {
        story.take(line, &event);
        missed.take(&event);
        if let Some(result) = Concluded::of(&event, "outage") {
            let row = outage(start, &result, &story);
            let since_s = (result.made - start).as_seconds_f64();
            let counts = [row.expected, row.dark, row.missed, row.wrong].map(|it| it as f64);
            let numbers: Vec<f64> = std::iter::once(since_s).chain(counts).collect();
            outage_csv.line(&[&row.outage, &row.state, &row.area], &numbers);
            outages.push((result.made, row));
        }
    }
    let faults = story.places.0.iter();
    let faults = faults.map(|it| (it.made, fault(start, it, &mut fault_csv)));
    let mut faults: Vec<(SimTime, FaultRow)> = faults.collect();
    let (not_found, not_located) = unseen(input, &story, &missed);
    story.add_missed(&not_found, &not_located);
    let rows = not_found.iter().map(|it| (it.since, missed_outage(start, it, &mut outage_csv)));
    outages.extend(rows);
    faults.extend(not_located.iter().map(|it| (it.at, missed_fault(start, it))));
    outages.sort_by_key(|(at, _)| *at);
    faults.sort_by_key(|(at, _)| *at);
    if outages.is_empty() && faults.is_empty() {
        return Ok(None);
    }
    let mut links = |is_empty: bool, name: &str, csv: Csv| {
        if is_empty { String::new() } else { Figure::table(name, csv.finish()).keep(figures) }
    };
    let outage_links = links(outages.is_empty(), "outages", outage_csv);
    let has_candidates = faults.iter().any(|(_, row)| row.candidates > 0);
    let fault_links = links(!has_candidates, "fault-candidates", fault_csv);
    let (facts, document) = (input.reader.facts(), &input.scenario.document);
    let drawn = story.pictures(facts, document, figures);
    let outages = outages.into_iter().map(|(_, row)| row).collect();
    let faults = faults.into_iter().map(|(_, row)| row).collect();
    let section = Section { outages, outage_links, faults, fault_links, drawn };
    Ok(Some(fill("applications.html", TEMPLATE, &section)?.into()))
}

/// What an application is there for and none concluded.
fn unseen<'a>(
    input: &SectionInput<'_>,
    story: &Story,
    missed: &'a Missed<'_>,
) -> (Vec<MissedOutage>, Vec<&'a LineFault>) {
    let document = &input.scenario.document;
    let least = input.scenario.of::<OutageArea>().map(|check| check.within).min();
    let least = least.unwrap_or(SHORT);
    let end = input.reader.facts().end;
    let mut found = (Vec::new(), Vec::new());
    if has_application(document, "outage") {
        found.0 = missed.outages(&story.areas.dark, (least, end));
    }
    if has_application(document, "fault-location") {
        found.1 = missed.faults().collect();
    }
    found
}

/// An outage that nobody found.
fn missed_outage(start: SimTime, outage: &MissedOutage, csv: &mut Csv) -> OutageRow {
    let (count, since_s) = (outage.meters.len(), (outage.since - start).as_seconds_f64());
    let number = count as f64;
    csv.line(&["-", "not found", "-"], &[since_s, 0.0, number, number, 0.0]);
    OutageRow {
        at: clock(since_s),
        outage: "-".to_owned(),
        state: "not found".to_owned(),
        area: "-".to_owned(),
        expected: 0,
        reported: 0,
        back: 0,
        dark: count,
        missed: count,
        wrong: 0,
    }
}

/// A fault that nobody located.
fn missed_fault(start: SimTime, fault: &LineFault) -> FaultRow {
    FaultRow {
        at: clock((fault.at - start).as_seconds_f64()),
        fault: "-".to_owned(),
        conductors: fault.conductors.clone(),
        place: "not located".to_owned(),
        truth: fault.text(),
        deviation: "-".to_owned(),
        candidates: 0,
        formulas: "-".to_owned(),
    }
}

/// A result about an outage, and how what all of them hold stands to who has no supply.
fn outage(start: SimTime, result: &Concluded<'_>, story: &Story) -> OutageRow {
    let state = result.content("state").and_then(Value::as_str).unwrap_or("-");
    let (dark, all) = (story.areas.dark_at(result.made), story.areas.held_now());
    let areas: Vec<String> = result.areas().iter().map(element).collect();
    OutageRow {
        at: clock((result.made - start).as_seconds_f64()),
        outage: result.subject.to_owned(),
        state: state.replace('_', " "),
        area: areas.join(", "),
        expected: result.texts("expected").count(),
        reported: result.texts("reported").count(),
        back: result.texts("restored").count(),
        dark: dark.len(),
        missed: dark.difference(&all).count(),
        wrong: all.difference(&dark).count(),
    }
}

/// A fault, whose candidates are written below each other, with how far each is from its true
/// place where the plant knows that.
fn fault(start: SimTime, located: &Located, csv: &mut Csv) -> FaultRow {
    let Located { subject, candidates, deviations_m, .. } = located;
    for (at, (place, likelihood)) in candidates.iter().enumerate() {
        let deviation_m = deviations_m.get(at).copied().unwrap_or(f64::NAN);
        let numbers = [at as f64 + 1.0, place.distance_m, *likelihood, deviation_m];
        csv.line(&[subject, &place.line], &numbers);
    }
    let text = |place: Option<&Place>| place.map_or_else(|| "-".to_owned(), Place::text);
    let deviation = deviations_m.first().filter(|metres| metres.is_finite());
    FaultRow {
        at: clock((located.made - start).as_seconds_f64()),
        fault: subject.clone(),
        conductors: located.conductors.clone(),
        place: text(candidates.first().map(|(place, _)| place)),
        truth: text(located.truth.as_ref()),
        deviation: deviation.map_or_else(|| "-".to_owned(), |metres| format!("{metres:.1} m")),
        candidates: candidates.len(),
        formulas: located.formulas.clone(),
    }
}
