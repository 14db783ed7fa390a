//! Puts the report together: facts, pictures and tables, handed to the template.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use lastmeter_params::{Diagnostics, NodeValue, SourceId, Table, parse_document};
use lastmeter_units::{MeasurementId, Phase, SimTime};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::bins::Bins;
use super::collect::{Collected, Curve, family};
use super::diagram::{self, Bench, Lane, Mark};
use super::figure::{Csv, Figure};
use super::page::{
    self, AccuracyRow, CheckRow, CoverageRow, DeliveryRow, EventRow, Fact, RefusedRow, Trouble,
};
use super::plot::{Chart, Point, clock};
use super::{RenderError, STYLE, fill};
use crate::check::accuracy::Spec;
use crate::console::{format_duration, number};
use crate::evaluate::{Evaluation, check_tables, read_check};
use crate::record::{RecordError, RunFacts, RunReader, RunState, TimeMode, file, kind};
use crate::verdict::Status;

const TEMPLATE: &str = include_str!("report.html");
/// The most rows of the accuracy table on the page; all of them are in its CSV.
const ACCURACY_ROWS_MAX: usize = 200;
/// The most devices in the table of deliveries.
const DELIVERY_ROWS_MAX: usize = 60;

#[derive(Serialize)]
struct Page {
    style: &'static str,
    status: Status,
    title: String,
    scenario: String,
    counts: String,
    exit_code: u8,
    banners: Vec<Banner>,
    under_test: Vec<UnderTest>,
    facts: Vec<Fact>,
    command: String,
    has_bounds: bool,
    checks: Vec<CheckRow>,
    timeline: Option<Picture>,
    trouble: Vec<Trouble>,
    bench: Picture,
    accuracy: Accuracy,
    delivery: Delivery,
    refused: Vec<RefusedRow>,
    coverage: Vec<CoverageRow>,
    events: Events,
    environment: Vec<Fact>,
    scenario_toml: String,
    footer: String,
}

#[derive(Serialize)]
struct Banner {
    status: Status,
    text: String,
}

#[derive(Serialize)]
struct UnderTest {
    name: String,
    detail: String,
    evidence: &'static str,
}

#[derive(Serialize)]
struct Picture {
    title: String,
    svg: String,
    caption: String,
    links: String,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    colour: usize,
    name: &'static str,
}

#[derive(Serialize)]
struct Accuracy {
    rows: Vec<AccuracyRow>,
    more: usize,
    left_out: u64,
    links: String,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct Delivery {
    rows: Vec<DeliveryRow>,
    more: usize,
}

#[derive(Serialize)]
struct Events {
    rows: Vec<EventRow>,
    total: u64,
    more: bool,
}

impl Picture {
    /// The picture of a figure, which is kept for its files.
    fn of(figure: Figure, title: &str, caption: String, figures: &mut Vec<Figure>) -> Self {
        let picture = Self {
            title: title.to_owned(),
            svg: figure.svg.clone().unwrap_or_default(),
            caption,
            links: figure.links(),
            keys: Vec::new(),
        };
        figures.push(figure);
        picture
    }
}

/// The page and the figures on it.
pub(super) fn page(
    reader: &RunReader,
    evaluation: &Evaluation,
) -> Result<(String, Vec<Figure>), RenderError> {
    let facts = &evaluation.facts;
    let scenario_toml = reader.scenario_toml()?;
    let document = parse_document(&scenario_toml, SourceId::FILE, &mut Diagnostics::new());
    let specs = specs(&document);
    let collected = Collected::read(reader, &specs, &evaluation.verdicts)?;
    let mut figures = Vec::new();
    let end_s = shown_until(facts, &collected);
    let events = Events {
        rows: collected.events.iter().map(|(n, event)| page::event_row(*n, event, false)).collect(),
        total: collected.events_total,
        more: collected.events_total > collected.events.len() as u64,
    };
    let (rows, more) = page::deliveries(&collected, DELIVERY_ROWS_MAX);
    let page = Page {
        style: STYLE,
        status: evaluation.status(),
        title: if facts.title.is_empty() { facts.scenario.clone() } else { facts.title.clone() },
        scenario: facts.scenario.clone(),
        counts: evaluation.counts().to_string(),
        exit_code: evaluation.exit_code().number(),
        banners: banners(evaluation, &collected),
        under_test: under_test(facts),
        facts: facts_list(facts),
        command: command(&facts.command_line),
        has_bounds: evaluation.verdicts.iter().any(|verdict| verdict.bound.is_some()),
        checks: page::checks(&evaluation.verdicts),
        timeline: timeline(facts, &collected, end_s, &mut figures),
        trouble: page::trouble(&evaluation.verdicts, &collected),
        bench: bench(facts, &document, &mut figures),
        accuracy: accuracy(&collected, end_s, &mut figures)?,
        delivery: Delivery { rows, more },
        refused: page::refusals(&collected),
        coverage: page::coverage(&evaluation.verdicts),
        events,
        environment: environment(reader.dir(), facts, &collected)?,
        scenario_toml,
        footer: format!(
            "lastmeter {}. Times are UTC. Nothing here is a certification; the timing classes of \
             IEC 61850-5 are applied to the bench's own paths.",
            facts.versions.get("lastmeter").map_or("", String::as_str)
        ),
    };
    Ok((fill("report.html", TEMPLATE, &page)?, figures))
}

/// What the accuracy checks of a scenario were asked to do.
fn specs(document: &Table) -> Vec<Spec> {
    let mut ignored = Diagnostics::new();
    check_tables(document)
        .into_iter()
        .filter_map(|node| read_check(node, &mut ignored))
        .filter(|(kind, _)| kind.entry.name == "accuracy")
        .filter_map(|(_, values)| Spec::read(&values, &mut Diagnostics::new()))
        .collect()
}

/// The end of all time axes, in seconds since the start.
fn shown_until(facts: &RunFacts, collected: &Collected) -> f64 {
    let last_event = collected.events.last().map(|(_, event)| event.time);
    let known = facts.recorded_until.or(last_event).unwrap_or(facts.start);
    let planned = (facts.end - facts.start).as_seconds_f64();
    let seen = collected
        .curves
        .values()
        .flat_map(|curve| curve.bins.iter().map(|(start_s, _)| start_s + curve.bins.width_s()));
    let seen = seen.fold((known - facts.start).as_seconds_f64(), f64::max);
    if planned > 0.0 { planned } else { seen }
}

fn banners(evaluation: &Evaluation, collected: &Collected) -> Vec<Banner> {
    let facts = &evaluation.facts;
    let cause = facts.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let until = facts.recorded_until.map(|until| format!(", recorded until {until}"));
    let until = until.unwrap_or_default();
    let mut banners = Vec::new();
    let mut add = |status, text: String| banners.push(Banner { status, text });
    match facts.state {
        RunState::Finished => {}
        RunState::Interrupted => {
            add(
                Status::Inconclusive,
                format!("The run was interrupted{cause}{until}. This is what there was."),
            );
        }
        RunState::Running => add(
            Status::Inconclusive,
            "Interrupted: the run never finished its record. It was killed, or is still going. \
             This is what there was."
                .to_owned(),
        ),
        RunState::Error => add(Status::Error, format!("The bench broke{cause}{until}.")),
        RunState::Skipped => add(Status::Skipped, format!("The run was skipped{cause}.")),
    }
    for torn in &evaluation.torn {
        add(Status::Inconclusive, format!("{torn}."));
    }
    if let Some(why) = evaluation.unreadable.as_ref().or(collected.unreadable.as_ref()) {
        add(Status::Error, format!("{why}; what stands before it is shown."));
    }
    banners
}

/// The devices that are judged; if none is marked, each of them may be.
fn under_test(facts: &RunFacts) -> Vec<UnderTest> {
    let any = facts.devices.iter().any(|device| device.under_test);
    let shown = facts.devices.iter().filter(|device| device.under_test || !any);
    let mut groups: BTreeMap<(&str, &str, String), Vec<&str>> = BTreeMap::new();
    for device in shown {
        let mut detail = device.model.clone();
        for (what, value) in [
            ("fidelity", &device.fidelity),
            ("serial", &device.serial),
            ("firmware", &device.firmware),
        ] {
            if let Some(value) = value {
                detail.push_str(&format!(", {what} {value}"));
            }
        }
        groups
            .entry((&device.model, device.evidence.word(), detail))
            .or_default()
            .push(&device.name);
    }
    groups
        .into_iter()
        .map(|((_, evidence, detail), names)| UnderTest {
            name: names_of(&names),
            detail,
            evidence,
        })
        .collect()
}

/// `meter`, `a, b`, or `meter-01 … meter-10 (10)`.
fn names_of(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 3 => format!("{first} … {last} ({})", names.len()),
        _ => names.join(", "),
    }
}

fn facts_list(facts: &RunFacts) -> Vec<Fact> {
    let time = match facts.time {
        TimeMode::Virtual => "virtual",
        TimeMode::Real => "real",
    };
    let span = format!("{time}, {}", facts.end - facts.start);
    let mut list = vec![
        Fact::new("seed", facts.seed.to_string()),
        Fact::new("time", span),
        Fact::new("platform", facts.platform.clone()),
        Fact::new("version", facts.versions.get("lastmeter").cloned().unwrap_or_default()),
        Fact::new("started", page::to_the_second(facts.started)),
    ];
    if let Some(took) = facts.ended.and_then(|ended| wall(facts.started, ended)) {
        list.push(Fact::new("took", format_duration(took)));
    }
    if let Some(name) = facts.host.get("name").and_then(|name| name.as_str()) {
        list.push(Fact::new("host", name));
    }
    list.retain(|fact| !fact.is_empty());
    list
}

fn wall(started: SimTime, ended: SimTime) -> Option<std::time::Duration> {
    let nanoseconds = u64::try_from((ended - started).0).ok()?;
    Some(std::time::Duration::from_nanos(nanoseconds))
}

/// The command as it can be pasted into a shell.
fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn timeline(
    facts: &RunFacts,
    collected: &Collected,
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Option<Picture> {
    let since = |time: SimTime| (time - facts.start).as_seconds_f64();
    let mut marks = Vec::new();
    for (_, event) in &collected.events {
        let lane = match event.kind.as_str() {
            kind::INJECT | kind::KILL | kind::RESTARTED | kind::INTERRUPTED => Lane::Injected,
            kind::COMMAND | kind::ACKNOWLEDGED => Lane::Commands,
            kind::REFUSED => Lane::Refused,
            _ => continue,
        };
        let from_s = since(event.time);
        let until = event.text("until").and_then(|until| until.parse::<SimTime>().ok());
        let to_s = until.map_or(from_s, since).max(from_s);
        let text = format!("{}  {} {}", clock(from_s), event.kind, event.detail());
        marks.push(Mark { lane, from_s, to_s, text });
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
    Some(Picture::of(figure, "", String::new(), figures))
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
    };
    spans.into_iter().map(mark).collect()
}

fn bench(facts: &RunFacts, document: &Table, figures: &mut Vec<Figure>) -> Picture {
    let sources = tables(document, "source")
        .map(|table| format!("{} ({})", word(table, "name"), word(table, "kind")))
        .collect();
    let mut devices = Vec::new();
    for group in under_test(facts) {
        devices.extend([group.name, group.detail, group.evidence.to_owned()]);
    }
    let platform = vec![facts.platform.clone()];
    let svg = Some(diagram::bench(&Bench { sources, devices, platform }));
    let figure = Figure { name: "bench".to_owned(), svg, csv: None };
    Picture::of(figure, "", String::new(), figures)
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

fn accuracy(
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
            series.push(super::plot::Series { colour, points });
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
    let chart = Chart { y_label, series, limit, end_s };
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

fn environment(
    dir: &Path,
    facts: &RunFacts,
    collected: &Collected,
) -> Result<Vec<Fact>, RenderError> {
    let mut list = vec![
        Fact::new("scenario, SHA-256", facts.scenario_hash.clone()),
        Fact::new("rows in observations.csv", page::grouped(collected.rows_total)),
    ];
    let name = |group: &str, name: &str| format!("{group}, {name}");
    for (which, version) in &facts.versions {
        list.push(Fact::new(&name("version", which), version.clone()));
    }
    for (which, value) in &facts.host {
        list.push(Fact::new(&name("host", which), plain(value)));
    }
    for guarantee in &facts.guarantees {
        list.push(Fact::new("guarantee that held", guarantee.clone()));
    }
    for (which, value) in &facts.more {
        list.push(Fact::new(which, plain(value)));
    }
    for compared in [file::OBSERVATIONS, file::EVENTS, file::VERDICTS] {
        if let Some(hash) = sha256(&dir.join(compared))? {
            list.push(Fact::new(&name(compared, "SHA-256"), hash));
        }
    }
    list.retain(|fact| !fact.is_empty());
    Ok(list)
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The hash of a file, `None` if there is none.
fn sha256(path: &Path) -> Result<Option<String>, RecordError> {
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(RecordError::io("read", path))?;
    Ok(Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let words = ["lastmeter", "run", "a b.toml", "--set", "x=\"1 %\"", "it's", ""];
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(command(&words), r#"lastmeter run 'a b.toml' --set 'x="1 %"' 'it'\''s' ''"#);
    }

    #[test]
    fn many_names_are_told_by_first_and_last() {
        assert_eq!(names_of(&["a", "b"]), "a, b");
        assert_eq!(names_of(&["a", "b", "c", "d"]), "a … d (4)");
    }

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
