//! The pictures of the report, with their data: timeline, bench, errors over time.

use std::collections::BTreeMap;
use std::path::Path;

use lastmeter_params::{NodeValue, Table};
use lastmeter_units::{MeasurementId, Phase, SimTime};
use serde::Serialize;

use super::bins::Bins;
use super::collect::{Collected, Curve, family};
use super::diagram::{self, Bench, Lane, Mark};
use super::figure::{Csv, Figure};
use super::page::{self, AccuracyRow};
use super::plot::{Chart, Point, Series, clock};
use super::{RenderError, report::under_test};
use crate::console::number;
use crate::record::{Event, RunFacts, kind};
use crate::text::append;

/// The most rows of the accuracy table on the page; all of them are in its CSV.
const ACCURACY_ROWS_MAX: usize = 200;

/// The most marks of the strip listed below it on a phone.
const NOTES_MAX: usize = 12;

#[derive(Serialize)]
pub(super) struct Picture {
    title: String,
    svg: String,
    caption: String,
    links: String,
    keys: Vec<Key>,
    /// What a phone has no room for inside the picture.
    notes: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Key {
    colour: usize,
    name: &'static str,
}

#[derive(Serialize)]
pub(super) struct Accuracy {
    rows: Vec<AccuracyRow>,
    more: usize,
    left_out: u64,
    links: String,
    pictures: Vec<Picture>,
}

impl Picture {
    /// The picture of a figure, which is kept for its files.
    pub(super) fn of(
        figure: Figure,
        title: &str,
        caption: String,
        figures: &mut Vec<Figure>,
    ) -> Self {
        let picture = Self {
            title: title.to_owned(),
            svg: figure.svg.clone().unwrap_or_default(),
            caption,
            links: figure.links(),
            keys: Vec::new(),
            notes: Vec::new(),
        };
        figures.push(figure);
        picture
    }
}

pub(super) fn timeline(
    facts: &RunFacts,
    collected: &Collected,
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Option<Picture> {
    let since = |time: SimTime| (time - facts.start).as_seconds_f64();
    let (mut marks, mut killed) = (Vec::new(), Vec::new());
    for (place, (_, event)) in collected.events.iter().enumerate() {
        let lane = match event.kind.as_str() {
            // What a kill began ends there.
            kind::RESTARTED if killed.contains(&event.text("target")) => continue,
            kind::INJECT | kind::KILL | kind::RESTARTED | kind::INTERRUPTED => Lane::Injected,
            kind::COMMAND | kind::ACKNOWLEDGED => Lane::Commands,
            kind::REFUSED => Lane::Refused,
            _ => continue,
        };
        let from_s = since(event.time);
        if event.kind == kind::KILL {
            killed.push(event.text("target"));
        }
        let until = until(&collected.events[place..]);
        let to_s = until.map_or(from_s, since).max(from_s);
        let text = format!("{}  {} {}", clock(from_s), event.kind, event.detail());
        marks.push(Mark { lane, from_s, to_s, text, label: label(event) });
    }
    marks.extend(spans(Lane::Missing, &collected.missing));
    marks.extend(spans(Lane::Unexpected, &collected.unexpected));
    if marks.is_empty() {
        return None;
    }
    let mut csv = Csv::new(&["lane", "what", "from_s", "to_s"]);
    for mark in &marks {
        csv.line(&[mark.lane.name(), &mark.text], &[mark.from_s, mark.to_s]);
    }
    let svg = Some(diagram::timeline(&marks, end_s));
    let figure = Figure { name: "timeline".to_owned(), svg, csv: Some(csv.finish()) };
    let mut picture = Picture::of(figure, "", String::new(), figures);
    let labelled = marks.iter().filter(|mark| !mark.label.is_empty());
    let note = |mark: &Mark| format!("{}  {}", clock(mark.from_s), mark.label);
    picture.notes = labelled.take(NOTES_MAX).map(note).collect();
    Some(picture)
}

/// Until when the first of these events lasts: as it says, or, of a kill, until its target is there
/// again.
pub(super) fn until(events: &[(u64, Event)]) -> Option<SimTime> {
    let (_, event) = events.first()?;
    if event.kind != kind::KILL {
        return event.text("until").and_then(|until| until.parse().ok());
    }
    let is_back = |other: &&Event| {
        other.kind == kind::RESTARTED && other.text("target") == event.text("target")
    };
    events.iter().map(|(_, other)| other).find(is_back).map(|other| other.time)
}

/// A few words for a mark on the strip, where it has room for them.
pub(super) fn label(event: &Event) -> String {
    let about = event.about().or_else(|| event.text("link")).or_else(|| event.text("target"));
    let (what, about) = match event.kind.as_str() {
        kind::INJECT => (event.text("inject").unwrap_or_default(), about),
        kind::COMMAND => (event.text("name").unwrap_or_default(), about),
        kind::REFUSED => (event.text("reason").unwrap_or_default(), about),
        // It stands right beside what it answers, or ends.
        kind::ACKNOWLEDGED | kind::RESTARTED => ("", None),
        other => (other, about),
    };
    match about {
        Some(about) => format!("{what} {about}"),
        None => what.to_owned(),
    }
}

/// Neighbouring bins as one span each.
fn spans(lane: Lane, bins: &Bins) -> Vec<Mark> {
    let width_s = bins.width_s();
    let mut spans: Vec<(f64, f64, u64)> = Vec::new();
    for (start_s, bin) in bins.iter() {
        match spans.last_mut() {
            Some((_, end, count)) if start_s - *end < width_s / 2.0 => {
                (*end, *count) = (start_s + width_s, *count + bin.n);
            }
            _ => spans.push((start_s, start_s + width_s, bin.n)),
        }
    }
    let mark = |(from_s, to_s, count): (f64, f64, u64)| Mark {
        lane,
        from_s,
        to_s,
        text: format!("{}  {} values {}", clock(from_s), page::grouped(count), lane.name()),
        label: String::new(),
    };
    spans.into_iter().map(mark).collect()
}

pub(super) fn bench(facts: &RunFacts, document: &Table, figures: &mut Vec<Figure>) -> Picture {
    let mut sources: Vec<String> = tables(document, "source")
        .map(|table| format!("{} ({})", word(table, "name"), word(table, "kind")))
        .collect();
    if let Some(NodeValue::Table(grid)) = document.get("grid").map(|node| &node.value) {
        let file = Path::new(word(grid, "file")).file_stem().unwrap_or_default();
        sources.push(format!("grid {}", file.to_string_lossy()));
    }
    let mut devices = Vec::new();
    for group in under_test(facts) {
        devices.push(group.name);
        devices.extend(group.detail.split(", ").map(str::to_owned));
        devices.push(group.evidence.to_owned());
    }
    let platform = vec![facts.platform.clone()];
    let svg = Some(diagram::bench(&Bench { sources, devices, platform }));
    let figure = Figure { name: "bench".to_owned(), svg, csv: None };
    let mut caption = "The reference never passes through the device or the platform.".to_owned();
    for link in tables(document, "link") {
        let kind = match word(link, "preset") {
            "" => "own legs",
            preset => preset,
        };
        append(&mut caption, format_args!(" Link {}: {kind}.", word(link, "name")));
    }
    for observer in tables(document, "observer") {
        let via = match word(observer, "via") {
            "" => "directly".to_owned(),
            link => format!("through link {link}"),
        };
        append(&mut caption, format_args!(" Observer {} receives {via}.", word(observer, "name")));
    }
    Picture::of(figure, "", caption, figures)
}

fn tables<'a>(document: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    let list = match document.get(key).map(|node| &node.value) {
        Some(NodeValue::Array(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|node| match &node.value {
        NodeValue::Table(table) => Some(table),
        _ => None,
    })
}

fn word<'a>(table: &'a Table, key: &str) -> &'a str {
    table.text(key).unwrap_or_default()
}

pub(super) fn accuracy(
    collected: &Collected,
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Result<Accuracy, RenderError> {
    let mut csv = Csv::new(&[
        "device",
        "quantity",
        "unit",
        "worst_time",
        "n",
        "mean_error",
        "standard_deviation",
        "worst_error",
        "limit",
    ]);
    let (mut rows, mut left_out) = (Vec::new(), 0);
    for (device, record) in collected.devices.iter() {
        for (id, series) in &record.accuracy {
            let errors = &series.errors;
            let unit = series.scale.limit.unit();
            csv.line(
                &[device, id.name(), &unit, &series.worst_time.to_string()],
                &[
                    errors.n as f64,
                    errors.mean(),
                    errors.deviation().unwrap_or(f64::NAN),
                    errors.worst(),
                    series.scale.limit.value(),
                ],
            );
            left_out += series.left_out;
            rows.push(page::accuracy_row(device, *id, series));
        }
    }
    let table = Figure { name: "accuracy".to_owned(), svg: None, csv: Some(csv.finish()) };
    let links = table.links();
    figures.push(table);
    let mut families: BTreeMap<MeasurementId, Vec<(MeasurementId, &Curve)>> = BTreeMap::new();
    for (id, curve) in &collected.curves {
        families.entry(family(*id)).or_default().push((*id, curve));
    }
    // What a check judges comes before what is only there to look at.
    let mut families: Vec<_> = families.into_iter().collect();
    families.sort_by_key(|(_, curves)| !curves.iter().any(|(_, curve)| curve.scale.judged));
    let mut pictures = Vec::new();
    for (first, curves) in families {
        pictures.extend(error_picture(first, &curves, end_s, figures)?);
    }
    // What is outside its limit first, and never left out for lack of room before the rest.
    rows.sort_by_key(|row| !row.outside());
    let more = rows.len().saturating_sub(ACCURACY_ROWS_MAX);
    rows.truncate(ACCURACY_ROWS_MAX);
    Ok(Accuracy { rows, more, left_out, links, pictures })
}

/// The errors of one quantity over time, a curve for each phase.
fn error_picture(
    first: MeasurementId,
    curves: &[(MeasurementId, &Curve)],
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Result<Option<Picture>, RenderError> {
    // Phases with another unit than the first, if a check treats them apart, get no curve here.
    let unit = curves[0].1.scale.limit.unit();
    let same = |curve: &Curve| curve.scale.limit.unit() == unit;
    let mut csv = Csv::new(&["quantity", "unit", "start_s", "width_s", "n", "min", "mean", "max"]);
    let (mut series, mut keys, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    for (id, curve) in curves.iter().filter(|(_, curve)| same(curve)) {
        let width_s = curve.bins.width_s();
        let mut points = Vec::new();
        for (start_s, bin) in curve.bins.iter() {
            let mean = bin.mean();
            csv.line(
                &[id.name(), &unit],
                &[start_s, width_s, bin.n as f64, bin.min, mean, bin.max],
            );
            let x_s = if bin.n == 1 { start_s } else { start_s + width_s / 2.0 };
            points.push(Point { x_s, min: bin.min, mean, max: bin.max });
        }
        let (colour, name) = match id.row().phase {
            Phase::L1 => (0, "L1"),
            Phase::L2 => (1, "L2"),
            Phase::L3 => (2, "L3"),
            Phase::Total => (3, "total"),
            Phase::None => (0, ""),
        };
        if !points.is_empty() {
            keys.push(Key { colour, name });
            series.push(Series { colour, points });
        }
        if curve.scale.judged {
            limits.push(curve.scale.limit.value());
        }
    }
    if series.is_empty() {
        return Ok(None);
    }
    keys.retain(|key| !key.name.is_empty());
    let limit = limits.into_iter().reduce(f64::min);
    let y_label = if unit == "1" { "error".to_owned() } else { format!("error in {unit}") };
    let chart = Chart { y_label, series, limit, end_s }.in_hours(&unit);
    let caption = match limit {
        Some(limit) if chart.shows_limit() => format!("limit ±{} {unit}, dashed", number(limit)),
        Some(limit) => format!("limit ±{} {unit}, outside of the picture", number(limit)),
        None => "not judged by a check".to_owned(),
    };
    let name = stem(first);
    let svg = Some(chart.svg()?);
    let figure = Figure { name: format!("error-{name}"), svg, csv: Some(csv.finish()) };
    let mut picture = Picture::of(figure, name, caption, figures);
    picture.keys = keys;
    Ok(Some(picture))
}

/// The identifier without its phase.
fn stem(id: MeasurementId) -> &'static str {
    match id.row().phase {
        Phase::None => id.name(),
        _ => id.name().rsplit_once('.').map_or(id.name(), |(stem, _)| stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_loses_its_phase_only() {
        for (name, expected) in [
            ("electricity.voltage.rms.l2", "electricity.voltage.rms"),
            ("electricity.frequency", "electricity.frequency"),
            ("x.electricity.powerFactor.total", "x.electricity.powerFactor"),
        ] {
            assert_eq!(stem(MeasurementId::lookup(name).unwrap()), expected);
        }
    }
}
