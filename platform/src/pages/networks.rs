//! Networks: those whose gateway was there and those that wait for it, a new one with its key shown
//! once, what waits to be registered, and how a node stands.

use axum::http::StatusCode;
use lastmeter_fields::{NETWORK_TYPES, NetworkType, by_name};
use lastmeter_model::access::{Action, Kind as Resources, Owner, Resource, Subject, Target};
use lastmeter_model::document::Document;
use lastmeter_model::entity::{
    Body as _, Device, DeviceStatus, FieldNetwork, NetworkState, Node, NodeConfiguration,
};
use lastmeter_params::Kind;
use lastmeter_store::Page;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Map, Value, json};

use super::frame::Answered;
use super::view::{View, way};
use super::viewer::{Viewer, in_address};
use crate::access::hex;
use crate::ops::networks::WithKey;
use crate::ops::{documents, networks, nodes};
use crate::problem::Problem;
use crate::rest::Connected;

/// Rows that are shown.
const SHOWN: Page = Page { offset: 0, limit: 200 };
/// Versions of a node that are looked through, and changes of it that are shown.
const VERSIONS: Page = Page { offset: 0, limit: 200 };
const CHANGES_MAX: usize = 20;
/// What a node stated that is shown.
const STATED: Page = Page { offset: 0, limit: 20 };
/// Fields of a network's form beside its options.
const FIELDS: [&str; 4] = ["gateway", "name", "description", "type"];
/// Who sees a node that is registered.
const SIGHTS: [(&str, &str); 3] =
    [("private", "only me"), ("shared", "my household"), ("public", "everybody")];

/// `GET /networks`
pub(super) async fn list(viewer: Viewer) -> Answered {
    let mut shown = Vec::new();
    for state in [NetworkState::Active, NetworkState::Registered] {
        let (_, found) = networks::list(&viewer.caller, state, SHOWN).await?;
        shown.push(found.iter().map(|network| row(&viewer, network)).collect::<Vec<_>>());
    }
    let values = json!({ "active": shown[0], "waiting": shown[1], "may_make": may_make(&viewer) });
    Ok(View::new("networks.html", values).into())
}

/// A network in a list.
fn row(viewer: &Viewer, network: &Value) -> Value {
    let token = network["token"].as_str().unwrap_or_default();
    let documents = &viewer.tenant().documents;
    let of_network = documents.bodies_with::<Device>("field_network", token);
    let waiting = of_network.iter().filter(|(_, one)| one.status == DeviceStatus::Recognised);
    let status = viewer.tenant().gateways.status(token);
    let made = network["createdDate"].as_str().and_then(|at| at.parse::<SimTime>().ok());
    json!({
        "path": format!("/networks/{}", in_address(token)),
        "name": network["name"],
        "type": network["type"],
        "gateway": network["gatewayAddress"],
        "since": status.online_since.map(|at| viewer.times.clock(at)),
        "heard": status.heard.map(|at| viewer.times.clock(at)),
        "made": made.map(|at| viewer.times.clock(at)),
        "devices": of_network.len(),
        "recognised": waiting.count(),
        "attempts": status.attempts.len(),
    })
}

/// `GET /networks/new`: the type comes first, and brings its fields.
pub(super) async fn new(viewer: Viewer) -> Answered {
    if !may_make(&viewer) {
        return Err(Problem::nothing());
    }
    Ok(form(&viewer, None).into())
}

/// Whether a network may be registered: one's own, or the tenant's.
fn may_make(viewer: &Viewer) -> bool {
    let on = Resource::new(Resources::FieldNetwork, &viewer.tenant().name, Subject::Nothing);
    let who = viewer.caller.who.first().map(|who| &who.reference);
    let of = [Some(Owner::Tenant), who.map(Owner::Of)];
    of.into_iter().flatten().any(|owner| viewer.caller.may(Action::Write, &on.owned(owner)))
}

/// The type that the form is about.
fn chosen(viewer: &Viewer) -> &'static NetworkType {
    by_name(viewer.field("type")).unwrap_or(&NETWORK_TYPES[0])
}

fn form(viewer: &Viewer, error: Option<&str>) -> View {
    let kind = chosen(viewer);
    let options = kind.entry.fields.iter().map(|field| {
        let span = match field.kind {
            Kind::Integer { min, max } => json!([min, max]),
            _ => Value::Null,
        };
        json!({
            "name": format!("option.{}", field.name), "label": field.doc, "span": span,
            "given": viewer.field(&format!("option.{}", field.name)),
        })
    });
    let types =
        NETWORK_TYPES.iter().map(|row| json!({ "id": row.entry.name, "name": row.entry.name }));
    let given: Map<String, Value> =
        FIELDS.iter().map(|name| ((*name).to_owned(), json!(viewer.field(name)))).collect();
    let values = json!({
        "error": error,
        "type": kind.entry.name,
        "summary": kind.entry.summary,
        "types": types.collect::<Vec<_>>(),
        "options": options.collect::<Vec<_>>(),
        "given": given,
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    View::new("network_new.html", values).with_status(status)
}

/// `POST /networks/new`: registers a network, and shows its key this once.
pub(super) async fn make(viewer: Viewer) -> Answered {
    let gateway = viewer.field("gateway").trim().to_lowercase().replace([':', ' ', '-'], "");
    if gateway.len() != 16 || !gateway.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let error =
            "Enter the gateway address as 16 characters 0-9 and A-F, as printed on its label";
        return Ok(form(&viewer, Some(error)).into());
    }
    let mut options = Map::new();
    for (name, text) in viewer.fields_of("option.") {
        let text = text.trim();
        if !text.is_empty() {
            let value = text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
            options.insert(name, value);
        }
    }
    let description = Some(viewer.field("description").trim()).filter(|text| !text.is_empty());
    let body = json!({
        "type": chosen(&viewer).entry.name, "name": viewer.field("name").trim(),
        "description": description, "gatewayAddress": gateway, "options": options,
    });
    let members = body.as_object().cloned().unwrap_or_default();
    match networks::make(&viewer.caller, members, None).await {
        Ok(made) => Ok(set_up(&viewer, &made).into()),
        Err(problem) if is_about_form(&problem) => Ok(form(&viewer, Some(problem.detail())).into()),
        Err(problem) => Err(problem),
    }
}

fn is_about_form(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT)
}

/// What a gateway is set up with; its key is shown on this page alone.
fn set_up(viewer: &Viewer, WithKey { shown, key }: &WithKey) -> View {
    let text = hex(key).to_uppercase();
    let groups: Vec<&str> = (0..text.len()).step_by(4).map(|at| &text[at..at + 4]).collect();
    let token = shown["token"].as_str().unwrap_or_default();
    let values = json!({
        "name": shown["name"], "groups": groups, "check": shown["keyCheck"],
        "path": format!("/networks/{}", in_address(token)),
        "port": viewer.tenant().gateways.port(),
    });
    View::new("network_key.html", values).in_state("A3").titled("Set up the gateway")
}

/// `POST /networks/{id}/key`: another key; the one before ends.
pub(super) async fn make_key(viewer: Viewer) -> Answered {
    let (web, tenant) = (&viewer.web.shared, viewer.tenant());
    let connected = Connected::of_network(web, tenant, &viewer.variable);
    let made = networks::make_key(&viewer.caller, &viewer.variable, None).await?;
    // It was shown the key before.
    connected.cut().await;
    Ok(set_up(&viewer, &made).into())
}

/// `GET /networks/{id}`
pub(super) async fn show(viewer: Viewer) -> Answered {
    let kind = FieldNetwork::kind();
    let found = documents::one(&viewer.caller, kind, &viewer.variable, None).await?;
    let shown = documents::shown(&found);
    let status = viewer.tenant().gateways.status(&found.token);
    let attempts = status
        .attempts
        .iter()
        .map(|one| json!({ "at": viewer.times.clock(one.at), "help": one.help }));
    let of_network =
        viewer.tenant().documents.with_key(Device::kind(), "field_network", &found.token);
    let may = |document: &Document| documents::may(&viewer.caller, Action::Write, document);
    let (mut waiting, mut known) = (Vec::new(), Vec::new());
    for device in of_network.iter().take(SHOWN.limit as usize) {
        let row = node_row(&viewer, device, may(device));
        match row["state"].as_str() {
            Some("recognised") => waiting.push(row),
            _ => known.push(row),
        }
    }
    let is_waiting = shown["state"] == NetworkState::Registered.word();
    let values = json!({
        "network": row(&viewer, &shown),
        "check": shown["keyCheck"],
        "options": shown["options"],
        "confirmed": status.options_confirmed,
        "is_waiting": is_waiting,
        "attempts": attempts.collect::<Vec<_>>(),
        "missing": status.missing,
        "held": status.held,
        "recognised": waiting,
        "nodes": known,
        "sights": SIGHTS.map(|(id, name)| json!({ "id": id, "name": name })),
        "key": may(&found).then(|| format!("/networks/{}/key", in_address(&found.token))),
    });
    let name = shown["name"].as_str().unwrap_or_default();
    let view = View::new("network.html", values).titled(name);
    Ok(if is_waiting { view.in_state("A4") } else { view }.into())
}

/// A node in the list of its network.
fn node_row(viewer: &Viewer, device: &Document, may: bool) -> Value {
    let id = in_address(&device.token);
    let node = viewer.tenant().documents.body::<Node>(&device.token);
    let members = device.members();
    let name = members.get("name").and_then(Value::as_str).unwrap_or(&device.token);
    json!({
        "id": device.token,
        "name": name,
        "room": members.get("room"),
        "state": members.get("status"),
        "seen": viewer.times.clock(device.created),
        "is_here": node.as_ref().is_some_and(|node| node.address.is_some()),
        "sleeps": node.as_ref().is_some_and(|node| node.sleeps),
        "visibility": members.get("visibility"),
        "path": format!("/nodes/{id}"),
        "register": may.then(|| format!("/nodes/{id}/register")),
        "ignore": may.then(|| format!("/nodes/{id}/ignore")),
    })
}

/// `GET /nodes/{id}`
pub(super) async fn node(viewer: Viewer) -> Answered {
    let (caller, id) = (&viewer.caller, &viewer.variable);
    let device = documents::one(caller, Device::kind(), id, None).await?;
    let (count, versions) = documents::history(caller, Node::kind(), id, VERSIONS).await?;
    let at = |one: &Value, member: &str| {
        let at = one[member].as_str().and_then(|at| at.parse::<SimTime>().ok());
        at.map(|at| viewer.times.clock(at))
    };
    let history = changes(&versions, count).into_iter().map(|one| {
        let address = one["address"].as_u64().map(|address| format!("0x{address:04x}"));
        json!({
            "at": at(one, "updatedDate"), "state": one["state"], "address": address,
            "program": one["programVersion"],
        })
    });
    let kept = documents::history(caller, NodeConfiguration::kind(), id, STATED).await;
    let kept = kept.map(|(_, versions)| versions).unwrap_or_default();
    let kept = kept.iter().map(|one| json!({ "at": at(one, "taken"), "frame": one["frame"] }));
    let network = device.members().get("fieldNetworkToken").cloned().unwrap_or_default();
    let may = documents::may(caller, Action::Write, &device);
    let state = viewer.tenant().documents.body::<Node>(id);
    let waiting = state.and_then(|node| nodes::waiting(caller, id, &node));
    let values = json!({
        "changes": waiting.map(|waiting| waiting.changes),
        "accept": may.then(|| format!("/nodes/{}/scales", in_address(id))),
        "node": node_row(&viewer, &device, may),
        "device": is_shown(&viewer, id).then(|| format!("/devices/{}", in_address(id))),
        "network": network.as_str().map(|token| format!("/networks/{}", in_address(token))),
        "history": history.collect::<Vec<_>>(),
        "kept": kept.collect::<Vec<_>>(),
        "sights": SIGHTS.map(|(id, name)| json!({ "id": id, "name": name })),
    });
    Ok(View::new("node.html", values).into())
}

/// The versions of a node, newest first, in which it is there another way than in the one before
/// or runs another program: what was learned of it alone is none.
fn changes(versions: &[Value], count: u64) -> Vec<&Value> {
    let is_same = |one: &Value, before: &Value| {
        ["state", "address", "programVersion"].iter().all(|name| one[name] == before[name])
    };
    let is_first = |at: usize| at as u64 + 1 == count;
    let changed = versions.iter().enumerate().filter(|(at, one)| match versions.get(at + 1) {
        Some(before) => !is_same(one, before),
        None => is_first(*at),
    });
    changed.map(|(_, one)| one).take(CHANGES_MAX).collect()
}

/// Whether its page is there for who asks.
fn is_shown(viewer: &Viewer, id: &str) -> bool {
    let Ok(device) = HardwareId::new(id) else { return false };
    let target = Target::Device(device);
    let tenant = viewer.tenant();
    let on = Resource::new(Resources::Latest, &tenant.name, Subject::One(&target));
    viewer.caller.may(Action::Read, &on) && tenant.devices.find(id).is_some()
}

/// `POST /nodes/{id}/register`
pub(super) async fn register(viewer: Viewer) -> Answered {
    let fields = ["name", "room", "visibility"].into_iter().filter_map(|name| {
        let text = viewer.field(name).trim();
        (!text.is_empty()).then(|| (name.to_owned(), json!(text)))
    });
    let members: Map<String, Value> = fields.collect();
    nodes::register(&viewer.caller, &viewer.variable, members).await?;
    Ok(way(format!("/nodes/{}", in_address(&viewer.variable))))
}

/// `POST /nodes/{id}/scales`
pub(super) async fn accept_scales(viewer: Viewer) -> Answered {
    let cut = Connected::of_node(&viewer.web.shared, viewer.tenant(), &viewer.variable).cut();
    nodes::accept(&viewer.caller, &viewer.variable, cut).await?;
    Ok(way(format!("/nodes/{}", in_address(&viewer.variable))))
}

/// `POST /nodes/{id}/ignore`
pub(super) async fn ignore(viewer: Viewer) -> Answered {
    nodes::ignore(&viewer.caller, &viewer.variable).await?;
    Ok(way(format!("/nodes/{}", in_address(&viewer.variable))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_a_node_is_shown_where_it_differs_from_the_one_before() {
        let version = |state: &str, address: Option<u16>, program: Option<u32>, context: &str| {
            json!({
                "state": state, "address": address, "programVersion": program, "context": context,
            })
        };
        // Newest first.
        let versions = [
            version("joined", Some(9), Some(7), "01"),
            version("joined", Some(9), None, "01"),
            version("left", None, None, "01"),
            version("joined", Some(8), None, "01"),
            version("joined", Some(8), None, ""),
        ];
        let of = |count| changes(&versions, count).into_iter().cloned().collect::<Vec<_>>();
        let [first, second, third, _, last] = versions.clone();
        // What was learned between is none; of older ones that are not read nothing is known.
        assert_eq!(of(6), [first.clone(), second.clone(), third.clone()]);
        assert_eq!(of(5), [first, second, third, last]);
    }
}
