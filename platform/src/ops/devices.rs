//! Devices: a registry row from when they are registered or first heard, and a document from their
//! first change on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use lastmeter_model::access::{Action, Facts as _, Kind, Permit, Target};
use lastmeter_model::decide::is_reserved;
use lastmeter_model::document::Document;
use lastmeter_model::entity::{Body, BoundingBox, Device, DeviceStatus, Location, Site};
use lastmeter_model::entity::{position_at, read};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_model::row::DeviceRow;
use lastmeter_store::Page;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Map, Value, json};

use super::Caller;
use super::assignments;
use super::bounds::{self, device_members};
use super::documents::{self, Repeatable, Request, own_members};
use crate::config::TENANT;
use crate::problem::{Problem, wrong};
use crate::tenant::Tenant;

/// What changing a device needs.
pub(crate) const WRITE: (Kind, Action) = (Kind::Device, Action::Write);
/// Versions of a document that are looked at for where a device was.
const VERSIONS_MAX: u32 = 10_000;

/// Registers a device, with its document. One that is there as it is sent stays so; one that was
/// only recognised is registered.
pub(crate) async fn make(
    caller: &Caller,
    members: Map<String, Value>,
    repeatable: Option<Repeatable>,
) -> Result<DeviceRow, Problem> {
    let (kind, tenant) = (Device::kind(), &caller.tenant);
    let request = given(tenant, members)?;
    let token = request.token.unwrap_or_default();
    let id = HardwareId::new(&token).map_err(|error| wrong("hardwareId", &error.to_string()))?;
    if is_reserved(&id) {
        let detail = format!("`{id}` begins with `$`, as the platform's own; choose another one");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "reserved_id", detail));
    }
    let mut members = request.body.unwrap_or_default();
    members.entry("status").or_insert_with(|| json!(DeviceStatus::Registered));
    documents::permitted(caller, kind, &token, &Value::Object(members.clone()))?;
    device_members(caller, &id, &mut members)?;
    if let Some(known) = tenant.documents.find(kind, &token) {
        let device: Device = read(&Value::Object(members.clone()))?;
        let there = tenant.documents.body::<Device>(&token);
        let is_same = there.as_ref().is_some_and(|there| **there == device);
        if !is_same && there.is_none_or(|there| there.status != DeviceStatus::Recognised) {
            let detail = format!("there is a device `{id}`; change it, or choose another id");
            return Err(Problem::conflict("device_exists", detail));
        }
        let request =
            Request { token: Some(token), version: Some(known.version), body: Some(members) };
        documents::change(caller, kind, id.as_str(), request).await?;
    } else {
        first_change(caller, &id, Value::Object(members), repeatable).await?;
    }
    Ok(find(caller, WRITE, id.as_str())?.0)
}

/// Changes a device; one without a document gets it.
pub(crate) async fn change(
    caller: &Caller,
    id: &str,
    members: Map<String, Value>,
) -> Result<DeviceRow, Problem> {
    let (kind, tenant) = (Device::kind(), &caller.tenant);
    let row = find(caller, WRITE, id)?.0;
    let mut request = given(tenant, members)?;
    if let Some(body) = &mut request.body {
        device_members(caller, &row.hardware_id, body)?;
    }
    if tenant.documents.body::<Device>(id).is_some() {
        documents::change(caller, kind, id, request).await?;
    } else {
        if request.token.is_some_and(|token| token != id) {
            return Err(wrong("hardwareId", "it is not the one in the path"));
        }
        let body = Value::Object(request.body.unwrap_or_default());
        first_change(caller, &row.hardware_id, body, None).await?;
    }
    Ok(row)
}

/// Makes the document of a device, and its row if it was never heard.
async fn first_change(
    caller: &Caller,
    id: &HardwareId,
    body: Value,
    repeatable: Option<Repeatable>,
) -> Result<Arc<Document>, Problem> {
    let (kind, tenant) = (Device::kind(), &caller.tenant);
    documents::permitted(caller, kind, id.as_str(), &body)?;
    let _alone = tenant.changing.lock().await;
    bounds::check(caller, (kind, id.as_str()), None, &body)?;
    let is_new = tenant.devices.row(id).is_none();
    if is_new && !tenant.ingest.has_room() {
        return Err(Problem::limit_reached("devices"));
    }
    let registered = is_new.then(|| Message::new(id.clone(), MessageBody::Registration));
    let document = (Some(id.to_string()), body);
    let messages = registered.into_iter().collect();
    documents::make_with(caller, kind, document, repeatable, messages).await
}

/// Takes a device out of service; what it sent stays.
pub(crate) async fn decommission(caller: &Caller, id: &str) -> Result<DeviceRow, Problem> {
    let row = find(caller, WRITE, id)?.0;
    if let Some(token) = assignments::in_force(&caller.tenant, &row.hardware_id) {
        let detail = format!("`{id}` is assigned by `{token}`; end that first");
        return Err(Problem::conflict("device_is_assigned", detail));
    }
    let known = document(&caller.tenant, id);
    let mut members = known.map(|document| document.members()).unwrap_or_default();
    members.insert("status".to_owned(), json!(DeviceStatus::Deleted));
    change(caller, id, members).await
}

/// What a client sends of what it was shown: nothing of what follows from other documents.
fn given(tenant: &Tenant, mut members: Map<String, Value>) -> Result<Request, Problem> {
    members.remove("assignmentToken");
    if members.get("siteToken").is_some_and(|site| site == TENANT)
        && tenant.documents.body::<Site>(TENANT).is_none()
    {
        members.remove("siteToken");
    }
    own_members(Device::kind(), members)
}

/// A device with which something may be done, and the permit; one that is hidden is answered as one
/// that is not there.
pub(crate) fn find(caller: &Caller, needed: (Kind, Action), id: &str) -> Permitted {
    permitted(caller, needed, caller.tenant.devices.find(id), || {
        let id = lastmeter_model::refusal::shortened(id, 128);
        Problem::not_found("unknown_device", format!("there is no device `{id}`"))
    })
}

/// The row of a device, and what may be done with it.
pub(crate) type Permitted = Result<(DeviceRow, Permit), Problem>;

/// A device that was found, or was not, if something may be done with it.
pub(super) fn permitted(
    caller: &Caller,
    needed: (Kind, Action),
    found: Option<DeviceRow>,
    unknown: impl Fn() -> Problem,
) -> Permitted {
    let id = found.as_ref().map(|row| &row.hardware_id);
    let permit = caller.of_device(needed, id, &unknown)?;
    Ok((found.ok_or_else(unknown)?, permit))
}

/// The document of a device, if it has one.
pub(crate) fn document(tenant: &Tenant, id: &str) -> Option<Arc<Document>> {
    tenant.documents.find(Device::kind(), id)
}

/// Devices of a specification, by id.
pub(crate) fn of_specification(tenant: &Tenant, token: &str) -> Vec<DeviceRow> {
    let devices = tenant.documents.bodies_with::<Device>("specification", token);
    devices.iter().filter_map(|(id, _)| tenant.devices.find(id)).collect()
}

/// Devices of a group now, by id.
pub(crate) fn of_group(tenant: &Tenant, token: &str) -> Vec<DeviceRow> {
    let now = tenant.clock.now();
    let members = tenant.facts().members(&Target::Group(token.to_owned())).into_iter();
    let members = members.filter(|(_, span)| span.contains(now)).map(|(id, _)| id);
    let members: BTreeSet<HardwareId> = members.collect();
    members.iter().filter_map(|id| tenant.devices.find(id.as_str())).collect()
}

/// Whether a device has sent something and nobody has registered it.
pub(crate) fn is_recognised(tenant: &Tenant, id: &HardwareId) -> bool {
    let device = tenant.documents.body::<Device>(id.as_str());
    device.is_some_and(|device| device.status == DeviceStatus::Recognised)
}

/// Where a device is now: its own position, else that of its site.
pub(crate) fn position(tenant: &Tenant, id: &HardwareId) -> Option<Location> {
    let device = tenant.documents.body::<Device>(id.as_str())?;
    let of_site = || {
        let site = tenant.documents.body::<Site>(device.site_token.as_ref()?.as_str())?;
        site.location.clone()
    };
    device.location.clone().or_else(of_site)
}

/// Whether a device is inside a box now.
pub(crate) fn is_inside(tenant: &Tenant, id: &HardwareId, within: &BoundingBox) -> bool {
    position(tenant, id).is_some_and(|at| within.contains(&at))
}

/// Where a device was at any instant.
#[derive(Default)]
pub(crate) struct Positions {
    device: Vec<(SimTime, Device)>,
    sites: BTreeMap<String, Vec<(SimTime, Site)>>,
}

impl Positions {
    /// Those of a device.
    pub(crate) async fn of(tenant: &Tenant, id: &HardwareId) -> Result<Self, Problem> {
        let device = versions::<Device>(tenant, id.as_str()).await?;
        let mut sites = BTreeMap::new();
        for (_, version) in &device {
            let Some(site) = version.site_token.as_ref().map(ToString::to_string) else { continue };
            if let Entry::Vacant(new) = sites.entry(site) {
                let versions = versions::<Site>(tenant, new.key()).await?;
                new.insert(versions);
            }
        }
        Ok(Self { device, sites })
    }

    /// Where it was at an instant.
    pub(crate) fn at(&self, at: SimTime) -> Option<Location> {
        let site = |token: &lastmeter_model::entity::Token| {
            self.sites.get(token.as_str()).map(Vec::as_slice)
        };
        position_at(&self.device, site, at)
    }

    /// Where it was placed itself, and when, oldest first.
    pub(crate) fn own(&self) -> impl DoubleEndedIterator<Item = (SimTime, Location)> + '_ {
        let placed = self.device.iter();
        placed.filter_map(|(made, device)| Some((*made, device.location.clone()?)))
    }
}

/// The versions of a document, oldest first, with when each was made.
async fn versions<T: Body>(tenant: &Tenant, token: &str) -> Result<Vec<(SimTime, T)>, Problem> {
    let page = Page { offset: 0, limit: VERSIONS_MAX };
    if tenant.documents.find(T::kind(), token).is_none() {
        return Ok(Vec::new());
    }
    let readers = tenant.readers.permitted();
    let (_, found) = readers.history(T::kind(), token.to_owned(), page).await?;
    let one =
        |document: &Document| Some((document.changed, serde_json::from_str(&document.body).ok()?));
    Ok(found.iter().rev().filter_map(one).collect())
}
