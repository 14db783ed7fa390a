//! The content of the report's tables, as text ready for the template.

use std::collections::BTreeMap;

use lastmeter_units::{MeasurementId, SiUnit, SimTime};
use serde::Serialize;
use serde_json::Value;

use super::collect::{Collected, Excerpt, RowText};
use super::units::DisplayUnit;
use crate::verdict::Verdict;
use lastmeter_params::Requirement;
use lastmeter_record::{Event, FieldValue, Status};
use lastmeter_text::{Prose, apart, number, shortened};

/// So much of an explanation stands in a list, characters.
const WHY_MAX: usize = 160;

/// So much of a text of an event stands in a list, characters; the record has the whole of it.
const DETAIL_MAX: usize = 400;

/// The ends of names of facts that are in a unit, with its symbol.
const UNITS: [(&str, &str); 5] =
    [("_s", " s"), ("_v", " V"), ("_a", " A"), ("_wh", " Wh"), ("_m", " m")];

#[derive(Serialize)]
pub(crate) struct Fact {
    name: String,
    value: String,
}

impl Fact {
    pub(crate) fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }
}

#[derive(Serialize)]
pub(crate) struct CheckRow {
    status: Status,
    name: String,
    covers: Vec<Chip>,
    measured: String,
    limit: String,
    margin: Option<Margin>,
    n: String,
    bound: String,
    why: Prose,
    basis: String,
    /// All of it, if it is too much for a list.
    more: Option<Prose>,
    place: String,
}

/// A row of the requirements: its name, and its words up to the first comma or colon.
#[derive(Serialize)]
struct Chip {
    id: String,
    short: &'static str,
    words: &'static str,
}

impl Chip {
    fn of(id: &str) -> Self {
        let words = Requirement::lookup(id).map_or("", |row| row.words);
        Self { id: id.to_owned(), short: words.split([',', ':']).next().unwrap_or_default(), words }
    }
}

/// How much of the limit was used.
#[derive(Serialize)]
struct Margin {
    /// In units of the bar, which is 90 wide; the limit stands at 60.
    width: String,
    text: String,
}

/// The checks, worst first.
pub(crate) fn checks(verdicts: &[Verdict]) -> Vec<CheckRow> {
    let mut sorted: Vec<&Verdict> = verdicts.iter().collect();
    sorted.sort_by_key(|verdict| std::cmp::Reverse(verdict.status));
    sorted.into_iter().map(check_row).collect()
}

fn check_row(verdict: &Verdict) -> CheckRow {
    let with_unit = |value: Option<f64>| match value {
        Some(value) if verdict.unit == "1" => number(value),
        Some(value) if verdict.unit == "s" && value != 0.0 && value.abs() < 1.0 => {
            format!("{} ms", number(1e3 * value))
        }
        Some(value) => format!("{} {}", number(value), verdict.unit),
        None => String::new(),
    };
    let of_what = if verdict.limit_low.is_some() { "band" } else { "limit" };
    let margin = verdict.share().map(|share| Margin {
        width: format!("{:.1}", (share * 60.0).clamp(2.0, 90.0)),
        text: format!("{} % of the {of_what}", number(100.0 * share)),
    });
    let limit = match verdict.limit_low {
        None => with_unit(verdict.limit),
        Some(low) if verdict.limit.is_none() => format!("at least {}", with_unit(Some(low))),
        Some(low) => format!("{} to {}", number(low), with_unit(verdict.limit)),
    };
    let why = shortened(&verdict.why, WHY_MAX);
    let more = Some(verdict.why.clone()).filter(|whole| *whole != why);
    let basis = verdict.told.as_ref().map(|text| text.basis.clone());
    CheckRow {
        status: verdict.status,
        name: verdict.check.clone(),
        covers: verdict.covers.iter().map(|id| Chip::of(id)).collect(),
        measured: with_unit(verdict.measured),
        limit,
        margin,
        n: grouped(verdict.n),
        bound: with_unit(verdict.bound),
        why,
        basis: basis.filter(|basis| *basis != format!("n {}", verdict.n)).unwrap_or_default(),
        more,
        place: if verdict.status == Status::Pass { String::new() } else { place(verdict) },
    }
}

/// Where in the record, for people.
fn place(verdict: &Verdict) -> String {
    verdict.at.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A check that is no pass, with what stands around its place in the record.
#[derive(Serialize)]
pub(crate) struct FailureDetail {
    status: Status,
    name: String,
    /// The device that it is about first of all; may be empty.
    device: String,
    why: Prose,
    place: String,
    /// The quantity of all rows; empty if there are none.
    quantity: &'static str,
    /// The unit of all their figures, behind the heads of columns: ` (kWh)`.
    unit: String,
    rows: Vec<ExcerptRow>,
    events: Vec<EventRow>,
}

#[derive(Serialize)]
struct ExcerptRow {
    here: bool,
    time: String,
    serial: String,
    error: String,
    reported: String,
    reference: String,
}

#[derive(Serialize)]
pub(crate) struct EventRow {
    here: bool,
    line: u64,
    time: String,
    source: String,
    kind: String,
    facts: Vec<Fact>,
}

pub(crate) fn event_row(line: u64, event: &Event, here: bool) -> EventRow {
    EventRow {
        here,
        line,
        time: event.time.to_string(),
        source: event.source.clone(),
        kind: event.kind.to_string(),
        facts: event.fields.iter().flat_map(|(name, value)| facts(name, value)).collect(),
    }
}

/// A field of an event, of an alert's facts each; none of what is not there.
fn facts(name: &str, value: &FieldValue) -> Vec<Fact> {
    match value {
        FieldValue::Prose(text) => vec![Fact::new(name, shortened(text, DETAIL_MAX).to_string())],
        FieldValue::Fact(Value::Object(facts)) => {
            facts.iter().map(|(name, value)| fact(name, value)).collect()
        }
        FieldValue::Fact(value) => vec![fact(name, value)],
    }
    .into_iter()
    .filter(|fact| !fact.is_empty())
    .collect()
}

/// A fact as people read it, with its unit where its name ends in one.
fn fact(name: &str, value: &Value) -> Fact {
    let with_unit = UNITS.iter().find_map(|(end, unit)| Some((name.strip_suffix(end)?, *unit)));
    let (shown, unit) = with_unit.filter(|_| value.is_number()).unwrap_or((name, ""));
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().take(DETAIL_MAX).collect(),
        Value::Number(figure) if figure.is_f64() => {
            number(figure.as_f64().unwrap_or(f64::NAN)) + unit
        }
        other => format!("{other}{unit}"),
    };
    Fact::new(&shown.replace('_', " "), text)
}

/// The checks that need attention, worst first; of those the ones that name devices as wrong.
pub(crate) fn trouble(verdicts: &[Verdict], collected: &Collected) -> Vec<FailureDetail> {
    let mut bad: Vec<&Verdict> =
        verdicts.iter().filter(|verdict| verdict.status > Status::Pass).collect();
    let names_wrong = |verdict: &Verdict| verdict.devices.is_some_and(|devices| devices.wrong > 0);
    bad.sort_by_key(|verdict| std::cmp::Reverse((verdict.status, names_wrong(verdict))));
    let nothing = Excerpt::default();
    bad.into_iter()
        .map(|verdict| {
            let excerpt = collected.excerpts.get(&verdict.check).unwrap_or(&nothing);
            let line = verdict.at.as_ref().and_then(|at| at.event);
            let quantity = excerpt.rows.front().map(|(row, _)| row.quantity);
            let shown = unit_of(excerpt);
            let symbol = Some(&shown.symbol).filter(|symbol| !symbol.is_empty());
            FailureDetail {
                status: verdict.status,
                name: verdict.check.clone(),
                device: verdict.at.as_ref().and_then(|at| at.device.clone()).unwrap_or_default(),
                why: verdict.why.clone(),
                place: place(verdict),
                quantity: quantity.map_or("", MeasurementId::name),
                unit: symbol.map(|symbol| format!(" ({symbol})")).unwrap_or_default(),
                rows: excerpt.rows.iter().map(|(row, at)| excerpt_row(row, *at, &shown)).collect(),
                events: excerpt
                    .events
                    .iter()
                    .map(|(number, event)| event_row(*number, event, line == Some(*number)))
                    .collect(),
            }
        })
        .collect()
}

/// The unit of all figures of an excerpt: all its rows are of one quantity.
fn unit_of(excerpt: &Excerpt) -> DisplayUnit {
    let unit = excerpt.rows.front().map_or(SiUnit::One, |(row, _)| row.quantity.row().si_unit);
    let figures = excerpt.rows.iter().flat_map(|(row, _)| [row.reference, row.reported]);
    let finite = figures.flatten().filter(|figure| figure.is_finite());
    DisplayUnit::hours_or_plain(unit, finite.fold(0.0, |reach, figure| reach.max(figure.abs())))
}

fn excerpt_row(row: &RowText, here: bool, shown: &DisplayUnit) -> ExcerptRow {
    let figure = |value: Option<f64>| value.map(|value| shown.figure(value));
    let (reported, reference) = (figure(row.reported), figure(row.reference));
    let both = reported.zip(reference);
    let texts = both.map(|(reported, reference)| apart(reported, reference)).unzip();
    let alone = |value: Option<f64>, absent: &str| value.map_or(absent.to_owned(), number);
    ExcerptRow {
        here,
        time: row.time.to_string(),
        serial: row.serial.map(|serial| serial.to_string()).unwrap_or_default(),
        error: both.map(|(reported, reference)| number(reported - reference)).unwrap_or_default(),
        reported: texts.0.unwrap_or_else(|| alone(reported, "missing")),
        reference: texts.1.unwrap_or_else(|| alone(reference, "not due")),
    }
}

#[derive(Serialize)]
pub(crate) struct DeliveryRow {
    device: String,
    due: String,
    stored: String,
    missing: String,
    unexpected: String,
    without_serial: String,
}

/// The deliveries of at most `rows_max` devices, those with losses first, and how many are left.
pub(crate) fn deliveries(collected: &Collected, rows_max: usize) -> (Vec<DeliveryRow>, usize) {
    let mut all: Vec<_> = collected
        .devices
        .iter()
        .map(|(device, record)| (device, record.delivery.closed()))
        .collect();
    all.sort_by_key(|(_, delivery)| std::cmp::Reverse(delivery.missing + delivery.unexpected));
    let more = all.len().saturating_sub(rows_max);
    let rows = all
        .into_iter()
        .take(rows_max)
        .map(|(device, delivery)| DeliveryRow {
            device: device.to_owned(),
            due: grouped(delivery.due),
            stored: grouped(delivery.stored),
            missing: grouped(delivery.missing),
            unexpected: grouped(delivery.unexpected),
            without_serial: grouped(delivery.without_serial),
        })
        .collect();
    (rows, more)
}

/// How many devices have readings that are missing, or that were not due.
pub(crate) fn devices_with_losses(collected: &Collected) -> usize {
    let closed = collected.devices.iter().map(|(_, record)| record.delivery.closed());
    closed.filter(|delivery| delivery.missing + delivery.unexpected > 0).count()
}

#[derive(Serialize)]
pub(crate) struct RefusedRow {
    reason: String,
    count: String,
    device: String,
}

/// The refusals by reason.
pub(crate) fn refusals(collected: &Collected) -> Vec<RefusedRow> {
    let row = |(reason, (count, device)): (&String, &(u64, Option<String>))| RefusedRow {
        reason: reason.clone(),
        count: grouped(*count),
        device: device.clone().unwrap_or_else(|| "not known".to_owned()),
    };
    collected.refused.iter().map(row).collect()
}

#[derive(Serialize)]
pub(crate) struct CoverageRow {
    row: Chip,
    status: Status,
    checks: String,
}

/// The requirements the checks name, each as bad as its worst check.
pub(crate) fn coverage(verdicts: &[Verdict]) -> Vec<CoverageRow> {
    let mut by_id: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        for id in &verdict.covers {
            by_id.entry(id).or_default().push(verdict);
        }
    }
    by_id
        .into_iter()
        .filter_map(|(id, checks)| {
            let status = Status::worst_of(checks.iter().map(|verdict| verdict.status))?;
            let names: Vec<&str> = checks.iter().map(|verdict| verdict.check.as_str()).collect();
            Some(CoverageRow { row: Chip::of(id), status, checks: names.join(", ") })
        })
        .collect()
}

/// `2027-01-18 17:00:00`, as people write it.
pub(crate) fn to_the_second(time: SimTime) -> String {
    let text = time.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// A time since the start: `4:00` in minutes and seconds, `13:00 h` in hours and minutes.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.round().max(0.0) as u64;
    if seconds >= 3600 {
        format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60)
    } else {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}

/// A whole number with a narrow space between groups of three digits.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

/// A figure with an SI prefix where the unit takes one: `1.2 mV`, `35 kW`.
pub(crate) fn with_prefix(value: f64, unit: SiUnit) -> String {
    DisplayUnit::prefixed(unit, value).with_symbol(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_an_event_stand_apart_with_their_units() {
        let event = Event::new(SimTime(0), "m", "alert")
            .with("type", "voltage.dip")
            .with("serial", None::<u64>)
            .with("duration_min_s", 12.560_000_000_000_01)
            .with("spread_s", 2)
            .with("metadata", serde_json::json!({"phase": "l1", "id": "007", "none": ""}))
            .with_prose(lastmeter_record::field::DETAIL, "as it came");
        let row = event_row(1, &event, false);
        let facts: Vec<String> =
            row.facts.iter().map(|fact| format!("{}={}", fact.name, fact.value)).collect();
        let expected = "type=voltage.dip,duration min=12.56 s,spread=2 s,id=007,phase=l1,\
                        detail=as it came";
        assert_eq!(facts.join(","), expected);
    }

    #[test]
    fn times_are_written_as_on_a_stopwatch() {
        for (seconds, text) in
            [(0.0, "0:00"), (240.0, "4:00"), (3600.0, "1:00 h"), (86_400.0, "24:00 h")]
        {
            assert_eq!(clock(seconds), text);
        }
    }

    #[test]
    fn figures_are_readable() {
        for (value, unit, text) in [
            (0.001_234_5, SiUnit::Volt, "1.234 mV"),
            (-35_000.0, SiUnit::Watt, "-35 kW"),
            (0.0, SiUnit::Hertz, "0 Hz"),
            (0.999_9, SiUnit::Volt, "0.9999 V"),
            (999.99, SiUnit::Volt, "1 kV"),
            (0.002, SiUnit::One, "0.002"),
            (3.2e-12, SiUnit::Ampere, "0.0032 nA"),
            (f64::NAN, SiUnit::Volt, "NaN V"),
            (f64::INFINITY, SiUnit::Volt, "infinity V"),
        ] {
            assert_eq!(with_prefix(value, unit), text);
        }
        assert_eq!(grouped(1_728_000), "1\u{202F}728\u{202F}000");
        assert_eq!(grouped(999), "999");
    }
}
