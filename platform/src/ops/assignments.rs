//! Assignments of devices to assets, sites, zones and customers, from an instant to another.

use std::sync::Arc;

use lastmeter_model::access::{Action, Kind, Resource, Scope, Subject, Target};
use lastmeter_model::document::Document;
use lastmeter_model::entity::{Assignment, AssignmentStatus, Body as _, Device, DeviceStatus};
use lastmeter_model::row::DeviceRow;
use lastmeter_store::Range;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Map, Value, json};

use super::Caller;
use super::devices::{self, Permitted};
use super::documents::{self, Repeatable, Request, own_members};
use crate::problem::{Problem, wrong};
use crate::tenant::Tenant;

/// The assignment of its own that a device has now.
pub(crate) fn in_force(tenant: &Tenant, device: &HardwareId) -> Option<String> {
    let now = tenant.clock.now();
    let own = tenant.facts().assignments(device).into_iter();
    own.filter(|(_, one)| one.span().contains(now)).map(|(token, _)| token).next()
}

/// A device with the token of its assignment of now, which is its row's while it has none of its
/// own.
pub(crate) fn current(tenant: &Tenant, row: DeviceRow) -> DeviceRow {
    match in_force(tenant, &row.hardware_id) {
        Some(assignment) => DeviceRow { assignment, ..row },
        None => row,
    }
}

/// The device of an assignment, with its token.
fn find(tenant: &Tenant, token: &str) -> Option<DeviceRow> {
    let own = || {
        let own = tenant.documents.body::<Assignment>(token)?;
        let row = tenant.devices.find(own.device_hardware_id.as_str())?;
        Some(DeviceRow { assignment: token.to_owned(), ..row })
    };
    tenant.devices.assigned(token).or_else(own)
}

/// The device of an assignment with which something may be done, and the permit. One of no instant
/// of which who asks had a right to the device is asked for as one that is not there, such as that
/// of a former owner by the present one.
pub(crate) fn device(caller: &Caller, needed: (Kind, Action), token: &str) -> Permitted {
    let found =
        find(&caller.tenant, token).filter(|row| is_of_its_time(caller, needed, token, row));
    devices::permitted(caller, needed, found, || {
        let token = lastmeter_model::refusal::shortened(token, 80);
        Problem::not_found("unknown_assignment", format!("there is no assignment `{token}`"))
    })
}

fn is_of_its_time(
    caller: &Caller,
    (kind, action): (Kind, Action),
    token: &str,
    row: &DeviceRow,
) -> bool {
    let Some(own) = caller.tenant.documents.body::<Assignment>(token) else { return true };
    let (target, span) = (Target::Device(row.hardware_id.clone()), own.span());
    let on = Resource::new(kind, &caller.tenant.name, Subject::One(&target));
    let Ok(permit) = caller.ask(action, &on) else { return true };
    let is_of_it = match permit.scope() {
        Scope::Windows(windows) => windows
            .iter()
            .any(|it| it.device == row.hardware_id && it.from < span.until && span.from < it.until),
        Scope::All | Scope::Public => {
            let last = SimTime(span.until.0.saturating_sub(1));
            let at = caller.tenant.clock.now().min(last).max(span.from);
            caller.ask_at(action, &on, at).is_ok()
        }
    };
    // Administrators see that there is one, though not what was measured.
    is_of_it || documents::readable(caller, Assignment::kind(), token).is_some()
}

/// What an assignment has of a range: of one of a device's own the part in which it is in force.
pub(crate) fn clipped(tenant: &Tenant, token: &str, range: Range) -> Range {
    let Some(own) = tenant.documents.body::<Assignment>(token) else { return range };
    let last = SimTime(own.span().until.0.saturating_sub(1));
    Range { start: range.start.max(own.active_date), end: range.end.min(last) }
}

/// Assigns a device from now on, or from when it states.
pub(crate) async fn make(
    caller: &Caller,
    members: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<Arc<Document>, Problem> {
    let mut request = own_members(Assignment::kind(), members)?;
    let tenant = &caller.tenant;
    let body = request.body.get_or_insert_default();
    body.entry("status").or_insert_with(|| json!(AssignmentStatus::Active));
    body.entry("activeDate").or_insert_with(|| json!(tenant.clock.now()));
    let id = body.get("deviceHardwareId").and_then(Value::as_str);
    let id = id.ok_or_else(|| wrong("deviceHardwareId", "expected the hardware id of a device"))?;
    let (row, _) = devices::find(caller, (Kind::Assignment, Action::Write), id)?;
    let status = tenant.documents.body::<Device>(id);
    if status.is_some_and(|device| device.status == DeviceStatus::Deleted) {
        let detail = format!("`{}` is decommissioned; register it again first", row.hardware_id);
        return Err(wrong("deviceHardwareId", &detail));
    }
    documents::make(caller, Assignment::kind(), request, repeatable).await
}

/// Replaces an assignment.
pub(crate) async fn change(
    caller: &Caller,
    token: &str,
    members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let request = own_members(Assignment::kind(), members)?;
    documents::change(caller, Assignment::kind(), token, request).await
}

/// Changes some members of an assignment, unless nothing is left to do.
pub(crate) async fn edit(
    caller: &Caller,
    token: &str,
    edit: impl FnOnce(&Assignment, &mut Map<String, Value>),
) -> Result<Arc<Document>, Problem> {
    let kind = Assignment::kind();
    let document = documents::one(caller, kind, token, None).await?;
    let own = caller.tenant.documents.body::<Assignment>(token);
    let own = own.ok_or_else(|| documents::unknown(kind, token))?;
    let mut body = document.members();
    edit(&own, &mut body);
    let request = Request { token: None, version: Some(document.version), body: Some(body) };
    documents::change(caller, kind, token, request).await
}

/// Ends an assignment now; one that has ended stays as it is.
pub(crate) async fn end(caller: &Caller, token: &str) -> Result<Arc<Document>, Problem> {
    let now = caller.tenant.clock.now();
    edit(caller, token, |own, body| {
        if own.status != AssignmentStatus::Released {
            let end = own.released_date.map_or(now, |end| end.min(now)).max(own.active_date);
            body.insert("status".to_owned(), json!(AssignmentStatus::Released));
            body.insert("releasedDate".to_owned(), json!(end));
        }
    })
    .await
}

/// Removes an assignment that has ended.
pub(crate) async fn remove(caller: &Caller, token: &str) -> Result<Arc<Document>, Problem> {
    let now = caller.tenant.clock.now();
    documents::one(caller, Assignment::kind(), token, None).await?;
    let own = caller.tenant.documents.body::<Assignment>(token);
    if own.is_some_and(|own| own.span().contains(now)) {
        let detail = format!("the assignment `{token}` is in force; end it first");
        let status = axum::http::StatusCode::CONFLICT;
        return Err(Problem::new(status, "assignment_in_force", detail));
    }
    let request = Request { token: None, version: None, body: None };
    documents::change(caller, Assignment::kind(), token, request).await
}
