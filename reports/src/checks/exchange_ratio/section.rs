//! The part of a report about CAN buses: how busy each was, where the time of exchanges went, how
//! many nodes carry how much, and how latency depends on nodes and payload.

use lastmeter_chart::{Axis, Block, Chart, Colour, Figures, Panel};
use serde::Serialize;

use crate::check::kind::{SectionHtml, SectionInput};
use crate::error::RenderError;
use crate::render::figure::{Csv, Figure, Picture};
use crate::render::template::fill;
use lastmeter_record::{BusFacts, IdentifierFacts};
use lastmeter_text::{number, plural, three_digits};

const TEMPLATE: &str = include_str!("section.html");

/// More identifiers than these are in the figures' table only.
const IDENTIFIERS_MAX: usize = 24;
/// With fewer buses there is no curve.
const POINTS_MIN: usize = 3;

#[derive(Serialize)]
struct Section {
    buses: Vec<BusRow>,
    identifiers: Vec<IdentifierRow>,
    left_out: String,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct BusRow {
    name: String,
    rate: u32,
    nodes: usize,
    frames: u64,
    errors: u64,
    load: String,
    asked: u64,
    answered: u64,
    throughput: String,
    payload: String,
    latency: String,
}

#[derive(Serialize)]
struct IdentifierRow {
    bus: String,
    device: String,
    identifier: String,
    asked: u64,
    answered: u64,
    whole: String,
    on_bus: String,
    queue: String,
    software: String,
    longest: String,
}

/// The parts of an exchange's time, in ms: bus, queue, software; `None` without an answer.
fn parts_ms(facts: &IdentifierFacts) -> Option<[f64; 3]> {
    let mean = |share: lastmeter_record::TimeShare| Some(share.mean_ns(facts.answered)? / 1e6);
    Some([mean(facts.bus)?, mean(facts.queue)?, mean(facts.software)?])
}

fn sum(bus: &BusFacts, of: impl Fn(&IdentifierFacts) -> u64) -> u64 {
    bus.identifiers.iter().map(of).sum()
}

/// Data bytes of answers a second.
fn throughput(bus: &BusFacts) -> f64 {
    sum(bus, |one| one.bytes) as f64 * 1e9 / (bus.watched_ns.max(1)) as f64
}

/// Of exchanges that were answered, in the mean: data bytes of an answer, and the time in ms.
fn mean_exchange(bus: &BusFacts) -> Option<(f64, f64)> {
    let answered = sum(bus, |one| one.answered);
    let whole = |one: &IdentifierFacts| one.bus.sum_ns + one.queue.sum_ns + one.software.sum_ns;
    let whole_ns: i64 = bus.identifiers.iter().map(whole).sum();
    let bytes = sum(bus, |one| one.bytes);
    let count = answered as f64;
    (answered > 0).then(|| (bytes as f64 / count, whole_ns as f64 / count / 1e6))
}

fn bus_row(bus: &BusFacts) -> BusRow {
    let mean = mean_exchange(bus);
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
    BusRow {
        name: bus.network.clone(),
        rate: bus.bits_per_second,
        nodes: bus.nodes,
        frames: bus.frames,
        errors: bus.errors,
        load: format!("{} %", three_digits(100.0 * bus.load())),
        asked: sum(bus, |one| one.asked),
        answered: sum(bus, |one| one.answered),
        throughput: three_digits(throughput(bus)),
        payload: shown(mean.map(|(bytes, _)| bytes)),
        latency: shown(mean.map(|(_, ms)| ms)),
    }
}

fn identifier_row(bus: &BusFacts, facts: &IdentifierFacts) -> IdentifierRow {
    let parts = parts_ms(facts);
    let part = |place: usize| parts.map_or_else(|| "-".to_owned(), |it| three_digits(it[place]));
    IdentifierRow {
        bus: bus.network.clone(),
        device: facts.device.clone(),
        identifier: format!("{:03X}", facts.identifier),
        asked: facts.asked,
        answered: facts.answered,
        whole: parts.map_or_else(|| "-".to_owned(), |it| three_digits(it.iter().sum())),
        on_bus: part(0),
        queue: part(1),
        software: part(2),
        longest: three_digits(facts.software.max_ns as f64 / 1e6),
    }
}

/// The section; `None` if the run has no bus.
pub(super) fn section(
    input: &SectionInput<'_>,
    figures: &mut Vec<Figure>,
) -> Result<Option<SectionHtml>, RenderError> {
    let buses = BusFacts::of(input.reader.facts());
    if buses.is_empty() {
        return Ok(None);
    }
    let all = buses.iter().flat_map(|bus| bus.identifiers.iter().map(move |one| (bus, one)));
    let rows: Vec<IdentifierRow> = all.map(|(bus, one)| identifier_row(bus, one)).collect();
    let more = rows.len().saturating_sub(IDENTIFIERS_MAX);
    let left_out = match more {
        0 => String::new(),
        _ => format!("{} more in the table of the picture.", plural(more as u64, "identifier")),
    };
    let mut pictures = vec![shares(&buses, figures)];
    pictures.extend(curve(&buses, figures));
    pictures.extend(latencies(&buses, figures));
    let section = Section {
        buses: buses.iter().map(bus_row).collect(),
        identifiers: rows.into_iter().take(IDENTIFIERS_MAX).collect(),
        left_out,
        pictures,
    };
    Ok(Some(fill("buses.html", TEMPLATE, &section)?.into()))
}

/// Where the time of exchanges goes, a bar for each bus.
fn shares(buses: &[BusFacts], figures: &mut Vec<Figure>) -> Picture {
    const NAMES: [&str; 3] = ["bus", "queue", "software"];
    let mut csv =
        Csv::new("bus,device,identifier,asked,answered,bytes,bus_ms,queue_ms,software_ms");
    let mut bars = Vec::new();
    for bus in buses {
        let mut whole = [0.0; 3];
        let mut answered = 0;
        for one in &bus.identifiers {
            let [on_bus, queue, software] = parts_ms(one).unwrap_or([f64::NAN; 3]);
            let counts = [one.asked as f64, one.answered as f64, one.bytes as f64];
            let identifier = format!("{:03X}", one.identifier);
            csv.line(
                &[&bus.network, &one.device, &identifier],
                &[&counts[..], &[on_bus, queue, software]].concat(),
            );
            answered += one.answered;
            for (sum, share) in whole.iter_mut().zip([one.bus, one.queue, one.software]) {
                *sum += share.sum_ns as f64 / 1e6;
            }
        }
        bars.push((bus.network.as_str(), whole.map(|sum| sum / answered.max(1) as f64)));
    }
    let longest = bars.iter().map(|(_, parts)| parts.iter().sum()).fold(1e-3, f64::max);
    let names = Axis::categories(bars.iter().rev().map(|(name, _)| *name)).named("bus");
    let time = Axis::linear(0.0, longest * 1.05, Figures::Plain).named("ms");
    let mut panel = Panel::new(time, names, 22.0 * bars.len().max(1) as f64);
    let mut chart = Chart::new("mean time of an exchange by bus");
    for (place, name) in NAMES.iter().enumerate() {
        chart = chart.with_key(Colour::of_part(place), *name);
    }
    for ((name, parts), y) in bars.iter().zip((0..bars.len()).rev()) {
        let mut from = 0.0;
        for (place, part) in parts.iter().enumerate() {
            let hint = format!("{name}, {}: {} ms", NAMES[place], three_digits(*part));
            let (colour, text) = (Colour::of_part(place), String::new());
            let (low, high) = ((from, y as f64 + 0.15), (from + part, y as f64 + 0.85));
            panel.block(Block { from: low, to: high, colour, opacity: 0.85, hint, text });
            from += part;
        }
    }
    let figure = Figure::drawn("bus-exchanges", chart.with_panel(panel).svg(), csv.finish());
    let caption = "means over all exchanges that were answered; the table has each identifier";
    Picture::of(figure, "where the time of an exchange goes".to_owned(), caption, figures)
}

/// Throughput by the number of nodes, where there are buses enough of different sizes.
fn curve(buses: &[BusFacts], figures: &mut Vec<Figure>) -> Option<Picture> {
    let mut points: Vec<(f64, f64)> =
        buses.iter().map(|bus| (bus.nodes as f64, throughput(bus))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    points.dedup_by(|a, b| a.0 == b.0);
    if points.len() < POINTS_MIN {
        return None;
    }
    let mut csv = Csv::new("nodes,bytes_per_second");
    for (nodes, bytes) in &points {
        csv.line(&[&number(*nodes)], &[*bytes]);
    }
    let most = points.iter().map(|(_, bytes)| *bytes).fold(1.0, f64::max);
    let last = points.last().map_or(1.0, |(nodes, _)| *nodes);
    let across = Axis::linear(0.0, last * 1.05, Figures::Plain).named("nodes");
    let upright = Axis::linear(0.0, most * 1.1, Figures::Plain).named("bytes/s");
    let mut panel = Panel::new(across, upright, 170.0);
    panel.line(points.iter().copied(), Colour::of_curve(0), 1.6);
    panel.dots(points.iter().copied(), Colour::of_curve(0), (3.0, 1.0));
    let svg = Chart::new("throughput by the number of nodes").with_panel(panel).svg();
    let figure = Figure::drawn("bus-throughput", svg, csv.finish());
    let caption = "data bytes of answers a second, over the whole run; of buses of one size the \
                   busiest is shown";
    Some(Picture::of(figure, "throughput by the number of nodes".to_owned(), caption, figures))
}

/// Latency by the number of nodes, a curve for each payload, where there are buses enough of
/// different sizes.
fn latencies(buses: &[BusFacts], figures: &mut Vec<Figure>) -> Option<Picture> {
    // Payload in whole bytes, nodes, latency; of buses alike the busiest is first.
    let mut points: Vec<(f64, f64, f64, f64)> = Vec::new();
    points.extend(buses.iter().filter_map(|bus| {
        let (bytes, ms) = mean_exchange(bus)?;
        Some((bytes.round(), bus.nodes as f64, ms, throughput(bus)))
    }));
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.3.total_cmp(&a.3)));
    points.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1));
    let curves: Vec<&[_]> = points.chunk_by(|a, b| a.0 == b.0).collect();
    if curves.iter().all(|curve| curve.len() < POINTS_MIN) {
        return None;
    }
    let most = |of: fn(&(f64, f64, f64, f64)) -> f64| points.iter().map(of).fold(1.0, f64::max);
    let across = Axis::linear(0.0, most(|it| it.1) * 1.05, Figures::Plain).named("nodes");
    let upright = Axis::linear(0.0, most(|it| it.2) * 1.1, Figures::Plain).named("ms");
    let mut panel = Panel::new(across, upright, 170.0);
    let mut chart = Chart::new("latency by the number of nodes and payload");
    let mut csv = Csv::new("bytes,nodes,latency_ms");
    for (place, curve) in curves.iter().enumerate() {
        let colour = Colour::of_curve(place);
        let line = || curve.iter().map(|&(_, nodes, ms, _)| (nodes, ms));
        panel.line(line(), colour, 1.6);
        panel.dots(line(), colour, (3.0, 1.0));
        let bytes = number(curve[0].0);
        for (nodes, ms) in line() {
            csv.line(&[&bytes, &number(nodes)], &[ms]);
        }
        chart = chart.with_key(colour, format!("{bytes} bytes"));
    }
    let figure = Figure::drawn("bus-latency", chart.with_panel(panel).svg(), csv.finish());
    let caption = "mean time of an exchange, by data bytes of its answer; of buses alike the \
                   busiest is shown. Published in words: with 8 bytes it does not depend on the \
                   number of devices";
    let title = "latency by the number of nodes and payload".to_owned();
    Some(Picture::of(figure, title, caption, figures))
}
