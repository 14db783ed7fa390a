//! The topology of electric networks: whether each switch is closed, in the order of the network's
//! switches. Each change is a version of its own, and an alert in the same commit.

use std::sync::Arc;

use lastmeter_model::access::{Action, Kind, Resource, Subject, Target};
use lastmeter_model::document::{Document, Edit, Expect, Transaction};
use lastmeter_model::entity::{Body as _, ElectricNetwork, Topology, read};
use lastmeter_model::message::{Message, MessageBody};
use lastmeter_store::Page;
use lastmeter_units::{HardwareId, SimTime};
use serde_json::{Value, json};

use super::Caller;
use super::documents;
use crate::problem::{Problem, wrong};

/// The type of the alert of a change.
pub(crate) const CHANGED: &str = "topology.changed";
/// The beginning of the hardware id under which the alerts of a network stand.
const NETWORK: &str = "$network-";

/// The states of switches, in a version.
pub(crate) struct SwitchStates {
    /// 0 is the normal state, before any change.
    pub(crate) version: u64,
    pub(crate) states: Vec<bool>,
    pub(crate) from: Option<SimTime>,
    pub(crate) by: Option<String>,
    pub(crate) cause: Option<String>,
}

impl SwitchStates {
    fn of(document: &Document) -> Option<Self> {
        let body: Topology = serde_json::from_str(&document.body).ok()?;
        Some(Self {
            version: document.version,
            states: body.states,
            from: Some(body.from),
            by: Some(body.by.to_string()),
            cause: body.cause.map(|cause| cause.to_string()),
        })
    }

    fn normal(network: &ElectricNetwork) -> Self {
        let states = network.switches.iter().map(|switch| switch.normal).collect();
        Self { version: 0, states, from: None, by: None, cause: None }
    }
}

/// What is asked of the versions of a topology.
#[derive(Clone, Copy)]
pub(crate) enum When {
    Now,
    At(SimTime),
    Version(u64),
}

/// An electric network that may be read.
pub(crate) async fn network(caller: &Caller, token: &str) -> Result<ElectricNetwork, Problem> {
    let found = documents::one(caller, ElectricNetwork::kind(), token, None).await?;
    Ok(read(&Value::Object(found.members()))?)
}

/// The states of a network's switches.
pub(crate) async fn states(
    caller: &Caller,
    token: &str,
    when: When,
) -> Result<SwitchStates, Problem> {
    let network = known(caller, Action::Outline, token).await?;
    let (kind, readers) = (Topology::kind(), caller.tenant.readers.permitted());
    let found = match when {
        When::Now => caller.tenant.documents.find(kind, token),
        When::At(at) => readers.document_at(kind, token.to_owned(), at).await?.map(Arc::new),
        When::Version(0) => None,
        When::Version(version) => {
            let found = readers.document(kind, token.to_owned(), Some(version)).await?;
            let detail = || format!("the topology of `{token}` has no version {version}");
            let found = found.ok_or_else(|| Problem::not_found("unknown_version", detail()))?;
            Some(Arc::new(found))
        }
    };
    let found = found.and_then(|document| SwitchStates::of(&document));
    Ok(found.unwrap_or_else(|| SwitchStates::normal(&network)))
}

/// The versions of a topology, newest first, and how many there are.
pub(crate) async fn history(
    caller: &Caller,
    token: &str,
    page: Page,
) -> Result<(u64, Vec<SwitchStates>), Problem> {
    known(caller, Action::Outline, token).await?;
    let readers = caller.tenant.readers.permitted();
    let (count, found) = readers.history(Topology::kind(), token.to_owned(), page).await?;
    Ok((count, found.iter().filter_map(SwitchStates::of).collect()))
}

/// Puts switches into other states, if the topology is in a version. What is so already makes no
/// version.
pub(crate) async fn switch(
    caller: &Caller,
    token: &str,
    (version, states): (u64, Vec<bool>),
    cause: Option<String>,
) -> Result<SwitchStates, Problem> {
    let switches = known(caller, Action::Switch, token).await?.switches.len();
    if states.len() != switches {
        let detail =
            format!("{} states, expected one for each of {switches} switches", states.len());
        return Err(wrong("states", &detail));
    }
    let _alone = caller.tenant.changing.lock().await;
    let before = self::states(caller, token, When::Now).await?;
    let is_same = before.states == states;
    if is_same && [before.version, before.version.saturating_sub(1)].contains(&version) {
        return Ok(before);
    }
    let expect = if version == 0 { Expect::New } else { Expect::Version(version) };
    let (from, by) = (caller.tenant.clock.now(), caller.name());
    let body = json!({ "states": states, "from": from, "by": by, "cause": cause, "metadata": {} });
    let kind = Topology::kind();
    (kind.check)(&body)?;
    let edits = vec![Edit { kind, token: Some(token.to_owned()), expect, body: Some(body) }];
    let messages = vec![alert(token, version + 1)?];
    let change = Transaction::of(by, edits);
    let changed = caller.apply(Transaction { messages, ..change }).await?;
    if changed.conflict.is_some() {
        let found = before.version;
        let detail = format!("`version` is {version}, and the topology is in version {found}");
        return Err(Problem::conflict("version_conflict", detail));
    }
    let when = When::Version(version + 1);
    documents::edited(caller, kind, changed.documents.first()).await?;
    self::states(caller, token, when).await
}

/// What those who follow a network learn of a change.
fn alert(token: &str, version: u64) -> Result<Message, Problem> {
    let id = HardwareId::new(format!("{NETWORK}{token}"));
    let id = id.map_err(|error| wrong("token", &error.to_string()))?;
    let text = format!("the topology of `{token}` is in version {version}");
    let body = MessageBody::Alert { kind: CHANGED.to_owned(), level: "Info", text };
    let facts = [("network", token.to_owned()), ("version", version.to_string())];
    let metadata = facts.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Message { updates_state: true, metadata, ..Message::new(id, body) })
}

/// The network of a topology with which this may be done. States of switches are its outline: who
/// sees them need not see the model.
async fn known(caller: &Caller, action: Action, token: &str) -> Result<ElectricNetwork, Problem> {
    let kind = ElectricNetwork::kind();
    let hidden = || documents::unknown(kind, token);
    let subject = Target::ElectricNetwork(token.to_owned());
    let on = Resource::new(Kind::Topology, &caller.tenant.name, Subject::One(&subject));
    caller.require(action, &on, hidden)?;
    let found = documents::newest(caller, kind, token).await?.ok_or_else(hidden)?;
    Ok(read(&Value::Object(found.members()))?)
}
