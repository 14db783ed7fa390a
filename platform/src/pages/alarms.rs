//! Alarms: what holds or nobody knows of yet, worst first, and what people do about it.

use lastmeter_model::access::{Action, Kind};
use lastmeter_model::entity::{Alarm, Body as _};
use lastmeter_units::{SimDuration, SimTime};
use lastmeter_wire::flexmeter::AlertLevel;
use serde_json::{Value, json};

use super::frame::Answered;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::ops::alarms::{Handling, handle};
use crate::ops::devices;

/// Alarms of a page.
const SHOWN: usize = 100;
/// How long one is out of sight.
const SHELVED: SimDuration = SimDuration::from_seconds(3600);

/// An alarm that may be read.
pub(super) struct Seen {
    token: String,
    alarm: Alarm,
}

/// The alarms that somebody may read.
fn all(viewer: &Viewer) -> Vec<Seen> {
    let documents = viewer.tenant().documents.all(Alarm::kind());
    let may_read = |document: &std::sync::Arc<lastmeter_model::document::Document>| {
        crate::ops::documents::may(&viewer.caller, Action::Read, document)
    };
    let read = |document: std::sync::Arc<lastmeter_model::document::Document>| {
        let alarm = serde_json::from_str(&document.body).ok()?;
        Some(Seen { token: document.token.clone(), alarm })
    };
    documents.into_iter().filter(may_read).filter_map(read).collect()
}

fn is_shelved(alarm: &Alarm, now: SimTime) -> bool {
    alarm.shelved_until.is_some_and(|until| now < until)
}

/// Those that need somebody: they hold, or have held and nobody knows of it.
pub(super) fn open(viewer: &Viewer) -> Vec<Seen> {
    let mut open = all(viewer);
    open.retain(|one| {
        let is_news = one.alarm.active || one.alarm.acknowledged_by.is_none();
        is_news && !is_shelved(&one.alarm, viewer.now())
    });
    open
}

const SHOW: [(&str, &str); 3] = [("open", "Open"), ("known", "Set aside"), ("ended", "Ended")];

fn is_in(one: &Seen, shown: &str, now: SimTime) -> bool {
    let alarm = &one.alarm;
    match shown {
        "known" => alarm.active && alarm.acknowledged_by.is_some() || is_shelved(alarm, now),
        "ended" => !alarm.active && alarm.acknowledged_by.is_some(),
        _ => {
            (alarm.active || alarm.acknowledged_by.is_none())
                && alarm.acknowledged_by.is_none()
                && !is_shelved(alarm, now)
        }
    }
}

/// `GET /alarms`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let shown = SHOW.iter().find(|(word, _)| *word == viewer.field("show")).unwrap_or(&SHOW[0]).0;
    let mut all = all(&viewer);
    let tabs = SHOW.map(|(word, name)| {
        let count = all.iter().filter(|one| is_in(one, word, viewer.now())).count();
        let path = format!("/alarms?show={word}");
        json!({ "name": name, "path": path, "count": count, "is_current": word == shown })
    });
    all.retain(|one| is_in(one, shown, viewer.now()));
    all.sort_by_key(|one| {
        (std::cmp::Reverse(rank(one.alarm.level)), std::cmp::Reverse(one.alarm.last))
    });
    let more = all.len().saturating_sub(SHOWN);
    let rows: Vec<Value> = all.iter().take(SHOWN).map(|one| row(&viewer, one)).collect();
    let values = json!({ "tabs": tabs, "rows": rows, "more": more, "shown": shown });
    Ok(View::new("alarms.html", values).into())
}

/// How bad a level is.
fn rank(level: AlertLevel) -> u8 {
    match level {
        AlertLevel::Info => 0,
        AlertLevel::Warning => 1,
        AlertLevel::Error => 2,
        AlertLevel::Critical => 3,
    }
}

fn row(viewer: &Viewer, Seen { token, alarm }: &Seen) -> Value {
    let times = &viewer.times;
    let id = in_address(token);
    let device = alarm.hardware_id.as_ref().map(ToString::to_string);
    // Who may know of the alarm may not have the device's page.
    let needed = (Kind::Latest, Action::Read);
    let path = device.as_ref().filter(|id| devices::find(&viewer.caller, needed, id).is_ok());
    let path = path.map(|id| format!("/devices/{}", in_address(id)));
    json!({
        "id": token,
        "level": alarm.level.word(),
        "mark": alarm.level.word().to_lowercase(),
        "text": alarm.text.to_string(),
        "type": alarm.alarm_type.to_string(),
        "device": device,
        "device_path": path,
        "since": times.clock(alarm.last),
        "ended": alarm.ended.filter(|_| !alarm.active).map(|at| times.clock(at)),
        "count": alarm.count,
        "by": alarm.acknowledged_by.as_ref().map(|by| by.to_string().trim_start_matches("user:").to_owned()),
        "known": alarm.acknowledged_at.map(|at| times.clock(at)),
        "shelved": alarm.shelved_until.filter(|until| viewer.now() < *until).map(|at| times.clock(at)),
        "acknowledge": format!("/alarms/{id}/acknowledge"),
        "shelve": format!("/alarms/{id}/shelve"),
        "may": may_handle(viewer, token),
    })
}

fn may_handle(viewer: &Viewer, token: &str) -> bool {
    let found = viewer.tenant().documents.find(Alarm::kind(), token);
    found.is_some_and(|found| crate::ops::documents::may(&viewer.caller, Action::Write, &found))
}

/// `POST /alarms/{id}/acknowledge`
pub(super) async fn acknowledge(viewer: Viewer) -> Answered {
    handle(&viewer.caller, &viewer.variable, Handling::Acknowledge).await?;
    Ok(way("/alarms"))
}

/// `POST /alarms/{id}/shelve`
pub(super) async fn shelve(viewer: Viewer) -> Answered {
    let until = SimTime(viewer.now().0.saturating_add(SHELVED.0));
    handle(&viewer.caller, &viewer.variable, Handling::Shelve(Some(until))).await?;
    Ok(way("/alarms"))
}
