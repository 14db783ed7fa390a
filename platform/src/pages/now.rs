//! What is used now, what it was today, and what is on.

use lastmeter_model::calendar::{Stretch, Width, stretches};
use lastmeter_model::series::energy::{Energy, Gap};
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Value, json};

use super::charts;
use super::format::number;
use super::frame::Answered;
use super::homes::ages_in_s;
use super::view::View;
use super::viewer::{Viewer, in_address};
use crate::ops::awareness::{self, DayCost};
use crate::ops::homes::{self, Age, BREAKER, ENERGY, Known, POWER, SENT_ENERGY, SENT_POWER};

/// The stretch of a width that an instant lies in.
pub(super) fn around(viewer: &Viewer, width: Width, at: SimTime) -> Stretch {
    homes::around(&viewer.times.zone, width, at)
}

/// `GET /now`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let known = homes::known(&viewer.caller).await?;
    let ids: Vec<&HardwareId> = known.iter().map(|one| &one.row.hardware_id).collect();
    let is_load = |one: &Known| one.parent.as_ref().is_some_and(|parent| ids.contains(&parent));
    let (loads, meters): (Vec<&Known>, Vec<&Known>) = known.iter().partition(|one| is_load(one));
    let meters: Vec<&Known> = meters.into_iter().filter(|one| one.value(POWER).is_some()).collect();
    let today = around(&viewer, Width::Day, viewer.now());
    let hours: Vec<Stretch> =
        stretches(&viewer.times.zone, Width::Hour, today.from, today.until).collect();
    let energy = homes::counted_by(&viewer.caller, &meters, ENERGY, &hours).await?;
    let drawing = charts::bars(&viewer.times, &energy, (today, "Energy by hour"), "kWh");
    let costs = if viewer.wants("day") { costs(&viewer).await } else { Value::Null };
    let (sent, rest) = (sent(&meters), rest(&meters, &loads));
    let on: Vec<&&Known> = loads.iter().filter(|one| is_on(one)).collect();
    let values = json!({
        "costs": costs,
        "power": power(&viewer, &meters),
        "sent": sent,
        "energy": energy.total.map(|total| number(total, "kWh")),
        "missing": missing(&viewer, &energy),
        "drawing": drawing,
        "loads": on.iter().map(|one| row(one)).collect::<Vec<_>>(),
        "idle": loads.len() - on.len(),
        "rest": rest,
        "has_meter": !meters.is_empty(),
        "sends": meters.iter().any(|one| one.value(SENT_ENERGY).is_some_and(|(_, sent)| sent > 0.0)),
        "alarms": super::alarms::open(&viewer).len(),
        "ages_in_s": ages_in_s(&known, &viewer),
    });
    Ok(View::new("now.html", values).into())
}

/// The least power of a load that is on, in kW.
const ON_KW: f64 = 0.0005;

/// Whether a load is on: it takes power and is not switched off, or nothing is known of it.
fn is_on(one: &Known) -> bool {
    let is_off = one.value(BREAKER).is_some_and(|(_, closed)| closed < 0.5);
    let power = one.value(POWER).filter(|_| one.age != Age::Missing);
    !is_off && power.is_none_or(|(_, power)| power >= ON_KW)
}

/// What the energy of today and of the day before costs, where there is a contract.
async fn costs(viewer: &Viewer) -> Value {
    let days = awareness::days(&viewer.caller).await;
    let row = |day: &DayCost| {
        json!({
            "name": if day.is_today { "Today so far" } else { "Yesterday" },
            "amount": super::bills::money(&json!(day.amount), &day.currency),
            "energy": number(day.energy_kwh, "kWh"),
            "sent": day.sent.as_ref().map(|sent| json!({
                "amount": super::bills::money(&json!(sent.amount), &day.currency),
                "energy": number(sent.energy_kwh, "kWh"),
            })),
            "net": day.net.as_ref().map(|net| super::bills::money(&json!(net), &day.currency)),
            "is_whole": day.is_whole,
        })
    };
    let rows: Vec<Value> = days.iter().map(row).collect();
    if rows.is_empty() { Value::Null } else { json!(rows) }
}

/// The sum of a quantity of devices whose last value is not too old, and the oldest instant of it.
fn sum(of: &[&Known], quantity: &str) -> Option<(SimTime, f64)> {
    let fresh = of.iter().filter(|one| one.age != Age::Missing);
    let values: Vec<_> = fresh.filter_map(|one| one.value(quantity)).collect();
    let oldest = values.iter().map(|(at, _)| *at).min()?;
    Some((oldest, values.iter().map(|(_, value)| value).sum()))
}

fn power(viewer: &Viewer, meters: &[&Known]) -> Value {
    let Some((at, value)) = sum(meters, POWER) else {
        let last = meters.iter().filter_map(|one| one.heard).max();
        return json!({ "since": last.map(|at| viewer.times.clock(at)) });
    };
    let is_stale = meters.iter().any(|one| one.age == Age::Stale);
    json!({ "value": number(value, "kW"), "when": viewer.times.age(at), "is_stale": is_stale })
}

fn sent(meters: &[&Known]) -> Option<Value> {
    let (_, value) = sum(meters, SENT_POWER).filter(|(_, value)| *value > 0.0)?;
    Some(json!(number(value, "kW")))
}

fn row(one: &Known) -> Value {
    let value = one.value(POWER).filter(|_| one.age != Age::Missing);
    json!({
        "name": one.name,
        "room": one.room,
        "path": format!("/devices/{}", in_address(one.id())),
        "value": value.map(|(_, value)| number(value, "kW")),
        "age": one.age,
    })
}

/// What no load has measured by itself.
fn rest(meters: &[&Known], loads: &[&Known]) -> Value {
    let (Some((_, all)), loads) = (sum(meters, POWER), sum(loads, POWER)) else {
        return Value::Null;
    };
    let Some((_, loads)) = loads else { return Value::Null };
    match all - loads {
        rest if rest >= 0.0 => json!({ "value": number(rest, "kW") }),
        _ => json!({ "is_more": true }),
    }
}

/// Sentences about readings that are missing.
fn missing(viewer: &Viewer, energy: &Energy) -> Vec<String> {
    let sentence = |gap: &Gap| {
        let (from, until) = (viewer.times.clock(gap.from).text, viewer.times.clock(gap.until).text);
        let Some(total) = gap.total else {
            return format!("The counter restarted between {from} and {until}.");
        };
        let total = number(total, "kWh");
        let (total, unit) = (total.text, total.unit);
        format!(
            "Readings were missing from {from} to {until}. The meter counted on: {total} {unit}."
        )
    };
    energy.gaps.iter().take(3).map(sentence).collect()
}
