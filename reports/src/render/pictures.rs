//! The pictures of the report, with their data: timeline and bench.

use std::path::Path;

use lastmeter_chart::Bins;
use lastmeter_params::{NodeValue, Table};
use lastmeter_units::SimTime;

use super::collect::Collected;
use super::diagram::{self, Bench, Lane, Mark};
use super::figure::{Csv, Figure, Picture};
use super::page::{self, clock};
use super::under_test::under_test;
use lastmeter_record::{Event, EventKind, RunFacts, field};
use lastmeter_text::append;

/// The most marks of the strip listed below it on a phone.
const NOTES_MAX: usize = 12;

pub(crate) fn timeline(
    facts: &RunFacts,
    collected: &Collected,
    end_s: f64,
    figures: &mut Vec<Figure>,
) -> Option<Picture> {
    let since = |time: SimTime| (time - facts.start).as_seconds_f64();
    let (mut marks, mut killed) = (Vec::new(), Vec::new());
    for (place, (_, event)) in collected.events.iter().enumerate() {
        let lane = match &event.kind {
            // What a kill began ends there.
            EventKind::Restarted if killed.contains(&event.text(field::TARGET)) => continue,
            EventKind::Inject | EventKind::Kill | EventKind::Restarted | EventKind::Interrupted => {
                Lane::Injected
            }
            EventKind::Command | EventKind::Acknowledged => Lane::Commands,
            EventKind::Refused => Lane::Refused,
            EventKind::Alert => Lane::Alerts,
            _ => continue,
        };
        let own = event.text(field::EVENT_TIME).and_then(|time| time.parse().ok());
        let from_s = since(own.unwrap_or(event.time));
        if event.kind == EventKind::Kill {
            killed.push(event.text(field::TARGET));
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
    let mut csv = Csv::new("lane,what,from_s,to_s");
    for mark in &marks {
        csv.line(&[mark.lane.word(), &mark.text], &[mark.from_s, mark.to_s]);
    }
    let figure = Figure::drawn("timeline", diagram::timeline(&marks, end_s), csv.finish());
    let mut picture = Picture::of(figure, "", String::new(), figures);
    let labelled = marks.iter().filter(|mark| !mark.label.is_empty());
    let note = |mark: &Mark| format!("{}  {}", clock(mark.from_s), mark.label);
    picture.notes = labelled.take(NOTES_MAX).map(note).collect();
    Some(picture)
}

/// Until when the first of these events lasts: as it states, or, of a kill, until its target is
/// there again.
pub(crate) fn until(events: &[(u64, Event)]) -> Option<SimTime> {
    let (_, event) = events.first()?;
    if event.kind != EventKind::Kill {
        return event.text(field::UNTIL).and_then(|until| until.parse().ok());
    }
    let is_back = |other: &&Event| {
        other.kind == EventKind::Restarted && other.text(field::TARGET) == event.text(field::TARGET)
    };
    events.iter().map(|(_, other)| other).find(is_back).map(|other| other.time)
}

/// A few words for a mark on the strip, where it has room for them.
pub(crate) fn label(event: &Event) -> String {
    let places = [field::LINK, field::TARGET, field::INTO];
    let about = event.about().or_else(|| places.iter().find_map(|place| event.text(place)));
    let (what, about) = match &event.kind {
        EventKind::Inject => (event.text(field::INJECT).unwrap_or_default(), about),
        EventKind::Command => (event.text(field::NAME).unwrap_or_default(), about),
        EventKind::Refused => (event.text(field::REASON).unwrap_or_default(), about),
        EventKind::Alert => (event.text(field::TYPE).unwrap_or_default(), about),
        // It stands right beside what it answers, or ends.
        EventKind::Acknowledged | EventKind::Restarted => ("", None),
        other => (other.word(), about),
    };
    about.map_or_else(|| what.to_owned(), |about| format!("{what} {about}"))
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
        text: format!(
            "{}  {} {} {}",
            clock(from_s),
            page::grouped(count),
            if count == 1 { "value" } else { "values" },
            lane.word()
        ),
        label: String::new(),
    };
    spans.into_iter().map(mark).collect()
}

pub(crate) fn bench(facts: &RunFacts, document: &Table, figures: &mut Vec<Figure>) -> Picture {
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
    let mut ways: Vec<String> =
        tables(document, "network").map(|table| word(table, "kind").to_owned()).collect();
    ways.sort();
    ways.dedup();
    // What is on no network goes by itself.
    let goes_by_itself = |table: &Table| word(table, "on").is_empty();
    if ways.is_empty() || tables(document, "device").any(goes_by_itself) {
        ways.push("MQTT".to_owned());
    }
    let svg = Some(diagram::bench(&Bench { sources, devices, ways, platform }));
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

pub(crate) fn tables<'a>(document: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
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
