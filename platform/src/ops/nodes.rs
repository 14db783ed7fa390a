//! Nodes of field networks: those that are there, those that were recognised and wait for their
//! owner, and what becomes of these.

use std::sync::Arc;
use std::time::Duration;

use lastmeter_fields::{Accepted, Declared, NodeContext, by_name};
use lastmeter_model::access::{Action, Eui64, Kind, PrincipalRef};
use lastmeter_model::document::{Document, DocumentKind, Edit, Expect, Transaction};
use lastmeter_model::entity::{
    Asset, Assignment, Body as _, Device, DeviceStatus, FieldNetwork, Node, NodeState, read,
};
use lastmeter_model::row::DeviceRow;
use lastmeter_store::Page;
use lastmeter_units::{HardwareId, MeasurementId, SimTime};
use serde_json::{Map, Value, json};

use super::Caller;
use super::bounds::check;
use super::devices::{self, Permitted};
use super::documents;
use super::networks::specification_of;
use crate::access::{from_hex, hex};
use crate::problem::{Problem, wrong};

/// How long the connection of a gateway may take to end.
const TURN: Duration = Duration::from_secs(10);

/// What whoever registers a node gives of it.
const GIVEN: [&str; 4] = ["name", "room", "visibility", "specificationToken"];

/// The nodes of a network.
pub(crate) async fn list(
    caller: &Caller,
    token: &str,
    page: Page,
) -> Result<(u64, Vec<Value>), Problem> {
    documents::one(caller, FieldNetwork::kind(), token, None).await?;
    documents::list(caller, Node::kind(), Some(("field_network", token)), page).await
}

/// A node of a network whose series may be read.
pub(crate) async fn measured(caller: &Caller, token: &str, id: &str) -> Permitted {
    documents::one(caller, FieldNetwork::kind(), token, None).await?;
    let found = devices::find(caller, (Kind::Series, Action::Read), id)?;
    let node = caller.tenant.documents.body::<Node>(id);
    if node.is_none_or(|node| node.field_network_token.as_str() != token) {
        let detail = format!("`{id}` is no node of the network `{token}`");
        return Err(Problem::not_found("unknown_device", detail));
    }
    Ok(found)
}

/// A node that is there, with what its type of networks declares of a quantity.
pub(crate) struct Source {
    pub(crate) device: HardwareId,
    pub(crate) network_type: &'static str,
    pub(crate) declared: Declared,
}

/// The nodes that are there and measure a quantity, of one network or of all, by hardware id: of
/// those that whoever asks may read.
pub(crate) async fn sources(
    caller: &Caller,
    network: Option<&str>,
    quantity: MeasurementId,
) -> Result<Vec<Source>, Problem> {
    if let Some(token) = network {
        documents::one(caller, FieldNetwork::kind(), token, None).await?;
    }
    let documents = &caller.tenant.documents;
    let (_, rows) = caller.devices(Kind::Device, Page::ALL)?;
    let source = |row: DeviceRow| {
        let node = documents.body::<Node>(row.hardware_id.as_str())?;
        let of = node.field_network_token.as_str();
        if node.state != NodeState::Joined || network.is_some_and(|token| token != of) {
            return None;
        }
        let found = by_name(documents.body::<FieldNetwork>(of)?.network_type.as_str())?;
        let declared = *found.yields.iter().find(|one| one.id == quantity.name())?;
        Some(Source { device: row.hardware_id, network_type: found.entry.name, declared })
    };
    let mut found: Vec<Source> = rows.into_iter().filter_map(source).collect();
    found.sort_by(|a, b| a.device.cmp(&b.device));
    Ok(found)
}

/// The devices that nobody has registered, of those that whoever asks may.
pub(crate) fn recognised(caller: &Caller, page: Page) -> Result<(u64, Vec<DeviceRow>), Problem> {
    caller.list(Kind::Device)?;
    let tenant = &caller.tenant;
    let mut found = tenant.documents.with_key(Device::kind(), "status", "recognised");
    found.retain(|document| documents::may(caller, Action::Write, document));
    let rows = found.iter().filter_map(|document| tenant.devices.find(&document.token));
    Ok(page.of(rows.collect()))
}

/// Registers a node that was recognised: it is its network's owner's from the time on at which the
/// network was made.
pub(crate) async fn register(
    caller: &Caller,
    id: &str,
    members: Map<String, Value>,
) -> Result<Arc<Document>, Problem> {
    let kind = Device::kind();
    let before = documents::writable(caller, kind, id).await?;
    if let Some(name) = members.keys().find(|name| !GIVEN.contains(&name.as_str())) {
        return Err(wrong(name, &format!("expected one of {}", GIVEN.join(", "))));
    }
    let _alone = caller.tenant.changing.lock().await;
    let mut body = Value::Object(before.members());
    let device: Device = read(&body)?;
    if device.status != DeviceStatus::Recognised {
        let detail = format!("`{id}` is {}; change it by its own path", device.status);
        return Err(Problem::conflict("device_exists", detail));
    }
    body["status"] = json!(DeviceStatus::Registered);
    body["specificationToken"] = json!(specification(caller, id, &device));
    for (name, value) in members {
        body[name] = value;
    }
    check(caller, (kind, id), Some(&before), &body)?;
    let mut edits = vec![Edit::of(&before, Some(body))];
    edits.extend(owned(caller, id, &device));
    finish(caller, kind, edits).await
}

/// Takes nothing of a node from now on.
pub(crate) async fn ignore(caller: &Caller, id: &str) -> Result<Arc<Document>, Problem> {
    let kind = Device::kind();
    let before = documents::writable(caller, kind, id).await?;
    let mut body = Value::Object(before.members());
    body["status"] = json!(DeviceStatus::Blocked);
    finish(caller, kind, vec![Edit::of(&before, Some(body))]).await
}

/// What its type has learned of a node and does not use until that is accepted, if there is such.
pub(crate) fn waiting(caller: &Caller, id: &str, node: &Node) -> Option<Accepted> {
    let network =
        caller.tenant.documents.body::<FieldNetwork>(node.field_network_token.as_str())?;
    let accept = by_name(network.network_type.as_str())?.accept?;
    let state = node.context.as_ref().and_then(|text| from_hex(text.as_str()))?;
    let address = node.address.unwrap_or_default();
    accept(&NodeContext { node: id.parse::<Eui64>().ok()?.0, address, state })
}

/// Has what was learned of a node last be used from now on: its multipliers, divisors and units.
/// The connection of its gateway ends by `cut` and comes again, as it reads frames by what it has
/// of its nodes.
pub(crate) async fn accept(
    caller: &Caller,
    id: &str,
    cut: impl Future<Output = ()>,
) -> Result<Arc<Document>, Problem> {
    documents::writable(caller, Device::kind(), id).await?;
    let tenant = &caller.tenant;
    let unknown = || documents::unknown(Node::kind(), id);
    let node = tenant.documents.body::<Node>(id).ok_or_else(unknown)?;
    if waiting(caller, id, &node).is_none() {
        return Err(nothing_waits(id));
    }
    // It waits for its turn before the gateway can come again.
    let turn = tenant.gateways.turn(node.field_network_token.as_str()).lock_owned();
    let (turn, ()) = tokio::join!(tokio::time::timeout(TURN, turn), cut);
    let _turn = turn.map_err(|elapsed| Problem::unavailable("gateway_stays", &elapsed))?;
    let before = tenant.documents.find(Node::kind(), id).ok_or_else(unknown)?;
    let mut body = Value::Object(before.members());
    let Some(accepted) = waiting(caller, id, &read(&body)?) else { return Err(nothing_waits(id)) };
    body["context"] = json!(hex(&accepted.context.state));
    finish(caller, Node::kind(), vec![Edit::of(&before, Some(body))]).await
}

fn nothing_waits(id: &str) -> Problem {
    let detail = format!(
        "no multiplier, divisor or unit of `{id}` waits to be accepted; one that is 0 never is"
    );
    Problem::conflict("nothing_changed", detail)
}

async fn finish(
    caller: &Caller,
    kind: &'static DocumentKind,
    edits: Vec<Edit>,
) -> Result<Arc<Document>, Problem> {
    let changed = caller.apply(Transaction::of(caller.name(), edits)).await?;
    if changed.conflict.is_some() {
        let detail = "others changed it meanwhile; send it again";
        return Err(Problem::conflict("version_conflict", detail));
    }
    documents::edited(caller, kind, changed.documents.first()).await
}

/// What nodes of its network are, if the tenant has that.
fn specification(caller: &Caller, id: &str, device: &Device) -> Option<String> {
    let documents = &caller.tenant.documents;
    let network = documents.body::<FieldNetwork>(device.field_network_token.as_ref()?.as_str())?;
    let sleeps = documents.body::<Node>(id).is_some_and(|node| node.sleeps);
    let token = specification_of(by_name(network.network_type.as_str())?, sleeps);
    let is_there = documents.body::<lastmeter_model::entity::Specification>(&token).is_some();
    is_there.then_some(token)
}

/// What assigns a node to the owner of its network, unless it is assigned or that is the tenant.
fn owned(caller: &Caller, id: &str, device: &Device) -> Vec<Edit> {
    let documents = &caller.tenant.documents;
    let token = device.field_network_token.as_ref().map(|token| token.as_str().to_owned());
    let network = token.as_ref().and_then(|token| documents.body::<FieldNetwork>(token));
    let owner = network.as_ref().and_then(|network| network.owner.as_ref());
    let Some(PrincipalRef::User(user)) = owner else { return Vec::new() };
    if !documents.bodies_with::<Assignment>("device", id).is_empty() {
        return Vec::new();
    }
    let found = token.and_then(|token| documents.find(FieldNetwork::kind(), &token));
    // Gateways state whole seconds: what they measure in the second of its making is the owner's.
    let since = found.map_or(SimTime(0), |network| second_of(network.created));
    let new = |kind, token, body| Edit { kind, token, expect: Expect::New, body: Some(body) };
    let persons = documents.bodies_with::<Asset>("user", user.as_str());
    let mut edits = Vec::new();
    let person = if let Some((token, _)) = persons.first() {
        token.clone()
    } else {
        let token = format!("person-{user}").replace('@', "-");
        let body = json!({ "category": "person", "name": user, "user": user });
        edits.push(new(Asset::kind(), Some(token.clone()), body));
        token
    };
    let body = json!({
        "deviceHardwareId": id, "assetId": person, "status": "active", "activeDate": since,
    });
    edits.push(new(Assignment::kind(), None, body));
    edits
}

/// The begin of the second that a time is in.
fn second_of(at: SimTime) -> SimTime {
    SimTime(at.0 - at.0.rem_euclid(1_000_000_000))
}
