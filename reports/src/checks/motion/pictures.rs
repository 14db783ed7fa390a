//! Pictures of a network in motion: what protective devices acted on, and how far the dark area
//! reached.

use std::collections::BTreeMap;

use lastmeter_chart::{Axis, Chart, Colour, Figures, Panel};
use lastmeter_record::{Event, RecordError, RunReader, field, file};
use serde::Deserialize;

use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};

use super::section::{amperes, elapsed, own_name};

/// More devices than these make a picture that nobody can read.
const DEVICES_MAX: usize = 4;

/// So many points have their figures beside them.
const LABELS_MAX: usize = 12;

/// Where a device acted.
pub(super) struct OperatingPoint {
    element: String,
    current_a: f64,
    time_s: f64,
}

impl OperatingPoint {
    pub(super) fn of(event: &Event) -> Option<Self> {
        let number = |name: &str| event.get(name).and_then(serde_json::Value::as_f64);
        let (current_a, time_s) = (number(field::CURRENT_A)?, number(field::AFTER_S)?);
        let element = event.text(field::ELEMENT)?.to_owned();
        (current_a > 0.0 && time_s > 0.0).then_some(Self { element, current_a, time_s })
    }
}

pub(super) fn pictures(
    reader: &RunReader,
    points: &[OperatingPoint],
    figures: &mut Vec<Figure>,
) -> Result<Vec<Picture>, RenderError> {
    let mut pictures = Vec::new();
    pictures.extend(time_current(reader, points, figures)?);
    pictures.extend(dark(reader, figures)?);
    Ok(pictures)
}

pub(super) fn read(reader: &RunReader, name: &str) -> Result<Option<Vec<u8>>, RenderError> {
    let path = reader.dir().join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecordError::io("read", &path)(error).into()),
    }
}

/// Rows of a table; those that cannot be read are left out: its seal shows a change.
pub(super) fn rows<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Vec<T> {
    csv::Reader::from_reader(bytes).deserialize().filter_map(Result::ok).collect()
}

#[derive(Deserialize)]
struct CurveRow {
    element: String,
    curve: String,
    current_a: f64,
    time_s: f64,
}

/// The devices that are drawn: those that acted first.
fn shown(rows: &[CurveRow], points: &[OperatingPoint]) -> Vec<String> {
    let mut elements: Vec<String> = Vec::new();
    let acted = |name: &str| points.iter().any(|it| it.element == name);
    for wanted in [true, false] {
        for row in rows.iter().filter(|row| acted(&row.element) == wanted) {
            let known = elements.contains(&row.element);
            if !known && elements.len() < DEVICES_MAX {
                elements.push(row.element.clone());
            }
        }
    }
    elements
}

/// The curves of devices that acted, or of the first ones, with where they acted.
fn time_current(
    reader: &RunReader,
    points: &[OperatingPoint],
    figures: &mut Vec<Figure>,
) -> Result<Option<Picture>, RenderError> {
    let Some(bytes) = read(reader, file::GRID_CURVES)? else { return Ok(None) };
    let mut curves: BTreeMap<(usize, String), Vec<(f64, f64)>> = BTreeMap::new();
    let rows: Vec<CurveRow> = rows(&bytes);
    let elements = shown(&rows, points);
    for row in rows {
        let Some(place) = elements.iter().position(|it| *it == row.element) else { continue };
        curves.entry((place, row.curve)).or_default().push((row.current_a, row.time_s));
    }
    if curves.is_empty() {
        return Ok(None);
    }
    let mut csv = Csv::new("element,curve,current_a,time_s");
    let (mut drawn, mut labels) = (Vec::new(), Vec::<(Place, String, Colour)>::new());
    let mut named: Vec<Vec<String>> = vec![Vec::new(); elements.len()];
    for ((place, name), points) in curves {
        for (current_a, time_s) in &points {
            csv.line(&[&elements[place], &name], &[*current_a, *time_s]);
        }
        named[place].push(name);
        drawn.push((Colour::of_curve(place), points));
    }
    let mut dots = Vec::new();
    for (place, element) in elements.iter().enumerate() {
        let own = points.iter().filter(|it| it.element == *element);
        for (current_a, time_s) in own.map(|it| (it.current_a, it.time_s)) {
            csv.line(&[element, "acted"], &[current_a, time_s]);
            let (name, current, time) = (own_name(element), amperes(current_a), elapsed(time_s));
            let word = format!("{name}: {current}, {time}");
            dots.push((Colour::of_curve(place), (current_a, time_s)));
            // Melted and blown at one point, phases alike: once is enough.
            if labels.len() < LABELS_MAX && labels.iter().all(|it| it.1 != word) {
                labels.push(((current_a, time_s), word, Colour::of_curve(place)));
            }
        }
    }
    // Around where they act, and from where each begins.
    let all = drawn.iter().flat_map(|it| &it.1).chain(dots.iter().map(|it| &it.1));
    let smallest = all.map(|it| it.0).fold(1e5, f64::min);
    let largest = points.iter().map(|it| it.current_a).fold(100.0 * smallest, f64::max);
    let shortest = points.iter().map(|it| it.time_s).fold(0.01, f64::min);
    let decade = |value: f64, step: fn(f64) -> f64| libm::pow(10.0, step(libm::log10(value)));
    let (from, to) = (decade(smallest, f64::floor), decade(largest, f64::ceil));
    let current = Axis::logarithmic(from, to, Figures::Prefixed("A")).named("RMS current");
    let from = decade(0.5 * shortest, f64::floor);
    let time = Axis::logarithmic(from, 1000.0, Figures::Plain).named("time in s");
    let on_axes = |(x, y): &Place| current.holds(*x) && time.holds(*y);
    let mut panel = Panel::new(current.clone(), time.clone(), 270.0);
    for (colour, points) in &drawn {
        panel.line(points.iter().copied().filter(on_axes), *colour, 1.3);
    }
    for (colour, at) in dots.iter().filter(|(_, at)| on_axes(at)) {
        panel.dots([*at], *colour, (8.0, 1.0));
    }
    for (at, word, colour) in labels.into_iter().filter(|(at, ..)| on_axes(at)) {
        panel.label(at, word, colour);
    }
    let mut chart = Chart::new("time and current of protective devices");
    for (place, element) in elements.iter().enumerate() {
        chart = chart.with_key(Colour::of_curve(place), element);
    }
    let figure = Figure::drawn("grid-time-current", chart.with_panel(panel).svg(), csv.finish());
    let each = elements.iter().zip(&named);
    let each: Vec<String> =
        each.map(|(element, curves)| format!("{element}: {}", curves.join(" and "))).collect();
    let mut caption = format!("curves of protective devices ({})", each.join("; "));
    if points.iter().any(|it| elements.contains(&it.element)) {
        caption.push_str(
            "; dots are where they acted: the RMS current since they picked up, and how long it \
             flowed",
        );
    }
    Ok(Some(Picture::of(figure, "time and current", caption, figures)))
}

/// A current and a time.
type Place = (f64, f64);

/// The network at an instant, as its own `desc` states it.
fn dark(reader: &RunReader, figures: &mut Vec<Figure>) -> Result<Option<Picture>, RenderError> {
    let Some(bytes) = read(reader, file::GRID_DARK)? else { return Ok(None) };
    let svg = String::from_utf8_lossy(&bytes).into_owned();
    let when = svg.split_once("<desc>").and_then(|(_, rest)| rest.split_once("</desc>"));
    let when = when.map_or_else(String::new, |(text, _)| format!("{}. ", unescaped(text)));
    let caption = format!(
        "{when}Green has a voltage in all \
         phases, orange in some of them only, black in none; point at a node for its name"
    );
    let figure = Figure { name: "grid-dark".to_owned(), svg: Some(svg), csv: None };
    Ok(Some(Picture::of(figure, "the dark area", caption, figures)))
}

/// Text of an SVG, whose page escapes it again.
fn unescaped(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    plain.replace("&amp;", "&")
}
