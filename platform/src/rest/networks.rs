//! Field networks behind gateways, and their nodes.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use lastmeter_model::access::PrincipalRef;
use lastmeter_model::entity::{Body as _, FieldNetwork, NetworkState, Node, NodeConfiguration};
use lastmeter_units::TenantName;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::assignments::{VOLTAGE, measurement_id};
use super::devices::{DeviceJson, List};
use super::documents::{
    DocumentJson, Members, TOKEN, described, history_of, listed, one_of, remove_of,
};
use super::extract::{Body, Call, wrong_parameter};
use super::parameter::{PAGE, PAGE_SIZE, Parameter};
use super::routes::{Gives, routes};
use super::series::{self, FROM, FURTHER, LIMIT, ONE_QUANTITY, PointJson, TO};
use super::{Answer, Made, Problem, Shared};
use crate::access::hex;
use crate::gateways::GatewayStatus;
use crate::ops::documents::{self, shown};
use crate::ops::networks::{self, WithKey};
use crate::ops::nodes::{self, Source};
use crate::tenant::Tenant;

const NETWORK: &str = r#"{"token":"x.a","type":"zigbee","name":"Home",
    "gatewayAddress":"00124b0001abcdef","options":{"channel":15}}"#;
const REGISTER: &str = r#"{"name":"Fridge","room":"kitchen"}"#;
pub(super) const NODE: Parameter =
    Parameter::text("hardwareId", "the node's hardware id").example("00158d0000000091");
const STATE: Parameter = Parameter::word(
    "state",
    "`active`, unless given: their gateway was there; `registered`: it is waited for",
    &["active", "registered"],
);

const OF_NETWORK: Parameter = Parameter::text("token", "the network's token").example("n");
const QUANTITY: Parameter = Parameter::text("quantity", "the quantity").required().example(VOLTAGE);
const RESOLUTION: Parameter =
    Parameter::text("resolution", "the largest step of its values that will do, in its unit")
        .required()
        .example("0.1");
const ACCURACY: Parameter =
    Parameter::text("accuracyPercent", "the largest error of its values that will do, in percent")
        .required()
        .example("1.5");
const NETWORK_ONLY: Parameter =
    Parameter::text("network", "only the nodes of this network").example("n");

routes! {
    "networks" {
        Get "/api/v1/networks" => list: "Field networks that may be read, by token",
            Within(FieldNetwork, Read), [STATE, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/networks" => make:
            "Registers a network; the answer is the only one with the `key` for its gateway, and \
             the network is listed once the gateway has come with it",
            Within(FieldNetwork, Write), [], takes |_| described(NETWORK),
            gives Gives::json::<DocumentJson>(201), refuses [409, 500, 507];
        Get "/api/v1/networks/{token}" => one: "One of them",
            Within(FieldNetwork, Read), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [500];
        Put "/api/v1/networks/{token}" => change:
            "Replaces one, if it is in the `version` that is sent with it; its gateway's address \
             and its type stay",
            Within(FieldNetwork, Write), [TOKEN], takes |_| described(NETWORK),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/api/v1/networks/{token}" => remove:
            "Removes one that has no nodes, in the version of `If-Match` if given",
            Within(FieldNetwork, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/networks/{token}/history" => history: "Its versions, newest first",
            Within(FieldNetwork, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/networks/{token}/key" => make_key:
            "Makes another `key`, which the answer alone has; the one before ends",
            Within(FieldNetwork, Write), [TOKEN],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/networks/{token}/status" => status:
            "How its gateway stands, and what was refused of it last",
            Within(FieldNetwork, Read), [TOKEN],
            gives Gives::json::<GatewayStatus>(200), refuses [500];
        Get "/api/v1/networks/{token}/nodes" => nodes_of: "Its nodes, by hardware id",
            Within(FieldNetwork, Read), [TOKEN, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/networks/{token}/sensors/{hardwareId}/data" => series::of_node:
            "The values of a quantity of one of its nodes as they were measured, oldest first: \
             pairs of time and value. Where `limit` ends them the cursor is in `X-Next-Cursor`",
            Within(Series, Read), [OF_NETWORK, NODE, ONE_QUANTITY, FROM, TO, LIMIT, FURTHER],
            gives Gives::json::<Vec<PointJson>>(200), refuses [500];
        Get "/api/v1/availability" => availability:
            "Whether nodes that are there, and that may be read, measure a quantity as well as \
             asked, by what their type of networks declares: `available`, `coarser` where they \
             measure it but not as well, else `no`; with the nodes that this follows from",
            Within(Device, Read), [QUANTITY, RESOLUTION, ACCURACY, NETWORK_ONLY, PAGE, PAGE_SIZE],
            gives Gives::json::<AvailabilityJson>(200), refuses [404];
        Get "/api/v1/nodes/{hardwareId}/history" => node_history:
            "When a node joined, left, got another address or another program, newest first",
            Within(Device, Read), [NODE, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Get "/api/v1/nodes/{hardwareId}/configuration" => configuration:
            "What a node sent that configures or describes it, as it came, newest first",
            Within(Configuration, Read), [NODE, PAGE, PAGE_SIZE],
            gives Gives::json::<List<DocumentJson>>(200), refuses [500];
        Post "/api/v1/nodes/{hardwareId}/scales" => accept_scales:
            "Accepts the multipliers, divisors and units that a node stated last, where they are \
             not those in use; one that is 0 never is. The connection of its gateway ends, and \
             comes again",
            Within(Device, Write), [NODE],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Get "/api/v1/recognised" => recognised:
            "Devices that have sent something and that nobody has registered",
            Within(Device, Write), [PAGE, PAGE_SIZE],
            gives Gives::json::<List<DeviceJson>>(200), refuses [500];
        Post "/api/v1/recognised/{hardwareId}" => register:
            "Registers a node that was recognised, for the owner of its network",
            Within(Device, Write), [NODE], takes |_| described(REGISTER),
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
        Delete "/api/v1/recognised/{hardwareId}" => ignore:
            "Takes nothing of a node from now on",
            Within(Device, Write), [NODE],
            gives Gives::json::<DocumentJson>(200), refuses [409, 500, 507];
    }
}

async fn list(mut call: Call) -> Answer<List<DocumentJson>> {
    let (state, page) = (call.pairs.word(&STATE)?, call.pairs.page()?);
    call.pairs.finish()?;
    let is_waiting = state == Some(NetworkState::Registered.word());
    let state = if is_waiting { NetworkState::Registered } else { NetworkState::Active };
    Ok(Json(listed(networks::list(&call.caller(), state, page).await?)))
}

/// A network with its key.
fn with_key(WithKey { mut shown, key }: WithKey) -> DocumentJson {
    if let Value::Object(members) = &mut shown {
        members.insert("key".to_owned(), hex(&key).into());
    }
    shown.into()
}

async fn make(call: Call, Body(members): Body<Members>) -> Made<DocumentJson> {
    let made = networks::make(&call.caller(), members, call.repeatable()?).await?;
    Ok((StatusCode::CREATED, Json(with_key(made))))
}

async fn one(call: Call) -> Answer<DocumentJson> {
    one_of::<FieldNetwork>(call).await
}

/// The connection of a gateway, which ends with what it was made by.
pub(crate) struct Connected(Option<(Shared, TenantName, PrincipalRef)>);

impl Connected {
    fn of(call: &Call) -> Self {
        Self::of_network(&call.shared, &call.tenant, &call.variable)
    }

    /// That of a network.
    pub(crate) fn of_network(shared: &Shared, tenant: &Tenant, token: &str) -> Self {
        let network = tenant.documents.body::<FieldNetwork>(token);
        let of = |network: Arc<FieldNetwork>| PrincipalRef::Gateway(network.gateway_address);
        let gateway = network.map(of);
        Self(gateway.map(|who| (shared.clone(), tenant.name.clone(), who)))
    }

    /// That of the network of a node.
    pub(crate) fn of_node(shared: &Shared, tenant: &Tenant, id: &str) -> Self {
        let node = tenant.documents.body::<Node>(id);
        let token = node.map(|node| node.field_network_token.as_str().to_owned());
        token.map_or(Self(None), |token| Self::of_network(shared, tenant, &token))
    }

    pub(crate) async fn cut(self) {
        let Some((shared, tenant, who)) = self.0 else { return };
        if let Some(process) = shared.process.upgrade() {
            process.cut(&tenant, &who).await;
        }
    }
}

async fn change(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    let connected = Connected::of(&call);
    let changed = networks::change(&call.caller(), &call.variable, members).await?;
    // It comes again, and is given its options.
    connected.cut().await;
    Ok(Json(shown(&changed).into()))
}

async fn remove(call: Call, headers: HeaderMap) -> Answer<DocumentJson> {
    let (connected, tenant) = (Connected::of(&call), Arc::clone(&call.tenant));
    let token = call.variable.clone();
    let removed = remove_of::<FieldNetwork>(call, headers).await?;
    tenant.gateways.forget(&token);
    connected.cut().await;
    Ok(removed)
}

async fn history(call: Call) -> Answer<List<DocumentJson>> {
    history_of::<FieldNetwork>(call).await
}

async fn make_key(call: Call) -> Answer<DocumentJson> {
    let repeatable = call.repeatable_at(&format!("/api/v1/networks/{}/key", call.variable))?;
    let connected = Connected::of(&call);
    let made = networks::make_key(&call.caller(), &call.variable, repeatable).await?;
    connected.cut().await;
    Ok(Json(with_key(made)))
}

async fn status(call: Call) -> Answer<GatewayStatus> {
    let kind = FieldNetwork::kind();
    let network = documents::one(&call.caller(), kind, &call.variable, None).await?;
    Ok(Json(call.tenant.gateways.status(&network.token)))
}

async fn nodes_of(mut call: Call) -> Answer<List<DocumentJson>> {
    let page = call.page()?;
    Ok(Json(listed(nodes::list(&call.caller(), &call.variable, page).await?)))
}

async fn node_history(call: Call) -> Answer<List<DocumentJson>> {
    history_of::<Node>(call).await
}

async fn configuration(call: Call) -> Answer<List<DocumentJson>> {
    history_of::<NodeConfiguration>(call).await
}

async fn accept_scales(call: Call) -> Answer<DocumentJson> {
    let cut = Connected::of_node(&call.shared, &call.tenant, &call.variable).cut();
    let accepted = nodes::accept(&call.caller(), &call.variable, cut).await?;
    Ok(Json(shown(&accepted).into()))
}

async fn recognised(mut call: Call) -> Answer<List<DeviceJson>> {
    let page = call.page()?;
    let (num_results, rows) = nodes::recognised(&call.caller(), page)?;
    let results = rows.into_iter().map(|row| DeviceJson::of(&call, row)).collect();
    Ok(Json(List { num_results, results }))
}

async fn register(call: Call, Body(members): Body<Members>) -> Answer<DocumentJson> {
    let registered = nodes::register(&call.caller(), &call.variable, members).await?;
    Ok(Json(shown(&registered).into()))
}

async fn ignore(call: Call) -> Answer<DocumentJson> {
    let ignored = nodes::ignore(&call.caller(), &call.variable).await?;
    Ok(Json(shown(&ignored).into()))
}

/// Whether a quantity is measured as well as asked, and by which nodes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Availability")]
#[serde(rename_all = "camelCase")]
struct AvailabilityJson {
    answer: AvailabilityAnswer,
    /// How many nodes the answer follows from.
    num_results: u64,
    /// The nodes, by hardware id: those that measure it well enough, else those that measure it.
    sources: Vec<SourceJson>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum AvailabilityAnswer {
    Available,
    Coarser,
    No,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AvailabilitySource")]
#[serde(rename_all = "camelCase")]
struct SourceJson {
    hardware_id: String,
    network_type: &'static str,
    resolution: f64,
    accuracy_percent: f64,
}

/// `GET /api/v1/availability`
async fn availability(mut call: Call) -> Answer<AvailabilityJson> {
    let quantity = measurement_id(&given(&mut call, &QUANTITY)?)?;
    let (resolution, accuracy_percent) =
        (bound(&mut call, &RESOLUTION)?, bound(&mut call, &ACCURACY)?);
    let (network, page) = (call.pairs.one(&NETWORK_ONLY)?, call.pairs.page()?);
    call.pairs.finish()?;
    let all = nodes::sources(&call.caller(), network.as_deref(), quantity).await?;
    let is_enough = |Source { declared, .. }: &Source| {
        declared.resolution <= resolution && declared.accuracy_percent <= accuracy_percent
    };
    let (enough, coarser): (Vec<_>, Vec<_>) = all.into_iter().partition(is_enough);
    let (answer, found) = match (enough.is_empty(), coarser.is_empty()) {
        (false, _) => (AvailabilityAnswer::Available, enough),
        (true, false) => (AvailabilityAnswer::Coarser, coarser),
        (true, true) => (AvailabilityAnswer::No, Vec::new()),
    };
    let (num_results, found) = page.of(found);
    let shown = |Source { device, network_type, declared }: Source| SourceJson {
        hardware_id: device.to_string(),
        network_type,
        resolution: declared.resolution,
        accuracy_percent: declared.accuracy_percent,
    };
    let sources = found.into_iter().map(shown).collect();
    Ok(Json(AvailabilityJson { answer, num_results, sources }))
}

/// Takes a parameter that has to be given.
fn given(call: &mut Call, parameter: &Parameter) -> Result<String, Problem> {
    let missing = || {
        let detail = format!("give `{}`", parameter.name);
        Problem::bad_request("missing_parameter", detail)
    };
    call.pairs.one(parameter)?.ok_or_else(missing)
}

/// Takes the largest number that will do.
fn bound(call: &mut Call, parameter: &Parameter) -> Result<f64, Problem> {
    let text = given(call, parameter)?;
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| wrong_parameter(parameter, &text, "a number from 0 on"))
}
