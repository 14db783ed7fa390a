//! Rules against a reference that keeps nothing: at each instant it looks at all that has come by
//! then. Local times are scanned for minute by minute. Truths are numbers there, as of Kleene: 0 is
//! false, 1 not known, 2 true; `all` is the least, `any` the greatest, and `not` what is left to 2.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday as Day};
use jiff::tz::TimeZone;
use lastmeter_model::document::Document;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// An hour before summer time begins in Rome.
const START: &str = "2027-03-28T00:00:00Z";
const SECONDS: i64 = 3 * 3600;
const STEP: i64 = 60;

fn start() -> SimTime {
    START.parse().unwrap()
}

fn at(seconds: i64) -> SimTime {
    SimTime(start().0 + seconds * 1_000_000_000)
}

fn document(body: &Value, version: u64) -> Document {
    let checked = (Rule::kind().check)(body);
    assert!(checked.is_ok(), "{checked:?} {body}");
    Document {
        kind: Rule::kind(),
        token: "r".to_owned(),
        version,
        created: start(),
        changed: start(),
        by: "user:ann".to_owned(),
        is_deleted: false,
        body: body.to_string(),
    }
}

fn rule(when: &Value) -> Value {
    json!({
        "name": "r", "owner": "user:ann", "when": when,
        "then": [
            { "alert": { "type": "fired", "level": "Info", "text": "" } },
            { "alarm": { "type": "holds", "level": "Error", "text": "" } },
        ],
    })
}

/// The feed `f` of prices, and the tariff `t` that has its prices from it.
fn outside(points: &[FeedValue]) -> [Document; 2] {
    let points: Vec<_> = points.iter().map(|(second, value)| json!([at(*second), value])).collect();
    let feed = json!({
        "name": "f", "kind": "price", "quantity": "price", "unit": "EUR/kWh",
        "validFrom": at(-SECONDS), "validUntil": at(2 * SECONDS), "points": points,
    });
    let tariff = json!({
        "name": "F", "currency": "EUR", "zone": "Europe/Rome", "validFrom": at(-SECONDS),
        "priceFeed": "f",
    });
    [(Tariff::kind(), "t", tariff), (Feed::kind(), "f", feed)].map(|(kind, token, body)| {
        assert!((kind.check)(&body).is_ok(), "{body}");
        let token = token.to_owned();
        Document { kind, token, body: body.to_string(), ..document(&rule(&time()), 1) }
    })
}

fn time() -> Value {
    json!({ "time": { "weekdays": ["sun"], "from": "00:00", "until": "01:00", "zone": "UTC" } })
}

/// A point of a feed: from a second on a value, or none.
type FeedValue = (i64, Option<f64>);

/// A reading or an alert, at a second.
#[derive(Clone, Debug)]
struct Comes {
    second: i64,
    device: &'static str,
    /// Of `p`; an alert of this level else.
    what: Result<f64, AlertLevel>,
}

fn row(comes: &Comes, sequence: u64) -> crate::Row {
    let (device, event) = (HardwareId::new(comes.device).unwrap(), at(comes.second));
    match comes.what {
        Ok(value) => crate::Row::Reading(Box::new(ReadingRow {
            sequence,
            device,
            device_row: 1,
            number: None,
            event,
            is_dated: true,
            updates_state: true,
            received: event,
            commit: event,
            values: vec![(Arc::from("p"), value)],
            extra: None,
        })),
        Err(level) => crate::Row::Alert(Box::new(AlertRow {
            sequence,
            device,
            event,
            received: event,
            level: level.word().to_owned(),
            kind: "k".to_owned(),
            message: String::new(),
            metadata: BTreeMap::new(),
        })),
    }
}

/// When the rule acted, and when its alarm ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    acted: Vec<SimTime>,
    ended: Vec<SimTime>,
}

impl Seen {
    fn take(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::InTheNameOf { effects, .. } => match &effects[..] {
                    [Output::Alert { at, .. }, Output::Alarm { level: Some(_), .. }] => {
                        self.acted.push(*at);
                    }
                    other => panic!("{other:?}"),
                },
                Output::Alarm { level: None, at, .. } => self.ended.push(at),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn wake_until(service: &mut dyn Service, until: SimTime, seen: &mut Seen) {
    while let Some(wake) = service.wake_at().filter(|wake| *wake <= until) {
        let mut out = Vec::new();
        service.step(wake, Input::Wake, &mut out);
        assert!(service.wake_at().is_none_or(|next| wake < next), "it goes on");
        seen.take(out);
    }
}

/// Plays rows, stopped and made again after so many of them.
fn played(body: &Value, rows: &[Comes], stops: &[usize]) -> Seen {
    played_with(body, &[], rows, stops)
}

/// The same where a feed has points.
fn played_with(body: &Value, points: &[FeedValue], rows: &[Comes], stops: &[usize]) -> Seen {
    let (document, mut seen) = (document(body, 1), Seen::default());
    let [tariff, feed] = outside(points);
    let documents = [document, tariff, feed];
    let mut service = (KIND.build)(None);
    let mut out = Vec::new();
    for document in &documents {
        service.step(start(), Input::Document(document), &mut out);
    }
    for (index, comes) in rows.iter().enumerate() {
        if stops.contains(&index) {
            service = (KIND.build)(Some(&service.snapshot()));
            let now = at(comes.second).min(service.wake_at().unwrap_or(SimTime(i64::MAX)));
            let before = rows[..index].last().map_or(start(), |before| at(before.second));
            for document in &documents {
                service.step(before.min(now), Input::Document(document), &mut out);
            }
        }
        seen.take(std::mem::take(&mut out));
        wake_until(&mut *service, at(comes.second), &mut seen);
        service.step(at(comes.second), row(comes, index as u64 + 1).input(false), &mut out);
    }
    seen.take(out);
    wake_until(&mut *service, at(SECONDS), &mut seen);
    seen
}

/// The value of a feed at a second, and whether it is beyond a level with hysteresis since the
/// start: 0, 1 or 2.
fn fed(points: &[FeedValue], inner: &Value, now: i64) -> u8 {
    let ahead = inner["aheadSeconds"].as_i64().unwrap();
    let value = |second: i64| points.iter().rfind(|(at, _)| *at <= second).and_then(|one| one.1);
    let seconds = (ahead..=now + ahead).filter(|second| (second - ahead) % STEP == 0);
    let (level, back) = (inner["above"].as_f64().unwrap(), inner["hysteresis"].as_f64().unwrap());
    let mut is_beyond = false;
    for value in seconds.filter_map(value) {
        is_beyond = if is_beyond { value > level - back } else { value > level };
    }
    value(now + ahead).map_or(1, |_| if is_beyond { 2 } else { 0 })
}

/// Whether a condition holds by all that has come: up to and with `now`, or before it. It is 0, 1
/// or 2.
fn holds(
    when: &Value,
    (points, rows): (&[FeedValue], &[Comes]),
    now: SimTime,
    alert: Option<&Comes>,
) -> u8 {
    let (name, inner) = when.as_object().unwrap().iter().next().unwrap();
    let all = |part: &Value| holds(part, (points, rows), now, alert);
    let yes = |holds: bool| if holds { 2 } else { 0 };
    let of = |row: &&Comes| inner["device"] == row.device && at(row.second) <= now;
    let values = || {
        let of_device = rows.iter().filter(of);
        of_device.filter_map(|row| Some((at(row.second), row.what.ok()?))).collect::<Vec<_>>()
    };
    let for_ns = |name: &str| inner[name].as_i64().unwrap() * 1_000_000_000;
    match &**name {
        "all" => inner.as_array().unwrap().iter().map(all).min().unwrap(),
        "any" => inner.as_array().unwrap().iter().map(all).max().unwrap(),
        "not" => 2 - all(inner),
        "weather" => fed(points, inner, (now.0 - start().0).div_euclid(1_000_000_000)),
        "tariff" => {
            let second = (now.0 - start().0).div_euclid(1_000_000_000);
            let price = points.iter().rfind(|(at, _)| *at <= second).and_then(|one| one.1);
            let below = inner["below"].as_str().map(|level| level.parse::<f64>().unwrap());
            price.map_or(1, |price| yes(below.map_or(inner["zone"] == "F", |level| price < level)))
        }
        "threshold" => {
            let (level, is_above) = match inner["above"].as_f64() {
                Some(level) => (level, true),
                None => (inner["below"].as_f64().unwrap(), false),
            };
            let beyond =
                |value: f64, level: f64| if is_above { value > level } else { value < level };
            let back = inner["hysteresis"].as_f64().unwrap();
            let mut since = None;
            for (at, value) in values() {
                let reached = if is_above { level - back } else { level + back };
                let goes_on = since.is_some() && beyond(value, reached);
                since = match (goes_on || beyond(value, level), since) {
                    (true, Some(since)) => Some(since),
                    (true, None) => Some(at),
                    (false, _) => None,
                };
            }
            if values().is_empty() {
                return 1;
            }
            yes(since.is_some_and(|since: SimTime| since.0 + for_ns("heldForSeconds") <= now.0))
        }
        "absence" => {
            let last = rows.iter().filter(of).map(|row| at(row.second)).max().unwrap_or(start());
            yes(last.0 + for_ns("forSeconds") <= now.0)
        }
        "rate" => {
            let window = for_ns("windowSeconds");
            let mut values = values();
            // Of one instant the first value counts.
            values.dedup_by_key(|(at, _)| *at);
            values.retain(|(at, _)| now.0 - at.0 <= window);
            let (Some(first), Some(last)) = (values.first(), values.last()) else { return 1 };
            let hours = (last.0.0 - first.0.0) as f64 / 3.6e12;
            if hours <= 0.0 {
                return 1;
            }
            yes((last.1 - first.1) / hours > inner["above"].as_f64().unwrap())
        }
        "time" => yes(is_on(inner, now)),
        "alert" => yes(alert.is_some_and(|row| {
            let least = inner["level"].as_str().and_then(AlertLevel::from_word);
            least.is_none_or(|least| row.what.is_err_and(|level| least <= level))
        })),
        other => panic!("{other}"),
    }
}

fn is_on(window: &Value, now: SimTime) -> bool {
    let zone = TimeZone::get("Europe/Rome").unwrap();
    let local = |minute: i64| zone.to_datetime(Timestamp::from_second(minute * 60).unwrap());
    let time = |name: &str| window[name].as_str().unwrap().parse::<Time>().unwrap();
    let (from, until) = (time("from"), time("until"));
    let minute = now.0.div_euclid(60_000_000_000);
    // Today's and yesterday's, and the day before where an hour was put back.
    let first = minute - 2 * 1440;
    let mut is_on = false;
    for date in [local(minute).date().yesterday().unwrap(), local(minute).date()] {
        if date.weekday() != Day::Sunday {
            continue;
        }
        let begin = (first..=minute).find(|m| local(*m).date() == date && local(*m).time() >= from);
        let Some(begin) = begin else { continue };
        let last = if from < until { date } else { date.tomorrow().unwrap() };
        // Both may be in what a change of offset leaves out.
        let end = (begin..begin + 3 * 1440).find(|m| {
            let at = local(*m);
            at.date() > last || (at.date() == last && at.time() >= until)
        });
        is_on |= minute < end.unwrap();
    }
    is_on
}

/// When the condition begins to hold and ceases to, looked at whenever anything can be otherwise.
fn reference(when: &Value, points: &[FeedValue], rows: &[Comes]) -> Seen {
    let mut instants: BTreeSet<SimTime> = (0..=SECONDS / STEP).map(|n| at(n * STEP)).collect();
    // What a window leaves behind it leaves just after its end.
    instants.extend((0..SECONDS / STEP).map(|n| SimTime(at(n * STEP).0 + 1)));
    let (mut held, mut seen, mut alarm) = (false, Seen::default(), false);
    let is_pulse = when.to_string().contains("\"alert\"");
    let mut look = |now: SimTime, rows: &[Comes], alert: Option<&Comes>| {
        let during = holds(when, (points, rows), now, alert);
        let after = match holds(when, (points, rows), now, None) {
            1 => held,
            after => after == 2,
        };
        if during == 2 && !held {
            seen.acted.push(now);
            alarm = true;
        }
        if held && !after && alarm && !is_pulse {
            seen.ended.push(now);
            alarm = false;
        }
        held = after;
    };
    for now in instants {
        let before: Vec<Comes> = rows.iter().filter(|row| at(row.second) < now).cloned().collect();
        look(now, &before, None);
        let mut so_far = before;
        for comes in rows.iter().filter(|row| at(row.second) == now) {
            so_far.push(comes.clone());
            look(now, &so_far, comes.what.is_err().then_some(comes));
        }
    }
    seen
}

fn leaf() -> impl Strategy<Value = Value> {
    let device = || prop::sample::select(&["a", "b"][..]);
    let minutes = |n: std::ops::Range<i64>| n.prop_map(|n| n * STEP);
    let time = || (0..5_u8, 0..60_u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    prop_oneof![
        3 => (device(), 1..4_i64, any::<bool>(), 0..3_i64, minutes(0..4)).prop_map(
            |(device, level, is_above, hysteresis, held)| {
                let name = if is_above { "above" } else { "below" };
                json!({ "threshold": {
                    "device": device, "quantity": "p", name: level as f64,
                    "hysteresis": hysteresis as f64, "heldForSeconds": held,
                } })
            }
        ),
        1 => (device(), minutes(1..40)).prop_map(|(device, seconds)| {
            json!({ "absence": { "device": device, "forSeconds": seconds } })
        }),
        1 => (device(), -60..120_i64, minutes(1..30)).prop_map(|(device, above, window)| {
            json!({ "rate": {
                "device": device, "quantity": "p", "above": above as f64, "windowSeconds": window,
            } })
        }),
        1 => (time(), time()).prop_map(|(from, until)| {
            json!({ "time": {
                "weekdays": ["sun"], "from": from, "until": until, "zone": "Europe/Rome",
            } })
        }),
        1 => Just(json!({ "alert": { "level": "Error" } })),
        2 => (0..5_i64, 0..3_i64, minutes(-1..20)).prop_map(|(above, hysteresis, ahead)| {
            json!({ "weather": {
                "feed": "f", "above": above as f64, "hysteresis": hysteresis as f64,
                "aheadSeconds": ahead.max(0),
            } })
        }),
        1 => (0..6_i64).prop_map(|below| {
            json!({ "tariff": { "tariff": "t", "below": below.to_string() } })
        }),
        1 => prop::sample::select(&["F", "G"][..]).prop_map(|name| {
            json!({ "tariff": { "tariff": "t", "zone": name } })
        }),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| json!({ "all": parts })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| json!({ "any": parts })),
            inner.prop_map(|part| json!({ "not": part })),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<Comes>> {
    let levels = prop::sample::select(&[AlertLevel::Warning, AlertLevel::Critical][..]);
    let what = prop_oneof![5 => (0..6_i64).prop_map(|n| Ok(n as f64)), 1 => levels.prop_map(Err)];
    let device = prop::sample::select(&["a", "b"][..]);
    let one = (0..SECONDS / STEP, device, what).prop_map(|(n, device, what)| Comes {
        second: n * STEP,
        device,
        what,
    });
    prop::collection::vec(one, 0..40).prop_map(|mut rows| {
        // As they are fed: by instant and device, readings before alerts.
        rows.sort_by_key(|row| (row.second, row.device, row.what.is_err()));
        rows
    })
}

/// Points of a feed, by instant.
fn points() -> impl Strategy<Value = Vec<FeedValue>> {
    let value = prop::option::weighted(0.8, (0..6_i64).prop_map(|n| n as f64));
    let points = prop::collection::btree_map(-20..SECONDS / STEP, value, 0..12);
    points.prop_map(|points| points.into_iter().map(|(n, value)| (n * STEP, value)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn rules_act_when_the_reference_does(
        when in condition(), points in points(), rows in rows(),
    ) {
        let seen = played_with(&rule(&when), &points, &rows, &[]);
        prop_assert_eq!(seen, reference(&when, &points, &rows));
    }

    #[test]
    fn what_is_tried_is_what_is_done(when in condition(), points in points(), rows in rows()) {
        let body = rule(&when);
        let [tariff, feed] = outside(&points);
        let documents = [document(&body, 1), tariff, feed];
        let given = rows.iter().enumerate().map(|(index, comes)| row(comes, index as u64 + 1));
        let mut tried = Vec::new();
        let end = SimTime(at(SECONDS).0 + 1);
        super::tried(&documents, given, (start(), end), |firing| tried.push(firing.at));
        prop_assert_eq!(tried, played_with(&body, &points, &rows, &[]).acted);
    }

    #[test]
    fn a_stop_anywhere_changes_nothing(
        when in condition(), points in points(), rows in rows(),
        stops in prop::collection::vec(0..40_usize, 0..4),
    ) {
        let play = |stops: &[usize]| played_with(&rule(&when), &points, &rows, stops);
        prop_assert_eq!(play(&stops), play(&[]));
    }
}

fn values(of: &[(i64, f64)]) -> Vec<Comes> {
    of.iter()
        .map(|(second, value)| Comes { second: *second, device: "a", what: Ok(*value) })
        .collect()
}

fn threshold(more: &Value) -> Value {
    let mut inner = json!({ "device": "a", "quantity": "p", "above": 3.0 });
    inner.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "threshold": inner })
}

#[test]
fn a_level_ends_behind_its_hysteresis_and_begins_once_it_is_held() {
    let rows = values(&[(0, 4.0), (60, 2.5), (120, 2.0), (180, 3.0), (240, 3.5), (300, 1.0)]);
    let seen = played(&rule(&threshold(&json!({ "hysteresis": 1.0 }))), &rows, &[]);
    assert_eq!((seen.acted, seen.ended), (vec![at(0), at(240)], vec![at(120), at(300)]));
    let rows = values(&[(0, 4.0), (90, 5.0), (100, 1.0)]);
    let seen = played(&rule(&threshold(&json!({ "heldForSeconds": 60 }))), &rows, &[]);
    assert_eq!((seen.acted, seen.ended), (vec![at(60)], vec![at(100)]));
}

#[test]
fn a_zone_of_a_tariff_begins_and_ends_by_the_local_clock() {
    let mut service = (KIND.build)(None);
    let when = json!({ "tariff": { "tariff": "t", "zone": "Day" } });
    let [tariff, _] = outside(&[]);
    let zones = json!({
        "name": "F", "currency": "EUR", "zone": "Europe/Rome", "validFrom": start(),
        "imports": [
            { "name": "Night", "price": "0.1" },
            { "name": "Day", "from": "06:00", "until": "20:00", "price": "0.2" },
        ],
    });
    let tariff = Document { body: zones.to_string(), ..tariff };
    let mut out = Vec::new();
    for document in [&document(&rule(&when), 1), &tariff] {
        service.step(start(), Input::Document(document), &mut out);
    }
    let mut seen = Seen::default();
    wake_until(&mut *service, at(86_400), &mut seen);
    // Summer time begins an hour after the start.
    assert_eq!((seen.acted, seen.ended), (vec![at(4 * 3600)], vec![at(18 * 3600)]));
}

#[test]
fn an_offered_rule_does_nothing_before_it_is_accepted() {
    let rows = values(&[(10, 4.0)]);
    for (state, acts) in [("offered", 0), ("accepted", 1), ("refused", 0), ("revoked", 0)] {
        let mut body = rule(&threshold(&json!({})));
        body["offer"] = json!({ "by": "user:grid", "state": state });
        assert_eq!(played(&body, &rows, &[]).acted.len(), acts, "{state}");
    }
}

#[test]
fn what_begins_within_the_cool_down_is_passed_over() {
    let mut body = rule(&threshold(&json!({})));
    body["coolDownSeconds"] = 100.into();
    let rows = values(&[(0, 4.0), (10, 0.0), (99, 4.0), (150, 0.0), (160, 4.0)]);
    assert_eq!(played(&body, &rows, &[]).acted, [at(0), at(160)]);
}

#[test]
fn an_owner_has_so_many_actions_an_hour() {
    let body = rule(&threshold(&json!({})));
    let rows: Vec<_> = (0..200).map(|n| (n, if n % 2 == 0 { 4.0 } else { 0.0 })).collect();
    let seen = played(&body, &values(&rows), &[]);
    // Each time there are two.
    assert_eq!(seen.acted.len(), ACTIONS_MAX / 2);
    let mut rows = values(&rows);
    rows.extend(values(&[(3599, 4.0), (3600, 0.0), (3601, 4.0)]));
    let seen = played(&body, &rows, &[]);
    assert_eq!(seen.acted.last(), Some(&at(3601)), "the first of the hour are forgotten");
}

#[test]
fn a_late_value_does_not_turn_a_level_back() {
    let mut service = (KIND.build)(None);
    let mut out = Vec::new();
    let document = document(&rule(&threshold(&json!({}))), 1);
    service.step(start(), Input::Document(&document), &mut out);
    let comes = |second, value| Comes { second, device: "a", what: Ok(value) };
    service.step(at(60), row(&comes(60, 4.0), 1).input(false), &mut out);
    assert_eq!(out.len(), 1);
    service.step(at(60), row(&comes(10, 0.0), 2).input(true), &mut out);
    assert_eq!(out.len(), 1, "{out:?}");
}

#[test]
fn a_changed_rule_begins_anew_and_a_removed_one_ends_its_alarm() {
    let mut service = (KIND.build)(None);
    let mut step = |now: i64, input: Input<'_>| {
        let mut out = Vec::new();
        service.step(at(now), input, &mut out);
        (out.len(), service.is_idle())
    };
    let first = document(&rule(&threshold(&json!({}))), 1);
    let second = document(&rule(&threshold(&json!({ "hysteresis": 1.0 }))), 2);
    let removed = Document { is_deleted: true, version: 3, ..second.clone() };
    let high = row(&Comes { second: 10, device: "a", what: Ok(4.0) }, 1);
    assert_eq!(step(0, Input::Document(&first)), (0, false));
    assert_eq!(step(10, high.input(false)), (1, false));
    assert_eq!(step(20, Input::Document(&second)), (1, false), "its alarm ends");
    assert_eq!(step(30, high.input(false)), (1, false));
    assert_eq!(step(40, Input::Document(&removed)), (1, true));
}

#[test]
fn the_alarm_of_a_rule_that_was_removed_unseen_ends_at_the_start() {
    let mut service = (KIND.build)(None);
    let mut out = Vec::new();
    let document = document(&rule(&threshold(&json!({}))), 1);
    service.step(start(), Input::Document(&document), &mut out);
    service.step(start(), Input::Started, &mut out);
    let high = row(&Comes { second: 10, device: "a", what: Ok(4.0) }, 1);
    service.step(at(10), high.input(false), &mut out);
    assert_eq!(out.len(), 1);
    let mut service = (KIND.build)(Some(&service.snapshot()));
    service.step(at(20), Input::Started, &mut out);
    assert!(matches!(out[1..], [Output::Alarm { level: None, .. }]), "{out:?}");
}

#[test]
fn bounds_are_named() {
    let leaf = threshold(&json!({}));
    let deep = json!({ "not": { "not": { "not": { "not": leaf } } } });
    let many: Vec<_> = (0..9).map(|_| leaf.clone()).collect();
    let mut actions = rule(&leaf);
    actions["then"] = (0..5).map(|_| actions["then"][0].clone()).collect();
    let both =
        json!({ "threshold": { "device": "a", "quantity": "p", "above": 1.0, "below": 1.0 } });
    for (body, field) in [
        (rule(&deep), "when.not.not.not.not"),
        (rule(&json!({ "any": many })), "when"),
        (rule(&json!({ "all": [] })), "when.all"),
        (actions, "then"),
        (rule(&both), "when.threshold.above"),
    ] {
        let error = (Rule::kind().check)(&body).unwrap_err();
        assert_eq!(error.field, field, "{error}");
    }
}
