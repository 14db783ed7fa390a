//! Sharing: who sees what of one's own, how fine and until when, and on which days they looked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{
    Action, Grant, Kind, Owner, Permit, PrincipalRef, Resource, Subject, Target,
};
use lastmeter_model::audit::AuditRow;
use lastmeter_model::calendar::{Stretch as Period, Width};
use lastmeter_model::entity::Body as _;
use lastmeter_model::row::DeviceRow;
use lastmeter_model::series::energy::counted;
use lastmeter_store::Stretch;
use lastmeter_units::{MeasurementId, SimDuration, SimTime};
use serde_json::{Map, Value, json};

use super::format::{Times, of_quantity};
use super::frame::Answered;
use super::history::{date_of, day_of, is_register, name_of};
use super::now::around;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::identity;
use crate::ops::Caller;
use crate::ops::documents::{self, Request};
use crate::ops::homes::{self, Known};
use crate::problem::Problem;

/// Grants of a page.
const SHOWN: usize = 100;
/// Shares of which a preview shows values.
const SAMPLES: usize = 10;
/// How long a share lasts if nothing else is asked for.
const DAYS: i64 = 90;
/// What ends after this year is without an end, for people.
const YEARS: i16 = 2100;
const DAY: SimDuration = SimDuration::from_seconds(86_400);
/// Looks are those of so many days, and of so many last rows of the audit.
const LOOKS_DAYS: i64 = 7;
const LOOKS_ROWS: u64 = 5_000;
const ROWS_AT_ONCE: u32 = 1_000;

/// How fine what is shared can be, in seconds, as the form has it.
const FINEST: [(&str, &str); 4] = [
    ("", "each reading"),
    ("900", "values of 15 min"),
    ("3600", "values of an hour"),
    ("86400", "values of a day"),
];

/// The fields of the form.
const FIELDS: [&str; 7] = ["to", "device", "quantity", "finest", "until", "history", "switch"];

fn grants(viewer: &Viewer, key: &str) -> Vec<(String, Arc<Grant>)> {
    let me = viewer.caller.name();
    let documents = &viewer.tenant().documents;
    let is_left = |grant: &Grant| grant.revoked.is_none() && viewer.now() < grant.until;
    let found = documents.bodies_with::<Grant>(key, &me).into_iter();
    let may = |token: &str| documents::readable(&viewer.caller, Grant::kind(), token).is_some();
    found.filter(|(token, grant)| is_left(grant) && may(token)).collect()
}

/// A principal as people call it.
fn called(who: &PrincipalRef) -> String {
    match who {
        PrincipalRef::User(name) | PrincipalRef::Application(name) => name.to_string(),
        other => other.to_string(),
    }
}

/// The last day before an instant, unless there is no end.
fn until(times: &Times, at: SimTime) -> Option<String> {
    let last = SimTime(at.0.saturating_sub(1));
    (times.zone.local(last).year < YEARS).then(|| times.day(last))
}

/// What a grant is on, by the names of devices.
fn subject(known: &[Known], on: &Target) -> String {
    let device = on.device();
    let found = known.iter().find(|one| Some(&one.row.hardware_id) == device);
    found.map_or_else(
        || device.map_or_else(|| on.to_string(), ToString::to_string),
        |one| one.name.clone(),
    )
}

fn quantities(grant: &Grant) -> String {
    let names = grant.quantities.iter().map(|pattern| {
        let text = pattern.to_string();
        let id = MeasurementId::lookup(&text).map(|id| name_of(id).to_lowercase());
        id.unwrap_or(if text == "*" { "everything".to_owned() } else { text })
    });
    names.collect::<Vec<_>>().join(", ")
}

fn finest(grant: &Grant) -> String {
    let Some(width) = grant.finest else { return FINEST[0].1.to_owned() };
    let seconds = (width.0 / 1_000_000_000).to_string();
    let found = FINEST.iter().find(|(word, _)| *word == seconds);
    found.map_or_else(|| format!("values of {seconds} s"), |(_, name)| (*name).to_owned())
}

/// From when on it gives what was measured.
fn since(times: &Times, grant: &Grant) -> String {
    if grant.with_history {
        return "with all of the past".to_owned();
    }
    format!("from {}", times.day(grant.from))
}

/// What a grant gives, as the sentence that sums it up.
fn sentence(viewer: &Viewer, known: &[Known], grant: &Grant) -> String {
    let times = &viewer.times;
    let end = until(times, grant.until).map(|until| format!(", until {until}")).unwrap_or_default();
    let from = since(times, grant);
    let switch = if grant.actions.contains(&Action::Command) { ", and may switch it" } else { "" };
    format!(
        "Who signs in as {} will see {} of {}: {}, {from}{end}{switch}",
        called(&grant.to),
        finest(grant),
        subject(known, &grant.on),
        quantities(grant)
    )
}

/// When others looked at what one has, by reader and device.
async fn looks(viewer: &Viewer) -> Result<BTreeMap<(String, String), Vec<SimTime>>, Problem> {
    let (tenant, caller) = (viewer.tenant(), &viewer.caller);
    let permit = caller.list(Kind::Audit)?;
    let last = tenant.progress.audited();
    let mut after = last.saturating_sub(LOOKS_ROWS);
    let begin = SimTime(viewer.now().0.saturating_sub(DAY.0.saturating_mul(LOOKS_DAYS)));
    let mut looks: BTreeMap<(String, String), Vec<SimTime>> = BTreeMap::new();
    while after < last {
        let stretch = Stretch { after, limit: ROWS_AT_ONCE, last };
        let (rows, count) = tenant.readers.audit(&permit, Some(&caller.name()), stretch).await?;
        let is_look = |row: &AuditRow| row.action == Action::Read.word() && row.at >= begin;
        for row in rows.into_iter().filter(is_look) {
            looks.entry((row.who, row.resource)).or_default().push(row.at);
        }
        if count == 0 {
            break;
        }
        after += count;
    }
    Ok(looks)
}

/// The devices that one may share.
fn own<'a>(caller: &Caller, known: &'a [Known]) -> Vec<&'a Known> {
    let Some(me) = caller.who.first().map(|who| who.reference.clone()) else { return Vec::new() };
    let may = |one: &&Known| {
        let target = Target::Device(one.row.hardware_id.clone());
        let on = Resource::new(Kind::Grant, &caller.tenant.name, Subject::One(&target));
        caller.may(Action::Grant, &on.owned(Owner::Of(&me)))
    };
    known.iter().filter(may).collect()
}

/// `GET /sharing`
pub(super) async fn show(viewer: Viewer) -> Answered {
    page(&viewer, None).await
}

async fn page(viewer: &Viewer, error: Option<&str>) -> Answered {
    let known = homes::known(&viewer.caller).await?;
    let looks = looks(viewer).await?;
    let times = &viewer.times;
    let all = grants(viewer, "by");
    let rows = all.iter().take(SHOWN).map(|(token, grant)| {
        let seen = looks.get(&(grant.to.to_string(), grant.on.to_string()));
        let id = in_address(token);
        json!({
            "who": called(&grant.to),
            "what": subject(&known, &grant.on),
            "quantities": quantities(grant),
            "finest": finest(grant),
            "since": since(times, grant),
            "switches": grant.actions.contains(&Action::Command),
            "until": until(times, grant.until),
            "looks": seen.map_or(0, Vec::len),
            "last": seen.and_then(|all| all.last()).map(|at| times.clock(*at)),
            "preview": format!("/sharing/{id}"),
            "end": format!("/sharing/{id}/end"),
        })
    });
    let done = all.iter().find(|(token, _)| *token == viewer.field("done"));
    let values = json!({
        "rows": rows.collect::<Vec<_>>(),
        "more": all.len().saturating_sub(SHOWN),
        "days": LOOKS_DAYS,
        "form": form(viewer, &own(&viewer.caller, &known)),
        "done": done.map(|(_, grant)| sentence(viewer, &known, grant)),
        "error": error,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(View::new("sharing.html", values).with_status(status).into())
}

/// What the form of a new share offers, and what was entered in it.
fn form(viewer: &Viewer, own: &[&Known]) -> Value {
    let mut of_these: Vec<MeasurementId> = Vec::new();
    for value in own.iter().flat_map(|one| &one.state.values) {
        of_these.extend(MeasurementId::lookup(&value.name).filter(|id| !of_these.contains(id)));
    }
    let device = |one: &&Known| json!({ "id": one.id(), "name": one.name });
    let quantity = |id: &MeasurementId| json!({ "id": id.name(), "name": name_of(*id) });
    let given: Map<String, Value> =
        FIELDS.iter().map(|name| ((*name).to_owned(), json!(viewer.field(name)))).collect();
    let end = viewer.now() + SimDuration(DAY.0.saturating_mul(DAYS));
    json!({
        "devices": own.iter().map(device).collect::<Vec<_>>(),
        "quantities": of_these.iter().map(quantity).collect::<Vec<_>>(),
        "widths": FINEST.map(|(id, name)| json!({ "id": id, "name": name })),
        "default_end": date_of(viewer, end),
        "given": given,
    })
}

/// The grant that a form describes.
fn described(viewer: &Viewer, known: &[Known]) -> Result<Grant, &'static str> {
    let by = viewer.caller.who.first().map(|who| who.reference.clone());
    let by = by.ok_or("Sign in first")?;
    let to: Result<PrincipalRef, _> = format!("user:{}", viewer.field("to").trim()).parse();
    let to = to.map_err(|_| "Enter the name with which they sign in, without spaces")?;
    if to == by {
        return Err("You see what is yours already; enter the name of somebody else");
    }
    if identity::principal(viewer.tenant(), &to).is_none() {
        return Err("Nobody signs in with this name; ask them for theirs");
    }
    let on = format!("device:{}", viewer.field("device")).parse();
    let on = on.map_err(|_| "Choose one of your devices")?;
    let end = day_of(viewer, viewer.field("until").trim());
    let end = end.ok_or("Enter the last day as a date, such as 2027-03-31")?;
    // Through the whole of that day.
    let until = around(viewer, Width::Day, end).until;
    if until <= viewer.now() {
        return Err("Choose a last day that is not over");
    }
    let finest = FINEST.iter().find(|(word, _)| *word == viewer.field("finest"));
    let (finest, _) = finest.ok_or("Choose how fine they see it")?;
    let finest = finest.parse().ok().map(SimDuration::from_seconds);
    let may_switch = viewer.field("switch") == "yes";
    if may_switch && finest.is_some() {
        return Err("Who may switch a device sees each reading of it: choose each reading");
    }
    let is_switch =
        |one: &Known| one.id() == viewer.field("device") && one.value(homes::BREAKER).is_some();
    if may_switch && !known.iter().any(is_switch) {
        return Err("That device shows no switch; leave out that they may switch it");
    }
    let actions = [Action::Read].into_iter().chain(may_switch.then_some(Action::Command));
    let quantity = Some(viewer.field("quantity")).filter(|text| !text.is_empty()).unwrap_or("*");
    let measures =
        |one: &Known| one.id() == viewer.field("device") && one.value(quantity).is_some();
    if quantity != "*" && !known.iter().any(measures) {
        return Err(
            "That device does not measure this; choose something else of it, or everything",
        );
    }
    let quantity = quantity.parse().map_err(|_| "Choose what of it they see")?;
    Ok(Grant {
        to,
        on,
        actions: actions.collect(),
        quantities: [quantity].into(),
        finest,
        with_history: viewer.field("history") == "yes",
        from: viewer.now(),
        until,
        purpose: None,
        by,
        revoked: None,
    })
}

/// `POST /sharing`
pub(super) async fn share(viewer: Viewer) -> Answered {
    let known = homes::known(&viewer.caller).await?;
    let grant = match described(&viewer, &known) {
        Ok(grant) => json!(grant),
        Err(error) => return page(&viewer, Some(error)).await,
    };
    let request = Request { token: None, version: None, body: grant.as_object().cloned() };
    match documents::make(&viewer.caller, Grant::kind(), request, None).await {
        Ok(made) => Ok(way(format!("/sharing?done={}", in_address(&made.token)))),
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let detail = problem.detail().to_owned();
            page(&viewer, Some(&detail)).await
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /sharing/{id}/end`: from now on; what was exported stays where it is.
pub(super) async fn end(viewer: Viewer) -> Answered {
    let now = viewer.now();
    let token = viewer.variable.clone();
    if grants(&viewer, "by").iter().all(|(one, _)| *one != token) {
        return Err(Problem::nothing());
    }
    documents::edit(&viewer.caller, Grant::kind(), &token, |document| {
        let mut grant: Grant = serde_json::from_str(&document.body).ok()?;
        grant.revoked.get_or_insert(now);
        serde_json::to_value(&grant).ok()
    })
    .await?;
    Ok(way("/sharing"))
}

/// What others share with somebody, as it is listed for them. Nothing is read of the devices, so
/// that a preview is no look.
fn lent(caller: &Caller, times: &Times, grants: &[(String, Arc<Grant>)]) -> Vec<Value> {
    let in_force = grants.iter().filter(|(_, grant)| grant.is_in_force(times.now));
    let rows = in_force.take(SHOWN).map(|(_, grant)| {
        let device = grant.on.device();
        let named = device.and_then(|id| homes::described(caller, id));
        let named = named.and_then(|device| device.name.as_ref().map(ToString::to_string));
        let id = || device.map_or_else(|| grant.on.to_string(), ToString::to_string);
        let may = |kind: Kind| {
            let on = Resource::new(kind, &caller.tenant.name, Subject::One(&grant.on));
            device.is_some() && caller.may(Action::Read, &on)
        };
        let path = match device.map(|id| in_address(id.as_str())) {
            Some(id) if may(Kind::Latest) => Some(format!("/devices/{id}")),
            Some(id) if may(Kind::Series) => Some(format!("/history?s={id}")),
            _ => None,
        };
        json!({
            "by": called(&grant.by),
            "what": named.filter(|name| !name.is_empty()).unwrap_or_else(id),
            "path": path,
            "quantities": quantities(grant),
            "finest": finest(grant),
            "since": since(times, grant),
            "switches": grant.actions.contains(&Action::Command),
            "until": until(times, grant.until),
            "purpose": grant.purpose,
        })
    });
    rows.collect()
}

/// `GET /shared`
pub(super) async fn shared(viewer: Viewer) -> Answered {
    let rows = lent(&viewer.caller, &viewer.times, &grants(&viewer, "to"));
    Ok(View::new("shared.html", json!({ "rows": rows, "preview": null, "samples": [] })).into())
}

/// What a grant shows of a device now, read as its owner, so that it is no look: last values, or
/// those of the last whole stretch where no finer ones are given.
async fn sample(viewer: &Viewer, one: &Known, grant: &Grant) -> Result<Vec<Value>, Problem> {
    let times = &viewer.times;
    let stretch = grant.finest.map(|finest| {
        if finest < DAY {
            let until = SimTime(viewer.now().0 - viewer.now().0.rem_euclid(finest.0));
            return Period { from: SimTime(until.0 - finest.0), until };
        }
        around(viewer, Width::Day, SimTime(around(viewer, Width::Day, viewer.now()).from.0 - 1))
    });
    let mut found = Vec::new();
    for value in &one.state.values {
        let Some(id) = MeasurementId::lookup(&value.name) else { continue };
        if !grant.quantities.iter().any(|pattern| pattern.is_match(&value.name)) {
            continue;
        }
        let of = (&one.row, &one.permit, one.period);
        let (shown, when) = match stretch {
            None => (Some(value.value), times.clock(value.event).text),
            Some(stretch) => {
                let day = times.day(stretch.from);
                let from = times.clock(stretch.from).text;
                let is_day = grant.finest.is_some_and(|finest| finest >= DAY);
                let when = if is_day { day } else { format!("from {from} on") };
                (in_stretch(viewer, of, id, stretch).await?, when)
            }
        };
        found.push(json!({
            "what": one.name,
            "quantity": name_of(id),
            "value": shown.map(|value| of_quantity(id, value)),
            "when": when,
        }));
    }
    Ok(found)
}

/// What a register counted in a stretch, or the mean of another quantity.
async fn in_stretch(
    viewer: &Viewer,
    (row, permit, period): (&DeviceRow, &Permit, SimDuration),
    id: MeasurementId,
    stretch: Period,
) -> Result<Option<f64>, Problem> {
    let ends = (stretch.from, stretch.until);
    if is_register(id) {
        let all = homes::register(&viewer.caller, (row, permit), id.name(), ends).await?;
        return Ok(counted(&all, &[stretch], period).total);
    }
    let found = homes::buckets(&viewer.caller, (row, permit), id, ends, false).await?;
    let count: u64 = found.iter().map(|bucket| bucket.n).sum();
    let sum: f64 = found.iter().map(|bucket| bucket.mean * bucket.n as f64).sum();
    Ok((count > 0).then(|| sum / count as f64))
}

/// `GET /sharing/{id}`: the page of whom it is shared with, as far as it is one's own; nothing can
/// be done there.
pub(super) async fn preview(viewer: Viewer) -> Answered {
    let own = grants(&viewer, "by");
    let found = own.iter().find(|(token, _)| *token == viewer.variable);
    let (_, grant) = found.ok_or_else(Problem::nothing)?;
    let theirs: Vec<_> = own.iter().filter(|(_, other)| other.to == grant.to).cloned().collect();
    let tenant = &viewer.caller.tenant;
    let who = identity::principal(tenant, &grant.to).into_iter().collect();
    let caller = Caller { tenant: Arc::clone(tenant), who };
    let rows = lent(&caller, &viewer.times, &theirs);
    let known = homes::known(&viewer.caller).await?;
    let mut samples = Vec::new();
    for (_, grant) in theirs.iter().take(SAMPLES) {
        let device = grant.on.device();
        if let Some(one) = known.iter().find(|one| Some(&one.row.hardware_id) == device) {
            samples.extend(sample(&viewer, one, grant).await?);
        }
    }
    let values = json!({ "rows": rows, "preview": called(&grant.to), "samples": samples });
    let title = format!("As {} sees it", called(&grant.to));
    Ok(View::new("shared.html", values).titled(title).in_state("V12").into())
}
