//! Reports: when they are made and of what, against values by hand.

use lastmeter_model::access::Target;
use lastmeter_model::document::kind_of_name;
use lastmeter_model::invocation::{InvocationId, InvocationState, NewInvocation};
use lastmeter_model::row::AlertRow;
use lastmeter_model::series::rollup::{Summary, bucket};
use lastmeter_units::{HardwareId, MeasurementId, SimDuration};
use serde_json::{Value, json};

use super::*;
use crate::border::{DeviceRows, Rows};
use lastmeter_model::invocation::InvocationRow;

/// Monday, when it is midnight in Rome.
const MONDAY: &str = "2027-01-17T23:00:00Z";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> SimTime {
    SimTime(MONDAY.parse::<SimTime>().unwrap().0 + seconds * 1_000_000_000)
}

fn document(kind: &str, token: &str, body: &Value, version: u64) -> Document {
    let kind = kind_of_name(kind).unwrap();
    let checked = (kind.check)(body);
    assert!(checked.is_ok(), "{checked:?} {body}");
    Document {
        kind,
        token: token.to_owned(),
        version,
        created: at(10 * HOUR),
        changed: at(10 * HOUR),
        by: "user:ann".to_owned(),
        is_deleted: false,
        body: body.to_string(),
    }
}

fn plan(kind: &str, period: &str, more: &Value) -> Value {
    let mut body = json!({
        "name": "Nightly", "kind": kind, "subject": "device:main", "period": period, "hour": 3,
        "owner": "user:ann",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn started(body: &Value) -> Reports {
    let (mut reports, mut out) = (Reports::default(), Vec::new());
    let settings = json!({ "timeZone": "Europe/Rome", "currency": "EUR", "registration": "open" });
    let settings = document("tenant_settings", "settings", &settings, 1);
    reports.step(at(10 * HOUR), Input::Document(&settings), &mut out);
    let plan = document("report_plan", "p", body, 1);
    reports.step(at(10 * HOUR), Input::Document(&plan), &mut out);
    reports.step(at(10 * HOUR), Input::Started, &mut out);
    assert!(out.is_empty(), "{out:?}");
    reports
}

fn asked(out: &mut Vec<Output>) -> (u64, Query) {
    match out.pop() {
        Some(Output::Ask { ask, query }) if out.is_empty() => (ask, query),
        other => panic!("{other:?} {out:?}"),
    }
}

fn put(out: &mut Vec<Output>) -> (String, Report) {
    match out.pop() {
        Some(Output::Put { token, body, .. }) if out.is_empty() => {
            assert!((Report::kind().check)(&body).is_ok(), "{body}");
            (token, serde_json::from_value(body).unwrap())
        }
        other => panic!("{other:?} {out:?}"),
    }
}

/// Makes the next report of what there is.
fn made(reports: &mut Reports, rows: &Rows) -> (String, Report) {
    let (mut out, due) = (Vec::new(), reports.wake_at().unwrap());
    reports.step(due, Input::Wake, &mut out);
    let (ask, _) = asked(&mut out);
    reports.step(due, Input::Answer { ask, rows: Ok(rows) }, &mut out);
    put(&mut out)
}

fn device(id: &str, parent: Option<&str>) -> DeviceRows {
    let hardware_id = |id: &str| HardwareId::new(id).unwrap();
    DeviceRows {
        device: hardware_id(id),
        parent: parent.map(hardware_id),
        reporting_period: Some(SimDuration::from_seconds(900)),
        summaries: BTreeMap::new(),
        commands: Vec::new(),
        refusals: BTreeMap::new(),
    }
}

/// Adds readings at seconds.
fn read(of: &mut DeviceRows, name: &str, values: impl Iterator<Item = (i64, f64)>) {
    let summaries = of.summaries.entry(MeasurementId::lookup(name).unwrap()).or_default();
    for (second, value) in values {
        match summaries.last_mut() {
            Some(last) if bucket(last.first.0) == bucket(at(second)) => last.add(at(second), value),
            _ => summaries.push(Summary::of(at(second), value)),
        }
    }
}

const ENERGY: &str = "electricity.energy.active.consumed.total";
const POWER: &str = "electricity.power.active.consumed.total";

/// A register that is read each quarter of an hour and counts so many kW.
fn register(id: &str, parent: Option<&str>, kw: f64, missing: std::ops::Range<i64>) -> DeviceRows {
    let mut device = device(id, parent);
    let seconds = (-900..=2 * DAY).step_by(900).filter(|second| !missing.contains(second));
    read(&mut device, ENERGY, seconds.map(|second| (second, kw * second as f64 / 3600.0 + 7.0)));
    device
}

fn rows(devices: Vec<DeviceRows>) -> Rows {
    Rows { devices, ..Rows::default() }
}

#[test]
fn a_period_is_reported_once_at_its_hour_of_the_local_calendar() {
    for (period, dues) in [
        ("day", [DAY + 3 * HOUR, 2 * DAY + 3 * HOUR]),
        ("week", [7 * DAY + 3 * HOUR, 14 * DAY + 3 * HOUR]),
        ("month", [14 * DAY + 3 * HOUR, 42 * DAY + 3 * HOUR]),
    ] {
        let mut reports = started(&plan("consumption", period, &json!({})));
        let mut tokens = Vec::new();
        for due in dues {
            assert_eq!(reports.wake_at(), Some(at(due)), "{period}");
            // A stop before the answer: it is asked again.
            let mut again = started(&plan("consumption", period, &json!({})));
            again.kept = serde_json::from_slice(&reports.snapshot()).unwrap();
            again.document(
                &document("report_plan", "p", &plan("consumption", period, &json!({})), 1),
                &mut Vec::new(),
            );
            let mut out = Vec::new();
            reports.step(at(due), Input::Wake, &mut out);
            assert_eq!((reports.wake_at(), out.len()), (None, 1), "asked once");
            let (token, report) = made(&mut again, &rows(vec![device("main", None)]));
            assert_eq!((report.made, report.zone.name()), (at(due), "Europe/Rome"));
            tokens.push((token, report.from));
            reports = again;
        }
        assert_eq!(tokens[0].0.len(), "p-2027-01-18".len());
        assert!(tokens[0].1 < tokens[1].1);
    }
    // The last Sunday of March has 23 hours.
    let zone = Zone::named("Europe/Rome").unwrap();
    let spring: SimTime = "2027-03-28T12:00:00Z".parse().unwrap();
    let sunday = lastmeter_model::entity::ReportPeriod::Day.around(&zone, spring).unwrap();
    assert_eq!(sunday.until.since(sunday.from), SimDuration::from_seconds(23 * HOUR));
}

#[test]
fn what_somebody_asks_for_is_made_once_whatever_the_plan_does() {
    let runs = json!({ "runs": [{ "number": 2, "at": at(-DAY) }], "disabled": true });
    let mut reports = started(&plan("consumption", "day", &json!({ "disabled": true })));
    assert_eq!(reports.wake_at(), None, "none by itself");
    let mut out = Vec::new();
    let changed = document("report_plan", "p", &plan("consumption", "day", &runs), 2);
    reports.step(at(11 * HOUR), Input::Document(&changed), &mut out);
    let (ask, query) = asked(&mut out);
    assert_eq!(query.within.until, at(0) + SimDuration(1));
    assert_eq!(query.of, Subject::Of(Target::Device(HardwareId::new("main").unwrap())));
    assert!(matches!(&query.by, Asker::Principal(by) if by.to_string() == "user:ann"));
    reports.step(at(11 * HOUR), Input::Answer { ask, rows: Err(Unanswered::TooSlow) }, &mut out);
    let (token, report) = put(&mut out);
    assert_eq!((&*token, report.failure), ("p-2027-01-17", Some(ReportFailure::TooSlow)));
    assert_eq!(reports.tasks()[0].state, "too-slow");
    let snapshot = reports.snapshot();
    reports = Reports::of(Some(&snapshot));
    reports.step(at(12 * HOUR), Input::Document(&changed), &mut out);
    assert!(out.is_empty(), "it was made");
    reports.step(at(12 * HOUR), Input::Answer { ask, rows: Ok(&Rows::default()) }, &mut out);
    assert!(out.is_empty(), "nobody asked");
}

#[test]
fn energy_by_day_from_registers_with_gaps_as_gaps() {
    let mut reports = started(&plan("consumption", "day", &json!({})));
    let (token, report) =
        made(&mut reports, &rows(vec![register("main", None, 0.5, 0..0), device("dead", None)]));
    assert_eq!(&*token, "p-2027-01-18");
    let content = &report.content;
    // One that has no register is no zero.
    assert_eq!(
        (&content["energyKwh"], &content["devices"][0]["energyKwh"]),
        (&json!(12.0), &json!(12.0))
    );
    let input = &report.inputs[0];
    assert_eq!(
        (input.readings, input.expected, input.first, input.last),
        (96, Some(96), Some(at(0)), Some(at(DAY - 900)))
    );
    let missing = |report: &Report| -> Vec<String> {
        let all = report.missing.iter();
        all.map(|one| {
            format!("{} {}", one.what, one.device.as_ref().map_or("", HardwareId::as_str))
        })
        .collect()
    };
    assert_eq!(missing(&report), ["no-readings dead", "no-register dead"]);
    // Over midnight nothing is known of the day.
    let mut reports = started(&plan("consumption", "day", &json!({})));
    let (_, report) = made(&mut reports, &rows(vec![register("main", None, 0.5, -900..2 * HOUR)]));
    let of = &report.content["devices"][0];
    assert_eq!((&of["days"][0], &of["energyKwh"]), (&Value::Null, &Value::Null));
    assert_eq!(missing(&report), ["readings main"]);
    assert_eq!(report.missing[0].count, Some(8));
    // Within the day the gap is known, and so is the sum.
    let mut reports = started(&plan("consumption", "day", &json!({})));
    let missed = 5 * HOUR..8 * HOUR;
    let (_, report) = made(&mut reports, &rows(vec![register("main", None, 0.5, missed)]));
    assert_eq!(report.content["energyKwh"], json!(12.0));
}

#[test]
fn loads_explain_a_part_of_what_a_home_takes_and_shares_are_a_whole() {
    let mut reports = started(&plan("NILM", "day", &json!({})));
    let home = vec![
        register("main", None, 1.0, 0..0),
        register("fridge", Some("main"), 0.25, 0..0),
        register("heater", Some("main"), 0.5, 0..0),
    ];
    let (_, report) = made(&mut reports, &rows(home));
    let content = &report.content;
    assert_eq!(
        (&content["energyKwh"], &content["unexplainedKwh"], &content["unexplainedPercent"]),
        (&json!(24.0), &json!(6.0), &json!(25.0))
    );
    let loads = content["loads"].as_array().unwrap();
    let percents: Vec<_> = loads.iter().map(|load| load["percent"].as_f64().unwrap()).collect();
    assert_eq!(percents, [25.0, 50.0]);
    let mut reports = started(&plan("NILM", "day", &json!({})));
    let (_, report) = made(&mut reports, &rows(vec![device("main", None)]));
    assert_eq!(report.content["unexplainedKwh"], Value::Null);
    assert!(report.missing.iter().any(|one| one.what == lastmeter_model::entity::Lack::NoLoads));
}

#[test]
fn a_user_sees_what_is_always_on_the_highest_hour_and_the_day_before() {
    let mut reports = started(&plan("TI.E", "day", &json!({})));
    let mut home = device("main", None);
    let mut total = 0.0;
    let mut register = Vec::new();
    for quarter in -96..=96_i64 {
        register.push((quarter * 900, total));
        let hour = quarter.div_euclid(4);
        // 0.2 kW the day before, then 0.4 kW, and 2 kW from 19:00 to 20:00.
        let kw = if hour == 19 {
            2.0
        } else if hour < 0 {
            0.2
        } else {
            0.4
        };
        total += kw / 4.0;
    }
    read(&mut home, ENERGY, register.into_iter());
    let (_, report) = made(&mut reports, &rows(vec![home]));
    let content = &report.content;
    let close = |name: &str, expected: f64| {
        assert!((content[name].as_f64().unwrap() - expected).abs() < 1e-6, "{name}: {content:?}");
    };
    close("energyKwh", 23.0 * 0.4 + 2.0);
    close("energyBeforeKwh", 4.8);
    close("differenceKwh", 23.0 * 0.4 + 2.0 - 4.8);
    close("alwaysOnKw", 0.4);
    assert_eq!(content["highestHour"]["from"], json!(at(19 * HOUR)));
}

fn command(number: i64, initiator: &str, seconds: i64, state: InvocationState) -> InvocationRow {
    InvocationRow {
        id: InvocationId(number),
        asked: NewInvocation {
            device: 1,
            command: "setBreaker".to_owned(),
            parameters: [("state".to_owned(), "open".to_owned())].into(),
            initiator: initiator.to_owned(),
            initiator_id: "night".to_owned(),
            metadata: [("by".to_owned(), "app:aggregator".to_owned())].into(),
            created: at(seconds),
            expires: at(seconds + 60),
        },
        state,
        sent: None,
        ended: None,
        response: None,
        previous: 0,
    }
}

#[test]
fn commands_are_of_schedules_or_of_demand_response() {
    use InvocationState::{Acknowledged, Expired};
    let mut home = device("main", None);
    home.commands = vec![
        command(1, "REST", -1, Acknowledged),
        command(2, "Rule", 18 * HOUR + 60, Acknowledged),
        command(3, "REST", 20 * HOUR, Expired),
        command(4, "Scheduler", 22 * HOUR, Acknowledged),
        command(5, "Scheduler", 23 * HOUR, Expired),
    ];
    // 3 kW before 18:15, 1 kW after.
    let power = |second: i64| if second < 18 * HOUR + 900 { 3.0 } else { 1.0 };
    read(&mut home, POWER, (0..DAY).step_by(300).map(|second| (second, power(second))));
    let made_of = |kind: &str| {
        made(&mut started(&plan(kind, "day", &json!({}))), &rows(vec![home.clone()])).1.content
    };
    let content = made_of("EADRM");
    assert_eq!((&content["asked"], &content["answered"]), (&json!(2), &json!(1)));
    let first = &content["commands"][0];
    assert_eq!((&first["powerBeforeKw"], &first["powerAfterKw"]), (&json!(3.0), &json!(1.0)));
    assert_eq!((&first["by"], &first["state"]), (&json!("app:aggregator"), &json!("Acknowledged")));
    let content = made_of("DRA");
    assert_eq!(content["schedules"], json!([{ "schedule": "night", "given": 2, "followed": 1 }]));
}

#[test]
fn faults_name_their_devices_and_delivery_counts_what_came() {
    let alert = |device: &str, kind: &str, level: &str, seconds: i64, of: &str| AlertRow {
        sequence: 1,
        device: HardwareId::new(device).unwrap(),
        event: at(seconds),
        received: at(seconds),
        level: level.to_owned(),
        kind: kind.to_owned(),
        message: String::new(),
        metadata: [("device".to_owned(), of.to_owned())].into(),
    };
    let mut home = device("main", None);
    read(&mut home, POWER, (0..12 * HOUR).step_by(900).map(|second| (second, 1.0)));
    home.refusals = [("decode".to_owned(), 3)].into();
    let rows = Rows {
        devices: vec![home],
        alerts: vec![
            alert("main", "overheated", "Critical", 100, "main"),
            alert("main", "note", "Info", 150, "main"),
            alert("$presence", "presence.missing", "Warning", 12 * HOUR, "main"),
            alert("main", "late", "Error", DAY, "main"),
        ],
        ..Rows::default()
    };
    let content = made(&mut started(&plan("LGFA", "day", &json!({}))), &rows).1.content;
    assert_eq!(content["types"], json!({ "overheated": 1, "presence.missing": 1 }));
    assert_eq!(content["silentAtTheEnd"], json!([{ "device": "main", "from": at(12 * HOUR) }]));
    let content = made(&mut started(&plan("delivery", "day", &json!({}))), &rows).1.content;
    assert_eq!(
        content["devices"],
        json!([{
            "device": "main", "received": 48, "expected": 96, "missing": 48,
            "refusals": { "decode": 3 },
        }])
    );
    assert_eq!(content["refused"], json!(3));
}
