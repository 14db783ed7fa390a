//! Devices: a list, and a page of each with what it can be asked to do.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Kind, Resource, Subject, Target};
use lastmeter_model::invocation::{InvocationId, InvocationState, StoredInvocation};
use lastmeter_model::row::DeviceRow;
use lastmeter_store::Page;
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use lastmeter_wire::commands::{self, Command};
use lastmeter_wire::flexmeter::ParameterType;
use serde_json::{Value, json};

use super::format::of_quantity;
use super::frame::Answered;
use super::history::{self, Choice, name_of};
use super::homes::{ages_in_s, last_shown, when};
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::commands::{Asked, invoke};
use crate::ops::devices;
use crate::ops::homes::{self, Age, BREAKER, ENERGY, Known, POWER};
use crate::problem::Problem;

/// Commands and events that are shown of a device.
const SHOWN: u32 = 8;
/// Commands that are over of which it is looked up what became of them.
const LOOKED_UP: usize = 3;
/// How long a command that a person gives may take.
const EXPIRY_S: f64 = 60.0;
/// Begins the names of a form's fields that are parameters.
const PARAMETER: &str = "p.";

fn path(known: &Known) -> String {
    format!("/devices/{}", in_address(known.id()))
}

/// `GET /devices`
pub(super) async fn list(viewer: Viewer) -> Answered {
    let mut known = homes::known(&viewer.caller).await?;
    known.sort_by_key(|one| (one.age == Age::Fresh, one.name.clone()));
    let rows = known.iter().map(|one| {
        json!({
            "name": one.name,
            "room": one.room,
            "path": path(one),
            "value": last_shown(one, POWER).filter(|_| one.age != Age::Missing),
            "energy": last_shown(one, ENERGY),
            "age": one.age,
            "when": when(one, &viewer),
            "state": one.value(BREAKER).map(|(_, value)| if value > 0.5 { "on" } else { "off" }),
        })
    });
    Ok(View::new("devices.html", json!({ "rows": rows.collect::<Vec<_>>() })).into())
}

/// The device of the path.
async fn device(viewer: &Viewer) -> Result<Known, Problem> {
    let needed = (Kind::Latest, Action::Read);
    let (row, permit) = devices::find(&viewer.caller, needed, &viewer.variable)?;
    homes::one(&viewer.caller, row, permit).await
}

fn may_command(viewer: &Viewer, row: &DeviceRow) -> bool {
    let target = Target::Device(row.hardware_id.clone());
    let on = Resource::new(Kind::Invocation, &viewer.tenant().name, Subject::One(&target));
    viewer.caller.may(Action::Command, &on)
}

/// `GET /devices/{id}`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let known = device(&viewer).await?;
    shown(&viewer, known, None).await
}

async fn shown(viewer: &Viewer, known: Known, error: Option<&str>) -> Answered {
    let choice = Choice::of(viewer);
    let quantities = history::quantities(viewer, &known).await.unwrap_or_default();
    // What is asked for, else power, else energy, else whatever there is.
    let lookup = |name: &str| MeasurementId::lookup(name).filter(|id| quantities.contains(id));
    let id = lookup(viewer.field("q")).or(lookup(POWER)).or(lookup(ENERGY));
    let id = id.or(quantities.first().copied());
    let (series, path) =
        (devices::find(&viewer.caller, (Kind::Series, Action::Read), known.id()), path(&known));
    let drawing = match (id, series) {
        (Some(id), Ok((row, permit))) => {
            Some(history::drawing(viewer, (&row, &permit, known.period), id, &choice).await?.0)
        }
        _ => None,
    };
    let rest = id.map(|id| format!("&q={}", in_address(id.name()))).unwrap_or_default();
    let invocations = invocations(viewer, &known).await?;
    let under_way = invocations.iter().any(|one| one["is_open"] == true);
    let values = json!({
        "name": known.name,
        "id": known.id(),
        "room": known.room,
        "path": path,
        "age": known.age,
        "when": when(&known, viewer),
        "ages_in_s": ages_in_s([&known], viewer),
        "power": last_shown(&known, POWER),
        "values": values_of(&known),
        "switched": known.value(BREAKER).map(|(_, value)| if value > 0.5 { "on" } else { "off" }),
        "commands": offered(viewer, &known),
        "may_command": may_command(viewer, &known.row),
        "invocations": invocations,
        "under_way": under_way,
        "events": events(viewer, &known),
        "quantities": quantities.iter().map(|one| json!({
            "id": one.name(), "name": name_of(*one), "is_chosen": Some(*one) == id,
        })).collect::<Vec<_>>(),
        "quantity": id.map(name_of),
        "links": choice.links(viewer, &path, &rest),
        "drawing": drawing,
        "error": error,
    });
    let state = if under_way { "V3c" } else { "V3" };
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let title = known.name.clone();
    Ok(View::new("device.html", values).titled(title).in_state(state).with_status(status).into())
}

/// Last values, each with its name.
fn values_of(known: &Known) -> Vec<Value> {
    let shown = known.state.values.iter().filter(|value| value.name != POWER);
    let shown = shown.filter_map(|value| {
        let id = MeasurementId::lookup(&value.name)?;
        Some(json!({ "name": name_of(id), "value": of_quantity(id, value.value) }))
    });
    shown.take(40).collect()
}

/// The commands that are offered: those of the device's specification, and switching where it
/// reports what its switch does.
fn offered(viewer: &Viewer, known: &Known) -> Vec<Value> {
    let definitions = &viewer.tenant().dispatcher.definitions;
    let has_switch = known.value(BREAKER).is_some();
    // What is wanted most comes first.
    let switch = commands::find("setBreaker").filter(|_| has_switch).map(Command::from);
    let others = definitions.of_specification(&known.row.hardware_id);
    switch.iter().chain(&others).map(|command| command_of(command, known)).collect()
}

fn command_of(command: &Command, known: &Known) -> Value {
    let is_switch = command.name == "setBreaker";
    let is_on = known.value(BREAKER).is_some_and(|(_, value)| value > 0.5);
    let parameters = command.parameters.iter().map(|parameter| {
        json!({
            "field": format!("{PARAMETER}{}", parameter.name),
            "name": parameter.name,
            "is_number": !matches!(parameter.kind, ParameterType::String | ParameterType::Bytes | ParameterType::Bool),
            "is_bool": parameter.kind == ParameterType::Bool,
            "required": parameter.required,
            "min": parameter.min,
            "max": parameter.max,
            "choices": parameter.choices,
        })
    });
    json!({
        "token": command.token,
        "name": command.name,
        "description": command.description,
        "parameters": if is_switch { Vec::new() } else { parameters.collect() },
        "switch": is_switch.then(|| json!({ "label": if is_on { "Switch off" } else { "Switch on" }, "value": if is_on { "open" } else { "closed" } })),
    })
}

async fn invocations(viewer: &Viewer, known: &Known) -> Result<Vec<Value>, Problem> {
    let needed = (Kind::Invocation, Action::Read);
    let Ok((row, permit)) = devices::find(&viewer.caller, needed, known.id()) else {
        return Ok(Vec::new());
    };
    let page = Page { offset: 0, limit: SHOWN };
    let (_, found) = viewer.tenant().readers.invocations_of(&permit, &row, page).await?;
    // What the switch shows is of the last command that it has taken; those before are over.
    let is_taken = |one: &&StoredInvocation| {
        one.row.asked.command == "setBreaker" && one.row.state == InvocationState::Acknowledged
    };
    let last = found.iter().find(is_taken).map(|one| one.row.id);
    let is_over =
        |one: &StoredInvocation| last.is_some_and(|last| is_taken(&one) && one.row.id != last);
    let mut rows = Vec::new();
    let (mut next, mut looked_up) = (None, 0);
    for one in &found {
        let read_back = match (is_over(one), looked_up < LOOKED_UP) {
            (true, true) => {
                looked_up += 1;
                read_before(viewer, known, one, next).await?
            }
            (true, false) => None,
            (false, _) => known.value(BREAKER),
        };
        rows.push(invocation(viewer, one, is_over(one), read_back));
        next = is_taken(&one).then_some(one.row.asked.created).or(next);
    }
    Ok(rows)
}

/// What the switch first showed behind a command, before the next one was given.
async fn read_before(
    viewer: &Viewer,
    known: &Known,
    one: &StoredInvocation,
    next: Option<SimTime>,
) -> Result<Option<(SimTime, f64)>, Problem> {
    let needed = (Kind::Series, Action::Read);
    let (Ok((row, permit)), Some(id), Some(next)) =
        (devices::find(&viewer.caller, needed, known.id()), MeasurementId::lookup(BREAKER), next)
    else {
        return Ok(None);
    };
    let from = one.row.ended.unwrap_or(one.row.asked.created);
    // The first one comes soon, if one comes.
    let until = next.min(from + SimDuration(known.period.0.saturating_mul(3)));
    let of = (&row, &permit);
    let found = homes::buckets(&viewer.caller, of, id, (from, until), true).await?;
    Ok(found.first().map(|bucket| bucket.first))
}

/// A command as its page has it: what became of it, in a sentence. Done is only what was read back.
fn invocation(
    viewer: &Viewer,
    one: &StoredInvocation,
    is_over: bool,
    read_back: Option<(SimTime, f64)>,
) -> Value {
    let row = &one.row;
    let asked = row.asked.parameters.get("state").map(|text| text == "closed");
    let is_switch = row.asked.command == "setBreaker";
    let what = match (is_switch, asked) {
        (true, Some(true)) => "Switch on".to_owned(),
        (true, _) => "Switch off".to_owned(),
        _ => row.asked.command.clone(),
    };
    let read_back = read_back.filter(|_| is_switch);
    let answered = row.ended.unwrap_or(row.asked.created);
    // Gateways state whole seconds: of the second of the answer counts what was asked for.
    let is_behind = |(at, value): &(SimTime, f64)| {
        *at >= answered || second(*at) == second(answered) && Some(*value > 0.5) == asked
    };
    let is_read_back = read_back.filter(is_behind).map(|(_, value)| value > 0.5);
    let text = outcome(viewer, one, is_over, (is_switch, asked, is_read_back));
    let is_unread = !is_over
        && row.state == InvocationState::Acknowledged
        && is_switch
        && is_read_back.is_none();
    json!({
        "id": row.id.to_string(),
        "what": what,
        "by": row.asked.initiator_id.trim_start_matches("user:"),
        "when": viewer.times.clock(row.asked.created),
        "state": row.state.word(),
        "text": text,
        "is_open": row.is_open() || is_unread,
        "may_cancel": row.state == InvocationState::Pending,
    })
}

fn second(at: SimTime) -> i64 {
    at.0.div_euclid(1_000_000_000)
}

/// What became of a command, in a sentence: of a switch by what was asked for, and what it showed.
fn outcome(
    viewer: &Viewer,
    one: &StoredInvocation,
    is_over: bool,
    (is_switch, asked, is_read_back): (bool, Option<bool>, Option<bool>),
) -> String {
    let row = &one.row;
    let answered = row.ended.unwrap_or(row.asked.created);
    let clock = |at: SimTime| viewer.times.clock(at).text;
    match row.state {
        InvocationState::Pending => "It waits for the device to be heard".to_owned(),
        InvocationState::Sent => {
            format!("Sent {}, waiting for the device", row.sent.map(clock).unwrap_or_default())
        }
        InvocationState::Acknowledged if is_over && is_read_back.is_none_or(|it| Some(it) != asked) => {
            format!("The device acknowledged it at {}", clock(answered))
        }
        InvocationState::Acknowledged => match (is_switch, is_read_back == asked, is_read_back) {
            (true, _, None) => format!("Acknowledged {}, waiting for its next reading", clock(answered)),
            (true, false, Some(_)) => "The device answered, but it has not switched. Check it, then try again".to_owned(),
            _ => format!("Done. The device confirmed it at {}", clock(answered)),
        },
        InvocationState::Failed => format!("It failed: {}", row.response.as_deref().unwrap_or("it could not be handed over")),
        InvocationState::Expired => "The device did not answer in time. It may be out of reach. Try again, or switch it by hand".to_owned(),
    }
}

fn events(viewer: &Viewer, known: &Known) -> Vec<Value> {
    let times = &viewer.times;
    let alerts = known.state.alerts.iter().take(SHOWN as usize);
    alerts
        .map(|alert| {
            json!({
                "when": times.clock(alert.event),
                "level": alert.level,
                "text": alert.message,
                "type": alert.kind,
            })
        })
        .collect()
}

/// `POST /devices/{id}/command`
pub(super) async fn command(viewer: Viewer) -> Answered {
    let known = device(&viewer).await?;
    let parameters: BTreeMap<String, String> =
        viewer.fields_of(PARAMETER).into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let asked = Asked {
        command: viewer.field("command").to_owned(),
        parameters,
        metadata: BTreeMap::new(),
        initiators: (None, None),
        expiry_s: EXPIRY_S,
    };
    let to = path(&known);
    match invoke(&viewer.caller, &known.row, asked).await {
        Ok(_) => Ok(way(to + "#commands")),
        Err(problem)
            if problem.status() == StatusCode::UNPROCESSABLE_ENTITY
                || problem.status() == StatusCode::BAD_REQUEST =>
        {
            let detail = problem.detail().to_owned();
            shown(&viewer, known, Some(&detail)).await
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /devices/{id}/cancel`
pub(super) async fn cancel(viewer: Viewer) -> Answered {
    let known = device(&viewer).await?;
    let unknown = Problem::nothing;
    let id: InvocationId = viewer.field("id").parse().map_err(|()| unknown())?;
    viewer.caller.invocation(id, unknown).await?;
    if !may_command(&viewer, &known.row) {
        return Err(crate::ops::not_permitted(Action::Command, Kind::Invocation));
    }
    viewer.tenant().dispatcher.cancel(&[id]).await?;
    Ok(way(path(&known) + "#commands"))
}
