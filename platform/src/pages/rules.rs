//! Rules as sentences: what is done when something begins to hold; made, paused and removed.

use axum::http::StatusCode;
use lastmeter_model::access::Action;
use lastmeter_model::entity::{Body as _, Rule};
use lastmeter_units::MeasurementId;
use serde_json::{Map, Value, json};

use super::format::of_quantity;
use super::frame::Answered;
use super::history::name_of;
use super::homes::{self, BREAKER, Known};
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::documents::{self, Request};

/// Rules of a page.
const SHOWN: usize = 100;

/// What a new rule can do, as its form has it.
const DOES: [(&str, &str); 3] =
    [("alarm", "raise an alarm"), ("open", "switch off"), ("closed", "switch on")];

/// `GET /rules`
pub(super) async fn show(viewer: Viewer) -> Answered {
    page(&viewer, None).await
}

async fn page(viewer: &Viewer, error: Option<&str>) -> Answered {
    let known = homes::known(viewer).await?;
    let documents = viewer.tenant().documents.all(Rule::kind());
    let mut may = documents;
    may.retain(|document| documents::may(&viewer.caller, Action::Read, document));
    // Those of others are not counted either.
    let more = may.len().saturating_sub(SHOWN);
    let rows = may.iter().take(SHOWN).map(|document| {
        let body = document.members();
        let id = in_address(&document.token);
        json!({
            "name": body["name"],
            "when": condition(&known, &body["when"]),
            "then": actions(&known, &body["then"]),
            "is_paused": body.get("disabled") == Some(&json!(true)),
            "may": documents::may(&viewer.caller, Action::Write, document),
            "pause": format!("/rules/{id}/pause"),
            "remove": format!("/rules/{id}/remove"),
        })
    });
    let mut quantities: Vec<&str> = Vec::new();
    for value in known.iter().flat_map(|one| &one.state.values) {
        if let Some(id) =
            MeasurementId::lookup(&value.name).filter(|id| !quantities.contains(&id.name()))
        {
            quantities.push(id.name());
        }
    }
    let kept = ["name", "device", "quantity", "side", "level", "minutes", "does", "target"];
    let kept: Map<String, Value> =
        kept.iter().map(|name| ((*name).to_owned(), json!(viewer.field(name)))).collect();
    let option = |one: &Known| json!({ "id": one.id(), "name": one.name });
    let values = json!({
        "rows": rows.collect::<Vec<_>>(),
        "more": more,
        "devices": known.iter().map(option).collect::<Vec<_>>(),
        "targets": known.iter().filter(|one| one.value(BREAKER).is_some()).map(option).collect::<Vec<_>>(),
        "quantities": quantities.iter().filter_map(|name| {
            let id = MeasurementId::lookup(name)?;
            Some(json!({ "id": name, "name": name_of(id), "unit": id.row().unit }))
        }).collect::<Vec<_>>(),
        "does": DOES.map(|(word, name)| json!({ "id": word, "name": name })),
        "given": kept,
        "error": error,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("rules.html", values).with_status(status).into())
}

fn device(known: &[Known], id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    let found = known.iter().find(|one| one.id() == id);
    found.map_or_else(|| id.to_owned(), |one| one.name.clone())
}

fn quantity(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    MeasurementId::lookup(name).map_or_else(|| name.to_owned(), name_of).to_lowercase()
}

/// A length of time for people.
fn length(seconds: &Value) -> String {
    match seconds.as_u64().unwrap_or_default() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A condition as a part of a sentence.
fn condition(known: &[Known], when: &Value) -> String {
    let Some((kind, of)) = when.as_object().and_then(|object| object.iter().next()) else {
        return String::new();
    };
    let parts = |joint: &str| -> String {
        let parts = of.as_array().into_iter().flatten().map(|part| condition(known, part));
        parts.collect::<Vec<_>>().join(joint)
    };
    // In the unit in which people read the quantity.
    let level = || {
        let (word, level) = match of["above"].as_f64() {
            Some(level) => ("above", level),
            None => ("below", of["below"].as_f64().unwrap_or_default()),
        };
        let id = of["quantity"].as_str().and_then(MeasurementId::lookup);
        let shown = id.map(|id| of_quantity(id, level));
        let text = shown.map_or_else(|| level.to_string(), |it| format!("{} {}", it.text, it.unit));
        format!("{word} {}", text.trim())
    };
    match kind.as_str() {
        "all" => parts(" and "),
        "any" => parts(" or "),
        "not" => format!("not ({})", condition(known, of)),
        "threshold" => {
            let held = of["heldForSeconds"].as_u64().filter(|seconds| *seconds > 0);
            let held = held.map(|_| format!(" for {}", length(&of["heldForSeconds"])));
            let (of_device, of_quantity) =
                (device(known, &of["device"]), quantity(&of["quantity"]));
            format!("{of_quantity} of {of_device} is {}{}", level(), held.unwrap_or_default())
        }
        "absence" => {
            let of_quantity = of["quantity"].as_str().map(|_| quantity(&of["quantity"]));
            let what = of_quantity.map_or_else(|| "nothing".to_owned(), |it| format!("no {it}"));
            format!(
                "{what} of {} comes for {}",
                device(known, &of["device"]),
                length(&of["forSeconds"])
            )
        }
        "rate" => format!(
            "{} of {} changes by {} in an hour",
            quantity(&of["quantity"]),
            device(known, &of["device"]),
            level()
        ),
        "time" => {
            let days = of["weekdays"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let days = days.collect::<Vec<_>>().join(", ");
            let (from, until) = (of["from"].as_str(), of["until"].as_str());
            format!("it is {} to {} on {days}", from.unwrap_or_default(), until.unwrap_or_default())
        }
        "alert" => {
            let of_device =
                of["device"].as_str().map(|_| format!(" of {}", device(known, &of["device"])));
            let kind = of["type"].as_str().unwrap_or("any kind");
            format!("an alert {kind}{} comes", of_device.unwrap_or_default())
        }
        other => other.to_owned(),
    }
}

/// What is done, as a part of a sentence.
fn actions(known: &[Known], then: &Value) -> String {
    let one = |action: &Value| {
        let (kind, of) = action.as_object()?.iter().next()?;
        Some(match kind.as_str() {
            "command" => {
                let what = match (of["command"].as_str(), of["parameters"]["state"].as_str()) {
                    (Some("setBreaker"), Some("open")) => "switch off".to_owned(),
                    (Some("setBreaker"), Some("closed")) => "switch on".to_owned(),
                    (name, _) => name.unwrap_or_default().to_owned(),
                };
                format!("{what} {}", device(known, &of["device"]))
            }
            kind => format!(
                "raise an {kind} \u{201c}{}\u{201d}",
                of["text"].as_str().unwrap_or_default()
            ),
        })
    };
    let all = then.as_array().into_iter().flatten().filter_map(one);
    all.collect::<Vec<_>>().join(", then ")
}

/// The rule that a form describes.
fn described(viewer: &Viewer) -> Result<Map<String, Value>, &'static str> {
    let number = |name: &str| viewer.field(name).trim().replace(',', ".").parse::<f64>().ok();
    let level = number("level").filter(|level| level.is_finite());
    let level = level.ok_or("Enter the level as a number, such as 2.9")?;
    let minutes =
        if viewer.field("minutes").trim().is_empty() { Some(0.0) } else { number("minutes") };
    let minutes = minutes.filter(|minutes| (0.0..=1440.0).contains(minutes));
    let minutes = minutes.ok_or("Enter for how many minutes as a number from 0 to 1440")?;
    let name = viewer.field("name").trim();
    if name.is_empty() {
        return Err("Give the rule a name");
    }
    let side = if viewer.field("side") == "below" { "below" } else { "above" };
    let then = match viewer.field("does") {
        "open" | "closed" => json!({ "command": {
            "device": viewer.field("target"),
            "command": "setBreaker",
            "parameters": { "state": viewer.field("does") },
        } }),
        _ => json!({ "alarm": { "type": "rule", "level": "Warning", "text": name } }),
    };
    let mut threshold = json!({
        "device": viewer.field("device"),
        "quantity": viewer.field("quantity"),
        "heldForSeconds": (minutes * 60.0).round() as u32,
    });
    threshold[side] = json!(level);
    let body = json!({ "name": name, "when": { "threshold": threshold }, "then": [then] });
    match body {
        Value::Object(members) => Ok(members),
        _ => Err("Give the rule a name"),
    }
}

/// `POST /rules`
pub(super) async fn make(viewer: Viewer) -> Answered {
    let members = match described(&viewer) {
        Ok(members) => members,
        Err(error) => return page(&viewer, Some(error)).await,
    };
    let request = Request { token: None, version: None, body: Some(members) };
    match documents::make(&viewer.caller, Rule::kind(), request, None).await {
        Ok(_) => Ok(way("/rules")),
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let detail = problem.detail().to_owned();
            page(&viewer, Some(&detail)).await
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /rules/{id}/pause`: or goes on, if it is paused.
pub(super) async fn pause(viewer: Viewer) -> Answered {
    documents::edit(&viewer.caller, Rule::kind(), &viewer.variable, |document| {
        let mut body = document.members();
        let is_paused = body.get("disabled") == Some(&json!(true));
        body.insert("disabled".to_owned(), json!(!is_paused));
        Some(Value::Object(body))
    })
    .await?;
    Ok(way("/rules"))
}

/// `POST /rules/{id}/remove`
pub(super) async fn remove(viewer: Viewer) -> Answered {
    let request = Request { token: None, version: None, body: None };
    documents::change(&viewer.caller, Rule::kind(), &viewer.variable, request).await?;
    Ok(way("/rules"))
}
