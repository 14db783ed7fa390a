//! Reports: what was made of periods, newest first; one with its number first, a picture, a table,
//! and what was missing.

use lastmeter_model::calendar::Stretch;
use lastmeter_model::entity::{
    Body as _, Lack, Report, ReportFailure, ReportInput, ReportKind, ReportPeriod, ReportPlan,
};
use lastmeter_model::series::energy::{Counted, Energy, Gap};
use lastmeter_store::Page;
use lastmeter_units::SimTime;
use serde_json::{Value, json};

use super::charts;
use super::format::{Shown, number};
use super::frame::Answered;
use super::view::View;
use super::viewer::{Viewer, in_address};
use crate::ops::{documents, reports};

/// Reports that are looked at, and those of a page.
const LOOKED_AT: u32 = 1000;
const SHOWN: usize = 100;

fn kind_name(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Nilm => "Loads of a home",
        ReportKind::Eadrm => "Demand response",
        ReportKind::Lgfa => "Faults and outages",
        ReportKind::Dra => "Schedules",
        ReportKind::TiE => "Awareness",
        ReportKind::Consumption => "Energy",
        ReportKind::Delivery => "Readings",
    }
}

fn failure_name(failure: ReportFailure) -> &'static str {
    match failure {
        ReportFailure::TooMuch => "too many rows; take a shorter period or fewer devices",
        ReportFailure::TooSlow => "the store took too long; run it again",
        ReportFailure::Damaged => "something that it would rest on is damaged",
        ReportFailure::NoDevice => "there is no device that you may read",
    }
}

fn lack_name(what: Lack) -> &'static str {
    match what {
        Lack::NoRegister => "no register of energy",
        Lack::NoReadings => "no readings in this time",
        Lack::Readings => "readings are missing",
        Lack::ReportingPeriod => "how often it reports is not declared",
        Lack::NoLoads => "no load behind the meter is measured",
        Lack::NoCommands => "nobody asked for anything",
        Lack::NoPeriodBefore => "the period before is not whole",
    }
}

/// The period of a report, for people.
fn period_name(viewer: &Viewer, report: &Report) -> String {
    let (from, last) = (report.from, SimTime(report.until.0 - 1));
    let days = report.until.since(report.from).as_seconds_f64() / 86_400.0;
    if days < 1.5 {
        viewer.times.day(from)
    } else {
        format!("{} to {}", viewer.times.day(from), viewer.times.day(last))
    }
}

/// How long the period of a report is.
fn period_of(report: &Report) -> ReportPeriod {
    match report.until.since(report.from).as_seconds_f64() / 86_400.0 {
        days if days < 1.5 => ReportPeriod::Day,
        days if days < 8.0 => ReportPeriod::Week,
        _ => ReportPeriod::Month,
    }
}

fn read(shown: Value) -> Option<(String, u64, Report)> {
    let Value::Object(mut members) = shown else { return None };
    let token = members.remove("token")?.as_str()?.to_owned();
    let version = members.remove("version")?.as_u64()?;
    for name in ["createdDate", "updatedDate", "updatedBy", "deleted"] {
        members.remove(name);
    }
    Some((token, version, serde_json::from_value(Value::Object(members)).ok()?))
}

/// The number of a report that comes first, with what it is.
fn lead(report: &Report) -> Option<(Shown, String)> {
    let content = &report.content;
    let value = |name: &str| content.get(name).and_then(Value::as_f64);
    let energy = || Some(number(value("energyKwh")?, "kWh"));
    let count = |name: &str| Some(number(value(name)?, "1"));
    let of = |name: &str, what: &str| {
        format!("of {} {what}", content.get(name).map(ToString::to_string).unwrap_or_default())
    };
    Some(match report.kind {
        ReportKind::Nilm => {
            let rest = value("unexplainedPercent");
            let text = rest.map_or_else(String::new, |rest| {
                format!("explained to {}\u{a0}%", number(100.0 - rest, "%").text)
            });
            (energy()?, text)
        }
        ReportKind::TiE => {
            let text = value("differenceKwh").map_or_else(String::new, |more| {
                let shown = number(more.abs(), "kWh");
                let word = if more < 0.0 { "less" } else { "more" };
                format!("{}\u{a0}kWh {word} than the period before", shown.text)
            });
            (energy()?, text)
        }
        ReportKind::Consumption => (energy()?, String::new()),
        ReportKind::Eadrm => (count("answered")?, of("asked", "commands answered")),
        ReportKind::Dra => (count("followed")?, of("given", "commands followed")),
        ReportKind::Lgfa => {
            let events = content.get("events").and_then(Value::as_array)?.len();
            (number(events as f64, "1"), "events".to_owned())
        }
        ReportKind::Delivery => {
            let text = match value("expected") {
                Some(_) => of("expected", "readings that are expected"),
                None => "readings".to_owned(),
            };
            (count("received")?, text)
        }
    })
}

/// `GET /reports`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let page = Page { offset: 0, limit: LOOKED_AT };
    let (count, found) = documents::list(&viewer.caller, Report::kind(), None, page).await?;
    let mut all: Vec<_> = found.into_iter().filter_map(read).collect();
    all.sort_by(|one, other| (other.2.from, &one.0).cmp(&(one.2.from, &other.0)));
    let (kind, period) = (viewer.field("kind"), viewer.field("period"));
    let is_meant = |report: &Report| {
        (kind.is_empty() || report.kind.word() == kind)
            && (period.is_empty() || period_of(report).word() == period)
    };
    all.retain(|(_, _, report)| is_meant(report));
    let rows = all.iter().take(SHOWN).map(|(token, version, report)| {
        let lead = lead(report);
        json!({
            "path": format!("/reports/{}", in_address(token)),
            "name": report.name,
            "kind": kind_name(report.kind),
            "period": period_name(&viewer, report),
            "version": version,
            "lead": lead.as_ref().map(|(shown, _)| shown),
            "text": lead.as_ref().map(|(_, text)| text),
            "failure": report.failure.map(failure_name),
        })
    });
    let tasks = reports::tasks(&viewer.caller).await?;
    let due = tasks.iter().filter(|(_, task)| task.of.0.code == ReportPlan::CODE);
    let next = due.filter_map(|(_, task)| Some((task.next?, task.name.as_str()))).min();
    let option = |word: &'static str, name: &'static str, chosen: &str| json!({ "id": word, "name": name, "is_chosen": word == chosen });
    let kinds = ReportKind::ALL.map(|one| option(one.word(), kind_name(one), kind));
    let periods = ReportPeriod::ALL.map(|one| option(one.word(), one.word(), period));
    let values = json!({
        "rows": rows.collect::<Vec<_>>(),
        "more": count.saturating_sub(SHOWN as u64),
        "kinds": kinds,
        "periods": periods,
        "next": next.map(|(at, name)| json!({ "at": viewer.times.clock(at), "name": name })),
    });
    Ok(View::new("reports.html", values).into())
}

/// `GET /reports/{id}`
pub(super) async fn one(viewer: Viewer) -> Answered {
    let kind = Report::kind();
    let document = documents::one(&viewer.caller, kind, &viewer.variable, None).await?;
    let unknown = || documents::unknown(kind, &viewer.variable);
    let (_, version, report) = read(documents::shown(&document)).ok_or_else(unknown)?;
    let lead = lead(&report);
    let period = period_name(&viewer, &report);
    let whole = Stretch { from: report.from, until: report.until };
    let title = format!("{}, {period}", report.name);
    let drawing = energy_of(&report)
        .map(|energy| charts::bars(&viewer.times, &energy, (whole, &title), "kWh"));
    let missing = report.missing.iter().map(
        |one| json!({ "what": lack_name(one.what), "device": one.device, "count": one.count }),
    );
    let input = |input: &ReportInput| json!({ "device": input.device, "readings": input.readings, "expected": input.expected });
    let values = json!({
        "name": report.name,
        "kind": kind_name(report.kind),
        "period": period,
        "subject": report.subject,
        "version": version,
        "made": viewer.times.clock(report.made),
        "failure": report.failure.map(failure_name),
        "lead": lead.as_ref().map(|(shown, _)| shown),
        "text": lead.as_ref().map(|(_, text)| text),
        "more": more(&viewer, &report),
        "drawing": drawing,
        "shares": shares(&report),
        "table": table(&viewer, &report),
        "inputs": report.inputs.iter().map(input).collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
    });
    Ok(View::new("report.html", values).titled(title).into())
}

fn instant(value: &Value) -> Option<SimTime> {
    value.as_str()?.parse().ok()
}

fn list<'a>(report: &'a Report, name: &str) -> impl Iterator<Item = &'a Value> {
    report.content.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Energy by day, with what is known of gaps only as a total.
fn energy_of(report: &Report) -> Option<Energy> {
    let counted: Vec<Counted> = list(report, "days")
        .filter_map(|day| {
            let stretch = Stretch { from: instant(&day["from"])?, until: instant(&day["until"])? };
            Some(Counted { stretch, value: day["energyKwh"].as_f64() })
        })
        .collect();
    let devices = || list(report, "devices");
    let of_one = devices().next().filter(|_| devices().count() == 1);
    let gaps = of_one.and_then(|device| device["gaps"].as_array()).into_iter().flatten();
    let gap = |gap: &Value| {
        let (from, until) = (instant(&gap["from"])?, instant(&gap["until"])?);
        Some(Gap { from, until, total: gap["energyKwh"].as_f64() })
    };
    let total = report.content.get("energyKwh").and_then(Value::as_f64);
    (!counted.is_empty()).then(|| Energy {
        counted,
        gaps: gaps.filter_map(gap).collect(),
        total,
        last: None,
    })
}

/// What else a report has, as names with values.
fn more(viewer: &Viewer, report: &Report) -> Vec<Value> {
    let mut more = Vec::new();
    let content = &report.content;
    if let Some(power) = content.get("alwaysOnKw").and_then(Value::as_f64) {
        more.push(json!({ "name": "Always on", "value": number(power, "kW") }));
    }
    let hour = content.get("highestHour");
    if let Some((hour, energy)) = hour.and_then(|it| Some((it, it["energyKwh"].as_f64()?))) {
        let at = instant(&hour["from"]).map(|at| viewer.times.clock(at));
        let value = number(energy, "kWh");
        more.push(json!({ "name": "Highest hour", "value": value, "at": at }));
    }
    more
}

/// The loads of a home and the rest, each with its part.
fn shares(report: &Report) -> Vec<Value> {
    let energy = |value: &Value| value.as_f64().map(|energy| number(energy, "kWh"));
    let mut all: Vec<Value> = list(report, "loads")
        .map(|load| {
            let energy = energy(&load["energyKwh"]);
            json!({ "name": load["device"], "energy": energy, "percent": load["percent"] })
        })
        .collect();
    if let Some(rest) = report.content.get("unexplainedKwh").and_then(Value::as_f64) {
        let percent = report.content.get("unexplainedPercent");
        let energy = number(rest, "kWh");
        all.push(json!({ "name": "not explained", "energy": energy, "percent": percent }));
    }
    all
}

/// A value as a cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

/// A power as a cell of a table.
fn power(value: &Value) -> String {
    let Some(power) = value.as_f64() else { return "–".to_owned() };
    let shown = number(power, "kW");
    format!("{}\u{a0}{}", shown.text, shown.unit)
}

/// An instant as a cell, and the members of a row that follow it.
fn dated(viewer: &Viewer, row: &Value, names: &[&str]) -> Vec<String> {
    let at = instant(&row["at"]).map(|at| viewer.times.clock(at).text);
    let cells = names.iter().map(|name| cell(&row[*name]));
    std::iter::once(at.unwrap_or_default()).chain(cells).collect()
}

/// What came from a device.
fn delivered(row: &Value) -> Vec<String> {
    let refused = row["refusals"].as_object().into_iter().flatten();
    let refused: u64 = refused.filter_map(|(_, count)| count.as_u64()).sum();
    let names = ["device", "received", "expected", "missing"];
    names.iter().map(|name| cell(&row[*name])).chain([refused.to_string()]).collect()
}

/// The rows of a report of commands, faults or delivery.
fn table(viewer: &Viewer, report: &Report) -> Value {
    const COMMAND: [&str; 4] = ["device", "command", "state", "by"];
    let command = |row: &Value| dated(viewer, row, &COMMAND);
    let around = |row: &Value| {
        let beside = ["powerBeforeKw", "powerAfterKw"].map(|name| power(&row[name]));
        [command(row), beside.to_vec()].concat()
    };
    let event = |row: &Value| dated(viewer, row, &["device", "type", "level"]);
    let (head, rows): (&[&str], Vec<Vec<String>>) = match report.kind {
        ReportKind::Eadrm => (
            &["When", "Device", "Command", "State", "By", "Power before", "Power after"],
            list(report, "commands").map(around).collect(),
        ),
        ReportKind::Dra => (
            &["When", "Device", "Command", "State", "By"],
            list(report, "commands").map(command).collect(),
        ),
        ReportKind::Lgfa => {
            (&["When", "Device", "Type", "Level"], list(report, "events").map(event).collect())
        }
        ReportKind::Delivery => (
            &["Device", "Received", "Expected", "Missing", "Refused"],
            list(report, "devices").map(delivered).collect(),
        ),
        _ => (&[], Vec::new()),
    };
    json!({ "head": head, "rows": rows })
}
