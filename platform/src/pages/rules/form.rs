//! The form of a rule: one condition by its kind, what is done, and what the rule would have done.

use axum::http::StatusCode;
use lastmeter_model::document::DocumentKind;
use lastmeter_model::entity::{Body as _, Feed, Tariff};
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::super::history::name_of;
use super::super::viewer::Viewer;
use crate::ops::homes::{BREAKER, Known};
use crate::ops::rules;
use crate::problem::Problem;

/// What a rule of the form looks at.
const KINDS: [(&str, &str); 7] = [
    ("value", "a value is beyond a level"),
    ("silence", "nothing comes"),
    ("change", "a value changes fast"),
    ("price", "energy has a price"),
    ("weather", "weather or a forecast is beyond a level"),
    ("time", "it is time"),
    ("alarm", "an alarm comes"),
];

/// What it can do.
const DOES: [(&str, &str); 5] = [
    ("alarm", "raise an alarm"),
    ("open", "switch off"),
    ("closed", "switch on"),
    ("email", "send me an e-mail"),
    ("webhook", "call an address of the web"),
];

/// On which days a time is.
const DAYS: [(&str, &str, &[&str]); 3] = [
    ("all", "every day", &["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    ("work", "Monday to Friday", &["mon", "tue", "wed", "thu", "fri"]),
    ("free", "Saturday and Sunday", &["sat", "sun"]),
];

/// What is kept of what was entered.
const FIELDS: [&str; 16] = [
    "kind", "name", "device", "quantity", "side", "level", "minutes", "does", "target", "tariff",
    "feed", "ahead", "days", "from", "until", "url",
];

/// Over how many days a rule is tried: over fewer where there is more than is looked at.
const TRIED_DAYS: [i64; 3] = [30, 7, 1];
/// Instants of a trial that are listed.
const LISTED: usize = 10;

/// The chosen kind.
fn kind(viewer: &Viewer) -> &'static str {
    let asked = viewer.field("kind");
    KINDS.iter().find(|(id, _)| *id == asked).map_or(KINDS[0].0, |(id, _)| id)
}

/// Documents of a kind that may be read, with their names.
fn named(viewer: &Viewer, kind: &'static DocumentKind) -> Vec<(String, Map<String, Value>)> {
    let mut found = viewer.tenant().documents.all(kind);
    found.retain(|document| {
        let read = lastmeter_model::access::Action::Read;
        crate::ops::documents::may(&viewer.caller, read, document)
    });
    found.iter().map(|document| (document.token.clone(), document.members())).collect()
}

/// What the form is drawn from.
pub(super) fn values(viewer: &Viewer, known: &[Known]) -> Value {
    let mut quantities: Vec<MeasurementId> = Vec::new();
    for value in known.iter().flat_map(|one| &one.state.values) {
        let id = MeasurementId::lookup(&value.name);
        quantities.extend(id.filter(|id| !quantities.contains(id)));
    }
    let option = |one: &Known| json!({ "id": one.id(), "name": one.name });
    let word = |(id, name): &(&str, &str)| json!({ "id": id, "name": name });
    let document = |(token, members): &(String, Map<String, Value>), unit: &str| json!({ "id": token, "name": members["name"], "unit": members.get(unit) });
    let mut given: Map<String, Value> =
        FIELDS.iter().map(|name| ((*name).to_owned(), json!(viewer.field(name)))).collect();
    given.insert("kind".to_owned(), json!(kind(viewer)));
    let switched = known.iter().filter(|one| one.value(BREAKER).is_some());
    let (tariffs, feeds) = (named(viewer, Tariff::kind()), named(viewer, Feed::kind()));
    json!({
        "kinds": KINDS.iter().map(word).collect::<Vec<_>>(),
        "devices": known.iter().map(option).collect::<Vec<_>>(),
        "targets": switched.map(option).collect::<Vec<_>>(),
        "quantities": quantities.iter().map(|id| {
            json!({ "id": id.name(), "name": name_of(*id), "unit": id.row().unit })
        }).collect::<Vec<_>>(),
        "tariffs": tariffs.iter().map(|it| document(it, "currency")).collect::<Vec<_>>(),
        "feeds": feeds.iter().map(|it| document(it, "unit")).collect::<Vec<_>>(),
        "days": DAYS.iter().map(|(id, name, _)| json!({ "id": id, "name": name }))
            .collect::<Vec<_>>(),
        "does": DOES.iter().map(word).collect::<Vec<_>>(),
        "given": given,
    })
}

fn number(viewer: &Viewer, name: &str) -> Option<f64> {
    let text = viewer.field(name).trim().replace(',', ".");
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn level(viewer: &Viewer) -> Result<f64, &'static str> {
    number(viewer, "level").ok_or("Enter the level as a number, such as 2.9")
}

/// Seconds of the field of minutes, from a least one on; none entered is as 0.
fn seconds(viewer: &Viewer, least: f64) -> Result<u32, &'static str> {
    let is_empty = viewer.field("minutes").trim().is_empty();
    let minutes = if is_empty { Some(0.0) } else { number(viewer, "minutes") };
    let minutes = minutes.filter(|minutes| (least..=1440.0).contains(minutes));
    let expected = match least {
        0.0 => "Enter for how many minutes as a number from 0 to 1440",
        _ => "Enter the minutes as a number from 1 to 1440",
    };
    Ok((minutes.ok_or(expected)? * 60.0).round() as u32)
}

/// The part of days that the form names, if it does.
fn window(viewer: &Viewer) -> Result<Option<Value>, &'static str> {
    let (from, until) = (viewer.field("from").trim(), viewer.field("until").trim());
    match (from.is_empty(), until.is_empty()) {
        (true, true) => return Ok(None),
        (false, false) => {}
        _ => return Err("Enter both times, from and until, or none"),
    }
    let asked = viewer.field("days");
    let days = DAYS.iter().find(|(id, _, _)| *id == asked).map_or(DAYS[0].2, |(_, _, days)| days);
    let zone = &viewer.times.zone;
    Ok(Some(json!({ "time": { "weekdays": days, "from": from, "until": until, "zone": zone } })))
}

/// What the form asks for.
fn condition(viewer: &Viewer) -> Result<Value, &'static str> {
    let side = if viewer.field("side") == "below" { "below" } else { "above" };
    let (device, quantity) = (viewer.field("device"), viewer.field("quantity"));
    let mut leaf = match kind(viewer) {
        "silence" => {
            json!({ "absence": { "device": device, "forSeconds": seconds(viewer, 1.0)? } })
        }
        "change" => json!({ "rate": {
            "device": device, "quantity": quantity, side: level(viewer)?,
            "windowSeconds": seconds(viewer, 1.0)?,
        } }),
        "price" => json!({ "tariff": {
            "tariff": viewer.field("tariff"), side: level(viewer)?.to_string(),
        } }),
        "weather" => {
            let is_empty = viewer.field("ahead").trim().is_empty();
            let hours = if is_empty { Some(0.0) } else { number(viewer, "ahead") };
            let hours = hours.filter(|hours| (0.0..=168.0).contains(hours));
            let hours = hours.ok_or("Enter the hours ahead as a number from 0 to 168")?;
            json!({ "weather": {
                "feed": viewer.field("feed"), side: level(viewer)?,
                "aheadSeconds": (hours * 3600.0).round() as u32,
            } })
        }
        "time" => return window(viewer)?.ok_or("Enter both times, from and until"),
        "alarm" if device.is_empty() => json!({ "alert": { "level": "Warning" } }),
        "alarm" => json!({ "alert": { "device": device, "level": "Warning" } }),
        _ => json!({ "threshold": {
            "device": device, "quantity": quantity, side: level(viewer)?,
            "heldForSeconds": seconds(viewer, 0.0)?,
        } }),
    };
    if let Some(window) = window(viewer)? {
        leaf = json!({ "all": [leaf, window] });
    }
    Ok(leaf)
}

/// The rule that a form describes.
pub(super) fn described(viewer: &Viewer) -> Result<Map<String, Value>, &'static str> {
    let when = condition(viewer)?;
    let name = viewer.field("name").trim();
    if name.is_empty() {
        return Err("Give the rule a name");
    }
    let then = match viewer.field("does") {
        "open" | "closed" => json!({ "command": {
            "device": viewer.field("target"),
            "command": "setBreaker",
            "parameters": { "state": viewer.field("does") },
        } }),
        "email" => json!({ "message": {
            "channel": "email", "subject": name, "level": "Warning",
        } }),
        "webhook" => json!({ "message": {
            "channel": "webhook", "url": viewer.field("url").trim(), "subject": name,
            "level": "Warning",
        } }),
        _ => json!({ "alarm": { "type": "rule", "level": "Warning", "text": name } }),
    };
    let body = json!({ "name": name, "when": when, "then": [then] });
    match body {
        Value::Object(members) => Ok(members),
        _ => Err("Give the rule a name"),
    }
}

/// What a rule would have done until now, for people.
pub(super) async fn tried(viewer: &Viewer, rule: &Map<String, Value>) -> Result<Value, Problem> {
    let now = viewer.now();
    let mut refused = Problem::nothing();
    for days in TRIED_DAYS {
        let from = SimTime(now.0 - SimDuration::from_seconds(days * 86_400).0);
        match rules::trial(&viewer.caller, rule.clone(), (from, now)).await {
            Ok(trial) => {
                let moments = trial.firings.iter().take(LISTED);
                let moments = moments.map(|firing| viewer.times.clock(firing.at));
                return Ok(json!({
                    "days": days,
                    "count": trial.count,
                    "moments": moments.collect::<Vec<_>>(),
                    "more": trial.count.saturating_sub(LISTED),
                }));
            }
            Err(problem) if problem.code() == "too_many_rows" => refused = problem,
            Err(problem) => return Err(problem),
        }
    }
    Err(refused)
}

/// Whether a refusal is about what was entered: then the form comes again with it.
pub(super) fn is_about_form(problem: &Problem) -> bool {
    let of_form = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::NOT_FOUND, StatusCode::CONFLICT];
    of_form.contains(&problem.status())
}
